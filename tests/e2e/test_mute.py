"""A room where the bot cannot speak, on a real homeserver: muted by a moderator, its encryption
emptied from outside, without the power to react; and break-glass in a second ops room."""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab.chat import Chat, eventually
from lab.homeserver import Homeserver
from lab.world import World
from tests.e2e.office import POLICY, NewDatabase, Office
from tests.e2e.sealed import SEALED, Person

_numbers = itertools.count(1)
MEGOLM = "m.megolm.v1.aes-sha2"


@pytest.fixture
async def office(
    server: Homeserver, new_database: NewDatabase, tmp_path: Path
) -> AsyncIterator[Office]:
    """With a second ops room, of dan and cy, who told its id to the policy."""
    world = await World.create(server, f"-mute{next(_numbers)}")
    world.database = await new_database()
    bot = world.bot_account
    second = await world["dan"].create_room(bot.mxid, world["cy"].mxid, name="Second ops room")
    for client in (bot, world["cy"]):
        await client.join(second)
    text = POLICY.replace('"!opsroom:example.org"', f'"!opsroom:example.org", "{second}"')
    made = await Office.open(world, tmp_path / "bot", text)
    made.second = await Chat.open(world["dan"], second)  # type: ignore[attr-defined]
    yield made
    if made.world.bot:
        print(f"--- {made.room.transcript()}\n--- bot\n{made.world.bot.process.tail(20_000)}")
    await world.end()


def second_of(office: Office) -> Chat:
    chat: Chat = office.second  # type: ignore[attr-defined]
    return chat


async def test_a_muted_bot_runs_nothing_tells_another_room_and_says_later_what_it_held_back(
    office: Office,
) -> None:
    world, room = office.world, office.world.ops_room
    spam, other = await office.account(), await office.account()
    card = await office.card("bo", f"!deactivate {other.mxid} reason casino")
    await world["ana"].set_power(room, office.bot.mxid, -1)
    glass = await office.says("ana", f"!glass deactivate {spam.mxid} reason it is spreading")
    await office.taps("cy", card)  # held, although it has all its votes
    told = await second_of(office).shows("I cannot write in this room")
    assert "My power is -1, “Send messages” needs 0" in told.text
    assert room in told.text
    assert told.mentions == {world["dan"].mxid}
    status = await second_of(office).answer_to(
        await world["dan"].say(second_of(office).room, "!status")
    )
    assert "My power is -1, “Send messages” needs 0" in status.text, status.text
    answer = await second_of(office).answer_to(
        await world["dan"].say(second_of(office).room, "!registration")
    )
    assert "Registration" in answer.text, "other rooms go on"
    await office.removes("ana", glass)
    assert await office.lines(spam.localpart) == []
    assert await office.lines(other.localpart) == []

    await world["ana"].set_power(room, office.bot.mxid, 0)
    held = await office.shows("^🔔 Since .* I could not write here. Held back:")
    unheard = await office.shows("^⛔ Not run: the command typed here while I could not write")
    assert unheard.mentions == {world["ana"].mxid}
    done = await office.done(card)
    places = [office.room.said.index(said) for said in (held, unheard, done)]
    assert places == sorted(places), office.room.transcript()
    await office.ran_once(other)
    assert await office.lines(spam.localpart) == []
    assert await office.is_open(spam)


async def test_a_bot_that_is_muted_between_the_last_vote_and_the_line_waits(
    office: Office,
) -> None:
    world = office.world
    spam = await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    await office.says("dan", "!pause")
    await office.shows("Paused by dan")
    await office.taps("cy", card)
    await office.says_of(card, "\nApproved by cy, waits: paused")
    await world["ana"].set_power(world.ops_room, office.bot.mxid, -1)
    second = second_of(office)
    await world["dan"].say(second.room, "!resume")
    await second.shows("Resumed by dan")
    await second.answer_to(await world["dan"].say(second.room, "!registration"))
    assert await office.lines(spam.localpart) == []
    await world["ana"].set_power(world.ops_room, office.bot.mxid, 0)
    await office.done(card)
    await office.ran_once(spam)


