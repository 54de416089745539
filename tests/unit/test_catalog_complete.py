"""Every command has every column, a page in the docs, and an end-to-end test for every end.

The ends are Conduit's: done, refused, failed, and an answer that nobody understands. Tests name
what they play with `covers(command, outcome)`.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from docs.commands import page
from sluice.catalog.record import Action, Command, End, ReadOnly
from sluice.catalog.server import SERVER_NAMES
from sluice.catalog.table import COMMANDS, find
from sluice.families.dialects import Unspellable, lines
from sluice.families.replies import SERVER_COMMANDS
from sluice.model.command import Dialect, Invocation, Kind, Outcome, Right, Tag, Type
from sluice.model.request import Request, State
from sluice.model.result import Ending
from sluice.running.views import Views
from sluice.text.message import plain
from sluice.text.phrases import Here
from sluice.text.times import Clock
from sluice.typed.canonical import canonical
from sluice.typed.parse import parse
from sluice.typed.read import read_line
from tests.unit.ops import ANA, ops

ROOT = Path(__file__).parents[2]
SERVER = "example.org"
HERE = Here(SERVER, Clock(0))
UNKNOWN = Outcome(Kind.UNKNOWN, "lost")
LEVELS = (Tag.READ, Tag.INSPECT, Tag.CHANGE, Tag.DESTRUCTIVE)
LOOKS = frozenset(LEVELS[:2])
RELAYED = [command for command in COMMANDS.values() if not command.own]
NO_CARD = {"clearcache": "its headline says all"}
NO_UNDO = {
    "resetpw": "the old password is gone",
    "clearcache": "caches fill by themselves",
    "rmalias": "whoever runs the room sets the address again",
    "rmappservice": "its registration must be had from elsewhere",
    "purge": "deleted is deleted",
    "purgeuser": "deleted is deleted",
    "purgeserver": "copies come back by themselves",
    "blockuser": "file by file, with unblock",
}


def example(command: Command) -> Invocation:
    text = command.example
    if command.name == "deactivateall":
        text += "\n@s01:example.org\n@s02:example.org"
    rooms = {"#warez:example.org": "!9fKq:example.org"}
    return parse(read_line(text), server=SERVER, rooms=rooms, now=1_795_616_400.0)


@pytest.mark.parametrize("command", COMMANDS.values(), ids=lambda c: c.name)
def test_every_command_has_every_column(command: Command) -> None:
    assert command.summary
    assert command.summary[0].islower() or command.summary.startswith("Conduit")
    assert example(command).command == command.name, "its example means itself"
    assert all(find(alias.word) is command for alias in command.aliases)
    assert command.targets is None or command.param(command.targets).type is Type.USER
    if command.own:
        assert command.right is not Right.POLICY
        return
    assert len(command.tags & set(LEVELS)) == 1, "it stands in one group"
    assert command.right is Right.POLICY
    assert command.conduit in {*SERVER_COMMANDS, "help"}
    if command.tags <= LOOKS:
        assert isinstance(command, ReadOnly)
        has_page = command.name in Views(*[None] * 7)._rows
        assert bool(command.shows) is not has_page, "one of them shows it"
        return
    assert isinstance(command, Action), "its card and its end have words"
    assert bool(command.then(example(command))) != (command.name in NO_CARD)
    assert bool(command.undo(example(command))) != (command.name in NO_UNDO)


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize("command", RELAYED, ids=lambda c: c.name)
def test_every_example_is_a_line_of_every_version_that_has_the_command(
    command: Command, dialect: Dialect
) -> None:
    server = SERVER_COMMANDS.get(command.conduit)
    if server is None or server.since.value <= dialect.value:
        assert lines(example(command), dialect, SERVER)
        return
    with pytest.raises(Unspellable) as lacking:
        lines(example(command), dialect, SERVER)
    assert lacking.value.lacks == command.conduit


@pytest.mark.parametrize("command", COMMANDS.values(), ids=lambda c: c.name)
def test_what_takes_a_command_back_is_a_command_with_all_it_needs(command: Command) -> None:
    back = command.undo(example(command))
    if back is not None:
        line = canonical(back)
        assert parse(read_line(line), server=SERVER) == back, line


@pytest.mark.parametrize("command", COMMANDS.values(), ids=lambda c: c.name)
def test_every_template_of_a_record_is_filled(command: Command) -> None:
    invocation = example(command)
    for word in (command.missing, command.still, command.look):
        said = plain(End(HERE, Ending(1, "", "", ""), invocation, UNKNOWN).says(word))
        assert not set("{}`") & set(said), said


def test_every_line_has_a_command_and_every_command_a_line() -> None:
    sent = {name for name, server in SERVER_COMMANDS.items() if server.lines is not None}
    named = {word for c in RELAYED for word in (c.conduit, *(alias.word for alias in c.aliases))}
    assert named - {"help"} == sent


def test_the_catalog_knows_the_names_of_all_commands_of_the_server() -> None:
    assert set(SERVER_NAMES) == set(SERVER_COMMANDS)


async def test_what_only_looks_is_shown_as_its_record_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record = ReadOnly(name="uptime", summary="", example="", conduit="uptime", shows="Up {said}.")
    monkeypatch.setitem(COMMANDS, "uptime", record)  # type: ignore[arg-type]
    outcome = Outcome(Kind.DONE, "uptime", (("said", "3 days"),))
    async with ops() as office:
        asked = Invocation("uptime")
        made = Request(1, "$a", "$a", office.room, ANA, "ana", "", asked, "uptime", State.DONE, 0)
        views = Views(office.live, office.rooms, office.conduit, None, None, None, None)
        shown = await views.show(made, outcome, {}, None)
    assert shown is not None
    assert shown.message.body == "📋 Up “3 days”."


def test_the_page_of_commands_shows_the_table_as_it_is() -> None:
    written = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert written == page(), "run: python docs/commands.py"


# --- which end-to-end tests there are


def modules() -> Iterator[ModuleType]:
    for path in sorted((ROOT / "tests" / "e2e").glob("test_*.py")):
        if "covers" in path.read_text(encoding="utf-8"):
            yield importlib.import_module(f"tests.e2e.{path.stem}")


def marks(test: Any) -> Iterator[Any]:
    """Those of a test, and those of each of its parameters."""
    for mark in getattr(test, "pytestmark", ()):
        yield mark
        if mark.name == "parametrize":
            for value in mark.args[1]:
                yield from getattr(value, "marks", ())


COVERED = {
    mark.args
    for module in modules()
    for name, test in vars(module).items()
    if name.startswith("test_")
    for mark in marks(test)
    if mark.name == "covers"
}


def answers(command: Command) -> set[Kind]:
    """What Conduit can answer to it, beside usage errors: those are mistakes of ours."""
    words = [command.conduit, *(alias.word for alias in command.aliases)]
    replies = [r for w in words if w in SERVER_COMMANDS for r in SERVER_COMMANDS[w].replies]
    return {reply.kind for reply in replies if reply.code != "no_block"}


def wanted() -> dict[tuple[str, str], str]:
    """Every end that a command can have; why there is no other."""
    ends: dict[tuple[str, str], str] = {}
    for command in COMMANDS.values():
        ends[command.name, "done"] = "it can work"
        if command.own:  # nothing of it is asked of Conduit, so nothing can fail there
            if command.right is not Right.ROLE:
                ends[command.name, "refused"] = "not everybody may"
            continue
        ends[command.name, "unrecognised"] = "Conduit can say what no version said before"
        for kind in (Kind.REFUSED, Kind.FAILED):
            if kind in answers(command):  # else Conduit has no such answer to it
                ends[command.name, kind.value] = "Conduit has an answer that says so"
    return ends


@pytest.mark.parametrize(("command", "outcome"), sorted(wanted()), ids=str)
def test_every_end_of_every_command_is_played(command: str, outcome: str) -> None:
    why = wanted()[command, outcome]
    assert (command, outcome) in COVERED, f"no test covers({command!r}, {outcome!r}): {why}"


def test_no_test_plays_an_end_that_cannot_be() -> None:
    assert COVERED - set(wanted()) == set()
