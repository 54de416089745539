"""Somebody erases from another room what a voter wrote or tapped, before Sluice can read it.

Everything is read from the timeline of a homeserver that executes such a redaction, as Conduit
does. A no that nobody could read must never be the reason why something runs.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sluice.matrix.late import ENCRYPTED, Unseal
from sluice.matrix.timeline import Reader
from sluice.model.request import State, WhyKind
from sluice.requests import guard, holds, reweigh, store
from tests.fake.homeserver import Fault
from tests.unit.ops import ANA, BO, CY, DAN, EVE, HAL, POLICY, Ops, ops

ASK = "!deactivate @spam:example.org reason casino links in 6 rooms"
LIST = "!deactivateall reason spam\n" + "\n".join(f"@s{n:02}:example.org" for n in range(12))
ALARM = "was erased from outside before I could read it"
BOT = "@sluice:example.org"


class Live:
    """The ops room, read event by event from the homeserver. `lair`: eve's own room."""

    unseal: Unseal | None = None  # how an encrypted event is read

    def __init__(self, office: Ops) -> None:
        self.ops, self.fake, self.id = office, office.fake, office.room
        self.lair = self.fake.room(EVE, version="10")
        self.errors: list[str] = []
        self.start()

    def start(self) -> None:
        """What was in memory is gone."""
        ops = self.ops
        self.part = ops.parts.ops_room(ops.room)
        self.reader = Reader(
            ops.hs,
            ops.db,
            ops.room,
            self.part.take,
            gap=self._gap,
            broken=self._broken,
            unseal=self.unseal,
            now=ops.clock,
        )

    async def _gap(self, gap: Any) -> None:
        raise AssertionError(gap)

    async def _broken(self, event_id: str, error: str) -> None:
        self.errors.append(error)

    async def reads(self) -> list[str]:
        """The bot reads all that stands in the room, and what it looks up for it is over, which
        takes longer on a busy machine; what it said."""
        self.reader.doorbell()
        await self.reader.step()
        while self.reader._beside:
            await asyncio.sleep(0.01)
            await self.reader.step()
        await self.reader.flush()
        assert self.errors == []
        assert self.reader.failing_since is None
        return await self.ops.news()

    def posts(self, who: str, kind: str, content: Any) -> str:
        stamp = int(self.ops.clock.now * 1000)
        return self.fake.put(self.id, who, kind, content, origin_server_ts=stamp)

    def says(self, who: str, body: str, reply_to: str = "") -> str:
        content: dict[str, Any] = {"msgtype": "m.text", "body": body}
        if reply_to:
            content["m.relates_to"] = {"m.in_reply_to": {"event_id": reply_to}}
        return self.posts(who, "m.room.message", content)

    def edits(self, who: str, original: str, body: str) -> str:
        new = {"msgtype": "m.text", "body": body}
        relation = {"rel_type": "m.replace", "event_id": original}
        content = {**new, "body": f"* {body}", "m.new_content": new, "m.relates_to": relation}
        return self.posts(who, "m.room.message", content)

    def taps(self, who: str, target: str, key: str = "✅") -> str:
        relation = {"rel_type": "m.annotation", "event_id": target, "key": key}
        return self.posts(who, "m.reaction", {"m.relates_to": relation})

    def erases(self, event_id: str, by: str = EVE, room: str = "") -> None:
        self.fake.erase(event_id, by, room or self.lair)

    def deletes(self, who: str, event_id: str) -> str:
        """In the ops room itself, as clients do it."""
        return self.fake.erase(event_id, who, self.id)

    async def asks(self, who: str = BO, line: str = ASK) -> int:
        """A command that is read; its request."""
        self.says(who, line)
        await self.reads()
        return await self.ops.db.read(store.next_id) - 1

    async def id_of(self, key: str) -> str:
        """The event of something that the bot said; sent now, if it was not."""
        event_id = await self.ops.db.read(lambda tx: self.ops.outbox.event_of(tx, self.id, key))
        if event_id is None:
            event_id = f"$of.{key}"
            query = "UPDATE sluice_outbox SET event_id=$1, state=1 WHERE key=$2 AND kind='message'"
            await self.ops.db.write(lambda tx: tx.execute(query, event_id, key))
        return event_id

    async def card(self, number: int = 1) -> str:
        return await self.id_of(f"request.{number}.card")

    async def alarm(self, erased: str) -> str:
        return await self.id_of(f"erased.{erased}")

    async def state(self, number: int = 1) -> State:
        return (await self.ops.request(number)).state

    async def held(self) -> set[int]:
        return await self.ops.db.read(holds.requests)

    async def next(self) -> int | None:
        """Which request the guard would let run next."""
        desk = self.ops.desk
        turn = await self.ops.db.read(lambda tx: guard.next_turn(desk(tx)))
        if turn is None:
            return None
        planned = self.ops.planned((await self.ops.request(turn.request)).invocation)

        class Undone(Exception):
            pass

        went: list[Any] = []

        async def tried(tx: Any) -> None:
            went.append(await guard.begin(desk(tx, self.id), turn, planned, {}))
            raise Undone

        with pytest.raises(Undone):
            await self.ops.db.write(tried)
        return turn.request if isinstance(went[0], guard.Go) else None

    async def pushed(self) -> set[str]:
        """Whom the last alarm has pushed."""
        query = "SELECT content FROM sluice_outbox WHERE key LIKE 'erased.%' AND kind='message'"
        rows = await self.ops.db.read(lambda tx: tx.fetch(f"{query} ORDER BY id DESC"))
        return set(json.loads(rows[0]["content"])["m.mentions"]["user_ids"])

    async def records(self, kind: str) -> list[dict[str, Any]]:
        query = "SELECT record FROM sluice_audit WHERE kind=$1 ORDER BY seq"
        rows = await self.ops.db.read(lambda tx: tx.fetch(query, kind))
        return [json.loads(row["record"]) for row in rows]


