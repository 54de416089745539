"""Whether votes suffice: distinct persons, one slot each, every one of them holding its role now.

Pure. Who is joined, holds which role and has voted are values; the database and the policy are
elsewhere. The question is an assignment, not a count: with slots "1 mod, 1 owner" two mods do not
suffice, and an owner who is also a mod fills whichever slot helps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from attrs import frozen

from ..model.decision import Slot


def same_person(*policies: Iterable[Sequence[str]]) -> Callable[[str], str]:
    """A name for the human behind an MXID, where any of the policies joins two accounts.

    Each policy is given as the groups of MXIDs that are one person. The names are only good for
    comparing with each other.
    """
    parent: dict[str, str] = {}

    def root(mxid: str) -> str:
        while (above := parent.get(mxid, mxid)) != mxid:
            mxid = above
        return mxid

    for groups in policies:
        for first, *others in groups:
            for other in others:
                parent[root(other)] = root(first)
    return root


def largest(then: Iterable[Slot], now: Iterable[Slot]) -> tuple[Slot, ...]:
    """For each role the larger number of the two policies."""
    most: dict[str, int] = {}
    for slot in (*then, *now):
        most[slot.role] = max(slot.n, most.get(slot.role, 0))
    return tuple(Slot(role, n) for role, n in most.items())


@frozen
class Tally:
    """How far the votes get. open: what they leave unfilled. by: the MXIDs whose votes count,
    one a person, in the order of the votes."""

    filled: int
    needed: int
    open: tuple[Slot, ...]
    by: tuple[str, ...]

    @property
    def complete(self) -> bool:
        return self.filled == self.needed


def tally(
    slots: Sequence[Slot],
    voters: Sequence[str],
    holds: Callable[[str, str], bool],
    person: Callable[[str], str],
    excluded: Iterable[str] = (),
) -> Tally:
    """The best assignment of distinct persons to slots.

    slots: the lowest role first, as the policy gives them; the highest is filled first, so that
    `open` names what is easiest to find. voters: MXIDs with a standing vote, oldest first.
    holds(mxid, role): joined and holding it now. excluded: MXIDs whose persons have no say.
    """
    barred = {person(mxid) for mxid in excluded}
    roles: dict[str, set[str]] = {}
    counted: dict[str, str] = {}
    for mxid in voters:
        held = {slot.role for slot in slots if holds(mxid, slot.role)}
        who = person(mxid)
        if held and who not in barred:
            roles.setdefault(who, set()).update(held)
            counted.setdefault(who, mxid)
    units = [slot.role for slot in reversed(slots) for _ in range(slot.n)]
    taken: dict[str, int] = {}  # person -> unit

    def place(unit: int, tried: set[str]) -> bool:
        for who, held in roles.items():
            if units[unit] in held and who not in tried:
                tried.add(who)
                if who not in taken or place(taken[who], tried):
                    taken[who] = unit
                    return True
        return False

    empty = [units[unit] for unit in range(len(units)) if not place(unit, set())]
    return Tally(
        filled=len(units) - len(empty),
        needed=len(units),
        open=tuple(Slot(s.role, empty.count(s.role)) for s in slots if s.role in empty),
        by=tuple(counted[who] for who in roles if who in taken),
    )


def could_help(
    slots: Sequence[Slot],
    voters: Sequence[str],
    others: Iterable[str],
    holds: Callable[[str, str], bool],
    person: Callable[[str], str],
    excluded: Iterable[str] = (),
) -> tuple[str, ...]:
    """Those of `others` (MXIDs) whose vote would fill one slot more."""
    excluded = tuple(excluded)
    now = tally(slots, voters, holds, person, excluded).filled
    return tuple(
        mxid
        for mxid in others
        if tally(slots, (*voters, mxid), holds, person, excluded).filled > now
    )
