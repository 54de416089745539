"""How fast the log is when it is long: `python -m bench.audit [RECORDS] [--json FILE]`.

On SQLite with synchronous=FULL, as the bot runs; the medians and the worst of 200, in ms, against
the 50 ms that nobody should wait for a page of the log, at 100,000 records.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from typing import Any

from mautrix.util.async_db import Database as Inner

from sluice import audit
from sluice.db import meta
from sluice.db.connection import Database
from tests.fake.log import follow_all

PEOPLE = [f"person{n}" for n in range(50)]
KINDS = ("asked", "vote", "intent", "outcome", "ended")
LIMIT = 50.0  # ms


async def fill(db: Database, count: int) -> None:
    for start in range(0, count, 5_000):

        async def block(tx: Any, start: int = start) -> None:
            for n in range(start, min(start + 5_000, count)):
                await audit.append(tx, 1.7e9 + n, KINDS[n % 5], record(n))

        await db.write(block)


def record(n: int) -> dict[str, object]:
    request = n // 5
    person = "ana" if request % 2 else PEOPLE[request % len(PEOPLE)]  # half of it is ana's
    return {
        "request": request,
        "room": "!opsroom:example.org",
        "mxid": f"@{person}:example.org",
        "person": person,
        "command": f"deactivate @spam{request}:example.org",
        "digest": "0123456789abcdef" * 4,
        "rules": ["cleanup", "destructive", "wipes"],
        "votes": [["@cy:example.org", "cy", "$" + "e" * 43, "reaction"]],
    }


async def timed(what: Callable[[], Awaitable[object]], times: int = 200) -> dict[str, float]:
    took = []
    for _ in range(times):
        start = time.perf_counter()
        await what()
        took.append((time.perf_counter() - start) * 1000)
    return {"median": median(took), "worst": max(took)}


async def measure(path: Path, count: int) -> dict[str, dict[str, float]]:
    inner = Inner.create(f"sqlite:{path}", db_args={"min_size": 1, "max_size": 1})
    await inner.start()
    db = Database(inner)

    async def make(tx: Any) -> None:
        for statement in (*meta.SCHEMA, *audit.SCHEMA):
            await tx.execute(statement)

    def read(**wanted: Any) -> Callable[[], Awaitable[object]]:
        return lambda: db.read(lambda tx: audit.page(tx, **wanted))

    try:
        await db.write(make)
        await fill(db, count)
        return {
            "!log": await timed(read(kinds=("ended", "rejected"))),
            "!log @ana (half of all)": await timed(
                read(person="ana", kinds=("ended", "rejected"))
            ),
            "!log @person7": await timed(read(person="person7", kinds=("ended", "rejected"))),
            "!log 12": await timed(read(request=12)),
            "append, committed": await timed(
                lambda: db.write(lambda tx: audit.append(tx, 2e9, "intent", record(7)))
            ),
            "seal": await timed(lambda: db.write(lambda tx: audit.seal(tx, 2e9))),
            "check of the whole chain": await timed(lambda: db.read(follow_all), times=1),
        }
    finally:
        await inner.stop()


def main(argv: list[str]) -> int:
    count = int(argv[0]) if argv and argv[0].isdecimal() else 100_000
    with tempfile.TemporaryDirectory() as folder:
        table = asyncio.run(measure(Path(folder) / "bench.db", count))
    print(f"{count:,} records{'':<16} median ms   worst ms")
    for name, row in table.items():
        print(f"{name:<32} {row['median']:>8.1f}   {row['worst']:>8.1f}")
    if "--json" in argv:
        text = json.dumps({"records": count, "ms": table}, indent=1)
        Path(argv[argv.index("--json") + 1]).write_text(text)
    waits = {name: row for name, row in table.items() if not name.startswith("check")}
    return int(any(row["median"] > LIMIT for row in waits.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