@pytest.fixture
async def room() -> AsyncIterator[Live]:
    async with ops() as made:
        live = Live(made)
        await live.reader.load()
        await live.reads()
        yield live


async def no_of_dan(room: Live, how: str) -> str:
    """Dan says no to #1, in one of the ways; the event."""
    card = await room.card()
    if how == "encrypted":
        return room.posts(DAN, ENCRYPTED, {"algorithm": "m.megolm.v1.aes-sha2", "x": "y"})
    if how == "tap":
        return room.taps(DAN, card, "❌")
    if how == "reply":
        return room.says(DAN, "no", reply_to=card)
    if how == "edit":
        yes = room.says(DAN, "yes", reply_to=card)
        await room.reads()
        return room.edits(DAN, yes, "no")
    return room.says(DAN, how)


HOW = ("tap", "reply", "!deny 1 it is my friend", "!pause", "!cancel 1", "edit", "encrypted")


@pytest.mark.parametrize("how", HOW)
async def test_a_no_that_is_erased_before_it_is_read_holds_the_request(
    room: Live, how: str
) -> None:
    await room.asks()
    gone = await no_of_dan(room, how)
    room.erases(gone)
    said = await room.reads()
    room.taps(CY, await room.card())
    said += await room.reads()
    assert await room.next() is None
    assert await room.held() == {1}
    alarm = next(text for text in said if ALARM in text and "(edited)" not in text)
    assert alarm.startswith("❗ Something dan wrote or tapped was erased from outside")
    assert EVE in alarm
    assert room.lair in alarm
    assert "Held: #1." in alarm
    assert await room.pushed() == {DAN, ANA}
    card = next(text for text in reversed(said) if text.startswith(("(edited) ✋", "(edited) ⏳")))
    assert "Held: a word of dan was erased" in card
    [record] = await room.records("held")
    assert (record["request"], record["voter"], record["eraser"]) == (1, DAN, EVE)
    assert (record["event"], record["origin"]) == (gone, room.lair)


