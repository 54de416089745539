"""The double in its room: one queue, one worker, and the faults that real servers have.

Commands enter the queue in the order of the room's timeline and are answered one at a time; server
notices pass through the same queue. The queue is in memory: a restart loses it without a word. An
answer above the size limit of an event ends the worker, and only a restart brings it back.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from ..client import V3, Client, Refused, esc
from . import texts, words
from .handler import Died, Handler

EVENT_LIMIT = 65_535
ENVELOPE = 900  # what an event has besides its content: ids, hashes, signatures
AWAY = (aiohttp.ClientError, OSError, TimeoutError)  # the homeserver restarts
log = logging.getLogger("double")


@dataclass
class Knobs:
    """Faults that can be set at run time; `at once` ones count down."""

    delay: float = 0  # seconds before each command is executed
    hold: bool = False  # busy: takes nothing from the queue
    silent: int = 0  # the next n commands run, and are not answered
    dropped: int = 0  # the next n commands neither run nor are answered
    crash_before: int = 0  # the next n commands: restart instead of running them
    crash_after: int = 0  # the next n commands: restart when they have run, before the answer
    emergency: bool = False  # the emergency password is set: server messages are commands too
    instead: list[texts.Content] = field(default_factory=list)  # sent instead of the next answers
    unrun: list[texts.Content] = field(default_factory=list)  # the same, and nothing is run
    before: list[texts.Content] = field(
        default_factory=list
    )  # notices just before the next answer
    after: list[texts.Content] = field(default_factory=list)  # notices just after it


@dataclass
class Item:
    """A command's body, or a content that the server user posts."""

    body: str = ""
    content: texts.Content | None = None


