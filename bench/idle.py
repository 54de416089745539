"""How many requests a second Sluice sends while nobody does anything: three ops rooms, the admin
room, and 50 private rooms of earlier runs."""

from __future__ import annotations

import asyncio

from mautrix.util.async_db import Database as Inner

from lab.bot import Bot
from lab.proxy import FaultProxy
from lab.world import World
from sluice.db.connection import Database

PRIVATE = 50
SILENT, MEASURED = 120.0, 60.0  # seconds: nobody has said anything for so long, and then so long


async def requests_a_second(world: World, sluice: Bot, proxy: FaultProxy) -> float:
    """sluice: not running, and behind the proxy."""
    ana, me = world.server.ana, world.bot_account
    rooms = [await ana.create_room(me.mxid, name=f"Ops room {number}") for number in (2, 3)]
    for room in rooms:
        await me.join(room)
    before = sluice.policy_file.read_text()
    more = "".join(f', "{room}"' for room in rooms)
    sluice.set_policy(before.replace(f'"{world.ops_room}"', f'"{world.ops_room}"{more}'))
    await sluice.start()
    await sluice.stop()  # there is a database now
    await _remember(sluice, [await me.create_room(world["bo"].mxid) for _ in range(PRIVATE)])
    await sluice.start()
    await sluice.process.logs("Sluice is ready")
    await asyncio.sleep(SILENT)
    passed = proxy.passed
    await asyncio.sleep(MEASURED)
    passed = proxy.passed - passed
    await sluice.stop()
    sluice.set_policy(before)
    return passed / MEASURED


async def _remember(bot: Bot, rooms: list[str]) -> None:
    """As private rooms in which passwords were handed over."""
    inner = Inner.create(bot.database)
    await inner.start()
    database = Database(inner)
    put = "INSERT INTO sluice_private (mxid, room) VALUES ($1, $2)"
    for number, room in enumerate(rooms):
        await database.write(lambda tx, n=number, r=room: tx.execute(put, f"@idle{n}:x", r))  # type: ignore[misc]
    await database.stop()
    await inner.stop()
