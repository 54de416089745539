"""Cards and votes: asked, counted, reminded, ended without having run.

Persons come as the names of the policy, or as MXIDs without one. What ran is told by `results`;
here is only how a request got there, or did not.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, frozen

from ..model.ids import PersonName
from ..model.request import Pause, Rejection, Request, Side, State, Vote, WhyKind
from ..text.message import Message, Sign, Text, quote
from ..text.phrases import Here, a, count, line, listed, people, person, say, view
from ..text.saying import says
from ..text.times import about
from .card_text import About
from .ended import after_state, called
from .headline import headline
from .over import how

_SIGNS = {
    State.PENDING: Sign.CARD,
    State.EXECUTING: Sign.RUNNING,
    State.DONE: Sign.DONE,
    State.REFUSED: Sign.FAILED,
    State.FAILED: Sign.FAILED,
    State.UNKNOWN: Sign.ALARM,
}


@frozen
class Need:
    """Slots of one role, and the names of those who can fill them."""

    role: str
    n: int
    names: tuple[PersonName, ...]


@frozen
class Standing:
    """How the votes stand. by: who counts. lost: whose vote counted once and does not any more.

    needs: every slot; open: the empty ones. roles: those that may vote, the least first.
    held: for whose erased word it waits. doubted: who has said what may be a no; until then it
    waits for what they meant.
    """

    filled: int
    needed: int
    by: tuple[PersonName, ...]
    needs: tuple[Need, ...]
    open: tuple[Need, ...]
    roles: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    doubted: tuple[str, ...] = ()
    doubted_until: float = 0.0

    @property
    def waits(self) -> bool:
        """Whether nothing of it is sent until somebody has said what they meant."""
        return bool(self.held or self.doubted)

    @property
    def helpers(self) -> tuple[PersonName, ...]:
        """Who can fill an empty slot, each once."""
        return tuple(dict.fromkeys(name for need in self.open for name in need.names))


# --- the card ------------------------------------------------------------------------------------


def card(
    request: Request,
    told: About,
    votes: Standing,
    here: Here,
    *,
    push: Sequence[str] = (),
    waits: Text = (),
    taps: bool = True,
) -> Message:
    """✋ with everything that whoever votes must know, ⏳ once nothing but its turn is missing.

    push: MXIDs that can fill a slot, none where a card changes. waits: what it waits for then.
    taps: whether all of them can react in this room.
    """
    head = (person(request.person), " asks: ", *_called(request, here))
    held = _held(votes, here)
    rows = [*_body(request, told), *(_lost(name) for name in votes.lost)]
    if not waits:
        rows += [*held, _vote(request, votes, here, taps=taps)]
        return say(Sign.CARD, head, *rows, push=push, text=True)
    by: Text = ("Approved by ", *people(votes.by, "and")) if votes.by else ("Needs no vote",)
    now = [(*by, "."), *held] if held else [(*by, ", waits: ", *waits)]
    return say(Sign.RUNNING, head, *now, ("Until it runs, ❌ stops it.",), *rows)


def _called(request: Request, here: Here) -> Text:
    """`deactivate @max · #29`."""
    return (*headline(here, request.invocation), f" · #{request.id}")


def _body(request: Request, told: About) -> tuple[Text, ...]:
    reason = request.invocation.reason
    return (("Why: ", quote(reason)), *told.details) if reason else told.details


def _held(votes: Standing, here: Here) -> list[Text]:
    rows: list[Text] = []
    if votes.held:
        gone = " was erased from outside before I could read it."
        rows.append(("Held: a word of ", *people(votes.held, "and"), gone))
    if votes.doubted:
        until = f", until {here.clock.at(votes.doubted_until)}."
        who = people(votes.doubted, "and")
        rows.append(("Held: was that a no? It waits for ", *who, until))
    return rows


def _vote(request: Request, votes: Standing, here: Here, *, taps: bool) -> Text:
    """`Vote by 13:13 UTC: cy, ana or dan`; `1 of 2 votes: bo ✅. Vote by 13:13 UTC: …`."""
    who = _any(votes.helpers) if votes.needed == 1 else _wanted(votes.open)
    by = "" if request.expires is None else f" by {here.clock.at(request.expires)}"
    how = line("with `!approve {n}` or `!deny {n} why`", here, n=request.id)
    now: Text = ("Vote", by, *((": ", *who) if who else ()), *(() if taps else (", ", *how)))
    if not votes.filled:
        return now
    for_it = listed([(person(name), " ✅") for name in votes.by])
    return (f"{votes.filled} of {count(votes.needed, 'vote')}: ", *for_it, ". ", *now)


# --- what an approved card waits for


def waits_for_resume(pause: Pause, owners: Sequence[str], here: Here) -> Text:
    """Also what nobody has paused: somebody else uses the bot's account."""
    by = () if pause.by_itself else (" by ", person(pause.by))
    return line("paused{by}; {owners:people} can `!resume`", here, by=by, owners=owners)


