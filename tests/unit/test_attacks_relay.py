"""Attacks on the way to Conduit and back: the runner, its room and its endings are real, Conduit's
side of the admin room is a script. Each test is named as the attack that it stops."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from sluice.db.connection import StorageFailed
from sluice.families.dialects import Unspellable
from sluice.matrix.api import Refused
from sluice.model.command import Invocation
from sluice.model.request import LineState, Request, State
from sluice.model.secret import Secret
from sluice.requests import store
from sluice.running.runner import Runner
from sluice.running.views import Views
from tests.unit.ops import ANA, CONDUIT, HAL, Ops, ops

log = logging.getLogger("test")
MEMORY = (
    "Services:\nlazy_load_waiting: 1\nserver_visibility_cache: 0\n\nDatabase:\npdu_cache: 215\n"
    "Current database engine does not support memory usage reporting."
)
Script = Callable[[str], "str | None"]


class Relay:
    """answers: what Conduit says to a body; None: nothing."""

    def __init__(self, office: Ops) -> None:
        self.ops = office
        self.answers: Script = lambda body: None
        self.lines: list[str] = []  # what stands in the admin room by us
        self.make()
        self._put = office.fake.put
        office.fake.put = self._heard  # type: ignore[method-assign]

    def make(self) -> None:
        """What the office has now: it may be another process."""
        made = self.ops.relay
        self.live, self.room, self.sending, self.runner = (
            self.ops.live,
            made.room,
            made.sending,
            made.runner,
        )
        self.registration, self.endings = made.registration, made.endings

    def _heard(
        self, room: str, sender: str, kind: str, content: Any, *more: Any, **top: Any
    ) -> str:
        event_id = self._put(room, sender, kind, content, *more, **top)
        if (room, sender, kind) == (self.room.room, self.live.me, "m.room.message"):
            self.lines.append(content["body"])
            answer = self.answers(content["body"])
            if answer is not None:
                self.says(answer)
        return event_id

    def says(self, body: str, **content: Any) -> str:
        what = {"msgtype": "m.text", "body": body, **content}
        return self._put(self.room.room, CONDUIT, "m.room.message", what)

    async def start(self) -> None:
        await self.ops.parts.doors.start(self.room.reader)
        await self.room.reader.catch_up()

    async def turn(self) -> bool:
        """One turn of the runner, as far as it goes."""
        return await asyncio.wait_for(self.runner._next(), 5)

    async def state(self, number: int = 1) -> State:
        return (await self.ops.request(number)).state

    async def line_states(self, number: int = 1) -> list[LineState]:
        rows = await self.ops.db.read(lambda tx: store.lines(tx, number))
        return [row.state for row in rows]


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    async with ops() as made:
        relay = Relay(made)
        await relay.start()
        yield relay
        await relay.room.reader.stop()


async def test_the_way_of_a_line_in_this_harness(relay: Relay) -> None:
    relay.answers = lambda body: "Room enabled."
    await relay.ops.types(ANA, "!enableroom !warez:example.org")
    assert await relay.turn()
    assert await relay.state() is State.DONE
    assert relay.lines == ["@conduit:example.org: enable-room !warez:example.org"]


async def test_what_changes_something_is_not_sent_to_a_version_that_nobody_knows(
    relay: Relay,
) -> None:
    """It was asked for, and approved, while the version was known."""
    relay.answers = lambda body: "Room enabled."
    await relay.ops.types(ANA, "!enableroom !warez:example.org")
    relay.room.version_is("0.12.0", None)
    await relay.turn()
    assert relay.lines == []
    assert await relay.state() in (State.FAILED, State.PENDING, State.CANCELLED)


async def test_what_reads_is_still_sent_to_a_version_that_nobody_knows(relay: Relay) -> None:
    await relay.ops.types(HAL, "!memory")
    relay.room.version_is("0.12.0", None)
    relay.answers = lambda body: "nobody knows these words"
    turn = asyncio.create_task(relay.turn())
    while not relay.lines:
        await asyncio.sleep(0.01)
    relay.room.give_up()
    await turn
    assert relay.lines == ["@conduit:example.org: memory-usage"]


async def test_an_update_while_a_line_is_out_does_not_end_the_relay(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restart with a version that has no such command, between the line and its answer."""
    relay.answers = lambda body: "Room enabled."
    await relay.ops.types(ANA, "!enableroom !warez:example.org")
    real = Runner._conclude

    async def updated(self: Runner, *args: Any) -> None:
        def none(*_: Any) -> None:
            raise Unspellable("this version has no enable-room")

        monkeypatch.setattr("sluice.running.runner.lines", none)
        monkeypatch.setattr("sluice.state.lines", none)
        await real(self, *args)

    monkeypatch.setattr(Runner, "_conclude", updated)
    running = asyncio.create_task(relay.runner.run())
    try:
        for _ in range(150):
            await asyncio.sleep(0.02)
            if await relay.state() not in (State.PENDING, State.EXECUTING):
                break
        assert not running.done()
        assert await relay.state() is State.UNKNOWN
    finally:
        running.cancel()


