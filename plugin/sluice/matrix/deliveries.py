"""The passwords that still stand in private rooms, and when each of them is removed.

The clock of a password starts when its recipient has joined the room: before, nobody can have read
it. Whoever does not come within an hour finds it gone.
"""

from __future__ import annotations

from attrs import frozen

from ..db.connection import Row, Tx

SCHEMA = (
    """CREATE TABLE sluice_delivery (
        event_id TEXT PRIMARY KEY,
        room     TEXT NOT NULL,
        mxid     TEXT NOT NULL,
        account  TEXT NOT NULL,
        note     TEXT NOT NULL,
        sent     DOUBLE PRECISION NOT NULL,
        joined   DOUBLE PRECISION,
        lasts    DOUBLE PRECISION NOT NULL
    )""",
)
TO_JOIN = 3600.0  # seconds


@frozen
class Delivery:
    """event_id: the message with the password. mxid: who gets it. account: whose it is.

    note: key of the line after it (several passwords may share one). Times in seconds; joined:
    when the recipient was first known to be in the room, None until then. lasts: how long it
    stands from then on.
    """

    event_id: str
    room: str
    mxid: str
    account: str
    note: str
    sent: float
    joined: float | None
    lasts: float

    @property
    def ends(self) -> float:
        """When it is to be removed, as things stand."""
        if self.joined is None:
            return self.sent + TO_JOIN
        return max(self.sent, self.joined) + self.lasts


async def add(tx: Tx, delivery: Delivery) -> None:
    """The same event again changes nothing."""
    await tx.execute(
        "INSERT INTO sluice_delivery (event_id, room, mxid, account, note, sent, joined, lasts) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (event_id) DO NOTHING",
        delivery.event_id,
        delivery.room,
        delivery.mxid,
        delivery.account,
        delivery.note,
        delivery.sent,
        delivery.joined,
        delivery.lasts,
    )


async def came(tx: Tx, room: str, mxid: str, at: float) -> None:
    """The recipient is in the room."""
    await tx.execute(
        "UPDATE sluice_delivery SET joined=$3 WHERE room=$1 AND mxid=$2 AND joined IS NULL",
        room,
        mxid,
        at,
    )


async def standing(tx: Tx) -> tuple[Delivery, ...]:
    """Every password that was not removed yet, the first to go first."""
    rows = await tx.fetch("SELECT * FROM sluice_delivery")
    return tuple(sorted(map(_delivery, rows), key=lambda delivery: delivery.ends))


async def over(tx: Tx, event_id: str) -> Delivery | None:
    """Its removal is on the way; None if it was before."""
    row = await tx.fetchrow("DELETE FROM sluice_delivery WHERE event_id=$1 RETURNING *", event_id)
    return None if row is None else _delivery(row)


def _delivery(row: Row) -> Delivery:
    return Delivery(
        row["event_id"],
        row["room"],
        row["mxid"],
        row["account"],
        row["note"],
        row["sent"],
        row["joined"],
        row["lasts"],
    )
