"""The book: docs/conversations.md, in which people's lines are played and the bot's are written.

A scene is a fenced block ```scene. What a person does in it, and what happens (in brackets), is
played on a `Stage`; every other line of the block is what the bot said, written anew each time.
So a scene is added by writing down what people do, and a changed text is a changed line of the
book, which a test compares.

    bo: !adduser alice                          typed in the ops room (more lines: indented)
    bo to sluice: hello                         typed in the private chat with the bot
    bo replies to “Which name”: alice           to the newest message with these words
    bo edits “!adduser”: !adduser bob           of one's own
    cy taps ✅ on “asks:”
    bo removes “!deactivate”
    cy removes ✅ on “Approve?”
    bo in the second room: !help                where the policy has another ops room
    (5 minutes pass)                            see DIRECTIONS, and MISHAPS in mishaps.py
"""

from __future__ import annotations

import hashlib
import logging
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from lab.chat import Said
from lab.double import texts
from lab.double.backend import File
from tests.fake.homeserver import Fault

from .mishaps import MISHAPS, crowd, lines
from .stage import ADMIN, CAST, OPS, POLICY, SECOND, SERVER, Stage, on_stage

BOOK = Path(__file__).parents[2] / "docs" / "conversations.md"
_SCENE = re.compile(r"^```scene\n(.*?)^```$", re.M | re.S)
_NAMES = "|".join(CAST)
_INPUT = re.compile(
    rf"(?P<who>{_NAMES}) ?(?:(?P<verb>to sluice|to conduit|in the second room|replies to"
    r"|edits|removes|taps)"
    r"(?: (?P<key>\S+) on)?(?: “(?P<what>[^”]*)”)?)?(?:: ?(?P<text>.*))?",
    re.S,
)
_PASSWORD = re.compile(r"\b[a-z0-9]{4}(?:-[a-z0-9]{4}){4}\b")
_HASH = re.compile(r"\b([0-9a-f]{4})[0-9a-f]{60}\b")
_EVENT = re.compile(r"\$[A-Za-z0-9_-]{20,}")
_MORE = "        "  # what a further line of the bot begins with


class Wrong(Exception):
    """A line of the book that cannot be played."""


@frozen
class Step:
    """What a person does, or a direction; with the lines that it takes in the book."""

    text: str
    is_direction: bool = False

    def lines(self) -> list[str]:
        first, *more = self.text.splitlines()
        return [first, *(_MORE + line for line in more)]


def read_scene(block: str) -> list[Step]:
    """The steps of a scene; what the bot said is left out."""
    steps: list[Step] = []
    open_step = False
    for line in block.splitlines():
        if line.startswith(_MORE):
            if open_step:
                steps[-1] = Step(f"{steps[-1].text}\n{line[len(_MORE) :]}")
            continue
        is_direction = line.startswith("(")
        open_step = bool(re.match(rf"({_NAMES})\b", line))
        if is_direction or open_step:
            steps.append(Step(line, is_direction))
        elif not line.startswith("sluice"):
            raise Wrong(line)
    return steps


# --- what happens


