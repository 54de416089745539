"""What is kept beside requests: passwords handed over, windows, last lists."""

from __future__ import annotations

from attrs import frozen

from ..db.connection import Tx
from ..db.rows import WORDS, Table, put

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


# --- passwords that were handed over


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


_HANDOVERS = Table("sluice_delivery", Handover, seen_by=WORDS)


async def put_handover(tx: Tx, handed: Handover) -> None:
    await _HANDOVERS.add(tx, handed)


async def handovers(tx: Tx, request: int) -> list[Handover]:
    """All of one request, in the order of its lines."""
    return await _HANDOVERS.all(tx, "WHERE request = $1 ORDER BY number", request)


async def standing(tx: Tx) -> list[Handover]:
    """Every password that stands in a private room."""
    return await _HANDOVERS.all(tx, "WHERE removed = 0 ORDER BY request, number")


async def stands(tx: Tx, room: str) -> bool:
    """Whether a password stands in this room: a join, or a tap, is expected there."""
    query = "SELECT 1 FROM sluice_delivery WHERE removed = 0 AND room = $1 LIMIT 1"
    return await tx.fetchval(query, room) is not None


async def joined(tx: Tx, room: str, at: float) -> None:
    """The recipient is in: the time of what stands there begins now."""
    where = "room = $1 AND removed = 0 AND joined_at IS NULL"
    await _HANDOVERS.change(tx, {"joined_at": at}, where, room)


async def remove(tx: Tx, handed: Handover) -> bool:
    """Marks it as removed; False if it was before."""
    where = "request = $1 AND number = $2 AND removed = 0"
    return await _HANDOVERS.change(tx, {"removed": True}, where, handed.request, handed.number)


# --- windows of open registration


@frozen
class OpenWindow:
    """told: that it could not be closed has been said. newcomers: who registered meanwhile."""

    request: int
    until: float
    told: bool = False
    newcomers: tuple[str, ...] = ()


_WINDOWS = Table("sluice_window", OpenWindow, newcomers=WORDS)


async def open_window(tx: Tx, request: int, until: float | None) -> None:
    """The newest one counts; None: registration is on without an end, or off."""
    await tx.execute("DELETE FROM sluice_window")
    if until is not None:
        await _WINDOWS.add(tx, OpenWindow(request, until))


async def window(tx: Tx) -> OpenWindow | None:
    return await _WINDOWS.one(tx)


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


_LISTS = Table("sluice_list", Listed)


async def put_list(tx: Tx, command: str, listed: Listed) -> None:
    await put(tx, "sluice_list", {"command": command, **_LISTS.row(listed)}, "command")


async def last_list(tx: Tx, command: str) -> Listed | None:
    return await _LISTS.one(tx, "WHERE command = $1", command)
