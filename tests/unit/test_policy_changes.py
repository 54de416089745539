"""A change of the text is told whole: every difference of what two texts mean has its line, what
loosens something stands first, and nothing else is said."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from policies import (
    ACCOUNTS,
    EXAMPLE,
    NOW,
    PEOPLE,
    PROPERTY,
    ROLES,
    documents,
    invocations,
    limit_line,
    settings_of,
)

from sluice.difference import difference
from sluice.model.decision import Asker, Facts, Verdict
from sluice.policy.decide import decide
from sluice.policy.rules import Policy, Rule
from sluice.settings import Settings
from sluice.text.message import plain

DERIVED = {"plans", "person", "named", "closure", "grants", "by_server", "known", "most",
           "rank", "by_glob", "changing", "lines", "label", "matched", "check"}  # fmt: skip
"""What follows from the other fields."""
PLACES = {"line", "text", "fingerprint", "warnings", "outdated", "key", "former"}
"""What is about the text and not about what it says."""


def fields_of(value: Any) -> Any:
    """A value as nested plain ones, without what is derived or a place; order is none but where
    it says something (the first ops room)."""
    if isinstance(value, Rule):
        found = {f.name: fields_of(getattr(value, f.name)) for f in attrs.fields(Rule)
                 if f.name not in DERIVED | PLACES | {"members"}}  # fmt: skip
        return json.dumps(found, sort_keys=True, default=str)
    if attrs.has(type(value)):
        skip = DERIVED | PLACES | ({"members"} if isinstance(value, Policy) else set())
        names = [f.name for f in attrs.fields(type(value)) if f.name not in skip]
        found = {name: fields_of(getattr(value, name)) for name in names}
        if isinstance(value, Policy):
            found["rules"] = dict(Counter(map(fields_of, value.rules)))
        return found
    if isinstance(value, Mapping):
        return {str(key): fields_of(each) for key, each in value.items()}
    if isinstance(value, (tuple, frozenset)):
        return sorted((fields_of(each) for each in value), key=repr)
    return str(value)


def differences(old: Any, new: Any, *path: str) -> Iterator[tuple[str, ...]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {*old, *new}:
            yield from differences(old.get(key), new.get(key), *path, key)
    elif old != new:
        yield path


def told(old: Settings, new: Settings) -> list[str]:
    change = difference(old, new)
    return [plain(line) for line in change.lines]


@st.composite
def texts(draw: st.DrawFn) -> str:
    document = draw(documents())
    document["roles"] = {
        name: {**role, "min_power": draw(st.sampled_from((0, role.get("min_power", 0), 50)))}
        for name, role in ROLES.items()
    }
    people = {**PEOPLE, "lea": ["@lea:example.org"], "bo": PEOPLE["bo"][: draw(st.integers(1, 2))]}
    document["people"] = {name: people[name] for name in draw(st.permutations(list(people)))}
    if draw(st.booleans()):
        del document["people"]["lea"]
    document["break_glass"] = {
        "role": draw(st.sampled_from(("owner", "mod"))),
        "max": draw(st.integers(1, 2)),
        "every": draw(st.sampled_from(("1d", "1s"))),
    }
    if draw(st.booleans()):
        del document["break_glass"]
    text: dict[str, Any] = {"policy": document}
    more: dict[str, Any] = {
        "ops_rooms": [["!ops:example.org"], ["!a:b.org", "!ops:example.org"],
                      ["!ops:example.org", "!a:b.org"]],
        "admin_room": ["!admins:example.org"],
        "prefix": ["!", "."],
        "command_max_age": ["5m", "300d"],
        "timezone": ["UTC", "Europe/Berlin"],
        "owners": ["owner", "mod"],
        "reserved_names": [["_*"], ["_*", "root"], []],
        "welcome": ["hello {user}", "hello {user}" + "x" * 100 + "y", "hello {user}" + "x" * 101],
        "relay": [{"timeout": "30s"}, {"slow_timeout": "1h"}, {"poll": "5s"},
                  {"attacker_sized": "allow"}],
        "secrets": [{"remove_after": "1h"}, {"replace": False}, {"scrub_admin_room": False}],
        "notices": [{"registered": False}, {"reports": "mod"}, {"reports": False},
                    {"passwords": True}, {"emergency": False}, {"other": True}],
    }  # fmt: skip
    for key, values in more.items():
        if draw(st.booleans()):
            text[key] = draw(st.sampled_from(values))
    return json.dumps(text)


@PROPERTY
@given(texts(), texts())
def test_every_difference_of_two_texts_has_a_line(one, other):
    old, new = settings_of(one), settings_of(other)
    lines = told(old, new)
    for words in differences(fields_of(old), fields_of(new)):
        if words[0] != "policy":
            assert any(line.startswith(".".join(words) + " ") for line in lines), (words, lines)
        elif words[1] in ("people", "roles"):
            noun = "role " if words[1] == "roles" else ""
            assert any(line.startswith((f"{noun}{words[2]}: ", f"{noun}{words[2]} is "))
                       for line in lines), (words, lines)  # fmt: skip
        elif words[1] == "break_glass":
            assert any(line.startswith("break-glass") for line in lines), (words, lines)
        elif words[1] == "rules":
            rule = json.loads(words[2])
            title = f"{rule['verb']} {rule['id']}"
            if rule["id"] == "None":
                title = f"{rule['verb']} "
            assert any(line.startswith(title) for line in lines), (words, lines)


@PROPERTY
@given(texts(), st.randoms(use_true_random=False))
def test_another_order_and_other_places_are_no_difference(text, rng):
    def mixed(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: mixed(value[key]) for key in rng.sample(list(value), len(value))}
        return value

    document = mixed(json.loads(text))
    for verb in ("allow", "require", "limit", "deny"):
        rng.shuffle(document["policy"][verb])
    change = difference(settings_of(text), settings_of(json.dumps(document, indent=1)))
    assert (change.head, change.lines) == ("", ())


@PROPERTY
@given(
    texts(), texts(), invocations(), st.sampled_from(ACCOUNTS), st.sampled_from((0, 25, math.inf))
)
def test_if_nothing_is_said_to_loosen_nothing_is_more_possible(
    one, other, invocation, mxid, power
):
    old, new = settings_of(one), settings_of(other)
    if difference(old, new).loosens:
        return
    rank = {Verdict.DENY: 0, Verdict.APPROVE: 1, Verdict.ALLOW: 2}
    before, after = (
        decide(invocation, Asker(mxid, True, power), Facts(), NOW, settings.policy)
        for settings in (old, new)
    )
    assert rank[after.verdict] <= rank[before.verdict]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("max: 5,", "max: 50,", ["+ limit wipes: 50 an hour (was 5)"]),
        ("max: 5,", "max: 3,", ["- limit wipes: 3 an hour (was 5)"]),
        ("max: 5, every: 1h", "max: 5, every: 1s",
         ["+ limit wipes: 5 in 1 second (was 5 an hour)"]),
        ("max: 1, every: 1d", "max: 1000, every: 1s",
         ["+ break-glass: 1,000 in 1 second (was 1 a day)"]),
        ("  break_glass: {role: owner, max: 1, every: 1d}\n", "",
         ["- ana: no longer break-glass", "- dan: no longer break-glass",
          "- break-glass is gone: role owner; 1 a day"]),
        ('["!opsroom:example.org"]', '["!opsroom:example.org", "!evil:example.org"]',
         ["+ ops_rooms now also !evil:example.org"]),
        ("  replace: true", "  replace: false",
         ["+ secrets.replace false: new passwords are no longer replaced by unseen ones"]),
        ("  scrub_admin_room: true", "  scrub_admin_room: false",
         ["+ secrets.scrub_admin_room false: passwords stay readable in the admin room"]),
        ("command_max_age: 5m", "command_max_age: 300d",
         ["+ command_max_age 300 days (was 5 minutes)"]),
        ("attacker_sized: ask", "attacker_sized: allow",
         ["+ relay.attacker_sized allow (was ask)"]),
        ("attacker_sized: ask", "attacker_sized: refuse",
         ["- relay.attacker_sized refuse (was ask)"]),
        ('reserved_names: ["_*"]', "reserved_names: []", ["+ reserved_names no longer _*"]),
        ("  reports: true", "  reports: false",
         ["+ notices.reports false: reports of users are not shown"]),
        ("min_power: 25}", "min_power: 50}",
         ["+ helpers (power 50): now users, rooms, registration, config, memory, federation, "
          "appservices, help.server",
          "- helpers (power 25): no longer users, rooms, registration, config, memory, "
          "federation, appservices, help.server",
          "- role helper: min_power 50 (was 25)"]),
        (', outside: {days: mon-fri, hours: "08:00-20:00", tz: Europe/Berlin}', "",
         ["- ana: no longer deactivateall", "- dan: no longer deactivateall",
          "- deny nights: outside none (was mon-fri 08:00-20:00 Europe/Berlin)"]),
    ],
)  # fmt: skip
def test_in_words(old: str, new: str, said: list[str]) -> None:
    assert changed(old, new) == said


def changed(old: str, new: str) -> list[str]:
    """What the example, without its own tests, says of replacing these words: `+` loosens, `-`
    only tightens."""
    bare = (
        EXAMPLE[: EXAMPLE.index("  # Checked whenever")] + EXAMPLE[EXAMPLE.index("# How long") :]
    )
    assert old in bare, old
    change = difference(settings_of(bare), settings_of(bare.replace(old, new)))
    return [
        f"{'+' if n < change.loosens else '-'} {plain(line)}"
        for n, line in enumerate(change.lines)
    ]


@PROPERTY
@given(limit_line(), st.integers(1, 4), st.integers(1, 72))
def test_a_limit_without_id_is_told_as_one_line(line, most, hours):
    def text(limit: dict[str, Any]) -> str:
        return json.dumps({"policy": {"people": PEOPLE, "roles": ROLES, "limit": [limit]}})

    other = {**line, "max": most, "every": f"{hours}h"}
    old, new = settings_of(text(line)), settings_of(text(other))
    lines = told(old, new)
    same = (line["max"], old.policy.rules[0].every) == (most, hours * 3600)
    assert len(lines) == (0 if same else 1), lines


def test_what_many_people_share_is_one_line_and_short() -> None:
    people = {f"p{n}": [f"@p{n}:example.org"] for n in range(300)}

    def text(do: list[str]) -> str:
        roles = {"mod": {"members": list(people)}}
        policy = {"people": people, "roles": roles, "allow": [{"role": "mod", "do": do}]}
        return json.dumps({"policy": policy})

    change = difference(settings_of(text(["users"])), settings_of(text(["users", "rooms"])))
    assert len(change.lines) == 300 / 20 + 1
    assert len(change.head) < 200
    assert all(len(plain(line)) < 600 for line in change.lines)
