"""The relay that somebody would write in an evening: the baseline of the latency benchmarks.

`!x LINE` in any room goes to the admin room; the next message of the server user is posted as the
answer. It loses, doubles and crosses answers; that is the point. It is as fast as a plugin can be.
"""

from __future__ import annotations

from maubot import Plugin
from maubot.handlers import event
from mautrix.types import EventType, MessageEvent


class BareRelay(Plugin):
    admin_room: str | None = None
    waiting_room: str | None = None

    @event.on(EventType.ROOM_MESSAGE)
    async def on_message(self, evt: MessageEvent) -> None:
        server = self.client.mxid.split(":", 1)[1]
        body = evt.content.body or ""
        if evt.sender == f"@conduit:{server}" and self.waiting_room:
            room, self.waiting_room = self.waiting_room, None
            await self.client.send_notice(room, f"✅ {body[:200]}")
        elif body.startswith("!x ") and evt.sender != self.client.mxid:
            if not self.admin_room:
                self.admin_room = (
                    await self.client.resolve_room_alias(f"#admins:{server}")
                ).room_id
            self.waiting_room = evt.room_id
            await self.client.send_text(self.admin_room, f"@conduit:{server}: {body[3:]}")
