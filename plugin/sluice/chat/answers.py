"""What Sluice answers about itself: `can`, `why`, `log`, `status`, `version`."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from ..catalog.table import COMMANDS
from ..model.command import Type
from ..model.decision import Decision, Quota, Verdict
from ..model.event import Json
from ..model.request import Request, Side, State, Vote
from ..policy.reasons import period
from ..text.message import Message, Text, code, quote
from ..text.pages import Pages, following, go_on, rows_of, with_range
from ..text.phrases import Here, Line, Word, count, line, listed, people, person, view
from ..text.saying import says
from ..text.times import span
from .ended import after_state
from .headline import as_typed
from .health import numbered
from .not_allowed import stop
from .notices import Window, on_until

_SIDES = {Side.APPROVE: "yes", Side.DENY: "no"}
_EVERY = {3600: "this hour", 86400: "today", 604800: "this week"}  # else "in 90 minutes"


# --- can ----------------------------------------------------------------------------------------


def can(decision: Decision, who: str = "") -> Message:
    """The same decision as for the command itself. who: the person, if it is somebody else."""
    start: Text = (person(who), ": ") if who else ()
    yes, no = ("yes", "no") if who else ("Yes", "No")
    if decision.verdict is Verdict.DENY:
        head: Text = (*start, f"{no}, ", *decision.because)
        if not (end := stop(decision.because)):
            return view(head, "Nothing has run.")
        nobody = " Built in, nobody can." if decision.fixed else ""
        return view((*head, f"{end}{nobody} Nothing has run."))
    wants: list[Text] = [("a reason",)] if decision.reason else []
    votes = sum(slot.n for slot in decision.slots)
    if votes:
        by: Text = (" (", *people(decision.can), ")") if decision.can else ()
        wants.append((count(votes, "vote"), *by))
    with_ = ("with ", *listed(wants, between=" and ")) if wants else ("at once",)
    return view(
        (*start, f"{yes}, ", *with_, ". Nothing has run."), *map(_left_of, decision.limits)
    )


def _left_of(quota: Quota) -> Text:
    of_all = quota.per == "everyone"
    return (f"{left(quota.left, quota.max, quota.every, of_all=of_all)}.",)


def left(left: int, most: int, every: int, *, of_all: bool) -> str:
    """`4 of 5 left this hour, for all together`"""
    when = _EVERY.get(every) or period(every)
    return f"{left} of {most} left {when}{', for all together' if of_all else ''}"


# --- why ----------------------------------------------------------------------------------------


def why(
    here: Here,
    request: Request,
    reasons: Sequence[Text],
    policy_at: float,
    votes: Sequence[Vote] = (),
) -> Message:
    """reasons: as they were when it was asked. policy_at: when that policy went live."""
    denied = request.state is State.REJECTED
    needed = sum(slot.n for slot in request.slots)
    how = f"allowed with {count(needed, 'vote')}" if needed else "allowed"
    if request.glass:
        how = "allowed as break-glass, without votes"
    head: Text = (f"#{request.id} was {'not allowed' if denied else how}: ", code(request.text))
    head = (*head, " (", person(request.person), f", {here.clock.at(request.created)})")
    policy = f"Policy of {here.clock.dated(policy_at)}."
    rows = list(reasons)
    if denied:
        last = rows.pop() if rows else ("No line allows it.",)
        return view(head, *rows[:8], last, (policy,))
    told = [
        (person(vote.person), f" {_SIDES[vote.side]} {here.clock.at(vote.at)}")
        for vote in votes
        if not vote.withdrawn and not vote.cause.value
    ]
    ended: list[Text] = [("Voted: ", *listed(told), ".")] if told else []
    if request.ended is not None:
        ended.append((f"{request.state.value.capitalize()} {here.clock.at(request.ended)}.",))
    return view(head, *rows[:8], listed(ended, between=" ") or (policy,))


# --- log ----------------------------------------------------------------------------------------

_STATES = {State.REJECTED: "not allowed", State.PENDING: "open", State.EXECUTING: "running"}


def state_word(state: State) -> str:
    """The fixed word for a state."""
    return _STATES.get(state, state.value)


@frozen
class Row:
    """One line of the log. at: epoch seconds."""

    at: float
    words: Text


MANY = 100  # lookups are counted so far
_ROWS = 8  # on a page
_VALUES = {Type.USER: "account", Type.MXC: "file"}  # what a list is of
_NAMED, _LINE = 3, 60  # values of a list, and characters of a command line, that are shown


def request_row(here: Here, request: Request) -> Row:
    """`bo: deactivate @spam #12, cy approved`: done needs no word, everything else does."""
    ends: list[Text] = []
    if request.glass:
        ends.append(("break-glass",))
    if request.state in (State.DENIED, State.EXPIRED, State.CANCELLED):
        ends.append((request.state.value, *after_state(request.note)))
    elif request.state is not State.DONE:
        ends.append((state_word(request.state),))
    if request.approved:
        ends.append((*people(request.approved, "and"), " approved"))
    tail = listed([f" #{request.id}", *ends])
    words = (_by(here, request.person), ": ", *_asked(here, request), *tail)
    return Row(request.ended or request.created, words)


def _asked(here: Here, request: Request) -> Text:
    """`deactivate @spam`; of a long list how many it has."""
    many, words = COMMANDS[request.invocation.command].many, request.text.split()
    values = request.invocation.values(many.name) if many else ()
    if many and len(values) > _NAMED:
        return (code(words[0]), f" {count(len(values), _VALUES[many.type])}")
    called = (as_typed(request.invocation, word) for word in words)
    text = " ".join(here.short(word).text for word in called)
    return (code(text if len(text) <= _LINE else f"{text[: _LINE - 1]}…"),)


def _by(here: Here, name: str) -> Word:
    """A name of the policy, or an account in short."""
    return here.short(name) if name.startswith("@") else name


def record_row(here: Here, at: float, kind: str, who: str | None, what: Json) -> Row:
    """An entry that is no request: a reload, a pause, a restart, a lookup, a vote."""
    by: Text = (_by(here, who), ": ") if who else ()
    about: Text = (" ", here.short(str(what["about"]))) if what.get("about") else ()
    reason = what.get("reason") or what.get("cause")
    said: Text = (": ", quote(str(reason), 60)) if reason else ()
    number = f" #{what['request']}" if what.get("request") else ""
    return Row(at, (*by, kind, *about, *said, number))


def log_pages(here: Here, who: str | None, rows: Sequence[Row]) -> Pages:
    """All rows, the newest first. who: whose."""
    of: Text = ("Log of ", _by(here, who)) if who else ("Log",)
    lines = tuple((f"{_moment(here, row.at)} ", *row.words) for row in rows)
    return Pages((*of, f", {{}} ({here.clock.zone_name()}):"), lines, _ROWS)


def log(here: Here, pages: Pages, hidden: int) -> Message:
    """The first page. hidden: how many lookups of that time it leaves out, at most MANY."""
    lines: list[Line] = [*rows_of(pages)[1]] or ["Nothing yet."]
    left = following(pages)
    if hidden:
        told = f"{MANY - 1}+ lookups" if hidden >= MANY else count(hidden, "lookup")
        lines.append((f"{told} hidden: ", here.cmd("log all")))
    ways = line("One: `!log 12` · File: `!log export`", here)
    last = (*go_on(here, left), " · ", *ways) if left else ways
    return view(with_range(pages.head, "newest first"), *lines, last)


def _moment(here: Here, at: float) -> str:
    today = here.clock.day(at) == here.clock.day(here.clock.now)
    return here.clock.time(at) if today else f"{here.clock.day(at)} {here.clock.time(at)}"


def log_one(here: Here, request: Request, steps: Sequence[Row], answer: str | None) -> Message:
    """`log 12`. answer: Conduit's words, None if they may hold a secret or none came."""
    head = (f"#{request.id} {state_word(request.state)}: ", code(request.text))
    rows: list[Line] = [(f"{_moment(here, step.at)} ", *step.words) for step in steps[:9]]
    if answer is not None:
        rows.append(("Conduit: ", quote(answer)))
    return view(head, *rows)


