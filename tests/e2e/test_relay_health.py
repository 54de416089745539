"""When Conduit does not answer, restarts, or is not to be trusted: scenes 4, 49 to 51, 56.

The server is the same for all tests: what one does to it, it takes back.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from pathlib import Path

import pytest

from lab.chat import Said
from lab.client import V3, esc
from lab.homeserver import Conduit
from lab.world import World
from tests.e2e.relay import Relay

QUICK = "{timeout: 2s, slow_timeout: 10m}"
NOBODY = "\n".join(f"@nobody-with-a-long-name-{n}:lab.test" for n in range(900))
DEADLY = f"deactivate-all\n```\n{NOBODY}\n```"  # its answer is larger than an event may be
SILENT = "^❗ Conduit has not answered since .*: busy, or stuck"
BACK = "^🔔 Conduit answers again"
_numbers = itertools.count()


@pytest.fixture
async def own(world: World, tmp_path: Path) -> Relay:
    """A relay that gives up soon, and whose clock can be moved."""
    relay = await Relay.open(world, tmp_path, relay=QUICK, clock=True, max_age="2h")
    await works(relay)  # what is asked at the start is over
    return relay


async def busy(relay: Relay) -> None:
    """Conduit has something to do for a few seconds (the double: until it is told otherwise)."""
    double = relay.world.server.double
    if double is not None:
        await double.set(hold=True)
        return
    for _ in range(50):
        await relay.types(f"create-user busy-{next(_numbers)}")


async def idle(relay: Relay) -> None:
    double = relay.world.server.double
    if double is not None:
        await double.set(hold=False)


async def in_the_room(relay: Relay, words: str) -> None:
    """The bot's line stands in the admin room."""
    await relay.admin.wait(
        lambda said: said.sender == relay.bot.mxid and words in said.text, f"the line {words}"
    )


async def fences(relay: Relay) -> int:
    await relay.admin.read()
    return sum(
        "sluice-fence" in said.text and said.sender == relay.bot.mxid for said in relay.admin.said
    )


async def result_of(relay: Relay, command: str, within: float = 30) -> Said:
    return await relay.room.answer_to(command, within)


async def works(relay: Relay) -> None:
    answer = await relay.asks("bo", "!memory", within=30)
    assert answer.text.startswith("📋"), answer.text


# --- a handler that is dead, or busy ------------------------------------------------------------


async def test_a_dead_handler_is_said_once_with_what_is_unknown_and_refuses_the_rest(
    own: Relay,
) -> None:
    await own.types(DEADLY)
    await asyncio.sleep(1)
    command = await own.says("bo", "!clearcache db")
    await in_the_room(own, "clear-database-caches")
    own.later(601)  # what ana typed is a slow one
    alarm = await own.shows(SILENT, within=40)
    assert "Owners: restart Conduit, unless something slow runs there." in alarm.text
    assert "The first command without an answer was typed there by hand." in alarm.text
    assert own.world["ana"].mxid in alarm.mentions
    result = await result_of(own, command)
    unknown = r"❗ clearcache db: outcome unknown · #\d+\nConduit does not answer\."
    assert re.match(unknown, result.text), result.text
    order = [said.id for said in own.room.said]
    assert order.index(alarm.id) < order.index(result.id)

    refused = await own.asks("bo", "!users")
    assert refused.text.startswith("⛔ Not run: Conduit has not answered since ")
    assert ": busy, or stuck. Restart it" in (await own.asks("ana", "!status")).text

    before = await fences(own)
    for _ in range(3):
        own.later(61)
        await asyncio.sleep(1.5)
    assert await fences(own) - before in (2, 3, 4), "one fence a minute"
    assert len([text for text in await own.results() if re.match(SILENT, text)]) == 1

    await own.world.server.restart()
    own.later(61)
    back = await own.shows(BACK, within=30)
    assert "What I refused meanwhile was not kept." in back.text
    await works(own)


