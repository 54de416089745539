"""A regular expression of the policy: which are allowed, and matching in bounded time.

Only what is needed to describe names: literals, classes, `.`, groups without quantifier, `|`,
quantifiers. Whatever is accepted here matches the whole value, ASCII only, well below 1 ms on
any value that can be typed; a backtracking matcher cannot promise that (`.*.*.*x`, `(a|a)(a|a)…`).
So `Pattern.fits` asks Python's `re` only for values so short that there is little to backtrack
over; longer ones are matched by following the *set* of positions that the value can have been
consumed to, as the bits of one number, through every element once.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Union

from attrs import Factory, field, frozen

MAX_LENGTH = 200
MAX_UNBOUNDED = 3
_LONGEST = 512  # bytes of a typed value; a repetition beyond it is the same as without end
_FEW = 3000  # ways to divide a value among the elements up to which `re` is quick

_COUNT = re.compile(r"\{(?=[\d,])(\d*)(?:(,)(\d*))?\}")


class Refused(Exception):
    """This expression is not taken; the message says why, for the person who wrote it."""


@frozen
class _Atom:
    """One character out of a set, `least` to `most` times (None: without end)."""

    fits: Callable[[str], object]
    least: int = 1
    most: int | None = 1

    def ways(self, size: int) -> int:
        """In how many ways it can take a part of a value of this size."""
        most = size if self.most is None else min(self.most, size)
        return max(most - self.least + 1, 1)


@frozen
class _Edge:
    """`^` or `$`: the start or the end of the value."""

    end: bool


@frozen
class _Either:
    """Branches of a group, or of the whole expression."""

    branches: tuple[tuple[_Element, ...], ...]

    def ways(self, size: int) -> int:
        total = 0
        for branch in self.branches:
            product = 1
            for element in branch:
                product *= 1 if isinstance(element, _Edge) else element.ways(size)
            total += product
        return total


_Element = Union[_Atom, _Edge, _Either]


@frozen
class Pattern:
    """An accepted expression. `fits` says whether it covers the whole of a value."""

    text: str
    _quick: Callable[[str], object] = field(eq=False, repr=False)
    _short: int = field(eq=False, repr=False)  # the longest value to ask `_quick` about
    _tree: _Either = field(eq=False, repr=False)

    def fits(self, value: str) -> bool:
        if len(value) <= self._short:
            return self._quick(value) is not None
        return bool(_follow(self._tree, 1, _Value.of(value)) >> len(value) & 1)


def compile_pattern(text: str) -> Pattern:
    """Raises Refused."""
    if len(text) > MAX_LENGTH:
        raise Refused(f"is {len(text)} characters long, {MAX_LENGTH} is the most")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # "possible nested set"
            whole = re.compile(text, re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        raise Refused(f"is no regular expression: {error}") from None
    reader = _Reader(text)
    tree = reader.either()
    if reader.at < len(text):
        raise Refused("is no regular expression: unbalanced parenthesis")
    if reader.unbounded > MAX_UNBOUNDED:
        raise Refused(f"has {reader.unbounded} quantifiers without end, {MAX_UNBOUNDED} at most")
    return Pattern(text, whole.fullmatch, _short(tree), tree)


def _short(tree: _Either) -> int:
    """The greatest size of which a value can be divided in few ways; -1 if none is."""
    low, high = -1, _LONGEST
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if tree.ways(middle) <= _FEW else (low, middle - 1)
    return low


class _Reader:
    """Reads an expression that `re` has accepted into elements, refusing what is not for names."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.unbounded = 0

    def either(self) -> _Either:
        branches: list[tuple[_Element, ...]] = []
        branch: list[_Element] = []
        while self.at < len(self.text) and self.text[self.at] != ")":
            if self.text[self.at] == "|":
                self.at += 1
                branches.append(tuple(branch))
                branch = []
            else:
                branch.append(self.element())
        return _Either((*branches, tuple(branch)))

    def element(self) -> _Element:
        text, start = self.text, self.at
        head = text[start]
        if head == "(":
            return self.group()
        if head in "^$":
            self.at += 1
            if self.quantifier() is not None:
                raise Refused(f"repeats {head}")
            return _Edge(head == "$")
        if head == "[":
            self.at = self.end_of_class()
        elif head == "\\":
            escaped = text[start + 1]
            if escaped.isalnum() and escaped not in "dwsDWS":
                raise Refused(
                    f"uses \\{escaped}; only \\d \\w \\s and escaped signs can stand here"
                )
            self.at += 2
        else:
            self.at += 1
        one = re.compile(text[start : self.at] if head in "[\\." else re.escape(head), re.ASCII)
        least, most = self.quantifier() or (1, 1)
        if most is None:
            self.unbounded += 1
        return _Atom(one.fullmatch, min(least, _LONGEST + 1), most)

    def group(self) -> _Either:
        if self.text.startswith("(?", self.at) and not self.text.startswith("(?:", self.at):
            raise Refused("uses (?…; only plain groups and (?: can stand here")
        self.at += 3 if self.text.startswith("(?:", self.at) else 1
        inner = self.either()
        self.at += 1
        if self.quantifier() is not None:
            raise Refused("has a quantifier on a group")
        return inner

    def end_of_class(self) -> int:
        at = self.at + 1
        at += self.text.startswith("^", at)
        at += 1  # a ] in the first place is itself, any other character is none
        at += self.text[at - 1] == "\\"
        while self.text[at] != "]":
            at += 2 if self.text[at] == "\\" else 1
        return at + 1

    def quantifier(self) -> tuple[int, int | None] | None:
        sign = self.text[self.at : self.at + 1]
        bounds: tuple[int, int | None]
        if sign and sign in "*+?":
            bounds = {"*": (0, None), "+": (1, None), "?": (0, 1)}[sign]
            self.at += 1
        elif count := _COUNT.match(self.text, self.at):
            low, comma, high = count.groups()
            least = int(low or 0)
            bounds = (least, int(high) if high else None) if comma else (least, least)
            self.at = count.end()
        else:
            return None
        after = self.text[self.at : self.at + 1]
        if after == "+":
            raise Refused("uses a possessive quantifier")
        self.at += after == "?"  # lazy: the same values fit
        return bounds


