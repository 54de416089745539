"""How commands end: scenes 14 to 25, 26, 33, 37 to 40, 48, 49, 54, 55, and every command's end."""

from __future__ import annotations

import pytest
from attrs import evolve

from sluice.catalog.record import Action
from sluice.catalog.table import COMMANDS
from sluice.chat.results import WHY_UNKNOWN, contradicted, result
from sluice.model.command import Invocation, Kind, Outcome, Tag
from sluice.model.result import Delivery, Ending, Handed, How, Part
from tests.unit.scenes import ANA, BO, CY, DAN, at, check, expect, here

ALICE, SPAM, ROOM = "@alice:example.org", "@spam:example.org", "!9fKq:example.org"
MXC = "mxc://example.org/Qk3v"
VOTED = {"voted": True, "approved": ("cy",)}


def of(server_name):
    return f"@{server_name}:example.org"


def ended(line, code="", kind=Kind.DONE, *, now="14:20", parts=None, noted=(), **more):
    """What bo (or `person`) reads at the end of this command line."""
    word, *values = line.split()
    invocation = INVOCATIONS.get(word, Invocation(word, (("user", values[0]),) if values else ()))
    invocation = more.pop("invocation", evolve(invocation, noted=noted))
    fields = tuple(more.pop("fields", {}).items())
    ending = {"request": 12, "person": "bo", "mxid": BO, "line": line} | more
    if parts is None:
        parts = (Part(invocation.values("user"), Outcome(kind, code, fields)),)
    return result(here(now), Ending(**ending), invocation, parts)


INVOCATIONS = {
    "adduser": Invocation("adduser", (("user", (ALICE,)),)),
    "resetpw": Invocation("resetpw", (("user", ALICE),)),
    "deactivate": Invocation("deactivate", (("user", SPAM),)),
    "deactivateall": Invocation(
        "deactivateall", (("user", tuple(of(f"s{n:02}") for n in range(1, 41))),)
    ),
    "disableroom": Invocation("disableroom", (("room", ROOM),)),
    "enableroom": Invocation("enableroom", (("room", ROOM),)),
    "rmalias": Invocation("rmalias", (("alias", "#old:example.org"),)),
    "rmappservice": Invocation("rmappservice", (("appservice", "bridge9"),)),
    "purge": Invocation("purge", (("mxc", (MXC,)),)),
    "block": Invocation("block", (("mxc", (MXC,)),)),
    "unblock": Invocation("unblock", (("mxc", (MXC,)),)),
    "purgeuser": Invocation("purgeuser", (("user", (SPAM,)), ("last", 7 * 86400))),
    "blockuser": Invocation("blockuser", (("user", (SPAM,)),)),
    "purgeserver": Invocation("purgeserver", (("server", "evil.example"),)),
    "clearcache": Invocation("clearcache", (("cache", "db"),)),
    "registration.set": Invocation("registration.set", (("state", "on"), ("for", 3600))),
}


def several(*names):
    return Invocation("adduser", (("user", tuple(of(name) for name in names)),))


def test_scene_14_one_account():
    message = ended("adduser alice", "created", undo_needs_votes=True)
    expect(
        message,
        "✅ New account @alice"
        " ⏎ @alice:example.org. The password is in your private messages."
        " ⏎ Undo: tap ↩️ or !deactivate alice (needs approval)",
    )
    assert not message.text
    assert message.push == ()


def test_scene_14_the_password_that_everybody_saw():
    message = ended("adduser alice", "created", delivery=Delivery(seen_by=(ANA, DAN)))
    expect(
        message,
        "✅ New account @alice"
        " ⏎ @alice:example.org. The password is in your private messages."
        " ⏎ It is the one Conduit showed in the admin room: @ana:example.org and"
        " @dan:example.org could see it. Change it soon."
        " ⏎ Undo: tap ↩️ or !deactivate alice (the name stays taken)",
    )


