"""A real Conduit whose handler is busy for minutes: `CONDUIT_BIN=… python -m tests.e2e.busy`.

An administrator asks for the keys of servers that take a connection and say nothing; Conduit gives
each of them up after 30 seconds. Meanwhile two moderators type. Prints what Sluice said and sent;
exit 1 if it called the handler dead alone, sent more than a fence a minute beside the line that
was on its way, or if a command did not end as it should.

`--slow-timeout 60` makes it doubt after a minute.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp

from lab.chat import Said
from lab.homeserver import homeserver
from lab.process import free_port
from lab.world import World
from tests.e2e.relay import Relay

GIVES_UP = 30  # seconds
SHORTEST = 2  # minutes: below that nothing was put to the test
ENDS = {"!adduser": r"✅ New account @", "!memory": r"📋 Conduit's caches hold "}
DEAD, BUSY = re.compile(r"\b(dead|died|stuck)\b"), re.compile(r"\bbusy\b")


@asynccontextmanager
async def silent_servers(count: int) -> AsyncIterator[list[str]]:
    """Names of servers that take a connection and never say a word."""

    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until the other side gives up
        writer.close()

    async with AsyncExitStack() as stack:
        ports = [free_port() for _ in range(count)]
        for port in ports:
            server = await asyncio.start_server(silence, "127.0.0.1", port)
            stack.callback(server.close)
        yield [f"127.0.0.1:{port}" for port in ports]


def keeps_busy(servers: list[str]) -> str:
    """A command for which Conduit asks one of these after the other."""
    signed = {"signatures": {name: {f"ed25519:k{n}": "AA"} for n, name in enumerate(servers)}}
    return f"verify-json\n```\n{json.dumps(signed)}\n```"


async def main(minutes: float, slow_timeout: int) -> int:
    folder = tempfile.TemporaryDirectory(prefix="sluice-busy-")
    count = round(minutes * 60 / GIVES_UP) + 1
    with folder as path:
        async with aiohttp.ClientSession() as http, silent_servers(count) as names:
            server = homeserver(Path(path) / "homeserver", http)
            if server.double:
                sys.exit("CONDUIT_BIN must name a Conduit: the double waits for nobody")
            await server.start()
            world = await World.create(server)
            try:
                times = f"{{timeout: 60s, slow_timeout: {slow_timeout}s}}"
                relay = await Relay.open(world, Path(path) / "bot", relay=times, max_age="1h")
                return await watch(relay, names)
            finally:
                await world.end()
                await server.stop()


async def watch(relay: Relay, servers: list[str]) -> int:
    busy = await relay.types(keeps_busy(servers))
    await asyncio.sleep(1)
    made = await relay.says("bo", f"!adduser {relay.name('late')}")
    looked = await relay.says("cy", "!memory")
    answer = await relay.admin.wait(
        lambda said: said.sender == relay.world.server.server_user,
        "the answer to what takes so long",
        after=busy,
        within=len(servers) * GIVES_UP + 60,
    )
    await asyncio.sleep(5)  # what is late comes now
    await relay.quiet()
    ends = {
        "!adduser": await _last_word(relay, made, relay.mxid("late")),
        "!memory": await _last_word(relay, looked),
    }
    return report(relay, busy, answer, ends)


async def _last_word(relay: Relay, event: str, account: str | None = None) -> Said:
    """The newest answer to a command; a result that comes after all names its account instead."""
    await relay.room.read()
    said = [each for each in relay.room.said if each.sender == relay.bot.mxid and each.text]
    return [s for s in said if s.reply_to == event or (account and account in s.text)][-1]


def report(relay: Relay, busy: str, answer: Said, ends: dict[str, Said]) -> int:
    between, minutes = _between(relay, busy, answer)
    fences = sum("sluice-fence" in said.text for said in between)
    print(f"busy for {minutes:.1f} min: {fences} fences and {len(between) - fences} other lines")
    said = [s.text for s in relay.room.said if s.sender == relay.bot.mxid and s.text]
    print(*(text.replace("\n", " / ") for text in said), sep="\n")
    wrong = [text for text in said if DEAD.search(text) and not BUSY.search(text)]
    if fences > minutes + 1 or len(between) - fences > 1:
        wrong.append(f"too many lines: {[said.text for said in between]}")
    if minutes < SHORTEST:
        wrong.append("it was not busy for long")
    wrong += [
        f"{command} ended with: {end.text}"
        for command, end in ends.items()
        if not re.match(ENDS[command], end.text)
    ]
    print(*(f"WRONG: {text}" for text in wrong), sep="\n")
    return 1 if wrong else 0


def _between(relay: Relay, first: str, last: Said) -> tuple[list[Said], float]:
    """The bot's lines between two events of the admin room, and how far these are apart."""
    ids = [said.id for said in relay.admin.said]
    stretch = relay.admin.said[ids.index(first) : ids.index(last.id)]
    lines = [said for said in stretch if said.sender == relay.bot.mxid and said.text]
    started, ended = (int(said.raw["origin_server_ts"]) for said in (stretch[0], last))
    return lines, (ended - started) / 60_000


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("minutes", type=float, nargs="?", default=3.5)
    parser.add_argument("--slow-timeout", type=int, default=600, metavar="SECONDS")
    options = parser.parse_args()
    sys.exit(asyncio.run(main(options.minutes, options.slow_timeout)))
