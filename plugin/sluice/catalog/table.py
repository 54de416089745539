"""All commands: the records of `accounts`, `files`, `rooms`, `server` and `own` in one table.

Help, parsing, the policy, the lines and the docs read it. Chat names are what the policy names;
Conduit's own names are aliases with Conduit's arity.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..model.command import Alias, Tag
from . import accounts, files, own, rooms, server
from .record import Action, Command

GROUPS = (accounts.GROUP, files.GROUP, rooms.GROUP, server.GROUP, own.GROUP)

_TABLE: tuple[Command, ...] = (  # in the order in which policies and the docs name them
    accounts.USERS,
    rooms.ROOMS,
    server.REGISTRATION,
    server.CONFIG,
    server.MEMORY,
    server.FEDERATION,
    server.APPSERVICES,
    server.SERVER_HELP,
    files.MEDIA,
    files.MEDIAINFO,
    files.BLOCKED,
    rooms.EVENT,
    accounts.ADDUSER,
    accounts.RESETPW,
    server.REGISTRATION_SET,
    rooms.ENABLEROOM,
    files.UNBLOCK,
    server.CLEARCACHE,
    accounts.DEACTIVATE,
    accounts.DEACTIVATEALL,
    rooms.DISABLEROOM,
    rooms.RMALIAS,
    server.RMAPPSERVICE,
    files.PURGE,
    files.PURGEUSER,
    files.PURGESERVER,
    files.BLOCK,
    files.BLOCKUSER,
    accounts.WHO,
    *own.COMMANDS,
)

COMMANDS: Mapping[str, Command] = {c.name: c for c in _TABLE}

_WORDS: Mapping[str, Command] = {
    **{a.word: c for c in COMMANDS.values() for a in c.aliases},
    **COMMANDS,
}


def find(word: str) -> Command | None:
    """The command of a typed word: its name, or an alias."""
    return _WORDS.get(word)


def meant(command: Command, words: Sequence[str]) -> tuple[Command, tuple[str, ...]]:
    """What a command with these words behind it is, and the words that are left: `registration`
    with any, `help` with `server`, are commands of their own."""
    for each in COMMANDS.values():
        word, *more = each.typed.split()
        if word == command.name != each.name and words and list(words[: len(more)]) == more:
            return each, tuple(words[len(more) :])
    return command, tuple(words)


def action(name: str) -> Action:
    """The record of a command that changes something."""
    command = COMMANDS[name]
    assert isinstance(command, Action), name
    return command


def alias(word: str) -> Alias | None:
    """The alias that a typed word is; None for a command's own name."""
    command = _WORDS.get(word)
    return next((a for a in command.aliases if a.word == word), None) if command else None


def near(word: str) -> tuple[Command, ...]:
    """Commands that the word may have been meant for, nearest first; none for mere chat."""
    found = dict.fromkeys(
        _WORDS[w].name for w in nearest(word, (w for w in _WORDS if "." not in w))
    )
    return tuple(COMMANDS[name] for name in found)


def in_group(group: str, *, held_back: bool = False) -> frozenset[str]:
    """The names that a group of the policy covers: `#read` … by tag, `*` all with a line.

    What reads people's messages is in no group, so that none allows it. held_back: with those all
    the same, for lines that demand or forbid: a line that held one back goes on doing so.
    """
    if group == "*":
        return frozenset(c.name for c in COMMANDS.values() if not c.own)
    tag = Tag(group[1:])  # ValueError if there is no such group
    found = (c for c in COMMANDS.values() if tag in c.tags)
    return frozenset(c.name for c in found if held_back or not c.reads_messages)


def nearest(word: str, words: Iterable[str]) -> tuple[str, ...]:
    """Words within two slips of this one, nearest first; one slip below 6 letters, 0 below 4."""
    most = 0 if len(word) < 4 else 1 if len(word) < 6 else 2
    if not most or len(word) > 64:
        return tuple(w for w in words if w == word)
    ranked = ((_slips(word, w), w) for w in words if abs(len(w) - len(word)) <= most)
    return tuple(w for slips, w in sorted(ranked) if slips <= most)


def alike(word: str, names: Iterable[str], slips: int) -> tuple[str, ...]:
    """Three names at most that the word may have been meant for, nearest first; those that only
    begin like it may be this many slips away."""
    pool = tuple(names)
    found = dict.fromkeys((*nearest(word, pool), *(n for n in pool if n[:2] == word[:2])))
    ranked = sorted((_slips(word, name), name) for name in found)
    return tuple(name for far, name in ranked[:3] if far <= slips)


def _slips(left: str, right: str) -> int:
    """Edit distance; two letters swapped are one slip."""
    older: list[int] = []
    above = list(range(len(right) + 1))
    for i, a in enumerate(left):
        row = [i + 1]
        for j, b in enumerate(right):
            cost = min(above[j + 1] + 1, row[j] + 1, above[j] + (a != b))
            if i and j and a == right[j - 1] and left[i - 1] == b:
                cost = min(cost, older[j - 1] + 1)
            row.append(cost)
        older, above = above, row
    return above[-1]
