"""What a card says of the command itself: the headline, what was looked up, what happens then.

One row a command in `_THEN`; what could not be looked up is "not known", never left out silently.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Union

from attrs import frozen

from ..catalog.table import COMMANDS
from ..model.command import Invocation
from ..text.message import Text, code, quote
from ..text.phrases import Here, Word, count, size
from .undo import undo

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

_COPIES = "Copies on other servers and phones stay."
_THEN: Mapping[str, str] = {
    "deactivate": "all its devices are signed out and nobody can sign in.",
    "deactivateall": "all their devices are signed out and nobody can sign in.",
    "resetpw": "the old password stops working; whoever asked gets the new one in private.",
    "adduser": "Conduit makes it; whoever asked gets the password in private.",
    "registration.set": "anyone can make an account while it is on.",
    "disableroom": "nothing from other servers gets in any more. People of {} can go on writing.",
    "enableroom": "what other servers send there is accepted again.",
    "rmalias": "this address leads nowhere any more; the room stays.",
    "rmappservice": "its bridge or bot stops working until it is registered again.",
    "purge": f"this server deletes it, and every file here with the same content. {_COPIES}",
    "purgeuser": f"this server deletes all files of that account. {_COPIES}",
    "purgeserver": f"this server deletes its copies of the files from there. {_COPIES}",
    "block": "nobody can open it over this server any more.",
    "blockuser": "nobody can open the files of that account over this server any more.",
    "unblock": "it can be opened over this server again.",
}


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
    then = _THEN.get(invocation.command)
    if then is not None and invocation.get("state") != "off":
        rows.append(("Then: ", then.format(here.server) + _stays(invocation, len(accounts) > 1)))
        rows.append(_undo(invocation, len(accounts) > 1, here))
    return About(what, short, tuple(rows))


def takes_back(invocation: Invocation, here: Here) -> Text:
    """`Undo: !resetpw spam`, or that it cannot be undone."""
    values = next((invocation.values(name) for name, _ in invocation.args), ())
    if invocation.command == "registration.set":
        values = ("off",) if "on" in values else ("on",)
    return undo(here, invocation.command, values[0] if values else "", one_of=len(values) > 1)


def _headline(
    invocation: Invocation, text: str, facts: tuple[CardFact, ...], here: Here
) -> tuple[Text, Text]:
    command, accounts = invocation.command, invocation.values("user")
    files = [fact for fact in facts if isinstance(fact, FileFact)]
    room = next((fact for fact in facts if isinstance(fact, RoomFact) and fact.name), None)
    short: Text
    if len(accounts) > 1:
        short = (f"{command}, {count(len(accounts), 'account')}",)
        return (*short, f" of {here.server}"), short
    if command == "purge" and files:
        posters = {fact.poster for fact in files}
        poster = posters.pop() if len(posters) == 1 else None
        by: Text = (" posted by ", code(poster)) if poster else ()
        short = (f"purge {count(len(files), 'file')}", *by)
        return (*short, " for good"), short
    if room is not None:
        short = (f"{command} ", quote(room.name or ""))
        members = () if room.members is None else (f", {count(room.members, 'member')}",)
        return (*short, *members), short
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
        if fact.alias is not None:
            return [("Address ", code(fact.alias), " is now room ", code(fact.room))]
        return [("Room: ", code(fact.room), *(() if fact.name else (", name not known",)))]
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


def _stays(invocation: Invocation, many: bool) -> str:
    if invocation.command not in ("deactivate", "deactivateall"):
        return ""
    who, its = ("They stay", "their") if many else ("It stays", "its")
    rooms = f"{who} in {its} rooms"
    if invocation.get("leave-rooms"):
        rooms = f"Conduit is told to leave {its} rooms"
    files = "files stay" if many else "its files stay"
    if invocation.get("purge-media"):
        files = f"{its} files are deleted for good"
    return f" {rooms}, {files}."


def _undo(invocation: Invocation, many: bool, here: Here) -> Text:
    template = COMMANDS[invocation.command].undo
    if not template:
        return ("Cannot be undone.",)
    if many:
        return ("Undo later: ", here.cmd(template.partition(" ")[0]), ", one by one")
    back = takes_back(invocation, here)
    return ("Undo later: ", *back[1:]) if back[:1] == ("Undo: ",) else back
