"""What somebody most likely meant where a text cannot be read, or says less than it seems to.

Each slip that comes naturally is a function: what a line would be without it, and what to say.
Whether it is this one is tried out: the mended text must be readable further than the text is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from attrs import frozen
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent, Event

_LONGEST = 40_000  # characters of a text in which slips are looked for: each try reads it again
_TRIES = 30
_BEFORE = 12  # lines: a value that is a comment is missed only by what follows
_ODD = "\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000\ufeff"  # what looks like a blank and is none
_ODD_BLANK = re.compile(f"[{_ODD}]")
_TYPED = "“”„«»‹›‘’‚"  # typographic quotes
_INNER = f'([^"{_TYPED}]*)'
_CURLY = re.compile(f'(?:[{_TYPED}]{_INNER}[{_TYPED}"]|"{_INNER}[{_TYPED}])')
_QUOTED = r"\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*'"
_SIGNED = re.compile(
    rf"(?P<kept>{_QUOTED})"
    r"|(?P<lead>(?:^|[:-](?=\s)|[\[{,])\s*)(?P<word>(?:[@*%`]|!(?!!)|&(?!\S+\s+\S)|#(?=\S)|[?|>-](?=\s*$)).*)"
)
_FLOW_END = re.compile(r"\s*[,\[\]{}]|\s+#|\s*$")
_BLOCK_END = re.compile(r"\s+#|\s*$")
_BULLET = re.compile(r"(\s*)([–—−‐‑•·*])(?=\s)")
_GLUED = re.compile(r"""(^\s*(?:- )?|[{,]\s*)((?:[\w.-]+|"[\w.-]+"):)(?=["'\[{@!#*])""")
_TIGHT = re.compile(r"(^\s*(?:- )?)([A-Za-z_]\w*:)(?=[^\s/])")
_COLON = re.compile(r"(\s*(?:- )?[\w.-]+: +)([^\"'\[{|>&*!@#\s].*: .*?)(\s+#.*|\s*)$")
_HIDDEN = re.compile(r"(?:[:-]|[\[{,])\s+(#(?:\S[^,\]}]*)?)$")


@frozen
class Remedy:
    """line: from 1."""

    line: int
    text: str


Mended = tuple[str, str]
"""A line without its slip, and what to say."""


def _straight(word: str) -> str:
    """As it should stand in the text."""
    return f'"{word if len(word) <= 60 else word[:59] + "…"}"'


def _bare(row: str) -> str:
    """The line as long as it is, with nothing to read in its quotes."""
    return re.sub(_QUOTED, lambda m: "x" * len(m.group()), row)


def _blanks(row: str) -> Mended | None:
    odd = _ODD_BLANK.search(row)
    return (_ODD_BLANK.sub(" ", row), _odd(odd.group())) if odd is not None else None


def _odd(sign: str) -> str:
    said = f"a blank in this line is none (U+{ord(sign):04X}), it only looks like one"
    return f"{said}; type it again"


def odd_blank(word: str) -> str | None:
    """What to say of a name or a value with such a blank at its beginning or end."""
    found = _ODD_BLANK.match(word) or _ODD_BLANK.match(word[-1:])
    return _odd(found.group()) if found is not None else None


def _curly(row: str) -> Mended | None:
    found = _CURLY.search(row)
    if found is None:
        return None
    return _CURLY.sub(lambda m: f'"{m[1] or m[2] or ""}"', row), curly(found.group())


def curly(word: str) -> str:
    """What to say of text in typographic quotes."""
    return f'{word[0]} {word[-1]} are no quotes here, " is. Write {_straight(word[1:-1])}'


def unquoted(word: str) -> str | None:
    """What stands in typographic quotes and nothing else, without them; None if it does not."""
    found = _CURLY.fullmatch(word) if word[:1] in _TYPED else None
    return None if found is None else found[1]


def _signs(row: str) -> Mended | None:
    """Every value of the line that begins with a sign which means something else in YAML."""
    done, at, first = "", 0, ""
    while (found := _SIGNED.search(row, at)) is not None:
        done += row[at : found.start()]
        if found["kept"] is not None:
            done += found["kept"]
            at = found.end()
            continue
        word, flow = found["word"], _is_flow(row[: found.start("word")])
        if word[0] == "#" and not found["lead"].strip():
            break  # a line of its own: a comment
        end = (_FLOW_END if flow else _BLOCK_END).search(word, 1)
        length = end.start() if end is not None else len(word)
        first = first or word[:length]
        done += f'{found["lead"]}"{word[:length]}"'
        at = found.start("word") + length
    return (done + row[at:], signed(first)) if first else None


def _is_flow(before: str) -> bool:
    """What follows stands in brackets, also in those of a line above."""
    bare = re.sub(_QUOTED, "", before)
    return not bare.strip() or any(bare.count(a) > bare.count(b) for a, b in ("[]", "{}"))


def signed(word: str) -> str:
    """What to say of a value that begins with a sign of YAML's."""
    if word[0] == "#":
        return f"from # on it is a comment; put it in quotes: {_straight(word)}"
    closed = word.rstrip('"')  # by half
    return f"what begins with {word[0]} must be in quotes: {_straight(closed)}"


def _bullet(row: str) -> Mended | None:
    found = _BULLET.match(row)
    if found is None:
        return None
    return (
        f"{found[1]}-{row[found.end() :]}",
        f"an entry of a list begins with -, not with {found[2]}",
    )


def _glued(row: str) -> Mended | None:
    for way in (_GLUED, _TIGHT):
        if (found := way.search(row)) is not None:
            return way.sub(r"\1\2 ", row), glued(found[2])
    return None


def glued(key: str) -> str:
    """What to say of a key whose value follows at once. key: with its colon."""
    return f"a blank is missing behind “{key}”"


def _colon(row: str) -> Mended | None:
    found = _COLON.match(row)
    if found is None:
        return None
    inner = found[2].replace('"', "'")
    said = f"a text with a colon must be in quotes: {_straight(inner)}"
    return f'{found[1]}"{inner}"{found[3]}', said


def _open_quote(row: str) -> Mended | None:
    bare = _bare(row)
    at = bare.find('"')
    if at < 0:
        return None
    end = _FLOW_END.search(row, at + 1) if _is_flow(row[:at]) else None
    stop = end.start() if end is not None else len(row.rstrip())
    return f'{row[:stop]}"{row[stop:]}', f"a quote is opened here and not closed: {row[at:stop]}"


def _open_bracket(row: str) -> Mended | None:
    bare = _bare(row)
    end = _BLOCK_END.search(bare)
    text = bare[: end.start()] if end is not None else bare
    left: list[str] = []
    for sign in text:
        if sign in "[{":
            left.append(sign)
        elif sign in "]}" and left:
            left.pop()
    if not left:
        return None
    closed = "".join("]" if sign == "[" else "}" for sign in reversed(left))
    mended = row[: len(text)] + closed + row[len(text) :]
    return mended, f"{left[-1]} is opened here and not closed"


_SLIPS: tuple[Callable[[str], Mended | None], ...] = (
    _blanks,
    _curly,
    _signs,
    _bullet,
    _glued,
    _colon,
    _open_quote,
    _open_bracket,
)

_PLAINER: tuple[tuple[str, str], ...] = (
    ("expected ',' or ']'", "a list that begins with [ is not closed: a ] or a comma is missing"),
    ("expected ',' or '}'", "what begins with { is not closed: a } or a comma is missing"),
    (
        "expected <block end>",
        "indented otherwise than what it belongs to, from line {since} on",
    ),
    ("expected ':'", "a name stands here without its colon and value"),
    ("mapping values are not allowed", "a second colon, or indented too far"),
    ("end of stream", "a quote or a bracket is opened here and never closed"),
)
"""What the parser says, and how to say what to do."""


def plainer(words: str, since: int) -> str:
    """What the parser says, as whoever typed the text can use it. since: the line in which begins
    what this belongs to."""
    meant = next((said for known, said in _PLAINER if known in words), words)
    return f"this is no YAML: {meant.replace('{since}', str(since))}"


@frozen
class Halt:
    """Where reading ends: line and column, from 0; since: the line in which what is open began."""

    at: tuple[int, int]
    since: int


def stop(text: str) -> Halt | None:
    """Where the first thing stands that no policy has; None if it can be read to its end."""
    last = (0, 0)
    try:
        for event in YAML(typ="safe", pure=False).parse(text):
            mark = event.start_mark
            last = (mark.line, mark.column) if mark is not None else last
            if is_foreign(event):
                return Halt(last, last[0])
    except (YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        since = getattr(error, "context_mark", None) or mark
        at = (mark.line, mark.column) if mark is not None else last
        return Halt(at, min(since.line if since is not None else at[0], at[0]))
    return None


def is_foreign(event: Event) -> bool:
    """An alias, an anchor or a tag: nothing of it has a place in a policy."""
    tag = getattr(event, "tag", None)
    bare = tag == "!" and not getattr(event, "value", None) and not getattr(event, "style", None)
    anchored = isinstance(event, AliasEvent) or bool(getattr(event, "anchor", None))
    return anchored or bare or tag not in (None, "!")


def remedy(text: str) -> Remedy | None:
    """The slip that ends the reading of this text, if it is one of those above."""
    before = stop(text) if len(text) <= _LONGEST else None
    if before is None:
        return None
    rows = text.split("\n")
    for tried, (number, mended, said) in enumerate(_mended(rows, before)):
        after = stop("\n".join((*rows[:number], mended, *rows[number + 1 :])))
        if after is None or after.at > before.at:
            return Remedy(number + 1, said)
        if tried == _TRIES:
            break
    return None


def _mended(rows: list[str], before: Halt) -> Iterator[tuple[int, str, str]]:
    """The lines that look like a slip, the last ones first."""
    last = min(before.at[0], len(rows) - 1)
    first = max(min(before.since, last - _BEFORE), 0)
    for number in range(last, first - 1, -1):
        for slip in _SLIPS:
            if (found := slip(rows[number])) is not None:
                yield number, *found


def hidden(rows: Iterable[str]) -> str:
    """The value that YAML takes for a comment, as in `do: #read`; "" without one."""
    for row in rows:
        found = _HIDDEN.search(_bare(row))
        if found is not None:
            return found[1].strip()
    return ""
