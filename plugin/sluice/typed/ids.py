"""Ids as clients, other bots, mail and people write them, and what they are: `@alice:server`.

Nothing is guessed here: each form names exactly one account, room or number. What is around an id
cannot be part of one, so that it means nothing.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

HIDDEN = "\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufe0e\ufe0f\ufeff"
"""Signs that nobody sees, as a range of a regular expression."""

_OPENS = "([{<\"'“”„‟‘’‚‛«»*`|"
_CLOSES = ")]}>\"'“”„‟‘’‚‛«»*`|,;:!?…、，；：！？。"
_UNSEEN = re.compile(f"^[{HIDDEN}]+|[{HIDDEN}]+$")
_ITALIC = re.compile("^_{1,3}([@#!$].*?)_{1,3}$")
_ESCAPED = re.compile("%40|%23|%21|%3a", re.I)
_SMALL = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


def seen(text: str) -> str:
    """A text without the signs around it that nobody sees."""
    return _UNSEEN.sub("", text)


def bare(word: str, keep: str = "") -> str:
    """A word without the brackets, quotes, stars and punctuation around it, but for `keep`."""
    visible = _ITALIC.sub(r"\1", seen(word))
    if visible.startswith("```"):  # of a code block
        return word
    opens, closes = (each.replace(keep, "") if keep else each for each in (_OPENS, _CLOSES))
    return visible.lstrip(opens).rstrip(closes) or word


def account(word: str, own: str, keep: str = "") -> tuple[str, str]:
    """(name, server) of an account, in whatever form; the server is "" if it names none.

    own: our server. Without an @ in front, what stands behind a colon must be that: else it may
    be a password.
    """
    word = _unescaped(bare(word, keep))
    name = word.removeprefix("mailto:").lstrip("@")
    at, colon = "@" in name and ":" not in name, ":" in name
    local, _, server = name.rpartition("@") if at else name.partition(":")
    if not (at or colon):
        return name, ""
    server = server.rstrip(".")
    if server.lower() == own.lower():
        return local, own
    return (local, server) if at or word.startswith("@") else (name, "")


def small(name: str) -> str:
    """In small letters, as accounts are; of a-z only."""
    return name.translate(_SMALL)


def room(word: str, own: str, keep: str = "") -> str:
    """A room's id or address; an address of our server may lack the sign in front."""
    word = _unescaped(bare(word, keep))
    if word.startswith("!"):
        return word
    local, colon, server = word.partition(":")
    ours = server.rstrip(".").lower() == own.lower()
    if ours and not word.startswith("@"):
        return f"#{local.removeprefix('#')}:{own}"
    return word.rstrip(".") if colon else word


_REQUEST = re.compile(
    r"(?:nr|no|num|number|№|request|req|card|ticket)\.?:?\s*#?\s*(?=[0-9])", re.I
)


def number(word: str) -> str:
    """The digits of `#12`, `12!`, `nr.12`."""
    word = bare(word).rstrip(".").removeprefix("#")
    return _REQUEST.sub("", word, count=1)


def numbered(text: str) -> str:
    """A text that may begin with a number, without the word for it: `nr 12`, `no. 12`."""
    return _REQUEST.sub("", text, count=1) if _REQUEST.match(text) else text


def _unescaped(word: str) -> str:
    return unquote(word) if _ESCAPED.match(word) else word
