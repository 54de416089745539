"""A regular expression of the policy: which are allowed, and matching in bounded time.

Only what is needed to describe names: literals, classes, `.`, groups without quantifier, `|`,
quantifiers. Whatever is accepted here matches the whole value, ASCII only, well below 1 ms on
any value that can be typed. A backtracking matcher cannot promise that (`.*.*.*x`, `(a|a)(a|a)…`),
so Python's `re` is asked only where there is little to backtrack over. Otherwise the *set* of
places is followed up to which the value can have been consumed: bit i of a number says that its
first i characters can be.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Union

from attrs import field, frozen

MAX_LENGTH = 200
MAX_UNBOUNDED = 3
_FEW = 3000  # ways to divide a value among the parts up to which `re` is quick

_PART = re.compile(
    r"""(?P<sign> \((?:\?:)? | [)|^$] | \[\^?(?:\\.|.)(?:\\.|[^]\\])*\] | \\. | . )
    (?: (?P<few>[*+?]) | \{(?=[\d,]) (?P<low>\d*) (?P<comma>,)? (?P<high>\d*) \} )?
    (?P<kind>[+?])?""",
    re.VERBOSE | re.DOTALL,
)
_COUNTS: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}


class BadPattern(Exception):
    """This expression is not taken; the message says why, for the person who wrote it."""


@frozen
class _Atom:
    """One character out of a set, `least` to `most` times (None: without end)."""

    fits: Callable[[str], object]
    least: int
    most: int | None

    def follow(self, places: int, mask: int) -> int:
        """The places after it, from those before it. mask: places of characters that fit."""
        reached = taken = 0
        while places and (self.most is None or taken <= self.most):
            if taken >= self.least:
                if not places & ~reached:
                    break
                reached |= places
            places = (places & mask) << 1
            taken += 1
        return reached


_Part = Union[_Atom, str]
"""An atom, or one of the signs ( | ) ^ $."""


@frozen
class Pattern:
    """An accepted expression. `fits` says whether it covers the whole of a value."""

    text: str
    _parts: tuple[_Part, ...] = field(eq=False, repr=False)
    _short: int = field(eq=False, repr=False)  # the longest value to ask `_quick` about
    _quick: Callable[[str], object] = field(eq=False, repr=False)

    def fits(self, value: str) -> bool:
        if len(value) <= self._short:
            return self._quick(value) is not None
        return bool(self._follow(value) >> len(value) & 1)

    def _follow(self, value: str) -> int:
        """The places up to which the expression can consume the value."""
        at: dict[str, int] = {}  # character -> the places where it stands
        for place, character in enumerate(value):
            at[character] = at.get(character, 0) | 1 << place
        masks: dict[object, int] = {}
        outer: list[tuple[int, int]] = []
        before, after, places = 1, 0, 1  # of the group: where it began, its branches so far, now
        for part in (*self._parts, "|"):
            if isinstance(part, _Atom):
                if part.fits not in masks:
                    masks[part.fits] = sum(some for one, some in at.items() if part.fits(one))
                places = part.follow(places, masks[part.fits])
            elif part == "(":
                outer.append((before, after))
                before, after = places, 0
            elif part == "|":
                after, places = after | places, before
            elif part == ")":
                places |= after
                before, after = outer.pop()
            else:
                places &= 1 if part == "^" else 1 << len(value)
        return after


def compile_pattern(text: str) -> Pattern:
    """Raises BadPattern."""
    if len(text) > MAX_LENGTH:
        raise BadPattern(f"is {len(text)} characters long, {MAX_LENGTH} is the most")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # "possible nested set"
            whole = re.compile(text, re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        raise BadPattern(f"is no regular expression: {error}") from None
    parts = tuple(map(_part, _PART.finditer(text)))
    atoms = [part for part in parts if isinstance(part, _Atom)]
    unbounded = sum(atom.most is None for atom in atoms)
    if unbounded > MAX_UNBOUNDED:
        raise BadPattern(f"has {unbounded} quantifiers without end, {MAX_UNBOUNDED} at most")
    choices = parts.count("|") + sum(atom.least != atom.most for atom in atoms)
    # A part that can take more or less of a value of n characters does so in n + 2 ways at most.
    short = int(_FEW ** (1 / choices)) - 2 if choices else MAX_LENGTH
    return Pattern(text, parts, short, whole.fullmatch)


def _part(match: re.Match[str]) -> _Part:
    """A part of an expression that `re` has accepted; refuses what is not for names."""
    sign, counts = match["sign"], _counts(match)
    if sign[0] == "\\" and sign[1].isalnum() and sign[1] not in "dwsDWS":
        raise BadPattern(f"uses {sign}; only \\d \\w \\s and escaped signs can stand here")
    if match["kind"] == "+":
        raise BadPattern("uses a possessive quantifier")
    if sign in ("(", "(?:"):
        if counts is not None:
            raise BadPattern("uses (?…; only plain groups and (?: can stand here")
        return "("
    if sign == ")" and counts is not None:
        raise BadPattern("has a quantifier on a group")
    if sign in ("^", "$") and counts is not None:
        raise BadPattern(f"repeats {sign}")
    if sign in (")", "|", "^", "$"):
        return sign
    one = re.compile(sign if sign[0] in "[\\." else re.escape(sign), re.ASCII)
    return _Atom(one.fullmatch, *(counts or (1, 1)))


def _counts(match: re.Match[str]) -> tuple[int, int | None] | None:
    """How often the part can stand, None without a quantifier. A lazy one takes the same."""
    if match["few"]:
        return _COUNTS[match["few"]]
    if match["low"] is None:
        return None
    least = int(match["low"] or 0)
    if match["comma"] is None:
        return least, least
    return least, int(match["high"]) if match["high"] else None
