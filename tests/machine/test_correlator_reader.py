"""The real reader over a real database in front of the correlator, in the same model of a room.

The reader's pages are short or long, reads fail, commits fail, doorbells are lost and doubled, and
the bot is killed in the middle of a page: each event still reaches the correlator once, in order,
and what it has said is what its stored state says.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from contextlib import asynccontextmanager
from typing import Any

import pytest
from attrs import define, frozen
from mautrix.util.async_db import Database as Inner

from sluice.db import meta
from sluice.db.connection import Database, StorageFailed
from sluice.families import correlator
from sluice.matrix import cursor
from sluice.matrix.api import NoResponse, Page
from sluice.matrix.model import Handled
from sluice.matrix.timeline import Reader
from sluice.model.event import RoomEvent, event_of
from tests.machine import scripts
from tests.machine.correlator import Event, World, Wrong

RUNS = int(os.environ.get("SLUICE_RUNS", "1000")) // 20
ROOM = "!admin:conduit.test"


class Killed(BaseException):
    """The bot's process ends here."""


class Flaky(Database):
    """A database that now and then cannot write."""

    fails: Any = staticmethod(lambda: False)

    async def write(self, block):
        if self.fails():
            raise StorageFailed("disk full")
        return await super().write(block)


@frozen
class Homeserver:
    """The homeserver, as far as a reader asks it. Tokens are positions, as Conduit's are."""

    world: World
    mxid: str = "@bot:conduit.test"

    async def joined_rooms(self) -> set[str]:
        return {ROOM}

    async def messages(self, room: str, token: str) -> Page:
        if self.world.chance(0.05):
            self.world.count("read failed")
            raise NoResponse("cut")
        start, size = int(token), self.world.rng.choice([1, 2, 5, 100])
        events = self.timeline()[start : start + size]
        return Page(tuple(events), str(start + len(events)) if events else None)

    async def newest(self, room: str) -> Page:
        return Page((self.timeline()[-1],), str(len(self.timeline())))

    async def event(self, room: str, event_id: str) -> RoomEvent:
        return message(event_id)

    def timeline(self) -> list[RoomEvent]:
        return [message("$created"), *(message(event.id) for event in self.world.room)]


def message(event_id: str) -> RoomEvent:
    return event_of({"event_id": event_id, "type": "m.room.message", "content": {}})


@define
class ReadWorld(World):
    """A World whose bot has no cursor of its own but a Reader."""

    db: Any = None
    loop: Any = None
    reader: Any = None
    wrong: Exception | None = None
    stored: str = ""
    kill_after: int = -1

    def begin(self) -> None:
        self.db.fails = lambda: self.chance(0.03)
        self.boot()
        while self.reader._cursor is None:
            self.loop.run_until_complete(self.reader.step())
        super().begin()

    def boot(self) -> None:
        async def broken(event_id: str, error: str) -> None:
            return None

        self.reader = Reader(
            Homeserver(self),
            self.db,
            ROOM,
            self.handle,
            gap=self.no_gap,
            broken=broken,
            now=lambda: self.now,
        )
        try:
            self.loop.run_until_complete(self.reader.load())
        except StorageFailed:
            self.boot()

    # --- the bot

    async def handle(self, event: RoomEvent) -> Handled | None:
        if self.kill_after == 0:
            self.kill_after = -1
            raise Killed
        self.kill_after -= 1
        sent = self.room[int(event.id[1:])]

        async def commit(tx: Any) -> None:
            try:
                self.feed_once(sent)
            except Exception as wrong:  # the reader would go on
                self.wrong = wrong
                raise
            self.stored = self.c.to_json(self.queue)
            await meta.put(tx, "queue", self.stored)

        return Handled(commit)

    def feed_once(self, event: Event) -> None:
        self.check(not event.read, f"{event.id} came twice")
        self.check(self.room[self.cursor] is event, f"{event.id} came, not ${self.cursor}")
        self.cursor += 1
        self.feed(event)

    async def no_gap(self, gap: object) -> None:
        raise Wrong(f"{gap} where the timeline has none")

    def ring(self) -> None:
        if self.rng.random() < 0.1:
            self.count("doorbell lost")
            return
        for _ in range(2 if self.rng.random() < 0.2 else 1):
            self.reader.doorbell()
            self.read()

    def read(self, size: int = 1) -> None:
        for _ in range(size):
            try:
                self.loop.run_until_complete(self.reader.step())
            except Killed:
                self.count("killed within a page")
                self.crash()
            if self.wrong:
                raise self.wrong
            if self.cursor == len(self.room):
                return

    def crash(self) -> None:
        stored = self.loop.run_until_complete(self.db.read(lambda tx: meta.get(tx, "queue")))
        self.check((stored or "") == self.stored, "the stored state is not what was said")
        self.boot()
        World.crash(self)

    def reset(self) -> None:
        """The watchdog is the reader's own affair."""

    def wait(self) -> None:
        World.wait(self)
        if self.rng.random() < 0.5:
            self.kill_after = self.rng.randint(0, 3)


@asynccontextmanager
async def opened(path):
    inner = Inner.create(f"sqlite:{path}", db_args={"min_size": 1, "max_size": 1})
    await inner.start()

    async def make(tx):
        for statement in (*meta.SCHEMA, *cursor.SCHEMA):
            await tx.execute(statement)

    try:
        db = Flaky(inner)
        await db.write(make)
        yield db
    finally:
        await inner.stop()


def play(number: int, script, path) -> Counter[str]:
    loop = asyncio.new_event_loop()
    manager = opened(path)
    db = loop.run_until_complete(manager.__aenter__())
    try:
        world = ReadWorld(random.Random(number), script, correlator, db=db, loop=loop)
        world.play(steps=50)
    except Wrong as wrong:
        raise Wrong(f"seed {number}:\n{wrong}") from None
    finally:
        loop.run_until_complete(manager.__aexit__(None, None, None))
        loop.close()
    return world.counts


@pytest.mark.parametrize("name", ["model", "0.10.12"])
def test_reader_and_correlator_together_are_never_wrong(name, tmp_path):
    (script,) = scripts.named(name)
    met: Counter[str] = Counter()
    for number in range(RUNS):
        met += play(number, script, tmp_path / f"{number}.db")
    for what in ("killed within a page", "read failed", "doorbell lost", "ours settled"):
        assert met[what] > RUNS / 10, f"hardly met: {what}"
