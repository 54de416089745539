"""`python -m sluice move`: a database goes from SQLite to PostgreSQL whole, or not at all."""

from __future__ import annotations

import asyncio
import fcntl
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

import asyncpg
import pytest
from mautrix.client.state_store.asyncpg.upgrade import upgrade_table as states
from mautrix.util.async_db import Database as Pool

from sluice.__main__ import main
from sluice.db.connection import Database
from sluice.db.migrations import upgrade_table
from tests.fake.postgres import another

OLD = (Path(__file__).parents[1] / "upgrade" / "1.1.0.sql").read_text(encoding="utf-8")
STANDALONE = """
CREATE TABLE standalone_version (version INTEGER PRIMARY KEY);
INSERT INTO standalone_version VALUES (1);
CREATE TABLE standalone_next_batch (user_id TEXT PRIMARY KEY, next_batch TEXT, filter_id TEXT);
INSERT INTO standalone_next_batch VALUES ('@sluice:example.org', 's1', NULL);
"""


@pytest.fixture
async def old(tmp_path: Path) -> Path:
    """A day's database, as maubot standalone leaves it, brought to this version."""
    path = tmp_path / "sluice.db"
    with closing(sqlite3.connect(path)) as there:
        there.executescript(OLD + STANDALONE)
        for table in ("stage_account", "stage_event", "stage_txn"):
            there.execute(f"DROP TABLE {table}")
        there.commit()
    pool = Pool.create(f"sqlite:{path}", upgrade_table=upgrade_table)
    await pool.start()
    await states.upgrade(pool)
    await pool.execute(
        "INSERT INTO mx_room_state (room_id, is_encrypted, has_full_member_list) "
        "VALUES ('!a', true, NULL), ('!b', false, true)"
    )
    await _crypto(pool)
    await pool.stop()
    return path


async def _crypto(pool: Pool) -> None:
    """What stands in an encrypted bot's database: bytes, moments, JSON, true and false."""
    pytest.importorskip("olm")
    from mautrix.crypto.store.asyncpg.upgrade import upgrade_table as keys

    await keys.upgrade(pool)
    await pool.execute(
        "INSERT INTO crypto_account (account_id, device_id, shared, sync_token, account) "
        "VALUES ('a', 'D', true, '', $1)",
        b"\x00\xff",
    )
    await pool.execute(
        "INSERT INTO crypto_megolm_inbound_session (account_id, session_id, sender_key, "
        "signing_key, room_id, session, forwarding_chains, ratchet_safety, received_at) "
        "VALUES ('a', 's', 'k', 'l', '!a', $1, '', '{\"next_index\": 0}', $2)",
        b"\x01",
        datetime(2026, 11, 23, 14, 0, 0, 5),
    )


def tables(path: Path) -> dict[str, int]:
    with closing(sqlite3.connect(path)) as there:
        names = there.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {n: there.execute(f"SELECT COUNT(*) FROM {n}").fetchone()[0] for (n,) in names}


async def in_thread(*args: object) -> int:
    return await asyncio.to_thread(main, ["move", *map(str, args)])


async def test_everything_moves_and_goes_on_there(
    old: Path, postgres_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    url, before = await another(postgres_url), tables(old)
    assert await in_thread(old, url) == 0
    out = capsys.readouterr().out
    assert f"Moved: {sum(before.values()):,} rows of {len(before)} tables." in out
    assert f"{old} is {old}.moved now." in out
    assert not old.exists()
    assert tables(Path(f"{old}.moved")) == before
    pool = Pool.create(url, upgrade_table=upgrade_table)
    await pool.start()
    for table, rows in before.items():
        assert await pool.fetchval(f"SELECT COUNT(*) FROM {table}") == rows, table
    kept = await pool.fetch("SELECT * FROM mx_room_state ORDER BY room_id")
    assert [tuple(row)[1:3] for row in kept] == [(True, None), (False, True)]
    if "crypto_account" in before:
        row = await pool.fetchrow("SELECT * FROM crypto_account")
        assert (row["shared"], row["account"]) == (True, b"\x00\xff")
        row = await pool.fetchrow("SELECT * FROM crypto_megolm_inbound_session")
        assert row["received_at"] == datetime(2026, 11, 23, 14, 0, 0, 5)
    rows = await Database(pool).read(
        lambda tx: tx.fetch("SELECT * FROM sluice_audit ORDER BY seq")
    )
    assert len(rows) == before["sluice_audit"]
    with closing(sqlite3.connect(f"{old}.moved")) as there:
        last = there.execute("SELECT * FROM sluice_audit ORDER BY seq DESC LIMIT 1").fetchone()
    assert tuple(rows[-1]) == last
    await pool.stop()


async def test_into_a_schema_as_full_maubot_has_it(old: Path, postgres_url: str) -> None:
    url = await another(postgres_url)
    assert await in_thread(old, url, "--schema", "mbp_sluice two") == 0
    connection = await asyncpg.connect(url)
    count = await connection.fetchval('SELECT COUNT(*) FROM "mbp_sluice two".sluice_request')
    assert count > 0
    assert await connection.fetchval("SELECT to_regclass('public.sluice_request')") is None
    await connection.close()


async def refused(old: Path, url: str, capsys: pytest.CaptureFixture[str]) -> str:
    before = tables(old)
    assert await in_thread(old, url) == 2
    assert tables(old) == before
    err = capsys.readouterr().err
    assert err.startswith("Not moved, nothing has changed: ")
    return err


async def test_a_target_that_is_not_empty_is_refused(
    old: Path, postgres_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    url = await another(postgres_url)
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE mine (a TEXT)")
    assert "the new database is not empty: mine" in await refused(old, url, capsys)
    assert await connection.fetchval("SELECT to_regclass('sluice_request')") is None
    await connection.close()


async def test_while_sluice_runs_it_does_not_move(
    old: Path, postgres_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    url = await another(postgres_url)
    with open(f"{old}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert f"Sluice runs on {old}: stop it" in await refused(old, url, capsys)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("CREATE TABLE of_another_program (a TEXT)", "nobody knows the tables of_another_program"),
        ("UPDATE version SET version = version - 1", "another version made it"),
        ("DROP TABLE sluice_meta", "this is no database of Sluice"),
    ],
)
async def test_what_it_does_not_know_it_does_not_move(
    old: Path, postgres_url: str, capsys: pytest.CaptureFixture[str], change: str, why: str
) -> None:
    url = await another(postgres_url)
    with closing(sqlite3.connect(old)) as there:
        there.executescript(change)
    assert why in await refused(old, url, capsys)
    connection = await asyncpg.connect(url)
    assert await connection.fetchval("SELECT to_regclass('sluice_request')") is None
    await connection.close()


@pytest.mark.parametrize("url", ["postgresql://nobody@127.0.0.1:9/x", "sqlite:///other.db"])
async def test_an_address_that_leads_nowhere(
    old: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = await refused(old, url, capsys)
    assert "cannot be reached" in said or "the address of a PostgreSQL database" in said


async def test_a_failure_in_the_middle_leaves_nothing_there(
    old: Path, postgres_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    url = await another(postgres_url)
    with closing(sqlite3.connect(old)) as there:
        there.execute("INSERT INTO sluice_meta VALUES ('odd', 'a' || char(0) || 'b')")
        there.commit()
    await refused(old, url, capsys)
    connection = await asyncpg.connect(url)
    assert await connection.fetchval("SELECT to_regclass('sluice_meta')") is None
    await connection.close()


async def test_there_is_no_such_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert await in_thread("none.db", "postgresql://x/y") == 2
    assert capsys.readouterr().err == "Not moved: there is no file none.db\n"
