"""A small run of messages at random whose meaning is known (tests/fuzz_meant.py)."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests import fuzz_meant


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


def test_what_is_read_is_what_was_meant() -> None:
    assert fuzz_meant.reading(20_000, seed=14) == []


def test_a_room_does_nothing_that_nobody_meant_and_answers_what_is_meant_for_it() -> None:
    assert fuzz_meant.rooms(300, seed=14) == []
