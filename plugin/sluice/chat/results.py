"""The message that ends a command: done, refused, failed, or outcome unknown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ..catalog.table import COMMANDS
from ..model.command import Invocation, Kind, Outcome, Tag
from ..model.result import Ending, Handed, How, Part
from ..text.message import Message, Sign, Text, code, quote
from ..text.phrases import Here, Line, alarm, below, capital, count, person, say
from .bulk import bulk, is_bulk
from .done import DONE, Case


def result(here: Here, ending: Ending, invocation: Invocation, parts: Sequence[Part]) -> Message:
    """What the ops room reads when a command that changes something has ended.

    parts: every line of the request in order, also those that were not sent (code "not_sent").
    """
    if is_bulk(invocation, parts):
        return bulk(here, ending, invocation, parts)
    worst = max((part.outcome for part in parts), key=lambda o: _RANK[o.kind])
    case = Case(here, ending, invocation, worst)
    if worst.kind is Kind.UNKNOWN and not COMMANDS[invocation.command].tags <= _LOOKS:
        return _unknown(case)
    return _done(case) if worst.kind is Kind.DONE else failed(case)


_RESTARTED = "Conduit restarted before it"
_LOOKS = frozenset((Tag.READ, Tag.INSPECT))
_RANK = {Kind.DONE: 0, Kind.REFUSED: 1, Kind.FAILED: 2, Kind.UNKNOWN: 3}


def _send(ending: Ending, sign: Sign, rows: Sequence[Line]) -> Message:
    push = (ending.mxid,) if ending.pushed else ()
    return say(sign, *rows, push=push, text=ending.pushed)


# --- done ---------------------------------------------------------------------------------------


def _done(case: Case) -> Message:
    here, ending = case.here, case.ending
    done = DONE[case.invocation.command](case)
    secret = Tag.SECRET in COMMANDS[case.invocation.command].tags
    if secret and ending.delivery.how is Handed.LOST:
        return _thrown_away(case, done.clause)
    lines, tail, by = done.lines, done.tail, ending.asked()
    if ending.how in (How.PROBED, How.SAID) and secret:
        again = here.cmd(f"resetpw {here.local(case.first)}")
        lines, tail = (("A password: ", again),), ()
    elif (ending.glass or ending.how is not How.ANSWERED) and not secret:
        lines = ()
    number = ending.numbered("done", here.clock)
    looked = f" {_why_looked(ending, 'answered')}; I looked myself."
    head: Text = (*number, *done.clause) if number else capital(done.clause)
    head = (*head, *by, ".") if ending.glass else (*head, ".", *by)
    head = (*head, looked) if ending.how is How.PROBED else head
    if number and tail:
        lines, tail = (below(tail), *lines), ()
    rows: list[Line] = [(*head, *tail), *lines, *([done.undo] if done.undo else [])]
    if ending.distrusted is not None:
        push = (ending.mxid, *case.invocation.values("user"), *here.owners)
        return alarm(push, (f"#{ending.request} done: ", *done.clause, ".", *by), *rows[1:])
    return _send(ending, Sign.DONE, rows)


def _why_looked(ending: Ending, then: str) -> str:
    """Why the answer told nothing. then: what Conduit did not do before it restarted."""
    why = WHY_UNKNOWN.get("unrecognised" if ending.raw else ending.doubt)
    return f"{_RESTARTED} {then}" if why is None else f"{why[0].upper()}{why[1:-1]}"


def _thrown_away(case: Case, clause: Text) -> Message:
    here, ending = case.here, case.ending
    number = ending.numbered("done", here.clock)
    head: Text = (*number, *clause) if number else capital(clause)
    again = here.cmd(f"resetpw {here.local(case.first)}")
    return alarm(
        (ending.mxid, *here.owners),
        (*head, ", but I could not hand over the password; it is thrown away."),
        (person(ending.person), ", get a new one: ", again),
    )


# --- refused and failed -------------------------------------------------------------------------

_MISSING: Mapping[str, Callable[[Case], Text]] = {
    "rmalias": lambda c: ("there is no address ", code(c.value("alias"))),
    "rmappservice": lambda c: ("Conduit knows no appservice ", code(c.value("appservice"))),
    "event": lambda c: ("Conduit knows no event ", code(c.value("event"))),
}
_REFUSED: Mapping[str, Callable[[Case], Text]] = {
    "exists": lambda c: (code(c.first), " exists already"),
    "bad_name": lambda c: (code(c.first), " is no name for Conduit"),
    "historical": lambda c: (code(c.first), " is no name for Conduit"),
    "remote": lambda c: ("that is not of this server",),
    "missing": lambda c: ("there is no account ", code(c.first)),
    "bad_list": lambda c: bad_list(c.outcome),
    "bad_mxc": lambda c: ("that is no id of a file",),
    "bad_time": lambda c: ("that time is too long ago",),
    "own_server": lambda c: ("Conduit does not purge its own server's files this way",),
}
_STILL: Mapping[str, Callable[[Case], Text]] = {
    "adduser": lambda c: ("There is no account ", code(c.first)),
    "deactivate": lambda c: (code(c.first), " is still active"),
    "rmalias": lambda c: ("The address still leads to its room",),
    "purge": lambda c: ("The files are still there",),
    "block": lambda c: ("The files can still be loaded",),
    "unblock": lambda c: ("The files still cannot be loaded",),
}
_VERB = {"purge": "removed", "block": "blocked", "unblock": "unblocked"}


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


def failed(case: Case) -> Message:
    """❌ Conduit said no, or tried and could not; also for commands that only read."""
    here, ending, outcome = case.here, case.ending, case.outcome
    command = case.invocation.command
    word = "refused" if outcome.kind is Kind.REFUSED else "failed"
    number = ending.numbered(word, here.clock)
    start: Text = number or (f"{word.capitalize()}: ",)
    if outcome.code in _REFUSED:
        why = _MISSING.get(command, _REFUSED["missing"])(case)
        why = why if outcome.code == "missing" else _REFUSED[outcome.code](case)
        return _send(ending, Sign.FAILED, [(*start, *why, ". Nothing changed.", *ending.asked())])
    rows: list[Line] = [(*start, *_how_failed(case))]
    if ending.how is How.SAID:
        return _send(ending, Sign.FAILED, [(*start, code(ending.line), ".")])
    error = outcome.get("error") or ending.raw
    if error:
        rows.append(("Conduit: ", quote(str(error), _ERROR)))
    look = look_for(case)
    if outcome.code == "still_there":
        there = _wrong(case)
        rows += [(code(mxc),) for mxc in there[:-1][:4]]
        rows.append((code(there[-1]), " Look: ", here.cmd(f"mediainfo {there[-1]}")))
    elif look and outcome.code in ("error", "media_failed"):
        full = "No space left" in str(error)
        rows.append(("Free space on the server, then look: " if full else "Look: ", *look))
    return _send(ending, Sign.FAILED, rows)


_NOT_DONE = {
    "purge": (" is still there", " are still there"),
    "block": (" can still be loaded", " can still be loaded"),
    "unblock": (" still cannot be loaded; it may be gone", " still cannot be loaded"),
}


def _wrong(case: Case) -> list[str]:
    """The files that are not as they should be now."""
    wanted = case.invocation.command == "unblock"
    mxcs = case.invocation.values("mxc")
    return [mxc for mxc in mxcs if case.ending.present.get(mxc, wanted) is not wanted]


def _how_failed(case: Case) -> Text:
    outcome, ending, command = case.outcome, case.ending, case.invocation.command
    again = "Nothing changed. Send it again."
    if outcome.code == "not_sent":
        return (
            f"not sent, {ending.left_out}. {again}" if ending.left_out else f"not sent. {again}",
        )
    if ending.how is How.PROBED or outcome.code == "probe":
        still = _STILL.get(command)
        nothing = (*still(case), ", nothing changed.") if still else ("Nothing changed.",)
        return (f"{_why_looked(ending, 'ran')}. ", *nothing)
    if outcome.code == "still_there":
        many = len(_wrong(case))
        files = "the file" if many == 1 else f"{many} files"
        return (f"Conduit said done, but {files}{_NOT_DONE[command][many > 1]}.",)
    if outcome.code == "media_failed":
        verb = _VERB.get(command.removesuffix("user").removesuffix("server"), "removed")
        files = count(max(case.number("failed"), 1), "file")
        return (f"{files} could not be {verb}; Conduit's own log says which.",)
    if outcome.code in ("usage", "unclosed", "no_block"):
        return ("Conduit did not take my line, an error of mine. Nothing changed.",)
    if outcome.code == "error":
        part = "" if COMMANDS[command].tags <= _LOOKS else "; part of it may have run"
        return (f"Conduit had an error while doing it{part}.",)
    if COMMANDS[command].can_stop and outcome.code in ("silent", "lost"):
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
_LOOK = {
    "adduser": "users {0}",
    "disableroom": "rooms {0}",
    "enableroom": "rooms {0}",
    "rmappservice": "appservices",
    "purge": "mediainfo {0}",
    "block": "mediainfo {0}",
    "unblock": "mediainfo {0}",
    "purgeuser": "media {0}",
    "purgeserver": "media {0}",
    "blockuser": "blocked",
    "registration.set": "registration",
    "clearcache": "memory",
}


def look_for(case: Case) -> Text:
    """The command that shows whether it has happened; empty where none does."""
    template = _LOOK.get(case.invocation.command)
    if template is None:
        return ()
    value = case.first
    if case.invocation.command == "adduser":
        value = case.here.local(value)
    elif value.startswith("!"):
        value = value[1:].partition(":")[0][:12]
    return (case.here.cmd(template.format(value)),)


def _unknown(case: Case) -> Message:
    here, ending, outcome = case.here, case.ending, case.outcome
    n, command = ending.request, case.invocation.command
    why = WHY_UNKNOWN.get(outcome.code, "Conduit restarted or dropped it.")
    secret = Tag.SECRET in COMMANDS[command].tags
    rows: list[Line] = [(f"#{n} outcome unknown: ", code(ending.line), f". {why}")]
    if outcome.code == "unrecognised" and secret:
        rows.append(_kept_private(ending))
    elif outcome.code == "unrecognised" and ending.raw is not None:
        rows.append(("Conduit: ", quote(ending.raw)))
    else:
        rows.append("It may or may not have run; I do not send it again.")
    done, not_done = here.cmd(f"resolve {n} done"), here.cmd(f"resolve {n} failed")
    look = look_for(case)
    see: Text = ("Look: ", *look, ". ") if look else ()
    if command == "adduser" and outcome.code != "unrecognised":
        again = here.cmd(f"resetpw {here.local(case.first)}")
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
    case = Case(here, ending, invocation, outcome)
    word = {Kind.DONE: "done", Kind.REFUSED: "refused"}.get(outcome.kind, "failed")
    look = look_for(case)
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
