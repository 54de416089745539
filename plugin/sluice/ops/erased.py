"""Events of an ops room that are empty when they are first read: deleted here, or erased from
another room, so that nobody here could see it.

An event that was redacted says so (`unsigned.redacted_because`); one that was sent empty does not.
A redaction of this room stands in its timeline, and its sender may do it here. All else came from
outside, and may have been done to hide a no.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ..db.connection import Database
from ..looks.authority import Authority
from ..matrix.api import PAGE, Homeserver, MatrixError, passing
from ..matrix.late import ENCRYPTED
from ..matrix.model import Handled
from ..matrix.outbox import Outbox
from ..matrix.rooms import RoomView
from ..model.event import RoomEvent, object_in, text_in
from ..model.ids import EventId, RoomId
from ..model.origin import Origin
from ..model.request import Side
from ..requests import erased
from ..requests.desk import Desks
from ..requests.erased import Erasure, What
from ..state import Live

_PAGES = 50  # that are looked through for a redaction, before there is none
_MOST = 10_000  # redactions that are remembered, so that many deleted events are looked up once
_WHAT = {
    "m.reaction": What.TAP,
    "m.room.message": What.WORDS,
    ENCRYPTED: What.WORDS,
    "m.room.redaction": What.REMOVAL,
}


def is_emptied(event: RoomEvent) -> bool:
    """A redacted event whose content could have meant something here."""
    redacted = event.unsigned.get("redacted_because") is not None
    empty = not event.content and event.removes is None
    return redacted and empty and event.type in _WHAT


class Erasures:
    """Of one ops room."""

    def __init__(
        self,
        room: RoomId,
        live: Live,
        outbox: Outbox,
        desk: Desks,
        db: Database,
        homeserver: Homeserver,
        authority: Authority,
        moved: Callable[[], Awaitable[None]],
    ) -> None:
        self._live, self._outbox, self._desk = live, outbox, desk
        self._room, self._db, self._hs = room, db, homeserver
        self._authority, self._moved = authority, moved
        self._removed: dict[str, set[str]] = {}  # event -> who removed it here

    async def take(self, origin: Origin, event: RoomEvent, view: RoomView) -> Handled | None:
        """An event that is empty at its first reading."""
        if self._live.settings is None or not await self._authority.roles(origin):
            return None
        because = object_in(event.unsigned, "redacted_because")
        by, room = text_in(because, "sender"), text_in(because, "room_id")
        if room in ("", self._room):
            if await self._was_removed_here(event, view):
                return None
            by = room = ""  # it does not stand here, whatever it says
        told = Erasure(
            origin.event_id,
            self._room,
            origin.mxid,
            _WHAT[event.type],
            by,
            room,
            may_remove=view.can("redact", origin.mxid),
        )
        return Handled(lambda tx: erased.hold(self._desk(tx, self._room), told), self._moved)

    async def tap(self, origin: Origin, target: EventId, side: Side) -> Handled | None:
        """A yes or no to an alarm about something that was erased."""
        key = await self._db.read(lambda tx: self._outbox.key_of(tx, self._room, target))
        if key is None or not key.startswith(erased.KEY):
            return None
        event_id, by = key.removeprefix(erased.KEY), (origin.mxid, side, origin.event_id)
        return Handled(
            lambda tx: erased.tapped(self._desk(tx, self._room), self._room, event_id, *by),
            self._moved,
        )

    async def _was_removed_here(self, event: RoomEvent, view: RoomView) -> bool:
        """Whether this room's own timeline has a redaction of it, by somebody who may."""
        if not self._stands(event, view):
            await self._look_for(event.id)
        return self._stands(event, view)

    def _stands(self, event: RoomEvent, view: RoomView) -> bool:
        found = self._removed.get(event.id, set())
        return event.sender in found or any(view.can("redact", by) for by in found)

    async def _look_for(self, event_id: str) -> None:
        """Reads the redactions from the newest event back to one page before this one. What the
        server refuses to show is none."""
        if len(self._removed) > _MOST:
            self._removed.clear()
        try:
            await self._look_back(event_id)
        except MatrixError as refused:
            if passing(refused):
                raise

    async def _look_back(self, event_id: str) -> None:
        page, passed = await self._hs.newest(self._room, PAGE), False
        for _ in range(_PAGES):
            for event in page.events:
                if event.removes is not None:
                    self._removed.setdefault(event.removes, set()).add(event.sender)
            if passed or page.end is None or not page.events:
                break
            passed = any(event.id == event_id for event in page.events)
            page = await self._hs.earlier(self._room, page.end)
