"""A card through its life: what was asked before, who breaks the pattern, what it waits for now,
what its reminder becomes, and what is said below it when it is over."""

from __future__ import annotations

import re
from typing import Any

import pytest

from sluice.chat.alike import Alike, sorted_out
from sluice.requests import reweigh
from tests.stage.book import written
from tests.unit.ops import BO, CY, DAN, HAL
from tests.unit.test_attacks import Room
from tests.unit.test_attacks import room as room
from tests.unit.test_understood_replies import Chat, Thread
from tests.unit.test_understood_replies import room as chat

__all__ = ["chat", "room"]

CARD = "request.1.card"


def played(block: str) -> list[str]:
    """What the bot says in this scene, a message each."""
    said: list[str] = []
    for line in written(block).splitlines():
        if line.startswith("sluice") and " taps " not in line:
            said.append(re.sub(r"   \[push: .*\]$", "", line.partition(": ")[2]))
            said[-1] = ("(edited) " if " edits: " in line else "") + said[-1]
        elif line.startswith("        ") and said:
            said[-1] += "\n" + line.strip()
    return said


def waits(said: list[str]) -> list[str]:
    """What approved cards say they wait for, in turn."""
    return re.findall(r"waits: (.*)", "\n".join(said))


# --- what was asked before


def before(said: list[str]) -> str:
    """That row of the newest card, "" if it has none."""
    card = next(each for each in reversed(said) if " asks: " in each)
    return next((row for row in card.split("\n") if row.startswith("Before: ")), "")


ASKS = "bo: !deactivate @max:example.org reason spam\n"
NO = "dan: !deny {} he is a regular\n"


def test_a_card_says_the_newest_no_though_something_newer_was_asked() -> None:
    scene = "(there are max)\n" + ASKS + NO.format(1) + ASKS + "bo: !cancel 2\n" + ASKS
    row = before(played(scene))
    assert row == "Before: #1 denied by dan 14:00 UTC, “he is a regular”"


def test_without_a_no_it_is_the_newest() -> None:
    scene = "(there are max)\nana: !resetpw max\n" + ASKS + "bo: !cancel 2\n" + ASKS
    assert before(played(scene)) == "Before: #2 cancelled by bo 14:00 UTC"


def test_what_only_looked_or_was_not_allowed_is_not_said() -> None:
    scene = "(there are max)\nhal: !deactivate @max:example.org reason x\nbo: !who max\n" + ASKS
    assert before(played(scene)) == ""


@pytest.mark.parametrize(
    "line",
    [
        "!disableroom #warez:example.org reason x",
        "!rmalias #warez:example.org reason x",
        "!purge mxc://example.org/abc reason x",
    ],
)
def test_rooms_and_files_have_a_past_too(line: str) -> None:
    scene = (
        "(the policy has no tests)\n"
        "(there is the public room “Warez” with the address #warez:example.org)\n"
        f"(eve posts the file “abc.png”)\nana: {line}\ndan: !deny 1 not yet\nana: {line}\n"
    )
    assert before(played(scene)) == "Before: #1 denied by dan 14:00 UTC, “not yet”"


def test_the_words_of_a_no_stay_in_the_room_in_which_it_was_said() -> None:
    said = played(
        "(there is a second ops room)\n(there are max)\n"
        "bo in the second room: !deactivate @max:example.org reason he sleeps with eve\n"
        "dan in the second room: !deny 1 she told me in private\n" + ASKS
    )
    assert before(said) == "Before: #1 denied by dan 14:00 UTC"
    newest = said[-1]
    assert [word for word in ("private", "sleeps", "!second") if word in newest] == []


# --- what was typed


def test_a_card_has_the_address_of_a_room_as_typed_and_its_id() -> None:
    said = played(
        "(there is the public room “Warez hub” with the address #warez:example.org)\n"
        "ana: !disableroom #warez:example.org reason illegal\n"
    )
    card = next(each for each in said if " asks: " in each)
    assert card.startswith("✋ ana asks: disableroom #warez · #1\n")
    assert "\n#warez:example.org leads to !warez:example.org\n" in card


# --- a list

