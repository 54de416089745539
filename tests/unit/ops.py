"""An ops room with everybody in it, and Sluice's commands behind it: what is typed goes the whole
way to what is said. The server is the one in memory, the database is real."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sluice import audit
from sluice.families.correlator import Queue
from sluice.families.dialects import lines
from sluice.matrix.api import Homeserver
from sluice.matrix.model import Later
from sluice.matrix.rooms import RoomView
from sluice.matrix.sealed import seal
from sluice.matrix.session import Session
from sluice.model.command import Dialect, Invocation, Kind, Line, Outcome
from sluice.model.origin import Origin
from sluice.model.request import LineState, Request
from sluice.model.server_state import Health
from sluice.own import measures
from sluice.parts import AdminParts, Ground, Parts
from sluice.requests import finish, guard, store
from sluice.settings import Settings, load
from sluice.text.message import Sign
from sluice.text.phrases import say
from sluice.typed.read import read
from tests.fake.homeserver import FakeHomeserver
from tests.fake.world import Clock, account, database
from tests.unit.scenes import ANA, BO, CY, DAN, SERVER, at
from tests.unit.test_requests_scenes import _checked

POLICY = (Path(__file__).parents[1] / "machine" / "policy.yaml").read_text(encoding="utf-8")
log = logging.getLogger("test")
HAL, EVE = f"@hal:{SERVER}", f"@eve:{SERVER}"
CONDUIT = f"@conduit:{SERVER}"


class Ops:
    """types: what somebody writes. news: what was said since one last looked."""

    def __init__(self, fake: FakeHomeserver, db: Any, client: Any, policy: str) -> None:
        self.fake, self.db = fake, db
        self.clock = Clock(at("14:03"))
        self.room = fake.room(ANA, DAN, BO, CY, HAL, EVE, client.mxid, version="10")
        self.power(HAL, 30)
        self.admin_room = fake.room(CONDUIT, ANA, DAN, client.mxid, version="10")
        self.power(client.mxid, 50, self.admin_room)
        fake.aliases[f"#admins:{SERVER}"] = self.admin_room
        loaded = load(
            policy.replace("!opsroom:example.org", self.room), server=SERVER, now=at("09:00")
        )
        assert loaded.settings is not None, loaded.errors
        self.hs = Homeserver(client)
        self.client = client
        self.reloads: list[str | None] = []  # what the next ones answer
        self._events = self._read = 0
        self.start(loaded.settings)

    def start(self, settings: Settings) -> None:
        """A process that has just started, on this database."""
        session, text = Session(self.clock), SimpleNamespace(autojoin=None)
        ground = Ground(
            self.client,
            self.db,
            self.hs,
            session,
            text,  # type: ignore[arg-type]
            "nonce",
            "1.0.0",
            self.clock,
            log,
        )
        self.parts = parts = Parts(ground)
        self.live, self.rooms, self.outbox = ground.base
        self.desk = ground.desk
        self.live.settings = settings
        ground.registration.is_told(False)
        self.relay = AdminParts(parts, self.admin_room, "DEVICE")
        self.conduit = ground.conduit
        self.conduit.open(self.admin_room, SERVER, self.relay.room.view)
        self.conduit.is_ready()
        self.conduit.queued(Queue(blind=False))
        self.conduit.learn(Health(version="0.10.12", dialect=Dialect.V0_10))
        ground.bells.opened.set()
        self.commands, self.dialog, self.lists = parts.commands, ground.dialog, ground.lists
        self.authority = ground.authority
        self.probes, self.deliveries, self.sealed = ground.probes, parts.deliveries, ground.sealed
        self.drift, self.storage = parts.drift, parts.storage
        rows, moved = self.commands._own._rows, self.commands.moved
        rows["reload"] = partial(measures.reload, again=self._reload, moved=moved)  # type: ignore[index]

    async def _reload(self) -> str | None:
        return self.reloads.pop()

    async def look(self) -> None:
        """The rooms as the server has them now."""
        await self.db.write(lambda tx: seal(tx, self.admin_room))
        self.rooms.open(RoomView(self.room))
        for view in (self.rooms.views[self.room], self.relay.room.view):
            await view.refresh(self.hs)

    def power(self, mxid: str, level: int, room: str = "") -> None:
        place = self.fake.rooms[room or self.room]
        levels = place.state["m.room.power_levels", ""]["content"]
        levels = {**levels, "users": {**levels["users"], mxid: level}}
        self.fake.put(place.id, ANA, "m.room.power_levels", levels, "")

    def now(self, time: str) -> None:
        self.clock.now = at(time)

    # --- what people do

    def _where(self, who: str, event: str = "") -> Origin:
        self._events += 1
        event = event or f"$e{self._events}"
        return Origin(event, event, self.room, who, self.clock.now)

    async def _done(self, handled: Any) -> list[str]:
        if isinstance(handled, Later):
            handled = await handled.work
        if handled is not None:
            await self.db.write(handled.commit)
            if handled.after is not None:
                await handled.after()
        return await self.news()

    async def types(self, who: str, line: str, reply_to: str = "") -> list[str]:
        content: dict[str, Any] = {"msgtype": "m.text", "body": line}
        if reply_to:
            content["m.relates_to"] = {"m.in_reply_to": {"event_id": reply_to}}
        typed = read(content, bot=self.live.me)
        assert typed is not None, line
        return await self._done(await self.commands.take(self._where(who), typed))

    async def answers(self, words: str) -> list[str]:
        """Whoever was asked last replies."""
        question = next(iter(self.dialog._open.values()))
        self.dialog.close(question.key)
        assert question.reply is not None
        where = self._where(question.origin.mxid)
        return await self._done(await question.reply(where, words))

    async def taps(self) -> list[str]:
        """Whoever was asked last taps the first button."""
        question = next(iter(self.dialog._open.values()))
        self.dialog.close(question.key)
        where = self._where(question.origin.mxid)
        return await self._done(await next(iter(question.taps.values()))(where))

    async def next_is(self, number: int) -> None:
        """The next request gets this id."""
        if await self.db.read(store.next_id) == number:
            return
        await self.types(HAL, "!memory")
        used = (
            "UPDATE sluice_request SET id = $1, state = 'cancelled'"
            " WHERE id = (SELECT MAX(id) FROM sluice_request)"
        )
        await self.db.write(lambda tx: tx.execute(used, number - 1))

    def planned(self, invocation: Invocation) -> tuple[Line, ...]:
        """Its lines for the Conduit that is there."""
        return lines(invocation, self.conduit.dialect, SERVER)

    async def request(self, number: int) -> Request:
        found = await self.db.read(lambda tx: store.get(tx, number))
        assert found is not None
        return found

    async def runs(self, kind: Kind = Kind.DONE, answer: str = "", took: float = 0.1) -> None:
        """The next in line is sent, answered and over."""
        desk = self.desk
        turn = await self.db.read(lambda tx: guard.next_turn(desk(tx)))
        request = await self.request(turn.request)
        planned = self.planned(request.invocation)
        for number in range(1, len(planned) + 1):
            turn = guard.Turn(request.id, number)
            went = await self.db.write(lambda tx, t=turn: guard.begin(desk(tx), t, planned, {}))
            assert isinstance(went, guard.Go), went
            self.clock.go(took)
            event = self.fake.say(self.admin_room, CONDUIT, answer) if answer else None
            await self.db.write(
                lambda tx, n=number, e=event: store.change_line(
                    tx,
                    request.id,
                    n,
                    LineState.SENDING,
                    state=LineState.ANSWERED,
                    answer_event=e,
                    answered_at=self.clock.now,
                )
            )
            outcome = Outcome(kind, "x")
            await self.db.write(lambda tx, t=turn, o=outcome: guard.line_settled(desk(tx), t, o))
        done = say(Sign.DONE, "the result")
        await self.db.write(lambda tx: finish.settled(desk(tx, self.room), request.id, done))
        await self.news()

    async def record(self, kind: str, time: str = "09:00", **what: Any) -> None:
        await self.db.write(lambda tx: audit.append(tx, at(time), kind, what))

    async def kinds(self) -> list[str]:
        """The kinds of the log's records, oldest first."""
        query = "SELECT kind FROM sluice_audit ORDER BY seq"
        return [row["kind"] for row in await self.db.read(lambda tx: tx.fetch(query))]

    # --- what is said

    async def news(self) -> list[str]:
        query = "SELECT * FROM sluice_outbox ORDER BY id"
        rows = [dict(row) for row in await self.db.read(lambda tx: tx.fetch(query))]
        new, self._read = rows[self._read :], len(rows)
        said = []
        for row in new:
            content = json.loads(row["content"])
            if row["kind"] == "message":
                _checked({**content, "msgtype": content["msgtype"].replace("file", "notice")})
                said.append(content["body"])
            elif row["kind"] == "edit":
                said.append(f"(edited) {content['m.new_content']['body']}")
            else:
                said.append(f"[{row['emoji']}]" if row["kind"] == "react" else "[taken away]")
        return said

    async def last(self) -> dict[str, Any]:
        """The content of the newest message."""
        query = "SELECT content FROM sluice_outbox WHERE kind='message' ORDER BY id DESC LIMIT 1"
        found: dict[str, Any] = json.loads(await self.db.read(lambda tx: tx.fetchval(query)))
        return found


@asynccontextmanager
async def ops(policy: str = POLICY) -> AsyncIterator[Ops]:
    fake = await FakeHomeserver("conduit", SERVER).start()
    try:
        for name in ("ana", "dan", "bo", "cy", "hal", "eve", "spam", "max", "conduit"):
            fake.register(name)
        mxid, token = fake.register("sluice")
        async with account(fake.base, mxid, token, "DEVICE") as client, database() as db:
            made = Ops(fake, db, client, policy)
            await made.look()
            await made.record("policy", new="x")
            yield made
            await made.parts.ground.tasks.stop()
    finally:
        await fake.stop()
