"""What `setup` asks for by the account data of the bot, and that nothing else answers."""

from __future__ import annotations

import time
from typing import Any

import pytest

from sluice.proof import KIND
from tests.stage.stage import Stage, on_stage

SAID = "🔔 Setup asked through me whether registration is open. Conduit answered: "


async def started(stage: Stage, request: Any) -> int:
    """How many proofs are in the ops room after a start with this request."""
    if request is not None:
        stage.home.accounts[stage.bot].data[KIND] = request
    await stage.start()
    await stage.settle(10)
    return sum(said.text.startswith(SAID) for said in stage.said())


def test_the_answer_is_that_of_conduit_and_is_given_once() -> None:
    async def scene(stage: Stage) -> None:
        asked = {"asked": "word", "at": time.time() - 5}
        assert await started(stage, asked) == 1
        [said] = [each for each in stage.said() if each.text.startswith(SAID)]
        told = stage.home.accounts[stage.bot].data[KIND]
        assert f"{SAID}{told['answer']['registration']}." in said.text
        assert told["answer"]["conduit"] == "0.10.12"
        assert told["asked"] == "word"
        await stage.stop()
        assert await started(stage, None) == 1, "once"

    on_stage(scene)


@pytest.mark.parametrize(
    "request_",
    [
        None,
        {},
        {"asked": "", "at": 0},
        {"asked": 5, "at": 0},
        {"asked": "word"},
        {"asked": "word", "at": "now"},
        {"asked": "word", "at": 1.0},
        {"asked": "word", "at": 9e12},
        {"asked": "word", "at": True},
        {"asked": "word", "at": 0, "answer": {"registration": "on"}},
    ],
)
def test_what_is_no_fresh_question_is_not_answered(request_: Any) -> None:
    async def scene(stage: Stage) -> None:
        if request_ and request_.get("at") == 0:
            request_["at"] = time.time()
        assert await started(stage, request_) == 0

    on_stage(scene)
