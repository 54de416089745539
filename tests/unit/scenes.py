"""What the scene tests share: the cast, the clock, and what must hold for every message."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from html import unescape

from sluice.text.message import MAX_HEAD, MAX_LINES, Message, Sign
from sluice.text.phrases import Here
from sluice.text.times import Clock

SERVER = "example.org"
BOT = f"@sluice:{SERVER}"
ANA, DAN, BO, CY = (f"@{name}:{SERVER}" for name in ("ana", "dan", "bo", "cy"))


def at(time: str, day: int = 23) -> float:
    """Epoch seconds of a time of Monday 23 Nov 2026, UTC."""
    hour, minute = map(int, time.split(":"))
    return datetime(2026, 11, day, hour, minute, tzinfo=timezone.utc).timestamp()


def here(now: str = "14:20", server: str = SERVER) -> Here:
    return Here(server, Clock(at(now)), bot=BOT, owners=(ANA, DAN))


def shown_on_element_x(html: str) -> str:
    """What Element X Android makes of it: its safelist, other tags gone without a separator."""
    text = re.sub(r"<br>|(?<!</pre>)<pre>|</pre>(?=.)", "\n", html)
    text = re.sub(r'<a href="([^"]*)">([^<]*)</a>', r"\2: \1", text)  # as our body has it
    return unescape(re.sub(r"</?(?:code|strong|pre)>", "", text))


def check(message: Message) -> None:
    """The rules for every message of the conversation book."""
    body, html = message.body, message.html
    signs = [sign.value for sign in Sign]
    lines = body.split("\n")
    assert body[0] in signs, f"no sign in front: {body!r}"
    assert body[1] == " ", body
    assert len(lines[0]) <= MAX_HEAD, f"{len(lines[0])} characters: {lines[0]!r}"
    assert len(lines) <= MAX_LINES + 2 * ("<pre>" in html), body
    assert all(line.strip() for line in lines), f"an empty line: {body!r}"
    links = re.findall(r'<a href="([^"]*)">', html)
    assert all(link.startswith("https://matrix.to/#/!") for link in links), links
    tags = {re.sub(r'^<a href="[^"]*">$', "<a>", tag) for tag in re.findall(r"<[^>]*>", html)}
    assert tags <= {
        "<a>",
        "</a>",
        "<br>",
        "<code>",
        "</code>",
        "<strong>",
        "</strong>",
        "<pre>",
        "</pre>",
    }
    assert not re.search(r">\s+<", html), f"a blank alone between two tags: {html!r}"
    assert not re.search(r"\s(<br>|$)|<br>\s", html), f"a blank at the end of a line: {html!r}"
    assert shown_on_element_x(html) == body
    bare = re.sub(r"<code>.*?</code>|<pre>.*?</pre>|<a [^>]*>", "", html, flags=re.S)
    assert not re.search(r"[@#!$][^\s<]+:[^\s<]+\.", bare), f"an id outside code: {bare!r}"
    stripped = body.lstrip().lstrip("\\")
    assert not stripped.startswith(("!admin", "@conduit", "conduit"))
    assert message.text or not message.push, "an m.notice pushes nobody"
    if message.sign in (Sign.ALARM, Sign.CARD):
        assert message.text
    if message.sign in (Sign.QUESTION, Sign.RUNNING):
        assert not message.text


def expect(message: Message | None, said: str) -> Message:
    """The message says exactly this; ⏎ is a line break."""
    assert message is not None, "nothing was said"
    wanted = re.sub(r" *⏎ *", "\n", said)
    assert message.body == wanted, f"said:\n{message.body}\nwanted:\n{wanted}"
    check(message)
    return message
