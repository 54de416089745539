"""Which rooms are sealed, and whether an event is of one: what was said there is shown to nobody.

Sealed are the admin room, where passwords are typed and answered in clear, and every room in
which Sluice talks with one person. A room that was sealed once stays so, whatever becomes of it:
what was said in it does not change.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from enum import Enum

from ..db import meta
from ..db.connection import Database, Tx
from ..db.rows import insert
from ..model.event import Json
from .api import Homeserver, MatrixError, Refused

SCHEMA = ()
SCHEMA_2 = (
    "CREATE TABLE sluice_sealed (room TEXT PRIMARY KEY)",
    "INSERT INTO sluice_sealed (room) "
    "SELECT room FROM sluice_private UNION SELECT room FROM sluice_delivery",
)
_ADMIN = "admin room"  # in the database
CHATS = "chats"  # in the database: private chats that were accepted, a list of rooms
_AT_ONCE = 10  # rooms that are asked side by side
_WITHIN = 10.0  # seconds for all of them


async def seal(tx: Tx, room: str) -> None:
    """From now on, and for ever."""
    await insert(tx, "sluice_sealed", {"room": room}, "ON CONFLICT (room) DO NOTHING")


async def seal_admin(tx: Tx, room: str) -> None:
    """The admin room; which one it is is kept for the day on which no address leads there."""
    await seal(tx, room)
    await meta.put(tx, _ADMIN, room)


async def admin_room(tx: Tx) -> str | None:
    """The one that was read last; its id is for owners only."""
    return await meta.get(tx, _ADMIN)


async def rooms(tx: Tx) -> frozenset[str]:
    """All of them."""
    rows = await tx.fetch("SELECT room FROM sluice_sealed")
    chats = json.loads(await meta.get(tx, CHATS) or "[]")
    return frozenset((*(str(row["room"]) for row in rows), *chats))


class Seal(Enum):
    """What is known of one event."""

    OPEN = "open"  # no sealed room shows it to us
    SEALED = "sealed"
    UNSURE = "unsure"  # a room could not be asked: as good as sealed


class Sealed:
    def __init__(self, db: Database, homeserver: Homeserver) -> None:
        self._db, self._hs = db, homeserver

    async def rooms(self) -> frozenset[str]:
        return await self._db.read(rooms)

    async def of_event(self, event_id: str) -> Seal:
        """Asks every sealed room, before anybody else is asked for the event.

        Conduit shows an event under any room's address, so the room in its answer counts
        (`Homeserver.event`). What a sealed room does not show us is not known here: therefore what
        is shown afterwards is looked at once more (`keeps`).
        """
        few = asyncio.Semaphore(_AT_ONCE)

        async def ask(room: str) -> Seal:
            async with few:
                return await self._in(room, event_id)

        try:
            asked = asyncio.gather(*map(ask, await self.rooms()))
            found = await asyncio.wait_for(asked, _WITHIN)
        except asyncio.TimeoutError:
            return Seal.UNSURE
        return next((seal for seal in (Seal.SEALED, Seal.UNSURE) if seal in found), Seal.OPEN)

    async def _in(self, room: str, event_id: str) -> Seal:
        try:
            event = await self._hs.event(room, event_id)
        except Refused as refused:
            hidden = refused.status == 403 and refused.errcode == "M_FORBIDDEN"
            return Seal.OPEN if hidden else Seal.UNSURE
        except MatrixError:
            return Seal.UNSURE
        return Seal.OPEN if event is None else Seal.SEALED

    async def keeps(self, event: Json) -> bool:
        """Whether nothing of an event may be shown: it is of no room that is known to be open, or
        something in it is of a sealed one (`redacted_because` can be)."""
        room = event.get("room_id")
        if not isinstance(room, str) or not room.startswith("!"):
            return True
        sealed = await self.rooms()
        return any(word in sealed for word in _words(event))


def _words(value: object) -> Iterable[str]:
    """Every text at any place of a JSON value; without recursion, for it may be deep."""
    left = [value]
    while left:
        each = left.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, Mapping):
            left += each.values()
        elif isinstance(each, list):
            left += each
