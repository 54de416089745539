"""How a line is spelled for one family of versions, and how the server reads a body.

Up to 0.10 Conduit splits a line at white space and knows no quotes; from 0.11 on it splits like a
shell (the crate shell_words 1.1.0). `spell` writes, `read_body` reads as the server does, and
nothing leaves unless reading gives back exactly what was to be written: the last guard.
"""

from __future__ import annotations

import re

from attrs import frozen

from ..catalog.table import COMMANDS
from ..model.admin_room import Asked
from ..model.command import Dialect, Invocation, Line
from .lines import MAX_ENTRIES, MAX_LINE, plain
from .replies import SERVER_COMMANDS

MAX_WORD = 512  # bytes; an echoed argument of 32 kB kills Conduit's handler
VERSION = Line(("--version",))

_FENCE = re.compile(r"sluice-fence-([A-Za-z0-9-]+)")
_SAME = re.compile(r"[A-Za-z0-9._=/+:@!$,%~-]+")  # means the same with and without a shell's rules
_WHITE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)  # Unicode White_Space, what Rust's trim and split_whitespace use (Python's has 4 more)
_BLANKS = re.compile(f"[{_WHITE}]+")


class Unspellable(Exception):
    """A line that this version cannot be sent; the text says why. lacks: what it does not know."""

    def __init__(self, text: str, lacks: str = "") -> None:
        super().__init__(text)
        self.lacks = lacks


class Unclosed(ValueError):
    """A quote that is not closed: the server refuses the whole line."""


@frozen
class Body:
    """A message as the server reads it: its words without the name in front, and its block."""

    words: tuple[str, ...]
    block: tuple[str, ...] = ()
    tagged: bool = False


def dialect_of(version: str) -> Dialect | None:
    """The dialect of what the server says of itself ("0.10.12", "0.11.0-alpha (1234abc)")."""
    found = re.match(r"0\.(9|10|11)\.\d+(?![\w.])", version)
    return Dialect((0, int(found.group(1)))) if found else None


# --- reading, as the server does


def tokenise(dialect: Dialect, text: str) -> tuple[str, ...]:
    """The words of a line under the server's rules. Raises Unclosed (0.11 only)."""
    if dialect is Dialect.V0_11:
        return _shell_words(text)
    return tuple(word for word in _BLANKS.split(text) if word)


def _shell_words(text: str) -> tuple[str, ...]:
    """shell_words 1.1.0: quotes, backslashes and comments; no expansion of any kind."""
    words: list[str] = []
    word: list[str] | None = None  # None between words; an empty list is a word too
    at = 0
    while at < len(text):
        char = text[at]
        at += 1
        if char in " \t\n":
            words += [] if word is None else ["".join(word)]
            word = None
            continue
        if char == "#" and word is None:
            end = text.find("\n", at)
            at = len(text) if end < 0 else end
            continue
        piece = char
        if char == "\\":
            piece = text[at : at + 1] or char
            at += 1
            if piece == "\n":
                continue
        elif char in "'\"":
            piece, at = _quoted(text, at, char)
        if word is None:
            word = []
        word.append(piece)
    return tuple(words if word is None else [*words, "".join(word)])


def _quoted(text: str, at: int, quote: str) -> tuple[str, int]:
    """The text up to the closing quote, and the position behind it."""
    kept: list[str] = []
    while at < len(text):
        char = text[at]
        at += 1
        if char == quote:
            return "".join(kept), at
        if char == "\\" and quote == '"':
            follows = text[at : at + 1]
            at += 1
            kept.append(follows.strip("\n") if follows in '$`"\\\n' else char + follows)
        else:
            kept.append(char)
    raise Unclosed


def read_body(dialect: Dialect, server: str, body: str) -> Body | None:
    """The words and the block of a body that the server takes as a command, None for all others.

    Conduit 0.8 and later, timeline/mod.rs and admin/mod.rs: no trimming in front, the colon may be
    missing, blank lines vanish, a block needs a bare fence at either end. Raises Unclosed.
    """
    name = f"@conduit:{server}"
    if not body.startswith((f"{name}: ", f"{name} ")) and body not in (name, f"{name}:"):
        return None
    first, *more = (line for line in _lines(body) if line.strip(_WHITE))
    words = tokenise(dialect, first)[1:]
    fenced = len(more) > 2 and more[-1].strip(_WHITE) == "```"
    opening = more[0].strip(_WHITE) if fenced else ""
    if not opening.startswith("```"):
        return Body(words)
    return Body(words, tuple(more[1:-1]), opening != "```")


