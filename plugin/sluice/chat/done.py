"""What a command did, in words: one function a command, all in one table.

Each gives a clause ("@spam:example.org is deactivated"), what to say after it in the same line,
and the lines below. `results` makes the sentence of it that fits how the request ended.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import frozen

from ..model.command import Invocation, Outcome
from ..model.result import Ending, Handed
from ..text.message import Text, code, quote
from ..text.phrases import Here, Line, below, codes, count, people, person
from ..text.times import span
from .notices import at_next_start
from .undo import undo

_CACHES = {"db": (8, "database"), "service": (6, "service")}
_LOG_SAYS = "could not be removed; Conduit's own log says which."


@frozen
class Done:
    """clause: no capital, no full stop. tail: goes on in the same line. lines: below it."""

    clause: Text
    tail: Text = ()
    lines: tuple[Line, ...] = ()
    undo: Text = ()


@frozen
class Case:
    here: Here
    ending: Ending
    invocation: Invocation
    outcome: Outcome

    def undo(self, value: str, note: str = "") -> Text:
        votes = self.ending.undo_needs_votes
        return undo(self.here, self.invocation.command, value, votes=votes, note=note)

    def value(self, name: str) -> str:
        return str(self.invocation.get(name) or "")

    @property
    def first(self) -> str:
        """The first value of all: the account, room, file or server it is about."""
        every = (v for name, _ in self.invocation.args for v in self.invocation.values(name))
        return next(every, "")

    def number(self, name: str) -> int:
        value = self.outcome.get(name)
        return int(value) if isinstance(value, (int, str)) and str(value).isdigit() else 0


def _files(mxcs: tuple[str, ...]) -> str:
    return count(len(mxcs), "file")


# --- accounts -----------------------------------------------------------------------------------


def handed(case: Case, what: str, many: bool = False) -> tuple[Text, tuple[Line, ...]]:
    """(the rest of the line, a line below) that say where the password is."""
    delivery, who = case.ending.delivery, person(case.ending.person)
    lines: list[Line] = []
    if delivery.how is Handed.INVITED:
        wait = "passwords wait" if many else "password waits"
        tail: Text = (" ", who, f", accept my invitation: the {wait} there.")
        they = "They are" if many else "It is"
        by = case.here.clock.at(delivery.until)
        lines.append(f"{they} removed {span(delivery.after)} after you join, or at {by}.")
    else:
        tail = (f" {what} {'are' if many else 'is'} in your private messages.",)
    if delivery.seen_by:
        seen = codes(delivery.seen_by, "and")
        it = "They are the ones" if many else "It is the one"
        head = f"{it} Conduit showed in the admin room: "
        lines.append((head, *seen, f" could see {'them' if many else 'it'}. Change it soon."))
    return tail, tuple(lines)


def _adduser(case: Case) -> Done:
    user = case.first
    tail, lines = handed(case, "The password")
    typed = dict(case.invocation.noted).get(user)
    note: Text = (" (small letters, you typed ", code(typed), ")") if typed else ()
    if typed:
        tail, lines = (), (below(tail), *lines)
    return Done(("account made: ", code(user), *note), tail, lines, case.undo(user))


def _resetpw(case: Case) -> Done:
    user, ending = case.value("user"), case.ending
    if ending.reopened:
        tail, lines = handed(case, "The new password")
        back = ("Undo: ", case.here.cmd(f"deactivate {case.here.local(user)}"))
        votes: Text = (" (needs approval)",) if ending.undo_needs_votes else ()
        return Done((code(user), " is active again"), tail, lines, (*back, *votes))
    if ending.distrusted is not None:
        holder: Text = (ending.holder, " (", code(user), ")") if ending.holder else (code(user),)
        trust = case.here.cmd(f"trust {ending.holder or user}")
        lost = (
            f"This account has no role and no vote until {case.here.clock.at(ending.distrusted)}"
        )
        sooner: Text = (f"{lost}. Sooner: ", *people(ending.trusts), ", ", trust)
        return Done(("new password for ", *holder), (), (sooner,))
    tail, lines = handed(case, "It")
    if case.invocation.get("sign-out"):
        return Done(
            ("new password for ", code(user)),
            tail,
            lines,
            ("All its devices are signed out. Cannot be undone.",),
        )
    old = "The old one no longer works. Devices that are signed in stay signed in."
    return Done(("new password for ", code(user)), tail, (*lines, old), ("Cannot be undone.",))


def after_deactivation(invocation: Invocation, many: bool = False) -> str:
    """What became of devices, rooms and files."""
    leave, purge = invocation.get("leave-rooms"), invocation.get("purge-media")
    its, it, stay = ("Their", "They", "stay") if many else ("Its", "It", "stays")
    files = f"{its.lower() if not leave else its} files {'are removed' if purge else 'stay'}."
    if leave:
        told = (
            f"Conduit was told to leave {its.lower()} rooms; it does not say whether that worked."
        )
        return f"{its} devices are signed out. {told} {files}"
    return f"{its} devices are signed out. {it} {stay} in {its.lower()} rooms, {files}"


def _deactivate(case: Case) -> Done:
    user = case.value("user")
    failed = case.number("failed")
    lines: list[Line] = [after_deactivation(case.invocation)]
    if failed:
        lines.append(f"{count(failed, 'file')} {_LOG_SAYS}")
    note = "its files do not come back" if case.invocation.get("purge-media") else ""
    return Done((code(user), " is deactivated"), (), tuple(lines), case.undo(user, note))


# --- rooms, addresses, appservices --------------------------------------------------------------


def _room(case: Case) -> tuple[Text, Text]:
    """(how the room is called, how it is called in the line below)."""
    room = case.value("room")
    if case.ending.name:
        return ("room ", quote(case.ending.name, 40)), (code(room),)
    return ("room ", code(room)), ("It",)


def _disableroom(case: Case) -> Done:
    name, it = _room(case)
    went = f" takes nothing from other servers; people of {case.here.server} can go on writing."
    return Done((*name, " is disabled"), (), ((*it, went),), case.undo(case.value("room")))


def _enableroom(case: Case) -> Done:
    name, it = _room(case)
    again = " takes from other servers again; what they sent meanwhile may be missing."
    return Done((*name, " is enabled again"), (), ((*it, again),), case.undo(case.value("room")))


def _rmalias(case: Case) -> Done:
    again = ("Undo: whoever runs the room sets the address again.",)
    clause = ("address ", code(case.value("alias")), " is removed")
    return Done(clause, (), ("The room itself stays.",), again)


def _rmappservice(case: Case) -> Done:
    clause = ("appservice ", code(case.value("appservice")), " is removed")
    lost = "Its bridge or bot stops working; its accounts and rooms stay."
    return Done(clause, (), (lost,), ("Undo: an owner registers its file again.",))


# --- files --------------------------------------------------------------------------------------


def _checked(case: Case, present: bool) -> bool:
    mxcs = case.invocation.values("mxc")
    return all(case.ending.present.get(mxc) is present for mxc in mxcs)


def _unchecked(case: Case) -> Text:
    """A file of another server is not looked at: that would fetch it again."""
    servers = dict.fromkeys(mxc[6:].partition("/")[0] for mxc in case.invocation.values("mxc"))
    others = [server for server in servers if server != case.here.server]
    if not others:
        return ("; I could not check it",)
    return (", says Conduit; a look would fetch it again from ", *codes(others[:3], "and"))


def _purge(case: Case) -> Done:
    files = _files(case.invocation.values("mxc"))
    are = "it is" if files.startswith("1 ") else "they are"
    looked: Text = (f", and I checked that {are} gone",)
    checked = looked if _checked(case, False) else _unchecked(case)
    return Done((f"{files} purged", *checked), undo=("Cannot be undone.",))


def _block(case: Case) -> Done:
    mxcs = case.invocation.values("mxc")
    looked: Text = (f", and I checked that nobody can load {'it' if len(mxcs) == 1 else 'them'}",)
    and_purge = case.invocation.get("and-purge")
    verb = "blocked and purged" if and_purge else "blocked"
    checked = looked if _checked(case, False) else _unchecked(case)
    note = "what was purged does not come back" if and_purge else ""
    return Done((f"{_files(mxcs)} {verb}", *checked), undo=case.undo(" ".join(mxcs[:3]), note))


def _unblock(case: Case) -> Done:
    mxcs = case.invocation.values("mxc")
    load = "it loads" if len(mxcs) == 1 else "they load"
    looked = f", and I checked that {load} again"
    said = "; Conduit says so also for files it never had, and I could not load "
    said += "it" if len(mxcs) == 1 else "all of them"
    clause = f"{_files(mxcs)} unblocked" + (looked if _checked(case, True) else said)
    return Done((clause,), undo=case.undo(" ".join(mxcs[:3])))


def _whose(case: Case) -> Text:
    last = case.invocation.get("last")
    when = f" of the last {span(float(last)).removeprefix('1 ')}" if isinstance(last, int) else ""
    users = case.invocation.values("user") or case.invocation.values("server")
    shown = codes(users[:3])
    more = f" and {len(users) - 3} more" if len(users) > 3 else ""
    return ("all files of ", *shown, more + when) if more or when else ("all files of ", *shown)


def _purgeuser(case: Case) -> Done:
    stay = "Copies on other servers and phones stay."
    clause = (*_whose(case), " are purged, says Conduit")
    return Done(clause, (), (stay,), ("Cannot be undone.",))


def _purgeserver(case: Case) -> Done:
    clause = (*_whose(case), " stored here are purged, says Conduit")
    return Done(clause, (), ("They come back when somebody here opens them.",))


def _blockuser(case: Case) -> Done:
    again = ("Undo: ", case.here.cmd("unblock"), ", file by file; ", case.here.cmd("blocked"))
    return Done((*_whose(case), " are blocked, says Conduit"), (), (), (*again, " lists them"))


# --- the server ---------------------------------------------------------------------------------


def _clearcache(case: Case) -> Done:
    total, kind = _CACHES.get(case.value("cache"), (8, "database"))
    amount = case.invocation.get("amount")
    n = min(int(amount), total) if isinstance(amount, int) else total
    which = f"all {total}" if n == total else f"the first {n} of {total}"
    fills = "Conduit fills them again by itself and may be slower for a while. Nothing to undo."
    return Done((f"{which} {kind} caches are empty",), (), (fills,))


def _registration(case: Case) -> Done:
    cmd, state = case.here.cmd, case.invocation.get("state")
    later = at_next_start(case.ending.at_start, case.ending.until is None and state == "on")
    if state != "on":
        off = ("On for a while: ", cmd("registration on for 1h"))
        return Done(("registration is off",), (), (*later, off))
    if case.ending.until is None:
        anyone: Text = ("Anyone can make an account. Off: ", cmd("registration off"))
        better: Text = (" · Better: ", cmd("registration on for 1h"))
        return Done(("registration is on, without an end",), (), ((*anyone, *better), *later))
    until = case.here.clock.at(case.ending.until)
    anyone = ("Anyone can make an account meanwhile. Off now: ", cmd("registration off"))
    return Done((f"registration is on until {until}; then I switch it off",), (), (anyone, *later))


DONE: Mapping[str, Callable[[Case], Done]] = {
    "adduser": _adduser,
    "resetpw": _resetpw,
    "deactivate": _deactivate,
    "disableroom": _disableroom,
    "enableroom": _enableroom,
    "rmalias": _rmalias,
    "rmappservice": _rmappservice,
    "purge": _purge,
    "block": _block,
    "unblock": _unblock,
    "purgeuser": _purgeuser,
    "purgeserver": _purgeserver,
    "blockuser": _blockuser,
    "clearcache": _clearcache,
    "registration.set": _registration,
}
"""Every command that changes something, but the bulk form of `deactivate` (`bulk`)."""