def waits_for_conduit(since: float, here: Here) -> Text:
    return line("Conduit has not answered since {since:at}", here, since=since)


def waits_for_sluice(here: Here) -> Text:
    """The policy is wrong, or the way to Conduit is: `!status` says which."""
    return line("no command can run now, `!status` says why", here)


def waits_for_a_word() -> Text:
    """Who it waits for stands below."""
    return ("somebody's word may have been a no",)


def waits_for_its_turn(place: int) -> Text:
    return (f"place {place} in line",)


# --- once it runs


def running(
    request: Request, by: Sequence[str], here: Here, done: int = 0, total: int = 0
) -> Message:
    """⏳ while it runs. done, total: accounts."""
    how = f", {done} of {count(total, 'account')}" if done else ""
    head = (f"Running{how}: ", *_called(request, here))
    return say(Sign.RUNNING, head, _asked(request, by))


def ended(request: Request, by: Sequence[str], here: Here) -> Message:
    """The card when it is over: two lines."""
    sign = _SIGNS.get(request.state, Sign.NOT_RUN)
    head, why = how(request, here)
    why = why if sign is Sign.NOT_RUN else ()
    row = listed([each for each in (why, _asked(request, by)) if each], between=" ")
    return say(sign, head, row, text=True)


def edited(request: Request, here: Here, successor: int | None) -> Message:
    """The card of a command that its sender has changed. successor: the request it made."""
    head, why = how(request, here)
    now: Text = (f"Now it is #{successor}.",) if successor else ()
    row = [each for each in (why, now, _asked(request, ())) if each]
    return say(Sign.NOT_RUN, head, listed(row, between=" "), text=True)


def _asked(request: Request, by: Sequence[str]) -> Text:
    """`bo asked: “casino links”`; with those who approved it, `bo asked, cy approved: …`."""
    reason = request.invocation.reason
    voted: Text = (", ", *people(by, "and"), " approved") if by else ()
    return (person(request.person), " asked", *voted, *((": ", quote(reason)) if reason else ()))


@says("📋 Your edit says the same: #{request.id} goes on as it is.")
def as_before(request: Request) -> None:
    """Nothing of it is changed by an edit."""


# --- phrases -------------------------------------------------------------------------------------


def _any(names: Sequence[str]) -> Text:
    return people(names) if names else ("nobody here can",)


def _wanted(needs: Sequence[Need]) -> Text:
    """`a mod (bo or cy) and an owner (dan)`."""
    return listed([_counted(need) for need in needs], "and")


def _counted(need: Need) -> Text:
    what = a(need.role) if need.n == 1 else count(need.n, need.role)
    return (f"{what} (", *_any(need.names), ")")


def _lost(name: str) -> Text:
    return ("The vote of ", person(name), " no longer counts.")


