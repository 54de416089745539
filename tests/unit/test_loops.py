"""Every loop that lives as long as the plugin survives an error that nobody thought of, goes on
with what it does, and owners read what is true."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from sluice.admin.sending import Sending
from sluice.announcements import Announcements
from sluice.db.connection import StorageFailed
from sluice.matrix import timeline
from sluice.matrix.api import Homeserver, NoResponse
from sluice.matrix.outbox import Outbox
from sluice.requests import guard, reweigh
from sluice.server import board, registration
from sluice.server.board import Board
from sluice.server.problems import Drift
from sluice.state import Window
from sluice.supervise import Supervisor
from tests.unit.app import ANA, Live, live, until

log = logging.getLogger("test")


class Once:
    """A collaborator that raises at its next call, and works as before after that."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
        self.armed, self.failed, self.after = False, 0, 0
        inner = getattr(owner, name)

        async def call(*args: Any, **more: Any) -> Any:
            if self.armed:
                self.armed = False
                self.failed += 1
                raise ValueError("an error that nobody thought of: Hunter2")
            self.after += bool(self.failed)
            return await inner(*args, **more)

        monkeypatch.setattr(owner, name, call)


def nothing(bot: Live) -> None:
    pass


def closes(bot: Live) -> None:
    """A window of registration whose time is over."""
    window = Window(1, "ana", bot.live.now() - 5)
    bot.parts.ground.registration.may_be_open(window)


def says(bot: Live) -> None:
    bot.types(ANA, "!version")


def looks(bot: Live) -> None:
    bot.parts.ground.bells.problems.set()


def doubts(bot: Live) -> None:
    """As after a long poll that failed."""
    bot.app.connection_lost()


LOOPS: dict[str, tuple[Any, str, Callable[[Live], None]]] = {
    "opens rooms": (Homeserver, "joined_rooms", lambda bot: bot.parts.ground.bells.rooms.set()),
    "sends messages": (Outbox, "settle", says),
    "keeps time limits": (reweigh, "next_due", nothing),
    "closes registration in time": (registration.store, "window", closes),
    "looks for problems": (Drift, "check_log", looks),
    "sees whether Conduit answers": (Sending, "fence", doubts),
    "looks at Conduit's version": (Homeserver, "version", doubts),
    "says whether Conduit answers": (
        Announcements,
        "health_changed",
        lambda bot: bot.parts.ground.bells.health.set(),
    ),
    "keeps the board": (Board, "look", says),
    "takes commands to Conduit": (guard, "next_turn", nothing),
}
"""What each loop is for -> a collaborator of it that fails, and what makes it be called."""
ONCE = {"answers the setup assistant"}  # and ends


@pytest.mark.parametrize("does", LOOPS)
async def test_a_loop_whose_collaborator_fails_goes_on_and_says_so(
    does: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, name, ring = LOOPS[does]
    once = Once(monkeypatch, owner, name)
    monkeypatch.setattr(board, "_EVERY", 0.1)
    async with live(monkeypatch) as bot:
        await bot.ready()
        once.armed = True
        ring(bot)
        said = await bot.hears(f"The part of me that {does} stopped on it", "was started again")
        assert said.splitlines()[0] == "❗ An error of mine, please report it: ValueError"
        assert "Hunter2" not in "".join(bot.said)
        bot.clock.ahead += 61  # what is tried every minute is due again
        await until(lambda: once.after > 0)
        bot.types(ANA, "!memory")
        await bot.hears("Conduit's caches hold")
        assert sum("stopped on it" in body for body in bot.said) == 1
        kinds = [row["kind"] for row in await bot.rows("SELECT kind FROM sluice_audit")]
        assert kinds.count("error") == 1


async def test_the_list_of_loops_is_the_list_of_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []
    real = Supervisor.supervise

    async def supervise(self: Supervisor, name: str, loop: Any) -> None:
        names.append(name)
        await real(self, name, loop)

    monkeypatch.setattr(Supervisor, "supervise", supervise)
    async with live(monkeypatch) as bot:
        await bot.ready()
        assert set(names) == set(LOOPS) | ONCE


async def test_a_reader_that_fails_reads_on_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    once = Once(monkeypatch, timeline.Reader, "_forward")
    async with live(monkeypatch) as bot:
        await bot.ready()
        once.armed = True
        bot.types(ANA, "!version")
        await bot.hears("The part of me that reads a room stopped")
        await bot.hears("Sluice 1.1.0, Conduit")


# --- the supervisor alone


class Kept:
    def __init__(self, *errors: Exception | None) -> None:
        self.errors, self.runs = list(errors), 0
        self.told: list[tuple[str, str]] = []
        self.fail_tell: list[Exception] = []
        self.now = 0.0
        self.supervisor = Supervisor((NoResponse, StorageFailed), self.tell, log, lambda: self.now)

    async def tell(self, name: str, error: str) -> None:
        if self.fail_tell:
            raise self.fail_tell.pop()
        self.told.append((name, error))

    async def loop(self) -> None:
        self.runs += 1
        error = self.errors.pop(0)
        if error is not None:
            raise error

    async def run(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        """Until the loop returns: the seconds slept between."""
        slept: list[float] = []
        real = asyncio.sleep

        async def sleep(seconds: float) -> None:
            slept.append(seconds)
            await real(0)

        monkeypatch.setattr("sluice.supervise.asyncio.sleep", sleep)
        await self.supervisor.supervise("x", self.loop)
        return slept


async def test_what_may_pass_is_tried_again_without_a_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = Kept(NoResponse("x"), StorageFailed("full"), *[NoResponse("x")] * 8, None)
    slept = await kept.run(monkeypatch)
    assert kept.runs == 11
    assert kept.told == []
    assert slept == sorted(slept)
    assert slept[0] < 1 < slept[-1] <= 60


async def test_the_same_bug_is_told_once_in_hours_and_another_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = Kept(ValueError(), ValueError(), KeyError(), ValueError(), None)
    await kept.run(monkeypatch)
    assert kept.told == [("x", "ValueError"), ("x", "KeyError")]
    kept.now += 7 * 3600
    kept.errors = [ValueError(), None]
    await kept.run(monkeypatch)
    assert kept.told[2:] == [("x", "ValueError")]


async def test_what_could_not_be_told_is_told_the_next_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = Kept(ValueError(), ValueError(), ValueError(), None)
    kept.fail_tell = [KeyError("a bug of the telling itself"), StorageFailed("full")]
    await kept.run(monkeypatch)
    assert kept.told == [("x", "ValueError")]


async def test_a_loop_that_is_cancelled_ends() -> None:
    kept = Kept()
    task = asyncio.create_task(kept.supervisor.supervise("x", asyncio.Event().wait))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_the_bell_and_the_clock_see_at_once_is_told_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with live(monkeypatch) as bot:
        await bot.ready()
        conduit, news = bot.parts.ground.conduit, bot.parts.news
        conduit.is_away(bot.live.now() - 120)
        conduit.is_back(bot.live.now())
        await asyncio.gather(*(news.health_changed() for _ in range(3)))
        await bot.hears("The server was offline")
        bot.types(ANA, "!memory")
        await bot.hears("Conduit's caches hold")
        assert sum("The server was offline" in body for body in bot.said) == 1
