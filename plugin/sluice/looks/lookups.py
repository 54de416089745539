"""Commands that must look something up: beside the reader of their room, one a person at a time.

What is done within a moment is committed in its place, like everything else. What takes longer
goes on beside, so that a vote, a tap or `pause` behind it is heard at once; a person's next
command waits for it. All of it ends with the reader, or when the command is edited or deleted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from attrs import define

from ..catalog.record import OwnCommand
from ..catalog.table import find
from ..db.connection import Tx
from ..matrix.model import Handled, Later
from ..model.origin import Origin
from ..requests.submit import QUEUED_A_PERSON

MOMENT = 0.1  # seconds that are waited for in place
IN_ALL = 10  # that are looked at at the same time

Work = Callable[[], Awaitable["Handled | None"]]


class Full(Exception):
    """Too many commands of this person wait already."""


def looks(word: str) -> bool:
    """Whether the command of this name may have to ask the server something."""
    command = find(word)
    return command is not None and (not isinstance(command, OwnCommand) or command.asks)


def waits(word: str) -> bool:
    """Whether the command of this name waits for those that its sender sent before."""
    command = find(word)
    return command is not None and not command.at_once


@define
class _Look:
    """Whose it is, and what is done. over: it was edited or deleted, so nothing comes of it."""

    person: str
    mxid: str
    task: asyncio.Task[Handled | None]
    over: bool = False

    def end(self) -> None:
        self.over = True
        self.task.cancel()


class Lookups:
    def __init__(self) -> None:
        self._of: dict[str, list[asyncio.Task[Handled | None]]] = {}  # by person, oldest first
        self._looks: dict[str, _Look] = {}  # by command, until what comes of it is committed
        self._slots = asyncio.Semaphore(IN_ALL)

    async def run(self, person: str, origin: Origin, work: Work) -> Handled | Later | None:
        """What `work` gives, now or later. Raises Full."""
        mine, behind = self._of.setdefault(person, []), self.busy(person)
        if len(mine) >= QUEUED_A_PERSON:
            raise Full
        before = mine[-1] if mine else None
        task = asyncio.create_task(self._turn(before, work))
        mine.append(task)
        task.add_done_callback(lambda _: self._next(person, task))
        if not behind:
            try:
                await asyncio.wait({task}, timeout=MOMENT)
            except asyncio.CancelledError:
                task.cancel()
                raise
            if task.done():
                return task.result()
        look = self._looks[origin.command] = _Look(person, origin.mxid, task)
        return Later(asyncio.create_task(self._until_committed(origin.command, look)))

    def busy(self, person: str) -> bool:
        """Whether something of this person is not committed yet; what they send next waits."""
        return any(look.person == person for look in self._looks.values())

    def whose(self, command: str) -> str | None:
        """Who typed it, if it is looked up, or what comes of it is not committed yet."""
        look = self._looks.get(command)
        return look.mxid if look is not None else None

    def end(self, command: str) -> None:
        """It was edited or deleted."""
        look = self._looks.pop(command, None)
        if look is not None:
            look.end()

    async def _turn(
        self, before: asyncio.Task[Handled | None] | None, work: Work
    ) -> Handled | None:
        if before is not None:
            await asyncio.wait({before})
        async with self._slots:
            return await work()

    def _next(self, person: str, task: asyncio.Task[Handled | None]) -> None:
        mine = self._of[person]
        mine.remove(task)
        if not mine:
            del self._of[person]

    async def _until_committed(self, command: str, look: _Look) -> Handled:
        try:
            await asyncio.wait({look.task})
        except asyncio.CancelledError:
            look.task.cancel()
            await asyncio.wait({look.task})
            raise
        if not look.task.cancelled() and look.task.exception() is not None:
            self._looks.pop(command, None)
        done = None if look.task.cancelled() else look.task.result()

        async def commit(tx: Tx) -> None:
            if self._looks.get(command) is look:
                del self._looks[command]
            if done is not None and not look.over:
                await done.commit(tx)

        async def after() -> None:
            if done is not None and done.after is not None and not look.over:
                await done.after()

        return Handled(commit, after)
