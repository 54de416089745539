"""Lists as people and phones make them: exactly what was meant, or a question, or a no."""

from __future__ import annotations

from typing import Union

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.model.command import Invocation
from sluice.text.message import plain
from sluice.typed.parse import AskFirst, Missing, NotRun, parse
from sluice.typed.read import read, read_line
from tests.unit.ops import ANA, BO, HAL, SERVER
from tests.unit.test_attacks import Room
from tests.unit.test_attacks import room as room

A, B, C = (f"@s0{n}:{SERVER}" for n in (1, 2, 3))
Understood = Union[Invocation, AskFirst, NotRun, Missing]


def understood(line: str) -> Understood:
    try:
        return parse(read_line(line), server=SERVER)
    except (AskFirst, NotRun, Missing) as told:
        return told


def said(told: Understood) -> str:
    lines = getattr(told, "lines", ())
    return "\n".join(map(plain, lines))


def names(told: Understood) -> tuple[str, ...]:
    assert isinstance(told, Invocation), said(told)
    return tuple(user[1:].partition(":")[0] for user in told.values("user"))


# --- the entries are those that were meant


DECORATED = [
    "\n- alice\n- bob",
    "\n* alice\n* bob",
    "\n• alice\n• bob",
    "\n•alice\n•bob",
    "\n– alice\n– bob",
    "\n+ alice\n+ bob",
    "\n1. alice\n2. bob",
    "\n1) alice\n2) bob",
    "\n(1) alice\n(2) bob",
    "\n1: alice\n2: bob",
    "\na) alice\nb) bob",
    "\n1️⃣ alice\n2️⃣ bob",
    "\n#1 alice\n#2 bob",
    "\n- [ ] alice\n- [ ] bob",
    "\n☐ alice\n☐ bob",
    "\n`alice`\n`bob`",
    "\n**alice**\n**bob**",
    "\n*alice*\n*bob*",
    "\n- **alice**\n- `bob`",
    "\n“alice”\n“bob”",
    "\n<alice>\n<bob>",
    "\nalice,\nbob",
    "\nalice;\nbob;",
    "\nalice\nand bob",
    "\nalice\nand\nbob",
    "\n@alice\n@bob",
    "\n\u200balice\u200b\n\ufeffbob",
    "\n\u200b\nalice\n\u200b\nbob\n\u2060",
    "\n\xa0alice\xa0\n\xa0bob",
    "\r\nalice\r\nbob\r\n",
    "\u2028alice\u2028bob",
    "\n\n\nalice\n\n   \nbob\n\n",
    "\n---\nalice\nbob\n---",
    "\n```\nalice\nbob\n```",
    "\n~~~\nalice\nbob\n~~~",
    "\n```\n- alice\n- bob\n```",
    "\n```text\nalice\nbob```",
    " ```\nalice\nbob\n```",
]


@pytest.mark.parametrize("below", DECORATED)
def test_the_signs_of_a_list_are_no_part_of_its_names(below: str) -> None:
    assert names(understood(f"!adduser{below}")) == ("alice", "bob")
    assert names(understood(f"!deactivateall{below}")) == ("alice", "bob")
    assert names(understood(f"!deactivateall reason wave{below}")) == ("alice", "bob")


@pytest.mark.parametrize(
    "line",
    ["alice, bob", "alice;bob", "alice,bob", "alice and bob", "alice & bob", "alice, and bob"],
)
@pytest.mark.parametrize("between", [" ", "\n", "\n- "])
def test_names_with_a_sign_between_them_are_asked_or_taken_apart(line: str, between: str) -> None:
    told = understood(f"!adduser{between}{line}")
    made = told.invocation if isinstance(told, AskFirst) else told
    assert names(made) == ("alice", "bob")
    assert isinstance(told, AskFirst) or between != " "
    assert "bob" not in said(told)


