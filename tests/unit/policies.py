"""Policies for tests: the example that everybody knows, and random ones that load."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from sluice.catalog.table import COMMANDS
from sluice.model.command import Invocation
from sluice.model.decision import Asker
from sluice.policy.rules import Policy
from sluice.settings import Loaded, Settings, load
from tests.stage.stage import POLICY

ROOT = Path(__file__).parents[2]
EXAMPLE = POLICY
SERVER = "example.org"
NOW = 1795442400.0  # Monday 23 Nov 2026, 14:00 UTC
RUNS = int(os.environ.get("SLUICE_RUNS", "25"))
PROPERTY = settings(
    max_examples=RUNS,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=RUNS < 1000,
)


def loaded(text: str, **more: Any) -> Loaded:
    return load(text, server=more.pop("server", SERVER), now=more.pop("now", NOW), **more)


def settings_of(text: str, **more: Any) -> Settings:
    """The settings of a text that must be valid."""
    result = loaded(text, **more)
    assert result.settings is not None, [(p.line, p.text) for p in result.errors]
    return result.settings


def problems_of(text: str, **more: Any) -> list[str]:
    """`12: text` for every error."""
    return [f"{p.line}: {p.text}" for p in loaded(text, **more).errors]


def warnings_of(text: str, **more: Any) -> list[str]:
    return [f"{p.line}: {p.text}" for p in loaded(text, **more).warnings]


def policy_of(document: dict[str, Any]) -> Policy:
    """A policy from plain values (JSON is YAML); `policy` section only."""
    text = json.dumps({"ops_rooms": ["!ops:example.org"], "policy": document})
    return settings_of(text).policy


def example() -> Policy:
    return settings_of(EXAMPLE).policy


# --- random ones ------------------------------------------------------------------------------

PEOPLE = {
    "ana": ["@ana:example.org", "@ana:matrix.org"],
    "dan": ["@dan:example.org"],
    "bo": ["@bo:example.org", "@bo.phone:example.org"],
    "cy": ["@cy:example.org"],
    "kim": ["@kim:example.org"],  # in no role
}
ROLES = {
    "helper": {"members": ["@*:example.org"], "min_power": 25},
    "mod": {"members": ["bo", "cy"], "inherits": ["helper"]},
    "senior": {"members": ["cy"], "min_power": 50, "inherits": ["mod"]},
    "desk": {"members": ["@desk:example.org", "dan"]},
    "owner": {"members": ["ana", "dan"], "inherits": ["mod"]},
}
ACCOUNTS = (
    *(mxid for mxids in PEOPLE.values() for mxid in mxids),
    "@desk:example.org",
    "@hal:example.org",
    "@_irc_x:example.org",
    "@bo:evil.org",
)
TARGETS = (*ACCOUNTS, "@spam:example.org", "@alice:example.org", "@al:example.org")
_USER = ("adduser", "resetpw", "deactivate", "deactivateall")
_OTHER = ("users", "media", "clearcache", "registration.set", "disableroom", "enableroom")
_ROOMS = ("!a:example.org", "!b:evil.org", "!v12room")

_condition = st.fixed_dictionaries(
    {},
    optional={
        "regex": st.sampled_from(("[a-z]{3,20}", "s.*", "[a-z]+", "a.*|b.*")),
        "one_of": st.lists(st.sampled_from(TARGETS), min_size=1, max_size=3),
        "server": st.sampled_from(("example.org", "evil.org")),
        "in_role": st.sampled_from(tuple(ROLES)),
        "is_self": st.booleans(),
    },
).filter(bool)
_window = st.fixed_dictionaries(
    {"days": st.sampled_from(("mon-fri", "sat-sun", "mon", "fri-mon"))},
    optional={
        "hours": st.sampled_from(("08:00-20:00", "22:00-06:00", "00:00-12:00")),
        "tz": st.sampled_from(("UTC", "Europe/Berlin", "Asia/Kathmandu")),
    },
)


@st.composite
def _rule(draw: st.DrawFn, **more: Any) -> dict[str, Any]:
    on_users = draw(st.booleans())
    names = _USER if on_users else (*_OTHER, *_USER)
    rule: dict[str, Any] = {"do": draw(st.lists(st.sampled_from(names), min_size=1, max_size=3))}
    if on_users and draw(st.booleans()):
        rule["where"] = {draw(st.sampled_from(("target", "user"))): draw(_condition)}
    if draw(st.integers(0, 5)) == 0:
        rule[draw(st.sampled_from(("during", "outside")))] = draw(_window)
    for key, strategy in more.items():
        rule[key] = draw(strategy)
    return rule


@st.composite
def allow_line(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return {"do": "*", "role": draw(st.sampled_from(("mod", "owner", "desk")))}
    if kind == 1:
        return {"do": ["#read", "#inspect"], "role": draw(st.sampled_from(tuple(ROLES)))}
    return draw(_rule(role=st.sampled_from(tuple(ROLES))))


def require_line() -> st.SearchStrategy[dict[str, Any]]:
    # From mod one vote can always be had: four people hold it, whoever asks.
    slots = st.lists(
        st.fixed_dictionaries({"from": st.just("mod"), "n": st.integers(1, 2)}), max_size=1
    )
    return _rule(
        reason=st.just(True), approvals=slots, expires=st.sampled_from(("10m", "1h", "4h"))
    )


def limit_line() -> st.SearchStrategy[dict[str, Any]]:
    return _rule(
        per=st.sampled_from(("person", "everyone")),
        max=st.integers(1, 4),
        every=st.sampled_from(("1h", "1d")),
        count=st.sampled_from(("targets", "requests")),
    )


@st.composite
def _pairs(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Limits without an id that differ in their window only, as people write them: so many a day,
    and so many of them an hour."""
    rates = draw(st.lists(st.sampled_from(("30m", "1h", "1d")), max_size=3, unique=True))
    line = draw(limit_line())
    return [{**line, "every": every, "max": draw(st.integers(1, 4))} for every in rates]


