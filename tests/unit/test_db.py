"""The database keeps whole transactions, survives what mautrix' layer does not, and is one schema
on both engines.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
from mautrix.util.async_db import Database as MautrixDatabase

from sluice.db import meta
from sluice.db.connection import Database, StorageFailed, Tx
from sluice.db.migrations import schema, upgrade_table
from tests.fake.postgres import another
from tests.fake.world import Handler, database, world


@pytest.fixture(params=["sqlite", "postgres"])
async def db(request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    """An empty one: other files leave theirs on the same server."""
    url = None
    if request.param == "postgres":
        url = await another(request.getfixturevalue("postgres_url"))
    async with database(url) as made:
        yield made


async def value(db: Database, key: str) -> str | None:
    return await db.read(lambda tx: meta.get(tx, key))


async def test_every_table_is_made_and_the_nonce_with_it(db: Database) -> None:
    for statement in schema():
        name = re.match(r"CREATE TABLE (\w+)", statement)
        if name:
            await db.read(lambda tx, t=name[1]: tx.fetch(f"SELECT * FROM {t}"))
    nonce = await value(db, meta.NONCE)
    assert nonce is not None
    assert len(nonce) >= 16


def test_every_name_in_the_schema_is_sluices_own_and_used_once() -> None:
    names = re.findall(r"CREATE (?:UNIQUE )?(?:TABLE|INDEX) (\w+)", "\n".join(schema()))
    assert len(names) == len(schema())
    assert len(set(names)) == len(names)
    assert all(name.startswith("sluice_") for name in names)


async def test_starting_again_keeps_what_is_there(tmp_path: object) -> None:
    nonces = []
    for _ in range(2):
        inner = MautrixDatabase.create(f"sqlite:{tmp_path}/x.db", upgrade_table=upgrade_table)
        await inner.start()
        nonces.append(await value(Database(inner), meta.NONCE))
        await inner.stop()
    assert nonces[0] == nonces[1]


async def test_a_word_is_written_and_overwritten(db: Database) -> None:
    assert await value(db, "k") is None
    await db.write(lambda tx: meta.put(tx, "k", "1"))
    await db.write(lambda tx: meta.put(tx, "k", "2"))
    assert await value(db, "k") == "2"


async def test_a_block_that_fails_leaves_nothing_and_the_next_one_works(db: Database) -> None:
    async def block(tx: Tx) -> None:
        await meta.put(tx, "a", "1")
        raise KeyError("x")

    with pytest.raises(KeyError):
        await db.write(block)
    await db.write(lambda tx: meta.put(tx, "b", "1"))
    assert (await value(db, "a"), await value(db, "b")) == (None, "1")


async def test_whoever_stops_waiting_does_not_stop_the_transaction(db: Database) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def block(tx: Tx) -> None:
        await meta.put(tx, "a", "1")
        begun.set()
        await go_on.wait()
        await meta.put(tx, "b", "1")

    task = asyncio.ensure_future(db.write(block))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go_on.set()
    await db.stop()
    assert (await value(db, "a"), await value(db, "b")) == ("1", "1")
    await db.write(lambda tx: meta.put(tx, "c", "1"))


async def test_blocks_are_one_after_the_other(db: Database) -> None:
    async def add(tx: Tx) -> None:
        count = int(await meta.get(tx, "n") or 0)
        await asyncio.sleep(0)
        await meta.put(tx, "n", str(count + 1))

    await asyncio.gather(*(db.write(add) for _ in range(20)))
    assert await value(db, "n") == "20"


async def test_a_task_made_in_a_block_does_not_write_with_its_connection(db: Database) -> None:
    tasks: list[asyncio.Task[None]] = []

    async def block(tx: Tx) -> None:
        tasks.append(asyncio.ensure_future(db.write(lambda tx: meta.put(tx, "inner", "1"))))
        await asyncio.sleep(0)
        raise KeyError("rolled back")

    with pytest.raises(KeyError):
        await db.write(block)
    await tasks[0]
    assert await value(db, "inner") == "1"


async def test_those_who_wait_for_commits_hear_of_commits_only(db: Database) -> None:
    heard: list[None] = []
    db.after_write(lambda: heard.append(None))
    await value(db, "k")

    async def fails(tx: Tx) -> None:
        raise KeyError

    with pytest.raises(KeyError):
        await db.write(fails)
    assert heard == []
    await db.write(lambda tx: meta.put(tx, "k", "1"))
    assert len(heard) == 1


async def test_memory_changes_with_its_own_commit_before_the_next_block(db: Database) -> None:
    memory: list[str] = []
    seen: list[list[str]] = []

    async def block(tx: Tx, name: str, fails: bool) -> None:
        seen.append(list(memory))
        await meta.put(tx, "key", name)
        tx.after(lambda: memory.append(name))
        if fails:
            raise StorageFailed("x")

    async def write(name: str, fails: bool = False) -> None:
        try:
            await db.write(lambda tx: block(tx, name, fails))
        except StorageFailed:
            pass

    await asyncio.gather(write("a"), write("b", True), write("c"))
    assert memory == ["a", "c"]
    assert seen == [[], ["a"], ["a"]]


async def test_a_full_disk_is_a_storage_failure_and_passes(db: Database) -> None:
    if not db._sqlite:
        pytest.skip("simulated with a SQLite pragma")
    pages = await db.read(lambda tx: tx.fetchval("PRAGMA page_count"))
    await db.read(lambda tx: tx.execute(f"PRAGMA max_page_count={pages + 1}"))
    with pytest.raises(StorageFailed, match="full"):
        await db.write(lambda tx: meta.put(tx, "big", "x" * 100_000))
    await db.write(lambda tx: meta.put(tx, "small", "1"))
    await db.read(lambda tx: tx.execute("PRAGMA max_page_count=1000000"))
    await db.write(lambda tx: meta.put(tx, "big", "x" * 100_000))


async def test_a_commit_that_fails_does_not_wedge_the_connection(db: Database) -> None:
    if not db._sqlite:
        pytest.skip("PostgreSQL rolls back by itself")

    async def block(tx: Tx) -> None:
        await meta.put(tx, "a", "1")
        await tx.execute("CREATE TABLE t_parent (id BIGINT PRIMARY KEY)")
        await tx.execute("CREATE TABLE t_child (id BIGINT REFERENCES t_parent(id) DEFERRABLE)")
        await tx.execute("PRAGMA defer_foreign_keys=ON")
        await tx.execute("INSERT INTO t_child (id) VALUES (1)")  # found out at COMMIT

    with pytest.raises(Exception, match="FOREIGN KEY"):
        await db.write(block)
    await db.write(lambda tx: meta.put(tx, "b", "1"))
    assert (await value(db, "a"), await value(db, "b")) == (None, "1")


async def test_a_database_that_is_gone_is_a_storage_failure(db: Database) -> None:
    await db._inner.stop()
    try:
        with pytest.raises(StorageFailed):
            await db.write(lambda tx: meta.put(tx, "a", "1"))
    finally:
        db._inner._stopped, db._inner._pool = False, db._inner._pool
        if db._sqlite:
            db._inner._conns = 0
        else:
            db._inner._pool = None
        await db._inner.start()


async def test_mistakes_in_a_statement_are_no_storage_failure(db: Database) -> None:
    for query in ("SELECT * FROM sluice_nothing", "SELEC", "SELECT nothing FROM sluice_meta"):
        with pytest.raises(Exception, match=r"(?i)nothing|syntax") as caught:
            await db.read(lambda tx, q=query: tx.fetch(q))
        assert not isinstance(caught.value, StorageFailed)


async def test_sqlite_commits_are_durable(db: Database) -> None:
    if not db._sqlite:
        pytest.skip("PostgreSQL is by default")
    assert await db.write(lambda tx: tx.fetchval("PRAGMA synchronous")) == 2


def test_a_txn_id_depends_on_everything_and_on_nothing_else() -> None:
    one = meta.txn_id("n", "line", "!r", "$e", 3)
    assert one == meta.txn_id("n", "line", "!r", "$e", "3")
    assert len(one) == 22
    others = {
        meta.txn_id("m", "line", "!r", "$e", 3),
        meta.txn_id("n", "fence", "!r", "$e", 3),
        meta.txn_id("n", "line", "!s", "$e", 3),
        meta.txn_id("n", "line", "!r", "$e", 4),
        meta.txn_id("n", "line", "!r", "$e3"),
        one,
    }
    assert len(others) == 6


async def test_the_matrix_layer_works_on_postgresql(postgres_url: str) -> None:
    async with world(url=await another(postgres_url)) as w:
        bo, _ = w.fake.register("bo")
        room = w.fake.room(bo, w.bot)
        handler = Handler()
        reader = w.reader(room, handler)
        await reader.load()
        await reader.step()
        outbox, sender = w.outbox()
        for number in range(3):
            w.fake.say(room, bo, str(number))
        await reader.step()
        assert handler.done == ["0", "1", "2"]
        from sluice.text.message import Sign
        from sluice.text.phrases import say

        async def block(tx: Tx) -> None:
            await outbox.put(tx, room, "k", say(Sign.DONE, "x"))
            await outbox.put(tx, room, "k", say(Sign.DONE, "y"))
            await outbox.buttons(tx, room, "k", ("✅",))
            await outbox.edit(tx, room, "k", say(Sign.DONE, "z"))

        await w.db.write(block)
        await sender.drain()
        await w.db.write(lambda tx: outbox.buttons(tx, room, "k", ()))
        await sender.drain()
        assert w.fake.bodies(room, w.bot) == ["✅ x", "* ✅ z"]
        await reader.step()
        await reader.flush()
