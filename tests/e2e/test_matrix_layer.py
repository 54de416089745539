"""The Matrix layer on real servers, and the servers of the unit tests held to the real ones.

Every check runs on the homeserver in memory, in both flavours, and on the lab's homeserver:
Synapse, or the Conduit that CONDUIT_BIN names. Where the flavours differ the check says how.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from lab.client import Client, esc
from lab.homeserver import Conduit, homeserver
from sluice.db.connection import Database, Tx
from sluice.matrix.api import Homeserver, MatrixError, Refused
from sluice.matrix.encryption import Encryption
from sluice.matrix.outbox import Outbox
from sluice.matrix.probes import Account, Media, Name, Probes
from sluice.matrix.rooms import INFINITE, RoomView
from sluice.matrix.sender import Sender
from sluice.matrix.timeline import Reader
from sluice.model.event import event_of
from sluice.passwords.private import PrivateRooms
from sluice.text.message import Sign
from sluice.text.phrases import say
from tests.fake.homeserver import V3, FakeHomeserver
from tests.fake.world import Handler, account, database


@dataclass
class Place:
    """One server with the bot's account on it."""

    conduit: bool
    server: Any  # lab.homeserver.Homeserver, or None
    fake: FakeHomeserver | None
    http: aiohttp.ClientSession
    base: str
    db: Database
    bot: Client
    client: Any
    hs: Homeserver

    @property
    def name(self) -> str:
        return self.bot.server

    async def account(self, name: str) -> Client:
        """A fresh account; the name gets a tail that nobody had."""
        name = f"{name}-{secrets.token_hex(3)}"
        if self.server is not None:
            return await self.server.account(name)
        assert self.fake is not None
        return signed_in(self.fake, self.http, name)

    async def room(self, owner: Client, *others: Client, **more: Any) -> str:
        room = await owner.create_room(*(each.mxid for each in others), **more)
        for each in others:
            await each.join(room)
        return room

    def reader(self, room: str, handler: Handler, **more: Any) -> Reader:
        callbacks = {"gap": handler.on_gap, "broken": handler.on_broken}
        return Reader(self.hs, self.db, room, handler, **callbacks, **more)


def signed_in(fake: FakeHomeserver, http: aiohttp.ClientSession, name: str) -> Client:
    mxid, token = fake.register(name)
    found = {"user_id": mxid, "access_token": token, "device_id": "DEVICE"}
    return Client(http, fake.base).signed_in(found, "secret")


class Lab:
    """The lab's homeserver, started when the first test wants it."""

    def __init__(self, folder: Path, http: aiohttp.ClientSession) -> None:
        self._server, self._started = homeserver(folder, http), False

    async def server(self) -> Any:
        if not self._started:
            pytest.importorskip("synapse")
            self._started = True
            await self._server.start()
        return self._server

    async def stop(self) -> None:
        if self._started:
            await self._server.stop()


@pytest.fixture(scope="module")
async def lab(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lab]:
    async with aiohttp.ClientSession() as http:
        made = Lab(tmp_path_factory.mktemp("homeserver"), http)
        yield made
        await made.stop()


@pytest.fixture(params=["conduit in memory", "synapse in memory", "real"])
async def place(request: pytest.FixtureRequest, lab: Lab) -> AsyncIterator[Place]:
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        db = await stack.enter_async_context(database())
        server, fake = None, None
        if request.param == "real":
            server = await lab.server()
            conduit, base = isinstance(server, Conduit), server.base
            bot = await server.account(f"sluice-{secrets.token_hex(3)}")
        else:
            fake = await FakeHomeserver(request.param.partition(" ")[0]).start()
            stack.push_async_callback(fake.stop)
            conduit, base, bot = fake.conduit, fake.base, signed_in(fake, http, "sluice")
        client = await stack.enter_async_context(account(base, bot.mxid, bot.token, bot.device))
        yield Place(conduit, server, fake, http, base, db, bot, client, Homeserver(client))


# --- what the layer builds on


async def test_reading_begins_behind_the_newest_event_and_goes_forward(place: Place) -> None:
    bo = await place.account("bo")
    room = await place.room(bo, place.bot)
    first = await bo.say(room, "first")
    page = await place.hs.newest(room)
    assert [event.id for event in page.events] == [first]
    assert page.end is not None
    behind = await place.hs.messages(room, page.end)
    if place.conduit:
        assert (behind.events, behind.end) == ((), None), "nothing new, and the token is kept"
    else:
        assert [event.id for event in behind.events] == [first], "Synapse: once more"
    token = behind.end or page.end
    empty = await place.hs.messages(room, token)
    assert (empty.events, empty.end) == ((), None)
    sent = [await bo.say(room, str(number)) for number in range(5)]
    page = await place.hs.messages(room, token, 2)
    assert [event.id for event in page.events] == sent[:2]
    assert page.end is not None
    page = await place.hs.messages(room, page.end)
    assert [event.id for event in page.events] == sent[2:]


