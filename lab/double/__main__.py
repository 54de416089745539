"""`python -m lab.double CONFIG.json`: the double on a Synapse, with its control port.

CONFIG: base, token, mxid, room, version, port, registration, read_until.

The control port (loopback) takes JSON:
POST /set {knob: value}    faults and the version, see service.Knobs
POST /notice {content}     queues a message of the server user
POST /happened {what, …}   the homeserver tells what Conduit would post about
POST /restart              loses the queue; answers with what was lost
POST /reset                no faults, the version it began with, a living handler, its address
POST /die                  the handler ends; nothing is answered until a restart
GET /state                 what waits, what ran, what was lost, whether the handler is dead
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from ..client import Client
from . import texts
from .handler import Handler
from .service import Double
from .synapse import SynapseServer
from .words import family


def news(version: str, told: dict[str, Any]) -> texts.Content:
    """The message that Conduit posts about something that happened on the homeserver."""
    what = told["what"]
    if what == "registered":
        return texts.registered(told["user"])
    if what == "password changed":
        return texts.password_changed(told["user"])
    if what == "deactivated":
        return texts.self_deactivated(told["user"])
    return texts.report(
        told["user"],
        told["event"],
        told["room"],
        told["sender"],
        told["score"],
        told["reason"],
        room_is_optional=family(version) != "0.9",
    )


def control(double: Double) -> web.Application:
    async def set_knobs(request: web.Request) -> web.Response:
        double.set(**await request.json())
        return web.json_response({})

    async def notice(request: web.Request) -> web.Response:
        double.post(await request.json())
        return web.json_response({})

    async def happened(request: web.Request) -> web.Response:
        double.post(news(double.handler.version, await request.json()))
        return web.json_response({})

    async def restart(_: web.Request) -> web.Response:
        return web.json_response({"lost": await double.restart()})

    async def reset(_: web.Request) -> web.Response:
        await double.reset()
        return web.json_response({})

    async def die(_: web.Request) -> web.Response:
        double.die()
        return web.json_response({})

    async def state(_: web.Request) -> web.Response:
        return web.json_response(
            {
                "waiting": double.waiting,
                "executed": double.executed,
                "lost": double.lost,
                "dead": double.dead,
                "registration": double.handler.registration,
                "read_until": double.read_until,
                "disabled_rooms": sorted(double.handler.disabled_rooms),
            }
        )

    app = web.Application()
    app.add_routes(
        [
            web.post("/set", set_knobs),
            web.post("/notice", notice),
            web.post("/happened", happened),
            web.post("/restart", restart),
            web.post("/reset", reset),
            web.post("/die", die),
            web.get("/state", state),
        ]
    )
    return app


async def main(config: dict[str, Any]) -> None:
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    timeout = aiohttp.ClientTimeout(60)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        conduit = Client(http, config["base"])
        conduit.mxid, conduit.token = config["mxid"], config["token"]
        backend = SynapseServer(conduit, config["room"])
        handler = Handler(backend, config["version"], registration=config["registration"])
        double = Double(conduit, config["room"], handler, config["read_until"])
        runner = web.AppRunner(control(double), access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", config["port"]).start()
        task = asyncio.create_task(double.run())
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        try:
            await task
        except asyncio.CancelledError:
            pass
        await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text())))
