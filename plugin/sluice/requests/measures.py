"""Strong measures: break-glass and its review, pause and resume, trust."""

from __future__ import annotations

import json
from collections.abc import Sequence

from attrs import evolve

from ..chat import not_allowed, strong_measures
from ..chat.cards import Need, Standing
from ..db import meta
from ..model.decision import Verdict
from ..model.ids import PersonName
from ..model.request import NEVER_RAN, Pause, Request, Review, Side, State, Why, WhyKind
from ..policy.people import person_of
from ..text.message import Text
from ..text.phrases import people
from . import holds, store
from .desk import Desk, card_key
from .finish import closed
from .machine import Event
from .standing import Count, judge
from .submit import Ask, create, not_for, reject

_REMINDED = "reviews"  # in the database: of each open review, the day it was named last
_DAY = 86400.0


# --- break-glass ------------------------------------------------------------------------------


async def break_glass(desk: Desk, ask: Ask) -> Request | None:
    """ask: the command inside. Queued at once, without votes; reviewed afterwards."""
    if await store.known(desk.tx, ask.event_id):
        return None
    decision = await judge(desk, ask.invocation, ask.room, ask.mxid, glass=True)
    ask = evolve(ask, decision=decision)
    if ask.decision.verdict is Verdict.DENY:
        return await reject(desk, ask)
    because, then = await _quota(desk)
    reviewers = _reviewers(desk, ask.mxid)
    if reviewers and not await _present(desk, reviewers):
        because, then = strong_measures.no_reviewer(reviewers)
    if because:
        denied = evolve(ask.decision, verdict=Verdict.DENY, rules=(), because=because)
        return await reject(desk, evolve(ask, decision=denied), then)
    if (paused := await store.pause(desk.tx)) is not None:
        message = strong_measures.while_paused(paused, desk.owners(), desk.here)
        await desk.reply(ask.room, ask.event_id, message, ask.command)
        return None
    review = Review.OPEN if reviewers else Review.NONE
    request = await create(desk, ask, Event.GLASS, [], glass=True, review=review)
    await desk.record("break-glass", request, event=ask.event_id, reason=ask.invocation.reason)
    push = desk.push(ask.room, desk.mxids(desk.owners()))
    message = strong_measures.glass(request, reviewers, push, desk.here)
    # In each room under the same key: a tap on it is a review, wherever it is.
    await desk.tell(ask.room, card_key(request.id), message)
    return request


async def _quota(desk: Desk) -> tuple[Text, Text]:
    """Why there is no break-glass now, and when there is; both empty if there is."""
    glass = desk.policy.break_glass
    assert glass is not None  # the decision was not a deny
    taken = [r for r in await store.glasses(desk.tx) if r.state not in NEVER_RAN]
    due = [(r.id, _reviewers(desk, r.mxid)) for r in taken if r.review is Review.OPEN]
    used = sorted(r.created for r in taken if r.created > desk.now - glass.every)
    full = len(used) >= glass.max
    because = strong_measures.no_glass(due, len(used) if full else 0, glass.max, glass.every)
    at = used[-glass.max] + glass.every if full else None
    return because, strong_measures.next_glass(at, due[-1][1] if due else (), desk.here)


def _reviewers(desk: Desk, mxid: str) -> tuple[PersonName, ...]:
    """Names of the owners who did not ask."""
    return tuple(name for name in desk.owners() if name != desk.name(mxid))


async def _present(desk: Desk, names: Sequence[PersonName]) -> tuple[PersonName, ...]:
    """Those of these owners that are in any ops room, as owners."""
    role = desk.policy.owners
    there = [m for m in desk.mxids(names) if role in await desk.somewhere(m)]
    return tuple(name for name in names if name in {desk.name(mxid) for mxid in there})


async def review(
    desk: Desk, request: Request, mxid: str, side: Side, why: str, votes: Count
) -> bool:
    """An owner's approve or deny of a break-glass. False: not theirs to give, or given already."""
    if request.review is not Review.OPEN:
        return False
    owner = desk.policy.owners in await desk.somewhere(mxid)
    if not owner or votes.same(mxid) in {votes.same(other) for other in votes.barred}:
        return False
    name = desk.name(mxid)
    verdict = Review.IN_ORDER if side is Side.APPROVE else Review.NOT_IN_ORDER
    if side is Side.DENY and request.state is State.PENDING:
        _, ended = await desk.apply(request, Event.DENY, note=Why(WhyKind.BY, name))
        await closed(desk, ended, by=mxid, why=why)
        return True
    await desk.apply(request, Event.REVIEW, review=verdict)
    await desk.record("review", request, by=mxid, verdict=verdict.value, reason=why)
    for room in desk.view.rooms:
        await desk.outbox.buttons(desk.tx, room, card_key(request.id), ())
    right = side is Side.APPROVE
    said = strong_measures.reviewed(request, name, desk.here, right=right)
    await desk.show_everywhere(request, said)
    if not right:
        push = desk.push(request.room, desk.mxids(desk.owners()))
        message = strong_measures.not_in_order(
            request, name, why, desk.undo(request), push, desk.here
        )
        await desk.tell(request.room, f"request.{request.id}.review", message)
    return True


