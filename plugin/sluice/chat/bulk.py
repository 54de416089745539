"""The end of a request with several values: how many, which not and why, what is left."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import field, frozen

from ..catalog.accounts import USERS, handed, new_password
from ..catalog.files import MEDIAINFO
from ..catalog.record import Action, End, Many
from ..catalog.table import COMMANDS, action
from ..model.command import Invocation, Kind, Outcome
from ..model.result import Ending, How, Part
from ..text.message import MAX_HEAD, Message, Sign, Text, code, plain
from ..text.phrases import Here, Line, alarm, below, codes, count, listed, say
from ..text.times import span
from .undo import undo

_SHOWN = 4  # values that get a line with the reason why not


def is_bulk(invocation: Invocation, parts: Sequence[Part]) -> bool:
    """Whether each value is told by itself: `deactivateall`, and whatever took several lines."""
    command = COMMANDS[invocation.command]
    told = command.told if isinstance(command, Action) else None
    return told is not None and (len(parts) > 1 or told.always)


def _of(invocation: Invocation) -> tuple[Action, Many]:
    record = action(invocation.command)
    assert record.told is not None
    return record, record.told


@frozen
class _Sorted:
    made: list[str] = field(factory=list)
    refused: list[Text] = field(factory=list)
    unknown: list[str] = field(factory=list)
    unsent: list[str] = field(factory=list)
    failed_files: int = 0

    @property
    def total(self) -> int:
        return len(self.made) + len(self.refused) + len(self.unknown) + len(self.unsent)


def bulk(here: Here, ending: Ending, invocation: Invocation, parts: Sequence[Part]) -> Message:
    found = _sort(here, parts)
    record, told = _of(invocation)
    noun, verb = told.noun, told.verb
    if found.unknown or found.unsent:
        return _stopped(here, ending, invocation, found)
    end = End(here, ending, invocation, parts[0].outcome)
    tail: Text = ()
    lines: tuple[Line, ...] = ()
    if record.secret and len(found.made) > len(ending.lost):
        tail, lines = handed(end, "The passwords", many=True)
    if ending.lost:
        again = new_password(here, ending.lost[0])
        lost: Line = ("Without a password: ", *codes(ending.lost[:_SHOWN]), ". Get one: ", again)
        lines = (*lines, lost)
    number = ending.numbered("done", here.clock)
    rows: list[Line]
    if not found.refused:
        head: Text = (*number, f"{count(len(found.made), noun)} {verb}")
        named = (*head, ": ", *codes(found.made), ".", *ending.asked())
        short = len(plain(named)) <= MAX_HEAD - 2
        rows = [named if short and not number else (*head, ".", *ending.asked())]
        rows += [below(tail)] if tail else []
        rows += lines
        if not short and not number:
            rows.append((f"{verb.capitalize()}: ", *codes(found.made)))
    else:
        all_ = found.total
        start: Text = (
            number if ending.how is not How.ANSWERED else number and (f"#{ending.request}: ",)
        )
        head = (
            *start,
            f"{len(found.made)} of {count(all_, noun)} {verb}, {len(found.refused)} not.",
        )
        rows = [(*head, *ending.asked(), *tail), *lines]
        if found.made and not number:
            rows.append((f"{verb.capitalize()}: ", *codes(found.made)))
        rows += [("Not: ", *why) for why in found.refused[:_SHOWN]]
        if len(found.refused) > _SHOWN:
            more = len(found.refused) - _SHOWN
            rows.append((f"and {more} more, all: ", here.cmd(f"log {ending.request}")))
    if not found.refused and (after := told.after(invocation)):
        rows.append(after)
    if found.failed_files:
        files = count(found.failed_files, "file")
        rows.append(f"{files} could not be removed; Conduit's own log says which.")
    rows += _quota(ending) if found.refused else []
    if found.made:
        rows.append(_undo(here, ending, invocation, found.made[0]))
    sign = Sign.FAILED if found.refused else Sign.DONE
    push = (ending.mxid,) if ending.pushed else ()
    return say(sign, *rows, push=push, text=ending.pushed)


_LEFT_ALONE = " joined the admin room meanwhile, Conduit leaves those alone"


def _sort(here: Here, parts: Sequence[Part]) -> _Sorted:
    found = _Sorted()
    failed_files = 0
    for part in parts:
        outcome = part.outcome
        if outcome.code == "not_sent":
            found.unsent.extend(part.items)
        elif outcome.kind is Kind.UNKNOWN:
            found.unknown.extend(part.items)
        elif outcome.kind is Kind.DONE or outcome.code == "deactivated_all":
            skipped = _skipped(here, outcome)
            done = outcome.get("count")
            told = done is None or done == len(part.items) - len(skipped)
            for item in part.items:
                if item in skipped:
                    found.refused.append((code(item), _LEFT_ALONE))
                elif told:
                    found.made.append(item)
                else:  # fewer than asked, and Conduit does not say which
                    found.unknown.append(item)
            failed = outcome.get("failed")
            failed_files += failed if isinstance(failed, int) else 0
        else:
            found.refused.extend((code(item), _why_not(item, outcome)) for item in part.items)
    return _Sorted(found.made, found.refused, found.unknown, found.unsent, failed_files)


def _skipped(here: Here, outcome: Outcome) -> frozenset[str]:
    value = outcome.get("skipped")
    names = value if isinstance(value, tuple) else str(value or "").split(", ")
    return frozenset(n if n.startswith("@") else f"@{n}:{here.server}" for n in names if n)


_WHY_NOT = {
    "exists": ", somebody else made it meanwhile",
    "bad_name": ", no name for Conduit",
    "historical": ", no name for Conduit",
    "remote": ", of another server",
}
_IN_LIST = (
    ("missing", " does not exist any more"),
    ("remote", " is of another server"),
    ("invalid", " is no account name"),
)


def _why_not(item: str, outcome: Outcome) -> str:
    if outcome.code in _WHY_NOT:
        return _WHY_NOT[outcome.code]
    if outcome.code == "bad_list":
        for name, why in _IN_LIST:
            value = outcome.get(name)
            bad = value if isinstance(value, tuple) else str(value or "").split("\n")
            if item in bad:
                return why
        return ", Conduit runs nothing of a list with one bad name"
    return ", Conduit had an error" if outcome.code == "error" else ", Conduit could not"


def _quota(ending: Ending) -> list[Line]:
    if ending.quota is None:
        return []
    used, most, every = ending.quota
    when = "for today" if every == 86400 else f"in {span(every)}"
    return [f"{used} of your {most} {when} are used."]


def _undo(here: Here, ending: Ending, invocation: Invocation, first: str) -> Text:
    asked, votes = invocation.only((first,)), ending.undo_needs_votes
    line = undo(here, asked, votes=votes, start="Undo one")
    if _of(invocation)[1].always:
        return (*line, " · All names: ", here.cmd(f"log {ending.request}"))
    return line


# --- not all of it was sent, or nobody knows ----------------------------------------------------


def _stopped(here: Here, ending: Ending, invocation: Invocation, found: _Sorted) -> Message:
    (record, told), n = _of(invocation), ending.request
    counts = [f"{len(found.made)} of {found.total} {told.verb}"]
    counts += [f"{len(found.refused)} not"] if found.refused else []
    counts += [f"{len(found.unknown)} unknown"] if found.unknown else []
    counts += [f"{len(found.unsent)} not sent"] if found.unsent else []
    rows: list[Line] = [f"#{n} stopped: {', '.join(counts)}."]
    if record.secret and found.made:
        outcome = Outcome(Kind.DONE, "created")
        tail, lines = handed(End(here, ending, invocation, outcome), "The passwords", many=True)
        rows += [below(tail), *lines, ("Made: ", *codes(found.made))]
    rows += [("Not: ", *why) for why in found.refused[:_SHOWN]]
    which: Text = ()
    if found.unknown:
        which = ("Unknown: ", *_span(here, found.unknown), ".")
    if found.unsent:
        left = f", {ending.left_out}." if ending.left_out else "."
        which = (*which, " " if which else "", "Not sent: ", *_span(here, found.unsent), left)
    rows.append(tuple(part for part in which if part != ""))
    rest = ", and send the rest again." if found.unsent else ""
    if not found.unknown:
        push = (ending.mxid,) if ending.pushed else ()
        rows.append("Send the rest again if it is still wanted.")
        return say(Sign.FAILED, *rows, push=push, text=ending.pushed)
    done, not_done = here.cmd(f"resolve {n} done"), here.cmd(f"resolve {n} failed")
    see = _look(here, invocation, found.unknown)
    rows.append(
        (*see, "Then: ", done, " or ", not_done, rest)
        if rest
        else (*see, "Then: ", done, " or ", not_done)
    )
    return alarm((ending.mxid, *here.owners), *rows)


def _span(here: Here, items: Sequence[str]) -> Text:
    """`s21 to s30`, in the order of the list; a few one by one."""
    names = [code(here.local(item)) for item in items]
    return (names[0], " to ", names[-1]) if len(names) > 3 else listed(names)


def _look(here: Here, invocation: Invocation, items: Sequence[str]) -> Text:
    told = _of(invocation)[1]
    if told.noun != "account":
        return ("Look: ", here.cmd(f"{MEDIAINFO.name} {items[0]}"), ". ")
    names = [here.local(item) for item in items]
    start = names[0]
    while sum(name.startswith(start) for name in names) < len(names) * 0.75:
        start = start[:-1]
    look = here.cmd(f"{USERS.name} {start}".rstrip())
    return ("Look: ", look, f" ({told.listed}). ")
