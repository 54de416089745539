"""The media commands (0.10 and later): lists, queries, purges and blocks of files.

Conduit blocks by id and by content: a block hides every file with the same SHA-256. "Successfully
purged media" means "no error", also for ids that nobody knows.
"""

from __future__ import annotations

import io
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from PIL import Image, UnidentifiedImageError

from . import clap, texts
from .backend import Backend, File
from .identifiers import Invalid, moment, server_name
from .texts import Content, plain

COLUMNS = (
    "MXC URI",
    "Dimensions (if thumbnail)",
    "Created/Downloaded at",
    "Uploader",
    "Content-Type",
    "Filename",
    "Size",
)
BLOCKED_COLUMNS = ("SHA256 hash", "MXC URI", "Time Blocked", "Reason")


@dataclass
class Blocked:
    at: float
    reason: str
    file: File | None  # what is known of the file, also after a purge


class MediaCommands:
    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.blocks: dict[str, Blocked] = {}

    async def query(self, mxc: str) -> Content:
        if not is_mxc(mxc):
            return plain("Invalid media MXC")
        stored = {file.mxc: file for file in await self.backend.files()}
        block = self.blocks.get(mxc)
        body = f"Is blocked Media ID: {_bool(block is not None)}"
        file = stored.get(mxc) or (block.file if block else None)
        if file:
            body += "\n\nInformation on full (non-thumbnail) file:\n" + self._details(
                file, mxc in stored
            )
        return plain(body)

    def _details(self, file: File, stored: bool) -> str:
        lines = ["Is stored: false"]
        if stored:
            lines = [
                "Is stored: true",
                f"Created at: {_date(file.created)}",
                f"Last accessed at: {_date(file.accessed)}",
                f"Size of file: {texts.si_size(file.size)}",
            ]
        lines += [
            "Is accessible via unauthenticated media endpoints: false",
            f"SHA256 hash of file: {file.sha256}",
            "Is blocked due to sharing SHA256 hash with blocked media: "
            + _bool(file.sha256 in self._blocked_hashes()),
            f"Uploader: {file.uploader}",
        ]
        lines += [f"Filename: {file.name}"] if file.name else []
        lines += [f"Content-type: {file.kind}"] if file.kind else []
        return "".join(f"\n{line}" for line in lines)

    def _blocked_hashes(self) -> set[str]:
        return {block.file.sha256 for block in self.blocks.values() if block.file}

    async def show(self, mxc: str) -> Content | None:
        """The file as a message of the server user; None where it is not to be had."""
        if not is_mxc(mxc):
            return plain("Invalid media MXC")
        file = {file.mxc: file for file in await self.backend.files()}.get(mxc)
        if file is None or mxc in self.blocks or file.sha256 in self._blocked_hashes():
            return None
        info: dict[str, object] = {"mimetype": file.kind, "size": file.size}
        kind = "m.file"
        try:
            with Image.open(io.BytesIO(file.data)) as image:
                info |= {"w": image.width, "h": image.height}
            kind = "m.image"
        except UnidentifiedImageError:
            pass
        return {
            "msgtype": kind,
            "body": file.name,
            "filename": file.name,
            "url": mxc,
            "info": info,
        }

    async def list(self, line: clap.Parsed) -> Content:
        def wanted(file: File) -> bool:
            wish = line.get("content-type")
            user, server = line.get("user"), line.get("server")
            before, after = line.get("uploaded-before"), line.get("uploaded-after")
            return (
                (user is None or file.uploader == user)
                and (user is not None or server is None or _server_of(file.mxc) == server)
                and (wish is None or file.kind == wish or file.kind.split("/")[0] == wish)
                and (before is None or file.created < moment(before))
                and (after is None or file.created > moment(after))
            )

        rows = [
            (
                file.mxc,
                "",
                _date(file.created),
                file.uploader,
                file.kind,
                file.name,
                texts.si_size(file.size),
            )
            for file in await self.backend.files()
            if wanted(file)
        ]
        return texts.table(COLUMNS, rows)

    async def list_blocked(self) -> Content:
        return texts.table(
            BLOCKED_COLUMNS,
            [
                (block.file.sha256 if block.file else "", mxc, _date(block.at), block.reason)
                for mxc, block in self.blocks.items()
            ],
        )

    async def purge(self, entries: Sequence[str] | None) -> Content:
        if entries is None:
            return plain(texts.NO_BLOCK)
        await self._purge([entry for entry in entries if is_mxc(entry)], same_content=True)
        return plain("Successfully purged media")

    async def purge_of(
        self, users: Iterable[str], after: float | None, same_content: bool
    ) -> None:
        await self._purge(await self._of(users, after), same_content)

    async def _purge(self, wanted: Sequence[str], same_content: bool) -> None:
        files = await self.backend.files()
        hashes = {file.sha256 for file in files if file.mxc in wanted}
        for file in files:
            if file.mxc in wanted or (same_content and file.sha256 in hashes):
                await self.backend.purge(file.mxc)

    async def _of(self, users: Iterable[str], after: float | None) -> Sequence[str]:
        whose = set(users)
        return [
            file.mxc
            for file in await self.backend.files()
            if file.uploader in whose and (after is None or file.created > after)
        ]

    async def block(self, line: clap.Parsed, entries: Sequence[str] | None) -> Content:
        if entries is None:
            return plain(texts.NO_BLOCK)
        wanted = [entry for entry in entries if is_mxc(entry)]
        await self._block(wanted, line.get("reason") or "")
        if "and-purge" in line.values:
            await self._purge(wanted, same_content=True)
        return plain("Successfully blocked media")

    async def block_of(self, users: Iterable[str], after: float | None, why: str | None) -> None:
        for user in users:
            reason = f"uploaded by {user}" if why is None else why
            await self._block(await self._of([user], after), reason)

    async def _block(self, wanted: Sequence[str], reason: str) -> None:
        stored = {file.mxc: file for file in await self.backend.files()}
        for mxc in wanted:
            known = self.blocks[mxc].file if mxc in self.blocks else None
            self.blocks[mxc] = Blocked(time.time(), reason, stored.get(mxc) or known)
            await self.backend.set_blocked(mxc, True)

    async def unblock(self, entries: Sequence[str] | None) -> Content:
        """Does nothing for a file that was never stored, and says "successfully" all the same."""
        if entries is None:
            return plain(texts.NO_BLOCK)
        named = [self.blocks[entry] for entry in entries if entry in self.blocks]
        hashes = {block.file.sha256 for block in named if block.file}
        for mxc, block in list(self.blocks.items()):
            if block.file and block.file.sha256 in hashes:
                del self.blocks[mxc]
                await self.backend.set_blocked(mxc, False)
        return plain("Successfully unblocked media")


def is_mxc(text: str) -> bool:
    match = re.fullmatch(r"mxc://([^/]+)/([A-Za-z0-9_-]*)", text)
    if not match:
        return False
    try:
        server_name(match[1])
    except Invalid:
        return False
    return True


def _server_of(mxc: str) -> str:
    return mxc.removeprefix("mxc://").partition("/")[0]


def _bool(value: bool) -> str:
    return "true" if value else "false"


def _date(seconds: float) -> str:
    return f"{datetime.fromtimestamp(int(seconds), timezone.utc):%Y-%m-%d %H:%M:%S} UTC"
