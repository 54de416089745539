"""Who is meant by a name: people of the policy, and members of a room by their display names.

A display name is whatever its owner likes. So it never decides by itself whom a command acts on:
it only tells that a link shows somebody else than it means, or that a word means two people.
"""

from __future__ import annotations

from collections.abc import Mapping
from weakref import WeakKeyDictionary

from ..matrix.rooms import RoomView
from ..policy.people import mxids_of
from ..state import Live
from ..typed.links import People

_LONGEST = 100  # characters of a display name that count: members choose how long theirs is

Index = tuple[frozenset[str], Mapping[str, tuple[str, ...]]]
_indexes: WeakKeyDictionary[RoomView, Index] = WeakKeyDictionary()  # members then, and by name


def called(live: Live, view: RoomView) -> People:
    """The accounts that go by a name here. Of a person of the policy only what the policy says:
    nobody becomes Ana by a display name."""
    policy = live.settings.policy if live.settings else None
    people = {each.lower(): each for each in policy.people} if policy else {}

    def accounts(name: str) -> tuple[str, ...]:
        if policy is not None and name in people:
            return mxids_of(policy, people[name])
        return called_here(view, name)

    return accounts


def called_here(view: RoomView, name: str) -> tuple[str, ...]:
    """Members with this display name, capitals and blanks aside. Their names are read once for
    each change of members, not for each word."""
    joined, known = view.joined, _indexes.get(view)
    if known is None or known[0] is not joined:
        found: dict[str, list[str]] = {}
        for mxid in sorted(joined):
            found.setdefault(_folded(view.display_name(mxid)), []).append(mxid)
        known = joined, {each: tuple(mxids) for each, mxids in found.items()}
        _indexes[view] = known
    return known[1].get(_folded(name), ())


def _folded(name: str) -> str:
    return " ".join(name.strip()[:_LONGEST].split()).lstrip("@").lower()
