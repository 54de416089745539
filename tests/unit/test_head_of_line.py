"""The head of the line never blocks: rooms that we are removed from, that cannot be read, requests
that cannot begin, people who tap without end. Doors, readers and runner are real; the homeserver
is the one in memory, and Conduit's side of the admin room is a script."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from sluice import audit, rooms
from sluice.chat import alarms
from sluice.db import meta
from sluice.model.request import Side, State, Via
from sluice.passwords.private import PrivateRooms
from sluice.requests import guard, reweigh, store, voting
from sluice.requests.voting import Ballot
from sluice.rooms import remover
from sluice.running.outcome import Endings
from sluice.settings import load
from tests.fake.homeserver import Fault
from tests.unit.ops import ANA, BO, CY, DAN, EVE, HAL, POLICY, Ops, ops
from tests.unit.scenes import SERVER, at, check, here
from tests.unit.test_attacks_relay import Relay

log = logging.getLogger("test.doors")
ENABLE = "!enableroom !warez{}:example.org"
WIPE = "!deactivate @spam:example.org reason casino"


class Floor:
    """Two ops rooms that are really read. first, second: their ids, in the policy's order."""

    def __init__(self, office: Ops) -> None:
        self.ops, self.fake, self.db = office, office.fake, office.db
        self.first = office.room
        self.second = office.fake.room(ANA, DAN, BO, CY, HAL, EVE, office.live.me, version="10")
        self.relay = Relay(office)
        self.relay.answers = conduit
        self._made()
        self.names(self.first, self.second)

    def names(self, *rooms: str) -> None:
        """The policy has these ops rooms from now on."""
        listed = ", ".join(f'"{room}"' for room in rooms)
        text = POLICY.replace('"!opsroom:example.org"', listed)
        loaded = load(text, server=SERVER, now=at("09:00"))
        assert loaded.settings is not None, loaded.errors
        self.live.settings = loaded.settings

    async def restart(self) -> None:
        """Another process, on the same database."""
        await self.doors.stop()
        self.ops.start(self.live.in_force)
        self.relay.make()
        self._made()
        await self.relay.start()

    def _made(self) -> None:
        self.live, self.rooms, self.desk = self.ops.live, self.ops.rooms, self.ops.desk
        self.doors = self.ops.parts.doors
        self.sender, self.encryption = self.ops.parts.sender, self.ops.parts.ground.encryption

    # --- what happens

    async def look(self) -> None:
        """One pass of the loop that joins and opens rooms."""
        await self.doors.open_ops_rooms(await self.ops.hs.joined_rooms())

    def kick(
        self, room: str, by: str = ANA, *, membership: str = "leave", seen: bool = True
    ) -> None:
        """seen: sync tells it, as far as Conduit does."""
        me = self.live.me
        event = self.fake.put(room, by, "m.room.member", {"membership": membership}, me)
        if seen:
            found = next(e for _, e in self.fake.rooms[room].events if e["event_id"] == event)
            self.doors.doorbell({"leave": {room: {"state": {"events": [found]}}}})

    def invite(self, room: str, by: str = ANA, *, seen: bool = True, **content: Any) -> None:
        member = {"membership": "invite", **content}
        self.fake.put(room, by, "m.room.member", member, self.live.me)
        event = {"type": "m.room.member", "state_key": self.live.me, "sender": by}
        if seen:
            state = {"events": [{**event, "content": member}]}
            self.doors.doorbell({"invite": {room: {"invite_state": state}}})

    async def says(self, room: str, who: str, body: str) -> str:
        """Typed now; read at once where the bot can."""
        content = {"msgtype": "m.text", "body": body}
        stamp = int(self.ops.clock.now * 1000)
        event = self.fake.put(room, who, "m.room.message", content, origin_server_ts=stamp)
        await self.read(room)
        return event

    async def read(self, *rooms: str) -> None:
        for room in rooms or (self.first, self.second):
            if (
                room in self.doors._readers
                and self.fake.rooms[room].membership(self.live.me) == "join"
            ):
                await asyncio.wait_for(self.doors._readers[room].catch_up(), 5)

    async def shows(self, room: str) -> list[str]:
        """What the bot has said there."""
        await self.sender.drain()
        return self.fake.bodies(room, self.live.me)

    async def runs(self, until: Callable[[], Awaitable[bool]]) -> None:
        """The runner, until this holds."""
        running = asyncio.create_task(self.relay.runner.run())
        try:
            await until_true(until)
            assert not running.done()
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running

    async def is_state(self, number: int, *states: State) -> bool:
        return (await self.ops.request(number)).state in states

    async def tick(self) -> None:
        await self.db.write(lambda tx: reweigh.tick(self.desk(tx)))

    async def stop(self) -> None:
        await self.ops.parts.ground.tasks.stop()
        await self.doors.stop()