@pytest.mark.parametrize("how", HOW)
async def test_the_race_that_is_lost_by_the_attacker_is_an_ordinary_no(
    room: Live, how: str
) -> None:
    await room.asks()
    gone = await no_of_dan(room, how) if how != "encrypted" else await no_of_dan(room, "tap")
    await room.reads()
    room.erases(gone)
    room.taps(CY, await room.card())
    said = await room.reads()
    assert await room.next() is None
    assert await room.held() == set()
    assert ALARM not in " ".join(said)


@pytest.mark.parametrize("kind", ["m.room.message", "m.reaction", ENCRYPTED])
async def test_what_was_sent_empty_is_no_attack(room: Live, kind: str) -> None:
    await room.asks()
    room.posts(DAN, kind, {})
    assert ALARM not in " ".join(await room.reads())
    assert await room.held() == set()


# --- deleted in this room


@pytest.mark.parametrize("who", [DAN, ANA])
async def test_what_is_deleted_in_this_room_is_no_attack(room: Live, who: str) -> None:
    """By its sender, or by who has the power; long before it is read or just now."""
    await room.asks()
    deleted = [room.says(DAN, f"chat {n}") for n in range(230)]
    deleted.append(room.taps(DAN, await room.card(), "❌"))
    for each in deleted:
        room.deletes(who, each)
    before = room.fake.count("GET")
    said = [*await room.reads(), *await room.reads(), *await room.reads()]
    assert ALARM not in " ".join(said)
    assert await room.held() == set()
    assert room.fake.count("GET") - before < 25, "many deleted messages are looked up once"


async def test_a_redaction_that_stands_before_what_it_removes_is_one_of_this_room(
    room: Live,
) -> None:
    """Another server may send them in this order."""
    await room.asks()
    gone = room.taps(DAN, await room.card(), "❌")
    room.deletes(DAN, gone)
    events = room.fake.rooms[room.id].events
    (one, tap), (two, redaction) = events[-2:]
    events[-2:] = [(one, redaction), (two, tap)]
    assert ALARM not in " ".join(await room.reads())
    assert await room.held() == set()


ODD: list[Any] = [True, "x", [], {}, {"room_id": 5}, {"sender": DAN}, {"room_id": "HERE"}]


@pytest.mark.parametrize("because", ODD)
async def test_a_redaction_that_says_nothing_of_its_room_must_stand_in_this_one(
    room: Live, because: Any
) -> None:
    await room.asks()
    gone = room.taps(DAN, await room.card(), "❌")
    room.erases(gone)
    event = room.fake.rooms[room.id].events[-1][1]
    if isinstance(because, dict) and because.get("room_id") == "HERE":
        because = {"room_id": room.id, "sender": DAN, "event_id": "$nowhere"}
    event["unsigned"]["redacted_because"] = because
    assert ALARM in " ".join(await room.reads())
    assert await room.held() == {1}


async def test_a_server_that_does_not_let_look_for_the_redaction_proves_none(room: Live) -> None:
    await room.asks()
    gone = room.taps(DAN, await room.card(), "❌")
    room.deletes(DAN, gone)
    pages = 0

    def refuse_the_second(line: str) -> None:
        nonlocal pages
        pages += line.endswith("/messages")
        refused = Fault("/messages", 400, {"errcode": "M_INVALID_PARAM"})
        room.fake.faults = [refused] if pages == 2 else []

    room.fake.before = refuse_the_second
    await room.reads()
    assert await room.held() == {1}


async def test_a_redaction_that_the_server_never_applied_is_none(room: Live) -> None:
    """In older rooms anybody can write such an event."""
    await room.asks()
    gone = room.taps(DAN, await room.card(), "❌")
    room.erases(gone)
    event = room.fake.rooms[room.id].events[-1][1]
    del event["unsigned"]["redacted_because"]["room_id"]
    room.fake.put(room.id, EVE, "m.room.redaction", {"redacts": gone}, redacts=gone)
    await room.reads()
    assert await room.held() == {1}


# --- whose word can stop what


