"""No password is anywhere but in the private room of who asked for it, and for its time only.

A full run of everything that makes, changes or shows a password; then all of them are looked for:
in the ops room, in every table, file and WAL of the bot's database, in every log line at TRACE,
in the exported log, and in all that any other account can read.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import lab.bot
from lab.chat import Chat, Said, eventually
from lab.client import V3, Client
from lab.world import World
from tests.e2e.relay import PASSWORD, Relay
from tests.e2e.sealed import Person

TYPED = "tr0ub4dor-7yped"  # by somebody who read Conduit's documentation
BY_HAND = "c0rrect-h0rse"  # by an administrator, in the admin room
STRANGE = "b4ttery-5taple"  # in an answer that nobody understands
SHOWN = re.compile(r"(?:and password|the password for user \S+): (\S+)")


@dataclass
class Canaries:
    """What was seen of passwords: Conduit's in the admin room, ours in private."""

    relay: Relay
    conduits: dict[str, str] = field(default_factory=dict)  # password -> the answer it stood in
    ours: dict[str, str] = field(default_factory=dict)  # password -> account
    _task: asyncio.Task[None] | None = None

    def watch(self) -> None:
        """Reads the admin room as fast as one can: what is removed there stood there before."""
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        admin = self.relay.admin
        at = 0
        while True:
            await admin.read()
            for said in admin.said[at:]:
                found = SHOWN.search(said.text)
                if found and said.sender == self.relay.world.server.server_user:
                    self.conduits[found[1]] = said.text
            at = len(admin.said)
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def read_private(self, private: Chat, count: int) -> None:
        """Until this many of ours were seen: a newer one takes the message of the older away."""

        async def all_are_there() -> bool:
            await private.read()
            for said in given(private):
                account = said.text.splitlines()[0].split()[-1]
                self.ours[said.text.partition("Password: ")[2].split()[0]] = account
            return len(self.ours) == count

        await eventually(all_are_there, f"{count} passwords in private")

    @property
    def all(self) -> set[str]:
        return {*self.conduits, *self.ours}


