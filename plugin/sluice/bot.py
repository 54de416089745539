"""The maubot plugin: its life, and the doorbells. Nothing else; the only module that knows maubot.

Every sync response is a doorbell: it says in which rooms something may have happened, and nothing
in it is believed (docs/how-it-works.md, "Sync is a doorbell"). The hook runs on the raw response,
before mautrix parses it, so that a malformed event cannot silence the rest.
"""

from __future__ import annotations

import linecache
from typing import Any

from aiohttp import web
from maubot import Plugin  # type: ignore[attr-defined]
from mautrix.client import InternalEventType
from mautrix.types import EventType
from mautrix.util.async_db import UpgradeTable
from mautrix.util.config import BaseProxyConfig

from .app import App
from .db.migrations import upgrade_table
from .policy_text import PolicyText
from .signals import raise_between_steps

linecache.clearcache()  # attrs leaves the source of each method that it made there


class Config(BaseProxyConfig):
    """The admin's text is theirs: nothing is merged into it and nothing is saved."""

    def do_update(self, helper: Any) -> None:
        """Part of mautrix' interface; never used."""

    def load_and_update(self) -> None:
        """maubot calls this at start; the text is read by PolicyText instead."""


class Sluice(Plugin):
    app: App

    @classmethod
    def get_config_class(cls) -> type[BaseProxyConfig]:
        return Config

    @classmethod
    def get_db_upgrade_table(cls) -> UpgradeTable:
        return upgrade_table

    async def pre_start(self) -> None:
        """All that can fail is here, and raises for nothing that may pass: see App.start."""
        raise_between_steps()
        text = PolicyText(self.config, self.loader)
        await text.fill_empty()
        self.app = App(self.client, self.database, self.log, text, str(self.loader.meta.version))
        await self.app.start()
        self._stay()
        self._hook(self.client.add_event_handler)

    async def pre_stop(self) -> None:
        for kind, handler in self._bells():
            self.client.remove_event_handler(kind, handler)
        await self.app.stop()

    def _stay(self) -> None:
        """maubot follows the tombstone of any room, also with autojoin off: whoever may write one
        could pull the bot, and its account, anywhere. So its handler comes off the client."""
        handlers = self.client.event_handlers.get(EventType.ROOM_TOMBSTONE, {})
        for handler in tuple(handlers):
            if getattr(handler, "__name__", "") == "_handle_tombstone":
                self.client.remove_event_handler(EventType.ROOM_TOMBSTONE, handler)

    def _bells(self) -> tuple[tuple[InternalEventType, Any], ...]:
        return (
            (InternalEventType.SYNC_SUCCESSFUL, self._synced),
            (InternalEventType.SYNC_ERRORED, self._sync_failed),
        )

    def _hook(self, add: Any) -> None:
        for kind, handler in self._bells():
            add(kind, handler, wait_sync=True)

    async def _synced(self, event: dict[str, Any]) -> None:
        self.app.doorbell(event["data"])

    async def _sync_failed(self, _: object) -> None:
        self.app.connection_lost()

    async def on_external_config_update(self) -> None:
        """Full maubot, an edit in its UI: an invalid text is refused there, with its error."""
        try:
            problem = await self.app.reload()
        except Exception as error:  # the text is refused; maubot would show no reason
            self.log.exception("The new text is not taken")
            problem = f"not taken, an error of mine: {type(error).__name__}"
        if problem is not None:
            raise web.HTTPBadRequest(text=problem)
