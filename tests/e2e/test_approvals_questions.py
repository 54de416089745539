"""Questions: one thing is missing or must be confirmed. Scenes 10, 13, 16, 24 and 26."""

from __future__ import annotations

import re

import pytest

from tests.e2e.office import Office, OpenOffice

WHY = "❓ Why? Reply to this message; the approver sees it."


@pytest.fixture(scope="module")
async def shared(open_office: OpenOffice) -> Office:
    return await open_office("ask", clock=True, command_max_age="30d")


async def test_a_missing_reason_is_asked_for_and_given_by_a_reply(office: Office) -> None:
    spam = await office.account()
    command = await office.says("bo", f"!deactivate {spam.mxid}")
    question = await office.room.answer_to(command)
    assert question.text == WHY
    assert question.content["msgtype"] == "m.notice"
    assert question.mentions == set()
    await office.replies("bo", question.id, "casino links in 6 rooms")
    card = await office.card_behind(question.id, command)
    assert "\nWhy: “casino links in 6 rooms”\n" in card.said.text
    await office.taps("cy", card)
    await office.done(card)
    await office.ran_once(spam)


async def test_a_missing_reason_may_be_given_by_an_edit(office: Office) -> None:
    spam = await office.account()
    command = await office.says("bo", f"!deactivate {spam.mxid}")
    question = await office.room.answer_to(command)
    edit = await office.edits("bo", command, f"!deactivate {spam.mxid} reason casino links")
    card = await office.card_behind(edit, command)
    assert "\nWhy: “casino links”\n" in card.said.text
    late = await office.replies("bo", question.id, "too late, the question is gone")
    own = await office.room.answer_to(late)
    assert own.text == (
        f"❓ Not a vote: #{card.number} is your own request."
        f" To take it back: !cancel {card.number}"
    )
    again = await office.edits("bo", command, f"!deactivate {spam.mxid} reason other links")
    new = await office.card_behind(again, command)
    assert "\nWhy: “other links”\n" in new.said.text
    await office.says_of(
        card, card.line("⛔ Not run") + rf"\nbo changed the command\. Now it is #{new.number}"
    )
    await office.removes("bo", command)
    await office.says_of(new, new.line("⛔ Not run") + r"\nbo deleted the command")
    await office.never_ran(spam)


async def test_a_command_completed_by_a_reply_ends_with_the_command(office: Office) -> None:
    """People edit and delete what they began with, not the reply that completed it."""
    one, two = await office.account(), await office.account()
    cards = []
    for spam in (one, two):
        command = await office.says("bo", f"!deactivate {spam.mxid}")
        question = await office.room.answer_to(command)
        await office.replies("bo", question.id, "casino")
        cards.append(await office.card_behind(question.id, command))
    await office.removes("bo", cards[0].command)
    await office.says_of(cards[0], cards[0].line("⛔ Not run") + r"\nbo deleted the command")
    await office.edits("bo", cards[1].command, "never mind")
    await office.says_of(cards[1], cards[1].line("⛔ Not run") + r"\nbo changed the command")
    await office.never_ran(one)
    await office.never_ran(two)


async def test_nobody_else_answers_a_question_and_a_loose_line_is_asked(office: Office) -> None:
    spam = await office.account()
    command = await office.says("bo", f"!deactivate {spam.mxid}")
    question = await office.room.answer_to(command)
    for who in ("cy", "ana", "eve", "bob"):
        await office.heard_nothing(await office.replies(who, question.id, "because"))
    await office.says("bo", "casino links in 6 rooms")
    await office.shows("^❓ Reason “casino links in 6 rooms”")
    await office.replies("bo", question.id, "casino")
    card = await office.card_behind(question.id, command)
    assert "\nWhy: “casino”\n" in card.said.text


async def test_a_question_that_nobody_answers_ends_after_five_minutes(office: Office) -> None:
    spam = await office.account()
    command = await office.says("bo", f"!deactivate {spam.mxid}")
    question = await office.room.answer_to(command)
    office.later(301)
    await office.room.wait(
        lambda said: (
            said.edits == question.id
            and said.text == "⛔ Not run: nobody answered for 5 minutes. Send the command again."
        ),
        "the end of the question",
    )
    await office.heard_nothing(await office.replies("bo", question.id, "casino"))
    await office.never_ran(spam)