async def test_of_who_has_no_say_nothing_is_held_and_nothing_said(room: Live) -> None:
    """A helper may look, eve nothing; and the bot's own cards are emptied at any time."""
    await room.asks()
    card = await room.card()
    for who in (EVE, HAL):
        for gone in (room.taps(who, card, "❌"), room.says(who, "!pause")):
            room.erases(gone)
    own = room.fake.say(room.id, BOT, "✋ #1 Approve?")
    room.erases(own)
    assert await room.reads() == []
    assert await room.held() == set()
    assert await room.next() is None
    room.taps(CY, card)
    await room.reads()
    assert await room.next() == 1


async def test_a_tap_holds_what_may_be_voted_on_and_words_all_but_what_only_looks(
    room: Live,
) -> None:
    await room.asks(BO, ASK)  # cy may vote on it
    await room.asks(CY, ASK.replace("spam", "max"))  # it is cy's own: a ❌ takes it back
    await room.asks(BO, "!enableroom !films:example.org")  # needs no vote
    await room.asks(HAL, "!memory")
    assert await room.next() == 3
    room.erases(room.taps(CY, await room.card(), "❌"))
    said = " ".join(await room.reads())
    assert await room.held() == {1, 2}
    assert "Held: #1 and #2." in said
    assert await room.next() == 3
    room.erases(room.says(CY, "!pause"))
    said = " ".join(await room.reads())
    assert await room.held() == {1, 2, 3}
    assert "Held: #3." in said
    assert await room.next() == 4, "what only looks is stopped by no pause"


async def test_an_erased_removal_holds_as_a_no_does(room: Live) -> None:
    """In old versions of rooms a redaction that is redacted does not say what it removed."""
    await room.asks()
    vote = room.taps(CY, await room.card())
    await room.reads()
    assert await room.next() == 1
    removal = room.deletes(CY, vote)
    room.erases(removal)
    event = room.fake.rooms[room.id].events[-1][1]
    assert (event["event_id"], event.pop("redacts")) == (removal, vote)
    await room.reads()
    assert await room.next() is None
    assert await room.held() == {1}


async def test_an_erased_removal_that_still_says_what_it_removed_is_one(room: Live) -> None:
    await room.asks()
    vote = room.taps(CY, await room.card())
    await room.reads()
    room.erases(room.deletes(CY, vote))
    room.fake.rooms[room.id].events[-1][1]["content"] = {"redacts": vote}
    await room.reads()
    assert await room.next() is None
    assert await room.held() == set()
    assert (await room.ops.request(1)).queued_since is None


async def test_of_a_list_that_runs_the_rest_is_not_sent(room: Live) -> None:
    for n in range(12):
        room.fake.register(f"s{n:02}")
    number = await room.asks(ANA, LIST)
    for who in (CY, DAN):
        room.taps(who, await room.card(number))
    await room.reads()
    desk = room.ops.desk
    planned = room.ops.planned((await room.ops.request(number)).invocation)
    turn = guard.Turn(number, 1)
    await room.ops.db.write(lambda tx: guard.begin(desk(tx, room.id), turn, planned, {}))
    assert await room.state(number) is State.EXECUTING
    room.erases(room.says(DAN, f"!cancel {number}"))
    assert "Held: #1." in " ".join(await room.reads())
    went = await room.ops.db.write(
        lambda tx: guard.begin(desk(tx, room.id), guard.Turn(number, 2), planned, {})
    )
    assert isinstance(went, guard.Stop)
    assert went.request.stop.kind is WhyKind.HELD


async def test_break_glass_waits_for_the_word_of_its_reviewer(room: Live) -> None:
    number = await room.asks(DAN, "!glass deactivate @spam:example.org reason nobody awake")
    assert await room.next() == number
    room.erases(room.taps(ANA, await room.card(number), "❌"))
    await room.reads()
    assert await room.held() == {number}
    assert await room.next() is None
    room.taps(ANA, await room.card(number))
    await room.reads()
    assert await room.held() == set()
    assert await room.next() == number


