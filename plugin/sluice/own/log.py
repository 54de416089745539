"""`log`: what happened, by person, by request, by kind, and as a file. Reading it is logged."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timezone
from functools import partial

from attrs import evolve

from .. import audit
from ..audit import Record
from ..catalog.table import COMMANDS
from ..chat import answers
from ..chat.answers import Row
from ..chat.ended import after_state
from ..db.connection import Tx
from ..matrix.api import Homeserver, MatrixError
from ..matrix.files import File, Files
from ..matrix.model import Handled
from ..model.command import Kind, Tag
from ..model.request import LineRow, Request, State
from ..policy.people import mxids_of
from ..requests import history, store, voting
from ..requests.desk import Desk
from ..requests.submit import Ask
from ..state import ServerState
from ..text.message import Message, Sign, Text, Topic, code, quote
from ..text.pages import Pages, following
from ..text.phrases import codes, count, person, say, view
from ..typed.parse import users
from .call import Call, person_meant

_MOST = 100  # entries of one list; all of them are in the file
_IN_A_ROW = 20  # names on one line of a list
_ALONE = (
    "policy",
    "policy refused",
    "pause",
    "resume",
    "start",
    "gap",
    "foreign",
    "restored",
    "error",
    "rejected more",
    "erased",
    "named account made",
)
"""Records that belong to no request, and that everybody's log shows."""
_LOOKS = ("lookup", "log read")
_WORDS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("reload", "policy"), ("policy", "policy refused")),
    **dict.fromkeys(("pause", "resume"), ("pause", "resume", "foreign")),
    **dict.fromkeys(("glass", "review"), ("break-glass", "review")),
    **dict.fromkeys(("vote", "votes"), ("vote", "vote rejected", "vote withdrawn")),
    **dict.fromkeys(("start", "restart"), ("start", "gap", "restored")),
    **dict.fromkeys(("lookup", "lookups", "who"), ("lookup",)),
    **dict.fromkeys(("read", "reads", "log"), ("log read",)),
    **dict.fromkeys(("rejected", "denied"), ("rejected", "rejected more")),
    **dict.fromkeys(("error", "errors"), ("error",)),
    **dict.fromkeys(("erased", "held"), ("erased", "held", "released")),
    "trust": ("trust",),
}
_SAID: Mapping[str, str] = {
    "policy": "new policy",
    "policy refused": "policy not taken",
    "start": "Sluice started",
    "gap": "a time was not read",
    "foreign": "somebody else used my account",
    "restored": "my database was restored",
    "error": "an error of mine",
    "lookup": "looked up",
    "log read": "read the log",
    "rejected": "not allowed",
    "rejected more": "more was not allowed",
    "vote rejected": "vote that does not count",
    "vote withdrawn": "vote taken back",
    "erased": "words that were erased",
    "held": "held for words that were erased",
}
# What `log 12` tells besides votes and lines.
_TOLD = ("review", "trust", "cancelled", "held", "released")


class Log:
    def __init__(self, homeserver: Homeserver, files: Files, conduit: ServerState) -> None:
        self._hs, self._files, self._conduit = homeserver, files, conduit

    async def take(self, call: Call) -> Handled | None:
        words = call.text("filter").split()
        word = " ".join(each for each in words if each.lower() != "all")
        full = len(word.split()) < len(words)
        number, kind = word.removeprefix("#"), word.lower()
        if number.isdecimal() and number.isascii() and len(number) < 10:
            allowed = await call.allowed()
            answer = await self._conduits_words(call, int(number)) if allowed else None
            return call.answer(partial(_one, number=int(number), answer=answer))
        if kind == "export":
            return await self._export(call)
        if kind in _WORDS:
            return call.answer(partial(_of_kinds, kinds=_WORDS[kind]))
        if not word:
            return call.answer(partial(_newest, word=None, full=full))
        if word.startswith("@") or word in call.live.in_force.policy.people:
            return call.answer(partial(_newest, word=word, full=full))
        return call.say(_unknown(call, word))

    async def _conduits_words(self, call: Call, number: int) -> str | None:
        """Its answer; never one that may hold a password or somebody's message, or was not
        understood."""
        request = await call.db.read(lambda tx: store.get(tx, number))
        command = COMMANDS[request.invocation.command] if request is not None else None
        if command is None or Tag.SECRET in command.tags or command.reads_messages:
            return None
        lines = await call.db.read(lambda tx: store.lines(tx, number))
        last = next((row for row in reversed(lines) if row.answer_event), None)
        if last is None or last.outcome is None or last.answer_event is None:
            return None
        if last.outcome.kind is Kind.UNKNOWN or last.outcome.code == "unrecognised":
            return None
        try:
            event = await self._hs.event(self._conduit.room, last.answer_event)
        except MatrixError:
            return None
        body = event.content.get("body") if event is not None else None
        return body if isinstance(body, str) and body.strip() else None

    async def _export(self, call: Call) -> Handled:
        if not await call.allowed():
            return call.say(None)
        now = datetime.fromtimestamp(call.live.now(), timezone.utc)
        name = f"sluice-log-{now:%Y-%m-%d-%H%M}.jsonl"
        data, entries, erased = await call.db.read(_whole)
        try:
            file = await self._files.upload(call.origin.room, data, name, "application/x-ndjson")
        except MatrixError:
            size = f"{len(data) / 1e6:.1f} MB"
            failed = f"Failed: the server did not take the log as a file ({size})."
            check = ("On the server: ", code("venv/bin/python sluice.mbp audit verify DB"))
            return call.say(say(Sign.FAILED, failed, check))
        which = "that name events of the admin room, or were erased"
        without = f"Without the text of {count(erased, 'entry', 'entries')} {which}."
        caption = view(
            f"My log, {count(entries, 'entry', 'entries')}, one a line.",
            *([without] if erased else []),
            ("To check it: ", code(f"venv/bin/python sluice.mbp audit verify {name}")),
        )
        return call.answer(partial(_exported, file=file, caption=caption))


