"""Who has no right costs nothing, and what somebody looks up holds up nobody else."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from sluice.chats import Chats
from sluice.looks.names import called_here
from sluice.matrix.encryption import Encryption
from sluice.matrix.model import SEEN, Gap, Handled
from sluice.matrix.rooms import RoomView
from sluice.matrix.schedule import Schedule
from sluice.matrix.timeline import Reader
from sluice.model.event import RoomEvent
from sluice.model.request import State
from sluice.passwords import store as kept
from sluice.passwords.private import CannotDeliver, PrivateRooms
from sluice.requests import store
from sluice.rooms import Doors
from tests.unit.ops import ANA, BO, CY, EVE, HAL, Ops, ops
from tests.unit.scenes import SERVER
from tests.unit.test_attacks import Room
from tests.unit.test_rooms import state

LINK = "https://matrix.to/#/"
SLOW = "#a:slow.example"


@pytest.fixture
async def office() -> AsyncIterator[Ops]:
    async with ops() as made:
        yield made


@pytest.fixture
def room(office: Ops) -> Room:
    return Room(office)


def pills(count: int, command: str = "!purge") -> dict[str, Any]:
    """A message with so many links."""
    ids = [f"@p{n}:{SERVER}" for n in range(count)]
    return {
        "msgtype": "m.text",
        "body": f"{command} " + " ".join(ids),
        "format": "org.matrix.custom.html",
        "formatted_body": f"{command} " + " ".join(f'<a href="{LINK}{i}">{i}</a>' for i in ids),
    }


def asked(office: Ops, what: str) -> int:
    return office.fake.count(what)


# --- the role comes before everything


@pytest.fixture
def touched(office: Ops, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Whenever the database is read or written."""
    touched: list[str] = []
    for name in ("read", "write"):
        real = getattr(office.db, name)

        async def spied(block: Any, name: str = name, real: Any = real) -> Any:
            touched.append(name)
            return await real(block)

        monkeypatch.setattr(office.db, name, spied)
    return touched


def said(**content: Any) -> tuple[str, dict[str, Any]]:
    return "m.room.message", {"msgtype": "m.text", **content}


NEW = {"msgtype": "m.text", "body": "!users"}
KINDS = [
    said(body="!users"),
    said(body=f"!disableroom {SLOW}"),
    ("m.room.message", pills(1500)),
    said(body="yes, all of it", **{"m.relates_to": {"m.in_reply_to": {"event_id": "$x"}}}),
    said(
        body="* x",
        **{"m.new_content": NEW, "m.relates_to": {"rel_type": "m.replace", "event_id": "$x"}},
    ),
    ("m.reaction", {"m.relates_to": {"rel_type": "m.annotation", "event_id": "$x", "key": "1️⃣"}}),
]


@pytest.mark.parametrize(("kind", "content"), KINDS, ids=range(len(KINDS)))
async def test_nothing_of_somebody_without_a_role_is_looked_up(
    office: Ops, room: Room, touched: list[str], kind: str, content: dict[str, Any]
) -> None:
    before = len(office.fake.requests)
    event = RoomEvent("$1", EVE, kind, content, at=office.clock.now)
    handled = await room._room.take(event)
    assert handled is None
    assert touched == []
    assert len(office.fake.requests) == before


@pytest.mark.parametrize("kind", ["m.reaction", "m.room.message"])
async def test_a_vote_of_somebody_without_a_role_is_only_marked_as_seen(
    office: Ops, room: Room, touched: list[str], kind: str
) -> None:
    relation = {"rel_type": "m.annotation", "event_id": "$x", "key": "✅"}
    content = {"m.relates_to": relation}
    if kind == "m.room.message":
        content = {"msgtype": "m.text", "body": "yes"}
        content["m.relates_to"] = {"m.in_reply_to": {"event_id": "$x"}}  # type: ignore[assignment]
    assert await room._room.take(RoomEvent("$1", EVE, kind, content)) is SEEN
    assert touched == []


