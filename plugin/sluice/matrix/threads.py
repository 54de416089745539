"""Which thread a message was written in, so that what it leads to is said there: also much later,
and after a restart."""

from __future__ import annotations

from ..db.connection import Tx
from ..db.rows import insert
from ..model.ids import EventId

SCHEMA_3 = ("CREATE TABLE sluice_thread (event_id TEXT PRIMARY KEY, root TEXT NOT NULL)",)


async def keep(tx: Tx, event_id: EventId, root: EventId) -> None:
    """This message stands in the thread of that one."""
    row = {"event_id": event_id, "root": root}
    await insert(tx, "sluice_thread", row, "ON CONFLICT DO NOTHING")


async def place(tx: Tx, reply_to: str | None, beside: str | None) -> dict[str, object]:
    """The relation of a message that answers one of these, or only stands beside it; empty for
    one that stands alone."""
    about = reply_to or beside
    if about is None:
        return {}
    root = await tx.fetchval("SELECT root FROM sluice_thread WHERE event_id = $1", about)
    answers: dict[str, object] = {"m.in_reply_to": {"event_id": about}}
    if root is None:
        return answers if reply_to else {}
    falls_back = reply_to is None  # for clients that know no threads
    thread = {"rel_type": "m.thread", "event_id": root, "is_falling_back": falls_back}
    return {**thread, **answers}
