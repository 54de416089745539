"""The homeserver, as raw dicts and three kinds of failure.

Own HTTP over mautrix' session and token, because mautrix parses events (one malformed one loses
a page), forgets `retry_after_ms`, and logs bodies. Here no body is ever logged or put into an
exception's text: some hold passwords. Nothing is repeated but a GET: what happened after a failed
PUT is for the caller to find out.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol
from urllib.parse import quote

import aiohttp
from attrs import field, frozen
from yarl import URL

from ..model.event import Json, RoomEvent, event_of, object_in, text_in
from .skew import Skew

Client = Any
"""mautrix' client: it has no types of its own for half of what we use."""
PAGE = 100  # events; Conduit cuts `limit` to this
TIMEOUT = 30.0  # seconds, for everything that is not a probe
BUSY = (429, 500, 502, 503, 504)
V3 = ("_matrix", "client", "v3")
_LOST = (aiohttp.ClientError, asyncio.TimeoutError, OSError)


class MatrixError(Exception):
    """The homeserver did not do it, or did not say that it did."""


class NoResponse(MatrixError):
    """No usable answer: no connection, no time left, no JSON. The request may have run."""


class Refused(MatrixError):
    """An error answer. Conduit may have done it all the same where the status is 4xx or 5xx.

    text: the server's words; foreign, and not in the exception's own text.
    """

    def __init__(self, status: int, errcode: str, text: str) -> None:
        super().__init__(f"{status} {errcode}")
        self.status, self.errcode, self.text = status, errcode, text


class RateLimited(Refused):
    """429. retry_after: seconds to wait, as the server says, else 1."""

    def __init__(self, errcode: str, text: str, retry_after: float) -> None:
        super().__init__(429, errcode, text)
        self.retry_after = retry_after


class NeedsAuth(Refused):
    """401 with a UIAA session: the same request again, with `auth`."""

    def __init__(self, session: str) -> None:
        super().__init__(401, "", "")
        self.session = session


def passing(exc: MatrixError) -> bool:
    """Whether the same request may succeed later (a dead token may be replaced)."""
    return not isinstance(exc, Refused) or exc.status == 401 or exc.status in BUSY


class _Once(str):
    """A method that aiohttp does not take for idempotent, because it is in no set of words.

    By itself aiohttp repeats a PUT whose connection was cut. Whether a line is sent again is for
    the relay to decide (a test shows that nothing is repeated).
    """

    def upper(self) -> str:
        return self

    def __hash__(self) -> int:
        return id(self)

    __eq__ = str.__eq__


@frozen
class Page:
    """Part of a timeline. end: where to go on; None keeps the old token."""

    events: tuple[RoomEvent, ...]
    end: str | None


@frozen
class Login:
    """A login of another account."""

    user_id: str
    token: str = field(repr=False)


class SessionLife(Protocol):
    """Who is told how requests of our own session end (`session`)."""

    def answered(self) -> None: ...
    def lost(self) -> None: ...
    def unknown_token(self) -> None: ...


