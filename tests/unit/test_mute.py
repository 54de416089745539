"""A room where the bot cannot speak runs nothing, and hears later what it was to hear."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from attrs import evolve

from sluice.matrix.encryption import MEGOLM, Encryption, NoCrypto
from sluice.matrix.outbox import Outbox
from sluice.matrix.rooms import RoomView
from sluice.matrix.sender import TRIES, Sender
from sluice.model.command import Typed
from sluice.model.event import event_of
from sluice.model.request import State
from sluice.requests import guard, reweigh
from sluice.settings import load
from sluice.text.message import Sign
from sluice.text.phrases import say
from tests.fake.homeserver import Fault
from tests.fake.world import World, world
from tests.unit.ops import ANA, BO, CY, DAN, EVE, HAL, POLICY, Ops, ops
from tests.unit.scenes import SERVER, at
from tests.unit.test_attacks import ASK, Room
from tests.unit.test_rooms import state

SPEAK = "m.room.message"
NO_ALGORITHM: dict[str, Any] = {}


@pytest.fixture
async def office() -> AsyncIterator[Ops]:
    """With a second ops room, the first one's sister: ana and cy are in it."""
    async with ops() as made:
        other = made.fake.room(ANA, CY, made.live.me, version="10")
        text = POLICY.replace('"!opsroom:example.org"', f'"{made.room}", "{other}"')
        loaded = load(text, server=SERVER, now=at("09:00"))
        assert loaded.settings is not None, loaded.errors
        made.live.settings = loaded.settings
        made.rooms.open(RoomView(other))
        await made.rooms.views[other].refresh(made.hs)
        yield made


@pytest.fixture
def room(office: Ops) -> Room:
    return Room(office)


def other_of(office: Ops) -> str:
    return office.live.in_force.ops_rooms[1]


async def levels(room: Room, **changed: Any) -> str:
    """ana changes the power levels, and the bot reads that."""
    place = room.ops.fake.rooms[room.ops.room]
    content = {**place.state["m.room.power_levels", ""]["content"], **changed}
    event = room.ops.fake.put(room.ops.room, ANA, "m.room.power_levels", content, "")
    await room.event(ANA, "m.room.power_levels", content, state_key="", event_id=event)
    return event


def with_power(room: Room, **powers: int) -> dict[str, int]:
    place = room.ops.fake.rooms[room.ops.room]
    users = place.state["m.room.power_levels", ""]["content"]["users"]
    return {**users, **{f"@{name}:example.org": level for name, level in powers.items()}}


async def mutes(room: Room) -> str:
    return await levels(room, users=with_power(room, sluice=-1))


async def unmutes(room: Room) -> str:
    return await levels(room, users=with_power(room, sluice=0))


async def said_in(office: Ops, place: str) -> list[dict[str, Any]]:
    query = "SELECT content FROM sluice_outbox WHERE room=$1 AND kind='message' ORDER BY id"
    rows = await office.db.read(lambda tx: tx.fetch(query, place))
    return [json.loads(row["content"]) for row in rows if row["content"]]


async def bodies(office: Ops, place: str) -> list[str]:
    return [content["body"] for content in await said_in(office, place)]


async def count(office: Ops) -> int:
    query = "SELECT COUNT(*) FROM sluice_request"
    return int(await office.db.read(lambda tx: tx.fetchval(query)))


# --- who may send what


@pytest.mark.parametrize(
    ("content", "able"),
    [
        ({}, True),
        ({"events_default": 50}, False),
        ({"events_default": 50, "users": {BO: 50}}, True),
        ({"events_default": 50, "events": {SPEAK: 0}}, True),
        ({"events": {SPEAK: 1}}, False),
        ({"events": {SPEAK: "1"}}, False),
        ({"events": {SPEAK: 1}, "users_default": 1}, True),
        ({"users": {BO: -1}}, False),
        ({"users_default": -1}, False),
        ({"users_default": -1, "users": {BO: 0}}, True),
        ({"events": "x", "users": None}, True),
        ({"events": {SPEAK: None}}, True),
    ],
)
def test_the_power_to_write_is_read_as_servers_do(content: dict[str, Any], able: bool) -> None:
    for version, creator in (("10", ANA), ("12", ANA), ("12", BO)):
        view = RoomView("!r")
        made = {"room_version": version}
        create = {"type": "m.room.create", "state_key": "", "sender": creator, "content": made}
        view.apply(event_of(create))
        view.apply(state("m.room.power_levels", content))
        assert view.can_send(SPEAK, BO) is (able or creator == BO), version


