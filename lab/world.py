"""A small world on a homeserver: owners ana and dan, moderators bo and cy, the outsider eve, an
ops room, the bot in the admin room, and the policy that names them.

The policy is base-config.yaml with the names of this world put in, so that the shipped example is
what the lab and the tests run.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from .bot import Bot
from .chat import Chat
from .client import Client
from .homeserver import ROOT, Homeserver

PEOPLE = ("dan", "bo", "cy", "eve")


@dataclass
class World:
    """people: by their names in the policy. eve is in the ops room and has no role.

    database: of its bot, a PostgreSQL URL; SQLite without one.
    """

    server: Homeserver
    people: dict[str, Client]
    bot_account: Client
    ops_room: str
    suffix: str = ""
    bot: Bot | None = field(default=None)
    database: str = ""

    @classmethod
    async def create(
        cls,
        server: Homeserver,
        suffix: str = "",
        *,
        room_version: str | None = None,
        encrypted: bool = False,
    ) -> World:
        """Fresh accounts (`bo-3` for suffix "-3", except ana), a fresh room and a fresh bot
        account. ana is the administrator of the server and the same in every world."""
        bot, *others = await asyncio.gather(
            server.bot(f"sluice{suffix}"), *(server.account(f"{name}{suffix}") for name in PEOPLE)
        )
        people = {"ana": server.ana, **dict(zip(PEOPLE, others, strict=True))}
        invited = [bot.mxid, *(people[name].mxid for name in PEOPLE)]
        state = []
        if encrypted:
            algorithm = {"algorithm": "m.megolm.v1.aes-sha2"}
            state = [{"type": "m.room.encryption", "content": algorithm}]
        room = await server.ana.create_room(
            *invited, version=room_version, name="Ops room", initial_state=state
        )
        await asyncio.gather(*(client.join(room) for client in (bot, *others)))
        return cls(server, people, bot, room, suffix)

    def policy(self, text: str | None = None, **changes: str) -> str:
        """The example policy (or another text that speaks of example.org) with this world's names.

        changes: top-level lines to replace, `command_max_age="10s"`.
        """
        policy = (ROOT / "base-config.yaml").read_text() if text is None else text
        for key, value in changes.items():
            old = next(line for line in policy.splitlines() if line.strip().startswith(f"{key}:"))
            indent = old[: len(old) - len(old.lstrip())]
            policy = policy.replace(old, f"{indent}{key}: {value}")
        policy = policy.replace("!opsroom:example.org", "!opsroom")
        policy = policy.replace("!opsroom", self.ops_room)
        policy = policy.replace("@ana:example.net", "@ana:elsewhere.test")
        for name, client in self.people.items():
            policy = policy.replace(f"@{name}:example.org", client.mxid)
        return policy.replace("example.org", self.server.name)

    def __getitem__(self, name: str) -> Client:
        return self.people[name]

    async def ops(self, name: str) -> Chat:
        """The ops room as this person sees it, from now on."""
        return await Chat.open(self.people[name], self.ops_room)

    async def admin(self) -> Chat:
        """The admin room as ana sees it, from now on."""
        return await Chat.open(self.server.ana, self.server.admin_room)

    async def private(self, name: str, *, seen_by: Client | None = None) -> Chat:
        """The private room of the bot with this person, whom it lets in; from its start."""
        client = self.people[name]
        for room, inviter in (await client.invitations()).items():
            if inviter == self.bot_account.mxid:
                await client.join(room)
        for room in await client.joined_rooms():
            if await client.members(room) == {client.mxid, self.bot_account.mxid}:
                return await Chat.from_the_start(seen_by or client, room)
        raise AssertionError(f"{name} has no private room with the bot")

    async def start_bot(self, folder: Path, policy: str | None = None, **options: object) -> Bot:
        options.setdefault("database", self.database)
        self.bot = Bot(folder, self.bot_account, policy or self.policy(), **options)  # type: ignore[arg-type]
        await self.bot.start()
        return self.bot

    async def end(self) -> None:
        """The bot stops and leaves the admin room, so that the next one is alone there."""
        if self.bot:
            await self.bot.stop()
        await self.bot_account.leave(self.server.admin_room)
