"""Signs the bot's device: some apps give keys only to devices that their owner has verified.

The account gets keys of its own for it, once. Their private halves are forgotten; whoever makes a
device later makes new ones.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
from typing import Protocol

from ..matrix.api import V3, Homeserver
from ..model.event import Json, object_in
from .server import BotAccount

_USAGES = ("master", "self_signing", "user_signing")


class _Key(Protocol):
    """olm's."""

    public_key: str

    def sign(self, message: str) -> str: ...


async def sign(hs: Homeserver, account: BotAccount, password: str) -> bool:
    """False if the account has such keys already, or the device none to be signed. Raises
    MatrixError."""
    if importlib.util.find_spec("olm") is None:
        return False
    body = {"device_keys": {hs.mxid: [account.device]}}
    told = await hs.request("POST", (*V3, "keys", "query"), body)
    known = told if isinstance(told, dict) else {}
    device = object_in(object_in(object_in(known, "device_keys"), hs.mxid), account.device)
    if not device or object_in(object_in(known, "master_keys"), hs.mxid):
        return False
    signing = importlib.import_module("olm").PkSigning
    master, own, users = (signing(signing.generate_seed()) for _ in _USAGES)
    keys = [_key(hs.mxid, *each) for each in zip(_USAGES, (master, own, users), strict=True)]
    signed = [keys[0], *(_signed(hs.mxid, key, master) for key in keys[1:])]
    proof = {
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": hs.mxid},
        "password": password,
    }
    made = {f"{usage}_key": key for usage, key in zip(_USAGES, signed, strict=True)}
    await hs.request("POST", (*V3, "keys", "device_signing", "upload"), {**made, "auth": proof})
    theirs = {hs.mxid: {account.device: _signed(hs.mxid, device, own)}}
    await hs.request("POST", (*V3, "keys", "signatures", "upload"), theirs)
    return True


def _key(mxid: str, usage: str, key: _Key) -> Json:
    public = {f"ed25519:{key.public_key}": key.public_key}
    return {"user_id": mxid, "usage": [usage], "keys": public}


def _signed(mxid: str, what: Json, by: _Key) -> Json:
    """With this signature alone."""
    bare = {key: value for key, value in what.items() if key not in ("signatures", "unsigned")}
    text = json.dumps(bare, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return {**bare, "signatures": {mxid: {f"ed25519:{by.public_key}": by.sign(text)}}}
