"""What a card says of the command itself: what was looked up, asked before, and happens then.

What happens then stands in the command's record; what could not be looked up is "not known",
never left out silently.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Union

from attrs import evolve, frozen

from ..catalog.table import COMMANDS
from ..model.command import Invocation
from ..model.request import Request, WhyKind
from ..text.message import Text, code, quote
from ..text.phrases import Here, Word, count, line, listed, person, size
from ..typed.canonical import canonical
from .alike import Alike, sorted_out
from .ended import called
from .headline import LEFT_OUT, headline
from .undo import takes_back, typed

_MOST_FILES = 3  # that stand on the card one by one
_MOST_WHY = 32  # characters of why somebody denied it before


@frozen
class About:
    """What a card says of the request itself, fixed when it was asked.

    short: the command and what it acts on; details: whom or what it is about in full, what was
    asked before, what happens then.
    """

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


@frozen
class AskedBefore:
    """A request about the same as another. why: the words of whoever denied it, "" without any or
    where they are not for this room. same: whether it was the same command about the same."""

    request: Request
    why: str
    same: bool


def describe(
    invocation: Invocation,
    facts: tuple[CardFact, ...],
    request: int,
    here: Here,
    marks: Mapping[str, str],
    before: AskedBefore | None = None,
) -> About:
    """request: its id. marks: what is to be said of accounts in a list."""
    accounts = invocation.values("user")
    if len(accounts) > 1:
        rows = _accounts(accounts, marks, request, here)
    else:
        rows = _facts(facts, here) or _in_full(invocation, here)
    rows += _options(invocation)
    rows += [_earlier(before, here)] if before else []
    if then := COMMANDS[invocation.command].then(invocation):
        told = line(then, here, **{"server": here.server})
        rows.append(("If approved: ", *told, " ", *_undo(invocation, len(accounts) > 1, here)))
    return About(headline(here, invocation), tuple(rows))


def _in_full(invocation: Invocation, here: Here) -> list[Text]:
    """What the headline has shortened, where nothing else names it."""
    values = [v for name, _ in invocation.args for v in invocation.values(name)]
    ids = [value for value in values if here.short(value).text != value]
    start = "Who: " if invocation.values("user") else "In full: "
    return [(start, *listed([code(each) for each in ids]))] if ids else []


def _options(invocation: Invocation) -> list[Text]:
    """What the headline leaves out: how it is done, and of what time."""
    params = COMMANDS[invocation.command].params
    only = [p.name for p in params if p.type in LEFT_OUT and invocation.get(p.name) is not None]
    args = tuple((name, value) for name, value in invocation.args if name in only)
    words = canonical(evolve(invocation, args=args)).removeprefix(
        COMMANDS[invocation.command].typed
    )
    return [("With: ", code(words.strip()))] if only else []


def _accounts(
    accounts: Sequence[str], marks: Mapping[str, str], request: int, here: Here
) -> list[Text]:
    """Those of a list that are not like the others, or are marked, before the others."""
    found = sorted_out({here.local(each): marks.get(each, "") for each in accounts})
    odd, rest = _named(found.odd), _named(found.rest)
    rows = [("Who: ", *(odd or rest))]
    if odd and rest:
        rows = [("Not like the others: ", *odd), ("The others: ", *rest)]
    if found.more:
        more: Text = (f"and {found.more} more, all names: ", here.cmd(f"more {request}"))
        rows.append(more)
    return rows


def _named(names: Sequence[Alike]) -> Text:
    return listed([(code(each.name), f" ({each.mark})" if each.mark else "") for each in names])


def _facts(facts: Sequence[CardFact], here: Here) -> list[Text]:
    rows = [row for fact in facts[:_MOST_FILES] for row in _fact(fact, here, len(facts) > 1)]
    left = len(facts) - _MOST_FILES
    return [*rows, (f"and {count(left, 'more file', 'more files')}",)] if left > 0 else rows


def _fact(fact: CardFact, here: Here, many: bool) -> list[Text]:
    if isinstance(fact, AccountFact):
        return [("Who: ", code(fact.mxid), *_account(fact))]
    if isinstance(fact, RoomFact):
        name = quote(fact.name) if fact.name else "name not known"
        members = "" if fact.members is None else f", {count(fact.members, 'member')}"
        if fact.alias is None:
            return [("Room: ", name, f"{members}, ", code(fact.room))]
        return [("Room: ", name, members), (code(fact.alias), " leads to ", code(fact.room))]
    return _file(fact, here, many)


def _account(fact: AccountFact) -> Text:
    if fact.status is AccountState.MISSING:
        return (", no such account yet",)
    if fact.status is AccountState.UNKNOWN:
        return (", not known",)
    name: Text = (", ", quote(fact.name)) if fact.name else (", without a name",)
    name = (", name not known",) if fact.name is None else name
    name = () if fact.name == fact.mxid else name
    return (*name, f", {fact.status.value}, {fact.role or 'no role'}")


def _file(fact: FileFact, here: Here, many: bool) -> list[Text]:
    """many: of several, each has one line."""
    parts: list[Word] = [quote(fact.name) if fact.name is not None else "name not known"]
    if fact.type is not None and not many:
        parts += [", ", quote(fact.type) if not _is_type(fact.type) else fact.type]
    if fact.size is not None:
        parts.append(f", {size(fact.size)}")
    if many:
        return [("File: ", *parts, ", ", code(fact.mxc))]
    if fact.posted is not None:
        parts.append(f", {here.clock.dated(fact.posted)}")
    if fact.poster is not None:
        parts += [" by " if fact.posted is not None else ", by ", code(fact.poster)]
    return [("File: ", *parts), (code(fact.mxc),)]


def _is_type(text: str) -> bool:
    """A media type that looks like one; anything else is foreign text."""
    return text.isascii() and len(text) <= 40 and all(c.isalnum() or c in "/.+-" for c in text)


def _undo(invocation: Invocation, many: bool, here: Here) -> Text:
    back = typed(here, invocation.first())
    if many and back:
        return line("Undo each: {back}", back=here.cmd(back.partition(" ")[0]))
    return takes_back(here, invocation)


def _earlier(before: AskedBefore, here: Here) -> Text:
    """`Before: #5 denied by dan 12:06 UTC, “he is a regular”`."""
    request, note = before.request, before.request.note
    what: Text = () if before.same else (" ", *headline(here, request.invocation), ":")
    by: Text = (" by ", person(note.by)) if note.kind is WhyKind.BY else ()
    at = f" {here.clock.at(request.ended or request.created)}"
    why: Text = (", ", quote(before.why, _MOST_WHY)) if before.why else ()
    return (f"Before: #{request.id}", *what, " ", called(request.state), *by, at, *why)
