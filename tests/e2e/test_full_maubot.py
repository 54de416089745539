"""As people deploy it: the packed plugin in a maubot server, set up and edited over its API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from lab import mbp
from lab.bot import FullMaubot
from lab.world import World


@pytest.fixture
async def maubot(tmp_path: Path, http: aiohttp.ClientSession) -> AsyncIterator[FullMaubot]:
    maubot = FullMaubot(tmp_path / "maubot", http)
    await maubot.start()
    yield maubot
    print(f"--- maubot\n{maubot.process.tail(20_000)}")
    await maubot.stop()


async def test_upload_first_command_edit_and_restart(
    world: World, maubot: FullMaubot, tmp_path: Path
) -> None:
    package = mbp.pack(mbp.ROOT, tmp_path)
    room = await world.ops("bo")
    policy = world.policy()
    started = await maubot.install(package, world.bot_account, policy)
    assert started["started"], "the instance runs"
    await room.shows("^🔔 Sluice .* is ready|^❗ Sluice is ready", within=20)

    name = f"alice{world.suffix}"
    answer = await room.ask(f"!adduser {name}", within=20)
    assert answer.text.startswith(f"✅ Account made: @{name}:")

    narrower = policy.replace("[a-z0-9._-]{3,20}", "[a-z0-9._-]{30,40}")
    narrower = narrower.replace('- {as: bo, run: "adduser alice", expect: allow, via: signup}', "")
    with pytest.raises(RuntimeError, match="400"):
        await maubot.edit(policy.replace("do: adduser,", "do: addduser,"))
    assert (await maubot.instance())["config"] == policy, "a rejected text is not kept"
    assert (await room.ask("!can adduser alice", within=20)).text.startswith("📋 Yes")

    await maubot.edit(narrower)
    await room.shows("^(❗|🔔) New policy live")
    answer = await room.ask(f"!adduser {name}2", within=20)
    assert answer.text.startswith("⛔ Not allowed")

    await maubot.kill()
    command = await room.say("!can adduser alice")
    await maubot.start()
    assert (await room.answer_to(command, within=30)).text.startswith("📋 No")
    assert (await maubot.instance())["config"] == narrower


async def test_a_new_instance_shows_the_commented_example(
    world: World, maubot: FullMaubot, tmp_path: Path
) -> None:
    await maubot.install(mbp.pack(mbp.ROOT, tmp_path), world.bot_account, "")
    text = (await maubot.instance())["config"]
    assert text == (mbp.ROOT / "base-config.yaml").read_text()
