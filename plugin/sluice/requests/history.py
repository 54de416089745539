"""What is looked up of earlier requests and votes, for `who` and `log`: SQL that only reads.

Accounts are asked about one by one: then an index gives the newest without sorting the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from attrs import frozen

from ..db.connection import Tx
from ..db.rows import Table
from ..model.request import Request, Vote
from ..typed.parse import users
from .store import REQUESTS, VOTES

T = TypeVar("T")


@frozen
class Newest:
    """The newest requests, newest first, and how many there are in all."""

    requests: tuple[Request, ...]
    total: int


async def requests(tx: Tx, limit: int) -> Newest:
    """What everybody asked for."""
    newest = await REQUESTS.all(tx, f"ORDER BY id DESC LIMIT {int(limit)}")
    return Newest(tuple(newest), await REQUESTS.count(tx))


async def requests_by(tx: Tx, mxids: Sequence[str], limit: int) -> Newest:
    """What these accounts asked for."""
    found, total = await _of(tx, REQUESTS, "created", mxids, limit)
    newest = sorted(found, key=lambda request: -request.id)[:limit]
    return Newest(tuple(newest), total)


async def votes_by(tx: Tx, mxids: Sequence[str], limit: int) -> tuple[tuple[Vote, ...], int]:
    """What these accounts voted, also where it does not count; and how many votes in all."""
    found, total = await _of(tx, VOTES, "at", mxids, limit)
    return tuple(sorted(found, key=lambda vote: -vote.at)[:limit]), total


async def _of(
    tx: Tx, table: Table[T], time: str, mxids: Sequence[str], limit: int
) -> tuple[list[T], int]:
    found: list[T] = []
    total = 0
    for mxid in mxids:
        newest = f"WHERE mxid = $1 ORDER BY {time} DESC LIMIT {int(limit)}"
        found += await table.all(tx, newest, mxid)
        total += await table.count(tx, "WHERE mxid = $1", mxid)
    return found, total


async def about(tx: Tx, mxid: str) -> Newest:
    """Requests that name this account."""
    escaped = "".join(f"\\{c}" if c in "\\%_" else c for c in mxid)
    where = "WHERE invocation LIKE $1 ESCAPE '\\' ORDER BY id DESC LIMIT 1000"
    naming = await REQUESTS.all(tx, where, f'%"{escaped}"%')
    found = [request for request in naming if mxid in users(request.invocation)]
    return Newest(tuple(found), len(found))
