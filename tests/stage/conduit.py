"""Conduit's admin room on the stage: the lab's double, with the homeserver in memory behind it."""

from __future__ import annotations

import asyncio
from typing import Any

from lab.double.backend import File
from lab.double.handler import Handler
from lab.double.service import Double
from tests.fake.homeserver import Account, Json

from .server import Person, StageServer


class StageBackend:
    def __init__(self, home: StageServer, admin_room: str, conduit: str) -> None:
        self.home, self.server, self._conduit = home, home.name, conduit
        self._admin_room = admin_room
        self.uploads: dict[str, File] = {}
        self.blocked: set[str] = set()
        self.registration = True

    async def status(self, user: str) -> str | None:
        account = self.home.accounts.get(user)
        if account is None:
            return None
        return "deactivated" if account.deactivated else "active"

    async def accounts(self) -> list[str]:
        accounts = self.home.accounts.values()
        open_ones = (a.mxid for a in accounts if not a.deactivated)
        return sorted(mxid for mxid in open_ones if mxid != self._conduit)

    async def create(self, user: str, password: str) -> None:
        self.home.accounts[user] = Account(user, password)

    async def set_password(self, user: str, password: str) -> None:
        account = self.home.accounts[user]
        account.password, account.deactivated = password, False

    async def deactivate(self, user: str, *, leave_rooms: bool) -> None:
        self.home.accounts[user].deactivated = True
        for room in self.home.rooms.values() if leave_rooms else ():
            if room.membership(user) == "join":
                self.home.leave(room.id, user)

    def _joined(self, room: str) -> set[str]:
        state = self.home.rooms[room].state
        members = (event for (kind, _), event in state.items() if kind == "m.room.member")
        return {e["state_key"] for e in members if e["content"].get("membership") == "join"}

    async def admins(self) -> set[str]:
        return self._joined(self._admin_room)

    async def rooms(self) -> list[tuple[str, int]]:
        return [(room, len(self._joined(room))) for room in self.home.rooms]

    async def remove_alias(self, alias: str) -> bool:
        return self.home.aliases.pop(alias, None) is not None

    async def event(self, event_id: str) -> Json | None:
        for room in self.home.rooms.values():
            for _, event in room.events:
                if event["event_id"] == event_id:
                    return event
        return None

    async def files(self) -> list[File]:
        return list(self.uploads.values())

    async def purge(self, mxc: str) -> None:
        self.uploads.pop(mxc, None)
        self.home.media.pop(mxc.removeprefix("mxc://"), None)

    async def set_blocked(self, mxc: str, blocked: bool) -> None:
        (self.blocked.add if blocked else self.blocked.discard)(mxc)
        name = mxc.removeprefix("mxc://")
        if blocked:
            self.home.media.pop(name, None)
        elif mxc in self.uploads:
            self.home.media[name] = self.uploads[mxc].data

    async def set_registration(self, enabled: bool) -> None:
        self.registration = enabled


class StageConduit(Double):
    """Takes what is said in the admin room at the moment it is put there, as Conduit does."""

    def __init__(self, home: StageServer, server_user: Person, room: str, version: str) -> None:
        self.backend = StageBackend(home, room, server_user.mxid)
        super().__init__(server_user, room, Handler(self.backend, version))
        self._said: asyncio.Queue[Json] = asyncio.Queue()
        home.listeners.append(self._heard)

    def _heard(self, room: str, event: Json) -> None:
        if room == self.room:
            self._said.put_nowait({**event})

    async def _read_room(self) -> None:
        while True:
            await self._take([await self._said.get()])

    async def _read_on(self) -> None:
        while not self._said.empty():
            await self._take([self._said.get_nowait()])

    async def _body(self, event: dict[str, Any]) -> str:
        body = event["content"].get("body") if event["type"] == "m.room.message" else ""
        return body if isinstance(body, str) else ""
