"""What the bot can say: a sign, a first line that stands alone, a few more lines, who is pushed.

The only way to make an outgoing body. It always begins with a sign, so no server can take it for a
command, and foreign text can only enter through `code` and `quote`, escaped and shortened.
"""

from __future__ import annotations

from enum import Enum
from html import escape
from typing import Union

from attrs import frozen

MAX_QUOTE = 80  # characters of foreign text shown in one place


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


Text = tuple[Union[str, Code], ...]
"""One line of a message: own words and Code, in order."""


def code(text: str) -> Code:
    """An id or a command line of ours, as it is."""
    return Code(text)


def one_line(text: str, limit: int = MAX_QUOTE) -> str:
    """Foreign text made harmless: one line, no control or bidi characters, no link, shortened."""
    kept = "".join(c if c.isprintable() else " " for c in text)
    kept = " ".join(kept.split()).replace("://", "[:]//")
    return kept if len(kept) <= limit else kept[: limit - 1] + "…"


def quote(text: str, limit: int = MAX_QUOTE) -> Code:
    """Foreign text: in code and “ ”, one line, at most `limit` characters."""
    return Code(one_line(text, limit), quoted=True)


@frozen
class Message:
    """One outgoing message. Each line is a tuple of own words and Code.

    push: MXIDs put into m.mentions. text: m.text instead of m.notice (what pushes at all).
    """

    sign: Sign
    lines: tuple[Text, ...]
    push: tuple[str, ...] = ()
    text: bool = False

    @property
    def body(self) -> str:
        return f"{self.sign.value} " + "\n".join(
            "".join(s if isinstance(s, str) else s.plain for s in line) for line in self.lines
        )

    @property
    def html(self) -> str:
        rows = [
            "".join(escape(s, quote=False) if isinstance(s, str) else s.html for s in line)
            for line in self.lines
        ]
        if self.sign in (Sign.CARD, Sign.ALARM):
            rows[0] = f"<strong>{rows[0]}</strong>"
        return f"{self.sign.value} " + "<br>".join(rows)

    def content(self) -> dict[str, object]:
        """The m.room.message content, without relations."""
        return {
            "msgtype": "m.text" if self.text else "m.notice",
            "body": self.body,
            "format": "org.matrix.custom.html",
            "formatted_body": self.html,
            "m.mentions": {"user_ids": list(self.push)} if self.push else {},
        }
