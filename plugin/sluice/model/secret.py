"""A password, from the moment it is parsed to the moment it is handed over."""

from __future__ import annotations

from typing import NoReturn


class Secret:
    """Holds text that cannot be printed, logged, stored, compared by accident or pickled.

    Only `reveal()` gives it out; a grep for that word finds every place that sees a password.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the one call that needs it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is never pickled or copied")

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)
