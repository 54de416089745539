"""Every part, made once, in one order; nothing here reads, sends or waits.

A part is whole when its constructor returns: what two parts need of each other is a state object
or a bell (`state.py`) that is made before both. `app` runs them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from logging import Logger

from .admin.heartbeat import Pulse
from .admin.inspection import Watch
from .admin.room import AdminRoom
from .admin.sending import Sending
from .announcements import Announcements
from .chat import alarms
from .clock import Timers
from .db.connection import Database
from .looks.authority import Authority
from .looks.preflight import Preflight
from .looks.reading import Reading
from .matrix.api import Client, Homeserver
from .matrix.direct import Direct
from .matrix.encryption import Encryption
from .matrix.files import Files
from .matrix.model import Handler, rings
from .matrix.outbox import Outbox
from .matrix.probes import Probes
from .matrix.schedule import QUIET_POLL
from .matrix.sealed import Sealed
from .matrix.sender import Sender, Speech
from .matrix.session import Session
from .model.server_state import Timeouts
from .ops.account import OwnAccount
from .ops.arrival import Arrivals
from .ops.dialog import Dialog
from .ops.intake import Intake
from .ops.room import OpsRoom
from .ops.storage import Storage
from .own.status import Status
from .own.table import Own
from .passwords.handover import Deliveries
from .passwords.private import PrivateRooms
from .passwords.reader import PrivateRoom
from .policy_text import PolicyText
from .proof import Proof
from .reload import Reload
from .rooms import Doors
from .running.outcome import Endings
from .running.runner import PASSES, Runner
from .running.views import Lists, Views
from .server.notices import Notices
from .server.problems import Drift
from .server.registration import Registration
from .server.sources import sources
from .state import Absences, Bells, RegistrationState, ServerState, ToRead, World
from .supervise import Supervisor, Tasks


class Ground:
    """What every part stands on: the outlets, what is true now, and the bells.

    log: maubot's, for who runs it. clock: seconds since the epoch.
    """

    def __init__(
        self,
        client: Client,
        db: Database,
        homeserver: Homeserver,
        session: Session,
        text: PolicyText,
        nonce: str,
        version: str,
        clock: Callable[[], float],
        log: Logger,
    ) -> None:
        me, hs, problems = client.mxid, homeserver, asyncio.Event()
        self.db, self.hs, self.session, self.text = db, hs, session, text
        self.nonce, self.clock, self.log = nonce, clock, log
        self.bells, self.tasks = Bells(problems=problems), Tasks(log)
        self.encryption = Encryption(client, hs, lambda room: problems.set())
        self.outbox = Outbox(db, nonce, me, clock)
        self.conduit, self.absences = ServerState(self.bells.health), Absences()
        self.registration = RegistrationState()
        self.world = world = World(
            me, version, clock, self.outbox, self.conduit, self.encryption.available
        )
        self.direct = Direct(hs, self.encryption, self.outbox)
        self.probes = Probes(hs, lambda: world.server)
        self.files, self.sealed = Files(hs, self.encryption), Sealed(db, hs)
        self.lists, self.dialog = Lists(), Dialog(world)
        self.authority = Authority(world, db)


class Parts:
    """What needs no admin room: it may be away, or not be there yet."""

    def __init__(self, ground: Ground) -> None:
        self.ground, bells = ground, ground.bells
        world, db, hs, log = ground.world, ground.db, ground.hs, ground.log
        encryption, nonce, absences = ground.encryption, ground.nonce, ground.absences
        self.reload = Reload(world, db, ground.text, bells)
        self.storage = Storage(world, db, ground.direct)
        opened = ToRead(bells.rooms)
        rooms = PrivateRooms(hs, db, encryption)
        self.deliveries = Deliveries(world, db, hs, rooms, nonce, opened, log)
        self.notices = Notices(world, ground.registration, self.deliveries)
        life, text = sources(world, ground.registration, ground.session), ground.text
        self.drift = Drift(world, db, hs, lambda: text.autojoin, life, bells.problems)
        self.status = Status(world, ground.registration, db, hs, self.drift, ground.direct)
        self.commands = self._intake()
        self.account = OwnAccount(world, db, hs, encryption, nonce)
        self.news = Announcements(world, absences, db, self.drift, self.status, bells.problems)
        self.supervisor = Supervisor(PASSES, self._stopped, log)
        self.timers = Timers(world, db, self.deliveries, ground.dialog, self.notices, self.news)
        self.doors = Doors(
            world,
            absences,
            db,
            hs,
            encryption,
            self.account,
            self.news,
            self.ops_room,
            self.private_room,
            opened,
            bells.rooms,
            ground.tasks,
            log,
        )
        self.sender = Sender(hs, db, encryption, ground.outbox, self._speech(), ground.clock)

    def _speech(self) -> Speech:
        world = self.ground.world
        return Speech(
            may=world.may_speak,
            able=world.able,
            held=lambda room: alarms.held_back(world.here(room)),
            refused=self._refused,
            failed=self._cannot_send,
        )

    def _intake(self) -> Intake:
        ground, bells = self.ground, self.ground.bells
        world, db, hs, probes = ground.world, ground.db, ground.hs, ground.probes
        authority, lists = ground.authority, ground.lists
        reading = Reading(world, db, hs, probes, ground.encryption.unseal)
        own = Own(
            world,
            db,
            hs,
            probes,
            ground.files,
            lists,
            self.status,
            authority,
            reading,
            self.reload.again,
            rings(bells.line),
        )
        preflight = Preflight(
            world, db, hs, probes, self.deliveries, lists, ground.sealed, reading, bells.opened
        )
        arrivals = Arrivals(world, hs, ground.absences)
        return Intake(
            world, db, authority, reading, preflight, ground.dialog, arrivals, own, bells.line
        )

    def ops_room(self, room: str) -> OpsRoom:
        ground = self.ground
        return OpsRoom(
            room,
            ground.world,
            ground.db,
            ground.hs,
            ground.authority,
            self.commands,
            ground.dialog,
            self.storage,
            ground.bells.problems,
        )

    def private_room(self, room: str) -> Handler:
        return PrivateRoom(room, self.ground.world, self.deliveries).take

    async def _stopped(self, does: str, error: str) -> None:
        await self.ground.db.write(lambda tx: self.news.stopped(tx, does, error))

    def _refused(self, room: str) -> None:
        """The server took no message of ours there."""
        self.doors.doubt(room)
        self.ground.bells.problems.set()

    def _cannot_send(self, error: str) -> None:
        """One room stumbled; what sends goes on by itself."""
        self.ground.tasks.spawn(self.supervisor.tell("sends messages", error))


class AdminParts:
    """What works with the admin room, made once it is known which room that is.

    device: the id of the device that we are signed in as.
    """

    def __init__(self, parts: Parts, room: str, device: str) -> None:
        ground, doors = parts.ground, parts.doors
        world, db, hs, log = ground.world, ground.db, ground.hs, ground.log
        nonce, line = ground.nonce, ground.bells.line
        self.room = admin = AdminRoom(
            room=room,
            server=world.server,
            me=world.me,
            nonce=nonce,
            db=db,
            homeserver=hs,
            clock=ground.clock,
            read=partial(doors.reader, poll=QUIET_POLL),
            noticed=parts.notices.take,
            gap=parts.news.history_replaced,
            state=ground.conduit,
            line=line,
        )
        self.sending = sending = Sending(admin, hs, nonce, log)
        self.registration = Registration(world, ground.registration, db, sending.ask)
        self.proof = Proof(world, db, hs, self.registration)
        views = Views(world, ground.registration, ground.probes, ground.files, ground.sealed)
        self.endings = ends = Endings(
            world, ground.probes, parts.deliveries, views, ground.lists, self.registration
        )
        self.runner = Runner(world, db, admin, sending, ends, device, line, doors.heard, log)
        self.watch = Watch(admin, sending, hs, log)
        holds = self.watch.address_holds
        self.pulse = Pulse(admin, sending, ground.clock, partial(_timeouts, world), holds, log)


def _timeouts(world: World) -> Timeouts:
    relay = world.live.relay
    return Timeouts(float(relay.timeout), float(relay.slow_timeout))
