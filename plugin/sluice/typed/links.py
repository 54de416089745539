"""What links and pills in a message mean: the account, room or event behind them.

Clients write a pill in three ways. Element X puts a markdown link with the MXID as its label into
`body`; Element Web puts only the display name into `body`, and the MXID only into the href of
`formatted_body`; a copied permalink stands bare. Here all three become the plain id in the text.
Where the shown text names another account than the link, nothing is guessed: `Mismatch`.
Everything is linear in the size of the message: any member can send 60 kB of brackets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from html import unescape
from typing import Union
from urllib.parse import unquote

from attrs import frozen

from .ids import HIDDEN

People = Callable[[str], "Collection[str]"]
"""A name, lower case -> the MXIDs that go by it."""


def nobody(name: str) -> Collection[str]:
    """No name is anybody's."""
    return ()


MAX_PILLS = 100  # in one message; each is looked for in the text

_WEB = r"https?://[^\s/<>()\[\]\"“”#]{1,253}(?:/[^\s<>()\[\]\"“”#]{0,99})?/#/(?:user|room)/"
_URL = (
    rf"(?:https?://matrix\.to/#/|{_WEB}|matrix:(?=(?:u|user|r|room|roomid)/))"
    rf"[^\s<>()\[\]\"“”{HIDDEN}]+"
)
_LINK = re.compile(_URL, re.I)
_WRITTEN = re.compile(  # [label](link), "label" (link) of old clients, or the link alone
    rf"\[((?:[^\[\]\\\n]|\\.){{0,255}})\]\(<?({_URL})>?\)"
    rf"|\"([^\"\n]{{0,99}})\" ?\(({_URL})\)|{_URL}",
    re.I,
)
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9-]{0,15})(?![a-zA-Z0-9-])([^<>]*)>|[^<]+|<")
_HREF = re.compile(r"""\bhref\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.I)
_SIGILS = {"u": "@", "user": "@", "r": "#", "room": "#", "roomid": "!", "e": "$", "event": "$"}
_BREAKS = frozenset(("br", "p", "div", "li", "ul", "ol", "pre", "blockquote"))
_QUOTES = frozenset(("blockquote", "pre", "code"))


class Mismatch(Exception):
    """The text shows one account (or nothing that can be found), the link leads to another."""

    def __init__(self, label: str, means: str) -> None:
        super().__init__(label, means)
        self.label = label
        self.means = means


class TooMany(Exception):
    """So many links in one message are not looked at."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.count = count


@frozen
class Pill:
    label: str
    means: str


@frozen
class Html:
    """formatted_body, without the quoted part of a reply. quoted: it begins in code or a quote.
    plain: some of it stands outside of these."""

    parts: tuple[Union[str, Pill], ...] = ()
    quoted: bool = False
    plain: bool = False


def target(link: str) -> str | None:
    """The MXID, alias, room id or event id behind a matrix.to or matrix: link, None if none."""
    _, hash_, path = link.partition("/#/")
    pieces = (path if hash_ else link.partition(":")[2]).split("?")[0].rstrip(".,;:!").split("/")
    if hash_:
        ids = [unquote(piece) for piece in pieces if piece not in ("", "user", "room")]
    else:
        kinds, names = pieces[::2], pieces[1::2]
        ids = [
            _SIGILS.get(kind.lower(), "") + unquote(name)
            for kind, name in zip(kinds, names, strict=False)
        ]
    found = next((i for i in ids if i.startswith("$")), ids[0] if ids else "")
    # A blank in it would make two words of one link.
    whole = found[:1] in ("@", "#", "!", "$") and 1 < len(found) <= 255
    return found if whole and found.isprintable() and " " not in found else None


def read_html(html: str) -> Html:
    """Texts and pills in order. Not a browser: tags that do not matter here vanish."""
    parts: list[str | Pill] = []
    depth = {"mx-reply": 0, "quote": 0}
    link: str | None = None
    label: list[str] = []
    quoted: bool | None = None
    outside = False
    for match in _TAG.finditer(html):
        closing, tag, attributes = match.group(1, 2, 3)
        if tag is None:
            text = unescape(match.group())
            if depth["mx-reply"]:
                continue
            if text.strip():
                quoted = depth["quote"] > 0 if quoted is None else quoted
                outside = outside or not depth["quote"]
            (parts if link is None else label).append(text)
            continue
        tag = tag.lower()
        if tag == "mx-reply" or tag in _QUOTES:
            key = tag if tag == "mx-reply" else "quote"
            depth[key] = max(depth[key] + (-1 if closing else 1), 0)
        if depth["mx-reply"]:
            continue
        if tag == "a":
            if link is not None:
                parts.append(Pill("".join(label), link))
                link, label = None, []
            href = None if closing else _HREF.search(attributes)
            found = unescape(href.group(1) or href.group(2) or "") if href else ""
            link = target(found) if _LINK.fullmatch(found) else None
        elif tag in _BREAKS:
            (parts if link is None else label).append("\n")
    if link is not None:
        parts.append(Pill("".join(label), link))
    return Html(tuple(parts), bool(quoted), outside)


def resolve(text: str, html: Html, people: People) -> str:
    """The text with every pill and link as what it means. Raises Mismatch, TooMany."""
    pills = [part for part in html.parts if isinstance(part, Pill)]
    if len(pills) > MAX_PILLS:
        raise TooMany(len(pills))

    def written(match: re.Match[str]) -> str:
        label = match.group(1) if match.group(1) is not None else match.group(3)
        link = match.group(2) or match.group(4) or match.group()
        means = target(link)
        if means is None:
            return match.group()
        if label is not None:
            _check(re.sub(r"\\(.)", r"\1", label), means, people)
            return means
        return means + link[len(link.rstrip(".,;:!")) :]

    text = _BESIDE.sub(_beside, _WRITTEN.sub(written, text))
    for pill in pills:
        _check(pill.label, pill.means, people)
    if not pills or _squeeze(html, "means") == (bare := "".join(text.split())):
        return text
    if _squeeze(html, "label") == bare:
        return _splice(text, html)
    return _in_order(text, pills)


_BESIDE = re.compile(r"(?<!\S)@?(\S{1,64}) \(([@#][^\s()]{1,255})\)")


def _beside(match: re.Match[str]) -> str:
    """`Spam (@spam:example.org)`, where the word in front is the name itself: one account."""
    name, means = match.groups()
    is_name = name.lower() == means[1:].partition(":")[0].lower()
    return means if is_name else match.group()


def _check(label: str, means: str, people: People) -> None:
    label = " ".join(label.split())
    shown = target(label) if _LINK.fullmatch(label) else label
    name = label.lstrip("@").lower()
    if means.startswith("@"):
        wrong = (
            (shown is not None and shown.startswith("@") and ":" in shown and shown != means)
            or (label[:1] == "@" and ":" not in label and name != means[1:].partition(":")[0])
            or means not in (people(name) or (means,))
        )
    else:
        wrong = shown is not None and shown[:1] in "@#!$" and shown[:1] == means[:1]
        wrong = wrong and shown != means
    if wrong:
        raise Mismatch(label, means)


def _squeeze(html: Html, side: str) -> str:
    texts = (part if isinstance(part, str) else str(getattr(part, side)) for part in html.parts)
    return "".join("".join(texts).split())


def _splice(text: str, html: Html) -> str:
    """Both say the same but for blanks: the n-th character of one is the n-th of the other."""
    places = [i for i, char in enumerate(text) if not char.isspace()]
    pieces: list[str] = []
    done = at = 0
    for part in html.parts:
        width = len("".join((part.label if isinstance(part, Pill) else part).split()))
        if isinstance(part, Pill):
            if not width:
                raise Mismatch(part.label, part.means)
            start, end = places[at], places[at + width - 1] + 1
            if not (_edge(text[start - 1 : start]) and _edge(text[end : end + 1])):
                raise Mismatch(part.label, part.means)
            pieces += [text[done:start], part.means]
            done = end
        at += width
    return "".join(pieces) + text[done:]


def _edge(char: str) -> bool:
    return not char or char.isspace() or char in ".,;:!?()\"'“”‘’"


def _has_name(text: str, means: str) -> bool:
    """Whether the name itself stands there, once, in place of what its pill shows."""
    name = re.escape(means[1:].partition(":")[0])
    return len(re.findall(rf"(?<!\S)@?{name}(?![^\s.,;:!?])", text)) == 1


def _in_order(text: str, pills: list[Pill]) -> str:
    """The two differ (markdown in a reason): each label must be found exactly as often as used."""
    for pill in dict.fromkeys(pills):
        label = pill.label.strip()
        if re.search(rf"(?<!\S){re.escape(pill.means)}(?!\S)", text):
            continue
        same = [p for p in pills if p.label.strip() == label]
        places = re.compile(rf"(?<!\S){re.escape(label)}(?![^\s.,;:!?])")
        if len(same) == 1 and not places.search(text) and _has_name(text, pill.means):
            continue
        if not label or len(places.findall(text)) != len(same):
            raise Mismatch(label, pill.means)
        meant = iter(same)
        text = places.sub(lambda _, meant=meant: next(meant).means, text)  # type: ignore[misc]
    return text
