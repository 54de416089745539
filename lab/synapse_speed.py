"""Half of what an end-to-end test costs is Synapse; this makes it cheaper and changes no answer.

A lab has a handful of people and a database that nobody keeps: a thread for each statement and
for each answer costs more than what it does, and so does waiting for the disk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from synapse.http import server
from synapse.storage.engines.sqlite import Sqlite3Engine
from twisted.enterprise.adbapi import ConnectionPool
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater


def one_thread_that_waits_for_nothing() -> None:
    """To be called before Synapse opens its database."""
    ConnectionPool.runWithConnection = _in_the_reactor  # type: ignore[method-assign]
    server.defer_to_thread = _at_once  # type: ignore[assignment]
    Sqlite3Engine.on_new_connection = _not_waiting_for_the_disk  # type: ignore[method-assign]


def _in_the_reactor(
    self: Any, work: Callable[..., object], *args: object, **more: object
) -> Deferred[object]:
    return deferLater(self._reactor, 0, self._runWithConnection, work, *args, **more)


async def _at_once(_: object, work: Callable[..., object], *args: object) -> object:
    return work(*args)


_on_new_connection = Sqlite3Engine.on_new_connection


def _not_waiting_for_the_disk(self: Any, connection: Any) -> None:
    """A kill -9 loses nothing that was committed; only a power cut would."""
    _on_new_connection(self, connection)
    connection.execute("PRAGMA synchronous = OFF")
