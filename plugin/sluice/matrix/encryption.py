"""Writing into encrypted rooms and reading what stands there, over mautrix' machine.

Who may read is asked of the server each time a session is made, never of mautrix' store: Conduit's
sync loses joins, and mautrix would share with joined members only (docs/conduit.md, "Encryption").
"""

from __future__ import annotations

import asyncio
import copy
import json
import logging
from collections import defaultdict
from collections.abc import Callable

import aiohttp
from mautrix.errors import (
    DecryptionError,
    EncryptionError,
    SessionNotFound,
)
from mautrix.errors import (
    MatrixError as MautrixError,
)
from mautrix.types import (
    EncryptedEvent,
    EncryptionAlgorithm,
    EventType,
    Member,
    Membership,
    RoomEncryptionStateEventContent,
)

from ..model.event import Json, RoomEvent, event_of
from .api import Client, Homeserver, NoResponse
from .late import ENCRYPTED, NoKey
from .withheld import Withheld

MESSAGE = "m.room.message"
MEGOLM = "m.megolm.v1.aes-sha2"
_LOST = (MautrixError, aiohttp.ClientError, asyncio.TimeoutError)

log = logging.getLogger("sluice.encryption")


class NoCrypto(Exception):
    """The room is encrypted and the bot cannot encrypt for it."""


class Encryption:
    """emptied: told the room whose encryption was found emptied from outside."""

    def __init__(
        self,
        client: Client,
        homeserver: Homeserver,
        emptied: Callable[[str], None] = lambda room: None,
    ) -> None:
        self._client, self._hs, self._emptied = client, homeserver, emptied
        self.withheld = Withheld()
        self._rooms: dict[str, bool] = {}  # whether encrypted, as far as known
        self._shared: set[str] = set()  # rooms whose session went to their present members
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @property
    def available(self) -> bool:
        return self._client.crypto is not None

    async def start(self) -> None:
        """Uploads one-time keys now (mautrix does it with its second long poll, 30 s later)."""
        # mautrix logs what it decrypted at TRACE, and our own passwords come back to us.
        self._client.crypto_log.addFilter(
            lambda record: (
                not record.getMessage().startswith(("Decrypted", "get_event: Decrypted"))
            )
        )
        if self.available:
            await self._client.crypto.share_keys()

    def changed(self, room: str) -> None:
        """The room's members or its encryption changed."""
        self._shared.discard(room)
        if not self._rooms.get(room):
            self._rooms.pop(room, None)

    async def is_on(self, room: str) -> bool:
        if room not in self._rooms:
            self._rooms[room] = await self._hs.state_content(room, "m.room.encryption") is not None
        return self._rooms[room]

    async def seal(self, room: str, content: Json) -> tuple[str, dict[str, object]]:
        """The type and content to send for a message: as it is, or encrypted. Raises NoCrypto."""
        if not await self.is_on(room):
            return MESSAGE, dict(content)
        if not self.available:
            raise NoCrypto(room)
        async with self._locks[room]:
            try:
                return ENCRYPTED, await self._encrypt(room, dict(content))
            except _LOST as exc:
                raise NoResponse(f"not encrypted: {type(exc).__name__}") from None

    async def _encrypt(self, room: str, content: dict[str, object]) -> dict[str, object]:
        crypto = self._client.crypto
        if room not in self._shared:
            await crypto.crypto_store.remove_outbound_group_session(room)
        try:
            sealed = await crypto.encrypt_megolm_event(room, EventType.ROOM_MESSAGE, content)
        except EncryptionError:
            self._shared.add(room)  # before the members are read: a change takes it away
            await crypto.share_group_session(room, await self._readers(room))
            sealed = await crypto.encrypt_megolm_event(room, EventType.ROOM_MESSAGE, content)
        return dict(sealed.serialize())

    async def _readers(self, room: str) -> list[str]:
        """Joined and invited members, from the server; mautrix' store is told as well, so that it
        makes a new session when one of them has a new device.

        Raises NoCrypto for an algorithm that is not ours. One that is missing was erased by
        somebody: the room stays encrypted, as it was.
        """
        members: dict[str, Member] = {}
        for event in await self._hs.state(room):
            if event.type == "m.room.encryption" and event.state_key == "":
                algorithm = event.content.get("algorithm")
                if algorithm is None:
                    log.error("%s: its encryption was emptied; encrypting goes on", room)
                    self._emptied(room)
                elif algorithm != MEGOLM:
                    raise NoCrypto(room)
            key, membership = event.state_key, event.content.get("membership")
            is_member = event.type == "m.room.member" and membership in ("join", "invite")
            if is_member and key is not None:
                members[key] = Member(membership=Membership(membership))
        store = self._client.state_store
        stored = await store.get_encryption_info(room)
        if stored is None or stored.algorithm != EncryptionAlgorithm.MEGOLM_V1:
            info = RoomEncryptionStateEventContent(algorithm=EncryptionAlgorithm.MEGOLM_V1)
            await store.set_encryption_info(room, info)
        await store.set_members(room, members)
        return list(members)

    async def unseal(self, event: RoomEvent) -> RoomEvent:
        """The event in clear; raises NoKey. What can never be read stays encrypted."""
        if not self.available or event.is_state:  # a state event is what it says it is
            return event
        crypto = self._client.crypto
        try:
            sealed = EncryptedEvent.deserialize(copy.deepcopy(event.raw))  # type: ignore[arg-type]
            session = await crypto.crypto_store.get_group_session(
                sealed.room_id, sealed.content.session_id
            )
            if session is None:
                if self.withheld.why(event) is not None:
                    return event
                raise NoKey
            # mautrix checks (room, replay, the sender's device), but what it returns is parsed
            # and an edit is replaced by its new content: the plain JSON is taken instead.
            plain = json.loads(session.decrypt(sealed.content.ciphertext)[0])
            await crypto.decrypt_megolm_event(sealed)
            kind, content = plain["type"], plain["content"]
            self.withheld.reads(event.sender)
        except (NoKey, SessionNotFound):
            raise NoKey from None
        except Exception as exc:
            level = logging.INFO if isinstance(exc, DecryptionError) else logging.WARNING
            log.log(level, "%s cannot be read: %s", event.id, type(exc).__name__)
            return event
        outer = event.content.get("m.relates_to")
        if isinstance(content, dict) and outer is not None:
            content.setdefault("m.relates_to", outer)
        return event_of({**event.raw, "type": kind, "content": content}, unsealed=True)
