"""From YAML text to values that know their line; every mistake is noted and reading goes on.

Built from the parser's events, not from loaded objects: so nothing is dropped (duplicate keys),
nothing is guessed (`no` is text, as in YAML 1.2), nothing grows or recurses (no anchors, bounded
depth), and the fast parser written in C serves where it is installed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Union

from attrs import Factory, define, field, frozen
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from . import slips

MAX_TEXT = 500_000  # characters
MAX_DEPTH = 20

_UNTYPED = re.compile(r"[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_WHOLE = re.compile(r"[-+]?[0-9]{1,15}")
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@frozen
class Problem:
    """One thing to correct, at a line of the text (from 1). kind: error, test or warning."""

    line: int
    text: str
    kind: str = "error"


class BadValue(Exception):
    """A value that is not what its key takes. line 0: that of the value itself."""

    def __init__(self, text: str, line: int = 0) -> None:
        super().__init__(text)
        self.line = line


@frozen
class Node:
    """A value of the text: None, True or False, a number, text, items, or entries.

    hidden: what stands there, where the value is None because YAML takes it for a comment.
    """

    line: int
    value: Union[bool, int, str, Items, Entries, None]
    hidden: str = ""

    @property
    def shown(self) -> str:
        """For an error text: what stands there, one line, shortened."""
        if isinstance(self.value, Items):
            return "a list"
        if isinstance(self.value, Entries):
            return "a section"
        if self.value is None:
            return "nothing"
        text = str(self.value).lower() if isinstance(self.value, bool) else str(self.value)
        return quoted(text)


@frozen
class Items:
    """A list."""

    nodes: tuple[Node, ...]

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)


@frozen
class Entries:
    """A section: keys (text, each once) and their values, in the order of the text."""

    pairs: tuple[tuple[Node, Node], ...]


@define
class Problems:
    """What is wrong so far.

    accepted: an earlier version took this very text, and it is live. What only this version
    refuses is then kept apart, and reading goes on with the stricter meaning: an upgrade does not
    stop a server. The next text that is saved must do without it.
    """

    accepted: bool = False
    found: dict[Problem, None] = Factory(dict)  # in the order of finding, each once
    warnings: dict[Problem, None] = Factory(dict)
    outdated: dict[Problem, None] = Factory(dict)

    def add(self, line: int, text: str, kind: str = "error") -> None:
        kept = self.warnings if kind == "warning" else self.found
        kept[Problem(line, text, kind)] = None

    def add_late(self, line: int, text: str) -> None:
        """An error that an earlier version did not see. text: says what to write instead."""
        (self.outdated if self.accepted else self.found)[Problem(line, text)] = None

    def of(self, *kinds: str) -> tuple[Problem, ...]:
        both = (*self.found, *self.warnings)
        kept = (problem for problem in both if problem.kind in kinds)
        return tuple(sorted(kept, key=lambda problem: problem.line))


def quoted(text: str) -> str:
    """Somebody's text inside an error: “ ”, one line, at most 60 characters."""
    kept = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return f"“{kept if len(kept) <= 60 else kept[:59] + '…'}”"


def unknown(what: str, word: str, known: Iterable[str]) -> str:
    """`unknown command “adusser”, did you mean “adduser”?`"""
    meant = near(word.lower(), known, 0.6)
    return f"unknown {what} {quoted(word)}" + (f", did you mean “{meant}”?" if meant else "")


def near(word: str, known: Iterable[str], cutoff: float) -> str | None:
    """The one that is most like this word; a long one is none of them."""
    from difflib import get_close_matches  # only a text with a mistake needs it

    return next(iter(get_close_matches(word, known, 1, cutoff) if len(word) < 100 else ()), None)


def parse(text: str, problems: Problems) -> Node | None:
    """The top of the text (an empty one is an empty section); None when it is no YAML at all."""
    text = text.removeprefix("\ufeff")
    odd = _UNTYPED.search(text)
    if odd is not None:
        line = text.count("\n", 0, odd.start()) + 1
        problems.add(line, f"a character that nobody types (U+{ord(odd.group()):04X})")
        return None
    if len(text) > MAX_TEXT:
        problems.add(1, f"the text is longer than {MAX_TEXT:,} characters")
        return None
    rows = text.splitlines()
    for pure in (False, True):
        # The parser in C is older than YAML 1.2 and refuses `{run: who @a:b.org}`, which maubot's
        # own reading takes; so what it refuses is read again by the slow one.
        try:
            return _build(YAML(typ="safe", pure=pure).parse(text), rows, problems)
        except BadValue as bad:
            meant = slips.remedy(text) if bad.line else None
            problems.add(*((meant.line, meant.text) if meant else (bad.line, str(bad))))
            return None
        except (YAMLError, ValueError) as error:
            if pure:
                problems.add(*_broken(error, text, rows or [""]))
    return None


