"""⛔ Not run, with the reason: what was found out about a command before anything was sent.

The policy's "not allowed" and what concerns open requests stand in `door`.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from ..text.message import Message, Text, code, quote
from ..text.phrases import Here, not_run, people, person
from ..text.times import about
from ..typed.parse import NotRun
from .alarms import why_no_log


def refused(error: NotRun, *, removed: bool = False) -> Message:
    """What the line itself says no to. removed: the bot removed the message with the password."""
    first, *rest = error.lines
    if removed and rest:
        told = "I removed your message. "
        head = rest[0][0]
        then = ("Then: ", *rest[0][1:]) if head == "Delete your message, then: " else rest[0]
        return not_run(("Not run: ", *first), (told, *then), *rest[1:])
    return not_run(("Not run: ", *first), *rest)


def too_many_at_once(count: int) -> Message:
    """Commands of one person whose look-ups are not over."""
    first = f"Not run: I am still looking things up for {count} commands of yours."
    return not_run((first, " Wait for my answers, then send it again."))


def no_such_command(here: Here, word: str) -> Message:
    """The bot was asked by name."""
    return not_run(("Not run: I know no command ", quote(word, 30), ". See ", here.cmd("help")))


# --- accounts and rooms that are not as they must be --------------------------------------------


def exists(here: Here, mxid: str) -> Message:
    name = here.local(mxid)
    look: Text = ("Look: ", here.cmd(f"users {name}"), " · New password: ")
    return not_run(
        ("Not run: ", code(mxid), " exists already."),
        ("A deactivated account keeps its name. ", *look, here.cmd(f"resetpw {name}")),
    )


def no_account(here: Here, mxid: str) -> Message:
    search = here.cmd(f"users {here.local(mxid)[:3]}")
    return not_run(("Not run: there is no account ", code(mxid), ". Search: ", search))


def no_such_address(alias: str) -> Message:
    return not_run(("Not run: nobody knows the address ", code(alias), ". Edit your message."))


def reserved(pattern: str) -> Message:
    """A name that `reserved_names` holds."""
    if pattern.endswith("*") and len(pattern) > 1 and "*" not in pattern[:-1]:
        why = "belong to bridges" if pattern[0] == "_" else "are kept"
        which = f"Not run: names that begin with {pattern[:-1]} {why}. Choose another name."
        return not_run(which)
    return not_run(("Not run: names like ", code(pattern), " are kept. Choose another name."))


def of_bridge(mxid: str, *, new: bool = False) -> Message:
    """new: a name in a bridge's range; else an account that a bridge made."""
    choose = " Choose another name." if new else ""
    return not_run(("Not run: ", code(mxid), f" belongs to a bridge.{choose}"))


def two_people(name: str, mxids: Sequence[str]) -> NotRun:
    """A name that several members here have, or one of them and another account."""
    head: Text = (f"{len(mxids)} people here are called ", quote(name, 40), ".")
    return NotRun(head, ("Edit your message: ", *people(mxids[:6])))


def not_there(here: Here, mxc: str) -> Message:
    """A file that is not on this server, so that there is nothing to purge."""
    look = here.cmd(f"mediainfo {mxc}")
    return not_run(("Not run: that file is not here, or gone: ", code(mxc)), ("Look: ", look))


# --- the state of things ------------------------------------------------------------------------


def too_old(here: Here, who: str, mxid: str, at: float) -> Message:
    """Typed while the bot, or the homeserver, was away."""
    since = f"Not run: I was away when you wrote this at {here.clock.at(at)}. "
    return not_run((since, person(who), ", send it again if it is still right."), to=mxid)


def late(here: Here, who: str, mxid: str, at: float) -> Message:
    """It was on its way for longer than a command may be."""
    since = f"Not run: it reached me late, you wrote it at {here.clock.at(at)}. "
    return not_run((since, person(who), ", send it again if it is still right."), to=mxid)


def clocks(here: Here, who: str, mxid: str, by: float, server: str) -> Message:
    """Its date tells nothing. by: seconds. server: whose clock it is; "" for our homeserver's."""
    whose: Text = ("the one of ", code(server)) if server else ("the server's",)
    differ = ("Not run: my clock and ", *whose, f" differ by {about(by)}.")
    if server:
        then: Text = (person(who), ", tell whoever runs that server.")
    else:
        then = ("Owners, set both clocks right. How far they are apart: ", here.cmd("status"))
    return not_run((*differ, " So I cannot see how old this is."), then, to=mxid)


