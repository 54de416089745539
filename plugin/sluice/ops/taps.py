"""A tap on a button below one of our messages that asks no question: ↩️ takes back what was done,
🔁 asks anew for what did not run, ✅ and ❌ say how something ended of which nobody knows.

What it means stands in the database: the button, what its message is called, and the request. So
it works after a restart as before. It leads to a command of whoever taps, as if they had typed it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from attrs import frozen

from ..catalog.own import RESOLVE
from ..catalog.table import COMMANDS, find
from ..chat import taps as texts
from ..chat.undo import AGAIN, MINUTES, UNDO, reverse
from ..db.connection import Database, Tx
from ..matrix.model import Handled, Later
from ..matrix.outbox import Outbox
from ..model.command import Invocation, Typed
from ..model.event import RoomEvent
from ..model.ids import EventId, RoomId
from ..model.origin import Origin
from ..model.request import NEVER_RAN, Request, State
from ..policy.access import can_be_tapped
from ..requests import store
from ..requests.desk import Desks, request_number
from ..state import Live, Rooms
from ..typed import read
from ..typed.consent import bare
from ..typed.read import Reaction
from .intake import Intake

_ENDS = ("end", "told")  # what the messages are called that say how a request ended
_RESOLVED = {"✅": "done", "❌": "failed"}


@frozen
class Button:
    """key: of its message. request: that it is about; None: about a command that made none."""

    sign: str
    key: str
    request: Request | None = None


class Taps:
    """Of one ops room. original: a message of the room, in clear where it can be."""

    def __init__(
        self,
        room: RoomId,
        live: Live,
        rooms: Rooms,
        outbox: Outbox,
        desk: Desks,
        db: Database,
        commands: Intake,
        original: Callable[[EventId], Awaitable[RoomEvent | None]],
    ) -> None:
        self._room, self._live, self._rooms, self._outbox = room, live, rooms, outbox
        self._desk, self._db, self._commands, self._original = desk, db, commands, original

    async def button(self, tap: Reaction) -> Button | None:
        """The button that was tapped, if it is one of ours of this kind."""
        return await self._db.read(lambda tx: self._button(tx, tap))

    async def _button(self, tx: Tx, tap: Reaction) -> Button | None:
        key = await self._outbox.key_of(tx, self._room, tap.event_id)
        signs = await self._outbox.offered(tx, self._room, key) if key is not None else ()
        sign = next((each for each in signs if bare(each) == tap.key), None)
        if key is None or sign is None:
            return None
        number = request_number(key)
        if number is None:
            return Button(sign, key) if sign == AGAIN and _command(key) else None
        ends = key.split(".")[2:3]
        is_ours = ends and ends[0] in _ENDS
        return Button(sign, key, await store.get(tx, number)) if is_ours else None

    async def take(self, origin: Origin, tap: Reaction, button: Button) -> Handled | Later | None:
        """What it asks for, said below its message."""
        where = Origin(origin.event_id, tap.event_id, origin.room, origin.mxid, origin.at)
        return await self._commands.looked_up(where, lambda: self._does(where, button))

    async def _does(self, origin: Origin, button: Button) -> Handled | None:
        request = button.request
        if request is None:
            return await self._typed_again(origin, button)
        if button.sign in _RESOLVED:
            args = (("request", request.id), ("end", _RESOLVED[button.sign]))
            return await self._commands.tapped(origin, Invocation(RESOLVE.name, args))
        what = request.invocation
        if button.sign == UNDO:
            back = reverse(what)
            if back is None or request.state is not State.DONE:
                return None
            if self._live.now() > (request.ended or 0) + MINUTES * 60:
                over = texts.undo_is_over(self._rooms.here(origin.room), back)
                return await self._commands.refuse(origin, over)
            what = back
        elif not can_be_tapped(self._live.in_force.policy, COMMANDS[what.command]):
            return await self._commands.refuse(origin, texts.by_hand())
        asked = await self._commands.tapped(origin, what)
        return self._once(origin, request.mxid, asked)

    async def _typed_again(self, origin: Origin, button: Button) -> Handled | None:
        """A command that came when it could not run, in the words in which it stands there."""
        event = await self._original(_command(button.key))
        typed = self._read(event) if event is not None else None
        command = find(typed.word) if typed is not None else None
        if event is None or typed is None or command is None:
            return await self._commands.refuse(origin, texts.unreadable())
        if not can_be_tapped(self._live.in_force.policy, command):
            return await self._commands.refuse(origin, texts.by_hand())
        asked = await self._commands.take(origin, typed)
        return self._once(origin, event.sender, asked)

    def _read(self, event: RoomEvent) -> Typed | None:
        edit = read.edit_of(event.content)
        typed = self._commands.read(self._room, edit[1] if edit else event.content)
        return typed if isinstance(typed, Typed) else None

    def _once(self, origin: Origin, whose: str, does: Handled | None) -> Handled | None:
        """It leads to one request, unless that was denied or ended before it ran. whose: the
        account that asked for what the button is about."""
        if does is None:
            return None

        async def commit(tx: Tx) -> None:
            desk = self._desk(tx, self._room)
            before = await self._made(tx, origin)
            if before is not None:
                said = texts.done_already(before)
                await desk.reply(origin.room, origin.event_id, said, origin.command)
                return
            await does.commit(tx)
            made = await self._made(tx, origin)
            if made is not None and made.person != desk.name(whose) and not made.slots:
                said = texts.in_their_name(made.person, desk.name(whose))
                key = f"taken.{origin.event_id}"
                await self._outbox.put(tx, self._room, key, said, reply_to=origin.command)

        return Handled(commit, does.after)

    async def _made(self, tx: Tx, origin: Origin) -> Request | None:
        """The request that this button has led to."""
        made = await store.of_command(tx, self._room, origin.command)
        return made if made is not None and made.state not in NEVER_RAN else None


def _command(key: str) -> EventId:
    """The message that an answer of this key is to; "" if the key is none of an answer."""
    kind, _, event = key.partition(".")
    return EventId(event if kind == "reply" else "")
