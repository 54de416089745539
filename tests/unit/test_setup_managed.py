"""`setup` with a maubot server: its calls, and that it can be killed between any two of them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from sluice.proof import KIND
from sluice.setup.managed import PLUGIN, Managed, Management
from sluice.setup.talk import BadAnswer, Stopped
from tests.unit.setting_up import (
    BOT,
    NAME,
    PACKAGE,
    PASSWORD,
    Home,
    Killer,
    home,
    set_up,
)

__all__ = ["home"]  # a fixture
API = "/_matrix/maubot/v1"


class Maubot:
    """The part of maubot's management API that setup uses, as 0.6.0 answers."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.plugin: dict[str, Any] | None = None
        self.clients: dict[str, dict[str, Any]] = {}
        self.instances: dict[str, dict[str, Any]] = {}
        self.uploads = self.starts = 0
        self.refuses = ""

    async def start(self) -> None:
        app = web.Application(client_max_size=1 << 24)
        app.router.add_route("*", "/{tail:.*}", self._serve)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.base = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.Response:
        path = request.path.removeprefix(API)
        if self.home.before is not None:
            self.home.before(f"{request.method} {path}")
        raw = await request.read()
        status, body = self._answer(request, path.strip("/").split("/"), raw)
        return web.json_response(body, status=status)

    def _answer(self, request: web.Request, path: list[str], raw: bytes) -> tuple[int, Any]:
        if path == ["auth", "login"]:
            right = json.loads(raw) == {"username": "admin", "password": "maubot"}
            return (200, {"token": "t"}) if right else (401, {"error": "Invalid credentials"})
        if request.headers.get("Authorization") != "Bearer t":
            return 401, {"error": "Invalid token"}
        if path == ["instances"]:
            return 200, list(self.instances.values())
        if path[0] == "plugin":
            return self._plugin(request.method)
        found = self.clients if path[0] == "client" else self.instances
        if request.method == "GET":
            there = path[1] in found
            return (200, found[path[1]]) if there else (404, {"error": "not found"})
        change = json.loads(raw)
        if path[0] == "client":
            return self._client(path[1], change)
        return self._instance(path[1], change)

    def _plugin(self, method: str) -> tuple[int, Any]:
        if method == "GET":
            return (200, self.plugin) if self.plugin else (404, {"error": "Plugin not found"})
        if self.refuses:
            return 400, {"error": self.refuses}
        self.uploads += 1
        self.plugin = {"id": PLUGIN, "version": PACKAGE.version}
        return 201, self.plugin

    def _client(self, mxid: str, change: dict[str, Any]) -> tuple[int, Any]:
        """`started` counts only for what was enabled before, as in maubot."""
        known = self.clients.get(mxid, {"started": True, "fingerprint": "abc"})
        if "access_token" in change:
            session = self.home.sessions.get(change["access_token"], ("", ""))
            if session != (mxid, change["device_id"]):
                return 400, {"error": "Invalid access token"}
        if "started" in change and not known["enabled"]:
            change = {}
        self.clients[mxid] = {**known, **change}
        return 200, self.clients[mxid]

    def _instance(self, name: str, change: dict[str, Any]) -> tuple[int, Any]:
        new = name not in self.instances
        blank = {"id": name, "started": False, "config": ""}
        instance = self.instances.setdefault(name, blank)
        instance.update(change)
        if new or change.get("started"):
            instance["started"] = True
            self.starts += 1
            data = self.home.accounts[BOT].data.get(KIND, {})
            data.setdefault("answer", {"registration": "off", "conduit": "0.10.12"})
        return 200, instance


@pytest.fixture
async def maubot(home: Home) -> AsyncIterator[Maubot]:
    maubot = Maubot(home)
    await maubot.start()
    yield maubot
    await maubot.stop()


async def once(maubot: Maubot, folder: Path, **answers: str | None) -> tuple[int, str]:
    async def at(session: aiohttp.ClientSession, bot: str) -> Managed:
        api = Management(session, maubot.base)
        await api.login("admin", "maubot")
        return Managed(api, PACKAGE, bot, "http://conduit:6167", "sluice")

    code, owner = await set_up(maubot.home, folder, at=at, **answers)
    return code, owner.text


