"""The way of one command: from typed words to a stored request, an answer or a question.

is it covered by any line at all -> understand (may ask the server what an address means) ->
decide -> look whether it can work -> ask what is missing -> store. Each step may end it with an
answer; nothing reaches Conduit here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from attrs import evolve

from ..catalog.table import COMMANDS, find, near
from ..chat import policy_news, questions, refusals
from ..db.connection import Database, Tx
from ..looks.found import Choice, Found, Look, Refusal
from ..looks.lookups import Lookups
from ..looks.mixed import Bads, sift
from ..looks.names import Names
from ..looks.preflight import Checks
from ..looks.questions import Question, Questions, Reply, Tap, Where
from ..matrix.api import Homeserver
from ..matrix.model import Handled
from ..model.command import Invocation, Tag, Type, Typed
from ..model.decision import Decision, Verdict
from ..model.event import Json
from ..model.ids import UserId
from ..model.request import Request, State
from ..own.measures import WithoutVotes
from ..own.table import Own
from ..policy.people import mxids_of, person_of, roles
from ..requests import measures, store, submit
from ..requests.desk import Desk
from ..requests.standing import judge
from ..requests.submit import Ask
from ..state import World
from ..text.message import Message
from ..text.phrases import ask as asking
from ..typed import read
from ..typed.answering import is_command, without_label
from ..typed.needs import offered
from ..typed.parse import AskFirst, Missing, NotRun
from ..typed.values import MAX_BYTES, size
from .arrival import Arrivals, Cause

_AGAIN = 60.0  # seconds in which the same command is a message that was sent twice
_SAFE_POWER = 50  # who is answered in safe mode without any valid policy
YES, FIRST = "approve", "1"


class Commands:
    def __init__(
        self,
        world: World,
        db: Database,
        homeserver: Homeserver,
        questions: Questions,
        checks: Checks,
        arrivals: Arrivals,
        own: Callable[[Commands], Own],
        line: asyncio.Event,
    ) -> None:
        """own: makes Sluice's own commands, of which `glass` and `can` read a line as typed here.
        line: the bell of the runner."""
        self._world, self._db, self._hs = world, db, homeserver
        self._questions, self.checks, self._line = questions, checks, line
        self._arrivals, self.lookups = arrivals, Lookups()
        self.own = own(self)

    async def moved(self) -> None:
        """A commit may have put something in line."""
        self._line.set()

    def read(self, room: str, content: Json) -> Typed | NotRun | None:
        """What a message in an ops room asks for."""
        names, prefix = Names(self._world, self._world.rooms[room]), self._world.here(room).prefix
        return read.read(content, bot=self._world.me, prefix=prefix, people=names)

    # --- answers

    def answer(self, where: Where, message: Message) -> Handled:
        """A direct answer: a reply to the command."""

        async def commit(tx: Tx) -> None:
            key = f"reply.{where.event_id}"
            await self._world.outbox.put(tx, where.room, key, message, reply_to=where.command)

        return Handled(commit)

    async def refuse(self, where: Where, message: Message) -> Handled | None:
        """An answer for whoever has a role; silence for all others."""
        return self.answer(where, message) if await self.roles(where) else None

    def ask(
        self,
        where: Where,
        question: Message,
        *,
        late: Message,
        reply: Reply | None = None,
        taps: Mapping[str, tuple[str, Tap]] | None = None,
    ) -> Handled:
        """❓ with its buttons. taps: what a key means -> (the emoji, what goes on then)."""
        key = f"reply.{where.event_id}"
        buttons = {meaning: tap for meaning, (_, tap) in (taps or {}).items()}
        now = self._world.now()

        async def commit(tx: Tx) -> None:
            outbox = self._world.outbox
            await outbox.put(tx, where.room, key, question, reply_to=where.command)
            await outbox.buttons(
                tx, where.room, key, [emoji for emoji, _ in (taps or {}).values()]
            )

        async def after() -> None:
            self._questions.ask(Question(where, key, now, late, reply, buttons))

        return Handled(commit, after)

    async def roles(self, where: Where) -> frozenset[str]:
        """What the sender holds in this room now."""
        settings, view = self._world.settings, self._world.rooms.get(where.room)
        if view is None or where.mxid not in view.joined:
            return frozenset()
        power = view.power(where.mxid)
        if settings is None:
            return frozenset({"safe mode"}) if power >= _SAFE_POWER else frozenset()
        if not roles(settings.policy, where.mxid, power):
            return frozenset()  # the database is not asked for just anybody
        lost = await self._db.read(lambda tx: store.distrusted(tx, self._world.now()))
        return roles(settings.policy, where.mxid, power, frozenset(lost))

    async def covered(self, where: Where, word: str) -> bool:
        """Whether a line allows this command to any role that the sender holds. Without one it is
        a no, and nothing that could be looked up would change that."""
        command, settings = find(word), self._world.settings
        if command is None or command.own or settings is None:
            return True
        held, plans = await self.roles(where), settings.policy.plans
        names = (name for name in plans if name.partition(".")[0] == command.name)
        rules = (rule for name in names for rule in plans[name].allow)
        return any(not rule.role or rule.role in held for rule in rules)

    async def understand(self, where: Where, typed: Typed, whose: str = "") -> Invocation:
        """What was typed; the server is asked only for somebody who may use the command at all.
        whose: the account that would use it. Raises NotRun, Missing, AskFirst."""
        user = evolve(where, mxid=UserId(whose)) if whose else where
        look = await self.covered(user, typed.word)
        return await self.checks.understand(where, typed, look=look)

    # --- from words on

    async def take(self, where: Where, typed: Typed, *, mentioned: bool = False) -> Handled | None:
        """A message that looks like a command."""
        held = await self.roles(where)
        if not held:
            return None
        command = find(typed.word)
        if command is None:
            return self._unknown(where, typed, mentioned)
        if self._world.problems and command.name not in ("reload", "status"):
            problems = [(each.line, each.text) for each in self._world.problems]
            return self.answer(where, policy_news.refused_in_safe_mode(problems))
        off = self._arrivals.off(where, self.max_age)
        if off is not None and not (off is Cause.OURS and command.name == "status"):
            return self._missed(where)
        return await self.run(where, typed)

    async def run(self, where: Where, typed: Typed, *, glass: bool = False) -> Handled | None:
        """A command, of whoever has a role: understood, then decided or answered. Of what no line
        covers nothing is looked up."""
        covered = await self.covered(where, typed.word)
        try:
            invocation = await self.checks.understand(where, typed, look=covered)
        except NotRun as no:
            return self.not_run(where, no)
        except Missing as gap:
            return self.missing(where, typed, gap, glass)
        except AskFirst as first:
            if not covered:
                return await self._refuse(where, first.certain, glass)
            return await self._ask_first(where, first, glass)
        if not covered:
            return await self._refuse(where, invocation, glass)
        if COMMANDS[invocation.command].own:
            return await self._own(where, invocation, typed)
        return await self.decide(where, invocation, glass=glass)

    async def _own(self, where: Where, invocation: Invocation, typed: Typed) -> Handled | None:
        try:
            does = await self.own.take(where, invocation, typed)
        except NotRun as no:  # the line that `can` is asked about
            return self.not_run(where, no)
        if isinstance(does, WithoutVotes):
            return await self.run(where, does.typed, glass=True)
        return does

    async def _refuse(self, where: Where, invocation: Invocation, glass: bool) -> Handled:
        """The "not allowed" of what no line covers, made of what was typed."""
        decision = evolve(await self._judged(where, invocation, glass), verdict=Verdict.DENY)
        who = (where.event_id, where.command, where.room, where.mxid)

        async def commit(tx: Tx) -> None:
            desk = Desk.of(self._world, tx, where.room)
            if not await store.known(tx, where.event_id):
                await submit.reject(desk, Ask(*who, invocation, decision))

        return Handled(commit)

    @property
    def max_age(self) -> float:
        return float(self._world.settings.command_max_age if self._world.settings else 300)

    def _missed(self, where: Where) -> Handled:
        """Too old, or dated in the future."""
        said = self._arrivals.refusal(where, self._name(where.mxid), self.max_age)
        answered = self.answer(where, said)

        async def commit(tx: Tx) -> None:
            await answered.commit(tx)
            self._arrivals.told(tx, where, self.max_age)

        return Handled(commit)

    def _name(self, mxid: str) -> str:
        settings = self._world.settings
        return person_of(settings.policy, mxid) if settings else mxid

    def _unknown(self, where: Where, typed: Typed, mentioned: bool) -> Handled | None:
        """Chat, unless it is near a command or meant for the bot."""
        close = near(typed.word)
        if not close:
            message = refusals.no_such_command(self._world.here(where.room), typed.word)
            return self.answer(where, message) if mentioned else None
        best = close[0]
        name = best.name.partition(".")[0]
        # Behind a name there may stand a password: it is not repeated.
        rest = " ".join(typed.words[:1]) if Tag.SECRET in best.tags else typed.rest
        line = f"{name} {rest}".strip()
        here = self._world.here(where.room)
        may_tap = Tag.DESTRUCTIVE not in best.tags or bool(typed.reason)
        if len(close) > 1 or not may_tap:
            names = [each.name for each in close]
            question = questions.near_command(here, typed.word, names, tap=False)
            return self.answer(where, question)
        anew = evolve(typed, word=name)

        async def tap(again: Where) -> Handled | None:
            return await self.take(again, anew)

        return self.ask(
            where,
            questions.near_command(here, typed.word, [line], tap=True),
            late=questions.nothing_came("tap"),
            taps={FIRST: ("1️⃣", tap)},
        )

    def not_run(self, where: Where, no: NotRun) -> Handled:
        """⛔; what may be a password is removed where our power allows."""
        view = self._world.rooms[where.room]
        able = no.redact and view.power(self._world.me) >= view.needed("redact")
        message = refusals.refused(no, removed=able)

        async def commit(tx: Tx) -> None:
            key = f"reply.{where.event_id}"
            await self._world.outbox.put(tx, where.room, key, message, reply_to=where.command)
            if able:
                reason = "may be a password"
                await self._world.outbox.redact(tx, where.room, where.event_id, reason)

        return Handled(commit)

    def missing(self, where: Where, typed: Typed, gap: Missing, glass: bool) -> Handled:
        """Asks for one more value of the line."""

        async def reply(again: Where, words: str) -> Handled | None:
            server = self._world.server
            if gap.param.type is not Type.TEXT and (
                word := is_command(words, server, reason=False)
            ):
                return self.answer(again, questions.a_command(what, word))
            anew = more_of(typed, words)
            return await (self.run(again, anew, glass=True) if glass else self.take(again, anew))

        what = "name" if gap.param.name == "user" else gap.param.name
        late = questions.nothing_came(what)
        return self.ask(where, asking(gap.question), late=late, reply=reply)

    async def _ask_first(self, where: Where, first: AskFirst, glass: bool) -> Handled | None:
        """Only who could run it is asked whether it is meant."""
        if first.bad and not glass:  # more may be found bad, and all is asked in one question
            return await self.decide(where, first.invocation, bad=first.bad)
        if not glass and (await self._judged(where, first.certain, glass)).verdict is Verdict.DENY:
            return self._store(where, Found(first.certain), glass)
        return self.confirm(
            where,
            asking(*first.lines),
            lambda again: self.decide(again, first.invocation, glass=glass),
        )

    def called_off(self, where: Where, question: Question) -> Handled:
        """The asker said no to it: it is over."""
        self._questions.close(question.key)

        async def commit(tx: Tx) -> None:
            outbox, key, to = self._world.outbox, f"reply.{where.event_id}", question.where.command
            await outbox.put(tx, where.room, key, questions.called_off(), reply_to=to)
            await outbox.buttons(tx, where.room, question.key, ())

        return Handled(commit)

    def confirm(self, where: Where, question: Message, go_on: Tap) -> Handled:
        """❓ with ✅."""
        late = questions.nothing_came("tap")
        return self.ask(where, question, late=late, taps={YES: ("✅", go_on)})

    # --- decided and stored

    async def decide(
        self, where: Where, invocation: Invocation, *, glass: bool = False, bad: Bads = ()
    ) -> Handled | None:
        """An understood command: allowed, with votes, or not. bad: what its list has lost."""
        if not glass:
            invocation, more = await self.sift(where, invocation)
            bad = (*bad, *more)
        decision = await self._judged(where, invocation, glass)
        if decision.verdict is Verdict.DENY:
            return self._store(where, Found(invocation), glass)
        found = await self.checks.before(where, invocation, bad)
        return await self._go_on(where, found, glass, decision)

    async def sift(self, where: Where, invocation: Invocation) -> tuple[Invocation, Bads]:
        """A list without what the policy refuses of it, and that."""
        if offered(invocation) is None:
            return invocation, ()
        return await sift(invocation, lambda one: self._judged(where, one, glass=False))

    def _choose(self, where: Where, choice: Choice, glass: bool) -> Handled:
        def tap(meant: Invocation) -> Tap:
            return lambda again: self.decide(again, meant, glass=glass)

        keys = enumerate(zip(questions.KEYS, choice.meant, strict=False), 1)
        taps = {str(number): (key, tap(meant)) for number, (key, meant) in keys}
        return self.ask(where, choice.question, late=questions.nothing_came("tap"), taps=taps)

    async def _go_on(
        self, where: Where, found: Look, glass: bool, decision: Decision | None = None
    ) -> Handled | None:
        """decision: if it was judged just now; what is stored is judged again in its commit."""
        if isinstance(found, Refusal):
            return self.answer(where, found.message)
        if isinstance(found, Choice):
            return self._choose(where, found, glass)
        if found.question is not None:
            confirmed = evolve(found, question=None)

            async def tap(again: Where) -> Handled | None:
                await self.checks.confirmed(found.invocation)
                return await self._go_on(again, confirmed, glass)

            return self.confirm(where, found.question, tap)
        invocation = found.invocation
        decision = decision or await self._judged(where, invocation, glass)
        if (decision.reason or glass) and not invocation.reason:
            return self._why(where, found, glass, votes=bool(decision.slots))
        if (earlier := await self._just_now(where, invocation)) is not None:
            ended = earlier.state is State.DONE
            seconds = self._world.now() - earlier.created
            question = questions.again(earlier.id, seconds, ended=ended)

            async def repeat(again: Where) -> Handled | None:
                return self._store(again, found, glass)

            return self.confirm(where, question, repeat)
        return self._store(where, found, glass)

    async def _just_now(self, where: Where, invocation: Invocation) -> Request | None:
        """The same by the same person within a minute, if a repeat would do harm: the second new
        password makes the first worthless, which may have been passed on by then."""
        if Tag.SECRET not in COMMANDS[invocation.command].tags:
            return None
        policy, since = self._world.live.policy, self._world.now() - _AGAIN
        mxids, wanted = mxids_of(policy, person_of(policy, where.mxid)), store.digest(invocation)
        return await self._db.read(lambda tx: store.same_since(tx, wanted, mxids, since))

    async def _judged(self, where: Where, what: Invocation, glass: bool) -> Decision:
        return await self._db.read(lambda tx: self._judge(tx, where, what, glass))

    async def _judge(self, tx: Tx, where: Where, what: Invocation, glass: bool) -> Decision:
        desk = Desk.of(self._world, tx, where.room)
        return await judge(desk, what, where.room, where.mxid, glass=glass)

    def _why(self, where: Where, found: Found, glass: bool, *, votes: bool) -> Handled:
        async def reply(again: Where, words: str) -> Handled | None:
            if word := is_command(words, self._world.server, reason=True):
                return self.answer(again, questions.a_command("reason", word))
            reason = without_label(" ".join(words.split()))
            if size(reason) > MAX_BYTES:
                most = f"the reason is {size(reason)} bytes long, {MAX_BYTES} is the most."
                return self.not_run(again, NotRun((most,)))
            given = evolve(found, invocation=evolve(found.invocation, reason=reason))
            return await self._go_on(again, given, glass)

        late = questions.nothing_came("reason")
        return self.ask(where, questions.why(votes=votes), late=late, reply=reply)

    def _store(self, where: Where, found: Found, glass: bool) -> Handled:
        """The request, or the stored "not allowed"."""

        async def commit(tx: Tx) -> None:
            await self._submit(tx, where, found, glass)

        return Handled(commit, self.moved)

    async def _submit(self, tx: Tx, where: Where, found: Found, glass: bool) -> Request | None:
        desk = Desk.of(self._world, tx, where.room)
        decision = await self._judge(tx, where, found.invocation, glass)
        asked = Ask(
            where.event_id,
            where.command,
            where.room,
            where.mxid,
            found.invocation,
            decision,
            found.facts,
        )
        if found.reopens:
            tx.after(lambda: self._world.reopens(where.event_id))
        if glass:
            return await measures.break_glass(desk, asked)
        return await submit.submit(desk, asked)

    async def in_clear(self, where: Where, content: Json) -> Handled | None:
        """A message in clear in an encrypted room: whoever sent it is not who they seem."""
        typed = self.read(where.room, content)
        if typed is None or (not isinstance(typed, NotRun) and find(typed.word) is None):
            return None
        return await self.refuse(where, refusals.not_encrypted())


def more_of(typed: Typed, words: str) -> Typed:
    """The line with these words behind it."""
    more = read.read_line(f"{typed.word} {words}")
    return evolve(
        typed,
        words=(*typed.words, *more.words),
        rest=f"{typed.rest} {more.rest}".strip(),
        lines=(*typed.lines, *more.lines),
        reason=typed.reason or more.reason,
    )
