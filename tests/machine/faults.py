"""Mistakes that somebody could make in the service; the state machine must find every one.

Each is put in by replacing one function, as a wrong version of it would behave.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

from attrs import evolve

from sluice.model.command import Invocation
from sluice.model.decision import Verdict
from sluice.model.request import Rejection, State
from sluice.requests import desk, erased, guard, holds, machine, standing, store, submit, voting
from sluice.requests.desk import Desk
from sluice.requests.machine import Event, Fact
from sluice.requests.tally import Tally

from .approvals import PEOPLE, World

Fault = Callable[[ExitStack], None]
FAULTS: dict[str, Fault] = {}


def fault(put_in: Fault) -> Fault:
    FAULTS[put_in.__name__] = put_in
    return put_in


def replace(stack: ExitStack, owner: Any, name: str, new: Any) -> None:
    stack.enter_context(patch.object(owner, name, new))


# --- sending


@fault
def retry_new_txn(stack: ExitStack) -> None:
    """After a crash the line is sent again, with a txn id of its own."""
    replace(stack, World, "unique_txn", True)


@fault
def send_first(stack: ExitStack) -> None:
    """The line is sent, then its intent is written down."""
    replace(stack, World, "send_first", True)


def stale_reads(stack: ExitStack) -> None:
    """Not a fault yet: the runner goes on with the request as it was when its turn was chosen."""
    chosen: dict[int, Any] = {}
    next_turn, get = guard.next_turn, store.get

    async def choose(desk: Desk) -> Any:
        turn = await next_turn(desk)
        if turn is not None:
            chosen[turn.request] = await get(desk.tx, turn.request)
        return turn

    async def begin(desk: Desk, turn: Any, *rest: Any) -> Any:
        with patch.object(store, "get", stale_get):
            return await begin_anew(desk, turn, *rest)

    async def stale_get(tx: Any, number: int) -> Any:
        return chosen.pop(number, None) or await get(tx, number)

    begin_anew = guard.begin
    replace(stack, guard, "next_turn", choose)
    replace(stack, guard, "begin", begin)


@fault
def no_cas(stack: ExitStack) -> None:
    """A change of state does not look at the state that it changes."""
    stale_reads(stack)
    change, in_any = store.change, tuple(State)

    async def blind(tx: Any, request: int, source: State, **columns: Any) -> bool:
        return any([await change(tx, request, state, **columns) for state in in_any])

    replace(stack, store, "change", blind)


# --- votes


@fault
def hold_forgotten(stack: ExitStack) -> None:
    """The line is chosen and sent as if nothing had been erased."""

    async def none(*_: Any) -> list[Any]:
        return []

    replace(stack, holds, "requests", none)
    replace(stack, standing, "held_by", none)


@fault
def anybody_releases(stack: ExitStack) -> None:
    """Any owner's tap on the alarm, also of who asked."""
    replace(stack, erased, "_is_apart", lambda *_: True)


@fault
def self_by_mxid(stack: ExitStack) -> None:
    """Persons are compared by account."""
    replace(stack, standing, "same_person", lambda *policies: lambda mxid: mxid)


@fault
def count_votes(stack: ExitStack) -> None:
    """Votes are counted, whoever could fill which slot."""

    def counted(slots: Any, voters: Any, holds: Any, person: Any, excluded: Any = ()) -> Tally:
        needed = sum(slot.n for slot in slots)
        filled = min(len({person(voter) for voter in voters}), needed)
        missing = () if filled == needed else tuple(slots)
        return Tally(filled, needed, missing, tuple(voters)[:filled])

    replace(stack, standing, "tally", counted)


@fault
def no_role_recheck(stack: ExitStack) -> None:
    """Who held a role once is taken to hold it."""
    holds, once = standing.holds_role, set()

    def trusting(policy: Any, mxid: str, role: str, *rest: Any) -> bool:
        once.update([(mxid, role)] if holds(policy, mxid, role, *rest) else [])
        return (mxid, role) in once

    replace(stack, standing, "holds_role", trusting)


@fault
def no_member_recheck(stack: ExitStack) -> None:
    """Who voted is taken to be in the room still."""
    count = standing.count

    async def anywhere(here: Desk, request: Any, now: Any) -> Any:
        room: Any = here.view.rooms[request.room]
        joined, room.joined = room.joined, set(PEOPLE)
        try:
            return await count(here, request, now)
        finally:
            room.joined = joined

    replace(stack, standing, "count", anywhere)


@fault
def snapshot_only(stack: ExitStack) -> None:
    """What the policy asked for at submit is what counts."""
    replace(stack, standing, "largest", lambda then, now: tuple(then))


@fault
def current_only(stack: ExitStack) -> None:
    """What the policy asks for now is what counts."""
    replace(stack, standing, "largest", lambda then, now: tuple(now))


@fault
def no_digest(stack: ExitStack) -> None:
    """An edit changes the request and keeps its votes."""

    async def in_place(
        desk: Desk, room: str, command: str, mxid: str, event_id: str, anew: Any
    ) -> None:
        request = await store.of_command(desk.tx, room, command)
        if request is not None and request.mxid == mxid and request.state is State.PENDING:
            what: Invocation = anew.invocation
            await store.change(desk.tx, request.id, State.PENDING, invocation=what)

    replace(stack, submit, "edited", in_place)


@fault
def forget_rejected(stack: ExitStack) -> None:
    """A vote that does not count is not remembered."""
    add = store.add_vote

    async def forget(tx: Any, vote: Any) -> bool:
        return vote.cause is not Rejection.NONE or await add(tx, vote)

    replace(stack, store, "add_vote", forget)


@fault
def deny_ignored(stack: ExitStack) -> None:
    """A vote against is kept and changes nothing."""
    step = machine.step

    def deaf(state: Any, event: Event, facts: Any = ()) -> Any:
        if event is Event.DENY:
            return machine.Transition(state, event, frozenset(), state, ())
        return step(state, event, facts)

    replace(stack, desk, "step", deaf)


@fault
def edit_ignored(stack: ExitStack) -> None:
    """An edit is not looked at."""

    async def nothing(*args: Any) -> None:
        return None

    replace(stack, submit, "edited", nothing)


# --- the guard


@fault
def no_ttl(stack: ExitStack) -> None:
    """Nothing expires but by the timer."""
    weigh = standing.weigh

    async def ageless(desk: Desk, request: Any, **more: Any) -> Any:
        weighed = await weigh(desk, request, **more)
        facts = {fact: why for fact, why in weighed.facts.items() if fact is not Fact.EXPIRED}
        return evolve(weighed, facts=facts)

    for module in (guard, voting):
        replace(stack, module, "weigh", ageless)


@fault
def no_policy_recheck(stack: ExitStack) -> None:
    """What was allowed at submit is allowed."""
    judge_again = standing.judge_again

    async def lenient(desk: Desk, request: Any, **more: Any) -> Any:
        decision = await judge_again(desk, request, **more)
        return evolve(decision, verdict=Verdict.ALLOW)

    replace(stack, standing, "judge_again", lenient)


@fault
def audit_open(stack: ExitStack) -> None:
    """What cannot be written into the log is done without."""
    record = Desk.record

    async def unlogged(self: Desk, *args: Any, **fields: Any) -> None:
        try:
            await record(self, *args, **fields)
        except OSError:
            pass

    replace(stack, Desk, "record", unlogged)
