"""A signal ends the loop, but never a coroutine in the middle of a step."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from types import FrameType

import pytest

from sluice.signals import raise_between_steps


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM])
def number(request: pytest.FixtureRequest) -> Iterator[signal.Signals]:
    before = signal.getsignal(request.param)
    yield request.param
    signal.signal(request.param, before)


def test_a_step_is_finished_before_the_loop_ends(number: signal.Signals) -> None:
    finished = []

    async def step() -> None:
        raise_between_steps()
        os.kill(os.getpid(), number)
        finished.append(sum(range(1000)))

    async def main() -> None:
        await asyncio.create_task(step())
        await asyncio.sleep(10)

    signal.signal(number, signal.default_int_handler)  # as maubot does
    loop = asyncio.new_event_loop()
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(main())
    assert finished
    waiting = asyncio.all_tasks(loop)
    assert len(waiting) == 1
    assert not any(task.done() for task in waiting)  # what still runs can be stopped in order
    for task in waiting:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            loop.run_until_complete(task)
    loop.close()


def test_a_handler_of_somebody_else_stays(number: signal.Signals) -> None:
    heard = []

    def own(number: int, frame: FrameType | None) -> None:
        heard.append(number)

    async def main() -> None:
        raise_between_steps()
        os.kill(os.getpid(), number)

    signal.signal(number, own)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    loop.close()
    assert heard == [number]
