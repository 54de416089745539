"""A list that is longer than a message: frozen when it was asked for, read on with `more`.

A `Pages` is a value: the caller keeps it for 10 minutes, and a page of it later shows
the same list, whatever has changed on the server meanwhile.
"""

from __future__ import annotations

from attrs import evolve, frozen

from .message import Message, Text, Topic
from .phrases import Here, listed, view
from .saying import says


@frozen
class Pages:
    """What is left of a list.

    head: what every page says first; `{}` in our own words becomes "41 to 80". rows: one Text an
    entry. inline: the entries stand in one line, with commas. tail: under the last page. about:
    what the whole list is about.
    """

    head: Text
    rows: tuple[Text, ...]
    per: int
    start: int = 0
    inline: bool = False
    tail: str = "That was all."
    about: Topic | None = None


def rows_of(pages: Pages) -> tuple[Text, list[Text]]:
    """The head and the lines of the page that comes next."""
    end = min(pages.start + pages.per, len(pages.rows))
    shown = pages.rows[pages.start : end]
    where = f"{pages.start + 1:,} to {end:,}"
    head = tuple(w.replace("{}", where) if isinstance(w, str) else w for w in pages.head)
    if pages.inline:
        return head, [listed(shown)] if shown else []
    return head, list(shown)


def following(pages: Pages) -> Pages | None:
    """What is left after this page."""
    start = pages.start + pages.per
    return evolve(pages, start=start) if start < len(pages.rows) else None


def more(here: Here, pages: Pages) -> tuple[Message, Pages | None]:
    """The next page for `more`, and what is left after it."""
    head, lines = rows_of(pages)
    left = following(pages)
    last: Text = ("Next: ", here.cmd("more")) if left else (pages.tail,)
    return evolve(view(head, *lines, last), about=pages.about), left


@says("📋 Nothing more to show. A list stays open for `!more` for 10 minutes.")
def nothing_more(here: Here) -> None: ...
