"""What the live policy, the members and their powers make of a request at this moment.

Binds `tally` (pure) to what is stored and to the policy: slots are the larger of submit and now,
two accounts are one person if either policy says so, and every standing vote is weighed again each
time somebody asks. Nothing here writes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from attrs import evolve, frozen

from ..catalog.table import COMMANDS
from ..chat.cards import Need, Standing
from ..model.command import Invocation
from ..model.decision import Decision, Facts, Slot, Verdict
from ..model.ids import PersonName
from ..model.request import NO_WHY, Rejection, Request, Why, WhyKind
from ..model.result import Ending, How
from ..policy.decide import decide, limits_of
from ..policy.explain import explain
from ..policy.people import holds as holds_role
from ..policy.people import in_order, members_of
from ..typed.canonical import targets
from . import limits, store
from .desk import Desk, only_looks
from .holds import of_request as held_by
from .machine import Fact
from .tally import Tally, could_help, largest, same_person, tally


async def facts(desk: Desk, what: Invocation, room: str, mxid: str, besides: int = 0) -> Facts:
    """What decide() may know, with what every limit has left; without the uses of one request."""
    used: dict[str, tuple[float, ...]] = {}
    for limit in limits_of(what, desk.asker(room, mxid), desk.policy, desk.now):
        since = desk.now - limit.every
        used[limit.key] = await limits.used(desk.tx, limit.key, since, limit.mxids, besides)
    return evolve(desk.view.facts, used=used, distrusted=await desk.distrusted())


async def judge(
    desk: Desk, what: Invocation, room: str, mxid: str, *, glass: bool = False
) -> Decision:
    """What the policy says of a new command, with all its reasons."""
    known = await facts(desk, what, room, mxid)
    return explain(what, desk.asker(room, mxid), known, desk.now, desk.policy, glass=glass)


async def judge_again(desk: Desk, request: Request, *, limited: bool) -> Decision:
    """What it says of a request now. limited: whether an exhausted limit is a no."""
    known = await facts(desk, request.invocation, request.room, request.mxid, request.id)
    known = known if limited else evolve(known, used={})
    asker = desk.asker(request.room, request.mxid)
    policy = desk.policy
    return decide(request.invocation, asker, known, desk.now, policy, glass=request.glass)


async def ending_of(desk: Desk, request: Request, how: How) -> Ending:
    """What the request itself tells of its end, at this moment."""
    return Ending(
        request=request.id,
        person=request.person,
        mxid=request.mxid,
        line=request.text,
        voted=bool(request.slots) and not request.glass,
        approved=request.approved,
        glass=request.glass,
        how=how,
        at=desk.now,
        again=desk.can_tap(request),
        undo_needs_votes=await undo_needs_votes(desk, request),
    )


async def undo_needs_votes(desk: Desk, request: Request) -> bool:
    """Whether who asked needs approval for what takes it back, as the policy is now."""
    back = COMMANDS[request.invocation.command].undo(request.invocation.first())
    if back is None:
        return False
    return bool((await judge(desk, back, request.room, request.mxid)).slots)


@frozen
class Count:
    """How the votes of a request stand.

    slots: what counts now. voters: MXIDs with a standing vote for it, oldest first. helpers: MXIDs
    in the room that could fill an empty slot. barred: whose persons have no say.
    """

    slots: tuple[Slot, ...]
    tally: Tally
    standing: Standing
    voters: tuple[str, ...]
    helpers: tuple[str, ...]
    barred: tuple[str, ...]
    same: Callable[[str], str]
    holds: Callable[[str, str], bool]

    @property
    def complete(self) -> bool:
        return self.tally.complete

    def expired(self) -> Why:
        """How far it got, if its time is over."""
        filled, needed = self.tally.filled, self.tally.needed
        if filled == needed:
            return Why(WhyKind.BEFORE_ITS_TURN)
        return Why(WhyKind.SOME_VOTES, f"{filled} of {needed}") if filled else Why(WhyKind.NO_VOTE)

    def may_vote(self, mxid: str, asker: str) -> bool:
        """Whether a vote of this MXID would count, and none of it stands yet."""
        return mxid not in self.voters and self.cause(mxid, asker) is Rejection.NONE

    def cause(self, mxid: str, asker: str) -> Rejection:
        """Why a vote of this MXID does not count; NONE: it does."""
        who = self.same(mxid)
        if who == self.same(asker):
            return Rejection.OWN
        if who in {self.same(other) for other in self.barred}:
            return Rejection.TARGET
        if not self.slots:
            return Rejection.NOT_NEEDED
        held = any(self.holds(mxid, slot.role) for slot in self.slots)
        return Rejection.NONE if held else Rejection.NO_ROLE


async def count(desk: Desk, request: Request, now: tuple[Slot, ...]) -> Count:
    """now: the slots that the live policy asks for."""
    policy = desk.policy
    slots = largest(request.slots, now)
    same = same_person(await store.people(desk.tx, request.people), policy.people.values())
    distrusted = await desk.distrusted()

    def holds(mxid: str, role: str) -> bool:
        who = desk.asker(request.room, mxid)
        return who.joined and holds_role(policy, mxid, role, who.power, distrusted)

    stored = await store.votes(desk.tx, request.id)
    voters = tuple(dict.fromkeys(vote.mxid for vote in stored if vote.approves))
    barred = (request.mxid, *targets(request.invocation))
    result = tally(slots, voters, holds, same, barred)
    no_say = {same(mxid) for mxid in barred}
    able = {
        slot.role: [
            mxid
            for mxid in desk.mxids(members_of(policy, slot.role))
            if same(mxid) not in no_say and holds(mxid, slot.role)
        ]
        for slot in slots
    }
    others = dict.fromkeys(m for held in able.values() for m in held if m not in voters)
    helpers = could_help(slots, voters, others, holds, same, barred)
    fit = (mxid for mxid in voters if any(holds(mxid, slot.role) for slot in slots))
    no_loss = {same(mxid) for mxid in (*result.by, *fit)} | no_say
    shown = Standing(
        filled=result.filled,
        needed=result.needed,
        by=_names(desk, result.by),
        needs=_needs(desk, slots, able),
        open=_needs(desk, result.open, able, among=helpers),
        roles=tuple(
            name for name, held in policy.closure.items() if any(s.role in held for s in slots)
        ),
        lost=_names(desk, (m for m in voters if same(m) not in no_loss)),
    )
    shown = await _held(desk, request, shown)
    return Count(slots, result, shown, voters, helpers, barred, same, holds)


async def _held(desk: Desk, request: Request, votes: Standing) -> Standing:
    """With what it waits for besides votes."""
    held = await held_by(desk.tx, request.id)
    return evolve(
        votes,
        held=_names(desk, (h.mxid for h in held if h.until is None)),
        doubted=_names(desk, (h.mxid for h in held if h.until is not None)),
        doubted_until=max((h.until for h in held if h.until is not None), default=0.0),
    )


def _needs(
    desk: Desk,
    slots: Iterable[Slot],
    able: Mapping[str, Sequence[str]],
    among: Collection[str] | None = None,
) -> tuple[Need, ...]:
    """Slots with the names of those who are able to fill them. among: only of these MXIDs."""
    named = {
        role: _names(desk, (m for m in mxids if among is None or m in among))
        for role, mxids in able.items()
    }
    return tuple(Need(slot.role, slot.n, named[slot.role]) for slot in slots)


def _names(desk: Desk, mxids: Iterable[str]) -> tuple[PersonName, ...]:
    return in_order(desk.policy, {desk.name(mxid) for mxid in mxids})


@frozen
class Weighed:
    """A request as it stands at this moment. facts: for the machine, with why it must not run."""

    decision: Decision
    votes: Count
    facts: Mapping[Fact, Why]


async def weigh(desk: Desk, request: Request, *, limited: bool = False) -> Weighed:
    """Everything that can keep an open request from running, but pause and health."""
    decision = await judge_again(desk, request, limited=limited)
    votes = await count(desk, request, decision.slots)
    facts = {Fact.COMPLETE: NO_WHY}
    if not votes.complete:
        facts = {Fact.NEEDS_VOTES: Why(WhyKind.VOTES_MISSING)}
    if votes.standing.waits:
        facts[Fact.HELD] = Why(WhyKind.HELD)
    if why := _why_not(desk, request, decision):
        facts[Fact.REASON_GONE] = why
    if (expires := open_until(request, decision)) is not None and expires <= desk.now:
        facts[Fact.EXPIRED] = votes.expired()
    return Weighed(decision, votes, facts)


def _why_not(desk: Desk, request: Request, decision: Decision) -> Why:
    """What became of the reason for which it was allowed, if anything."""
    name = desk.name(request.mxid)
    if request.room not in desk.view.rooms:
        return Why(WhyKind.NO_OPS_ROOM)
    if not desk.asker(request.room, request.mxid).joined:
        return Why(WhyKind.LEFT, name)
    if desk.view.rooms[request.room].public and not only_looks(request.invocation):
        return Why(WhyKind.PUBLIC)
    if decision.verdict is Verdict.DENY:
        policy = Why(WhyKind.POLICY, said=decision.because)
        return policy if decision.rules else Why(WhyKind.NO_RIGHT, name)
    if decision.reason and not request.invocation.reason:
        return Why(WhyKind.NO_REASON)
    return NO_WHY


def open_until(request: Request, decision: Decision) -> float | None:
    """The shorter of what the policy said at submit and says now; None where nothing expires."""
    now = request.created + decision.expires if decision.expires and decision.slots else None
    both = [at for at in (request.expires, now) if at is not None]
    return min(both) if both else None
