"""What is said of words that were erased from another room before they could be read."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from ..text.message import Message, Text
from ..text.phrases import Here, alarm, line, listed, numbers, person
from ..text.saying import says


@frozen
class Erased:
    """who, by: names of the policy, or MXIDs; by and origin (a room id) empty where unknown."""

    who: str
    by: str
    origin: str


def _alarm(push: Sequence[str], told: Erased, then: Text, last: Text = ()) -> Message:
    """It names from where it was erased, as far as the server tells."""
    by = line(" by {by:person}", by=told.by) if told.by else ()
    origin = line(" from the room `{room}`", room=told.origin) if told.origin else ()
    return alarm(
        push,
        "Something {who:person} wrote or tapped was erased from outside before I could read it.",
        *(["It was erased{by}{origin}."] if by or origin else []),
        then,
        last,
        who=told.who,
        by=by,
        origin=origin,
    )


def erased(
    push: Sequence[str], told: Erased, held: Sequence[int], owners: Sequence[str]
) -> Message:
    """held: the requests that wait for it. owners: names of those who can release one of them."""
    who = person(told.who)
    if not held:
        again = line("{who}, if it was a command, send it again.", who=who)
        return _alarm(push, told, ("Nothing open depends on it. ", *again))
    return _alarm(
        push,
        told,
        line(
            "Held: {held}. {who}, vote again, or tap ✅ here if you did not say no.",
            held=numbers(held, "and"),
            who=who,
        ),
        line("Or tap ✅ here, once you know what it was: {owners:people}.", owners=owners)
        if owners
        else ("Nobody else can release it: without a word it is not run.",),
    )


def over(told: Erased, released: Sequence[tuple[int, str]]) -> Message:
    """The alarm when nothing is held any more. released: request, and the name of who did."""
    by = listed([(f"#{number} by ", person(name)) for number, name in released])
    return _alarm((), told, ("Released: ", *by, "."))


def not_released(here: Here, who: str, held: Sequence[int], *, no: bool) -> Message:
    """A tap on the alarm that releases nothing. no: it was ❌."""
    if not held:
        return _nothing_held()
    return _on_the_card(here, who, held[0], numbers(held, "and")) if no else _only_an_owner(who)


@says("📋 Nothing is held because of that any more.")
def _nothing_held() -> None: ...


@says("""⛔ {who:person}, a ❌ here denies nothing. Tap ❌ on the card, or: `!deny {first} why`
Until then {held} cannot run.""")
def _on_the_card(here: Here, who: str, first: int, held: Text) -> None: ...


@says("""⛔ {who:person}, not released: that is for its sender, or an owner who neither asked for
  it, nor is its target, nor erased it.""")
def _only_an_owner(who: str) -> None: ...
