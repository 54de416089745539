"""The admin room and the private rooms, attacked with every id that can be learnt; and the no, the
list and the doubled message that must not become what nobody meant."""

from __future__ import annotations

import json
import os
import re
import sqlite3

import pytest

from lab.chat import Chat, Said
from lab.client import Client
from tests.e2e.office import POLICY, Office, OpenOffice

ALLOW = '    - {role: helper, do: "#read"}\n'
TEXT = POLICY.replace(ALLOW, ALLOW + '    - {role: mod, do: ["#inspect", event, purge]}\n')
TEXT += "relay: {attacker_sized: allow}\n"
TYPED = "a-password-that-an-admin-typed"
SEALED = "⛔ Not run: that event is of the admin room, or of a private room of mine."


@pytest.fixture(scope="module")
async def shared(open_office: OpenOffice) -> Office:
    return await open_office("seal", TEXT, clock=True)


async def download(who: Client, mxc: str) -> str:
    path = f"/_matrix/client/v1/media/download/{mxc.removeprefix('mxc://')}"
    async with who.http.get(
        who.base + path, headers={"Authorization": f"Bearer {who.token}"}
    ) as got:
        if got.status == 404:  # Conduit 0.9 knows the older address only
            old = who.base + path.replace("client/v1/media", "media/v3")
            async with who.http.get(old) as got:
                return await got.text()
        return await got.text()


async def exported(office: Office) -> str:
    await office.says("bo", "!log export")
    file = await office.room.wait(
        lambda said: "url" in said.content and "My log" in said.text, "the log as a file"
    )
    return await download(office.world["bo"], file.content["url"])


async def every_event(who: Client, room: str) -> list[Said]:
    return (await Chat.from_the_start(who, room)).said


async def shows_nothing(office: Office, command: str) -> str:
    """The answer to `event`: refused before the line, or not shown from its answer."""
    answer = await office.asks("bo", command, within=20)
    assert answer.text.startswith((SEALED, "⛔ Not shown: ")), answer.text
    more = await office.asks("bo", "!more")
    assert TYPED not in answer.text + more.text
    return answer.text


async def test_a_moderator_reads_nothing_of_the_admin_room(office: Office) -> None:
    """By ids from the log that was exported, by any other that somebody may have learnt, and by
    those from before the bot came."""
    world, admin = office.world, office.world.server.admin_room
    typed = await world["ana"].say(admin, f"reset-password {TYPED}")
    await office.asks("bo", "!enableroom !x:y", within=20)
    text = await exported(office)
    records = [json.loads(line) for line in text.splitlines()]
    assert [r for r in records if r["record"] and r["record"]["kind"] == "outcome"]
    events = await every_event(world.server.ana, admin)
    assert typed in {said.id for said in events}
    assert not [said.id for said in events if said.id in text]

    lines = len(await office.lines("get-pdu"))
    refused = 0
    for said in [events[0], *events[-6:], *(each for each in events if each.id == typed)]:
        refused += SEALED in await shows_nothing(office, f"!event {said.id}")
    assert refused >= 6, "the bot sees these"
    assert len(await office.lines("get-pdu")) <= lines + 1
    office.room.said.clear()


async def test_an_event_of_a_private_room_is_sealed_too(office: Office) -> None:
    name = f"newcomer{office.world.suffix}"
    await office.asks("bo", f"!adduser {name}", within=20)
    private = await office.world.private("bo")
    events = await every_event(office.world["bo"], private.room)
    assert len(events) > 5
    for said in events[-3:]:
        assert SEALED in await shows_nothing(office, f"!event {said.id}")
    text = await exported(office)
    assert not [said.id for said in events if said.id in text]


async def test_a_reply_finds_no_file_of_the_admin_room(office: Office) -> None:
    world = office.world
    mxc = await world.server.ana.upload(b"x", "admin-file.txt", "text/plain")
    content = {"msgtype": "m.file", "body": "admin-file.txt", "url": mxc}
    event = await world.server.ana.send(world.server.admin_room, content)
    command = await world["bo"].reply(world.ops_room, event, "!purge reason x")
    answer = await office.room.answer_to(command)
    assert "that message has no file" in answer.text
    assert await world.server.ana.download_status(mxc) == 200


async def test_an_event_of_another_room_is_shown_as_ever(office: Office) -> None:
    eve = office.world["eve"]
    room = await eve.create_room(name="Chat")
    event = await eve.say(room, "buy pills")
    answer = await office.asks("bo", f"!event {event}", within=20)
    assert "It says: “buy pills”" in answer.text


