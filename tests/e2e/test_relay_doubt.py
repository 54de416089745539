"""Where a line of the bot cannot be read as it was sent: removed, sent by another device, or lost
with the server's history. One line, and never a guess.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from pathlib import Path

import pytest

from lab.chat import eventually
from lab.homeserver import Conduit, Homeserver
from lab.proxy import FaultProxy
from lab.world import World
from tests.e2e.relay import Relay


async def removed_at_once(relay: Relay, words: str) -> None:
    """An administrator removes the bot's line as soon as it stands in the room."""
    line = await relay.admin.wait(
        lambda said: said.sender == relay.bot.mxid and words in said.text, f"the line {words}"
    )
    await relay.world.server.ana.redact(relay.world.server.admin_room, line.id)


async def test_a_line_that_is_removed_before_the_bot_reads_it_keeps_its_answer(
    world: World, tmp_path: Path, proxy: FaultProxy
) -> None:
    relay = await Relay.open(world, tmp_path, base=proxy.base)
    room = re.escape(world.server.admin_room)
    for kind in ("slow", "lost"):  # with a response to the sending, and without one
        proxy.add("slow", path=f"{room}/messages$", seconds=2, times=6)
        if kind == "lost":
            proxy.add("lost", path=f"{room}/send/", method="PUT", times=1)
        name = f"removed-{kind}"
        command = await relay.says("bo", f"!adduser {relay.name(name)}")
        await removed_at_once(relay, f"create-user {relay.mxid(name)}")
        said = await relay.room.answer_to(command, within=30)
        proxy.clear()
        assert said.text.startswith(f"✅ New account {relay.mxid(name).partition(':')[0]}\n"), (
            said.text
        )
        assert await relay.signs_in(name, await relay.password("bo", name))
    await relay.quiet()
    assert await relay.sent("create-user") == 2


async def test_a_fence_that_is_removed_before_the_bot_reads_it_holds_nothing_up(
    world: World, tmp_path: Path, proxy: FaultProxy
) -> None:
    relay = await Relay.open(world, tmp_path, base=proxy.base)
    await relay.admin.read()
    room = re.escape(world.server.admin_room)
    last = relay.admin.said[-1].id
    proxy.add("slow", path=f"{room}/messages$", seconds=1, times=6)
    proxy.add("cut", path="/sync$", times=2)  # Conduit may have restarted: a fence follows
    await relay.says("eve", "hello")
    fence = await relay.admin.wait(
        lambda said: said.sender == relay.bot.mxid and "sluice-fence" in said.text,
        "a fence",
        after=last,
    )
    await world.server.ana.redact(world.server.admin_room, fence.id)
    proxy.clear()
    said = await relay.asks("bo", "!memory", within=20)
    assert said.text.startswith("📋")


async def test_a_line_of_another_device_is_not_sent_again(world: World, tmp_path: Path) -> None:
    """The bot dies before its line is sent and is then signed in anew: its txn id would not keep
    the line from running twice, so it says that it does not know."""
    from tests.e2e.test_crash import Mortal

    if world.database:
        pytest.skip("the steps of a death are SQLite's")
    mortal = await Mortal.open(world, tmp_path)
    relay = mortal.relay
    word = mortal.word()
    await mortal.start(word, "before PUT rooms/send/m.room.message #1", holds="clearcache")
    command = await relay.says("bo", "!clearcache db")
    for _ in range(500):
        if not relay.bot.process.running:
            break
        await asyncio.sleep(0.02)
    account = relay.bot.account
    anew = await world.server.login(account.localpart, account.password)
    account.token, account.device = anew.token, anew.device
    await mortal.start(mortal.word())
    said = await relay.room.answer_to(command, within=20)
    assert said.text.startswith("❗ clearcache db: outcome unknown"), said.text
    assert "I was signed in anew" in said.text
    await relay.quiet()
    assert await relay.sent("clear-database-caches") == 0


async def test_the_server_is_restored_from_a_backup_with_a_line_out(
    world: World, tmp_path: Path
) -> None:
    relay = await Relay.open(world, tmp_path / "bot")
    server = world.server
    await relay.admin.read()
    before = relay.admin.said[-1].id
    await server.stop()
    backup = tmp_path / "backup"
    move(server, backup)
    await server.resume()

    async def syncs() -> bool:
        return "Sync error resolved" in relay.bot.log

    await eventually(syncs, "the bot syncs again, and asks with a fence what became of Conduit")
    if server.double:  # a real Conduit says its version elsewhere
        await relay.admin.wait(
            lambda said: said.sender == relay.bot.mxid and said.text.endswith("--version"),
            "and then which version it is",
            after=before,
            within=30,
        )
    said = await relay.asks("bo", "!memory", within=30)
    assert said.text.startswith("📋")
    if server.double:
        await server.double.set(hold=True)
    else:
        for number in range(50):
            await relay.types(f"create-user restored{number}{world.suffix}")
    command = await relay.says("bo", "!clearcache db")
    await relay.admin.wait(
        lambda said: said.sender == relay.bot.mxid and "clear-database" in said.text, "the line"
    )
    await server.stop()
    move(server, backup, back=True)
    with relay.bot.process.asleep():  # the double comes up behind its homeserver
        await server.resume()

    async def both_rooms() -> bool:
        return relay.bot.log.count("timeline replaced") == 2

    relay.room = await relay.whole()
    told = await relay.shows("^❗ The server was restored or replaced", 40)
    assert re.search(r"Outcome unknown: #\d+", told.text), told.text
    result = await relay.shows(r"^❗ clearcache db: outcome unknown", within=20)
    why = ("The homeserver was restored or replaced.", "Conduit restarted or dropped it.")
    assert any(words in result.text for words in why), result.text
    await eventually(both_rooms, "both rooms are read anew")
    relay.admin = await world.admin()
    again = await relay.asks("bo", "!memory", within=30)
    assert again.text.startswith("📋"), again.text
    assert await relay.sent("clear-database-caches") == 0
    assert command
    assert (
        len(
            [
                text
                for text in await relay.results()
                if "server was restored or replaced. Owners" in text
            ]
        )
        == 1
    )


def move(server: Homeserver, backup: Path, *, back: bool = False) -> None:
    """Copies the database of a stopped server, or puts the copy in its place."""
    name = "db" if isinstance(server, Conduit) else "homeserver.db"
    source, target = server.folder / name, backup / name
    for file in server.folder.glob(f"{name}-*") if back else ():
        file.unlink()  # what SQLite keeps beside it
    if back:
        source, target = target, source
    if source.is_dir():
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)
    else:
        target.parent.mkdir(exist_ok=True)
        shutil.copy(source, target)
