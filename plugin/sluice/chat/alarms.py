"""What Sluice says of itself: its errors, its log, its account, the rooms that it is in."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from ..text.message import Message, Text
from ..text.phrases import Here, alarm, capital, line, person
from ..text.saying import says
from .taps import RESOLVED, how_it_ended

# --- log ----------------------------------------------------------------------------------------


def why_no_log(*, full: bool) -> str:
    """The sentence for a database that cannot be written. full: for want of space."""
    why, then = ("disk full", "make space") if full else ("the database fails", "look at it")
    return f"I cannot write my log ({why}), and without it I send nothing. Owners, {then}."


def cannot_log(here: Here, *, full: bool = True) -> Message:
    why, then = ("Disk full", "make space") if full else ("My database fails", "look at it")
    head = f"{why}: nothing runs. Owners: {then}."
    return alarm(here.owners, (head,), ("I cannot write my log, and without it I send nothing.",))


@says("""🔔 Log seal of the day, {n:count entry/entries}:
`{shown}`""")
def seal(n: int, shown: str) -> None: ...


@says("""❗ Somebody changed my log. Owners: find out who.
Entry {entry:,} is not what I wrote, or is missing: somebody had the database.
Compare with the seals (`!help seal`), then look at who had it.""")
def log_broken(here: Here, entry: int) -> None: ...


# --- errors -------------------------------------------------------------------------------------
# error: the class of the exception only, never its text.

_ERROR_AGAIN = 6 * 3600  # seconds after which an error of the same class is told again


def error_key(error: str, now: float) -> str:
    """What the outbox calls the message of an error that may come with every event: one in six
    hours. A key is used once and for ever, so it has the time in it."""
    return f"error.{error}.{int(now // _ERROR_AGAIN)}"


def own_error(here: Here, error: str, event_id: str) -> Message:
    """An exception in a pure step, told once. event_id: "" where it may not be named."""
    which = line(" Its event: `{id}`", id=event_id) if event_id else ()
    return _own_error(here, error, which)


@says("""❗ An error of mine, please report it: `{error}`
I could not handle a message here, and nothing ran because of it.{which}""")
def _own_error(here: Here, error: str, which: Text) -> None: ...


@says("""❗ An error of mine, please report it: `{error}`
The part of me that {does} stopped on it and was started again; maubot's log has the rest.
If it goes on I say so again in six hours. Restarting the plugin may help.""")
def stopped(here: Here, does: str, error: str) -> None:
    """A loop ended with a bug. does: what it is for."""


def relay_error(here: Here, error: str, request: int, words: str, *, reads: bool) -> Message:
    """An exception on the way to Conduit or back. request: whose line was out, with its words."""
    if reads:
        return _read_error(here, error, request, words[:300])
    said = _change_error(here, error, request, words[:300], how_it_ended(here, request))
    return evolve(said, taps=RESOLVED)


@says("""❗ `{words}` failed · #{request}
An error of mine: `{error}`, please report it.""")
def _read_error(here: Here, error: str, request: int, words: str) -> None: ...


@says("""❗ `{words}`: outcome unknown · #{request}
An error of mine: `{error}`, please report it. Look whether it is done.
{then}""")
def _change_error(here: Here, error: str, request: int, words: str, then: Text) -> None: ...


def cannot_begin(here: Here, error: str, request: int, words: str) -> Message:
    """An exception before a line was sent: nothing more of this request is."""
    return _cannot_begin(here, error, request, words[:300])


@says("""❗ I stopped #{request} by an error of mine, nothing more of it is sent: `{words}`
The error: `{error}`, please report it. What stands behind it goes on.""")
def _cannot_begin(here: Here, error: str, request: int, words: str) -> None: ...


# --- the rooms it is in -------------------------------------------------------------------------


@says("""❗ I cannot read this room, it is encrypted.
Commands typed here do nothing. Owners: set up encryption for the bot in maubot, or use an ops
  room without encryption.""")
def unreadable_room(here: Here) -> None: ...


@says("""❗ This room was upgraded, and I stay here.
Owners: if the new room is right, put its id into `ops_rooms`.""")
def upgraded(here: Here) -> None: ...


@says("🔔 Since {here.clock.now:at} I could not write here. Held back:")
def held_back(here: Here) -> None:
    """Said first, once the bot can speak again in a room."""


def removed(here: Here, room: str, by: str | None) -> Message:
    """Out of an ops room; said in another one. by: a name, None where nobody knows."""
    if by is None:
        return _removed(here, ("I am not in an ops room any more",), room)
    return _removed(here, line("{by:person} removed me from an ops room", by=by), room)


@says("""❗ {head}.
Nothing typed in `{room}` runs. If that is wrong, invite `{here.bot}` there again.""")
def _removed(here: Here, head: Text, room: str) -> None: ...


@says("""❗ I am in no ops room of the new policy: I hear nobody.
Invite `{here.bot}` to `{room}`, or put this room back into `ops_rooms`.""")
def turned_away(here: Here, room: str) -> None:
    """In a room that was one of them. room: the first that is one now."""


def let_in_again(here: Here, since: float, by: str | None) -> Message:
    """In the ops room itself. by: who had removed me, None where nobody knows."""
    who: Text = (", ", person(by), " had removed me") if by is not None else ()
    return _let_in_again(here, here.clock.between(since, here.clock.now), who)


@says("""❗ I am in this room again, I was out from {time}{who}.
I read now what was said meanwhile, but the server may hide some of it from me.
A vote or ❌ of that time that its card does not show: tap it again.""")
def _let_in_again(here: Here, time: str, who: Text) -> None: ...


# --- its account --------------------------------------------------------------------------------


def somebody_else(here: Here, where: Text, *, before: bool) -> Message:
    """An event of our account that we did not write. before: while the bot was not running."""
    when = "while I was not running" if before else f"at {here.clock.at(here.clock.now)}"
    return _somebody_else(here, capital(where), when)


@says("""❗ Somebody else uses my account. I paused.
{where} {when} was not mine. Only commands that read run now.
Owners: stop the second Sluice, if there is one. Else somebody has its token: change its password,
  sign all its devices out, and give maubot a new token. Then `!resume`""")
def _somebody_else(here: Here, where: Text, when: str) -> None: ...


def restored(here: Here, since: float, number: int, cards: int) -> Message:
    """Messages of ours that the database does not know. number: that the next request gets."""
    gone = line("{n:count open card} of that time {n:is/are} marked as gone. ", n=cards)
    return _restored(here, since, number, gone if cards else ())


@says("""❗ My database was restored from a backup.
What I did after {since:dated} I do not know: requests, votes and my log of it are gone. (Or a
  second Sluice used my account while this one was stopped.)
{gone}Ask again for what is still needed; the next request is #{number}.""")
def _restored(here: Here, since: float, number: int, gone: Text) -> None: ...


@says("⛔ Gone: my database was restored from an older backup. Ask again.")
def gone_with_restore() -> None:
    """Instead of a card that the database does not know any more."""


@says("""❗ {mxid:short} was just made. Is it the right person?
The policy names `{mxid}`, and whoever was first has that name now. It has no rights yet.
{remedy}. Else take it out of the policy.""")
def _named_made(here: Here, mxid: str, remedy: Text) -> None: ...


def named_made(here: Here, mxid: str, trusted_by: Sequence[str]) -> Message:
    """An account that the policy named before there was one. trusted_by: owners who can."""
    if not trusted_by:
        lost = "No owner is left to trust it: save the policy without it, then with it again"
        return _named_made(here, mxid, (lost,))
    who = line("{by:people}, if it is who you mean: ", by=trusted_by)
    return _named_made(here, mxid, (*who, here.cmd(f"trust {here.local(mxid)}")))
