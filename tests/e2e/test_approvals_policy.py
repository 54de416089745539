"""A policy that changes under open requests, powers in the room, break-glass, and trust."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest

from lab.homeserver import Homeserver
from lab.world import World
from tests.e2e.office import POLICY, NewDatabase, Office

HOUR = 3600
DAY = 24 * HOUR
WITHOUT_CY = POLICY.replace("mod: {members: [bo, cy]", "mod: {members: [bo]").replace(
    'members: ["@*:example.org"], min_power: 25', "members: [cy]"
)
WITH_POWER = POLICY.replace("mod: {members: [bo, cy],", "mod: {members: [bo, cy], min_power: 50,")
BO_SPLIT = POLICY.replace(
    'bo: ["@bo:example.org", "@bob:example.org"]',
    'bo: "@bo:example.org"\n    bob: "@bob:example.org"',
).replace("[bo, cy]", "[bo, cy, bob]")
TWO_MODS = POLICY.replace("approvals: [{from: mod, n: 1}]}", "approvals: [{from: mod, n: 2}]}")
NO_STAFF_RULE = POLICY.replace('do: ["#destructive", resetpw]', 'do: "#destructive"')


@pytest.fixture(scope="module")
async def shared(
    server: Homeserver, new_database: NewDatabase, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Office]:
    world = await World.create(server, "-policy")
    world.database = await new_database()
    folder = tmp_path_factory.mktemp("policy")
    for name in ("bo", "cy"):
        await world["ana"].set_power(world.ops_room, world[name].mxid, 50)
    yield await Office.open(world, folder, clock=True, command_max_age="30d")
    await world.end()


@pytest.fixture
async def office(shared: Office) -> AsyncIterator[Office]:
    """The same for all tests here, under POLICY at the start of each."""
    await shared.quiet()
    yield shared
    await shared.tidy()
    for name in ("bo", "cy"):
        await shared.world["ana"].set_power(shared.world.ops_room, shared.world[name].mxid, 50)
    await shared.new_policy(POLICY)


# --- who may vote -------------------------------------------------------------------------------


async def test_the_vote_of_a_demoted_person_never_counts_even_after_a_promotion(
    office: Office,
) -> None:
    spam = await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    told = await office.new_policy(WITHOUT_CY)
    assert told.text.startswith("❗ New policy: ")
    await office.taps("cy", card)
    said = await office.shows(f"^📋 cy, your vote does not count: #{card.number} ")
    assert said.text.endswith(f"#{card.number} needs a mod or an owner.")
    await office.new_policy(POLICY)
    await office.bot.kill()
    await office.bot.start()
    await office.never_ran(spam)
    await office.taps("cy", card, "👍")
    await office.done(card)
    await office.ran_once(spam)


async def test_a_vote_that_counted_counts_no_more_without_the_role(office: Office) -> None:
    spam = await office.account()
    card = await office.card("ana", f"!deactivateall reason wave\n{spam.mxid}")
    await office.taps("cy", card)
    await office.says_of(card, r"1 of 2 votes: cy ✅")
    await office.new_policy(WITHOUT_CY)
    await office.says_of(card, r"The vote of cy no longer counts")
    await office.taps("dan", card)
    await office.says_of(card, r"1 of 2 votes: dan ✅")
    await office.never_ran(spam)


async def test_the_vote_of_who_lost_the_power_counts_no_more(office: Office) -> None:
    spam, world = await office.account(), office.world
    await office.new_policy(WITH_POWER)
    card = await office.card("ana", f"!deactivateall reason wave\n{spam.mxid}")
    await office.taps("cy", card)
    await office.says_of(card, r"1 of 2 votes: cy ✅")
    await world["ana"].set_power(world.ops_room, world["cy"].mxid, 0)
    await office.says_of(card, r"The vote of cy no longer counts")
    await office.taps("dan", card)
    await office.says_of(card, r"1 of 2 votes: dan ✅")
    await office.never_ran(spam)
    await world["ana"].set_power(world.ops_room, world["cy"].mxid, 50)
    await office.says_of(card, card.line("✅ Done") + r"\nana asked, cy and dan approved")
    await office.ran_once(spam)


async def test_a_vote_without_the_power_is_not_made_good_by_more_power_later(
    office: Office,
) -> None:
    spam, world = await office.account(), office.world
    await office.new_policy(WITH_POWER)
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    await world["ana"].set_power(world.ops_room, world["cy"].mxid, 30)
    await office.taps("cy", card)
    await office.shows(f"^📋 .*cy.*, your vote does not count: #{card.number} ")
    await world["ana"].set_power(world.ops_room, world["cy"].mxid, 50)
    await office.never_ran(spam)


async def test_two_accounts_stay_one_person_after_a_policy_splits_them(office: Office) -> None:
    spam = await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    await office.new_policy(BO_SPLIT)
    await office.taps("bob", card)
    await office.shows(f"^📋 bob, your vote does not count: #{card.number} is your own request")
    await office.never_ran(spam)


async def test_two_accounts_are_one_person_once_a_policy_joins_them(office: Office) -> None:
    spam = await office.account()
    await office.new_policy(BO_SPLIT)
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    await office.new_policy(POLICY)
    await office.taps("bob", card)
    await office.shows(f"^📋 bo, your vote does not count: #{card.number} is your own request")
    await office.never_ran(spam)


# --- what is needed -----------------------------------------------------------------------------


async def test_a_stricter_policy_holds_for_what_is_open(office: Office) -> None:
    spam = await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    told = await office.new_policy(TWO_MODS)
    assert "\ndeactivate, disableroom, rmalias and 6 more now need 2 mods (was" in told.text
    await office.taps("cy", card)
    await office.says_of(card, r"1 of 2 votes: cy ✅")
    await office.never_ran(spam)
    await office.taps("dan", card)
    await office.says_of(card, card.line("✅ Done") + r"\nbo asked, cy and dan approved")
    await office.ran_once(spam)


async def test_a_looser_policy_does_not_release_what_is_open(office: Office) -> None:
    spam = await office.account()
    await office.new_policy(TWO_MODS)
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    await office.taps("cy", card)
    await office.says_of(card, r"1 of 2 votes: cy ✅")
    await office.new_policy(POLICY)
    await office.never_ran(spam)
    await office.taps("ana", card)
    await office.says_of(card, card.line("✅ Done") + r"\nbo asked, cy and ana approved")
    await office.ran_once(spam)


async def test_a_request_ends_when_its_asker_loses_the_right(office: Office) -> None:
    spam = await office.account()
    card = await office.card("cy", f"!deactivate {spam.mxid} reason casino")
    told = await office.new_policy(WITHOUT_CY)
    assert f"#{card.number} is cancelled" in told.text
    await office.shows(card.not_run(""))
    await office.taps("bo", card)
    await office.never_ran(spam)


async def test_a_request_ends_when_the_policy_protects_its_target(office: Office) -> None:
    spam = await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    shield = f"  - {{id: kept, do: deactivate, where: {{target: {{one_of: ['{spam.mxid}']}}}}}}\n"
    await office.new_policy(POLICY.replace("  deny:\n", "  deny:\n  " + shield))
    await office.shows(card.not_run(""))
    await office.never_ran(spam)


async def test_a_policy_with_an_error_changes_nothing_for_what_is_open(office: Office) -> None:
    spam = await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    told = await office.new_policy(WITHOUT_CY.replace("do: deactivateall", "do: deactivatell"))
    assert told.text.startswith("❗ Policy rejected, the old one stays. Line ")
    await office.taps("cy", card)
    await office.done(card)
    await office.ran_once(spam)


async def test_only_owners_reload(office: Office) -> None:
    office.bot.set_policy(office.world.policy(WITHOUT_CY))
    said = await office.asks("bo", "!reload")
    assert re.fullmatch(
        r"⛔ Not allowed \(#\d+\): reload is for owners\. ana or dan can\.", said.text
    )


# --- break-glass --------------------------------------------------------------------------------


async def test_break_glass_runs_at_once_and_the_next_waits_for_its_review(office: Office) -> None:
    one, two = await office.account(), await office.account()
    world = office.world
    await office.says("ana", f"!glass deactivate {one.mxid} reason floods the lobby")
    alarm = await office.shows("^❗ Break-glass: deactivate")
    number = re.search(r"#(\d+)", alarm.text)[1]  # type: ignore[index]
    assert alarm.text.split("\n")[1:] == [
        "ana runs it without a vote: “floods the lobby”",
        f"Was it right? dan: tap ✅ or ❌, or !deny {number} why",
    ]
    assert alarm.mentions == {world["ana"].mxid, world["dan"].mxid}
    await office.shows(rf"^✅ Deactivated @{one.localpart} · #{number}(?!.)")
    await office.ran_once(one)
    pending = await office.asks("cy", "!pending")
    assert f"Break-glass #{number} waits for dan's review." in pending.text
    again = await office.asks("ana", f"!glass deactivate {two.mxid} reason again")
    assert f"#{number} is not reviewed yet (dan can), and 1 of 1 today is used." in again.text
    for who in ("ana", "cy"):
        said = await office.asks(who, f"!approve {number}")
        assert f"{who}, your vote does not count: #{number}" in said.text
    review = await office.says("dan", f"!approve {number}")
    await office.room.wait(lambda said: said.reaction == (review, "✅"), "thanks")
    await office.room.wait(
        lambda said: said.edits == alarm.id and "dan says it was right" in said.text,
        "the review on the alarm",
    )
    used = await office.asks("dan", f"!glass deactivate {two.mxid} reason again")
    assert "1 of 1 today is used." in used.text
    await office.never_ran(two)
    office.later(DAY)
    await office.says("dan", f"!glass deactivate {two.mxid} reason next day")
    second = await office.shows("^❗ Break-glass: .*\ndan runs it")
    number = re.search(r"#(\d+)", second.text)[1]  # type: ignore[index]
    await office.shows(rf"^✅ Deactivated @{two.localpart} · #{number}(?!.)")
    await office.says("ana", f"!deny {number} could have waited")
    judged = await office.shows(
        rf"^❗ ana objects: deactivate @{two.localpart} · #{number}\n"
        "Why: “could have waited”\ndan ran it without a vote; it is done. "
    )
    assert judged.text.endswith(f"Undo: !resetpw {two.localpart}")
    await office.ran_once(two)


async def test_break_glass_gets_around_no_rule_that_denies(office: Office) -> None:
    said = await office.asks("ana", f"!glass deactivate {office.world['cy'].mxid} reason now")
    assert "mods and owners are protected, and cy is one." in said.text
    mod = await office.asks("bo", f"!glass deactivate {office.world['eve'].mxid} reason now")
    assert "break-glass is for owners" in mod.text
    assert await office.lines(office.world["cy"].localpart) == []


# --- a new password for somebody with rights ----------------------------------------------------


async def test_who_got_a_new_password_has_no_vote_for_a_day_or_until_trusted(
    office: Office,
) -> None:
    world, spam = office.world, await office.account()
    await office.new_policy(NO_STAFF_RULE)
    cy = world["cy"]
    card = await office.card("bo", f"!resetpw {cy.mxid}")
    assert "UTC: ana or dan" in card.said.text
    await office.taps("cy", card)
    own = await office.shows(f"^📋 cy, your vote does not count: #{card.number} ")
    assert "is about your account" in own.text
    await office.taps("dan", card)
    done = await office.shows(
        rf"^❗ New password for @{world['cy'].localpart} · #{card.number}(?!.)"
    )
    assert "has no role and no vote until" in done.text
    assert cy.mxid in done.mentions
    other = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    await office.heard_nothing(await office.taps("cy", other))
    await office.heard_nothing(await office.says("cy", "!pending"))
    await office.says("dan", f"!trust {cy.localpart}")
    await office.shows(
        rf"^❗ dan trusts cy \({re.escape(cy.mxid)}\) again: role and vote are back"
    )
    await office.never_ran(spam)
    await office.taps("cy", other, "👍")
    await office.done(other)
    await office.ran_once(spam)


async def test_after_a_day_the_role_is_back_by_itself(office: Office) -> None:
    world = office.world
    await office.new_policy(NO_STAFF_RULE)
    office.later(61)  # the same within a minute is asked back
    card = await office.card("bo", f"!resetpw {world['cy'].mxid}")
    await office.taps("dan", card)
    await office.shows(rf"^❗ New password for @{world['cy'].localpart} · #{card.number}(?!.)")
    await office.heard_nothing(await office.says("cy", "!pending"))
    office.later(DAY + 1)
    said = await office.asks("cy", "!pending")
    assert said.text.startswith("📋")
