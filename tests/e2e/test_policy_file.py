"""The policy in a file of its own, beside maubot standalone: start, `!reload`, safe mode."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path

import pytest

from lab.bot import Bot, FullMaubot
from lab.world import World
from tests.e2e.start import ready
from tests.e2e.test_maubot import maubot, package, set_up

__all__ = ["maubot", "package"]  # fixtures

TEXT = """\
# Who may do what. Ask Ana before you change it.

ops_rooms:
# our one room
- "!opsroom:example.org"

policy:
  people:
    # the owners
    ana: '@ana:example.org'
    dan:   "@dan:example.org"

    bo: "@bo:example.org"   # since May
  roles:
    mod:
      members:
        # nobody else for now
        - bo
    owner:
      inherits: mod
      members: [ana,
                dan]
  allow:
  - role: mod
    do:
      # looks only
      - "#read"

  - {role: owner, do: '*'}
  tests:
  - as: bo
    run: "users"
    expect: allow
# the end: no line break behind it"""
BROKEN = TEXT.replace("- role: mod", "- roll: mod")
LINE = 1 + TEXT.splitlines().index("  - role: mod")
WRONG = f"line {LINE}: unknown key “roll”"


async def test_the_file_is_never_written(world: World, tmp_path: Path) -> None:
    text = world.policy(TEXT)
    bot = await world.start_bot(tmp_path / "bot", text)
    before = bot.policy_file.stat()
    room = await ready(world, "ana")
    assert (await room.ask("!can users")).text.startswith("📋 Yes")
    await room.say("!reload")
    await room.shows("^🔔 Policy read: nothing changed")
    await bot.restart()
    assert (await room.ask("!can users")).text.startswith("📋 Yes")
    assert bot.policy_file.read_text() == text
    assert bot.policy_file.stat().st_mtime_ns == before.st_mtime_ns


async def test_reload_is_for_owners_and_counts_for_the_next_command(
    world: World, bot: Bot
) -> None:
    room, bos = await ready(world, "ana"), await world.ops("bo")
    bot.set_policy(world.policy().replace("purge, disableroom", "purge"))
    answer = await bos.ask("!reload")
    assert answer.text.startswith("⛔ Not allowed (#1): reload is for owners. ana or dan can.")
    assert (await bos.ask("!can disableroom !abc")).text.startswith("📋 Yes")
    command = await room.say("!reload")
    answer = await bos.ask("!can disableroom !abc")
    assert answer.text.startswith("📋 No")
    await room.wait(lambda said: said.reaction == (command, "✅"), "the tick")
    live = await room.shows("^❗ New policy: ")
    assert "bo: no longer disableroom" in live.text.split("\n")
    assert live.mentions == {world["ana"].mxid, world["dan"].mxid}

    bot.set_policy(world.policy().replace("do: adduser, where", "do: adusser, where"))
    await room.say("!reload")
    refused = await room.shows("^❗ Policy rejected, the old one stays. Line 38: an")
    assert "did you mean “adduser”?" in refused.text
    assert (await bos.ask("!can disableroom !abc")).text.startswith("📋 No"), "still that one"


async def test_a_text_that_was_changed_while_the_bot_was_down_is_told(
    world: World, bot: Bot
) -> None:
    room = await ready(world, "ana")
    await bot.stop()
    bot.set_policy(world.policy().replace("purge, disableroom", "purge"))
    await bot.start()
    live = await room.shows("^❗ New policy: ", within=20)
    assert "bo: no longer disableroom" in live.text.split("\n")


@pytest.mark.skipif(os.environ.get("SLUICE_DB") == "postgres", reason="edits SQLite by hand")
async def test_a_version_with_new_commands_says_what_the_groups_gained(
    world: World, bot: Bot
) -> None:
    room = await ready(world)
    await bot.stop()
    path = bot.database.removeprefix("sqlite:")
    with sqlite3.connect(path) as database:  # as an earlier version would have left it
        query = "SELECT value FROM sluice_meta WHERE key='groups'"
        groups = json.loads(database.execute(query).fetchone()[0])
        groups["#inspect"].remove("media")
        update = "UPDATE sluice_meta SET value=? WHERE key='groups'"
        database.execute(update, (json.dumps(groups),))
    for _ in range(2):
        await bot.start()
        await bot.process.logs("Sluice is ready")
        await room.ask("!version")
        await bot.stop()
    await room.read()
    told = [said for said in room.said if "has new commands" in said.text]
    assert [said.text.split("\n")[1] for said in told] == ["#inspect: now also media"]


