"""An edited command: what has not run is cancelled, and the new text starts over. An edited vote:
it is taken back, and the new text is read in its place.

Both are one commit, so that nothing of the old text can run once the new one is there.
"""

from __future__ import annotations

from attrs import evolve

from ..catalog.record import OwnCommand
from ..catalog.table import find
from ..chat import cards, questions, votes
from ..db.connection import Database, Tx
from ..looks.ages import older
from ..looks.authority import Authority
from ..looks.found import Passed
from ..matrix.model import Handled, Later
from ..model.command import Typed
from ..model.event import Json
from ..model.ids import EventId, RoomId, UserId
from ..model.origin import Origin
from ..model.request import Request, Side, State, Via, Vote
from ..requests import store, submit, voting
from ..requests.desk import Desks
from ..requests.standing import judge
from ..requests.submit import Ask
from ..requests.voting import Ballot
from ..state import Live, Rooms
from ..typed import read
from ..typed.parse import NOT_YET, NotRun, parse
from .dialog import Dialog
from .intake import Intake


class Edits:
    def __init__(
        self,
        live: Live,
        rooms: Rooms,
        desk: Desks,
        db: Database,
        authority: Authority,
        commands: Intake,
        dialog: Dialog,
    ) -> None:
        self._live, self._rooms, self._desk = live, rooms, desk
        self._db, self._authority = db, authority
        self._commands, self._dialog = commands, dialog
        self._withdrawn: set[str] = set()  # edits whose old text was taken back before

    async def edited(
        self, origin: Origin, typed: Typed | NotRun | None, before: Request
    ) -> Handled:
        """The sender changed a command that was stored here."""
        old = abs(self._live.now() - origin.at) > self._commands.max_age
        if old or self._live.problems or self._rooms.mute(origin.room):
            typed = None
        if before.state in submit.SENT:
            typed = None  # nobody looks there any more
        found, said = await self._reread(origin, typed)
        if found is None and said is None and not before.slots and before.state is State.PENDING:
            said = self._dialog.answer(origin, questions.taken_back())  # there is no card to tell

        async def commit(tx: Tx) -> None:
            desk = self._desk(tx, origin.room)
            anew = None
            if found is not None:
                what = found.invocation
                decision = await judge(desk, what, origin.room, origin.mxid)
                whose = (origin.event_id, before.command, origin.room, origin.mxid)
                anew = Ask(*whose, what, decision, found.facts, await older(tx, what))
            now = await store.get(tx, before.id)
            edit = _edit(evolve(origin, command=before.command))
            is_gone = origin.event_id in self._withdrawn
            await submit.edited(desk, *edit, anew, withdrawn=is_gone)
            if said is not None and now is not None and now.state not in submit.SENT:
                await said.commit(tx)

        async def after() -> None:
            self._withdrawn.discard(origin.event_id)
            await self._commands.moved()
            if said is not None and said.after is not None:
                await said.after()

        return Handled(commit, after)

    def as_before(
        self, origin: Origin, typed: Typed | NotRun | None, before: Request
    ) -> Handled | None:
        """What says the same without a look at the server, which would take the old text back."""
        if not isinstance(typed, Typed) or before.state is not State.PENDING:
            return None
        here = self._rooms.here(origin.room)
        try:
            what = parse(typed, server=here.server, prefix=here.prefix, now=self._live.now())
        except (NotRun, *NOT_YET):
            return None
        if what != before.invocation:
            return None
        return self._dialog.answer(origin, cards.as_before(before))

    async def instead(
        self, origin: Origin, before: Request | None, anew: Handled | Later | None
    ) -> Handled | Later | None:
        """An answer was edited: what it led to is taken back, if it has not run, for what it leads
        to now."""
        if before is None or anew is None:
            return anew
        edit = _edit(evolve(origin, command=before.command))

        async def taken_back(tx: Tx) -> bool:
            await submit.edited(self._desk(tx, origin.room), *edit, None)
            now = await store.get(tx, before.id)
            return now is not None and now.state not in submit.SENT

        if isinstance(anew, Later):
            if await self._db.write(taken_back):
                return anew
            anew.work.cancel()
            return None

        async def commit(tx: Tx) -> None:
            if await taken_back(tx):
                await anew.commit(tx)

        return evolve(anew, commit=commit)

    async def vote(
        self, origin: Origin, content: Json, before: Vote, *, young: bool
    ) -> Handled | None:
        """The sender changed a message that is a vote. young: nobody looks at an old one, so it
        becomes no yes."""
        if not await self._authority.roles(origin):
            return None
        said, cast = read.side(content), None
        stands = before.approves and not before.withdrawn
        if said is not None and said[0] is Side.APPROVE and not young and not stands:
            return self._dialog.answer(origin, votes.no_yes_by_edit())
        if said is not None:
            whose, (side, why) = (origin.event_id, before.request, origin.mxid), said
            cast = Ballot(*whose, side, Via.REPLY, origin.room, why, origin.command)
        then = await self._in_place(origin, content, young=young)

        async def commit(tx: Tx) -> None:
            does = then.commit if then is not None else None
            desk = self._desk(tx, origin.room)
            await voting.edited(desk, before, origin.event_id, cast=cast, then=does)

        async def after() -> None:
            await self._commands.moved()
            if then is not None and then.after is not None:
                await then.after()

        return Handled(commit, after)

    async def _in_place(self, origin: Origin, content: Json, *, young: bool) -> Handled | None:
        """What the new text does as a command: a vote, or something else that stops a request."""
        typed = self._commands.read(origin.room, content)
        command = find(typed.word) if isinstance(typed, Typed) else None
        stops = isinstance(command, OwnCommand) and command.stops
        acts = command is not None and (command.at_once if young else stops)
        if not isinstance(typed, Typed) or not acts:
            return None  # nobody looks at an old message: nothing else hides there
        return await self._commands.take(origin, typed)

    async def withdraw(self, origin: Origin) -> None:
        """The old text is gone now; what the new one says is still looked up."""
        await self._db.write(
            lambda tx: submit.edited(self._desk(tx, origin.room), *_edit(origin), None)
        )
        self._withdrawn.add(origin.event_id)

    async def _reread(
        self, origin: Origin, typed: Typed | NotRun | None
    ) -> tuple[Passed | None, Handled | None]:
        """What an edited command says now: something to submit, or something to answer."""
        if typed is None:
            return None, None
        if isinstance(typed, NotRun):
            return None, self._dialog.not_run(origin, typed)
        if not await self._authority.covers(origin, typed.word):
            return None, await self._commands.run(origin, typed)
        found = await self._commands.plain(origin, typed)
        return (found, None) if found else (None, await self._commands.take(origin, typed))


def _edit(origin: Origin) -> tuple[RoomId, EventId, UserId, EventId]:
    """Where, of which command, by whom, with which event."""
    return origin.room, origin.command, origin.mxid, origin.event_id
