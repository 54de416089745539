"""Sluice under maubot: standalone for most of what the lab and the tests do, and the full server.

Both run from a folder that holds only what `build.sh` packs. Each start writes maubot's config
file anew, because maubot rewrites it.
"""

from __future__ import annotations

import atexit
import compileall
import contextlib
import json
import secrets
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import aiohttp

from . import mbp
from .client import Client
from .nursery import Program
from .process import NotReady, free_port

LOGGING = {
    "version": 1,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"out": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"level": "DEBUG", "handlers": ["out"]},
    "loggers": {"aiosqlite": {"level": "INFO"}},
}
POOL = {"min_size": 1, "max_size": 3}


@cache
def _staged() -> Path:
    """What the package holds, once for all bots of this process: checked and compiled once."""
    folder = Path(tempfile.mkdtemp(prefix="sluice-staged-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    mbp.stage(mbp.ROOT, folder)
    compileall.compile_dir(folder, quiet=2)
    return folder


class Bot:
    """maubot standalone with Sluice, signed in as `account`.

    base: where it finds the homeserver (a fault proxy, perhaps). database: a PostgreSQL URL;
    SQLite in the folder without one. crypto: whether it can read encrypted rooms. env: for hooks.
    plugin: a folder with maubot.yaml of another plugin, for comparisons. beside: keys that stand
    beside policy_file, which is an error.
    """

    def __init__(
        self,
        folder: Path,
        account: Client,
        policy: str,
        *,
        base: str = "",
        database: str = "",
        crypto: bool = False,
        env: Mapping[str, str] | None = None,
        plugin: Path | None = None,
        beside: Mapping[str, object] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.account, self.crypto = folder, account, crypto
        self.beside = dict(beside or {})
        self.base = base or account.base
        self.database = database or f"sqlite:{folder / 'bot.db'}"
        self.policy_file = folder / "policy.yaml"
        self.policy_file.write_text(policy)
        self.is_sluice, self._heard = plugin is None, False
        self.plugin = plugin or _staged()
        self.process = Program(
            [
                *(sys.executable, "-m", "maubot.standalone"),
                *("-c", str(folder / "config.json")),
                *("-b", str(folder / "base.json")),
                *("-m", "maubot.yaml"),
            ],
            folder / "bot.log",
            cwd=self.plugin,
            env={"PYTHONUNBUFFERED": "1", **(env or {})},
        )

    @property
    def mxid(self) -> str:
        return self.account.mxid

    @property
    def log(self) -> str:
        file = self.process.log
        return file.read_text(errors="replace") if file.exists() else ""

    def set_policy(self, text: str) -> None:
        """Saved, not read: `!reload` or a restart does that."""
        self.policy_file.write_text(text)

    async def start(self, *, wait: bool = True) -> None:
        text = json.dumps(self._config())
        (self.folder / "config.json").write_text(text)
        (self.folder / "base.json").write_text(text)
        self.process.forget_log()
        self.process.start()
        if wait:
            await self.process.logs("running forever")
            await self._hears()

    async def _hears(self, within: float = 5) -> None:
        """At its first start a bot reads a room from then on: waits until it does. One without
        a room or without an answering Conduit does not get there."""
        if self.is_sluice and not self._heard:
            with contextlib.suppress(NotReady):
                await self.process.logs("Sluice is ready", within)
        self._heard = True

    async def stop(self) -> int | None:
        """SIGTERM, as a service manager does; the exit status."""
        return await self.process.stop()

    async def kill(self) -> None:
        """kill -9."""
        await self.process.kill()

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Reads the SQLite database of the bot."""
        path = self.database.removeprefix("sqlite:")
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            return database.execute(query).fetchall()

    def _config(self) -> dict[str, Any]:
        return {
            "user": {
                "credentials": {
                    "id": self.account.mxid,
                    "homeserver": self.base,
                    "access_token": self.account.token,
                    "device_id": self.account.device if self.crypto else None,
                },
                "sync": True,
                "appservice": False,
                "hs_token": None,
                "autojoin": False,
                "displayname": "disable",
                "avatar_url": "disable",
                "ignore_initial_sync": True,
                "ignore_first_sync": False,
            },
            "server": {
                "hostname": "127.0.0.1",
                "port": 0,
                "base_path": "/",
                "public_url": "http://127.0.0.1",
            },
            "database": self.database,
            "database_opts": POOL,
            "crypto_db_pickle_key": "lab",
            "plugin_config": {"policy_file": str(self.policy_file), **self.beside},
            "logging": LOGGING,
        }


class FullMaubot:
    """The maubot server with its management API, as people deploy it: upload, instance, edits."""

    API = "/_matrix/maubot/v1"

    def __init__(
        self,
        folder: Path,
        http: aiohttp.ClientSession,
        *,
        env: Mapping[str, str] | None = None,
        database: str = "",
    ) -> None:
        """database: a PostgreSQL URL, for maubot and its plugins; SQLite without one."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.http, self.database = folder, http, database
        self.port, self.password = free_port(), secrets.token_hex(8)
        self.base, self.token = f"http://127.0.0.1:{self.port}", ""
        self.process = Program(
            [sys.executable, "-m", "maubot", "-c", str(folder / "config.json")],
            folder / "maubot.log",
            cwd=folder,
            env={"PYTHONUNBUFFERED": "1", **(env or {})},
        )

    async def start(self) -> None:
        for name in ("plugins", "trash", "databases"):
            (self.folder / name).mkdir(exist_ok=True)
        (self.folder / "config.json").write_text(json.dumps(self._config()))
        self.process.start()
        await self.process.ready(self._is_up)
        login = {"username": "lab", "password": self.password}
        self.token = (await self.call("POST", "/auth/login", login))["token"]

    async def stop(self) -> None:
        await self.process.stop()

    async def kill(self) -> None:
        await self.process.kill()

    async def call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Raises RuntimeError with maubot's words where it refuses."""
        raw = {"data": body} if isinstance(body, bytes) else {"json": body}
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        url = self.base + self.API + path
        async with self.http.request(method, url, headers=headers, **raw) as answer:
            data = await answer.json(content_type=None)
            if answer.status >= 400:
                raise RuntimeError(f"{method} {path}: {answer.status} {data}")
            return dict(data or {})

    async def install(self, package: Path, account: Client, policy: str) -> dict[str, Any]:
        """Uploads the .mbp, signs the bot in and starts an instance with this configuration."""
        await self.upload(package)
        client = {
            "homeserver": account.base,
            "access_token": account.token,
            "device_id": account.device,
            "enabled": True,
            "sync": True,
            "autojoin": False,
        }
        await self.call("PUT", f"/client/{account.mxid}", client)
        instance = {
            "type": "org.sluicebot.sluice",
            "primary_user": account.mxid,
            "enabled": True,
            "config": policy,
        }
        return await self.call("PUT", "/instance/sluice", instance)

    async def upload(self, package: Path) -> None:
        await self.call("POST", "/plugins/upload?allow_override=true", package.read_bytes())

    async def edit(self, policy: str) -> dict[str, Any]:
        """Saves the instance's configuration, as its UI does."""
        return await self.call("PUT", "/instance/sluice", {"config": policy})

    async def instance(self) -> dict[str, Any]:
        return await self.call("GET", "/instance/sluice")

    async def change(self, **fields: bool) -> dict[str, Any]:
        """`started`, `enabled`: the switches of the instance."""
        return await self.call("PUT", "/instance/sluice", fields)

    def threads(self) -> int:
        """Of the whole server; each open SQLite database has one."""
        return len(list(Path(f"/proc/{self.process.pid}/task").iterdir()))

    async def _is_up(self) -> bool:
        try:
            async with self.http.get(f"{self.base}{self.API}/version"):
                return True
        except aiohttp.ClientError:
            return False

    def _config(self) -> dict[str, Any]:
        path = self.folder
        return {
            "database": self.database or f"sqlite:{path / 'maubot.db'}",
            "crypto_database": "default",
            "database_opts": POOL,
            "crypto_db_pickle_key": "lab",
            "plugin_directories": {
                "upload": str(path / "plugins"),
                "load": [str(path / "plugins")],
                "trash": str(path / "trash"),
            },
            "plugin_databases": {
                "sqlite": str(path / "databases"),
                "postgres": "default" if self.database else None,
                "postgres_max_conns_per_plugin": 3,
                "postgres_opts": {},
            },
            "server": {
                "hostname": "127.0.0.1",
                "port": self.port,
                "public_url": self.base,
                "ui_base_path": "/_matrix/maubot",
                "plugin_base_path": "/_matrix/maubot/plugin/",
                "override_resource_path": False,
                "unshared_secret": self.password * 2,
            },
            "homeservers": {},
            "admins": {"root": "", "lab": self.password},
            "api_features": dict.fromkeys(
                (
                    *("login", "plugin", "plugin_upload", "instance", "instance_database"),
                    *("client", "client_proxy", "client_auth", "dev_open", "log"),
                ),
                True,
            ),
            "logging": LOGGING,
        }
