"""Who somebody is, which roles they hold, who could vote."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from datetime import tzinfo

from attrs import evolve

from ..catalog.table import COMMANDS
from ..model.command import Tag
from ..model.decision import Slot
from .rules import Glass, Plan, Policy, Role, Rule

NOBODY: frozenset[str] = frozenset()
_LOOKS = frozenset({Tag.READ, Tag.INSPECT})


def roles(
    policy: Policy, mxid: str, power: float, distrusted: Collection[str] = ()
) -> frozenset[str]:
    """Every role that this account holds now, inherited ones included.

    distrusted: MXIDs without role for now. Ghosts of a bridge (`@_…`) match no `@*:server`.
    """
    if mxid in distrusted:
        return NOBODY
    known = policy.known.get(mxid)
    if known is not None:
        return known
    held = NOBODY
    for role, least in policy.grants.get(mxid, ()):
        if power >= least:
            held = held | policy.closure[role] if held else policy.closure[role]
    if policy.by_server and not mxid.startswith("@_"):
        for role, least in policy.by_server.get(mxid.partition(":")[2], ()):
            if power >= least:
                held = held | policy.closure[role] if held else policy.closure[role]
    return held


def holds(
    policy: Policy, mxid: str, role: str, power: float, distrusted: Collection[str] = ()
) -> bool:
    return role in roles(policy, mxid, power, distrusted)


def person_of(policy: Policy, mxid: str) -> str:
    """The policy's name of whoever has this account, else the MXID itself."""
    return policy.person.get(mxid, mxid)


def mxids_of(policy: Policy, person: str) -> tuple[str, ...]:
    """All accounts of a person; of an MXID, all accounts of its person."""
    name = policy.person.get(person, person)
    return policy.people.get(name, (name,))


def is_named(policy: Policy, mxid: str) -> bool:
    """The MXID is written out in `people` or `members`; a glob names nobody."""
    return mxid in policy.named


def members_of(policy: Policy, role: str) -> tuple[str, ...]:
    """Named persons who hold the role, given the power, those with the fewest roles first."""
    return policy.members.get(role, ())


def owners(policy: Policy) -> tuple[str, ...]:
    return members_of(policy, policy.owners)


def highest(policy: Policy, held: Collection[str]) -> str:
    """The role that says most of what somebody may; "" without any."""
    return max(
        held, key=lambda role: (role == policy.owners, len(policy.closure[role]), role), default=""
    )


def roles_of_person(policy: Policy, person: str) -> frozenset[str]:
    """What any of a person's accounts could hold, given the power."""
    name = policy.person.get(person, person)
    most = policy.most.get(name)
    if most is None:
        held = (roles(policy, mxid, math.inf) for mxid in policy.people.get(name, (name,)))
        most = NOBODY.union(*held)
    return most


def may_change(policy: Policy, held: frozenset[str]) -> bool:
    """These roles have a right to change something (`pause`, `log`, `can` of others)."""
    return not held.isdisjoint(policy.changing)


def eligible(
    policy: Policy,
    slots: Iterable[Slot],
    requester: str,
    targets: Iterable[str] = (),
    distrusted: Collection[str] = (),
) -> tuple[str, ...]:
    """Persons who could fill a slot: hold its role, did not ask, are no target.

    requester, targets: MXIDs. Whether they are in the room is for the caller to know.
    """
    out = {person_of(policy, mxid) for mxid in (requester, *targets)}
    found: dict[str, None] = {}
    for slot in slots:
        for person in members_of(policy, slot.role):
            if person not in out and (
                not distrusted
                or any(
                    holds(policy, mxid, slot.role, math.inf, distrusted)
                    for mxid in mxids_of(policy, person)
                )
            ):
                found[person] = None
    return in_order(policy, found)


def in_order(policy: Policy, persons: Iterable[str]) -> tuple[str, ...]:
    """The lowest role first, then as the policy names them: `cy, ana, dan`."""
    last = len(policy.rank)
    return tuple(sorted(persons, key=lambda person: (policy.rank.get(person, last), person)))