async def test_where_nobody_may_react_the_card_says_what_to_type(office: Office) -> None:
    world, room = office.world, office.world.ops_room
    levels = await world["ana"].state(room, "m.room.power_levels")
    events = {**levels.get("events", {}), "m.reaction": 100}
    await world["ana"].set_state(room, "m.room.power_levels", {**levels, "events": events})
    spam = await office.account()
    card = await office.card("bo", f"!deactivate {spam.mxid} reason casino")
    last = card.said.text.splitlines()[-1]
    assert last.endswith(f"with !approve {card.number} or !deny {card.number} why"), last
    status = await office.asks("ana", "!status")
    assert "I cannot react in this room" in status.text, status.text
    assert "Not everybody can tap" in status.text, status.text
    await office.says("cy", f"!approve {card.number}")
    await office.done(card)
    await office.ran_once(spam)


async def test_break_glass_in_the_second_room_is_told_and_reviewed_in_the_first(
    office: Office,
) -> None:
    world, second = office.world, second_of(office)
    spam = await office.account()
    line = f"!glass deactivate {spam.mxid} reason it is spreading"
    await world["dan"].say(second.room, line)
    told = await office.shows("^❗ Break-glass: ")
    assert world["ana"].mxid in told.mentions
    assert f"It was in {second.room}" in told.text
    await second.shows("^❗ Break-glass: ")
    await second.shows(r"^✅ Deactivated .* · #1\b")
    await office.ran_once(spam)
    await office.taps("ana", told)  # who reviews is not in the second room
    number = re.search(r"#(\d+)", told.text)
    assert number
    await second.wait(
        lambda said: bool(said.edits) and "ana says it was right" in said.text,
        "the review in the second room",
    )


@pytest.fixture
async def sealed(
    server: Homeserver, new_database: NewDatabase, tmp_path: Path
) -> AsyncIterator[tuple[World, Person]]:
    world = await World.create(server, f"-emptied{next(_numbers)}", encrypted=True)
    world.database = await new_database()
    ana = await Person.open(world["ana"], tmp_path / "ana")
    await world.start_bot(tmp_path / "bot", crypto=True)
    yield world, ana
    if world.bot:
        print(f"--- bot\n{world.bot.process.tail(20_000)}")
    await ana.close()
    await world.end()


async def test_a_room_whose_encryption_is_emptied_from_outside_stays_encrypted(
    server: Homeserver, sealed: tuple[World, Person]
) -> None:
    if server.double:
        pytest.skip("only a Conduit carries out a redaction from another room")
    world, ana = sealed
    room = await ana.chat(world.ops_room)
    await room.ask("!can adduser alice", within=20)
    all_of_it = await Chat.from_the_start(world["eve"], world.ops_room)
    [event] = [each for each in all_of_it.said if each.kind == "m.room.encryption"]
    own = await world["eve"].create_room(name="somewhere else")
    await world["eve"].redact(own, event.id)

    async def emptied() -> bool:
        return await world["ana"].state(world.ops_room, "m.room.encryption") == {}

    await eventually(emptied, "the encryption is emptied")
    newcomer = await server.account(f"new{world.suffix}")
    await world["ana"].invite(world.ops_room, newcomer.mxid)  # the next message needs a session
    await newcomer.join(world.ops_room)
    asked = await room.say("!can adduser bob")
    answer = await room.answer_to(asked, within=20)
    assert answer.text.startswith("📋 Yes")
    alarm = await room.shows("Somebody erased this room's encryption setting", within=20)
    assert world["ana"].mxid in alarm.mentions
    said = await Chat.from_the_start(world["ana"], world.ops_room)
    mine = [each for each in said.said if each.sender == world.bot_account.mxid]
    kinds = {each.kind for each in mine if each.kind in ("m.room.message", SEALED)}
    assert kinds == {SEALED}
    assert world.bot is not None
    await world.bot.restart()
    asked = await room.say("!can adduser carl")
    assert (await room.answer_to(asked, within=30)).text.startswith("📋 Yes")
