"""How far the homeserver's clock is ahead of ours, from the Date header of its answers.

The header holds whole seconds, Conduit makes it anew after a whole second only, and its answer is
some time on the way: good to a second or two, which is enough to tell why commands arrive minutes
off.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime

DIFFER = 60.0  # seconds by which clocks differ noticeably
EXACT = 2.0  # seconds to which it is known
_SURE = 5.0  # seconds that a request may take whose answer is believed


class Skew:
    """seconds: negative where our clock is ahead; None as long as no answer told."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.now = now
        self.seconds: float | None = None

    def heard(self, date: str | None, sent: float) -> None:
        """One answer. date: its header; sent: when it was asked for, by our clock."""
        came = self.now()
        if date is None or not 0 <= came - sent <= _SURE:
            return
        try:
            told = parsedate_to_datetime(date).timestamp()
        except (TypeError, ValueError, OverflowError):
            return
        self.seconds = told + 0.5 - (sent + came) / 2
