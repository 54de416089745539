"""What changes an open request besides votes: edits, deletions, people who leave, twins, caps."""

from __future__ import annotations

import asyncio
import re

import pytest

from lab.chat import eventually
from lab.proxy import FaultProxy, Rule
from tests.e2e.office import Office, OpenOffice


@pytest.fixture(scope="module")
def proxy(shared_proxy: FaultProxy) -> FaultProxy:
    return shared_proxy


@pytest.fixture(scope="module")
async def shared(open_office: OpenOffice, proxy: FaultProxy) -> Office:
    return await open_office("changes", base=proxy.base)


# --- edits --------------------------------------------------------------------------------------


async def test_an_edit_before_it_ran_starts_over_without_votes(office: Office) -> None:
    one, two = await office.account(), await office.account()
    card = await office.card("ana", f"!deactivateall reason wave\n{one.mxid}")
    await office.taps("bo", card)
    await office.says_of(card, r"1 of 2 votes: bo ✅")
    edit = await office.edits("ana", card.command, f"!deactivateall reason wave\n{two.mxid}")
    new = await office.card_behind(edit, card.command)
    old = await office.says_of(card, card.line("⛔ Not run") + r"\nana changed the command")
    assert f"Now it is #{new.number}" in old.text
    assert "and an owner (dan)" in new.said.text
    await office.has_no_buttons(card)
    await office.taps("dan", card)
    await office.shows(f"^📋 dan, too late: #{card.number} is cancelled")
    await office.never_ran(one)
    await office.never_ran(two)
    await office.taps("dan", new)
    await office.taps("bo", new)
    await office.done(new)
    await office.ran_once(two)
    await office.never_ran(one)


async def test_an_edit_after_it_ran_changes_nothing_and_says_so(office: Office) -> None:
    one, two = await office.account(), await office.account()
    card = await office.card("bo", f"!deactivate {one.mxid} reason casino")
    await office.taps("cy", card)
    await office.done(card)
    edit = await office.edits("bo", card.command, f"!deactivate {two.mxid} reason casino")
    late = await office.answer(edit, card.command)
    assert late.text == (
        f"⛔ Too late: #{card.number} has run as deactivate {one.mxid}. "
        f"Your edit changes nothing.\nUndo: !resetpw {one.localpart}"
    )
    await office.never_ran(two)


async def test_an_edit_to_something_that_is_no_command_cancels(office: Office) -> None:
    spam = await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    await office.edits("bo", card.command, "never mind")
    await office.says_of(card, card.line("⛔ Not run") + r"\nbo changed the command")
    await office.taps("cy", card)
    await office.never_ran(spam)


async def test_an_edit_to_a_command_that_is_refused_cancels_and_says_why(office: Office) -> None:
    spam = await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    nobody = f"nobody{office.world.suffix}"
    edit = await office.edits("bo", card.command, f"!deactivate {nobody} reason casino")
    said = await office.answer(edit, card.command)
    assert said.text.startswith(f"⛔ Not run: there is no account @{nobody}:")
    await office.says_of(card, card.line("⛔ Not run") + r"\nbo changed the command")
    await office.never_ran(spam)


async def test_somebody_elses_edit_of_a_command_is_nothing(office: Office) -> None:
    spam, other = await office.account(), await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    for who in ("bob", "cy", "eve", "ana"):
        edit = await office.edits(who, card.command, f"!deactivate {other.mxid} reason casino")
        await office.heard_nothing(edit)
    await office.taps("cy", card)
    await office.done(card)
    await office.ran_once(spam)
    await office.never_ran(other)


async def test_chat_that_is_edited_into_a_command_never_runs(office: Office) -> None:
    spam = await office.account()
    chat = await office.says("ana", "good morning")
    await office.quiet()
    for text in (f"!deactivate {spam.mxid} reason casino", "!adduser hidden"):
        await office.heard_nothing(await office.edits("ana", chat, text))
    await office.never_ran(spam)


# --- deletions ----------------------------------------------------------------------------------


async def test_a_deleted_command_cancels(office: Office) -> None:
    spam = await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    await office.removes("bo", card.command)
    await office.says_of(card, card.line("⛔ Not run") + r"\nbo deleted the command")
    await office.has_no_buttons(card)
    await office.taps("cy", card)
    await office.shows(f"^📋 cy, too late: #{card.number} is cancelled")
    await office.never_ran(spam)


