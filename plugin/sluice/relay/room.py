"""The admin room at run time: reads it, sends lines and fences into it, knows whether it answers.

What belongs to what is decided by `correlator`; what an answer means by the catalog; which line is
sent and when by `runner`. Here is only what touches the room: one line at a time, a fence whenever
something is in doubt, the clock of the oldest command, and the states of health.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from logging import Logger
from typing import Any

from attrs import define, field, frozen

from ..catalog.conduit import ConduitOracle
from ..catalog.dialects import fence
from ..catalog.model import Dialect, Kind, Outcome
from ..db import meta
from ..db.connection import Database, Tx
from ..matrix.api import Homeserver, MatrixError, NoResponse, RateLimited
from ..matrix.model import Handled
from ..matrix.timeline import Reader
from ..requests import store
from ..requests.model import LineState
from . import correlator
from .model import Content, Echoed, Lost, NeedFence, Notice, Seen, Settled, Who

MARK = "org.sluicebot.line"
_QUEUE = "queue"
_KEPT = 300  # contents of the server user's messages kept in memory, for held answers
_SEEN_WITHIN = 2.0  # seconds from a 200 to the event in the timeline


@frozen
class Answer:
    """What became of a line. event: its answer, None when it is lost (`why` says how)."""

    event: str | None
    why: str = ""


@frozen
class NotSent:
    """The line is not in the room and never will be. retry_after: seconds, if the server asks."""

    cause: str
    retry_after: float = 0.0


@define
class Health:
    """What is known of the other side. Times are epoch seconds; None means it is not so."""

    version: str = ""
    dialect: Dialect | None = None
    silent_since: float | None = None  # no echo came in time: busy, or the handler is dead
    alias_lost: bool = False
    outside: bool = False  # the bot is not in the admin room
    emergency: bool = False

    @property
    def good(self) -> bool:
        return not (
            self.silent_since or self.alias_lost or self.outside or self.emergency
        ) and bool(self.version)


@frozen
class Timeouts:
    """Seconds until the oldest command counts as unanswered."""

    usual: float
    slow: float


class AdminRoom:
    """One per instance. on_notice, on_health, on_late (a line that nobody waits for any more has
    its answer) are called after the commit."""

    def __init__(
        self,
        *,
        room: str,
        server: str,
        me: str,
        nonce: str,
        db: Database,
        homeserver: Homeserver,
        clock: Callable[[], float],
        timeouts: Callable[[], Timeouts],
        log: Logger,
    ) -> None:
        self.room, self.server, self._me, self._nonce = room, server, me, nonce
        self._db, self._hs, self._clock, self.timeouts = db, homeserver, clock, timeouts
        self._log = log
        self.health = Health()
        self.reader: Reader  # set by who makes both
        self.turn = asyncio.Lock()  # one line, of a request or of the house, is out at a time
        self.ready = False  # what was out at the start is settled
        self.on_notice: Callable[[Tx, str, Content, bool], Awaitable[None]]
        self.on_health: Callable[[], Awaitable[None]]
        self.on_late: Callable[[str], None]
        self.queue = correlator.Queue()
        self.oracle = ConduitOracle(server, Dialect.V0_10)
        self._contents: OrderedDict[str, Content] = OrderedDict()
        self._waiting: dict[str, asyncio.Future[Answer | None]] = {}
        self._echoes: dict[str, asyncio.Future[bool]] = {}
        self._arrived: dict[str, str] = {}  # our lines seen in the timeline: ref -> event id
        self._arrival = asyncio.Event()
        self._fence_wanted = asyncio.Event()

    # --- coming in

    async def load(self) -> None:
        """The stored queue, with other members' commands read again."""
        text = await self._db.read(lambda tx: meta.get(tx, _QUEUE))
        if text is None:
            return
        queue = correlator.from_json(text)
        contents: dict[str, Content] = {}
        for event_id in correlator.unread(queue):
            content = await self.content_of(event_id)
            if content is not None:  # else it goes on fitting every answer
                contents[event_id] = content
        self.queue = correlator.refill(queue, contents, self.oracle)

    def take(self, event: Mapping[str, Any]) -> Handled | None:
        """One event of the timeline; None when it is nothing to the relay."""
        seen = self._seen(event)
        if seen is None:
            return None
        queue, effects = correlator.feed(self.queue, seen, self.oracle, self._clock())
        if seen.who is Who.SERVER:
            self._contents[seen.event_id] = seen.content
            while len(self._contents) > _KEPT:
                self._contents.popitem(last=False)
        step = Step(self, queue, seen, effects)
        return Handled(step.commit, step.after)

    def _seen(self, event: Mapping[str, Any]) -> Seen | None:
        if event.get("type") != "m.room.message" or "state_key" in event:
            return None
        content = event.get("content")
        content = content if isinstance(content, dict) else {}
        sender = event.get("sender")
        mark = content.get(MARK)
        ours = sender == self._me and isinstance(mark, str) and mark.startswith(f"{self._nonce}/")
        if sender == f"@conduit:{self.server}":
            who = Who.SERVER
        else:
            who = Who.OURS if ours else Who.OTHER
        return Seen(
            event["event_id"],
            who,
            content,
            redacted=not content,
            ref=str(mark).partition("/")[2] if ours else "",
            runs=who is Who.SERVER and self.health.emergency,
        )

    def _tell(self, ref: str, answer: Answer | None) -> None:
        fate = self._waiting.pop(ref, None)
        if fate is not None and not fate.done():
            fate.set_result(answer)
        elif answer is not None:
            self.on_late(ref)

    async def content_of(self, event_id: str) -> Content | None:
        """The content of one message, from memory or read again; None when it cannot be had."""
        if event_id in self._contents:
            return self._contents[event_id]
        try:
            event = await self._hs.event(self.room, event_id)
        except MatrixError:
            return None
        return (event or {}).get("content") or None

    def reset(self) -> Handled:
        """The timeline has a gap: everything open is lost, and the next thing is a fence."""
        queue, effects = correlator.reset(self.queue)
        step = Step(self, queue, None, effects)
        return Handled(step.commit, step.after)

    # --- going out

    async def fence(self) -> bool:
        """Sends a fence and waits for its echo; whether it came in time. Raises MatrixError."""
        nonce = secrets.token_hex(4)
        echo = self._echoes[nonce] = asyncio.get_running_loop().create_future()
        try:
            await self._put("fence", fence(self.server, nonce), self.txn("fence", nonce))
            self._fence_wanted.clear()
            self.reader.urgent(True)
            return await asyncio.wait_for(echo, self.timeouts().usual)
        except asyncio.TimeoutError:
            return False
        finally:
            self._echoes.pop(nonce, None)
            self.reader.urgent(False)

    async def send(self, ref: str, body: str, txn: str) -> str | NotSent:
        """Sends one line under `turn`; the event id once it was read in the room, or NotSent.

        Whatever the server says, only the timeline is believed. Without any response the line may
        still be on its way: then a fence sent later must have echoed first.
        """
        cause, retry_after, in_flight = "", 0.0, False
        try:
            await self._put(ref, body, txn)
        except RateLimited as error:
            cause, retry_after = str(error), error.retry_after
        except NoResponse as error:
            cause, in_flight = str(error), True
        except MatrixError as error:
            cause, in_flight = str(error), not getattr(error, "errcode", "")  # a gateway's error
        self.reader.urgent(True)
        try:
            if cause:
                return await self._find(ref, NotSent(cause, retry_after), in_flight)
            return await self._see(ref) or NotSent("it was accepted but is not in the room")
        finally:
            self.reader.urgent(False)

    async def _find(self, ref: str, not_sent: NotSent, in_flight: bool) -> str | NotSent:
        """After a failed send: the event id if the line is there, NotSent once that is proven.

        Waits for as long as neither is known; the health of the other side is told meanwhile.
        """
        while True:
            try:
                await self.reader.catch_up()
                if ref in self._arrived or not in_flight:
                    return self._arrived.get(ref) or not_sent
                in_flight = not await self.fence()
            except MatrixError as error:
                self._log.warning("Whether %s was sent is not known yet: %s", ref, error)
                await asyncio.sleep(_SEEN_WITHIN)

    async def _put(self, ref: str, body: str, txn: str) -> str:
        content = {"msgtype": "m.text", "body": body, MARK: f"{self._nonce}/{ref}"}
        return await self._hs.send(self.room, "m.room.message", content, txn)

    async def _see(self, ref: str) -> str | None:
        for _ in range(2):
            try:
                return await asyncio.wait_for(self._arrives(ref), _SEEN_WITHIN)
            except asyncio.TimeoutError:
                await self.reader.check()
        return self._arrived.get(ref)

    async def _arrives(self, ref: str) -> str:
        while ref not in self._arrived:
            self._arrival.clear()
            await self._arrival.wait()
        return self._arrived[ref]

    # --- what others need to know

    @property
    def doubt(self) -> bool:
        """A fence must echo before the next line."""
        return correlator.must_fence(self.queue) or self._fence_wanted.is_set()

    async def heard(self) -> None:
        """The handler answered something: it lives."""
        if self.health.silent_since is not None:
            self.health.silent_since = None
            self.want_fence()
            await self.on_health()

    def want_fence(self) -> None:
        """Something may have gone wrong (a connection error, a lost answer)."""
        self._fence_wanted.set()

    async def fence_wanted(self, seconds: float) -> None:
        """Waits until a fence is wanted, or for so long."""
        try:
            await asyncio.wait_for(self._fence_wanted.wait(), seconds)
        except asyncio.TimeoutError:
            pass

    def txn(self, kind: str, *what: object) -> str:
        """The txn id of one message to this room."""
        return meta.txn_id(self._nonce, kind, self.room, *what)

    def expect(self, ref: str) -> asyncio.Future[Answer | None]:
        """The fate of one line, to be asked for before it is sent: its answer, that it is lost,
        or None when the server has been silent for too long."""
        fate = self._waiting.get(ref)
        if fate is None or fate.done():
            fate = self._waiting[ref] = asyncio.get_running_loop().create_future()
        return fate

    def give_up(self) -> None:
        """Nobody waits any longer; the entries stay open, so that a late answer finds them."""
        for ref in tuple(self._waiting):
            self._tell(ref, None)

    def arrived(self, ref: str) -> bool:
        """Whether this line of ours was read in the room since the start."""
        return ref in self._arrived