def test_scene_14_no_private_room_yet():
    delivery = Delivery(Handed.INVITED, until=at("15:05"), room="!p:example.org")
    expect(
        ended("adduser alice", "created", delivery=delivery),
        "✅ New account @alice"
        " ⏎ @alice:example.org. bo, the password waits in our private room."
        " ⏎ Join by 15:05 UTC to get it: https://matrix.to/#/!p:example.org?via=example.org"
        " ⏎ Undo: tap ↩️ or !deactivate alice (the name stays taken)",
    )


def made(*names, kind=Kind.DONE, code="created"):
    return [Part((of(name),), Outcome(kind, code)) for name in names]


def test_scene_16_several_accounts():
    expect(
        ended(
            "adduser mia noa tom",
            parts=made("mia", "noa", "tom"),
            invocation=several("mia", "noa", "tom"),
            undo_needs_votes=True,
        ),
        "✅ 3 accounts made"
        " ⏎ mia, noa, tom"
        " ⏎ The passwords are in your private messages."
        " ⏎ Undo one: !deactivate mia (needs approval)",
    )
    names = [f"pupil{n}" for n in range(20)]
    many = ended("adduser …", parts=made(*names), invocation=several(*names))
    check(many)
    assert many.body.startswith("✅ 20 accounts made\npupil0, pupil1,")


def test_scene_18_a_capital():
    expect(
        ended(
            "adduser alice",
            "created",
            noted=((ALICE, "Alice"),),
            undo_needs_votes=True,
        ),
        "✅ New account @alice"
        " ⏎ @alice:example.org. The password is in your private messages."
        " ⏎ Small letters: you typed Alice."
        " ⏎ Undo: tap ↩️ or !deactivate alice (needs approval)",
    )


def test_scene_21_one_of_a_list_was_taken_meanwhile():
    parts = [*made("mia", "noa"), *made("alice", kind=Kind.REFUSED, code="exists"), *made("lea")]
    expect(
        ended(
            "adduser mia noa alice lea",
            parts=parts,
            invocation=several("mia", "noa", "alice", "lea"),
            quota=(4, 10, 86400),
            undo_needs_votes=True,
        ),
        "❌ 3 of 4 accounts made"
        " ⏎ Not: @alice:example.org, somebody else made it meanwhile"
        " ⏎ Done: mia, noa, lea"
        " ⏎ The passwords are in your private messages."
        " ⏎ 4 of your 10 for today are used."
        " ⏎ Undo one: !deactivate mia (needs approval)",
    )


def test_scene_23_a_new_password():
    expect(
        ended("resetpw alice", "reset"),
        "✅ New password for @alice"
        " ⏎ @alice:example.org. It is in your private messages."
        " ⏎ The old one no longer works. Devices that are signed in stay signed in."
        " ⏎ Cannot be undone.",
    )
    out = Invocation("resetpw", (("user", ALICE), ("sign-out", True)))
    expect(
        ended("resetpw alice --sign-out", "reset", invocation=out),
        "✅ New password for @alice"
        " ⏎ It is in your private messages."
        " ⏎ All its devices are signed out. Cannot be undone.",
    )


def test_scene_23_a_moderator_s_own_password():
    message = ended(
        "resetpw @cy:example.org",
        "reset",
        invocation=Invocation("resetpw", (("user", CY),)),
        request=34,
        voted=True,
        approved=("dan",),
        holder="cy",
        distrusted=at("14:20", day=24),
        trusts=("ana", "dan"),
    )
    expect(
        message,
        "❗ New password for @cy · #34"
        " ⏎ cy (@cy:example.org) has no role and no vote until 24 Nov 14:20 UTC. Sooner: ana"
        " or dan, !trust cy",
    )
    assert message.push == (BO, CY, ANA, DAN)


def test_scene_24_a_deactivated_account_is_open_again():
    expect(
        ended(
            "resetpw carol",
            "reset",
            invocation=Invocation("resetpw", (("user", of("carol")),)),
            reopened=True,
            undo_needs_votes=True,
        ),
        "✅ @carol is active again"
        " ⏎ The new password is in your private messages."
        " ⏎ Undo: !deactivate carol (needs approval)",
    )


