"""👀 on what somebody must look after: who taps it stands under it, so that no two do the same.

It is no vote and runs nothing. Taps count of persons with a role, and are taken back with the tap.
"""

from __future__ import annotations

from ..chat import notices as texts
from ..db.connection import Tx
from ..matrix.outbox import Outbox
from ..model.ids import RoomId
from ..model.origin import Origin
from ..policy.people import person_of
from ..state import Live
from ..text.message import Message, Sign
from . import store
from .store import Eyes, LookedAfter

EYES = "👀"


class Looking:
    def __init__(self, live: Live, outbox: Outbox) -> None:
        self._live, self._outbox = live, outbox

    async def say(self, tx: Tx, room: str, key: str, message: Message) -> None:
        """A new message with 👀 on it."""
        if not await self._outbox.has(tx, room, key):
            await self._outbox.put(tx, room, key, message)
            await self._outbox.react(tx, room, key, EYES)
            await store.watch(tx, _watched(room, key, message))

    async def alarm(self, tx: Tx, room: str, key: str, message: Message) -> None:
        """A new message; with 👀 on it if it pushes somebody, who then has to act."""
        put = self.say if message.push else self._outbox.put
        await put(tx, room, key, message)

    async def edit(self, tx: Tx, room: str, key: str, message: Message) -> None:
        """It reads like this from now on, above who looks after it."""
        await store.watch(tx, _watched(room, key, message))
        seen = await store.looks(tx, room, key)
        said = texts.looked_after(message, [each.person for each in seen])
        await self._outbox.edit(tx, room, key, said)

    async def over(self, tx: Tx, about: str, message: Message) -> None:
        """What the messages of this kind told is over: they read like this from now on."""
        for each in await store.ended(tx, about):
            await self._outbox.buttons(tx, each.room, each.key, ())
            await self._outbox.edit(tx, each.room, each.key, message)

    async def tap(self, tx: Tx, origin: Origin, key: str) -> None:
        """Of somebody with a role, on the message of this key."""
        if await store.watched(tx, origin.room, key) is None:
            return
        settings = self._live.settings
        name = person_of(settings.policy, origin.mxid) if settings else origin.mxid
        at = self._live.now()
        eyes = Eyes(origin.event_id, origin.room, key, origin.mxid, name, at)
        await store.add_look(tx, eyes)
        await self._show(tx, origin.room, key)

    async def taken_back(
        self, tx: Tx, room: RoomId, event_id: str, by: str, *, able: bool
    ) -> None:
        """A tap was removed. able: whoever did it may remove those of others."""
        eyes = await store.look(tx, room, event_id)
        if eyes is not None and (able or eyes.mxid == by):
            await store.drop_look(tx, event_id)
            await self._show(tx, room, eyes.key)

    async def _show(self, tx: Tx, room: str, key: str) -> None:
        kept = await store.watched(tx, room, key)
        if kept is not None:
            message = Message(Sign(kept.sign), kept.lines, text=kept.loud)
            await self.edit(tx, room, key, message)


def _watched(room: str, key: str, message: Message) -> LookedAfter:
    return LookedAfter(room, key, message.sign.value, message.text, message.lines)
