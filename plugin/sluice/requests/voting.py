"""Votes, and everything else that people, the clock and a new policy do to an open request."""

from __future__ import annotations

from attrs import evolve, frozen

from ..chat import cards, door, measures
from ..chat.words import person
from ..message import Message, Text
from ..policy.model import Decision, Verdict
from . import emergency, store
from .desk import Desk, card_number
from .ending import over
from .machine import Effect, Event, Fact
from .model import Cause, How, LineState, Request, Side, State, Vote
from .quorum import Count, Weighed, open_until, weigh
from .submit import Ask, need_votes, reject

NEVER = float("inf")


@frozen
class Cast:
    """Somebody's say on a request. event_id: the reaction, the reply or the command."""

    event_id: str
    room: str
    request: int
    mxid: str
    side: Side
    how: How
    reason: str = ""


async def vote(desk: Desk, cast: Cast) -> None:
    """Counts it, or keeps it as rejected for ever; of somebody without any role it is nothing."""
    if cast.mxid == desk.here.bot or not await desk.roles(cast.room, cast.mxid):
        return
    request = await known(desk, cast.request, cast.room, cast.event_id)
    if request is None or await store.vote(desk.tx, cast.event_id) is not None:
        return
    before = await weigh(desk, request)
    cause = before.votes.cause(cast.mxid, request.mxid)
    if request.glass:
        if await emergency.review(desk, request, cast.mxid, cast.side, cast.reason, before.votes):
            await _keep(desk, cast, Cause.NONE)
            await _thank(desk, cast)
            return
        cause = Cause.NO_ROLE if cause is Cause.NOT_NEEDED else cause
    late = request.state is not State.PENDING or Fact.EXPIRED in before.facts
    kept = Cause.LATE if late else cause
    await _keep(desk, cast, kept)
    after = await weigh(desk, request)
    facts = set(after.facts)
    facts |= {Fact.OWN} if cause is Cause.OWN else set()
    facts |= {Fact.NOT_VALID} if cause is not Cause.NONE else set()
    event = Event.APPROVE if cast.side is Side.APPROVE else Event.DENY
    note: Text = (" by ", person(desk.name(cast.mxid)))
    if Fact.EXPIRED in facts:
        note = cards.expired_note(before.votes.standing)
    moved = await desk.apply(request, event, facts, note)
    if moved is None:
        return
    row, request = moved
    if Effect.TELL in row.effects:
        by = "" if request.state is State.EXPIRED else cast.mxid
        await over(desk, request, by=by, why=cast.reason)
    if Effect.REJECT_VOTE in row.effects:
        await _answer(desk, request, cast, kept, after.votes)
    elif cast.how is How.COMMAND and cast.side is Side.APPROVE and _again(before.votes, cast.mxid):
        message = cards.counts_already(request, after.votes.standing)
        await desk.reply(cast.room, cast.event_id, message)
    else:
        if Effect.SHOW in row.effects:
            await desk.show_votes(request, after.votes.standing)
        await _thank(desk, cast)


async def known(desk: Desk, number: int, room: str, event_id: str) -> Request | None:
    """The request with this id; says so if there is none."""
    request = await store.get(desk.tx, number)
    if request is None:
        newest = await store.next_id(desk.tx) - 1
        await desk.reply(room, event_id, door.no_such(number, newest))
    return request


async def _keep(desk: Desk, cast: Cast, cause: Cause) -> None:
    request = await store.get(desk.tx, cast.request)
    kept = Vote(
        request=cast.request,
        event_id=cast.event_id,
        room=cast.room,
        mxid=cast.mxid,
        person=desk.name(cast.mxid),
        side=cast.side,
        how=cast.how,
        at=desk.now,
        cause=cause,
        reason=cast.reason,
    )
    await store.add_vote(desk.tx, kept)
    fields = {"voter": cast.mxid, "side": cast.side.value, "how": cast.how.value}
    kind = "vote" if cause is Cause.NONE else "vote rejected"
    await desk.record(kind, request, event=cast.event_id, cause=cause.value, **fields)


