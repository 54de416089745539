"""What a typed line leaves to the server: addresses, and messages whose files are meant.

All of it is found in one reading of the line, so that it can be looked up at once. In that reading
each of them stands for itself; what was read so is never run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from attrs import evolve

from ..model.command import Invocation

T = TypeVar("T")
_FILE = "mxc://not-looked-up/"


class Asked(Mapping[str, T]):
    """Holds whatever is asked for, and keeps what that was."""

    def __init__(self, stands_for: Callable[[str, int], T]) -> None:
        self._stands_for = stands_for
        self._asked: dict[str, T] = {}

    def __contains__(self, key: object) -> bool:
        return True

    def __getitem__(self, key: str) -> T:
        if key not in self._asked:
            self._asked[key] = self._stands_for(key, len(self._asked))
        return self._asked[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._asked)

    def __len__(self) -> int:
        return len(self._asked)

    def __bool__(self) -> bool:
        return True


class Wanted:
    """rooms: by address. media: by event id."""

    def __init__(self) -> None:
        self.rooms: Asked[str] = Asked(lambda alias, _: alias)
        self.media: Asked[tuple[str, ...]] = Asked(lambda _, number: (f"{_FILE}{number}",))

    def __len__(self) -> int:
        return len(self.rooms) + len(self.media)


def as_typed(invocation: Invocation) -> Invocation:
    """To be shown: addresses as they were typed, without files that nobody looked up."""
    args = []
    for name, value in invocation.args:
        if isinstance(value, tuple):
            value = tuple(each for each in value if not each.startswith(_FILE))
        if value != ():
            args.append((name, value))
    return evolve(invocation, args=tuple(args))
