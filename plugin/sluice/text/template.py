"""A line of a message, written as it reads: ``"`{user}` exists already. Look: `!users {name}`"``.

- `{name}` is filled in: words of ours, a number, `code`, `quote` or another line.
- `{name:format}` is filled in as FORMATS says: `{since:at}`, `{who:person}`.
  `{n:count file}` is "1 file" or "2 files", `{n:it/them}` one of the two words.
- What stands in backticks is code. Names in it are filled in with what they read as.
- `!` right after a backtick is the prefix of commands.
- A new line that begins with blanks goes on with the one above.

Only the template is read for these signs, never what fills it: a value with `{x}` or a backtick in
it stays what it is. What cannot be read is refused when the template is made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from attrs import field, frozen

from .message import Code, Link, Text, code, plain

FORMATS: Mapping[str, object] = {
    "at": float,  # 15:03 UTC
    "dated": float,  # 23 Nov 14:02 UTC
    "span": float,  # 18 minutes
    "about": float,  # 18 min
    "over": float,  # hour is over
    "person": str,
    "people": Sequence[str],  # a, b or c
    "people and": Sequence[str],
    "codes": Sequence[str],  # a, b, c, each in code
    "numbers": Sequence[int],  # #12, #14
    "local": str,  # an account as one types it
    "short": str,  # an id in a headline: ours without the server, cut where it is long
    "quote": str,  # words of a stranger; or None, which reads as none
    ",": int,  # 1,204
}
"""How a value is written, and the type that it must have."""

_HOLE = r"\{[a-z_]+(?:\.[a-z_]+)*(?::[^{}`]+)?\}"
_PIECES = re.compile(rf"(`[^`]*`|{_HOLE})")
_HOLES = re.compile(rf"({_HOLE})")


@frozen
class Hole:
    """name: of the value, or of a field of it. form: how it is written, "" as it is."""

    name: str
    form: str


Show = Callable[[Hole], Text]
"""What stands in a hole."""


def _hole(piece: str) -> Hole:
    name, _, form = piece[1:-1].partition(":")
    return Hole(name, form)


def _joined(text: str) -> str:
    return re.sub(r"\n +", " ", text)


@frozen
class Template:
    """Raises ValueError when it is made of what cannot be read."""

    text: str = field(converter=_joined)
    holes: tuple[Hole, ...] = field(init=False)

    @text.validator
    def _readable(self, _: object, text: str) -> None:
        outside = _PIECES.sub(lambda piece: piece.group().strip("`"), text)
        if left := set("{}`") & set(_HOLES.sub("", outside)):
            raise ValueError(f"{left} without its counterpart, or around no name: {text!r}")

    @holes.default
    def _found(self) -> tuple[Hole, ...]:
        holes = tuple(_hole(each) for each in _HOLES.findall(self.text))
        if bad := [h for h in holes if not _known(h.form)]:
            raise ValueError(f"no such format: {bad}")
        return holes

    @property
    def names(self) -> frozenset[str]:
        """What it must be given."""
        return frozenset(hole.name.partition(".")[0] for hole in self.holes)

    def fill(self, show: Show, prefix: str = "!") -> Text:
        """The line. prefix: of commands."""
        words: list[str | Code | Link] = []
        for piece in _PIECES.split(self.text):
            if piece[:1] == "`":
                words.append(_code(piece[1:-1], show, prefix))
            elif piece:
                words += _filled(piece, show)
        return tuple(words)


def _known(form: str) -> bool:
    return not form or form in FORMATS or "/" in form or form.startswith("count ")


def _code(words: str, show: Show, prefix: str) -> Code:
    start, words = (prefix, words[1:]) if words[:1] == "!" else ("", words)
    return code(start + "".join(plain(_filled(piece, show)) for piece in _HOLES.split(words)))


def _filled(piece: str, show: Show) -> Text:
    """What stands for a piece of a template: itself, unless it is a hole."""
    return show(_hole(piece)) if piece[:1] == "{" else (piece,)


@lru_cache(maxsize=2048)
def template(text: str) -> Template | None:
    """None for words that cannot be read as one."""
    try:
        return Template(text)
    except ValueError:
        return None