def unknown_version(here: Here, conduit: str, look: str) -> Message:
    """look: a reading command that is near to what was asked."""
    return not_run(
        f"Not run: I do not know {conduit} well enough to change things with it.",
        ("Reading works: ", here.cmd(look), ". Owners can update Sluice."),
    )


def not_in_version(lacks: str, why: str, version: str) -> Message:
    """A command or option that this version of the server does not have; else why it cannot be."""
    if not lacks:
        return not_run(f"Not run: {why}.")
    return not_run(("Not run: ", code(lacks), f" does not exist in Conduit {version}."))


def silent(here: Here, since: float) -> Message:
    when = here.clock.at(since)
    return not_run(f"Not run: Conduit does not answer since {when}. I say here when it is back.")


def starting() -> Message:
    return not_run("Not run: I am starting and still read what I missed. Try again in a minute.")


def outside(here: Here) -> Message:
    """The bot is not in the admin room."""
    return not_run(
        "Not run: I am not in Conduit's admin room, and nothing works without it.",
        ("Owners, invite ", code(here.bot), " there."),
    )


def no_address(here: Here) -> Message:
    address = code(f"#admins:{here.server}")
    lost = (address, ": commands are not answered.")
    return not_run(
        ("Not run: Conduit's admin room has lost its address ", *lost),
        ("Only the server's owner can repair this: ", here.cmd("help repair")),
    )


def emergency(here: Here) -> Message:
    status = here.cmd("status")
    rest: Text = ("Until it is out of its config file only ", status, " works.")
    return not_run(("Not run: Conduit's emergency password is set. ", *rest))


def public_room() -> Message:
    return not_run("Not run: this room is public, so only what looks runs here. Make it private.")


def cannot_log(*, full: bool = True) -> Message:
    return not_run(f"Not run: {why_no_log(full=full)}")


def not_encrypted() -> Message:
    return not_run("Not run: this room is encrypted and your message is not. Send it encrypted.")


def unreadable() -> Message:
    return not_run(
        "Not run: I could not read your message, its key did not come.",
        ("Send it again. If that fails too: ", code("/discardsession"), ", then send it again."),
    )


# --- lists that could stop Conduit --------------------------------------------------------------


def list_too_large(
    here: Here, what: str, octets: float, stored: tuple[float, int] | None
) -> Message:
    """what: "rooms". octets: how large it would be. stored: (when, how many) of the last list."""
    kb = f"{octets / 1000:.0f} kB"
    head = f"Not run: the list of {what} would be about {kb}, and above 65 kB Conduit stops"
    if stored is None:
        return not_run(f"{head} answering.")
    at, n = stored
    last = f"The list of {here.clock.dated(at)} ({n:,} {what}) is here: "
    return not_run(f"{head} answering.", (last, here.cmd("more")))


def owner_must_ask(what: str, owners: tuple[str, ...]) -> Message:
    """A list of unknown size asks an owner; a moderator is told so."""
    who: Text = (*people(owners), " can")
    return not_run(f"Not run: an owner must ask for the list of {what} first.", (*who, "."))


def sealed(*, sure: bool) -> Message:
    """`event` of what a sealed room holds, or of what one of them could not be asked for."""
    if sure:
        return not_run(
            "Not run: that event is of the admin room, or of a private room of mine.",
            "Nobody sees what is said there, whoever asks.",
        )
    return not_run(
        "Not run: I could not look whether that event is of the admin room.",
        "The homeserver did not say, or not in time. Nothing was asked; try again.",
    )


def attacker_sized() -> Message:
    """relay.attacker_sized: refuse."""
    return not_run(
        "Not run: a file can be named so that looking at it stops Conduit's admin commands.",
        ("The setting ", code("relay.attacker_sized"), " refuses it; an owner can change that."),
    )


def stopped_conduit(here: Here, command: str, at: float, owners: tuple[str, ...]) -> Message:
    """A command that got no answer the last time, and whose answer can stop Conduit."""
    last: Text = (here.cmd(command), f" got no answer at {here.clock.at(at)}")
    return not_run(
        ("Not run: ", *last, ", and its answer may have stopped Conduit."),
        ("Only an owner can try it again: ", *people(owners), "."),
    )


def unheard(n: int, push: Sequence[str]) -> Message:
    """To who typed commands while the bot could not write there; once for all of them."""
    what = "the command typed" if n == 1 else f"the {n} commands typed"
    said = not_run(
        f"Not run: {what} here while I could not write here.",
        "Send again what is still right." if n > 1 else "Send it again if it is still right.",
    )
    return evolve(said, push=tuple(push), text=True)