async def _exported(call: Call, desk: Desk, ask: Ask, file: File, caption: Message) -> None:
    await _read(desk, ask, "export")
    await call.put(desk.tx, caption, file)


async def _read(desk: Desk, ask: Ask, what: str) -> None:
    await desk.record("log read", None, mxid=ask.mxid, room=ask.room, about=what)


# --- lists


async def _newest(call: Call, desk: Desk, ask: Ask, word: str | None, full: bool) -> Message:
    """What happened, or what somebody did. full: also what only looked."""
    who = person_meant(desk.policy, word) if word is not None else None
    mxids = mxids_of(desk.policy, who) if who is not None else None
    kinds = (*_ALONE, *_LOOKS) if full else _ALONE
    asked = await history.requests(desk.tx, _MOST, mxids, lookups=full)
    votes = await history.votes_by(desk.tx, mxids, _MOST) if mxids is not None else []
    names = (None,) if mxids is None else (who, *mxids)
    records = await _records(desk.tx, names, kinds)
    rows = [answers.request_row(desk.here, request) for request in asked]
    rows += [_record_row(desk, record) for record in records]
    rows += [Row(v.at, (*answers.step_voted(v), f" #{v.request}")) for v in votes]
    is_all = max(len(asked), len(votes), len(records)) < _MOST
    hidden = partial(_hidden, desk.tx, mxids, names) if not full else None
    return await _list(call, desk, ask, who, rows, is_all, hidden)


async def _of_kinds(call: Call, desk: Desk, ask: Ask, kinds: Sequence[str]) -> Message:
    records = await audit.page(desk.tx, kinds=kinds, limit=_MOST)
    rows = [_record_row(desk, record) for record in records]
    return await _list(call, desk, ask, None, rows, len(records) < _MOST)


async def _list(
    call: Call,
    desk: Desk,
    ask: Ask,
    who: str | None,
    found: Sequence[Row],
    is_all: bool,
    hidden: Callable[[float], Awaitable[int]] | None = None,
) -> Message:
    """The newest of them first. hidden: how many lookups since then are left out."""
    rows = sorted(found, key=lambda row: -row.at)
    pages = answers.log_pages(desk.here, who, rows[:_MOST])
    left = following(pages)
    since = rows[left.start - 1].at if left is not None else 0.0
    if left is not None and not (is_all and len(rows) <= _MOST):
        left = evolve(left, tail="The older ones stand in the file (log export).")
    call.keep(desk, left)
    message = answers.log(desk.here, pages, await hidden(since) if hidden is not None else 0)
    await _read(desk, ask, str(ask.invocation.get("filter") or "what changed"))
    return message


async def _hidden(
    tx: Tx, mxids: Sequence[str] | None, names: Sequence[str | None], since: float
) -> int:
    n = await history.lookups(tx, since, answers.MANY, mxids)
    return n + sum(record.ts >= since for record in await _records(tx, names, _LOOKS))


async def _records(tx: Tx, names: Sequence[str | None], kinds: Sequence[str]) -> list[Record]:
    """What is no request: by a name of the policy or an account; by everybody for None."""
    found: list[Record] = []
    for name in dict.fromkeys(names):
        found += await audit.page(tx, person=name, kinds=kinds, limit=_MOST)
    return found


# --- one request


