"""`who`: what is known of an account, from questions to the server and from the own log."""

from __future__ import annotations

from functools import partial

from attrs import evolve

from ..catalog.accounts import ADDUSER, DEACTIVATE, RESETPW
from ..catalog.files import MEDIA
from ..catalog.table import COMMANDS
from ..chat import answers, lists
from ..chat.lists import Profile
from ..looks.alikes import alikes
from ..matrix.api import Homeserver, MatrixError
from ..matrix.model import Handled
from ..matrix.probes import Account, Name, Probes
from ..model.command import Invocation
from ..model.decision import Verdict
from ..policy.people import highest, roles
from ..requests import history
from ..requests.desk import Desk
from ..requests.standing import judge
from ..requests.submit import Ask
from ..text.message import Message, Text, code
from ..text.phrases import count
from ..typed.canonical import canonical
from ..typed.values import MAX_ID
from .call import Call

_LOOK = 5.0  # seconds for a profile
_MOST = 100  # earlier requests
_NEXT = {
    "": (ADDUSER.name,),
    "active": (RESETPW.name, DEACTIVATE.name, MEDIA.name),
    "deactivated": (RESETPW.name, MEDIA.name),
}
_STATUS = {
    Account.ACTIVE: "active",
    Account.DEACTIVATED: "deactivated",
    Account.BRIDGE: "of a bridge",
    Account.UNKNOWN: "not known",
}
_NO_ACCOUNT = {
    Name.FREE: "",
    Name.TAKEN: " Its name is taken all the same.",
    Name.EXCLUSIVE: " Its name belongs to a bridge.",
    Name.INVALID: " It cannot be a user name.",
}


class WhoIs:
    def __init__(self, homeserver: Homeserver, probes: Probes) -> None:
        self._hs, self._probes = homeserver, probes

    async def take(self, call: Call) -> Handled:
        mxid = str(call.invocation.get("user"))
        found = await self._look(mxid, call.live.server)
        if not found.status:
            close = await alikes(call.rooms, call.db, call.origin.room, mxid)
            found = evolve(found, close=close)
        return call.answer(partial(_told, found=found))

    async def _look(self, mxid: str, own: str) -> Profile:
        """own: our server."""
        local, _, server = mxid[1:].partition(":")
        if server != own:  # asked for, it would hold up the room until it answers
            return Profile(mxid, "of another server")
        try:
            profile = await self._hs.profile(mxid, _LOOK)
        except MatrixError:
            profile = None
        shown = profile.get("displayname") if profile is not None else None
        name = None if profile is None else shown if isinstance(shown, str) else ""
        account = await self._probes.account(mxid)
        if account is Account.MISSING:
            why = _NO_ACCOUNT.get(await self._probes.name(local))
            return Profile(mxid, "") if why is None else Profile(mxid, "", why=why)
        return Profile(mxid, _STATUS[account], name)


async def _told(call: Call, desk: Desk, ask: Ask, found: Profile) -> Message:
    mxid, here = found.mxid, desk.here
    power, distrusted = desk.asker(ask.room, mxid).power, await desk.distrusted()
    role = highest(desk.policy, roles(desk.policy, mxid, power, distrusted))
    inside = [room for room, view in call.rooms.views.items() if mxid in view.joined]
    joined: list[Text] = [("this room",)] if ask.room in inside else []
    joined += [("the ops room ", code(room)) for room in inside if room != ask.room]
    newest = (await history.about(desk.tx, mxid))[:_MOST]
    rows = [answers.request_row(here, each) for each in newest]
    earlier = [(f"{here.clock.at(row.at)} ", *row.words) for row in rows]
    ways = await _ways(desk, ask, found)
    await desk.record("lookup", None, mxid=ask.mxid, room=ask.room, about=mxid)
    said, left = lists.who(here, found, role, joined=joined, earlier=earlier, ways=ways)
    call.keep(desk, left)
    return said


async def _ways(desk: Desk, ask: Ask, found: Profile) -> list[Text]:
    """What whoever asks may do next, as command lines; what is not allowed is left out."""
    ways: list[Text] = []
    for name in _NEXT.get(found.status, (MEDIA.name,)):
        param = COMMANDS[name].params[0]
        value = (found.mxid,) if param.many else found.mxid
        what = Invocation(name, ((param.name, value),))
        decision = await judge(desk, what, ask.room, ask.mxid)
        if decision.verdict is not Verdict.DENY:
            votes = sum(slot.n for slot in decision.slots)
            words = [*canonical(what, desk.here.server).split(), *["reason …"] * decision.reason]
            line = " ".join(desk.here.short(word, MAX_ID).text for word in words)
            needs = f" (needs {count(votes, 'vote')})" if votes else ""
            ways.append((desk.here.cmd(line), needs))
    return ways
