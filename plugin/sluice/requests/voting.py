"""What people do to a request: vote, take a vote back, delete, cancel, resolve."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from attrs import asdict, evolve, frozen

from ..catalog.table import COMMANDS
from ..chat import cards, not_allowed
from ..db.connection import Tx
from ..model.command import Kind, Tag
from ..model.decision import Verdict
from ..model.ids import EventId, RoomId, UserId
from ..model.request import (
    NO_WHY,
    LineState,
    Rejection,
    Request,
    Review,
    Side,
    State,
    Via,
    Vote,
    Why,
    WhyKind,
)
from ..policy.people import in_order
from ..text.message import Message
from . import erased, measures, store
from .desk import Desk, card_key, card_number, reminder_key, request_number
from .finish import closed, resolved
from .machine import Effect, Event, Fact
from .standing import Count, Weighed, judge_again, weigh
from .submit import Ask, not_for
from .topics import topic_of

MOST_VOTES = 10  # of one account on one request; a deny that counts is kept all the same
Commit = Callable[[Tx], Awaitable[None]]
_GRAVE = frozenset({Tag.DESTRUCTIVE, Tag.SECRET})


@frozen
class Ballot:
    """Somebody's say on a request. event_id: the reaction, reply or command; room: where it is.

    message: what people edit and delete of it, where that is another: the vote came by an edit.
    """

    event_id: EventId
    request: int
    mxid: UserId
    side: Side
    how: Via
    room: RoomId
    reason: str = ""
    message: str = ""


async def vote(desk: Desk, cast: Ballot) -> None:
    """Counts it, or keeps it as rejected for ever and says why, once.

    A vote by somebody without a role is stored and ignored: otherwise it would count when it is
    read again after they got one.
    """
    if cast.mxid == desk.here.bot:
        return
    has_role = bool(await desk.roles(cast.room, cast.mxid))
    request = await known(desk, cast.request, cast.room, cast.event_id if has_role else "")
    if request is None or await store.vote(desk.tx, cast.event_id) is not None:
        return
    own = [v for v in await store.votes(desk.tx, request.id) if v.mxid == cast.mxid]
    if not has_role:
        could_count = request.state is State.PENDING or request.review is Review.OPEN
        if could_count and len(own) < MOST_VOTES:  # later, with a role
            await store.add_vote(desk.tx, _kept(desk, cast, Rejection.STRANGER))
        return
    before = await weigh(desk, request)
    cause = before.votes.cause(cast.mxid, request.mxid)
    if request.glass:
        if await measures.review(desk, request, cast.mxid, cast.side, cast.reason, before.votes):
            await _keep(desk, request, cast, Rejection.NONE, own)
            await erased.voted(desk, request, cast.mxid, cast.event_id)
            await _thank(desk, cast)
            return
        cause = Rejection.NO_ROLE if cause is Rejection.NOT_NEEDED else cause
    await _count(desk, request, cast, before, cause, own)


async def _count(
    desk: Desk,
    request: Request,
    cast: Ballot,
    before: Weighed,
    cause: Rejection,
    own: Sequence[Vote],
) -> None:
    """The vote of somebody with a role. own: their earlier ones."""
    late = request.state is not State.PENDING or Fact.EXPIRED in before.facts
    late = late and request.review is not Review.OPEN
    kept = Rejection.LATE if late else cause
    counts = kept is Rejection.NONE
    if counts:
        await erased.voted(desk, request, cast.mxid, cast.event_id)
    if counts and cast.side is Side.APPROVE and len(own) >= MOST_VOTES:
        await _once_more(desk, request, cast, before.votes)
        return
    if counts or len(own) < MOST_VOTES:
        await _keep(desk, request, cast, kept, own)
    after = await weigh(desk, request)
    facts = dict(after.facts)
    if cause is Rejection.OWN:
        facts[Fact.OWN] = NO_WHY
    if cause is not Rejection.NONE:
        facts[Fact.NOT_VALID] = NO_WHY
    note = Why(WhyKind.BY, desk.name(cast.mxid))
    event = Event.APPROVE if cast.side is Side.APPROVE else Event.DENY
    effects, request = await desk.apply(request, event, facts, note)
    if Effect.TELL in effects:
        by = "" if request.state is State.EXPIRED else cast.mxid
        await closed(desk, request, by=by, why=cast.reason)
    if Effect.REJECT_VOTE in effects:
        await _answer(desk, request, cast, kept, after.votes)
    elif cast.how is Via.COMMAND and cast.side is Side.APPROVE and _again(before.votes, cast.mxid):
        await _counts_already(desk, request, cast, after.votes)
    else:
        if Effect.SHOW in effects:
            await desk.show_votes(request, after.votes.standing)
        await _thank(desk, cast)


async def _once_more(desk: Desk, request: Request, cast: Ballot, votes: Count) -> None:
    """An approval after so many votes of the same account that no further one is kept."""
    if not _again(votes, cast.mxid):
        await _answer(desk, request, cast, Rejection.MANY, votes)
    elif cast.how is Via.COMMAND:
        await _counts_already(desk, request, cast, votes)


async def _counts_already(desk: Desk, request: Request, cast: Ballot, votes: Count) -> None:
    message = cards.counts_already(request, votes.standing)
    await desk.reply(cast.room, cast.event_id, message)


async def known(desk: Desk, number: int, room: str, event_id: str) -> Request | None:
    """The request with this id; says so if there is none and the event is to be answered."""
    request = await store.get(desk.tx, number)
    if request is None and event_id:
        newest = await store.next_id(desk.tx) - 1
        await desk.reply(room, event_id, not_allowed.no_such(number, newest))
    return request


def _kept(desk: Desk, cast: Ballot, cause: Rejection) -> Vote:
    who = desk.name(cast.mxid)
    return Vote(**asdict(cast), person=who, at=desk.now, cause=cause)


async def _keep(
    desk: Desk, request: Request, cast: Ballot, cause: Rejection, own: Sequence[Vote]
) -> None:
    """Stores it; the log holds a vote that only repeats one that stands once."""
    await store.add_vote(desk.tx, _kept(desk, cast, cause))
    if any((v.side, v.cause, v.withdrawn) == (cast.side, cause, False) for v in own):
        return
    fields = {"voter": cast.mxid, "side": cast.side.value, "how": cast.how.value}
    kind = "vote" if cause is Rejection.NONE else "vote rejected"
    await desk.record(kind, request, event=cast.event_id, cause=cause.value, **fields)


async def _answer(
    desk: Desk, request: Request, cast: Ballot, cause: Rejection, votes: Count
) -> None:
    """Once a person and request; a typed command is always answered.

    What is answered to the first vote that is not kept any more has a key of its own: the stored
    votes do not show that it was said.
    """
    name = desk.name(cast.mxid)
    earlier = [
        vote
        for vote in await store.votes(desk.tx, request.id)
        if vote.cause not in (Rejection.NONE, Rejection.STRANGER)
        and vote.person == name
        and vote.event_id != cast.event_id
    ]
    if earlier and cast.how is not Via.COMMAND:
        return
    standing = measures.wanted(desk, request) if request.glass else votes.standing
    message = cards.not_counted(request, name, cause, standing, desk.here)
    card = await desk.outbox.event_of(desk.tx, cast.room, card_key(request.id))
    reply_to = card if cast.how is Via.REACTION else cast.event_id
    stored = await store.vote(desk.tx, cast.event_id) is not None
    once = f"request.{request.id}.votes.{cast.mxid}"
    key = f"reply.{cast.event_id}" if stored or cast.how is Via.COMMAND else once
    await desk.outbox.put(desk.tx, cast.room, key, message, reply_to=reply_to)


def _again(votes: Count, mxid: str) -> bool:
    return votes.same(mxid) in {votes.same(other) for other in votes.voters}


async def _thank(desk: Desk, cast: Ballot) -> None:
    """A typed vote that worked gets a tap of the bot and no message."""
    if cast.how is Via.COMMAND:
        sign = "✅" if cast.side is Side.APPROVE else "❌"
        await desk.outbox.react(desk.tx, cast.room, cast.event_id, sign)


# --- what takes a vote or a request back ------------------------------------------------------


async def redacted(desk: Desk, room: RoomId, event_id: EventId, sender: str) -> None:
    """A redaction in this room's own timeline: of a vote, a command, or a card. With a message
    that was edited goes what its edits said."""
    votes = await store.votes_of(desk.tx, room, event_id)
    if votes:
        for vote in votes:
            if vote.mxid == sender and not vote.withdrawn:
                await _withdrawn(desk, vote)
        return
    request = await store.of_command(desk.tx, room, event_id)
    if request is not None:
        await _deleted(desk, request, Why(WhyKind.DELETED, desk.name(sender)), by=sender)
        return
    request = await of_card(desk, room, event_id)
    if request is not None:
        note = Why(WhyKind.CARD_DELETED)
        await _deleted(desk, request, note, by=sender, card_gone=True)


async def of_card(desk: Desk, room: RoomId, event_id: EventId) -> Request | None:
    """The request whose card, of whatever age, this event is."""
    key = await desk.outbox.key_of(desk.tx, room, event_id)
    number = card_number(key or "")
    return await store.get(desk.tx, number) if number is not None else None


async def of_message(
    desk: Desk, room: RoomId, event_id: EventId, *, words: bool
) -> Request | None:
    """The request that a message of ours is about: of its card and its reminders at any time, of
    all else while votes may count. words: also of an answer, whose buttons are only for one."""
    key = await desk.outbox.key_of(desk.tx, room, event_id) or ""
    number = request_number(key)
    if number is None and words:
        topic = await topic_of(desk.tx, desk.outbox, room, event_id)
        number = topic.requests[0] if topic is not None and len(topic.requests) == 1 else None
    request = await store.get(desk.tx, number) if number is not None else None
    if request is None or key in (card_key(request.id), reminder_key(request.id)):
        return request
    if key.startswith(f"request.{request.id}.due."):
        return request
    is_open = request.state is State.PENDING or request.review is Review.OPEN
    return request if is_open else None


async def edited(
    desk: Desk, before: Vote, event_id: EventId, *, cast: Ballot | None, then: Commit | None
) -> None:
    """A message that is a vote was changed by its sender, with the event `event_id`: the vote is
    taken back, and what the message says now is done in its place. One line tells what became
    of it. cast: a yes or no to the same request; then: what a command does.
    """
    request = await store.get(desk.tx, before.request)
    assert request is not None  # rows of requests are never deleted
    is_open = request.state is State.PENDING
    if is_open and not before.withdrawn:
        await _withdrawn(desk, before)
    if then is not None:
        await then(desk.tx)
    elif is_open and cast is not None:
        await vote(desk, cast)
    now = await store.vote(desk.tx, event_id)
    name = desk.name(before.mxid)
    if is_open:
        said = cards.vote_changed(before, now, name, desk.here)
    elif now is not None and now.request == before.request and now.how is Via.COMMAND:
        return  # that it is too late is said already
    else:
        said = cards.vote_stays(request, name, desk.here)
    key, reply_to = f"edited.{event_id}", before.message or before.event_id
    await desk.outbox.put(desk.tx, before.room, key, said, reply_to=reply_to)


async def _withdrawn(desk: Desk, vote: Vote) -> None:
    request = await store.get(desk.tx, vote.request)
    counted = vote.cause is Rejection.NONE and vote.side is Side.APPROVE
    if request is None or request.state is not State.PENDING or not counted:
        return
    await store.withdraw(desk.tx, vote.event_id)
    fields = {"voter": vote.mxid, "event": vote.event_id}
    for other in await store.votes(desk.tx, request.id):
        if other.mxid == vote.mxid and other.approves:
            fields.setdefault("stands", other.event_id)  # a tap that repeated it
    await desk.record("vote withdrawn", request, **fields)
    weighed = await weigh(desk, request)
    _, request = await desk.apply(request, Event.WITHDRAW, weighed.facts)
    await desk.show_votes(request, weighed.votes.standing)


async def _deleted(
    desk: Desk, request: Request, note: Why, *, by: str, card_gone: bool = False
) -> None:
    effects, request = await desk.apply(request, Event.DELETE, note=note)
    if Effect.TELL in effects:
        await closed(desk, request, by=by, card_gone=card_gone)


async def cancel(desk: Desk, ask: Ask, number: int) -> None:
    """By whoever asked, or may deny it; of one that runs, no further line is sent."""
    request = await known(desk, number, ask.room, ask.event_id)
    if request is None:
        return
    votes = (await weigh(desk, request)).votes
    cause = votes.cause(ask.mxid, request.mxid)
    owner = desk.policy.owners in await desk.roles(ask.room, ask.mxid)
    may_deny = cause is Rejection.NONE or (cause is Rejection.NOT_NEEDED and owner)
    if cause is not Rejection.OWN and not may_deny:
        names = (name for need in votes.standing.needs for name in need.names)
        can = dict.fromkeys((request.person, *(names if request.slots else desk.owners())))
        await not_for(desk, ask, not_allowed.CANCEL, tuple(can))
        return
    name = desk.name(ask.mxid)
    waiting = [r for r in await store.lines(desk.tx, number) if r.state is LineState.WAITING]
    effects: tuple[Effect, ...] = ()
    if request.state is State.PENDING or waiting:
        kind = WhyKind.BY if request.state is State.PENDING else WhyKind.CANCELLED
        effects, request = await desk.apply(request, Event.CANCEL, note=Why(kind, name))
    if not effects:
        message = not_allowed.too_late_to_cancel(request, desk.undo(request))
        await desk.reply(ask.room, ask.event_id, message)
        return
    if Effect.STOP in effects:
        await desk.record("cancelled", request, by=ask.mxid)
    else:
        await closed(desk, request, by=ask.mxid)
    await desk.outbox.react(desk.tx, ask.room, ask.event_id, "✅")


# --- an unknown outcome -----------------------------------------------------------------------


async def resolve(desk: Desk, ask: Ask, number: int, kind: Kind, message: Message) -> bool:
    """Somebody says what became of an UNKNOWN request; message: the ready result. Whether it did.

    By whoever could have approved it, or, where nothing had to be approved, by anyone else whom
    the policy lets run the same. By the requester only where nobody else can, or where little can
    be hidden: the command is neither destructive nor secret.
    """
    request = await known(desk, number, ask.room, ask.event_id)
    if request is None:
        return False
    if request.state is not State.UNKNOWN:
        await desk.reply(ask.room, ask.event_id, not_allowed.nothing_to_resolve(request))
        return False
    votes = (await weigh(desk, request)).votes
    able = await _may_resolve(desk, request, votes)
    tags = COMMANDS[request.invocation.command].tags
    own = votes.same(ask.mxid) == votes.same(request.mxid)
    if ask.mxid not in able and not (own and (not able or not tags & _GRAVE)):
        because = not_allowed.RESOLVE_OWN if own else not_allowed.RESOLVE
        able_names = in_order(desk.policy, {desk.name(mxid) for mxid in able})
        await not_for(desk, ask, because, able_names)
        return False
    return await resolved(desk, request, kind, message, told_by=ask.mxid) is not None


async def _may_resolve(desk: Desk, request: Request, votes: Count) -> list[UserId]:
    """MXIDs in the room."""
    room = desk.view.rooms.get(request.room)
    joined = sorted(room.joined) if room is not None else []
    if votes.slots:
        return [mxid for mxid in joined if votes.cause(mxid, request.mxid) is Rejection.NONE]
    barred = {votes.same(mxid) for mxid in votes.barred}
    able = []
    for mxid in joined:
        if votes.same(mxid) not in barred and await desk.roles(request.room, mxid):
            same = evolve(request, mxid=mxid)
            decision = await judge_again(desk, same, limited=False)
            able += [mxid] if decision.verdict is not Verdict.DENY else []
    return able
