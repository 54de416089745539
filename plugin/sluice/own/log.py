"""`log`: what happened, by person, by request, by kind, and as a file. Reading it is logged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Protocol

from attrs import evolve

from .. import audit
from ..audit import Record
from ..catalog.table import COMMANDS
from ..chat import answers
from ..chat.answers import Row
from ..chat.ended import after_state
from ..db.connection import Database, Tx
from ..matrix.api import MatrixError
from ..matrix.files import Files
from ..matrix.model import Handled
from ..model.command import Kind, Tag
from ..model.request import LineRow, Request, State
from ..policy.people import mxids_of
from ..requests import history, store, voting
from ..requests.desk import Desk
from ..requests.submit import Ask
from ..running.views import Lists
from ..state import World
from ..text.message import Message, Sign, Text, code, quote
from ..text.pages import Pages
from ..text.phrases import codes, count, person, say, view
from ..typed.parse import users
from .call import Asking, person_meant

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


class Reads(Protocol):
    """What of the admin room the log may show (`AdminRoom`)."""

    async def content_of(self, event_id: str) -> Mapping[str, Any] | None: ...


class Log:
    def __init__(self, world: World, db: Database, lists: Lists, files: Files) -> None:
        self._world, self._db, self._lists, self._files = world, db, lists, files

    async def take(self, a: Asking) -> Handled | None:
        word = a.text("filter")
        number = word.removeprefix("#")
        if number.isdecimal() and number.isascii() and len(number) < 10:
            return await self._one(a, int(number))
        if word.lower() == "export":
            return await self._export(a)
        if word.lower() in _WORDS:
            return self._kinds(a, word.lower())
        if word.startswith("@") or word in self._world.live.policy.people:
            return self._of_person(a, word)
        if word:
            return a.say(_unknown(a, word))
        return self._everything(a)

    async def _read(self, desk: Desk, ask: Ask, what: str) -> None:
        await desk.record("log read", None, mxid=ask.mxid, room=ask.room, about=what)

    # --- lists

    def _everything(self, a: Asking) -> Handled:
        async def build(desk: Desk, ask: Ask) -> Message:
            found = await history.requests(desk.tx, _MOST)
            records, more = await audit.page(desk.tx, kinds=_ALONE, limit=_MOST)
            return await self._list(desk, ask, None, found, records, found.total + more)

        return a.answer(build)

    def _of_person(self, a: Asking, word: str) -> Handled:
        async def build(desk: Desk, ask: Ask) -> Message:
            who = person_meant(desk.policy, word)
            mxids = mxids_of(desk.policy, who)
            found = await history.requests_by(desk.tx, mxids, _MOST)
            votes, total = await history.votes_by(desk.tx, mxids, _MOST)
            records, more = await _records_of(desk.tx, (who, *mxids))
            rows = [_vote_row(vote.at, vote.request, answers.step_voted(vote)) for vote in votes]
            total += found.total + more
            return await self._list(desk, ask, who, found, records, total, rows)

        return a.answer(build)

    def _kinds(self, a: Asking, word: str) -> Handled:
        async def build(desk: Desk, ask: Ask) -> Message:
            records, total = await audit.page(desk.tx, kinds=_WORDS[word], limit=_MOST)
            none = history.Found((), 0)
            return await self._list(desk, ask, None, none, records, total)

        return a.answer(build)

    async def _list(
        self,
        desk: Desk,
        ask: Ask,
        who: str | None,
        found: history.Found,
        records: Sequence[Record],
        total: int,
        besides: Sequence[Row] = (),
    ) -> Message:
        rows = [answers.request_row(request, request.approved) for request in found.requests]
        rows += [_record_row(desk, record) for record in records]
        rows = sorted((*rows, *besides), key=lambda row: -row.at)[:_MOST]
        message, left = answers.log(desk.here, who, rows, total)
        if left is not None and total > len(rows):
            left = evolve(left, tail="The older ones stand in the file (log export).")
        self._lists.after(desk.tx, ask.room, ask.mxid, left, desk.now)
        await self._read(desk, ask, str(ask.invocation.get("filter") or "all"))
        return message

    # --- one request

    async def _one(self, a: Asking, number: int) -> Handled | None:
        answer = await self._answer(number) if await a.allowed(self._db) else None

        async def build(desk: Desk, ask: Ask) -> Message | None:
            request = await voting.known(desk, number, ask.room, ask.event_id)
            if request is None:
                return None
            await self._read(desk, ask, f"#{number}")
            lines = await store.lines(desk.tx, number)
            steps = await _steps(desk, request, lines)
            message = answers.log_one(desk.here, request, steps, answer)
            pages = self._names(desk, request, lines)
            self._lists.after(desk.tx, ask.room, ask.mxid, pages, desk.now)
            if pages is None:
                return message
            total = sum(row.size for row in lines)
            hint: Text = (f"All {total} names: ", desk.here.cmd("more"))
            return evolve(message, lines=(*message.lines, hint))

        return a.answer(build)

    async def _answer(self, number: int) -> str | None:
        """Conduit's words for it; never what may hold a password or somebody's message, or was
        not understood."""
        request = await self._db.read(lambda tx: store.get(tx, number))
        command = COMMANDS[request.invocation.command] if request is not None else None
        if command is None or Tag.SECRET in command.tags or command.reads_messages:
            return None
        lines = await self._db.read(lambda tx: store.lines(tx, number))
        last = next((row for row in reversed(lines) if row.answer_event), None)
        room: Reads | None = self._world.admin
        if last is None or last.outcome is None or last.answer_event is None or room is None:
            return None
        if last.outcome.kind is Kind.UNKNOWN or last.outcome.code == "unrecognised":
            return None
        content = await room.content_of(last.answer_event)
        body = content.get("body") if content is not None else None
        return body if isinstance(body, str) and body.strip() else None

    def _names(self, desk: Desk, request: Request, lines: Sequence[LineRow]) -> Pages | None:
        """The values of a list with what became of each; None of a request with one."""
        if len(users(request.invocation)) < 2 and len(lines) < 2:
            return None
        planned = self._world.planned(request.invocation) if lines else ()
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

    # --- the file

    async def _export(self, a: Asking) -> Handled | None:
        if not await a.allowed(self._db):
            return a.refuse()
        now = datetime.fromtimestamp(self._world.now(), timezone.utc)
        name, where = f"sluice-log-{now:%Y-%m-%d-%H%M}.jsonl", a.where
        data, entries, erased = await self._db.read(_whole)
        try:
            file = await self._files.upload(where.room, data, name, "application/x-ndjson")
        except MatrixError:
            size = f"{len(data) / 1e6:.1f} MB"
            return a.say(
                say(
                    Sign.FAILED,
                    f"Failed: the server did not take the log as a file ({size}).",
                    ("On the server: ", code("python -m sluice audit verify DB")),
                )
            )

        async def build(desk: Desk, ask: Ask) -> None:
            await self._read(desk, ask, "export")
            which = "that name events of the admin room, or were erased"
            without = f"Without the text of {count(erased, 'entry', 'entries')} {which}."
            message = view(
                f"My log, {count(entries, 'entry', 'entries')}, one a line.",
                *([without] if erased else []),
                ("To check it: ", code(f"python -m sluice audit verify {name}")),
            )
            await self._world.outbox.put(
                desk.tx,
                ask.room,
                f"reply.{ask.event_id}",
                message,
                reply_to=ask.command,
                file=file,
            )

        return a.answer(build)


async def _whole(tx: Tx) -> tuple[bytes, int, int]:
    """The file, how many entries it has, and how many of them without their text."""
    lines = [line async for line in audit.export_jsonl(tx)]
    return "".join(lines).encode(), len(lines), sum('"record":null' in line for line in lines)


async def _records_of(tx: Tx, names: Sequence[str]) -> tuple[list[Record], int]:
    """What somebody did that is no request of theirs: under the name, or under an account."""
    kinds = (*_ALONE, "lookup", "log read")
    records: list[Record] = []
    total = 0
    for name in dict.fromkeys(names):
        found, n = await audit.page(tx, person=name, kinds=kinds, limit=_MOST)
        records += found
        total += n
    return records, total


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
    row = answers.record_row(record.ts, kind, who, told)
    about = what.get("about") or what.get("trusted")
    return evolve(row, words=(*row.words, ": ", code(str(about)[:80]))) if about else row


def _vote_row(at: float, request: int, words: Text) -> Row:
    return Row(at, (f"#{request} ", *words))


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
    records, _ = await audit.page(desk.tx, request=request.id, kinds=_TOLD, limit=5)
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


def _unknown(a: Asking, word: str) -> Message:
    cmd = a.world.here(a.where.room).cmd
    return view(
        ("There is no log of ", quote(word, 40), "."),
        ("A person: ", cmd("log @bo"), " · one request: ", cmd("log 12")),
        ("By kind: ", cmd("log reload"), " · ", cmd("log pause"), " · ", cmd("log votes")),
        ("Everything as a file: ", cmd("log export")),
    )
