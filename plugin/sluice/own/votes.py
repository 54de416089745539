"""What people do to requests: `pending`, `approve`, `deny`, `cancel`, `resolve`."""

from __future__ import annotations

from attrs import evolve

from ..chat.results import result
from ..model.command import Kind, Outcome
from ..model.request import Request, Side, State, Via
from ..model.result import How, Part
from ..requests import reweigh, store, voting
from ..requests.desk import Desk
from ..requests.standing import ending_of
from ..requests.submit import Ask
from ..text.message import Message
from ..text.phrases import view
from .call import Call


async def pending(call: Call, desk: Desk, ask: Ask) -> Message:
    message, left = await reweigh.pending(desk, ask.mxid)
    call.keep(desk, left)
    return message


async def approve(call: Call, desk: Desk, ask: Ask) -> None:
    await _vote(call, desk, ask, Side.APPROVE)


async def deny(call: Call, desk: Desk, ask: Ask) -> None:
    await _vote(call, desk, ask, Side.DENY)


async def _vote(call: Call, desk: Desk, ask: Ask, side: Side) -> None:
    why = call.text("why")
    why = why[len("reason") :].lstrip(" :") if why.lower().startswith("reason ") else why
    cast = voting.Ballot(
        event_id=ask.event_id,
        room=ask.room,
        request=call.number() or 0,
        mxid=ask.mxid,
        side=side,
        how=Via.COMMAND,
        reason=why,
        message=ask.command,
    )
    await voting.vote(desk, cast)


async def cancel(call: Call, desk: Desk, ask: Ask) -> None:
    await voting.cancel(desk, ask, call.number() or 0)


async def resolve(call: Call, desk: Desk, ask: Ask) -> None:
    kind = Kind.DONE if call.invocation.get("end") == "done" else Kind.FAILED
    number = call.number() or 0
    request = await store.get(desk.tx, number)
    message = view("resolve answers by itself")
    if request is not None and request.state is State.UNKNOWN:
        message = await _resolved(call, desk, request, kind, desk.name(ask.mxid))
    await voting.resolve(desk, ask, number, kind, message)


async def _resolved(call: Call, desk: Desk, request: Request, kind: Kind, by: str) -> Message:
    """The result as it would have been, with whose word it is."""
    rows = await store.lines(desk.tx, request.id)
    said = Outcome(kind, "said")
    parts = []
    for line, row in zip(desk.planned(request.invocation), rows, strict=False):
        known = row.outcome if row.outcome and row.outcome.kind is not Kind.UNKNOWN else None
        parts.append(Part(line.items, known or said))
    ending = evolve(await ending_of(desk, request, How.SAID), by=by)
    return result(desk.here, ending, request.invocation, parts)
