"""Answers that could stop Conduit: above 65,535 bytes its handler dies until a restart.

Lists of accounts and rooms grow with the server: what is known of the last one decides. Lists of
files and single events can be made large by any user: `relay.attacker_sized` decides.
"""

from __future__ import annotations

from attrs import evolve

from ..catalog.accounts import USERS
from ..catalog.rooms import ROOMS
from ..catalog.table import COMMANDS
from ..chat import lists as views
from ..chat import policy_news, questions, refusals
from ..chat.lists import RoomRow
from ..db import meta
from ..db.connection import Database, Tx
from ..families.answers import rooms_in, users_in
from ..matrix.outbox import Outbox
from ..model.command import Invocation
from ..model.origin import Origin
from ..passwords import store as kept
from ..policy.people import person_of
from ..running.views import Lists
from ..server import stoppers
from ..state import Live, Rooms
from ..text.message import Message
from .found import Passed, Refusal

HELLO = "ready"  # in the keys of the outbox
LIMIT = 65_535  # bytes of an answer above which Conduit's handler dies
_ASK_FROM, _REFUSE_FROM, _OLD_FROM = 0.5, 0.8, 0.25  # parts of LIMIT
_DAY = 86400.0
_SMALL = "small server"  # in the database: when an owner said so
_STAYS_SMALL = {USERS.name: 30 * _DAY, ROOMS.name: _DAY}  # anybody can make a thousand rooms


class Sizes:
    def __init__(self, live: Live, rooms: Rooms, db: Database, lists: Lists) -> None:
        self._live, self._rooms, self._db, self._lists = live, rooms, db, lists

    async def by_others(self, origin: Origin, found: Passed) -> Passed | Refusal:
        """Commands whose answer any user can make large: asked once a day for all of a kind."""
        how, name = self._live.in_force.relay.attacker_sized, found.invocation.command
        if how == "refuse":
            return Refusal(refusals.attacker_sized())
        if (stopped := await self._stopped(origin, found.invocation)) is not None:
            return stopped
        if how == "allow" or await self._db.read(lambda tx: self._is_fresh(tx, name)):
            return found
        return evolve(found, question=questions.attacker_sized(name))

    async def _is_fresh(self, tx: Tx, name: str, within: float = _DAY) -> bool:
        """Whether it was confirmed within this time, and nothing like it got no answer since."""
        key = _asked(name)
        asked = float(await meta.get(tx, key) or 0)
        silent = [each.at for each in await stoppers.stoppers(tx) if _asked(each.command) == key]
        return self._live.now() - asked < within and asked >= max(silent, default=0.0)

    async def confirmed(self, invocation: Invocation) -> None:
        """Somebody tapped ✅ on that question."""
        command, now = COMMANDS[invocation.command], str(self._live.now())
        if not command.can_stop:
            return

        async def commit(tx: Tx) -> None:
            await stoppers.confirmed(tx, invocation)
            if command.attacker_sized or await kept.last_list(tx, command.name) is None:
                await meta.put(tx, _asked(command.name), now)

        await self._db.write(commit)

    async def _stopped(self, origin: Origin, invocation: Invocation) -> Passed | Refusal | None:
        """A command that may have stopped Conduit the last time: only an owner asks again."""
        last = await self._db.read(lambda tx: stoppers.stopper(tx, invocation.command))
        if last is None:
            return None
        here = self._rooms.here(origin.room)
        if self._is_owner(origin):
            question = questions.may_stop_again(here, last.command, last.person, last.at)
            return Passed(invocation, question=question)
        owners = self._live.owner_names()
        return Refusal(refusals.stopped_conduit(here, last.command, last.at, owners))

    def _is_owner(self, origin: Origin) -> bool:
        return person_of(self._live.in_force.policy, origin.mxid) in self._live.owner_names()

    async def grown(self, origin: Origin, invocation: Invocation) -> Passed | Refusal:
        """users, rooms: they grow with the server, and no filter makes the answer smaller."""
        what, now = invocation.command, self._live.now()
        here = self._rooms.here(origin.room)
        if (stopped := await self._stopped(origin, invocation)) is not None:
            return stopped
        last = await self._db.read(lambda tx: kept.last_list(tx, what))
        if last is None:
            within = _STAYS_SMALL[what]
            if await self._db.read(lambda tx: self._is_fresh(tx, what, within)):
                return Passed(invocation)
            question = questions.size_of_server(USERS.fits, ROOMS.fits)
            return self._owner(origin, invocation, question, seen=False)
        part, old = last.octets / LIMIT, now - last.at > _DAY
        if part > _REFUSE_FROM:
            return self._too_large(origin, what, last)
        if part > _ASK_FROM or (old and (part > _OLD_FROM or what == ROOMS.name)):
            question = questions.list_may_be_large(here, what, last.octets, last.at)
            return self._owner(origin, invocation, question, seen=True)
        return Passed(invocation)

    def _owner(
        self, origin: Origin, invocation: Invocation, question: Message, *, seen: bool
    ) -> Passed | Refusal:
        if self._is_owner(origin):
            return Passed(invocation, question=question)
        here, owners = self._rooms.here(origin.room), self._live.owner_names()
        return Refusal(refusals.owner_must_ask(here, invocation.command, owners, seen=seen))

    def _too_large(self, origin: Origin, what: str, last: kept.Listed) -> Refusal:
        """The last list is offered instead, with its date."""
        here = self._rooms.here(origin.room)
        if what == USERS.name:
            found = users_in(last.body)
            _, pages = views.users(here, found, None)
        else:
            found = tuple(room.room_id for room in rooms_in(last.body))
            rows = [RoomRow(room.room_id, room.members) for room in rooms_in(last.body)]
            _, pages = views.rooms(here, rows, None)
        if pages is not None:
            pages = evolve(pages, start=0)
        self._lists.keep(origin.room, origin.mxid, pages, here.clock.now)
        stored = (last.at, len(found))
        return Refusal(refusals.list_too_large(here, what, last.octets, stored))


class FirstSize:
    """Below the hello an owner says, by a tap, that the server is small."""

    def __init__(self, live: Live, outbox: Outbox) -> None:
        self._live, self._outbox = live, outbox

    async def tap(self, tx: Tx, origin: Origin, key: str, held: frozenset[str]) -> None:
        """key: of the message. held: the roles of who tapped."""
        policy = self._live.in_force.policy
        if policy.owners in held:
            await meta.put(tx, _SMALL, str(self._live.now()))
            await self._outbox.buttons(tx, origin.room, key, ())
            said = policy_news.small_server(person_of(policy, origin.mxid))
        else:
            said = policy_news.owner_knows(self._live.owner_names())
        to = await self._outbox.event_of(tx, origin.room, key)
        await self._outbox.put(tx, origin.room, f"size.{origin.event_id}", said, reply_to=to)


def _asked(command: str) -> str:
    """Where it stands when this was confirmed: in one place for all of a kind."""
    if not COMMANDS[command].attacker_sized:
        return _SMALL
    return "asked.event" if COMMANDS[command].reads_messages else "asked.media"
