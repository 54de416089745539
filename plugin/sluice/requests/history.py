"""What is looked up of earlier requests and votes, for `who` and `log`: SQL that only reads.

Accounts are asked about one by one: then an index gives the newest without sorting the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from attrs import frozen

from ..db.connection import Row, Tx
from ..model.request import Request, Vote
from ..typed.parse import users
from . import store

T = TypeVar("T")


@frozen
class Found:
    """The newest requests, newest first, and how many there are in all."""

    requests: tuple[Request, ...]
    total: int


async def requests(tx: Tx, limit: int) -> Found:
    """What everybody asked for."""
    rows = await tx.fetch(f"SELECT * FROM sluice_request ORDER BY id DESC LIMIT {int(limit)}")
    total = await tx.fetchval("SELECT COUNT(*) FROM sluice_request")
    return Found(tuple(map(store.request_of, rows)), int(total))


async def requests_by(tx: Tx, mxids: Sequence[str], limit: int) -> Found:
    """What these accounts asked for."""
    found, total = await _of(tx, "sluice_request", "created", mxids, limit, store.request_of)
    newest = sorted(found, key=lambda request: -request.id)[:limit]
    return Found(tuple(newest), total)


async def votes_by(tx: Tx, mxids: Sequence[str], limit: int) -> tuple[tuple[Vote, ...], int]:
    """What these accounts voted, also where it does not count; and how many votes in all."""
    found, total = await _of(tx, "sluice_vote", "at", mxids, limit, store.vote_of)
    return tuple(sorted(found, key=lambda vote: -vote.at)[:limit]), total


async def _of(
    tx: Tx, table: str, time: str, mxids: Sequence[str], limit: int, read: Callable[[Row], T]
) -> tuple[list[T], int]:
    found: list[T] = []
    total = 0
    for mxid in mxids:
        rows = await tx.fetch(
            f"SELECT * FROM {table} WHERE mxid = $1 ORDER BY {time} DESC LIMIT {int(limit)}", mxid
        )
        found += map(read, rows)
        total += int(await tx.fetchval(f"SELECT COUNT(*) FROM {table} WHERE mxid = $1", mxid))
    return found, total


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
