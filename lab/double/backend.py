"""What the double needs of the server behind it: accounts, rooms, files. Two servers can be behind
it: one in memory, and Synapse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass
class File:
    """An uploaded file. `stored`: the bytes are there and not purged."""

    mxc: str
    uploader: str
    name: str
    kind: str
    size: int
    created: float
    accessed: float
    sha256: str
    data: bytes = b""


class Backend(Protocol):
    server: str

    async def status(self, user: str) -> str | None:
        """ "active", "deactivated", or None where there is no such account."""

    async def accounts(self) -> list[str]:
        """Accounts with a password, sorted."""

    async def create(self, user: str, password: str) -> None: ...

    async def set_password(self, user: str, password: str) -> None:
        """Opens a deactivated account again. Sessions stay."""

    async def deactivate(self, user: str, *, leave_rooms: bool) -> None: ...

    async def admins(self) -> set[str]:
        """Joined members of the admin room."""

    async def rooms(self) -> list[tuple[str, int]]:
        """Every room with its number of joined members."""

    async def remove_alias(self, alias: str) -> bool:
        """False where nobody knows the alias."""

    async def event(self, event_id: str) -> dict[str, Any] | None: ...

    async def files(self) -> list[File]: ...

    async def purge(self, mxc: str) -> None: ...

    async def set_blocked(self, mxc: str, blocked: bool) -> None: ...

    async def set_registration(self, enabled: bool) -> None: ...