def test_scene_25_the_password_could_not_be_handed_over():
    message = ended("adduser alice", "created", delivery=Delivery(Handed.LOST))
    expect(
        message,
        "❗ New account @alice, but its password is lost"
        " ⏎ I could not hand it over; it is thrown away."
        " ⏎ bo, get a new one: !resetpw alice",
    )
    assert message.push == (BO, ANA, DAN)


def test_scene_26_deactivated():
    message = ended("deactivate @spam:example.org", "deactivated", **VOTED)
    expect(
        message,
        "✅ Deactivated @spam · #12 ⏎ Undo: tap ↩️ or !resetpw spam",
    )
    assert message.text
    assert message.push == (BO,)


def test_scene_26_leave_rooms_and_purge_media():
    args = (("user", SPAM), ("leave-rooms", True), ("purge-media", True))
    expect(
        ended(
            "deactivate @spam:example.org --leave-rooms --purge-media",
            "deactivated",
            invocation=Invocation("deactivate", args),
            fields={"failed": 3},
        ),
        "✅ Deactivated @spam"
        " ⏎ @spam:example.org: its devices are signed out. Conduit does not say whether it"
        " left the rooms. Its files are removed."
        " ⏎ 3 files could not be removed; Conduit's own log says which."
        " ⏎ Undo: tap ↩️ or !resetpw spam (its files do not come back)",
    )


def tens(*outcomes):
    users = INVOCATIONS["deactivateall"].values("user")
    slices = [users[n : n + 10] for n in range(0, 40, 10)]
    return [Part(items, outcome) for items, outcome in zip(slices, outcomes, strict=True)]


DEACTIVATED = Outcome(Kind.DONE, "deactivated_all", (("count", 10),))
WAVE = {"request": 31, "person": "ana", "mxid": ANA, "voted": True, "approved": ("bo", "dan")}


def test_scene_33_one_of_forty_joined_the_admin_room():
    invocation = Invocation(
        "deactivateall",
        (("user", (of("kim"), *(of(f"s{n:02}") for n in range(1, 40)))),),
    )
    users = invocation.values("user")
    skipped = Outcome(Kind.FAILED, "deactivated_all", (("count", 9), ("skipped", ("kim",))))
    parts = [Part(users[n : n + 10], DEACTIVATED if n else skipped) for n in range(0, 40, 10)]
    expect(
        ended("deactivateall", parts=parts, invocation=invocation, **WAVE),
        "❌ 39 of 40 accounts deactivated · #31"
        " ⏎ Not: @kim:example.org joined the admin room meanwhile, Conduit leaves those alone"
        " ⏎ Done: s01, s02, s03, s04, s05, s06, s07, s08, s09, s10 and 29 more"
        " ⏎ Undo one: !resetpw s01 · All names: !more 31",
    )


def test_scene_33_all_forty():
    expect(
        ended("deactivateall", parts=tens(*[DEACTIVATED] * 4), **WAVE),
        "✅ 40 accounts deactivated · #31 ⏎ Undo one: !resetpw s01 · All names: !more 31",
    )


def test_scene_33_conduit_restarted_in_the_middle():
    parts = tens(
        DEACTIVATED,
        DEACTIVATED,
        Outcome(Kind.UNKNOWN, "lost"),
        Outcome(Kind.FAILED, "not_sent"),
    )
    message = ended("deactivateall", parts=parts, **WAVE)
    expect(
        message,
        "❗ deactivateall stopped: 20 of 40 deactivated · #31"
        " ⏎ 10 unknown: s21 to s30"
        " ⏎ 10 not sent: s31 to s40"
        " ⏎ Look: !users s2 (still listed = not deactivated)"
        " ⏎ Tap ✅ done or ❌ not done (or !resolve 31 done)"
        " ⏎ Then send the rest again.",
    )
    assert message.push == (ANA, DAN)


