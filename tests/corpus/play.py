"""The corpus: what people send, and what it must mean. It is read from the YAML files here and
played through a room: one event in, what the room shows out.

How a file is read stands in scenes.yaml.
"""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

from attrs import evolve, field, frozen
from ruamel.yaml import YAML

from lab.chat import Said
from sluice import reload, settings
from sluice.catalog.table import find
from sluice.model.command import Invocation
from sluice.own.table import Own
from sluice.typed.parse import canonical
from tests.stage.book import Play, Step
from tests.stage.stage import OPS, POLICY, Stage, on_stage

HERE = Path(__file__).parent
MEANS = ("run", "asked", "answered", "chat")
BRISK = 0.5  # seconds
SHARED = 20  # cases that leave nothing behind, one after the other in one room
READS = [
    "status",
    "help",
    "version",
    "pending",
    "who",
    "users",
    "rooms",
    "registration",
    "mediainfo",
    "config",
    "log",
]
VOTES = ("approve", "deny", "cancel")  # these are seen by what becomes of the request
_PLACE = re.compile(r"\$(said|card|question|list|result|news|file|ready|last)(\d*)\b")
OURS = re.compile(r"@([^\s:]+):example\.org")
_SIGNS = {"card": "✋", "question": "❓", "list": "📋", "result": "✅⛔❌", "news": "🔔❗"}
LEAN = (  # the example without its tests and the board; lists are read without a question
    re.sub(r"^ *#.*\n", "", POLICY.partition("  # Checked whenever")[0], flags=re.M)
    + "relay: {attacker_sized: allow}\nboard: false\n"
)


@frozen
class Case:
    """One message. what: the invocation, the vote, or what became of a request; words: what the
    answer must hold; not: what it must not."""

    id: str
    means: str
    content: Mapping[str, Any]
    source: str = "own"
    by: str = "bo"
    given: str = "nothing"
    kind: str = "m.room.message"
    what: str = ""
    words: tuple[str, ...] = field(default=(), converter=tuple)
    without: tuple[str, ...] = field(default=(), converter=tuple)
    policy: str = ""  # "old → new", of the example
    late: float = 0.0  # seconds that it is old
    holds: bool = False  # the next yes does not make it run
    there: bool = False  # the answer stands in its thread
    before: tuple[Mapping[str, Any], ...] = ()  # events that come after the scene
    file: str = ""


@lru_cache
def rows(name: str) -> Any:
    return YAML(typ="safe").load((HERE / name).read_text(encoding="utf-8"))


def cases(name: str) -> list[Case]:
    """Those of one file. `text` stands for the content of a plain message."""
    made: dict[str, Case] = {}
    for row in rows(name):
        case = _case(row, name)
        number = next(n for n in range(1, 99) if _numbered(case.id, n) not in made)
        case = evolve(case, id=_numbered(case.id, number))
        made[case.id] = case
    return list(made.values())


def _case(row: Mapping[str, Any], name: str) -> Case:
    plain = {"msgtype": "m.text", "body": row.get("text")}
    content = row.get("content", plain)
    more = {key: value for key, value in row.items() if key not in ("content", "text")}
    shown = str(content.get("body") or _key(content))
    where = " ".join(str(more[key]) for key in ("given", "by", "policy") if key in more)
    client, related = source_of(more.get("source", "")), _related(content)
    more["id"] = f"{name.removesuffix('.yaml')}: {client}{shown!r:.60}{related} {where}".strip()
    return Case(content=content, file=name, **more)


def _key(content: Mapping[str, Any]) -> str:
    relation = content.get("m.relates_to")
    return str(relation.get("key", content) if isinstance(relation, dict) else content)


def _numbered(name: str, number: int) -> str:
    return f"{name} ({number})" if number > 1 else name


def _related(content: Mapping[str, Any]) -> str:
    """How it names another event, short enough for a name."""
    relation = content.get("m.relates_to")
    if not isinstance(relation, dict):
        return ""
    kind, reply = relation.get("rel_type", ""), relation.get("m.in_reply_to")
    target = reply if isinstance(reply, dict) and kind != "m.replace" else relation
    return f" {str(kind).removeprefix('m.') or 're'} {target.get('event_id')}"


def source_of(source: str) -> str:
    """The client that writes so, short enough for a name."""
    return "" if source in ("", "own", "review") else f"{source.partition(':')[0]} "


