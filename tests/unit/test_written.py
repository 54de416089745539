"""Whether an event of the bot's account was written by this database: what is noted, and what the
server shows. Whoever has the token can copy every mark."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from sluice.db.connection import Database, Tx
from sluice.matrix import written
from sluice.matrix.outbox import EDIT, MARK, REACT, REDACT
from sluice.matrix.session import Session
from sluice.model.event import RoomEvent, event_of
from sluice.text.message import Sign
from sluice.text.phrases import say
from tests.fake.world import Clock, World, database, world

ME, ROOM = "@sluice:fake.test", "!room:fake.test"


@pytest.fixture
async def db() -> AsyncIterator[Database]:
    async with database() as made:
        yield made


def event(event_id: str = "$1", txn: str = "", **more: Any) -> RoomEvent:
    unsigned = {"transaction_id": txn} if txn else {}
    content = {"msgtype": "m.text", "body": "x"}
    base = {"event_id": event_id, "type": "m.room.message", "sender": ME, "content": content}
    return event_of({**base, "unsigned": unsigned, **more})


async def ours(db: Database, what: RoomEvent, now: float = 100.0) -> bool:
    return await db.read(lambda tx: written.is_ours(tx, ROOM, what, now))


async def noted(db: Database, txn: str, at: float = 100.0) -> None:
    await db.write(lambda tx: written.note(tx, txn, ROOM, at))


async def test_what_is_noted_is_ours_by_its_transaction_id(db: Database) -> None:
    assert not await ours(db, event(txn="t"))
    await noted(db, "t")
    assert await ours(db, event(txn="t"))
    assert not await ours(db, event(txn="u"))
    assert not await ours(db, event())


async def test_a_transaction_id_is_one_events(db: Database) -> None:
    """A thief on another device may use it again, and copy our mark."""
    await noted(db, "t")
    await db.write(lambda tx: written.took(tx, event("$1", txn="t")))
    assert await ours(db, event("$1", txn="t"))
    assert not await ours(db, event("$2", txn="t"))
    assert not await ours(db, event("$2", content={"body": "x", MARK: "t"}))


async def test_a_mark_is_believed_only_where_the_server_shows_no_transaction(db: Database) -> None:
    await noted(db, "t")
    marked = {"body": "x", MARK: "t"}
    assert await ours(db, event(content=marked))
    assert not await ours(db, event(content=marked, txn="theirs"))


async def test_the_mark_of_a_line_proves_nothing(db: Database) -> None:
    """Its nonce stands in the room. Only while a line of ours is out that nobody answered for,
    and without a transaction id, nobody can tell."""
    line = {"body": "x", "org.sluicebot.line": "nonce/1.1"}
    assert not await ours(db, event(content=line))
    await noted(db, "t")
    assert await ours(db, event(content=line))
    assert not await ours(db, event(content=line, txn="theirs"))
    assert not await ours(db, event(content={"body": "x"}))
    assert not await ours(db, event(content=line), now=100 + written.UNCLEAR + 1)


async def test_what_was_emptied_before_it_was_read_is_ours_only_while_one_is_out(
    db: Database,
) -> None:
    assert not await ours(db, event(content={}))
    await noted(db, "t")
    assert await ours(db, event(content={}))
    await db.write(lambda tx: written.took(tx, event("$1", txn="t")))
    assert not await ours(db, event("$2", content={}))


STATE: list[tuple[RoomEvent, bool]] = [
    (event(type="m.room.member", state_key=ME, content={"membership": "join"}), False),
    (event(type="m.room.member", state_key=ME, content={"membership": "leave"}), False),
    (event(type="m.room.member", state_key="@bo:x", content={"membership": "leave"}), True),
    (event(type="m.room.member", state_key="@bo:x", content={"membership": "ban"}), True),
    (event(type="m.room.member", state_key="@bo:x", content={"membership": "invite"}), True),
    (event(type="m.room.power_levels", state_key=""), True),
    (event(type="m.room.redaction"), False),
    (event(type="m.reaction"), True),
    (event(type="m.room.encrypted"), True),
    (event(), True),
    (event(sender="@bo:x"), False),
]


@pytest.mark.parametrize(("what", "matters"), STATE)
def test_what_is_asked_about(what: RoomEvent, matters: bool) -> None:
    assert written.asked(what, ME) is matters


async def test_what_the_outbox_forgets_stays_known() -> None:
    """Edits once they are sent, taps that were taken back."""
    async with world() as made:
        room = made.fake.room(made.bot, version="10")
        outbox, sender = made.outbox()

        async def talk(tx: Tx) -> None:
            await outbox.put(tx, room, "a", say(Sign.NEWS, "one"))
            await outbox.react(tx, room, "a", "✅")
            await outbox.edit(tx, room, "a", say(Sign.NEWS, "two"))
            await outbox.unreact(tx, room, "a", "✅")

        await made.db.write(talk)
        await sender.drain()
        kinds = await made.db.read(lambda tx: tx.fetch("SELECT kind FROM sluice_outbox"))
        assert not {row["kind"] for row in kinds} & {EDIT, REACT, REDACT}
        events = [event_of(event) for _, event in made.fake.rooms[room].events]
        own = [e for e in events if not e.is_state and written.asked(e, made.bot)]
        assert len(own) == 3
        for each in own:
            assert await made.db.read(lambda tx, e=each: written.is_ours(tx, room, e, 0.0)), each


async def test_notes_do_not_grow_for_ever(db: Database) -> None:
    for day in range(100):
        await noted(db, f"t{day}", day * 86400.0)
    rows = await db.read(lambda tx: tx.fetchval("SELECT COUNT(*) FROM sluice_sent"))
    assert rows <= written.KEPT / 86400 + 1


# --- the session -------------------------------------------------------------------------------


async def test_a_dead_token_is_told_once_with_its_remedy(
    caplog: pytest.LogCaptureFixture, made: World
) -> None:
    made.fake.sessions.clear()
    for _ in range(3):
        with pytest.raises(Exception, match="401"):
            await made.hs.joined_rooms()
    assert caplog.text.count("restart the instance") == 1


@pytest.fixture
async def made() -> AsyncIterator[World]:
    async with world() as each:
        session = Session(each.clock)
        each.hs._session = session
        yield each


def _hours(session: Session, clock: Clock, sync: Callable[[], bool]) -> list[bool]:
    """Ten minutes of requests that work, a minute each; whether the sync counts as dead."""
    found = []
    for _ in range(10):
        clock.go(60)
        session.answered()
        if sync():
            session.synced()
        found.append(session.sync_ended())
    return found


def test_a_sync_that_rings_no_more_is_a_problem_once() -> None:
    clock = Clock()
    session = Session(clock)
    assert not any(_hours(session, clock, lambda: True))
    dead = _hours(session, clock, lambda: False)
    assert sum(dead) == 1
    assert session.no_sync_since is not None
    session.synced()
    assert session.no_sync_since is None


def test_a_server_that_was_away_is_no_dead_sync() -> None:
    clock = Clock()
    session = Session(clock)
    for _ in range(20):
        clock.go(60)
        session.lost()
    session.answered()
    assert session.no_sync_since is None, "it gets its time to come back"


async def test_a_new_device_is_named_for_a_week(
    db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()

    async def start(device: str) -> str:
        session = Session(clock)
        await db.write(lambda tx: session.on_device(tx, device))
        return session.new_device

    assert await start("OLD") == ""
    assert await start("OLD") == ""
    assert await start("NEW") == "NEW"
    assert "A new device: NEW, before it was OLD" in caplog.text
    assert await start("NEW") == "NEW", "also after a restart"
    clock.go(8 * 86400)
    assert await start("NEW") == ""
