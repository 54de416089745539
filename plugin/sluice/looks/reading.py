"""From a typed line to an invocation: `parse`, with what only the server and this room know.

A line can leave to the server addresses, and messages whose files are meant. All of it is found in
one reading of the line, in which each of them stands for itself, so that it can be looked up at
once; what was read so is never run.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TypeVar

from attrs import evolve

from ..catalog.record import Does, OwnCommand
from ..catalog.table import COMMANDS, find
from ..chat import refusals
from ..chat.card_text import FileFact
from ..db.connection import Database
from ..matrix.api import Homeserver, MatrixError, Refused
from ..matrix.late import ENCRYPTED, NoKey
from ..matrix.outbox import Outbox
from ..matrix.probes import LIMIT, Probes
from ..model.command import Invocation, Typed
from ..model.event import RoomEvent, object_in
from ..model.ids import EventId, RoomId
from ..model.origin import Origin
from ..requests.topics import topic_of
from ..state import Live, Rooms
from ..text.message import Topic
from ..text.phrases import line, local
from ..typed.parse import AskFirst, Missing, NeedsTopic, NotRun, parse
from ..typed.read import shown_accounts
from .names import called_here

_REMEMBERED = 100  # files
_AT_ONCE = 20  # questions to the server
_MOST_WANTED = 100  # addresses and links of one command
_WITHIN = 60.0  # seconds
_FILE = "mxc://not-looked-up/"
T = TypeVar("T")


class Reading:
    def __init__(
        self,
        live: Live,
        rooms: Rooms,
        outbox: Outbox,
        db: Database,
        homeserver: Homeserver,
        probes: Probes,
        unseal: Callable[[RoomEvent], Awaitable[RoomEvent]],
    ) -> None:
        self._live, self._rooms, self._outbox = live, rooms, outbox
        self._db, self._hs = db, homeserver
        self._probes, self._unseal = probes, unseal
        # in messages that were replied to
        self._posted: OrderedDict[str, FileFact] = OrderedDict()

    async def understand(self, origin: Origin, typed: Typed, *, look: bool = True) -> Invocation:
        """What was typed. Raises NotRun, Missing, AskFirst.

        look: without it the server is asked nothing; for a no, which no look could change.
        """
        typed, about = await self._placed(origin.room, typed)
        try:
            return await self._understood(origin, typed, about, look)
        except NeedsTopic as foreign:
            named = await self._named(origin, foreign.event_id) if look else ()
        try:
            made = await self._understood(origin, typed, Topic(accounts=named), look)
        except AskFirst as first:
            raise AskFirst(first.invocation, *first.lines, bad=first.bad, guessed=True) from None
        asked = line("{name} `{user}`? Tap ✅.", name=COMMANDS[made.command].name, user=named[0])
        where = ("The account stands in the message that you answered. Nothing has run yet.",)
        raise AskFirst(made, asked, where, guessed=True)

    async def _understood(
        self, origin: Origin, typed: Typed, about: Topic | None, look: bool
    ) -> Invocation:
        """about: what the message is about that was answered, if it is known."""

        def parsed(rooms: Mapping[str, str], files: Mapping[str, tuple[str, ...]]) -> Invocation:
            return parse(
                typed,
                server=self._live.server,
                prefix=self._rooms.here(origin.room).prefix,
                rooms=rooms,
                media=files,
                about=about,
                now=self._live.now(),
            )

        wanted = _Wanted()
        try:
            made = parsed(wanted.rooms, wanted.media)
        except (NotRun, Missing, AskFirst):
            if not look or not wanted:
                raise
        else:
            if not look:
                return _as_typed(made)
        if wanted:
            made = parsed(*await in_time(self._look_up(origin, wanted)))
        await in_time(self._one_person_each(origin, typed, made))
        return made

    async def _look_up(
        self, origin: Origin, wanted: _Wanted
    ) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
        if len(wanted) > _MOST_WANTED:
            many = f"{len(wanted)} addresses and links are too many, {_MOST_WANTED} is the most."
            raise NotRun((many,))
        rooms = await each(wanted.rooms, self.resolve)
        files = await each(wanted.media, lambda event: self._files_of(origin, event))
        return rooms, files

    async def _one_person_each(self, origin: Origin, typed: Typed, made: Invocation) -> None:
        """A name that is typed short, and is what somebody else here is called, means two people.
        Raises NotRun."""
        if COMMANDS[made.command].does is Does.MAKES_ACCOUNTS:
            return
        view, text = self._rooms.views[origin.room], "\n".join((*typed.words, *typed.lines))
        for mxid in made.values("user"):
            name = local(mxid, self._live.server)
            if name == mxid or mxid in text:
                continue
            others = [other for other in called_here(view, name) if other != mxid]
            if others and (mxid in view.joined or not await self.is_nobody(mxid)):
                raise refusals.two_people(name, (mxid, *others))

    async def is_nobody(self, mxid: str) -> bool:
        """Whether there is no such account, for sure."""
        try:
            return await self._hs.profile(mxid, LIMIT) is None
        except MatrixError:
            return False

    async def resolve(self, alias: str) -> str:
        """The room behind an address, "" if nobody knows it; phones write names with capitals."""
        try:
            found = await self._probes.alias(alias)
            if not found and alias != alias.lower():
                found = await self._probes.alias(alias.lower())
        except MatrixError:
            return ""
        return found or ""

    async def _placed(self, room: RoomId, typed: Typed) -> tuple[Typed, Topic | None]:
        """The line as an answer to one message, and what that is about if it is ours: the one that
        it replies to, else the one that its thread is on."""
        command = find(typed.word)
        places = [event for event in (typed.reply_to, typed.thread) if event is not None]
        if not (isinstance(command, OwnCommand) and command.stops):
            places = places[:1]  # only a no is never lost
        for event in places:
            if (about := await self.about(room, event)) is not None:
                return evolve(typed, reply_to=event), about
        return evolve(typed, reply_to=places[0] if places else None), None

    async def about(self, room: RoomId, event_id: EventId) -> Topic | None:
        """What a message of ours is about, None if it is not ours."""
        look = partial(topic_of, outbox=self._outbox, room=room, event_id=event_id)
        return await self._db.read(look)

    async def _named(self, origin: Origin, event_id: str) -> tuple[str, ...]:
        """The accounts that a message shows in full, to whoever reads it."""
        event = await in_time(self._message(origin, event_id))
        return () if event is None else shown_accounts(event.content)

    # --- files in messages

    def posted(self, mxc: str) -> FileFact:
        """What is known of a file that somebody here has replied to."""
        return self._posted.get(mxc) or FileFact(mxc)

    async def _files_of(self, origin: Origin, event_id: str) -> tuple[str, ...]:
        """The file of a message; only the event's own `url` counts."""
        event = await self._message(origin, event_id)
        if event is None:
            return ()
        content, info = event.content, object_in(event.content, "info")
        url = content.get("url") or object_in(content, "file").get("url")
        if not isinstance(url, str):
            return ()
        octets, kind = info.get("size"), info.get("mimetype")
        self._posted[url] = FileFact(
            url,
            event.sender,
            str(content.get("filename") or content.get("body") or ""),
            kind if isinstance(kind, str) else None,
            octets if isinstance(octets, int) else None,
            event.at,
        )
        while len(self._posted) > _REMEMBERED:
            self._posted.popitem(last=False)
        return (url,)

    async def _message(self, origin: Origin, event_id: str) -> RoomEvent | None:
        """A message of this room, else of another ops room that they are in, in clear. Of no
        other: what stands in the admin room and in private rooms is nobody's to name. Conduit
        shows an event under any room's address, so the room in its answer counts."""
        try:
            room, views = origin.room, self._rooms.views.items()
            others = (r for r, view in views if r != room and origin.mxid in view.joined)
            for place in (room, *others):
                event = await self._event(place, event_id)
                if event is not None and event.room == place:
                    return await self._unseal(event) if event.type == ENCRYPTED else event
        except (MatrixError, NoKey):
            pass
        return None

    async def _event(self, room: str, event_id: str) -> RoomEvent | None:
        try:
            return await self._hs.event(room, event_id)
        except Refused:  # not of this room
            return None


