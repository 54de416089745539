"""Scene 8: help for a helper, a mod, an owner."""

from __future__ import annotations

import re
from pathlib import Path

from sluice.catalog.table import COMMANDS, in_group
from sluice.chat.help import looking, one, overview, repair, seals, topic, unknown_topic
from sluice.model.command import Tag
from sluice.model.decision import Verdict
from sluice.text.message import Sign
from sluice.text.pages import more
from tests.unit.scenes import check, expect, here

CHANGING = {Tag.CHANGE, Tag.DESTRUCTIVE}
OWN = frozenset(COMMANDS) - in_group("*")
ASKING = frozenset({"who", "help", "can", "why", "pending", "status", "version", "more"})
MOD = {"adduser", "resetpw", "enableroom"}
VOTED = {"deactivate", "purge", "disableroom"}
OWNER_VOTED = VOTED | {"deactivateall", "rmalias", "purgeuser", "block"}


def helper(command):
    return Verdict.ALLOW if command in in_group("#read") | ASKING else Verdict.DENY


def mod(command):
    if command in VOTED:
        return Verdict.APPROVE
    own = OWN - {"resume", "policy", "reload", "trust", "glass"}
    return (
        Verdict.ALLOW
        if command in in_group("#read") | in_group("#inspect") | MOD | own
        else (Verdict.DENY)
    )


def owner(command):
    return Verdict.APPROVE if command in OWNER_VOTED else Verdict.ALLOW


def test_help_for_a_helper():
    message, left = overview(here(), "helper", helper)
    expect(
        message,
        "📋 You can look at things (helper):"
        " ⏎ !users spam: accounts with “spam” in the name"
        " ⏎ !who: what is known of an account"
        " ⏎ !rooms garden: rooms with “garden” in the name"
        " ⏎ !registration: may anyone make an account?"
        " ⏎ !config · !memory · !federation · !appservices"
        " ⏎ !can · !pending · !status"
        " ⏎ One command: !help users · The rest: !more",
    )
    rest, end = more(here(), left)
    check(rest)
    assert "!help server" in rest.body
    assert "!log" not in rest.body
    assert end is None


def test_help_for_a_mod():
    message, left = overview(here(), "mod", mod, ("mod", "owner"))
    expect(
        message,
        "📋 You can do this (mod). ✋ = another mod or an owner must approve."
        " ⏎ !adduser alice: new account"
        " ⏎ !resetpw alice: new password"
        " ⏎ ✋ !deactivate spam reason casino"
        " ⏎ ✋ !purge reason illegal: as a reply to a picture"
        " ⏎ ✋ !disableroom #warez:example.org reason films"
        " ⏎ !enableroom #warez:example.org: takes from other servers again"
        " ⏎ Look: !users · !who · !help look"
        " ⏎ Requests: !pending · !log · !pause",
    )
    assert left is None


def test_help_for_an_owner():
    message, _ = overview(here(), "owner", owner, ("mod", "owner"))
    expect(
        message,
        "📋 You can do everything (owner). ✋ = someone else must approve."
        " ⏎ Accounts: !adduser · !resetpw · ✋ !deactivate · ✋ !deactivateall"
        " ⏎ Rooms: ✋ !disableroom · !enableroom · ✋ !rmalias"
        " ⏎ Files: !media · ✋ !purge · ✋ !purgeuser · ✋ !block · !unblock"
        " ⏎ Server: !registration · !config · !memory · !clearcache · !appservices"
        " ⏎ Requests: !pending · !approve · !why · !log · !can"
        " ⏎ Urgent: !pause · !resume · !glass"
        " ⏎ More: !help adduser · !help server",
    )


def test_help_for_one_command():
    rights = ("yes, names of [a-z0-9._-]{3,20}, 10 a day, 7 left (rules signup, signups)",)
    expect(
        one(here(), "adduser", rights, undo_needs_votes=True),
        "📋 !adduser makes accounts; the passwords come to you in private."
        " ⏎ Example: !adduser alice, or several: !adduser mia noa tom"
        " ⏎ You may: yes, names of [a-z0-9._-]{3,20}, 10 a day, 7 left (rules signup, signups)"
        " ⏎ Undo: !deactivate alice (needs approval; the name stays taken)"
        " ⏎ Also called: create-user",
    )


def test_there_is_help_for_every_command_and_topic():
    for name in COMMANDS:
        check(one(here(), name, ("yes",)))
    for message in (looking(here(), owner), looking(here(), helper), repair(here()), seals()):
        check(message)
    check(unknown_topic(here(), "<b>@conduit:example.org"))
    assert "Undo: !registration off" in one(here(), "registration.set", ("yes",)).body


def test_a_topic_is_one_example_a_line():
    shown = topic(here(), "accounts", owner)
    check(shown)
    assert shown.body.split("\n")[:3] == [
        "📋 About accounts, what you may use:",
        "!adduser alice: new account, the password comes to you in private",
        "!resetpw alice: new password",
    ]
    for word in ("files", "requests"):
        check(topic(here(), word, owner))
    assert topic(here(), "nonsense", owner) is None


def test_examples_name_the_real_server():
    message, _ = overview(here(server="school.example"), "mod", mod)
    assert "example.org" not in message.body
    assert "#warez:school.example" in message.body


def test_somebody_who_may_change_much_but_not_all_gets_groups():
    message, _ = overview(
        here(), "mod", lambda c: Verdict.DENY if c == "glass" else owner(c), ("mod", "owner")
    )
    check(message)
    assert message.body.startswith("📋 You can do this (mod). ✋ = another mod or an owner must")
    assert "!glass" not in message.body


def test_the_page_for_moderators_names_every_command_and_every_sign():
    page = (Path(__file__).parents[2] / "docs" / "moderators.md").read_text(encoding="utf-8")
    words = set(re.findall(r"!([a-z]+)", page))
    assert {name.partition(".")[0] for name in COMMANDS} <= words
    assert words <= {name.partition(".")[0] for name in COMMANDS}, "a command that does not exist"
    assert all(f"| {sign.value} |" in page for sign in Sign)
