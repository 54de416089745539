"""All of a SQLite database, into an empty one of PostgreSQL: in one transaction there; here
nothing is changed, and the file gets another name.

A database of maubot standalone holds keys of encrypted rooms and its place in sync besides; their
tables move with it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, closing
from datetime import datetime
from importlib import import_module
from urllib.parse import urlsplit

from mautrix.util.async_db import Database as Pool
from mautrix.util.async_db import UpgradeTable

from .connection import Cell, Database, Inner
from .holder import Holder
from .migrations import upgrade_table

_TABLES: Mapping[str, str] = {
    "crypto_version": "mautrix.crypto.store.asyncpg.upgrade",
    "mx_version": "mautrix.client.state_store.asyncpg.upgrade",
}
"""The table in which a part of mautrix keeps its version, and where its tables are made."""
_STANDALONE = "standalone_"  # maubot's own tables: plain text, made as they are
_AT_ONCE = 500  # rows
_READ: Mapping[str, Callable[[Cell], Cell]] = {
    "boolean": bool,
    "timestamp without time zone": lambda value: datetime.fromisoformat(str(value)),
}
"""How a value is read that SQLite keeps otherwise, by PostgreSQL's type of its column."""


class CannotMove(Exception):
    """The message says why, and what to do."""


async def move(old: str, new: str, schema: str | None) -> Mapping[str, int]:
    """Table -> rows. old: a file that exists. schema: that of new, if not its default one. Raises
    CannotMove: then nothing has changed."""
    if urlsplit(new).scheme not in ("postgres", "postgresql"):
        raise CannotMove("the second is the address of a PostgreSQL database, postgresql://…")
    with closing(sqlite3.connect(old)) as source:
        made = _tables(source)
        async with _held(old):
            moved = await _into(source, made, new, schema)
            source.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    os.rename(old, f"{old}.moved")
    return moved


@asynccontextmanager
async def _held(old: str) -> AsyncIterator[None]:
    """As a process that works on it holds it."""
    pool = Pool.create(f"sqlite:{old}")
    await pool.start()
    holder = Holder(pool, Database(pool))
    try:
        if not await holder.take():
            raise CannotMove(f"Sluice runs on {old}: stop it, then try again")
        yield
    finally:
        await holder.release()
        await pool.stop()


def _tables(source: sqlite3.Connection) -> Mapping[str, str]:
    """Name -> how it was made."""
    rows = source.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()
    made = {name: sql for name, sql in rows if not name.startswith("sqlite_")}
    if not made.keys() >= {"version", "sluice_meta"}:
        raise CannotMove("this is no database of Sluice")
    for name, revisions in _revisions(made):
        (version,) = source.execute(f"SELECT version FROM {name}").fetchone()
        if version != len(revisions.upgrades):
            raise CannotMove("another version made it: start this one on it once, then move")
    return made


def _revisions(made: Iterable[str]) -> list[tuple[str, UpgradeTable]]:
    """What makes the tables of Sluice, and those of mautrix that are here."""
    others = [(name, import_module(_TABLES[name])) for name in _TABLES if name in made]
    return [("version", upgrade_table), *((name, each.upgrade_table) for name, each in others)]


async def _into(
    source: sqlite3.Connection, made: Mapping[str, str], new: str, schema: str | None
) -> Mapping[str, int]:
    args: dict[str, object] = {"min_size": 1, "max_size": 1}
    if schema is not None:
        args["server_settings"] = {"search_path": f'"{schema}"'}
    try:
        target = Pool.create(new, db_args=args)
        await target.start()
    except Exception as error:  # what asyncpg, the net and a wrong address raise has no one kind
        raise CannotMove(f"{urlsplit(new).hostname} cannot be reached: {error}") from None
    try:
        to: Inner
        async with target.acquire() as to, to.transaction():
            if schema is not None:
                await to.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
            kinds = await _make(made, target, to)
            return {name: await _rows(source, to, name, kinds[name]) for name in made}
    except CannotMove:
        raise
    except Exception as error:  # whatever it is, the transaction is gone with it
        raise CannotMove(f"{type(error).__name__}: {error}") from error
    finally:
        await target.stop()


async def _make(
    made: Mapping[str, str], target: Inner, to: Inner
) -> Mapping[str, Mapping[str, str]]:
    """The same tables there, empty but for what making them put in: table -> column -> type."""
    if there := await _columns(to):
        raise CannotMove(f"the new database is not empty: {', '.join(sorted(there)[:5])} …")
    for _, revisions in _revisions(made):
        await revisions.upgrade(target)
    for name, sql in made.items():
        if name.startswith(_STANDALONE):
            await to.execute(sql)
    kinds = await _columns(to)
    if unknown := sorted(made.keys() - kinds.keys()):
        raise CannotMove(f"nobody knows the tables {', '.join(unknown)}")
    return kinds


async def _columns(to: Inner) -> Mapping[str, Mapping[str, str]]:
    """Table -> column -> PostgreSQL's type."""
    found: dict[str, dict[str, str]] = {}
    for row in await to.fetch(
        "SELECT table_name, column_name, data_type FROM information_schema.columns "
        "WHERE table_schema = current_schema()"
    ):
        found.setdefault(row["table_name"], {})[row["column_name"]] = row["data_type"]
    return found


async def _rows(
    source: sqlite3.Connection, to: Inner, table: str, kinds: Mapping[str, str]
) -> int:
    """All rows of a table, in place of what making it put there."""
    await to.execute(f'DELETE FROM "{table}"')
    found = source.execute(f'SELECT * FROM "{table}"')
    names = [each[0] for each in found.description]
    places = ", ".join(f"${n}" for n in range(1, len(names) + 1))
    quoted = ", ".join(f'"{name}"' for name in names)
    query = f'INSERT INTO "{table}" ({quoted}) VALUES ({places})'
    count = 0
    while rows := found.fetchmany(_AT_ONCE):
        count += len(rows)
        values = [
            tuple(_value(each, kinds[name]) for name, each in zip(names, row, strict=True))
            for row in rows
        ]
        await to.executemany(query, values)
    return count


def _value(value: Cell, kind: str) -> Cell:
    return value if value is None or kind not in _READ else _READ[kind](value)
