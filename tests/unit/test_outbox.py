"""What the bot says arrives once and in order, whatever the server and the network do."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sluice.db.connection import Tx
from sluice.matrix.encryption import NoCrypto
from sluice.matrix.outbox import SIZE, Outbox, fitting
from sluice.matrix.sender import Sender
from sluice.model.event import event_of
from sluice.text.message import Message, Sign
from sluice.text.phrases import say
from tests.fake.homeserver import Fault
from tests.fake.world import World, world

RUNS = int(os.environ.get("SLUICE_RUNS", "30"))


@pytest.fixture(params=["conduit", "synapse"])
async def w(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with world(request.param) as made:
        yield made


@pytest.fixture
def bo(w: World) -> str:
    return w.fake.register("bo")[0]


@pytest.fixture
def room(w: World, bo: str) -> str:
    return w.fake.room(bo, w.bot)


@pytest.fixture
def box(w: World) -> tuple[Outbox, Sender]:
    return w.outbox()


def done(text: str) -> Message:
    return say(Sign.DONE, text)


def seen(w: World, room: str, kind: str) -> list[dict[str, Any]]:
    return [
        event
        for _, event in w.fake.rooms[room].events
        if event["sender"] == w.bot and event["type"] == kind
    ]


async def write(w: World, *calls: Any) -> None:
    async def block(tx: Tx) -> None:
        for method, *rest in calls:
            await method(tx, *rest)

    await w.db.write(block)


async def read_back(w: World, room: str, outbox: Outbox) -> None:
    """What the reader of the room does with the bot's own messages."""
    for _, event in w.fake.rooms[room].events:
        block = outbox.seen(event_of(event))
        if block is not None:
            await w.db.write(block)


async def test_a_message_an_edit_and_buttons(
    w: World, room: str, box: tuple[Outbox, Sender]
) -> None:
    outbox, sender = box
    await write(
        w,
        (outbox.put, room, "card", say(Sign.CARD, "#19 needs 1 vote", push=("@cy:x",))),
        (outbox.buttons, room, "card", ("✅", "❌")),
        (outbox.edit, room, "card", say(Sign.RUNNING, "#19 is running", push=("@cy:x",))),
    )
    assert await sender.drain() is None
    card, edit = seen(w, room, "m.room.message")
    assert card["content"]["m.mentions"] == {"user_ids": ["@cy:x"]}
    assert edit["content"]["body"] == "* ⏳ #19 is running"
    assert edit["content"]["formatted_body"] == "* ⏳ #19 is running"
    assert edit["content"]["m.mentions"] == {}, "an edit pushes nobody"
    assert edit["content"]["m.new_content"]["body"] == "⏳ #19 is running"
    assert edit["content"]["m.relates_to"] == {
        "rel_type": "m.replace",
        "event_id": card["event_id"],
    }
    buttons = [event["content"]["m.relates_to"] for event in seen(w, room, "m.reaction")]
    assert [(button["key"], button["event_id"]) for button in buttons] == [
        ("✅", card["event_id"]),
        ("❌", card["event_id"]),
    ]
    assert await w.db.read(lambda tx: outbox.event_of(tx, room, "card")) == card["event_id"]
    assert await w.db.read(lambda tx: outbox.key_of(tx, room, card["event_id"])) == "card"
    assert await w.db.read(lambda tx: outbox.key_of(tx, room, edit["event_id"])) is None


async def test_buttons_are_exactly_those_that_were_last_wanted(
    w: World, room: str, box: tuple[Outbox, Sender]
) -> None:
    outbox, sender = box
    await write(
        w, (outbox.put, room, "card", done("x")), (outbox.buttons, room, "card", ("✅", "❌"))
    )
    await sender.drain()
    await write(w, (outbox.buttons, room, "card", ("✅", "🔁")))
    await write(w, (outbox.buttons, room, "card", ("✅", "🔁")))
    await sender.drain()
    standing = [
        event["content"]["m.relates_to"]["key"]
        for event in seen(w, room, "m.reaction")
        if event["content"]
    ]
    assert standing == ["✅", "🔁"]
    await write(w, (outbox.buttons, room, "card", ()))
    await sender.drain()
    assert not any(event["content"] for event in seen(w, room, "m.reaction"))
    await write(w, (outbox.buttons, room, "card", ("✅",)))
    await sender.drain()
    assert seen(w, room, "m.reaction")[-1]["content"]["m.relates_to"]["key"] == "✅"


