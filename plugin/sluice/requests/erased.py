"""A word that was erased from another room before it could be read: it may have been a no.

On Conduit anybody can empty an event from a room of their own, a few milliseconds after it was
sent (docs/conduit.md, "Redactions from outside"). What stood there nobody can tell any more. So
every open request that its sender could have stopped with it is *held*: nothing of it is sent
until the sender has voted or tapped the alarm, or an owner who has no part in it has tapped.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from attrs import frozen

from ..chat import held as texts
from ..db import meta
from ..model.ids import PersonName
from ..model.request import Rejection, Request, Review, Side, State
from ..policy.people import in_order, may_change
from . import holds, store
from .desk import Desk, only_reads
from .holds import Hold
from .machine import Event
from .standing import Count, weigh

KEY = "erased."  # and the event's id: what the outbox calls the alarm
_AGAIN = 600.0  # seconds until it is told anew of somebody, where nothing is held


class What(str, Enum):
    """What an emptied event may have been."""

    TAP = "tap"
    WORDS = "words"  # a message, or encrypted: a command, a vote, an edit of one, or chat
    REMOVAL = "removal"  # of a vote, a command or a card


@frozen
class Erasure:
    """by, origin: who erased it and from which room, "" where that is not known. may_remove: its
    sender has the power to remove what others wrote."""

    event_id: str
    room: str
    mxid: str
    what: What
    by: str = ""
    origin: str = ""
    may_remove: bool = False


async def hold(desk: Desk, erased: Erasure) -> None:
    """Holds what this may have stopped, and tells the room once for each request."""
    waiting = await holds.waiting_for(desk.tx, erased.room, erased.mxid)
    new = [r for r in await _stoppable(desk, erased) if r.id not in waiting]
    for request in new:
        await _hold(desk, request, erased)
    if new or (not waiting and await _worth_a_word(desk, erased)):
        await _tell(desk, erased, new)


async def _hold(desk: Desk, request: Request, erased: Erasure) -> None:
    await desk.apply(request, Event.HOLD)
    where = (request.id, erased.room, erased.mxid, erased.by, erased.origin, desk.now)
    await holds.add(desk.tx, Hold(erased.event_id, *where))
    about = {"event": erased.event_id, "voter": erased.mxid}
    await desk.record("held", request, eraser=erased.by, origin=erased.origin, **about)
    await show(desk, request)


async def _stoppable(desk: Desk, erased: Erasure) -> list[Request]:
    """The open requests of the room that its sender could have stopped with it."""
    roles = await desk.roles(erased.room, erased.mxid)
    if not roles:
        return []
    everything = erased.may_remove and erased.what is What.REMOVAL
    if erased.what is What.WORDS:
        everything = may_change(desk.policy, roles)  # it may have been `pause`
    states = [State.PENDING, *([State.EXECUTING] if erased.what is What.WORDS else [])]
    return [
        request
        for request in await store.in_state(desk.tx, *states)
        if request.room == erased.room
        and not only_reads(request.invocation)
        and (everything or await _has_a_say(desk, request, erased.mxid))
    ]


async def _has_a_say(desk: Desk, request: Request, mxid: str) -> bool:
    """It is theirs to take back, to deny, or (a break-glass) to review."""
    cause = (await weigh(desk, request)).votes.cause(mxid, request.mxid)
    if cause is Rejection.NOT_NEEDED and request.glass:
        return desk.policy.owners in await desk.roles(request.room, mxid)
    return cause in (Rejection.NONE, Rejection.OWN)


async def heeded(desk: Desk, room: str, mxids: Iterable[str]) -> bool:
    """Whether words of one of these, which cannot be read yet, may stop something that is open."""
    for mxid in mxids:
        if await _stoppable(desk, Erasure("", room, mxid, What.WORDS)):
            return True
    return False


async def _worth_a_word(desk: Desk, erased: Erasure) -> bool:
    """Nothing is held by it; said once in a while of whoever could have paused or reviewed."""
    roles = await desk.roles(erased.room, erased.mxid)
    reviews = desk.policy.owners in roles and any(
        request.review is Review.OPEN for request in await store.glasses(desk.tx)
    )
    if not reviews and not (erased.what is What.WORDS and may_change(desk.policy, roles)):
        return False
    key = f"{KEY}{erased.room}.{erased.mxid}"
    if float(await meta.get(desk.tx, key) or 0) > desk.now - _AGAIN:
        return False
    await meta.put(desk.tx, key, str(desk.now))
    about = {"event": erased.event_id, "mxid": erased.mxid, "room": erased.room}
    await desk.record("erased", None, eraser=erased.by, origin=erased.origin, **about)
    return True


async def _tell(desk: Desk, erased: Erasure, held: list[Request]) -> None:
    able: set[PersonName] = set()
    for request in held:
        votes = (await weigh(desk, request)).votes
        able |= {
            desk.name(mxid)
            for mxid in desk.here.owners
            if _is_apart(desk, votes, mxid, erased.by)
            and desk.name(mxid) != desk.name(erased.mxid)
        }
    message = texts.erased(
        desk.push(erased.room, (*desk.here.owners, erased.mxid)),
        _told(desk, erased.mxid, erased.by, erased.origin),
        [request.id for request in held],
        in_order(desk.policy, able),
    )
    key = f"{KEY}{erased.event_id}"
    await desk.outbox.put(desk.tx, erased.room, key, message)
    if held:
        await desk.outbox.buttons(desk.tx, erased.room, key, ("✅",))


def _told(desk: Desk, mxid: str, by: str, origin: str) -> texts.Erased:
    return texts.Erased(desk.name(mxid), desk.name(by) if by else "", origin)


def _is_apart(desk: Desk, votes: Count, mxid: str, eraser: str) -> bool:
    """Neither asked for it, nor is its target, nor has erased what it is held for."""
    return votes.same(mxid) not in {votes.same(each) for each in (*votes.barred, eraser)}


# --- said again ---------------------------------------------------------------------------------


async def voted(desk: Desk, request: Request, mxid: str, event_id: str) -> None:
    """A vote that counts: nothing of what its sender may have said is missing any more. Its card
    shows the vote in a moment."""
    votes = (await weigh(desk, request)).votes
    theirs = [
        hold
        for hold in await holds.of_request(desk.tx, request.id)
        if votes.same(hold.mxid) == votes.same(mxid)
    ]
    for hold_ in theirs:
        await release(desk, request, hold_, mxid, event_id)
    for erased_event in {hold.event_id for hold in theirs if hold.until is None}:
        await _close(desk, erased_event)


async def tapped(desk: Desk, room: str, erased: str, mxid: str, side: Side, event: str) -> None:
    """A tap on the alarm about the event `erased`. What does not count is answered once."""
    roles = await desk.roles(room, mxid)
    if not roles:
        return
    standing = await holds.of_event(desk.tx, erased)
    released = False
    for hold_ in standing if side is Side.APPROVE else ():
        request = await store.get(desk.tx, hold_.request)
        assert request is not None
        votes = (await weigh(desk, request)).votes
        own = votes.same(mxid) == votes.same(hold_.mxid)
        if own or (desk.policy.owners in roles and _is_apart(desk, votes, mxid, hold_.eraser)):
            await release(desk, request, hold_, mxid, event)
            await show(desk, request)
            released = True
    if released:
        await _close(desk, erased)
        return
    numbers = [hold_.request for hold_ in standing]
    said = texts.not_released(desk.here, desk.name(mxid), numbers, no=side is Side.DENY)
    await desk.outbox.put(desk.tx, room, f"not_released.{side.value}.{mxid}.{erased}", said)


async def release(desk: Desk, request: Request, hold: Hold, by: str, event_id: str) -> None:
    await holds.release(desk.tx, hold, by)
    about = {"event": event_id, "whose": hold.mxid, "erased": hold.event_id}
    await desk.record("released", request, by=by, **about)
    await desk.apply(request, Event.RELEASE)


async def _close(desk: Desk, erased: str) -> None:
    """The alarm says so, once nothing is held because of it any more."""
    if await holds.of_event(desk.tx, erased):
        return
    every = await holds.all_of(desk.tx, erased)
    released = [(h.request, desk.name(h.released)) for h in every if h.released]
    told = _told(desk, every[0].mxid, every[0].eraser, every[0].origin)
    key = f"{KEY}{erased}"
    await desk.outbox.edit(desk.tx, every[0].room, key, texts.over(told, released))
    await desk.outbox.buttons(desk.tx, every[0].room, key, ())


async def show(desk: Desk, request: Request) -> None:
    if request.state is State.PENDING and request.slots:
        await desk.show_votes(request, (await weigh(desk, request)).votes.standing)
