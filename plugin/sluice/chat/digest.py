"""The digest: once a day, what happened since the last one, for who was not there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from attrs import frozen

from ..model.request import Request, State
from ..text.message import Message, Text
from ..text.phrases import Here, Word, line, listed, view

_NUMBERS, _NAMES = 2, 3  # in one line
_LONG = 16  # characters of a name
_ENDED = {
    "Denied": (State.DENIED,),
    "Expired": (State.EXPIRED,),
    "Failed": (State.REFUSED, State.FAILED),
    "Outcome unknown": (State.UNKNOWN,),
}
"""What of the ends is told one by one."""


@frozen
class Day:
    """since: epoch seconds. asked: how many commands that change something. ended: those that
    came to their end, open: those that wait for votes. came: new accounts; reported: whom those
    reports are about that nobody took. problems: how many `status` lists.
    """

    since: float
    asked: int
    ended: Sequence[Request]
    open: Sequence[int]
    came: Sequence[str]
    reported: Sequence[str]
    problems: int

    @property
    def is_empty(self) -> bool:
        """There is nothing to say of it."""
        return not any(
            (self.asked, self.ended, self.open, self.came, self.reported, self.problems)
        )


def digest(here: Here, day: Day) -> Message:
    done = sum(request.state is State.DONE for request in day.ended)
    asked = f"{day.asked} asked, {done} done" if day.asked or done else "nothing was asked"
    return view(
        "Since {since:at}: {asked}",
        *(
            _numbered(what, [request.id for request in day.ended if request.state in states])
            for what, states in _ENDED.items()
        ),
        _numbered("Still open", day.open),
        _accounts(here, "New accounts", day.came),
        _accounts(here, "Reports nobody took", day.reported),
        line("Problems: {n}, see `!status`", here, n=day.problems) if day.problems else (),
        here=here,
        since=day.since,
        asked=asked,
    )


def _numbered(what: str, requests: Sequence[int]) -> Text:
    """`Denied: #5, #9 and 3 more`."""
    return _named(what, [f"#{number}" for number in requests[:_NUMBERS]], len(requests))


def _accounts(here: Here, what: str, accounts: Sequence[str]) -> Text:
    """`Reports nobody took, 3: @eve (2), @max`."""
    counts = Counter(accounts)
    shown: list[Word | Text] = [
        (here.short(each, _LONG), f" ({n})") if n > 1 else here.short(each, _LONG)
        for each, n in counts.most_common(_NAMES)
    ]
    return _named(f"{what}, {len(accounts)}", shown, len(counts))


def _named(what: str, shown: Sequence[Word | Text], total: int) -> Text:
    """Nothing, if there are none."""
    more = f" and {total - len(shown)} more" if total > len(shown) else ""
    return (f"{what}: ", *listed(shown), more) if shown else ()
