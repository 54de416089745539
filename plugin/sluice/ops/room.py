"""One ops room: every event of its timeline, handed to whom it concerns.

A message is a command, an answer to a question, a vote by reply, or chat; a tap is a vote or an
answer; a redaction, a join, a new power can change what counts. Here is only the choice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Union

from attrs import evolve

from ..catalog.table import find
from ..chat import alarms, refusals
from ..db.connection import Database, Tx
from ..looks.authority import Authority
from ..looks.lookups import looks, waits
from ..looks.sizes import HELLO, FirstSize
from ..matrix import threads
from ..matrix.api import Homeserver, NoResponse, Refused, passing
from ..matrix.encryption import Encryption
from ..matrix.late import ENCRYPTED, NoKey
from ..matrix.model import SEEN, Handled, Later
from ..matrix.outbox import Outbox
from ..matrix.rooms import RoomView
from ..model.command import Manner, Typed
from ..model.event import Json, RoomEvent
from ..model.ids import EventId, RoomId
from ..model.origin import Origin
from ..model.request import NEVER_RAN, Side, State, Via, Vote
from ..policy.people import is_named
from ..requests import reweigh, store, voting
from ..requests.desk import Desks
from ..server import store as server
from ..server.looking import EYES, Looking
from ..state import Live, Rooms
from ..typed import read
from ..typed.answering import is_no_command
from ..typed.meaning import meaning
from ..typed.parse import NotRun
from .dialog import Dialog
from .edits import Edits
from .erased import Erasures, is_emptied
from .intake import Intake
from .mute import Mute
from .storage import Storage
from .talk import Talk
from .taps import Taps
from .turns import Turns

_UNREAD_EVERY = 60.0
_SENT_WITHIN = 5.0

Taken = Union[Handled, Later, None]


class OpsRoom:
    def __init__(
        self,
        room: str,
        live: Live,
        rooms: Rooms,
        outbox: Outbox,
        desk: Desks,
        db: Database,
        homeserver: Homeserver,
        authority: Authority,
        commands: Intake,
        dialog: Dialog,
        storage: Storage,
        encryption: Encryption,
        looking: Looking,
        problems: asyncio.Event,
    ) -> None:
        """problems: the bell that the bot may, or may not, speak here from now on."""
        self._live, self._rooms, self._outbox, self._desk = live, rooms, outbox, desk
        self.room, self._db, self._hs = RoomId(room), db, homeserver
        self._authority, self._commands = authority, commands
        self._dialog, self._problems = dialog, problems
        self._mute, self._storage = Mute(room, rooms, outbox, authority), storage
        self._edits = Edits(live, rooms, desk, db, authority, commands, dialog)
        self._erasures = Erasures(
            self.room, live, outbox, desk, db, homeserver, authority, commands.moved
        )
        self._turns = Turns()
        parts = (commands, dialog, self._mute, self._erasures, self._turns)
        self._talk = Talk(self.room, live, rooms, outbox, desk, db, *parts)
        self._taps = Taps(self.room, live, rooms, outbox, desk, db, commands, self._original)
        self._bots: set[str] = set()  # who has sent notices here, and is nobody's
        self._encryption, self._looking = encryption, looking
        self._first_size = FirstSize(live, outbox)
        self._unread: dict[str, float] = {}  # who was told that a message cannot be read, and when

    @property
    def view(self) -> RoomView:
        return self._rooms.views.get(self.room) or RoomView(self.room)  # gone: nobody is in it

    async def take(self, event: RoomEvent) -> Taken:
        """One event, in order. May ask the server; what it stores is one commit."""
        if self.room not in self._rooms.views:
            return None  # a policy that came just now knows it no more
        if event.sender == self._live.me:
            self._turns.ours(event)
            return self._own(event)
        self._turns.theirs(event)
        if event.is_state:
            return self._state(event)
        if is_emptied(event):
            self._turns.unknown()
            return await self._erasures.take(self._origin(event), event, self.view)
        if event.type == "m.room.message":
            return await self._message(event)
        if event.type == "m.reaction":
            return await self._tap(event)
        if event.type == "m.room.redaction":
            return await self._redaction(event)
        if event.type == ENCRYPTED and self._rooms.crypto:
            return await self._unreadable(event)
        return None

    async def warn(self, tx: Tx) -> None:
        """What nobody would see otherwise: that nothing typed here is read, or that people were
        led elsewhere. Once for each event that makes it so."""
        here, outbox, view = self._rooms.here(self.room), self._outbox, self.view
        if self._rooms.deaf(self.room):
            key = f"unreadable.{view.event_of('m.room.encryption')}"
            await outbox.put(tx, self.room, key, alarms.unreadable_room(here), clear=True)
        if view.replaced_by:
            key = f"upgraded.{view.event_of('m.room.tombstone')}"
            await self._looking.alarm(tx, self.room, key, alarms.upgraded(here))

    def _origin(self, event: RoomEvent, command: EventId | None = None) -> Origin:
        return Origin(event.id, command or event.id, self.room, event.sender, event.at or 0.0)

    def _own(self, event: RoomEvent) -> Handled | None:
        commit = self._outbox.seen(event)
        if event.is_state:
            self._apply(event)
        return Handled(commit) if commit else None

    def _state(self, event: RoomEvent) -> Handled | None:
        is_new = self._is_news(event)
        self._apply(event)
        if event.type in ("m.room.encryption", "m.room.tombstone"):
            return Handled(self.warn)
        if event.type not in ("m.room.member", "m.room.power_levels"):
            return None
        if self._live.settings is None or not is_new:
            return None
        return Handled(lambda tx: reweigh.room_changed(self._desk(tx), self.room))

    def _apply(self, event: RoomEvent) -> None:
        before = self._rooms.may_speak(self.room)
        self.view.apply(event)
        if self._rooms.may_speak(self.room) and not before:
            self._outbox.refused.pop(self.room, None)
            self._outbox.wake.set()
        if event.type in ("m.room.power_levels", "m.room.encryption"):
            self._problems.set()

    def _is_news(self, event: RoomEvent) -> bool:
        """Not a new name or picture of a member: anybody can change theirs all day long."""
        before = event.unsigned.get("prev_content")
        if event.type != "m.room.member" or not isinstance(before, Mapping):
            return True
        now = self.view.membership(event.state_key or "")
        return not event.content.get("membership") == before.get("membership") == now

    # --- messages

    async def _message(self, event: RoomEvent) -> Taken:
        if event.sender not in self.view.joined:
            return None
        origin, content = self._origin(event), event.content
        if content.get("msgtype") == "m.notice" and not self._is_person(event.sender):
            self._bots.add(event.sender)
        if not await self._may_speak(origin):
            # A vote does not count either when it is read again after they got a role.
            return SEEN if read.side(content) else None
        if self.view.encrypted and not event.unsealed:
            return None if self._mute.now else await self._commands.in_clear(origin, content)
        edit = read.edit_of(content)
        if edit is not None:
            return await self._edit(event, *edit)
        return _in_thread(await self._read(origin, content), origin, content)

    async def _read(self, origin: Origin, content: Json, chat: RoomEvent | None = None) -> Taken:
        """A command, an answer to a question, a vote, or chat. chat: the message that was nothing
        until this edit of it; what it says now is asked first."""
        typed = self._commands.read(self.room, content)
        if isinstance(typed, NotRun):
            if self._mute.now:
                return await self._mute.unheard(origin)
            return await self._commands.refuse(origin, refusals.refused(typed))
        young = chat is None or self._commands.is_young(chat.at)
        line = meaning(typed).typed if typed is not None else None
        if typed is None or line is None:
            return await self._talk.take(origin, content, young=young)
        if self._mute.now and not self._mute.counts(line):
            return await self._mute.typed(origin, line)
        if await self._is_unstorable(origin, line):
            return None
        below = typed.manner is Manner.SAID and (typed.reply_to or typed.thread)
        is_answer = below and (line.said or not waits(line.word))
        if is_answer and (answer := await self._talk.take(origin, content, young=young)):
            return answer
        return await self._command(origin, content, typed, line, chat)

    async def _command(
        self, origin: Origin, content: Json, typed: Typed, line: Typed, chat: RoomEvent | None
    ) -> Taken:
        """A command stands for itself: it is no answer to a question, except a no. line: what it
        means."""
        question = await self._talk.asked(typed.reply_to, origin.mxid)
        if question is not None and is_no_command(typed):
            return self._dialog.called_off(origin, question)
        if question is not None:
            self._dialog.close(question.key)
        meant = typed if question is None else evolve(typed, reply_to=None)
        if meant.manner is Manner.CAPTION and meant.reply_to is None:
            meant = evolve(meant, reply_to=origin.event_id)  # the file itself
        named = read.mentions_bot(content, self._live.me)
        shared = (
            bool(self._bots & self.view.joined) and len(self._rooms.here(self.room).prefix) < 2
        )
        if chat is not None and (asked := self._commands.offer(origin, meant, chat.at)):
            return asked

        async def take() -> Handled | None:
            return await self._commands.take(origin, meant, named=named, shared=shared)

        busy = self._commands.lookups.busy(self._authority.name(origin.mxid))
        beside = looks(line.word) or (busy and waits(line.word))
        return await (self._commands.looked_up(origin, take) if beside else take())

    def _is_person(self, mxid: str) -> bool:
        """Whether the policy names whose account it is."""
        settings = self._live.settings
        return settings is not None and is_named(settings.policy, mxid)

    async def _may_speak(self, origin: Origin) -> bool:
        """Whether what they say can mean anything: asked before it is read, because any member
        can send much of it. Who was asked something may answer, whatever became of their role."""
        return self._dialog.of_person(origin.mxid) or bool(await self._authority.roles(origin))

    async def _is_unstorable(self, origin: Origin, typed: Typed) -> bool:
        """A command while nothing can be stored; `status` answers even so."""
        command = find(typed.word)
        if not self._storage.fails or command is None or command.name == "status":
            return False
        if await self._authority.roles(origin):
            await self._storage.refuse(origin)
        return True

    async def _unreadable(self, event: RoomEvent) -> Handled | None:
        """Its key did not come within a minute, and may never come, or its sender keeps it back.
        One answer a minute: behind one lost key there are many messages."""
        sender, now = event.sender, self._live.now()
        told = {who: at for who, at in self._unread.items() if now - at < _UNREAD_EVERY}
        if sender in told or self._mute.now:
            return None
        handled = await self._commands.refuse(
            self._origin(event), refusals.unreadable(self._encryption.withheld.why(event))
        )
        if handled is None:
            return None

        async def commit(tx: Tx) -> None:
            await handled.commit(tx)
            tx.after(lambda: setattr(self, "_unread", {**told, sender: now}))

        return Handled(commit, handled.after)

    async def _edit(self, event: RoomEvent, original: EventId, new: Json) -> Taken:
        """An edit by whoever sent the original, here: of a vote, of what was answered, asked or
        stored, else of chat."""
        votes = await self._db.read(lambda tx: store.votes_of(tx, self.room, original))
        if votes and votes[0].mxid != event.sender:
            return None
        before = await self._original(original)
        if before is None or before.sender != event.sender:
            return None
        content = read.edited(before.content, new)
        taken = await self._edited(event, before, content, votes)
        return _in_thread(taken, self._origin(event, original), content)

    async def _edited(
        self, event: RoomEvent, before: RoomEvent, content: Json, votes: Sequence[Vote]
    ) -> Taken:
        """before: the original, with these votes. content: what it says now."""
        original = before.id
        if votes and self._live.settings is not None:
            young = self._commands.is_young(before.at)
            whose = self._origin(event, original)
            return await self._edits.vote(whose, content, votes[0], young=young)
        request = await self._db.read(lambda tx: store.of_command(tx, self.room, original))
        answered = self._dialog.of_answer(original) if self._is_chat(before) else None
        if answered is not None and self._commands.is_young(before.at):
            anew = await self._talk.again(self._origin(event, original), answered, content)
            return await self._edits.instead(self._origin(event), request, anew)
        command = request.command if request is not None else original
        origin, typed = self._origin(event, command), self._commands.read(self.room, content)
        self._dialog.forget(command)
        question = self._dialog.of_command(command)
        if question is not None:
            self._dialog.close(question.key)
            if request is None and typed is None and not question.about:
                return Handled(partial(self._dialog.gone, question=question))
        is_known = request is not None or self._commands.lookups.whose(command) is not None
        self._commands.lookups.end(command)
        if request is None or request.state in NEVER_RAN:
            young = self._commands.is_young(before.at) and not self._is_chat(before)
            again = young and (is_known or await self._is_answered(original))
            return await self._read(origin, content, None if again else before)
        if (same := self._edits.as_before(origin, typed, request)) is not None:
            return same
        taken = await self._commands.looked_up(
            origin, lambda: self._edits.edited(origin, typed, request)
        )
        if isinstance(taken, Later) and request.state is State.PENDING:
            # Nothing of the old text can run while the new one is looked up.
            await self._edits.withdraw(origin)
        return taken

    async def _original(self, event_id: EventId) -> RoomEvent | None:
        """The message that is edited, in clear where it can be, if there is one in this room."""
        try:
            event = await self._hs.event(self.room, event_id)
        except Refused as error:
            if passing(error):
                raise
            return None
        if event is None or event.type != ENCRYPTED:
            return event
        with suppress(NoKey):
            event = await self._encryption.unseal(event)
        return event

    async def _is_answered(self, original: EventId) -> bool:
        """Whether it was a command, or was taken for one."""
        key = f"reply.{original}"
        return await self._db.read(lambda tx: self._outbox.has(tx, self.room, key))

    def _is_chat(self, event: RoomEvent) -> bool:
        """Whether a message is none to the bot, as far as can be read."""
        if event.type == ENCRYPTED:
            return True
        return self._commands.read(self.room, event.content) is None

    # --- taps and redactions

    async def _tap(self, event: RoomEvent) -> Taken:
        if event.sender not in self.view.joined:
            return None
        origin, tap = self._origin(event), read.reaction(event.content)
        if tap is None:
            return None
        if not await self._may_speak(origin):
            return SEEN if tap.side else None  # as of a vote by reply
        question = await self._talk.question(tap.event_id, origin.mxid)
        if question is not None:
            key = str(tap.choice) if tap.choice else (tap.side.value if tap.side else tap.key)
            chosen, is_no = question.taps.get(key), tap.side is Side.DENY
            if chosen is None:
                return self._dialog.called_off(origin, question) if is_no else None
            if self._mute.now:
                return await self._mute.unheard(origin)
            self._dialog.close(question.key)
            again = evolve(origin, command=question.origin.command)
            return await self._commands.looked_up(again, lambda: chosen(again))
        if (button := await self._taps.button(tap)) is not None:
            if self._mute.now:
                return await self._mute.unheard(origin)
            return await self._taps.take(origin, tap, button)
        if (noted := await self._noted(origin, tap)) is not None or tap.side is None:
            return noted
        return await self._talk.vote(origin, tap.event_id, tap.side, Via.REACTION)

    async def _noted(self, origin: Origin, tap: read.Reaction) -> Handled | None:
        """Somebody looks after what a message of ours tells, or an owner tells a fact below it."""
        target = tap.event_id
        key = await self._db.read(lambda tx: self._outbox.key_of(tx, self.room, target))
        if key is None:
            return None
        if tap.key == EYES:
            return Handled(lambda tx: self._looking.tap(tx, origin, key))
        if tap.side is Side.APPROVE and key.startswith(f"{HELLO}."):
            held = await self._authority.roles(origin)
            return Handled(lambda tx: self._first_size.tap(tx, origin, key, held))
        return None

    async def _redaction(self, event: RoomEvent) -> Handled | None:
        """Who may remove something is looked at here too: in older rooms anybody can write such
        an event, and the server only does not apply it; and what comes encrypted can call itself
        a redaction."""
        target, sender = event.removes, event.sender
        if target is None or self._live.settings is None:
            return None
        able = self.view.can("redact", sender)
        question = self._dialog.of_command(target)
        gone = (
            question if question is not None and (able or question.origin.mxid == sender) else None
        )
        if gone is not None:
            self._dialog.close(gone.key)
        lookups = self._commands.lookups
        if lookups.whose(target) == sender or able:
            lookups.end(target)
        if able:
            await self._sent(target)
        elif gone is None and not await self._db.read(lambda tx: self._is_known(tx, target)):
            return None  # anybody removes what they said, all day long

        async def commit(tx: Tx) -> None:
            if gone is not None:
                await self._dialog.gone(tx, gone)
            request = await store.of_command(tx, self.room, target)
            own = request is not None and request.mxid == sender
            if able or own or await store.votes_of(tx, self.room, target):
                await voting.redacted(self._desk(tx, self.room), self.room, target, sender)
            await self._looking.taken_back(tx, self.room, target, sender, able=able)

        return Handled(commit, self._commands.moved)

    async def _is_known(self, tx: Tx, target: EventId) -> bool:
        """A vote, a look at something, or a stored command."""
        if await store.votes_of(tx, self.room, target):
            return True
        if await server.look(tx, self.room, target) is not None:
            return True
        return await store.of_command(tx, self.room, target) is not None

    async def _sent(self, target: EventId) -> None:
        """Waits until it is known whether this is a card of ours. Raises NoResponse."""

        async def unclear(tx: Tx) -> bool:
            if await self._is_known(tx, target):
                return False
            return await self._outbox.unclear(tx, self.room, target)

        until = self._live.now() + _SENT_WITHIN
        while await self._db.read(unclear):
            if self._live.now() > until:
                raise NoResponse("a message of ours is still being sent")
            await asyncio.sleep(0.05)


def _in_thread(taken: Taken, origin: Origin, content: Json) -> Taken:
    """What a message leads to is said in the thread that it was written in."""
    root = read.thread_of(content)
    if taken is None or root is None:
        return taken

    def placed(handled: Handled) -> Handled:
        async def commit(tx: Tx) -> None:
            await threads.keep(tx, origin.command, root)
            await handled.commit(tx)

        return evolve(handled, commit=commit)

    async def later(work: asyncio.Task[Handled]) -> Handled:
        return placed(await work)

    if isinstance(taken, Later):
        return Later(asyncio.create_task(later(taken.work)))
    return placed(taken)
