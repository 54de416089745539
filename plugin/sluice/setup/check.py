"""`setup --check`: looks at all that Sluice stands on, and says what to mend. Changes nothing."""

from __future__ import annotations

import platform
from collections.abc import AsyncIterator, Callable, Iterator
from importlib import metadata
from typing import Protocol

import aiohttp
from attrs import frozen

from ..matrix.api import Homeserver
from ..matrix.rooms import INFINITE, RoomView
from ..settings import load
from . import server
from .rooms import SCRUB, seen
from .server import BotAccount

OLDEST = {"maubot": (0, 5, 1), "mautrix": (0, 20, 7)}


class Watched(Protocol):
    """What is asked of where Sluice runs."""

    where: str

    async def running(self) -> bool: ...
    async def policy(self) -> str | None: ...


@frozen
class Finding:
    """mend: what to do; empty if it is fine."""

    what: str
    mend: str = ""


async def look(
    place: Watched,
    account: BotAccount,
    session: aiohttp.ClientSession,
    say: Callable[[str], None],
) -> int:
    """The exit code: 0 if all is well. account: with a token that works."""
    hs, wrong = server.as_account(session, account), 0
    async for found in _everything(place, account, hs):
        say(f"❗ {found.what}\n   → {found.mend}" if found.mend else f"✓ {found.what}")
        wrong += bool(found.mend)
    say(f"{wrong} to mend." if wrong else "All good. In the room: !status")
    return 1 if wrong else 0


async def _everything(
    place: Watched, account: BotAccount, hs: Homeserver
) -> AsyncIterator[Finding]:
    name = account.mxid.partition(":")[2]
    yield Finding(f"The token of {account.mxid} works, device {account.device}")
    is_on = await place.running()
    yield (
        Finding(f"Sluice runs {place.where}")
        if is_on
        else Finding("Sluice is not running", "start it")
    )
    for found in _versions():
        yield found
    yield await _conduit(hs)
    for each in (await _sessions(hs, account), await _admin_room(hs, name)):
        yield each
    async for found in _ops_rooms(place, hs, name):
        yield found


def _versions() -> Iterator[Finding]:
    python = platform.python_version()
    for package, oldest in OLDEST.items():
        version = metadata.version(package)
        numbers = tuple(int(word) for word in version.split(".")[:3] if word.isdigit())
        least = ".".join(map(str, oldest))
        old = f"install {package} {least} or newer" if numbers < oldest else ""
        yield Finding(f"{package} {version} on Python {python}", old)


async def _conduit(hs: Homeserver) -> Finding:
    said = await server.named(hs)
    mend = "update Sluice, or go back to one of these" if server.UNTESTED in said else ""
    return Finding(f"The homeserver is {said}", mend)


async def _sessions(hs: Homeserver, account: BotAccount) -> Finding:
    others = await server.others(hs, account.device)
    if not others:
        return Finding("Nobody else is signed in as the bot")
    return Finding(
        f"Others are signed in as the bot: {', '.join(others)}",
        "stop a second Sluice; sign out a person (in a client: Settings › Sessions)",
    )


async def _admin_room(hs: Homeserver, name: str) -> Finding:
    alias = f"#admins:{name}"
    room = await hs.alias(alias)
    if room is None:
        mend = "docs/owners.md, “Repair of a lost #admins alias”"
        return Finding(f"{alias} leads nowhere: Conduit answers no command", mend)
    if room not in await hs.joined_rooms():
        return Finding("The bot is not in the admin room", f"send there:  /invite {hs.mxid}")
    view = await seen(hs, room)
    power = view.power(hs.mxid)
    mend = f"there: its name › People › {hs.mxid} › Role › Moderator" if power < SCRUB else ""
    return Finding(f"The bot is in the admin room with power {power:g}", mend)


async def _ops_rooms(place: Watched, hs: Homeserver, name: str) -> AsyncIterator[Finding]:
    text = await place.policy()
    loaded = load(text or "", server=name, now=0, proven=True)
    if text is None or loaded.settings is None:
        what = "There is no policy" if text is None else f"The policy: {loaded.errors[0].text}"
        yield Finding(what, "run setup without --check" if text is None else "correct the text")
        return
    yield Finding(f"The policy is valid: {len(loaded.settings.policy.people)} people")
    joined = await hs.joined_rooms()
    for room in loaded.settings.ops_rooms:
        if room not in joined:
            yield Finding(f"The bot is not in the ops room {room}", f"there:  /invite {hs.mxid}")
            continue
        yield powers(await seen(hs, room), hs.mxid)


def powers(view: RoomView, me: str) -> Finding:
    """What the bot does in an ops room: it writes, reacts, removes its own, pins."""
    kinds = {"write": "m.room.message", "react": "m.reaction", "remove": "m.room.redaction"}
    lacks = [verb for verb, kind in kinds.items() if not view.can_send(kind, me)]
    if view.power(me) < view.needed("state"):
        lacks.append("pin")
    power = "made it" if view.power(me) == INFINITE else f"has power {view.power(me):g}"
    what = f"The ops room {view.room}: the bot {power}"
    if not lacks:
        return Finding(what)
    return Finding(f"{what}, too little to {', '.join(lacks)}", "give it the role Moderator there")
