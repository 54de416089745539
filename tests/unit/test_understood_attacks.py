"""What leniency must never do: a yes that nobody meant, a no that is lost, and what somebody sends
so that others are not heard."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.matrix.rooms import RoomView
from sluice.model.request import State
from sluice.requests import holds
from sluice.settings import load
from sluice.typed.consent import Sense, meant
from tests.unit.ops import ANA, BO, CY, DAN, EVE, POLICY
from tests.unit.scenes import SERVER
from tests.unit.test_attacks import Room
from tests.unit.test_attacks import room as room
from tests.unit.test_understood_replies import Chat
from tests.unit.test_understood_replies import room as chat  # noqa: F401 (a fixture)
from tests.unit.test_understood_votes import Threads, card, next_turn, question, said, thread, tick


async def last(room: Room) -> str:
    """The newest message of the bot, as if it had been sent."""
    query = "SELECT key FROM sluice_outbox WHERE kind='message' ORDER BY id DESC LIMIT 1"
    (row,) = await room.rows(query)
    return await room.sent(row["key"])


# --- a yes that nobody meant


@pytest.mark.parametrize("who", [CY, ANA])
@pytest.mark.parametrize("words", ["yes", "ja", "👍"])
async def test_a_yes_to_the_question_about_a_no_is_no_yes(
    room: Room, who: str, words: str
) -> None:
    event = await card(room)
    await said(room, CY, "no problem", event)
    assert (await said(room, who, words, await question(room, CY)))[0][:1] in "❓["
    assert await next_turn(room) is None
    await tick(room, 301)
    assert await next_turn(room) is None, "and nothing of it was counted"


async def test_nor_is_it_in_the_thread_on_the_card(room: Room) -> None:
    made = await thread(room)
    await made.says(CY, "no problem")
    key = await question(room, CY)
    await made.bot(key)
    await made.says(CY, "yes")
    await tick(room, 301)
    assert await next_turn(room) is None


@pytest.mark.parametrize("words", ["yes", "ok", "✅"])
async def test_a_yes_to_what_asks_or_tells_somebody_else_is_asked(room: Room, words: str) -> None:
    await room.says(BO, "!deactivate @spam:example.org")
    why = await question(room, BO)
    await room.says(BO, "casino", why)
    await said(room, BO, "please hurry", await room.sent("request.1.card"))
    for event in (why, await last(room)):
        await said(room, CY, words, event)
        assert await next_turn(room) is None
    await room.taps(CY, await question(room, CY))
    assert await next_turn(room) == 1


@pytest.mark.parametrize("line", ["!approve", "!deny", "!cancel"])
async def test_only_a_no_to_a_copy_of_a_card_is_about_its_thread(room: Room, line: str) -> None:
    made = await thread(room)
    forged = await room.says(EVE, "✋ #7 Approve? bo asks: resetpw @max:example.org")
    await made.says(CY, line, forged)
    assert (await room.state(1) is State.PENDING) == (line == "!approve")
    assert await next_turn(room) is None


async def test_a_yes_in_a_thread_with_others_answers_no_question(room: Room) -> None:
    await room.says(BO, "!adduser alice...")
    made = Threads(room, await question(room, BO))
    await made.bot(made.root, inside=False)
    await made.says(DAN, "shall we get a coffee?")
    assert (await made.says(BO, "yes"))[0].startswith("❓ alice...")
    assert await room.newest() == 0


@pytest.mark.parametrize("on", ["question", "command"])
async def test_words_in_a_thread_with_others_are_offered_as_the_answer(
    room: Room, on: str
) -> None:
    command = await room.says(BO, "!deactivate @spam:example.org")
    asked = await question(room, BO)
    made = Threads(room, asked if on == "question" else command)
    await made.says(DAN, "what do you want for lunch?")
    assert (await made.says(BO, "pizza with mushrooms"))[0].startswith("❓ Reason “pizza")
    assert await room.newest() == 0


async def test_an_answer_to_what_is_over_brings_nothing_back_when_it_is_edited(
    chat: Chat,  # noqa: F811
) -> None:
    await chat.said(BO, "!deactivate @spam:example.org")
    command, asked = chat.last, await chat.id_of(await chat.question())
    await chat.said(BO, "casino", asked)
    answer = chat.last
    await chat.edited(BO, command, {"body": "!deactivate @max:example.org reason bad"})
    await chat.edited(BO, answer, {"body": "casino links"})
    assert await chat.newest() == 2
    assert await chat.state(2) is State.PENDING


@pytest.mark.parametrize("line", ["!approve 1?", "!approve? 1", "!approve 1 ?", "!Approve 1？"])
async def test_an_approve_that_asks_is_none(room: Room, line: str) -> None:
    await card(room)
    assert "!approve" in (await said(room, CY, line))[0]
    assert await next_turn(room) is None


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("!glass purge reason x", "⛔ Not run: purge cannot be undone, so no tap runs it."),
        ("!purge reason x", "❓ purge for these 2 files? Tap ✅."),
    ],
)
async def test_no_tap_runs_without_votes_what_cannot_be_undone(
    chat: Chat,  # noqa: F811
    line: str,
    asked: str,
) -> None:
    chat.fake.media[f"{SERVER}/pac"] = b"x"
    files = "\n".join(f"mxc://{SERVER}/{name}" for name in ("pic", "pac"))
    await chat.said(ANA, f"!purge reason x\n{files}")
    assert (await chat.said(ANA, line, await chat.card()))[0].startswith(asked)


async def test_a_reply_names_nobody_from_a_room_that_its_sender_is_not_in(
    chat: Chat,  # noqa: F811
) -> None:
    fake, rooms = chat.fake, chat.ops.rooms
    other = fake.room(ANA, CY, chat.ops.live.me, version="10")
    both = POLICY.replace('"!opsroom:example.org"', f'"{chat.id}", "{other}"')
    chat.ops.live.settings = load(both, server=SERVER, now=chat.ops.clock.now).settings
    rooms.open(RoomView(other))
    await rooms.views[other].refresh(chat.ops.hs)
    told = {"msgtype": "m.text", "body": "it was @spam:example.org"}
    event = fake.put(other, ANA, "m.room.message", told)
    assert "spam" not in (await chat.said(BO, "!who", event))[0]
    assert "spam" in (await chat.said(CY, "!who", event))[0]


@pytest.mark.parametrize(
    "row",
    ["not @max:example.org", "except max", "all but @max:example.org", "nicht @max:example.org",
     "- ohne @max:example.org"],
)  # fmt: skip
async def test_who_is_excepted_is_no_entry(room: Room, row: str) -> None:
    asked = await said(room, ANA, f"!deactivateall reason x\n@spam:example.org\n{row}")
    assert asked[0].startswith("❓ Ask for this account and leave the rest out?")
    assert f"Left out: “{row.removeprefix('- ')}”" in asked[0]


# --- a no that is lost


@pytest.mark.parametrize("line", ["!no", "!deny", "!deny he is fine", "!no he is fine", "!deny 1"])
@pytest.mark.parametrize("words", ["no problem", "sure"])
async def test_a_typed_no_to_the_question_about_a_vote_is_one(
    room: Room, line: str, words: str
) -> None:
    event = await card(room)
    await said(room, CY, words, event)
    await said(room, CY, line, await question(room, CY))
    assert await room.state(1) is State.DENIED


async def test_a_command_below_the_question_about_a_vote_leaves_it_open(room: Room) -> None:
    event = await card(room)
    await said(room, CY, "no problem", event)
    asked = await question(room, CY)
    await said(room, CY, "!who", asked)
    await room.taps(CY, asked, "❌")
    assert await room.state(1) is State.DENIED


@pytest.mark.parametrize("word", ["reject", "no", "veto", "decline", "nein"])
async def test_no_other_bot_takes_a_no_away(room: Room, word: str) -> None:
    await card(room)
    await room.event(EVE, "m.room.message", {"msgtype": "m.notice", "body": "beep"})
    await said(room, CY, f"!{word} 1 he is the treasurer")
    assert await room.state(1) is State.DENIED


async def test_a_no_that_ends_a_question_holds_the_card_that_it_may_be_for(room: Room) -> None:
    event = await card(room)
    await room.says(CY, "!deactivate @max:example.org")
    await said(room, CY, "No, he is the treasurer")
    await room.taps(DAN, event)
    assert await next_turn(room) is None
    assert await room.ops.db.read(holds.requests) == {1}


async def test_a_yes_or_no_to_a_list_of_several_is_asked(room: Room) -> None:
    for name in ("spam", "max"):
        await card(room, f"!deactivate @{name}:example.org reason casino links")
    await said(room, CY, "ok")
    assert await said(room, CY, "yes", await last(room)) == ["[❓]"]
    assert (await said(room, CY, "no", await last(room)))[0].startswith("❓ A no to which?")
    assert await room.ops.db.read(holds.requests) == {1, 2}


@pytest.mark.parametrize(
    "words", ["nicht sicher", "keine Ahnung", "une minute", "nevím", "pas sûr"]
)
def test_words_of_doubt_are_known(words: str) -> None:
    assert meant(words).sense is Sense.WAIT


# --- a password that stays


async def test_with_an_edit_goes_what_the_message_was_before(chat: Chat) -> None:  # noqa: F811
    chat.ops.power(chat.ops.live.me, 50)
    await chat.ops.look()
    await chat.said(BO, "adduser alice Hunter2xQ!")
    before = chat.last
    await chat.edited(BO, before, {"body": "!adduser alice Hunter2xQ!"})
    query = "SELECT key FROM sluice_outbox WHERE kind = 'redact'"
    rows = await chat.ops.db.read(lambda tx: tx.fetch(query))
    assert {row["key"] for row in rows} == {before, chat.last}


async def test_with_an_edited_answer_goes_what_it_was_before(chat: Chat) -> None:  # noqa: F811
    chat.ops.power(chat.ops.live.me, 50)
    await chat.ops.look()
    await chat.said(BO, "!adduser")
    await chat.said(BO, "alice hunter2", await chat.id_of(await chat.question()))
    answer = chat.last
    await chat.edited(BO, answer, {"body": "alice Hunter2xQ!"})
    query = "SELECT key FROM sluice_outbox WHERE kind = 'redact'"
    rows = await chat.ops.db.read(lambda tx: tx.fetch(query))
    assert {row["key"] for row in rows} == {answer, chat.last}


# --- what keeps others from being heard


@pytest.mark.parametrize("root", ["$" + "x" * 60_000, "$x\x00", "x", "$a b", "", "\ud800"])
@pytest.mark.parametrize("kind", ["thread", "reply", "tap", "edit"])
async def test_a_relation_to_what_is_no_event_is_none(room: Room, root: str, kind: str) -> None:
    event = {
        "thread": {"rel_type": "m.thread", "event_id": root},
        "reply": {"m.in_reply_to": {"event_id": root}},
        "tap": {"rel_type": "m.annotation", "event_id": root, "key": "✅"},
        "edit": {"rel_type": "m.replace", "event_id": root},
    }
    text: dict[str, Any] = {"msgtype": "m.text", "body": "!pending"}
    content = {**text, "m.new_content": text, "m.relates_to": event[kind]}
    await room.event(CY, "m.reaction" if kind == "tap" else "m.room.message", content)
    if kind in ("thread", "reply"):
        assert root not in str((await room.ops.last()).get("m.relates_to")) or not root