MUTED: list[tuple[str, dict[str, Any]]] = [
    ("power", {"users": {ANA: 100, "@sluice:example.org": -1}}),
    ("for all", {"events_default": 50}),
    ("messages only", {"events": {SPEAK: 50}}),
    ("users_default", {"users_default": -1, "users": {ANA: 100, BO: 0, CY: 0, DAN: 0, HAL: 30}}),
]


async def said_of(office: Ops, room: str) -> tuple[Any, ...]:
    """The problems as `status` names them in a room."""
    return await office.db.read(lambda tx: office.drift.words(tx, room))


@pytest.mark.parametrize(("how", "content"), MUTED)
async def test_what_is_typed_where_the_bot_cannot_write_is_not_run(
    office: Ops, room: Room, how: str, content: dict[str, Any]
) -> None:
    await levels(room, **content)
    before = await count(office)
    for who, line in (
        (BO, "!memory"),
        (BO, ASK),
        (DAN, "!glass deactivate @spam:example.org reason x"),
        (BO, "!adduser"),
        (ANA, "!resume"),
        (ANA, "!reload"),
        (ANA, "!trust bo"),
        (BO, "!status"),
        (BO, "!deactivate two names and more"),
        (ANA, "!resolve 1 done"),
        (BO, "!more"),
        (EVE, "!users"),
        (BO, "good morning"),
        (BO, "!nothing of mine"),
    ):
        await room.says(who, line)
    assert await count(office) == before, how
    waiting = await said_in(office, office.room)
    assert [content["body"] for content in waiting] == [
        "⛔ Not run: the 11 commands typed here while I could not write here.\n"
        "Send again what is still right."
    ]
    assert waiting[0]["m.mentions"]["user_ids"] == [BO, DAN, ANA]
    await unmutes(room)
    await levels(room, events={}, events_default=0, users_default=0)
    await room.says(BO, "!memory")
    assert await count(office) == before + 1, "it runs again, once it can be told"


async def test_an_encrypted_room_needs_the_power_for_encrypted_messages(
    office: Ops, room: Room
) -> None:
    office.rooms.crypto = True
    algorithm = {"algorithm": MEGOLM}
    await room.event(ANA, "m.room.encryption", algorithm, state_key="")
    assert office.rooms.mute(office.room) == ""
    await levels(room, events={SPEAK: 50})
    assert office.rooms.mute(office.room) == ""
    await levels(room, events={"m.room.encrypted": 50})
    assert office.rooms.mute(office.room) == "mute"
    office.rooms.crypto = False
    assert office.rooms.mute(office.room) == "no_crypto"
    office.rooms.crypto = True
    await levels(room, events={})
    await room.event(ANA, "m.room.encryption", {"algorithm": "m.other.v9"}, state_key="")
    assert office.rooms.mute(office.room) == "odd_crypto"
    await room.event(ANA, "m.room.encryption", NO_ALGORITHM, state_key="")
    assert office.rooms.mute(office.room) == "", "emptied: encrypted, as it was"
    assert office.rooms.views[office.room].encrypted


async def test_what_the_server_refuses_counts_whatever_the_power_levels_say(
    office: Ops, room: Room
) -> None:
    office.outbox.refused[office.room] = "403 M_FORBIDDEN"
    before = await count(office)
    await room.says(BO, "!memory")
    assert await count(office) == before
    office.outbox.refused.clear()
    await room.says(BO, "!memory")
    assert await count(office) == before + 1