# --- said again, or released


async def lost(room: Live) -> str:
    """A no of dan to #1 of bo is erased by eve; cy has approved. The erased event."""
    await room.asks()
    gone = room.taps(DAN, await room.card(), "❌")
    room.erases(gone)
    room.taps(CY, await room.card())
    await room.reads()
    assert await room.held() == {1}
    return gone


@pytest.mark.parametrize("how", ["✅", "yes", "!approve 1"])
async def test_who_votes_again_releases_it(room: Live, how: str) -> None:
    gone = await lost(room)
    alarm, card = await room.alarm(gone), await room.card()
    room.taps(DAN, card) if how == "✅" else room.says(DAN, how, card if how == "yes" else "")
    said = " ".join(await room.reads())
    assert await room.held() == set()
    assert await room.next() == 1
    assert "Released: #1 by dan." in said
    assert alarm
    [record] = await room.records("released")
    assert (record["request"], record["by"], record["erased"]) == (1, DAN, gone)


async def test_a_deny_cast_anew_denies(room: Live) -> None:
    await lost(room)
    room.taps(DAN, await room.card(), "❌")
    await room.reads()
    assert await room.state() is State.DENIED


@pytest.mark.parametrize(
    ("who", "releases"), [(DAN, True), (ANA, True), (CY, False), (BO, False), (HAL, False)]
)
@pytest.mark.parametrize("reply", [False, True])
async def test_who_may_release_it_by_the_alarm(
    room: Live, who: str, releases: bool, reply: bool
) -> None:
    """Whose word it was, and an owner who has no part in it; nobody else."""
    gone = await lost(room)
    alarm = await room.alarm(gone)
    for _ in range(3):
        room.says(who, "yes", alarm) if reply else room.taps(who, alarm)
    said = await room.reads()
    assert await room.held() == (set() if releases else {1})
    assert await room.next() == (1 if releases else None)
    answers = [text for text in said if "not released" in text]
    assert len(answers) == (0 if releases else 1)


async def test_an_owner_with_a_part_in_it_does_not_release_it() -> None:
    """Who asked, whose other account asked, and who erased it."""
    async with ops() as made:
        room = Live(made)
        await room.reader.load()
        await room.reads()
        await room.asks(ANA)
        gone = room.taps(CY, await room.card(), "❌")
        room.erases(gone, DAN, room.fake.room(DAN, version="10"))
        room.taps(BO, await room.card())
        said = " ".join(await room.reads())
        assert "Nobody else can release it" in said
        alarm = await room.alarm(gone)
        for who in (ANA, DAN, BO):
            room.taps(who, alarm)
        await room.reads()
        assert await room.held() == {1}
        assert await room.next() is None
        made.now("15:30")
        await made.db.write(lambda tx: reweigh.tick(made.desk(tx)))
        assert await room.state() is State.EXPIRED


async def test_a_no_on_the_alarm_releases_nothing_and_is_answered(room: Live) -> None:
    gone = await lost(room)
    room.taps(DAN, await room.alarm(gone), "❌")
    said = await room.reads()
    assert await room.held() == {1}
    assert [
        text
        for text in said
        if text.startswith("⛔ dan, a ❌ here denies nothing. Tap ❌ on the card")
    ]


async def test_somebody_elses_vote_and_a_second_account_without_a_role_release_nothing(
    room: Live,
) -> None:
    await lost(room)
    for who in (CY, ANA, HAL, EVE):
        room.taps(who, await room.card())
        room.says(who, "!approve 1")
    await room.reads()
    assert await room.held() == {1}
    assert await room.next() is None


