"""The digest: once a day, at the hour the owners choose, what happened since the last one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from lab.double import texts
from sluice.chat.digest import Day, digest
from sluice.model.command import Invocation, Kind
from sluice.model.ids import EventId, PersonName, RoomId, UserId
from sluice.model.origin import Origin
from sluice.model.request import Request, State
from sluice.server import store
from tests.unit.ops import ANA, BO, CY, POLICY, SERVER, Ops, ops
from tests.unit.policies import problems_of, settings_of
from tests.unit.scenes import at

HOUR, DAY = 3600.0, 86400.0
MORNING = f'{POLICY}digest: "08:00"\n'
WHO = "policy: {roles: {mod: {members: ['@bo:b.org']}}}\n"


@asynccontextmanager
async def office(zone: str = "UTC", policy: str = MORNING) -> AsyncIterator[Ops]:
    """At 14:03 on the first day, with the digest at 08:00."""
    async with ops(policy.replace("timezone: UTC", f"timezone: {zone}")) as made:
        await made.news()
        assert await passes(made) == []
        yield made


async def passes(office: Ops, until: float | None = None) -> list[str]:
    """The digests that are said, with the clock at this moment."""
    if until is not None:
        office.clock.now = until
    for _ in range(3):
        await office.parts.timers.tick()
    return [said for said in await office.news() if said.startswith("📋 Since ")]


async def notice(office: Ops, body: str, event: str, **more: Any) -> None:
    content = {"msgtype": "m.notice", "body": body, **more}
    await office.db.write(lambda tx: office.parts.notices.take(tx, event, content, False))


async def registers(office: Ops, name: str) -> None:
    await notice(office, f"New user @{name}:{SERVER} registered on this server.", f"$n{name}")


async def reported(office: Ops, event: str, about: str = "spam") -> None:
    who, where = f"@eve:{SERVER}", f"!lobby:{SERVER}"
    content = texts.report(who, "$said", where, f"@{about}:{SERVER}", None, "advert")
    await office.db.write(lambda tx: office.parts.notices.take(tx, event, content, True))


def morning(days: int, time: str = "08:00") -> float:
    """So many days after the first."""
    return at(time) + days * DAY


# --- what it tells


async def test_it_tells_what_was_asked_and_what_became_of_it() -> None:
    async with office() as room:
        await room.types(BO, "!deactivate @spam:example.org reason casino links")
        await room.types(CY, "!approve 1")
        await room.runs()
        await room.types(BO, "!deactivate @max:example.org reason casino links")
        await room.types(CY, "!deny 2 he is a regular")
        await room.types(CY, "!deactivate @eve:example.org reason casino links")
        await room.types(BO, "!config")
        await room.runs()
        await room.types(BO, "!adduser alice")
        await room.runs(Kind.FAILED)
        await passes(room, at("15:30"))
        room.clock.now = morning(1, "07:50")
        await room.types(BO, "!deactivate @spam:example.org reason again")
        (said,) = await passes(room, morning(1))
        assert said.splitlines() == [
            f"📋 Since {room.rooms.here(room.room).clock.at(at('14:03'))}: 5 asked, 1 done",
            "Denied: #2",
            "Expired: #3",
            "Failed: #5",
            "Still open: #6",
        ]
        assert (await room.last())["msgtype"] == "m.notice"


async def test_it_tells_of_new_accounts_and_of_reports_that_nobody_took() -> None:
    async with office() as room:
        for number in range(6):
            await registers(room, f"q{number:02}")
        for event, about in (("$r1", "spam"), ("$r2", "spam"), ("$r3", "max"), ("$r4", "hal")):
            room.clock.go(120)
            await reported(room, event, about)
        taken = await room.db.read(lambda tx: store.between(tx, "report", 0, room.clock.now))
        key = next(each.told for each in taken if "@max" in each.account)
        tap = Origin(EventId("$tap"), EventId("$tap"), RoomId(room.room), UserId(BO), 0.0)
        await room.db.write(lambda tx: room.parts.ground.looking.tap(tx, tap, key))
        room.clock.go(60)
        await room.types(BO, "!deactivate @hal:example.org reason spam")
        (said,) = await passes(room, morning(1))
        assert "New accounts, 6: @q00, @q01, @q02 and 3 more" in said.splitlines()
        assert "Reports nobody took, 2: @spam (2)" in said.splitlines()


async def test_it_tells_how_many_problems_there_are() -> None:
    async with office() as room:
        levels = room.fake.rooms[room.room].state["m.room.power_levels", ""]["content"]
        assert levels
        room.fake.put(room.room, ANA, "m.room.join_rules", {"join_rule": "public"}, "")
        await room.look()
        (said,) = await passes(room, morning(1))
        assert said.splitlines()[1:] == ["Problems: 1, see !status"]


async def test_a_day_without_anything_is_passed_over() -> None:
    async with office() as room:
        assert await passes(room, morning(1)) == []
        await registers(room, "mila")
        (said,) = await passes(room, morning(2))
        since = room.rooms.here(room.room).clock.at(morning(1))
        assert said == f"📋 Since {since}: nothing was asked\nNew accounts, 1: @mila"


async def test_with_the_longest_values_it_fits_a_phone() -> None:
    async with office() as room:
        asked = [
            Request(
                n, EventId("$"), EventId("$"), RoomId("!r"), UserId("@x"), PersonName("m" * 16),
                "", Invocation("deactivate"), "", state, 0.0,
            )
            for n, state in enumerate([s for s in State for _ in range(9)], 1000)
        ]  # fmt: skip
        names = [f"@{'x' * 40}{n}:{SERVER}" for n in range(30)]
        day = Day(0.0, 99, asked, range(1000, 1040), names, names * 3, 12)
        lines = digest(room.rooms.here(room.room), day).body.splitlines()
        assert len(lines) <= 10
        assert sum(-(-len(each) // 36) for each in lines) <= 16


# --- when


async def test_once_a_day_also_over_restarts() -> None:
    async with office() as room:
        for day in range(1, 4):
            await registers(room, f"m{day}")
            assert await passes(room, morning(day) - 1) == []
            assert len(await passes(room, morning(day))) == 1
            room.start(room.live.in_force)
            await room.look()
            assert await passes(room, morning(day) + 60) == []
            await registers(room, f"n{day}")
            assert await passes(room, morning(day, "23:59")) == []


async def test_who_was_away_at_the_hour_says_it_afterwards() -> None:
    async with office() as room:
        await registers(room, "mila")
        assert await passes(room, morning(1, "07:59")) == []
        room.clock.now = morning(3, "10:20")
        room.start(room.live.in_force)
        await room.look()
        assert len(await passes(room)) == 1
        assert await passes(room, morning(3, "23:00")) == []


@pytest.mark.parametrize("back", [120.0, HOUR, 5 * HOUR, DAY - 1])
async def test_a_clock_that_is_set_back_tells_nothing_twice(back: float) -> None:
    async with office() as room:
        await registers(room, "mila")
        assert len(await passes(room, morning(1))) == 1
        await registers(room, "nora")
        assert await passes(room, morning(1) - back) == []
        assert await passes(room, morning(1, "08:01")) == []
        assert len(await passes(room, morning(2))) == 1


async def test_a_clock_that_was_years_ahead_does_not_end_it() -> None:
    async with office() as room:
        await passes(room, at("14:03") + 3650 * DAY)
        assert await passes(room, at("15:00")) == []
        await registers(room, "mila")
        assert len(await passes(room, morning(1))) == 1


@pytest.mark.parametrize(
    ("hour", "first"),
    [("02:30", "2027-03-28T01:00:00Z"), ("02:30", "2027-10-31T00:30:00Z")],
)
async def test_once_a_day_also_when_summer_time_begins_and_ends(hour: str, first: str) -> None:
    """02:30 is not there on one of these days, and is there twice on the other."""
    start = datetime.fromisoformat(first.replace("Z", "+00:00")).timestamp()
    async with office("Europe/Berlin", MORNING.replace("08:00", hour)) as room:
        told = []
        await passes(room, start - 2 * DAY)
        for quarter in range(-10, 97, 2):
            room.clock.now = start + quarter * 900
            await registers(room, f"q{quarter + 100}")
            if await passes(room):
                told.append(room.clock.now)
        assert start in told
        assert len(
            {datetime.fromtimestamp(t, ZoneInfo("Europe/Berlin")).date() for t in told}
        ) == len(told)


async def test_the_hour_is_of_the_zone_of_the_policy() -> None:
    async with office("Asia/Tokyo") as room:
        await registers(room, "mila")
        assert await passes(room, at("22:59")) == []
        (said,) = await passes(room, at("23:00"))
        assert " JST: " in said


async def test_it_is_off_unless_an_hour_is_set() -> None:
    async with office(policy=POLICY) as room:
        await registers(room, "mila")
        for day in range(1, 3):
            assert await passes(room, morning(day, "12:00")) == []


@pytest.mark.parametrize("word", ["8", "24:00", "8:60", "8 am", "08:00-09:00", "true", "[8]"])
def test_what_is_no_hour_is_an_error_that_says_how_to_write_it(word: str) -> None:
    (said,) = problems_of(f"digest: {word}\n{WHO}")
    assert said.startswith("1: ")


@pytest.mark.parametrize(
    ("word", "hour"), [('"8:05"', "08:05"), ("08:00", "08:00"), ("null", None)]
)
def test_hours_as_people_write_them(word: str, hour: str | None) -> None:
    settings = settings_of(f"digest: {word}\n{WHO}")
    assert settings.digest == hour
