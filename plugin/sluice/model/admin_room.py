"""The words of the admin room: what the correlator is fed with and what it says.

`families` makes `Asked` and implements `Oracle`: the correlator knows no command.
"""

from __future__ import annotations

from enum import Enum
from typing import Protocol, Union

from attrs import field, frozen

from .event import Json

Content = Json
"""The content of a message."""


@frozen
class Asked:
    """A body that the server takes as a command, parsed the way the server's version parses it.

    command: Conduit's name; "" when it is in no table (then it fits every answer); "fence" for a
    fence, whoever sent it, whose nonce is words[0]. words: its arguments; block: its code block's
    lines. Neither is ever printed: other admins type passwords.
    """

    command: str
    words: tuple[str, ...] = field(default=(), repr=False)
    block: tuple[str, ...] = field(default=(), repr=False)


class Oracle(Protocol):
    """What the correlator asks of the server's side of commands; every function is pure."""

    def asked(self, body: str) -> Asked | None:
        """The command in a message body, None when the server would not take it as one."""

    def is_notice(self, content: Content) -> bool:
        """A message of the server user that is never an answer (m.notice, or a known shape)."""

    def is_listed(self, content: Content) -> bool:
        """Whether any command of the table could have this answer."""

    def fits(self, asked: Asked, content: Content) -> bool:
        """Whether this listed answer can belong to this command: shape and every echoed field.

        In doubt it is True: a wrong True costs an UNKNOWN, a wrong False an answer crossed. The
        answer of a fence is the usage error with its nonce, and that answer fits nothing else.
        """

    def is_slow(self, asked: Asked) -> bool:
        """Whether its answer may take minutes (`slow_timeout`)."""


class Who(str, Enum):
    OURS = "ours"  # a line or fence of the bot
    OTHER = "other"  # another member's command
    SERVER = "server"  # the server user


@frozen
class Seen:
    """One m.room.message of the admin room's timeline, in order.

    content: as read; of our own lines as they were sent, from the store, whatever the room says.
    redacted: its content was already gone when first read.
    ref: of our own lines, "12.3" or "fence"; else empty.
    runs: a message of the server user that the server may take as a command as well, because the
    emergency password is set. While it is, the answer to `--version` is such a command: that this
    entry ends as Lost, not Settled, at the echo of a fence sent after it shows that it is not.
    """

    event_id: str
    who: Who
    content: Content = field(repr=False)
    redacted: bool = False
    ref: str = ""
    runs: bool = False


@frozen
class Settled:
    """This entry's answer is this event, in every possible assignment.

    The event may be one that was held: then its content is read again by its id.
    """

    entry: str  # event id of the command
    ref: str  # "" for another member's command
    answer: str  # event id of the answer


@frozen
class Lost:
    """This entry will never have a known answer.

    why: "lost" (nothing came that could be its answer), "ambiguous" (something listed came that
    may be its answer, or another's), "unrecognised" or "redacted" (only such a message came).
    candidates: if it was the only open entry, the unlisted and redacted messages that came between
    it and the echo; else empty. One candidate may be shown, or handed over as a secret; of several
    nobody knows which.
    """

    entry: str
    ref: str
    why: str
    candidates: tuple[str, ...] = ()


@frozen
class Notice:
    """A server notice to pass on. `raw`: unlisted text that came while no entry was open."""

    event_id: str
    raw: bool = False


@frozen
class NeedFence:
    """Something is in doubt: a fence must be sent before anything else.

    spoilt: what is in doubt is the echo of our newest fence, which may be that of a copy.
    """

    spoilt: bool = False


@frozen
class Echoed:
    """The echo of one of our fences came: the handler lives, everything before it is settled."""

    nonce: str


Effect = Union[Settled, Lost, Notice, NeedFence, Echoed]
