"""The board: one message in an ops room that always shows what is open and how things stand."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.fake.homeserver import Fault
from tests.stage.stage import OPS, POLICY, SECOND, SERVER, Stage, on_stage

WITH = POLICY.replace("board: false", "board: true")
COUNTS = "Its newest edit counts."
PINS = "m.room.pinned_events"
Scene = Callable[[Stage], Awaitable[Any]]


def play(scene: Scene, policy: str = WITH) -> None:
    async def whole(stage: Stage) -> None:
        await stage.start()
        await stage.settle(20)
        await scene(stage)

    on_stage(whole, policy=policy)


class Shown:
    """A board of a room: its event, and all it has read, the newest last."""

    def __init__(self, event: str, first: str) -> None:
        self.event, self.texts = event, [first]

    @property
    def now(self) -> str:
        return self.texts[-1]


def boards(stage: Stage, room: str = OPS) -> list[Shown]:
    """All that were posted, with their edits, as a client that folds these shows them."""
    found: dict[str, Shown] = {}
    for said in stage.said(room):
        if said.sender != stage.bot or said.kind != "m.room.message":
            continue
        if said.edits in found:
            found[said.edits].texts.append(said.text)
        elif said.text.endswith(COUNTS):
            found[said.id] = Shown(said.id, said.text)
    return list(found.values())


def board(stage: Stage, room: str = OPS) -> Shown:
    """The one that stands; those before lead to it."""
    *old, last = boards(stage, room)
    assert all(each.now.startswith("📋 An earlier board.") for each in old)
    return last


def pins(stage: Stage, room: str = OPS) -> list[Any]:
    event = stage.home.rooms[room].state.get((PINS, ""))
    return event["content"]["pinned"] if event else []


def pinned(stage: Stage, *events: str) -> None:
    stage.home.put(OPS, stage["ana"].mxid, PINS, {"pinned": list(events)}, "")


async def waiting(stage: Stage) -> int:
    """Texts of a board that are not sent."""
    query = "SELECT COUNT(*) n FROM sluice_outbox WHERE state = 0 AND key LIKE 'board.%'"
    return int((await stage.database.fetchrow(query))["n"])


async def asks(stage: Stage, who: str = "bo", name: str = "spam") -> None:
    if f"@{name}:{SERVER}" not in stage.home.accounts:
        stage.home.person(name)
    await stage.says(who, f"!deactivate @{name}:{SERVER} reason casino links")


# --- what it shows


def test_a_quiet_room_has_one_that_says_that_all_is_well() -> None:
    async def scene(stage: Stage) -> None:
        assert board(stage).texts == [
            "📋 Nothing is open, no problems\n"
            "Registration on, as in the config file. Not paused.\n"
            "Conduit 0.10.12 answers.\n"
            f"As of 14:00 UTC. {COUNTS}"
        ]

    play(scene)


def test_what_is_open_stands_on_it_until_it_is_over() -> None:
    async def scene(stage: Stage) -> None:
        await asks(stage)
        await stage.settle(20)
        first, row, *_ = board(stage).now.splitlines()
        assert first == "📋 1 open request, no problems"
        assert row == "#1 bo: deactivate @spam, by 15:00 UTC"
        assert COUNTS not in board(stage).now
        await stage.says("cy", "!approve 1")
        await stage.settle(20)
        assert board(stage).now.startswith("📋 Nothing is open, no problems\n")

    play(scene)


def test_the_first_to_end_stands_first_and_the_rest_is_counted() -> None:
    async def scene(stage: Stage) -> None:
        for number in range(8):
            who = ("bo", "cy", "dan")[number % 3]
            await asks(stage, who, f"s{number:02}")
        await stage.settle(20)
        lines = board(stage).now.splitlines()
        assert [line.split()[0] for line in lines[1:7]] == [f"#{n}" for n in range(1, 7)]
        assert lines[7] == "2 more: !pending"
        assert len(lines) <= 14

    play(scene, WITH.replace("max: 5, every: 1h", "max: 50, every: 1h"))


def test_pause_and_registration_stand_on_it() -> None:
    async def scene(stage: Stage) -> None:
        await stage.says("ana", "!registration on for 1h")
        await stage.says("ana", "!pause odd requests")
        await stage.settle(20)
        first, stands, *_ = board(stage).now.splitlines()
        assert first == "📋 Nothing is open, paused, registration is on, no problems"
        assert stands.startswith("Registration on until 15:00 UTC. Paused by ana since 14:00 UTC.")
        await stage.says("ana", "!resume")
        await stage.settle(4000)
        assert board(stage).now.splitlines()[1] == "Registration off. Not paused."

    play(scene)


def test_problems_stand_on_it_as_in_status_and_go() -> None:
    async def scene(stage: Stage) -> None:
        stage.conduit.set(hold=True)
        await stage.says("bo", "!config")
        await stage.settle(150)
        first = board(stage).now.splitlines()[0]
        assert first.startswith("📋 Nothing is open, 1 problem")
        assert "has not answered since 14:0" in board(stage).now
        assert "answers." not in board(stage).now
        stage.conduit.set(hold=False)
        await stage.settle(150)
        assert board(stage).now.startswith("📋 Nothing is open, no problems\n")

    play(scene)


# --- when it changes


def test_it_is_edited_without_a_push_and_only_on_a_change() -> None:
    async def scene(stage: Stage) -> None:
        before = len(stage.home.rooms[OPS].events)
        await stage.settle(1800)
        assert len(stage.home.rooms[OPS].events) == before
        await asks(stage)
        await stage.settle(20)
        edits = [said for said in stage.said() if said.edits == board(stage).event]
        assert len(edits) == 1
        assert not edits[0].mentions
        assert edits[0].shown["msgtype"] == "m.notice"

    play(scene)


def test_what_runs_at_once_does_not_stand_on_it() -> None:
    async def scene(stage: Stage) -> None:
        for _ in range(3):
            await stage.says("bo", "!users spam")
            await stage.settle(15)
        assert len(board(stage).texts) == 1

    play(scene)


def test_it_changes_at_most_once_in_ten_seconds() -> None:
    async def scene(stage: Stage) -> None:
        begin = time.time()
        for number in range(9):
            await asks(stage, ("bo", "cy", "dan")[number % 3], f"s{number:02}")
        await stage.settle(30)
        took = time.time() - begin
        assert len(board(stage).texts) - 1 <= took / 10 + 1
        assert board(stage).now.startswith("📋 9 open requests")

    play(scene, WITH.replace("max: 5, every: 1h", "max: 50, every: 1h"))


def test_a_time_of_end_does_not_change_it_each_minute() -> None:
    async def scene(stage: Stage) -> None:
        await asks(stage)
        await stage.settle(20)
        texts = len(board(stage).texts)
        await stage.settle(20 * 60)
        assert len(board(stage).texts) == texts

    play(scene)


# --- restarts and outages


def test_a_restart_changes_nothing_and_goes_on_with_the_same() -> None:
    async def scene(stage: Stage) -> None:
        event = board(stage).event
        await stage.stop()
        await stage.start()
        await stage.settle(60)
        assert board(stage).texts == board(stage).texts[:1]
        await asks(stage)
        await stage.settle(20)
        assert board(stage).event == event
        assert board(stage).now.startswith("📋 1 open request")

    play(scene)


def test_an_outage_leaves_one_text_behind() -> None:
    async def scene(stage: Stage) -> None:
        await asks(stage)
        stage.home.faults.append(Fault("", None, times=1_000_000))
        assert stage.app is not None
        stage.app.connection_lost()
        await stage.settle(900)
        assert await waiting(stage) <= 1
        stage.home.faults.clear()
        stage.app.doorbell({"rooms": {"join": {OPS: {}}}})
        await stage.settle(60)
        assert board(stage).now.startswith("📋 1 open request")
        await stage.says("bo", "!cancel 1")
        await stage.settle(20)
        assert board(stage).now.startswith("📋 Nothing is open")

    play(scene)


def test_in_a_room_where_the_bot_may_not_write_nothing_piles_up() -> None:
    async def scene(stage: Stage) -> None:
        levels = stage.home.rooms[OPS].state["m.room.power_levels", ""]["content"]
        stage.home.put(OPS, stage["ana"].mxid, "m.room.power_levels",
                       {**levels, "events_default": 50}, "")  # fmt: skip
        await stage.settle(900)
        assert await waiting(stage) == 0

    play(scene)


# --- posted anew


def test_board_posts_it_anew_and_the_old_one_leads_there() -> None:
    async def scene(stage: Stage) -> None:
        for who in ("hal", "bo"):
            await stage.says(who, "!board")
            await stage.settle(5)
        assert len(boards(stage)) == 3
        assert board(stage).now.startswith("📋 Nothing is open")
        assert stage.said()[-1].kind in ("m.room.message", PINS)
        await stage.says("eve", "!board")
        assert len(boards(stage)) == 3

    play(scene)


def test_it_is_posted_anew_with_the_first_change_after_a_day(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sluice.server.board._DAY", 900.0)  # a day takes a minute to play

    async def scene(stage: Stage) -> None:
        await stage.settle(2000)
        assert len(boards(stage)) == 1
        await asks(stage)
        await stage.settle(20)
        assert len(boards(stage)) == 2
        assert board(stage).now.startswith("📋 1 open request")
        await stage.says("bo", "!cancel 1")
        await stage.settle(20)
        assert len(boards(stage)) == 2

    play(scene)


def test_it_is_posted_anew_after_fifty_edits() -> None:
    async def scene(stage: Stage) -> None:
        for number in range(26):
            await asks(stage, name=f"s{number:02}")
            await stage.settle(12)
            await stage.says("bo", f"!cancel {number + 1}")
            await stage.settle(12)
        first, _ = boards(stage)
        assert len(first.texts) == 52
        assert first.now.startswith("📋 An earlier board.")

    play(scene, WITH.replace("max: 5, every: 1h", "max: 90, every: 1h"))


# --- the pin


def test_it_is_pinned_among_the_pins_of_others_once() -> None:
    async def scene(stage: Stage) -> None:
        assert pins(stage) == []
        stage.power(stage.bot, 50)
        pinned(stage, "$rules", "$map")
        await stage.settle(20)
        first = board(stage).event
        assert pins(stage) == ["$rules", "$map", first]
        await stage.says("bo", "!board")
        await stage.settle(20)
        assert pins(stage) == ["$rules", "$map", board(stage).event]
        assert board(stage).event != first
        pinned(stage, "$rules")  # somebody takes it away again
        await asks(stage)
        await stage.settle(60)
        assert pins(stage) == ["$rules"]

    play(scene)


@pytest.mark.parametrize("odd", [{}, {"pinned": "x"}, {"pinned": None, "more": 1}])
def test_pins_that_are_none_stop_nothing(odd: dict[str, Any]) -> None:
    async def scene(stage: Stage) -> None:
        stage.power(stage.bot, 50)
        stage.home.put(OPS, stage["ana"].mxid, PINS, odd, "")
        await stage.settle(20)
        assert pins(stage) == [board(stage).event]

    play(scene)


# --- rooms and the switch


def test_every_ops_room_has_its_own() -> None:
    async def scene(stage: Stage) -> None:
        everybody = [person.mxid for person in stage.people.values()]
        stage.make_room(SECOND, everybody[0], *everybody[1:], stage.bot)
        stage.policy = stage.policy.replace(f'["{OPS}"]', f'["{OPS}", "{SECOND}"]')
        stage.save()
        await stage.says("ana", "!reload")
        await asks(stage)
        await stage.settle(90)
        for room in (OPS, SECOND):
            assert "#1 bo: deactivate @spam" in board(stage, room).now

    play(scene)


def test_a_room_that_is_no_ops_room_any_more_is_told_once_that_its_board_is_not_kept() -> None:
    async def scene(stage: Stage) -> None:
        everybody = [person.mxid for person in stage.people.values()]
        stage.make_room(SECOND, everybody[0], *everybody[1:], stage.bot)
        one, both = f'["{OPS}"]', f'["{OPS}", "{SECOND}"]'
        for old, new in ((one, both), (both, one)):
            stage.policy = stage.policy.replace(old, new)
            stage.save()
            await stage.says("ana", "!reload")
            await stage.settle(30)
        (left,) = boards(stage, SECOND)
        assert left.now.startswith("📋 This board is no longer kept")
        texts = len(left.texts)
        await asks(stage)
        await stage.settle(90)
        assert len(boards(stage, SECOND)[0].texts) == texts
        assert "#1 bo: deactivate @spam" in board(stage).now
        stage.policy = stage.policy.replace(one, both)
        stage.save()
        await stage.says("ana", "!reload")
        await stage.settle(30)
        assert "#1 bo: deactivate @spam" in boards(stage, SECOND)[-1].now

    play(scene)


def test_it_is_switched_off_and_on_with_the_policy() -> None:
    async def scene(stage: Stage) -> None:
        for word, said in (("false", "📋 The board is switched off"), ("true", "📋 Nothing is")):
            old = {"false": "true", "true": "false"}[word]
            stage.policy = stage.policy.replace(f"board: {old}", f"board: {word}")
            stage.save()
            await stage.says("ana", "!reload")
            await stage.settle(20)
            assert board(stage).now.startswith(said)
            if word == "false":
                await stage.says("bo", "!board")
                assert stage.said()[-1].text.startswith("📋 The board is switched off")

    play(scene)


def test_without_it_there_is_none() -> None:
    async def scene(stage: Stage) -> None:
        await stage.settle(60)
        assert boards(stage) == []

    play(scene, POLICY)
