"""The admin room as it is read: every event through the correlator, and its effects to whom they
concern.

What belongs to what is decided by `correlator`, what an answer means by `families`. `sending`
puts lines into the room, `heartbeat` and `inspection` look after the other side, `runner`
decides what is sent. Here is what all of them know of the room.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import TypeVar

from attrs import evolve, field, frozen

from ..db import meta
from ..db.connection import Database, Tx
from ..families import correlator
from ..families.answers import Emergency, server_notice
from ..families.oracle import ConduitOracle
from ..matrix import written
from ..matrix.api import Homeserver, MatrixError
from ..matrix.model import Gap, Handled, Handler, OnGap
from ..matrix.rooms import RoomView
from ..matrix.timeline import Reader
from ..model.admin_room import Content, Echoed, Effect, Lost, NeedFence, Notice, Seen, Settled, Who
from ..model.command import Dialect, Kind, Outcome
from ..model.event import RoomEvent
from ..model.request import LineState
from ..model.server_state import Health
from ..requests import store
from ..state import ServerState

MARK = "org.sluicebot.line"
FENCE = correlator.FENCE
REPLACED = "replaced"  # why a line is lost: a part of the timeline was not read
T = TypeVar("T")
_QUEUE, _EMERGENCY = "queue", "emergency"
_KEPT = 300  # contents of the server user's messages kept in memory, for held answers


@frozen
class Answer:
    """What became of a line. event: its answer, None when it is lost (`why` says how)."""

    event: str | None
    why: str = ""


class AdminRoom:
    """One per instance.

    read: makes the reader of the room. noticed: what a notice of the server causes, in the
    transaction in which it is read. gap: what else a gap in the timeline causes.
    line: the bell of the runner. late: lines that nobody waits for and that have their answer.
    """

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
        read: Callable[[str, Handler, OnGap], Reader],
        noticed: Callable[[Tx, str, Content, bool, float | None], Awaitable[None]],
        gap: Callable[[Gap, Handled], Handled],
        state: ServerState,
        line: asyncio.Event,
    ) -> None:
        self.room, self.server, self._me, self._nonce = room, server, me, nonce
        self._db, self._hs, self._clock = db, homeserver, clock
        self.state, self.fences = state, state.fences
        self.noticed, self._gap = noticed, gap
        self._line = line
        self.late: asyncio.Queue[tuple[int, int]] = asyncio.Queue()
        self.view = RoomView(room)
        self.oracle = ConduitOracle(server, Dialect.V0_10)
        self.flying: dict[str, Content] = {}  # sent, and no response yet: by ref
        # lines of ours that were read in the room: ref -> event id
        self.arrived: OrderedDict[str, str] = OrderedDict()
        self.unexplained = False  # a redacted message of ours was read, since the last line
        self.ended: OrderedDict[str, str] = OrderedDict()  # messages of the server that were
        # taken for commands: "" where they were answered, else why that is not known
        self._ours: OrderedDict[str, tuple[str, Content]] = OrderedDict()  # by event id, as sent
        self._contents: OrderedDict[str, Content] = OrderedDict()
        self._waiting: dict[str, asyncio.Future[Answer | None]] = {}
        self._arrival = asyncio.Event()
        self.reader = read(room, self._handle, self._missed)

    @property
    def health(self) -> Health:
        return self.state.health

    @property
    def queue(self) -> correlator.Queue:
        return self.state.queue

    async def load(self) -> None:
        """The stored queue, with other members' commands read again."""
        text, emergency = await self._db.read(self._stored)
        self.state.learn(evolve(self.health, emergency=emergency is not None))
        if text is None:
            return
        queue = correlator.from_json(text)
        contents: dict[str, Content] = {}
        for event_id in correlator.unread(queue):
            content = await self.content_of(event_id)
            if content is not None:  # else it goes on fitting every answer
                contents[event_id] = content
        self.state.queued(correlator.refill(queue, contents, self.oracle))

    async def _stored(self, tx: Tx) -> tuple[str | None, str | None]:
        return await meta.get(tx, _QUEUE), await meta.get(tx, _EMERGENCY)

    # --- coming in

    async def _handle(self, event: RoomEvent) -> Handled | None:
        self.view.apply(event)
        return self.take(event)

    async def _missed(self, gap: Gap) -> Handled:
        return self._gap(gap, self.reset())

    def take(self, event: RoomEvent) -> Handled | None:
        """One event of the timeline; None when it concerns no command."""
        seen = self._seen(event)
        if seen is None:
            return None
        queue, effects = correlator.feed(self.queue, seen, self.oracle, self._clock())
        if seen.who is Who.SERVER:
            _keep(self._contents, seen.event_id, seen.content)
        step = Step(self, queue, seen, effects, event.at)
        return Handled(step.commit, step.after)

    def _seen(self, event: RoomEvent) -> Seen | None:
        if event.type != "m.room.message" or event.is_state:
            return None
        event_id, sender, content = event.id, event.sender, event.content
        if sender == f"@conduit:{self.server}":
            runs = self.health.emergency
            return Seen(event_id, Who.SERVER, content, redacted=not content, runs=runs)
        if sender == self._me:
            ref, sent = self._explained(event_id, content)
            if ref:
                return Seen(event_id, Who.OURS, sent, ref=ref)
            self.unexplained |= not content
        return Seen(event_id, Who.OTHER, content, redacted=not content)

    def _explained(self, event_id: str, content: Content) -> tuple[str, Content]:
        """Which line or fence of ours this is, and what was sent, whatever the room says now.

        That it is ours is known already (`ops.account`): what is not comes without its marks.
        """
        mark = content.get(MARK)
        if isinstance(mark, str) and mark.startswith(f"{self._nonce}/"):
            return mark.partition("/")[2], content
        if event_id in self._ours:
            return self._ours[event_id]
        if not content and len(self.flying) == 1:
            return next(iter(self.flying.items()))
        return "", {}

    def ours(self, event_id: str, ref: str, content: Content) -> None:
        """The server said that this is the event of a line or fence."""
        _keep(self._ours, event_id, (ref, content))

    async def noted(self, txn: str) -> None:
        """Before something is sent: else it would be taken for somebody else's."""
        now = self._clock()
        await self._db.write(lambda tx: written.note(tx, txn, self.room, now))

    def reset(self) -> Handled:
        """The timeline has a gap: everything open is lost, and the next thing is a fence."""
        queue, effects = correlator.reset(self.queue)
        told = [evolve(e, why=REPLACED) if isinstance(e, Lost) else e for e in effects]
        step = Step(self, queue, None, tuple(told))
        return Handled(step.commit, step.after)

    async def content_of(self, event_id: str) -> Content | None:
        """The content of one message, from memory or read again; None when it cannot be had."""
        if event_id in self._contents:
            return self._contents[event_id]
        try:
            event = await self._hs.event(self.room, event_id)
        except MatrixError:
            return None
        return event.content or None if event is not None else None

    # --- what others wait for

    def expect(self, ref: str) -> asyncio.Future[Answer | None]:
        """The fate of one line, to be asked for before it is sent: its answer, that it is lost,
        or None when the other side counts as silent."""
        fate = self._waiting.get(ref)
        if fate is None or fate.done():
            fate = self._waiting[ref] = asyncio.get_running_loop().create_future()
            if not self.health.answering:
                self._tell(ref, None)
        return fate

    def _tell(self, ref: str, answer: Answer | None) -> None:
        fate = self._waiting.pop(ref, None)
        if fate is not None and not fate.done():
            fate.set_result(answer)
        elif answer is not None and (line := _line(ref)):
            self.late.put_nowait(line)
            self._line.set()

    def explained(self) -> None:
        """What was redacted before this moment is no line that is sent from now on."""
        self.unexplained = False

    def version_is(self, version: str, dialect: Dialect | None) -> None:
        self.oracle = ConduitOracle(self.server, dialect or Dialect.V0_10)
        if version != self.health.version:
            self.state.learn(evolve(self.health, version=version, dialect=dialect))

    def forget(self, ref: str) -> None:
        """Nobody waits for it: its answer is a late one."""
        self._waiting.pop(ref, None)

    async def arrives(self, ref: str) -> str:
        """The event id of a line, as soon as it is read."""
        while ref not in self.arrived:
            self._arrival.clear()
            await self._arrival.wait()
        return self.arrived[ref]

    def calm(self) -> None:
        """Reads as seldom as usual, once nothing is awaited."""
        if not self._waiting and not self.fences.out:
            self.reader.urgent(False)

    def give_up(self) -> None:
        """Nobody waits any longer; the entries stay open, so that a late answer finds them."""
        for ref in tuple(self._waiting):
            self._tell(ref, None)
        self.fences.give_up()
        self.calm()

    def address(self, holds: bool, *, proven: bool = False) -> None:
        """Where `#admins` leads was asked: whether to this room. Once it does again, the other
        side counts as silent until it has shown that it listens. proven: it has just done so."""
        health = self.health
        if holds is not health.alias_lost:
            return
        self.state.learn(evolve(self.health, alias_lost=not holds))
        if holds and not proven and health.silent_since is None:
            self.state.learn(evolve(self.health, silent_since=self._clock()))
            self.fences.want()

    async def emergency(self, on: bool) -> None:
        """The emergency password is set, or no longer. It outlasts a restart of the bot."""
        if not on:
            await self._db.write(lambda tx: meta.drop(tx, _EMERGENCY))
        self.state.learn(evolve(self.health, emergency=on))