def test_a_list_of_which_conduit_did_fewer_and_does_not_say_which():
    fewer = Outcome(Kind.FAILED, "deactivated_all", (("count", 7),))
    message = ended("deactivateall", parts=tens(fewer, *[DEACTIVATED] * 3), **WAVE)
    check(message)
    assert message.body.startswith("❗ deactivateall stopped: 30 of 40 deactivated · #31\n10 unk")


def test_the_rest_of_a_list_is_not_sent_when_somebody_pauses():
    parts = tens(*[DEACTIVATED] * 3, Outcome(Kind.FAILED, "not_sent"))
    expect(
        ended("deactivateall", parts=parts, left_out="paused by bo", **WAVE),
        "❌ deactivateall stopped: 30 of 40 deactivated · #31"
        " ⏎ 10 not sent: s31 to s40, paused by bo"
        " ⏎ Send the rest again if it is still wanted.",
    )


def test_a_list_with_one_bad_name_runs_not_at_all_in_that_line():
    bad = Outcome(Kind.REFUSED, "bad_list", (("missing", (of("s03"),)),))
    message = ended("deactivateall", parts=tens(bad, *[DEACTIVATED] * 3), **WAVE)
    check(message)
    assert "30 of 40 accounts deactivated · #31" in message.body
    assert "Not: @s03:example.org does not exist any more" in message.body
    assert "Conduit runs nothing of a list with one bad name" in message.body


def test_a_list_of_names_that_stops():
    parts = [
        *made("mia"),
        *made("zoe", kind=Kind.UNKNOWN, code="lost"),
        *made("tom", kind=Kind.FAILED, code="not_sent"),
    ]
    expect(
        ended("adduser mia zoe tom", parts=parts, invocation=several("mia", "zoe", "tom")),
        "❗ adduser stopped: 1 of 3 made · #12"
        " ⏎ The passwords are in your private messages."
        " ⏎ mia"
        " ⏎ 1 unknown: zoe"
        " ⏎ 1 not sent: tom"
        " ⏎ Look: !users zoe (listed = made)"
        " ⏎ Tap ✅ done or ❌ not done (or !resolve 12 done)"
        " ⏎ Then send the rest again.",
    )


PURGED = {"request": 41, "person": "cy", "mxid": CY, "voted": True, "approved": ("ana",)}


def test_scene_37_a_file_is_purged():
    expect(
        ended("purge", "purged", present={MXC: False}, **PURGED),
        "✅ Purged 1 file · #41 ⏎ I checked that it is gone. ⏎ Cannot be undone.",
    )
    expect(
        ended("purge", "still_there", Kind.FAILED, present={MXC: True}, **PURGED),
        "❌ !purge 1 file failed · #41"
        " ⏎ Conduit said done, but the file is still there."
        " ⏎ mxc://example.org/Qk3v Look: !mediainfo mxc://example.org/Qk3v",
    )
    unsure = ended("purge", "purged", **PURGED)
    assert "Conduit says so; I could not check it." in unsure.body


def test_a_file_that_is_not_as_it_should_be():
    for command, present, words in (
        ("purge", True, "the file is still there"),
        ("block", True, "the file can still be loaded"),
        ("unblock", False, "the file still cannot be loaded; it may be gone"),
    ):
        expect(
            ended(command, "still_there", Kind.FAILED, present={MXC: present}),
            f"❌ !{command} 1 file failed: Conduit said done, but {words}."
            f" ⏎ {MXC} Look: !mediainfo {MXC}",
        )


def test_a_file_of_another_server_is_not_looked_at():
    remote = Invocation("purge", (("mxc", ("mxc://evil.example/x",)),))
    expect(
        ended("purge", "purged", invocation=remote),
        "✅ Purged 1 file"
        " ⏎ Conduit says so; a look would fetch it again from evil.example."
        " ⏎ Cannot be undone.",
    )


