"""Who somebody is, which roles they hold, who could vote."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable

from ..model.decision import Slot
from ..model.ids import PersonName
from .roles import NOBODY
from .rules import Policy


def roles(
    policy: Policy, mxid: str, power: float, distrusted: Collection[str] = ()
) -> frozenset[str]:
    """Every role that this account holds now, inherited ones included.

    distrusted: MXIDs without role for now.
    """
    return NOBODY if mxid in distrusted else policy.held(mxid, power)


def holds(
    policy: Policy, mxid: str, role: str, power: float, distrusted: Collection[str] = ()
) -> bool:
    return role in roles(policy, mxid, power, distrusted)


def person_of(policy: Policy, mxid: str) -> PersonName:
    """The policy's name of whoever has this account, else the MXID itself."""
    return policy.person.get(mxid, PersonName(mxid))


def mxids_of(policy: Policy, person: str) -> tuple[str, ...]:
    """All accounts of a person; of an MXID, all accounts of its person."""
    name = person_of(policy, person)
    return policy.people.get(name, (name,))


def is_named(policy: Policy, mxid: str) -> bool:
    """The MXID is written out in `people` or `members`; a glob names nobody."""
    return mxid in policy.named


def members_of(policy: Policy, role: str) -> tuple[PersonName, ...]:
    """Named persons who hold the role, given the power, those with the fewest roles first."""
    return policy.members.get(role, ())


def owners(policy: Policy) -> tuple[PersonName, ...]:
    return members_of(policy, policy.owners)


def highest(policy: Policy, held: Collection[str]) -> str:
    """The role that says most of what somebody may; "" without any."""
    return max(
        held, key=lambda role: (role == policy.owners, len(policy.closure[role]), role), default=""
    )


def roles_of_person(policy: Policy, person: str) -> frozenset[str]:
    """What any of a person's accounts could hold, given the power."""
    name = person_of(policy, person)
    most = policy.most.get(name)
    return roles(policy, name, math.inf) if most is None else most


def may_change(policy: Policy, held: frozenset[str]) -> bool:
    """These roles have a right to change something (`pause`, `log`, `can` of others)."""
    return not held.isdisjoint(policy.changing)


def eligible(
    policy: Policy,
    slots: Iterable[Slot],
    requester: str,
    targets: Iterable[str] = (),
    distrusted: Collection[str] = (),
) -> tuple[PersonName, ...]:
    """Persons who could fill a slot: hold its role, did not ask, are no target.

    requester, targets: MXIDs. Whether they are in the room is for the caller to know.
    """
    out = {person_of(policy, mxid) for mxid in (requester, *targets)}
    found: dict[PersonName, None] = {}
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


def in_order(policy: Policy, persons: Iterable[PersonName]) -> tuple[PersonName, ...]:
    """The lowest role first, then as the policy names them: `cy, ana, dan`."""
    last = len(policy.rank)
    return tuple(sorted(persons, key=lambda person: (policy.rank.get(person, last), person)))
