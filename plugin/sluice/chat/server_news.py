"""What Sluice says by itself of Conduit and of the homeserver: silent, away, back, restored."""

from __future__ import annotations

from collections.abc import Sequence

from ..text.message import Message, Text
from ..text.phrases import Here, line, listed
from ..text.saying import says

Running = Sequence["tuple[int, str, str]"]
"""(request, command line, person) of what was running."""


def _running(each: Running) -> Text:
    """`#12 (`deactivate @spam`, bo), #14 (…)`"""
    return listed(
        [
            line("#{n} (`{words}`, {who:person})", n=n, words=words, who=who)
            for n, words, who in each
        ]
    )


def _too_long(lists: Running) -> Text:
    return line(
        "{lists} was running: its answer may have been too long. Only an owner can run it again.",
        lists=_running(lists),
    )


def silent(here: Here, since: float, unknown: Running = (), lists: Running = ()) -> Message:
    """No answer, no echo. lists: those whose answers may have been too long."""
    tail = line(" Outcome unknown: {lines}.", lines=_running(unknown)) if unknown else ()
    return _silent(here, since, _too_long(lists) if lists else (), tail)


@says("""❗ Conduit has not answered admin commands since {since:at}: it is busy, or stuck.
If nothing slow is running there, restart Conduit. Chats go on, only commands wait.
{why}
I try every minute and say when it is back.{tail}""")
def _silent(here: Here, since: float, why: Text, tail: Text) -> None: ...


@says("""❗ Conduit's admin room has lost its address `#admins:{here.server}`: commands are not
  answered.
Only the server's owner can repair this: `!help repair`""")
def address_gone(here: Here) -> None: ...


def answers_again(here: Here, since: float, at: float, waiting: int = 0) -> Message:
    """waiting: requests that were in line before it fell silent, and run now."""
    kept: Text = ("Nothing was kept: send again what you still need.",)
    if waiting:
        kept = line(
            "{n:count request} in line when it fell silent, in turn now: `!pending`. What I "
            "refused since was not kept: send it again.",
            here,
            n=waiting,
        )
    return _answers_again(here, at, at - since, kept)


@says("""🔔 Conduit answers again since {at:at}, after {silence:span}.
{kept}""")
def _answers_again(here: Here, at: float, silence: float, kept: Text) -> None: ...


def homeserver_back(here: Here, start: float, end: float, max_age: float) -> Message:
    return _homeserver_back(here.clock.between(start, end), max_age)


@says("""🔔 The homeserver was away from {time}. Open requests and votes are all here.
A command typed meanwhile that is older than {max_age:span} is not run; I answer it below.""")
def _homeserver_back(time: str, max_age: float) -> None: ...


def history_replaced(here: Here, start: float, end: float, unknown: Sequence[int] = ()) -> Message:
    """unknown: requests whose outcome nobody knows."""
    which = line("Outcome unknown: {ids:numbers}. ", ids=unknown) if unknown else ()
    return _history_replaced(here, here.clock.between(start, end), which)


@says("""❗ The homeserver was restored or replaced: I did not read {time}.
{unknown}Votes and edits of that time may be missing; look: `!pending`""")
def _history_replaced(here: Here, time: str, unknown: Text) -> None: ...


def back(here: Here, start: float, end: float, missed: int) -> Message | None:
    """After a time without the bot; None when it was short and nothing was missed."""
    if not missed and end - start < 60:
        return None
    told = line(" {n} {n:command was/commands were} not run, see my {n:reply/replies}.", n=missed)
    return _back(here.clock.between(start, end), told if missed else ())


@says("🔔 Sluice is back, it was away from {time}.{missed}")
def _back(time: str, missed: Text) -> None: ...


@says("""❗ {conduit} is unknown to me: only commands that read work until Sluice is updated.
Still fine: `!users`, `!rooms`, `!registration`, `!config`. Everything that changes something is
  refused.""")
def unknown_version(here: Here, conduit: str) -> None: ...


@says("""❗ Conduit's emergency password is set.
Whoever knows it can write as Conduit. Take it out of its config file when the emergency is
  over.""")
def emergency(here: Here) -> None: ...


@says("🔔 Conduit's emergency password is no longer set; everything runs again.")
def emergency_over() -> None: ...


@says("🔔 I am in Conduit's admin room again; everything runs again.")
def inside() -> None:
    """The bot was removed from the admin room, and let in again."""


@says("""🔔 Setup asked through me whether registration is open. Conduit answered: {state}.
So the whole way works. What you may type: `!help`""")
def proof(here: Here, state: str) -> None: ...
