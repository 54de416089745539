"""The way of one command: from typed words to a stored request, an answer or a question.

is it covered by any line at all -> understand (may ask the server what an address means) ->
decide -> look whether it can work -> ask what is missing -> store. Each step may end it with an
answer; nothing reaches Conduit here.
"""

from __future__ import annotations

import asyncio
from functools import partial

from attrs import evolve

from ..catalog.params import REQUEST
from ..catalog.record import Command, Guessed, OwnCommand
from ..catalog.table import COMMANDS, find
from ..catalog.words import TYPED, UNDOES
from ..chat import headline, policy_news, questions, refusals
from ..chat.explained import explained
from ..chat.undo import takes_back
from ..db.connection import Database, Tx
from ..looks.ages import older
from ..looks.authority import Authority
from ..looks.found import Choice, Look, Passed, Refusal
from ..looks.lookups import Full, Lookups, Work
from ..looks.mixed import Bads, sift
from ..looks.names import called
from ..looks.preflight import Preflight
from ..looks.reading import Reading
from ..matrix.model import Handled, Later, rings
from ..model.command import Invocation, Manner, Right, Tag, Type, Typed
from ..model.decision import Decision, Verdict
from ..model.event import Json
from ..model.ids import EventId
from ..model.origin import Origin
from ..model.request import Request, State
from ..own.measures import WithoutVotes
from ..own.table import Own
from ..policy.access import by_tap, can_be_tapped, demand_of
from ..policy.people import mxids_of, person_of
from ..requests import measures, store, submit
from ..requests.desk import Desks
from ..requests.standing import judge
from ..requests.submit import QUEUED_A_PERSON, Ask
from ..state import Live, Reopenings, Rooms
from ..text.message import Code, Message, Topic, one_line
from ..text.phrases import Here
from ..text.phrases import ask as asking
from ..typed import read
from ..typed.consent import Sense, meant
from ..typed.lists import without_pointing
from ..typed.meaning import Meaning, begun, is_sentence, is_talk, meaning
from ..typed.parse import AskFirst, Missing, NotRun, canonical, typed_password
from .arrival import Arrivals, Cause
from .dialog import Dialog, GoOn

_AGAIN = 60.0  # seconds in which the same command is a message that was sent twice


