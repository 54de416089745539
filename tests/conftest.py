"""What every test sees: the repository's own modules first, and one rule about Conduit."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.fake.postgres import binaries, postgres
from tests.stage import reach

reach.watch()  # sluice is imported after this, so test_book.py knows what no scene reaches


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
