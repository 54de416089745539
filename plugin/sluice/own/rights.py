"""What people ask about rights, requests and accounts: `help`, `can`, `why`, `who`, `policy`,
`version`. Nothing here changes anything."""

from __future__ import annotations

from typing import Protocol

from attrs import evolve

from .. import audit
from ..catalog.table import COMMANDS, find
from ..chat import answers, help, lists
from ..chat.policy_news import roles_line
from ..db.connection import Database, Tx
from ..looks.questions import Where
from ..matrix.api import Homeserver, MatrixError
from ..matrix.model import Handled
from ..matrix.probes import Account, Name, Probes
from ..model.command import Invocation, Typed
from ..policy.access import cells, demand_of, read_out
from ..policy.people import highest, mxids_of, person_of, roles
from ..policy.reasons import reasons
from ..requests import history, store, voting
from ..requests.desk import Desk
from ..requests.standing import judge
from ..requests.submit import Ask
from ..running.views import Lists
from ..settings import Settings
from ..state import World
from ..text.message import Message, Text, code
from ..text.phrases import Line, marked, not_run, person, view
from ..typed.parse import AskFirst, Missing, NotRun
from ..typed.read import read_line
from .call import Asking, about_others, person_meant
from .my_rights import approvers, may, rights

SOURCE = "AGPL-3.0-or-later, ask an owner for it"  # an address, once there is one
_LOOK = 5.0  # seconds for a profile
_STATUS = {
    Account.ACTIVE: "active",
    Account.DEACTIVATED: "deactivated",
    Account.BRIDGE: "of a bridge",
    Account.UNKNOWN: "not known",
}
_FREE = {
    Name.FREE: "free",
    Name.TAKEN: "taken",
    Name.EXCLUSIVE: "free, a bridge's name",
    Name.INVALID: "no user name",
}


class Understands(Protocol):
    """From typed words to an invocation (`Commands`)."""

    async def understand(self, where: Where, typed: Typed, whose: str = "") -> Invocation: ...

    def not_run(self, where: Where, no: NotRun) -> Handled: ...


async def policy_since(tx: Tx, at: float | None = None) -> float | None:
    """When the policy that is live (or was live then) went live."""
    records, _ = await audit.page(tx, kinds=("policy",), limit=100)
    return next((each.ts for each in records if at is None or each.ts <= at), None)


