"""The audit log, followed as the bot does it (`Drift.check_log`), in one go."""

from __future__ import annotations

from sluice import audit
from sluice.audit import Head
from sluice.db.connection import Tx

START = Head()


async def follow_all(tx: Tx, start: Head = START) -> Head:
    """The newest head behind one known to be good; raises Broken."""
    query = f"SELECT {audit.COLUMNS} FROM sluice_audit WHERE seq>$1 ORDER BY seq"
    for row in await tx.fetch(query, start.seq):
        start = audit.follow(start, row)
    return start
