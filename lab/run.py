"""`python -m lab`: starts the world, prints how to sign in, and keeps it up until Ctrl-C."""

from __future__ import annotations

import asyncio
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from .homeserver import PASSWORD, homeserver
from .proxy import FaultProxy
from .world import World

ROLES = {
    "ana": "owner, administrator of the server",
    "dan": "owner",
    "bo": "moderator",
    "cy": "moderator",
    "eve": "outsider: no role",
    "spam": "an account to try things on",
}


@dataclass
class Options:
    version: str = "0.10.12"  # what the double follows
    room_version: str = "12"  # of the double's admin room
    crypto: bool = False  # the bot can read encrypted rooms


@dataclass
class Lab:
    world: World
    proxy: FaultProxy
    folder: Path


@asynccontextmanager
async def lab(options: Options) -> AsyncIterator[Lab]:
    """Everything up, with the bot behind the fault proxy; everything ended afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="sluice-lab-"))
    timeout = aiohttp.ClientTimeout(60)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        server = homeserver(
            folder / "homeserver",
            http,
            version=options.version,
            room_version=options.room_version,
        )
        proxy = FaultProxy(server.base)
        world: World | None = None
        try:
            await server.start()
            await proxy.start()
            world = await World.create(server)
            world.people["spam"] = await server.account("spam")
            await world.start_bot(folder / "bot", base=proxy.base, crypto=options.crypto)
            yield Lab(world, proxy, folder)
        finally:
            if world and world.bot:
                await world.bot.stop()
            await proxy.stop()
            await server.stop()
    shutil.rmtree(folder, ignore_errors=True)  # kept after an error: it holds the logs


def card(running: Lab) -> str:
    """How to get in."""
    world, server = running.world, running.world.server
    kind = f"Conduit {server.version}"
    if server.double:
        kind = f"Synapse, with a double of Conduit {server.version} in #admins:{server.name}"
    people = "\n".join(
        f"  {client.mxid:<18} {ROLES[name]}" for name, client in world.people.items()
    )
    return f"""
Homeserver   {server.base}
             {kind}
Accounts     (password of each: {PASSWORD})
{people}
  {world.bot_account.mxid:<18} the bot
Rooms        Ops room    {world.ops_room}
             Admin room  {server.admin_room}, #admins:{server.name}
Sign in      with any Matrix client. Element, Web or Desktop: Sign in, Edit the homeserver,
             {server.base}, then bo and the password. Type !help in the Ops room.
Faults       curl -d '{{"fault": "slow", "path": "/send/", "seconds": 3}}' \\
               {running.proxy.base}/_lab/faults      (lab/proxy.py lists them)
Files        {running.folder}: logs, and bot/policy.yaml (edit it, then !reload)

Ctrl-C ends all of it.
"""


async def keep_running(options: Options) -> None:
    over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    async with _until(over, lab(options)) as running:
        if running is not None:
            print(card(running), flush=True)
            await over.wait()
            print("ending", flush=True)


@asynccontextmanager
async def _until(over: asyncio.Event, starting: object) -> AsyncIterator[Lab | None]:
    """The lab, or None where the end was asked for while it was starting."""
    manager = starting
    start = asyncio.ensure_future(manager.__aenter__())  # type: ignore[attr-defined]
    ended = asyncio.ensure_future(over.wait())
    await asyncio.wait({start, ended}, return_when=asyncio.FIRST_COMPLETED)
    ended.cancel()
    if not start.done():
        start.cancel()
        await asyncio.gather(start, return_exceptions=True)
        yield None
        return
    try:
        yield start.result()
    finally:
        await manager.__aexit__(None, None, None)  # type: ignore[attr-defined]
