"""The state machine of approvals, on three databases; and that it would find what it must.

SLUICE_RUNS=2000 plays so many games, three seeds for each mistake, and counts what happened.
The long run is a command: python -m tests.machine.requests 100000
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis.errors import Flaky

from tests.fake.postgres import binaries, postgres

from .approvals import Broken, World
from .faults import FAULTS, stale_reads
from .office import Real
from .requests import TOTAL, Approvals, least, play

RUNS = int(os.environ.get("SLUICE_RUNS", "0"))
SEEDS = (7, 6, 0) if RUNS else (7,)
ENOUGH = 2000  # games in which every mistake must have shown


def test_the_invariants_hold_whatever_happens() -> None:
    TOTAL.clear()
    play(Approvals, RUNS or 60, 11, shrink=bool(RUNS))
    missing = least(TOTAL)
    assert not missing, f"too little happened to prove anything: {missing}"


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", FAULTS)
def test_a_mistake_is_found(name: str, seed: int) -> None:
    with ExitStack() as stack:
        FAULTS[name](stack)
        with pytest.raises((Broken, Flaky)) as caught:
            play(Approvals, ENOUGH, seed)
        assert not isinstance(caught.value, Flaky), "found, but not twice"


def test_a_request_read_too_early_is_noticed_by_the_compare_and_set() -> None:
    with ExitStack() as stack:
        stale_reads(stack)
        TOTAL.clear()
        play(Approvals, RUNS // 10 or 25, 3)
        assert TOTAL["stale read noticed"]


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Real]:
    real = Real(f"sqlite:{tmp_path}/sluice.db")
    yield real
    real.stop()


@pytest.fixture
def postgresql() -> Iterator[Real]:
    if not binaries():
        pytest.skip("no PostgreSQL is installed")
    with postgres() as url:
        real = Real(url)
        yield real
        real.stop()


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_the_invariants_hold_on_the_real_databases(
    engine: str, request: pytest.FixtureRequest
) -> None:
    real = request.getfixturevalue(engine)
    machine = type("OnReal", (Approvals,), {"make": staticmethod(lambda: World(real))})
    play(machine, RUNS // 20 or 4, 5)
