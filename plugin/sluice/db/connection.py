"""The database as the rest of Sluice sees it: one writer, whole transactions, nothing else.

Three facts of mautrix' async_db shape this file (docs/how-it-works.md, "Storage"): a connection
is remembered in a ContextVar that tasks inherit; a cancellation inside a SQLite transaction wedges
the only connection; and so does a COMMIT that fails, because nothing rolls it back. So every block
runs in a task of its own, in a fresh context, shielded, and cleans up after itself.
"""

from __future__ import annotations

import asyncio
import contextvars
import re
import sqlite3
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from attrs import frozen

T = TypeVar("T")
# What mautrix, sqlite3 and asyncpg give has no types of its own.
Row = Any  # sqlite3.Row or asyncpg.Record: by index and by name
Cell = Any  # what a column holds
Inner = Any  # mautrix' Database, and its connections


class StorageFailed(Exception):
    """The database could not do it now: full, locked, gone. Nothing of the block is stored."""


class NotHolder(StorageFailed):
    """Another process works on this database now: nothing of ours is stored any more."""


@frozen
class Failing:
    """Nothing could be written from `since` to `last` (seconds of a clock that only grows).
    full: for want of space."""

    since: float
    last: float
    full: bool

    @property
    def lasted(self) -> float:
        return self.last - self.since


class Tx(Protocol):
    """What is allowed inside a block: plain SQL with $1 parameters, the same on both engines."""

    async def execute(self, query: str, *args: object) -> object: ...
    async def fetch(self, query: str, *args: object) -> list[Row]: ...
    async def fetchrow(self, query: str, *args: object) -> Row | None: ...
    async def fetchval(self, query: str, *args: object) -> Cell: ...

    def after(self, call: Callable[[], object]) -> None:
        """`call` runs once this transaction is committed, before the next one begins; never if
        it is not. What is kept in memory changes only so: a block may fail, and run again."""


