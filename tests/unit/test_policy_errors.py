"""Every error and warning of a policy text: its line and its words, which an owner acts on."""

from __future__ import annotations

import json
from typing import Any
from zoneinfo import ZoneInfoNotFoundError

import pytest
from policies import EXAMPLE, ROOT, loaded, problems_of, settings_of, warnings_of
from ruamel.yaml import YAML

from sluice.policy import document, keys
from tests.stage.stage import BASE

HEAD = """\
ops_rooms: ["!ops:example.org"]
policy:
  people:
    ana: "@ana:example.org"
    dan: "@dan:example.org"
    bo: "@bo:example.org"
    cy: "@cy:example.org"
  roles:
    helper: {members: ["@*:example.org"], min_power: 25}
    mod: {members: [bo, cy], inherits: helper}
    owner: {members: [ana, dan], inherits: mod}
"""  # 11 lines; what a case adds begins in line 12


def case(lines: str) -> list[str]:
    return problems_of(HEAD + lines)


ERRORS = {
    # --- keys and values
    "an unknown key at the top": (
        "ops_room: []\n",
        ["12: unknown key “ops_room”, did you mean “ops_rooms”?"],
    ),
    "an unknown key of the policy": (
        "  requires: []\n",
        ["12: unknown key “requires”, did you mean “require”?"],
    ),
    "an unknown key of a line": (
        "  allow:\n    - {role: mod, do: users, wher: {}}\n",
        ["13: unknown key “wher”, did you mean “where”?"],
    ),
    "role where it does not belong": (
        "  deny:\n    - {role: mod, do: users}\n",
        ["13: unknown key “role” (role stands in allow lines only)"],
    ),
    "an unknown matcher": (
        "  allow:\n    - {role: mod, do: adduser, where: {user: {regexp: x}}}\n",
        ["13: unknown key “regexp”, did you mean “regex”?"],
    ),
    "an unknown key of a window": (
        "  deny:\n    - {do: users, during: {day: mon}}\n",
        ["13: unknown key “day”, did you mean “days”?"],
    ),
    "an unknown key of relay": (
        "relay: {timeot: 60s}\n",
        ["12: unknown key “timeot”, did you mean “timeout”?"],
    ),
    "a key twice": (
        "  allow: []\n  deny: []\n  allow: []\n",
        ["14: “allow” stands here twice, first in line 12"],
    ),
    "a key without a value": (
        "  allow:\n",
        ["12: allow has no value; write one or leave the key out"],
    ),
    "a required key left out": (
        "  limit:\n    - {do: users, per: person, max: 3}\n",
        ["13: a limit line needs the key every"],
    ),
    "a number for a text": (
        "  tests:\n    - {as: ana, run: 5, expect: allow}\n",
        ["13: run: “5” is no text; put it in quotes"],
    ),
    "a word for a number": (
        "  limit:\n    - {do: users, per: person, max: many, every: 1d}\n",
        ["13: max: “many” is no whole number"],
    ),
    "no time span": (
        "command_max_age: 5 minutes\n",
        ["12: command_max_age: “5 minutes” is no time span. Like this: 30m, 1h, 7d"],
    ),
    "yes for true": (
        "secrets: {replace: yes}\n",
        ["12: replace: “yes” is neither true nor false"],
    ),
    "none of the words": (
        "relay: {attacker_sized: maybe}\n",
        ["12: attacker_sized: “maybe” is none of: ask, allow, refuse"],
    ),
    "a list for a section": ("relay: []\n", ["12: relay must be a section of keys, not a list"]),
    "a section for a list": ("  allow: {}\n", ["12: allow: a section is no list"]),
    "a text for a line": (
        "  allow: [users]\n",
        ["12: an allow line must be a section of keys, not “users”"],
    ),
    "a bad prefix": (
        'prefix: "@"\n',
        ["12: prefix: “@” is no prefix: up to 8 signs without blanks, not @ # / <"],
    ),
    "a bad reserved name": (
        'reserved_names: ["A*"]\n',
        ["12: reserved_names: “A*” is no pattern of user names (a-z 0-9 . _ = / + - and *)"],
    ),
    "no server": ('server: "a b"\n', ["12: server: “a b” is no server name"]),
    # --- YAML itself
    "no YAML": ("  allow: [users\n", ["12: [ is opened here and not closed"]),
    "a tab": ("  allow:\n\t- x\n", ["13: a tab stands before the text; indent with blanks"]),
    "an anchor": (
        "  allow: &a []\n  deny: *a\n",
        ["12: & and * (anchors) are not used here; write the value again"],
    ),
    "a tag": (
        "welcome: !!binary abc\n",
        ["12: tags like tag:yaml.org,2002:binary are not used here"],
    ),
    "two documents": ("---\na: b\n", ["12: a second document begins here; one text, one policy"]),
    "a character nobody types": ("# \x07\n", ["12: a character that nobody types (U+0007)"]),
    # --- rooms
    "an address for a room": (
        'admin_room: "#admins:example.org"\n',
        ["12: admin_room: “#admins:example.org” is an address, which can be re-pointed; "
         "write the id (!…)"],
    ),
    "the admin room as ops room": (
        'admin_room: "!ops:example.org"\n',
        ["1: ops_rooms holds the admin room; commands are typed in another room"],
    ),
    "policy_file beside others": (
        "policy_file: /x\n",
        ["12: policy_file stands alone: all other keys go into the file it names"],
    ),
    # --- roles and lines
    "an unknown role in a line": (
        "  allow:\n    - {role: mot, do: users}\n",
        ["13: unknown role “mot”, did you mean “mod”?"],
    ),
    "unknown owners": ("owners: owners\n", ["12: unknown role “owners”, did you mean “owner”?"]),
    "an unknown role for reports": (
        "notices: {reports: mods}\n",
        ["12: unknown role “mods”, did you mean “mod”?"],
    ),
    "an unknown command": (
        "  allow:\n    - {role: mod, do: [users, adusser]}\n",
        ["13: unknown command “adusser”, did you mean “adduser”?"],
    ),
    "an unknown group": (
        '  deny:\n    - {do: "#reed"}\n',
        ["13: unknown group “#reed”, did you mean “#read”?"],
    ),
    "Conduit's name of a command": (
        "  deny:\n    - {do: create-user}\n",
        ["13: “create-user” is called adduser here"],
    ),
    "a command of Sluice's own": (
        "  deny:\n    - {do: pause}\n",
        ["13: pause is Sluice's own command; who may use it is built in"],
    ),
    "no command at all": ("  deny:\n    - {do: []}\n", ["13: do names no command"]),
    "a group that cannot be allowed": (
        '  allow:\n    - {role: mod, do: "#destructive"}\n',
        ["13: #destructive cannot be allowed as a group; name its commands"],
    ),
    "everything for a whole server": (
        '  allow:\n    - {role: helper, do: "*"}\n',
        ["13: “*” takes a role whose members are all named; helper is also held through a whole "
         "server (@*:…)"],
    ),
    "owners of a whole server": (
        "owners: helper\n",
        ["12: owners takes a role whose members are all named; helper is also held through a "
         "whole server (@*:…)"],
    ),
    "break-glass for a whole server": (
        "  break_glass: {role: helper, max: 1, every: 1d}\n",
        ["12: break_glass takes a role whose members are all named; helper is also held through "
         "a whole server (@*:…)"],
    ),
    "votes of a whole server": (
        "  require:\n    - {do: purge, approvals: [{from: helper, n: 1}]}\n",
        ["13: approvals takes a role whose members are all named; helper is also held through a "
         "whole server (@*:…)"],
    ),
    "no vote": (
        "  require:\n    - {do: purge, approvals: [{from: mod, n: 0}]}\n",
        ["13: n: 0 is not between 1 and 100"],
    ),
    "votes twice from one role": (
        "  require:\n    - {do: purge, approvals: [{from: mod, n: 1}, {from: mod, n: 2}]}\n",
        ["13: mod stands in these approvals twice"],
    ),
    "more votes than there are people": (
        "  allow: [{role: mod, do: purge}]\n"
        "  require:\n    - do: purge\n      approvals:\n        - {from: mod, n: 4}\n",
        ["16: approvals: 4 votes are needed, but role mod has only 3 besides the requester"],
    ),
    "votes that can be had one by one only": (
        "  allow: [{role: owner, do: purge}]\n"
        "  require:\n    - {do: purge, approvals: [{from: mod, n: 3}, {from: owner, n: 1}]}\n",
        ["14: approvals: 4 votes are needed, but role mod and role owner have only 3 besides the "
         "requester"],
    ),
    "a require line that asks nothing": (
        "  require:\n    - {do: purge, expires: 1h}\n",
        ["13: a require line needs reason: true or approvals"],
    ),
    "votes that wait for days": (
        "  require:\n    - {do: purge, expires: 2d, approvals: [{from: mod, n: 1}]}\n",
        ["13: expires: “2d” is not between 60 s and 24 h"],
    ),
    "an id twice": (
        "  deny:\n    - {id: x, do: purge}\n    - {id: x, do: block}\n",
        ["14: id x stands in line 13 already"],
    ),
    "an id of several words": (
        "  deny:\n    - {id: line 5, do: purge}\n",
        ["13: id: “line 5” is no name: one word of letters, digits . _ -"],
    ),
    # --- conditions
    "an unknown argument": (
        "  allow:\n    - {role: mod, do: adduser, where: {usr: {regex: x}}}\n",
        ["13: unknown argument of adduser “usr”, did you mean “user”?"],
    ),
    "an argument that one command lacks": (
        "  allow:\n    - {role: mod, do: [adduser, clearcache], where: {user: {regex: x}}}\n",
        ["13: clearcache has no argument “user”; write a line of its own for it"],
    ),
    "target without accounts": (
        "  deny:\n    - {do: users, where: {target: {in_role: mod}}}\n",
        ["13: no target: users acts on no account"],
    ),
    "a condition that says nothing": (
        "  deny:\n    - {do: adduser, where: {user: {}}}\n",
        ["13: where user says nothing; write regex, one_of, server, in_role, is_self"],
    ),
    "a role of what is no account": (
        "  deny:\n    - {do: disableroom, where: {room: {in_role: mod}}}\n",
        ["13: in_role is for accounts; room is none"],
    ),
    "an unknown role in a condition": (
        "  deny:\n    - {do: adduser, where: {target: {in_role: mot}}}\n",
        ["13: unknown role “mot”, did you mean “mod”?"],
    ),
    "the server of what has none": (
        "  deny:\n    - {do: event, where: {event: {server: x.org}}}\n",
        ["13: event has no server part"],
    ),
    "an expression on a time span": (
        "  deny:\n    - {do: registration.set, where: {for: {regex: x}}}\n",
        ["13: the regex “x” cannot look at for; use one_of"],
    ),
    "a value that cannot be typed": (
        "  deny:\n    - {do: adduser, where: {user: {one_of: [älice]}}}\n",
        ["13: one_of: “älice” cannot be a user name. Allowed: a-z 0-9 . _ = / + -"],
    ),
    "a quantifier on a group": (
        "  deny:\n    - {do: adduser, where: {user: {regex: '(a+)+'}}}\n",
        ["13: the regex “(a+)+” has a quantifier on a group"],
    ),
    "too many quantifiers without end": (
        "  deny:\n    - {do: adduser, where: {user: {regex: 'a*b*c*d{2,}'}}}\n",
        ["13: the regex “a*b*c*d{2,}” has 4 quantifiers without end, 3 at most"],
    ),
    "a long expression": (
        f"  deny:\n    - {{do: adduser, where: {{user: {{regex: '{'a' * 201}'}}}}}}\n",
        [f"13: the regex “{'a' * 59}…” is 201 characters long, 200 is the most"],
    ),
    "no expression": (
        "  deny:\n    - {do: adduser, where: {user: {regex: '[a'}}}\n",
        ["13: the regex “[a” is no regular expression: unterminated character set at position 0"],
    ),
    "an unknown day": (
        "  deny:\n    - {do: users, during: {days: mon-fry}}\n",
        ["13: days: “mon-fry” is no day. Like this: mon-fri, sun"],
    ),
    "no hours": (
        '  deny:\n    - {do: users, during: {hours: "8-20"}}\n',
        ["13: hours: “8-20” is no span of hours. Like this: 08:00-20:00"],
    ),
    "hours that begin when they end": (
        '  deny:\n    - {do: users, during: {hours: "08:00-08:00"}}\n',
        ["13: hours: “08:00-08:00” begins when it ends; leave hours out for the whole day"],
    ),
    "a window without anything": (
        "  deny:\n    - {do: users, during: {tz: UTC}}\n",
        ["13: a time window needs days or hours"],
    ),
    "an unknown zone": (
        "  deny:\n    - {do: users, during: {days: mon, tz: Europe/Berlln}}\n",
        ["13: tz: unknown time zone “Europe/Berlln”, did you mean “Europe/Berlin”?"],
    ),
    "an unknown zone at the top": (
        "timezone: Mars\n",
        ["12: timezone: unknown time zone “Mars”. Like this: Europe/Berlin"],
    ),
    # --- tests and who_can
    "a failing test": (
        '  tests:\n    - {as: bo, run: "adduser alice", expect: allow}\n',
        ["13: bo “adduser alice” should be allowed; the answer is: not allowed, no line allows "
         "it"],
    ),
    "a test with another rule": (
        "  allow: [{id: a, role: mod, do: adduser}, {id: b, role: owner, do: adduser}]\n"
        '  tests:\n    - {as: bo, run: "adduser alice", expect: allow, via: b}\n',
        ["14: bo “adduser alice” should be allowed by b; the answer is: allowed by a"],
    ),
    "a test with other voters": (
        "  allow: [{id: a, role: mod, do: purge}]\n"
        "  require: [{id: r, do: purge, approvals: [{from: owner, n: 1}]}]\n"
        "  tests:\n    - {as: bo, run: 'purge mxc://a.org/b', expect: approve, by: [ana]}\n",
        ["15: bo “purge mxc://a.org/b” should need approval, votes from ana; the answer is: needs "
         "approval from ana or dan (a, r)"],
    ),
    "a test of a word that is no command": (
        "  tests:\n    - {as: bo, run: adusser alice, expect: deny}\n",
        ["13: “adusser alice”: unknown command “adusser”, did you mean “adduser”?"],
    ),
    "a test of a line that cannot run": (
        "  tests:\n    - {as: bo, run: adduser älice, expect: deny}\n",
        ["13: “adduser älice”: “älice” cannot be a user name. Allowed: a-z 0-9 . _ = / + -"],
    ),
    "a test that lacks an argument": (
        "  tests:\n    - {as: bo, run: adduser, expect: deny}\n",
        ["13: “adduser”: user is missing"],
    ),
    "a test of nobody": (
        "  tests:\n    - {as: boo, run: users, expect: deny}\n",
        ["13: unknown person “boo”, did you mean “bo”?"],
    ),
    "a test of a whole server": (
        '  tests:\n    - {as: "@*:example.org", run: users, expect: deny}\n',
        ["13: “@*:example.org”: * stands for a whole server only, @*:server; here stand names "
         "only"],
    ),
    "a test at no time": (
        "  tests:\n    - {as: bo, at: tomorrow, run: users, expect: deny}\n",
        ["13: at: “tomorrow” is no moment. Like this: 2026-11-24T12:00:00Z"],
    ),
    "a test by a rule that does not exist": (
        "  tests:\n    - {as: bo, run: users, expect: deny, via: nights}\n",
        ["13: via: there is no rule “nights”"],
    ),
    "who_can with one too few and one too many": (
        "  allow: [{role: mod, do: purge}]\n  who_can:\n    purge: [ana, bo, dan, '@x:y.org']\n",
        ["14: who_can purge: cy can too, @x:y.org cannot"],
    ),
    "who_can without a whole server": (
        '  allow: [{role: helper, do: users}]\n  who_can:\n    users: [ana, dan, bo, cy]\n',
        ["14: who_can users: @*:example.org >= 25 can too"],
    ),
    "who_can of no command": (
        "  who_can: {purgee: []}\n",
        ["12: unknown command “purgee”, did you mean “purge”?"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_error(name):
    lines, expected = ERRORS[name]
    assert case(lines) == expected


PEOPLE = {
    "an unknown member": ("mod: {members: [bo, byo]}", "unknown person “byo”, did you mean “bo”?"),
    "a part of a server": (
        'mod: {members: ["@b*:example.org"]}',
        "“@b*:example.org”: * stands for a whole server only, @*:server",
    ),
    "every server": (
        'mod: {members: ["@*:*"]}',
        "“@*:*”: * stands for a whole server only, @*:server",
    ),
    "no account": ('mod: {members: ["@bo"]}', '“@bo” is no account; write "@bo:example.org"'),
    "power that is no number": ("mod: {min_power: high}", "min_power: “high” is no whole number"),
    "an unknown role to inherit": (
        "mod: {inherits: helper}",
        "unknown role “helper”",
    ),
    "a role that inherits itself": ("mod: {inherits: mod}", "role mod inherits itself"),
    "a role with a strange name": (
        '"a b": {members: []}',
        "“a b” is no name: one word of letters, digits . _ -",
    ),
}


@pytest.mark.parametrize("name", PEOPLE)
def test_error_in_a_role(name):
    role, expected = PEOPLE[name]
    text = f'policy:\n  people:\n    bo: "@bo:example.org"\n  roles:\n    {role}\n'
    assert problems_of(text) == [f"5: {expected}"]


def test_roles_that_inherit_each_other_are_told_at_each_place():
    text = "policy:\n  roles:\n    a: {inherits: b}\n    b: {inherits: c}\n    c: {inherits: a}\n"
    assert problems_of(text) == [
        "3: role a inherits b, which inherits it",
        "4: role b inherits c, which inherits it",
        "5: role c inherits a, which inherits it",
    ]


@pytest.mark.parametrize(
    ("people", "expected"),
    [
        ('bo: "bo"', '5: “bo” is no account; write "@bo:example.org"'),
        ("bo: []", "5: bo has no account"),
        ("bo: 5", "5: “5” is no text; put it in quotes"),
        ('bo: "@ana:example.org"', "5: “@ana:example.org” belongs to ana already"),
        ('bo: ["@b:x.org", "@b:x.org"]', "5: “@b:x.org” stands here twice"),
        ('bo: "@*:example.org"', "5: “@*:example.org”: * stands for a whole server only, "
                                 "@*:server; here stand names only"),
        ('"b o": "@bo:example.org"', "5: “b o” is no name: one word of letters, digits . _ -"),
        ('7: "@bo:example.org"', "5: a key must be text, not “7”"),
    ],
)  # fmt: skip
def test_error_in_people(people, expected):
    text = f'policy:\n  # people\n  people:\n    ana: "@ana:example.org"\n    {people}\n'
    assert problems_of(text) == [expected]


def test_each_error_has_its_line_in_a_policy_with_items_below_each_other():
    text = HEAD + (
        "  allow:\n"  # 12
        "    - id: a\n"
        "      role: mod\n"
        "      do:\n"
        "        - users\n"
        "        - adusser\n"  # 17
        "      where:\n"
        "        usr:\n"  # 19
        "          regex: x\n"
        "          in_role: mot\n"  # 21
        "  limit:\n"
        "    - do: users\n"  # 23
        "      per: persn\n"
        "      max: 0\n"
        "  who_can:\n"
        "    purgee:\n"  # 27
        "      - boo\n"
        "    purge:\n"
        "      - boo\n"
    )
    assert problems_of(text) == [
        "17: unknown command “adusser”, did you mean “adduser”?",
        "19: unknown argument of users “usr”",
        "21: unknown role “mot”, did you mean “mod”?",
        "23: a limit line needs the key every",
        "24: per: “persn” is none of: person, everyone",
        "25: max: 0 is not between 1 and 1000000000",
        "27: unknown command “purgee”, did you mean “purge”?",
        "30: unknown person “boo”, did you mean “bo”?",
    ]


def test_tests_are_not_run_while_a_line_is_wrong_so_that_one_mistake_is_one_error():
    broken = EXAMPLE.replace("role: mod, do: adduser,", "role: mod, do: adusser,")
    assert broken != EXAMPLE
    assert [text.partition(": ")[2] for text in problems_of(broken)] == [
        "unknown command “adusser”, did you mean “adduser”?"
    ]


def test_the_unknown_zone_names_the_remedy_without_tzdata(monkeypatch):
    def missing(key: str) -> Any:
        raise ZoneInfoNotFoundError(f"No time zone found with key {key}")

    monkeypatch.setattr(keys, "ZoneInfo", missing)
    monkeypatch.setattr(keys, "available_timezones", set)
    assert case("timezone: Europe/Berlin\n")[0].endswith("install tzdata (pip install tzdata)")
    assert case("timezone: UTC\n") == []


# --- warnings ---------------------------------------------------------------------------------


def warned(lines: str, head: str = HEAD) -> list[str]:
    return [w for w in warnings_of(head + lines) if "no test reaches" not in w]


def test_warning_about_a_line_that_no_test_reaches():
    lines = (
        "  allow:\n    - {id: a, role: mod, do: users}\n    - {role: mod, do: rooms}\n"
        "  tests:\n    - {as: bo, run: users, expect: allow}\n"
    )
    assert warnings_of(HEAD + lines) == ["14: no test reaches this allow line"]
    more = HEAD + "  deny:\n    - {id: x, do: users}\n"
    assert warnings_of(more) == ["13: no test reaches this deny line x"]


def test_warning_about_a_line_that_a_deny_makes_useless():
    lines = (
        "  allow:\n    - {role: mod, do: [users, rooms]}\n    - {role: mod, do: users}\n"
        '  deny:\n    - {id: shut, do: [users, media]}\n    - {do: media}\n    - {do: "#inspect", '
        "during: {days: sun}}\n"
    )
    assert warned(lines) == [
        "14: never counts: rule shut denies all of it",
        "17: never counts: rule shut denies all of it",
    ]


def test_warning_about_a_role_without_members():
    head = HEAD.replace(
        "    owner:",
        "    empty: {}\n    base: {}\n    heir: {inherits: base, members: [bo]}\n    owner:",
    )
    assert warned("", head) == ["11: role empty has no members"]


def test_warning_about_owners_elsewhere():
    head = HEAD.replace("@ana:example.org", "@ana:evil.org").replace(
        "@dan:example.org", "@dan:evil.org"
    )
    expected = "11: all owners are on evil.org, whose owner can act as any of them"
    assert warned("", head) == [expected]
    assert warned("", head.replace("@dan:evil.org", "@dan:good.org")) == []


def test_warning_about_one_owner_and_about_none():
    one = HEAD.replace("members: [ana, dan]", "members: [ana]")
    assert warned("", one) == []
    glass = "  break_glass: {role: owner, max: 1, every: 1d}\n"
    assert warned(glass, one) == ["11: ana is the only owner: break-glass is not reviewed then"]
    none = HEAD.replace("members: [ana, dan]", "members: []")
    expected = "11: there are no owners: nobody can resume, reload or review"
    assert expected in warned("", none)


def test_warning_about_no_ops_room():
    head = HEAD.partition("\n")[2]
    assert "1: ops_rooms is empty: there is no room for commands" in warnings_of(head)


def test_the_example_has_no_error_and_no_warning():
    for text in (BASE, EXAMPLE):
        result = loaded(text)
        assert (result.errors, result.warnings) == ((), ())


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "examples").glob("*.yaml")), ids=str)
def test_the_examples_of_the_docs_load_pass_their_tests_and_reach_every_line(path):
    result = loaded(path.read_text(encoding="utf-8"), server=None)
    assert [(p.line, p.text) for p in result.errors] == []
    assert [p.text for p in result.warnings] == []