async def _answer(desk: Desk, request: Request, cast: Cast, cause: Cause, votes: Count) -> None:
    """Once a person and request; a typed command is always answered."""
    name = desk.name(cast.mxid)
    earlier = [
        vote
        for vote in await store.votes(desk.tx, request.id)
        if vote.cause is not Cause.NONE and vote.person == name and vote.event_id != cast.event_id
    ]
    if earlier and cast.how is not How.COMMAND:
        return
    message = cards.not_counted(request, name, cause, votes.standing, desk.here)
    reply_to = None if cast.how is How.REACTION else cast.event_id
    key = f"reply.{cast.event_id}"
    await desk.outbox.put(desk.tx, cast.room, key, message, reply_to=reply_to)


def _again(votes: Count, mxid: str) -> bool:
    return votes.same(mxid) in {votes.same(other) for other in votes.voters}


async def _thank(desk: Desk, cast: Cast) -> None:
    """A typed vote that worked gets a tap of the bot and no message."""
    if cast.how is How.COMMAND:
        await desk.outbox.react(desk.tx, cast.room, cast.event_id, "✅")


# --- what takes a vote or a request back ------------------------------------------------------


async def redacted(desk: Desk, room: str, event_id: str, sender: str) -> None:
    """A redaction in this room's own timeline: of a vote, a command, or a card."""
    vote = await store.vote(desk.tx, event_id)
    if vote is not None:
        if vote.room == room and vote.mxid == sender and not vote.withdrawn:
            await _withdrawn(desk, vote)
        return
    who = person(desk.name(sender))
    request = await store.of_command(desk.tx, room, event_id)
    if request is not None:
        await _deleted(desk, request, (", ", who, " deleted the command"), by=sender)
        return
    request = await of_card(desk, room, event_id)
    if request is not None:
        await _deleted(desk, request, (": the card was deleted",), by=sender, card_gone=True)


async def of_card(desk: Desk, room: str, event_id: str) -> Request | None:
    """The request whose card, of whatever age, this event is."""
    key = await desk.outbox.key_of(desk.tx, room, event_id)
    number = card_number(key or "")
    return await store.get(desk.tx, number) if number is not None else None


async def _withdrawn(desk: Desk, vote: Vote) -> None:
    request = await store.get(desk.tx, vote.request)
    counted = vote.cause is Cause.NONE and vote.side is Side.APPROVE
    if request is None or request.state is not State.PENDING or not counted:
        return
    await store.withdraw(desk.tx, vote.event_id)
    await desk.record("vote withdrawn", request, voter=vote.mxid, event=vote.event_id)
    weighed = await weigh(desk, request)
    moved = await desk.apply(request, Event.WITHDRAW, weighed.facts)
    if moved is not None:
        await desk.show_votes(moved[1], weighed.votes.standing)


async def _deleted(
    desk: Desk, request: Request, note: Text, *, by: str, card_gone: bool = False
) -> None:
    moved = await desk.apply(request, Event.DELETE, note=note)
    if moved is not None:
        await over(desk, moved[1], by=by, card_gone=card_gone)


async def cancel(desk: Desk, ask: Ask, number: int) -> None:
    """By whoever asked, or may deny it; of one that runs, no further line is sent."""
    request = await known(desk, number, ask.room, ask.event_id)
    if request is None:
        return
    votes = (await weigh(desk, request)).votes
    cause = votes.cause(ask.mxid, request.mxid)
    owner = desk.policy.owners in await desk.roles(ask.room, ask.mxid)
    if cause not in (Cause.OWN, Cause.NONE) and not (cause is Cause.NOT_NEEDED and owner):
        because = ("cancel is for who asked, or who may deny it",)
        able = (request.person, *(name for need in votes.standing.needs for name in need.names))
        can = tuple(dict.fromkeys(able if request.slots else (request.person, *desk.owners())))
        denied = Decision(Verdict.DENY, (), because=because, can=can)
        await reject(desk, evolve(ask, decision=denied))
        return
    name = person(desk.name(ask.mxid))
    waiting = [r for r in await store.lines(desk.tx, number) if r.state is LineState.WAITING]
    moved = None
    if request.state is State.PENDING or waiting:
        moved = await desk.apply(request, Event.CANCEL, note=(" by ", name))
    if moved is None:
        message = door.too_late_to_cancel(request, desk.undo(request))
        await desk.reply(ask.room, ask.event_id, message)
        return
    row, request = moved
    if Effect.STOP in row.effects:
        stop = (" by ", name)
        await store.change(desk.tx, number, request.state, stop=stop)
        await desk.record("cancelled", request, by=ask.mxid)
    else:
        await over(desk, request, by=ask.mxid)
    await desk.outbox.react(desk.tx, ask.room, ask.event_id, "✅")