WAVE = "".join(
    f"(Conduit says: New user @q{n:02}:example.org registered on this server.)\n"
    for n in range(1, 6)
)
LIST = "ana: !deactivateall reason wave\n" + "".join(
    f"        @{name}:example.org\n" for name in ("q01", "q02", "q03", "q04", "{}", "q05")
)
NEW = "(there are q01, q02, q03, q04, q05, q00, nora)\n"


def card_of(name: str, between: str = "") -> str:
    said = played(NEW + WAVE + between + LIST.format(name))
    return next(each for each in said if " asks: deactivateall" in each)


def test_who_is_in_an_ops_room_stands_before_the_others() -> None:
    card = card_of("eve")
    assert "\nNot like the others: eve (older, in an ops room)\nThe others: q01 to q05\n" in card


def test_who_is_marked_stands_before_all_others_that_break_the_pattern() -> None:
    odd = [f"{first}{second}" for first in "abcdefg" for second in "uvwxyz"]
    marks = dict.fromkeys([*odd, *(f"q{n:03}" for n in range(100))], "") | {"eve": "older"}
    found = sorted_out(marks)
    assert found.odd[0] == Alike("eve", 1, "older")
    assert found.more == len(marks) - sum(each.size for each in (*found.odd, *found.rest))


@pytest.mark.parametrize("name", ["nora", "q00"])
@pytest.mark.parametrize("between", ["", "(Sluice restarts)\n"])
def test_who_was_there_before_the_wave_stands_before_it(name: str, between: str) -> None:
    card = card_of(name, between)
    assert f"\nNot like the others: {name} (older)\nThe others: q01 to q05\n" in card


def test_who_was_made_long_before_the_others_is_older_too() -> None:
    early = (
        "(Conduit says: New user @q00:example.org registered on this server.)\n(2 hours pass)\n"
    )
    said = played(NEW + early + WAVE + LIST.format("q00"))
    card = next(each for each in said if " asks: deactivateall" in each)
    assert "\nNot like the others: q00 (older)\n" in card


def test_where_nothing_is_known_of_most_nobody_is_called_older() -> None:
    said = played(NEW + WAVE.split("\n")[0] + "\n" + LIST.format("nora"))
    card = next(each for each in said if " asks: deactivateall" in each)
    assert "older" not in card
    assert "\nNot like the others: nora\nThe others: q01 to q05\n" in card


# --- what an approved one waits for

THERE = "(there are spam, max, kim)\n"
ASKED = "bo: !deactivate @{0}:example.org reason casino\n"
VOTED = "cy taps ✅ on “asks: deactivate @{0}”\n"
STUCK = "(Conduit falls silent)\nana: !clearcache db\n(5 minutes pass)\n"
BY = "paused by ana; ana or dan can !resume"
SILENT = "Conduit has not answered since 14:00 UTC"
OF_SPAM, OF_MAX = ASKED.format("spam"), ASKED.format("max")
A_WHILE = "(20 seconds pass)\n"


def test_a_card_says_a_pause_that_came_after_the_votes_and_its_end() -> None:
    scene = THERE + OF_SPAM + STUCK + VOTED.format("spam") + "ana: !pause odd\n" + A_WHILE
    assert waits(played(scene + "ana: !resume\n" + A_WHILE)) == [SILENT, BY, SILENT]


def test_a_card_says_who_paused_now() -> None:
    scene = THERE + OF_SPAM + STUCK + "ana: !pause odd\n" + VOTED.format("spam") + "ana: !resume\n"
    said = waits(played(scene + "dan: !pause odd\n" + A_WHILE))
    assert (said[0], said[-1]) == (BY, BY.replace("by ana", "by dan"))


def test_a_card_says_that_conduit_fell_silent_while_it_waited() -> None:
    scene = (
        THERE + OF_SPAM + "ana: !pause odd\n" + VOTED.format("spam") + "(Conduit falls silent)\n"
    )
    said = waits(played(scene + "hal: !memory\n(6 minutes pass)\nana: !resume\n" + A_WHILE))
    assert said == [BY, SILENT]


def test_a_card_says_its_place_anew_when_one_before_it_is_gone() -> None:
    scene = THERE + OF_SPAM + OF_MAX + ASKED.format("kim") + "(Conduit falls silent)\n"
    scene += "".join(VOTED.format(name) for name in ("spam", "max", "kim"))
    said = waits(played(scene + A_WHILE + "cy: !cancel 2\n" + A_WHILE))
    assert said == ["place 1 in line", "place 2 in line", "place 1 in line"]


