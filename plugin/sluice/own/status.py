"""What Sluice says of itself: `status`, whether all is well, `policy` and `version`.

`status` answers in safe mode too, without any policy.
"""

from __future__ import annotations

from attrs import evolve

from .. import audit
from ..chat import answers
from ..chat.answers import Overview
from ..chat.policy_news import roles_line
from ..db.connection import Database, Tx
from ..matrix.api import Homeserver, MatrixError
from ..matrix.direct import Direct
from ..matrix.model import Handled
from ..matrix.outbox import Outbox
from ..model.request import State
from ..policy.access import read_out
from ..requests import store
from ..requests.desk import Desk
from ..requests.submit import Ask
from ..server.board import Board
from ..server.problems import Drift
from ..state import Live, RegistrationState, Rooms, ServerState
from ..text.message import Message, Text
from ..text.phrases import marked
from .call import Call

_SOURCE = "AGPL-3.0-or-later, ask an owner for it"  # an address, once there is one


async def policy_since(tx: Tx, at: float | None = None) -> float | None:
    """When the policy that is live (or was live then) went live."""
    records = await audit.page(tx, kinds=("policy",), limit=100)
    return next((each.ts for each in records if at is None or each.ts <= at), None)


async def policy(call: Call, desk: Desk, ask: Ask) -> Message:
    settings = call.live.in_force
    message = answers.policy_live(
        desk.here,
        await policy_since(desk.tx) or desk.now,
        roles_line(read_out(settings.policy)),
        len(settings.policy.rules),
        settings.tests,
        settings.fingerprint,
    )
    warned: list[Text] = [
        (f"Line {warning.line}: ", *marked(warning.text)) for warning in settings.warnings[:4]
    ]
    return evolve(message, lines=(*message.lines, *warned))


async def board(kept: Board, call: Call, desk: Desk, ask: Ask) -> Message | None:
    return await kept.anew(desk, ask.room)


class Status:
    """direct: how it answers while nothing can be stored."""

    def __init__(
        self,
        live: Live,
        rooms: Rooms,
        outbox: Outbox,
        conduit: ServerState,
        registration: RegistrationState,
        db: Database,
        homeserver: Homeserver,
        drift: Drift,
        direct: Direct,
    ) -> None:
        self._registration = registration
        self._live, self._rooms, self._outbox, self._conduit = live, rooms, outbox, conduit
        self._db, self._hs, self._drift, self._direct = db, homeserver, drift, direct

    async def take(self, call: Call) -> Handled | None:
        await self._drift.look()
        took, origin = await self._took(), call.origin

        async def write(tx: Tx) -> Message:
            return answers.status(
                self._rooms.here(origin.room), await self._shown(tx, origin.room, took)
            )

        if self._db.failing is not None:
            await self._direct.say(
                origin.room, await self._db.read(write), reply_to=origin.command
            )
            return None

        async def commit(tx: Tx) -> None:
            await call.put(tx, await write(tx))

        return Handled(commit)

    async def version(self, call: Call, desk: Desk, ask: Ask) -> Message:
        conduit = f"Conduit {self._conduit.health.version or 'not known yet'}"
        since = await policy_since(desk.tx)
        return answers.version(desk.here, self._live.version, conduit, since, _SOURCE)

    async def say(self, room: str, key: str) -> None:
        """Unasked, for a room where the bot is new."""
        await self._drift.look(accounts=True)
        took = await self._took()

        async def commit(tx: Tx) -> None:
            message = answers.status(self._rooms.here(room), await self._shown(tx, room, took))
            await self._outbox.put(tx, room, key, message)

        await self._db.write(commit)

    async def _took(self) -> float | None:
        """Seconds that the server took to answer just now; None if admin commands get none."""
        conduit = self._conduit
        if not conduit.room or conduit.health.silent_since is not None:
            return None
        start = self._live.now()
        try:
            await self._hs.version()
        except MatrixError:
            return None
        return max(self._live.now() - start, 0.0)

    async def _shown(self, tx: Tx, room: str, took: float | None) -> Overview:
        live, conduit = self._live, self._conduit
        view, pause = conduit.view, await store.pause(tx)
        running = await store.in_state(tx, State.EXECUTING)
        waiting = await store.in_state(tx, State.PENDING)
        valid = live.settings is not None and not live.problems
        scrubs = live.settings is None or live.settings.secrets.scrub_admin_room
        return Overview(
            conduit=f"Conduit {conduit.health.version}".strip(),
            answers=took,
            running=len(running),
            open=len(waiting),
            policy_at=(await policy_since(tx) or live.now()) if valid else None,
            entries=(await audit.head(tx)).seq,
            unbroken=self._drift.broken is None,
            admins=len(view.joined) if view is not None else 0,
            scrubs=scrubs,
            registration=self._registration.until,
            registration_meant=self._registration.is_meant,
            paused_by=pause.by if pause is not None else "",
            paused_at=pause.at if pause is not None else 0,
            problems=await self._drift.words(tx, room),
        )
