"""Rooms, their addresses, what is said in them."""

from __future__ import annotations

from ..model.command import Param, Type
from ..text.message import Text, quote
from ..text.phrases import line
from .params import ROOM, maybe
from .record import (
    CHANGE,
    DESTRUCTIVE,
    INSPECT,
    READ,
    Action,
    After,
    Before,
    End,
    Group,
    ReadOnly,
    Words,
    always,
    back_by,
    never,
)

ROOMS = ReadOnly(
    name="rooms", tags=READ, conduit="list-rooms",
    params=(maybe("pattern", Type.WORD),),
    summary="rooms with “garden” in the name",
    about="lists the rooms, or those with a word in the name",
    example="rooms garden",
    start="line",
    before=Before.SIZE, sized=True, fits=900,
)  # fmt: skip

EVENT = ReadOnly(
    name="event", tags=INSPECT, conduit="get-pdu", most=1,
    params=(Param("event", Type.EVENT, question="Which event?"),),
    summary="one event as the server holds it",
    example="event $Lw3abc",
    before=Before.SEALED, attacker_sized=True, reads_messages=True,
    missing="Conduit knows no event `{first}`",
)  # fmt: skip


def _room(end: End) -> tuple[Text, Text]:
    """(how the room is called in the first line, and in the line below)."""
    room, name = end.value("room"), end.ending.name
    typed = dict(end.invocation.noted).get(room)
    called = end.here.short(typed or room)
    return (called,), (quote(name, 40),) if name else ("It",)


def _disabled(end: End) -> Words:
    called, it = _room(end)
    went = line(
        "{it} takes nothing from other servers; people of {server} can go on writing.",
        it=it,
        server=end.here.server,
    )
    return Words(("disabled room ", *called), lines=(went,))


def _enabled(end: End) -> Words:
    called, it = _room(end)
    again = line(
        "{it} takes from other servers again; what they sent meanwhile may be missing.", it=it
    )
    return Words(("enabled room ", *called, " again"), lines=(again,))


def _removed(end: End) -> Words:
    again = ("Undo: whoever runs the room sets the address again.",)
    clause = line("removed address {alias:short}", end.here, alias=end.first)
    return Words(clause, (), ("The room itself stays.",), again)


DISABLEROOM = Action(
    name="disableroom", tags=DESTRUCTIVE, conduit="disable-room", most=1,
    params=(ROOM,),
    summary="takes nothing more from other servers",
    example="disableroom #warez:example.org reason films",
    overview=True,
    before=Before.ROOM, after=After.ROOM,
    then=always("other servers are cut off; people here can go on."),
    done=_disabled,
    undo=back_by("enableroom"),
    look="`!rooms {id}`",
)  # fmt: skip

ENABLEROOM = Action(
    name="enableroom", tags=CHANGE, conduit="enable-room", most=1,
    params=(ROOM,),
    summary="takes from other servers again",
    example="enableroom #warez:example.org",
    overview=True,
    before=Before.ROOM, after=After.ROOM,
    then=always("what other servers send gets in again."),
    done=_enabled,
    undo=back_by("disableroom"),
    look="`!rooms {id}`",
)  # fmt: skip

RMALIAS = Action(
    name="rmalias", tags=DESTRUCTIVE, conduit="remove-alias", most=1,
    params=(Param("alias", Type.ALIAS, question="Which address?"),),
    summary="removes a room's address",
    example="rmalias #old:example.org",
    overview=True,
    before=Before.ADDRESS, after=After.ALIAS,
    then=always("the address leads nowhere; the room stays."),
    done=_removed,
    undo=never,
    missing="there is no address `{first}`", still="The address still leads to its room",
    look="",
)  # fmt: skip

GROUP = Group("Rooms", "", (ROOMS, EVENT, DISABLEROOM, ENABLEROOM, RMALIAS))
