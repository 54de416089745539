"""Encrypted ops rooms and private rooms, with matrix-nio on the other side."""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from lab.bot import Bot, FullMaubot
from lab.chat import Chat, eventually
from lab.homeserver import Homeserver
from lab.world import World
from tests.e2e.office import CLOCK, NewDatabase
from tests.e2e.sealed import SEALED, Person, SealedChat
from tests.e2e.test_maubot import package

__all__ = ["package"]  # a fixture

_numbers = itertools.count(1)


@pytest.fixture
async def world(server: Homeserver, new_database: NewDatabase) -> AsyncIterator[World]:
    """With an encrypted ops room."""
    world = await World.create(server, f"-sealed{next(_numbers)}", encrypted=True)
    world.database = await new_database()
    yield world
    room = await Chat.from_the_start(server.ana, world.ops_room)
    print(f"--- ops room, as without keys\n{room.transcript()}")
    if world.bot:
        print(f"--- bot\n{world.bot.process.tail(20_000)}")
    await world.end()


@pytest.fixture
async def bo(world: World, tmp_path: Path) -> AsyncIterator[Person]:
    bo = await Person.open(world["bo"], tmp_path / "bo")
    yield bo
    await bo.close()


@pytest.fixture
async def bot(world: World, bo: Person, tmp_path: Path) -> Bot:
    """It can encrypt, and its clock can be moved."""
    clock = tmp_path / "clock"
    clock.write_text("0")
    env = {"PYTHONPATH": str(CLOCK), "SLUICE_TEST_CLOCK": str(clock)}
    return await world.start_bot(tmp_path / "bot", crypto=True, env=env)


@pytest.fixture
async def room(world: World, bo: Person, bot: Bot) -> SealedChat:
    """The ops room as bo reads it; the bot has said hello."""
    chat = await bo.chat(world.ops_room)
    await chat.read()
    start = await SealedChat.from_the_start(bo.client, world.ops_room)
    assert isinstance(start, SealedChat)
    start.person = bo
    await start.shows("is ready", within=20)
    return chat


async def sent_by_bot(world: World) -> list[str]:
    """The types of all that the bot said in the ops room, as they travelled."""
    chat = await Chat.from_the_start(world["ana"], world.ops_room)
    kinds = ("m.room.message", SEALED)
    return [s.kind for s in chat.said if s.sender == world.bot_account.mxid and s.kind in kinds]


async def test_commands_are_read_and_answered_encrypted_also_after_a_restart(
    world: World, room: SealedChat, bot: Bot
) -> None:
    assert (await room.ask("!can adduser alice")).text.startswith("📋 Yes")
    assert (await room.ask("!help")).text.startswith("📋 You can do this (mod)")
    await bot.stop()
    while_away = await room.say("!can adduser bob")
    room.person.discard(world.ops_room)
    with_a_new_key = await room.say("!can adduser carl")
    await bot.start()
    for command in (while_away, with_a_new_key, await room.say("!can adduser dora")):
        assert (await room.answer_to(command, within=20)).text.startswith("📋 Yes")
    assert set(await sent_by_bot(world)) == {SEALED}


async def test_a_command_in_clear_is_refused(world: World, room: SealedChat) -> None:
    command = await world["bo"].say(world.ops_room, "!can adduser alice")
    answer = await room.answer_to(command)
    assert answer.text == (
        "⛔ Not run: this room is encrypted and your message is not. Send it encrypted."
    )
    silent = [
        await world["bo"].say(world.ops_room, "hello"),
        await world["eve"].say(world.ops_room, "!users"),
    ]
    await room.never(lambda said: said.reply_to in silent, "an answer to chat or a stranger")


