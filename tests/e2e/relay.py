"""The relay at work: an office whose policy lets much through, and what tests ask of the admin
room and of accounts.

What ran is never taken from the bot's words: lines are counted in the admin room, and accounts
are asked by signing in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from lab.chat import Chat, Said
from lab.client import Client, Refused
from lab.world import World
from tests.e2e.office import Office

POLICY = """\
ops_rooms: ["!opsroom:example.org"]
board: false
command_max_age: 5m
policy:
  people:
    ana: "@ana:example.org"
    dan: "@dan:example.org"
    bo: "@bo:example.org"
    cy: "@cy:example.org"
  roles:
    mod: {members: [bo, cy]}
    owner: {members: [ana, dan], inherits: mod}
  allow:
    - {role: mod, do: "#read"}
    - {id: signup, role: mod, do: adduser, where: {user: {regex: "[a-z0-9._-]{3,40}"}}}
    - {role: mod, do: [deactivate, resetpw, enableroom, disableroom, registration.set, clearcache]}
    - {role: owner, do: "*"}
  require:
    - {do: deactivate, approvals: [{from: mod, n: 1}]}
relay: {timeout: 60s, slow_timeout: 10m}
secrets: {remove_after: 10m}
notices: {registered: false, reports: true, emergency: true}
"""
PASSWORD = re.compile(r"Password: (\S+)")


@dataclass
class Relay(Office):
    """name: an account of this world; nobody else has it."""

    @classmethod
    async def open(  # type: ignore[override]
        cls,
        world: World,
        folder: Path,
        *,
        clock: bool = False,
        relay: str = "",
        secrets: str = "",
        max_age: str = "",
        mods: str = "",
        **options: object,
    ) -> Relay:
        """relay, secrets, max_age, mods: what the policy says in these places instead."""
        policy = POLICY
        if mods:
            policy = policy.replace("members: [bo, cy]", f"members: {mods}")
            policy = policy.replace("  roles:", '    eve: "@eve:example.org"\n  roles:')
        for key, value in (("relay", relay), ("secrets", secrets), ("command_max_age", max_age)):
            if value:
                policy = re.sub(rf"(?m)^{key}: .*$", f"{key}: {value}", policy)
        self = cls(world, await world.ops("ana"), await world.admin(), {})
        env = self._clock(folder) if clock else {}
        env.update(options.pop("env", {}))  # type: ignore[call-overload]
        await world.start_bot(folder, world.policy(policy), env=env, **options)
        await self.room.shows("is ready", within=20)
        await self.admin.wait(
            lambda said: said.text.startswith("Registration is currently"),
            "the answer to what is asked at the start",
        )
        return self

    def _clock(self, folder: Path) -> dict[str, str]:
        from tests.e2e.office import CLOCK

        folder.mkdir(parents=True, exist_ok=True)
        self.clock = folder / "clock"
        self.clock.write_text("0")
        return {"PYTHONPATH": str(CLOCK), "SLUICE_TEST_CLOCK": str(self.clock)}

    def name(self, word: str) -> str:
        return f"{word}{self.world.suffix}"

    def mxid(self, word: str) -> str:
        return f"@{self.name(word)}:{self.world.server.name}"

    async def exists(self, word: str) -> bool:
        try:
            await self.world["ana"].call("GET", f"/_matrix/client/v3/profile/{self.mxid(word)}")
        except Refused:
            return False
        return True

    async def signs_in(self, word: str, password: str) -> bool:
        try:
            await self.world.server.login(self.name(word), password)
        except Refused as refused:
            if refused.status != 403:
                raise
            return False
        return True

    # --- passwords

    async def password(self, who: str, word: str, within: float = 10) -> str:
        """The newest one of this account in the private room of this person."""
        private = await self.world.private(who)
        said = await private.wait(
            lambda said: self.mxid(word) in said.text and bool(PASSWORD.search(said.text)),
            f"a password of {word}",
            within=within,
        )
        for each in private.said:  # the newest
            if self.mxid(word) in each.text and PASSWORD.search(each.text):
                said = each
        found = PASSWORD.search(said.text)
        assert found
        return found[1]

    # --- the admin room

    async def sent(self, words: str) -> int:
        """How many lines of the bot in the admin room hold these words."""
        await self.admin.read()
        return sum(said.sender == self.bot.mxid and words in said.text for said in self.admin.said)

    async def types(self, line: str, by: Client | None = None) -> str:
        """Another admin types a command by hand."""
        server = self.world.server
        return await (by or server.ana).say(server.admin_room, f"@conduit:{server.name}: {line}")

    async def answered(self, line: str, within: float = 10) -> Said:
        """Another admin types a command and waits for what comes behind it."""
        command = await self.types(line)
        user = self.world.server.server_user
        return await self.admin.wait(
            lambda said: said.sender == user and said.content.get("msgtype") == "m.text",
            f"the answer to {line}",
            after=command,
            within=within,
        )

    async def results(self) -> list[str]:
        """What the bot said in the ops room, edits aside."""
        await self.room.read()
        return [
            said.text
            for said in self.room.said
            if said.sender == self.bot.mxid and said.kind == "m.room.message" and not said.edits
        ]

    async def whole(self) -> Chat:
        """The ops room from its start."""
        return await Chat.from_the_start(self.world["ana"], self.world.ops_room)
