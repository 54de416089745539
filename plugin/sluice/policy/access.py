"""Who can do what under a policy, taking every condition as fulfilled.

A row is a person, or everybody of a server with some power in the room (`@*:example.org >= 25`).
Somebody can use a command if an allow line covers it for a role they hold and no deny without
condition does.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from attrs import frozen

from ..catalog.record import Command, OwnCommand, never
from ..catalog.table import COMMANDS
from ..model.command import Right
from ..model.decision import Slot
from ..model.ids import PersonName
from .decide import largest
from .people import roles_of_person
from .reasons import demand
from .roles import NOBODY, Role
from .rules import NO_PLAN, Plan, Policy, Rule


@frozen
class Demand:
    """What a command needs besides an allow line, if every require line applies."""

    slots: tuple[Slot, ...] = ()
    reason: bool = False
    expires: int | None = None

    @property
    def said(self) -> str:
        return demand(self.slots, self.reason, self.expires)


@frozen
class Cell:
    """What somebody may do with a command. rules: the allow and limit lines that are about it."""

    command: str
    demand: Demand
    rules: tuple[Rule, ...]


def cells(policy: Policy, held: frozenset[str]) -> Mapping[str, Cell]:
    """What somebody with these roles may do, by command, in the order of the catalog."""
    found = {}
    for name in COMMANDS:
        plan = policy.plans.get(name)
        if plan is not None and not _forbidden(plan):
            allows = tuple(rule for rule in plan.allow if rule.role in held)
            if allows:
                found[name] = Cell(name, demand_of(policy, name), allows + plan.limit)
    return found


def demand_of(policy: Policy, command: str) -> Demand:
    plan = policy.plans.get(command, NO_PLAN)
    spans = [rule.expires for rule in plan.require if rule.expires is not None]
    return Demand(
        largest((slot for rule in plan.require for slot in rule.slots), policy),
        any(rule.reason for rule in plan.require),
        min(spans) if spans else None,
    )


def by_tap(policy: Policy, command: Command, *, glass: bool = False) -> bool:
    """Whether a tap may run it: it only looks, can be undone, or leads to a card; never, of what
    runs without votes. glass: as break-glass."""
    if isinstance(command, OwnCommand):
        return command.at_once or command.right in (Right.ROLE, Right.CHANGE)
    votes = demand_of(policy, command.name).slots
    return command.looks or command.undo is not never or bool(votes and not glass)


def can_be_tapped(policy: Policy, command: Command) -> bool:
    """The same of what was typed, and is asked anew by a tap; a vote is given on its card."""
    return command.right is not Right.REQUEST and by_tap(policy, command)


def _forbidden(plan: Plan) -> bool:
    return any(rule.always for rule in plan.deny)


@frozen
class Subject:
    """A row: a person (policy name, else MXID), or everybody of a server with this power."""

    name: str
    roles: frozenset[str]


def subjects(policy: Policy) -> tuple[Subject, ...]:
    found = [Subject(person, roles_of_person(policy, person)) for person in policy.persons]
    for server, granted in policy.by_server.items():
        for power in sorted({least for _, least in granted}):
            held = NOBODY.union(
                *(policy.closure[role] for role, least in granted if least <= power)
            )
            found.append(Subject(glob_label(server, power), held))
    return tuple(found)


def glob_label(server: str, power: float) -> str:
    return f"@*:{server} >= {power:.0f}" if power > 0 else f"@*:{server}"


def who_can(policy: Policy) -> Mapping[str, tuple[str, ...]]:
    """Command -> who can, for every command of the server. Of a server only the least power."""
    allowed = lru_cache(maxsize=None)(lambda held: frozenset(cells(policy, held)))
    found: dict[str, list[str]] = {name: [] for name, c in COMMANDS.items() if not c.own}
    seen: set[tuple[str, str]] = set()  # command, person or whole server
    for subject in subjects(policy):
        row = subject.name.partition(" ")[0]
        for name in allowed(subject.roles):
            if (name, row) not in seen:
                seen.add((name, row))
                found[name].append(subject.name)
    return {name: tuple(some) for name, some in found.items()}


def lost_by(policy: Policy, group: str, command: str) -> tuple[tuple[str, str], ...]:
    """(who, role) of those who had a command by this group alone, which holds it no longer."""
    lines = [r for r in policy.rules if r.verb == "allow" and group in r.written]
    found: dict[str, str] = {}
    for subject in subjects(policy):
        role = next((rule.role for rule in lines if rule.role in subject.roles), None)
        if role is not None and command not in cells(policy, subject.roles):
            found[subject.name] = role
    return tuple(found.items())


Member = tuple[str, tuple[str, ...]]
"""As written, and the accounts that this does not say."""


def read_out(policy: Policy) -> tuple[tuple[str, tuple[Member, ...], float], ...]:
    """The roles as they are read out: name, members, power; the highest first."""
    ranked = sorted(policy.roles.values(), key=lambda role: -len(policy.closure[role.name]))
    ranked.sort(key=lambda role: role.name != policy.owners)
    return tuple((role.name, _members(policy, role), float(role.min_power)) for role in ranked)


def _members(policy: Policy, role: Role) -> tuple[Member, ...]:
    return tuple((each, unsaid(policy, each)) for each in role.members)


def unsaid(policy: Policy, name: str) -> tuple[str, ...]:
    """All accounts of a person, unless there is none but the one that the name makes think of."""
    accounts = policy.people.get(PersonName(name), ())
    return () if set(accounts) <= {f"@{name}:{policy.server}"} else accounts