class Answers:
    def __init__(
        self,
        world: World,
        db: Database,
        homeserver: Homeserver,
        probes: Probes,
        commands: Understands,
        lists: Lists,
    ) -> None:
        self._world, self._db, self._hs = world, db, homeserver
        self._probes, self._commands, self._lists = probes, commands, lists

    # --- help

    async def help(self, a: Asking) -> Handled | None:
        topic = a.text("topic").lower().split()

        async def build(desk: Desk, ask: Ask) -> Message:
            return await self._topic(desk, ask, topic) if topic else await self._all(desk, ask)

        return a.answer(build)

    async def _all(self, desk: Desk, ask: Ask) -> Message:
        """What whoever asks may use."""
        policy, held = desk.policy, await desk.roles(ask.room, ask.mxid)
        role = highest(policy, held)
        message, left = help.overview(desk.here, role, may(policy, held), approvers(policy, held))
        self._lists.after(desk.tx, ask.room, ask.mxid, left, desk.now)
        return message

    async def _topic(self, desk: Desk, ask: Ask, topic: list[str]) -> Message:
        here, held = desk.here, await desk.roles(ask.room, ask.mxid)
        word = topic[0].removeprefix(here.prefix)
        if word == "look":
            return help.looking(here, may(desk.policy, held))
        if word == "seal":
            return help.seals()
        if word == "repair":
            return help.repair(here)
        about = help.topic(here, word, may(desk.policy, held))
        command = find(word.replace("_", "-"))
        if command is None:
            return about or help.unknown_topic(here, word)
        name = command.name
        if name == "registration" and len(topic) > 1:
            name = "registration.set"
        return await self._command(desk, ask, name)

    async def _command(self, desk: Desk, ask: Ask, name: str) -> Message:
        words = await rights(desk, name, ask.room, ask.mxid)
        undo = COMMANDS[name].undo.partition(" ")[0]
        votes = bool(undo) and bool(demand_of(desk.policy, undo).slots)
        return help.one(desk.here, name, words, undo_needs_votes=votes)

    # --- can

    async def can(self, a: Asking) -> Handled | None:
        """The decision about a line, for who asks or for somebody else; nothing runs."""
        line = str(a.invocation.get("line") or "")
        who, mxid = "", a.where.mxid
        if line.startswith("@"):
            word, _, line = line.partition(" ")
            who = person_meant(self._world.live.policy, word)
            mxid = self._account(a.where.room, who)
        prefix = self._world.here(a.where.room).prefix
        typed = evolve(read_line(line, prefix=prefix), reply_to=a.typed.reply_to)
        glass = typed.word == "glass"
        if glass:
            typed = evolve(read_line(typed.rest, prefix=prefix), lines=typed.lines)
        command = find(typed.word)
        if command is None:
            return self._can_what(a, who, mxid, line)
        try:
            inner = await self._commands.understand(a.where, typed, mxid)
        except NotRun as no:
            return self._commands.not_run(a.where, no)
        except AskFirst as first:
            inner = first.certain
        except Missing:
            return self._can_use(a, who, mxid, command.name)

        async def build(desk: Desk, ask: Ask) -> Message | None:
            if who and not await self._may_ask(desk, ask, who):
                return None
            decision = await judge(desk, inner, ask.room, mxid, glass=glass)
            return answers.can(decision, who)

        return a.answer(build)

    def _account(self, room: str, who: str) -> str:
        """The account of somebody that speaks here: one that is in the room, if any is."""
        mxids, view = mxids_of(self._world.live.policy, who), self._world.rooms.get(room)
        return next((m for m in mxids if view is not None and m in view.joined), mxids[0])

    async def _may_ask(self, desk: Desk, ask: Ask, who: str) -> bool:
        if who == desk.name(ask.mxid):
            return True
        return await about_others(desk, ask, "can for somebody else")

    def _can_what(self, a: Asking, who: str, mxid: str, line: str) -> Handled:
        """No command in the line: everything that somebody may do, or that there is none."""

        async def build(desk: Desk, ask: Ask) -> Message | None:
            if line.strip():
                word = code(line.split()[0][:40])
                return not_run(("Not run: there is no command ", word, "."))
            if not who:
                return await self._all(desk, ask)
            if not await self._may_ask(desk, ask, who):
                return None
            held = await desk.roles(ask.room, mxid)
            if not held:
                return view((person(who), " has no role here and can do nothing."))
            names = [
                f"{'✋ ' if cell.demand.slots else ''}{name}"
                for name, cell in cells(desk.policy, held).items()
            ]
            role = highest(desk.policy, held)
            able = ", ".join(names) or "nothing of the server"
            return view((person(who), f" ({role}) can do this, ✋ with votes:"), f"{able}.")

        return a.answer(build)

    def _can_use(self, a: Asking, who: str, mxid: str, name: str) -> Handled:
        """A command without its arguments: what one may do with it."""

        async def build(desk: Desk, ask: Ask) -> Message | None:
            if not who:
                return await self._command(desk, ask, name)
            if not await self._may_ask(desk, ask, who):
                return None
            words = await rights(desk, name, ask.room, mxid)
            return view((person(who), ": ", *words, ". Nothing has run."))

        return a.answer(build)

    # --- why

    async def why(self, a: Asking) -> Handled | None:
        async def build(desk: Desk, ask: Ask) -> Message | None:
            request = await voting.known(desk, a.number() or 0, ask.room, ask.event_id)
            if request is None:
                return None
            own = person_of(desk.policy, request.mxid) == desk.name(ask.mxid)
            if not own and not await about_others(desk, ask, "why of others' requests"):
                return None
            decision = await store.decision(desk.tx, request.id)
            if decision is None:
                return None
            since = await policy_since(desk.tx, request.created)
            votes = await store.votes(desk.tx, request.id)
            told = reasons(decision)
            return answers.why(desk.here, request, told, since or request.created, votes)

        return a.answer(build)

    # --- who

    async def who(self, a: Asking) -> Handled | None:
        """What is known of an account, from questions to the server and from the own log."""
        mxid = str(a.invocation.get("user"))
        status, name = await self._look(mxid)

        async def build(desk: Desk, ask: Ask) -> Message:
            distrusted = await desk.distrusted()
            power = desk.asker(ask.room, mxid).power
            held = roles(desk.policy, mxid, power, distrusted)
            inside = [room for room, view in self._world.rooms.items() if mxid in view.joined]
            found = await history.about(desk.tx, mxid)
            earlier = [
                lists.Request(r.id, r.text, answers.state_word(r.state), r.created)
                for r in found.requests[:5]
            ]
            await desk.record("lookup", None, mxid=ask.mxid, room=ask.room, about=mxid)
            role = highest(desk.policy, held)
            return lists.who(
                desk.here,
                mxid,
                status,
                name,
                role,
                joined=inside,
                earlier=earlier,
                total=found.total,
            )

        return a.answer(build)

    async def _look(self, mxid: str) -> tuple[str, str | None]:
        """(free, active …, the display name; None where it could not be had)."""
        local, _, server = mxid[1:].partition(":")
        if server != self._world.server:  # asked for, it would hold up the room until it answers
            return "of another server", None
        try:
            profile = await self._hs.profile(mxid, _LOOK)
        except MatrixError:
            profile = None
        shown = profile.get("displayname") if profile is not None else None
        name = None if profile is None else shown if isinstance(shown, str) else ""
        account = await self._probes.account(mxid)
        if account is Account.MISSING:
            return _FREE.get(await self._probes.name(local), "not known"), None
        return _STATUS[account], name

    # --- policy and version

    async def policy(self, a: Asking) -> Handled | None:
        async def build(desk: Desk, ask: Ask) -> Message:
            settings: Settings = self._world.live
            since = await policy_since(desk.tx)
            message = answers.policy_live(
                desk.here,
                since or desk.now,
                roles_line(read_out(settings.policy)),
                len(settings.policy.rules),
                settings.tests,
                settings.digest,
            )
            extra: list[Line] = [
                (f"Line {warning.line}: ", *marked(warning.text))
                for warning in settings.warnings[:4]
            ]
            return evolve(message, lines=(*message.lines, *_texts(extra)))

        return a.answer(build)

    async def version(self, a: Asking) -> Handled | None:
        async def build(desk: Desk, ask: Ask) -> Message:
            conduit = f"Conduit {self._world.conduit_version or 'not known yet'}"
            since = await policy_since(desk.tx)
            return answers.version(desk.here, self._world.version, conduit, since, SOURCE)

        return a.answer(build)


def _texts(lines: list[Line]) -> tuple[Text, ...]:
    return tuple((line,) if isinstance(line, str) else line for line in lines)
