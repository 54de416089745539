"""A few words that an installation keeps about itself: key and value.

The nonce is one of them. It is random and made with the database, so that no txn id of an earlier
database can meet one of this: Conduit keeps txn ids for ever, and answers a known one with the
old event (docs/conduit.md, "Transaction ids").
"""

from __future__ import annotations

import base64
import hashlib
import secrets

from . import rows
from .connection import Tx

SCHEMA = ("CREATE TABLE sluice_meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)",)
NONCE = "nonce"


async def get(tx: Tx, key: str) -> str | None:
    value: str | None = await tx.fetchval("SELECT value FROM sluice_meta WHERE key=$1", key)
    return value


async def keys(tx: Tx, start: str) -> list[str]:
    """All that begin like this, which has neither % nor _ in it."""
    query = "SELECT key FROM sluice_meta WHERE key LIKE $1 ORDER BY key"
    return [row["key"] for row in await tx.fetch(query, f"{start}%")]


async def put(tx: Tx, key: str, value: str) -> None:
    await rows.put(tx, "sluice_meta", {"key": key, "value": value}, "key")


async def drop(tx: Tx, key: str) -> None:
    await tx.execute("DELETE FROM sluice_meta WHERE key=$1", key)


def txn_id(nonce: str, kind: str, room: str, *what: object) -> str:
    """A txn id that is the same after a crash and never that of anything else.

    Conduit scopes it to (user, device) only, neither room nor event type: both are in it.
    """
    text = "\0".join((nonce, kind, room, *map(str, what)))
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode()[:22]


async def nonce(tx: Tx) -> str:
    """The installation's own; made at the first call."""
    known = await get(tx, NONCE)
    if known is None:
        known = secrets.token_urlsafe(12)
        await put(tx, NONCE, known)
    return known
