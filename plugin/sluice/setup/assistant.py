"""The steps from nothing to a Sluice that works. Each looks first at what is there, so a second
run goes on where the first ended, and one beside a running Sluice changes nothing in its rooms."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import aiohttp
from attrs import evolve

from ..matrix.api import V3, Homeserver, MatrixError, Refused
from ..model.event import Json, object_in, text_in
from ..policy.loading import ACCOUNT
from ..proof import ANSWER, ASKED, AT, KIND
from ..settings import Settings, load
from . import cross_signing, policy_writer, rooms, server
from .check import Watched, look, powers
from .files import Memory
from .rooms import People, Waiting
from .server import BotAccount
from .talk import Answers, BadAnswer, Dialogue, Stopped

_PROOF = 120.0  # seconds that the first start may take
_POLL = 0.5
_LOCAL = re.compile(r"[a-z0-9._=/+-]{1,200}")
_SERVER = re.compile(r"(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?")


class Place(Watched, Protocol):
    """Where Sluice runs: `Standalone` or `Managed`."""

    async def can_encrypt(self, account: BotAccount) -> bool: ...
    async def account(self) -> BotAccount | None: ...
    async def install(self, account: BotAccount, policy: str) -> None: ...
    async def update(self, account: BotAccount | None) -> str: ...
    def started(self) -> AbstractAsyncContextManager[None]: ...
    def why_silent(self) -> str: ...
    def afterwards(self) -> str: ...


class Assistant:
    """place: made once the bot's account is known."""

    def __init__(
        self,
        answers: Answers,
        memory: Memory,
        talk: Dialogue,
        session: aiohttp.ClientSession,
        waiting: Waiting,
        place: Callable[[str], Awaitable[Place]],
    ) -> None:
        self._answers, self._memory, self._say = answers, memory, talk.say
        self._session, self._waiting, self._place = session, waiting, place
        self._password = ""  # if it was just typed

    async def run(self) -> int:
        """0 if it works at the end."""
        name, base = await self._server()
        bot = await self._answers.get("user", "The bot's user name", _local(name), "sluice")
        self._memory.put("bot", bot)
        place = await self._place(bot)
        stored, known = await self._known(place, bot, base)
        if await place.running():
            return await self._beside(place, stored, known)
        account = known or await self._sign_in(stored)
        hs = server.as_account(self._session, account)
        await self._call_it_sluice(hs)
        await rooms.admin_room(hs, name, self._waiting)
        self._say(f"✓ {bot} is in the admin room, with power {rooms.SCRUB:g} or more")
        text = await place.policy() or await self._policy(place, hs, account, name)
        await place.install(account, text)
        self._say(f"✓ Written {place.where}")
        await self._prove(place, hs, _read(text, name))
        await self._sign_device(hs, account)
        self._memory.put("token", "")  # the configuration has it now
        self._say(place.afterwards())
        self._say(
            "Then accept the invitation to the room “Sluice” and type there:  !adduser alice"
        )
        return 0

    # --- the account

    async def _server(self) -> tuple[str, str]:
        """Its name and its address, once they belong together."""
        own = base = ""
        while True:
            question = "Server name, like example.com"
            name = await self._answers.get("server", question, _server_name, own or None)
            base = await self._homeserver(name, base)
            own = await server.own_name(self._session, base)
            if own in ("", name):
                return name, base
            wrong = f"the homeserver at {base} is that of {own}, not of {name}"
            self._memory.put("server", "")
            self._memory.put("homeserver", "")
            if not self._answers.person:
                raise Stopped(f"--server: {wrong}")
            self._say(f"  {wrong}")

    async def _homeserver(self, name: str, before: str) -> str:
        """before: an address that was given already, with another name."""

        async def answers(base: str) -> str:
            why = server.unsafe(base) or await server.why_not(self._session, base)
            if why is not None:
                raise BadAnswer(why)
            return base.rstrip("/")

        default: str | None = None
        if not self._memory.get("homeserver") and not self._answers.given("homeserver"):
            default = await server.found(self._session, name)
            if default is None:
                self._say(f"  Nothing answers for {name} by .well-known or at https://{name}.")
                default = before or None
        question = "Address of the homeserver, like https://matrix.example.com"
        base = await self._answers.get("homeserver", question, answers, default)
        visitor = server.BotAccount("", base, "", "")
        self._say(f"✓ {base}: {await server.named(server.as_account(self._session, visitor))}")
        return base

    async def _known(
        self, place: Place, bot: str, base: str
    ) -> tuple[BotAccount, BotAccount | None]:
        """The account with its device, and again with a token if one works."""
        stored = await place.account()
        device = stored.device if stored else self._memory.get("device") or server.new_device()
        self._memory.put("device", device)  # before anybody signs in with it
        account = server.BotAccount(bot, base, device, "")
        for token in (stored.token if stored else "", self._memory.get("token")):
            if token:
                known = await server.signed_in(self._session, evolve(account, token=token))
                if known is not None:
                    return account, known
        return account, None

    async def _sign_in(self, account: BotAccount) -> BotAccount:
        if self._answers.given("token"):
            signed = await self._answers.get(
                "token", "Token", self._by_token(account), secret=True
            )
        else:
            name, local = account.mxid.partition(":")[2], account.mxid[1:].partition(":")[0]
            self._say(f"In the admin room send:  @conduit:{name}: create-user {local}")
            self._say("  (if the account is there already, and you have its password: not needed)")
            question = "The password that Conduit shows for it (not shown here, not kept)"

            async def check(password: str) -> BotAccount:
                taken = await server.sign_in(self._session, account, password)
                self._password = password
                return taken

            signed = await self._answers.get("password", question, check, secret=True)
        self._memory.put("device", signed.device)
        self._memory.put("token", signed.token)
        self._say(f"✓ Signed in as {signed.mxid}, device {signed.device}")
        hs = server.as_account(self._session, signed)
        if others := await server.others(hs, signed.device):
            self._say(
                f"❗ Others are signed in as the bot too: {', '.join(others)}. Is one of them a "
                "Sluice? Stop it, else each of the two stops the other"
            )
        return signed

    def _by_token(self, account: BotAccount) -> Callable[[str], Awaitable[BotAccount]]:
        async def check(token: str) -> BotAccount:
            known = await server.signed_in(self._session, evolve(account, token=token))
            if known is None:
                raise BadAnswer("the homeserver does not know this token")
            return known

        return check

    async def _sign_device(self, hs: Homeserver, account: BotAccount) -> None:
        """While its password is known. A start has given the device its keys, if it encrypts."""
        password, self._password = self._password, ""
        if not password:
            return
        try:
            if await cross_signing.sign(hs, account, password):
                self._say("✓ Its device is signed, for apps that give keys to such devices only")
        except MatrixError as error:
            self._say(f"  Note: its device cannot be signed ({error}); some apps will not give it "
                      "keys: docs/owners.md, “Verify the bot's device”")  # fmt: skip

    async def _call_it_sluice(self, hs: Homeserver) -> None:
        """While it is in no room yet: later each change is an event in all of them."""
        if self._memory.get("named") or await hs.joined_rooms():
            return
        path = (*V3, "profile", hs.mxid, "displayname")
        await hs.request("PUT", path, {"displayname": "Sluice"})
        self._memory.put("named", "yes")

    async def _beside(self, place: Place, stored: BotAccount, known: BotAccount | None) -> int:
        """Sluice runs: a dead token is replaced, a new version uploaded, all else is looked at."""
        self._say(f"Sluice is running {place.where}: nothing is changed in its rooms.")
        account = known or await self._sign_in(stored)
        if done := await place.update(None if known else account):
            self._say(f"✓ {done}")
        await self._sign_device(server.as_account(self._session, account), account)
        self._memory.put("token", "")
        return await look(place, account, self._session, self._say)

    # --- rooms and policy

    async def _policy(self, place: Place, hs: Homeserver, account: BotAccount, name: str) -> str:
        people = await self._people(hs, name)
        encrypted = await place.can_encrypt(account) and await self._answers.get(
            "encrypted", "Encrypt the ops room? Both work; without is simpler. y or n", _yes, "n"
        )
        room = await self._room(hs, name, people, encrypted)
        text, warnings = policy_writer.write(name, room, people, time.time())
        for warning in warnings:
            self._say(f"  Note: {warning}")
        return text

    async def _people(self, hs: Homeserver, name: str) -> People:
        def accounts(*taken: str) -> Callable[[str], Awaitable[tuple[str, ...]]]:
            return lambda words: _accounts(hs, name, words, (hs.mxid, f"@conduit:{name}", *taken))

        async def mine(word: str) -> str:
            found = await accounts()(word)
            if len(found) != 1:
                raise BadAnswer("that is one account: yours, which owns the bot")
            return found[0]

        owner = await self._answers.get("owner", f"Your own account, like @ana:{name}", mine)
        question = "Accounts of other owners (blanks between, Enter for none)"
        more = await self._answers.get("owners", question, accounts(owner), "")
        question = "Accounts of moderators (blanks between, Enter for none)"
        mods = await self._answers.get("moderators", question, accounts(owner, *more), "")
        return People((owner, *more), mods)

    async def _room(self, hs: Homeserver, name: str, people: People, encrypted: bool) -> str:
        given = self._answers.given("ops-room")
        if given and not given.startswith("!"):
            raise Stopped("--ops-room takes an id (!…): an address can be pointed elsewhere")
        if given:
            room = await rooms.given_room(hs, given, self._waiting)
            found = powers(await rooms.seen(hs, room), hs.mxid)
            self._say(f"✓ {found.what}" if not found.mend else f"❗ {found.what}: {found.mend}")
            return room
        word = self._memory.get("word") or secrets.token_urlsafe(9)
        self._memory.put("word", word)  # before the room is made, so that it is found again
        room = await rooms.made_room(hs, name, people, encrypted=encrypted, word=word)
        self._say(f"✓ Made the room {room} and invited {len(people.all)}: accept the invitation")
        return room

    # --- the proof

    async def _prove(self, place: Place, hs: Homeserver, settings: Settings) -> None:
        for room in settings.ops_rooms:
            if not await rooms.entered(hs, room):
                raise Stopped(
                    f"{hs.mxid} is not in the ops room {room}: invite it, run this again."
                )
        word = secrets.token_urlsafe(9)
        await hs.set_account_data(KIND, {ASKED: word, AT: time.time()})
        self._say("… Sluice starts, and asks Conduit whether registration is open")
        async with place.started():
            answer = await _answer(hs, word)
            if not answer:
                raise Stopped(f"Sluice has not answered.\n{place.why_silent()}")
        state, conduit = text_in(answer, "registration"), text_in(answer, "conduit")
        self._say(f"✓ Conduit {conduit} answered through the admin room: registration is {state}")


