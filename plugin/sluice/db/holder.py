"""Who holds this database: one process at a time, for as long as it lives.

The lock belongs to the operating system (flock on a file beside a SQLite database) or to a
connection of its own (an advisory lock of PostgreSQL). So it ends with its process at once, also
after kill -9, and no clock is involved. Whoever gets it writes its name into the database, and
from then on `Database.write` stores nothing for anybody else: a lock that was lost, or that a file
system does not keep, costs a process its writes and never makes two of them act.

A copy of the database on another machine is not seen here; that one is found by what it writes
into the rooms (`matrix.written`).
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import logging
import os
import secrets

from . import meta
from .connection import Database, Inner, NotHolder, StorageFailed, Tx

_POOL_ONLY = ("min_size", "max_size", "max_queries", "max_inactive_connection_lifetime", "loop")
_AGAIN = 0.5  # seconds between two tries
_WAIT = 10.0  # seconds for PostgreSQL to answer

log = logging.getLogger("sluice.database")


class Holder:
    """inner: mautrix' database behind `database`."""

    def __init__(self, inner: Inner, database: Database) -> None:
        self._inner, self._db = inner, database
        self._file: int | None = None
        self._connection: Inner = None
        self._locked = False
        self._told = False  # the log says why we wait
        self._taking_back: asyncio.Task[None] | None = None

    async def take(self) -> bool:
        """Whether this process holds the database now. Asked again, it may."""
        try:
            if not self._locked and not await self._lock():
                self._tell(
                    "Another process works on this database: this one waits, and does nothing "
                    "until that one has ended. Is Sluice running twice (a service and a shell)?"
                )
                return False
            self._locked = True
            await self._db.hold(secrets.token_hex(8))
        except (OSError, StorageFailed, asyncio.TimeoutError) as error:
            self._tell("The database cannot be taken yet: %s", error)
            return False
        if self._told:
            log.warning("The database is ours now: this process goes on")
        return True

    async def wait(self) -> None:
        """Until it is ours: nothing rings when another process ends."""
        while True:
            if await self.take():
                return
            await asyncio.sleep(_AGAIN)

    async def release(self) -> None:
        """Whoever waits goes on now."""
        if self._taking_back is not None:
            self._taking_back.cancel()
            await asyncio.gather(self._taking_back, return_exceptions=True)
        if self._file is not None:
            file, self._file = self._file, None
            os.close(file)
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.remove_termination_listener(self._broke)
            await asyncio.gather(connection.close(timeout=2), return_exceptions=True)

    async def _lock(self) -> bool:
        if self._inner.scheme.value != "sqlite":
            return await self._lock_connection()
        rows = await self._db.read(lambda tx: tx.fetch("PRAGMA database_list"))
        path = next((row[2] for row in rows if row[1] == "main"), "")
        if path:
            return self._lock_file(path)
        log.warning("This database has no file, so no other process can have it: no lock")
        return True

    def _tell(self, words: str, *args: object) -> None:
        if not self._told:
            log.error(words, *args)
        self._told = True

    def _lock_file(self, path: str) -> bool:
        """Beside the file itself, whatever link leads to it."""
        file = os.open(f"{os.path.realpath(path)}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(file)
            if isinstance(error, BlockingIOError):
                return False
            raise
        self._file = file
        return True

    async def _lock_connection(self) -> bool:
        import asyncpg  # type: ignore[import-untyped]  # only there with PostgreSQL

        nonce = await self._db.read(lambda tx: meta.get(tx, meta.NONCE))
        digest = hashlib.sha256(f"sluice {nonce}".encode()).digest()
        key = int.from_bytes(digest[:8], "big", signed=True)
        pool: Inner = getattr(
            self._inner, "_underlying_pool", self._inner
        )  # full maubot: one pool
        args = {k: v for k, v in pool._db_args.items() if k not in _POOL_ONLY}
        try:
            connection = await asyncpg.connect(str(pool.url), timeout=_WAIT, **args)
            got = await connection.fetchval("SELECT pg_try_advisory_lock($1)", key)
        except asyncpg.PostgresError as error:
            raise StorageFailed(str(error)) from error
        if not got:
            await connection.close()
            return False
        connection.add_termination_listener(self._broke)
        self._connection = connection
        return True

    def _broke(self, _: object) -> None:
        """PostgreSQL was restarted, or the network cut: the lock is gone."""
        if self._connection is not None and self._taking_back is None:
            self._taking_back = asyncio.ensure_future(self._take_back())

    async def _take_back(self) -> None:
        """The lock again, if nobody else was faster: then it is as if nothing had happened."""
        log.warning("The connection that holds the lock of the database is gone")
        while True:
            try:
                if not self._connection.is_closed() or await self._lock_connection():
                    await self._db.write(_nothing)  # is it still our name that stands there?
                    log.warning("The database is held again")
                    break
            except NotHolder:
                log.critical("Another process had the database meanwhile: restart this one")
                connection, self._connection = self._connection, None
                await connection.close()  # whoever waits may have it
                break
            except (OSError, StorageFailed, asyncio.TimeoutError) as error:
                log.warning("The lock of the database cannot be taken: %s", error)
            await asyncio.sleep(_AGAIN)
        self._taking_back = None


async def _nothing(_: Tx) -> None:
    return None
