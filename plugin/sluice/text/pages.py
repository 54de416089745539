"""A list that is longer than a message: frozen when it was asked for, read on with `more`.

A `Pages` is a value: the caller keeps it for 10 minutes, and a page of it later shows
the same list, whatever has changed on the server meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from attrs import evolve, frozen

from .message import Block, Message, Text, Topic, plain
from .phrases import Here, view
from .saying import says

_WIDTH, IN_BLOCK = 36, 32  # characters in a line of a phone, and in a line of a code block
_LINES = 9  # of the list on one page; head and hints make some 14 of it


@frozen
class Pages:
    """What is left of a list.

    head: what every page says first; `{}` in our own words becomes "41 to 80". rows: one Text an
    entry. per: the most entries on a page; what does not fit on a phone goes to the next one.
    block: the entries stand in a code block, inline: there in one text, with commas. tail: under
    the last page. about: what the whole list is about.
    """

    head: Text
    rows: tuple[Text, ...]
    per: int
    start: int = 0
    block: bool = False
    inline: bool = False
    tail: str = "That was all."
    about: Topic | None = None


def rows_of(pages: Pages) -> tuple[Text, list[Text]]:
    """The head and the lines of the page that comes next."""
    shown = pages.rows[pages.start : _end(pages)]
    head = with_range(pages.head, _where(pages))
    if shown and (pages.block or pages.inline):
        lines = _inline(shown) if pages.inline else [plain(row) for row in shown]
        return head, [(Block("\n".join(lines)),)]
    return head, list(shown)


def with_range(head: Text, which: str) -> Text:
    """The head of a page. which: what of the list it shows."""
    return tuple(w.replace("{}", which) if isinstance(w, str) else w for w in head)


def following(pages: Pages) -> Pages | None:
    """What is left after this page."""
    end = _end(pages)
    return evolve(pages, start=end) if end < len(pages.rows) else None


def go_on(here: Here, left: Pages) -> Text:
    """How the next page is asked for: `Next, 41 to 80: !more`."""
    return (f"Next, {_where(left)}: ", here.cmd("more"))


def _end(pages: Pages) -> int:
    """Where the page ends that comes next."""
    end = min(pages.start + pages.per, len(pages.rows))
    while end > pages.start + 1 and _height(pages, end) > _LINES:
        end -= 1
    return end


def _height(pages: Pages, end: int) -> int:
    """How many lines of a phone the entries up to there take."""
    rows, width = pages.rows[pages.start : end], IN_BLOCK
    lines = _inline(rows) if pages.inline else [plain(row) for row in rows]
    if not (pages.block or pages.inline):
        width = _WIDTH
    return sum(len(wrap(part, width)) or 1 for line in lines for part in line.split("\n"))


def _inline(rows: Sequence[Text]) -> list[str]:
    """`a, b, c` in lines that fit into a code block; no entry is broken."""
    lines = [""]
    for number, row in enumerate(rows, 1):
        entry = plain(row) + ("," if number < len(rows) else "")
        if lines[-1] and len(lines[-1]) + 1 + len(entry) > IN_BLOCK:
            lines.append(entry)
        else:
            lines[-1] += f" {entry}" if lines[-1] else entry
    return lines


def _where(pages: Pages) -> str:
    first, last = pages.start + 1, _end(pages)
    return f"{first:,}" if first == last else f"{first:,} to {last:,}"


def more(here: Here, pages: Pages) -> tuple[Message, Pages | None]:
    """The next page for `more`, and what is left after it."""
    head, lines = rows_of(pages)
    left = following(pages)
    last: Text = go_on(here, left) if left else (pages.tail,)
    return evolve(view(head, *lines, last), about=pages.about), left


@says("📋 Nothing more to show. A list stays open for `!more` for 10 minutes.")
def nothing_more(here: Here) -> None: ...
