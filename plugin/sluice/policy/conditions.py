"""The conditions of a rule, read: `where` on arguments or targets, `during` and `outside`."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..catalog.table import COMMANDS
from ..model.command import Param, Type
from ..text.message import plain
from ..typed.values import Around, NeedsRoom, NotRun
from ..typed.values import read as read_value
from .document import BadValue, Node, Problems, Section, quoted, read, text, unknown
from .keys import KEYS, spelled
from .loading import Loading
from .pattern import BadPattern, Pattern, compile_pattern
from .rules import DAYS, Condition, WeeklyWindow

TARGET = "target"
_HAS_SERVER = frozenset({Type.USER, Type.ROOM, Type.ALIAS, Type.MXC, Type.SERVER})
_NO_REGEX = frozenset({Type.DURATION, Type.SINCE, Type.COUNT, Type.SWITCH})
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)")
_DAY = 24 * 60
_SMALL = frozenset({Type.USER, Type.SERVER})
_NO_LETTER = re.compile(r"\\.|\[[^\]]*\]")  # \W and the like, and [A-Z]


def read_where(
    key: Node, value: Node, do: frozenset[str], loading: Loading, *, opens: bool
) -> Condition | None:
    """One entry of `where`. do: the commands of the rule, as far as they are known. opens: the
    rule allows something; what never fitted anything does not begin to."""
    problems = loading.problems
    before = len(problems.found)
    word = str(key.value)
    param = _param(word, do, key.line, loading)
    section = read(value, KEYS["condition"], problems, f"where {word}")
    if section.sound and not section.lines:
        every = ", ".join(KEYS["condition"])
        problems.add(value.line, f"where {word} says nothing; write {every}")
    if section["in_role"] is not None:
        loading.role(section["in_role"], section.line_of("in_role"))
    regex = _regex(section, word, param, problems)
    if param is None:
        return None
    _suited(section, word, param, problems)
    one_of = None
    if section["one_of"] is not None:
        one_of = frozenset(_values(section["one_of"], param, loading, opens))
    if regex is not None and param.type in _SMALL:
        _small(regex, section, problems)
    servers = _servers(section, loading, opens)
    if len(problems.found) > before:
        return None
    in_role, is_self = section["in_role"], section["is_self"]
    return Condition(word, key.line, param.type, regex, one_of, servers, in_role, is_self)


def _regex(section: Section, word: str, param: Param | None, problems: Problems) -> Pattern | None:
    text_ = section["regex"]
    if text_ is None:
        return None
    try:
        if param is not None and param.type in _NO_REGEX:
            raise BadPattern(f"cannot look at {word}; use one_of")
        return compile_pattern(text_)
    except BadPattern as refused:
        problems.add(section.line_of("regex"), f"the regex {quoted(text_)} {refused}")
        return None


def _suited(section: Section, word: str, param: Param, problems: Problems) -> None:
    """Says which matchers mean nothing for this argument."""
    for matcher in ("in_role", "is_self"):
        if section[matcher] is not None and param.type is not Type.USER:
            problems.add(section.line_of(matcher), f"{matcher} is for accounts; {word} is none")
    if section["server"] is not None and param.type not in _HAS_SERVER:
        problems.add(section.line_of("server"), f"{word} has no server part")


def _small(regex: Pattern, section: Section, problems: Problems) -> None:
    letters = _NO_LETTER.sub("", regex.text)
    if letters != letters.lower():
        said = "capital letters fit nothing here: names and servers are in small letters"
        problems.add(section.line_of("regex"), f"the regex: {said}", "warning")


def _servers(section: Section, loading: Loading, opens: bool) -> frozenset[str] | None:
    """The servers of a condition in small letters, as every value is compared."""
    if section["server"] is None:
        return None
    for word in sorted(section["server"]):
        if word not in (word.lower(), loading.server):
            said = f"server: {quoted(word)}: servers are in small letters; write {word.lower()}"
            loading.problems.add_late(section.line_of("server"), said)
    return frozenset(
        word if opens and word != loading.server else word.lower() for word in section["server"]
    )


def _param(word: str, do: Iterable[str], line: int, loading: Loading) -> Param | None:
    """What `where` looks at; says so if a command of the rule has no such argument."""
    add = loading.problems.add
    commands = [COMMANDS[each] for each in sorted(do)]
    if word == TARGET:
        if commands and not any(command.targets for command in commands):
            add(line, f"no target: {commands[0].name} acts on no account")
            return None
        return Param(TARGET, Type.USER)
    found = {command.name: command.param(word) for command in commands}
    params = [param for param in found.values() if param is not None]
    if not params:
        if commands:
            known = {param.name for command in commands for param in command.params}
            add(line, unknown(f"argument of {commands[0].name}", word, (*sorted(known), TARGET)))
        return None
    lacking = [each for each, param in found.items() if param is None]
    if lacking:
        add(line, f"{lacking[0]} has no argument {quoted(word)}; write a line of its own for it")
    elif len({param.type for param in params}) > 1:
        add(line, f"{quoted(word)} is not the same in all of these commands")
        return None
    return None if lacking else params[0]


def _values(nodes: Iterable[Node], param: Param, loading: Loading, opens: bool) -> Iterable[str]:
    for node in nodes:
        try:
            value = _canonical(node, param, loading.server)
        except BadValue as bad:
            loading.problems.add(node.line, f"one_of: {bad}")
            continue
        right = spelled(value, loading.server) if param.type is Type.USER else value
        if right != value:
            said = f"one_of: {quoted(value)}: ids are in small letters; write {right}"
            loading.problems.add_late(node.line, said)
        yield value if opens else right


def _canonical(node: Node, param: Param, server: str) -> str:
    """A value of `one_of` as the same one typed in chat becomes."""
    if param.type is Type.SWITCH:
        if not isinstance(node.value, bool):
            raise BadValue(f"{node.shown} is neither true nor false")
        return "yes" if node.value else "no"
    if param.type is Type.SINCE:
        raise BadValue("a moment is never the same twice; it cannot be listed")
    word = str(node.value).lower() if isinstance(node.value, (bool, int)) else text(node)
    try:
        return str(read_value(param, word, Around(server, {}, 0)))
    except NotRun as refused:
        raise BadValue(plain(refused.lines[0]).rstrip(".")) from None
    except NeedsRoom:
        raise BadValue(
            f"{node.shown} is an address, which can be re-pointed; write the id"
        ) from None


def read_window(node: Node, loading: Loading) -> WeeklyWindow | None:
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
    except BadValue as bad:
        loading.problems.add(bad.line or section.line_of("hours"), str(bad))
        return None
    zone = section["tz"] or loading.zone
    city = str(getattr(zone, "key", "UTC")).rpartition("/")[2].replace("_", " ")
    return WeeklyWindow(days, start, end, zone, " ".join((*said, city)))


def _days(nodes: Iterable[Node]) -> frozenset[int]:
    found: set[int] = set()
    for node in nodes:
        for part in text(node).lower().replace(" ", "").split(","):
            first, dash, last = part.partition("-")
            if first not in DAYS or (dash and last not in DAYS):
                raise BadValue(f"days: {node.shown} is no day. Like this: mon-fri, sun", node.line)
            at, end = DAYS.index(first), DAYS.index(last if dash else first)
            found |= {(at + step) % 7 for step in range((end - at) % 7 + 1)}
    return frozenset(found)


def _hours(word: str) -> tuple[int, int]:
    match = _HOURS.fullmatch(word.replace(" ", ""))
    if match is None:
        raise BadValue(f"hours: {quoted(word)} is no span of hours. Like this: 08:00-20:00")
    start = int(match[1]) * 60 + int(match[2])
    end = int(match[3]) * 60 + int(match[4]) if match[3] else _DAY
    if start == end:
        raise BadValue(
            f"hours: {quoted(word)} begins when it ends; leave hours out for the whole day"
        )
    return start, end
