"""The queue, and the guard of every line: in one transaction with the line's intent.

The runner asks `next_turn`, then `begin`: that one looks at everything again, and what it allows
is committed (state, intent in the audit, uses of limits) before anything is sent. What became of a
line is reported with `line_not_sent` or `line_settled`; `finish.settled` follows the last.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Union

from attrs import evolve, frozen

from ..catalog.record import Does
from ..catalog.table import COMMANDS
from ..model.command import Kind, Line, Outcome
from ..model.request import NO_WHY, LineRow, LineState, Pause, Request, State, Vote, Why, WhyKind
from ..policy.decide import limits_of
from ..policy.people import is_named
from ..typed.parse import targets
from ..view import Readiness
from . import holds, limits, store
from .desk import Changed, Desk, only_reads
from .finish import DISTRUST, closed
from .machine import OPEN, Effect, Event, Fact
from .standing import Weighed, weigh
from .submit import need_votes

_OUT = (LineState.SENDING, LineState.SENT, LineState.ANSWERED)


@frozen
class Turn:
    """Whose line may be sent next. number: of the line, from 1."""

    request: int
    number: int


@frozen
class Go:
    """The intent is stored: send this line."""

    request: Request


@frozen
class Wait:
    """Not now; ask again when something changes."""


@frozen
class Stop:
    """Nothing more of it is sent. ended: it never ran and is over; else the caller ends it."""

    request: Request
    ended: bool


async def next_turn(desk: Desk, unheard: Collection[str] = ()) -> Turn | None:
    """The next in the queue; a request between its lines comes after those that waited meanwhile.

    What belongs to a room that is aside or mute lets the others pass, and so does that of an
    unheard one, in which something may stand that is not known yet. Of what runs and waited for a
    room aside for too long the turn comes all the same, to be stopped by `begin`.
    """
    paused, aside = await store.pause(desk.tx) is not None, desk.view.aside
    silent = {*aside, *desk.view.mute, *unheard}
    turns: list[tuple[float, int, int]] = []
    for request, lines in await executing(desk):
        if any(line.state in _OUT for line in lines):
            return None  # one line at a time is in the admin room
        waiting = [line.number for line in lines if line.state is LineState.WAITING]
        if waiting:
            since = max(line.answered_at or request.created for line in lines)
            if request.room not in silent or desk.given_up(request.room, since):
                turns.append((since, request.id, waiting[0]))
    held = await holds.requests(desk.tx)
    for request in await store.queue(desk.tx, 1000 if paused or held or silent else 1):
        if request.id in held or request.room in silent:
            continue
        if not paused or only_reads(request.invocation):
            turns.append((request.queued_since or desk.now, request.id, 1))
    return Turn(*min(turns)[1:]) if turns else None


async def executing(desk: Desk) -> list[tuple[Request, list[LineRow]]]:
    """What a restart must settle: requests that run, with their lines."""
    running = await store.in_state(desk.tx, State.EXECUTING)
    return [(request, await store.lines(desk.tx, request.id)) for request in running]


async def begin(
    desk: Desk, turn: Turn, lines: Sequence[Line], intent: Mapping[str, object]
) -> Union[Go, Wait, Stop]:
    """The guard, and if it holds the intent of this line.

    lines: all lines of the request, the same at every call. intent: what the audit keeps of the
    sending (txn id, device, policy).
    """
    request = await store.get(desk.tx, turn.request)
    if request is None or request.state not in OPEN:
        return Wait()
    if not desk.sees(request) or desk.muted(request):
        return Wait()
    if request.state is State.PENDING and request.queued_since is None:
        return Wait()
    weighed = await weigh(desk, request, limited=True)
    pause = await store.pause(desk.tx)
    if request.room in desk.view.aside and not await _given_up(desk, request):
        return Wait()
    facts = _facts(desk, request, turn, weighed, pause)
    pending = request.state is State.PENDING
    effects, after = await desk.apply(request, Event.BEGIN, facts)
    if Effect.INTENT in effects:
        return Go(await _commit(desk, after, turn, lines, intent, weighed, first=pending))
    if Effect.STOP in effects:
        return Stop(after, ended=False)
    if Effect.TELL in effects:
        await closed(desk, after)
        return Stop(after, ended=True)
    if Effect.SHOW in effects:
        await need_votes(desk, after, weighed)
    return Wait()


async def _given_up(desk: Desk, request: Request) -> bool:
    """Whether a request that runs has waited too long for its room, which is aside."""
    rows = await store.lines(desk.tx, request.id)
    since = max((row.answered_at or request.created for row in rows), default=desk.now)
    return desk.given_up(request.room, since)


async def broken(desk: Desk, number: int, error: str) -> Request | None:
    """The guard of this request raised, by a mistake of ours: it ends, or no more of it is sent.

    error: the class of what was raised. None: it has ended meanwhile.
    """
    request = await store.get(desk.tx, number)
    if request is None or request.state not in OPEN:
        return None
    _, after = await desk.apply(request, Event.BREAK, note=Why(WhyKind.ERROR, error))
    return after


def _facts(
    desk: Desk, request: Request, turn: Turn, weighed: Weighed, pause: Pause | None
) -> dict[Fact, Why]:
    facts, aside = dict(weighed.facts), desk.view.aside.get(request.room)
    if turn.number > 1:
        facts.pop(Fact.EXPIRED, None)
    if request.stop:
        facts[Fact.STOPPED] = request.stop
    if pause is not None and not only_reads(request.invocation):
        facts[Fact.PAUSED] = Why(WhyKind.PAUSED, pause.by)
    if request.state is State.EXECUTING:
        stale = aside is not None
    else:
        waited = desk.now - (request.queued_since or desk.now)
        stale = not weighed.votes.slots and waited > desk.view.max_age
    if stale:
        facts[Fact.STALE] = Why(aside.why) if aside else _too_late(desk)
    if desk.view.health is Readiness.BAD:
        facts[Fact.UNHEALTHY] = Why(WhyKind.NO_ANSWER)
    if desk.view.health is Readiness.DOUBT:
        facts[Fact.IN_DOUBT] = NO_WHY
    return facts


def _too_late(desk: Desk) -> Why:
    """Why nothing came of it for so long."""
    since = desk.view.silent_since
    return Why(WhyKind.SILENT, desk.here.clock.at(since)) if since else Why(WhyKind.TOO_LATE)


async def _commit(
    desk: Desk,
    request: Request,
    turn: Turn,
    lines: Sequence[Line],
    intent: Mapping[str, object],
    weighed: Weighed,
    *,
    first: bool,
) -> Request:
    tx, names = desk.tx, weighed.votes.standing.by
    if first:
        await store.plan(tx, request.id, [max(len(line.items), 1) for line in lines])
        await store.change(tx, request.id, request.state, lines=len(lines), approved=names)
        request = evolve(request, lines=len(lines), approved=names)
        await _take_limits(desk, request, lines)
        if COMMANDS[request.invocation.command].does is Does.RESETS_PASSWORD:
            for mxid in targets(request.invocation):
                if is_named(desk.policy, mxid):
                    await store.distrust(tx, mxid, desk.now + DISTRUST, request.id)
    sending = {"state": LineState.SENDING, "sent_at": desk.now}
    if not await store.change_line(tx, turn.request, turn.number, LineState.WAITING, **sending):
        raise Changed(f"line {turn.number} of #{request.id} is not waiting")
    stored = reversed(await store.votes(tx, request.id))
    standing: dict[str, Vote] = {vote.mxid: vote for vote in stored if vote.approves}
    votes = [
        {"mxid": vote.mxid, "person": vote.person, "event": vote.event_id, "how": vote.how.value}
        for vote in map(standing.__getitem__, weighed.votes.tally.by)
    ]
    rules = [matched.label for matched in weighed.decision.rules]
    fields = {"line": turn.number, "votes": votes, "rules": rules, "glass": request.glass}
    await desk.record("intent", request, **fields, **intent)
    if request.slots:
        await desk.show_running(request)
    return request


async def _take_limits(desk: Desk, request: Request, lines: Sequence[Line]) -> None:
    """What limits count: targets line by line, or the request with its first line."""
    asker = desk.asker(request.room, request.mxid)
    sizes = [max(len(line.items), 1) for line in lines]
    for limit in limits_of(request.invocation, asker, desk.policy, desk.now):
        parts = sizes if limit.cost == sum(sizes) else [limit.cost]
        for number, n in enumerate(parts, 1):
            await limits.use(desk.tx, limit.key, request.mxid, desk.now, n, request.id, number)


# what became of a line


async def line_not_sent(desk: Desk, turn: Turn) -> bool:
    """It is proven that it did not arrive: `begin` may try it again, with the whole guard."""
    return await store.change_line(
        desk.tx,
        turn.request,
        turn.number,
        LineState.SENDING,
        state=LineState.WAITING,
        sent_at=None,
        event_id=None,
    )


async def line_settled(desk: Desk, turn: Turn, outcome: Outcome) -> bool:
    """What became of it. An unknown outcome is replaced once something tells."""
    request = await store.get(desk.tx, turn.request)
    if request is None or request.state not in (State.EXECUTING, State.UNKNOWN):
        return False
    unknown = request.state is State.UNKNOWN
    sources = (LineState.SETTLED,) if unknown else (LineState.WAITING, *_OUT)
    before = next(
        row for row in await store.lines(desk.tx, request.id) if row.number == turn.number
    )
    if unknown and before.outcome is not None and before.outcome.kind is not Kind.UNKNOWN:
        return False
    columns: dict[str, object] = {"state": LineState.SETTLED, "outcome": outcome}
    columns["answered_at"] = before.answered_at or desk.now
    if not await store.change_line(desk.tx, request.id, turn.number, *sources, **columns):
        return False
    took = desk.now - before.sent_at if before.sent_at is not None else None
    fields = {"line": turn.number, "outcome": outcome.kind.value, "code": outcome.code}
    # Of the answer only that there was one: the log is read by many, and exported.
    answered = before.answer_event is not None
    await desk.record("outcome", request, took=took, answered=answered, **fields)
    return True
