"""Sluice without maubot: makes the parts, starts and stops them in their order.

Nothing here raises for what may pass (a homeserver that is away, a policy with an error): maubot
would disable the plugin for good. What cannot be done yet is tried again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Mapping
from logging import Logger
from typing import Any

from .db import meta
from .db.connection import Database, StorageFailed
from .housekeeping import Housekeeping
from .matrix.api import Event, Homeserver, MatrixError
from .matrix.encryption import Encryption
from .matrix.files import Files
from .matrix.model import Gap, Handled, Handler, NotJoined
from .matrix.outbox import Outbox
from .matrix.private import PrivateRooms
from .matrix.probes import Probes
from .matrix.rooms import RoomView
from .matrix.sender import Sender
from .matrix.timeline import Reader
from .ops.asked import Answers
from .ops.checks import Checks
from .ops.commands import Commands
from .ops.drift import Drift
from .ops.log import Log
from .ops.own import Own
from .ops.private import PrivateRoom
from .ops.questions import Questions
from .ops.room import OpsRoom
from .ops.status import Status
from .policy.people import roles
from .policy_text import PolicyText
from .relay.delivery import Deliveries
from .relay.ending import Endings
from .relay.health import Timeouts
from .relay.notices import Notices
from .relay.pulse import Pulse
from .relay.registration import Registration
from .relay.room import AdminRoom
from .relay.runner import Runner
from .relay.sending import Sending
from .relay.views import Lists, Views
from .relay.watch import Watch
from .reload import Reload
from .world import World

_TICK = 1.0
_RETRY = 2.0
_CATCH_UP = 5.0  # seconds that what was missed may take before the bot says that it is back
_SAY_NOTHING = 10.0  # seconds after which something is said although it is not all read yet


def inviter(data: object, me: str) -> str | None:
    """Who invites us to a private chat, from the stripped state of a sync response."""
    state = data.get("invite_state") if isinstance(data, Mapping) else None
    events = state.get("events") if isinstance(state, Mapping) else None
    for event in events if isinstance(events, list) else ():
        content = event.get("content") if isinstance(event, Mapping) else None
        if isinstance(content, Mapping) and event.get("state_key") == me:
            sender = event.get("sender")
            is_direct = content.get("is_direct") is True
            return sender if is_direct and isinstance(sender, str) else None
    return None


_HOUR = 3600.0


class App:
    """One per plugin instance. What runs is a task in `_tasks`, ended and awaited by `stop`."""

    def __init__(
        self, client: Any, database: Any, log: Logger, text: PolicyText, version: str
    ) -> None:
        self._client, self._log, self._text, self._version = client, log, text, version
        self._db = Database(database)
        self._hs = Homeserver(client)
        self._tasks: list[asyncio.Task[None]] = []
        self._readers: dict[str, Reader] = {}
        self._wanted = asyncio.Event()  # rooms may have to be joined, or read
        self._greeted = asyncio.Event()

    # --- life

    async def start(self) -> None:
        """Opens the store and reads the policy; all else goes on in the background."""
        await self._db.start()
        me = self._client.mxid
        nonce = await self._db.write(meta.nonce)
        self._encryption = Encryption(self._client, self._hs)
        outbox = Outbox(self._db, nonce, me)
        self.world = World(me, self._version, time.time, outbox, self._encryption.available)
        self._reload = Reload(self.world, self._db, self._text)
        await self._reload.first()
        self._sender = Sender(self._hs, self._db, self._encryption, outbox, refused=self._doubt)
        self._make(nonce)
        self._spawn(self._run())

    def _make(self, nonce: str) -> None:
        """The parts that need no room. Each gets what it uses, and nothing knows the app."""
        world, db, hs = self.world, self._db, self._hs
        probes, self._questions, lists = Probes(hs, world.server), Questions(), Lists()
        rooms = PrivateRooms(hs, db, self._encryption)
        self._nonce = nonce
        self._deliveries = Deliveries(world, db, hs, rooms, nonce, self.open_private, self._log)
        views = Views(world, probes)
        unseal = self._encryption.unseal
        checks = Checks(world, db, hs, probes, self._deliveries, lists, unseal)
        self._commands = Commands(world, db, hs, self._questions, checks, self._wake)
        self._notices = Notices(world, self._deliveries)
        self._registration = Registration(world, db, self._log)
        self._drift = Drift(world, db, hs, lambda: self._text.autojoin)
        self._house = Housekeeping(
            world, db, self._deliveries, self._questions, self._notices, self._drift
        )
        self._endings = Endings(world, probes, self._deliveries, views, lists, self._registration)
        answers = Answers(world, db, hs, probes, self._commands, lists)
        log = Log(world, db, lists, Files(hs, self._encryption))
        status = Status(world, db, hs, self._drift)
        self._commands.own = Own(
            world, db, self._commands, lists, answers, log, status, self.reload
        )

    def _spawn(self, work: Coroutine[Any, Any, None], *, must_run: bool = True) -> None:
        """must_run: owners are told if it ends with an error, because nothing goes on then."""

        async def guarded() -> None:
            try:
                await work
            except asyncio.CancelledError:
                raise
            except Exception as error:
                self._log.exception("A part of Sluice ended with an error; restart the plugin")
                if must_run:
                    broken = self._house.own_error("", type(error).__name__)
                    await self._db.write(broken.commit)

        self._tasks.append(asyncio.create_task(guarded()))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(reader.stop() for reader in self._readers.values()))
        await self._sender.stop()
        if self._greeted.is_set():
            try:
                await self._house.stopping()
            except StorageFailed as error:
                self._log.warning("The time of this stop is not stored: %s", error)
        await self._db.stop()

    async def _run(self) -> None:
        self.world.opened = asyncio.Event()
        await self._connect()
        self._spawn(self._send())
        self._spawn(self._tick())
        self._spawn(self._registration.run())
        self._spawn(self._drift.run(), must_run=False)
        while True:
            self._wanted.clear()
            try:
                await self._open_rooms()
                if self.world.admin is None:
                    self.world.opened.set()
                await self._greet()
            except (MatrixError, StorageFailed) as error:
                self._log.warning("Rooms cannot be opened yet: %s", error)
            try:
                await asyncio.wait_for(self._wanted.wait(), _RETRY if self._missing else 60.0)
            except asyncio.TimeoutError:
                pass

    async def _send(self) -> None:
        """What arrived before a crash is known before anything is sent again, and what was away
        is said before the answers to it."""
        try:
            await asyncio.wait_for(self._greeted.wait(), _SAY_NOTHING)
        except asyncio.TimeoutError:
            pass
        self._sender.start()

    async def _greet(self) -> None:
        """Once, when the start is over and the ops rooms are read."""
        opened = self.world.opened
        if self._greeted.is_set() or not opened or not opened.is_set() or not self.world.rooms:
            return
        reading = [self._readers[room].catch_up() for room in self.world.rooms]
        try:
            await asyncio.wait_for(asyncio.gather(*reading), _CATCH_UP)
        except asyncio.TimeoutError:
            pass
        await self._house.started()
        self._greeted.set()
        self._log.info("Sluice is ready")

    async def _connect(self) -> None:
        while True:
            try:
                self._device = str((await self._hs.whoami()).get("device_id") or "")
                await self._encryption.start()
            except MatrixError as error:
                self._log.warning("The homeserver does not answer yet: %s", error)
                await asyncio.sleep(_RETRY)
            else:
                return

    # --- rooms

    @property
    def _missing(self) -> bool:
        return self.world.admin is None or any(r not in self._readers for r in self._ops_rooms)

    @property
    def _ops_rooms(self) -> tuple[str, ...]:
        return self.world.settings.ops_rooms if self.world.settings else self._reload.rooms

    async def _open_rooms(self) -> None:
        """Joins and reads what is configured and not read yet: the admin room first, so that what
        was out is known before anybody is answered."""
        joined = await self._hs.joined_rooms()
        if self.world.admin is None and self.world.settings is not None:
            await self._open_admin(joined)
        for room in self._ops_rooms:
            if room in self._readers:
                continue
            if room not in joined and not await self._join(room):
                self._log.error("config: ops_rooms: I am not in %s, invite me there", room)
                continue
            await self._open_ops(room)

    async def _join(self, room: str) -> bool:
        try:
            await self._hs.join(room)
        except MatrixError:
            return False
        return True

    async def _open_admin(self, joined: tuple[str, ...]) -> None:
        settings = self.world.live
        room = settings.admin_room or await self._hs.alias(f"#admins:{settings.server}")
        if room is None or (room not in joined and not await self._join(room)):
            self._log.error("I am not in the admin room of %s; invite me there", settings.server)
            return
        view = RoomView(room)
        admin = AdminRoom(
            room=room,
            server=settings.server,
            me=self.world.me,
            nonce=self._nonce,
            db=self._db,
            homeserver=self._hs,
            clock=time.time,
        )
        sending = Sending(admin, self._hs, self._nonce, self._log)
        self._runner = Runner(
            self.world, self._db, admin, sending, self._endings, self._device, self._log
        )
        self._watch = watch = Watch(admin, sending, self._hs, self._log)
        pulse = Pulse(admin, sending, time.time, self._timeouts, watch.address_holds, self._log)
        admin.on_notice = self._notices.take
        admin.on_health = lambda: self._health_changed(admin)
        admin.on_late = self._runner.late
        self._runner.heard = self.heard
        pulse.on_back = self._house.homeserver_back
        watch.on_checked = self._checked
        await admin.load()
        await self._registration.load()

        async def handler(event: Event) -> Handled | None:
            view.apply(event)
            return admin.take(event)

        async def gap(gap: Gap) -> Handled:
            return self._house.history_replaced(gap, admin.reset())

        await view.refresh(self._hs)
        admin.reader = self._reader(room, handler, gap)
        await admin.reader.start()
        await admin.reader.catch_up()
        await view.refresh(self._hs)
        self.world.admin, self.world.admin_view = admin, view
        self._registration.ask = sending.ask
        self._spawn(pulse.run())
        self._spawn(watch.run(pulse.beat))
        self._spawn(self._relay())

    async def _relay(self) -> None:
        """Once it is known whether Conduit answers: what was out, then what stands in line."""
        admin = self.world.admin
        assert admin is not None
        await self._watch.looked.wait()
        admin.ready = True
        assert self.world.opened is not None
        self.world.opened.set()
        self._wanted.set()
        await self._runner.run()

    async def _open_ops(self, room: str) -> None:
        view = RoomView(room)
        await view.refresh(self._hs)
        self.world.rooms[room] = view
        ops = OpsRoom(room, self.world, self._db, self._hs, self._commands, self._questions)

        async def gap(gap: Gap) -> Handled:
            return self._house.history_replaced(gap, None)

        reader = self._reader(room, ops.take, gap)
        if room == self.world.main_room:
            await self._house.returned()
        await reader.start()
        await view.refresh(self._hs)

    def open_private(self, room: str) -> None:
        """Reads a private room from now on: a tap, or a join, starts or ends a password's time."""
        if room not in self._readers:
            part = PrivateRoom(room, self.world, self._deliveries)

            async def gap(_: Gap) -> None:
                return None

            reader = self._reader(room, part.take, gap)
            self._spawn(reader.start())

    def _reader(self, room: str, handler: Handler, gap: Any) -> Reader:
        poll = float(self.world.settings.relay.poll if self.world.settings else 2)
        unseal = self._encryption.unseal if self._encryption.available else None

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
            broken=self._broken,
            unseal=unseal,
            poll=poll,
        )
        return reader

    async def _broken(self, event_id: str, error: str) -> Handled:
        return self._house.own_error(event_id, error)

    # --- what rings, and what changes

    def doorbell(self, rooms: Mapping[str, Any]) -> None:
        """A sync response named these rooms; nothing else in it is believed."""
        for room in rooms.get("join") or {}:
            if room in self._readers:
                self._readers[room].doorbell()
        for room in rooms.get("leave") or {}:
            self._doubt(room)
        invited = rooms.get("invite")
        if isinstance(invited, Mapping):
            self._wanted.set()
            for room, data in invited.items():
                if (mxid := inviter(data, self.world.me)) is not None:
                    self._spawn(self._invited(room, mxid), must_run=False)

    async def _invited(self, room: str, mxid: str) -> None:
        """A private chat is accepted from whoever has a role: there they are told where commands
        work. Configured rooms are joined by `_open_rooms`; nothing else is."""
        settings = self.world.settings
        if room in self._ops_rooms or settings is None or room in self._readers:
            return
        if not roles(settings.policy, mxid, 0, frozenset()):
            self._log.info("An invitation to %s by %s is not accepted", room, mxid)
        elif await self._join(room):
            self.open_private(room)

    async def heard(self, room: str) -> bool:
        """All that stands in an ops room at this moment is known: the vote that was taken back
        while the bot was down, the no behind a bell that did not ring. False: not now."""
        if room not in self._readers:
            return room not in self._ops_rooms  # a room that is none any more says nothing
        try:
            await self._readers[room].catch_up()
        except NotJoined:
            return False
        return True

    def connection_lost(self) -> None:
        """A long poll failed: Conduit may have restarted, with an empty queue."""
        for reader in self._readers.values():
            reader.suspect()
        if self.world.admin is not None:
            self.world.admin.fences.lost()

    def _doubt(self, room: str) -> None:
        if room in self._readers:
            self._readers[room].doubt()

    def _wake(self) -> None:
        if self.world.admin is not None:
            self._runner.wake()

    def _timeouts(self) -> Timeouts:
        relay = self.world.live.relay
        return Timeouts(float(relay.timeout), float(relay.slow_timeout))

    async def _health_changed(self, admin: AdminRoom) -> None:
        await self._house.health_changed(admin.health)
        if not admin.health.answering:
            admin.give_up()
        self._wake()

    async def _checked(self, thorough: bool) -> None:
        """After a doubt; thorough: at the start and hourly."""
        if thorough:
            for view in (*self.world.rooms.values(), self.world.admin_view):
                if view is not None:
                    await view.refresh(self._hs)
            await self._house.checked()
        if thorough or self.world.window is not None:
            await self._registration.check()
        self._wake()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK)
            try:
                await self._house.tick()
            except (MatrixError, StorageFailed) as error:
                self._log.warning("The clock waits: %s", error)
            self._wake()

    async def reload(self) -> str | None:
        """A new policy text: live, or refused with its first error."""
        problem = await self._reload.again(self.world.main_room)
        self._wanted.set()
        self._wake()
        return problem
