"""Seats: what somebody has by holding an account, or a place in a room."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sluice.model.request import State
from sluice.requests import store
from sluice.settings import load
from tests.unit.ops import ANA, BO, CY, DAN, EVE, POLICY, Ops, ops
from tests.unit.scenes import SERVER
from tests.unit.test_attacks import Room
from tests.unit.test_policy_reload import Desk

ZED = f"@zed:{SERVER}"
NO_STAFF = POLICY.replace('["#destructive", resetpw]', '["#destructive"]').replace(
    'bo:  "@bo:example.org"', f'bo:  "@bo:example.org"\n    zed: "{ZED}"'
)
ZED_IS_MOD = NO_STAFF[: NO_STAFF.index("  tests:")].replace("[bo, cy]", "[bo, cy, zed]")


@pytest.fixture
async def office() -> AsyncIterator[Ops]:
    async with ops(ZED_IS_MOD) as made:
        yield made


async def seat(room: Ops, mxid: str) -> None:
    """This account sits in the admin room."""
    room.fake.put(room.admin_room, mxid, "m.room.member", {"membership": "join"}, mxid)
    await room.look()


# --- the seat in the admin room


async def test_a_password_of_a_named_member_of_the_admin_room_needs_an_owner(
    office: Ops,
) -> None:
    room = Room(office)
    await seat(office, CY)
    office.fake.register("zed")
    office.fake.put(office.room, ZED, "m.room.member", {"membership": "join"}, ZED)
    await office.look()
    await room.says(BO, "!resetpw cy")
    number = await room.newest()
    card = await room.sent(f"request.{number}.card")
    for voter in (ZED, CY, BO):  # a peer, the target, who asks
        await room.taps(voter, card)
        assert (await office.request(number)).queued_since is None, voter
    await room.taps(DAN, card)
    assert (await office.request(number)).queued_since is not None


async def test_the_same_without_the_seat_needs_a_peer(office: Ops) -> None:
    room = Room(office)
    office.fake.register("zed")
    office.fake.put(office.room, ZED, "m.room.member", {"membership": "join"}, ZED)
    await office.look()
    await room.says(BO, "!resetpw cy")
    number = await room.newest()
    await room.taps(ZED, await room.sent(f"request.{number}.card"))
    assert (await office.request(number)).queued_since is not None


@pytest.mark.parametrize("who", [ANA, DAN])
async def test_an_owner_who_asks_does_not_count_for_it(office: Ops, who: str) -> None:
    room = Room(office)
    await seat(office, CY)
    await room.says(who, "!resetpw cy")
    number = await room.newest()
    card = await room.sent(f"request.{number}.card")
    for voter in (who, BO):
        await room.taps(voter, card)
        assert (await office.request(number)).queued_since is None, voter
    await room.taps(DAN if who == ANA else ANA, card)
    assert (await office.request(number)).queued_since is not None


@pytest.mark.parametrize("glass", ["", "!glass "])
async def test_an_unnamed_member_of_it_stays_refused(office: Ops, glass: str) -> None:
    await seat(office, EVE)
    line = f"{glass}resetpw eve reason x" if glass else "!resetpw eve"
    (said, *_) = await office.types(ANA, line)
    assert "is in the admin room. Built in, nobody can" in said


async def test_break_glass_does_not_reset_a_named_member_of_it(office: Ops) -> None:
    await seat(office, CY)
    (said, *_) = await office.types(ANA, "!glass resetpw cy reason x")
    assert "a new password for somebody with rights always needs a vote" in said


# --- an account that is made while the policy names it


def registered(mxid: str) -> dict[str, Any]:
    return {"msgtype": "m.notice", "body": f"New user {mxid} registered on this server."}


async def notice(room: Ops, mxid: str) -> list[str]:
    notices = room.parts.notices
    content = registered(mxid)
    await room.db.write(lambda tx: notices.take(tx, f"$of{room.clock.now}", content, True))
    return await room.news()


async def joined(room: Ops, mxid: str) -> None:
    room.fake.register(mxid[1:].partition(":")[0])
    room.fake.put(room.room, mxid, "m.room.member", {"membership": "join"}, mxid)
    await room.look()


async def doubted(room: Ops) -> set[str]:
    return set(await room.db.read(lambda tx: store.distrusted(tx, room.clock.now + 10**9)))


ALARM = (
    f"❗ {ZED.removesuffix(f':{SERVER}')} was just made. Is it the right person?\n"
    f"The policy names `{ZED}`".replace("`", "")
)


async def pushed(room: Ops, body: str) -> list[str]:
    query = "SELECT content FROM sluice_outbox WHERE kind = 'message'"
    rows = await room.db.read(lambda tx: tx.fetch(query))
    contents = [json.loads(row["content"]) for row in rows]
    (found,) = (each for each in contents if each["body"] == body)
    return list(found["m.mentions"]["user_ids"])


async def has_no_rights(room: Ops, mxid: str) -> None:
    said = await room.types(mxid, "!enableroom !x:example.org")
    assert said == [] or "⛔" in said[0] or "❌" in said[0], said
    assert await doubted(room) == {mxid}


@pytest.mark.parametrize("told", [True, False])
async def test_who_makes_a_named_account_has_no_rights_until_an_owner_says_so(
    office: Ops, told: bool
) -> None:
    await office.drift.hourly()
    await office.news()
    await joined(office, ZED)
    if told:
        said = await notice(office, ZED)
    else:  # the notice was missed: the hourly look finds it
        office.clock.go(3600)
        await office.drift.hourly()
        said = await office.news()
    alarm = next(each for each in said if each.startswith(ALARM))
    assert "ana or dan, if it is who you mean: !trust zed" in alarm
    assert await pushed(office, alarm) == [ANA, DAN]
    await has_no_rights(office, ZED)
    vote = Room(office)
    await vote.says(BO, "!deactivate @spam:example.org reason x")
    number = await vote.newest()
    await vote.taps(ZED, await vote.sent(f"request.{number}.card"))
    assert (await office.request(number)).state is State.PENDING
    assert (await office.request(number)).queued_since is None
    said = await office.types(CY, "!trust zed")
    assert await doubted(office) == {ZED}, "cy is no owner"
    said = await office.types(DAN, "!trust zed")
    assert "dan trusts zed" in said[0]
    assert await doubted(office) == set()
    office.clock.go(3600)
    await office.drift.hourly()
    assert not any(each.startswith(ALARM) for each in await office.news())


async def test_who_was_there_when_the_policy_came_is_trusted(office: Ops) -> None:
    await joined(office, ZED)
    for _ in range(2):
        await office.drift.hourly()
        office.clock.go(3600)
    assert await doubted(office) == set()


async def test_of_somebody_else_a_registration_is_news_only(office: Ops) -> None:
    await office.drift.hourly()
    await office.news()
    said = await notice(office, f"@new:{SERVER}")
    assert await doubted(office) == set()
    assert not any("❗" in each for each in said)


async def test_in_safe_mode_and_without_a_room_it_is_stored_all_the_same(office: Ops) -> None:
    office.rooms.close(office.room)
    await notice(office, ZED)
    assert await doubted(office) == {ZED}


async def test_when_no_owner_is_left_the_way_out_is_the_text(tmp_path: Path) -> None:
    only = ZED_IS_MOD.replace("members: [ana, dan]", "members: [zed]").replace(
        "[bo, cy, zed]", "[bo, cy]"
    )
    only = only.replace(", {from: owner, n: 1}]", "]")
    async with ops(only) as room:
        desk = Desk(room, tmp_path / "policy.yaml")
        await desk.starts(only)
        await room.drift.hourly()
        await joined(room, ZED)
        said = await notice(room, ZED)
        assert any("No owner is left to trust it: save the policy without it, then" in each
                   for each in said)  # fmt: skip
        without = only.replace(f'    zed: "{ZED}"\n', "").replace("[zed]", "[dan]")
        for text in (without, only):
            await desk.saves(text)
            await room.drift.hourly()
        assert await doubted(room) == set()


# --- a room that others than its members open


@pytest.mark.parametrize("rule", ["public", "restricted", "knock_restricted", "what comes next"])
async def test_a_room_that_others_can_open_is_public(office: Ops, rule: str) -> None:
    office.fake.put(office.room, ANA, "m.room.join_rules", {"join_rule": rule}, "")
    await office.look()
    (said, *_) = await office.types(BO, "!enableroom !x:example.org")
    assert "public" in said
    assert any("This room is public" in each for each in await office.types(ANA, "!status"))


@pytest.mark.parametrize("rule", ["invite", "private", "knock", None])
async def test_a_room_that_only_its_members_open_is_not(office: Ops, rule: str | None) -> None:
    content = {} if rule is None else {"join_rule": rule}
    office.fake.put(office.room, ANA, "m.room.join_rules", content, "")
    await office.look()
    said = await office.types(BO, "!enableroom !x:example.org")
    assert not any("public" in each for each in said)


# --- names that are kept, and spans of time


@pytest.mark.parametrize(
    ("patterns", "name", "said"),
    [
        ('["_*", "admin*", "root"]', "root", "names like root are kept"),
        ('["_*", "admin*", "root"]', "admin2", "names that begin with admin are kept"),
        ('["_*", "admin*", "root"]', "_irc", "names that begin with _ belong to bridges"),
        ('["root", "_*"]', "_irc", "names that begin with _ belong to bridges"),
    ],
)
async def test_a_kept_name_is_told_with_its_own_pattern(
    patterns: str, name: str, said: str
) -> None:
    async with ops("reserved_names: " + patterns + "\n" + NO_STAFF) as room:
        assert f"Not run: {said}" in (await room.types(ANA, f"!adduser {name}"))[0]


@pytest.mark.parametrize(
    ("every", "said"),
    [("1h", "this hour"), ("1d", "today"), ("1w", "this week"), ("30m", "in 30 minutes"),
     ("90m", "in 90 minutes"), ("2d", "in 2 days"), ("36h", "in 36 hours"), ("1s", "in 1 second")],
)  # fmt: skip
async def test_can_says_the_span_of_a_limit_as_it_is(every: str, said: str) -> None:
    text = ZED_IS_MOD.replace("max: 10, every: 1d", f"max: 10, every: {every}")
    async with ops(text) as room:
        answer = (await room.types(BO, "!can adduser alice"))[0]
        assert f"10 of 10 left {said}." in answer
        assert load(text, server=SERVER, now=0).settings is not None
