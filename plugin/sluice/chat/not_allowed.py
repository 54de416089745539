"""What is said to commands that open no request, or that come too late to change one."""

from __future__ import annotations

from collections.abc import Sequence

from ..model.decision import Decision
from ..model.request import Request, State
from ..text.message import Message, Text, plain
from ..text.phrases import Here, below, capital, line, not_run, people, view
from ..text.saying import says
from ..text.times import about
from .ended import called

# What is for others, not by a line of the policy but by the request itself: why the rest may not.
CANCEL = "only who asked, or who may deny it, can cancel it"
RESOLVE = "only somebody who could have approved it can say how it ended"
RESOLVE_OWN = "you asked for it, so somebody else must say how it ended"
TRUST = "trust is for an owner who neither asked nor gets the role back"


def not_yours(because: str, can: Sequence[str]) -> Message:
    """The request itself says no. because: one of these; can: names of those who may."""
    who: Text = (": ", *people(can), ".") if can else (". Nobody here can.",)
    return not_run((*capital((because,)), *who))


def not_allowed(number: int, decision: Decision, here: Here, then: Text = ()) -> Message:
    """The policy or a built-in rule says no. number: of the request that `why` explains.

    then: what to say instead of who can.
    """
    now = " now" if decision.retry_at is not None and _verb(decision) == "deny" else ""
    head: Text = (f"Not allowed{now} (#{number}): ", *decision.because, stop(decision.because))
    if then:
        return not_run(head, then)
    if decision.fixed:
        return not_run((*head, " Built in, nobody can."))
    if (left := _left(decision)) > 0:
        ask = line(", or ask {can:people}", can=decision.can) if decision.can else ()
        fewer = line("Send {left} or fewer{ask}.", left=left, ask=ask)
        return not_run((*head, " Nothing was done."), fewer)
    if decision.retry_at is not None:
        return not_run(head, _later(decision, decision.retry_at, here, denied=bool(now)))
    by_rule = _verb(decision) == "deny" or (decision.checked and not decision.by_role)
    why = line(" Why: `!why {number}`", here, number=number) if by_rule else ()
    nobody = " Nobody can now." if decision.by_role else " Nobody can."
    can: Text = (*(_can(decision) or (nobody,)), *why)
    return not_run((*head, *can)) if stop(decision.because) else not_run(head, below(can))


def stop(clause: Text) -> str:
    """The full stop behind it, none behind a sign that would be lost in it."""
    return "" if plain(clause)[-1:] in "-_." else "."


def _can(decision: Decision) -> Text:
    """` cy or ana can.`"""
    return line(" {can:people} can.", can=decision.can) if decision.can else ()


def _later(decision: Decision, at: float, here: Here, *, denied: bool) -> Text:
    """When it is possible again."""
    if denied:
        return line("Again from {at:at}. Break-glass does not get around it.", here, at=at)
    whose = "Your next" if any(q.per == "person" for q in decision.limits) else "Next"
    wait = about(at - here.clock.now)
    when = line("{whose}: {at:at} ({wait}).", here, whose=whose, at=at, wait=wait)
    return (*when, *_can(decision))


def _left(decision: Decision) -> int:
    """How many of a list a limit would still let through; 0 if that is not why."""
    labels = {rule.label for rule in decision.rules if rule.verb == "limit"}
    return min((q.left for q in decision.limits if q.rule.label in labels), default=0)


def _verb(decision: Decision) -> str:
    return decision.rules[0].verb if decision.rules else ""


def cap_person(ids: Sequence[int], here: Here) -> Message:
    return _cap_person(here, ids, ids[0])


@says("""⛔ Not run: you have {ids:count open request} ({ids:numbers}), the most for one person.
Wait for votes, or take one back: `!cancel {first}`""")
def _cap_person(here: Here, ids: Sequence[int], first: int) -> None: ...


@says("⛔ Not run: {n} requests are open, the most for all. Vote first: `!pending`")
def cap_all(n: int, here: Here) -> None: ...


def queue_full(n: int, own: bool) -> Message:
    return _own_line_full(n) if own else _line_full(n)


@says("""⛔ Not run: {n} of your commands wait, the most for one person. Try again in a minute.""")
def _own_line_full(n: int) -> None: ...


@says("⛔ Not run: {n} commands wait, the most. Try again in a minute.")
def _line_full(n: int) -> None: ...


def asked_already(request: Request, may_vote: bool, here: Here) -> Message:
    """📋 somebody asks for what is open already."""
    until = f", open until {here.clock.at(request.expires)}" if request.expires is not None else ""
    if request.state is State.EXECUTING:
        until = ", running now"
    vote = line(" You can approve it: `!approve {id}`", here, id=request.id) if may_vote else ()
    return _asked_already(request, until, vote)


@says("📋 #{request.id} asks for that already ({request.person:person}{until}).{vote}")
def _asked_already(request: Request, until: str, vote: Text) -> None: ...


@says("⛔ Not allowed, as 30 times in an hour. I answer such commands again at {until:at}.")
def rejected_more(until: float, here: Here) -> None:
    """The one answer to the rest of an hour's not allowed commands."""


def too_late_to_edit(request: Request, undo: Text) -> Message:
    """undo: the line that takes it back, empty while it is not done."""
    return _too_late(request, "runs" if request.state is State.EXECUTING else "has run", undo)


@says("""⛔ Too late: #{request.id} {ran} as `{request.text}`. Your edit changes nothing.
{undo}""")
def _too_late(request: Request, ran: str, undo: Text) -> None: ...


def too_late_to_cancel(request: Request, undo: Text) -> Message:
    if request.state is State.EXECUTING:
        return _cannot_be_stopped(request)
    return _not_open(request, called(request.state), (" ", *undo) if undo else ())


@says("⛔ #{request.id} was sent already and cannot be stopped.")
def _cannot_be_stopped(request: Request) -> None: ...


@says("⛔ #{request.id} is {state} already; only open requests can be cancelled.{undo}")
def _not_open(request: Request, state: str, undo: Text) -> None: ...


def no_such(wanted: int, newest: int) -> Message:
    return _no_such(wanted, newest) if newest else _none_yet(wanted)


@says("📋 There is no #{wanted}; the newest is #{newest}.")
def _no_such(wanted: int, newest: int) -> None: ...


@says("📋 There is no #{wanted}: nothing was asked for yet.")
def _none_yet(wanted: int) -> None: ...


def nothing_to_resolve(request: Request) -> Message:
    state = called(request.state)
    return view("#{id} is {state}; there is nothing to resolve.", id=request.id, state=state)
