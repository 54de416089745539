"""The table of the request machine, as a table: what must hold for every row and every fact."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.model.command import Kind
from sluice.model.request import State
from sluice.requests import machine
from sluice.requests.machine import TABLE, Effect, Event, Fact, NotAllowed, Transition, step, worst


def allowed(state: State, event: Event, facts: set[Fact]) -> Transition | None:
    try:
        return step(state, event, facts)
    except NotAllowed:
        return None


ENDED = tuple(s for s in State if s not in (State.PENDING, State.EXECUTING, State.UNKNOWN))
facts = st.sets(st.sampled_from(Fact))


@given(state=st.sampled_from(ENDED), event=st.sampled_from(Event), facts=facts)
def test_terminal_states_absorb(state: State, event: Event, facts: set[Fact]) -> None:
    row = allowed(state, event, facts)
    assert row is None or row.target is state


@given(event=st.sampled_from(Event), facts=facts)
def test_an_unknown_outcome_becomes_done_refused_or_failed_and_nothing_else(
    event: Event, facts: set[Fact]
) -> None:
    row = allowed(State.UNKNOWN, event, facts)
    assert row is None or row.target in (
        State.UNKNOWN,
        State.DONE,
        State.REFUSED,
        State.FAILED,
    )


@given(state=st.sampled_from(State), event=st.sampled_from(Event), facts=facts)
def test_an_intent_is_committed_only_when_nothing_stands_against_it(
    state: State, event: Event, facts: set[Fact]
) -> None:
    against = {
        Fact.EXPIRED,
        Fact.REASON_GONE,
        Fact.NEEDS_VOTES,
        Fact.PAUSED,
        Fact.UNHEALTHY,
        Fact.IN_DOUBT,
    }
    against |= {Fact.STALE} if state is State.PENDING else {Fact.STOPPED}
    row = allowed(state, event, facts)
    if row is not None and Effect.INTENT in row.effects:
        assert event is Event.BEGIN
        assert row.target is State.EXECUTING
        assert not facts & against


def test_only_the_guard_starts_a_request() -> None:
    starts = [row for row in TABLE if row.target is State.EXECUTING is not row.state]
    assert [(row.state, row.event) for row in starts] == [(State.PENDING, Event.BEGIN)]


def test_a_vote_never_starts_anything_and_a_late_one_is_kept_as_rejected() -> None:
    for state in State:
        for event in (Event.APPROVE, Event.DENY):
            row = step(state, event, [Fact.NOT_VALID])
            assert Effect.REJECT_VOTE in row.effects
            assert row.target is state


def test_a_deny_ends_an_open_request_whatever_the_votes_for_it() -> None:
    row = step(State.PENDING, Event.DENY, [Fact.COMPLETE])
    assert row.target is State.DENIED


def test_an_event_that_cannot_come_raises_and_one_that_does_nothing_has_a_row() -> None:
    with pytest.raises(NotAllowed, match="last line settled of pending"):
        step(State.PENDING, Event.END, [Fact.DONE])
    row = step(State.DONE, Event.DELETE)
    assert (row.target, row.effects) == (State.DONE, ())


def test_every_row_can_be_reached() -> None:
    for row in TABLE:
        assert step(row.state, row.event, row.when) is row


@pytest.mark.parametrize(
    ("kinds", "fact"),
    [
        ([Kind.DONE, Kind.DONE], Fact.DONE),
        ([Kind.DONE, Kind.REFUSED], Fact.REFUSED),
        ([Kind.REFUSED, Kind.FAILED, Kind.DONE], Fact.FAILED),
        ([Kind.FAILED, Kind.UNKNOWN], Fact.UNKNOWN),
        ([], Fact.FAILED),
    ],
)
def test_the_worst_outcome_of_the_lines_counts(kinds: list[Kind], fact: Fact) -> None:
    assert worst(kinds) is fact


def test_a_command_that_only_reads_is_never_unknown() -> None:
    row = step(State.EXECUTING, Event.END, [Fact.UNKNOWN, Fact.ONLY_READS])
    assert row.target is State.FAILED


def test_the_docs_show_the_table_as_it_is() -> None:
    page = (Path(__file__).parents[2] / "docs" / "requests.md").read_text(encoding="utf-8")
    for part in (machine.diagram(), machine.rows()):
        assert part in page, "run: python -m sluice.requests.machine, and put it into the page"
