"""What Sluice says by itself of Conduit and of the homeserver: silent, away, back, restored."""

from __future__ import annotations

from collections.abc import Sequence

from ..text.message import Message, Text, one_line
from ..text.phrases import Here, line, listed
from ..text.saying import says

Running = Sequence["tuple[int, str, str]"]
"""(request, command line, person) of what was running."""


def _running(each: Running) -> Text:
    """`#12 (`deactivate @spam`, bo), #14 (…)`"""
    return listed(
        [
            line("#{n} (`{words}`, {who:person})", n=n, words=one_line(words, 60), who=who)
            for n, words, who in each
        ]
    )


def silent(here: Here, since: float, last: Running = (), *, by_hand: bool = False) -> Message:
    """No answer, no echo. last: what was running. by_hand: before it, somebody typed a command in
    the admin room that has no answer either."""
    told: Text = ()
    if by_hand:
        told = ("The first command without an answer was typed there by hand.",)
    elif last:
        cause = "Do not repeat it, it may be the cause."
        told = (*line("Running then: {last}. ", last=_running(last)), cause)
    return _silent(here, since, told)


@says("""❗ Conduit has not answered since {since:at}: busy, or stuck.
Chats work. I refuse commands until it answers, and tell you here.
Owners: restart Conduit, unless something slow runs there.
{last}""")
def _silent(here: Here, since: float, last: Text) -> None: ...


def silence_over(here: Here, since: float, at: float) -> Message:
    """The edit of such an alarm."""
    return _silence_over(here.clock.between(since, at))


@says("🔔 Over: Conduit did not answer from {time}.", text=True)
def _silence_over(time: str) -> None: ...


@says("""❗ Conduit's admin room lost its address. Owners: `!help repair`
Without `#admins:{here.server}` no command is answered. Chats work.""")
def address_gone(here: Here) -> None: ...


def answers_again(here: Here, since: float, at: float, waiting: int = 0) -> Message:
    """waiting: requests that were in line before it fell silent, and run now."""
    kept = line(
        "{n:count request} {n:was/were} waiting and {n:runs/run} now: `!pending`", here, n=waiting
    )
    return _answers_again(here.clock.between(since, at), kept if waiting else ())


@says("""🔔 Conduit answers again. It did not from {time}.
{kept}
What I refused meanwhile was not kept.""")
def _answers_again(time: str, kept: Text) -> None: ...


def homeserver_back(here: Here, start: float, end: float) -> Message:
    return _homeserver_back(here.clock.between(start, end))


@says("🔔 The server was offline from {time}. Open requests and votes are all here.")
def _homeserver_back(time: str) -> None: ...


def history_replaced(here: Here, start: float, end: float, unknown: Sequence[int] = ()) -> Message:
    """unknown: requests whose outcome nobody knows."""
    which = line("Outcome unknown: {ids:numbers}.", ids=unknown) if unknown else ()
    return _history_replaced(here, here.clock.between(start, end), which)


@says("""❗ The server was restored or replaced. Owners: look at `!pending`
I did not read {time}: votes and edits of that time may be missing.
{unknown}""")
def _history_replaced(here: Here, time: str, unknown: Text) -> None: ...


def back(here: Here, start: float, end: float, missed: int) -> Message | None:
    """After a time without the bot; None when it was short and nothing was missed."""
    if not missed and end - start < 60:
        return None
    told = line(" {n} {n:command was/commands were} not run: see my {n:reply/replies}.", n=missed)
    return _back(here.clock.between(start, end), told if missed else ())


@says("🔔 I was offline from {time}.{missed}")
def _back(time: str, missed: Text) -> None: ...


@says("""❗ Owners: update Sluice. It does not know {conduit}.
Until then only commands that read work: `!users`, `!rooms`, `!registration`, `!config`""")
def unknown_version(here: Here, conduit: str) -> None: ...


@says("""❗ Owners: Conduit's emergency password is set.
Whoever knows it can write as Conduit, so only `!status` works here.
Take it out of Conduit's config file when the emergency is over.""")
def emergency(here: Here) -> None: ...


@says("🔔 Conduit's emergency password is no longer set; everything runs again.")
def emergency_over() -> None: ...


@says("🔔 I am in Conduit's admin room again; everything runs again.")
def inside() -> None:
    """The bot was removed from the admin room, and let in again."""


@says("""🔔 Setup asked through me whether registration is open. Conduit answered: {state}.
So the whole way works. What you may type: `!help`""")
def proof(here: Here, state: str) -> None: ...
