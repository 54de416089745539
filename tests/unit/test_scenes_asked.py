"""Scenes 2, 4, 10, 11, 13, 16, 17, 19, 20, 24, 26, 37, 41 to 46, 50, 53, 58: answers to what was
typed before anything ran, and what Sluice tells of itself."""

from __future__ import annotations

import pytest
from attrs import evolve

from sluice.chat import answers, health, questions, refusals
from sluice.matrix.withheld import KeptBack
from sluice.model.command import Invocation, Typed
from sluice.model.decision import Decision, Matched, Quota, Slot, Verdict
from sluice.model.request import Request, Side, State, Via, Vote
from sluice.text.message import code, quote
from sluice.text.pages import following, more
from sluice.typed.parse import NotRun, parse
from tests.unit.scenes import BO, CY, at, check, expect, here


def not_run(line):
    """What the catalog says to a typed line, as a message."""
    word, *words = line.split(" ")
    with pytest.raises(NotRun) as caught:
        parse(Typed(word, " ".join(words), tuple(words)), server="example.org")
    return refusals.refused(caught.value)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "adduser älice",
            "⛔ Not run: “älice” cannot be a user name. Allowed: a-z 0-9 . _ = / + -",
        ),
        (
            "adduser @max:other.example",
            "⛔ Not run: I can make accounts of example.org only, not of other.example.",
        ),
        (
            "create-user alice hunter2",
            "⛔ Not run: passwords are never typed here, Conduit makes them."
            " ⏎ Delete your message, then: !adduser alice",
        ),
        (
            "deactivate @troll:evil.example",
            "⛔ Not run: @troll:evil.example is an account of another server; only evil.example"
            " can do that. ⏎ Ban it in your rooms. Its server's files here: !media evil.example",
        ),
        ("adduser -h", "⛔ Not run: “-h” starts with a dash; names do not."),
        ("adduser " + "a" * 612, "⛔ Not run: that is 612 bytes long, 512 is the most."),
        (
            "adduser ali\u200bce",
            "⛔ Not run: “ali·ce” holds an invisible character (·). Type it by hand.",
        ),
    ],
)
def test_scene_17_20_27_58_what_the_line_itself_says_no_to(line, said):
    expect(not_run(line), said)


def test_scene_20_the_bot_removes_a_typed_password():
    with pytest.raises(NotRun) as caught:
        parse(Typed("create-user", "alice hunter2", ("alice", "hunter2")), server="example.org")
    message = refusals.refused(caught.value, removed=True)
    expect(
        message,
        "⛔ Not run: passwords are never typed here, Conduit makes them."
        " ⏎ I removed your message. Then: !adduser alice",
    )
    assert "hunter2" not in message.body


def test_scene_17_19_24_27_37_58_accounts_rooms_and_files_that_are_not_so():
    expect(
        refusals.exists(here(), "@alice:example.org"),
        "⛔ Not run: @alice:example.org exists already. ⏎ A deactivated account keeps its name."
        " Look: !users alice · New password: !resetpw alice",
    )
    expect(
        refusals.no_account(here(), "@nobody:example.org"),
        "⛔ Not run: there is no account @nobody:example.org. Search: !users nob",
    )
    expect(
        refusals.reserved("_*"),
        "⛔ Not run: names that begin with _ belong to bridges. Choose another name.",
    )
    check(refusals.reserved("*bot*"))
    expect(
        refusals.of_bridge("@_irc_bob:example.org"),
        "⛔ Not run: @_irc_bob:example.org belongs to a bridge.",
    )
    check(refusals.of_bridge("@irc_bob:example.org", new=True))
    expect(
        refusals.refused(refusals.two_people("Alice", ("@alice:example.org", "@al:example.org"))),
        "⛔ Not run: 2 people here are called “Alice”."
        " ⏎ Edit your message: @alice:example.org or @al:example.org",
    )
    check(refusals.not_there(here(), "mxc://example.org/Qk3v"))


