"""Real deaths during approvals: `python -m tests.e2e.kills 200`.

Each round somebody asks to deactivate an account, somebody approves, and the bot is killed
(kill -9) and started again. In every second round Conduit dies with it and forgets its queue. A
second card gets only votes that do not count; it must never run. In the end the lines in the admin
room are counted, accounts are asked by signing in, and how many deaths fell between the INTENT and
the OUTCOME of a line is counted from the audit log of the database that the death left behind.

With CONDUIT_BIN the homeserver is that Conduit; with SLUICE_DB=postgres the bot's database is
PostgreSQL.

Where the bot is when it dies:
    any moment   up to a quarter of a second after the last vote
    on its way   the line has left the bot, and arrives when it is dead, after it is back, or never
    in the queue Conduit has the line and has not begun (with the double; else as `answered`)
    answered     the answer stands in the admin room, and the bot has not read it
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from lab.client import Client
from lab.homeserver import Homeserver, homeserver
from lab.proxy import FaultProxy, Rule
from lab.world import World
from tests.e2e.office import Card, Office
from tests.fake.postgres import postgres

PEOPLE = (("bo", "cy"), ("cy", "bo"), ("ana", "cy"), ("bo", "dan"))  # who asks, who approves
MODES = ("any moment", "on its way", "in the queue", "answered")
WEIGHTS = (3, 3, 4, 3)
END = r"^(✅|❌|❗|⛔) .* · #{0}\b"


@dataclass
class Asked:
    """One request. wanted: it has its votes."""

    card: Card
    target: Client
    wanted: bool


@dataclass
class Killing:
    office: Office
    proxy: FaultProxy
    random: random.Random
    asked: list[Asked] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    @property
    def server(self) -> Homeserver:
        return self.office.world.server

    # --- one round

    async def round(self, number: int) -> None:
        mode = self.random.choices(MODES, WEIGHTS)[0]
        asker, voter = self.random.choice(PEOPLE)
        decoy = await self._decoy() if number % 3 == 0 else None
        target = await self.office.account("dead")
        card = await self.office.card(asker, f"!deactivate {target.mxid} reason round {number}")
        asked = Asked(card, target, True)
        self.asked.append(asked)
        await self._die(mode, voter, asked, forgets=number % 2 == 0)
        await self._judge(asked)
        if decoy is not None:
            await self.office.says("dan", f"!cancel {decoy.card.number}")
            await self.office.says_of(decoy.card, "Cancelled")

    async def _decoy(self) -> Asked:
        """A card with votes that do not count: the asker's own, and a stranger's."""
        target = await self.office.account("decoy")
        card = await self.office.card("bo", f"!deactivate {target.mxid} reason decoy")
        for who, key in (("bo", "✅"), ("bob", "👍"), ("eve", "✅")):
            await self.office.taps(who, card, key)
        asked = Asked(card, target, False)
        self.asked.append(asked)
        return asked

    async def _die(self, mode: str, voter: str, asked: Asked, *, forgets: bool) -> None:
        """Votes, kills at the wanted place, and starts again."""
        here: dict[str, Callable[[Asked], Awaitable[Callable[[], Awaitable[None]] | None]]] = {
            "any moment": self._any_moment,
            "on its way": self._on_its_way,
            "in the queue": self._in_the_queue,
            "answered": self._answered,
        }
        prepared = asyncio.create_task(here[mode](asked))
        await asyncio.sleep(0)  # the trap is set before the vote
        await self.office.taps(voter, asked.card)
        release = await prepared
        await self.office.bot.kill()
        self.counts["kills"] += 1
        self.counts[mode] += 1
        out = await self._between()
        self.counts["between INTENT and OUTCOME"] += out > 0
        if forgets:
            await self._forget()
            self.counts["with Conduit's queue lost"] += 1
        if release is not None:
            await release()
        await self.office.bot.start()
        self.proxy.clear()

    async def _forget(self) -> None:
        if self.server.double:
            lost = await self.server.double.restart()
            self.counts["lines lost in the queue"] += len(lost)
        else:
            await self.server.restart()

    # --- where it dies

    async def _any_moment(self, asked: Asked) -> None:
        await asyncio.sleep(self.random.uniform(0.02, 0.25))

    async def _on_its_way(self, asked: Asked) -> Callable[[], Awaitable[None]] | None:
        path = f"{re.escape(self.server.admin_room)}/send/"
        rule = self.proxy.add(self.random.choice(("held", "held", "cut")), method="PUT", path=path)
        await self._hit(rule, "no line was sent")
        if rule.fault == "cut" or self.random.random() < 0.5:
            return None  # never, or only when the bot is back

        async def arrives_while_dead() -> None:
            self.proxy.clear()
            await self.office.admin.wait(
                lambda said: asked.target.mxid in said.text, "the line that was on its way"
            )

        return arrives_while_dead

    async def _in_the_queue(self, asked: Asked) -> Callable[[], Awaitable[None]] | None:
        double = self.server.double
        if double is None:
            return await self._answered(asked)
        await double.set(hold=True)
        await self.office.admin.wait(lambda said: asked.target.mxid in said.text, "the line")

        async def goes_on() -> None:
            await double.set(hold=False)

        return goes_on

    async def _answered(self, asked: Asked) -> None:
        rule = self.proxy.add("held", path=f"{re.escape(self.server.admin_room)}/messages")
        answer = f"User {asked.target.mxid} has been deactivated"
        await self.office.admin.wait(
            lambda said: said.sender == self.server.server_user and answer in said.text,
            "the answer",
        )
        await self._hit(rule, "the bot does not look for the answer")

    async def _hit(self, rule: Rule, else_: str) -> None:
        until = time.monotonic() + 15
        while not rule.hits:
            assert time.monotonic() < until, else_
            await asyncio.sleep(0.01)

    # --- what the audit log says

    async def _between(self) -> int:
        """Lines with an INTENT and no OUTCOME in the database that the dead bot left."""
        rows = await self.records("intent", "outcome")
        lines: dict[tuple[int, int], set[str]] = {}
        for kind, record in rows:
            lines.setdefault((record["request"], record["line"]), set()).add(kind)
        return sum("outcome" not in kinds for kinds in lines.values())

    async def records(self, *kinds: str) -> list[tuple[str, dict[str, Any]]]:
        names = ", ".join(f"'{kind}'" for kind in kinds)
        query = f"SELECT kind, record FROM sluice_audit WHERE kind IN ({names}) ORDER BY seq"
        url = self.office.bot.database
        if url.startswith("sqlite:"):
            with sqlite3.connect(url.removeprefix("sqlite:")) as database:
                found = database.execute(query).fetchall()
        else:
            connection = await asyncpg.connect(url)
            found = await connection.fetch(query)
            await connection.close()
        return [(kind, json.loads(record)) for kind, record in found]

    # --- what became of it

    async def _judge(self, asked: Asked) -> None:
        """One end, told once, and true."""
        number = asked.card.number
        end = await self.office.shows(END.format(number), within=60)
        found = re.search(END.format(number), end.text)
        assert found
        self.counts[f"ended: {found[1]}"] += 1
        gone = not await self.office.is_open(asked.target)
        if found[1] in "✅❌" and gone is not (found[1] == "✅"):
            self.wrong.append(f"#{number} is told {found[1]}: {end.text}")

    async def judge_all(self) -> None:
        """After the last round: nothing doubled, nothing lost, nothing without its votes."""
        await self.office.quiet()
        ran: list[str] = []
        if self.server.double:
            ran = (await self.server.double.state())["executed"]
        for asked in self.asked:
            number, name = asked.card.number, asked.target.localpart
            lines = len(await self.office.lines(name))
            executed = sum(bool(re.search(rf"{re.escape(name)}(?![\w-])", body)) for body in ran)
            ends = [
                said.text
                for said in self.office.room.said
                if said.sender == self.office.bot.mxid
                and not said.edits
                and re.search(END.format(number), said.text)
            ]
            if lines > 1 or executed > 1:
                self.counts["doubled"] += 1
                self.wrong.append(f"#{number}: {lines} lines, ran {executed} times")
            if asked.wanted and len(ends) != 1:
                self.counts["lost"] += not ends
                self.wrong.append(f"#{number} was told {len(ends)} times: {ends}")
            if not asked.wanted and lines:
                self.counts["executed without its votes"] += 1
                self.wrong.append(f"#{number} ran without its votes")

    def report(self) -> str:
        """One count a line, then whatever went wrong."""
        zeros = ("doubled", "lost", "executed without its votes")
        rows = [f"{count:6d}  {what}" for what, count in self.counts.items() if what not in zeros]
        rows += [f"{self.counts[what]:6d}  {what}" for what in zeros]
        return "\n".join([*rows, *(f"WRONG: {what}" for what in self.wrong)])


async def kill(
    office: Office, proxy: FaultProxy, rounds: int, *, seed: int = 0, loud: bool = False
) -> Killing:
    """office: its bot reaches the homeserver through this proxy."""
    killing = Killing(office, proxy, random.Random(seed))
    for number in range(1, rounds + 1):
        await killing.round(number)
        if loud and number % 10 == 0:
            out = killing.counts["between INTENT and OUTCOME"]
            print(f"{number} of {rounds}, {out} between INTENT and OUTCOME", flush=True)
    await killing.judge_all()
    return killing


@contextmanager
def database() -> Iterator[str]:
    """What the bot is told about it: nothing, or with SLUICE_DB=postgres the URL of its own."""
    if os.environ.get("SLUICE_DB") != "postgres":
        yield ""
        return
    with postgres() as url:
        yield url


async def main(rounds: int, seed: int) -> int:
    with tempfile.TemporaryDirectory() as folder, database() as url:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(60)) as http:
            server = homeserver(Path(folder) / "homeserver", http)
            await server.start()
            proxy = FaultProxy(server.base)
            await proxy.start()
            try:
                world = await World.create(server, "-kills")
                world.database = url
                office = await Office.open(world, Path(folder) / "bot", base=proxy.base)
                killing = await kill(office, proxy, rounds, seed=seed, loud=True)
                await world.end()
            finally:
                await proxy.stop()
                await server.stop()
    print(killing.report())
    enough = killing.counts["between INTENT and OUTCOME"] * 2 >= rounds
    if not enough:
        print("WRONG: fewer than half of the deaths fell between INTENT and OUTCOME")
    return 0 if enough and not killing.wrong else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser("python -m tests.e2e.kills", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("rounds", type=int, nargs="?", default=200)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    sys.exit(asyncio.run(main(given.rounds, given.seed)))