# --- several looks at once


async def in_time(look: Awaitable[T]) -> T:
    """Raises NotRun."""
    try:
        return await asyncio.wait_for(look, _WITHIN)
    except asyncio.TimeoutError:
        took = f"looking that up took longer than {_WITHIN:.0f} seconds."
        raise NotRun((took,), ("Send it again, or less at once.",)) from None


async def each(keys: Iterable[str], look: Callable[[str], Awaitable[T]]) -> dict[str, T]:
    """What was found for each of them, a few at once."""
    every, found = list(keys), dict[str, T]()
    for start in range(0, len(every), _AT_ONCE):
        some = every[start : start + _AT_ONCE]
        found.update(zip(some, await asyncio.gather(*map(look, some)), strict=True))
    return found


# --- what a line leaves to the server


class _Collected(Mapping[str, T]):
    """Holds whatever is asked for, and keeps what that was."""

    def __init__(self, stands_for: Callable[[str, int], T]) -> None:
        self._stands_for = stands_for
        self._asked: dict[str, T] = {}

    def __contains__(self, key: object) -> bool:
        return True

    def __getitem__(self, key: str) -> T:
        if key not in self._asked:
            self._asked[key] = self._stands_for(key, len(self._asked))
        return self._asked[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._asked)

    def __len__(self) -> int:
        return len(self._asked)

    def __bool__(self) -> bool:
        return True


class _Wanted:
    """rooms: by address. media: by event id."""

    def __init__(self) -> None:
        self.rooms: _Collected[str] = _Collected(lambda alias, _: alias)
        self.media: _Collected[tuple[str, ...]] = _Collected(
            lambda _, number: (f"{_FILE}{number}",)
        )

    def __len__(self) -> int:
        return len(self.rooms) + len(self.media)


def _as_typed(invocation: Invocation) -> Invocation:
    """To be shown: addresses as they were typed, without files that nobody looked up."""
    args = []
    for name, value in invocation.args:
        if isinstance(value, tuple):
            value = tuple(each for each in value if not each.startswith(_FILE))
        if value != ():
            args.append((name, value))
    return evolve(invocation, args=tuple(args))
