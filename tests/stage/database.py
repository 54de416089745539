"""What mautrix hands to a plugin as its database, on SQLite in memory.

Only what `sluice.db.connection` uses of it. The real ones are tested in tests/unit/test_db.py and
end to end; a copy of this one is what a crash leaves behind.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

from mautrix.util.async_db import Scheme

from sluice.db.connection import _numbered
from sluice.db.migrations import upgrade_table


class Connection:
    """As tables are made by."""

    def __init__(self, inner: sqlite3.Connection) -> None:
        self._inner = inner

    async def execute(self, query: str, *args: Any) -> Any:
        return self._inner.execute(_numbered(query), args)

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
        self._inner.execute("BEGIN")
        yield
        self._inner.execute("COMMIT")


_numbers = itertools.count()


class MemoryDatabase:
    """broken: why it cannot be written now. kept: a copy of it, made earlier."""

    scheme = Scheme.SQLITE

    def __init__(self) -> None:
        self.broken = ""
        self.kept: sqlite3.Connection | None = None
        path = f"file:stage-{next(_numbers)}?mode=memory&cache=shared"
        self.url = SimpleNamespace(path=path)
        self.inner = sqlite3.connect(path, isolation_level=None, uri=True)
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
        if self.broken:
            raise sqlite3.OperationalError(self.broken)
        yield Connection(self.inner)

    def close(self) -> None:
        self.inner.close()
