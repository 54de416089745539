"""How much of each limit is used: one row a line that was sent, counted in rolling windows.

A line counts from the moment its request begins, so that two requests cannot share the last
place; what was never sent is given back when the request ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..db.connection import Tx
from ..db.rows import insert, marks
from ..model.request import LineState
from ..policy.rules import Rule


async def used(
    tx: Tx, key: str, since: float, mxids: Sequence[str] | None = None, besides: int = 0
) -> tuple[float, ...]:
    """The moments of each use of a limit, oldest first.

    mxids: whose uses count, None for everyone's. besides: a request whose uses do not.
    """
    query = "SELECT at, n FROM sluice_use WHERE key = $1 AND at > $2 AND request <> $3"
    if mxids is not None:
        query += f" AND mxid IN ({marks(mxids, 4)})"
    rows = await tx.fetch(query + " ORDER BY at", key, since, besides, *(mxids or ()))
    return tuple(row["at"] for row in rows for _ in range(row["n"]))


async def use(tx: Tx, key: str, mxid: str, at: float, n: int, request: int, number: int) -> None:
    row = {"key": key, "mxid": mxid, "at": at, "n": n, "request": request, "line": number}
    await insert(tx, "sluice_use", row)


async def give_back(tx: Tx, request: int) -> None:
    """What was never sent does not count."""
    await tx.execute(
        "DELETE FROM sluice_use WHERE request = $1 AND line IN (SELECT number FROM sluice_line"
        " WHERE request = $1 AND (state = $2 OR (state = $3 AND sent_at IS NULL)))",
        request,
        LineState.WAITING.value,
        LineState.SETTLED.value,
    )


async def carry_over(tx: Tx, rules: Iterable[Rule]) -> None:
    """What Sluice 1.0 counted for limits without an id counts for the same limits from now on.

    Its key had no window, so that one counter may go on as several; a use that stands in it once
    for each of them was one use. Finds nothing the second time.
    """
    keys: dict[str, set[str]] = {}
    for rule in rules:
        if rule.verb == "limit" and rule.former:
            keys.setdefault(rule.former, set()).add(rule.key)
    for former, some in keys.items():
        for key in sorted(some):
            await tx.execute(
                "INSERT INTO sluice_use (key, mxid, at, n, request, line)"
                " SELECT DISTINCT CAST($1 AS TEXT), mxid, at, n, request, line FROM sluice_use"
                " WHERE key = $2",
                key,
                former,
            )
        await tx.execute("DELETE FROM sluice_use WHERE key = $1", former)
