"""Sluice alone in maubot's standalone form: one folder holds its configuration, the policy, the
database and the unpacked package."""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import importlib.resources
import importlib.util
import io
import os
import secrets
import shlex
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from .files import SECRET, write
from .package import Package
from .server import BotAccount
from .talk import Stopped

_EXAMPLE = "example-config.yaml"
_END = 10.0  # seconds
Config = dict[str, Any]
_PRCTL, _PR_SET_PDEATHSIG = getattr(ctypes.CDLL(None), "prctl", None), 1


class Standalone:
    def __init__(self, folder: Path, package: Package) -> None:
        self.folder, self._package = folder, package
        self.config = folder / "config.yaml"
        self.policy_file = folder / "sluice.yaml"
        self.log = folder / "first-start.log"
        self.where = f"in {folder}"

    async def can_encrypt(self, account: BotAccount) -> bool:
        return importlib.util.find_spec("olm") is not None

    async def account(self) -> BotAccount | None:
        """Whose token the configuration holds."""
        if not self.config.exists():
            return None
        told = (self.read().get("user") or {}).get("credentials") or {}
        keys = ("id", "homeserver", "device_id", "access_token")
        account = BotAccount(*(str(told.get(key) or "") for key in keys))
        return account if account.token else None

    def read(self) -> Config:
        """The configuration. Raises Stopped."""
        try:
            found = YAML().load(self.config.read_text(encoding="utf-8"))
        except (OSError, ValueError, YAMLError) as error:
            raise Stopped(f"{self.config} cannot be read: {error}") from error
        if not isinstance(found, dict):
            raise Stopped(f"{self.config} is empty: remove it and run setup again.")
        return found

    @property
    def database(self) -> Path | None:
        """The file, whatever link leads to it, if it is SQLite."""
        url = str(self.read().get("database") or "") if self.config.exists() else ""
        scheme, _, path = url.partition(":")
        is_file = scheme == "sqlite" and path.startswith("/")
        return Path(os.path.realpath("/" + path.lstrip("/"))) if is_file else None

    async def running(self) -> bool:
        """Whether a Sluice holds the database: by the lock that `db.holder` takes."""
        file = self.database
        return file is not None and _is_held(Path(f"{file}.lock"))

    async def policy(self) -> str | None:
        try:
            return self.policy_file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise Stopped(f"{self.policy_file} cannot be read: {error}") from error

    async def install(self, account: BotAccount, policy: str) -> None:
        """The policy, if there is none, and the configuration."""
        if not self.policy_file.exists():
            write(self.policy_file, policy)
        self._configure(account)

    def _configure(self, account: BotAccount) -> None:
        """A new configuration is maubot's own example, filled in."""
        new = not self.config.exists()
        config = self._example() if new else self.read()
        credentials = config["user"]["credentials"]
        credentials["id"], credentials["homeserver"] = account.mxid, account.homeserver
        credentials["access_token"], credentials["device_id"] = account.token, account.device
        if new:
            self._fill(config)
        out = io.StringIO()
        YAML().dump(config, out)
        write(self.config, out.getvalue(), SECRET)

    def _example(self) -> Config:
        text = (importlib.resources.files("maubot.standalone") / _EXAMPLE).read_text("utf-8")
        found: Config = YAML().load(text)
        return found

    def _fill(self, config: Config) -> None:
        user = config["user"]
        user["autojoin"] = False
        user["displayname"] = user["avatar_url"] = "disable"
        user["ignore_first_sync"] = False  # else keys that came while it was down are lost
        config["database"] = f"sqlite://{self.folder.absolute()}/sluice.db"
        config["crypto_db_pickle_key"] = secrets.token_urlsafe(24)
        config["plugin_config"] = {"policy_file": str(self.policy_file.absolute())}
        config["logging"]["root"]["level"] = "INFO"
        config["logging"]["loggers"] = {"maubot": {"level": "INFO"}, "sluice": {"level": "INFO"}}

    @asynccontextmanager
    async def started(self) -> AsyncIterator[None]:
        """Runs Sluice for as long as it takes to see that it works."""
        log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, SECRET)
        try:
            process = await asyncio.create_subprocess_exec(
                *self._package.command("run", "--folder", str(self.folder.absolute())),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for setup, which ends it in order
                preexec_fn=_ends_with_its_parent,
            )
        finally:
            os.close(log)
        try:
            yield
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), _END)
            except asyncio.TimeoutError:
                process.kill()

    async def update(self, account: BotAccount | None) -> str:
        """Beside a running Sluice: a token that replaces a dead one."""
        if account is None:
            return ""
        self._configure(account)
        return (
            f"A new token is in {self.config}. Restart Sluice: a running one keeps the old token"
        )

    def why_silent(self) -> str:
        """What its log says, for who waited in vain."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        told = [line for line in lines if any(bad in line for bad in ("ERROR", "FATAL", "CRIT"))]
        return "\n".join([*(told or lines)[-5:], f"All of it: {self.log}"])

    def afterwards(self) -> str:
        folder = str(self.folder.absolute())
        run = shlex.join(self._package.command("run", "--folder", folder))
        unit = shlex.join(self._package.command("setup", "--systemd", "--folder", folder))
        return (
            f"Start it:  {run}\n"
            f"Or let systemd keep it running, as root:  {unit} > "
            "/etc/systemd/system/sluice.service && systemctl enable --now sluice"
        )


def _is_held(lock: Path) -> bool:
    if not lock.exists():
        return False
    with lock.open("rb") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _ends_with_its_parent() -> None:
    """Also where setup is killed: else a Sluice that nobody knows of would go on (Linux)."""
    if _PRCTL is not None:
        _PRCTL(_PR_SET_PDEATHSIG, signal.SIGTERM)
