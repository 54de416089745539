"""Private chats that people invite the bot to: accepted from members with a role, one a person.

There they are told where commands work. Of an older chat the bot takes its leave, so nobody makes
it read more and more rooms.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from logging import Logger

from .db import meta
from .db.connection import Database, Tx
from .matrix.api import Homeserver, MatrixError
from .matrix.sealed import CHATS, seal
from .policy.people import person_of
from .state import Live, Rooms

_CHAT_OF = "chat.of"  # in the database: person -> room, the oldest first
_MOST = 200


class Chats:
    """opened: reads a chat from now on. closed: reads it no more."""

    def __init__(
        self,
        live: Live,
        rooms: Rooms,
        db: Database,
        homeserver: Homeserver,
        opened: Callable[[str], None],
        closed: Callable[[str], Awaitable[None]],
        log: Logger,
    ) -> None:
        self._live, self._rooms, self._db, self._hs, self._log = live, rooms, db, homeserver, log
        self._opened, self._closed = opened, closed
        self._invitations: dict[str, str] = {}  # person -> the newest room
        self._newest: dict[str, int] = {}  # person -> the number of the newest invitation
        self._busy = False

    async def known(self) -> list[str]:
        """The chats of earlier runs."""

        async def read(tx: Tx) -> list[str]:
            before = json.loads(await meta.get(tx, CHATS) or "[]")
            return [*map(str, before), *(await _chat_of(tx)).values()]

        return await self._db.read(read)

    async def invited(self, room: str, mxid: str, number: int) -> None:
        """Of many invitations by one person the newest counts; they are taken one by one.

        number: counts invitations in the order in which they came; here they may come in another.
        """
        if not self._rooms.has_role(mxid):
            self._log.info("An invitation to %s by %s is not accepted", room, mxid)
            return
        person = person_of(self._live.in_force.policy, mxid)
        if number < self._newest.get(person, 0):
            return
        self._newest[person] = number
        self._invitations[person] = room
        if self._busy:
            return
        self._busy = True
        try:
            while self._invitations:
                first = next(iter(self._invitations))
                await self._accept(first, self._invitations.pop(first))
        finally:
            self._busy = False

    async def _accept(self, person: str, room: str) -> None:
        try:
            await self._hs.join(room)
        except MatrixError as error:
            self._log.info("The chat %s with %s cannot be joined: %s", room, person, error)
            return
        self._opened(room)

        async def keep(tx: Tx) -> list[str]:
            await seal(tx, room)
            chats = await _chat_of(tx)
            old = [chats.pop(person)] if person in chats else []
            while len(chats) >= _MOST:
                old.append(chats.pop(next(iter(chats))))
            await meta.put(tx, _CHAT_OF, json.dumps({**chats, person: room}))
            return [each for each in old if each != room]

        for old in await self._db.write(keep):
            await self._closed(old)
            try:
                await self._hs.leave(old)
            except MatrixError as error:
                self._log.info("The chat %s cannot be left: %s", old, error)


async def _chat_of(tx: Tx) -> dict[str, str]:
    found: dict[str, str] = json.loads(await meta.get(tx, _CHAT_OF) or "{}")
    return found
