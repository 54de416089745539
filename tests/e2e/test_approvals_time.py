"""Time and restarts: reminders, expiry, what was said while the bot was down."""

from __future__ import annotations

import re

import pytest

from tests.e2e.office import Office, OpenOffice

HOUR = 3600


@pytest.fixture(scope="module")
async def shared(open_office: OpenOffice) -> Office:
    # The homeserver's clock stays, so what is typed later looks old to a bot that is ahead.
    return await open_office("time", clock=True, command_max_age="30d")


# --- expiry -------------------------------------------------------------------------------------


async def test_half_time_reminds_those_who_have_not_voted_once(office: Office) -> None:
    spam, world = await office.account(), office.world
    card = await office.card("ana", f"!deactivateall reason wave\n{spam.mxid}")
    await office.taps("bo", card)
    await office.says_of(card, "1 of 2 votes")
    office.later(HOUR / 2)
    half = await office.shows(f"^✋ 30 min left: .* · #{card.number}")
    votes = r"^1 of 2 votes: bo ✅\. Vote by .*\d\d:\d\d UTC: an owner \(dan\)$"
    assert re.search(votes, half.text, re.M)
    assert half.mentions == {world["dan"].mxid}
    office.later(HOUR / 4)
    await office.quiet()
    again = [s for s in office.room.said if " left: " in s.text and f"#{card.number}" in s.text]
    assert len(again) == 1
    await office.taps("dan", card)
    await office.done(card)


async def test_a_card_expires_and_a_vote_after_that_is_too_late(office: Office) -> None:
    spam = await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino links")
    office.later(HOUR + 1)
    end = await office.shows(card.over(r"expired: nobody voted\."))
    assert end.text.endswith("Again: tap 🔁")
    assert end.mentions == {office.world["bo"].mxid}
    await office.says_of(card, card.line("⛔ Expired"))
    await office.has_no_buttons(card)
    await office.taps("cy", card)
    late = await office.shows(rf"^📋 cy, too late: #{card.number} expired at")
    assert late.text.endswith("and nothing ran. bo can send it again.")
    await office.never_ran(spam)


async def test_a_vote_in_the_moment_of_expiry_does_not_run_it(office: Office) -> None:
    """Neither the clock nor the vote has to come first."""
    spam = await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    with office.bot.process.asleep():
        office.later(HOUR)
        await office.taps("cy", card)
    await office.shows(card.over("expired"))
    await office.shows(rf"^📋 cy, too late: #{card.number} expired at")
    await office.never_ran(spam)


async def test_what_waits_for_its_turn_expires_too(office: Office) -> None:
    spam = await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    await office.says("cy", "!pause something is odd")
    await office.shows("^❗ Paused by cy")
    await office.taps("dan", card)
    await office.says_of(card, "\nApproved by dan, waits: paused by cy; ")
    office.later(HOUR)
    await office.shows(card.over("expired: it had its votes"))
    resume = await office.says("ana", "!resume")
    await office.room.wait(
        lambda said: said.text.startswith("🔔 Resumed by ana"), "the news", after=resume
    )
    await office.never_ran(spam)


# --- while the bot was down ---------------------------------------------------------------------


async def test_a_vote_that_was_cast_while_it_was_down_counts(office: Office) -> None:
    spam = await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    await office.bot.kill()
    await office.taps("cy", card, "👍🏽️")
    await office.bot.start()
    await office.done(card)
    await office.ran_once(spam)


async def test_a_vote_cast_and_taken_back_while_it_was_down_is_none(office: Office) -> None:
    spam = await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    await office.bot.kill()
    tap = await office.taps("cy", card)
    await office.removes("cy", tap)
    await office.bot.start()
    await office.never_ran(spam)
    await office.taps("cy", card)
    await office.done(card)
    await office.ran_once(spam)


async def test_a_vote_and_a_no_while_it_was_down_is_a_no(office: Office) -> None:
    spam = await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    await office.bot.kill()
    await office.taps("cy", card)
    await office.taps("dan", card, "❌")
    await office.bot.start()
    await office.shows(card.over("denied by dan"))
    await office.never_ran(spam)


async def test_what_was_approved_and_then_edited_while_it_was_down_does_not_run(
    office: Office,
) -> None:
    one, two = await office.account(), await office.account()
    card = await office.card("bo", f"!deactivate {one.mxid} reason casino")
    await office.bot.kill()
    await office.taps("cy", card)
    edit = await office.edits("bo", card.command, f"!deactivate {two.mxid} reason casino")
    await office.bot.start()
    new = await office.card_behind(edit, card.command)
    await office.says_of(card, card.line("⛔ Not run") + r"\nbo changed the command")
    await office.never_ran(one)
    await office.taps("cy", new)
    await office.done(new)
    await office.ran_once(two)


async def test_what_was_approved_and_then_deleted_while_it_was_down_does_not_run(
    office: Office,
) -> None:
    spam = await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    await office.bot.kill()
    await office.taps("cy", card)
    await office.removes("bo", card.command)
    await office.bot.start()
    await office.says_of(card, card.line("⛔ Not run") + r"\nbo deleted the command")
    await office.never_ran(spam)


async def test_a_voter_who_left_while_it_was_down_has_no_vote(office: Office) -> None:
    spam, world = await office.account(), office.world
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    await office.bot.kill()
    await office.taps("cy", card)
    await world["cy"].leave(world.ops_room)
    await office.bot.start()
    await office.never_ran(spam)


async def test_what_expired_while_it_was_down_does_not_run(office: Office) -> None:
    spam = await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    await office.bot.kill()
    await office.taps("cy", card)
    office.later(HOUR)
    await office.bot.start()
    await office.shows(card.over("expired"))
    await office.never_ran(spam)


async def test_what_is_in_line_when_it_stops_runs_once_after_it_starts(office: Office) -> None:
    """Stopped in the middle of everything, again and again."""
    spam = [await office.account() for _ in range(3)]
    cards = [await office.card("bo", f"!deactivate {s.mxid} reason casino") for s in spam]
    for card in cards:
        await office.taps("cy", card)
        await office.bot.kill()
        await office.bot.start()
    for card, one in zip(cards, spam, strict=True):
        await office.done(card, within=20)
        await office.ran_once(one)
