"""The line that says how to take something back, or that nobody can."""

from __future__ import annotations

from ..catalog.table import COMMANDS, action
from ..model.command import Invocation
from ..text.message import Text
from ..text.phrases import Here


def undo(
    here: Here, asked: Invocation, *, votes: bool = False, note: str = "", start: str = "Undo"
) -> Text:
    """`Undo: !resetpw spam`. votes: that needs approval too; note: the record's, if not given."""
    back = typed(here, asked)
    if not back:
        return ("Cannot be undone.",)
    note = note or action(asked.command).note
    notes = "; ".join(each for each in ("needs approval" if votes else "", note) if each)
    return (f"{start}: ", here.cmd(back), *([f" ({notes})"] if notes else []))


def takes_back(here: Here, asked: Invocation, *, start: str = "Undo") -> Text:
    """The same of what may be about many: then of the first one."""
    many = any(len(asked.values(name)) > 1 for name, _ in asked.args)
    return undo(here, asked.first(), start="Undo one" if many else start)


def typed(here: Here, asked: Invocation) -> str:
    """The command line that takes it back, "" if there is none: accounts as short as possible."""
    back = COMMANDS[asked.command].undo(asked)
    if back is None:
        return ""
    values = (here.local(value) for name, _ in back.args for value in back.values(name))
    return " ".join((COMMANDS[back.command].typed, *values))