@define
class Play:
    """One scene being played. shown: how much of each room is in the book already."""

    stage: Stage
    lines: list[str] = field(factory=list)
    shown: dict[str, int] = field(factory=dict)

    async def step(self, step: Step) -> None:
        self.lines += step.lines()
        before = len(self.lines)
        if step.is_direction:
            await self._direct(step.text)
        else:
            await self._act(step.text)
        self.lines += self._news()
        if len(self.lines) == before and not step.is_direction:
            self.lines.append("sluice: (nothing)")

    async def _direct(self, text: str) -> None:
        for pattern, run in DIRECTIONS.items():
            if found := re.fullmatch(pattern, text.strip("()"), re.S):
                await run(self, *found.groups())
                return
        for pattern, happen in MISHAPS.items():
            if found := re.fullmatch(pattern, text.strip("()"), re.S):
                await happen(self.stage, *found.groups(""))
                return
        raise Wrong(text)

    async def _act(self, text: str) -> None:
        found = _INPUT.fullmatch(text)
        if found is None:
            raise Wrong(text)
        who, verb, key, what, said = found.group("who", "verb", "key", "what", "text")
        person, room = self.stage[who], OPS
        if verb == "to conduit":
            await person.say(ADMIN, said)
        elif verb == "to sluice":
            await person.say(self.private(who), said)
        elif verb == "in the second room":
            await person.say(SECOND, said)
        elif verb is None:
            await person.say(OPS, said)
        else:
            room, about = self._about(what)
            if verb == "taps":
                await person.react(room, about.id, key)
            elif verb == "removes":
                await person.redact(room, self._tap(person.mxid, about, key) if key else about.id)
            elif verb == "edits":
                await person.edit(room, about.id, said)
            else:
                await person.reply(room, about.id, said)
        await self.stage.settle()

    def private(self, who: str) -> str:
        """The private room of the bot with this person, who joins it."""
        mxid = self.stage[who].mxid
        for room in reversed(list(self.stage.home.rooms.values())):
            if room.id not in (OPS, ADMIN, SECOND) and room.membership(mxid) in ("join", "invite"):
                return room.id
        raise Wrong(f"{who} has no private room")

    def _about(self, words: str) -> tuple[str, Said]:
        """The newest message that is these words, or holds them; not in the admin room."""
        rooms = (room for room in self.stage.home.rooms if room != ADMIN)
        found = [
            (said.text == words, said.raw["origin_server_ts"], room, said)
            for room in rooms
            for said in self.stage.said(room)
            if words in said.text and not said.edits
        ]
        if not found:
            raise Wrong(f"nobody said “{words}”")
        *_, room, said = max(found, key=lambda each: each[:2])
        return room, said

    def _tap(self, mxid: str, about: Said, key: str) -> str:
        """The newest tap of somebody on a message."""
        every = [s for room in self.stage.home.rooms for s in self.stage.said(room)]
        return [s.id for s in every if s.sender == mxid and s.reaction == (about.id, key)][-1]

    # --- what the bot said

    def skip(self) -> None:
        """What was said until now is not in the book."""
        self._news()

    def _news(self) -> list[str]:
        new: list[tuple[int, str, Said]] = []
        for room, place in self.stage.home.rooms.items():
            if room != ADMIN:
                begin = self.shown.get(room, 0)
                first = self.stage.home.first
                new += [(at, room, Said(first[e["event_id"]])) for at, e in place.events[begin:]]
                self.shown[room] = len(place.events)
        # Rooms are sent to side by side, so which of two is first is chance.
        new.sort(key=lambda each: (each[1] == OPS, each[1], each[0]))
        mine = (each for each in new if each[2].sender == self.stage.bot)
        return list(self._shown(mine))

    def _shown(self, news: Iterator[tuple[int, str, Said]]) -> Iterator[str]:
        taps: list[str] = []
        for _, room, said in news:
            if said.kind == "m.reaction":
                taps.append(said.reaction[1])
                continue
            if taps:
                yield f"sluice taps {' '.join(taps)}"
                taps = []
            if said.kind == "m.room.message":
                yield from self._message(room, said)
        if taps:
            yield f"sluice taps {' '.join(taps)}"

    def _message(self, room: str, said: Said) -> Iterator[str]:
        where = "" if room == OPS else f" to {self._with(room)}"
        where = " in the second room" if room == SECOND else where
        edits = " edits" if said.edits else ""
        first, *more = _masked(said.text).splitlines()
        push = sorted(mxid[1:].partition(":")[0] for mxid in said.mentions)
        pushed = f"   [push: {', '.join(push)}]" if push else ""
        yield f"sluice{where}{edits}: {first}{pushed}"
        yield from (_MORE + line for line in more)

    def _with(self, room: str) -> str:
        place = self.stage.home.rooms[room]
        return next((n for n in CAST if place.membership(self.stage[n].mxid) != "leave"), "?")


