"""`status` says "All good" only when it is, and nothing says "restart it" where that is no
remedy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sluice.matrix.api import NoResponse
from sluice.state import Window
from tests.unit.app import ANA, BO, CONDUIT, SERVER, Live, live, until
from tests.unit.ops import Ops, ops

ADDRESS = f"#admins:{SERVER}"


@pytest.fixture
async def office() -> AsyncIterator[Ops]:
    async with ops() as made:
        yield made


async def status(office: Ops) -> str:
    (said,) = await office.types(ANA, "!status")
    return said


# --- unknown outcomes


async def unknown(office: Ops, number: int) -> None:
    await office.next_is(number)
    await office.types(ANA, "!enableroom !warez:example.org")
    await office.runs()
    query = "UPDATE sluice_request SET state='unknown' WHERE id=$1"
    await office.db.write(lambda tx: tx.execute(query, number))
    await office.news()


async def test_an_unknown_outcome_stands_in_status_until_somebody_says_what_it_was(
    office: Ops,
) -> None:
    assert "All good" in await status(office)
    await unknown(office, 12)
    said = await status(office)
    assert said.startswith("📋 1 problem (")
    assert "#12 enableroom !warez:example.org: nobody knows whether it ran." in said
    assert "!resolve 12 done or !resolve 12 failed" in said
    await office.types(ANA, "!resolve 12 failed")
    assert "All good" in await status(office)


async def test_many_unknown_outcomes_leave_room_for_other_problems(office: Ops) -> None:
    for number in range(12, 20):
        await unknown(office, number)
    said = await status(office)
    assert said.startswith("📋 4 problems, the worst first (")
    assert "#19 enableroom" in said
    assert "5 more have an unknown outcome." in said


# --- registration


@pytest.mark.parametrize(
    ("on", "window", "config", "wanted"),
    [
        (True, None, None, "Registration is on until somebody switches it off"),
        (True, None, False, "Registration is on until somebody switches it off"),
        (True, Window(3, "ana", None), True, "Registration is on until somebody switches it off"),
        (True, None, True, "Registration on, as in its config file."),
        (True, Window(3, "ana", 1e12), False, "Registration on until"),
        (True, Window(3, "ana", 1000.0), False, "Registration should be off since"),
        (False, None, False, "Registration off."),
    ],
)
async def test_registration_that_nobody_closes_is_a_problem(
    office: Ops, on: bool, window: Any, config: Any, wanted: str
) -> None:
    state = office.parts.ground.registration
    state.is_now(window, on)
    state.is_configured(config)
    said = await status(office)
    assert wanted in said
    assert ("All good" in said) == (wanted.startswith("Registration o"))


# --- the address of the admin room


async def test_a_lost_address_is_found_when_a_command_is_slow_and_never_says_restart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with live(monkeypatch) as bot:
        await bot.ready()
        await until(
            lambda: bot.parts.ground.registration.until is not None
        )  # no question of the start is out
        bot.alias(False)
        bot.types(ANA, "!memory")
        said = await bot.hears("room lost its address")
        assert "!help repair" in said
        assert bot.clock.ahead == 0  # no timeout had to be over
        await bot.hears(" failed: Conduit does not answer")
        answer = await bot.status()
        assert f"{ADDRESS} leads nowhere" in answer
        assert "All good" not in answer
        bot.clock.ahead += 200  # nor later
        bot.types(BO, "!memory")
        await bot.hears("Not run: Conduit's admin room has lost its address")
        assert "restart" not in "".join(bot.said).lower()


async def test_a_lost_address_is_told_when_nobody_types(monkeypatch: pytest.MonkeyPatch) -> None:
    async with live(monkeypatch) as bot:
        await bot.ready()
        bot.alias(False)
        bot.clock.ahead += 310
        await bot.hears("room lost its address")


async def test_an_address_that_is_lost_while_conduit_is_silent_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with live(monkeypatch) as bot:
        await bot.ready()
        await bot.is_asked("!memory")
        await bot.timeouts()
        await bot.hears(": busy, or stuck.")
        bot.alias(False)
        bot.clock.ahead += 61
        await bot.hears("room lost its address")
        assert "restart" not in (await bot.status()).lower()


async def test_an_address_that_is_back_is_not_believed_before_conduit_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As in the repair: the address is there, and Conduit listens to it after a restart only."""
    async with live(monkeypatch) as bot:
        await bot.ready()
        bot.alias(False)
        bot.clock.ahead += 310
        await bot.hears("room lost its address")
        bot.alias(True)
        bot.busy = True
        bot.clock.ahead += 61
        await until(lambda: not bot.admin.health.alias_lost)
        assert "All good" not in await bot.status()
        assert not any("answers again" in body for body in bot.said)
        bot.busy = False
        bot.clock.ahead += 61
        await bot.hears("Conduit answers again")
        bot.app.doorbell({})  # maubot's sync lives, for all the time that passed
        assert "All good" in await bot.status()


