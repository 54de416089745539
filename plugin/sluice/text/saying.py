"""Messages that are nothing but their words: the text stands above a function that is never run:

    @says('''⛔ Not run: the tea of `{mxid}` is cold.
    Look: `!kettle {mxid:local}` · Another one: `!pour {mxid:local}`''')
    def too_cold(here: Here, mxid: str) -> None: ...

It reads as in the room, from its sign on; a line that comes out empty is left out. The function
declares the names and types of what is filled in, as `template` says; `{request.id}` is a field of
what is given. Calling it makes the message. That both fit is checked on import. Pushed are `to` or
`push` of the function, or by ❗ without them the owners.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce, wraps
from typing import ParamSpec, Protocol, get_type_hints

from .message import Message, Sign, Text, fitted, plain
from .phrases import Here, filled
from .template import FORMATS, Template

P = ParamSpec("P")

NEEDS_HERE = frozenset({"at", "dated", "local", "short"})
_MANY: Mapping[object, object] = {
    tuple[str, ...]: Sequence[str],
    tuple[int, ...]: Sequence[int],
}
_NO_VALUES = frozenset({"here", "to", "push"})


class Saying(Protocol):
    """Makes a message of what a function declares."""

    def __call__(self, declared: Callable[P, None], /) -> Callable[P, Message]: ...


def says(words: str, *, text: bool = False) -> Saying:
    """Makes a function say this. text: an m.text, also if nobody is pushed.

    Raises ValueError where words and function do not fit.
    """
    first, _, rest = words.partition(" ")
    sign = Sign(first)
    lines = [Template(line) for line in re.split(r"\n(?! )", rest)]

    def made(declared: Callable[P, None]) -> Callable[P, Message]:
        signature = inspect.signature(declared)
        types = get_type_hints(declared)
        for line in lines:
            _check(line, types)
        said = {name for line in lines for name in line.names}
        if unused := set(signature.parameters) - _NO_VALUES - said:
            raise ValueError(f"{declared.__name__} does not say {unused}")

        @wraps(declared)
        def message(*args: P.args, **kwargs: P.kwargs) -> Message:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            given = bound.arguments
            here: Here | None = given.get("here")
            to: str | None = given.get("to")
            push: Iterable[str] | None = given.get("push")
            if push is None:
                push = (to,) if to else here.owners if here and sign is Sign.ALARM else ()
            rows = fitted([row for line in lines if plain(row := filled(line, here, given))])
            loud = text or sign is Sign.ALARM or to is not None or bool(push)
            return Message(sign, rows, tuple(dict.fromkeys(push)), loud)

        return message

    return made


def _check(line: Template, types: Mapping[str, object]) -> None:
    if "here" not in types and ("`!" in line.text or {h.form for h in line.holes} & NEEDS_HERE):
        raise ValueError(f"wants a parameter here: {line.text!r}")
    for hole in line.holes:
        name, *path = hole.name.split(".")
        kind = reduce(_field, path, types.get(name))
        if not _fits(hole.form, kind):
            raise ValueError(f"{hole} of {line.text!r} does not fit {kind}")


def _field(kind: object, name: str) -> object:
    """The type of a field or of a property."""
    if isinstance(found := getattr(kind, name, None), property):
        return get_type_hints(found.fget).get("return")
    return get_type_hints(kind).get(name)


def _fits(form: str, kind: object) -> bool:
    kind = getattr(kind, "__supertype__", kind)
    many = _MANY.get(kind, kind)
    if form == "quote":
        return kind in (str, str | None)
    if form in FORMATS:
        return many == FORMATS[form]
    return many in ((int, Sequence[str], Sequence[int]) if form else (str, int, Text))
