"""From nothing to the first account with `setup` and `run`, out of the package as it is."""

from __future__ import annotations

import itertools
import json
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lab.bot import FullMaubot
from lab.chat import Chat
from lab.client import Client, Refused
from lab.homeserver import PASSWORD, Homeserver
from lab.process import Process
from tests.e2e.test_maubot import maubot, package

__all__ = ["maubot", "package"]  # fixtures

_numbers = itertools.count(1)


class Newcomer:
    """Somebody who sets Sluice up: what they type, and what they do in Element meanwhile."""

    def __init__(self, server: Homeserver, package: Path, folder: Path, bot: Client) -> None:
        self.server, self.package, self.bot = server, package, bot
        self.folder, self.password = folder / "sluice", folder / "password"
        self.password.write_text(f"{PASSWORD}\n")
        self.log, self._logs = folder / "typed.log", itertools.count()
        self.sami: Client | None = None

    def types(self, *words: str) -> Process:
        log = self.log.with_name(f"typed{next(self._logs)}.log")
        return Process([sys.executable, str(self.package), *words], log, cwd=self.folder.parent)

    def setup(self, *options: str) -> Process:
        assert self.sami is not None
        answers = {
            "server": self.server.name,
            "homeserver": self.server.base,
            "user": self.bot.localpart,
            "password-file": str(self.password),
            "owner": self.server.ana.mxid,
            "moderators": self.sami.localpart,
            "folder": str(self.folder),
            "wait": "60",
        }
        words = [word for key, value in answers.items() for word in (f"--{key}", value)]
        return self.types("setup", "--no-questions", *words, *options)

    async def lets_it_in(self, process: Process) -> None:
        """What only a person can do, as soon as setup asks for it."""
        ana, room = self.server.ana, self.server.admin_room
        await process.logs(f"/invite {self.bot.mxid}")
        await ana.invite(room, self.bot.mxid)
        await process.logs("Role › Moderator")
        await ana.set_power(room, self.bot.mxid, 50)

    async def ends(self, process: Process, status: int = 0) -> str:
        """What it said until its end."""
        await process.ready(lambda: _ended(process), within=90)
        said = process.tail(20_000)
        assert process.child is not None
        assert process.child.poll() == status, said
        return said

    async def ops(self, policy: str = "") -> Chat:
        """The room that setup made, once ana accepts the invitation to it."""
        text = policy or (self.folder / "sluice.yaml").read_text()
        [room] = re.findall(r'^ops_rooms: \["(.*)"\]$', text, flags=re.M)
        ana = self.server.ana
        await ana.join(room)
        return await Chat.from_the_start(ana, room)

    async def signs_out(self, token: str) -> str:
        """The token is dead from now on; the id of its device."""
        session = Client(self.server.http, self.server.base)
        session.token = token
        told = await session.call("GET", "/_matrix/client/v3/account/whoami")
        await session.call("POST", "/_matrix/client/v3/logout", {})
        return str(told["device_id"])

    async def rooms(self) -> list[str]:
        """Those that the bot is in, besides the admin room."""
        return [r for r in await self.bot.joined_rooms() if r != self.server.admin_room]


async def _ended(process: Process) -> bool:
    return not process.running


@pytest.fixture
async def newcomer(server: Homeserver, package: Path, tmp_path: Path) -> AsyncIterator[Newcomer]:
    number = next(_numbers)
    bot = await server.account(f"setup{number}")
    newcomer = Newcomer(server, package, tmp_path, bot)
    newcomer.sami = await server.account(f"sami{number}")
    yield newcomer
    try:
        await bot.leave(server.admin_room)
    except Refused:
        pass


async def test_from_nothing_to_the_first_account_standalone(newcomer: Newcomer) -> None:
    process = newcomer.setup("--encrypted", "n")
    process.start()
    await newcomer.lets_it_in(process)
    said = await newcomer.ends(process)
    assert re.search(r"✓ Conduit \S+ answered through the admin room: registration is o", said)
    config = newcomer.folder / "config.yaml"
    assert config.stat().st_mode & 0o777 == 0o600
    written = "".join(
        p.read_text(errors="replace") for p in newcomer.folder.rglob("*.*") if p.is_file()
    )
    assert PASSWORD not in written + said
    assert "access_token" in config.read_text()

    room = await newcomer.ops()
    told = [each.text for each in room.said]
    assert any(text.startswith("🔔 Sluice 1.") for text in told), room.transcript()
    assert any(text.startswith("🔔 Setup asked through me") for text in told), room.transcript()

    run = newcomer.types("run", "--folder", str(newcomer.folder))
    run.start()
    await run.logs("running forever")
    made = await room.ask(f"!adduser first-{newcomer.bot.localpart}", within=20)
    assert made.text.startswith(f"✅ New account @first-{newcomer.bot.localpart}\n")

    again = newcomer.setup()
    again.start()
    looked = await newcomer.ends(again, 1)  # the test is signed in as the bot, too
    assert "Sluice is running" in looked
    assert "Others are signed in as the bot: " in looked
    assert looked.count("❗") == 1, looked
    second = newcomer.types("run", "--folder", str(newcomer.folder))
    second.start()
    assert "runs in" in await newcomer.ends(second, 2)
    assert await run.stop(grace=20) == 0
    assert await room.client.members(room.room) == {room.client.mxid, newcomer.bot.mxid}


