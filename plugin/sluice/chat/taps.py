"""The buttons below our messages that ask no question, and what is said to a tap on them."""

from __future__ import annotations

from ..model.command import Invocation
from ..model.request import Request
from ..text.message import Message, Text
from ..text.phrases import Here, line, not_run
from ..text.saying import says
from .undo import MINUTES, shortest

RESOLVED = ("✅", "❌")  # below what nobody knows the outcome of


def how_it_ended(here: Here, number: int) -> Text:
    """Who can tell it says so."""
    return line("Tap ✅ done or ❌ not done (or `!resolve {n} done`)", here, n=number)


def undo_is_over(here: Here, back: Invocation) -> Message:
    return not_run(
        "Not run: ↩️ is over after {minutes} minutes. Now type `!{back}`",
        here=here,
        minutes=MINUTES,
        back=shortest(here, back),
    )


@says("📋 #{request.id} does that already, asked by {request.person:person}.")
def done_already(request: Request) -> None:
    """A second tap."""


@says("📋 {who:person} asked for this, not {whose:person}: it counts as their own.")
def in_their_name(who: str, whose: str) -> None:
    """Somebody tapped for whom the button was not made; there is no card that says who asks."""


@says("⛔ Not run: I cannot read that command any more. Type it again.")
def unreadable() -> None:
    """It was deleted."""


@says("⛔ Not run: that needs more than a tap now. Type it again.")
def by_hand() -> None:
    """The policy has changed meanwhile."""
