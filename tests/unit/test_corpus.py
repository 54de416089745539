"""Whatever is in the corpus means what stands there: each message is played through a room."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.corpus import play, strangers
from tests.corpus.play import Case

NOT_YET = play.not_yet()
ALL = [case for name in play.files() for case in play.cases(name)]
A_TEST = 20  # rooms


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


def _parts() -> Iterator[tuple[str, list[list[Case]]]]:
    """The rooms of each file, some in a test."""
    for name in play.files():
        rooms = play.batches([case for case in ALL if case.file == name], NOT_YET)
        for part in range(0, len(rooms), A_TEST):
            yield f"{name.removesuffix('.yaml')} {part // A_TEST + 1}", rooms[part : part + A_TEST]


PARTS = dict(_parts())


@pytest.mark.parametrize("part", PARTS)
def test_it_means_what_it_must(part: str) -> None:
    rooms = PARTS[part]
    wrong = {case: why for batch in rooms for case, why in play.play(batch).items()}
    new = {case: why for case, why in wrong.items() if case not in NOT_YET}
    assert not new, "\n".join(f"{case}: {why}" for case, why in new.items())
    holds = [case.id for batch in rooms for case in batch if case.id in NOT_YET]
    holds = [case for case in holds if case not in wrong]
    assert not holds, f"these hold now, take them out of tests/corpus/not_yet.txt: {holds}"


def test_each_case_is_well_formed() -> None:
    ids = [case.id for case in ALL]
    assert len(ids) == len(set(ids)), sorted(case for case in ids if ids.count(case) > 1)
    assert not set(NOT_YET) - set(ids) - {case.id for case in strangers.cases()}
    for case in ALL:
        assert case.means in play.MEANS, case.id
        assert case.means != "run" or case.what, case.id


def test_what_a_stranger_wrote_means_what_they_said_or_what_is_argued() -> None:
    found = strangers.cases()
    rooms = play.batches(found, [case.id for case in found])
    wrong = {case: why for batch in rooms for case, why in play.play(batch).items()}
    not_yet = {case for case in NOT_YET if case in {each.id for each in found}}
    new = {case: why for case, why in wrong.items() if case not in {*strangers.ARGUED, *not_yet}}
    assert not new, "\n".join(f"{case}: {why}" for case, why in new.items())
    assert not not_yet - set(wrong), "these hold now"
