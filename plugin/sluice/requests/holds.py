"""Requests that wait because a word was erased before it could be read, or may be a no: the SQL,
and nothing else.

One row for each such event and request. It holds while nobody has released it and its request is
open; rows are kept, as those of requests are.
"""

from __future__ import annotations

from attrs import frozen

from ..db.connection import Tx
from ..db.rows import Table
from ..model.request import State

SCHEMA: tuple[str, ...] = ()

SCHEMA_2: tuple[str, ...] = (
    """CREATE TABLE sluice_hold (
        event_id TEXT NOT NULL,
        request  BIGINT NOT NULL,
        room     TEXT NOT NULL,
        mxid     TEXT NOT NULL,
        eraser   TEXT NOT NULL,
        origin   TEXT NOT NULL,
        at       DOUBLE PRECISION NOT NULL,
        released TEXT NOT NULL,
        PRIMARY KEY (event_id, request)
    )""",
    "CREATE INDEX sluice_hold_request ON sluice_hold (request)",
)

SCHEMA_3 = ("ALTER TABLE sluice_hold ADD COLUMN until DOUBLE PRECISION",)

_STANDS = (
    "released = '' AND EXISTS (SELECT 1 FROM sluice_request WHERE id = sluice_hold.request"
    f" AND state IN ('{State.PENDING.value}', '{State.EXECUTING.value}'))"
)


@frozen
class Hold:
    """event_id: what was erased, or may be a no. mxid: who had sent it. eraser, origin: who erased
    it and from which room, "" where that is not known. released: by whom, "" while it holds.
    until: when it ends by itself, of what may be a no; never, of what was erased."""

    event_id: str
    request: int
    room: str
    mxid: str
    eraser: str
    origin: str
    at: float
    released: str = ""
    until: float | None = None


_HOLDS = Table("sluice_hold", Hold)


async def add(tx: Tx, hold: Hold) -> None:
    await _HOLDS.add(tx, hold, "ON CONFLICT DO NOTHING")


async def all_of(tx: Tx, event_id: str) -> list[Hold]:
    """Every hold that one erased event has made."""
    return await _HOLDS.all(tx, "WHERE event_id = $1 ORDER BY request", event_id)


async def of_event(tx: Tx, event_id: str) -> list[Hold]:
    """Those of them that stand."""
    where = f"WHERE event_id = $1 AND {_STANDS} ORDER BY request"
    return await _HOLDS.all(tx, where, event_id)


async def of_request(tx: Tx, request: int) -> list[Hold]:
    where = f"WHERE request = $1 AND {_STANDS} ORDER BY at, event_id"
    return await _HOLDS.all(tx, where, request)


async def doubts(tx: Tx, request: int) -> list[Hold]:
    """Those that what may be a no has made, also the released ones."""
    return await _HOLDS.all(tx, "WHERE request = $1 AND until IS NOT NULL", request)


async def ending(tx: Tx) -> list[Hold]:
    """Those that stand and end by themselves, the first first."""
    return await _HOLDS.all(tx, f"WHERE until IS NOT NULL AND {_STANDS} ORDER BY until")


async def waiting_for(tx: Tx, room: str, mxid: str) -> set[int]:
    """The requests of a room that are held because of this account."""
    query = f"SELECT request FROM sluice_hold WHERE room = $1 AND mxid = $2 AND {_STANDS}"
    return {row["request"] for row in await tx.fetch(query, room, mxid)}


async def requests(tx: Tx) -> set[int]:
    """All that are held."""
    rows = await tx.fetch(f"SELECT request FROM sluice_hold WHERE {_STANDS}")
    return {row["request"] for row in rows}


async def release(tx: Tx, hold: Hold, by: str) -> None:
    where = "event_id = $1 AND request = $2"
    await _HOLDS.change(tx, {"released": by}, where, hold.event_id, hold.request)
