"""What somebody says in an ops room without the prefix: a vote, an answer to a question, or talk.

Exactly a yes, as a reply to a message of ours about a request, is a yes; what begins with a no is
a no. All else that may be a vote is asked, and what may be a no holds the request meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from attrs import frozen

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
from ..requests import doubts, store, voting
from ..requests.desk import Desk, Desks
from ..requests.standing import Count, weigh
from ..requests.topics import topic_of
from ..requests.voting import Ballot
from ..state import Live, Rooms
from ..text.phrases import Here
from ..typed import read
from ..typed.consent import Sense, is_short, meant
from ..typed.parse import NotRun
from ..typed.read import Said
from .dialog import Dialog, Question
from .erased import Erasures
from .intake import Intake
from .mute import Mute
from .to_questions import ToQuestions
from .turns import Turns

_DOUBTFUL = (Sense.YES, Sense.YES_AND, Sense.UNCLEAR)


@frozen
class Card:
    """A request as it stands, and what its card tells of it."""

    request: Request
    votes: Count
    told: About
    may_hold: bool  # by what may be a no of this person


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
        turns: Turns,
    ) -> None:
        self._room, self._live, self._rooms, self._outbox = room, live, rooms, outbox
        self._desk, self._db = desk, db
        self._commands, self._dialog = commands, dialog
        self._mute, self._erasures, self._turns = mute, erasures, turns
        self._answers = ToQuestions(commands, dialog, mute)

    async def take(self, origin: Origin, content: Json, *, young: bool) -> Handled | Later | None:
        """A message that is no command. young: it may still become a yes by an edit."""
        people = called(self._live, self._rooms.views[self._room])
        said = read.said(content, self._live.me, people, caption=True)
        if said is None or isinstance(said, NotRun):
            return None
        if content.get("msgtype") != "m.text":
            return await self._caption(origin, said) if said.reply_to is not None else None
        targets, thread = self._targets(said), said.thread if said.reply_to is None else None
        exact = thread is None or self._turns.is_next(thread, origin.mxid)
        for target in targets:
            if (question := await self.asked(target, origin.mxid)) is not None:
                answer = self._answers.reply if exact else self._answers.aside
                return await answer(origin, question, said.text)
        for target in targets:
            is_theirs = exact and target == targets[0]
            if below := await self._below(origin, target, said, young=young, exact=is_theirs):
                return below
        loose = said.reply_to is None or await self._db.read(lambda tx: self._is_list(tx, said))
        if loose and young and (plain := await self._plain(origin, said)):
            return plain
        for target in () if self._mute.now else targets:
            if named := await self._commands.below(origin, target, said.text):
                return named
        return None

    async def _is_list(self, tx: Tx, said: Said) -> bool:
        """Whether a message answers one of ours that is about several requests."""
        topic = await topic_of(tx, self._outbox, self._room, said.reply_to or EventId(""))
        return topic is not None and len(topic.requests) > 1

    def _targets(self, said: Said) -> tuple[EventId, ...]:
        """What a message answers: in a thread, our last one there, and what it is a thread on."""
        if said.reply_to is not None:
            return (said.reply_to,)
        if said.thread is None:
            return ()
        last = self._turns.last(said.thread)
        return tuple(dict.fromkeys((last or said.thread, said.thread)))

    async def question(self, event_id: EventId | None, mxid: str) -> Question | None:
        """The open question that this message of ours is, if it is theirs."""
        if event_id is None:
            return None
        key = await self._db.read(lambda tx: self._outbox.key_of(tx, self._room, event_id))
        return self._dialog.get(key, mxid)

    async def asked(self, event_id: EventId | None, mxid: str) -> Question | None:
        """The same, unless it asks for a vote, which is said to the request."""
        question = await self.question(event_id, mxid)
        return None if question is None or question.about else question

    async def _caption(self, origin: Origin, said: Said) -> Handled | None:
        """What is written to a file is never a vote, and an answer only if they say so."""
        question = await self.asked(said.reply_to, origin.mxid)
        if question is not None:
            return await self._answers.aside(origin, question, said.text)
        target = said.reply_to or EventId("")
        about = await self._db.read(
            lambda tx: voting.of_message(
                self._desk(tx, self._room), self._room, target, words=True
            )
        )
        if about is None or self._mute.now:
            return None
        return self._dialog.once(origin, f"caption.{self._room}", texts.no_caption())

    async def again(
        self, origin: Origin, question: Question, content: Json
    ) -> Handled | Later | None:
        """An answer that was edited is given anew."""
        people = called(self._live, self._rooms.views[self._room])
        said = read.said(content, self._live.me, people)
        if said is None or isinstance(said, NotRun):
            return None
        return await self._answers.reply(origin, question, said.text)

    # --- a vote

    async def vote(
        self, origin: Origin, target: EventId, side: Side, how: Via, why: str = ""
    ) -> Handled | None:
        """A yes or no to an alarm about something that was erased, or to a message of ours about
        a request. An answer to somebody is about one too, but a yes may be to what that asks."""
        if self._live.settings is None:
            return None
        if (released := await self._erasures.tap(origin, target, side)) is not None:
            return released
        words, room = how is Via.REPLY and side is Side.DENY, self._room
        request = await self._db.read(
            lambda tx: voting.of_message(self._desk(tx, room), room, target, words=words)
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
        self, origin: Origin, target: EventId, said: Said, *, young: bool, exact: bool
    ) -> Handled | None:
        """Words to a message of ours that asks them nothing. exact: they are its answer, so that
        a yes is one."""
        what = meant(said.text)
        if what.sense is Sense.NO:
            return await self.vote(origin, target, Side.DENY, Via.REPLY, what.rest)
        if what.sense is Sense.YES and exact:
            voted = await self.vote(origin, target, Side.APPROVE, Via.REPLY)
            if voted is not None:
                return voted if young else self._dialog.answer(origin, texts.no_yes_by_edit())
        if self._live.settings is None:
            return None
        card = await self._db.read(lambda tx: self._open(tx, target, origin.mxid))
        return await self._no_vote(origin, card, what.sense) if card is not None else None

    async def _no_vote(self, origin: Origin, card: Card, sense: Sense) -> Handled | None:
        """Words below an open card that are no vote, or may be one."""
        if self._mute.now:
            return await self._mute.unheard(origin)
        number, votes = card.request.id, card.votes
        cause = votes.cause(origin.mxid, card.request.mxid)
        if cause is Rejection.NONE and sense in _DOUBTFUL:
            return self._ask(origin, card, no=sense is Sense.UNCLEAR)
        message = texts.no_vote(card.request, cause, votes.standing, self._here)
        return self._dialog.once(origin, f"no vote.{number}.{votes.same(origin.mxid)}", message)

    def _ask(self, origin: Origin, card: Card, *, no: bool) -> Handled:
        """What may be a vote is counted when they tap. no: it may be one, and nothing of the
        request runs meanwhile."""
        number, held = card.request.id, self._held_until([card], no=no)
        question = texts.may_be(card.request, card.told, self._here, no=no, held=held)
        late = texts.not_tapped(self._here, number)
        sides = (Side.DENY, Side.APPROVE) if no else (Side.APPROVE, Side.DENY)
        taps = {side: partial(self._tapped, number=number, side=side) for side in sides}
        asked = self._dialog.vote(origin, str(number), question, late, taps)
        return self._holding(origin, [number], asked) if held else asked

    def _held_until(self, cards: Sequence[Card], *, no: bool) -> float | None:
        """Until when what may be a no holds these, if it may hold all of them."""
        holds = no and all(card.may_hold for card in cards)
        return self._live.now() + doubts.LIFE if holds else None

    def _holding(self, origin: Origin, numbers: Sequence[int], asked: Handled) -> Handled:
        async def commit(tx: Tx) -> None:
            await asked.commit(tx)
            who = (self._room, origin.mxid, origin.event_id)
            await doubts.hold(self._desk(tx, self._room), numbers, *who)

        return Handled(commit, asked.after)

    async def _open(self, tx: Tx, target: EventId, mxid: str) -> Card | None:
        """The request that a message of ours is about, while votes on it count; to somebody
        with a role."""
        desk = self._desk(tx, self._room)
        request = await voting.of_message(desk, self._room, target, words=True)
        if request is None or request.state is not State.PENDING or not request.slots:
            return None
        return (
            await self._card(desk, request, mxid) if await desk.roles(self._room, mxid) else None
        )

    async def _card(self, desk: Desk, request: Request, mxid: str) -> Card:
        votes = (await weigh(desk, request)).votes
        may_hold = await doubts.may_hold(desk, votes, request.id, mxid)
        return Card(request, votes, await desk.about(request), may_hold)

    # --- without any relation

    async def _plain(self, origin: Origin, said: Said) -> Handled | None:
        """Words that name nothing: a phone's quick reply, or chat."""
        answer, sense = await self._answers.plain(origin, said.text), meant(said.text).sense
        if self._live.settings is None or self._mute.now:
            return answer
        if sense is not Sense.NO and not is_short(said.text):
            return answer
        if sense not in (*_DOUBTFUL, Sense.NO) or (answer is not None and sense is not Sense.NO):
            return answer
        no = sense in (Sense.NO, Sense.UNCLEAR)
        cards = await self._db.read(lambda tx: self._waiting(tx, origin.mxid, no=no))
        if not cards:
            return answer
        numbers = [card.request.id for card in cards]
        if answer is not None:  # it may be for any of them as well
            return self._holding(origin, numbers, answer)
        whose = cards[0].votes.same(origin.mxid)
        about = ".".join(["plain", "no" if no else "yes", whose, *map(str, numbers)])
        if len(cards) == 1:
            return self._dialog.at_first(origin, about, self._ask(origin, cards[0], no=no))
        held = self._held_until(cards, no=no)
        rows = [(card.request.id, card.told.short) for card in cards]
        asked = self._dialog.once(origin, about, texts.which(self._here, rows, no=no, held=held))
        return self._holding(origin, numbers, asked) if no else asked

    async def _waiting(self, tx: Tx, mxid: str, *, no: bool) -> list[Card]:
        """The open cards of this room on which their yes would count; or their no, which counts
        after a yes too."""
        desk = self._desk(tx, self._room)
        found = []
        for request in await store.in_state(tx, State.PENDING):
            if request.room == self._room and request.slots:
                card = await self._card(desk, request, mxid)
                counts = card.votes.cause(mxid, request.mxid) is Rejection.NONE
                if counts and (no or mxid not in card.votes.voters):
                    found.append(card)
        return found

    @property
    def _here(self) -> Here:
        return self._rooms.here(self._room)
