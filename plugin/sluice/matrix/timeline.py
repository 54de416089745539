"""Reads one room's timeline in order, each event once, and remembers where it was.

Sync is a doorbell only: it loses, repeats and delays events, the timeline does not
(docs/conduit.md, "Sync and the timeline"). So one task a room pages forward from a stored cursor,
when a bell rings and without one. What an event causes and the fact that it was seen are one
commit, with the cursor whenever it can move; a crash reads a page again and skips what was done.

Two things can end a timeline without an error: a server restored from a backup counts anew, and a
page that holds only invisible events looks like the end. The watchdog finds both.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable

from ..db.connection import Database, StorageFailed, Tx
from ..model.event import RoomEvent
from . import cursor as store
from .api import PAGE, Homeserver, MatrixError, Page, RateLimited, Refused, passing
from .beside import Beside, Work
from .cursor import Cursor
from .late import Late, Unseal
from .model import Gap, Handled, Handler, Later, NotJoined
from .schedule import Schedule

# Seconds.
ASK = 15.0  # with empty pages and without a bell, whether we are in the room is asked every
WATCH, WATCH_BELL = 3600.0, 5.0  # the watchdog looks every hour; after a bell every 5 s at most
FLUSH, FLUSH_IDLE = 5.0, 600.0  # a cursor that moved, and one that did not, is stored after
KEEP_SEEN = 30 * 86400.0
RECENT = 10 * PAGE  # event ids kept in memory
UNSTORED = 1000  # events that wait for the database, at most; behind them nothing is read

log = logging.getLogger("sluice.timeline")


class Reader:
    """The one reader of one room.

    handler: see Handler. A MatrixError that may pass, or StorageFailed, makes the event come again
    later; any other exception is `broken`'s: (event id, class of the error) -> what to store. So
    is one of reading itself, with no event id.
    gap: what to store when the cursor is set anew. unseal: decrypts, or raises NoKey. moved: we
    are in the room, or are not any more: rings when that changes.
    passes_by: while the database fails, what stands behind an event that cannot be stored is given
    to the handler too: it may answer without storing. What must be stored keeps its order.
    expects: asked after each read whether anything is expected in the room; while nothing is, it
    is read when a bell rings, and hardly ever without one.
    """

    def __init__(
        self,
        homeserver: Homeserver,
        database: Database,
        room: str,
        handler: Handler,
        *,
        gap: Callable[[Gap], Awaitable[Handled | None]],
        broken: Callable[[str, str], Awaitable[Handled | None]],
        unseal: Unseal | None = None,
        moved: Callable[[], None] = lambda: None,
        poll: float = 2.0,
        expects: Callable[[], Awaitable[bool]] | None = None,
        passes_by: bool = False,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.room = room
        self.failing_since: float | None = None  # reads fail since then
        self._bug = ""  # class of an error of ours that was told since then
        self.joined = False
        self._hs, self._db, self._now = homeserver, database, now
        self._handler, self._gap, self._broken = handler, gap, broken
        self._moved, self._late = moved, Late(unseal, now)
        self._cursor: Cursor | None = None
        # Where to begin again while events wait: for keys, for look-ups, for the database.
        self._held: Cursor | None = None
        self._recent: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._beside = Beside(self._wake.set)
        self._rang = {""}  # the events behind the bells, "" for one that names none
        self._doubt = self._suspect = self._unsure = True
        self._at_end = self._stopping = False
        self._schedule = Schedule(poll, now())
        self._expects, self._passes_by = expects, passes_by
        self._stored: Cursor | None = None
        self._tried: set[str] = set()  # events whose commit failed; it may hold all the same
        self._unstored: list[RoomEvent] = []  # passed by, and to be handled from the start
        self._asked = self._watched = self._saved = self._read_at = now()
        self._waiting: list[asyncio.Future[None]] = []
        self._task: asyncio.Task[None] | None = None

    # --- what others tell it

    def doorbell(self, events: Iterable[str] = ("",), *, active: bool = True) -> None:
        """Something may have happened: read at once, once more if a read is under way.

        events: what rang, if that is known. A bell for what was read already is none. active:
        somebody else did something, and may go on.
        """
        self._rang.update(events)
        if active:
            self._schedule.active(self._now())
        self._wake.set()

    def _rings(self) -> bool:
        self._rang = {event for event in self._rang if event not in self._recent}
        return bool(self._rang)

    def urgent(self, on: bool) -> None:
        """While on, something is awaited: read after 15 ms, then less and less often."""
        self._schedule.hurry() if on else self._schedule.calm()
        self._wake.set()

    def doubt(self) -> None:
        """We may have been removed: ask before the next read (reading from outside does harm)."""
        self._doubt = True
        self.doorbell(active=False)

    def suspect(self) -> None:
        """The server may have restarted, or what should be there is not: let the watchdog look."""
        self._suspect = True
        self.doorbell(active=False)

    async def catch_up(self) -> None:
        """Returns when everything that stands in the room at this moment has been handled.

        Raises NotJoined. While reads fail it goes on waiting.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(done)
        self.doorbell(active=False)
        await done

    @property
    def waits_for_keys(self) -> frozenset[str]:
        """Whose events were read and cannot be decrypted yet."""
        return self._late.senders

    async def check(self) -> None:
        """`catch_up` with the watchdog."""
        self.suspect()
        await self.catch_up()

    # --- its life

    async def start(self) -> None:
        await self.load()
        self._task = asyncio.create_task(self._run(), name=f"sluice reads {self.room}")

    async def load(self) -> None:
        """Goes on where the last run stopped."""
        limit = self._now() - KEEP_SEEN
        await self._db.write(lambda tx: store.prune(tx, self.room, limit))
        found = await self._db.read(lambda tx: store.load(tx, self.room))
        if found is not None:
            self._cursor, self._read_at = found
            self._stored = self._cursor
            self._remember(self._cursor.last_event)

    async def stop(self) -> None:
        """Ends after the event in hand. A block that is being committed is never cut short."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=2)
            self._task.cancel()
            await asyncio.wait({self._task})
        await self._beside.clear()
        for done in self._waiting:
            if not done.done():
                done.set_exception(NotJoined("stopped"))

    async def _run(self) -> None:
        clock = asyncio.get_running_loop().time
        due = clock()
        while not self._stopping:
            self._wake.clear()
            try:
                await asyncio.wait_for(self._wake.wait(), max(due - clock(), 0.0))
            except asyncio.TimeoutError:
                pass
            due = min(due, clock() + self.delay())
            if due <= clock() and not self._stopping:
                await self.step()
                due = clock() + self.delay()
        await self._flush_if_possible()

    def delay(self) -> float:
        """Seconds until the next read, if nothing happens."""
        if (self._rings() or self._beside.waits) and not self._schedule.failures:
            return 0.0
        wait = self._schedule.delay(self._now(), joined=self.joined)
        return wait if self._schedule.failures else min(wait, self._late.delay())

    async def step(self) -> None:
        """One read. What goes wrong is kept, and makes the next one come later."""
        rang = self._rings()
        self._rang.clear()
        waiting, self._waiting = self._waiting, []
        self._schedule.reading()
        try:
            await self._read(rang, to_end=bool(waiting) or self._unsure)
        except Exception as exc:
            self._waiting += waiting
            await self._failed(exc)
            return
        if self.failing_since is not None:
            log.info("%s: reading again", self.room)
            self.failing_since, self._bug = None, ""
        self._schedule.worked()
        if self._expects is not None:
            self._schedule.expect(await self._expects())
        for done in waiting:
            if done.done():  # nobody waits any more
                continue
            if not self.joined:
                done.set_exception(NotJoined(self.room))
            elif self._at_end:
                done.set_result(None)
            else:
                self._waiting.append(done)

    async def _failed(self, exc: Exception) -> None:
        self._unsure = self._suspect = True
        self._schedule.failed(exc.retry_after if isinstance(exc, RateLimited) else 0.0)
        self._doubt |= isinstance(exc, Refused)
        known = isinstance(exc, (MatrixError, StorageFailed))
        if self.failing_since is None:
            self.failing_since = self._now()
            log.warning("%s: reading failed: %s", self.room, exc, exc_info=None if known else exc)
        if not known and self._bug != type(exc).__name__:
            await self._tell(type(exc).__name__)

    async def _tell(self, bug: str) -> None:
        """An error of ours that is no event's: the room is read again, and it is told."""
        try:
            handled = await self._broken("", bug)
            if handled is not None:
                await self._db.write(handled.commit)
            self._bug = bug
        except Exception as exc:
            log.error("%s: that could not be told", self.room, exc_info=exc)

    # --- one read

    async def _read(self, rang: bool, to_end: bool) -> None:
        if (self._doubt or not self.joined) and not await self._are_in():
            return
        begun = self._now()
        if self._cursor is None and not await self._go_behind_newest(None):
            return
        if self._suspect and await self._was_replaced():
            return
        await self._handle_unstored()
        await self._handle_late()
        await self._handle_beside()
        if not await self._forward(to_end):
            self._unsure = False
            # Conduit may hide our own exit from us: an empty page is what is left of the room.
            if begun - self._asked >= (0 if rang else ASK) and not await self._are_in():
                return
            if self._suspect or begun - self._watched > (WATCH_BELL if rang else WATCH):
                await self._watch()
        self._read_at = begun
        moved = (self._held or self._cursor) != self._stored
        if self._now() - self._saved > (FLUSH if moved else FLUSH_IDLE):
            await self._flush_if_possible()

    async def _are_in(self) -> bool:
        self._asked = self._now()
        before, self.joined = self.joined, self.room in await self._hs.joined_rooms()
        self._doubt = False
        if self.joined is not before:
            self._moved()
        return self.joined

    async def _handle_unstored(self) -> None:
        """Events that were passed by, in their order, as far as the database takes them."""
        while self._cursor is not None and self._unstored:
            try:
                await self._handle(self._unstored[0], self._cursor)
            except StorageFailed:
                return
            del self._unstored[0]

    async def _handle_late(self) -> None:
        """Events whose keys have come, or are given up."""
        while self._cursor is not None and (event := await self._late.next()) is not None:
            await self._handle(event, self._cursor)
            self._late.done()

    async def _handle_beside(self) -> None:
        """Events whose look-ups are over."""
        while self._cursor is not None and (ready := self._beside.next()) is not None:
            event, work = ready
            if await self._handle(event, self._cursor, work):
                self._beside.done(event)
        if not self._late and not self._beside and not self._unstored:
            self._held = None

    async def _forward(self, to_end: bool) -> bool:
        """Reads pages and has their events handled. True if there were any."""
        found = self._at_end = False
        while self._cursor is not None and not self._stopping:
            token = self._cursor.token
            try:
                page = await self._hs.messages(self.room, token)
            except Refused as exc:
                if exc.status != 400 or not exc.errcode:  # 400: a token of another server
                    raise
                await self._reset("replaced")
                return True
            if page.events:
                found |= await self._take(page, self._cursor)
            ends = not page.events or page.end in (None, token)
            self._at_end = ends and not self._unstored
            short = len(page.events) < PAGE and not to_end
            if ends or short or self._doubt:
                break
        return found

    async def _take(self, page: Page, begin: Cursor) -> bool:
        """Has the events of one page handled that were not yet."""
        events = [event for event in page.events if event.id]
        ids = [event.id for event in events]
        known: set[str] = set()
        if self._unsure and ids:
            known = await self._db.read(lambda tx: store.marked(tx, ids)) - self._tried
        for event_id in known:
            self._remember(event_id)
        new = [event for event in events if event.id not in self._recent]
        after = Cursor(page.end or begin.token, ids[-1] if ids else begin.last_event)
        for event in new:
            if self._stopping:
                return True
            opened = await self._late.take(event)
            cursor = after if event is new[-1] else begin
            if opened is None or not await self._handle_or_pass_by(opened, cursor):
                self._held = self._held or begin
            self._remember(event.id)
            if event.sender != self._hs.mxid:
                self._schedule.active(self._now())
            self._doubt |= event.is_exit(self._hs.mxid)
        self._cursor = after
        if self._doubt:
            self._rang.add("")
        return bool(new)

    async def _handle_or_pass_by(self, event: RoomEvent, cursor: Cursor) -> bool:
        """As `_handle`; False as well for what cannot be stored now and is passed by."""
        try:
            return await self._handle(event, cursor)
        except StorageFailed:
            if not self._passes_by or len(self._unstored) >= UNSTORED:
                raise
            self._unstored.append(event)
            return False

    async def _handle(self, event: RoomEvent, cursor: Cursor, work: Work | None = None) -> bool:
        """Asks the handler (or takes what was done beside), and commits what it wants together
        with the cursor. False: it goes on beside."""
        try:
            handled = await (self._handler(event) if work is None else work)
            if isinstance(handled, Later):
                self._beside.put(event, handled)
                return False
            # While the stored cursor stays behind, state must not be applied again out of order.
            if handled is not None or (self._held is not None and event.is_state):
                await self._commit(event.id, handled, cursor)
        except StorageFailed:
            raise
        except Exception as exc:
            if isinstance(exc, MatrixError) and passing(exc):
                raise
            log.error("%s: event %s was not handled", self.room, event.id, exc_info=exc)
            handled = await self._broken(event.id, type(exc).__name__)
            await self._commit(event.id, handled, cursor)
        return True

    async def _commit(
        self, event_id: str, handled: Handled | None, cursor: Cursor, anew: bool = False
    ) -> None:
        async def block(tx: Tx) -> bool:
            new = await store.mark(tx, self.room, event_id, self._now()) or anew
            if new and handled is not None:
                await handled.commit(tx)
            if (self._held or cursor) != self._stored:
                await self._save(tx, cursor)
            return new

        if self._unstored and event_id != self._unstored[0].id:
            raise StorageFailed("what stands before it is not stored yet")
        again = event_id in self._tried
        self._tried.add(event_id)
        new = await self._db.write(block)
        self._tried.discard(event_id)
        self._stored, self._saved = self._held or cursor, self._now()
        if (new or again) and handled is not None and handled.after is not None:
            try:
                await handled.after()
            except Exception as exc:
                log.error("%s: after event %s", self.room, event_id, exc_info=exc)

    # --- the watchdog

    async def _watch(self) -> None:
        """Is the end of the pages the end of the room?"""
        if await self._was_replaced():
            return
        page = await self._hs.newest(self.room)
        newest = page.events[0].id if page.events else ""
        # Invisible itself, or known; or it came just now, and a page has it.
        if newest and newest not in self._recent and not await self._forward(True):
            await self._reset("invisible")
            return
        self._watched, self._suspect = self._now(), False

    async def _was_replaced(self) -> bool:
        """The server does not know what we read last. Asked before anything is read after a
        start or a failure: a restored server may have counted past our token again.
        """
        last = self._cursor.last_event if self._cursor is not None else ""
        try:
            if not last or await self._hs.event(self.room, last) is not None:
                return False
        except Refused as exc:
            if exc.status == 403:  # there, but hidden from us
                return False
            raise
        await self._reset("replaced")
        return True

    async def _reset(self, why: str) -> None:
        gap = Gap(self.room, self._read_at, self._now(), why)
        log.error("%s: timeline %s, nothing read since %s", self.room, why, gap.since)
        await self._go_behind_newest(gap)

    async def _go_behind_newest(self, gap: Gap | None) -> bool:
        """A room never read before begins behind its newest event; a replaced one again.

        The newest event's id is kept, because Synapse's token lies before it. If it is invisible
        there is no token, and the next read tries again.
        """
        page = await self._hs.newest(self.room)
        if page.end is None:
            return False
        cursor = Cursor(page.end, page.events[0].id if page.events else "")
        handled = None if gap is None else await self._gap(gap)
        self._late.clear()
        self._unstored.clear()
        self._held = None
        await self._commit(cursor.last_event, handled, cursor, anew=True)
        self._cursor = cursor
        self._remember(cursor.last_event)
        self._watched, self._suspect = self._now(), False
        return True

    # --- what is stored

    async def flush(self) -> None:
        """Stores the cursor."""
        if self._cursor is not None:
            cursor = self._cursor
            await self._db.write(lambda tx: self._save(tx, cursor))
            self._stored, self._saved = self._held or cursor, self._now()

    async def _flush_if_possible(self) -> None:
        try:
            await self.flush()
        except StorageFailed as exc:  # reading goes on: what is read may need an answer only
            log.debug("%s: the cursor is not stored: %s", self.room, exc)
            self._saved = self._now()

    async def _save(self, tx: Tx, cursor: Cursor | None) -> None:
        if (cursor := self._held or cursor) is not None:
            await store.save(tx, self.room, cursor, self._read_at)

    def _remember(self, event_id: str) -> None:
        self._recent[event_id] = None
        while len(self._recent) > RECENT:
            del self._recent[next(iter(self._recent))]
