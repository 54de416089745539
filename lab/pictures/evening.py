"""Plays evening.txt: people of the lab type and tap, and pictures are taken.

What the bot says is told by its sign and its place, not by its words.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from ..chat import Chat, Said
from ..client import V3, esc
from ..run import Lab

SCRIPT = Path(__file__).with_suffix(".txt")
STEP = re.compile(
    r"(?P<who>\w+)( (?P<reply>replies))?(: (?P<text>.+?)| taps (?P<key>\S+))?( → (?P<signs>\S+))?"
)
ANSWERS = "📋✅⛔❌❓✋❗"
NOBODY = "\n".join(f"@nobody-with-a-long-name-{n}:lab.test" for n in range(900))
DEADLY = f"deactivate-all\n```\n{NOBODY}\n```"  # Conduit's answer would be larger than an event
LOOSER = {
    "max: 5,": "max: 20,",
    "max: 10,": "max: 50,",
    "command_max_age: 5m": "command_max_age: 20s",
    " timeout: 60s": " timeout: 8s",
    "slow_timeout: 10m": "slow_timeout: 8s",
}
PUBLIC = {"preset": "public_chat", "visibility": "public"}
WAVE = ("q01", "q02", "q03", "petunia", "q04", "q05", "q06", "q07")
OTHERS = ("spam2", "spam3", "spam4", "kim_kardanov", "mila", "old-friend")
Shoot = Callable[[str, Chat, int], Awaitable[None]]
"""(name, room, from which of its events on)"""


@dataclass
class Evening:
    """ops: the room as bo sees it. begin: where the scene's events begin. last: what the bot said
    last, as far as it was waited for; at: the event behind which the next one comes."""

    running: Lab
    ops: Chat
    shoot: Shoot
    begin: int = 0
    at: str = ""
    last: Said | None = None
    private: bool = False

    def __post_init__(self) -> None:
        self.world, self.server = self.running.world, self.running.world.server

    async def play(self, line: str) -> None:
        if line[0] == "(":
            await self.ops.read()
            self.at = self.ops.said[-1].id
            await getattr(self, line[1:-1].replace(" ", "_"))()
        elif line[0] == "[":
            await self.picture(line[1:-1].removesuffix(" …"), more=line.endswith("…]"))
        else:
            step = STEP.fullmatch(line)
            assert step, line
            await self._step(**step.groupdict())

    async def _step(
        self, who: str, reply: str | None, text: str | None, key: str | None, signs: str | None
    ) -> None:
        room, about = self.world.ops_room, self.last.id if self.last else ""
        if key:
            self.at = await self.world[who].react(room, about, key)
        elif text:
            number = re.search(r"#(\d+)", self.last.text) if self.last else None
            text = text.replace("⏎", "\n").replace("{number}", number[1] if number else "?")
            client = self.world[who]
            self.at = await (client.reply(room, about, text) if reply else client.say(room, text))
        if signs is None and key:
            await asyncio.sleep(1)
        elif signs != "-":
            await self._hears(who, signs or ANSWERS)

    async def _hears(self, who: str, signs: str) -> None:
        said = await self._says(signs + "❓" if who != "sluice" else signs)
        if said.text[0] not in signs:
            self.at = await self.world[who].react(self.world.ops_room, said.id, "✅")
            said = await self._says(signs)
        self.last, self.at = said, said.id

    async def _says(self, signs: str) -> Said:
        def matches(said: Said) -> bool:
            new = said.kind == "m.room.message" and not said.edits
            return new and said.sender == self.world.bot_account.mxid and said.text[:1] in signs

        return await self.ops.wait(matches, f"a message with {signs}", after=self.at, within=100)

    async def picture(self, name: str, *, more: bool = False) -> None:
        await asyncio.sleep(1)
        await self.ops.read()
        if self.private:
            self.private = False
            await self.shoot(name, await self.world.private("bo"), 0)
        else:
            await self.shoot(name, self.ops, self.begin)
        if not more:
            self.begin = len(self.ops.said)

    # --- what happens: "(a wave)" in the script is the method a_wave

    async def the_policy_is_looser(self, **more: str) -> None:
        text = self.world.policy()
        for old, new in {**LOOSER, **more}.items():
            text = text.replace(old, new)
        text = "\n".join(line for line in text.split("\n") if "nights" not in line)
        assert self.world.bot
        self.world.bot.set_policy(text)
        await self.play("ana: !reload → 🔔❗📋")

    async def requests_expire_after_a_minute(self) -> None:
        await self.the_policy_is_looser(**{"expires: 1h": "expires: 1m"})
        self.begin = len(self.ops.said)

    async def in_the_private_room(self) -> None:
        self.private = True

    async def a_wave(self) -> None:
        for name in WAVE:
            await self.server.newcomer(name)
            await asyncio.sleep(0.6)
        await asyncio.sleep(4)

    async def bo_reports_eve(self) -> None:
        eve, bo = self.world["eve"], self.world["bo"]
        lobby = await eve.create_room(bo.mxid, name="Lobby")
        await bo.join(lobby)
        await bo.report(lobby, await eve.say(lobby, "cheap watches!"), "advert")

    async def the_server_goes_away(self) -> None:
        await self.server.stop()
        await asyncio.sleep(75)
        await self.server.resume()

    async def the_bot_stops(self) -> None:
        assert self.world.bot
        await self.world.bot.stop()

    async def the_bot_starts(self) -> None:
        assert self.world.bot
        await asyncio.sleep(21)
        await self.world.bot.start()

    async def the_admin_room_dies(self) -> None:
        await self.server.ana.say(self.server.admin_room, f"{self.server.server_user}: {DEADLY}")
        await asyncio.sleep(2)

    async def the_server_restarts(self) -> None:
        await self.server.restart()


async def play(evening: Evening) -> list[str]:
    """The lines that did not come to their end; the rest of their scenes is left out."""
    bulk = (f"xs0{number}" for number in range(1, 9))
    await asyncio.gather(*(evening.server.account(name) for name in (*OTHERS, *bulk)))
    owner = await evening.server.account("max")
    await owner.create_room(name="Warez hub", room_alias_name="warez", **PUBLIC)
    await owner.create_room(name="Garden photos", room_alias_name="photos", **PUBLIC)
    names = {name: evening.world[name] for name in ("ana", "dan", "bo", "cy", "eve")}
    for name, person in {**names, "sluice": evening.world.bot_account}.items():
        path = f"{V3}/profile/{esc(person.mxid)}/displayname"
        await person.call("PUT", path, {"displayname": name.capitalize()})
    failed = []
    for scene in SCRIPT.read_text().split("\n= ")[1:]:
        evening.begin = len(evening.ops.said)
        for line in filter(None, scene.split("\n")[1:]):
            try:
                await evening.play(line)
            except AssertionError as error:
                failed.append(f"the evening stops at {line}: {str(error).splitlines()[0]}")
                await evening.picture("stuck")
                break
    return failed
