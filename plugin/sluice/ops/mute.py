"""What is typed in an ops room where the bot cannot speak: what of it still counts, and the one
answer to the rest, which is said once it can speak again.

Nobody there would see what became of a command, and whoever took the bot's voice away may count on
that. What stops something, and votes, count as ever; what is open waits (`guard`).
"""

from __future__ import annotations

from ..catalog.table import find
from ..chat import refusals
from ..db.connection import Tx
from ..looks.authority import Authority
from ..matrix.model import Handled
from ..matrix.outbox import Outbox
from ..model.command import Typed
from ..model.origin import Origin
from ..state import Rooms

_MOST = 500  # commands that are counted


class Mute:
    """One room; what it remembers is of the time that it is mute now."""

    def __init__(self, room: str, rooms: Rooms, outbox: Outbox, authority: Authority) -> None:
        self._room, self._rooms, self._outbox, self._authority = room, rooms, outbox, authority
        self._unheard: dict[str, str] = {}  # event -> who

    @property
    def now(self) -> bool:
        mute = bool(self._rooms.mute(self._room))
        if not mute:
            self._unheard.clear()
        return mute

    def counts(self, typed: Typed) -> bool:
        """Whether this is done all the same."""
        command = find(typed.word)
        return command is not None and command.at_once

    async def typed(self, origin: Origin, typed: Typed) -> Handled | None:
        """A command that is not run; what is none is chat."""
        return await self.unheard(origin) if find(typed.word) is not None else None

    async def unheard(self, origin: Origin) -> Handled | None:
        """Something that would have run, or have led to it."""
        if not await self._authority.roles(origin):
            return None
        if len(self._unheard) < _MOST:
            self._unheard[origin.event_id] = origin.mxid
        key = f"unheard.{next(iter(self._unheard))}"
        push = dict.fromkeys(self._unheard.values())
        message = refusals.unheard(len(self._unheard), tuple(push))

        async def commit(tx: Tx) -> None:
            outbox = self._outbox
            if await outbox.has(tx, self._room, key):
                await outbox.revise(tx, self._room, key, message)
            else:
                await outbox.put(tx, self._room, key, message)

        return Handled(commit)
