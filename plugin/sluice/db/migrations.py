"""What the database looks like: the tables of every store, in one revision."""

from __future__ import annotations

from importlib import import_module
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
    return tuple(statement for name in STORES for statement in import_module(name).SCHEMA)


async def first(conn: Any) -> None:
    for statement in schema():
        await conn.execute(statement)
    await meta.nonce(conn)


upgrade_table.register(first, description="the tables of Sluice 1.0")
