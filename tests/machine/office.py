"""The service of requests over a real database, with everything around it as plain values.

`Office` stands for the rest of Sluice: it makes a Desk in one transaction, as the app does, with
the real policy, outbox and audit log. Three databases: `Tiny` (SQLite without a thread, for many
runs), and mautrix' Database on SQLite or PostgreSQL, which the plugin uses.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Awaitable, Callable, Iterable
from functools import lru_cache
from typing import Any, TypeVar

from mautrix.util.async_db import Database as Pool

from sluice import audit
from sluice.db import meta
from sluice.db.connection import Database, Tx
from sluice.db.migrations import upgrade_table
from sluice.matrix import outbox, threads
from sluice.model.command import Invocation
from sluice.model.decision import Facts
from sluice.policy.people import members_of, mxids_of
from sluice.requests import holds, standing, store, submit
from sluice.requests.desk import Desk
from sluice.requests.submit import Ask
from sluice.settings import Settings, load
from sluice.text.phrases import Here
from sluice.text.times import Clock
from sluice.view import Readiness, View

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
    """A database in memory, and a Tx on it. Its coroutines never wait: `drive` needs no loop.

    before: called ahead of every statement, where a process can die. writing: in a transaction.
    """

    def __init__(self) -> None:
        self.inner = sqlite3.connect(":memory:", isolation_level=None)
        self.inner.row_factory = sqlite3.Row
        self.before: Callable[[str], None] = nothing
        self.writing = False

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
        self.writing = True
        try:
            result = await block(self)
        except BaseException:
            self.inner.execute("ROLLBACK")
            raise
        finally:
            self.writing = False
        self.inner.execute("COMMIT")
        return result

    async def read(self, block: Callable[[Tx], Awaitable[T]]) -> T:
        return await block(self)

    def after_write(self, call: Callable[[], None]) -> None:
        pass

    # what the state machine asks

    def drive(self, work: Awaitable[T]) -> T:
        """Runs a coroutine that never waits, without an event loop."""
        try:
            work.send(None)  # type: ignore[attr-defined]
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]
        raise AssertionError("it waits for something")

    def sql(self, query: str, *args: Any) -> list[Any]:
        """A look of the test itself."""
        return self.inner.execute(_numbered(query), args).fetchall()

    def clear(self) -> None:
        """As new, with the tables of requests, what is said, and the log."""
        for module in (meta, outbox, threads, store, holds, audit):
            for attribute in ("SCHEMA", "SCHEMA_2", "SCHEMA_3", "SCHEMA_5"):
                for statement in getattr(module, attribute, ()):
                    self.inner.execute(statement)

    def close(self) -> None:
        self.inner.close()


class Real:
    """The plugin's own Database, on SQLite or PostgreSQL, with the same handles as `Tiny`."""

    def __init__(self, url: str) -> None:
        self.before: Callable[[str], None] = nothing
        self.writing = False
        self._loop = asyncio.new_event_loop()
        self._pool = Pool.create(url, upgrade_table=upgrade_table)
        self.drive(self._pool.start())
        self._database = Database(self._pool)
        self.after_write = self._database.after_write

    async def write(self, block: Callable[[Tx], Awaitable[T]]) -> T:
        self.writing = True
        try:
            return await self._database.write(lambda tx: block(Watched(tx, self)))
        finally:
            self.writing = False

    async def read(self, block: Callable[[Tx], Awaitable[T]]) -> T:
        return await self._database.read(lambda tx: block(Watched(tx, self)))

    def drive(self, work: Awaitable[T]) -> T:
        return self._loop.run_until_complete(work)  # type: ignore[arg-type]

    def sql(self, query: str, *args: Any) -> list[Any]:
        return self.drive(self._database.read(lambda tx: tx.fetch(query, *args)))

    def clear(self) -> None:
        self.drive(empty(self._database))

    def close(self) -> None:
        """Stays open: the next game begins with `clear`."""

    def stop(self) -> None:
        self.drive(self._pool.stop())
        self._loop.close()


async def empty(database: Database) -> None:
    """Deletes what is stored of requests, what is said, and the log."""
    names = ("meta", "outbox", "request", "hold", "line", "vote", "use", "people", "distrust")
    names = (*names, "audit")

    async def block(tx: Tx) -> None:
        for name in names:
            await tx.execute(f"DELETE FROM sluice_{name}")

    await database.write(block)


class Watched:
    """A Tx of which every statement is told before it runs."""

    def __init__(self, tx: Tx, engine: Real) -> None:
        self._tx, self._engine = tx, engine

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._tx, name)

        async def call(query: str, *args: Any) -> Any:
            self._engine.before(query)
            return await method(query, *args)

        return call


def nothing(query: str) -> None:
    pass


class Members:
    """An ops room: who is in it, and their power."""

    def __init__(self, names: Iterable[str]) -> None:
        self.joined = set(names)
        self.powers: dict[str, float] = {}
        self.known = True
        self.public = False

    def power(self, mxid: str) -> float:
        return self.powers.get(mxid, 0)

    def can_send(self, kind: str, mxid: str) -> bool:
        return True


class Office:
    def __init__(self, database: Any, policy: str) -> None:
        self.db = database
        self.now = NOON
        self.settings = settings(policy)
        self.room = Members((ANA, DAN, BO, CY, HAL, EVE))
        self.health = Readiness.GOOD
        self.admin_room: frozenset[str] = frozenset()
        self.outbox = outbox.Outbox(database, "nonce", BOT, lambda: self.now)
        self.audit: Any = audit
        self._events = 0

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
        return Desk(tx, view, self.audit.append, self.outbox)

    async def at_desk(self, step: Callable[..., Awaitable[T]], *args: Any, **more: Any) -> T:
        """One step in one transaction."""
        return await self.db.write(lambda tx: step(self.desk(tx), *args, **more))

    # what people do

    async def ask(
        self, who: str, what: Invocation, *, event: str = "", glass: bool = False, **more: Any
    ) -> Ask:
        judged = await self.at_desk(standing.judge, what, ROOM, who, glass=glass)
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