async def test_a_card_is_voted_on_and_edited_in_an_encrypted_room(
    world: World, room: SealedChat
) -> None:
    spam = (await world.server.account(f"spam{world.suffix}")).mxid
    await room.say(f"!deactivate {spam} reason casino")
    card = await room.shows(rf"^✋ bo asks: deactivate @spam{world.suffix} · #1(?!.)")
    await world["cy"].react(world.ops_room, card.id, "✅")  # reactions are never encrypted
    done = await room.shows(rf"^✅ Deactivated @spam{world.suffix} · #1(?!.)", within=20)
    assert done.mentions == {world["bo"].mxid}
    last = f"✅ Done: deactivate @spam{world.suffix} · #1\nbo asked, cy approved"
    await room.wait(
        lambda said: said.edits == card.id and said.text.startswith(last),
        "the card's last edit",
    )
    assert set(await sent_by_bot(world)) == {SEALED}


async def test_a_file_that_was_posted_encrypted_is_purged_as_a_reply(
    world: World, room: SealedChat
) -> None:
    if world.server.version.startswith("0.9"):
        pytest.skip("0.9 has no media commands")
    mxc = await world["bo"].upload(b"only the room can read this", "", "application/octet-stream")
    key = {"alg": "A256CTR", "k": "a" * 43, "key_ops": ["decrypt"], "kty": "oct", "ext": True}
    file = {"url": mxc, "v": "v2", "key": key, "iv": "a" * 22, "hashes": {"sha256": "a" * 43}}
    posted = await room.person.send(
        world.ops_room, {"msgtype": "m.image", "body": "spam.png", "file": file}
    )
    reply = {"m.in_reply_to": {"event_id": posted}}
    await room.say("!purge reason illegal", **{"m.relates_to": reply})
    card = await room.shows("^✋ bo asks: purge 1 file · #", within=20)
    assert f" by {world['bo'].mxid}\n" in card.text
    assert "File: “spam.png”, " in card.text
    assert mxc in card.text
    await world["cy"].react(world.ops_room, card.id, "✅")
    await room.shows(r"^✅ Purged 1 file · #\d+\nI checked that it is gone\.", within=20)


async def test_a_late_key_is_waited_for_in_order(world: World, room: SealedChat) -> None:
    late = await room.person.say_without_key(world.ops_room, "!can adduser alice")
    await room.client.react(world.ops_room, late, "👀")
    await room.never(lambda said: said.reply_to == late, "an answer to what cannot be read")
    behind = await room.say("!can adduser bob")
    await room.person.give_key()
    assert (await room.answer_to(late)).text.startswith("📋 Yes")
    await room.answer_to(behind)
    order = [said.reply_to for said in room.said if said.reply_to in (late, behind)]
    assert order == [late, behind]


async def test_questions_and_edits_work_encrypted(world: World, room: SealedChat) -> None:
    command = await room.say("!adduser")
    question = await room.answer_to(command)
    assert question.text.startswith("❓ Which name?")
    reply = {"m.relates_to": {"m.in_reply_to": {"event_id": question.id}}}
    await room.say("al", **reply)
    await room.shows("^⛔ Not allowed ")
    wrong = await room.say(f"!deactivte {world['eve'].mxid} reason casino")
    assert (await room.answer_to(wrong)).text.startswith("❓ No command “deactivte”.")
    new = {"msgtype": "m.text", "body": "!can adduser alice"}
    relation = {"rel_type": "m.replace", "event_id": wrong}
    await room.say("* !can …", **{"m.new_content": new, "m.relates_to": relation})
    await room.shows("^📋 Yes")


async def test_a_key_that_never_comes_is_told_after_a_minute(
    world: World, room: SealedChat, tmp_path: Path
) -> None:
    lost = await room.person.say_without_key(world.ops_room, "!can adduser alice")
    await room.never(lambda said: said.reply_to == lost, "an answer before the key could come")
    (tmp_path / "clock").write_text("70")
    answer = await room.answer_to(lost)
    assert answer.text.split("\n") == [
        "⛔ Not run: I could not read your message, its key did not come.",
        "Send it again. If that fails too, send it from another app or device.",
        "In Element on a computer this helps first: /discardsession",
    ]
    room.person.discard(world.ops_room)
    assert (await room.ask("!can adduser alice")).text.startswith("📋 Yes")


