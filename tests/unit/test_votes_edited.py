"""A message that is a vote, and is edited: what every client shows then is what counts."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sluice.model.request import State
from sluice.requests import store
from tests.unit.ops import ANA, BO, CY, DAN, EVE, ops
from tests.unit.test_erased import ASK, Live

OTHER = ASK.replace("spam", "max")


@pytest.fixture
async def room() -> AsyncIterator[Live]:
    async with ops() as made:
        live = Live(made)
        await live.reader.load()
        await live.reads()
        await live.asks()
        await live.asks(BO, OTHER)
        yield live


async def votes(room: Live, how: str) -> str:
    """cy says yes to #1, in one of the ways; her message."""
    if how == "reply":
        event = room.says(CY, "yes", reply_to=await room.card())
    else:
        event = room.says(CY, how)
    await room.reads()
    assert await room.next() == 1
    return event


WAYS = ("reply", "!approve 1")


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("no", ["no", "No.", "!deny 1", "!deny 1 ask him"])
async def test_a_yes_that_becomes_a_no_is_a_no(room: Live, how: str, no: str) -> None:
    event = await votes(room, how)
    room.edits(CY, event, no)
    said = await room.reads()
    assert await room.state() is State.DENIED
    assert "📋 cy, your yes to #1 is taken back, you say no to #1 now." in said


async def test_a_vote_that_becomes_one_on_another_request_is_that(room: Live) -> None:
    event = await votes(room, "!approve 1")
    room.edits(CY, event, "!approve 2")
    said = await room.reads()
    assert await room.next() == 2
    assert (await room.ops.request(1)).queued_since is None
    assert [text for text in said if text.startswith("📋")] == [
        "📋 cy, your yes to #1 is taken back, you say yes to #2 now."
    ]


async def test_a_reply_that_becomes_a_vote_on_another_request_is_asked(room: Live) -> None:
    """It stays a reply to the card of the first."""
    event = await votes(room, "reply")
    room.edits(CY, event, "!approve 2")
    said = await room.reads()
    assert await room.next() is None
    (key,) = room.ops.dialog._open
    room.taps(CY, await room.id_of(key))
    await room.reads()
    assert await room.next() == 2
    assert any(each.startswith("❓ Do you mean #2? Tap ✅ to ") for each in said)


async def test_a_yes_that_becomes_a_no_to_another_stops_that(room: Live) -> None:
    event = await votes(room, "!approve 1")
    room.edits(CY, event, "!deny 2 ask him")
    await room.reads()
    assert await room.state(2) is State.DENIED
    assert await room.state(1) is State.PENDING
    assert await room.next() is None


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize(
    "text", ["wait, who is that?", "!memory", "!adduser zoe", "yes but not now"]
)
async def test_what_is_no_vote_takes_it_back_and_does_nothing_else(
    room: Live, how: str, text: str
) -> None:
    """Nobody looks at an old message: no command hides in it."""
    event = await votes(room, how)
    room.edits(CY, event, text)
    said = await room.reads()
    assert await room.next() is None
    assert await room.ops.db.read(store.next_id) == 3
    [line] = [each for each in said if each.startswith("📋")]
    assert line.startswith("📋 cy, your yes to #1 is taken back.\nTo vote anew: !approve 1")


@pytest.mark.parametrize("stop", ["!pause who is that", "!cancel 1"])
async def test_another_no_may_take_its_place(room: Live, stop: str) -> None:
    event = await votes(room, "!approve 1")
    room.edits(CY, event, stop)
    await room.reads()
    assert await room.next() is None
    paused = await room.ops.db.read(store.pause) is not None
    assert paused or await room.state() is State.CANCELLED


async def test_the_last_of_many_edits_counts(room: Live) -> None:
    event = await votes(room, "reply")
    for text in ("hm", "yes", "well", "ok"):
        room.edits(CY, event, text)
    await room.reads()
    assert await room.next() == 1
    room.edits(CY, event, "no")
    await room.reads()
    assert await room.state() is State.DENIED


async def test_who_deletes_an_edited_vote_takes_it_back(room: Live) -> None:
    event = await votes(room, "!approve 1")
    room.edits(CY, event, "!approve 2")
    await room.reads()
    assert await room.next() == 2
    room.deletes(CY, event)
    await room.reads()
    assert await room.next() is None


async def test_an_edit_of_somebody_elses_vote_is_nothing(room: Live) -> None:
    event = await votes(room, "reply")
    for who in (BO, ANA, EVE):
        room.edits(who, event, "no")
        room.edits(who, event, "!deny 1")
    assert await room.reads() == []
    assert await room.next() == 1


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("text", ["no", "!deny 1", "hm"])
async def test_after_it_ran_the_edit_changes_nothing_and_says_so(
    room: Live, how: str, text: str
) -> None:
    event = await votes(room, how)
    await room.ops.runs(answer="x")
    room.edits(CY, event, text)
    said = [each for each in await room.reads() if not each.startswith("(edited)")]
    assert await room.state() is State.DONE
    [line] = said
    assert line.startswith("📋 cy, ")
    assert line.endswith("#1 is done already.")


async def test_a_no_is_not_taken_back_by_an_edit(room: Live) -> None:
    event = room.says(CY, "no", reply_to=await room.card())
    await room.reads()
    room.edits(CY, event, "yes")
    said = await room.reads()
    assert await room.state() is State.DENIED
    assert said == ["📋 cy, your edit comes too late: #1 is denied by cy and nothing ran."]


async def test_an_edited_vote_that_does_not_count_says_why(room: Live) -> None:
    """The asker's own yes, edited, is still the asker's own."""
    event = room.says(BO, "yes", reply_to=await room.card())
    await room.reads()
    room.edits(BO, event, "no")
    await room.reads()
    assert await room.state() is State.CANCELLED


async def test_an_old_vote_without_a_message_goes_on_working(room: Live) -> None:
    """As Sluice 1.0 has stored it."""
    event = await votes(room, "reply")
    await room.ops.db.write(lambda tx: tx.execute("UPDATE sluice_vote SET message = ''"))
    room.edits(CY, event, "no")
    await room.reads()
    assert await room.state() is State.DENIED


async def test_two_slots_while_it_waits_for_a_second_vote(room: Live) -> None:
    for n in range(3):
        room.fake.register(f"s{n:02}")
    line = "!deactivateall reason spam\n" + "\n".join(f"@s{n:02}:example.org" for n in range(3))
    number = await room.asks(ANA, line)
    event = room.says(CY, "yes", reply_to=await room.card(number))
    await room.reads()
    room.edits(CY, event, "hm")
    room.taps(DAN, await room.card(number))
    await room.reads()
    assert await room.next() is None


@pytest.mark.parametrize("then", ["yes", "!approve 1", "!approve 2", "👍"])
async def test_an_old_message_becomes_no_yes_again(room: Live, then: str) -> None:
    event = await votes(room, "reply")
    room.edits(CY, event, "let me look first")
    await room.reads()
    assert await room.next() is None
    room.ops.clock.go(301)
    room.edits(CY, event, then)
    await room.reads()
    assert await room.next() is None
    assert await room.state() is State.PENDING


async def test_an_old_yes_may_still_become_a_no(room: Live) -> None:
    event = await votes(room, "reply")
    room.ops.clock.go(301)
    room.edits(CY, event, "no")
    await room.reads()
    assert await room.state() is State.DENIED
