"""The log as a phone shows it: who did what, without lookups unless asked, found by an index."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from attrs import evolve

from sluice.chat import answers
from sluice.db.connection import _Sqlite
from sluice.text.message import plain
from tests.stage.stage import OPS
from tests.unit.ops import Ops, ops
from tests.unit.scenes import ANA, BO, CY, DAN, here
from tests.unit.test_upgrade import Later, later


@pytest.fixture
async def room() -> AsyncIterator[Ops]:
    async with ops() as made:
        yield made


async def log(room: Ops, what: str = "") -> list[str]:
    (said,) = await room.types(ANA, f"!log {what}".strip())
    assert said.startswith("📋 Log")
    return said.split("\n")


async def test_each_line_says_who_did_what_and_how_it_ended_unless_it_is_done(room: Ops) -> None:
    await room.types(BO, "!enableroom !room:example.org")
    room.now("14:04")
    await room.runs()
    await room.types(BO, "!deactivate @max:example.org reason casino links")
    await room.types(CY, "!deny 2 he is a regular")
    names = [f"s{n:02}" for n in range(1, 11)]
    for name in names:
        room.fake.register(name)
    room.now("14:05")
    await room.types(ANA, "!deactivateall reason spam\n" + "\n".join(names))
    await room.types(BO, "!approve 3")
    await room.types(DAN, "!approve 3")
    await room.runs()
    await room.types(BO, "!adduser mila")
    room.now("14:06")
    await room.types(BO, "!adduser al")
    said = await log(room)
    assert said[:6] == [
        "📋 Log, newest first (UTC):",
        "14:06 bo: adduser al #5, not allowed",
        "14:05 bo: adduser mila #4, open",
        "14:05 ana: deactivateall 10 accounts #3, bo and dan approved",
        "14:04 bo: deactivate @max #2, denied by cy",
        "14:04 bo: enableroom !room #1",
    ]


async def test_lookups_are_counted_and_shown_when_asked_for(room: Ops) -> None:
    await room.types(BO, "!adduser al")
    for _ in range(3):
        await room.types(BO, "!registration")
    await room.types(CY, "!who max")
    await room.types(CY, "!registration")
    await room.types(ANA, "!log reload")
    assert await log(room) == [
        "📋 Log, newest first (UTC):",
        "14:03 bo: adduser al #1, not allowed",
        "09:00 new policy",
        "6 lookups hidden: !log all",
        "One: !log 12 · File: !log export",
    ]
    whole = "\n".join(await log(room, "all"))
    assert "lookups hidden" not in whole
    for told in ("bo: registration #4, open", "cy: registration #5, open", "cy: looked up @max"):
        assert f"14:03 {told}\n" in whole
    assert "14:03 ana: read the log what changed\n" in whole
    theirs = await log(room, "@bo")
    assert theirs[1:3] == ["14:03 bo: adduser al #1, not allowed", "3 lookups hidden: !log all"]
    assert "14:03 bo: registration #2, open" in await log(room, "@bo all")
    assert "14:03 bo: registration #2, open" in await log(room, "all @bo")


async def test_what_was_not_allowed_is_no_hidden_lookup(room: Ops) -> None:
    await room.types(BO, "!config")
    refused = [line for line in await log(room) if "config" in line]
    request = await room.request(1)
    assert refused == (["14:03 bo: config #1, not allowed"] if request.ended else [])


async def test_many_lookups_hide_nothing_that_changed_something(room: Ops) -> None:
    await room.types(BO, "!adduser al")
    await room.types(CY, "!registration")
    copy = (
        "INSERT INTO sluice_request SELECT {} FROM sluice_request, (WITH RECURSIVE n(i) AS"
        " (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) SELECT i FROM n)"
        " WHERE sluice_request.id = 2"
    )

    async def lookups(tx: Any) -> None:
        columns = [row["name"] for row in await tx.fetch("PRAGMA table_info(sluice_request)")]
        own = {"id": "id + i", "event_id": "'$x' || i", "created": "created + i"}
        await tx.execute(copy.format(", ".join(own.get(name, name) for name in columns)))

    await room.db.write(lookups)
    room.now("15:00")
    said = await log(room)
    assert said[1] == "14:03 bo: adduser al #1, not allowed"
    assert said[-2] == "99+ lookups hidden: !log all"


async def test_a_page_fits_a_phone(room: Ops) -> None:
    for n in range(12):
        await room.types(BO, f"!deactivate @max:example.org reason {'why ' * n} not")
        await room.types(CY, f"!deny {n + 1} no")
    for line in ("!log", "!log @bo", "!log all", "!more"):
        (said,) = await room.types(ANA, line)
        assert sum(-(-len(row) // 36) for row in said.split("\n")) <= 14, said


QUERIES = ("!log", "!log all", "!log @bo", "!log @bo all", "!log votes", "!log lookups")


@pytest.mark.parametrize("line", QUERIES)
async def test_no_table_is_read_through(
    room: Ops, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each query goes by an index and sorts nothing: a log of 100,000 entries costs no more."""
    asked: list[tuple[str, tuple[object, ...]]] = []
    fetch = _Sqlite.fetch

    async def noted(self: _Sqlite, query: str, *args: object) -> list[Any]:
        asked.append((query, args))
        return await fetch(self, query, *args)

    await room.types(BO, "!adduser al")
    monkeypatch.setattr(_Sqlite, "fetch", noted)
    await room.types(ANA, line)
    monkeypatch.undo()
    mine = [each for each in asked if re.match(r"SELECT .*sluice_(request|audit|vote)\b", each[0])]
    newest = [(query, args) for query, args in mine if "LIMIT" in query]
    assert newest
    for query, args in newest:
        explain = partial(_explained, query=query, args=args)
        for step in await room.db.read(explain):
            assert "TEMP" not in step, (query, step)
            assert "INDEX" in step or not step.startswith("SCAN sluice"), (query, step)


async def _explained(tx: Any, query: str, args: tuple[object, ...]) -> list[str]:
    if "ORDER BY seq DESC LIMIT 1" in query:  # the newest row of all
        return []
    return [row["detail"] for row in await tx.fetch(f"EXPLAIN QUERY PLAN {query}", *args)]


async def test_a_long_line_takes_no_page_for_itself(room: Ops) -> None:
    await room.types(BO, "!adduser al")
    names = " ".join(f"name{n}" for n in range(60))
    rejected = evolve(await room.request(1), text=f"can @bo adduser {names}")
    said = plain(answers.request_row(here(), rejected).words)
    assert re.fullmatch(r"bo: can @bo adduser name0 .{1,50}… #1, not allowed", said), said


def test_a_database_of_before_knows_which_of_its_requests_only_looked() -> None:
    async def scene(play: Later) -> None:
        await play.stage["ana"].say(OPS, "!log")
        await play.stage.settle(5)
        said = play.news[-1]
        assert re.search(r"\n\d+ lookups? hidden: !log all\n", said), said
        lookups = await play.rows("SELECT text FROM sluice_request WHERE lookup = 1")
        assert {row["text"] for row in lookups} == {"users"}

    later(scene)
