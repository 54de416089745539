"""The board: one message in each ops room that always shows what is open and how things stand."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, frozen

from ..model.request import Pause, Request, State
from ..text.message import Code, Message, Text
from ..text.phrases import Here, count, line, person, plural
from ..text.saying import says
from .notices import Window, on_until

_SHOWN, _BESIDE = 6, 3  # open requests that are shown: if all is well, and beside a problem


@frozen
class Glance:
    """What stands on the board. requests: the open ones, with what each asks for, the first to
    end first. reviews: numbers of break-glass that wait for one. problems: as `status` has them,
    the worst first.

    is_meant: Conduit's config file opens registration. conduit: `Conduit 0.10.12 answers`, "" if
    it does not.
    """

    requests: Sequence[tuple[Request, Text]]
    reviews: Sequence[int]
    registration: Window
    is_meant: bool
    pause: Pause | None
    conduit: str
    problems: Sequence[Text]


def board(here: Here, glance: Glance) -> Message:
    """Without the moment: it reads otherwise only when something else is true."""
    most = _BESIDE if glance.problems else _SHOWN
    rows = [_row(here, *each) for each in glance.requests[:most]]
    if (left := len(glance.requests) - most) > 0:
        rows.append(line("{n} more: `!pending`", here, n=left))
    if glance.reviews:
        rows.append(line("To be reviewed: {which:numbers}", which=glance.reviews))
    message = _board(_head(glance), _stands(here, glance), _health(here, glance))
    return evolve(message, lines=(message.lines[0], *rows, *message.lines[1:]))


@says("""📋 {head}
{stands}
{health}""")
def _board(head: str, stands: Text, health: Text) -> None: ...


def _head(glance: Glance) -> str:
    """All of it in short, for who sees no more than this line."""
    n, wrong = len(glance.requests), len(glance.problems)
    parts = [count(n, "open request") if n else "Nothing is open"]
    parts += ["paused"] if glance.pause is not None else []
    parts += ["registration is on"] if glance.registration and not glance.is_meant else []
    return ", ".join([*parts, count(wrong, "problem") if wrong else "no problems"])


def _row(here: Here, request: Request, short: Text) -> Text:
    """`#29 bo: deactivate max, by 13:13`."""
    if request.state is State.EXECUTING:
        end = "running"
    elif request.queued_since is not None:
        end = "waits its turn"
    else:
        at = request.expires
        end = f"by {here.clock.at(at)}" if at is not None else "without an end"
    asked = [here.short(word.text) if isinstance(word, Code) else word for word in short]
    return (f"#{request.id} ", person(request.person), ": ", *asked, f", {end}")


def _stands(here: Here, glance: Glance) -> Text:
    registration, pause = f"Registration {_registration(here, glance)}.", glance.pause
    if pause is None:
        return (registration, " Not paused.")
    by = line(" Paused by {by:person} since {at:at}.", here, by=pause.by, at=pause.at)
    return (registration, *by)


def _registration(here: Here, glance: Glance) -> str:
    if glance.registration:
        meant = glance.is_meant and glance.registration is True
        return "on, as in the config file" if meant else on_until(here, glance.registration)
    return "off" if glance.registration is False else "not known"


def _health(here: Here, glance: Glance) -> Text:
    """The worst problem in its words, and how many more there are."""
    if not glance.problems:
        return (f"{glance.conduit}.",) if glance.conduit else ()
    more = len(glance.problems) - 1
    is_are = plural(more, "problem", "problems")
    rest = line(" {n} more {noun}: `!status`", here, n=more, noun=is_are) if more else ()
    return (*glance.problems[0], *rest)


def first(here: Here, message: Message) -> Message:
    """As it is posted. Conduit shows a message that is looked up by its id as it was first."""
    return _as_of(here, message, " Its newest edit counts.")


def edited(here: Here, message: Message) -> Message:
    return _as_of(here, message)


def _as_of(here: Here, message: Message, more: str = "") -> Message:
    last = line("As of {at:at}.{more}", here, at=here.clock.now, more=more)
    return evolve(message, lines=(*message.lines, last))


@says("📋 An earlier board. The newest one is further down, or pinned.")
def earlier() -> None:
    """What becomes of the one that stood before."""


@says("📋 This board is no longer kept: this is no ops room any more. What it said may be old.")
def let_go() -> None:
    """What becomes of it where the policy does not name the room any more."""


@says("📋 The board is switched off in the policy: `!pending` and `!status` say the same.")
def switched_off(here: Here) -> None: ...
