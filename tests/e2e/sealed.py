"""People whose clients encrypt, with matrix-nio: an implementation independent of the bot's.

They write through nio and read the room's timeline, as everybody in these tests does; nio's sync
brings the keys. What could not be decrypted stays as it came.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from pathlib import Path
from typing import Any

import pytest
from nio import AsyncClient, AsyncClientConfig

from lab.chat import Chat, Said, eventually
from lab.client import V3, Client

SEALED = "m.room.encrypted"


class Person:
    """One account with one device that encrypts."""

    def __init__(self, client: Client, nio: AsyncClient) -> None:
        self.client, self.nio = client, nio
        self._sync: asyncio.Task[None] | None = None
        self._kept: list[dict[str, Any]] = []  # room keys that were not sent

    @classmethod
    async def open(cls, client: Client, folder: Path) -> Person:
        pytest.importorskip("olm", reason="python-olm is not here: the bot cannot encrypt")
        store = folder / client.device
        store.mkdir(parents=True)
        config = AsyncClientConfig(encryption_enabled=True, request_timeout=40)
        nio = AsyncClient(
            client.base, client.mxid, client.device, store_path=str(store), config=config
        )
        nio.restore_login(client.mxid, client.device, client.token)
        await nio.sync(timeout=0, full_state=True)
        if nio.should_upload_keys:
            await nio.keys_upload()
        self = cls(client, nio)
        self._sync = asyncio.create_task(nio.sync_forever(timeout=10_000, loop_sleep_time=0))
        return self

    async def close(self) -> None:
        assert self._sync is not None
        self._sync.cancel()
        await asyncio.gather(self._sync, return_exceptions=True)
        await self.nio.close()

    # --- writing

    async def say(self, room: str, text: str, **more: Any) -> str:
        return await self.send(room, {"msgtype": "m.text", "body": text, **more})

    async def send(self, room: str, content: dict[str, Any]) -> str:
        await self._knows(room)
        answer = await self.nio.room_send(
            room, "m.room.message", content, ignore_unverified_devices=True
        )
        return str(answer.event_id)

    async def _knows(self, room: str) -> None:
        async def known() -> bool:
            return room in self.nio.rooms and self.nio.rooms[room].encrypted

        await eventually(known, f"{self.client.mxid} knows that {room} is encrypted")

    async def say_without_key(self, room: str, text: str) -> str:
        """Encrypted with a new session, whose key stays here until `give_key`."""
        await self._knows(room)
        await self.nio.joined_members(room)
        if self.nio.should_query_keys:
            await self.nio.keys_query()
        if missing := self.nio.get_missing_sessions(room):
            await self.nio.keys_claim(missing)
        olm = self.nio.olm
        assert olm is not None
        olm.create_outbound_group_session(room)
        members = list(self.nio.rooms[room].users)
        shared = olm.share_group_session_parallel(room, members, ignore_unverified_devices=True)
        self._kept = [messages for _, messages in shared]
        olm.outbound_group_sessions[room].shared = True
        content = {"msgtype": "m.text", "body": text}
        kind, sealed = self.nio.encrypt(room, "m.room.message", content)
        return await self.client.send(room, dict(sealed), kind)

    async def give_key(self) -> None:
        """What `say_without_key` kept back."""
        for messages in self._kept:
            path = f"{V3}/sendToDevice/{SEALED}/{secrets.token_hex(8)}"
            await self.client.call("PUT", path, messages)

    def discard(self, room: str) -> None:
        """/discardsession: the next message begins a new session."""
        assert self.nio.olm is not None
        self.nio.olm.outbound_group_sessions.pop(room, None)

    # --- reading

    async def chat(self, room: str) -> SealedChat:
        chat = await SealedChat.open(self.client, room)
        assert isinstance(chat, SealedChat)
        chat.person = self
        return chat

    async def private(self, bot: str) -> SealedChat:
        """The private room with the bot, from its start; an invitation to it is accepted."""
        client = self.client
        for room, inviter in (await client.invitations()).items():
            if inviter == bot:
                await client.join(room)
        for room in await client.joined_rooms():
            if await client.members(room) == {client.mxid, bot}:
                chat = await SealedChat.from_the_start(client, room)
                assert isinstance(chat, SealedChat)
                chat.person = self
                return chat
        raise AssertionError(f"{client.mxid} has no private room with the bot")

    def unseal(self, room: str, raw: dict[str, Any]) -> dict[str, Any] | None:
        """The event in clear; None if the key is not there."""
        content = raw.get("content") or {}
        assert self.nio.olm is not None
        session = self.nio.olm.inbound_group_store.get(
            room, content.get("sender_key"), content.get("session_id")
        )
        if session is None:
            return None
        plain = json.loads(session.decrypt(content["ciphertext"])[0])
        inner = dict(plain["content"])
        if "m.relates_to" in content:
            inner.setdefault("m.relates_to", content["m.relates_to"])
        return {**raw, "type": plain["type"], "content": inner}


class SealedChat(Chat):
    """An encrypted room as one person reads it."""

    person: Person

    async def read(self) -> None:
        await super().read()
        for at, said in enumerate(self.said):
            if said.kind == SEALED and said.content:
                opened = self.person.unseal(self.room, said.raw)
                self.said[at] = Said(opened) if opened is not None else said

    async def say(self, text: str, **more: Any) -> str:
        return await self.person.say(self.room, text, **more)
