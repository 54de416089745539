"""From a command to its result, in a real homeserver: beside a bare relay, behind faults, and with
five people at once.

The bare relay (bench/bare_relay) is what somebody writes in an evening. Both bots are measured by
the same client in the same run, in turns, with only one of them running; the client reads the
timeline, because Conduit's /sync would be measured otherwise.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

from lab.bot import Bot
from lab.chat import Chat, Said
from lab.proxy import FaultProxy
from lab.world import World

BARE = Path(__file__).parent / "bare_relay"
PAUSE = 0.004  # seconds between two looks at the timeline
PATIENCE = 60.0  # after which an answer counts as lost
PATIENCE_WITH_BARE = 5.0  # the bare relay never finds again what it missed


@dataclass
class Times:
    """Seconds from sending a command to the result in the timeline; what never came is lost."""

    took: list[float] = field(default_factory=list)
    lost: int = 0
    doubled: int = 0
    crossed: int = 0

    def at(self, share: float) -> float:
        ordered = sorted(self.took)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)]

    @property
    def median(self) -> float:
        return self.at(0.5)


async def one(
    chat: Chat,
    text: str,
    is_result: Callable[[Said, str], bool],
    patience: float = PATIENCE,
) -> float | None:
    """Says it and waits for what `is_result` takes as its result, given the command's event id."""
    begun = time.perf_counter()
    command = await chat.say(text)
    seen = len(chat.said)
    while time.perf_counter() - begun < patience:
        await chat.read()
        for said in chat.said[seen:]:
            if is_result(said, command):
                return time.perf_counter() - begun
        seen = len(chat.said)
        await asyncio.sleep(PAUSE)
    return None


@dataclass
class Pair:
    """Sluice and the bare relay in one world, of which at most one runs."""

    world: World
    sluice: Bot
    bare: Bot
    proxy: FaultProxy

    @contextlib.asynccontextmanager
    async def running(self, bot: Bot, person: str) -> AsyncIterator[Chat]:
        await bot.start()
        chat = await self.world.ops(person)
        is_bare = bot is self.bare
        await one(chat, "!x --version" if is_bare else "!memory", _any_of(bot))  # warm
        try:
            yield chat
        finally:
            await bot.stop()


def _any_of(bot: Bot) -> Callable[[Said, str], bool]:
    return lambda said, _: said.sender == bot.mxid


def _reply_of(bot: Bot) -> Callable[[Said, str], bool]:
    return lambda said, command: said.sender == bot.mxid and said.reply_to == command


async def in_turns(pair: Pair, count: int, block: int = 100) -> tuple[Times, Times]:
    """(Sluice, bare relay): the same command by one person, one after the other."""
    sluice, bare = Times(), Times()
    for start in range(0, count, block):
        rounds = min(block, count - start)
        async with pair.running(pair.bare, "ana") as chat:
            result = _any_of(pair.bare)
            await _measure(chat, "!x memory-usage", result, rounds, bare, PATIENCE_WITH_BARE)
        async with pair.running(pair.sluice, "ana") as chat:
            await _measure(chat, "!memory", _reply_of(pair.sluice), rounds, sluice)
    return sluice, bare


async def _measure(
    chat: Chat,
    text: str,
    is_result: Callable[[Said, str], bool],
    rounds: int,
    times: Times,
    patience: float = PATIENCE,
) -> None:
    for _ in range(rounds):
        took = await one(chat, text, is_result, patience)
        if took is None:
            times.lost += 1
        else:
            times.took.append(took)


async def behind_faults(pair: Pair, count: int) -> Times:
    """Commands with an answer of their own (a pattern that occurs in no other), one after another,
    while 1 % of the wake-ups of /sync are lost and 10 % of its events come twice."""
    pair.proxy.add("twice", chance=0.10)
    pair.proxy.add("asleep", chance=0.01)
    times = Times()
    async with pair.running(pair.sluice, "ana") as chat:
        for number in range(count):
            text = f"!enableroom !bench{number}:{pair.world.server.name}"
            took = await one(chat, text, _reply_of(pair.sluice))
            times.lost += took is None
            times.took += [took] if took is not None else []
        results = [said for said in chat.said if said.sender == pair.sluice.mxid and said.reply_to]
        replied: dict[str, list[str]] = {}
        for said in results:
            replied.setdefault(said.reply_to, []).append(said.text)
        asked = {said.id: said.text.split()[-1] for said in chat.said if "!bench" in said.text}
        times.doubled = sum(len(texts) > 1 for texts in replied.values())
        times.crossed = sum(
            asked[command] not in text
            for command, texts in replied.items()
            for text in texts
            if command in asked
        )
    pair.proxy.clear()
    return times


async def five_at_once(pair: Pair, rounds: int = 20) -> tuple[float, float]:
    """(median of one person alone, median of the last of five answers)."""
    alone, last = Times(), Times()
    async with pair.running(pair.sluice, "ana") as chat:
        await _measure(chat, "!memory", _reply_of(pair.sluice), rounds, alone)
        people = [chat] + [await pair.world.ops(name) for name in ("dan", "bo", "cy", "ana")]
        commands = ["!memory", "!memory", "!registration", "!registration", "!memory"]
        for _ in range(rounds):
            took = await asyncio.gather(
                *(
                    one(person, text, _reply_of(pair.sluice))
                    for person, text in zip(people, commands, strict=True)
                )
            )
            last.lost += sum(seconds is None for seconds in took)
            last.took.append(max(seconds or PATIENCE for seconds in took))
    return alone.median, last.median