async def test_a_command_deleted_by_a_moderator_of_the_room_cancels(office: Office) -> None:
    spam = await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    await office.removes("ana", card.command)
    end = await office.shows(card.not_run(r"ana deleted the command\."))
    assert end.mentions == {office.world["bo"].mxid}
    await office.never_ran(spam)


async def test_a_deleted_card_cancels_with_a_new_message(office: Office) -> None:
    spam = await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    await office.removes("ana", card.id)
    await office.shows(card.not_run(r"the card was deleted\."))
    await office.taps("cy", card)
    await office.never_ran(spam)


async def test_a_card_that_is_deleted_before_the_bot_knows_that_it_was_sent_cancels(
    office: Office, proxy: FaultProxy
) -> None:
    """It is read back without its text, and with that without what told which card it is."""
    spam, room = await office.account(), re.escape(office.world.ops_room)
    await office.quiet()  # nothing else is on its way
    sent = proxy.add("held", method="PUT", path=f"{room}/send/", times=1)
    command = await office.says("bo", f"!deactivate {spam.mxid} reason casino")
    await eventually(lambda: _hit(sent), "the card is on its way")
    unread = proxy.add("held", path=f"{room}/messages")
    buttons = proxy.add("held", method="PUT", path=f"{room}/send/m.reaction")
    proxy.rules.remove(sent)
    card = await office.card_behind(command)
    await office.removes("ana", card.id)
    reads = proxy.add("slow", path=f"{room}/messages", seconds=0)
    proxy.rules.remove(unread)
    for _ in range(20):  # a bot that does not wait for its own sending reads on meanwhile
        await asyncio.sleep(0.05)
        if reads.hits > 2:
            break
    proxy.rules.remove(buttons)
    await office.shows(card.not_run(r"the card was deleted\."))
    await office.never_ran(spam)


async def _hit(rule: Rule) -> bool:
    return rule.hits > 0


async def test_a_card_whose_content_is_erased_from_another_room_goes_on(office: Office) -> None:
    """On Conduit a redaction in any room empties any event that it names; that is no wish of
    anybody here (docs/conduit.md, "Redactions")."""
    if office.world.server.double:
        pytest.skip("only Conduit empties events of other rooms; Synapse refuses it")
    spam, eve = await office.account(), office.world["eve"]
    own_room = await eve.create_room()
    card = await office.card("ana", f"!deactivateall reason wave\n{spam.mxid}")
    tap = await office.taps("bo", card)
    await office.says_of(card, r"1 of 2 votes: bo ✅")
    for event in (card.id, card.command, tap):
        await eve.redact(own_room, event)
        erased = await office.world["ana"].event(office.world.ops_room, event)
        assert erased["content"] == {}, "this Conduit keeps what is redacted from elsewhere"
    await office.quiet()
    shown = [said.text for said in office.room.said if said.edits == card.id]
    assert not [text for text in shown if "Cancelled" in text or "1 of 2 votes: " not in text]
    await office.bot.restart()
    await office.quiet()
    await office.taps("dan", card)
    await office.done(card)
    await office.ran_once(spam)


# --- people who go ------------------------------------------------------------------------------


async def test_a_request_ends_when_its_asker_leaves(office: Office) -> None:
    spam, world = await office.account(), office.world
    card = await office.card("cy", f"!deactivate {spam.mxid} reason casino")
    await world["cy"].leave(world.ops_room)
    await office.shows(card.not_run(r"cy left this room\.$"))
    await office.taps("dan", card)
    await office.shows(f"^📋 dan, too late: #{card.number} is cancelled")
    await office.never_ran(spam)


async def test_a_request_ends_when_its_asker_is_kicked(office: Office) -> None:
    spam, world = await office.account(), office.world
    card = await office.card("cy", f"!deactivate {spam.mxid} reason casino")
    await world["ana"].kick(world.ops_room, world["cy"].mxid)
    await office.shows(card.not_run(r"cy left this room\."))
    await office.never_ran(spam)


async def test_the_vote_of_who_left_counts_no_more(office: Office) -> None:
    spam, world = await office.account(), office.world
    card = await office.card("ana", f"!deactivateall reason wave\n{spam.mxid}")
    await office.taps("cy", card)
    await office.says_of(card, r"1 of 2 votes: cy ✅")
    await world["cy"].leave(world.ops_room)
    await office.says_of(card, r"The vote of cy no longer counts")
    await office.taps("dan", card)
    await office.says_of(card, r"1 of 2 votes: dan ✅")
    await office.never_ran(spam)
    await office.taps("bo", card)
    await office.says_of(card, card.line("✅ Done") + r"\nana asked, bo and dan approved")
    await office.ran_once(spam)