async def test_a_no_counts_in_a_mute_room_and_a_yes_waits_there(office: Ops, room: Room) -> None:
    await room.says(BO, ASK)
    card = await room.sent("request.1.card")
    await mutes(room)
    await room.taps(CY, card)
    assert (await office.request(1)).queued_since is not None, "the vote is stored"
    assert await office.db.read(lambda tx: guard.next_turn(office.desk(tx))) is None
    turn = guard.Turn(1, 1)
    planned = office.planned((await office.request(1)).invocation)
    desk = office.desk
    went = await office.db.write(lambda tx: guard.begin(desk(tx), turn, planned, {}))
    assert isinstance(went, guard.Wait), "muted between the approval and the line"
    await unmutes(room)
    await office.runs()
    assert (await office.request(1)).state is State.DONE


@pytest.mark.parametrize("no", ["tap", "!deny 1 no", "!cancel 1", "reply", "redaction"])
async def test_whatever_stops_something_stops_it_in_a_mute_room_too(
    office: Ops, room: Room, no: str
) -> None:
    command = await room.says(BO, ASK)
    card = await room.sent("request.1.card")
    await mutes(room)
    if no == "tap":
        await room.taps(CY, card, "❌")
    elif no == "reply":
        await room.says(CY, "no", reply_to=card)
    elif no == "redaction":
        await room.event(BO, "m.room.redaction", {"redacts": command})
    else:
        await room.says(BO if "cancel" in no else CY, no)
    assert (await office.request(1)).state in (State.DENIED, State.CANCELLED)


async def test_an_edit_in_a_mute_room_cancels_and_starts_nothing(office: Ops, room: Room) -> None:
    command = await room.says(BO, ASK)
    await room.sent("request.1.card")
    await mutes(room)
    await room.edits(BO, command, ASK.replace("spam", "max"))
    assert (await office.request(1)).state is State.CANCELLED
    assert await count(office) == 1


async def test_a_question_is_not_answered_in_a_mute_room(office: Ops, room: Room) -> None:
    await room.says(BO, "!deactivate @spam:example.org")
    question = next(iter(office.dialog._open.values()))
    event = await room.sent(question.key)
    await mutes(room)
    await room.says(BO, "casino links", reply_to=event)
    assert await count(office) == 0
    await unmutes(room)
    await room.says(BO, "casino links", reply_to=event)
    assert await count(office) == 1


async def test_a_pause_in_a_mute_room_holds_and_other_rooms_hear_it(
    office: Ops, room: Room
) -> None:
    await mutes(room)
    await room.says(BO, "!pause something is wrong")
    [told] = [c for c in await said_in(office, other_of(office)) if "Paused" in c["body"]]
    assert told["body"].startswith("❗ Paused by bo")
    assert office.room in told["body"], "which room it was"
    assert told["m.mentions"]["user_ids"] == [ANA]


async def test_what_stands_in_a_mute_room_expires_and_does_not_block_other_rooms(
    office: Ops, room: Room
) -> None:
    await room.says(BO, "!memory")
    await mutes(room)
    where = evolve(office._where(CY), room=other_of(office))
    typed = office.commands.read(where.room, {"msgtype": "m.text", "body": "!memory"})
    assert isinstance(typed, Typed)
    await office._done(await office.commands.take(where, typed))
    turn = await office.db.read(lambda tx: guard.next_turn(office.desk(tx)))
    assert turn == guard.Turn(2, 1), "the one behind it goes"
    await unmutes(room)
    await room.says(BO, ASK)
    await mutes(room)
    office.clock.go(3700)
    await office.db.write(lambda tx: reweigh.tick(office.desk(tx)))
    assert (await office.request(3)).state is State.EXPIRED


# --- who is told


