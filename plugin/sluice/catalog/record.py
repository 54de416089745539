"""The record of a command: everything that people see of it, in one value.

What the server takes and answers is in `families`, family by family; what the policy says of it is
the policy's. A column that is a template is filled by `End.says`.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Literal

from attrs import Factory, frozen

from ..model.command import Alias, Invocation, Outcome, Param, Right, Tag, Type
from ..model.result import Ending
from ..text.message import Text
from ..text.phrases import Here, Line, line

READ = frozenset({Tag.READ})
INSPECT = frozenset({Tag.INSPECT})
CHANGE = frozenset({Tag.CHANGE})
SECRET = frozenset({Tag.CHANGE, Tag.SECRET})
DESTRUCTIVE = frozenset({Tag.DESTRUCTIVE})


class Does(Enum):
    """What a command does that others must know of: the policy, the log, registration."""

    MAKES_ACCOUNTS = "makes accounts"
    RESETS_PASSWORD = "resets a password"
    OPENS_REGISTRATION = "opens or closes registration"
    OTHER = "other"


class Guessed(Enum):
    """What becomes of it where it was not typed as it is called: a slip, another bot's word."""

    RUNS = "runs"  # it only reads, or is a no
    ASKED = "asked"
    TYPED = "typed"  # never by a guess: whoever means it types it


class Before(Enum):
    """What is looked at before it may go on."""

    NAMES = "the names are free"
    PASSWORD = "the account exists, and its password can be handed over"
    ACCOUNTS = "the accounts exist"
    ACCOUNT_LIST = "the accounts exist; those that do not are left out"
    OWNER = "the account whose files are asked for exists"
    ROOM = "how the room is called"
    ADDRESS = "the address leads somewhere"
    FILES = "the files are there"
    POSTED = "who posted the files"
    SEALED = "the event is of no sealed room"
    SIZE = "the answer is not too large"
    NOTHING = "nothing"


class After(Enum):
    """What is looked at afterwards, where the answer proves nothing or none came."""

    ACCOUNT = "account"  # whether it exists
    DEACTIVATED = "deactivated"  # whether one can sign in
    MEDIA = "media"  # whether the file can be loaded
    ALIAS = "alias"  # where the address leads
    ROOM = "room"  # how it is called, for the result
    NOTHING = ""


@frozen
class Words:
    """What a command says when it is done.

    clause: no capital, no full stop. tail: goes on in the same line. lines: below it. undo: the
    last line, None for the one that the record's `undo` gives. note: behind that, in brackets.
    """

    clause: Text
    tail: Text = ()
    lines: tuple[Line, ...] = ()
    undo: Text | None = None
    note: str = ""


def never(asked: Invocation) -> Invocation | None:
    """The `undo` of what cannot be undone by a command."""
    return None


def back_by(name: str) -> Callable[[Invocation], Invocation]:
    """The `undo` that is another command about the same."""
    return lambda asked: Invocation(name, asked.args[:1])


def back_for_one(name: str) -> Callable[[Invocation], Invocation]:
    """The same, where the other command takes one: it is about the first."""

    def undo(asked: Invocation) -> Invocation:
        param = asked.args[0][0]
        return Invocation(name, ((param, asked.values(param)[0]),))

    return undo


def nothing(asked: Invocation) -> str:
    return ""


def always(words: str) -> Callable[[Invocation], str]:
    return lambda asked: words


@frozen
class Many:
    """How an end is told value by value: "3 accounts made"."""

    noun: str
    verb: str
    listed: str = "still listed = not deactivated"  # what is known of one that is listed
    always: bool = False  # also of one line
    after: Callable[[Invocation], str] = nothing  # a line below, if all were done


ELSEWHERE = "`{mxid}` is an account of another server; only {server} can do that."
FILES_THERE = "Its server's files here: `!media {server}`"


