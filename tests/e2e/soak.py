"""Everything at once, for a long time: `CONDUIT_BIN=… python -m tests.e2e.soak 60` (minutes).

Three ops rooms, in each of which somebody types; beside them, all the time: the bot is kicked out
and invited again, muted and heard again, stopped and killed, Conduit is killed and started, an
outsider floods every room, an administrator types in the admin room, the policy is saved anew, and
people ask for votes and vote.

With `--keep FOLDER` the bot's log and database, what was done to it when (`soak.log`) and what
stood in the rooms at the end (`rooms.json`) stay there.

At the end the rooms are read from their beginning, and what stands there decides, not what the
actors remember. Prints what happened how often and what was lost (a command without any word),
doubled (a line or a success twice), crossed (an answer about somebody else's account) or untrue
(what was said is not so), the sizes of process and database over time; exit 1 if anything was, if
a part of the bot ended with an error, or if one of the three rooms is not answered at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from lab.chat import Chat, Said, eventually
from lab.client import V3, Refused, esc
from lab.homeserver import homeserver
from lab.world import World
from tests.e2e.office import POLICY

Actor = Callable[[], Awaitable[None]]

TYPISTS = ("bo", "cy", "dan")  # one a room
VOTER = {"bo": "cy", "cy": "bo", "dan": "bo"}
_NAME = re.compile(r"\b(?:soak|gone)-?[a-z]+\d+\b")
_SUCCESS = re.compile(r"^✅ New account @([a-z0-9-]+)\n")
_NOT_RUN = ("⛔", "❌")
_BROKEN = re.compile(r"^.* (ERROR|CRITICAL) .*$", re.M)
_OURS_TO_BE = re.compile(  # what the log of a healthy bot may call an error here
    r"I am not in|was not sent|is dropped|nothing read since|timeline |cannot|was removed|"
    r"mau\.client|mau\.http|mau\.loader|asyncio"
)
_TOGETHER = re.compile(r"Not run: the (?:(\d+) )?commands? typed here while I could not write")
_TOO_OLD = 600.0  # seconds before such an answer in which the commands that it answers were typed


@dataclass
class Soak:
    """off: of each room, the stretches of time in which the bot was not in it or could not
    speak. Only for what was typed then may an answer be missing, and only if it did not run."""

    world: World
    rooms: tuple[str, ...]
    until: float
    random: random.Random
    folder: Path
    counts: Counter[str] = field(default_factory=Counter)
    off: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    silent: list[Said] = field(default_factory=list)  # commands without an answer of their own
    sizes: list[tuple[float, int, int]] = field(default_factory=list)  # minute, RSS, database

    @property
    def going_on(self) -> bool:
        return time.time() < self.until

    def room_of(self, who: str) -> str:
        return self.rooms[TYPISTS.index(who)]

    def did(self, what: str, since: float) -> None:
        """Counts it, and writes down when it was."""
        self.counts[what.partition(":")[0]] += 1
        with (self.folder / "soak.log").open("a") as log:
            log.write(f"{_clock(since)} to {_clock(time.time())} {what}\n")

    async def tries(self, what: Callable[..., Awaitable[Any]], *args: Any, **more: Any) -> Any:
        """The server is killed now and then; what a person does is not done again."""
        try:
            return await what(*args, **more)
        except (aiohttp.ClientError, asyncio.TimeoutError, Refused, ConnectionError):
            self.counts["failed to be typed"] += 1
            return None

    async def insist(self, what: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        """What has to hold in the end: tried until the server takes it."""
        for _ in range(200):
            try:
                return await what(*args)
            except Refused as refused:
                if refused.code == "M_FORBIDDEN":
                    return None
            except (aiohttp.ClientError, asyncio.TimeoutError, ConnectionError):
                pass
            await asyncio.sleep(0.3)
        raise AssertionError("the server is gone")

    async def pause(self, least: float, most: float) -> None:
        await asyncio.sleep(
            min(self.random.uniform(least, most), max(0, self.until - time.time()))
        )

    # --- who types

    def typist(self, who: str) -> Actor:
        async def types() -> None:
            client, room, number = self.world[who], self.room_of(who), 0
            while self.going_on:
                number += 1
                dice = self.random.random()
                if dice < 0.75:
                    await self.tries(client.say, room, f"!adduser soak-{who}{number}")
                    self.counts["!adduser"] += 1
                elif dice < 0.9:
                    await self.tries(client.say, room, "!memory")
                    self.counts["!memory"] += 1
                else:
                    await self.tries(self._votes, who, room, number)
                await self.pause(0.5, 6)

        return types

    async def _votes(self, who: str, room: str, number: int) -> None:
        """A request that needs a vote, and the vote (or a no) by a tap on its card."""
        name = f"gone-{who}{number}"
        target = await self.world.server.account(name)
        chat = await Chat.open(self.world[VOTER[who]], room)
        await self.world[who].say(room, f"!deactivate {target.mxid} reason soak")
        self.counts["!deactivate"] += 1
        try:
            card = await chat.wait(
                lambda said: " asks: " in said.text and name in said.text, "a card", within=20
            )
        except AssertionError:
            self.counts["no card within 20 s"] += 1
            return
        key = "✅" if self.random.random() < 0.8 else "❌"
        await self.world[VOTER[who]].react(room, card.id, key)

    async def administrator(self) -> None:
        server, number = self.world.server, 0
        while self.going_on:
            number += 1
            line = f"{server.server_user}: create-user byhand{number}"
            await self.tries(server.ana.say, server.admin_room, line)
            self.counts["typed by an administrator"] += 1
            await self.pause(2, 8)

    async def outsider(self) -> None:
        """Long messages with links, taps on whatever was said last, invitations."""
        eve = self.world["eve"]
        link = f'<a href="https://matrix.to/#/@bo:{self.world.server.name}">Bo</a> '
        while self.going_on:
            room = self.random.choice(self.rooms)
            for _ in range(10):
                body = "bo " * 400
                more = {"format": "org.matrix.custom.html", "formatted_body": link * 400}
                await self.tries(eve.say, room, body, **more)
                self.counts["messages of the outsider"] += 1
            chat = await self.tries(Chat.from_the_start, eve, room)
            for said in chat.said[-5:] if chat else ():
                await self.tries(eve.react, room, said.id, "✅")
            mxid = self.world.bot_account.mxid
            await self.tries(eve.create_room, mxid, is_direct=True)
            await self.pause(10, 30)

    # --- what is done to the bot and the server

    async def kicks(self) -> None:
        """Out of one room, never of all, and back by an invitation."""
        ana, bot = self.world["ana"], self.world.bot_account.mxid
        while self.going_on:
            await self.pause(40, 80)
            room, begun = self.random.choice(self.rooms), time.time()
            await self.insist(ana.kick, room, bot)
            await asyncio.sleep(self.random.uniform(1, 10))
            await self.insist(ana.invite, room, bot)
            await self._is_back(room)
            self._was_off(room, begun)
            self.did(f"kicks: {room}", begun)

    async def _is_back(self, room: str) -> None:
        async def joined() -> bool:
            try:
                return self.world.bot_account.mxid in await self.world["ana"].members(room)
            except (aiohttp.ClientError, asyncio.TimeoutError, Refused):
                return False

        try:
            await eventually(joined, "", within=90)
        except AssertionError:
            self.wrong.append(f"invited again, and not back in {room} within 90 s")

    async def mutes(self) -> None:
        ana, bot = self.world["ana"], self.world.bot_account.mxid
        while self.going_on:
            await self.pause(40, 80)
            room, begun = self.random.choice(self.rooms), time.time()
            await self.insist(ana.set_power, room, bot, -1)
            await asyncio.sleep(self.random.uniform(1, 10))
            await self.insist(ana.set_power, room, bot, 50)
            self._was_off(room, begun)
            self.did(f"mutes: {room}", begun)

    def _was_off(self, room: str, begun: float) -> None:
        self.off.setdefault(room, []).append((begun - 2, time.time() + 5))

    async def restarts(self) -> None:
        """Of the bot: a clean stop and a kill -9, in turns."""
        bot = self.world.bot
        assert bot is not None
        clean = True
        while self.going_on:
            await self.pause(60, 120)
            begun = time.time()
            await (bot.stop() if clean else bot.kill())
            await asyncio.sleep(self.random.uniform(0, 3))
            await bot.start()
            self.did("stops of the bot" if clean else "kills of the bot", begun)
            clean = not clean

    async def server_dies(self) -> None:
        while self.going_on:
            await self.pause(120, 240)
            begun = time.time()
            await self.world.server.restart()
            self.did("kills of the server", begun)

    async def reloads(self) -> None:
        """The policy is saved anew, now and then with an error in it."""
        bot, number = self.world.bot, 0
        assert bot is not None
        while self.going_on:
            await self.pause(20, 60)
            number += 1
            text = policy(self.world, self.rooms, extra=number % 3)
            bot.set_policy(text if number % 5 else text + "\nnonsense: 1\n")
            await self.tries(self.world["ana"].say, self.rooms[0], "!reload")
            self.did("reloads", time.time())
            await asyncio.sleep(1)  # a wrong text must be read before it is taken back
            bot.set_policy(text)

    async def measures(self) -> None:
        bot, begun = self.world.bot, time.time()
        assert bot is not None
        path = Path(bot.database.removeprefix("sqlite:"))
        while self.going_on:
            await self.pause(20, 20)
            rss = _rss(bot.process.pid)
            files = (path, path.with_name(path.name + "-wal"))
            size = sum(f.stat().st_size for f in files if f.exists())
            if rss:
                self.sizes.append(((time.time() - begun) / 60, rss, size))

    # --- what became of it

    async def settle(self) -> None:
        """Nothing is done to anybody any more: everything has time to end."""
        ana = self.world["ana"]
        for room in self.rooms:
            await self._is_back(room)
        for who in TYPISTS:
            chat = await Chat.open(self.world[who], self.room_of(who))
            try:
                said = await chat.ask("!status", within=120)
                print(f"--- !status in the room of {who}\n{said.text}")
                await chat.ask("!registration", within=600)  # behind all that waits
            except AssertionError:
                self.wrong.append(f"the room of {who} is not answered at the end")
        self.admin = await Chat.from_the_start(ana, self.world.server.admin_room)
        self.seen = {room: await Chat.from_the_start(ana, room) for room in self.rooms}
        text = json.dumps({room: [s.raw for s in chat.said] for room, chat in self.seen.items()})
        (self.folder / "rooms.json").write_text(text)

    async def judge(self) -> None:
        for who in TYPISTS:
            room, self.silent = self.room_of(who), []
            for said in self.seen[room].said:
                if said.sender != self.world[who].mxid or said.kind != "m.room.message":
                    continue
                word, _, rest = said.text.partition(" ")
                if word == "!adduser":
                    await self._judge_account(room, said, rest.strip())
                elif word in ("!memory", "!deactivate"):
                    self._judge_answered(room, said)
            self._judge_silence(room)
        ran = Counter(name for said in self._of_bot(self.admin) for name in _names(said.text))
        for name, times in ran.items():
            if times > 1:
                self._wrong("doubled", f"{times} lines for {name}")
        self._judge_log()

    def _of_bot(self, chat: Chat) -> Iterator[Said]:
        for said in chat.said:
            if said.sender == self.world.bot_account.mxid and said.kind == "m.room.message":
                yield said

    def _replies(self, room: str, event: str) -> list[str]:
        return [
            said.text
            for said in self._of_bot(self.seen[room])
            if said.reply_to == event and not said.edits
        ]

    async def _judge_account(self, room: str, asked: Said, name: str) -> None:
        replies = self._replies(room, asked.id)
        exists = await self._exists(name)
        made = [text for text in replies if _SUCCESS.match(text)]
        for text in replies:
            for other in _names(text) - {name}:
                self._wrong("crossed", f"{name} was answered with {other}: {text}")
        if len(made) > 1:
            self._wrong("doubled", f"{name} was told {len(made)} times")
        if made and not exists:
            self._wrong("untrue", f"{name} does not exist: {made[0]}")
        refused = replies and not made and all(text.startswith(_NOT_RUN) for text in replies)
        if refused and exists and "unknown" not in replies[-1] and "handed" not in replies[-1]:
            self._wrong("untrue", f"{name} exists: {replies[-1]}")
        if not replies and exists:
            self._wrong("lost", f"{name} had no answer, and exists")
        elif not replies:
            self.silent.append(asked)
        self.counts["accounts made" if exists else "accounts not made, and told so"] += 1

    def _judge_answered(self, room: str, asked: Said) -> None:
        if not self._replies(room, asked.id):
            about = _names(asked.text)  # its card stands alone, and is no reply
            told = any(about & _names(s.text) for s in self._of_bot(self.seen[room]) if about)
            if not told:
                self.silent.append(asked)

    def _judge_silence(self, room: str) -> None:
        """What had no answer of its own, and did not run: it was typed while the bot was out, or
        it is one of those that the bot answered together, by their number."""
        silent = [asked for asked in self.silent if not self._excused(room, asked)]
        for at, count in self._together(room):
            before = [asked for asked in silent if 0 <= at - _at(asked) < _TOO_OLD]
            covered = before[-count:]
            silent = [asked for asked in silent if asked not in covered]
            self.counts["answered together"] += len(covered)
        for asked in silent:
            self._wrong("lost", f"{_clock(_at(asked))} in {room}: no answer to {asked.text}")

    def _together(self, room: str) -> Iterator[tuple[float, int]]:
        """When the bot answered several commands in one message, and how many."""
        edits = {said.edits: said for said in self._of_bot(self.seen[room]) if said.edits}
        for said in self._of_bot(self.seen[room]):
            newest = edits.get(said.id, said)
            if not said.edits and (found := _TOGETHER.search(newest.text)):
                yield _at(newest), int(found[1] or 1)

    def _excused(self, room: str, asked: Said) -> bool:
        at = _at(asked)
        return any(begun <= at <= ended for begun, ended in self.off.get(room, ()))

    async def _exists(self, name: str) -> bool:
        mxid = f"@{name}:{self.world.server.name}"
        try:
            await self.world.server.ana.call("GET", f"{V3}/profile/{esc(mxid)}")
        except Refused:
            return False
        return True

    def _judge_log(self) -> None:
        """The log of the bot since its last start; what ended by a bug stands in the audit."""
        bot = self.world.bot
        assert bot is not None
        rows = bot.rows("SELECT record FROM sluice_audit WHERE kind='error'")
        for (record,) in rows:
            self._wrong("errors of the bot", json.dumps(json.loads(record)))
        for line in {m.group(0) for m in _BROKEN.finditer(bot.log)}:
            if not _OURS_TO_BE.search(line):
                self.counts["other errors in the log"] += 1
                print(f"LOG: {line[:300]}")
        for table in ("sluice_seen", "sluice_outbox", "sluice_audit", "sluice_request"):
            try:
                ((rows_of,),) = bot.rows(f"SELECT count(*) FROM {table}")
            except Exception:
                continue
            print(f"{rows_of:7d}  rows of {table}")

    def _wrong(self, kind: str, what: str) -> None:
        self.counts[kind] += 1
        self.wrong.append(f"{kind}: {what}")

    def report(self) -> str:
        zeros = ("lost", "doubled", "crossed", "untrue", "errors of the bot")
        rows = [f"{n:6d}  {what}" for what, n in self.counts.items() if what not in zeros]
        rows += [f"{self.counts[what]:6d}  {what}" for what in zeros]
        step = max(1, len(self.sizes) // 12)
        sizes = [
            f"minute {minute:4.0f}: {rss / 1e6:5.1f} MB of memory, {size / 1e6:5.1f} MB on disk"
            for minute, rss, size in self.sizes[::step]
        ]
        return "\n".join([*rows, *sizes, *(f"WRONG: {what}" for what in self.wrong)])


def _clock(at: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at))


def _at(said: Said) -> float:
    return float(said.raw["origin_server_ts"]) / 1000


def _names(text: str) -> set[str]:
    return set(_NAME.findall(text))


def _rss(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0


def policy(world: World, rooms: tuple[str, ...], extra: int = 0) -> str:
    """The policy of the office in three rooms; extra: what differs from one save to the next."""
    text = POLICY.replace(
        "  break_glass:",
        "  limit:\n"
        f"    - {{id: many, do: adduser, per: person, max: {100_000 + extra}, every: 1d}}\n"
        "  break_glass:",
    )
    return world.policy(text).replace(json.dumps([rooms[0]]), json.dumps(list(rooms)))


async def _rooms(world: World) -> tuple[str, ...]:
    """The ops room of the world and two more, with everybody in them."""
    rooms = [world.ops_room]
    everybody = [world.bot_account, *(c for name, c in world.people.items() if name != "ana")]
    for _ in TYPISTS[1:]:
        rooms.append(await world.server.ana.create_room(*(c.mxid for c in everybody)))
        for client in everybody:
            await client.join(rooms[-1])
    for room in rooms:
        await world.server.ana.set_power(room, world.bot_account.mxid, 50)
    return tuple(rooms)


async def soak(world: World, folder: Path, minutes: float, seed: int) -> Soak:
    rooms = await _rooms(world)
    bot = await world.start_bot(folder / "bot", policy(world, rooms))
    await bot.process.logs("Sluice is ready")
    self = Soak(world, rooms, time.time() + minutes * 60, random.Random(seed), folder)
    actors = (
        *(self.typist(who) for who in TYPISTS),
        *(self.administrator, self.outsider, self.kicks, self.mutes),
        *(self.restarts, self.server_dies, self.reloads, self.measures),
    )
    await asyncio.gather(*(actor() for actor in actors))
    await self.settle()
    await self.judge()
    return self


async def main(minutes: float, seed: int, keep: Path | None) -> int:
    with ExitStack() as stack:
        temporary = tempfile.TemporaryDirectory(prefix="sluice-soak-")
        folder = keep or Path(stack.enter_context(temporary))
        folder.mkdir(parents=True, exist_ok=True)
        timeout = aiohttp.ClientTimeout(60)
        async with aiohttp.ClientSession(timeout=timeout) as http:
            server = homeserver(folder / "homeserver", http)
            await server.start()
            try:
                world = await World.create(server)
                done = await soak(world, folder, minutes, seed)
                await world.end()
            finally:
                await server.stop()
    print(done.report())
    return 1 if done.wrong else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser("python -m tests.e2e.soak", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("minutes", type=float, nargs="?", default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, metavar="FOLDER")
    given = parser.parse_args()
    sys.exit(asyncio.run(main(given.minutes, given.seed, given.keep)))