def works_there(maubot: Maubot, folder: Path) -> None:
    home, [client], [instance] = maubot.home, maubot.clients.values(), maubot.instances.values()
    sessions = [token for token, (mxid, _) in home.sessions.items() if mxid == BOT]
    assert sessions == [client["access_token"]]
    assert client["homeserver"] == "http://conduit:6167"
    assert (client["autojoin"], client["displayname"]) == (False, "disable")
    assert (instance["type"], instance["primary_user"]) == (PLUGIN, BOT)
    assert instance["started"] is True
    [room] = home.made
    assert f'ops_rooms: ["{room}"]' in instance["config"]
    assert sorted(home.invitations(room)) == [f"@{n}:{NAME}" for n in ("ana", "bo", "cy", "dan")]
    assert home.invitations(home.admin_room) == [BOT]
    assert maubot.uploads == 1
    kept = (folder / "setup.json").read_text()
    assert sessions[0] not in kept
    assert PASSWORD not in kept


async def test_it_ends_in_an_instance_that_works(maubot: Maubot, tmp_path: Path) -> None:
    code, said = await once(maubot, tmp_path)
    assert code == 0
    works_there(maubot, tmp_path)
    assert "answered through the admin room: registration is off" in said
    assert maubot.starts == 1


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
async def test_killed_at_every_step_a_second_run_ends_in_an_instance_that_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Home, done: bool
) -> None:
    for at in range(200):
        again = Home()
        await again.start()
        maubot, folder = Maubot(again), tmp_path / str(at)
        await maubot.start()
        killer = Killer(again, monkeypatch)
        killer.aim(at, done)
        ended = await killer.run(once(maubot, folder))
        if not ended:
            killer.aim(-1, False)
            assert await killer.run(once(maubot, folder)), at
            assert killer.task is not None
            assert killer.task.result()[0] == 0, (at, killer.task.result())
            works_there(maubot, folder)
        await maubot.stop()
        await again.stop()
        if ended:
            break
    assert 20 < at < 199


async def test_a_new_version_is_uploaded_beside_a_running_one(
    maubot: Maubot, tmp_path: Path
) -> None:
    await once(maubot, tmp_path)
    code, said = await once(maubot, tmp_path)
    assert (code, maubot.uploads) == (0, 1)
    assert "Sluice is running in maubot at" in said
    assert maubot.plugin is not None
    maubot.plugin["version"] = "0.0.1"
    code, said = await once(maubot, tmp_path)
    assert (code, maubot.uploads) == (0, 2)
    assert f"✓ Sluice {PACKAGE.version} is uploaded" in said
    assert maubot.starts == 1, "maubot restarts it by itself"


async def test_a_dead_token_is_replaced_and_the_instance_restarted(
    maubot: Maubot, tmp_path: Path
) -> None:
    await once(maubot, tmp_path)
    client = maubot.clients[BOT]
    client.update(enabled=False, started=False)  # what maubot does at its start with a dead token
    device, home = client["device_id"], maubot.home
    home.sessions = {t: s for t, s in home.sessions.items() if s[0] != BOT}
    code, said = await once(maubot, tmp_path)
    assert code == 0
    works_there(maubot, tmp_path)
    client = maubot.clients[BOT]
    assert (client["device_id"], client["enabled"], client["started"]) == (device, True, True)
    assert "the instance was restarted with it" in said
    assert maubot.starts == 2


async def test_what_maubot_refuses_is_told_with_what_may_help(
    maubot: Maubot, tmp_path: Path
) -> None:
    maubot.refuses = "Main module sluice_plugin not found in file"
    with pytest.raises(Stopped, match="Then restart maubot and run this again"):
        await once(maubot, tmp_path)
    maubot.refuses = ""
    assert (await once(maubot, tmp_path))[0] == 0
    works_there(maubot, tmp_path)
    async with aiohttp.ClientSession() as session:
        with pytest.raises(BadAnswer, match="does not take that name and password"):
            await Management(session, maubot.base).login("admin", "wrong")
        await maubot.stop()
        with pytest.raises(Stopped, match="No maubot answers at"):
            await Management(session, maubot.base).login("admin", "maubot")
