"""Scenes 1 to 7 and 49 to 53: what Sluice says by itself; 14, 15, 25, 39, 56, 57: its news."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.chat import alarms, health, notices, policy_news, server_news
from sluice.difference import Change
from sluice.model.noticed import Noticed
from sluice.model.secret import Secret
from sluice.passwords import texts
from sluice.policy.keys import WELCOME
from sluice.text.message import code
from sluice.text.phrases import alarm
from tests.unit.scenes import ANA, BO, DAN, at, check, expect, here

ROLES = (
    ("owner", (("ana", ()), ("dan", ())), 0.0),
    ("mod", (("bo", ()), ("cy", ())), 0.0),
    ("helper", (("@*:example.org", ()),), 25.0),
)
READ_OUT = (
    "Owners: ana, dan. Mods: bo, cy. Helpers: accounts of example.org with power 25 or more here."
)
PROBLEMS = ((20, "unknown command “adusser”, did you mean “adduser”?"), (24, "role “mods”"))


def test_scene_1_the_first_start_reads_the_roles_out():
    message = policy_news.ready(here(), "1.0.0", "Conduit 0.10.12", ROLES, encrypted=True)
    expect(
        message,
        "🔔 Sluice 1.0.0 is ready. Conduit 0.10.12 on example.org answers. ⏎ "
        + READ_OUT
        + " ⏎ Passwords go by private encrypted messages."
        " ⏎ Commands: !help · Health: !status"
        " ⏎ Owners: fewer than 2,000 accounts and 900 rooms? Tap ✅ to allow lists.",
    )
    assert not message.text


def test_a_new_version_says_what_the_groups_of_the_policy_gained():
    message = policy_news.groups_grew(
        here(), "1.1.0", {"#inspect": ["peek", "poke"], "*": ["peek"]}
    )
    expect(
        message,
        "❗ Sluice 1.1.0 has new commands, and who may use a group may use them too."
        " ⏎ #inspect: now also peek, poke ⏎ *: now also peek"
        " ⏎ Not wanted? Name the commands one by one in the policy.",
    )
    assert message.push == (ANA, DAN)


def test_scene_1_something_is_wrong_at_the_start():
    problems = [
        health.problem(here(), kind, about, start=True)
        for kind, about in (("no_scrub", "0"), ("public", ""))
    ]
    message = policy_news.ready(
        here(),
        "1.0.0",
        "Conduit 0.10.12",
        ROLES,
        encrypted=True,
        problems=problems,
    )
    expect(
        message,
        "❗ Sluice is ready, with 2 problems."
        " ⏎ 1. My power in the admin room is 0: passwords stay readable there. Give me 50."
        " ⏎ 2. This room is public. Make it invite-only.",
    )
    assert message.push == (ANA, DAN)


def test_scene_2_safe_mode():
    expect(
        policy_news.safe_mode(here(), PROBLEMS, file=False),
        "❗ Safe mode: the policy has an error, so every command is refused."
        " ⏎ Line 20: unknown command “adusser”, did you mean “adduser”?"
        " ⏎ 1 more error: line 24. Correct the text in maubot and save; I go on by myself.",
    )
    expect(
        policy_news.refused_in_safe_mode(PROBLEMS),
        "⛔ Not run: safe mode. Policy line 20: unknown command “adusser”,"
        " did you mean “adduser”?",
    )
    expect(
        *policy_news.safe_mode_over(here(), None, ROLES),
        "🔔 The policy is valid, safe mode is over. ⏎ " + READ_OUT,
    )
    (same,) = policy_news.safe_mode_over(here(), Change("", (), 0, ("ana",)), ROLES)
    expect(
        same,
        "🔔 The policy is valid, safe mode is over. ⏎ It says what the last valid one said. ⏎ "
        + READ_OUT,
    )
    assert same.push == (ANA, DAN)
    change = Change("mods gained 1 command", (("bo: now purge",),), 1, ())
    (other,) = policy_news.safe_mode_over(here(), change, ROLES)
    check(other)
    assert other.body.startswith(
        "🔔 The policy is valid, safe mode is over.\n"
        "Compared with the last valid one: mods gained 1 command.\nbo: now purge\n"
    )
    assert other.push == (ANA, DAN)
    filed = policy_news.safe_mode(here(), PROBLEMS[:1], file=True)
    assert filed.body.endswith("Correct the file, then: !reload")


def test_scene_3_an_encrypted_room_without_crypto():
    expect(
        alarms.unreadable_room(here()),
        "❗ I cannot read this room, it is encrypted."
        " ⏎ Commands typed here do nothing. Owners: set up encryption for the bot in maubot,"
        " or use an ops room without encryption.",
    )


def test_scene_4_an_unknown_version():
    expect(
        server_news.unknown_version(here(), "Conduit 0.12.0"),
        "❗ Owners: update Sluice. It does not know Conduit 0.12.0."
        " ⏎ Until then only commands that read work: !users, !rooms, !registration, !config",
    )


def test_scene_5_a_new_policy():
    (message,) = policy_news.reloaded(
        here(),
        Change(
            "bo lost 2 commands, cy gained 1",
            (
                ("cy: now clearcache",),
                ("bo: no longer purge, disableroom",),
                ("deactivate now needs 2 mods (was 1)",),
            ),
            1,
            ("ana, dan, helpers",),
        ),
        ("#12 needs 1 more vote. #13 is cancelled: bo may no longer purge.",),
    )
    expect(
        message,
        "❗ New policy: bo lost 2 commands, cy gained 1."
        " ⏎ cy: now clearcache ⏎ bo: no longer purge, disableroom"
        " ⏎ deactivate now needs 2 mods (was 1)"
        " ⏎ #12 needs 1 more vote. #13 is cancelled: bo may no longer purge."
        " ⏎ Owners: if none of you did this, !pause now. Look: !log reload",
    )
    expect(
        *policy_news.reloaded(here(), Change("", (), 0, ())),
        "🔔 Policy read: nothing changed, it says what it said.",
    )


@pytest.mark.parametrize("width", [3, 900])
@pytest.mark.parametrize("stricter", [0, 1, 30])
@pytest.mark.parametrize("looser", range(40))
def test_what_a_new_policy_loosens_is_never_cut(looser, stricter, width):
    lines = [(f"looser {n} {'x' * width}",) for n in range(looser)]
    lines += [(f"stricter {n} {'x' * width}",) for n in range(stricter)]
    change = Change("everyone gained much", tuple(lines), looser, ("x",))
    messages = policy_news.reloaded(here(), change)
    if not lines:
        return
    rows = [row for message in messages for row in message.body.split("\n")]
    for message in messages:
        check(message)
        assert len(message.body.encode()) < 16_000
    told = [row for row in rows if row.startswith(("looser", "stricter"))]
    assert told[:looser] == [line[0] for line in lines[:looser]]
    left = stricter - (len(told) - looser)
    assert any(row.startswith(f"and {left} more line") for row in rows) is bool(left)
    assert stricter < 2 or left < stricter or len(told) > 6 or width > 3
    assert messages[0].push == (ANA, DAN)
    assert rows[-1] == "Owners: if none of you did this, !pause now. Look: !log reload"


def test_scene_6_an_invalid_policy():
    fails = "bo “adduser alice” should be allowed by signup; the answer is: not allowed, "
    expect(
        policy_news.policy_rejected(
            here(), ((34, fails + "no line allows it."), (36, "x")), tests=2
        ),
        "❗ Policy rejected, the old one stays. Line 34: a test fails."
        " ⏎ bo “adduser alice” should be allowed by signup; the answer is: not allowed, no line"
        " allows it. ⏎ 1 more test fails: line 36.",
    )
    check(policy_news.policy_rejected(here(), PROBLEMS))


def test_scene_7_a_seal():
    head = "4f9a77c2" * 8
    said = f"🔔 Log seal of the day, 1,250 entries: ⏎ 1250:{head}"
    expect(alarms.seal(1250, f"1250:{head}"), said)


def test_scene_50_conduit_does_not_answer():
    expect(
        server_news.silent(here("14:52"), at("14:50"), ((47, "clearcache db", "ana"),)),
        "❗ Conduit has not answered since 14:50 UTC: busy, or stuck."
        " ⏎ Chats work. I refuse commands until it answers, and tell you here."
        " ⏎ Owners: restart Conduit, unless something slow runs there."
        " ⏎ Running then: #47 (clearcache db, ana). Do not repeat it, it may be the cause.",
    )
    expect(
        server_news.address_gone(here()),
        "❗ Conduit's admin room lost its address. Owners: !help repair"
        " ⏎ Without #admins:example.org no command is answered. Chats work.",
    )
    expect(
        server_news.answers_again(here("15:08"), at("14:50"), at("15:08")),
        "🔔 Conduit answers again. It did not from 14:50 to 15:08 UTC."
        " ⏎ What I refused meanwhile was not kept.",
    )
    expect(
        server_news.answers_again(here("15:08"), at("14:50"), at("15:08"), waiting=1),
        "🔔 Conduit answers again. It did not from 14:50 to 15:08 UTC."
        " ⏎ 1 request was waiting and runs now: !pending"
        " ⏎ What I refused meanwhile was not kept.",
    )


def test_scene_51_the_homeserver_was_away():
    expect(
        server_news.homeserver_back(here(), at("13:40"), at("13:52")),
        "🔔 The server was offline from 13:40 to 13:52 UTC. Open requests and votes are all here.",
    )
    expect(
        server_news.history_replaced(here(), at("13:10"), at("13:40"), (12,)),
        "❗ The server was restored or replaced. Owners: look at !pending"
        " ⏎ I did not read 13:10 to 13:40 UTC: votes and edits of that time may be missing."
        " ⏎ Outcome unknown: #12.",
    )


def test_scene_53_sluice_was_away():
    expect(
        server_news.back(here(), at("13:38"), at("13:52"), 1),
        "🔔 I was offline from 13:38 to 13:52 UTC. 1 command was not run: see my reply.",
    )
    assert server_news.back(here(), at("13:51"), at("13:51") + 59, 0) is None
    check(server_news.back(here(), at("13:51", day=22), at("13:51"), 0))


def test_scene_58_an_upgraded_room():
    expect(
        alarms.upgraded(here()),
        "❗ This room was upgraded, and I stay here."
        " ⏎ Owners: if the new room is right, put its id into ops_rooms.",
    )


def test_every_problem_has_words_with_a_remedy_and_ids_in_code():
    for kind in health.PROBLEMS:
        about = "@kim:evil.example" if kind in ("remote_member", "not_owner") else "0"
        for start in (False, True):
            line = health.problem(here(), kind, about, "1", "2", "3", start=start)
            check(alarm((), line))
            assert "{" not in "".join(map(str, line))
    check(alarms.own_error(here(), "KeyError", "$event"))
    check(alarms.cannot_log(here()))
    check(alarms.log_broken(here(), 1204))


MAY = notices.Possible(one=True, several=True, close=True)
MAY_NOT = notices.Possible(one=False, several=False, close=False)


def test_scene_56_news_and_the_emergency_password():
    user = "@newcomer:example.org"
    expect(
        notices.alone(here(), "registered", user, at("15:20"), MAY),
        "🔔 New account: @newcomer"
        " ⏎ @newcomer:example.org registered itself. Registration is on until 15:20 UTC."
        " ⏎ Reply: !who or !deactivate reason …",
    )
    expect(
        notices.alone(here(), "registered", user, None, MAY_NOT),
        "🔔 New account: @newcomer"
        " ⏎ @newcomer:example.org registered itself. Registration: not known now."
        " ⏎ Reply: !who",
    )
    expect(
        notices.alone(here(), "password_changed", "@bob:example.org", None, MAY),
        "🔔 @bob changed their password ⏎ Who: @bob:example.org",
    )
    expect(
        notices.alone(here(), "self_deactivated", user, None, MAY),
        "🔔 @newcomer deactivated their own account ⏎ Who: @newcomer:example.org",
    )
    expect(
        server_news.emergency(here()),
        "❗ Owners: Conduit's emergency password is set."
        " ⏎ Whoever knows it can write as Conduit, so only !status works here."
        " ⏎ Take it out of Conduit's config file when the emergency is over.",
    )


def noticed(kind, *names, every=5.0):
    start = at("14:00")
    return [
        Noticed(f"$n{n}", kind, start + n * every, f"@{name}:example.org")
        for n, name in enumerate(names)
    ]


def test_scene_56_a_wave_says_what_can_be_done_now():
    names = [f"q{n:02}zx" for n in range(1, 9)]
    told = noticed("registered", *names)
    expect(
        notices.wave(here("14:01"), told, at("14:21"), MAY, (BO,), over=False),
        "❗ 8 new accounts in 1 minute. Spam wave?"
        " ⏎ q01zx to q08zx · I go on counting here"
        " ⏎ Registration is on until 14:21 UTC. ⏎ Close it: !registration off"
        " ⏎ All of them: reply !deactivateall reason …",
    )
    said = expect(
        notices.wave(here("14:11"), told, False, MAY, (BO,), over=True),
        "❗ 8 new accounts in 1 minute. Spam wave?"
        " ⏎ q01zx to q08zx · at 14:00 UTC"
        " ⏎ Registration is off. ⏎ All of them: reply !deactivateall reason …",
    )
    assert said.push == (BO,)
    expect(
        notices.wave(here("14:01"), told, True, MAY_NOT, (), over=False),
        "❗ 8 new accounts in 1 minute. Spam wave?"
        " ⏎ q01zx to q08zx · I go on counting here"
        " ⏎ Registration is on until somebody switches it off.",
    )


@pytest.mark.parametrize("kind", ["registered", "password_changed", "self_deactivated"])
@pytest.mark.parametrize("over", [False, True])
@given(st.lists(st.text("ab01._", min_size=1, max_size=60), min_size=3, max_size=100))
def test_every_kind_of_wave_keeps_the_rules(kind, over, names):
    message = notices.wave(here(), noticed(kind, *names), at("15:00"), MAY, (BO,), over=over)
    check(message)
    assert bool(message.push) is (kind == "registered")


def report(reporter, about, reason, *, room="!9fKq:example.org", event="$Lw3", n=0):
    at_ = at("14:00") + 60 * n
    return Noticed(f"$n{n}", "report", at_, about, "", reporter, room, event, reason)


WHERE = (
    " ⏎ The message: https://matrix.to/#/!9fKq:example.org/$Lw3?via=example.org"
    " · The room: https://matrix.to/#/!9fKq:example.org?via=example.org"
)


def test_scene_57_a_report_whose_text_is_hostile():
    hostile = "✅ #12 done\n!deactivate @ana:example.org <b>@room</b> https://evil.example"
    told = report("@newcomer:else.org", "@spam:example.org", hostile)
    message = notices.reports(here(), [told], MAY, ())
    expect(
        message,
        "🔔 @spam was reported by @newcomer:else.org"
        " ⏎ Why: “✅ #12 done !deactivate @ana:example.org <b>@room</b>"
        " https[:]//evil.example”"
        f" ⏎ Who: @spam:example.org{WHERE} ⏎ Reply: !who or !deactivate reason …",
    )
    assert message.push == ()
    assert not message.text


def test_scene_57_reports_of_one_account_stand_in_one_message():
    told = [report(f"@r{n % 3}:example.org", "@eve:example.org", "ad", n=n) for n in range(4)]
    told[1] = report("@r1:example.org", "@eve:example.org", "", room="!other", n=1)
    expect(
        notices.reports(here(), told, MAY, ()),
        "🔔 @eve: 4 reports in 3 minutes by 3 people, in 2 rooms"
        f" ⏎ The newest, by @r0: “ad” ⏎ Who: @eve:example.org{WHERE}"
        " ⏎ Reply: !who or !deactivate reason …",
    )


def test_scene_57_only_what_can_be_done_is_offered():
    """An account of another server cannot be signed out by anybody here."""
    theirs = report("@a:example.org", "@eve:else.org", "")
    for told, can in ((theirs, MAY), (report("@a:example.org", "@eve:example.org", ""), MAY_NOT)):
        assert notices.reports(here(), [told], can, ()).body.endswith("\nReply: !who")


def test_scene_57_reports_of_many_at_once_are_told_together():
    told = [report("@a:example.org", f"@u{n}:example.org", "bad", n=n) for n in range(5)]
    expect(
        notices.reports(here(), told, MAY, (BO,)),
        "🔔 5 reports of 5 accounts in 4 minutes by 1 person ⏎ About: u0 to u4"
        f" ⏎ The newest is about @u4: “bad”{WHERE}",
    )


@given(st.text(), st.text(), st.text(), st.text())
def test_scene_57_whatever_strangers_type_stays_one_quoted_line(name, reason, room, event):
    told = report(f"@{name}:b", "@c:d", reason, room=room, event=event)
    check(notices.reports(here(), [told], MAY, (BO,)))
    check(notices.reports(here(), [told, told], MAY, (BO,)))
    check(notices.developers(reason or "x"))
    check(notices.raw(reason or "x"))


def test_who_looks_after_it_stands_in_the_last_line():
    message = server_news.emergency(here())
    assert notices.looked_after(message, []) == message
    for names, said in ((["bo"], "bo is"), (["bo", "cy", "bo"], "bo and cy are")):
        shown = notices.looked_after(message, names)
        check(shown)
        assert shown.body == f"{message.body}\n👀 {said} looking"


def test_scene_39_the_window_closes():
    users = ("@newcomer:example.org", "@leo:example.org")
    expect(
        notices.registration_closed(here(), "ana", 3600, users),
        "🔔 Registration is off again, ana's hour is over."
        " ⏎ New accounts meanwhile: leo, newcomer",
    )
    many = [f"@s{n}:example.org" for n in range(40)]
    check(notices.registration_closed(here(), "@bo:example.org", 1800, many))
    expect(
        notices.registration_closed(here(), "ana", 3600, (), True),
        "🔔 Registration is off again, ana's hour is over. ⏎ No new accounts meanwhile."
        " ⏎ After a restart of Conduit it is on again (config file).",
    )
    expect(
        notices.registration_stuck(here("15:22"), at("15:20"), config=False),
        "❗ Registration may still be on. Owners: restart Conduit."
        " ⏎ It should be off since 15:20 UTC, and Conduit does not answer. I try every minute."
        " ⏎ After a restart its config file decides (off).",
    )
    expect(
        notices.registration_reset(here("15:00"), 20 * 60),
        "🔔 Conduit restarted: registration is off again, as in its config file."
        " ⏎ I do not open it by myself. 20 minutes were left: !registration on for 20m",
    )


def test_scene_14_a_password_is_handed_over():
    secret = Secret("mk4w-7hdt-qz3f-x9pe-2bnv")
    message = texts.handover("@alice:example.org", secret, new=True, welcome=WELCOME)
    expect(
        message,
        "🔑 New account @alice:example.org ⏎ Password: mk4w-7hdt-qz3f-x9pe-2bnv"
        " ⏎ Install Element X, choose server example.org, sign in as alice."
        " ⏎ Change it afterwards in Settings at https://app.element.io",
    )
    assert not message.text
    assert "mk4w" not in repr(message)
    push = texts.handed_over(here(), "bo", BO, ("@alice:example.org",), at("14:30"), 600)
    expect(
        push,
        "🔑 bo, the password of @alice is above."
        " ⏎ Tap ✅ here when you have it. It is removed in 10 minutes (14:30 UTC).",
    )
    assert push.push == (BO,)
    check(texts.handover("@a:b", secret, new=False, welcome=WELCOME))
    expect(
        texts.handed_over(here(), "bo", BO, ("@a:b", "@c:b", "@d:b"), None, 600),
        "🔑 bo, 3 passwords are above: @a:b, @c:b, @d:b"
        " ⏎ Tap ✅ here when you have all of them. They are removed 10 minutes after you joined.",
    )


def test_scene_15_the_private_message_goes_away():
    one = ("@alice:example.org",)
    expect(
        texts.removed(here(), one, texts.Gone.TAPPED, after=600),
        "🔑 Password of @alice removed: you tapped ✅."
        " ⏎ A new one: !resetpw alice in the ops room.",
    )
    expect(
        texts.removed(here(), one, texts.Gone.TIME, after=600),
        "🔑 Password of @alice removed: the 10 minutes are over."
        " ⏎ A new one: !resetpw alice in the ops room.",
    )
    check(texts.removed(here(), one * 3, texts.Gone.TIME, after=3600))
    expect(texts.wrong_room(), "⛔ Not run: commands work in the ops room only.")


def test_scene_23_and_25_no_way_to_hand_a_password_over():
    message = texts.never_joined(here(), "bo", BO, ("@alice:example.org",))
    expect(
        message,
        "⛔ bo did not join in time: no password for @alice"
        " ⏎ A new one: !resetpw alice"
        " ⏎ No invitation there? Look whether you ignore or block @sluice:example.org.",
    )
    assert message.push == (BO,)
    check(texts.never_joined(here(), "bo", BO, ("@a:b", "@c:b")))
    expect(
        texts.not_safe("@ana:matrix.org", "remote", ANA),
        "⛔ Not run: I cannot hand you a password safely, @ana:matrix.org is on another server."
        " ⏎ Send it from @ana:example.org, or set up encryption for the bot.",
    )
    for why in ("remote", "members", "blocked", "failed"):
        check(texts.not_safe("@ana:matrix.org", why))


def test_scene_54_an_answer_that_may_hold_a_password_is_shown_in_private_only():
    answer = Secret("Made @zoe:\npassword <hunter2>")
    message = texts.unread_answer(48, "adduser zoe", answer)
    check(message)
    assert message.lines[1] == (code("Made @zoe: password <hunter2>"),)
