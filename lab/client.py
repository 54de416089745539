"""A Matrix client for tests, the tour and the lab itself. It reads the timeline and never /sync.

Conduit's /sync shows events twice and sometimes does not wake; a test that waited for it would
measure that. A `Chat` pages forward with /messages from where it began and keeps what it saw.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Said:
    """One event of a room, with what tests ask about it."""

    raw: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.raw["event_id"])

    @property
    def sender(self) -> str:
        return str(self.raw["sender"])

    @property
    def kind(self) -> str:
        return str(self.raw["type"])

    @property
    def content(self) -> dict[str, Any]:
        return dict(self.raw.get("content") or {})

    @property
    def shown(self) -> dict[str, Any]:
        """The content that people see: of an edit, the new one."""
        return dict(self.content.get("m.new_content") or self.content)

    @property
    def text(self) -> str:
        return str(self.shown.get("body", ""))

    @property
    def html(self) -> str:
        return str(self.shown.get("formatted_body", ""))

    @property
    def relation(self) -> dict[str, Any]:
        return dict(self.content.get("m.relates_to") or {})

    @property
    def edits(self) -> str:
        """The event that this one replaces, or an empty string."""
        is_edit = self.relation.get("rel_type") == "m.replace"
        return str(self.relation["event_id"]) if is_edit else ""

    @property
    def reply_to(self) -> str:
        return str(self.relation.get("m.in_reply_to", {}).get("event_id", ""))

    @property
    def reaction(self) -> tuple[str, str]:
        """(event, key) of a reaction, else two empty strings."""
        if self.kind != "m.reaction" or not self.relation:
            return "", ""
        return str(self.relation["event_id"]), str(self.relation["key"])

    @property
    def mentions(self) -> set[str]:
        return set(self.content.get("m.mentions", {}).get("user_ids", ()))


Match = Callable[[Said], bool]


class Chat:
    """A room as one client sees it from `open` on: everything said, in order, once."""

    def __init__(self, client: Client, room: str, token: str, known: set[str]) -> None:
        self.client, self.room, self._token, self._known = client, room, token, known
        self.said: list[Said] = []

    @classmethod
    async def open(cls, client: Client, room: str) -> Chat:
        """From now on. Synapse's token lies before the newest event, so its id is remembered."""
        page = await client.call("GET", f"{V3}/rooms/{esc(room)}/messages", dir="b", limit=1)
        known = {event["event_id"] for event in page["chunk"]}
        return cls(client, room, page["end"], known)

    @classmethod
    async def from_the_start(cls, client: Client, room: str) -> Chat:
        """Everything this client may see, read backwards once."""
        self = cls(client, room, "", set())
        token: dict[str, str] = {}
        events: list[dict[str, Any]] = []
        while True:
            page = await client.call(
                "GET", f"{V3}/rooms/{esc(room)}/messages", dir="b", limit=100, **token
            )
            events += page["chunk"]
            self._token = self._token or page["start"]
            if not page.get("end") or not page["chunk"]:
                break
            token = {"from": page["end"]}
        for event in reversed(events):
            self._keep(event)
        newest = await cls.open(client, room)
        self._token = newest._token
        return self

    def _keep(self, event: dict[str, Any]) -> None:
        if event["event_id"] not in self._known:
            self._known.add(event["event_id"])
            self.said.append(Said(event))

    async def read(self) -> None:
        """Reads on to the newest event."""
        while True:
            page = await self.client.call(
                "GET",
                f"{V3}/rooms/{esc(self.room)}/messages",
                **{"dir": "f", "limit": 100, "from": self._token},
            )
            for event in page["chunk"]:
                self._keep(event)
            self._token = page.get("end") or self._token
            if not page["chunk"] or not page.get("end"):
                return

    async def wait(
        self, match: Match, what: str = "a message", *, after: str = "", within: float = 10
    ) -> Said:
        """The first event that matches, optionally behind a given event; fails with the room."""
        until, pause = time.monotonic() + within, 0.02
        while True:
            await self.read()
            for said in self._behind(after):
                if match(said):
                    return said
            if time.monotonic() > until:
                raise AssertionError(
                    f"{what} did not come within {within:g} s:\n{self.transcript()}"
                )
            await asyncio.sleep(pause)
            pause = min(pause * 1.3, 0.25)

    async def never(self, match: Match, what: str, *, seconds: float = 2) -> None:
        """Fails if a matching event comes within these seconds, or stands there already."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            await self.read()
            for said in self.said:
                assert not match(said), f"{what} came:\n{self.transcript()}"
            await asyncio.sleep(0.1)

    def _behind(self, event: str) -> list[Said]:
        if not event:
            return self.said
        places = [at for at, said in enumerate(self.said) if said.id == event]
        return self.said[places[0] + 1 :] if places else []

    # --- a person at a phone ---------------------------------------------------------------------

    async def say(self, text: str, **more: Any) -> str:
        return await self.client.say(self.room, text, **more)

    async def answer_to(self, event: str, within: float = 10) -> Said:
        """The message that replies to this event."""
        return await self.wait(
            lambda said: said.reply_to == event and not said.edits,
            f"an answer to {event}",
            within=within,
        )

    async def ask(self, text: str, within: float = 10, **more: Any) -> Said:
        """Says something and returns the reply to it."""
        return await self.answer_to(await self.say(text, **more), within)

    async def shows(self, pattern: str, *, by: str = "", within: float = 10) -> Said:
        """A message (or the new text of an edit) in which this expression is found."""
        return await self.wait(
            lambda said: bool(re.search(pattern, said.text)) and by in ("", said.sender),
            f"“{pattern}”",
            within=within,
        )

    def transcript(self) -> str:
        return "\n".join(_line(said) for said in self.said) or "(nothing was said)"


def _line(said: Said) -> str:
    name = said.sender[1:].partition(":")[0]
    if said.kind == "m.reaction":
        return f"{name}: [reacts {said.reaction[1]}]"
    if said.kind != "m.room.message":
        return f"{name}: ({said.kind} {said.raw.get('state_key', '')})"
    mark = " (edited)" if said.edits else ""
    text = said.text if said.content else "(removed)"
    return f"{name}:{mark} " + text.replace("\n", " ⏎ ")


async def eventually(check: Callable[[], Awaitable[bool]], what: str, within: float = 10) -> None:
    """Polls until the check holds."""
    until = time.monotonic() + within
    while not await check():
        assert time.monotonic() < until, f"not within {within:g} s: {what}"
        await asyncio.sleep(0.05)
