"""The private rooms that were made for people: the SQL, and nothing else."""

from __future__ import annotations

from collections.abc import Collection

from ..db.connection import Tx
from ..db.rows import put

SCHEMA = ("CREATE TABLE sluice_private (mxid TEXT PRIMARY KEY, room TEXT NOT NULL)",)


async def rooms(tx: Tx) -> dict[str, str]:
    """The private rooms that were made: MXID -> room."""
    rows = await tx.fetch("SELECT mxid, room FROM sluice_private")
    return {row["mxid"]: row["room"] for row in rows}


async def rooms_of(tx: Tx, mxids: Collection[str]) -> list[str]:
    """Those that were made for these accounts."""
    return [room for mxid, room in (await rooms(tx)).items() if mxid in mxids]


async def keep_room(tx: Tx, mxid: str, room: str) -> None:
    await put(tx, "sluice_private", {"mxid": mxid, "room": room}, "mxid")
