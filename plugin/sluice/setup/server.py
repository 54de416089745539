"""Finds the homeserver of a name, and signs the bot in there."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import secrets
import string

import aiohttp
from attrs import field, frozen
from yarl import URL

from ..families.dialects import dialect_of
from ..matrix.api import V3, Homeserver, MatrixError, NoResponse, RateLimited, Refused
from ..model.command import Dialect
from ..model.event import Json, object_in, text_in
from .talk import BadAnswer, Stopped

_WAIT = aiohttp.ClientTimeout(total=15)
LOST = (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError)  # or no JSON
UNTESTED = "Sluice changes things on Conduit"


class Away(Stopped):
    """The homeserver does not answer."""


@frozen
class BotAccount:
    """homeserver: its address, as whoever uses it reaches it."""

    mxid: str
    homeserver: str
    device: str
    token: str = field(repr=False)


@frozen
class _Api:
    session: aiohttp.ClientSession
    base_url: URL
    token: str = field(repr=False)


@frozen
class _Visitor:
    """What `Homeserver` wants of mautrix' client."""

    mxid: str
    api: _Api


def as_account(session: aiohttp.ClientSession, account: BotAccount) -> Homeserver:
    url = URL(account.homeserver.rstrip("/"))
    return Homeserver(_Visitor(account.mxid, _Api(session, url, account.token)))


async def found(session: aiohttp.ClientSession, name: str) -> str | None:
    """The address that the server tells clients, or its own; None if nothing answers there."""
    for base in (await _well_known(session, name), f"https://{name}"):
        if base and await why_not(session, base) is None:
            return base
    return None


async def _well_known(session: aiohttp.ClientSession, name: str) -> str:
    told = await _told(session, f"https://{name}/.well-known/matrix/client")
    return text_in(object_in(told, "m.homeserver"), "base_url")


async def own_name(session: aiohttp.ClientSession, base: str) -> str:
    """How the homeserver there calls itself; empty if it does not tell."""
    return text_in(await _told(session, f"{base}/_matrix/key/v2/server"), "server_name").lower()


async def _told(session: aiohttp.ClientSession, url: str) -> Json:
    """The object there; empty if there is none."""
    try:
        async with session.get(url, timeout=_WAIT) as reply:
            told = json.loads(await reply.read())
    except LOST:
        return {}
    return told if isinstance(told, dict) else {}


async def why_not(session: aiohttp.ClientSession, base: str) -> str | None:
    """None if a homeserver answers at this address."""
    try:
        async with session.get(
            f"{base.rstrip('/')}/_matrix/client/versions", timeout=_WAIT
        ) as reply:
            told = json.loads(await reply.read())
            is_one = reply.status == 200 and isinstance(told, dict) and "versions" in told
    except LOST as error:
        return f"nothing answers at {base} ({type(error).__name__})"
    return None if is_one else f"what answers at {base} is no Matrix server"


def unsafe(base: str) -> str | None:
    """Why a password should not go there; None if it may. In a network of one's own, by a name
    without a dot or a private address, plain http is fine."""
    try:
        url = URL(base)
        host = url.host or ""
    except ValueError:
        host = ""
    if not host or url.scheme not in ("http", "https"):
        return "an address begins with https://, or http:// in a network of your own"
    if url.scheme == "https" or "." not in host.strip(".") or host.endswith(".local"):
        return None
    try:
        is_own = not ipaddress.ip_address(host).is_global
    except ValueError:
        is_own = False
    return None if is_own else f"{base} is not encrypted: a password would be read on its way"


async def named(hs: Homeserver) -> str:
    """Which server it is, in words."""
    try:
        name, version = await hs.version()
    except MatrixError:
        return "a server that does not tell its version"
    said = f"{name} {version}"
    if name != "Conduit" or dialect_of(version) is None:
        said += f". {UNTESTED} {', '.join(map(str, Dialect))} only"
    return said


def new_device() -> str:
    """Of its own for each folder, so that no other session of the account is ended by a login."""
    return "SLUICE" + "".join(secrets.choice(string.ascii_uppercase) for _ in range(6))


async def sign_in(
    session: aiohttp.ClientSession, account: BotAccount, password: str
) -> BotAccount:
    """The account with a token. Raises BadAnswer with what may help."""
    server = account.mxid.partition(":")[2]
    hs = as_account(session, account)
    try:
        login = await hs.login(account.mxid, password, account.device)
    except RateLimited as slow:
        raise BadAnswer(f"too many tries: wait {slow.retry_after:.0f} seconds") from None
    except Refused as no:
        if no.errcode == "M_USER_DEACTIVATED":
            raise BadAnswer(
                f"{account.mxid} is deactivated: make an account of another name"
            ) from None
        raise BadAnswer(
            f"{account.homeserver} does not sign {account.mxid} in with it ({no}). No account? "
            f"Send in the admin room: @conduit:{server}: create-user {_local(account.mxid)}"
        ) from None
    except NoResponse as error:
        raise BadAnswer(f"{account.homeserver} does not answer ({error})") from None
    if login.user_id != account.mxid:
        raise Stopped(f"{account.homeserver} signed me in as {login.user_id}, not {account.mxid}.")
    return BotAccount(account.mxid, account.homeserver, account.device, login.token)


def _local(mxid: str) -> str:
    return mxid[1:].partition(":")[0]


async def signed_in(session: aiohttp.ClientSession, account: BotAccount) -> BotAccount | None:
    """The account as its token says, and its device; None if that is dead. Raises Stopped."""
    hs = as_account(session, account)
    try:
        told = await hs.whoami()
    except Refused as no:
        if no.status == 401:
            return None
        raise Stopped(
            f"{account.homeserver} says {no} to the stored token. Try again later."
        ) from no
    except NoResponse as error:
        raise Away(
            f"{account.homeserver} does not answer ({error}). Nothing is changed."
        ) from error
    mxid, device = text_in(told, "user_id"), text_in(told, "device_id")
    if account.mxid and mxid != account.mxid:
        raise Stopped(f"That token is one of {mxid}, not of {account.mxid}.")
    return BotAccount(mxid, account.homeserver, device or account.device, account.token)


async def others(hs: Homeserver, device: str) -> list[str]:
    """The other sessions of the account: a second Sluice, or a person."""
    told = await hs.request("GET", (*V3, "devices"))
    listed = told.get("devices") if isinstance(told, dict) else None
    devices = [each for each in listed or () if isinstance(each, dict)]
    return [text_in(each, "device_id") for each in devices if each.get("device_id") != device]
