"""What is asked about the other side after every doubt, and hourly: its version, the address of
the admin room, and, while the emergency password is set, whether it still is.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from logging import Logger

from ..families.correlator import LOST
from ..families.dialects import dialect_of
from ..matrix.api import Homeserver, Refused
from .room import AdminRoom
from .sending import Sending

_HOUR, _EMERGENCY = 3600.0, 60.0  # seconds between looks, and while the password is set
_ADDRESS = 3.0  # seconds for the answer where an address leads
_VERSION = re.compile(r"@conduit:\S+: (\S+)\n?")


class Watch:
    """looked: the first look is over."""

    def __init__(
        self, room: AdminRoom, sending: Sending, homeserver: Homeserver, log: Logger
    ) -> None:
        self._room, self._sending, self._hs, self._log = room, sending, homeserver, log
        self._thorough = True  # the first look is
        self.looked = asyncio.Event()

    async def run(self, beat: asyncio.Event, then: Callable[[bool], Awaitable[None]]) -> None:
        """After each beat, and from time to time; until cancelled.

        then: looks at whatever else may have changed; True: at all of it, at the start and hourly,
        False: at what a restart of the server changes.
        """
        while True:
            try:
                emergency = self._room.health.emergency
                await asyncio.wait_for(beat.wait(), _EMERGENCY if emergency else _HOUR)
            except asyncio.TimeoutError:
                self._thorough |= not emergency
            beat.clear()
            try:
                await self._check(then)
            except BaseException:
                beat.set()  # it is due still
                raise

    async def _check(self, then: Callable[[bool], Awaitable[None]]) -> None:
        room = self._room
        if not await self.address_holds():
            room.address(False)
        if room.health.answering or not room.health.version:
            await self._see_version()
        if room.health.emergency and room.health.answering:
            await self._try_emergency()
        self.looked.set()
        await then(self._thorough)
        self._thorough = False

    async def address_holds(self) -> bool:
        """Whether #admins still means this room: any member of it can delete the alias."""
        alias = f"#admins:{self._room.server}"
        return await self._hs.alias(alias, _ADDRESS) == self._room.room

    async def _see_version(self) -> None:
        version = await self._version()
        if version is not None:
            self._room.version_is(version, dialect_of(version))

    async def _version(self) -> str | None:
        try:
            name, version = await self._hs.version()
        except Refused:
            name = ""  # no federation: Conduit has no such route then
        if name == "Conduit":
            return version
        if self._room.health.emergency:
            return None  # an answer would be a command
        answer = await self._sending.ask("version", ("--version",))
        found = _VERSION.fullmatch(str(answer[1].get("body"))) if answer else None
        return found.group(1) if found else None

    async def _try_emergency(self) -> None:
        """The answer to `--version` begins like a command. While the emergency password is set,
        the server takes it for one and answers it too: before the echo of a fence, or never.
        With nothing open before it, nobody else's answer can be taken for that one."""
        fences = self._room.fences
        if not await fences.echo():
            return
        answer = await self._sending.ask("emergency", ("--version",))
        if answer is not None and await fences.echo() and self._room.ended.get(answer[0]) == LOST:
            await self._room.emergency(False)
            fences.want()  # and then its version