def wanted(desk: Desk, request: Request) -> Standing:
    """Whose word on a break-glass is wanted, as if it were a vote."""
    role = desk.policy.owners
    need = Need(role, 1, _reviewers(desk, request.mxid))
    return Standing(0, 1, (), (need,), (need,), roles=(role,))


async def unreviewed(desk: Desk) -> list[tuple[int, Text]]:
    """Break-glass that waits for a review, and for whom."""
    waiting = [r for r in await store.glasses(desk.tx) if r.review is Review.OPEN]
    return [(request.id, people(_reviewers(desk, request.mxid))) for request in waiting]


async def remind(desk: Desk) -> None:
    """Once a day for each break-glass that waits for its review, until it has it."""
    waiting = [r for r in await store.glasses(desk.tx) if r.review is Review.OPEN]
    if not waiting:
        return
    told = json.loads(await meta.get(desk.tx, _REMINDED) or "{}")
    days = {str(r.id): int((desk.now - r.created) // _DAY) for r in waiting}
    late = [r for r in waiting if days[str(r.id)] > told.get(str(r.id), 0)]
    for request in late:
        names = _reviewers(desk, request.mxid)
        for room in desk.told(request.room):
            push = desk.push(room, desk.mxids(names))
            said = strong_measures.review_due(request, names, push, desk.here)
            key = f"request.{request.id}.due.{days[str(request.id)]}"
            await desk.outbox.put(desk.tx, room, key, said)
    if late:
        await meta.put(desk.tx, _REMINDED, json.dumps(days))


# --- pause ------------------------------------------------------------------------------------


async def pause(desk: Desk, ask: Ask, why: str) -> None:
    """Nothing but what reads is sent any more, until an owner resumes."""
    if ask.decision.verdict is Verdict.DENY:
        await reject(desk, ask)
        return
    name = desk.name(ask.mxid)
    if (before := await store.pause(desk.tx)) is not None:
        message = strong_measures.while_paused(before, desk.owners(), desk.here)
        await desk.reply(ask.room, ask.event_id, message)
        return
    await store.put_pause(desk.tx, Pause(name, desk.now, why))
    await desk.record("pause", None, mxid=ask.mxid, room=ask.room, reason=why)
    is_open = len(await store.in_state(desk.tx, State.PENDING))
    owners = desk.owners()
    push = desk.push(ask.room, desk.mxids(owners))
    message = strong_measures.paused(name, why, is_open, owners, push, desk.here)
    await desk.tell(ask.room, f"pause.{ask.event_id}", message)


async def resume(desk: Desk, ask: Ask) -> None:
    if ask.decision.verdict is Verdict.DENY:
        await reject(desk, ask)
        return
    before = await store.pause(desk.tx)
    if before is None:
        await desk.reply(ask.room, ask.event_id, strong_measures.not_paused())
        return
    await store.put_pause(desk.tx, None)
    await desk.record("resume", None, mxid=ask.mxid, room=ask.room)
    held, aside = await holds.requests(desk.tx), desk.view.aside
    queue = await store.queue(desk.tx)
    runs = [r.id for r in queue if r.id not in held and r.room not in aside]
    ended = await store.expired_since(desk.tx, before.at)
    gone = [(request.id, request.expires or desk.now) for request in ended]
    message = strong_measures.resumed(desk.name(ask.mxid), runs, gone, desk.here)
    await desk.tell(ask.room, f"resume.{ask.event_id}", message)


# --- trust ------------------------------------------------------------------------------------


async def trust(desk: Desk, ask: Ask, mxid: str) -> None:
    """An account of which somebody else got the new password has its roles again.

    By an owner who neither asked for that password nor is the account's person.
    """
    if ask.decision.verdict is Verdict.DENY:
        await reject(desk, ask)
        return
    who, name = person_of(desk.policy, mxid), desk.name(ask.mxid)
    made = [await store.get(desk.tx, n) for n in await store.doubts(desk.tx, mxid, desk.now)]
    if not made:
        await desk.reply(ask.room, ask.event_id, strong_measures.trusted_already(mxid))
        return
    request = made[-1]
    held = {who, *(person_of(desk.policy, each.mxid) for each in made if each is not None)}
    if name in held:
        can = [owner for owner in desk.owners() if owner not in held]
        await not_for(desk, ask, not_allowed.TRUST, can)
        return
    await store.trust(desk.tx, mxid)
    await desk.record("trust", request, by=ask.mxid, trusted=mxid)
    push = desk.push(ask.room, desk.mxids(desk.owners()))
    message = strong_measures.trusted(name, who, mxid, push)
    await desk.tell(ask.room, f"trust.{ask.event_id}", message)