async def _answer(hs: Homeserver, word: str) -> Json:
    """What Sluice answered to this question; empty if it did not in time."""
    for _ in range(int(_PROOF / _POLL)):
        await asyncio.sleep(_POLL)
        try:
            told = await hs.account_data(KIND) or {}
        except MatrixError:
            continue
        answer = object_in(told, ANSWER)
        if answer and told.get(ASKED) == word:
            return dict(answer)
    return {}


def _read(text: str, name: str) -> Settings:
    loaded = load(text, server=name, now=time.time())
    if loaded.settings is None:
        problem = loaded.errors[0]
        raise Stopped(f"The policy has an error in line {problem.line}: {problem.text}")
    return loaded.settings


# --- what answers are


async def _server_name(word: str) -> str:
    name = word.strip().lower()
    if name.startswith(("http:", "https:")):
        raise BadAnswer("the name of the server, as in @you:NAME, not an address")
    if not _SERVER.fullmatch(name):
        raise BadAnswer("that is no name of a server")
    return name


def _local(name: str) -> Callable[[str], Awaitable[str]]:
    async def check(word: str) -> str:
        local = word.strip().lower().removeprefix("@").removesuffix(f":{name}")
        if not _LOCAL.fullmatch(local):
            raise BadAnswer(f"a user name on {name}: a to z, digits, . _ = - / +")
        if local == "conduit":
            raise BadAnswer("that is Conduit's own account; the bot has one of its own")
        return f"@{local}:{name}"

    return check


async def _yes(word: str) -> bool:
    if word.strip().lower() not in ("y", "yes", "n", "no"):
        raise BadAnswer("y or n")
    return word.strip().lower().startswith("y")


async def _accounts(
    hs: Homeserver, name: str, words: str, taken: tuple[str, ...]
) -> tuple[str, ...]:
    """Accounts, also by their user names alone; those of this server exist."""
    found: list[str] = []
    for word in words.replace(",", " ").split():
        mxid = word if ":" in word else f"@{word.removeprefix('@')}:{name}"
        mxid = mxid.lower() if mxid.lower().endswith(f":{name}") else mxid
        if not ACCOUNT.fullmatch(mxid):
            raise BadAnswer(f"{word} is no account: @name:{name}")
        if mxid in taken or mxid in found:
            raise BadAnswer(f"{mxid} is named already")
        if mxid.endswith(f":{name}") and await _missing(hs, mxid):
            raise BadAnswer(f"there is no account {mxid}")
        found.append(mxid)
    return tuple(found)


async def _missing(hs: Homeserver, mxid: str) -> bool:
    try:
        return await hs.profile(mxid) is None
    except Refused:
        return False