@pytest.fixture(params=["plain", "encrypted"])
async def canaries(
    request: pytest.FixtureRequest,
    world: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[tuple[Canaries, Person | None]]:
    if world.database:
        pytest.skip("looks into SQLite's files")
    logging = {**lab.bot.LOGGING, "root": {"level": "TRACE", "handlers": ["out"]}}
    logging["loggers"] = {"aiosqlite": {"level": "DEBUG"}}  # every statement with its values
    monkeypatch.setattr(lab.bot, "LOGGING", logging)
    sealed = request.param == "encrypted"
    bo = await Person.open(world["bo"], tmp_path / "nio") if sealed else None
    relay = await Relay.open(world, tmp_path / "bot", crypto=sealed)
    found = Canaries(relay)
    found.watch()
    yield found, bo
    await found.stop()
    if bo is not None:
        await bo.close()


def given(private: Chat) -> list[Said]:
    """The messages with a password, also those that were removed after they were read."""
    return [said for said in private.said if PASSWORD.search(said.text)]


async def private_room(world: World, bo: Person | None) -> Chat:
    if bo is None:
        return await world.private("bo")
    return await bo.private(world.bot_account.mxid)


async def everything_secret(canaries: Canaries, bo: Person | None) -> Chat:
    """Every command that has to do with a password, and those of others."""
    relay = canaries.relay
    await relay.types(f"create-user {relay.name('hand')} {BY_HAND}")
    made = await relay.asks("bo", f"!adduser {relay.name('one')}", within=20)
    assert made.text.startswith("✅"), made.text
    private = await private_room(relay.world, bo)
    several = await relay.asks("bo", f"!adduser {relay.name('two')} {relay.name('three')}")
    await relay.taps("bo", several)
    await relay.shows("^✅ 2 accounts made", within=20)
    await canaries.read_private(private, 3)
    assert (await relay.asks("bo", f"!resetpw {relay.name('one')}")).text.startswith("✅")
    signed_out = await relay.asks("bo", f"!resetpw {relay.name('two')} --sign-out")
    assert "signed out" in signed_out.text
    await relay.answered(f"deactivate-user {relay.mxid('three')}")
    again = await relay.asks("bo", f"!resetpw {relay.name('three')}")
    assert "is deactivated. Open it again?" in again.text, again.text
    await relay.taps("bo", again)
    await relay.shows("is active again", within=20)
    refused = await relay.asks("bo", f"!create-user {relay.name('four')} {TYPED}")
    assert refused.text.startswith("⛔ Not run: passwords are never typed here")
    await canaries.read_private(private, 6)
    return private


async def test_no_password_is_anywhere_but_in_private(
    canaries: tuple[Canaries, Person | None],
) -> None:
    found, bo = canaries
    relay, world = found.relay, found.relay.world
    private = await everything_secret(found, bo)
    assert len(found.conduits) >= 3, "too few were seen before the bot removed them"
    # What stood in the admin room is worthless; of each account, the newest of ours signs in.
    for password, answer in found.conduits.items():
        user = re.search(r"@([^:\s]+):", answer)
        assert user
        if password != BY_HAND:
            with pytest.raises(Exception, match="403"):
                await world.server.login(user[1], password)
    newest = {account: password for password, account in found.ours.items()}
    for password, account in found.ours.items():
        name = account[1:].partition(":")[0]
        if password == newest[account]:
            await world.server.login(name, password)
        else:
            with pytest.raises(Exception, match="403"):
                await world.server.login(name, password)

    # The older message of each account is removed, a tap ends one of the newer; the others stand.
    async def standing() -> list[str]:
        events = [await world["bo"].event(private.room, said.id) for said in given(private)]
        return [event["event_id"] for event in events if event["content"]]

    new = [said.id for said in given(private)[3:]]
    assert len(new) == 3

    async def only_the_new_stand() -> bool:
        return await standing() == new

    await eventually(only_the_new_stand, "the messages of older passwords are removed")
    await world["bo"].react(private.room, new[0], "✅")

    async def the_tapped_is_gone() -> bool:
        return new[0] not in await standing()

    await eventually(the_tapped_is_gone, "the tapped password is removed")
    assert await standing() == new[1:]
    export = await relay.asks("ana", "!log export", within=20)
    await relay.room.wait(lambda said: "url" in said.content, "the exported log", within=20)
    assert export
    await nowhere(found, {TYPED, BY_HAND, *found.all})
    await relay.bot.stop()
    in_files(relay, {TYPED, BY_HAND, *found.all})


@pytest.mark.double_only("a real server does not answer what its version does not say")
async def test_an_answer_that_nobody_understands_is_a_secret_as_a_whole(
    canaries: tuple[Canaries, Person | None],
) -> None:
    found, bo = canaries
    relay = found.relay
    assert relay.world.server.double is not None
    strange = {"msgtype": "m.text", "body": f"A user was made, secret {STRANGE}"}
    await relay.world.server.double.set(instead=[strange])
    said = await relay.asks("bo", f"!adduser {relay.name('strange')}", within=20)
    assert "outcome unknown" in said.text
    assert "I do not understand Conduit's answer." in said.text
    private = await private_room(relay.world, bo)
    await private.shows(STRANGE)
    await relay.quiet()
    await nowhere(found, {STRANGE})
    await relay.bot.stop()
    in_files(relay, {STRANGE})


# --- where they are looked for ------------------------------------------------------------------


async def nowhere(found: Canaries, passwords: set[str]) -> None:
    """In no room that anybody but bo can read, and not in what the bot said in bo's other rooms.

    bo typed one of them into the ops room, and ana one into the admin room: of what they said
    themselves nothing is asked.
    """
    relay, world = found.relay, found.relay.world
    await asyncio.sleep(0.5)  # the last redaction is on its way
    for who, client in {**world.people, "bot": world.bot_account}.items():
        for room in await client.joined_rooms():
            if await client.members(room) == {world["bo"].mxid, world.bot_account.mxid}:
                continue
            for event in await all_events(client, room):
                if event["sender"] in (world.bot_account.mxid, world.server.server_user):
                    text = str(event)
                    held = [word for word in passwords - {BY_HAND} if word in text]
                    assert not held, f"{who} can read it in {room}: {event['type']}"
    dump = tables(relay)
    assert dump.count("sluice_") > 5
    for word in passwords:
        assert word not in dump, "in a table"
    in_files(relay, passwords)


def in_files(relay: Relay, passwords: set[str]) -> None:
    """The database as bytes, with its WAL, and the bot's whole log."""
    looked = []
    for file in sorted(relay.bot.folder.rglob("*")):
        if file.is_file() and "plugin" not in file.parts:
            data = file.read_bytes()
            looked.append(file.name)
            for word in passwords:
                for form in (word, word.replace("-", "%2D")):
                    assert form.encode() not in data, f"in {file.name}: {where(data, form)}"
    assert {"bot.db", "bot.log"} <= set(looked), looked
    assert "TRACE" in relay.bot.log or "DEBUG aiosqlite" in relay.bot.log


def where(data: bytes, word: str) -> str:
    at = data.index(word.encode())
    return data[max(at - 120, 0) : at].decode(errors="replace")


async def all_events(client: Client, room: str) -> list[dict[str, Any]]:
    chat = await Chat.from_the_start(client, room)
    state = await client.call("GET", f"{V3}/rooms/{room}/members")
    return [*(said.raw for said in chat.said), *state.get("chunk", [])]


def tables(relay: Relay) -> str:
    path = relay.bot.database.removeprefix("sqlite:")
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        return "\n".join(database.iterdump())
