"""Words that may be a no: what they may have stopped is held for some minutes, until whoever wrote
them has said what they meant.

Once a person and request: nobody keeps one from running by unclear words.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..model.ids import UserId
from ..model.request import State
from . import erased, holds, store
from .desk import Desk
from .holds import Hold
from .machine import Event
from .standing import Count, weigh

LIFE = 300.0  # seconds


async def hold(desk: Desk, numbers: Iterable[int], room: str, mxid: UserId, event_id: str) -> None:
    """Holds those of these requests that wait for votes and were not held for them before."""
    for number in numbers:
        request = await store.get(desk.tx, number)
        if request is None or request.state is not State.PENDING:
            continue
        if not await may_hold(desk, (await weigh(desk, request)).votes, number, mxid):
            continue
        until = desk.now + LIFE
        await desk.apply(request, Event.HOLD)
        await holds.add(desk.tx, Hold(event_id, number, room, mxid, "", "", desk.now, until=until))
        await desk.record("held", request, event=event_id, voter=mxid, until=until)
        await erased.show(desk, request)


async def may_hold(desk: Desk, votes: Count, number: int, mxid: str) -> bool:
    """Whether nothing of this person has held the request before."""
    earlier = await holds.doubts(desk.tx, number)
    return votes.same(mxid) not in {votes.same(each.mxid) for each in earlier}


async def tick(desk: Desk) -> None:
    """Ends what nobody has answered."""
    for each in await holds.ending(desk.tx):
        request = await store.get(desk.tx, each.request)
        if request is None or each.until is None or each.until > desk.now:
            continue
        await erased.release(desk, request, each, "the clock", each.event_id)
        await erased.show(desk, request)


async def next_due(desk: Desk) -> float | None:
    """When `tick` has something to do; epoch seconds."""
    standing = await holds.ending(desk.tx)
    return standing[0].until if standing else None