async def _one(
    call: Call, desk: Desk, ask: Ask, number: int, answer: str | None
) -> Message | None:
    request = await voting.known(desk, number, ask.room, ask.event_id)
    if request is None:
        return None
    await _read(desk, ask, f"#{number}")
    lines = await store.lines(desk.tx, number)
    steps = await _steps(desk, request, lines)
    message = answers.log_one(desk.here, request, steps, answer)
    message = evolve(message, about=Topic((number,)))
    pages = _names(call, desk, request, lines)
    call.keep(desk, pages)
    if pages is None:
        return message
    total = sum(row.size for row in lines)
    hint: Text = (f"All {total} names: ", desk.here.cmd("more"))
    return evolve(message, lines=(*message.lines, hint))


def _names(call: Call, desk: Desk, request: Request, lines: Sequence[LineRow]) -> Pages | None:
    """The values of a list with what became of each; None of a request with one."""
    if len(users(request.invocation)) < 2 and len(lines) < 2:
        return None
    planned = desk.planned(request.invocation) if lines else ()
    if not planned:
        return None
    ends: dict[str, list[str]] = {}
    for line, row in zip(planned, lines, strict=False):
        word = "not sent" if row.outcome is None else row.outcome.kind.value
        ends.setdefault(word, []).extend(line.items)
    rows = [
        (f"{word}: ", *codes(map(desk.here.local, items[at : at + _IN_A_ROW])))
        for word, items in ends.items()
        for at in range(0, len(items), _IN_A_ROW)
    ]
    return Pages((f"#{request.id}, what became of each:",), tuple(rows), 8)


async def _whole(tx: Tx) -> tuple[bytes, int, int]:
    """The file, how many entries it has, and how many of them without their text."""
    lines = [line async for line in audit.export_jsonl(tx)]
    return "".join(lines).encode(), len(lines), sum('"record":null' in line for line in lines)


def _record_row(desk: Desk, record: Record) -> Row:
    what = record.what
    mxid = what.get("voter") or what.get("by") or what.get("mxid")
    who = desk.name(mxid) if isinstance(mxid, str) and mxid.startswith("@") else record.person
    told = {
        "request": record.request,
        "reason": what.get("reason") or what.get("change") or what.get("error"),
        "cause": what.get("cause"),
    }
    kind = _SAID.get(record.kind, record.kind)
    if record.kind == "vote" and what.get("side") == "deny":
        kind = "vote against"
    told["about"] = what.get("about") or what.get("trusted")
    return answers.record_row(desk.here, record.ts, kind, who, told)


async def _steps(desk: Desk, request: Request, lines: Sequence[LineRow]) -> list[Row]:
    """The life of a request, in order."""
    who = request.person
    rows = [Row(request.created, answers.step_asked(who, request.invocation.reason))]
    votes = await store.votes(desk.tx, request.id)
    each = {(v.mxid, v.side, v.cause, v.withdrawn): v for v in reversed(votes)}  # repeats: once
    rows += [Row(v.at, answers.step_voted(v)) for v in each.values()]
    sent = [row for row in lines if row.sent_at is not None]
    if len(sent) == 1:
        (only,) = sent
        took = (only.answered_at or 0) - (only.sent_at or 0) if only.answer_event else None
        rows.append(Row(only.sent_at or 0, answers.step_sent(took)))
    elif sent:
        answered = sum(row.answer_event is not None for row in sent)
        words = f"sent in {len(sent)} of {count(len(lines), 'line')}, {answered} answered"
        rows.append(Row(sent[0].sent_at or 0, (words,)))
    records = await audit.page(desk.tx, request=request.id, kinds=_TOLD, limit=5)
    rows += [Row(each.ts, _told(desk, each)) for each in records]
    if request.ended is not None and request.note and request.state is not State.REJECTED:
        ended = (answers.state_word(request.state), *after_state(request.note))
        rows.append(Row(request.ended, ended))
    return sorted(rows, key=lambda row: row.at)


def _told(desk: Desk, record: Record) -> Text:
    """`dan reviewed it, in order`."""
    by = person(desk.name(str(record.what.get("by") or "?")))
    if record.kind == "review":
        why = str(record.what.get("reason") or "")
        said: Text = (": ", quote(why)) if why else ()
        return (by, f" reviewed it, {record.what.get('verdict')}", *said)
    if record.kind == "trust":
        return (by, " trusts ", code(str(record.what.get("trusted"))), " again")
    if record.kind == "held":
        voter = person(desk.name(str(record.what.get("voter") or "?")))
        return ("held: words of ", voter, " were erased before they were read")
    return (by, " released it" if record.kind == "released" else " cancelled the rest")


def _unknown(call: Call, word: str) -> Message:
    cmd = call.rooms.here(call.origin.room).cmd
    return view(
        ("There is no log of ", quote(word, 40), "."),
        ("A person: ", cmd("log @bo"), " · one request: ", cmd("log 12")),
        ("With all lookups: ", cmd("log all"), " · ", cmd("log @bo all")),
        ("By kind: ", cmd("log reload"), " · ", cmd("log pause"), " · ", cmd("log votes")),
        ("Everything as a file: ", cmd("log export")),
    )
