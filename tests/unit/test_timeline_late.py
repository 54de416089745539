"""Events whose keys come late, and runs in which everything fails at random."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import pytest
from attrs import evolve

from sluice.db.connection import Database, StorageFailed
from sluice.matrix.late import ENCRYPTED, NoKey
from sluice.model.event import RoomEvent
from tests.fake.homeserver import Fault
from tests.fake.world import Handler, World, world

RUNS = int(os.environ.get("SLUICE_RUNS", "30"))


@pytest.fixture
async def w() -> AsyncIterator[World]:
    async with world() as made:
        yield made


class Keys:
    """Which sealed events can be opened."""

    def __init__(self) -> None:
        self.missing: set[str] = set()

    async def unseal(self, event: RoomEvent) -> RoomEvent:
        if event.content["for"] in self.missing:
            raise NoKey
        return evolve(event, type="m.room.message", content={"body": event.content["for"]})


def seal(w: World, room: str, sender: str, body: str) -> None:
    w.fake.put(room, sender, ENCRYPTED, {"for": body})


async def test_late_keys_hold_up_their_sender_only_and_no_event_is_lost_in_a_crash(
    w: World,
) -> None:
    bo, cy = w.fake.register("bo")[0], w.fake.register("cy")[0]
    room = w.fake.room(bo, w.bot, cy)
    keys, handler = Keys(), Handler()
    reader = w.reader(room, handler, unseal=keys.unseal)
    await reader.load()
    await reader.step()
    keys.missing = {"bo 1"}
    seal(w, room, bo, "bo 1")
    seal(w, room, bo, "bo 2")
    w.fake.say(room, cy, "cy 1")
    await reader.step()
    assert handler.done == ["cy 1"]
    assert reader.delay() == 0.1

    again = Handler()  # a crash now: what waited was not passed
    second = w.reader(room, again, unseal=keys.unseal)
    await second.load()
    await second.step()
    assert again.done == []
    keys.missing.clear()
    await second.step()
    assert again.done == ["bo 1", "bo 2"]
    await second.flush()

    third = w.reader(room, last := Handler(), unseal=keys.unseal)
    await third.load()
    await third.step()
    assert last.asked == []


async def test_what_can_never_be_read_is_handed_on_as_it_is(w: World) -> None:
    bo = w.fake.register("bo")[0]
    room = w.fake.room(bo, w.bot)
    keys, handler = Keys(), Handler()
    reader = w.reader(room, handler, unseal=keys.unseal)
    await reader.load()
    await reader.step()
    keys.missing = {"lost"}
    seal(w, room, bo, "lost")
    await reader.step()
    w.clock.go(6)
    assert reader.delay() <= 1.0
    await reader.step()
    assert handler.done == []
    w.clock.go(60)
    await reader.step()
    assert handler.done == [ENCRYPTED]


async def test_a_late_event_whose_commit_fails_comes_again(w: World) -> None:
    bo = w.fake.register("bo")[0]
    room = w.fake.room(bo, w.bot)
    keys, handler = Keys(), Handler(fail_tx={"x": StorageFailed("full")})
    reader = w.reader(room, handler, unseal=keys.unseal)
    await reader.load()
    await reader.step()
    keys.missing = {"x"}
    seal(w, room, bo, "x")
    await reader.step()
    keys.missing.clear()
    await reader.step()
    assert handler.done == []
    handler.fail_tx.clear()
    await reader.step()
    assert handler.done == ["x"]


async def test_a_commit_that_holds_although_it_failed_is_not_done_again_but_followed_up(
    w: World,
) -> None:
    bo = w.fake.register("bo")[0]
    room = w.fake.room(bo, w.bot)
    w.db = flaky = Flaky(w.db._inner)
    handler = Handler()
    reader = w.reader(room, handler)
    await reader.load()
    await reader.step()
    w.fake.say(room, bo, "x")
    flaky.script = [False, True]  # the commit holds, its answer is lost
    await reader.step()
    assert handler.done == []
    await reader.step()
    assert (handler.done, handler.broken) == (["x"], [])


class Flaky(Database):
    """Now and then a transaction fails, before its commit or after it."""

    chance = random.Random(0)
    odds = 0.0
    script: ClassVar[list[bool]] = []

    def fails(self) -> bool:
        return self.script.pop(0) if self.script else self.chance.random() < self.odds

    async def write(self, block: Any) -> Any:
        if self.fails():
            raise StorageFailed("before")
        result = await super().write(block)
        if self.fails():
            raise StorageFailed("after")
        return result


@pytest.mark.parametrize("flavour", ["conduit", "synapse"])
async def test_every_event_is_handled_once_and_in_order_whatever_fails(flavour: str) -> None:
    for seed in range(RUNS // 10):
        async with world(flavour) as w:
            await one_run(w, random.Random(seed))


async def test_what_was_handled_before_a_restart_is_no_gap_behind_what_waits(w: World) -> None:
    """The stored cursor stands before the event that waits, all behind it is marked: the watchdog
    took the newest of them for one that nobody can see, and the room was told of a gap."""
    bo, cy = w.fake.register("bo")[0], w.fake.register("cy")[0]
    room = w.fake.room(bo, w.bot, cy)
    keys, handler = Keys(), Handler()
    reader = w.reader(room, handler, unseal=keys.unseal)
    await reader.load()
    await reader.step()
    keys.missing = {"bo 1"}
    seal(w, room, bo, "bo 1")
    await reader.step()
    w.fake.say(room, cy, "cy 1")
    await reader.step()
    again = w.reader(room, handler, unseal=keys.unseal)
    await again.load()
    again.suspect()
    for _ in range(3):
        await again.step()
    assert handler.gaps == []
    keys.missing.clear()
    await again.step()
    assert handler.done == ["cy 1", "bo 1"]


async def one_run(w: World, chance: random.Random) -> None:
    bo = w.fake.register("bo")[0]
    room = w.fake.room(bo, w.bot)
    flaky = Flaky(w.db._inner)
    flaky.chance, w.db = chance, flaky
    keys, handler = Keys(), Handler()
    reader = w.reader(room, handler, unseal=keys.unseal)
    await reader.load()
    await reader.step()
    said: list[str] = []
    sealed: set[str] = set()
    for number in range(120):
        flaky.odds = 0.1
        for _ in range(chance.choice((0, 0, 1, 1, 2, 30))):
            body = f"{number}.{len(said)}"
            said.append(body)
            if chance.random() < 0.2:
                seal(w, room, bo, body)
                sealed.add(body)
                if chance.random() < 0.5:
                    keys.missing.add(body)
            else:
                w.fake.say(room, bo, body)
        if chance.random() < 0.3:
            status = chance.choice((None, 429, 500, 502))
            w.fake.faults = [Fault("/", status, acted=chance.random() < 0.5)]
        if chance.random() < 0.3:
            keys.missing.clear()
        if chance.random() < 0.1:  # a crash
            reader = w.reader(room, handler, unseal=keys.unseal)
            flaky.odds = 0.0
            await reader.load()
        w.clock.go(chance.choice((0.1, 1.0, 10.0)))
        if chance.random() < 0.3:
            reader.doorbell()
        await reader.step()
    flaky.odds, w.fake.faults = 0.0, []
    keys.missing.clear()
    await reader.step()
    await reader.step()
    rows = await w.db.read(lambda tx: tx.fetch("SELECT value FROM sluice_meta ORDER BY rowid"))
    stored = [row["value"] for row in rows if "." in row["value"]]
    assert handler.broken == [], "no event was handled twice"
    assert handler.gaps == []
    assert sorted(stored) == sorted(said)
    for kind in (sealed, set(said) - sealed):  # what can be read passes what waits for its key
        assert [body for body in stored if body in kind] == [body for body in said if body in kind]
