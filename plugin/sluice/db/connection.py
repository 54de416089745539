"""The database as the rest of Sluice sees it: one writer, whole transactions, nothing else.

Two facts of mautrix' async_db shape this file (docs/how-it-works.md, "Database"): a connection
is remembered in a ContextVar that tasks inherit, and a cancellation inside a SQLite transaction
wedges the only connection. So every block runs in a task of its own, in a fresh context, shielded.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
Row = Any  # sqlite3.Row or asyncpg.Record: by index and by name


class Tx(Protocol):
    """What is allowed inside a block: plain SQL with $1 parameters, the same on both engines."""

    async def execute(self, query: str, *args: Any) -> Any: ...
    async def fetch(self, query: str, *args: Any) -> list[Row]: ...
    async def fetchrow(self, query: str, *args: Any) -> Row | None: ...
    async def fetchval(self, query: str, *args: Any) -> Any: ...


class Database:
    """Wraps a mautrix Database. `write` holds the one writer lock; `read` does not."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._lock = asyncio.Lock()

    async def start(self) -> None:
        """Makes a commit on SQLite durable (mautrix opens it with synchronous=NORMAL)."""
        if str(self._inner.scheme) == "sqlite":
            await self._inner.execute("PRAGMA synchronous=FULL")

    async def write(self, block: Callable[[Tx], Awaitable[T]]) -> T:
        """Runs block(tx) in one transaction under the writer lock. Only database calls in it."""

        async def body() -> T:
            async with self._lock, self._inner.acquire() as conn, conn.transaction():
                return await block(conn)

        return await _alone(body)

    async def read(self, block: Callable[[Tx], Awaitable[T]]) -> T:
        """Runs block(tx) without the lock and without a transaction."""

        async def body() -> T:
            async with self._inner.acquire() as conn:
                return await block(conn)

        return await _alone(body)


async def _alone(body: Callable[[], Awaitable[T]]) -> T:
    # Context().run: on Python 3.10 create_task takes no context.
    task = contextvars.Context().run(asyncio.ensure_future, body())
    return await asyncio.shield(task)
