"""The words of requests: states, rows, votes. Values only; the machine is in `machine`."""

from __future__ import annotations

from enum import Enum

from attrs import frozen

from ..catalog.model import Invocation
from ..policy.model import Slot


class State(str, Enum):
    PENDING = "pending"  # waits for votes, or for its turn in the line
    EXECUTING = "executing"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    UNKNOWN = "unknown"
    DENIED = "denied"  # a person said no
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    REJECTED = "rejected"  # the policy said no


class LineState(str, Enum):
    WAITING = "waiting"  # not sent yet
    SENDING = "sending"  # INTENT is committed; it may or may not be in the room
    SENT = "sent"  # seen in the room's timeline
    ANSWERED = "answered"  # its answer is known by event id; not concluded yet
    SETTLED = "settled"  # has an outcome


@frozen
class Request:
    """One invocation by one person, with its whole life. Times: epoch seconds, the bot's clock.

    slots: what the policy asked at submit; the larger of these and the current ones count.
    person: the policy's name at submit, so that a split by reload never makes two persons of one.
    in_line_since: when it last needed no more votes (None while votes are missing).
    """

    id: int
    event_id: str
    room: str
    mxid: str
    person: str
    invocation: Invocation
    text: str  # the canonical command line, without the reason
    state: State
    created: float
    slots: tuple[Slot, ...] = ()
    expires: float | None = None
    in_line_since: float | None = None
    glass: bool = False
    ended: float | None = None
    note: str = ""  # why it ended, in the fixed words; never foreign text without quotes
    facts: str = ""  # JSON: what the card shows, taken when asked


@frozen
class LineRow:
    request: int
    number: int  # from 1
    state: LineState
    event_id: str | None = None  # of the line in the admin room
    answer_event: str | None = None
    outcome: str | None = None  # JSON of catalog.model.Outcome
    sent_at: float | None = None
    answered_at: float | None = None


class Side(str, Enum):
    APPROVE = "approve"
    DENY = "deny"


@frozen
class Vote:
    """One MXID's say. cause is empty for one that counts, else why it was rejected, for ever."""

    request: int
    event_id: str
    mxid: str
    person: str
    side: Side
    how: str  # reaction, command, reply
    at: float
    cause: str = ""
    withdrawn: bool = False
    reason: str = ""
