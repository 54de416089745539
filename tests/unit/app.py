"""The whole of Sluice but maubot: the real App over the homeserver in memory, with Conduit's
handler behind its admin room. What is typed is read from the timeline, what is said is sent."""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from mautrix.util.async_db import Database as Pool
from ruamel.yaml import YAML

from lab.double.handler import Died, Handler
from lab.double.memory import MemoryServer
from sluice.admin.room import AdminRoom
from sluice.app import App
from sluice.db.connection import StorageFailed
from sluice.db.migrations import upgrade_table
from sluice.matrix.skew import Skew
from sluice.parts import AdminParts, Parts
from sluice.policy_text import PolicyText
from sluice.state import Live as State
from tests.fake.homeserver import FakeHomeserver
from tests.fake.world import account
from tests.unit.ops import POLICY
from tests.unit.scenes import ANA, BO, CY, DAN, SERVER

CONDUIT, HAL = f"@conduit:{SERVER}", f"@hal:{SERVER}"
WITHIN = 20.0  # seconds until something must have happened; far more than it takes


class Time:
    """The clock of the bot's host. ahead: seconds before the true time."""

    ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


class Live:
    """busy: Conduit's handler is dead, or busy for ever: no answer."""

    def __init__(self, fake: FakeHomeserver, client: Any, pool: Any, clock: Time) -> None:
        self.fake, self.clock, self._client, self._pool = fake, clock, client, pool
        self.me = client.mxid
        self.room = fake.room(ANA, DAN, BO, CY, HAL, self.me, version="10")
        self.admin_room = fake.room(CONDUIT, ANA, DAN, self.me, version="10")
        levels = {"users": {CONDUIT: 100, self.me: 50}}
        fake.put(self.admin_room, CONDUIT, "m.room.power_levels", levels, "")
        self.alias(True)
        self.busy = False
        self.handler = Handler(MemoryServer.of_the_transcripts(SERVER), "0.10.12")
        self._asked: asyncio.Queue[str] = asyncio.Queue()
        self._put = fake.put
        fake.put = self._heard  # type: ignore[method-assign]
        self._seen = 0
        self.policy = POLICY.replace("!opsroom:example.org", self.room)
        self.app = self._app()

    def _app(self) -> App:
        config = SimpleNamespace(_load_proxy=lambda: YAML().load(self.policy))
        log = logging.getLogger("sluice")
        text = PolicyText(config, None)
        app = App(self._client, self._pool, log, text, "1.1.0", self.clock)
        app.hs.skew = Skew()  # the answers of this homeserver are dated by the real clock
        return app

    def alias(self, there: bool) -> None:
        if there:
            self.fake.aliases[f"#admins:{SERVER}"] = self.admin_room
        else:
            self.fake.aliases.pop(f"#admins:{SERVER}", None)

    # --- Conduit

    def _heard(
        self, room: str, sender: str, kind: str, content: Any, *key: Any, **top: Any
    ) -> str:
        top.setdefault("origin_server_ts", int(self.clock() * 1000))
        event_id: str = self._put(room, sender, kind, content, *key, **top)
        if (room, kind) == (self.admin_room, "m.room.message") and sender != CONDUIT:
            self._asked.put_nowait(str(content.get("body")))
        return event_id

    async def conduit(self) -> None:
        """Answers one command after the other; without the alias it does not listen."""
        while True:
            body = await self._asked.get()
            if self.busy or f"#admins:{SERVER}" not in self.fake.aliases:
                continue
            try:
                content = await self.handler.answer(body)
            except Died:
                self.busy = True
                continue
            stamp = int(self.clock() * 1000)
            self._put(self.admin_room, CONDUIT, "m.room.message", content, origin_server_ts=stamp)

    @property
    def parts(self) -> Parts:
        assert self.app.running is not None
        return self.app.running.parts

    @property
    def live(self) -> State:
        return self.parts.ground.live

    @property
    def relay(self) -> AdminParts:
        assert self.app.running is not None
        assert self.app.running.admin is not None
        return self.app.running.admin

    @property
    def admin(self) -> AdminRoom:
        return self.relay.room

    async def is_asked(self, line: str) -> None:
        """Conduit gets a line that it does not answer."""
        self.busy = True
        lines = len(self.fake.bodies(self.admin_room, self.me))
        self.types(ANA, line)
        await until(lambda: len(self.fake.bodies(self.admin_room, self.me)) > lines)

    async def timeouts(self, seconds: float = 65.0) -> None:
        """The time of what was asked is over, and then that of the fence behind it."""
        await until(lambda: bool(self.admin.queue.entries))
        self.clock.ahead += seconds
        await until(lambda: self.admin.fences.out)
        self.clock.ahead += 65

    # --- people

    def types(self, who: str, line: str, **top: Any) -> str:
        event_id: str = self.fake.put(
            self.room, who, "m.room.message", {"msgtype": "m.text", "body": line}, **top
        )
        return event_id

    def taps(self, who: str, emoji: str = "✅") -> None:
        """On the newest question."""
        event = next(
            e
            for _, e in reversed(self.fake.rooms[self.room].events)
            if e["sender"] == self.me and e["content"].get("body", "").startswith("❓")
        )
        relates = {"rel_type": "m.annotation", "event_id": event["event_id"], "key": emoji}
        self.fake.put(self.room, who, "m.reaction", {"m.relates_to": relates})

    def disk(self, *, full: bool) -> None:
        """While it is full nothing can be written."""

        async def write(block: Any) -> None:
            raise StorageFailed("database or disk is full")

        if full:
            self.app.db.write = write  # type: ignore[method-assign]
        else:
            del self.app.db.write

    # --- what is said

    @property
    def said(self) -> list[str]:
        return self.fake.bodies(self.room, self.me)

    async def hears(self, *words: str, count: int = 1) -> str:
        """The newest message with all these words, as soon as there are so many."""

        def found() -> list[str]:
            return [body for body in self.said if all(word in body for word in words)]

        await until(lambda: len(found()) >= count, lambda: f"{words} not in {self.said}")
        return found()[-1]

    async def status(self) -> str:
        """What `!status` says now."""
        before = len(self.said)
        self.types(ANA, "!status")
        await until(lambda: len(self.said) > before, lambda: str(self.said))
        return self.said[-1]

    async def ready(self) -> None:
        await self.hears("Sluice 1.1.0 is ready.")

    async def rows(self, query: str) -> list[Any]:
        db = self.app.db
        return await db.read(lambda tx: tx.fetch(query))


async def until(holds: Callable[[], bool], why: Callable[[], str] = str) -> None:
    end = time.monotonic() + WITHIN
    while not holds():
        assert time.monotonic() < end, why()
        await asyncio.sleep(0.02)


@asynccontextmanager
async def live(monkeypatch: pytest.MonkeyPatch, *, start: bool = True) -> AsyncIterator[Live]:
    fake, clock = await FakeHomeserver("conduit", SERVER).start(), Time()
    for name in ("ana", "dan", "bo", "cy", "hal", "spam", "conduit"):
        fake.register(name)
    mxid, token = fake.register("sluice")
    with tempfile.TemporaryDirectory() as folder:
        pool = Pool.create(f"sqlite:{folder}/sluice.db", upgrade_table=upgrade_table)
        await pool.start()
        async with account(fake.base, mxid, token, "DEVICE") as client:
            made = Live(fake, client, pool, clock)
            conduit = asyncio.create_task(made.conduit())
            try:
                if start:
                    await made.app.start()
                yield made
            finally:
                await made.app.stop()
                conduit.cancel()
                await pool.stop()
                await fake.stop()
