"""A line of a message, written as it reads: ``"`{user}` exists already. Look: `!users {name}`"``.

- `{name}` is filled in: words of ours, a number, `code`, `quote` or another line.
- What stands in backticks is code. Names in it are filled in with what they read as.
- `!` right after a backtick is the prefix of commands.

Only the template is read for these signs, never what fills it: a value with `{x}` or a backtick in
it stays what it is. tests/unit/test_templates.py holds that every template can be read and that
each gets the values it names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Union

from attrs import field, frozen

from .message import Code, Text, code, plain

Value = Union[str, int, Code, Text]
"""What fills a hole: text of strangers only as `quote` or between backticks."""

_PIECES = re.compile(r"(`[^`]*`|\{[a-z_]+\})")
_HOLES = re.compile(r"(\{[a-z_]+\})")


@frozen
class Template:
    """Raises ValueError when it is made of what cannot be read."""

    text: str = field()
    names: frozenset[str] = field(init=False)  # what it must be given

    @text.validator
    def _readable(self, _: object, text: str) -> None:
        if left := set("{}`") & set(_HOLES.sub("", _PIECES.sub(_words_of_code, text))):
            raise ValueError(f"{left} without its counterpart, or around no name: {text!r}")

    @names.default
    def _names(self) -> frozenset[str]:
        return frozenset(hole[1:-1] for hole in _HOLES.findall(self.text))

    def fill(self, values: Mapping[str, Value], prefix: str = "!") -> Text:
        """The line. A hole that is given no value stays as it is: better than no message."""
        words: list[str | Code] = []
        for piece in _PIECES.split(self.text):
            if piece[:1] == "`":
                words.append(_code(piece[1:-1], values, prefix))
            elif piece:
                words += _filled(piece, values)
        return tuple(words)


def _words_of_code(found: re.Match[str]) -> str:
    return found.group().strip("`")


def _code(words: str, values: Mapping[str, Value], prefix: str) -> Code:
    start, words = (prefix, words[1:]) if words[:1] == "!" else ("", words)
    return code(start + "".join(plain(_filled(piece, values)) for piece in _HOLES.split(words)))


def _filled(piece: str, values: Mapping[str, Value]) -> Text:
    """What stands for a piece of a template: itself, unless it is a hole."""
    value = values.get(piece[1:-1], piece) if piece[:1] == "{" else piece
    return value if isinstance(value, tuple) else (_word(value),)


def _word(value: str | int | Code) -> str | Code:
    return str(value) if isinstance(value, int) else value


@lru_cache(maxsize=2048)
def template(text: str) -> Template | None:
    """None for words that cannot be read as one."""
    try:
        return Template(text)
    except ValueError:
        return None
