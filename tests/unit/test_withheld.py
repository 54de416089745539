"""Keys that a client keeps back on purpose: its messages are answered at once, nobody else's."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from sluice.matrix.encryption import MEGOLM, Encryption
from sluice.matrix.late import ENCRYPTED, NoKey
from sluice.matrix.withheld import KeptBack, Withheld
from sluice.model.event import RoomEvent, event_of
from tests.unit.app import live

BO, EVE = "@bo:example.org", "@eve:example.org"


def sealed(sender: str = BO, session: str = "s") -> RoomEvent:
    content = {"algorithm": MEGOLM, "session_id": session, "ciphertext": "x"}
    content |= {"sender_key": "k", "device_id": "D"}
    return event_of(
        {
            "event_id": "$1",
            "room_id": "!room",
            "type": ENCRYPTED,
            "sender": sender,
            "origin_server_ts": 1,
            "content": content,
        }
    )


def told(
    code: object, sender: str = BO, session: object = "s", kind: str = "m.room_key.withheld"
) -> Mapping[str, Any]:
    content = {"code": code, "session_id": session}
    return {"to_device": {"events": [{"type": kind, "sender": sender, "content": content}]}}


@pytest.mark.parametrize("kind", ["m.room_key.withheld", "org.matrix.room_key.withheld"])
@pytest.mark.parametrize("why", list(KeptBack))
def test_what_is_kept_back_is_known_by_sender_and_session(why: KeptBack, kind: str) -> None:
    withheld = Withheld()
    withheld.hear(told(why.value, kind=kind))
    assert withheld.why(sealed()) is why
    assert withheld.why(sealed(EVE)) is None, "nobody speaks for others"
    assert withheld.why(sealed(session="t")) is None


@pytest.mark.parametrize(
    "sync",
    [
        {},
        {"to_device": None},
        {"to_device": {"events": "none"}},
        {"to_device": {"events": [None, 3, {"content": []}]}},
        told("m.no_olm"),
        told("m.unavailable"),
        told(["m.unverified"]),
        told("m.unverified", session=None),
        told("m.unverified", session=["s"]),
        told("m.unverified", kind="m.room_key"),
    ],
)
def test_a_key_that_is_only_late_and_nonsense_change_nothing(sync: Mapping[str, Any]) -> None:
    withheld = Withheld()
    withheld.hear(sync)
    assert withheld.why(sealed()) is None


def test_how_much_is_remembered_has_an_end() -> None:
    withheld = Withheld()
    for number in range(2_000):
        withheld.hear(told("m.unverified", session=f"s{number}"))
    assert withheld.why(sealed(session="s0")) is None
    assert withheld.why(sealed(session="s1999")) is KeptBack.UNVERIFIED


async def test_who_keeps_keys_back_stands_in_the_status_until_they_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with live(monkeypatch) as made:
        await made.ready()
        withheld = made.parts.ground.encryption.withheld
        made.app.doorbell(told("m.unverified", EVE))
        assert "cannot read" not in await made.status(), "she has no role"
        made.app.doorbell(told("m.unverified", BO))
        assert "I cannot read @bo:example.org" in await made.status()
        withheld.reads(BO)
        assert "cannot read" not in await made.status()


def test_whose_keys_are_forgotten_is_silent_no_more() -> None:
    withheld = Withheld()
    withheld.hear(told("m.unverified", EVE))
    for number in range(2_000):
        withheld.hear(told("m.unverified", session=f"s{number}"))
    assert withheld.silent == {BO}


async def test_such_a_message_is_not_waited_for() -> None:
    async def no_session(*_: object) -> None:
        return None

    crypto = SimpleNamespace(crypto_store=SimpleNamespace(get_group_session=no_session))
    client: Any = SimpleNamespace(crypto=crypto)
    encryption = Encryption(client, SimpleNamespace())  # type: ignore[arg-type]
    with pytest.raises(NoKey):
        await encryption.unseal(sealed())
    encryption.withheld.hear(told("m.unverified"))
    assert (await encryption.unseal(sealed())).type == ENCRYPTED
    with pytest.raises(NoKey):
        await encryption.unseal(sealed(EVE))