def _masked(text: str) -> str:
    """Without what differs from one installation to the next."""
    text = _PASSWORD.sub("xxxx-xxxx-xxxx-xxxx-xxxx", text)
    return _EVENT.sub("$…", _HASH.sub(r"\1…", text))


# --- directions


async def _pass(play: Play, amount: str, unit: str) -> None:
    await play.stage.settle(float(amount) * {"second": 1, "minute": 60, "hour": 3600}[unit])


async def _starts(play: Play) -> None:
    await play.stage.start()


async def _restarts(play: Play) -> None:
    await play.stage.stop()
    await play.stage.start()


async def _stops(play: Play) -> None:
    await play.stage.stop()


async def _joins(play: Play, who: str) -> None:
    await play.stage[who].join(play.private(who))
    await play.stage.settle()


async def _policy(play: Play, old: str, new: str) -> None:
    old = lines(old)
    if old not in play.stage.policy:
        raise Wrong(f"the policy does not say {old!r}")
    play.stage.policy = play.stage.policy.replace(old, lines(new))


async def _untested(play: Play) -> None:
    """So that a scene may change anything in it."""
    before, _, rest = play.stage.policy.partition("  # Checked whenever this text is saved")
    play.stage.policy = before + rest[rest.index("\n# How long") :]


async def _voteless(play: Play) -> None:
    """Only for a reason; so that a scene may be about something else."""
    await _untested(play)
    text = play.stage.policy.replace("max: 5, every: 1h", "max: 50, every: 1h")
    text = text.replace(
        "reason: true, expires: 1h, approvals: [{from: mod, n: 1}]", "reason: true"
    )
    play.stage.policy = re.sub(r" +- {id: bulk.*\n", "", text)


async def _saved(play: Play, who: str, old: str, new: str) -> None:
    await _policy(play, old, new)
    play.stage.save()
    await play.stage.says(who, "!reload")


async def _silent(play: Play) -> None:
    play.stage.conduit.set(hold=True)


async def _speaks(play: Play) -> None:
    play.stage.conduit.set(hold=False)
    await play.stage.settle()


async def _power(play: Play, who: str, level: str, where: str) -> None:
    mxid = play.stage.bot if who == "sluice" else play.stage[who].mxid
    play.stage.power(mxid, int(level), ADMIN if where == "admin" else OPS)
    await play.stage.settle()


async def _leaves(play: Play, who: str) -> None:
    await play.stage[who].leave(OPS)
    await play.stage.settle()


async def _conduit_is(play: Play, version: str) -> None:
    play.stage.conduit.set(version=version)
    play.stage.home.version = version


async def _exists(play: Play, names: str) -> None:
    for name in names.split(", "):
        play.stage.home.person(name)


async def _deactivated(play: Play, name: str) -> None:
    play.stage.home.accounts[f"@{name}:{SERVER}"].deactivated = True


async def _notice(play: Play, text: str) -> None:
    play.stage.conduit.post({"msgtype": "m.notice", "body": lines(text)})
    await play.stage.settle()


async def _instead(play: Play, text: str) -> None:
    play.stage.conduit.set(instead=[texts.plain(lines(text))])


