"""Sluice's own commands: one row each, from the command to its handler.

None of them is a request and none reaches Conduit, except the line that `glass` holds.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Union

from ..db.connection import Database
from ..looks.authority import Authority
from ..looks.reading import Reading
from ..matrix.api import Homeserver
from ..matrix.files import Files
from ..matrix.model import Handled
from ..matrix.probes import Probes
from ..model.command import Invocation, Typed
from ..model.origin import Origin
from ..running.views import Lists
from ..state import World
from . import lists, measures, rights, status, votes
from .call import Build, Call
from .log import Log
from .measures import WithoutVotes
from .status import Status
from .who import WhoIs

Does = Union[Handled, WithoutVotes, None]
Handler = Callable[[Call], Awaitable[Does]]
After = Callable[[], Awaitable[None]]


class Own:
    """reload: reads the policy; its first error, None if it is live now. moved: to be called after
    a commit that may have put something in line."""

    def __init__(
        self,
        world: World,
        db: Database,
        homeserver: Homeserver,
        probes: Probes,
        files: Files,
        open_lists: Lists,
        shown: Status,
        authority: Authority,
        reading: Reading,
        reload: Callable[[], Awaitable[str | None]],
        moved: After,
    ) -> None:
        self._world, self._db, self._lists = world, db, open_lists
        self._rows: Mapping[str, Handler] = {
            "help": _plain(rights.help),
            "can": rights.Can(authority, reading).take,
            "why": _plain(rights.why),
            "who": WhoIs(homeserver, probes).take,
            "log": Log(homeserver, files).take,
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
            "policy": _plain(status.policy),
            "version": _plain(status.version),
        }

    async def take(self, origin: Origin, invocation: Invocation, typed: Typed) -> Does:
        """Nobody without a role gets here. Raises NotRun."""
        call = Call(self._world, self._db, self._lists, origin, invocation, typed)
        return await self._rows[invocation.command](call)


def _plain(build: Build, after: After | None = None) -> Handler:
    """The handler of a command that needs nothing but its commit."""

    async def handler(call: Call) -> Handled:
        return call.answer(build, after)

    return handler
