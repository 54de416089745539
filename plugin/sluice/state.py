"""What is true at this moment: the live settings, the rooms, the state of the other side.

A few mutable objects, each changed in few places (a reload, a room's own timeline, the admin room)
and read by many. What a step works with is a frozen `View` of them (`view.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from attrs import define, field, frozen

from .families import correlator
from .families.fences import Fences
from .matrix.encryption import MEGOLM, MESSAGE
from .matrix.late import ENCRYPTED
from .matrix.outbox import Outbox
from .matrix.rooms import RoomView
from .model.command import Dialect
from .model.ids import PersonName
from .model.request import WhyKind
from .model.server_state import Health
from .policy.document import Problem
from .policy.people import members_of, mxids_of, roles
from .settings import Settings
from .text.phrases import Here
from .text.times import Clock

_KEPT = 300  # commands that are known to open an account again


@frozen
class Aside:
    """Why nothing of an ops room runs now, and since when (epoch seconds)."""

    since: float
    why: WhyKind


@frozen
class Window:
    """Registration that this bot opened. until: epoch seconds, None without an end."""

    request: int
    by: str
    until: float | None


class RegistrationState:
    """Whether anybody can make an account; written by `server.registration` only.

    window: what `registration on` opened and nobody closed yet. at_start: what Conduit's config
    file makes of it.
    """

    def __init__(self) -> None:
        self.window: Window | None = None
        self.at_start: bool | None = None
        self._on: bool | None = None

    @property
    def until(self) -> float | bool | None:
        """Open until then (epoch seconds), True without an end, False closed, None not known."""
        return (self.window.until or True) if self.window is not None else self._on

    @property
    def is_meant(self) -> bool:
        """Where the config file opens it that is the owner's own wish."""
        return self.window is None and bool(self.at_start)

    @property
    def lasts(self) -> bool:
        """It stays as it is when Conduit restarts and goes by its config file."""
        closed = self._on is False and self.at_start is not False
        return self.window is None and not closed

    def is_now(self, window: Window | None, on: bool | None) -> None:
        self.window, self._on = window, on

    def may_be_open(self, window: Window) -> None:
        """Nobody knows whether what this window stands for was done."""
        self.window = window

    def is_told(self, on: bool) -> None:
        """As Conduit says."""
        self._on = on

    def is_configured(self, at_start: bool | None) -> None:
        self.at_start = at_start


class ServerState:
    """What is known of Conduit and of the way to it; written by `admin` only.

    room: the admin room, "" until it is open. view: who is in it. ready: it is known whether
    Conduit answers. away_since: the homeserver does not answer since then; back: from when to when
    it was away last. turn: one line, of a request or of the house, is out at a time.
    """

    def __init__(self, changed: asyncio.Event) -> None:
        """changed: the bell that `health` or `back` is another."""
        self._changed = changed
        self.room, self.server = "", ""
        self.view: RoomView | None = None
        self.ready = False
        self.health, self.fences, self.queue = Health(), Fences(), correlator.Queue()
        self.turn = asyncio.Lock()
        self.away_since: float | None = None
        self.back: tuple[float, float] | None = None

    def open(self, room: str, server: str, view: RoomView) -> None:
        """The admin room of this server is read."""
        self.room, self.server, self.view = room, server, view

    def is_ready(self) -> None:
        self.ready = True

    def learn(self, health: Health) -> None:
        """Something else is true of Conduit now."""
        self.health = health
        self._changed.set()

    def queued(self, queue: correlator.Queue) -> None:
        self.queue = queue

    def is_away(self, now: float) -> bool:
        """The homeserver does not answer; False if that was known."""
        was_there = self.away_since is None
        self.away_since = now if was_there else self.away_since
        return was_there

    def is_back(self, now: float) -> None:
        """It answers."""
        if self.away_since is not None:
            self.back, self.away_since = (self.away_since, now), None
            self._changed.set()

    def absences(self, now: float) -> tuple[tuple[float, float], ...]:
        """From, to: when it did not answer last."""
        if self.away_since is not None:
            return ((self.away_since, now),)
        return () if self.back is None else (self.back,)

    @property
    def dialect(self) -> Dialect:
        """What is spoken with the Conduit that is there."""
        return self.health.dialect or Dialect.V0_10

    @property
    def doubt(self) -> bool:
        """A fence must echo before the next line."""
        return self.fences.wanted or self.fences.out or correlator.must_fence(self.queue)

    def busy_since(self, now: float) -> float:
        """Since when the oldest command, or fence, waits for its answer; now without one."""
        head = correlator.head(self.queue)
        return min(head[1] if head else now, now - self.fences.age(now))


