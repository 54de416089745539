"""Accounts that the policy names before they exist: whoever makes one first would have its rights.

Of every named account of this server it is remembered whether it was there when it was looked for
the first time. One that was not, and is now, was made by somebody; until an owner trusts it, it
has no role and no vote. The notice of a registration says so at once, and a look at the server
finds what no notice told. An account is forgotten when the policy names it no longer.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import evolve

from .. import audit
from ..chat import alarms
from ..db.connection import Tx
from ..policy.people import members_of, mxids_of, person_of
from ..policy.rules import Policy
from ..requests import store
from ..state import Live, Rooms
from ..text.message import Topic
from . import store as named
from .looking import Looking

NO_REQUEST = 0  # what stands for the request that put the account in doubt
_NEVER = 253402214400.0  # the end of the year 9999: only an owner ends it


class NamedAccounts:
    def __init__(self, live: Live, rooms: Rooms, looking: Looking) -> None:
        self._live, self._rooms, self._looking = live, rooms, looking

    async def registered(self, tx: Tx, mxid: str) -> None:
        """Conduit says that this account was made just now."""
        if mxid in self._live.in_force.policy.named:
            await named.remember(tx, mxid, True)
            await self._doubt(tx, mxid)

    async def looked(self, tx: Tx, there: Iterable[str], missing: Iterable[str]) -> None:
        """What a look at the server found of the named accounts."""
        known = await named.looked_for(tx)
        in_policy = self._live.in_force.policy.named  # another policy may have come meanwhile
        for mxid in in_policy.intersection(missing):
            if mxid not in known:
                await named.remember(tx, mxid, False)
        for mxid in sorted(in_policy.intersection(there)):
            if not known.get(mxid):
                await named.remember(tx, mxid, True)
            if known.get(mxid) is False:
                await self._doubt(tx, mxid)

    async def _doubt(self, tx: Tx, mxid: str) -> None:
        """Whoever made it is not believed to be who the policy means; owners are told."""
        live, rooms = self._live, self._rooms
        policy, now = live.in_force.policy, live.now()
        await store.distrust(tx, mxid, _NEVER, NO_REQUEST)
        await audit.append(tx, now, "named account made", {"about": mxid})
        doubted = await store.distrusted(tx, now)
        left = [
            owner
            for owner in members_of(policy, policy.owners)
            if owner != person_of(policy, mxid)
            and not doubted.keys() >= {*mxids_of(policy, owner)}
        ]
        room = rooms.main_room or next(iter(live.in_force.ops_rooms), None)
        if room is not None:
            said = alarms.named_made(rooms.here(room), mxid, trusted_by=left)
            said = evolve(said, about=Topic(accounts=(mxid,)))
            await self._looking.alarm(tx, room, f"named.{mxid}.{now}", said)


async def forget(tx: Tx, policy: Policy) -> None:
    """A new policy: of accounts that it does not name nothing is known any more."""
    for mxid in (await named.looked_for(tx)).keys() - policy.named:
        await named.forget(tx, mxid)
        await store.trust_again(tx, NO_REQUEST, mxid)
