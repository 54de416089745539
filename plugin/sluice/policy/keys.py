"""Every key that exists, what it takes and its default: the one table.

The loader reads by it; tests hold base-config.yaml and docs/policy.md to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timezone, tzinfo
from zoneinfo import ZoneInfo, available_timezones

from ..typed.links import target
from .document import (
    BadValue,
    Key,
    Node,
    anything,
    choice,
    entries,
    listed,
    names,
    near,
    quoted,
    span,
    text,
    whole,
    yes_no,
)

SERVER = re.compile(r"(?:[A-Za-z0-9.-]{1,230}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_NAME = re.compile(r"[^\W_][\w.-]{0,39}")
_ROOM = re.compile(r"![!-~]{1,254}")
_HASHED = re.compile(r"![A-Za-z0-9_-]{43}")
_HOUR = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
_RESERVED = re.compile(r"[a-z0-9._=/+*-]{1,255}")
UTC = timezone.utc
WELCOME = """Install Element X, choose server {server}, sign in as {name}.
Change it afterwards in Settings at https://app.element.io"""


def name(node: Node) -> str:
    """What the owner calls a person, a role or a rule: one word."""
    word = text(node)
    if not _NAME.fullmatch(word):
        raise BadValue(f"{quoted(word)} is no name: one word of letters, digits . _ -")
    return word


def server(node: Node) -> str:
    word = text(node)
    if not SERVER.fullmatch(word):
        raise BadValue(f"{quoted(word)} is no server name")
    return word


def servers(node: Node) -> frozenset[str]:
    return frozenset(server(one) for one in names(node))


def spelled(mxid: str, own: str) -> str:
    """An account, or `@*:server`, as servers spell it. own: the server's name, as it calls itself.

    Accounts of other servers may be from a time when user names had capital letters.
    """
    local, _, name_ = mxid[1:].partition(":")
    name_ = own if name_.lower() == own.lower() else name_.lower()
    return f"@{local.lower() if name_ == own else local}:{name_}"


def room(node: Node) -> str:
    word = text(node)
    if word.startswith("#"):
        raise BadValue(f"{quoted(word)} is an address, which can be re-pointed; write the id (!…)")
    if not _ROOM.fullmatch(word):
        ways = (target(word) or "", f"!{word}" if ":" in word else "")
        meant = next((way for way in ways if _ROOM.fullmatch(way)), None)
        raise BadValue(
            f"{quoted(word)} is no room id" + (f'; write "{meant}"' if meant else " (!…)")
        )
    return word


def without_server(word: str) -> str | None:
    """The id of a room of version 12, which has no server part, of one that was given one; None
    of any other."""
    name_, _, host = word.partition(":")
    return name_ if host and _HASHED.fullmatch(name_) else None


def rooms(node: Node) -> tuple[str, ...]:
    found = []
    for one in names(node):
        try:
            found.append(room(one))
        except BadValue as bad:
            raise BadValue(str(bad), one.line) from None
    return tuple(dict.fromkeys(found))


def zone(node: Node) -> tzinfo:
    word = text(node)
    if word == "UTC":
        return UTC
    try:
        return ZoneInfo(word)
    except (KeyError, OSError, ValueError):
        raise BadValue(f"unknown time zone {quoted(word)}{_zone_meant(word)}") from None


def _zone_meant(word: str) -> str:
    """How to get a zone that is not known here."""
    known = available_timezones()
    if not known:  # a slim container, most often
        return ": no zone but UTC is known here. Write UTC, or install tzdata (pip install tzdata)"
    cities = {name_.rpartition("/")[2].lower(): name_ for name_ in sorted(known)}
    asked = word.rpartition("/")[2].replace(" ", "_").lower()
    meant = near(asked, cities, 0.75)
    return f", did you mean “{cities[meant]}”?" if meant else ". Like this: Europe/Berlin"


def prefix(node: Node) -> str:
    word = text(node)
    said = "" if word else ', and in quotes, like "!"'
    if not 1 <= len(word) <= 8 or not word.isprintable() or " " in word or word[0] in "@#/<":
        raise BadValue(
            f"{quoted(word)} is no prefix: up to 8 signs without blanks, not @ # / <" + said
        )
    return word


