"""What stands in front of a command: the prefix as keyboards write it, what an editor puts there,
the bot's name; and how sure it is that a command was meant.
"""

from __future__ import annotations

import re
from functools import lru_cache

from attrs import frozen

from ..catalog.table import find
from ..model.command import Manner
from .ids import HIDDEN
from .lists import DASHES

_LONG = "–—―⸺⸻"  # of these one may stand for two hyphens
_ALIKE = {
    "!": "!！¡﹗︕❗❕ǃ",
    "-": f"-{DASHES}",
    "'": "'’‘‚‛",
    '"': '"“”„‟',
    ":": ":：",
    ".": ".．。",
    ",": ",，",
    ";": ";；",
}
_SPACE = re.compile(rf"\A[\s{HIDDEN}]+")
_LIST = re.compile(r"(?:[-*+•‣◦–·]|\d{1,2}[.)])\s+")
_MARKED = re.compile(r"(\*{1,3}|_{1,3}|~~)(?=\S)")
_FENCED = re.compile(r"(`{3,}|~{3,})[a-z]*\n(.*?)\n?\1\s*", re.S)
_CODE = re.compile(r"`([^`\n]+)`\s*")
_HELLO = re.compile(r"(?:hey|hi|hello|hallo|hola|ok|okay|yo|dear|please|pls)[\s,!]+", re.I)


@frozen
class Front:
    """text: what stands behind it, from the first word on."""

    text: str
    manner: Manner


def front(text: str, bot: str, prefix: str) -> Front | None:
    """None for what is not meant for the bot. bot: its account, "" where it has no name."""
    text = _SPACE.sub("", text)
    if text.startswith(">"):
        return _quoted(text, bot, prefix)
    if code := (_FENCED.fullmatch(text) or _CODE.fullmatch(text)):
        inner = _behind(code.group(code.lastindex or 0).lstrip(), prefix)
        return None if inner is None else Front(inner, Manner.SHOWN)
    for _ in range(3):  # "1. **!status**"
        behind = _behind(text, prefix)
        if behind is not None:
            return Front(behind, Manner.COMMAND)
        if found := _LIST.match(text):
            text = text[found.end() :]
        elif found := _MARKED.match(text):
            text = text[found.end() :].replace(found.group(), "", 1)
        else:
            break
    return _named(text, bot, prefix) or _slashed(text)


def _quoted(text: str, bot: str, prefix: str) -> Front | None:
    """All of it is a quote, or what was written below one begins like a command."""
    lines = text.split("\n")
    below = next((i for i, each in enumerate(lines) if not each.startswith(">")), len(lines))
    rest = "\n".join(lines[below:]).strip()
    inner = rest or "\n".join(re.sub(r"^[>\s]+", "", each) for each in lines)
    behind = _behind(inner.lstrip(), prefix)
    return None if behind is None else Front(behind, Manner.SHOWN)


def _named(text: str, bot: str, prefix: str) -> Front | None:
    hello = _HELLO.match(text)
    name = named(bot).match(text, hello.end() if hello else 0) if bot else None
    if name is None:
        return None
    rest = text[name.end() :].lstrip(" \t,:;.!?…-–—")
    behind = _behind(text[name.end() :].lstrip(" \t,:;"), prefix)
    return Front(rest, Manner.SAID) if behind is None else Front(behind, Manner.COMMAND)


@lru_cache(maxsize=4)
def named(bot: str) -> re.Pattern[str]:
    """The bot's name, as its account or the first part of it."""
    local, _, server = bot[1:].partition(":")
    name = rf"@?{re.escape(local)}(?::{re.escape(server)})?"
    return re.compile(rf"\s*{name}(?![\w.:'’-]*\w)", re.I)


def without_name(text: str, bot: str) -> str:
    """The text without the bot's name in front, if more is said than that."""
    name = named(bot).match(text)
    rest = text[name.end() :].lstrip(" \t,:") if name else ""
    return rest or text


def _slashed(text: str) -> Front | None:
    """`/adduser`: clients send what they do not know themselves."""
    word = text[1:].split(maxsplit=1)[:1]
    known = text.startswith("/") and word and find(word[0].lower())
    return Front(text[1:], Manner.SAID) if known else None


# --- the prefix


def _behind(text: str, prefix: str) -> str | None:
    """What stands behind the prefix, None without one."""
    found = _pattern(prefix).match(text)
    if found is None:
        return None
    rest = _SPACE.sub("", text[found.end() :])
    again = _pattern(prefix).match(rest)
    if again and find(_first(rest[again.end() :])):  # `!!status`
        return rest[again.end() :]
    glued = prefix[-1].isalnum() and rest == text[found.end() :]
    return None if glued and rest[:1].isalnum() and not find(_first(rest)) else rest


def _first(text: str) -> str:
    return (text.split(maxsplit=1) or [""])[0].lower()


@lru_cache(maxsize=8)
def _pattern(prefix: str) -> re.Pattern[str]:
    """The prefix as phones and keyboards write it: letters in any case, dashes and marks alike."""
    signs = [f"[{re.escape(_ALIKE.get(sign, sign))}]" for sign in prefix]
    words = r"\s?".join(signs) if not any(map(str.isalnum, prefix)) else "".join(signs)
    if set(prefix) == {"-"} and len(prefix) > 1:
        words += f"|[{_LONG}]-?"
    return re.compile(words, re.I)
