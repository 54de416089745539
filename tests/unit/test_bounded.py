"""What is kept in memory for the life of the process has a bound, whoever feeds it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from sluice.admin.room import Step
from sluice.model.admin_room import Seen, Who
from sluice.model.event import event_of
from sluice.model.secret import Secret
from sluice.passwords.handover import Deliveries
from tests.fake.world import world
from tests.unit.ops import ANA, HAL, Ops, ops

MANY, BOUND = 600, 500
Feed = Callable[[Ops], Coroutine[Any, Any, Callable[[], int]]]


@pytest.fixture
async def office() -> AsyncIterator[Ops]:
    async with ops() as made:
        yield made


async def arrived(office: Ops) -> Callable[[], int]:
    """Lines of ours, read in the admin room."""
    room = office.relay.room
    for number in range(MANY):
        seen = Seen(f"${number}", Who.OURS, {}, ref=f"{number}.1")
        await Step(room, room.queue, seen).after()
    return lambda: len(room.arrived)


async def hourglasses(office: Ops) -> Callable[[], int]:
    """Slow commands that are over."""
    house = office.parts.timers
    query = "UPDATE sluice_request SET state='done'"
    for _ in range(3):
        await office.types(HAL, "!memory")
        office.clock.go(5)
        await house.tick()
        assert len(house._shown) == 1
        await office.db.write(lambda tx: tx.execute(query))
    office.clock.go(20)
    await house.tick()
    return lambda: len(house._shown) * MANY


async def unread(office: Ops) -> Callable[[], int]:
    """Messages without a key, by everybody of a server whose accounts have a role."""
    part = office.parts.ops_room(office.room)
    for name in ("a", "b", "c"):
        mxid = f"@{name}:example.org"
        office.fake.join(office.room, mxid)
        office.power(mxid, 30)
        await office.look()
        office.clock.go(3600)
        handled = await part._unreadable(event_of({"event_id": f"${name}", "sender": mxid}))
        assert handled is not None
        await office.db.write(handled.commit)
    return lambda: (len(part._unread) - 1) * MANY


async def reopened(office: Ops) -> Callable[[], int]:
    for number in range(MANY):
        office.parts.ground.reopenings.add(f"${number}")
    return lambda: len(office.parts.ground.reopenings._events)


async def replaced(office: Ops) -> Callable[[], int]:
    deliveries: Deliveries = office.deliveries
    for number in range(3):
        name = f"new{number}"
        office.fake.register(name)
        office.fake.accounts[f"@{name}:example.org"].password = "old"
        session = await office.hs.login(f"@{name}:example.org", "old", "X")
        office.clock.go(3600)
        await deliveries._change(session, Secret("old"), Secret("new"), False)
    return lambda: (len(deliveries.replaced) - 1) * MANY


@pytest.mark.parametrize("feed", [arrived, hourglasses, unread, reopened, replaced])
async def test_memory_is_bounded(office: Ops, feed: Feed) -> None:
    size = await feed(office)
    assert size() <= BOUND


async def test_a_room_whose_message_was_read_back_meanwhile_is_not_tried_for_ever() -> None:
    """An edit whose answer was lost is deleted when it is read back: nothing waits any more, and
    the sender must not go round without a pause."""
    async with world() as w:
        room = w.fake.room(ANA, w.bot)
        _, sender = w.outbox()
        sender._retry[room] = (3, w.clock() - 10)
        assert await sender.drain() is None
        assert sender._retry == {}
