"""Two people add accounts as fast as they can type, while an administrator types the same beside
them and removes some of it at once: `python -m tests.e2e.load [50]`.

Prints what came of it; exit 1 if an account or a result is missing, doubled or of somebody else,
or if Sluice said something of the administrator's commands.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

from lab.chat import Chat
from lab.homeserver import homeserver
from lab.world import World

WAITING = 50  # requests of one person in line
_MADE = re.compile(r"✅ New account @([a-z0-9-]+)\n")


async def _types(chat: Chat, who: str, count: int) -> dict[str, str]:
    """event id -> the name that was asked for. No more wait at a time than may."""
    asked: dict[str, str] = {}
    for n in range(count):
        if n >= WAITING:
            await chat.answer_to(list(asked)[n - WAITING], within=120)
        asked[await chat.say(f"!adduser {who}load{n:02}")] = f"{who}load{n:02}"
    return asked


async def _admin(world: World, typed: list[str]) -> None:
    """Types until the others are done. typed: the events, as they are sent."""
    admin, user = world.server.ana, world.server.server_user
    for n in itertools.count():
        line = f"{user}: create-user anaload{n:02}"
        event = await admin.say(world.server.admin_room, line)
        typed.append(event)
        if n % 5 == 0:
            await admin.redact(world.server.admin_room, event)
        await asyncio.sleep(0.2)


async def _results(chat: Chat, asked: dict[str, str]) -> tuple[int, list[str], list[float]]:
    """How many are right, what is wrong, and when each came."""
    wrong: list[str] = []
    times: list[float] = []
    for event, name in asked.items():
        said = await chat.answer_to(event, within=120)
        times.append(said.raw["origin_server_ts"] / 1000)
        found = _MADE.match(said.text)
        if found is None or found.group(1) != name:
            wrong.append(f"{name}: {said.text.splitlines()[0]}")
    return len(asked) - len(wrong), wrong, times


async def main(count: int) -> int:
    with tempfile.TemporaryDirectory(prefix="sluice-load-") as folder:
        async with aiohttp.ClientSession() as http:
            server = homeserver(Path(folder) / "homeserver", http)
            await server.start()
            world = await World.create(server)
            try:
                policy = world.policy().replace("max: 10,", "max: 1000,")
                await world.start_bot(Path(folder) / "bot", policy)
                chats = {who: await world.ops(who) for who in ("bo", "cy")}
                await chats["bo"].ask("!memory", within=30)
                begun = time.time()
                typed: list[str] = []
                typing = asyncio.create_task(_admin(world, typed))
                asked = await asyncio.gather(
                    *(_types(chat, who, count) for who, chat in chats.items())
                )
                done = [
                    await _results(chat, names)
                    for chat, names in zip(chats.values(), asked, strict=True)
                ]
                if typing.done():
                    await typing  # it ends by an error only: then nobody typed beside them
                typing.cancel()
                print(f"beside {len(typed)} commands of the administrator")
                foreign = [s.text for s in chats["bo"].said if "anaload" in s.text]
                return await _report(world, count, begun, done, foreign)
            finally:
                await world.end()
                await server.stop()


async def _report(
    world: World,
    count: int,
    begun: float,
    done: list[tuple[int, list[str], list[float]]],
    foreign: list[str],
) -> int:
    right, wrong = sum(d[0] for d in done), [w for d in done for w in d[1]]
    times = sorted(t for d in done for t in d[2])
    gaps = [b - a for a, b in zip([begun, *times], times, strict=False)]
    exist = 0
    for who in ("bo", "cy"):
        for n in range(count):
            path = f"/_matrix/client/v3/profile/@{who}load{n:02}:{world.server.name}"
            try:
                await world.server.ana.call("GET", path)
            except Exception:
                wrong.append(f"{who}load{n:02}: no such account")
            else:
                exist += 1
    print(f"{exist} accounts, {right} right results, {len(wrong)} wrong, {len(foreign)} foreign")
    print(f"the longest wait for a turn {max(gaps):.1f} s, all in {times[-1] - begun:.1f} s")
    print(*wrong[:10], *foreign[:3], sep="\n")
    return 0 if right == exist == 2 * count and not foreign else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)))
