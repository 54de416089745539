"""What people ask about rights and requests: `help`, `can`, `why`. It changes nothing."""

from __future__ import annotations

from functools import partial

from attrs import evolve, frozen

from ..catalog.table import COMMANDS, find, meant, near
from ..chat import answers
from ..chat import help as texts
from ..looks.authority import Authority
from ..looks.reading import Reading
from ..matrix.model import Handled
from ..matrix.sealed import admin_room
from ..model.command import Invocation
from ..model.ids import UserId
from ..policy.access import cells, demand_of
from ..policy.people import highest, mxids_of, person_of
from ..policy.reasons import reasons
from ..requests import store, voting
from ..requests.desk import Desk
from ..requests.standing import judge
from ..requests.submit import Ask
from ..text.message import Message, code
from ..text.phrases import not_run, person, view
from ..typed.ids import bare
from ..typed.meaning import meaning
from ..typed.parse import AskFirst, Missing
from ..typed.read import read_line
from .call import Call, about_others, person_meant
from .my_rights import approvers, may, rights
from .status import policy_since

# --- help


async def help(address: str, call: Call, desk: Desk, ask: Ask) -> Message:
    topic = call.text("topic").lower().split()
    if topic and topic[0].removeprefix(desk.here.prefix) == "repair":
        return await _repair(address, desk, ask)
    return await (_topic(desk, ask, topic) if topic else _overview(call, desk, ask))


async def _repair(address: str, desk: Desk, ask: Ask) -> Message:
    """To owners with every line finished; the id of the admin room is for nobody else."""
    room = await admin_room(desk.tx)
    if room is None or desk.policy.owners not in await desk.roles(ask.room, ask.mxid):
        return texts.repair(desk.here)
    return texts.repair_lines(desk.here, address, room)


async def _overview(call: Call, desk: Desk, ask: Ask) -> Message:
    """What whoever asks may use."""
    policy, held = desk.policy, await desk.roles(ask.room, ask.mxid)
    role = highest(policy, held)
    message, left = texts.overview(desk.here, role, may(policy, held), approvers(policy, held))
    call.keep(desk, left)
    return message


async def _topic(desk: Desk, ask: Ask, topic: list[str]) -> Message:
    here, held = desk.here, await desk.roles(ask.room, ask.mxid)
    typed = read_line(" ".join(topic), prefix=here.prefix)
    found = meaning(typed)
    line = found.typed if found.ours else typed
    word = bare(topic[0].removeprefix(here.prefix))
    if word == "look":
        return texts.looking(here, may(desk.policy, held))
    if word == "seal":
        return texts.seals()
    about = texts.topic(here, word, may(desk.policy, held))
    command = find(line.word) or find(word)  # `registration.set`, as a policy names it
    if command is None:
        return about or texts.unknown_topic(here, word)
    return await _command(desk, ask, meant(command, line.words)[0].name)


async def _command(desk: Desk, ask: Ask, name: str) -> Message:
    words = await rights(desk, name, ask.room, ask.mxid)
    command = COMMANDS[name]
    back = command.undo(command.sample(desk.here.server))
    votes = back is not None and bool(demand_of(desk.policy, back.command).slots)
    return texts.one(desk.here, name, words, undo_needs_votes=votes)


# --- can


@frozen
class _Whom:
    """Who is asked about. name: "" for who asks."""

    name: str
    mxid: str

    async def may_be_asked(self, desk: Desk, ask: Ask) -> bool:
        """Says so if not."""
        if not self.name or self.name == desk.name(ask.mxid):
            return True
        return await about_others(desk, ask, "can for others")


class Can:
    """The decision about a line, for who asks or for somebody else; nothing runs."""

    def __init__(self, authority: Authority, reading: Reading) -> None:
        self._authority, self._reading = authority, reading

    async def take(self, call: Call) -> Handled:
        """Raises NotRun."""
        line = str(call.invocation.get("line") or "")
        line = line[2:] if line.lower().startswith("i ") else line
        whom = _Whom("", call.origin.mxid)
        if line.startswith("@"):
            word, _, line = line.partition(" ")
            name = person_meant(call.live.in_force.policy, word)
            whom = _Whom(name, _account(call, name))
        prefix = call.rooms.here(call.origin.room).prefix
        typed = evolve(
            read_line(line, prefix=prefix), reply_to=call.typed.reply_to, thread=call.typed.thread
        )
        glass = typed.word == "glass"
        if glass:
            typed = evolve(read_line(typed.rest, prefix=prefix), lines=typed.lines)
        if not glass and not near(typed.word):  # of a slip it is told
            typed = meaning(typed).typed
        command = find(typed.word)
        if command is None:
            return call.answer(partial(_can_what, whom=whom, line=line))
        look = await self._authority.covers(
            evolve(call.origin, mxid=UserId(whom.mxid)), typed.word
        )
        try:
            what = await self._reading.understand(call.origin, typed, look=look)
        except AskFirst as first:
            what = first.certain
        except Missing:
            return call.answer(partial(_can_use, whom=whom, name=command.name))
        return call.answer(partial(_can_run, whom=whom, what=what, glass=glass))


def _account(call: Call, name: str) -> str:
    """The account of somebody that speaks here: one that is in the room, if any is."""
    mxids = mxids_of(call.live.in_force.policy, name)
    view = call.rooms.views.get(call.origin.room)
    return next((m for m in mxids if view is not None and m in view.joined), mxids[0])


async def _can_run(
    call: Call, desk: Desk, ask: Ask, whom: _Whom, what: Invocation, *, glass: bool
) -> Message | None:
    if not await whom.may_be_asked(desk, ask):
        return None
    decision = await judge(desk, what, ask.room, whom.mxid, glass=glass)
    return answers.can(decision, whom.name)


async def _can_use(call: Call, desk: Desk, ask: Ask, whom: _Whom, name: str) -> Message | None:
    """A command without its arguments: what one may do with it."""
    if not whom.name:
        return await _command(desk, ask, name)
    if not await whom.may_be_asked(desk, ask):
        return None
    words = await rights(desk, name, ask.room, whom.mxid)
    return view((person(whom.name), ": ", *words, " Nothing has run."))


async def _can_what(call: Call, desk: Desk, ask: Ask, whom: _Whom, line: str) -> Message | None:
    """No command in the line: everything that somebody may do, or that there is none."""
    if line.strip():
        word = code(line.split()[0][:40])
        return not_run(("Not run: there is no command ", word, "."))
    if not whom.name:
        return await _overview(call, desk, ask)
    if not await whom.may_be_asked(desk, ask):
        return None
    held = await desk.roles(ask.room, whom.mxid)
    if not held:
        return view((person(whom.name), " has no role here and can do nothing."))
    names = [
        f"{'✋ ' if cell.demand.slots else ''}{name}"
        for name, cell in cells(desk.policy, held).items()
    ]
    role = highest(desk.policy, held)
    able = ", ".join(names) or "nothing of the server"
    return view((person(whom.name), f" ({role}) can do this, ✋ with votes:"), f"{able}.")


# --- why


async def why(call: Call, desk: Desk, ask: Ask) -> Message | None:
    request = await voting.known(desk, call.number() or 0, ask.room, ask.event_id)
    if request is None:
        return None
    own = person_of(desk.policy, request.mxid) == desk.name(ask.mxid)
    if not own and not await about_others(desk, ask, "why of others' requests"):
        return None
    decision = await store.decision(desk.tx, request.id)
    if decision is None:
        return None
    since = await policy_since(desk.tx, request.created) or request.created
    votes = await store.votes(desk.tx, request.id)
    return answers.why(desk.here, request, reasons(decision), since, votes)
