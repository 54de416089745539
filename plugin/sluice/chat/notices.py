"""News from the server: accounts, reports, the registration window; and floods of them folded.

Everything here was typed by strangers or is about them: it pushes nobody by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Union

from attrs import evolve, frozen

from ..catalog.server import at_next_start
from ..text.message import Message, Text, Topic, quote
from ..text.phrases import Here, count, line, news, plural
from ..text.saying import says
from ..text.times import typed
from ..typed.parse import MAX_ENTRIES

WAVE_STARTS = 60.0  # the third notice of a kind within this many seconds starts a wave
WAVE_EVERY = 600.0  # then there is one message in this many seconds

Window = Union[float, bool, None]
"""Registration: open until (epoch seconds), True open without end, False closed, None unknown."""


def registered(here: Here, user: str, window: Window) -> Message:
    state = line(" Registration is {until}.", until=on_until(here, window)) if window else ()
    return news(
        "New account: `{user}` registered itself.{state}",
        "Reply to this: `!who`, or `!deactivate reason …`",
        here=here,
        user=user,
        state=state,
    )


def on_until(here: Here, window: Union[float, bool]) -> str:
    """`on until 15:03 UTC`, `on, without an end`."""
    return "on, without an end" if window is True else f"on until {here.clock.at(window)}"


@says("🔔 `{user}` changed their password.")
def password_changed(user: str) -> None: ...


@says("🔔 `{user}` deactivated their own account.")
def self_deactivated(user: str) -> None: ...


def report(
    here: Here,
    reporter: str,
    about: str,
    event_id: str,
    room: str,
    room_name: str | None,
    reason: str | None,
    push: Sequence[str] = (),
) -> Message:
    """push: MXIDs of the role that looks after reports. event_id, room: "" where they are not
    named, because the room is sealed."""
    why = line("Reason as typed: {reason:quote}", reason=reason) if reason else ()
    where: Text = ("It stands in the admin room, or in a private room of mine: look there.",)
    message: Text = ()
    if event_id:
        name: Text = (quote(room_name, 60), " ") if room_name else ()
        where = line("Room: {name}`{room}`", name=name, room=room)
        message = line("Message: `!event {event_id}`", here, event_id=event_id)
    return _report(reporter, about, why or ("No reason was given.",), where, message, push)


@says("""🔔 Report by `{reporter}` about a message of `{about}`.
{why}
{where}
{message}""")
def _report(
    reporter: str, about: str, why: Text, where: Text, message: Text, push: Sequence[str]
) -> None: ...


def developers(text: str) -> Message:
    return news("Conduit's developers write:", (quote(text, 300),))


def raw(text: str) -> Message:
    """Text of the server that is no known notice; only where `notices.other` says so."""
    return news("Conduit says something I do not know:", (quote(text, 300),))


# --- floods -------------------------------------------------------------------------------------


@frozen
class Wave:
    """Notices of one kind: when the last ones came, and what is held back of a flood.

    recent: when the last ones came, and about whom. held: whom the next summary is about; it
    includes the two that were sent alone. count: how many that are. due: when the summary is sent;
    None while there is no flood.
    """

    recent: tuple[tuple[float, str], ...] = ()
    held: tuple[str, ...] = ()  # the newest that fit into a request, and one
    count: int = 0
    due: float | None = None


def arrive(wave: Wave, about: str, now: float) -> tuple[Wave, bool]:
    """One more notice; True: send it by itself, False: it is held for the folded message."""
    if wave.due is not None:
        held = (*wave.held, about)[-MAX_ENTRIES - 1 :]
        return evolve(wave, held=held, count=wave.count + 1), False
    recent = (*(each for each in wave.recent if now - each[0] < WAVE_STARTS), (now, about))
    if len(recent) < 3:
        return Wave(recent), True
    held = tuple(whom for _, whom in recent)
    return Wave(recent, held, len(recent), now + WAVE_EVERY), False


def ebb(here: Here, kind: str, wave: Wave, now: float) -> tuple[Wave, Message | None]:
    """The clock: the folded message when it is due. A time without a notice ends the flood.

    kind: `registered`, `password_changed`, `self_deactivated` or `report`.
    """
    if wave.due is None or now < wave.due:
        return wave, None
    if not wave.count:
        return Wave(), None
    return Wave(due=now + WAVE_EVERY), _folded(here, kind, wave)


_FOLDED = {
    "registered": "new account/new accounts",
    "password_changed": "password change/password changes",
    "self_deactivated": "account deactivated by its owner/accounts deactivated by their owners",
    "report": "report/reports",
}


_WAYS = (
    "All: `!{look}` · Stop it: `!registration off`",
    "To sign all of them out, reply to this: `!deactivateall reason …`",
)


def _folded(here: Here, kind: str, wave: Wave) -> Message:
    noun = count(wave.count, *_FOLDED[kind].split("/"))
    by = " by" if kind == "report" else ""
    newest = wave.held[-3:]
    look = f"users {_start([here.local(user) for user in newest])}".rstrip()
    said = news(
        "{noun} in {every:span}, newest{by}: {held:codes}",
        *(_WAYS if kind == "registered" else []),
        here=here,
        noun=noun,
        every=WAVE_EVERY,
        by=by,
        held=newest,
        look=look,
    )
    return evolve(said, about=Topic(accounts=tuple(dict.fromkeys(wave.held))))


def _start(names: Sequence[str]) -> str:
    """With what all of them begin."""
    start = names[0]
    while not all(name.startswith(start) for name in names):
        start = start[:-1]
    return start


# --- the registration window ---------------------------------------------------------------------


def registration_closed(
    who: str, lasted: float, users: Sequence[str], config: bool | None = None
) -> Message:
    """users: who registered meanwhile. config: as in `at_next_start`."""
    more = f" and {len(users) - 6:,} more" if len(users) > 6 else ""
    return news(
        "Registration is off again, {who:person}'s {lasted:over}.",
        "New accounts meanwhile: {users:codes}{more}" if users else "No new accounts meanwhile.",
        *at_next_start(config, False),
        who=who,
        lasted=lasted,
        users=users[:6],
        more=more,
    )


def registration_stuck(here: Here, since: float, *, config: bool | None) -> Message:
    """config: whether Conduit's config file opens registration at a start; None unknown."""
    return _registration_stuck(here, since, {None: "", True: " (on)", False: " (off)"}[config])


@says("""❗ Registration should be off since {since:at}, but Conduit does not answer.
I try every minute. Sure way: restart Conduit; then its config file decides{config}.""")
def _registration_stuck(here: Here, since: float, config: str) -> None: ...


def registration_reset(here: Here, left: float) -> Message:
    """Conduit restarted and forgot that registration was on. left: seconds of the window."""
    minutes = max(60 * round(left / 60), 60)
    return _registration_reset(here, minutes, plural(minutes // 60, "was", "were"), typed(minutes))


@says("""🔔 Conduit restarted: registration is off again, as in its config file.
I do not open it by myself. {left:span} {were} left: `!registration on for {typed}`""")
def _registration_reset(here: Here, left: float, were: str, typed: str) -> None: ...
