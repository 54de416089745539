"""Which accounts somebody may have meant by a name that is nobody's."""

from __future__ import annotations

from ..catalog.accounts import USERS
from ..catalog.table import alike
from ..db.connection import Database
from ..families.answers import users_in
from ..passwords import store as kept
from ..state import Rooms
from .names import called_here

LOOKS, CHANGES = 4, 2  # slips that are forgiven in what only looks, and in what changes something


async def alikes(
    rooms: Rooms, db: Database, room: str, mxid: str, slips: int = LOOKS
) -> tuple[str, ...]:
    """As far as the last list of accounts knows, and who is in this room."""
    here, view = rooms.here(room), rooms.views.get(room)
    last = await db.read(lambda tx: kept.last_list(tx, USERS.name))
    known = {here.local(each): each for each in users_in(last.body)} if last else {}
    members = view.joined if view is not None else frozenset[str]()
    known |= {here.local(each): each for each in members if each.endswith(f":{here.server}")}
    name = here.local(mxid)
    called = called_here(view, name) if view is not None else ()
    near = (known[each] for each in alike(name, known, slips=slips))
    return tuple(dict.fromkeys((*called, *near)))