class Reopenings:
    """The last commands that make a deactivated account usable again: their events."""

    def __init__(self) -> None:
        self._events: dict[str, None] = {}

    def add(self, event: str) -> None:
        self._events[event] = None
        while len(self._events) > _KEPT:
            del self._events[next(iter(self._events))]

    def __contains__(self, event: str) -> bool:
        return event in self._events

    def discard(self, event: str) -> None:
        self._events.pop(event, None)


class ToRead:
    """Private rooms that must be read from now on; whoever reads rooms is rung for."""

    def __init__(self, bell: asyncio.Event) -> None:
        self._bell, self._rooms = bell, list[str]()

    def add(self, room: str) -> None:
        self._rooms.append(room)
        self._bell.set()

    def take(self) -> list[str]:
        rooms, self._rooms = self._rooms, []
        return rooms


class Absences:
    """When commands were not read, because the bot, the homeserver or the host was away, or the
    bot was not in their room; and how many of them were too old when they were read at last.

    Written by `announcements` and, of one room, by `rooms`; `ops.arrival` counts the commands.
    """

    def __init__(self) -> None:
        self._last: dict[str, tuple[float, float]] = {}  # room, "" for all -> the last, from, to
        self.missed = 0

    def was_away(self, since: float, until: float, room: str = "") -> None:
        """room: the one that was not read; "": all of them."""
        self._last[room] = since, until

    def of(self, room: str) -> tuple[tuple[float, float], ...]:
        """The last ones of a room and of all."""
        return tuple(self._last[each] for each in ("", room) if each in self._last)

    def is_missed(self) -> None:
        self.missed += 1

    def are_told(self) -> None:
        self.missed = 0


@frozen
class Bells:
    """What loops wait for, made before all parts. A bell carries nothing: whoever hears it looks
    at what is stored, or true, now. `opened` is no bell but a gate.

    rooms: rooms may have to be joined, or read. line: something may stand in line, or go on.
    problems: what is around Sluice may have changed. health: what is known of Conduit has changed.
    opened: open while it is known whether Conduit answers, or that there is no admin room.
    """

    rooms: asyncio.Event = field(factory=asyncio.Event)
    line: asyncio.Event = field(factory=asyncio.Event)
    problems: asyncio.Event = field(factory=asyncio.Event)
    health: asyncio.Event = field(factory=asyncio.Event)
    opened: asyncio.Event = field(factory=asyncio.Event)


@define
class Live:
    """Who the bot is, what time it has, and the settings in force; those are written by `reload`.

    version: of Sluice. settings: the last valid ones, also in safe mode. problems: why it is safe
    mode; else (). file: the policy is a policy_file. named: ops rooms of a text that is not valid,
    for safe mode.
    """

    me: str
    version: str
    now: Callable[[], float]
    settings: Settings | None = None
    problems: tuple[Problem, ...] = ()
    file: bool = False
    named: tuple[str, ...] = ()

    def goes_live(self, settings: Settings) -> None:
        """These settings are in force from now on."""
        self.settings, self.problems = settings, ()

    def is_refused(self, problems: tuple[Problem, ...]) -> None:
        """Safe mode, until a text without these problems comes."""
        self.problems = problems

    def starts_with(self, last: Settings | None, problems: tuple[Problem, ...]) -> None:
        """The text of now is not valid; last: what was live before this start."""
        self.settings, self.problems = last, problems

    def reads(self, *, file: bool, ops_rooms: tuple[str, ...] | None = None) -> None:
        """A policy text was read. ops_rooms: those that it names, None if it could not be read."""
        self.file = file
        self.named = self.named if ops_rooms is None else ops_rooms

    @property
    def server(self) -> str:
        return self.settings.server if self.settings else self.me.partition(":")[2]

    @property
    def in_force(self) -> Settings:
        """The settings that decide; only called where there are some."""
        assert self.settings is not None
        return self.settings

    def owner_names(self) -> tuple[PersonName, ...]:
        policy = self.in_force.policy
        return members_of(policy, policy.owners)


