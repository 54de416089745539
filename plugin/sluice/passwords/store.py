"""What the relay keeps beside requests: passwords handed over, windows, last lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import frozen

from ..db.connection import Row, Tx

SCHEMA: tuple[str, ...] = (
    """CREATE TABLE sluice_delivery (
        request   BIGINT NOT NULL,
        number    BIGINT NOT NULL,
        account   TEXT NOT NULL,
        mxid      TEXT NOT NULL,
        room      TEXT NOT NULL,
        event_id  TEXT NOT NULL,
        seen_by   TEXT NOT NULL,
        sent_at   DOUBLE PRECISION NOT NULL,
        joined_at DOUBLE PRECISION,
        removed   SMALLINT NOT NULL,
        PRIMARY KEY (request, number)
    )""",
    "CREATE INDEX sluice_delivery_open ON sluice_delivery (removed, room)",
    """CREATE TABLE sluice_window (
        request   BIGINT PRIMARY KEY,
        until     DOUBLE PRECISION NOT NULL,
        told      SMALLINT NOT NULL,
        newcomers TEXT NOT NULL
    )""",
    """CREATE TABLE sluice_list (
        command TEXT PRIMARY KEY,
        at      DOUBLE PRECISION NOT NULL,
        octets  BIGINT NOT NULL,
        body    TEXT NOT NULL
    )""",
)


@frozen
class Handover:
    """A password in somebody's private room. account: whose password; mxid: who was given it.

    seen_by: who could read it in the admin room before, empty for one that was replaced.
    joined_at: when the recipient was first seen in the room; None while only invited.
    """

    request: int
    number: int
    account: str
    mxid: str
    room: str
    event_id: str
    sent_at: float
    seen_by: tuple[str, ...] = ()
    joined_at: float | None = None
    removed: bool = False


def _handover(row: Row) -> Handover:
    return Handover(
        request=row["request"],
        number=row["number"],
        account=row["account"],
        mxid=row["mxid"],
        room=row["room"],
        event_id=row["event_id"],
        sent_at=row["sent_at"],
        seen_by=tuple(row["seen_by"].split()),
        joined_at=row["joined_at"],
        removed=bool(row["removed"]),
    )


async def put_handover(tx: Tx, handed: Handover) -> None:
    await tx.execute(
        "INSERT INTO sluice_delivery (request, number, account, mxid, room, event_id, seen_by,"
        " sent_at, joined_at, removed) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0)",
        handed.request,
        handed.number,
        handed.account,
        handed.mxid,
        handed.room,
        handed.event_id,
        " ".join(handed.seen_by),
        handed.sent_at,
        handed.joined_at,
    )


async def handovers(tx: Tx, request: int) -> list[Handover]:
    """All of one request, in the order of its lines."""
    query = "SELECT * FROM sluice_delivery WHERE request = $1 ORDER BY number"
    return [_handover(row) for row in await tx.fetch(query, request)]


async def standing(tx: Tx) -> list[Handover]:
    """Every password that stands in a private room."""
    query = "SELECT * FROM sluice_delivery WHERE removed = 0 ORDER BY request, number"
    return [_handover(row) for row in await tx.fetch(query)]


async def stands(tx: Tx, room: str) -> bool:
    """Whether a password stands in this room: a join, or a tap, is expected there."""
    query = "SELECT 1 FROM sluice_delivery WHERE removed = 0 AND room = $1 LIMIT 1"
    return await tx.fetchval(query, room) is not None


async def joined(tx: Tx, room: str, at: float) -> None:
    """The recipient is in: the time of what stands there begins now."""
    await tx.execute(
        "UPDATE sluice_delivery SET joined_at = $2"
        " WHERE room = $1 AND removed = 0 AND joined_at IS NULL",
        room,
        at,
    )


async def remove(tx: Tx, handed: Handover) -> bool:
    """Marks it as removed; False if it was before."""
    done = await tx.fetchval(
        "UPDATE sluice_delivery SET removed = 1"
        " WHERE request = $1 AND number = $2 AND removed = 0 RETURNING 1",
        handed.request,
        handed.number,
    )
    return done is not None


# --- windows of open registration


@frozen
class Window:
    """told: that it could not be closed has been said. newcomers: who registered meanwhile."""

    request: int
    until: float
    told: bool = False
    newcomers: tuple[str, ...] = ()


async def open_window(tx: Tx, request: int, until: float | None) -> None:
    """The newest one counts; None: registration is on without an end, or off."""
    await tx.execute("DELETE FROM sluice_window")
    if until is not None:
        await tx.execute(
            "INSERT INTO sluice_window (request, until, told, newcomers) VALUES ($1, $2, 0, '')",
            request,
            until,
        )


async def window(tx: Tx) -> Window | None:
    row = await tx.fetchrow("SELECT * FROM sluice_window")
    if row is None:
        return None
    newcomers = tuple(row["newcomers"].split())
    return Window(row["request"], row["until"], bool(row["told"]), newcomers)


async def came(tx: Tx, mxid: str) -> None:
    """Somebody registered; nothing where no window is open."""
    await tx.execute("UPDATE sluice_window SET newcomers = newcomers || $1", f"{mxid} ")


async def tell_window(tx: Tx) -> None:
    await tx.execute("UPDATE sluice_window SET told = 1")


# --- the last answer of commands whose answers grow


@frozen
class Listed:
    """octets: of the whole answer. body: the answer itself; it holds no secret."""

    at: float
    octets: int
    body: str


async def put_list(tx: Tx, command: str, listed: Listed) -> None:
    values: Sequence[Any] = (command, listed.at, listed.octets, listed.body)
    await tx.execute(
        "INSERT INTO sluice_list (command, at, octets, body) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (command) DO UPDATE SET at = excluded.at, octets = excluded.octets,"
        " body = excluded.body",
        *values,
    )


async def last_list(tx: Tx, command: str) -> Listed | None:
    row = await tx.fetchrow("SELECT * FROM sluice_list WHERE command = $1", command)
    return Listed(row["at"], row["octets"], row["body"]) if row else None
