"""The names of a list as one can take them in: runs of numbers in one, the odd ones first."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from attrs import frozen

MOST = 30  # names, or runs of them, that stand on a card
_LONGEST = 240  # characters of all of them
_RUN = 3  # so many names with the next number each are a run
_NUMBERED = re.compile(r"(.*?)([0-9]{1,9})([^0-9]*)")
_SPARE = len(", ")


@frozen
class Alike:
    """name: one, or `xs01 to xs08`, which are so many. mark: what is to be said of it."""

    name: str
    size: int = 1
    mark: str = ""


@frozen
class SortedOut:
    """odd: not like the others, or marked. rest: what most are like. more: how many are left out,
    the odd ones last."""

    odd: tuple[Alike, ...]
    rest: tuple[Alike, ...]
    more: int


def sorted_out(marks: Mapping[str, str]) -> SortedOut:
    """marks: by name, "" for none."""
    runs = _runs([name for name, mark in marks.items() if not mark])
    within = {name for names in runs for name in names}
    alone = [Alike(name, 1, mark) for name, mark in marks.items() if name not in within]
    ranges = [Alike(f"{names[0]} to {names[-1]}", len(names)) for names in runs]
    if len(within) * 2 < len(marks):  # there is nothing that most are like
        marked = [each for each in alone if each.mark]
        ranges, alone = [*(each for each in alone if not each.mark), *ranges], marked
    alone.sort(key=lambda each: not each.mark)  # these are never left out for others
    kept = _fitting([*alone, *ranges])
    odd, rest = tuple(kept[: len(alone)]), tuple(kept[len(alone) :])
    return SortedOut(odd, rest, len(marks) - sum(each.size for each in kept))


def _runs(names: Sequence[str]) -> list[list[str]]:
    """Names that differ in their number only, one after the other, none left out."""
    numbered: dict[tuple[str, str, int], dict[int, str]] = defaultdict(dict)
    for name in names:
        if found := _NUMBERED.fullmatch(name):
            start, digits, end = found.groups()
            numbered[start, end, len(digits)][int(digits)] = name
    runs: list[list[str]] = []
    for group in numbered.values():
        before = None
        for number in sorted(group):
            if number - 1 != before:
                runs.append([])
            runs[-1].append(group[number])
            before = number
    return [names for names in runs if len(names) >= _RUN]


def _fitting(names: Sequence[Alike]) -> list[Alike]:
    kept, room = list[Alike](), _LONGEST
    for each in names[:MOST]:
        room -= len(each.name) + len(each.mark) + _SPARE
        if kept and room < 0:
            break
        kept.append(each)
    return kept
