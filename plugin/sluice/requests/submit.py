"""A new command: refused, pointed to one that asks for the same, or open with an id.

What can be asked back (a missing reason, several names) is asked before it gets here.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, frozen

from ..chat import alarms, cards, not_allowed, strong_measures
from ..chat.card_text import AskedBefore, CardFact, describe
from ..db import codec, meta
from ..model.command import Invocation
from ..model.decision import Decision, Verdict
from ..model.ids import EventId, RoomId, UserId
from ..model.request import Request, State, Why, WhyKind
from ..policy.people import mxids_of
from ..policy.rules import EXPIRES
from ..text.message import Message, Text, Topic
from ..typed.parse import canonical
from . import history, store
from .desk import Desk, card_key, only_reads
from .finish import HOURGLASS
from .machine import Effect, Event, Fact, step
from .standing import Weighed, count, open_until

VOTES_A_PERSON = 3  # open requests that wait for votes
VOTES_IN_ALL = 20
QUEUED_A_PERSON = 50  # requests in the queue
QUEUED_IN_ALL = 250
REJECTED_AN_HOUR = 30  # stored a person
HOUR = 3600.0
SENT = (State.EXECUTING, State.DONE, State.REFUSED, State.FAILED, State.UNKNOWN)


@frozen
class Ask:
    """A command that somebody typed, understood and decided on.

    event_id: what completed it; command: what it began with (the same, if nothing was asked).
    facts: what a card can show of it. older: accounts of its list, made before the others.
    """

    event_id: EventId
    command: EventId
    room: RoomId
    mxid: UserId
    invocation: Invocation
    decision: Decision
    facts: tuple[CardFact, ...] = ()
    older: frozenset[str] = frozenset()


async def submit(desk: Desk, ask: Ask) -> Request | None:
    """Stores it with its card or its place in the queue; None when it was answered instead."""
    if await store.known(desk.tx, ask.event_id):
        return None
    if ask.decision.verdict is Verdict.DENY:
        return await reject(desk, ask)
    if await refused(desk, ask):
        return None
    facts = [Fact.NEEDS_VOTES] if ask.decision.slots else []
    return await create(desk, ask, Event.SUBMIT, facts)


async def reject(
    desk: Desk, ask: Ask, then: Text = (), said: Message | None = None
) -> Request | None:
    """The "not allowed", with an id, so that `why` can tell; 30 an hour and person are stored.

    said: what is answered instead.
    """
    rules = [matched.label for matched in ask.decision.rules]
    mxids = mxids_of(desk.policy, ask.mxid)
    if await store.rejected_since(desk.tx, mxids, desk.now - HOUR) >= REJECTED_AN_HOUR:
        summary = f"rejected.{desk.name(ask.mxid)}"
        since = float(await meta.get(desk.tx, summary) or 0)
        if since <= desk.now - HOUR:
            await meta.put(desk.tx, summary, str(desk.now))
            await desk.record("rejected more", None, mxid=ask.mxid, room=ask.room)
            message = not_allowed.rejected_more(desk.now + HOUR, desk.here)
            await desk.reply(ask.room, ask.event_id, message, ask.command)
        return None
    request = await create(desk, ask, Event.SUBMIT, [Fact.REFUSED_BY_POLICY])
    await desk.record("rejected", request, event=ask.event_id, rules=rules)
    if error := ask.decision.error:  # the check itself broke: a no, and owners are told once
        await desk.record("error", request, event=ask.event_id, error=error)
        told = alarms.own_error(desk.here, error, ask.event_id)
        key = alarms.error_key(error, desk.now)
        await desk.outbox.put(desk.tx, ask.room, key, told)
    message = said or not_allowed.not_allowed(request.id, ask.decision, desk.here, then)
    await desk.reply(ask.room, ask.event_id, message, ask.command)
    return request


async def not_for(desk: Desk, ask: Ask, because: str, can: Sequence[str]) -> None:
    """A "not allowed" that the request decides, not a line of the policy. can: names."""
    decision = Decision(Verdict.DENY, (), because=(because,), can=tuple(can))
    said = not_allowed.not_yours(because, can)
    await reject(desk, evolve(ask, decision=decision), said=said)


async def refused(desk: Desk, ask: Ask) -> bool:
    """Whether it was answered: paused, asked for already, or too many are open."""
    message = None
    pause = await store.pause(desk.tx)
    if pause is not None and not only_reads(ask.invocation):
        message = strong_measures.while_paused(pause, desk.owners(), desk.here)
    elif ask.decision.slots:
        message = await _asked_or_full(desk, ask)
    else:
        queue = await store.queue_order(desk.tx)
        mxids = mxids_of(desk.policy, ask.mxid)
        own = sum(mxid in mxids for mxid in queue.values())
        if own >= QUEUED_A_PERSON:
            message = not_allowed.queue_full(own, own=True)
        elif len(queue) >= QUEUED_IN_ALL:
            message = not_allowed.queue_full(len(queue), own=False)
    if message is None:
        return False
    await desk.reply(ask.room, ask.event_id, message, ask.command)
    return True


async def _asked_or_full(desk: Desk, ask: Ask) -> Message | None:
    twin = await store.twin(desk.tx, store.digest(ask.invocation))
    if twin is not None:
        votes = await count(desk, twin, ask.decision.slots)
        may = twin.state is State.PENDING and votes.may_vote(ask.mxid, twin.mxid)
        said = not_allowed.asked_already(twin, may, desk.here)
        return evolve(said, about=Topic((twin.id,)))
    waiting = [r for r in await store.in_state(desk.tx, State.PENDING) if r.queued_since is None]
    mxids = mxids_of(desk.policy, ask.mxid)
    own = [request.id for request in waiting if request.mxid in mxids]
    if len(own) >= VOTES_A_PERSON:
        return not_allowed.cap_person(own, desk.here)
    return not_allowed.cap_all(len(waiting), desk.here) if len(waiting) >= VOTES_IN_ALL else None


async def create(
    desk: Desk, ask: Ask, event: Event, facts: list[Fact], **columns: object
) -> Request:
    """A new row as the machine's table says, with its card if it needs votes."""
    row = step(None, event, facts)
    number = await store.next_id(desk.tx)
    asker = desk.name(ask.mxid)
    text = canonical(ask.invocation, desk.policy.server)
    before = await _before(desk, ask) if Effect.CARD in row.effects else None
    about = describe(ask.invocation, ask.facts, number, desk.here, _marks(desk, ask), before)
    expires = None
    if Effect.CARD in row.effects:
        expires = desk.now + (ask.decision.expires or EXPIRES)
    request = Request(
        id=number,
        event_id=ask.event_id,
        command=ask.command,
        room=ask.room,
        mxid=ask.mxid,
        person=asker,
        people=await store.keep_people(desk.tx, desk.policy.people.values()),
        invocation=ask.invocation,
        text=text,
        state=row.target,
        created=desk.now,
        slots=ask.decision.slots if Effect.CARD in row.effects else (),
        expires=expires,
        queued_since=desk.now if Effect.ENTER_QUEUE in row.effects else None,
        ended=desk.now if row.target is State.REJECTED else None,
        card_text=codec.write(about),
        **columns,  # type: ignore[arg-type]
    )
    await store.add(desk.tx, request, ask.decision)
    if Effect.CARD in row.effects:
        await desk.record("asked", request, event=ask.event_id, reason=ask.invocation.reason)
        await post_card(desk, request)
    return request


