"""Ops rooms of old and new versions: powers, creators and redactions differ between them.

Up to version 10 a redaction names its event beside the content, from 11 on within it; from 12 on
who made the room stands above all power levels and in no list of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest

from lab.homeserver import Homeserver
from lab.world import World
from tests.e2e.office import POLICY, NewDatabase, Office

WITH_POWER = POLICY.replace("mod: {members: [bo, cy],", "mod: {members: [bo, cy], min_power: 50,")
OWNERS_WITH_POWER = WITH_POWER.replace(
    "owner: {members: [ana, dan],", "owner: {members: [ana, dan], min_power: 90,"
)
_numbers = count(1)


@pytest.fixture(params=["10", "11", "12"])
async def office(
    server: Homeserver,
    new_database: NewDatabase,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> AsyncIterator[Office]:
    version = request.param
    if version == "12" and not server.double and server.version.startswith("0.9"):
        pytest.skip("Conduit 0.9 knows no rooms of version 12")
    suffix = f"-v{version}-{next(_numbers)}"  # of its own also when it is tried again
    world = await World.create(server, suffix, room_version=version)
    world.database = await new_database()
    for name in ("bo", "cy"):
        await world["ana"].set_power(world.ops_room, world[name].mxid, 50)
    yield await Office.open(world, tmp_path / "bot", OWNERS_WITH_POWER)
    await world.end()


async def test_votes_powers_creators_and_redactions_in_rooms_of_every_version(
    office: Office,
) -> None:
    """One story: a homeserver and a bot for each of these sentences would take minutes."""
    world, one, two = office.world, await office.account(), await office.account()
    # ana made the room: 100 in old ones, above all in new ones; dan has the role, not the power
    card = await office.card("bo", f"!deactivateall reason wave\n{one.mxid}")
    assert "an owner (ana)" in card.said.text, card.said.text
    await office.heard_nothing(await office.taps("dan", card))
    tap = await office.taps("cy", card)
    await office.says_of(card, r"1 of 2 votes: cy ✅")
    await office.removes("cy", tap)
    await office.says_of(card, r"\nVote by ")
    await office.taps("cy", card, "👍")
    await office.says_of(card, r"1 of 2 votes: cy ✅")
    await world["ana"].set_power(world.ops_room, world["cy"].mxid, 0)
    await office.says_of(card, r"The vote of cy no longer counts")
    await office.taps("ana", card)
    await office.says_of(card, r"1 of 2 votes: ana ✅")
    assert await office.lines(one.localpart) == []
    await world["ana"].set_power(world.ops_room, world["cy"].mxid, 50)
    await office.done(card)
    await office.ran_once(one)
    # deleted commands and cards
    card = await office.card("bo", f"!deactivate {two.mxid} reason casino")
    await office.removes("bo", card.command)
    await office.says_of(card, card.line("⛔ Not run") + r"\nbo deleted the command")
    card = await office.card("bo", f"!deactivate {two.mxid} reason casino")
    await office.removes("ana", card.id)
    await office.shows(card.not_run(r"the card was deleted"))
    # a kick
    card = await office.card("bo", f"!deactivate {two.mxid} reason casino")
    await world["ana"].kick(world.ops_room, world["bo"].mxid)
    await office.shows(card.not_run(r"bo left this room\."))
    await office.taps("cy", card)
    await office.never_ran(two)