def test_one_of_the_examples_is_for_one_owner_and_two_moderators():
    text = (ROOT / "docs/examples/one-owner-two-moderators.yaml").read_text(encoding="utf-8")
    policy = settings_of(text).policy
    assert policy.members["owner"] == ("ana",)
    assert policy.members["mod"] == ("bo", "cy", "ana")


def test_json_is_yaml_and_long_texts_are_refused():
    roles = {"mod": {"members": ["@bo:example.org"]}}
    assert problems_of(json.dumps({"policy": {"roles": roles}})) == []
    assert problems_of("#" * 500_001) == ["1: the text is longer than 500,000 characters"]
    deep = "policy: " + "[" * 30 + "]" * 30
    assert problems_of(deep) == ["1: more than 20 levels inside each other"]
    assert problems_of("a: " + "[" * 100_000) != []


def test_without_the_parser_in_c_the_same_is_read(monkeypatch):
    """ruamel.yaml without its C part: slower, the same values, the same lines."""
    quick = [settings_of(EXAMPLE), {name: case(lines) for name, (lines, _) in ERRORS.items()}]
    monkeypatch.setattr(document, "YAML", lambda typ, pure: YAML(typ=typ, pure=True))
    slow = [settings_of(EXAMPLE), {name: case(lines) for name, (lines, _) in ERRORS.items()}]
    assert slow[0].policy.rules == quick[0].policy.rules
    assert slow[1] == quick[1]


def test_a_colon_inside_a_word_needs_no_quotes_between_braces():
    """YAML 1.2, and what maubot makes of a text; ruamel's parser in C refuses it."""
    line = "  tests:\n    - {as: bo, run: deactivate @spam:example.org, expect: deny}\n"
    assert case(line) == []
