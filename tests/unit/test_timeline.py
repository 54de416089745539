"""The reader hands every event of a room to its handler once, in order, whatever goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from sluice.db.connection import StorageFailed
from sluice.matrix.api import NoResponse, Refused
from sluice.matrix.model import NotJoined
from sluice.matrix.timeline import Reader
from tests.fake.homeserver import V3, Fault
from tests.fake.world import Handler, World, world


@pytest.fixture(params=["conduit", "synapse"])
async def w(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with world(request.param) as made:
        yield made


@pytest.fixture
def bo(w: World) -> str:
    return w.fake.register("bo")[0]


@pytest.fixture
def room(w: World, bo: str) -> str:
    return w.fake.room(bo, w.bot)


async def begun(w: World, room: str, handler: Handler) -> Reader:
    """A reader that has set its cursor."""
    reader = w.reader(room, handler)
    await reader.load()
    await reader.step()
    return reader


async def test_a_room_never_read_before_begins_behind_its_newest_event(
    w: World, room: str, bo: str
) -> None:
    w.fake.say(room, bo, "before")
    handler = Handler()
    reader = await begun(w, room, handler)
    w.fake.say(room, bo, "after")
    await reader.step()
    assert handler.done == ["after"]


async def test_events_come_once_and_in_order_over_many_pages(w: World, room: str, bo: str) -> None:
    handler = Handler()
    reader = await begun(w, room, handler)
    bodies = [str(number) for number in range(250)]
    for body in bodies:
        w.fake.say(room, bo, body)
    await reader.step()
    assert handler.done == bodies


async def test_a_restart_goes_on_where_the_last_commit_was(w: World, room: str, bo: str) -> None:
    await begun(w, room, Handler())
    for body in ("a", "b", "c"):
        w.fake.say(room, bo, body)
    handler = Handler(fail_tx={"b": StorageFailed("full")})
    reader = w.reader(room, handler)
    await reader.load()
    await reader.step()
    assert handler.done == ["a"]

    handler = Handler()
    reader = w.reader(room, handler)  # after a crash: nothing but the database is left
    await reader.load()
    await reader.step()
    assert handler.asked == ["b", "c"], "the event that was committed is not asked about again"
    assert sorted((await w.handled()).values()) == ["a", "b", "c"]


async def test_behind_what_cannot_be_stored_the_room_is_heard_and_order_is_kept(
    w: World, room: str, bo: str
) -> None:
    """The disk is full: a command that is only refused must not wait for a vote before it."""
    full = {body: StorageFailed("full") for body in ("a", "c", "d")}
    handler = Handler(fail_tx=full, ignore=("b", "e"))
    reader = w.reader(room, handler, passes_by=True)
    await reader.load()
    await reader.step()
    for body in ("a", "b"):
        w.fake.say(room, bo, body)
    caught_up = asyncio.ensure_future(reader.catch_up())
    await reader.step()
    for body in ("c", "d", "e"):
        w.fake.say(room, bo, body)
    await reader.step()
    assert set(handler.asked) >= {"b", "e"}
    assert handler.asked.count("b") == handler.asked.count("e") == 1
    assert handler.done == []
    assert not caught_up.done(), "nobody may think that all of the room is known"
    full.pop("d")  # what comes later may not be stored before what came first
    await reader.step()
    assert handler.done == []
    full.clear()
    w.fake.say(room, bo, "f")
    await reader.step()
    assert handler.done == ["a", "c", "d", "f"]
    await reader.step()
    assert caught_up.done()
    assert sorted((await w.handled()).values()) == ["a", "c", "d", "f"]


async def test_what_was_passed_by_is_read_again_after_a_crash(
    w: World, room: str, bo: str
) -> None:
    handler = Handler(fail_tx={"a": StorageFailed("full")}, ignore=("b",))
    reader = w.reader(room, handler, passes_by=True)
    await reader.load()
    await reader.step()
    for body in ("a", "b"):
        w.fake.say(room, bo, body)
    await reader.step()
    w.clock.go(700)
    await reader.step()
    again = Handler(ignore=("b",))
    reader = w.reader(room, again, passes_by=True)
    await reader.load()
    await reader.step()
    assert again.done == ["a"]


async def test_events_without_effects_cost_no_commit_and_move_the_cursor_all_the_same(
    w: World, room: str, bo: str
) -> None:
    handler = Handler(ignore=("chat",))
    reader = await begun(w, room, handler)
    writes: list[None] = []
    w.db.after_write(lambda: writes.append(None))
    for _ in range(20):
        w.fake.say(room, bo, "chat")
    await reader.step()
    await reader.step()
    assert (len(handler.asked), len(writes)) == (20, 0)
    w.clock.go(6)
    await reader.step()
    assert len(writes) == 1, "a cursor that moved is stored after five seconds"
    again = Handler()
    reader = w.reader(room, again)
    await reader.load()
    await reader.step()
    assert again.asked == []


async def test_a_page_with_one_event_is_one_commit_with_its_cursor(
    w: World, room: str, bo: str
) -> None:
    handler = Handler()
    reader = await begun(w, room, handler)
    writes: list[None] = []
    w.db.after_write(lambda: writes.append(None))
    w.fake.say(room, bo, "!users")
    await reader.step()
    assert len(writes) == 1
    again = Handler()
    reader = w.reader(room, again)
    await reader.load()
    await reader.step()
    assert again.asked == []


async def test_a_failing_database_or_network_keeps_the_event_for_later(
    w: World, room: str, bo: str
) -> None:
    for error in (StorageFailed("full"), NoResponse("gone"), Refused(502, "", "")):
        handler = Handler(fail={"x": error})
        reader = await begun(w, room, handler)
        w.fake.say(room, bo, "x")
        await reader.step()
        await reader.step()
        assert handler.done == []
        assert reader.failing_since is not None
        assert reader.delay() == 0.5, "the second failure waits twice as long"
        handler.fail.clear()
        w.fake.say(room, bo, "y")
        await reader.step()
        assert handler.done == ["x", "y"], error
        assert reader.failing_since is None


async def test_an_event_that_breaks_its_handler_is_recorded_and_passed(
    w: World, room: str, bo: str
) -> None:
    for where in ("fail", "fail_tx"):
        handler = Handler(**{where: {"bad": KeyError("user")}})
        reader = await begun(w, room, handler)
        bad = w.fake.say(room, bo, "bad")
        w.fake.say(room, bo, "good")
        await reader.step()
        assert handler.broken == [(bad, "KeyError")]
        assert handler.done == ["good"]
        assert bad not in await w.handled(), "nothing of the failed block is stored"


async def test_malformed_events_are_passed(w: World, room: str, bo: str) -> None:
    handler = Handler()
    reader = await begun(w, room, handler)
    w.fake.put(room, bo, "m.room.message", {"body": 5})
    w.fake.rooms[room].events[-1][1]["event_id"] = None
    w.fake.put(room, bo, "m.room.member", {"membership": 7}, "@x:y")
    w.fake.say(room, bo, "good")
    await reader.step()
    assert handler.done[-1] == "good"


async def test_a_room_we_are_not_in_is_never_read(w: World, room: str, bo: str) -> None:
    handler = Handler()
    reader = await begun(w, room, handler)
    w.fake.leave(room, w.bot, by=bo)
    await reader.step()
    w.clock.go(15)
    await reader.step()
    seen = [] if w.fake.conduit else ["m.room.member"]
    assert handler.done == seen, "Conduit may hide the kick from who was kicked"
    reads = w.fake.count("/messages")
    for _ in range(3):
        w.fake.say(room, bo, "among themselves")
        reader.doorbell()
        await reader.step()
    assert w.fake.count("/messages") == reads
    assert not reader.joined
    assert reader.delay() == 15
    w.fake.join(room, w.bot)
    await reader.step()
    assert reader.joined
    assert handler.done[-1] == "m.room.member"


async def test_an_old_exit_that_is_read_late_does_not_stop_the_reader(
    w: World, room: str, bo: str
) -> None:
    handler = Handler()
    reader = await begun(w, room, handler)
    w.fake.leave(room, w.bot, by=bo)
    w.fake.join(room, w.bot)
    w.fake.say(room, bo, "hello again")
    await reader.step()
    await reader.step()
    assert handler.done[-1] == "hello again"
    assert w.fake.read_from_outside == []


async def test_nothing_is_read_behind_our_exit_even_when_reading_to_the_end(
    w: World, room: str, bo: str
) -> None:
    reader = await begun(w, room, Handler())
    w.fake.leave(room, w.bot, by=bo)
    reads = w.fake.count("/messages")
    waiting = asyncio.ensure_future(reader.catch_up())
    await asyncio.sleep(0)
    await reader.step()
    assert w.fake.count("/messages") == reads + 1
    await reader.step()
    with pytest.raises(NotJoined):
        await waiting


async def test_a_doubt_is_settled_before_the_next_read(w: World, room: str, bo: str) -> None:
    reader = await begun(w, room, Handler())
    w.fake.leave(room, w.bot, by=bo)
    reader.doubt()  # a send was refused with 403
    await reader.step()
    assert w.fake.read_from_outside == []


async def test_a_replaced_history_sets_the_cursor_anew_and_tells_the_gap(
    w: World, room: str, bo: str
) -> None:
    handler = Handler()
    reader = await begun(w, room, handler)
    kept = len(w.fake.rooms[room].events)
    w.fake.say(room, bo, "lost with the disk")
    await reader.step()
    await reader.step()
    last_good = w.clock()
    w.fake.restore(room, kept)
    w.fake.say(room, bo, "said after the restore, before anybody noticed")
    w.clock.go(10)
    reader.doorbell()
    await reader.step()
    assert [(gap.why, gap.since, gap.until) for gap in handler.gaps] == [
        ("replaced", last_good, last_good + 10)
    ]
    w.fake.say(room, bo, "new")
    await reader.step()
    assert handler.done == ["lost with the disk", "new"]


async def test_a_restored_server_that_counted_past_the_cursor_is_found_out_before_it_is_read(
    w: World, room: str, bo: str
) -> None:
    handler = Handler()
    reader = await begun(w, room, handler)
    kept = len(w.fake.rooms[room].events)
    w.fake.say(room, bo, "lost with the disk")
    await reader.step()
    w.fake.restore(room, kept)
    for number in range(5):
        w.fake.say(room, bo, f"new {number}")
    reader.suspect()  # the long poll broke
    await reader.step()
    assert [gap.why for gap in handler.gaps] == ["replaced"]
    assert handler.done == ["lost with the disk"], "nothing is read that follows on something lost"


async def test_a_token_of_another_server_is_a_replaced_history(
    w: World, room: str, bo: str
) -> None:
    handler = Handler()
    reader = await begun(w, room, handler)
    w.fake.conduit = not w.fake.conduit
    reader.doorbell()
    await reader.step()
    assert [gap.why for gap in handler.gaps] == ["replaced"]
    w.fake.say(room, bo, "new")
    await reader.step()
    assert handler.done == ["new"]


async def test_a_run_of_invisible_events_is_jumped_and_told(w: World, room: str, bo: str) -> None:
    handler = Handler()
    reader = await begun(w, room, handler)
    w.clock.go(10)
    for _ in range(150):
        w.fake.rooms[room].hidden.add(w.fake.say(room, bo, "hidden"))
    w.fake.say(room, bo, "behind it")
    reader.doorbell()
    await reader.step()
    assert [gap.why for gap in handler.gaps] == ["invisible"]
    w.fake.say(room, bo, "new")
    await reader.step()
    assert handler.done == ["new"]


async def test_a_bell_for_nothing_is_no_gap(w: World, room: str, bo: str) -> None:
    handler = Handler()
    reader = await begun(w, room, handler)
    w.fake.say(room, bo, "a")
    await reader.step()
    for _ in range(5):
        w.clock.go(10)
        reader.doorbell()
        await reader.step()
    assert handler.gaps == []


async def test_an_invisible_newest_event_is_no_gap(w: World, room: str, bo: str) -> None:
    handler = Handler()
    reader = await begun(w, room, handler)
    w.fake.rooms[room].hidden.add(w.fake.say(room, bo, "hidden"))
    w.clock.go(10)
    reader.doorbell()
    await reader.step()
    assert handler.gaps == []


async def test_a_gap_that_cannot_be_stored_is_told_again(w: World, room: str, bo: str) -> None:
    handler = Handler()
    reader = await begun(w, room, handler)
    w.fake.say(room, bo, "lost")
    await reader.step()
    w.fake.restore(room, len(w.fake.rooms[room].events) - 1)
    w.clock.go(10)
    original, handler.on_gap = handler.on_gap, None  # type: ignore[assignment]

    async def fails(gap: object) -> None:
        raise StorageFailed("full")

    reader._gap = fails  # type: ignore[assignment]
    reader.doorbell()
    await reader.step()
    assert reader.failing_since is not None
    reader._gap = original
    reader.doorbell()
    await reader.step()
    assert [gap.why for gap in handler.gaps] == ["replaced"]


async def test_catch_up_waits_for_all_that_stands_in_the_room(
    w: World, room: str, bo: str
) -> None:
    handler = Handler()
    reader = w.reader(room, handler)
    await reader.start()
    await reader.catch_up()
    for number in range(130):
        w.fake.say(room, bo, str(number))
    await reader.catch_up()
    assert len(handler.done) == 130
    w.fake.leave(room, w.bot, by=bo)
    reader.doubt()
    with pytest.raises(NotJoined):
        await reader.catch_up()
    await reader.stop()


async def test_an_own_line_that_is_not_seen_makes_the_watchdog_look(
    w: World, room: str, bo: str
) -> None:
    handler = Handler()
    reader = w.reader(room, handler)
    await reader.start()
    await reader.catch_up()
    w.fake.rooms[room].hidden.update(w.fake.say(room, bo, "hidden") for _ in range(100))
    w.fake.say(room, w.bot, "own line")
    await reader.check()
    assert [gap.why for gap in handler.gaps] == ["invisible"]
    await reader.stop()


async def test_a_doorbell_is_answered_at_once_and_stopping_stores_the_cursor(
    w: World, room: str, bo: str
) -> None:
    handler = Handler(ignore=("chat",))
    reader = w.reader(room, handler, poll=3600)
    await reader.start()
    await reader.catch_up()
    w.fake.say(room, bo, "chat")
    reader.doorbell()
    await reader.catch_up()
    await reader.stop()
    again = Handler()
    reader = w.reader(room, again)
    await reader.load()
    await reader.step()
    assert again.asked == []


async def test_a_doorbell_during_a_read_causes_one_more(w: World, room: str, bo: str) -> None:
    handler = Handler()
    reader = await begun(w, room, handler)

    def rings(line: str) -> None:
        if line.endswith("/messages"):
            w.fake.before = None
            reader.doorbell()

    w.fake.before = rings
    await reader.step()
    assert reader.delay() == 0


async def test_a_bell_for_what_was_read_is_none(w: World, room: str, bo: str) -> None:
    reader = await begun(w, room, Handler())
    seen = w.fake.say(room, bo, "seen")

    def rings(line: str) -> None:
        if line.endswith("/messages"):
            w.fake.before = None
            reader.doorbell([seen])

    w.fake.before = rings
    await reader.step()
    assert reader.delay() > 0
    reader.doorbell([seen])
    assert reader.delay() > 0
    reader.doorbell([seen, "$new"])
    assert reader.delay() == 0


async def test_the_homeserver_says_how_long_to_wait(w: World, room: str) -> None:
    reader = await begun(w, room, Handler())
    body = {"errcode": "M_LIMIT_EXCEEDED", "error": "slow down", "retry_after_ms": 2500}
    w.fake.faults.append(Fault("/messages", 429, body))
    await reader.step()
    assert reader.delay() == 2.5


async def test_every_kind_of_garbage_is_survived(w: World, room: str, bo: str) -> None:
    handler = Handler()
    reader = await begun(w, room, handler)
    w.fake.say(room, bo, "a")
    for status, body in ((200, {}), (200, {"chunk": 5}), (502, {}), (404, {}), (None, {})):
        w.fake.faults.append(Fault("/messages", status, body))
        await reader.step()
        assert handler.done == []
        assert handler.gaps == []
    await reader.step()
    assert handler.done == ["a"]


def test_the_paths_are_those_of_the_client_api() -> None:
    assert V3 == "/_matrix/client/v3"