class Database:
    """Wraps a mautrix Database. `write` holds the one writer lock; `read` does not."""

    def __init__(self, inner: Inner, now: Callable[[], float] = time.monotonic) -> None:
        self._inner, self._now = inner, now
        self.failing: Failing | None = None  # since the last write that worked
        self._lock = asyncio.Lock()
        self._running: set[asyncio.Task[object]] = set()
        self._after: list[Callable[[], None]] = []
        self._sqlite = inner.scheme.value == "sqlite"
        self._holder: str | None = None  # what stands in the database while it is ours

    async def stop(self) -> None:
        """Waits for the blocks that still run, whoever has stopped waiting for them."""
        while self._running:
            await asyncio.wait(set(self._running))

    async def hold(self, name: str) -> None:
        """From now on it is written only as long as nobody else has put another name there."""
        self._holder = None

        async def block(tx: Tx) -> None:
            if self._sqlite:  # the check of the log would fill 2 MB; the disk's cache does as well
                await tx.execute(f"PRAGMA cache_size=-{_CACHE}")
            await tx.execute(_HOLD, name)

        await self.write(block)
        self._holder = name

    async def _check(self, tx: Tx) -> None:
        """Part of every transaction, so of every INTENT. On SQLite what was read is still so at
        the commit; on PostgreSQL the row is kept as it is until then."""
        if self._holder is not None:
            found = await tx.fetchval(_HELD if self._sqlite else f"{_HELD} FOR SHARE")
            if found != self._holder:
                raise NotHolder("another process holds this database")

    def after_write(self, call: Callable[[], None]) -> None:
        """`call` runs after every commit."""
        self._after.append(call)

    async def write(self, block: Callable[[Tx], Awaitable[T]]) -> T:
        """Runs block(tx) in one transaction under the writer lock. Only database calls in it.

        Raises StorageFailed, or what the block raises; then nothing of it is stored. On SQLite
        the commit is durable (mautrix opens it with synchronous=NORMAL, and in standalone mode
        maubot stores its own token over the same connection: those need not wait for the disk).
        """

        async def body() -> T:
            then: list[Callable[[], object]] = []
            async with self._lock, self._inner.acquire() as conn:
                tx = self._tx(conn, then)
                if self._sqlite:
                    await tx.execute("PRAGMA synchronous=FULL")
                try:
                    async with conn.transaction():
                        await self._check(tx)
                        result = await block(tx)
                except Exception:
                    if self._sqlite and conn.wrapped.in_transaction:  # a COMMIT that failed
                        await conn.execute("ROLLBACK")
                    raise
                finally:
                    if self._sqlite and not conn.wrapped.in_transaction:
                        await tx.execute("PRAGMA synchronous=NORMAL")
            for call in (*then, *self._after):
                call()
            return result

        try:
            written = await self._alone(body)
        except StorageFailed as error:
            now, full = self._now(), "full" in str(error).lower()
            self.failing = Failing(self.failing.since if self.failing else now, now, full)
            raise
        self.failing = None
        return written

    async def read(self, block: Callable[[Tx], Awaitable[T]]) -> T:
        """Runs block(tx) without the lock and without a transaction."""

        async def body() -> T:
            async with self._inner.acquire() as conn:
                return await block(self._tx(conn, []))

        return await self._alone(body)

    def _tx(self, conn: Inner, then: list[Callable[[], object]]) -> Tx:
        return _Sqlite(conn.wrapped, then) if self._sqlite else _Postgres(conn, then)

    async def _alone(self, body: Callable[[], Awaitable[T]]) -> T:
        # Context().run: on Python 3.10 create_task takes no context.
        task = contextvars.Context().run(asyncio.ensure_future, body())
        self._running.add(task)
        task.add_done_callback(self._done)
        try:
            return await asyncio.shield(task)
        except Exception as exc:
            if _is_storage(exc):
                raise StorageFailed(f"{type(exc).__name__}: {exc}") from exc
            raise

    def _done(self, task: asyncio.Task[object]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # seen, also when nobody waits for it any more


_CACHE = 256  # kB of pages that SQLite keeps
_HELD = "SELECT value FROM sluice_meta WHERE key='holder'"
_HOLD = (
    "INSERT INTO sluice_meta (key, value) VALUES ('holder', $1) "
    "ON CONFLICT (key) DO UPDATE SET value=excluded.value"
)
_MARK = re.compile(r"\$(\d+)")


class _Sqlite:
    """A connection that goes to its thread once for a statement; mautrix goes three times."""

    def __init__(self, wrapped: Inner, then: list[Callable[[], object]]) -> None:
        self._wrapped, self.after = wrapped, then.append

    async def fetch(self, query: str, *args: object) -> list[Row]:
        return list(await self._wrapped.execute_fetchall(_MARK.sub(r"?\1", query), args))

    async def fetchrow(self, query: str, *args: object) -> Row | None:
        rows = await self.fetch(query, *args)
        return rows[0] if rows else None

    async def fetchval(self, query: str, *args: object) -> Cell:
        row = await self.fetchrow(query, *args)
        return None if row is None else row[0]

    execute = fetch


class _Postgres:
    """A connection of asyncpg, which has the same methods."""

    def __init__(self, conn: Inner, then: list[Callable[[], object]]) -> None:
        self.execute, self.fetch = conn.execute, conn.fetch
        self.fetchrow, self.fetchval, self.after = conn.fetchrow, conn.fetchval, then.append


# PostgreSQL: connection, resources (disk full), intervention, system, rollback, lock, read-only.
_SQLSTATES = ("08", "53", "57", "58", "40", "55", "25006")
# SQLite and mautrix tell by their words only (Python 3.10 has no error code).
_WORDS = (
    "database or disk is full",
    "disk i/o error",
    "is locked",
    "readonly database",
    "unable to open database file",
    "file is not a database",
    "disk image is malformed",
    "out of memory",
    "connection closed",
    "closed database",
    "no active connection",
    "database pool has been stopped",
)


def _is_storage(exc: Exception) -> bool:
    """Whether trying again later may help: the storage, not the statement, is at fault."""
    state = getattr(exc, "sqlstate", None)
    if isinstance(state, str):
        return state.startswith(_SQLSTATES)
    if isinstance(exc, sqlite3.IntegrityError):
        return False
    if isinstance(exc, (sqlite3.Error, ValueError, RuntimeError)):
        return any(words in str(exc).lower() for words in _WORDS)
    return isinstance(exc, OSError) or type(exc).__module__.startswith("asyncpg")
