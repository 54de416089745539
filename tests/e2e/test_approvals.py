"""Cards and votes, played by people on a real homeserver: scenes 26 to 32."""

from __future__ import annotations

import re

import pytest

from tests.e2e.office import Office, OpenOffice


@pytest.fixture(scope="module")
async def shared(open_office: OpenOffice) -> Office:
    return await open_office("votes")


# --- the card -----------------------------------------------------------------------------------


async def test_a_card_says_who_asks_what_and_why_and_what_happens_then(office: Office) -> None:
    spam = await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino links in 6 rooms")
    n, name = card.number, re.escape(spam.localpart)
    wanted = (
        rf"✋ bo asks: deactivate @{name} · #{n}",
        "Why: “casino links in 6 rooms”",
        rf"Who: {re.escape(spam.mxid)}, “{name}.*”, active, no role",
        rf"If approved: locked out; rooms and files stay\. Undo: !resetpw {name}",
        r"Vote by .*\d\d:\d\d UTC: cy, ana or dan",
    )
    shown = card.said.text.split("\n")
    assert len(shown) == len(wanted)
    for line, pattern in zip(shown, wanted, strict=True):
        assert re.fullmatch(pattern, line), line
    assert card.said.content["msgtype"] == "m.text"
    assert card.said.mentions == {office.world[name].mxid for name in ("cy", "ana", "dan")}
    for key in ("✅", "❌"):
        await office.room.wait(
            lambda said, key=key: said.reaction == (card.id, key),  # type: ignore[misc]
            f"the button {key}",
        )
    await office.says("bo", f"!cancel {n}")
    await office.says_of(card, "Cancelled")
    await office.never_ran(spam)


async def test_a_tap_approves_and_the_card_tells_its_whole_life(office: Office) -> None:
    spam = await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    await office.taps("cy", card)
    done = await office.shows(rf"^✅ Deactivated @{spam.localpart} · #{card.number}")
    assert done.content["msgtype"] == "m.text"
    assert done.mentions == {office.world["bo"].mxid}
    await office.says_of(card, card.line("⏳ Running") + r"\nbo asked, cy approved")
    last = await office.says_of(card, card.line("✅ Done") + r"\nbo asked, cy approved")
    assert last.mentions == set()
    await office.has_no_buttons(card)
    await office.ran_once(spam)


@pytest.mark.parametrize("key", ["✅", "👍️", "👍🏽", "👍🏿️", "☑️", "✔️"], ids=ascii)
async def test_every_yes_of_a_phone_approves(office: Office, key: str) -> None:
    """Element X adds U+FE0F, its picker a tone of skin."""
    spam = await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    await office.taps("cy", card, key)
    await office.done(card)
    await office.ran_once(spam)


@pytest.mark.parametrize("key", ["🎉", "👀", "yes", "1️⃣", "✅✅"], ids=ascii)
async def test_other_taps_are_only_taps(office: Office, key: str) -> None:
    spam = await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    tap = await office.taps("cy", card, key)
    await office.heard_nothing(tap)
    await office.never_ran(spam)


async def test_a_command_approves_and_is_thanked_with_a_tap_only(office: Office) -> None:
    spam = await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    event = await office.says("dan", f"!approve {card.number}")
    await office.says_of(card, card.line("✅ Done") + r"\nbo asked, dan approved")
    await office.room.wait(lambda said: said.reaction == (event, "✅"), "the tap of thanks")
    assert not [said for said in office.room.said if said.reply_to == event]
    await office.ran_once(spam)


@pytest.mark.parametrize("word", ["yes", "Approve", "ok."])
async def test_a_reply_of_one_word_approves(office: Office, word: str) -> None:
    spam = await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    await office.replies("cy", card.id, word)
    await office.done(card)
    await office.ran_once(spam)


async def test_a_yes_that_says_more_is_asked(office: Office) -> None:
    spam = await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    await office.replies("cy", card.id, "yes, he did it again")
    await office.shows(rf"^❓ A yes to #{card.number}: ")
    await office.never_ran(spam)
    await office.replies("cy", card.id, "no, he has")
    denied = await office.shows(card.over("denied by cy"))
    assert denied.text.endswith(": “he has”")


# --- no -----------------------------------------------------------------------------------------