def step_asked(who: str, reason: str | None) -> Text:
    said: Text = (": ", quote(reason)) if reason else ()
    return (person(who), " asked", *said)


def step_voted(vote: Vote) -> Text:
    """`cy approved (tap)`, also of a vote that does not count."""
    how = {"reaction": "tap", "command": "typed", "reply": "reply"}[vote.how.value]
    verb = "approved" if vote.side is Side.APPROVE else "denied"
    why_: Text = (": ", quote(vote.reason)) if vote.reason else ()
    cause = f", does not count: {vote.cause.value}" if vote.cause.value else ""
    gone = ", taken back" if vote.withdrawn else ""
    return (person(vote.person), f" {verb} ({how}{cause}{gone})", *why_)


def step_sent(took: float | None) -> Text:
    """took: seconds from sending to the answer, None when none came."""
    if took is None:
        return ("sent, no answer",)
    return (f"sent, answered after {f'{took:.1f} s' if took < 9.95 else span(took)}",)


# --- status and version -------------------------------------------------------------------------


@frozen
class Overview:
    """conduit: `Conduit 0.10.12`; answers: seconds the last answer took, None if it is silent.

    running, open: requests. entries: of the log, unbroken. admins: members of the admin room.
    registration_meant: Conduit's config file opens it. paused_by: "" if not paused. problems: the
    worst first.
    """

    conduit: str
    answers: float | None
    running: int
    open: int
    policy_at: float | None
    entries: int
    unbroken: bool
    admins: int
    scrubs: bool
    registration: Window
    registration_meant: bool = False
    paused_by: str = ""
    paused_at: float = 0
    problems: tuple[Text, ...] = ()


