"""What must be asked or looked up before a typed line can become an invocation."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, frozen

from ..catalog.record import Action
from ..catalog.table import COMMANDS
from ..model.command import Invocation, Param, Type
from ..text.message import Text, code, quote
from ..text.phrases import codes, line, listed
from ..text.phrases import count as counted
from ..text.runs import in_runs
from .lists import WrittenList, is_id
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
    """❓ with ✅: runs only when the asker taps.

    bad: entries of a list that were left out. guessed: whom it is about stands in a message that
    is not ours, so that it must be typed where a tap would run it. instead: what is said where a
    tap may not run it. whole: the lines name the command and all that it is about.
    """

    def __init__(
        self,
        invocation: Invocation,
        *lines: Text,
        bad: tuple[Bad, ...] = (),
        guessed: bool = False,
        instead: NotRun | None = None,
        whole: bool = False,
    ) -> None:
        super().__init__()
        self.invocation = invocation
        self.lines = lines
        self.bad, self.guessed = bad, guessed
        self.instead, self.whole = instead, whole

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


class NeedsTopic(Exception):
    """What is meant is what the answered message is about, which is not one of ours: parse again
    with about=Topic(…)."""

    def __init__(self, event_id: str) -> None:
        super().__init__(event_id)
        self.event_id = event_id


def missing(param: Param, *, answers: bool = False) -> Missing:
    """answers: a message was answered that should have told it, and does not."""
    where = "The message you answered names none. Reply to this one" if answers else ""
    where = where or "Reply to this message"
    return Missing(param, (f"{param.question} {where} with {param.answer}.",))


_NAMED = 30  # of a list, in a question


def all_of(invocation: Invocation) -> AskFirst:
    """All that the answered message is about: how many, and who does not look like the others."""
    command = COMMANDS[invocation.command]
    values = invocation.values(command.many.name) if command.many else ()
    what = "files" if command.has(Type.MXC) else "accounts"
    first = line(
        "{name} for these {n} {what}? Tap ✅.", name=command.name, n=len(values), what=what
    )
    if what == "files":
        return AskFirst(invocation, first, codes(values[:3]), _NOTHING_YET, whole=True)
    runs, others = in_runs([value[1:].partition(":")[0] for value in values])
    lines: list[Text] = [codes(runs)] if runs else []
    if others:
        more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
        told = line("Also, not like those: " if runs else "")
        lines.append((*told, *codes(others[:_NAMED]), more))
    return AskFirst(invocation, first, *lines, _NOTHING_YET, whole=True)


def another_number(invocation: Invocation, about: Sequence[int]) -> AskFirst:
    """The number that was typed is not the one of the answered message."""
    number = invocation.get("request")
    of = f"#{about[0]}" if len(about) == 1 else "other requests"
    name = COMMANDS[invocation.command].name
    first = f"Do you mean #{number}? Tap ✅ to {name} #{number}."
    return AskFirst(invocation, (first,), (f"You replied to {of}. ", *_NOTHING_YET))


_NOTHING_YET: Text = ("Nothing has run yet.",)


def doubted(
    invocation: Invocation, bad: tuple[Bad, ...], typed: WrittenList
) -> AskFirst | NotRun | None:
    """What must be asked before a list can be taken as meant."""
    command = COMMANDS[invocation.command]
    many, entries = command.many, (*typed.words, *typed.lines)
    assert many is not None
    count, full = len(invocation.values(many.name)), all(map(_is_full, entries))
    if command.secret and count:
        alone = full or count == 1 or not (typed.words or typed.crowded)
        if typed.left_out or typed.quoted or not (alone and (full or _alike(typed.lines))):
            return _names_or_not(invocation, bad, rest=bool(typed.left_out))
    if (typed.left_out or typed.quoted) and count:
        return _without_rest(invocation, bad, typed.left_out)
    if bad:
        return offer(invocation, bad)
    if many.type is not Type.USER or count < 2:
        return None
    apart = typed.words and typed.lines and not full
    return _names_on_one_line(invocation, count) if typed.crowded or apart else None


def _is_full(word: str) -> bool:
    """A full id: always meant."""
    return is_id(word) and ":" in word


def _alike(words: Sequence[str]) -> bool:
    """Whether names look as if one thought of them together: all with digits or none, all with
    capitals or none."""
    short = [word for word in words if not _is_full(word)]
    return len({(any(map(str.isdigit, w)), any(map(str.isupper, w))) for w in short}) < 2


def _names_on_one_line(invocation: Invocation, count: int) -> AskFirst:
    """Several names side by side, or on the command line and below it: meant as a list?"""
    no = NotRun((f"{count} accounts on one line? Write them one a line, below the command.",))
    words = "Both" if count == 2 else f"All {count}"
    question = f"{count} accounts? {words} words are names? Tap ✅. Nothing has run yet."
    return AskFirst(invocation, (question,), instead=no)


_NUMBERS = ("", "", " two", " three", " four", " five", " six", " seven", " eight", " nine")


def _names_or_not(invocation: Invocation, bad: tuple[Bad, ...], *, rest: bool) -> AskFirst:
    """Nothing of them is repeated behind the first: one may be a password. rest: there are notes
    or lines that are no names."""
    names = invocation.values("user")
    count, lines = len(names), list[Text]()
    last = _NUMBERS[count - 1] if count <= len(_NUMBERS) else f" {count - 1}"
    all_of = "Both" if count == 2 else "All"
    first: Text = (f"{count} names, the last{last} not shown. {all_of} of them names? Tap ✅.",)
    name = code(names[0][1:].partition(":")[0])
    if rest and count == 1:
        first = ("Make only ", name, "? The rest is left out and not shown. Tap ✅.")
    elif count == 1:
        first = ("Make ", name, "? It stands in a quote. Tap ✅.")
    elif rest:
        lines.append(("What else stands there is left out, and not shown.",))
    if bad:
        lines.append(_refused(bad))
    lines.append(("A password is never typed here, Conduit makes it.",))
    return AskFirst(invocation, (*first, " Nothing has run yet."), *lines)


def _without_rest(
    invocation: Invocation, bad: tuple[Bad, ...], left_out: Sequence[str]
) -> AskFirst:
    """A list that is quoted, or with notes and courtesy around its entries: only the entries, if
    that is meant."""
    many = COMMANDS[invocation.command].many
    count = len(invocation.values(many.name)) if many else 0
    noun = "account" if many and many.type is Type.USER else "file"
    lines = [_refused(bad)] if bad else []
    if left_out:
        rest: Text = ("Left out: ", *listed([quote(text, 60) for text in left_out[:_SHOWN]]))
        rest += (f" and {len(left_out) - _SHOWN} more",) if len(left_out) > _SHOWN else ()
        reason = ". A reason comes last, behind the word reason."
        lines.insert(0, rest if invocation.reason else (*rest, reason))
    _, verb = offered(invocation) or ("", "Take")
    these = f"this {noun}" if count == 1 else f"these {counted(count, noun)}"
    only = " and leave the rest out" if left_out else ", from a quote"
    first = f"{verb} {these}{only}? Tap ✅. Nothing has run yet."
    no = f"more stands there than {noun}s, so nothing was done. Write only {noun}s, a line each."
    return AskFirst(invocation, (first,), *lines, instead=NotRun((no,), *lines))


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
    refused = _refused(bad)
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


def _refused(bad: tuple[Bad, ...]) -> Text:
    shown = [(quote(entry.typed, 60), " (", *entry.why, ")") for entry in bad[:_SHOWN]]
    more = (f" and {len(bad) - _SHOWN} more",) if len(bad) > _SHOWN else ()
    return ("No: ", *listed(shown), *more)
