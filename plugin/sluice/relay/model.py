"""The words of the relay: what the correlator is fed with and what it says.

`Asked` and `Reading` come from the catalog (`catalog.conduit`): the correlator knows no command.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, Protocol, Union

from attrs import frozen

Content = Mapping[str, Any]


@frozen
class Asked:
    """A body that the server takes as a command, parsed the way the server's version parses it.

    command: Conduit's name; "" when it is in no table (then it fits every answer); "fence" for a
    fence of ours, whose nonce is words[0]. words: its arguments; block: its code block's lines.
    """

    command: str
    words: tuple[str, ...] = ()
    block: tuple[str, ...] = ()


class Oracle(Protocol):
    """What the correlator asks the catalog; every function is pure."""

    def asked(self, body: str) -> Asked | None:
        """The command in a message body, None when the server would not take it as one."""

    def is_notice(self, content: Content) -> bool:
        """A message of the server user that is never an answer (m.notice, or a known shape)."""

    def is_listed(self, content: Content) -> bool:
        """Whether any command of the table could have this answer."""

    def fits(self, asked: Asked, content: Content) -> bool:
        """Whether this listed answer can belong to this command: shape and every echoed field."""

    def is_slow(self, asked: Asked) -> bool:
        """Whether its answer may take minutes (`slow_timeout`)."""


class Who(str, Enum):
    OURS = "ours"  # a line or fence of the bot
    OTHER = "other"  # another member's command
    SERVER = "server"  # the server user


@frozen
class Seen:
    """One m.room.message of the admin room's timeline, in order.

    redacted: its content was already gone when first read.
    ref: of our own lines, "12.3" or "fence"; else empty.
    """

    event_id: str
    who: Who
    content: Content
    redacted: bool = False
    ref: str = ""
    at: float = 0  # epoch seconds, bot clock


@frozen
class Settled:
    """This entry's answer is this event, in every possible assignment."""

    entry: str  # event id of the command
    ref: str  # "" for another member's command
    answer: str  # event id of the answer


@frozen
class Lost:
    """This entry will never have a known answer.

    why: "lost", "ambiguous", "unrecognised" or "redacted".
    candidates: the unlisted or redacted messages that came between the line and the echo, if it
    was the only open entry (then they may be shown, or handed over as a secret), else empty.
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
    """Something is in doubt: a fence must be sent before anything else."""


@frozen
class Echoed:
    """The echo of one of our fences came: the handler lives, everything before it is settled."""

    nonce: str


Effect = Union[Settled, Lost, Notice, NeedFence, Echoed]
