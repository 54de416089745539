"""What every step of a request has at hand: the transaction, what is true now, two outlets.

A step gets one Desk, made inside the writer lock, and does all it does through it: it reads and
writes the database, writes audit records and hands messages to the outbox in one transaction, so
that a crash leaves all of it or nothing. Changes of state go through `Desk.apply`, which asks the
machine's table; nothing else changes a state.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from attrs import evolve, frozen

from .. import audit
from ..catalog.table import COMMANDS
from ..chat import cards, strong_measures
from ..chat.card_text import About
from ..chat.undo import takes_back
from ..db import codec
from ..db.connection import Tx
from ..families.dialects import lines
from ..matrix.outbox import Outbox
from ..model.command import Invocation, Line, Tag
from ..model.decision import Asker
from ..model.ids import PersonName
from ..model.request import NEVER_RAN, NO_WHY, LineState, Request, Review, State, Why
from ..policy.access import can_be_tapped
from ..policy.people import members_of, mxids_of, person_of, roles
from ..policy.rules import Policy
from ..settings import Settings
from ..state import Live, Rooms, ServerState
from ..text.message import Message, Text
from ..text.phrases import Here
from ..view import Readiness, View, view
from . import store
from .machine import Effect, Event, Fact, step

codec.known(About)
Append = Callable[[Tx, float, str, Mapping[str, object]], Awaitable[object]]


_NOTHING: Mapping[Fact, Why] = {}
MAX_TEXT = 12_000  # characters of a command in a record, which must fit in; the digest has it all


class Changed(RuntimeError):
    """A request was no longer in the state that a step had read: nothing of the step is kept."""


def only_reads(what: Invocation) -> bool:
    """A `#read` command: what still runs while paused."""
    return COMMANDS[what.command].tags == frozenset({Tag.READ})


def only_looks(what: Invocation) -> bool:
    """A `#read` or `#inspect` command: what still runs in a public room."""
    return COMMANDS[what.command].tags <= {Tag.READ, Tag.INSPECT}


def card_key(request: int) -> str:
    return f"request.{request}.card"


def reminder_key(request: int) -> str:
    return f"request.{request}.half"  # a stored word: 1.1.0 called it so


def card_number(key: str) -> int | None:
    """The request whose card a key of the outbox names."""
    number = request_number(key)
    return number if number is not None and key == card_key(number) else None


def request_number(key: str) -> int | None:
    """The request that a message of this key is about."""
    first, _, rest = key.partition(".")
    number = rest.partition(".")[0]
    return int(number) if first == "request" and number.isdecimal() else None


@frozen
class Desk:
    tx: Tx
    view: View
    append: Append
    outbox: Outbox

    @property
    def now(self) -> float:
        return self.view.now

    @property
    def here(self) -> Here:
        return self.view.here

    @property
    def policy(self) -> Policy:
        return self.view.policy

    def planned(self, invocation: Invocation) -> tuple[Line, ...]:
        """The lines of an invocation for the Conduit that is there."""
        return lines(invocation, self.view.dialect, self.here.server)

    async def apply(
        self,
        request: Request,
        event: Event,
        facts: Mapping[Fact, Why] = _NOTHING,
        note: Why = NO_WHY,
        **fields: Any,
    ) -> tuple[tuple[Effect, ...], Request]:
        """One step of the machine with what it stores: what is left to be done, and the request
        after it.

        Why it ended or is stopped is what the fact says by which it did, else the note. Raises
        Changed when the request is no longer in the state it was read in, NotAllowed when the
        table does not know the event there.
        """
        row = step(request.state, event, facts)
        note = next((facts[fact] for fact in row.when if facts[fact]), note)
        if Effect.ENTER_QUEUE in row.effects and request.queued_since is None:
            fields["queued_since"] = self.now
        if Effect.LEAVE_QUEUE in row.effects and request.queued_since is not None:
            fields["queued_since"] = None
        if Effect.STOP in row.effects:
            fields["stop"] = note
        if Effect.REMIND in row.effects:
            fields["reminded"] = True
        if row.target not in (request.state, State.EXECUTING):
            fields.update(ended=self.now, note=note)
            if row.target in NEVER_RAN:  # there is nothing to review
                fields["review"] = Review.NONE
        if row.target is not request.state or fields:
            fields["state"] = row.target
            if not await store.change(self.tx, request.id, request.state, **fields):
                raise Changed(f"#{request.id} is not {request.state.value} any more")
        return row.effects, evolve(request, **fields)

    async def record(self, kind: str, request: Request | None, **fields: object) -> None:
        """An audit record; of a request with what identifies it."""
        about: dict[str, object] = {}
        if request is not None:
            about = {
                "request": request.id,
                "room": request.room,
                "mxid": request.mxid,
                "person": request.person,
                "command": request.text[:MAX_TEXT],
                "digest": store.digest(request.invocation),
            }
        await self.append(self.tx, self.now, kind, {**about, **fields})

    def name(self, mxid: str) -> PersonName:
        """The policy's name of whoever has this account, else the MXID."""
        return person_of(self.policy, mxid)

    def asker(self, room: str, mxid: str) -> Asker:
        where = self.view.rooms.get(room)
        if where is None or mxid not in where.joined:
            return Asker(mxid, joined=False)
        return Asker(mxid, power=where.power(mxid))

    def sees(self, request: Request) -> bool:
        """Whether its room can be looked at; one that is no ops room any more has nobody in it."""
        where = self.view.rooms.get(request.room)
        return where is None or where.known

    def given_up(self, room: str, since: float) -> bool:
        """Whether what has waited since then was held up by its room alone for too long."""
        aside = self.view.aside.get(room)
        return aside is not None and self.now - max(since, aside.since) > self.view.max_age

    def speaking(self) -> str | None:
        """The first ops room in which something can be said now."""
        rooms, silent = self.view.rooms.items(), {*self.view.aside, *self.view.mute}
        return next((room for room, view in rooms if view.known and room not in silent), None)

    def muted(self, request: Request) -> bool:
        """Nothing of it is sent now: its room could not be told what became of it."""
        return request.room in self.view.mute

    async def distrusted(self) -> frozenset[str]:
        return frozenset(await store.distrusted(self.tx, self.now))

    async def roles(self, room: str, mxid: str) -> frozenset[str]:
        """What somebody holds in this room now; nothing who is not in it."""
        who = self.asker(room, mxid)
        if not who.joined:
            return frozenset()
        return roles(self.policy, mxid, who.power, await self.distrusted())

    async def somewhere(self, mxid: str) -> frozenset[str]:
        """What somebody holds in any of the ops rooms."""
        each = [await self.roles(room, mxid) for room in self.view.rooms]
        return frozenset().union(*each)

    def push(self, room: str, mxids: Iterable[str]) -> tuple[str, ...]:
        """Those of these accounts that are in the room."""
        where = self.view.rooms.get(room)
        return tuple(m for m in dict.fromkeys(mxids) if where and m in where.joined)

    def told(self, room: str) -> tuple[str, ...]:
        """The rooms that learn of a strong measure: where it was taken, everybody's, and where
        an owner is who is in none of them."""
        found = dict.fromkeys((room, *self.view.told))
        for mxid in self.mxids(self.owners()):
            inside = [each for each in self.view.rooms if self.push(each, (mxid,))]
            if inside and not found.keys() & set(inside):
                found[inside[0]] = None
        return tuple(found)

    async def tell(self, room: str, key: str, message: Message) -> None:
        """In this room, and in all others that learn of it."""
        await self.outbox.put(self.tx, room, key, message)
        await self.elsewhere(room, key, message)

    async def elsewhere(self, room: str, key: str, message: Message) -> None:
        """What was said in this room, in all others that learn of it; an alarm pushes the owners
        there."""
        for where in self.told(room)[1:]:
            push = self.push(where, self.mxids(self.owners())) if message.text else ()
            copy = strong_measures.elsewhere(message, room, push)
            await self.outbox.put(self.tx, where, key, copy)

    async def about(self, request: Request) -> About:
        """What its card says of the command, as stored when it was submitted."""
        told = codec.read(request.card_text) if request.card_text else None
        return told if isinstance(told, About) else About((request.text,))

    def owners(self) -> tuple[PersonName, ...]:
        """Names."""
        return members_of(self.policy, self.policy.owners)

    def mxids(self, persons: Iterable[PersonName]) -> tuple[str, ...]:
        return tuple(mxid for person in persons for mxid in mxids_of(self.policy, person))

    def undo(self, request: Request) -> Text:
        """The line that says how to take it back; empty while nothing was done."""
        done = request.state in (State.DONE, State.UNKNOWN)
        return takes_back(self.here, request.invocation) if done else ()

    async def reply(self, room: str, event_id: str, message: Message, to: str = "") -> None:
        """Once for each event. to: what was typed, where the event is a tap or an edit of it."""
        key = f"reply.{event_id}"
        await self.outbox.put(self.tx, room, key, message, reply_to=to or event_id)

    async def say(
        self, request: Request, key: str, message: Message, *, answers: bool = False
    ) -> None:
        """A message of a request, below its card. answers: to its command, where that stands;
        what others vote on, and what became of that, stands where everybody sees it."""
        card = await self.outbox.event_of(self.tx, request.room, card_key(request.id))
        reply_to = request.command if answers else card
        await self.outbox.put(self.tx, request.room, key, message, reply_to=reply_to)

    async def show(self, request: Request, card: Message) -> None:
        """Edits the card if it changes; its buttons stay only while votes count."""
        key = card_key(request.id)
        if await store.shows(self.tx, request.id, card.body):
            await self.show_everywhere(request, card)
            await self.show_reminder(request, card)
        if request.state is not State.PENDING:
            await self.outbox.buttons(self.tx, request.room, key, ())

    async def show_reminder(self, request: Request, card: Message) -> None:
        """The reminder says what the card says now, and has no buttons longer than that."""
        key = reminder_key(request.id)
        if await self.outbox.has(self.tx, request.room, key):
            await self.outbox.edit(self.tx, request.room, key, cards.brief(card))
            if request.state is not State.PENDING:
                await self.outbox.buttons(self.tx, request.room, key, ())

    async def show_everywhere(self, request: Request, card: Message) -> None:
        """A break-glass has its card in several rooms."""
        key, outbox = card_key(request.id), self.outbox
        others = [r for r in self.view.rooms if request.glass and r != request.room]
        for room in (request.room, *others):
            if room == request.room or await outbox.has(self.tx, room, key):
                await outbox.edit(self.tx, room, key, card)

    def can_tap(self, request: Request) -> bool:
        """Whether who asked for it may ask anew by a tap, and can."""
        where = self.view.rooms.get(request.room)
        able = where is None or where.can_send("m.reaction", request.mxid)
        return able and can_be_tapped(self.policy, COMMANDS[request.invocation.command])

    def taps(self, request: Request, votes: cards.Standing) -> bool:
        """Whether all who can vote here now have the power to react."""
        where = self.view.rooms.get(request.room)
        able = self.push(request.room, self.mxids(votes.helpers))
        return where is None or all(where.can_send("m.reaction", mxid) for mxid in able)

    async def show_votes(self, request: Request, votes: cards.Standing) -> None:
        """The card after a vote, a member or the policy changed, or a hold came or went; not if it
        runs at once."""
        queue = list(await store.queue_order(self.tx))
        place = queue.index(request.id) + 1 if request.id in queue else 0
        waits = await self._waits(request) if place else ()
        if place and not waits:
            first = place == 1 and not await store.in_state(self.tx, State.EXECUTING)
            if first and not votes.waits:
                return
            waits = cards.waits_for_its_turn(place)
            waits = cards.waits_for_a_word() if votes.waits else waits
        told, taps = await self.about(request), self.taps(request, votes)
        card = cards.card(request, told, votes, self.here, waits=waits, taps=taps)
        await self.show(request, card)

    async def _waits(self, request: Request) -> Text:
        """What keeps all that is approved from running, empty where nothing does."""
        pause, since = await store.pause(self.tx), self.view.silent_since
        if pause is not None and not only_reads(request.invocation):
            return cards.waits_for_resume(pause, self.owners(), self.here)
        if since is not None:
            return cards.waits_for_conduit(since, self.here)
        return cards.waits_for_sluice(self.here) if self.view.health is Readiness.BAD else ()

    async def show_running(self, request: Request) -> None:
        rows = await store.lines(self.tx, request.id)
        done = sum(row.size for row in rows if row.state is LineState.SETTLED)
        total = sum(row.size for row in rows)
        await self.show(request, cards.running(request, request.approved, self.here, done, total))


@frozen
class Desks:
    """Makes the desk of a step, of what is true at its moment."""

    _live: Live
    _rooms: Rooms
    _outbox: Outbox
    _conduit: ServerState

    def __call__(self, tx: Tx, room: str = "") -> Desk:
        """What a step in this room works with; to be made inside the writer lock."""
        now = view(self._live, self._rooms, self._conduit, room)
        return Desk(tx, now, audit.append, self._outbox)

    def under(self, settings: Settings) -> Desks:
        """As it will be once these settings are in force."""
        live = evolve(self._live)
        live.goes_live(settings)
        return evolve(self, live=live, rooms=evolve(self._rooms, live=live))