@define
class Rooms:
    """The ops rooms: who is in them, and what can be heard and said there; written by `rooms`.

    crypto: the bot can read and write encrypted messages. away: ops rooms that cannot be heard.
    """

    _live: Live
    _outbox: Outbox
    crypto: bool = False
    away: dict[str, Aside] = field(factory=dict)
    _opened: dict[str, RoomView] = field(factory=dict)

    def open(self, view: RoomView) -> None:
        """This room is read from now on."""
        self._opened[view.room] = view

    def close(self, room: str) -> None:
        self._opened.pop(room, None)

    @property
    def views(self) -> Mapping[str, RoomView]:
        """The rooms that are read, without those that a policy of just now knows no more."""
        settings = self._live.settings
        if settings is None:
            return dict(self._opened)
        return {room: v for room, v in self._opened.items() if room in settings.ops_rooms}

    @property
    def _in_order(self) -> tuple[str, ...]:
        """The rooms that are read, in the order of the policy."""
        wanted = self._live.settings.ops_rooms if self._live.settings else tuple(self._opened)
        return tuple(room for room in wanted if room in self._opened)

    def here(self, room: str) -> Here:
        """What texts for this room need."""
        settings = self._live.settings
        clock = Clock(self._live.now(), *([settings.timezone] if settings else []))
        prefix = settings.prefix if settings else "!"
        return Here(self._live.server, clock, prefix, self._live.me, self.owners_in(room))

    def owners_in(self, room: str, settings: Settings | None = None) -> tuple[str, ...]:
        """The MXIDs of owners who are in this room: whom an alarm pushes. settings: not of now."""
        view, settings = self.views.get(room), settings or self._live.settings
        if settings is None or view is None:
            return ()
        policy = settings.policy
        accounts = (m for p in members_of(policy, policy.owners) for m in mxids_of(policy, p))
        return tuple(mxid for mxid in accounts if mxid in view.joined)

    def deaf(self, room: str) -> bool:
        """An ops room that is encrypted while the bot has no crypto: nothing typed there counts,
        and nothing can be said there but that."""
        view = self.views.get(room)
        return view is not None and view.encrypted and not self.crypto

    @property
    def aside(self) -> dict[str, Aside]:
        """The ops rooms of which nothing runs now, and why: nothing is heard of them (Doors).

        What stands in line there steps aside for the other rooms, and is given up when that lasts.
        """
        wanted = self._live.settings.ops_rooms if self._live.settings else ()
        return {room: why for room, why in self.away.items() if room in wanted}

    def mute(self, room: str) -> str:
        """Why nothing can be said in an ops room, as the kind of the problem; "" if it can. What
        is typed there is not run, and what is open waits: nobody would be told of it."""
        if found := self.silenced(room):
            return found
        return "refused" if room in self._outbox.refused else ""

    def silenced(self, room: str) -> str:
        """As `mute`, by the room's own state."""
        view = self.views.get(room)
        if view is None or not view.known:
            return ""
        if self.deaf(room):
            return "no_crypto"
        if view.encrypted and view.algorithm not in ("", MEGOLM):
            return "odd_crypto"
        kind = ENCRYPTED if view.encrypted else MESSAGE
        return "" if view.can_send(kind, self._live.me) else "mute"

    def may_speak(self, room: str) -> bool:
        """Whether a message of ours can stand in a room, as far as is known."""
        view = self.views.get(room)
        inside = view is None or not view.known or self._live.me in view.joined
        return inside and not self.silenced(room)

    def able(self, room: str, kind: str) -> bool:
        """Whether the bot has the power for events of this type, as far as is known."""
        view = self.views.get(room)
        return view is None or not view.known or view.can_send(kind, self._live.me)

    def has_role(self, mxid: str) -> bool:
        """In any of the ops rooms, as a member of it, with the power they have there."""
        if self._live.settings is None:
            return False
        inside = [view for view in self.views.values() if mxid in view.joined]
        policy = self._live.settings.policy
        return any(roles(policy, mxid, view.power(mxid)) for view in inside)

    @property
    def main_room(self) -> str | None:
        """Where alarms, reloads, seals and server notices go: the first that is configured and
        not aside, else the first."""
        opened, aside = self._in_order, self.aside
        return next((room for room in opened if room not in aside), next(iter(opened), None))

    @property
    def told_rooms(self) -> tuple[str, ...]:
        """Where everybody's alarms go: the main room, and as long as nothing can be said there
        also the first other one where it can."""
        main = self.main_room
        if main is None or not self.mute(main):
            return () if main is None else (main,)
        return main, *self.speaking(besides=main)[:1]

    def speaking(self, besides: str = "") -> tuple[str, ...]:
        """The ops rooms where something can be said, in their order."""
        there = (room for room in self._in_order if room != besides)
        return tuple(room for room in there if not self.mute(room))
