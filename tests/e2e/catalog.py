"""A house where an owner may do everything at once, for tests of single commands.

One world and one bot for a whole module: what a command did is looked at on the server.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lab.chat import Chat, Said
from lab.client import Refused
from lab.homeserver import Homeserver
from lab.world import World
from tests.e2e.office import Office

POLICY = """\
ops_rooms: ["!opsroom:example.org"]
board: false
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
    - {role: mod, do: ["#read", "#inspect"]}
    - {id: signup, role: mod, do: adduser, where: {user: {regex: "[a-z0-9._-]{3,20}"}}}
    - {role: owner, do: "*"}
  limit:
    - {id: signups, do: adduser, per: person, max: 50, every: 1d}
  break_glass: {role: owner, max: 9, every: 1d}
relay: {attacker_sized: allow}
"""
covers = pytest.mark.covers


def shows(text: str, *patterns: str) -> None:
    """Each of these expressions is found in the text; ^ and $ are the ends of its lines."""
    for pattern in patterns:
        assert re.search(pattern, text, re.M), f"no “{pattern}” in: {text}"


class House(Office):
    again = ""  # a second try of a test takes other names than the first

    @property
    def server(self) -> Homeserver:
        return self.world.server

    def name(self, local: str) -> str:
        """A localpart that nobody else has."""
        return f"{local}{self.world.suffix}{self.again}"

    def mxid(self, local: str) -> str:
        return f"@{self.name(local)}:{self.server.name}"

    async def next(self, said: Said) -> Said:
        """What the bot says to the same command after this."""
        return await self.room.wait(
            lambda other: other.reply_to == said.reply_to and not other.edits,
            "one more answer",
            after=said.id,
        )

    async def does(self, line: str, who: str = "ana") -> str:
        """The text of the end of a command; what is asked with ✅ on the way is tapped."""
        said = await self.asks(who, line)
        while said.text.startswith("❓"):
            await self.taps(who, said)
            said = await self.next(said)
        return said.text

    @asynccontextmanager
    async def nothing_sent(self) -> AsyncIterator[None]:
        """No line of a request goes into the admin room while this is done."""
        before = await self._sent()
        yield
        assert await self._sent() == before, self.admin.transcript()

    async def _sent(self) -> int:
        await self.admin.read()
        marks = (str(said.content.get("org.sluicebot.line")) for said in self.admin.said)
        return sum(bool(re.search(r"/\d+\.\d+$", mark)) for mark in marks)

    async def state(self) -> str:
        """How the newest request ended."""
        rows = self.bot.rows("SELECT state FROM sluice_request ORDER BY id DESC LIMIT 1")
        return str(rows[0][0])

    async def handed(self, who: str = "ana") -> str:
        """The newest password in somebody's private room."""
        room = await self.world.private(who)
        said = await room.wait(lambda said: "Password: " in said.text, "a password")
        said = [each for each in room.said if "Password: " in each.text][-1]
        return said.text.partition("Password: ")[2].split("\n")[0]

    async def signs_in(self, mxid: str, password: str) -> bool:
        try:
            await self.server.login(mxid, password)
        except Refused:
            return False
        return True

    def alias(self, local: str) -> str:
        return f"#{self.name(local)}:{self.server.name}"

    async def a_room(self, name: str, alias: str = "", preset: str = "public_chat") -> str:
        """A room of eve; a public one stands in the directory."""
        more = {"room_alias_name": self.name(alias)} if alias else {}
        visibility = "public" if preset == "public_chat" else "private"
        return await self.world["eve"].create_room(
            name=name, preset=preset, visibility=visibility, **more
        )

    async def download(self, mxc: str) -> str:
        """A file as text."""
        ana = self.server.ana
        path = f"/_matrix/client/v1/media/download/{mxc.removeprefix('mxc://')}"
        headers = {"Authorization": f"Bearer {ana.token}"}
        async with ana.http.get(ana.base + path, headers=headers) as answer:
            return await answer.text()

    def everything_stored(self) -> str:
        """The bot's files: its database with the journal beside it, and its log."""
        files = [*self.bot.folder.glob("bot.db*"), self.bot.process.log]
        return "".join(file.read_bytes().decode(errors="replace") for file in files)

    @property
    def has_media(self) -> bool:
        """0.9 has no media commands."""
        return not self.server.version.startswith("0.9")


@asynccontextmanager
async def open_house(
    server: Homeserver, folder: Path, suffix: str, policy: str = POLICY, *, clock: bool = False
) -> AsyncIterator[House]:
    """With the lists of accounts and rooms known, so that nothing is asked of them."""
    world = await World.create(server, suffix)
    house = await House.open(world, folder / "bot", policy, clock=clock)
    try:
        yield house
    finally:
        if server.double:
            await server.double.reset()
        room = await Chat.from_the_start(server.ana, world.ops_room)
        print(f"--- ops room\n{room.transcript()}\n--- bot\n{house.bot.process.tail(20_000)}")
        await world.end()
