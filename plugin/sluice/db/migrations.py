"""What the database looks like: the tables of every store, in one revision."""

from __future__ import annotations

import secrets
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from mautrix.util.async_db import UpgradeTable

from . import meta

STORES = (
    "sluice.db.meta",
    "sluice.matrix.cursor",
    "sluice.matrix.outbox",
    "sluice.matrix.private",
    "sluice.requests.store",
    "sluice.audit",
    "sluice.relay.store",
)
"""The modules that have tables; each exports SCHEMA."""

upgrade_table = UpgradeTable()


def schema() -> tuple[str, ...]:
    """Every CREATE statement, the same on SQLite and PostgreSQL."""
    return tuple(
        statement for name in STORES if find_spec(name) for statement in import_module(name).SCHEMA
    )


async def first(conn: Any) -> None:
    for statement in schema():
        await conn.execute(statement)
    await meta.put(conn, meta.NONCE, secrets.token_urlsafe(16))


upgrade_table.register(first, description="the tables of Sluice 1.0")