def test_nothing_is_edited_while_it_waits_for_the_same() -> None:
    scene = (
        THERE + OF_SPAM + OF_MAX + "ana: !pause odd\n" + VOTED.format("spam") + VOTED.format("max")
    )
    assert waits(played(scene + "(20 minutes pass)\n")) == [BY, BY]
    assert waits(played(scene + "(Sluice restarts)\n(1 minutes pass)\n")) == [BY, BY]


def test_changes_in_quick_succession_are_not_as_many_edits() -> None:
    quick = "ana: !resume\nana: !pause odd\n" * 8
    said = waits(played(THERE + OF_SPAM + STUCK + VOTED.format("spam") + quick + A_WHILE))
    assert said[-1] == BY
    assert len(said) < len(quick.splitlines())


# --- the reminder

REMINDED = "(there are spam)\nbo: !deactivate @spam:example.org reason casino\n(31 minutes pass)\n"
LEFT = "30 min left: deactivate @spam · #1"


@pytest.mark.parametrize("again", ["", "(Sluice restarts)\n"])
@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("(31 minutes pass)\n", "⛔ Expired: deactivate @spam · #1"),
        ("dan: !deny 1 he is a regular\n", "⛔ Denied by dan: deactivate @spam · #1"),
        ("cy: !approve 1\n", "✅ Done: deactivate @spam · #1"),
        ("bo: !cancel 1\n", "⛔ Cancelled by bo: deactivate @spam · #1"),
        ("bo removes “!deactivate”\n", "⛔ Not run: deactivate @spam · #1"),
        ("(bo leaves the ops room)\n", "⛔ Not run: deactivate @spam · #1"),
        (f"dan taps ❌ on “{LEFT}”\n", "⛔ Denied by dan: deactivate @spam · #1"),
    ],
)
def test_a_reminder_says_in_one_line_that_it_is_over(again: str, end: str, said: str) -> None:
    assert f"(edited) {said}" in played(REMINDED + again + end)


def test_a_reminder_says_that_its_votes_are_there() -> None:
    said = played(REMINDED + "ana: !pause odd\ncy: !approve 1\n")
    assert f"(edited) ⏳ bo asks: deactivate @spam · #1\nApproved by cy, waits: {BY}" in said


async def reminded(room: Room) -> str:
    await room.says(BO, "!deactivate @spam:example.org reason casino")
    await room.sent(CARD)
    room.ops.clock.go(1801)
    await room.ops.db.write(lambda tx: reweigh.tick(room.ops.desk(tx)))
    await room.ops.news()
    return await room.sent("request.1.half")


async def buttons(room: Room, key: str) -> tuple[str, ...]:
    return await room.ops.db.read(lambda tx: room.ops.outbox.offered(tx, room.ops.room, key))


@pytest.mark.parametrize("end", ["!deny 1 no", "!approve 1", "card"])
async def test_a_reminder_has_no_buttons_when_it_is_over(room: Room, end: str) -> None:
    await reminded(room)
    assert await buttons(room, "request.1.half") == ("✅", "❌")
    if end == "card":
        room.ops.power(DAN, 50)
        await room.ops.look()
        await room.event(DAN, "m.room.redaction", {"redacts": f"$of.{CARD}"})
    else:
        await room.says(CY, end)
        if end == "!approve 1":
            await room.ops.runs()
    assert await buttons(room, "request.1.half") == ()


@pytest.mark.parametrize(("sign", "state"), [("✅", "pending"), ("❌", "denied")])
async def test_a_tap_on_the_reminder_counts_as_on_the_card(
    room: Room, sign: str, state: str
) -> None:
    event = await reminded(room)
    await room.taps(HAL, event, sign)
    assert (await room.ops.request(1)).queued_since is None, "hal has no vote"
    await room.taps(CY, event, sign)
    request = await room.ops.request(1)
    assert request.state.value == state
    assert (request.queued_since is not None) is (sign == "✅")


# --- over