async def test_a_password_goes_into_an_encrypted_room_that_can_be_read_later(
    world: World, room: SealedChat, bot: Bot
) -> None:
    name = f"alice{world.suffix}"
    answer = await room.ask(f"!adduser {name}", within=20)
    assert answer.text.startswith(f"✅ New account @{name}\n")
    assert "bo, the password waits in our private room." in answer.text
    private = await room.person.private(world.bot_account.mxid)
    said = await private.shows(f"^🔑 New account @{name}:")
    password = re.search(r"Password: (\S+)", said.text)
    assert password is not None
    assert (await world.server.login(name, password[1])).mxid == f"@{name}:{world.server.name}"
    raw = await world["bo"].event(private.room, said.id)
    assert raw["type"] == SEALED
    assert not re.search(password[1], room.transcript())

    await bot.restart()  # a tap still counts
    await world["bo"].react(private.room, said.id, "✅")

    async def removed() -> bool:
        return not (await world["bo"].event(private.room, said.id))["content"]

    await eventually(removed, "the password is removed", within=20)


async def test_without_crypto_it_says_so_in_clear_and_answers_nothing(
    world: World, bo: Person, tmp_path: Path
) -> None:
    room = await bo.chat(world.ops_room)
    bot = await world.start_bot(tmp_path / "bot")
    said = await room.shows("^❗ I cannot read this room", within=20)
    assert said.text.split("\n") == [
        "❗ I cannot read this room, it is encrypted.",
        "Commands typed here do nothing. Owners: set up encryption for the bot in maubot, or use "
        "an ops room without encryption.",
    ]
    assert said.mentions == {world["ana"].mxid, world["dan"].mxid}
    silent = [await room.say("!users"), await bo.client.say(world.ops_room, "!users")]
    await bot.restart()
    await room.never(
        lambda other: other.sender == world.bot_account.mxid and other.id != said.id,
        "more than that one message",
    )
    assert not [each for each in room.said if each.reply_to in silent]


async def test_encryption_that_is_switched_on_later_is_told_at_once(
    server: Homeserver, tmp_path: Path
) -> None:
    world = await World.create(server, f"-sealed{next(_numbers)}")
    try:
        room = await world.ops("ana")
        await world.start_bot(tmp_path / "bot")
        await room.shows("is ready", within=20)
        sealed = {"algorithm": "m.megolm.v1.aes-sha2"}
        await world["ana"].set_state(world.ops_room, "m.room.encryption", sealed)
        await room.shows("^❗ I cannot read this room, it is encrypted")
    finally:
        await world.end()


async def test_under_a_full_maubot_a_new_key_of_an_absence_is_lost_and_that_is_told(
    world: World, bo: Person, package: Path, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """maubot drops what its first sync after a start brings, and the room keys in it."""
    (clock := tmp_path / "clock").write_text("0")
    env = {"PYTHONPATH": str(CLOCK), "SLUICE_TEST_CLOCK": str(clock)}
    maubot = FullMaubot(tmp_path / "maubot", http, env=env)
    await maubot.start()
    room = await bo.chat(world.ops_room)
    await maubot.install(package, world.bot_account, world.policy())
    await room.shows("is ready", within=20)
    assert (await room.ask("!can adduser alice", within=20)).text.startswith("📋 Yes")
    await maubot.process.stop(grace=20)
    known_key = await room.say("!can adduser bob")
    bo.discard(world.ops_room)
    lost_key = await room.say("!can adduser carl")
    await maubot.start()
    assert (await room.answer_to(known_key, within=20)).text.startswith("📋 Yes")
    await room.never(lambda said: said.reply_to == lost_key, "an answer to what cannot be read")
    clock.write_text("70")
    answer = await room.answer_to(lost_key)
    assert answer.text.startswith(
        "⛔ Not run: I could not read your message, its key did not come."
    )
    bo.discard(world.ops_room)
    assert (await room.ask("!can adduser carl")).text.startswith("📋 Yes")
    await maubot.stop()