@pytest.mark.double_only("a real handler cannot be told to be busy for minutes")
async def test_a_busy_handler_is_never_called_dead_alone_and_its_late_answer_counts(
    own: Relay,
) -> None:
    await busy(own)
    command = await own.says("bo", "!clearcache db")
    alarm = await own.shows(SILENT)
    assert "Owners: restart Conduit, unless something slow runs there." in alarm.text
    assert "(clearcache db, bo). Do not repeat it, it may be the cause." in alarm.text
    assert "outcome unknown" in (await result_of(own, command)).text
    before = await fences(own)
    own.later(61)
    await asyncio.sleep(1.5)
    assert await fences(own) - before <= 1
    await idle(own)
    late = await own.shows(
        r"^✅ All \d+ database caches are empty after all · #\d+\nConduit answered at"
    )
    assert own.world["bo"].mxid in late.mentions
    await own.shows(BACK)
    assert await own.sent("clear-database-caches") == 1
    await works(own)


@pytest.mark.double_only("a real handler cannot be told to be busy for minutes")
async def test_a_late_answer_that_contradicts_a_person_is_told_and_changes_nothing(
    own: Relay,
) -> None:
    await busy(own)
    command = await own.says("bo", "!clearcache db")
    found = re.search(r"#(\d+)", (await result_of(own, command)).text)
    assert found
    number = found[1]
    await own.says("cy", f"!resolve {number} failed")
    await own.shows(rf"^❌ !clearcache db failed, says cy · #{number}")
    await idle(own)
    told = await own.shows(rf"^❗ clearcache db: Conduit says done · #{number}")
    assert own.world["bo"].mxid in told.mentions
    log = await own.asks("bo", f"!log {number}")
    assert log.text.startswith(f"📋 #{number} failed"), log.text


@pytest.mark.double_only("a real handler cannot be told to be busy for minutes")
async def test_a_late_answer_that_agrees_with_a_person_is_not_worth_a_word(own: Relay) -> None:
    await busy(own)
    command = await own.says("bo", "!clearcache db")
    found = re.search(r"#(\d+)", (await result_of(own, command)).text)
    assert found
    await own.says("cy", f"!resolve {found[1]} done")
    await own.shows(rf"^✅ All \d+ database caches are empty, says cy · #{found[1]}(?!.)")
    await idle(own)
    await own.shows(BACK)
    await works(own)
    assert not [text for text in await own.results() if ": Conduit says " in text]


@pytest.mark.double_only("a real handler cannot be told to be busy for minutes")
async def test_a_slow_command_has_longer_before_anybody_doubts(own: Relay) -> None:
    await busy(own)
    await own.types("deactivate-user @nobody:lab.test --leave-rooms")
    await asyncio.sleep(1)  # the bot has read it
    own.later(400)
    await own.room.never(
        lambda said: "has not answered" in said.text, "an alarm before its time", seconds=4
    )
    own.later(300)
    await own.shows(SILENT)
    await idle(own)
    own.later(61)
    await own.shows(BACK)


# --- restarts -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["deactivate", "adduser", "clearcache"])
async def test_conduit_is_killed_with_a_command_in_its_queue(own: Relay, kind: str) -> None:
    """Scene 49: a look tells where one can; never a guess, and never a second line."""
    spam = await own.account()
    command = ""
    if kind == "deactivate":
        card = await own.card("bo", f"!deactivate {spam.mxid} reason casino")
        await busy(own)
        await own.taps("cy", card)
        line = f"deactivate-user {spam.mxid}"
    else:
        await busy(own)
        adds = kind == "adduser"
        line = f"create-user {own.mxid('queued')}" if adds else "clear-database-caches"
        what = f"adduser {own.name('queued')}" if adds else "clearcache db"
        command = await own.says("bo", f"!{what}")
    await in_the_room(own, line)
    await own.world.server.restart()
    if kind == "deactivate":
        result = await own.shows(rf"^[✅❌❗] .*@{spam.localpart}\b.* · #\d+(?!.)", within=30)
        if await own.is_open(spam):
            assert "Conduit restarted before it ran." in result.text, result.text
            assert "is still active, nothing changed." in result.text
        else:
            assert result.text.startswith(f"✅ Deactivated @{spam.localpart} · #"), result.text
    else:
        result = await result_of(own, command)
        if kind == "clearcache":
            lost = "Conduit restarted or dropped it."
            assert lost in result.text or result.text.startswith("✅"), result.text
        elif await own.exists("queued"):
            assert result.text[0] in "✅❗", result.text
        else:
            assert "There is no account" in result.text, result.text
    await works(own)
    assert await own.sent(line) == 1
    assert not any(re.match(SILENT, text) for text in await own.results())