async def test_other_rooms_are_told_with_the_missing_power_and_the_remedy(
    office: Ops, room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    await mutes(room)
    assert office.drift._due.is_set(), "looked at as soon as it is read"
    await office.drift.hourly()
    await office.drift.hourly()
    [told] = await said_in(office, other_of(office))
    assert told["body"] == (
        f"❗ {office.room}: I cannot write in this room, so nothing typed there runs.\n"
        "My power is -1, “Send messages” needs 0: change it in the room's settings, "
        "Roles & Permissions."
    )
    assert told["m.mentions"]["user_ids"] == [ANA], "the owners there"
    assert await said_in(office, office.room) == []
    assert "“Send messages” needs 0" in caplog.text
    words = " ".join(str(line) for line in await said_of(office, other_of(office)))
    assert "Send messages" in words
    await unmutes(room)
    assert "Send messages" not in " ".join(str(w) for w in await said_of(office, office.room))


async def test_an_alarm_for_a_mute_main_room_is_said_where_it_can_be_heard_too(
    office: Ops, room: Room
) -> None:
    await mutes(room)
    assert office.rooms.told_rooms == (office.room, other_of(office))
    await unmutes(room)
    assert office.rooms.told_rooms == (office.room,)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"events": {"m.reaction": 50}},
            "I cannot react in this room, so what I ask has no buttons. My power is 0",
        ),
        ({"events": {"m.reaction": 50}}, "Not everybody can tap ✅ in this room: bo, cy, dan"),
        ({"events": {"m.room.redaction": 100}}, "I cannot remove my reactions in this room"),
        ({"events": {"m.room.redaction": 50}}, "take a tap back in this room: bo, cy, dan"),
    ],
)
async def test_missing_power_for_reactions_and_redactions_is_a_problem_and_stops_nothing(
    office: Ops, room: Room, changed: dict[str, Any], said: str
) -> None:
    await levels(room, **changed)
    words = ["".join(str(word) for word in line) for line in await said_of(office, office.room)]
    assert any(said in line for line in words), words
    assert office.rooms.mute(office.room) == ""
    await room.says(BO, "!memory")
    assert await count(office) == 1


async def test_the_card_says_what_to_type_where_voters_cannot_tap(office: Ops, room: Room) -> None:
    await levels(room, events={"m.reaction": 50})
    await room.says(BO, ASK)
    [card] = await bodies(office, office.room)
    assert card.splitlines()[-1] == (
        "Vote by 15:03 UTC: cy, ana or dan, with !approve 1 or !deny 1 why"
    ), card
    await levels(room, events={})
    await room.says(HAL, "!memory")
    await room.says(CY, "!approve 1")
    assert (await office.request(1)).queued_since is not None


async def test_an_emptied_encryption_is_an_alarm(office: Ops, room: Room) -> None:
    office.rooms.crypto = True
    put, algorithm = office.fake.put, {"algorithm": MEGOLM}
    put(office.room, ANA, "m.room.encryption", algorithm, "")
    await office.drift.hourly()
    assert await said_in(office, office.room) == []
    office.fake.rooms[office.room].state["m.room.encryption", ""]["content"] = {}
    await office.drift.hourly()
    [said] = await said_in(office, office.room)
    assert said["body"].startswith("❗ Somebody erased this room's encryption setting")
    assert office.rooms.views[office.room].encrypted


# --- what is said later


@pytest.fixture
async def w() -> AsyncIterator[World]:
    async with world("conduit") as made:
        yield made


def done(text: str) -> Any:
    return say(Sign.DONE, text)


async def put(w: World, outbox: Outbox, room: str, *keys: str) -> None:
    for key in keys:
        await w.db.write(lambda tx, k=key: outbox.put(tx, room, k, done(k)))


def speech(w: World, room: str, silent: set[str], failed: list[str]) -> dict[str, Any]:
    return {
        "may": lambda place: place not in silent,
        "held": lambda place: say(Sign.NEWS, "Held back:"),
        "failed": failed.append,
    }


async def muted(w: World) -> tuple[str, str, Outbox, Sender, set[str], list[str]]:
    bo = w.fake.register("bo")[0]
    room, other = w.fake.room(bo, w.bot, version="10"), w.fake.room(bo, w.bot, version="10")
    silent: set[str] = {room}
    failed: list[str] = []
    outbox, sender = w.outbox(**speech(w, room, silent, failed))
    w.fake.put(room, bo, "m.room.power_levels", {"users": {bo: 100, w.bot: -1}}, "")
    return room, other, outbox, sender, silent, failed


