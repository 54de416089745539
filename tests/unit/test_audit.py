"""The log: what is written stays as it was written, or the check says which entry is not."""

from __future__ import annotations

import json
import sqlite3
from contextlib import asynccontextmanager, closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mautrix.util.async_db import Database as Inner

from sluice import audit
from sluice.audit import Broken, Head, append, main, page, seal
from sluice.db import meta
from sluice.db.connection import Database
from sluice.model.secret import Secret
from tests.fake.log import follow_all


@asynccontextmanager
async def opened(path):
    inner = Inner.create(f"sqlite:{path}", db_args={"min_size": 1, "max_size": 1})
    await inner.start()
    try:
        yield Database(inner)
    finally:
        await inner.stop()


async def make(db):
    async def block(tx):
        for statement in (*meta.SCHEMA, *audit.SCHEMA):
            await tx.execute(statement)

    await db.write(block)


async def fill(db, count, start=1):
    """Records as they come: bo asks, cy votes, something ends."""

    async def block(tx):
        for n in range(start, start + count):
            request, step = divmod(n - 1, 3)
            kind = ("asked", "vote", "ended")[step]
            fields = {"request": request + 1, "person": ("bo", "ana")[request % 2], "n": n}
            await append(tx, 1000.0 + n, kind, fields)

    await db.write(block)


@pytest.fixture
async def db(tmp_path):
    async with opened(tmp_path / "bot.db") as database:
        await make(database)
        yield database


@pytest.fixture
async def log(tmp_path):
    """A closed database with 12 entries, its seals after each, and a way to break it."""
    path = tmp_path / "log.db"
    async with opened(path) as database:
        await make(database)
        await fill(database, 12)
    return path


def heads(path):
    with closing(sqlite3.connect(path)) as db:
        return dict(db.execute("SELECT seq, chain FROM sluice_audit").fetchall())


def change(path, *statements):
    with closing(sqlite3.connect(path)) as db:
        for statement in statements:
            db.execute(*([statement] if isinstance(statement, str) else statement))
        db.commit()


def recompute(path, start):
    """What a thief of the database does: a new chain from here on."""
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT seq, record, chain FROM sluice_audit ORDER BY seq").fetchall()
        chain = "0" * 64
        for seq, record, old in rows:
            if seq < start:
                chain = old
                continue
            link = audit._sha(record.encode())
            chain = audit._next(chain, link)
            db.execute("UPDATE sluice_audit SET hash=?, chain=? WHERE seq=?", (link, chain, seq))
        db.commit()


def check(capsys, path, *seals):
    words = [word for seq, chain in seals for word in ("--head", f"{seq}:{chain}")]
    code = main(["verify", str(path), *words])
    return code, capsys.readouterr().out


# --- writing


async def test_the_chain_is_what_its_definition_says(db):
    from hashlib import sha256

    await fill(db, 3)
    rows = await db.read(
        lambda tx: tx.fetch("SELECT record, chain FROM sluice_audit ORDER BY seq")
    )
    h = bytes(32)
    for row in rows:
        h = sha256(h + sha256(row["record"].encode()).digest()).digest()
        assert row["chain"] == h.hex()


async def test_a_record_that_is_rolled_back_leaves_no_gap(db):
    await fill(db, 2)

    async def fails(tx):
        await append(tx, 1.0, "asked", {})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await db.write(fails)
    assert await db.write(lambda tx: append(tx, 2.0, "asked", {})) == 3
    assert (await db.read(follow_all)).seq == 3


@pytest.mark.parametrize(
    "record",
    [
        {"password": Secret("hunter2")},
        {"outcome": {"fields": [("password", Secret("hunter2"))]}},
        {Secret("hunter2"): 1},
        {"roles": frozenset({"mod"})},
        {"at": float("nan")},
    ],
)
async def test_what_is_no_plain_json_is_refused_without_being_quoted(db, record):
    with pytest.raises((TypeError, ValueError)) as refused:
        await db.write(lambda tx: append(tx, 1.0, "asked", record))
    assert "hunter2" not in str(refused.value)
    assert (await db.read(audit.head)).seq == 0


@pytest.mark.parametrize("record", [{"seq": 7}, {"ts": 1}, {"kind": "x"}, {"why": "x" * 70_000}])
async def test_a_record_cannot_forge_its_number_nor_flood_the_disk(db, record):
    with pytest.raises(ValueError, match="record"):
        await db.write(lambda tx: append(tx, 1.0, "asked", record))


@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(text=st.text())
async def test_hostile_text_stays_one_line_of_json(db, text):
    seq = await db.write(lambda tx: append(tx, 1.0, "asked", {"reason": text}))
    lines = await db.read(export)
    assert json.loads(lines[seq - 1])["record"]["reason"] == text
    assert all(line.isascii() and line.count("\n") == 1 for line in lines)


async def export(tx):
    return [line async for line in audit.export_jsonl(tx)]


# --- seals


