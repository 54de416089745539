"""Questions (❓): one thing is missing, or must be confirmed by a tap; nothing has run yet.

A question lives five minutes, belongs to who asked, and ends with a restart: it is kept in memory
only. What answers it is a reply to it, a tap on it, or an edit of the command (which is simply a
new command, and takes the question away).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from attrs import field, frozen

from ..matrix.model import Handled
from ..model.ids import EventId, RoomId, UserId
from ..text.message import Message

LIFE = 300.0  # seconds


@frozen
class Where:
    """Where a command comes from.

    event_id: what completed it; command: the message that people edit and delete (the same unless
    a reply or an edit completed it). at: epoch seconds, as the sender's server dates it.
    """

    event_id: EventId
    command: EventId
    room: RoomId
    mxid: UserId
    at: float


Reply = Callable[[Where, str], Awaitable[Handled | None]]
Tap = Callable[[Where], Awaitable[Handled | None]]


@frozen
class Question:
    """key: what the outbox calls its message. late: what it becomes when nobody answers in time.

    reply: goes on with the words of a reply. taps: goes on for each button.
    """

    where: Where
    key: str
    asked: float
    late: Message
    reply: Reply | None = None
    taps: Mapping[str, Tap] = field(factory=dict)


class Questions:
    """The open questions; at most one for a command."""

    def __init__(self) -> None:
        self._open: dict[str, Question] = {}

    def ask(self, question: Question) -> None:
        self._open[question.key] = question

    def get(self, key: str | None, mxid: str, now: float) -> Question | None:
        """The question behind a key of the outbox, if it is this person's and still open."""
        question = self._open.get(key or "")
        if question is None or question.where.mxid != mxid or now > question.asked + LIFE:
            return None
        return question

    def of_person(self, mxid: str) -> bool:
        """Whether anything is open of them."""
        return any(question.where.mxid == mxid for question in self._open.values())

    def close(self, key: str) -> None:
        self._open.pop(key, None)

    def of_command(self, command: str) -> Question | None:
        return next((q for q in self._open.values() if q.where.command == command), None)

    def due(self, now: float) -> tuple[Question, ...]:
        """Those whose time is over. They are closed once it is stored that they read so."""
        return tuple(q for q in self._open.values() if now > q.asked + LIFE)
