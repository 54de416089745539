"""The words of commands: what a command is, what an invocation is, what an answer can mean.

Values only. The tables that use these words are `catalog.table` (what people may ask for) and
`families.replies` (what the server understands and answers); nothing here knows either.
"""

from __future__ import annotations

from enum import Enum
from typing import Union

from attrs import evolve, field, frozen

from .ids import EventId

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
    MEDIA_TYPE = "media type"  # image, image/png
    SERVER_COMMAND = "server command"  # the server's own name of a command, or ours of it
    WORD = "word"  # one word of free text, no white space
    TEXT = "text"  # the rest of the line, as typed (own commands: `can`, `glass`, `pause`, `deny`)
    SWITCH = "switch"  # True when the flag is typed


@frozen
class Param:
    """One typed argument of a command.

    name: what `where` in the policy and error texts call it.
    flag: typed as `--name` (a switch); else by position.
    many: one or more values (several words, lines or a code block); its value is then a tuple.
    most: how many these can be, None as many as in any list. question: what is asked if it is
    missing; answer: with what one replies to that. replied: a reply means what the message that
    it answers is about. foreign: not of this server.
    """

    name: str
    type: Type
    required: bool = True
    many: bool = False
    flag: bool = False
    choices: tuple[str, ...] = ()
    most: int | None = None
    question: str = ""
    answer: str = "it"
    replied: bool = False
    foreign: bool = False


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


class Manner(Enum):
    """How sure it is that a message was meant as a command. But for the first, only what reads
    runs, and everything else is asked."""

    COMMAND = "command"  # it begins with the prefix
    SHOWN = "shown"  # in code or in a quote
    CAPTION = "caption"  # of a picture or a file
    SAID = "said"  # behind the bot's name, or a slash: it may be a sentence


@frozen
class Typed:
    """What a person typed, read tolerantly but not yet understood (made by `typed.read`).

    word: the first word, lower case, `_` as `-`, without the prefix. rest: what follows it on the
    first line, spaces folded, a trailing full stop dropped. words: `rest` up to a word `reason`,
    split at blanks, quotes around a word removed, dashes before a flag as `--`, pills and links as
    the MXID or room they mean. reason: what follows the word `reason`, None without it.
    lines: further lines, or the lines of a code block, stripped, empty ones dropped.
    reply_to: event id of the message that this one answers. thread: of the root of the thread that
    it was written in. said: the words that stood there, where a command was guessed from them.
    """

    word: str
    rest: str = ""
    words: tuple[str, ...] = ()
    reason: str | None = None
    lines: tuple[str, ...] = ()
    reply_to: EventId | None = None
    thread: EventId | None = None
    manner: Manner = Manner.COMMAND
    said: str = ""

    @property
    def is_sure(self) -> bool:
        """Whether it is a command as it stands, and was meant as one."""
        return self.manner is Manner.COMMAND and not self.said


@frozen
class Invocation:
    """A command with its arguments: typed, canonical, valid. One that exists can be decided on.

    args: (name, value) in the order of the command's parameters; an argument not given is absent.
    noted: (canonical value, as typed) where capitals were made small, or an address led to a room;
    no part of what runs.
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

    def only(self, values: tuple[str, ...]) -> Invocation:
        """The same with these values of its list."""
        args = ((n, values if isinstance(v, tuple) else v) for n, v in self.args)
        return evolve(self, args=tuple(args))

    def first(self, number: int = 1) -> Invocation:
        """The same with the first values of its list."""
        args = ((n, v[:number] if isinstance(v, tuple) else v) for n, v in self.args)
        return evolve(self, args=tuple(args))


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
