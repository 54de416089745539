"""What mautrix hands to a plugin as its database, on SQLite in memory and without a thread.

Only what `sluice.db.connection` uses of it. The real ones are tested in tests/unit/test_db.py and
end to end; a copy of this one is what a crash leaves behind.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mautrix.util.async_db import Scheme

from sluice.db.connection import _MARK
from sluice.db.migrations import upgrade_table


class _Wrapped:
    def __init__(self, inner: sqlite3.Connection) -> None:
        self._inner = inner

    @property
    def in_transaction(self) -> bool:
        return self._inner.in_transaction

    async def execute_fetchall(self, query: str, args: Any = ()) -> list[Any]:
        return self._inner.execute(query, args).fetchall()


class Connection:
    def __init__(self, inner: sqlite3.Connection, broken: str = "") -> None:
        self._inner, self._broken = inner, broken
        self.wrapped = _Wrapped(inner)

    async def execute(self, query: str, *args: Any) -> Any:
        return self._inner.execute(_MARK.sub(r"?\1", query), args)

    async def fetch(self, query: str, *args: Any) -> list[Any]:
        return list((await self.execute(query, *args)).fetchall())

    async def fetchrow(self, query: str, *args: Any) -> Any:
        rows = await self.fetch(query, *args)
        return rows[0] if rows else None

    async def fetchval(self, query: str, *args: Any) -> Any:
        row = await self.fetchrow(query, *args)
        return row[0] if row is not None else None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        if self._broken:
            raise sqlite3.OperationalError(self._broken)
        self._inner.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._inner.execute("ROLLBACK")
            raise
        self._inner.execute("COMMIT")


class MemoryDatabase:
    """broken: why it cannot be written now. kept: a copy of it, made earlier."""

    scheme = Scheme.SQLITE

    def __init__(self) -> None:
        self.broken = ""
        self.kept: sqlite3.Connection | None = None
        self.inner = sqlite3.connect(":memory:", isolation_level=None)
        self.inner.row_factory = sqlite3.Row

    async def start(self) -> None:
        """Upgrades to the newest tables, as maubot does before a plugin starts."""
        await upgrade_table.upgrade(self)  # type: ignore[arg-type]

    async def execute(self, query: str, *args: Any) -> Any:
        return await Connection(self.inner).execute(query, *args)

    async def fetchrow(self, query: str, *args: Any) -> Any:
        return await Connection(self.inner).fetchrow(query, *args)

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Connection]:
        yield Connection(self.inner, self.broken)

    def close(self) -> None:
        self.inner.close()
