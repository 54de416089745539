"""An event loop whose clock jumps: when nothing can go on, the time of the next timer is now.

So five minutes of waiting cost as long as what happens in them, and the same play takes the same
course every time. Nothing on it may wait for a thread or a socket: the loop cannot know of that.
"""

from __future__ import annotations

import asyncio
import gc
import selectors
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from unittest.mock import patch

T = TypeVar("T")
INSTANT = 1e-7  # seconds that a round of the loop takes: what is a hair too early gets there


class Stuck(Exception):
    """Everybody waits, and for nothing that could come."""


class _Selector(selectors.SelectSelector):
    """Waits for nobody: the time that it was to wait has passed at once."""

    now, steps, until = 0.0, 0.0, 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise Stuck
        if timeout:
            self.now = max(self.now + timeout, min(self.now + self.steps, self.until))
        else:
            self.now += INSTANT
        return []


class JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self, begin: float) -> None:
        """begin: seconds since the epoch at which it starts."""
        self._jumping, self._begin = _Selector(), begin
        super().__init__(self._jumping)
        self._clock_resolution = 1e-6  # what is due in less is due now

    def time(self) -> float:
        return self._jumping.now

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:
        """At once, and here: the clock must not jump while a thread works."""
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:
            done.set_exception(error)
        return done

    def clock(self) -> float:
        return self._begin + self.time()

    def hurry(self, seconds: float, steps: float) -> None:
        """For so long the clock takes no smaller steps than these, as on a host without time."""
        self._jumping.steps, self._jumping.until = steps, self.time() + seconds


@contextmanager
def _clocks(loop: JumpingLoop) -> Iterator[None]:
    with patch.object(time, "time", loop.clock), patch.object(time, "monotonic", loop.time):
        yield


def play(work: Coroutine[Any, Any, T], begin: float) -> T:
    """Runs it to its end on a loop of its own that begins at this time."""
    loop = JumpingLoop(begin)
    gc.disable()  # a play is short, and looking through everything that pytest holds is not
    with _clocks(loop):
        try:
            return loop.run_until_complete(work)
        finally:
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            loop.close()
            gc.enable()