class Homeserver:
    """The client API as one account sees it. `client` is mautrix'; its api may be replaced."""

    def __init__(
        self,
        client: Client,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        session: SessionLife | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._sleep, self._session = sleep, session
        self.skew = Skew(now)

    @property
    def mxid(self) -> str:
        return str(self._client.mxid)

    @property
    def address(self) -> str:
        """Where the server is reached from here."""
        return str(self._client.api.base_url).rstrip("/")

    async def pause(self, seconds: float) -> None:
        await self._sleep(seconds)

    # --- one request

    async def request(
        self,
        method: str,
        path: tuple[str, ...],
        body: object = None,
        query: Mapping[str, str] | None = None,
        *,
        token: str | None = None,
        kind: str = "application/json",
        timeout: float = TIMEOUT,
        tries: int = 1,
    ) -> object:
        """The parsed JSON of a 2xx answer. body: bytes are sent as they are, as `kind`.

        token: another account's; "" for none. tries: of a GET; the waits between them are short.
        """
        for attempt in range(1, tries + 1):
            try:
                return await self._once(method, path, body, query, token, kind, timeout)
            except MatrixError as exc:
                if attempt == tries or not passing(exc):
                    raise
                wait = exc.retry_after if isinstance(exc, RateLimited) else 0.05 * 4**attempt
            await self.pause(min(wait, 5.0))
        raise AssertionError("no try")

    async def _once(
        self,
        method: str,
        path: tuple[str, ...],
        body: object,
        query: Mapping[str, str] | None,
        token: str | None,
        kind: str,
        timeout: float,
    ) -> object:
        data, headers = body, {}
        if body is not None:
            headers["Content-Type"] = kind
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = self.skew.now()
        try:
            async with self._open(method, path, data, query, token, headers, timeout) as reply:
                self.skew.heard(reply.headers.get("Date"), sent)
                status, raw = reply.status, await reply.read()
        except _LOST as exc:
            if token is None and self._session is not None:
                self._session.lost()
            raise NoResponse(type(exc).__name__) from None
        if token is None and self._session is not None:
            self._told(self._session, status, raw)
        try:
            answer = json.loads(raw)
        except ValueError:
            answer = None
        if not 200 <= status < 300:
            raise _refusal(status, answer if isinstance(answer, dict) else {})
        if not isinstance(answer, (dict, list)):
            raise NoResponse("no JSON")
        return answer

    def _told(self, session: SessionLife, status: int, raw: bytes) -> None:
        if 200 <= status < 300:
            session.answered()
        elif status == 401 and b"M_UNKNOWN_TOKEN" in raw:
            session.unknown_token()

    def _open(
        self,
        method: str,
        path: tuple[str, ...],
        data: object,
        query: Mapping[str, str] | None,
        token: str | None,
        headers: dict[str, str],
        timeout: float,
    ) -> Any:
        api = self._client.api
        token = api.token if token is None else token
        if token:
            headers["Authorization"] = f"Bearer {token}"
        where = api.base_url.raw_path.rstrip("/")
        where += "".join("/" + quote(part, safe="") for part in path)
        url: URL = api.base_url.with_path(where, encoded=True).with_query(query or {})
        limit = aiohttp.ClientTimeout(total=timeout)
        return api.session.request(_Once(method), url, data=data, headers=headers, timeout=limit)

    async def _get(self, *path: str, tries: int = 3, **query: str) -> object:
        return await self.request("GET", path, query=query, tries=tries)

    # --- the timeline

    async def joined_rooms(self) -> tuple[str, ...]:
        rooms = _object(await self._get(*V3, "joined_rooms")).get("joined_rooms")
        if not isinstance(rooms, list):
            raise NoResponse("no joined_rooms")
        return tuple(map(str, rooms))

    async def messages(self, room: str, token: str, limit: int = PAGE) -> Page:
        """What comes after `token`, in order. Never of a room that one is not joined to."""
        query = {"dir": "f", "from": token, "limit": str(limit)}
        return _page(await self.request("GET", (*V3, "rooms", room, "messages"), query=query))

    async def newest(self, room: str, limit: int = 1) -> Page:
        """The newest events that are visible, the newest first, and a token.

        Of one event the token is for going on behind it. `start` is never used: on Conduit the
        room begins there again.
        """
        query = {"dir": "b", "limit": str(limit)}
        return _page(await self.request("GET", (*V3, "rooms", room, "messages"), query=query))

    async def earlier(self, room: str, token: str) -> Page:
        """What comes before the `end` of a page that was read backwards, the newest first."""
        query = {"dir": "b", "from": token, "limit": str(PAGE)}
        return _page(await self.request("GET", (*V3, "rooms", room, "messages"), query=query))

    async def event(self, room: str, event_id: str) -> RoomEvent | None:
        """One event as it is now; None if this room has none of that id.

        Conduit shows whatever room's event one may see, under any room's address: where the answer
        names another room, this one does not have it.
        """
        found = await _or_none(self._get(*V3, "rooms", room, "event", event_id))
        if found is None or found.get("room_id", room) != room:
            return None
        return event_of(found)

    async def state(self, room: str) -> tuple[RoomEvent, ...]:
        """Every state event in full: the only call where 0.9.0 tells who made the room."""
        answer = await self._get(*V3, "rooms", room, "state")
        if not isinstance(answer, list):
            raise NoResponse("no state")
        return tuple(event_of(event) for event in answer if isinstance(event, dict))

    async def state_content(self, room: str, kind: str) -> Json | None:
        return await _or_none(self._get(*V3, "rooms", room, "state", kind, ""))

    # --- writing into rooms

    async def send(self, room: str, kind: str, content: Json, txn: str) -> str:
        """The event id. The same txn on the same device gives the same event, for ever."""
        path = (*V3, "rooms", room, "send", kind, txn)
        return _text(await self.request("PUT", path, content), "event_id")

    async def set_state(self, room: str, kind: str, content: Json) -> None:
        """A repeat makes one more event, also of the same content."""
        await self.request("PUT", (*V3, "rooms", room, "state", kind, ""), content)

    async def redact(self, room: str, event_id: str, txn: str, reason: str = "") -> str:
        """Idempotent on Synapse; on Conduit a repeat adds one more redaction, harmless."""
        body = {"reason": reason} if reason else {}
        path = (*V3, "rooms", room, "redact", event_id, txn)
        return _text(await self.request("PUT", path, body), "event_id")

    async def join(self, room: str) -> None:
        await self.request("POST", (*V3, "rooms", room, "join"), {})

    async def leave(self, room: str) -> None:
        await self.request("POST", (*V3, "rooms", room, "leave"), {})

    async def invite(self, room: str, mxid: str) -> None:
        await self.request("POST", (*V3, "rooms", room, "invite"), {"user_id": mxid})

    async def create_room(self, body: Json) -> str:
        return _text(await self.request("POST", (*V3, "createRoom"), body), "room_id")

    async def upload(self, data: bytes, name: str, kind: str) -> str:
        """The mxc:// address."""
        path, query = ("_matrix", "media", "v3", "upload"), {"filename": name}
        return _text(await self.request("POST", path, data, query, kind=kind), "content_uri")

    # --- accounts and sessions

    async def whoami(self) -> Json:
        return _object(await self._get(*V3, "account", "whoami"))

    async def login(
        self, user: str, password: str, device: str, timeout: float = TIMEOUT
    ) -> Login:
        """device: given, so that a repeated login replaces the first and no devices pile up."""
        body = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": user},
            "password": password,
            "device_id": device,
        }
        path = (*V3, "login")
        got = await self.request("POST", path, body, token="", timeout=timeout)
        return Login(*(_text(got, key) for key in ("user_id", "access_token")))

    async def change_password(
        self, session: Login, old: str, new: str, *, sign_out_others: bool
    ) -> None:
        """Over the session of the account itself, with its old password as proof."""
        body: Json = {"new_password": new, "logout_devices": sign_out_others}
        path = (*V3, "account", "password")
        try:
            await self.request("POST", path, body, token=session.token)
        except NeedsAuth as exc:
            auth = {
                "type": "m.login.password",
                "identifier": {"type": "m.id.user", "user": session.user_id},
                "password": old,
                "session": exc.session,
            }
            await self.request("POST", path, {**body, "auth": auth}, token=session.token)

    async def logout(self, session: Login) -> None:
        await self.request("POST", (*V3, "logout"), {}, token=session.token)

    async def account_data(self, kind: str) -> Json | None:
        return await _or_none(self._get(*V3, "user", self.mxid, "account_data", kind))

    async def set_account_data(self, kind: str, content: Json) -> None:
        await self.request("PUT", (*V3, "user", self.mxid, "account_data", kind), content)

    # --- what anybody may ask; probes.py gives these a meaning

    async def profile(self, mxid: str, timeout: float = TIMEOUT) -> Json | None:
        return await _or_none(self.request("GET", (*V3, "profile", mxid), timeout=timeout))

    async def register_available(self, localpart: str, timeout: float = TIMEOUT) -> None:
        """Returns if the name is free, else raises Refused."""
        query = {"username": localpart}
        path = (*V3, "register", "available")
        await self.request("GET", path, query=query, timeout=timeout)

    async def alias(self, alias: str, timeout: float = TIMEOUT) -> str | None:
        """The room that an alias points to."""
        path = (*V3, "directory", "room", alias)
        found = await _or_none(self.request("GET", path, timeout=timeout))
        return None if found is None else _text(found, "room_id")

    async def hierarchy(self, room: str, timeout: float = TIMEOUT) -> Json | None:
        """Name and members of a public room; None for a private or unknown one."""
        path = ("_matrix", "client", "v1", "rooms", room, "hierarchy")
        query = {"limit": "1", "max_depth": "1"}
        try:
            got = await self.request("GET", path, query=query, timeout=timeout)
        except Refused as exc:
            if exc.status in (403, 404):
                return None
            raise
        rooms = (each for each in _objects(got, "rooms") if each.get("room_id") == room)
        return next(rooms, None)

    async def public_rooms(self, limit: int = 500, timeout: float = TIMEOUT) -> tuple[Json, ...]:
        query = {"limit": str(limit)}
        got = await self.request("GET", (*V3, "publicRooms"), query=query, timeout=timeout)
        return _objects(got, "chunk")

    async def media_status(self, mxc: str, timeout: float = TIMEOUT) -> int:
        """The HTTP status of a download of which nothing is read."""
        server, _, media = mxc.removeprefix("mxc://").partition("/")
        path = ("_matrix", "client", "v1", "media", "download", server, media)
        headers = {"Range": "bytes=0-0"}
        try:
            async with self._open("GET", path, None, None, None, headers, timeout) as reply:
                return int(reply.status)
        except _LOST as exc:
            raise NoResponse(type(exc).__name__) from None

    async def version(self, timeout: float = TIMEOUT) -> tuple[str, str]:
        """Name and version of the server, as it tells other servers."""
        path = ("_matrix", "federation", "v1", "version")
        answer = _object(await self.request("GET", path, token="", timeout=timeout))
        server = object_in(answer, "server")
        return str(server.get("name", "")), str(server.get("version", ""))


