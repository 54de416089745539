"""A room as one client sees it, read from its timeline and never from /sync.

Conduit's /sync shows events twice and sometimes does not wake; a test that waited for it would
measure that. A `Chat` pages forward with /messages from where it began and keeps what it saw.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from .client import V3, Client, esc


@dataclass(frozen=True)
class Said:
    """One event of a room, with what tests ask about it."""

    raw: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.raw["event_id"])

    @property
    def sender(self) -> str:
        return str(self.raw["sender"])

    @property
    def kind(self) -> str:
        return str(self.raw["type"])

    @property
    def content(self) -> dict[str, Any]:
        return dict(self.raw.get("content") or {})

    @property
    def shown(self) -> dict[str, Any]:
        """The content that people see: of an edit, the new one."""
        return dict(self.content.get("m.new_content") or self.content)

    @property
    def text(self) -> str:
        return str(self.shown.get("body", ""))

    @property
    def html(self) -> str:
        return str(self.shown.get("formatted_body", ""))

    @property
    def relation(self) -> dict[str, Any]:
        return dict(self.content.get("m.relates_to") or {})

    @property
    def edits(self) -> str:
        """The event that this one replaces, or an empty string."""
        is_edit = self.relation.get("rel_type") == "m.replace"
        return str(self.relation["event_id"]) if is_edit else ""

    @property
    def reply_to(self) -> str:
        return str(self.relation.get("m.in_reply_to", {}).get("event_id", ""))

    @property
    def reaction(self) -> tuple[str, str]:
        """(event, key) of a reaction, else two empty strings."""
        if self.kind != "m.reaction" or not self.relation:
            return "", ""
        return str(self.relation["event_id"]), str(self.relation["key"])

    @property
    def mentions(self) -> set[str]:
        return set(self.content.get("m.mentions", {}).get("user_ids", ()))


Match = Callable[[Said], bool]


class Chat:
    """A room as one client sees it from `open` on: everything said, in order, once."""

    def __init__(self, client: Client, room: str, token: str, known: set[str]) -> None:
        self.client, self.room, self._token, self._known = client, room, token, known
        self.said: list[Said] = []

    @classmethod
    async def open(cls, client: Client, room: str) -> Chat:
        """From now on. Synapse's token lies before the newest event, so its id is remembered."""
        page = await client.call("GET", f"{V3}/rooms/{esc(room)}/messages", dir="b", limit=1)
        known = {event["event_id"] for event in page["chunk"]}
        return cls(client, room, page["end"], known)

    @classmethod
    async def from_the_start(cls, client: Client, room: str) -> Chat:
        """Everything this client may see, read backwards once."""
        self = await cls.open(client, room)
        self._known.clear()
        token: dict[str, str] = {}
        events: list[dict[str, Any]] = []
        while True:
            page = await client.call(
                "GET", f"{V3}/rooms/{esc(room)}/messages", dir="b", limit=100, **token
            )
            events += page["chunk"]
            if not page.get("end") or not page["chunk"]:
                break
            token = {"from": page["end"]}
        for event in reversed(events):
            self._keep(event)
        return self

    def _keep(self, event: dict[str, Any]) -> None:
        if event["event_id"] not in self._known:
            self._known.add(event["event_id"])
            self.said.append(Said(event))

    async def read(self) -> None:
        """Reads on to the newest event."""
        while True:
            page = await self.client.call(
                "GET",
                f"{V3}/rooms/{esc(self.room)}/messages",
                **{"dir": "f", "limit": 100, "from": self._token},
            )
            for event in page["chunk"]:
                self._keep(event)
            self._token = page.get("end") or self._token
            if len(page["chunk"]) < 100:
                return

    async def wait(
        self, match: Match, what: str = "a message", *, after: str = "", within: float = 10
    ) -> Said:
        """The first event that matches, optionally behind a given event; fails with the room."""
        until, pause = time.monotonic() + within, 0.05
        while True:
            await self.read()
            for said in self._behind(after):
                if match(said):
                    return said
            if time.monotonic() > until:
                raise AssertionError(
                    f"{what} did not come within {within:g} s:\n{self.transcript()}"
                )
            await asyncio.sleep(pause)
            pause = min(pause * 1.3, 0.25)

    async def never(self, match: Match, what: str, *, seconds: float = 2) -> None:
        """Fails if a matching event comes within these seconds, or stands there already."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            await self.read()
            for said in self.said:
                assert not match(said), f"{what} came:\n{self.transcript()}"
            await asyncio.sleep(0.1)

    def _behind(self, event: str) -> list[Said]:
        if not event:
            return self.said
        places = [at for at, said in enumerate(self.said) if said.id == event]
        return self.said[places[0] + 1 :] if places else []

    # --- a person at a phone ---------------------------------------------------------------------

    async def say(self, text: str, **more: Any) -> str:
        return await self.client.say(self.room, text, **more)

    async def answer_to(self, event: str, within: float = 10) -> Said:
        """The message that replies to this event, once it can be read."""
        return await self.wait(
            lambda said: (
                said.kind == "m.room.message" and said.reply_to == event and not said.edits
            ),
            f"an answer to {event}",
            within=within,
        )

    async def ask(self, text: str, within: float = 10, **more: Any) -> Said:
        """Says something and returns the reply to it."""
        return await self.answer_to(await self.say(text, **more), within)

    async def shows(self, pattern: str, *, by: str = "", within: float = 10) -> Said:
        """A message (or the new text of an edit) in which this expression is found."""
        return await self.wait(
            lambda said: bool(re.search(pattern, said.text)) and by in ("", said.sender),
            f"“{pattern}”",
            within=within,
        )

    def transcript(self) -> str:
        return "\n".join(line(said) for said in self.said) or "(nothing was said)"


def line(said: Said) -> str:
    name = said.sender[1:].partition(":")[0]
    if said.kind == "m.reaction":
        return f"{name}: [reacts {said.reaction[1]}]"
    if said.kind != "m.room.message":
        return f"{name}: ({said.kind} {said.raw.get('state_key', '')})"
    mark = " (edited)" if said.edits else ""
    text = said.text if said.content else "(removed)"
    return f"{name}:{mark} " + text.replace("\n", " ⏎ ")


async def eventually(check: Callable[[], Awaitable[bool]], what: str, within: float = 10) -> None:
    """Polls until the check holds."""
    until = time.monotonic() + within
    while not await check():
        assert time.monotonic() < until, f"not within {within:g} s: {what}"
        await asyncio.sleep(0.05)
