"""The homeserver in memory, without sockets: its clients call it, its clock is the loop's.

`People` are the lab's clients and `mautrix()` is what maubot would hand to the plugin; both end in
`FakeHomeserver`, which is held to real servers by tests/e2e/test_matrix_layer.py.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from email.utils import formatdate
from types import SimpleNamespace
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

from lab.client import Client, Refused
from tests.fake.homeserver import FakeHomeserver, Json

BASE = URL("http://fake.test")
Listener = Callable[[str, Json], None]


class _Request:
    """What FakeHomeserver asks of aiohttp's Request. cut: whether the connection was aborted."""

    def __init__(self, method: str, url: URL, data: bytes, headers: Mapping[str, str]) -> None:
        self.method, self.raw_path, self.query = method, url.raw_path_qs, url.query
        self.headers, self._data, self.cut = headers, data, False
        self.transport = SimpleNamespace(abort=self._abort)

    def _abort(self) -> None:
        self.cut = True

    async def read(self) -> bytes:
        return self._data


class _Reply:
    def __init__(self, response: web.Response, now: float) -> None:
        body = response.body
        self.status, self._body = response.status, body if isinstance(body, bytes) else b""
        self.headers = {"Date": formatdate(now, usegmt=True)}

    async def read(self) -> bytes:
        return self._body


class StageServer(FakeHomeserver):
    """listeners: told (room, event) of whatever is put into a room. ahead: its clock, seconds."""

    def __init__(self, name: str) -> None:
        super().__init__("conduit", name)
        self.listeners: list[Listener] = []
        self.ahead = 0.0
        self.first: dict[str, Json] = {}  # every event as it was sent

    def put(
        self, room: str, sender: str, kind: str, content: Json, key: str | None = None, **top: Any
    ) -> str:
        top.setdefault("origin_server_ts", int((time.time() + self.ahead) * 1000))
        event_id = super().put(room, sender, kind, content, key, **top)
        event = self.rooms[room].events[-1][1]
        self.first[event_id] = json.loads(json.dumps(event))
        for listener in self.listeners:
            listener(room, event)
        return event_id

    async def call(
        self, method: str, url: URL, data: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> _Reply:
        request = _Request(str(method), url, data, headers or {})
        response = await self._serve(request)  # type: ignore[arg-type]
        if request.cut:
            raise aiohttp.ServerDisconnectedError
        assert isinstance(response, web.Response)
        return _Reply(response, time.time() + self.ahead)

    def person(self, name: str, password: str = "secret") -> Person:
        mxid, token = self.register(name)
        self.accounts[mxid].password = password
        return Person(self, mxid, token, password)

    def mautrix(self, name: str) -> Any:
        """mautrix' client as far as the plugin uses it: no crypto, a session and a token."""
        mxid, token = self.register(name)
        session = SimpleNamespace(request=self._request)
        return SimpleNamespace(
            mxid=mxid,
            crypto=None,
            crypto_log=SimpleNamespace(addFilter=lambda _: None),
            api=SimpleNamespace(token=token, base_url=BASE, session=session),
        )

    @asynccontextmanager
    async def _request(
        self, method: str, url: URL, *, data: Any, headers: Json, **_: Any
    ) -> AsyncIterator[_Reply]:
        yield await self.call(method, url, data or b"", headers)


class Person(Client):
    """A client of the lab on this server."""

    def __init__(self, server: StageServer, mxid: str, token: str, password: str) -> None:
        super().__init__(None, str(BASE).rstrip("/"))  # type: ignore[arg-type]
        self.home, self.mxid, self.token, self.password = server, mxid, token, password
        self.device = "DEVICE"

    async def call(
        self, method: str, path: str, body: object = None, **params: str | int
    ) -> dict[str, Any]:
        url = URL(str(BASE).rstrip("/") + path, encoded=True)
        if params:
            url = url.update_query({key: str(value) for key, value in params.items()})
        data = b"" if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.token}"}
        reply = await self.home.call(method, url, data, headers)
        answer = json.loads(await reply.read())
        if reply.status not in (200, 201):
            code, text = answer.get("errcode", ""), answer.get("error", "")
            raise Refused(reply.status, code, text, f"{method} {path}")
        return dict(answer)
