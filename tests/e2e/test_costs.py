"""Who has no right costs nothing, and what somebody looks up holds up nobody else."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from lab.chat import eventually
from lab.proxy import FaultProxy
from lab.world import World
from tests.e2e.office import POLICY, Office

SLOW = "#slow:slow.example"
MARGIN = 5.0  # seconds; what is held up waits for longer than that


async def _pause(office: Office) -> float:
    """Seconds until it is heard."""
    begun = time.monotonic()
    event = await office.says("bo", "!pause x")
    await office.room.wait(
        lambda said: said.text.startswith("❗ Paused by bo"), "the pause", after=event, within=60
    )
    return time.monotonic() - begun


async def test_pause_is_heard_at_once_behind_the_links_of_an_outsider(
    world: World, tmp_path: Path
) -> None:
    office = await Office.open(world, tmp_path / "bot")
    eve, room = world["eve"], world.ops_room
    long = 250 if world.server.double else 40_000  # Synapse takes no longer name
    name = {"membership": "join", "displayname": "x" * long}
    await eve.set_state(room, "m.room.member", name, eve.mxid)

    alone = await _pause(office)
    await office.says("ana", "!resume")
    await office.shows("esumed")
    links = '<a href="matrix:u/p:x">a</a>' * 1500
    more = {"format": "org.matrix.custom.html", "formatted_body": f"!purge {links}"}
    await asyncio.gather(*(eve.say(room, "!purge " + "a" * 1500, **more) for _ in range(20)))
    behind = await _pause(office)
    assert behind < alone + MARGIN, f"{behind:.1f} s, alone {alone:.1f} s"


async def test_a_slow_address_holds_up_neither_votes_nor_pause(
    world: World, proxy: FaultProxy, tmp_path: Path
) -> None:
    office = await Office.open(world, tmp_path / "bot", base=proxy.base)
    spam = await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    held = proxy.add("held", path="/directory/room/#slow")
    slow = [await office.says("bo", f"!disableroom {SLOW} reason x") for _ in range(4)]

    async def is_looked_up() -> bool:
        return held.hits > 0

    await eventually(is_looked_up, "the address is looked up")
    begun = time.monotonic()
    await office.taps("cy", card)
    await office.done(card)
    await _pause(office)
    took = time.monotonic() - begun
    assert took < 3 * MARGIN, f"{took:.1f} s"  # four addresses, one after the other, take 20 s
    proxy.clear()
    for command in slow:
        answer = await office.room.answer_to(command, within=60)
        assert "no room has the address" in answer.text, answer.text
    await office.ran_once(spam)


async def test_a_command_that_was_being_looked_up_is_answered_once_after_a_crash(
    world: World, proxy: FaultProxy, tmp_path: Path
) -> None:
    office = await Office.open(world, tmp_path / "bot", base=proxy.base)
    held = proxy.add("held", path="/directory/room/#slow")
    slow = await office.says("bo", f"!disableroom {SLOW} reason x")

    async def is_looked_up() -> bool:
        return held.hits > 0

    await eventually(is_looked_up, "the address is looked up")
    await office.asks("cy", "!memory")
    await office.bot.kill()
    proxy.clear()
    await office.bot.start()
    answer = await office.room.answer_to(slow, within=60)
    assert "no room has the address" in answer.text, answer.text
    await office.bot.restart()
    await office.quiet()
    answers = [s for s in office.room.said if s.reply_to == slow and not s.edits]
    assert len(answers) == 1, office.room.transcript()


async def test_a_deleted_or_edited_command_ends_what_is_looked_up_for_it(
    world: World, proxy: FaultProxy, tmp_path: Path
) -> None:
    office = await Office.open(world, tmp_path / "bot", base=proxy.base)
    alias = f"warez{world.suffix}"
    target = await world["ana"].create_room(room_alias_name=alias)
    held = proxy.add("held", path="/directory/room/#warez")
    line = f"!enableroom #{alias}:{world.server.name}"
    deleted = await office.says("bo", line)

    async def is_looked_up() -> bool:
        return held.hits > 0

    await eventually(is_looked_up, "the address is looked up")
    await office.removes("bo", deleted)
    edited = await office.says("bo", line)
    await office.edits("bo", edited, "!memory")
    await office.asks("cy", "!memory")
    proxy.clear()
    await office.answer(edited, edited)
    await office.quiet()
    assert await office.lines(target) == [], office.admin.transcript()


async def test_a_list_of_thousands_is_refused(world: World, tmp_path: Path) -> None:
    office = await Office.open(world, tmp_path / "bot")
    names = "\n".join(f"n{number}" for number in range(9000))
    said = await office.asks("ana", f"!deactivateall reason x\n{names}")
    assert said.text.startswith(
        "⛔ Not run: 9,000 are too many, 1,000 is the most in one request."
    )


async def test_no_invitation_of_a_stranger_is_accepted(world: World, tmp_path: Path) -> None:
    """Although the policy gives everybody on the server a role."""
    office = await Office.open(world, tmp_path / "bot", POLICY.replace(", min_power: 25", ""))
    out = await office.account("out")
    before = set(await world.bot_account.joined_rooms())
    me = world.bot_account.mxid
    rooms = [await out.create_room(me, is_direct=True) for _ in range(50)]

    async def all_are_read() -> bool:
        return all(f"An invitation to {room} by" in office.bot.log for room in rooms)

    await eventually(all_are_read, "every invitation is read", within=60)
    await office.quiet()
    assert set(await world.bot_account.joined_rooms()) == before


async def test_a_person_has_one_chat(world: World, tmp_path: Path) -> None:
    await Office.open(world, tmp_path / "bot")
    me, bo = world.bot_account.mxid, world["bo"]
    rooms: list[str] = []

    async def only_the_newest() -> bool:
        inside = set(await world.bot_account.joined_rooms())
        return [room for room in rooms if room in inside] == rooms[-1:]

    for _ in range(3):
        rooms.append(await bo.create_room(me, is_direct=True))
        await eventually(only_the_newest, "the bot is in the newest chat only")
