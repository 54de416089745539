"""The message that ends a command: done, refused, failed, or outcome unknown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from attrs import evolve

from ..catalog.accounts import new_password
from ..catalog.files import MEDIAINFO
from ..catalog.record import End, Words
from ..catalog.table import COMMANDS, action
from ..model.command import Invocation, Kind, Outcome
from ..model.result import Ending, Handed, How, Part
from ..text.message import Message, Sign, Text, code, quote
from ..text.phrases import Here, Line, alarm, below, capital, count, person, say
from .bulk import bulk, is_bulk
from .headline import headline, typed
from .taps import RESOLVED, how_it_ended
from .undo import AGAIN, UNDO, reverse, undo


def result(here: Here, ending: Ending, invocation: Invocation, parts: Sequence[Part]) -> Message:
    """What the ops room reads when a command that changes something has ended.

    parts: every line of the request in order, also those that were not sent (code "not_sent").
    """
    if is_bulk(invocation, parts):
        return bulk(here, ending, invocation, parts)
    worst = max((part.outcome for part in parts), key=lambda o: _RANK[o.kind])
    end = End(here, ending, invocation, worst)
    if worst.kind is Kind.UNKNOWN and not COMMANDS[invocation.command].looks:
        return _unknown(end)
    return _done(end) if worst.kind is Kind.DONE else failed(end)


_RESTARTED = "Conduit restarted before it"
_SHOWN = 3  # values in the command that takes it back
_RANK = {Kind.DONE: 0, Kind.REFUSED: 1, Kind.FAILED: 2, Kind.UNKNOWN: 3}


def _send(ending: Ending, sign: Sign, rows: Sequence[Line], *taps: str) -> Message:
    push = (ending.mxid,) if ending.pushed else ()
    return evolve(say(sign, *rows, push=push, text=ending.pushed), taps=taps)


# --- done ---------------------------------------------------------------------------------------


def _done(end: End) -> Message:
    here, ending = end.here, end.ending
    record = action(end.invocation.command)
    done = record.done(end)
    secret = record.secret
    head = (*capital(done.clause), *ending.how_known)
    if secret and ending.delivery.how is Handed.LOST:
        return _thrown_away(end, head)
    lines: tuple[Line, ...] = (*([below(done.tail)] if done.tail else []), *done.lines)
    if ending.how in (How.PROBED, How.SAID) and secret:
        lines = (("A password: ", new_password(here, end.first)),)
    elif (ending.glass or ending.how is not How.ANSWERED) and not secret:
        lines = ()
    if ending.how is How.PROBED:
        lines = (f"{_why_looked(ending, 'answered')}; I looked myself.", *lines)
    back, taps = _undo(end, done)
    rows: list[Line] = [(*head, ending.number), ending.answered(here.clock), *lines, back]
    if ending.distrusted is not None:
        push = (ending.mxid, *end.invocation.values("user"), *here.owners)
        return alarm(push, (*head, f" · #{ending.request}"), *rows[1:])
    return _send(ending, Sign.DONE, rows, *taps)


def _undo(end: End, done: Words) -> tuple[Text, tuple[str, ...]]:
    """The line that says how to take it back, and the button that does it."""
    if done.undo is not None:
        return done.undo, ()
    asked, votes = end.invocation, end.ending.undo_needs_votes
    whole = reverse(asked) is not None
    line = undo(end.here, asked.first(_SHOWN), votes=votes, note=done.note, tap=whole)
    return line, (UNDO,) if whole else ()


def _why_looked(ending: Ending, then: str) -> str:
    """Why the answer told nothing. then: what Conduit did not do before it restarted."""
    why = WHY_UNKNOWN.get("unrecognised" if ending.raw else ending.doubt)
    return f"{_RESTARTED} {then}" if why is None else f"{why[0].upper()}{why[1:-1]}"


def _thrown_away(end: End, head: Text) -> Message:
    here, ending = end.here, end.ending
    return alarm(
        (ending.mxid, *here.owners),
        (*head, ", but its password is lost", ending.number),
        "I could not hand it over; it is thrown away.",
        (person(ending.person), ", get a new one: ", new_password(here, end.first)),
    )


# --- refused and failed -------------------------------------------------------------------------

_REFUSED: Mapping[str, Callable[[End], Text]] = {
    "exists": lambda c: (code(c.first), " exists already"),
    "bad_name": lambda c: (code(c.first), " is no name for Conduit"),
    "historical": lambda c: (code(c.first), " is no name for Conduit"),
    "remote": lambda c: ("that is not of this server",),
    "missing": lambda c: c.says(COMMANDS[c.invocation.command].missing),
    "bad_list": lambda c: bad_list(c.outcome),
    "bad_mxc": lambda c: ("that is no id of a file",),
    "bad_time": lambda c: ("that time is too long ago",),
    "own_server": lambda c: ("Conduit does not purge its own server's files this way",),
}


def bad_list(outcome: Outcome) -> Text:
    """Which entries of a list Conduit did not take, and why."""
    parts: list[Text] = []
    for name, why in (
        ("invalid", " is no account name"),
        ("remote", " is of another server"),
        ("missing", " does not exist"),
    ):
        value = outcome.get(name)
        found = value if isinstance(value, tuple) else str(value or "").split("\n")
        parts += [(quote(each, 60), why) for each in found[:2] if each]
    return tuple([word for part in parts for word in ("; ", *part)][1:]) or ("a bad list",)


_ERROR = 120  # characters of Conduit's own words about a failure


def failed(end: End) -> Message:
    """❌ Conduit said no, or tried and could not; also for commands that only read."""
    here, ending, outcome = end.here, end.ending, end.outcome
    name = typed(here, end.invocation)
    if ending.how is How.SAID:
        return _not_done(end, (name, " failed"), (), retry=ending.again)
    if outcome.code in _REFUSED:
        why = _REFUSED[outcome.code](end)
        return _not_done(end, (name, " failed"), (*why, ". Nothing changed."), retry=False)
    rows: list[Line] = []
    error = outcome.get("error") or ending.raw
    if error:
        rows.append(("Conduit: ", quote(str(error), _ERROR)))
    look = _look(end)
    if outcome.code == "still_there":
        there = _wrong(end)
        rows += [(code(mxc),) for mxc in there[:-1][:4]]
        rows.append((code(there[-1]), " Look: ", here.cmd(f"{MEDIAINFO.name} {there[-1]}")))
    elif look and outcome.code in ("error", "media_failed"):
        full = "No space left" in str(error)
        rows.append(("Free space on the server, then look: " if full else "Look: ", *look))
    why, retry = _how_failed(end)
    return _not_done(end, (name, " failed"), why, *rows, retry=retry)


def _not_done(end: End, head: Text, why: Text, *rows: Line, retry: bool = True) -> Message:
    """why: goes on in the first line, where nothing else stands there. retry: the same may work
    now."""
    ending = end.ending
    known = (*ending.how_known, ending.number)
    told: list[Line] = [(*head, *known), ending.answered(end.here.clock), why]
    if not any(known):
        told = [(*head, ": ", *why)]
    again = retry and ending.again
    last: Line = f"Again: tap {AGAIN}" if again else "Send it again." if retry else ()
    return _send(ending, Sign.FAILED, [*told, *rows, last], *([AGAIN] if again else []))


def _wrong(end: End) -> list[str]:
    """The files that are not as they should be now."""
    wanted = action(end.invocation.command).loads
    mxcs = end.invocation.values("mxc")
    return [mxc for mxc in mxcs if end.ending.present.get(mxc, wanted) is not wanted]


def _how_failed(end: End) -> tuple[Text, bool]:
    """Why, and whether the same may work now."""
    outcome, ending, record = end.outcome, end.ending, COMMANDS[end.invocation.command]
    if outcome.code == "not_sent":
        why = f"not sent, {ending.left_out}. " if ending.left_out else "it was not sent. "
        return (f"{why}Nothing changed.",), True
    if ending.how is How.PROBED or outcome.code == "probe":
        still = end.says(record.still)
        nothing = (*still, ", nothing changed.") if still else ("Nothing changed.",)
        return (f"{_why_looked(ending, 'ran')}. ", *nothing), True
    if outcome.code == "still_there":
        many = len(_wrong(end))
        files = "the file" if many == 1 else f"{many} files"
        are = action(record.name).not_done[many > 1]
        return (f"Conduit said done, but {files}{are}.",), False
    if outcome.code == "media_failed":
        files = count(max(end.number("failed"), 1), "file")
        return (f"{files} could not be {record.could_not}; Conduit's own log says which.",), False
    if outcome.code in ("usage", "unclosed", "no_block"):
        return ("Conduit did not take my line, an error of mine. Nothing changed.",), False
    if outcome.code == "error":
        part = "" if record.looks else "; part of it may have run"
        return (f"Conduit had an error while doing it{part}.",), False
    why = WHY_UNKNOWN.get(outcome.code, f"{_RESTARTED} answered.")  # only of a command that looks
    if record.can_stop and outcome.code in ("silent", "lost"):
        owner = "Its answer may have been too long: only an owner can try again."
        return (f"{why} Nothing changed. {owner}",), False
    return (f"{why} Nothing changed.",), True


# --- outcome unknown ----------------------------------------------------------------------------

WHY_UNKNOWN = {
    "unrecognised": "I do not understand Conduit's answer.",
    "ambiguous": "I cannot tell which answer is its own.",
    "redacted": "Conduit's answer was deleted before I read it.",
    "silent": "Conduit does not answer.",
    "replaced": "The homeserver was restored or replaced.",
    "device": "I was signed in anew before I knew whether it was sent.",
}


def _look(end: End) -> Text:
    """The command that shows whether it has happened; empty where none does."""
    return end.says(COMMANDS[end.invocation.command].look)


def _unknown(end: End) -> Message:
    here, ending, outcome = end.here, end.ending, end.outcome
    n, secret = ending.request, COMMANDS[end.invocation.command].secret
    why = WHY_UNKNOWN.get(outcome.code, "Conduit restarted or dropped it.")
    rows: list[Line] = [(*headline(here, end.invocation), f": outcome unknown · #{n}"), why]
    if outcome.code == "unrecognised" and secret:
        rows.append(_kept_private(ending))
    elif outcome.code == "unrecognised" and ending.raw is not None:
        rows.append(("Conduit: ", quote(ending.raw)))
    else:
        rows[1] = f"{why} It may or may not have run; I do not send it again."
    look = _look(end)
    see: Text = ("Look: ", *look) if look else ()
    if secret and look and outcome.code != "unrecognised":
        again = new_password(here, end.first)
        see = (*see, ". If it is listed, tap ✅, then ", again, " for a password.")
    said = alarm((ending.mxid, *here.owners), *rows, see, how_it_ended(here, n))
    return evolve(said, taps=RESOLVED)


def _kept_private(ending: Ending) -> Text:
    shown: Text = ("It may hold a password, so I do not show it",)
    if ending.in_private:
        shown = (*shown, ": ", person(ending.person), " has it in private")
    gone = " Conduit's copy is removed." if ending.removed else ""
    return (*shown, f".{gone}")


def contradicted(here: Here, ending: Ending, invocation: Invocation, outcome: Outcome) -> Message:
    """A late answer says something else than the person who resolved it; nothing changes."""
    end = End(here, ending, invocation, outcome)
    word = {Kind.DONE: "done", Kind.REFUSED: "refused"}.get(outcome.kind, "failed")
    look = _look(end)
    return alarm(
        (ending.mxid, *here.owners),
        (*headline(here, invocation), f": Conduit says {word} · #{ending.request}"),
        (f"It answered at {here.clock.at(ending.at)}, after ", person(ending.by), " resolved it."),
        *([("I change nothing by myself. Look: ", *look)] if look else []),
    )
