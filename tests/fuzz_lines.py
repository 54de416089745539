"""Chat lines at random: no exception but the ones that are meant, no line that is not exact.

`python -m tests.fuzz_lines 1000000` runs a million of them.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "plugin"))

from sluice.catalog.table import COMMANDS
from sluice.families.dialects import Unspellable, lines, parse_body, read_body, spell
from sluice.model.command import Dialect, Invocation
from sluice.text.message import Text, plain
from sluice.typed.needs import NeedsTopic
from sluice.typed.parse import (
    AskFirst,
    Missing,
    NeedsMedia,
    NeedsRoom,
    NotRun,
    canonical,
    parse,
    targets,
)
from sluice.typed.read import read_line

SERVER = "conduit.test"
ODD = "\t\n\r\v\f\x00\x1b\x7f\x85\xa0\u1680\u2003\u2028\u200b\u200e\u202e\u2066\ufeff\u3000\u3164"
PIECES = (
    "alice", "Alice", "älice", "@alice:conduit.test", "@x:evil.example", "-h", "--help", "-", "--",
    "--force", "--leave-rooms", "--purge-media", "—leave-rooms", "#a:conduit.test", "#a", "!room",
    "!a:b", "mxc://conduit.test/a", "mxc://a/b`", "$event", "evil.example", "1h", "1 week", "12",
    "9999d", "on", "off", "true", "db", "service", "#12", "reason", "last", "since", "for", "help",
    "server", "'", '"', "\\", "`", "```", "''", "'a b'", "#", "{}", "<b>", "server.name", "a_b",
    "@conduit:conduit.test:", "create-user", "x" * 600, "é", "\U0001f600", "\ud800", "\u212a", "ſ",
)  # fmt: skip
COMMAND_WORDS = tuple(
    word for c in COMMANDS.values() for word in (c.name, *(a.word for a in c.aliases))
)


def typed(rng: random.Random) -> str:
    """A line as somebody might type it, mostly a command with odd arguments."""
    words = [rng.choice(COMMAND_WORDS)]
    for _ in range(rng.randrange(5)):
        word = rng.choice(PIECES)
        if rng.random() < 0.25:
            at = rng.randrange(len(word) + 1)
            odd = chr(rng.choice((rng.randrange(128), rng.randrange(0x3100), 0x1F600)))
            word = word[:at] + rng.choice((rng.choice(ODD), odd)) + word[at:]
        words.append(word)
    return "".join(w + rng.choice((" ", " ", " ", "\n", "  ")) for w in words)


def once(seed: int) -> str:
    """One line; what became of it. Raises AssertionError if it could mean anything else."""
    text = typed(random.Random(seed))
    rooms: dict[str, str] = {}
    refused: tuple[Text, ...] = ()
    while True:
        try:
            made = parse(read_line(text), server=SERVER, rooms=rooms, now=1.7e9)
        except NeedsRoom as needs:
            rooms[needs.alias] = "!resolved:conduit.test"
            continue
        except NotRun as refusal:
            refused = refusal.lines
        except (Missing, NeedsMedia, NeedsTopic):
            return "asked"
        except AskFirst as ask:
            made = ask.invocation
        break
    if refused:
        assert all(plain(line).isprintable() for line in refused), repr(text)
        return "refused"
    for dialect in Dialect:
        _check_lines(made, dialect, text)
    return "read"


def _check_lines(made: Invocation, dialect: Dialect, text: str) -> None:
    try:
        found = lines(made, dialect, SERVER)
    except Unspellable:
        assert dialect is Dialect.V0_9, f"{text!r} cannot be spelled"
        return
    values = {v for name, _ in made.args for v in made.values(name)}
    for line in found:
        body = spell(dialect, SERVER, line)
        read = read_body(dialect, SERVER, body)
        assert read is not None
        assert (read.words, read.block) == (line.words, line.block), (text, body)
        asked = parse_body(dialect, SERVER, body)
        assert asked is not None
        assert asked.command, (text, body)
        for word in (*read.words[1:], *read.block):
            known = word in values or word in OURS or word.removesuffix("s") in values
            assert known or word.startswith("--"), f"{word!r} in the line of {text!r}"
    assert canonical(made).isprintable() or COMMANDS[made.command].own
    assert all(t.endswith(f":{SERVER}") for t in targets(made))


OURS = ("true", "false", "8", "6")


def main(runs: int) -> None:
    counts: dict[str, int] = {}
    for seed in range(runs):
        became = once(seed)
        counts[became] = counts.get(became, 0) + 1
    print(", ".join(f"{n:,} {what}" for what, n in sorted(counts.items())))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
