"""What must be said while nothing can be stored: sent at once, past the outbox.

It is said at most once: what is lost on the way is lost. The outbox knows its txn id, and stores
it as ours when the message is read back and the database works again.
"""

from __future__ import annotations

import logging

from ..text.message import Message
from .api import Homeserver, MatrixError
from .encryption import MESSAGE, Encryption
from .outbox import MARK, Outbox

log = logging.getLogger("sluice.direct")


class Direct:
    def __init__(self, homeserver: Homeserver, encryption: Encryption, outbox: Outbox) -> None:
        self._hs, self._encryption, self._outbox = homeserver, encryption, outbox

    async def say(
        self, room: str, message: Message, *, reply_to: str = "", clear: bool = False
    ) -> bool:
        """Whether the server took it. clear: in an encrypted room it may stand in clear, if the
        keys cannot be written either."""
        txn = self._outbox.unstored(room)
        content: dict[str, object] = {**message.content(), MARK: txn}
        if reply_to:
            content["m.relates_to"] = {"m.in_reply_to": {"event_id": reply_to}}
        try:
            form, sealed = await self._encryption.seal(room, content)
        except Exception as error:  # whatever the store of the keys raises
            log.warning("%s: not encrypted: %s", room, type(error).__name__)
            if not clear:
                return False
            form, sealed = MESSAGE, content
        try:
            await self._hs.send(room, form, sealed, txn)
        except MatrixError as error:
            log.warning("%s: not said: %s", room, error)
            return False
        return True
