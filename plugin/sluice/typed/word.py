"""The first word of a command line: punctuation behind it and what is glued to it."""

from __future__ import annotations

import re

from ..catalog.record import Guessed
from ..catalog.table import find
from ..model.command import Type
from .front import named
from .ids import HIDDEN
from .lists import TO_HYPHEN

_UNSEEN = re.compile(f"[{HIDDEN}]+")
_WORD = re.compile(r"[a-z][a-z0-9-]{0,31}")
_AROUND = "*_~`“”\"'„"
_BEHIND = ".,;:!?…。，；：！？·" + _AROUND
_GLUED = re.compile(r"([a-z-]+)([:,;=#/(@]+|(?=\d))(.+)")
_MARKS = re.compile(r"(?!(?:.*[@#$%^&]){3})[\W_]+")  # three such signs may be a password


def first_word(text: str, bot: str = "") -> tuple[str, list[str]] | None:
    """(the command word, the words behind it), None for what begins with no word.

    bot: its account, which some write behind a word: `help@sluice`.
    """
    first, *rest = text.split() or [""]
    whole = _UNSEEN.sub("", first).translate(TO_HYPHEN)
    word = whole.lower().lstrip(_AROUND).rstrip(_BEHIND).replace("_", "-")
    if glued := _GLUED.fullmatch(whole.lower()):
        split = _split(glued.group(1), glued.group(2), whole[glued.start(3) :], bot)
        if split is not None:
            word, rest = split[0], [*split[1], *rest]
    if not _WORD.fullmatch(word):
        return None
    return word, _without_marks(rest)


def _split(word: str, sign: str, behind: str, bot: str) -> tuple[str, list[str]] | None:
    """`deny:12`, `why#12`, `who@spam`, `help@sluice`; None where it is one word."""
    command = find(word)
    if sign == "@" and bot and named(bot).fullmatch(f"@{behind.rstrip(_BEHIND)}"):
        return word, []
    if command is None or not behind.strip(_BEHIND):
        return None
    kind = command.params[0].type if command.params else None
    if sign == "" and command.guessed is not Guessed.RUNS:
        return None
    if sign in ("", "#"):
        return (word, [sign + behind]) if kind in (Type.COUNT, Type.ROOM, Type.ALIAS) else None
    if sign == "@":
        return (word, [sign + behind]) if kind is Type.USER else None
    return word, [behind]


def _without_marks(words: list[str]) -> list[str]:
    """Without what is nothing but punctuation, before the first and behind the last word."""
    start, end = 0, len(words)
    while start < end and _MARKS.fullmatch(words[start]) and not words[start].startswith("```"):
        start += 1
    while end > start and _MARKS.fullmatch(words[end - 1]) and "`" not in words[end - 1]:
        end -= 1
    return [word for word in words[start:end] if set(word) != {"`"} or len(word) > 2]