def test_an_ended_card_is_two_lines_in_the_past_tense() -> None:
    for end, card in {
        NO.format(1): "⛔ Denied by dan: deactivate @max · #1\nbo asked: “spam”",
        "cy: !approve 1\n": "✅ Done: deactivate @max · #1\nbo asked, cy approved: “spam”",
        "bo: !cancel 1\n": "⛔ Cancelled by bo: deactivate @max · #1\nbo asked: “spam”",
        "(61 minutes pass)\n": (
            "⛔ Expired: deactivate @max · #1\nNobody voted. bo asked: “spam”"
        ),
    }.items():
        assert f"(edited) {card}" in played("(there are max)\n" + ASKS + end), end


@pytest.mark.parametrize(
    ("end", "reply"),
    [
        (NO.format(1), "⛔ deactivate @max denied by dan: “he is a regular”"),
        ("dan taps ❌ on “asks:”\n", "⛔ deactivate @max denied by dan, without a reason."),
        ("(61 minutes pass)\n", "⛔ deactivate @max expired: nobody voted. Again: tap 🔁"),
        ("cy: !cancel 1\n", "⛔ deactivate @max cancelled by cy."),
        ("ana removes “✋ bo asks:”\n", "⛔ Not run: deactivate @max, the card was deleted."),
        ("(bo leaves the ops room)\n", "⛔ Not run: deactivate @max, bo left this room."),
    ],
)
def test_the_reply_repeats_no_line_of_its_card(end: str, reply: str) -> None:
    said = played("(there are max)\n" + ASKS + end)
    assert reply in said
    card = next((each for each in said if each.startswith("(edited) ⛔")), "")
    assert not set(card.removeprefix("(edited) ").split("\n")) & set(reply.split("\n"))
    assert "deactivate @max" in reply[:44]


def test_long_words_of_a_no_stand_in_a_line_of_their_own() -> None:
    why = "he is a regular, and I have known him well for years"
    said = played("(there are max)\n" + ASKS + f"dan: !deny 1 {why}\n")
    assert f"⛔ deactivate @max denied by dan\n“{why}”" in said
    endless = played("(there are max)\n" + ASKS + "dan: !deny 1 " + f"{why} " * 20 + "\n")
    (reply,) = [each for each in endless if each.startswith("⛔ deactivate @max denied by dan\n")]
    assert reply.count("\n") == 1


async def test_a_typed_no_is_acknowledged_with_a_no(room: Room) -> None:
    await room.says(BO, "!deactivate @spam:example.org reason casino")
    no = await room.says(DAN, "!deny 1 he is a regular")
    assert await buttons(room, no) == ("❌",)
    await room.says(BO, "!deactivate @max:example.org reason casino")
    yes = await room.says(DAN, "!approve 2")
    assert await buttons(room, yes) == ("✅",)


# --- where it stands


async def relation(room: Any, key: str) -> Any:
    return await Thread(room, "$none").of(key)


async def test_reminder_end_and_result_are_replies_to_the_card(chat: Chat) -> None:
    await chat.said(BO, "!deactivate @spam:example.org reason casino")
    card = await chat.id_of(CARD)
    chat.ops.clock.go(1801)
    await chat.ops.db.write(lambda tx: reweigh.tick(chat.ops.desk(tx)))
    assert await relation(chat, "request.1.half") == {"m.in_reply_to": {"event_id": card}}
    await chat.said(DAN, "!deny 1 he is a regular")
    assert await relation(chat, "request.1.end") == {"m.in_reply_to": {"event_id": card}}
    await chat.said(BO, "!deactivate @max:example.org reason casino")
    card = await chat.id_of("request.2.card")
    await chat.said(DAN, "!approve 2")
    await chat.ops.runs(answer="x")
    assert await relation(chat, "request.2.end") == {"m.in_reply_to": {"event_id": card}}


@pytest.mark.parametrize("again", [False, True])
async def test_what_a_tap_in_a_thread_leads_to_stands_there(chat: Chat, again: bool) -> None:
    thread = Thread(chat)
    await thread.says(HAL, "!memory")
    await chat.ops.runs(answer="x")
    result = await chat.id_of("request.1.end")
    await chat.ops.db.write(
        lambda tx: chat.ops.outbox.react(tx, chat.ops.room, "request.1.end", "🔁")
    )
    if again:
        chat.ops.start(chat.ops.live.in_force)
        await chat.ops.look()
        chat.start()
        await chat.reader.load()
    chat.taps(HAL, result, "🔁")
    await chat.reads()
    await chat.ops.runs(answer="x")
    assert await thread.of("request.2.end") == thread.answer_to(result)
