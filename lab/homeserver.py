"""The homeserver of the lab: a real Conduit by path, or Synapse with the double in `#admins`.

Both offer the same: accounts, an admin room with its administrator ana, and an end. What only the
double can do (faults of the handler, other versions) hangs on `double`, None on a real Conduit.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import os
import secrets
import sys
from pathlib import Path
from typing import Any

import aiohttp

from .client import V3, Client, Refused
from .double import texts
from .process import Process, free_port

ROOT = Path(__file__).resolve().parent.parent
SERVER_NAME = "lab.test"
PASSWORD = "only-for-the-lab"


class DoubleControl:
    """The control port of the double (lab/double/__main__.py says what it takes)."""

    def __init__(self, http: aiohttp.ClientSession, base: str) -> None:
        self.http, self.base = http, base

    async def _post(self, path: str, body: object = None) -> dict[str, Any]:
        async with self.http.post(self.base + path, json=body or {}) as answer:
            answer.raise_for_status()
            return dict(await answer.json())

    async def set(self, **knobs: Any) -> None:
        await self._post("/set", knobs)

    async def notice(self, content: texts.Content) -> None:
        await self._post("/notice", content)

    async def reset(self) -> None:
        """No faults, the version it began with, and a living handler."""
        await self._post("/reset")

    async def restart(self) -> list[str]:
        """Loses the queue, as Conduit does; what was lost."""
        return list((await self._post("/restart"))["lost"])

    async def die(self) -> None:
        await self._post("/die")

    async def state(self) -> dict[str, Any]:
        async with self.http.get(f"{self.base}/state") as answer:
            return dict(await answer.json())


class Homeserver:
    """What both servers have. `folder` holds their files; they listen on 127.0.0.1 only."""

    double: DoubleControl | None = None
    version = ""  # of Conduit, or the one the double follows

    def __init__(self, folder: Path, http: aiohttp.ClientSession) -> None:
        self.folder, self.http = folder, http
        self.name, self.port = SERVER_NAME, free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.admin_room = ""
        self.ana: Client = Client(http, self.base)
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def server_user(self) -> str:
        return f"@conduit:{self.name}"

    async def start(self) -> None:
        """Starts it for the first time and lets ana into the admin room."""
        raise NotImplementedError

    async def stop(self) -> None:
        raise NotImplementedError

    async def resume(self) -> None:
        """Starts it again after `stop`."""
        raise NotImplementedError

    async def restart(self) -> None:
        """kill -9 and start again: what waited in the admin room's queue is lost."""
        raise NotImplementedError

    async def opens_at_start(self, on: bool) -> None:
        """What the config file makes of registration when Conduit starts the next time."""
        raise NotImplementedError

    async def account(self, localpart: str, password: str = PASSWORD) -> Client:
        """A new account, signed in; the admin room is not told."""
        raise NotImplementedError

    async def newcomer(self, localpart: str, password: str = PASSWORD) -> Client:
        """Somebody registers by themselves; the server user posts about it."""
        return await _register(self.http, self.base, localpart, password)

    async def login(self, localpart: str, password: str) -> Client:
        return await Client.login(self.http, self.base, localpart, password)

    async def bot(self, localpart: str) -> Client:
        """An account for the bot, in the admin room with power 50, as owners are told to do it."""
        bot = await self.account(localpart)
        await self.ana.invite(self.admin_room, bot.mxid)
        await bot.join(self.admin_room)
        await self.ana.set_power(self.admin_room, bot.mxid, 50)
        return bot

    async def _is_up(self) -> bool:
        try:
            async with self.http.get(f"{self.base}/_matrix/client/versions") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False


async def _register(
    http: aiohttp.ClientSession, base: str, localpart: str, password: str, **more: Any
) -> Client:
    """POST /register with the stage that asks nothing."""
    client, body = Client(http, base), {"username": localpart, "password": password, **more}
    async with http.post(f"{base}{V3}/register", json=body) as first:
        answer = await first.json()
        status = first.status
    if status == 401:
        stage = answer["flows"][0]["stages"][0]
        body["auth"] = {"type": stage, "session": answer.get("session")}
        answer = await client.call("POST", f"{V3}/register", body)
    elif status != 200:
        raise Refused(status, answer.get("errcode", ""), answer.get("error", ""), "register")
    return client.signed_in(answer, password) if "access_token" in answer else client


