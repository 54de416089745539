"""What somebody says in an ops room without the prefix: a vote, an answer to a question, or talk.

Exactly a yes, as a reply to a message of ours about a request, is a yes; what begins with a no is
a no. All else that may be a vote is asked, and what may be a no holds the request meanwhile.
"""

from __future__ import annotations

from functools import partial

from attrs import evolve, frozen

from ..chat import refusals
from ..chat import votes as texts
from ..chat.card_text import About
from ..db.connection import Database, Tx
from ..looks.names import called
from ..matrix.model import Handled, Later
from ..matrix.outbox import Outbox
from ..model.event import Json
from ..model.ids import EventId, RoomId
from ..model.origin import Origin
from ..model.request import Rejection, Request, Side, State, Via
from ..requests import doubts, voting
from ..requests.desk import Desks
from ..requests.standing import Count, weigh
from ..requests.voting import Ballot
from ..state import Live, Rooms
from ..text.message import Topic
from ..text.phrases import Here
from ..typed import read
from ..typed.consent import Sense, meant, refuses
from ..typed.parse import NotRun
from ..typed.read import Said
from .dialog import Dialog, Question
from .erased import Erasures
from .intake import Intake
from .mute import Mute

_DOUBTFUL = (Sense.YES, Sense.YES_AND, Sense.UNCLEAR)


@frozen
class Card:
    """A request as it stands, and what its card tells of it."""

    request: Request
    votes: Count
    told: About


class Talk:
    """Of one ops room."""

    def __init__(
        self,
        room: RoomId,
        live: Live,
        rooms: Rooms,
        outbox: Outbox,
        desk: Desks,
        db: Database,
        commands: Intake,
        dialog: Dialog,
        mute: Mute,
        erasures: Erasures,
    ) -> None:
        self._room, self._live, self._rooms, self._outbox = room, live, rooms, outbox
        self._desk, self._db = desk, db
        self._commands, self._dialog = commands, dialog
        self._mute, self._erasures = mute, erasures

    async def take(
        self, origin: Origin, content: Json, *, young: bool = True
    ) -> Handled | Later | None:
        """A message that is no command. young: it may still become a yes by an edit."""
        people = called(self._live, self._rooms.views[self._room])
        said = read.said(content, self._live.me, people)
        if said is None or isinstance(said, NotRun) or said.reply_to is None:
            return None
        question = await self.question(said.reply_to, origin.mxid)
        if question is not None:
            return await self._answer(origin, question, said)
        return await self._below(origin, said.reply_to, said, young=young)

    async def question(self, event_id: EventId | None, mxid: str) -> Question | None:
        """The open question that this message of ours is, if it is theirs."""
        if event_id is None:
            return None
        key = await self._db.read(lambda tx: self._outbox.key_of(tx, self._room, event_id))
        return self._dialog.get(key, mxid)

    # --- an answer

    async def _answer(
        self, origin: Origin, question: Question, said: Said
    ) -> Handled | Later | None:
        side = {Sense.YES: Side.APPROVE, Sense.NO: Side.DENY}.get(meant(said.text).sense)
        tap = question.taps.get(side.value) if side is not None else None
        if tap is None and refuses(said.text):
            return self._dialog.called_off(origin, question)
        reply = question.reply
        if tap is None and reply is None:
            return None
        if self._mute.now:
            return await self._mute.unheard(origin)
        self._dialog.close(question.key)
        again = evolve(origin, command=question.origin.command)
        if tap is not None:
            return await self._commands.looked_up(again, partial(tap, again))
        assert reply is not None
        return await self._commands.looked_up(again, partial(reply, again, said.text))

    # --- a vote

    async def vote(
        self, origin: Origin, target: EventId, side: Side, how: Via, why: str = ""
    ) -> Handled | None:
        """A yes or no to an alarm about something that was erased, or to a message of ours about
        a request."""
        if self._live.settings is None:
            return None
        if (released := await self._erasures.tap(origin, target, side)) is not None:
            return released
        request = await self._db.read(
            lambda tx: voting.of_message(self._desk(tx, self._room), self._room, target)
        )
        return self._cast(origin, request.id, side, how, why) if request is not None else None

    def _cast(self, origin: Origin, number: int, side: Side, how: Via, why: str = "") -> Handled:
        """origin.command: what people edit and delete of it."""
        whose = (origin.event_id, number, origin.mxid)
        ballot = Ballot(*whose, side, how, self._room, why, message=origin.command)
        return Handled(
            lambda tx: voting.vote(self._desk(tx, self._room), ballot), self._commands.moved
        )

    async def _tapped(self, origin: Origin, *, number: int, side: Side) -> Handled:
        """What words meant is said by a tap."""
        return self._cast(origin, number, side, Via.REACTION)

    async def _below(
        self, origin: Origin, target: EventId, said: Said, *, young: bool
    ) -> Handled | None:
        """A reply to a message of ours that asks them nothing."""
        what = meant(said.text)
        if what.sense is Sense.NO:
            return await self.vote(origin, target, Side.DENY, Via.REPLY, what.rest)
        if what.sense is Sense.YES:
            voted = await self.vote(origin, target, Side.APPROVE, Via.REPLY)
            old = voted is not None and not young
            return self._dialog.answer(origin, refusals.no_command_by_edit()) if old else voted
        if self._live.settings is None:
            return None
        card = await self._db.read(lambda tx: self._open(tx, target))
        return await self._no_vote(origin, card, what.sense) if card is not None else None

    async def _no_vote(self, origin: Origin, card: Card, sense: Sense) -> Handled | None:
        """Words below an open card that are no vote, or may be one."""
        if self._mute.now:
            return await self._mute.unheard(origin)
        number, votes = card.request.id, card.votes
        cause = votes.cause(origin.mxid, card.request.mxid)
        if cause is Rejection.NONE and sense in _DOUBTFUL:
            return self._ask(origin, card, holds=sense is Sense.UNCLEAR)
        message = texts.no_vote(card.request, cause, votes.standing, self._here)
        message = evolve(message, about=Topic((number,)))
        return self._dialog.once(origin, f"no vote.{number}.{votes.same(origin.mxid)}", message)

    def _ask(self, origin: Origin, card: Card, *, holds: bool) -> Handled:
        """What may be a vote is counted when they tap. holds: it may be a no, and nothing of the
        request runs meanwhile."""
        number = card.request.id
        held = self._live.now() + doubts.LIFE if holds else None
        question = texts.may_be(card.request, card.told, self._here, held=held)
        question = evolve(question, about=Topic((number,)))
        late = texts.not_tapped(self._here, number)
        taps = {side: partial(self._tapped, number=number, side=side) for side in Side}
        asked = self._dialog.vote(origin, str(number), question, late, taps)

        async def commit(tx: Tx) -> None:
            await asked.commit(tx)
            if holds:
                who = (self._room, origin.mxid, origin.event_id)
                await doubts.hold(self._desk(tx, self._room), [number], *who)

        return Handled(commit, asked.after)

    async def _open(self, tx: Tx, target: EventId) -> Card | None:
        """The request that a message of ours is about, while votes on it count."""
        desk = self._desk(tx, self._room)
        request = await voting.of_message(desk, self._room, target)
        if request is None or request.state is not State.PENDING or not request.slots:
            return None
        return Card(request, (await weigh(desk, request)).votes, await desk.about(request))

    @property
    def _here(self) -> Here:
        return self._rooms.here(self._room)
