"""The line that says how to take something back, or that nobody can."""

from __future__ import annotations

import re

from ..catalog.table import COMMANDS
from ..text.message import Text
from ..text.phrases import Here

_HOLE = re.compile(r"\{\w+\}")
_NOTE = {"adduser": "the name stays taken"}


def undo(
    here: Here,
    command: str,
    value: str,
    *,
    votes: bool = False,
    one_of: bool = False,
    note: str = "",
) -> Text:
    """value: what the undoing command is about; accounts of this server by their localpart.

    votes: the undoing command needs approval too. one_of: value is the first of many.
    """
    template = COMMANDS[command].undo
    if not template:
        return ("Cannot be undone.",)
    notes = [n for n in ("needs approval" if votes else "", note or _NOTE.get(command, "")) if n]
    bracket = (f" ({'; '.join(notes)})",) if notes else ()
    line = _HOLE.sub(lambda _: here.local(value), template)
    return ("Undo one: " if one_of else "Undo: ", here.cmd(line), *bracket)