async def test_one_no_ends_it_and_its_reason_is_told(office: Office) -> None:
    spam = await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    event = await office.says("dan", f"!deny {card.number} he is a regular, ask him first")
    denied = await office.shows(card.over("denied by dan"))
    assert denied.text.endswith(": “he is a regular, ask him first”")
    assert denied.mentions == {office.world["bo"].mxid}
    await office.says_of(card, card.line("⛔ Denied by dan"))
    await office.room.wait(lambda said: said.reaction == (event, "❌"), "the tap of thanks")
    await office.has_no_buttons(card)
    await office.never_ran(spam)


@pytest.mark.parametrize("key", ["❌", "👎🏽️", "✖️"], ids=ascii)
async def test_a_tapped_no_gives_no_reason(office: Office, key: str) -> None:
    spam = await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    await office.taps("cy", card, key)
    denied = await office.shows(card.over("denied by cy"))
    assert denied.text.endswith(", without a reason.")
    await office.never_ran(spam)


async def test_a_yes_after_a_no_is_too_late_and_told_once(office: Office) -> None:
    spam = await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    await office.taps("cy", card, "❌")
    await office.shows(card.over("denied by cy"))
    await office.taps("dan", card)
    late = await office.shows(rf"^📋 dan, too late: #{card.number} is denied by cy")
    again = await office.taps("dan", card, "👍")
    await office.heard_nothing(again)
    assert [s.id for s in office.room.said if s.text.startswith("📋 dan, too late")] == [late.id]
    await office.never_ran(spam)


async def test_the_asker_takes_it_back_with_a_tapped_no(office: Office) -> None:
    spam = await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    await office.taps("bo", card, "❌")
    await office.says_of(card, card.line("⛔ Cancelled by bo"))
    await office.never_ran(spam)


# --- votes that do not count --------------------------------------------------------------------


async def test_nobody_approves_their_own_request_from_any_account(office: Office) -> None:
    spam = await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    await office.taps("bo", card)
    said = await office.shows(f"^📋 bo, your vote does not count: #{card.number} ")
    assert said.text.endswith(f"#{card.number} is your own request. cy, ana or dan can.")
    for event in (
        await office.taps("bob", card, "👍"),
        await office.replies("bob", card.id, "yes"),
    ):
        await office.heard_nothing(event)
    typed = await office.asks("bob", f"!approve {card.number}")
    assert "is your own request" in typed.text
    await office.never_ran(spam)
    await office.taps("cy", card)
    await office.says_of(card, card.line("✅ Done") + r"\nbo asked, cy approved")
    await office.ran_once(spam)


async def test_a_role_that_may_not_vote_is_told_and_a_stranger_is_not(office: Office) -> None:
    spam, hal = await office.account(), await office.account("hal")
    world = office.world
    await world["ana"].invite(world.ops_room, hal.mxid)
    await hal.join(world.ops_room)
    await world["ana"].set_power(world.ops_room, hal.mxid, 30)
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    await hal.react(world.ops_room, card.id, "✅")
    who = re.escape(hal.mxid)
    said = await office.shows(f"^📋 {who}, your vote does not count: #{card.number} ")
    assert said.text.endswith(f"#{card.number} needs a mod or an owner.")
    await office.heard_nothing(await office.taps("eve", card))
    await office.heard_nothing(await office.replies("eve", card.id, "yes"))
    await office.heard_nothing(await office.says("eve", f"!approve {card.number}"))
    await office.never_ran(spam)


async def test_a_tap_on_somebody_elses_copy_of_the_card_is_nothing(office: Office) -> None:
    spam = await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    shown = card.said.content
    copies = [
        await office.world["bo"].send(office.world.ops_room, {**shown, "m.mentions": {}}),
        await office.world["eve"].send(office.world.ops_room, {**shown, "m.mentions": {}}),
    ]
    for copy in copies:
        await office.heard_nothing(await office.taps("cy", copy))
        await office.heard_nothing(await office.replies("cy", copy, "yes"))
    await office.never_ran(spam)


async def test_a_vote_by_command_of_who_voted_already_is_told_so(office: Office) -> None:
    spam = await office.account()
    card = await office.card("ana", f"!deactivateall reason wave\n{spam.mxid}")
    await office.taps("bo", card)
    await office.says_of(card, r"1 of 2 votes: bo ✅")
    said = await office.asks("bo", f"!approve {card.number}")
    assert said.text == (
        f"📋 Your vote on #{card.number} counts already. It still needs an owner (dan)."
    )
    await office.taps("ana", card, "❌")
    await office.says_of(card, "Cancelled")


