"""The book says what the bot says: every scene is played again and compared."""

from __future__ import annotations

import pytest

from tests.stage import reach
from tests.stage.book import BOOK, Wrong, read_scene, scenes, written

SCENES = scenes(BOOK.read_text(encoding="utf-8"))
NOT_IN_THE_BOOK = {
    "chat/cards.py _not_needed": "in line without a vote: shorter than a step of a scene",
    "chat/not_allowed.py _line_full": "only ten people or more fill it: see test_limits.py",
    "chat/policy_news.py outdated": "needs a policy of an earlier version: test_policy_reload.py",
    "chat/refusals.py too_many_at_once": "look-ups take no time on the stage",
    "chat/refusals.py impossible": "no command of the catalog is impossible to spell: a net",
    "chat/refusals.py starting": "the stage reads what was missed at once",
    "chat/refusals.py not_encrypted": "the stage has no crypto",
    "chat/refusals.py _maybe_sealed": "no scene has a private room that does not answer yet",
    "chat/results.py _thrown_away": "no scene loses an account that it made yet",
    "chat/strong_measures.py elsewhere": "no scene takes a strong measure in two ops rooms yet",
    "text/message.py _printable": "no scene types a control character",
}
"""Functions that make text and that no scene reaches, with the reason; this may only shrink."""
_played: set[str] = set()
_reached = reach.taken()  # what ran while modules were imported


def play(block: str) -> str:
    """The block as the bot says it today. What it reaches is noted; what other tests reach is
    not."""
    reach.taken()
    now = written(block)
    _reached.update(reach.taken())
    _played.add(block)
    return now


@pytest.mark.parametrize(("heading", "block"), SCENES, ids=[heading for heading, _ in SCENES])
def test_the_book_says_what_the_bot_says(heading: str, block: str) -> None:
    now = play(block)
    assert now == block, f"“{heading}” reads otherwise today; python3 -m lab book writes it anew"


def test_a_line_that_nobody_can_play_is_an_error() -> None:
    with pytest.raises(Wrong, match="kim: !help"):
        read_scene("kim: !help\n")
    with pytest.raises(Wrong, match="the moon rises"):
        written("(the moon rises)\n")


def test_a_scene_plays_the_same_twice() -> None:
    block = "(there are spam)\nbo: !deactivate @spam:example.org reason x\n(31 seconds pass)\n"
    assert written(block) == written(block)


def test_every_function_that_makes_text_is_in_a_scene() -> None:
    """Last in this file: only what another process has played is played here again."""
    for _, block in SCENES:
        if block not in _played:
            play(block)
    dark = {f"{p.file} {p.function}" for p in reach.unreached(_reached) if p.begins}
    assert dark == set(NOT_IN_THE_BOOK), "add a scene to docs/conversations.md, or a reason here"