async def test_a_stranger_and_one_who_was_removed(place: Place) -> None:
    bo, eve = await place.account("bo"), await place.account("eve")
    room = await place.room(bo, place.bot)
    await bo.say(room, "secret")
    page = await place.hs.newest(room)
    assert page.end is not None
    path = f"{V3}/rooms/{esc(room)}/messages?dir=b&limit=1"
    headers = {"Authorization": f"Bearer {eve.token}"}
    async with place.http.get(place.base + path, headers=headers) as answer:
        assert answer.status == (200 if place.conduit else 403)
        bodies = [event["content"].get("body") for event in (await answer.json()).get("chunk", ())]
        assert "secret" not in bodies
    await bo.kick(room, place.bot.mxid)
    await bo.say(room, "among themselves")
    seen = (await place.hs.messages(room, page.end)).events
    exits = [event.content.get("membership") == "leave" for event in seen]
    assert any(exits), "the own exit can be read"
    assert exits[-1] is place.conduit, "on Conduit it is the last that can"

    assert room not in await place.hs.joined_rooms()
    with pytest.raises(Refused) as caught:
        await place.hs.send(room, "m.room.message", {"body": "x"}, "t")
    assert caught.value.status == 403


async def test_a_removal_may_be_hidden_from_who_was_removed(place: Place) -> None:
    bo = await place.account("bo")
    room = await place.room(bo, place.bot)
    page = await place.hs.newest(room)
    assert page.end is not None
    await bo.kick(room, place.bot.mxid)  # nothing was read since the room last changed
    seen = [event.content for event in (await place.hs.messages(room, page.end)).events]
    assert [content.get("membership") for content in seen] == (
        [] if place.conduit else ["join", "leave"]
    )


async def test_the_scope_of_a_txn_id(place: Place) -> None:
    one, two = await place.room(place.bot), await place.room(place.bot)
    content = {"msgtype": "m.text", "body": "x"}
    first = await place.hs.send(one, "m.room.message", content, "t1")
    assert await place.hs.send(one, "m.room.message", content, "t1") == first
    elsewhere = await place.hs.send(two, "m.room.message", content, "t1")
    assert (elsewhere == first) is place.conduit


async def test_what_is_not_there_is_said_to_be_missing(place: Place) -> None:
    room = await place.room(place.bot)
    assert await place.hs.event(room, "$" + "a" * 43) is None
    assert await place.hs.state_content(room, "m.room.encryption") is None
    assert await place.hs.alias(f"#nothing:{place.name}") is None
    assert await place.hs.account_data("org.example.nothing") is None
    assert await place.hs.profile(f"@nobody-at-all:{place.name}") is None
    with pytest.raises(Refused) as caught:
        await place.hs.messages(room, "x1-nonsense")
    assert caught.value.status == 400
    assert caught.value.errcode


async def test_a_redaction_empties_the_event_and_stands_in_the_timeline(place: Place) -> None:
    bo = await place.account("bo")
    room = await place.room(bo, place.bot, version="10")
    text = await bo.say(room, "bad words")
    with pytest.raises(Refused) as caught:
        await place.hs.redact(room, text, "r0")
    assert caught.value.status == 403
    await bo.set_power(room, place.bot.mxid, 50)
    page = await place.hs.newest(room)
    assert page.end is not None
    redaction = await place.hs.redact(room, text, "r1", "spam")
    emptied = await place.hs.event(room, text)
    assert emptied is not None
    assert emptied.content == {}
    last = (await place.hs.messages(room, page.end)).events[-1]
    assert (last.id, last.removes) == (redaction, text)
    again = await place.hs.redact(room, text, "r1", "spam")
    assert (again == redaction) is not place.conduit, "on Conduit /redact has no txn id"


@pytest.mark.parametrize("version", ["10", "11", "12"])
async def test_power_and_members_come_from_the_state(place: Place, version: str) -> None:
    bo, cy = await place.account("bo"), await place.account("cy")
    if version == "12" and place.server is not None and place.server.version.startswith("0.9"):
        pytest.skip("Conduit 0.9 has no version 12")
    room = await place.room(bo, place.bot, version=version)
    await bo.invite(room, cy.mxid)
    view = RoomView(room)
    await view.refresh(place.hs)
    assert view.version == version
    assert view.joined == {bo.mxid, place.bot.mxid}
    assert view.invited == {cy.mxid}
    assert view.power(bo.mxid) == (INFINITE if version == "12" else 100)
    assert view.power(place.bot.mxid) == 0
    assert view.join_rule == "invite"


