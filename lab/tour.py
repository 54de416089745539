"""`python -m lab --tour`: a guided conversation; exit 1 if a step did not go as it is told.

Each step says what will be seen, does it as the people would, and checks what they see. What is
said in the rooms is printed as it comes.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from .chat import Chat, Said, line
from .client import Client, Refused
from .run import Lab, Options, lab
from .world import World

NOTHING = 2.0  # seconds of silence that count as silence


@dataclass
class Tour:
    """The rooms, and what the steps learn for later ones."""

    running: Lab
    ops: Chat
    admin: Chat
    printed: int = 0
    admin_printed: set[str] = field(default_factory=set)

    @property
    def world(self) -> World:
        return self.running.world

    async def say(self, name: str, text: str) -> str:
        return await self.world[name].say(self.world.ops_room, text)

    async def bot_says(self, pattern: str, *, after: str = "", within: float = 20) -> Said:
        """A message of the bot, or the new text of one, in which this expression is found."""
        bot = self.world.bot_account.mxid

        def matches(said: Said) -> bool:
            return said.sender == bot and bool(re.search(pattern, said.text))

        return await self.ops.wait(matches, f"“{pattern}”", after=after, within=within)

    async def ask(self, name: str, text: str, pattern: str) -> Said:
        return await self.bot_says(pattern, after=await self.say(name, text))

    async def show(self) -> None:
        """Prints what was said in the ops room since the last time."""
        await self.ops.read()
        for said in self.ops.said[self.printed :]:
            if said.kind in ("m.room.message", "m.reaction"):
                print(f"    {line(said)}", flush=True)
        self.printed = len(self.ops.said)


async def asks_for_help(tour: Tour) -> None:
    """A moderator asks what they may do."""
    await tour.ask("bo", "!help", r"^📋 You can do this \(mod\)")


async def adds_a_user(tour: Tour) -> None:
    """A moderator adds a user, who signs in with the password from the private message, and not
    with the one that Conduit showed in the admin room."""
    server = tour.world.server
    command = await tour.say("bo", "!adduser alice")
    created = await tour.admin.shows(r"^Created user with user_id: @alice:", within=20)
    shown = created.text.split()[-1]
    await tour.bot_says(r"^✅ New account @alice\n", after=command)
    private = await tour.world.private("bo")
    message = await private.shows(r"^🔑 New account @alice:")
    print("    (in bo's private room)")
    print(f"    {line(message)}")
    match = re.search(r"Password: (\S+)", message.text)
    assert match, f"no password in {message.text!r}"
    alice = await server.login("alice", match[1])
    print(f"    ({alice.mxid} signs in with it)")
    try:
        await server.login("alice", shown)
    except Refused:
        print("    (the one from the admin room is refused)")
    else:
        raise AssertionError("the password that stood in the admin room signs in")


async def is_denied(tour: Tour) -> None:
    """The same moderator asks for a name that the policy does not allow."""
    await tour.ask("bo", "!adduser al", r"^⛔ Not allowed \(#\d+\): “al” is too short")


async def outsider_gets_silence(tour: Tour) -> None:
    """An outsider types commands and hears nothing."""
    bot = tour.world.bot_account.mxid
    before = {said.id for said in tour.ops.said}
    for text in ("!help", "!adduser eve2"):
        await tour.say("eve", text)
    await tour.ops.never(
        lambda said: said.sender == bot and said.id not in before, "an answer", seconds=NOTHING
    )
    print("    (nothing)")


async def typed_while_away(tour: Tour) -> None:
    """The bot is stopped, somebody types, the bot is started."""
    assert tour.world.bot
    await tour.world.bot.stop()
    command = await tour.say("cy", "!adduser noa")
    print("    (the bot is started)")
    await tour.world.bot.start()
    await tour.bot_says(r"^✅ New account @noa\n", after=command)


async def killed_in_between(tour: Tour) -> None:
    """kill -9 of the bot when its line is in the admin room and the answer is not."""
    world, server = tour.world, tour.world.server
    assert world.bot
    await _keep_busy(tour)
    command = await tour.say("bo", "!adduser zoe")
    me = world.bot_account.mxid

    def is_the_line(said: Said) -> bool:
        return said.sender == me and bool(re.search(r": create-user @?zoe\b", said.text))

    await tour.admin.wait(is_the_line, "the line")
    await world.bot.kill()
    print("    (kill -9 of the bot; its line is in the admin room, the answer is not)")
    if server.double:
        await server.double.set(hold=False)
    await world.bot.start()
    await tour.bot_says(r"^✅ New account @zoe\n", after=command, within=60)
    await tour.admin.read()
    sent = [said for said in tour.admin.said if is_the_line(said)]
    assert len(sent) == 1, f"the line was sent {len(sent)} times"


async def _keep_busy(tour: Tour) -> None:
    """Something slow stands before us in Conduit's queue."""
    server = tour.world.server
    if server.double:
        await server.double.set(hold=True)
        return
    for number in range(15):  # each takes a real Conduit some 80 ms: it hashes a password
        await server.ana.say(
            server.admin_room, f"@conduit:{server.name}: create-user busy{number}"
        )


async def deactivates_with_approval(tour: Tour) -> None:
    """A destructive command waits for a second person."""
    spam = tour.world["spam"]
    command = await tour.say("bo", f"!deactivate {spam.mxid} reason casino links in 6 rooms")
    request = await tour.bot_says(r"^✋ bo asks: deactivate @spam · #\d+", after=command)
    await tour.world["cy"].react(tour.world.ops_room, request.id, "👍")
    await tour.bot_says(r"^✅ Deactivated @spam · #\d+", after=request.id)
    try:
        await tour.world.server.login("spam", spam.password)
    except Refused:
        print(f"    ({spam.mxid} cannot sign in any more)")
    else:
        raise AssertionError("the deactivated account signs in")


async def asks_how_it_is(tour: Tour) -> None:
    """An owner looks at the state of things."""
    await tour.ask("ana", "!status", r"^📋 ")


Step = Callable[[Tour], Awaitable[None]]
STEPS: tuple[Step, ...] = (
    asks_for_help,
    adds_a_user,
    is_denied,
    outsider_gets_silence,
    deactivates_with_approval,
    typed_while_away,
    killed_in_between,
    asks_how_it_is,
)


async def guide(running: Lab) -> int:
    """Plays the steps; the number of those that did not go as told."""
    world, failures = running.world, 0
    print(f"Conduit {world.server.version} on {world.server.base}\n", flush=True)
    owner: Client = world["ana"]
    ops = await Chat.from_the_start(owner, world.ops_room)
    tour = Tour(running, ops, await world.admin())
    await tour.bot_says(r"^(🔔|❗) Sluice", within=30)
    await tour.show()
    for number, step in enumerate(STEPS, 1):
        told = " ".join((step.__doc__ or "").split())
        print(f"\n{number}. {told}", flush=True)
        try:
            await asyncio.wait_for(step(tour), 120)
        except (AssertionError, Refused, asyncio.TimeoutError) as error:
            failures += 1
            print(f"    DID NOT GO AS TOLD: {str(error) or 'no end within 2 minutes'}")
        await tour.show()
    if failures and world.bot:
        print(f"\nThe bot's log ends with:\n{world.bot.process.tail()}")
    print(f"\n{len(STEPS) - failures} of {len(STEPS)} steps went as told.")
    return failures


async def play(options: Options) -> int:
    """The number of steps that did not go as told."""
    async with lab(options) as running:
        return await guide(running)
