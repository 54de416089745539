"""⛔ Not run, with the reason: what was found out about a command before anything was sent.

The policy's "not allowed" and what concerns open requests stand in `not_allowed`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from attrs import evolve, frozen

from ..matrix.withheld import KeptBack
from ..text.message import Message, Text, quote
from ..text.phrases import Here, ask, line, not_run, person, plural
from ..text.saying import says
from ..typed.parse import NotRun
from .alarms import why_no_log
from .undo import AGAIN


def refused(error: NotRun, *, removed: bool = False) -> Message:
    """What the line itself says no to. removed: the bot removed the message with the password."""
    first, *rest = error.lines
    if removed and rest:
        told = "I removed your message. "
        head = rest[0][0]
        then = ("Then: ", *rest[0][1:]) if head == "Delete your message, then: " else rest[0]
        rest[0] = (told, *then)
    return not_run(("Not run: ", *first), *rest)


@says("""⛔ Not run: I am still looking things up for {count} commands of yours.
  Wait for my answers, then send it again.""")
def too_many_at_once(count: int) -> None:
    """Commands of one person whose look-ups are not over."""


def no_such_command(here: Here, word: str) -> Message:
    """A word behind the prefix that is nothing. One with a digit in it may be a password."""
    named = (" ", quote(word, 30)) if word.isalpha() else ()
    return ask("There is no command{named}. All of them: `!help`", here=here, named=named)


@says("❓ I understand commands, not sentences. They begin with `!`, as in `!help`")
def no_sentences(here: Here) -> None:
    """Something was said to the bot by its name."""


# --- accounts and rooms that are not as they must be --------------------------------------------


@says("""⛔ Not run: `{mxid}` exists already.
A deactivated account keeps its name. Look: `!users {mxid:local}` · New password:
  `!resetpw {mxid:local}`""")
def exists(here: Here, mxid: str) -> None: ...


def no_account(here: Here, mxid: str) -> Message:
    look = search(here, mxid)
    return not_run("Not run: there is no account `{mxid}`. {look}", mxid=mxid, look=look)


def search(here: Here, mxid: str) -> Text:
    """Where somebody may be found whose name begins like this."""
    return line("Search: `!users {start}`", here, start=here.local(mxid)[:3])


@says("⛔ Not run: no room has the address `{alias}`. Edit your message.")
def no_such_address(alias: str) -> None: ...


def reserved(pattern: str) -> Message:
    """A name that `reserved_names` holds."""
    start = pattern.removesuffix("*")
    if not start or start == pattern or "*" in start:
        return _like(pattern)
    return _of_bridges(start) if start[0] == "_" else _beginning(start)


@says("⛔ Not run: names like `{pattern}` are kept. Choose another name.")
def _like(pattern: str) -> None: ...


@says("⛔ Not run: names that begin with {start} belong to bridges. Choose another name.")
def _of_bridges(start: str) -> None: ...


@says("⛔ Not run: names that begin with {start} are kept. Choose another name.")
def _beginning(start: str) -> None: ...


def of_bridge(mxid: str, *, new: bool = False) -> Message:
    """new: a name in a bridge's range; else an account that a bridge made."""
    choose = " Choose another name." if new else ""
    return not_run("Not run: `{mxid}` belongs to a bridge.{choose}", mxid=mxid, choose=choose)


def two_people(name: str, mxids: Sequence[str]) -> NotRun:
    """A name that several members here have, or one of them and another account."""
    return NotRun(
        line("{n} people here are called {name}.", n=len(mxids), name=quote(name, 40)),
        line("Edit your message: {who:people}", who=mxids[:6]),
    )


@says("""⛔ Not run: that file is not here, or gone: `{mxc}`
Look: `!mediainfo {mxc}`""")
def not_there(here: Here, mxc: str) -> None:
    """A file that is not on this server, so that there is nothing to purge."""