async def test_a_seal_is_due_after_fifty_records_and_once_a_day_with_something_new(db):
    sealed = []

    async def tick(now):
        found, told = await db.write(lambda tx: seal(tx, 1e9 + now))
        sealed.append(found and (found.seq, told))

    await tick(1000.0)
    await fill(db, 1)
    await tick(2000.0)
    await fill(db, 49, start=2)
    await tick(2100.0)
    await fill(db, 50, start=51)
    await tick(2200.0)
    await tick(2300.0)
    assert sealed == [None, None, (50, False), (100, False), None]
    sealed.clear()
    day = audit.SEAL_WITHIN
    await tick(2200.0 + day)
    await tick(2300.0 + 2 * day)
    await fill(db, 1, start=101)
    await tick(2300.0 + 2 * day)
    await fill(db, 1, start=102)
    await tick(2400.0 + 2 * day)
    await tick(2300.0 + 3 * day)
    assert sealed == [(100, True), None, (101, True), None, (102, True)]


async def test_what_an_earlier_version_sealed_was_told(db):
    await fill(db, 60)
    await db.write(lambda tx: meta.put(tx, "audit.seal", "[50, 1000.0]"))
    assert (await db.write(lambda tx: seal(tx, 2000.0)))[0] is None
    found, told = await db.write(lambda tx: seal(tx, 1000.0 + audit.SEAL_WITHIN))
    assert (found.seq, told) == (60, True)


async def test_a_seal_is_the_head(db):
    await fill(db, 50)
    assert await db.write(lambda tx: seal(tx, 1.0)) == (await db.read(follow_all), False)


# --- reading


async def test_a_page_is_the_newest_of_what_was_asked_for(db):
    await fill(db, 30)
    found = await db.read(lambda tx: page(tx, person="bo", kinds=("ended",), limit=3))
    assert [r.request for r in found] == [9, 7, 5]
    assert found[0].what["n"] == found[0].seq == 27


async def test_one_request_is_found_by_its_id_and_everything_without_one(db):
    await fill(db, 30)
    found = await db.read(lambda tx: page(tx, request=4))
    assert [r.kind for r in found] == ["ended", "vote", "asked"]
    found = await db.read(lambda tx: page(tx))
    assert [r.seq for r in found] == list(range(30, 20, -1))


async def test_who_has_no_name_is_found_by_mxid(db):
    await db.write(lambda tx: append(tx, 1.0, "rejected", {"mxid": "@eve:evil.org"}))
    found = await db.read(lambda tx: page(tx, person="@eve:evil.org"))
    assert [r.seq for r in found] == [1]


@pytest.mark.parametrize("wanted", ["person='bo'", "request=4", "kind IN ('ended')"])
async def test_no_page_reads_the_whole_table(db, wanted):
    rows = await db.read(
        lambda tx: tx.fetch(
            f"EXPLAIN QUERY PLAN SELECT * FROM sluice_audit WHERE 1=1 AND {wanted} "
            "ORDER BY seq DESC LIMIT 10"
        )
    )
    plan = " ".join(row["detail"] for row in rows)
    assert "USING INDEX" in plan
    assert "SORT" not in plan.upper()


# --- the check


async def test_an_untouched_log_is_unbroken(log, capsys):
    seals = heads(log)
    assert check(capsys, log, (3, seals[3]), (12, seals[12]))[0] == 0
    code, said = check(capsys, log)
    assert code == 0
    assert f"12 entries. Its seal: 12:{seals[12]}" in said
    assert "Nothing cut off at its end can be seen without a seal" in said


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (
            ["UPDATE sluice_audit SET record=replace(record,'bo','cy') WHERE seq=7"],
            "entry 7 was c",
        ),
        (["UPDATE sluice_audit SET person='cy' WHERE seq=7"], "entry 7 was changed where"),
        (["UPDATE sluice_audit SET ts=ts-60 WHERE seq=7"], "entry 7 was changed where"),
        (["DELETE FROM sluice_audit WHERE seq=7"], "entry 7 is missing"),
        (["DELETE FROM sluice_audit WHERE seq<3"], "entry 1 is missing"),
        (["UPDATE sluice_audit SET seq=13 WHERE seq=7"], "entry 7 is missing"),
        (
            [
                "UPDATE sluice_audit SET seq=99 WHERE seq=7",
                "UPDATE sluice_audit SET seq=7 WHERE seq=8",
                "UPDATE sluice_audit SET seq=8 WHERE seq=99",
            ],
            "entry 7 was moved: it is entry 8",
        ),
        (
            [
                "DELETE FROM sluice_audit WHERE seq=7",
                "UPDATE sluice_audit SET seq=seq-1 WHERE seq>7",
            ],
            "entry 7 was moved: it is entry 8",
        ),
        (["UPDATE sluice_audit SET chain=hash WHERE seq=7"], "entry 7 does not follow"),
        (["UPDATE sluice_audit SET hash='x' WHERE seq=7"], "entry 7 was changed"),
        (["UPDATE sluice_audit SET record='[]' WHERE seq=7"], "entry 7 was changed"),
        (["UPDATE sluice_audit SET record=x'00' WHERE seq=7"], "entry 7"),
    ],
)
async def test_the_first_entry_that_is_wrong_is_named(log, capsys, statements, said):
    change(log, *statements)
    code, text = check(capsys, log)
    assert code == 1
    assert f"The log is broken: {said}" in text


