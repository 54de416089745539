"""How a moment and a span of time are written for people: always with the zone.

The date stands with every moment that is not today; the year with every one not of this year.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone, tzinfo

from attrs import frozen

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_UNITS = ((86400, "day", "d"), (3600, "hour", "h"), (60, "minute", "m"), (1, "second", "s"))


@frozen
class Clock:
    """One moment in one zone. now, and every `at` below: epoch seconds."""

    now: float
    zone: tzinfo = timezone.utc

    def _local(self, at: float) -> datetime:
        # Not fromtimestamp(at, zone): a hostile or broken timestamp must not raise.
        at = min(max(at, 0.0), 253402214400.0)
        return (datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=at)).astimezone(
            self.zone
        )

    def _zone(self, local: datetime) -> str:
        name = local.tzname() or "UTC"
        return f"UTC{name}" if name[:1] in "+-" else name

    def time(self, at: float) -> str:
        """`14:03`, for lists whose head names the zone."""
        return f"{self._local(at):%H:%M}"

    def zone_name(self) -> str:
        """`UTC`, `CET`."""
        return self._zone(self._local(self.now))

    def day(self, at: float) -> str:
        """`2 Nov`."""
        local = self._local(at)
        year = "" if local.year == self._local(self.now).year else f" {local.year}"
        return f"{local.day} {_MONTHS[local.month - 1]}{year}"

    def day_number(self, at: float) -> int:
        """One more than that of the day before."""
        return self._local(at).toordinal()

    def dated(self, at: float) -> str:
        """`23 Nov 14:02 UTC`, also for today: what is looked at later."""
        local = self._local(at)
        return f"{self.day(at)} {local:%H:%M} {self._zone(local)}"

    def at(self, at: float) -> str:
        """`15:03 UTC`, `24 Nov 09:12 UTC`."""
        local = self._local(at)
        if local.date() == self._local(self.now).date():
            return f"{local:%H:%M} {self._zone(local)}"
        return self.dated(at)

    def between(self, start: float, end: float) -> str:
        """`13:40 to 13:52 UTC`; within a minute `13:40:03 to 13:40:21 UTC`."""
        first, last, today = self._local(start), self._local(end), self._local(self.now).date()
        if first.replace(second=0, microsecond=0) == last.replace(second=0, microsecond=0):
            day = "" if last.date() == today else f"{self.day(end)} "
            return f"{day}{first:%H:%M:%S} to {last:%H:%M:%S} {self._zone(last)}"
        same = first.date() == last.date() == today
        return f"{self.time(start) if same else self.at(start)} to {self.at(end)}"


def span(seconds: float) -> str:
    """`1 hour`, `18 minutes`, `36 hours`: the largest unit that is exact enough to act on."""
    whole = max(round(seconds), 0)
    for size, name, _ in _UNITS:
        if whole >= size and (whole % size == 0 or whole >= 3 * size):
            count = round(whole / size)
            return f"{count} {name}" if count == 1 else f"{count} {name}s"
    return "0 seconds"


def over(seconds: float) -> str:
    """`hour is over`, `10 minutes are over`: of a time that somebody had."""
    whole = span(seconds)
    return f"{whole[2:]} is over" if whole.startswith("1 ") else f"{whole} are over"


def about(seconds: float) -> str:
    """`18 h`, `40 min`, `3 days`: rounded, inside brackets."""
    whole = max(seconds, 0)
    if whole < 3600:
        return f"{max(round(whole / 60), 1)} min"
    return f"{round(whole / 3600)} h" if whole < 172800 else f"{round(whole / 86400)} days"


def typed(seconds: float) -> str:
    """`20m`, `1h`, `7d`: as a person types it in a command."""
    whole = max(round(seconds), 0)
    for size, _, letter in _UNITS:
        if whole >= size and whole % size == 0:
            return f"{whole // size}{letter}"
    return "0s"
