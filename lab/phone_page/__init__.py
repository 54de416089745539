"""A room as Element X draws it on an Android phone 390 dp wide: a page of our own after its rules.

Its safelist of HTML, edits in place, the first two lines of what is replied to, reactions below
the bubble, 293 dp for the text; and the lock screen with what is left of a push. A drawing, not
Element X.
"""

from __future__ import annotations

import html
import re
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

from ..chat import Said

CSS = (Path(__file__).parent / "page.css").read_text()
SAFE = re.compile("a|b|strong|i|em|u|del|code|ul|ol|li|pre|blockquote|p|br")
PUSHED = 44  # characters of a collapsed notification
ALL_OTHERS = 16  # lines of the longest message
LINES = {"✋": 10, "✅": 6, "⛔": 6, "❌": 6, "❓": 6}


class _Safelist(HTMLParser):
    """Other tags vanish and their text stays, with nothing in between."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[str] = []
        self._quoted = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._quoted += tag == "mx-reply"
        if SAFE.fullmatch(tag) and not self._quoted:
            allowed = {"a": "href", "ol": "start"}.get(tag)
            kept = "".join(
                f' {name}="{html.escape(value or "")}"' for name, value in attrs if name == allowed
            )
            self.kept.append(f"<{tag}{kept}>")

    def handle_endtag(self, tag: str) -> None:
        self._quoted -= tag == "mx-reply"
        if SAFE.fullmatch(tag) and tag != "br" and not self._quoted:
            self.kept.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if not self._quoted:
            self.kept.append(html.escape(data))


def safe(formatted: str) -> str:
    """What is left of a message's HTML."""
    parser = _Safelist()
    parser.feed(formatted)
    parser.close()
    return "".join(parser.kept)


@dataclass
class Message:
    """A message as it stands now, with what was said about it."""

    first: Said  # as it was sent
    newest: Said
    reactions: Counter[str] = field(default_factory=Counter)
    removed: str | None = None  # why, of one that was removed

    @property
    def html(self) -> str:
        shown = self.newest.shown
        if self.removed is not None:
            return "<i>🗑 Message removed</i>"
        if shown.get("format") == "org.matrix.custom.html":
            return safe(self.newest.html)
        return html.escape(self.newest.text).replace("\n", "<br>")

    @property
    def pushes(self) -> bool:
        """A notice does not, an edit neither."""
        return self.first.content.get("msgtype") == "m.text" and bool(self.first.mentions)

    @property
    def budget(self) -> int:
        """How many lines it may have: by its sign."""
        return LINES.get(self.newest.text[:1], ALL_OTHERS)


def fold(events: Iterable[Said]) -> dict[str, Message]:
    """The messages of a timeline in their order, each with its newest text and its reactions."""
    messages: dict[str, Message] = {}
    reactions: dict[str, tuple[str, str]] = {}
    for said in events:
        about, key = said.reaction
        if said.kind == "m.room.message" and said.edits:
            edited = messages.get(said.edits)
            if edited and edited.first.sender == said.sender:
                edited.newest = said
        elif said.kind == "m.room.message":
            redaction = said.raw.get("unsigned", {}).get("redacted_because", {})
            why = None if said.content else str(redaction.get("content", {}).get("reason", ""))
            messages[said.id] = Message(said, said, removed=why)
        elif about in messages:
            messages[about].reactions[key] += 1
            reactions[said.id] = about, key
        elif said.kind == "m.room.redaction":
            gone = said.raw.get("redacts") or said.content.get("redacts")
            if gone in reactions:
                about, key = reactions.pop(gone)
                messages[about].reactions[key] -= 1
            elif gone in messages:
                messages[gone].removed = str(said.content.get("reason", ""))
    return messages


def _clock(said: Said) -> str:
    return time.strftime("%H:%M", time.gmtime(said.raw["origin_server_ts"] / 1000))


def _name(said: Said) -> str:
    return said.sender[1:].partition(":")[0].capitalize()


def _bubble(message: Message, replied: Message | None, *, own: bool, head: bool) -> str:
    said, name = message.first, _name(message.first)
    about, reacted = "", ""
    if replied:
        two = "<br>".join(html.escape(line) for line in replied.newest.text.split("\n")[:2])
        about = f'<div class="about"><b>{_name(replied.first)}</b><div>{two}</div></div>'
    for key, count in (+message.reactions).items():
        more = f" {count}" if count > 1 else ""
        reacted += f"<span>{html.escape(key[:16])}{more}</span>"
    edited = " (edited)" if message.newest is not said else ""
    shown_name = f'<div class="name"><i>{name[0]}</i>{name}</div>' if head and not own else ""
    return (
        f'<div class="row {"own" if own else "other"}">{shown_name}<div class="bubble">{about}'
        f'<div class="text" data-budget="{message.budget}">{message.html}</div>'
        f'<div class="time">{_clock(said)}{edited}</div></div>'
        f'<div class="reactions">{reacted}</div></div>'
    )


def room(title: str, shown: Iterable[str], all_of_it: dict[str, Message], me: str) -> str:
    """The page of these messages, as `me` sees them; `all_of_it` for what they reply to."""
    rows, before = [], ""
    for message in (all_of_it[event] for event in shown if event in all_of_it):
        sender = message.first.sender
        replied = all_of_it.get(message.first.reply_to)
        rows.append(_bubble(message, replied, own=sender == me, head=sender != before))
        before = sender
    head = f'<header><span class="back">‹</span><i>{title[0]}</i>{html.escape(title)}</header>'
    return _page(head + "".join(rows))


def push(message: Message) -> str:
    """What a collapsed notification shows: the first line, as far as it fits."""
    line = message.first.text.split("\n")[0]
    return line if len(line) <= PUSHED else line[: PUSHED - 1] + "…"


def lock_screen(title: str, messages: Sequence[Message]) -> str:
    """The newest on top."""
    notes = "".join(
        f'<div class="note"><p>Element X<span>{_clock(message.first)}</span></p>'
        f"<b>{html.escape(title)}</b><p>{_name(message.first)}: {html.escape(push(message))}</p>"
        "</div>"
        for message in reversed(messages)
    )
    now = _clock(messages[-1].first) if messages else ""
    return _page(f'<div class="lock"><h1>{now}</h1>{notes}</div>')


def _page(body: str) -> str:
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    return (
        f"<!doctype html><html><head>{head}<style>{CSS}</style></head><body>{body}</body></html>"
    )