async def test_a_look_at_accounts_that_fails_keeps_the_address_that_was_read(
    office: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any, **__: Any) -> None:
        raise NoResponse("TimeoutError")

    del office.fake.aliases[ADDRESS]
    monkeypatch.setattr(office.hs, "profile", away)
    await office.drift.look(accounts=True)
    words = await office.db.read(lambda tx: office.drift.words(tx, office.room))
    assert any("leads nowhere" in str(each) for each in words), words


# --- an answer that does not come


async def is_asked_for_users(bot: Live) -> None:
    """Conduit gets `list-local-users` by ana's tap, and does not answer it."""
    bot.types(ANA, "!users")
    await bot.hears("Fewer than 2,000 accounts")
    bot.busy = True
    lines = len(bot.fake.bodies(bot.admin_room, bot.me))
    bot.taps(ANA)
    await until(lambda: len(bot.fake.bodies(bot.admin_room, bot.me)) > lines)


async def test_a_command_that_waits_for_its_answer_is_no_all_good(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with live(monkeypatch) as bot:
        await bot.ready()
        await bot.is_asked("!memory")
        await until(lambda: bool(bot.admin.queue.entries))
        bot.clock.ahead += 15
        said = await bot.status()
        assert "Conduit has not answered since" in said
        assert "All good" not in said


async def test_a_list_that_was_running_when_conduit_fell_silent_is_run_again_by_an_owners_tap_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with live(monkeypatch) as bot:
        await bot.ready()
        await is_asked_for_users(bot)
        await bot.timeouts()
        said = await bot.hears(": busy, or stuck.")
        assert "(users, ana). Do not repeat it, it may be the cause." in said
        said = await bot.hears(" failed: Conduit does not answer.")
        assert "Send it again" not in said
        bot.busy = False
        bot.clock.ahead += 61
        await bot.hears("Conduit answers again")
        assert "!users of ana got no answer at" in await bot.status()
        bot.types(BO, "!users")
        await bot.hears("Only an owner can try it again: ana or dan")
        asked = len([b for b in bot.said if b.startswith("❓")])
        bot.types(ANA, "!users")
        await until(lambda: len([b for b in bot.said if b.startswith("❓")]) > asked)
        assert "!users of ana got no answer at" in bot.said[-1]
        bot.taps(ANA)
        await bot.hears("4 accounts")
        assert "All good" in await bot.status()


async def test_a_list_whose_answer_comes_late_has_not_stopped_conduit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with live(monkeypatch) as bot:
        await bot.ready()
        await is_asked_for_users(bot)
        line = bot.fake.bodies(bot.admin_room, bot.me)[-1]
        await bot.timeouts()
        await bot.hears(" failed: Conduit does not answer.")
        assert "!users of ana got no answer at" in await bot.status()
        bot.busy = False
        content = await bot.handler.answer(line)
        bot.fake.put(bot.admin_room, CONDUIT, "m.room.message", content)
        await bot.hears("Conduit answers again")
        query = "SELECT key FROM sluice_meta WHERE key LIKE 'stopped.%'"
        for _ in range(200):
            if not await bot.rows(query):
                break
            await asyncio.sleep(0.05)
        assert "All good" in await bot.status()