async def test_a_redaction_of_what_nobody_stored_is_nothing(office: Ops, room: Room) -> None:
    await room.says(EVE, "chat")
    event = RoomEvent("$1", EVE, "m.room.redaction", {}, removes="$chat")
    assert await room._room.take(event) is None


async def test_who_was_asked_may_answer_whatever_became_of_the_role(
    office: Ops, room: Room
) -> None:
    await room.says(HAL, "!mediainfo")
    question = next(iter(office.dialog._open.values()))
    target = await room.sent(question.key)
    office.power(HAL, 0)
    await office.rooms.views[office.room].refresh(office.hs)
    assert await office.authority.roles(office._where(HAL)) == frozenset()
    await room.says(HAL, "mxc://example.org/x", reply_to=target)
    assert not office.dialog._open


async def test_a_long_display_name_is_read_once_for_all_the_links_of_a_message(
    office: Ops, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(50):
        name = {"membership": "join", "displayname": "x" * 40_000}
        mxid = f"@long{n}:{SERVER}"
        office.fake.put(office.room, mxid, "m.room.member", name, mxid)
    view = office.rooms.views[office.room]
    await view.refresh(office.hs)
    looked: list[str] = []
    real = RoomView.display_name

    def counted(self: RoomView, mxid: str) -> str:
        looked.append(mxid)
        return real(self, mxid)

    monkeypatch.setattr(RoomView, "display_name", counted)
    for _ in range(3):
        await room.event(HAL, "m.room.message", pills(100, "!users"))
    assert len(looked) == len(view.joined)


def test_only_the_first_hundred_characters_of_a_display_name_count() -> None:
    view = RoomView("!r:x")
    for mxid, name in (("@a:x", "y" * 40_000), ("@b:x", "   Ann  Lee ")):
        content = {"membership": "join", "displayname": name}
        view.apply(state("m.room.member", content, mxid))
    assert called_here(view, "y" * 100) == ("@a:x",)
    assert called_here(view, "ann lee") == ("@b:x",)
    content = {"membership": "join", "displayname": "Bea"}
    view.apply(state("m.room.member", content, "@b:x"))
    assert (called_here(view, "ann lee"), called_here(view, "bea")) == ((), ("@b:x",))


async def test_a_message_of_too_many_links_is_refused_with_their_number(
    office: Ops, room: Room
) -> None:
    await room.event(BO, "m.room.message", pills(1500))
    assert str((await office.last())["body"]).startswith(
        "⛔ Not run: that message holds 1,500 links, 100 is the most."
    )


# --- what no line covers is refused before any look


@pytest.mark.parametrize(
    ("who", "line", "shown"),
    [
        (HAL, f"!disableroom {SLOW}", SLOW),
        (HAL, f"!enableroom {SLOW}", SLOW),
        (HAL, "!deactivate @spam:example.org reason x", "@spam:example.org"),
        (HAL, "!adduser mia", "mia"),
        (HAL, "!adduser\nmia\nnoa", "mia"),
        (HAL, "!resetpw cy", "cy"),
        (HAL, "!deactivateall\n" + "\n".join(f"n{n}" for n in range(1000)), "deactivateall"),
        (HAL, f"!purge {LINK}!r:x/$one {LINK}!r:x/$two", "purge"),
        (HAL, "!rmalias #x:example.org", "#x:example.org"),
        (BO, "!rmalias #x:example.org", "#x:example.org"),
        (HAL, f"!glass disableroom {SLOW}", SLOW),
        (BO, "!glass rmalias #x:example.org", "#x:example.org"),
    ],
)
async def test_what_no_line_covers_is_refused_without_a_look(
    office: Ops, room: Room, who: str, line: str, shown: str
) -> None:
    before = len(office.fake.requests)
    await room.says(who, line)
    assert str((await office.last())["body"]).startswith("⛔ Not allowed (#1): ")
    assert len(office.fake.requests) == before
    request = await office.request(1)
    assert request.state is State.REJECTED
    assert shown in request.text
    await room.says(who, "!why 1")
    assert "#1" in str((await office.last())["body"])


async def test_a_reply_to_a_file_is_refused_without_a_look(office: Ops, room: Room) -> None:
    before = len(office.fake.requests)
    await room.says(HAL, "!purge", reply_to="$picture")
    assert (await office.request(1)).state is State.REJECTED
    assert len(office.fake.requests) == before


async def test_can_looks_up_only_what_could_be_allowed(office: Ops, room: Room) -> None:
    await room.says(HAL, f"!can disableroom {SLOW}")
    assert asked(office, "directory") == 0
    await room.says(BO, f"!can disableroom {SLOW}")
    assert asked(office, "directory") == 1


async def test_an_edit_into_what_no_line_covers_looks_nothing_up(office: Ops, room: Room) -> None:
    command = await room.says(HAL, "!memory")
    assert (await office.request(1)).state is State.PENDING
    await room.edits(HAL, command, f"!disableroom {SLOW}")
    assert asked(office, "directory") == 0
    assert (await office.request(1)).state is State.CANCELLED
    assert (await office.request(2)).state is State.REJECTED


async def test_a_password_in_a_command_without_a_right_is_still_removed(
    office: Ops, room: Room
) -> None:
    office.power(office.live.me, 50, office.room)
    await office.rooms.views[office.room].refresh(office.hs)
    await room.says(HAL, "!create-user mia hunter2")
    assert "hunter2" not in await room.everything()
    assert await room.rows("SELECT * FROM sluice_outbox WHERE kind = 'redact'")


# --- lists and links


@pytest.mark.parametrize(
    ("who", "line"),
    [(ANA, "deactivateall"), (HAL, "deactivateall"), (ANA, "adduser"), (ANA, "purge")],
)
async def test_a_list_of_thousands_is_refused_with_its_number(
    office: Ops, room: Room, who: str, line: str
) -> None:
    before = len(office.fake.requests)
    await room.says(who, f"!{line} reason x\n" + "\n".join(f"n{n}" for n in range(9000)))
    assert str((await office.last())["body"]).startswith(
        "⛔ Not run: 9,000 are too many, 1,000 is the most in one request."
    )
    assert len(office.fake.requests) == before


async def test_a_list_of_accounts_costs_the_server_no_password_hashes(
    office: Ops, room: Room
) -> None:
    names = [f"s{n:03}" for n in range(60)]
    for name in names[:-1]:
        office.fake.register(name)
    await room.says(ANA, "!deactivateall reason x\n" + "\n".join(names))
    assert "59 of 60 accounts can be deactivated" in str((await office.last())["body"])
    assert (asked(office, "profile"), asked(office, "login")) == (60, 0)


async def test_the_database_is_free_between_the_entries_of_a_list(office: Ops, room: Room) -> None:
    """One entry of which is not allowed, so that each is judged by itself."""
    names = "\n".join([CY, *(f"s{n:03}" for n in range(200))])
    order: list[str] = []

    async def types() -> None:
        await room.says(ANA, f"!deactivateall reason x\n{names}")
        order.append("the list")

    async def reads() -> None:
        await office.db.read(store.next_id)
        order.append("somebody else")

    work = asyncio.create_task(types())
    await asyncio.sleep(0)
    await reads()
    await work
    assert order == ["somebody else", "the list"]


def files(office: Ops, count: int) -> list[str]:
    """Links to so many pictures in the ops room."""
    picture = {"msgtype": "m.image", "body": "x.png"}
    ids = [
        office.fake.put(
            office.room, EVE, "m.room.message", {**picture, "url": f"mxc://evil.example/f{n}"}
        )
        for n in range(count)
    ]
    return [f"{LINK}{office.room}/{event}" for event in ids]


@pytest.mark.parametrize("count", [1, 8, 40, 100])
async def test_any_number_of_links_is_looked_up_in_one_go(
    office: Ops, room: Room, count: int
) -> None:
    await room.says(BO, f"!purge {' '.join(files(office, count))} reason illegal")
    request = await office.request(1)
    assert len(request.invocation.values("mxc")) == count
    assert asked(office, "/event/") == count


async def test_too_many_links_are_refused_before_any_is_looked_up(office: Ops, room: Room) -> None:
    await room.says(BO, f"!purge {' '.join(files(office, 101))} reason illegal")
    assert str((await office.last())["body"]).startswith(
        "⛔ Not run: 101 addresses and links are too many, 100 is the most."
    )
    assert asked(office, "/event/") == 0


async def test_a_link_is_looked_for_in_ops_rooms_only(office: Ops, room: Room) -> None:
    """Not in every room that the bot is in: one request for each, and some of them are sealed."""
    for _ in range(30):
        office.fake.room(office.live.me)
    await room.says(BO, f"!purge {LINK}!r:x/$unknown reason illegal")
    assert (asked(office, "/event/"), asked(office, "joined_rooms")) == (1, 0)


# --- what is looked up goes on beside


class Live:
    """The ops room behind its real reader. `again` is the next run of the bot."""

    def __init__(self, office: Ops) -> None:
        self.ops = office
        office.clock.now = 1_764_000_060.0  # as the events of this homeserver are dated
        self.gate = office.fake.held["directory/room"] = asyncio.Event()
        self._start()

    def _start(self) -> None:
        office = self.ops
        self.room = office.parts.ops_room(office.room)

        async def gap(_: Gap) -> Handled | None:
            return None

        async def broken(event: str, error: str) -> Handled | None:
            raise AssertionError(error)

        self.reader = Reader(
            office.hs,
            office.db,
            office.room,
            self.room.take,
            gap=gap,
            broken=broken,
            now=office.clock,
        )

    async def start(self) -> None:
        await self.reader.start()
        await self.reader.catch_up()

    async def again(self) -> None:
        await self.reader.stop()
        self.ops.start(self.ops.live.in_force)
        await self.ops.look()
        self._start()
        await self.start()

    async def says(self, who: str, body: str) -> str:
        """And all that stands in the room is read; what is looked up may still go on."""
        event = self.ops.fake.say(self.ops.room, who, body)
        await self.reader.catch_up()
        return event

    async def until(self, text: str) -> str:
        for _ in range(500):
            for body in await self.ops.news():
                if text in body:
                    return body
            await asyncio.sleep(0.01)
        raise AssertionError(f"nobody said {text}")

    async def states(self) -> list[tuple[str, str]]:
        query = "SELECT text, state FROM sluice_request ORDER BY id"
        rows = await self.ops.db.read(lambda tx: tx.fetch(query))
        return [(str(row["text"]).split()[0], str(row["state"])) for row in rows]

    async def become(self, wanted: list[tuple[str, str]]) -> None:
        for _ in range(300):
            if await self.states() == wanted:
                return
            await asyncio.sleep(0.01)
        assert await self.states() == wanted


@pytest.fixture
async def live(office: Ops) -> AsyncIterator[Live]:
    made = Live(office)
    office.fake.aliases[SLOW] = "!slow:slow.example"
    await made.start()
    yield made
    made.gate.set()
    await made.reader.stop()


async def test_an_address_that_takes_long_does_not_make_the_room_deaf(live: Live) -> None:
    card = await live.says(BO, "!deactivate @spam:example.org reason casino links")
    query = "UPDATE sluice_outbox SET event_id='$card', state=1 WHERE key='request.1.card'"
    await live.ops.db.write(lambda tx: tx.execute(query))
    await live.says(BO, f"!disableroom {SLOW} reason x")
    relation = {"rel_type": "m.annotation", "event_id": "$card", "key": "✅"}
    live.ops.fake.put(live.ops.room, CY, "m.reaction", {"m.relates_to": relation})
    await live.says(ANA, "!memory")
    await live.says(BO, "!pause x")
    assert await live.until("aused by bo")
    assert (await live.ops.request(1)).queued_since is not None, "the vote counts"
    assert card
    assert await live.states() == [("deactivate", "pending"), ("memory", "pending")]
    live.gate.set()
    assert await live.until("aused")  # the answer to what was looked up


async def test_commands_of_one_person_keep_their_order(live: Live) -> None:
    await live.says(BO, f"!disableroom {SLOW} reason x")
    await live.says(BO, "!adduser mia")
    await live.says(CY, "!adduser noa")
    assert await live.states() == [("adduser", "pending")]
    live.gate.set()
    await live.become([("adduser", "pending"), ("disableroom", "pending"), ("adduser", "pending")])
    names = [(await live.ops.request(n)).text for n in (1, 2, 3)]
    assert names == ["adduser noa", "disableroom !slow:slow.example", "adduser mia"]


async def test_what_somebody_asks_behind_a_slow_command_is_answered_behind_it(live: Live) -> None:
    """In the order in which they were sent, also what needs no look; only a no does not wait."""
    await live.says(BO, f"!disableroom {SLOW} reason x")
    await live.says(BO, "!version")
    await live.says(BO, "!pause odd")
    assert await live.until("Paused by bo")
    said = await live.ops.news()
    assert not any("Sluice 1.0.0" in text for text in said)
    live.gate.set()
    assert await live.until("Sluice 1.0.0")


async def test_somebody_who_sends_more_and_more_is_told_so(live: Live) -> None:
    for n in range(51):
        live.ops.fake.say(live.ops.room, BO, f"!disableroom #r{n}:slow.example reason x")
    await live.says(CY, "!memory")
    assert await live.until("I am still looking things up for 50 commands of yours.")
    assert await live.states() == [("memory", "pending")]
    assert asked(live.ops, "directory/room") == 1


async def test_a_command_that_was_looked_up_in_a_crash_runs_once(live: Live) -> None:
    await live.says(BO, f"!disableroom {SLOW} reason x")
    await live.says(CY, "!adduser noa")
    await live.again()
    live.gate.set()
    await live.until("asks: disableroom")
    await live.again()
    await live.says(CY, "!adduser mia")
    await live.become([("adduser", "pending"), ("disableroom", "pending"), ("adduser", "pending")])


async def test_a_command_that_is_deleted_while_it_is_looked_up_is_nothing(live: Live) -> None:
    event = await live.says(BO, f"!disableroom {SLOW} reason x")
    live.ops.fake.put(live.ops.room, BO, "m.room.redaction", {"redacts": event}, redacts=event)
    await live.reader.catch_up()
    live.gate.set()
    await live.says(BO, "!adduser mia")
    await live.become([("adduser", "pending")])
    await live.again()
    assert await live.states() == [("adduser", "pending")]


async def test_a_command_that_is_deleted_between_the_look_and_its_commit_is_nothing(
    live: Live,
) -> None:
    event = await live.says(BO, f"!disableroom {SLOW} reason x")
    read = live.ops.fake.held["/messages"] = asyncio.Event()
    live.reader.doorbell()
    before = asked(live.ops, "/messages")
    await _until(lambda: asked(live.ops, "/messages") > before)
    (look,) = live.ops.commands.lookups._looks.values()
    live.gate.set()
    assert await look.task is not None
    live.ops.fake.put(live.ops.room, BO, "m.room.redaction", {"redacts": event}, redacts=event)
    read.set()
    await live.says(BO, "!adduser mia")
    await live.become([("adduser", "pending")])
    await live.again()
    assert await live.states() == [("adduser", "pending")]


async def test_only_who_typed_it_and_who_may_redact_end_a_look(live: Live) -> None:
    event = await live.says(BO, f"!disableroom {SLOW} reason x")
    for who in (HAL, EVE, CY):
        live.ops.fake.put(live.ops.room, who, "m.room.redaction", {}, redacts=event)
    await live.reader.catch_up()
    live.gate.set()
    await live.become([("disableroom", "pending")])


async def test_a_command_that_is_edited_while_it_is_looked_up_is_what_it_says_then(
    live: Live,
) -> None:
    event = await live.says(BO, f"!disableroom {SLOW} reason x")
    new = {"msgtype": "m.text", "body": "!adduser mia"}
    content = {
        **new,
        "body": "* !adduser mia",
        "m.new_content": new,
        "m.relates_to": {"rel_type": "m.replace", "event_id": event},
    }
    live.ops.fake.put(live.ops.room, BO, "m.room.message", content)
    await live.reader.catch_up()
    live.gate.set()
    await live.become([("adduser", "pending")])
    await live.again()
    await live.says(CY, "!memory")
    await live.become([("adduser", "pending"), ("memory", "pending")])


async def test_nothing_of_the_old_text_runs_while_the_new_one_is_looked_up(live: Live) -> None:
    event = await live.says(BO, "!deactivate @spam:example.org reason casino links")
    assert await live.states() == [("deactivate", "pending")]
    new = {"msgtype": "m.text", "body": f"!disableroom {SLOW} reason x"}
    relation = {"rel_type": "m.replace", "event_id": event}
    content = {**new, "m.new_content": new, "m.relates_to": relation}
    live.ops.fake.put(live.ops.room, BO, "m.room.message", content)
    await live.reader.catch_up()
    assert await live.states() == [("deactivate", "cancelled")]
    live.gate.set()
    await live.until("bo changed the command. Now it is #2.")
    assert await live.states() == [("deactivate", "cancelled"), ("disableroom", "pending")]


async def test_a_member_who_left_is_not_back_when_a_look_is_read_again_after_a_crash(
    live: Live,
) -> None:
    """The cursor stands before the command; a new name after it is no news, the leave is."""
    fake, office = live.ops.fake, live.ops
    await live.says(BO, f"!disableroom {SLOW} reason x")
    name = {"membership": "join", "displayname": "Cyan"}
    known = {"prev_content": {"membership": "join"}}
    fake.put(office.room, CY, "m.room.member", name, CY, unsigned=known)
    await live.reader.catch_up()
    fake.leave(office.room, CY)
    await live.reader.catch_up()
    await live.reader.stop()
    await office.rooms.views[office.room].refresh(office.hs)
    await live.again()
    assert CY not in office.rooms.views[office.room].joined


async def test_the_reader_stops_while_something_is_looked_up(live: Live) -> None:
    await live.says(BO, f"!disableroom {SLOW} reason x")
    await asyncio.wait_for(live.reader.stop(), 5)
    assert live.ops.commands.lookups._of == {}


# --- private rooms and chats


@pytest.fixture
def doors(office: Ops) -> Doors:
    return office.parts.doors


async def _until(holds: Callable[[], bool]) -> None:
    for _ in range(300):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came")


async def known_rooms(office: Ops, count: int) -> list[str]:
    """Private rooms of earlier runs; a password stands in the first."""
    rooms = [office.fake.room(office.live.me, BO) for _ in range(count)]
    put = "INSERT INTO sluice_private (mxid, room) VALUES ($1, $2)"
    now = office.clock.now
    handed = kept.Handover(1, 1, "@new:example.org", BO, rooms[0], "$p", now, (), now)
    await office.db.write(lambda tx: kept.put_handover(tx, handed))
    for n, room in enumerate(rooms):
        await office.db.write(lambda tx, n=n, r=room: tx.execute(put, f"@m{n}:x", r))  # type: ignore[misc]
    return rooms


async def test_of_a_hundred_private_rooms_only_that_with_a_password_is_read(
    office: Ops, doors: Doors
) -> None:
    rooms = await known_rooms(office, 100)
    await doors.open_known(tuple(rooms))
    await _until(lambda: rooms[0] in doors._readers)
    assert set(doors._readers) == {rooms[0]}
    reader = doors._readers[rooms[0]]
    await reader.catch_up()
    assert reader.delay() <= 2.0, "a tap, or a join, is expected there"
    (handed,) = await office.db.read(kept.standing)
    await office.db.write(lambda tx: kept.remove(tx, handed))
    await reader.catch_up()
    assert reader.delay() >= 600, "and now nothing is"
    doors.doorbell({"join": {rooms[7]: {"timeline": {"events": [{"event_id": "$x"}]}}}})
    await _until(lambda: rooms[7] in doors._readers)
    await doors._readers[rooms[7]].catch_up()
    assert doors._readers[rooms[7]].delay() >= 600
    await doors.stop()


async def test_a_bell_that_rings_before_the_private_rooms_are_known_is_kept(
    office: Ops, doors: Doors
) -> None:
    rooms = await known_rooms(office, 3)
    doors.doorbell({"join": {rooms[2]: {"timeline": {"events": [{"event_id": "$x"}]}}}})
    await doors.open_known(tuple(rooms))
    await _until(lambda: set(doors._readers) == {rooms[0], rooms[2]})
    await doors.stop()


def invites(office: Ops, room: str, mxid: str) -> dict[str, Any]:
    """What a sync response says of it."""
    me = office.live.me
    office.fake.put(room, mxid, "m.room.member", {"membership": "invite"}, me)
    content = {"membership": "invite", "is_direct": True}
    event = {"type": "m.room.member", "state_key": me, "sender": mxid, "content": content}
    return {"invite": {room: {"invite_state": {"events": [event]}}}}


def inside(office: Ops, rooms: list[str]) -> list[str]:
    me = office.live.me
    return [room for room in rooms if office.fake.rooms[room].membership(me) == "join"]


GLOB = """policy:
  people: {ana: "@ana:example.org", dan: "@dan:example.org"}
  roles:
    helper: {members: ["@*:example.org"]}
    owner: {members: [ana, dan]}
  allow: [{role: helper, do: "#read"}, {role: owner, do: "*"}]
ops_rooms: ["!opsroom:example.org"]
"""


@pytest.mark.parametrize("named", [False, True])
async def test_nobody_outside_of_the_ops_rooms_gets_a_chat(named: bool) -> None:
    """Neither by a role for a whole server, nor named in the policy."""
    async with ops(GLOB) as office:
        doors = office.parts.doors
        who = "@out:example.org"
        office.fake.register("out")
        if named:
            who = ANA
            office.fake.leave(office.room, ANA)
            await office.rooms.views[office.room].refresh(office.hs)
        rooms = [office.fake.room(who) for _ in range(50)]
        for room in rooms:
            doors.doorbell(invites(office, room, who))
        await asyncio.sleep(0.2)
        assert inside(office, rooms) == []
        assert asked(office, "/join") == 0
        await doors.stop()


async def test_a_person_has_one_chat_and_the_older_one_is_left(office: Ops, doors: Doors) -> None:
    first = office.fake.room(BO)
    doors.doorbell(invites(office, first, BO))
    await _until(lambda: inside(office, [first]) == [first])
    many = [office.fake.room(BO) for _ in range(30)]
    for room in many:
        doors.doorbell(invites(office, room, BO))
    await _until(lambda: inside(office, [first, *many]) == [many[-1]])
    other = office.fake.room(CY)
    doors.doorbell(invites(office, other, CY))
    await _until(lambda: inside(office, [first, *many, other]) == [many[-1], other])
    await _until(lambda: set(doors._readers) == {many[-1], other})
    joins = [line for line in office.fake.requests if line.endswith("/join")]
    assert len(joins) < 10, "of thirty at once the newest counts"
    await doors.stop()


async def test_chats_of_before_are_known_and_only_so_many_are_kept(office: Ops) -> None:
    old = json.dumps(["!old:x"])
    many = json.dumps({f"p{n}": f"!c{n}:x" for n in range(200)})
    put = "INSERT INTO sluice_meta (key, value) VALUES ($1, $2)"
    await office.db.write(lambda tx: tx.execute(put, "chats", old))
    await office.db.write(lambda tx: tx.execute(put, "chat.of", many))
    closed: list[str] = []

    async def close(room: str) -> None:
        closed.append(room)

    log = logging.getLogger("test")
    chats = Chats(office.live, office.rooms, office.db, office.hs, lambda room: None, close, log)
    assert (await chats.known())[:2] == ["!old:x", "!c0:x"]
    new = office.fake.room(BO)
    invites(office, new, BO)
    await chats.invited(new, BO, 1)
    assert closed == ["!c0:x"]
    known = await chats.known()
    assert len(known) == 201
    assert known[-1] == new


@pytest.fixture
def private(office: Ops) -> PrivateRooms:
    return PrivateRooms(
        office.hs, office.db, Encryption(office.hs._client, office.hs), office.clock
    )


async def test_who_leaves_the_private_room_again_and_again_makes_no_new_ones(
    office: Ops, private: PrivateRooms
) -> None:
    room = await private.ensure(BO)
    for _ in range(10):
        office.fake.join(room, BO)
        office.fake.leave(room, BO)
        assert await private.ensure(BO) == room
    assert asked(office, "createRoom") == 1


async def test_a_room_that_is_spoiled_again_and_again_is_replaced_three_times_a_day(
    office: Ops, private: PrivateRooms
) -> None:
    for _ in range(3):
        room = await private.ensure(BO)
        office.fake.put(room, office.live.me, "m.room.join_rules", {"join_rule": "public"}, "")
    for _ in range(5):
        with pytest.raises(CannotDeliver):
            await private.ensure(BO)
    assert asked(office, "createRoom") == 3
    office.clock.go(86_401)
    assert await private.ensure(BO) != room


# --- how often a room is read


def test_a_room_is_read_often_after_somebody_was_active_and_then_less_and_less() -> None:
    schedule = Schedule(poll=2.0, heard=1000.0)
    delays = [schedule.delay(1000.0 + s, joined=True) for s in range(3600)]
    assert max(delays[:31]) == 0.25
    assert delays == sorted(delays)
    assert delays[90] == 2.0, "a minute and a half of silence"
    assert max(delays) == 2.0
    assert schedule.delay(1000.0 + 3601, joined=True) == 15.0


@pytest.mark.parametrize("poll", [0.1, 30.0])
def test_the_poll_of_the_policy_is_the_slowest_pace(poll: float) -> None:
    schedule = Schedule(poll=poll, heard=0.0)
    assert schedule.delay(1.0, joined=True) == min(poll, 0.25)
    assert schedule.delay(3599.0, joined=True) == poll


async def test_what_the_bot_says_itself_makes_no_room_lively(office: Ops) -> None:
    live = Live(office)
    await live.start()
    office.clock.go(600)
    office.fake.say(office.room, office.live.me, "of the bot")
    await live.reader.catch_up()
    assert live.reader.delay() == 2.0
    live.reader.doorbell(["$of-the-bot"], active=False)
    await live.reader.catch_up()
    assert live.reader.delay() == 2.0
    await live.says(EVE, "hello")
    assert live.reader.delay() == 0.25
    await live.reader.stop()


# --- what stays in memory


async def test_lines_that_were_read_in_the_admin_room_are_not_kept_for_ever(office: Ops) -> None:
    admin = office.relay.room
    for number in range(1000):
        content = {"msgtype": "m.text", "body": "x", "org.sluicebot.line": f"nonce/r{number}"}
        me = office.live.me
        handled = admin.take(RoomEvent(f"$l{number}", me, "m.room.message", content))
        if handled is not None and handled.after is not None:
            await handled.after()
    assert len(admin.arrived) < 500
    assert "r999" in admin.arrived


async def test_hourglasses_of_requests_that_are_over_are_not_kept(office: Ops, room: Room) -> None:
    house = office.parts.timers
    command = await room.says(BO, "!memory")
    office.clock.go(3)
    await house.tick()
    assert house._shown == {command}
    await office.db.write(
        lambda tx: tx.execute("UPDATE sluice_request SET state = 'done' WHERE id = 1")
    )
    await house.tick()
    assert house._shown == set()


async def test_who_was_told_of_an_unreadable_message_is_forgotten_after_a_minute(
    office: Ops, room: Room
) -> None:
    office.rooms.crypto = True
    for who in (ANA, BO, CY):
        await room.event(who, "m.room.encrypted", {})
        office.clock.go(61)
    assert set(room._room._unread) == {CY}
