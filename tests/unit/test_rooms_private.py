"""A secret goes only into a room where nobody but its recipient can ever read it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from sluice.matrix.encryption import Encryption
from sluice.matrix.probes import Account, Media, Name, Probes, RoomFacts
from sluice.matrix.rooms import RoomView
from sluice.passwords.private import CannotDeliver, PrivateRooms, holds
from tests.fake.homeserver import Fault
from tests.fake.world import World, world
from tests.unit.test_rooms import state

NOTICE = {"msgtype": "m.notice", "body": "🔑 Password: mk4w"}


@pytest.fixture(params=["conduit", "synapse"])
async def w(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with world(request.param) as made:
        yield made


@pytest.fixture
def bo(w: World) -> str:
    return w.fake.register("bo")[0]


@pytest.fixture
def rooms(w: World) -> PrivateRooms:
    return PrivateRooms(w.hs, w.db, Encryption(w.client, w.hs))


async def test_a_room_is_made_once_and_kept(w: World, bo: str, rooms: PrivateRooms) -> None:
    room = await rooms.ensure(bo)
    w.fake.join(room, bo)
    assert await rooms.ensure(bo) == room
    assert w.fake.count("createRoom") == 1
    direct = w.fake.accounts[w.bot].data["m.direct"]
    assert direct == {bo: [room]}


async def test_other_direct_chats_stay_listed(w: World, bo: str, rooms: PrivateRooms) -> None:
    w.fake.accounts[w.bot].data["m.direct"] = {"@cy:x": ["!c"], bo: ["!old"]}
    room = await rooms.ensure(bo)
    direct = w.fake.accounts[w.bot].data["m.direct"]
    assert direct == {"@cy:x": ["!c"], bo: ["!old", room]}


async def test_the_room_keeps_others_out(w: World, bo: str, rooms: PrivateRooms) -> None:
    room = await rooms.ensure(bo)
    view = await rooms.view(room)
    assert view is not None
    assert (view.join_rule, view.history_visibility) == ("invite", "invited")
    assert not view.federated
    assert not any(view.can(action, bo) for action in ("invite", "kick", "ban", "state"))


@pytest.mark.parametrize(
    "change",
    [
        lambda w, room, bo: w.fake.join(room, "@eve:x"),
        lambda w, room, bo: w.fake.put(
            room, w.bot, "m.room.member", {"membership": "invite"}, "@eve:x"
        ),
        lambda w, room, bo: w.fake.put(
            room, w.bot, "m.room.join_rules", {"join_rule": "public"}, ""
        ),
        lambda w, room, bo: w.fake.put(
            room, w.bot, "m.room.history_visibility", {"history_visibility": "world_readable"}, ""
        ),
        lambda w, room, bo: w.fake.put(
            room, w.bot, "m.room.power_levels", {"users": {bo: 100}, "invite": 100}, ""
        ),
        lambda w, room, bo: w.fake.put(room, w.bot, "m.room.power_levels", {"invite": 0}, ""),
        lambda w, room, bo: w.fake.put(
            room, w.bot, "m.room.tombstone", {"replacement_room": "!x"}, ""
        ),
        lambda w, room, bo: w.fake.leave(room, w.bot),
    ],
    ids=[
        "joined",
        "invited",
        "public",
        "readable",
        "power",
        "anyone invites",
        "upgraded",
        "we are out",
    ],
)
async def test_a_room_that_holds_no_longer_gets_no_secret_and_is_replaced(
    w: World, bo: str, rooms: PrivateRooms, change: Any
) -> None:
    room = await rooms.ensure(bo)
    w.fake.join(room, bo)
    change(w, room, bo)
    with pytest.raises(CannotDeliver) as caught:
        await rooms.send(room, bo, NOTICE, "t1")
    assert caught.value.reason == "members"
    assert w.fake.bodies(room, w.bot) == []
    assert await rooms.ensure(bo) != room


async def test_the_recipient_of_another_room_gets_nothing_in_it(
    w: World, bo: str, rooms: PrivateRooms
) -> None:
    cy, _ = w.fake.register("cy")
    room = await rooms.ensure(bo)
    with pytest.raises(CannotDeliver):
        await rooms.send(room, cy, NOTICE, "t1")


async def test_an_account_of_another_server_without_encryption_is_refused_beforehand(
    w: World, rooms: PrivateRooms
) -> None:
    with pytest.raises(CannotDeliver) as caught:
        await rooms.ensure("@ana:elsewhere.test")
    assert caught.value.reason == "remote"
    assert w.fake.count("createRoom") == 0


async def test_a_server_that_makes_no_room_is_a_failure_before_anything_ran(
    w: World, bo: str, rooms: PrivateRooms
) -> None:
    w.fake.faults = [Fault("createRoom", 502)]
    with pytest.raises(CannotDeliver) as caught:
        await rooms.ensure(bo)
    assert caught.value.reason == "failed"


@pytest.mark.parametrize("acted", [False, True])
async def test_a_secret_is_sent_once_although_the_answer_was_lost(
    w: World, bo: str, rooms: PrivateRooms, acted: bool
) -> None:
    room = await rooms.ensure(bo)
    w.fake.faults = [Fault("/send/", None, acted=acted), Fault("/send/", 502, acted=acted)]
    event_id = await rooms.send(room, bo, NOTICE, "t1")
    assert w.fake.bodies(room, w.bot) == [NOTICE["body"]]
    assert w.fake.rooms[room].events[-1][1]["event_id"] == event_id
    assert await rooms.send(room, bo, NOTICE, "t1") == event_id, "the same after a crash"


async def test_members_are_read_again_before_a_repeated_send(
    w: World, bo: str, rooms: PrivateRooms
) -> None:
    room = await rooms.ensure(bo)
    w.fake.faults = [Fault("/send/", 502)]

    def somebody_comes(line: str) -> None:
        if "/send/" in line:
            w.fake.before = None
            w.fake.join(room, "@eve:x")

    w.fake.before = somebody_comes
    with pytest.raises(CannotDeliver):
        await rooms.send(room, bo, NOTICE, "t1")
    assert w.fake.bodies(room, w.bot) == []


def test_a_v12_room_with_more_creators_never_holds() -> None:
    view = RoomView("!r")
    content = {"room_version": "12", "additional_creators": ["@bo:x"], "m.federate": False}
    levels = {"invite": 100, "kick": 100, "ban": 100, "state_default": 100}
    for kind, key, value in (
        ("m.room.create", "", content),
        ("m.room.power_levels", "", levels),
        ("m.room.history_visibility", "", {"history_visibility": "invited"}),
        ("m.room.member", "@bot:x", {"membership": "join"}),
        ("m.room.member", "@bo:x", {"membership": "join"}),
    ):
        view.apply(state(kind, value, key, "@bot:x"))
    assert not holds(view, "@bot:x", "@bo:x", encrypted=False)
    del content["additional_creators"]
    assert holds(view, "@bot:x", "@bo:x", encrypted=False)
    assert not holds(view, "@bot:x", "@bo:x", encrypted=True)


# --- probes


async def test_accounts_are_told_apart(w: World, bo: str) -> None:
    probes = Probes(w.hs, lambda: w.fake.name)
    gone, _ = w.fake.register("gone")
    w.fake.accounts[gone].deactivated = True
    assert await probes.account(bo) is Account.ACTIVE
    assert await probes.account(gone) is Account.DEACTIVATED
    assert await probes.account("@nobody:fake.test") is Account.MISSING
    w.fake.faults = [Fault("/login", 403, {"errcode": "M_EXCLUSIVE"})]
    assert await probes.account(bo) is Account.BRIDGE


async def test_names_are_told_apart(w: World, bo: str) -> None:
    probes = Probes(w.hs, lambda: w.fake.name)
    assert await probes.name("bo") is Name.TAKEN
    assert await probes.name("zoe") is Name.FREE
    w.fake.faults = [Fault("/login", 400, {"errcode": "M_EXCLUSIVE"})]
    assert await probes.name("brg_bob") is Name.EXCLUSIVE, "Conduit says so at a login only"
    for errcode, name in (("M_EXCLUSIVE", Name.EXCLUSIVE), ("M_INVALID_USERNAME", Name.INVALID)):
        w.fake.faults = [Fault("available", 400, {"errcode": errcode})]
        assert await probes.name("bo") is name
    off = {"errcode": "M_FORBIDDEN", "error": "Registration has been disabled"}
    w.fake.faults = [Fault("available", 403, off, times=2)]
    assert await probes.name("bo") is Name.TAKEN
    assert await probes.name("zoe") is Name.FREE


async def test_media_is_there_or_gone_and_is_not_downloaded(w: World) -> None:
    probes = Probes(w.hs, lambda: w.fake.name)
    mxc = await w.hs.upload(b"x" * 1000, "cat.png", "image/png")
    assert await probes.media(mxc) is Media.THERE
    assert await probes.media("mxc://fake.test/nothing") is Media.GONE
    w.fake.faults = [Fault("/download/", 502)]
    assert await probes.media(mxc) is Media.UNKNOWN


async def test_rooms_show_what_strangers_can_see(w: World, bo: str) -> None:
    probes = Probes(w.hs, lambda: w.fake.name)
    public = w.fake._make(bo, {"preset": "public_chat"})
    w.fake.put(public, bo, "m.room.name", {"name": "Garden"}, "")
    assert await probes.room(public) == RoomFacts("Garden", "", 1)
    assert await probes.room(w.fake.room(bo)) is None
    known = await probes.names([public])
    assert {room: facts.name for room, facts in known.items()} == {public: "Garden"}


@pytest.mark.parametrize("status", [None, 429, 500, 502, 401])
async def test_a_probe_that_fails_tells_nothing(w: World, bo: str, status: int | None) -> None:
    probes = Probes(w.hs, lambda: w.fake.name)
    w.fake.faults = [Fault("/", status, times=99)]
    assert await probes.account(bo) is Account.UNKNOWN
    assert await probes.name("bo") is Name.UNKNOWN
    assert await probes.media("mxc://fake.test/x") is Media.UNKNOWN
    assert await probes.room("!r") is None
    assert await probes.names() == {}


# --- a recipient who takes no invitation


async def test_who_takes_no_invitation_is_told_so_and_no_empty_rooms_are_left(
    w: World, bo: str, rooms: PrivateRooms
) -> None:
    w.fake.closed.add(bo)
    inside = await w.hs.joined_rooms()
    for _ in range(10):
        with pytest.raises(CannotDeliver) as caught:
            await rooms.ensure(bo)
        assert caught.value.reason == "blocked"
    assert await w.hs.joined_rooms() == inside
    w.fake.closed.clear()
    room = await rooms.ensure(bo)
    assert set(await w.hs.joined_rooms()) == {*inside, room}


async def test_who_declines_and_then_takes_none_is_told_so(
    w: World, bo: str, rooms: PrivateRooms
) -> None:
    room = await rooms.ensure(bo)
    w.fake.leave(room, bo)
    w.fake.closed.add(bo)
    with pytest.raises(CannotDeliver) as caught:
        await rooms.ensure(bo)
    assert caught.value.reason == "blocked"
    w.fake.closed.clear()
    for _ in range(10):
        assert await rooms.ensure(bo) == room
        w.fake.leave(room, bo)
    assert w.fake.count("createRoom") == 1


async def test_a_room_that_others_are_in_is_not_left_with_it(
    w: World, bo: str, rooms: PrivateRooms
) -> None:
    """Somebody lets the bot into another room while the private one fails."""
    w.fake.closed.add(bo)
    make, other = w.fake._make, ""

    def meanwhile(creator: str, body: Any) -> str:
        nonlocal other
        w.fake._make = make  # type: ignore[method-assign]
        other = w.fake.room("@cy:x", w.bot, version="10")
        return make(creator, body)

    w.fake._make = meanwhile  # type: ignore[method-assign]
    with pytest.raises(CannotDeliver):
        await rooms.ensure(bo)
    assert other in await w.hs.joined_rooms()