def _broken(error: Exception, text: str, rows: Sequence[str]) -> tuple[int, str]:
    """Line and words for a text that is no YAML."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line = min(mark.line, len(rows) - 1) if mark is not None else 0
    if rows[line].lstrip(" ").startswith("\t"):
        return line + 1, "a tab stands before the text; indent with blanks"
    if (meant := slips.remedy(text)) is not None:
        return meant.line, meant.text
    words = getattr(error, "problem", None) or str(error)
    since = getattr(error, "context_mark", None) or mark
    begun = since.line + 1 if since is not None else line + 1
    return line + 1, slips.plainer(" ".join(words.split())[:200], begun)


def _build(events: Iterator[Any], rows: Sequence[str], problems: Problems) -> Node:
    """Follows the events with an own stack, so that depth is ours to bound."""
    tops: list[Node] = []
    stack: list[tuple[int, bool, list[Node]]] = []  # line, is a section, what it holds so far
    after = 0  # where the event before ended
    for event in events:
        line = event.start_mark.line + 1 if event.start_mark is not None else 1
        _is_ours(event, line)
        if isinstance(event, DocumentStartEvent) and tops:
            raise BadValue("a second document begins here; one text, one policy", line)
        if isinstance(event, (MappingStartEvent, SequenceStartEvent)):
            if len(stack) >= MAX_DEPTH:
                raise BadValue(f"more than {MAX_DEPTH} levels inside each other", line)
            stack.append((line, isinstance(event, MappingStartEvent), []))
            continue
        if isinstance(event, ScalarEvent):
            node = _scalar(event, line, rows[after:line], problems)
            after = event.end_mark.line
        elif isinstance(event, (MappingEndEvent, SequenceEndEvent)):
            line, section, inner = stack.pop()
            node = Node(line, _entries(inner, problems) if section else Items(tuple(inner)))
        else:
            continue
        (stack[-1][2] if stack else tops).append(node)
    top = tops[0] if tops else Node(1, None)
    return Node(1, Entries(())) if top.value is None else top


def _is_ours(event: Event, line: int) -> None:
    """Raises BadValue for what YAML has and a policy does not."""
    if isinstance(event, AliasEvent) or getattr(event, "anchor", None):
        raise BadValue("& and * (anchors) are not used here; write the value again", line)
    if slips.is_foreign(event):
        raise BadValue(f"tags like {getattr(event, 'tag', None)} are not used here", line)


def _scalar(event: ScalarEvent, line: int, rows: Sequence[str], problems: Problems) -> Node:
    """rows: the lines in which it may stand."""
    value = event.value
    if not event.implicit[0]:
        return Node(line, value)
    if not value:
        return Node(line, None, slips.hidden(rows))
    if value in _WORDS:
        return Node(line, _WORDS[value])
    if _WHOLE.fullmatch(value):
        return Node(line, int(value))
    if (said := slips.odd_blank(value)) is not None:
        problems.add_late(line, said)
    if (inner := slips.unquoted(value)) is not None:
        problems.add_late(line, slips.curly(value))
        return Node(line, value if problems.accepted else inner)
    return Node(line, value)


def _entries(inner: list[Node], problems: Problems) -> Entries:
    pairs: list[tuple[Node, Node]] = []
    seen: dict[str, int] = {}
    for key, value in zip(inner[::2], inner[1::2], strict=True):
        if not isinstance(key.value, str):
            problems.add(key.line, f"a key must be text, not {key.shown}")
        elif key.value in seen:
            first = seen[key.value]
            problems.add(key.line, f"{quoted(key.value)} stands here twice, first in line {first}")
        else:
            seen[key.value] = key.line
            pairs.append((key, value))
    return Entries(tuple(pairs))


# --- reading values by kind -------------------------------------------------------------------

Kind = Callable[[Node], Any]
"""Gives the value of a node, or raises BadValue with what it should have been."""


@frozen
class Key:
    """One key that exists. null: may be written without a value."""

    kind: Kind
    default: Any = None
    required: bool = False
    null: bool = False


@frozen
class Section:
    """A section read by its table: values with defaults, and the lines of what is written.

    sound: nothing was wrong with it. If not, what could not be read has its default (None where
    the key is required), so that the rest can still be checked.
    """

    line: int
    values: Mapping[str, Any]
    lines: Mapping[str, int] = field(factory=dict)
    sound: bool = True

    def __getitem__(self, key: str) -> Any:
        return self.values[key]

    def line_of(self, key: str) -> int:
        return self.lines.get(key, self.line)


def read(node: Node | None, keys: Mapping[str, Key], problems: Problems, what: str) -> Section:
    """A section by its table of keys; nothing and None are an empty one."""
    values: dict[str, Any] = {name: key.default for name, key in keys.items()}
    lines: dict[str, int] = {}
    sound = True
    node = node or Node(1, None)
    pairs: tuple[tuple[Node, Node], ...] = ()
    if isinstance(node.value, Entries):
        pairs = node.value.pairs
    elif node.value is not None:
        problems.add(node.line, f"{what} must be a section of keys, not {node.shown}")
        return Section(node.line, values, lines, False)
    for name, value in pairs:
        word = str(name.value)
        known = keys.get(word)
        if known is None:
            sound = False
            problems.add(name.line, _no_key(word, keys, what))
            continue
        lines[word] = value.line
        if value.value is None:
            if value.hidden and (value.hidden != "#" or not known.null):
                sound = False
                problems.add_late(name.line, f"{word}: {slips.signed(value.hidden)}")
            elif not known.null:
                sound = False
                problems.add(name.line, f"{word} has no value; write one or leave the key out")
            continue
        try:
            values[word] = known.kind(value)
        except BadValue as bad:
            sound = False
            problems.add(bad.line or value.line, f"{word}: {bad}")
    for word, known in keys.items():
        if known.required and word not in lines:
            sound = False
            problems.add(node.line, f"{what} needs the key {word}")
    return Section(node.line, values, lines, sound)


def _no_key(word: str, keys: Mapping[str, Key], what: str) -> str:
    head, colon, _ = word.partition(":")
    if colon and head in keys:
        return slips.glued(f"{head}:")
    where = " (role stands in allow lines only)" if word == "role" and " line" in what else ""
    return unknown("key", word, keys) + where


def anything(node: Node) -> Node:
    return node


def text(node: Node) -> str:
    if node.hidden:
        raise BadValue(slips.signed(node.hidden))
    if not isinstance(node.value, str):
        quotes = "" if isinstance(node.value, (Items, Entries)) else "; put it in quotes"
        raise BadValue(f"{node.shown} is no text{quotes}")
    return node.value


def yes_no(node: Node) -> bool:
    if not isinstance(node.value, bool):
        raise BadValue(f"{node.shown} is neither true nor false")
    return node.value


def whole(low: int, high: int = 10**9) -> Kind:
    def kind(node: Node) -> int:
        value = node.value
        if isinstance(value, bool) or not isinstance(value, int):
            raise BadValue(f"{node.shown} is no whole number")
        if not low <= value <= high:
            raise BadValue(f"{value} is not between {low} and {high}")
        return value

    return kind


def choice(*words: str) -> Kind:
    def kind(node: Node) -> str:
        if node.value not in words or not isinstance(node.value, str):
            raise BadValue(f"{node.shown} is none of: {', '.join(words)}")
        return node.value

    return kind


_SPAN = re.compile(r"(\d{1,9})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def span(low: int = 1, high: int = 366 * 86400) -> Kind:
    """A length of time, in seconds."""

    def kind(node: Node) -> int:
        match = _SPAN.fullmatch(node.value) if isinstance(node.value, str) else None
        if match is None:
            raise BadValue(f"{node.shown} is no time span. Like this: 30m, 1h, 7d")
        seconds = int(match[1]) * _SECONDS[match[2]]
        if not low <= seconds <= high:
            raise BadValue(f"{node.shown} is not between {low} s and {high // 3600} h")
        return seconds

    return kind


def names(node: Node) -> tuple[Node, ...]:
    """One text or a list of texts; their nodes, since each may stand in a line of its own."""
    nodes = node.value.nodes if isinstance(node.value, Items) else (node,)
    for one in nodes:
        try:
            text(one)
        except BadValue as bad:
            raise BadValue(str(bad), one.line) from None
    return nodes


def listed(node: Node) -> tuple[Node, ...]:
    """A list of anything."""
    if not isinstance(node.value, Items):
        raise BadValue(f"{node.shown} is no list")
    return node.value.nodes


def entries(node: Node) -> tuple[tuple[Node, Node], ...]:
    """A section whose keys are names that the owner chose."""
    if not isinstance(node.value, Entries):
        raise BadValue(f"{node.shown} is no section of names")
    return node.value.pairs


def bare(node: Node) -> object:
    """The value without its lines; sections in the order of their keys."""
    if isinstance(node.value, Entries):
        return sorted((str(key.value), bare(value)) for key, value in node.value.pairs)
    return [bare(each) for each in node.value] if isinstance(node.value, Items) else node.value
