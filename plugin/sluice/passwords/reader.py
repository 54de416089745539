"""A private room: the recipient's join starts a password's time, a tap ends it; no more."""

from __future__ import annotations

from ..catalog.table import find
from ..db.connection import Tx
from ..matrix.model import Handled
from ..matrix.outbox import Outbox
from ..model.event import RoomEvent
from ..model.ids import RoomId
from ..model.request import Side
from ..state import Live, Rooms
from ..typed import read
from . import texts as texts
from .handover import Deliveries


class PrivateRoom:
    def __init__(
        self, room: str, live: Live, rooms: Rooms, outbox: Outbox, deliveries: Deliveries
    ) -> None:
        self._live, self._rooms, self._outbox = live, rooms, outbox
        self.room, self._deliveries = RoomId(room), deliveries

    async def take(self, event: RoomEvent) -> Handled | None:
        if event.sender == self._live.me:
            commit = self._outbox.seen(event)
            return Handled(commit) if commit else None
        if event.type == "m.room.member" and event.content.get("membership") == "join":
            return Handled(lambda tx: self._deliveries.joined(tx, self.room))
        if event.type == "m.reaction":
            return self._tap(event)
        if event.type == "m.room.message":
            return self._message(event)
        return None

    def _tap(self, event: RoomEvent) -> Handled | None:
        tap = read.reaction(event.content)
        if tap is None or tap.side is not Side.APPROVE:
            return None
        target = tap.event_id
        return Handled(lambda tx: self._deliveries.tapped(tx, self.room, target, event.sender))

    def _message(self, event: RoomEvent) -> Handled | None:
        """A command here never runs; that is said once for each, to who has a role."""
        if not self._rooms.has_role(event.sender):
            return None
        prefix = self._live.settings.prefix if self._live.settings else "!"
        typed = read.read(event.content, bot=self._live.me, prefix=prefix)
        word = getattr(typed, "word", None)
        if word is None or find(word) is None:
            return None
        key = event.id

        async def commit(tx: Tx) -> None:
            outbox = self._outbox
            await outbox.put(tx, self.room, f"reply.{key}", texts.wrong_room(), reply_to=key)

        return Handled(commit)