class Double:
    """read_until: the token and the newest event up to which the timeline was read when the
    homeserver stopped; without them, or if that event is gone with a restore, what stands in the
    room already is left alone."""

    def __init__(
        self, conduit: Client, room: str, handler: Handler, read_until: Sequence[str] = ("", "")
    ) -> None:
        self.conduit, self.room, self.handler = conduit, room, handler
        self.knobs, self._version = Knobs(), handler.version
        self.dead = False
        self.executed: list[str] = []  # bodies, in order
        self.lost: list[str] = []  # bodies that a restart took
        self._queue: asyncio.Queue[Item] = asyncio.Queue()
        self._free = asyncio.Event()
        self._free.set()
        self._running: str | None = None
        self._worker: asyncio.Task[None] | None = None
        self._known: dict[str, None] = {}
        self._token, self._newest = read_until
        self._reading = asyncio.Lock()

    @property
    def read_until(self) -> tuple[str, str]:
        return self._token, self._newest

    @property
    def waiting(self) -> int:
        return self._queue.qsize() + (self._running is not None)

    def set(self, **knobs: Any) -> None:
        for name, value in knobs.items():
            if name in ("version", "registration_at_start"):
                setattr(self.handler, name, value)
            else:
                assert hasattr(self.knobs, name), f"no knob {name}"
                setattr(self.knobs, name, value)
        (self._free.clear if self.knobs.hold else self._free.set)()

    # --- the queue -----------------------------------------------------------------------------

    async def run(self) -> None:
        """Until cancelled."""
        self._start_worker()
        try:
            await self._read_room()
        finally:
            await self._stop_worker()

    def post(self, content: texts.Content) -> None:
        """Queues a message that answers nothing."""
        self._queue.put_nowait(Item(content=content))

    async def restart(self) -> list[str]:
        """kill -9 and start: what was sent so far and not answered is gone. Returns the bodies."""
        await self._stop_worker()
        await self._read_on()
        lost = [self._running] if self._running else []
        while not self._queue.empty():
            item = self._queue.get_nowait()
            lost += [item.body] if item.body else []
        self._running = None
        self.lost += lost
        await self._start_again()
        return lost

    async def _start_again(self) -> None:
        await self.handler.restart()
        self.dead = not await self._alias_is_here()
        if self.knobs.emergency:
            self.post(texts.EMERGENCY)
        self._start_worker()

    async def reset(self) -> None:
        self.knobs, self.handler.version = Knobs(), self._version
        self.handler.registration_at_start = True
        self.set()
        if not await self._alias_is_here():
            path = f"{V3}/directory/room/{esc(f'#admins:{self.handler.server}')}"
            with contextlib.suppress(Refused):
                await self.conduit.call("DELETE", path)  # where it leads elsewhere
            await self.conduit.call("PUT", path, {"room_id": self.room})
        if self.dead:
            await self.restart()

    def die(self) -> None:
        self.dead = True

    def _start_worker(self) -> None:
        self._worker = asyncio.create_task(self._work())

    async def _stop_worker(self) -> None:
        if self._worker:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)
        self._worker = None

    async def _work(self) -> None:
        while not self.dead:
            item = await self._queue.get()
            self._running = item.body or None  # a restart loses it, also while it is held
            await self._free.wait()
            try:
                await self._serve(item)
            except Died as why:
                log.warning("the handler died: %s", why)
                self.dead = True
            except Refused as error:
                log.warning("the handler died: an answer could not be sent: %s", error)
                self.dead = True
            except Exception:
                log.exception("the double failed at %r", item.body)
                self.dead = True
            self._running = None

    async def _serve(self, item: Item) -> None:
        if item.content is not None:
            await self._send(item.content)
            return
        self._running = item.body
        await asyncio.sleep(self.knobs.delay)
        if self._next("dropped"):
            return
        if self._next("crash_before"):
            await self._crash()
        if self.knobs.unrun:
            await self._send(self.knobs.unrun.pop(0))
            return
        self.executed.append(item.body)
        try:
            answer = await self.handler.answer(item.body)
        except Refused as error:  # the homeserver behind the double said no
            answer = texts.failed(f"{error.code}: {error.text}")
        if self._next("crash_after"):
            await self._crash()
        if self._next("silent"):
            return
        if self.knobs.instead:
            answer = self.knobs.instead.pop(0)
        before, self.knobs.before = self.knobs.before, []
        after, self.knobs.after = self.knobs.after, []
        for content in (*before, answer, *after):
            await self._send(content)

    def _next(self, knob: str) -> bool:
        left = getattr(self.knobs, knob)
        if left:
            setattr(self.knobs, knob, left - 1)
        return bool(left)

    async def _crash(self) -> None:
        """Restarts from within the worker, which is then replaced."""
        while not self._queue.empty():
            item = self._queue.get_nowait()
            self.lost += [item.body] if item.body else []
        self.lost += [self._running] if self._running else []
        self._running = None
        await self._start_again()
        raise asyncio.CancelledError

    async def _send(self, content: texts.Content) -> None:
        if len(json.dumps(content, ensure_ascii=False).encode()) + ENVELOPE > EVENT_LIMIT:
            raise Died(f"an answer of {len(content['body'])} characters")
        await self.conduit.send(self.room, content)

    # --- the room ------------------------------------------------------------------------------

    async def _alias_is_here(self) -> bool:
        try:
            return await self.conduit.resolve(f"#admins:{self.handler.server}") == self.room
        except Refused:
            return False

    async def _read_room(self) -> None:
        """The timeline in order; /sync only says when to look."""
        since = ""
        if not await self._is_there(self._newest):
            newest = await self.conduit.call("GET", self._messages, dir="b", limit=1)
            self._known = {event["event_id"]: None for event in newest["chunk"]}
            self._token, self._newest = newest["end"], next(iter(self._known), "")
        print("double ready", flush=True)
        while True:
            try:
                await self._read_on()
                since = await self._doorbell(since)
            except AWAY as error:
                log.warning("the homeserver is away: %s", type(error).__name__)
                await asyncio.sleep(0.2)

    @property
    def _messages(self) -> str:
        return f"{V3}/rooms/{esc(self.room)}/messages"

    async def _doorbell(self, since: str) -> str:
        only = {"rooms": [self.room], "timeline": {"limit": 1}, "ephemeral": {"types": []}}
        nothing = {"types": []}
        wanted = {"room": only, "presence": nothing, "account_data": nothing}
        params = {"filter": json.dumps(wanted), "timeout": 20_000 if since else 0}
        if since:
            params["since"] = since
        return str((await self.conduit.call("GET", f"{V3}/sync", **params))["next_batch"])

    async def _is_there(self, event: str) -> bool:
        path = f"{V3}/rooms/{esc(self.room)}/event/{esc(event)}"
        try:
            return bool(event and await self.conduit.call("GET", path))
        except Refused:
            return False

    async def _read_on(self) -> None:
        """To the newest event; one reading at a time, so that the order stays."""
        async with self._reading:
            while True:
                page = await self.conduit.call(
                    "GET", self._messages, **{"dir": "f", "limit": 100, "from": self._token}
                )
                new = [event for event in page["chunk"] if event["event_id"] not in self._known]
                await self._take(new)
                self._token = page.get("end") or self._token
                self._newest = new[-1]["event_id"] if new else self._newest
                if len(page["chunk"]) < 100:
                    return

    async def _take(self, events: list[dict[str, Any]]) -> None:
        """All of them, or none when the homeserver goes away meanwhile."""
        commands = []
        for event in events:
            body = await self._body(event)
            if words.is_command(self.handler.server, body) and self._counts(event["sender"]):
                commands.append(body)
        if commands and await self._alias_is_here():
            for body in commands:
                self._queue.put_nowait(Item(body))
        self._known.update(dict.fromkeys(event["event_id"] for event in events))

    def _counts(self, sender: str) -> bool:
        return sender != self.conduit.mxid or self.knobs.emergency

    async def _body(self, event: dict[str, Any]) -> str:
        """The text as it was when it was sent: Conduit queues it before anybody can redact it."""
        if event["type"] != "m.room.message":
            return ""
        content = event["content"]
        if not content:
            path = f"{V3}/rooms/{esc(self.room)}/event/{esc(event['event_id'])}"
            show = {"fi.mau.msc2815.include_unredacted_content": "true"}
            content = (await self.conduit.call("GET", path, **show))["content"]
        body = content.get("body")
        return body if isinstance(body, str) else ""
