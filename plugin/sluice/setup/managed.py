"""Sluice as an instance of a maubot server, over its management API."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from ..model.event import Json
from .package import Package
from .server import LOST, BotAccount
from .talk import BadAnswer, Stopped

PLUGIN = "org.sluicebot.sluice"
_API = "/_matrix/maubot/v1"


class Declined(Exception):
    """An error answer of maubot."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status} {text}")
        self.status = status


class Management:
    """The API; `login` first."""

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self._session, self.base = session, base.rstrip("/").removesuffix("/_matrix/maubot")
        self._token = ""

    async def login(self, user: str, password: str) -> None:
        """Raises BadAnswer."""
        try:
            told = await self.call("POST", "/auth/login", {"username": user, "password": password})
        except Declined as no:
            raise BadAnswer(f"maubot does not take that name and password ({no})") from None
        self._token = str(told["token"])

    async def call(self, method: str, path: str, body: object = None) -> Json:
        """Raises Declined, or Stopped if there is no maubot. body: bytes are sent as they are."""
        told = await self._call(method, path, body)
        return told if isinstance(told, dict) else {}

    async def listed(self, path: str) -> list[Json]:
        told = await self._call("GET", path, None)
        return [each for each in told if isinstance(each, dict)] if isinstance(told, list) else []

    async def _call(self, method: str, path: str, body: object) -> object:
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        try:
            async with self._session.request(
                method, f"{self.base}{_API}{path}", data=data, headers=headers
            ) as reply:
                raw = await reply.read()
                told = json.loads(raw) if raw else {}
        except LOST as error:
            raise Stopped(f"No maubot answers at {self.base} ({type(error).__name__}).") from error
        if reply.status >= 400:
            said = told.get("error", "") if isinstance(told, dict) else ""
            raise Declined(reply.status, str(said))
        return told

    async def found(self, path: str) -> Json | None:
        try:
            return await self.call("GET", path)
        except Declined as no:
            if no.status == 404:
                return None
            raise


class Managed:
    """One client with one instance. homeserver: its address as maubot reaches it, "" for the same
    as ours. instance: how it is called, if there is none yet."""

    def __init__(
        self, api: Management, package: Package, mxid: str, homeserver: str, instance: str
    ) -> None:
        self._api, self._package = api, package
        self._mxid, self._homeserver, self._instance = mxid, homeserver, instance
        self._policy = ""
        self.where = f"in maubot at {api.base}"

    async def account(self) -> BotAccount | None:
        told = await self._api.found(f"/client/{self._mxid}")
        if told is None or not told.get("access_token"):
            return None
        words = (str(told.get(key) or "") for key in ("homeserver", "device_id", "access_token"))
        return BotAccount(self._mxid, *words)

    async def _found(self) -> Json | None:
        """The instance of this account, whatever it is called."""
        every = await self._api.listed("/instances")
        of_us = (each for each in every if each["type"] == PLUGIN)
        return next((each for each in of_us if each["primary_user"] == self._mxid), None)

    async def running(self) -> bool:
        found = await self._found()
        return found is not None and bool(found["started"])

    async def policy(self) -> str | None:
        found = await self._found()
        return str(found["config"]) if found is not None and found["config"] else None

    async def install(self, account: BotAccount, policy: str) -> None:
        """The package, and the client."""
        self._policy = policy
        await self._upload()
        await self._client(account)

    async def can_encrypt(self, account: BotAccount) -> bool:
        """Whether this maubot has the parts for it: only a client shows that."""
        return bool((await self._client(account)).get("fingerprint"))

    async def _client(self, account: BotAccount) -> Json:
        """No autojoin, and no name or picture of maubot's. It disables a client whose token was
        dead at its start, and starts only what is enabled already."""
        path = f"/client/{self._mxid}"
        client = {
            "homeserver": self._homeserver or account.homeserver,
            "access_token": account.token,
            "device_id": account.device,
            "enabled": True,
            "sync": True,
            "autojoin": False,
            "displayname": "disable",
            "avatar_url": "disable",
        }
        told = await self._api.call("PUT", path, client)
        return (
            told if told.get("started") else await self._api.call("PUT", path, {"started": True})
        )

    async def _upload(self) -> str:
        """A new version over an old one; "" if it is there already."""
        there = await self._api.found(f"/plugin/{PLUGIN}")
        if there is not None and there.get("version") == self._package.version:
            return ""
        try:
            await self._api.call("PUT", f"/plugin/{PLUGIN}", self._package.content())
        except Declined as no:
            raise Stopped(
                f"maubot refuses the package: {no}. Does it say “not found”? Then restart maubot "
                "and run this again: it remembers an earlier, broken upload."
            ) from no
        return self._package.version

    @asynccontextmanager
    async def started(self) -> AsyncIterator[None]:
        """It goes on running: that is how maubot keeps it."""
        found = await self._found()
        path = f"/instance/{found['id'] if found else self._instance}"
        if found is None:
            new = {"type": PLUGIN, "primary_user": self._mxid, "enabled": True}
            await self._api.call("PUT", path, {**new, "config": self._policy})
        else:
            text = {} if found["config"] else {"config": self._policy}
            await self._api.call("PUT", path, {"enabled": True, **text})
            await self._api.call("PUT", path, {"started": True})
        yield

    async def update(self, account: BotAccount | None) -> str:
        """Beside a running Sluice: the package if it is another version, and a new token."""
        uploaded = await self._upload()
        if account is None:
            return f"Sluice {uploaded} is uploaded in place of another version" if uploaded else ""
        await self._client(account)
        found = await self._found()
        if found is not None:  # a running instance keeps the old token
            for change in ({"started": False}, {"enabled": True}, {"started": True}):
                await self._api.call("PUT", f"/instance/{found['id']}", change)
        return "The new token is in maubot, and the instance was restarted with it"

    def why_silent(self) -> str:
        return "maubot's log says why: in its UI under “View logs”, or `docker logs`."

    def afterwards(self) -> str:
        return f"It runs in maubot at {self._api.base}, also after a restart of it."