IDS = [
    f" {A} {B}",
    f" {A}, {B}",
    f" {A},{B}",
    f" {A} and {B}",
    f"\n{A} {B}",
    f"\n{A}, {B}",
    f"\n{A};\n{B}.",
    f"\n- {A}\n- {B}",
    f"\n1.{A}\n2.{B}",
    f"\n1. {A}\n2. {B}",
    f"\n`{A}`\n**{B}**",
    f"\n<{A}>\n<{B}>",
    f"\n- [Eve](https://matrix.to/#/{A})\n- [Dan](https://matrix.to/#/{B})",
    f"\nhttps://matrix.to/#/{A}\nhttps://matrix.to/#/{B}",
    f"\n```{A}\n{B}```",
    f"\n{A}\nand {B}",
    f" {A}\n{B}",
]


@pytest.mark.parametrize("line", IDS)
@pytest.mark.parametrize("command", ["deactivateall", "purgeuser", "blockuser", "adduser"])
def test_full_ids_are_always_meant(command: str, line: str) -> None:
    told = understood(f"!{command}{line}")
    assert isinstance(told, Invocation), said(told)
    assert told.values("user") == (A, B)


def test_labels_of_pills_are_not_shown_to_the_parser() -> None:
    body = "!deactivateall reason wave\n- Eve\n- Dan the man"
    html = (
        "!deactivateall reason wave<ul>"
        f'<li><a href="https://matrix.to/#/{A}">Eve</a></li>'
        f'<li><a href="https://matrix.to/#/{B}">Dan the man</a></li></ul>'
    )
    content = {"msgtype": "m.text", "body": body, "formatted_body": html}
    typed = read(content, bot=f"@sluice:{SERVER}")
    assert typed is not None
    assert not isinstance(typed, NotRun)
    assert parse(typed, server=SERVER).values("user") == (A, B)


def test_files_in_a_list_are_files() -> None:
    for below in (
        "- mxc://a/b\n- mxc://a/c",
        "mxc://a/b, mxc://a/c",
        "1. mxc://a/b\n2. mxc://a/c",
    ):
        told = understood(f"!purge\n{below}")
        assert isinstance(told, Invocation)
        assert told.values("mxc") == ("mxc://a/b", "mxc://a/c")


# --- what is no entry is left out, and told


NOTED = [
    f"\n{A} — casino\n{B}",
    f"\n{A} - casino\n{B}",
    f"\n{A} (casino)\n{B}",
    f"\n{A}: casino\n{B}",
    f"\n{A} = casino\n{B}",
    f"\n{A} casino\n{B}",
    f"\n- {A} → casino\n- {B}",
    f"\n{A}, casino\n{B}",
    f"\n{A}—casino\n{B}",
    f"\n{A} // casino\n{B}",
    f"\n{A} # casino\n{B}",
    f" {A} {B} (casino)",
    f" {A} {B} casino",
    f"\n{A}\n{B}\nfor spamming",
    f" the following:\n{A}\n{B}",
    f"\nplease these two\n{A}\n{B}",
]
TALK = [
    "\nThanks!\nKim",
    "\nBest\nKim",
    "\nKind regards,\nKim",
    "\nmany thanks, Kim",
    "\ncheers",
    "\n🎉",
]


@pytest.mark.parametrize("line", [*NOTED, *(f"\n{A}\n{B}{talk}" for talk in TALK)])
def test_what_stands_around_accounts_is_left_out_and_told(line: str) -> None:
    told = understood(f"!deactivateall{line}")
    assert isinstance(told, AskFirst)
    assert told.invocation.values("user") == (A, B)
    assert said(told).startswith("Ask for these 2 accounts and leave the rest out? Tap ✅.")
    assert "Left out: “" in said(told)
    told = understood(f"!purgeuser{line}")
    assert isinstance(told, AskFirst)
    assert told.instead is not None, "what nobody votes on is not a tap away"
    assert "Left out: “" in said(told.instead)


@pytest.mark.parametrize("sign", ["> ", ">", "> - ", ">> "])
def test_what_stands_in_a_quote_is_asked(sign: str) -> None:
    told = understood(f"!deactivateall\n{sign}{A}\n{sign}{B}")
    assert isinstance(told, AskFirst)
    assert told.invocation.values("user") == (A, B)
    assert said(told) == "Ask for these 2 accounts, from a quote? Tap ✅. Nothing has run yet."
    told = understood(f"!adduser\n{sign}alice\n{sign}bob")
    assert isinstance(told, AskFirst)
    assert names(told.invocation) == ("alice", "bob")
    told = understood(f"!adduser\n{sign}alice")
    assert said(told).startswith("Make alice? It stands in a quote. Tap ✅.")


