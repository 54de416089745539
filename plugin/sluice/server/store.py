"""The accounts that the policy names, as they were looked for: the SQL, and nothing else."""

from __future__ import annotations

from ..db.connection import Tx
from ..db.rows import put

SCHEMA: tuple[str, ...] = ()
SCHEMA_2 = ("CREATE TABLE sluice_named (mxid TEXT PRIMARY KEY, made SMALLINT NOT NULL)",)
"""made: 1 once the account exists."""


async def looked_for(tx: Tx) -> dict[str, bool]:
    """MXID -> whether the account exists, of each that was looked for."""
    return {r["mxid"]: bool(r["made"]) for r in await tx.fetch("SELECT * FROM sluice_named")}


async def remember(tx: Tx, mxid: str, made: bool) -> None:
    await put(tx, "sluice_named", {"mxid": mxid, "made": int(made)}, "mxid")


async def forget(tx: Tx, mxid: str) -> None:
    await tx.execute("DELETE FROM sluice_named WHERE mxid = $1", mxid)
