"""The small phrases that all texts share: persons, lists of them, counts, sizes, commands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Union

from ..message import Code, Text, code

Word = Union[str, Code]


def person(name: str) -> Word:
    """A policy name in plain text; an MXID in code, else a phone shows its display name."""
    return code(name) if name.startswith("@") else name


def people(names: Sequence[str], last: str = "or") -> Text:
    """`cy, ana or dan`."""
    return listed([person(name) for name in names], last)


def listed(words: Sequence[Word], last: str = "") -> Text:
    """`a, b, c`, or with `last` between the two at the end: `a, b or c`."""
    parts: list[Word] = []
    for index, word in enumerate(words):
        final = index == len(words) - 1
        parts += [f" {last} " if final and last else ", ", word] if index else [word]
    return tuple(parts)


def codes(ids: Iterable[str]) -> Text:
    """`a, b, c`, each in code."""
    return listed([code(i) for i in ids])


def count(n: int, noun: str, plural: str = "") -> str:
    """`1 file`, `1,204 files`."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def size(octets: float) -> str:
    """`999 B`, `5.2 MB`, `312 MB`: SI units, as Conduit counts."""
    for unit in ("B", "kB", "MB", "GB"):
        if octets < 999.5:
            break
        octets /= 1000
    else:
        unit = "TB"
    exact = unit != "B" and octets < 9.95 and round(octets, 1) != round(octets)
    return f"{octets:.1f} {unit}" if exact else f"{octets:.0f} {unit}"


def local(mxid: str, server: str) -> str:
    """The shortest that a person can type: the localpart of an account of this server."""
    return mxid[1:].removesuffix(f":{server}") if mxid.endswith(f":{server}") else mxid


def capital(line: Text) -> Text:
    """The line with a capital first letter, if it begins with a word."""
    head = line[0]
    return (head[:1].upper() + head[1:], *line[1:]) if isinstance(head, str) else line
