"""How a request ends, and what is said then: without having run, or with an outcome."""

from __future__ import annotations

from collections.abc import Mapping

from ..chat import cards, over
from ..matrix import private_rooms
from ..model.command import Kind
from ..model.request import NO_WHY, Request, State, Why
from ..text.message import Message, Sign
from . import limits, store
from .desk import Desk, only_looks
from .machine import Event, Fact, worst

DISTRUST = 24 * 3600.0  # seconds without a role, once somebody may have got the new password
HOURGLASS = "⏳"  # a reaction on a command that takes long, until it ends


async def closed(
    desk: Desk, request: Request, *, by: str = "", why: str = "", card_gone: bool = False
) -> None:
    """It ended without having run: the card says so, and a new message pushes who asked.

    by: MXID of the person who ended it, "" if nobody did. why: their words. Who ended their own
    request gets no new message about it, unless the card was deleted.
    """
    await desk.outbox.unreact(desk.tx, request.room, request.command, HOURGLASS)
    await desk.record("ended", request, state=request.state.value, by=by, reason=why)
    await _elsewhere(desk, request)
    has_card = bool(request.slots) or request.glass
    if has_card:
        card = cards.ended(request, (), desk.here)
        await (desk.show_reminder if card_gone else desk.show)(request, card)
    own = bool(by) and desk.name(by) == desk.name(request.mxid)
    if own and not card_gone:
        return
    key = f"request.{request.id}.end"
    if has_card:
        message = over.over(request, desk.here, why, again=desk.can_tap(request))
        await desk.say(request, key, message)
    elif request.note:
        message = over.not_started(request, desk.here, again=desk.can_tap(request))
        await desk.say(request, key, message, answers=True)


async def _elsewhere(desk: Desk, request: Request) -> None:
    """Where its own room is aside, another one is told, or else the owners in private."""
    if request.room not in desk.view.aside:
        return
    owners, room = desk.mxids(desk.owners()), desk.speaking()
    push = owners if room is None else desk.push(room, owners)
    message = over.elsewhere(request, push, desk.here)
    key = f"request.{request.id}.elsewhere.{request.state.value}"
    for where in [room] if room is not None else await private_rooms.rooms_of(desk.tx, owners):
        await desk.outbox.put(desk.tx, where, key, message)


async def settled(desk: Desk, number: int, message: Message) -> Request | None:
    """Every line is settled (or will not be sent): the worst of them is what it came to.

    message: the ready result. Also for an UNKNOWN one of which a late answer or a look has told.
    None when nothing changes: it has ended, or is unknown still.
    """
    request = await store.get(desk.tx, number)
    if request is None or request.state not in (State.EXECUTING, State.UNKNOWN):
        return None
    lines = await store.lines(desk.tx, number)
    kinds = [line.outcome.kind if line.outcome else Kind.FAILED for line in lines]
    reads = only_looks(request.invocation)
    facts = {worst(kinds): NO_WHY} | ({Fact.ONLY_READS: NO_WHY} if reads else {})
    event = Event.END if request.state is State.EXECUTING else Event.TOLD
    ended = await _ended(desk, request, event, facts, message)
    if ended is not None and ended.state in (State.REFUSED, State.FAILED):
        await store.trust_again(desk.tx, number)
    return ended


async def resolved(
    desk: Desk, request: Request, kind: Kind, message: Message, told_by: str
) -> Request | None:
    """An UNKNOWN one of which a person said what became of it.

    Nobody is trusted again on such a word: whoever asked may hold the new password.
    """
    return await _ended(desk, request, Event.TOLD, {Fact[kind.name]: NO_WHY}, message, told_by)


async def _ended(
    desk: Desk,
    request: Request,
    event: Event,
    facts: Mapping[Fact, Why],
    message: Message,
    by: str = "",
) -> Request | None:
    effects, request = await desk.apply(request, event, facts)
    if not effects:
        return None
    await desk.outbox.unreact(desk.tx, request.room, request.command, HOURGLASS)
    await limits.give_back(desk.tx, request.id)
    await desk.record("ended", request, state=request.state.value, by=by)
    if not only_looks(request.invocation):
        await _elsewhere(desk, request)
    if request.slots:
        await desk.show(request, cards.ended(request, request.approved, desk.here))
    direct = not request.slots and not request.glass
    key = f"request.{request.id}.{'end' if event is Event.END else 'told'}"
    await desk.say(request, key, message, answers=direct)
    if event is Event.TOLD:
        for room in desk.view.rooms:  # nobody has to say how it ended any more
            await desk.outbox.buttons(desk.tx, room, f"request.{request.id}.end", ())
    if message.sign is Sign.ALARM:
        await desk.elsewhere(request.room, key, message)
    return request
