"""A Matrix client for tests, the tour and the lab itself; reading a room is `lab.chat`."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import quote

import aiohttp

V3 = "/_matrix/client/v3"


def esc(text: str) -> str:
    return quote(text, safe="")


class Refused(Exception):
    """The server answered with an error."""

    def __init__(self, status: int, code: str, text: str, what: str) -> None:
        super().__init__(f"{what}: {status} {code} {text}")
        self.status, self.code, self.text = status, code, text


class Client:
    """One signed-in account. `password` is known for accounts that the lab made."""

    def __init__(self, http: aiohttp.ClientSession, base: str) -> None:
        self.http, self.base = http, base
        self.mxid = self.token = self.device = self.password = ""

    @property
    def localpart(self) -> str:
        return self.mxid[1:].partition(":")[0]

    @property
    def server(self) -> str:
        return self.mxid.partition(":")[2]

    def signed_in(self, answer: dict[str, Any], password: str) -> Client:
        self.mxid, self.token = answer["user_id"], answer["access_token"]
        self.device, self.password = answer["device_id"], password
        return self

    @classmethod
    async def login(
        cls, http: aiohttp.ClientSession, base: str, user: str, password: str
    ) -> Client:
        self = cls(http, base)
        body = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": user},
            "password": password,
        }
        return self.signed_in(await self.call("POST", f"{V3}/login", body), password)

    async def call(
        self, method: str, path: str, body: object = None, **params: str | int
    ) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        async with self.http.request(
            method, self.base + path, json=body, headers=headers, params=params
        ) as answer:
            data = await answer.json(content_type=None)
            if answer.status not in (200, 201):
                raise Refused(
                    answer.status,
                    data.get("errcode", ""),
                    data.get("error", ""),
                    f"{method} {path}",
                )
            return dict(data)

    # --- rooms ---------------------------------------------------------------------------------

    async def create_room(self, *invited: str, version: str | None = None, **more: Any) -> str:
        body: dict[str, Any] = {"preset": "private_chat", "invite": list(invited), **more}
        if version:
            body["room_version"] = version
        return str((await self.call("POST", f"{V3}/createRoom", body))["room_id"])

    async def join(self, room: str) -> None:
        await self.call("POST", f"{V3}/join/{esc(room)}", {})

    async def leave(self, room: str) -> None:
        await self.call("POST", f"{V3}/rooms/{esc(room)}/leave", {})

    async def invite(self, room: str, user: str) -> None:
        await self.call("POST", f"{V3}/rooms/{esc(room)}/invite", {"user_id": user})

    async def kick(self, room: str, user: str) -> None:
        await self.call("POST", f"{V3}/rooms/{esc(room)}/kick", {"user_id": user})

    async def members(self, room: str) -> set[str]:
        path = f"{V3}/rooms/{esc(room)}/joined_members"
        return set((await self.call("GET", path))["joined"])

    async def joined_rooms(self) -> list[str]:
        return list((await self.call("GET", f"{V3}/joined_rooms"))["joined_rooms"])

    async def invitations(self) -> dict[str, str]:
        """Rooms this account is invited to, with who invited; from a first /sync."""
        seen = await self.call("GET", f"{V3}/sync", timeout=0)
        return {
            room: next(
                event["sender"]
                for event in state["invite_state"]["events"]
                if event.get("state_key") == self.mxid
            )
            for room, state in seen.get("rooms", {}).get("invite", {}).items()
        }

    async def state(self, room: str, kind: str, key: str = "") -> dict[str, Any]:
        return await self.call("GET", f"{V3}/rooms/{esc(room)}/state/{kind}/{esc(key)}")

    async def set_state(self, room: str, kind: str, content: object, key: str = "") -> None:
        await self.call("PUT", f"{V3}/rooms/{esc(room)}/state/{kind}/{esc(key)}", content)

    async def set_power(self, room: str, user: str, power: int) -> None:
        levels = await self.state(room, "m.room.power_levels")
        levels["users"] = {**levels.get("users", {}), user: power}
        await self.set_state(room, "m.room.power_levels", levels)

    async def resolve(self, alias: str) -> str:
        path = f"{V3}/directory/room/{esc(alias)}"
        return str((await self.call("GET", path))["room_id"])

    # --- events --------------------------------------------------------------------------------

    async def send(self, room: str, content: dict[str, Any], kind: str = "m.room.message") -> str:
        path = f"{V3}/rooms/{esc(room)}/send/{kind}/{secrets.token_hex(8)}"
        return str((await self.call("PUT", path, content))["event_id"])

    async def say(self, room: str, text: str, **more: Any) -> str:
        return await self.send(room, {"msgtype": "m.text", "body": text, **more})

    async def reply(self, room: str, to: str, text: str) -> str:
        return await self.say(room, text, **{"m.relates_to": {"m.in_reply_to": {"event_id": to}}})

    async def react(self, room: str, event: str, key: str) -> str:
        relation = {"rel_type": "m.annotation", "event_id": event, "key": key}
        return await self.send(room, {"m.relates_to": relation}, "m.reaction")

    async def edit(self, room: str, event: str, text: str) -> str:
        new = {"msgtype": "m.text", "body": text}
        relation = {"rel_type": "m.replace", "event_id": event}
        return await self.say(
            room, f"* {text}", **{"m.new_content": new, "m.relates_to": relation}
        )

    async def redact(self, room: str, event: str, reason: str = "") -> str:
        path = f"{V3}/rooms/{esc(room)}/redact/{esc(event)}/{secrets.token_hex(8)}"
        return str((await self.call("PUT", path, {"reason": reason}))["event_id"])

    async def event(self, room: str, event: str) -> dict[str, Any]:
        return await self.call("GET", f"{V3}/rooms/{esc(room)}/event/{esc(event)}")

    async def upload(self, data: bytes, name: str, kind: str) -> str:
        async with self.http.post(
            f"{self.base}/_matrix/media/v3/upload",
            params={"filename": name},
            data=data,
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": kind},
        ) as answer:
            return str((await answer.json())["content_uri"])

    async def download_status(self, mxc: str) -> int:
        """The HTTP status of a download: 200, or 404 for what is gone or blocked."""
        path = f"/_matrix/client/v1/media/download/{mxc.removeprefix('mxc://')}"
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self.http.get(self.base + path, headers=headers) as answer:
            return answer.status

    async def profile(self) -> dict[str, Any]:
        return await self.call("GET", f"{V3}/profile/{esc(self.mxid)}")

    # --- the own account -----------------------------------------------------------------------

    async def change_password(self, new: str) -> None:
        await self._with_password(f"{V3}/account/password", {"new_password": new})
        self.password = new

    async def deactivate(self) -> None:
        await self._with_password(f"{V3}/account/deactivate", {})

    async def _with_password(self, path: str, body: dict[str, Any]) -> None:
        """Both servers ask for the password first; Conduit wants the session, Synapse takes it."""
        auth: dict[str, Any] = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": self.mxid},
            "password": self.password,
        }
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self.http.post(self.base + path, json=body, headers=headers) as first:
            auth["session"] = (await first.json()).get("session")
        await self.call("POST", path, {**body, "auth": auth})

    async def report(self, room: str, event: str, reason: str, score: int = -50) -> None:
        path = f"{V3}/rooms/{esc(room)}/report/{esc(event)}"
        await self.call("POST", path, {"reason": reason, "score": score})
