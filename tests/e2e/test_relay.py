"""From the ops room to a real account and back: scenes 9, 12 to 16, 18, 23 and 52."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest

from lab.homeserver import Homeserver
from lab.world import World
from tests.e2e.office import NewDatabase
from tests.e2e.relay import Relay


@pytest.fixture(scope="module")
async def relay(
    server: Homeserver, new_database: NewDatabase, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Relay]:
    """One for all tests here: each acts on accounts of its own."""
    world = await World.create(server, "-relay")
    world.database = await new_database()
    yield await Relay.open(world, tmp_path_factory.mktemp("relay"))
    await world.end()


# --- adduser ------------------------------------------------------------------------------------


async def test_the_private_password_signs_in_and_the_one_in_the_admin_room_does_not(
    relay: Relay,
) -> None:
    said = await relay.asks("bo", f"!adduser {relay.name('alice')}")
    mxid = relay.mxid("alice")
    assert re.match(rf"✅ New account @{relay.name('alice')}\n{mxid}\. ", said.text), said.text
    assert f"Undo: tap ↩️ or !deactivate {relay.name('alice')}" in said.text
    password = await relay.password("bo", "alice")
    assert await relay.signs_in("alice", password)
    shown = await relay.admin.wait(lambda s: s.sender == relay.world.server.server_user, "it")
    answers = [s for s in relay.admin.said if f"user_id: {mxid} and password" in s.text]
    for answer in answers:  # read before the bot removed it
        assert not await relay.signs_in("alice", answer.text.split()[-1])
    assert shown
    assert await relay.sent(f"create-user {mxid}") == 1


async def test_conduits_own_answer_is_removed_from_the_admin_room(relay: Relay) -> None:
    await relay.asks("bo", f"!adduser {relay.name('scrub')}")
    await relay.admin.wait(lambda said: said.kind == "m.room.redaction", "a redaction")
    ana = await relay.world.admin()
    whole = await ana.from_the_start(relay.world.server.ana, relay.world.server.admin_room)
    assert not any(f"{relay.mxid('scrub')} and password" in said.text for said in whole.said)


async def test_several_names_are_asked_back_and_made_one_by_one(relay: Relay) -> None:
    names = [relay.name(word) for word in ("mia", "noa", "tom")]
    question = await relay.asks("bo", f"!adduser {' '.join(names)}")
    assert question.text.startswith(
        "❓ 3 names, the last two not shown. All of them names? Tap ✅."
    )
    assert not await relay.exists("mia")
    await relay.taps("bo", question)
    await relay.shows(r"^✅ 3 accounts made(?!.)", within=20)
    for word in ("mia", "noa", "tom"):
        assert await relay.signs_in(word, await relay.password("bo", word))
        assert await relay.sent(f"create-user {relay.mxid(word)}") == 1


async def test_a_name_that_exists_is_refused_before_anything_is_sent(relay: Relay) -> None:
    said = await relay.asks("bo", f"!adduser {relay.world['eve'].localpart}")
    assert re.match(r"⛔ Not run: @eve\S+ exists already\.", said.text)
    assert await relay.sent(f"create-user {relay.world['eve'].mxid}") == 0


async def test_a_capital_is_made_small_and_said(relay: Relay) -> None:
    said = await relay.asks("bo", f"! Adduser {relay.name('Zoe')}")
    assert f"Small letters: you typed {relay.name('Zoe')}." in said.text
    assert await relay.exists("zoe")


async def test_a_name_that_the_policy_does_not_allow_is_denied_with_a_number(relay: Relay) -> None:
    said = await relay.asks("bo", "!adduser xy")
    assert re.match(r"⛔ Not allowed \(#\d+\): “xy” is too short", said.text)
    assert await relay.sent("create-user @xy:") == 0


async def test_a_stranger_hears_nothing(relay: Relay) -> None:
    for text in ("!help", f"!adduser {relay.name('evil')}", "!status"):
        await relay.heard_nothing(await relay.says("eve", text))
    assert not await relay.exists("evil")


# --- resetpw ------------------------------------------------------------------------------------


async def test_resetpw_gives_a_new_password_and_leaves_devices_signed_in(relay: Relay) -> None:
    spam = await relay.account("reset")
    said = await relay.asks("bo", f"!resetpw {spam.localpart}")
    assert re.match(rf"✅ New password for @{spam.localpart}\n{spam.mxid}\. ", said.text), (
        said.text
    )
    assert "Devices that are signed in stay signed in." in said.text
    private = await relay.world.private("bo")
    message = await private.shows(rf"^🔑 New password for {spam.mxid}")
    found = re.search(r"Password: (\S+)", message.text)
    assert found
    assert (await relay.world.server.login(spam.localpart, found[1])).mxid == spam.mxid
    assert (await spam.call("GET", "/_matrix/client/v3/account/whoami"))["user_id"] == spam.mxid
    assert not await relay.signs_in(spam.localpart.removesuffix("-relay"), spam.password)


async def test_resetpw_with_sign_out_ends_every_session(relay: Relay) -> None:
    spam = await relay.account("out")
    said = await relay.asks("bo", f"!resetpw {spam.localpart} --sign-out")
    assert "All its devices are signed out." in said.text
    with pytest.raises(Exception, match="M_UNKNOWN_TOKEN"):
        await spam.call("GET", "/_matrix/client/v3/account/whoami")


# --- others in the admin room -------------------------------------------------------------------


async def test_an_admin_typing_beside_gets_own_answers_and_none_is_shown(relay: Relay) -> None:
    """Scene 52: the answer to what ana types is counted, and never shown in the ops room."""
    before = len(await relay.results())
    await relay.types("list-rooms")
    await relay.types(f"create-user {relay.name('byhand')}")
    said = await relay.asks("bo", f"!adduser {relay.name('beside')}")
    assert said.text.startswith(f"✅ New account {relay.mxid('beside').partition(':')[0]}\n")
    assert await relay.signs_in("beside", await relay.password("bo", "beside"))
    told = (await relay.results())[before:]
    assert not any("byhand" in text or "Members:" in text for text in told)
    kept = relay.bot.rows("SELECT content FROM sluice_outbox") if not relay.world.database else []
    assert not any("byhand" in row[0] for row in kept)


async def test_a_command_of_an_admin_that_is_removed_at_once_crosses_nothing(relay: Relay) -> None:
    for number in range(3):
        command = await relay.types(f"create-user {relay.name(f'gone{number}')}")
        await relay.world.server.ana.redact(relay.world.server.admin_room, command)
        said = await relay.asks("bo", f"!adduser {relay.name(f'stays{number}')}", within=20)
        assert said.text.startswith(
            f"✅ New account {relay.mxid(f'stays{number}').partition(':')[0]}\n"
        )
        assert await relay.exists(f"gone{number}")


# --- the private room ---------------------------------------------------------------------------


async def test_a_tap_removes_the_password_and_says_so(relay: Relay) -> None:
    await relay.asks("cy", f"!adduser {relay.name('tapped')}")
    private = await relay.world.private("cy")
    message = await private.shows(rf"^🔑 New account {relay.mxid('tapped')}")
    assert message.content["msgtype"] == "m.notice"
    after = await private.shows(r"^🔑 cy, the password of .* is above")
    assert after.content["msgtype"] == "m.text"
    assert after.mentions == {relay.world["cy"].mxid}
    await relay.world["cy"].react(private.room, message.id, "✅")
    gone = await private.shows(r"^🔑 Password of .* removed: you tapped ✅\.")
    assert gone.edits == after.id
    assert (await relay.world["cy"].event(private.room, message.id))["content"] == {}


async def test_a_command_in_the_private_room_never_runs(relay: Relay) -> None:
    await relay.asks("cy", f"!adduser {relay.name('there')}")
    private = await relay.world.private("cy")
    command = await private.say(f"!adduser {relay.name('nothere')}")
    said = await private.answer_to(command)
    assert said.text == "⛔ Not run: commands work in the ops room only."
    assert not await relay.exists("nothere")


async def test_the_same_private_room_is_used_again(relay: Relay) -> None:
    await relay.asks("cy", f"!adduser {relay.name('one')}")
    first = (await relay.world.private("cy")).room
    said = await relay.asks("cy", f"!adduser {relay.name('two')}")
    assert "The password is in our private room: https://matrix.to/#/" in said.text
    assert (await relay.world.private("cy")).room == first


# --- questions ----------------------------------------------------------------------------------


async def test_a_missing_name_is_asked_for_and_a_reply_completes_it(relay: Relay) -> None:
    question = await relay.asks("bo", "!adduser")
    assert question.text.startswith("❓ Which name?")
    answer = await relay.replies("bo", question.id, relay.name("replied"))
    await relay.shows(rf"^✅ New account @{relay.name('replied')}\n{relay.mxid('replied')}")
    assert await relay.exists("replied")
    assert answer


async def test_an_edit_answers_a_question_and_runs_once(relay: Relay) -> None:
    command = await relay.says("bo", f"!aduser {relay.name('edited')}")
    question = await relay.room.answer_to(command)
    assert question.text.startswith("❓ No command “aduser”")
    await relay.edits("bo", command, f"!adduser {relay.name('edited')}")
    await relay.shows(rf"^✅ New account @{relay.name('edited')}\n{relay.mxid('edited')}")
    await relay.taps("bo", question, "1️⃣")
    await relay.quiet()
    assert await relay.sent(f"create-user {relay.mxid('edited')}") == 1


async def test_a_removed_command_takes_its_question_away(relay: Relay) -> None:
    command = await relay.says("bo", f"!adduser {relay.name('qa')} {relay.name('qb')}")
    question = await relay.room.answer_to(command)
    await relay.removes("bo", command)
    await relay.taps("bo", question)
    await relay.quiet()
    assert not await relay.exists("qa")


async def test_a_tap_of_somebody_else_answers_nothing(relay: Relay) -> None:
    command = await relay.says("bo", f"!adduser {relay.name('ta')} {relay.name('tb')}")
    question = await relay.room.answer_to(command)
    await relay.taps("cy", question)
    await relay.quiet()
    assert not await relay.exists("ta")


# --- waiting ------------------------------------------------------------------------------------


@pytest.mark.double_only("a real handler cannot be told to take its time")
async def test_a_slow_command_carries_an_hourglass_until_its_result(relay: Relay) -> None:
    double = relay.world.server.double
    assert double is not None
    await double.set(delay=4)
    command = await relay.says("bo", "!memory")
    glass = await relay.room.wait(
        lambda said: said.reaction == (command, "⏳"), "an hourglass", within=6
    )
    await double.set(delay=0)
    await relay.room.answer_to(command, within=20)
    await relay.room.wait(
        lambda said: (
            said.kind == "m.room.redaction"
            and glass.id in (said.raw.get("redacts"), said.content.get("redacts"))
        ),
        "the hourglass taken away",
    )


@pytest.mark.double_only("a real server's notices cannot be put between")
async def test_notices_around_an_answer_are_not_taken_for_it(relay: Relay) -> None:
    double = relay.world.server.double
    assert double is not None
    await double.set(
        before=[
            {"msgtype": "m.notice", "body": "Created user with user_id: @x:y and password: z"},
            {"msgtype": "m.notice", "body": "New user @spammer:lab.test registered"},
        ],
        after=[{"msgtype": "m.notice", "body": "Done."}],
    )
    said = await relay.asks("bo", f"!adduser {relay.name('noticed')}")
    assert said.text.startswith(f"✅ New account @{relay.name('noticed')}\n")
    assert await relay.signs_in("noticed", await relay.password("bo", "noticed"))


@pytest.mark.double_only("a real server does not answer what its version does not say")
async def test_an_answer_that_nobody_understands_goes_to_who_asked_in_private(
    relay: Relay,
) -> None:
    double = relay.world.server.double
    assert double is not None
    strange = "User was created with the secret tr0ub4dor"
    await double.set(instead=[{"msgtype": "m.text", "body": strange}])
    said = await relay.asks("bo", f"!adduser {relay.name('strange')}", within=20)
    assert re.match(
        rf"❗ adduser @{relay.name('strange')}: outcome unknown · #\d+\n", said.text
    ), said.text
    assert "I do not understand Conduit's answer." in said.text
    assert "bo has it in private" in said.text
    assert "tr0ub4dor" not in said.text
    private = await relay.world.private("bo")
    await private.shows("tr0ub4dor")


@pytest.mark.double_only("a real server does not answer what its version does not say")
async def test_unlisted_text_about_another_command_is_quoted(relay: Relay) -> None:
    double = relay.world.server.double
    assert double is not None
    await double.set(instead=[{"msgtype": "m.text", "body": "Room is now quarantined (2)."}])
    said = await relay.asks("bo", "!enableroom !abc:lab.test", within=20)
    assert re.match(r"❗ enableroom !abc: outcome unknown · #\d+\n", said.text), said.text
    assert "Conduit: “Room is now quarantined (2).”" in said.text
