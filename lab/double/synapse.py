"""Synapse as the server behind the double: its admin API does what Conduit would do itself."""

from __future__ import annotations

import hashlib
from typing import Any

import aiohttp

from ..client import V3, Client, Refused, esc
from .backend import File

ADMIN = "/_synapse/admin"


class SynapseServer:
    """`conduit` is the signed-in server user, an administrator of this Synapse."""

    def __init__(self, conduit: Client, admin_room: str) -> None:
        self.conduit, self.admin_room = conduit, admin_room
        self.server = conduit.server
        self._contents: dict[str, bytes] = {}

    async def _call(self, method: str, path: str, body: object = None, **params: Any) -> Any:
        return await self.conduit.call(method, path, body, **params)

    async def status(self, user: str) -> str | None:
        try:
            found = await self._call("GET", f"{ADMIN}/v2/users/{esc(user)}")
        except Refused as error:
            if error.status == 404:
                return None
            raise
        return "deactivated" if found["deactivated"] else "active"

    async def accounts(self) -> list[str]:
        names, start = [], 0
        while start is not None:
            page = await self._call(
                "GET", f"{ADMIN}/v2/users", guests="false", limit=1000, **{"from": start}
            )
            names += [user["name"] for user in page["users"] if not user["deactivated"]]
            start = page.get("next_token")
        return sorted(name for name in names if name != self.conduit.mxid)

    async def create(self, user: str, password: str) -> None:
        localpart = user[1:].partition(":")[0]
        body = {"password": password, "displayname": f"{localpart} ⚡️", "admin": False}
        await self._call("PUT", f"{ADMIN}/v2/users/{esc(user)}", body)

    async def set_password(self, user: str, password: str) -> None:
        await self._call("POST", "/_lab/password", {"user": user, "password": password})

    async def deactivate(self, user: str, *, leave_rooms: bool) -> None:
        if leave_rooms:
            await self._call("POST", f"{ADMIN}/v1/deactivate/{esc(user)}", {"erase": False})
        else:
            await self._call("POST", "/_lab/deactivate", {"user": user})

    async def admins(self) -> set[str]:
        return await self.conduit.members(self.admin_room)

    async def rooms(self) -> list[tuple[str, int]]:
        rooms, start = [], 0
        while start is not None:
            page = await self._call("GET", f"{ADMIN}/v1/rooms", limit=1000, **{"from": start})
            rooms += [(room["room_id"], room["joined_members"]) for room in page["rooms"]]
            start = page.get("next_batch")
        return rooms

    async def remove_alias(self, alias: str) -> bool:
        try:
            await self._call("DELETE", f"{V3}/directory/room/{esc(alias)}")
        except Refused as error:
            if error.status == 404:
                return False
            raise
        return True

    async def event(self, event_id: str) -> dict[str, Any] | None:
        try:
            return dict(await self._call("GET", f"{ADMIN}/v1/fetch_event/{esc(event_id)}"))[
                "event"
            ]
        except Refused:
            return None

    async def files(self) -> list[File]:
        counts = await self._call("GET", f"{ADMIN}/v1/statistics/users/media", limit=1000)
        files = []
        for user in counts["users"]:
            path = f"{ADMIN}/v1/users/{esc(user['user_id'])}/media"
            for media in (await self._call("GET", path, limit=1000))["media"]:
                files.append(await self._file(user["user_id"], media))
        return files

    async def _file(self, user: str, media: dict[str, Any]) -> File:
        mxc = f"mxc://{self.server}/{media['media_id']}"
        if mxc not in self._contents:
            self._contents[mxc] = await self._download(media["media_id"])
        data = self._contents[mxc]
        return File(
            mxc=mxc,
            uploader=user,
            name=media.get("upload_name") or "",
            kind=media.get("media_type") or "",
            size=media["media_length"],
            created=media["created_ts"] / 1000,
            accessed=(media.get("last_access_ts") or media["created_ts"]) / 1000,
            sha256=hashlib.sha256(data).hexdigest(),
            data=data,
        )

    async def _download(self, media_id: str) -> bytes:
        path = f"/_matrix/client/v1/media/download/{self.server}/{media_id}"
        async with self.conduit.http.get(
            self.conduit.base + path,
            headers={"Authorization": f"Bearer {self.conduit.token}"},
            timeout=aiohttp.ClientTimeout(10),
        ) as answer:
            return await answer.read() if answer.status == 200 else b""

    async def purge(self, mxc: str) -> None:
        await self._of_media("DELETE", f"{ADMIN}/v1/media/{mxc.removeprefix('mxc://')}")

    async def set_blocked(self, mxc: str, blocked: bool) -> None:
        verb = "quarantine" if blocked else "unquarantine"
        await self._of_media("POST", f"{ADMIN}/v1/media/{verb}/{mxc.removeprefix('mxc://')}")

    async def _of_media(self, method: str, path: str) -> None:
        """A file that is not there is no error, as in Conduit."""
        try:
            await self._call(method, path, {} if method == "POST" else None)
        except Refused as error:
            if error.status != 404:
                raise

    async def set_registration(self, enabled: bool) -> None:
        await self._call("POST", "/_lab/registration", {"on": enabled})
