"""Whoever else holds the bot's account or its database: a person with its token, a second Sluice,
a copy of the database, one that was restored, two processes on one database."""

from __future__ import annotations

import re
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from lab.bot import Bot
from lab.chat import Said, eventually
from lab.client import V3
from lab.world import World
from tests.e2e.office import POLICY, Office

ALARM = "^❗ Somebody else uses my account"


@pytest.fixture
async def office(world: World, tmp_path: Path) -> Office:
    return await Office.open(world, tmp_path / "bot")


def second(office: Office, folder: Path, database: str = "") -> Bot:
    """Another Sluice on the same account."""
    policy = office.world.policy(POLICY)
    return Bot(folder, office.world.bot_account, policy, database=database)


async def starts(bot: Bot) -> None:
    await bot.start(wait=False)
    await bot.process.logs("running forever")


async def stopped_everything(office: Office, *, word: str) -> None:
    """Nothing that changes something runs, `status` says why first, an owner ends it."""
    alarm = await office.shows(ALARM)
    assert office.world["ana"].mxid in alarm.mentions, "the owners are pushed"
    refused = await office.asks("bo", f"!adduser {word}{office.world.suffix}")
    assert "somebody else uses my account" in refused.text, refused.text
    shown = await office.asks("bo", "!status")
    assert re.search(r"^1\. Somebody else uses my account", shown.text, re.M), shown.text
    assert await office.lines("create-user", f"{word}{office.world.suffix}") == []


async def goes_on(office: Office, word: str) -> None:
    await office.says("ana", "!resume")
    await office.shows("^🔔 Resumed")
    made = await office.asks("bo", f"!adduser {word}{office.world.suffix}")
    assert made.text.startswith(f"✅ New account @{word}{office.world.suffix}\n"), made.text
    shown = await office.asks("bo", "!status")
    assert "Somebody else" not in shown.text, shown.text


