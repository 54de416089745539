"""What is open, and the strong measures: pause, break-glass and its review, trust."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, frozen

from ..model.request import Pause, Request, State
from ..text.message import Message, Sign, Text, code, quote
from ..text.phrases import Here, alarm, count, news, not_run, people, person, say, view
from .card_text import About
from .cards import Standing
from .ended import after_state


@frozen
class OpenRequest:
    """One open request in the list. place: in line, 0 while votes are missing."""

    request: Request
    short: Text
    votes: Standing
    may_vote: bool
    place: int = 0


def pending(
    rows: Sequence[OpenRequest], reviews: Sequence[tuple[int, Text]], here: Here
) -> Message:
    """📋 what is open. reviews: break-glass that waits for one, and for whom."""
    if not rows and not reviews:
        return view("No open requests.")
    lines: list[Text] = [(_can_vote(rows),)] if rows else [("No open requests.",)]
    for row in rows:
        request = row.request
        lines.append(
            (f"#{request.id} ", person(request.person), ": ", *row.short, _how(row, here))
        )
    for number, who in reviews:
        lines.append((f"Break-glass #{number} waits for ", *who, "'s review."))
    return view(*lines)


def _can_vote(rows: Sequence[OpenRequest]) -> str:
    n, can = len(rows), sum(row.may_vote for row in rows)
    head = count(n, "open request")
    if can == n:
        which = {1: "it", 2: "both"}.get(n, "all")
        return f"{head}, you can vote on {which}:"
    return f"{head}, you can vote on {can}:" if can else f"{head}:"


def _how(row: OpenRequest, here: Here) -> str:
    if row.request.state is State.EXECUTING:
        return ", running"
    votes = f", {row.votes.filled} of {row.votes.needed}" if row.votes.needed else ""
    place = f", place {row.place}" if row.place else ""
    expires = row.request.expires
    place += ", held" if row.votes.held else ""
    return votes + place + (f", until {here.clock.at(expires)}" if expires is not None else "")


# --- pause, break-glass, trust -------------------------------------------------------------------


def paused(
    by: str, why: str | None, is_open: int, owners: Sequence[str], push: Sequence[str], here: Here
) -> Message:
    can = (*people(owners), " can ", here.cmd("resume"))
    rows: list[Text] = [("Paused by ", person(by), ": only commands that read run now. ", *can)]
    if why:
        rows.append(("Reason: ", quote(why)))
    if is_open:
        stay = f"{count(is_open, 'request')} {'stays' if is_open == 1 else 'stay'} open"
        rows.append((f"{stay}; votes count, nothing starts.",))
    return alarm(push, *rows)


def while_paused(pause: Pause, owners: Sequence[str], here: Here) -> Message:
    since = here.clock.at(pause.at)
    head: Text = ("Not run: paused by ", person(pause.by), f" since {since}. ")
    if pause.by_itself:
        head = (f"Not run: since {since} somebody else uses my account. First see to that, then ",)
    return not_run((*head, *people(owners), " can ", here.cmd("resume")))


def resumed(
    by: str, runs: Sequence[int], gone: Sequence[tuple[int, float]], here: Here
) -> Message:
    """runs: in line. gone: (id, when) of those that expired meanwhile."""
    rows: list[Text] = [("Resumed by ", person(by), ", everything runs again.")]
    told = [f"#{n} expired at {here.clock.at(at)}." for n, at in gone]
    if runs:
        which = ", ".join(f"#{n}" for n in runs)
        has = "has its votes and runs" if len(runs) == 1 else "have their votes and run"
        told.insert(0, f"{which} {has} now.")
    return news(*rows, *([" ".join(told)] if told else []))


def not_paused() -> Message:
    return view("Nothing is paused.")


def trusted_already(mxid: str) -> Message:
    return view((code(mxid), " has its role and vote; nobody took them."))


def reweighed(before: Request, after: Request, votes: Standing) -> list[Text]:
    """What a new policy did to an open request, for the message about that policy."""
    if after.state is State.CANCELLED:
        return [(f"#{after.id} is cancelled", *after_state(after.note), ".")]
    if after.state is State.EXPIRED:
        return [(f"#{after.id} has expired.",)]
    missing = votes.needed - votes.filled
    if before.queued_since is not None and missing:
        return [(f"#{after.id} needs {count(missing, 'more vote')}.",)]
    return [(f"#{after.id} needs no more votes.",)] if _has_its_votes(before, after) else []


def _has_its_votes(before: Request, after: Request) -> bool:
    return before.queued_since is None and after.queued_since is not None


def glass(
    request: Request, told: About, reviewers: Sequence[str], push: Sequence[str], here: Here
) -> Message:
    n = request.id
    rows: list[Text] = [
        ("Break-glass by ", person(request.person), ", no approval: ", *told.short, f" (#{n})"),
        ("Reason: ", quote(request.invocation.reason or "")),
    ]
    if reviewers:
        how = (here.cmd(f"approve {n}"), " or ", here.cmd(f"deny {n} why"))
        rows.append((*people(reviewers), ", review it: ", *how))
    else:
        rows.append(("There is no other owner, so nobody reviews it.",))
    return alarm(push, *rows)


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
    who, is_there = people(reviewers), "is" if len(reviewers) == 1 else "are"
    because: Text = (*people(reviewers, "and"), f" would review it and {is_there} in no ops room")
    return because, ("Next: when ", *who, " is in one.")


def review_due(
    request: Request, told: About, reviewers: Sequence[str], push: Sequence[str], here: Here
) -> Message:
    """Once a day, while nobody has reviewed a break-glass."""
    n, at = request.id, here.clock.at(request.created)
    head: Text = (f"Break-glass #{n} is not reviewed yet, ", *people(reviewers), ": ")
    who: Text = ("By ", person(request.person), f" at {at}. Reason: ")
    how: Text = ("Review it: ", here.cmd(f"approve {n}"), " or ", here.cmd(f"deny {n} why"))
    reason = quote(request.invocation.reason or "")
    return alarm(push, (*head, *told.short), (*who, reason), how)


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


def reviewed(request: Request, told: About, by: str) -> Message:
    """The edit of the break-glass message after a review in order."""
    head: Text = (f"#{request.id} reviewed by ", person(by), ", in order: ", *told.short)
    return say(Sign.DONE, (*head, ", break-glass by ", person(request.person)), text=True)


def not_in_order(request: Request, by: str, why: str, undo: Text, push: Sequence[str]) -> Message:
    """undo: the line that takes it back, empty while it is not done."""
    head: Text = (f"#{request.id} reviewed by ", person(by), ", not in order")
    first = (*head, ": ", quote(why)) if why else (*head, ".")
    ran = "It is running." if request.state is State.EXECUTING else "It has run."
    return alarm(push, first, (ran, *((" ", *undo) if undo else ())))


def trusted(by: str, who: str, mxid: str, push: Sequence[str]) -> Message:
    name: Text = (who, " (", code(mxid), ")") if who != mxid else (code(mxid),)
    head: Text = (person(by), " trusts ", *name, " again: role and vote are back.")
    return alarm(push, head)
