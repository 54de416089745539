"""News from the server: accounts, reports, the registration window; many of a kind in one message.

Everything here was typed by strangers or is about them: only a wave of registrations pushes, those
who can stop it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Union

from attrs import evolve, frozen

from ..catalog.server import at_next_start
from ..model.noticed import Noticed
from ..text.message import Message, Text, code, link, quote
from ..text.phrases import Here, codes, count, dotted, line, news, people, plural
from ..text.runs import in_runs
from ..text.saying import says
from ..text.times import span, typed

_NAMED = 6  # names, or runs of names, of a wave

Window = Union[float, bool, None]
"""Registration: open until (epoch seconds), True open without end, False closed, None unknown."""


@frozen
class Possible:
    """What somebody in the room may do: sign out one, or several; close registration."""

    one: bool
    several: bool
    close: bool


def alone(here: Here, kind: str, user: str, window: Window, can: Possible) -> Message:
    """A notice that stands for itself; a report is told by `reports`."""
    if kind == "registered":
        return _registered(here, user, _state(here, window), _ways(here, can=can.one))
    return {"password_changed": _password_changed, "self_deactivated": _self_deactivated}[kind](
        here, user
    )


@says("""🔔 New account: {user:short}
`{user}` registered itself. {state}
{ways}""")
def _registered(here: Here, user: str, state: Text, ways: Text) -> None: ...


@says("""🔔 {user:short} changed their password
Who: `{user}`""")
def _password_changed(here: Here, user: str) -> None: ...


@says("""🔔 {user:short} deactivated their own account
Who: `{user}`""")
def _self_deactivated(here: Here, user: str) -> None: ...


def _state(here: Here, window: Window) -> Text:
    if window is None:
        return ("Registration: not known now.",)
    return (f"Registration is {on_until(here, window) if window else 'off'}.",)


def on_until(here: Here, window: Union[float, bool]) -> str:
    """`on until 15:03 UTC`, `on until somebody switches it off`."""
    until = "somebody switches it off" if window is True else here.clock.at(window)
    return f"on until {until}"


def _ways(here: Here, *, can: bool) -> Text:
    """What a reply may be. can: somebody here may sign the account out."""
    return line("Reply: `!who` or `!deactivate reason …`" if can else "Reply: `!who`", here)


def developers(text: str) -> Message:
    return news("Conduit's developers write:", (quote(text, 300),))


def raw(text: str) -> Message:
    """Text of the server that is no known notice; only where `notices.other` says so."""
    return news("Conduit says something I do not know:", (quote(text, 300),))


# --- reports ------------------------------------------------------------------------------------


def reports(
    here: Here, told: Sequence[Noticed], can: Possible, push: Sequence[str], *, reads: bool = False
) -> Message:
    """All of one account, or of several that came at once. push: MXIDs of the role that looks
    after reports. reads: the account is in this room."""
    newest = told[-1]
    who: Text = (code(newest.account), ", in this room: they read this" if reads else "")
    about, by = newest.account, len({each.reporter for each in told})
    where, within = _where(here, newest), _within(told)
    ways = _ways(here, can=can.one and about.endswith(f":{here.server}"))
    why = (quote(newest.reason),) if newest.reason else ("no reason given",)
    accounts = tuple(dict.fromkeys(each.account for each in told))
    if len(accounts) > 1:
        names = _names(here, accounts)
        return _many_reports(here, len(told), accounts, within, by, names, about, why, where, push)
    if len(told) == 1:
        return _reported(here, about, newest.reporter, why, who, where, ways, push)
    rooms = len({each.room for each in told if each.room})
    places = (f", in {rooms} rooms",) if rooms > 1 else ()
    n, last = len(told), newest.reporter
    return _reported_again(here, about, n, within, by, places, last, why, who, where, ways, push)


@says("""🔔 {about:short} was reported by {reporter:short}
Why: {why}
Who: {who}
{where}
{ways}""")
def _reported(
    here: Here,
    about: str,
    reporter: str,
    why: Text,
    who: Text,
    where: Text,
    ways: Text,
    push: Sequence[str],
) -> None: ...


@says("""🔔 {about:short}: {n} reports in {within} by {by:count person/people}{places}
The newest, by {last:short}: {why}
Who: {who}
{where}
{ways}""")
def _reported_again(
    here: Here,
    about: str,
    n: int,
    within: str,
    by: int,
    places: Text,
    last: str,
    why: Text,
    who: Text,
    where: Text,
    ways: Text,
    push: Sequence[str],
) -> None: ...


@says("""🔔 {n} reports of {accounts:count account} in {within} by {by:count person/people}
About: {names}
The newest is about {about:short}: {why}
{where}""")
def _many_reports(
    here: Here,
    n: int,
    accounts: Sequence[str],
    within: str,
    by: int,
    names: Text,
    about: str,
    why: Text,
    where: Text,
    push: Sequence[str],
) -> None: ...


def _where(here: Here, report: Noticed) -> Text:
    """Links, which a phone shows as the room's name, and which lead to the message."""
    if not report.message:
        return ("It stands in the admin room, or in a private room of mine: look there.",)
    message = link("The message", report.room, report.message, via=here.server)
    return dotted([message, link("The room", report.room, via=here.server)])