async def test_what_cannot_be_said_is_kept_and_said_in_order_with_a_word_ahead(w: World) -> None:
    room, other, outbox, sender, _, _ = await muted(w)
    await put(w, outbox, room, "one", "two")
    await w.db.write(lambda tx: outbox.buttons(tx, room, "one", ("✅",)))
    await put(w, outbox, other, "elsewhere")
    for _ in range(3 * TRIES):
        await sender.drain()
        w.clock.go(100)
    assert w.fake.bodies(other, w.bot) == ["✅ elsewhere"]
    assert w.fake.bodies(room, w.bot) == []
    assert room in outbox.refused
    await put(w, outbox, room, "three")
    _, sender = outbox, Sender(w.hs, w.db, Encryption(w.client, w.hs), outbox, now=w.clock)
    w.fake.put(room, "@bo:fake.test", "m.room.power_levels", {"users": {w.bot: 0}}, "")
    await sender.drain()
    assert w.fake.bodies(room, w.bot) == ["🔔 Held back:", "✅ one", "✅ two", "✅ three"]
    kinds = [e["type"] for _, e in w.fake.rooms[room].events if e["sender"] == w.bot]
    assert kinds.count("m.reaction") == 1, "buttons too"
    assert outbox.refused == {}
    await put(w, outbox, room, "four")
    await sender.drain()
    assert w.fake.bodies(room, w.bot)[4:] == ["✅ four"]


async def test_as_soon_as_the_room_says_that_it_may_it_speaks(w: World) -> None:
    room, _, outbox, sender, silent, _ = await muted(w)
    await put(w, outbox, room, "one")
    for _ in range(6):
        await sender.drain()
        w.clock.go(20)
    w.fake.put(room, "@bo:fake.test", "m.room.power_levels", {"users": {w.bot: 0}}, "")
    silent.clear()
    assert await sender.drain() is None, "no waiting for the next try"
    assert w.fake.bodies(room, w.bot) == ["🔔 Held back:", "✅ one"]


async def test_a_message_that_only_this_server_refuses_is_dropped_after_a_while(w: World) -> None:
    bo = w.fake.register("bo")[0]
    room = w.fake.room(bo, w.bot)
    outbox, sender = w.outbox(held=lambda place: say(Sign.NEWS, "Held back:"))
    w.fake.faults = [Fault("/send", 403, {"errcode": "M_FORBIDDEN"}, times=TRIES + 1)]
    await put(w, outbox, room, "one", "two")
    for _ in range(TRIES + 1):
        assert w.fake.bodies(room, w.bot) == []
        await sender.drain()
        w.clock.go(100)
    await sender.drain()
    assert w.fake.bodies(room, w.bot) == ["✅ two"]
    assert outbox.refused == {}


@pytest.mark.parametrize("kind", ["react", "redact"])
async def test_a_reaction_or_removal_that_is_refused_holds_nothing_up(w: World, kind: str) -> None:
    bo = w.fake.register("bo")[0]
    room = w.fake.room(bo, w.bot, version="10")
    event = w.fake.say(room, bo, "!memory")
    events = {"m.reaction": 50, "m.room.redaction": 50}
    w.fake.put(room, bo, "m.room.power_levels", {"users": {}, "events": events}, "")
    asked: list[str] = []
    outbox, sender = w.outbox(able=lambda place, kind: bool(asked.append(kind)))
    call = outbox.redact if kind == "redact" else outbox.react
    await w.db.write(lambda tx: call(tx, room, event, "⏳"))
    await put(w, outbox, room, "one")
    assert await sender.drain() is None
    assert w.fake.bodies(room, w.bot) == ["✅ one"]
    assert asked == ["m.room.redaction" if kind == "redact" else "m.reaction"]


async def test_a_button_is_kept_if_it_is_refused_before_the_bot_knows_that_it_is_mute(
    w: World,
) -> None:
    room, _, outbox, sender, silent, _ = await muted(w)
    silent.clear()
    event = w.fake.say(room, "@bo:fake.test", "!users")
    await w.db.write(lambda tx: outbox.react(tx, room, event, "⏳"))
    await sender.drain()
    silent.add(room)
    w.clock.go(1000)
    for _ in range(TRIES):
        await sender.drain()
        w.clock.go(1000)
    w.fake.put(room, "@bo:fake.test", "m.room.power_levels", {"users": {w.bot: 0}}, "")
    await sender.drain()
    assert [e["type"] for _, e in w.fake.rooms[room].events][-1] == "m.reaction"


