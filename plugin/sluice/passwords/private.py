"""The room in which one person gets secrets: made, checked before each secret, used for it.

Nobody but the bot and the recipient may be in it, and nobody but the bot may change that. What the
server says of the room is believed, read directly before each secret; nothing remembered is.
`trusted_private_chat` is never used: on version 12 it makes who is invited all-powerful.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from ..db.connection import Database, Tx
from ..matrix import private_rooms, sealed, written
from ..matrix.api import PAGE, Homeserver, MatrixError, Refused, passing
from ..matrix.encryption import MEGOLM, Encryption, NoCrypto
from ..matrix.rooms import RoomView
from ..model.event import Json

ALL = 100  # the power to invite, kick, ban and change state: nobody's but the bot's
TRIES = 4
ROOMS_A_DAY, DAY = 3, 86400.0  # new rooms for one recipient
MARK = "org.sluicebot.secret"  # in what is sent, beside what may be encrypted: its txn

log = logging.getLogger("sluice.private")


class CannotDeliver(Exception):
    """reason: "remote" (another server's account, and no encryption), "members" (somebody else is
    in the room, or could be), "blocked" (the account takes no invitation of ours), or "failed".
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def holds(view: RoomView, bot: str, mxid: str, *, encrypted: bool) -> bool:
    """Whether a secret for mxid is safe in this room."""
    others = (view.joined | view.invited) - {bot}
    return (
        bot in view.joined
        and others == {mxid}
        and view.join_rule == "invite"
        and view.history_visibility in ("invited", "joined")
        and not view.replaced_by
        and view.creators() <= {bot}
        and view.power(bot) >= ALL
        and view.power(mxid) < min(map(view.needed, ("invite", "kick", "ban", "state")))
        and (view.encrypted if encrypted else not view.encrypted and not view.federated)
    )


def new_room(mxid: str, *, encrypted: bool) -> Json:
    """The body of its createRoom."""
    state: list[Json] = [
        {
            "type": "m.room.history_visibility",
            "state_key": "",
            "content": {"history_visibility": "invited"},
        },
        {"type": "m.room.guest_access", "state_key": "", "content": {"guest_access": "forbidden"}},
    ]
    if encrypted:
        content = {"algorithm": MEGOLM}
        state.append({"type": "m.room.encryption", "state_key": "", "content": content})
    return {
        "preset": "private_chat",
        "visibility": "private",
        "is_direct": True,
        "name": "Sluice: private",
        "invite": [mxid],
        "creation_content": {} if encrypted else {"m.federate": False},
        "power_level_content_override": {
            "invite": ALL,
            "kick": ALL,
            "ban": ALL,
            "state_default": ALL,
        },
        "initial_state": state,
    }


