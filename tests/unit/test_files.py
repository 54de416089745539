"""Files that the bot sends: in an encrypted room the server gets nothing that it can read."""

from __future__ import annotations

import json

import pytest

from sluice.matrix.encryption import Encryption
from sluice.matrix.files import Files
from tests.fake.world import world

pytest.importorskip("olm", reason="python-olm is not here: encrypted rooms are left out")

from mautrix.crypto.attachments import decrypt_attachment

LOG = b'{"seq": 1}\n'


async def test_a_file_for_a_room_in_clear_is_uploaded_as_it_is() -> None:
    async with world() as w:
        room = w.fake.room(w.bot)
        file = await Files(w.hs, Encryption(w.client, w.hs)).upload(room, LOG, "log.jsonl", "a/b")
        content = file.content()
        assert w.fake.media[content.pop("url").removeprefix("mxc://")] == LOG
        assert content == {
            "msgtype": "m.file",
            "filename": "log.jsonl",
            "info": {"mimetype": "a/b", "size": len(LOG)},
        }


async def test_a_file_for_an_encrypted_room_is_sealed_and_can_be_opened_with_its_keys() -> None:
    async with world() as w:
        room = w.fake.room(w.bot)
        algorithm = {"algorithm": "m.megolm.v1.aes-sha2"}
        w.fake.put(room, w.bot, "m.room.encryption", algorithm, "")
        file = await Files(w.hs, Encryption(w.client, w.hs)).upload(room, LOG, "log.jsonl", "a/b")
        keys = json.loads(json.dumps(file.content()))["file"]
        sealed = w.fake.media[keys["url"].removeprefix("mxc://")]
        assert sealed != LOG
        key, digest, iv = keys["key"]["k"], keys["hashes"]["sha256"], keys["iv"]
        assert decrypt_attachment(sealed, key, digest, iv) == LOG
        assert keys["v"] == "v2"
        assert "log.jsonl" not in "".join(w.fake.requests)
