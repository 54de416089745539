"""The book says what the bot says: every scene is played again and compared."""

from __future__ import annotations

import pytest

from tests.stage import reach
from tests.stage.book import BOOK, Wrong, read_scene, scenes, written

SCENES = scenes(BOOK.read_text(encoding="utf-8"))
PLAYED: set[str] = set()
WAITING = {  # functions that no scene reaches yet; the list only gets shorter
    "chat/alarms.py cannot_log",
    "chat/alarms.py cannot_send",
    "chat/alarms.py named_made",
    "chat/alarms.py outdated",
    "chat/alarms.py refused_in_safe_mode",
    "chat/alarms.py why_no_log",
    "chat/door.py cap_all",
    "chat/door.py line_full",
    "chat/files.py unreadable",
    "chat/measures.py _has_its_votes",
    "chat/measures.py reweighed",
    "chat/notices.py raw",
    "chat/pages.py _row",
    "chat/pages.py _word",
    "chat/pages.py from_json",
    "chat/pages.py to_json",
    "chat/private.py not_safe",
    "chat/read.py _refusal",
    "chat/refusals.py cannot_log",
    "chat/refusals.py list_too_large",
    "chat/refusals.py not_encrypted",
    "chat/refusals.py not_in_version",
    "chat/refusals.py of_bridge",
    "chat/refusals.py public_room",
    "chat/refusals.py sealed",
    "chat/refusals.py starting",
    "chat/refusals.py too_many_at_once",
    "chat/refusals.py two_people",
    "chat/refusals.py unreadable",
    "chat/results.py _thrown_away",
    "chat/results.py contradicted",
    "ops/asked.py build",
    "ops/checks.py _undeliverable",
    "ops/log.py _told",
    "ops/sizes.py _too_large",
}


@pytest.mark.parametrize(("heading", "block"), SCENES, ids=[heading for heading, _ in SCENES])
def test_the_book_says_what_the_bot_says(heading: str, block: str) -> None:
    now = written(block)
    PLAYED.add(block)
    assert now == block, f"“{heading}” reads otherwise today; python3 -m lab book writes it anew"


def test_a_line_that_nobody_can_play_is_an_error() -> None:
    with pytest.raises(Wrong, match="kim: !help"):
        read_scene("kim: !help\n")
    with pytest.raises(Wrong, match="the moon rises"):
        written("(the moon rises)\n")


def test_a_scene_plays_the_same_twice() -> None:
    block = "(there are spam)\nbo: !deactivate @spam:example.org reason x\n(31 seconds pass)\n"
    assert written(block) == written(block)


def test_every_function_that_makes_a_text_is_in_the_book() -> None:
    """It goes by what the first test has played; a part of the book cannot tell."""
    if len(PLAYED) < len({block for _, block in SCENES}):
        pytest.skip("not every scene was played in this run")
    left = {f"{place.file} {place.function}" for place in reach.unreached() if place.begins}
    assert left == WAITING, "add a scene; python3 -m lab book --unreached says more"