async def until_true(check: Callable[[], Awaitable[bool]], within: float = 20) -> None:
    async def wait() -> None:
        while not await check():
            await asyncio.sleep(0.02)

    await asyncio.wait_for(wait(), within)


def conduit(body: str) -> str:
    """What Conduit says to what is sent here."""
    if "deactivate-all" in body:
        return f"Deactivated {body.count(':example.org') - 1} accounts."
    return (
        "User @spam:example.org has been deactivated" if "deactivate" in body else "Room enabled."
    )


@pytest.fixture
async def floor() -> AsyncIterator[Floor]:
    async with ops() as made:
        floor = Floor(made)
        await floor.relay.start()
        await floor.look()
        await floor.read()
        yield floor
        await floor.stop()
        await floor.relay.room.reader.stop()


def both(test: Any) -> Any:
    return pytest.mark.parametrize("place", ["first", "second"])(test)


# --- removed, and let in again


@both
@pytest.mark.parametrize("membership", ["leave", "ban"])
async def test_who_was_removed_from_an_ops_room_is_back_by_an_invitation(
    floor: Floor, caplog: pytest.LogCaptureFixture, place: str, membership: str
) -> None:
    caplog.set_level(logging.INFO)
    room, other = getattr(floor, place), floor.second if place == "first" else floor.first
    floor.kick(room, BO, membership=membership)
    await floor.look()
    assert floor.doors.missing
    typed = await floor.says(room, BO, ENABLE.format(1))  # while we are out
    assert room not in floor.fake.read_from_outside
    assert f"{BO} removed me from {room}, invite {floor.live.me} there" in caplog.text
    (told,) = await floor.shows(other)
    assert told.startswith(f"❗ bo removed me from an ops room.\nNothing typed in {room} runs.")
    if membership == "ban":  # lifted: that alone is no way back
        floor.fake.put(room, ANA, "m.room.member", {"membership": "leave"}, floor.live.me)
        await floor.look()
        assert floor.doors.missing
    floor.ops.clock.go(60)
    floor.invite(room)
    assert floor.ops.parts.ground.bells.rooms.is_set()
    await floor.look()
    await floor.read(room)
    assert not floor.doors.missing
    assert f"I am in {room} again" in caplog.text
    back, *_ = await floor.shows(room)
    assert back.startswith(
        "❗ I am in this room again, I was out from 14:03 to 14:04 UTC, bo had removed me."
    )
    await floor.runs(lambda: floor.is_state(1, State.DONE))
    assert (await floor.ops.request(1)).command == typed
    assert len(await floor.shows(other)) == 1, "told once"


async def test_what_was_said_too_long_ago_while_we_were_out_is_answered(floor: Floor) -> None:
    floor.kick(floor.second)
    await floor.look()
    await floor.says(floor.second, BO, ENABLE.format(1))
    floor.ops.clock.go(400)
    floor.invite(floor.second)
    await floor.look()
    await floor.read(floor.second)
    assert any("UTC, I was offline." in said for said in await floor.shows(floor.second))
    assert await floor.db.read(store.next_id) == 1


async def test_out_and_in_again_between_two_looks_is_told_all_the_same(floor: Floor) -> None:
    """No sync tells it, and the reader has not noticed."""
    floor.kick(floor.second, seen=False)
    floor.invite(floor.second, seen=False)
    await floor.look()
    await floor.read(floor.second)
    said = await floor.shows(floor.second)
    assert [body for body in said if body.startswith("❗ I am in this room again")]
    await floor.says(floor.second, BO, ENABLE.format(1))
    await floor.runs(lambda: floor.is_state(1, State.DONE))


