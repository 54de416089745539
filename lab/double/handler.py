"""Executes one admin command on a backend and says what Conduit would have said.

The answers are those of Conduit 0.9, 0.10 and 0.11 (src/service/admin/mod.rs), held to recorded
transcripts. `Died` is raised where the real handler panics: it then answers nothing any more.
"""

from __future__ import annotations

import re
import secrets
import string
import time
from collections.abc import Awaitable, Callable, Sequence

from . import clap, developer, texts, words
from .backend import Backend
from .identifiers import Invalid, seconds, user_id
from .media import MediaCommands
from .texts import Content, plain
from .words import family

PASSWORD_LENGTH = 15
Block = Sequence[str] | None


class Died(Exception):
    """The handler panicked."""


class Failed(Exception):
    """The command returned an error; Conduit wraps its text."""


class Handler:
    """One server's admin commands. `version` may be set to follow another version."""

    def __init__(self, backend: Backend, version: str, *, registration: bool = True) -> None:
        self.backend, self.version, self.registration_at_start = backend, version, registration
        self.registration = registration
        self.appservices: list[str] = []
        self.disabled_rooms: set[str] = set()
        self.media = MediaCommands(backend)

    @property
    def server(self) -> str:
        return self.backend.server

    async def restart(self) -> None:
        """What is only in Conduit's memory is gone; the config file decides again."""
        self.registration = self.registration_at_start
        await self.backend.set_registration(self.registration)

    async def answer(self, body: str) -> Content:
        """The content of the one message that answers this command."""
        try:
            message = words.read(self.version, body)
            parsed = clap.parse(self.version, self.server, message.argv)
        except words.Unquoted:
            shown = "Failed to parse admin command: missing closing quote"
            return texts.html(shown, shown)
        except clap.Shown as shown_instead:
            return texts.usage(self.server, str(shown_instead))
        try:
            return await COMMANDS[parsed.command](self, parsed, message.block)
        except Failed as error:
            return texts.failed(str(error))

    # --- accounts ------------------------------------------------------------------------------

    def _local_user(self, name: str) -> str | Content:
        """The account a typed name means, as create-user and reset-password read it."""
        name = name.lower()
        if name.startswith("@"):
            try:
                user = user_id(name)
            except Invalid as reason:
                return plain(f"The supplied username is not a valid username: {reason}")
        elif ":" in name or "\0" in name:
            return plain(
                "The supplied username is not a valid username: "
                "identifier contains invalid characters"
            )
        else:
            user = f"@{name}:{self.server}"
        if user.partition(":")[2] != self.server:
            return plain("The specified user is not from this server!")
        return user

    def _is_historical(self, user: str) -> bool:
        """From 0.10 on only what is valid but old counts, so invalid names pass."""
        localpart = user[1:].partition(":")[0]
        if re.fullmatch(r"[a-z0-9._=/+-]+", localpart):
            return False
        return family(self.version) == "0.9" or bool(re.fullmatch(r"[!-9;-~]+", localpart))

    async def create_user(self, line: clap.Parsed, _: Block) -> Content:
        user = self._local_user(line["USERNAME"])
        if not isinstance(user, str):
            return user
        if self._is_historical(user):
            return plain(f"Userid {user} is not allowed due to historical")
        if await self.backend.status(user):
            return plain(f"Userid {user} already exists")
        password = line.get("PASSWORD") or generated_password()
        await self.backend.create(user, password)
        return plain(f"Created user with user_id: {user} and password: {password}")

    async def reset_password(self, line: clap.Parsed, _: Block) -> Content:
        user = self._local_user(line["USERNAME"])
        if not isinstance(user, str):
            return user
        if user == f"@conduit:{self.server}" or not await self.backend.status(user):
            return plain("The specified user does not exist!")
        password = generated_password()
        await self.backend.set_password(user, password)
        return plain(f"Successfully reset the password for user {user}: {password}")

    async def deactivate_user(self, line: clap.Parsed, _: Block) -> Content:
        user = line["USER_ID"]
        if user.partition(":")[2] != self.server or not await self.backend.status(user):
            return plain(f"User {user} doesn't exist on this server")
        await self.backend.deactivate(user, leave_rooms="leave-rooms" in line.values)
        if "purge-media" in line.values:
            after = since(line.get("media-from-last"))
            await self.media.purge_of([user], after, "force-filehash" in line.values)
        return plain(f"User {user} has been deactivated")

    async def deactivate_all(self, line: clap.Parsed, block: Block) -> Content:
        if block is None:
            return plain(texts.NO_BLOCK)
        bad = await self.bad_users(block)
        if bad:
            return bad
        admins = set() if "force" in line.values else await self.backend.admins()
        skipped = [user[1:].partition(":")[0] for user in block if user in admins]
        rest = [user for user in block if user not in admins]
        for user in rest:
            await self.backend.deactivate(user, leave_rooms="leave-rooms" in line.values)
        if "purge-media" in line.values:
            after = since(line.get("media-from-last"))
            await self.media.purge_of(rest, after, "force-filehash" in line.values)
        body = f"Deactivated {len(rest)} accounts."
        if skipped:
            names = texts.rust_quoted(", ".join(skipped))
            body += f"\nSkipped admin accounts: {names}. Use --force to deactivate admin accounts"
        return plain(body)

    async def bad_users(self, entries: Sequence[str]) -> Content | None:
        """The answer to a list with bad entries: then nothing of it is run."""
        invalid, remote, missing = [], [], []
        for entry in entries:
            try:
                user = user_id(entry)
            except Invalid:
                invalid.append(entry)
                continue
            if user.partition(":")[2] != self.server:
                remote.append(user)
            elif not await self.backend.status(user):
                missing.append(user)
        return texts.bad_users(
            (
                ("The following user ids are not valid:", invalid),
                ("The following users are not from this server:", remote),
                ("The following users do not exist:", missing),
            )
        )

    async def list_local_users(self, *_: object) -> Content:
        users = await self.backend.accounts()
        return plain(f"Found {len(users)} local user account(s):\n" + "\n".join(users))

    async def allow_registration(self, line: clap.Parsed, _: Block) -> Content:
        typed = line.get("STATUS")
        if typed is None:
            state = "enabled" if self.registration else "disabled"
            return plain(f"Registration is currently {state}")
        self.registration = typed == "true"
        await self.backend.set_registration(self.registration)
        return plain(f"Registration is now {'enabled' if self.registration else 'disabled'}")

    # --- rooms ---------------------------------------------------------------------------------

    async def list_rooms(self, *_: object) -> Content:
        rows = [f"{room}\tMembers: {members}" for room, members in await self.backend.rooms()]
        return plain("Rooms:\n" + "\n".join(rows))

    async def disable_room(self, line: clap.Parsed, _: Block) -> Content:
        self.disabled_rooms.add(line["ROOM_ID"])
        return plain("Room disabled.")

    async def enable_room(self, line: clap.Parsed, _: Block) -> Content:
        self.disabled_rooms.discard(line["ROOM_ID"])
        return plain("Room enabled.")

    async def remove_alias(self, line: clap.Parsed, _: Block) -> Content:
        alias = line["ALIAS"]
        if alias.partition(":")[2] != self.server:
            return plain("Cannot remove alias which is not from this server")
        if not await self.backend.remove_alias(alias):
            return plain("No such alias exists")
        spelling = "sucessfully" if family(self.version) == "0.9" else "successfully"
        return plain(f"Alias removed {spelling}")

    async def incoming_federation(self, *_: object) -> Content:
        return plain("Handling 0 incoming pdus:\n")

    # --- appservices ---------------------------------------------------------------------------

    async def register_appservice(self, _: clap.Parsed, block: Block) -> Content:
        if block is None:
            return plain(texts.NO_BLOCK)
        known = family(self.version) != "0.9"
        found = developer.appservice_id("\n".join(block), url_is_required=known)
        if found.startswith("Could not"):
            return plain(found)
        self.appservices = [*(name for name in self.appservices if name != found), found]
        return plain(f"Appservice registered with ID: {found}.")

    async def unregister_appservice(self, line: clap.Parsed, _: Block) -> Content:
        name = line["APPSERVICE_IDENTIFIER"]
        if name not in self.appservices:
            return plain("Failed to unregister appservice: Appservice not found")
        self.appservices.remove(name)
        return plain("Appservice unregistered.")

    async def list_appservices(self, *_: object) -> Content:
        names = ", ".join(self.appservices)
        return plain(f"Appservices ({len(self.appservices)}): {names}")

    # --- the server ----------------------------------------------------------------------------

    async def show_config(self, *_: object) -> Content:
        old = family(self.version) == "0.9"
        return plain(developer.config(self.server, self.registration_at_start, old))

    async def memory_usage(self, *_: object) -> Content:
        return plain(developer.MEMORY)

    async def clear_caches(self, *_: object) -> Content:
        return plain("Done.")

    # --- media: the texts and rules of it stand in `media` ---------------------------------------

    async def purge_from_users(self, line: clap.Parsed, block: Block) -> Content:
        after = since(line.get("from-last"))
        if block is None:
            return plain(texts.NO_BLOCK)
        bad = await self.bad_users(block)
        if bad:
            return bad
        await self.media.purge_of(block, after, "force-filehash" in line.values)
        return plain("Successfully purged media")

    async def purge_from_server(self, line: clap.Parsed, _: Block) -> Content:
        if line["SERVER_ID"] == self.server:
            raise Failed("Cannot purge all media from your own homeserver")
        since(line.get("from-last"))
        return plain(f"Media from {line['SERVER_ID']} has successfully been purged")

    async def block_from_users(self, line: clap.Parsed, block: Block) -> Content:
        after = since(line.get("from-last"))
        if block is None:
            return plain(texts.NO_BLOCK)
        bad = await self.bad_users(block)
        if bad:
            return bad
        await self.media.block_of(block, after, line.get("reason"))
        return plain("Successfully blocked media")

    async def show_media(self, line: clap.Parsed, _: Block) -> Content:
        shown = await self.media.show(line["MXC"])
        if shown is None:
            raise Failed("M_NOT_FOUND: Media not found.")
        return shown

    # --- for developers of servers ---------------------------------------------------------------

    async def get_pdu(self, line: clap.Parsed, _: Block) -> Content:
        return developer.pdu(await self.backend.event(line["EVENT_ID"]), line["EVENT_ID"])

    async def get_auth_chain(self, line: clap.Parsed, _: Block) -> Content:
        if await self.backend.event(line["EVENT_ID"]) is None:
            return plain("Event not found.")
        length = 3 if family(self.version) == "0.9" else 2
        return plain(f"Loaded auth chain with length {length} in 316.871µs")

    async def parse_pdu(self, _: clap.Parsed, block: Block) -> Content:
        return plain(developer.parsed_pdu(block))

    async def sign_json(self, _: clap.Parsed, block: Block) -> Content:
        try:
            return plain(developer.signed_json(self.server, block))
        except TypeError as error:
            raise Died("signatures are no object") from error

    async def verify_json(self, _: clap.Parsed, block: Block) -> Content:
        problem = developer.json_problem(block)
        if problem:
            return plain(problem)
        raise Failed("No signatures in server response pdu.")

    async def hash_and_sign(self, line: clap.Parsed, block: Block) -> Content:
        problem = developer.json_problem(block)
        if problem:
            return plain(problem)
        if line["ROOM_VERSION_ID"] not in {str(n) for n in range(1, 13)}:
            raise Died("unknown room version")
        return plain(developer.signed_json(self.server, block))


