"""When a room is read next, if no bell rings: values in, seconds out.

A bell that does not ring is one of 200 on Conduit, so whoever waits for an answer waits for this.
People write to the bot in bursts: where somebody was active just now it is read often, and then
less and less often. Thus three silent ops rooms cost 1.5 requests a second at a poll of 2 s.
"""

from __future__ import annotations

from attrs import define

# All in seconds.
FIRST, GROWTH, SLOWEST = 0.015, 1.5, 1.0  # while something is awaited: half more each time
OFTEN, LIVELY = 0.25, 30.0  # since somebody was active, so often for so long
CALMING = 0.06  # then for each further second so much less often, until it is `poll`
QUIET, QUIET_POLL = 3600.0, 15.0  # without an event or a bell for so long, read so often
NOTHING_POLL = 3600.0  # where nothing is expected
BACK_OFF, BACK_OFF_MOST = 0.25, 15.0


@define
class Schedule:
    """poll: at least every so many seconds. heard: when somebody else was last active there.

    expected: whether anything is expected in the room that must not wait for a bell.
    """

    poll: float
    heard: float
    awaited: int | None = None  # reads since something is awaited
    expected: bool = True
    failures: int = 0  # in a row
    retry_after: float = 0.0  # what the server asked for

    def hurry(self) -> None:
        """Something was sent: where reading failed it may work again, unless we have to wait."""
        self.awaited = 0
        if not self.retry_after:
            self.failures = 0

    def calm(self) -> None:
        self.awaited = None

    def active(self, now: float) -> None:
        """Somebody else did something, and may go on."""
        self.heard = now

    def expect(self, something: bool) -> None:
        self.expected = something

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
        if not self.expected:
            return NOTHING_POLL
        if not joined:
            return QUIET_POLL
        if self.awaited is not None:
            # The exponent is capped: a power of a large one is no float.
            return min(FIRST * GROWTH ** min(self.awaited, 20), SLOWEST)
        silent = now - self.heard
        if silent > QUIET:
            return max(QUIET_POLL, self.poll)
        return min(self.poll, OFTEN + CALMING * max(silent - LIVELY, 0.0))