async def test_where_nobody_knows_who_removed_us_it_is_told_all_the_same(floor: Floor) -> None:
    """Sync, which alone may name them, has a moment to do so."""
    floor.kick(floor.second, seen=False)
    await floor.look()
    assert await floor.shows(floor.first) == []
    floor.ops.clock.go(6)
    await floor.look()
    (told,) = await floor.shows(floor.first)
    assert told.startswith("❗ I am not in an ops room any more.\n")
    assert f"Nothing typed in {floor.second} runs." in told


async def test_who_left_while_we_were_out_does_not_count_afterwards(floor: Floor) -> None:
    """The server may hide it from us: members are asked anew."""
    await floor.says(floor.second, BO, WIPE)
    vote = Ballot("$vote", 1, CY, Side.APPROVE, Via.COMMAND, floor.second)
    floor.kick(floor.second)
    await floor.look()
    await floor.db.write(lambda tx: voting.vote(floor.desk(tx), vote))
    floor.fake.leave(floor.second, CY)
    floor.invite(floor.second)
    await floor.look()
    assert not await floor.relay.turn()
    request = await floor.ops.request(1)
    assert (request.state, request.queued_since) == (State.PENDING, None)
    assert floor.relay.lines == []


@both
async def test_a_start_outside_a_room_goes_on_when_it_is_let_in(floor: Floor, place: str) -> None:
    room, other = getattr(floor, place), floor.second if place == "first" else floor.first
    await floor.says(room, BO, ENABLE.format(1))
    floor.ops.clock.go(2)
    floor.kick(room)
    await floor.restart()
    await floor.look()
    assert room in floor.rooms.aside
    assert floor.doors.missing
    await floor.says(other, BO, ENABLE.format(2))
    await floor.runs(lambda: floor.is_state(2, State.DONE))
    assert await floor.is_state(1, State.PENDING)
    floor.invite(room)
    await floor.look()
    said = await floor.shows(room)
    assert [body for body in said if body.startswith("❗ I am in this room again, I was out from")]
    await floor.runs(lambda: floor.is_state(1, State.DONE))


async def test_a_room_that_is_named_again_is_read_again(floor: Floor) -> None:
    floor.kick(floor.second)
    await floor.look()
    floor.names(floor.first)
    await floor.look()
    assert floor.rooms.aside == {}
    assert not floor.doors.missing
    floor.invite(floor.second)
    await floor.look()
    assert floor.fake.rooms[floor.second].membership(floor.live.me) == "invite", "named by nobody"
    floor.names(floor.first, floor.second)
    await floor.look()
    await floor.read()
    await floor.says(floor.second, BO, ENABLE.format(1))
    await floor.runs(lambda: floor.is_state(1, State.DONE))


async def test_a_room_that_cannot_be_opened_keeps_no_other_closed(floor: Floor) -> None:
    await floor.restart()
    floor.fake.faults = [Fault(f"GET /_matrix/client/v3/rooms/{floor.first}/state", 500, times=99)]
    await floor.look()
    assert floor.doors.missing
    await floor.says(floor.second, BO, ENABLE.format(1))
    await floor.runs(lambda: floor.is_state(1, State.DONE))
    floor.fake.faults = []
    await floor.look()
    assert not floor.doors.missing


@pytest.mark.parametrize(
    ("data", "who"),
    [
        ({"state": {"events": [{"sender": BO}]}}, None),
        ({"timeline": {"events": ["garbage", None]}}, None),
        ({"timeline": [], "state": 7}, None),
        (None, None),
        ("garbage", None),
    ],
)
def test_a_room_that_was_left_says_who_did_it_or_nothing(data: Any, who: str | None) -> None:
    assert remover(data, "@sluice:example.org") == who


# --- private rooms