@frozen
class _Value:
    """A value to match: at which places each of its characters stands, and each set of them."""

    size: int
    characters: dict[str, int]
    sets: dict[object, int] = Factory(dict)

    @classmethod
    def of(cls, text: str) -> _Value:
        characters: dict[str, int] = {}
        for place, character in enumerate(text):
            characters[character] = characters.get(character, 0) | 1 << place
        return cls(len(text), characters)

    def mask(self, fits: Callable[[str], object]) -> int:
        mask = self.sets.get(fits)
        if mask is None:
            mask = sum(places for one, places in self.characters.items() if fits(one))
            self.sets[fits] = mask
        return mask


def _follow(element: _Element, places: int, value: _Value) -> int:
    """The places (bit i: i characters are consumed) after the element, from those before it."""
    if isinstance(element, _Edge):
        return places & (1 << value.size if element.end else 1)
    if isinstance(element, _Either):
        after = 0
        for branch in element.branches:
            reached = places
            for part in branch:
                reached = _follow(part, reached, value)
            after |= reached
        return after
    if element.least > value.size:
        return 0
    mask = value.mask(element.fits)
    most = value.size if element.most is None else min(element.most, value.size)
    places = _steps(places, mask, element.least, exactly=True)
    return _steps(places, mask, max(most - element.least, 0), exactly=False)


def _steps(places: int, mask: int, count: int, *, exactly: bool) -> int:
    """Exactly `count` characters of the mask further, or any number up to it, by doubling.

    run: places from which `size` characters of the mask follow.
    """
    run, size = mask, 1
    while count:
        if exactly:
            if count & 1:
                places = (places & run) << size
            count >>= 1
        else:
            size_now = min(size, count)
            if size_now < size:  # the rest is no power of two: runs of its length
                run, size = _run(mask, size_now), size_now
            places |= (places & run) << size
            count -= size_now
        run &= run >> size
        size *= 2
    return places


def _run(mask: int, length: int) -> int:
    """The places from which at least `length` characters of the mask follow."""
    run, have = mask, 1
    while have < length:
        step = min(have, length - have)
        run &= run >> step
        have += step
    return run
