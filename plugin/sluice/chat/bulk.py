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
from ..text.message import MAX_HEAD, Code, Message, Sign, Text, code, plain
from ..text.phrases import Here, Line, alarm, below, codes, count, listed, say
from ..text.times import span
from .undo import undo

_SHOWN = 4  # values that get a line with the reason why not


def is_bulk(invocation: Invocation, parts: Sequence[Part]) -> bool:
    """Whether each value is told by itself: `deactivateall`, and whatever took several lines."""
    command = COMMANDS[invocation.command]
    told = command.told if isinstance(command, Action) else None
    return told is not None and (len(parts) > 1 or told.always)


@frozen
class _Sorted:
    """What became of each value."""

    made: list[str] = field(factory=list)
    refused: list[Text] = field(factory=list)  # with the reason
    unknown: list[str] = field(factory=list)
    unsent: list[str] = field(factory=list)
    failed_files: list[int] = field(factory=list)  # how many, of each line that says so

    @property
    def total(self) -> int:
        return len(self.made) + len(self.refused) + len(self.unknown) + len(self.unsent)


@frozen
class _Bulk:
    """The end of a request, value by value. many: its record's words for that."""

    here: Here
    ending: Ending
    invocation: Invocation
    record: Action
    many: Many
    found: _Sorted

    def passwords(self) -> tuple[Text, list[Line]]:
        """Where they are: how the first line goes on, and lines below."""
        end = End(self.here, self.ending, self.invocation, Outcome(Kind.DONE, "created"))
        tail, lines = handed(end, "The passwords", many=True)
        return tail, list(lines)

    def made(self) -> list[Line]:
        """The names of what was done."""
        named = f"{self.many.verb.capitalize()}: "
        return [(named, *codes(self.found.made))] if self.found.made else []

    def refused(self) -> list[Line]:
        return [("Not: ", *why) for why in self.found.refused[:_SHOWN]]

    def log(self) -> Code:
        return self.here.cmd(f"log {self.ending.request}")

    def say(self, sign: Sign, rows: Sequence[Line]) -> Message:
        push = (self.ending.mxid,) if self.ending.pushed else ()
        return say(sign, *rows, push=push, text=self.ending.pushed)


def bulk(here: Here, ending: Ending, invocation: Invocation, parts: Sequence[Part]) -> Message:
    record, found = action(invocation.command), _sort(here, parts)
    assert record.told is not None
    it = _Bulk(here, ending, invocation, record, record.told, found)
    if found.unknown or found.unsent:
        return _stopped(it)
    rows = _some(it) if found.refused else _all(it)
    if failed := sum(found.failed_files):
        files = count(failed, "file")
        rows.append(f"{files} could not be removed; Conduit's own log says which.")
    rows += _quota(ending) if found.refused else []
    rows += [_undo(it)] if found.made else []
    return it.say(Sign.FAILED if found.refused else Sign.DONE, rows)


def _all(it: _Bulk) -> list[Line]:
    """All were done: named in the first line if they fit there."""
    ending, made = it.ending, it.found.made
    number = ending.numbered("done", it.here.clock)
    tail, lines = _handed(it)
    head: Text = (*number, f"{count(len(made), it.many.noun)} {it.many.verb}")
    named = (*head, ": ", *codes(made), ".", *ending.asked())
    short = len(plain(named)) <= MAX_HEAD - 2
    rows: list[Line] = [named if short and not number else (*head, ".", *ending.asked())]
    rows += [below(tail)] if tail else []
    rows += lines
    rows += it.made() if not short and not number else []
    after = it.many.after(it.invocation)
    return [*rows, after] if after else rows


