"""What a policy is made of, once it is read: people, roles, rules, and what is looked up often.

A `Policy` that exists is valid. It is made by `loader` only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from typing import Union

from attrs import field, frozen

from ..model.command import Command, Invocation, Type
from ..model.decision import Asker, Facts, Matched, Slot
from ..text.message import Text
from .pattern import Pattern

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@frozen
class Role:
    """A named set of persons.

    members: as written: names of `people`, MXIDs, `@*:server`. A name stands for all accounts of
    that person, an MXID for itself only. min_power: what they must have in the room; it does not
    narrow what a role that inherits this one gets.
    """

    name: str
    line: int
    members: tuple[str, ...] = ()
    min_power: int = 0
    inherits: tuple[str, ...] = ()


@frozen
class Window:
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
class Where:
    """What the values of one argument, or of the targets, must be. Every matcher given counts.

    check: the matchers as one function: does this value fit; None is "cannot be known".
    """

    name: str  # an argument of the command, or "target"
    line: int
    type: Type
    regex: Pattern | None = None
    one_of: frozenset[str] | None = None
    server: frozenset[str] | None = None
    in_role: str | None = None
    is_self: bool | None = None
    check: Callable[[str, Case], bool | None] = field(
        default=lambda *_: None, eq=False, repr=False
    )


@frozen
class Rule:
    """One line under a verb. do: command names, groups resolved; written: `do` as it stands."""

    verb: str
    id: str | None
    line: int
    do: frozenset[str]
    written: tuple[str, ...]
    where: tuple[Where, ...] = ()
    during: Window | None = None
    outside: Window | None = None
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


@frozen(eq=False)
class Policy:
    """A valid policy. The lower half is derived from the upper by `people.build`."""

    server: str
    owners: str
    people: Mapping[str, tuple[str, ...]]  # person -> MXIDs, in the order of the text
    roles: Mapping[str, Role]
    rules: tuple[Rule, ...]
    break_glass: Glass | None
    ops_rooms: tuple[str, ...]
    admin_room: str | None  # if the text or the caller says it
    zone: tzinfo

    plans: Mapping[str, Plan] = field(repr=False)
    person: Mapping[str, str] = field(repr=False)  # MXID -> person
    named: frozenset[str] = field(repr=False)  # MXIDs written out anywhere
    closure: Mapping[str, frozenset[str]] = field(repr=False)  # role -> it and all it inherits
    grants: Mapping[str, Grants] = field(repr=False)  # of an MXID
    by_server: Mapping[str, Grants] = field(repr=False)  # of `@*:server`
    known: Mapping[str, frozenset[str]] = field(repr=False)  # MXID -> roles, if no power matters
    most: Mapping[str, frozenset[str]] = field(repr=False)  # person -> roles, given the power
    members: Mapping[str, tuple[str, ...]] = field(repr=False)  # role -> persons, lowest first
    rank: Mapping[str, int] = field(repr=False)  # person -> place in lists of people
    by_glob: frozenset[str] = field(repr=False)  # roles that somebody holds through @*:server
    changing: frozenset[str] = field(repr=False)  # roles that may change something


NO_PLAN = Plan()


@frozen
class Case:
    """One question to the policy, with what every rule needs to know of it."""

    invocation: Invocation
    command: Command
    asker: Asker
    facts: Facts
    now: float
    policy: Policy
    roles: frozenset[str]  # what the asker holds now
    targets: tuple[str, ...]


Failure = Union[str, Where]
"""The first condition of a rule that does not hold: ROLE, DURING, OUTSIDE, or the `where`."""

ROLE, DURING, OUTSIDE = "role", "during", "outside"


def plain(text: Text) -> str:
    """A text without its marks, for places that have none (JSON, a terminal)."""
    return "".join(part if isinstance(part, str) else part.plain for part in text)
