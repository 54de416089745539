"""The ops room of a bot that has started."""

from __future__ import annotations

from lab.chat import Chat
from lab.world import World


async def ready(world: World, name: str = "bo") -> Chat:
    """As this person sees it from now on; the bot has said hello."""
    room = await world.ops(name)
    await (await Chat.from_the_start(world["ana"], world.ops_room)).shows("is ready", within=20)
    return room
