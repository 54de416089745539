"""From an answer, or its absence, to what the ops room reads: looks where an answer proves
nothing, hands a password over, and gathers what the result must say.

Nothing here decides what an answer means (`families.answers`) or how it is said (`chat.results`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import evolve, frozen

from .. import audit
from ..catalog.accounts import back_if_reopened
from ..catalog.record import After, Does
from ..catalog.table import COMMANDS, action
from ..chat import ended
from ..chat.results import contradicted, result
from ..db.connection import Tx
from ..matrix.api import MatrixError
from ..matrix.outbox import Outbox
from ..matrix.probes import Account, Media, Probes
from ..model.admin_room import Asked, Content
from ..model.command import Invocation, Kind, Line, Outcome, Tag
from ..model.request import LineRow, Request, State
from ..model.result import Delivery, Ending, Handed, How, Part
from ..passwords import store as kept
from ..passwords.handover import Deliveries
from ..policy.people import in_order, person_of
from ..requests import store
from ..requests.desk import Desk, Desks
from ..requests.finish import DISTRUST
from ..requests.standing import ending_of, judge
from ..server import stoppers
from ..server.registration import Registration
from ..state import Live, Reopenings, Rooms
from ..text.message import Message, Topic
from .views import Lists, Shown, Views

_SLOW = 30.0  # seconds after which who asked has looked away


@frozen
class LineEnd:
    """A line that is over. content: the answer, None without one. asked: what tells an answer to
    this line, None where its text is no command of this server."""

    request: Request
    line: Line
    outcome: Outcome
    row: LineRow
    content: Content | None
    asked: Asked | None


@frozen
class Look:
    """What was found out about one line beside its answer.

    shown: the view of a command that only looks. body: an answer whose list is kept. raw: one that
    nobody understands and that may be shown. name: of the room that it is about. scrub: the answer
    that may hold a password. doubt: why the answer told nothing, where a look did.
    """

    outcome: Outcome
    probed: bool = False
    delivery: Delivery | None = None
    present: Mapping[str, bool] | None = None
    shown: Shown | None = None
    body: str | None = None
    raw: str | None = None
    name: str = ""
    scrub: str | None = None
    doubt: str = ""


class Endings:
    def __init__(
        self,
        live: Live,
        rooms: Rooms,
        outbox: Outbox,
        desk: Desks,
        probes: Probes,
        deliveries: Deliveries,
        views: Views,
        lists: Lists,
        registration: Registration,
        reopenings: Reopenings,
    ) -> None:
        self._live, self._rooms, self._outbox, self._desk = live, rooms, outbox, desk
        self._probes, self._registration = probes, registration
        self._deliveries, self._views, self._lists = deliveries, views, lists
        self._reopenings = reopenings

    async def look(self, end: LineEnd) -> Look:
        """What became of the line, with everything that can be found out before it is said."""
        request, outcome, content = end.request, end.outcome, end.content
        command = COMMANDS[request.invocation.command]
        if Tag.SECRET in command.tags:
            return evolve(await self._secret(end), scrub=end.row.answer_event)
        unread = outcome.code == "unrecognised" and content is not None
        raw = str(content.get("body", "")) if unread and content is not None else None
        raw = None if command.reads_messages else raw  # of which room it is cannot be told
        if command.after is After.MEDIA and outcome.code not in ("usage", "no_block", "not_sent"):
            return evolve(await self._media(request.invocation, end.line, outcome), raw=raw)
        if outcome.kind is Kind.UNKNOWN:
            return evolve(await self._probed(end), raw=raw)
        if outcome.kind is not Kind.DONE or content is None:
            return Look(outcome)
        if command.after is After.ROOM:
            facts = await self._probes.room(str(request.invocation.get("room")))
            return Look(outcome, name=facts.name if facts else "")
        body = str(content.get("body", ""))
        slow = self._live.now() - request.created > _SLOW
        to = request.mxid if slow else None
        shown = await self._views.show(request, outcome, content, to)
        return Look(outcome, shown=shown, body=body if command.sized else None)

    async def _secret(self, end: LineEnd) -> Look:
        """A password goes into private hands, and so does an answer that nobody understands."""
        request, row, outcome, content = end.request, end.row, end.outcome, end.content
        if outcome.kind is Kind.DONE and content is not None and end.asked is not None:
            handed = await self._deliveries.hand_over(request, row, end.line, end.asked, content)
            return Look(outcome, delivery=handed)
        if outcome.code == "unrecognised" and content is not None:
            return Look(outcome, delivery=await self._deliveries.unread(request, row, content))
        if outcome.kind is not Kind.UNKNOWN:
            return Look(outcome)
        before = await self._deliveries.handed_before(request, row)
        if before is not None:
            return Look(Outcome(Kind.DONE, "handed"), delivery=before)
        return await self._probed(end)

    async def _probed(self, end: LineEnd) -> Look:
        """Of an unknown outcome: what the client API tells, if it can tell."""
        after = COMMANDS[end.request.invocation.command].after
        told = await self._probe(after, end.request.invocation, end.line)
        return Look(told or end.outcome, told is not None, doubt=end.outcome.code)

    async def _media(self, invocation: Invocation, line: Line, outcome: Outcome) -> Look:
        """Conduit answers "success" to anything: only a download tells what is gone."""
        present: dict[str, bool] = {}
        for mxc in line.items:
            there = await self._probes.media(mxc)
            if there is not Media.UNKNOWN:
                present[mxc] = there is Media.THERE
        wanted = action(invocation.command).loads
        wrong = [mxc for mxc, there in present.items() if there is not wanted]
        if len(present) < len(line.items) or (wrong and outcome.kind is Kind.FAILED):
            return Look(outcome, present=present)
        probed = outcome.kind is Kind.UNKNOWN
        if not wrong:
            return Look(Outcome(Kind.DONE, "probe"), probed, present=present)
        code = "probe" if probed else "still_there"
        return Look(Outcome(Kind.FAILED, code), probed, present=present)

    async def _probe(self, after: After, invocation: Invocation, line: Line) -> Outcome | None:
        """Whether it happened, where a question to the client API can tell; None: it cannot."""
        made = after is After.ACCOUNT
        if made or after is After.DEACTIVATED:
            wanted = Account.ACTIVE if made else Account.DEACTIVATED
            states = {user: await self._probes.account(user) for user in line.items}
            if made and Account.MISSING not in states.values():
                return None  # somebody else may have made it
            if Account.UNKNOWN in states.values():
                return None
            if all(state is wanted for state in states.values()):
                return Outcome(Kind.DONE, "probe", (("count", len(states)),))
            if not any(state is wanted for state in states.values()):
                return Outcome(Kind.FAILED, "probe")
            return None
        if after is After.ALIAS:
            try:
                there = await self._probes.alias(str(invocation.get("alias")))
            except MatrixError:
                return None
            return Outcome(Kind.FAILED if there else Kind.DONE, "probe")
        return None

    # --- what is said

    async def message(
        self, tx: Tx, request: Request, rows: Sequence[LineRow], looks: Mapping[int, Look]
    ) -> Message:
        """The result, from the outcomes of all lines."""
        desk = self._desk(tx, request.room)
        ending = await self._ending(desk, request, looks)
        ending = await self._in_doubt(desk, request, ending)
        ending = await self._handed(desk, request, rows, ending)
        here = self._rooms.here(request.room)
        parts = _parts(desk, request, rows)
        await stoppers.ended(tx, request, parts[0].outcome, here.clock.now)
        last = looks.get(rows[-1].number)
        if last is not None and last.shown is not None and last.outcome.kind is Kind.DONE:
            pages = last.shown.pages
            if pages is not None:
                of = (pages.about or Topic()).with_requests(request.id)
                pages = evolve(pages, about=of)
            self._lists.after(tx, request.room, request.mxid, pages, here.clock.now)
            if last.body is not None:
                octets = len(last.body.encode())
                listed = kept.Listed(here.clock.now, octets, last.body)
                await kept.put_list(tx, request.invocation.command, listed)
            if last.shown.file is not None:
                await self._with_file(tx, request, last.shown)
            return last.shown.message
        await self._deliveries.announce(tx, request)
        if _does(request) is Does.OPENS_REGISTRATION and parts[0].outcome.kind is Kind.DONE:
            ending = await self._window(tx, request, ending)
        if parts[0].outcome.kind is Kind.UNKNOWN:
            await self.in_case(tx, request)
        return result(here, ending, request.invocation, parts)

    async def _handed(
        self, desk: Desk, request: Request, rows: Sequence[LineRow], ending: Ending
    ) -> Ending:
        """Where the new passwords are, from what was stored of each line: some of it may have
        happened before a restart."""
        if Tag.SECRET not in COMMANDS[request.invocation.command].tags:
            return ending
        handed = await self._deliveries.handed(desk.tx, request)
        planned = desk.planned(request.invocation)
        done = [row for row in rows if row.outcome and row.outcome.kind is Kind.DONE]
        lost = tuple(planned[r.number - 1].items[0] for r in done if r.number not in handed)
        told = handed[max(handed)] if handed else Delivery(Handed.LOST if lost else Handed.PRIVATE)
        return evolve(ending, delivery=told, lost=lost)

    async def _with_file(self, tx: Tx, request: Request, shown: Shown) -> None:
        """Said here, because of its file; what `end` says under the same key is said already."""
        key, reply = f"request.{request.id}.end", None if request.slots else request.command
        room, said = request.room, shown.message
        await self._outbox.put(tx, room, key, said, reply_to=reply, file=shown.file)

    async def scrub(self, tx: Tx, answer: str) -> None:
        """Takes an answer that may hold a password out of the admin room."""
        await self._deliveries.scrub(tx, answer)

    async def too_late(
        self, tx: Tx, request: Request, outcome: Outcome, answer: str | None
    ) -> None:
        """An answer after a person has said what became of it: told if it says something else."""
        await stoppers.ended(tx, request, outcome, self._live.now())
        if Tag.SECRET in COMMANDS[request.invocation.command].tags and answer is not None:
            await self.scrub(tx, answer)
        ended = await audit.page(tx, request=request.id, kinds=("ended",), limit=1)
        by = str(ended[0].what.get("by") or "") if ended else ""
        if not by or (outcome.kind is Kind.DONE) is (request.state is State.DONE):
            return
        desk = self._desk(tx, request.room)
        ending = await self._ending(desk, request, {})
        ending = evolve(ending, by=desk.name(by))
        said = contradicted(desk.here, ending, request.invocation, outcome)
        await desk.record("late answer", request, outcome=outcome.kind.value, code=outcome.code)
        key = f"request.{request.id}.contradicted"
        await desk.say(request, key, said)

    async def in_case(self, tx: Tx, request: Request) -> None:
        """What must follow of a line of which nobody knows whether it was done."""
        span = request.invocation.get("for")
        if _does(request) is Does.OPENS_REGISTRATION and isinstance(span, int):
            await self._registration.perhaps(tx, request.id, request.person, float(span))

    async def _window(self, tx: Tx, request: Request, ending: Ending) -> Ending:
        on, span = request.invocation.get("state") == "on", request.invocation.get("for")
        seconds = float(span) if isinstance(span, int) else None
        window = await self._registration.done(tx, request.id, request.person, on=on, span=seconds)
        at_start = self._registration.state.at_start
        return evolve(ending, until=window.until if window else None, at_start=at_start)

    async def _ending(self, desk: Desk, request: Request, looks: Mapping[int, Look]) -> Ending:
        seen = list(looks.values())
        present = {m: there for look in seen for m, there in (look.present or {}).items()}
        private = [d for look in seen if (d := look.delivery) and d.how is not Handed.LOST]
        raw = next((look.raw for look in seen if look.raw is not None), None)
        how = How.LATE if request.state is State.UNKNOWN else How.ANSWERED
        how = How.PROBED if any(look.probed for look in seen) else how
        return evolve(
            await ending_of(desk, request, how),
            slow=desk.now - request.created > _SLOW,
            present=present,
            name=next((look.name for look in seen if look.name), None),
            quota=await _quota(desk, request),
            raw=raw,
            in_private=bool(private) and raw is None,
            removed=self._deliveries.scrubs,
            doubt=next((look.doubt for look in seen if look.probed), ""),
            left_out=_words(request),
        )

    async def _in_doubt(self, desk: Desk, request: Request, ending: Ending) -> Ending:
        """Of a new password: whether it opened the account again, and whom it put in doubt."""
        if _does(request) is not Does.RESETS_PASSWORD:
            return ending
        target = str(request.invocation.get("user"))
        if request.event_id in self._reopenings:
            desk.tx.after(lambda: self._reopenings.discard(request.event_id))
            back = back_if_reopened(request.invocation)
            votes = (await judge(desk, back, request.room, request.mxid)).slots
            ending = evolve(ending, reopened=True, undo_needs_votes=bool(votes))
        if (await store.distrusted(desk.tx, desk.now)).get(target) != request.id:
            return ending
        policy = self._live.in_force.policy
        name = person_of(policy, target)
        trusts = [p for p in self._live.owner_names() if p not in (request.person, name)]
        return evolve(
            ending,
            distrusted=self._live.now() + DISTRUST,
            holder="" if name == target else name,
            trusts=in_order(policy, trusts),
        )


def _does(request: Request) -> Does:
    return COMMANDS[request.invocation.command].does


async def _quota(desk: Desk, request: Request) -> tuple[int, int, float] | None:
    """(used, of, seconds) of the first limit per person that counted these accounts."""
    if _does(request) is not Does.MAKES_ACCOUNTS:
        return None
    limits = (await judge(desk, request.invocation, request.room, request.mxid)).limits
    own = next((limit for limit in limits if limit.per == "person"), None)
    return (own.used, own.max, own.every) if own else None


def _words(request: Request) -> str:
    words = ended.alone(request.stop) if request.stop else ()
    return "".join(part if isinstance(part, str) else part.plain for part in words)


def _parts(desk: Desk, request: Request, rows: Sequence[LineRow]) -> list[Part]:
    planned, not_sent = desk.planned(request.invocation), Outcome(Kind.FAILED, "not_sent")
    return [
        Part(line.items, row.outcome or not_sent) for line, row in zip(planned, rows, strict=False)
    ]