@pytest.mark.parametrize("talk", TALK)
@pytest.mark.parametrize("names", ["alice", "\nalice", "\n- alice"])
def test_courtesy_below_a_name_is_no_name(names: str, talk: str) -> None:
    told = understood(f"!adduser {names}{talk}")
    assert isinstance(told, AskFirst), said(told)
    assert told.invocation.values("user") == (f"@alice:{SERVER}",)
    assert said(told).startswith("Make only alice? The rest is left out and not shown. Tap ✅.")
    assert told.certain == told.invocation


def test_a_name_behind_please_is_not_lost() -> None:
    told = understood("!adduser please alice")
    assert isinstance(told, AskFirst)
    assert names(told.invocation) == ("alice",)


@pytest.mark.parametrize(
    "line", ["alice (new colleague)", "alice - new colleague", "alice — since monday"]
)
def test_a_note_behind_a_name_is_not_shown(line: str) -> None:
    for between in (" ", "\n", "\n- "):
        told = understood(f"!adduser{between}{line}")
        assert isinstance(told, AskFirst)
        assert told.invocation.values("user") == (f"@alice:{SERVER}",)
        assert not {"colleague", "monday"} & set(said(told).split())


# --- the reason


REASONS = [
    f"\n{A}\n{B}\nReason: spam wave",
    f"\n{A}\n{B}\nreason: spam wave",
    f"\n{A}\n{B}\nREASON spam wave",
    f"\n{A}\n{B}\nreason – spam wave",
    f"\n{A}\n{B}\nreason - spam wave",
    f"\n{A}\n{B}\n**Reason:** spam wave",
    f"\n{A}\n{B}\n(reason: spam wave)",
    f"\n{A}\n{B}\n- reason: spam wave",
    f"\n{A}\n{B}\n\nReason: spam\nwave",
    f"\nReason: spam wave\n{A}\n{B}",
    f"\nreason spam wave\n- {A}\n- {B}",
    f" {A} {B}\nReason: spam wave",
    f" reason: spam wave\n{A}\n{B}",
    f" reason:spam wave\n{A}\n{B}",
    f" reason=spam wave\n{A}\n{B}",
    f" --reason spam wave\n{A}\n{B}",
    f" —reason spam wave\n{A}\n{B}",
    f" (reason: spam wave)\n{A}\n{B}",
    f" reason – spam wave\n{A}\n{B}",
    f" {A} {B} reason:spam wave",
    f"\n```\n{A}\n{B}\n```\nreason spam wave",
]


@pytest.mark.parametrize("line", [each for each in REASONS if "spam\nwave" not in each])
def test_a_reason_stands_on_a_line_of_its_own_or_on_the_command_line(line: str) -> None:
    told = understood(f"!deactivateall{line}")
    assert isinstance(told, Invocation), said(told)
    assert (told.values("user"), told.reason) == ((A, B), "spam wave")


@pytest.mark.parametrize(
    "line",
    [
        f" reason spam wave from\nyesterday evening\n{A}\n{B}",
        f"\nReason: spam wave from\nyesterday evening\n{A}\n{B}",
        f"\n{A}\n{B}\nReason: spam wave from\nyesterday evening",
        f" {A} {B} reason spam wave from\nyesterday evening",
    ],
)
def test_a_reason_over_two_lines(line: str) -> None:
    told = understood(f"!deactivateall{line}")
    assert isinstance(told, Invocation), said(told)
    assert told.values("user") == (A, B)
    assert told.reason == "spam wave from yesterday evening"


