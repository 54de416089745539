"""What a result must know of the end of a request, beside what Conduit answered."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from attrs import field, frozen

from ..text.message import Text
from ..text.phrases import person
from ..text.times import Clock
from .command import Outcome


class How(Enum):
    """How the end of a request became known."""

    ANSWERED = "answered"
    PROBED = "probed"  # no answer, or none that tells: a look did
    LATE = "late"  # the answer came after the outcome had been called unknown
    SAID = "said"  # a person resolved it


class Handed(Enum):
    """Where a new password is."""

    PRIVATE = "private"
    INVITED = "invited"  # it waits in a private room that the recipient has not joined yet
    LOST = "lost"  # it could not be handed over and is thrown away


@frozen
class Delivery:
    """until: an invited one is removed at the latest then. after: seconds it stands once joined.

    seen_by: who could read Conduit's own password in the admin room, if it had to be handed over
    because it could not be replaced; empty when nobody's password was seen. room: where it is.
    """

    how: Handed = Handed.PRIVATE
    until: float = 0
    after: float = 600
    seen_by: tuple[str, ...] = ()
    room: str = ""


@frozen
class Ending:
    """What is known of the end of a request beside its outcomes."""

    request: int
    person: str
    mxid: str
    line: str  # the canonical command line
    voted: bool = False  # it had a card
    approved: tuple[str, ...] = ()  # persons
    slow: bool = False  # over 30 s
    glass: bool = False
    how: How = How.ANSWERED
    by: str = ""  # who resolved it
    at: float = 0  # when that was, or a late answer came
    undo_needs_votes: bool = False  # of who asked
    again: bool = False  # a tap may ask for it anew
    left_out: str = ""  # why lines were not sent: "paused by bo"
    quota: tuple[int, int, float] | None = None  # (used, of, seconds) of a limit per person

    # what came instead of an answer that tells
    doubt: str = ""  # why the answer told nothing, where a look did: a code of WHY_UNKNOWN
    raw: str | None = None  # unlisted text of Conduit that may be shown
    in_private: bool = False  # it went to the asker instead
    removed: bool = False  # Conduit's copy in the admin room is gone

    # what was looked at
    present: Mapping[str, bool] = field(factory=dict)  # of files: one can be loaded now
    name: str | None = None  # of the room

    # of new passwords
    delivery: Delivery = Delivery()
    lost: tuple[str, ...] = ()  # accounts whose password could not be handed over
    reopened: bool = False  # the account was deactivated
    distrusted: float | None = None  # until then the account has no role and no vote
    holder: str = ""  # the person of the policy whose account that is
    trusts: tuple[str, ...] = ()  # who can end that sooner

    # of registration
    until: float | None = None  # its window ends
    at_start: bool | None = None  # what Conduit's config file makes of it at a start

    @property
    def pushed(self) -> bool:
        """Whether who asked is waiting somewhere else by now."""
        return self.voted or self.slow or self.how is not How.ANSWERED

    @property
    def number(self) -> str:
        """` · #12`; empty where the result needs no number."""
        told = self.voted or self.glass or self.how is not How.ANSWERED
        return f" · #{self.request}" if told else ""

    @property
    def how_known(self) -> Text:
        """As it goes on after what happened: ` after all`, `, says dan`."""
        said = (", says ", person(self.by)) if self.how is How.SAID else ()
        return (" after all",) if self.how is How.LATE else said

    def answered(self, clock: Clock) -> Text:
        """The line that says when a late answer came."""
        late = self.how is How.LATE
        return (f"Conduit answered at {clock.at(self.at)}.",) if late else ()


@frozen
class Part:
    """One line of a request: the values it acted on, and what became of it."""

    items: tuple[str, ...]
    outcome: Outcome
