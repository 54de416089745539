"""What a card says of the command itself: the headline, what was looked up, what happens then.

What happens then stands in the command's record; what could not be looked up is "not known",
never left out silently.
"""

from __future__ import annotations

from enum import Enum
from typing import Union

from attrs import frozen

from ..catalog.table import COMMANDS
from ..model.command import Invocation
from ..text.message import Text, code, quote
from ..text.phrases import Here, Word, count, line, size
from .undo import takes_back, typed

SHOWN = 6  # names of a list that stand on the card


@frozen
class About:
    """What a card says of the request itself, fixed when it was asked.

    what: the headline ("deactivate @spam:example.org"); short: the same in edits, ends and lists;
    details: facts, what happens then, how to undo it.
    """

    what: Text
    short: Text
    details: tuple[Text, ...] = ()


class AccountState(str, Enum):
    """What is known of an account that a command acts on."""

    ACTIVE = "active"
    DEACTIVATED = "deactivated"
    MISSING = "missing"
    UNKNOWN = "unknown"


@frozen
class AccountFact:
    """name: its display name, None when it could not be looked up. role: "" without one."""

    mxid: str
    status: AccountState
    name: str | None = None
    role: str = ""


@frozen
class FileFact:
    """A file; None is what could not be looked up. posted: epoch seconds."""

    mxc: str
    poster: str | None = None
    name: str | None = None
    type: str | None = None
    size: int | None = None
    posted: float | None = None


@frozen
class RoomFact:
    """alias: as typed, if it was one."""

    room: str
    alias: str | None = None
    name: str | None = None
    members: int | None = None


CardFact = Union[AccountFact, FileFact, RoomFact]


def describe(
    invocation: Invocation, text: str, facts: tuple[CardFact, ...], request: int, here: Here
) -> About:
    """text: the canonical command line, without the reason. request: its id."""
    what, short = _headline(invocation, text, facts, here)
    rows: list[Text] = []
    accounts = invocation.values("user")
    if len(accounts) > 1:
        names = ", ".join(here.local(mxid) for mxid in accounts[:SHOWN])
        more = f" and {len(accounts) - SHOWN} more" if len(accounts) > SHOWN else ""
        rows.append((code(names), f"{more}; all: ", here.cmd(f"more {request}")))
    for fact in facts if len(accounts) < 2 else ():
        rows += _fact(fact, here)
    then = COMMANDS[invocation.command].then(invocation)
    if then:
        rows.append(("Then: ", *line(then, here, **{"server": here.server})))
        rows.append(_undo(invocation, len(accounts) > 1, here))
    return About(what, short, tuple(rows))


def _headline(
    invocation: Invocation, text: str, facts: tuple[CardFact, ...], here: Here
) -> tuple[Text, Text]:
    command, accounts = invocation.command, invocation.values("user")
    files = [fact for fact in facts if isinstance(fact, FileFact)]
    room = next((fact for fact in facts if isinstance(fact, RoomFact)), None)
    short: Text
    if len(accounts) > 1:
        short = (f"{command}, {count(len(accounts), 'account')}",)
        return (*short, f" of {here.server}"), short
    if files and COMMANDS[command].by_file:
        posters = {fact.poster for fact in files}
        poster = posters.pop() if len(posters) == 1 else None
        by: Text = (" posted by ", code(poster)) if poster else ()
        short = (f"{command} {count(len(files), 'file')}", *by)
        return (*short, " for good"), short
    if room is not None:
        short = (f"{command} ", here.short(room.alias or room.room))
        return short, short
    word, _, rest = text.partition(" ")
    short = (f"{word} ", code(rest)) if rest else (word,)
    return short, short


def _fact(fact: CardFact, here: Here) -> list[Text]:
    if isinstance(fact, AccountFact):
        if fact.status is AccountState.MISSING:
            return [("Account: no such account yet",)]
        if fact.status is AccountState.UNKNOWN:
            return [("Account: not known",)]
        name: Text = (", calls itself ", quote(fact.name)) if fact.name else (", without a name",)
        name = (", name not known",) if fact.name is None else name
        return [(f"Account: {fact.status.value}", *name, f", {fact.role or 'no role'}")]
    if isinstance(fact, RoomFact):
        called = quote(fact.name) if fact.name else "name not known"
        members = "" if fact.members is None else f", {count(fact.members, 'member')}"
        if fact.alias is None:
            return [("Room: ", called, f"{members}, ", code(fact.room))]
        leads = (code(fact.alias), " leads to ", code(fact.room))
        return [("Room: ", called, members), leads]
    parts: list[Word] = [quote(fact.name) if fact.name is not None else "name not known"]
    if fact.type is not None:
        parts += [", ", quote(fact.type) if not _is_type(fact.type) else fact.type]
    if fact.size is not None:
        parts.append(f", {size(fact.size)}")
    if fact.posted is not None:
        parts.append(f", posted {here.clock.dated(fact.posted)}")
    return [("File: ", *parts), (code(fact.mxc),)]


def _is_type(text: str) -> bool:
    """A media type that looks like one; anything else is foreign text."""
    return text.isascii() and len(text) <= 40 and all(c.isalnum() or c in "/.+-" for c in text)


def _undo(invocation: Invocation, many: bool, here: Here) -> Text:
    back = typed(here, invocation.first())
    if many and back:
        return line("Undo later: {back}, one by one", back=here.cmd(back.partition(" ")[0]))
    return takes_back(here, invocation, start="Undo later")
