"""Who has written in the threads of a room since the bot's last message there.

A yes that names nothing answers the bot only if nobody else has spoken in between. What this
process has not read itself counts as unknown.
"""

from __future__ import annotations

from ..matrix.late import ENCRYPTED
from ..model.event import RoomEvent
from ..model.ids import EventId
from ..typed import read

_KEPT = 2_000  # threads


class Turns:
    """Of one room. It changes as events are read: to be told of one twice changes nothing."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[EventId, set[str]]] = {}  # root -> our last, who wrote since

    def ours(self, event: RoomEvent) -> None:
        """A message of the bot, in a thread or where one may begin."""
        if event.type not in ("m.room.message", ENCRYPTED) or read.edit_of(event.content):
            return
        root = read.thread_of(event.content) or event.id
        _, others = self._last.pop(root, (None, set()))
        # What answers one of them is said to that one: the others have spoken all the same.
        self._last[root] = event.id, others if read.answers(event.content) else set()
        while len(self._last) > _KEPT:
            del self._last[next(iter(self._last))]

    def theirs(self, event: RoomEvent) -> None:
        root = read.thread_of(event.content)
        if root in self._last:
            self._last[root][1].add(event.sender)

    def unknown(self) -> None:
        """Something was written that nobody can read any more: it may have stood anywhere."""
        self._last.clear()

    def last(self, root: EventId) -> EventId | None:
        """The bot's last message in a thread."""
        return self._last[root][0] if root in self._last else None

    def is_next(self, root: EventId, mxid: str) -> bool:
        """Whether nobody but this person has written there since."""
        return root in self._last and self._last[root][1] <= {mxid}
