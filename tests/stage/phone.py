"""How long a message is on a phone: Element X's bubble and a collapsed notification.

Measures of Element X Android: a bubble takes 85 % of the screen, which leaves 293 dp for text,
some 36 characters a line; a collapsed notification shows some 44 characters.
"""

from __future__ import annotations

import unicodedata

BUBBLE = 36  # characters in a line
NOTIFICATION = 44


def width(text: str) -> int:
    """In characters: an emoji takes the room of two."""
    return sum(_wide(char) for char in text)


def _wide(char: str) -> int:
    if unicodedata.combining(char) or char in "\ufe0e\ufe0f\u200d":
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def lines(body: str) -> int:
    """How many lines it takes in a bubble: words go to the next one, too long ones are torn."""
    return sum(_wrapped(row) for row in body.split("\n"))


def _wrapped(row: str) -> int:
    full, used = 1, 0
    for word in row.split(" "):
        long = width(word)
        if used and used + 1 + long <= BUBBLE:
            used += 1 + long
            continue
        full += bool(used)
        full += max(long - 1, 0) // BUBBLE
        used = max(long - 1, 0) % BUBBLE + 1
    return full


def glance(body: str) -> str:
    """What a collapsed notification shows."""
    shown, used = "", 0
    for char in " ".join(body.split()):
        used += _wide(char)
        if used > NOTIFICATION:
            break
        shown += char
    return shown
