"""What is said of words that were erased from another room before they could be read."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from ..text.message import Message, Text, code
from ..text.phrases import Here, Line, Word, alarm, listed, not_run, people, person, view


@frozen
class Erased:
    """who, by: names of the policy, or MXIDs; by and origin (a room id) empty where unknown."""

    who: str
    by: str
    origin: str


def _numbers(held: Sequence[int]) -> Text:
    return listed([f"#{number}" for number in held], "and")


def _how(told: Erased) -> tuple[Line, ...]:
    """From where, as far as the server tells."""
    by: Text = (" by ", person(told.by)) if told.by else ()
    origin: Text = (" from the room ", code(told.origin)) if told.origin else ()
    return (("It was erased", *by, *origin, "."),) if by or origin else ()


def _head(told: Erased) -> Text:
    who: Word = person(told.who)
    return ("Something ", who, " wrote or tapped was erased from outside before I could read it.")


def erased(
    push: Sequence[str], told: Erased, held: Sequence[int], owners: Sequence[str]
) -> Message:
    """held: the requests that wait for it. owners: names of those who can release one of them."""
    who = person(told.who)
    if not held:
        again: Text = (who, ", if it was a command, send it again.")
        return alarm(push, _head(told), *_how(told), ("Nothing open depends on it. ", *again))
    wait: Text = (
        "Held: ",
        *_numbers(held),
        ". ",
        who,
        ", vote again, or tap ✅ here if you did not say no.",
    )
    also: Text = ("Nobody else can release it: without a word it is not run.",)
    if owners:
        also = ("Or tap ✅ here, once you know what it was: ", *people(owners), ".")
    return alarm(push, _head(told), *_how(told), wait, also)


def over(told: Erased, released: Sequence[tuple[int, str]]) -> Message:
    """The alarm when nothing is held any more. released: request, and the name of who did."""
    who = [(f"#{number} by ", person(name)) for number, name in released]
    words = tuple(word for n, each in enumerate(who) for word in ((", ", *each) if n else each))
    return alarm((), _head(told), *_how(told), ("Released: ", *words, "."))


def not_released(here: Here, who: str, held: Sequence[int], *, no: bool) -> Message:
    """A tap on the alarm that releases nothing. no: it was ❌."""
    if not held:
        return view("Nothing is held because of that any more.")
    stays = _numbers(held)
    if no:
        how = here.cmd(f"deny {held[0]} why")
        return not_run(
            (person(who), ", tap ❌ on the card, or type ", how, ". ", *stays, " held.")
        )
    because = "an owner who neither asked for it, nor is its target, nor erased it"
    return not_run((person(who), ", not released: that is for its sender, or ", because, "."))
