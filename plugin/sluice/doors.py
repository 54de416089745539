"""Which rooms the bot is in, and who reads them.

It goes where it is configured to be (the ops rooms, the admin room) and into private chats with
people who have a role; every other invitation is left alone, and no upgraded room is followed.
Each room has one reader; what sync says of a room only rings its bell.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from logging import Logger
from typing import Any

from .db import meta
from .db.connection import Database, Tx
from .matrix import cursor
from .matrix.api import Event, Homeserver, MatrixError
from .matrix.encryption import Encryption
from .matrix.model import Gap, Handled, Handler, NotJoined
from .matrix.rooms import RoomView
from .matrix.sealed import CHATS, seal
from .matrix.timeline import Reader
from .ops.room import OpsRoom
from .policy_text import line_of
from .world import World

_MOST_CHATS = 200
_PRIVATE = "SELECT room FROM sluice_private"

OnGap = Callable[[Gap], Awaitable["Handled | None"]]


def inviter(data: object, me: str) -> str | None:
    """Who invites us to a private chat, from the stripped state of a sync response.

    The inviting server writes that state: where it names two, nobody is believed.
    """
    state = data.get("invite_state") if isinstance(data, Mapping) else None
    events = state.get("events") if isinstance(state, Mapping) else None
    found: set[str] = set()
    for event in events if isinstance(events, list) else ():
        if not isinstance(event, Mapping) or event.get("state_key") != me:
            continue
        content, sender = event.get("content"), event.get("sender")
        is_direct = isinstance(content, Mapping) and content.get("is_direct") is True
        found.add(sender if is_direct and isinstance(sender, str) else "")
    return found.pop() or None if len(found) == 1 else None


def rang(data: object) -> set[str]:
    """The ids of the events for which a sync response names a joined room; {""} if it does not
    tell them all."""
    timeline = data.get("timeline") if isinstance(data, Mapping) else None
    if not isinstance(timeline, Mapping) or timeline.get("limited"):
        return {""}
    events = timeline.get("events")
    listed = events if isinstance(events, list) and events else [None]
    ids = [event.get("event_id") if isinstance(event, Mapping) else None for event in listed]
    return {event if isinstance(event, str) else "" for event in ids}


class Doors:
    """What else the rooms need is set by who makes it: who takes the events of an ops room, or of
    a private one, and what a gap causes, and an event whose handler failed."""

    ops: Callable[[str], OpsRoom]
    opens: Callable[[str], Awaitable[None]]  # before an ops room is read
    invited: Callable[[str], Awaitable[None]]  # an ops room that was joined just now is read
    private: Callable[[str], Handler]
    gap: OnGap
    broken: Callable[[str, str, str], Awaitable[Handled | None]]  # room, event, error

    def __init__(
        self,
        world: World,
        db: Database,
        homeserver: Homeserver,
        encryption: Encryption,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        log: Logger,
    ) -> None:
        self._world, self._db, self._hs = world, db, homeserver
        self._encryption, self._spawn, self._log = encryption, spawn, log
        self.wanted = asyncio.Event()  # rooms may have to be joined, or read
        self.named: tuple[str, ...] = ()  # ops rooms of a text that is not valid
        self._readers: dict[str, Reader] = {}
        self._ops: set[str] = set()  # rooms that are read as ops rooms
        self._absent: set[str] = set()  # rooms of which the log says that we are not in them

    async def stop(self) -> None:
        await asyncio.gather(*(reader.stop() for reader in self._readers.values()))

    # --- ops rooms

    @property
    def ops_rooms(self) -> tuple[str, ...]:
        settings = self._world.settings
        return settings.ops_rooms if settings is not None else self.named

    @property
    def missing(self) -> bool:
        return any(room not in self._ops for room in self.ops_rooms)

    async def open_ops_rooms(self, joined: tuple[str, ...]) -> None:
        """Reads what is configured, and no more than that."""
        for room in self._ops - set(self.ops_rooms):
            await self._close(room)
        for room in self.ops_rooms:
            if room in self._ops or (self._world.admin and room == self._world.admin.room):
                continue
            if await self.enter(room, joined, "ops_rooms"):
                await self._open_ops(room)
                if room not in joined:
                    await self.invited(room)

    async def enter(self, room: str, joined: tuple[str, ...], why: str) -> bool:
        """Into a room that is configured. why: the key of the policy that names it."""
        if room in joined or await self.join(room):
            self._absent.discard(room)
            return True
        self.absent(room, why)
        return False

    def absent(self, room: str, why: str) -> None:
        """Once in the log."""
        if room not in self._absent:
            self._absent.add(room)
            line = line_of(self._world.settings.text, why) if self._world.settings else 1
            me = self._world.me
            self._log.error("config:%d: %s: I am not in %s, invite %s there", line, why, room, me)

    async def join(self, room: str) -> bool:
        try:
            await self._hs.join(room)
        except MatrixError:
            return False
        return True

    async def _open_ops(self, room: str) -> None:
        view = RoomView(room)
        await view.refresh(self._hs)
        self._world.rooms[room] = view
        await self.opens(room)
        part = self.ops(room)
        await self._db.write(part.warn)
        await self.read(room, part.take, self.gap)
        self._ops.add(room)
        await view.refresh(self._hs)

    async def _close(self, room: str) -> None:
        """No ops room any more. If it is one again, it begins with what is said then."""
        self._ops.discard(room)
        self._world.rooms.pop(room, None)
        await self._readers.pop(room).stop()
        await self._db.write(lambda tx: cursor.forget(tx, room))

    # --- private rooms

    async def open_known(self, joined: tuple[str, ...]) -> None:
        """The private rooms of earlier runs: a tap there still ends a password's time."""

        async def known(tx: Tx) -> list[str]:
            made = [str(row["room"]) for row in await tx.fetch(_PRIVATE)]
            return [*made, *json.loads(await meta.get(tx, CHATS) or "[]")]

        for room in await self._db.read(known):
            if room in joined:
                self.open_private(room)

    def open_private(self, room: str) -> None:
        """Reads a private room from now on: a tap, or a join, starts or ends a password's time."""
        if room not in self._readers:

            async def gap(_: Gap) -> None:
                return None

            async def begin() -> None:
                await self.read(room, self.private(room), gap)

            self._spawn(begin())

    async def _invited(self, room: str, mxid: str) -> None:
        """A private chat is accepted from whoever has a role: there they are told where commands
        work. Configured rooms are joined by `open_ops_rooms`; nothing else is."""
        if room in self.ops_rooms or room in self._readers:
            return
        if not self._world.has_role(mxid):
            self._log.info("An invitation to %s by %s is not accepted", room, mxid)
        elif await self.join(room):
            self.open_private(room)

            async def keep(tx: Tx) -> None:
                await seal(tx, room)
                chats = json.loads(await meta.get(tx, CHATS) or "[]")
                await meta.put(tx, CHATS, json.dumps([*chats[1 - _MOST_CHATS :], room]))

            await self._db.write(keep)

    # --- readers

    async def read(self, room: str, handler: Handler, gap: OnGap) -> Reader:
        """Starts the one reader of a room."""
        settings = self._world.settings
        if room in self._readers:
            await self._readers.pop(room).stop()

        async def hear(event: Event) -> Handled | None:
            if event.get("type") in ("m.room.member", "m.room.encryption"):
                self._encryption.changed(room)  # who may read what we write from now on
            return await handler(event)

        reader = self._readers[room] = Reader(
            self._hs,
            self._db,
            room,
            hear,
            gap=gap,
            broken=lambda event_id, error: self.broken(room, event_id, error),
            unseal=self._encryption.unseal if self._encryption.available else None,
            poll=float(settings.relay.poll if settings is not None else 2),
        )
        try:
            await reader.start()
        except BaseException:
            del self._readers[room]
            raise
        return reader

    async def heard(self, room: str) -> bool:
        """All that stands in an ops room at this moment is known: the vote that was taken back
        while the bot was down, the no behind a bell that did not ring. False: not now."""
        if room not in self._readers:
            return room not in self.ops_rooms  # a room that is none any more says nothing
        try:
            await self._readers[room].catch_up()
        except NotJoined:
            return False
        return True

    def doorbell(self, rooms: Mapping[str, Any]) -> None:
        """A sync response named these rooms; nothing else in it is believed."""
        joined = rooms.get("join")
        for room, data in joined.items() if isinstance(joined, Mapping) else ():
            if room in self._readers:
                self._readers[room].doorbell(rang(data))
        for room in rooms.get("leave") or {}:
            self.doubt(room)
        invited = rooms.get("invite")
        if isinstance(invited, Mapping):
            self.wanted.set()
            for room, data in invited.items():
                if (mxid := inviter(data, self._world.me)) is not None:
                    self._spawn(self._invited(room, mxid))

    def suspect(self) -> None:
        """The server may have restarted, or was restored."""
        for reader in self._readers.values():
            reader.suspect()

    def doubt(self, room: str) -> None:
        """We may have been removed from this room."""
        if room in self._readers:
            self._readers[room].doubt()
