"""The conditions of a rule, read: `where` on arguments or targets, `during` and `outside`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..catalog.commands import COMMANDS
from ..catalog.model import Type
from .document import Bad, Node, quoted, read, span, text, unknown
from .keys import KEYS
from .pattern import Refused, compile_pattern
from .rules import DAYS, Where, Window

if TYPE_CHECKING:
    from .loader import Loading

TARGET = "target"
_HAS_SERVER = frozenset({Type.USER, Type.ROOM, Type.ALIAS, Type.MXC, Type.SERVER})
_NO_REGEX = frozenset({Type.DURATION, Type.SINCE, Type.COUNT, Type.SWITCH})
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)")
_DAY = 24 * 60


def read_where(key: Node, value: Node, do: frozenset[str], loading: Loading) -> Where | None:
    """One entry of `where`. do: the commands of the rule, as far as they are known."""
    problems = loading.problems
    word = str(key.value)
    before = len(problems.found)
    type_ = _type(word, do, key.line, loading)
    section = read(value, KEYS["condition"], problems, f"where {word}")
    if type_ is None:
        return None
    if section.sound and not section.lines:
        problems.add(
            value.line, f"where {word} says nothing; write {', '.join(KEYS['condition'])}"
        )
    for matcher in ("in_role", "is_self"):
        if section[matcher] is not None and type_ is not Type.USER:
            problems.add(section.line_of(matcher), f"{matcher} is for accounts; {word} is none")
    if section["server"] is not None and type_ not in _HAS_SERVER:
        problems.add(section.line_of("server"), f"{word} has no server part")
    if section["in_role"] is not None:
        loading.role(section["in_role"], section.line_of("in_role"))
    regex = one_of = None
    if section["regex"] is not None:
        try:
            if type_ in _NO_REGEX:
                raise Refused(f"cannot look at {word}; use one_of")
            regex = compile_pattern(section["regex"])
        except Refused as refused:
            shown = quoted(section["regex"])
            problems.add(section.line_of("regex"), f"the regex {shown} {refused}")
    if section["one_of"] is not None:
        one_of = frozenset(_values(section["one_of"], type_, loading))
    if len(problems.found) > before:
        return None
    rest = {key: section[key] for key in ("server", "in_role", "is_self")}
    return Where(word, key.line, type_, regex, one_of, **rest)


def _type(word: str, do: Iterable[str], line: int, loading: Loading) -> Type | None:
    """The type of what `where` looks at; says so if a command of the rule has no such argument."""
    add = loading.problems.add
    commands = [COMMANDS[each] for each in sorted(do)]
    if word == TARGET:
        if commands and not any(command.targets for command in commands):
            add(line, f"no target: {commands[0].name} acts on no account")
            return None
        return Type.USER
    found = {command.name: command.param(word) for command in commands}
    types = {param.type for param in found.values() if param is not None}
    if not types:
        if commands:
            known = {param.name for command in commands for param in command.params}
            add(line, unknown(f"argument of {commands[0].name}", word, (*sorted(known), TARGET)))
        return None
    lacking = [each for each, param in found.items() if param is None]
    if lacking:
        add(line, f"{lacking[0]} has no argument {quoted(word)}; write a line of its own for it")
    elif len(types) > 1:
        add(line, f"{quoted(word)} is not the same in all of these commands")
    return types.pop() if not lacking and len(types) == 1 else None


def _values(nodes: Iterable[Node], type_: Type, loading: Loading) -> Iterable[str]:
    for node in nodes:
        try:
            yield canonical(node, type_, loading.server)
        except Bad as bad:
            loading.problems.add(node.line, f"one_of: {bad}")


def canonical(node: Node, type_: Type, server: str) -> str:
    """A value of `one_of` as a typed one would look (`compared` of `decide` makes those text)."""
    if type_ is Type.SWITCH:
        if node.value in (True, "yes", "on"):
            return "yes"
        if node.value in (False, "no", "off"):
            return "no"
        raise Bad(f"{node.shown} is neither yes nor no")
    if type_ is Type.DURATION:
        return str(span()(node))
    if isinstance(node.value, int) and not isinstance(node.value, bool):
        return str(node.value)
    word = text(node)
    if type_ is Type.USER and not word.startswith("@"):
        return f"@{word.lower()}:{server}"
    if type_ is Type.ALIAS and ":" not in word:
        return f"#{word.removeprefix('#')}:{server}"
    return word


def read_window(node: Node, loading: Loading) -> Window | None:
    section = read(node, KEYS["window"], loading.problems, "a time window")
    if section["days"] is None and section["hours"] is None:
        if section.sound:
            loading.problems.add(node.line, "a time window needs days or hours")
        return None
    days: frozenset[int] = frozenset(range(7))
    start, end, said = 0, _DAY, []
    try:
        if section["days"] is not None:
            days = _days(section["days"])
            said.append(", ".join(text(each) for each in section["days"]))
        if section["hours"] is not None:
            start, end = _hours(section["hours"])
            said.append(section["hours"])
    except Bad as bad:
        loading.problems.add(bad.line or section.line_of("hours"), str(bad))
        return None
    zone = section["tz"] or loading.zone
    city = str(getattr(zone, "key", "UTC")).rpartition("/")[2].replace("_", " ")
    return Window(days, start, end, zone, " ".join((*said, city)))


def _days(nodes: Iterable[Node]) -> frozenset[int]:
    found: set[int] = set()
    for node in nodes:
        for part in text(node).lower().replace(" ", "").split(","):
            first, dash, last = part.partition("-")
            if first not in DAYS or (dash and last not in DAYS):
                raise Bad(f"days: {node.shown} is no day. Like this: mon-fri, sun", node.line)
            at, end = DAYS.index(first), DAYS.index(last if dash else first)
            found |= {(at + step) % 7 for step in range((end - at) % 7 + 1)}
    return frozenset(found)


def _hours(word: str) -> tuple[int, int]:
    match = _HOURS.fullmatch(word.replace(" ", ""))
    if match is None:
        raise Bad(f"hours: {quoted(word)} is no span of hours. Like this: 08:00-20:00")
    groups: tuple[Any, ...] = match.groups()
    start = int(groups[0]) * 60 + int(groups[1])
    end = int(groups[2]) * 60 + int(groups[3]) if groups[2] else _DAY
    if start == end:
        raise Bad(f"hours: {quoted(word)} begins when it ends; leave hours out for the whole day")
    return start, end
