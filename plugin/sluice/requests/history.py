"""What is looked up of earlier requests and votes, for `who` and `log`: SQL that only reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import frozen

from ..catalog.parse import users
from ..db.connection import Tx
from . import store
from .model import Request, Vote


@frozen
class Found:
    """The newest of something, newest first, and how many there are in all."""

    requests: tuple[Request, ...]
    total: int


async def requests(tx: Tx, mxids: Sequence[str] = (), limit: int = 100) -> Found:
    """What these accounts asked for; without any, what everybody did."""
    where = f"WHERE mxid IN ({store.marks(mxids)})" if mxids else ""
    rows = await tx.fetch(
        f"SELECT * FROM sluice_request {where} ORDER BY id DESC LIMIT {int(limit)}", *mxids
    )
    total = await tx.fetchval(f"SELECT COUNT(*) FROM sluice_request {where}", *mxids)
    return Found(tuple(map(store.request_of, rows)), int(total))


async def about(tx: Tx, mxid: str) -> Found:
    """Requests that name this account."""
    escaped = "".join(f"\\{c}" if c in "\\%_" else c for c in mxid)
    rows = await tx.fetch(
        "SELECT * FROM sluice_request WHERE invocation LIKE $1 ESCAPE '\\' ORDER BY id DESC"
        " LIMIT 1000",
        f'%"{escaped}"%',
    )
    found = [r for r in map(store.request_of, rows) if mxid in users(r.invocation)]
    return Found(tuple(found), len(found))


async def votes(tx: Tx, mxids: Sequence[str], limit: int = 100) -> tuple[tuple[Vote, ...], int]:
    """What these accounts voted, also where it does not count."""
    args: tuple[Any, ...] = tuple(mxids)
    where = f"WHERE mxid IN ({store.marks(mxids)})"
    rows = await tx.fetch(
        f"SELECT * FROM sluice_vote {where} ORDER BY at DESC LIMIT {int(limit)}", *args
    )
    total = await tx.fetchval(f"SELECT COUNT(*) FROM sluice_vote {where}", *args)
    return tuple(map(store.vote_of, rows)), int(total)
