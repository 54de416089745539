"""A window of open registration: it closes by itself, whoever restarts meanwhile, and says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from lab.client import Refused
from lab.homeserver import Homeserver
from tests.e2e.catalog import House, open_house, shows


@pytest.fixture(scope="module")
async def house(
    server: Homeserver, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    async with open_house(server, tmp_path_factory.mktemp("registration"), "-reg") as house:
        yield house
    await server.opens_at_start(True)
    await server.restart()


async def may_register(house: House, name: str) -> bool:
    try:
        await house.server.newcomer(house.name(name))
    except Refused:
        return False
    return True


async def test_a_window_closes_itself_and_tells_who_came(house: House) -> None:
    said = await house.asks("ana", "!registration on for 3s")
    shows(said.text, "^✅ Registration is on until .* UTC$", "Off: !registration off")
    shows(
        await house.does("!registration", "bo"), r"^📋 Registration is on until .* \(ana, #\d+\)"
    )
    assert await may_register(house, "leo")
    over = await house.room.wait(
        lambda s: s.text.startswith("🔔 Registration is off again"), "its end", after=said.id
    )
    shows(over.text, "ana's 3 seconds? are over", f"^New accounts meanwhile: {house.name('leo')}$")
    shows(over.text, r"^After a restart of Conduit it is on again \(config file\)\.$")
    assert not await may_register(house, "late")
    shows(await house.does("!registration"), "^📋 Registration is off", "on again .config file")
    rows = house.bot.rows("SELECT record FROM sluice_audit ORDER BY seq DESC LIMIT 8")
    timers = [record for (record,) in rows if '"by":"timer"' in record.replace(" ", "")]
    assert len(timers) == 2, "an INTENT and an OUTCOME"


async def test_a_window_closes_although_the_bot_was_away_at_its_end(house: House) -> None:
    said = await house.asks("ana", "!registration on for 5s")
    await house.bot.stop()
    try:  # the next test needs it too
        await asyncio.sleep(5)
        assert await may_register(house, "mia"), "nobody was there to close it"
    finally:
        await house.bot.start()
    await house.room.wait(
        lambda s: s.text.startswith("🔔 Registration is off again"), "its end", after=said.id
    )
    assert not await may_register(house, "late2")


async def test_a_window_closes_although_conduit_opened_it_again_at_a_restart(house: House) -> None:
    said = await house.asks("ana", "!registration on for 6s")
    await house.server.restart()
    await house.room.wait(
        lambda s: s.text.startswith("🔔 Registration is off again"),
        "its end",
        after=said.id,
        within=20,
    )
    assert not await may_register(house, "late3")


async def test_what_was_closed_and_a_restart_opens_wakes_the_owners(house: House) -> None:
    said = await house.asks("ana", "!registration off")
    shows(said.text, "^✅ Registration is off")
    await house.server.restart()
    alarm = await house.room.wait(
        lambda s: s.text.startswith("❗ Registration is on again: anyone can make an account."),
        "the alarm",
        within=30,
        after=said.id,
    )
    shows(alarm.text, "ana had switched it off. Conduit restarted: its config file opens it.")
    assert house.server.ana.mxid in alarm.mentions
    assert await may_register(house, "early")
    shows(await house.does("!registration off"), "^✅ Registration is off")


async def test_a_window_that_a_restart_closes_is_told_and_not_opened_again(house: House) -> None:
    await house.server.opens_at_start(False)
    said = await house.asks("ana", "!registration on for 1h")
    await house.server.restart()
    told = await house.room.wait(
        lambda s: s.text.startswith("🔔 Conduit restarted: registration is off again"),
        "that it is off",
        after=said.id,
        within=20,
    )
    shows(told.text, "as in its config file", "I do not open it by myself. 60 minutes|1 hour")
    assert not await may_register(house, "late4")
    text = await house.does("!registration on")
    shows(
        text,
        "^✅ Registration is on until somebody switches it off",
        "After a restart of Conduit it is off again",
    )


async def test_off_takes_the_window_away(house: House) -> None:
    await house.does("!registration on for 1h")
    shows(await house.does("!registration off"), "^✅ Registration is off")
    assert house.bot.rows("SELECT * FROM sluice_window") == []
    shows(await house.does("!registration on for a bit"), "^⛔ Not run: “a bit” is no time span")
    assert house.bot.rows("SELECT * FROM sluice_window") == []
    shows(await house.does("!registration off for 1h"), "^⛔ Not run: only “on” takes a time span")
    shows(await house.does("!registration on", "bo"), r"^⛔ Not allowed \(#\d+\): registration")