async def test_a_message_that_is_too_large_is_refused_for_good(place: Place) -> None:
    room = await place.room(place.bot)
    content = {"msgtype": "m.text", "body": "x" * 66_000}
    with pytest.raises(Refused) as caught:
        await place.hs.send(room, "m.room.message", content, "t1")
    assert caught.value.status == 413


async def test_a_password_is_replaced_and_the_old_one_is_dead(place: Place) -> None:
    alice = await place.account("alice")
    session = await place.hs.login(alice.mxid, alice.password, "SLUICE")
    await place.hs.change_password(
        session, alice.password, "entirely-new-1", sign_out_others=False
    )
    await place.hs.logout(session)
    with pytest.raises(Refused):
        await place.hs.login(alice.mxid, alice.password, "SLUICE")
    assert (await alice.call("GET", f"{V3}/account/whoami"))["user_id"] == alice.mxid
    new = await place.hs.login(alice.mxid, "entirely-new-1", "SLUICE")
    path = ("_matrix", "client", "v3", "account", "whoami")
    found = await place.hs.request("GET", path, token=new.token)
    assert found["device_id"] == "SLUICE"


async def test_probes(place: Place) -> None:
    probes = Probes(place.hs, lambda: place.name)
    bo, gone = await place.account("bo"), await place.account("gone")
    if place.fake is not None:
        place.fake.accounts[gone.mxid].deactivated = True
    else:
        await gone.deactivate()
    assert await probes.account(bo.mxid) is Account.ACTIVE
    assert await probes.account(gone.mxid) is Account.DEACTIVATED
    assert await probes.account(f"@nobody:{place.name}") is Account.MISSING
    assert await probes.name(bo.localpart) is Name.TAKEN
    assert await probes.name(gone.localpart) is Name.TAKEN
    assert await probes.name(f"zoe-{secrets.token_hex(3)}") is Name.FREE
    mxc = await place.hs.upload(b"x" * 5000, "cat.png", "image/png")
    assert await probes.media(mxc) is Media.THERE
    assert await probes.media(f"mxc://{place.name}/nothing") is Media.GONE
    garden = await bo.create_room(preset="public_chat", name="Garden")
    facts = await probes.room(garden)
    assert facts is not None
    assert (facts.name, facts.members) == ("Garden", 1)
    assert await probes.room(await place.room(bo)) is None


# --- the layer itself


async def test_the_reader_hands_on_every_event_once_over_a_restart(place: Place) -> None:
    bo = await place.account("bo")
    room = await place.room(bo, place.bot)
    await bo.say(room, "before")
    handler = Handler()
    reader = place.reader(room, handler)
    await reader.start()
    await reader.catch_up()
    said = [str(number) for number in range(130)]
    for body in said[:65]:
        await bo.say(room, body)
    await reader.catch_up()
    await reader.stop()
    for body in said[65:]:
        await bo.say(room, body)
    reader = place.reader(room, handler)
    await reader.start()
    await reader.catch_up()
    await reader.check()
    await reader.stop()
    assert handler.done == said
    assert (handler.gaps, handler.broken) == ([], [])


async def test_the_reader_stops_when_we_are_removed_and_goes_on_when_we_are_back(
    place: Place,
) -> None:
    bo = await place.account("bo")
    room = await place.room(bo, place.bot)
    handler = Handler()
    reader = place.reader(room, handler)
    await reader.load()
    await reader.step()
    await bo.kick(room, place.bot.mxid)
    await bo.say(room, "unseen")
    for _ in range(3):
        reader.doorbell()
        await reader.step()
    assert not reader.joined
    await bo.invite(room, place.bot.mxid)
    await place.bot.join(room)
    await bo.say(room, "seen")
    for _ in range(3):
        reader.doorbell()
        await reader.step()
    assert reader.joined
    assert handler.done[-1] == "seen"
    assert handler.gaps == []


