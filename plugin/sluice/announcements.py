"""What Sluice says of itself and of the other side, unasked: its start, an absence, the health of
Conduit, a gap in what was read, an error of its own. Everything here is said in the main room.
"""

from __future__ import annotations

import asyncio

from attrs import evolve

from . import audit
from .chat import alarms, policy_news, server_news
from .db import meta
from .db.connection import Database, Tx
from .families import correlator
from .looks.sizes import HELLO
from .matrix.model import Gap, Handled
from .matrix.outbox import Outbox
from .model.request import State
from .model.server_state import Health
from .own.status import Status
from .policy.access import read_out
from .requests import store
from .server.looking import Looking
from .server.problems import Drift
from .state import Absences, Live, Rooms, ServerState
from .text.message import Message
from .text.phrases import Here

ALIVE = "alive"  # in the database: when the bot was last known to run
_AWAY = 60.0  # seconds of absence that are worth a word
_VERSION = "version told"  # in the database: the version that the ops room knows of
_STARTED = "started"  # in the database: the bot has said hello in this installation


class Announcements:
    """greeted: set once the hello is said, or it is said why it must wait."""

    def __init__(
        self,
        live: Live,
        rooms: Rooms,
        outbox: Outbox,
        conduit: ServerState,
        absences: Absences,
        db: Database,
        drift: Drift,
        status: Status,
        looking: Looking,
        problems: asyncio.Event,
    ) -> None:
        """problems: the bell that what is around Sluice may have changed."""
        self._live, self._rooms, self._outbox, self._conduit = live, rooms, outbox, conduit
        self._absences, self._db = absences, db
        self._drift, self._status, self._problems = drift, status, problems
        self._looking = looking
        self.greeted = asyncio.Event()
        self._waits = False  # to say hello
        self._telling = asyncio.Lock()  # the bell and the clock may look at once
        self._away: tuple[float, float] | None = None  # from, to: before this start
        self._health = Health()  # as it was told
        self._silent_since: float | None = None
        self._back_told: tuple[float, float] | None = None
        self._gap = 0.0  # when the last part of a timeline ended that was not read

    async def say(
        self, tx: Tx, key: str, message: Message | None, *, buttons: tuple[str, ...] = ()
    ) -> None:
        if message is None:
            return
        key = f"{key}.{self._live.now()}"
        for room in self._rooms.told_rooms:
            if room != self._rooms.main_room and message.push:
                message = evolve(message, push=self._rooms.owners_in(room))
            await self._looking.alarm(tx, room, key, message)
            for each in buttons:
                await self._outbox.react(tx, room, key, each)

    # --- the start

    async def opens(self, room: str) -> None:
        """An ops room is read from now on. Before anything in the main one that was missed is: how
        long the bot was away, if it was."""
        if room == self._rooms.main_room:
            await self._db.write(self._returned)

    async def _returned(self, tx: Tx) -> None:
        room, alive = self._rooms.main_room, await meta.get(tx, ALIVE)
        if room is None or alive is None or self._live.problems:
            return
        away = (float(alive), self._live.now())
        message = server_news.back(self._rooms.here(room), *away, 0)
        if message is not None:
            await self._outbox.put(tx, room, f"back.{away[1]}", message)
        tx.after(lambda: self._is_back(*away))

    def _is_back(self, since: float, until: float) -> None:
        self._away = (since, until)
        self._absences.was_away(since, until)

    def slept(self, since: float) -> None:
        """The host slept, or our clock stood still since then: away, in effect."""
        now = self._live.now()
        if now - since > _AWAY:
            self._absences.was_away(since, now)

    async def invited(self, room: str) -> None:
        """Whoever invited us sees what is still missing; the first time the hello says it."""
        if self.greeted.is_set():
            await self._status.say(room, f"welcome.{self._live.now()}")

    async def started(self) -> bool:
        """Says hello the first time, and later only what was missed. False: not yet, because the
        bot is not in the admin room; what is missing is said once."""
        is_said = await self._says_hello()
        self.greeted.set()
        return is_said

    async def _says_hello(self) -> bool:
        now, settings = self._live.now(), self._live.settings
        room = self._rooms.main_room
        if room is None:
            return False
        here = self._rooms.here(room)
        first = await self._db.read(lambda tx: meta.get(tx, _STARTED)) is None
        if first and settings is not None and not self._live.problems:
            if not self._conduit.room:
                if not self._waits:
                    await self._status.say(room, "welcome")
                    self._waits = True
                return False
            await self._drift.look(accounts=True)  # later it has time

        async def commit(tx: Tx) -> None:
            if self._live.problems or self._rooms.deaf(room):
                pass  # safe mode and an unreadable room have a message of their own: no hello
            elif first and settings is not None:
                conduit = f"Conduit {self._conduit.health.version}"
                hello = policy_news.ready(
                    here,
                    self._live.version,
                    conduit,
                    read_out(settings.policy),
                    encrypted=self._rooms.crypto,
                    problems=await self._drift.words(tx, room, start=True),
                )
                await self.say(tx, HELLO, hello, buttons=() if hello.text else ("✅",))
                await self._drift.tell(tx, silent=True)
                await meta.put(tx, _STARTED, "1")
            else:
                await self._back(tx, room)
            await audit.append(tx, now, "start", {"version": self._live.version})
            await meta.put(tx, ALIVE, str(now))
            tx.after(self._absences.are_told)

        await self._db.write(commit)
        return True

    async def _is_another(self, tx: Tx, here: Here) -> None:
        """The first start of another version is told; what ran before stands in the log."""
        starts = await audit.page(tx, kinds=("start",), limit=1)
        was = await meta.get(tx, _VERSION) or (starts[0].what.get("version") if starts else None)
        await meta.put(tx, _VERSION, self._live.version)
        if was not in (None, self._live.version):
            said = policy_news.other_version(here, self._live.version, str(was))
            await self.say(tx, "version", said)

    async def _back(self, tx: Tx, room: str) -> None:
        """Another version, and how many commands were missed."""
        await self._is_another(tx, self._rooms.here(room))
        if self._away is None or not self._absences.missed:
            return
        key, outbox = f"back.{self._away[1]}", self._outbox
        message = server_news.back(self._rooms.here(room), *self._away, self._absences.missed)
        if message is not None:
            await outbox.put(tx, room, key, message)
            await outbox.revise(tx, room, key, message)

    async def stopping(self) -> None:
        """The absence begins now."""
        await self._db.write(lambda tx: meta.put(tx, ALIVE, str(self._live.now())))

    # --- the other side

    async def health_changed(self) -> None:
        """One message per change, with the remedy. The clock looks too: when the bell rang there
        may have been no storage to say it."""
        conduit = self._conduit
        if not conduit.room:
            return
        async with self._telling:
            await self._tell_changes(conduit)

    async def _tell_changes(self, conduit: ServerState) -> None:
        if (health := conduit.health) != self._health:
            if health.outside:
                self._problems.set()
            await self._db.write(lambda tx: self._tell_health(tx, health))
        if (back := conduit.back) is not None and back != self._back_told:
            await self._db.write(lambda tx: self._tell_back(tx, *back))
            self._back_told = back

    async def _tell_health(self, tx: Tx, health: Health) -> None:
        now, told = self._live.now(), self._health
        here = self._rooms.here(self._rooms.main_room or "")
        since = self._silent_since
        if health.quiet and not told.quiet:
            since = health.silent_since or now
        if health.alias_lost and not told.alias_lost:
            await self.say(tx, "alias", server_news.address_gone(here))
        elif health.silent_since is not None and not told.quiet:
            await self.say(tx, "silent", await self._silent(tx, here, health.silent_since))
        elif told.quiet and not health.quiet and since is not None:
            waiting = len(await store.queue_order(tx))
            for alarm in ("silent", "alias"):
                await self._looking.over(tx, alarm, server_news.silence_over(here, since, now))
            await self.say(tx, "answers", server_news.answers_again(here, since, now, waiting))
        if told.outside and not health.outside:
            await self.say(tx, "inside", server_news.inside())
        if told.emergency and not health.emergency:
            await self.say(tx, "emergency", server_news.emergency_over())
        if health.version != told.version and health.version and health.dialect is None:
            said = server_news.unknown_version(here, f"Conduit {health.version}")
            await self.say(tx, "version", said)

        def is_told() -> None:
            self._health, self._silent_since = health, since

        tx.after(is_told)

    async def _silent(self, tx: Tx, here: Here, since: float) -> Message:
        """With what was running: it may be what stopped it."""
        running = await store.in_state(tx, State.EXECUTING)
        last = [(r.id, r.text, r.person) for r in running]
        first = correlator.head(self._conduit.queue)
        by_hand = first is not None and not first[0].ref
        return server_news.silent(here, since, last, by_hand=by_hand)

    async def _tell_back(self, tx: Tx, since: float, until: float) -> None:
        if until - since < _AWAY or self._live.settings is None:
            return
        here = self._rooms.here(self._rooms.main_room or "")
        await self.say(tx, "away", server_news.homeserver_back(here, since, until))

    # --- gaps and errors of ours

    def history_replaced(self, gap: Gap, inner: Handled | None) -> Handled:
        """A room's history was not read for a while: said once for all rooms, with what is now
        unknown."""
        here = self._rooms.here(self._rooms.main_room or "")

        async def commit(tx: Tx) -> None:
            told = gap.since < self._gap + _AWAY
            tx.after(lambda: self._gap_told(gap.until))
            if inner is not None:
                await inner.commit(tx)
            running = [r.id for r in await store.in_state(tx, State.EXECUTING)]
            if inner is None and gap.why != "replaced":
                running = []  # only of an ops room: lines are read as they should
            said = server_news.history_replaced(here, gap.since, gap.until, running)
            await audit.append(tx, self._live.now(), "gap", {"room": gap.room, "why": gap.why})
            if not told:
                await self.say(tx, "gap", said)

        return Handled(commit, inner.after if inner is not None else None)

    def _gap_told(self, until: float) -> None:
        self._gap = until

    def broken(self, room: str, event_id: str, error: str) -> Handled:
        """What came of an event, or, without an id, of reading itself."""
        if event_id:
            return self.own_error(event_id, error, room)
        return Handled(lambda tx: self.stopped(tx, "reads a room", error))

    def own_error(self, event_id: str, error: str, room: str = "") -> Handled:
        """An event that could not be handled: recorded, and told once of each kind in a while.

        room: where it stands. Only an event of an ops room is named: of the other rooms nothing
        is, and no id of them leaves the database.
        """
        if room not in self._rooms.views:
            event_id = room = ""
        here = self._rooms.here(self._rooms.main_room or "")

        async def commit(tx: Tx) -> None:
            record = {"event": event_id, "error": error, "room": room}
            await audit.append(tx, self._live.now(), "error", record)
            main = self._rooms.main_room
            if main is not None:
                key = alarms.error_key(error, self._live.now())
                said = alarms.own_error(here, error, event_id)
                await self._looking.alarm(tx, main, key, said)

        return Handled(commit)

    async def stopped(self, tx: Tx, does: str, error: str) -> None:
        """A loop stopped on a bug and goes on. does: what it is for."""
        now, here = self._live.now(), self._rooms.here(self._rooms.main_room or "")
        await audit.append(tx, now, "error", {"event": does, "error": error})
        await self.say(tx, f"stopped.{does}", alarms.stopped(here, does, error))
