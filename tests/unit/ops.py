"""An ops room with everybody in it, and Sluice's commands behind it: what is typed goes the whole
way to what is said. The server is the one in memory, the database is real."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sluice import audit
from sluice.admin.room import AdminRoom
from sluice.families.correlator import Queue
from sluice.looks.preflight import Checks
from sluice.looks.questions import Questions, Where
from sluice.matrix.api import Homeserver
from sluice.matrix.direct import Direct
from sluice.matrix.encryption import Encryption
from sluice.matrix.files import Files
from sluice.matrix.model import Later
from sluice.matrix.outbox import Outbox
from sluice.matrix.probes import Probes
from sluice.matrix.rooms import RoomView
from sluice.matrix.sealed import Sealed, seal
from sluice.matrix.session import Session
from sluice.model.command import Dialect, Kind, Outcome
from sluice.model.request import LineState, Request
from sluice.ops.intake import Commands
from sluice.ops.storage import Storage
from sluice.own.status import Status
from sluice.own.table import Own
from sluice.passwords.handover import Deliveries
from sluice.passwords.private import PrivateRooms
from sluice.requests import finish, guard, store
from sluice.running.views import Lists
from sluice.server.problems import Drift
from sluice.server.sources import sources
from sluice.settings import load
from sluice.state import World
from sluice.text.message import Sign
from sluice.text.phrases import say
from sluice.typed.read import read
from tests.fake.homeserver import FakeHomeserver
from tests.fake.world import Clock, account, database
from tests.unit.scenes import ANA, BO, CY, DAN, SERVER, at
from tests.unit.test_requests_scenes import _checked

POLICY = (Path(__file__).parents[1] / "machine" / "policy.yaml").read_text(encoding="utf-8")
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
        text = policy.replace("!opsroom:example.org", self.room)
        loaded = load(text, server=SERVER, now=at("09:00"))
        assert loaded.settings is not None, loaded.errors
        self.hs = Homeserver(client)
        outbox = Outbox(db, "nonce", client.mxid, self.clock)
        self.world = World(client.mxid, "1.0.0", self.clock, outbox)
        self.world.settings = loaded.settings
        self.reloads: list[str | None] = []  # what the next ones answer
        self._events = self._read = 0
        self._make(Encryption(client, self.hs))

    def _make(self, encryption: Encryption) -> None:
        world, db, hs, log = self.world, self.db, self.hs, logging.getLogger("test")
        admin = AdminRoom(
            room=self.admin_room,
            server=SERVER,
            me=world.me,
            nonce="nonce",
            db=db,
            homeserver=hs,
            clock=self.clock,
        )
        admin.ready, admin.queue = True, Queue(blind=False)
        admin.health.version, admin.health.dialect = "0.10.12", Dialect.V0_10
        world.admin, world.registration = admin, False
        probes, self.lists = Probes(hs, SERVER), Lists()
        rooms = PrivateRooms(hs, db, encryption)
        deliveries = Deliveries(world, db, hs, rooms, "nonce", lambda room: None, log)
        self.probes, self.deliveries = probes, deliveries
        self.sealed = Sealed(db, hs)
        unseal, lists = encryption.unseal, self.lists
        checks = Checks(world, db, hs, probes, deliveries, lists, unseal, self.sealed)
        self.questions = Questions()
        self.commands = Commands(world, db, hs, self.questions, checks, lambda: None)
        self.drift = Drift(world, db, hs, sources=sources(world, Session(self.clock)))
        direct = Direct(hs, encryption, world.outbox)
        self.storage = Storage(world, db, direct)
        self.commands.own = Own(
            world,
            db,
            hs,
            probes,
            Files(hs, encryption),
            self.lists,
            Status(world, db, hs, self.drift, direct),
            self.commands.understand,
            self._reload,
            self.commands.moved,
        )

    async def _reload(self) -> str | None:
        return self.reloads.pop()

    async def look(self) -> None:
        """The rooms as the server has them now."""
        await self.db.write(lambda tx: seal(tx, self.admin_room))
        self.world.rooms[self.room] = RoomView(self.room)
        self.world.admin_view = RoomView(self.admin_room)
        for view in (self.world.rooms[self.room], self.world.admin_view):
            await view.refresh(self.hs)

    def power(self, mxid: str, level: int, room: str = "") -> None:
        place = self.fake.rooms[room or self.room]
        levels = place.state["m.room.power_levels", ""]["content"]
        levels = {**levels, "users": {**levels["users"], mxid: level}}
        self.fake.put(place.id, ANA, "m.room.power_levels", levels, "")

    def now(self, time: str) -> None:
        self.clock.now = at(time)

    # --- what people do

    def _where(self, who: str, event: str = "") -> Where:
        self._events += 1
        event = event or f"$e{self._events}"
        return Where(event, event, self.room, who, self.clock.now)

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
        typed = read(content, bot=self.world.me)
        assert typed is not None, line
        return await self._done(await self.commands.take(self._where(who), typed))

    async def answers(self, words: str) -> list[str]:
        """Whoever was asked last replies."""
        question = next(iter(self.questions._open.values()))
        self.questions.close(question.key)
        assert question.reply is not None
        where = self._where(question.where.mxid)
        return await self._done(await question.reply(where, words))

    async def taps(self) -> list[str]:
        """Whoever was asked last taps the first button."""
        question = next(iter(self.questions._open.values()))
        self.questions.close(question.key)
        where = self._where(question.where.mxid)
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

    async def request(self, number: int) -> Request:
        found = await self.db.read(lambda tx: store.get(tx, number))
        assert found is not None
        return found

    async def runs(self, kind: Kind = Kind.DONE, answer: str = "", took: float = 0.1) -> None:
        """The next in line is sent, answered and over."""
        desk = self.world.desk
        turn = await self.db.read(lambda tx: guard.next_turn(desk(tx)))
        request = await self.request(turn.request)
        planned = self.world.planned(request.invocation)
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
        await self.db.write(lambda tx: finish.end(desk(tx, self.room), request.id, done))
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
    finally:
        await fake.stop()
