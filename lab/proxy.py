"""A proxy between the bot and the homeserver that plays what real servers and networks do.

Rules are set at run time, from Python (`add`, `clear`) or over HTTP (POST /_lab/faults with a
rule, DELETE to clear). The first rule that matches is applied; one with `times` is used up.

fault          what happens
asleep         /sync keeps what it has until there is more, or its time is over
forgets        /sync drops events for good
twice          /sync shows again what it showed before
limited        429 with retry_after_ms, nothing reached the server
error          `status` with a Matrix error, nothing reached the server
garbage        200 with a text that is no JSON, nothing reached the server
slow           `seconds` later than usual
held           later than usual: once the rule is taken away
cut            the connection breaks before the server acts
lost           the server acts, then the connection breaks
late error     the server acts, then `status` is answered
late garbage   the server acts, then a text that is no JSON is answered
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from dataclasses import dataclass, fields
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}
HOP_BY_HOP |= {"content-encoding", "te", "upgrade", "trailer", "proxy-connection"}
FAULTS = {
    *("asleep", "forgets", "twice", "limited", "error", "garbage"),
    *("slow", "held", "cut", "lost", "late error", "late garbage"),
}
SYNC_FAULTS = {"asleep", "forgets", "twice"}
ACTING = {"slow", "held", "lost", "late error", "late garbage"} | SYNC_FAULTS


@dataclass
class Rule:
    """method and path (an expression searched in the decoded path): which requests; empty: any."""

    fault: str
    path: str = ""
    method: str = ""
    times: int | None = None
    chance: float = 1
    status: int = 500
    seconds: float = 1
    retry_after_ms: int = 200
    hits: int = 0

    def __post_init__(self) -> None:
        assert self.fault in FAULTS, f"no fault {self.fault!r}: one of {sorted(FAULTS)}"
        if self.fault in SYNC_FAULTS:
            self.path = self.path or "/sync$"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class FaultProxy:
    """`base` is what the bot is told; `target` is the homeserver."""

    def __init__(self, target: str, *, seed: int = 0) -> None:
        self.target, self.base = target, ""
        self.rules: list[Rule] = []
        self.random = random.Random(seed)
        self.passed = 0
        self._shown: dict[str, dict[str, Any]] = {}  # by access token: the last rooms of /sync
        self._http: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(120)
        self._http = aiohttp.ClientSession(connector=connector, timeout=timeout)
        app = web.Application(client_max_size=64 * 2**20)
        app.add_routes(
            [
                web.post("/_lab/faults", self._add_over_http),
                web.delete("/_lab/faults", self._clear_over_http),
                web.route("*", "/{path:.*}", self._handle),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.base = f"http://{host}:{port}"

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()
        if self._http:
            await self._http.close()

    def add(self, fault: str, **rule: Any) -> Rule:
        """The new rule comes first; its `hits` count how often it was applied."""
        self.rules.insert(0, Rule(fault, **rule))
        return self.rules[0]

    def clear(self) -> None:
        self.rules.clear()

    async def _add_over_http(self, request: web.Request) -> web.Response:
        rule = await request.json()
        unknown = sorted(set(rule) - {field.name for field in fields(Rule)})
        if unknown or rule.get("fault") not in FAULTS:
            raise web.HTTPBadRequest(text=f"{unknown or rule.get('fault')} is unknown")
        self.add(**rule)
        return web.json_response({})

    async def _clear_over_http(self, _: web.Request) -> web.Response:
        self.clear()
        return web.json_response({})

    # --- one request ---------------------------------------------------------------------------

    def _rule(self, request: web.Request) -> Rule | None:
        for rule in self.rules:
            if (
                rule.times != 0
                and rule.method in ("", request.method)
                and re.search(rule.path, request.path)
                and self.random.random() < rule.chance
            ):
                rule.hits += 1
                if rule.times is not None:
                    rule.times -= 1
                return rule
        return None

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        rule = self._rule(request)
        fault = rule.fault if rule else ""
        if rule is None or fault in ACTING:
            if rule is not None and fault == "slow":
                await asyncio.sleep(rule.seconds)
            if fault == "held":
                await request.read()  # it goes on also when who asked is gone
            while fault == "held" and rule in self.rules:
                await asyncio.sleep(0.01)
            try:
                answer = await self._forward(request, fault)
            except aiohttp.ClientError:  # the homeserver is away
                return _broken(request)
        if fault in ("cut", "lost"):
            return _broken(request)
        if fault in ("garbage", "late garbage"):
            return web.Response(text="<html>502 Bad Gateway", content_type="text/html")
        if rule is not None and fault == "limited":
            return _refused(429, "M_LIMIT_EXCEEDED", retry_after_ms=rule.retry_after_ms)
        if rule is not None and fault in ("error", "late error"):
            return _refused(rule.status, "M_UNKNOWN")
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)

    async def _forward(self, request: web.Request, fault: str) -> Answer:
        self.passed += 1
        body = await request.read()
        if not request.path.endswith("/sync"):
            return await self._call(request, request.raw_path, body)
        return await self._sync(request, fault)

    async def _call(self, request: web.Request, path: str, body: bytes = b"") -> Answer:
        assert self._http is not None
        headers = {k: v for k, v in request.headers.items() if k.lower() not in HOP_BY_HOP}
        headers.pop("Accept-Encoding", None)
        url = URL(self.target + path, encoded=True)
        async with self._http.request(
            request.method, url, headers=headers, data=body, allow_redirects=False
        ) as got:
            kept = {k: v for k, v in got.headers.items() if k.lower() not in HOP_BY_HOP}
            return Answer(got.status, kept, await got.read())

    async def _sync(self, request: web.Request, fault: str) -> Answer:
        """Remembers what was shown last, for `twice`."""
        answer = await self._call(request, request.raw_path)
        if answer.status != 200:
            return answer
        data = json.loads(answer.body)
        if fault in ("asleep", "forgets") and _joined(data):
            kept = data if fault == "asleep" else {}
            again = request.url.update_query(since=data["next_batch"])
            answer = await self._call(request, again.raw_path_qs)
            if answer.status != 200:
                return answer
            data = json.loads(answer.body)
            _merge(data, kept)
        whose = request.headers.get("Authorization", "")
        shown = {"rooms": data.get("rooms", {})}
        if fault == "twice":
            _merge(data, self._shown.get(whose, {}))
        self._shown[whose] = json.loads(json.dumps(shown))
        return Answer(answer.status, answer.headers, json.dumps(data).encode())


def _joined(data: dict[str, Any]) -> dict[str, Any]:
    return dict(data.get("rooms", {}).get("join", {}))


def _merge(data: dict[str, Any], older: dict[str, Any]) -> None:
    """Puts the timelines of an older answer in front of those of this one."""
    for room, state in _joined(older).items():
        rooms = data.setdefault("rooms", {}).setdefault("join", {})
        if room not in rooms:
            rooms[room] = state
            continue
        timeline = rooms[room].setdefault("timeline", {})
        before = state.get("timeline", {}).get("events", [])
        timeline["events"] = before + timeline.get("events", [])


def _broken(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _refused(status: int, code: str, **more: object) -> web.Response:
    return web.json_response(
        {"errcode": code, "error": "a fault of the lab", **more}, status=status
    )