async def writes(office: Office, what: str) -> None:
    """A person who has the bot's token."""
    world, thief = office.world, office.world.bot_account
    if what == "a command in the admin room":
        await thief.say(world.server.admin_room, f"@conduit:{world.server.name}: --version")
    elif what == "our own mark":
        room = await office.room.wait(
            lambda said: "org.sluicebot.out" in said.content, "a message of the bot", after=""
        )
        await thief.send(world.ops_room, {**room.content, "body": "🔔 all is well"})
    elif what == "the nonce of a line":
        await office.asks("bo", "!registration")
        await office.admin.read()
        lines = [said for said in office.admin.said if "org.sluicebot.line" in said.content]
        mark = lines[-1].content["org.sluicebot.line"].partition("/")[0]
        body = f"@conduit:{world.server.name}: --version"
        content = {"msgtype": "m.text", "body": body, "org.sluicebot.line": f"{mark}/99.1"}
        await thief.send(world.server.admin_room, content)
    elif what == "a message in the ops room":
        await thief.say(world.ops_room, "🔔 Paused by ana.")
    elif what == "a message in a private room":
        await office.asks("bo", f"!adduser first{world.suffix}")
        private = await world.private("bo")
        await thief.say(private.room, "🔑 sign in here: https://evil.example")
    elif what == "a tap":
        event = await office.says("eve", "hello")
        await thief.react(world.ops_room, event, "✅")
    elif what == "an encrypted event":
        content = {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x", "session_id": "y"}
        await thief.send(world.ops_room, content, "m.room.encrypted")
    else:
        await world["ana"].set_power(world.ops_room, thief.mxid, 100)
        if what == "power levels":
            await thief.set_power(world.ops_room, world["eve"].mxid, 50)
        else:
            await thief.kick(world.ops_room, world["eve"].mxid)


@pytest.mark.parametrize(
    "what",
    [
        "a command in the admin room",
        "our own mark",
        "the nonce of a line",
        "a message in the ops room",
        "a message in a private room",
        "a tap",
        "an encrypted event",
        "power levels",
        "a kick",
    ],
)
async def test_a_person_with_the_token_is_an_alarm_and_a_pause(office: Office, what: str) -> None:
    await writes(office, what)
    await stopped_everything(office, word="no")
    await goes_on(office, "yes")
    kinds = await stored(office.bot, "SELECT kind FROM sluice_audit")
    assert kinds.count(("foreign",)) == 1
    log = await office.asks("ana", "!log")
    assert "somebody else used my account" in log.text, log.text


async def test_what_is_written_by_a_thief_is_never_shown(office: Office) -> None:
    world = office.world
    await world.bot_account.say(world.server.admin_room, "backdoor-4711")
    await stopped_everything(office, word="no")
    told = [said.text for said in office.room.said if said.sender == office.bot.mxid]
    assert not any("4711" in text for text in told)
    assert "4711" not in str(await stored(office.bot, "SELECT * FROM sluice_audit"))


async def test_own_joins_names_and_redactions_are_no_alarm(office: Office) -> None:
    world, bot = office.world, office.world.bot_account
    await bot.call("PUT", f"{V3}/profile/{bot.mxid}/displayname", {"displayname": "Sluice"})
    said = await office.asks("bo", "!registration")
    await bot.redact(world.ops_room, said.id)
    await office.quiet()
    assert not [said for said in office.room.said if re.match(ALARM, said.text)]


async def test_two_instances_on_one_account(office: Office, tmp_path: Path) -> None:
    """Each with its own database, as full maubot has it."""
    other = second(office, tmp_path / "other")
    await starts(other)
    try:
        await office.says("bo", "!registration")
        await office.shows(ALARM)
        account = f"twice{office.world.suffix}"
        await office.says("bo", f"!adduser {account}")
        await eventually(lambda: both_paused(office.bot, other), "both have paused")
        await office.says("bo", f"!adduser {account}")
        await office.says("ana", "!resume")
        await eventually(lambda: both_paused(office.bot, other), "both have paused again")
    finally:
        await other.stop()
    await goes_on(office, "alone")


async def both_paused(*bots: Bot) -> bool:
    query = "SELECT value FROM sluice_meta WHERE key='pause'"
    return all(["Sluice itself" in str(await stored(bot, query)) for bot in bots])


async def stored(bot: Bot, query: str) -> list[tuple[Any, ...]]:
    """Reads the database of a bot that runs."""
    if bot.database.startswith("sqlite:"):
        return bot.rows(query)
    connection = await asyncpg.connect(bot.database)
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def test_a_copy_of_the_database_that_runs_elsewhere(office: Office, tmp_path: Path) -> None:
    await office.asks("bo", "!registration")
    copy(office.bot, tmp_path / "copy.db")
    other = second(office, tmp_path / "other", f"sqlite:{tmp_path / 'copy.db'}")
    await starts(other)
    try:
        await office.says("bo", "!registration")
        await office.shows(ALARM)
    finally:
        await other.stop()


def copy(bot: Bot, to: Path) -> None:
    """As `.backup` makes it."""
    if not bot.database.startswith("sqlite:"):
        pytest.skip("a backup of SQLite")
    path = bot.database.removeprefix("sqlite:")
    with sqlite3.connect(path) as source, sqlite3.connect(to) as target:
        source.backup(target)


async def test_two_processes_on_one_database(office: Office, tmp_path: Path) -> None:
    """The second does nothing at all until the first is gone, and then goes on at once."""
    waiting = second(office, tmp_path / "waiting", office.bot.database)
    await starts(waiting)
    await waiting.process.logs("Another process works on this database")
    made = await office.asks("bo", f"!adduser one{office.world.suffix}")
    assert made.text.startswith(f"✅ New account @one{office.world.suffix}\n"), made.text
    await office.quiet()
    assert len(await office.lines("create-user", f"one{office.world.suffix}")) == 1
    assert "Sluice is ready" not in waiting.log
    await office.bot.kill()
    try:
        await waiting.process.logs("Sluice is ready", 5)
        made = await office.asks("bo", f"!adduser two{office.world.suffix}")
        assert made.text.startswith(f"✅ New account @two{office.world.suffix}\n"), made.text
        assert not [said for said in office.room.said if re.match(ALARM, said.text)]
    finally:
        await waiting.stop()


async def test_a_stop_lets_the_next_one_in(office: Office) -> None:
    await office.bot.restart()
    await office.quiet()
    assert "Another process" not in office.bot.log
    await office.bot.kill()
    await office.bot.start()
    await office.quiet()
    assert "Another process" not in office.bot.log
    assert not [said for said in office.room.said if re.match(ALARM, said.text)]


async def card_number(office: Office, line: str) -> tuple[int, Said]:
    card = await office.card("bo", line)
    return card.number, card.said


async def test_a_restored_database(office: Office, tmp_path: Path) -> None:
    world = office.world
    spam, other = await office.account(), await office.account()
    known, _ = await card_number(office, f"!deactivate {spam.mxid} reason spam")
    await office.bot.stop()
    copy(office.bot, tmp_path / "backup.db")
    await office.bot.start()
    lost, card = await card_number(office, f"!deactivate {other.mxid} reason spam")
    done = await office.asks("bo", f"!adduser after{world.suffix}")
    assert done.text.startswith("✅"), done.text
    await office.bot.stop()
    for file in office.bot.folder.glob("bot.db*"):
        file.unlink()
    shutil.copy(tmp_path / "backup.db", office.bot.folder / "bot.db")
    await office.bot.start()
    said = await office.shows("^❗ My database was restored from a backup")
    first = int(re.findall(r"#(\d+)", said.text)[-1])
    assert first > lost
    await office.room.wait(
        lambda told: told.edits == card.id and "Gone" in told.text, "the card is marked"
    )
    third = await office.account()
    number, _ = await card_number(office, f"!deactivate {third.mxid} reason spam")
    assert number >= first > lost > known
    assert not [told for told in office.room.said if re.match(ALARM, told.text)]
    await office.says("dan", f"!approve {lost}")
    await office.never_ran(other)
    await office.bot.restart()
    await office.quiet()
    again = [told for told in office.room.said if "was restored from a backup" in told.text]
    assert len(again) == 1, "said once"


async def test_somebody_who_wrote_while_it_was_down(office: Office) -> None:
    await office.bot.stop()
    await office.world.bot_account.say(office.world.ops_room, "I am the bot")
    await office.bot.start()
    alarm = await office.shows(ALARM)
    assert "while I was not running" in alarm.text
    await goes_on(office, "later")
    await office.bot.restart()
    await office.quiet()
    told = [said for said in office.room.said if re.match(ALARM, said.text)]
    assert len(told) == 1


async def test_an_upgrade_knows_nothing_of_its_own_past(office: Office) -> None:
    """A database of the version before: nothing that it wrote is somebody else's."""
    await office.asks("bo", "!registration")
    await office.bot.stop()
    if not office.bot.database.startswith("sqlite:"):
        pytest.skip("changes the file")
    # What that version wrote and did not read before its end.
    await office.world.bot_account.say(office.world.ops_room, "🔔 of the old version")
    with sqlite3.connect(office.bot.database.removeprefix("sqlite:")) as database:
        database.execute("DELETE FROM sluice_sent")
        database.execute("DELETE FROM sluice_meta WHERE key LIKE 'account%'")
    await office.bot.start()
    await office.quiet()
    assert not [said for said in office.room.said if said.text.startswith("❗")]


async def test_a_dead_token_is_in_the_log_with_its_remedy(office: Office) -> None:
    account = office.world.bot_account
    fresh = await office.world.server.login(account.localpart, account.password)
    await account.call("POST", f"{V3}/logout", {})
    try:
        await office.bot.process.logs(
            "restart the instance: a running one keeps the old token", 20
        )
        await office.bot.process.logs("401")
        assert office.bot.log.count("does not know my access token any more") == 1
    finally:
        office.world.bot_account = fresh