def test_scene_4_41_50_53_58_the_state_of_things_says_no():
    expect(
        refusals.unknown_version(here(), "Conduit 0.12.0", "users alice"),
        "⛔ Not run: I do not know Conduit 0.12.0 well enough to change things with it."
        " ⏎ Reading works: !users alice. Owners can update Sluice.",
    )
    expect(
        refusals.silent(here("14:55"), at("14:50")),
        "⛔ Not run: Conduit has not answered since 14:50 UTC."
        " ⏎ I'll tell you here when it is back.",
    )
    late = refusals.too_old(
        here(), refusals.Missed((code("!adduser"),), "bo", BO, at("13:41"), again=True)
    )
    expect(
        late,
        "⛔ Not run: !adduser of 13:41 UTC, I was offline."
        " ⏎ bo, still wanted? Tap 🔁 or send it again.",
    )
    assert late.push == (BO,)
    expect(
        refusals.cannot_log(),
        "⛔ Not run: I cannot write my log (disk full), and without it I send nothing."
        " Owners, make space.",
    )
    for message in (
        refusals.starting(),
        refusals.outside(here()),
        refusals.no_address(here()),
        refusals.emergency(here()),
        refusals.public_room(),
        refusals.not_encrypted(),
        refusals.unreadable(),
        *(refusals.unreadable(why) for why in KeptBack),
        refusals.attacker_sized(),
        refusals.not_in_version("purge-media", "0.9.0"),
        refusals.impossible("that line is too long for Conduit"),
        *(refusals.owner_must_ask(here(), "rooms", ("ana", "dan"), seen=s) for s in (True, False)),
        refusals.list_too_large(here(), "rooms", 58000, None),
    ):
        check(message)


def test_scene_41_lists_that_could_stop_conduit():
    expect(
        refusals.list_too_large(here(), "rooms", 58000, (at("20:14", day=22), 1004)),
        "⛔ Not run: the list of rooms would be about 58 kB, and above 65 kB Conduit stops"
        " answering. ⏎ The list of 22 Nov 20:14 UTC (1,004 rooms) is here: !more",
    )
    expect(
        questions.size_of_server(2000, 900),
        "❓ Fewer than 2,000 accounts and 900 rooms here? Then tap ✅."
        " ⏎ A longer list would stop Conduit's admin commands until it is restarted.",
    )
    expect(
        questions.attacker_sized("media"),
        "❓ Look at files? Tap ✅ (I ask once a day). ⏎ If somebody gave a file a huge name,"
        " this stops Conduit's admin commands until it is restarted.",
    )
    check(questions.attacker_sized("event"))
    check(questions.list_may_be_large(here(), "rooms", 40000, at("14:00", day=20)))


def test_scene_10_did_you_mean_a_command():
    expect(
        questions.near_command(here(), "aduser", ["adduser alice"], tap=True),
        "❓ No command “aduser”. Tap 1️⃣ for !adduser alice",
    )
    lines = ["deactivate @spam:example.org"]
    expect(
        questions.near_command(here(), "deactivte", lines, tap=False),
        "❓ No command “deactivte”. Did you mean deactivate? Correct your message by editing it.",
    )
    check(questions.near_command(here(), "rom", ["rooms x", "more"], tap=True))
    several = questions.near_command(here(), "purgeuse", ["purgeuser", "purge"], tap=False)
    assert "Did you mean purgeuser or purge? Correct" in several.body


def test_scene_11_did_you_mean_an_account():
    expect(
        questions.near_account(
            here(), "evve", ("@eve:example.org", "@evelyn:example.org"), tap=True
        ),
        "❓ No account “evve”. Tap 1️⃣ for @eve:example.org or 2️⃣ for @evelyn:example.org",
    )
    expect(
        questions.near_account(
            here(), "alcie", ("@alice:example.org", "@alicia:example.org"), tap=False
        ),
        "❓ No account “alcie”. Did you mean @alice or @alicia? Edit your message.",
    )


def test_scene_13_24_26_one_thing_is_missing():
    expect(
        questions.nothing_came(),
        "⛔ Not run: nobody answered for 5 minutes. Send the command again.",
    )
    expect(
        questions.open_again("@carol:example.org"),
        "❓ @carol:example.org is deactivated. Open it again?"
        " ⏎ A new password makes it usable again, with its old rooms."
        " Tap ✅; otherwise nothing runs.",
    )
    expect(
        questions.why(votes=True),
        "❓ Why? Reply to this message; the approver sees it.",
    )
    check(questions.why(votes=False))


WIPES = Quota(Matched("limit", "wipes", 28), "everyone", 5, 3600, 1, 1)


