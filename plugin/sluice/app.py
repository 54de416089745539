"""Sluice without maubot: takes the database, then starts, runs and stops the parts in their order.

Nothing here raises for what may pass (a homeserver that is away, a policy with an error): maubot
would disable the plugin for good. What cannot be done yet is tried again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from logging import Logger

from .admin.room import AdminRoom
from .db import meta
from .db.connection import Database, Inner, StorageFailed
from .db.holder import Holder
from .matrix.api import Client, Homeserver, MatrixError
from .matrix.sealed import seal_admin
from .matrix.session import Session
from .model.event import Json, object_in
from .parts import AdminParts, Ground, Parts
from .policy_text import PolicyText
from .supervise import Loop, Tasks

_TICK = 1.0
_RETRY = 2.0
_CATCH_UP = 5.0  # seconds that what was missed may take before the bot says that it is back
_SAY_NOTHING = 10.0  # seconds after which something is said although it is not all read yet
_WAITS = "not taken: another process works on my database, this one waits for its end"


class App:
    """One per plugin instance. While another process has the database all of it waits for that;
    before the database is ours nothing is read, sent or said."""

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
        self._client, self._log, self._text, self._version = client, log, text, version
        self._clock = clock
        self.db = Database(database)
        self._holder = Holder(database, self.db)
        self._session = Session(clock)
        self.hs = Homeserver(client, session=self._session, now=clock)
        self._waiting = Tasks(log)
        self.running: Running | None = None

    async def start(self) -> None:
        """Takes the database and reads the policy; all else goes on in the background."""
        try:
            if await self._holder.take():
                await self._begin()
            else:
                self._waiting.spawn(self._wait())
        except BaseException:
            await self._holder.release()
            raise

    async def _wait(self) -> None:
        await self._holder.wait()
        await self._begin()

    async def _begin(self) -> None:
        nonce = await self.db.write(meta.nonce)
        ground = Ground(
            self._client,
            self.db,
            self.hs,
            self._session,
            self._text,
            nonce,
            self._version,
            self._clock,
            self._log,
        )
        parts = Parts(ground)
        await parts.reload.first()
        self.running = Running(parts)
        self.running.start()

    async def stop(self) -> None:
        await self._waiting.stop()
        try:
            if self.running is not None:
                await self.running.stop()
        finally:
            await self.db.stop()
            await self._holder.release()

    def doorbell(self, sync: Json) -> None:
        """A sync response."""
        self._session.synced()
        if self.running is not None:
            self.running.hear(sync)
            self.running.doorbell(object_in(sync, "rooms"))

    def connection_lost(self) -> None:
        """A long poll failed."""
        if self.running is not None:
            self.running.connection_lost()

    async def reload(self) -> str | None:
        """A new policy text: live, or refused with its first error."""
        return _WAITS if self.running is None else await self.running.parts.reload.again()


class Running:
    """The loops, for as long as the plugin lives."""

    def __init__(self, parts: Parts) -> None:
        self.parts, ground = parts, parts.ground
        self.admin: AdminParts | None = None  # once the admin room is read
        self._hs, self._db, self._log, self._tasks = ground.hs, ground.db, ground.log, ground.tasks
        self._session, self._conduit = ground.session, ground.conduit
        self._live, self._rooms = ground.live, ground.rooms
        self._bells, self._doors, self._news = ground.bells, parts.doors, parts.news
        self._device = ""
        self._hello = False  # whether all is said that is to be said at the start
        self._lost = False  # a long poll failed, and none has worked since
        self._known = False  # whether the private rooms of earlier runs are read

    # --- life

    def start(self) -> None:
        self._keep("opens rooms", self._connect)

    def _keep(self, does: str, loop: Loop) -> None:
        """For as long as the plugin lives. does: for people, after "the part of me that"."""
        self._tasks.spawn(self.parts.supervisor.supervise(does, loop))

    async def stop(self) -> None:
        await self._tasks.stop()
        await self._doors.stop()
        await self.parts.sender.stop()
        if self._news.greeted.is_set():
            try:
                await self._news.stopping()
            except StorageFailed as error:
                self._log.warning("The time of this stop is not stored: %s", error)

    async def _connect(self) -> None:
        """Once; tried again by who keeps it while the homeserver does not answer."""
        self._device = str((await self._hs.whoami()).get("device_id") or "")
        await self._db.write(lambda tx: self._session.on_device(tx, self._device))
        await self.parts.ground.encryption.start()
        self._tasks.spawn(self._send())
        self._keep("opens rooms", self._run)
        self._keep("keeps time limits", self._tick)
        self._keep("keeps the board", self._board)
        self._keep("looks for problems", self.parts.drift.run)

    async def _board(self) -> None:
        """Behind the hello, or what was missed."""
        await self._news.greeted.wait()
        await self.parts.board.run()

    async def _send(self) -> None:
        """What arrived before a crash is known before anything is sent again, and what was away
        is said before the answers to it."""
        try:
            await asyncio.wait_for(self._news.greeted.wait(), _SAY_NOTHING)
        except asyncio.TimeoutError:
            pass
        self.parts.sender.start(self.parts.supervisor.supervise)

    async def _run(self) -> None:
        while True:
            self._bells.rooms.clear()
            self._doors.open_wanted()
            try:
                await self._open_rooms()
                if self.admin is None:
                    self._bells.opened.set()
                await self._greet()
            except (MatrixError, StorageFailed) as error:
                self._log.warning("Rooms cannot be opened yet: %s", error)
            inside = self.admin is not None and self.admin.room.reader.joined
            within = 60.0 if inside and not self._doors.missing else _RETRY
            try:
                await asyncio.wait_for(self._bells.rooms.wait(), within)
            except asyncio.TimeoutError:
                pass

    async def _greet(self) -> None:
        """Once, when the start is over and the ops rooms are read."""
        await self.parts.account.tell()
        rooms = self._rooms.views
        if self._hello or not self._bells.opened.is_set() or not rooms:
            return
        if first := not self._news.greeted.is_set():
            reading = [self._caught_up(room) for room in rooms]
            try:
                await asyncio.wait_for(asyncio.gather(*reading), _CATCH_UP)
            except asyncio.TimeoutError:
                pass
            await self.parts.reload.greet()
        self._hello = await self._news.started()
        if first:
            self._log.info("Sluice is ready")

    async def _caught_up(self, room: str) -> None:
        """What was missed is read; members and powers then are as the server has them: some of
        it may have been read before the last stop, and was applied again."""
        await self._doors.heard(room)
        try:
            await self._rooms.views[room].refresh(self._hs)
        except (MatrixError, KeyError) as error:
            self._log.warning("Who is in %s is not read anew: %s", room, error)

    # --- rooms

    async def _open_rooms(self) -> None:
        """Joins and reads what is configured and not read yet: the admin room first, so that what
        was out is known before anybody is answered."""
        joined = await self._hs.joined_rooms()
        if self.admin is not None:
            await self._back_in(self.admin, joined)
        elif self._live.settings is not None:
            await self._open_admin(joined)
        rooms = (room for room in self._doors.ops_rooms if room in joined)
        await self.parts.account.look(rooms)
        await self._doors.open_ops_rooms(joined)
        if self._rooms.main_room is None:
            await self.parts.reload.turned_away(joined)
        if not self._known:
            await self._doors.open_known(joined)
            self._known = True

    async def _back_in(self, admin: AdminParts, joined: tuple[str, ...]) -> None:
        """If we were removed from the admin room: an invitation back is accepted."""
        room = admin.room
        if room.room in joined or not await self._doors.enter(room.room, joined, "admin_room"):
            return
        room.reader.doubt()
        await room.view.refresh(self._hs)  # who is in it may have changed unseen

    async def _open_admin(self, joined: tuple[str, ...]) -> None:
        settings = self._live.in_force
        alias = f"#admins:{settings.server}"
        room = settings.admin_room or await self._hs.alias(alias)
        if room is None:
            self._doors.absent(alias, "admin_room")
        elif await self._doors.enter(room, joined, "admin_room"):
            self.parts.reload.admin_room_is(room)
            await self._db.write(lambda tx: seal_admin(tx, room))
            await self._read_admin(AdminParts(self.parts, room, self._device))

    async def _read_admin(self, admin: AdminParts) -> None:
        room = admin.room
        await room.load()
        await admin.registration.load()
        await room.view.refresh(self._hs)
        # While a line is out it is read at once; else nothing in it waits for us.
        await self._doors.start(room.reader)
        await room.reader.catch_up()
        await room.view.refresh(self._hs)
        self._conduit.open(room.room, room.server, room.view)
        self.admin = admin
        watch = admin.watch
        self._keep("sees whether Conduit answers", admin.pulse.run)
        self._keep(
            "looks at Conduit's version",
            lambda: watch.run(admin.pulse.beat, lambda every: self._checked(admin, every)),
        )
        self._keep("says whether Conduit answers", lambda: self._health(room))
        self._keep("closes registration in time", admin.registration.run)
        self._keep("takes commands to Conduit", lambda: self._relay(admin))

    async def _relay(self, admin: AdminParts) -> None:
        """Once it is known whether Conduit answers: what was out, then what stands in line."""
        await admin.watch.looked.wait()
        self._conduit.is_ready()
        await self._health_changed(admin.room)
        self._bells.opened.set()
        self._bells.rooms.set()
        self._keep("answers the setup assistant", lambda: self._prove(admin))
        await admin.runner.run()

    async def _prove(self, admin: AdminParts) -> None:
        await self._news.greeted.wait()
        await admin.proof.give()

    # --- what rings, and what changes

    def hear(self, sync: Json) -> None:
        """What no room says: which keys are kept back from us."""
        self.parts.ground.encryption.withheld.hear(sync)

    def doorbell(self, rooms: Json) -> None:
        if self._lost:  # maubot waits before it tries again: more than one restart fits in
            self.connection_lost()
            self._lost = False
        self._doors.doorbell(rooms)

    def connection_lost(self) -> None:
        """Conduit may have restarted, with an empty queue."""
        self._lost = True
        self._doors.suspect()
        if self.admin is not None:
            self._conduit.fences.lost()

    async def _health(self, room: AdminRoom) -> None:
        while True:
            await self._bells.health.wait()
            self._bells.health.clear()
            await self._health_changed(room)

    async def _health_changed(self, room: AdminRoom) -> None:
        """Told before who waits is told that nothing comes. What could not be said now is said by
        the clock."""
        try:
            await self._news.health_changed()
        finally:
            if not room.health.answering:
                room.give_up()
            self._bells.line.set()

    async def _checked(self, admin: AdminParts, thorough: bool) -> None:
        """After a doubt; thorough: at the start and hourly."""
        if thorough:
            await admin.room.view.refresh(self._hs)
            self._bells.problems.set()
        if thorough or not admin.registration.state.lasts:
            await admin.registration.check()
        self._bells.line.set()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK)
            if self._session.sync_ended():
                self._bells.problems.set()
            await self.parts.storage.look()
            await self.parts.timers.tick()
            self._bells.line.set()
