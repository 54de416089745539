"""What the bot can say: a sign, a first line that stands alone, a few more lines, who is pushed.

The only way to make an outgoing body. It always begins with a sign, so no server can take it for a
command, and foreign text can only enter through `code` and `quote`, escaped and shortened. A link
leads to a room or an event and is made of checked ids.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from html import escape
from typing import Union
from urllib.parse import quote as encoded

from attrs import evolve, field, frozen

MAX_QUOTE = 80  # characters of foreign text shown in one place
MAX_HEAD = 100  # characters of the first line with its sign: what a notification shows
MAX_LINES = 12
SHORT_ID = 32  # what is left of an id in a first line that would be too long


class Sign(str, Enum):
    """The first character of every message; what each means stands in docs/moderators.md."""

    DONE = "✅"
    NOT_RUN = "⛔"
    FAILED = "❌"
    QUESTION = "❓"
    CARD = "✋"
    RUNNING = "⏳"
    VIEW = "📋"
    NEWS = "🔔"
    ALARM = "❗"
    SECRET = "🔑"


@frozen
class Code:
    """Text that stands in <code>: ids, command lines, foreign text. `quoted` adds “ ”."""

    text: str
    quoted: bool = False

    @property
    def plain(self) -> str:
        return f"“{self.text}”" if self.quoted else self.text

    @property
    def html(self) -> str:
        inner = f"<code>{escape(self.text, quote=False)}</code>"
        return f"“{inner}”" if self.quoted else inner


@frozen
class Block(Code):
    """Lines of a list in a code block: the only segment of its line, and never the first line."""

    @property
    def html(self) -> str:
        return f"<pre>{escape(self.text, quote=False)}</pre>"


@frozen
class Link:
    """A link that `link` made; its label is words of ours."""

    label: str
    url: str

    @property
    def plain(self) -> str:
        return f"{self.label}: {self.url}"

    @property
    def html(self) -> str:
        return f'<a href="{escape(self.url)}">{escape(self.label)}</a>'


Text = tuple[Union[str, Code, Link], ...]
"""One line of a message: own words, Code and links, in order."""


def code(text: str) -> Code:
    """An id or a command line of ours, as it is; what cannot be seen becomes a visible mark."""
    if not text.strip():
        return Code("?")
    return Code(text if text.isprintable() else "".join(_printable(c) for c in text))


def _printable(char: str) -> str:
    return char if char.isprintable() else "\ufffd"


_SERVER = r"[A-Za-z0-9.\-\[\]:]{1,230}"
_ID = rf"[A-Za-z0-9._=+/\-]{{1,250}}(?::({_SERVER}))?"
_ROOM, _EVENT = re.compile(f"!{_ID}"), re.compile(rf"\${_ID}")


def link(label: str, room: str, event: str = "", *, via: str) -> Link | Code:
    """A link to a room, or to one of its events; what cannot be their ids stays code, unlinked.

    via: a server that is in the room, besides the one that its id names.
    """
    known = _ROOM.fullmatch(room)
    if known is None or (event and not _EVENT.fullmatch(event)):
        return quote(f"{event or room}", 255)
    servers = dict.fromkeys(server for server in (known[1], via) if server)
    path = "/".join(encoded(each, safe="!$:") for each in (room, event) if each)
    ways = "&".join(f"via={encoded(server, safe=':')}" for server in servers)
    return Link(label, f"https://matrix.to/#/{path}?{ways}")


def one_line(text: str, limit: int = MAX_QUOTE) -> str:
    """Foreign text made harmless: one line, no control or bidi characters, no link, shortened."""
    kept = "".join(c if c.isprintable() else " " for c in text)
    kept = " ".join(kept.split()).replace("://", "[:]//")
    return kept if len(kept) <= limit else kept[: limit - 1] + "…"


def quote(text: str, limit: int = MAX_QUOTE) -> Code:
    """Foreign text: in code and “ ”, one line, at most `limit` characters."""
    return Code(one_line(text, limit), quoted=True)


@frozen
class Topic:
    """What a message is about: what a command means that is typed as a reply to it.

    All that a list holds, also what its page does not show. requests: their numbers.
    """

    requests: tuple[int, ...] = ()
    accounts: tuple[str, ...] = ()
    rooms: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def with_requests(self, *numbers: int) -> Topic:
        """The same, about these requests too."""
        return evolve(self, requests=tuple(dict.fromkeys((*self.requests, *numbers))))


@frozen
class Message:
    """One outgoing message. Each line is a tuple of own words and Code.

    push: MXIDs put into m.mentions. text: m.text instead of m.notice (what pushes at all). about:
    None where its place says it (the card or the result of a request), or nothing does. taps: the
    reactions that the bot puts below it, for people to tap.
    """

    sign: Sign
    lines: tuple[Text, ...] = field(repr=False)  # may be the one that hands a password over
    push: tuple[str, ...] = ()
    text: bool = False
    about: Topic | None = field(default=None, eq=False)
    taps: tuple[str, ...] = field(default=(), eq=False)

    @property
    def body(self) -> str:
        return f"{self.sign.value} " + "\n".join(
            "".join(s if isinstance(s, str) else s.plain for s in line) for line in self.lines
        )

    @property
    def html(self) -> str:
        rows = [
            "".join(_html(s) if isinstance(s, str) else s.html for s in line)
            for line in self.lines
        ]
        if self.sign in (Sign.CARD, Sign.ALARM):  # what somebody must look at
            rows[0] = f"<strong>{rows[0]}</strong>"
        text = f"{self.sign.value} " + "<br>".join(rows)
        return text.replace("<br><pre>", "<pre>").replace("</pre><br>", "</pre>")

    def content(self) -> dict[str, object]:
        """The m.room.message content, without relations."""
        return {
            "msgtype": "m.text" if self.text else "m.notice",
            "body": self.body,
            "format": "org.matrix.custom.html",
            "formatted_body": self.html,
            "m.mentions": {"user_ids": list(self.push)} if self.push else {},
        }


def _html(words: str) -> str:
    return escape(words, quote=False).replace("\n", "<br>")


def plain(line: Text) -> str:
    """One line as its reader sees it."""
    return "".join(s if isinstance(s, str) else s.plain for s in line)


def fitted(lines: Sequence[Text]) -> tuple[Text, ...]:
    """The lines within the two limits: a first line that fits a notification, 12 lines.

    A first line that is too long goes on in the second one after a full stop; if one sentence is
    too long, its longest id is shortened and stands in full in the second line.
    """
    rows = [_merged(line) for line in lines]
    rows = [*_fit(rows[0]), *rows[1:]]
    if len(rows) > MAX_LINES:
        rows = [*rows[: MAX_LINES - 1], (f"… and {len(rows) - MAX_LINES + 1} lines more",)]
    return tuple(rows)


def _merged(line: Text) -> Text:
    """Neighbouring words of ours in one piece, so that a full stop and what follows are seen."""
    parts: list[str | Code | Link] = []
    for word in line:
        if parts and isinstance(word, str) and isinstance(parts[-1], str):
            parts[-1] += word
        elif word != "":
            parts.append(word)
    return tuple(parts)


def _fit(line: Text) -> list[Text]:
    room = MAX_HEAD - 2  # the sign and a blank
    if len(plain(line)) <= room:
        return [line]
    cut = _cut(line, ". ", room)
    if cut is not None:
        return cut
    long = tuple(s for s in line if isinstance(s, Code) and len(s.text) > SHORT_ID)
    full = tuple(part for s in long for part in (", ", s))[1:]
    line = tuple(
        evolve(s, text=f"{s.text[: SHORT_ID - 1]}…") if isinstance(s, Code) and s in long else s
        for s in line
    )
    rows = [line]
    if len(plain(line)) > room:
        rows = _cut(line, ". ", room) or _cut(line, " ", room) or rows
    if plain(rows[0]).endswith(","):  # in a list, which then begins on the second line
        cut = _cut(line, ": ", room) or rows
        rows = cut if len(plain(cut[0])) > 20 else rows  # `Not run:` does not stand alone
    return [*rows, full] if full else rows


def _cut(line: Text, mark: str, room: int) -> list[Text] | None:
    """The line in two, at the last `mark` in own words that leaves `room` characters before it."""
    at, found = 0, None
    for index, segment in enumerate(line):
        if isinstance(segment, str):
            stop = segment.rfind(mark, 0, max(room - at + 1, 0))
            if stop > 0 or (stop == 0 and index > 0):
                found = (index, stop + len(mark))
        at += len(plain((segment,)))
    if found is None:
        return None
    index, end = found
    words = str(line[index])
    head: Text = (*line[:index], words[:end].rstrip())
    tail: Text = (words[end:], *line[index + 1 :])
    return [tuple(s for s in row if s != "") for row in (head, tail)]