@pytest.mark.parametrize(
    "line",
    [
        "spam reason:casino links",
        "spam reason=casino links",
        "spam --reason casino links",
        "spam (reason casino links)",
        "spam\nReason: casino links",
        "spam\nReason:\ncasino links",
        "spam reason casino\nlinks",
        "\n- spam\nreason casino links",
        "\nreason casino links\nspam",
    ],
)
def test_the_reason_of_one_account(line: str) -> None:
    told = understood(f"!deactivate {line}")
    assert isinstance(told, Invocation), said(told)
    assert (names(told), told.reason) == (("spam",), "casino links")


@pytest.mark.parametrize(
    "line", ["spam (casino)", "spam - casino", "spam – casino", "spam\n(casino)"]
)
def test_a_reason_behind_a_sign_is_asked(line: str) -> None:
    told = understood(f"!deactivate {line}")
    assert isinstance(told, AskFirst)
    assert (names(told.invocation), told.invocation.reason) == (("spam",), "casino")
    assert said(told) == "Reason “casino”? Tap ✅. Nothing has run yet."
    assert told.instead is not None
    assert "A reason comes last, behind the word reason." in said(told.instead)


@pytest.mark.parametrize("line", ["spam casino", "spam casino links", "spam casino links for all"])
def test_a_reason_without_its_word_is_explained(line: str) -> None:
    told = understood(f"!deactivate {line}")
    assert isinstance(told, NotRun)
    assert "A reason comes last, behind the word reason." in said(told)


@pytest.mark.parametrize("line", [f"{A} {B}", f"{A}, {B}", f"\n- {A}\n- {B}", f"{A} and {B}"])
def test_several_accounts_have_a_command_of_their_own(line: str) -> None:
    told = understood(f"!deactivate {line} reason x")
    assert isinstance(told, NotRun)
    assert said(told).startswith("deactivate takes one account, and there are 2.")
    assert f"For all of them: !deactivateall {A} {B} reason " in said(told)


@pytest.mark.parametrize("line", ["!who @spam please", "!deactivate spam thanks", "!memory 🙏"])
def test_courtesy_behind_a_whole_command_means_nothing(line: str) -> None:
    assert isinstance(understood(line), Invocation)


@pytest.mark.parametrize(
    "line",
    [
        f"\n{A}\nreason x\n{B}",
        f"\n{A}\nreason x\n{B}\nreason y",
        f" reason x\n{A}\nreason y",
        f"\n{A}\nReason: x\n{B}\nthanks",
    ],
)
def test_a_reason_that_may_be_of_some_only_runs_nothing(line: str) -> None:
    assert isinstance(understood(f"!deactivateall{line}"), NotRun)


def test_flags_and_spans_have_a_line_of_their_own_too() -> None:
    told = understood(f"!deactivateall reason x\n{A}\n{B}\n--purge-media")
    assert isinstance(told, Invocation)
    assert (told.values("user"), told.get("purge-media")) == ((A, B), True)
    told = understood(f"!purgeuser\n{A}\n{B}\nlast 7d\nreason x")
    assert isinstance(told, Invocation)
    assert (told.values("user"), told.get("last")) == ((A, B), 7 * 86400)


# --- several commands, several numbers


SEVERAL = [
    "!adduser alice\n!adduser bob",
    "!adduser alice\nadduser bob",
    "!adduser alice\n\n!status",
    "!adduser alice !adduser bob",
    "!approve 12\n!approve 13",
    f"!deactivate {A} reason x\n!deactivate {B} reason x",
    "!deny 12\n!status",
    "!deny 12 he is fine\n!approve 13",
    "!pause odd\n!status",
    "!status\n!help",
    "!who @alice\n- !who @bob",
    "!resetpw alice\n!resetpw bob",
    "!adduser alice\n!aduser bob",
    "!status !help",
]


@pytest.mark.parametrize("line", SEVERAL)
def test_several_commands_in_one_message_run_nothing(line: str) -> None:
    told = understood(line)
    assert isinstance(told, NotRun)
    assert said(told).startswith("2 commands in one message. I take one a message; nothing has")


def test_a_room_below_a_command_is_no_command() -> None:
    for line in ("!disableroom\n!9fKq:example.org", "!disableroom !v12RoomWithoutServer"):
        assert isinstance(understood(line), Invocation)