async def test_questions_end_with_a_restart(office: Office) -> None:
    spam = await office.account()
    command = await office.says("bo", f"!deactivate {spam.mxid}")
    question = await office.room.answer_to(command)
    await office.bot.restart()
    await office.quiet()
    await office.heard_nothing(await office.replies("bo", question.id, "casino"))
    await office.never_ran(spam)
    edit = await office.edits("bo", command, f"!deactivate {spam.mxid} reason casino")
    await office.card_behind(edit, command)


async def test_a_deleted_command_takes_its_question_away(office: Office) -> None:
    spam = await office.account()
    command = await office.says("bo", f"!deactivate {spam.mxid}")
    question = await office.room.answer_to(command)
    await office.removes("bo", command)
    await office.heard_nothing(await office.replies("bo", question.id, "casino"))
    await office.never_ran(spam)


async def test_a_missing_name_is_asked_for_too(office: Office) -> None:
    spam = await office.account()
    command = await office.says("bo", "!deactivate")
    question = await office.room.answer_to(command)
    assert question.text == "❓ Which account? Reply to this message with it."
    await office.replies("bo", question.id, spam.mxid)
    why = await office.room.wait(
        lambda said: said.text == WHY, "the question for the reason", after=question.id
    )
    await office.replies("bo", why.id, "casino")
    card = await office.card_behind(why.id, command)
    assert f"deactivate @{spam.localpart} · " in card.said.text
    await office.removes("bo", command)
    await office.says_of(card, card.line("⛔ Not run") + r"\nbo deleted the command")


async def test_what_is_not_allowed_is_said_before_anything_is_asked(office: Office) -> None:
    said = await office.asks("ana", f"!deactivate {office.world['cy'].mxid}")
    assert re.match(
        r"⛔ Not allowed \(#\d+\): mods and owners are protected, and cy is one\.", said.text
    )


async def test_a_typo_in_a_command_is_corrected_by_a_tap_of_the_asker(office: Office) -> None:
    name = f"typo{office.world.suffix}"
    said = await office.asks("bo", f"!adduserr {name}")
    assert said.text == f"❓ No command “adduserr”. Tap 1️⃣ for !adduser {name}"
    await office.room.wait(lambda other: other.reaction == (said.id, "1️⃣"), "the button")
    await office.heard_nothing(await office.taps("cy", said, "1️⃣"))
    assert await office.lines("create-user", name) == []
    await office.taps("bo", said, "1️⃣")
    await office.shows(f"^✅ New account @{name}\n")
    assert len(await office.lines("create-user", name)) == 1


async def test_a_typo_in_a_command_that_only_reads_runs_at_once(office: Office) -> None:
    said = await office.asks("bo", "!registraton")
    assert said.text == "📋 Registration is on until somebody switches it off."


async def test_a_typo_in_a_destructive_command_is_corrected_by_an_edit(office: Office) -> None:
    spam = await office.account()
    command = await office.says("bo", f"!deactivte {spam.mxid}")
    said = await office.room.answer_to(command)
    assert said.text == (
        "❓ No command “deactivte”. Did you mean deactivate? Correct your message by editing it."
    )
    edit = await office.edits("bo", command, f"!deactivate {spam.mxid} reason casino")
    card = await office.card_behind(edit, command)
    await office.taps("cy", card)
    await office.done(card)
    await office.ran_once(spam)


async def test_a_deactivated_account_is_opened_again_only_after_a_tap(office: Office) -> None:
    carol = await office.account("carol")
    card = await office.card("bo", f"!deactivate {carol.mxid} reason test")
    await office.taps("cy", card)
    await office.done(card)
    question = await office.asks("bo", f"!resetpw {carol.localpart}")
    assert question.text.startswith(f"❓ {carol.mxid} is deactivated. Open it again?\n")
    await office.heard_nothing(await office.taps("cy", question))
    assert not await office.is_open(carol)
    await office.taps("bo", question)
    done = await office.shows(f"^✅ @{carol.localpart} is active again")
    assert done.text.endswith(f"Undo: !deactivate {carol.localpart} (needs approval)")
    assert await office.lines("reset-password", carol.localpart)
