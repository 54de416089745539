"""Which rooms the bot is in, and who reads them.

It goes where it is configured to be (the ops rooms, the admin room) and into private chats with
people who have a role; every other invitation is left alone, and no upgraded room is followed.
Each room has one reader; what sync says of a room only rings its bell. A room that we were removed
from keeps its reader, which waits and then goes on where it was; until then the room is *away*
(`Rooms.away`), and nothing of it runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from attrs import frozen

from . import audit
from .announcements import Announcements
from .chat import alarms
from .chats import Chats
from .db.connection import Database, Tx
from .matrix import cursor, private_rooms
from .matrix.api import Homeserver, MatrixError
from .matrix.encryption import Encryption
from .matrix.model import Gap, Handled, Handler, Later, NotJoined, OnGap
from .matrix.outbox import Outbox
from .matrix.rooms import RoomView
from .matrix.timeline import Reader
from .model.event import Json, RoomEvent, events_in, object_in
from .model.request import WhyKind
from .ops.account import OwnAccount
from .ops.room import OpsRoom
from .passwords import store as secrets
from .policy.keys import without_server
from .policy.people import person_of
from .policy_text import line_of
from .requests import erased, reweigh
from .requests.desk import Desks
from .state import Absences, Aside, Live, Rooms, ServerState, ToRead
from .supervise import Tasks

_NAMED_WITHIN = 5.0  # seconds in which sync names who removed us, if it does
_HEARD_WITHIN = 10.0  # seconds in which all that stands in a room is read, or the room is away


@frozen
class Inviter:
    """chat: into a private chat."""

    mxid: str
    chat: bool


def inviter(data: object, me: str) -> Inviter | None:
    """Who invites us, from the stripped state of a sync response.

    The inviting server writes that state: where it names two, nobody is believed.
    """
    found = [event for event in events_in(data, "invite_state") if event.state_key == me]
    senders = {event.sender for event in found}
    by = senders.pop() if len(senders) == 1 else ""
    chat = all(event.content.get("is_direct") is True for event in found)
    return Inviter(by, chat) if by else None


def remover(data: object, me: str) -> str | None:
    """Who removed us from a room, from what a sync response says of a room that was left."""
    events = (*events_in(data, "state"), *events_in(data, "timeline"))
    exits = [event.sender for event in events if event.is_exit(me)]
    return exits[-1] or None if exits and exits[-1] != me else None


@frozen
class Bell:
    """What a sync response says of a joined room. events: the ids of the events for which it
    names the room; {""} if it does not tell them all. active: somebody else sent one of them."""

    events: frozenset[str]
    active: bool


def bell(data: object, me: str) -> Bell:
    timeline = object_in(data, "timeline") if isinstance(data, Mapping) else {}
    events = events_in(data, "timeline")
    ids = frozenset(event.id for event in events)
    ours = bool(events) and all(event.sender == me for event in events)
    return Bell(ids if ids and not timeline.get("limited") else frozenset({""}), not ours)


class Doors:
    """The rooms that are read, and those that should be.

    ops, private: who takes the events of an ops room, and of a private one. opened: private rooms
    to be read from now on. wanted: the bell that rooms may have to be joined, or read.
    """

    def __init__(
        self,
        live: Live,
        rooms: Rooms,
        outbox: Outbox,
        conduit: ServerState,
        desk: Desks,
        absences: Absences,
        db: Database,
        homeserver: Homeserver,
        encryption: Encryption,
        account: OwnAccount,
        news: Announcements,
        ops: Callable[[str], OpsRoom],
        private: Callable[[str], Handler],
        opened: ToRead,
        wanted: asyncio.Event,
        tasks: Tasks,
    ) -> None:
        self._live, self._rooms, self._outbox, self._desk = live, rooms, outbox, desk
        self._conduit, self._db, self._hs, self._encryption = conduit, db, homeserver, encryption
        self._absences, self._account, self._news = absences, account, news
        self._ops_room, self._private_room, self._opened = ops, private, opened
        self._wanted, self._spawn, self._log = wanted, tasks.spawn, tasks.log
        self._readers: dict[str, Reader] = {}
        self._dormant: set[str] = set()  # private rooms that are read once a bell rings
        self._private: set[str] = set()  # private rooms that are read, or are about to be
        self._rang: set[str] | None = set()  # rooms whose bell rang before those were known
        self._chats = Chats(live, rooms, db, homeserver, self.open_private, self._close, tasks.log)
        self._invitations = 0  # how many came since the start
        self._ops: set[str] = set()  # rooms that are read as ops rooms
        self._absent: set[str] = set()  # rooms of which the log says that we are not in them
        self._removers: dict[str, str] = {}  # room -> who removed us, where that is known
        self._told: set[str] = set()  # rooms of which owners know that we were removed
        self._behind: set[str] = set()  # rooms in which a reading takes too long

    async def stop(self) -> None:
        await asyncio.gather(*(reader.stop() for reader in self._readers.values()))

    # --- ops rooms

    @property
    def ops_rooms(self) -> tuple[str, ...]:
        settings = self._live.settings
        return settings.ops_rooms if settings is not None else self._live.named

    @property
    def missing(self) -> bool:
        away = self._rooms.away
        return any(room not in self._ops or room in away for room in self.ops_rooms)

    async def open_ops_rooms(self, joined: tuple[str, ...]) -> None:
        """Reads what is configured, and no more than that."""
        for room in self._ops - set(self.ops_rooms):
            await self._close(room)
        for room in self.ops_rooms:
            if room == self._conduit.room:
                continue
            try:
                await self._open(room, joined)
            except MatrixError as error:  # the next one may be read all the same
                self._log.warning("%s cannot be opened yet: %s", room, error)

    async def _open(self, room: str, joined: tuple[str, ...]) -> None:
        """One ops room: for the first time, or because we are in it again."""
        opened = room in self._ops
        if opened and room in joined and (room not in self._rooms.away or room in self._behind):
            return
        if room not in joined:
            await self._lost(room)
        if not await self.enter(room, joined, "ops_rooms"):
            return
        if opened:
            await self._return(room)
        elif self._is_out(room) and (since := await self._read_until(room)) is not None:
            await self._open_ops(room)
            await self._say_back(room, since)
        else:
            await self._open_ops(room)
            if room not in joined:
                await self._news.invited(room)

    async def enter(self, room: str, joined: tuple[str, ...], why: str) -> bool:
        """Into a room that is configured. why: the key of the policy that names it."""
        if room not in joined:
            if room in self._readers:  # we were in it: said also where the way back is open
                self.absent(room, why)
            if not await self.join(room):
                self.absent(room, why)
                return False
        if room in self._absent:
            self._absent.discard(room)
            self._log.info("I am in %s again", room)
        if room not in self.ops_rooms:
            self._removers.pop(room, None)
        return True

    def absent(self, room: str, why: str) -> None:
        """Once in the log."""
        if room not in self._absent:
            self._absent.add(room)
            line = line_of(self._live.settings.text, why) if self._live.settings else 1
            me, by = self._live.me, self._removers.get(room)
            how = f"{by} removed me from" if by else "I am not in"
            fix = f"invite {me} there"
            if (meant := without_server(room)) is not None:
                fix = f"such ids have no server part, write {meant}"
            self._log.error("config:%d: %s: %s %s, %s", line, why, how, room, fix)

    def _is_out(self, room: str) -> bool:
        away = self._rooms.away.get(room)
        return away is not None and away.why is WhyKind.ROOM_LEFT

    async def _lost(self, room: str) -> None:
        """We are not in this ops room. If we were, owners in another one are told, once."""
        if not self._is_out(room):
            self._rooms.away[room] = Aside(self._live.now(), WhyKind.ROOM_LEFT)
        where = self._rooms.main_room
        nowhere = where is None or where in self._rooms.aside
        if where is None or nowhere or room not in self._ops or room in self._told:
            return
        since = self._rooms.away[room].since
        if room not in self._removers and self._live.now() - since < _NAMED_WITHIN:
            return  # sync may still name who did it
        said = alarms.removed(self._rooms.here(where), room, self._remover(room))
        key = f"removed.{room}.{since}"
        await self._db.write(lambda tx: self._outbox.put(tx, where, key, said))
        self._told.add(room)

    def _remover(self, room: str) -> str | None:
        """The name of who removed us, where that is known."""
        by, settings = self._removers.get(room), self._live.settings
        return person_of(settings.policy, by) if by and settings else by

    async def _return(self, room: str) -> None:
        """We are in an ops room again: who is in it is asked anew, and its timeline is read on
        from where we were. The server may hide what was said meanwhile, so the time is named."""
        since = self._rooms.away[room].since  # what waits below may find it read again meanwhile
        self._encryption.changed(room)
        await self._rooms.views[room].refresh(self._hs)
        await self._say_back(room, since)
        self._forget(room)
        self._readers[room].doubt()
        if self._live.settings is not None:
            await self._db.write(lambda tx: reweigh.room_changed(self._desk(tx), room))

    async def _read_until(self, room: str) -> float | None:
        """When an earlier run read this ops room last; None if none did."""
        found = await self._db.read(lambda tx: cursor.load(tx, room))
        return found[1] if found is not None else None

    async def _say_back(self, room: str, since: float) -> None:
        now, here = self._live.now(), self._rooms.here(room)
        said = alarms.let_in_again(here, since, self._remover(room))

        async def commit(tx: Tx) -> None:
            await self._outbox.put(tx, room, f"again.{now}", said)
            await audit.append(tx, now, "gap", {"room": room, "why": "removed"})

        await self._db.write(commit)

    def _forget(self, room: str) -> None:
        """That it was away."""
        self._is_back(room)
        self._removers.pop(room, None)
        self._told.discard(room)

    def _is_back(self, room: str) -> None:
        away = self._rooms.away.pop(room, None)
        if away is not None:
            self._absences.was_away(away.since, self._live.now(), room)

    async def join(self, room: str) -> bool:
        try:
            await self._hs.join(room)
        except MatrixError:
            return False
        return True

    async def _open_ops(self, room: str) -> None:
        view = RoomView(room)
        await view.refresh(self._hs)
        self._rooms.open(view)
        await self._news.opens(room)
        part = self._ops_room(room)
        await self._db.write(part.warn)
        await self.start(self.reader(room, part.take, self._gap, passes_by=True))
        self._ops.add(room)
        await view.refresh(self._hs)
        self._forget(room)

    async def _close(self, room: str) -> None:
        """Not read any more. If it is once again, it begins with what is said then."""
        self._ops.discard(room)
        self._rooms.close(room)
        self._forget(room)
        self._dormant.discard(room)
        self._private.discard(room)
        if room in self._readers:
            await self._readers.pop(room).stop()
        await self._db.write(lambda tx: cursor.forget(tx, room))

    async def _gap(self, gap: Gap) -> Handled:
        return self._news.history_replaced(gap, None)

    # --- private rooms

    def open_wanted(self) -> None:
        """Reads the private rooms that others want read."""
        for room in self._opened.take():
            self.open_private(room)

    async def open_known(self, joined: tuple[str, ...]) -> None:
        """The private rooms of earlier runs. Where a password stands a tap still ends its time;
        of the others nothing is expected, so a bell is waited for."""

        rooms = await self._db.read(self._made)
        rooms += [(room, False) for room in await self._chats.known()]
        rang, self._rang = self._rang or set(), None
        for room, is_expected in rooms:
            if room in joined and (is_expected or room in rang):
                self.open_private(room)
            elif room in joined:
                self._dormant.add(room)

    async def _made(self, tx: Tx) -> list[tuple[str, bool]]:
        """The private rooms that we made; True: a password stands in it."""
        made = await private_rooms.rooms(tx)
        return [(room, await secrets.stands(tx, room)) for room in made.values()]

    def open_private(self, room: str) -> None:
        """Reads a private room from now on: a tap, or a join, starts or ends a password's time.
        Without a bell it is read only while a password stands in it."""
        self._dormant.discard(room)
        self._private.add(room)
        if room in self._readers:
            self._readers[room].doorbell(active=False)
            return

        async def gap(_: Gap) -> None:
            return None

        async def expects() -> bool:
            return await self._db.read(lambda tx: secrets.stands(tx, room))

        async def begin() -> None:
            while True:
                try:
                    handler = self._private_room(room)
                    await self.start(self.reader(room, handler, gap, expects=expects))
                    if room not in self._private:  # closed meanwhile
                        await self._close(room)
                    return
                except MatrixError as error:
                    self._log.warning("%s is not read yet: %s", room, error)
                    await self._hs.pause(2.0)

        self._spawn(begin())

    async def _invited(self, room: str, mxid: str, number: int, *, chat: bool) -> None:
        """The way back into a private room of ours is taken from whoever has a role; a chat as
        `Chats` has it. Configured rooms are joined by `open_ops_rooms`; nothing else is."""
        ours = [made for made, _ in await self._db.read(self._made)]
        if not self._rooms.has_role(mxid) or room not in (*ours, *await self._chats.known()):
            if chat:
                await self._chats.invited(room, mxid, number)
            else:
                self._log.info("An invitation to %s by %s is not accepted", room, mxid)
            return
        if await self.join(room):
            if room in self._readers:
                self._readers[room].doubt()
            self.open_private(room)

    # --- readers

    def reader(
        self,
        room: str,
        handler: Handler,
        gap: OnGap,
        *,
        poll: float = 0.0,
        expects: Callable[[], Awaitable[bool]] | None = None,
        passes_by: bool = False,
    ) -> Reader:
        """The one reader of a room, not started. poll: if it need not be read as often as the
        policy says. expects, passes_by: see Reader."""
        settings = self._live.settings

        async def hear(event: RoomEvent) -> Handled | Later | None:
            if event.type in ("m.room.member", "m.room.encryption"):
                self._encryption.changed(room)  # who may read what we write from now on
            return await self._account.take(room, event, handler)

        async def broken(event_id: str, error: str) -> Handled:
            return self._news.broken(room, event_id, error)

        return Reader(
            self._hs,
            self._db,
            room,
            hear,
            gap=gap,
            broken=broken,
            unseal=self._encryption.unseal if self._encryption.available else None,
            moved=lambda: self._moved(room),
            poll=max(float(settings.relay.poll if settings is not None else 2), poll),
            expects=expects,
            passes_by=passes_by,
            now=self._live.now,
        )

    async def start(self, reader: Reader) -> None:
        """Reads its room from now on; what stands there already is looked at before."""
        room = reader.room
        if room in self._readers:
            await self._readers.pop(room).stop()
        await self._account.look((room,))
        self._readers[room] = reader
        try:
            await reader.start()
        except BaseException:
            del self._readers[room]
            raise

    async def heard(self, room: str) -> bool:
        """All that stands in an ops room at this moment is known: the vote that was taken back
        while the bot was down, the no behind a bell that did not ring. False: not now, also while
        somebody who could say no has said something whose key has not come."""
        if room not in self._readers and room not in self.ops_rooms:
            return True  # a room that is none any more says nothing
        now = self._live.now()
        if room not in self._readers:
            self._rooms.away.setdefault(room, Aside(now, WhyKind.ROOM_UNREAD))
            return False
        reading = asyncio.ensure_future(self._readers[room].catch_up())
        try:
            await asyncio.wait_for(asyncio.shield(reading), _HEARD_WITHIN)
        except NotJoined:
            self._rooms.away.setdefault(room, Aside(now, WhyKind.ROOM_UNREAD))
            self._wanted.set()  # who goes in again finds out why
            return False
        except asyncio.TimeoutError:
            self._log.warning("%s cannot be read: what stands in line there steps aside", room)
            self._rooms.away.setdefault(room, Aside(now, WhyKind.ROOM_UNREAD))
            self._behind.add(room)
            reading.add_done_callback(lambda done: self._read_again(room, done))
            return False
        except asyncio.CancelledError:
            reading.cancel()
            raise
        senders = self._readers[room].waits_for_keys
        if not senders or self._live.settings is None:
            return True

        async def heeded(tx: Tx) -> bool:
            return await erased.heeded(self._desk(tx, room), room, senders)

        return not await self._db.read(heeded)

    def _read_again(self, room: str, reading: asyncio.Future[None]) -> None:
        """All is read that stood in a room when nobody could wait for it any more."""
        self._behind.discard(room)
        self._wanted.set()
        if reading.cancelled() or reading.exception() is not None or self._is_out(room):
            return
        self._is_back(room)
        self._log.info("%s is read again", room)

    def _moved(self, room: str) -> None:
        """Whether we are in a room that is read has changed."""
        self._wanted.set()
        if room in self.ops_rooms or self._conduit.room in ("", room):
            return  # `enter` says it
        if not self._readers[room].joined:
            self._absent.add(room)
            self._log.warning("I am not in %s any more", room)
        elif room in self._absent:
            self._absent.discard(room)
            self._removers.pop(room, None)
            self._log.info("I am in %s again", room)

    def doorbell(self, rooms: Json) -> None:
        """A sync response named these rooms; nothing else in it is believed."""
        joined = rooms.get("join")
        for room, data in joined.items() if isinstance(joined, Mapping) else ():
            if self._rang is not None:
                self._rang.add(room)
            if room in self._dormant:
                self.open_private(room)
            if room in self._readers:
                rung = bell(data, self._live.me)
                self._readers[room].doorbell(rung.events, active=rung.active)
        left = rooms.get("leave")
        for room, data in left.items() if isinstance(left, Mapping) else ():
            if (by := remover(data, self._live.me)) is not None and room in self._readers:
                self._removers[room] = by
            self.doubt(room)
        invited = rooms.get("invite")
        if isinstance(invited, Mapping):
            self._wanted.set()
            for room, data in invited.items():
                host = inviter(data, self._live.me)
                if room in self.ops_rooms or room == self._conduit.room:
                    continue  # `open_ops_rooms` and `_back_in` join them
                if host is not None:
                    self._invitations += 1
                    number = self._invitations
                    self._spawn(self._invited(room, host.mxid, number, chat=host.chat))

    def suspect(self) -> None:
        """The server may have restarted, or was restored."""
        for reader in self._readers.values():
            reader.suspect()

    def doubt(self, room: str) -> None:
        """We may have been removed from this room."""
        if room in self._readers:
            self._readers[room].doubt()
