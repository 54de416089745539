"""The request machine: every state change of a request stands in the table here, and nowhere else.

The theory. A request is one invocation by one person. It is *open* (PENDING) until it runs or
somebody or something ends it. There is no "approved" state: votes can be withdrawn, people leave,
policies change, so whether the votes suffice is a fact that is computed when it is needed, never a
state that is kept. An open request whose votes suffice (or that needs none) is *queued*; it
leaves the queue when they no longer do. It becomes EXECUTING in the one transaction that also
commits the intent of its first line, directly before that line is sent; every later line passes
the same conditions. What was sent ends as DONE, REFUSED or FAILED, or as UNKNOWN where nobody can
tell; only UNKNOWN can still become another, because a late answer, a look or a person told.
All other ended states absorb: no event changes them.

How to read the table. A row applies in its state, at its event, when all facts it names hold; the
first row that applies is taken. An event that may come and does nothing has a row without effects;
one that has no row cannot come, and raises. The machine knows no clock, database, policy or text:
who drives it finds the facts, makes the change as a compare-and-set on the state, and carries out
the effects, all in one transaction. `python -m sluice.requests.machine` prints what
docs/requests.md shows.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from attrs import frozen

from ..model.command import Kind
from ..model.request import State


class Event(str, Enum):
    """What can happen to a request."""

    SUBMIT = "submit"
    GLASS = "break-glass"
    APPROVE = "vote for"
    DENY = "vote against"
    WITHDRAW = "vote withdrawn"
    RECOUNT = "policy, members or power changed"
    HOLD = "somebody's word erased from outside, or unclear"
    RELEASE = "hold released"
    EDIT = "command edited"
    DELETE = "command or card deleted"
    CANCEL = "cancel"
    CLOCK = "clock"
    BEGIN = "next line may be sent"
    BREAK = "the guard breaks"
    END = "last line settled"
    TOLD = "late answer, look or resolve"
    REVIEW = "break-glass reviewed"


class Fact(str, Enum):
    """What the driver finds true of the request at this moment."""

    REFUSED_BY_POLICY = "the policy says no"
    NEEDS_VOTES = "votes are missing"
    NOT_VALID = "vote not valid"
    OWN = "by the requester"
    REASON_GONE = "asker gone, or the policy says no"
    COMPLETE = "votes suffice"
    EXPIRED = "expired"
    STALE = "queued for too long"
    REMINDER_DUE = "a reminder is due"
    STOPPED = "cancelled meanwhile"
    HELD = "held"
    PAUSED = "paused"
    IN_DOUBT = "health in doubt"
    UNHEALTHY = "health bad"
    ONLY_READS = "it only reads"
    DONE = "worst outcome done"
    REFUSED = "worst outcome refused"
    FAILED = "worst outcome failed"
    UNKNOWN = "worst outcome unknown"


class Effect(str, Enum):
    """What the driver asks the table for, and does together with the change of state.

    That a vote is kept, a hold set or a review written down is the event itself, no effect.
    """

    REJECT_VOTE = "keep the vote as rejected, answer once"
    CARD = "post the card"
    SHOW = "edit the card"
    ENTER_QUEUE = "into the queue"
    LEAVE_QUEUE = "out of the queue"
    REMIND = "remind once"
    INTENT = "commit the intent, then send"
    STOP = "send nothing more of it"
    TELL = "say how it ended"


class NotAllowed(RuntimeError):
    """The table has no row: this event cannot come in this state, or not with these facts."""


@frozen
class Transition:
    """In `state` at `event`, if all of `when` holds: go to `target` and do `effects`."""

    state: State | None  # None: it does not exist yet
    event: Event
    when: frozenset[Fact]
    target: State
    effects: tuple[Effect, ...]


def _row(
    state: State | None, event: Event, when: str, target: State, *effects: Effect
) -> Transition:
    return Transition(
        state, event, frozenset(Fact[word] for word in when.split()), target, effects
    )


OPEN = (State.PENDING, State.EXECUTING)
_CLOSED = tuple(s for s in State if s is not State.PENDING)
_ENDED = tuple(s for s in State if s not in OPEN)
_P, _X, _U = State.PENDING, State.EXECUTING, State.UNKNOWN
_E = Effect

TABLE: tuple[Transition, ...] = (
    _row(None, Event.SUBMIT, "REFUSED_BY_POLICY", State.REJECTED, _E.TELL),
    _row(None, Event.SUBMIT, "NEEDS_VOTES", _P, _E.CARD),
    _row(None, Event.SUBMIT, "", _P, _E.ENTER_QUEUE),
    _row(None, Event.GLASS, "REFUSED_BY_POLICY", State.REJECTED, _E.TELL),
    _row(None, Event.GLASS, "", _P, _E.ENTER_QUEUE),
    # votes; one that comes too late changes nothing, but is kept and answered
    *(_row(s, e, "", s, _E.REJECT_VOTE) for s in _CLOSED for e in (Event.APPROVE, Event.DENY)),
    _row(_P, Event.APPROVE, "EXPIRED", State.EXPIRED, _E.REJECT_VOTE, _E.TELL),
    _row(_P, Event.APPROVE, "NOT_VALID", _P, _E.REJECT_VOTE),
    _row(_P, Event.APPROVE, "COMPLETE", _P, _E.ENTER_QUEUE, _E.SHOW),
    _row(_P, Event.APPROVE, "", _P, _E.SHOW),
    _row(_P, Event.DENY, "EXPIRED", State.EXPIRED, _E.REJECT_VOTE, _E.TELL),
    _row(_P, Event.DENY, "OWN", State.CANCELLED, _E.TELL),
    _row(_P, Event.DENY, "NOT_VALID", _P, _E.REJECT_VOTE),
    _row(_P, Event.DENY, "", State.DENIED, _E.TELL),
    _row(_P, Event.WITHDRAW, "COMPLETE", _P, _E.SHOW),
    _row(_P, Event.WITHDRAW, "", _P, _E.LEAVE_QUEUE, _E.SHOW),
    # what nobody could read, or understand, may be a no: nothing is sent until it is said again
    *(_row(s, Event.HOLD, "", s, _E.SHOW) for s in OPEN),
    *(_row(s, Event.RELEASE, "", s, _E.SHOW) for s in OPEN),
    # the world changes
    _row(_P, Event.RECOUNT, "EXPIRED", State.EXPIRED, _E.TELL),
    _row(_P, Event.RECOUNT, "REASON_GONE", State.CANCELLED, _E.TELL),
    _row(_P, Event.RECOUNT, "COMPLETE", _P, _E.ENTER_QUEUE, _E.SHOW),
    _row(_P, Event.RECOUNT, "", _P, _E.LEAVE_QUEUE, _E.SHOW),
    _row(_P, Event.EDIT, "", State.CANCELLED, _E.TELL),
    _row(_P, Event.DELETE, "", State.CANCELLED, _E.TELL),
    *(_row(s, e, "", s) for s in _CLOSED for e in (Event.EDIT, Event.DELETE)),
    _row(_P, Event.CANCEL, "", State.CANCELLED, _E.TELL),
    _row(_P, Event.CLOCK, "EXPIRED", State.EXPIRED, _E.TELL),
    _row(_P, Event.CLOCK, "STALE", State.CANCELLED, _E.TELL),
    _row(_P, Event.CLOCK, "REMINDER_DUE NEEDS_VOTES", _P, _E.REMIND),
    _row(_P, Event.CLOCK, "", _P),
    # the guard of the first line, in the transaction of its intent
    _row(_P, Event.BEGIN, "EXPIRED", State.EXPIRED, _E.TELL),
    _row(_P, Event.BEGIN, "REASON_GONE", State.CANCELLED, _E.TELL),
    _row(_P, Event.BEGIN, "NEEDS_VOTES", _P, _E.LEAVE_QUEUE, _E.SHOW),
    _row(_P, Event.BEGIN, "HELD", _P),
    _row(_P, Event.BEGIN, "PAUSED", _P),
    _row(_P, Event.BEGIN, "STALE", State.CANCELLED, _E.TELL),
    _row(_P, Event.BEGIN, "UNHEALTHY", _P),
    _row(_P, Event.BEGIN, "IN_DOUBT", _P),
    _row(_P, Event.BEGIN, "", _X, _E.INTENT, _E.SHOW),
    # something of ours is broken: what cannot begin must not keep what stands behind it
    _row(_P, Event.BREAK, "", State.CANCELLED, _E.TELL),
    _row(_X, Event.BREAK, "", _X, _E.STOP),
    # the guard of every later line, and of one that is sent again
    _row(_X, Event.BEGIN, "STOPPED", _X, _E.STOP),
    _row(_X, Event.BEGIN, "EXPIRED", _X, _E.STOP),
    _row(_X, Event.BEGIN, "REASON_GONE", _X, _E.STOP),
    _row(_X, Event.BEGIN, "NEEDS_VOTES", _X, _E.STOP),
    _row(_X, Event.BEGIN, "HELD", _X, _E.STOP),
    _row(_X, Event.BEGIN, "PAUSED", _X, _E.STOP),
    _row(_X, Event.BEGIN, "STALE", _X, _E.STOP),
    _row(_X, Event.BEGIN, "UNHEALTHY", _X, _E.STOP),
    _row(_X, Event.BEGIN, "IN_DOUBT", _X),
    _row(_X, Event.BEGIN, "", _X, _E.INTENT, _E.SHOW),
    _row(_X, Event.CANCEL, "", _X, _E.STOP),
    *(_row(s, Event.CANCEL, "", s) for s in _ENDED),
    # endings
    _row(_X, Event.END, "UNKNOWN ONLY_READS", State.FAILED, _E.TELL),
    _row(_X, Event.END, "UNKNOWN", _U, _E.TELL),
    _row(_X, Event.END, "FAILED", State.FAILED, _E.TELL),
    _row(_X, Event.END, "REFUSED", State.REFUSED, _E.TELL),
    _row(_X, Event.END, "DONE", State.DONE, _E.TELL),
    _row(_U, Event.TOLD, "FAILED", State.FAILED, _E.TELL),
    _row(_U, Event.TOLD, "REFUSED", State.REFUSED, _E.TELL),
    _row(_U, Event.TOLD, "DONE", State.DONE, _E.TELL),
    _row(_U, Event.TOLD, "", _U),
    *(_row(s, Event.REVIEW, "", s) for s in State),
)


def step(state: State | None, event: Event, facts: Iterable[Fact] = ()) -> Transition:
    """The first row that applies; raises NotAllowed where none does."""
    holds = frozenset(facts)
    for row in TABLE:
        if row.state is state and row.event is event and row.when <= holds:
            return row
    known = ", ".join(sorted(fact.value for fact in holds))
    raise NotAllowed(f"{event.value} of {state.value if state else 'nothing'} ({known})")


def worst(outcomes: Iterable[Kind]) -> Fact:
    """What the lines of one request come to: the worst of them."""
    seen = frozenset(outcomes)
    for kind in (Kind.UNKNOWN, Kind.FAILED, Kind.REFUSED):
        if kind in seen:
            return Fact[kind.name]
    return Fact.DONE if seen else Fact.FAILED


def diagram() -> str:
    """The table as a mermaid state diagram: changes of state only, one arrow a pair of states."""
    labels: dict[tuple[str, str], list[str]] = {}
    for row in TABLE:
        if row.state is row.target:
            continue
        start = row.state.name if row.state else "[*]"
        label = row.event.value
        if row.when:
            facts = sorted(f.value for f in row.when)
            label += f" ({' and '.join(facts)})"
        labels.setdefault((start, row.target.name), []).append(label)
    ended = [s.name for s in State if s not in (*OPEN, State.UNKNOWN)]
    arrows = [f"    {a} --> {b}: {'<br>'.join(words)}" for (a, b), words in labels.items()]
    return "\n".join(["stateDiagram-v2", *arrows, *(f"    {name} --> [*]" for name in ended)])


def rows() -> str:
    """The whole table as markdown; rows that differ in the state only are one."""
    states: dict[tuple[str, ...], list[str]] = {}
    for row in TABLE:
        what = (
            row.event.value,
            " and ".join(sorted(f.value for f in row.when)) or "else",
            row.target.name if row.target is not row.state else "(stays)",
            ", ".join(effect.value for effect in row.effects) or "nothing",
        )
        states.setdefault(what, []).append(row.state.name if row.state else "(new)")
    lines = ["| in | at | when | goes to | and |", "|---|---|---|---|---|"]
    lines += [f"| {' | '.join((', '.join(names), *what))} |" for what, names in states.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    print(f"```mermaid\n{diagram()}\n```\n\n{rows()}")
