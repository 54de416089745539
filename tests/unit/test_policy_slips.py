"""The mistakes that come naturally in a policy, each with the remedy that its error names: read by
the loader, by `python -m sluice check`, and told in the ops room when such a text is saved."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from policies import ROOT, problems_of, settings_of, warnings_of
from test_policy_reload import Desk
from test_policy_reload import desk as desk_of_reload

from sluice.__main__ import main
from sluice.chat.policy_news import roles_line
from sluice.policy.access import read_out
from sluice.text.message import plain
from tests.fake.homeserver import Fault
from tests.stage.stage import BASE, POLICY
from tests.unit.scenes import ANA, BOT, SERVER

desk = desk_of_reload

TEXT = """\
ops_rooms: ["!room"]
policy:
  people:
    ana: "@ana:example.org"
    bo: "@bo:example.org"
  roles:
    mod: {members: [bo]}
    owner: {members: [ana], inherits: mod}
  allow:
    - {role: mod, do: "#read"}
    - role: owner
      do: "*"
"""
assert problems_of(TEXT) == []


def mistaken(old: str, new: str) -> list[str]:
    assert old in TEXT
    return problems_of(TEXT.replace(old, new, 1))


SIGNS = [
    ('"@bo:example.org"', "@bo:example.org", 5, "@bo:example.org"),
    ('"@bo:example.org"', "@bo:example.org  # from the office", 5, "@bo:example.org"),
    ('"@bo:example.org"', "[@bo:example.org, @bo.phone:example.org]", 5, "@bo:example.org"),
    (
        '"@bo:example.org"',
        '["@bo:example.org", @bo.phone:example.org]',
        5,
        "@bo.phone:example.org",
    ),
    ('"@bo:example.org"', "\n      - @bo:example.org", 6, "@bo:example.org"),
    ('"@bo:example.org"', "[\n      @bo:example.org,\n    ]", 6, "@bo:example.org"),
    ('"@bo:example.org"', '@bo:example.org"', 5, "@bo:example.org"),
    ("[bo]", "[@*:example.org]", 7, "@*:example.org"),
    ("[bo]", "[bo, @*:example.org:8448]", 7, "@*:example.org:8448"),
    ('["!room"]', "[!room]", 1, "!room"),
    ('["!room"]', "!room:example.org", 1, "!room:example.org"),
    ('["!room"]', "\n  - !room:example.org", 2, "!room:example.org"),
    ('["!room"]', '["!room", !second]', 1, "!second"),
    ('"*"', "*", 12, "*"),
    ('"*"', "[*]", 12, "*"),
    ('"*"', "*  # all", 12, "*"),
    ('{role: mod, do: "#read"}', "{role: mod, do: *}", 10, "*"),
    ("policy:", "prefix: !\npolicy:", 2, "!"),
    ("policy:", "prefix: *\npolicy:", 2, "*"),
    ("policy:", "prefix: %\npolicy:", 2, "%"),
    ("policy:", "prefix: ?\npolicy:", 2, "?"),
    ("policy:", "prefix: &\npolicy:", 2, "&"),
    ("policy:", "reserved_names: [*_bot]\npolicy:", 2, "*_bot"),
    ("policy:", "admin_room: !abc:example.org\npolicy:", 2, "!abc:example.org"),
    ("policy:", "welcome: @here you are\npolicy:", 2, "@here you are"),
]


@pytest.mark.parametrize(("old", "new", "line", "word"), SIGNS)
def test_a_value_without_its_quotes(old: str, new: str, line: int, word: str) -> None:
    said = f'{line}: what begins with {word[0]} must be in quotes: "{word}"'
    assert mistaken(old, new)[:1] == [said]


COMMENTS = [
    ('{role: mod, do: "#read"}', "{role: mod, do: #read}", "10: ", "#read"),
    ('{role: mod, do: "#read"}', "{role: mod, do: [#read, deactivate]}", "10: ", "#read"),
    ('{role: mod, do: "#read"}', "{do: #inspect, role: mod}", "10: ", "#inspect"),
    ('"*"', "#destructive", "12: do: ", "#destructive"),
    ('"*"', "\n        - #read\n        - adduser", "13: do: ", "#read"),
    ("policy:", "prefix: #\npolicy:", "2: prefix: ", "#"),
    (
        "policy:",
        "admin_room: #admins:example.org\npolicy:",
        "2: admin_room: ",
        "#admins:example.org",
    ),
]


@pytest.mark.parametrize(("old", "new", "where", "word"), COMMENTS)
def test_a_value_that_is_a_comment(old: str, new: str, where: str, word: str) -> None:
    said = f'{where}from # on it is a comment; put it in quotes: "{word}"'
    assert mistaken(old, new)[:1] == [said]


@pytest.mark.parametrize("text", ["server:  # our own\n", "admin_room: # not yet\n", "server:\n"])
def test_a_remark_behind_an_empty_value_is_one(text: str) -> None:
    assert problems_of(TEXT + text) == []


CURLY = ["“{}”", "„{}“", "„{}”", "«{}»", "»{}«", "‘{}’", "‚{}‘", "”{}”", '“{}"', '"{}”']


@pytest.mark.parametrize("quotes", CURLY)
@pytest.mark.parametrize(
    ("old", "line", "word"),
    [
        ('"@bo:example.org"', 5, "@bo:example.org"),
        ('"!room"', 1, "!room"),
        ('"#read"', 10, "#read"),
        ('"*"', 12, "*"),
    ],
)
def test_typographic_quotes(quotes: str, old: str, line: int, word: str) -> None:
    (said,) = mistaken(old, quotes.format(word))
    assert said.startswith(f"{line}: "), said
    assert said.endswith(f'are no quotes here, " is. Write "{word}"'), said


def test_typographic_quotes_around_what_any_text_could_be() -> None:
    assert mistaken("policy:", "prefix: “.”\npolicy:") == [
        '2: “ ” are no quotes here, " is. Write "."'
    ]
    text = TEXT + "welcome: Say “hello” to everybody, “please”\n"
    assert settings_of(text).welcome == "Say “hello” to everybody, “please”"
    old = settings_of(TEXT + "prefix: “.”\n", accepted=True)
    assert (old.prefix, len(old.outdated)) == ("“.”", 1), "an upgrade changes nothing"


BLANKS = ["\u00a0", "\u202f", "\u2003", "\u3000"]


@pytest.mark.parametrize("blank", BLANKS)
@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("    bo:", "____bo:", 5),
        ("    bo:", "  __bo:", 5),
        ("    bo:", "   _bo:", 5),
        ("bo: ", "bo:_", 5),
        ("members: [bo]", "members:_[bo]", 7),
        ("    - role", "____- role", 11),
        ("    - role", "    -_role", 11),
        (TEXT, TEXT.replace(" ", "_"), 1),
    ],
)
def test_a_blank_that_is_none(old: str, new: str, line: int, blank: str) -> None:
    said = mistaken(old, new.replace("_", blank))[0]
    number = f"(U+{ord(blank):04X})"
    assert said == (
        f"{line}: a blank in this line is none {number}, it only looks like one; type it again"
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    - {role", "    – {role", "10: an entry of a list begins with -, not with –"),
        ("    - {role", "    • {role", "10: an entry of a list begins with -, not with •"),
        ('bo: "@bo', 'bo:"@bo', "5: a blank is missing behind “bo:”"),
        ("members: [bo]", "members:[bo]", "7: a blank is missing behind “members:”"),
        (
            "policy:",
            "welcome: Hello: you\npolicy:",
            '2: a text with a colon must be in quotes: "Hello: you"',
        ),
        (
            '"@bo:example.org"',
            '"@bo:example.org',
            '5: a quote is opened here and not closed: "@bo:example.org',
        ),
        (
            "members: [bo]}",
            "members: [bo}",
            "7: this is no YAML: a list that begins with [ is not closed: a ] or a "
            "comma is missing",
        ),
        (
            "members: [ana], inherits",
            "members: [ana] inherits",
            "8: this is no YAML: what begins with { is not closed: a } or a comma is missing",
        ),
        (
            "    bo:",
            "     bo:",
            "5: this is no YAML: indented otherwise than what it belongs to, from line 4 on",
        ),
    ],
)
def test_other_slips_of_the_fingers(old: str, new: str, said: str) -> None:
    assert mistaken(old, new)[:1] == [said]


def _every(text: str) -> Iterator[tuple[int, str, str, str]]:
    """Each slip at each place of a text where it can be made: line, kind, what the error says."""
    rows = text.splitlines()
    for number, row in enumerate(rows):
        if not row.strip() or row.lstrip().startswith("#"):
            continue
        for found in re.finditer(r'"([^"]*)"', row):
            before, word, after = row[: found.start()], found[1], row[found.end() :]
            if word[:1] in set("@!#*"):
                yield number, "unquoted", before + word + after, f'in quotes: "{word}"'
            yield number, "curly", f"{before}“{word}”{after}", "are no quotes here"
        indent = len(row) - len(row.lstrip())
        if indent:
            yield number, "blanks", "\u00a0" * indent + row.lstrip(), "U+00A0"
        if row.lstrip().startswith("- "):
            yield number, "dash", row.replace("- ", "– ", 1), "not with –"
        if ": " in row:
            yield number, "glued", row.replace(": ", ":", 1), "a blank is missing behind “"
        if row.rstrip().endswith(("]", "}")):
            yield number, "open", row.rstrip()[:-1], "is opened here and not closed"


@pytest.mark.parametrize(
    "name", ["base-config.yaml", "docs/examples/one-owner-two-moderators.yaml"]
)
def test_each_slip_at_each_place_of_a_ready_policy(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    rows, wrong = text.splitlines(), []
    for number, kind, slip, said in _every(text):
        mistaken = "\n".join((*rows[:number], slip, *rows[number + 1 :]))
        error = (problems_of(mistaken) or ["valid"])[0]
        if not error.startswith(f"{number + 1}: ") or said not in error:
            wrong.append((number + 1, kind, slip, error))
    assert wrong == []


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("bo", "@bo:example.org"),
        ("@bo", "@bo:example.org"),
        ("bo:example.org", "@bo:example.org"),
        ("bo@example.org", "@bo:example.org"),
        ("https://matrix.to/#/@bo:example.org", "@bo:example.org"),
        ("matrix:u/bo:example.org", "@bo:example.org"),
    ],
)
def test_an_account_as_people_remember_it(typed: str, meant: str) -> None:
    (said,) = mistaken('"@bo:example.org"', f'"{typed}"')
    assert said == f'5: “{typed}” is no account; write "{meant}"'


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("room:example.org", 'is no room id; write "!room:example.org"'),
        ("https://matrix.to/#/!room?via=example.org", 'is no room id; write "!room"'),
        ("room", "is no room id (!…)"),
        ("#ops:example.org", "is an address, which can be re-pointed; write the id (!…)"),
    ],
)
def test_a_room_as_it_is_copied(typed: str, said: str) -> None:
    assert mistaken('"!room"', f'"{typed}"') == [f"1: ops_rooms: “{typed}” {said}"]


HASH = "shvXWX1qPpTTkxdy4qkFLAkzYZs8hZFPKYHYXgnQ2Nk"


def test_a_room_of_version_12_with_a_server() -> None:
    text = TEXT.replace("!room", f"!{HASH}:example.org")
    assert warnings_of(text)[0] == (
        f'1: “!{HASH}:example.org”: ids of this length have no server part; write "!{HASH}"'
    )
    assert not any(
        "server part" in said for said in warnings_of(TEXT.replace("!room", f"!{HASH}"))
    )


def test_what_is_left_of_the_example_is_named() -> None:
    mine = BASE.replace("example.org", "hidden.net").replace("@ana:example.net", "@x:example.net")
    said = [said for said in warnings_of(mine, server="hidden.net") if "of the example" in said]
    assert said == [
        "6: “!opsroom” is of the example: put the id of your room in its place",
        "25: “@x:example.net” is of the example: put yours in its place, or take it out",
    ]
    said = warnings_of(BASE, server="hidden.net")
    assert sum("@bo:example.org” is of the example" in each for each in said) >= 1


def test_no_ready_policy_names_a_stranger_or_needs_zone_data(monkeypatch) -> None:
    from sluice.policy import keys

    monkeypatch.setattr(keys, "ZoneInfo", lambda name: 1 / 0)
    for path in (ROOT / "base-config.yaml", *(ROOT / "docs" / "examples").glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        settings = settings_of(text, server=None)
        for mxids in settings.policy.people.values():
            for mxid in mxids:
                assert "example" in mxid.partition(":")[2], (path, mxid)


def test_accounts_that_a_name_does_not_say_are_read_out() -> None:
    text = TEXT.replace('bo: "@bo', 'bo: "@robert').replace(
        'ana: "@ana:example.org"', 'ana: ["@ana:example.org", "@ana:example.net"]'
    )
    said = plain(roles_line(read_out(settings_of(text).policy)))
    assert said == (
        "Owners: ana (@ana:example.org, @ana:example.net). Mods: bo (@robert:example.org)."
    )
    assert plain(roles_line(read_out(settings_of(TEXT).policy))) == "Owners: ana. Mods: bo."


# --- where it is told


def checked(capsys: pytest.CaptureFixture[str], path: Path, text: str) -> tuple[int, str]:
    path.write_text(text, encoding="utf-8")
    return main(["check", str(path), "--server", "example.org"]), capsys.readouterr().out


def test_check_names_the_remedy_and_all_accounts(capsys, tmp_path) -> None:
    path = tmp_path / "sluice.yaml"
    wrong = TEXT.replace('"@bo:example.org"', "@bo:example.org")
    said = 'what begins with @ must be in quotes: "@bo:example.org"'
    assert checked(capsys, path, wrong) == (1, f"{path}:5: {said}\n")
    code, out = checked(capsys, path, TEXT.replace("bo: ", "robert: ").replace("[bo]", "[robert]"))
    assert code == 0
    assert "\nrobert is @bo:example.org\nexample.org: valid. Who can:\n" in out
    assert "ana is" not in out


def test_check_whose_reader_leaves_says_nothing_of_it(tmp_path) -> None:
    path = tmp_path / "sluice.yaml"
    path.write_text(TEXT * 1 + "".join(f"key{n}: 1\n" for n in range(20_000)))
    command = f"{sys.executable} -m sluice check {path} --server example.org | head -1"
    done = subprocess.run(
        command, shell=True, capture_output=True, text=True, cwd=ROOT / "plugin", check=False
    )
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""


async def test_the_ops_room_reads_the_remedy_when_such_a_text_is_saved(desk: Desk) -> None:
    (said,) = await desk.saves(POLICY.replace('"@bo:example.org"', "@bo:example.org"))
    assert said == (
        "❗ Policy rejected, the old one stays. Line 27: an error.\n"
        'what begins with @ must be in quotes: "@bo:example.org"'
    )
    (said,) = await desk.saves(POLICY.replace("do: adduser,", "do: #read,"))
    assert 'from # on it is a comment; put it in quotes: "#read' in said


async def test_the_ops_room_reads_which_accounts_a_new_person_has(desk: Desk) -> None:
    bo = 'bo: "@bo:example.org"'
    (said,) = await desk.saves(POLICY.replace(bo, f'{bo}\n    kim: "@kim:elsewhere.org"'))
    assert "kim is new: @kim:elsewhere.org" in said


# --- an ops room that does not let us in

NEW = f"!{HASH}:{SERVER}"


async def moves(desk: Desk, *rooms: str) -> str:
    named = ", ".join(f'"{room}"' for room in rooms)
    return (await desk.saves(POLICY.replace('"!opsroom:example.org"', named)))[0]


@pytest.mark.parametrize(
    ("rooms", "fix"),
    [
        (["!other:example.org"], "invite @sluice:example.org there first"),
        (["!other:example.org", NEW], "invite @sluice:example.org there first"),
        ([NEW], f'such ids have no server part, write "!{HASH}"'),
    ],
)
async def test_the_only_room_is_not_left_for_one_that_does_not_let_us_in(
    desk: Desk, rooms: list[str], fix: str
) -> None:
    said = await moves(desk, *rooms)
    assert said.startswith("❗ Policy rejected, the old one stays. Line 6: an error.")
    assert said.endswith(f"ops_rooms: I am not in {rooms[0]}: {fix}")
    assert desk.room.live.in_force.ops_rooms == (desk.room.room,)


async def test_an_id_without_its_server_part_is_tried_in_what_we_are_in(desk: Desk) -> None:
    """An old id that somebody gave a server to."""
    fake = desk.room.fake
    short = fake.room(ANA, BOT, version="12")
    said = await moves(desk, f"{short}:elsewhere.org")
    assert said.endswith(f'such ids have no server part, write "{short}"')


async def test_a_room_that_invited_us_is_moved_to(desk: Desk) -> None:
    fake = desk.room.fake
    room = fake.room(ANA, version="10")
    assert "rejected" in await moves(desk, room)
    fake.put(room, ANA, "m.room.member", {"membership": "invite"}, BOT)
    assert "New policy: " in await moves(desk, room)
    assert desk.room.live.in_force.ops_rooms == (room,)


async def test_a_homeserver_that_is_away_does_not_keep_a_policy_back(desk: Desk) -> None:
    desk.room.fake.faults.append(Fault("joined_rooms", None, times=9))
    assert "New policy: " in await moves(desk, "!other:example.org")
