"""What may be a password: somebody types one where Conduit's own documentation has it.

It is never repeated, stored, or made a name. In doubt it is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from .ids import bare

_PLAIN = re.compile(r"[A-Za-z0-9._][A-Za-z0-9._-]{0,63}")
_ID = re.compile(r"@[a-z0-9._=/+-]+:([a-z0-9.-]*[a-z0-9])(?::\d{1,5})?")
_PARTS = re.compile(r"[:/=+|~]")
_CALLED = re.compile(
    "passwords?|pass(?:phrase|code|wd)?|pwd?|psw|passwo?rt|kennwort|mot-?de-?passe|mdp"
    "|contrase[nñ]a|clave|senha|parola|wachtwoord|has[lł]o|heslo|l[oö]senord|passord"
    "|adgangskode|salasana|jelsz[oó]|[sş]ifre|пароль|密码|パスワード",
    re.I,
)
_MAIL = re.compile(r"(?:mailto:)?[\w.+-]{1,64}@((?:[a-z0-9-]+[.])+[a-z]{2,})(?![\w:])", re.I)
_BEHIND = re.compile(r"[:|]|\w[#$%&*~^!;]\w")  # a sign that is in no name, and more behind it
_ORDINARY = re.compile(  # of a reason: words, numbers, dates, short codes, ids and links
    r"[^\W\d_]+(?:['’`/&.,;:+_-]+[^\W\d_]+)*|[#№]?\d[\d.,:/-]*[%€$]?|\d{1,2}[a-z]{1,3}"
    r"|[A-Za-z]{1,3}-?\d{1,2}|[@#!][^\s:]+:[a-z0-9.:-]+|https?://\S+",
)
_COLON = re.compile(r"(?:^|\s)([^\s:@]+)\s*:\s*(\S+)")
_TOLD = re.compile(
    rf"(?<!\w)(?:{_CALLED.pattern})(?:\s*[:=]\s*\S|(?:\s+(?:is|to|now|will|be|ist|est|es))*"
    r"\s+(?=\S*[^\W\d_])(?=\S*[\d!$%&#@?^*~+=])\S)",
    re.I,
)


def is_plain(word: str) -> bool:
    """Whether it can be a name, and be shown: a-z 0-9 . _ -, not capitals and digits mixed."""
    mixed = any(map(str.isupper, word)) and any(map(str.isdigit, word))
    return bool(_PLAIN.fullmatch(word.removeprefix("@"))) and not mixed


def odd_sign(name: str) -> str:
    """What makes a legal name one that is seldom meant, in words; "" if nothing does."""
    if name.isdigit():
        return "that is only digits"
    if strange := re.search("[=/+]|[.][.]", name):
        return f"with “{strange.group()}” in it"
    if name[-1] in ".-_":
        return f"that ends in “{name[-1]}”"
    return f"that begins with “{name[0]}”" if name[0] in ".-" else ""


def is_mixed(name: str) -> bool:
    """Whether a name was typed with digits and with capitals behind its first sign."""
    return any(map(str.isdigit, name)) and any(map(str.isupper, name[1:]))


def is_told(text: str) -> bool:
    """Whether a sentence tells one: "password: …", "her pw is hunter2"."""
    return bool(_TOLD.search(text))


def is_in_reason(reason: str) -> bool:
    """Whether a reason may hold one: a word of a kind that is in few reasons, like "hunter2"."""
    words = [found for word in reason.split() if any(map(str.isalnum, found := bare(word)))]
    alone = len(words) == 1 and any(map(str.isdigit, words[0]))
    alone = alone and not re.fullmatch(r"#\d+", words[0])
    odd = (word for word in words if not _ORDINARY.fullmatch(word.rstrip(".")))
    return is_told(reason) or alone or any(odd)


def without_mails(texts: Iterable[str], home: str) -> list[str]:
    """Texts without the mail addresses in them. home: our server, of which they are accounts."""

    def kept(found: re.Match[str]) -> str:
        return found[0] if found[1] == home else ""

    mailless = (_MAIL.sub(kept, text).strip("<>() ,") if "@" in text else text for text in texts)
    return [text for text in mailless if text]


def which(entries: Sequence[str], texts: Iterable[str], left_out: Iterable[str], home: str) -> int:
    """Which entry behind a command may be one, from 1 on; 0 for none.

    texts: the lines as they were typed. left_out: what of them is no entry. home: our server.
    """
    first, *rest = [word.lstrip("`~") for word in entries] or [""]  # a fence tells nothing
    plain = bare(first)  # a sentence may end behind it
    letters = is_plain(plain) and not any(map(str.isdigit, plain))
    first = plain if letters or _is_account(plain, home) else first
    if _stands_out(first, home) or (rest and not _is_named(first, home)):
        return 1
    for at, word in enumerate(rest, 2):
        if _CALLED.fullmatch(word) or not (is_plain(word) or _is_account(word, home)):
            return at
    more = [w.strip("()[]{}.,!?;\"'“”’") for each in left_out for w in each.split()]
    signs = [word for word in more if any(c.isalnum() or c.isascii() for c in word)]
    hidden = any(not is_plain(word) or _CALLED.fullmatch(word) for word in signs)
    named = bool(rest or more) and bool(_CALLED.fullmatch(first))
    behind = any(bare(found[2]) != home for text in texts for found in _COLON.finditer(text))
    return len(entries) + 1 if hidden or named or behind else 0


def _stands_out(word: str, home: str) -> bool:
    """Of one word alone: a name and more behind a sign, or signs of all kinds."""
    if _is_account(word, home):
        return False
    _, *behind = _PARTS.split(word)
    kinds = (str.islower, str.isupper, str.isdigit, _is_odd)
    all_kinds = any(map(_is_odd, word)) and sum(any(map(kind, word)) for kind in kinds) > 2
    hidden = any(each and not is_plain(each) for each in behind)
    return hidden or all_kinds or bool(_BEHIND.search(word))


def _is_named(word: str, home: str) -> bool:
    """An account, or letters and digits of any language."""
    return _is_account(word, home) or not re.search(r"[^\w.=/+@-]|.@", word)


def _is_odd(char: str) -> bool:
    return char.isascii() and not char.isalnum() and char not in "@._=/+-"


def _is_account(word: str, home: str) -> bool:
    """An id of this server, or one of another that has a dot in its name."""
    local, _, server = word.removeprefix("@").partition(":")
    found = _ID.fullmatch(word)
    return (found is not None and "." in found[1]) or (server == home and is_plain(local))
