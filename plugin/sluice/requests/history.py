"""What is looked up of earlier requests and votes, for `who` and `log`: SQL that only reads.

Accounts are asked about one by one: then an index gives the newest without sorting the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from ..db.connection import Tx
from ..db.rows import Table
from ..model.request import Request, Vote
from ..typed.parse import users
from .store import REQUESTS, VOTES

T = TypeVar("T")


async def requests(
    tx: Tx, limit: int, mxids: Sequence[str] | None = None, *, lookups: bool = False
) -> list[Request]:
    """What was asked for, the newest first. mxids: by these accounts; lookups: also what only
    looked, and was allowed."""
    found: list[Request] = []
    for which in (0, 1) if lookups else (0,):
        found += await _newest(tx, REQUESTS, "created", limit, mxids, f"lookup = {which}")
    return sorted(found, key=lambda request: -request.id)[:limit]


async def votes_by(tx: Tx, mxids: Sequence[str], limit: int) -> list[Vote]:
    """What these accounts voted, also where it does not count."""
    found = await _newest(tx, VOTES, "at", limit, mxids)
    return sorted(found, key=lambda vote: -vote.at)[:limit]


async def lookups(tx: Tx, since: float, limit: int, mxids: Sequence[str] | None = None) -> int:
    """How many requests since then only looked; no more than `limit` are counted."""
    start = "SELECT COUNT(*) FROM (SELECT 1 FROM sluice_request WHERE lookup = 1"
    end = f"LIMIT {int(limit)}) AS found"
    if mxids is None:
        return int(await tx.fetchval(f"{start} AND created >= $1 {end}", since))
    each = [
        int(await tx.fetchval(f"{start} AND created >= $1 AND mxid = $2 {end}", since, mxid))
        for mxid in mxids
    ]
    return sum(each)


async def _newest(
    tx: Tx,
    table: Table[T],
    time: str,
    limit: int,
    mxids: Sequence[str] | None,
    which: str = "",
) -> list[T]:
    """which: a further condition, of an index that has it before the time."""
    found: list[T] = []
    for whose in [()] if mxids is None else [(mxid,) for mxid in mxids]:
        terms = [*("mxid = $1" for _ in whose), *([which] if which else [])]
        rest = f"WHERE {' AND '.join(terms)} ORDER BY {time} DESC LIMIT {int(limit)}"
        found += await table.all(tx, rest, *whose)
    return found


async def about(tx: Tx, mxid: str) -> list[Request]:
    """Requests that name this account, the newest first."""
    escaped = "".join(f"\\{c}" if c in "\\%_" else c for c in mxid)
    where = "WHERE invocation LIKE $1 ESCAPE '\\' ORDER BY id DESC LIMIT 1000"
    naming = await REQUESTS.all(tx, where, f'%"{escaped}"%')
    return [request for request in naming if mxid in users(request.invocation)]
