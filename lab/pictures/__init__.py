"""`python -m lab pictures [FOLDER]`: the tour and an evening, seen on a phone.

NN-name.client.png is the ops room in a real web client (Hydrogen), signed in as moderator bo;
NN-name.phone.png the same turn as Element X draws it, edits in place (lab/phone_page);
lock-N.png the lock screen. What the pages show is checked: exit 1 with a list.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from .. import phone_page, tour
from ..chat import Chat
from ..phone_page import Message, fold
from ..run import Lab, Options, lab
from . import client, evening
from .browser import Browser, Page

FAULTS = (Path(__file__).parent / "faults.js").read_text()
ON_A_SCREEN = 8  # pushes
PRIVATE = "passwords"  # the picture of bo's private room


def unclear(message: Message, commands: frozenset[str]) -> str:
    """What a push about a command does not say in what a lock screen shows of it."""
    line = message.first.text.split("\n")[0]
    shown = line[: phone_page.PUSHED]
    if not re.match("[✋✅⛔❌]", line) and "#" not in line:
        return ""
    words = re.findall(r"[a-z]+", shown.lower())
    if not any(word in commands or word[:10] in commands for word in words):
        return f"a push does not name its command: {line}"
    for name in re.findall(r"[@#!][^\s,:]*[a-z][^\s,:]*|mxc://\S+", line)[:1]:
        if name not in shown:
            return f"a push does not name its object in {phone_page.PUSHED} characters: {line}"
    return ""


@dataclass
class Album:
    """Takes the pictures, and remembers what was wrong on them."""

    folder: Path
    title: str
    room: Page
    paper: Page  # shows the file page.html of `site`
    site: Path
    me: str
    faults: dict[str, str] = field(default_factory=dict)  # with the first picture that shows it
    taken: int = 0

    async def shoot(self, name: str, chat: Chat, begin: int) -> None:
        self.taken += 1
        stem = f"{self.taken:02}-{name}"
        print(stem, flush=True)
        whole = fold(chat.said)
        ours = [said.id for said in chat.said[begin:]]
        title = "Sluice" if name == PRIVATE else self.title
        await self._draw(f"{stem}.phone", phone_page.room(title, ours, whole, self.me))
        if name != PRIVATE:
            await self.room.picture(self.folder / f"{stem}.client.png")
            await self._check(f"{stem}.client", self.room)

    async def lock_screens(self, pushes: list[Message]) -> None:
        for at in range(0, len(pushes), ON_A_SCREEN):
            page = phone_page.lock_screen(self.title, pushes[at : at + ON_A_SCREEN])
            await self._draw(f"lock-{at // ON_A_SCREEN + 1}", page)

    async def _draw(self, stem: str, text: str) -> None:
        (self.site / "page.html").write_text(text)
        await self.paper.go()
        await self.paper.picture(self.folder / f"{stem}.png", whole=True)
        await self._check(stem, self.paper)

    async def _check(self, where: str, page: Page) -> None:
        for fault in await page.js(FAULTS):
            self.faults.setdefault(fault, where)


async def take(folder: Path, dist: Path, options: Options, commands: frozenset[str]) -> int:
    """Plays, takes the pictures and prints what is wrong; how much that is."""
    folder.mkdir(parents=True, exist_ok=True)
    async with lab(options) as running, aiohttp.ClientSession() as http:
        fonts = shutil.copytree(dist / "phone", running.folder / "phone")
        async with (
            client.served(dist) as app,
            client.served(fonts) as paper,
            Browser(http, running.folder) as browser,
        ):
            bo, title = running.world["bo"], "Ops room"
            room = await client.signed_in(browser, app, bo, title)
            album = Album(
                folder, title, room, await browser.page(f"{paper}/page.html"), fonts, bo.mxid
            )
            wrong = await _play(running, album, commands)
    print(f"\n{len(list(folder.glob('*.png')))} pictures in {folder}", *wrong, sep="\n")
    return len(wrong)


async def _play(running: Lab, album: Album, commands: frozenset[str]) -> list[str]:
    world = running.world
    wrong = ["the tour did not go as told"] * (await tour.guide(running) > 0)
    ops = await Chat.from_the_start(world["bo"], world.ops_room)
    await album.shoot("tour", ops, 0)
    wrong += await evening.play(evening.Evening(running, ops, album.shoot))
    bots = [m for m in fold(ops.said).values() if m.first.sender == world.bot_account.mxid]
    pushes = [message for message in bots if message.pushes]
    await album.lock_screens(pushes)
    told = [why for why in (unclear(message, commands) for message in pushes) if why]
    print(f"\n{len(pushes) - len(told)} of {len(pushes)} pushes say what they are about at once")
    return [*wrong, *told, *(f"{where}: {what}" for what, where in album.faults.items())]


def main(folder: str, options: Options) -> int:
    """The exit status; 0 with a sentence where no picture can be taken."""
    lacks = client.missing()
    if lacks:
        print(f"no pictures taken: this machine has {lacks}")
        return 0
    from sluice.catalog.table import COMMANDS

    try:
        dist = client.build()
    except client.CannotBuild as error:
        print(f"no pictures taken: {error}")
        return 0
    return int(asyncio.run(take(Path(folder), dist, options, frozenset(COMMANDS))) > 0)
