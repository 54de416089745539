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

from attrs import evolve

from ..families import correlator, fences
from ..matrix.api import MatrixError, Refused
from ..model.server_state import Timeouts
from .room import AdminRoom
from .sending import Sending

_TICK = 1.0  # seconds between looks at the clock of the oldest command
_AGAIN = fences.MOST  # seconds between fences while nothing is answered
_SEEN_WITHIN = 2.0  # seconds from sending a fence to reading it
_SLOW = 2.0  # seconds after which a command is slow
_ADDRESS = 300.0  # seconds between looks at the address, if nothing is slow


class Pulse:
    """Runs for the life of the admin room.

    beat: set when a doubt is over, by an echo or because Conduit counts as silent now.
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
        self._looked = 0.0  # when the address was looked at
        self._slow = ""  # the slow command for which it was
        self.beat = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled."""
        self._room.fences.want()
        while True:
            try:
                await self._look()
            except MatrixError as error:  # what is out may be lost; back again, a fence is wanted
                self._room.fences.lost()
                if self._room.state.is_away(self._clock()):
                    self._log.warning("The homeserver does not answer: %s", error)
                raise
            await self._wait(_TICK)

    async def _wait(self, seconds: float) -> None:
        bell = self._room.fences.bell
        try:
            await asyncio.wait_for(bell.wait(), seconds)
        except asyncio.TimeoutError:
            pass
        bell.clear()

    async def _look(self) -> None:
        room = self._room
        if echoed := room.fences.echoed():
            room.state.is_back(self._clock())
            self.beat.set()
        self._inside()
        if echoed or self._address_due(self._clock()):
            await self._address(self._clock(), proven=echoed)
        now, limits = self._clock(), self._timeouts()  # asking may have taken long
        if not room.health.answering:
            if now - self._fenced >= _AGAIN:
                room.fences.suspect()
                await self._fence(now)
        elif self._overdue(now, limits) and room.fences.age(now) >= limits.usual:
            await self._silent(now)
        elif room.fences.wanted or room.fences.again(now - self._fenced):
            await self._fence(now)
        elif (correlator.must_fence(room.queue) and not room.fences.out) or (
            correlator.fence_due(room.queue, now, limits.usual, limits.slow)
        ):
            room.fences.suspect()
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

    def _inside(self) -> None:
        """Whether we are in the room and may write there."""
        room = self._room
        outside = self._refused or not room.reader.joined
        if outside == room.health.outside:
            return
        room.state.learn(evolve(room.health, outside=outside))
        if not outside:
            room.fences.want()
        self.beat.set()

    def _address_due(self, now: float) -> bool:
        """From time to time, with each fence of a silence, and once for each slow command."""
        head = correlator.head(self._room.queue)
        if head is not None and now - head[1] >= _SLOW and head[0].event_id != self._slow:
            self._slow = head[0].event_id
            return True
        return now - self._looked >= (_ADDRESS if self._room.health.answering else _AGAIN)

    async def _address(self, now: float, *, proven: bool = False) -> None:
        """Without it nothing is answered, and nothing else tells so. proven: an echo came now."""
        self._looked, lost = now, self._room.health.alias_lost
        try:
            holds = await self._address_holds()
        except Refused as error:
            self._log.warning("Where #admins leads is not known: %s", error)
            return
        if holds and lost:
            self._fenced = 0.0  # now, not in a minute
        self._room.address(holds, proven=proven)

    async def _silent(self, now: float) -> None:
        """No echo in time. Before anybody is told, the address: without it nothing is answered."""
        room, head = self._room, correlator.head(self._room.queue)
        await self._address(now)
        room.state.learn(
            evolve(room.health, silent_since=head[1] if head else now - room.fences.age(now))
        )
        self.beat.set()
