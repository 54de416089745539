"""Why a command arrived at another time than its date says: the bot was away, it came late, or
clocks differ; whose, and by how much.

Nobody sees the true time. Known are our clock, by how much the homeserver's differs from it, when
the bot was away, and how far off the command before from the same server was: one late event is
late, two that are off by the same are a clock.
"""

from __future__ import annotations

from collections import OrderedDict
from enum import Enum

from attrs import frozen

from ..chat import refusals
from ..chat.refusals import Missed
from ..db.connection import Tx
from ..matrix.api import Homeserver
from ..matrix.skew import DIFFER, EXACT
from ..model.origin import Origin
from ..state import Absences, Live, Rooms, ServerState
from ..text.message import Message

UNREAD = 10.0  # seconds before an absence in which what was sent may not have been read
_SERVERS = 100  # of which it is known how far off their last command was


class Cause(Enum):
    AWAY = "away"  # the bot did not run, or could not read
    LATE = "late"  # it took long to get here
    OURS = "ours"  # our clock and the homeserver's differ
    THEIRS = "theirs"  # the clock of the sender's server and ours differ


@frozen
class Arrival:
    """at: what the event says; now: our clock; both in seconds.

    local: its server is ours. ahead: of the homeserver's clock before ours, None if not known.
    absences: (from, to), by our clock. before: how old the command before it from that server
    seemed, None if that one was in time.
    """

    at: float
    now: float
    local: bool
    ahead: float | None = None
    absences: tuple[tuple[float, float], ...] = ()
    before: float | None = None


def cause(a: Arrival, max_age: float) -> tuple[Cause, float]:
    """Why, and by how many seconds clocks differ (0 where they are not why)."""
    seems = a.now - a.at
    skew = a.ahead if a.ahead is not None and abs(a.ahead) >= DIFFER else 0.0
    age = seems + skew  # as if the homeserver's clock and ours were one
    sent = a.now - age
    if any(since - UNREAD <= sent <= until + EXACT for since, until in a.absences if until):
        return Cause.AWAY, 0.0
    if skew and abs(age) <= max_age:
        return Cause.OURS, abs(skew)
    steady = a.before is not None and abs(a.before - seems) <= DIFFER
    known = a.local and a.ahead is not None  # that clock is not it, then
    if age < 0 or (steady and not known):  # nothing comes before it was sent
        return (Cause.OURS if a.local else Cause.THEIRS), abs(age)
    return Cause.LATE, 0.0


class Arrivals:
    def __init__(
        self,
        live: Live,
        rooms: Rooms,
        conduit: ServerState,
        homeserver: Homeserver,
        absences: Absences,
    ) -> None:
        self._live, self._rooms, self._conduit = live, rooms, conduit
        self._hs, self._absences = homeserver, absences
        self._off: OrderedDict[str, float] = OrderedDict()  # server -> age of its last command

    def off(self, origin: Origin, max_age: float) -> Cause | None:
        """Why a command is too old, or dated in the future; None if it is in time."""
        if abs(self._live.now() - origin.at) > max_age:
            return self._why(origin, max_age)[0]
        self._off.pop(_server(origin), None)
        return None

    def _why(self, origin: Origin, max_age: float) -> tuple[Cause, float]:
        now, server = self._live.now(), _server(origin)
        arrival = Arrival(
            at=origin.at,
            now=now,
            local=server == self._live.server,
            ahead=self._hs.skew.seconds,
            absences=(*self._absences.of(origin.room), *self._conduit.absences(now)),
            before=self._off.get(server),
        )
        return cause(arrival, max_age)

    def refusal(self, origin: Origin, missed: Missed, max_age: float) -> Message:
        """What is said of a command that is off."""
        why, by = self._why(origin, max_age)
        here = self._rooms.here(origin.room)
        if why is Cause.AWAY:
            return refusals.too_old(here, missed)
        if why is Cause.LATE:
            return refusals.late(here, missed)
        other = "" if why is Cause.OURS else _server(origin)
        return refusals.clocks(here, missed, by, other)

    def told(self, tx: Tx, origin: Origin, max_age: float) -> None:
        """It was said, in this transaction."""
        why, seems = self._why(origin, max_age)[0], self._live.now() - origin.at
        tx.after(lambda: self._is_told(_server(origin), why, seems))

    def _is_told(self, server: str, why: Cause, seems: float) -> None:
        if why is Cause.AWAY:
            self._absences.is_missed()
        self._off[server] = seems
        self._off.move_to_end(server)
        while len(self._off) > _SERVERS:
            self._off.popitem(last=False)


def _server(origin: Origin) -> str:
    return origin.mxid.partition(":")[2]
