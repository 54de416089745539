"""`python -m sluice run`: maubot standalone with what setup wrote, after a look at what would make
it end with a trace."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import aiohttp

from . import server
from .crypto_store import device_of_keys
from .files import owner_of
from .package import Package
from .standalone import Standalone
from .talk import Stopped

_MAUBOT = "maubot.standalone"


async def ready(here: Standalone) -> None:
    """Raises Stopped with what to do, where maubot would end, or wait for ever."""
    if importlib.util.find_spec("maubot") is None:
        raise Stopped("maubot is not installed here:  venv/bin/pip install 'maubot[encryption]'")
    account = await here.account()
    if account is None:
        raise Stopped(
            f"There is no token in {here.config}. Run setup first: it writes that file; or give "
            "--folder, if it is elsewhere."
        )
    refuse_root(here.folder)
    _writable(here)
    if await here.running():
        raise Stopped(
            f"Sluice runs in {here.folder} already (a service?): this one would only wait."
        )
    device = device_of_keys(here.database)
    if device and account.device and device != account.device:
        raise Stopped(
            f"The database is of device {device}, {here.config} of device {account.device}. Sign "
            f"in with the old one: put device_id: {device} there, empty access_token, and run "
            "setup; or move the database away, which starts anew."
        )
    async with aiohttp.ClientSession() as session:
        if await _token_is_dead(session, account):
            raise Stopped(
                f"{account.homeserver} does not know the token any more. Run setup: it signs the "
                "bot in again, with the same device."
            )


async def _token_is_dead(session: aiohttp.ClientSession, account: server.BotAccount) -> bool:
    try:
        return await server.signed_in(session, account) is None
    except server.Away:
        return False  # it may come; maubot waits for it


def refuse_root(folder: Path) -> None:
    """Raises Stopped where root would leave files that their user cannot read."""
    if os.geteuid() != 0 or not folder.exists() or folder.stat().st_uid == 0:
        return
    user = owner_of(folder)
    raise Stopped(f"{folder} is {user}'s: run this as {user}, for example after  su - {user}")


def _writable(here: Standalone) -> None:
    """maubot rewrites its configuration at each start, and SQLite does not make folders."""
    file = here.database
    try:
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Stopped(f"The folder of the database cannot be made: {error}") from error
    for path in (here.config, here.config.parent, *([file.parent] if file else ())):
        if not os.access(path, os.W_OK):
            raise Stopped(f"{path} cannot be written by {_me()}: chown it to who runs Sluice.")


def _me() -> str:
    return f"user {os.getuid()}"


def become(here: Standalone, package: Package) -> None:
    """This process is maubot's from now on: signals and its end are maubot's own."""
    folder = package.unpacked(here.folder / "plugin")
    config = str(here.config.absolute())
    os.chdir(folder)
    os.umask(0o077)  # the database holds keys
    os.environ["PYTHONUNBUFFERED"] = "1"
    words = [sys.executable, "-m", _MAUBOT, "-c", config, "-m", "maubot.yaml"]
    os.execv(sys.executable, words)