async def test_the_way_back_into_a_private_chat_is_open_for_whoever_has_a_role(
    floor: Floor,
) -> None:
    chat = floor.fake.room(BO, version="10")
    floor.invite(chat, BO, is_direct=True)
    await until_true(lambda: is_in(floor, chat))
    await until_true(lambda: reads(floor, chat))
    floor.kick(chat, BO)
    floor.invite(chat, BO)  # clients say is_direct only when they make the room
    await until_true(lambda: is_in(floor, chat))
    await floor.says(chat, BO, "!users")
    await until_true(lambda: is_answered(floor, chat))
    kept = json.loads(await floor.db.read(lambda tx: meta.get(tx, "chat.of")))
    assert kept == {"bo": chat}
    floor.kick(chat, BO)
    floor.invite(chat, EVE)
    group = floor.fake.room(BO, version="10")
    floor.invite(group, BO)
    await asyncio.gather(*floor.ops.parts.ground.tasks._tasks)
    assert not await is_in(floor, chat), "eve has no role"
    assert not await is_in(floor, group), "no private chat, and unknown"


async def test_the_way_back_into_a_room_for_passwords_is_open(floor: Floor) -> None:
    rooms = PrivateRooms(floor.ops.hs, floor.db, floor.encryption)
    room = await rooms.ensure(BO)
    floor.fake.join(room, BO)
    floor.doors.open_private(room)
    await until_true(lambda: reads(floor, room))
    floor.kick(room, BO)
    floor.invite(room, BO)
    await until_true(lambda: is_in(floor, room))
    await floor.says(room, BO, "!users")
    await until_true(lambda: is_answered(floor, room))


async def is_in(floor: Floor, room: str) -> bool:
    return bool(floor.fake.rooms[room].membership(floor.live.me) == "join")


async def reads(floor: Floor, room: str) -> bool:
    reader = floor.doors._readers.get(room)
    return reader is not None and reader.joined


async def is_answered(floor: Floor, room: str) -> bool:
    return any("commands work in the ops room only" in said for said in await floor.shows(room))


# --- a room that is lost steps aside


@both
async def test_what_waits_for_a_lost_room_lets_the_others_pass(floor: Floor, place: str) -> None:
    """Break-glass is among what was blocked."""
    room, other = getattr(floor, place), floor.second if place == "first" else floor.first
    await floor.says(room, BO, ENABLE.format(1))
    floor.ops.clock.go(2)
    floor.kick(room, BO, seen=False)  # the runner finds out
    await floor.says(other, BO, ENABLE.format(2))
    await floor.says(other, ANA, "!glass deactivate @spam:example.org reason attack")
    await floor.runs(lambda: floor.is_state(3, State.DONE, State.FAILED, State.UNKNOWN))
    assert await floor.is_state(2, State.DONE)
    assert await floor.is_state(1, State.PENDING)
    await floor.look()
    floor.ops.clock.go(290)
    await floor.tick()
    assert await floor.is_state(1, State.PENDING)
    floor.ops.clock.go(20)
    await floor.tick()
    assert await floor.is_state(1, State.CANCELLED)
    told = [s for s in await floor.shows(other) if s.startswith("❗ Not run: ")]
    assert told == [
        "❗ Not run: enableroom !warez1 · #1\nI am not in its room.\n"
        f"Asked by bo in {room}, where I cannot say it now."
    ]
    assert not any("warez1:" in line for line in floor.relay.lines)


async def test_the_clock_is_woken_for_what_waits_for_a_lost_room(floor: Floor) -> None:
    await floor.says(floor.second, BO, ENABLE.format(1))
    floor.kick(floor.second)
    await floor.look()
    due = await floor.db.read(lambda tx: reweigh.next_due(floor.desk(tx)))
    assert due == floor.ops.clock.now + 300


async def test_what_is_approved_waits_for_a_lost_room_no_longer(floor: Floor) -> None:
    """Its votes cannot be looked at: somebody may have taken one back."""
    await floor.says(floor.second, BO, WIPE)
    vote = Ballot("$vote", 1, CY, Side.APPROVE, Via.COMMAND, floor.second)
    await floor.db.write(lambda tx: voting.vote(floor.desk(tx), vote))
    floor.kick(floor.second)
    await floor.look()
    assert not await floor.relay.turn()
    floor.ops.clock.go(301)
    await floor.tick()
    assert await floor.is_state(1, State.CANCELLED)


