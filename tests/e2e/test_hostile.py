"""A user who makes answers that kill Conduit's handler: moderators may type what they like.

On a real Conduit only (Synapse takes no file name that long), and on one of its own, because the
rooms stay. The policy is the shipped example.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from lab.chat import Said
from lab.client import Client
from lab.homeserver import homeserver
from lab.world import World
from sluice.catalog import table
from tests.e2e.office import Office

LONG = 33_000  # bytes of a file name, with which an answer is too large for an event
MANY = 1_150  # rooms, with which the list of rooms is


@pytest.fixture
async def hostile(tmp_path: Path, http: aiohttp.ClientSession) -> AsyncIterator[World]:
    server = homeserver(tmp_path / "hostile", http)
    if server.double:
        pytest.skip("Synapse takes no file name of 33,000 bytes")
    await server.start()
    world = await World.create(server)
    yield world
    await world.end()
    await server.stop()


async def _office(world: World, folder: Path) -> Office:
    return await Office.open(world, folder, Path("base-config.yaml").read_text())


async def _makes_rooms(who: Client, count: int) -> None:
    numbers = itertools.count(1)

    async def some() -> None:
        while (n := next(numbers)) <= count:
            await who.create_room(name=f"a room with a name of some length, number {n}")

    await asyncio.gather(*(some() for _ in range(8)))


def _typed(eve: Client, mxc: str, room: str, event: str) -> dict[str, list[str]]:
    """All that a moderator of the example may ask about somebody, by the name of the command."""
    return {
        "users": ["users", "users eve", "users --file"],
        "rooms": ["rooms", "rooms length", "list-rooms"],
        "registration": ["registration"],
        "config": ["config"],
        "memory": ["memory"],
        "federation": ["federation"],
        "appservices": ["appservices"],
        "help.server": ["help server", "help server list-media"],
        "media": ["media", f"media {eve.mxid}", f"media {eve.server}", "media image since 1d"],
        "mediainfo": [f"mediainfo {mxc}"],
        "blocked": ["blocked"],
        "event": [f"event {event}"],
        "who": [f"who {eve.mxid}"],
        "adduser": ["adduser someone-new"],
        "resetpw": [f"resetpw {eve.mxid}"],
        "disableroom": [f"disableroom {room} reason films"],
        "enableroom": [f"enableroom {room}"],
        "purge": [f"purge {mxc} reason illegal"],
        "deactivate": [f"deactivate {eve.mxid} --leave-rooms --purge-media reason all of it"],
    }


async def _word_to(office: Office, command: str) -> Said:
    """A reply, or a card."""
    return await office.room.wait(
        lambda said: said.reply_to == command or (said.text[:1] == "✋" and not said.edits),
        "an answer or a card",
        after=command,
        within=60,
    )


async def _end_behind(office: Office, card: Said) -> None:
    number = re.findall(r"· #(\d+)$", card.text, re.M)[0]
    end = re.compile(rf"^(✅|❌|❗) .* · #{number}(?!.)")
    await office.room.wait(
        lambda said: bool(end.match(said.text)) and not said.edits,
        "how it ended",
        after=card.id,
        within=120,
    )


async def _is_alive(office: Office) -> bool:
    """Whether Conduit answers: cy asks, because bo may have asked enough."""
    return (await office.asks("cy", "!memory", within=60)).text.startswith("📋")


async def test_no_command_of_a_moderator_kills_the_handler(hostile: World, tmp_path: Path) -> None:
    """Nobody taps ✅ on a question; cards are approved."""
    office = await _office(hostile, tmp_path / "bot")
    eve = await office.account("eve")
    long = 100 if hostile.server.version.startswith("0.9") else LONG  # 0.9 refuses to store it
    mxc = await eve.upload(b"x" * 100, "n" * long, "image/png")
    room = await eve.create_room(name="films")
    await _makes_rooms(eve, MANY)
    typed = _typed(eve, mxc, room, await eve.say(room, "hello"))
    looking = table.in_group("#read") | table.in_group("#inspect")
    assert looking <= typed.keys(), "a command of a moderator is missing here"
    for line in itertools.chain(*typed.values()):
        said = await _word_to(office, await office.says("bo", f"!{line}"))
        if said.text.startswith("✋"):
            await office.taps("cy", said)
            await _end_behind(office, said)
        assert await _is_alive(office), f"{line}:\n{office.admin.transcript()}"


async def test_what_is_asked_would_have_killed_it(hostile: World, tmp_path: Path) -> None:
    """The danger is real: somebody taps ✅, and Conduit does not answer any more."""
    if hostile.server.version.startswith("0.9"):
        pytest.skip("0.9 has no media commands")
    office = await _office(hostile, tmp_path / "bot")
    eve = await office.account("eve")
    await eve.upload(b"x" * 100, "n" * LONG, "image/png")
    said = await office.asks("bo", f"!media {eve.mxid}")
    assert said.text.startswith("❓ Look at files? Tap ✅ (I ask once a day)."), said.text
    await office.taps("bo", said)
    line = await office.admin.wait(lambda said: "list-media" in said.text, "the line")
    server = hostile.server
    await server.ana.say(server.admin_room, f"{server.server_user}: memory-usage")
    await asyncio.sleep(4)
    assert not await _answers(office, after=line.id), office.admin.transcript()


async def _answers(office: Office, after: str) -> list[str]:
    """What the server user said in the admin room behind this event."""
    await office.admin.read()
    at = [said.id for said in office.admin.said].index(after)
    server = office.world.server.server_user
    return [said.text for said in office.admin.said[at:] if said.sender == server]
