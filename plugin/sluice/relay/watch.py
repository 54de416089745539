"""Whether Conduit answers: fences when something is in doubt, the clock of the oldest command,
the server's version, and the address of the admin room.

Nobody can tell a busy handler from a dead one (a media purge may take minutes, an answer above
65,535 bytes ends the handler for good), so after `timeout` and a fence without echo the words are
"busy, or stuck"; then one fence a minute, nothing else, until anything is answered.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from logging import Logger

from ..catalog.conduit import ConduitOracle
from ..catalog.dialects import dialect_of, spell
from ..catalog.model import Dialect, Line
from ..matrix.api import Homeserver, MatrixError, Refused
from . import correlator
from .model import Content
from .room import AdminRoom, NotSent

_TICK = 1.0  # seconds between looks at the clock of the oldest command
_HOUR = 3600.0
_AGAIN = 60.0  # seconds between fences while nothing is answered
_VERSION = re.compile(r"@conduit:\S+: (\S+)\n?")


class Watch:
    """Runs for the life of the admin room. `on_start` is awaited once the first echo came or the
    time for it is over; `on_restart` after each doubt that a fence ended."""

    def __init__(
        self, room: AdminRoom, homeserver: Homeserver, clock: Callable[[], float], log: Logger
    ) -> None:
        self._room, self._hs, self._clock, self._log = room, homeserver, clock, log
        self._checked = 0.0
        self._fenced = 0.0
        self.away_since: float | None = None
        self.looked = asyncio.Event()  # the first fence echoed, or its time is over
        self.on_back: Callable[[float], Awaitable[None]]
        self.on_checked: Callable[[], Awaitable[None]]

    async def run(self) -> None:
        """Until cancelled; an error of the network or of storage is tried again."""
        self._room.want_fence()
        while True:
            try:
                await self._look()
            except MatrixError as error:
                await self._away(error)
            await self._room.fence_wanted(_TICK)

    async def _look(self) -> None:
        now, room = self._clock(), self._room
        limits = room.timeouts()
        if correlator.fence_due(room.queue, now, limits.usual, limits.slow):
            room.want_fence()
        quiet = room.health.silent_since is not None
        if (room.doubt and not quiet) or (quiet and now - self._fenced >= _AGAIN):
            self._fenced = now
            if await room.fence():
                await self._back()
                await self.check()
            elif not quiet:
                await self._silent(now)
            self.looked.set()
        elif not quiet and now - self._checked >= _HOUR:
            await self.check()

    async def _silent(self, since: float) -> None:
        """No echo in time. Before anybody is told, the address: without it nothing is answered."""
        room = self._room
        room.health.alias_lost = not await self._address_holds()
        oldest = correlator.head(room.queue)
        room.health.silent_since = min(since, oldest[1]) if oldest else since
        await room.on_health()

    async def _away(self, error: MatrixError) -> None:
        if isinstance(error, Refused) and error.status == 403:
            if not self._room.health.outside:
                self._room.health.outside = True
                await self._room.on_health()
        elif self.away_since is None:
            self.away_since = self._clock()
            self._log.warning("The homeserver does not answer: %s", error)
        await asyncio.sleep(_TICK)

    async def _back(self) -> None:
        self._room.health.outside = False
        if self.away_since is not None:
            since, self.away_since = self.away_since, None
            await self.on_back(since)

    async def check(self) -> None:
        """Version and address, and whatever else is looked at hourly and after a restart."""
        self._checked = self._clock()
        room = self._room
        lost = not await self._address_holds()
        version = await self._version()
        changed = (lost, version) != (room.health.alias_lost, room.health.version)
        room.health.alias_lost = lost
        if version is not None:
            dialect = dialect_of(version)
            room.health.version, room.health.dialect = version, dialect
            room.oracle = ConduitOracle(room.server, dialect or Dialect.V0_10)
        if changed:
            await room.on_health()
        await self.on_checked()

    async def _address_holds(self) -> bool:
        """Whether #admins still means this room: any member of it can delete the alias."""
        return await self._hs.alias(f"#admins:{self._room.server}") == self._room.room

    async def _version(self) -> str | None:
        try:
            name, version = await self._hs.version()
        except Refused:
            name = ""  # no federation: Conduit has no such route then
        if name == "Conduit":
            return version
        content = await self.ask("version", ("--version",))
        found = _VERSION.fullmatch(str(content.get("body"))) if content else None
        return found.group(1) if found else None

    async def ask(self, ref: str, words: tuple[str, ...]) -> Content | None:
        """A question of the house: one harmless line, and its answer; None if none came."""
        room = self._room
        async with room.turn:
            body = spell(room.health.dialect or Dialect.V0_10, room.server, Line(words))
            fate = room.expect(ref)
            sent = await room.send(ref, body, room.txn("house", ref, self._clock()))
            if isinstance(sent, NotSent):
                return None
            try:
                answer = await asyncio.wait_for(fate, room.timeouts().usual)
            except asyncio.TimeoutError:
                return None
        return await room.content_of(answer.event) if answer and answer.event else None
