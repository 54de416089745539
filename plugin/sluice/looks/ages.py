"""Which accounts of a list are older than the others: whoever takes back a wave of registrations
may have one in it that is none of them."""

from __future__ import annotations

from statistics import median

from ..db.connection import Tx
from ..model.command import Invocation
from ..server import store

_NEAR = 3600.0  # seconds: made at about the same time


async def older(tx: Tx, what: Invocation) -> frozenset[str]:
    """None where not most of them were made within the time of which that is known."""
    accounts = what.values("user")
    made = await store.registered(tx, accounts) if len(accounts) > 1 else {}
    if len(made) * 2 <= len(accounts):
        return frozenset()
    before = median(made.values()) - _NEAR
    return frozenset(each for each in accounts if made.get(each, 0.0) < before)
