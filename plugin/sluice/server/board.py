"""The board of each ops room: one message that is edited when something else is true.

It is looked at after commits, at most once in a while: whatever it shows is stored, or is told
soon after by something that is. While one of its texts is still on its way nothing is added, so
an outage leaves at most one behind. A board that is old is posted anew with the next change, so
a room where nothing happens stays quiet.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from attrs import evolve, frozen

from ..chat import board as texts
from ..chat.board import Glance
from ..db import codec, meta
from ..db.connection import Database, Tx
from ..matrix.api import Homeserver, MatrixError, passing
from ..matrix.outbox import Outbox
from ..model.ids import EventId, RoomId
from ..model.request import Request, State
from ..requests import measures, store
from ..requests.desk import Desk, Desks
from ..state import Live, RegistrationState, Rooms, ServerState
from ..text.message import Message
from .problems import Drift

_EVERY = 10.0  # seconds between two looks, and what runs for a shorter time is not shown
_DAY, _EDITS = 86400.0, 50  # when it is posted anew
_PINS = "m.room.pinned_events"
_KEY = "board.{}"  # in the database: of a room

log = logging.getLogger("sluice.board")


@frozen
class Posted:
    """The board that stands in a room. key: of the outbox. says: its text, without the moment.

    pinned: it is, or it was tried. before: the event of the one that stood before.
    """

    key: str
    at: float
    says: str
    edits: int = 0
    pinned: bool = False
    before: str = ""


codec.known(Posted)


class Board:
    def __init__(
        self,
        live: Live,
        rooms: Rooms,
        outbox: Outbox,
        conduit: ServerState,
        registration: RegistrationState,
        desk: Desks,
        db: Database,
        homeserver: Homeserver,
        drift: Drift,
    ) -> None:
        self._live, self._rooms, self._outbox = live, rooms, outbox
        self._conduit, self._registration, self._desk = conduit, registration, desk
        self._db, self._hs, self._drift = db, homeserver, drift
        self._changed = asyncio.Event()
        db.after_write(self._changed.set)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(_EVERY)
            await self._changed.wait()
            self._changed.clear()
            await self.look()

    async def look(self) -> None:
        """Brings every room's up to date."""
        if self._live.settings is None:
            return
        if await self._db.read(self._left):
            await self._db.write(self._let_go)
        for room in map(RoomId, self._rooms.speaking()):
            if await self._db.read(partial(self._news, room=room)) is not None:
                await self._db.write(partial(self._show, room=room))
            await self._pin(room)

    async def anew(self, desk: Desk, room: RoomId) -> Message | None:
        """As somebody asks for it; what is said if there is none."""
        if not self._live.in_force.board:
            return texts.switched_off(desk.here)
        message = texts.board(desk.here, await self._glance(desk, room))
        await self._post(desk, room, await _posted(desk.tx, room), message)
        return None

    async def _left(self, tx: Tx) -> list[RoomId]:
        """Where one stands although this is no ops room any more."""
        rooms = [key[len(_KEY.format("")) :] for key in await meta.keys(tx, _KEY.format(""))]
        return [RoomId(room) for room in rooms if room not in self._live.in_force.ops_rooms]

    async def _let_go(self, tx: Tx) -> None:
        """It says once that it is not kept, where the bot is still let in."""
        for room in await self._left(tx):
            posted = await _posted(tx, room)
            if posted is not None:
                await self._outbox.edit(tx, room, posted.key, texts.let_go())
            await meta.drop(tx, _KEY.format(room))

    # --- what it shows

    async def _glance(self, desk: Desk, room: RoomId) -> Glance:
        tx, before = desk.tx, desk.now - _EVERY
        working = await store.in_state(tx, State.PENDING, State.EXECUTING)
        shown = sorted((r for r in working if r.slots or r.created <= before), key=_ends)
        health = self._conduit.health
        answers = self._conduit.room and health.version and health.answering
        return Glance(
            requests=[(r, (await desk.about(r)).short) for r in shown],
            reviews=[number for number, _ in await measures.unreviewed(desk)],
            registration=self._registration.until,
            is_meant=self._registration.is_meant,
            pause=await store.pause(tx),
            conduit=f"Conduit {health.version} answers" if answers else "",
            problems=await self._drift.words(tx, room),
        )

    async def _news(self, tx: Tx, room: RoomId) -> tuple[Posted | None, Message] | None:
        """What stands in a room, and what should; None while that is the same."""
        posted, desk = await _posted(tx, room), self._desk(tx, room)
        if posted is not None and await self._outbox.is_busy(tx, room, posted.key):
            return None
        if self._live.in_force.board:
            message = texts.board(desk.here, await self._glance(desk, room))
        elif posted is None:
            return None
        else:
            message = texts.switched_off(desk.here)
        return None if posted is not None and posted.says == message.body else (posted, message)

    async def _show(self, tx: Tx, room: RoomId) -> None:
        found = await self._news(tx, room)
        if found is None:
            return
        (posted, message), desk = found, self._desk(tx, room)
        if posted is None or _is_old(posted, desk.now):
            await self._post(desk, room, posted, message)
            return
        await self._outbox.edit(tx, room, posted.key, texts.edited(desk.here, message))
        await _keep(tx, room, evolve(posted, says=message.body, edits=posted.edits + 1))

    async def _post(self, desk: Desk, room: RoomId, old: Posted | None, message: Message) -> None:
        tx, key, before = desk.tx, f"board.{desk.now}", ""
        if old is not None:
            await self._outbox.edit(tx, room, old.key, texts.earlier())
            event = await self._outbox.event_of(tx, room, old.key)
            before = event or "" if old.pinned else old.before
        await self._outbox.put(tx, room, key, texts.first(desk.here, message))
        await _keep(tx, room, Posted(key, desk.now, message.body, before=before))

    # --- the pin

    async def _pin(self, room: RoomId) -> None:
        """Once for each that is posted: whoever takes it away again is not contradicted."""
        found = await self._db.read(partial(self._unpinned, room=room))
        if found is None:
            return
        posted, event = found
        try:
            await self._put_pin(room, event, posted.before)
        except MatrixError as error:
            log.warning("%s: the board is not pinned: %s", room, error)
            if passing(error):
                return
        await self._db.write(partial(self._pinned, room=room, key=posted.key))

    async def _unpinned(self, tx: Tx, room: RoomId) -> tuple[Posted, EventId] | None:
        """The board that is to be pinned, if there is one and the bot may."""
        posted, view = await _posted(tx, room), self._rooms.views.get(room)
        if posted is None or posted.pinned or view is None or not self._live.in_force.board:
            return None
        event = await self._outbox.event_of(tx, room, posted.key)
        able = view.known and view.can_set(_PINS, self._live.me)
        return (posted, event) if event is not None and able else None

    async def _put_pin(self, room: RoomId, event: EventId, before: str) -> None:
        """Among those of others, in the place of the one before."""
        content = await self._hs.state_content(room, _PINS) or {}
        found = content.get("pinned")
        pins = [each for each in found if each != before] if isinstance(found, list) else []
        if event not in pins:
            await self._hs.set_state(room, _PINS, {**content, "pinned": [*pins, event]})

    async def _pinned(self, tx: Tx, room: RoomId, key: str) -> None:
        posted = await _posted(tx, room)
        if posted is not None and posted.key == key:
            await _keep(tx, room, evolve(posted, pinned=True))


async def _posted(tx: Tx, room: RoomId) -> Posted | None:
    text = await meta.get(tx, _KEY.format(room))
    found = codec.read(text) if text else None
    return found if isinstance(found, Posted) else None


async def _keep(tx: Tx, room: RoomId, posted: Posted) -> None:
    await meta.put(tx, _KEY.format(room), codec.write(posted))


def _is_old(posted: Posted, now: float) -> bool:
    return posted.edits >= _EDITS or not 0 <= now - posted.at < _DAY


def _ends(request: Request) -> tuple[float, int]:
    return (float("inf") if request.expires is None else request.expires), request.id
