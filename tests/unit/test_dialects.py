"""How the server splits a body, and that what is spelled is read back as it was meant."""

from __future__ import annotations

import os
import shlex
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.families.dialects import (
    Unclosed,
    Unspellable,
    dialect_of,
    fence,
    lines,
    parse_body,
    read_body,
    spell,
    tokenise,
)
from sluice.families.lines import MAX_ENTRIES
from sluice.model.admin_room import Asked
from sluice.model.command import Dialect, Invocation, Line
from tests.fuzz_lines import once

V9, V10, V11 = Dialect
S = "conduit.test"
AT = f"@conduit:{S}"

SHELL: list[tuple[str, tuple[str, ...] | None]] = [
    ("a b\tc\nd", ("a", "b", "c", "d")),
    ("a\u00a0b \r c\x0bd", ("a\u00a0b", "\r", "c\x0bd")),
    ("'a b'", ("a b",)),
    ('"al""ice"', ("alice",)),
    ("al'i'ce", ("alice",)),
    ("''", ("",)),
    ("a '' b", ("a", "", "b")),
    (r"pa\ss", ("pass",)),
    (r"a\ b", ("a b",)),
    ("a\\", ("a\\",)),
    ("\\", ("\\",)),
    ("\\\n", ()),
    ("a\\\nb", ("ab",)),
    (r'"\$\`\"\\\n\a"', (r"$`" + r'"\\n\a',)),
    ('"a\\\nb"', ("ab",)),
    (r"'\'", ("\\",)),
    ("#x y", ()),
    ("a #x y", ("a",)),
    ("a # b\nc", ("a", "c")),
    ("w1#w2 '#x'", ("w1#w2", "#x")),
    (r"\#x", ("#x",)),
    ("$HOME ~ * `ls`", ("$HOME", "~", "*", "`ls`")),
    ("", ()),
    ("'abc", None),
    ('"', None),
    ('"a\\', None),
    ("a'b", None),
]


@pytest.mark.parametrize(("text", "words"), SHELL)
def test_0_11_splits_like_shell_words(text: str, words: tuple[str, ...] | None) -> None:
    if words is None:
        with pytest.raises(Unclosed):
            tokenise(V11, text)
    else:
        assert tokenise(V11, text) == words


