"""News from the server: accounts, reports, the registration window; and floods of them folded.

Everything here was typed by strangers or is about them: it pushes nobody by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Union

from attrs import evolve, frozen

from ..text.message import Message, Sign, Text, code, quote
from ..text.phrases import Here, alarm, codes, news, person, say
from ..text.times import over, span, typed

WAVE_STARTS = 60.0  # the third notice of a kind within this many seconds starts a wave
WAVE_EVERY = 600.0  # then there is one message in this many seconds

Window = Union[float, bool, None]
"""Registration: open until (epoch seconds), True open without end, False closed, None unknown."""


def _registration(here: Here, window: Window) -> str:
    if window is None or window is False:
        return ""
    if window is True:
        return " Registration is on, without an end."
    return f" Registration is on until {here.clock.at(window)}."


def registered(here: Here, user: str, window: Window) -> Message:
    state = _registration(here, window)
    return news(("New account: ", code(user), f" registered itself.{state}"))


def password_changed(user: str) -> Message:
    return news((code(user), " changed their password."))


def self_deactivated(user: str) -> Message:
    return news((code(user), " deactivated their own account."))


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
    why: Text = ("Reason as typed: ", quote(reason)) if reason else ("No reason was given.",)
    name: Text = (quote(room_name, 60), " ") if room_name else ()
    return say(
        Sign.NEWS,
        ("Report by ", code(reporter), " about a message of ", code(about), "."),
        why,
        *(
            [("Room: ", *name, code(room)), ("Message: ", here.cmd(f"event {event_id}"))]
            if event_id
            else ["It stands in the admin room, or in a private room of mine: look there."]
        ),
        push=tuple(push),
        text=bool(push),
    )


def developers(text: str) -> Message:
    return news("Conduit's developers write:", (quote(text, 300),))


def raw(text: str) -> Message:
    """Text of the server that is no known notice; only where `notices.other` says so."""
    return news("Conduit says something I do not know:", (quote(text, 300),))


# --- floods -------------------------------------------------------------------------------------


@frozen
class Wave:
    """Notices of one kind: when the last ones came, and what is held back of a flood.

    count: of the next folded message, the first of which also counts the two that were sent alone.
    due: when it is sent; None while there is no flood.
    """

    recent: tuple[float, ...] = ()
    held: tuple[str, ...] = ()  # the newest three
    count: int = 0
    due: float | None = None


def arrive(wave: Wave, about: str, now: float) -> tuple[Wave, bool]:
    """One more notice; True: send it by itself, False: it is held for the folded message."""
    if wave.due is not None:
        return evolve(wave, held=(*wave.held, about)[-3:], count=wave.count + 1), False
    recent = (*(t for t in wave.recent if now - t < WAVE_STARTS), now)
    if len(recent) < 3:
        return Wave(recent), True
    return Wave(recent, (about,), len(recent), now + WAVE_EVERY), False


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
    "registered": ("new account", "new accounts"),
    "password_changed": ("password change", "password changes"),
    "self_deactivated": (
        "account deactivated by its owner",
        "accounts deactivated by their owners",
    ),
    "report": ("report", "reports"),
}


def _folded(here: Here, kind: str, wave: Wave) -> Message:
    one, many = _FOLDED[kind]
    noun = one if wave.count == 1 else many
    head = f"{wave.count:,} {noun} in {span(WAVE_EVERY)}, newest"
    by = " by: " if kind == "report" else ": "
    lines: list[Text] = [(head, by, *codes(wave.held))]
    if kind == "registered":
        names = [here.local(user) for user in wave.held]
        start = names[0]
        while not all(name.startswith(start) for name in names):
            start = start[:-1]
        look = f"users {start}".rstrip()
        lines.append(("All: ", here.cmd(look), " · Stop it: ", here.cmd("registration off")))
    return news(*lines)


# --- the registration window ---------------------------------------------------------------------


def at_next_start(config: bool | None, stays: bool) -> tuple[Text, ...]:
    """A line where Conduit's config file will change what stays until then; None: not known."""
    if config is None or config is stays:
        return ()
    state = "on" if config else "off"
    return ((f"At its next start Conduit goes by its config file: {state}.",),)


def registration_closed(
    who: str, lasted: float, users: Sequence[str], config: bool | None = None
) -> Message:
    """users: who registered meanwhile. config: as in `at_next_start`."""
    more = len(users) - 6
    meanwhile: Text = ("New accounts meanwhile: ", *codes(users[:6]))
    meanwhile = (*meanwhile, f" and {more:,} more") if more > 0 else meanwhile
    return news(
        ("Registration is off again, ", person(who), f"'s {over(lasted)}."),
        meanwhile if users else "No new accounts meanwhile.",
        *at_next_start(config, False),
    )


def registration_stuck(here: Here, since: float, *, config: bool | None) -> Message:
    """config: whether Conduit's config file opens registration at a start; None unknown."""
    at_start = "" if config is None else (" (on)" if config else " (off)")
    return alarm(
        here.owners,
        f"Registration should be off since {here.clock.at(since)}, but Conduit does not answer.",
        f"I try every minute. Sure way: restart Conduit; then its config file decides{at_start}.",
    )


def registration_reset(here: Here, left: float) -> Message:
    """Conduit restarted and forgot that registration was on. left: seconds of the window."""
    minutes = max(60 * round(left / 60), 60)
    were = "was" if minutes == 60 else "were"
    again = here.cmd(f"registration on for {typed(minutes)}")
    return news(
        "Conduit restarted: registration is off again, as in its config file.",
        (f"I do not open it by myself. {span(minutes)} {were} left: ", again),
    )
