"""What `status` and the regular look find in requests and in registration: what is open and needs
a person, although everything answers.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..db.connection import Tx
from ..matrix.session import Session
from ..matrix.withheld import Withheld
from ..model.request import State
from ..requests import store
from ..state import RegistrationState, Rooms
from ..text.message import code
from .problems import Source, Trouble
from .stoppers import stoppers

_SHOWN = 3  # requests with an unknown outcome, one line each
_LATE = 60.0  # seconds that closing registration may take


def sources(rooms: Rooms, state: RegistrationState, session: Session) -> tuple[Source, ...]:
    async def account(tx: Tx) -> Iterable[Trouble]:
        """Whether the bot's account is ours alone, and signed in as before."""
        found, clock = [], rooms.here("").clock
        pause = await store.pause(tx)
        if pause is not None and pause.by_itself:
            found.append(Trouble("foreign", clock.at(pause.at)))
        if (since := session.no_sync_since) is not None:
            found.append(Trouble("no_sync", clock.at(since)))
        if session.new_device:
            found.append(Trouble("new_device", more=(code(session.new_device),)))
        return found

    async def unknown(tx: Tx) -> Iterable[Trouble]:
        """Outcomes that nobody has told yet, the newest first."""
        found = sorted(await store.in_state(tx, State.UNKNOWN), key=lambda each: -each.id)
        shown = [Trouble("unknown", str(r.id), more=(code(r.text[:80]),)) for r in found[:_SHOWN]]
        if len(found) > _SHOWN:
            shown.append(Trouble("unknown_more", str(len(found) - _SHOWN)))
        return shown

    async def stopped(tx: Tx) -> Iterable[Trouble]:
        here = rooms.here("")
        return [
            Trouble(
                "stopper", s.command, more=(here.cmd(s.command), s.person, here.clock.at(s.at))
            )
            for s in await stoppers(tx)
        ]

    async def registration(_: Tx) -> Iterable[Trouble]:
        """Where Conduit's config file opens it that is the owner's own wish."""
        window = state.window
        if window is not None and window.until is not None:
            clock = rooms.here("").clock
            late = clock.now - window.until > _LATE
            return [Trouble("registration_late", clock.at(window.until))] if late else []
        return [Trouble("registration_open")] if state.until and not state.is_meant else []

    return account, unknown, stopped, registration


def kept_back(rooms: Rooms, keys: Withheld) -> Source:
    """Whose app keeps its keys from us. Strangers may."""

    async def found(_: Tx) -> Iterable[Trouble]:
        return [Trouble("keys_kept", mxid) for mxid in sorted(keys.silent) if rooms.has_role(mxid)]

    return found
