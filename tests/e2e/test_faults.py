"""Every fault of the proxy between bot and homeserver: one line, one account, one true result."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.chat import Chat, Said
from lab.proxy import FaultProxy
from lab.world import World

Faults = Callable[[FaultProxy, World], object]


def everywhere(fault: str, **rule: object) -> Faults:
    return lambda proxy, _: proxy.add(fault, **rule)


def on_the_line(fault: str, **rule: object) -> Faults:
    """On what is sent into the admin room; the first thing after the command is its line."""
    return lambda proxy, world: proxy.add(
        fault, path=re.escape(world.server.admin_room) + "/send/", method="PUT", **rule
    )


def reading(fault: str, **rule: object) -> Faults:
    return lambda proxy, _: proxy.add(fault, path="/messages$", **rule)


def answering(fault: str, **rule: object) -> Faults:
    return lambda proxy, world: proxy.add(
        fault, path=re.escape(world.ops_room) + "/send/", method="PUT", **rule
    )


FAULTS = {
    "sync never wakes": everywhere("asleep"),
    "sync forgets everything": everywhere("forgets"),
    "sync shows everything twice": everywhere("twice"),
    "too many requests, at the line": on_the_line("limited", times=2, retry_after_ms=300),
    "too many requests, everywhere": everywhere("limited", chance=0.2, times=10),
    "502 at the line": on_the_line("error", times=1, status=502),
    "502 at reading": reading("error", times=3, status=502),
    "garbage instead of a room": reading("garbage", times=3),
    "a slow line": on_the_line("slow", times=1, seconds=2),
    "the connection breaks before the line": on_the_line("cut", times=2),
    "the connection breaks after the line": on_the_line("lost", times=2),
    "an error although the line was sent": on_the_line("late error", times=1),
    "garbage although the line was sent": on_the_line("late garbage", times=1),
    "the connection breaks after the result": answering("lost", times=2),
    "an error although the result was sent": answering("late error", times=1),
    "the connection breaks at reading": reading("cut", times=3),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_one_line_one_account_one_result(
    world: World, proxy: FaultProxy, tmp_path: Path, fault: str
) -> None:
    await world.start_bot(tmp_path / "bot", base=proxy.base)
    room, admin = await world.ops("bo"), await world.admin()
    name = f"mia{world.suffix}"
    FAULTS[fault](proxy, world)
    command = await room.say(f"!adduser {name}")
    result = await _result(room, world, command)
    proxy.clear()
    assert result.text.startswith(f"✅ New account @{name}\n"), result.text
    await _nothing_more(room, world, command)
    await admin.read()
    assert len(_lines(admin, name)) == 1
    made = [
        said for said in admin.said if said.text.startswith(f"Created user with user_id: @{name}:")
    ]
    assert len(made) <= 1, "the answer is read once, and may be scrubbed by now"


async def test_the_homeserver_goes_away_and_comes_back(
    world: World, proxy: FaultProxy, tmp_path: Path
) -> None:
    await world.start_bot(tmp_path / "bot", base=proxy.base)
    room, admin = await world.ops("bo"), await world.admin()
    await room.ask("!memory")
    target, proxy.target = proxy.target, "http://127.0.0.1:9"
    command = await room.say(f"!adduser noa{world.suffix}")
    await asyncio.sleep(3)  # as long as the homeserver is away
    proxy.target = target
    result = await _result(room, world, command, within=60)
    assert result.text.startswith(f"✅ New account @noa{world.suffix}\n"), result.text
    await admin.read()
    assert len(_lines(admin, f"noa{world.suffix}")) == 1


def _lines(admin: Chat, name: str) -> list[Said]:
    return [said for said in admin.said if re.search(rf": create-user @?{name}\b", said.text)]


async def _result(room: Chat, world: World, command: str, within: float = 40) -> Said:
    return await room.wait(
        lambda said: said.sender == world.bot_account.mxid and said.reply_to == command,
        "the result",
        within=within,
    )


async def _nothing_more(room: Chat, world: World, command: str) -> None:
    """One result, also a little later."""
    await asyncio.sleep(1)
    await room.read()
    replies = [said for said in room.said if said.reply_to == command and not said.edits]
    assert len(replies) == 1, [said.text for said in replies]
