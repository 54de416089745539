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
INDEX = """<!doctype html><html><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="app.css"></head>
<body class="hydrogen" id="app"><script type="module" src="app.js"></script></body></html>"""
BUNDLE = (
    *(
        "main.js",
        "--bundle",
        "--format=esm",
        "--target=es2022",
        "--minify",
        "--outfile=dist/app.js",
    ),
    *("--external:fs", "--external:path", "--external:crypto", "--log-level=error"),
    *("--loader:.svg=file", "--loader:.woff=file", "--loader:.woff2=file"),
)
SDK = "hydrogen-view-sdk"
FILES = {  # where they come from in node_modules, and what they are called
    "@matrix-org/olm/olm.js": "assets/olm.js",
    "@matrix-org/olm/olm.wasm": "assets/olm.wasm",
    "@matrix-org/olm/olm_legacy.js": "assets/olm_legacy.js",
    f"{SDK}/asset-build/assets/download-sandbox.html": "assets/download-sandbox.html",
    f"{SDK}/asset-build/assets/main.js": "assets/worker.js",
    f"{SDK}/lib-build/sw.js": "sw.js",
    f"{SDK}/asset-build/assets/Inter-Regular-*.woff2": "phone/inter.woff2",
    f"{SDK}/asset-build/assets/Inter-SemiBold-*.woff2": "phone/inter-bold.woff2",
}


class CannotBuild(Exception):
    """npm has none, or cannot."""


def missing() -> str:
    """What this machine lacks, or nothing."""
    if not found():
        return "no Chromium (Debian: chromium and fonts-noto-color-emoji)"
    return "" if shutil.which("npm") else "no npm"


def build() -> Path:
    """The folder with the bundled client: made when it is not there or its text has changed."""
    text = (HERE / "package.json").read_bytes() + (HERE / "main.js").read_bytes()
    text += repr((INDEX, BUNDLE, FILES)).encode()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "sluice-pictures" / hashlib.sha256(text).hexdigest()[:12]
    if not (folder / "dist" / "index.html").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "main.js"):
            shutil.copy(HERE / name, folder)
        _run(folder, "npm", "install", "--ignore-scripts", "--no-package-lock", "--no-audit")
        _run(folder, "node_modules/.bin/esbuild", *BUNDLE)
        _copy(folder / "node_modules", folder / "dist")
        (folder / "dist" / "index.html").write_text(INDEX)
    return folder / "dist"


def _run(folder: Path, *command: str) -> None:
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise CannotBuild(f"{command[0]}: {(ran.stderr or ran.stdout)[-1000:]}")


def _copy(modules: Path, dist: Path) -> None:
    for source, name in FILES.items():
        (dist / name).parent.mkdir(exist_ok=True)
        shutil.copy(next(modules.glob(source)), dist / name)


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[str]:
    """A folder on loopback."""
    app, port = web.Application(), free_port()
    app.router.add_static("/", folder)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield f"http://127.0.0.1:{port}"
    await runner.cleanup()


async def signed_in(browser: Browser, base: str, client: Client, room: str) -> Page:
    """Hydrogen in this room, signed in as this person of the lab."""
    page = await browser.page(f"{base}/index.html?homeserver={client.base}")
    await page.until("document.querySelector('.PasswordLoginView input#password')")
    for name, value in (("username", client.localpart), ("password", client.password)):
        await page.js(f"document.querySelector('input#{name}').value = {value!r}")
    await page.js("document.querySelector('.PasswordLoginView button[type=submit]').click()")
    link = (
        f"[...document.querySelectorAll('.RoomList a')].find(a => a.innerText.includes({room!r}))"
    )
    await page.until(link)
    await page.js(f"{link}.click()")
    await page.until("document.querySelector('.Timeline_messageBody')")
    return page