def reminder(
    request: Request, votes: Standing, push: Sequence[str], here: Here, *, taps: bool
) -> Message:
    """✋ once, long before it expires, to those who have not voted."""
    left = about((request.expires or here.clock.now) - here.clock.now)
    head = (f"{left} left: ", *_called(request, here))
    vote = _vote(request, votes, here, taps=taps)
    return say(Sign.CARD, head, _asked(request, ()), vote, push=push, text=True)


def brief(card: Message) -> Message:
    """What a reminder becomes once its card has changed: what it is about, and how that stands."""
    rows = {Sign.CARD: (*card.lines[:1], card.lines[-1]), Sign.RUNNING: card.lines[:2]}
    return evolve(card, lines=rows.get(card.sign, card.lines[:1]), push=())


# --- votes that do not count ---------------------------------------------------------------------


def not_counted(
    request: Request, who: str, cause: Rejection, votes: Standing, here: Here
) -> Message:
    """Why a vote is not counted, said once."""
    if cause is Rejection.LATE:
        return _too_late(who, _late(request, here))
    if cause is Rejection.NOT_NEEDED:
        return _not_needed(request)
    return _not_counted(who, why_not(request.id, cause, votes))


@says("📋 {who:person}, too late: {late}")
def _too_late(who: str, late: Text) -> None: ...


@says("📋 #{request.id} needs no vote.")
def _not_needed(request: Request) -> None: ...


@says("📋 {who:person}, your vote does not count: {why}")
def _not_counted(who: str, why: Text) -> None: ...


def why_not(n: int, cause: Rejection, votes: Standing) -> Text:
    if cause is Rejection.NO_ROLE:
        return line("#{n} needs {roles:people}.", n=n, roles=[a(role) for role in votes.roles])
    if cause is Rejection.MANY:
        return (f"you have voted on #{n} too often, somebody else must.",)
    can = line(" {names:people} can.", names=votes.helpers) if votes.helpers else ()
    whose = "is your own request" if cause is Rejection.OWN else "is about your account"
    return (f"#{n} {whose}.", *can)


_SAYS = {Side.APPROVE: "yes", Side.DENY: "no"}


def vote_changed(before: Vote, now: Vote | None, who: str, here: Here) -> Message:
    """The edit of a message that is a vote. now: the vote that the new text is, if it counts."""
    n = before.request
    head: Text = (person(who), f", your {_SAYS[before.side]} to #{n} is taken back")
    if now is not None and now.cause is Rejection.NONE:
        return view((*head, f", you say {_SAYS[now.side]} to #{now.request} now."))
    again: Text = ("To vote anew: ", here.cmd(f"approve {n}"), " · ", here.cmd(f"deny {n} why"))
    return view((*head, "."), again)


def vote_stays(request: Request, who: str, here: Here) -> Message:
    """The same of a request that is no longer open."""
    return _vote_stays(who, _late(request, here))


@says("📋 {who:person}, your edit comes too late: {late}")
def _vote_stays(who: str, late: Text) -> None: ...


def _late(request: Request, here: Here) -> Text:
    number = f"#{request.id}"
    if request.state is State.EXPIRED:
        when = here.clock.at(request.expires or here.clock.now)
        again: Text = (person(request.person), " can send it again.")
        return (f"{number} expired at {when} and nothing ran. ", *again)
    if request.state in (State.DENIED, State.CANCELLED):
        note = after_state(request.note) if request.note.kind is WhyKind.BY else ()
        return (f"{number} is {called(request.state)}", *note, " and nothing ran.")
    if request.state is State.REJECTED:
        return (f"{number} was not allowed and nothing ran.",)
    if request.state is State.UNKNOWN:
        return (f"the outcome of {number} is unknown.",)
    return (f"{number} is {called(request.state)} already.",)


def counts_already(request: Request, votes: Standing) -> Message:
    """📋 to an approval by command of somebody whose vote counts."""
    now = ("It still needs ", *_wanted(votes.open)) if votes.open else ("It waits for its turn",)
    return _counts_already(request, now)


@says("📋 Your vote on #{request.id} counts already. {now}.")
def _counts_already(request: Request, now: Text) -> None: ...
