"""Takes what stands in line through the admin room, one line at a time, to its end.

A turn: the guard and its INTENT in one commit, the line, its fate, what it means (a look where an
answer proves nothing or none came), the password into private hands, then outcome, end and result
message in one commit. After a restart, or an error in the middle, the same path is entered where
the line stopped: a line is out until it has an outcome, and nothing else is sent meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from logging import Logger
from typing import Union

from attrs import evolve

from .. import audit
from ..admin.room import REPLACED, AdminRoom, Answer
from ..admin.sending import NotSent, Sending, Sent, Unclear
from ..chat import alarms
from ..db import meta
from ..db.connection import Database, StorageFailed, Tx
from ..families.answers import interpret
from ..families.dialects import Unspellable, lines, spell
from ..matrix import written
from ..matrix.api import MatrixError
from ..model.command import Dialect, Kind, Line, Outcome
from ..model.request import LineRow, LineState, Request, State
from ..requests import guard, store
from ..requests.desk import Changed, Desks, only_looks, only_reads
from ..requests.finish import closed, settled
from ..requests.guard import Go, Stop, Turn, Wait
from ..state import Live, Rooms
from .outcome import Endings, LineEnd, Look

_IDLE = 1.0  # seconds between looks at the line while something is in the way
_RETRIES = 3  # times a line is sent anew after the server said no to it
_LONGEST = 60.0  # seconds that a server's wish to wait is followed
_JUST_NOW = 1.0  # seconds in which nobody takes back what needs no vote
_SILENT, _NOT_SENT, _DEVICE = "silent", "not_sent", "device"
_OUT = (LineState.SENDING, LineState.SENT, LineState.ANSWERED)
PASSES = (MatrixError, StorageFailed, Changed)  # what raised it is tried again
_AFTER_RESTART = NotSent("it did not arrive before the restart")


class Runner:
    def __init__(
        self,
        live: Live,
        rooms: Rooms,
        desk: Desks,
        db: Database,
        room: AdminRoom,
        sending: Sending,
        endings: Endings,
        device: str,
        line: asyncio.Event,
        heard: Callable[[str], Awaitable[bool]],
        log: Logger,
    ) -> None:
        """line: the bell that something may stand in line now, or may go on. heard: whether all
        that stands in a room is known."""
        self._live, self._rooms, self._desk = live, rooms, desk
        self._db, self._room, self._sending = db, room, sending
        self._endings, self._device, self._log = endings, device, log
        self._line, self._heard = line, heard
        self._tries: dict[Turn, int] = {}
        self._looks: dict[int, dict[int, Look]] = {}  # of the requests that run
        self._unheard: dict[str, float] = {}  # room -> when not all was known that stands in it

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._line.clear()
            try:
                moved = await self._next()
            except PASSES:
                raise
            except Exception as error:
                if not await self._stumbled(type(error).__name__):
                    raise
                self._log.error("An error of mine on the way of a line", exc_info=error)
                moved = True
            if not moved:
                try:
                    await asyncio.wait_for(self._line.wait(), _IDLE)
                except asyncio.TimeoutError:
                    pass

    async def _stumbled(self, error: str) -> bool:
        """A line that is out ends as unknown, so that what stands behind it can run. False: none
        is."""
        out, _ = await self._db.read(self._find)
        if out is None:
            return False
        await self._db.write(lambda tx: self._end_badly(tx, error, *out))
        return True

    async def _end_badly(self, tx: Tx, error: str, request: Request, row: LineRow) -> None:
        await audit.append(tx, self._live.now(), "error", {"event": "relay", "error": error})
        turn, desk = Turn(row.request, row.number), self._desk(tx, request.room)
        self._room.forget(_ref(turn))
        await guard.line_settled(desk, turn, Outcome(Kind.UNKNOWN, "lost"))
        await self._endings.in_case(tx, request)
        reads = only_looks(request.invocation)
        said = alarms.relay_error(desk.here, error, request.id, request.text, reads=reads)
        await settled(desk, request.id, said)

    # --- one turn

    async def _next(self) -> bool:
        """One line, from where it stands to its end. False: nothing can go on now."""
        while not self._room.late.empty():
            await self._tell(Turn(*self._room.late.get_nowait()))
        out, turn = await self._db.read(self._find)
        if out is not None:
            async with self._room.state.turn:
                await self._follow(*out)
            return True
        return turn is not None and await self._take(turn)

    async def _find(self, tx: Tx) -> tuple[tuple[Request, LineRow] | None, Turn | None]:
        """The line that is out, or else the next one to send."""
        desk = self._desk(tx)
        for request, rows in await guard.executing(desk):
            for row in rows:
                if row.state in _OUT:
                    return (request, row), None
        now = asyncio.get_running_loop().time()
        unheard = {room for room, at in self._unheard.items() if now - at < _IDLE}
        return None, await guard.next_turn(desk, unheard)

    async def _take(self, turn: Turn) -> bool:
        request = await self._db.read(lambda tx: store.get(tx, turn.request))
        assert request is not None
        waited = self._live.now() - request.created > _JUST_NOW
        aside = request.room in self._rooms.aside  # then all that can be is that it is stopped
        asks = request.slots or request.glass or waited
        if not aside and asks and not await self._heard(request.room):
            self._unheard[request.room] = asyncio.get_running_loop().time()
            return True  # those of other rooms go on
        async with self._room.state.turn:
            try:
                verdict, body, txn = await self._begin(request, turn)
            except PASSES:
                raise
            except Exception as error:
                self._log.error("#%d cannot begin", request.id, exc_info=error)
                await self._cannot_begin(request, type(error).__name__)
                return True
            if isinstance(verdict, Go) and not body:
                await self._settle(turn, Outcome(Kind.FAILED, _NOT_SENT))
            elif isinstance(verdict, Go):
                fate = self._room.expect(_ref(turn))
                sent = await self._sending.line(_ref(turn), body, txn)
                await self._was_sent(verdict.request, LineRow(*_row(turn)), sent, fate)
        if isinstance(verdict, Stop) and not verdict.ended:
            await self._stop(request)
        return isinstance(verdict, (Go, Stop))

    async def _begin(self, request: Request, turn: Turn) -> tuple[Union[Go, Wait, Stop], str, str]:
        """The guard's verdict, the line (empty if it cannot be spelled), its transaction id."""
        dialect, server = self._spelling()
        try:
            if self._room.health.dialect is None and not only_reads(request.invocation):
                raise Unspellable("nobody knows this version")
            planned = lines(request.invocation, dialect, server)
            body = spell(dialect, server, planned[turn.number - 1])
        except Unspellable as error:  # the server's version has changed since it was asked
            self._log.error("#%d is not sent: %s", request.id, error)
            planned, body = (Line(()),) * turn.number, ""
        txn = self._sending.txn("line", request.event_id, turn.number)
        intent = {"txn": txn, "device": self._device, "policy": self._live.in_force.fingerprint}

        async def begin(tx: Tx) -> Union[Go, Wait, Stop]:
            await meta.put(tx, "device", self._device)
            desk = self._desk(tx, request.room)
            verdict = await guard.begin(desk, turn, planned, intent)
            if isinstance(verdict, Go):
                await written.note(tx, txn, self._room.room, desk.now)
            return verdict

        return await self._db.write(begin), body, txn

    async def _cannot_begin(self, request: Request, error: str) -> None:
        """A mistake of ours before the line was sent: its request ends, with the error, and what
        stands behind it goes on."""

        async def give_up(tx: Tx, *, tell: bool) -> Request | None:
            desk = self._desk(tx, request.room)
            record = {"event": "relay", "error": error, "request": request.id}
            await audit.append(tx, desk.now, "error", record)
            after = await guard.broken(desk, request.id, error)
            if after is not None:
                said = alarms.cannot_begin(desk.here, error, request.id, request.text)
                await desk.outbox.put(tx, request.room, f"request.{request.id}.broken", said)
                if tell and after.state is State.CANCELLED:
                    await closed(desk, after)
            return after

        try:
            after = await self._db.write(lambda tx: give_up(tx, tell=True))
        except PASSES:
            raise
        except Exception as broken:  # what is wrong with it may be wrong with its card too
            self._log.error("#%d cannot be told", request.id, exc_info=broken)
            after = await self._db.write(lambda tx: give_up(tx, tell=False))
        if after is not None and after.state is State.EXECUTING:
            await self._stop(after)

    async def _stop(self, request: Request) -> None:
        """Nothing more of it is sent: it ends with what was done."""
        try:
            await self._end_if_over(request.id, stopped=True)
        except PASSES:
            raise
        except Exception as error:
            name = type(error).__name__
            self._log.error("#%d ends without its result", request.id, exc_info=error)

            async def block(tx: Tx) -> None:
                desk = self._desk(tx, request.room)
                said = alarms.cannot_begin(desk.here, name, request.id, request.text)
                await settled(desk, request.id, said)

            await self._db.write(block)

    async def _follow(self, request: Request, row: LineRow) -> None:
        """A line that is out already: before a restart, or before something went wrong."""
        ref = _ref(turn := Turn(row.request, row.number))
        fate = self._room.expect(ref)
        if (now := await self._row(turn)) is not None and now.state is LineState.ANSWERED:
            self._room.forget(ref)
            await self._conclude(request, now)
            return
        sent: Sent = row.event_id or ""
        if row.state is LineState.SENDING:
            sent = await self._sending.find(ref, _AFTER_RESTART, in_flight=True)
            if sent is _AFTER_RESTART and not await self._db.read(self._same_device):
                sent = Unclear(_DEVICE)  # its txn id would not protect it from a second run
            elif isinstance(sent, NotSent):
                self._room.forget(ref)
                await self._db.write(lambda tx: guard.line_not_sent(self._desk(tx), turn))
                return
        await self._was_sent(request, row, sent, fate)

    async def _same_device(self, tx: Tx) -> bool:
        return await meta.get(tx, "device") == self._device

    async def _was_sent(
        self, request: Request, row: LineRow, sent: Sent, fate: asyncio.Future[Answer | None]
    ) -> None:
        """Goes on with what is known of the sending."""
        turn = Turn(row.request, row.number)
        if not isinstance(sent, str):
            self._room.forget(_ref(turn))
        if isinstance(sent, NotSent):
            await self._again(turn, sent)
            return
        if isinstance(sent, Unclear):
            await self._unknown(request, row, sent.why)
            return
        answer = await fate
        if answer is None:
            await self._unknown(request, row, _SILENT)
            return
        if answer.why == REPLACED and not await self._room.fences.echo():
            await self._unknown(request, row, _SILENT)  # it may be in the queue still
            return
        lost = None if not answer.why else Outcome(Kind.UNKNOWN, answer.why)
        await self._conclude(request, evolve(row, answer_event=answer.event, outcome=lost))

    async def _again(self, turn: Turn, sent: NotSent) -> None:
        """The server said no: tried again with the whole guard, or given up."""
        tries = self._tries[turn] = self._tries.get(turn, 0) + 1
        if not sent.again or (tries > _RETRIES and not sent.retry_after):
            self._log.error("#%d: the line was not sent: %s", turn.request, sent.cause)
            await self._settle(turn, Outcome(Kind.FAILED, _NOT_SENT))
            return
        await self._db.write(lambda tx: guard.line_not_sent(self._desk(tx), turn))
        await asyncio.sleep(min(sent.retry_after or 0.2 * 4**tries, _LONGEST))

    # --- what became of it

    async def _conclude(self, request: Request, row: LineRow) -> None:
        """From the answer (or its absence) to the outcome of the line."""
        look = await self._look(request, row)
        await self._settle(Turn(row.request, row.number), look.outcome, look.scrub)

    async def _unknown(self, request: Request, row: LineRow, why: str) -> None:
        """Neither answered nor lost. While the other side is silent it may still run: no look."""
        outcome = Outcome(Kind.UNKNOWN, why)
        if why == _SILENT:
            await self._settle(Turn(row.request, row.number), outcome)
        else:
            await self._conclude(request, evolve(row, outcome=outcome))

    async def _read(self, request: Request, row: LineRow) -> LineEnd:
        """What the answer of a line means, with what it was read from."""
        line = lines(request.invocation, *self._spelling())[row.number - 1]
        content = await self._room.content_of(row.answer_event) if row.answer_event else None
        asked, outcome = self._room.oracle.asked(spell(*self._spelling(), line)), row.outcome
        if outcome is None and content is not None and asked is not None:
            outcome = interpret(asked, content)
        outcome = outcome or Outcome(Kind.UNKNOWN, "lost")
        return LineEnd(request, line, outcome, row, content, asked)

    async def _look(self, request: Request, row: LineRow) -> Look:
        end = await self._read(request, row)
        if end.outcome.code in ("usage", "lost"):
            self._room.fences.want()  # another version may be behind it
        look = await self._endings.look(end)
        self._looks.setdefault(request.id, {})[row.number] = look
        return look

    async def _tell(self, turn: Turn) -> None:
        """An answer, or its loss, after nobody waited for it any more."""
        request = await self._db.read(lambda tx: store.get(tx, turn.request))
        row = await self._row(turn)
        if request is None or row is None or row.state is not LineState.SETTLED:
            return  # it is out, and followed
        if row.outcome is None or row.outcome.kind is not Kind.UNKNOWN:
            return
        row = evolve(row, outcome=None)
        if request.state is not State.UNKNOWN:
            outcome = (await self._read(request, row)).outcome
            if outcome.kind is not Kind.UNKNOWN:
                await self._db.write(
                    lambda tx: self._endings.too_late(tx, request, outcome, row.answer_event)
                )
            return
        look = await self._look(request, row)
        if look.outcome.kind is not Kind.UNKNOWN:
            await self._settle(turn, look.outcome, look.scrub)
        self._looks.pop(request.id, None)

    async def _row(self, turn: Turn) -> LineRow | None:
        rows = await self._db.read(lambda tx: store.lines(tx, turn.request))
        return next((row for row in rows if row.number == turn.number), None)

    def _spelling(self) -> tuple[Dialect, str]:
        return self._room.state.dialect, self._live.server

    async def _settle(self, turn: Turn, outcome: Outcome, scrub: str | None = None) -> None:
        """Stores the outcome; with the last line the request ends in the same transaction."""
        self._tries.pop(turn, None)

        async def block(tx: Tx) -> None:
            desk = self._desk(tx)
            if await guard.line_settled(desk, turn, outcome):
                if scrub is not None:
                    await self._endings.scrub(tx, scrub)
                await self._end(tx, turn.request, stopped=outcome.kind is Kind.UNKNOWN)

        await self._db.write(block)

    async def _end_if_over(self, number: int, *, stopped: bool = False) -> None:
        await self._db.write(lambda tx: self._end(tx, number, stopped=stopped))

    async def _end(self, tx: Tx, number: int, *, stopped: bool) -> None:
        """Ends the request if no line is left, or none will be sent any more."""
        request = await store.get(tx, number)
        if request is None or request.state not in (State.EXECUTING, State.UNKNOWN):
            return
        rows = await store.lines(tx, number)
        over = all(row.state is LineState.SETTLED for row in rows)
        if not rows or not (over or stopped or request.state is State.UNKNOWN):
            return
        looks = self._looks.pop(number, {})
        message = await self._endings.message(tx, request, rows, looks)
        await settled(self._desk(tx, request.room), number, message)


def _ref(turn: Turn) -> str:
    return f"{turn.request}.{turn.number}"


def _row(turn: Turn) -> tuple[int, int, LineState]:
    return turn.request, turn.number, LineState.SENT
