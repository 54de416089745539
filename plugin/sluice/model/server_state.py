"""What is known of Conduit, as values."""

from __future__ import annotations

from attrs import frozen

from .command import Dialect


@frozen
class Health:
    """Times are epoch seconds; None means it is not so."""

    version: str = ""
    dialect: Dialect | None = None
    silent_since: float | None = None  # no echo came in time: busy, or the handler is dead
    alias_lost: bool = False  # #admins leads nowhere, or elsewhere
    outside: bool = False  # the bot is not in the admin room, or may not write there
    emergency: bool = False  # the emergency password is set: the server's words are commands too

    @property
    def quiet(self) -> bool:
        """It says nothing although we are in the room."""
        return self.alias_lost or self.silent_since is not None

    @property
    def answering(self) -> bool:
        """Whether an answer may be expected at all."""
        return not (self.quiet or self.outside)

    @property
    def good(self) -> bool:
        return self.answering and not self.emergency and bool(self.version)


@frozen
class Timeouts:
    """Seconds until the oldest command counts as unanswered."""

    usual: float
    slow: float
