"""The digest: when it is due, and what it tells.

Once a day by the owner's calendar, at the hour they chose or as soon after it as the bot is there.
The day that was told is stored with the message, so neither a restart nor a clock that is set back
tells it twice. A day of which there is nothing to say is passed over.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from ..chat import digest as texts
from ..chat.digest import Day
from ..db import meta
from ..db.connection import Tx
from ..matrix.outbox import Outbox
from ..model.noticed import Noticed
from ..model.request import Request, State
from ..requests import store as requests
from ..requests.desk import only_reads
from ..state import Live, Rooms
from ..text.times import Clock
from . import store
from .problems import Drift

_TOLD = "digest"  # in the database: the number of the day that was told last, and until when


class Digest:
    def __init__(self, live: Live, rooms: Rooms, outbox: Outbox, drift: Drift) -> None:
        self._live, self._rooms, self._outbox, self._drift = live, rooms, outbox, drift
        self._told: int | None = None  # the day; None: not known yet

    @property
    def due(self) -> bool:
        settings = self._live.settings
        if settings is None or settings.digest is None or self._rooms.main_room is None:
            return False
        clock = Clock(self._live.now(), settings.timezone)
        today = clock.day_number(clock.now)
        if self._told is None or self._told > today + 1:  # a clock that was years ahead
            return True
        return self._told < today and clock.time(clock.now) >= settings.digest

    async def tick(self, tx: Tx) -> None:
        """Says it if it is time."""
        room, now = self._rooms.main_room, self._live.now()
        hour, clock = self._live.in_force.digest, Clock(now, self._live.in_force.timezone)
        if room is None or hour is None:
            return
        today, is_time = clock.day_number(now), clock.time(now) >= hour
        told, since = json.loads(await meta.get(tx, _TOLD) or "[null, null]")
        if told is None or told > today + 1:  # its first day begins now
            told, since = today if is_time else today - 1, now
        elif told < today and is_time:
            await self._say(tx, room, f"digest.{today}", since)
            told, since = today, now
        await meta.put(tx, _TOLD, json.dumps([told, since]))
        tx.after(lambda: self._is_told(told))

    def _is_told(self, day: int) -> None:
        self._told = day

    async def _say(self, tx: Tx, room: str, key: str, since: float) -> None:
        day = await self._day(tx, room, since)
        if not day.is_empty:
            await self._outbox.put(tx, room, key, texts.digest(self._rooms.here(room), day))

    async def _day(self, tx: Tx, room: str, since: float) -> Day:
        now = self._live.now()
        meant = [r for r in await requests.since(tx, since) if not only_reads(r.invocation)]
        ended = [r for r in meant if r.ended is not None and r.ended >= since]
        asked = [r for r in meant if r.created >= since and r.state is not State.REJECTED]
        pending = await requests.in_state(tx, State.PENDING)
        came = await store.between(tx, "registered", since, now)
        reported = await store.between(tx, "report", since, now)
        return Day(
            since=since,
            asked=len(asked),
            ended=[r for r in ended if r.state is not State.REJECTED],
            open=[request.id for request in pending],
            came=[notice.account for notice in came],
            reported=[n.account for n in reported if not await self._is_taken(tx, n, asked)],
            problems=len(await self._drift.words(tx, room)),
        )

    async def _is_taken(self, tx: Tx, report: Noticed, asked: Iterable[Request]) -> bool:
        """Somebody looks after it, or asked for something about the account since."""
        for room in self._live.in_force.ops_rooms:
            if await store.looks(tx, room, report.told):
                return True
        later = (r.invocation for r in asked if r.created >= report.at)
        return any(report.account in each.values("user") for each in later)
