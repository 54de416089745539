"""Events whose handling goes on beside the reader of their room, until it can be committed.

Such an event is not marked as seen and the stored cursor stays before it: after a crash it is
read again. What it causes and the mark are one commit, made by the reader like every other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..model.event import RoomEvent
from .model import Handled, Later

Work = asyncio.Task[Handled]


class Beside:
    """ready: called whenever one can be committed."""

    def __init__(self, ready: Callable[[], None]) -> None:
        self._ready = ready
        self._works: dict[str, tuple[RoomEvent, Work | None]] = {}  # by event id, the oldest first

    def __bool__(self) -> bool:
        return bool(self._works)

    @property
    def waits(self) -> bool:
        """One of them can be committed."""
        return any(work is None or work.done() for _, work in self._works.values())

    def put(self, event: RoomEvent, later: Later) -> None:
        self._works[event.id] = event, later.work
        later.work.add_done_callback(lambda _: self._ready())

    def next(self) -> tuple[RoomEvent, Work | None] | None:
        """One that can be committed; without its work, it is to be handled from the start.

        It stays here until `done`: what fails from now on makes it come once more.
        """
        for key, (event, work) in self._works.items():
            if work is None or work.done():
                self._works[key] = event, None
                return event, work
        return None

    def done(self, event: RoomEvent) -> None:
        self._works.pop(event.id, None)

    async def clear(self) -> None:
        """Ends them all; what was not committed is read again, or given up by the caller."""
        works = [work for _, work in self._works.values() if work is not None]
        self._works = {}
        for work in works:
            work.cancel()
        if works:
            await asyncio.wait(works)
