"""The words between the reader of a timeline and those who handle its events."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Union

from attrs import frozen

from ..db.connection import Tx
from ..model.event import RoomEvent
from .api import MatrixError


@frozen
class Handled:
    """What an event causes. commit: database calls only, in the transaction that marks the event
    as seen. after: runs once that holds; its failure is logged and changes nothing.
    """

    commit: Callable[[Tx], Awaitable[None]]
    after: Callable[[], Awaitable[None]] | None = None


def rings(bell: asyncio.Event) -> Callable[[], Awaitable[None]]:
    """The `after` that wakes whoever waits for this bell."""

    async def after() -> None:
        bell.set()

    return after


async def _nothing(tx: Tx) -> None:
    """Only that it was seen."""


SEEN = Handled(_nothing)
"""An event that causes nothing, and must cause nothing when it is read again."""


@frozen
class Later:
    """What an event causes takes look-ups: they go on beside the reader, which handles other
    events meanwhile. work: gives what to commit; only the reader, when it stops, cancels it.
    """

    work: asyncio.Task[Handled]


Handler = Callable[[RoomEvent], Awaitable[Union[Handled, Later, None]]]
"""May do I/O before it returns. None: there is nothing to store."""


@frozen
class Gap:
    """The cursor was set anew: nothing between these two times (seconds) was read.

    why: "replaced" (the server's history) or "invisible" (a run of events we may not see).
    """

    room: str
    since: float
    until: float
    why: str


OnGap = Callable[[Gap], Awaitable[Union[Handled, None]]]
"""What to store when the cursor is set anew."""


class NotJoined(MatrixError):
    """The room is not read, because we are not in it (or stop)."""