def persons_of(policy: Policy) -> tuple[str, ...]:
    """Everybody whom the policy names: of `people`, then MXIDs that stand in a role only."""
    written = (m for role in policy.roles.values() for m in role.members)
    alone = (m for m in written if m.startswith("@") and not is_glob(m) and m not in policy.person)
    return tuple(dict.fromkeys((*policy.people, *alone)))


def is_glob(member: str) -> bool:
    return member.startswith("@*:")


def glob_held(roles: Mapping[str, Role], closure: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Roles held through a `@*:server`: those that list one, and what they inherit."""
    listing = (role.name for role in roles.values() if any(map(is_glob, role.members)))
    return NOBODY.union(*(closure[name] for name in listing))


def closures(roles: Mapping[str, Role]) -> Mapping[str, frozenset[str]]:
    """Each role with all that it inherits. Ends also where roles inherit each other."""
    result: dict[str, frozenset[str]] = {}
    for name in roles:
        seen, todo = {name}, [name]
        while todo:
            for parent in roles[todo.pop()].inherits:
                if parent in roles and parent not in seen:
                    seen.add(parent)
                    todo.append(parent)
        result[name] = frozenset(seen)
    return result


def build(
    *,
    server: str,
    owners: str,
    people: Mapping[str, tuple[str, ...]],
    roles_: Mapping[str, Role],
    rules: tuple[Rule, ...],
    break_glass: Glass | None,
    ops_rooms: tuple[str, ...],
    admin_room: str | None,
    zone: tzinfo,
    meant: Collection[str] = (),
) -> Policy:
    """A policy with what is looked up often. meant: accounts that are named and get no rights."""
    person = {mxid: name for name, mxids in people.items() for mxid in mxids}
    grants: dict[str, list[tuple[str, float]]] = {}
    by_server: dict[str, list[tuple[str, float]]] = {}
    for role in roles_.values():
        grant = (role.name, role.min_power or -math.inf)
        for member in role.members:
            if is_glob(member):
                by_server.setdefault(member[3:], []).append(grant)
            else:
                for mxid in people.get(member, (member,)):
                    grants.setdefault(mxid, []).append(grant)
    plans, closure = _plans(rules), closures(roles_)
    changing = {
        rule.role
        for name, plan in plans.items()
        if not COMMANDS[name].tags <= _LOOKS and not any(deny.always for deny in plan.deny)
        for rule in plan.allow
    }
    bare = Policy(
        server=server,
        owners=owners,
        people=people,
        roles=roles_,
        rules=rules,
        break_glass=break_glass,
        ops_rooms=ops_rooms,
        admin_room=admin_room,
        zone=zone,
        plans=plans,
        person=person,
        named=frozenset((*person, *grants, *meant)),
        closure=closure,
        by_glob=glob_held(roles_, closure),
        grants={mxid: tuple(held) for mxid, held in grants.items()},
        by_server={name: tuple(held) for name, held in by_server.items()},
        known={},
        most={},
        members={},
        rank={},
        changing=frozenset(changing),
    )
    held = {person: roles_of_person(bare, person) for person in persons_of(bare)}
    ranked = sorted(held, key=lambda person: len(held[person]))
    sure = {mxid: roles(bare, mxid, -math.inf) for mxid in bare.named}
    return evolve(
        bare,
        known={mxid: held for mxid, held in sure.items() if held == roles(bare, mxid, math.inf)},
        most=held,
        members={role: tuple(p for p in ranked if role in held[p]) for role in roles_},
        rank={person: at for at, person in enumerate(ranked)},
    )


def _plans(rules: Iterable[Rule]) -> dict[str, Plan]:
    found: dict[str, dict[str, list[Rule]]] = {}
    for rule in rules:
        for name in rule.do:
            found.setdefault(name, {}).setdefault(rule.verb, []).append(rule)
    return {
        name: Plan(**{verb: tuple(of_verb) for verb, of_verb in verbs.items()})
        for name, verbs in found.items()
    }
