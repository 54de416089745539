"""A command in a first line: its word and what it is about, as short as it can be told apart."""

from __future__ import annotations

from ..catalog.table import COMMANDS
from ..model.command import Invocation, Type, Typed
from ..text.message import Code, Text, plain
from ..text.phrases import Here, count

_NOUNS = {Type.USER: "account", Type.MXC: "file"}
LEFT_OUT = (Type.SWITCH, Type.DURATION, Type.SINCE)  # how, not what about


def headline(here: Here, what: Invocation) -> Text:
    """`deactivate @max`, `adduser 3 accounts`, `disableroom #warez`."""
    command = COMMANDS[what.command]
    told: list[str | Code] = [command.typed]
    for param in command.params:
        values = what.values(param.name)
        if not values or param.type in LEFT_OUT:
            continue
        if len(values) > 1 or (param.many and param.type is Type.MXC):
            told += [" ", count(len(values), _NOUNS.get(param.type, "value"))]
        else:
            told += [" ", here.short(as_typed(what, values[0]))]
    return tuple(told)


def typed(here: Here, what: Invocation) -> Code:
    """The same as what was typed: `!deactivate @max`."""
    return here.cmd(plain(headline(here, what)))


def of_line(here: Here, line: Typed, *, secret: bool) -> Code:
    """The same of a line that nobody has understood yet. secret: people write passwords in it."""
    words = () if secret else line.words[:2]
    return here.cmd(" ".join((line.word, *(here.short(word).text for word in words))))


def as_typed(what: Invocation, value: str) -> str:
    """The address by which somebody called a room."""
    typed = dict(what.noted).get(value, value)
    return typed if typed.startswith("#") else value