class Conduit(Homeserver):
    """A real Conduit. The first account that registers becomes its administrator."""

    def __init__(self, folder: Path, http: aiohttp.ClientSession, binary: str) -> None:
        super().__init__(folder, http)
        self.binary = binary
        self.config: dict[str, Any] = {
            "server_name": self.name,
            "database_backend": "sqlite",
            "database_path": str(folder / "db"),
            "address": "127.0.0.1",
            "port": self.port,
            "allow_registration": True,
            "allow_federation": True,  # only so that the version can be asked for
            "allow_check_for_updates": False,
            "trusted_servers": [],
            "max_request_size": 20_000_000,
            "log": "warn",
        }
        config = folder / "conduit.toml"
        self.process = Process(
            [binary], folder / "conduit.log", env={"CONDUIT_CONFIG": str(config)}
        )

    def write_config(self, **changes: Any) -> None:
        """JSON's scalars and lists are TOML too."""
        self.config.update(changes)
        lines = [f"{key} = {json.dumps(value)}\n" for key, value in self.config.items()]
        (self.folder / "conduit.toml").write_text("[global]\n" + "".join(lines))

    async def start(self) -> None:
        (self.folder / "db").mkdir(exist_ok=True)
        self.write_config()
        await self.resume()
        self.ana = await _register(self.http, self.base, "ana", PASSWORD)
        self.admin_room = await self.ana.resolve(f"#admins:{self.name}")
        told = await self.ana.call("GET", "/_matrix/federation/v1/version")
        self.version = told["server"]["version"]

    async def resume(self) -> None:
        self.process.start()
        await self.process.ready(self._is_up)

    async def opens_at_start(self, on: bool) -> None:
        self.write_config(allow_registration=on)

    async def account(self, localpart: str, password: str = PASSWORD) -> Client:
        """Conduit posts nothing about an account that registers without signing in."""
        await _register(self.http, self.base, localpart, password, inhibit_login=True)
        return await self.login(localpart, password)

    async def stop(self) -> None:
        await self.process.stop(grace=2)  # open long polls hold a clean stop up

    async def restart(self) -> None:
        await self.process.kill()
        await self.resume()