async def test_a_chain_computed_anew_does_not_fit_the_seals(log, capsys):
    seals = heads(log)
    veto = "record=replace(record,'vote','veto'), kind='veto'"
    change(log, f"UPDATE sluice_audit SET {veto} WHERE seq=8")
    recompute(log, 8)
    assert check(capsys, log)[0] == 0
    code, said = check(capsys, log, (6, seals[6]), (10, seals[10]))
    assert code == 1
    assert "entry 7 or one up to 10 was replaced" in said


async def test_entries_cut_off_at_the_end_are_missed_by_a_seal(log, capsys):
    seals = heads(log)
    change(log, "DELETE FROM sluice_audit WHERE seq>9")
    assert check(capsys, log)[0] == 0
    code, said = check(capsys, log, (6, seals[6]), (12, seals[12]))
    assert code == 1
    assert "entry 10 and all behind it are missing: there is a seal after entry 12" in said


async def test_text_erased_for_privacy_is_told_and_the_chain_holds(log, capsys):
    seals = heads(log)
    change(log, "UPDATE sluice_audit SET record=NULL WHERE seq=7")
    code, said = check(capsys, log, (12, seals[12]))
    assert code == 0
    assert "Text erased: 7" in said


async def test_an_exported_log_is_checked_like_the_database(log, capsys, tmp_path):
    change(log, "UPDATE sluice_audit SET record=NULL WHERE seq=2")
    async with opened(log) as database:
        lines = await database.read(export)
    file = tmp_path / "log.jsonl"
    for broken, said in [
        (lines, None),
        (lines[:4] + lines[5:], "entry 5 is missing"),
        ([*lines[:4], lines[5], lines[4], *lines[6:]], "entry 5 is missing"),
        ([*lines[:4], lines[4].replace("vote", "veto"), *lines[5:]], "entry 5 was changed"),
        ([*lines[:4], lines[3], *lines[4:]], "entry 4 stands behind entry 4: moved or doubled"),
        ([*lines[:4], "hello\n", *lines[5:]], "entry 5 is no entry"),
        ([*lines[:4], '{"seq":"5","hash":1,"chain":2,"record":[]}\n'], "entry 5 is no entry"),
        ([*lines[:4], '{"seq":5,"hash":"","chain":2,"record":{}}\n'], "entry 5 was changed"),
    ]:
        file.write_text("".join(broken))
        code, text = check(capsys, file)
        assert code == (1 if said else 0), text
        assert said is None or f"The log is broken: {said}" in text


async def test_the_check_changes_nothing(log, capsys):
    before = log.read_bytes()
    check(capsys, log)
    assert log.read_bytes() == before


@pytest.mark.parametrize("words", [["verify"], ["verify", "x", "--head", "12"], ["erase", "x"]])
def test_a_wrong_call_is_explained(words, capsys):
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    assert "usage: python -m sluice audit" in capsys.readouterr().err


def test_a_file_that_cannot_be_read_is_no_broken_log(tmp_path, capsys):
    assert check(capsys, tmp_path / "none.db")[0] == 2
    with closing(sqlite3.connect(tmp_path / "other.db")) as db:
        db.execute("CREATE TABLE x (y)")
    code, said = check(capsys, tmp_path / "other.db")
    assert code == 2
    assert "no such table" in said


async def test_the_bot_checks_only_what_is_new(log):
    async with opened(log) as database:
        known = await database.read(follow_all)
        await fill(database, 1200, start=13)
        newest = await database.read(lambda tx: follow_all(tx, known))
        assert newest.seq == 1212
    change(log, "UPDATE sluice_audit SET record='{}' WHERE seq=1100")
    async with opened(log) as database:
        with pytest.raises(Broken) as broken:
            await database.read(lambda tx: follow_all(tx, known))
    assert broken.value.seq == 1100


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_any_change_of_any_column_of_any_entry_is_found(data):
    rows = []
    last = Head()
    for n in range(1, 6):
        record = {"person": "bo", "request": n, "seq": n, "ts": 1.5, "kind": "asked"}
        text = audit.canonical(record)
        link = audit._sha(text.encode())
        last = Head(n, audit._next(last.chain, link))
        rows.append({**record, "record": text, "hash": link, "chain": last.chain})
    assert audit.verify(rows, [last]) == (last, ())
    index = data.draw(st.integers(0, 4))
    column = data.draw(st.sampled_from(sorted(rows[index])))
    others = st.sampled_from([row[column] for row in rows])
    value = data.draw(st.one_of(st.text(), st.integers(), st.floats(), others))
    if value == rows[index][column]:
        return
    rows[index] = {**rows[index], column: value}
    with pytest.raises(Broken) as broken:
        audit.verify(rows, [last])
    assert broken.value.seq in (index + 1, value)
