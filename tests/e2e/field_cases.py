"""What people ran into in the field, through the real bot: `python -m tests.e2e.field_cases`.

With CONDUIT_BIN the homeserver is that Conduit, else Synapse with the double. It plays the cases
of tests/corpus whose source is "review", one after the other in one ops room, and judges them as
the corpus does, by what stands in the room and in the bot's database. Names are new in each case.
Prints "n of n", with what was missed; exit 1 if anything was. A word behind it plays only the
cases with this word in their name.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import aiohttp
from attrs import evolve

from lab.chat import Chat, Said
from lab.client import Client, Refused
from lab.homeserver import homeserver
from lab.world import World
from tests.corpus import play
from tests.corpus.play import LEAN, Case, Room, Seen, Spy

NAMES = "spam1|spam2|spambot|spam|max|alice|carol|erin|mia|s01|s02|petunia|nobody"
_NAME = re.compile(rf"(?<![a-z])({NAMES})(?![a-z0-9])", re.I)
_NUMBER = re.compile(r"(?<=[ #])[12](?![0-9])")
_FENCE = "!why 99999"
_TABLES = {"sluice_request": "id state text invocation",
           "sluice_vote": "event_id request side withdrawn reason cause"}  # fmt: skip
_RUNNING = (
    "SELECT id FROM sluice_request WHERE state = 'executing'"
    " OR (state = 'pending' AND in_line_since IS NOT NULL)"
)
_NOT_HERE = ("late", "policy")  # fields of cases that need a clock or a policy of their own


class Names:
    """The names of a case, which nobody has used before it."""

    def __init__(self, number: int, server: str) -> None:
        self.mark, self._server = f"q{chr(97 + number // 26)}{chr(97 + number % 26)}", server
        self.used: set[str] = set()

    def of(self, value: Any) -> Any:
        """The same value with them."""
        if isinstance(value, dict):
            return {key: self.of(each) for key, each in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.of(each) for each in value]
        if not isinstance(value, str):
            return value
        text = _NAME.sub(lambda found: self._new(found[1]), value)
        return text.replace("example.org", self._server)

    def meant(self, what: str) -> str:
        """The same invocation with them, as the corpus writes it."""
        return str(self.of(what)).replace(self._server, "example.org")

    def _new(self, name: str) -> str:
        self.used.add(f"{self.mark}{name.lower()}")
        return f"{self.mark}{name}"


class People:
    """What the corpus needs of a stage: people, a room, and what was said in it."""

    def __init__(self, world: World, chat: Chat) -> None:
        self.world, self.chat = world, chat
        assert world.bot is not None
        self.bot = world.bot.mxid

    def __getitem__(self, name: str) -> Client:
        return self.world[name]

    def said(self) -> list[Said]:
        fences = {said.id for said in self.chat.said if said.text == _FENCE}
        return [s for s in self.chat.said if s.id not in fences and s.reply_to not in fences]

    async def settle(self, _: float = 0) -> None:
        """Everything said until now was read, and is answered."""
        fence = await self.world["dan"].say(self.world.ops_room, _FENCE)
        await self.chat.answer_to(fence, within=60)
        for _ in range(40):
            if not self.world.bot.rows(_RUNNING):
                break
            await asyncio.sleep(0.25)
        before = -1  # what is looked up goes on beside it: until nothing more is said
        while len(self.chat.said) != before:
            before = len(self.chat.said)
            await asyncio.sleep(0.8)
            await self.chat.read()


class LabRoom(Room):
    """One case in the ops room of the lab."""

    def __init__(self, stage: Any, case: Case) -> None:
        self.stage, self.case, self._spy = stage, case, Spy()
        self.place = stage.world.ops_room
        self._from, self._before, self._begun = 0, {}, 0
        ids = [row["id"] for row in self._rows("FROM sluice_request")]
        self.first = max(ids, default=0) + 1  # the number of its first request

    def _rows(self, query: str) -> list[Any]:
        table = query.rpartition(" ")[2]
        columns = _TABLES[table].split()
        found = self.stage.world.bot.rows(f"SELECT {', '.join(columns)} FROM {table}")
        return [dict(zip(columns, row, strict=True)) for row in found]

    def _fresh(self) -> None:
        self._from, self._before = len(self.stage.said()), self._standing()

    def _said(self) -> list[Said]:
        return super()._said()[self._begun :]

    async def begin(self, steps: Any) -> None:
        self._begun = len(super()._said())
        for step in steps:
            if isinstance(step, dict):
                content = self.numbered(step["content"])
                await self.sends(step["by"], step.get("kind", "m.room.message"), content)
            elif step.startswith("("):
                await self._directed(step)
            elif " taps " not in step:  # lists are read without a question here
                who, _, text = step.partition(": ")
                text, here = re.sub(r"\n +", "\n", text), len(self.stage.said())
                await self.stage[who].say(self.place, text)
                await self.stage.settle()
                if text.startswith("!"):
                    await self._answered_since(here)
        self._fresh()

    async def _directed(self, step: str) -> None:
        server = self.stage.world.server
        if found := re.search(r"New user @(\S+):", step):
            await server.newcomer(found[1])
            await self.stage.chat.shows(found[1], by=self.stage.bot, within=30)
        elif found := re.search(r"public room “(.+)” with the address #([^:]+):", step):
            public = {"preset": "public_chat", "visibility": "public", "name": found[1]}
            with contextlib.suppress(Refused):  # it is there since the case before
                await self.stage["eve"].create_room(room_alias_name=found[2], **public)
        elif "posts the file" in step:
            eve = self.stage["eve"]
            mxc = await eve.upload(b"not really a picture", "shot.png", "image/png")
            self.case = _with_file(self.case, mxc)
            picture = {"msgtype": "m.image", "body": "shot.png", "url": mxc}
            await eve.send(self.place, picture)
        await self.stage.settle()

    async def sends(self, who: str, kind: str, content: Any, late: float = 0.0) -> None:
        """And waits for the answer, if one is due."""
        here = len(self.stage.said())
        await super().sends(who, kind, content, late)
        if self.case.means != "chat":
            await self._answered_since(here)

    async def _answered_since(self, here: int) -> None:
        """Some look-ups take their time on a busy server."""
        for _ in range(10):
            if any(said.sender == self.stage.bot for said in self.stage.said()[here:]):
                return
            await self.stage.settle()

    def numbered(self, content: Any) -> Any:
        """With the number that the first request of this case has here."""
        return json.loads(_numbered(json.dumps(content, ensure_ascii=False), self.first))

    def seen(self) -> Seen:
        seen, server = super().seen(), self.stage.world.server.name
        seen = evolve(seen, ran=tuple(line.replace(server, "example.org") for line in seen.ran))
        own = play.is_own(self.case.what)
        shown = [s for s in seen.messages if s.text[:1] in "📋✅🔔❗"]
        if self.case.means == "run" and own and shown and not seen.ran:
            return evolve(seen, ran=(self.case.what,))
        return seen


def _with_file(case: Case, mxc: str) -> Case:
    """The file of the scene has an id of its own here; its server is written as in the corpus."""
    here = re.sub(r"^mxc://[^/]+", "mxc://example.org", mxc)
    return evolve(case, what=re.sub(r"mxc://\S+", here, case.what))


def _numbered(text: str, first: int) -> str:
    return _NUMBER.sub(lambda found: str(first + int(found[0]) - 1), text)


def chosen(word: str) -> list[Case]:
    found = [case for name in play.files() for case in play.cases(name)]
    found = [c for c in found if c.source == "review" and word in c.id and c.by != "hal"]
    found = [c for c in found if not any(getattr(c, field) for field in _NOT_HERE)]
    return [c for c in found if "silent" not in str(play.scene(c)) and "hal" not in play.who(c)]


class Lab:
    def __init__(self, world: World, chat: Chat) -> None:
        self.people = People(world, chat)
        self.world = world

    async def opens(self) -> None:
        """The owners ask for the long lists once."""
        for command in ("!users", "!rooms"):
            event = await self.world["ana"].say(self.world.ops_room, command)
            question = await self.people.chat.answer_to(event)
            await self.world["ana"].react(self.world.ops_room, question.id, "✅")
            await self.people.settle()

    async def one(self, case: Case, names: Names) -> str:
        """What was wrong; "" if nothing."""
        steps = names.of(play.scene(case)["steps"])
        for each in ("words", "without", "content"):
            case = evolve(case, **{each: names.of(getattr(case, each))})
        case = evolve(case, what=names.meant(case.what))
        room = LabRoom(self.people, case)
        await room.begin(steps)
        number = room.first if room._before["requests"].get(room.first) else 1
        if number > 1:
            body = _numbered(json.dumps(case.content, ensure_ascii=False), number)
            room.case = evolve(room.case, content=json.loads(body), words=tuple(
                _numbered(f" {word}", number).strip() for word in case.words),
                what=_numbered(f" {room.case.what}", number).strip())  # fmt: skip
        wrong = await play.missed(room, room.case)
        await self._tidy(room)
        return wrong

    async def _tidy(self, room: LabRoom) -> None:
        """Nothing is open behind it."""
        for row in room._rows("FROM sluice_request"):
            if row["state"] == "pending":
                await self.world["ana"].say(room.place, f"!cancel {row['id']}")
        for name in ("bo", "cy", "ana", "dan"):
            for question in room.questions(name):
                await self.world[name].react(room.place, question.id, "❌")
        await self.people.settle()


def _there(case: Case, names: Names) -> list[str]:
    """The accounts that are there before it: those of its scene that anybody speaks of."""
    steps = play.scene(case)["steps"]
    spoken = [step for step in steps if not str(step).startswith("(")]
    names.of([spoken, case.content, case.words])
    used = set(names.used)
    there = re.findall(r"there are ([^)]*)\)", str(steps))
    wanted = [f"{names.mark}{name}" for name in ", ".join(there).split(", ")]
    news = str(names.of(steps))
    return [n for n in wanted if n in used and f"New user @{n}:" not in news]


async def played(world: World, folder: Path, word: str) -> tuple[list[str], int]:
    """(what was missed, how many there were)."""
    cases = chosen(word)
    server = world.server
    every = [Names(n, server.name) for n in range(len(cases))]
    for case, names in zip(cases, every, strict=True):
        for name in _there(case, names):
            await server.account(name)
    text = LEAN.replace("max: 5, every", "max: 5000, every").replace(
        "max: 10, every", "max: 999, every"
    )
    text = re.sub(r" +- {id: nights.*\n", "", text)
    admin = await Chat.from_the_start(server.ana, world.ops_room)
    await world.start_bot(folder / "bot", world.policy(text))
    await admin.shows("is ready", within=30)
    lab, wrong = Lab(world, admin), []
    await lab.opens()
    for case, names in zip(cases, every, strict=True):
        try:
            why = await lab.one(case, names)
        except (IndexError, AssertionError) as error:
            why = f"cannot be played: {error!r:.300}"
        print("." if not why else f"\n{case.id} ({case.given}): {why}", end="", flush=True)
        wrong += [case.id] if why else []
    return wrong, len(cases)


async def main(word: str) -> int:
    with tempfile.TemporaryDirectory(prefix="sluice-field-") as folder:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(60)) as http:
            server = homeserver(Path(folder) / "homeserver", http)
            await server.start()
            try:
                world = await World.create(server)
                wrong, count = await played(world, Path(folder), word)
                await world.end()
            finally:
                await server.stop()
    print(f"\n{count - len(wrong)} of {count}")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "")))
