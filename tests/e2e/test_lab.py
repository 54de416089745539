"""The lab itself: both homeservers do what tests of the bot rely on."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from lab.chat import Chat
from lab.client import Client, Refused
from lab.homeserver import PASSWORD, Homeserver
from lab.world import World


async def ask(room: Chat, server: Homeserver, line: str) -> str:
    """Types an admin command and returns its answer."""
    command = await room.say(f"@conduit:{server.name}: {line}")
    answer = await room.wait(
        lambda said: said.sender == server.server_user and said.content.get("msgtype") == "m.text",
        f"the answer to {line}",
        after=command,
    )
    return answer.text


async def test_what_is_typed_as_soon_as_the_server_is_back_is_answered(world: World) -> None:
    """Conduit's handler is there before anybody can type."""
    admin, server = await world.admin(), world.server
    line = f"@conduit:{server.name}: create-user early{world.suffix}"
    await server.stop()
    coming = asyncio.ensure_future(server.resume())
    command = ""
    while not command:
        try:
            command = await admin.say(line)
        except (aiohttp.ClientError, OSError, Refused):
            await asyncio.sleep(0.02)
    await coming
    await admin.shows(f"^Created user with user_id: @early{world.suffix}:")


async def test_a_made_account_can_sign_in_with_the_answered_password(world: World) -> None:
    admin = await world.admin()
    name = f"alice{world.suffix}"
    answer = await ask(admin, world.server, f"create-user {name}")
    alice = await world.server.login(name, answer.split()[-1])
    assert alice.mxid == f"@{name}:{world.server.name}"


async def test_a_deactivated_account_stays_in_its_rooms_and_comes_back(world: World) -> None:
    admin = await world.admin()
    eve = world["eve"]
    await ask(admin, world.server, f"deactivate-user {eve.mxid}")
    with pytest.raises(Refused) as refused:
        await world.server.login(eve.localpart, "not her password")
    assert refused.value.code == "M_USER_DEACTIVATED"
    assert eve.mxid in await world["bo"].members(world.ops_room)
    answer = await ask(admin, world.server, f"reset-password {eve.localpart}")
    assert (await world.server.login(eve.localpart, answer.split()[-1])).mxid == eve.mxid


async def test_a_blocked_file_is_hidden_and_a_purged_one_is_gone(world: World) -> None:
    if world.server.version.startswith("0.9"):
        pytest.skip("0.9 has no media commands")
    admin = await world.admin()
    mxc = await world["bo"].upload(f"hello {world.suffix}".encode(), "a | b.txt", "text/plain")
    statuses = []
    for line in ("block-media", "unblock-media", "purge-media"):
        await ask(admin, world.server, f"{line}\n```\n{mxc}\n```")
        statuses.append(await world["bo"].download_status(mxc))
    assert statuses == [404, 200, 404]


async def test_the_server_user_tells_what_happened_elsewhere(world: World) -> None:
    admin = await world.admin()
    newcomer = await world.server.newcomer(f"newcomer{world.suffix}")
    await admin.shows(f"^New user {newcomer.mxid} registered")
    await newcomer.change_password("another one")
    await admin.shows(f"^User {newcomer.mxid} changed their password")
    room = await world["bo"].create_room(newcomer.mxid)
    await newcomer.join(room)
    await newcomer.report(room, await world["bo"].say(room, "spam"), "bad <b>thing</b>")
    await admin.shows(r'Report Reason: Some\("bad <b>thing</b>"\)')
    await newcomer.deactivate()
    await admin.shows(f"^User {newcomer.mxid} deactivated their account")


async def test_switching_registration_off_keeps_newcomers_out(world: World) -> None:
    admin = await world.admin()
    await ask(admin, world.server, "allow-registration false")
    with pytest.raises(Refused):
        await world.server.newcomer(f"late{world.suffix}")
    await ask(admin, world.server, "allow-registration true")
    assert await world.server.newcomer(f"early{world.suffix}")


