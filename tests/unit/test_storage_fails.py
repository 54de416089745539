"""The disk is full: nothing runs, and that is said without writing anything."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from sluice.db.connection import StorageFailed
from sluice.matrix.outbox import MARK
from sluice.model.event import event_of
from tests.unit.ops import ANA, BO, EVE, Ops, ops
from tests.unit.test_attacks import Room

SENTENCE = "I cannot write my log (disk full), and without it I send nothing. Owners, make space."


@pytest.fixture
async def office() -> AsyncIterator[Ops]:
    async with ops() as made:
        yield made


async def full(office: Ops) -> None:
    """No page is left, and it was tried for a while."""
    pages = await office.db.read(lambda tx: tx.fetchval("PRAGMA page_count"))
    await office.db.read(lambda tx: tx.execute(f"PRAGMA max_page_count={pages}"))
    for now in (0.0, 5.0):
        office.db._now = lambda at=now: at
        with pytest.raises(StorageFailed):
            await office.db.write(
                lambda tx: tx.execute(
                    "INSERT INTO sluice_meta (key, value) VALUES ('x', $1)", "x" * 100_000
                )
            )


async def space(office: Ops) -> None:
    await office.db.read(lambda tx: tx.execute("PRAGMA max_page_count=1000000"))


def said(office: Ops) -> list[str]:
    return office.fake.bodies(office.room, office.live.me)


async def test_owners_are_told_once_an_hour_while_it_lasts(office: Ops) -> None:
    await office.storage.look()
    assert said(office) == []
    await full(office)
    for _ in range(3):
        await office.storage.look()
    assert said(office) == [
        "❗ Disk full: nothing runs. Owners: make space.\n"
        "I cannot write my log, and without it I send nothing."
    ]
    event = office.fake.rooms[office.room].events[-1][1]
    assert ANA in event["content"]["m.mentions"]["user_ids"]
    office.clock.go(3601)
    await office.storage.look()
    assert len(said(office)) == 2
    await space(office)
    await office.record("x")
    await office.storage.look()
    assert len(said(office)) == 2


async def test_a_moment_in_which_nothing_can_be_written_is_not_told(office: Ops) -> None:
    async def locked(tx: object) -> None:
        raise OSError("database is locked")

    with pytest.raises(StorageFailed):
        await office.db.write(locked)
    await office.storage.look()
    assert said(office) == []


async def test_a_command_is_answered_and_does_not_run_later(office: Ops) -> None:
    room = Room(office)
    await full(office)
    await room.says(EVE, "!memory")
    assert said(office) == []
    command = await room.says(BO, "!memory")
    await room.says(BO, "!memory")
    assert said(office) == [f"⛔ Not run: {SENTENCE}"], "once a minute"
    event = office.fake.rooms[office.room].events[-2][1]
    assert event["content"]["m.relates_to"] == {"m.in_reply_to": {"event_id": command}}
    await space(office)
    count = "SELECT COUNT(*) FROM sluice_request"
    assert await office.db.read(lambda tx: tx.fetchval(count)) == 0
    await office.record("x")
    await room.says(BO, "!memory")
    assert await office.db.read(lambda tx: tx.fetchval(count)) == 1


async def test_status_says_it_without_writing(office: Ops) -> None:
    await full(office)
    await Room(office).says(ANA, "!status")
    [status] = said(office)
    assert "I cannot write my log (disk full): nothing can run." in status, status


async def test_what_was_said_past_the_outbox_is_known_as_ours_when_it_is_read_back(
    office: Ops,
) -> None:
    await full(office)
    await office.storage.look()
    event = office.fake.rooms[office.room].events[-1][1]
    await space(office)
    stored: Callable[..., Awaitable[None]] | None = office.outbox.seen(event_of(event))
    assert stored is not None
    await office.db.write(stored)
    await office.db.write(stored)
    query = "SELECT event_id FROM sluice_outbox WHERE txn=$1"
    txn = event["content"][MARK]
    assert await office.db.read(lambda tx: tx.fetchval(query, txn)) == event["event_id"]
