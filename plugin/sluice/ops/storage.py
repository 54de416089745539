"""What is said when nothing can be stored (the disk is full): without its log Sluice sends
nothing, and what it says cannot wait in the outbox either."""

from __future__ import annotations

from ..chat import alarms, refusals
from ..db.connection import Database
from ..matrix.direct import Direct
from ..model.origin import Origin
from ..state import Live, Rooms

_LASTS = 3.0  # seconds that it fails, before it is more than a moment
_AGAIN, _REPLY_AGAIN = 3600.0, 60.0  # seconds until it is said again in a room


class Storage:
    def __init__(self, live: Live, rooms: Rooms, db: Database, direct: Direct) -> None:
        self._live, self._rooms, self._db, self._direct = live, rooms, db, direct
        self._said: dict[str, float] = {}  # room -> when owners were told
        self._replied: dict[str, float] = {}  # room -> when a command was refused

    @property
    def fails(self) -> bool:
        failing = self._db.failing
        return failing is not None and failing.lasted >= _LASTS

    async def look(self) -> None:
        """Tells every room, once an hour while it lasts."""
        if not self.fails:
            self._said.clear()
            return
        now = self._live.now()
        for room in self._rooms.speaking():
            if now - self._said.get(room, 0.0) >= _AGAIN:
                self._said[room] = now
                said = alarms.cannot_log(self._rooms.here(room), full=self._full)
                await self._direct.say(room, said, clear=True)

    async def refuse(self, origin: Origin) -> None:
        """A command that cannot be stored is not run; one answer a minute."""
        now = self._live.now()
        if now - self._replied.get(origin.room, 0.0) >= _REPLY_AGAIN:
            self._replied[origin.room] = now
            said = refusals.cannot_log(full=self._full)
            await self._direct.say(origin.room, said, reply_to=origin.command, clear=True)

    @property
    def _full(self) -> bool:
        return self._db.failing is not None and self._db.failing.full
