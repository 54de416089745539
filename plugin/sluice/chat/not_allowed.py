"""What is said to commands that open no request, or that come too late to change one."""

from __future__ import annotations

from collections.abc import Sequence

from ..model.decision import Decision
from ..model.request import Request, State
from ..text.message import Message, Text, code
from ..text.phrases import Here, count, not_run, people, person, view
from ..text.times import about
from .cards import called


def not_allowed(number: int, decision: Decision, here: Here, then: Text = ()) -> Message:
    """The policy or a built-in rule says no. number: of the request that `why` explains.

    then: what to say instead of who can.
    """
    now = " now" if decision.retry_at is not None and _verb(decision) == "deny" else ""
    head: Text = (f"Not allowed{now} (#{number}): ", *decision.because, ".")
    can: Text = (*people(decision.can), " can.") if decision.can else ("Nobody can.",)
    if then:
        return not_run(head, then)
    if decision.fixed:
        return not_run((*head, " Built in, nobody can."))
    if (left := _left(decision)) > 0:
        ask: Text = (", or ask ", *people(decision.can)) if decision.can else ()
        return not_run((*head, " Nothing was done."), (f"Send {left} or fewer", *ask, "."))
    if decision.retry_at is not None:
        when = here.clock.at(decision.retry_at)
        if now:
            return not_run(head, f"Again from {when}. Break-glass does not get around it.")
        wait = about(decision.retry_at - here.clock.now)
        whose = "Your next" if any(q.per == "person" for q in decision.limits) else "Next"
        return not_run(
            head, (f"{whose}: {when} ({wait}).", *((" ", *can) if decision.can else ()))
        )
    first = decision.because[:1]
    by_rule = first and isinstance(first[0], str) and first[0].startswith(("rule ", "line "))
    why: Text = (" More: ", here.cmd(f"why {number}")) if by_rule else ()
    return not_run((*head, " ", *can, *why))


def _left(decision: Decision) -> int:
    """How many of a list a limit would still let through; 0 if that is not why."""
    labels = {rule.label for rule in decision.rules if rule.verb == "limit"}
    return min((q.left for q in decision.limits if q.rule.label in labels), default=0)


def _verb(decision: Decision) -> str:
    return decision.rules[0].verb if decision.rules else ""


def cap_person(ids: Sequence[int], here: Here) -> Message:
    which = ", ".join(f"#{n}" for n in ids)
    return not_run(
        f"Not run: you have {count(len(ids), 'open request')} ({which}), the most for one person.",
        ("Wait for votes, or take one back: ", here.cmd(f"cancel {ids[0]}")),
    )


def cap_all(n: int, here: Here) -> Message:
    vote = here.cmd("pending")
    return not_run((f"Not run: {n} requests are open, the most for all. Vote first: ", vote))


def line_full(n: int, own: bool) -> Message:
    whose = f"{n} of your commands wait, the most for one person" if own else ""
    return not_run(f"Not run: {whose or f'{n} commands wait, the most'}. Try again in a minute.")


def asked_already(request: Request, may_vote: bool, here: Here) -> Message:
    """📋 somebody asks for what is open already."""
    until = f", open until {here.clock.at(request.expires)}" if request.expires is not None else ""
    if request.state is State.EXECUTING:
        until = ", running now"
    vote: Text = (" You can approve it: ", here.cmd(f"approve {request.id}")) if may_vote else ()
    who = person(request.person)
    return view((f"#{request.id} asks for that already (", who, f"{until}).", *vote))


def rejected_more(until: float, here: Here) -> Message:
    """The one answer to the rest of an hour's not allowed commands."""
    when = here.clock.at(until)
    return not_run(f"Not allowed, as 30 times in an hour. I answer such commands again at {when}.")


def too_late_to_edit(request: Request, undo: Text) -> Message:
    """undo: the line that takes it back, empty while it is not done."""
    ran = "runs" if request.state is State.EXECUTING else "has run"
    head: Text = (f"Too late: #{request.id} {ran} as ", code(request.text), ".")
    return not_run((*head, " Your edit changes nothing."), *([undo] if undo else []))


def too_late_to_cancel(request: Request, undo: Text) -> Message:
    if request.state is State.EXECUTING:
        return not_run(f"#{request.id} was sent already and cannot be stopped.")
    head = (
        f"#{request.id} is {called(request.state)} already; only open requests can be cancelled."
    )
    return not_run((head, *((" ", *undo) if undo else ())))


def no_such(wanted: int, newest: int) -> Message:
    return view(f"There is no #{wanted}; the newest is #{newest}.")


def nothing_to_resolve(request: Request) -> Message:
    return view(f"#{request.id} is {called(request.state)}; there is nothing to resolve.")
