"""What a message of ours is about: as stored with it, or by what it belongs to."""

from __future__ import annotations

from ..catalog.table import COMMANDS
from ..db.connection import Tx
from ..matrix.outbox import Outbox
from ..model.command import Type
from ..model.ids import EventId, RoomId
from ..model.request import Request
from ..text.message import Topic
from . import store
from .desk import request_number


async def topic_of(tx: Tx, outbox: Outbox, room: RoomId, event_id: EventId) -> Topic | None:
    """None if this event is no message of ours."""
    said = await outbox.said(tx, room, event_id)
    if said is None:
        return None
    request = await _request(tx, room, said.key)
    if request is None:
        return said.about or Topic()
    return (said.about or _asked(request)).with_requests(request.id)


async def _request(tx: Tx, room: RoomId, key: str) -> Request | None:
    """The one that a message with this key belongs to: `request.12.card`, or the answer to the
    command or to the vote."""
    if (number := request_number(key)) is not None:
        return await store.get(tx, number)
    kind, _, rest = key.partition(".")
    if kind not in ("reply", "edited"):
        return None
    event = EventId(rest)
    vote = await store.vote(tx, event)
    return await (store.get(tx, vote.request) if vote else store.of_command(tx, room, event))


def _asked(request: Request) -> Topic:
    """What its command acts on."""
    of: dict[Type, list[str]] = {Type.USER: [], Type.ROOM: [], Type.MXC: []}
    for param in COMMANDS[request.invocation.command].params:
        of.get(param.type, []).extend(request.invocation.values(param.name))
    return Topic((), *(tuple(of[kind]) for kind in (Type.USER, Type.ROOM, Type.MXC)))
