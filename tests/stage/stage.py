"""The whole of Sluice over a homeserver in memory: people type, the bot answers, time jumps.

A `Stage` has the cast of the examples (owners ana and dan, mods bo and cy, hal with power 30, eve
without a role), an ops room, Conduit's admin room, and a bot that is started like a plugin. Its
parts are the ones that run under maubot; only the homeserver, Conduit and the clock are stand-ins.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from unittest.mock import patch

from lab.chat import Said
from sluice.app import App
from sluice.db.connection import Database
from sluice.policy_text import PolicyText
from sluice.supervise import Supervisor

from .conduit import StageConduit
from .database import MemoryDatabase
from .loop import JumpingLoop, play
from .server import Json, Person, StageServer

SERVER = "example.org"
MORNING = datetime(2026, 11, 23, 14, 0, tzinfo=timezone.utc).timestamp()  # a Monday
CAST = ("ana", "dan", "bo", "cy", "hal", "eve")
OPS, ADMIN = f"!opsroom:{SERVER}", f"!adminroom:{SERVER}"
BASE = (Path(__file__).parents[2] / "base-config.yaml").read_text(encoding="utf-8")
POLICY = (
    BASE.replace("!opsroom", OPS)
    .replace("@ana:example.net", "@ana:matrix.org")
    .replace('"08:00-20:00"}', '"08:00-20:00", tz: Europe/Berlin}')
    .replace("board: true", "board: false")
)
"""The shipped example, with a room of before version 12, an account elsewhere and a zone. Without
the board, which would stand in every scene."""
EXACT = 10.0  # seconds: a longer time is not played second by second
SECOND = f"!second:{SERVER}"  # another ops room, in the scenes that need one


class Instance:
    """What PolicyText knows of an instance of full maubot: the text that an owner saves."""

    def __init__(self, text: str) -> None:
        self.config_str = text

    def _load_proxy(self) -> None:
        raise AssertionError("the text is in config_str")

    async def update(self) -> None:
        """maubot stores the text."""


class Stage:
    def __init__(self, policy: str = POLICY, version: str = "0.10.12") -> None:
        self.home = StageServer(SERVER)
        self.policy = policy
        self.instance = Instance(policy)
        self.server_user = self.home.person("conduit")
        self.people = {name: self.home.person(name) for name in CAST}
        self.client = self.home.mautrix("sluice")
        self.bot = str(self.client.mxid)
        self._rooms()
        self.conduit = StageConduit(self.home, self.server_user, ADMIN, version)
        self.database = MemoryDatabase()
        self.app: App | None = None
        self.home.listeners.append(self._ring)
        self._world = (
            asyncio.ensure_future(self.conduit.run()),
            asyncio.ensure_future(self._syncs()),
        )

    def _rooms(self) -> None:
        ana = self["ana"].mxid
        everybody = [person.mxid for person in self.people.values()]
        self.make_room(OPS, ana, *everybody[1:], self.bot)
        self.power(self["hal"].mxid, 30)
        self.make_room(ADMIN, self.server_user.mxid, ana, self["dan"].mxid, self.bot)
        self.power(self.bot, 50, ADMIN)
        self.home.aliases[f"#admins:{SERVER}"] = ADMIN

    def make_room(self, room: str, creator: str, *joined: str) -> None:
        made = self.home.room(creator, *joined, version="10")
        place = self.home.rooms[room] = self.home.rooms.pop(made)
        place.id = room
        for _, event in place.events:
            event["room_id"] = room

    def __getitem__(self, name: str) -> Person:
        return self.people[name]

    def power(self, mxid: str, level: int, room: str = OPS) -> None:
        levels = self.home.rooms[room].state["m.room.power_levels", ""]["content"]
        users = {**levels["users"], mxid: level}
        creator = self.home.rooms[room].events[0][1]["sender"]
        self.home.put(room, creator, "m.room.power_levels", {**levels, "users": users}, "")

    def _ring(self, room: str, event: Json) -> None:
        if self.app is None or self.home.faults:
            return
        news = {"timeline": {"events": [event]}}
        if event["type"] == "m.room.member" and event["state_key"] == self.bot:
            section = event["content"]["membership"]
            invited = {"invite_state": {"events": [event]}}
            changed = {section: {room: invited if section == "invite" else news}}
            self.app.doorbell({"rooms": changed})
        elif self.home.rooms[room].membership(self.bot) == "join":
            self.app.doorbell({"rooms": {"join": {room: news}}})

    async def _syncs(self) -> None:
        """maubot's long poll comes back every half minute, whatever happens."""
        while True:
            await asyncio.sleep(30)
            if self.app is not None and not self.home.faults:
                self.app.doorbell({})

    # --- the bot

    async def start(self, version: str = "1.0.0") -> None:
        """As the plugin does it."""
        await self.database.start()
        self.save()
        text = PolicyText(self.instance, None)
        log = logging.getLogger("sluice")
        app = App(self.client, self.database, log, text, version, time.time)
        await app.start()
        self.app = app
        await self.settle()

    def save(self) -> None:
        """An owner saves the text; the bot has not looked at it yet."""
        self.instance.config_str = self.policy

    async def stop(self) -> None:
        assert self.app is not None
        await self.app.stop()
        self.app = None

    async def settle(self, seconds: float = 4) -> None:
        """Whatever was begun has had its time. Of a long time only the ends are exact: the bot
        looks around every second, and that is most of what a play costs."""
        if seconds > 3 * EXACT:
            await asyncio.sleep(EXACT)
            seconds -= EXACT
            loop = asyncio.get_running_loop()
            assert isinstance(loop, JumpingLoop)
            loop.hurry(seconds - EXACT, steps=min(max(seconds / 150, 4.0), 20.0))
        await asyncio.sleep(seconds)

    # --- what is said

    async def says(self, name: str, text: str, room: str = OPS, **more: Any) -> str:
        event = await self[name].say(room, text, **more)
        await self.settle()
        return event

    def said(self, room: str = OPS) -> list[Said]:
        return [Said(event) for _, event in self.home.rooms[room].events]


@contextmanager
def _no_chance(seed: int) -> Iterator[None]:
    """Random words are the same in every play, and all clocks are the play's: those that
    stand as defaults were taken before `time` was changed."""
    dice = random.Random(seed)
    with (
        patch.object(secrets, "token_bytes", lambda size=32: dice.randbytes(size)),
        patch.object(secrets, "choice", dice.choice),
        patch.object(Database.__init__, "__defaults__", (lambda: time.monotonic(),)),
        patch.object(Supervisor.__init__, "__defaults__", (lambda: time.monotonic(),)),
    ):
        yield


def on_stage(
    scene: Any,
    *,
    begin: float = MORNING,
    seed: int = 26,
    kind: type[Stage] = Stage,
    **options: Any,
) -> Any:
    """Plays `await scene(stage)` from the morning on and returns what it returns."""

    async def whole() -> Any:
        stage = kind(**options)
        try:
            return await scene(stage)
        finally:
            if stage.app is not None:
                await stage.stop()
            stage.database.close()

    with _no_chance(seed):
        return play(whole(), begin)
