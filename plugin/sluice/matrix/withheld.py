"""Keys that somebody's client keeps back on purpose: it says so from device to device.

What it says counts for its own messages only, and the server vouches for the sender. A key that is
only late (`m.no_olm`, `m.unavailable`) is waited for as any other.
"""

from __future__ import annotations

from enum import Enum

from ..model.event import Json, RoomEvent, events_in, text_in

_KINDS = ("m.room_key.withheld", "org.matrix.room_key.withheld")
_KEPT = 500


class KeptBack(str, Enum):
    """Why; what is not of these is late, or for others."""

    UNVERIFIED = "m.unverified"  # our device is, and that client gives keys to verified ones only
    BLOCKED = "m.blacklisted"


class Withheld:
    def __init__(self) -> None:
        self._why: dict[tuple[str, str], KeptBack] = {}
        self.silent: set[str] = set()  # who keeps keys back, and was not read since

    def hear(self, sync: Json) -> None:
        """A whole sync response."""
        for event in events_in(sync, "to_device"):
            session, code = text_in(event.content, "session_id"), text_in(event.content, "code")
            if event.type in _KINDS and session and code in set(KeptBack):
                self._why[event.sender, session] = KeptBack(code)
                self.silent.add(event.sender)
        while len(self._why) > _KEPT:
            del self._why[next(iter(self._why))]
        self.silent &= {sender for sender, _ in self._why}

    def reads(self, sender: str) -> None:
        """A message of theirs could be read."""
        self.silent.discard(sender)

    def why(self, event: RoomEvent) -> KeptBack | None:
        """Why this encrypted event cannot be read, if its sender wants it so."""
        return self._why.get((event.sender, text_in(event.content, "session_id")))