async def _posts(
    play: Play, who: str, name: str, caption: str | None = None, below: str | None = None
) -> None:
    """caption: what is written to it. below: words of the message that it answers."""
    person, backend = play.stage[who], play.stage.conduit.backend
    mxc = f"mxc://{SERVER}/{name.partition('.')[0]}"
    data, now = b"not really a picture", time.time()
    digest = hashlib.sha256(data).hexdigest()
    play.stage.home.media[mxc.removeprefix("mxc://")] = data
    kind = "image/png"
    backend.uploads[mxc] = File(mxc, person.mxid, name, kind, len(data), now, now, digest, data)
    content: dict[str, Any] = {"msgtype": "m.image", "body": name, "url": mxc}
    if caption is not None:
        content |= {"body": caption, "filename": name}
    if below is not None:
        answered = {"event_id": play._about(below)[1].id}
        content["m.relates_to"] = {"m.in_reply_to": answered}
    info = {"mimetype": kind, "size": len(data)}
    await person.send(OPS, {**content, "info": info})
    await play.stage.settle()


async def _room(play: Play, name: str, alias: str) -> None:
    home, owner = play.stage.home, play.stage["eve"].mxid
    room = f"!{alias[1:].partition(':')[0]}:{SERVER}"
    play.stage.make_room(room, owner)
    home.put(room, owner, "m.room.join_rules", {"join_rule": "public"}, "")
    home.put(room, owner, "m.room.name", {"name": name}, "")
    home.aliases[alias] = room


async def _away(play: Play, minutes: str) -> None:
    """Nobody reaches the homeserver; people cannot type either."""
    home, app = play.stage.home, play.stage.app
    assert app is not None
    home.faults.append(Fault("", None, times=1_000_000))
    app.connection_lost()
    await play.stage.settle(60 * int(minutes))
    home.faults.clear()
    app.doorbell({"rooms": {"join": {room: {} for room in home.rooms}}})
    await play.stage.settle(30)


async def _restored(play: Play) -> None:
    """Of the ops room the server knows only what was said before the last three messages."""
    home, app = play.stage.home, play.stage.app
    assert app is not None
    play.shown[OPS] = len(home.rooms[OPS].events) - 3
    home.restore(OPS, play.shown[OPS])
    app.connection_lost()
    await play.stage.settle(30)


async def _address(play: Play, state: str) -> None:
    aliases = play.stage.home.aliases
    if state == "gone":
        aliases.pop(f"#admins:{SERVER}")
    else:
        aliases[f"#admins:{SERVER}"] = ADMIN
    await play.stage.settle()


async def _becomes(play: Play, what: str) -> None:
    kind, content = {
        "public": ("m.room.join_rules", {"join_rule": "public"}),
        "encrypted": ("m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"}),
        "upgraded": ("m.room.tombstone", {"body": "moved", "replacement_room": f"!new:{SERVER}"}),
    }[what]
    play.stage.home.put(OPS, play.stage["ana"].mxid, kind, content, "")
    await play.stage.settle()


async def _emergency(play: Play, state: str) -> None:
    play.stage.conduit.set(emergency=state == "set")
    if state == "set":
        play.stage.conduit.post(texts.EMERGENCY)
    elif play.stage.app is not None:
        await play.stage.conduit.restart()
        play.stage.app.connection_lost()
    await play.stage.settle(90)


async def _many(play: Play, who: str, line: str, times: str) -> None:
    """What the bot says to it is not in the book."""
    for _ in range(int(times)):
        await play.stage.says(who, line)
    play.skip()


async def _crowd(play: Play, count: str) -> None:
    for number in range(int(count)):
        play.stage.home.person(f"account{number:04}")


async def _stranger_inside(play: Play) -> None:
    play.stage.home.put(
        ADMIN,
        "@kim:evil.example",
        "m.room.member",
        {"membership": "join"},
        "@kim:evil.example",
    )
    await play.stage.settle()


async def _drops(play: Play) -> None:
    play.stage.conduit.set(dropped=1)


async def _people(play: Play, count: str, text: str) -> None:
    """What the bot says to it is not in the book."""
    await crowd(play.stage, count, text)
    play.skip()


