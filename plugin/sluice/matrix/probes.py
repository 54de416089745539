"""Facts that a probe tells without a line in the admin room; UNKNOWN whenever it does not tell.

What real servers answer: docs/conduit.md, "Probes". No long list can break these, and none takes
longer than five seconds.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Iterable
from enum import Enum
from typing import TypeVar

from attrs import frozen

from ..model.event import Json
from .api import Homeserver, MatrixError, Refused

LIMIT = 5.0  # seconds
T = TypeVar("T")


class Account(str, Enum):
    ACTIVE = "active"
    DEACTIVATED = "deactivated"  # or without a password: a bridge's, the server user
    BRIDGE = "bridge"  # in a bridge's exclusive range
    MISSING = "missing"
    UNKNOWN = "unknown"


class Name(str, Enum):
    FREE = "free"
    TAKEN = "taken"
    EXCLUSIVE = "exclusive"  # in a bridge's range
    INVALID = "invalid"
    UNKNOWN = "unknown"


class Media(str, Enum):
    THERE = "there"
    GONE = "gone"  # purged, blocked, or never there
    UNKNOWN = "unknown"


@frozen
class RoomFacts:
    """What a stranger can see of a room. name and alias are foreign text. members: joined."""

    name: str = ""
    alias: str = ""
    members: int | None = None


class Probes:
    """server: the name of the homeserver whose accounts are asked about."""

    def __init__(self, homeserver: Homeserver, server: Callable[[], str]) -> None:
        self._hs, self._server = homeserver, server

    async def account(self, mxid: str) -> Account:
        """A local account. The login with a random password costs the server one hash."""
        try:
            if await self._hs.profile(mxid, LIMIT) is None:
                return Account.MISSING
        except MatrixError:
            return Account.UNKNOWN
        return {
            "M_USER_DEACTIVATED": Account.DEACTIVATED,
            "M_EXCLUSIVE": Account.BRIDGE,
            "M_FORBIDDEN": Account.ACTIVE,
        }.get(await self._login(mxid), Account.UNKNOWN)

    async def _login(self, mxid: str) -> str:
        """How the server refuses a random password; "" if it does not say."""
        try:
            await self._hs.login(mxid, secrets.token_urlsafe(24), "SLUICEPROBE", LIMIT)
        except Refused as exc:
            return exc.errcode
        except MatrixError:
            pass
        return ""

    async def name(self, localpart: str) -> Name:
        """Whether an account of this name can be made here, and is no bridge's.

        Conduit tells a bridge's range only at a login, also of a name that nobody has.
        """
        found = await self._available(localpart)
        mxid = f"@{localpart}:{self._server()}"
        if found is Name.FREE and await self._login(mxid) == "M_EXCLUSIVE":
            return Name.EXCLUSIVE
        return found

    async def _available(self, localpart: str) -> Name:
        try:
            await self._hs.register_available(localpart, LIMIT)
        except Refused as exc:
            known = {
                "M_USER_IN_USE": Name.TAKEN,
                "M_EXCLUSIVE": Name.EXCLUSIVE,
                "M_INVALID_USERNAME": Name.INVALID,
            }
            if exc.errcode in known:
                return known[exc.errcode]
            if exc.errcode == "M_FORBIDDEN":  # Synapse, with its registration off
                return await self._name_by_profile(localpart)
            return Name.UNKNOWN
        except MatrixError:
            return Name.UNKNOWN
        return Name.FREE

    async def _name_by_profile(self, localpart: str) -> Name:
        try:
            profile = await self._hs.profile(f"@{localpart}:{self._server()}", LIMIT)
        except MatrixError:
            return Name.UNKNOWN
        return Name.FREE if profile is None else Name.TAKEN

    async def media(self, mxc: str) -> Media:
        """Of a file of this server. One of another is fetched anew by whoever asks for it."""
        if not mxc.startswith(f"mxc://{self._server()}/"):
            return Media.UNKNOWN
        try:
            status = await self._hs.media_status(mxc, LIMIT)
        except MatrixError:
            return Media.UNKNOWN
        return {200: Media.THERE, 206: Media.THERE, 404: Media.GONE}.get(status, Media.UNKNOWN)

    async def alias(self, alias: str) -> str | None:
        """The room behind an alias; None if there is none. Raises MatrixError."""
        return await self._hs.alias(alias, LIMIT)

    async def room(self, room: str) -> RoomFacts | None:
        """None for a room that strangers cannot see, or if nothing was learnt."""
        found = await _or_none(self._hs.hierarchy(room, LIMIT))
        if found is None:
            return None
        return _facts(found)

    async def names(self, inside: Iterable[str] = ()) -> dict[str, RoomFacts]:
        """What is known of the rooms in the public directory, and of those we are in, by id."""
        rooms = await _or_none(self._hs.public_rooms(timeout=LIMIT)) or ()
        found = {str(each.get("room_id")): _facts(each) for each in rooms}
        for room in inside:
            facts = None if room in found else await self.room(room)
            if facts is not None:
                found[room] = facts
        return found


def _facts(summary: Json) -> RoomFacts:
    """From what the directory, or a hierarchy, says of a room."""
    members = summary.get("num_joined_members")
    return RoomFacts(
        str(summary.get("name") or ""),
        str(summary.get("canonical_alias") or ""),
        members if isinstance(members, int) else None,
    )


async def _or_none(call: Awaitable[T]) -> T | None:
    try:
        return await call
    except MatrixError:
        return None
