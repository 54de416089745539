"""The admin room that the bot is let into, and the ops room that it makes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from attrs import frozen

from ..matrix.api import V3, Homeserver, MatrixError, Refused, passing
from ..matrix.encryption import MEGOLM
from ..matrix.rooms import WITHOUT_CREATORS, RoomView
from ..model.event import Json, object_in, text_in
from .talk import Dialogue, Stopped

POLL = 2.0  # seconds
MADE = "org.sluicebot.setup"  # the state event in a room that setup made, with its word
SCRUB = 50.0  # the power that removes Conduit's messages with passwords


@frozen
class People:
    """Accounts. The first owner is who runs this."""

    owners: tuple[str, ...]
    moderators: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        return (*self.owners, *self.moderators)


class Waiting:
    """Waits for what only a person can do. limit: seconds, None for ever."""

    def __init__(
        self,
        talk: Dialogue,
        limit: float | None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._talk, self._limit, self._sleep = talk, limit, sleep

    async def until(self, done: Callable[[], Awaitable[bool]], words: str) -> None:
        """words: what a person has to do; said once, and only if it is not done yet."""
        waited = 0.0
        while not await _tried(done):
            if not waited:
                self._talk.say(words)
            if self._limit is not None and waited >= self._limit:
                raise Stopped(
                    f"Waited {waited:.0f} seconds. Do that, then run this again: it goes on."
                )
            await self._sleep(POLL)
            waited += POLL


async def _tried(done: Callable[[], Awaitable[bool]]) -> bool:
    try:
        return await done()
    except MatrixError as error:
        if not passing(error):
            raise
        return False


async def entered(hs: Homeserver, room: str) -> bool:
    """Whether the bot is in this room; an invitation is accepted."""
    if room in await hs.joined_rooms():
        return True
    try:
        await hs.join(room)
    except Refused:
        return False
    return room in await hs.joined_rooms()


async def seen(hs: Homeserver, room: str) -> RoomView:
    view = RoomView(room)
    await view.refresh(hs)
    return view


# --- the admin room


async def admin_room(hs: Homeserver, server: str, waiting: Waiting) -> str:
    """Its id, once the bot is in it with the power that it needs."""
    alias = f"#admins:{server}"
    room = await hs.alias(alias)
    if room is None:
        raise Stopped(
            f"{alias} leads nowhere. Is {server} a Conduit server? If its admin room has lost its "
            "address: docs/owners.md, “Repair of a lost #admins alias”."
        )

    async def has_power() -> bool:
        return (await seen(hs, room)).power(hs.mxid) >= SCRUB

    await waiting.until(
        lambda: entered(hs, room),
        f"In the admin room: its name › People › Invite › {hs.mxid}\n"
        f"  (on a computer also by sending  /invite {hs.mxid})\n  … waiting",
    )
    await waiting.until(
        has_power,
        f"In the admin room: its name › People › {hs.mxid} › Role › Moderator\n  … waiting",
    )
    return room


# --- the ops room


async def given_room(hs: Homeserver, room: str, waiting: Waiting) -> str:
    """A room that exists already. Ids of rooms of version 12 have no server's name."""
    short = room.partition(":")[0]

    async def inside() -> bool:
        return await entered(hs, room) or await entered(hs, short)

    await waiting.until(inside, f"In the ops room send:  /invite {hs.mxid}\n  … waiting")
    return room if room in await hs.joined_rooms() else short


async def made_room(
    hs: Homeserver, server: str, people: People, *, encrypted: bool, word: str
) -> str:
    """The room that setup makes, or has made in an earlier run: by its word. Each person is
    invited once."""
    room = await _made_before(hs, word)
    if room is None:
        version = await _version(hs)
        room = await hs.create_room(_body(hs.mxid, server, people, version, word, encrypted))
    known = {e.state_key for e in await hs.state(room) if e.type == "m.room.member"}
    for mxid in people.all:
        if mxid not in known:
            await hs.invite(room, mxid)
    return room


async def _made_before(hs: Homeserver, word: str) -> str | None:
    for room in await hs.joined_rooms():
        if text_in(await hs.state_content(room, MADE) or {}, "word") == word:
            return room
    return None


async def _version(hs: Homeserver) -> str:
    """The room version that the server takes by itself."""
    told = await hs.request("GET", (*V3, "capabilities"))
    capabilities = object_in(told if isinstance(told, dict) else {}, "capabilities")
    return text_in(object_in(capabilities, "m.room_versions"), "default") or "10"


def _body(me: str, server: str, people: People, version: str, word: str, encrypted: bool) -> Json:
    powers = dict.fromkeys(people.owners, 100)
    if version in WITHOUT_CREATORS:
        powers[me] = 100
    strict = ("encryption", "history_visibility", "power_levels", "server_acl", "tombstone")
    state = [
        _state("m.room.history_visibility", history_visibility="shared"),
        _state("m.room.guest_access", guest_access="forbidden"),
        _state(MADE, word=word),
    ]
    if encrypted:
        state.append(_state("m.room.encryption", algorithm=MEGOLM))
    return {
        "preset": "private_chat",
        "room_version": version,
        "name": "Sluice",
        "topic": f"Commands for {server}. Type !help",
        "invite": list(people.all),
        "initial_state": state,
        "power_level_content_override": {
            "users": powers,
            "invite": 50,
            "events": {f"m.room.{kind}": 100 for kind in strict},
        },
    }


def _state(kind: str, **content: str) -> Json:
    return {"type": kind, "state_key": "", "content": content}
