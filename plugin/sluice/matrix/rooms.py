"""Who is in a room and who may do what there, from the server's own words.

One full /state, and on top of it the room's timeline, event by event. mautrix' store is not asked:
it is filled by sync, which loses joins.
"""

from __future__ import annotations

import math

from ..model.event import Json, RoomEvent, object_in, text_in
from ..model.ids import UserId
from .api import Homeserver

INFINITE = math.inf
# From 12 on, who made a room stands above all power levels.
WITHOUT_CREATORS = frozenset(str(number) for number in range(1, 12))
# Action -> its field in m.room.power_levels, and what holds without one. "redact": others' events.
_ACTIONS = {
    "be here": ("users_default", 0.0),
    "write": ("events_default", 0.0),
    "state": ("state_default", 50.0),
    "invite": ("invite", 0.0),
    "kick": ("kick", 50.0),
    "ban": ("ban", 50.0),
    "redact": ("redact", 50.0),
}
MOST = 2**53  # no power level that a server accepts is larger


class RoomView:
    """One room as it is now. `refresh` reads it anew; `apply` takes one event of its timeline."""

    def __init__(self, room: str) -> None:
        self.room = room
        self._state: dict[tuple[str, str], RoomEvent] = {}
        self._meanwhile: list[list[RoomEvent]] = []  # applied while the whole state is fetched
        self._sets: dict[str, frozenset[UserId]] = {}

    async def refresh(self, homeserver: Homeserver) -> None:
        """The whole state. Set the timeline's cursor first, so that nothing falls between."""
        newer: list[RoomEvent] = []
        self._meanwhile.append(newer)
        try:
            events = await homeserver.state(self.room)
        finally:
            self._meanwhile = [each for each in self._meanwhile if each is not newer]
        self._state, self._sets = {}, {}
        for event in (*events, *newer):
            self._take(event)

    def apply(self, event: RoomEvent) -> bool:
        """Takes a state event; True if it is about members or encryption."""
        if event.state_key is None:
            return False
        for newer in self._meanwhile:
            newer.append(event)
        self._take(event)
        return event.type in ("m.room.member", "m.room.encryption")

    def _take(self, event: RoomEvent) -> None:
        if event.state_key is not None:
            self._state[event.type, event.state_key] = event
            if event.type == "m.room.member":
                self._sets = {}

    @property
    def known(self) -> bool:
        return bool(self._state)

    def _content(self, kind: str, key: str = "") -> Json:
        event = self._state.get((kind, key))
        return event.content if event is not None else {}

    def _text(self, kind: str, field: str) -> str:
        return text_in(self._content(kind), field)

    # --- members

    def membership(self, mxid: str) -> str:
        value = self._content("m.room.member", mxid).get("membership")
        return value if isinstance(value, str) else "leave"

    @property
    def joined(self) -> frozenset[UserId]:
        return self._members("join")

    @property
    def invited(self) -> frozenset[UserId]:
        return self._members("invite")

    def _members(self, membership: str) -> frozenset[UserId]:
        if membership not in self._sets:
            self._sets[membership] = frozenset(
                UserId(key)
                for kind, key in self._state
                if kind == "m.room.member" and self.membership(key) == membership
            )
        return self._sets[membership]

    def display_name(self, mxid: str) -> str:
        """Foreign text; empty if there is none."""
        return text_in(self._content("m.room.member", mxid), "displayname")

    # --- power

    def creators(self) -> frozenset[str]:
        """Those above everyone: from room version 12 on, who made the room and who they named."""
        create = self._content("m.room.create")
        if self.version in WITHOUT_CREATORS:
            return frozenset()
        more = create.get("additional_creators")
        names = [*self._made_by(), *(more if isinstance(more, list) else ())]
        return frozenset(name for name in names if isinstance(name, str))

    def _made_by(self) -> tuple[str, ...]:
        """Who made the room; nobody if we have not read that."""
        made = self._state.get(("m.room.create", ""))
        return (made.sender,) if made is not None and made.sender else ()

    def power(self, mxid: str) -> float:
        """Infinite for a creator of a room of version 12."""
        if mxid in self.creators():
            return INFINITE
        levels = self._state.get(("m.room.power_levels", ""))
        if levels is None:  # before anybody set them, who made the room has 100
            return 100.0 if mxid in self._made_by() else 0.0
        users = object_in(self._content("m.room.power_levels"), "users")
        return _level(users.get(mxid), self.needed("be here"))

    def needed(self, action: str) -> float:
        """The power for one of these actions."""
        field, default = _ACTIONS[action]
        return _level(self._content("m.room.power_levels").get(field), default)

    def can(self, action: str, mxid: str) -> bool:
        return self.power(mxid) >= self.needed(action)

    def needed_to_send(self, kind: str) -> float:
        """The power to send events of this type that are no state."""
        events = object_in(self._content("m.room.power_levels"), "events")
        return _level(events.get(kind), self.needed("write"))

    def can_set(self, kind: str, mxid: str) -> bool:
        """Whether somebody has the power to change the state of this type."""
        events = object_in(self._content("m.room.power_levels"), "events")
        return self.power(mxid) >= _level(events.get(kind), self.needed("state"))

    def can_send(self, kind: str, mxid: str) -> bool:
        return self.power(mxid) >= self.needed_to_send(kind)

    # --- what the look for problems asks

    @property
    def version(self) -> str:
        return self._text("m.room.create", "room_version") or "1"

    @property
    def join_rule(self) -> str:
        return self._text("m.room.join_rules", "join_rule") or "invite"

    @property
    def public(self) -> bool:
        """Somebody whom nobody here let in can join: whatever rule there is but these three, so
        also by being in some other room (`restricted`)."""
        return self.join_rule not in ("invite", "private", "knock")

    @property
    def history_visibility(self) -> str:
        return self._text("m.room.history_visibility", "history_visibility") or "shared"

    @property
    def encrypted(self) -> bool:
        return ("m.room.encryption", "") in self._state

    @property
    def algorithm(self) -> str:
        """How it is encrypted. Empty where the event that says so was emptied, as anybody can do
        from another room on Conduit: the room stays encrypted (docs/conduit.md, "Redactions from
        outside")."""
        return self._text("m.room.encryption", "algorithm")

    @property
    def federated(self) -> bool:
        return self._content("m.room.create").get("m.federate") is not False

    @property
    def replaced_by(self) -> str:
        """The room that a tombstone points to; empty without one."""
        return self._text("m.room.tombstone", "replacement_room")

    def event_of(self, kind: str) -> str:
        """The id of the event that says it now; empty without one."""
        event = self._state.get((kind, ""))
        return event.id if event is not None else ""

    @property
    def name(self) -> str:
        """Foreign text."""
        return self._text("m.room.name", "name") or self._text("m.room.canonical_alias", "alias")


def _level(value: object, default: float) -> float:
    """A power level as servers read it: integers, and in old rooms strings of digits."""
    if isinstance(value, str) and len(value) < 20 and value.strip().lstrip("+-").isdecimal():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        return default
    return float(max(-MOST, min(value, MOST)))
