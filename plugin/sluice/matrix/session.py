"""Whether our own session lives: its token, maubot's sync beside it, and on which device.

A plugin keeps the client, and the token, that it was started with: what is changed in maubot
reaches it only when the instance is restarted. So a dead token is told in the log with that
remedy, and a sync that rings no more stands in `status` although all else still works.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable

from ..db import meta
from ..db.connection import Tx

_SILENT = 420.0  # seconds; mautrix waits up to 320 between two tries
_NOW = 60.0  # seconds in which one of our own requests worked
_NEW = 7 * 86400.0  # seconds that a new device is named
_DEVICE = "account device"  # in the database: id, the one before, since when

log = logging.getLogger("sluice.session")


class Session:
    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._token_dead = self._sync_dead = False
        self._worked = self._failed = 0.0  # our own requests
        self._synced = now()
        self._device, self._device_since = "", 0.0

    # --- what is told to it

    def answered(self) -> None:
        """A request of ours was accepted."""
        self._worked = self._now()
        if self._token_dead:
            self._token_dead = False
            log.warning("The access token works again")

    def lost(self) -> None:
        """No connection."""
        self._failed = self._now()

    def unknown_token(self) -> None:
        if not self._token_dead:
            self._token_dead = True
            log.error(
                "The homeserver does not know my access token any more (401 M_UNKNOWN_TOKEN): "
                "nothing is read, sent or run. Sign in as the bot anew with the same device id%s, "
                "put the new token into maubot's client, enable and start the client, and then "
                "restart the instance: a running one keeps the old token.",
                f" ({self._device})" if self._device else "",
            )

    def synced(self) -> None:
        self._synced = self._now()

    async def on_device(self, tx: Tx, device: str) -> None:
        """The device of this start; "" for a token without one."""
        stored = await meta.get(tx, _DEVICE)
        known, since = json.loads(stored) if stored else ("", 0.0)
        self._device, self._device_since = device, float(since)
        if device == known:
            return
        self._device_since = self._now() if stored else 0.0
        await meta.put(tx, _DEVICE, json.dumps([device, self._device_since]))
        if stored:
            log.error(
                "A new device: %s, before it was %s. What was sent to the old one in encrypted "
                "rooms cannot be read. A line that was on its way may end as unknown. Use the "
                "same device id when you sign in anew.",
                device,
                known,
            )

    # --- what is asked

    @property
    def new_device(self) -> str:
        """The id of a device that is new since a few days."""
        recent = self._device_since and self._now() - self._device_since < _NEW
        return self._device if recent else ""

    @property
    def no_sync_since(self) -> float | None:
        """Since when maubot's sync is dead although our own requests work."""
        now = self._now()
        if now - self._worked > _NOW:
            return None
        return self._synced if now - max(self._synced, self._failed) > _SILENT else None

    def sync_ended(self) -> bool:
        """Whether that is so since the last time this was asked; then it is in the log."""
        before, self._sync_dead = self._sync_dead, self.no_sync_since is not None
        if self._sync_dead and not before:
            log.error(
                "maubot's sync has been dead for %d minutes while my own requests work. Is its "
                "token still valid? Put a valid one into the client, then restart the instance.",
                _SILENT // 60,
            )
        return self._sync_dead and not before
