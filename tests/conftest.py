"""What every test sees: the repository's own modules first, and one rule about Conduit."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.fake.postgres import binaries, postgres
from tests.stage import reach

settings.register_profile("no clock", deadline=None)
settings.load_profile("no clock")


def pytest_configure(config: pytest.Config) -> None:
    """Mark what makes text, before sluice is imported, so that test_book.py knows what no scene
    reaches; not for end-to-end tests alone, because the marks cost seconds at each start."""
    if any("e2e" not in Path(each).parts for each in config.args):
        reach.watch()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With CONDUIT_BIN the end-to-end tests run on that server; a few need the double."""
    if not os.environ.get("CONDUIT_BIN"):
        return
    for item in items:
        marker = item.get_closest_marker("double_only")
        if marker:
            item.add_marker(pytest.mark.skip(reason=f"needs the double: {marker.args[0]}"))


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    if not binaries():
        pytest.skip("no PostgreSQL on this machine")
    with postgres() as url:
        yield url
