"""How far each room was read, and which events were handled: the SQL, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from ..db.connection import Row, Tx

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


async def load(tx: Tx, room: str) -> tuple[Cursor, float] | None:
    """The cursor, and when (seconds) the room was last read to its end."""
    row: Row = await tx.fetchrow("SELECT * FROM sluice_cursor WHERE room=$1", room)
    return None if row is None else (Cursor(row["token"], row["last_event"]), row["read_at"])


async def save(tx: Tx, room: str, cursor: Cursor, read_at: float) -> None:
    await tx.execute(
        "INSERT INTO sluice_cursor (room, token, last_event, read_at) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (room) DO UPDATE SET token=excluded.token, "
        "last_event=excluded.last_event, read_at=excluded.read_at",
        room,
        cursor.token,
        cursor.last_event,
        read_at,
    )


async def forget(tx: Tx, room: str) -> None:
    """The room begins anew, behind its newest event, if it is ever read again."""
    await tx.execute("DELETE FROM sluice_cursor WHERE room=$1", room)


async def mark(tx: Tx, room: str, event_id: str, at: float) -> bool:
    """Marks an event as handled; False if it was."""
    got = await tx.fetchval(
        "INSERT INTO sluice_seen (event_id, room, at) VALUES ($1, $2, $3) "
        "ON CONFLICT (event_id) DO NOTHING RETURNING event_id",
        event_id,
        room,
        at,
    )
    return got is not None


async def marked(tx: Tx, ids: Sequence[str]) -> set[str]:
    """Those of the events that were handled."""
    marks = ", ".join(f"${number}" for number in range(1, len(ids) + 1))
    rows = await tx.fetch(f"SELECT event_id FROM sluice_seen WHERE event_id IN ({marks})", *ids)
    return {row["event_id"] for row in rows}


async def prune(tx: Tx, room: str, before: float) -> None:
    await tx.execute("DELETE FROM sluice_seen WHERE room=$1 AND at<$2", room, before)
