"""The moment: what is true while one step is taken, frozen inside the writer lock."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from attrs import field, frozen

from .matrix.rooms import RoomView
from .model.command import Dialect
from .model.decision import Facts
from .policy.rules import Policy
from .state import Aside, Live, Rooms, ServerState
from .text.phrases import Here


class Readiness(str, Enum):
    """Whether a line may be sent."""

    GOOD = "good"
    DOUBT = "doubt"  # a fence is out
    BAD = "bad"  # no answer, or safe mode


@frozen
class View:
    """What is true at one moment. facts: without limits and distrust, which the database knows.

    silent_since: Conduit does not answer since then. max_age: seconds after which a command is too
    old to run. aside: the ops rooms that cannot be heard; what is queued there lets that of the
    other rooms pass, and is given up when that lasts. mute: those in which nothing can be said;
    what is open there waits, and lets the others pass. told: the rooms of everybody's alarms.
    """

    now: float
    here: Here
    policy: Policy
    rooms: Mapping[str, RoomView]
    facts: Facts
    health: Readiness = Readiness.GOOD
    silent_since: float | None = None
    dialect: Dialect = Dialect.V0_10
    max_age: float = 300
    aside: Mapping[str, Aside] = field(factory=dict)
    mute: frozenset[str] = frozenset()
    told: tuple[str, ...] = ()


def view(live: Live, rooms: Rooms, conduit: ServerState, room: str = "") -> View:
    """All of it at this moment, for what is said in this room, or in the main one."""
    settings, views = live.in_force, rooms.views
    unread = RoomView("")  # of a room that was not read yet nothing is said
    return View(
        now=live.now(),
        here=rooms.here(room or rooms.main_room or ""),
        policy=settings.policy,
        rooms={each: views.get(each, unread) for each in settings.ops_rooms},
        facts=_facts(live, rooms, conduit),
        health=_health(live, conduit),
        silent_since=conduit.health.silent_since,
        dialect=conduit.dialect,
        max_age=settings.command_max_age,
        aside=rooms.aside,
        mute=frozenset(room for room in settings.ops_rooms if rooms.mute(room)),
        told=rooms.told_rooms,
    )


def _facts(live: Live, rooms: Rooms, conduit: ServerState) -> Facts:
    """What the policy may know, without limits and distrust."""
    inside = conduit.view.joined | conduit.view.invited if conduit.view else frozenset()
    own = f":{live.server}"
    protected = {*rooms.views, *([conduit.room] if conduit.room else [])}
    return Facts(
        admin_room=frozenset(inside),
        protected_rooms=frozenset(protected),
        # Not known until the admin room is open; `health` is BAD until then.
        remote_in_admin_room=any(not m.endswith(own) for m in inside),
        bot=live.me,
    )


def _health(live: Live, conduit: ServerState) -> Readiness:
    """Whether a line may be sent at all."""
    if live.problems or not conduit.room or not conduit.health.good:
        return Readiness.BAD
    return Readiness.DOUBT if conduit.doubt else Readiness.GOOD