def test_scene_42_can():
    yes = Decision(
        Verdict.APPROVE,
        (),
        slots=(Slot("mod", 1),),
        reason=True,
        can=("cy", "ana", "dan"),
        limits=(WIPES,),
    )
    expect(
        answers.can(yes),
        "📋 Yes, with a reason and 1 vote (cy, ana or dan). Nothing has run."
        " ⏎ 4 of 5 left this hour, for all together.",
    )
    names = ("“al” is too short. Names here have 3 to 20 of ", code("a-z 0-9 . _ -"))
    no = Decision(Verdict.DENY, (), because=names)
    expect(
        answers.can(no, "bo"),
        "📋 bo: no, “al” is too short. Names here have 3 to 20 of a-z 0-9 . _ -\nNothing has run.",
    )
    expect(answers.can(Decision(Verdict.ALLOW, ())), "📋 Yes, at once. Nothing has run.")
    check(answers.can(evolve(no, fixed=True), "@bo:example.org"))
    check(answers.can(evolve(yes, reason=False, limits=(evolve(WIPES, every=43200),))))


def request(number, text, state, created, ended=None, **more):
    word, _, value = text.partition(" ")
    invocation = Invocation(word, (("user", value),))
    given = {
        "id": number,
        "event_id": "$e",
        "command": "$e",
        "room": "!ops:example.org",
        "mxid": BO,
        "person": "bo",
        "people": "",
        "invocation": invocation,
        "text": text,
        "state": state,
        "created": created,
        "ended": ended,
    }
    return Request(**(given | more))


DEACTIVATE = "deactivate @spam:example.org"
TWELVE = request(12, DEACTIVATE, State.DONE, at("14:03"), at("14:05"), slots=(Slot("mod", 1),))
FOURTEEN = request(14, "adduser al", State.REJECTED, at("14:12"), at("14:12"))
CY_YES = Vote(12, "$v", "!ops", CY, "cy", Side.APPROVE, Via.REACTION, at("14:05"))


def test_scene_43_why():
    expect(
        answers.why(
            here(),
            FOURTEEN,
            (
                ("deny: none applies",),
                (
                    "allow signup (line 20): no, ",
                    quote("al"),
                    " does not fit ",
                    code("[a-z0-9._-]{3,20}"),
                ),
                ("allow line 22: no, bo is not an owner",),
                ("So no line allows it.",),
            ),
            at("09:00"),
        ),
        "📋 #14 was not allowed: adduser al (bo, 14:12 UTC) ⏎ deny: none applies"
        " ⏎ allow signup (line 20): no, “al” does not fit [a-z0-9._-]{3,20}"
        " ⏎ allow line 22: no, bo is not an owner"
        " ⏎ So no line allows it. ⏎ Policy of 23 Nov 09:00 UTC.",
    )
    expect(
        answers.why(
            here(),
            TWELVE,
            (
                ("allow cleanup (line 21): yes",),
                ("require destructive (line 24): a reason, 1 mod, 1 hour",),
                ("limit wipes (line 28): 1 of 5 used",),
            ),
            at("09:00"),
            (CY_YES,),
        ),
        "📋 #12 was allowed with 1 vote: deactivate @spam:example.org (bo, 14:03 UTC)"
        " ⏎ allow cleanup (line 21): yes"
        " ⏎ require destructive (line 24): a reason, 1 mod, 1 hour"
        " ⏎ limit wipes (line 28): 1 of 5 used"
        " ⏎ Voted: cy yes 14:05 UTC. Done 14:05 UTC.",
    )
    running = request(15, "adduser alice", State.PENDING, at("14:12"))
    check(answers.why(here(), running, (("allow x: yes",),), at("9:00")))


