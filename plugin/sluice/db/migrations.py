"""What the database looks like: the tables of every store as Sluice 1.0 made them, and what each
later revision changes. A revision that was released is never edited."""

from __future__ import annotations

from importlib import import_module

from mautrix.util.async_db import Database as Pool
from mautrix.util.async_db import UnsupportedDatabaseVersion, UpgradeTable

from . import meta
from .connection import Inner

STORES = (
    "sluice.db.meta",
    "sluice.matrix.cursor",
    "sluice.matrix.outbox",
    "sluice.matrix.written",
    "sluice.requests.store",
    "sluice.requests.holds",
    "sluice.audit",
    "sluice.matrix.private_rooms",
    "sluice.passwords.store",
    "sluice.server.store",
    "sluice.matrix.sealed",
    "sluice.matrix.threads",
)
"""The modules that have tables; each exports SCHEMA, the tables of revision 1, and may export
SCHEMA_2 to SCHEMA_5, what later revisions add to them."""


class NewerDatabase(RuntimeError):
    """A later Sluice has changed this database; this one would not know what stands in it."""


class _Revisions(UpgradeTable):
    async def upgrade(self, db: Pool) -> None:
        try:
            await super().upgrade(db)
        except UnsupportedDatabaseVersion as found:
            raise NewerDatabase(
                "A newer Sluice has used this database. Start that one again, or restore the copy "
                f"of before the upgrade (docs/owners.md). {found}"
            ) from None


upgrade_table = _Revisions()


def schema(attribute: str = "SCHEMA") -> tuple[str, ...]:
    """The statements of one revision, the same on SQLite and PostgreSQL."""
    modules = map(import_module, STORES)
    return tuple(line for module in modules for line in getattr(module, attribute, ()))


async def first(conn: Inner) -> None:
    for statement in schema():
        await conn.execute(statement)
    await meta.nonce(conn)


async def second(conn: Inner) -> None:
    for statement in schema("SCHEMA_2"):
        await conn.execute(statement)


async def third(conn: Inner) -> None:
    for statement in schema("SCHEMA_3"):
        await conn.execute(statement)


async def fourth(conn: Inner) -> None:
    for statement in schema("SCHEMA_4"):
        await conn.execute(statement)


async def fifth(conn: Inner) -> None:
    for statement in schema("SCHEMA_5"):
        await conn.execute(statement)


upgrade_table.register(first, description="the tables of Sluice 1.0")
upgrade_table.register(second, description="what Sluice 1.1 adds")
upgrade_table.register(third, description="what Sluice 1.2 adds")
upgrade_table.register(fourth, description="waves, reports and who looks after them")
upgrade_table.register(fifth, description="which requests only look")
