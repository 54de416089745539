"""The strong measures: `pause`, `resume`, `trust`, `glass`, and `reload`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from attrs import evolve, frozen

from ..catalog.table import COMMANDS, find
from ..db.connection import Tx
from ..matrix.model import Handled
from ..model.command import Typed
from ..policy.people import mxids_of
from ..requests import measures
from ..requests.desk import Desk
from ..requests.submit import Ask
from ..text.message import code
from ..text.phrases import marked, not_run
from ..typed.read import read_line
from .call import Call, person_meant


async def pause(call: Call, desk: Desk, ask: Ask) -> None:
    await measures.pause(desk, ask, call.text("why"))


async def resume(call: Call, desk: Desk, ask: Ask) -> None:
    await measures.resume(desk, ask)


async def trust(call: Call, desk: Desk, ask: Ask) -> None:
    who = person_meant(desk.policy, call.text("person"))
    mxids, doubted = mxids_of(desk.policy, who), await desk.distrusted()
    mxid = next((each for each in mxids if each in doubted), mxids[0])
    await measures.trust(desk, ask, mxid)


@frozen
class WithoutVotes:
    """A line that is to run so. Whether it may is decided as of any line."""

    typed: Typed


async def glass(call: Call) -> Handled | WithoutVotes:
    """The line inside, with the same questions as without break-glass."""
    here = call.rooms.here(call.origin.room)
    typed = read_line(str(call.invocation.get("line")), prefix=here.prefix)
    command = find(typed.word)
    if command is None or command.own:
        word = (code(typed.word or "?"), " is no command of the server.")
        example = ("Like this: ", here.cmd(COMMANDS["glass"].example))
        return call.say(not_run(("Not run: ", *word), example))
    return WithoutVotes(evolve(typed, reply_to=call.typed.reply_to, thread=call.typed.thread))


async def reload(
    call: Call, again: Callable[[], Awaitable[str | None]], moved: Callable[[], Awaitable[None]]
) -> Handled:
    """In safe mode by anybody who is answered at all: nobody may have a role then.

    again: reads the policy; its first error, None if it is live now.
    """
    origin = call.origin
    if not call.live.problems and not await call.allowed():
        return call.say(None)
    problem = await again()

    async def commit(tx: Tx) -> None:
        if problem is None:
            await call.outbox.react(tx, origin.room, origin.event_id, "✅")
        elif origin.room != call.rooms.main_room:  # there it is told already
            await call.put(tx, not_run(("Not run: ", *marked(problem))))

    return Handled(commit, moved)
