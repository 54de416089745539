"""The database as the rest of Sluice sees it: one writer, whole transactions, nothing else.

A block is a few statements of some microseconds each. On SQLite mautrix goes to another thread and
back for every one, which takes ten times as long; so its file is opened a second time here, and
only what may wait (for the writers' lock, for the disk) is done in a thread. On PostgreSQL mautrix
remembers a connection in a ContextVar that tasks inherit, so what uses one runs in a task of its
own, in a fresh context; whoever stops waiting for it does not stop it (docs/how-it-works.md,
"Storage").
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import re
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
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
    """Wraps a mautrix Database. One block runs at a time on SQLite, one that writes on both."""

    def __init__(self, inner: Inner, now: Callable[[], float] = time.monotonic) -> None:
        self._inner, self._now = inner, now
        self.failing: Failing | None = None  # since the last write that worked
        self._lock = asyncio.Lock()
        self._running: set[asyncio.Task[object]] = set()
        self._after: list[Callable[[], None]] = []
        self._sqlite = inner.scheme.value == "sqlite"
        self._file: _File | None = None  # opened when it is needed
        self._holder: str | None = None  # what stands in the database while it is ours

    async def stop(self) -> None:
        """Waits for the blocks that still run, whoever has stopped waiting for them."""
        while self._running:
            await asyncio.wait(set(self._running))
        if self._file is not None:
            self._file.close()
            self._file = None

    async def hold(self, name: str) -> None:
        """From now on it is written only as long as nobody else has put another name there."""
        self._holder = None
        await self.write(lambda tx: tx.execute(_HOLD, name))
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

        Raises StorageFailed, or what the block raises; then nothing of it is stored. The commit is
        durable. On SQLite mautrix' connection is kept meanwhile: in standalone mode keys of rooms
        stand in the same file, and a transaction there that has read fails if another writes.
        """
        then: list[Callable[[], object]] = []

        async def body() -> T:
            async with self._lock, self._inner.acquire() as pooled:
                conn = self._own() if self._sqlite else pooled
                tx = self._tx(conn, then)
                async with conn.transaction():
                    await self._check(tx)
                    result = await block(tx)
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
        """Runs block(tx) without a transaction."""

        async def body() -> T:
            if self._sqlite:
                async with self._lock:  # what is not committed yet is nobody's
                    return await block(self._tx(self._own(), []))
            async with self._inner.acquire() as conn:
                return await block(self._tx(conn, []))

        return await self._alone(body)

    def _own(self) -> _File:
        if self._file is None:
            path: str = self._inner.url.path
            if path == ":memory:":
                raise RuntimeError(
                    "A database in memory forgets at its end what was approved and what ran: "
                    "Sluice needs one in a file, or PostgreSQL. Change `database` in the config."
                )
            self._file = _File(path)
        return self._file

    def _tx(self, conn: Inner, then: list[Callable[[], object]]) -> Tx:
        return _Sqlite(conn, then) if self._sqlite else _Postgres(conn, then)

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


_HELD = "SELECT value FROM sluice_meta WHERE key='holder'"
_HOLD = (
    "INSERT INTO sluice_meta (key, value) VALUES ('holder', $1) "
    "ON CONFLICT (key) DO UPDATE SET value=excluded.value"
)
_PRAGMAS = (
    "foreign_keys=ON",
    "synchronous=FULL",  # a commit is on the disk
    "cache_size=-256",  # kB: the check of the log would fill 2 MB; the system's cache does as well
)
_PATIENCE = 5.0  # seconds for which another process may lock the file
_MARK = re.compile(r"\$(\d+)")


class _File:
    """A SQLite database by a connection of our own."""

    def __init__(self, path: str) -> None:
        self._conn = sqlite3.connect(
            path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False, uri=True
        )
        self._conn.row_factory = sqlite3.Row
        for pragma in _PRAGMAS:
            self._conn.execute(f"PRAGMA {pragma}")
        self._thread = ThreadPoolExecutor(1, "sluice-database")

    def fetch(self, query: str, args: Sequence[object]) -> list[Row]:
        return self._conn.execute(_numbered(query), args).fetchall()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """The one writer from the start, so that nothing in it waits for another."""
        aside = functools.partial(asyncio.get_running_loop().run_in_executor, self._thread)
        await aside(self._conn.execute, "BEGIN IMMEDIATE")
        try:
            yield
            await aside(self._conn.execute, "COMMIT")
        finally:
            if self._conn.in_transaction:  # a COMMIT can fail too
                self._conn.execute("ROLLBACK")

    def close(self) -> None:
        self._conn.close()
        self._thread.shutdown(wait=False)


@functools.lru_cache(512)
def _numbered(query: str) -> str:
    return _MARK.sub(r"?\1", query)


class _Sqlite:
    """What a block sees of it."""

    def __init__(self, file: _File, then: list[Callable[[], object]]) -> None:
        self._file, self.after = file, then.append

    async def fetch(self, query: str, *args: object) -> list[Row]:
        return self._file.fetch(query, args)

    async def fetchrow(self, query: str, *args: object) -> Row | None:
        rows = self._file.fetch(query, args)
        return rows[0] if rows else None

    async def fetchval(self, query: str, *args: object) -> Cell:
        rows = self._file.fetch(query, args)
        return rows[0][0] if rows else None

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