async def test_what_needs_no_vote_is_cancelled_when_nobody_releases_it(room: Live) -> None:
    await room.asks(BO, "!enableroom !films:example.org")
    room.erases(room.says(DAN, "!pause"))
    await room.reads()
    assert await room.held() == {1}
    assert await room.next() is None
    made = room.ops
    made.clock.go(299)
    await made.db.write(lambda tx: reweigh.tick(made.desk(tx)))
    assert await room.state() is State.PENDING
    made.clock.go(2)
    due = await made.db.read(lambda tx: reweigh.next_due(made.desk(tx)))
    assert due is not None
    assert due <= made.clock.now
    await made.db.write(lambda tx: reweigh.tick(made.desk(tx)))
    assert await room.state() is State.CANCELLED
    assert "erased" in " ".join(await made.news())


async def test_a_hold_outlives_a_restart(room: Live) -> None:
    gone = await lost(room)
    room.start()
    await room.reader.load()
    assert ALARM not in " ".join(await room.reads()), "it is told once"
    assert await room.held() == {1}
    assert await room.next() is None
    room.taps(DAN, await room.alarm(gone))
    await room.reads()
    assert await room.next() == 1


async def test_what_is_erased_while_the_bot_is_down_holds_all_the_same(room: Live) -> None:
    await room.asks()
    room.start()
    gone = room.says(DAN, "!deny 1")
    room.taps(CY, await room.card())
    room.erases(gone)
    await room.reader.load()
    assert ALARM in " ".join(await room.reads())
    assert await room.held() == {1}
    assert await room.next() is None


async def test_many_erased_words_are_one_alarm(room: Live) -> None:
    await room.asks()
    for number in range(60):
        room.erases(room.says(DAN, f"chat {number}"))
        room.erases(room.taps(DAN, await room.card(), "❌"))
    said = [*await room.reads(), *await room.reads()]
    assert len([text for text in said if text.startswith("❗")]) == 1
    assert len(await room.records("held")) == 1


async def test_where_nothing_is_open_it_is_told_once_in_a_while(room: Live) -> None:
    for number in range(30):
        room.erases(room.says(DAN, f"chat {number}"))
    said = [text for text in await room.reads() if ALARM in text]
    assert len(said) == 1
    assert "send it again" in said[0]
    room.erases(room.taps(DAN, "$something"))
    assert await room.reads() == []
    room.ops.clock.go(601)
    room.erases(room.says(DAN, "!pause"))
    assert ALARM in " ".join(await room.reads())


async def test_another_room_is_not_touched(room: Live) -> None:
    """What waits there was asked by others, and others may vote on it."""
    await room.asks()
    query = "UPDATE sluice_request SET room='!other:example.org'"
    await room.ops.db.write(lambda tx: tx.execute(query))
    room.erases(room.says(DAN, "!pause"))
    await room.reads()
    assert await room.held() == set()


async def test_pending_resume_and_the_log_say_what_is_held(room: Live) -> None:
    gone = await lost(room)
    room.says(ANA, "!pending")
    assert "place 1 in line · held · " in " ".join(await room.reads())
    room.says(ANA, "!pause")
    room.says(ANA, "!resume")
    said = " ".join(await room.reads())
    assert "Resumed by ana" in said
    assert "runs now" not in said
    room.taps(ANA, await room.alarm(gone))
    for line in ("!log 1", "!log held", "!log"):
        room.says(ANA, line)
    one, held, every = (text for text in await room.reads() if text.startswith("📋"))
    assert "held: words of dan were erased before they were read" in one
    assert "ana released it" in one
    assert "held for words that were erased" in held
    assert "#1" in every


async def test_a_policy_in_which_only_owners_vote_holds_by_their_taps_only() -> None:
    policy = POLICY.replace(
        "reason: true, expires: 1h, approvals: [{from: mod, n: 1}]",
        "reason: true, expires: 1h, approvals: [{from: owner, n: 1}]",
    ).replace("by: [cy, ana, dan]", "by: [ana, dan]")
    async with ops(policy) as made:
        room = Live(made)
        await room.reader.load()
        await room.reads()
        await room.asks()
        room.erases(room.taps(CY, await room.card(), "❌"))
        assert await room.reads() == []
        room.erases(room.taps(DAN, await room.card(), "❌"))
        assert ALARM in " ".join(await room.reads())
        assert await room.held() == {1}