# --- more than one vote -------------------------------------------------------------------------


async def test_a_vote_taken_away_counts_no_more_and_may_come_again(office: Office) -> None:
    spam = await office.account()
    card = await office.card("ana", f"!deactivateall reason wave\n{spam.mxid}")
    assert "UTC: a mod (bo, cy or dan) and an owner (dan)" in card.said.text
    tap = await office.taps("bo", card)
    await office.says_of(card, r"1 of 2 votes: bo ✅\. Vote by .*: an owner \(dan\)")
    await office.removes("bo", tap)
    await office.says_of(card, r"✋ ana asks: .*(?s:.)*\nVote by ")
    await office.taps("dan", card)
    await office.says_of(card, r"1 of 2 votes: dan ✅")
    await office.never_ran(spam)
    await office.taps("bo", card)
    await office.says_of(
        card, card.line("✅ Done") + r"\nana asked, (bo and dan|dan and bo) approved"
    )
    await office.ran_once(spam)


async def test_a_vote_stands_while_one_of_its_taps_does(office: Office) -> None:
    spam = await office.account()
    card = await office.card("ana", f"!deactivateall reason wave\n{spam.mxid}")
    first = await office.taps("bo", card)
    await office.says_of(card, "1 of 2 votes")
    await office.taps("bo", card, "👍")
    await office.removes("bo", first)
    await office.taps("dan", card)
    await office.done(card)
    await office.ran_once(spam)


async def test_only_its_sender_takes_a_vote_back(office: Office) -> None:
    """ana has the power to remove anybody's tap; that is no change of somebody's mind."""
    spam = await office.account()
    card = await office.card("bo", f"!deactivateall reason wave\n{spam.mxid}")
    tap = await office.taps("cy", card)
    await office.says_of(card, r"1 of 2 votes: cy ✅")
    await office.removes("ana", tap)
    await office.quiet()
    await office.taps("dan", card)
    await office.says_of(
        card, card.line("✅ Done") + r"\nbo asked, (cy and dan|dan and cy) approved"
    )
    await office.ran_once(spam)


async def test_one_human_with_two_accounts_is_one_vote(office: Office) -> None:
    spam = await office.account()
    card = await office.card("cy", f"!deactivateall reason wave\n{spam.mxid}")
    await office.taps("bo", card)
    await office.says_of(card, r"1 of 2 votes: bo ✅")
    await office.taps("bob", card)
    await office.quiet()
    await office.never_ran(spam)
    assert "1 of 2" in [s.text for s in office.room.said if s.edits == card.id][-1]
    await office.taps("ana", card)
    await office.says_of(card, card.line("✅ Done") + r"\ncy asked, bo and ana approved")
    await office.ran_once(spam)


async def test_two_approvals_that_arrive_at_once_run_it_once(office: Office) -> None:
    spam = await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    with office.bot.process.asleep():
        await office.taps("cy", card)
        await office.taps("dan", card)
        await office.taps("cy", card, "👍")
    await office.done(card)
    await office.quiet()
    await office.ran_once(spam)


async def test_the_two_votes_it_needs_may_arrive_at_once(office: Office) -> None:
    spam = await office.account()
    card = await office.card("ana", f"!deactivateall reason wave\n{spam.mxid}")
    with office.bot.process.asleep():
        await office.taps("dan", card)
        await office.taps("cy", card)
    await office.done(card)
    await office.quiet()
    await office.ran_once(spam)


async def test_a_no_before_a_yes_in_the_same_moment_ends_it(office: Office) -> None:
    spam = await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    with office.bot.process.asleep():
        await office.taps("dan", card, "❌")
        await office.taps("cy", card)
    await office.shows(card.over("denied by dan"))
    await office.never_ran(spam)


async def test_a_no_behind_a_yes_ends_it_too_while_nothing_was_sent(office: Office) -> None:
    """Everything in the room is read before the first line is sent."""
    spam = await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    with office.bot.process.asleep():
        await office.taps("cy", card)
        await office.taps("dan", card, "❌")
    await office.shows(card.over("denied by dan"))
    await office.never_ran(spam)
