"""Debian's Chromium by its DevTools protocol, as a phone: 390 by 844 points, two pixels each."""

from __future__ import annotations

import asyncio
import base64
import io
import shutil
from pathlib import Path
from typing import Any

import aiohttp
from PIL import Image  # Synapse brings it

from ..process import Process

NAMES = ("chromium", "chromium-browser", "google-chrome")
WIDTH, HEIGHT, COLOURS = 390, 844, 256
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--hide-scrollbars", "--remote-debugging-port=0"),
)


def found() -> str | None:
    """Where the browser is."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """A headless browser with a profile of its own; asked one thing after the other."""

    def __init__(self, http: aiohttp.ClientSession, folder: Path) -> None:
        self._http, self._profile, self._asked = http, folder / "profile", 0
        argv = [found() or "chromium", *FLAGS, f"--user-data-dir={self._profile}"]
        self._process = Process(argv, folder / "browser.log")
        self._socket: aiohttp.ClientWebSocketResponse | None = None

    async def __aenter__(self) -> Browser:
        port_file = self._profile / "DevToolsActivePort"

        async def is_up() -> bool:
            return port_file.exists() and "\n" in port_file.read_text()

        self._process.start()
        await self._process.ready(is_up)
        port, path = port_file.read_text().split()
        self._socket = await self._http.ws_connect(f"ws://127.0.0.1:{port}{path}", max_msg_size=0)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._socket:
            await self._socket.close()
        await self._process.stop()

    async def call(self, method: str, session: str = "", **params: Any) -> dict[str, Any]:
        assert self._socket, "not started"
        self._asked += 1
        body = {"id": self._asked, "method": method, "params": params}
        await self._socket.send_json({**body, "sessionId": session} if session else body)
        answer: dict[str, Any] = {}
        while answer.get("id") != self._asked:  # events come in between
            answer = await self._socket.receive_json(timeout=60)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return dict(answer["result"])

    async def page(self, url: str) -> Page:
        target = await self.call("Target.createTarget", url="about:blank", newWindow=True)
        attach = {"targetId": target["targetId"], "flatten": True}
        session = (await self.call("Target.attachToTarget", **attach))["sessionId"]
        page = Page(self, session, url)
        await page.size(HEIGHT)
        # Conduit's own answer leads away from 127.0.0.1
        await self.call("Network.enable", session)
        await self.call("Network.setBlockedURLs", session, urls=["*/.well-known/*"])
        await page.go()
        return page


class Page:
    def __init__(self, browser: Browser, session: str, url: str) -> None:
        self._browser, self._session, self._url = browser, session, url

    async def size(self, height: int) -> None:
        shape = {"width": WIDTH, "height": height, "deviceScaleFactor": 2, "mobile": True}
        await self._browser.call("Emulation.setDeviceMetricsOverride", self._session, **shape)

    async def go(self) -> None:
        """Loads it anew."""
        await self._browser.call("Page.navigate", self._session, url=self._url)
        await self.until("document.readyState === 'complete'")
        await self.js("document.fonts.ready.then(() => 1)")

    async def js(self, expression: str) -> Any:
        asked = {"expression": expression, "awaitPromise": True, "returnByValue": True}
        answer = await self._browser.call("Runtime.evaluate", self._session, **asked)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression[:60]}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    async def until(self, expression: str, within: float = 30) -> None:
        for _ in range(int(within * 10)):
            if await self.js(f"Boolean({expression})"):
                return
            await asyncio.sleep(0.1)
        says = await self.js("document.body.innerText")
        raise AssertionError(f"the page did not come to {expression}:\n{says[:500]}")

    async def picture(self, path: Path, *, whole: bool = False) -> None:
        """A PNG with few colours, small enough for a README. whole: the page in its height."""
        if whole:
            await self.size(max(200, int(await self.js("document.body.offsetHeight"))))
        await self._browser.call("Page.bringToFront", self._session)
        shot = await self._browser.call("Page.captureScreenshot", self._session, format="png")
        with Image.open(io.BytesIO(base64.b64decode(shot["data"]))) as image:
            few = image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
            few.save(path, optimize=True)
        if whole:
            await self.size(HEIGHT)
