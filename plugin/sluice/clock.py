"""What is due, looked at once a second: questions that nobody answered, requests, passwords,
folded floods, seals, the digest.
"""

from __future__ import annotations

from functools import partial

from . import audit
from .announcements import ALIVE, Announcements
from .chat import alarms
from .db import meta
from .db.connection import Database, Tx
from .matrix.outbox import Outbox
from .model.request import State
from .ops.dialog import Dialog
from .passwords.handover import Deliveries
from .requests import reweigh, store
from .requests.desk import Desks
from .requests.finish import HOURGLASS
from .server.digest import Digest
from .server.notices import Notices
from .state import Live, Rooms

_ALIVE_EVERY = 15.0
_HOURGLASS_AFTER = 2.0
_LINE_EVERY = 5.0  # between two looks whether what is approved waits for something else
_WORKING = (State.PENDING, State.EXECUTING)


class Timers:
    def __init__(
        self,
        live: Live,
        rooms: Rooms,
        outbox: Outbox,
        desk: Desks,
        db: Database,
        deliveries: Deliveries,
        dialog: Dialog,
        notices: Notices,
        news: Announcements,
        digest: Digest,
    ) -> None:
        self._live, self._rooms, self._outbox, self._desk = live, rooms, outbox, desk
        self._db, self._deliveries = db, deliveries
        self._dialog, self._notices, self._news = dialog, notices, news
        self._digest = digest
        self._shown: set[str] = set()  # commands that carry an hourglass
        self._alive = self._line_shown = 0.0

    async def tick(self) -> None:
        """Once a second."""
        if self._live.settings is None or not self._rooms.views:
            return
        if self._alive:
            self._news.slept(self._alive)
        await self._news.health_changed()
        gone = self._dialog.due()
        slow = await self._db.read(self._slow)
        due = await self._db.read(self._due)
        alive = self._live.now() - self._alive >= _ALIVE_EVERY
        if gone or slow or due or alive or self._notices.due:

            async def commit(tx: Tx) -> None:
                for question in gone:
                    where, outbox = question.origin, self._outbox
                    await outbox.edit(tx, where.room, question.key, question.late)
                    await outbox.buttons(tx, where.room, question.key, ())
                    tx.after(partial(self._dialog.close, question.key))
                for room, event_id in slow:
                    await self._outbox.buttons(tx, room, event_id, (HOURGLASS,))
                await self._deliveries.tick(tx)
                await self._notices.tick(tx)
                await self._seal(tx)
                await meta.put(tx, ALIVE, str(self._live.now()))

            await self._db.write(commit)  # apart: no request keeps a password where it is
            await self._db.write(lambda tx: reweigh.tick(self._desk(tx)))
            self._alive = self._live.now()
            self._shown |= {event_id for _, event_id in slow}
        if self._digest.due:
            await self._db.write(self._digest.tick)
        await self._show_line()

    async def _show_line(self) -> None:
        now = self._live.now()
        if now - self._line_shown < _LINE_EVERY:
            return
        waiting = await self._db.read(lambda tx: reweigh.in_line(self._desk(tx)))
        if waiting:
            await self._db.write(lambda tx: reweigh.show_line(self._desk(tx)))
            self._line_shown = now

    async def _due(self, tx: Tx) -> bool:
        now = self._live.now()
        next_due = await reweigh.next_due(self._desk(tx))
        return (next_due is not None and next_due <= now) or await self._deliveries.due(tx)

    async def _slow(self, tx: Tx) -> list[tuple[str, str]]:
        """Commands without a card that take longer than two seconds and do not show it yet."""
        before = self._live.now() - _HOURGLASS_AFTER
        working = await store.in_state(tx, *_WORKING)
        self._shown &= {request.command for request in working}
        return [
            (request.room, request.command)
            for request in working
            if not request.slots
            and request.created <= before
            and request.command not in self._shown
        ]

    async def _seal(self, tx: Tx) -> None:
        head, is_told = await audit.seal(tx, self._live.now())
        if head is None:
            return
        for room in self._rooms.told_rooms:
            content = {"entries": head.seq, "head": head.chain}
            await self._outbox.keep(tx, room, audit.SEAL, content)
        if is_told:
            await self._news.say(tx, "seal", alarms.seal(head.seq, head.shown))