def status(here: Here, s: Overview) -> Message:
    now = here.clock.at(here.clock.now)
    took = f"{s.conduit} answers"
    if s.answers is not None:
        took += f" ({s.answers * 1000:.0f} ms)"
    if s.problems:
        n = len(s.problems)
        worst = ", the worst first" if n > 1 else ""
        good = [took] if s.answers is not None else []
        good += ["policy valid"] if s.policy_at is not None else []
        good += ["log unbroken"] if s.unbroken else []
        last: list[Text] = [(f"Good: {', '.join(good)}.",)] if good else []
        head = f"{count(n, 'problem')}{worst} ({now}):"
        return view((head,), *numbered(s.problems[:9]), *last, _paused(here, s))
    is_open = "off" if s.registration is False else "not known"
    if s.registration is True and s.registration_meant:
        is_open = "on, as in its config file"
    elif s.registration:
        is_open = on_until(here, s.registration)
    anyone = " Anyone can make an account." if s.registration else ""
    scrubs = "I remove passwords there" if s.scrubs else "passwords stay readable there"
    policy = here.clock.dated(s.policy_at or 0)
    paused = _paused(here, s) or ("Not paused.",)
    return _all_good(here, s, anyone, took, policy, scrubs, is_open, paused)


@says("""📋 All good at {here.clock.now:at}.{anyone}
{took}. Running: {s.running}. Open: {s.open}.
Policy of {policy}, log of {s.entries:count entry/entries} unbroken.
Admin room: {s.admins:count member}, all expected; {scrubs}.
Registration {is_open}. {paused}""")
def _all_good(
    here: Here,
    s: Overview,
    anyone: str,
    took: str,
    policy: str,
    scrubs: str,
    is_open: str,
    paused: Text,
) -> None: ...


def _paused(here: Here, s: Overview) -> Text:
    if not s.paused_by:
        return ()
    return line("Paused by {by:person} since {at:at}.", here, by=s.paused_by, at=s.paused_at)


def version(
    here: Here, sluice: str, conduit: str, policy_at: float | None, source: str
) -> Message:
    policy = f"policy of {here.clock.dated(policy_at)}" if policy_at else "no valid policy"
    return _version(sluice, conduit, policy, source)


@says("📋 Sluice {sluice}, {conduit}, {policy}. Source and licence: {source}")
def _version(sluice: str, conduit: str, policy: str, source: str) -> None: ...


def policy_live(
    here: Here, policy_at: float, roles: Text, rules: int, tests: int, digest: str
) -> Message:
    """`policy`: what is live, so that owners can compare it with what they saved."""
    return _policy_live(here, policy_at, roles, rules, tests, digest[:16])


@says("""📋 Policy of {at:dated}: {rules:count rule}, {tests:count test}.
{roles}
Fingerprint: `{digest}`
What changed: `!log reload` · May somebody: `!can @bo …`""")
def _policy_live(
    here: Here, at: float, roles: Text, rules: int, tests: int, digest: str
) -> None: ...
