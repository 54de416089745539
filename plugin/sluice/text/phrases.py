"""The small phrases that all texts share: persons, lists of them, counts, sizes, commands."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from typing import Union, cast

from attrs import frozen

from .message import Code, Link, Message, Sign, Text, code, fitted, plain, quote
from .template import Hole, Template, template
from .times import Clock, about, over, span

Word = Union[str, Code, Link]
Line = Union[str, Text]
Value = Union[str, int, float, Code, Link, Text, Sequence[str], Sequence[int]]
"""What fills a template: text of strangers only as `quote`, or in code."""

_MARKED = re.compile(r"“([^”]*)”|([@#!$][^\s,;“”]+:[^\s,;“”]*[^\s,;.“”])")


@frozen
class Here:
    """Where and when a message is written: what nearly every text needs."""

    server: str
    clock: Clock
    prefix: str = "!"
    bot: str = ""
    owners: tuple[str, ...] = ()  # MXIDs of owners who are joined: whom an alarm pushes

    def cmd(self, line: str) -> Code:
        """A command to copy."""
        return code(f"{self.prefix}{line}")

    def local(self, mxid: str) -> str:
        return local(mxid, self.server)

    def short(self, id: str, limit: int = 24) -> Code:
        return short(id, self.server, limit)


def person(name: str) -> Word:
    """A policy name in plain text; an MXID in code, else a phone shows its display name."""
    return code(name) if name.startswith("@") else name


def people(names: Iterable[str], last: str = "or") -> Text:
    """`cy, ana or dan`."""
    return listed([person(name) for name in names], last)


def listed(entries: Sequence[Word | Text], last: str = "", between: str = ", ") -> Text:
    """`a, b, c`, or with `last` between the two at the end: `a, b or c`."""
    parts: list[Word] = []
    for number, entry in enumerate(entries, 1):
        if parts:
            parts.append(f" {last} " if last and number == len(entries) else between)
        parts += entry if isinstance(entry, tuple) else [entry]
    return tuple(parts)


def dotted(entries: Sequence[Word | Text]) -> Text:
    """`a · b · c`."""
    return listed(entries, between=" · ")


def numbers(requests: Iterable[int], last: str = "") -> Text:
    """`#12, #14`."""
    return listed([f"#{number}" for number in requests], last)


def codes(ids: Iterable[str], last: str = "") -> Text:
    """`a, b, c`, each in code."""
    return listed([code(each) for each in ids], last)


def count(n: int, noun: str, many: str = "") -> str:
    """`1 file`, `1,204 files`."""
    return f"{n:,} {noun if n == 1 else many or noun + 's'}"


def plural(n: int, one: str, many: str) -> str:
    """The word that fits so many."""
    return one if n == 1 else many


def a(noun: str) -> str:
    """`a mod`, `an owner`."""
    return f"{'an' if noun[:1].lower() in tuple('aeiou') else 'a'} {noun}"


def size(octets: float) -> str:
    """`999 B`, `5.2 MB`, `312 MB`: SI units, as Conduit counts."""
    power = 0
    while octets >= 999.5 and power < 4:
        octets, power = octets / 1000, power + 1
    exact = power and octets < 9.95 and round(octets, 1) != round(octets)
    return f"{octets:.{1 if exact else 0}f} {('B', 'kB', 'MB', 'GB', 'TB')[power]}"


def local(mxid: str, server: str) -> str:
    """The shortest that a person can type: the localpart of an account of this server."""
    ours = mxid.startswith("@") and mxid.endswith(f":{server}")
    return mxid[1:].removesuffix(f":{server}") if ours else mxid


def short(id: str, server: str, limit: int = 24) -> Code:
    """An id for a headline: without our own server, and cut in its middle if it is long still."""
    kept = id.removesuffix(f":{server}") if id[:1] in tuple("@#!") else id
    if len(kept) > limit:
        head, tail = limit // 2, (limit - 1) // 2
        kept = f"{kept[:head]}…{kept[-tail:]}"
    return code(kept)


def capital(line: Text) -> Text:
    """The line with a capital first letter, if it begins with a word."""
    head = line[0]
    return (head[:1].upper() + head[1:], *line[1:]) if isinstance(head, str) else line


def below(tail: Text) -> Text:
    """What would go on after a full stop, as a line of its own."""
    head = tail[0].lstrip() if isinstance(tail[0], str) else tail[0]
    return tail[1:] if head == "" else (head, *tail[1:])


def marked(words: str) -> Text:
    """A sentence of another package: what it quotes and its ids stand in code."""
    parts: list[Word] = []
    done = 0
    for found in _MARKED.finditer(words):
        quoted, mxid = found.groups()
        parts += [words[done : found.start()], code(mxid) if mxid else quote(quoted, 200)]
        done = found.end()
    return tuple(p for p in (*parts, words[done:]) if p != "")


# --- messages ------------------------------------------------------------------------------------
# A line that is a string is a template; what its names stand for comes as `values`. `here` must be
# given where a template names a command or writes a time or an account. An empty line is left out.

_FORMATS: Mapping[str, Callable[..., Word | Text]] = {
    "at": lambda at, here: here.clock.at(at),
    "dated": lambda at, here: here.clock.dated(at),
    "span": lambda seconds, _: span(seconds),
    "about": lambda seconds, _: about(seconds),
    "over": lambda seconds, _: over(seconds),
    "person": lambda name, _: person(name),
    "people": lambda names, _: people(names),
    "people and": lambda names, _: people(names, "and"),
    "codes": lambda ids, _: codes(ids),
    "numbers": lambda ids, _: numbers(ids),
    "local": lambda mxid, here: here.local(mxid),
    "short": lambda id, here: here.short(id),
    "quote": lambda words, _: quote(words or ""),
    ",": lambda n, _: f"{n:,}",
}
_NOWHERE = Here("", Clock(0))


def line(words: str, here: Here | None = None, /, **values: Value) -> Text:
    """One line, or a part of one, from a template; `template` says how they are written."""
    read = template(words)
    return filled(read, here, values) if read else (words,)


def filled(read: Template, here: Here | None, values: Mapping[str, Value]) -> Text:
    """The line of a template. A hole without a value stays as it is: better than no message."""
    where = here or _NOWHERE

    def show(hole: Hole) -> Text:
        name, *path = hole.name.split(".")
        if name not in values:
            return (f"{{{hole.name}}}",)
        value: Value = reduce(getattr, path, values[name])
        shown = _shown(value, hole.form, where)
        return shown if isinstance(shown, tuple) else (shown,)

    return read.fill(show, where.prefix)


def _shown(value: Value, form: str, here: Here) -> Word | Text:
    if form in _FORMATS:
        return _FORMATS[form](value, here)
    if form:
        n = value if isinstance(value, int) else len(cast("Sequence[str]", value))
        one, _, many = form.removeprefix("count ").partition("/")
        return count(n, one, many) if form.startswith("count ") else plural(n, one, many)
    return value if isinstance(value, (str, Code, Link, tuple)) else str(value)


def _rows(
    lines: Iterable[Line], here: Here | None, values: Mapping[str, Value]
) -> tuple[Text, ...]:
    rows = [line(row, here, **values) if isinstance(row, str) else row for row in lines]
    return fitted([row for row in rows if plain(row)])


def say(
    sign: Sign,
    *lines: Line,
    here: Here | None = None,
    push: Iterable[str] = (),
    text: bool = False,
    **values: Value,
) -> Message:
    """Any message. push: MXIDs, each named once. text: an m.text, which is what pushes at all."""
    return Message(sign, _rows(lines, here, values), tuple(dict.fromkeys(push)), text)


def view(
    *lines: Line, here: Here | None = None, to: str | None = None, **values: Value
) -> Message:
    """📋 what somebody asked to see; `to` is pushed when it took long."""
    rows = _rows(lines, here, values)
    return Message(Sign.VIEW, rows, push=(to,) if to else (), text=to is not None)


def news(*lines: Line, here: Here | None = None, **values: Value) -> Message:
    """🔔 nobody must act."""
    return Message(Sign.NEWS, _rows(lines, here, values))


def alarm(push: Iterable[str], *lines: Line, here: Here | None = None, **values: Value) -> Message:
    """❗ somebody must look or act. push: MXIDs, the joined owners before all."""
    rows = _rows(lines, here, values)
    return Message(Sign.ALARM, rows, push=tuple(dict.fromkeys(push)), text=True)


def ask(*lines: Line, here: Here | None = None, **values: Value) -> Message:
    """❓ one thing is missing; nothing has run."""
    return Message(Sign.QUESTION, _rows(lines, here, values))


def not_run(
    *lines: Line, here: Here | None = None, to: str | None = None, **values: Value
) -> Message:
    """⛔ with the whole line given; `to` is pushed when it comes late or ends a card."""
    rows = _rows(lines, here, values)
    return Message(Sign.NOT_RUN, rows, push=(to,) if to else (), text=to is not None)
