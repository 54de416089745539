"""The service of requests over a real database, with everything around it as plain values.

`Office` stands for the rest of Sluice: it makes a Desk in one transaction, as the app does, with
the real policy, outbox and audit log. Three databases: `Tiny` (SQLite without a thread, for many
runs), and mautrix' Database on SQLite or PostgreSQL, which the plugin uses.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any, TypeVar

from sluice import audit
from sluice.catalog.model import Invocation
from sluice.chat.clock import Clock
from sluice.chat.words import Here
from sluice.db import meta
from sluice.db.connection import Tx
from sluice.matrix import outbox
from sluice.policy.model import Facts
from sluice.policy.people import members_of, mxids_of
from sluice.requests import quorum, store, submit
from sluice.requests.desk import Desk, Health, View
from sluice.requests.submit import Ask
from sluice.settings import Settings, load

T = TypeVar("T")
SERVER = "example.org"
BOT = f"@sluice:{SERVER}"
ROOM = f"!opsroom:{SERVER}"
NOON = 1795435200.0  # Monday 23 Nov 2026, 12:00 UTC


def mxid(name: str) -> str:
    return f"@{name}:{SERVER}"


ANA, DAN, BO, CY, HAL, EVE = map(mxid, ("ana", "dan", "bo", "cy", "hal", "eve"))


@lru_cache(maxsize=64)
def settings(policy: str) -> Settings:
    loaded = load(policy, server=SERVER, now=NOON)
    assert loaded.settings is not None, loaded.errors
    return loaded.settings


@lru_cache(maxsize=1024)
def _numbered(query: str) -> str:
    return re.sub(r"\$(\d+)", r"?\1", query)


class Tiny:
    """A Tx on a database in memory. Its coroutines never wait, so `drive` can run them."""

    def __init__(self) -> None:
        self.inner = sqlite3.connect(":memory:", isolation_level=None)
        self.inner.row_factory = sqlite3.Row
        self.before: Callable[[str], None] = lambda query: None

    def _run(self, query: str, args: tuple[Any, ...]) -> sqlite3.Cursor:
        self.before(query)
        return self.inner.execute(_numbered(query), args)

    async def execute(self, query: str, *args: Any) -> Any:
        return self._run(query, args)

    async def fetch(self, query: str, *args: Any) -> list[Any]:
        return self._run(query, args).fetchall()

    async def fetchrow(self, query: str, *args: Any) -> Any:
        rows = self._run(query, args).fetchall()
        return rows[0] if rows else None

    async def fetchval(self, query: str, *args: Any) -> Any:
        row = await self.fetchrow(query, *args)
        return row[0] if row is not None else None

    # what the app asks of db.connection.Database

    async def write(self, block: Callable[[Tx], Awaitable[T]]) -> T:
        self.inner.execute("BEGIN IMMEDIATE")
        try:
            result = await block(self)
        except BaseException:
            self.inner.execute("ROLLBACK")
            raise
        self.inner.execute("COMMIT")
        return result

    async def read(self, block: Callable[[Tx], Awaitable[T]]) -> T:
        return await block(self)

    def after_write(self, call: Callable[[], None]) -> None:
        pass


def drive(work: Awaitable[T]) -> T:
    """Runs a coroutine that never waits, without an event loop."""
    try:
        work.send(None)  # type: ignore[attr-defined]
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    raise AssertionError("it waits for something")


class Members:
    """An ops room: who is in it, and their power."""

    def __init__(self, names: Iterable[str]) -> None:
        self.joined = set(names)
        self.powers: dict[str, float] = {}

    def power(self, mxid: str) -> float:
        return self.powers.get(mxid, 0)


class Office:
    def __init__(self, database: Any, policy: str) -> None:
        self.db = database
        self.now = NOON
        self.settings = settings(policy)
        self.room = Members((ANA, DAN, BO, CY, HAL, EVE))
        self.health = Health.GOOD
        self.admin_room: frozenset[str] = frozenset()
        self.outbox = outbox.Outbox(database, "nonce", BOT, lambda: self.now)
        self.audit: Any = audit
        self._events = 0

    async def start(self) -> None:
        async def block(tx: Tx) -> None:
            for schema in (meta.SCHEMA, outbox.SCHEMA, store.SCHEMA, audit.SCHEMA):
                for statement in schema:
                    await tx.execute(statement)

        await self.db.write(block)

    def event(self) -> str:
        self._events += 1
        return f"$e{self._events}"

    def desk(self, tx: Tx) -> Desk:
        policy = self.settings.policy
        owners = [m for p in members_of(policy, policy.owners) for m in mxids_of(policy, p)]
        here = Here(SERVER, Clock(self.now), bot=BOT, owners=tuple(owners))
        view = View(
            now=self.now,
            here=here,
            policy=policy,
            rooms={ROOM: self.room},
            facts=Facts(admin_room=self.admin_room, bot=BOT),
            health=self.health,
            max_age=self.settings.command_max_age,
        )
        return Desk(tx, view, self.audit, self.outbox)

    async def at_desk(self, step: Callable[..., Awaitable[T]], *args: Any, **more: Any) -> T:
        """One step in one transaction."""
        return await self.db.write(lambda tx: step(self.desk(tx), *args, **more))

    # what people do

    async def ask(
        self, who: str, what: Invocation, *, event: str = "", glass: bool = False, **more: Any
    ) -> Ask:
        judged = await self.at_desk(quorum.judge, what, ROOM, who, glass=glass)
        event = event or self.event()
        return Ask(event, more.pop("command", event), ROOM, who, what, judged, **more)

    async def types(self, who: str, what: Invocation, **more: Any) -> Any:
        """A command: its request, None if it was answered instead."""
        return await self.at_desk(submit.submit, await self.ask(who, what, **more))

    async def said(self) -> list[dict[str, Any]]:
        """The outbox, oldest first."""
        rows = await self.db.read(lambda tx: tx.fetch("SELECT * FROM sluice_outbox ORDER BY id"))
        return [dict(row) for row in rows]


def invocation(line: str, reason: str | None = "casino links", **flags: bool) -> Invocation:
    """`deactivate @spam:example.org`: a command with one argument, or several of one name."""
    word, *values = line.split()
    name = {"disableroom": "room", "enableroom": "room", "purge": "mxc"}.get(word, "user")
    many = word in ("deactivateall", "adduser", "purge")
    args: list[tuple[str, Any]] = [(name, tuple(values) if many else values[0])] if values else []
    args += [(flag.replace("_", "-"), True) for flag, on in flags.items() if on]
    return Invocation(word, tuple(args), reason)


@asynccontextmanager
async def office(kind: str, policy: str, url: str = "") -> Any:
    """kind: "tiny", "sqlite" (a file) or "postgres" (url)."""
    if kind == "tiny":
        made = Office(Tiny(), policy)
        await made.start()
        yield made
        return
    from mautrix.util.async_db import Database as Pool

    from sluice.db.connection import Database
    from sluice.db.migrations import upgrade_table

    pool = Pool.create(url, upgrade_table=upgrade_table)
    await pool.start()
    try:
        database = Database(pool)
        await database.start()
        yield Office(database, policy)
    finally:
        await pool.stop()
