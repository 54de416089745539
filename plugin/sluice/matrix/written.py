"""What this account wrote: noted before it is sent, so that what somebody else writes with the
same account can be told from it. Here is only that question; `ops.account` does what follows.

An event of the account is ours if its event id is stored, or if the transaction id that the
server shows us (`unsigned.transaction_id`) or the one in our own mark is stored and no other event
has taken it. A mark alone proves nothing: everybody in the room reads it, and with it the nonce.

Most of this stands in other tables (messages and taps in the outbox, passwords with their
delivery). `sluice_sent` has the rest: lines, fences, questions of the house, passwords on their
way, and what the outbox forgets once it is sent (edits, taps that were taken back).
"""

from __future__ import annotations

from attrs import evolve

from ..db.connection import Tx
from ..db.rows import insert
from ..model.event import RoomEvent, text_in
from .late import ENCRYPTED

SCHEMA: tuple[str, ...] = ()
SCHEMA_2 = (
    """CREATE TABLE sluice_sent (
        txn      TEXT PRIMARY KEY,
        room     TEXT NOT NULL,
        event_id TEXT,
        at       DOUBLE PRECISION NOT NULL
    )""",
    "CREATE INDEX sluice_sent_event ON sluice_sent (event_id)",
    "CREATE INDEX sluice_sent_at ON sluice_sent (at)",
)
KEPT = 40 * 86400.0  # seconds; longer than `timeline.KEEP_SEEN`
UNCLEAR = 600.0  # seconds in which a message may be one whose response never came
_MARKS, _LINE = "org.sluicebot.", "org.sluicebot.line"  # every other mark is a transaction id
_SAID = ("m.room.message", "m.reaction", ENCRYPTED)
_BY_EVENT = (
    "SELECT 1 FROM sluice_outbox WHERE event_id=$1 UNION ALL "
    "SELECT 1 FROM sluice_sent WHERE event_id=$1 UNION ALL "
    "SELECT 1 FROM sluice_delivery WHERE event_id=$1 UNION ALL "
    "SELECT 1 FROM sluice_line WHERE event_id=$1 LIMIT 1"
)
_BY_TXN = (
    "SELECT event_id FROM sluice_outbox WHERE txn=$1 UNION ALL "
    "SELECT event_id FROM sluice_sent WHERE txn=$1"
)
_OPEN = (
    "SELECT 1 FROM sluice_outbox WHERE room=$1 AND state=0 UNION ALL "
    "SELECT 1 FROM sluice_sent WHERE room=$1 AND event_id IS NULL AND at>$2 LIMIT 1"
)


# --- noting


async def note(tx: Tx, txn: str, room: str, at: float) -> None:
    """To be committed before it is sent."""
    await tx.execute("DELETE FROM sluice_sent WHERE at<$1", at - KEPT)
    await _insert(tx, txn, room, None, at)


async def took(tx: Tx, event: RoomEvent) -> None:
    """It was read: from now on its transaction id is no other event's."""
    await tx.execute(
        "UPDATE sluice_sent SET event_id=$1 WHERE txn=$2 AND event_id IS NULL",
        event.id,
        text_in(event.unsigned, "transaction_id") or mark(event),
    )


async def keep(tx: Tx, txn: str, room: str, event_id: str | None, at: float) -> None:
    """A row of the outbox that is about to be forgotten."""
    await _insert(tx, txn, room, event_id, at)


async def admit(tx: Tx, event_id: str, room: str, at: float) -> None:
    """An event that is not to be asked about again."""
    await _insert(tx, f"event {event_id}", room, event_id, at)


async def _insert(tx: Tx, txn: str, room: str, event_id: str | None, at: float) -> None:
    row = {"txn": txn, "room": room, "event_id": event_id, "at": at}
    await insert(tx, "sluice_sent", row, "ON CONFLICT (txn) DO NOTHING")


# --- asking


def asked(event: RoomEvent, me: str) -> bool:
    """Whether it matters who wrote this event of ours: it says something, or changes the room for
    others. Our own joins and profile changes (maubot writes some at its start) and redactions do
    neither."""
    if event.sender != me:
        return False
    if not event.is_state:
        return event.type in _SAID
    if event.type == "m.room.member":
        return event.state_key != me
    return event.type == "m.room.power_levels"


async def is_ours(tx: Tx, room: str, event: RoomEvent, now: float) -> bool:
    """Whether this process, or an earlier one on this database, has written it."""
    if await tx.fetchval(_BY_EVENT, event.id) is not None:
        return True
    told = text_in(event.unsigned, "transaction_id")
    if txn := told or mark(event):
        rows = await tx.fetch(_BY_TXN, txn)
        if rows and all(row["event_id"] in (None, event.id) for row in rows):
            return True
    if told or event.is_state:
        return False
    # Redacted, it has lost its marks; after a new token Synapse does not show transaction ids.
    if event.content and event.type != ENCRYPTED and _LINE not in event.content:
        return False
    return bool(await tx.fetchval(_OPEN, room, now - UNCLEAR))


def mark(event: RoomEvent) -> str:
    """The transaction id in our own mark; "" without one."""
    marks = (
        value
        for key, value in event.content.items()
        if key.startswith(_MARKS) and key != _LINE and isinstance(value, str)
    )
    return next(marks, "")


def without_marks(event: RoomEvent) -> RoomEvent:
    """As anybody may have written it."""
    rest = {key: value for key, value in event.content.items() if not key.startswith(_MARKS)}
    return evolve(event, content=rest)