async def test_what_waits_for_votes_in_a_lost_room_expires_and_that_is_told(floor: Floor) -> None:
    await floor.says(floor.second, BO, WIPE)
    floor.kick(floor.second)
    await floor.look()
    floor.ops.clock.go(1900)  # half of its time: nobody there would see the reminder
    await floor.tick()
    assert await floor.is_state(1, State.PENDING)
    floor.ops.clock.go(1800)
    await floor.tick()
    assert await floor.is_state(1, State.EXPIRED)
    assert any(said.startswith("❗ Expired: ") for said in await floor.shows(floor.first))


async def test_where_no_ops_room_is_left_owners_are_told_in_their_private_rooms(
    floor: Floor,
) -> None:
    rooms = PrivateRooms(floor.ops.hs, floor.db, floor.encryption)
    private = {who: await rooms.ensure(who) for who in (ANA, CY)}
    await floor.says(floor.second, BO, ENABLE.format(1))
    floor.kick(floor.first)
    floor.kick(floor.second)
    await floor.look()
    floor.ops.clock.go(301)
    await floor.tick()
    assert [said[:11] for said in await floor.shows(private[ANA])] == ["❗ Not run: "]
    assert await floor.shows(private[CY]) == []


async def test_a_room_that_cannot_be_read_steps_aside_and_comes_back(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rooms, "_HEARD_WITHIN", 0.2)
    await floor.says(floor.second, BO, ENABLE.format(1))
    floor.ops.clock.go(2)
    await floor.says(floor.first, BO, ENABLE.format(2))
    floor.fake.faults = [Fault(f"rooms/{floor.second}/messages", 500, times=9999)]
    await floor.runs(lambda: floor.is_state(2, State.DONE))
    assert await floor.is_state(1, State.PENDING)
    assert floor.second in floor.rooms.aside
    await floor.look()  # we are in it: that is no reason to take it for read
    assert floor.second in floor.rooms.aside
    floor.fake.faults = []
    await floor.runs(lambda: floor.is_state(1, State.DONE))
    assert floor.rooms.aside == {}


async def test_a_list_whose_room_is_lost_in_the_middle_ends_with_what_was_done(
    floor: Floor,
) -> None:
    """The rest of it blocks nobody, and is not sent when the room is back either."""
    await a_list(floor, floor.second)
    floor.ops.clock.go(2)
    await floor.says(floor.first, BO, ENABLE.format(1))

    def leaves(body: str) -> str:
        if "deactivate-all" in body:
            floor.kick(floor.second, seen=False)
        return conduit(body)

    floor.relay.answers = leaves
    await floor.runs(lambda: floor.is_state(2, State.DONE))
    assert await floor.is_state(1, State.EXECUTING)
    await floor.look()
    assert not await floor.relay.turn(), "it waits, and nobody waits for it"
    floor.ops.clock.go(301)
    await floor.relay.turn()
    assert not await floor.is_state(1, State.EXECUTING)
    assert sent(floor, "deactivate-all") == 1
    query = "SELECT content FROM sluice_outbox WHERE key='request.1.end'"
    result = json.loads(await floor.db.read(lambda tx: tx.fetchval(query)))["body"]
    assert "I am not in its room" in result, result
    assert "10 of 12" in result, result
    shown = await floor.shows(floor.first)
    told = [said for said in shown if said.startswith("❗ ") and "· #1" in said]
    assert len(told) == 1, shown
    floor.invite(floor.second)
    await floor.look()
    await floor.read()
    assert not await floor.relay.turn()
    assert sent(floor, "deactivate-all") == 1


async def a_list(floor: Floor, room: str) -> None:
    """#1, a list of two lines, approved."""
    people = [f"s{n:02}" for n in range(12)]
    for name in people:
        floor.fake.register(name)
    listed = "\n".join(f"@{name}:example.org" for name in people)
    await floor.says(room, ANA, f"!deactivateall reason wave\n{listed}")
    for who in (CY, DAN):
        await cast(floor, f"$of.{who}", who, room=room)


def sent(floor: Floor, word: str) -> int:
    return len([line for line in floor.relay.lines if word in line])


# --- what cannot begin


