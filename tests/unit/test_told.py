"""Nothing counts as told, and nothing in memory changes, before it is committed: a block may fail
and run again. And what is recorded has happened."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from attrs import evolve

from sluice.db.connection import StorageFailed, Tx
from sluice.matrix.model import Gap
from sluice.model.decision import Decision, Verdict
from sluice.model.event import event_of
from sluice.text.message import code
from tests.unit.app import live, until
from tests.unit.ops import ANA, BO, HAL, Ops, ops

log = logging.getLogger("test")
Block = Callable[[Tx], Awaitable[Any]]


@pytest.fixture
async def office() -> AsyncIterator[Ops]:
    async with ops() as made:
        yield made


# --- the kind: a block that is rolled back


def registered(number: int) -> dict[str, Any]:
    body = f"New user @q{number}:example.org registered on this server."
    return {"msgtype": "m.notice", "body": body}


async def waves(office: Ops) -> tuple[Block, Callable[[], Any]]:
    notices = office.parts.notices
    await office.db.write(notices.tick)
    return lambda tx: notices.take(tx, "$n", registered(1), False), lambda: notices._next


async def flood(office: Ops) -> tuple[Block, Callable[[], Any]]:
    """A wave, when its message is edited."""
    notices = office.parts.notices
    for number in range(5):
        await office.db.write(
            lambda tx, n=number: notices.take(tx, f"$n{n}", registered(n), False)
        )
    office.clock.go(3600)
    return notices.tick, lambda: notices._next


async def opened(office: Ops) -> tuple[Block, Callable[[], Any]]:
    part = office.relay.registration
    return (
        lambda tx: part.done(tx, 7, "ana", on=True, span=60.0),
        lambda: (part.state.window, part.state.until),
    )


async def perhaps(office: Ops) -> tuple[Block, Callable[[], Any]]:
    part = office.relay.registration
    return lambda tx: part.perhaps(tx, 7, "ana", 60.0), lambda: part.state.window


async def missed(office: Ops) -> tuple[Block, Callable[[], Any]]:
    office.parts.ground.absences.was_away(office.clock.now - 5000, office.clock.now)
    where = office._where(BO)
    office.clock.go(400)
    handled = office.commands._missed(
        evolve(where, at=where.at - 300), code("!status"), again=False
    )
    return handled.commit, lambda: office.parts.ground.absences.missed


async def gap(office: Ops) -> tuple[Block, Callable[[], Any]]:
    news = office.parts.news
    told = news.history_replaced(Gap(office.room, 100.0, 900.0, "replaced"), None)
    return told.commit, lambda: news._gap


async def broken_log(office: Ops) -> tuple[Block, Callable[[], Any]]:
    drift = office.drift
    return lambda tx: drift._tell_broken(tx, seq=3), lambda: drift.broken


async def unreadable(office: Ops) -> tuple[Block, Callable[[], Any]]:
    room = office.parts.ops_room(office.room)
    handled = await room._unreadable(event_of({"event_id": "$x", "sender": BO}))
    assert handled is not None
    return handled.commit, lambda: dict(room._unread)


async def health(office: Ops) -> tuple[Block, Callable[[], Any]]:
    news, health = office.parts.news, evolve(office.conduit.health, silent_since=office.clock.now)
    return lambda tx: news._tell_health(tx, health), lambda: news._health


async def page(office: Ops) -> tuple[Block, Callable[[], Any]]:
    """`more` shows a page, and the next one is the next."""
    for number in range(30):
        await office.record("policy", new=str(number))
    await office.types(ANA, "!log")
    typed = office.commands.read(office.room, {"msgtype": "m.text", "body": "!more"})
    handled = await office.commands.take(office._where(ANA), typed)  # type: ignore[arg-type]
    assert handled is not None
    return (
        handled.commit,
        lambda: office.lists.get(office.room, ANA, office.clock.now),
    )


KINDS = [
    waves,
    flood,
    opened,
    perhaps,
    missed,
    gap,
    broken_log,
    unreadable,
    health,
    page,
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda each: each.__name__)
async def test_a_block_that_fails_changes_nothing_in_memory(office: Ops, kind: Any) -> None:
    block, memory = await kind(office)
    before = memory()

    async def fails(tx: Tx) -> None:
        await block(tx)
        raise StorageFailed("database or disk is full")

    with pytest.raises(StorageFailed):
        await office.db.write(fails)
    assert memory() == before
    await office.db.write(block)
    assert memory() != before


# --- through rooms: the disk is full at the moment when something is to be said


async def test_a_silence_that_began_while_the_disk_was_full_is_told_when_it_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with live(monkeypatch) as bot:
        await bot.ready()
        await bot.is_asked("!memory")
        await until(lambda: bool(bot.admin.queue.entries))
        bot.disk(full=True)
        bot.clock.ahead += 65  # what asks whether it is alive must be noted first
        bot.disk(full=False)
        await bot.timeouts()
        await bot.hears(": busy, or stuck.")
        bot.busy = False
        bot.clock.ahead += 61
        await bot.hears("Conduit answers again. It did not from")
        assert sum(": busy, or stuck." in body for body in bot.said) == 1


async def test_a_question_whose_time_ended_while_the_disk_was_full_is_answered_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with live(monkeypatch) as bot:
        await bot.ready()
        bot.types(BO, "!deactivate @spam:example.org")
        await bot.hears("❓")
        bot.disk(full=True)
        bot.clock.ahead += 301
        await until(lambda: bool(bot.parts.ground.dialog.due()))
        bot.disk(full=False)
        await bot.hears("* ⛔ Not run: nobody answered for 5 minutes.")
        assert bot.parts.ground.dialog._open == {}


# --- an error's key has a time in it


async def test_an_error_of_a_kind_that_was_told_months_ago_is_told_again(office: Ops) -> None:
    news = office.parts.news

    async def fails(event: str) -> list[str]:
        await office.db.write(news.own_error(event, "KeyError").commit)
        return [text for text in await office.news() if text != "[👀]"]

    assert len(await fails("$a")) == 1
    assert await fails("$b") == []  # once in a while
    office.clock.go(90 * 86400)
    assert len(await fails("$c")) == 1
    assert (await office.kinds()).count("error") == 3


async def test_a_check_of_the_policy_that_breaks_again_months_later_is_told_again(
    office: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def judged(*_: Any, **__: Any) -> Decision:
        return evolve(Decision(Verdict.DENY, (), because=("x",)), error="KeyError")

    monkeypatch.setattr("sluice.ops.intake.judge", judged)
    for _ in range(2):
        said = await office.types(HAL, "!memory")
        assert any("KeyError" in body for body in said), said
        assert not any("KeyError" in body for body in await office.types(HAL, "!memory"))
        office.clock.go(90 * 86400)


# --- what is recorded has happened


async def test_closing_registration_while_conduit_is_silent_records_nothing_and_tells_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No INTENT without a line: eight hours of it were 960 records and 19 seals."""
    async with live(monkeypatch) as bot:
        await bot.ready()
        bot.types(ANA, "!registration on for 10m")
        await bot.hears("Registration is on until")
        await bot.is_asked("!memory")
        await bot.timeouts()
        await bot.hears(": busy, or stuck.")
        bot.clock.ahead += 600
        await bot.hears("It should be off since")
        records = len(await bot.rows("SELECT * FROM sluice_audit"))
        lines = len(bot.fake.bodies(bot.admin_room, bot.me))
        for _ in range(5):
            tried = bot.relay.registration._tried
            bot.clock.ahead += 61
            await until(lambda t=tried: bot.relay.registration._tried > t)
        await bot.relay.registration.tick()
        sent = bot.fake.bodies(bot.admin_room, bot.me)[lines:]
        assert all("fence" in body for body in sent), sent
        assert len(await bot.rows("SELECT * FROM sluice_audit")) == records
        assert sum("It should be off since" in body for body in bot.said) == 1
        bot.busy = False
        bot.clock.ahead += 61
        await bot.hears("Registration is off again")
        kinds = [row["kind"] for row in await bot.rows("SELECT kind FROM sluice_audit")]
        assert kinds.count("intent") == kinds.count("outcome")


