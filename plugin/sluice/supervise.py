"""How every loop is kept alive that lives as long as the plugin; the only way there is.

A loop that raises is called again, after a while that grows. What may pass (a homeserver or a disk
that is away) is logged once. Anything else is a bug: it is told, once for each part and class of
error in six hours, and the loop goes on all the same, because what it does (removing passwords,
closing registration) must not end with the first event that nobody thought of.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from logging import Logger

Loop = Callable[[], Awaitable[None]]
Tell = Callable[[str, str], Awaitable[None]]

FIRST, MOST = 0.5, 5.0  # seconds until a loop is started again: after the first error, at most
AGAIN = 6 * 3600.0  # seconds until the same error of the same part is told again


class Supervisor:
    """passing: errors that need no word. tell(name, error): records and says that a part stopped
    on a bug and was started again; error: the class only, its text may hold what is secret. What
    it could not say, because of an error that passes, it is asked to say the next time.
    """

    def __init__(
        self,
        passing: tuple[type[Exception], ...],
        tell: Tell,
        log: Logger,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._passing, self._tell, self._log, self._now = passing, tell, log, now
        self._told: dict[tuple[str, str], float] = {}

    async def supervise(self, name: str, loop: Loop) -> None:
        """Runs loop() until it returns, or this is cancelled. name: what it does, for people."""
        failures = 0
        while True:
            began = self._now()
            try:
                return await loop()
            except Exception as error:  # whatever it is, the loop goes on
                ran_well = self._now() - began > MOST
                failures = 1 if ran_well else failures + 1
                await self._stopped(name, error, failures)
            await asyncio.sleep(min(FIRST * 2.0 ** min(failures - 1, 10), MOST))

    async def _stopped(self, name: str, error: Exception, failures: int) -> None:
        if isinstance(error, self._passing):
            if failures == 1:
                self._log.warning("What %s waits: %s", name, error)
            return
        self._log.error("What %s stopped on an error, and is started again", name, exc_info=error)
        await self.tell(name, type(error).__name__)

    async def tell(self, name: str, error: str) -> None:
        """Says that a part stopped on a bug and goes on, unless that was said not long ago."""
        kind, now = (name, error), self._now()
        if now - self._told.get(kind, -AGAIN) < AGAIN:
            return
        try:
            await self._tell(*kind)
        except self._passing as failed:
            self._log.warning("That is not stored: %s", failed)
        except Exception as failed:  # telling has a bug itself: the log is what is left
            self._log.error("That could not be told", exc_info=failed)
        else:
            self._told[kind] = now


class Tasks:
    """What runs in the background; each task is ended and awaited by `stop`."""

    def __init__(self, log: Logger) -> None:
        self.log = log
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Awaitable[None]) -> None:
        """Runs it to its end. An error is logged, and everything else goes on."""

        async def guarded() -> None:
            try:
                await work
            except Exception:  # of one room, or one invitation
                self.log.exception("A task ended with an error")

        task = asyncio.create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        while tasks := tuple(self._tasks):
            for task in tasks:  # again: before Python 3.12 wait_for can swallow a cancellation
                task.cancel()
            await asyncio.wait(tasks, timeout=0.5)