@pytest.mark.parametrize("part", ["guard", "spelling", "card"])
async def test_a_request_that_cannot_begin_ends_and_the_next_one_goes(
    floor: Floor, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    await floor.says(floor.first, BO, ENABLE.format(1))
    await floor.says(floor.second, BO, ENABLE.format(2))
    real_append = audit.append

    async def too_long(tx: Any, now: float, kind: str, record: Any) -> Any:
        if kind == "intent" and record["request"] == 1:
            raise ValueError("the record is too long")
        if part == "card" and kind == "ended" and record["request"] == 1:
            raise KeyError("its card is broken as well")
        return await real_append(tx, now, kind, record)

    def unknown(invocation: Any, *more: Any) -> Any:
        if "warez1" in str(invocation):
            raise KeyError("no such command")
        return real_lines(invocation, *more)

    from sluice.running import runner

    real_lines = runner.lines
    if part == "spelling":
        monkeypatch.setattr(runner, "lines", unknown)
    else:
        monkeypatch.setattr(audit, "append", too_long)
    await floor.runs(lambda: floor.is_state(2, State.DONE))
    assert await floor.is_state(1, State.CANCELLED)
    said = await floor.shows(floor.first)
    error = "KeyError" if part == "spelling" else "ValueError"
    alarm = next(body for body in said if "I stopped #1 by an error of mine" in body)
    assert alarm.startswith("❗ ")
    assert error in alarm
    assert len([body for body in said if "I stopped #1" in body]) == 1
    records = await floor.db.read(lambda tx: tx.fetch("SELECT * FROM sluice_audit"))
    errors = [json.loads(row["record"]) for row in records if row["kind"] == "error"]
    assert [(each["error"], each["request"]) for each in errors] == [(error, 1)]


async def test_a_list_that_cannot_go_on_ends_with_what_was_done(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where its result cannot be made."""
    await a_list(floor, floor.first)
    real, turns = guard.begin, []

    async def second_breaks(desk: Any, turn: Any, *more: Any) -> Any:
        turns.append(turn)
        if turn.request == 1 and turn.number == 2:
            raise RuntimeError("a mistake")
        return await real(desk, turn, *more)

    result = Endings.message

    async def no_result(self: Any, tx: Any, request: Any, *more: Any) -> Any:
        if request.id == 1:
            raise KeyError("no words for it")
        return await result(self, tx, request, *more)

    monkeypatch.setattr(guard, "begin", second_breaks)
    monkeypatch.setattr(Endings, "message", no_result)
    await floor.says(floor.second, BO, ENABLE.format(1))

    async def over() -> bool:
        ended = (State.DONE, State.FAILED, State.UNKNOWN)
        return await floor.is_state(1, *ended) and await floor.is_state(2, *ended)

    await floor.runs(over)
    assert sent(floor, "deactivate-all") == 1
    assert not await floor.is_state(1, State.DONE)


async def test_what_may_pass_ends_no_request(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sluice.db.connection import StorageFailed
    from sluice.matrix.api import NoResponse
    from sluice.requests.desk import Changed

    await floor.says(floor.first, BO, ENABLE.format(1))
    real = guard.begin
    for error in (StorageFailed("full"), NoResponse("away"), Changed("meanwhile")):

        async def fails(*_: Any, error: Exception = error) -> Any:
            raise error

        monkeypatch.setattr(guard, "begin", fails)
        with pytest.raises(type(error)):
            await floor.relay.turn()
        assert await floor.is_state(1, State.PENDING)
    monkeypatch.setattr(guard, "begin", real)
    await floor.runs(lambda: floor.is_state(1, State.DONE))


# --- taps without end


async def cast(floor: Floor, event: str, who: str, side: Side = Side.APPROVE, **more: Any) -> None:
    how = more.pop("how", Via.REACTION)
    floor.ops.clock.go(0.01)
    one = Ballot(event, 1, who, side, how, more.get("room", floor.first))
    await floor.db.write(lambda tx: voting.vote(floor.desk(tx), one))


async def withdraw(floor: Floor, event: str, who: str) -> None:
    room = floor.first
    await floor.db.write(lambda tx: voting.redacted(floor.desk(tx), room, event, who))


async def kept(floor: Floor, number: int = 1) -> list[Any]:
    return await floor.db.read(lambda tx: store.votes(tx, number))


async def records(floor: Floor, kind: str) -> list[dict[str, Any]]:
    rows = await floor.db.read(lambda tx: tx.fetch("SELECT * FROM sluice_audit ORDER BY seq"))
    return [json.loads(row["record"]) for row in rows if row["kind"] == kind]


async def test_six_hundred_taps_of_a_voter_are_one_vote_in_the_intent(floor: Floor) -> None:
    """On Conduit the same reaction twice is two events."""
    await floor.says(floor.first, BO, WIPE)
    for n in range(600):
        await cast(floor, f"$tap{n}", CY)
    assert len(await kept(floor)) == voting.MOST_VOTES
    assert len(await records(floor, "vote")) == 1
    await floor.runs(lambda: floor.is_state(1, State.DONE))
    (intent,) = await records(floor, "intent")
    assert [(v["mxid"], v["event"]) for v in intent["votes"]] == [(CY, "$tap0")]


@pytest.mark.parametrize("who", [BO, HAL, EVE])
async def test_taps_that_do_not_count_are_kept_and_answered_within_bounds(
    floor: Floor, who: str
) -> None:
    """Of the requester (a tap for it), of who has no role that could, of who has none at all."""
    if who == HAL:
        floor.ops.power(HAL, 30)
    await floor.says(floor.first, BO, WIPE)
    before = len(await floor.shows(floor.first))
    for n in range(50):
        await cast(floor, f"$tap{n}", who)
    assert len(await kept(floor)) <= voting.MOST_VOTES
    assert len(await records(floor, "vote rejected")) <= 1
    assert len(await floor.shows(floor.first)) - before <= 1
    await cast(floor, "$cy", CY)
    await floor.runs(lambda: floor.is_state(1, State.DONE))


async def test_who_changes_their_mind_without_end_is_told_once_and_can_still_say_no(
    floor: Floor,
) -> None:
    floor.live.settings = evolved(floor, n=2)
    await floor.says(floor.first, BO, WIPE)
    for n in range(30):
        await cast(floor, f"$tap{n}", CY)
        await withdraw(floor, f"$tap{n}", CY)
    votes = await kept(floor)
    assert len(votes) == voting.MOST_VOTES
    assert not any(vote.approves for vote in votes)
    said = await floor.shows(floor.first)
    told = [body for body in said if "you have voted on #1 too often" in body]
    assert told == [
        "📋 cy, your vote does not count: you have voted on #1 too often, somebody else must."
    ]
    await cast(floor, "$typed", CY, how=Via.COMMAND)
    assert len([s for s in await floor.shows(floor.first) if "too often" in s]) == 2, "typed"
    await cast(floor, "$no", CY, Side.DENY)
    assert await floor.is_state(1, State.DENIED)


def evolved(floor: Floor, n: int) -> Any:
    text = POLICY.replace("[{from: mod, n: 1}]}", f"[{{from: mod, n: {n}}}]}}", 1)
    listed = f'"{floor.first}", "{floor.second}"'
    loaded = load(text.replace('"!opsroom:example.org"', listed), server=SERVER, now=at("09:00"))
    assert loaded.settings is not None, loaded.errors
    return loaded.settings


async def test_taps_after_the_end_are_answered_once_however_many(floor: Floor) -> None:
    await floor.says(floor.first, BO, WIPE)
    for n in range(voting.MOST_VOTES):
        await cast(floor, f"$tap{n}", CY)
        await withdraw(floor, f"$tap{n}", CY)
    await cast(floor, "$no", DAN, Side.DENY)
    before = len(await floor.shows(floor.first))
    for n in range(50):
        await cast(floor, f"$late{n}", CY)
    said = (await floor.shows(floor.first))[before:]
    assert len([body for body in said if "too late" in body]) == 1
    assert len(await kept(floor)) <= voting.MOST_VOTES + 1


async def test_a_tap_that_is_taken_back_leaves_the_other_one(floor: Floor) -> None:
    """👍 and ✅ of one person; the log says which of them still stands."""
    floor.live.settings = evolved(floor, n=2)
    await floor.says(floor.first, BO, WIPE)
    await cast(floor, "$thumb", CY)
    await cast(floor, "$tick", CY)
    await withdraw(floor, "$thumb", CY)
    (gone,) = await records(floor, "vote withdrawn")
    assert (gone["event"], gone["stands"]) == ("$thumb", "$tick")
    await cast(floor, "$dan", DAN)
    await floor.runs(lambda: floor.is_state(1, State.DONE))
    (intent,) = await records(floor, "intent")
    assert [v["event"] for v in intent["votes"]] == ["$tick", "$dan"]


async def test_the_intent_names_no_vote_that_was_taken_back_or_rejected(floor: Floor) -> None:
    floor.live.settings = evolved(floor, n=2)
    await floor.says(floor.first, BO, WIPE)
    await cast(floor, "$away", CY)
    await withdraw(floor, "$away", CY)
    floor.fake.leave(floor.first, DAN)
    await floor.read(floor.first)
    await cast(floor, "$stranger", DAN)  # not in the room: it never counts
    floor.fake.join(floor.first, DAN)
    await floor.read(floor.first)
    await cast(floor, "$cy", CY)
    await cast(floor, "$dan", DAN)
    await floor.runs(lambda: floor.is_state(1, State.DONE))
    (intent,) = await records(floor, "intent")
    assert [v["event"] for v in intent["votes"]] == ["$cy", "$dan"]


async def test_idle_taps_do_not_hide_what_was_sent_in_the_log(floor: Floor) -> None:
    await floor.says(floor.first, BO, WIPE)
    for n in range(12):
        await cast(floor, f"$tap{n}", CY)
        await cast(floor, f"$own{n}", BO)
    await floor.runs(lambda: floor.is_state(1, State.DONE))
    await floor.says(floor.first, ANA, "!log 1")
    answer = (await floor.shows(floor.first))[-1]
    assert "sent" in answer, answer


# --- small ones of the same kind


async def test_a_vote_by_reply_wakes_the_runner(floor: Floor) -> None:
    await floor.says(floor.first, BO, WIPE)
    await floor.shows(floor.first)
    query = "SELECT event_id FROM sluice_outbox WHERE key='request.1.card' AND kind='message'"
    card = await floor.db.read(lambda tx: tx.fetchval(query))
    floor.ops.parts.ground.bells.line.clear()
    content = {
        "msgtype": "m.text",
        "body": "yes",
        "m.relates_to": {"m.in_reply_to": {"event_id": card}},
    }
    floor.fake.put(floor.first, CY, "m.room.message", content)
    await floor.read(floor.first)
    assert floor.ops.parts.ground.bells.line.is_set()


async def test_every_reason_against_a_break_glass_is_named(floor: Floor) -> None:
    text = POLICY.replace("break_glass: {role: owner, max: 1", "break_glass: {role: owner, max: 2")
    listed = f'"{floor.first}", "{floor.second}"'
    loaded = load(text.replace('"!opsroom:example.org"', listed), server=SERVER, now=at("09:00"))
    floor.live.settings = loaded.settings
    for name in ("spam", "max"):  # both taken at once, by another policy: none was reviewed
        await floor.says(floor.first, ANA, f"!glass deactivate @{name}:example.org reason x")
        await floor.db.write(
            lambda tx: tx.execute("UPDATE sluice_request SET review='' WHERE glass=1")
        )
    await floor.db.write(
        lambda tx: tx.execute("UPDATE sluice_request SET review='open' WHERE glass=1")
    )
    await floor.says(floor.first, ANA, "!glass deactivate @max:example.org reason y")
    answer = (await floor.shows(floor.first))[-1].replace("\n", " ")
    for reason in ("#1 is not reviewed yet", "#2 is not reviewed yet", "2 of 2 today is used"):
        assert reason in answer, answer


def test_the_words_for_lost_rooms_and_broken_requests_keep_the_rules() -> None:
    room, there = "!" + "x" * 40 + ":long.server.example.org", here()
    for by in (None, "bo", EVE):
        check(alarms.removed(there, room, by))
        check(alarms.let_in_again(there, at("13:50"), by))
    for line in ("users", "deactivateall " + " ".join(f"@s{n}:example.org" for n in range(50))):
        check(alarms.cannot_begin(there, "UnicodeDecodeError", 1234, line))