# --- the state of things ------------------------------------------------------------------------


@frozen
class Missed:
    """A command that is not in time. what: as it was typed. to: whose it is. again: by a tap."""

    what: Text
    who: str
    to: str
    at: float
    again: bool

    @property
    def wanted(self) -> Text:
        tap = f"Tap {AGAIN} or send" if self.again else "Send"
        return (person(self.who), f", still wanted? {tap} it again.")

    def with_tap(self, message: Message) -> Message:
        return evolve(message, taps=(AGAIN,)) if self.again else message


def too_old(here: Here, missed: Missed) -> Message:
    """Typed while the bot, or the homeserver, was away."""
    return missed.with_tap(_too_old(here, missed, missed.to))


@says("""⛔ Not run: {missed.what} of {missed.at:at}, I was offline.
{missed.wanted}""")
def _too_old(here: Here, missed: Missed, to: str) -> None: ...


def late(here: Here, missed: Missed) -> Message:
    """It was on its way for longer than a command may be."""
    return missed.with_tap(_late(here, missed, missed.to))


@says("""⛔ Not run: {missed.what} of {missed.at:at}, it reached me late.
{missed.wanted}""")
def _late(here: Here, missed: Missed, to: str) -> None: ...


def clocks(here: Here, missed: Missed, by: float, server: str) -> Message:
    """Its date tells nothing. by: seconds. server: whose clock it is; "" for our homeserver's."""
    if server:
        return _clock_of(missed, missed.to, by, server)
    return _our_clock(here, missed, missed.to, by)


@says("""⛔ Not run: {missed.what}, I cannot see how old it is.
My clock and the one of `{server}` differ by {by:about}. {missed.who:person}, tell whoever runs
  that server.""")
def _clock_of(missed: Missed, to: str, by: float, server: str) -> None: ...


@says("""⛔ Not run: {missed.what}, I cannot see how old it is.
My clock and the server's differ by {by:about}. Owners, set both right: `!status`""")
def _our_clock(here: Here, missed: Missed, to: str, by: float) -> None: ...


@says("""⛔ Not run: I do not know {conduit} well enough to change things with it.
Reading works: `!{look}`. Owners can update Sluice.""")
def unknown_version(here: Here, conduit: str, look: str) -> None:
    """look: a reading command that is near to what was asked."""


@says("⛔ Not run: `{lacks}` does not exist in Conduit {version}.")
def not_in_version(lacks: str, version: str) -> None:
    """A command or option that this version of the server does not have."""


@says("⛔ Not run: {why}.")
def impossible(why: str) -> None:
    """What cannot be said to the server."""


@says("""⛔ Not run: Conduit has not answered since {since:at}.
I'll tell you here when it is back.""")
def silent(here: Here, since: float) -> None: ...


@says("⛔ Not run: I am starting and still read what I missed. Try again in a minute.")
def starting() -> None: ...


@says("""⛔ Not run: I am not in Conduit's admin room, and nothing works without it.
Owners, invite `{here.bot}` there.""")
def outside(here: Here) -> None: ...


@says("""⛔ Not run: Conduit's admin room has lost its address `#admins:{here.server}`: commands
  are not answered.
Only the server's owner can repair this: `!help repair`""")
def no_address(here: Here) -> None: ...


@says("""⛔ Not run: Conduit's emergency password is set. Until it is out of its config file only
  `!status` works.""")
def emergency(here: Here) -> None: ...


@says("⛔ Not run: this room is public, so only what looks runs here. Make it private.")
def public_room() -> None: ...


def cannot_log(*, full: bool = True) -> Message:
    return not_run("Not run: {why}", why=why_no_log(full=full))


@says("⛔ Not run: this room is encrypted and your message is not. Send it encrypted.")
def not_encrypted() -> None: ...


@says("⛔ Not run: an edit made a command of that message. Send it again, as a new message.")
def no_command_by_edit() -> None:
    """It was chat, and is too old, or what it became cannot run by a tap."""