@pytest.mark.parametrize(
    "line", ["12 13", "12, 13", "#12 #13", "12 and 13", "12\n13", "12 & #13", "12,13", "12; 13"]
)
@pytest.mark.parametrize("command", ["approve", "deny", "cancel", "why"])
def test_one_number_a_message(command: str, line: str) -> None:
    told = understood(f"!{command} {line}")
    assert isinstance(told, NotRun)
    assert said(told) == (
        "2 numbers in one message. I take one a message; nothing has run.\n"
        f"Send !{command} 12, then !{command} 13"
    )


def test_a_number_in_a_reason_is_one() -> None:
    for why in ("3 accounts are fine", "he has 3", "see 13"):
        told = understood(f"!deny 12 {why}")
        assert isinstance(told, Invocation)
        assert dict(told.args) == {"request": 12, "why": why}


# --- passwords


PASSWORDS = [
    ("alice SecurePassword123", "Secure"),
    ("alice\nSecurePassword123", "Secure"),
    ("alice:hunter2", "hunter"),
    ("alice: hunter2", "hunter"),
    ("alice : hunter2", "hunter"),
    ("@alice:hunter2", "hunter"),
    ("alice:hunter2:example.org", "hunter"),
    ("alice password hunter2", "hunter"),
    ("alice pw hunter2", "hunter"),
    ("alice passwort hunter", "hunter"),
    ("alice pw=hunter", "hunter"),
    ("alice\npassword: hunter", "hunter"),
    ("alice\nPasswort hunter", "hunter"),
    ("alice contraseña hunter", "hunter"),
    ("alice Pa$$w0rd", "w0rd"),
    ("alice hunter2!", "hunter"),
    ("alice -hunter2", "hunter"),
    ("alice hunter#2", "hunter"),
    ("alice hünter2", "nter2"),
    ("alice hunter2 Foo9", "hunter"),
    ("alice, Hunter2", "unter"),
    ("alice (Hunter2)", "unter"),
    ("alice — Hunter2", "unter"),
    ("alice — pw Hunter", "unter"),
    ("alice / Hunter2", "unter"),
    ("alice/Hunter2", "unter"),
    ("alice=Hunter2", "unter"),
    ("alice|hunter2", "hunter"),
    ("alice|hunter", "hunter"),
    ("alice#hunter", "hunter"),
    ("alice!hunter", "hunter"),
    ("alice `Hunter2`", "unter"),
    ("alice **Hunter2**", "unter"),
    ("alice ```Hunter2```", "unter"),
    ("alice\n```\nHunter2\n```", "unter"),
    ("alice\n```Hunter2```", "unter"),
    ("alice\n> Hunter2", "unter"),
    ("\n- alice\n- Hunter2", "unter"),
    ("\nalice\nbob\nHunter2", "unter"),
    ("alice\n\nthanks\nHunter2", "unter"),
    ("alice reason new\nHunter2", "unter"),
    ("alice\nreason new\nHunter2", "unter"),
    ("alice reason password: hunter", "hunter"),
    ("alice reason her pw is hunter2", "hunter"),
    ("alice\nreason pw: hunter", "hunter"),
    ("hunter2! alice", "hunter"),
    ("Pa$$w0rd", "w0rd"),
    ("alice hunter2@home", "hunter"),
    ("alice\u2028Hunter2", "unter"),
    ("alice Hunter2\n!adduser bob Foo9", "unter"),
    ("@alice:example.org Hunter2", "unter"),
    (f"alice {'hunter' * 20}", "hunter"),
]


@pytest.mark.parametrize(("line", "secret"), PASSWORDS)
@pytest.mark.parametrize("word", ["adduser", "create-user", "resetpw", "reset_password"])
def test_a_typed_password_is_removed_and_never_repeated(word: str, line: str, secret: str) -> None:
    told = understood(f"!{word} {line}")
    assert isinstance(told, NotRun), said(told)
    assert told.redact
    assert secret.lower() not in said(told).lower()
    assert "passwords are never typed here" in said(told) or "2 commands" in said(told)


