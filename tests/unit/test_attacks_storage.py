"""Attacks by what is stored: text that a database does not take must cost that event alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from sluice.db import meta
from sluice.db.connection import Database, StorageFailed
from sluice.matrix.late import Late, NoKey
from sluice.model.event import RoomEvent, event_of
from tests.fake.world import database
from tests.unit.ops import ops


@pytest.fixture(params=["sqlite", "postgres"])
async def db(request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else None
    async with database(url) as made:
        yield made
        if url:
            await made.write(lambda tx: tx.execute("DROP SCHEMA public CASCADE"))
            await made.write(lambda tx: tx.execute("CREATE SCHEMA public"))


@pytest.mark.parametrize("text", ["half a letter \ud800", "a zero \0", "x" * 1_000_000])
async def test_text_that_is_no_text_is_not_taken_for_a_database_that_is_away(
    db: Database, text: Any
) -> None:
    """StorageFailed is tried again for ever: one encrypted message of any member with half a
    letter in it would stop its room."""
    for block in (
        lambda tx: tx.fetchval("SELECT key FROM sluice_meta WHERE key = $1", text),
        lambda tx: meta.put(tx, "key", text),
    ):
        try:
            await db.write(block)
        except StorageFailed as error:
            pytest.fail(f"taken for a failure of the storage: {error}")
        except Exception:
            pass
    assert await db.write(lambda tx: meta.put(tx, "key", "good")) is None


# --- memory that anybody can fill


async def test_a_flood_of_messages_that_nobody_can_read_is_not_kept() -> None:
    async def never(event: RoomEvent) -> RoomEvent:
        raise NoKey

    late = Late(never, lambda: 0.0)
    given_up = 0
    for number in range(5000):
        event = {"event_id": f"${number}", "sender": "@eve:x", "type": "m.room.encrypted"}
        given_up += await late.take(event_of(event)) is not None
    assert given_up >= 4000
    assert sum(map(len, late._queues.values())) <= 1000


async def test_a_flood_of_registrations_is_told_in_few_messages() -> None:
    async with ops() as office:
        notices = office.parts.notices
        for number in range(1200):
            user = f"@new{number}:example.org"
            body = f"New user {user} registered on this server."
            content = {"msgtype": "m.notice", "body": body}
            await office.db.write(
                lambda tx, n=number, c=content: notices.take(tx, f"${n}", c, False)
            )
        said = [text for text in await office.news() if text.startswith("❗")]
        assert len(said) == 2  # a thousand to a message, and to a reply
        await office.db.write(notices.tick)
