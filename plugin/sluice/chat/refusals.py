"""⛔ Not run, with the reason: what was found out about a command before anything was sent.

The policy's "not allowed" and what concerns open requests stand in `door`.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..catalog.parse import NotRun
from ..message import Message, Text, code, quote
from .alarms import CANNOT_LOG
from .words import Here, not_run, people, person


def refused(error: NotRun, *, removed: bool = False) -> Message:
    """What the line itself says no to. removed: the bot removed the message with the password."""
    first, *rest = error.lines
    if removed and rest:
        told = "I removed your message. "
        head = rest[0][0]
        then = ("Then: ", *rest[0][1:]) if head == "Delete your message, then: " else rest[0]
        return not_run(("Not run: ", *first), (told, *then), *rest[1:])
    return not_run(("Not run: ", *first), *rest)


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
        which: Text = ("Not run: names that begin with ", pattern[:-1], " belong to bridges.")
        return not_run((*which, " Choose another name."))
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


def cannot_log() -> Message:
    return not_run(f"Not run: {CANNOT_LOG}")


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


def owner_must_ask(here: Here, what: str, owners: tuple[str, ...]) -> Message:
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