class PrivateRooms:
    """One room per MXID, kept for the next time."""

    def __init__(
        self,
        homeserver: Homeserver,
        database: Database,
        encryption: Encryption,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._hs, self._db, self._encryption, self._now = homeserver, database, encryption, now
        self._lock = asyncio.Lock()
        self._made: dict[str, list[float]] = {}  # when new rooms were made, by recipient
        self.inside: set[str] = set()  # rooms whose recipient was in when they were last checked

    async def ensure(self, mxid: str) -> str:
        """The room, checked now. Raises CannotDeliver."""
        if not self._encryption.available and _server(mxid) != _server(self._hs.mxid):
            raise CannotDeliver("remote")
        async with self._lock:
            try:
                known = await self._db.read(lambda tx: private_rooms.rooms_of(tx, [mxid]))
                for room in known:
                    if await self._holds(room, mxid) or await self._called_back(room, mxid):
                        return room
                return await self._make(mxid)
            except MatrixError as exc:
                log.warning("no private room for %s: %s", mxid, exc)
                raise CannotDeliver("failed") from None

    async def _called_back(self, room: str, mxid: str) -> bool:
        """Whoever left is invited into the same room: leaving makes no new one."""
        view = await self.view(room)
        if view is None or mxid in view.joined | view.invited:
            return False
        try:
            await self._hs.invite(room, mxid)
        except Refused as exc:
            log.warning("%s cannot be invited into %s again: %s", mxid, room, exc)
            if _is_blocked(exc):
                raise CannotDeliver("blocked") from None
            return False
        return await self._holds(room, mxid)

    async def _make(self, mxid: str) -> str:
        now = self._now()
        lately = [at for at in self._made.get(mxid, ()) if now - at < DAY]
        if len(lately) >= ROOMS_A_DAY:
            log.warning("%s had %d private rooms within a day, no more", mxid, len(lately))
            raise CannotDeliver("failed")
        room = await self._create(mxid)
        self._made[mxid] = [*lately, now]

        async def keep(tx: Tx) -> None:
            await sealed.seal(tx, room)
            await private_rooms.keep_room(tx, mxid, room)

        await self._db.write(keep)
        if not await self._holds(room, mxid):
            raise CannotDeliver("members")
        try:
            await self._mark_direct(mxid, room)
        except MatrixError as exc:  # only where clients list it
            log.warning("m.direct: %s", exc)
        return room

    async def _create(self, mxid: str) -> str:
        """A room that could not be made as a whole is left again."""
        before = await self._hs.joined_rooms()
        try:
            return await self._hs.create_room(new_room(mxid, encrypted=self._encryption.available))
        except Refused as exc:
            log.warning("no private room for %s: %s", mxid, exc)
            for room in set(await self._hs.joined_rooms()) - set(before):
                view = await self.view(room)
                if view is not None and view.joined | view.invited == view.creators():
                    await self._hs.leave(room)
            raise CannotDeliver("blocked" if _is_blocked(exc) else "failed") from None

    async def _mark_direct(self, mxid: str, room: str) -> None:
        direct = await self._hs.account_data("m.direct") or {}
        rooms = direct.get(mxid)
        rooms = [each for each in rooms if each != room] if isinstance(rooms, list) else []
        await self._hs.set_account_data("m.direct", {**direct, mxid: [*rooms, room]})

    async def view(self, room: str) -> RoomView | None:
        """The room as the server shows it now; None if we are not in it."""
        if room not in await self._hs.joined_rooms():
            return None
        view = RoomView(room)
        await view.refresh(self._hs)
        return view

    async def _holds(self, room: str, mxid: str) -> bool:
        view = await self.view(room)
        encrypted = self._encryption.available
        if view is None or not holds(view, self._hs.mxid, mxid, encrypted=encrypted):
            return False
        (self.inside.add if mxid in view.joined else self.inside.discard)(room)
        return True

    async def send(self, room: str, mxid: str, content: Json, txn: str) -> str:
        """Sends a secret to mxid into its room, checked directly before. Returns the event id.

        The same txn may be sent again after a crash. Raises CannotDeliver: then nothing was sent,
        as far as anybody can know.
        """
        await self._db.write(lambda tx: written.note(tx, txn, room, time.time()))
        for attempt in range(1, TRIES + 1):
            try:
                if not await self._holds(room, mxid):
                    raise CannotDeliver("members")
                self._encryption.changed(room)  # share the keys with who is there now
                kind, sealed = await self._encryption.seal(room, content)
                return await self._hs.send(room, kind, {**sealed, MARK: txn}, txn)
            except NoCrypto:
                raise CannotDeliver("failed") from None
            except MatrixError as exc:
                log.warning("a private message was not sent: %s", exc)
                if attempt == TRIES or not passing(exc):
                    raise CannotDeliver("failed") from None
                await self._hs.pause(0.25 * 4**attempt)
        raise CannotDeliver("failed")

    async def sent(self, room: str, txn: str) -> str | None:
        """The event of this secret, if an earlier run has sent it; None also if nobody can say."""
        try:
            page = await self._hs.newest(room, PAGE)
        except MatrixError as exc:
            log.warning("%s: %s", room, exc)
            return None
        for event in page.events:
            if event.content.get(MARK) == txn:
                return event.id
        return None


def _is_blocked(error: Refused) -> bool:
    """The account takes no invitation of ours; some servers spell the code as in a draft."""
    return error.errcode.endswith("INVITE_BLOCKED")


def _server(mxid: str) -> str:
    return mxid.partition(":")[2]