def _keep(memory: OrderedDict[str, T], key: str, value: T) -> None:
    memory[key] = value
    while len(memory) > _KEPT:
        memory.popitem(last=False)


@frozen
class Step:
    """One event taken: what to store with it, and what to do after the commit."""

    room: AdminRoom
    queue: correlator.Queue
    seen: Seen | None
    effects: tuple[Effect, ...] = field(factory=tuple)
    at: float | None = None  # when the server dates it

    @property
    def _emergency(self) -> bool:
        """The server says that its emergency password is set."""
        if self.seen is None or self.seen.who is not Who.SERVER:
            return False
        return isinstance(server_notice(self.seen.content), Emergency)

    async def commit(self, tx: Tx) -> None:
        """Stores the queue and the fate of our lines; part of the event's own transaction."""
        await meta.put(tx, _QUEUE, correlator.to_json(self.queue))
        now = self.room._clock()
        if self._emergency:
            await meta.put(tx, _EMERGENCY, str(now))
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
                seen = self.seen.content
                await self.room.noticed(tx, effect.event_id, seen, effect.raw, self.at)
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
                settled = LineState.SETTLED
                await store.change_line(tx, *line, settled, answer_event=answer, answered_at=now)

    async def after(self) -> None:
        """Runs once the commit holds: wakes who waits."""
        room = self.room
        room.state.queued(self.queue)
        if self.seen is None:
            room.fences.lost()
        elif self.seen.who is Who.OURS:
            _keep(room.arrived, self.seen.ref, self.seen.event_id)
            room._arrival.set()
        for effect in self.effects:
            self._told(effect)
        room.calm()
        if self._emergency and not room.health.emergency:
            await room.emergency(True)
        if room.health.silent_since is not None and any(
            isinstance(effect, (Settled, Echoed)) for effect in self.effects
        ):  # the handler lives
            room.state.learn(evolve(room.health, silent_since=None))
            room.fences.want()

    def _told(self, effect: Effect) -> None:
        room = self.room
        if isinstance(effect, (Settled, Lost)):
            if effect.ref:
                answer, outcome = _fate(effect)
                room._tell(effect.ref, Answer(answer, outcome.code if outcome else ""))
            elif effect.entry in room._contents:
                _keep(room.ended, effect.entry, "" if isinstance(effect, Settled) else effect.why)
        elif isinstance(effect, Echoed):
            room.fences.came(effect.nonce)
        elif isinstance(effect, NeedFence):
            if effect.spoilt:
                room.fences.spoil()
            room.fences.bell.set()


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
