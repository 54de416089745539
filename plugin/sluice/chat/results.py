"""The message that ends a command: done, refused, failed, or outcome unknown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ..catalog.accounts import new_password
from ..catalog.files import MEDIAINFO
from ..catalog.record import End
from ..catalog.table import COMMANDS, action
from ..model.command import Invocation, Kind, Outcome
from ..model.result import Ending, Handed, How, Part
from ..text.message import Message, Sign, Text, code, quote
from ..text.phrases import Here, Line, alarm, below, capital, count, person, say
from .bulk import bulk, is_bulk
from .undo import undo


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


def _send(ending: Ending, sign: Sign, rows: Sequence[Line]) -> Message:
    push = (ending.mxid,) if ending.pushed else ()
    return say(sign, *rows, push=push, text=ending.pushed)


# --- done ---------------------------------------------------------------------------------------


def _done(end: End) -> Message:
    here, ending = end.here, end.ending
    record = action(end.invocation.command)
    done = record.done(end)
    secret = record.secret
    if secret and ending.delivery.how is Handed.LOST:
        return _thrown_away(end, done.clause)
    lines, tail, by = done.lines, done.tail, ending.asked()
    if ending.how in (How.PROBED, How.SAID) and secret:
        lines, tail = (("A password: ", new_password(here, end.first)),), ()
    elif (ending.glass or ending.how is not How.ANSWERED) and not secret:
        lines = ()
    number = ending.numbered("done", here.clock)
    looked = f" {_why_looked(ending, 'answered')}; I looked myself."
    head: Text = (*number, *done.clause) if number else capital(done.clause)
    head = (*head, *by, ".") if ending.glass else (*head, ".", *by)
    head = (*head, looked) if ending.how is How.PROBED else head
    if number and tail:
        lines, tail = (below(tail), *lines), ()
    back = done.undo
    if back is None:
        votes, asked = ending.undo_needs_votes, end.invocation.first(_SHOWN)
        back = undo(here, asked, votes=votes, note=done.note)
    rows: list[Line] = [(*head, *tail), *lines, *([back] if back else [])]
    if ending.distrusted is not None:
        push = (ending.mxid, *end.invocation.values("user"), *here.owners)
        return alarm(push, (f"#{ending.request} done: ", *done.clause, ".", *by), *rows[1:])
    return _send(ending, Sign.DONE, rows)


def _why_looked(ending: Ending, then: str) -> str:
    """Why the answer told nothing. then: what Conduit did not do before it restarted."""
    why = WHY_UNKNOWN.get("unrecognised" if ending.raw else ending.doubt)
    return f"{_RESTARTED} {then}" if why is None else f"{why[0].upper()}{why[1:-1]}"


def _thrown_away(end: End, clause: Text) -> Message:
    here, ending = end.here, end.ending
    number = ending.numbered("done", here.clock)
    head: Text = (*number, *clause) if number else capital(clause)
    return alarm(
        (ending.mxid, *here.owners),
        (*head, ", but I could not hand over the password; it is thrown away."),
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
    word = "refused" if outcome.kind is Kind.REFUSED else "failed"
    number = ending.numbered(word, here.clock)
    start: Text = number or (f"{word.capitalize()}: ",)
    if outcome.code in _REFUSED:
        why = _REFUSED[outcome.code](end)
        return _send(ending, Sign.FAILED, [(*start, *why, ". Nothing changed.", *ending.asked())])
    rows: list[Line] = [(*start, *_how_failed(end))]
    if ending.how is How.SAID:
        return _send(ending, Sign.FAILED, [(*start, code(ending.line), ".")])
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
    return _send(ending, Sign.FAILED, rows)


def _wrong(end: End) -> list[str]:
    """The files that are not as they should be now."""
    wanted = action(end.invocation.command).loads
    mxcs = end.invocation.values("mxc")
    return [mxc for mxc in mxcs if end.ending.present.get(mxc, wanted) is not wanted]


def _how_failed(end: End) -> Text:
    outcome, ending, record = end.outcome, end.ending, COMMANDS[end.invocation.command]
    again = "Nothing changed. Send it again."
    if outcome.code == "not_sent":
        return (
            f"not sent, {ending.left_out}. {again}" if ending.left_out else f"not sent. {again}",
        )
    if ending.how is How.PROBED or outcome.code == "probe":
        still = end.says(record.still)
        nothing = (*still, ", nothing changed.") if still else ("Nothing changed.",)
        return (f"{_why_looked(ending, 'ran')}. ", *nothing)
    if outcome.code == "still_there":
        many = len(_wrong(end))
        files = "the file" if many == 1 else f"{many} files"
        are = action(record.name).not_done[many > 1]
        return (f"Conduit said done, but {files}{are}.",)
    if outcome.code == "media_failed":
        files = count(max(end.number("failed"), 1), "file")
        return (f"{files} could not be {record.could_not}; Conduit's own log says which.",)
    if outcome.code in ("usage", "unclosed", "no_block"):
        return ("Conduit did not take my line, an error of mine. Nothing changed.",)
    if outcome.code == "error":
        part = "" if record.looks else "; part of it may have run"
        return (f"Conduit had an error while doing it{part}.",)
    if record.can_stop and outcome.code in ("silent", "lost"):
        again = "Nothing changed. Its answer may have been too long: only an owner can try again."
    if outcome.code in WHY_UNKNOWN:  # only of a command that looks
        why = WHY_UNKNOWN[outcome.code]
        return (f"{why[0].upper()}{why[1:]} {again.removesuffix(' Send it again.')}",)
    return (f"Conduit restarted before it answered. {again}",)


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
    rows: list[Line] = [(f"#{n} outcome unknown: ", code(ending.line), f". {why}")]
    if outcome.code == "unrecognised" and secret:
        rows.append(_kept_private(ending))
    elif outcome.code == "unrecognised" and ending.raw is not None:
        rows.append(("Conduit: ", quote(ending.raw)))
    else:
        rows.append("It may or may not have run; I do not send it again.")
    done, not_done = here.cmd(f"resolve {n} done"), here.cmd(f"resolve {n} failed")
    look = _look(end)
    see: Text = ("Look: ", *look, ". ") if look else ()
    if secret and look and outcome.code != "unrecognised":
        again = new_password(here, end.first)
        rows.append((*see, "If it is listed: ", done, ", then ", again, " for a password."))
    else:
        rows.append((*see, "Then: ", done, " or ", not_done))
    return alarm((ending.mxid, *here.owners), *rows)


def _kept_private(ending: Ending) -> Text:
    shown: Text = ("It may hold a password, so it is not shown here",)
    if ending.in_private:
        shown = (*shown, ": ", person(ending.person), " has it in private")
    gone = " Conduit's copy in the admin room is removed." if ending.removed else ""
    return (*shown, f".{gone}")


def contradicted(here: Here, ending: Ending, invocation: Invocation, outcome: Outcome) -> Message:
    """A late answer says something else than the person who resolved it; nothing changes."""
    end = End(here, ending, invocation, outcome)
    word = {Kind.DONE: "done", Kind.REFUSED: "refused"}.get(outcome.kind, "failed")
    look = _look(end)
    head: Text = (
        f"#{ending.request} was resolved by ",
        person(ending.by),
        ", but Conduit answered",
    )
    return alarm(
        (ending.mxid, *here.owners),
        (*head, f" at {here.clock.at(ending.at)}: {word}."),
        ("The command was: ", code(ending.line)),
        *([("I change nothing by myself. Look: ", *look)] if look else []),
    )
