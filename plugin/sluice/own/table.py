"""Sluice's own commands: one row each, from the command to its handler.

None of them is a request and none reaches Conduit, except the line that `glass` holds.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Union

from ..matrix.model import Handled
from ..model.command import Invocation, Typed
from ..model.origin import Origin
from ..server.board import Board
from . import lists, measures, rights, status, votes
from .call import Build, Call
from .log import Log
from .measures import WithoutVotes
from .rights import Can
from .status import Status
from .who import WhoIs

Does = Union[Handled, WithoutVotes, None]
Handler = Callable[[Call], Awaitable[Does]]
After = Callable[[], Awaitable[None]]


class Own:
    """call: makes what a handler gets. address: the homeserver's. reload: reads the policy; its
    first error, None if it is live now. moved: to be called after a commit that may have put
    something in line."""

    def __init__(
        self,
        call: Callable[[Origin, Invocation, Typed], Call],
        can: Can,
        who: WhoIs,
        log: Log,
        shown: Status,
        board: Board,
        address: str,
        reload: Callable[[], Awaitable[str | None]],
        moved: After,
    ) -> None:
        self._call = call
        self._rows: Mapping[str, Handler] = {
            "help": _plain(partial(rights.help, address)),
            "can": can.take,
            "why": _plain(rights.why),
            "who": who.take,
            "log": log.take,
            "more": _plain(lists.more),
            "pending": _plain(votes.pending),
            "approve": _plain(votes.approve, moved),
            "deny": _plain(votes.deny, moved),
            "cancel": _plain(votes.cancel, moved),
            "resolve": _plain(votes.resolve, moved),
            "pause": _plain(measures.pause),
            "resume": _plain(measures.resume, moved),
            "trust": _plain(measures.trust),
            "glass": measures.glass,
            "reload": partial(measures.reload, again=reload, moved=moved),
            "status": shown.take,
            "board": _plain(partial(status.board, board)),
            "policy": _plain(status.policy),
            "version": _plain(shown.version),
        }

    async def take(self, origin: Origin, invocation: Invocation, typed: Typed) -> Does:
        """Nobody without a role gets here. Raises NotRun."""
        return await self._rows[invocation.command](self._call(origin, invocation, typed))


def _plain(build: Build, after: After | None = None) -> Handler:
    """The handler of a command that needs nothing but its commit."""

    async def handler(call: Call) -> Handled:
        return call.answer(build, after)

    return handler
