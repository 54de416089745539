"""A handful of the deaths that `python -m tests.e2e.kills 200` deals out."""

from __future__ import annotations

from pathlib import Path

from lab.proxy import FaultProxy
from lab.world import World
from tests.e2e.kills import kill
from tests.e2e.office import Office


async def test_nothing_is_doubled_lost_or_run_without_votes_by_real_deaths(
    world: World, proxy: FaultProxy, tmp_path: Path
) -> None:
    office = await Office.open(world, tmp_path / "bot", base=proxy.base)
    killing = await kill(office, proxy, 6, seed=1)
    assert not killing.wrong, killing.report()
    assert killing.counts["between INTENT and OUTCOME"] >= 3, killing.report()
