"""What the server and the bot tell by themselves, as a tired person meets it on a phone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from sluice.audit import SEAL
from tests.unit.ops import Ops, ops


@pytest.fixture
async def office() -> AsyncIterator[Ops]:
    async with ops() as made:
        yield made


# --- the seals of the log


async def seals(office: Ops) -> list[dict[str, Any]]:
    """What every server in the ops room keeps."""
    await office.parts.sender.drain()
    events = [event for _, event in office.fake.rooms[office.room].events]
    return [event["content"] for event in events if event["type"] == SEAL]


async def said(office: Ops) -> list[str]:
    await office.parts.sender.drain()
    return office.fake.bodies(office.room, office.live.me)


async def test_a_seal_is_kept_by_every_server_and_shown_by_no_client(office: Ops) -> None:
    await office.parts.timers.tick()
    for number in range(60):
        await office.record("policy", new=str(number))
    office.clock.go(60)
    await office.parts.timers.tick()
    (seal,) = await seals(office)
    assert seal["entries"] == 61
    assert len(seal["head"]) == 64
    assert await said(office) == []


async def test_once_a_day_the_seal_is_said_as_it_is_checked(office: Ops) -> None:
    await office.parts.timers.tick()
    for _ in range(3):
        await office.record("policy", new="x")
        office.clock.go(86_400)
        await office.parts.timers.tick()
    kept, shown = await seals(office), await said(office)
    lines = [text.split("\n")[1] for text in shown if "seal" in text]
    assert lines == [f"{seal['entries']}:{seal['head']}" for seal in kept]
    assert len(lines) == 3


async def test_a_seal_is_sent_once_whatever_the_answer_was(office: Ops) -> None:
    """The row is over once it stands in the room, and is no message that anybody can answer."""
    await office.db.write(lambda tx: office.outbox.keep(tx, office.room, SEAL, {"entries": 1}))
    await office.parts.sender.drain()
    await office.parts.sender.drain()
    assert len(await seals(office)) == 1
    assert await office.db.read(lambda tx: office.outbox.rooms(tx)) == set()
