"""Nothing keeps what stands behind it: rooms that the bot is removed from, a voter who taps
without end. Whoever lets it in again has it back within seconds, in every kind of room.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from lab.chat import Chat, eventually
from lab.client import V3, Client, esc
from lab.world import World
from tests.e2e.office import Office
from tests.e2e.test_policy_rooms import _answers, another_room, invite_to_chat, is_in

SECONDS = 15  # "within seconds", on a machine that does other things too


async def two_rooms(world: World, folder: Path, **more: object) -> tuple[Office, Chat, str]:
    """An office with a second ops room, which bo sees."""
    second = await another_room(world)
    rooms = f'["!opsroom:example.org", "{second}"]'
    office = await Office.open(world, folder, ops_rooms=rooms, **more)  # type: ignore[arg-type]
    room = await Chat.from_the_start(world["bo"], second)
    assert world.bot is not None
    joined = world.bot_account.mxid
    await room.wait(lambda said: said.raw.get("state_key") == joined, "the bot", within=20)

    await eventually(lambda: _answers(room, "!can users"), "an answer", 30)
    return office, room, second


async def bans(client: Client, room: str, user: str, word: str = "ban") -> None:
    await client.call("POST", f"{V3}/rooms/{esc(room)}/{word}", {"user_id": user})


async def pause(office: Office) -> None:
    await office.says("ana", "!pause")
    await office.shows("^❗ Paused by ana")


async def resume(office: Office) -> None:
    event = await office.says("dan", "!resume")
    await office.room.wait(
        lambda said: said.sender == office.bot.mxid and "dan" in said.text,
        "a word about the end of the pause",
        after=event,
        within=60,
    )


async def out(world: World, room: str) -> None:
    """The bot has noticed."""
    assert world.bot is not None
    await world.bot.process.logs(f"{room}, invite {world.bot_account.mxid} there")


async def in_again(world: World, room: str, by: str = "ana") -> None:
    await world[by].invite(room, world.bot_account.mxid)
    await eventually(
        lambda: is_in(world["ana"], room, world.bot_account.mxid), f"back in {room}", SECONDS
    )


@pytest.mark.parametrize("which", ["main", "second"])
async def test_kicked_from_an_ops_room_and_invited_again(
    world: World, tmp_path: Path, which: str
) -> None:
    office, _, second = await two_rooms(world, tmp_path / "bot")
    me, first = world.bot_account.mxid, world.ops_room
    lost, other = (first, second) if which == "main" else (second, first)
    there = await Chat.open(world["bo"], lost)
    elsewhere = await Chat.open(world["bo"], other)
    await world["ana"].kick(lost, me)
    told = await elsewhere.shows("^❗ ana removed me from an ops room", within=SECONDS)
    assert world["ana"].mxid in told.mentions
    await out(world, lost)
    missed = await there.say("!adduser missed" + world.suffix)
    assert (await elsewhere.ask("!adduser other" + world.suffix)).text.startswith("✅ ")
    await in_again(world, lost)
    back = await there.shows("^❗ I am in this room again, I was out from ", within=SECONDS)
    assert "ana had removed me" in back.text
    assert (await there.answer_to(missed, SECONDS)).text.startswith("✅ ")
    assert (await there.ask("!adduser later" + world.suffix)).text.startswith("✅ ")
    assert world.bot is not None
    assert f"I am in {lost} again" in world.bot.log
    assert await office.lines("create-user", f"missed{world.suffix}")


async def test_banned_and_let_in_again(world: World, tmp_path: Path) -> None:
    _, room, second = await two_rooms(world, tmp_path / "bot")
    await bans(world["ana"], second, world.bot_account.mxid)
    await out(world, second)
    await bans(world["ana"], second, world.bot_account.mxid, "unban")
    await in_again(world, second)
    await room.shows("^❗ I am in this room again", within=SECONDS)
    assert (await room.ask("!adduser unbanned" + world.suffix)).text.startswith("✅ ")


async def test_kicked_from_the_admin_room_and_invited_again(world: World, tmp_path: Path) -> None:
    office = await Office.open(world, tmp_path / "bot")
    admin = world.server.admin_room
    await world["ana"].kick(admin, world.bot_account.mxid)
    await out(world, admin)
    await office.shows("^❗ I am not in the admin room", SECONDS)
    early = await office.asks("bo", "!adduser early" + world.suffix, SECONDS)
    assert not early.text.startswith("✅ "), early.text
    await in_again(world, admin)

    async def works() -> bool:
        return (await office.asks("bo", "!adduser late" + world.suffix)).text.startswith("✅ ")

    await eventually(works, "commands run again", 30)
    assert world.bot is not None
    assert f"I am in {admin} again" in world.bot.log


async def test_kicked_from_a_private_chat_and_invited_again(world: World, tmp_path: Path) -> None:
    await Office.open(world, tmp_path / "bot")
    me = world.bot_account.mxid
    chat = await invite_to_chat(world["bo"], me)
    await eventually(lambda: is_in(world["bo"], chat, me), "in bo's chat", SECONDS)
    room = await Chat.open(world["bo"], chat)

    # what is typed before its first reading is not read
    await eventually(lambda: _answers(room, "!users"), "an answer in bo's chat", 30)
    await world["bo"].kick(chat, me)
    await world["bo"].invite(chat, me)
    await eventually(lambda: is_in(world["bo"], chat, me), "in bo's chat again", SECONDS)
    assert "commands work in the ops room only" in (await room.ask("!users", SECONDS)).text


async def test_what_waits_for_a_lost_room_keeps_no_other_waiting(
    world: World, tmp_path: Path
) -> None:
    """It stands in line, approved, at the head; then its room is lost."""
    office, room, second = await two_rooms(world, tmp_path / "bot", clock=True)
    spam, other = await office.account(), await office.account()
    await room.say(f"!deactivate {spam.mxid} reason casino")
    card = await room.shows(rf"^✋ bo asks: deactivate @{spam.localpart} · #1(?!.)")
    await pause(office)
    await world["cy"].react(second, card.id, "✅")
    await room.wait(
        lambda said: said.edits == card.id and "Approved by cy" in said.text, "the vote"
    )
    await world["ana"].kick(second, world.bot_account.mxid)
    await out(world, second)
    await resume(office)
    await office.says("ana", f"!glass deactivate {other.mxid} reason now")
    await eventually(lambda: closed(office, other), "break-glass ran", SECONDS)
    assert (await office.asks("bo", "!adduser next" + world.suffix)).text.startswith("✅ ")
    office.later(400)
    told = await office.shows(
        rf"^❗ Not run: deactivate @{spam.localpart} · #1\nI am not in its room\.", SECONDS
    )
    assert second in told.text
    assert await office.is_open(spam)


async def closed(office: Office, client: Client) -> bool:
    return not await office.is_open(client)


async def test_a_restart_while_the_bot_is_out_of_a_room(world: World, tmp_path: Path) -> None:
    office, room, second = await two_rooms(world, tmp_path / "bot")
    spam = await office.account()
    await room.say(f"!deactivate {spam.mxid} reason casino")
    card = await room.shows(rf"^✋ bo asks: deactivate @{spam.localpart} · #1(?!.)")
    await pause(office)
    await world["cy"].react(second, card.id, "✅")
    await room.wait(
        lambda said: said.edits == card.id and "Approved by cy" in said.text, "the vote"
    )
    assert world.bot is not None
    await world.bot.stop()
    await world["ana"].kick(second, world.bot_account.mxid)
    await world.bot.start()
    await resume(office)
    assert (await office.asks("bo", "!adduser next" + world.suffix)).text.startswith("✅ ")
    status = await office.asks("ana", "!status")
    assert f"I am not in the ops room {second}: nothing typed there runs." in status.text
    assert await office.is_open(spam)
    await in_again(world, second)
    await room.shows(rf"^✅ Deactivated @{spam.localpart} · #1(?!.)", within=SECONDS)
    assert await closed(office, spam)


async def test_six_hundred_taps_of_one_voter_stop_nothing(world: World, tmp_path: Path) -> None:
    """On Conduit the same reaction twice is two events, and nobody limits their number."""
    if world.server.double:
        pytest.skip("Synapse refuses the same reaction twice")
    office = await Office.open(world, tmp_path / "bot")
    spam = await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    await pause(office)
    for _ in range(30):
        await asyncio.gather(*(office.taps("cy", card) for _ in range(20)))
    await resume(office)
    await office.done(card, within=30)
    await office.ran_once(spam)
    answer = await office.asks("ana", f"!log {card.number}")
    assert re.search(r"cy approved \(tap\)", answer.text), answer.text
    assert "sent" in answer.text
