"""What the tests of `setup` share: a Conduit with people, an owner, and what kills a run."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from ruamel.yaml import YAML

from lab import mbp
from sluice.proof import KIND
from sluice.settings import load
from sluice.setup import assistant, files, server
from sluice.setup.assistant import Assistant, Place
from sluice.setup.files import Memory
from sluice.setup.package import Package
from sluice.setup.rooms import MADE, Waiting
from sluice.setup.standalone import Standalone
from sluice.setup.talk import Answers
from tests.fake.homeserver import FakeHomeserver

NAME, BOT = "fake.test", "@sluice:fake.test"
PASSWORD = "wachtwoord-7"
PACKAGE = Package(mbp.ROOT)
ANSWERS = {
    "server": NAME,
    "user": "sluice",
    "password": PASSWORD,
    "owner": "ana",
    "owners": "@dan:fake.test",
    "moderators": "bo, cy",
    "encrypted": "n",
}


class Home(FakeHomeserver):
    """A Conduit with people, an admin room, and an account for the bot, made as the page says."""

    def __init__(self) -> None:
        super().__init__()
        for name in ("ana", "dan", "bo", "cy"):
            self.register(name)
        conduit, _ = self.register("conduit")
        self.register("sluice")
        self.sessions = {t: s for t, s in self.sessions.items() if s[0] != BOT}
        self.accounts[BOT].password = PASSWORD
        self.admin_room = self.room(conduit, "@ana:fake.test")
        self.aliases[f"#admins:{NAME}"] = self.admin_room

    def invite(self) -> None:
        self.put(self.admin_room, "@ana:fake.test", "m.room.member", {"membership": "invite"}, BOT)

    def trust(self, power: int = 50) -> None:
        levels = {"users": {BOT: power, "@ana:fake.test": 100}}
        self.put(self.admin_room, "@ana:fake.test", "m.room.power_levels", levels, "")

    @property
    def made(self) -> list[str]:
        return [room.id for room in self.rooms.values() if (MADE, "") in room.state]

    def invitations(self, room: str) -> list[str]:
        return [
            event["state_key"]
            for _, event in self.rooms[room].events
            if event["type"] == "m.room.member" and event["content"]["membership"] == "invite"
        ]


class Owner:
    """Does in Element what setup asks for, and answers its questions from a list."""

    def __init__(self, home: Home, *lines: str) -> None:
        self.home, self.lines = home, list(lines)
        self.told: list[str] = []

    def say(self, text: str) -> None:
        self.told.append(text)
        if "/invite" in text:
            self.home.invite()
        if "Moderator" in text:
            self.home.trust()

    def ask(self, question: str) -> str:
        self.told.append(question)
        return self.lines.pop(0)

    secret = ask

    @property
    def text(self) -> str:
        return "\n".join(self.told)


class Here(Standalone):
    """Sluice's own part is played: it answers the question, if what it needs is there."""

    def __init__(self, folder: Path, home: Home) -> None:
        super().__init__(folder, PACKAGE)
        self.home = home

    async def can_encrypt(self, account: server.BotAccount) -> bool:
        return True

    @asynccontextmanager
    async def started(self) -> AsyncIterator[None]:
        account = await self.account()
        assert account is not None
        assert self.home.sessions[account.token] == (BOT, account.device)
        assert load(await self.policy() or "", server=NAME, now=time.time()).settings
        data = self.home.accounts[BOT].data[KIND]
        data["answer"] = {"registration": "off", "conduit": "0.10.12"}
        yield


async def no_time(_: float) -> None:
    await asyncio.sleep(0)


async def set_up(
    home: Home,
    folder: Path,
    *lines: str,
    person: bool = False,
    wait: float | None = 60,
    at: Callable[[aiohttp.ClientSession, str], Awaitable[Place]] | None = None,
    **answers: str | None,
) -> tuple[int, Owner]:
    """One run. at: where, if it is not standalone. answers: options, None for one that is not
    given."""
    owner, memory = Owner(home, *lines), Memory(folder / "setup.json")
    told = {k.replace("_", "-"): v for k, v in {**ANSWERS, **answers}.items() if v is not None}
    if "homeserver" not in answers:
        told["homeserver"] = home.base

    async with aiohttp.ClientSession() as session:

        async def place(bot: str) -> Place:
            return await at(session, bot) if at else Here(folder, home)

        given = Answers(told, memory, owner, person=person)
        waiting = Waiting(owner, wait, no_time)
        code = await Assistant(given, memory, owner, session, waiting, place).run()
    return code, owner


@pytest.fixture
async def home(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Home]:
    async def nowhere(*_: object) -> None:
        return None

    monkeypatch.setattr(assistant, "_POLL", 0.01)
    monkeypatch.setattr(server, "found", nowhere)
    home = Home()
    await home.start()
    yield home
    await home.stop()


def config_of(folder: Path) -> Any:
    return YAML(typ="safe").load((folder / "config.yaml").read_text())


def works(home: Home, folder: Path) -> None:
    """What stands at the end, however one got there."""
    config = config_of(folder)
    credentials = config["user"]["credentials"]
    sessions = [t for t, (mxid, _) in home.sessions.items() if mxid == BOT]
    assert sessions == [credentials["access_token"]], "one session, and no other was ended"
    assert home.sessions[sessions[0]] == (BOT, credentials["device_id"])
    assert config["user"]["autojoin"] is False
    [room] = home.made
    assert sorted(home.invitations(room)) == sorted(
        f"@{n}:fake.test" for n in ("ana", "dan", "bo", "cy")
    )
    assert home.invitations(home.admin_room) == [BOT]
    policy = (folder / "sluice.yaml").read_text()
    assert load(policy, server=NAME, now=time.time()).settings is not None
    assert room in policy
    assert (folder / "config.yaml").stat().st_mode & 0o777 == 0o600
    everything = [p for p in folder.rglob("*") if p.is_file()]
    assert sorted(p.name for p in everything) == ["config.yaml", "setup.json", "sluice.yaml"]
    assert not any(PASSWORD in p.read_text() for p in everything)
    assert sessions[0] not in (folder / "setup.json").read_text()


class Killer:
    """Ends a run at its n-th step: a request, or a file that is put into its place. done: after
    the step; else it is not done at all."""

    def __init__(self, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at, self.done, self.steps = -1, False, 0
        self.task: asyncio.Task[Any] | None = None
        self._replace = os.replace
        home.before = self.request
        monkeypatch.setattr(files.os, "replace", self.replace)

    def aim(self, at: int, done: bool) -> None:
        self.at, self.done, self.steps = at, done, 0

    def _is_it(self) -> bool:
        self.steps += 1
        return self.steps - 1 == self.at

    def request(self, line: str) -> None:
        if self._is_it():
            assert self.task is not None
            self.task.cancel()
            if not self.done:
                raise RuntimeError("killed")

    def replace(self, old: Path, new: Path) -> None:
        if not self._is_it():
            self._replace(old, new)
            return
        if self.done:
            self._replace(old, new)
        raise asyncio.CancelledError

    async def run(self, work: Awaitable[Any]) -> bool:
        """Whether it came to its end."""
        self.task = asyncio.ensure_future(work)
        await asyncio.gather(self.task, return_exceptions=True)
        return not self.task.cancelled()