class SynapseWithDouble(Homeserver):
    """Synapse from its package; @conduit is an administrator of it and answers in `#admins`."""

    def __init__(
        self,
        folder: Path,
        http: aiohttp.ClientSession,
        *,
        version: str = "0.10.12",
        room_version: str = "12",
    ) -> None:
        super().__init__(folder, http)
        self.version, self.room_version = version, room_version
        self.secret = secrets.token_hex(16)
        self.double_port = free_port()
        self._opens_at_start, self._read_until = True, ["", ""]
        self.double = DoubleControl(http, f"http://127.0.0.1:{self.double_port}")
        self.conduit = Client(http, self.base)
        python = [sys.executable, "-m"]
        config = str(folder / "homeserver.yaml")
        at_root = {"PYTHONPATH": str(ROOT)}
        self.process = Process(
            [*python, "synapse.app.homeserver", "-c", config],
            folder / "synapse.log",
            env=at_root,
        )
        self.double_process = Process(
            [*python, "lab.double", str(folder / "double.json")],
            folder / "double.log",
            env=at_root,
        )

    async def start(self) -> None:
        self._write_config()
        await self._start_synapse()
        self.conduit = await self._shared_secret("conduit", admin=True)
        self.ana = await self._shared_secret("ana", admin=False)
        await self._make_admin_room()
        await self._start_double()

    async def resume(self) -> None:
        await self._start_synapse()
        self.double_process.forget_log()
        await self._start_double()

    async def _start_synapse(self) -> None:
        self.process.start()
        await self.process.ready(self._is_up)

    def _write_config(self) -> None:
        key = base64.b64encode(os.urandom(32)).decode().rstrip("=")
        (self.folder / "signing.key").write_text(f"ed25519 a_lab {key}\n")
        (self.folder / "log.json").write_text(json.dumps(_synapse_log(self.process.log)))
        (self.folder / "homeserver.yaml").write_text(json.dumps(self._synapse_config(), indent=1))

    def _synapse_config(self) -> dict[str, Any]:
        unlimited = {"per_second": 10_000, "burst_count": 10_000}
        module = {"double": self.double.base, "registration": True}  # type: ignore[union-attr]
        return {
            "server_name": self.name,
            "public_baseurl": f"{self.base}/",
            "pid_file": str(self.folder / "synapse.pid"),
            "report_stats": False,
            "signing_key_path": str(self.folder / "signing.key"),
            "macaroon_secret_key": secrets.token_hex(16),
            "form_secret": secrets.token_hex(16),
            "registration_shared_secret": self.secret,
            "enable_registration": True,  # the module says yes or no
            "enable_registration_without_verification": True,
            "media_store_path": str(self.folder / "media"),
            "max_upload_size": "20M",
            "log_config": str(self.folder / "log.json"),
            "database": {
                "name": "sqlite3",
                "args": {"database": str(self.folder / "homeserver.db")},
            },
            "listeners": [
                {
                    "port": self.port,
                    "type": "http",
                    "tls": False,
                    "bind_addresses": ["127.0.0.1"],
                    "resources": [{"names": ["client"], "compress": False}],
                }
            ],
            "trusted_key_servers": [],
            "federation_domain_whitelist": [],
            "allow_public_rooms_over_federation": False,
            "url_preview_enabled": False,
            "presence": {"enabled": False},
            "push": {"enabled": False},
            "send_federation": False,
            "bcrypt_rounds": 4,
            "default_room_version": self.room_version,
            "room_list_publication_rules": [{"action": "allow"}],  # as Conduit does
            # A cached answer to a second first /sync shows old events as new.
            "caches": {"sync_response_cache_duration": "0s"},
            "rc_message": unlimited,
            "rc_registration": unlimited,
            "rc_login": dict.fromkeys(("address", "account", "failed_attempts"), unlimited),
            "rc_admin_redaction": unlimited,
            "rc_joins": dict.fromkeys(("local", "remote"), unlimited),
            "rc_joins_per_room": unlimited,
            "rc_3pid_validation": unlimited,
            "rc_invites": dict.fromkeys(("per_room", "per_user", "per_issuer"), unlimited),
            "rc_reports": unlimited,
            "rc_room_creation": unlimited,
            "rc_media_create": unlimited,
            "modules": [{"module": "lab.synapse_module.LabModule", "config": module}],
            # The double must see what was sent even if it is redacted at once.
            "experimental_features": {"msc2815_enabled": True},
        }

    async def _shared_secret(self, localpart: str, *, admin: bool) -> Client:
        path = "/_synapse/admin/v1/register"
        client = Client(self.http, self.base)
        nonce = (await client.call("GET", path))["nonce"]
        words = (nonce, localpart, PASSWORD, "admin" if admin else "notadmin")
        mac = hmac.new(self.secret.encode(), "\0".join(words).encode(), hashlib.sha1).hexdigest()
        body = {"nonce": nonce, "username": localpart, "password": PASSWORD, "mac": mac}
        return client.signed_in(
            await client.call("POST", path, {**body, "admin": admin}), PASSWORD
        )

    async def _make_admin_room(self) -> None:
        """As Conduit makes it: server user 100, the first account 100, everybody may invite."""
        creator = {} if self.room_version == "12" else {self.conduit.mxid: 100}
        self.admin_room = await self.conduit.create_room(
            self.ana.mxid,
            version=self.room_version,
            room_alias_name="admins",
            name=f"{self.name} Admin Room",
            topic=f"Manage {self.name}",
            power_level_content_override={"users": {**creator, self.ana.mxid: 100}, "invite": 0},
        )
        await self.ana.join(self.admin_room)
        await self.conduit.send(self.admin_room, texts.welcome(self.name))

    async def _start_double(self) -> None:
        config = {
            "base": self.base,
            "token": self.conduit.token,
            "mxid": self.conduit.mxid,
            "room": self.admin_room,
            "version": self.version,
            "port": self.double_port,
            "registration": True,
            "read_until": self._read_until,
        }
        (self.folder / "double.json").write_text(json.dumps(config))
        self.double_process.start()
        await self.double_process.logs("double ready")

    async def opens_at_start(self, on: bool) -> None:
        assert self.double is not None
        self._opens_at_start = on
        await self.double.set(registration_at_start=on)

    async def account(self, localpart: str, password: str = PASSWORD) -> Client:
        body = {"localpart": localpart, "password": password, "displayname": f"{localpart} ⚡️"}
        return Client(self.http, self.base).signed_in(
            await self.conduit.call("POST", "/_lab/account", body), password
        )

    async def stop(self) -> None:
        """What is said as soon as Synapse is back is answered, though the double comes later."""
        assert self.double is not None
        with contextlib.suppress(aiohttp.ClientError):
            await self.double.restart()  # what was sent and not answered is lost
            self._read_until = (await self.double.state())["read_until"]
        await self.double_process.stop(grace=1)
        await self.process.stop(grace=3)

    async def restart(self) -> None:
        assert self.double is not None
        await self.double.set(hold=True)  # nothing more is answered from here on
        await self.double.restart()
        await self.process.kill()
        await self._start_synapse()
        await self.conduit.call("POST", "/_lab/registration", {"on": self._opens_at_start})
        await self.double.set(hold=False)


def _synapse_log(file: Path) -> dict[str, Any]:
    """A file: Synapse turns its own standard error into log lines."""
    handler = {"class": "logging.FileHandler", "formatter": "plain", "filename": str(file)}
    return {
        "version": 1,
        "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
        "handlers": {"out": handler},
        "root": {"level": "WARNING", "handlers": ["out"]},
    }


def homeserver(folder: Path, http: aiohttp.ClientSession, **double: str) -> Homeserver:
    """The Conduit that CONDUIT_BIN names, else Synapse with the double."""
    binary = os.environ.get("CONDUIT_BIN")
    if binary:
        return Conduit(folder, http, binary)
    return SynapseWithDouble(folder, http, **double)
