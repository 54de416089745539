"""Whether the other side lives: sends fences where something is in doubt, and says when no echo
comes.

Nobody can tell a busy handler from a dead one (a media purge may take minutes, an answer above
65,535 bytes ends the handler for good), so the words are "busy, or stuck". The clock is that of
the oldest open command, whoever typed it; once that and a fence have had their time, one fence a
minute is sent and nothing else, until anything is answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from logging import Logger

from ..db.connection import StorageFailed
from ..matrix.api import MatrixError, Refused
from . import correlator
from .health import Timeouts
from .room import AdminRoom
from .sending import Sending

_TICK = 1.0  # seconds between looks at the clock of the oldest command
_AGAIN = 60.0  # seconds between fences while nothing is answered
_SEEN_WITHIN = 2.0  # seconds from sending a fence to reading it
_MOST = 60.0  # seconds between tries while the homeserver is away


class Pulse:
    """Runs for the life of the admin room. on_back: the homeserver was away since then.

    beat: set at each echo that ends a doubt, and when the other side counts as silent.
    """

    def __init__(
        self,
        room: AdminRoom,
        sending: Sending,
        clock: Callable[[], float],
        timeouts: Callable[[], Timeouts],
        address_holds: Callable[[], Awaitable[bool]],
        log: Logger,
    ) -> None:
        self._room, self._sending, self._clock, self._log = room, sending, clock, log
        self._timeouts, self._address_holds = timeouts, address_holds
        self._fenced = 0.0  # when the last fence was sent
        self._refused = False  # the last fence was refused: we may not write there
        self._failures = 0
        self.away_since: float | None = None
        self.beat = asyncio.Event()
        self.on_back: Callable[[float], Awaitable[None]]

    async def run(self) -> None:
        """Until cancelled; an error of the network is tried again."""
        self._room.fences.want()
        while True:
            try:
                await self._look()
                self._failures = 0
            except MatrixError as error:
                await self._failed(error)
            except StorageFailed as error:
                self._log.warning("The pulse waits: %s", error)
            await self._wait(_TICK)

    async def _wait(self, seconds: float) -> None:
        bell = self._room.fences.bell
        try:
            await asyncio.wait_for(bell.wait(), seconds)
        except asyncio.TimeoutError:
            pass
        bell.clear()

    async def _look(self) -> None:
        room, now = self._room, self._clock()
        if room.fences.echoed:
            room.fences.echoed = False
            await self._answered()
        await self._inside()
        limits = self._timeouts()
        if not room.health.answering:
            if now - self._fenced >= _AGAIN:
                room.fences.doubt = True
                await self._fence(now)
        elif self._overdue(now, limits) and room.fences.age(now) >= limits.usual:
            await self._silent(now)
        elif room.fences.wanted:
            await self._fence(now)
        elif (correlator.must_fence(room.queue) and not room.fences.out) or (
            correlator.fence_due(room.queue, now, limits.usual, limits.slow)
        ):
            room.fences.doubt = True
            await self._fence(now)
        elif room.fences.age(now) > _SEEN_WITHIN and correlator.head(room.queue) is None:
            room.reader.suspect()  # sent, and not there

    def _overdue(self, now: float, limits: Timeouts) -> bool:
        """Whether the oldest open command has had its time (or none of ours was ever read)."""
        head = correlator.head(self._room.queue)
        if head is None:
            return True
        entry, since = head
        return now - since >= (limits.slow if entry.slow else limits.usual)

    async def _fence(self, now: float) -> None:
        self._fenced = now
        try:
            await self._sending.fence(now)
        except Refused as error:
            if error.status != 403:
                raise
            self._refused = True
            self._room.reader.doubt()
        else:
            self._refused = False

    async def _answered(self) -> None:
        """An echo came."""
        if self.away_since is not None:
            since, self.away_since = self.away_since, None
            await self.on_back(since)
        self.beat.set()

    async def _inside(self) -> None:
        """Whether we are in the room and may write there."""
        room = self._room
        outside = self._refused or not room.reader.joined
        if outside == room.health.outside:
            return
        room.health.outside = outside
        if not outside:
            room.fences.want()
        await room.on_health()
        self.beat.set()

    async def _silent(self, now: float) -> None:
        """No echo in time. Before anybody is told, the address: without it nothing is answered."""
        room, head = self._room, correlator.head(self._room.queue)
        try:
            room.health.alias_lost = not await self._address_holds()
        except Refused as error:
            self._log.warning("Where #admins leads is not known: %s", error)
        room.health.silent_since = head[1] if head else now - room.fences.age(now)
        await room.on_health()
        self.beat.set()

    async def _failed(self, error: MatrixError) -> None:
        """The homeserver is away: what is out may be lost; back again, a fence is wanted."""
        self._failures += 1
        self._room.fences.lost()
        if self.away_since is None:
            self.away_since = self._clock()
            self._log.warning("The homeserver does not answer: %s", error)
        self._room.fences.bell.clear()
        await asyncio.sleep(min(_TICK * 2 ** min(self._failures - 1, 6), _MOST))
