"""What a pattern of `users` and `rooms` means: part of a name, or `spam*`, `^spam`, a whole id."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from attrs import frozen

from ..text.message import code, quote
from .ids import account, bare, room
from .values import NotRun

_STAR = "*"


@frozen
class Search:
    """word: what is looked for. glob: how a whole name must be, with `*` and `?`."""

    word: str
    glob: str

    @property
    def plain(self) -> bool:
        """Whether it is a part of a name, anywhere in it."""
        return self.glob == f"*{self.word}*"

    def fits(self, name: str) -> bool:
        return fnmatchcase(name.lower(), self.glob)


def of_accounts(pattern: str, own: str) -> Search | None:
    """None if it can be in no name of an account of our server."""
    local, server = account(pattern, own, _STAR)
    word = local if pattern.startswith("@") or server else bare(pattern, _STAR)
    found = _search(word)
    return found if server in ("", own) and re.fullmatch("[!-9;-?A-~]+", found.word) else None


def checked(pattern: str, own: str, *, accounts: bool) -> None:
    """Raises NotRun for what can be in no name."""
    if accounts and of_accounts(pattern, own) is None:
        raise NotRun(
            (quote(pattern, 40), f" is in no name of {own}: names are a-z 0-9 . _ = / + -"),
            ("A pattern is a part of the name, or how it begins: ", code("spam*")),
        )
    if not accounts and bare(pattern).lower() == own.lower():
        raise NotRun(
            (f"{own} is in every address, so it is not searched.",),
            ("A pattern is a part of the name: ", code("library")),
        )


def of_rooms(pattern: str, own: str) -> Search:
    """The server of an id or address is not looked at: it may be in all of them."""
    word = room(pattern, own, _STAR).lstrip("#!").partition(":")[0]
    start, cut, _ = word.partition("…")  # an id as a list shows it
    return _search(f"{start}{_STAR}" if start and cut else word or pattern)


def _search(word: str) -> Search:
    word = word.lower().replace(".*", "*")
    start, end = word.startswith("^"), word.endswith("$") and len(word) > 1
    word = word.removeprefix("^")
    word = word[:-1] if end else word
    glob = word.replace("[", "[[]")
    if not set(word) & set("*?"):
        glob = f"{'' if start else '*'}{glob}{'' if end else '*'}"
    return Search(word, glob)