async def test_a_dead_token_is_named_and_replaced_on_the_same_device(newcomer: Newcomer) -> None:
    process = newcomer.setup()
    process.start()
    await newcomer.lets_it_in(process)
    await newcomer.ends(process)
    config = newcomer.folder / "config.yaml"
    before = config.read_text()
    [token] = re.findall(r"access_token: (\S+)", before)
    device = await newcomer.signs_out(token)
    run = newcomer.types("run", "--folder", str(newcomer.folder))
    run.start()
    assert "does not know the token any more. Run setup" in await newcomer.ends(run, 2)
    again = newcomer.setup()
    again.start()
    await newcomer.ends(again)
    after = config.read_text()
    assert token not in after
    assert f"device_id: {device}\n" in after
    assert len(await newcomer.rooms()) == 1


async def test_where_it_encrypts_the_device_is_signed_by_its_account(newcomer: Newcomer) -> None:
    pytest.importorskip("olm")
    process = newcomer.setup("--encrypted", "y")
    process.start()
    await newcomer.lets_it_in(process)
    assert "✓ Its device is signed" in await newcomer.ends(process)
    bot, ana = newcomer.bot.mxid, newcomer.server.ana
    [device] = re.findall(r"device_id: (\S+)", (newcomer.folder / "config.yaml").read_text())
    body = {"device_keys": {bot: []}}
    told = await ana.call("POST", "/_matrix/client/v3/keys/query", body)
    master, own = told["master_keys"][bot], told["self_signing_keys"][bot]
    assert signed_by(master, own, bot)
    assert signed_by(own, told["device_keys"][bot][device], bot)

    again = newcomer.setup()  # by its token: nobody types the password, the keys stay
    again.start()
    await newcomer.ends(again)
    after = await ana.call("POST", "/_matrix/client/v3/keys/query", body)
    assert after["master_keys"][bot]["keys"] == master["keys"]


def signed_by(key: dict[str, Any], what: dict[str, Any], mxid: str) -> bool:
    """Raises if the signature is wrong."""
    olm = pytest.importorskip("olm")
    [(name, public)] = key["keys"].items()
    bare = {k: v for k, v in what.items() if k not in ("signatures", "unsigned")}
    text = json.dumps(bare, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    olm.ed25519_verify(public, text, what["signatures"][mxid][name])
    return True


async def test_from_nothing_to_the_first_account_in_a_maubot_server(
    newcomer: Newcomer, maubot: FullMaubot, tmp_path: Path
) -> None:
    password = tmp_path / "maubot-password"
    password.write_text(maubot.password)
    at = ("--maubot", maubot.base, "--maubot-user", "lab", "--maubot-password-file", str(password))
    process = newcomer.setup("--encrypted", "n", *at)
    process.start()
    await newcomer.lets_it_in(process)
    said = await newcomer.ends(process)
    assert "answered through the admin room" in said
    client = await maubot.call("GET", f"/client/{newcomer.bot.mxid}")
    assert (client["autojoin"], client["displayname"]) == (False, "disable")
    room = await newcomer.ops((await maubot.instance())["config"])
    made = await room.ask(f"!adduser first-{newcomer.bot.localpart}", within=20)
    assert made.text.startswith(f"✅ New account @first-{newcomer.bot.localpart}\n")
    again = newcomer.setup(*at)
    again.start()
    looked = await newcomer.ends(again, 1)
    assert "Sluice is running in maubot at" in looked
    assert looked.count("❗") == 1, looked
    assert [
        i["id"] for i in (await maubot.call("GET", "/client/" + newcomer.bot.mxid))["instances"]
    ] == ["sluice"]
    check = newcomer.types("setup", "--check", "--folder", str(newcomer.folder), *at)
    check.start()
    assert (await newcomer.ends(check, 1)).count("❗") == 1, "the test itself is signed in"

    await newcomer.signs_out(client["access_token"])
    await maubot.process.stop(grace=20)
    await maubot.start()  # with a dead token: the client is disabled, and the instance with it
    renewed = newcomer.setup(*at)
    renewed.start()
    await newcomer.ends(renewed)
    after = await maubot.call("GET", f"/client/{newcomer.bot.mxid}")
    assert after["device_id"] == client["device_id"]
    assert (await room.ask("!version", within=20)).text.startswith("📋 Sluice 1.")
