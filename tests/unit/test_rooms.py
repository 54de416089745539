"""Members and power are what the room's own state says, v12 creators above all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.matrix.rooms import INFINITE, RoomView
from sluice.model.event import Json, RoomEvent, event_of
from tests.fake.world import World, world


@pytest.fixture
async def w() -> AsyncIterator[World]:
    async with world() as made:
        yield made


def state(kind: str, content: Any, key: Any = "", sender: str = "@ana:x") -> RoomEvent:
    return event_of({"type": kind, "state_key": key, "sender": sender, "content": content})


def room(version: str, create: dict[str, Any] | None = None, **levels: Any) -> RoomView:
    view = RoomView("!r")
    view.apply(state("m.room.create", {"room_version": version, **(create or {})}))
    view.apply(state("m.room.power_levels", levels))
    return view


def test_the_creator_of_a_v12_room_and_those_it_names_have_infinite_power() -> None:
    view = room("12", {"additional_creators": ["@dan:x", 5]}, users={"@bo:x": 100})
    assert view.power("@ana:x") == view.power("@dan:x") == INFINITE
    assert view.power("@bo:x") == 100
    assert view.power("@eve:x") == 0


@pytest.mark.parametrize("version", ["1", "10", "11"])
def test_the_creator_of_an_older_room_has_what_the_power_levels_say(version: str) -> None:
    view = room(version, {"additional_creators": ["@eve:x"]}, users={"@ana:x": 50})
    assert view.power("@ana:x") == 50
    assert view.power("@eve:x") == 0


def test_a_room_without_power_levels_belongs_to_who_made_it() -> None:
    view = RoomView("!r")
    view.apply(state("m.room.create", {"room_version": "10"}))
    assert (view.power("@ana:x"), view.power("@bo:x")) == (100, 0)


def test_levels_and_their_defaults() -> None:
    view = room("10", users={"@bo:x": "50", "@cy:x": " 7 ", "@eve:x": True}, users_default=3)
    assert [view.power(f"@{name}:x") for name in ("bo", "cy", "eve", "dan")] == [50, 7, 3, 3]
    assert view.can("redact", "@bo:x")
    assert not view.can("redact", "@cy:x")
    assert view.can("write", "@dan:x")
    view.apply(state("m.room.power_levels", {"events_default": 50, "redact": 0}))
    assert not view.can("write", "@dan:x")
    assert view.can("redact", "@dan:x")


def test_members_follow_the_timeline() -> None:
    view = room("12")
    for name, membership in (("bo", "join"), ("cy", "invite"), ("eve", "ban"), ("dan", "leave")):
        assert view.apply(state("m.room.member", {"membership": membership}, f"@{name}:x"))
    assert (view.joined, view.invited) == ({"@bo:x"}, {"@cy:x"})
    view.apply(state("m.room.member", {"membership": "join", "displayname": "Cy ⚡"}, "@cy:x"))
    view.apply(state("m.room.member", {"membership": "leave"}, "@bo:x"))
    assert (view.joined, view.invited) == ({"@cy:x"}, set())
    assert view.membership("@nobody:x") == "leave"


def test_what_drift_checks_ask() -> None:
    view = room("12", {"m.federate": False})
    assert (view.join_rule, view.history_visibility) == ("invite", "shared")
    assert [view.encrypted, view.federated, view.replaced_by] == [False, False, ""]
    view.apply(state("m.room.join_rules", {"join_rule": "public"}))
    view.apply(state("m.room.history_visibility", {"history_visibility": "world_readable"}))
    assert view.apply(state("m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"}))
    view.apply(state("m.room.tombstone", {"replacement_room": "!new"}))
    assert (view.join_rule, view.history_visibility) == ("public", "world_readable")
    assert view.encrypted
    assert view.replaced_by == "!new"


def test_a_message_that_pretends_to_be_state_changes_nothing() -> None:
    view = room("12")
    event: Json = {"type": "m.room.member", "sender": "@eve:x", "content": {"membership": "join"}}
    assert not view.apply(event_of(event))
    assert not view.apply(event_of({**event, "state_key": 5}))
    assert not view.apply(event_of({**event, "type": None, "state_key": "@eve:x"}))
    assert view.joined == set()


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)


@given(anything, anything, anything)
def test_no_content_of_state_breaks_the_view(create: Any, levels: Any, member: Any) -> None:
    view = RoomView("!r")
    for kind, content in (
        ("m.room.create", create),
        ("m.room.power_levels", levels),
        ("m.room.power_levels", {"users": levels, "users_default": create, "redact": member}),
        ("m.room.member", member),
        ("m.room.member", {"membership": create, "displayname": levels}),
        ("m.room.join_rules", {"join_rule": create}),
        ("m.room.create", {"room_version": create, "additional_creators": levels}),
        ("m.room.create", {"room_version": "12", "additional_creators": member}),
    ):
        view.apply(state(kind, content, "@bo:x" if kind == "m.room.member" else ""))
        assert isinstance(view.power("@bo:x"), float)
        assert view.joined <= {"@bo:x"}
        assert isinstance(view.can("redact", "@bo:x"), bool)
        assert isinstance(view.name + view.join_rule + view.version, str)


async def test_the_whole_state_is_read_and_what_came_meanwhile_is_kept(w: World) -> None:
    bo, _ = w.fake.register("bo")
    place = w.fake.room(w.bot, version="12")
    view = RoomView(place)
    assert not view.known

    def joins_meanwhile(line: str) -> None:
        w.fake.before = None
        view.apply(state("m.room.member", {"membership": "join"}, bo))

    w.fake.before = joins_meanwhile
    await view.refresh(w.hs)
    assert view.joined == {w.bot, bo}
    assert view.power(w.bot) == INFINITE
    assert view.power(bo) == 0


async def test_a_refresh_that_fails_changes_nothing(w: World) -> None:
    view = room("12", users={"@bo:x": 50})
    with pytest.raises(Exception, match="500"):
        await view.refresh(w.hs)
    assert view.power("@bo:x") == 50


class Slow:
    """A homeserver that gives its states when the test says so, first asked first."""

    def __init__(self) -> None:
        self.asked: list[asyncio.Future[list[dict[str, Any]]]] = []

    async def state(self, room: str) -> list[dict[str, Any]]:
        self.asked.append(asyncio.get_running_loop().create_future())
        return await self.asked[-1]


@pytest.mark.parametrize("first", [0, 1])
async def test_refreshes_that_overlap_lose_nothing_of_the_timeline(first: int) -> None:
    view, slow = room("12"), Slow()
    both = [asyncio.create_task(view.refresh(slow)) for _ in range(2)]  # type: ignore[arg-type]
    while len(slow.asked) < 2:
        await asyncio.sleep(0)
    view.apply(state("m.room.member", {"membership": "join"}, "@cy:x"))
    old = [state("m.room.member", {"membership": "join"}, "@bo:x")]
    slow.asked[first].set_result(old)
    await both[first]
    view.apply(state("m.room.member", {"membership": "join"}, "@dan:x"))
    slow.asked[1 - first].set_result(old)
    await both[1 - first]
    assert view.joined == {"@bo:x", "@cy:x", "@dan:x"}
