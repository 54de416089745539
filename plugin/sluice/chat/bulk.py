"""The end of a request with several values: how many, which not and why, what is left."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, field, frozen

from ..catalog.accounts import USERS, handed, new_password
from ..catalog.files import MEDIAINFO
from ..catalog.record import Action, End, Many
from ..catalog.table import COMMANDS, action
from ..model.command import Invocation, Kind, Outcome
from ..model.result import Ending, Part
from ..text.message import Message, Sign, Text, code
from ..text.phrases import Here, Line, alarm, below, count, listed, say
from ..text.times import span
from .taps import RESOLVED, how_it_ended
from .undo import undo

_SHOWN = 4  # values that get a line with the reason why not
_NAMES = 10  # of what was done


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

    def passwords(self) -> list[Line]:
        """Where they are."""
        end = End(self.here, self.ending, self.invocation, Outcome(Kind.DONE, "created"))
        tail, lines = handed(end, "The passwords", many=True)
        return [below(tail), *lines]

    def made(self) -> Line:
        """The names of what was done, short; the card has them too."""
        names = [self.here.local(each) for each in self.found.made]
        if not names or (self.ending.voted and len(names) == self.found.total):
            return ()
        shown = code(", ".join(names[:_NAMES]))
        more = len(names) - _NAMES
        return (shown, f" and {more} more") if more > 0 else (shown,)

    def refused(self) -> list[Line]:
        return [("Not: ", *why) for why in self.found.refused[:_SHOWN]]

    def all_names(self) -> Text:
        return (" · All names: ", self.here.cmd(f"more {self.ending.request}"))

    def head(self, done: str) -> Text:
        """What happened, how that is known, and the number at the end."""
        return (done, *self.ending.how_known, self.ending.number)

    def say(self, sign: Sign, rows: Sequence[Line]) -> Message:
        push = (self.ending.mxid,) if self.ending.pushed else ()
        return say(sign, *rows, push=push, text=self.ending.pushed)


def bulk(here: Here, ending: Ending, invocation: Invocation, parts: Sequence[Part]) -> Message:
    record, found = action(invocation.command), _sort(here, parts)
    assert record.told is not None
    it = _Bulk(here, ending, invocation, record, record.told, found)
    if found.unknown or found.unsent:
        return _stopped(it)
    rows = [*(_some(it) if found.refused else _all(it)), ending.answered(here.clock)]
    if failed := sum(found.failed_files):
        files = count(failed, "file")
        rows.append(f"{files} could not be removed; Conduit's own log says which.")
    rows += _quota(ending) if found.refused else []
    rows += [_undo(it)] if found.made else []
    return it.say(Sign.FAILED if found.refused else Sign.DONE, rows)


def _all(it: _Bulk) -> list[Line]:
    """All were done."""
    after = "" if it.ending.voted else it.many.after(it.invocation)
    done = f"{count(len(it.found.made), it.many.noun)} {it.many.verb}"
    return [it.head(done), it.made(), *_handed(it), after]


def _some(it: _Bulk) -> list[Line]:
    """Some were not done."""
    found, many = it.found, it.many
    done = f"{len(found.made)} of {count(found.total, many.noun)} {many.verb}"
    rows: list[Line] = [it.head(done), *it.refused()]
    if (more := len(found.refused) - _SHOWN) > 0:
        rows.append((f"and {more} more, all: ", it.here.cmd(f"log {it.ending.request}")))
    return [*rows, it.made() and ("Done: ", *it.made()), *_handed(it)]


def _handed(it: _Bulk) -> list[Line]:
    """Where the passwords are, and which are lost."""
    lost, lines = it.ending.lost, list[Line]()
    if it.record.secret and len(it.found.made) > len(lost):
        lines = it.passwords()
    if lost:
        again = new_password(it.here, lost[0])
        names = code(", ".join(it.here.local(each) for each in lost[:_SHOWN]))
        lines.append(("Without a password: ", names, ". Get one: ", again))
    return lines


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
    n, several = len(it.found.made), it.many.always and it.found.total > 1
    line = undo(it.here, asked, votes=votes, start="Undo" if n == 1 else "Undo one")
    return (*line, *it.all_names()) if n > _NAMES or several else line


# --- not all of it was sent, or nobody knows ----------------------------------------------------


def _stopped(it: _Bulk) -> Message:
    here, found, n = it.here, it.found, it.ending.request
    named = COMMANDS[it.invocation.command].typed
    done = f"{len(found.made)} of {found.total} {it.many.verb}"
    rows: list[Line] = [f"{named} stopped: {done} · #{n}"]
    if it.record.secret and found.made:
        rows += [*it.passwords(), it.made()]
    rows += [*it.refused(), *_left(it)]
    if not found.unknown:
        return it.say(Sign.FAILED, [*rows, "Send the rest again if it is still wanted."])
    rows += [_look(it), how_it_ended(here, n)]
    rows += ["Then send the rest again."] if found.unsent else []
    return evolve(alarm((it.ending.mxid, *here.owners), *rows), taps=RESOLVED)


def _left(it: _Bulk) -> list[Line]:
    """Which are unknown, and which were not sent."""
    here, found = it.here, it.found
    which: list[Line] = []
    if found.unknown:
        which.append((f"{len(found.unknown)} unknown: ", *_span(here, found.unknown)))
    if found.unsent:
        why = f", {it.ending.left_out}" if it.ending.left_out else ""
        which.append((f"{len(found.unsent)} not sent: ", *_span(here, found.unsent), why))
    return which


def _span(here: Here, items: Sequence[str]) -> Text:
    """`s21 to s30`, in the order of the list; a few one by one."""
    names = [code(here.local(item)) for item in items]
    return (names[0], " to ", names[-1]) if len(names) > 3 else listed(names)


def _look(it: _Bulk) -> Text:
    items = it.found.unknown
    if it.many.noun != "account":
        return ("Look: ", it.here.cmd(f"{MEDIAINFO.name} {items[0]}"))
    names = [it.here.local(item) for item in items]
    start = names[0]
    while sum(name.startswith(start) for name in names) < len(names) * 0.75:
        start = start[:-1]
    look = it.here.cmd(f"{USERS.name} {start}".rstrip())
    return ("Look: ", look, f" ({it.many.listed})")
