"""Measures everything: `python -m bench.run [--count 2000] [--json FILE] [--only latency,policy]`.

Prints a table and writes JSON. Without CONDUIT_BIN the homeserver is Synapse with the double, with
it that Conduit. Latencies stand beside those of a bare relay that was measured in the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import aiohttp

from lab.bot import Bot
from lab.client import Client
from lab.homeserver import homeserver
from lab.proxy import FaultProxy
from lab.world import World

from .idle import PRIVATE, requests_a_second
from .latency import BARE, Pair, behind_faults, five_at_once, in_turns
from .startup import beside

ROOT = Path(__file__).parent.parent
PARTS = ("latency", "faults", "people", "idle", "start", "policy", "audit")


@dataclass
class Row:
    what: str
    measured: str
    wanted: str
    good: bool


def ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


async def measure(parts: set[str], count: int) -> list[Row]:
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as name:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
            server = homeserver(Path(name) / "homeserver", http)
            proxy = FaultProxy(server.base)
            try:
                await server.start()
                await proxy.start()
                pair = await _pair(await World.create(server), Path(name), proxy)
                rows += await _rows(pair, parts, count)
            finally:
                await proxy.stop()
                await server.stop()
    return rows


async def _pair(world: World, folder: Path, proxy: FaultProxy) -> Pair:
    bare_account: Client = await world.server.bot("bare")
    await world.server.ana.invite(world.ops_room, bare_account.mxid)
    await bare_account.join(world.ops_room)
    bare = Bot(folder / "bare", bare_account, "", plugin=BARE)
    sluice = Bot(folder / "sluice", world.bot_account, world.policy(), base=proxy.base)
    return Pair(world, sluice, bare, proxy)


async def _rows(pair: Pair, parts: set[str], count: int) -> list[Row]:
    rows: list[Row] = []
    real = not pair.world.server.double
    where = f"Conduit {pair.world.server.version}" if real else "Synapse and the double"
    if "latency" in parts:
        pair.sluice.base = pair.world.server.base  # no proxy between them, as for the bare relay
        sluice, bare = await in_turns(pair, count)
        wanted = "at most 20 ms more" if real else "at most 1.5 times"
        good = (
            sluice.median <= bare.median + 0.02 if real else sluice.median <= 1.5 * bare.median
        ) and not sluice.lost
        text = f"{ms(sluice.median)}, bare relay {ms(bare.median)}"
        text += f" ({sluice.median / bare.median:.2f} times)"
        rows.append(Row(f"median of {count} commands, {where}", text, wanted, good))
        late, most = sluice.at(0.999), 0.5 if real else 2.5
        rows.append(Row("the slowest but 0.1 %", ms(late), f"at most {most} s", late <= most))
        lost = f"Sluice {sluice.lost}, bare relay {bare.lost}"
        rows.append(Row("answers lost", lost, "Sluice 0", not sluice.lost))
        pair.sluice.base = pair.proxy.base
    if "faults" in parts:
        times = await behind_faults(pair, count)
        text = f"{times.lost} lost, {times.doubled} doubled, {times.crossed} crossed"
        text += f", the slowest {ms(times.at(1))}"
        clean = not (times.lost or times.doubled or times.crossed)
        rows.append(Row(f"{count} commands behind the fault proxy", text, "none", clean))
        late = times.at(0.999)
        rows.append(Row("the slowest but 0.1 % there", ms(late), "at most 2.5 s", late <= 2.5))
    if "people" in parts:
        alone, last = await five_at_once(pair)
        text = f"{ms(last)}, alone {ms(alone)}"
        rows.append(
            Row("the last of 5 people at once", text, "at most 5 times", last <= 5 * alone)
        )
    if "idle" in parts:
        rate = await requests_a_second(pair.world, pair.sluice, pair.proxy)
        what = f"idle, 3 ops rooms and {PRIVATE} private rooms"
        rows.append(Row(what, f"{rate:.2f} requests a second", "at most 2", rate <= 2))
    if "start" in parts:
        rows += await _start_and_size(pair)
    return rows


async def _start_and_size(pair: Pair) -> list[Row]:
    pair.sluice.base = pair.world.server.base
    sluice, bare = await beside(pair.world, pair.sluice, pair.bare)
    more, grown = sluice.ready - bare.ready, sluice.size - bare.size
    return [
        Row("start, over a bare plugin", ms(more), "at most 1 s", more <= 1),
        Row(
            "memory over it, 1,000 people, 100,000 records",
            f"{grown:.1f} MB, of {sluice.size:.1f}",
            "at most 15 MB",
            grown <= 15,
        ),
    ]


def other(module: str) -> bool:
    """A measurement that needs no homeserver and prints its own table."""
    print(f"\n{module}", flush=True)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'plugin'}:{ROOT}"}
    ran = subprocess.run([sys.executable, "-m", module], env=environment, cwd=ROOT, check=False)
    return ran.returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--json", type=Path, default=ROOT / "bench" / "results" / "run.json")
    parser.add_argument("--only", default=",".join(PARTS), help=f"of {', '.join(PARTS)}")
    args = parser.parse_args()
    parts = set(args.only.split(","))
    rows = asyncio.run(measure(parts, args.count)) if parts - {"policy", "audit"} else []
    for row in rows:
        mark = "ok " if row.good else "NOT"
        print(f"{mark} {row.what:44} {row.measured:44} {row.wanted}")
    good = all(row.good for row in rows)
    for part in ("policy", "audit"):
        if part in parts:
            good = other(f"bench.{part}") and good
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
