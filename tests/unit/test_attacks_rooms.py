"""Attacks by invitations and in private rooms, and on the clock that removes passwords."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from sluice.model.event import event_of
from sluice.passwords import store
from sluice.passwords.reader import PrivateRoom
from sluice.requests import reweigh
from sluice.rooms import Inviter, bell, inviter
from tests.unit.ops import ANA, EVE, HAL, Ops, ops

ME = "@sluice:example.org"


@pytest.fixture
async def office() -> AsyncIterator[Ops]:
    async with ops() as made:
        yield made


def invited(*events: Any) -> Any:
    return {"invite_state": {"events": list(events)}}


def by(sender: Any, **more: Any) -> Any:
    content = {"membership": "invite", "is_direct": True}
    return {"type": "m.room.member", "state_key": ME, "sender": sender, "content": content, **more}


def test_a_server_that_writes_an_owner_into_its_invitation_is_not_believed() -> None:
    assert inviter(invited(by(ANA)), ME) == Inviter(ANA, chat=True)
    assert inviter(invited(by(ANA), by("@m:evil.org")), ME) is None
    assert inviter(invited(by("@m:evil.org"), by(ANA)), ME) is None
    assert inviter(invited(by(ANA, type="x"), by("@m:evil.org")), ME) is None
    group = by("@m:evil.org", content={"membership": "invite"})
    assert inviter(invited(by(ANA), group), ME) is None


@pytest.mark.parametrize("data", [None, [], {"invite_state": []}, invited(None, 1, by([])), {}])
def test_an_invitation_of_any_shape_is_nothing(data: Any) -> None:
    assert inviter(data, ME) is None


async def test_who_has_no_role_gets_silence_in_a_private_room_too(office: Ops) -> None:
    private = PrivateRoom("!chat:example.org", *office.parts.ground.base, office.deliveries)
    content = {"msgtype": "m.text", "body": "!users"}
    event = {"event_id": "$1", "type": "m.room.message", "content": content}
    assert await private.take(event_of({**event, "sender": EVE})) is None
    assert await private.take(event_of({**event, "sender": HAL})) is not None


async def test_nothing_that_is_wrong_with_a_request_keeps_a_password_where_it_stands(
    office: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = office.parts.timers
    now = office.clock.now
    handed = store.Handover(1, 1, "@a:example.org", ANA, "!p:example.org", "$p", now, (), now)
    await office.db.write(lambda tx: store.put_handover(tx, handed))

    async def broken(*_: Any) -> None:
        raise ValueError("a record that is too long")

    monkeypatch.setattr(reweigh, "tick", broken)
    office.clock.go(100_000)
    with pytest.raises(ValueError, match="too long"):
        await house.tick()
    assert await office.db.read(store.standing) == []


@pytest.mark.parametrize(
    ("data", "ids"),
    [
        ({"timeline": {"events": [{"event_id": "$1"}, {"event_id": "$2"}]}}, {"$1", "$2"}),
        ({"timeline": {"events": [{"event_id": "$1"}], "limited": True}}, {""}),
        ({"timeline": {"events": [{"event_id": "$1"}, {"event_id": 7}]}}, {"$1", ""}),
        ({"timeline": {"events": [{"event_id": "$1"}, "garbage"]}}, {"$1", ""}),
        ({"timeline": {"events": []}, "ephemeral": {"events": [{"type": "m.typing"}]}}, {""}),
        ({"timeline": {"events": 7}}, {""}),
        ({"timeline": ["$1"]}, {""}),
        ({}, {""}),
        ("garbage", {""}),
    ],
)
def test_a_bell_that_does_not_tell_all_its_events_rings(data: object, ids: set[str]) -> None:
    assert bell(data, ME).events == ids
