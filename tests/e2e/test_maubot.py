"""As people deploy it: the packed plugin in a maubot server, set up and edited over its API."""

from __future__ import annotations

import re
import time
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from lab import mbp
from lab.bot import FullMaubot
from lab.chat import Chat
from lab.proxy import FaultProxy
from lab.world import World
from tests.fake.postgres import another

EXAMPLE = (mbp.ROOT / "base-config.yaml").read_text()
SIGNUP = "- {id: signup, role: mod, do: adduser, "


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What build.sh writes."""
    return mbp.pack(mbp.ROOT, tmp_path_factory.mktemp("package"))


@pytest.fixture
async def maubot(tmp_path: Path, http: aiohttp.ClientSession) -> AsyncIterator[FullMaubot]:
    maubot = FullMaubot(tmp_path / "maubot", http)
    await maubot.start()
    yield maubot
    print(f"--- maubot\n{maubot.process.tail(20_000)}")
    await maubot.stop()


async def set_up(world: World, maubot: FullMaubot, package: Path, policy: str = "") -> Chat:
    """Sluice runs in the ops room, and has said hello there."""
    room = await world.ops("bo")
    started = await maubot.install(package, world.bot_account, policy or world.policy())
    assert started["started"], maubot.process.tail()
    await room.shows("^(🔔 Sluice .*|❗ Sluice) is ready", within=20)
    return room


def rewritten(policy: str) -> str:
    """The same rights as somebody else would write them: comments, order and quotes of theirs."""
    lines = policy.splitlines()
    relay = lines.index("relay:")
    end = next(i for i in range(relay + 1, len(lines)) if not lines[i].startswith(" "))
    moved = lines[relay:end]
    rest = [*lines[:relay], *lines[end:]]
    text = "\n".join(["# our own notes\n", *moved, "", *rest, "# the end, without a line break"])
    text = text.replace("    cy:", "    # cy is on holiday until May\n    'cy':")
    block = "  limit:\n    # two kinds of limits\n"
    return text.replace("  limit:\n", block).replace("do: adduser, per", 'do:   "adduser", per')


async def test_a_new_instance_is_filled_with_the_example_byte_for_byte(
    world: World, maubot: FullMaubot, package: Path
) -> None:
    await maubot.install(package, world.bot_account, "")
    assert (await maubot.instance())["config"] == EXAMPLE
    await maubot.kill()
    await maubot.start()
    assert (await maubot.instance())["config"] == EXAMPLE, "it is stored"


async def test_edits_are_taken_or_refused_as_a_whole_and_no_text_is_rewritten(
    world: World, maubot: FullMaubot, package: Path
) -> None:
    good = world.policy()
    room = await set_up(world, maubot, package, good)
    assert (await maubot.instance())["database_engine"] == "sqlite"

    line = 1 + next(i for i, text in enumerate(good.splitlines()) if SIGNUP in text)
    bad = good.replace("do: adduser, where", "do: adusser, where")
    with pytest.raises(RuntimeError) as refused:
        await maubot.edit(bad)
    shown = f"line {line}: unknown command “adusser”, did you mean “adduser”?"
    assert ": 400 " in str(refused.value)
    assert shown in str(refused.value)
    assert (await maubot.instance())["config"] == good, "a refused text does not stay"
    told = await room.shows("^❗ Policy rejected")
    assert told.text.split("\n") == [
        f"❗ Policy rejected, the old one stays. Line {line}: an error.",
        "unknown command “adusser”, did you mean “adduser”?",
    ]
    with pytest.raises(RuntimeError, match="400"):
        await maubot.edit(bad)  # the same again is no success either
    assert (await room.ask("!can adduser alice")).text.startswith("📋 Yes"), "the old one is live"

    mine = rewritten(good)
    assert mine != good
    await maubot.edit(mine)
    assert (await maubot.instance())["config"] == mine
    await room.shows("^🔔 Policy read: nothing changed")

    narrow = mine.replace(" purge, disableroom, enableroom", " enableroom, 'clearcache'")
    await maubot.edit(narrow)
    answer = await room.ask("!can purge mxc://example.org/abc")  # the very next command
    assert answer.text.startswith("📋 No")
    live = await room.shows("^❗ New policy: ")
    head, *changes = live.text.split("\n")
    assert head.endswith("bo lost 2 commands, bo gained 1, cy lost 2, cy gained 1.") or re.search(
        r"bo lost 2 commands.*cy", head
    ), head
    assert "bo: no longer disableroom, purge; now clearcache" in changes
    assert live.mentions == {world["ana"].mxid, world["dan"].mxid}

    await maubot.kill()
    await maubot.start()
    assert (await maubot.instance())["config"] == narrow
    answer = await room.ask("!can purge mxc://example.org/abc", within=20)
    assert answer.text.startswith("📋 No")


async def test_a_command_typed_while_maubot_restarts_is_answered_once(
    world: World, maubot: FullMaubot, package: Path
) -> None:
    room = await set_up(world, maubot, package)
    begun = time.monotonic()
    status = await maubot.process.stop(grace=20)
    assert time.monotonic() - begun < 8, "nothing hangs when it ends"
    assert status == 0
    command = await room.say(f"!adduser alice{world.suffix}")
    await maubot.start()
    answer = await room.answer_to(command, within=20)
    assert answer.text.startswith(f"✅ New account @alice{world.suffix}\n")
    after = await room.ask("!version", within=20)  # the first live event after the start
    assert after.text.startswith("📋 Sluice 1.")
    assert sum(said.reply_to == command for said in room.said) == 1


async def test_an_instance_that_is_stopped_does_nothing_and_goes_on_when_it_is_started(
    world: World, maubot: FullMaubot, package: Path, proxy: FaultProxy
) -> None:
    direct, world.bot_account.base = world.bot_account.base, proxy.base
    room = await set_up(world, maubot, package)
    world.bot_account.base = direct
    threads = maubot.threads()
    stopped = await maubot.change(started=False)
    assert stopped["started"] is False
    assert maubot.threads() < threads, "its database is closed"
    command = await room.say("!version")
    others = proxy.add("slow", path="^(?!.*/sync$)", seconds=0)
    await room.never(lambda said: said.reply_to == command, "an answer of a stopped bot")
    assert others.hits == 0, "a task of it still talks to the homeserver"
    assert (await maubot.change(started=True))["started"] is True
    assert (await room.answer_to(command, within=20)).text.startswith("📋 Sluice 1.")
    disabled = await maubot.change(enabled=False, started=False)
    assert (disabled["enabled"], disabled["started"]) == (False, False)
    assert (await maubot.change(enabled=True, started=True))["started"] is True
    assert (await room.ask("!version", within=20)).text.startswith("📋 Sluice 1.")
    assert maubot.threads() == threads


async def test_a_second_build_is_uploaded_over_the_first(
    world: World, maubot: FullMaubot, package: Path, tmp_path: Path
) -> None:
    room = await set_up(world, maubot, package)
    await maubot.upload(newer(package, tmp_path / "newer.mbp", "1.0.1"))
    assert (await maubot.instance())["started"] is True
    answer = await room.ask("!version", within=20)
    assert answer.text.startswith("📋 Sluice 1.0.1, ")
    await room.never(
        lambda said: said.reply_to == answer.reply_to and said.id != answer.id,
        "an answer of the first build",
    )


async def test_on_postgresql_it_has_a_schema_of_its_own(
    world: World, package: Path, http: aiohttp.ClientSession, tmp_path: Path, postgres_url: str
) -> None:
    maubot = FullMaubot(tmp_path / "maubot", http, database=await another(postgres_url))
    await maubot.start()
    room = await set_up(world, maubot, package)
    assert (await maubot.instance())["database_engine"] == "postgres"
    await room.ask("!adduser al")
    assert await maubot.process.stop(grace=20) == 0
    await maubot.start()
    why = await room.ask("!why 1", within=20)
    assert why.text.startswith("📋 #1 was not allowed: adduser al")
    assert await maubot.process.stop(grace=20) == 0


async def test_nobody_pulls_the_bot_into_another_room_with_a_tombstone(
    world: World, maubot: FullMaubot, package: Path
) -> None:
    """maubot follows one also with autojoin off, if its sender could have invited there."""
    room = await set_up(world, maubot, package)
    new = await world["ana"].create_room(world["bo"].mxid, world.bot_account.mxid)
    await world["bo"].join(new)
    await room.ask("!version")  # the first sync, which maubot does not look at, is over
    stone = {"body": "upgraded", "replacement_room": new}
    await world["ana"].set_state(world.ops_room, "m.room.tombstone", stone)
    await room.shows("^❗ This room was upgraded, and I stay here.")
    for _ in range(3):  # each rings, by the sync that maubot would have followed
        assert (await room.ask("!version")).text.startswith("📋 Sluice 1.")
        assert new not in await world.bot_account.joined_rooms()
    assert "Following tombstone" not in maubot.process.log.read_text()


def newer(package: Path, target: Path, version: str) -> Path:
    with zipfile.ZipFile(package) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "maubot.yaml":
                data = re.sub(rb"(?m)^version: .*$", f"version: {version}".encode(), data)
            new.writestr(name, data)
    return target