def looked_after(message: Message, persons: Sequence[str]) -> Message:
    """With who looks after it, in a last line."""
    if not persons:
        return message
    names = tuple(dict.fromkeys(persons))
    looking = ("👀 ", *people(names, "and"), f" {plural(len(names), 'is', 'are')} looking")
    return evolve(message, lines=(*message.lines, looking))


# --- many of a kind -----------------------------------------------------------------------------


def wave(
    here: Here,
    told: Sequence[Noticed],
    window: Window,
    can: Possible,
    push: Sequence[str],
    *,
    over: bool,
) -> Message:
    """push: MXIDs of those who can do something about a wave of registrations."""
    within, names = _within(told), _names(here, [each.account for each in told])
    going = f" · {_when(here, told)}" if over else " · I go on counting here"
    if told[0].kind != "registered":
        noun = count(len(told), *_MANY[told[0].kind].split("/"))
        return _wave(noun, within, names, going)
    off = line("Close it: `!registration off`", here) if window and can.close else ()
    all_of = line("All of them: reply `!deactivateall reason …`", here) if can.several else ()
    state = _state(here, window)
    return _spam_wave(here, len(told), within, names, going, state, off, all_of, push)


_MANY = {
    "password_changed": "password change/password changes",
    "self_deactivated": "account deactivated by its owner/accounts deactivated by their owners",
}


@says("""❗ {n:,} new accounts in {within}. Spam wave?
{names}{going}
{state}
{off}
{all_of}""")
def _spam_wave(
    here: Here,
    n: int,
    within: str,
    names: Text,
    going: str,
    state: Text,
    off: Text,
    all_of: Text,
    push: Sequence[str],
) -> None: ...


@says("""🔔 {noun} in {within}
{names}{going}""")
def _wave(noun: str, within: str, names: Text, going: str) -> None: ...


def _when(here: Here, told: Sequence[Noticed]) -> str:
    """`at 14:00 UTC`, `14:00 to 14:04 UTC`."""
    first, last = here.clock.at(told[0].at), here.clock.at(told[-1].at)
    return f"at {first}" if first == last else here.clock.between(told[0].at, told[-1].at)


def _within(told: Sequence[Noticed]) -> str:
    """`1 minute`, `4 minutes`: from the first to the last."""
    return span(60 * max(-int(-(told[-1].at - told[0].at) // 60), 1))


def _names(here: Here, accounts: Sequence[str]) -> Text:
    """Runs of numbered names first; of many others only the first."""
    runs, others = in_runs([here.local(account) for account in dict.fromkeys(accounts)])
    every = (*runs, *others)
    return (*codes(every[:_NAMED]), " and more" if len(every) > _NAMED else "")


# --- the registration window ---------------------------------------------------------------------


def registration_closed(
    here: Here, who: str, lasted: float, users: Sequence[str], config: bool | None = None
) -> Message:
    """users: who registered meanwhile. config: as in `at_next_start`."""
    return news(
        "Registration is off again, {who:person}'s {lasted:over}.",
        ("New accounts meanwhile: ", *_names(here, users))
        if users
        else "No new accounts meanwhile.",
        *at_next_start(config, False),
        who=who,
        lasted=lasted,
    )


def registration_stuck(here: Here, since: float, *, config: bool | None) -> Message:
    """config: whether Conduit's config file opens registration at a start; None unknown."""
    return _registration_stuck(here, since, {None: "", True: " (on)", False: " (off)"}[config])


@says("""❗ Registration may still be on. Owners: restart Conduit.
It should be off since {since:at}, and Conduit does not answer. I try every minute.
After a restart its config file decides{config}.""")
def _registration_stuck(here: Here, since: float, config: str) -> None: ...


def registration_reset(here: Here, left: float) -> Message:
    """Conduit restarted and forgot that registration was on. left: seconds of the window."""
    minutes = max(60 * round(left / 60), 60)
    return _registration_reset(here, minutes, plural(minutes // 60, "was", "were"), typed(minutes))


@says("""🔔 Conduit restarted: registration is off again, as in its config file.
I do not open it by myself. {left:span} {were} left: `!registration on for {typed}`""")
def _registration_reset(here: Here, left: float, were: str, typed: str) -> None: ...


def registration_reopened(here: Here, by: str, config: bool | None) -> Message:
    """by: who had closed it; "" not known. config: as in `at_next_start`."""
    was = line("{by:person} had switched it off.", by=by) if by else "It was off."
    why = " Conduit restarted: its config file opens it." if config else ""
    return _registration_reopened(here, (*was, why))


@says("""❗ Registration is on again: anyone can make an account.
{why}
Off: `!registration off`""")
def _registration_reopened(here: Here, why: Text) -> None: ...
