"""An event of a room, read from the server's JSON once: nobody else looks whether a field is there
and what it is.

Foreign servers and people write that JSON. What is not of its kind is taken as missing.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from .ids import EventId, RoomId, UserId

Json = Mapping[str, object]
"""A JSON object that came from outside, or goes there."""

NO_ROOM = RoomId("")


@frozen
class RoomEvent:
    """One event.

    id, sender, type, room: "" if missing. content: empty if the event was redacted.
    state_key: None if it is no state event. at: epoch seconds, as the sender's server dates it.
    removes: the event that this redaction removes. raw: the JSON as it came, to decrypt it.
    unsealed: it came encrypted, and this is what was in it.
    """

    id: EventId
    sender: UserId
    type: str
    content: Json = field(repr=False)
    is_state: bool = False
    state_key: str | None = None
    room: RoomId = NO_ROOM
    at: float | None = None
    unsigned: Json = field(factory=dict, repr=False)
    removes: EventId | None = None
    raw: Json = field(factory=dict, repr=False, eq=False)
    unsealed: bool = False

    def is_exit(self, mxid: str) -> bool:
        """Whether this account leaves, is kicked or banned. An old one may be read again: the
        caller asks the server."""
        left = self.content.get("membership") in ("leave", "ban")
        return self.type == "m.room.member" and self.state_key == mxid and left


def event_of(raw: Json, *, unsealed: bool = False) -> RoomEvent:
    """The event that the server's JSON describes."""
    at, content = raw.get("origin_server_ts"), object_in(raw, "content")
    kind = text_in(raw, "type")
    return RoomEvent(
        EventId(text_in(raw, "event_id")),
        UserId(text_in(raw, "sender")),
        kind,
        content,
        "state_key" in raw,
        text_in(raw, "state_key") if isinstance(raw.get("state_key"), str) else None,
        RoomId(text_in(raw, "room_id")),
        at / 1000 if isinstance(at, (int, float)) else None,
        object_in(raw, "unsigned"),
        _removed(raw, content) if kind == "m.room.redaction" else None,
        raw,
        unsealed,
    )


def _removed(raw: Json, content: Json) -> EventId | None:
    """Its place differs between versions of rooms, and a redaction that was redacted itself may
    have lost it."""
    target = raw.get("redacts") or content.get("redacts")
    return EventId(target) if isinstance(target, str) else None


def events_in(data: object, part: str) -> list[RoomEvent]:
    """What a sync response lists of a room: part is "timeline", "state" or "invite_state"."""
    found = object_in(data, part).get("events") if isinstance(data, Mapping) else None
    listed = found if isinstance(found, list) else []
    return [event_of(each if isinstance(each, Mapping) else {}) for each in listed]


def object_in(value: Json, key: str) -> Json:
    """The object at this key; empty if there is none."""
    found = value.get(key)
    return found if isinstance(found, Mapping) else {}


def text_in(value: Json, key: str) -> str:
    """The text at this key; "" if there is none."""
    found = value.get(key)
    return found if isinstance(found, str) else ""
