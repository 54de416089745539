"""The whole text of an owner as one frozen value, or everything that is wrong with it.

Reading goes through: keys and values (`policy.keys`), then the policy, then what it must prove.
A text with any error gives no settings; nothing of it is used.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import tzinfo

from attrs import frozen

from .policy import checks, loader
from .policy.document import Entries, Items, Node, Problem, Problems, Section, parse, quoted, read
from .policy.keys import KEYS, SERVER, without_server
from .policy.loading import Loading, is_example
from .policy.rules import Policy
from .typed.values import reserved


@frozen
class RelaySettings:
    """Seconds; attacker_sized: ask, allow, refuse."""

    timeout: int
    slow_timeout: int
    poll: int
    attacker_sized: str


@frozen
class SecretSettings:
    """remove_after: seconds after the recipient joined."""

    remove_after: int
    replace: bool
    scrub_admin_room: bool


@frozen
class NoticeSettings:
    """Which news of the server are passed on. reports: True, or the role whose people to push."""

    registered: bool
    reports: bool | str
    passwords: bool
    emergency: bool
    other: bool


@frozen
class Settings:
    """Everything that the text says, defaults filled in.

    digest: when in the day one is said, as `08:00`; None: never. fingerprint: SHA-256 of the
    text, in hex. tests: how many it has. warnings: what is odd in it.
    outdated: what an earlier version took and this one would not take again, with the remedy.
    """

    ops_rooms: tuple[str, ...]
    server: str
    admin_room: str | None
    prefix: str
    command_max_age: int
    timezone: tzinfo
    owners: str
    reserved_names: tuple[str, ...]
    welcome: str
    board: bool
    digest: str | None
    policy: Policy
    relay: RelaySettings
    secrets: SecretSettings
    notices: NoticeSettings
    text: str
    fingerprint: str
    tests: int = 0
    warnings: tuple[Problem, ...] = ()
    outdated: tuple[Problem, ...] = ()

    def reserved(self, localpart: str) -> str | None:
        """The pattern that keeps this name back: no account may be made with it."""
        return reserved(localpart, self.reserved_names)


@frozen
class Loaded:
    """settings: None after an error. errors and warnings in the order of their lines.

    guessed: the server's name, if neither the text nor the caller said it. rooms: the ops rooms,
    also of a text that is wrong elsewhere: who is told of safe mode.
    """

    settings: Settings | None
    errors: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    guessed: str | None = None
    rooms: tuple[str, ...] = ()


def load(
    text: str,
    *,
    server: str | None,
    now: float,
    admin_room: str | None = None,
    proven: bool = False,
    accepted: bool = False,
) -> Loaded:
    """server: the bot's own; None offline. now: epoch seconds, for tests that name no time.

    admin_room: where `#admins` leads, if that is known and the text does not say it. proven: this
    version found the text valid before, so that its tests fail is no error (one without a time may
    at night). accepted: it is the text that was live last, under whatever version: what this one
    refuses for the first time is `outdated`, and only the next text is held to it.
    """
    problems = Problems(accepted)
    top = parse(text, problems)
    if top is None:
        return Loaded(None, problems.of("error"), ())
    section = read(top, KEYS["top"], problems, "the text")
    admin_room = section["admin_room"] or admin_room
    name, guessed = _server(section, server, problems)
    _together(section, admin_room, name, problems)
    about = read(section["policy"], KEYS["policy"], problems, "policy")
    loading = Loading(problems, name, section["timezone"], about)
    policy = loader.load(loading, section, admin_room)
    parts = {key: read(section[key], KEYS[key], problems, key) for key in _PARTS}
    reports = parts["notices"]["reports"]
    if isinstance(reports, str):
        loading.role(reports, parts["notices"].line_of("reports"))
    tests = checks.prove(loading, policy, now)
    if accepted and not proven:
        problems.outdated.update(dict.fromkeys(problems.of("test")))
    errors = problems.of("error", *(() if proven or accepted else ("test",)))
    warnings = problems.of("warning")
    if policy is None or errors:
        return Loaded(None, errors, warnings, guessed, _rooms(top))
    values = {**section.values, "server": name, "policy": policy}
    del values["policy_file"]
    values |= {key: _PARTS[key](**part.values) for key, part in parts.items()}
    values |= {"text": text, "fingerprint": hashlib.sha256(text.encode()).hexdigest()}
    outdated = tuple(sorted(problems.outdated, key=lambda problem: problem.line))
    settings = Settings(**values, tests=tests, warnings=warnings, outdated=outdated)
    return Loaded(settings, errors, warnings, guessed, _rooms(top))


_TYPED_OVER = re.compile(r"[-*+_~`>\"'\\]|.*(?:--|\.\.)")


def _prefix(section: Section, problems: Problems) -> None:
    """Phones make dashes and quotes of some signs while one types, editors lists and bold text."""
    prefix = str(section["prefix"])
    if _TYPED_OVER.match(prefix):
        said = f"phones change the prefix {quoted(prefix)} while one types: better is “!”"
        problems.add(section.line_of("prefix"), said, "warning")


_PARTS: Mapping[str, type] = {
    "relay": RelaySettings,
    "secrets": SecretSettings,
    "notices": NoticeSettings,
}


def _together(section: Section, admin_room: str | None, server: str, problems: Problems) -> None:
    """Keys that do not go with each other, and what is hardly meant."""
    _rooms_meant(section, server, problems)
    _prefix(section, problems)
    if section["policy_file"] is not None:
        line = section.line_of("policy_file")
        if len(section.lines) > 1:
            problems.add(
                line, "policy_file stands alone: all other keys go into the file it names"
            )
        else:
            problems.add(line, f"the policy is in another file: {section['policy_file']}")
    if admin_room in section["ops_rooms"]:
        line = section.line_of("ops_rooms")
        problems.add(line, "ops_rooms holds the admin room; commands are typed in another room")


def _rooms_meant(section: Section, server: str, problems: Problems) -> None:
    """Rooms of the list that are hardly those that are meant."""
    line = section.line_of("ops_rooms")
    for room in section["ops_rooms"]:
        if (right := without_server(room)) is not None:
            said = f'{quoted(room)}: ids of this length have no server part; write "{right}"'
            problems.add(line, said, "warning")
        if room.partition(":")[0] == "!opsroom" and not is_example(server):
            said = f"{quoted(room)} is of the example: put the id of your room in its place"
            problems.add(line, said, "warning")


def _server(section: Section, server: str | None, problems: Problems) -> tuple[str, str | None]:
    """The name, and again if it is guessed. server: the bot's own, if that is known."""
    name = section["server"] or server
    if not name:
        guessed = _first_server(section)
        return guessed, guessed
    if name not in (name.lower(), server):
        said = f"server: {quoted(name)}: servers are in small letters; write {name.lower()}"
        problems.add_late(section.line_of("server"), said)
    return name, None


def _first_server(section: Section) -> str:
    """The server of the first account in `people`, for a text that is checked offline."""
    policy = section["policy"]
    people = dict(_pairs(policy)).get("people")
    for _, accounts in _pairs(people):
        nodes = accounts.value if isinstance(accounts.value, Items) else (accounts,)
        for node in nodes:
            server = str(node.value).partition(":")[2].lower()
            if SERVER.fullmatch(server):
                return server
    return "localhost"


def _rooms(top: Node) -> tuple[str, ...]:
    named = dict(_pairs(top)).get("ops_rooms")
    nodes = named.value if named is not None and isinstance(named.value, Items) else ()
    return tuple(str(node.value) for node in nodes if str(node.value).startswith("!"))


def _pairs(node: Node | None) -> list[tuple[str, Node]]:
    if node is None or not isinstance(node.value, Entries):
        return []
    return [(str(key.value), value) for key, value in node.value.pairs]
