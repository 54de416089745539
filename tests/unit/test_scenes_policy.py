"""Scenes 12, 17, 22, 27, 33, 38, 42, 43: what the example policy says no to, in words."""

from __future__ import annotations

import pytest

from sluice.chat import answers, not_allowed
from sluice.model.command import Typed
from sluice.model.decision import Asker, Facts
from sluice.policy.explain import explain
from sluice.policy.reasons import reasons
from sluice.settings import load
from sluice.typed.parse import parse
from tests.stage.stage import POLICY
from tests.unit.scenes import ANA, BO, BOT, SERVER, at, check, expect, here

LOADED = load(POLICY, server=SERVER, now=at("14:20"))
ADMIN_ROOM = "!admins:example.org"


def decision(line, mxid=BO, now="14:20", day=23, **facts):
    assert LOADED.settings is not None, LOADED.errors
    word, *words = line.split()
    rooms = {"#admins:example.org": ADMIN_ROOM}
    reason = None
    if "reason" in words:
        at_ = words.index("reason")
        words, reason = words[:at_], " ".join(words[at_ + 1 :])
    typed = Typed(word, " ".join(words), tuple(words), reason)
    facts = {"bot": BOT, "protected_rooms": frozenset((ADMIN_ROOM,))} | facts
    return explain(
        parse(typed, server=SERVER, rooms=rooms),
        Asker(mxid, power=30),
        Facts(**facts),
        at(now, day),
        LOADED.settings.policy,
    )


def said(number, *args, **facts):
    return not_allowed.not_allowed(number, decision(*args, **facts), here())


@pytest.mark.parametrize(
    ("number", "line", "mxid", "said_"),
    [
        (
            16,
            "deactivate @spam:example.org",
            "@hal:example.org",
            "⛔ Not allowed (#16): deactivate is for mods and owners. bo, cy, ana or dan can.",
        ),
        (
            14,
            "adduser al",
            BO,
            "⛔ Not allowed (#14): “al” is too short. Names here have 3 to 20 of a-z 0-9 . _ -"
            " ⏎ ana or dan can. Why: !why 14",
        ),
        (
            17,
            "deactivate @sluice:example.org",
            BO,
            "⛔ Not allowed (#17): that is my own account. Built in, nobody can.",
        ),
        (
            46,
            "resume",
            BO,
            "⛔ Not allowed (#46): resume is for owners. ana or dan can.",
        ),
    ],
)
def test_what_the_example_policy_says_no_to(number, line, mxid, said_):
    expect(said(number, line, mxid), said_)


def test_scene_27_staff_is_protected():
    message = said(15, "deactivate @cy:example.org reason left the team", ANA)
    check(message)
    assert message.body.startswith(
        "⛔ Not allowed (#15): mods and owners are protected, and cy is one."
    )


def test_scene_38_the_admin_room():
    message = said(43, "disableroom #admins:example.org", ANA)
    check(message)
    assert "without it nobody runs this server" in message.body
    assert message.body.endswith("Built in, nobody can.")


def test_scene_33_not_on_a_saturday():
    message = said(32, "deactivateall @s01:example.org reason wave", ANA, day=28)
    check(message)
    assert message.body.startswith(
        "⛔ Not allowed now (#32): deactivateall runs only at these times:"
    )
    assert message.body.endswith("Break-glass does not get around it.")


def test_scene_42_can_says_what_would_happen():
    yes = decision("deactivate @spam:example.org")
    expect(
        answers.can(yes),
        "📋 Yes, with a reason and 1 vote (cy, ana or dan). Nothing has run."
        " ⏎ 5 of 5 left this hour, for all together.",
    )
    expect(
        answers.can(decision("adduser al"), "bo"),
        "📋 bo: no, “al” is too short. Names here have 3 to 20 of a-z 0-9 . _ -\nNothing has run.",
    )


def test_scene_43_why_gives_each_line_of_the_policy():
    lines = reasons(decision("adduser al"))
    texts = ["".join(w if isinstance(w, str) else w.plain for w in line) for line in lines]
    assert texts[0] == "deny: none applies"
    assert texts[-1] == "So no line allows it."
    assert any("“al” does not fit [a-z0-9._-]{3,20}" in text for text in texts)
