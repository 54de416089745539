"""`more`: the next page of what somebody reads, or the frozen list of a request."""

from __future__ import annotations

from ..catalog.record import ReadOnly
from ..catalog.table import COMMANDS
from ..model.request import Rejection, Request
from ..policy.people import may_change
from ..requests import voting
from ..requests.desk import Desk
from ..requests.standing import weigh
from ..requests.submit import Ask, not_for
from ..text import pages
from ..text.message import Message, code
from ..text.pages import Pages
from ..text.phrases import Here, view
from ..text.saying import says
from .call import Call

_NAMES = 40  # on one page of a list


async def more(call: Call, desk: Desk, ask: Ask) -> Message | None:
    number = call.number()
    if number is not None:
        found = await _list_of(call, desk, ask, number)
    else:
        found = call.lists.get(ask.room, ask.mxid, desk.now) or pages.nothing_more(desk.here)
    if not isinstance(found, Pages):
        return found
    message, left = pages.more(desk.here, found)
    call.keep(desk, left)
    return message


async def _list_of(call: Call, desk: Desk, ask: Ask, number: int) -> Pages | Message | None:
    """The list of a request, for who asked, who may vote, and who may read the log."""
    request = await voting.known(desk, number, ask.room, ask.event_id)
    if request is None or not await _may_see(desk, ask, request):
        return None
    command = COMMANDS[request.invocation.command]
    if isinstance(command, ReadOnly):
        return _open_list(call, desk, ask, request)
    many = next((param.name for param in command.params if param.many), "")
    values = request.invocation.values(many)
    if len(values) < 2:
        return view((f"#{number} has no list: ", code(request.text)))
    inline = all(value.startswith("@") for value in values)
    rows = tuple((code(desk.here.local(value)),) for value in values)
    head = (f"#{number} {command.name}, {{}} of {len(values)}:",)
    return Pages(head, rows, _NAMES, inline=inline)


def _open_list(call: Call, desk: Desk, ask: Ask, request: Request) -> Pages | Message:
    """What is left of the list that this request has shown, for who reads it."""
    left = call.lists.get(ask.room, ask.mxid, desk.now)
    if left is not None and left.about is not None and request.id in left.about.requests:
        return left
    return closed(desk.here, request.text)


@says("📋 That list is not open any more, or ends there. To see it anew: `!{line}`")
def closed(here: Here, line: str) -> None:
    """`more` as an answer to a list."""


async def _may_see(desk: Desk, ask: Ask, request: Request) -> bool:
    """Says so if not."""
    votes = (await weigh(desk, request)).votes
    held = await desk.roles(ask.room, ask.mxid)
    cause = votes.cause(ask.mxid, request.mxid)
    if cause in (Rejection.NONE, Rejection.OWN) or may_change(desk.policy, held):
        return True
    voters = (name for need in votes.standing.needs for name in need.names)
    because = f"the list of #{request.id} is for who asked, or who may vote"
    await not_for(desk, ask, because, tuple(dict.fromkeys((request.person, *voters))))
    return False
