"""When a room is read next, if no bell rings: values in, seconds out."""

from __future__ import annotations

from attrs import define

# All in seconds.
FIRST, GROWTH, SLOWEST = 0.015, 1.5, 1.0  # while something is awaited: half more each time
QUIET, QUIET_POLL = 3600.0, 15.0  # without an event or a bell for so long, read so often
BACK_OFF, BACK_OFF_MOST = 0.25, 15.0


@define
class Schedule:
    """poll: at least every so many seconds. heard: when something was last heard of the room."""

    poll: float
    heard: float
    awaited: int | None = None  # reads since something is awaited
    failures: int = 0  # in a row
    retry_after: float = 0.0  # what the server asked for

    def hurry(self) -> None:
        self.awaited = 0

    def calm(self) -> None:
        self.awaited = None

    def reading(self) -> None:
        if self.awaited is not None:
            self.awaited += 1

    def failed(self, retry_after: float) -> None:
        self.failures += 1
        self.retry_after = retry_after

    def worked(self) -> None:
        self.failures, self.retry_after = 0, 0.0

    def delay(self, now: float, *, joined: bool) -> float:
        if self.failures:
            wait = min(BACK_OFF * 2.0 ** (self.failures - 1), BACK_OFF_MOST)
            return max(wait, self.retry_after)
        if not joined:
            return QUIET_POLL
        if self.awaited is not None:
            # The exponent is capped: a power of a large one is no float.
            return min(FIRST * GROWTH ** min(self.awaited, 20), SLOWEST)
        return QUIET_POLL if now - self.heard > QUIET else self.poll
