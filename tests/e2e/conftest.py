"""One homeserver for all; fresh people, rooms and bot for each test.

`server` is Synapse with the double, or the Conduit that CONDUIT_BIN names. A test takes `world`
(no bot yet) or `bot` (running with the example policy) and talks through `await world.ops("bo")`.
What was said and logged is printed at the end of a test that failed.
With SLUICE_DB=postgres every bot has a PostgreSQL database instead of SQLite.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from lab.bot import Bot
from lab.chat import Chat
from lab.homeserver import Homeserver, homeserver
from lab.proxy import FaultProxy
from lab.world import World
from tests.e2e.office import NewDatabase, Office, OpenOffice
from tests.fake.postgres import another

_numbers = itertools.count(1)
_FAILED = pytest.StashKey[bool]()


@pytest.fixture(scope="session")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(60)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        yield session


@pytest.fixture(scope="session")
async def server(
    tmp_path_factory: pytest.TempPathFactory, http: aiohttp.ClientSession
) -> AsyncIterator[Homeserver]:
    server = homeserver(tmp_path_factory.mktemp("homeserver"), http)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture(scope="session")
async def new_database(request: pytest.FixtureRequest) -> Callable[[], Awaitable[str]]:
    """Gives what a bot is told about its database: nothing, or the URL of an empty one."""
    postgres = os.environ.get("SLUICE_DB") == "postgres"
    url = request.getfixturevalue("postgres_url") if postgres else ""

    async def make() -> str:
        return await another(url) if url else ""

    return make


@pytest.fixture
async def world(
    server: Homeserver,
    new_database: Callable[[], Awaitable[str]],
    request: pytest.FixtureRequest,
) -> AsyncIterator[World]:
    world = await World.create(server, f"-{next(_numbers)}")
    world.database = await new_database()
    admin = await world.admin()
    yield world
    if server.double:
        await server.double.reset()
    if request.node.stash.get(_FAILED, False):
        await _tell(world, admin)
    await world.end()


async def _tell(world: World, admin: Chat) -> None:
    """What was said and logged, for who looks at a failure."""
    await admin.read()
    room = await Chat.from_the_start(world.server.ana, world.ops_room)
    print(f"--- ops room\n{room.transcript()}\n--- admin room\n{admin.transcript()}")
    if world.bot:
        print(f"--- bot\n{world.bot.process.tail(20_000)}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        item.stash[_FAILED] = True
    return report


@pytest.fixture(autouse=True)
def names_of_this_try(request: pytest.FixtureRequest) -> None:
    """A house stands for a whole module: what a first try made is there in the second."""
    if "house" in request.fixturenames:
        count = getattr(request.node, "execution_count", 1)
        request.getfixturevalue("house").again = f"-{count}" if count > 1 else ""


@pytest.fixture(scope="module")
async def open_office(
    server: Homeserver, new_database: NewDatabase, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[OpenOffice]:
    """Opens an office for all tests of a module, with people, rooms and a bot of its own."""
    async with AsyncExitStack() as stack:

        async def opened(suffix: str, *policy: str, **more: Any) -> Office:
            world = await World.create(server, f"-{suffix}")
            stack.push_async_callback(world.end)
            world.database = await new_database()
            return await Office.open(world, tmp_path_factory.mktemp(suffix), *policy, **more)

        yield opened


@pytest.fixture
async def office(shared: Office, request: pytest.FixtureRequest) -> AsyncIterator[Office]:
    """The office that the tests of a module share: each acts on accounts of its own."""
    proxied = "shared_proxy" in request.fixturenames
    proxy = request.getfixturevalue("shared_proxy") if proxied else None
    yield shared
    if proxy is not None:
        proxy.clear()
    await shared.tidy()


@pytest.fixture(scope="module")
async def shared_proxy(server: Homeserver) -> AsyncIterator[FaultProxy]:
    """What a shared office may stand behind; no rule outlives its test."""
    async with started(server) as proxy:
        yield proxy


@pytest.fixture
async def bot(world: World, tmp_path: Path) -> Bot:
    return await world.start_bot(tmp_path / "bot")


@pytest.fixture
async def proxy(server: Homeserver) -> AsyncIterator[FaultProxy]:
    """Give its `base` to `world.start_bot`."""
    async with started(server) as proxy:
        yield proxy


@asynccontextmanager
async def started(server: Homeserver) -> AsyncIterator[FaultProxy]:
    proxy = FaultProxy(server.base)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
