"""The hook in bot.py: a sync response rings whatever else is in it, before mautrix parses it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from mautrix.client import Client

from sluice.bot import Sluice

ROOM = "!ops:example.org"
GOOD = {"event_id": "$1", "type": "m.room.message", "sender": "@bo:example.org"}
MALFORMED: list[Any] = [
    {**GOOD, "event_id": 5},
    {**GOOD, "content": {"msgtype": ["m.text"], "body": {}}},
    {**GOOD, "origin_server_ts": "yesterday", "content": None},
    {"type": "m.room.member", "state_key": 3, "content": "join"},
    "no event",
    None,
]


class Syncing(Client):
    """A client whose long polls are answered with these responses, and then wait."""

    def __init__(self, answers: list[Any]) -> None:
        super().__init__("@sluice:example.org", "DEVICE", base_url="http://127.0.0.1:9")
        self.answers, self.ignore_initial_sync, self.ignore_first_sync = answers, False, False

    async def sync(self, *_: Any, **__: Any) -> Any:
        if not self.answers:
            await asyncio.Event().wait()
        return self.answers.pop(0)


class Rung:
    """Stands where the app does, and writes down which rooms rang."""

    def __init__(self) -> None:
        self.rooms: list[Mapping[str, Any]] = []
        self.done = asyncio.Event()

    def doorbell(self, sync: Mapping[str, Any]) -> None:
        self.rooms.append(sync["rooms"])
        if len(self.rooms) == 2:
            self.done.set()


@pytest.mark.parametrize("bad", MALFORMED)
async def test_a_malformed_event_does_not_silence_the_rest_of_its_batch(bad: Any) -> None:
    first = {"next_batch": "1", "rooms": {"join": {ROOM: {"timeline": {"events": [bad, GOOD]}}}}}
    second = {"next_batch": "2", "rooms": {"join": {ROOM: {"timeline": {"events": [GOOD]}}}}}
    client, plugin = Syncing([first, second]), Sluice.__new__(Sluice)
    plugin.app = rung = Rung()  # type: ignore[assignment]
    plugin._hook(client.add_event_handler)
    client.start(None)
    try:
        await asyncio.wait_for(rung.done.wait(), 20)
    finally:
        client.stop()
        await client.api.session.close()
    assert [list(rooms["join"]) for rooms in rung.rooms] == [[ROOM], [ROOM]]
