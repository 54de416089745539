"""The recorded transcripts of real Conduit servers (tests/golden), with real ids in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import frozen

from sluice.families.dialects import dialect_of
from sluice.model.command import Dialect

GOLDEN = Path(__file__).parent / "golden"
SERVER = "conduit.test"
_IDS = {
    "room1": "!roomOne:conduit.test",
    "room2": "!roomTwo:conduit.test",
    "admin": "!v12AdminRoomWithoutServerPart",
    "mxc1": "mxc://conduit.test/mxcOne",
    "mxc2": "mxc://conduit.test/mxcTwo",
    "mxc3": "mxc://conduit.test/mxcThree",
    "mxc4": "mxc://conduit.test/mxcFour",
    "event1": "$eventOne",
    "event2": "$eventTwo",
}


@frozen
class Step:
    """One step: what was sent ("" if the server spoke unasked), and what came."""

    where: str  # file:line
    dialect: Dialect
    send: str
    answers: tuple[dict[str, Any], ...]


def steps(*, edges: bool = True) -> Iterator[Step]:
    """Every step of every transcript."""
    for path in sorted(GOLDEN.glob("*.jsonl")):
        if path.name.startswith("edges-") and not edges:
            continue
        text = path.read_text(encoding="utf-8")
        for name, value in _IDS.items():
            text = text.replace("{" + name + "}", value)
        head, *rest = (json.loads(line) for line in text.splitlines())
        dialect = dialect_of(head["version"])
        assert dialect is not None
        for number, step in enumerate(rest, 2):
            yield Step(
                f"{path.name}:{number}", dialect, step.get("send", ""), tuple(step["answers"])
            )
