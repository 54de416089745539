"""A command that is minutes off is told the true reason: the bot was away, it came late, or whose
clock differs. Only an absence is called one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from email.utils import formatdate
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from sluice.matrix.skew import Skew
from sluice.ops.arrival import Arrival, Cause, cause
from sluice.typed.read import read
from tests.unit.app import live
from tests.unit.ops import ANA, BO, POLICY, Ops, ops

MAX_AGE, NOW = 300.0, 1_795_442_580.0
REMOTE = "@bo:other.org"


@pytest.fixture
async def office() -> AsyncIterator[Ops]:
    policy = POLICY.replace('bo:  "@bo:example.org"', f'bo:  ["{BO}", "{REMOTE}"]')
    async with ops(policy) as made:
        made.fake.join(made.room, REMOTE)
        await made.look()
        yield made


# --- from facts to a cause


def of(age: float, **more: Any) -> Arrival:
    return Arrival(at=NOW - age, now=NOW, **{"local": True, **more})


@pytest.mark.parametrize(
    ("arrival", "wanted"),
    [
        # Nothing else is known: one event that came late.
        (of(1080), (Cause.LATE, 0)),
        (of(1080, local=False), (Cause.LATE, 0)),
        (of(1080, ahead=0.4), (Cause.LATE, 0)),
        # Typed while the bot did not run.
        (of(1080, absences=((NOW - 2000, NOW - 10),)), (Cause.AWAY, 0)),
        (of(1080, absences=((NOW - 900, NOW - 10),)), (Cause.LATE, 0)),
        (of(1080, absences=((0.0, 0.0), (NOW - 2000, NOW))), (Cause.AWAY, 0)),
        (of(NOW, absences=((0.0, 0.0),)), (Cause.LATE, 0)),  # an event without a date
        # Our clock is six minutes fast, or slow.
        (of(360, ahead=-360), (Cause.OURS, 360)),
        (of(-360, ahead=360), (Cause.OURS, 360)),
        (of(360, ahead=-360, local=False), (Cause.OURS, 360)),
        (of(-360), (Cause.OURS, 360)),
        # It differs, and the event is older than that.
        (of(2000, ahead=-360), (Cause.LATE, 0)),
        (of(2000, ahead=-360, absences=((NOW - 1700, NOW),)), (Cause.AWAY, 0)),
        # Typed just before the bot was back, and the server's clock is known to a second or two.
        (of(360, ahead=-361.7, absences=((NOW - 900, NOW),)), (Cause.AWAY, 0)),
        (of(360, ahead=-359.5, absences=((NOW - 900, NOW),)), (Cause.AWAY, 0)),
        (of(360, ahead=-360, absences=((NOW - 900, NOW - 5),)), (Cause.OURS, 360)),
        # The sender's server is six minutes fast, or slow.
        (of(-360, local=False), (Cause.THEIRS, 360)),
        (of(-360, local=False, ahead=0.2), (Cause.THEIRS, 360)),
        (of(361, local=False, before=359.0), (Cause.THEIRS, 361)),
        (of(361, local=False, before=4000.0), (Cause.LATE, 0)),
        # The homeserver's clock is known to be right: two that came late are late.
        (of(361, before=359.0, ahead=0.2), (Cause.LATE, 0)),
        (of(361, before=359.0), (Cause.OURS, 361)),
    ],
)
def test_why_a_command_is_off(arrival: Arrival, wanted: tuple[Cause, float]) -> None:
    assert cause(arrival, MAX_AGE) == wanted


@given(
    st.floats(-1e7, 1e7),
    st.booleans(),
    st.none() | st.floats(-1e5, 1e5),
    st.none() | st.floats(-1e5, 1e5),
)
def test_without_an_absence_nobody_reads_that_the_bot_was_away(
    age: float, local: bool, ahead: float | None, before: float | None
) -> None:
    arrival = Arrival(NOW - age, NOW, local, ahead, ((NOW + 1e9, NOW + 2e9),), before)
    found, by = cause(arrival, MAX_AGE)
    assert found is not Cause.AWAY
    assert by == 0 or found in (Cause.OURS, Cause.THEIRS)


# --- the homeserver's clock


def test_the_clock_of_the_server_is_read_from_its_answers() -> None:
    now = [NOW]
    skew = Skew(lambda: now[0])
    for bad in (None, "", "yesterday", "Mon, 99 Nov 2026 99:99:99 GMT"):
        skew.heard(bad, NOW)
        assert skew.seconds is None
    skew.heard(formatdate(NOW + 360, usegmt=True), NOW - 0.1)
    assert skew.seconds == pytest.approx(360, abs=2)
    skew.heard(formatdate(NOW + 999, usegmt=True), NOW - 60)  # too long on its way
    assert skew.seconds == pytest.approx(360, abs=2)


# --- in the room


async def types(office: Ops, who: str, line: str, off: float) -> str:
    """Dated so many seconds before now."""
    typed = read({"msgtype": "m.text", "body": line}, bot=office.live.me)
    where = evolve(office._where(who), at=office.clock.now - off)
    said = await office._done(await office.commands.take(where, typed))  # type: ignore[arg-type]
    assert said[1:] in ([], ["[🔁]"])
    return said[0]


async def test_a_single_late_command_reached_me_late_and_nothing_was_missed(office: Ops) -> None:
    for who in (BO, REMOTE):
        said = await types(office, who, "!memory", 400)
        assert said.startswith("⛔ Not run: !memory of 13:56 UTC, it reached me late.\nbo, ")
    assert office.parts.ground.absences.missed == 0


async def test_a_command_of_an_absence_says_so_and_counts(office: Ops) -> None:
    office.parts.ground.absences.was_away(office.clock.now - 5000, office.clock.now - 30)
    said = await types(office, BO, "!memory", 400)
    assert said.startswith("⛔ Not run: !memory of 13:56 UTC, I was offline.\nbo, ")
    assert office.parts.ground.absences.missed == 1


@pytest.mark.parametrize("wrong", [-0.5, 0.0, 0.5, 1.6])
async def test_a_command_just_before_the_return_says_so_however_exact_the_clock_is_known(
    office: Ops, wrong: float
) -> None:
    """Our clock is 400 s fast; the command came in the last second of the absence."""
    office.hs.skew.seconds = -400 - wrong
    office.hs.skew.heard = lambda *_: None  # type: ignore[method-assign]
    office.parts.ground.absences.was_away(office.clock.now - 900, office.clock.now - 10)
    said = await types(office, BO, "!memory", 410.2)
    assert said.startswith("⛔ Not run: !memory of 13:56 UTC, I was offline.\nbo, "), said


@pytest.mark.parametrize("off", [360, -360, 301])
async def test_a_server_whose_clock_is_off_is_named(office: Ops, off: float) -> None:
    await types(office, REMOTE, "!memory", off)
    said = await types(office, REMOTE, "!memory", off + 4)
    minutes = round(abs(off) / 60)
    assert said.startswith(
        "⛔ Not run: !memory, I cannot see how old it is.\n"
        f"My clock and the one of other.org differ by {minutes} min."
    )
    assert office.parts.ground.absences.missed == 0


async def test_a_command_in_time_ends_the_suspicion(office: Ops) -> None:
    await types(office, REMOTE, "!memory", 360)
    await types(office, REMOTE, "!version", 2)
    assert "it reached me late" in await types(office, REMOTE, "!memory", 360)


@pytest.mark.parametrize("off", [360, -360])
async def test_when_my_clock_and_the_servers_differ_every_command_and_status_say_so(
    office: Ops, off: float
) -> None:
    office.hs.skew.seconds = -float(off)
    office.hs.skew.heard = lambda *_: None  # type: ignore[method-assign]
    for who in (BO, REMOTE):
        said = await types(office, who, "!memory", off)
        assert said.startswith(
            "⛔ Not run: !memory, I cannot see how old it is.\n"
            "My clock and the server's differ by 6 min."
        )
    said = await types(office, ANA, "!status", off)
    assert "My clock and the server's differ by 6 min" in said
    assert "All good" not in said
    assert office.parts.ground.absences.missed == 0


async def test_clocks_that_differ_are_told_when_nobody_types(office: Ops) -> None:
    office.hs.skew.seconds = 400.0
    office.hs.skew.heard = lambda *_: None  # type: ignore[method-assign]
    await office.drift.hourly()
    said, _ = await office.news()
    assert said.startswith("❗ My clock and the server's differ by 7 min")
    office.hs.skew.seconds = 460.0
    await office.drift.hourly()
    assert await office.news() == []


async def test_a_bot_that_was_down_says_that_it_was_away(monkeypatch: pytest.MonkeyPatch) -> None:
    async with live(monkeypatch) as bot:
        await bot.ready()
        await bot.app.stop()
        bot.clock.ahead += 100
        bot.types(ANA, "!memory")
        bot.clock.ahead += 400
        bot.app = bot._app()
        await bot.app.start()
        await bot.hears("I was offline")
        await bot.hears("I was offline from", "1 command was not run")


async def test_a_host_that_slept_says_that_it_was_away(monkeypatch: pytest.MonkeyPatch) -> None:
    async with live(monkeypatch) as bot:
        await bot.ready()
        at = int((bot.clock() + 60) * 1000)
        bot.clock.ahead += 3600
        bot.types(ANA, "!memory", origin_server_ts=at)
        await bot.hears("Not run: ")
        said = next(body for body in bot.said if "Not run: " in body)
        assert "I was away" in said or "reached me late" in said