# --- members of the admin room ------------------------------------------------------------------


@pytest.mark.parametrize("invited_only", [True, False], ids=["invited", "joined"])
@pytest.mark.parametrize("line", ["resetpw {}", "deactivate {} reason casino"])
async def test_members_of_the_admin_room_are_never_targets(
    office: Office, line: str, invited_only: bool
) -> None:
    kim, world = await office.account("kim"), office.world
    await world["ana"].invite(world.server.admin_room, kim.mxid)
    if not invited_only:
        await kim.join(world.server.admin_room)
    await office.admin.wait(
        lambda said: said.raw.get("state_key") == kim.mxid, "kim in the admin room"
    )
    said = await office.asks("bo", "!" + line.format(kim.mxid))
    assert re.fullmatch(
        rf"⛔ Not allowed \(#\d+\): {re.escape(kim.mxid)} is in the admin room\. "
        r"Built in, nobody can\.",
        said.text,
    )
    await office.never_ran(kim)
    await kim.leave(world.server.admin_room)


async def test_who_joins_the_admin_room_meanwhile_is_spared(office: Office) -> None:
    kim, world = await office.account("kim"), office.world
    card = await office.card("bo", f"!deactivate {kim.mxid} reason casino")
    await world["ana"].invite(world.server.admin_room, kim.mxid)
    await kim.join(world.server.admin_room)
    await office.quiet()
    await office.taps("cy", card)
    end = await office.shows(card.not_run(""))
    assert "in the admin room" in end.text
    await office.never_ran(kim)
    await kim.leave(world.server.admin_room)


# --- twins and caps -----------------------------------------------------------------------------


async def test_who_asks_for_the_same_is_pointed_to_the_card_and_may_vote_there(
    office: Office,
) -> None:
    spam = await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    said = await office.asks("cy", f"!deactivate {spam.localpart} reason other words")
    n = card.number
    assert re.fullmatch(
        rf"📋 #{n} asks for that already \(bo, open until .*\d\d:\d\d UTC\)\. "
        rf"You can approve it: !approve {n}",
        said.text,
    )
    again = await office.asks("bo", f"!deactivate {spam.mxid} reason casino")
    assert "asks for that already" in again.text
    assert "approve" not in again.text
    await office.says("cy", f"!approve {n}")
    await office.done(card)
    await office.ran_once(spam)


async def test_three_requests_of_one_person_may_wait_for_votes(office: Office) -> None:
    spam = [await office.account() for _ in range(4)]
    cards = [await office.card("bo", f"!deactivate {s.mxid} reason x") for s in spam[:3]]
    ids = ", ".join(f"#{card.number}" for card in cards)
    for who in ("bo", "bob"):
        said = await office.asks(who, f"!deactivate {spam[3].mxid} reason x")
        assert said.text == (
            f"⛔ Not run: you have 3 open requests ({ids}), the most for one person.\n"
            f"Wait for votes, or take one back: !cancel {cards[0].number}"
        )
    listed = await office.asks("cy", "!pending")
    assert listed.text.startswith("📋 3 open requests (✋ = you can vote):")
    for card in cards:
        assert f"#{card.number} bo: deactivate " in listed.text
        await office.says("bo", f"!cancel {card.number}")
        await office.says_of(card, "Cancelled by bo")
    fourth = await office.card("bo", f"!deactivate {spam[3].mxid} reason x")
    await office.taps("bo", fourth, "❌")
    await office.says_of(fourth, "Cancelled")
    for one in spam:
        await office.never_ran(one)


# --- cancel -------------------------------------------------------------------------------------


async def test_whoever_may_deny_may_cancel_and_others_may_not(office: Office) -> None:
    spam = await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    await office.heard_nothing(await office.says("eve", f"!cancel {card.number}"))
    await office.says("dan", f"!cancel {card.number}")
    end = await office.shows(card.over("cancelled by dan"))
    assert end.mentions == {office.world["bo"].mxid}
    await office.never_ran(spam)


async def test_what_is_done_cannot_be_cancelled(office: Office) -> None:
    spam = await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    await office.taps("cy", card)
    await office.done(card)
    said = await office.asks("bo", f"!cancel {card.number}")
    assert said.text == (
        f"⛔ #{card.number} is done already; only open requests can be cancelled. "
        f"Undo: !resetpw {spam.localpart}"
    )
