"""`who`: what is known of an account, from questions to the server and from the own log."""

from __future__ import annotations

from functools import partial

from attrs import evolve

from ..chat import answers, lists
from ..looks.alikes import alikes
from ..matrix.api import Homeserver, MatrixError
from ..matrix.model import Handled
from ..matrix.probes import Account, Name, Probes
from ..policy.people import highest, roles
from ..requests import history
from ..requests.desk import Desk
from ..requests.submit import Ask
from ..text.message import Message, Topic
from .call import Call

_LOOK = 5.0  # seconds for a profile
_STATUS = {
    Account.ACTIVE: "active",
    Account.DEACTIVATED: "deactivated",
    Account.BRIDGE: "of a bridge",
    Account.UNKNOWN: "not known",
}
_FREE = {
    Name.FREE: "free",
    Name.TAKEN: "taken",
    Name.EXCLUSIVE: "free, a bridge's name",
    Name.INVALID: "no user name",
}


class WhoIs:
    def __init__(self, homeserver: Homeserver, probes: Probes) -> None:
        self._hs, self._probes = homeserver, probes

    async def take(self, call: Call) -> Handled:
        mxid = str(call.invocation.get("user"))
        status, name = await self._look(mxid, call.live.server)
        nobody = status == _FREE[Name.FREE]
        close = await alikes(call.rooms, call.db, call.origin.room, mxid) if nobody else ()
        return call.answer(partial(_told, mxid=mxid, status=status, name=name, close=close))

    async def _look(self, mxid: str, own: str) -> tuple[str, str | None]:
        """(free, active …, the display name; None where it could not be had). own: our server."""
        local, _, server = mxid[1:].partition(":")
        if server != own:  # asked for, it would hold up the room until it answers
            return "of another server", None
        try:
            profile = await self._hs.profile(mxid, _LOOK)
        except MatrixError:
            profile = None
        shown = profile.get("displayname") if profile is not None else None
        name = None if profile is None else shown if isinstance(shown, str) else ""
        account = await self._probes.account(mxid)
        if account is Account.MISSING:
            return _FREE.get(await self._probes.name(local), "not known"), None
        return _STATUS[account], name


async def _told(
    call: Call,
    desk: Desk,
    ask: Ask,
    mxid: str,
    status: str,
    name: str | None,
    close: tuple[str, ...],
) -> Message:
    power, distrusted = desk.asker(ask.room, mxid).power, await desk.distrusted()
    role = highest(desk.policy, roles(desk.policy, mxid, power, distrusted))
    inside = [room for room, view in call.rooms.views.items() if mxid in view.joined]
    found = await history.about(desk.tx, mxid)
    earlier = [
        lists.Earlier(r.id, r.text, answers.state_word(r.state), r.created)
        for r in found.requests[:5]
    ]
    await desk.record("lookup", None, mxid=ask.mxid, room=ask.room, about=mxid)
    said = lists.who(
        desk.here,
        mxid,
        status,
        name,
        role,
        joined=inside,
        earlier=earlier,
        total=found.total,
        close=close,
    )
    return evolve(said, about=Topic(accounts=(mxid,)))