async def test_the_outbox_says_edits_reacts_and_takes_back(place: Place) -> None:
    bo = await place.account("bo")
    room = await place.room(bo, place.bot)
    outbox = Outbox(place.db, "nonce", place.bot.mxid)
    sender = Sender(place.hs, place.db, Encryption(place.client, place.hs), outbox)
    handler = Handler()
    reader = place.reader(room, handler)
    await reader.load()
    await reader.step()
    command = await bo.say(room, "!deactivate x")

    async def block(tx: Tx) -> None:
        await outbox.put(tx, room, "card", say(Sign.CARD, "#1 needs a vote"), reply_to=command)
        await outbox.buttons(tx, room, "card", ("✅", "❌"))
        await outbox.react(tx, room, command, "⏳")
        await outbox.unreact(tx, room, command, "⏳")
        await outbox.edit(tx, room, "card", say(Sign.DONE, "#1 done"))

    await place.db.write(block)
    assert await sender.drain() is None
    await place.db.write(lambda tx: outbox.buttons(tx, room, "card", ("✅",)))
    assert await sender.drain() is None
    await reader.step()
    await reader.step()
    assert handler.done == [
        "!deactivate x",
        "✋ #1 needs a vote",
        "m.reaction",
        "m.reaction",
        "m.reaction",
        "m.room.redaction",
        "* ✅ #1 done",
        "m.room.redaction",
    ]
    card = await place.db.read(lambda tx: outbox.event_of(tx, room, "card"))
    assert card is not None
    assert await place.db.read(lambda tx: outbox.key_of(tx, room, card)) == "card"
    left = await place.db.read(lambda tx: tx.fetch("SELECT kind, state FROM sluice_outbox"))
    assert sorted((row["kind"], row["state"]) for row in left) == [("message", 1), ("react", 1)]


async def test_a_private_room_holds_what_it_promises(place: Place) -> None:
    bo, eve = await place.account("bo"), await place.account("eve")
    rooms = PrivateRooms(place.hs, place.db, Encryption(place.client, place.hs))
    room = await rooms.ensure(bo.mxid)
    event_id = await rooms.send(room, bo.mxid, {"msgtype": "m.notice", "body": "mk4w"}, "s1")
    await bo.join(room)
    assert (await bo.event(room, event_id))["content"]["body"] == "mk4w", "sent before the join"
    if place.server is not None:  # the one in memory knows no such rules
        for attempt in (
            bo.invite(room, eve.mxid),
            bo.kick(room, place.bot.mxid),
            bo.set_state(room, "m.room.history_visibility", {"history_visibility": "shared"}),
        ):
            with pytest.raises(Exception, match="403"):
                await attempt
    assert await rooms.ensure(bo.mxid) == room
    await bo.leave(room)
    assert await rooms.ensure(bo.mxid) == room, "who left is invited again"
    await bo.join(room)


async def test_an_encrypted_private_room_can_be_read_by_its_recipient_and_the_bot(
    place: Place,
) -> None:
    if place.server is None:
        pytest.skip("keys need a real server")
    olm = pytest.importorskip("mautrix.crypto")
    bo = await place.account("bo")
    async with AsyncExitStack() as stack:
        theirs = await stack.enter_async_context(account(place.base, bo.mxid, bo.token, bo.device))
        for client in (place.client, theirs):
            await with_crypto(olm, client)
            stack.callback(client.stop)
        encryption = Encryption(place.client, place.hs)
        await encryption.start()
        await theirs.crypto.share_keys()
        rooms = PrivateRooms(place.hs, place.db, encryption)
        room = await rooms.ensure(bo.mxid)
        event_id = await rooms.send(room, bo.mxid, {"msgtype": "m.notice", "body": "mk4w"}, "s1")
        await bo.join(room)
        sealed = await bo.event(room, event_id)
        assert sealed["type"] == "m.room.encrypted"
        assert "mk4w" not in str(sealed)

        reading = Encryption(theirs, Homeserver(theirs))
        event = event_of({**sealed, "room_id": room})
        opened = await eventually(lambda: reading.unseal(event))
        assert opened.content["body"] == "mk4w"
        assert opened.unsealed
        own = await encryption.unseal(event)
        assert own.content["body"] == "mk4w"
        forged = event_of({**sealed, "room_id": room, "state_key": ""})
        assert await encryption.unseal(forged) == forged, "a state event is what it says it is"


async def with_crypto(olm: Any, client: Any) -> None:
    from mautrix.client.state_store import MemoryStateStore

    class StateStore(MemoryStateStore, olm.StateStore):  # type: ignore[misc, name-defined]
        async def find_shared_rooms(self, user_id: str) -> list[str]:
            return []

    state = StateStore()
    client.state_store = state
    client.crypto = olm.OlmMachine(client, olm.MemoryCryptoStore(client.mxid, "pickle"), state)
    await client.crypto.load()
    client.ignore_initial_sync = client.ignore_first_sync = False
    client.start(None)


async def eventually(attempt: Any) -> Any:
    """Keys travel with sync."""
    for _ in range(100):
        try:
            return await attempt()
        except Exception as exc:
            error = exc
        await asyncio.sleep(0.05)
    raise error


async def test_a_server_that_is_not_there_is_no_response(place: Place) -> None:
    async with account("http://127.0.0.1:9", place.bot.mxid, "x", "D") as client:
        with pytest.raises(MatrixError, match="ClientConnector"):
            await Homeserver(client).joined_rooms()
