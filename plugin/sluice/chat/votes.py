"""What is answered to words below a card that may have been meant as a vote."""

from __future__ import annotations

from ..model.request import Rejection, Request
from ..text.message import Message, Text
from ..text.phrases import Here
from ..text.saying import says
from .cards import Standing, why_not


def no_vote(request: Request, cause: Rejection, votes: Standing, here: Here) -> Message:
    """Words to a card that are neither a yes nor a no. cause: why a vote would not count."""
    if cause is Rejection.NONE:
        return _no_vote(request.id)
    if cause is Rejection.OWN:
        return _no_vote_of_yours(here, request.id)
    return _no_vote_and_none_counts(why_not(request.id, cause, votes))


@says("❓ Not a vote. To vote on #{number}: tap ✅ or ❌ on the card, or reply yes or no.")
def _no_vote(number: int) -> None: ...


@says("❓ Not a vote: #{number} is your own request. To take it back: `!cancel {number}`")
def _no_vote_of_yours(here: Here, number: int) -> None: ...


@says("❓ Not a vote, and yours would not count: {why}")
def _no_vote_and_none_counts(why: Text) -> None: ...
