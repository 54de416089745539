"""Break-glass, pause and trust are told to every owner, in whichever ops room they were taken."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.model.request import Review, State
from sluice.requests import finish, guard, reweigh, store
from sluice.settings import load
from sluice.text.phrases import alarm
from tests.unit.ops import ANA, BO, DAN, POLICY, Ops
from tests.unit.scenes import SERVER, at
from tests.unit.test_attacks import Room
from tests.unit.test_mute import bodies, count, office, other_of, said_in
from tests.unit.test_rooms import state

__all__ = ["office"]  # a fixture
GLASS = "!glass deactivate @spam:example.org reason it is spreading"


class Second(Room):
    """The second ops room, where ana and cy are, and dan as long as a test wants it."""

    def __init__(self, office: Ops) -> None:
        super().__init__(office)
        self.id = other_of(office)
        self._room = office.parts.ops_room(self.id)

    async def says(self, sender: str, body: str, reply_to: str = "", **more: Any) -> str:
        content: dict[str, Any] = {"msgtype": "m.text", "body": body}
        where = self.ops.fake.put(self.id, sender, "m.room.message", content)
        return await self.event(sender, "m.room.message", content, event_id=where, **more)

    async def joins(self, mxid: str) -> None:
        await self._member(mxid, "join")

    async def leaves(self, mxid: str) -> None:
        await self._member(mxid, "leave")

    async def _member(self, mxid: str, membership: str) -> None:
        content = {"membership": membership}
        self.ops.fake.put(self.id, mxid, "m.room.member", content, mxid)
        await self.event(mxid, "m.room.member", content, state_key=mxid)


@pytest.fixture
async def second(office: Ops) -> Second:
    made = Second(office)
    await made.joins(DAN)
    await made.leaves(ANA)
    return made


async def leave_first(office: Ops, mxid: str) -> None:
    content = {"membership": "leave"}
    office.fake.put(office.room, mxid, "m.room.member", content, mxid)
    office.rooms.views[office.room].apply(state("m.room.member", content, mxid, mxid))


async def test_break_glass_in_another_room_is_told_in_the_main_room_and_reviewed_there(
    office: Ops, second: Second
) -> None:
    await second.says(DAN, GLASS)
    [there] = await said_in(office, second.id)
    [here] = await said_in(office, office.room)
    assert there["m.mentions"]["user_ids"] == [DAN]
    assert here["m.mentions"]["user_ids"] == [ANA, DAN]
    assert here["body"].startswith("❗ Break-glass: ")
    assert here["body"].splitlines()[-1] == f"It was in {second.id}."
    first = Room(office)
    event = f"$copy.{office.room}"
    query = "UPDATE sluice_outbox SET event_id=$1, state=1 WHERE key=$2 AND room=$3"
    await office.db.write(lambda tx: tx.execute(query, event, "request.1.card", office.room))
    await first.taps(ANA, event)
    assert (await office.request(1)).review is Review.IN_ORDER, "who reviews is in no other room"
    assert (
        sum(
            "ana says it was right" in each and "(edited)" not in each
            for each in await office.news()
        )
        == 0
    )
    edits = "SELECT room FROM sluice_outbox WHERE kind='edit' AND key='request.1.card'"
    rooms = {row["room"] for row in await office.db.read(lambda tx: tx.fetch(edits))}
    assert rooms == {office.room, second.id}


async def test_what_was_not_in_order_is_told_in_both_rooms(office: Ops, second: Second) -> None:
    await second.says(DAN, GLASS)
    await office.runs()
    await Room(office).says(ANA, "!deny 1 that was his own spam trap")
    for room in (office.room, second.id):
        assert any("Why: “that was his own" in body for body in await bodies(office, room)), room


async def test_break_glass_waits_for_a_reviewer_in_any_ops_room(
    office: Ops, second: Second
) -> None:
    await leave_first(office, ANA)
    await second.says(DAN, GLASS)
    assert (await office.request(1)).state is State.REJECTED
    [said] = await bodies(office, second.id)
    assert "ana would review it and is in no ops room" in said, said
    await second.joins(ANA)
    await second.says(DAN, GLASS)
    assert (await office.request(2)).state is State.PENDING


async def test_with_one_owner_break_glass_runs_unreviewed_and_says_so(office: Ops) -> None:
    text = POLICY.replace("members: [ana, dan]", "members: [ana]").split("  tests:")[0]
    text = "\n".join(line for line in text.splitlines() if "id: bulk" not in line)
    text = text.replace('"!opsroom:example.org"', f'"{office.room}"')
    loaded = load(text, server=SERVER, now=at("09:00"))
    assert loaded.settings is not None, loaded.errors
    office.live.settings = loaded.settings
    await Room(office).says(ANA, GLASS)
    assert (await office.request(1)).state is State.PENDING
    assert "There is no other owner" in (await bodies(office, office.room))[-1]


async def test_an_open_review_is_named_once_a_day_to_who_can_give_it(
    office: Ops, second: Second
) -> None:
    await second.says(DAN, GLASS)
    await office.runs()

    async def due() -> list[dict[str, Any]]:
        await office.db.write(lambda tx: reweigh.tick(office.desk(tx)))
        said = await said_in(office, office.room)
        return [each for each in said if ", not reviewed: " in each["body"]]

    office.clock.go(80_000)
    assert await due() == []
    for day in (1, 2, 3):
        office.clock.go(86_400)
        named = await due()
        assert len(await due()) == len(named) == day
        assert named[-1]["m.mentions"]["user_ids"] == [ANA]
    office.clock.go(3 * 86_400)
    assert len(await due()) == 4, "what was missed is not made up for"
    await Room(office).says(ANA, "!approve 1")
    office.clock.go(86_400)
    assert len(await due()) == 4


@pytest.mark.parametrize(("line", "said"), [("!pause", "Paused by dan"), ("!resume", "Resumed")])
async def test_a_pause_and_its_end_are_told_in_the_main_room_too(
    office: Ops, second: Second, line: str, said: str
) -> None:
    await second.says(DAN, "!pause")
    if line == "!resume":
        await second.says(DAN, line)
    for room in (office.room, second.id):
        assert any(said in body for body in await bodies(office, room)), room


async def test_trust_is_told_in_the_main_room_too(office: Ops, second: Second) -> None:
    await Room(office).says(BO, "!adduser alice")
    await office.db.write(lambda tx: store.distrust(tx, BO, office.clock.now + 9000, 1))
    made = await office.request(1)
    assert made.mxid == BO
    await office.db.write(lambda tx: store.distrust(tx, ANA, office.clock.now + 9000, 1))
    before = await count(office)
    await second.says(DAN, "!trust ana")
    assert await count(office) == before
    for room in (office.room, second.id):
        assert any("dan trusts ana" in body for body in await bodies(office, room)), room


async def test_how_a_request_ended_is_told_to_all_owners_if_it_is_an_alarm(
    office: Ops, second: Second
) -> None:
    said = alarm((BO,), "#1 outcome unknown: it may have run.")
    await second.says(BO, "!memory")
    await second.joins(BO)
    await second.says(BO, "!memory")
    desk = office.desk
    planned = office.planned((await office.request(1)).invocation)
    await office.db.write(lambda tx: guard.begin(desk(tx), guard.Turn(1, 1), planned, {}))
    await office.db.write(lambda tx: finish.settled(desk(tx, second.id), 1, said))
    here = (await said_in(office, office.room))[-1]
    assert here["body"].startswith("❗ #1 outcome unknown")
    assert here["m.mentions"]["user_ids"] == [ANA, DAN]
    assert len(await bodies(office, second.id)) == 1
