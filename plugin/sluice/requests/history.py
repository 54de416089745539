"""What is looked up of earlier requests and votes, for `who` and `log`: SQL that only reads.

Accounts are asked about one by one: then an index gives the newest without sorting the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from ..catalog.table import COMMANDS
from ..db.connection import Tx
from ..db.rows import Table
from ..model.command import Invocation, Tag, Type
from ..model.request import Request, State, Vote
from ..typed.parse import users
from .store import REQUESTS, VOTES, next_id

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
    naming = await _naming(tx, [mxid], 1000)
    return [request for request in naming if mxid in users(request.invocation)]


async def _naming(tx: Tx, ids: Sequence[str], limit: int, above: int = 0) -> list[Request]:
    """Those with a higher number that hold one of these words, if only in a list; newest first."""
    held = " OR ".join(f"invocation LIKE ${n} ESCAPE '\\'" for n in range(1, len(ids) + 1))
    where = f"WHERE ({held}) AND id > {int(above)} ORDER BY id DESC LIMIT {int(limit)}"
    return await REQUESTS.all(tx, where, *(f'%"{_escaped(each)}"%' for each in ids))


def _escaped(words: str) -> str:
    return "".join(f"\\{c}" if c in "\\%_" else c for c in words)


_OBJECTS = (Type.USER, Type.ROOM, Type.ALIAS, Type.MXC)
_MOST = 30  # objects of a list that are looked for
_RECENT = 5_000  # requests among which they are looked for: a card waits for it


def objects(what: Invocation) -> tuple[str, ...]:
    """The accounts, rooms and files that it changes something of."""
    command = COMMANDS[what.command]
    if command.tags <= {Tag.READ, Tag.INSPECT}:
        return ()
    params = [param.name for param in command.params if param.type in _OBJECTS]
    return tuple(value for name in params for value in what.values(name))


async def before(tx: Tx, what: Invocation) -> Request | None:
    """Of the earlier requests about the same account, room or file the newest that somebody
    denied, else the newest."""
    wanted = objects(what)[:_MOST]
    if not wanted:
        return None
    above = await next_id(tx) - _RECENT
    found = [
        request
        for request in await _naming(tx, wanted, 100, above)
        if request.state is not State.REJECTED and set(wanted) & set(objects(request.invocation))
    ]
    denied = (request for request in found if request.state is State.DENIED)
    return next(denied, found[0] if found else None)


async def denial(tx: Tx, request: int) -> str:
    """The words of whoever denied it, "" without any."""
    where = "WHERE request = $1 AND side = 'deny' AND cause = '' ORDER BY at DESC LIMIT 1"
    vote = await VOTES.one(tx, where, request)
    return vote.reason if vote is not None else ""
