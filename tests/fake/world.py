"""A bot's account on a homeserver, its database, and a clock that only tests move."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from mautrix.client import Client
from mautrix.util.async_db import Database as MautrixDatabase

from sluice.db.connection import Database, Tx
from sluice.db.migrations import upgrade_table
from sluice.matrix.api import Homeserver
from sluice.matrix.encryption import Encryption
from sluice.matrix.model import Gap, Handled
from sluice.matrix.outbox import Outbox
from sluice.matrix.sender import Sender, Speech
from sluice.matrix.timeline import Reader
from sluice.model.event import RoomEvent

from .homeserver import FakeHomeserver


@dataclass
class Clock:
    now: float = 1_764_000_000.0

    def __call__(self) -> float:
        return self.now

    def go(self, seconds: float) -> None:
        self.now += seconds


@asynccontextmanager
async def database(url: str | None = None) -> AsyncIterator[Database]:
    """A fresh one on SQLite, or the one behind the URL."""
    with tempfile.TemporaryDirectory() as folder:
        inner = MautrixDatabase.create(
            url or f"sqlite:{folder}/sluice.db", upgrade_table=upgrade_table
        )
        await inner.start()
        wrapped = Database(inner)
        try:
            yield wrapped
        finally:
            await wrapped.stop()
            await inner.stop()


@dataclass
class Handler:
    """Stores every event that it is given; what goes wrong is up to the test."""

    fail: dict[str, Exception] = field(default_factory=dict)  # body -> raised by the handler
    fail_tx: dict[str, Exception] = field(default_factory=dict)  # body -> raised by the commit
    ignore: tuple[str, ...] = ()  # bodies without effects
    asked: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    broken: list[tuple[str, str]] = field(default_factory=list)

    async def __call__(self, event: RoomEvent) -> Handled | None:
        body = str(event.content.get("body", event.type))
        self.asked.append(body)
        if body in self.fail:
            raise self.fail[body]
        if body in self.ignore:
            return None

        async def commit(tx: Tx) -> None:
            if body in self.fail_tx:
                raise self.fail_tx[body]
            # A second time this fails, and the test finds the event in `broken`.
            await tx.execute(
                "INSERT INTO sluice_meta (key, value) VALUES ($1, $2)",
                f"handled {event.id}",
                body,
            )

        async def after() -> None:
            self.done.append(body)

        return Handled(commit, after)

    async def on_gap(self, gap: Gap) -> Handled:
        async def commit(tx: Tx) -> None:
            self.gaps.append(gap)

        return Handled(commit)

    async def on_broken(self, event_id: str, error: str) -> Handled:
        async def commit(tx: Tx) -> None:
            self.broken.append((event_id, error))

        return Handled(commit)


@dataclass
class World:
    fake: FakeHomeserver
    db: Database
    client: Any
    hs: Homeserver
    clock: Clock
    bot: str
    slept: list[float]
    nonce: str = "nonce"

    def reader(self, room: str, handler: Handler, **more: Any) -> Reader:
        return Reader(
            self.hs,
            self.db,
            room,
            handler,
            gap=handler.on_gap,
            broken=handler.on_broken,
            now=self.clock,
            **more,
        )

    def outbox(self, **more: Any) -> tuple[Outbox, Sender]:
        outbox = Outbox(self.db, self.nonce, self.bot, self.clock)
        encryption = Encryption(self.client, self.hs)
        speech = Speech(**more)
        return outbox, Sender(self.hs, self.db, encryption, outbox, speech, self.clock)

    async def handled(self) -> dict[str, str]:
        """event id -> body, of everything that was committed."""
        rows = await self.db.read(
            lambda tx: tx.fetch("SELECT key, value FROM sluice_meta WHERE key LIKE 'handled %'")
        )
        return {row["key"].removeprefix("handled "): row["value"] for row in rows}


@asynccontextmanager
async def account(base: str, mxid: str, token: str, device: str) -> AsyncIterator[Any]:
    """mautrix' client, as maubot would hand it over."""
    async with aiohttp.ClientSession() as session:
        client = Client(mxid, device, base_url=base, token=token, client_session=session)
        yield client


@asynccontextmanager
async def world(flavour: str = "conduit", url: str | None = None) -> AsyncIterator[World]:
    fake = await FakeHomeserver(flavour).start()
    clock, slept = Clock(), list[float]()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.go(seconds)

    try:
        mxid, token = fake.register("sluice")
        async with account(fake.base, mxid, token, "DEVICE") as client, database(url) as db:
            yield World(fake, db, client, Homeserver(client, sleep), clock, mxid, slept)
    finally:
        await fake.stop()