@given(st.text(alphabet="ab \t#'$-", max_size=40))
def test_where_python_splits_by_the_same_rules_the_words_are_the_same(text: str) -> None:
    lexer = shlex.shlex(text, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.whitespace = True, " \t\n"
    lexer.commenters = ""  # Python takes a # inside a word for a comment too
    if "#" in text:
        return
    try:
        expected: tuple[str, ...] | None = tuple(lexer)
    except ValueError:
        expected = None
    try:
        found: tuple[str, ...] | None = tokenise(V11, text)
    except Unclosed:
        found = None
    assert found == expected


def test_older_versions_split_at_every_white_space_of_unicode_and_nothing_else() -> None:
    white = [*range(9, 14), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029,
             0x202F, 0x205F, 0x3000]  # fmt: skip
    for code in range(0x3100):
        words = tokenise(V10, f"a{chr(code)}b")
        assert words == (("a", "b") if code in white else (f"a{chr(code)}b",)), hex(code)
    assert tokenise(V9, "'a b' \"c\\") == ("'a", "b'", '"c\\')


BODIES: list[tuple[str, Any]] = [
    (f"{AT}: --version", Asked("version")),
    (f"{AT} --version", Asked("version")),
    (f"{AT}:", Asked("help")),
    (f"{AT}", Asked("help")),
    (f"{AT}: ", Asked("help")),
    (f"{AT}: \n\n--version", Asked("help")),
    (f"{AT}:  --version  ", Asked("version")),
    (f" {AT}: --version", None),
    (f"{AT}:--version", None),
    (f"{AT}:\t--version", None),
    (f"{AT}:\n--version", None),
    (f"{AT}\n", None),
    (f"{AT}x --version", None),
    (f"* {AT}: --version", None),
    (f"> {AT}: --version", None),
    ("@Conduit:conduit.test: --version", None),
    ("!admin --version", None),
    ("", None),
    (f"{AT}: help create_user x", Asked("create-user", ("x", "--help"))),
    (f"{AT}: create-user help", Asked("create-user", ("help",))),
    (f"{AT}: list_local_users", Asked("list-local-users")),
    (f"{AT}: deactivate-user --leave_rooms", Asked("deactivate-user", ("--leave_rooms",))),
    (f"{AT}: nonsense", Asked("")),
    (f"{AT}: Help", Asked("")),
    (f"{AT}: help help", Asked("")),
    (f"{AT}: sluice_fence_a1", Asked("fence", ("a1",))),
    (f"{AT}: sluice-fence-a1 x", Asked("fence", ("a1", "x"))),
    (f"{AT}: purge-media\n```\nmxc://a/b\n```", Asked("purge-media", (), ("mxc://a/b",))),
    (f"{AT}: purge-media\r\n\n ``` \n a \r\n```\n", Asked("purge-media", (), (" a ",))),
    (f"{AT}: purge-media\n```x\na\n```", Asked("purge-media")),
    (f"{AT}: purge-media\n```\n```", Asked("purge-media")),
    (f"{AT}: purge-media\ntext\n```\na\n```", Asked("purge-media")),
    (f"{AT}: purge-media\n```\na\n```\nx", Asked("purge-media")),
    (f"{AT}: sign-json\n```json\n{{}}\n```", Asked("sign-json")),
    (
        f"{AT}: hash-and-sign-event 1\n```json\na\n```",
        Asked("hash-and-sign-event", ("1",), ("a",)),
    ),
    (f"{AT}: list-rooms\n```\na\n```", Asked("list-rooms")),
]


@pytest.mark.parametrize(("body", "asked"), BODIES)
def test_a_body_is_read_as_the_server_reads_it(body: str, asked: Asked | None) -> None:
    assert parse_body(V10, S, body) == asked


def test_what_a_version_lacks_is_in_no_table() -> None:
    assert parse_body(V9, S, f"{AT}: query-media mxc://a/b") == Asked("")
    assert parse_body(V11, S, f"{AT}: create-user 'x") == Asked("")


@pytest.mark.parametrize(
    ("version", "dialect"),
    [
        ("0.9.0", V9),
        ("0.10.12", V10),
        ("0.10.7 (3f6f3e26)", V10),
        ("0.11.0-alpha", V11),
        ("0.12.0", None),
        ("0.100.1", None),
        ("1.0.0", None),
        ("0.10", None),
        ("0.8.0", None),
        ("0.5.0 (conduwuit)", None),
        ("", None),
    ],
)
def test_a_version_has_its_dialect_and_an_unknown_one_none(
    version: str, dialect: Dialect | None
) -> None:
    assert dialect_of(version) is dialect


# --- spelling


def invocation(command: str, **args: Any) -> Invocation:
    return Invocation(command, tuple((k.replace("_", "-"), v) for k, v in args.items()))


def spelled(dialect: Dialect, command: str, **args: Any) -> list[str]:
    made = lines(invocation(command, **args), dialect, S)
    return [spell(dialect, S, line).removeprefix(f"{AT}: ") for line in made]


def test_an_address_is_quoted_where_a_hash_begins_a_comment() -> None:
    alias = "#old:conduit.test"
    assert spelled(V10, "rmalias", alias=alias) == [f"remove-alias {alias}"]
    assert spelled(V11, "rmalias", alias=alias) == [f"remove-alias '{alias}'"]
    assert spelled(V11, "rmalias", alias="#o'x:c.d") == [r"remove-alias '#o'\''x:c.d'"]


def test_values_that_mean_the_same_everywhere_are_spelled_the_same() -> None:
    for dialect in Dialect:
        assert spelled(dialect, "disableroom", room="!aB_c-1:x.y:8448") == [
            "disable-room !aB_c-1:x.y:8448"
        ]
        assert spelled(dialect, "event", event="$a_B-c") == ["get-pdu $a_B-c"]


def test_a_list_is_sent_in_tens_and_a_hundred_at_most() -> None:
    users = tuple(f"@s{n}:conduit.test" for n in range(43))
    made = lines(invocation("deactivateall", user=users), V10, S)
    assert [len(line.items) for line in made] == [10, 10, 10, 10, 3]
    assert tuple(u for line in made for u in line.block) == users
    files = tuple(f"mxc://conduit.test/{n}" for n in range(250))
    assert [len(x.block) for x in lines(invocation("purge", mxc=files), V10, S)] == [100, 100, 50]
    long = tuple(f"mxc://conduit.test/{'x' * 230}{n}" for n in range(100))
    assert all(
        len(spell(V10, S, x)) <= 12_000 for x in lines(invocation("purge", mxc=long), V10, S)
    )


def test_several_accounts_are_several_lines() -> None:
    made = spelled(V10, "adduser", user=("@a:conduit.test", "@b:conduit.test"))
    assert made == ["create-user @a:conduit.test", "create-user @b:conduit.test"]


def test_no_cache_is_emptied_when_none_was_asked_for() -> None:
    assert spelled(V10, "clearcache", cache="db", amount=0) == ["clear-database-caches 0"]
    assert spelled(V10, "clearcache", cache="db") == ["clear-database-caches 8"]


def test_what_a_version_lacks_is_refused_before_anything_is_sent() -> None:
    user = "@a:conduit.test"
    with pytest.raises(Unspellable, match=r"Conduit 0\.9 has no purge-media"):
        lines(invocation("purge", mxc=("mxc://a/b",)), V9, S)
    with pytest.raises(Unspellable, match="--purge-media"):
        lines(invocation("deactivate", user=user, purge_media=True), V9, S)
    assert spelled(V9, "deactivate", user=user, leave_rooms=True) == [
        f"deactivate-user {user} --leave-rooms"
    ]


REFUSED = [
    Line(("create-user", "a b")),
    Line(("create-user", "a\nb")),
    Line(("create-user", "a\u00a0b")),
    Line(("create-user", "a\u200bb")),
    Line(("create-user", "")),
    Line(("create-user", "-x")),
    Line(("create-user", "--help")),
    Line(("create-user", "x" * 513)),
    Line(("nonsense",)),
    Line(("deactivate-all", "--force"), ("@a:b",)),
    Line(("show-media", "mxc://a/b")),
    Line(("sign-json",), ("{}",)),
    Line(("deactivate-all",)),
    Line(("list-rooms",), ("a",)),
    Line(("purge-media",), ("a b",)),
    Line(("purge-media",), ("a\n```\nb",)),
    Line(("purge-media",), ("",)),
    Line(("purge-media",), (" ",)),
    Line(("purge-media",), ("mxc://a/b",) * (MAX_ENTRIES + 1)),
    Line(("help", "create-user", "x")),
    Line(("help", "nonsense")),
    Line(("sluice-fence-a",)),
]


@pytest.mark.parametrize("line", REFUSED, ids=repr)
@pytest.mark.parametrize("dialect", [V10, V11], ids=str)
def test_the_last_guard_refuses_what_could_mean_anything_else(
    line: Line, dialect: Dialect
) -> None:
    with pytest.raises(Unspellable):
        spell(dialect, S, line)


WORDS = st.lists(
    st.text(st.characters(blacklist_categories=["Cs"]), max_size=12)
    | st.sampled_from(["#x", "'", '"', "\\", "-h", "--", "help", "a_b", "```", "$x", "''"]),
    min_size=1,
    max_size=4,
)


@given(WORDS, st.lists(st.text(max_size=10), max_size=3), st.sampled_from(list(Dialect)))
@settings(max_examples=int(os.environ.get("SLUICE_RUNS", "1500")))
def test_a_line_that_is_spelled_is_read_as_its_words_and_nothing_else(
    words: list[str], block: list[str], dialect: Dialect
) -> None:
    line = Line(("purge-media" if block else "create-user", *words), tuple(block))
    try:
        body = spell(dialect, S, line)
    except Unspellable:
        return
    read = read_body(dialect, S, body)
    assert read is not None
    assert (read.words, read.block) == (line.words, line.block)
    assert not any(w.startswith("-") for w in line.words)


def test_a_fence_is_the_same_word_for_every_version() -> None:
    assert fence(S, "k3j9x2") == f"{AT}: sluice-fence-k3j9x2"
    for nonce in ("a b", "a\nb", "a'b", "ä", ""):
        with pytest.raises(Unspellable):
            fence(S, nonce)


def test_lines_typed_at_random_are_refused_or_sent_exactly() -> None:
    for seed in range(int(os.environ.get("SLUICE_RUNS", "3000"))):
        once(seed)
