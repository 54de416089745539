"""Files that the bot sends into a room: uploaded, encrypted before where the room is."""

from __future__ import annotations

from attrs import frozen

from ..model.event import Json
from .api import Homeserver
from .encryption import Encryption


@frozen
class File:
    """An uploaded file as a message names it. where: `url`, or `file` with the keys to it."""

    name: str
    kind: str
    size: int
    where: Json

    def content(self) -> dict[str, object]:
        """What it adds to the content of a message; the body is its caption."""
        info = {"mimetype": self.kind, "size": self.size}
        return {"msgtype": "m.file", "filename": self.name, "info": info, **self.where}


class Files:
    def __init__(self, homeserver: Homeserver, encryption: Encryption) -> None:
        self._hs, self._encryption = homeserver, encryption

    async def upload(self, room: str, data: bytes, name: str, kind: str) -> File:
        """For one room: in an encrypted one, the server gets only what it cannot read.

        Raises MatrixError.
        """
        size = len(data)
        if not await self._encryption.is_on(room):
            url = await self._hs.upload(data, name, kind)
            return File(name, kind, size, {"url": url})
        from mautrix.crypto.attachments import encrypt_attachment  # there with crypto only

        sealed, keys = encrypt_attachment(data)
        url = await self._hs.upload(sealed, "", "application/octet-stream")
        return File(name, kind, size, {"file": {**keys.serialize(), "url": url}})
