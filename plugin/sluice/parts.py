"""Every part, made once, in one order; nothing here reads, sends or waits.

A part is whole when its constructor returns: what two parts need of each other is a state object
or a bell (`state.py`) that is made before both. `app` runs them.
"""

from __future__ import annotations

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
from .own.call import Call
from .own.log import Log
from .own.rights import Can
from .own.status import Status
from .own.table import Own
from .own.who import WhoIs
from .passwords.handover import Deliveries
from .passwords.private import PrivateRooms
from .passwords.reader import PrivateRoom
from .policy_text import PolicyText
from .proof import Proof
from .reload import Reload
from .requests.desk import Desks
from .rooms import Doors
from .running.outcome import Endings
from .running.runner import PASSES, Runner
from .running.views import Lists, Views
from .server.board import Board
from .server.digest import Digest
from .server.looking import Looking
from .server.notices import Notices
from .server.problems import Drift
from .server.registration import Registration
from .server.sources import kept_back, sources
from .state import Absences, Bells, Live, RegistrationState, Reopenings, Rooms, ServerState, ToRead
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
        me, hs, bells = client.mxid, homeserver, Bells()
        self.db, self.hs, self.session, self.text = db, hs, session, text
        self.nonce, self.clock, self.log = nonce, clock, log
        self.bells, self.tasks = bells, Tasks(log)
        self.encryption = Encryption(client, hs, lambda room: bells.problems.set())
        self.outbox = Outbox(db, nonce, me, clock)
        self.conduit, self.absences = ServerState(bells.health), Absences()
        self.registration = RegistrationState()
        self.live = live = Live(me, version, clock)
        self.rooms = rooms = Rooms(live, self.outbox, self.encryption.available)
        self.base = live, rooms, self.outbox  # what most parts get
        self.desk = Desks(*self.base, self.conduit)
        self.reopenings = Reopenings()
        self.direct = Direct(hs, self.encryption, self.outbox)
        self.probes = Probes(hs, lambda: live.server)
        self.files, self.sealed = Files(hs, self.encryption), Sealed(db, hs)
        self.lists, self.dialog = Lists(), Dialog(*self.base)
        self.looking = Looking(live, self.outbox)
        self.authority = Authority(live, rooms, self.desk, db)