@pytest.mark.parametrize(
    "line",
    [
        "alice hunter2",
        "alice\nhunter2",
        "\nalice\nhunter2",
        "alice correct horse battery staple",
        "alice swordfish",
        "alice Swordfish",
        "alice\nswordfish",
        "alice hunter_2",
        "alice 12345678",
        "@alice swordfish",
        "alice - swordfish",
        "alice (swordfish)",
        "alice “hunter2”",
    ],
)
def test_what_may_be_names_is_asked_and_not_shown(line: str) -> None:
    told = understood(f"!adduser {line}")
    assert isinstance(told, AskFirst)
    assert not any(each in said(told).lower() for each in ("hunter", "swordf", "horse", "1234"))
    assert told.certain.values("user") == (f"@alice:{SERVER}",)
    for other in ("resetpw", "create-user", "reset-password"):
        refused = understood(f"!{other} {line.strip()}")
        assert isinstance(refused, NotRun)
        assert refused.redact


NO_PASSWORDS = [
    "forgot her password",
    "lost the pw",
    "password is lost",
    "new laptop, pw gone",
    "lost her phone on 30.11. at 14:05",
    "ticket #1234",
    "#1234",
    "she can't log in, again (2nd time)",
    "à cause d'une panne",
    "asked by @max:example.org; see https://example.org/t?id=12",
    "Q3 audit",
]


@pytest.mark.parametrize("reason", NO_PASSWORDS)
def test_a_reason_may_speak_of_passwords(reason: str) -> None:
    told = understood(f"!resetpw alice reason {reason}")
    assert isinstance(told, Invocation), said(told)
    assert told.reason == reason


SECRETS = st.from_regex(r"[A-Za-z0-9!$%&#^*~]{6,20}", fullmatch=True).filter(
    lambda s: any(c.isupper() for c in s) and any(c.isdigit() for c in s)
)
AROUND = st.sampled_from(
    [" {}", "\n{}", ": {}", ":{}", "\n- {}", " password {}", " pw: {}", "\n```\n{}\n```", ", {}",
     " — {}", " ({})", "\nbob\n{}", "\n\nthanks\n{}", " / {}", "\u2028{}", "\n> {}", " '{}'",
     " because {}", " reason {}", "\nreason: {}", " weil {}", " Grund: {}", " reason: new is {}!"]
)  # fmt: skip


@given(SECRETS, AROUND, st.sampled_from(["adduser", "resetpw", "create-user"]))
def test_no_password_is_ever_repeated(secret: str, around: str, word: str) -> None:
    told = understood(f"!{word} alice{around.format(secret)}")
    assert isinstance(told, NotRun), said(told)
    assert told.redact
    assert secret.lower() not in said(told).lower()


# --- properties

NAMES = st.lists(
    st.sampled_from(["alice", "bob", "carol", "dave", "eve", "mallory", "trent"]),
    min_size=1,
    max_size=6,
    unique=True,
)
SIGNS = st.sampled_from(["", "- ", "* ", "• ", "– ", "{n}. ", "{n}) ", "({n}) ", "- [ ] ", "☐ "])
MARKS = st.sampled_from(
    ["{}", "`{}`", "**{}**", "“{}”", "{},", "{};", "@{}", "\u200b{}", "{}\xa0"]
)
ENDS = st.sampled_from(["\n", "\r\n", "\u2028", "\n\n", "\n \n", "\n\u200b\n"])


@given(NAMES, SIGNS, MARKS, ENDS, st.sampled_from(["", "```", "~~~", "```text"]), st.data())
def test_a_decorated_list_is_what_was_meant(
    meant: list[str], sign: str, mark: str, end: str, fence: str, data: st.DataObject
) -> None:
    rows = [sign.format(n=n) + mark.format(name) for n, name in enumerate(meant, 1)]
    if fence:
        rows = [fence, *rows, fence[:3]]
    full = f"!adduser{end}{end.join(rows)}"
    assert names(understood(full)) == tuple(meant)
    reason = data.draw(st.sampled_from(["Reason: casino links", "reason casino links"]))
    place = data.draw(st.sampled_from(["head", "first", "last"]))
    head = f" {reason}" if place == "head" else ""
    rows = [reason, *rows] if place == "first" else [*rows, reason] if place == "last" else rows
    told = understood(f"!deactivateall{head}{end}{end.join(rows)}")
    assert isinstance(told, Invocation), said(told)
    assert (names(told), told.reason) == (tuple(meant), "casino links")


