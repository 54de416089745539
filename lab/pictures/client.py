"""Hydrogen, a real web client, from npm: bundled once into a cache, served on loopback."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from ..client import Client
from ..process import free_port
from .browser import Browser, Page, found

HERE = Path(__file__).parent
SOURCE = ("package.json", "main.js", "index.html")
INSTALL = ("npm", "install", "--ignore-scripts", "--no-package-lock", "--no-audit")


class CannotBuild(Exception):
    """npm has none, or cannot."""


def missing() -> str:
    """What this machine lacks, or nothing."""
    if not found():
        return "no Chromium (Debian: chromium and fonts-noto-color-emoji)"
    return "" if shutil.which("npm") else "no npm"


def build() -> Path:
    """The folder with the bundled client: made when it is not there or its text has changed."""
    text = b"".join((HERE / name).read_bytes() for name in SOURCE)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "sluice-pictures" / hashlib.sha256(text).hexdigest()[:12]
    if not (folder / "dist" / "index.html").exists():  # it comes last
        folder.mkdir(parents=True, exist_ok=True)
        for name in SOURCE:
            shutil.copy(HERE / name, folder)
        for command in (INSTALL, ("npm", "run", "build")):
            ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            if ran.returncode:
                raise CannotBuild(f"{' '.join(command)}: {(ran.stderr or ran.stdout)[-1000:]}")
    return folder / "dist"


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[str]:
    """A folder on loopback."""
    app, port = web.Application(), free_port()
    app.router.add_static("/", folder)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


async def signed_in(browser: Browser, base: str, client: Client, room: str) -> Page:
    """Hydrogen in this room, signed in as this person of the lab."""
    page = await browser.page(f"{base}/index.html?homeserver={client.base}")
    form = "document.querySelector('.PasswordLoginView"
    await page.until(f"{form} input#password')")
    for name, value in (("username", client.localpart), ("password", client.password)):
        await page.js(f"{form} input#{name}').value = {value!r}")
    await page.js(f"{form} button[type=submit]').click()")
    link = (
        f"[...document.querySelectorAll('.RoomList a')].find(a => a.innerText.includes({room!r}))"
    )
    await page.until(link)
    await page.js(f"{link}.click()")
    await page.until("document.querySelector('.Timeline_messageBody')")
    return page
