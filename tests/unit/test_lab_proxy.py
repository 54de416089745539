"""Each fault of the proxy does what it says, and nothing else changes what passes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from lab.proxy import FaultProxy

ROOM = "!r"


class Target:
    """A homeserver that counts requests and has a /sync with one message a call."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self.bodies: list[bytes] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.got.append(f"{request.method} {request.raw_path}")
        self.bodies.append(await request.read())
        if not request.path.endswith("/sync"):
            return web.json_response({"ok": True}, headers={"X-Kept": "yes"})
        number = int(request.query.get("since", "0")) + 1
        timeline = {"events": [{"event_id": f"${number}"}]}
        return web.json_response(
            {"next_batch": str(number), "rooms": {"join": {ROOM: {"timeline": timeline}}}}
        )


@pytest.fixture
async def target() -> AsyncIterator[tuple[Target, FaultProxy]]:
    target = Target()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", target.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    proxy = FaultProxy(f"http://127.0.0.1:{runner.addresses[0][1]}")
    await proxy.start()
    yield target, proxy
    await proxy.stop()
    await runner.cleanup()


Pair = tuple[Target, FaultProxy]
SEND = "/_matrix/client/v3/rooms/%21r/send/m.room.message/1?a=%2F"
SYNC = "/_matrix/client/v3/sync"


async def call(proxy: FaultProxy, path: str = SEND) -> tuple[int, Any, Any]:
    async with (
        aiohttp.ClientSession() as http,
        # not PUT: aiohttp repeats that by itself when a connection breaks
        http.post(URL(proxy.base + path, encoded=True), data=b"body") as answer,
    ):
        return answer.status, await answer.text(), answer.headers


async def sync(proxy: FaultProxy, since: str = "0") -> list[str]:
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{proxy.base}{SYNC}", params={"since": since}) as answer,
    ):
        rooms = (await answer.json())["rooms"].get("join", {})
        return [event["event_id"] for event in rooms.get(ROOM, {}).get("timeline", {})["events"]]


async def test_without_rules_everything_passes_unchanged(target: Pair) -> None:
    server, proxy = target
    status, text, headers = await call(proxy)
    assert (status, json.loads(text), headers["X-Kept"]) == (200, {"ok": True}, "yes")
    assert (server.got, server.bodies) == ([f"POST {SEND}"], [b"body"])


@pytest.mark.parametrize(
    ("fault", "acts", "status"),
    [
        ("limited", False, 429),
        ("error", False, 500),
        ("garbage", False, 200),
        ("late error", True, 500),
        ("late garbage", True, 200),
        ("cut", False, None),
        ("lost", True, None),
    ],
)
async def test_a_fault_acts_or_not_and_answers_so(
    target: Pair, fault: str, acts: bool, status: int | None
) -> None:
    server, proxy = target
    rule = proxy.add(fault, path="/send/", times=1)
    if status is None:
        with pytest.raises(aiohttp.ClientError):
            await call(proxy)
    else:
        assert (await call(proxy))[0] == status
    assert bool(server.got) == acts
    assert rule.hits == 1
    assert (await call(proxy))[0] == 200, "the rule is used up"


async def test_too_many_requests_come_with_a_time_to_wait(target: Pair) -> None:
    _, proxy = target
    proxy.add("limited", retry_after_ms=1234)
    assert json.loads((await call(proxy))[1])["retry_after_ms"] == 1234


async def test_a_rule_is_for_its_path_only(target: Pair) -> None:
    _, proxy = target
    proxy.add("error", path="/send/", status=502)
    assert (await call(proxy))[0] == 502
    assert (await call(proxy, "/other"))[0] == 200
    proxy.clear()
    assert (await call(proxy))[0] == 200


async def test_a_sync_that_sleeps_shows_its_events_with_the_next(target: Pair) -> None:
    _, proxy = target
    proxy.add("asleep", times=1)
    assert await sync(proxy) == ["$1", "$2"]
    assert await sync(proxy, "2") == ["$3"]


async def test_a_sync_that_forgets_never_shows_them(target: Pair) -> None:
    _, proxy = target
    proxy.add("forgets", times=1)
    assert await sync(proxy) == ["$2"]


async def test_a_sync_can_show_events_twice(target: Pair) -> None:
    _, proxy = target
    assert await sync(proxy) == ["$1"]
    proxy.add("twice", times=1)
    assert await sync(proxy, "1") == ["$1", "$2"]
    assert await sync(proxy, "2") == ["$3"]


async def test_rules_can_be_set_over_http(target: Pair) -> None:
    _, proxy = target
    async with aiohttp.ClientSession() as http:
        url = f"{proxy.base}/_lab/faults"
        async with http.post(url, json={"fault": "error", "status": 503}) as answer:
            assert answer.status == 200
        assert (await call(proxy))[0] == 503
        async with http.post(url, json={"fault": "earthquake"}) as answer:
            assert answer.status == 400
        async with http.delete(url) as answer:
            assert answer.status == 200
    assert (await call(proxy))[0] == 200


async def test_a_homeserver_that_is_away_looks_like_a_broken_connection(target: Pair) -> None:
    _, proxy = target
    proxy.target = "http://127.0.0.1:9"
    with pytest.raises(aiohttp.ClientError):
        await call(proxy)
