"""The words of requests: states, rows, votes. Values only; the machine is in `machine`."""

from __future__ import annotations

from enum import Enum, auto

from attrs import frozen

from ..text.message import Text
from .command import Invocation, Outcome
from .decision import Slot
from .ids import EventId, PersonName, RoomId, UserId


class State(str, Enum):
    PENDING = "pending"  # waits for votes, or for its turn in the queue
    EXECUTING = "executing"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    UNKNOWN = "unknown"
    DENIED = "denied"  # a person said no
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    REJECTED = "rejected"  # the policy said no


NEVER_RAN = (State.DENIED, State.EXPIRED, State.CANCELLED, State.REJECTED)


class LineState(str, Enum):
    WAITING = "waiting"  # not sent yet, or proven not to have arrived
    SENDING = "sending"  # INTENT is committed; it may or may not be in the room
    SENT = "sent"  # seen in the room's timeline
    ANSWERED = "answered"  # its answer is known by event id; not concluded yet
    SETTLED = "settled"  # has an outcome


class Review(str, Enum):
    """What owners have said of a break-glass."""

    NONE = ""  # nothing to review
    OPEN = "open"
    IN_ORDER = "in order"
    NOT_IN_ORDER = "not in order"


class WhyKind(Enum):
    """What ended a request, or stopped the rest of it. Its words are in `chat.ended`."""

    NONE = auto()
    BY = auto()  # somebody cancelled or denied it
    DELETED = auto()  # the command, by somebody
    CHANGED = auto()
    CARD_DELETED = auto()
    CANCELLED = auto()  # by somebody, while it ran
    BEFORE_ITS_TURN = auto()  # it expired: with all votes,
    NO_VOTE = auto()
    SOME_VOTES = auto()
    LEFT = auto()  # the requester
    NO_RIGHT = auto()
    NO_REASON = auto()
    POLICY = auto()
    NO_OPS_ROOM = auto()
    PUBLIC = auto()
    VOTES_MISSING = auto()
    HELD = auto()
    HELD_TOO_LONG = auto()
    PAUSED = auto()
    TOO_LATE = auto()
    SILENT = auto()  # so it was while Conduit did not answer
    ROOM_LEFT = auto()  # the bot is not in the request's room
    ROOM_UNREAD = auto()
    NO_ANSWER = auto()
    ERROR = auto()
    OTHER = auto()  # what an earlier version said


@frozen
class Why:
    """Why a request ended, or why nothing more of it is sent; false where there is nothing to say.

    by: the name of whoever did it (LEFT, NO_RIGHT: of the requester); of SOME_VOTES how many
    ("1 of 2"), of ERROR its class, of SILENT since when. said: the clause of a POLICY, the words
    of OTHER.
    """

    kind: WhyKind = WhyKind.NONE
    by: str = ""
    said: Text = ()

    def __bool__(self) -> bool:
        return self.kind is not WhyKind.NONE


NO_WHY = Why()


@frozen
class Request:
    """One invocation by one person, with its whole life. Times: epoch seconds, the bot's clock.

    event_id: what made it: the command, the reply that completed it, or an edit. command: the
    first of these, the one that people edit and delete.
    person: the policy's name at submit. people: key of the groups of accounts that the policy at
    submit took for one person each, so that a split by reload never makes two persons of one.
    slots: what the policy asked at submit; the larger of these and the current ones count.
    queued_since: when it last needed no more votes (None while votes are missing).
    approved: the names of those whose votes counted when its first line was sent.
    lines: how many it has, 0 before the first is sent. card_text: of the card, as JSON.
    note: why it ended. stop: why nothing more of it is sent while it executes.
    """

    id: int
    event_id: EventId
    command: EventId
    room: RoomId
    mxid: UserId
    person: PersonName
    people: str
    invocation: Invocation
    text: str  # the canonical command line, without the reason
    state: State
    created: float
    slots: tuple[Slot, ...] = ()
    expires: float | None = None
    queued_since: float | None = None
    reminded: bool = False
    glass: bool = False
    review: Review = Review.NONE
    stop: Why = NO_WHY
    lines: int = 0
    ended: float | None = None
    approved: tuple[PersonName, ...] = ()
    note: Why = NO_WHY
    card_text: str = ""


@frozen
class LineRow:
    """One line of a request. size: on how many values it acts."""

    request: int
    number: int  # from 1
    state: LineState
    size: int = 1
    event_id: str | None = None  # of the line in the admin room
    answer_event: str | None = None
    outcome: Outcome | None = None
    sent_at: float | None = None
    answered_at: float | None = None


ITSELF = "Sluice itself"  # who has paused, if nobody did; no name in a policy has a blank


@frozen
class Pause:
    """by: a name. at: since when."""

    by: str
    at: float
    why: str

    @property
    def by_itself(self) -> bool:
        """Nobody said it: somebody else uses the bot's account."""
        return self.by == ITSELF


class Side(str, Enum):
    APPROVE = "approve"
    DENY = "deny"


class Via(str, Enum):
    """How a vote was cast."""

    REACTION = "reaction"
    COMMAND = "command"
    REPLY = "reply"


class Rejection(str, Enum):
    """Why a vote does not count, for ever. NONE: it counts."""

    NONE = ""
    OWN = "own request"
    TARGET = "about the voter"
    NO_ROLE = "no role of a slot"
    STRANGER = "no role at all"  # not answered either
    LATE = "too late"
    NOT_NEEDED = "no vote needed"
    MANY = "too many votes of one account"  # only answered, never stored


@frozen
class Vote:
    """One MXID's say. person: the policy's name when it was cast. room: where it was.

    message: what people edit and delete of it, where that is not the event itself: a vote that
    an edit made goes with the message that was edited.
    """

    request: int
    event_id: EventId
    room: RoomId
    mxid: UserId
    person: PersonName
    side: Side
    how: Via
    at: float
    cause: Rejection = Rejection.NONE
    withdrawn: bool = False
    reason: str = ""
    message: str = ""

    @property
    def approves(self) -> bool:
        """Whether it stands for the request; who may vote is another question."""
        return self.side is Side.APPROVE and self.cause is Rejection.NONE and not self.withdrawn
