"""Messages that are nothing but their words: the text stands above a function that is never run:

    @says('''⛔ Not run: `{mxid}` exists already.
    Look: `!users {mxid:local}` · New password: `!resetpw {mxid:local}`''')
    def exists(here: Here, mxid: str) -> None: ...

It reads as in the room, from its sign on; a line that comes out empty is left out. The function
declares the names and types of what is filled in, as `template` says; calling it makes the
message. That both fit is checked on import. With `here` there are also `{bot}`, `{server}` and
`{now}`. Pushed are `to` or `push` of the function, or by ❗ without them the owners.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import ParamSpec, Protocol

from .message import Message, Sign, fitted, plain
from .phrases import Here, filled
from .template import FORMATS, Template

P = ParamSpec("P")

NEEDS_HERE = frozenset({"at", "dated", "local"})
_OF_HERE = {"bot": "str", "server": "str", "now": "float"}
_NO_VALUES = frozenset({"here", "to", "push"})


class Saying(Protocol):
    """Makes a message of what a function declares."""

    def __call__(self, declared: Callable[P, None], /) -> Callable[P, Message]: ...


def says(words: str) -> Saying:
    """Makes a function say this. Raises ValueError where text and function do not fit."""
    first, _, text = words.partition(" ")
    sign = Sign(first)
    lines = [Template(line) for line in re.split(r"\n(?! )", text)]

    def made(declared: Callable[P, None]) -> Callable[P, Message]:
        signature = inspect.signature(declared)
        types = {name: each.annotation for name, each in signature.parameters.items()}
        for line in lines:
            _check(line, _OF_HERE | types if "here" in types else types)
        if unused := set(types) - _NO_VALUES - {name for line in lines for name in line.names}:
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
            if here:
                given |= {"bot": here.bot, "server": here.server, "now": here.clock.now}
            rows = fitted([row for line in lines if plain(row := filled(line, here, given))])
            text = sign is Sign.ALARM or to is not None or bool(push)
            return Message(sign, rows, tuple(dict.fromkeys(push)), text)

        return message

    return made


def _check(line: Template, types: Mapping[str, str]) -> None:
    if "here" not in types and ("`!" in line.text or {h.form for h in line.holes} & NEEDS_HERE):
        raise ValueError(f"wants a parameter here: {line.text!r}")
    for hole in line.holes:
        if not _fits(hole.form, types.get(hole.name, "")):
            raise ValueError(f"{hole} of {line.text!r} does not fit {types.get(hole.name)}")


def _fits(form: str, kind: str) -> bool:
    if form in FORMATS:
        return kind == FORMATS[form]
    return kind in (("int", "Sequence[str]", "Sequence[int]") if form else ("str", "int", "Text"))
