"""What happens by itself: the clock of questions, requests, passwords and floods; seals; and what
Sluice says of its own start and of the health of the other side.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from attrs import evolve

from . import audit
from .catalog.table import COMMANDS
from .chat import alarms, policy_news, server_news
from .db import meta
from .db.connection import Database, Tx
from .looks.questions import Questions
from .matrix.model import Gap, Handled
from .model.request import State
from .model.server_state import Health
from .passwords.handover import Deliveries
from .policy.access import read_out
from .requests import reweigh, store
from .requests.finish import HOURGLASS
from .server.notices import Notices
from .server.problems import Drift
from .state import World
from .text.message import Message
from .text.phrases import Here

_ALIVE = "alive"  # when the bot was last known to run
_ALIVE_EVERY = 15.0
_AWAY = 60.0  # seconds of absence that are worth a word
_STARTED = "started"  # the bot has said hello in this installation
_HOURGLASS_AFTER = 2.0
_WORKING = (State.PENDING, State.EXECUTING)


class Housekeeping:
    """welcome: posts the status in a room, under this key; set by who makes both."""

    welcome: Callable[[str, str], Awaitable[None]]

    def __init__(
        self,
        world: World,
        db: Database,
        deliveries: Deliveries,
        questions: Questions,
        notices: Notices,
        drift: Drift,
    ) -> None:
        self._world, self._db, self._deliveries = world, db, deliveries
        self._drift = drift
        self._questions, self._notices = questions, notices
        self._told = Health()
        self._silent_since: float | None = None
        self._shown: set[str] = set()  # commands that carry an hourglass
        self._alive = 0.0
        self._away: tuple[float, float] | None = None  # from, to: before this start
        self._gap = 0.0  # when the last part of a timeline ended that was not read
        self._waits = False  # to say hello

    async def _say(self, tx: Tx, key: str, message: Message | None) -> None:
        if message is None:
            return
        for room in self._world.told_rooms:
            if room != self._world.main_room and message.push:
                message = evolve(message, push=self._world.owners_in(room))
            await self._world.outbox.put(tx, room, f"{key}.{self._world.now()}", message)

    # --- the clock

    async def tick(self) -> None:
        """Once a second."""
        if self._world.settings is None or not self._world.rooms:
            return
        self._slept()
        await self.health_changed()
        gone = self._questions.due(self._world.now())
        slow = await self._db.read(self._slow)
        due = await self._db.read(self._due)
        alive = self._world.now() - self._alive >= _ALIVE_EVERY
        if gone or slow or due or alive or self._notices.due:

            async def commit(tx: Tx) -> None:
                for question in gone:
                    where, outbox = question.where, self._world.outbox
                    await outbox.edit(tx, where.room, question.key, question.late)
                    await outbox.buttons(tx, where.room, question.key, ())
                    tx.after(partial(self._questions.close, question.key))
                for room, event_id in slow:
                    await self._world.outbox.buttons(tx, room, event_id, (HOURGLASS,))
                await self._deliveries.tick(tx)
                await self._notices.tick(tx)
                await self._seal(tx)
                await meta.put(tx, _ALIVE, str(self._world.now()))

            await self._db.write(commit)  # apart: no request keeps a password where it is
            await self._db.write(lambda tx: reweigh.tick(self._world.desk(tx)))
            self._alive = self._world.now()
            self._shown |= {event_id for _, event_id in slow}

    async def _due(self, tx: Tx) -> bool:
        now = self._world.now()
        next_due = await reweigh.next_due(self._world.desk(tx))
        return (next_due is not None and next_due <= now) or await self._deliveries.due(tx)

    async def _slow(self, tx: Tx) -> list[tuple[str, str]]:
        """Commands without a card that take longer than two seconds and do not show it yet."""
        before = self._world.now() - _HOURGLASS_AFTER
        working = await store.in_state(tx, *_WORKING)
        self._shown &= {request.command for request in working}
        return [
            (request.room, request.command)
            for request in working
            if not request.slots
            and request.created <= before
            and request.command not in self._shown
        ]

    async def _seal(self, tx: Tx) -> None:
        head = await audit.seal(tx, self._world.now())
        if head is not None:
            await self._say(tx, "seal", alarms.seal(head.seq, head.chain))

    # --- start, health, gaps, errors

    async def returned(self) -> None:
        """Before anything that was missed is read: how long the bot was away, if it was."""

        async def commit(tx: Tx) -> None:
            room, alive = self._world.main_room, await meta.get(tx, _ALIVE)
            if room is None or alive is None or self._world.problems:
                return
            away = (float(alive), self._world.now())
            message = server_news.back(self._world.here(room), *away, 0)
            if message is not None:
                await self._world.outbox.put(tx, room, f"back.{away[1]}", message)
            tx.after(lambda: self._is_back(*away))

        await self._db.write(commit)

    def _is_back(self, since: float, until: float) -> None:
        self._away = self._world.absence = (since, until)

    def _slept(self) -> None:
        """The host slept, or was so busy that this clock stood still: away, in effect."""
        now = self._world.now()
        if self._alive and now - self._alive > _AWAY:
            self._world.absence = (self._alive, now)

    async def _back(self, tx: Tx, room: str) -> None:
        """How many commands were missed."""
        if self._away is None or not self._world.missed:
            return
        key, outbox = f"back.{self._away[1]}", self._world.outbox
        message = server_news.back(self._world.here(room), *self._away, self._world.missed)
        if message is not None:
            await outbox.put(tx, room, key, message)
            await outbox.revise(tx, room, key, message)

    async def stopping(self) -> None:
        """The absence begins now."""
        await self._db.write(lambda tx: meta.put(tx, _ALIVE, str(self._world.now())))

    async def started(self) -> bool:
        """Says hello the first time, and later only what was missed. False: not yet, because the
        bot is not in the admin room; what is missing is said once."""
        now, settings = self._world.now(), self._world.settings
        room = self._world.main_room
        if room is None:
            return False
        here = self._world.here(room)
        first = await self._db.read(lambda tx: meta.get(tx, _STARTED)) is None
        if first and settings is not None and not self._world.problems:
            if self._world.admin is None:
                if not self._waits:
                    await self.welcome(room, "welcome")
                    self._waits = True
                return False
            await self._drift.look(accounts=True)  # later it has time

        async def commit(tx: Tx) -> None:
            if self._world.problems or self._world.deaf(room):
                pass  # that is told elsewhere, and is all there is to tell
            elif first and settings is not None:
                conduit = f"Conduit {self._world.conduit_version}"
                hello = policy_news.ready(
                    here,
                    self._world.version,
                    conduit,
                    read_out(settings.policy),
                    encrypted=self._world.crypto,
                    remove_after=settings.secrets.remove_after,
                    problems=await self._drift.words(tx, room, start=True),
                )
                await self._say(tx, "ready", hello)
                await self._drift.tell(tx, silent=True)
                await meta.put(tx, _STARTED, "1")
            else:
                await self._back(tx, room)
            await audit.append(tx, now, "start", {"version": self._world.version})
            await meta.put(tx, _ALIVE, str(now))
            tx.after(self._told_missed)

        await self._db.write(commit)
        return True

    def _told_missed(self) -> None:
        self._world.missed = 0

    async def health_changed(self) -> None:
        """One message per change, with the remedy. The clock looks too: whoever saw the change
        may have found no storage to say it."""
        admin = self._world.admin
        if admin is None or admin.health == self._told:
            return
        health = evolve(admin.health)
        if health.outside:
            self._drift.wanted()
        await self._db.write(lambda tx: self._tell_health(tx, health))

    async def _tell_health(self, tx: Tx, health: Health) -> None:
        now, told = self._world.now(), self._told
        here = self._world.here(self._world.main_room or "")
        since = self._silent_since
        if health.quiet and not told.quiet:
            since = health.silent_since or now
        if health.alias_lost and not told.alias_lost:
            await self._say(tx, "alias", server_news.address_gone(here))
        elif health.silent_since is not None and not told.quiet:
            await self._say(tx, "silent", await self._silent(tx, here, health.silent_since))
        elif told.quiet and not health.quiet and since is not None:
            waiting = len(await store.places(tx))
            await self._say(tx, "answers", server_news.answers_again(here, since, now, waiting))
        if told.outside and not health.outside:
            await self._say(tx, "inside", server_news.inside())
        if told.emergency and not health.emergency:
            await self._say(tx, "emergency", server_news.emergency_over())
        if health.version != told.version and health.version and health.dialect is None:
            said = server_news.unknown_version(here, f"Conduit {health.version}")
            await self._say(tx, "version", said)

        def is_told() -> None:
            self._told, self._silent_since = health, since

        tx.after(is_told)

    async def _silent(self, tx: Tx, here: Here, since: float) -> Message:
        """With what was running: a list may be what stopped it."""
        running = await store.in_state(tx, State.EXECUTING)
        lists = [r for r in running if COMMANDS[r.invocation.command].can_stop]
        unknown = [r for r in running if r not in lists]
        told = [[(r.id, r.text, r.person) for r in each] for each in (unknown, lists)]
        return server_news.silent(here, since, *told)

    async def homeserver_back(self, since: float) -> None:
        now = self._world.now()
        self._world.absence = (since, now)
        if now - since < _AWAY or self._world.settings is None:
            return
        here = self._world.here(self._world.main_room or "")
        age = float(self._world.settings.command_max_age)
        said = server_news.homeserver_back(here, since, now, age)
        await self._db.write(lambda tx: self._say(tx, "away", said))

    async def checked(self) -> None:
        """Hourly, and after each doubt."""
        self._drift.wanted()

    def history_replaced(self, gap: Gap, inner: Handled | None) -> Handled:
        """A room's history was not read for a while: said once for all rooms, with what is now
        unknown."""
        here = self._world.here(self._world.main_room or "")

        async def commit(tx: Tx) -> None:
            told = gap.since < self._gap + _AWAY
            tx.after(lambda: self._gap_told(gap.until))
            if inner is not None:
                await inner.commit(tx)
            running = [r.id for r in await store.in_state(tx, State.EXECUTING)]
            if inner is None and gap.why != "replaced":
                running = []  # only of an ops room: lines are read as they should
            said = server_news.history_replaced(here, gap.since, gap.until, running)
            await audit.append(tx, self._world.now(), "gap", {"room": gap.room, "why": gap.why})
            if not told:
                await self._say(tx, "gap", said)

        return Handled(commit, inner.after if inner is not None else None)

    def _gap_told(self, until: float) -> None:
        self._gap = until

    # --- errors of ours

    def own_error(self, event_id: str, error: str, room: str = "") -> Handled:
        """An event that could not be handled: recorded, and told once of each kind in a while.

        room: where it stands. Only an event of an ops room is named: of the other rooms nothing
        is, and no id of them leaves the database.
        """
        if room not in self._world.rooms:
            event_id = room = ""
        here = self._world.here(self._world.main_room or "")

        async def commit(tx: Tx) -> None:
            record = {"event": event_id, "error": error, "room": room}
            await audit.append(tx, self._world.now(), "error", record)
            main = self._world.main_room
            if main is not None:
                key = alarms.error_key(error, self._world.now())
                said = alarms.own_error(here, error, event_id)
                await self._world.outbox.put(tx, main, key, said)

        return Handled(commit)

    async def stopped(self, tx: Tx, does: str, error: str) -> None:
        """A loop stopped on a bug and goes on. does: what it is for."""
        now, here = self._world.now(), self._world.here(self._world.main_room or "")
        await audit.append(tx, now, "error", {"event": does, "error": error})
        await self._say(tx, f"stopped.{does}", alarms.stopped(here, does, error))
