"""Commands typed while the bot was stopped, and what a restart leaves of what was open."""

from __future__ import annotations

import re
from pathlib import Path

from lab.world import World
from tests.e2e.relay import Relay


async def test_a_command_typed_while_the_bot_was_stopped_runs(
    world: World, tmp_path: Path
) -> None:
    relay = await Relay.open(world, tmp_path)
    await relay.bot.stop()
    command = await relay.says("bo", f"!adduser {relay.name('away')}")
    await relay.bot.start()
    said = await relay.room.answer_to(command, within=20)
    assert said.text.startswith(f"✅ New account @{relay.name('away')}\n"), said.text
    assert await relay.exists("away")
    assert await relay.sent(f"create-user {relay.mxid('away')}") == 1


async def test_an_older_one_is_answered_and_not_run(world: World, tmp_path: Path) -> None:
    relay = await Relay.open(world, tmp_path, clock=True)
    await relay.bot.stop()
    command = await relay.says("bo", f"!adduser {relay.name('old')}")
    relay.later(600)
    await relay.bot.start()
    said = await relay.room.answer_to(command, within=20)
    late = r"⛔ Not run: !adduser of \d\d:\d\d UTC, I was offline\.\n"
    assert re.match(late, said.text), said.text
    assert said.mentions == {world["bo"].mxid}
    back = await relay.room.shows("^🔔 I was offline from .* 1 command was not run")
    order = [each.id for each in relay.room.said]
    assert order.index(back.id) < order.index(said.id)
    assert not await relay.exists("old")


async def test_a_short_absence_is_not_worth_a_word(world: World, tmp_path: Path) -> None:
    relay = await Relay.open(world, tmp_path)
    before = await relay.results()
    await relay.bot.restart()
    await relay.quiet()
    assert await relay.results() == [*before, (await relay.results())[-1]]
