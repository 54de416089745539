"""Sluice without maubot: makes the parts, starts and stops them in their order.

Nothing here raises for what may pass (a homeserver that is away, a policy with an error): maubot
would disable the plugin for good. What cannot be done yet is tried again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from logging import Logger

from .admin.heartbeat import Pulse
from .admin.inspection import Watch
from .admin.room import AdminRoom
from .admin.sending import Sending
from .chat import alarms
from .clock import Housekeeping
from .db import meta
from .db.connection import Database, Inner, StorageFailed
from .db.holder import Holder
from .looks.preflight import Checks
from .looks.questions import Questions
from .matrix.api import Client, Homeserver, MatrixError
from .matrix.direct import Direct
from .matrix.encryption import Encryption
from .matrix.files import Files
from .matrix.model import Gap, Handled, Handler
from .matrix.outbox import Outbox
from .matrix.probes import Probes
from .matrix.rooms import RoomView
from .matrix.schedule import QUIET_POLL
from .matrix.sealed import Sealed, seal
from .matrix.sender import Sender, Speech
from .matrix.session import Session
from .model.event import Json, RoomEvent
from .model.server_state import Timeouts
from .ops.account import Account
from .ops.intake import Commands
from .ops.room import OpsRoom
from .ops.storage import Storage
from .own.status import Status
from .own.table import Own
from .passwords.handover import Deliveries
from .passwords.private import PrivateRooms
from .passwords.reader import PrivateRoom
from .policy_text import PolicyText
from .reload import Reload
from .rooms import Doors
from .running.outcome import Endings
from .running.runner import PASSES, Runner
from .running.views import Lists, Views
from .server.notices import Notices
from .server.problems import Drift
from .server.registration import Registration
from .server.sources import sources
from .state import World
from .supervise import Loop, Supervisor

_TICK = 1.0
_RETRY = 2.0
_CATCH_UP = 5.0  # seconds that what was missed may take before the bot says that it is back
_SAY_NOTHING = 10.0  # seconds after which something is said although it is not all read yet


class App:
    """One per plugin instance. What runs is a task in `_tasks`, ended and awaited by `stop`."""

    def __init__(
        self,
        client: Client,
        database: Inner,
        log: Logger,
        text: PolicyText,
        version: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """clock: seconds since the epoch."""
        self._clock = clock
        self._client, self._log, self._text, self._version = client, log, text, version
        self._db = Database(database)
        self._holder = Holder(database, self._db)
        self._session = Session(clock)
        self._hs = Homeserver(client, session=self._session, now=clock)
        self._tasks: set[asyncio.Task[None]] = set()
        self._greeted = asyncio.Event()
        self._supervisor = Supervisor(PASSES, self._stopped, log)
        self._connected = False
        self._hello = False  # whether all is said that is to be said at the start
        self._lost = False  # a long poll failed, and none has worked since
        self._known = False  # whether the private rooms of earlier runs are read
        self._holds = False  # the database is ours; before that nothing is read, sent or said

    # --- life

    async def start(self) -> None:
        """Takes the database and reads the policy; all else goes on in the background. While
        another process has the database, all of it waits there."""
        try:
            if await self._holder.take():
                await self._begin()
            else:
                self._spawn(self._wait())
        except BaseException:
            await self._holder.release()
            raise

    async def _wait(self) -> None:
        await self._holder.wait()
        await self._begin()

    async def _begin(self) -> None:
        me = self._client.mxid
        nonce = await self._db.write(meta.nonce)
        self._encryption = Encryption(self._client, self._hs, lambda room: self._drift.wanted())
        outbox = Outbox(self._db, nonce, me, self._clock)
        self.world = World(me, self._version, self._clock, outbox, self._encryption.available)
        self.world.opened = asyncio.Event()
        self._reload = Reload(self.world, self._db, self._text)
        await self._reload.first()
        self._doors = Doors(
            self.world, self._db, self._hs, self._encryption, self._spawn, self._log
        )
        self._direct = Direct(self._hs, self._encryption, outbox)
        self._storage = Storage(self.world, self._db, self._direct)
        speech = Speech(
            may=self.world.may_speak,
            able=self.world.able,
            held=lambda room: alarms.held_back(self.world.here(room)),
            refused=self._refused,
            failed=self._cannot_send,
        )
        self._sender = Sender(self._hs, self._db, self._encryption, outbox, speech, self._clock)
        self._make(nonce)
        self._holds = True
        self._keep("opens rooms", self._run)

    def _make(self, nonce: str) -> None:
        """The parts that need no room. Each gets what it uses, and nothing knows the app."""
        world, db, hs = self.world, self._db, self._hs
        self._questions, lists = Questions(), Lists()
        self._probes = probes = Probes(hs, world.server)
        rooms = PrivateRooms(hs, db, self._encryption)
        self._nonce = nonce
        watch = self._doors.open_private
        self._deliveries = Deliveries(world, db, hs, rooms, nonce, watch, self._log)
        files = Files(hs, self._encryption)
        sealed = Sealed(db, hs)
        views = Views(world, probes, files, sealed)
        unseal = self._encryption.unseal
        checks = Checks(world, db, hs, probes, self._deliveries, lists, unseal, sealed)
        self._commands = Commands(world, db, hs, self._questions, checks, self._wake)
        self._notices = Notices(world, self._deliveries)
        self._registration = Registration(world, db, self._log)
        life = sources(world, self._session)
        self._drift = Drift(world, db, hs, lambda: self._text.autojoin, life)
        self._account = Account(world, db, hs, self._encryption, nonce)
        self._house = Housekeeping(
            world, db, self._deliveries, self._questions, self._notices, self._drift
        )
        self._endings = Endings(world, probes, self._deliveries, views, lists, self._registration)
        status = Status(world, db, hs, self._drift, self._direct)
        doors = self._doors
        doors.ops, doors.private = self._ops_room, self._private_room
        doors.gap, doors.opens, doors.invited = self._gap, self._opens, self._joined
        doors.look, doors.own = self._account.look, self._account.take
        self._house.welcome = status.say
        doors.broken = self._broken
        understand, moved = self._commands.understand, self._commands.moved
        self._commands.own = Own(
            world, db, hs, probes, files, lists, status, understand, self.reload, moved
        )

    def _keep(self, does: str, loop: Loop) -> None:
        """For as long as the plugin lives. does: for people, after "the part of me that"."""
        self._spawn(self._supervisor.supervise(does, loop))

    def _spawn(self, work: Coroutine[object, None, None]) -> None:
        """What ends by itself."""

        async def guarded() -> None:
            try:
                await work
            except Exception:  # of one room, or one invitation: everything else goes on
                self._log.exception("A task ended with an error")

        task = asyncio.create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _stopped(self, does: str, error: str) -> None:
        await self._db.write(lambda tx: self._house.stopped(tx, does, error))

    async def stop(self) -> None:
        while tasks := tuple(self._tasks):
            for task in tasks:  # again: before Python 3.12 wait_for can swallow a cancellation
                task.cancel()
            await asyncio.wait(tasks, timeout=0.5)
        try:
            if self._holds:
                await self._end()
        finally:
            await self._db.stop()
            await self._holder.release()

    async def _end(self) -> None:
        await self._doors.stop()
        await self._sender.stop()
        if self._greeted.is_set():
            try:
                await self._house.stopping()
            except StorageFailed as error:
                self._log.warning("The time of this stop is not stored: %s", error)

    async def _run(self) -> None:
        if not self._connected:
            await self._connect()
            self._connected = True
            self._spawn(self._send())
            self._keep("keeps time limits", self._tick)
            self._keep("closes registration in time", self._registration.run)
            self._keep("looks for problems", self._drift.run)
        while True:
            self._doors.wanted.clear()
            try:
                await self._open_rooms()
                if self.world.admin is None:
                    self._opened.set()
                await self._greet()
            except (MatrixError, StorageFailed) as error:
                self._log.warning("Rooms cannot be opened yet: %s", error)
            try:
                admin = self.world.admin
                missing = admin is None or not admin.reader.joined or self._doors.missing
                await asyncio.wait_for(self._doors.wanted.wait(), _RETRY if missing else 60.0)
            except asyncio.TimeoutError:
                pass

    async def _send(self) -> None:
        """What arrived before a crash is known before anything is sent again, and what was away
        is said before the answers to it."""
        try:
            await asyncio.wait_for(self._greeted.wait(), _SAY_NOTHING)
        except asyncio.TimeoutError:
            pass
        self._sender.start(self._supervisor.supervise)

    async def _greet(self) -> None:
        """Once, when the start is over and the ops rooms are read."""
        await self._account.tell()
        if self._hello or not self._opened.is_set() or not self.world.rooms:
            return
        if not self._greeted.is_set():
            reading = [self._caught_up(room) for room in self.world.rooms]
            try:
                await asyncio.wait_for(asyncio.gather(*reading), _CATCH_UP)
            except asyncio.TimeoutError:
                pass
            await self._reload.greet()
        self._hello = await self._house.started()
        if not self._greeted.is_set():
            self._greeted.set()
            self._log.info("Sluice is ready")

    @property
    def _opened(self) -> asyncio.Event:
        assert self.world.opened is not None
        return self.world.opened

    async def _caught_up(self, room: str) -> None:
        """What was missed is read; members and powers then are as the server has them: some of
        it may have been read before the last stop, and was applied again."""
        await self._doors.heard(room)
        try:
            await self.world.rooms[room].refresh(self._hs)
        except (MatrixError, KeyError) as error:
            self._log.warning("Who is in %s is not read anew: %s", room, error)

    async def _connect(self) -> None:
        while True:
            try:
                self._device = str((await self._hs.whoami()).get("device_id") or "")
                await self._db.write(lambda tx: self._session.on_device(tx, self._device))
                await self._encryption.start()
            except (MatrixError, StorageFailed) as error:
                self._log.warning("The homeserver does not answer yet: %s", error)
                await asyncio.sleep(_RETRY)
            else:
                return

    # --- rooms

    async def _open_rooms(self) -> None:
        """Joins and reads what is configured and not read yet: the admin room first, so that what
        was out is known before anybody is answered."""
        joined = await self._hs.joined_rooms()
        if self.world.admin is None and self.world.settings is not None:
            await self._open_admin(joined)
        elif (admin := self.world.admin) is not None and admin.room not in joined:
            await self._back_in(admin, joined)
        self._doors.named = self._reload.rooms
        await self._account.look(room for room in self._doors.ops_rooms if room in joined)
        await self._doors.open_ops_rooms(joined)
        if not self._known:
            await self._doors.open_known(joined)
            self._known = True

    async def _back_in(self, admin: AdminRoom, joined: tuple[str, ...]) -> None:
        """We were removed from the admin room: an invitation back is accepted."""
        if await self._doors.enter(admin.room, joined, "admin_room"):
            admin.reader.doubt()
            if self.world.admin_view is not None:  # who is in it may have changed unseen
                await self.world.admin_view.refresh(self._hs)

    async def _open_admin(self, joined: tuple[str, ...]) -> None:
        settings = self.world.live
        room = settings.admin_room or await self._hs.alias(f"#admins:{settings.server}")
        if room is None:
            self._doors.absent(f"#admins:{settings.server}", "admin_room")
        if room is None or not await self._doors.enter(room, joined, "admin_room"):
            return
        self._reload.admin_room_is(room)
        await self._db.write(lambda tx: seal(tx, room))
        view = RoomView(room)
        admin = AdminRoom(
            room=room,
            server=settings.server,
            me=self.world.me,
            nonce=self._nonce,
            db=self._db,
            homeserver=self._hs,
            clock=self._clock,
        )
        sending = Sending(admin, self._hs, self._nonce, self._log)
        self._runner = Runner(
            self.world, self._db, admin, sending, self._endings, self._device, self._log
        )
        self._watch = watch = Watch(admin, sending, self._hs, self._log)
        pulse = Pulse(admin, sending, self._clock, self._timeouts, watch.address_holds, self._log)
        admin.on_notice = self._notices.take
        admin.on_health = lambda: self._health_changed(admin)
        admin.on_late = self._runner.late
        self._runner.heard = self._doors.heard
        pulse.on_back = self._house.homeserver_back
        watch.on_checked = self._checked
        await admin.load()
        await self._registration.load()

        async def handler(event: RoomEvent) -> Handled | None:
            view.apply(event)
            return admin.take(event)

        async def gap(gap: Gap) -> Handled:
            return self._house.history_replaced(gap, admin.reset())

        await view.refresh(self._hs)
        # While a line is out it is read at once; else nothing in it waits for us.
        admin.reader = await self._doors.read(room, handler, gap, poll=QUIET_POLL)
        await admin.reader.catch_up()
        await view.refresh(self._hs)
        self.world.admin, self.world.admin_view = admin, view
        self._registration.ask = sending.ask
        self._keep("sees whether Conduit answers", pulse.run)
        self._keep("looks at Conduit's version", lambda: watch.run(pulse.beat))
        self._keep("takes commands to Conduit", self._relay)

    async def _relay(self) -> None:
        """Once it is known whether Conduit answers: what was out, then what stands in line."""
        admin = self.world.admin
        assert admin is not None
        await self._watch.looked.wait()
        admin.ready = True
        await self._health_changed(admin)
        self._opened.set()
        self._doors.wanted.set()
        await self._runner.run()

    def _ops_room(self, room: str) -> OpsRoom:
        commands, questions = self._commands, self._questions
        storage, changed = self._storage, self._drift.wanted
        return OpsRoom(room, self.world, self._db, self._hs, commands, questions, storage, changed)

    def _private_room(self, room: str) -> Handler:
        return PrivateRoom(room, self.world, self._deliveries).take

    async def _gap(self, gap: Gap) -> Handled:
        return self._house.history_replaced(gap, None)

    async def _opens(self, room: str) -> None:
        if room == self.world.main_room:
            await self._house.returned()

    async def _joined(self, room: str) -> None:
        """Whoever invited us sees what is still missing; the first time the hello says it."""
        if self._greeted.is_set():
            await self._house.welcome(room, f"welcome.{self.world.now()}")

    async def _broken(self, room: str, event_id: str, error: str) -> Handled:
        """event_id: "" if reading itself failed."""
        if event_id:
            return self._house.own_error(event_id, error, room)
        return Handled(lambda tx: self._house.stopped(tx, "reads a room", error))

    # --- what rings, and what changes

    def doorbell(self, rooms: Json) -> None:
        self._session.synced()
        if not self._holds:
            return
        if self._lost:  # maubot waits before it tries again: more than one restart fits in
            self.connection_lost()
            self._lost = False
        self._doors.doorbell(rooms)

    def connection_lost(self) -> None:
        """A long poll failed: Conduit may have restarted, with an empty queue."""
        if not self._holds:
            return
        self._lost = True
        self._doors.suspect()
        if self.world.admin is not None:
            self.world.admin.fences.lost()

    def _wake(self) -> None:
        if self.world.admin is not None:
            self._runner.wake()

    def _timeouts(self) -> Timeouts:
        relay = self.world.live.relay
        return Timeouts(float(relay.timeout), float(relay.slow_timeout))

    async def _health_changed(self, admin: AdminRoom) -> None:
        """What could not be said now is said by the clock."""
        try:
            await self._house.health_changed()
        finally:
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
            if self._session.sync_ended():
                self._drift.wanted()
            await self._storage.look()
            await self._house.tick()
            self._wake()

    def _refused(self, room: str) -> None:
        """The server took no message of ours there."""
        self._doors.doubt(room)
        self._drift.wanted()

    def _cannot_send(self, error: str) -> None:
        """One room stumbled; what sends goes on by itself."""
        self._spawn(self._supervisor.tell("sends messages", error))

    async def reload(self) -> str | None:
        """A new policy text: live, or refused with its first error."""
        if not self._holds:
            return "not taken: another process works on my database, this one waits for its end"
        problem = await self._reload.again()
        if self.world.admin is None:
            self._opened.clear()  # it may name the room that there was none to look for
            self._probes.server = self.world.server
        else:  # without the admin room it is looked at once that is open
            self._drift.wanted()  # whether the accounts that it names exist
        self._doors.wanted.set()
        self._wake()
        return problem
