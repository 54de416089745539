"""What people say below a card, or without any relation: a vote, no vote, or asked back."""

from __future__ import annotations

from sluice.model.request import State
from tests.unit.ops import BO, CY, EVE, HAL
from tests.unit.test_attacks import ASK, Room
from tests.unit.test_attacks import room as room


async def card(room: Room, line: str = ASK) -> str:
    await room.says(BO, line)
    number = await room.newest()
    event = await room.sent(f"request.{number}.card")
    await room.ops.news()
    return event


async def said(room: Room, who: str, words: str, reply_to: str = "") -> list[str]:
    """What the bot answers."""
    await room.ops.news()
    before = room.ops._read
    await room.says(who, words, reply_to)
    room.ops._read = before
    return await room.ops.news()


async def test_words_below_a_card_are_answered_in_full_once_and_then_by_a_sign(
    room: Room,
) -> None:
    event = await card(room)
    for who, first in (
        (CY, "❓ Not a vote. To vote on #1"),
        (BO, "❓ Not a vote: #1 is your own"),
    ):
        assert (await said(room, who, "who is that?", event))[0].startswith(first)
        assert await said(room, who, "hm, I see", event) == ["[❓]"]
    assert (await said(room, HAL, "go", event))[0].endswith("#1 needs a mod or an owner.")
    assert await said(room, EVE, "go", event) == []
    assert await room.state(1) is State.PENDING