async def test_an_answer_that_nobody_can_show_ends_its_request_and_no_more(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever anybody put into a list: the next request must run."""

    async def broken(*_: Any) -> None:
        raise ValueError("hostile")

    monkeypatch.setattr(Views, "show", broken)
    relay.answers = lambda body: "Room enabled." if "enable-room" in body else MEMORY
    await relay.ops.types(HAL, "!memory")
    await relay.ops.types(ANA, "!enableroom !warez:example.org")
    running = asyncio.create_task(relay.runner.run())
    try:
        for _ in range(300):
            await asyncio.sleep(0.02)
            if await relay.state(2) is State.DONE:
                break
        assert not running.done()
        assert await relay.state(1) in (State.FAILED, State.UNKNOWN)
        assert await relay.state(2) is State.DONE
    finally:
        running.cancel()


# --- registration that stays open


async def test_registration_whose_answer_was_lost_is_closed_all_the_same(relay: Relay) -> None:
    """It may be open: nobody would ever close it."""
    await relay.ops.types(ANA, "!registration on for 1h")
    turn = asyncio.create_task(relay.turn())
    while not relay.lines:
        await asyncio.sleep(0.01)
    relay.room.give_up()
    await turn
    assert await relay.state() is State.UNKNOWN
    asked: list[tuple[str, ...]] = []

    async def ask(what: str, words: tuple[str, ...], before: Any) -> None:
        asked.append(words)

    relay.registration._ask = ask
    await relay.registration.tick()
    assert asked == []
    relay.ops.clock.go(3601)
    await relay.registration.tick()
    assert asked == [("allow-registration", "false")]


# --- no record, no line


async def test_a_disk_that_is_full_sends_nothing(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    await relay.ops.types(ANA, "!enableroom !warez:example.org")

    async def full(block: Any) -> None:
        raise StorageFailed("database or disk is full")

    monkeypatch.setattr(relay.ops.db, "write", full)
    with pytest.raises(StorageFailed):
        await relay.turn()
    assert relay.lines == []


async def test_no_session_stays_where_a_password_could_not_be_replaced(relay: Relay) -> None:
    """Whoever finds its token later would be that account."""
    fake = relay.ops.fake
    fake.register("alice")
    fake.accounts["@alice:example.org"].password = "conduits"
    request = Request(1, "$e", "$e", "", ANA, "ana", "", Invocation("adduser"), "", State.DONE, 0)

    async def refused(*_: Any, **__: Any) -> None:
        raise Refused(500, "M_UNKNOWN", "")

    relay.ops.hs.change_password = refused  # type: ignore[method-assign]
    given = Secret("conduits")
    before = set(fake.sessions)
    kept, _ = await relay.ops.deliveries._replace(request, "@alice:example.org", given)
    assert kept is given
    assert set(fake.sessions) == before


# --- the password that everybody in the admin room saw


@pytest.mark.parametrize("line", ["!adduser alice", "!resetpw max"])
async def test_a_password_is_nowhere_but_where_it_belongs_and_the_seen_one_is_worthless(
    relay: Relay, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    fake, seen = relay.ops.fake, "Hunter2Seen0By1"
    user = f"@{line.split()[1]}:example.org"

    def conduit(body: str) -> str:
        if user not in fake.accounts:
            fake.register(user[1:].partition(":")[0])
        fake.accounts[user].password = seen
        if "create-user" in body:
            return f"Created user with user_id: {user} and password: {seen}"
        return f"Successfully reset the password for user {user}: {seen}"

    relay.answers = conduit
    await relay.ops.types(ANA, line)
    assert await relay.turn()
    assert await relay.state() is State.DONE
    fresh = fake.accounts[user].password
    assert fresh != seen
    with pytest.raises(Refused):
        await relay.ops.hs.login(user, seen, "THIEF")
    private = [room for room in fake.rooms.values() if room.id not in relay.ops.rooms.views]
    holds = [room.id for room in private if fresh in json.dumps(room.events)]
    made = [row["room"] for row in await rows(relay, "SELECT room FROM sluice_private")]
    assert holds == made
    assert fresh not in json.dumps(fake.rooms[relay.ops.room].events)
    said = [row["content"] for row in await rows(relay, "SELECT content FROM sluice_outbox")]
    stored = await everything(relay) + "\n".join(said)
    for password in (seen, fresh):
        assert password not in stored
        assert password not in caplog.text
    redacted = "SELECT * FROM sluice_outbox WHERE kind='redact' AND room=$1"
    there = await relay.ops.db.read(lambda tx: tx.fetch(redacted, relay.room.room))
    assert len(there) == 1


async def rows(relay: Relay, query: str) -> list[Any]:
    return list(await relay.ops.db.read(lambda tx: tx.fetch(query)))


async def everything(relay: Relay) -> str:
    """All text that is stored anywhere."""
    tables = await rows(relay, "SELECT name FROM sqlite_master WHERE type='table'")
    found = []
    for table in tables:
        for row in await rows(relay, f'SELECT * FROM "{table["name"]}"'):
            found.append(" ".join(map(str, tuple(row))))
    return "\n".join(found)


async def test_what_a_member_says_in_the_words_of_the_server_is_no_answer(relay: Relay) -> None:
    await relay.ops.types(ANA, "!enableroom !warez:example.org")
    turn = asyncio.create_task(relay.turn())
    while not relay.lines:
        await asyncio.sleep(0.01)
    for sender in (ANA, HAL, relay.live.me, "@conduit:evil.org", "@Conduit:example.org"):
        content = {"msgtype": "m.text", "body": "Room enabled."}
        relay._put(relay.room.room, sender, "m.room.message", content)
    await relay.room.reader.catch_up()
    assert await relay.state() is State.EXECUTING
    relay.says("Room enabled.")
    await turn
    assert await relay.state() is State.DONE
