"""Scenes 8, 12, 23, 42 to 49 and 58: Sluice's own commands, from what is typed to what is said."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from sluice import audit
from sluice.matrix.rooms import RoomView
from sluice.model.command import Kind
from sluice.model.request import State
from sluice.policy.document import Problem
from sluice.requests import store
from sluice.text.message import plain
from tests.unit.ops import ANA, BO, CY, DAN, EVE, HAL, POLICY, Ops, ops
from tests.unit.scenes import at

DEACTIVATE = "!deactivate @spam:example.org reason casino links in 6 rooms"


@pytest.fixture
async def room() -> AsyncIterator[Ops]:
    async with ops() as made:
        yield made


async def deactivated(room: Ops, number: int = 12) -> None:
    """bo asked, cy approved, it ran: as in scene 26."""
    await room.next_is(number)
    room.now("14:03")
    await room.types(BO, DEACTIVATE)
    room.now("14:05")
    await room.types(CY, f"!approve {number}")
    await room.runs(answer="User @spam:example.org has been deactivated")


# --- 8, 12: help


async def test_8_help_for_a_helper(room: Ops) -> None:
    (said,) = await room.types(HAL, "!help")
    assert said.startswith("📋 You can look at things (helper):\n")
    assert said.endswith("\nOne command: !help users · The rest: !more")
    (rest,) = await room.types(HAL, "!more")
    assert rest.startswith("📋 The rest of what you can do (helper):\n")
    assert await room.types(HAL, "!more") == [
        "📋 Nothing more to show. A list stays open for !more for 10 minutes."
    ]


async def test_8_help_for_a_mod(room: Ops) -> None:
    (said,) = await room.types(BO, "!help")
    first, *rest = said.split("\n")
    assert first == "📋 You can do this (mod). ✋ = another mod or an owner must approve."
    assert "✋ !deactivate spam reason casino" in rest
    assert rest[-1] == "Requests: !pending · !log · !pause"


async def test_8_help_for_an_owner(room: Ops) -> None:
    (said,) = await room.types(ANA, "!help")
    assert said.startswith(
        "📋 You can do everything (owner). ✋ = someone else must approve.\nAccounts: !adduser · "
    )
    assert "Urgent: !pause · !resume · !glass\n" in said


async def test_8_help_for_one_command_says_what_one_may(room: Ops) -> None:
    assert await room.types(BO, "!help adduser") == [
        "📋 !adduser makes accounts; the passwords come to you in private.\n"
        "Example: !adduser alice, or several: !adduser mia noa tom\n"
        "You may: yes, names of 3 to 20 of a-z 0-9 . _ -. 10 of 10 left today.\n"
        "Undo: !deactivate alice (needs approval; the name stays taken)\n"
        "Also called: create-user"
    ]
    (said,) = await room.types(HAL, "!help create-user")
    assert "You may: no, adduser is for mods and owners" in said
    (said,) = await room.types(BO, "!help deactivate")
    assert "You may: yes, with a reason. 1 mod must approve within 1 hour." in said
    (said,) = await room.types(BO, "!help resume")
    assert "You may: no, resume is for owners" in said


@pytest.mark.parametrize(
    ("line", "starts"),
    [
        ("!help look", "📋 Safe to try, these only read:"),
        ("!help seal", "📋 A seal is the fingerprint of my whole log so far."),
        ("!help repair", "📋 Without #admins:example.org Conduit answers no command."),
        ("!help nonsense", "📋 I have no help on “nonsense”."),
        ("!help registration on", "📋 !registration: lets anyone make an account, or nobody."),
    ],
)
async def test_8_help_has_topics(room: Ops, line: str, starts: str) -> None:
    (said,) = await room.types(ANA, line)
    assert said.startswith(starts)


async def test_12_nobody_without_a_role_is_answered(room: Ops) -> None:
    for line in ("!help", "!status", "!log", "!pause", "!can adduser x", "!who cy", "!more 1"):
        assert await room.types(EVE, line) == []
    assert await room.kinds() == ["policy"]


async def test_12_a_helper_who_wants_more_gets_an_id(room: Ops) -> None:
    await room.next_is(16)
    assert await room.types(HAL, "!deactivate @spam:example.org") == [
        "⛔ Not allowed (#16): deactivate is for mods and owners. bo, cy, ana or dan can."
    ]


# --- 42: can


async def test_42_can(room: Ops) -> None:
    await deactivated(room)
    assert await room.types(BO, "!can deactivate @spam:example.org") == [
        "📋 Yes, with a reason and 1 vote (cy, ana or dan). Nothing has run.\n"
        "4 of 5 left this hour, for all together."
    ]
    assert await room.types(ANA, "!can @bo adduser al") == [
        "📋 bo: no, “al” is too short. Names here have 3 to 20 of a-z 0-9 . _ -\nNothing has run."
    ]


async def test_42_can_of_others_is_for_who_may_change_something(room: Ops) -> None:
    await room.next_is(20)
    assert await room.types(HAL, "!can @bo users") == [
        "⛔ Not allowed (#20): can for others is for mods and owners. bo, cy, ana or dan can."
    ]
    (said,) = await room.types(HAL, "!can @hal users")
    assert said == "📋 @hal:example.org: yes, at once. Nothing has run."


async def test_42_can_alone_and_without_arguments(room: Ops) -> None:
    (said,) = await room.types(BO, "!can")
    assert said.startswith("📋 You can do this (mod).")
    (said,) = await room.types(ANA, "!can @bo")
    assert said.startswith("📋 bo (mod) can do this, ✋ with votes:\nusers, rooms, ")
    assert "✋ deactivate" in said
    (said,) = await room.types(BO, "!can adduser")
    assert "You may: yes, names of" in said
    (said,) = await room.types(ANA, "!can @bo adduser")
    assert said == (
        "📋 bo: yes, names of 3 to 20 of a-z 0-9 . _ -. 10 of 10 left today. Nothing has run."
    )
    (said,) = await room.types(ANA, "!can @eve users")
    assert (
        said == "📋 @eve:example.org: no, users is for helpers, mods and owners. Nothing has run."
    )
    assert await room.types(BO, "!can nonsense") == ["⛔ Not run: there is no command nonsense."]


async def test_42_can_of_break_glass_and_of_own_commands(room: Ops) -> None:
    line = "!can glass deactivate @spam:example.org reason x"
    assert await room.types(ANA, line) == [
        "📋 Yes, at once. Nothing has run.\n5 of 5 left this hour, for all together."
    ]
    (said,) = await room.types(BO, line)
    assert said == "📋 No, break-glass is for owners. Nothing has run."
    (said,) = await room.types(BO, "!can resume")
    assert said == "📋 No, resume is for owners. Nothing has run."


async def test_42_a_password_that_was_typed_is_not_repeated(room: Ops) -> None:
    (said, *_) = await room.types(BO, "!can create-user alice hunter2")
    assert said.startswith("⛔ Not run: passwords are never typed here")
    assert "hunter2" not in said


# --- 43: why


async def test_43_why_it_was_not_allowed(room: Ops) -> None:
    await room.next_is(14)
    room.now("14:12")
    (said,) = await room.types(BO, "!adduser al")
    assert said.startswith(
        "⛔ Not allowed (#14): “al” is too short. Names here have 3 to 20 of a-z 0-9 . _ -"
    )
    (said,) = await room.types(BO, "!why 14")
    lines = said.split("\n")
    assert lines[0] == "📋 #14 was not allowed: adduser al (bo, 14:12 UTC)"
    assert lines[1] == "deny: none applies"
    assert "no, “al” does not fit [a-z0-9._-]{3,20}" in lines[2]
    assert lines[2].startswith("allow signup (line ")
    assert lines[-2:] == ["So no line allows it.", "Policy of 23 Nov 09:00 UTC."]


async def test_43_why_it_was_allowed(room: Ops) -> None:
    await deactivated(room)
    (said,) = await room.types(BO, "!why #12")
    lines = said.split("\n")
    assert lines[0] == (
        "📋 #12 was allowed with 1 vote: deactivate @spam:example.org (bo, 14:03 UTC)"
    )
    assert [line.partition(" (line")[0] for line in lines[1:4]] == [
        "allow cleanup",
        "require destructive",
        "limit wipes",
    ]
    assert lines[2].endswith(": a reason, 1 mod, 1 hour")
    assert lines[3].endswith(": 0 of 5 used")
    assert lines[4] == "Voted: cy yes 14:05 UTC. Done 14:05 UTC."


async def test_43_why_of_others_is_for_who_may_change_something(room: Ops) -> None:
    await deactivated(room)
    (said,) = await room.types(HAL, "!why 12")
    assert said.startswith("⛔ Not allowed (#13): why of others' requests is for mods and owners.")
    (said,) = await room.types(HAL, "!why 13")
    assert said.startswith("📋 #13 was not allowed: why 12 (@hal:example.org, 14:05 UTC)")
    (said,) = await room.types(CY, "!why 12")
    assert said.startswith("📋 #12 was allowed with 1 vote")
    assert await room.types(CY, "!why 99") == ["📋 There is no #99; the newest is #13."]


# --- 44: pending, votes, more


async def test_44_pending(room: Ops) -> None:
    assert await room.types(CY, "!pending") == ["📋 No open requests."]
    await room.next_is(22)
    room.now("14:30")
    await room.types(BO, "!deactivate @spam:example.org reason casino")
    assert await room.types(CY, "!pending") == [
        "📋 1 open request (✋ = you can vote):\n"
        "✋ #22 bo: deactivate @spam · 1 h left\n"
        "To vote, tap its card, or: !approve 22 · !deny 22 why"
    ]


async def test_28_deny_by_command_keeps_the_words(room: Ops) -> None:
    await room.next_is(18)
    await room.types(BO, "!deactivate @max:example.org reason x")
    said = await room.types(DAN, "!deny 18 he is a regular, ask him first")
    assert said[-2:] == [
        "⛔ deactivate @max denied by dan: “he is a regular, ask him first”",
        "[❌]",
    ]


async def test_29_58_cancel(room: Ops) -> None:
    await room.next_is(26)
    await room.types(BO, "!deactivate @max:example.org reason x")
    assert await room.types(HAL, "!cancel 26") == [
        "⛔ Only who asked, or who may deny it, can cancel it: bo, cy, ana or dan."
    ]
    assert (await room.types(BO, "!cancel 26"))[-1] == "[✅]"
    assert (await room.request(26)).state is State.CANCELLED
    await deactivated(room, 30)
    assert await room.types(BO, "!cancel 30") == [
        "⛔ #30 is done already; only open requests can be cancelled. Undo: !resetpw spam"
    ]


async def test_33_more_shows_the_frozen_list_to_who_may_vote(room: Ops) -> None:
    names = [f"@s{n:02}:example.org" for n in range(1, 44)]
    for name in names:
        room.fake.register(name[1:].partition(":")[0])
    await room.next_is(31)
    await room.types(ANA, "!deactivateall reason spam\n" + "\n".join(names))
    (said,) = await room.types(CY, "!more 31")
    assert said.startswith(
        "📋 #31 deactivateall, 1 to 40 of 43:\ns01, s02, s03, s04, s05, s06,\ns07, "
    )
    assert await room.types(CY, "!more") == [
        "📋 #31 deactivateall, 41 to 43 of 43:\ns41, s42, s43\nThat was all."
    ]
    (said,) = await room.types(HAL, "!more 31")
    assert said.startswith("⛔ The list of #31 is for who asked, or who may vote: ")


# --- 45: log


async def test_45_the_log_of_a_person(room: Ops) -> None:
    room.now("13:57")
    await room.next_is(11)
    await room.types(BO, "!enableroom !room:example.org")
    room.now("13:58")
    await room.runs()
    await deactivated(room)
    room.now("14:12")
    await room.next_is(14)
    await room.types(BO, "!adduser al")
    (said,) = await room.types(ANA, "!log @bo")
    assert said == (
        "📋 Log of bo, newest first (UTC):\n"
        "14:12 bo: adduser al #14, not allowed\n"
        "14:05 bo: deactivate @spam #12, cy approved\n"
        "13:58 bo: enableroom !room #11\n"
        "One: !log 12 · File: !log export"
    )
    (said,) = await room.types(ANA, "!log cy")
    assert said.split("\n")[1] == "14:05 cy approved (typed) #12"


async def test_45_one_request(room: Ops) -> None:
    await deactivated(room)
    assert await room.types(BO, "!log 12") == [
        "📋 #12 done: deactivate @spam:example.org\n"
        "14:03 bo asked: “casino links in 6 rooms”\n"
        "14:05 cy approved (typed)\n"
        "14:05 sent, answered after 0.1 s\n"
        "Conduit: “User @spam:example.org has been deactivated”"
    ]


async def test_45_an_answer_that_may_hold_a_password_is_not_in_it(room: Ops) -> None:
    await room.types(BO, "!adduser alice")
    await room.runs(answer="Created user with user_id: @alice and password: `hunter2`")
    (said,) = await room.types(BO, "!log 1")
    assert "hunter2" not in said
    assert "Conduit:" not in said
    await deactivated(room)
    room.fake.rooms[room.admin_room].events[-1][1]["content"]["body"] = "never seen before"
    unread = "UPDATE sluice_line SET outcome = replace(outcome, '\"x\"', '\"unrecognised\"')"
    await room.db.write(lambda tx: tx.execute(unread))
    (said,) = await room.types(BO, "!log 12")
    assert "never seen" not in said


async def test_45_a_list_with_what_became_of_each(room: Ops) -> None:
    names = [f"@s{n:02}:example.org" for n in range(1, 13)]
    for name in names:
        room.fake.register(name[1:].partition(":")[0])
    await room.types(ANA, "!deactivateall reason spam\n" + "\n".join(names))
    await room.types(BO, "!approve 1")
    await room.types(DAN, "!approve 1")
    await room.runs()
    (said,) = await room.types(ANA, "!log 1")
    assert "sent in 2 of 2 lines, 0 answered" in said
    assert said.endswith("\nAll 12 names: !more")
    (more,) = await room.types(ANA, "!more")
    assert more.startswith("📋 #1, what became of each:\ndone: s01, s02, s03, s04, ")


async def test_45_reading_the_log_is_logged(room: Ops) -> None:
    await room.types(ANA, "!log")
    await room.types(ANA, "!log reload")
    await room.types(HAL, "!log")
    assert await room.kinds() == ["policy", "log read", "log read", "rejected"]
    (said,) = await room.types(BO, "!log reads")
    assert "ana: read the log reload" in said
    (said,) = await room.types(BO, "!log reload")
    assert "09:00 new policy" in said
    (said,) = await room.types(BO, "!log nonsense")
    assert said.startswith("📋 There is no log of “nonsense”.")


async def test_45_the_log_goes_on_page_by_page(room: Ops) -> None:
    for _ in range(12):
        await room.types(BO, "!adduser al")
    (said,) = await room.types(ANA, "!log")
    assert said.startswith("📋 Log, newest first (UTC):\n")
    assert said.endswith("\nNext, 7 to 13: !more · One: !log 12 · File: !log export")
    (more,) = await room.types(ANA, "!more")
    assert more.startswith("📋 Log, 7 to 13 (UTC):\n")


async def test_45_the_file_holds_the_whole_log_and_can_be_checked(room: Ops) -> None:
    await deactivated(room)
    before = await room.kinds()
    (said,) = await room.types(ANA, "!log export")
    assert said.startswith(f"📋 My log, {len(before)} entries, one a line.")
    content = await room.last()
    assert content["msgtype"] == "m.file"
    assert content["filename"] == "sluice-log-2026-11-23-1405.jsonl"
    data = room.fake.media[content["url"].removeprefix("mxc://")]
    assert content["info"]["size"] == len(data)
    assert data.decode().count("\n") == len(before)
    assert (await room.kinds())[-1] == "log read"
    assert b"hunter2" not in data


async def test_45_nothing_is_uploaded_for_who_may_not_read_it(room: Ops) -> None:
    (said,) = await room.types(HAL, "!log export")
    assert said.startswith("⛔ Not allowed (#1): log is for mods and owners.")
    assert room.fake.media == {}


# --- who, policy, version


async def test_who_tells_what_is_known_and_is_logged(room: Ops) -> None:
    await deactivated(room)
    (said,) = await room.types(HAL, "!who @spam:example.org")
    assert said == (
        "📋 @spam:example.org: active, name “@spam:example.org”, no role.\n"
        "14:05 UTC bo: deactivate @spam #12, cy approved"
    )
    (said,) = await room.types(HAL, "!who cy")
    assert said.startswith(
        "📋 @cy:example.org: active, name “@cy:example.org”, mod.\nIn this room."
    )
    (said,) = await room.types(HAL, "!who nobody")
    assert said == "📋 No account @nobody. Search: !users nob"
    (said,) = await room.types(HAL, "!who @x:evil.example")
    assert said.startswith("📋 @x:evil.example: of another server, no role.")
    assert (await room.kinds()).count("lookup") == 4
    (said,) = await room.types(ANA, "!log lookups")
    assert "@hal: looked up @cy\n" in said


async def test_who_gives_a_power_role_only_to_who_has_the_power_here(room: Ops) -> None:
    (said,) = await room.types(BO, "!who hal")
    assert "helper." in said
    (said,) = await room.types(BO, "!who eve")
    assert "no role." in said


async def test_58_version_and_policy(room: Ops) -> None:
    (said,) = await room.types(HAL, "!version")
    assert said.startswith("📋 Sluice 1.0.0, Conduit 0.10.12, policy of 23 Nov 09:00 UTC.")
    (said,) = await room.types(ANA, "!policy")
    assert said.startswith("📋 Policy of 23 Nov 09:00 UTC: 11 rules, 10 tests.\n")
    assert "Owners: ana (@ana:example.org, @ana:matrix.org), dan. Mods: bo, cy." in said
    assert room.live.in_force.fingerprint[:16] in said
    (said,) = await room.types(BO, "!policy")
    assert said == "⛔ Not allowed (#1): policy is for owners. ana or dan can."


# --- 46: status


async def test_46_all_is_good(room: Ops) -> None:
    room.now("14:40")
    entries = len(await room.kinds())
    assert await room.types(ANA, "!status") == [
        "📋 All good at 14:40 UTC.\n"
        "Conduit 0.10.12 answers (0 ms). Running: 0. Open: 0.\n"
        f"Policy of 23 Nov 09:00 UTC, log of {entries} entry unbroken.\n"
        "Admin room: 4 members, all expected; I remove passwords there.\n"
        "Registration off. Not paused."
    ]


async def test_46_the_worst_first(room: Ops) -> None:
    room.fake.join(room.admin_room, "@kim:evil.example")
    room.power(room.live.me, 0, room.admin_room)
    room.fake.put(room.room, ANA, "m.room.join_rules", {"join_rule": "public"}, "")
    await room.look()
    room.now("14:40")
    assert await room.types(HAL, "!status") == [
        "📋 3 problems, the worst first (14:40 UTC):\n"
        "1. @kim:evil.example is in the admin room: another server can read passwords there. "
        "Remove it.\n"
        "2. My power in the admin room is 0: I cannot remove passwords. Give me 50.\n"
        "3. This room is public: anyone can read along. Make it invite-only.\n"
        "Good: Conduit 0.10.12 answers (0 ms), policy valid, log unbroken."
    ]


async def test_46_a_changed_log_is_found_at_once_and_told(room: Ops) -> None:
    await deactivated(room)
    await room.types(ANA, "!status")
    changed = "UPDATE sluice_audit SET record = replace(record, 'spam', 'eve') WHERE seq = 3"
    await room.db.write(lambda tx: tx.execute(changed))
    (said,) = await room.types(ANA, "!status")
    assert said.startswith("📋 All good")  # what was good is not read again before a restart
    room.drift.log = audit.Head()
    alarm, eyes, status = await room.types(ANA, "!status")
    assert eyes == "[👀]"
    assert alarm.startswith("❗ Somebody changed my log. Owners: find out who.\nEntry 3 is not ")
    assert "1. My log is not what I wrote" in status
    assert "log unbroken" not in status


async def test_46_a_log_that_was_cut_off_is_found(room: Ops) -> None:
    await deactivated(room)
    await room.types(ANA, "!status")
    await room.db.write(lambda tx: tx.execute("DELETE FROM sluice_audit WHERE seq > 2"))
    alarm, *_ = await room.types(ANA, "!status")
    assert alarm.startswith("❗ Somebody changed my log. Owners: find out who.\nEntry ")


async def test_46_status_works_in_safe_mode_without_any_policy(room: Ops) -> None:
    room.live.problems = (Problem(20, "unknown command “adusser”"),)
    room.power(BO, 50)
    await room.look()
    (said,) = await room.types(ANA, "!status")
    assert "The policy has an error in line 20: every command is refused." in said
    room.live.settings = None
    room.conduit.open("", "", RoomView(""))
    (said,) = await room.types(BO, "!status")
    assert said.startswith("📋 1 problem (14:03 UTC):\n1. The policy has an error")
    assert await room.types(HAL, "!status") == []


async def test_drift_is_told_once_until_it_is_over(room: Ops) -> None:
    await room.drift.hourly()
    assert await room.news() == []
    room.fake.join(room.admin_room, EVE)
    room.fake.put(room.room, ANA, "m.room.join_rules", {"join_rule": "public"}, "")
    # What the room itself is told at once is not told again.
    room.fake.put(room.room, ANA, "m.room.tombstone", {"replacement_room": "!new:x"}, "")
    await room.look()
    await room.drift.hourly()
    said, eyes = await room.news()
    assert eyes == "[👀]"
    assert said == (
        "❗ 2 new problems. Owners: look.\n"
        "1. @eve:example.org is in the admin room but no owner: it can do everything there. "
        "Remove it.\n"
        "2. This room is public: anyone can read along. Make it invite-only.\n"
        "All: !status"
    )
    await room.drift.hourly()
    assert await room.news() == []
    room.fake.leave(room.admin_room, EVE)
    await room.look()
    await room.drift.hourly()
    room.fake.join(room.admin_room, EVE)
    await room.look()
    room.clock.go(3600)
    await room.drift.hourly()
    said, _ = await room.news()
    assert said.startswith("❗ @eve:example.org is in the admin room but no owner")


async def said_of(room: Ops, where: str, *, start: bool = False) -> tuple[Any, ...]:
    return await room.db.read(lambda tx: room.drift.words(tx, where, start=start))


async def test_drift_names_accounts_of_the_policy_that_do_not_exist(room: Ops) -> None:
    del room.fake.accounts[CY]
    del room.fake.aliases["#admins:example.org"]
    await room.drift.hourly()
    said, eyes = await room.news()
    assert eyes == "[👀]"
    assert said == (
        "❗ @cy:example.org is in the policy and has no account. Once it is made, an owner must "
        "trust it."
    )
    words = [
        "".join(w if isinstance(w, str) else w.plain for w in t) for t in await said_of(room, "")
    ]
    assert words[0].startswith("#admins:example.org leads nowhere")


async def test_drift_that_the_first_message_told_is_not_told_again(room: Ops) -> None:
    room.fake.put(room.room, ANA, "m.room.join_rules", {"join_rule": "public"}, "")
    await room.look()
    await room.drift.look()
    (words,) = await said_of(room, room.room, start=True)
    assert plain(words) == "This room is public. Make it invite-only."
    (elsewhere,) = await said_of(room, "!other:example.org")
    assert plain(elsewhere).startswith(f"{room.room}: This room is public: anyone can read along.")
    await room.db.write(lambda tx: room.drift.tell(tx, silent=True))
    await room.drift.hourly()
    assert await room.news() == []


# --- 47: pause and resume; trust; reload


async def test_47_pause_and_resume(room: Ops) -> None:
    room.now("14:41")
    await room.next_is(46)
    assert await room.types(BO, "!pause odd requests from cy's account") == [
        "❗ Paused by bo: nothing can be changed now\n"
        "Commands that only read still run. ana or dan can !resume\n"
        "Why: “odd requests from cy's account”"
    ]
    assert await room.types(CY, "!adduser zoe") == [
        "⛔ Not run: paused by bo since 14:41 UTC\nana or dan can !resume. Then send it again."
    ]
    assert await room.types(BO, "!resume") == [
        "⛔ Not allowed (#46): resume is for owners. ana or dan can."
    ]
    assert await room.types(ANA, "!resume") == ["🔔 Resumed by ana: changes are possible again."]
    assert await room.types(ANA, "!resume") == ["📋 Nothing is paused."]
    (said,) = await room.types(HAL, "!pause")
    assert said == "⛔ Not allowed (#47): pause is for mods and owners. bo, cy, ana or dan can."


async def test_23_trust(room: Ops) -> None:
    await room.db.write(lambda tx: store.distrust(tx, CY, at("20:00"), 1))
    assert await room.types(CY, "!help") == []
    assert await room.types(ANA, "!trust cy") == [
        "❗ ana trusts cy (@cy:example.org) again: role and vote are back."
    ]
    assert (await room.types(CY, "!help")) != []
    (said,) = await room.types(ANA, "!trust @cy:example.org")
    assert said == "📋 @cy:example.org has its role and vote; nobody took them."
    (said,) = await room.types(BO, "!trust cy")
    assert said.startswith("⛔ Not allowed (#1): trust is for owners.")


async def test_reload_is_for_owners_and_in_safe_mode_for_all_who_are_answered(room: Ops) -> None:
    room.reloads = [None]
    (said,) = await room.types(BO, "!reload")
    assert said == "⛔ Not allowed (#1): reload is for owners. ana or dan can."
    assert room.reloads == [None]
    assert await room.types(ANA, "!reload") == ["[✅]"]
    room.live.problems = (Problem(1, "x"),)
    room.reloads = ["line 1: x"]
    assert await room.types(HAL, "!reload") == []  # what is wrong is told by the reload itself
    assert room.reloads == []


# --- 48: break-glass


async def test_48_break_glass_and_its_review(room: Ops) -> None:
    await room.next_is(51)
    line = "!glass deactivate @spam:example.org reason floods the lobby, nobody awake"
    assert await room.types(ANA, line) == [
        "❗ Break-glass: deactivate @spam · #51\n"
        "ana runs it without a vote: “floods the lobby, nobody awake”\n"
        "Was it right? dan: tap ✅ or ❌, or !deny 51 why",
        "[✅]",
        "[❌]",
    ]
    await room.runs()
    (said,) = await room.types(ANA, "!glass deactivate @max:example.org reason again")
    assert said.startswith(
        "⛔ Not allowed (#52): #51 is not reviewed yet (dan can), and 1 of 1 tod"
    )
    assert await room.types(DAN, "!pending") == [
        "📋 No open requests.\nBreak-glass #51 waits for dan's review."
    ]
    assert await room.types(DAN, "!approve 51") == [
        "[taken away]",
        "[taken away]",
        "(edited) ✅ Break-glass: deactivate @spam · #51\n"
        "ana ran it without a vote; dan says it was right.",
        "[✅]",
    ]
    (said,) = await room.types(ANA, "!log 51")
    assert "dan reviewed it, in order" in said


async def test_48_break_glass_is_for_its_role_and_asks_what_is_missing(room: Ops) -> None:
    await room.next_is(51)
    (said,) = await room.types(BO, "!glass deactivate @spam:example.org reason x")
    assert said.startswith("⛔ Not allowed (#51): break-glass is for owners.")
    (said,) = await room.types(BO, "!glass adduser zoe reason x")
    assert said.startswith("⛔ Not allowed (#52): break-glass is for owners.")
    (said,) = await room.types(ANA, "!glass deactivate @spam:example.org")
    assert said == "❓ Why? Reply to this message; it stands in the log."
    said, *_ = await room.answers("floods the lobby")
    assert said.startswith("❗ Break-glass: deactivate @spam · #53\nana runs it")
    (said,) = await room.types(ANA, "!glass pause")
    assert said.startswith("⛔ Not run: pause is no command of the server.")
    (said,) = await room.types(ANA, "!glass deactivate")
    assert said.startswith("❓ Which account?")
    (said,) = await room.answers("@max:example.org reason floods too")
    assert said.startswith("⛔ Not allowed (#54): #53 is not reviewed yet")


async def test_48_a_list_is_asked_back_and_stays_break_glass(room: Ops) -> None:
    (said, *_) = await room.types(ANA, "!glass adduser mia noa reason school starts")
    assert said.startswith("❓ 2 names, the last not shown. Both of them names? Tap ✅.")
    said, *_ = await room.taps()
    assert said.startswith("❗ Break-glass: adduser 2 accounts")


# --- 49: resolve


async def unknown(room: Ops, number: int) -> None:
    await room.next_is(number)
    await room.types(BO, DEACTIVATE)
    await room.types(CY, f"!approve {number}")
    await room.runs(Kind.UNKNOWN)


async def test_49_who_could_approve_says_how_it_ended(room: Ops) -> None:
    await unknown(room, 12)
    (said,) = await room.types(BO, "!resolve 12 done")
    assert said == ("⛔ You asked for it, so somebody else must say how it ended: cy, ana or dan.")
    said = await room.types(CY, "!resolve 12 done")
    assert said[-2:] == [
        "✅ Deactivated @spam, says cy · #12\nUndo: tap ↩️ or !resetpw spam",
        "[↩️]",
    ]
    assert (await room.request(12)).state is State.DONE
    assert await room.types(CY, "!resolve 12 failed") == [
        "📋 #12 is done; there is nothing to resolve."
    ]


async def test_49_failed(room: Ops) -> None:
    await unknown(room, 12)
    said = await room.types(ANA, "!resolve 12 failed")
    assert said[-2:] == [
        "❌ !deactivate @spam failed, says ana · #12\nAgain: tap 🔁",
        "[🔁]",
    ]
    assert (await room.request(12)).state is State.FAILED
    assert await room.types(ANA, "!resolve 99 done") == ["📋 There is no #99; the newest is #12."]


# --- free text


async def test_free_text_that_is_too_long_is_cut_and_never_breaks_the_log(room: Ops) -> None:
    long = "ä" * 20_000
    for line in (f"!log {long}", f"!pause {long}", f"!can @bo {long}"):
        (said,) = await room.types(HAL, line)
        assert said[0] in "⛔📋"
    (said,) = await room.types(BO, f"!pause {long}")
    assert said.startswith("❗ Paused by bo")
    (said,) = await room.types(ANA, "!log")
    assert said.startswith("📋 Log, ")


def test_the_example_policy_is_what_the_scenes_take_for_granted() -> None:
    assert "min_power: 25" in POLICY
