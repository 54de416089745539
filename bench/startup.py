"""How long a start takes and how much memory it needs, over a bare plugin in the same maubot.

With 1,000 people in the policy and 100,000 records in the log, on SQLite, nothing pending. Ready
is when what was missed is read and Conduit has answered; maubot itself is ready when it says so.
"""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path
from statistics import median

from attrs import frozen
from mautrix.util.async_db import Database as Inner

from lab.bot import Bot
from lab.world import World
from sluice.db.connection import Database

from .audit import fill

PEOPLE, RECORDS, STARTS = 1_000, 100_000, 3
SETTLED = 8.0  # seconds after which memory is looked at: the log was checked meanwhile


@frozen
class Cost:
    """Of one plugin: seconds from the start of the process, MB resident. Medians."""

    ready: float
    size: float


def many_people(world: World) -> str:
    """The example policy with a thousand more people, in roles like its own."""
    people = [f"p{n}" for n in range(PEOPLE)]
    named = "".join(f'    {name}: "@{name}:other.example"\n' for name in people)
    policy = world.policy().replace("  people:\n", f"  people:\n{named}")
    more = f"    reader: {{members: [{', '.join(people)}], inherits: helper}}\n"
    return policy.replace("  roles:\n", f"  roles:\n{more}")


async def lengthen(bot: Bot, records: int = RECORDS) -> None:
    """The log of a bot that is not running."""
    inner = Inner.create(bot.database)
    await inner.start()
    database = Database(inner)
    await fill(database, records)
    await database.stop()
    await inner.stop()


async def _start(bot: Bot, ready: str) -> Cost:
    """ready: what its log says when it is."""
    begun = time.perf_counter()
    await bot.start(wait=False)
    await bot.process.logs(ready)
    took = time.perf_counter() - begun
    await asyncio.sleep(SETTLED)
    status = Path(f"/proc/{bot.process.pid}/status").read_text()
    await bot.stop()
    return Cost(took, int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024)


def _median(costs: list[Cost]) -> Cost:
    return Cost(median(cost.ready for cost in costs), median(cost.size for cost in costs))


async def beside(world: World, sluice: Bot, bare: Bot, starts: int = STARTS) -> tuple[Cost, Cost]:
    """Of Sluice and of the bare plugin, in turns."""
    sluice.set_policy(many_people(world))
    await sluice.start()
    await sluice.process.logs("Sluice is ready")
    await sluice.stop()
    await lengthen(sluice)
    ours: list[Cost] = []
    theirs: list[Cost] = []
    for _ in range(starts):
        ours.append(await _start(sluice, "Sluice is ready"))
        theirs.append(await _start(bare, "running forever"))
    return _median(ours), _median(theirs)
