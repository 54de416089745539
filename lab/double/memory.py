"""A server in memory, as the transcripts begin: ana, bot, bob, eve, two rooms, four files."""

from __future__ import annotations

import hashlib
import time
from typing import Any

from .backend import File

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763"
    "f8cfc000000301010018dd8db00000000049454e44ae426082"
)


class MemoryServer:
    def __init__(self, server: str) -> None:
        self.server = server
        self.passwords: dict[str, str | None] = {}  # None: deactivated, or the server user
        self.members: dict[str, set[str]] = {}
        self.aliases: dict[str, str] = {}
        self.events: dict[str, dict[str, Any]] = {}
        self.uploads: dict[str, File] = {}
        self.blocked: set[str] = set()
        self.admin_room = "!adminroomadminroomadminroomadminroomadminr"

    @classmethod
    def of_the_transcripts(cls, server: str) -> MemoryServer:
        self = cls(server)
        me = f"@conduit:{server}"
        ana, bot, bob, eve = (f"@{name}:{server}" for name in ("ana", "bot", "bob", "eve"))
        self.passwords = {me: None} | dict.fromkeys((ana, bot, bob, eve), "only-for-the-lab")
        garden = "!room1room1room1room1room1room1room1room1roo"
        spam = "!room2room2room2room2room2room2room2room2roo"
        self.members = {self.admin_room: {me, ana, bot}, garden: {bob}, spam: {eve, bob}}
        self.aliases = {f"#admins:{server}": self.admin_room, f"#garden:{server}": garden}
        self.events["$event1event1event1event1event1event1event1eve"] = {
            "type": "m.room.message",
            "room_id": garden,
            "sender": bob,
            "content": {"body": "hi", "msgtype": "m.text"},
            "unsigned": {"transaction_id": "1"},
        }
        self.upload("mxcone", bob, "cat.png", "image/png", PNG)
        self.upload("mxctwo", eve, "spam.png", "image/png", PNG + b"x")
        self.upload("mxcthree", eve, "a | b <b>x</b>.pdf", "application/pdf", b"%PDF-1.4")
        self.upload("mxcfour", bob, "note.txt", "text/plain", b"hello")
        return self

    def upload(self, media_id: str, user: str, name: str, kind: str, data: bytes) -> str:
        mxc, now = f"mxc://{self.server}/{media_id}", time.time()
        digest = hashlib.sha256(data).hexdigest()
        self.uploads[mxc] = File(mxc, user, name, kind, len(data), now, now, digest, data)
        return mxc

    async def status(self, user: str) -> str | None:
        if user not in self.passwords:
            return None
        return "deactivated" if self.passwords[user] is None else "active"

    async def accounts(self) -> list[str]:
        return sorted(user for user, password in self.passwords.items() if password is not None)

    async def create(self, user: str, password: str) -> None:
        self.passwords[user] = password

    async def set_password(self, user: str, password: str) -> None:
        self.passwords[user] = password

    async def deactivate(self, user: str, *, leave_rooms: bool) -> None:
        self.passwords[user] = None
        if leave_rooms:
            for members in self.members.values():
                members.discard(user)

    async def admins(self) -> set[str]:
        return self.members[self.admin_room]

    async def rooms(self) -> list[tuple[str, int]]:
        return [(room, len(members)) for room, members in self.members.items()]

    async def remove_alias(self, alias: str) -> bool:
        return self.aliases.pop(alias, None) is not None

    async def event(self, event_id: str) -> dict[str, Any] | None:
        return self.events.get(event_id)

    async def files(self) -> list[File]:
        return list(self.uploads.values())

    async def purge(self, mxc: str) -> None:
        self.uploads.pop(mxc, None)

    async def set_blocked(self, mxc: str, blocked: bool) -> None:
        (self.blocked.add if blocked else self.blocked.discard)(mxc)

    async def set_registration(self, enabled: bool) -> None:
        pass