async def test_a_reply_a_reaction_on_a_command_and_its_removal(
    w: World, room: str, bo: str, box: tuple[Outbox, Sender]
) -> None:
    outbox, sender = box
    command = w.fake.say(room, bo, "!users")
    await write(w, (outbox.react, room, command, "⏳"))
    await write(w, (outbox.unreact, room, command, "⏳"), (outbox.unreact, room, command, "⏳"))
    await w.db.write(lambda tx: outbox.put(tx, room, "answer", done("x"), reply_to=command))
    await sender.drain()
    (answer,) = seen(w, room, "m.room.message")
    assert answer["content"]["m.relates_to"] == {"m.in_reply_to": {"event_id": command}}
    (reaction,) = seen(w, room, "m.reaction")
    assert reaction["content"] == {}
    assert len(seen(w, room, "m.room.redaction")) == 1


async def test_a_key_is_used_once(w: World, room: str, box: tuple[Outbox, Sender]) -> None:
    outbox, sender = box
    await write(w, (outbox.put, room, "k", done("one")), (outbox.put, room, "k", done("two")))
    await sender.drain()
    await write(w, (outbox.put, room, "k", done("three")))
    await sender.drain()
    assert w.fake.bodies(room, w.bot) == ["✅ one"]


async def test_what_is_said_by_a_transaction_that_fails_is_not_said(
    w: World, room: str, box: tuple[Outbox, Sender]
) -> None:
    outbox, sender = box

    async def block(tx: Tx) -> None:
        await outbox.put(tx, room, "k", done("x"))
        raise RuntimeError("after all")

    with pytest.raises(RuntimeError):
        await w.db.write(block)
    assert not outbox.wake.is_set()
    await sender.drain()
    assert w.fake.bodies(room, w.bot) == []


async def test_a_commit_wakes_the_sender(w: World, room: str, box: tuple[Outbox, Sender]) -> None:
    outbox, sender = box
    sender.start()
    outbox.wake.clear()
    await write(w, (outbox.put, room, "k", done("x")))
    assert outbox.wake.is_set()
    await sender.stop()


@pytest.mark.parametrize("status", [None, 429, 500, 502, 401])
async def test_what_may_pass_is_tried_again_and_nothing_overtakes(
    w: World, room: str, bo: str, box: tuple[Outbox, Sender], status: int | None
) -> None:
    outbox, sender = box
    other = w.fake.room(bo, w.bot)
    body = {"errcode": "M_X", "error": "", "retry_after_ms": 4000}
    w.fake.faults = [Fault(f"/rooms/{room}/send", status, body, acted=True)]
    await write(
        w,
        (outbox.put, room, "1", done("one")),
        (outbox.put, room, "2", done("two")),
        (outbox.put, other, "1", done("other")),
    )
    wait = await sender.drain()
    assert wait == pytest.approx(4.0 if status == 429 else 0.5, abs=0.01)
    assert w.fake.bodies(other, w.bot) == ["✅ other"], "other rooms do not wait"
    assert await sender.drain() == wait, "too soon: nothing is tried"
    assert w.fake.count(f"/rooms/{room}/send") == 1
    w.clock.go(4.1)
    await sender.drain()
    assert w.fake.bodies(room, w.bot) == ["✅ one", "✅ two"], "said once, although it had arrived"


@pytest.mark.parametrize(("status", "errcode"), [(413, "M_TOO_LARGE"), (400, "M_INVALID_PARAM")])
async def test_what_will_not_pass_is_dropped_with_its_reason_and_the_rest_goes_on(
    w: World, room: str, box: tuple[Outbox, Sender], status: int, errcode: str
) -> None:
    outbox, sender = box
    w.fake.faults = [Fault("/send", status, {"errcode": errcode, "error": "no"})]
    await write(
        w,
        (outbox.put, room, "1", done("one")),
        (outbox.edit, room, "1", done("edited")),
        (outbox.put, room, "2", done("two")),
    )
    assert await sender.drain() is None
    assert w.fake.bodies(room, w.bot) == ["✅ two"]
    rows = await w.db.read(
        lambda tx: tx.fetch("SELECT key, error FROM sluice_outbox WHERE state=2 ORDER BY id")
    )
    assert [row["error"] for row in rows] == [
        f"{status} {errcode}",
        "LookupError: what it acts on was not sent",
    ]


async def test_an_edit_that_a_later_one_replaces_is_not_sent(
    w: World, room: str, box: tuple[Outbox, Sender]
) -> None:
    outbox, sender = box
    await write(w, (outbox.put, room, "k", done("x")))
    for text in ("a", "b", "c"):
        await write(w, (outbox.edit, room, "k", done(text)))
    await sender.drain()
    assert w.fake.bodies(room, w.bot) == ["✅ x", "* ✅ c"]


