"""Who is meant by a name: people of the policy, and members of a room by their display names.

A display name is whatever its owner likes. So it never decides by itself whom a command acts on:
it only tells that a link shows somebody else than it means, or that a word means two people.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from ..matrix.rooms import RoomView
from ..policy.people import mxids_of
from ..world import World


class Names(Mapping[str, Collection[str]]):
    """Name in small letters -> the accounts that go by it here. Of a person of the policy only
    what the policy says: nobody becomes Ana by a display name."""

    def __init__(self, world: World, view: RoomView) -> None:
        self._world, self._view = world, view

    def __getitem__(self, name: str) -> Collection[str]:
        settings = self._world.settings
        people = settings.policy.people if settings else {}
        person = next((each for each in people if each.lower() == name), None)
        if settings is not None and person is not None:
            return mxids_of(settings.policy, person)
        called = called_here(self._view, name)
        if not called:
            raise KeyError(name)
        return called

    def __iter__(self) -> Iterator[str]:
        return iter(())  # they are looked up one by one

    def __len__(self) -> int:
        return 0


def called_here(view: RoomView, name: str) -> tuple[str, ...]:
    """Members with this display name, capitals and blanks aside."""
    wanted = _folded(name)
    return tuple(sorted(m for m in view.joined if _folded(view.display_name(m)) == wanted))


def _folded(name: str) -> str:
    return " ".join(name.split()).lstrip("@").lower()