def _page(answer: object) -> Page:
    page = _object(answer)
    if not isinstance(page.get("chunk"), list):
        raise NoResponse("no page")
    events = tuple(event_of(event) for event in _objects(page, "chunk"))
    return Page(events, text_in(page, "end") or None)


def _objects(answer: object, key: str) -> tuple[Json, ...]:
    """The objects in the list at this key."""
    found = _object(answer).get(key)
    listed = found if isinstance(found, list) else []
    return tuple(each for each in listed if isinstance(each, dict))


def _object(answer: object) -> Json:
    if not isinstance(answer, dict):
        raise NoResponse("no object")
    return answer


def _text(answer: object, key: str) -> str:
    value = answer.get(key) if isinstance(answer, dict) else None
    if not isinstance(value, str):
        raise NoResponse(f"no {key}")
    return value


def _refusal(status: int, answer: Json) -> Refused:
    errcode, text = str(answer.get("errcode", "")), str(answer.get("error", ""))
    if status == 429:
        wait = answer.get("retry_after_ms")
        seconds = wait / 1000 if isinstance(wait, (int, float)) and wait >= 0 else 1.0
        return RateLimited(errcode, text, seconds)
    if status == 401 and "flows" in answer:
        return NeedsAuth(str(answer.get("session", "")))
    return Refused(status, errcode, text)


async def _or_none(call: Awaitable[object]) -> Json | None:
    """None for what the server says it does not have (a proxy's bare 404 says nothing)."""
    try:
        return _object(await call)
    except Refused as exc:
        if exc.status == 404 and exc.errcode in ("M_NOT_FOUND", "M_UNKNOWN"):
            return None
        raise
