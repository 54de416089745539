"""What is true at this moment: the live settings, the rooms, the state of the other side.

One mutable object, changed in few places (a reload, a room's own timeline, the watch over Conduit)
and read everywhere; what a step works with is a frozen view of it, taken inside the writer lock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from attrs import define, field, frozen

from . import audit
from .catalog.dialects import lines
from .catalog.model import Dialect, Invocation, Line
from .chat.clock import Clock
from .chat.words import Here
from .db.connection import Tx
from .matrix.outbox import Outbox
from .matrix.rooms import RoomView
from .policy.document import Problem
from .policy.model import Facts
from .policy.people import members_of, mxids_of, roles
from .relay.room import AdminRoom
from .requests.desk import Desk, Health, View
from .settings import Settings


@frozen
class Window:
    """Registration that this bot opened. until: epoch seconds, None without an end."""

    request: int
    by: str
    until: float | None


@define
class World:
    """settings: the last valid ones, also in safe mode. problems: why it is safe mode; else ()."""

    me: str
    version: str
    now: Callable[[], float]
    outbox: Outbox
    crypto: bool = False
    file: bool = False  # the policy is a policy_file
    settings: Settings | None = None
    problems: tuple[Problem, ...] = ()
    rooms: dict[str, RoomView] = field(factory=dict)
    admin: AdminRoom | None = None
    admin_view: RoomView | None = None
    opened: asyncio.Event | None = None  # set once it is known whether Conduit answers
    registration: bool | None = None  # as Conduit said last
    registration_at_start: bool | None = None  # what its config file makes of it
    missed: int = 0  # commands that were too old when they were read
    notice_about: dict[str, tuple[str, ...]] = field(factory=dict)  # key of a notice -> account
    reopening: set[str] = field(factory=set)  # commands that open a deactivated account again
    window: Window | None = None  # what `registration on for` opened and nobody closed yet

    @property
    def conduit_version(self) -> str:
        return self.admin.health.version if self.admin else ""

    @property
    def server(self) -> str:
        return self.settings.server if self.settings else self.me.partition(":")[2]

    @property
    def live(self) -> Settings:
        """The settings that decide; only called where there are some."""
        assert self.settings is not None
        return self.settings

    def here(self, room: str) -> Here:
        """What texts for this room need."""
        clock = Clock(self.now(), *([self.settings.timezone] if self.settings else []))
        prefix = self.settings.prefix if self.settings else "!"
        return Here(self.server, clock, prefix, self.me, self.owners_in(room))

    def owners_in(self, room: str) -> tuple[str, ...]:
        """The MXIDs of owners who are in this room: whom an alarm pushes."""
        view = self.rooms.get(room)
        if self.settings is None or view is None:
            return ()
        policy = self.settings.policy
        accounts = (m for p in members_of(policy, policy.owners) for m in mxids_of(policy, p))
        return tuple(mxid for mxid in accounts if mxid in view.joined)

    def deaf(self, room: str) -> bool:
        """An ops room that is encrypted while the bot has no crypto: nothing typed there counts,
        and nothing can be said there but that."""
        view = self.rooms.get(room)
        return view is not None and view.encrypted and not self.crypto

    def has_role(self, mxid: str) -> bool:
        """In any of the ops rooms, as a member of it, with the power they have there."""
        if self.settings is None:
            return False
        inside = [view for view in self.rooms.values() if mxid in view.joined]
        policy = self.settings.policy
        return any(roles(policy, mxid, view.power(mxid)) for view in inside)

    @property
    def main_room(self) -> str | None:
        """Where alarms, reloads, seals and server notices go: the first that is configured."""
        wanted = self.settings.ops_rooms if self.settings else tuple(self.rooms)
        return next((room for room in wanted if room in self.rooms), None)

    def facts(self) -> Facts:
        """What the policy may know, without limits and distrust."""
        view = self.admin_view
        inside = view.joined | view.invited if view else frozenset()
        own = f":{self.server}"
        protected = {*self.rooms, *([self.admin.room] if self.admin else [])}
        return Facts(
            admin_room=frozenset(inside),
            protected_rooms=frozenset(protected),
            # Without the admin room nobody knows, and nothing is sent: see `health`.
            remote_in_admin_room=any(not m.endswith(own) for m in inside),
            bot=self.me,
        )

    def health(self) -> Health:
        """Whether a line may be sent at all."""
        if self.problems or self.admin is None or not self.admin.health.good:
            return Health.BAD
        return Health.DOUBT if self.admin.doubt else Health.GOOD

    def owner_names(self) -> tuple[str, ...]:
        policy = self.live.policy
        return members_of(policy, policy.owners)

    def planned(self, invocation: Invocation) -> tuple[Line, ...]:
        """The lines of an invocation for the Conduit that is there."""
        dialect = self.admin.health.dialect if self.admin else None
        return lines(invocation, dialect or Dialect.V0_10, self.server)

    def desk(self, tx: Tx, room: str = "") -> Desk:
        """What a step of a request works with; made inside the writer lock."""
        settings = self.live
        unread = RoomView("")  # of a room that was not read yet nothing is said
        view = View(
            now=self.now(),
            here=self.here(room or self.main_room or ""),
            policy=settings.policy,
            rooms={room: self.rooms.get(room, unread) for room in settings.ops_rooms},
            facts=self.facts(),
            health=self.health(),
            max_age=settings.command_max_age,
        )
        return Desk(tx, view, audit, self.outbox)
