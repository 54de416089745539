"""What somebody says in an ops room without the prefix: talk about a card of ours."""

from __future__ import annotations

from ..chat import votes as texts
from ..db.connection import Database, Tx
from ..looks.authority import Authority
from ..matrix.model import Handled
from ..model.event import Json
from ..model.ids import EventId, RoomId
from ..model.origin import Origin
from ..model.request import Rejection, Request, State
from ..requests import voting
from ..requests.desk import Desks
from ..requests.standing import Count, weigh
from ..state import Live, Rooms
from ..typed import read
from ..typed.parse import NotRun
from .dialog import Dialog


class Talk:
    """Of one ops room."""

    def __init__(
        self,
        room: RoomId,
        live: Live,
        rooms: Rooms,
        desk: Desks,
        db: Database,
        authority: Authority,
        dialog: Dialog,
    ) -> None:
        self._room, self._live, self._rooms = room, live, rooms
        self._desk, self._db = desk, db
        self._authority, self._dialog = authority, dialog

    async def take(self, origin: Origin, content: Json) -> Handled | None:
        """A message that is neither a command nor an answer."""
        said = read.said(content)
        if said is None or isinstance(said, NotRun) or said.reply_to is None:
            return None
        if self._live.settings is None or not await self._authority.roles(origin):
            return None
        answers = said.reply_to
        found = await self._db.read(lambda tx: self._open(tx, answers))
        if found is None:
            return None
        request, votes = found
        cause = votes.cause(origin.mxid, request.mxid)
        if cause is Rejection.NOT_NEEDED:
            return None
        message = texts.no_vote(request, cause, votes.standing, self._rooms.here(self._room))
        person = self._authority.name(origin.mxid)
        return self._dialog.once(origin, f"no vote.{request.id}.{person}", message)

    async def _open(self, tx: Tx, event_id: EventId) -> tuple[Request, Count] | None:
        """The open request that a message of ours is about."""
        desk = self._desk(tx, self._room)
        request = await voting.of_card(desk, self._room, event_id)
        if request is None or request.state is not State.PENDING:
            return None
        return request, (await weigh(desk, request)).votes
