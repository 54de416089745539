"""The words of the catalog: what a command is, what an invocation is, what an answer can mean.

Values only. The tables that use these words are `catalog.table` (what people may ask for) and
`conduit` (what the server understands and answers); nothing here knows either.
"""

from __future__ import annotations

from enum import Enum
from typing import Union

from attrs import field, frozen

Value = Union[str, int, bool, "tuple[str, ...]"]
"""A canonical argument: MXID, room id, mxc, server, word; seconds; a switch; or many of one."""


class Dialect(Enum):
    """A family of Conduit versions that spell commands and answers alike."""

    V0_9 = (0, 9)
    V0_10 = (0, 10)
    V0_11 = (0, 11)

    def __str__(self) -> str:
        return f"{self.value[0]}.{self.value[1]}"


class Tag(str, Enum):
    """What a command does to the server; the groups (`#read` …) of the policy."""

    READ = "read"
    INSPECT = "inspect"
    CHANGE = "change"
    DESTRUCTIVE = "destructive"
    SECRET = "secret"


class Type(str, Enum):
    """The type of a parameter: how it is read, checked and made canonical."""

    USER = "user"  # full MXID; `regex` of the policy sees its localpart, `server` its server
    ROOM = "room"  # room id; an alias is resolved before it gets here
    ALIAS = "alias"  # #name:server, kept as an alias
    MXC = "mxc"  # mxc://server/id
    EVENT = "event"  # $event_id
    SERVER = "server"  # a server name
    DURATION = "duration"  # seconds, typed as 30m, 1h, 7d
    SINCE = "since"  # an instant, "2026-11-16T14:30:00" UTC; typed as that, as a day or as 7d
    CHOICE = "choice"  # one of Param.choices
    COUNT = "count"  # a whole number
    WORD = "word"  # one word of free text, no white space
    TEXT = "text"  # the rest of the line, as typed (own commands: `can`, `glass`, `pause`, `deny`)
    SWITCH = "switch"  # True when the flag is typed


@frozen
class Param:
    """One typed argument of a command.

    name: what `where` in the policy and error texts call it.
    flag: typed as `--name` (a switch); else by position.
    many: one or more values (several words, lines or a code block); its value is then a tuple.
    """

    name: str
    type: Type
    required: bool = True
    many: bool = False
    flag: bool = False
    choices: tuple[str, ...] = ()


class Right(str, Enum):
    """Who may use a command; those of a line are the policy's."""

    POLICY = "policy"  # whom an allow line names
    ROLE = "role"  # anybody with a role; `why` of others' requests and `can @other` as CHANGE
    CHANGE = "change"  # whoever has a right to change something
    REQUEST = "request"  # the request it is about decides
    OWNER = "owner"
    LINE = "line"  # as the command line that it holds (`glass`)


@frozen
class Alias:
    """Another word for a command, mostly Conduit's own name for it.

    first: words that it puts in front of what was typed. most: the number of positional words
    that Conduit takes, None as many as the command itself. noise: flags of Conduit whose value
    says by itself what it is, so that the flag is passed over.
    """

    word: str
    first: tuple[str, ...] = ()
    most: int | None = None
    noise: tuple[str, ...] = ()


@frozen
class Command:
    """One thing that people can ask for. Everything that is true of it stands here once.

    summary: the help line. example: what to type, without the prefix. targets: the parameter
    whose values are the accounts it acts on. own: Sluice's own; no line, never a request.
    conduit: Conduit's name of the line ("" if own; `lines` knows more). attacker_sized: any user
    can make the answer huge; sized: so can plain growth of the server. reads_messages: it shows
    what people wrote, in any room: no group allows it, and its answer is not shown again. probe:
    what tells
    afterwards whether it happened ("account", "deactivated", "media", "alias", "" nothing).
    undo: the command line that takes it back, "" if there is none.
    """

    name: str
    summary: str
    example: str
    tags: frozenset[Tag] = frozenset()
    params: tuple[Param, ...] = ()
    aliases: tuple[Alias, ...] = ()
    conduit: str = ""
    targets: str | None = None
    right: Right = Right.POLICY
    sized: bool = False
    attacker_sized: bool = False
    reads_messages: bool = False
    probe: str = ""
    undo: str = ""

    @property
    def own(self) -> bool:
        return not self.conduit

    @property
    def can_stop(self) -> bool:
        """Whether its answer can become so long that it ends Conduit's handler."""
        return self.sized or self.attacker_sized

    def param(self, name: str) -> Param | None:
        return next((p for p in self.params if p.name == name), None)


@frozen
class Typed:
    """What a person typed, read tolerantly but not yet understood (made by `typed.read`).

    word: the first word, lower case, `_` as `-`, without the prefix. rest: what follows it on the
    first line, spaces folded, a trailing full stop dropped. words: `rest` up to a word `reason`,
    split at blanks, quotes around a word removed, dashes before a flag as `--`, pills and links as
    the MXID or room they mean. reason: what follows the word `reason`, None without it.
    lines: further lines, or the lines of a code block, stripped, empty ones dropped.
    reply_to: event id of the message that this one answers.
    """

    word: str
    rest: str = ""
    words: tuple[str, ...] = ()
    reason: str | None = None
    lines: tuple[str, ...] = ()
    reply_to: str | None = None


@frozen
class Invocation:
    """A command with its arguments: typed, canonical, valid. One that exists can be decided on.

    args: (name, value) in the order of the command's parameters; an argument not given is absent.
    noted: (canonical value, as typed) where capitals were made small; no part of what runs.
    """

    command: str
    args: tuple[tuple[str, Value], ...] = ()
    reason: str | None = None
    noted: tuple[tuple[str, str], ...] = field(default=(), eq=False)

    def get(self, name: str) -> Value | None:
        """The value of one argument, None when it was not given."""
        for key, value in self.args:
            if key == name:
                return value
        return None

    def values(self, name: str) -> tuple[str, ...]:
        """The values of one argument as a tuple, whether it takes one or many."""
        value = self.get(name)
        if value is None:
            return ()
        return value if isinstance(value, tuple) else (str(value),)


class Kind(str, Enum):
    """What an answer means, or that nobody knows."""

    DONE = "done"
    REFUSED = "refused"  # Conduit said no; nothing changed
    FAILED = "failed"  # Conduit tried and could not
    UNKNOWN = "unknown"  # it may or may not have run


@frozen
class Outcome:
    """The meaning of one line's answer. `fields` hold no secret, ever.

    code: which listed reply it was (`created`, `exists` …), "unrecognised" when none, "lost" when
    no answer came, "not_sent" when the line never reached the server, "probe" when a probe told.
    """

    kind: Kind
    code: str
    fields: tuple[tuple[str, Value], ...] = field(default=())

    def get(self, name: str) -> Value | None:
        for key, value in self.fields:
            if key == name:
                return value
        return None


@frozen
class Line:
    """One message to the admin room, before a dialect has spelled it.

    words: Conduit's own command and its arguments. block: the lines of the code block below it.
    items: the canonical values that this line acts on (a slice of a bulk form), for the results.
    """

    words: tuple[str, ...]
    block: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