@pytest.mark.skipif(os.environ.get("SLUICE_DB") == "postgres", reason="edits SQLite by hand")
async def test_the_first_start_says_once_who_lost_event(office: Office) -> None:
    """The database as version 1.0 left it, and a policy that says `#inspect` and no more."""
    bot = office.bot
    await bot.stop()
    with sqlite3.connect(bot.database.removeprefix("sqlite:")) as database:
        query = "SELECT value FROM sluice_meta WHERE key='groups'"
        groups = json.loads(database.execute(query).fetchone()[0])
        groups["#inspect"].append("event")
        update = "UPDATE sluice_meta SET value=? WHERE key='groups'"
        database.execute(update, (json.dumps(groups),))
    bot.set_policy(office.world.policy(TEXT.replace(", event, purge]", ", purge]")))
    for _ in range(2):
        await bot.start()
        await bot.process.logs("Sluice is ready")
        await office.asks("ana", "!version", within=20)
        await bot.stop()
    bot.set_policy(office.world.policy(TEXT))
    await bot.start()
    await bot.process.logs("Sluice is ready")
    await office.asks("ana", "!version", within=20)
    told = [said for said in office.room.said if "no longer allows event" in said.text]
    assert [said.text.split("\n")[1].partition(".")[0] for said in told] == [
        "Can no longer use it: bo and cy"
    ]
    assert office.world["ana"].mxid in told[0].mentions


# --- nothing runs that nobody meant


@pytest.mark.parametrize("words", ["never mind, wrong account", "cancel", "no", "❌", "!cancel"])
async def test_a_no_ends_the_question(office: Office, words: str) -> None:
    spam = await office.account()
    command = await office.says("bo", f"!deactivate {spam.mxid}")
    question = await office.room.answer_to(command)
    assert question.text.startswith("❓ Why?")
    reply = await office.replies("bo", question.id, words)
    said = await office.answer(reply, command)
    assert said.text.startswith("⛔ Not run: you said no.")
    await office.replies("bo", question.id, "casino links")
    await office.never_ran(spam)


async def test_a_tapped_no_ends_the_question(office: Office) -> None:
    spam = await office.account()
    command = await office.says("bo", f"!deactivate {spam.mxid}")
    question = await office.room.answer_to(command)
    tap = await office.taps("bo", question, "❌")
    said = await office.answer(tap, command)
    assert said.text.startswith("⛔ Not run: you said no.")
    await office.never_ran(spam)


async def test_a_command_as_an_answer_is_no_reason(office: Office) -> None:
    spam = await office.account()
    command = await office.says("bo", f"!deactivate {spam.mxid}")
    question = await office.room.answer_to(command)
    reply = await office.replies("bo", question.id, f"deactivate {spam.mxid} reason x")
    said = await office.answer(reply, command)
    assert "is a command, so I take it for no reason" in said.text
    await office.never_ran(spam)


async def test_a_list_whose_first_name_stands_behind_the_fence_is_whole(office: Office) -> None:
    two = [await office.account(), await office.account()]
    names = "\n".join(client.mxid for client in two)
    card = await office.card("ana", f"!deactivateall reason spam wave\n```{names}\n```")
    for client in two:
        assert client.mxid in card.said.text or client.localpart in card.said.text
    assert "2 accounts" in card.said.text


async def test_what_stands_below_a_name_makes_no_account(office: Office) -> None:
    name, before = f"alice{office.world.suffix}", await office.lines("create-user")
    for below, what in (
        ("\n\nthanks for your help", f"❓ Make only {name}? The rest is left out and not shown."),
        ("\nSecurePassword123", "⛔ Not run: passwords are never typed here, Conduit makes them."),
    ):
        answer = await office.asks("bo", f"!adduser {name}{below}")
        assert answer.text.startswith(what), answer.text
        assert not re.search("thanks|help|securepassword", answer.text.lower())
    await office.quiet()
    assert await office.lines("create-user") == before


async def test_thanks_below_a_name_is_dropped(office: Office) -> None:
    name, before = f"polly{office.world.suffix}", await office.lines("create-user")
    answer = await office.asks("bo", f"!adduser {name}\n\nthanks")
    assert answer.text.startswith(f"✅ New account @{name}\n"), answer.text
    (line,) = (await office.lines("create-user"))[len(before) :]
    assert line.endswith(f"create-user @{name}:{office.world.server.name}")


async def test_a_command_that_was_sent_twice_runs_once(office: Office) -> None:
    eve = await office.account("eve")
    for _ in range(2):
        last = await office.says("bo", f"!resetpw {eve.localpart}")
    again = await office.room.answer_to(last, within=20)
    assert re.match(r"❓ #\d+ (did that|is about that, asked for) .* ago\. Again\?", again.text)
    await office.quiet()
    assert len(await office.lines("reset-password", eve.localpart)) == 1