class Parts:
    """What needs no admin room: it may be away, or not be there yet."""

    def __init__(self, ground: Ground) -> None:
        self.ground, bells = ground, ground.bells
        rooms, conduit, desk, base = ground.rooms, ground.conduit, ground.desk, ground.base
        db, hs, log = ground.db, ground.hs, ground.log
        text, encryption, nonce = ground.text, ground.encryption, ground.nonce
        absences, registration = ground.absences, ground.registration
        self.reload = Reload(*base, conduit, desk, db, hs, text, bells)
        self.storage = Storage(ground.live, rooms, db, ground.direct)
        opened, private = ToRead(bells.rooms), PrivateRooms(hs, db, encryption)
        self.deliveries = Deliveries(*base, conduit, desk, db, hs, private, nonce, opened, log)
        self.notices = Notices(*base, registration, self.deliveries, ground.looking)
        life = sources(rooms, registration, ground.session)
        life += (kept_back(rooms, encryption.withheld),)
        self.drift = drift = Drift(
            *base, conduit, db, hs, lambda: text.autojoin, life, ground.looking, bells.problems
        )
        self.status = Status(*base, conduit, registration, db, hs, drift, ground.direct)
        self.board = Board(*base, conduit, registration, desk, db, hs, drift)
        self.commands = self._intake()
        self.account = OwnAccount(*base, conduit, db, hs, encryption, ground.looking, nonce)
        self.news = news = Announcements(
            *base, conduit, absences, db, drift, self.status, ground.looking, bells.problems
        )
        self.supervisor = Supervisor(PASSES, self._stopped, log)
        digest, dialog = Digest(*base, drift), ground.dialog
        self.timers = Timers(*base, desk, db, self.deliveries, dialog, self.notices, news, digest)
        self.doors = self._doors(opened)
        self.sender = Sender(hs, db, encryption, ground.outbox, self._speech(), ground.clock)

    def _doors(self, opened: ToRead) -> Doors:
        """opened: private rooms that must be read."""
        ground = self.ground
        return Doors(
            *ground.base,
            ground.conduit,
            ground.desk,
            ground.absences,
            ground.db,
            ground.hs,
            ground.encryption,
            self.account,
            self.news,
            self.ops_room,
            self.private_room,
            opened,
            ground.bells.rooms,
            ground.tasks,
        )

    def _speech(self) -> Speech:
        rooms = self.ground.rooms
        return Speech(
            may=rooms.may_speak,
            able=rooms.able,
            held=lambda room: alarms.held_back(rooms.here(room)),
            refused=self._refused,
            failed=self._cannot_send,
        )

    def _intake(self) -> Intake:
        ground, bells = self.ground, self.ground.bells
        live, rooms, conduit, desk = ground.live, ground.rooms, ground.conduit, ground.desk
        db, hs, probes, authority = ground.db, ground.hs, ground.probes, ground.authority
        lists, sealed, unseal = ground.lists, ground.sealed, ground.encryption.unseal
        opened = bells.opened
        reading = Reading(*ground.base, db, hs, probes, unseal)
        own = Own(
            partial(Call, *ground.base, desk, db, lists),
            Can(authority, reading),
            WhoIs(hs, probes),
            Log(hs, ground.files, conduit),
            self.status,
            self.board,
            hs.address,
            self.reload.again,
            rings(bells.line),
        )
        preflight = Preflight(
            live, rooms, conduit, db, hs, probes, self.deliveries, lists, sealed, reading, opened
        )
        return Intake(
            live,
            rooms,
            desk,
            db,
            authority,
            reading,
            preflight,
            ground.dialog,
            Arrivals(live, rooms, conduit, hs, ground.absences),
            own,
            ground.reopenings,
            bells.line,
        )

    def ops_room(self, room: str) -> OpsRoom:
        ground = self.ground
        return OpsRoom(
            room,
            *ground.base,
            ground.desk,
            ground.db,
            ground.hs,
            ground.authority,
            self.commands,
            ground.dialog,
            self.storage,
            ground.encryption,
            ground.looking,
            ground.bells.problems,
        )

    def private_room(self, room: str) -> Handler:
        return PrivateRoom(room, *self.ground.base, self.deliveries).take

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
        live, rooms, desk, base = ground.live, ground.rooms, ground.desk, ground.base
        db, hs, log, state = ground.db, ground.hs, ground.log, ground.registration
        nonce, line = ground.nonce, ground.bells.line
        self.room = admin = AdminRoom(
            room=room,
            server=live.server,
            me=live.me,
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
        self.registration = Registration(*base, state, db, ground.looking, sending.ask)
        self.proof = Proof(*base, ground.conduit, db, hs, self.registration)
        probes, files, sealed = ground.probes, ground.files, ground.sealed
        views = Views(live, rooms, ground.conduit, state, probes, files, sealed)
        deliveries, lists, reopenings = parts.deliveries, ground.lists, ground.reopenings
        self.endings = ends = Endings(
            *base, desk, probes, deliveries, views, lists, self.registration, reopenings
        )
        self.runner = Runner(
            live, rooms, desk, db, admin, sending, ends, device, line, doors.heard, log
        )
        self.watch = Watch(admin, sending, hs, log)
        holds = self.watch.address_holds
        self.pulse = Pulse(admin, sending, ground.clock, partial(_timeouts, live), holds, log)


def _timeouts(live: Live) -> Timeouts:
    relay = live.in_force.relay
    return Timeouts(float(relay.timeout), float(relay.slow_timeout))
