"""Commands whose answer may have stopped Conduit: each was sent, and no answer came.

An answer above 65,535 bytes ends Conduit's handler, and asking again ends it again. So such a
command is run again only when an owner confirms it; until then it stands in `status`.
"""

from __future__ import annotations

import json

from attrs import frozen

from ..catalog.table import COMMANDS
from ..db import meta
from ..db.connection import Tx
from ..model.command import Invocation, Kind, Outcome
from ..model.request import Request

_NO_ANSWER = ("silent", "lost")  # codes of outcomes


@frozen
class Stopper:
    """person: who asked for it; at: when it counted as unanswered."""

    command: str
    person: str
    at: float


def _key(command: str) -> str:
    return f"stopped.{command}"


async def ended(tx: Tx, request: Request, outcome: Outcome, now: float) -> None:
    """How a request of one line ended: without an answer it is a suspect, with one it is none."""
    command = request.invocation.command
    if not COMMANDS[command].can_stop:
        return
    if outcome.kind is Kind.UNKNOWN and outcome.code in _NO_ANSWER:
        kept = json.dumps([request.person, now])
        await meta.put(tx, _key(command), kept)
    elif outcome.kind is Kind.DONE:
        await meta.drop(tx, _key(command))


async def confirmed(tx: Tx, invocation: Invocation) -> None:
    """An owner wants it all the same."""
    await meta.drop(tx, _key(invocation.command))


async def stopper(tx: Tx, command: str) -> Stopper | None:
    text = await meta.get(tx, _key(command))
    return None if text is None else Stopper(command, *json.loads(text))


async def stoppers(tx: Tx) -> list[Stopper]:
    """All of them, for `status`."""
    every = [await stopper(tx, name) for name, entry in COMMANDS.items() if entry.can_stop]
    return [each for each in every if each is not None]
