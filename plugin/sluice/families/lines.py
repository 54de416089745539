"""How an invocation becomes lines: a function for each shape, named in the rows of `replies`.

Each takes the server's name of the command, and the invocation, whose arguments are in order.
"""

from __future__ import annotations

from collections.abc import Callable

from ..model.command import Invocation, Line

MAX_LINE = 12_000  # bytes of a body
MAX_ENTRIES = 100  # in one block
BULK = 10  # accounts in one line of deactivate-all
_FRAME = 200  # bytes of a body that its block leaves to the rest
_ALL_CACHES = {"db": ("clear-database-caches", 8), "service": ("clear-service-caches", 6)}

Lines = Callable[[str, Invocation], "tuple[Line, ...]"]


def plain(name: str, asked: Invocation) -> tuple[Line, ...]:
    """The values in their order; of a switch its flag."""
    items = tuple(str(value) for _, value in asked.args if value is not True)
    return (Line((name, *items, *_switches(asked)), items=items),)


def bare(name: str, asked: Invocation) -> tuple[Line, ...]:
    """The name alone: what it shows is filtered here, not by the server."""
    return (Line((name,)),)


def a_line_each(name: str, asked: Invocation) -> tuple[Line, ...]:
    return tuple(Line((name, user), items=(user,)) for user in asked.values("user"))


def listed(name: str, asked: Invocation, most: int = MAX_ENTRIES) -> tuple[Line, ...]:
    """A block of values, in slices of `most` at most."""
    values = next((value for _, value in asked.args if isinstance(value, tuple)), ())
    slices: list[list[str]] = [[]]
    for value in values:
        room = MAX_LINE - _FRAME - len("\n".join(slices[-1]).encode())
        if len(slices[-1]) == most or len(value.encode()) > room:
            slices.append([])
        slices[-1].append(value)
    head = (name, *_switches(asked), *_last(asked))
    return tuple(Line(head, tuple(part), tuple(part)) for part in slices if part)


def in_bulk(name: str, asked: Invocation) -> tuple[Line, ...]:
    return listed(name, asked, BULK)


def of_server(name: str, asked: Invocation) -> tuple[Line, ...]:
    server = str(asked.get("server"))
    return (Line((name, *_last(asked), server), items=(server,)),)


def media(name: str, asked: Invocation) -> tuple[Line, ...]:
    flags = {"user": "user", "server": "server", "type": "content-type", "since": "uploaded-after"}
    words = (word for key, value in asked.args for word in (f"--{flags[key]}", str(value)))
    return (Line((name, *words)),)


def registration(name: str, asked: Invocation) -> tuple[Line, ...]:
    """Without a word it asks; how long it stays on is Sluice's."""
    state = asked.get("state")
    return (Line((name, *([] if state is None else ["true" if state == "on" else "false"]))),)


def caches(name: str, asked: Invocation) -> tuple[Line, ...]:
    name, every = _ALL_CACHES[str(asked.get("cache"))]
    amount = asked.get("amount")
    return (Line((name, str(every if amount is None else amount))),)


def _switches(asked: Invocation) -> tuple[str, ...]:
    return tuple(f"--{key}" for key, value in asked.args if value is True)


def _last(asked: Invocation) -> tuple[str, ...]:
    last = asked.get("last")
    return () if last is None else ("--from-last", f"{last}s")
