"""Sluice's own commands: one row each. What reads is in `asked`, `log` and `status`; here is what
does something: votes, taking back, resolving, pause, break-glass, trust, reload, the next page.

None of them is a request and none reaches Conduit, except the line that `glass` holds.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from attrs import evolve

from ..catalog.table import COMMANDS, find
from ..chat.results import result
from ..db.connection import Database, Tx
from ..looks.questions import Tap, Where
from ..matrix.model import Handled
from ..model.command import Invocation, Kind, Outcome, Typed
from ..model.request import Cause, Request, Side, State
from ..model.request import How as Cast
from ..model.result import Ending, How
from ..model.result import Part as Ended
from ..policy.people import may_change, mxids_of
from ..requests import measures, reweigh, store, voting
from ..requests.desk import Desk
from ..requests.standing import undo_needs_votes, weigh
from ..requests.submit import Ask, not_for
from ..requests.voting import Cast as Vote
from ..running.views import Lists
from ..state import World
from ..text import pages
from ..text.message import Message, code
from ..text.pages import Pages
from ..text.phrases import ask as asking
from ..text.phrases import marked, not_run, view
from ..typed.parse import AskFirst, Missing, NotRun
from ..typed.read import read_line
from .call import Asking, person_meant
from .log import Log
from .rights import Answers
from .status import Status

_NAMES = 40  # on one page of a list
Step = Callable[[Asking], Awaitable["Handled | None"]]


class Lines(Protocol):
    """What `glass` needs to run the line that it holds (`Commands`)."""

    async def refuse_early(
        self, where: Where, typed: Typed, *, glass: bool = False
    ) -> Handled | None: ...

    async def understand(self, where: Where, typed: Typed) -> Invocation: ...

    async def decide(
        self, where: Where, invocation: Invocation, *, glass: bool = False
    ) -> Handled | None: ...

    def not_run(self, where: Where, no: NotRun) -> Handled: ...

    def missing(
        self, where: Where, typed: Typed, gap: Missing, go_on: object = None
    ) -> Handled: ...

    def confirm(self, where: Where, question: Message, go_on: Tap) -> Handled: ...

    async def moved(self) -> None: ...


class Own:
    """reload: reads the policy again; the first error, None if it is live now."""

    def __init__(
        self,
        world: World,
        db: Database,
        commands: Lines,
        lists: Lists,
        answers: Answers,
        log: Log,
        status: Status,
        reload: Callable[[], Awaitable[str | None]],
    ) -> None:
        self._world, self._db, self._commands, self._lists = world, db, commands, lists
        self._reload_policy = reload
        self._rows: Mapping[str, Step] = {
            "who": answers.who,
            "help": answers.help,
            "can": answers.can,
            "why": answers.why,
            "policy": answers.policy,
            "version": answers.version,
            "log": log.take,
            "status": status.take,
            "pending": self._pending,
            "approve": self._vote,
            "deny": self._vote,
            "cancel": self._cancel,
            "resolve": self._resolve,
            "more": self._more,
            "pause": self._pause,
            "resume": self._resume,
            "trust": self._trust,
            "reload": self._reload,
            "glass": self._glass,
        }

    async def take(self, where: Where, invocation: Invocation, typed: Typed) -> Handled | None:
        """Nobody without a role gets here."""
        row = self._rows[invocation.command]
        return await row(Asking(self._world, where, invocation, typed))

    # --- requests of others

    async def _pending(self, a: Asking) -> Handled | None:
        return a.answer(lambda desk, ask: reweigh.pending(desk, ask.mxid))

    async def _vote(self, a: Asking) -> Handled | None:
        side = Side.APPROVE if a.invocation.command == "approve" else Side.DENY
        why = a.text("why")
        why = why[len("reason") :].lstrip(" :") if why.lower().startswith("reason ") else why

        async def build(desk: Desk, ask: Ask) -> None:
            cast = Vote(
                event_id=ask.event_id,
                room=ask.room,
                request=a.number() or 0,
                mxid=ask.mxid,
                side=side,
                how=Cast.COMMAND,
                reason=why,
                message=ask.command,
            )
            await voting.vote(desk, cast)

        return a.answer(build, self._commands.moved)

    async def _cancel(self, a: Asking) -> Handled | None:
        async def build(desk: Desk, ask: Ask) -> None:
            await voting.cancel(desk, ask, a.number() or 0)

        return a.answer(build, self._commands.moved)

    async def _resolve(self, a: Asking) -> Handled | None:
        kind = Kind.DONE if a.invocation.get("end") == "done" else Kind.FAILED

        async def build(desk: Desk, ask: Ask) -> None:
            number = a.number() or 0
            request = await store.get(desk.tx, number)
            message = view("resolve answers by itself")
            if request is not None and request.state is State.UNKNOWN:
                message = await self._resolved(desk, request, kind, desk.name(ask.mxid))
            await voting.resolve(desk, ask, number, kind, message)

        return a.answer(build, self._commands.moved)

    async def _resolved(self, desk: Desk, request: Request, kind: Kind, by: str) -> Message:
        """The result as it would have been, with whose word it is."""
        rows = await store.lines(desk.tx, request.id)
        said = Outcome(kind, "said")
        parts = []
        for line, row in zip(self._world.planned(request.invocation), rows, strict=False):
            known = row.outcome if row.outcome and row.outcome.kind is not Kind.UNKNOWN else None
            parts.append(Ended(line.items, known or said))
        ending = Ending(
            request=request.id,
            person=request.person,
            mxid=request.mxid,
            line=request.text,
            voted=bool(request.slots) and not request.glass,
            approved=request.approved,
            glass=request.glass,
            how=How.SAID,
            by=by,
            at=desk.now,
            undo_needs_votes=await undo_needs_votes(desk, request),
        )
        return result(desk.here, ending, request.invocation, parts)

    # --- lists

    async def _more(self, a: Asking) -> Handled | None:
        number = a.number()

        async def build(desk: Desk, ask: Ask) -> Message | None:
            if number is not None:
                found = await self._list_of(desk, ask, number)
            else:
                found = self._lists.get(ask.room, ask.mxid, desk.now) or pages.nothing_more(
                    desk.here
                )
            if not isinstance(found, Pages):
                return found
            message, left = pages.more(desk.here, found)
            self._lists.after(desk.tx, ask.room, ask.mxid, left, desk.now)
            return message

        return a.answer(build)

    async def _list_of(self, desk: Desk, ask: Ask, number: int) -> Pages | Message | None:
        """The frozen list of a request, for who asked, who may vote, and who may read the log."""
        request = await voting.known(desk, number, ask.room, ask.event_id)
        if request is None:
            return None
        votes = (await weigh(desk, request)).votes
        held = await desk.roles(ask.room, ask.mxid)
        cause = votes.cause(ask.mxid, request.mxid)
        if cause not in (Cause.NONE, Cause.OWN) and not may_change(desk.policy, held):
            able = dict.fromkeys(
                (request.person, *(name for need in votes.standing.needs for name in need.names))
            )
            because = f"the list of #{number} is for who asked, or who may vote"
            await not_for(desk, ask, because, tuple(able))
            return None
        command = COMMANDS[request.invocation.command]
        many = next((param.name for param in command.params if param.many), "")
        values = request.invocation.values(many)
        if len(values) < 2:
            return view((f"#{number} has no list: ", code(request.text)))
        inline = all(value.startswith("@") for value in values)
        rows = tuple((code(desk.here.local(value)),) for value in values)
        head = (f"#{number} {command.name}, {{}} of {len(values)}:",)
        return Pages(head, rows, _NAMES if inline else 8, inline=inline)

    # --- strong measures

    async def _pause(self, a: Asking) -> Handled | None:
        async def build(desk: Desk, ask: Ask) -> None:
            await measures.pause(desk, ask, a.text("why"))

        return a.answer(build)

    async def _resume(self, a: Asking) -> Handled | None:
        async def build(desk: Desk, ask: Ask) -> None:
            await measures.resume(desk, ask)

        return a.answer(build, self._commands.moved)

    async def _trust(self, a: Asking) -> Handled | None:
        async def build(desk: Desk, ask: Ask) -> None:
            who = person_meant(desk.policy, a.text("person"))
            mxids, doubted = mxids_of(desk.policy, who), await desk.distrusted()
            mxid = next((each for each in mxids if each in doubted), mxids[0])
            await measures.trust(desk, ask, mxid)

        return a.answer(build)

    async def _reload(self, a: Asking) -> Handled | None:
        """In safe mode by anybody who is answered at all: nobody may have a role then."""
        if not self._world.problems and not await a.allowed(self._db):
            return a.refuse()
        problem, where = await self._reload_policy(), a.where

        async def commit(tx: Tx) -> None:
            outbox = self._world.outbox
            if problem is None:
                await outbox.react(tx, where.room, where.event_id, "✅")
            elif where.room != self._world.main_room:  # there it is told already
                said = not_run(("Not run: ", *marked(problem)))
                key = f"reply.{where.event_id}"
                await outbox.put(tx, where.room, key, said, reply_to=where.command)

        return Handled(commit, self._commands.moved)

    # --- break-glass

    async def _glass(self, a: Asking) -> Handled | None:
        prefix = self._world.here(a.where.room).prefix
        typed = read_line(str(a.invocation.get("line")), prefix=prefix)
        return await self._break(a, a.where, evolve(typed, reply_to=a.typed.reply_to))

    async def _break(self, a: Asking, where: Where, typed: Typed) -> Handled | None:
        """The line inside, with the same questions as without break-glass."""
        here = self._world.here(where.room)
        command = find(typed.word)
        if command is None or command.own:
            word = (code(typed.word or "?"), " is no command of the server.")
            example = ("Like this: ", here.cmd(COMMANDS["glass"].example))
            return a.say(not_run(("Not run: ", *word), example))

        async def go_on(again: Where, completed: Typed) -> Handled | None:
            return await self._break(a, again, completed)

        if (no_line := await self._commands.refuse_early(where, typed, glass=True)) is not None:
            return no_line
        try:
            inner = await self._commands.understand(where, typed)
        except NotRun as no:
            return self._commands.not_run(where, no)
        except Missing as gap:
            return self._commands.missing(where, typed, gap, go_on)
        except AskFirst as first:
            meant = first.invocation

            async def tapped(again: Where) -> Handled | None:
                return await self._commands.decide(again, meant, glass=True)

            return self._commands.confirm(where, asking(*first.lines), tapped)
        return await self._commands.decide(where, inner, glass=True)
