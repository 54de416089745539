"""What follows when somebody else uses the bot's account, or the database does not know its past.

Every event of our own account passes here before it is handled (`matrix.written` says whether it
is ours). What is not, and comes while this process runs, was written by another Sluice, by a copy
of this database on another machine, or by whoever has the token: owners are told, and nothing that
changes something runs until one of them resumes.

What stands in a room already when it is opened is looked through before anything of it is handled.
Messages of ours that the database does not know mean that it was restored from a backup: the
numbers of requests go on above the highest that was seen, cards that nobody knows are marked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

from attrs import Factory, define

from .. import audit
from ..admin.room import MARK as LINE
from ..chat import alarms
from ..db import meta
from ..db.connection import Database, Tx
from ..matrix import cursor, written
from ..matrix.api import Homeserver, Refused
from ..matrix.encryption import Encryption
from ..matrix.late import ENCRYPTED, NoKey
from ..matrix.model import Handled, Handler, Later
from ..matrix.outbox import Outbox
from ..model.event import RoomEvent, object_in
from ..model.request import ITSELF, Pause
from ..requests import store
from ..server.looking import Looking
from ..state import Live, Rooms, ServerState
from ..text.message import Sign, Text

_TO_TELL = "account"  # in the database: what no room was there to be told of
_LOOKED = "account.{}"  # set for a room once its past was looked through the first time
_RECORDED = 20  # entries in the log for each pause
_JUMP = 10_000  # more than this above the highest known, a number was not ours
_NUMBER = re.compile(r"#(\d{1,9})\b")
_WHY = "somebody else uses the account of the bot"


@define
class Past:
    """What a room holds that the database does not know. ours: messages with our marks. hands:
    the types of what somebody else wrote. unread: messages of ours that cannot be decrypted.

    number: the highest request number in it. cards: open ones, by event id. taps: our own on
    messages, by event id. events: all of it.
    """

    since: float = 0.0
    ours: int = 0
    unread: int = 0
    number: int = 0
    hands: list[str] = Factory(list)
    cards: set[str] = Factory(set)
    taps: dict[str, str] = Factory(dict)
    events: list[str] = Factory(list)

    def add(self, event: RoomEvent, nonce: str, highest: int) -> None:
        """One event that the database does not know. highest: no number of ours is above."""
        said = event.content
        line = str(said.get(LINE) or "")
        if not said or event.type == ENCRYPTED:
            self.unread += 1  # nobody can say; it may have been a card
            return
        if not written.mark(event) and not line.startswith(f"{nonce}/"):
            self.hands.append(event.type)
            return
        request = line.partition("/")[2].partition(".")[0]
        if line and not request.isdecimal():
            return  # a fence, or a question of the house: an earlier run may not have noted it
        self.ours += 1
        body = str(said.get("body", ""))
        numbers = [int(request)] if line else [int(n) for n in _NUMBER.findall(body)]
        self.number = max(self.number, *(n for n in [0, *numbers] if n < highest))
        about = object_in(said, "m.relates_to")
        target = str(about.get("event_id") or "")
        if event.type == "m.reaction":
            self.taps[event.id] = target
        elif about.get("rel_type") == "m.replace":
            if not body.removeprefix("* ").startswith(Sign.CARD.value):
                self.cards.discard(target)
        elif body.startswith(Sign.CARD.value):
            self.cards.add(event.id)


class OwnAccount:
    def __init__(
        self,
        live: Live,
        rooms: Rooms,
        outbox: Outbox,
        conduit: ServerState,
        db: Database,
        homeserver: Homeserver,
        encryption: Encryption,
        looking: Looking,
        nonce: str,
    ) -> None:
        self._live, self._rooms, self._outbox, self._conduit = live, rooms, outbox, conduit
        self._db, self._hs = db, homeserver
        self._encryption, self._looking, self._nonce = encryption, looking, nonce
        self._looked: set[str] = set()  # rooms whose past was looked through
        self._recorded = 0
        self._untold = True  # there may be something to tell

    # --- while it runs

    async def take(self, room: str, event: RoomEvent, handler: Handler) -> Handled | Later | None:
        """One event of a timeline, to who handles it; one of ours that is not ours loses its
        marks first, so that nobody takes it for what it claims to be."""
        if not written.asked(event, self._live.me):
            return await handler(event)
        now = self._live.now()
        ours = self._outbox.is_unstored(room, written.mark(event))
        ours = ours or await self._db.read(lambda tx: written.is_ours(tx, room, event, now))
        handled = await handler(event if ours else written.without_marks(event))
        if isinstance(handled, Later) or (ours and handled is None):
            return handled  # nothing of our own is ever looked up
        does = handled or Handled(_nothing)

        async def commit(tx: Tx) -> None:
            if ours:
                await written.took(tx, event)
            await does.commit(tx)
            if not ours:
                await self._stop(tx, room, event.type, before=False)
                await self._tell(tx)

        return Handled(commit, does.after)

    async def _stop(self, tx: Tx, room: str, kind: str, *, before: bool) -> None:
        """Pauses and leaves a word, once until somebody resumes; the log has the first of them.
        Neither has the event: what is said in the admin room stays there."""
        now, pause = self._live.now(), await store.pause(tx)
        if pause is None or not pause.by_itself:
            self._recorded = 0
            await store.put_pause(tx, Pause(ITSELF, now, _WHY))
            await self._leave(tx, "foreign", {"room": room, "kind": kind, "before": before})
        if self._recorded < _RECORDED:
            self._recorded += 1
            record = {"room": room, "type": kind, "before_start": before}
            await audit.append(tx, now, "foreign", record)

    # --- what is told

    async def _leave(self, tx: Tx, what: str, fields: dict[str, object]) -> None:
        left = json.loads(await meta.get(tx, _TO_TELL) or "{}")
        await meta.put(tx, _TO_TELL, json.dumps({**left, what: fields}))
        self._untold = True

    async def tell(self) -> None:
        """What could not be told yet, as soon as there is an ops room."""
        if self._untold and self._rooms.main_room is not None:
            await self._db.write(self._tell)
            self._untold = False

    async def _tell(self, tx: Tx) -> None:
        room, left = self._rooms.main_room, json.loads(await meta.get(tx, _TO_TELL) or "{}")
        if room is None or not left:
            return
        here = self._rooms.here(room)
        if "restored" in left:
            said = alarms.restored(here, **left["restored"])
            await self._looking.alarm(tx, room, f"restored.{here.clock.now}", said)
        if "foreign" in left:
            where = self._where(left["foreign"]["room"], left["foreign"]["kind"])
            said = alarms.somebody_else(here, where, before=left["foreign"]["before"])
            await self._looking.alarm(tx, room, f"foreign.{here.clock.now}", said)
        await meta.drop(tx, _TO_TELL)

    def _where(self, room: str, kind: str) -> Text:
        what = {
            "m.reaction": "a tap",
            "m.room.member": "an invitation, kick or ban",
            "m.room.power_levels": "new power levels",
        }.get(kind, "a message")
        if room in self._rooms.views:
            return (f"{what} in an ops room",)
        if room == self._conduit.room:
            return (f"{what} in the admin room",)
        return (f"{what} in a private room",)

    # --- what stood there before

    async def look(self, rooms: Iterable[str]) -> None:
        """Looks through what these rooms hold and was not read yet, once a run. The first time
        in this database everything in it counts as ours: an earlier version noted less."""
        for room in rooms:
            if room in self._looked:
                continue
            await self._look(room)
            self._looked.add(room)

    async def _look(self, room: str) -> None:
        found = await self._db.read(lambda tx: cursor.load(tx, room))
        looked = await self._db.read(lambda tx: meta.get(tx, _LOOKED.format(room)))
        known = looked is not None
        past = Past() if found is None else Past(since=found[1])
        if found is not None:
            own = await self._own(room, found[0].token)
            await self._sort(room, own, past, known)

        async def keep(tx: Tx) -> None:
            await meta.put(tx, _LOOKED.format(room), "1")
            for event_id in past.events:
                await written.admit(tx, event_id, room, self._live.now())
            await self._follow(tx, room, past)

        if past.events or not known:
            await self._db.write(keep)

    async def _own(self, room: str, token: str) -> list[RoomEvent]:
        """The events of our own that stand in the room behind this place."""
        own: list[RoomEvent] = []
        while True:
            try:
                page = await self._hs.messages(room, token)
            except Refused as error:
                if error.status not in (400, 403, 404):
                    raise
                return own  # a token of another server, or not our room any more
            own += [e for e in page.events if written.asked(e, self._live.me)]
            if not page.events or page.end in (None, token):
                return [event for event in own if event.id]
            token = str(page.end)

    async def _sort(self, room: str, own: Sequence[RoomEvent], past: Past, known: bool) -> None:
        now = self._live.now()

        async def strange(tx: Tx) -> list[RoomEvent]:
            ids = [event.id for event in own]
            seen = await cursor.marked(tx, ids) if ids else set()
            left = [event for event in own if event.id not in seen]
            return [e for e in left if not await written.is_ours(tx, room, e, now)]

        highest = await self._db.read(store.next_id) + _JUMP
        for event in await self._db.read(strange):
            past.events.append(event.id)
            if known:
                past.add(await self._open(event), self._nonce, highest)

    async def _open(self, event: RoomEvent) -> RoomEvent:
        try:
            return await self._encryption.unseal(event)
        except NoKey:
            return event

    async def _follow(self, tx: Tx, room: str, past: Past) -> None:
        for kind in past.hands:
            await self._stop(tx, room, kind, before=True)
        if not past.ours:
            return
        left = json.loads(await meta.get(tx, _TO_TELL) or "{}").get("restored", {})
        number = max(past.number + past.unread + 1, await store.next_id(tx), left.get("number", 0))
        await store.go_on_above(tx, number - 1)
        for card in past.cards:
            await self._outbox.edit(tx, room, card, alarms.gone_with_restore())
        for tap, target in past.taps.items():
            if target in past.cards:
                await self._outbox.redact(tx, room, tap)
        since = min(past.since, left.get("since", past.since))
        fields = {
            "since": since,
            "number": number,
            "cards": len(past.cards) + left.get("cards", 0),
        }
        await self._leave(tx, "restored", fields)
        record = {"room": room, "since": since, "number": number, "unknown": past.ours}
        await audit.append(tx, self._live.now(), "restored", record)


async def _nothing(_: Tx) -> None:
    pass