def test_scene_45_the_log_of_a_person():
    rows = [
        answers.request_row(here(), FOURTEEN),
        answers.request_row(here(), evolve(TWELVE, approved=("cy",))),
        answers.request_row(
            here(), request(11, "adduser alice", State.DONE, at("13:57"), at("13:58"))
        ),
    ]
    reload = answers.record_row(here(), at("10:00", day=22), "reload", "ana", {"reason": "x\ny"})
    pages = answers.log_pages(here(), "bo", [*rows, *[reload] * 34])
    expect(
        answers.log(here(), pages, 18),
        "📋 Log of bo, newest first (UTC): ⏎ 14:12 bo: adduser al #14, not allowed"
        " ⏎ 14:05 bo: deactivate @spam #12, cy approved ⏎ 13:58 bo: adduser alice #11"
        + " ⏎ 22 Nov 10:00 ana: reload: “x y”"
        * 4
        + " ⏎ 18 lookups hidden: !log all"
        " ⏎ Next, 8 to 15: !more · One: !log 12 · File: !log export",
    )
    page, _ = more(here(), following(pages))
    check(page)
    assert page.body.startswith("📋 Log of bo, 8 to 15 (UTC):\n22 Nov 10:00 ana: reload: “x y”")
    check(answers.log(here(), answers.log_pages(here(), None, ()), 100))
    check(answers.log(here(), answers.log_pages(here(), None, rows[:2]), 0))


def test_scene_45_one_request():
    steps = (
        answers.Row(at("14:03"), answers.step_asked("bo", "casino links in 6 rooms")),
        answers.Row(at("14:05"), answers.step_voted(CY_YES)),
        answers.Row(at("14:05"), answers.step_sent(0.1)),
    )
    expect(
        answers.log_one(here(), TWELVE, steps, "User @spam:example.org has been deactivated"),
        "📋 #12 done: deactivate @spam:example.org ⏎ 14:03 bo asked: “casino links in 6 rooms”"
        " ⏎ 14:05 cy approved (tap) ⏎ 14:05 sent, answered after 0.1 s"
        " ⏎ Conduit: “User @spam:example.org has been deactivated”",
    )
    late = evolve(CY_YES, side=Side.DENY, withdrawn=True, reason="no\nway")
    for words in (answers.step_voted(late), answers.step_sent(None), answers.step_sent(61)):
        check(answers.log_one(here(), TWELVE, (answers.Row(at("14:05"), words),), None))


GOOD = answers.Overview(
    conduit="Conduit 0.10.12",
    answers=0.008,
    running=0,
    open=2,
    policy_at=at("09:00"),
    entries=1204,
    unbroken=True,
    admins=3,
    scrubs=True,
    registration=False,
)


def test_scene_46_status():
    expect(
        answers.status(here("14:40"), GOOD),
        "📋 All good at 14:40 UTC."
        " ⏎ Conduit 0.10.12 answers (8 ms). Running: 0. Open: 2."
        " ⏎ Policy of 23 Nov 09:00 UTC, log of 1,204 entries unbroken."
        " ⏎ Admin room: 3 members, all expected; I remove passwords there."
        " ⏎ Registration off. Not paused.",
    )
    kinds = (
        ("remote_member", "@kim:evil.example"),
        ("no_scrub", "0"),
        ("public", ""),
        ("autojoin", ""),
    )
    problems = tuple(health.problem(here(), kind, about) for kind, about in kinds)
    expect(
        answers.status(here("14:40"), evolve(GOOD, problems=problems)),
        "📋 4 problems, the worst first (14:40 UTC):"
        " ⏎ 1. @kim:evil.example is in the admin room: another server can read passwords there."
        " Remove it."
        " ⏎ 2. My power in the admin room is 0: I cannot remove passwords. Give me 50."
        " ⏎ 3. This room is public: anyone can read along. Make it invite-only."
        " ⏎ 4. maubot's autojoin is on: anyone can pull me into a room. Switch it off."
        " ⏎ Good: Conduit 0.10.12 answers (8 ms), policy valid, log unbroken.",
    )
    paused = evolve(GOOD, paused_by="bo", paused_at=at("14:30"), registration=at("15:20"))
    assert "Registration on until 15:20 UTC. Paused by bo since 14:30 UTC." in (
        answers.status(here(), paused).body
    )
    bad = evolve(GOOD, answers=None, policy_at=None, unbroken=False, problems=problems[:1])
    check(answers.status(here(), bad))


def test_scene_58_version():
    expect(
        answers.version(here(), "1.0.0", "Conduit 0.10.12", at("09:00"), "https://example.org/s"),
        "📋 Sluice 1.0.0, Conduit 0.10.12, policy of 23 Nov 09:00 UTC."
        " ⏎ Source and licence: https://example.org/s",
    )
    check(answers.policy_live(here(), at("09:00"), ("Owners: ana.",), 12, 10, "ab" * 32))
