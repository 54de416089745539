"""The owners' page, followed block by block, ends with an account that has signed in."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab.bot import FullMaubot
from lab.client import Refused
from lab.homeserver import Homeserver
from tests.e2e.test_maubot import maubot
from tests.e2e.walk import Walk, steps

__all__ = ["maubot"]  # a fixture

_numbers = itertools.count(1)


@pytest.fixture
async def walk(server: Homeserver, tmp_path: Path) -> AsyncIterator[Walk]:
    walk = Walk(server, tmp_path / "walk", bot=f"walker{next(_numbers)}", with_pip=False)
    yield walk
    await walk.stop()
    try:
        await server.ana.kick(server.admin_room, walk.mxid)
    except Refused:
        pass


async def test_the_eight_steps(walk: Walk) -> None:
    assert len(list(steps("Ten minutes"))) == 8
    await walk.standalone()


async def test_the_way_for_who_has_a_maubot_server(walk: Walk, maubot: FullMaubot) -> None:
    await walk.in_maubot(maubot)
