"""What the bot says fits a phone: lines in a bubble, and what a lock screen shows of a push.

Measured over the book, over an evening in it, and over the life of every command that changes
something: asked, voted on, denied, expired, unknown, done.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from attrs import field, frozen

from sluice.catalog.record import Action
from sluice.catalog.table import COMMANDS
from tests.stage.book import BOOK, scenes, written
from tests.stage.phone import BUBBLE, glance, lines, width

_SAID = re.compile(r"sluice(?P<where>[^:]*?)(?P<edits> edits)?: (?P<text>.*)")
_PUSH = re.compile(r"   \[push: (.*)\]$")
_MORE = "        "
BUDGETS = {"✋": 10, "⏳": 10, "❗": 10, "🔔": 10, "📋": 14}
ANSWER = 6
LONGEST = 16
"""Lines with an id or another word that no line of a phone holds."""
LONGER = {
    "📋 Without #admins:example.org": "what an owner copies into a terminal, on a computer",
    "🔔 Sluice 1.0.0 is ready": "names the accounts of every owner, once",
    "✅ Deactivated @s7": "three things that Conduit does not tell for sure",
}


@frozen
class Told:
    """A message of the book, with its scene. push: who was pushed."""

    scene: str
    push: str
    rows: list[str] = field(factory=list)

    @property
    def body(self) -> str:
        return "\n".join(self.rows)

    @property
    def budget(self) -> int:
        if any(width(word) > BUBBLE for row in self.rows for word in row.split()):
            return LONGEST
        if any(row.startswith(("No: ", "Not: ")) for row in self.rows):
            return BUDGETS["📋"]  # a list: what is left out, and why
        before = 2 * any(row.startswith("Before: ") for row in self.rows)
        return BUDGETS.get(self.rows[0][0], ANSWER) + before


def told(scene: str, block: str) -> Iterator[Told]:
    """What the bot says in a scene."""
    found: list[Told] = []
    open_one = False
    for row in block.splitlines():
        said = _SAID.fullmatch(row)
        if said and not said["text"].startswith("("):
            push = _PUSH.search(said["text"])
            text = said["text"][: push.start()] if push else said["text"]
            found.append(Told(scene, push[1] if push else "", [text]))
        elif row.startswith(_MORE) and open_one:
            found[-1].rows.append(row[len(_MORE) :])
        open_one = bool(said) or (open_one and row.startswith(_MORE))
    yield from found


def too_long(messages: list[Told]) -> list[str]:
    return [
        f"{lines(each.body)} lines of {each.budget} in “{each.scene}”:\n{each.body}"
        for each in messages
        if lines(each.body) > each.budget and not each.body.startswith(tuple(LONGER))
    ]


BOOK_SCENES = scenes(BOOK.read_text(encoding="utf-8"))


def test_every_message_of_the_book_fits_its_bubble() -> None:
    messages = [each for heading, block in BOOK_SCENES for each in told(heading, block)]
    assert len(messages) > 1000
    assert too_long(messages) == []


# --- the life of every command

_ROOM = "(there is the public room “Warez hub” with the address #warez:example.org)"
_FILE = "(eve posts the file “abc.png”)"
SPAM = "(there are spam)"
LIVES = {
    "adduser": ("", "adduser alice", "alice"),
    "resetpw": ("(there are alice)", "resetpw alice", "alice"),
    "deactivate": (SPAM, "deactivate @spam:example.org", "@spam"),
    "deactivateall": (
        "(there are s01, s02, s03)",
        "deactivateall @s01:example.org @s02:example.org @s03:example.org",
        "3 accounts",
    ),
    "purge": (_FILE, "purge mxc://example.org/abc", "1 file"),
    "block": (_FILE, "block mxc://example.org/abc", "file"),
    "unblock": (_FILE, "unblock mxc://example.org/abc", "file"),
    "purgeuser": (SPAM, "purgeuser @spam:example.org", "@spam"),
    "purgeserver": ("", "purgeserver evil.example", "evil.example"),
    "blockuser": (SPAM, "blockuser @spam:example.org", "@spam"),
    "disableroom": (_ROOM, "disableroom #warez:example.org", "#warez"),
    "enableroom": (_ROOM, "enableroom #warez:example.org", "#warez"),
    "rmalias": (_ROOM, "rmalias #warez:example.org", "#warez"),
    "rmappservice": ("(the bridges bridge9 are registered)", "rmappservice bridge9", "bridge9"),
    "registration.set": ("", "registration on for 1h", "registration"),
    "clearcache": ("", "clearcache db", "cache"),
}
"""What must be there, the line, and what a lock screen has to name."""

_LIFE = """\
(the policy has no tests)
(in the policy: do: "#destructive", reason: true → do: "*", reason: true)
(in the policy: max: 5, every: 1h → max: 50, every: 1h)
{setup}
ana: !{line} reason {why}
dan: !deny 1 {why}
ana: !{line} reason {why}
(31 minutes pass)
(31 minutes pass)
(Conduit does not answer the next command)
ana: !{line} reason {why}
bo taps ✅ on “ana asks”
dan: !approve 3
(5 minutes pass)
ana: !resolve 3 failed
dan: !resolve 3 failed
ana: !{line} reason {why}
bo taps ✅ on “ana asks”
dan: !approve 4
"""


def test_every_command_that_changes_something_has_a_life_here() -> None:
    assert set(LIVES) == {c.name for c in COMMANDS.values() if isinstance(c, Action)}


def life(command: str) -> list[Told]:
    """What the bot says while such a command is asked for, denied, forgotten, approved while
    Conduit does not answer, and done."""
    setup, line, _ = LIVES[command]
    block = _LIFE.format(setup=setup, line=line, why="they sell casino links everywhere")
    return list(told(command, written(block.replace("\n\n", "\n"))))


@pytest.mark.parametrize("command", LIVES)
def test_a_phone_shows_all_that_is_said_of_a_request_and_a_lock_screen_what_it_is(
    command: str,
) -> None:
    messages = life(command)
    pushed = [each for each in messages if each.push]
    assert len(pushed) > 5
    assert too_long(messages) == []
    wanted = LIVES[command][2].lower()
    assert [glance(each.body) for each in pushed if wanted not in glance(each.body).lower()] == []


# --- an evening

PUSHED = """\
password of @mila; deactivate @max; deactivate @max; deactivate @max; deactivated @max
deactivate @spam; left deactivate @spam; expired deactivate @spam; deactivate @spam
deactivated @spam; deactivateall 10 accounts; 10 accounts deactivated; disableroom #warez
disabled room #warez; purge 1 file; purged 1 file; 3 new accounts; break-glass deactivate @spam2
objects deactivate @spam2; password of @petunia; adduser @nora failed; password of @nora
Conduit; adduser @late unknown; config Conduit; password of @late; new account @late; new policy
not run rooms; paused by ana; deactivate @q01; deactivated @q01; clearcache db unknown
database caches; rmalias #warez; removed #warez; new policy lost; deactivateall 2 accounts
denied deactivateall 2 accounts; password of @pia"""
"""What a lock screen has to say of each push of the evening, in their order."""


def test_a_lock_screen_says_what_each_push_of_an_evening_is_about() -> None:
    [evening] = [block for heading, block in BOOK_SCENES if heading == "An evening"]
    seen = [glance(each.body) for each in told("An evening", evening) if each.push]
    wanted = re.split(r"[;\n]\s*", PUSHED)
    assert len(seen) == len(wanted) >= 40
    missed = [
        (words, text)
        for words, text in zip(wanted, seen, strict=True)
        if any(word not in text.lower() for word in words.lower().split())
    ]
    assert missed == []