async def test_a_redacted_command_is_answered_all_the_same(world: World) -> None:
    admin = await world.admin()
    name = f"carol{world.suffix}"
    command = await admin.say(f"@conduit:{world.server.name}: create-user {name}")
    await world.server.ana.redact(world.server.admin_room, command)
    await admin.shows(f"^Created user with user_id: @{name}")


async def test_a_restart_loses_what_was_queued(world: World) -> None:
    admin = await world.admin()
    names = [f"lost{world.suffix}-{number}" for number in range(20)]
    if world.server.double:
        await world.server.double.set(hold=True)
    for name in names:
        await admin.say(f"@conduit:{world.server.name}: create-user {name}")
    await world.server.restart()
    assert "unrecognized" in await ask(admin, world.server, "still-there")
    users = await ask(admin, world.server, "list-local-users")
    assert names[-1] not in users


async def test_the_bot_can_redact_answers_in_the_admin_room(world: World) -> None:
    admin = await Chat.open(world.bot_account, world.server.admin_room)
    await ask(admin, world.server, "allow-registration")
    answer = next(said for said in admin.said if said.sender == world.server.server_user)
    await world.bot_account.redact(world.server.admin_room, answer.id)
    event = await world.bot_account.event(world.server.admin_room, answer.id)
    assert event["content"] == {}


@pytest.mark.double_only("only the double can be told to answer too much and to die of it")
async def test_an_answer_above_the_size_of_an_event_kills_the_handler(world: World) -> None:
    double = world.server.double
    assert double is not None
    admin = await world.admin()
    await admin.say(f"@conduit:{world.server.name}: " + "x" * 33_000)
    await admin.say(f"@conduit:{world.server.name}: --version")
    await admin.never(lambda said: said.sender == world.server.server_user, "an answer")
    assert (await double.state())["dead"]
    await double.restart()
    assert world.server.version in await ask(admin, world.server, "--version")


@pytest.mark.double_only("a real handler cannot be told to fall silent")
async def test_knobs_of_the_double_play_silence_notices_and_foreign_texts(world: World) -> None:
    double = world.server.double
    assert double is not None
    admin = await world.admin()
    await double.set(
        before=[{"msgtype": "m.notice", "body": "before"}],
        instead=[{"msgtype": "m.text", "body": "Room is now quarantined (2)."}],
    )
    assert await ask(admin, world.server, "list-rooms") == "Room is now quarantined (2)."
    await admin.shows("^before$")
    await double.set(silent=1)
    await admin.say(f"@conduit:{world.server.name}: create-user silent{world.suffix}")
    assert "Registration" in await ask(admin, world.server, "allow-registration")
    assert await world.server.login("ana", PASSWORD)
    await double.set(version="0.11.0-alpha")
    assert "0.11.0-alpha" in await ask(admin, world.server, "--version")


@pytest.mark.double_only("the emergency password of a real server stands in its config file")
async def test_with_the_emergency_password_the_server_user_obeys_itself(world: World) -> None:
    double = world.server.double
    assert double is not None
    admin = await world.admin()
    await double.set(emergency=True)
    await double.restart()
    await admin.shows("^The Conduit account emergency password is set!")
    await ask(admin, world.server, "--version")
    await admin.shows("^error: unrecognized subcommand '0.10.12'")


@pytest.mark.double_only("only the server user could give the address back")
async def test_without_its_address_the_admin_room_is_silent(world: World) -> None:
    double = world.server.double
    assert double is not None
    admin = await world.admin()
    alias = f"/_matrix/client/v3/directory/room/%23admins:{world.server.name}"
    await world.server.ana.call("DELETE", alias)
    await admin.say(f"@conduit:{world.server.name}: --version")
    await admin.never(lambda said: said.sender == world.server.server_user, "an answer")
    await double.reset()
    assert "0.10.12" in await ask(admin, world.server, "--version")


async def test_people_of_a_world_can_be_signed_in_again(world: World) -> None:
    bo = world["bo"]
    again = await Client.login(bo.http, bo.base, bo.localpart, bo.password)
    assert again.mxid == bo.mxid
