"""What is open, and the strong measures: pause, break-glass and its review, trust."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from attrs import evolve, frozen

from ..model.request import Pause, Request, State
from ..text.message import Code, Message, Text, Topic, code
from ..text.pages import Pages, following, go_on, rows_of
from ..text.phrases import Here, count, dotted, line, listed, people, plural, view
from ..text.saying import says
from ..text.times import about as about_time
from .cards import Standing
from .ended import after_state
from .headline import headline

VOTES = ("✅", "❌")

_ROWS = 9  # open requests on a page


@frozen
class OpenRequest:
    """One open request in the list. yours: of who asks for it. place: in line, 0 while votes are
    missing."""

    request: Request
    short: Text
    votes: Standing
    may_vote: bool
    place: int = 0
    yours: bool = False


def pending(
    rows: Sequence[OpenRequest], reviews: Sequence[tuple[int, Text]], here: Here
) -> tuple[Message, Pages | None]:
    """📋 what is open, what ends first in front; and what is left of it. reviews: break-glass that
    waits for one, and for whom."""
    if not rows and not reviews:
        return view("No open requests."), None
    rows = sorted(rows, key=lambda row: (row.request.expires or inf, row.request.id))
    lines = [_open(row, here) for row in rows]
    lines += [(f"Break-glass #{number} waits for ", *who, "'s review.") for number, who in reviews]
    mine = [row.request.id for row in rows if row.may_vote]
    total = count(len(rows), "open request") if rows else "No open requests"
    total += " (✋ = you can vote)" if mine else ""
    about = Topic((*(row.request.id for row in rows), *(number for number, _ in reviews)))
    pages = Pages((f"{total}, {{}}:",), tuple(lines), _ROWS, about=about)
    left = following(pages)
    pages = pages if left else evolve(pages, head=(f"{total}:" if rows else f"{total}.",))
    head, shown = rows_of(pages)
    how: Text = ()
    if mine:
        how = line("To vote, tap its card, or: `!approve {n}` · `!deny {n} why`", here, n=mine[0])
    said = view(head, *shown, go_on(here, left) if left else (), how)
    return evolve(said, about=about), left


def _open(row: OpenRequest, here: Here) -> Text:
    """`✋ #30 cy: disableroom #warez · 50 min left`."""
    request, expires = row.request, row.request.expires
    facts: list[Text] = []
    if request.state is State.EXECUTING:
        facts.append(("running",))
    elif row.place:
        facts.append((f"place {row.place} in line",))
    elif row.votes.needed > 1:
        facts.append((f"{row.votes.filled} of {row.votes.needed} votes",))
    facts += [("held",)] if row.votes.held else []
    if expires is not None and request.state is State.PENDING:
        facts.append((f"{about_time(expires - here.clock.now)} left",))
    sign, yours = "✋ " if row.may_vote else "", " (yours)" if row.yours else ""
    what = [here.short(w.text) if isinstance(w, Code) and not w.quoted else w for w in row.short]
    by = here.short(request.person) if request.person.startswith("@") else request.person
    return dotted([(f"{sign}#{request.id} ", by, f"{yours}: ", *what), *facts])


# --- pause, break-glass, trust -------------------------------------------------------------------


def paused(
    by: str, why: str | None, is_open: int, owners: Sequence[str], push: Sequence[str], here: Here
) -> Message:
    reason = line("Why: {why:quote}", why=why) if why else ()
    stay = line("{n:count request} {n:stays/stay} open; votes count, nothing starts.", n=is_open)
    return _paused(here, by, owners, reason, stay if is_open else (), push)


@says("""❗ Paused by {by:person}: nothing can be changed now
Commands that only read still run. {owners:people} can `!resume`
{reason}
{stay}""")
def _paused(
    here: Here, by: str, owners: Sequence[str], reason: Text, stay: Text, push: Sequence[str]
) -> None: ...


def while_paused(pause: Pause, owners: Sequence[str], here: Here) -> Message:
    return (_while_misused if pause.by_itself else _while_paused)(here, pause, owners)


@says("""⛔ Not run: paused by {pause.by:person} since {pause.at:at}
{owners:people} can `!resume`. Then send it again.""")
def _while_paused(here: Here, pause: Pause, owners: Sequence[str]) -> None: ...


@says("""⛔ Not run: since {pause.at:at} somebody else uses my account. First see to that, then
  {owners:people} can `!resume`""")
def _while_misused(here: Here, pause: Pause, owners: Sequence[str]) -> None: ...


def resumed(
    by: str, runs: Sequence[int], gone: Sequence[tuple[int, float]], here: Here
) -> Message:
    """runs: in line. gone: (id, when) of those that expired meanwhile."""
    told: list[Text] = [(f"#{n} expired at {here.clock.at(at)}.",) for n, at in gone]
    if runs:
        has = plural(len(runs), "has its votes and runs", "have their votes and run")
        told.insert(0, line("{runs:numbers} {has} now.", runs=runs, has=has))
    return _resumed(by, listed(told, between=" "))


@says("""🔔 Resumed by {by:person}: changes are possible again.
{told}""")
def _resumed(by: str, told: Text) -> None: ...


@says("📋 Nothing is paused.")
def not_paused() -> None: ...


@says("📋 `{mxid}` has its role and vote; nobody took them.")
def trusted_already(mxid: str) -> None: ...


def reweighed(before: Request, after: Request, votes: Standing) -> list[Text]:
    """What a new policy did to an open request, for the message about that policy."""
    if after.state is State.CANCELLED:
        return [(f"#{after.id} is cancelled", *after_state(after.note), ".")]
    if after.state is State.EXPIRED:
        return [(f"#{after.id} has expired: votes are waited for less long now.",)]
    missing = votes.needed - votes.filled
    if before.queued_since is not None and missing:
        return [(f"#{after.id} needs {count(missing, 'more vote')}.",)]
    return [(f"#{after.id} needs no more votes.",)] if _has_its_votes(before, after) else []


def _has_its_votes(before: Request, after: Request) -> bool:
    return before.queued_since is None and after.queued_since is not None


def glass(request: Request, reviewers: Sequence[str], push: Sequence[str], here: Here) -> Message:
    review: Text = ("There is no other owner, so nobody reviews it.",)
    if reviewers:
        review = _was_it_right(request, reviewers, here)
    what = headline(here, request.invocation)
    return evolve(_glass(request, what, review, push), taps=VOTES if reviewers else ())


@says("""❗ Break-glass: {what} · #{request.id}
{request.person:person} runs it without a vote: {request.invocation.reason:quote}
{review}""")
def _glass(request: Request, what: Text, review: Text, push: Sequence[str]) -> None: ...


def _was_it_right(request: Request, reviewers: Sequence[str], here: Here) -> Text:
    return line(
        "Was it right? {who:people}: tap ✅ or ❌, or `!deny {n} why`",
        here,
        who=reviewers,
        n=request.id,
    )


_SPANS = {86400: "today", 3600: "this hour", 604800: "this week"}


def no_glass(due: Sequence[tuple[int, Sequence[str]]], used: int, most: int, every: float) -> Text:
    """Why there is no break-glass now, empty if there is.

    due: those without a review, and who can give it. used: of `most` in `every` seconds, 0 while
    there is room.
    """
    parts: list[Text] = [(f"#{n} is not reviewed yet (", *people(can), " can)") for n, can in due]
    if used:
        parts.append((f"{used} of {most} {_SPANS.get(int(every), 'in this span')} is used",))
    because = parts[0] if parts else ()
    for number, part in enumerate(parts[1:], 2):
        because = (*because, ", and " if number == len(parts) else ", ", *part)
    return because


def no_reviewer(reviewers: Sequence[str]) -> tuple[Text, Text]:
    """Why there is no break-glass while nobody could review it, and when there is."""
    is_there = plural(len(reviewers), "is", "are")
    because: Text = (*people(reviewers, "and"), f" would review it and {is_there} in no ops room")
    return because, line("Next: when {who:people} is in one.", who=reviewers)


def review_due(
    request: Request, reviewers: Sequence[str], push: Sequence[str], here: Here
) -> Message:
    """Once a day, while nobody has reviewed a break-glass."""
    what = headline(here, request.invocation)
    said = _review_due(here, request, what, _was_it_right(request, reviewers, here), push)
    return evolve(said, taps=VOTES)


@says("""❗ Break-glass, not reviewed: {what} · #{request.id}
{request.person:person} at {request.created:at}: {request.invocation.reason:quote}
{review}""")
def _review_due(
    here: Here, request: Request, what: Text, review: Text, push: Sequence[str]
) -> None: ...


def next_glass(at: float | None, reviewers: Sequence[str], here: Here) -> Text:
    """When the next break-glass is possible. at: when the quota has room; reviewers: still due."""
    when = f"Next: {here.clock.at(at)}" if at is not None else "Next:"
    if not reviewers:
        return (f"{when}.",)
    review = (*people(reviewers), "'s review.")
    return (f"{when}, after " if at is not None else f"{when} after ", *review)


def elsewhere(message: Message, room: str, push: Sequence[str]) -> Message:
    """The same in another room; push: whom it names there."""
    where: Text = ("It was in ", code(room), ".")
    return evolve(message, lines=(*message.lines, where), push=tuple(push))


def reviewed(request: Request, by: str, here: Here, *, right: bool) -> Message:
    """The edit of the break-glass message when somebody judged it."""
    what = headline(here, request.invocation)
    return (_was_right if right else _was_not_right)(request, what, by, push=())


@says(
    """✅ Break-glass: {what} · #{request.id}
{request.person:person} ran it without a vote; {by:person} says it was right.""",
    text=True,
)
def _was_right(request: Request, what: Text, by: str, push: Sequence[str]) -> None: ...


@says("""❗ Break-glass: {what} · #{request.id}
{request.person:person} ran it without a vote; {by:person} says it was not right.""")
def _was_not_right(request: Request, what: Text, by: str, push: Sequence[str]) -> None: ...


def not_in_order(
    request: Request, by: str, why: str, undo: Text, push: Sequence[str], here: Here
) -> Message:
    """undo: the line that takes it back, empty while it is not done."""
    said = line("Why: {why:quote}", why=why) if why else ()
    now = "is running" if request.state is State.EXECUTING else "is done"
    ran: Text = (f" without a vote; it {now}.", *((" ", *undo) if undo else ()))
    return _not_in_order(request, by, headline(here, request.invocation), said, ran, push)


@says("""❗ {by:person} objects: {what} · #{request.id}
{why}
{request.person:person} ran it{ran}""")
def _not_in_order(
    request: Request, by: str, what: Text, why: Text, ran: Text, push: Sequence[str]
) -> None: ...


def trusted(by: str, who: str, mxid: str, push: Sequence[str]) -> Message:
    name = line("{who} (`{mxid}`)" if who != mxid else "`{mxid}`", who=who, mxid=mxid)
    return _trusted(by, name, push)


@says("❗ {by:person} trusts {name} again: role and vote are back.")
def _trusted(by: str, name: Text, push: Sequence[str]) -> None: ...