def reserved(node: Node) -> tuple[str, ...]:
    for one in names(node):
        if not _RESERVED.fullmatch(text(one)):
            raise BadValue(f"{one.shown} is no pattern of user names (a-z 0-9 . _ = / + - and *)")
    return tuple(text(one) for one in names(node))


def hour(node: Node) -> str:
    """A time of the day, as `08:00`."""
    word = text(node)
    if (found := _HOUR.fullmatch(word)) is None:
        raise BadValue(f'{quoted(word)} is no time of the day. Like this: "08:00"')
    return f"{int(found[1]):02}:{found[2]}"


def true_or_role(node: Node) -> bool | str:
    return node.value if isinstance(node.value, bool) else name(node)


_RULE = {
    "id": Key(name),
    "do": Key(names, required=True),
    "where": Key(entries, ()),
    "during": Key(anything),
    "outside": Key(anything),
}

KEYS: Mapping[str, Mapping[str, Key]] = {
    "top": {
        "ops_rooms": Key(rooms, ()),
        "policy_file": Key(text),
        "server": Key(server, null=True),
        "admin_room": Key(room, null=True),
        "prefix": Key(prefix, "!"),
        "command_max_age": Key(span(), 300),
        "timezone": Key(zone, UTC),
        "owners": Key(name, "owner"),
        "reserved_names": Key(reserved, ("_*",)),
        "welcome": Key(text, WELCOME),
        "board": Key(yes_no, True),
        "digest": Key(hour, null=True),
        "policy": Key(anything, null=True),
        "relay": Key(anything),
        "secrets": Key(anything),
        "notices": Key(anything),
    },
    "relay": {
        "timeout": Key(span(), 60),
        "slow_timeout": Key(span(), 600),
        "poll": Key(span(1, 3600), 2),
        "attacker_sized": Key(choice("ask", "allow", "refuse"), "ask"),
    },
    "secrets": {
        "remove_after": Key(span(10, 7 * 86400), 600),
        "replace": Key(yes_no, True),
        "scrub_admin_room": Key(yes_no, True),
    },
    "notices": {
        "registered": Key(yes_no, True),
        "reports": Key(true_or_role, True),
        "passwords": Key(yes_no, False),
        "emergency": Key(yes_no, True),
        "other": Key(yes_no, False),
    },
    "policy": {
        "people": Key(entries, ()),
        "roles": Key(entries, ()),
        "allow": Key(listed, ()),
        "require": Key(listed, ()),
        "limit": Key(listed, ()),
        "deny": Key(listed, ()),
        "break_glass": Key(anything),
        "tests": Key(listed, ()),
        "who_can": Key(entries, ()),
    },
    "role": {
        "members": Key(names, ()),
        "min_power": Key(whole(0), 0),
        "inherits": Key(names, ()),
    },
    "allow": {"role": Key(name, required=True), **_RULE},
    "require": {
        **_RULE,
        "reason": Key(yes_no, False),
        "expires": Key(span(60, 86400)),
        "approvals": Key(listed, ()),
    },
    "limit": {
        **_RULE,
        "per": Key(choice("person", "everyone"), required=True),
        "max": Key(whole(1), required=True),
        "every": Key(span(), required=True),
        "count": Key(choice("targets", "requests")),
    },
    "deny": _RULE,
    "approval": {"from": Key(name, required=True), "n": Key(whole(1, 100), required=True)},
    "condition": {
        "regex": Key(text),
        "one_of": Key(listed),
        "server": Key(servers),
        "in_role": Key(name),
        "is_self": Key(yes_no),
    },
    "window": {"days": Key(names), "hours": Key(text), "tz": Key(zone)},
    "break_glass": {
        "role": Key(name, required=True),
        "max": Key(whole(1), required=True),
        "every": Key(span(), required=True),
    },
    "test": {
        "as": Key(text, required=True),
        "power": Key(whole(-(10**9)), 0),
        "at": Key(text),
        "run": Key(text, required=True),
        "expect": Key(choice("allow", "approve", "deny"), required=True),
        "via": Key(text),
        "by": Key(names),
    },
}
"""Section -> key -> kind and default. `top` is the text itself."""