def test_an_answer_nobody_understands_of_which_a_look_tells():
    odd = {"how": How.PROBED, "raw": "Room is now quarantined (2).", **VOTED}
    expect(
        ended("deactivate @spam:example.org", "probe", **odd),
        "✅ Deactivated @spam · #12"
        " ⏎ I do not understand Conduit's answer; I looked myself."
        " ⏎ Undo: tap ↩️ or !resetpw spam",
    )
    expect(
        ended("deactivate @spam:example.org", "probe", Kind.FAILED, **odd),
        "❌ !deactivate @spam failed · #12"
        " ⏎ I do not understand Conduit's answer. @spam:example.org is still active, nothing"
        " changed."
        " ⏎ Conduit: “Room is now quarantined (2).”"
        " ⏎ Send it again.",
    )


def test_scene_38_a_room_is_disabled():
    expect(
        ended(
            "disableroom",
            "disabled",
            name="Warez hub",
            request=42,
            person="cy",
            mxid=CY,
            voted=True,
            approved=("bo",),
        ),
        "✅ Disabled room !9fKq · #42"
        " ⏎ “Warez hub” takes nothing from other servers; people of example.org can go on"
        " writing."
        " ⏎ Undo: tap ↩️ or !enableroom !9fKq:example.org",
    )


def test_scene_39_registration():
    expect(
        ended("registration.set", "set", until=at("15:20")),
        "✅ Registration is on until 15:20 UTC"
        " ⏎ Until then anyone can make an account. Off: !registration off",
    )
    on = Invocation("registration.set", (("state", "on"),))
    expect(
        ended("registration on", "set", invocation=on),
        "✅ Registration is on until somebody switches it off"
        " ⏎ Anyone can make an account. Off: !registration off · Better: !registration on for"
        " 1h",
    )
    off = Invocation("registration.set", (("state", "off"),))
    check(ended("registration off", "set", invocation=off))


@pytest.mark.parametrize(
    ("state", "until", "config", "told"),
    [
        ("on", None, True, False),
        ("on", None, False, True),
        ("on", "15:20", True, True),
        ("on", "15:20", False, False),
        ("off", None, True, True),
        ("off", None, False, False),
        ("off", None, None, False),
    ],
)
def test_what_the_config_file_makes_of_registration_is_said_where_it_differs(
    state, until, config, told
):
    invocation = Invocation("registration.set", (("state", state),))
    end = None if until is None else at(until)
    said = ended("registration", "set", invocation=invocation, until=end, at_start=config)
    word = "on" if config else "off"
    assert (f"After a restart of Conduit it is {word} again (config file)." in said.body) is told
    check(said)


def test_scene_40_caches():
    expect(
        ended("clearcache", "cleared"),
        "✅ All 8 database caches are empty"
        " ⏎ Conduit fills them again by itself and may be slower for a while. Nothing to undo.",
    )
    some = Invocation("clearcache", (("cache", "service"), ("amount", 3)))
    assert "The first 3 of 6 service caches are empty\n" in (
        ended("clearcache service 3", "cleared", invocation=some).body
    )


def test_scene_48_break_glass():
    expect(
        ended(
            "deactivate @spam:example.org",
            "deactivated",
            request=51,
            person="ana",
            mxid=ANA,
            glass=True,
        ),
        "✅ Deactivated @spam · #51 ⏎ Undo: tap ↩️ or !resetpw spam",
    )


SPAM_LINE = "deactivate @spam:example.org"


def test_scene_49_a_probe_tells():
    expect(
        ended(SPAM_LINE, "probe", how=How.PROBED, **VOTED),
        "✅ Deactivated @spam · #12"
        " ⏎ Conduit restarted before it answered; I looked myself."
        " ⏎ Undo: tap ↩️ or !resetpw spam",
    )
    expect(
        ended(SPAM_LINE, "probe", Kind.FAILED, how=How.PROBED, **VOTED),
        "❌ !deactivate @spam failed · #12"
        " ⏎ Conduit restarted before it ran. @spam:example.org is still active, nothing"
        " changed."
        " ⏎ Send it again.",
    )