PIECES = st.sampled_from(
    [A, B, C, "alice", "bob", "thanks", "(casino)", "— spam", "- x", ",", " and ", "\n", "\n- ",
     "```", "reason x", "\n!status", "hunter2", " ", ":", "Kim", "1.", "`", "**", "🙏", "\u200b"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=12), st.sampled_from(["deactivateall", "adduser", "purgeuser"]))
def test_nothing_is_taken_that_was_not_written_and_no_account_is_lost(
    pieces: list[str], command: str
) -> None:
    told = understood(f"!{command} {' '.join(pieces)}")
    if isinstance(told, Invocation):
        users, text = told.values("user"), "".join(pieces)
        assert all(user in text or user[1:].partition(":")[0] in text.lower() for user in users)
        written = {
            each for each in (A, B, C) if each in pieces and each not in (told.reason or "")
        }
        assert written <= set(users)
        talk = {"(casino)"} & set(pieces)
        assert not talk or told.reason is not None, "it is told"


# --- through a room


async def nothing_of(room: Room, secret: str) -> None:
    """It stands nowhere: in no row, no message of ours, no record of the log."""
    assert secret.lower() not in (await room.everything()).lower()


WAYS = [
    "!adduser alice {}",
    "!adduser alice\n{}",
    "!resetpw max {}",
    "!adduser alice:{}",
    "!create-user alice {}",
    "!aduser alice {}",
    "!aduser alice:{}",
    "!adduser alice {} reason new",
    "!can adduser alice {}",
    "!can @cy resetpw max {}",
    "!glass adduser alice {}",
    "!glass resetpw max {}",
    "!glass adduser alice:{}",
    "!adduser alice\n!adduser bob {}",
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("who", "secret"), [(BO, "Pa$$w0rd"), (BO, "hunter2"), (HAL, "SecurePassword123")]
)
async def test_a_typed_password_stands_nowhere(
    room: Room, who: str, secret: str, way: str
) -> None:
    await room.says(who, way.format(secret))
    await nothing_of(room, secret)


@pytest.mark.parametrize("secret", ["SecurePassword123", "Pa$$w0rd"])
async def test_a_password_in_an_answer_or_an_edit_is_removed(room: Room, secret: str) -> None:
    room.ops.power(room.ops.client.mxid, 50)
    await room.ops.look()
    await room.says(BO, "!adduser")
    question = await room.sent(next(iter(room.ops.dialog._open)))
    answer = await room.says(BO, f"alice {secret}", question)
    await nothing_of(room, secret)
    gone = await room.rows("SELECT key FROM sluice_outbox WHERE kind='redact'")
    assert [row["key"] for row in gone] == [answer]


AS_REASON = ["because {}", "reason {}", "weil {}", "\nreason {}", "Grund: {}", "reason new is {}"]


@pytest.mark.parametrize("way", AS_REASON)
@pytest.mark.parametrize("secret", ["Hunter22", "hunter2", "Pa$$w0rd"])
async def test_a_password_as_a_reason_stands_nowhere(room: Room, way: str, secret: str) -> None:
    for command in ("resetpw max", "adduser alice"):
        await room.says(BO, f"!{command} {way.format(secret)}")
        said = (await room.ops.last())["body"]
        assert "passwords are never typed here" in said
        assert f"then: !{command}" in said
    await nothing_of(room, secret)
    assert await room.newest() == 0


EDITED = [
    "!adduser alice {}",
    "!adduser alice\n{}",
    "!resetpw max {}",
    "alice {}",
    "!adduser alice:{}",
]


@pytest.mark.parametrize("before", ["!adduser alice", "!adduser", "!adduser alice bob", "hello"])
@pytest.mark.parametrize("after", EDITED)
async def test_a_password_in_an_edit_stands_nowhere(room: Room, before: str, after: str) -> None:
    first = await room.says(BO, before)
    await room.edits(BO, first, after.format("SecurePassword123"))
    await nothing_of(room, "SecurePassword123")


