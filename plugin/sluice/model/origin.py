"""Who typed a command, where and when."""

from __future__ import annotations

from attrs import frozen

from .ids import EventId, RoomId, UserId


@frozen
class Origin:
    """Where a command comes from.

    event_id: what completed it; command: the message that people edit and delete (the same unless
    a reply or an edit completed it). answer: the message that answered a question of ours, if one
    completed it. at: epoch seconds, as the sender's server dates it.
    """

    event_id: EventId
    command: EventId
    room: RoomId
    mxid: UserId
    at: float
    answer: EventId | None = None