DIRECTIONS: dict[str, Callable[..., Awaitable[None]]] = {
    r"(\d+) (second|minute|hour)s? pass(?:es)?": _pass,
    r"Sluice starts(?: again)?": _starts,
    r"Sluice restarts": _restarts,
    r"Sluice stops": _stops,
    rf"({_NAMES}) accepts the invitation": _joins,
    r"in the policy: (.*) → (.*)": _policy,
    r"the policy has no tests": _untested,
    r"the policy asks for no votes": _voteless,
    rf"({_NAMES}) saves the policy with: (.*) → (.*)": _saved,
    r"Conduit falls silent": _silent,
    r"Conduit answers again": _speaks,
    rf"({_NAMES}|sluice) has power (-?\d+) in the (admin|ops) room": _power,
    rf"({_NAMES}) leaves the ops room": _leaves,
    r"Conduit is (\S+)": _conduit_is,
    r"@(\w+) is deactivated": _deactivated,
    r"Conduit says: (.*)": _notice,
    r"Conduit's next answer is: (.*)": _instead,
    r"Conduit loses the next command": _drops,
    r"the homeserver is away for (\d+) minutes": _away,
    r"the server is restored from a backup": _restored,
    r"the address of the admin room is (gone|back)": _address,
    r"the ops room becomes (public|encrypted|upgraded)": _becomes,
    r"Conduit's emergency password is (set|taken out)": _emergency,
    rf"({_NAMES}) types (.*) (\d+) times": _many,
    r"there are (\d+) accounts": _crowd,
    r"(\d+) people type: (.*)": _people,
    r"@kim:evil.example is in the admin room": _stranger_inside,
    r"there are (\D.*)": _exists,
    rf"({_NAMES}) posts the file “([^”]*)”(?: with “([^”]*)”)?(?: below “(.*)”)?": _posts,
    r"there is the public room “(.*)” with the address (\S+)": _room,
}


async def _played(stage: Stage, steps: list[Step]) -> list[str]:
    play = Play(stage)
    begin = next((n for n, step in enumerate(steps) if step.text == "(Sluice starts)"), None)
    if begin is None:
        for count, step in enumerate(steps):
            if not step.is_direction or not re.match(
                r"\(((in )?the policy|there (is|are)|Conduit is|@\S+ is|sluice has)", step.text
            ):
                break
            begin = count + 1
        for step in steps[: begin or 0]:
            play.lines += step.lines()
            await play._direct(step.text)
        await stage.start()
        steps = steps[begin or 0 :]
    play.skip()
    for step in steps:
        try:
            await play.step(step)
        except Wrong as wrong:
            raise Wrong("\n".join([str(wrong), *play.lines])) from None
    return play.lines


def written(block: str) -> str:
    """The block with what the bot says today. Raises Wrong."""
    steps = read_scene(block)
    lines = on_stage(lambda stage: _played(stage, steps), policy=POLICY)
    return "".join(f"{line}\n" for line in lines)


def _heading(text: str, at: int) -> str:
    """The heading above a place in the book."""
    headings = re.findall(r"^#+ (.*)$", text[:at], re.M)
    return headings[-1] if headings else ""


def scenes(text: str) -> list[tuple[str, str]]:
    """(heading, block) of every scene."""
    return [(_heading(text, match.start()), match[1]) for match in _SCENE.finditer(text)]


def rewritten(text: str, about: str = "") -> str:
    """The book as the bot speaks today. about: only scenes with these words in their heading."""

    def anew(match: re.Match[str]) -> str:
        if about.lower() not in _heading(text, match.start()).lower():
            return match[0]
        return f"```scene\n{written(match[1])}```"

    return _SCENE.sub(anew, text)


def main(about: str = "") -> int:
    """Plays the scenes and writes the book. Exit 1 if a line cannot be played."""
    logging.disable()  # the scenes are full of errors that are meant to be there
    try:
        BOOK.write_text(rewritten(BOOK.read_text(encoding="utf-8"), about), encoding="utf-8")
    except Wrong as wrong:
        print(f"cannot be played: {wrong}")
        return 1
    return 0
