"""From a message to words, as each version of Conduit does it: trigger, first line, code block.

Conduit reads `content.body` of any m.room.message in the admin room. Up to 0.10 the command line
is split at white space and nothing can be quoted; 0.11 uses the shell_words crate.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

RUST_WHITE_SPACE = "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"


class Unquoted(Exception):
    """0.11 could not split the line."""


@dataclass(frozen=True)
class Message:
    """A message to the server user, taken apart. argv[0] is how the server user was addressed."""

    argv: tuple[str, ...]
    block: tuple[str, ...] | None  # None: no valid code block below the command


def family(version: str) -> str:
    """ "0.9", "0.10" or "0.11": which versions answer alike."""
    major, minor = version.split(".")[:2]
    return f"{major}.{minor}"


def is_command(server: str, body: object) -> bool:
    """Whether the server takes this body as a command: exact case, one blank, nothing before."""
    me = f"@conduit:{server}"
    return isinstance(body, str) and (
        body.startswith((f"{me}: ", f"{me} ")) or body in (me, f"{me}:")
    )


def read(version: str, body: str) -> Message:
    """Blank lines are dropped, then the first line is the command and the rest may be a block."""
    first, *rest = [line for line in rust_lines(body) if strip(line)]
    return Message(tuple(split(version, first)), block(rest))


def rust_lines(text: str) -> list[str]:
    """str::lines: split at \\n and \\r\\n only, no empty last line."""
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    return lines[:-1] if lines and lines[-1] == "" else lines


def strip(text: str) -> str:
    return re.sub(f"^[{RUST_WHITE_SPACE}]+|[{RUST_WHITE_SPACE}]+$", "", text)


def block(lines: list[str]) -> tuple[str, ...] | None:
    """The lines between two fences that stand alone; at least one. Entries are not trimmed."""
    if len(lines) > 2 and strip(lines[0]) == "```" and strip(lines[-1]) == "```":
        return tuple(lines[1:-1])
    return None


def split(version: str, line: str) -> list[str]:
    if family(version) in ("0.9", "0.10"):
        return [word for word in re.split(f"[{RUST_WHITE_SPACE}]+", line) if word]
    return shell_split(line)


def shell_split(line: str) -> list[str]:
    """shell_words 1.1.0: blank, tab and newline separate; `#` at a word's start ends it all."""
    words: list[str] = []
    word: str | None = None
    at = 0
    while at < len(line):
        char = line[at]
        at += 1
        if char in " \t\n":
            if word is not None:
                words.append(word)
            word = None
        elif char == "#" and word is None:
            at = line.find("\n", at) if "\n" in line[at:] else len(line)
        elif char == "'":
            end = line.find("'", at)
            if end < 0:
                raise Unquoted
            word, at = (word or "") + line[at:end], end + 1
        elif char == '"':
            quoted, at = _double_quoted(line, at)
            word = (word or "") + quoted
        elif char == "\\":
            if at == len(line):
                word = (word or "") + "\\"
            elif line[at] != "\n":
                word = (word or "") + line[at]
            at += 1
        else:
            word = (word or "") + char
    if word is not None:
        words.append(word)
    return words


def _double_quoted(line: str, at: int) -> tuple[str, int]:
    """The text up to the closing quote and the place behind it; a backslash escapes $`"\\ only."""
    text = ""
    while at < len(line):
        char = line[at]
        if char == '"':
            return text, at + 1
        if char == "\\" and at + 1 < len(line):
            at += 1
            follows = line[at]
            text += follows if follows in '$`"\\' else "" if follows == "\n" else "\\" + follows
        else:
            text += char
        at += 1
    raise Unquoted
