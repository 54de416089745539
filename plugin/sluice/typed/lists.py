"""What stands behind a command word, as entries.

Entries are told from what people and phones put around them: the signs of lists, words that join
them, notes behind them, a reason on a line of its own, courtesy. What is no entry is left out and
told, so that never more and never fewer are taken than were meant. Nothing here knows whether an
entry is valid; all of it is linear in its size.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from unicodedata import category

from attrs import evolve, frozen

from ..catalog.record import Command
from ..catalog.table import find, near
from ..model.command import Type, Typed
from . import consent
from .ids import seen
from .values import NotRun

DASHES = "‐‑‒–—―−﹘﹣－⸺⸻"  # what keyboards make of one or two hyphens
TO_HYPHEN = {ord(char): "-" for char in DASHES}
_FLAG = re.compile(rf"(?:--|-*[{DASHES}][-{DASHES}]*)(?=[A-Za-z])")
_PAIRS = ("**", "``", "<>")
_QUOTES = "\"'“”„‟‘’‚‛«»`"

# What stands in front of an entry. Where a name could begin with the same sign, a blank follows.
_SIGN = re.compile(
    rf"(?:>|[•◦▪▸‣·●○☐□⬜]|[-*+{DASHES}](?=\s)|\[[\sxX]?\](?=\s)"
    r"|\(?(?:\d{1,3}|[a-z])\)|\d{1,3}\.(?=\s|@)|\d{1,3}\s?[:-](?=\s)|\#\d{1,3}[.:]?(?=\s)"
    r"|\d{1,2}\ufe0f?\u20e3|[①-⑳])\s*"
)
_JOINS = r"and|&|\+|plus|und|et"
_BETWEEN = re.compile(rf"[,;，；、]+|\s+(?:{_JOINS})(?=\s)", re.I)
_JOIN = re.compile(_JOINS, re.I)
_NOTE = re.compile(r"\s*[–—→(]|\s+(?:[#|\[{]|[-=/:]+(?=\s)|->|=>)|:(?=\s|$)")
_ID = re.compile(r"[@!#$].|[a-z]+://", re.I)
_SINCE = (  # words that a reason follows
    "because of|because|à cause de|cuz|coz|weil|wegen|due to|parce qu(?:e(?=\\s)|['’])|puisque"
    "|porque|perché|perche|omdat|vanwege|ponieważ|protože|eftersom|fordi|потому что|çünkü"
)
_NOUNS = (  # what a reason is called, in front of a colon
    "why|because|grund|begründung|motif|raison|cause|motivo|razón|razon|causa|ragione|motivação"
    "|reden|powód|powod|důvod|duvod|orsak|årsag|grunn|syy|причина|sebep|indok"
)
_LABEL = re.compile(
    rf"\(?[*_`]*(?:reason[*_`]*(?:\s*[:=]+|\s+[-{DASHES}]+(?=\s|$)|[{DASHES}]|\s|$)[*_`]*"
    rf"|(?:{_NOUNS})[*_`]*\s?[:=：]+[*_`]*(?=\s*\S)|(?:{_SINCE})(?<=['’])|(?:{_SINCE})\s+(?=\S))\s*",
    re.I,
)
_REASON = re.compile(r"\(?[*_`]*reason", re.I)
_FEW_WORDS = 4  # that hold the words in front of a reason
_WORD = re.compile(r"[a-z][a-z0-9-]*")
_RULE = re.compile(r"[-*+&•◦▪▸‣·●○☐□⬜_=>#.()\s]*|and", re.I)  # nothing but signs
_DEEP = 8  # signs in front of one entry
_FEW = 20  # lines of which each is looked at closely
_LONG = 1_024  # characters of a word that nobody means

_BEFORE_PARTING = re.compile("kind|many|with|warm|viele|vielen|liebe|mit|all|muchas", re.I)
_PARTING = (
    "thanks?|thankyou|th?x|ty|tia|cheers|best|regards|greetings|sincerely|love|bye|danke|dank|lg"
    "|mfg|gru(?:ß|ss)|merci|cordialement|gracias|saludos|obrigad[oa]|grazie|saluti|tack|takk|tak"
    "|mvh|bedankt|dankjewel|groetjes?|kiitos|dzi[eę]kuj[eę]|d[ií]ky|спасибо|дякую|köszönöm"
    "|te[sş]ekk[uü]rler|ありがとう|谢谢|謝謝|🙏"
)
_COURTESY = re.compile(
    rf"{_PARTING}|please|pl[sz]|kind|hi|hey|hello|dear|morning|evening|ok|okay|bitte|hallo|moin"
    "|salut|bonjour|hola|ciao|ol[aá]|hej|hei",
    re.I,
)
_EXCEPT = re.compile(  # who stands behind one of these is not meant
    "not|except|excluding|without|but|keep|leave|skip|nicht|außer|ausser|ohne|sauf|pas|sans"
    "|excepto|salvo|menos|sin|tranne|eccetto|senza|exceto|sem|behalve|niet|zonder|oprócz|kromě"
    "|utom|inte|undtagen|ikke|кроме|не|без",
    re.I,
)
_SEVERAL = re.compile(
    "all|both|them|these|those|they|everyone|everybody|alle|beide|diese|sie|tou(?:te)?s|tod[ao]s"
    "|tutti",
    re.I,
)
_POINTER = re.compile(f"{_SEVERAL.pattern}|the|this|that|him|her|it|he|she|his", re.I)
_POINTED = re.compile(
    "of|is|users?|accounts?|guys?|person|people|ones?|two|three|lot|list|above|here|there"
    "|members?|von",
    re.I,
)
_FOR = re.compile("for|für|fuer|pour|por|per|para|voor|för|за|za", re.I)
_PLEASE = re.compile("please|pl[sz]|bitte", re.I)
_PARTS = re.compile(_PARTING, re.I)


@frozen
class EntryRow:
    """left_out: notes and courtesy. crowded: bare words stood side by side, which may be a name
    and something else."""

    values: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    crowded: bool = False

    def without_talk(self) -> EntryRow:
        """The row among full ids: there, several bare words are a sentence."""
        if not self.crowded or any(map(is_id, self.values)):
            return self
        return EntryRow((), (" ".join(self.values), *self.left_out))


@frozen
class WrittenList:
    """What stands behind a command word. words: entries of the command line, lines: below it.

    left_out, crowded: as of each row. quoted: some of it stands in a quote.
    """

    words: tuple[str, ...]
    lines: tuple[str, ...]
    reason: str | None
    left_out: tuple[str, ...]
    crowded: bool
    quoted: bool


@frozen
class Below:
    """The further lines of a command. options: words that could stand on the command line."""

    rows: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    reason: str | None = None
    left_out: tuple[str, ...] = ()


def unquoted(word: str) -> str:
    """A word without the quotes around it, a flag with the two hyphens that were meant."""
    while len(word) > 2 and word[0] in _QUOTES and word[-1] in _QUOTES:
        word = word[1:-1]
    flag = _FLAG.match(word)
    if flag is None:
        return word
    return "--" + word[flag.end() :].translate(TO_HYPHEN).lower().replace("_", "-")


def is_id(word: str) -> bool:
    """Whether a word says by its sign that it is an account, a room, a message or a file."""
    return bool(_ID.match(word))


def without_politeness(typed: Typed) -> Typed:
    """The command without politeness at the end of the message: of its line, or below it."""
    lines = list(typed.lines)
    while lines and not (kept := consent.without_politeness(lines[-1].split())):
        del lines[-1]
    if lines:
        lines[-1] = " ".join(kept)
        return evolve(typed, lines=tuple(lines))
    words = tuple(consent.without_politeness(typed.words)) or typed.words
    return evolve(typed, words=words, lines=())


def is_for(word: str) -> bool:
    """A word behind which there may stand a reason."""
    return bool(_FOR.fullmatch(word))


def points(words: Sequence[str], count: int = 0) -> bool:
    """Whether words name nobody and mean who is before all eyes: "him", "all of them". count: how
    many these are, which may be said."""
    said = [word.strip(".,!?:") for word in words]
    others = [w for w in said if not (_POINTER.fullmatch(w) or (count > 1 and w == str(count)))]
    return all(map(_POINTED.fullmatch, others)) and len(others) < len(said)


def means_several(words: Sequence[str]) -> bool:
    """Whether words that point mean more than one."""
    return any(_SEVERAL.fullmatch(word.strip(".,!?:")) for word in words)


def without_pointing(words: Sequence[str]) -> Sequence[str] | None:
    """The words behind those that point, None where the first ones do not."""
    for end in range(min(len(words), _DEEP), 0, -1):
        if points(words[:end]):
            return words[end:]
    return None if words else ()


def points_on(words: Sequence[str]) -> bool:
    """Whether words begin as if they meant somebody, and go on without a name."""
    return len(words) > 1 and bool(_POINTER.fullmatch(words[0])) and not any(map(is_id, words))


def is_courtesy(word: str) -> bool:
    """A word of politeness, or a picture."""
    if word and all(category(char) in ("So", "Sk", "Cf", "Mn") for char in word):
        return True
    return bool(_COURTESY.fullmatch(word.strip(".,!?:;")))


# --- the reason


def without_reason(words: Sequence[str]) -> tuple[Sequence[str], str | None]:
    """The words of a command line before its reason, and that."""
    for at, word in enumerate(words):
        near = " ".join(words[at : at + _FEW_WORDS]).lstrip(f"-{DASHES}")
        found = _label(near)
        if found is None or (at == 0 and not _REASON.match(near) and _tells(words)):
            continue
        reason = " ".join((found, *words[at + _FEW_WORDS :]))
        return words[:at], _cleaned(reason, word) or None
    return words, None


def _tells(words: Sequence[str]) -> bool:
    """Whether one of them is the word reason: so none before it stands for that."""
    return any(_REASON.fullmatch(word.rstrip(":=")) for word in words)


def _label(text: str) -> str | None:
    """What stands behind the word reason, None where a text does not begin with it."""
    found = _LABEL.match(text)
    return text[found.end() :] if found else None


def _cleaned(reason: str, label: str) -> str:
    reason = reason.lstrip(f" :=-{DASHES}").strip()
    closed = label.lstrip(f"-{DASHES}").startswith("(") and reason.endswith(")")
    return reason[:-1] if closed else reason


# --- the lines below the command line


def below(typed: Typed, command: Command) -> Below:
    """The further lines, with the reason and the options told from the entries. Raises NotRun."""
    rows: list[str] = []
    options: list[str] = []
    for row in filter(None, map(_unsigned, typed.lines)):
        found, rest = _options(row, command)
        options += found
        rows += [rest] if rest else []
    labels = [at for at, row in enumerate(rows) if _label(row) is not None]
    if not labels:
        named, more = _continued(typed.words, rows, command) if typed.reason else (rows, [])
        reason = " ".join((typed.reason, *more)) if typed.reason else None
        return _signed(named, options, reason, bool(typed.words))
    at = labels[0]
    reason = _cleaned(_label(rows[at]) or "", rows[at])
    if len(labels) > 1 or typed.reason not in (None, reason):
        raise NotRun(("there are two reasons, and I take one; nothing has run.",))
    named, more = _continued((*typed.words, *rows[:at]), rows[at + 1 :], command)
    if at and named and not _is_parting(named[0]):
        raise NotRun(("the reason stands between the entries. Put it last; nothing has run.",))
    reason = " ".join((reason, *more)).strip()
    return _signed([*rows[:at], *named], options, reason or None, bool(typed.words))


def _signed(rows: list[str], options: list[str], reason: str | None, headed: bool) -> Below:
    """The rows without what stands below a parting word: whoever wrote it signs. headed: there
    are words on the command line."""
    end = next((i for i, row in enumerate(rows) if i + headed and _is_parting(row)), len(rows))
    end = len(rows) if any(map(is_id, rows[end:])) else end
    return Below(tuple(rows[:end]), tuple(options), reason, tuple(rows[end:]))


def _is_parting(row: str) -> bool:
    first, *more = (word.strip(f".,!?-{DASHES}") for word in row.split())
    if more and _BEFORE_PARTING.fullmatch(first):
        first = more[0]
    return bool(_PARTS.fullmatch(first))


def _continued(
    before: Sequence[str], rows: list[str], command: Command
) -> tuple[list[str], list[str]]:
    """The rows below a reason that are entries, and those that go on with it: where the command
    takes no more, else more than a word without any account, where all entries are full ids.
    Behind a command about passwords there are none: nothing unasked is stored there."""
    takes_more = command.many is not None or not before
    at = next((i for i, row in enumerate(rows) if not _is_prose(row, 1 + takes_more)), len(rows))
    others = (*before, *rows[at:])
    sure = not takes_more or all(is_id(row) or row[:2] == "--" for row in others)
    return (rows, []) if command.secret or not (others and sure) else (rows[at:], rows[:at])


def _is_prose(row: str, least: int) -> bool:
    words = row.split()
    return len(words) >= least and not any(map(is_id, words))


def _options(row: str, command: Command) -> tuple[list[str], str]:
    """The flags in a row, or a row that is a span like "last 7d", and what is left of it."""
    words, spans = row.split(), (Type.DURATION, Type.SINCE)
    if len(words) == 2 and words[0].lower() in {p.name for p in command.params if p.type in spans}:
        return words, ""
    flags = {f"--{param.name}" for param in command.params if param.flag}
    found = [word for word in map(unquoted, words) if word in flags]
    return found, " ".join(w for w in words if unquoted(w) not in flags) if found else row


def _unsigned(row: str) -> str:
    """A row without the signs of lists and quotes in front of it; "" if it holds no more."""
    row = seen(row.strip()).strip()
    for _ in range(_DEEP):
        sign = _SIGN.match(row)
        if sign is None or not row[sign.end() :].strip():
            break
        row = seen(row[sign.end() :].strip()).strip()
    return "" if _RULE.fullmatch(row) else row


# --- the entries


def listed(typed: Typed, words: Sequence[str], found: Below, *, apart: bool) -> WrittenList:
    """All of a command. words: those of its line that are no options. apart: they are entries
    too, and are told from what stands around them."""
    head = entries(" ".join(words)) if apart else EntryRow(tuple(words))
    rows = [entries(row) for row in found.rows]
    if any(is_id(value) for row in (head, *rows) for value in row.values):
        head, *rows = (row.without_talk() for row in (head, *rows))
    lines = [value for row in rows for value in row.values]
    if lines and re.fullmatch(r"[^@:]*[^.]\.", lines[-1]):  # the sentence ends
        lines[-1] = lines[-1][:-1]
    return WrittenList(
        head.values,
        tuple(lines),
        found.reason,
        (*(text for row in (head, *rows) for text in row.left_out), *found.left_out),
        any(row.crowded for row in (head, *rows)),
        any(row.lstrip().startswith(">") for row in typed.lines),
    )


def entries(row: str) -> EntryRow:
    """The entries of one line, of the command line or below it."""
    values: list[str] = []
    left_out: list[str] = []
    crowded = noted = False  # noted: what stands behind a comma goes on with a note
    for part in map(_unwrapped, _BETWEEN.split(_unwrapped(_unsigned(row)))):
        named, note = _named_and_noted(part)
        sure = bool(named) and is_id(named[0])
        if not sure and (noted or (values and is_id(values[0]))):
            named, note = [], part.strip()
        crowded = crowded or (len(named) > 1 and not sure)
        values += named
        left_out += [note] if note else []
        noted = bool(note) and not part.rstrip().endswith(")")
    return EntryRow(tuple(values), tuple(left_out), crowded)


def _named_and_noted(part: str) -> tuple[list[str], str]:
    """The entries in front, and what stands behind them: behind a sign, behind full ids, or
    from a word of courtesy on."""
    sign = _NOTE.search(part)
    words = [word for word in map(_word, part[: sign.start() if sign else None].split()) if word]
    if len(words) > 1 and _JOIN.fullmatch(words[0]):
        words = words[1:]
    if len(words) > 1 and not is_id(words[0]) and any(map(_EXCEPT.fullmatch, words)):
        return [], part.strip()
    note = _plain(part[sign.start() :]) if sign else ""
    if len(words) == 2 and _PLEASE.fullmatch(words[0]) and not is_courtesy(words[1]):
        return words[1:], f"{words[0]} {note}".strip()
    full = bool(words) and is_id(words[0])
    ends = (i for i, word in enumerate(words) if (full and not is_id(word)) or is_courtesy(word))
    end = next(ends, len(words))
    return words[:end], " ".join((*words[end:], *filter(None, (note,))))


def _word(word: str) -> str:
    """One word as an entry: without what cannot be seen and what marks it as bold or code."""
    word = _unwrapped(word)
    return word.rstrip(".!?:") if is_id(word) else word


def _unwrapped(text: str) -> str:
    """A word, or a whole line, without the marks of bold and code and the quotes around it."""
    was = "" if len(text) < _LONG else text
    while was != text:
        was, text = text, seen(text.strip())
        text = unquoted(text) if " " not in text else text
        if len(text) > 2 and (text[0] + text[-1] in _PAIRS or _is_quoted(text)):
            text = text[1:-1]
    return text


def _is_quoted(text: str) -> bool:
    return text[0] in _QUOTES and text[-1] in _QUOTES and not set(text[1:-1]) & set(_QUOTES)


def _plain(note: str) -> str:
    return note.strip(f" -:=/#()[]{{}}|→{DASHES}")


# --- several commands, several numbers


def commands(typed: Typed, prefix: str) -> int:
    """How many commands a message holds: one a line, or on one line."""
    command = find(typed.word)
    is_text = command is not None and command.has(Type.TEXT)
    rows = [_unsigned(row) for row in typed.lines]
    more = [word for word in typed.words if not is_text and _named(word, prefix, rows)]
    return 1 + len(more) + sum(_is_command(row, typed.word, prefix, rows) for row in rows if row)


def _named(word: str, prefix: str, rows: Sequence[str]) -> bool:
    """Whether a word is a command with its prefix, or, of few, close to one."""
    name = word[len(prefix) :].lower().rstrip(".:,") if word.startswith(prefix) else ""
    name = name.replace("_", "-")
    known = bool(_WORD.fullmatch(name)) and (find(name) or (len(rows) < _FEW and near(name)))
    return bool(known)


def _is_command(row: str, same: str, prefix: str, rows: Sequence[str]) -> bool:
    """Also without its prefix, where it is that of the line above, or names what it is about."""
    first, *rest = row.split()
    if _named(first, prefix, rows):
        return True
    known = bool(rest) and find(first.lower().replace("_", "-")) is not None
    return known and (first.lower() == same or is_id(rest[0]) or rest[0].isdigit())


_NUMBERS = re.compile(
    r"#?\d+\b(?:(\s*[,;&+]\s*(?:and\s+)?|\s+and\s+|\s+)#?\d+\b(?![%.:]\w))+", re.I
)


def numbers(typed: Typed, command: Command) -> list[str]:
    """The numbers of requests, where a line names several: one is taken a message."""
    if not command.of_request:
        return []
    text = " ".join((typed.rest, *typed.lines))
    found = _NUMBERS.match(text)
    if found is None:
        return []
    alone = found.end() == len(text.rstrip(" .,"))
    is_reason = command.has(Type.TEXT) and not found[1].strip() and not alone
    return [] if is_reason else re.findall(r"\d+", found[0])
