"""Encrypted events whose keys come later than they do: kept in order, per sender, for a while.

Keys travel apart from events. Conduit mostly brings them within 100 ms, seconds after a restart,
and now and then never (docs/conduit.md, "Encryption"). Only what is encrypted waits, behind what
its sender encrypted before; what can be read passes at once: a tap, a ban, a lowered power. One
thing goes with what it is about: the redaction of an event that waits.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ..model.event import RoomEvent

ENCRYPTED = "m.room.encrypted"
SOON, OFTEN = 5.0, 0.1  # for the first 5 s it is tried every 0.1 s,
PATIENCE, RARELY = 65.0, 1.0  # then every 1 s until 65 s are over, then given up
MOST = 200  # events of one sender that wait; what comes then is given up at once

Unseal = Callable[[RoomEvent], Awaitable[RoomEvent]]


class NoKey(Exception):
    """Cannot be decrypted yet."""


class Late:
    """unseal: decrypts, or raises NoKey; None takes events as they are."""

    def __init__(self, unseal: Unseal | None, now: Callable[[], float]) -> None:
        self._unseal, self._now = unseal, now
        self._queues: dict[str, list[tuple[RoomEvent, float]]] = {}
        self._head = ""  # the sender whose first event `next` gave out

    def __bool__(self) -> bool:
        return bool(self._queues)

    @property
    def senders(self) -> frozenset[str]:
        """Whose events wait."""
        return frozenset(self._queues)

    async def take(self, event: RoomEvent) -> RoomEvent | None:
        """The event in clear; None if it waits from now on."""
        sender, arrived = self._behind(event), (event, self._now())
        if sender is None:
            return event
        if len(self._queues.get(sender, ())) >= MOST:
            return event
        if sender in self._queues:
            self._queues[sender].append(arrived)
            return None
        opened = await self._open(*arrived)
        if opened is None:
            self._queues[sender] = [arrived]
        return opened

    def _behind(self, event: RoomEvent) -> str | None:
        """Whose events must be handled before this one."""
        if event.type == ENCRYPTED and event.content:  # an emptied one has no key
            return event.sender
        waits = (
            sender
            for sender, queue in self._queues.items()
            for waiting, _ in queue
            if waiting.id == event.removes
        )
        return next(waits, None)

    async def next(self) -> RoomEvent | None:
        """The next event that can be handled: in clear, or still encrypted if it is given up.

        It stays here until `done`.
        """
        for sender, queue in list(self._queues.items()):
            opened = await self._open(*queue[0])
            if opened is not None:
                self._head = sender
                return opened
        return None

    def done(self) -> None:
        queue = self._queues[self._head]
        del queue[0]
        if not queue:
            del self._queues[self._head]

    def delay(self) -> float:
        """Seconds until the next try."""
        if not self._queues:
            return float("inf")
        youngest = max(queue[0][1] for queue in self._queues.values())
        return OFTEN if self._now() - youngest < SOON else RARELY

    def clear(self) -> None:
        self._queues.clear()

    async def _open(self, event: RoomEvent, since: float) -> RoomEvent | None:
        if self._unseal is None or event.type != ENCRYPTED:
            return event
        try:
            return await self._unseal(event)
        except NoKey:
            return event if self._now() - since >= PATIENCE else None