async def _before(desk: Desk, ask: Ask) -> AskedBefore | None:
    """What was asked about the same. What people said of it in another room stays there."""
    request = await history.before(desk.tx, ask.invocation)
    if request is None:
        return None
    here = request.room == ask.room and request.state is State.DENIED
    why = await history.denial(desk.tx, request.id) if here else ""
    same = store.digest(request.invocation) == store.digest(ask.invocation)
    return AskedBefore(request, why, same)


def _marks(desk: Desk, ask: Ask) -> dict[str, str]:
    """Of a list: who is in an ops room, or older than the others."""
    inside = {mxid for view in desk.view.rooms.values() for mxid in view.joined}
    found = dict[str, str]()
    for mxid in ask.invocation.values("user"):
        said = (("older", mxid in ask.older), ("in an ops room", mxid in inside))
        found[mxid] = ", ".join(words for words, is_so in said if is_so)
    return found


async def post_card(desk: Desk, request: Request) -> None:
    """The card with its two buttons; whoever can fill a slot is pushed."""
    votes = await count(desk, request, ())
    push = desk.push(request.room, votes.helpers)
    about = await desk.about(request)
    taps = desk.taps(request, votes.standing)
    message = cards.card(request, about, votes.standing, desk.here, push=push, taps=taps)
    key = card_key(request.id)
    await desk.say(request, key, message)
    await desk.outbox.buttons(desk.tx, request.room, key, ("✅", "❌"))


async def need_votes(desk: Desk, request: Request, weighed: Weighed) -> None:
    """Its card shows how the votes stand; it gets one if it needed none before."""
    if request.slots or not weighed.votes.slots:
        await desk.show_votes(request, weighed.votes.standing)
        return
    expires = open_until(request, weighed.decision) or desk.now + EXPIRES
    slots = weighed.votes.slots
    await store.change(desk.tx, request.id, request.state, slots=slots, expires=expires)
    await post_card(desk, evolve(request, slots=slots, expires=expires))


def _is_same(request: Request, anew: Ask) -> bool:
    is_denied = anew.decision.verdict is Verdict.DENY
    return not is_denied and anew.invocation == request.invocation


async def edited(
    desk: Desk,
    room: RoomId,
    command: EventId,
    mxid: UserId,
    event_id: EventId,
    anew: Ask | None,
    *,
    withdrawn: bool = False,
) -> Request | None:
    """The sender edited a command. anew: what it says now; None when that starts nothing.
    withdrawn: because of this edit the old text was taken back already.

    What has not run is cancelled and starts over, unless it says the same; of what has run the
    edit changes nothing.
    """
    request = await store.of_command(desk.tx, room, command)
    if request is None or request.mxid != mxid or await store.known(desk.tx, event_id):
        return None
    if request.state in SENT:
        message = not_allowed.too_late_to_edit(request, desk.undo(request))
        await desk.reply(room, event_id, message, command)
        return None
    if request.state is State.PENDING and anew is not None and _is_same(request, anew):
        await desk.reply(room, event_id, cards.as_before(request), command)
        return None
    note = Why(WhyKind.CHANGED, desk.name(mxid))
    effects, request = await desk.apply(request, Event.EDIT, note=note)
    successor = await submit(desk, anew) if anew is not None else None
    if effects:
        await desk.outbox.unreact(desk.tx, room, request.command, HOURGLASS)
        await desk.record("ended", request, state=request.state.value, event=event_id)
    is_gone = bool(effects) or (withdrawn and request.state is State.CANCELLED)
    if is_gone and request.slots:
        new = successor.id if successor is not None else None
        await desk.show(request, cards.edited(request, desk.here, new))
    return successor
