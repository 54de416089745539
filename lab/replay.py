"""Plays recorded transcripts of real Conduit servers against the double: `lab replay FILE…`.

A transcript is JSON Lines: the first line describes the server, each further line is one step with
what was sent and the contents of the answers (tests/golden/README.md).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .double import texts, words
from .double.handler import Handler
from .double.memory import MemoryServer

Step = Mapping[str, Any]


def read(path: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    head, *steps = (json.loads(line) for line in Path(path).read_text().splitlines())
    return head, steps


async def replay(paths: list[str], say: Callable[[str], None] = print) -> int:
    """Prints every difference; the number of steps that differ."""
    total = 0
    for path in paths:
        head, steps = read(path)
        differing = [item async for item in _differences(head, steps)]
        for number, step, wanted, got in differing:
            say(f"{path}:{number}: {step.get('send') or step.get('note')!r}")
            say(f"  recorded: {wanted}")
            say(f"  double:   {got}")
        say(f"{path}: Conduit {head['version']}, {len(steps)} steps, {len(differing)} differ")
        total += len(differing)
    return total


async def _differences(head: Step, steps: list[dict[str, Any]]) -> Any:
    server = MemoryServer.of_the_transcripts(head["server_name"])
    handler = Handler(server, head["version"])
    names = placeholders(server)
    for number, step in enumerate(steps, 2):
        answers = await _answers(handler, step, names)
        wanted = [_shape(content) for content in step["answers"]]
        got = [
            _shape(json.loads(_named(json.dumps(content, ensure_ascii=False), names)))
            for content in answers
        ]
        if wanted != got:
            yield number, step, wanted, got


def placeholders(server: MemoryServer) -> dict[str, str]:
    """The ids that differ from run to run, by their names in the transcripts."""
    rooms = list(server.members)
    return {
        "{admin}": server.admin_room,
        "{room1}": rooms[1],
        "{room2}": rooms[2],
        **{f"{{mxc{n}}}": mxc for n, mxc in enumerate(server.uploads, 1)},
        "{event1}": next(iter(server.events)),
        "{event2}": "$event2event2event2event2event2event2event2eve",
    }


def _named(text: str, names: Mapping[str, str]) -> str:
    for name, value in names.items():
        text = text.replace(value, name)
    return text


async def _answers(handler: Handler, step: Step, names: Mapping[str, str]) -> list[texts.Content]:
    if step["by"] == "server":
        return [_happening(handler, step["note"], names)]
    body = step["send"]
    for name, value in names.items():
        body = body.replace(name, value)
    if not words.is_command(handler.server, body):
        return []
    return [await handler.answer(body)]


def _happening(handler: Handler, note: str, names: Mapping[str, str]) -> texts.Content:
    """What the server user says about something that happened outside the admin room."""
    newcomer = f"@newcomer:{handler.server}"
    if "report" in note:
        return texts.report(
            newcomer,
            names["{event2}"],
            names["{room2}"],
            newcomer,
            -50,
            "bad <b>thing</b> | x",
            room_is_optional=words.family(handler.version) != "0.9",
        )
    if "password" in note:
        return texts.password_changed(f"@{note.split()[0]}:{handler.server}")
    if "deactivates" in note:
        return texts.self_deactivated(newcomer)
    return texts.registered(newcomer)


# --- what differs from run to run -------------------------------------------------------------

MASKS = (
    (r"(and password: |the password for user \S.*?: )[A-Za-z0-9]{15}$", r"\1<15>"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "<date>"),
    (r"chain with length \d+ in [\d.]+(ns|µs|ms|s)\b", "chain in <duration>"),
    (r"(?m)^(\w+_(?:waiting|cache|spacechunk_cache)): \d+$", r"\1: <n>"),
    (r"(?m)^Database path: .*$", "Database path: <path>"),
    (r"((?:auth|prev)_events(?:\"|&quot;)): \[[^\]]*\]", r"\1: <events>"),
    (r"Ok\(\"\$[A-Za-z0-9_-]{43}\"\)", "Ok(<event>)"),
    (r"(?<=[\";])[A-Za-z0-9+/_-]{43,86}(?=[\"&])", "<hash>"),
    (r"ed25519:\w{8}", "ed25519:<key>"),
    (r"(origin_server_ts(?:\"|&quot;)): \d+", r"\1: <ms>"),
    (r"(transaction_id(?:\"|&quot;)): (\"|&quot;)\w+", r"\1: \2<txn>"),
    (r"(depth(?:\"|&quot;)): \d+", r"\1: <n>"),
)


def _shape(content: Mapping[str, Any]) -> dict[str, Any]:
    """A content with everything masked that no two runs have in common."""
    shape = dict(content)
    for key in ("body", "formatted_body"):
        text = shape.get(key)
        if isinstance(text, str):
            for pattern, instead in MASKS:
                text = re.sub(pattern, instead, text)
            shape[key] = _in_order(text)
    return shape


def _in_order(text: str) -> str:
    """Rooms and media come in no stable order."""
    if text.startswith(("Rooms:\n", "| MXC URI |", "| SHA256 hash |")):
        head = 1 if text.startswith("Rooms:") else 2
        lines = text.split("\n")
        return "\n".join(lines[:head] + sorted(lines[head:]))
    if text.startswith("<table>"):
        head, *rows = re.split(r"(?=<tr>)", text.removesuffix("</tbody></table>"))
        return head + "".join(sorted(rows))
    return text
