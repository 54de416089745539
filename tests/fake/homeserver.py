"""A homeserver in memory, over real HTTP: the part of the client API that Sluice uses.

It plays two flavours where they differ (tokens of /messages, strangers, txn ids), and what real
servers do wrong. tests/e2e/test_matrix_layer.py runs the same checks on it and on real servers.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from aiohttp import web

Json = dict[str, Any]
V3 = "/_matrix/client/v3"


@dataclass
class Room:
    """Events in order; each has a position that only grows (Conduit counts over all rooms)."""

    id: str
    version: str
    events: list[tuple[int, Json]] = field(default_factory=list)
    state: dict[tuple[str, str], Json] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)  # ids that nobody may see
    before: dict[str, int] = field(default_factory=dict)  # id -> state events before it
    changes: int = 0  # state events so far

    def membership(self, mxid: str) -> str:
        event = self.state.get(("m.room.member", mxid))
        return event["content"].get("membership", "leave") if event else "leave"


@dataclass
class Account:
    mxid: str
    password: str = "secret"
    deactivated: bool = False
    data: dict[str, Json] = field(default_factory=dict)


@dataclass
class Fault:
    """What happens to the next requests whose "METHOD path" holds `what`.

    status None cuts the connection. acted: the server does it all the same, and fails then.
    """

    what: str
    status: int | None
    body: Json = field(default_factory=dict)
    acted: bool = False
    times: int = 1


class Failure(Exception):
    def __init__(self, status: int, errcode: str, text: str = "no", **more: Any) -> None:
        self.status, self.body = status, {"errcode": errcode, "error": text, **more}


class FakeHomeserver:
    def __init__(self, flavour: str = "conduit", name: str = "fake.test") -> None:
        self.conduit = flavour == "conduit"
        self.name, self.version = name, "0.10.12"
        self.accounts: dict[str, Account] = {}
        self.sessions: dict[str, tuple[str, str]] = {}  # token -> mxid, device
        self.rooms: dict[str, Room] = {}
        self.aliases: dict[str, str] = {}
        self.media: dict[str, bytes] = {}
        self.txns: dict[tuple[str, ...], str] = {}
        self.requests: list[str] = []  # "METHOD path" of every one
        self.read_from_outside: list[str] = []  # rooms read by who is not in them
        self.faults: list[Fault] = []
        self.closed: set[str] = set()  # accounts that take no invitation
        self.held: dict[str, asyncio.Event] = {}  # in "METHOD path" -> unanswered until it is set
        self.before: Callable[[str], None] | None = None  # called with each "METHOD path"
        self._position = itertools.count(1)
        self._may_see: dict[tuple[str, str, int], bool] = {}
        self._runner: web.AppRunner | None = None
        self.base = ""

    # --- its life

    async def start(self) -> FakeHomeserver:
        app = web.Application(client_max_size=1 << 24)
        app.router.add_route("*", "/{tail:.*}", self._serve)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.base = f"http://127.0.0.1:{port}"
        return self

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    # --- what tests do to it

    def register(self, name: str) -> tuple[str, str]:
        """An account and a session: (mxid, token)."""
        mxid = f"@{name}:{self.name}"
        self.accounts.setdefault(mxid, Account(mxid))
        token = secrets.token_hex(8)
        self.sessions[token] = (mxid, "DEVICE")
        return mxid, token

    def room(self, creator: str, *joined: str, version: str = "12") -> str:
        room = self._make(creator, {"preset": "private_chat", "room_version": version})
        for mxid in joined:
            self.join(room, mxid)
        return room

    def join(self, room: str, mxid: str) -> str:
        return self.put(room, mxid, "m.room.member", {"membership": "join"}, mxid)

    def leave(self, room: str, mxid: str, by: str | None = None) -> str:
        return self.put(room, by or mxid, "m.room.member", {"membership": "leave"}, mxid)

    def say(self, room: str, sender: str, body: str, **more: Any) -> str:
        return self.put(
            room, sender, "m.room.message", {"msgtype": "m.text", "body": body, **more}
        )

    def put(
        self, room: str, sender: str, kind: str, content: Json, key: str | None = None, **top: Any
    ) -> str:
        place = self.rooms[room]
        event_id = f"${secrets.token_urlsafe(16)}"
        event: Json = {
            "event_id": event_id,
            "room_id": room,
            "sender": sender,
            "type": kind,
            "content": json.loads(json.dumps(content)),
            "origin_server_ts": 1_764_000_000_000 + len(place.events),
            "unsigned": {},
            **top,
        }
        place.before[event_id] = place.changes
        if key is not None:
            place.changes += 1
            event["state_key"] = key
            place.state[kind, key] = event
        place.events.append((next(self._position), event))
        return event_id

    def erase(self, event_id: str, by: str, room: str) -> str:
        """Somebody redacts an event from a room of their own, as Conduit lets them."""
        return self._redact(self.rooms[room], by, event_id, {})

    def restore(self, room: str, keep: int) -> None:
        """The server came back from a backup that knew only the first `keep` events."""
        place = self.rooms[room]
        place.events = place.events[:keep]
        self._position = itertools.count(place.events[-1][0] + 1)

    def bodies(self, room: str, sender: str) -> list[str]:
        return [
            event["content"].get("body", "")
            for _, event in self.rooms[room].events
            if event["sender"] == sender and event["type"] == "m.room.message"
        ]

    def count(self, what: str) -> int:
        return sum(what in request for request in self.requests)

    # --- HTTP

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        path = request.raw_path.partition("?")[0]
        parts = [unquote(part) for part in path.split("/") if part]
        line = f"{request.method} /{'/'.join(parts)}"
        self.requests.append(line)
        if self.before is not None:
            self.before(line)
        for what, gate in self.held.items():
            if what in line:
                await gate.wait()
        fault = next((f for f in self.faults if f.what in line and f.times > 0), None)
        if fault is not None:
            fault.times -= 1
            if fault.acted:
                await self._answer(request, parts)
            if fault.status is None:
                assert request.transport is not None
                request.transport.abort()
                await asyncio.sleep(0)
                return web.Response()
            return web.json_response(fault.body, status=fault.status)
        return await self._answer(request, parts)

    async def _answer(self, request: web.Request, parts: list[str]) -> web.StreamResponse:
        try:
            return await self._route(request, parts)
        except Failure as failure:
            return web.json_response(failure.body, status=failure.status)

    async def _route(self, request: web.Request, parts: list[str]) -> web.StreamResponse:
        raw = await request.read()
        if parts[:4] == ["_matrix", "client", "v1", "media"]:
            return self._download("/".join(parts[5:7]))
        if parts[:4] == ["_matrix", "media", "v3", "upload"]:
            mxc = f"{self.name}/{secrets.token_hex(8)}"
            self.media[mxc] = raw
            return web.json_response({"content_uri": f"mxc://{mxc}"})
        if parts[:2] == ["_matrix", "federation"]:
            name = "Conduit" if self.conduit else "Synapse"
            return web.json_response({"server": {"name": name, "version": self.version}})
        if parts == ["_matrix", "key", "v2", "server"]:
            return web.json_response({"server_name": self.name})
        if parts == ["_matrix", "client", "versions"]:
            return web.json_response({"versions": ["v1.11"]})
        body = json.loads(raw) if raw else {}
        method, rest = request.method, parts[3:]
        if parts[2] == "v1" and rest[0] == "rooms":
            return self._hierarchy(rest[1])
        if rest == ["keys", "query"]:
            return web.json_response({"device_keys": {}})  # nobody encrypts
        if rest[0] == "login":
            return self._login(body)
        if rest[0] == "profile" and method == "GET":
            if rest[1] not in self.accounts:
                raise Failure(404, "M_NOT_FOUND" if self.conduit else "M_UNKNOWN")
            return web.json_response({"displayname": rest[1]})
        if rest[:2] == ["register", "available"]:
            if f"@{request.query['username']}:{self.name}" in self.accounts:
                raise Failure(400, "M_USER_IN_USE")
            return web.json_response({"available": True})
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self.sessions:
            raise Failure(401, "M_UNKNOWN_TOKEN")
        mxid, device = self.sessions[token]
        if rest[0] == "rooms":
            query = dict(request.query)
            return self._in_room(method, rest[1], rest[2:], mxid, device, body, query)
        return self._of_account(method, rest, mxid, device, token, body)

    def _of_account(
        self, method: str, rest: list[str], mxid: str, device: str, token: str, body: Json
    ) -> web.Response:
        if rest == ["joined_rooms"]:
            inside = [r.id for r in self.rooms.values() if r.membership(mxid) == "join"]
            return web.json_response({"joined_rooms": inside})
        if rest[:1] == ["join"]:
            return self._in_room("POST", rest[1], ["join"], mxid, device, body, {})
        if rest == ["account", "whoami"]:
            return web.json_response({"user_id": mxid, "device_id": device})
        if rest == ["createRoom"]:
            return web.json_response({"room_id": self._make(mxid, body)})
        if rest[:2] == ["directory", "room"]:
            if rest[2] not in self.aliases:
                raise Failure(404, "M_NOT_FOUND")
            return web.json_response({"room_id": self.aliases[rest[2]], "servers": [self.name]})
        if rest == ["account", "password"]:
            if "auth" not in body:
                flows = [{"stages": ["m.login.password"]}]
                return web.json_response({"flows": flows, "session": "s1"}, status=401)
            account = self.accounts[mxid]
            if body["auth"]["password"] != account.password or body["auth"]["session"] != "s1":
                raise Failure(403, "M_FORBIDDEN")
            account.password = body["new_password"]
            return web.json_response({})
        if rest == ["logout"]:
            del self.sessions[token]
            return web.json_response({})
        if rest[:1] == ["user"] and rest[2] == "account_data":
            data = self.accounts[mxid].data
            if method == "PUT":
                data[rest[3]] = body
                return web.json_response({})
            if rest[3] not in data:
                raise Failure(404, "M_NOT_FOUND")
            return web.json_response(data[rest[3]])
        if rest == ["publicRooms"]:
            return web.json_response({"chunk": []})
        if rest == ["capabilities"]:
            versions = {"default": "12" if self.conduit else "10"}
            return web.json_response({"capabilities": {"m.room_versions": versions}})
        if rest == ["devices"]:
            own = {d for who, d in self.sessions.values() if who == mxid}
            return web.json_response({"devices": [{"device_id": d} for d in sorted(own)]})
        if rest[:1] == ["profile"] and rest[1] == mxid:
            return web.json_response({})
        raise Failure(404, "M_UNRECOGNIZED")

    def _login(self, body: Json) -> web.Response:
        user = body["identifier"]["user"]
        mxid = user if user.startswith("@") else f"@{user}:{self.name}"
        account = self.accounts.get(mxid)
        if account is not None and account.deactivated:
            raise Failure(403, "M_USER_DEACTIVATED")
        if account is None or account.password != body["password"]:
            raise Failure(403, "M_FORBIDDEN")
        token = secrets.token_hex(8)
        session = (mxid, body.get("device_id") or secrets.token_hex(4))
        self.sessions = {t: s for t, s in self.sessions.items() if s != session}
        self.sessions[token] = session
        device = self.sessions[token][1]
        return web.json_response({"user_id": mxid, "access_token": token, "device_id": device})

    def _download(self, mxc: str) -> web.Response:
        if mxc not in self.media:
            raise Failure(404, "M_NOT_FOUND", "Media not found.")
        return web.Response(body=self.media[mxc])

    def _hierarchy(self, room: str) -> web.Response:
        place = self.rooms.get(room)
        rule = place and place.state.get(("m.room.join_rules", ""), {}).get("content", {})
        if not place or not rule or rule.get("join_rule") != "public":
            raise Failure(403, "M_FORBIDDEN", "The requested room was not found")
        name = place.state.get(("m.room.name", ""), {}).get("content", {}).get("name")
        joined = sum(e["content"].get("membership") == "join" for e in place.state.values())
        found = {"room_id": room, "name": name, "num_joined_members": joined}
        return web.json_response({"rooms": [found]})

    # --- rooms

    def _may_invite(self, mxid: str) -> None:
        if mxid in self.closed:
            raise Failure(403, "M_INVITE_BLOCKED", "This user is not permitted to be invited")

    def _make(self, creator: str, body: Json) -> str:
        version = body.get("room_version", "12")
        room = f"!{secrets.token_hex(8)}" + ("" if version == "12" else f":{self.name}")
        self.rooms[room] = Room(room, version)
        create = {"room_version": version, **body.get("creation_content", {})}
        if version == "10":
            create["creator"] = creator
        self.put(room, creator, "m.room.create", create, "")
        self.join(room, creator)
        levels = {
            "users": {} if version == "12" else {creator: 100},
            **body.get("power_level_content_override", {}),
        }
        self.put(room, creator, "m.room.power_levels", levels, "")
        rule = "public" if body.get("preset") == "public_chat" else "invite"
        self.put(room, creator, "m.room.join_rules", {"join_rule": rule}, "")
        if "name" in body:
            self.put(room, creator, "m.room.name", {"name": body["name"]}, "")
        for event in body.get("initial_state", ()):
            self.put(room, creator, event["type"], event["content"], event.get("state_key", ""))
        for mxid in body.get("invite", ()):
            self._may_invite(mxid)
            self.put(room, creator, "m.room.member", {"membership": "invite"}, mxid)
        return room

    def _in_room(
        self,
        method: str,
        room: str,
        rest: list[str],
        mxid: str,
        device: str,
        body: Json,
        query: dict[str, str],
    ) -> web.Response:
        place = self.rooms.get(room)
        if place is None:
            raise Failure(500 if self.conduit else 403, "M_UNKNOWN")
        inside = place.membership(mxid) == "join"
        if rest == ["messages"]:
            return self._messages(place, mxid, query)
        if rest == ["join"]:
            if place.membership(mxid) not in ("invite", "join"):
                raise Failure(403, "M_FORBIDDEN")
            self.join(room, mxid)
            return web.json_response({"room_id": room})
        if rest[0] == "event" and (inside or self.conduit):
            # Conduit looks in all rooms, whichever the address names.
            places = self.rooms.values() if self.conduit else [place]
            found = [(p, e) for p in places for _, e in p.events if e["event_id"] == rest[1]]
            if found and not self._sees(found[0][0], mxid, found[0][1]):
                raise Failure(403, "M_FORBIDDEN")
            if not found:
                raise Failure(404, "M_NOT_FOUND")
            return web.json_response(found[0][1])
        if not inside:
            raise Failure(403, "M_FORBIDDEN")
        if rest == ["state"]:
            return web.json_response(list(place.state.values()))
        if rest[0] == "state" and method == "PUT":
            key = rest[2] if len(rest) > 2 else ""
            return web.json_response({"event_id": self.put(room, mxid, rest[1], body, key)})
        if rest[0] == "state":
            event = place.state.get((rest[1], rest[2] if len(rest) > 2 else ""))
            if event is None:
                raise Failure(404, "M_NOT_FOUND")
            return web.json_response(event["content"])
        if rest[0] == "leave":
            self.leave(room, mxid)
            return web.json_response({})
        if rest[0] == "kick":
            self.leave(room, body["user_id"], by=mxid)
            return web.json_response({})
        if rest[0] == "invite":
            self._may_invite(body["user_id"])
            self.put(room, mxid, "m.room.member", {"membership": "invite"}, body["user_id"])
            return web.json_response({})
        if rest[0] in ("send", "redact"):
            return self._write(place, rest, mxid, device, body)
        raise Failure(404, "M_UNRECOGNIZED")

    def _write(
        self, place: Room, rest: list[str], mxid: str, device: str, body: Json
    ) -> web.Response:
        if len(json.dumps(body)) > 65_535:
            raise Failure(413, "M_TOO_LARGE")
        redacts = rest[0] == "redact"
        if not self._may_send(place, mxid, "m.room.redaction" if redacts else rest[1]):
            raise Failure(403, "M_FORBIDDEN", "Event is not authorized.")
        # Conduit: neither room nor type are in the scope of a txn id, and /redact has none.
        scope: tuple[str, ...] = (mxid, device, rest[2])
        if not self.conduit:
            scope = (*scope, place.id, rest[0], rest[1])
        if scope in self.txns and not (redacts and self.conduit):
            return web.json_response({"event_id": self.txns[scope]})
        if redacts:
            event_id = self._redact(place, mxid, rest[1], body)
        else:
            event_id = self.put(place.id, mxid, rest[1], body)
        self.txns[scope] = event_id
        return web.json_response({"event_id": event_id})

    def _may_send(self, place: Room, mxid: str, kind: str) -> bool:
        if place.version == "12" and place.events[0][1]["sender"] == mxid:
            return True
        levels = place.state[("m.room.power_levels", "")]["content"]
        needed = levels.get("events", {}).get(kind, levels.get("events_default", 0))
        own = levels.get("users", {}).get(mxid, levels.get("users_default", 0))
        return bool(own >= needed)

    def _redact(self, place: Room, mxid: str, event_id: str, body: Json) -> str:
        # Conduit executes it against an event of any room, and only this room has a trace of it.
        rooms = self.rooms.values() if self.conduit else [place]
        events = (event for room in rooms for _, event in room.events)
        found = next((event for event in events if event["event_id"] == event_id), None)
        powers = place.state[("m.room.power_levels", "")]["content"]["users"]
        creator = place.version == "12" and place.events[0][1]["sender"] == mxid
        if not creator and (found is None or found["sender"] != mxid) and powers.get(mxid, 0) < 50:
            raise Failure(403, "M_FORBIDDEN", "User cannot redact this event.")
        content = {"redacts": event_id, **body}
        redaction = self.put(place.id, mxid, "m.room.redaction", content, redacts=event_id)
        if found is not None:
            found["content"] = {}
            found["unsigned"]["redacted_because"] = place.events[-1][1]
        return redaction

    def _sees(self, place: Room, mxid: str, event: Json) -> bool:
        """Shared history. Conduit asks whether one is joined now, and remembers what it found for
        (user, state of the room before the event): so reading from outside hides things for good.
        """
        if event["event_id"] in place.hidden:
            return False
        if not self.conduit:
            return True
        key = (mxid, place.id, place.before.get(event["event_id"], 0))
        return self._may_see.setdefault(key, place.membership(mxid) == "join")

    def _messages(self, place: Room, mxid: str, query: dict[str, str]) -> web.Response:
        if place.membership(mxid) != "join":
            self.read_from_outside.append(place.id)
            if not self.conduit and ("m.room.member", mxid) not in place.state:
                raise Failure(403, "M_FORBIDDEN")
        limit, token = int(query["limit"]), query.get("from")
        back = query["dir"] == "b"
        if back:
            until = self._parse(token) + (not self.conduit) if token else place.events[-1][0] + 1
            page = [(at, event) for at, event in place.events if at < until][-limit:][::-1]
        else:
            position = self._parse(token or "")
            page = [(at, event) for at, event in place.events if at > position][:limit]
        # The page is cut first and filtered afterwards; an empty one has no end.
        shown = [event for _, event in page if self._sees(place, mxid, event)]
        answer: Json = {"start": "18446744073709551615" if back else token, "chunk": shown}
        if shown:
            # Going back, Synapse's token lies before the last event shown, Conduit's behind it.
            last = page[-1][0]
            answer["end"] = self._token(last - 1 if back and not self.conduit else last)
        return web.json_response(answer)

    def _token(self, position: int) -> str:
        return str(position) if self.conduit else f"t1-{position}_0_0"

    def _parse(self, token: str) -> int:
        before, _, after = token.partition("-")
        text = token if self.conduit else after.removesuffix("_0_0") if before == "t1" else ""
        if not text.isdigit():
            raise Failure(400, "M_INVALID_PARAM" if self.conduit else "M_UNKNOWN")
        return int(text)