def deny_line() -> st.SearchStrategy[dict[str, Any]]:
    return _rule()


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A valid `policy` section; its lines have ids, so that they can be told apart, but for a few
    limits."""
    document: dict[str, Any] = {"people": PEOPLE, "roles": ROLES}
    for verb, line, most in (
        ("allow", allow_line(), 6),
        ("require", require_line(), 3),
        ("limit", limit_line(), 3),
        ("deny", deny_line(), 3),
    ):
        lines = draw(st.lists(line, max_size=most))
        document[verb] = [{**one, "id": f"{verb}{n}"} for n, one in enumerate(lines)]
    document["limit"] += draw(_pairs())
    document["break_glass"] = {"role": "owner", "max": 1, "every": "1d"}
    return document


@st.composite
def invocations(draw: st.DrawFn) -> Invocation:
    command = draw(st.sampled_from((*_USER, *_OTHER)))
    if command in ("adduser", "deactivateall"):
        some = draw(st.lists(st.sampled_from(TARGETS), min_size=1, max_size=5, unique=True))
        return Invocation(command, (("user", tuple(some)),))
    if command in _USER:
        return Invocation(command, (("user", draw(st.sampled_from(TARGETS))),))
    if command in ("disableroom", "enableroom"):
        return Invocation(command, (("room", draw(st.sampled_from(_ROOMS))),))
    if command == "registration.set":
        return Invocation(command, (("state", draw(st.sampled_from(("on", "off")))),))
    return Invocation(command)


def askers() -> st.SearchStrategy[Asker]:
    return st.builds(
        Asker, st.sampled_from(ACCOUNTS), st.just(True), st.sampled_from((-5, 0, 25, 50, 100))
    )


moments = st.integers(0, 14 * 24 * 4).map(lambda quarter: NOW + quarter * 900.0)
MINE = tuple(name for name, command in COMMANDS.items() if not command.own)