async def test_what_only_reads_fails_and_is_never_unknown(own: Relay) -> None:
    await busy(own)
    command = await own.says("bo", "!memory")
    await in_the_room(own, "memory-usage")
    await own.world.server.restart()
    result = await result_of(own, command)
    failed = "❌ !memory failed: Conduit restarted before it answered. Nothing changed."
    assert result.text.startswith((failed, "📋"))
    await works(own)


async def test_the_homeserver_was_away(own: Relay) -> None:
    """Scene 51: one message with from and to, afterwards."""
    server, bot = own.world.server, own.bot.process
    bot.forget_log()
    await server.stop()
    await bot.logs("The homeserver does not answer:")  # the absence begins when it is noticed
    own.later(720)
    await server.resume()
    said = await own.shows("^🔔 The server was offline from", within=40)
    assert "Open requests and votes are all here." in said.text
    await works(own)


# --- the admin room -----------------------------------------------------------------------------


async def test_the_address_of_the_admin_room_is_deleted_and_comes_back(own: Relay) -> None:
    """Scene 50. It is repaired as on a real server: by the server user."""
    server = own.world.server
    alias = f"{V3}/directory/room/{esc(f'#admins:{server.name}')}"
    await server.ana.call("DELETE", alias)
    try:
        command = await own.says("bo", "!clearcache db")
        said = await own.shows("^❗ Conduit's admin room lost its address", within=20)
        assert "Owners: !help repair" in said.text
        assert "outcome unknown" in (await result_of(own, command)).text
        refused = await own.asks("bo", "!users")
        assert refused.text.startswith("⛔ Not run: Conduit's admin room has lost its address")
    finally:
        await repaired(own, alias)
    own.later(61)
    await own.shows(BACK, within=30)
    await works(own)


async def repaired(own: Relay, alias: str) -> None:
    server = own.world.server
    if isinstance(server, Conduit):
        server.write_config(emergency_password="only-for-the-lab")
        await server.restart()
        conduit = await server.login("conduit", "only-for-the-lab")
        await conduit.call("PUT", alias, {"room_id": server.admin_room})
        await conduit.call("POST", f"{V3}/logout", {})
        del server.config["emergency_password"]
        server.write_config()
        await server.restart()
    else:
        await server.conduit.call("PUT", alias, {"room_id": server.admin_room})  # type: ignore[attr-defined]


async def test_the_bot_is_removed_from_the_admin_room_and_invited_again(own: Relay) -> None:
    server, bot = own.world.server, own.bot.mxid
    await server.ana.call("POST", f"{V3}/rooms/{esc(server.admin_room)}/kick", {"user_id": bot})
    said = await own.shows("^❗ I am not in the admin room", within=30)
    assert bot in said.text
    refused = await own.asks("bo", "!memory")
    assert refused.text.startswith("⛔ Not run: I am not in Conduit's admin room")
    await server.ana.invite(server.admin_room, bot)
    await own.shows("^🔔 I am in Conduit's admin room again", within=30)
    await works(own)


# --- the emergency password ---------------------------------------------------------------------


async def test_while_the_emergency_password_is_set_only_status_works(own: Relay) -> None:
    server = own.world.server
    await set_emergency(own, True)
    try:
        await own.shows("^❗ Owners: Conduit's emergency password is set", within=30)
        refused = await own.asks("bo", "!users")
        assert refused.text.startswith("⛔ Not run: Conduit's emergency password is set")
        status = await own.asks("ana", "!status")
        assert "Conduit's emergency password is set" in status.text
        await own.bot.restart()
        refused = await own.asks("bo", "!memory", within=20)
        assert refused.text.startswith("⛔ Not run: Conduit's emergency password is set")
        await server.restart()
        await asyncio.sleep(1)
        refused = await own.asks("bo", "!memory", within=20)
        assert refused.text.startswith("⛔ Not run: Conduit's emergency password is set")
    finally:
        await set_emergency(own, False)
    await own.shows("^🔔 Conduit's emergency password is no longer set", within=30)
    await works(own)


async def set_emergency(own: Relay, on: bool) -> None:
    server = own.world.server
    if isinstance(server, Conduit):
        server.config.pop("emergency_password", None)
        server.write_config(**({"emergency_password": "only-for-the-lab"} if on else {}))
    else:
        assert server.double is not None
        await server.double.set(emergency=on)
    await server.restart()
