"""What a policy is made of, once it is read: people, roles, rules, and what is looked up often.

A `Policy` that exists is valid. It is made by `loader` only.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo
from functools import cached_property
from typing import Union

from attrs import field, frozen

from ..catalog.record import Command
from ..catalog.table import COMMANDS
from ..model.command import Invocation, Tag, Type
from ..model.decision import Asker, Facts, Matched, Slot
from ..model.ids import PersonName
from .pattern import Pattern
from .roles import NOBODY, Role, closures, glob_held, is_glob

_LOOKS = frozenset({Tag.READ, Tag.INSPECT})
EXPIRES = 3600  # seconds that votes are waited for, where no line says
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@frozen
class WeeklyWindow:
    """A weekly span of local time. Minutes from midnight; `end` before `start` crosses midnight.

    Hours that cross midnight belong to the day on which they began.
    """

    days: frozenset[int]  # 0 is Monday
    start: int
    end: int
    zone: tzinfo
    said: str  # "mon-fri 08:00-20:00 Berlin"

    def holds(self, now: float) -> bool:
        local = datetime.fromtimestamp(now, self.zone)
        minute, today = local.hour * 60 + local.minute, local.weekday()
        if self.start < self.end:
            return today in self.days and self.start <= minute < self.end
        yesterday = (today - 1) % 7
        return (today in self.days and minute >= self.start) or (
            yesterday in self.days and minute < self.end
        )


@frozen
class Condition:
    """What the values of one argument, or of the targets, must be. Every matcher given counts."""

    name: str  # an argument of the command, or "target"
    line: int
    type: Type
    regex: Pattern | None = None
    one_of: frozenset[str] | None = None
    server: frozenset[str] | None = None
    in_role: str | None = None
    is_self: bool | None = None

    def fits(self, value: str, query: Query) -> bool | None:
        """Whether this value does; None is "cannot be known"."""
        if self.regex is not None and not self.regex.fits(self.seen(value)):
            return False
        if self.one_of is not None and value not in self.one_of:
            return False
        policy, certain = query.policy, True
        if self.is_self is not None:
            person, asker = policy.person, query.asker.mxid
            if self.is_self != (person.get(value, value) == person.get(asker, asker)):
                return False
        if self.server is not None:
            server = server_of(value, self.type)
            if server is None:
                certain = False
            elif server.lower() not in self.server:
                return False
        if self.in_role is not None:
            if self.in_role not in policy.held(value, math.inf):
                return False
            # What depends on power in the room is not known of a target.
            certain = certain and self.in_role in policy.held(value, -math.inf)
        return True if certain else None

    def seen(self, value: str) -> str:
        """What an expression looks at: of an account its name without the server."""
        return value[1:].partition(":")[0] if self.type is Type.USER else value


def server_of(value: str, type_: Type) -> str | None:
    """The server part; None when it has none (rooms of version 12)."""
    if type_ is Type.SERVER:
        return value
    if type_ is Type.MXC:
        return value.removeprefix("mxc://").partition("/")[0]
    return value.partition(":")[2] or None


@frozen
class Rule:
    """One line under a verb. do: command names, groups resolved; written: `do` as it stands."""

    verb: str
    id: str | None
    line: int
    do: frozenset[str]
    written: tuple[str, ...]
    where: tuple[Condition, ...] = ()
    during: WeeklyWindow | None = None
    outside: WeeklyWindow | None = None
    role: str = ""  # allow
    reason: bool = False  # require
    expires: int | None = None
    slots: tuple[Slot, ...] = ()
    per: str = ""  # limit
    max: int = 0
    every: int = 0
    count: str = ""
    key: str = ""  # what uses are counted under; stays the same when lines move
    former: str = field(default="", eq=False, repr=False)  # the key that Sluice 1.0 gave it
    label: str = field(init=False, eq=False)
    matched: Matched = field(init=False, eq=False, repr=False)

    @label.default
    def _label(self) -> str:
        return self.id or f"line {self.line}"

    @matched.default
    def _matched(self) -> Matched:
        return Matched(self.verb, self.label, self.line)

    @property
    def said(self) -> str:
        """In a sentence."""
        return f"rule {self.id}" if self.id else f"line {self.line}"

    @property
    def always(self) -> bool:
        """It applies to every invocation of its commands."""
        return not (self.where or self.during or self.outside)


@frozen
class Glass:
    """Break-glass: who may do without votes, how often (all persons together; seconds)."""

    role: str
    max: int
    every: int
    line: int


@frozen
class Plan:
    """The rules of one command, by verb."""

    allow: tuple[Rule, ...] = ()
    require: tuple[Rule, ...] = ()
    limit: tuple[Rule, ...] = ()
    deny: tuple[Rule, ...] = ()


Grants = tuple[tuple[str, float], ...]
"""(role, least power in the room) pairs; -inf where power does not matter."""


@frozen(eq=False, slots=False)
class Policy:
    """A valid policy: what its text says, and below it what follows, kept once it was looked up.

    admin_room: if the text or the caller says it. meant: accounts that are named without rights.
    """

    server: str
    owners: str
    people: Mapping[PersonName, tuple[str, ...]]  # person -> MXIDs, in the order of the text
    roles: Mapping[str, Role]
    rules: tuple[Rule, ...]
    break_glass: Glass | None
    ops_rooms: tuple[str, ...]
    admin_room: str | None
    zone: tzinfo
    meant: frozenset[str] = field(repr=False)

    @cached_property
    def plans(self) -> Mapping[str, Plan]:
        """Of each command that a rule is about."""
        found: dict[str, dict[str, tuple[Rule, ...]]] = {}
        for rule in self.rules:
            for name in rule.do:
                verbs = found.setdefault(name, {})
                verbs[rule.verb] = (*verbs.get(rule.verb, ()), rule)
        return {name: Plan(**verbs) for name, verbs in found.items()}

    @cached_property
    def person(self) -> Mapping[str, PersonName]:
        """MXID -> person."""
        return {mxid: name for name, mxids in self.people.items() for mxid in mxids}

    @cached_property
    def persons(self) -> tuple[PersonName, ...]:
        """Everybody whom the policy names: of `people`, then MXIDs that stand in a role only."""
        alone = (PersonName(mxid) for mxid in self.grants if mxid not in self.person)
        return (*self.people, *alone)

    @cached_property
    def named(self) -> frozenset[str]:
        """The MXIDs that are written out anywhere."""
        return frozenset((*self.person, *self.grants, *self.meant))

    @cached_property
    def closure(self) -> Mapping[str, frozenset[str]]:
        """Role -> it and all that it inherits."""
        return closures(self.roles)

    @cached_property
    def grants(self) -> Mapping[str, Grants]:
        """MXID -> roles that list it or its person."""
        return self._granted(
            (mxid, role)
            for role in self.roles.values()
            for member in role.members
            if not is_glob(member)
            for mxid in self.people.get(PersonName(member), (member,))
        )

    @cached_property
    def by_server(self) -> Mapping[str, Grants]:
        """Server -> roles that list `@*:server`."""
        return self._granted(
            (member[3:], role)
            for role in self.roles.values()
            for member in role.members
            if is_glob(member)
        )

    @staticmethod
    def _granted(pairs: Iterable[tuple[str, Role]]) -> Mapping[str, Grants]:
        found: dict[str, list[tuple[str, float]]] = {}
        for holder, role in pairs:
            found.setdefault(holder, []).append((role.name, role.min_power or -math.inf))
        return {holder: tuple(held) for holder, held in found.items()}

    @cached_property
    def by_glob(self) -> frozenset[str]:
        """Roles that somebody holds through `@*:server`."""
        return glob_held(self.roles, self.closure)

    @cached_property
    def most(self) -> Mapping[PersonName, frozenset[str]]:
        """Person -> every role that any of their accounts can hold, given the power."""
        return {
            person: NOBODY.union(
                *(self.held(mxid, math.inf) for mxid in self.people.get(person, (person,)))
            )
            for person in self.persons
        }

    @cached_property
    def known(self) -> Mapping[str, frozenset[str]]:
        """MXID -> roles, of accounts whose roles do not depend on power."""
        sure = {mxid: self._given(mxid, -math.inf) for mxid in self.named}
        return {mxid: held for mxid, held in sure.items() if held == self._given(mxid, math.inf)}

    @cached_property
    def rank(self) -> Mapping[PersonName, int]:
        """Person -> place in lists of people: those with the fewest roles first."""
        ranked = sorted(self.most, key=lambda person: len(self.most[person]))
        return {person: at for at, person in enumerate(ranked)}

    @cached_property
    def members(self) -> Mapping[str, tuple[PersonName, ...]]:
        """Role -> persons who can hold it, by rank."""
        return {role: tuple(p for p in self.rank if role in self.most[p]) for role in self.roles}

    @cached_property
    def changing(self) -> frozenset[str]:
        """Roles that may change something."""
        return frozenset(
            rule.role
            for name, plan in self.plans.items()
            if not COMMANDS[name].tags <= _LOOKS and not any(deny.always for deny in plan.deny)
            for rule in plan.allow
        )

    def held(self, mxid: str, power: float) -> frozenset[str]:
        """Every role of an account with this power, inherited ones included."""
        known = self.known.get(mxid)
        return self._given(mxid, power) if known is None else known

    def _given(self, mxid: str, power: float) -> frozenset[str]:
        granted = self.grants.get(mxid, ())
        if self.by_server and not mxid.startswith("@_"):  # ghosts of a bridge are of no server
            granted += self.by_server.get(mxid.partition(":")[2], ())
        held = NOBODY
        for role, least in granted:
            if power >= least:
                held = held | self.closure[role] if held else self.closure[role]
        return held


NO_PLAN = Plan()


@frozen
class Query:
    """One question to the policy, with what every rule needs to know of it."""

    invocation: Invocation
    command: Command
    asker: Asker
    facts: Facts
    now: float
    policy: Policy
    roles: frozenset[str]  # what the asker holds now
    targets: tuple[str, ...]

    def given(self, where: Condition) -> tuple[str, ...]:
        """What stands where the condition looks."""
        return self.targets if where.name == "target" else self.invocation.values(where.name)


Failure = Union[str, Condition]
"""The first condition of a rule that does not hold: ROLE, DURING, OUTSIDE, or the `where`."""

ROLE, DURING, OUTSIDE = "role", "during", "outside"
