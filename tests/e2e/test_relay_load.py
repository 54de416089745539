"""Five people type mixed commands at once, while an administrator types beside them.

Each command gets its own answer, once, and each person theirs in order. In full, 200 commands:

    SLUICE_LOAD=40 python -m pytest tests/e2e/test_relay_load.py
"""

from __future__ import annotations

import asyncio
import os
import random
import re
from pathlib import Path

from lab.world import World
from tests.e2e.relay import Relay

EACH = int(os.environ.get("SLUICE_LOAD", "6"))  # commands a person
PEOPLE = ("ana", "dan", "bo", "cy", "eve")
# What is typed, with {n} for a name of its own, and what its answer must look like.
KINDS = {
    "adduser {n}": r"✅ New account @{n}\n",
    "memory": r"📋 Conduit's caches hold",
    "registration": r"📋 Registration is",
    "federation": r"📋 ",
    "enableroom !{n}:lab.test": r"✅ Enabled room !{n} again",
    "clearcache db": r"✅ All \d+ database caches are empty",
    "can adduser {n}": r"📋 Yes",
    "config": r"📋 lab\.test runs Conduit",
}
AT_ONCE = "can "  # answered without a line, so not behind those that wait for theirs


async def test_five_people_at_once_each_get_their_own_answers_in_order(
    world: World, tmp_path: Path
) -> None:
    relay = await Relay.open(world, tmp_path, mods="[bo, cy, eve]")
    asked: dict[str, dict[str, tuple[str, str]]] = {who: {} for who in PEOPLE}

    async def types(who: str) -> None:
        choice = random.Random(who)
        for number in range(EACH):
            line, pattern = choice.choice(sorted(KINDS.items()))
            name = f"{who}{number}{world.suffix}"
            event = await relay.says(who, f"!{line.format(n=name)}")
            asked[who][event] = (line, pattern.replace("{n}", name))

    async def administers() -> None:
        for number in range(EACH * 2):
            line = ("list-rooms", f"create-user hand{number}{world.suffix}", "memory-usage")
            event = await relay.types(line[number % 3])
            if number % 5 == 0:
                await world.server.ana.redact(world.server.admin_room, event)
            await asyncio.sleep(0.1)

    await asyncio.gather(administers(), *(types(who) for who in PEOPLE))
    for who in PEOPLE:
        for event, (line, pattern) in asked[who].items():
            said = await relay.room.answer_to(event, within=60 + EACH * 4)
            assert re.match(pattern, said.text), f"{who}: {line}: {said.text}"
    await relay.quiet()
    bot = relay.bot.mxid
    for who in PEOPLE:
        answers = [
            said.reply_to
            for said in relay.room.said
            if said.sender == bot and said.reply_to in asked[who] and not said.edits
        ]
        assert len(answers) == len(set(answers)) == EACH, f"{who}: doubled or lost"
        order = [e for e, (line, _) in asked[who].items() if not line.startswith(AT_ONCE)]
        assert [event for event in answers if event in order] == order, f"{who}: out of order"
    assert not any(re.search(r"hand\d+-", text) for text in await relay.results())