def test_scene_49_nobody_can_tell():
    message = ended(SPAM_LINE, "lost", Kind.UNKNOWN, **VOTED)
    expect(
        message,
        "❗ deactivate @spam: outcome unknown · #12"
        " ⏎ Conduit restarted or dropped it. It may or may not have run; I do not send it"
        " again."
        " ⏎ Tap ✅ done or ❌ not done (or !resolve 12 done)",
    )
    assert message.push == (BO, ANA, DAN)
    expect(
        ended("adduser alice", "lost", Kind.UNKNOWN, request=15),
        "❗ adduser @alice: outcome unknown · #15"
        " ⏎ Conduit restarted or dropped it. It may or may not have run; I do not send it"
        " again."
        " ⏎ Look: !users alice. If it is listed, tap ✅, then !resetpw alice for a password."
        " ⏎ Tap ✅ done or ❌ not done (or !resolve 15 done)",
    )


def test_scene_49_resolved_and_late():
    expect(
        ended(SPAM_LINE, "said", how=How.SAID, by="cy", **VOTED),
        "✅ Deactivated @spam, says cy · #12 ⏎ Undo: tap ↩️ or !resetpw spam",
    )
    expect(
        ended(SPAM_LINE, "deactivated", how=How.LATE, at=at("14:21"), **VOTED),
        "✅ Deactivated @spam after all · #12"
        " ⏎ Conduit answered at 14:21 UTC."
        " ⏎ Undo: tap ↩️ or !resetpw spam",
    )
    expect(
        ended(SPAM_LINE, "said", Kind.FAILED, how=How.SAID, by="cy", **VOTED),
        "❌ !deactivate @spam failed, says cy · #12",
    )
    ending = Ending(12, "bo", BO, SPAM_LINE, how=How.LATE, by="cy", at=at("14:21"))
    late = contradicted(
        here(), ending, INVOCATIONS["deactivate"], Outcome(Kind.REFUSED, "missing")
    )
    expect(
        late,
        "❗ deactivate @spam: Conduit says refused · #12"
        " ⏎ It answered at 14:21 UTC, after cy resolved it.",
    )


def test_scene_49_a_command_that_reads():
    reads = Invocation("config")
    expect(
        ended("config", "lost", Kind.FAILED, invocation=reads),
        "❌ !config failed: Conduit restarted before it answered. Nothing changed."
        " ⏎ Send it again.",
    )
    stops = Invocation("users")
    expect(
        ended("users", "lost", Kind.FAILED, invocation=stops),
        "❌ !users failed: Conduit restarted before it answered. Nothing changed."
        " ⏎ Its answer may have been too long: only an owner can try again.",
    )


def test_a_command_that_looks_is_never_of_unknown_outcome():
    looks = Invocation("rooms")
    message = ended(
        "rooms", "unrecognised", Kind.UNKNOWN, invocation=looks, raw="Rooms (new format)"
    )
    expect(
        message,
        "❌ !rooms failed: I do not understand Conduit's answer. Nothing changed."
        " ⏎ Conduit: “Rooms (new format)”"
        " ⏎ Send it again.",
    )
    for code in ("ambiguous", "redacted", "silent", "lost"):
        check(ended("rooms", code, Kind.UNKNOWN, invocation=looks))


def test_scene_54_an_answer_nobody_understands():
    zoe = several("zoe")
    expect(
        ended(
            "adduser zoe",
            "unrecognised",
            Kind.UNKNOWN,
            invocation=zoe,
            request=48,
            in_private=True,
            removed=True,
        ),
        "❗ adduser @zoe: outcome unknown · #48"
        " ⏎ I do not understand Conduit's answer."
        " ⏎ It may hold a password, so I do not show it: bo has it in private. Conduit's copy"
        " is removed."
        " ⏎ Look: !users zoe"
        " ⏎ Tap ✅ done or ❌ not done (or !resolve 48 done)",
    )
    expect(
        ended(
            "disableroom !9fKq:example.org",
            "unrecognised",
            Kind.UNKNOWN,
            request=49,
            person="ana",
            mxid=ANA,
            raw="Room is now quarantined (2).",
        ),
        "❗ disableroom !9fKq: outcome unknown · #49"
        " ⏎ I do not understand Conduit's answer."
        " ⏎ Conduit: “Room is now quarantined (2).”"
        " ⏎ Look: !rooms 9fKq"
        " ⏎ Tap ✅ done or ❌ not done (or !resolve 49 done)",
    )


