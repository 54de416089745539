"""Cards and votes: asked, counted, reminded, ended without having run.

Persons come as the names of the policy, or as MXIDs without one. What ran is told by `results`;
here is only how a request got there, or did not.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from ..model.ids import PersonName
from ..model.request import Rejection, Request, Side, State, Vote, WhyKind
from ..text.message import Message, Sign, Text, quote
from ..text.phrases import Here, a, count, line, listed, people, person, say, view
from ..text.saying import says
from .card_text import About
from .ended import after_state, is_clause

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
    push: Sequence[str],
    here: Here,
    *,
    taps: bool = True,
) -> Message:
    """✋ with everything that whoever votes must know. push: MXIDs that can fill a slot. taps:
    whether all of them can react in this room."""
    head = (f"#{request.id} Approve? ", person(request.person), " asks: ", *told.what)
    if len(votes.needs) == 1:
        who = _any(votes.needs[0].names)
    else:
        who = listed([_counted(need) for need in votes.needs], "and")
    needs: Text = (f"Needs {count(votes.needed, 'vote')}: ", *who, ".")
    if request.expires is not None:
        needs = (*needs, f" Open until {here.clock.until(request.expires)}.")
    rows = [head, *_body(request, told), needs, _tap(request, here, taps)]
    return say(Sign.CARD, *rows, push=tuple(push), text=True)


def voted(
    request: Request,
    told: About,
    votes: Standing,
    here: Here,
    place: int = 0,
    *,
    taps: bool = True,
) -> Message:
    """The card after a vote came or went. place: in line, once nothing is missing any more."""
    by: Text = (" (", *people(votes.by, "and"), ")") if votes.by else ()
    head = (f"#{request.id} has {votes.filled} of {count(votes.needed, 'vote')}", *by, ": ")
    now = (f" It waits for its turn, place {place}.",) if place else _still(votes)
    lost = tuple(word for name in votes.lost for word in _lost(name))
    rows: list[Text] = [(*head, *told.short, ".", *lost, *now)]
    if votes.held:
        gone = " was erased from outside before I could read it."
        rows.append(("Held: a word of ", *people(votes.held, "and"), gone))
    if votes.doubted:
        until = here.clock.at(votes.doubted_until)
        rows.append(
            (
                "Held: was that a no? It waits for ",
                *people(votes.doubted, "and"),
                f", until {until}.",
            )
        )
    rows += _body(request, told)
    if request.expires is not None:
        rows.append((f"Open until {here.clock.at(request.expires)}.",))
    rows.append(_tap(request, here, taps))
    return say(Sign.CARD, *rows, text=True)


def running(
    request: Request, told: About, by: Sequence[str], done: int = 0, total: int = 0
) -> Message:
    """⏳ while it runs. done, total: accounts."""
    how: Text = (f", {done} of {count(total, 'account')}",) if done else _approved(by)
    head = (f"#{request.id} running", *how, ": ", *told.short)
    return say(Sign.RUNNING, head, *_body(request, told))


def ended(request: Request, told: About, by: Sequence[str], here: Here) -> Message:
    """The card when it is over."""
    sign = _SIGNS.get(request.state, Sign.NOT_RUN)
    if sign is Sign.NOT_RUN:
        head = _how_it_ended(request, told, here, card=True)
    else:
        head = (f"#{request.id} {called(request.state)}", *_approved(by), ": ", *told.short)
    return say(sign, head, *_body(request, told), text=True)


def edited(request: Request, told: About, successor: int | None) -> Message:
    """The card of a command that its sender has changed. successor: the request it made."""
    head: Text = (f"#{request.id} cancelled, ", person(request.person), " changed the command.")
    head = (*head, f" Now: #{successor}") if successor else head
    return say(Sign.NOT_RUN, head, *_body(request, told), text=True)


@says("📋 Your edit says the same: #{request.id} goes on as it is.")
def as_before(request: Request) -> None:
    """Nothing of it is changed by an edit."""


def _body(request: Request, told: About) -> tuple[Text, ...]:
    reason = request.invocation.reason
    return (("Reason: ", quote(reason)), *told.details) if reason else told.details


def _until(request: Request, here: Here) -> Text:
    """With the blank before it; nothing where nothing expires."""
    return () if request.expires is None else (f" Open until {here.clock.at(request.expires)}.",)


def _tap(request: Request, here: Here, taps: bool) -> Text:
    return line(
        "Tap ✅ or ❌. Or: `!approve {n}` · `!deny {n} why`"
        if taps
        else "Type `!approve {n}` or `!deny {n} why`. Not everybody can tap here.",
        here,
        n=request.id,
    )


# --- phrases -------------------------------------------------------------------------------------


def called(state: State) -> str:
    """The fixed word for a state."""
    words = {State.PENDING: "open", State.EXECUTING: "running", State.UNKNOWN: "outcome unknown"}
    return words.get(state, state.value)


def _any(names: Sequence[str]) -> Text:
    return people(names) if names else ("nobody here can",)


def _counted(need: Need) -> Text:
    return (f"{count(need.n, need.role)} (", *_any(need.names), ")")


def _still(votes: Standing) -> Text:
    """`Still needs an owner: dan.`"""
    return (" Still ", *_needs(votes))


def _needs(votes: Standing) -> Text:
    if len(votes.open) != 1:
        return ("needs ", *listed([_counted(need) for need in votes.open], "and"), ".")
    need = votes.open[0]
    what = a(need.role) if need.n == 1 else count(need.n, need.role)
    return (f"needs {what}: ", *_any(need.names), ".")


def _lost(name: str) -> Text:
    who = person(name)
    if isinstance(who, str):
        return (f" {who}'s vote no longer counts.",)
    return (" The vote of ", who, " no longer counts.")


def _approved(by: Sequence[str]) -> Text:
    return (", approved by ", *people(by, "and")) if by else ()


def _how_it_ended(request: Request, told: About, here: Here, *, card: bool = False) -> Text:
    """`#19 expired at 15:03 UTC, nothing ran: deactivate …`. The note begins with its comma."""
    head = f"#{request.id} {called(request.state)}"
    if request.state is State.EXPIRED:
        head += f" at {here.clock.at(request.expires or here.clock.now)}"
    note = () if card and request.state is State.EXPIRED else after_state(request.note)
    if is_clause(request.note) and note:
        return (head, *note, ". Nothing ran.")
    ran = "" if card and request.state is not State.CANCELLED else ", nothing ran"
    return (head, *note, f"{ran}: ", *told.short)


def reminder(request: Request, votes: Standing, push: Sequence[str], here: Here) -> Message:
    """✋ once, long before it expires, to those who have not voted."""
    missing = votes.needed - votes.filled
    head = f"#{request.id} still needs {count(missing, 'vote')}: "
    rows: Text = (head, *_any(votes.helpers), ".", *_until(request, here))
    return say(Sign.CARD, rows, push=tuple(push), text=True)


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


@says("⛔ {who:person}, too late: {late}")
def _too_late(who: str, late: Text) -> None: ...


@says("📋 #{request.id} needs no vote.")
def _not_needed(request: Request) -> None: ...


@says("⛔ {who:person}, your vote does not count: {why}")
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


@says("⛔ {who:person}, your edit comes too late: {late}")
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
    now = ("still ", *_needs(votes)) if votes.open else ("waits for its turn.",)
    return _counts_already(request, now)


@says("📋 Your vote on #{request.id} counts already. It {now}")
def _counts_already(request: Request, now: Text) -> None: ...
