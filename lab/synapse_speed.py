"""Half of what an end-to-end test costs is Synapse; this makes it cheaper and changes no answer.

A lab has a handful of people, one process, and a database that nobody keeps. A thread for each
statement and for each answer costs more than what it does, and so do waiting for the disk and
most followers of the event stream: federation, the user directory, delayed events.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from synapse.handlers.stats import StatsHandler
from synapse.http import server
from synapse.notifier import ReplicationNotifier
from synapse.storage.engines.sqlite import Sqlite3Engine
from twisted.enterprise.adbapi import ConnectionPool
from twisted.internet.defer import Deferred, execute


def one_process_that_waits_for_nothing() -> None:
    """To be called before Synapse opens its database."""
    ConnectionPool.runWithConnection = _in_the_reactor  # type: ignore[method-assign]
    server.defer_to_thread = _at_once  # type: ignore[assignment]
    ReplicationNotifier.notify_replication = _only_statistics_follow  # type: ignore[method-assign]
    Sqlite3Engine.on_new_connection = _not_waiting_for_the_disk  # type: ignore[method-assign]


def _in_the_reactor(
    self: Any, work: Callable[..., object], *args: object, **more: object
) -> Deferred[object]:
    return execute(self._runWithConnection, work, *args, **more)


async def _at_once(_: object, work: Callable[..., object], *args: object) -> object:
    return work(*args)


def _only_statistics_follow(self: Any) -> None:
    """The list of public rooms is made of them."""
    for follower in self._replication_callbacks:
        if isinstance(getattr(follower, "__self__", None), StatsHandler):
            follower()


_on_new_connection = Sqlite3Engine.on_new_connection


def _not_waiting_for_the_disk(self: Any, connection: Any) -> None:
    """A kill -9 loses nothing that was committed; only a power cut would."""
    _on_new_connection(self, connection)
    connection.execute("PRAGMA synchronous = OFF")