@frozen
class Step:
    """One event taken: what to store with it, and what to do after the commit."""

    room: AdminRoom
    queue: correlator.Queue
    seen: Seen | None
    effects: tuple[Any, ...] = field(factory=tuple)

    async def commit(self, tx: Tx) -> None:
        """Stores the queue and the fate of our lines; part of the event's own transaction."""
        await meta.put(tx, _QUEUE, correlator.to_json(self.queue))
        now = self.room._clock()
        if self.seen and (line := _line(self.seen.ref)):
            await store.change_line(
                tx,
                *line,
                LineState.SENDING,
                state=LineState.SENT,
                event_id=self.seen.event_id,
            )
        for effect in self.effects:
            if isinstance(effect, Notice) and self.seen:
                await self.room.on_notice(tx, effect.event_id, self.seen.content, effect.raw)
            if not isinstance(effect, (Settled, Lost)) or not (line := _line(effect.ref)):
                continue
            answer, outcome = _fate(effect)
            if not await store.change_line(
                tx,
                *line,
                LineState.SENDING,
                LineState.SENT,
                state=LineState.ANSWERED,
                answer_event=answer,
                outcome=outcome,
                answered_at=now,
            ):  # nobody waits for it any more
                await store.change_line(tx, *line, LineState.SETTLED, answer_event=answer)

    async def after(self) -> None:
        """Runs once the commit holds: wakes who waits, passes notices on."""
        room = self.room
        room.queue = self.queue
        if self.seen and self.seen.who is Who.OURS:
            room._arrived[self.seen.ref] = self.seen.event_id
            room._arrival.set()
        if any(isinstance(e, (Settled, Echoed)) for e in self.effects):
            await room.heard()
        for effect in self.effects:
            if isinstance(effect, (Settled, Lost)) and effect.ref:
                answer, outcome = _fate(effect)
                room._tell(effect.ref, Answer(answer, outcome.code if outcome else ""))
            elif isinstance(effect, Echoed):
                if (echo := room._echoes.get(effect.nonce)) and not echo.done():
                    echo.set_result(True)
            elif isinstance(effect, NeedFence):
                room.want_fence()


def _line(ref: str) -> tuple[int, int] | None:
    """(request, line number) of a ref like 12.3; None for a line of the house."""
    request, dot, number = ref.partition(".")
    return (int(request), int(number)) if dot and request.isdigit() and number.isdigit() else None


def _fate(effect: Settled | Lost) -> tuple[str | None, Outcome | None]:
    """The answer's event id, and for a lost one the outcome that holds until a probe tells."""
    if isinstance(effect, Settled):
        return effect.answer, None
    shown = effect.candidates[0] if len(effect.candidates) == 1 else None
    return shown, Outcome(Kind.UNKNOWN, effect.why)