# --- a new policy


async def test_a_policy_whose_commit_fails_is_not_seen_by_anybody_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with live(monkeypatch) as bot:
        await bot.ready()
        old, seen = bot.live.settings, []
        bot.policy = bot.policy.replace("command_max_age: 5m", "command_max_age: 7m")

        async def fails(*_: Any) -> None:
            seen.append(bot.live.settings)
            raise StorageFailed("database or disk is full")

        with monkeypatch.context() as patch:
            patch.setattr("sluice.reload.reweigh.policy_changed", fails)
            with pytest.raises(StorageFailed):
                await bot.app.reload()
        assert seen == [old]
        assert bot.live.settings is old
        assert await bot.app.reload() is None
        assert bot.live.in_force.command_max_age == 420


async def test_a_policy_whose_reload_was_cancelled_is_live_if_it_is_stored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The commit is not cancelled with who waits for it."""
    async with live(monkeypatch) as bot:
        await bot.ready()
        inside, go_on = asyncio.Event(), asyncio.Event()

        async def slow(desk: Any) -> tuple[Any, ...]:
            inside.set()
            await go_on.wait()
            return ()

        monkeypatch.setattr("sluice.reload.reweigh.policy_changed", slow)
        bot.policy = bot.policy.replace("command_max_age: 5m", "command_max_age: 7m")
        reload = asyncio.create_task(bot.parts.reload.again())
        await inside.wait()
        reload.cancel()
        await asyncio.gather(reload, return_exceptions=True)
        go_on.set()
        await until(lambda: bot.live.in_force.command_max_age == 420)
        stored = await bot.rows("SELECT value FROM sluice_meta WHERE key='policy'")
        assert "7m" in stored[0]["value"]
