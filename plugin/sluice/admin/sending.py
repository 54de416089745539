"""Puts a line or a fence into the admin room, and finds out whether it is there.

Only the timeline tells: an error answer does not mean that a line did not run, and a 200 does not
mean that it is in the room (docs/conduit.md, "Sending"). Nothing is ever sent twice by this.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from logging import Logger
from typing import Union

from attrs import frozen

from ..db import meta
from ..db.connection import StorageFailed
from ..families.dialects import fence, spell
from ..matrix.api import Homeserver, MatrixError, NoResponse, RateLimited, passing
from ..model.admin_room import Content
from ..model.command import Line
from .room import FENCE, MARK, AdminRoom

_SEEN_WITHIN = 2.0  # seconds from a 200 to the event in the timeline


@frozen
class NotSent:
    """The line is not in the room and never will be. retry_after: seconds, if the server asks.

    again: whether it may work another time.
    """

    cause: str
    retry_after: float = 0.0
    again: bool = True


@frozen
class Unclear:
    """Nobody can say whether the line is in the room; `why` is the code of an outcome."""

    why: str


Sent = Union[str, NotSent, Unclear]


class Sending:
    def __init__(self, room: AdminRoom, homeserver: Homeserver, nonce: str, log: Logger) -> None:
        self._room, self._hs, self._nonce, self._log = room, homeserver, nonce, log

    def txn(self, kind: str, *what: object) -> str:
        """The txn id of one message to this room."""
        return meta.txn_id(self._nonce, kind, self._room.room, *what)

    async def _put(self, ref: str, body: str, txn: str) -> str:
        content = {"msgtype": "m.text", "body": body, MARK: f"{self._nonce}/{ref}"}
        self._room.flying[ref] = content
        event_id = await self._hs.send(self._room.room, "m.room.message", content, txn)
        self._room.ours(event_id, ref, content)
        self._room.flying.pop(ref, None)
        return event_id

    # --- lines

    async def line(self, ref: str, body: str, txn: str) -> Sent:
        """Sends one line, whose txn is noted; its event id once it was read in the room.

        Without any response, or with a gateway's error, the line may still be on its way: then a
        fence sent later must have echoed before it counts as not sent.
        """
        not_sent, in_flight = None, False
        self._room.explained()
        try:
            await self._put(ref, body, txn)
        except MatrixError as error:
            no_words = not getattr(error, "errcode", "")
            in_flight = isinstance(error, NoResponse) or no_words
            wait = error.retry_after if isinstance(error, RateLimited) else 0.0
            not_sent = NotSent(str(error), wait, passing(error))
        self._room.reader.urgent(True)
        if not_sent is not None:
            try:
                return await self.find(ref, not_sent, in_flight)
            finally:
                self._room.flying.pop(ref, None)
        return await self._see(ref) or Unclear("lost")

    async def find(self, ref: str, not_sent: NotSent, in_flight: bool) -> Sent:
        """Whether a line is in the room of which no 200 tells; waits for as long as nobody knows.

        A message of ours that was redacted before it was read, and that nothing explains, may be
        it.
        """
        while True:
            try:
                await self._room.reader.catch_up()
            except MatrixError as error:
                self._log.warning("Whether %s was sent is not known yet: %s", ref, error)
                if not self._room.health.answering:
                    return Unclear("silent")
                await asyncio.sleep(_SEEN_WITHIN)
                continue
            if ref in self._room.arrived:
                return self._room.arrived[ref]
            if not in_flight:
                return Unclear("lost") if self._room.unexplained else not_sent
            self._room.fences.suspect()
            if not await self._room.fences.echo():
                return Unclear("silent")
            in_flight = False

    async def _see(self, ref: str) -> str | None:
        """Accepted: it should be read any moment."""
        for _ in range(2):
            try:
                return await asyncio.wait_for(self._room.arrives(ref), _SEEN_WITHIN)
            except asyncio.TimeoutError:
                await self._room.reader.check()
        return self._room.arrived.get(ref)

    async def ask(
        self,
        what: str,
        words: Sequence[str],
        before: Callable[[], Awaitable[None]] | None = None,
    ) -> tuple[str, Content] | None:
        """A question of the house: one harmless line, and the event id and content of its answer.

        None if none came, or if none is to be expected: then nothing is sent. before: runs
        before the line is sent, and not without one.
        """
        room = self._room
        async with room.state.turn:
            if not room.health.answering:
                return None
            ref = f"{what}-{secrets.token_hex(4)}"
            dialect = room.state.dialect
            if before is not None:
                await before()
            txn = self.txn("house", ref)
            await room.noted(txn)
            fate = room.expect(ref)
            sent = await self.line(ref, spell(dialect, room.server, Line(tuple(words))), txn)
            if not isinstance(sent, str):
                room.forget(ref)
                return None
            answer = await fate
        if answer is None or answer.event is None:
            return None
        content = await room.content_of(answer.event)
        return None if content is None else (answer.event, content)

    # --- fences

    async def fence(self, now: float) -> None:
        """Sends one. Raises MatrixError or StorageFailed; then it is still wanted."""
        nonce = self._room.fences.new(now)
        txn = self.txn(FENCE, nonce)
        try:
            await self._room.noted(txn)
            await self._put(FENCE, fence(self._room.server, nonce), txn)
        except (MatrixError, StorageFailed):
            self._room.flying.pop(FENCE, None)
            self._room.fences.failed(nonce)
            raise
        self._room.reader.urgent(True)
