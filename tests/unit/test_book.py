"""The book says what the bot says: every scene is played again and compared."""

from __future__ import annotations

import pytest

from tests.stage.book import BOOK, Wrong, read_scene, scenes, written

SCENES = scenes(BOOK.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("heading", "block"), SCENES, ids=[heading for heading, _ in SCENES])
def test_the_book_says_what_the_bot_says(heading: str, block: str) -> None:
    now = written(block)
    assert now == block, f"“{heading}” reads otherwise today; python3 -m lab book writes it anew"


def test_a_line_that_nobody_can_play_is_an_error() -> None:
    with pytest.raises(Wrong, match="kim: !help"):
        read_scene("kim: !help\n")
    with pytest.raises(Wrong, match="the moon rises"):
        written("(the moon rises)\n")


def test_a_scene_plays_the_same_twice() -> None:
    block = "(there are spam)\nbo: !deactivate @spam:example.org reason x\n(31 seconds pass)\n"
    assert written(block) == written(block)
