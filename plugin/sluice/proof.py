"""Shows `setup` that the whole way works: its question goes through the admin room, once.

`setup` asks by the account data of the bot's own account, before Sluice starts: no room is
touched, it works for every form of maubot, and only who holds the token can write it. What is then
asked of Conduit is fixed. It is answered at a start only, once, and not after a while.
"""

from __future__ import annotations

from .chat import server_news
from .db.connection import Database
from .matrix.api import Homeserver
from .matrix.outbox import Outbox
from .model.event import object_in, text_in
from .server.registration import Registration
from .state import Live, Rooms, ServerState

KIND = "org.sluicebot.setup"  # the type of the account data
ASKED, AT, ANSWER = "asked", "at", "answer"  # its keys: a random word, seconds since the epoch
_FRESH = 3600.0  # seconds


class Proof:
    def __init__(
        self,
        live: Live,
        rooms: Rooms,
        outbox: Outbox,
        conduit: ServerState,
        db: Database,
        homeserver: Homeserver,
        registration: Registration,
    ) -> None:
        self._live, self._rooms, self._outbox, self._conduit = live, rooms, outbox, conduit
        self._db, self._hs, self._registration = db, homeserver, registration

    async def give(self) -> None:
        """At the start, once Conduit answers and the hello is said."""
        request = await self._hs.account_data(KIND) or {}
        asked, at = text_in(request, ASKED), request.get(AT)
        room, now = self._rooms.main_room, self._live.now()
        fresh = isinstance(at, (int, float)) and 0 <= now - at < _FRESH
        if not asked or object_in(request, ANSWER) or room is None or not fresh:
            return
        state = await self._registration.ask()
        if state is None:
            return
        said = server_news.proof(self._rooms.here(room), state)
        await self._db.write(lambda tx: self._outbox.put(tx, room, f"proof.{asked}", said))
        answer = {
            "registration": state,
            "conduit": self._conduit.health.version,
            "version": self._live.version,
            "room": room,
        }
        await self._hs.set_account_data(KIND, {**request, ANSWER: answer})
