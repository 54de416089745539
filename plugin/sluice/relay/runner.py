"""Takes what stands in line through the admin room, one line at a time, to its end.

A turn: the guard and its INTENT in one commit, the line, its fate, what it means (a probe where an
answer proves nothing or none came), the password into private hands, then outcome, end and result
message in one commit. After a restart the same path is entered where the line stopped.
"""

from __future__ import annotations

import asyncio
from logging import Logger

from ..catalog.answers import interpret
from ..catalog.dialects import Unspellable, lines, spell
from ..catalog.model import Dialect, Kind, Line, Outcome
from ..db import meta
from ..db.connection import Database, StorageFailed, Tx
from ..matrix.api import MatrixError
from ..requests import guard, store
from ..requests.desk import Changed
from ..requests.ending import end
from ..requests.guard import Go, Stop, Turn
from ..requests.model import LineRow, LineState, Request, State
from ..world import World
from .ending import Endings, Look
from .room import AdminRoom, Answer, NotSent

_IDLE = 1.0  # seconds between looks at the line while something is in the way
_RETRIES = 3  # times a line is sent anew after the server said no to it
_SILENT, _NOT_SENT = "silent", "not_sent"


class Runner:
    def __init__(
        self,
        world: World,
        db: Database,
        room: AdminRoom,
        endings: Endings,
        device: str,
        log: Logger,
    ) -> None:
        self._world, self._db, self._room = world, db, room
        self._endings, self._device, self._log = endings, device, log
        self._wake = asyncio.Event()
        self._late: asyncio.Queue[tuple[int, int]] = asyncio.Queue()
        self._tries: dict[Turn, int] = {}
        self._looks: dict[int, dict[int, Look]] = {}  # of the requests that run

    def wake(self) -> None:
        """Something may stand in line now, or may go on."""
        self._wake.set()

    def late(self, ref: str) -> None:
        """A line that nobody waits for any more has its answer after all."""
        request, _, number = ref.partition(".")
        if number:
            self._late.put_nowait((int(request), int(number)))
            self._wake.set()

    async def run(self) -> None:
        """Until cancelled; storage and network are tried again."""
        while True:
            self._wake.clear()
            try:
                moved = await self._next()
            except (MatrixError, StorageFailed, Changed) as error:
                self._log.warning("The relay waits: %s", error)
                moved = False
            if not moved:
                try:
                    await asyncio.wait_for(self._wake.wait(), _IDLE)
                except asyncio.TimeoutError:
                    pass

    async def settle(self) -> None:
        """After a restart: what was out is brought to its end, before anything else is sent.

        A line without trace in the room did not arrive: the fence that just echoed was sent after
        it. On another device its txn id would not protect it, so nothing is said to be known then.
        """
        for request, rows in await self._db.read(lambda tx: guard.executing(self._world.desk(tx))):
            for row in rows:
                turn = Turn(request.id, row.number)
                if row.state is LineState.SENDING and not self._room.arrived(_ref(turn)):
                    await self._not_there(turn)
                elif row.state in (LineState.SENDING, LineState.SENT):
                    await self._await_fate(turn, self._room.expect(_ref(turn)))
                elif row.state is LineState.ANSWERED:
                    await self._conclude(turn)
            await self._end_if_over(request.id)

    async def _not_there(self, turn: Turn) -> None:
        async def block(tx: Tx) -> bool:
            desk = self._world.desk(tx)
            if await meta.get(tx, "device") == self._device:
                return await guard.line_not_sent(desk, turn)
            return await guard.line_settled(desk, turn, Outcome(Kind.UNKNOWN, "lost"))

        await self._db.write(block)

    # --- one turn

    async def _next(self) -> bool:
        while not self._late.empty():
            await self._conclude(Turn(*self._late.get_nowait()))
        turn = await self._db.read(lambda tx: guard.next_turn(self._world.desk(tx)))
        return turn is not None and await self._take(turn)

    async def _take(self, turn: Turn) -> bool:
        """One line, from the guard to its end. False: not now."""
        request = await self._db.read(lambda tx: store.get(tx, turn.request))
        assert request is not None
        dialect = self._room.health.dialect or Dialect.V0_10
        server = self._world.server
        try:
            planned = lines(request.invocation, dialect, server)
            body = spell(dialect, server, planned[turn.number - 1])
        except Unspellable as error:  # the server's version has changed since it was asked
            self._log.error("#%d is not sent: %s", request.id, error)
            planned, body = (Line(()),) * turn.number, ""
        txn = self._room.txn("line", request.event_id, turn.number)
        async with self._room.turn:
            intent = {"txn": txn, "device": self._device, "policy": self._world.live.digest}

            async def begin(tx: Tx) -> object:
                await meta.put(tx, "device", self._device)
                return await guard.begin(self._world.desk(tx, request.room), turn, planned, intent)

            verdict = await self._db.write(begin)
            if isinstance(verdict, Go):
                if not body:
                    await self._settle(turn, Outcome(Kind.FAILED, _NOT_SENT))
                else:
                    await self._send(turn, body, txn)
        if isinstance(verdict, Stop):
            if not verdict.ended:
                await self._end_if_over(request.id, stopped=True)
            return True
        return isinstance(verdict, Go)

    async def _send(self, turn: Turn, body: str, txn: str) -> None:
        fate = self._room.expect(_ref(turn))
        sent = await self._room.send(_ref(turn), body, txn)
        if not isinstance(sent, NotSent):
            await self._await_fate(turn, fate)
            return
        tries = self._tries[turn] = self._tries.get(turn, 0) + 1
        if tries > _RETRIES and not sent.retry_after:
            self._log.error("#%d: the line was not sent: %s", turn.request, sent.cause)
            await self._settle(turn, Outcome(Kind.FAILED, _NOT_SENT))
            return
        await self._db.write(lambda tx: guard.line_not_sent(self._world.desk(tx), turn))
        await asyncio.sleep(sent.retry_after or 0.2 * 4**tries)

    async def _await_fate(self, turn: Turn, fate: asyncio.Future[Answer | None]) -> None:
        row = await self._row(turn)
        if row is not None and row.state is LineState.ANSWERED:
            await self._conclude(turn)
        elif await fate is None:
            await self._settle(turn, Outcome(Kind.UNKNOWN, _SILENT))
        else:
            await self._conclude(turn)

    async def _row(self, turn: Turn) -> LineRow | None:
        rows = await self._db.read(lambda tx: store.lines(tx, turn.request))
        return next((row for row in rows if row.number == turn.number), None)

    # --- what became of it

    async def _conclude(self, turn: Turn) -> None:
        """From the answer (or its absence) to the outcome of the line."""
        row = await self._row(turn)
        request = await self._db.read(lambda tx: store.get(tx, turn.request))
        if row is None or request is None:
            return
        line = self._line(request, turn)
        outcome = row.outcome if row.state is LineState.ANSWERED else None
        content = await self._room.content_of(row.answer_event) if row.answer_event else None
        asked = self._room.oracle.asked(spell(*self._spelling(), line))
        if outcome is None and content is not None and asked is not None:
            outcome = interpret(asked, content)
        outcome = outcome or Outcome(Kind.UNKNOWN, "lost")
        look = await self._endings.look(request, line, outcome, row, content, asked)
        self._looks.setdefault(request.id, {})[turn.number] = look
        await self._settle(turn, look.outcome)

    def _spelling(self) -> tuple[Dialect, str]:
        return self._room.health.dialect or Dialect.V0_10, self._world.server

    def _line(self, request: Request, turn: Turn) -> Line:
        return lines(request.invocation, *self._spelling())[turn.number - 1]

    async def _settle(self, turn: Turn, outcome: Outcome) -> None:
        """Stores the outcome; with the last line the request ends in the same transaction."""
        self._tries.pop(turn, None)

        async def block(tx: Tx) -> None:
            desk = self._world.desk(tx)
            if await guard.line_settled(desk, turn, outcome):
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
        if not rows or not (over or stopped):
            return
        looks = self._looks.pop(number, {})
        message = await self._endings.message(tx, request, rows, looks)
        await end(self._world.desk(tx, request.room), number, message)


def _ref(turn: Turn) -> str:
    return f"{turn.request}.{turn.number}"