def _some(it: _Bulk) -> list[Line]:
    """Some were not done."""
    ending, found, many = it.ending, it.found, it.many
    start = ending.numbered("done", it.here.clock)
    number: Text = (f"#{ending.request}: ",) if start and ending.how is How.ANSWERED else start
    done = f"{len(found.made)} of {count(found.total, many.noun)} {many.verb}"
    tail, lines = _handed(it)
    head = (*number, f"{done}, {len(found.refused)} not.", *ending.asked(), *tail)
    rows: list[Line] = [head, *lines, *(it.made() if not start else []), *it.refused()]
    if (more := len(found.refused) - _SHOWN) > 0:
        rows.append((f"and {more} more, all: ", it.log()))
    return rows


def _handed(it: _Bulk) -> tuple[Text, list[Line]]:
    """Where the passwords are, and which are lost."""
    lost, lines = it.ending.lost, list[Line]()
    tail: Text = ()
    if it.record.secret and len(it.found.made) > len(lost):
        tail, lines = it.passwords()
    if lost:
        again = new_password(it.here, lost[0])
        lines.append(("Without a password: ", *codes(lost[:_SHOWN]), ". Get one: ", again))
    return tail, lines


_LEFT_ALONE = " joined the admin room meanwhile, Conduit leaves those alone"


def _sort(here: Here, parts: Sequence[Part]) -> _Sorted:
    found = _Sorted()
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
            if isinstance(failed := outcome.get("failed"), int):
                found.failed_files.append(failed)
        else:
            found.refused.extend((code(item), _why_not(item, outcome)) for item in part.items)
    return found


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


def _undo(it: _Bulk) -> Text:
    asked, votes = it.invocation.only((it.found.made[0],)), it.ending.undo_needs_votes
    line = undo(it.here, asked, votes=votes, start="Undo one")
    return (*line, " · All names: ", it.log()) if it.many.always else line


# --- not all of it was sent, or nobody knows ----------------------------------------------------


def _stopped(it: _Bulk) -> Message:
    here, found, n = it.here, it.found, it.ending.request
    counts = [f"{len(found.made)} of {found.total} {it.many.verb}"]
    counts += [f"{len(found.refused)} not"] if found.refused else []
    counts += [f"{len(found.unknown)} unknown"] if found.unknown else []
    counts += [f"{len(found.unsent)} not sent"] if found.unsent else []
    rows: list[Line] = [f"#{n} stopped: {', '.join(counts)}."]
    if it.record.secret and found.made:
        tail, lines = it.passwords()
        rows += [below(tail), *lines, *it.made()]
    rows += [*it.refused(), _left(it)]
    if not found.unknown:
        return it.say(Sign.FAILED, [*rows, "Send the rest again if it is still wanted."])
    done, not_done = here.cmd(f"resolve {n} done"), here.cmd(f"resolve {n} failed")
    rest = (", and send the rest again.",) if found.unsent else ()
    rows.append((*_look(it), "Then: ", done, " or ", not_done, *rest))
    return alarm((it.ending.mxid, *here.owners), *rows)


def _left(it: _Bulk) -> Text:
    """Which are unknown, and which were not sent."""
    here, found = it.here, it.found
    which: Text = ("Unknown: ", *_span(here, found.unknown), ".") if found.unknown else ()
    if not found.unsent:
        return which
    why = f", {it.ending.left_out}." if it.ending.left_out else "."
    start = " Not sent: " if which else "Not sent: "
    return (*which, start, *_span(here, found.unsent), why)


def _span(here: Here, items: Sequence[str]) -> Text:
    """`s21 to s30`, in the order of the list; a few one by one."""
    names = [code(here.local(item)) for item in items]
    return (names[0], " to ", names[-1]) if len(names) > 3 else listed(names)


def _look(it: _Bulk) -> Text:
    items = it.found.unknown
    if it.many.noun != "account":
        return ("Look: ", it.here.cmd(f"{MEDIAINFO.name} {items[0]}"), ". ")
    names = [it.here.local(item) for item in items]
    start = names[0]
    while sum(name.startswith(start) for name in names) < len(names) * 0.75:
        start = start[:-1]
    look = it.here.cmd(f"{USERS.name} {start}".rstrip())
    return ("Look: ", look, f" ({it.many.listed}). ")
