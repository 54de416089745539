"""How far each room was read, and which events were handled: the SQL, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from ..db.connection import Tx
from ..db.rows import Table, insert, marks, put

SCHEMA = (
    """CREATE TABLE sluice_cursor (
        room       TEXT PRIMARY KEY,
        token      TEXT NOT NULL,
        last_event TEXT NOT NULL,
        read_at    DOUBLE PRECISION NOT NULL
    )""",
    """CREATE TABLE sluice_seen (
        event_id TEXT PRIMARY KEY,
        room     TEXT NOT NULL,
        at       DOUBLE PRECISION NOT NULL
    )""",
)


@frozen
class Cursor:
    """token: read what comes after it. last_event: the id of what was read last before it."""

    token: str
    last_event: str


_CURSORS = Table("sluice_cursor", Cursor)


async def load(tx: Tx, room: str) -> tuple[Cursor, float] | None:
    """The cursor, and when (seconds) the room was last read to its end."""
    row = await tx.fetchrow("SELECT * FROM sluice_cursor WHERE room=$1", room)
    return None if row is None else (_CURSORS.of(row), row["read_at"])


async def save(tx: Tx, room: str, cursor: Cursor, read_at: float) -> None:
    row = {"room": room, **_CURSORS.row(cursor), "read_at": read_at}
    await put(tx, "sluice_cursor", row, "room")


async def forget(tx: Tx, room: str) -> None:
    """The room begins anew, behind its newest event, if it is ever read again."""
    await tx.execute("DELETE FROM sluice_cursor WHERE room=$1", room)


async def mark(tx: Tx, room: str, event_id: str, at: float) -> bool:
    """Marks an event as handled; False if it was."""
    row = {"event_id": event_id, "room": room, "at": at}
    return await insert(tx, "sluice_seen", row, "ON CONFLICT (event_id) DO NOTHING")


async def marked(tx: Tx, ids: Sequence[str]) -> set[str]:
    """Those of the events that were handled."""
    query = f"SELECT event_id FROM sluice_seen WHERE event_id IN ({marks(ids)})"
    rows = await tx.fetch(query, *ids)
    return {row["event_id"] for row in rows}


async def prune(tx: Tx, room: str, before: float) -> None:
    await tx.execute("DELETE FROM sluice_seen WHERE room=$1 AND at<$2", room, before)
