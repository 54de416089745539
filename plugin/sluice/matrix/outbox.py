"""What the bot says in rooms, written in the transaction that decides it; `sender` sends it.

The txn id is stored with the message, so that nothing is said twice, and a message read back in
the timeline fills in an event id that no answer told. Secrets never come here.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from attrs import evolve, frozen

from ..db import codec, meta
from ..db.connection import Database, Tx
from ..db.rows import Table
from ..model.event import RoomEvent
from ..model.ids import EventId, RoomId
from ..text.message import Message, Topic
from . import threads, written
from .files import File

SCHEMA = (
    """CREATE TABLE sluice_outbox (
        id       BIGINT PRIMARY KEY,
        txn      TEXT NOT NULL UNIQUE,
        room     TEXT NOT NULL,
        kind     TEXT NOT NULL,
        key      TEXT NOT NULL,
        emoji    TEXT NOT NULL,
        content  TEXT NOT NULL,
        clear    SMALLINT NOT NULL,
        gone     SMALLINT NOT NULL,
        state    SMALLINT NOT NULL,
        event_id TEXT,
        error    TEXT NOT NULL
    )""",
    "CREATE UNIQUE INDEX sluice_outbox_key ON sluice_outbox (room, key) WHERE kind='message'",
    "CREATE INDEX sluice_outbox_target ON sluice_outbox (room, key, emoji)",
    "CREATE INDEX sluice_outbox_event ON sluice_outbox (event_id)",
    "CREATE INDEX sluice_outbox_waiting ON sluice_outbox (room, id) WHERE state=0",
)

SCHEMA_3 = ("ALTER TABLE sluice_outbox ADD COLUMN about TEXT",)

# Kinds of rows. `key` of a message is its name; of everything else what it acts on: the key of a
# message, the txn of another row, or an event id (which begins with $).
# EVENT is of a type of our own, which is its key: nobody is shown it, and it is never encrypted.
SAY, EDIT, REACT, REDACT, EVENT = "message", "edit", "react", "redact", "event"
WAITING, SENT, DROPPED = 0, 1, 2  # states
MARK = "org.sluicebot.out"  # in the content: the row's txn
SIZE = 16_000  # bytes of body and HTML; an edit doubles it, encryption adds a third, 65,535 is all
_COUNTER = (
    "INSERT INTO sluice_meta (key, value) VALUES ('outbox', '1') ON CONFLICT (key) DO UPDATE "
    "SET value=CAST(CAST(sluice_meta.value AS BIGINT) + 1 AS TEXT) RETURNING value"
)


@frozen
class Outgoing:
    """A row: one thing to say or do in a room, in the order of the ids.

    content: JSON, "" once it is settled. clear: see `Outbox.put`. gone: this reaction is taken
    away. error: why it was dropped. about: of a message, what it is about.
    """

    id: int
    txn: str
    room: str
    kind: str
    key: str
    emoji: str = ""
    content: str = ""
    clear: bool = False
    gone: bool = False
    state: int = WAITING
    event_id: EventId | None = None
    error: str = ""
    about: Topic | None = None


@frozen
class Fate:
    """What became of a row: sent (event_id may be unknown) or, with an error, dropped."""

    row: Outgoing
    event_id: str | None = None
    error: str = ""


codec.known(Topic)
_ROWS = Table("sluice_outbox", Outgoing)
_SAID = f"room = $1 AND key = $2 AND kind = '{SAY}'"
_REACTED = f"room = $1 AND key = $2 AND kind = '{REACT}' AND gone = 0"


class Outbox:
    """nonce: of this installation. mxid: the bot's. wake: set when something waits."""

    def __init__(
        self, database: Database, nonce: str, mxid: str, now: Callable[[], float] = time.time
    ) -> None:
        self.wake = asyncio.Event()
        self.known: deque[str] = deque(maxlen=500)  # txn ids whose event ids are stored
        self.refused: dict[str, str] = {}  # room -> why the server took no message of ours there
        self._unstored: dict[str, str] = {}  # txn -> room: sent while nothing could be stored
        self._nonce, self._mxid, self._now = nonce, mxid, now
        self._written = False  # by a transaction that may not be committed yet
        database.after_write(self._committed)

    async def put(
        self,
        tx: Tx,
        room: str,
        key: str,
        message: Message,
        *,
        reply_to: str | None = None,
        clear: bool = False,
        file: File | None = None,
    ) -> None:
        """A new message. A key that was used in this room is not used again: nothing happens.

        It stands in the thread of what it answers. clear: also in a room that is encrypted while
        the bot has no crypto. file: what the message is the caption of.
        """
        content = fitting(message).content()
        if file is not None:
            content.update(file.content())
        root = await self._thread(tx, reply_to) if reply_to is not None else None
        if reply_to is not None:
            content["m.relates_to"] = threads.place(reply_to, root)
        about = message.about
        if await self._add(tx, room, SAY, key, content=content, clear=clear, about=about):
            if root is not None and (row := await _ROWS.one(tx, f"WHERE {_SAID}", room, key)):
                await threads.keep(tx, row.txn, root)
            for emoji in message.taps:
                await self.react(tx, room, key, emoji)

    async def _thread(self, tx: Tx, event_id: str) -> EventId | None:
        """The root of the thread that a message stands in, also one of ours."""
        own = await _ROWS.one(tx, f"WHERE event_id = $1 AND kind = '{SAY}'", event_id)
        return await threads.root_of(tx, own.txn if own is not None else event_id)

    async def edit(self, tx: Tx, room: str, key: str, message: Message) -> None:
        """The message of `key` reads like this from now on, and is about what this is about, if
        that is said. Nobody is pushed."""
        if message.about is not None:
            await _ROWS.change(tx, {"about": message.about}, _SAID, room, key)
        new = fitting(message).content()
        content: dict[str, object] = {
            **new,
            "body": f"* {new['body']}",
            "formatted_body": f"* {new['formatted_body']}",
            "m.mentions": {},
            "m.new_content": new,
        }
        await self._add(tx, room, EDIT, key, content=content)

    async def revise(self, tx: Tx, room: str, key: str, message: Message) -> None:
        """As `edit`, but of a message that is not sent yet the text itself."""
        new = {"content": json.dumps(fitting(message).content())}
        if not await _ROWS.change(tx, new, f"{_SAID} AND state = $3", room, key, WAITING):
            await self.edit(tx, room, key, message)

    async def react(self, tx: Tx, room: str, target: str, emoji: str) -> None:
        """target: the key of a message of ours, or an event id."""
        await self._add(tx, room, REACT, target, emoji=emoji)

    async def unreact(self, tx: Tx, room: str, target: str, emoji: str) -> None:
        """Takes our reaction away, if there is one."""
        where = f"{_REACTED} AND emoji = $3"
        row = await _ROWS.one(tx, f"WHERE {where}", room, target, emoji)
        if row is not None:
            await _ROWS.change(tx, {"gone": True}, where, room, target, emoji)
            await self._add(tx, room, REDACT, row.txn)

    async def buttons(self, tx: Tx, room: str, key: str, emojis: Sequence[str]) -> None:
        """Our own reactions on the message of `key` are exactly these from now on."""
        there = await self.offered(tx, room, key)
        for emoji in there:
            if emoji not in emojis:
                await self.unreact(tx, room, key, emoji)
        for emoji in emojis:
            if emoji not in there:
                await self.react(tx, room, key, emoji)

    async def offered(self, tx: Tx, room: str, key: str) -> tuple[str, ...]:
        """Our own reactions on the message of `key`, sent or not."""
        return tuple([row.emoji for row in await _ROWS.all(tx, f"WHERE {_REACTED}", room, key)])

    async def redact(self, tx: Tx, room: str, target: str, reason: str = "") -> None:
        """Removes a message of ours (by its key), or any event our power allows (by its id)."""
        await self._add(tx, room, REDACT, target, content={"reason": reason} if reason else {})

    async def keep(self, tx: Tx, room: str, kind: str, content: dict[str, object]) -> None:
        """An event of a type of ours: every server in the room keeps it, no client shows it."""
        await self._add(tx, room, EVENT, kind, content=content)

    async def has(self, tx: Tx, room: str, key: str) -> bool:
        """Whether there is a message with this key, sent or not."""
        return await _ROWS.one(tx, f"WHERE {_SAID}", room, key) is not None

    async def is_busy(self, tx: Tx, room: str, key: str) -> bool:
        """Whether a message with this key, or an edit of it, is not sent yet."""
        where = f"WHERE room = $1 AND key = $2 AND state = {WAITING}"
        return await _ROWS.one(tx, where, room, key) is not None

    async def event_of(self, tx: Tx, room: RoomId, key: str) -> EventId | None:
        row = await _ROWS.one(tx, f"WHERE {_SAID}", room, key)
        return row.event_id if row is not None else None

    async def key_of(self, tx: Tx, room: RoomId, event_id: EventId) -> str | None:
        row = await self.said(tx, room, event_id)
        return row.key if row is not None else None

    async def said(self, tx: Tx, room: RoomId, event_id: EventId) -> Outgoing | None:
        """The message of ours that this event is."""
        where = f"WHERE event_id = $1 AND room = $2 AND kind = '{SAY}'"
        return await _ROWS.one(tx, where, event_id, room)

    # --- for who sends it

    async def waiting(self, tx: Tx, room: str, most: int) -> list[Outgoing]:
        """What waits in a room, the first first."""
        where = f"WHERE room = $1 AND state = {WAITING} ORDER BY id LIMIT {int(most)}"
        return await _ROWS.all(tx, where, room)

    async def rooms(self, tx: Tx) -> set[str]:
        """Where something waits."""
        rows = await tx.fetch(f"SELECT DISTINCT room FROM sluice_outbox WHERE state = {WAITING}")
        return {row["room"] for row in rows}

    async def event_for(self, tx: Tx, row: Outgoing) -> str | None:
        """The event that a row acts on, if it was sent."""
        where = f"(txn = $2 OR (key = $2 AND kind = '{SAY}'))"
        found = await _ROWS.one(
            tx, f"WHERE room = $1 AND event_id IS NOT NULL AND {where}", row.room, row.key
        )
        return found.event_id if found is not None else None

    async def settle(self, tx: Tx, fates: Sequence[Fate]) -> None:
        """Messages and reactions are kept, without their text; all else is over."""
        for fate in fates:
            row = fate.row
            if row.kind in (EDIT, REDACT, EVENT) and not fate.error:
                await self.forget(tx, row.txn, row.kind, fate.event_id)
                if row.kind == REDACT:  # the reaction that it took away
                    await self.forget(tx, row.key, REACT, None)
                continue
            await tx.execute(
                "UPDATE sluice_outbox SET event_id=COALESCE(event_id, $1), state=$2, content='', "
                "error=$3 WHERE txn=$4",
                fate.event_id,
                DROPPED if fate.error else SENT,
                fate.error,
                row.txn,
            )

    # --- what is read back

    async def unclear(self, tx: Tx, room: RoomId, event_id: EventId) -> bool:
        """Whether this may be a message of ours that is being sent: one that was removed before
        it was read back has lost its mark, and only the sender will know it."""
        if await _ROWS.one(tx, "WHERE event_id = $1", event_id) is not None:
            return False
        where = f"WHERE room = $1 AND kind = '{SAY}' AND state = {WAITING}"
        return await _ROWS.one(tx, where, room) is not None

    def seen(self, event: RoomEvent) -> Callable[[Tx], Awaitable[None]] | None:
        """What to store of an event of the timeline: the id of a message of ours, if it is not
        known yet. So whoever reacts to a message is read after its id is stored.
        """
        txn = event.content.get(MARK)
        if event.sender != self._mxid or not isinstance(txn, str) or txn in self.known:
            return None

        async def block(tx: Tx) -> None:
            if (room := self._unstored.get(txn)) is not None:
                row = Outgoing(await self._number(tx), txn, room, SAY, f"direct.{txn}")
                await _ROWS.add(tx, row, "ON CONFLICT DO NOTHING")
            settled = {"event_id": event.id, "state": SENT, "content": "", "error": ""}
            await _ROWS.change(tx, settled, "txn = $1 AND event_id IS NULL", txn)
            for kind in (EDIT, EVENT):
                await self.forget(tx, txn, kind, event.id)

        return block

    async def forget(self, tx: Tx, txn: str, kind: str, event_id: str | None) -> None:
        """A row that is over, if it is of this kind; that it was ours stays known."""
        row = await _ROWS.one(tx, "WHERE txn = $1 AND kind = $2", txn, kind)
        if row is not None:
            await tx.execute("DELETE FROM sluice_outbox WHERE txn = $1", txn)
            await written.keep(tx, txn, row.room, event_id or row.event_id, self._now())

    async def hold_back(self, tx: Tx, room: str, first: str, message: Message) -> bool:
        """What is said ahead of all that waits in a room. first: the txn of what waits longest,
        so that it is said once. False: it was said."""
        key = f"held.{first}"
        if await self.has(tx, room, key):
            return False
        await self._add(tx, room, SAY, key, content=message.content(), ahead=True)
        return True

    def unstored(self, room: str) -> str:
        """The txn id of a message that is sent while nothing can be stored."""
        txn = meta.txn_id(self._nonce, "direct", room, self._now())
        self._unstored[txn] = room
        return txn

    def is_unstored(self, room: str, txn: str) -> bool:
        """Whether this process said it while nothing could be stored."""
        return self._unstored.get(txn) == room

    async def _add(
        self,
        tx: Tx,
        room: str,
        kind: str,
        key: str,
        *,
        emoji: str = "",
        content: dict[str, object] | None = None,
        clear: bool = False,
        ahead: bool = False,
        about: Topic | None = None,
    ) -> bool:
        """False: there is a message with this key."""
        number = await self._number(tx)
        # The time too: after a restored backup the same number must not be the same txn.
        txn = meta.txn_id(self._nonce, "outbox", room, number, self._now())
        text, place = json.dumps(content or {}), -number if ahead else number
        row = Outgoing(place, txn, room, kind, key, emoji, text, clear, about=about)
        self._written = True
        return await _ROWS.add(tx, row, "ON CONFLICT DO NOTHING")

    async def _number(self, tx: Tx) -> int:
        return int(await tx.fetchval(_COUNTER))

    def _committed(self) -> None:
        if self._written:
            self._written = False
            self.wake.set()


def fitting(message: Message) -> Message:
    """The message, cut at a line if it is too large for an event."""
    lines = message.lines
    while len(lines) > 1 and len((message.body + message.html).encode()) > SIZE:
        lines = lines[:-1]
        message = evolve(message, lines=(*lines, ("… cut here, it is too long for one message",)))
    return message
