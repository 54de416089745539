"""What somebody may do in a room now: their roles there, and what the policy says of a command."""

from __future__ import annotations

from ..catalog.table import find
from ..db.connection import Database
from ..model.command import Invocation
from ..model.decision import Decision
from ..model.origin import Origin
from ..policy.people import person_of, roles
from ..requests import store
from ..requests.desk import Desks
from ..requests.standing import judge
from ..state import Live, Rooms

_SAFE_POWER = 50  # who is answered in safe mode without any valid policy


class Authority:
    def __init__(self, live: Live, rooms: Rooms, desk: Desks, db: Database) -> None:
        self._live, self._rooms, self._desk, self._db = live, rooms, desk, db

    async def roles(self, origin: Origin) -> frozenset[str]:
        """What the sender holds in this room now."""
        settings, view = self._live.settings, self._rooms.views.get(origin.room)
        if view is None or origin.mxid not in view.joined:
            return frozenset()
        power = view.power(origin.mxid)
        if settings is None:
            return frozenset({"safe mode"}) if power >= _SAFE_POWER else frozenset()
        if not roles(settings.policy, origin.mxid, power):
            return frozenset()  # the database is not asked for just anybody
        lost = await self._db.read(lambda tx: store.distrusted(tx, self._live.now()))
        return roles(settings.policy, origin.mxid, power, frozenset(lost))

    def name(self, mxid: str) -> str:
        """The policy's name of whoever has this account, else the MXID."""
        settings = self._live.settings
        return person_of(settings.policy, mxid) if settings else mxid

    async def covers(self, origin: Origin, word: str) -> bool:
        """Whether a line allows this command to any role that the sender holds. Without one it is
        a no, and nothing that could be looked up would change that."""
        command, settings = find(word), self._live.settings
        if command is None or command.own or settings is None:
            return True
        held, plans = await self.roles(origin), settings.policy.plans
        names = (name for name in plans if name.partition(".")[0] == command.name)
        rules = (rule for name in names for rule in plans[name].allow)
        return any(not rule.role or rule.role in held for rule in rules)

    async def judge(self, origin: Origin, what: Invocation, *, glass: bool = False) -> Decision:
        """What the policy says of it now; what is stored is judged again in its commit."""
        room, mxid = origin.room, origin.mxid
        return await self._db.read(
            lambda tx: judge(self._desk(tx, room), what, room, mxid, glass=glass)
        )
