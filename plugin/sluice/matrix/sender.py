"""Sends what the outbox holds: one task, each room in its order, until the server has it.

A row is tried again after whatever may pass (no answer, 429, 5xx), with its own txn id. In a room
where the bot may not speak now it is kept, with all behind it, and tried now and then; whoever
reads it later is told so. What will never pass is dropped, with the reason in the log.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Coroutine, Sequence

from attrs import frozen

from ..db.connection import Database, StorageFailed
from ..supervise import Loop
from ..text.message import Message
from .api import Homeserver, MatrixError, RateLimited, Refused, passing
from .encryption import MESSAGE, Encryption, NoCrypto
from .outbox import EDIT, EVENT, MARK, REACT, REDACT, SAY, Fate, Outbox, Outgoing

BATCH = 50
BACK_OFF, BACK_OFF_MOST = 0.5, 60.0  # seconds
TRIES = 8  # of what fails here and not at the server
# What is no message: its type, and how often it is tried while we may not know that we may not.
_OTHERS = {REACT: ("m.reaction", 2), REDACT: ("m.room.redaction", 2)}

log = logging.getLogger("sluice.sender")


@frozen
class Speech:
    """What the sender asks of the rooms it sends into, and tells.

    may: whether our messages can stand in a room, as far as its state tells. able: the same of
    events of one type. held: what is said ahead of messages that were kept back. refused: told the
    room in which the server refused us (403). failed: told what kind of error was made here, and
    not by the server.
    """

    may: Callable[[str], bool] = lambda room: True
    able: Callable[[str, str], bool] = lambda room, kind: True
    held: Callable[[str], Message | None] = lambda room: None
    refused: Callable[[str], None] = lambda room: None
    failed: Callable[[str], None] = lambda error: None


class Sender:
    def __init__(
        self,
        homeserver: Homeserver,
        database: Database,
        encryption: Encryption,
        outbox: Outbox,
        speech: Speech = Speech(),
        now: Callable[[], float] = time.time,
    ) -> None:
        self._hs, self._db, self._encryption = homeserver, database, encryption
        self._outbox, self._speech, self._now = outbox, speech, now
        self._retry: dict[str, tuple[int, float]] = {}  # room -> failures in a row, when again
        self._kept: set[str] = set()  # rooms where we might not speak when it was last tried
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    def start(
        self, supervise: Callable[[str, Loop], Coroutine[object, None, None]] | None = None
    ) -> None:
        """After the rooms were read: what arrived before a crash is known then. supervise: keeps
        the loop alive."""
        run = self._run() if supervise is None else supervise("sends messages", self._run)
        self._task = asyncio.create_task(run, name="sluice sends")

    async def stop(self) -> None:
        self._stopping = True
        self._outbox.wake.set()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=2)
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        while not self._stopping:
            self._outbox.wake.clear()
            try:
                wait = await self.drain()
            except StorageFailed as exc:
                log.warning("the outbox cannot be read: %s", exc)
                wait = 1.0
            if not self._stopping:
                try:
                    await asyncio.wait_for(self._outbox.wake.wait(), wait)
                except asyncio.TimeoutError:
                    pass

    def _stumbled(self, where: str, exc: BaseException) -> None:
        log.error("%s: an error of mine, and it goes on", where, exc_info=exc)
        self._speech.failed(type(exc).__name__)

    async def drain(self) -> float | None:
        """Sends what waits, in every room that may be tried now.

        Returns the seconds until the next room may be tried, None if nothing waits. No room's
        trouble is another's: each ends before this does, and is tried again by itself.
        """
        rooms = await self._db.read(self._outbox.rooms)
        for room in self._outbox.refused.keys() - rooms:
            del self._outbox.refused[room]  # nothing waits there that could tell
        self._kept |= {room for room in rooms if not self._speech.may(room)}
        for room in self._kept & rooms:
            if self._speech.may(room):  # it may speak again, and need not wait to find out
                self._retry.pop(room, None)
        now = self._now()
        ready = [room for room in sorted(rooms) if self._retry.get(room, (0, now))[1] <= now]
        ended = await asyncio.gather(*map(self._drain, ready), return_exceptions=True)
        for room, error in zip(ready, ended, strict=True):
            if isinstance(error, StorageFailed):
                log.warning("%s: what was sent is not stored yet: %s", room, error)
                self._retry[room] = (1, now + 1.0)
            elif isinstance(error, Exception):
                self._stumbled(room, error)
                self._again(room, 0.0)
        self._retry = {room: when for room, when in self._retry.items() if room in rooms}
        waits = [again - now for _, again in self._retry.values()]
        return max(0.0, min(waits)) if waits else None

    async def _drain(self, room: str) -> None:
        while not self._stopping:
            rows = await self._db.read(lambda tx: self._outbox.waiting(tx, room, BATCH))
            if room in self._kept and await self._say_held(rows):
                continue
            if not rows:
                self._retry.pop(room, None)
                self._kept.discard(room)
                return
            done: list[Fate] = []
            wait = await self._send_all(rows, done)
            if done:
                await self._db.write(lambda tx: self._outbox.settle(tx, done))  # noqa: B023 (awaited here)
                self._outbox.known.extend(each.row.txn for each in done if each.event_id)
                self._retry.pop(room, None)
            if wait is not None:
                self._again(room, wait)
                return

    def _again(self, room: str, wait: float) -> None:
        """The next try of a room, each time later."""
        failures = self._retry.get(room, (0, 0.0))[0] + 1
        wait = max(wait, min(BACK_OFF * 2.0 ** (failures - 1), BACK_OFF_MOST))
        self._retry[room] = (failures, self._now() + wait)

    async def _send_all(self, rows: Sequence[Outgoing], done: list[Fate]) -> float | None:
        """Sends rows in order, until one must be tried again: returns the seconds to wait."""
        for row in rows:
            if self._stopping:
                return 0.0
            later = (other for other in rows if other.id > row.id)
            if row.kind == EDIT and any(
                other.kind == EDIT and other.key == row.key for other in later
            ):
                done.append(Fate(row, error="superseded"))
                continue
            try:
                done.append(Fate(row, await self._send(row, done)))
            except Exception as exc:
                failures = 0 if done else self._retry.get(row.room, (0, 0.0))[0]
                if self._is_kept(row, exc, failures):
                    await self._keep(rows, done, exc)
                    return 0.0
                error = self._give_up(row, exc, failures)
                if not error:
                    return exc.retry_after if isinstance(exc, RateLimited) else 0.0
                done.append(Fate(row, error=error))
            self._kept.discard(row.room)
            self._outbox.refused.pop(row.room, None)
        return None

    # --- where we may not speak

    def _is_kept(self, row: Outgoing, exc: Exception, failures: int) -> bool:
        """Whether a row waits until we may speak there. Where the room's state says that we may,
        we have not read yet why we cannot, or it is this one that the server refuses: then it is
        dropped after a while.
        """
        denied = isinstance(exc, Refused) and exc.status == 403
        if not denied and not isinstance(exc, NoCrypto):
            return False
        room = row.room
        if denied:
            self._speech.refused(room)
        if not self._speech.may(room):
            return True
        kind, tries = _OTHERS.get(row.kind, (MESSAGE, TRIES))
        kind, tries = (row.key, 2) if row.kind == EVENT else (kind, tries)
        return denied and failures < tries and self._speech.able(room, kind)

    async def _keep(self, rows: Sequence[Outgoing], done: list[Fate], exc: Exception) -> None:
        """Nothing of a room passes but what may stand in clear where we cannot encrypt."""
        room, sent = rows[0].room, {each.row.txn for each in done}
        left = [row for row in rows if row.txn not in sent]
        if room not in self._outbox.refused:
            log.warning("%s: kept until I may speak there: %s", room, exc)
        self._outbox.refused[room] = str(exc)
        if self._speech.may(room):
            return
        self._kept.add(room)
        try:
            for row in left:
                if row.clear and isinstance(exc, NoCrypto):
                    done.append(Fate(row, await self._send(row, done)))
        except MatrixError as error:
            log.warning("%s: not sent yet: %s", room, error)
        await self._say_held(left)

    async def _say_held(self, rows: Sequence[Outgoing]) -> bool:
        """A word ahead of the messages that wait, once: that they were held back."""
        waits = [row for row in rows if row.kind == SAY and not row.clear]
        if not waits or any(row.id < 0 for row in rows):
            return False
        room, first = waits[0].room, waits[0].txn
        said = self._speech.held(room)
        if said is None:
            return False
        return await self._db.write(lambda tx: self._outbox.hold_back(tx, room, first, said))

    def _give_up(self, row: Outgoing, exc: Exception, failures: int) -> str:
        """Why this row is dropped; "" if it is tried again."""
        if isinstance(exc, MatrixError):
            if passing(exc):
                if failures == 0:
                    log.warning("%s: not sent yet: %s", row.room, exc)
                return ""
            error = str(exc)
            if isinstance(exc, Refused) and exc.errcode == "M_DUPLICATE_ANNOTATION":
                return error  # Synapse: the reaction is there already
        elif isinstance(exc, (NoCrypto, LookupError)):
            error = f"{type(exc).__name__}: {exc}"
        elif failures < TRIES:
            log.warning("%s: not sent yet", row.room, exc_info=exc)
            return ""
        else:
            error = type(exc).__name__
        log.error("%s: %s of %s is dropped: %s", row.room, row.kind, row.key, error)
        return error

    async def _send(self, row: Outgoing, done: Sequence[Fate]) -> str:
        room, kind, txn = row.room, row.kind, row.txn
        content: dict[str, object] = {**json.loads(row.content), MARK: txn}
        if kind == REDACT:
            target = await self._event(row, done)
            return await self._hs.redact(room, target, txn, str(content.get("reason", "")))
        if kind == REACT:
            target = await self._event(row, done)
            content["m.relates_to"] = {
                "rel_type": "m.annotation",
                "event_id": target,
                "key": row.emoji,
            }
            return await self._hs.send(room, "m.reaction", content, txn)
        if kind == EVENT:
            return await self._hs.send(room, row.key, content, txn)
        if kind == EDIT:
            target = await self._event(row, done)
            content["m.relates_to"] = {"rel_type": "m.replace", "event_id": target}
        try:
            form, content = await self._encryption.seal(room, content)
        except NoCrypto:
            if not row.clear:
                raise
            form = MESSAGE
        return await self._hs.send(room, form, content, txn)

    async def _event(self, row: Outgoing, done: Sequence[Fate]) -> str:
        """The event that a row acts on; LookupError if it was never sent."""
        key = row.key
        if key.startswith("$"):
            return key
        for each in done:
            if each.event_id and (each.row.txn == key or _names(each.row, key)):
                return each.event_id
        found = await self._db.read(lambda tx: self._outbox.event_for(tx, row))
        if found is None:
            raise LookupError("what it acts on was not sent")
        return found


def _names(row: Outgoing, key: str) -> bool:
    return row.kind == SAY and row.key == key
