"""What is answered to words below a card that may have been meant as a vote."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from ..model.request import Rejection, Request
from ..text.message import Message, Text, Topic
from ..text.phrases import Here, listed
from ..text.saying import says
from .card_text import About
from .cards import Standing, why_not


def no_vote(request: Request, cause: Rejection, votes: Standing, here: Here) -> Message:
    """Words to a card that are neither a yes nor a no. cause: why a vote would not count."""
    if cause is Rejection.NONE:
        return _about(_no_vote(request.id), request.id)
    if cause is Rejection.OWN:
        return _about(_no_vote_of_yours(here, request.id), request.id)
    return _about(_no_vote_and_none_counts(why_not(request.id, cause, votes)), request.id)


def _about(message: Message, number: int) -> Message:
    """A reply to it means the request."""
    return evolve(message, about=Topic(requests=(number,)))


def may_be(request: Request, told: About, here: Here, *, no: bool, held: float | None) -> Message:
    """Words that may be a vote. no: they may be a no; held: until when it waits for the answer."""
    n, what = request.id, told.short
    if held is not None:
        return _about(_a_no(here, n, what, held), n)
    return _about(_another_no(n, what) if no else _a_yes(n, what), n)


@says("❓ A yes to #{number}: {what}? Tap ✅, or ❌ for a no. Not counted yet.")
def _a_yes(number: int, what: Text) -> None: ...


@says("""❓ A no to #{number}: {what}? Tap ❌, or ✅ for a yes.
Nothing of it runs until you tap, or until {held:at}.""")
def _a_no(here: Here, number: int, what: Text, held: float) -> None: ...


@says("""❓ A no to #{number}: {what}? Tap ❌, or ✅ for a yes.
Until you tap, nothing is counted, and #{number} goes on.""")
def _another_no(number: int, what: Text) -> None: ...


def which(
    here: Here, cards: Sequence[tuple[int, Text]], *, no: bool, held: float | None
) -> Message:
    """A yes or no while several cards wait for this person. held: until when all of them wait."""
    rows = listed([(f"#{number} ", *what) for number, what in cards])
    said = _to_which("no", "❌", rows) if no else _to_which("yes", "✅", rows)
    said = said if held is None else _no_to_which(here, rows, held)
    return evolve(said, about=Topic(requests=tuple(number for number, _ in cards)))


@says("""❓ A {side} to which? Tap {sign} on its card, or reply {side} to it.
Open: {cards}.""")
def _to_which(side: str, sign: str, cards: Text) -> None: ...


@says("""❓ A no to which? Tap ❌ on its card, or reply no to it.
None of these runs until {held:at}: {cards}.""")
def _no_to_which(here: Here, cards: Text, held: float) -> None: ...


@says("""📋 Not counted: nobody answered for 5 minutes.
To vote on #{number}: `!approve {number}` · `!deny {number} why`""")
def not_tapped(here: Here, number: int) -> None:
    """What such a question becomes then."""


@says("""⛔ Not counted: that message is too old to become a yes by an edit.
To vote: tap ✅ on the card, or reply yes to it.""")
def no_yes_by_edit() -> None:
    """Nobody looks at an old message."""


@says("❓ Not a vote. To vote on #{number}: tap ✅ or ❌ on the card, or reply yes or no.")
def _no_vote(number: int) -> None: ...


@says("❓ Not a vote: #{number} is your own request. To take it back: `!cancel {number}`")
def _no_vote_of_yours(here: Here, number: int) -> None: ...


@says("❓ Not a vote, and yours would not count: {why}")
def _no_vote_and_none_counts(why: Text) -> None: ...


@says("❓ A caption is no vote and no answer. Write it as a message of its own.")
def no_caption() -> None: ...