def _lines(body: str) -> list[str]:
    """Rust's str::lines: split at \\n, a \\r before it dropped."""
    *whole, last = body.split("\n")
    return [*(line[:-1] if line.endswith("\r") else line for line in whole), last]


def parse_body(dialect: Dialect, server: str, body: str) -> Asked | None:
    """The command that a body is to the server; None for chat.

    "help" and "version" stand for what the server itself answers, "fence" for a fence; anything
    else that is no command of this version has the name "".
    """
    try:
        read = read_body(dialect, server, body)
    except Unclosed:
        return Asked("")
    if read is None:
        return None
    words = list(read.words)
    if words[:1] == ["help"]:
        words = [*words[1:], "--help"]
    if not words:
        return Asked("help")
    name = words[0].replace("_", "-")
    rest = tuple(words[1:])
    fence = _FENCE.fullmatch(name)
    if fence:
        return Asked("fence", (fence.group(1), *rest))
    if name == "--help" or re.match("-h", name):
        return Asked("help", rest)
    if name == "--version" or re.match("-V", name):
        return Asked("version", rest)
    command = SERVER_COMMANDS.get(name)
    if command is None or command.since.value > dialect.value:
        return Asked("")
    has_block = command.block and (command.tagged or not read.tagged)
    return Asked(name, rest, read.block if has_block else ())


# --- writing


def fence(server: str, nonce: str) -> str:
    """A body that every version answers with the nonce, and executes nothing for."""
    body = f"@conduit:{server}: sluice-fence-{nonce}"
    for dialect in Dialect:
        if parse_body(dialect, server, body) != Asked("fence", (nonce,)):
            raise Unspellable("a fence that the server would read as something else")
    return body


def spell(dialect: Dialect, server: str, line: Line) -> str:
    """The body of a line. Raises Unspellable rather than sending what could mean anything else."""
    words = " ".join(_spell(dialect, word) for word in line.words)
    body = f"@conduit:{server}: {words}"
    if line.block:
        body = "\n".join((body, "```", *line.block, "```"))
    _guard(dialect, server, line, body)
    return body


def _spell(dialect: Dialect, word: str) -> str:
    if dialect is not Dialect.V0_11 or _SAME.fullmatch(word):
        return word
    return "'" + word.replace("'", "'\\''") + "'"


def _guard(dialect: Dialect, server: str, line: Line, body: str) -> None:
    """The last look at a body, independent of how it was spelled."""
    try:
        read = read_body(dialect, server, body)
    except Unclosed:
        read = None
    if read != Body(line.words, line.block):
        raise Unspellable("the server would read that line as something else")
    _check_command(dialect, line)
    for text in (*line.words, *line.block):
        if not text or not text.isprintable() or " " in text or len(text.encode()) > MAX_WORD:
            raise Unspellable("a word of that line is empty, too long or cannot be printed")
    if len(line.block) > MAX_ENTRIES or len(body.encode()) > MAX_LINE:
        raise Unspellable("that line is too long for Conduit")


def _check_command(dialect: Dialect, line: Line) -> None:
    """This version knows the command and its flags; a block stands where one must."""
    name, *rest = line.words
    if line.words in (("help",), VERSION.words):
        return
    is_help = name == "help"
    if is_help:
        name, *rest = rest
    command = SERVER_COMMANDS.get(name)
    if command is None or command.since.value > dialect.value or (is_help and rest):
        raise Unspellable(f"Conduit {dialect} has no {name}", name)
    if not is_help and command.lines is None:
        raise Unspellable(f"{name} is never sent")
    flags = command.flags(dialect) - {"--force"}  # would deactivate admins too
    wrong = next((w for w in rest if w.startswith("-") and w not in flags), None)
    if wrong is not None:
        raise Unspellable(f"{name} of Conduit {dialect} has no {wrong}", wrong)
    if bool(line.block) != (command.block and not is_help):
        raise Unspellable(f"{name} needs a list" if command.block else f"{name} has no list")


# --- from an invocation to lines


def lines(invocation: Invocation, dialect: Dialect, server: str) -> tuple[Line, ...]:
    """The lines of an invocation, in order, all of which `spell` can spell; none for own commands.

    Raises Unspellable if this version lacks what the invocation asks for: before anything is sent.
    """
    command = COMMANDS[invocation.command]
    if command.own:
        return ()
    server_command = SERVER_COMMANDS.get(command.conduit)
    build = (server_command and server_command.lines) or plain  # but of these, `help`
    made = build(command.conduit, invocation)
    for line in made:
        spell(dialect, server, line)
    return made