@frozen(kw_only=True)
class Command:
    """What every command has: a `ReadOnly`, an `Action`, or one of Sluice's own."""

    name: str
    summary: str  # the line of help
    example: str  # what to type, without the prefix
    tags: frozenset[Tag] = frozenset()
    params: tuple[Param, ...] = ()
    conduit: str = ""  # Conduit's name of the line; "" for Sluice's own
    most: int | None = 0  # words that Conduit's name takes on its line, None any number
    aliases: tuple[Alias, ...] = Factory(
        lambda self: (
            (Alias(self.conduit, most=self.most),) * (self.conduit not in ("", self.name))
        ),
        takes_self=True,
    )
    typed: str = Factory(lambda self: self.name, takes_self=True)  # its words, if not its name
    right: Right = Right.POLICY
    guessed: Guessed = Factory(
        lambda self: Guessed.RUNS if self.looks else Guessed.ASKED, takes_self=True
    )

    # in help
    about: str = ""  # the summary where it alone is explained, if that is another
    also: tuple[str, str] = ("", "")  # (how it goes on, a further example)
    overview: bool = False  # named in the overview of who may do much
    brief: tuple[str, str] = ("", "")  # line and summary for who may do little, if others
    peek: bool = False  # named there as what one can look at
    start: Literal["line", "word", ""] = ""  # for who may only look; "" stands behind `!more`

    # how it is read and judged
    targets: str | None = None  # the parameter whose values are the accounts it acts on
    counted: bool = False  # each account is one act, where a limit does not say what it counts
    several: str = ""  # the command that takes a list of what this one takes
    by_shape: bool = False  # its words come in any order, each says by its shape what it is
    of_account: str = ""  # the command that is the same for all files of an account
    elsewhere: tuple[str, ...] | None = (ELSEWHERE, f"Ban it in your rooms. {FILES_THERE}")
    """Templates of what is said of accounts of other servers; None where they are as good."""
    at_once: bool = False
    """A vote, or it stops something. It does not wait for what its sender sent before, may take
    the place of a vote in an edit, and counts also where the bot cannot speak."""
    does: Does = Does.OTHER

    # what is looked at
    before: Before = Before.NOTHING
    after: After = After.NOTHING
    sized: bool = False  # its answer grows with the server
    attacker_sized: bool = False  # any user can make its answer huge
    fits: int = 0  # how many entries surely fit into an answer
    reads_messages: bool = False
    """It shows what people wrote, in any room: no group allows it, its answer is shown once."""

    # what is said of it. Templates, but `could_not`: "2 files could not be …"
    then: Callable[[Invocation], str] = nothing  # what happens, on its card; "" its name says all
    by_file: bool = False  # its card counts the files, and says who posted them
    undo: Callable[[Invocation], Invocation | None] = never
    missing: str = "there is no account `{first}`"  # what the code "missing" means
    still: str = ""  # what a look found if it has not happened
    look: str = ""  # the command that shows whether it has; "" none does
    could_not: str = "removed"

    @property
    def own(self) -> bool:
        return not self.conduit

    @property
    def can_stop(self) -> bool:
        """Whether its answer can become so long that it ends Conduit's handler."""
        return self.sized or self.attacker_sized

    @property
    def looks(self) -> bool:
        """Whether it has a line that changes nothing."""
        return not self.own and self.tags <= READ | INSPECT

    @property
    def secret(self) -> bool:
        return Tag.SECRET in self.tags

    @property
    def of_request(self) -> bool:
        """Whether what it takes first is the number of a request."""
        return bool(self.params) and self.params[0].type is Type.COUNT

    @property
    def many(self) -> Param | None:
        """The parameter that takes a list."""
        return next((p for p in self.params if p.many), None)

    def param(self, name: str) -> Param | None:
        return next((p for p in self.params if p.name == name), None)

    def has(self, type: Type) -> bool:
        return any(param.type is type for param in self.params)

    def sample(self, server: str) -> Invocation:
        """What its example is about, on this server."""
        words = self.example.replace("example.org", server).split()[1:]
        if words[:1] == ["reason"]:  # what it is about stands on the lines below
            words = [f"@spam:{server}"]
        return Invocation(self.name, ((self.params[0].name, words[0]),) if words else ())


@frozen(kw_only=True)
class ReadOnly(Command):
    """One that changes nothing on the server.

    shows: a template of its answer, filled with what `families` read from it; "" for those that
    have a page of their own in `running.views`.
    """

    shows: str = ""


@frozen(kw_only=True)
class OwnCommand(Command):
    """One of Sluice's own: no line, never a request. Its handler is in `own`."""

    asks: bool = False  # it may have to ask the server something
    stops: bool = False  # it does nothing but stop something: in doubt it is meant


@frozen(kw_only=True)
class Action(Command):
    """One that changes something: it may need votes, can be in doubt, and is told at its end."""

    then: Callable[[Invocation], str]
    done: Callable[[End], Words]
    undo: Callable[[Invocation], Invocation | None]
    look: str
    told: Many | None = None  # how its end is told value by value
    loads: bool = False  # its files can be loaded afterwards
    not_done: tuple[str, str] = ("", "")  # said of a file, or of files, of which that is not so
    note: str = ""  # behind what takes it back, in brackets
    offer: tuple[str, str] | None = None
    """Where its list is offered without bad entries: what can be done with the good ones, a verb
    for the question."""


@frozen
class Group:
    """Commands that stand together in help. topic: `help …`, "" where that is a command."""

    title: str
    topic: str
    commands: tuple[Command, ...]


@frozen
class End:
    """How a command ended: all that its words can tell."""

    here: Here
    ending: Ending
    invocation: Invocation
    outcome: Outcome

    @property
    def first(self) -> str:
        """The first value of all: the account, room, file or server it is about."""
        every = (v for name, _ in self.invocation.args for v in self.invocation.values(name))
        return next(every, "")

    def value(self, name: str) -> str:
        return str(self.invocation.get(name) or "")

    def number(self, name: str) -> int:
        value = self.outcome.get(name)
        return int(value) if isinstance(value, (int, str)) and str(value).isdigit() else 0

    def says(self, template: str) -> Text:
        """The template with `first`, `local` (as short as one can type it) and `id` filled in."""
        first = self.first
        start = first[1:].partition(":")[0][:12]
        values = {"first": first, "local": self.here.local(first), "id": start}
        return line(template, self.here, **values)
