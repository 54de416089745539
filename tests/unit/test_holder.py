"""One process at a time has the database: the lock, and the name that each transaction reads."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from mautrix.util.async_db import Database as MautrixDatabase

from sluice.db import meta
from sluice.db.connection import Database, NotHolder, StorageFailed
from sluice.db.holder import Holder
from sluice.db.migrations import upgrade_table
from tests.fake.postgres import another


@pytest.fixture(params=["sqlite", "postgres"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:{tmp_path / 'sluice.db'}"
    return await another(request.getfixturevalue("postgres_url"))


@asynccontextmanager
async def process(url: str) -> AsyncIterator[tuple[Holder, Database]]:
    """What one process has of this database."""
    inner = MautrixDatabase.create(url, upgrade_table=upgrade_table)
    await inner.start()
    database = Database(inner)
    holder = Holder(inner, database)
    try:
        yield holder, database
    finally:
        await holder.release()
        await database.stop()
        await inner.stop()


async def put(database: Database, value: str) -> None:
    await database.write(lambda tx: meta.put(tx, "x", value))


async def test_the_second_waits_until_the_first_has_let_go(url: str) -> None:
    async with process(url) as (first, one), process(url) as (second, two):
        assert await first.take()
        assert not await second.take()
        assert not await second.take(), "waiting does not change that"
        await put(one, "1")
        await first.release()
        assert await second.take()
        await put(two, "2")
        with pytest.raises(NotHolder):
            await put(one, "3")
        assert await two.read(lambda tx: meta.get(tx, "x")) == "2"


async def test_nothing_is_stored_by_who_is_not_the_holder_any_more(url: str) -> None:
    """Also where the file system keeps no lock: the name in the database decides."""
    async with process(url) as (_, one), process(url) as (_, two):
        await one.hold("one")
        await put(one, "1")
        await two.hold("two")
        with pytest.raises(StorageFailed):
            await put(one, "2")
        assert await one.read(lambda tx: meta.get(tx, "x")) == "1"
        await put(two, "3")


async def test_a_restart_waits_for_nothing(url: str) -> None:
    for _ in range(3):
        async with process(url) as (holder, database):
            assert await holder.take()
            await put(database, "1")


async def test_the_lock_ends_with_a_process_that_is_killed(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path / 'sluice.db'}"
    async with process(url) as (holder, _):
        code = (
            "import fcntl, os, sys, time\n"
            f"file = os.open({str(tmp_path / 'sluice.db.lock')!r}, os.O_RDWR | os.O_CREAT)\n"
            "fcntl.flock(file, fcntl.LOCK_EX)\nprint('held', flush=True)\ntime.sleep(600)\n"
        )
        other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        try:
            assert other.stdout is not None
            await asyncio.to_thread(other.stdout.readline)
            assert not await holder.take()
            waiting = asyncio.ensure_future(holder.wait())
            other.kill()
            await asyncio.wait_for(waiting, 20)
        finally:
            other.kill()
            other.wait()


async def test_a_link_to_the_same_file_is_the_same_database(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "sluice.db")
    async with process(f"sqlite:{tmp_path / 'sluice.db'}") as (first, _):
        assert await first.take()
        async with process(f"sqlite:{tmp_path / 'link.db'}") as (second, _):
            assert not await second.take()


async def test_a_database_in_memory_is_refused() -> None:
    async with process("sqlite::memory:") as (holder, _):
        with pytest.raises(RuntimeError, match="needs one in a file, or PostgreSQL"):
            await holder.take()


async def test_where_no_lock_can_be_made_nothing_runs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "sluice.db.lock").mkdir()
    async with process(f"sqlite:{tmp_path / 'sluice.db'}") as (holder, _):
        assert not await holder.take()
        assert "cannot be taken" in caplog.text
        (tmp_path / "sluice.db.lock").rmdir()
        assert await holder.take(), "and later it can"


async def _cut(url: str) -> None:
    """PostgreSQL ends the connection that holds the lock, and no other."""
    connection = await asyncpg.connect(url)
    query = (
        "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database ON oid = database"
        " WHERE locktype = 'advisory' AND datname = current_database()"
    )
    await connection.fetch(query)
    await connection.close()


async def _locked(url: str) -> bool:
    connection = await asyncpg.connect(url)
    query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
    found: Any = await connection.fetchval(query)
    await connection.close()
    return bool(found)


async def test_a_lost_connection_is_made_again_if_nobody_was_faster(postgres_url: str) -> None:
    url = await another(postgres_url)
    async with process(url) as (holder, database):
        assert await holder.take()
        await _cut(url)
        await _until(lambda: _locked(url))
        await put(database, "1")


async def test_who_was_faster_has_it_and_the_first_stores_nothing(postgres_url: str) -> None:
    url = await another(postgres_url)
    async with process(url) as (first, one), process(url) as (second, two):
        assert await first.take()
        first._lock_connection = _never  # type: ignore[method-assign]  # a network that is away
        await _cut(url)
        await _until(second.take)
        await put(two, "2")
        with pytest.raises(NotHolder):
            await put(one, "1")


async def _never() -> bool:
    return False


async def _until(what: Any) -> None:
    end = time.monotonic() + 30
    while not await what():
        assert time.monotonic() < end
        await asyncio.sleep(0.05)