async def test_a_password_in_a_caption_stands_nowhere(room: Room) -> None:
    content = {"msgtype": "m.image", "filename": "a.png", "url": "mxc://example.org/a"}
    for line in ("!adduser alice Hunter2x", "!resetpw max Hunter2x", "!adduser alice:Hunter2x"):
        await room.event(BO, "m.room.message", {**content, "body": line})
        await nothing_of(room, "Hunter2x")


async def test_names_are_shown_after_the_tap_only(room: Room) -> None:
    await room.says(BO, "!adduser alice hunter2")
    await nothing_of(room, "hunter2")
    question = await room.sent(next(iter(room.ops.dialog._open)))
    await room.taps(BO, question)
    assert (await room.ops.request(1)).text == "adduser alice hunter2"


@pytest.mark.parametrize("name", ["kim...", "kim-", "kim_", "12345", "k..im", ".kim"])
async def test_a_name_that_is_seldom_meant_is_asked_once(room: Room, name: str) -> None:
    await room.says(BO, f"!adduser {name}")
    assert (await room.ops.last())["body"].startswith(f"❓ {name} is a name that ") or (
        f"❓ {name} is a name with “..” in it." in (await room.ops.last())["body"]
    )
    assert await room.newest() == 0
    await room.taps(BO, await room.sent(next(iter(room.ops.dialog._open))))
    assert (await room.ops.request(1)).text == f"adduser {name}"


@pytest.mark.parametrize("name", ["SecurePassword123", "alicE99", "HUNTER2hunter"])
async def test_a_name_that_looks_like_a_password_is_asked_and_not_repeated(
    room: Room, name: str
) -> None:
    await room.says(BO, f"!adduser {name}")
    asked = (await room.ops.last())["body"]
    assert asked.startswith("❓ Is that a name, and no password?"), asked
    await nothing_of(room, name)
    await room.says(BO, "!adduser")
    question = await room.sent(next(reversed(room.ops.dialog._open)))
    await room.says(BO, name, reply_to=question)
    again = (await room.ops.last())["body"]
    assert again.startswith("❓ Is that a name, and no password?"), again
    await nothing_of(room, name)


async def test_signs_behind_a_name_may_be_a_password(room: Room) -> None:
    await room.says(BO, "!adduser alice !@#$%^")
    said = (await room.ops.last())["body"]
    assert said.startswith("⛔ Not run: passwords are never typed here"), said


async def test_a_forbidden_odd_name_is_refused_first(room: Room) -> None:
    await room.says(BO, "!adduser a/")
    assert (await room.ops.last())["body"].startswith("⛔ Not allowed (#1)")


async def test_the_card_says_how_many_there_are(room: Room) -> None:
    for name in ("s01", "s02", "s03"):
        room.ops.fake.register(name)
    await room.says(ANA, f"!deactivateall\n1. {A}\n2. {B}, {C}\nReason: spam wave")
    assert (await room.ops.request(1)).invocation.values("user") == (A, B, C)
    assert "deactivateall 3 accounts" in (await room.ops.last())["body"]


async def test_courtesy_is_left_out_by_a_tap(room: Room) -> None:
    for name in ("s01", "s02"):
        room.ops.fake.register(name)
    await room.says(ANA, f"!deactivateall reason x\n{A} — casino\n{B}\n\nThanks\nKim")
    assert await room.newest() == 0
    await room.taps(ANA, await room.sent(next(iter(room.ops.dialog._open))))
    assert (await room.ops.request(1)).invocation.values("user") == (A, B)


async def test_who_is_called_so_is_asked_in_a_decorated_list_too(room: Room) -> None:
    room.ops.fake.register("kim")
    named = {"membership": "join", "displayname": "kim"}
    room.ops.fake.put(room.ops.room, HAL, "m.room.member", named, HAL)
    await room.ops.look()
    await room.says(ANA, "!deactivateall reason x\n- kim\n- max")
    assert "people here are called “kim”" in (await room.ops.last())["body"]
