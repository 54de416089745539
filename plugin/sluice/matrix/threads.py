"""Which thread a message was written in, so that what it leads to is said there: also much later,
and after a restart."""

from __future__ import annotations

from ..db.connection import Tx
from ..db.rows import insert
from ..model.ids import EventId

SCHEMA_3 = ("CREATE TABLE sluice_thread (event_id TEXT PRIMARY KEY, root TEXT NOT NULL)",)


async def keep(tx: Tx, message: str, root: EventId) -> None:
    """This message stands in the thread of that one. message: an event id, or of ours the txn."""
    row = {"event_id": message, "root": root}
    await insert(tx, "sluice_thread", row, "ON CONFLICT DO NOTHING")


async def root_of(tx: Tx, message: str) -> EventId | None:
    query = "SELECT root FROM sluice_thread WHERE event_id = $1"
    root: EventId | None = await tx.fetchval(query, message)
    return root


def place(reply_to: str, root: EventId | None) -> dict[str, object]:
    """The relation of a message that answers this one. root: of the thread it stands in."""
    answers: dict[str, object] = {"m.in_reply_to": {"event_id": reply_to}}
    if root is None:
        return answers
    return {"rel_type": "m.thread", "event_id": root, "is_falling_back": False, **answers}