class Intake:
    def __init__(
        self,
        live: Live,
        rooms: Rooms,
        desk: Desks,
        db: Database,
        authority: Authority,
        reading: Reading,
        preflight: Preflight,
        dialog: Dialog,
        arrivals: Arrivals,
        own: Own,
        reopenings: Reopenings,
        line: asyncio.Event,
    ) -> None:
        """line: the bell of the runner."""
        self._live, self._rooms, self._desk = live, rooms, desk
        self._db, self._authority = db, authority
        self._reading, self._preflight, self._dialog = reading, preflight, dialog
        self._arrivals, self._own, self.lookups = arrivals, own, Lookups()
        self._reopenings = reopenings
        self.moved = rings(line)  # after a commit that may have put something in line

    def read(self, room: str, content: Json) -> Typed | NotRun | None:
        """What a message in an ops room asks for."""
        people, prefix = (
            called(self._live, self._rooms.views[room]),
            self._rooms.here(room).prefix,
        )
        return read.read(content, bot=self._live.me, prefix=prefix, people=people)

    async def refuse(self, origin: Origin, message: Message) -> Handled | None:
        """An answer for whoever has a role; silence for all others."""
        heard = await self._authority.roles(origin)
        return self._dialog.answer(origin, message) if heard else None

    async def looked_up(self, origin: Origin, work: Work) -> Handled | Later | None:
        """What may have to ask the server: beside this room's other events, if it takes long."""
        try:
            return await self.lookups.run(self._authority.name(origin.mxid), origin, work)
        except Full:
            return self._dialog.answer(origin, refusals.too_many_at_once(QUEUED_A_PERSON))

    # --- from words on

    async def take(
        self, origin: Origin, typed: Typed, *, named: bool = False, shared: bool = False
    ) -> Handled | None:
        """A message that looks like a command. shared: another bot speaks here, so that words
        which are not ours may be for it, if ours is not named in them."""
        if not await self._authority.roles(origin):
            return None
        found = meaning(typed)
        if found.command is None or (found.typed.said and typed.manner is not Manner.COMMAND):
            theirs = shared and not named and not found.ours
            return None if theirs else self._no_command(origin, typed, found)
        stops = isinstance(found.command, OwnCommand) and found.command.stops
        if shared and not found.ours and not named and not stops:
            return None
        here, command = self._rooms.here(origin.room), found.command
        said = headline.of_line(here, found.typed, secret=command.secret)
        is_line = origin.event_id == origin.command
        if (refused := self._not_now(origin, command, said, is_line=is_line)) is not None:
            return refused
        return await self.run(origin, found.typed)

    async def tapped(self, origin: Origin, what: Invocation) -> Handled | None:
        """What a button below a message of ours stands for: as if whoever taps had typed it."""
        command = COMMANDS[what.command]
        if not await self._authority.roles(origin):
            return None
        said = headline.typed(self._rooms.here(origin.room), what)
        if (refused := self._not_now(origin, command, said, is_line=False)) is not None:
            return refused
        return await self._understood(origin, what, Typed(command.typed), glass=False)

    def _not_now(
        self, origin: Origin, command: Command, said: Code, *, is_line: bool
    ) -> Handled | None:
        """In safe mode, or when it is too old or dated in the future. is_line: it stands in the
        room as it is, so that it can be read anew."""
        if self._live.problems and command.name not in ("reload", "status"):
            problems = [(each.line, each.text) for each in self._live.problems]
            return self._dialog.answer(origin, policy_news.refused_in_safe_mode(problems))
        off = self._arrivals.off(origin, self.max_age)
        if off is None or (off is Cause.OURS and command.name == "status"):
            return None
        again = is_line and can_be_tapped(self._live.in_force.policy, command)
        return self._missed(origin, said, again=again)

    def offer(self, origin: Origin, typed: Typed, at: float | None) -> Handled | None:
        """Chat that became a command by an edit: nobody looks at an old message, so it is asked
        whether to run it. None where that needs no question. at: when it was chat."""
        command = find(typed.word)
        if command is None or self._live.settings is None:
            return None
        if isinstance(command, OwnCommand) and command.stops:
            return None
        here = self._rooms.here(origin.room)
        if (hidden := self._typed_password(origin, typed)) is not None:
            return hidden
        if not self.is_young(at) or not self._may_tap(command):
            return self._dialog.answer(origin, refusals.no_command_by_edit())
        question = questions.run_edited(here, typed, secret=command.secret)
        return self._dialog.confirm(origin, question, partial(self.take, typed=typed))

    def is_young(self, at: float | None) -> bool:
        """Whether what was written then is still before everybody's eyes."""
        return at is not None and abs(self._live.now() - at) <= self.max_age

    def _may_guess(self, command: Command) -> bool:
        """Whether a tap is enough for whom it is about to be read from somebody else's message."""
        grave = command.tags & {Tag.DESTRUCTIVE, Tag.SECRET}
        return not grave or bool(demand_of(self._live.in_force.policy, command.name).slots)

    def _may_tap(self, command: Command, *, glass: bool = False) -> bool:
        return by_tap(self._live.in_force.policy, command, glass=glass)

    async def run(self, origin: Origin, typed: Typed, *, glass: bool = False) -> Handled | None:
        """A command, of whoever has a role: understood, then decided or answered. Of what no line
        covers nothing is looked up."""
        covered = await self._authority.covers(origin, typed.word)
        try:
            invocation = await self._reading.understand(origin, typed, look=covered)
        except NotRun as no:
            return await self._not_understood(origin, typed, no)
        except (Missing, AskFirst) as unclear:
            return await self._unclear(origin, typed, unclear, covered, glass)
        if not covered:
            return await self._refuse(origin, invocation, glass)
        if not self._runs(typed, invocation):
            return await self._offered(origin, typed, invocation)
        return await self._understood(origin, invocation, typed, glass)

    async def _understood(
        self, origin: Origin, what: Invocation, typed: Typed, glass: bool
    ) -> Handled | None:
        """What the server does is decided on, all else answered."""
        if COMMANDS[what.command].own:
            return await self._answered(origin, what, typed)
        return await self._decide(origin, what, glass=glass)

    async def _unclear(
        self, origin: Origin, typed: Typed, unclear: Missing | AskFirst, covered: bool, glass: bool
    ) -> Handled | None:
        """One thing is missing, or must be confirmed."""
        command = find(typed.word)
        asks_all = isinstance(unclear, AskFirst) and unclear.whole
        is_sure = typed.is_sure or (asks_all and typed.manner is Manner.COMMAND)
        if not is_sure and command and command.guessed is not Guessed.RUNS:
            return self._named(origin, typed)
        if isinstance(unclear, Missing):
            go_on: GoOn = partial(self.run, glass=True) if glass else self.take
            gap = await self._with_open(origin, typed, unclear)
            return self._dialog.missing(origin, typed, gap, go_on)
        if not covered:
            return await self._refuse(origin, unclear.certain, glass)
        return await self._ask_first(origin, unclear, typed, glass)

    async def _with_open(self, origin: Origin, typed: Typed, gap: Missing) -> Missing:
        """Where a request is missing and one alone is open in this room, it is named."""
        if gap.param is not REQUEST:
            return gap
        pending = await self._db.read(lambda tx: store.in_state(tx, State.PENDING))
        numbers = [request.id for request in pending if request.room == origin.room]
        if len(numbers) != 1:
            return gap
        here, line = self._rooms.here(origin.room), f"{typed.word} {numbers[0]}"
        return Missing(gap.param, questions.one_open(here, gap.question, line))

    async def _answered(
        self, origin: Origin, invocation: Invocation, typed: Typed
    ) -> Handled | None:
        try:
            does = await self._own.take(origin, invocation, typed)
        except NotRun as no:  # the line that `can` is asked about
            return self._dialog.not_run(origin, no)
        if isinstance(does, WithoutVotes):
            return await self.run(origin, does.typed, glass=True)
        return does

    async def _refuse(self, origin: Origin, invocation: Invocation, glass: bool) -> Handled:
        """The "not allowed" of what no line covers, made of what was typed."""
        judged = await self._authority.judge(origin, invocation, glass=glass)
        decision = evolve(judged, verdict=Verdict.DENY)
        who = (origin.event_id, origin.command, origin.room, origin.mxid)

        async def commit(tx: Tx) -> None:
            desk = self._desk(tx, origin.room)
            if not await store.known(tx, origin.event_id):
                await submit.reject(desk, Ask(*who, invocation, decision))

        return Handled(commit)

    @property
    def max_age(self) -> float:
        return float(self._live.settings.command_max_age if self._live.settings else 300)

    def _missed(self, origin: Origin, what: Code, *, again: bool) -> Handled:
        """Too old, or dated in the future."""
        who = self._authority.name(origin.mxid)
        missed = refusals.Missed((what,), who, origin.mxid, origin.at, again)
        said = self._arrivals.refusal(origin, missed, self.max_age)
        answered = self._dialog.answer(origin, said)

        async def commit(tx: Tx) -> None:
            await answered.commit(tx)
            self._arrivals.told(tx, origin, self.max_age)

        return Handled(commit)

    # --- what was not typed as it is called, or may not have been meant

    def _no_command(self, origin: Origin, typed: Typed, found: Meaning) -> Handled | None:
        """Explained, or said to be nothing: in full once a day."""
        here = self._rooms.here(origin.room)
        if typed.manner is Manner.SHOWN:
            return None
        if typed.manner is Manner.SAID:
            return self._sentence(origin, typed)
        if found.says:
            return self._dialog.answer(origin, explained(here, found.says, found.typed))
        if found.near:
            question = questions.near_command(here, typed.word, found.near, tap=False)
            return self._dialog.answer(origin, question)
        message = refusals.no_such_command(here, typed.word)
        return self._dialog.once(origin, f"no command.{origin.room}.{typed.word}", message)

    async def below(self, origin: Origin, target: EventId, words: str) -> Handled | None:
        """Words to a message of ours that begin like a command: it is named, in full once a
        person, message and word."""
        found = begun(words)
        if found is None or not await self._authority.roles(origin):
            return None
        about = await self._reading.about(origin.room, target)
        if about is None:
            return None
        if (message := await self._next(origin, found, about)) is None:
            return None
        word = found.typed.said or found.typed.word
        return self._dialog.once(origin, f"below.{target}.{origin.mxid}.{word}", message)

    async def _next(self, origin: Origin, found: Meaning, about: Topic) -> Message | None:
        """What to type for what was begun, None where it is talk. about: what the answered message
        is about."""
        here, typed, command = self._rooms.here(origin.room), found.typed, found.command
        if command is None and typed.said in UNDOES and (back := await self._undo(here, about)):
            return back
        names = command is None or command.has(Type.USER)
        only = about.accounts if names and len(about.accounts) == 1 else ()
        named = without_pointing(typed.words) if only else None
        if only and named is not None:
            typed = evolve(typed, words=(here.local(only[0]), *named))
        if command is None:
            return explained(here, found.says, typed)
        if is_talk(command, typed, here.server, named=named is not None):
            return None
        if command.of_request and not typed.words:
            typed = evolve(typed, words=tuple(map(str, about.requests[:1])))
        reason = f" reason {typed.reason}" if typed.reason else ""
        words = () if command.secret else typed.words
        line = " ".join((typed.word, *words)) + ("" if command.secret else reason)
        return questions.without_prefix(here, one_line(line, 60))

    async def _undo(self, here: Here, about: Topic) -> Message | None:
        """How to take back what a message is about, if that is one request which is done."""
        if len(about.requests) != 1:
            return None
        request = await self._db.read(lambda tx: store.get(tx, about.requests[0]))
        if request is None or request.state is not State.DONE:
            return None
        return questions.undone_by(takes_back(here, request.invocation, start="To undo it"))

    def _sentence(self, origin: Origin, typed: Typed) -> Handled | None:
        """Something that was said to the bot, and is no command. Courtesy has no answer."""
        if meant(f"{typed.word} {typed.rest}").sense is Sense.THANKS:
            return None
        message = refusals.no_sentences(self._rooms.here(origin.room))
        return self._dialog.once(origin, f"sentence.{origin.room}", message)

    async def _not_understood(self, origin: Origin, typed: Typed, no: NotRun) -> Handled | None:
        """What may be a password is answered wherever it stands; code and quotes are talk."""
        if no.redact or typed.manner in (Manner.COMMAND, Manner.CAPTION):
            return self._dialog.not_run(origin, no)
        return self._sentence(origin, typed) if typed.manner is Manner.SAID else None

    def _named(self, origin: Origin, typed: Typed) -> Handled | None:
        """The command that was meant is named, for whoever means it to type it."""
        if typed.manner is Manner.SAID:
            return self._sentence(origin, typed)
        here = self._rooms.here(origin.room)
        if typed.said:
            name = typed.word
            question = questions.near_command(here, typed.said, [name], tap=False)
        else:
            question = questions.type_it(here, typed.word)
        return self._dialog.answer(origin, question)

    async def _offered(self, origin: Origin, typed: Typed, what: Invocation) -> Handled | None:
        """Asked with a tap, on what was understood now, if a tap may run it."""
        command, here = COMMANDS[what.command], self._rooms.here(origin.room)
        if command.guessed is Guessed.TYPED:
            return self._dialog.answer(origin, explained(here, TYPED[command.name], typed))
        if typed.manner is Manner.SAID and is_sentence(what):
            return self._sentence(origin, typed)
        if not command.own and (await self._authority.judge(origin, what)).verdict is Verdict.DENY:
            return self._store(origin, Passed(what), glass=False)
        hard = Tag.DESTRUCTIVE in command.tags
        is_vote = command.right is Right.REQUEST
        able = (self._may_tap(command) or not hard) and not is_vote
        if not able or (hard and typed.said and not what.reason):
            return self._named(origin, typed)
        go_on = partial(self._understood, what=what, typed=typed, glass=False)
        shown = questions.shown(what, self._live.server)
        if typed.said:
            question = questions.near_command(here, typed.said, [shown], tap=True)
            return self._dialog.choose(origin, question, [go_on])
        question = questions.was_it_meant(here, shown, typed.manner)
        return self._dialog.confirm(origin, question, go_on)

    def _runs(self, typed: Typed, what: Invocation) -> bool:
        """Whether it runs without a question: it is sure, or only reads, or is a no. What stands
        in a caption or in a quote is no vote, and a sentence is no command."""
        command = COMMANDS[what.command]
        if typed.is_sure:
            return True
        if typed.manner is Manner.SAID and is_sentence(what):
            return False
        aside = typed.manner in (Manner.CAPTION, Manner.SHOWN) and command.right is Right.REQUEST
        return command.guessed is Guessed.RUNS and not aside

    def _typed_password(self, origin: Origin, typed: Typed) -> Handled | None:
        """The answer to a password, before a tap could be asked for: only what was typed itself
        can be removed."""
        here = self._rooms.here(origin.room)
        no = typed_password(typed, server=here.server, prefix=here.prefix)
        return self._dialog.not_run(origin, no) if no is not None else None

    async def _ask_first(
        self, origin: Origin, first: AskFirst, typed: Typed, glass: bool
    ) -> Handled | None:
        """Only who could run it is asked whether it is meant."""
        command = COMMANDS[first.invocation.command]
        here = self._rooms.here(origin.room)
        if first.guessed and (glass or not self._may_guess(command)):
            line = canonical(first.certain, here.server)
            return self._dialog.answer(origin, questions.type_whom(here, line))
        if not (first.bad or self._may_tap(command, glass=glass)):
            if first.instead is not None:
                return self._dialog.not_run(origin, first.instead)
            return self._dialog.answer(origin, questions.no_tap(command.name))
        if not (command.own or glass):
            if first.bad:  # more may be found bad, and all is asked in one question
                return await self._decide(origin, first.invocation, bad=first.bad)
            if (await self._authority.judge(origin, first.certain)).verdict is Verdict.DENY:
                return self._store(origin, Passed(first.certain), glass)
        go_on = partial(self._understood, what=first.invocation, typed=typed, glass=glass)
        return self._dialog.confirm(origin, asking(*first.lines), go_on)

    # --- decided and stored

    async def _decide(
        self, origin: Origin, invocation: Invocation, *, glass: bool = False, bad: Bads = ()
    ) -> Handled | None:
        """An understood command: allowed, with votes, or not. bad: what its list has lost."""
        if not glass:
            judge_one = partial(self._authority.judge, origin)
            invocation, more = await sift(invocation, judge_one)
            bad = (*bad, *more)
        decision = await self._authority.judge(origin, invocation, glass=glass)
        if decision.verdict is Verdict.DENY:
            return self._store(origin, Passed(invocation), glass)
        found = await self._preflight.before(origin, invocation, bad)
        return await self._go_on(origin, found, glass, decision)

    async def _go_on(
        self, origin: Origin, found: Look, glass: bool, decision: Decision | None = None
    ) -> Handled | None:
        """decision: if it was judged just now; what is stored is judged again in its commit."""
        if isinstance(found, Refusal):
            return self._dialog.answer(origin, found.message)
        if isinstance(found, Choice):
            goes = [partial(self._decide, invocation=m, glass=glass) for m in found.meant]
            return self._dialog.choose(origin, found.question, goes)
        if found.question is not None:
            confirmed = partial(self._confirmed, found=evolve(found, question=None), glass=glass)
            return self._dialog.confirm(origin, found.question, confirmed)
        invocation = found.invocation
        decision = decision or await self._authority.judge(origin, invocation, glass=glass)
        if (decision.reason or glass) and not invocation.reason:
            return self._why(origin, found, glass, votes=bool(decision.slots))
        if (earlier := await self._just_now(origin, invocation)) is not None:
            seconds = self._live.now() - earlier.created
            question = questions.again(earlier.id, seconds, ended=earlier.state is State.DONE)
            repeat = partial(self._repeated, found=found, glass=glass)
            return self._dialog.confirm(origin, question, repeat)
        return self._store(origin, found, glass)

    async def _confirmed(self, origin: Origin, found: Passed, glass: bool) -> Handled | None:
        await self._preflight.confirmed(found.invocation)
        return await self._go_on(origin, found, glass)

    async def _repeated(self, origin: Origin, found: Passed, glass: bool) -> Handled:
        return self._store(origin, found, glass)

    def _why(self, origin: Origin, found: Passed, glass: bool, *, votes: bool) -> Handled:
        async def go_on(again: Origin, reason: str) -> Handled | None:
            given = evolve(found, invocation=evolve(found.invocation, reason=reason))
            return await self._go_on(again, given, glass)

        secret = Tag.SECRET in COMMANDS[found.invocation.command].tags
        return self._dialog.why(origin, go_on, votes=votes, secret=secret)

    async def _just_now(self, origin: Origin, invocation: Invocation) -> Request | None:
        """The same by the same person within a minute, if a repeat would do harm: the second new
        password makes the first worthless, which may have been passed on by then."""
        if Tag.SECRET not in COMMANDS[invocation.command].tags:
            return None
        policy, since = self._live.in_force.policy, self._live.now() - _AGAIN
        mxids, wanted = mxids_of(policy, person_of(policy, origin.mxid)), store.digest(invocation)
        return await self._db.read(lambda tx: store.same_since(tx, wanted, mxids, since))

    def _store(self, origin: Origin, found: Passed, glass: bool) -> Handled:
        """The request, or the stored "not allowed"."""

        async def commit(tx: Tx) -> None:
            desk, what = self._desk(tx, origin.room), found.invocation
            decision = await judge(desk, what, origin.room, origin.mxid, glass=glass)
            whose = (origin.event_id, origin.command, origin.room, origin.mxid)
            asked = Ask(*whose, what, decision, found.facts, await older(tx, what))
            if found.reopens:
                tx.after(lambda: self._reopenings.add(origin.event_id))
            await (measures.break_glass(desk, asked) if glass else submit.submit(desk, asked))

        return Handled(commit, self.moved)

    async def plain(self, origin: Origin, typed: Typed) -> Passed | None:
        """What can be stored as it is; None for whatever must be answered or asked first."""
        command = find(typed.word)
        if command is None or command.own or not typed.is_sure:
            return None
        try:
            what = await self._reading.understand(origin, typed)
        except (NotRun, Missing, AskFirst):
            return None
        if (await sift(what, partial(self._authority.judge, origin)))[1]:
            return None
        decision = await self._authority.judge(origin, what)
        found = await self._preflight.before(origin, what)
        if decision.verdict is Verdict.DENY:
            return found if isinstance(found, Passed) else Passed(what)
        asks = decision.reason and not what.reason
        whole = isinstance(found, Passed) and found.question is None and not asks
        return found if isinstance(found, Passed) and whole else None

    async def in_clear(self, origin: Origin, content: Json) -> Handled | None:
        """A message in clear in an encrypted room: whoever sent it is not who they seem."""
        typed = self.read(origin.room, content)
        if typed is None or (not isinstance(typed, NotRun) and find(typed.word) is None):
            return None
        return await self.refuse(origin, refusals.not_encrypted())
