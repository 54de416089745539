"""What is answered to words below a card that may have been meant as a vote."""

from __future__ import annotations

from ..model.request import Rejection, Request
from ..text.message import Message, Text
from ..text.phrases import Here
from ..text.saying import says
from .card_text import About
from .cards import Standing, why_not


def no_vote(request: Request, cause: Rejection, votes: Standing, here: Here) -> Message:
    """Words to a card that are neither a yes nor a no. cause: why a vote would not count."""
    if cause is Rejection.NONE:
        return _no_vote(request.id)
    if cause is Rejection.OWN:
        return _no_vote_of_yours(here, request.id)
    return _no_vote_and_none_counts(why_not(request.id, cause, votes))


def may_be(request: Request, told: About, here: Here, *, held: float | None) -> Message:
    """Words that may be a vote. held: until when it waits for the answer, as they may be a no."""
    if held is None:
        return _a_yes(request.id, told.short)
    return _a_no(here, request.id, told.short, held)


@says("❓ A yes to #{number}: {what}? Tap ✅, or ❌ for a no. Not counted yet.")
def _a_yes(number: int, what: Text) -> None: ...


@says("""❓ A no to #{number}: {what}? Tap ❌, or ✅ for a yes.
Nothing of it runs until you tap, or until {held:at}.""")
def _a_no(here: Here, number: int, what: Text, held: float) -> None: ...


@says("""📋 Not counted: no tap came within 5 minutes.
To vote on #{number}: `!approve {number}` · `!deny {number} why`""")
def not_tapped(here: Here, number: int) -> None:
    """What such a question becomes then."""


@says("❓ Not a vote. To vote on #{number}: tap ✅ or ❌ on the card, or reply yes or no.")
def _no_vote(number: int) -> None: ...


@says("❓ Not a vote: #{number} is your own request. To take it back: `!cancel {number}`")
def _no_vote_of_yours(here: Here, number: int) -> None: ...


@says("❓ Not a vote, and yours would not count: {why}")
def _no_vote_and_none_counts(why: Text) -> None: ...