async def test_without_crypto_what_is_said_in_an_encrypted_room_is_kept(w: World) -> None:
    bo = w.fake.register("bo")[0]
    room = w.fake.room(bo, w.bot)
    w.fake.put(room, bo, "m.room.encryption", {"algorithm": MEGOLM}, "")
    outbox, sender = w.outbox(**speech(w, room, {room}, []))
    await put(w, outbox, room, "a result")
    await w.db.write(lambda tx: outbox.put(tx, room, "2", done("I cannot read"), clear=True))
    await sender.drain()
    assert w.fake.bodies(room, w.bot) == ["✅ I cannot read"]
    w.clock.go(1000)
    await sender.drain()
    left = "SELECT key FROM sluice_outbox WHERE state=0 ORDER BY id"
    keys = [row["key"] for row in await w.db.read(lambda tx: tx.fetch(left))]
    assert keys[1:] == ["a result"], keys
    assert keys[0].startswith("held.")
    assert outbox.refused[room] == str(NoCrypto(room))


async def test_what_sends_goes_on_after_any_error_and_says_so(
    w: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row whose fate cannot be stored, for whatever reason: other rooms do not feel it."""
    bo = w.fake.register("bo")[0]
    room, other = w.fake.room(bo, w.bot), w.fake.room(bo, w.bot)
    failed: list[str] = []
    outbox, sender = w.outbox(failed=failed.append)
    trigger = (
        "CREATE TRIGGER broken BEFORE UPDATE ON sluice_outbox WHEN NEW.key='bad' "
        "BEGIN SELECT RAISE(ABORT, 'constraint'); END"
    )
    await w.db.write(lambda tx: tx.execute(trigger))
    await put(w, outbox, room, "bad")
    await put(w, outbox, other, "good")
    sender.start()
    try:
        while not failed or w.fake.bodies(other, w.bot) != ["✅ good"]:
            await asyncio.sleep(0.01)
        await put(w, outbox, other, "more")
        while len(w.fake.bodies(other, w.bot)) < 2:
            await asyncio.sleep(0.01)
    finally:
        await sender.stop()
    assert failed == ["IntegrityError"]
    await w.db.write(lambda tx: tx.execute("DROP TRIGGER broken"))
    w.clock.go(100)
    sender = Sender(w.hs, w.db, Encryption(w.client, w.hs), outbox, now=w.clock)
    await sender.drain()
    assert w.fake.bodies(room, w.bot) == ["✅ bad"], "said once"


async def test_a_try_that_sends_nothing_writes_nothing(w: World) -> None:
    bo = w.fake.register("bo")[0]
    room = w.fake.room(bo, w.bot)
    outbox, sender = w.outbox()
    await put(w, outbox, room, "one")
    w.fake.faults = [Fault("/send", 502, times=3)]
    commits: list[None] = []
    w.db.after_write(lambda: commits.append(None))
    for _ in range(3):
        await sender.drain()
        w.clock.go(100)
    assert commits == []
    await sender.drain()
    assert len(commits) == 1


async def test_no_room_is_left_half_sent_when_another_cannot_be_stored(
    w: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`drain` ends when every room has: the next one starts none that still runs."""
    bo = w.fake.register("bo")[0]
    rooms = [w.fake.room(bo, w.bot) for _ in range(3)]
    outbox, sender = w.outbox()
    for each in rooms:
        await put(w, outbox, each, "one", "two")
    pages = await w.db.read(lambda tx: tx.fetchval("PRAGMA page_count"))
    await w.db.read(lambda tx: tx.execute(f"PRAGMA max_page_count={pages}"))
    running = 0
    original = Sender._drain

    async def counted(self: Sender, room: str) -> None:
        nonlocal running
        running += 1
        try:
            await original(self, room)
        finally:
            running -= 1

    monkeypatch.setattr(Sender, "_drain", counted)
    await sender.drain()
    assert running == 0
