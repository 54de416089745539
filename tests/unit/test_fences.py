"""What asks Conduit for a sign of life makes nobody wait and raises no false alarm: neither where
an administrator types beside it so that the sign proves nothing, nor where the homeserver was
away."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from attrs import frozen

from tests.fake.homeserver import Fault, Json
from tests.stage.stage import ADMIN, OPS, POLICY, Stage, on_stage

FENCE = re.compile(r"sluice-fence-\w+$")
SIGNS = ("✅", "❗", "🔔")
Beside = Callable[[Stage, str], None]  # what stands behind a fence before its echo; its body


def types(stage: Stage, body: str) -> str:
    return stage.home.say(ADMIN, stage["ana"].mxid, body)


def erased(stage: Stage, fence: str) -> None:
    stage.home.erase(types(stage, "oh, wrong room"), stage["ana"].mxid, ADMIN)


def copied(stage: Stage, fence: str) -> None:
    types(stage, fence)


def copied_and_erased(stage: Stage, fence: str) -> None:
    stage.home.erase(types(stage, fence), stage["ana"].mxid, ADMIN)


@frozen
class Play:
    """What the bot said, until it said what was awaited and ten seconds more."""

    texts: list[str]
    seconds: float
    fences: int


def played(beside: Beside, times: int, *, starting: bool = False) -> Play:
    """The next fences are spoilt, and the bot starts, or dan and another administrator ask the
    same of Conduit at once."""
    fences: list[str] = []

    async def scene(stage: Stage) -> Play:
        def listens(room: str, event: Json) -> None:
            body = event["content"].get("body", "")
            if room != ADMIN or event["sender"] != stage.bot:
                return
            if body.endswith("clear-database-caches 8"):
                types(stage, body)
            elif FENCE.search(body):
                fences.append(body)
                if len(fences) <= times:
                    beside(stage, body)

        def texts() -> list[str]:
            return [said.text for said in stage.said()[before:] if said.sender == stage.bot]

        if not starting:
            await stage.start()
            await stage.settle(10)
        before = len(stage.said())
        stage.home.listeners.append(listens)
        begun = time.time()
        if starting:
            await stage.start()
        else:
            await stage["dan"].say(OPS, "!clearcache db")
        while not any(text.startswith(SIGNS) for text in texts()) and time.time() < begun + 200:
            await stage.settle(1)
        seconds = time.time() - begun
        await stage.settle(10)
        return Play([text for text in texts() if text.startswith(SIGNS)], seconds, len(fences))

    play: Play = on_stage(scene)
    return play


@pytest.mark.parametrize("beside", [erased, copied, copied_and_erased])
@pytest.mark.parametrize("times", [1, 2, 3])
def test_who_types_beside_a_fence_makes_nobody_wait(beside: Beside, times: int) -> None:
    play = played(beside, times)
    assert play.texts == [
        "✅ All 8 database caches are empty\n"
        "Conduit fills them again by itself and may be slower for a while. Nothing to undo."
    ]
    assert play.seconds <= 4 * 2**times


@pytest.mark.parametrize("beside", [erased, copied, copied_and_erased])
@pytest.mark.parametrize("times", [1, 2])
def test_who_types_beside_a_fence_delays_no_start(beside: Beside, times: int) -> None:
    play = played(beside, times, starting=True)
    assert len(play.texts) == 1
    assert play.texts[0].startswith(
        "🔔 Sluice 1.0.0 is ready. Conduit 0.10.12 on example.org answers"
    )
    assert play.seconds <= 4 * 2**times


@pytest.mark.parametrize("beside", [erased, copied])
def test_who_copies_every_fence_gets_fewer_and_fewer(beside: Beside) -> None:
    assert 3 <= played(beside, 1000).fences <= 10


@pytest.mark.parametrize("away", [40, 75, 200])
@pytest.mark.parametrize("timeout", ["3s", "8s"])
def test_a_homeserver_that_is_back_is_not_called_silent(away: int, timeout: str) -> None:
    """The line that was sent first is read at once, however long nothing could be read."""

    async def scene(stage: Stage) -> list[str]:
        await stage.start()
        await stage.settle(10)
        before = len(stage.said())
        assert stage.app is not None
        stage.home.faults.append(Fault("", None, times=1_000_000))
        stage.app.connection_lost()
        await stage.settle(away)
        stage.home.faults.clear()  # no bell: maubot's sync waits for more than a minute
        await stage.settle(25)
        return [said.text for said in stage.said()[before:] if said.sender == stage.bot]

    policy = POLICY.replace("timeout: 60s", f"timeout: {timeout}").replace(
        "slow_timeout: 10m", f"slow_timeout: {timeout}"
    )
    texts = on_stage(scene, policy=policy)
    assert [text for text in texts if "The server was offline" not in text] == []