def generated_password() -> str:
    letters = string.ascii_letters + string.digits
    return "".join(secrets.choice(letters) for _ in range(PASSWORD_LENGTH))


def since(span: str | None) -> float | None:
    """Epoch seconds that lie this span back; further back than 1970 is a panic."""
    if span is None:
        return None
    moment = time.time() - seconds(span)
    if moment < 0:
        raise Died("Time is after unix epoch")
    return moment


Command = Callable[[Handler, clap.Parsed, Block], Awaitable[Content]]
COMMANDS: dict[str, Command] = {
    "register-appservice": Handler.register_appservice,
    "unregister-appservice": Handler.unregister_appservice,
    "list-appservices": Handler.list_appservices,
    "list-rooms": Handler.list_rooms,
    "list-local-users": Handler.list_local_users,
    "incoming-federation": Handler.incoming_federation,
    "remove-alias": Handler.remove_alias,
    "deactivate-user": Handler.deactivate_user,
    "deactivate-all": Handler.deactivate_all,
    "query-media": lambda self, line, _: self.media.query(line["MXC"]),
    "show-media": Handler.show_media,
    "list-media": lambda self, line, _: self.media.list(line),
    "purge-media": lambda self, _, block: self.media.purge(block),
    "purge-media-from-users": Handler.purge_from_users,
    "purge-media-from-server": Handler.purge_from_server,
    "block-media": lambda self, line, block: self.media.block(line, block),
    "block-media-from-users": Handler.block_from_users,
    "list-blocked-media": lambda self, *_: self.media.list_blocked(),
    "unblock-media": lambda self, _, block: self.media.unblock(block),
    "get-auth-chain": Handler.get_auth_chain,
    "parse-pdu": Handler.parse_pdu,
    "get-pdu": Handler.get_pdu,
    "memory-usage": Handler.memory_usage,
    "clear-database-caches": Handler.clear_caches,
    "clear-service-caches": Handler.clear_caches,
    "show-config": Handler.show_config,
    "reset-password": Handler.reset_password,
    "create-user": Handler.create_user,
    "allow-registration": Handler.allow_registration,
    "disable-room": Handler.disable_room,
    "enable-room": Handler.enable_room,
    "sign-json": Handler.sign_json,
    "verify-json": Handler.verify_json,
    "hash-and-sign-event": Handler.hash_and_sign,
}
