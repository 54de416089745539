"""Who is answered where: roles by power, several ops rooms, invitations, upgrades, absence."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from lab.bot import Bot
from lab.chat import Chat, Said, eventually
from lab.client import Client
from lab.homeserver import Homeserver
from lab.world import World
from tests.e2e.office import CLOCK
from tests.e2e.start import ready


async def another_room(world: World, **more: object) -> str:
    """A second ops room with the same people; the bot is invited, and no more."""
    people = [world[name].mxid for name in ("bo", "cy", "dan")]
    room = await world["ana"].create_room(*people, world.bot_account.mxid, **more)
    for name in ("bo", "cy", "dan"):
        await world[name].join(room)
    return room


async def a_spammer(world: World) -> str:
    return (await world.server.account(f"spam{world.suffix}")).mxid


def with_rooms(world: World, *rooms: str) -> str:
    listed = ", ".join(f'"{room}"' for room in rooms)
    return world.policy().replace(f'ops_rooms: ["{world.ops_room}"]', f"ops_rooms: [{listed}]")


# --- roles --------------------------------------------------------------------------------------


async def test_a_helper_is_whoever_has_the_power_and_only_as_long(world: World, bot: Bot) -> None:
    room, spam = await ready(world, "eve"), await a_spammer(world)
    silent = [await room.say(line) for line in ("!help", "!adduser eve2", "!userss", "@x hello")]
    await world["ana"].set_power(world.ops_room, world["eve"].mxid, 25)
    answer = await room.ask("!can users")
    assert answer.text.startswith("📋 Yes")
    refused = await room.ask(f"!deactivate {spam} reason casino")
    assert refused.text == (
        "⛔ Not allowed (#1): deactivate is for mods and owners. bo, cy, ana or dan can."
    )
    await world["ana"].set_power(world.ops_room, world["eve"].mxid, 24)
    silent.append(await room.say("!can users"))
    await room.never(lambda said: said.reply_to in silent, "an answer to a person without a role")


async def test_taps_of_a_person_without_a_role_are_nothing(world: World, bot: Bot) -> None:
    room, spam = await ready(world), await a_spammer(world)
    await room.say(f"!deactivate {spam} reason casino")
    card = await room.shows(rf"^✋ bo asks: deactivate {spam.partition(':')[0]} · #1(?!.)")
    await world["eve"].react(world.ops_room, card.id, "✅")
    await world["eve"].reply(world.ops_room, card.id, "yes")
    await world["eve"].say(world.ops_room, "!approve 1")
    after = await room.ask("!pending")
    assert "#1 bo (yours): deactivate " in after.text
    said = [said for said in room.said if said.sender == world.bot_account.mxid]
    assert not [each for each in said if f"@{world['eve'].localpart}" in each.text]


# --- several rooms, and rooms that are none any more --------------------------------------------


async def test_a_request_lives_in_the_room_where_it_was_typed(
    world: World, tmp_path: Path
) -> None:
    second = await another_room(world)
    await world.start_bot(tmp_path / "bot", with_rooms(world, world.ops_room, second))
    first, spam = await ready(world), await a_spammer(world)
    room = await Chat.from_the_start(world["bo"], second)
    await room.wait(
        lambda said: said.sender == world.bot_account.mxid and said.kind == "m.room.member",
        "the bot in the second room",
    )
    await world["bo"].say(second, f"!deactivate {spam} reason casino")
    card = await room.shows(rf"^✋ bo asks: deactivate {spam.partition(':')[0]} · #1(?!.)")
    await world["cy"].say(world.ops_room, "!approve 1")  # typed in the other room
    await world["ana"].kick(second, world["cy"].mxid)
    await world["dan"].react(second, card.id, "✅")
    await room.shows(rf"^✅ Deactivated {spam.partition(':')[0]} · #1(?!.)", within=20)
    await first.never(lambda said: "✅ D" in said.text, "its result in the first room")


async def test_a_room_that_leaves_ops_rooms_is_none_for_the_next_command(
    world: World, tmp_path: Path
) -> None:
    second = await another_room(world)
    bot = await world.start_bot(tmp_path / "bot", with_rooms(world, world.ops_room, second))
    first, room = await ready(world), await Chat.open(world["bo"], second)
    spam = await a_spammer(world)
    assert (await room.ask("!can adduser alice")).text.startswith("📋 Yes")
    await room.say(f"!deactivate {spam} reason casino")
    await room.shows(rf"^✋ bo asks: deactivate {spam.partition(':')[0]} · #1(?!.)")
    bot.set_policy(with_rooms(world, world.ops_room))
    reload = await world["ana"].say(world.ops_room, "!reload")
    await first.wait(lambda said: said.reaction == (reload, "✅"), "the tick")
    silent = await room.say("!can adduser alice")
    await room.never(lambda said: said.reply_to == silent, "an answer in a room that is none")
    await room.shows(
        rf"^⛔ Not run: deactivate {spam.partition(':')[0]}, this room is no ops room any more\."
    )

    bot.set_policy(with_rooms(world, second))  # whoever does this is seen in both
    await world["ana"].say(world.ops_room, "!reload")
    await room.shows("^❗ New policy: ", within=15)
    await first.wait(
        lambda said: said.text.startswith("❗ New policy: "), "told here too", after=reload
    )
    await eventually(lambda: _answers(room, "!can adduser alice"), "an answer in the second room")
    await room.never(lambda said: said.reply_to == silent, "an answer to what was typed before")


async def _answers(room: Chat, line: str) -> bool:
    command = await room.say(line)
    try:
        await room.answer_to(command, within=2)
    except AssertionError:
        return False
    return True


async def test_a_running_bot_is_not_moved_to_another_conduit(world: World, bot: Bot) -> None:
    room = await ready(world, "ana")
    bot.set_policy(world.policy(admin_room='"!elsewhere"'))
    await room.say("!reload")
    said = await room.shows("^❗ Policy rejected, .* Line 10: an error")
    assert "admin_room is read at the start only: stop Sluice, save, start it" in said.text
    bot.set_policy(world.policy(ops_rooms=f'["{world.ops_room}", "{world.server.admin_room}"]'))
    await room.say("!reload")
    await room.wait(
        lambda said: "ops_rooms holds the admin room" in said.text, "the admin room is no ops room"
    )


async def test_an_upgraded_room_is_told_and_not_followed(world: World, bot: Bot) -> None:
    room = await ready(world)
    new = await another_room(world)
    stone = {"body": "upgraded", "replacement_room": new}
    await world["ana"].set_state(world.ops_room, "m.room.tombstone", stone)
    said = await room.shows("^❗ This room was upgraded, and I stay here.")
    assert said.text.split("\n")[1] == (
        "Owners: if the new room is right, put its id into ops_rooms."
    )
    assert said.mentions == {world["ana"].mxid, world["dan"].mxid}
    assert (await room.ask("!can adduser alice")).text.startswith("📋 Yes")
    assert world.bot_account.mxid not in await world["ana"].members(new)
    await bot.restart()
    assert (await room.ask("!can adduser alice", within=20)).text.startswith("📋 Yes")
    told = [each for each in room.said if each.text.startswith("❗ This room was upgraded")]
    assert len(told) == 1, "once"


# --- the start ----------------------------------------------------------------------------------


async def test_the_first_hello_lists_what_is_wrong(world: World, tmp_path: Path) -> None:
    room = await world.ops("bo")
    await world["ana"].set_state(world.ops_room, "m.room.join_rules", {"join_rule": "public"})
    await world["ana"].set_power(world.server.admin_room, world.bot_account.mxid, 0)
    await world.start_bot(tmp_path / "bot")
    hello = await room.shows("^❗ Sluice is ready, with ", within=20)
    assert hello.mentions == {world["ana"].mxid, world["dan"].mxid}
    problems = [line.partition(". ")[2] for line in hello.text.split("\n")[1:]]
    power = "My power in the admin room is 0: passwords stay readable there. Give me 50."
    assert power in problems
    assert "This room is public. Make it invite-only." in problems


async def test_outside_the_ops_room_it_only_logs(world: World, tmp_path: Path) -> None:
    await world.bot_account.leave(world.ops_room)
    room = await world.ops("bo")
    bot = await world.start_bot(tmp_path / "bot")
    me, ops = world.bot_account.mxid, world.ops_room
    wanted = f"config:6: ops_rooms: I am not in {ops}, invite {me} there"
    await bot.process.logs(wanted)
    await room.never(
        lambda said: said.sender == me, "a word of a bot that is not there", seconds=3
    )
    assert bot.log.count(wanted) == 1, "once, not at every try"
    await world["ana"].invite(ops, me)
    await room.shows("is ready", within=20)
    assert (await room.ask("!version")).text.startswith("📋 Sluice 1.")


async def test_outside_the_admin_room_it_says_what_is_missing_and_greets_later(
    world: World, tmp_path: Path
) -> None:
    await world.bot_account.leave(world.server.admin_room)
    room = await world.ops("bo")
    await world.start_bot(tmp_path / "bot")
    me = world.bot_account.mxid
    status = await room.shows("^📋 .*problem", within=20)
    assert f"I am not in the admin room: nothing can run. Invite {me} there." in status.text
    assert "I am not in" in (await room.ask("!adduser alice")).text
    await world["ana"].invite(world.server.admin_room, me)
    await room.shows("(Sluice .*|Sluice) is ready", within=30)
    assert sum("problem" in said.text and said.sender == me for said in room.said) <= 2


async def test_a_room_that_is_added_later_gets_the_status_once(world: World, bot: Bot) -> None:
    await ready(world)
    second = await another_room(world)
    bot.set_policy(with_rooms(world, world.ops_room, second))
    await world["ana"].say(world.ops_room, "!reload")
    room = await Chat.from_the_start(world["bo"], second)
    await room.shows(r"^📋 (All good|\d+ problem)", by=world.bot_account.mxid, within=20)
    assert (await room.ask("!version")).text.startswith("📋 Sluice 1.")


@pytest.fixture
async def absent(world: World, tmp_path: Path) -> Mapping[str, object]:
    """What a bot needs whose clock the test moves."""
    clock = tmp_path / "clock"
    clock.write_text("0")
    env = {"PYTHONPATH": str(CLOCK), "SLUICE_TEST_CLOCK": str(clock)}
    await world.start_bot(tmp_path / "bot", env=env)
    return {"clock": clock}


async def test_after_an_absence_what_was_missed_is_answered(
    world: World, absent: Mapping[str, object]
) -> None:
    room, bot, clock = await ready(world), world.bot, absent["clock"]
    assert bot is not None
    assert isinstance(clock, Path)
    await bot.stop()
    command = await room.say("!adduser alice")
    clock.write_text("600")  # ten minutes later
    await bot.start()
    back = await room.shows("^🔔 I was offline from .* UTC", within=20)
    answer = await room.answer_to(command, within=20)
    assert answer.text.startswith("⛔ Not run: !adduser of "), answer.text
    assert " UTC, I was offline.\n" in answer.text
    assert "bo, still wanted? Tap 🔁 or send it again." in answer.text
    assert answer.mentions == {world["bo"].mxid}
    shown = [said.text for said in room.said if said.id == back.id or said.edits == back.id]
    assert shown[-1].endswith(" UTC. 1 command was not run: see my reply.")


# --- invitations --------------------------------------------------------------------------------


async def invite_to_chat(client: Client, bot: str, **more: object) -> str:
    return await client.create_room(bot, is_direct=True, **more)


async def is_in(client: Client, room: str, mxid: str) -> bool:
    return mxid in await client.members(room)


async def test_private_chats_are_accepted_from_people_with_a_role(
    world: World, bot: Bot, server: Homeserver
) -> None:
    ops, me = await ready(world), world.bot_account.mxid
    await world["ana"].set_power(world.ops_room, world["eve"].mxid, 25)
    stranger = await server.account(f"stranger{world.suffix}")
    refused = await invite_to_chat(stranger, me)
    group = await world["bo"].create_room(me)  # no private chat
    chats = {name: await invite_to_chat(world[name], me) for name in ("bo", "eve")}
    for name, chat in chats.items():
        await eventually(lambda c=chat, n=name: is_in(world[n], c, me), f"in {name}'s chat")  # type: ignore[misc]
    room = await Chat.open(world["bo"], chats["bo"])
    answer = await room.ask("!users")
    assert answer.text == "⛔ Not run: commands work in the ops room only."
    await room.say("hello")
    await bot.restart()
    again = await room.ask("!users", within=20)
    assert again.text == answer.text, "also after a restart"
    assert await stranger.members(refused) == {stranger.mxid}
    assert await world["bo"].members(group) == {world["bo"].mxid}
    assert f"An invitation to {refused} by {stranger.mxid} is not accepted" in bot.log
    replies: list[Said] = [said for said in room.said if said.sender == me and said.text]
    assert len(replies) == 2
    assert not [said for said in ops.said if "commands work" in said.text]
