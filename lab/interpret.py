"""Feeds recorded answers to the catalog: `lab interpret FILE…`.

Prints step, Conduit's command, the outcome and the first line that a person would read of it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sluice.catalog.record import Action
from sluice.catalog.table import COMMANDS, find
from sluice.chat import files, lists, notices, results
from sluice.chat.lists import RoomRow
from sluice.families import answers, dialects
from sluice.model.admin_room import Asked
from sluice.model.command import Invocation, Kind, Outcome, Typed
from sluice.model.noticed import Noticed
from sluice.model.result import Ending, Part
from sluice.text.phrases import Here
from sluice.text.times import Clock
from sluice.typed.parse import parse

from .double.memory import MemoryServer
from .replay import placeholders, read

View = Callable[[Here, Invocation, Mapping[str, Any], Outcome], Any]
VIEWS: dict[str, View] = {
    "users": lambda here, _, said, __: lists.users(here, answers.users_in(said["body"]), None),
    "rooms": lambda here, _, said, __: lists.rooms(
        here,
        [RoomRow(room.room_id, room.members) for room in answers.rooms_in(said["body"])],
        None,
    ),
    "registration": lambda here, _, __, outcome: lists.registration(
        here, outcome.get("state") == "on"
    ),
    "config": lambda here, _, said, __: lists.config(here, "Conduit", said["body"], None),
    "memory": lambda here, _, said, __: lists.memory(here, said["body"]),
    "federation": lambda here, _, said, __: lists.federation(
        here, answers.federation_in(said["body"])
    ),
    "appservices": lambda here, _, said, __: lists.appservices(
        here, answers.appservices_in(said["body"])
    ),
    "media": lambda here, _, said, __: files.media(
        here, answers.media_in(said) or (), ("files stored here",), of=""
    ),
    "mediainfo": lambda here, line, said, _: files.mediainfo(
        here, str(line.get("mxc")), answers.media_info(said["body"])
    ),
    "blocked": lambda here, _, said, __: files.blocked(here, answers.blocked_in(said) or ()),
    "event": lambda here, _, said, __: lists.event(here, said["body"]),
}


def interpret(paths: list[str], say: Callable[[str], None] = print) -> int:
    """The number of answers of the catalog's commands that were not recognised."""
    unrecognised = 0
    for path in paths:
        head, steps = read(path)
        names = placeholders(MemoryServer.of_the_transcripts(head["server_name"]))
        for number, step in enumerate(steps, 2):
            for command, outcome, sentence, known in _readings(head, _filled(step, names)):
                unrecognised += not known
                shown = sentence.replace("\n", " ⏎ ")
                say(f"{Path(path).name}:{number}\t{command}\t{outcome}\t{shown}")
    say(f"{unrecognised} answers of commands in the catalog were not recognised")
    return unrecognised


def _filled(step: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """The step with real ids in the places of the record's names."""
    text = json.dumps(step)
    for name, value in names.items():
        text = text.replace(name, value)
    return dict(json.loads(text))


def _readings(head: dict[str, Any], step: dict[str, Any]) -> Iterator[tuple[str, str, str, bool]]:
    dialect = dialects.dialect_of(head["version"])
    assert dialect is not None, f"no dialect for {head['version']}"
    here = Here(head["server_name"], Clock(time.time()))
    for content in step["answers"]:
        if step["by"] == "server":
            news = answers.server_notice(content)
            kind = "unrecognised" if news is None else type(news).__name__
            yield "(news)", kind, _news(here, news), news is not None
            continue
        asked = dialects.parse_body(dialect, head["server_name"], step["send"])
        if asked is None:
            yield "(no command)", "unrecognised", content["body"], False
            continue
        outcome = answers.interpret(asked, content)
        known = outcome.code != "unrecognised" or not asked.command
        said = _sentence(here, asked, content, outcome)
        yield asked.command or "(other)", f"{outcome.kind.value}: {outcome.code}", said, known


_ALONE = {
    answers.Registered: "registered",
    answers.PasswordChanged: "password_changed",
    answers.SelfDeactivated: "self_deactivated",
}


def _news(here: Here, news: answers.ServerNotice | None) -> str:
    """The first line that the ops room reads of a server notice."""
    can = notices.Possible(one=True, several=True, close=True)
    if isinstance(news, answers.Report):
        told = Noticed(
            news.event, "report", 0, news.sender, "", news.reporter, news.room, "", news.reason
        )
        message = notices.reports(here, [told], can, ())
    elif isinstance(news, tuple(_ALONE)):
        message = notices.alone(here, _ALONE[type(news)], news.user, False, can)
    else:
        return str(news)
    return str(message.body).partition("\n")[0]


def _sentence(here: Here, asked: Asked, content: Mapping[str, Any], outcome: Outcome) -> str:
    """The first line that a person reads of it."""
    command = find(asked.command)
    if command is None:
        return "(a command that Sluice does not offer)"
    try:
        invocation = parse(
            Typed(asked.command, " ".join(asked.words), asked.words, None, asked.block),
            server=here.server,
        )
    except Exception:  # a line that nobody can type through Sluice
        named = tuple(str(value) for name, value in outcome.fields if name == "user")
        accounts = named or asked.block
        invocation = Invocation(command.name, (("user", accounts),) if accounts else ())
    try:
        return _shown(here, asked, invocation, content, outcome)
    except (KeyError, IndexError):
        return "(nothing is told of it)"


def _shown(
    here: Here,
    asked: Asked,
    invocation: Invocation,
    content: Mapping[str, Any],
    outcome: Outcome,
) -> str:
    if outcome.code == "help":
        return str(lists.conduit_help(here, content["body"])[0].body).partition("\n")[0]
    view = VIEWS.get(invocation.command)
    if view is not None and outcome.kind is Kind.DONE:
        shown = view(here, invocation, content, outcome)
        message = shown[0] if isinstance(shown, tuple) else shown
    elif outcome.kind is Kind.DONE and not isinstance(COMMANDS[invocation.command], Action):
        return "(nothing is told of it)"
    else:
        me = f"@ana:{here.server}"
        items = invocation.values("user") or asked.block or ("?",)
        message = results.result(
            here, Ending(1, "ana", me, invocation.command), invocation, [Part(items, outcome)]
        )
    return str(message.body).partition("\n")[0]
