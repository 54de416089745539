"""Windows of open registration: closes what `registration on for 1h` opened.

The close is no request: no policy, limit, pause or lost role stops it. It has an INTENT and an
OUTCOME in the log under the id of the request that opened it. Conduit forgets the switch when it
restarts and goes by its config file; so after every doubt it is asked, and never opened again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from attrs import evolve

from .. import audit
from ..chat import notices as texts
from ..db import meta
from ..db.connection import Database, Tx
from ..families.answers import config_in, interpret
from ..matrix.outbox import Outbox
from ..model.admin_room import Asked, Content
from ..model.command import Kind
from ..passwords import store
from ..requests import store as requests
from ..state import Live, RegistrationState, Rooms, Window
from ..text.message import Message, Topic
from .looking import Looking

_TICK, _AGAIN = 1.0, 60.0  # seconds
_CLOSED = "registration_closed"  # stored while it is known to be off: who closed it, or ""
_CONFIG = ("show-config",)
_ASK, _OFF = ("allow-registration",), ("allow-registration", "false")
Ask = Callable[..., Awaitable["tuple[str, Content] | None"]]


class Registration:
    """ask: puts one question of the house to Conduit."""

    def __init__(
        self,
        live: Live,
        rooms: Rooms,
        outbox: Outbox,
        state: RegistrationState,
        db: Database,
        looking: Looking,
        ask: Ask,
    ) -> None:
        self._live, self._rooms, self._looking = live, rooms, looking
        self.state, self._db, self._ask = state, db, ask
        self._tried = 0.0

    async def load(self) -> None:
        """What was open before a restart of the bot."""
        window = await self._db.read(self._load)
        if window is not None:
            self.state.may_be_open(window)

    async def _load(self, tx: Tx) -> Window | None:
        window = await store.window(tx)
        request = await requests.get(tx, window.request) if window else None
        if window is None or request is None:
            return None
        return Window(request.id, request.person, window.until)

    async def done(
        self, tx: Tx, request: int, person: str, *, on: bool, span: float | None
    ) -> Window | None:
        """A `registration.set` has ended well: the window that is open now."""
        until = self._live.now() + span if on and span is not None else None
        await store.open_window(tx, request, until)
        await self._keep(tx, on=on, by=person)
        window = Window(request, person, until) if on else None
        tx.after(lambda: self.state.is_now(window, on))
        return window

    async def perhaps(self, tx: Tx, request: int, person: str, span: float) -> None:
        """Nobody knows whether it is open: it is closed in time all the same."""
        until = self._live.now() + span
        await store.open_window(tx, request, until)
        window = Window(request, person, until)
        tx.after(lambda: self.state.may_be_open(window))

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(_TICK)
            await self.tick()

    async def tick(self) -> None:
        """Closes a window whose time is over; once a minute, until Conduit says that it is."""
        window, now = self.state.window, self._live.now()
        if window is None or window.until is None or now < window.until:
            return
        if now - self._tried < _AGAIN:
            return
        self._tried = now
        sent: list[Window] = []  # nothing is, while nobody answers

        async def intent() -> None:
            await self._db.write(lambda tx: self._record(tx, "intent", window))
            sent.append(window)

        answer = await self._ask("close", _OFF, intent)
        closed = answer is not None and interpret(Asked(_OFF[0], _OFF[1:]), answer[1])
        if closed and closed.kind is Kind.DONE and closed.get("state") == "off":
            await self._closed(window)
        else:
            await self._stuck(window, sent=bool(sent))

    async def _record(self, tx: Tx, kind: str, window: Window, **fields: object) -> None:
        record = {"request": window.request, "command": "registration off", "by": "timer"}
        await audit.append(tx, self._live.now(), kind, {**record, **fields})

    async def _closed(self, window: Window) -> None:
        lasted = await self._db.read(lambda tx: self._lasted(tx, window))
        kept = await self._db.read(store.window)
        came = kept.newcomers if kept is not None else ()
        config = self.state.at_start
        here = self._rooms.here(self._rooms.main_room or "")
        said = texts.registration_closed(here, window.by, lasted, came, config)
        said = evolve(said, about=Topic(accounts=came))
        await self._over(window, said, outcome="done")

    async def _lasted(self, tx: Tx, window: Window) -> float:
        request = await requests.get(tx, window.request)
        began = request.ended if request is not None and request.ended else self._live.now()
        return (window.until or self._live.now()) - began

    async def _stuck(self, window: Window, *, sent: bool) -> None:
        here = self._rooms.here(self._rooms.main_room or "")
        config = self.state.at_start
        said = texts.registration_stuck(here, window.until or here.clock.now, config=config)
        kept = await self._db.read(store.window)
        new = kept is not None and not kept.told
        if not new and not sent:
            return

        async def commit(tx: Tx) -> None:
            if sent:
                await self._record(tx, "outcome", window, outcome="unknown")
            if new:
                await store.tell_window(tx)
                await self._say(tx, f"registration.{window.request}.stuck", said)

        await self._db.write(commit)

    async def _over(self, window: Window, said: Message, *, outcome: str = "") -> None:
        """outcome: of the line that closed it, if one did."""

        async def commit(tx: Tx) -> None:
            if outcome:
                await self._record(tx, "outcome", window, outcome=outcome)
            await store.open_window(tx, 0, None)
            await self._keep(tx, on=False)
            await self._say(tx, f"registration.{window.request}.over", said)
            tx.after(lambda: self.state.is_now(None, False))

        await self._db.write(commit)
        self._tried = 0.0  # the next window has its own first try

    async def _say(self, tx: Tx, key: str, message: Message) -> None:
        if self._rooms.main_room is not None:
            await self._looking.alarm(tx, self._rooms.main_room, key, message)

    async def ask(self) -> str | None:
        """What Conduit says now: on or off; None if it does not answer."""
        answer = await self._ask("registration", _ASK)
        state = interpret(Asked(_ASK[0]), answer[1]).get("state") if answer is not None else None
        return str(state) if state is not None else None

    async def check(self) -> None:
        """After a doubt: is it still open? A restart closes it, or opens what the file opens."""
        told = await self._ask("config", _CONFIG)
        if told is not None and interpret(Asked(_CONFIG[0]), told[1]).kind is Kind.DONE:
            value = dict(config_in(str(told[1]["body"]))).get("Allow registration")
            self.state.is_configured({"true": True, "false": False}.get(value or ""))
        state = await self.ask()
        if state is None:
            return
        window, now = self.state.window, self._live.now()
        self.state.is_told(state == "on")
        if window is not None and state == "off":
            here = self._rooms.here(self._rooms.main_room or "")
            left = max((window.until or now) - now, 0.0)
            await self._over(window, texts.registration_reset(here, left))
        else:
            await self._db.write(lambda tx: self._told(tx, on=state == "on"))

    async def _told(self, tx: Tx, *, on: bool) -> None:
        """Conduit's word. The owners hear that it is on where it was off and nobody asked."""
        closed = await meta.get(tx, _CLOSED)
        if on and closed is not None and self.state.window is None:
            here = self._rooms.here(self._rooms.main_room or "")
            said = texts.registration_reopened(here, closed, self.state.at_start)
            await self._say(tx, f"registration.{here.clock.now:.0f}.reopened", said)
        await self._keep(tx, on=on, by=closed or "")

    async def _keep(self, tx: Tx, *, on: bool, by: str = "") -> None:
        await (meta.drop(tx, _CLOSED) if on else meta.put(tx, _CLOSED, by))