def files() -> list[str]:
    """The files of cases, without the scenes and what a stranger wrote."""
    return sorted(
        p.name for p in HERE.glob("*.yaml") if p.name not in ("scenes.yaml", "strangers.yaml")
    )


def not_yet() -> list[str]:
    """The cases that do not hold yet. The list must get shorter: what holds is taken out."""
    return (HERE / "not_yet.txt").read_text(encoding="utf-8").splitlines()


# --- what happens


_read_once = lru_cache(settings.load)
_tables: list[sqlite3.Connection] = []  # empty ones, made once


class Brisk(Stage):
    """Waits no longer than these plays need, and makes tables and settings once for all."""

    async def start(self, version: str = "1.0.0") -> None:
        if _tables:
            _tables[0].backup(self.database.inner)
        else:
            await self.database.start()
            _tables.append(sqlite3.connect(":memory:"))
            self.database.inner.backup(_tables[0])
        with patch.object(reload, "load", _read_once):
            await super().start(version)

    async def settle(self, seconds: float = BRISK) -> None:
        await super().settle(seconds)


class Spy:
    """The invocations that got as far as being carried out."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    def __enter__(self) -> Spy:
        take, ran = Own.take, self.ran

        async def taken(own: Own, origin: Any, invocation: Invocation, typed: Any) -> Any:
            does = await take(own, origin, invocation, typed)
            if invocation.command not in VOTES:
                ran.append(canonical(invocation))
            return does

        self._patch = patch.object(Own, "take", taken)
        self._patch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._patch.stop()


@frozen
class Seen:
    """What a room shows of one message."""

    ran: tuple[str, ...]
    votes: tuple[str, ...]  # "yes 1", "no 2 he is fine", "cancelled 1", "held 1"
    said: tuple[Said, ...]

    @property
    def messages(self) -> list[Said]:
        return [said for said in self.said if said.kind == "m.room.message" and not said.edits]

    @property
    def text(self) -> str:
        return "\n".join(said.text or f"[{said.reaction[1]}]" for said in self.said)


class Room:
    """One stage with what stands in it before."""

    place = OPS

    def __init__(self, stage: Stage, spy: Spy) -> None:
        self.stage, self._spy = stage, spy
        self._from, self._before = 0, {}

    def _fresh(self) -> None:
        self._from = len(self.stage.said())
        self._spy.ran.clear()
        self._before = self._standing()

    def _rows(self, query: str) -> list[Any]:
        return list(self.stage.database.inner.execute(query).fetchall())

    def _standing(self) -> dict[str, Any]:
        requests = {r["id"]: r for r in self._rows("SELECT * FROM sluice_request")}
        votes = {v["event_id"]: v for v in self._rows("SELECT * FROM sluice_vote")}
        return {"requests": requests, "votes": votes}

    async def begin(self, steps: Sequence[Any]) -> None:
        play = Play(self.stage)
        setup = [s for s in steps if isinstance(s, str) and s.startswith("(there ")]
        for step in setup:
            await play._direct(step)
        await self.stage.start()
        for step in steps[len(setup) :]:
            if isinstance(step, str):
                await play.step(Step(step, step.startswith("(")))
            else:
                await self.sends(step["by"], step.get("kind", "m.room.message"), step["content"])
        self._fresh()

    async def sends(self, who: str, kind: str, content: Any, late: float = 0.0) -> None:
        if late:
            at = int((time.time() - late) * 1000)
            mxid = self.stage[who].mxid
            self.stage.home.put(self.place, mxid, kind, self.placed(content), origin_server_ts=at)
        else:
            await self.stage[who].send(self.place, self.placed(content), kind)
        await self.stage.settle()

    async def runs_at_a_yes(self) -> bool:
        """Whether dan's vote on the card is all that it waited for."""
        await self.stage["dan"].react(self.place, self._id("card", ""), "✅")
        await self.stage.settle()
        requests = self._standing()["requests"]
        return requests[max(requests)]["state"] not in ("pending", "denied")

    def _said(self) -> list[Said]:
        """What was said, without what is no message of a client."""
        return [said for said in self.stage.said() if _is_sound(said.raw.get("content"))]

    # --- placeholders

    def placed(self, content: Any) -> Any:
        """With the ids of events in place of their names."""
        text = _PLACE.sub(lambda found: self._id(*found.groups()), json.dumps(content))
        return json.loads(text)

    def _id(self, name: str, number: str) -> str:
        texts = [s for s in self._said() if s.kind == "m.room.message" and not s.edits]
        mine = [s for s in texts if s.sender == self.stage.bot]
        if name == "said":
            found = [s for s in texts if s.sender != self.stage.bot]
        elif name == "file":
            found = [s for s in texts if s.content["msgtype"] == "m.image"]
        elif name in ("ready", "last"):
            found = mine[:1] if name == "ready" else mine
        else:
            found = [s for s in mine if s.text[:1] in _SIGNS[name] and "is ready." not in s.text]
        return found[int(number) - 1 if number else -1].id

    # --- what is seen

    def seen(self) -> Seen:
        """Since the last look."""
        now, before = self._standing(), self._before
        new = [r for n, r in now["requests"].items() if n not in before["requests"]]
        asked = [r for r in new if r["state"] != "rejected"]
        said = [s for s in self.stage.said()[self._from :] if s.sender == self.stage.bot]
        said = [s for s in said if not s.text.startswith("🔔 Log seal")]  # comes by itself
        refused = bool(said) and said[0].text.startswith("⛔ Not allowed")
        seen = Seen(
            (*(() if refused else self._spy.ran), *(_line(r) for r in asked)),
            tuple(self._changes(before, now)),
            tuple(said),
        )
        self._fresh()
        return seen

    def _changes(self, before: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
        """Only votes that count; what cancels is no vote besides."""
        for event, vote in now["votes"].items():
            earlier = before["votes"].get(event)
            side = "yes" if vote["side"] == "approve" else "no"
            if earlier is None and not vote["withdrawn"]:
                request = now["requests"][vote["request"]]
                if request["state"] != "cancelled" and not vote["cause"]:
                    yield f"{side} {vote['request']} {vote['reason']}".strip()
            elif vote["withdrawn"] and (earlier is None or not earlier["withdrawn"]):
                yield f"withdrawn {vote['request']}"
        for number, request in before["requests"].items():
            state = now["requests"][number]["state"]
            if state != request["state"] and state == "cancelled":
                yield f"cancelled {number}"

    def questions(self, who: str) -> list[Said]:
        """What the bot asked somebody in the last minutes and did not take back."""
        texts = {s.id: s for s in self._said() if s.kind == "m.room.message"}
        asked = [s for s in texts.values() if s.sender == self.stage.bot and s.text[:1] == "❓"]
        mine = self.stage[who].mxid
        return [s for s in asked if (to := texts.get(s.reply_to)) and to.sender == mine]

    def number_of(self, relation: str) -> str:
        """The request that an event of ours is about, which is named in a relation."""
        cards = [s for s in self._said() if s.sender == self.stage.bot and s.id in relation]
        found = re.search(r"#(\d+)", cards[0].text) if cards and cards[0].text else None
        return found[1] if found else ""

    def question(self, seen: Seen) -> Said | None:
        return next((s for s in reversed(seen.said) if s.text.startswith("❓")), None)

    async def tap(self, who: str, question: Said, key: str = "") -> Seen:
        """A button of a question, by who was asked; the first, if none is named."""
        taps = [s.reaction[1] for s in self._said() if s.reaction[0] == question.id]
        await self.stage[who].react(self.place, question.id, key or (taps or ["✅"])[0])
        await self.stage.settle()
        return self.seen()


def _is_sound(content: Any) -> bool:
    shapes = {"m.relates_to": dict, "m.new_content": dict, "m.mentions": dict, "body": str}
    return all(isinstance(content.get(key, kind()), kind) for key, kind in shapes.items())


def _line(request: Any) -> str:
    reason = json.loads(request["invocation"]).get("reason")
    return request["text"] + (f" reason {reason}" if reason else "")


# --- whether it is what was meant


async def missed(room: Room, case: Case) -> str:
    """What is wrong with what became of it; "" if it is what it must be."""
    await room.sends(case.by, case.kind, case.content, case.late)
    seen = room.seen()
    wrong = await _JUDGES[case.means](room, case, seen)
    if case.there and any(s.relation.get("rel_type") != "m.thread" for s in seen.messages):
        wrong = wrong or "is answered outside of the thread"
    if case.holds and await room.runs_at_a_yes():
        wrong = wrong or "the next yes made it run"
    lacks = [w for w in case.words if w.lower() not in seen.text.lower()]
    told = [w for w in case.without if w.lower() in seen.text.lower()]
    if not wrong and (lacks or told):
        wrong = f"lacks {lacks}" if lacks else f"says {told}"
    return wrong and f"{wrong}\n{_shown(seen)}"


def _shown(seen: Seen) -> str:
    said = seen.text.replace("\n", " ⏎ ") or "(nothing)"
    return f"    ran {list(seen.ran)}, votes {list(seen.votes)}, said: {said}"


def _is(got: str, what: str) -> bool:
    """Accounts of our own server are written without it; * at the end is whatever is there."""
    got, what = OURS.sub(r"\1", got), OURS.sub(r"\1", what)
    return got.startswith(what[:-1]) if what.endswith("*") else got == what


def _is_past(vote: str) -> bool:
    """Whether an edit took it back."""
    return vote.startswith(("withdrawn", "cancelled"))


async def _run(room: Room, case: Case, seen: Seen) -> str:
    if len(seen.ran) != 1 or not _is(seen.ran[0], case.what):
        return f"must run {case.what!r}"
    if [vote for vote in seen.votes if not _is_past(vote)]:
        return "changed more than that"
    return "" if seen.said or case.what.startswith("pause") else "ran without a word"


async def _asked(room: Room, case: Case, seen: Seen) -> str:
    question = room.question(seen)
    if seen.ran or any(not _is_past(vote) for vote in seen.votes):
        return "must be asked, but ran"
    if question is None:
        return "must be asked"
    if not case.what:
        return ""
    then = await room.tap(case.by, question, "❌" if case.what.startswith("no ") else "")
    got = (*then.ran, *then.votes)
    good = len(got) == 1 and _is(got[0], case.what)
    return "" if good else f"must offer {case.what!r}, a tap gave {got}"


async def _answered(room: Room, case: Case, seen: Seen) -> str:
    if seen.ran:
        return "must not run"
    if not seen.said:
        return "must be answered"
    wanted = [vote for vote in seen.votes if case.what and _is(vote, case.what)]
    others = [v for v in seen.votes if v not in wanted and not _is_past(v)]
    good = len(wanted) == bool(case.what) and not others
    return "" if good else f"must be {case.what or 'no vote'!r}"


async def _chat(room: Room, case: Case, seen: Seen) -> str:
    return "is chat: must be nothing" if seen.ran or seen.votes or seen.said else ""


_JUDGES = {"run": _run, "asked": _asked, "answered": _answered, "chat": _chat}


# --- many


def scene(case: Case) -> Any:
    return rows("scenes.yaml")["scenes"][case.given]


def who(case: Case) -> list[str]:
    """All who send something in it."""
    steps = [each if isinstance(each, str) else each["by"] for each in scene(case)["steps"]]
    return [case.by, *(step.partition(":")[0].split()[0] for step in steps if step[0] != "(")]


def is_own(what: str) -> bool:
    """Whether it is answered without a request."""
    command = find(what.partition(" ")[0])
    return command is not None and command.own


def _leaves_nothing(case: Case) -> bool:
    """Whether others may come after it in the same room."""
    reads = case.means == "run" and case.what.partition(" ")[0] in READS
    return not case.before and (case.means == "chat" or (reads and "reads" in scene(case)))


def batches(found: Iterable[Case], alone: Sequence[str] = ()) -> list[list[Case]]:
    """Those that are played in one room; with everything else, each has a room of its own."""
    rooms: dict[Any, list[list[Case]]] = {}
    for case in found:
        shares = _leaves_nothing(case) and not case.late and case.id not in alone
        key = (case.given, case.policy) if shares else case.id
        made = rooms.setdefault(key, [[]])
        if len(made[-1]) == SHARED:
            made.append([])
        made[-1].append(case)
    return [batch for made in rooms.values() for batch in made]


def play(batch: Sequence[Case]) -> dict[str, str]:
    """What is wrong with each of these, in one room."""
    first = batch[0]

    async def scene_and_cases(stage: Stage) -> dict[str, str]:
        with Spy() as spy:
            room = Room(stage, spy)
            await room.begin([*scene(first)["steps"], *first.before])
            return {case.id: wrong for case in batch if (wrong := await missed(room, case))}

    old, _, new = first.policy.partition(" → ")
    assert old in LEAN, old
    return on_stage(scene_and_cases, kind=Brisk, policy=LEAN.replace(old, new) if old else LEAN)