def test_a_secret_command_s_text_is_never_quoted():
    for raw in ("secret", None):
        message = ended("adduser zoe", "unrecognised", Kind.UNKNOWN, raw=raw)
        assert "secret" not in message.body


FIFTY = {"request": 50, "person": "ana", "mxid": ANA, "voted": True, "approved": ("bo",)}


def test_scene_55_refused_and_failed():
    expect(
        ended("rmappservice", "missing", Kind.REFUSED, **FIFTY),
        "❌ !rmappservice bridge9 failed · #50"
        " ⏎ Conduit knows no appservice bridge9. Nothing changed.",
    )
    error = (
        "There was a problem with the connection to the rocksdb database: IO error: No space left"
    )
    expect(
        ended("purgeserver", "error", Kind.FAILED, fields={"error": error}, **FIFTY),
        "❌ !purgeserver evil.example failed · #50"
        " ⏎ Conduit had an error while doing it; part of it may have run."
        f" ⏎ Conduit: “{error}”"
        " ⏎ Free space on the server, then look: !media evil.example",
    )


ENDS = (
    *((Kind.REFUSED, code) for code in ("exists", "bad_name", "remote", "missing", "bad_list")),
    *((Kind.REFUSED, code) for code in ("usage", "no_block", "own_server", "bad_mxc")),
    *((Kind.FAILED, code) for code in ("error", "media_failed", "not_sent", "lost")),
    *((Kind.UNKNOWN, code) for code in ("lost", *WHY_UNKNOWN)),
    (Kind.DONE, "done"),
)
ENDINGS = (
    {},
    VOTED,
    {"slow": True},
    {"glass": True},
    {"how": How.PROBED},
    {"how": How.SAID, "by": "@cy:example.org"},
    {"how": How.LATE, "at": at("14:19")},
)


def test_every_command_that_changes_something_has_an_invocation_here():
    changing = {
        c.name for c in COMMANDS.values() if c.conduit and c.tags & {Tag.CHANGE, Tag.DESTRUCTIVE}
    }
    assert set(INVOCATIONS) == changing
    assert {c.name for c in COMMANDS.values() if isinstance(c, Action)} == changing


@pytest.mark.parametrize("command", INVOCATIONS)
@pytest.mark.parametrize(("kind", "code"), ENDS)
def test_every_command_has_words_for_every_end(command, kind, code):
    invocation = INVOCATIONS[command]
    items = invocation.values("user")
    for more in ENDINGS:
        for fields in ((), (("error", "x" * 300), ("failed", 3))):
            parts = (Part(items, Outcome(kind, code, fields)),)
            ending = Ending(12, "@bo:example.org", BO, command, **more)
            message = result(here(), ending, invocation, parts)
            check(message)
            signs = {Kind.DONE: "✅", Kind.UNKNOWN: "❗"}
            wanted = "❌" if code == "not_sent" else signs.get(kind, "❌")
            assert message.body[0] == wanted, message.body
            if kind is Kind.UNKNOWN:
                assert "!resolve 12 done" in message.body


LONG = "@" + "a" * 240 + ":example.org"


@pytest.mark.parametrize("command", ["adduser", "resetpw", "deactivate", "purgeuser"])
@pytest.mark.parametrize("kind", list(Kind))
def test_the_longest_name_still_fits_a_notification(command, kind):
    value = (LONG,) if command in ("adduser", "purgeuser") else LONG
    invocation = Invocation(command, (("user", value),))
    parts = (Part((LONG,), Outcome(kind, "missing")),)
    check(result(here(), Ending(12, "bo", BO, f"{command} {LONG}", **VOTED), invocation, parts))
