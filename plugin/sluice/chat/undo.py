"""The line that says how to take something back, or that nobody can."""

from __future__ import annotations

from attrs import evolve

from ..catalog.table import COMMANDS, action
from ..model.command import Invocation
from ..text.message import Text
from ..text.phrases import Here
from .headline import as_typed

UNDO, AGAIN = "↩️", "🔁"
MINUTES = 10  # in which a tap on ↩️ takes back what was done


def undo(
    here: Here,
    asked: Invocation,
    *,
    votes: bool = False,
    note: str = "",
    start: str = "Undo",
    tap: bool = False,
) -> Text:
    """`Undo: !resetpw spam`. votes: that needs approval too, and its card says the record's note;
    note: instead of that; tap: there is a button that does it."""
    back = typed(here, asked)
    if not back:
        return ("Cannot be undone.",)
    note = note or ("" if votes else action(asked.command).note)
    notes = "; ".join(each for each in ("needs approval" if votes else "", note) if each)
    button = f"tap {UNDO} or " if tap else ""
    return (f"{start}: {button}", here.cmd(back), *([f" ({notes})"] if notes else []))


def takes_back(here: Here, asked: Invocation, *, start: str = "Undo") -> Text:
    """The same of what may be about many: then of the first one."""
    many = any(len(asked.values(name)) > 1 for name, _ in asked.args)
    return undo(here, asked.first(), start="Undo one" if many else start)


def reverse(asked: Invocation) -> Invocation | None:
    """The one command that takes all of it back."""
    back = COMMANDS[asked.command].undo(asked)
    if back is None or any(len(asked.values(n)) > len(back.values(n)) for n, _ in back.args):
        return None
    return evolve(back, noted=asked.noted)


def typed(here: Here, asked: Invocation) -> str:
    """The command line that takes it back, "" if there is none: accounts as short as possible,
    rooms as they were called."""
    back = COMMANDS[asked.command].undo(asked)
    return shortest(here, evolve(back, noted=asked.noted)) if back is not None else ""


def shortest(here: Here, back: Invocation) -> str:
    """As one would type it."""
    values = (
        here.local(as_typed(back, value)) for name, _ in back.args for value in back.values(name)
    )
    return " ".join((COMMANDS[back.command].typed, *values))