async def test_safe_mode_without_any_valid_policy(world: World, tmp_path: Path) -> None:
    room = await world.ops("ana")
    bot = await world.start_bot(tmp_path / "bot", world.policy(BROKEN))
    said = await room.shows("^❗ Safe mode", within=20)
    head, what, remedy = said.text.split("\n")
    assert head == "❗ Safe mode: the policy has an error, so every command is refused."
    assert what.startswith(f"L{WRONG[1:]}")
    assert remedy.endswith("Correct the file, then: !reload")
    assert said.mentions == set(), "nobody is an owner yet"
    assert f"policy.yaml:{LINE}: unknown key" in bot.log

    answer = await room.ask("!users")
    assert answer.text.startswith(f"⛔ Not run: safe mode. Policy {WRONG}")
    silent = [await (await world.ops(name)).say("!users") for name in ("bo", "eve")]
    command = await room.say("!reload")  # nothing is corrected yet
    again = await room.wait(
        lambda said: said.text.startswith("❗ Safe mode"), "safe mode again", after=command
    )
    assert again.id != said.id
    bot.set_policy(world.policy(TEXT))
    await room.say("!reload")
    dan, bo = (world[name].mxid for name in ("dan", "bo"))
    over = await room.shows("^🔔 The policy is valid, safe mode is over.")
    assert over.text.split("\n")[1] == f"Owners: ana, dan ({dan}). Mods: bo ({bo})."
    assert (await room.ask("!users", within=20)).text.startswith(("📋", "❓"))
    assert not [said for said in room.said if said.reply_to in silent]


async def test_safe_mode_answers_persons_of_the_last_valid_policy(world: World, bot: Bot) -> None:
    room = await ready(world, "bo")
    await bot.stop()
    bot.set_policy(world.policy().replace("min_power: 25", "min_power: many"))
    await bot.start()
    said = await room.shows("^❗ Safe mode", within=20)
    assert said.mentions == {world["ana"].mxid, world["dan"].mxid}
    answer = await room.ask("!adduser alice")
    assert answer.text.startswith("⛔ Not run: safe mode. Policy line 31: ")
    silent = await (await world.ops("eve")).say("!users")
    assert "The policy has an error in line 31" in (await room.ask("!status")).text

    await bot.stop()
    bot.set_policy(world.policy())
    await bot.start()
    await room.shows("^🔔 The policy is valid, safe mode is over.", within=20)
    assert (await room.ask("!can adduser alice")).text.startswith("📋 Yes")
    assert not [said for said in room.said if said.reply_to == silent]


async def test_a_file_that_cannot_be_read_is_safe_mode_until_it_can(
    world: World, bot: Bot
) -> None:
    room = await ready(world, "bo")
    await bot.stop()
    bot.policy_file.unlink()
    await bot.start()
    said = await room.shows("^❗ Safe mode", within=20)
    assert f"policy_file cannot be read: No such file or directory: {bot.policy_file}" in said.text
    assert (await room.ask("!version")).text.startswith("⛔ Not run: safe mode.\nPolicy")
    bot.set_policy(world.policy())
    await room.say("!reload")  # by whoever is answered
    await room.shows("^🔔 The policy is valid, safe mode is over.")


async def test_another_key_beside_policy_file_is_an_error(world: World, bot: Bot) -> None:
    room = await ready(world, "bo")
    await bot.stop()
    bot.beside = {"timezone": "UTC"}
    await bot.start()
    said = await room.shows("^❗ Safe mode", within=20)
    assert "policy_file stands alone: all other keys go into the file it names" in said.text
    assert "policy_file stands alone" in bot.log


async def test_policy_file_in_a_full_maubot(
    world: World, maubot: FullMaubot, package: Path, tmp_path: Path
) -> None:
    file = tmp_path / "sluice.yaml"
    file.write_text(world.policy())
    config = f"# the policy has a file of its own\npolicy_file: {file}"
    room = await set_up(world, maubot, package, config)
    file.write_text(world.policy().replace("purge, disableroom", "purge"))
    assert (await room.ask("!can disableroom !abc")).text.startswith("📋 Yes"), "not read yet"
    await world["ana"].say(world.ops_room, "!reload")
    await room.shows("^❗ New policy: ")
    assert (await room.ask("!can disableroom !abc")).text.startswith("📋 No")

    with pytest.raises(RuntimeError, match=r"400.*line 2: policy_file stands alone"):
        await maubot.edit(f"{config}\n\ntimezone: UTC")
    with pytest.raises(RuntimeError, match=r"400.*line 1: policy_file cannot be read: No such"):
        await maubot.edit(f"policy_file: {tmp_path}/nowhere.yaml")
    assert (await maubot.instance())["config"] == config
    assert (await room.ask("!can disableroom !abc")).text.startswith("📋 No")
