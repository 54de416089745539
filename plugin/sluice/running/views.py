"""What the commands that only look show, from Conduit's answer to a first page: a row for each
that shows more than the line in its record.

What can be looked up beside the answer (names of rooms) is looked up here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from attrs import define, field, frozen

from ..catalog import accounts, rooms, server
from ..catalog import files as records
from ..catalog.record import ReadOnly
from ..catalog.table import COMMANDS
from ..chat import files, lists
from ..chat.lists import RoomRow, View
from ..db.connection import Tx
from ..families.answers import (
    appservices_in,
    blocked_in,
    federation_in,
    media_in,
    media_info,
    rooms_in,
    the_event,
    users_in,
)
from ..matrix.api import MatrixError
from ..matrix.files import File, Files
from ..matrix.probes import Probes, RoomFacts
from ..matrix.sealed import Sealed
from ..model.admin_room import Content
from ..model.command import Outcome
from ..model.request import Request
from ..policy.people import highest, is_named, person_of, roles_of_person
from ..state import Live, RegistrationState, Rooms, ServerState
from ..text.message import Message, Text, code, quote
from ..text.pages import Pages
from ..text.phrases import Here, line, view

_OPEN = 600.0  # seconds that a list stays open for `more`


@frozen
class Shown:
    """A view, and what is left of it. file: what the message is the caption of."""

    message: Message
    pages: Pages | None = None
    file: File | None = None


@define
class Lists:
    """The lists that people are reading, by room and person; in memory, for ten minutes."""

    _open: dict[tuple[str, str], tuple[float, Pages]] = field(factory=dict)

    def keep(self, room: str, mxid: str, pages: Pages | None, now: float) -> None:
        self._open = {k: v for k, v in self._open.items() if now - v[0] < _OPEN}
        if pages is not None:
            self._open[room, mxid] = (now, pages)
        else:
            self._open.pop((room, mxid), None)

    def after(self, tx: Tx, room: str, mxid: str, pages: Pages | None, now: float) -> None:
        """As `keep`, once it is committed that the page before was said."""
        tx.after(lambda: self.keep(room, mxid, pages, now))

    def get(self, room: str, mxid: str, now: float) -> Pages | None:
        at, pages = self._open.get((room, mxid), (0.0, None))
        return pages if now - at < _OPEN else None


@frozen
class Case:
    here: Here
    request: Request
    content: Content
    outcome: Outcome
    to: str | None

    @property
    def body(self) -> str:
        return str(self.content.get("body", ""))

    def value(self, name: str) -> str | None:
        value = self.request.invocation.get(name)
        return None if value is None else str(value)


class Views:
    def __init__(
        self,
        live: Live,
        ops_rooms: Rooms,
        conduit: ServerState,
        registration: RegistrationState,
        probes: Probes,
        files: Files,
        sealed: Sealed,
    ) -> None:
        self._live, self._ops_rooms = live, ops_rooms
        self._conduit, self._state = conduit, registration
        self._probes, self._files, self._sealed = probes, files, sealed
        self._rows: Mapping[str, Callable[[Case], Awaitable[View]]] = {
            accounts.USERS.name: self._users,
            rooms.ROOMS.name: self._rooms,
            rooms.EVENT.name: self._event,
            records.MEDIA.name: self._media,
            records.MEDIAINFO.name: self._mediainfo,
            records.BLOCKED.name: self._blocked,
            server.REGISTRATION.name: self._registration,
            server.CONFIG.name: self._config,
            server.MEMORY.name: self._memory,
            server.FEDERATION.name: self._federation,
            server.APPSERVICES.name: self._appservices,
            server.SERVER_HELP.name: self._help,
        }

    async def show(
        self, request: Request, outcome: Outcome, content: Content, to: str | None
    ) -> Shown | None:
        """None for a command that shows nothing. to: who is pushed, because it took long."""
        command = COMMANDS[request.invocation.command]
        if not isinstance(command, ReadOnly):
            return None
        case = Case(self._ops_rooms.here(request.room), request, content, outcome, to)
        if request.invocation.get("file"):
            return await self._as_file(case)
        row = self._rows.get(command.name)
        if row is not None:
            return Shown(*await row(case))
        fields = {name: quote(str(value)) for name, value in outcome.fields}
        return Shown(view(line(command.shows, case.here, **fields), to=to))

    async def _as_file(self, case: Case) -> Shown:
        """`users --file`; the plain list if the server takes no file."""
        mxids, pattern = users_in(case.body), case.value("pattern")
        caption, text = lists.users_file(case.here, mxids, pattern)
        name = f"accounts-{case.here.clock.day(case.here.clock.now).replace(' ', '-')}.txt"
        try:
            file = await self._files.upload(
                case.request.room, text.encode(), name, "text/plain; charset=utf-8"
            )
        except MatrixError:
            return Shown(*await self._users(case))
        return Shown(caption, file=file)

    async def _users(self, case: Case) -> View:
        mxids, policy = users_in(case.body), self._live.in_force.policy
        named = {
            m: roles_of_person(policy, person_of(policy, m)) for m in mxids if is_named(policy, m)
        }
        roles = {mxid: highest(policy, held) for mxid, held in named.items() if held}
        return lists.users(case.here, mxids, case.value("pattern"), case.to, roles)

    async def _rooms(self, case: Case) -> View:
        admin_room = self._conduit.room
        known = await self._probes.names(
            [*self._ops_rooms.views, *([admin_room] if admin_room else [])]
        )
        rows = []
        for room in rooms_in(case.body):
            facts = known.get(room.room_id) or RoomFacts()
            row = RoomRow(room.room_id, room.members, facts.name or None, facts.alias or None)
            rows.append(row)
        pattern = case.value("pattern")
        return lists.rooms(case.here, rows, pattern, case.to, case.request.room)

    async def _registration(self, case: Case) -> View:
        on, window = case.outcome.get("state") == "on", self._state.window
        opened = (window.until, window.by, window.request) if on and window else (None, "", 0)
        config = self._state.at_start
        return lists.registration(case.here, on, *opened, config), None

    async def _config(self, case: Case) -> View:
        version = f"Conduit {self._conduit.health.version}"
        until = self._state.until
        return lists.config(case.here, version, case.body, until, case.to)

    async def _memory(self, case: Case) -> View:
        return lists.memory(case.here, case.body, case.to)

    async def _federation(self, case: Case) -> View:
        return lists.federation(case.here, federation_in(case.body), case.to)

    async def _appservices(self, case: Case) -> View:
        return lists.appservices(case.here, appservices_in(case.body), case.to)

    async def _help(self, case: Case) -> View:
        return lists.conduit_help(case.here, case.body, case.to)

    async def _media(self, case: Case) -> View:
        found = media_in(case.content)
        if found is None:
            return files.unreadable(case.to)
        of = case.value("user") or case.value("server") or ""
        what = {"image": "pictures", "video": "videos", "audio": "sounds"}
        asked: Text = (what.get(case.value("type") or "", "files"),)
        asked = (*asked, " of ", code(of), " stored") if of else (*asked, " stored here")
        since = case.value("since")
        if since:
            asked = (*asked, f" since {case.here.clock.dated(files.when(since))}")
        return files.media(case.here, found, asked, of=of, to=case.to)

    async def _mediainfo(self, case: Case) -> View:
        mxc = case.value("mxc") or ""
        return files.mediainfo(case.here, mxc, media_info(case.body), case.to), None

    async def _blocked(self, case: Case) -> View:
        found = blocked_in(case.content)
        return (
            files.unreadable(case.to)
            if found is None
            else files.blocked(case.here, found, case.to)
        )

    async def _event(self, case: Case) -> View:
        """What could be asked of the sealed rooms was asked before it was sent; what they did not
        show to us then is found here."""
        if await self._sealed.keeps(the_event(case.body)):
            return lists.not_shown(case.to)
        return lists.event(case.here, case.body, case.to)