# --- the world changes ------------------------------------------------------------------------


async def room_changed(desk: Desk, room: str) -> None:
    """Somebody joined, left, or has another power: every open request there is weighed again."""
    for request in await store.in_state(desk.tx, State.PENDING):
        if request.room == room:
            await _weigh_again(desk, request)


async def policy_changed(desk: Desk) -> tuple[Text, ...]:
    """A new policy is live: every open request is weighed again; what that changed, in words."""
    told: list[Text] = []
    for request in await store.in_state(desk.tx, State.PENDING):
        weighed, after = await _weigh_again(desk, request)
        told += measures.reweighed(request, after, weighed.votes.standing)
    return tuple(told)


async def _weigh_again(desk: Desk, request: Request) -> tuple[Weighed, Request]:
    weighed = await weigh(desk, request)
    expires = open_until(request, weighed.decision)
    columns = {"expires": expires} if request.slots and expires != request.expires else {}
    note = weighed.why
    if Fact.EXPIRED in weighed.facts:
        note = cards.expired_note(weighed.votes.standing)
    moved = await desk.apply(request, Event.RECOUNT, weighed.facts, note, **columns)
    if moved is None:
        return weighed, request
    row, after = moved
    if Effect.TELL in row.effects:
        await over(desk, after)
    elif weighed.votes.slots:
        await need_votes(desk, after, weighed)
    return weighed, after


async def tick(desk: Desk) -> None:
    """What is due: requests that expire, and the one reminder at half time."""
    for request in await store.in_state(desk.tx, State.PENDING):
        if min(_end(request), _half(request)) <= desk.now:
            await _due(desk, request)


async def _due(desk: Desk, request: Request) -> None:
    weighed = await weigh(desk, request)
    half = {Fact.HALF} if _half(request) <= desk.now else set()
    note = cards.expired_note(weighed.votes.standing)
    moved = await desk.apply(request, Event.CLOCK, weighed.facts | half, note)
    if moved is None:
        return
    row, request = moved
    if Effect.TELL in row.effects:
        await over(desk, request)
    elif Effect.REMIND in row.effects:
        await store.change(desk.tx, request.id, request.state, reminded=True)
        push = desk.push(request.room, weighed.votes.helpers)
        message = cards.reminder(request, weighed.votes.standing, push, desk.here)
        await desk.outbox.put(desk.tx, request.room, f"request.{request.id}.half", message)


def _end(request: Request) -> float:
    return NEVER if request.expires is None else request.expires


def _half(request: Request) -> float:
    """When half of its time is over; never, where nothing expires or it was reminded."""
    if request.expires is None or request.reminded or request.in_line_since is not None:
        return NEVER
    return (request.created + request.expires) / 2


async def next_due(desk: Desk) -> float | None:
    """When `tick` has something to do; epoch seconds."""
    pending = await store.in_state(desk.tx, State.PENDING)
    due = min((min(_end(request), _half(request)) for request in pending), default=NEVER)
    return None if due == NEVER else due


async def pending(desk: Desk, room: str, mxid: str) -> Message:
    """What is open, for this person."""
    rows = []
    line = [request.id for request in await store.line(desk.tx)]
    for request in await store.in_state(desk.tx, State.PENDING, State.EXECUTING):
        votes = (await weigh(desk, request)).votes
        is_open = request.state is State.PENDING and bool(votes.slots)
        may = (
            is_open and votes.cause(mxid, request.mxid) is Cause.NONE and mxid not in votes.voters
        )
        place = line.index(request.id) + 1 if request.id in line else 0
        about = await desk.about(request)
        rows.append(measures.Row(request, about.short, votes.standing, may, place))
    return measures.pending(rows, await emergency.unreviewed(desk), desk.here)