def unreadable(why: KeptBack | None = None) -> Message:
    """why: the sender's client keeps the key back. Element X knows no slash commands."""
    return _UNREADABLE[why]()


@says("""⛔ Not run: I could not read your message, its key did not come.
Send it again. If that fails too, send it from another app or device.
In Element on a computer this helps first: `/discardsession`""")
def _no_key() -> None: ...


@says("""⛔ Not run: your app gives keys to verified devices only, I am none.
Allow others in its encryption settings, or use another app.
Owners can verify me, their guide says how.""")
def _unverified() -> None: ...


@says("""⛔ Not run: I cannot read you, you have blocked my device.
Open my profile in your app, then my devices, and unblock it. Then send it again.""")
def _blocked() -> None: ...


_UNREADABLE: Mapping[KeptBack | None, Callable[[], Message]] = {
    None: _no_key,
    KeptBack.UNVERIFIED: _unverified,
    KeptBack.BLOCKED: _blocked,
}


# --- lists that could stop Conduit --------------------------------------------------------------


def list_too_large(
    here: Here, what: str, octets: float, stored: tuple[float, int] | None
) -> Message:
    """what: "rooms". octets: how large it would be. stored: (when, how many) of the last list."""
    more: Text = ()
    if stored:
        at, n = stored
        last = line("The list of {at:dated} ({n:,} {what})", here, at=at, n=n, what=what)
        more = line("{last} is here: `!more`", here, last=last)
    return _too_large(what, f"{octets / 1000:.0f} kB", more)


@says("""⛔ Not run: the list of {what} would be about {kb}, and above 65 kB Conduit stops
  answering.
{more}""")
def _too_large(what: str, kb: str, more: Text) -> None: ...


@says("""⛔ Not yet: {owners:people} must type `!{what}` once and confirm its size.
A very long list would stop Conduit, and {unknown}.""")
def _owner_must_ask(here: Here, what: str, owners: Sequence[str], unknown: str) -> None: ...


def owner_must_ask(here: Here, what: str, owners: Sequence[str], *, seen: bool) -> Message:
    """A list of unknown size asks an owner; a moderator is told so. seen: its size of once."""
    unknown = "this server's may have grown" if seen else "I do not know this server's yet"
    return _owner_must_ask(here, what, owners, unknown)


def sealed(*, sure: bool) -> Message:
    """`event` of what a sealed room holds, or of what one of them could not be asked for."""
    return _of_sealed_room() if sure else _maybe_sealed()


@says("""⛔ Not run: that event is of the admin room, or of a private room of mine.
Nobody sees what is said there, whoever asks.""")
def _of_sealed_room() -> None: ...


@says("""⛔ Not run: I could not look whether that event is of the admin room.
The homeserver did not say, or not in time. Nothing was asked; try again.""")
def _maybe_sealed() -> None: ...


@says("""⛔ Not run: a file can be named so that looking at it stops Conduit's admin commands.
The setting `relay.attacker_sized` refuses it; an owner can change that.""")
def attacker_sized() -> None:
    """relay.attacker_sized: refuse."""


@says("""⛔ Not run: `!{command}` got no answer at {at:at}, and its answer may have stopped
  Conduit.
Only an owner can try it again: {owners:people}.""")
def stopped_conduit(here: Here, command: str, at: float, owners: Sequence[str]) -> None:
    """A command that got no answer the last time, and whose answer can stop Conduit."""


def unheard(n: int, push: Sequence[str]) -> Message:
    """To who typed commands while the bot could not write there; once for all of them."""
    said = not_run(
        "Not run: {what} here while I could not write here.",
        "Send again what is still right." if n > 1 else "Send it again if it is still right.",
        what=plural(n, "the command typed", f"the {n} commands typed"),
    )
    return evolve(said, push=tuple(push), text=True)