async def test_a_message_read_back_fills_in_the_id_that_no_answer_told(
    w: World, room: str, bo: str, box: tuple[Outbox, Sender]
) -> None:
    outbox, sender = box
    w.fake.faults = [Fault("/send", None, acted=True)]
    await write(w, (outbox.put, room, "k", done("x")))
    await sender.drain()
    (own,) = seen(w, room, "m.room.message")
    forged = w.fake.say(
        room, bo, "x", **{"org.sluicebot.out": own["content"]["org.sluicebot.out"]}
    )
    copied = event_of(w.fake.rooms[room].events[-1][1])
    assert outbox.seen(copied) is None, "somebody else copied the mark"
    await read_back(w, room, outbox)
    assert await w.db.read(lambda tx: outbox.key_of(tx, room, own["event_id"])) == "k"
    assert await w.db.read(lambda tx: outbox.key_of(tx, room, forged)) is None
    w.clock.go(10)
    sends = w.fake.count("/send")
    await sender.drain()
    assert w.fake.count("/send") == sends, "it is known to be there"


async def test_what_was_sent_and_stored_costs_no_second_commit_when_read_back(
    w: World, room: str, box: tuple[Outbox, Sender]
) -> None:
    outbox, sender = box
    await write(w, (outbox.put, room, "k", done("x")))
    await sender.drain()
    assert [outbox.seen(event_of(e)) for _, e in w.fake.rooms[room].events if e] == [None] * 6


async def test_no_text_stays_in_the_database_after_it_was_sent(
    w: World, room: str, box: tuple[Outbox, Sender]
) -> None:
    outbox, sender = box
    await write(
        w,
        (outbox.put, room, "k", done("words")),
        (outbox.edit, room, "k", done("other words")),
        (outbox.react, room, "k", "✅"),
        (outbox.unreact, room, "k", "✅"),
    )
    await sender.drain()
    rows = await w.db.read(lambda tx: tx.fetch("SELECT kind, content FROM sluice_outbox"))
    assert [(row["kind"], row["content"]) for row in rows] == [("message", "")]


async def test_an_encrypted_room_without_crypto_gets_only_what_may_stand_in_clear(
    w: World, room: str, bo: str, box: tuple[Outbox, Sender]
) -> None:
    outbox, sender = box
    w.fake.put(room, bo, "m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"}, "")
    await write(w, (outbox.put, room, "1", done("a result")))
    await w.db.write(lambda tx: outbox.put(tx, room, "2", done("I cannot read"), clear=True))
    await sender.drain()
    assert w.fake.bodies(room, w.bot) == ["✅ I cannot read"]
    error = await w.db.read(
        lambda tx: tx.fetchval("SELECT error FROM sluice_outbox WHERE key='1'")
    )
    assert error.startswith(NoCrypto.__name__)


def test_a_message_that_is_too_long_is_cut_at_a_line() -> None:
    long = Message(Sign.VIEW, tuple((f"line {number} " + "x" * 200,) for number in range(500)))
    cut = fitting(long)
    assert len((cut.body + cut.html).encode()) <= SIZE
    lines = cut.body.splitlines()
    assert lines[:-1] == long.body.splitlines()[: len(lines) - 1]
    assert lines[-1] == "… cut here, it is too long for one message"
    assert fitting(done("short")) == done("short")


async def test_everything_is_said_once_and_in_order_whatever_fails(w: World, bo: str) -> None:
    for seed in range(max(1, RUNS // 10)):
        await one_run(w, bo, random.Random(seed))


async def one_run(w: World, bo: str, chance: random.Random) -> None:
    rooms = [w.fake.room(bo, w.bot) for _ in range(2)]
    outbox, sender = w.outbox()
    said: dict[str, list[str]] = {room: [] for room in rooms}
    for number in range(80):
        for room in chance.sample(rooms, chance.choice((0, 1, 2))):
            said[room].append(f"✅ {number}")
            await write(w, (outbox.put, room, str(number), done(str(number))))
        if chance.random() < 0.4:
            status = chance.choice((None, 429, 500, 502))
            w.fake.faults = [Fault("/", status, acted=chance.random() < 0.5)]
        if chance.random() < 0.1:  # a crash
            outbox, sender = w.outbox()
        if chance.random() < 0.3:
            await read_back(w, chance.choice(rooms), outbox)
        w.clock.go(chance.choice((0.1, 1.0, 100.0)))
        await sender.drain()
    w.fake.faults = []
    w.clock.go(100)
    await sender.drain()
    for room in rooms:
        assert w.fake.bodies(room, w.bot) == said[room]
    left = await w.db.read(
        lambda tx: tx.fetchval("SELECT COUNT(*) FROM sluice_outbox WHERE state=0")
    )
    assert left == 0
