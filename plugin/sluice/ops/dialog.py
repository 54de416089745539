"""Answers to who typed a command, and questions (❓): one thing is missing, or must be confirmed
by a tap; nothing has run yet.

A question lives five minutes, belongs to who asked, and ends with a restart: it is kept in memory
only. What answers it is a reply to it, a tap on it, or an edit of the command (which is simply a
new command, and takes the question away).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from attrs import evolve, field, frozen

from ..chat import questions, refusals
from ..db.connection import Tx
from ..matrix.model import Handled
from ..matrix.outbox import Outbox
from ..model.command import Type, Typed
from ..model.origin import Origin
from ..model.request import Side
from ..state import Live, Rooms
from ..text.message import Message
from ..text.phrases import ask as asking
from ..typed import read
from ..typed.answering import could_be, is_command, without_label
from ..typed.parse import Missing, NotRun
from ..typed.password import is_in_reason
from ..typed.values import MAX_BYTES, size

LIFE = 300.0  # seconds
_YES = "approve"
_CALLED = {"user": "name", "mxc": "file"}  # what people call a parameter
_DAY = 86_400.0
_NO_PASSWORD = NotRun(
    ("passwords are never typed here, Conduit makes them.",),
    ("Delete your message, then send the command again with another reason.",),
    redact=True,
)
_KEPT = 5_000  # full lines that are remembered as said

Reply = Callable[[Origin, str], Awaitable["Handled | None"]]
Tap = Callable[[Origin], Awaitable["Handled | None"]]
GoOn = Callable[[Origin, Typed], Awaitable["Handled | None"]]


@frozen
class Question:
    """key: what the outbox calls its message. late: what it becomes when nobody answers in time.

    reply: goes on with the words of a reply. wants: what they must be. taps: goes on for each
    button, by its meaning; emojis: the buttons. about: the request that it asks a vote on.
    """

    origin: Origin
    key: str
    asked: float
    message: Message
    late: Message
    reply: Reply | None = None
    wants: str = ""
    taps: Mapping[str, Tap] = field(factory=dict)
    emojis: tuple[str, ...] = ()
    about: str = ""
    is_secret: bool = False  # words that answer it are not repeated

    def fits(self, words: str, *, alone: bool = False) -> bool:
        """Whether these words can be what it asks for. alone: they do not even answer it."""
        return could_be(self.wants, words, alone=alone)


class Dialog:
    """The open questions; at most one for a command."""

    def __init__(self, live: Live, rooms: Rooms, outbox: Outbox) -> None:
        self._live, self._rooms, self._outbox = live, rooms, outbox
        self._open: dict[str, Question] = {}
        self._answers: dict[str, Question] = {}  # message -> what it has answered
        self._passed: set[str] = set()  # questions after which the asker has said something
        self._said: dict[str, float] = {}  # in full, and until when a ❓ stands for it

    # --- open questions

    def get(self, key: str | None, mxid: str) -> Question | None:
        """The question behind a key of the outbox, if it is this person's and still open."""
        question = self._open.get(key or "")
        if question is None or question.origin.mxid != mxid or self._is_over(question):
            return None
        return question

    def of_person(self, mxid: str) -> bool:
        """Whether anything is open of them."""
        return any(question.origin.mxid == mxid for question in self._open.values())

    def of_command(self, command: str) -> Question | None:
        return next((q for q in self._open.values() if q.origin.command == command), None)

    def due(self) -> tuple[Question, ...]:
        """Those whose time is over. They are closed once it is stored that they read so."""
        return tuple(q for q in self._open.values() if self._is_over(q))

    def close(self, key: str) -> None:
        """It, and where else the same is asked."""
        question = self._open.pop(key, None)
        if question is not None:
            for other in [k for k, q in self._open.items() if _same(q, question)]:
                del self._open[other]
        self._passed.intersection_update(self._open)

    def first_words(self, origin: Origin) -> Question | None:
        """The last question to this person here, if these are their first words after it."""
        mxid, room = origin.mxid, origin.room
        theirs = [
            each
            for each in self._open.values()
            if (each.origin.mxid, each.origin.room) == (mxid, room) and not self._is_over(each)
        ]
        if not theirs or theirs[-1].about or theirs[-1].key in self._passed:
            return None
        self._passed.add(theirs[-1].key)
        return theirs[-1]

    def answered(self, question: Question, message: str) -> None:
        """This message answers it: it is over, and answered anew when that message is edited."""
        self.close(question.key)
        self._answers[message] = question
        while len(self._answers) > _KEPT:
            del self._answers[next(iter(self._answers))]

    def forget(self, command: str) -> None:
        """The command reads differently now: no answer to what it said is given anew."""
        answers = self._answers.items()
        self._answers = {key: q for key, q in answers if q.origin.command != command}

    def of_answer(self, message: str) -> Question | None:
        """What this message has answered."""
        return self._answers.get(message)

    def _is_over(self, question: Question) -> bool:
        return self._live.now() > question.asked + LIFE

    # --- answers

    def answer(self, origin: Origin, message: Message) -> Handled:
        """A reply to the command."""

        async def commit(tx: Tx) -> None:
            key = f"reply.{origin.event_id}"
            await self._outbox.put(tx, origin.room, key, message, reply_to=origin.command)

        return Handled(commit)

    def once(self, origin: Origin, about: str, message: Message) -> Handled:
        """The message; to more of the same within a day only a ❓ on what was written.

        about: what makes it the same, with the room or the person in it.
        """
        return self.at_first(origin, about, self.answer(origin, message))

    def at_first(self, origin: Origin, about: str, first: Handled) -> Handled:
        """The same with what is more than a message."""
        now = self._live.now()
        if self._said.get(about, 0.0) > now and self._rooms.able(origin.room, "m.reaction"):
            return self.sign(origin)

        async def commit(tx: Tx) -> None:
            await first.commit(tx)
            tx.after(lambda: self._keep(about, now + _DAY))

        return Handled(commit, first.after)

    def sign(self, origin: Origin) -> Handled:
        """❓ on what was written: it is not understood, and what to do was said before."""
        room, event = origin.room, origin.command
        return Handled(lambda tx: self._outbox.buttons(tx, room, event, ("❓",)))

    def _keep(self, about: str, until: float) -> None:
        self._said.pop(about, None)
        self._said[about] = until
        while len(self._said) > _KEPT:
            del self._said[next(iter(self._said))]

    def not_run(self, origin: Origin, no: NotRun) -> Handled:
        """⛔; what may be a password is removed where our power allows."""
        view = self._rooms.views[origin.room]
        able = no.redact and view.power(self._live.me) >= view.needed("redact")
        answered = self.answer(origin, refusals.refused(no, removed=able))

        async def commit(tx: Tx) -> None:
            await answered.commit(tx)
            # Of an edit also what it was before, which everybody would see again.
            typed = (origin.event_id, origin.answer or origin.command)
            for event in dict.fromkeys(typed) if able else ():
                await self._outbox.redact(tx, origin.room, event, "may be a password")

        return Handled(commit)

    def called_off(self, origin: Origin, question: Question) -> Handled:
        """The asker said no to it: it is over."""
        self.close(question.key)
        about = evolve(origin, command=question.origin.command)
        answered = self.answer(about, questions.called_off())

        async def commit(tx: Tx) -> None:
            await answered.commit(tx)
            await self._outbox.buttons(tx, origin.room, question.key, ())

        return Handled(commit)

    async def gone(self, tx: Tx, question: Question) -> None:
        """The command is gone, and the question with it."""
        room, key = question.origin.room, question.key
        await self._outbox.edit(tx, room, key, questions.gone())
        await self._outbox.buttons(tx, room, key, ())

    # --- questions

    def confirm(self, origin: Origin, question: Message, go_on: Tap) -> Handled:
        """❓ with ✅."""
        return self._taps(origin, question, {_YES: ("✅", go_on)})

    def vote(
        self,
        origin: Origin,
        about: str,
        question: Message,
        late: Message,
        go_on: Mapping[Side, Tap],
    ) -> Handled:
        """❓ with ✅ and ❌, where words may be a vote; one at a time about the same.

        late: what it becomes when nobody taps.
        """
        mxid, standing = origin.mxid, self._open.values()
        if any(
            q.origin.mxid == mxid and q.about == about and not self._is_over(q) for q in standing
        ):
            return self.sign(origin)
        taps = {side.value: tap for side, tap in go_on.items()}
        emojis = tuple("✅" if side is Side.APPROVE else "❌" for side in go_on)
        asked = self._question(origin, question, late)
        return self._ask(evolve(asked, taps=taps, emojis=emojis, about=about))

    def choose(self, origin: Origin, question: Message, go_on: Sequence[Tap]) -> Handled:
        """❓ with 1️⃣, 2️⃣ …; each goes on with what it stands for."""
        keys = enumerate(zip(questions.KEYS, go_on, strict=False), 1)
        return self._taps(origin, question, {str(number): tap for number, tap in keys})

    def _taps(
        self, origin: Origin, question: Message, taps: Mapping[str, tuple[str, Tap]]
    ) -> Handled:
        """taps: what a key means -> (the emoji, what goes on then)."""
        buttons = {meaning: tap for meaning, (_, tap) in taps.items()}
        emojis = tuple(emoji for emoji, _ in taps.values())
        asked = self._question(origin, question, questions.nothing_came())
        return self._ask(evolve(asked, taps=buttons, emojis=emojis))

    def missing(self, origin: Origin, typed: Typed, gap: Missing, go_on: GoOn) -> Handled:
        """Asks for one more value of the line; goes on with the line that it completes."""
        what = _CALLED.get(gap.param.name, gap.param.name)

        async def reply(again: Origin, words: str) -> Handled | None:
            is_free = gap.param.type is Type.TEXT
            if not is_free and (word := is_command(words, self._live.server, reason=False)):
                return self.answer(again, questions.a_command(what, word))
            return await go_on(again, _longer(typed, words))

        asked = self._question(origin, asking(gap.question), questions.nothing_came())
        return self._ask(evolve(asked, reply=reply, wants=what))

    def why(self, origin: Origin, go_on: Reply, *, votes: bool, secret: bool) -> Handled:
        """Asks for the reason. votes: somebody will read it before it runs. secret: of a command
        behind which people write passwords."""

        async def reply(again: Origin, words: str) -> Handled | None:
            if word := is_command(words, self._live.server, reason=True):
                return self.answer(again, questions.a_command("reason", word))
            reason = without_label(" ".join(words.split()))
            if secret and is_in_reason(reason):
                return self.not_run(again, _NO_PASSWORD)
            if size(reason) > MAX_BYTES:
                most = f"the reason is {size(reason)} bytes long, {MAX_BYTES} is the most."
                return self.not_run(again, NotRun((most,)))
            return await go_on(again, reason)

        asked = self._question(origin, questions.why(votes=votes), questions.nothing_came())
        return self._ask(evolve(asked, reply=reply, wants="reason", is_secret=secret))

    def again(self, origin: Origin, question: Question) -> Handled:
        """What came was no answer: the same is asked anew, and both can be answered."""
        return self._repeat(
            origin, question, questions.no_answer(question.message, question.wants)
        )

    def offer(self, origin: Origin, question: Question, words: str, go_on: Tap) -> Handled:
        """Asks by a tap whether these words were the answer."""
        offered = evolve(question, taps={_YES: go_on}, emojis=("✅",))
        shown = "" if question.is_secret else words
        return self._repeat(origin, offered, questions.offered(question.wants, shown))

    def _repeat(self, origin: Origin, question: Question, message: Message) -> Handled:
        """The same question behind another message."""
        whose = evolve(origin, command=question.origin.command)
        return self._ask(evolve(question, origin=whose, key=f"reply.{origin.event_id}"), message)

    def _question(self, origin: Origin, message: Message, late: Message) -> Question:
        return Question(origin, f"reply.{origin.event_id}", self._live.now(), message, late)

    def _ask(self, question: Question, message: Message | None = None) -> Handled:
        """message: what is said in place of its own words."""
        origin, key = question.origin, question.key
        answered = self.answer(origin, message or question.message)

        async def commit(tx: Tx) -> None:
            await answered.commit(tx)
            await self._outbox.buttons(tx, origin.room, key, question.emojis)

        async def after() -> None:
            self._open[key] = question

        return Handled(commit, after)


def _same(one: Question, other: Question) -> bool:
    return (one.origin.command, one.origin.room) == (other.origin.command, other.origin.room)


def _longer(typed: Typed, words: str) -> Typed:
    """The line with these words behind it."""
    more = read.read_line(f"{typed.word} {words}")
    return evolve(
        typed,
        words=(*typed.words, *more.words),
        rest=f"{typed.rest} {more.rest}".strip(),
        lines=(*typed.lines, *more.lines),
        reason=typed.reason or more.reason,
    )
