"""What the world does to open requests: members and powers, a new policy, the clock."""

from __future__ import annotations

from collections.abc import Collection

from ..chat import cards, strong_measures
from ..model.request import NO_WHY, Request, State, Why, WhyKind
from ..text.message import Message, Text
from ..text.pages import Pages
from . import doubts, holds, measures, store
from .desk import Desk, reminder_key
from .finish import closed
from .machine import Effect, Event, Fact
from .standing import Weighed, open_until, weigh
from .submit import need_votes

NEVER = float("inf")
_REMINDED_AFTER = 1 / 2  # of the time that votes may take


async def room_changed(desk: Desk, room: str) -> None:
    """Somebody joined, left, or has another power: every open request there is weighed again."""
    for request in await _open(desk):
        if request.room == room:
            await _weigh_again(desk, request)


async def _open(desk: Desk) -> list[Request]:
    return [r for r in await store.in_state(desk.tx, State.PENDING) if desk.sees(r)]


async def policy_changed(desk: Desk) -> tuple[Text, ...]:
    """A new policy is live: every open request is weighed again; what that changed, in words."""
    told: list[Text] = []
    for request in await _open(desk):
        weighed, after = await _weigh_again(desk, request)
        told += strong_measures.reweighed(request, after, weighed.votes.standing)
    return tuple(told)


async def _weigh_again(desk: Desk, request: Request) -> tuple[Weighed, Request]:
    weighed = await weigh(desk, request)
    expires = open_until(request, weighed.decision)
    columns = {"expires": expires} if request.slots and expires != request.expires else {}
    effects, after = await desk.apply(request, Event.RECOUNT, weighed.facts, NO_WHY, **columns)
    if Effect.TELL in effects:
        await closed(desk, after)
    elif weighed.votes.slots:
        await need_votes(desk, after, weighed)
    return weighed, after


async def in_line(desk: Desk) -> list[Request]:
    """What is approved and not sent yet, and has a card."""
    return [r for r in await _open(desk) if r.slots and r.queued_since is not None]


async def show_line(desk: Desk) -> None:
    """Their cards say what they wait for now: a pause, Conduit, or those before them."""
    for request in await in_line(desk):
        await desk.show_votes(request, (await weigh(desk, request)).votes.standing)


async def tick(desk: Desk) -> None:
    """What is due: requests that expire, or wait for too long for a room that cannot be heard or
    for a word that was erased, the one reminder, and reviews that wait."""
    await doubts.tick(desk)
    held = await holds.requests(desk.tx)
    for request in await store.in_state(desk.tx, State.PENDING):
        if _next(desk, request, held) <= desk.now:
            await _due(desk, request, held)
    await measures.remind(desk)


async def _due(desk: Desk, request: Request, held: Collection[int]) -> None:
    weighed = await weigh(desk, request)
    facts = dict(weighed.facts)
    if _reminder(desk, request) <= desk.now:
        facts[Fact.REMINDER_DUE] = NO_WHY
    if _stale(desk, request, held) <= desk.now:
        is_held = request.id in held
        facts[Fact.STALE] = Why(
            WhyKind.HELD_TOO_LONG if is_held else desk.view.aside[request.room].why
        )
    effects, request = await desk.apply(request, Event.CLOCK, facts)
    if Effect.TELL in effects:
        await closed(desk, request)
    elif Effect.REMIND in effects:
        push = desk.push(request.room, weighed.votes.helpers)
        votes = weighed.votes.standing
        taps = desk.taps(request, votes)
        message = cards.reminder(request, votes, push, desk.here, taps=taps)
        key = reminder_key(request.id)
        await desk.say(request, key, message)
        await desk.outbox.buttons(desk.tx, request.room, key, ("✅", "❌"))


def _end(request: Request) -> float:
    return NEVER if request.expires is None else request.expires


def _reminder(desk: Desk, request: Request) -> float:
    """When its voters are reminded; never, where nothing expires or they were, or where nobody
    would see it."""
    if request.expires is None or request.reminded or request.queued_since is not None:
        return NEVER
    if request.room in desk.view.aside or not desk.sees(request):
        return NEVER
    return request.created + (request.expires - request.created) * _REMINDED_AFTER


def _stale(desk: Desk, request: Request, held: Collection[int]) -> float:
    """When what is queued is given up: because its room is aside, or because nobody
    releases what needs no vote. Never, where neither is so."""
    since, aside = request.queued_since, desk.view.aside.get(request.room)
    if since is None:
        return NEVER
    if request.id in held and not request.slots:
        return since + desk.view.max_age
    return NEVER if aside is None else max(aside.since, since) + desk.view.max_age


def _next(desk: Desk, request: Request, held: Collection[int]) -> float:
    if not desk.sees(request) and request.room not in desk.view.aside:
        return NEVER  # it is not read yet
    return min(_end(request), _reminder(desk, request), _stale(desk, request, held))


async def next_due(desk: Desk) -> float | None:
    """When `tick` has something to do; epoch seconds."""
    pending = await store.in_state(desk.tx, State.PENDING)
    held = await holds.requests(desk.tx)
    due = min((_next(desk, request, held) for request in pending), default=NEVER)
    if (ends := await doubts.next_due(desk)) is not None:
        due = min(due, ends)
    return None if due == NEVER else due


async def pending(desk: Desk, mxid: str) -> tuple[Message, Pages | None]:
    """What is open, for this person, and what is left of it."""
    rows = []
    queue = list(await store.queue_order(desk.tx))
    for request in await store.in_state(desk.tx, State.PENDING, State.EXECUTING):
        votes = (await weigh(desk, request)).votes
        is_open = request.state is State.PENDING and bool(votes.slots)
        may = is_open and votes.may_vote(mxid, request.mxid)
        place = queue.index(request.id) + 1 if request.id in queue else 0
        about = await desk.about(request)
        standing, yours = votes.standing, request.mxid == mxid
        row = strong_measures.OpenRequest(request, about.short, standing, may, place, yours)
        rows.append(row)
    return strong_measures.pending(rows, await measures.unreviewed(desk), desk.here)
