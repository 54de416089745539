"""The new message when a request is over and nothing of it ran: it pushes who asked."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from ..model.request import Request, State, WhyKind
from ..text.message import Message, Text, quote
from ..text.phrases import Here, capital, not_run, person
from ..text.saying import says
from .ended import alone
from .headline import headline, typed
from .undo import AGAIN

_SHORT = 40  # characters of words that stand in a first line
_VOTES = {
    WhyKind.NO_VOTE: "nobody voted",
    WhyKind.SOME_VOTES: "it had {} votes",
    WhyKind.BEFORE_ITS_TURN: "it had its votes, and its turn did not come",
}


def over(request: Request, here: Here, why: str = "", *, again: bool = False) -> Message:
    """Below the card. why: the words of whoever denied it. again: by a tap."""
    what, note = headline(here, request.invocation), request.note
    by: Text = (" by ", person(note.by)) if note.kind is WhyKind.BY else ()
    if request.state is State.DENIED:
        denied: Text = (*what, " denied", *by)
        if len(why) > _SHORT:
            return not_run(denied, (quote(why),), to=request.mxid)
        reason: Text = (": ", quote(why)) if why else (", without a reason.",)
        return not_run((*denied, *reason), to=request.mxid)
    if request.state is State.EXPIRED:
        votes = _VOTES.get(note.kind, "").format(note.by)
        head = (*what, " expired", f": {votes}. " if votes else ". ")
        return _with_tap(not_run((*head, *_again(again=again)), to=request.mxid), again=again)
    if by:
        return not_run((*what, " cancelled", *by, "."), to=request.mxid)
    because: Text = (", ", *alone(note)) if note else ()
    return not_run(("Not run: ", *what, *because, "."), to=request.mxid)


def not_started(request: Request, here: Here, *, again: bool) -> Message:
    """The reply to a command without a card that left the line: it was never sent."""
    why = alone(request.note) if request.note else ("it is over",)
    head = ("Not run: ", typed(here, request.invocation), ", ", *why)
    return _with_tap(not_run(head, _again(again=again), to=request.mxid), again=again)


def elsewhere(request: Request, push: Sequence[str], here: Here) -> Message:
    """❗ in another room, how a request ended whose own room I cannot speak in now."""
    head, because = how(request, here)
    return _elsewhere(request, head, because, push)


@says("""❗ {head}
{because}
Asked by {request.person:person} in `{request.room}`, where I cannot say it now.""")
def _elsewhere(request: Request, head: Text, because: Text, push: Sequence[str]) -> None: ...


_ENDS = {
    State.DENIED: "Denied",
    State.EXPIRED: "Expired",
    State.DONE: "Done",
    State.REFUSED: "Failed",
    State.FAILED: "Failed",
    State.UNKNOWN: "Outcome unknown",
}


def how(request: Request, here: Here) -> tuple[Text, Text]:
    """`Denied by dan: deactivate @max · #29`, and why, where nobody did it."""
    note, word = request.note, _ENDS.get(request.state, "Not run")
    what: Text = (": ", *headline(here, request.invocation), f" · #{request.id}")
    if note.kind is WhyKind.BY:
        word = word if request.state is State.DENIED else "Cancelled"
        return (f"{word} by ", person(note.by), *what), ()
    if note.kind in _VOTES:
        return (word, *what), capital((_VOTES[note.kind].format(note.by), "."))
    words = alone(note) if note else ()
    words = words if not words or words[0] == person(note.by) else capital(words)
    return (word, *what), (*words, ".") if words else ()


def _again(*, again: bool) -> Text:
    return (f"Again: tap {AGAIN}",) if again else ("Send it again if it is still wanted.",)


def _with_tap(message: Message, *, again: bool) -> Message:
    return evolve(message, taps=(AGAIN,)) if again else message
