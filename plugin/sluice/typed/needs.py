"""What must be asked or looked up before a typed line can become an invocation."""

from __future__ import annotations

import re
from collections.abc import Sequence

from attrs import evolve, frozen

from ..catalog.record import Action
from ..catalog.table import COMMANDS
from ..model.command import Invocation, Param
from ..text.message import Text, quote
from .values import NotRun


class Missing(Exception):
    """❓ One thing is missing: the answer is one more value of `param` for the same words."""

    def __init__(self, param: Param, question: Text) -> None:
        super().__init__()
        self.param = param
        self.question = question


@frozen
class Bad:
    """One entry of a list that cannot be used. why: in a few words, "no user name"."""

    typed: str
    why: Text


class AskFirst(Exception):
    """❓ with ✅: runs only when the asker taps. bad: entries of a list that were left out."""

    def __init__(self, invocation: Invocation, *lines: Text, bad: tuple[Bad, ...] = ()) -> None:
        super().__init__()
        self.invocation = invocation
        self.lines = lines
        self.bad = bad

    @property
    def certain(self) -> Invocation:
        """The part that is safe to judge, tell and store before the tap. Of `adduser a b` only
        `a`: `b` may be a password."""
        if self.bad or not COMMANDS[self.invocation.command].secret:
            return self.invocation
        return evolve(self.invocation.first(), noted=())


class NeedsMedia(Exception):
    """The file is that of this message: parse again with media={event_id: (mxc,)}, () if none."""

    def __init__(self, event_id: str) -> None:
        super().__init__(event_id)
        self.event_id = event_id


class NeedsNotice(Exception):
    """The account is the one that the answered message, a server notice, is about: parse again
    with about=(mxid,), or () if it is no such notice."""

    def __init__(self, event_id: str) -> None:
        super().__init__(event_id)
        self.event_id = event_id


def missing(param: Param) -> Missing:
    return Missing(param, (f"{param.question} Reply to this message with {param.answer}.",))


def names_on_one_line(invocation: Invocation, count: int) -> AskFirst | NotRun:
    """Several names behind one command: meant as a list, or a name and something else?"""
    if COMMANDS[invocation.command].undo(invocation) is None:
        first = f"{count} accounts on one line? Write them one a line, below the command."
        return NotRun((first,))
    words = "Both" if count == 2 else f"All {count}"
    question = f"{count} accounts? {words} words are names? Tap ✅. Nothing has run yet."
    return AskFirst(invocation, (question,), *_no_password(invocation))


def _no_password(invocation: Invocation) -> list[Text]:
    if not COMMANDS[invocation.command].secret:
        return []
    return [("A password is never typed here, Conduit makes it.",)]


_COURTESY = re.compile(
    "thanks?|thankyou|th?x|ty|tia|cheers|please|pl[sz]|best|regards|greetings|kind|sincerely|love"
    "|bye|hi|hey|hello|dear|morning|evening|ok|okay",
    re.I,
)


def like_password(word: str) -> bool:
    """Of three kinds of signs, as `SecurePassword123`: nobody's user name, and never repeated."""
    kinds = (str.islower, str.isupper, str.isdigit, _is_odd)
    return not word.startswith("@") and sum(any(map(kind, word)) for kind in kinds) > 2


def _is_odd(char: str) -> bool:
    return not char.isalnum() and char not in "._=/+-"


def may_be_no_names(words: Sequence[str], lines: Sequence[str]) -> bool:
    """Whether a list may hold what was not meant for it: a name on the command line and more below
    it (a password, a greeting), or such words among the names. Full ids are always meant."""
    bare = [w for w in (*words, *lines) if not (w.startswith("@") and ":" in w)]
    if words and lines and bare:
        return True
    return any(_COURTESY.fullmatch(w.rstrip(".,!")) or like_password(w) for w in bare)


def names_or_not(invocation: Invocation, count: int) -> AskFirst:
    """Nothing of them is repeated: one may be a password."""
    all_of = "Both are" if count == 2 else f"All {count} are"
    question = f"{count} accounts, a line each? {all_of} names? Tap ✅. Nothing has run yet."
    return AskFirst(invocation, (question,), *_no_password(invocation))


def offered(invocation: Invocation) -> tuple[str, str] | None:
    """How its list is offered again without its bad entries; None where it is not."""
    command = COMMANDS[invocation.command]
    return command.offer if isinstance(command, Action) else None


_SHOWN = 8  # bad entries of a list that are told one by one


def offer(invocation: Invocation, bad: tuple[Bad, ...]) -> AskFirst | NotRun:
    """A mixed list, offered again without its bad entries, whoever found them bad.

    Only what can be undone or leads to votes is offered; of anything else nothing runs.
    """
    command = COMMANDS[invocation.command]
    good = invocation.values(command.many.name) if command.many else ()
    refused: Text = ("No: ",)
    for at, entry in enumerate(bad[:_SHOWN]):
        refused += (*((", ",) if at else ()), quote(entry.typed, 60), " (", *entry.why, ")")
    refused += (f" and {len(bad) - _SHOWN} more",) if len(bad) > _SHOWN else ()
    total = len(good) + len(bad)
    if not good:
        return NotRun((f"none of these {total} can be used.",), refused)
    how = offered(invocation)
    if how is None:
        return NotRun((f"{len(bad)} of {total} cannot be used, so nothing was done.",), refused)
    can, verb = how
    first = f"{len(good)} of {total} {can}. {verb} these {len(good)}? Tap ✅. Nothing has run yet."
    if not command.secret or len(good) > 12:
        return AskFirst(invocation, (first,), refused, bad=bad)
    typed = {mxid: f" (you typed {was})" for mxid, was in invocation.noted}
    names = ", ".join(m[1:].partition(":")[0] + typed.get(m, "") for m in good)
    return AskFirst(invocation, (first,), (f"Yes: {names}",), refused, bad=bad)
