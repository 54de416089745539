"""Walks the owners' page in a clean folder, block by block, to the first account's sign-in.

`python -m tests.e2e.walk`, on Synapse with the double or the Conduit that CONDUIT_BIN names, and
with `--maubot` by the page's way for a maubot server, prints each step with its time. What the
blocks say is run as it stands, but: names and folders are those of the walk, setup's questions are
answered by options, and what belongs to a machine (apt, useradd, su, systemctl) is played.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shlex
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from lab import mbp
from lab.bot import FullMaubot
from lab.chat import Chat
from lab.client import Client, Refused
from lab.homeserver import PASSWORD, Homeserver, homeserver
from lab.process import Process
from tests.e2e.sealed import Person, SealedChat

PAGE = mbp.ROOT / "docs" / "owners.md"
PLAYED = {
    "apt": "exit 0",
    "systemctl": "exit 0",
    "useradd": 'while [ "$1" != --home-dir ]; do shift; done; mkdir -p "$2"',
}
BECOMES = {"su - sluice": "home", "exit": "root"}
ALONE = re.compile(r" setup$| setup --maubot")  # it asks
SHOWN = re.compile(r"password: (\S+)")
PRIVATE = re.compile(r"^🔑 New account .*\nPassword: (\S+)")


@dataclass(frozen=True)
class Step:
    """Its first words, and what it lets one run."""

    title: str
    blocks: tuple[str, ...]


def steps(section: str) -> Iterator[Step]:
    """Those of a section of the page; one without numbers is one step."""
    text = PAGE.read_text(encoding="utf-8").partition(f"# {section}\n")[2]
    text = re.split(r"^#", text, maxsplit=1, flags=re.M)[0]
    for each in re.split(r"^\d\. ", text, flags=re.M)[1:] or [text]:
        blocks = re.findall(r"^ *```sh\n(.*?)^ *```", each, re.M | re.S)
        yield Step(re.sub(r"\*", "", each.strip().splitlines()[0])[:76], tuple(blocks))


class Walk:
    """folder: not there yet. bot: how it is called, on a server that others use too. with_pip:
    without, which saves its time, the lab's packages are taken."""

    def __init__(
        self, server: Homeserver, folder: Path, *, bot: str = "sluice", with_pip: bool = True
    ) -> None:
        self.server, self.bot, self._with_pip = server, bot, with_pip
        self._at = {"root": folder / "root", "home": folder / "sluice"}
        self._bin, self._units, self._who = folder / "bin", folder / "units", "root"
        for each in (folder / "root", self._bin, self._units):
            each.mkdir(parents=True)
        self._password, self._log = folder / "password", folder / "typed.log"
        self._package = mbp.pack(mbp.ROOT, folder / "root")
        for name, script in {**PLAYED, "python3": f'exec {sys.executable} "$@"'}.items():
            (self._bin / name).write_text(f"#!/bin/sh\n{script}\n")
            (self._bin / name).chmod(0o755)
        self.service: Process | None = None
        self._begun = time.monotonic()

    @property
    def mxid(self) -> str:
        return f"@{self.bot}:{self.server.name}"

    def say(self, words: str) -> None:
        print(f"{time.monotonic() - self._begun:5.1f} s  {words}", flush=True)

    async def standalone(self) -> None:
        """The eight steps."""
        for number, step in enumerate(steps("Ten minutes"), 1):
            self.say(f"{number}. {step.title}")
            for block in step.blocks:
                await self._block(block, [])
        unit = (self._units / "sluice.service").read_text()
        [command] = re.findall(r"^ExecStart=(.*)$", unit, re.M)
        self.service = Process(
            shlex.split(command), self._log.with_name("service.log"), cwd=Path("/")
        )
        self.service.start()
        await self._first_account((self._at["home"] / "sluice-data" / "sluice.yaml").read_text())

    async def in_maubot(self, maubot: FullMaubot) -> None:
        """The way for who has a maubot server."""
        password = self._password.with_name("maubot-password")
        password.write_text(maubot.password)
        options = ["--maubot-user", "lab", "--maubot-password-file", str(password)]
        for step in steps("In a maubot server"):
            self.say(step.title)
            for block in step.blocks:
                here = block.replace("http://127.0.0.1:29316", maubot.base)
                await self._block(here, options)
        await self._first_account((await maubot.instance())["config"])

    async def stop(self) -> None:
        if self.service is not None:
            await self.service.stop(grace=20)

    # --- what stands in a block

    async def _block(self, block: str, options: list[str]) -> None:
        together: list[str] = []
        for line in map(str.strip, block.splitlines()):
            alone = line in BECOMES or "pip install" in line or ALONE.search(line)
            if not alone:
                together.append(line)
                continue
            await self._together(together)
            together = []
            if line in BECOMES:
                self._who = BECOMES[line]
            elif "pip install" in line:
                await self._pip(self._here(line))
            else:
                await self._setup(self._here(line), options)
        await self._together(together)

    async def _together(self, lines: list[str]) -> None:
        words = self._here("\n".join(lines))
        if words:
            self.say(words.replace("\n", " ⏎ ")[:110])
            await _ended(self._typed(words), 120)

    def _here(self, words: str) -> str:
        """As the page says it, with the names of the walk."""
        version = self._package.stem.partition("-")[2]
        words = words.replace("/opt/sluice", str(self._at["home"])).replace("VERSION", version)
        return words.replace("/etc/systemd/system", str(self._units))

    def _typed(self, words: str) -> Process:
        path = f"{self._bin}{os.pathsep}{os.environ['PATH']}"
        env = {"PATH": path, "PIP_CONSTRAINT": str(mbp.ROOT / "constraints.txt")}
        shell = Process(["sh", "-euc", words], self._log, cwd=self._at[self._who], env=env)
        shell.forget_log()
        shell.start()
        return shell

    async def _pip(self, words: str) -> None:
        if self._with_pip:
            self.say(words)
            await _ended(self._typed(words), 300)
            return
        self.say(f"(the lab's packages instead of: {words})")
        [site] = (self._at["home"] / "venv").glob("lib/python3*/site-packages")
        (site / "lab.pth").write_text(sysconfig.get_path("purelib"))

    # --- what a person does

    async def _setup(self, words: str, more: list[str]) -> None:
        server, ana = self.server, self.server.ana
        admin = await Chat.open(ana, server.admin_room)
        await admin.say(f"@conduit:{server.name}: create-user {self.bot}")
        shown = await admin.shows(SHOWN.pattern, by=server.server_user)
        [password] = SHOWN.findall(shown.text)
        self._password.write_text(password.strip("`"))
        answers = {
            "server": server.name,
            "homeserver": server.base,
            "user": self.bot,
            "password-file": str(self._password),
            "owner": (await self._owner()).mxid,
            "owners": ana.mxid,
            "wait": "60",
        }
        options = [word for key, value in answers.items() for word in (f"--{key}", value)]
        self.say(words)
        setup = self._typed(shlex.join([*shlex.split(words), "--no-questions", *options, *more]))
        await setup.logs(f"/invite {self.mxid}")
        await ana.invite(server.admin_room, self.mxid)
        await setup.logs("Role › Moderator")
        await ana.set_power(server.admin_room, self.mxid, 50)
        await _ended(setup, 60)
        self.say("setup has ended: Sluice works")

    async def _first_account(self, policy: str) -> None:
        owner, name = await self._owner(), f"alice-{self.bot}"
        [room] = re.findall(r'^ops_rooms: \["(.*)"\]$', policy, re.M)
        phone = await Person.open(owner, self._password.with_name("phone"))
        try:
            await owner.join(room)
            chat = await Chat.from_the_start(owner, room)
            made = await chat.ask(f"!adduser {name}", within=30)
            assert made.text.startswith(f"✅ New account @{name}\n"), chat.transcript()
            message = await (await self._private(phone)).shows(PRIVATE.pattern)
        finally:
            await phone.close()
        found = PRIVATE.search(message.text)
        assert found, message.text
        alice = await self.server.login(name, found[1])
        self.say(f"{alice.mxid} has signed in")

    async def _private(self, phone: Person) -> Chat:
        [private] = [
            at for at, by in (await phone.client.invitations()).items() if by == self.mxid
        ]
        await phone.client.join(private)
        chat = await SealedChat.from_the_start(phone.client, private)
        assert isinstance(chat, SealedChat)
        chat.person = phone
        return chat

    async def _owner(self) -> Client:
        """Somebody with a phone of their own; ana sits in the admin room for them."""
        try:
            return await self.server.login(f"owner-{self.bot}", PASSWORD)
        except Refused:
            return await self.server.account(f"owner-{self.bot}")


async def _ended(process: Process, within: float) -> None:
    until = time.monotonic() + within
    while process.running:
        assert time.monotonic() < until, f"not within {within:g} s: {process.argv[-1]}"
        await asyncio.sleep(0.05)
    assert process.child is not None
    assert process.child.poll() == 0, process.tail()


async def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(description="Walks the owners' page on a server of its own.")
    parser.add_argument("--maubot", action="store_true", help="the way for a maubot server")
    args = parser.parse_args(argv)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="walk-")))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        server = homeserver(folder / "homeserver", http)
        stack.push_async_callback(server.stop)
        await server.start()
        maubot = FullMaubot(folder / "maubot", http)
        stack.push_async_callback(maubot.stop)
        if args.maubot:
            await maubot.start()
        walk = Walk(server, folder / "walk")
        stack.push_async_callback(walk.stop)
        await (walk.in_maubot(maubot) if args.maubot else walk.standalone())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
