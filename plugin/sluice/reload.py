"""Which policy is live: the first one at start, and every later one, swapped as a whole or not.

A text with any error changes nothing. Without a valid text at start the last valid one (kept in
the database) says who is told so, and nothing runs: safe mode. Whatever gives or takes rights is
told, a text that was changed while the bot was down as well: whoever took over maubot would do
exactly that.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Mapping, Sequence

from ruamel.yaml import YAML

from . import audit
from .catalog.commands import COMMANDS, in_group
from .chat import alarms
from .chat.words import Here
from .db import meta
from .db.connection import Database, StorageFailed, Tx
from .message import Message, Text
from .policy.document import Problem
from .policy.matrix import Change, diff, lost_by, read_out
from .policy_text import PolicyText, Source, Unreadable, line_of
from .requests import changes
from .settings import Loaded, Settings, load
from .world import World

_LAST, _BY = "policy", "policy by"  # the last valid text, and the version that found it valid
_SAFE = "safe mode"  # set while it was safe mode when it was looked last
_GROUPS = "groups"  # the commands of each group, as this version or an earlier one has them
_SHOWN = 100  # characters that maubot's UI shows of an error

log = logging.getLogger("sluice.policy")


class Reload:
    """rooms: rooms named by the last text that could be read at all, for safe mode."""

    def __init__(self, world: World, db: Database, text: PolicyText) -> None:
        self._world, self._db, self._text = world, db, text
        self._server = world.me.partition(":")[2]
        self._last: str | None = None  # the last valid text, if this version found it valid
        self._lock = asyncio.Lock()  # one edit after the other
        self._before: Settings | None = None  # what was live when the bot ran last, if not this
        self.rooms: tuple[str, ...] = ()

    def _read(self) -> tuple[Source, Loaded]:
        """The text of now. The tests of one that was valid are not run again: a test without a
        time may fail at night."""
        admin = self._world.admin.room if self._world.admin is not None else None
        try:
            source = self._text.read()
        except Unreadable as error:
            self._world.file = True
            source = Source("config", "")
            loaded = Loaded(None, (Problem(1, str(error)),), ())
        else:
            self._world.file = source.name not in ("config", "plugin_config")
            self.rooms = _rooms(source.text)
            loaded = load(
                source.text,
                server=self._server,
                now=self._world.now(),
                admin_room=admin,
                proven=source.text == self._last,
            )
            if loaded.settings is not None and (fixed := self._fixed(loaded.settings)):
                loaded = Loaded(None, fixed, loaded.warnings)
        for problem in loaded.errors:
            log.error("%s:%d: %s", source.name, problem.line, problem.text)
        for problem in loaded.warnings:
            log.warning("%s:%d: %s", source.name, problem.line, problem.text)
        return source, loaded

    def _fixed(self, new: Settings) -> tuple[Problem, ...]:
        """What a running Sluice cannot change: which Conduit it talks to."""
        admin, how = self._world.admin, "is read at the start only: stop Sluice, save, start it"
        if admin is None:
            return ()
        found = []
        if new.server != admin.server:
            found.append(Problem(line_of(new.text, "server"), f"server {how}"))
        if new.admin_room not in (None, admin.room):
            found.append(Problem(line_of(new.text, "admin_room"), f"admin_room {how}"))
        return tuple(found)

    # --- the start

    async def first(self) -> None:
        """At start. Afterwards the world has settings, or problems, or both."""
        last = await self._db.read(lambda tx: meta.get(tx, _LAST))
        by = await self._db.read(lambda tx: meta.get(tx, _BY))
        self._last = last if by == self._world.version else None
        source, loaded = self._read()
        before = None
        if last is not None and last != source.text:
            before = load(last, server=self._server, now=0, proven=True).settings
        settings = loaded.settings
        if settings is None:
            self._world.problems, self._world.settings = loaded.errors, before
            if last == source.text:  # valid for an earlier version, not for this one
                log.error("The last valid policy is not valid for this version of Sluice")
            return
        self._text.accept(source)
        self._world.settings, self._before = settings, before
        try:
            await self._db.write(lambda tx: self._take(tx, settings, before))
        except StorageFailed as error:  # nothing is sent either as long as nothing is stored
            log.error("The policy is live and not recorded: %s", error)

    async def greet(self) -> None:
        """What is to be said of the policy at the start: safe mode, its end, other rights."""
        world, room = self._world, self._world.main_room
        if room is None:
            return
        here = world.here(room)

        async def commit(tx: Tx) -> None:
            safe = await meta.get(tx, _SAFE) is not None
            said: Message | None = None
            if world.problems:
                said = self._safe_mode(room)
                await meta.put(tx, _SAFE, "1")
            elif world.settings is not None:
                await meta.drop(tx, _SAFE)
                new, old = world.settings.policy, self._before
                if safe:
                    said = alarms.safe_mode_over(read_out(new))
                elif old is not None and (change := diff(old.policy, new)).lines:
                    requests = await changes.policy_changed(world.desk(tx))
                    said = _reloaded(here, change, requests)
            if said is not None:
                await world.outbox.put(tx, room, f"policy.{world.now()}", said)
            if world.settings is not None:
                gained, lost = await _regrouped(tx)
                if gained:
                    said = alarms.groups_grew(here, world.version, gained)
                    await world.outbox.put(tx, room, f"groups.{world.now()}", said)
                for group, name in lost:
                    if who := lost_by(world.settings.policy, group, name):
                        said = alarms.group_shrank(here, world.version, group, name, who)
                        await world.outbox.put(tx, room, f"lost.{name}.{world.now()}", said)

        await self._db.write(commit)
        self._before = None

    def admin_room_is(self, room: str) -> None:
        """Where `#admins` leads is known only once it was asked: no ops room may be there."""
        settings = self._world.settings
        if settings is not None and room in settings.ops_rooms:
            found = load(settings.text, server=self._server, now=0, admin_room=room, proven=True)
            self._world.problems = found.errors
            for problem in found.errors:
                log.error("policy:%d: %s", problem.line, problem.text)

    # --- later

    async def again(self) -> str | None:
        """A new text: live at once, or refused; the ops room is told. The first error, if any."""
        async with self._lock:
            return await self._again()

    async def _again(self) -> str | None:
        world = self._world
        before = world.settings, world.problems, world.rooms
        try:
            source, loaded = self._read()
            settings = loaded.settings
            if settings is None:
                await self._refuse(loaded)
                problem = loaded.errors[0]
                return f"line {problem.line}: {problem.text}"[:_SHOWN]
            await self._db.write(lambda tx: self._swap(tx, settings))
        except BaseException:
            world.settings, world.problems, world.rooms = before
            self._text.refuse()
            raise
        self._text.accept(source)
        return None

    async def _swap(self, tx: Tx, settings: Settings) -> None:
        world = self._world
        old, safe, told = world.settings, bool(world.problems), world.main_room
        await self._take(tx, settings, old)
        world.settings, world.problems = settings, ()
        world.rooms = {
            room: view for room, view in world.rooms.items() if room in settings.ops_rooms
        }
        await meta.drop(tx, _SAFE)
        requests = await changes.policy_changed(world.desk(tx))
        # To both: whoever moves the ops room elsewhere does not do it unseen.
        for room in {room for room in (told, *settings.ops_rooms[:1]) if room is not None}:
            if safe or old is None:
                said = alarms.safe_mode_over(read_out(settings.policy))
            else:
                said = _reloaded(world.here(room), diff(old.policy, settings.policy), requests)
            key = f"policy.{settings.digest[:16]}.{world.now()}"
            await world.outbox.put(tx, room, key, said)

    async def _take(self, tx: Tx, settings: Settings, old: Settings | None) -> None:
        """Keeps the text for a later start, and records it if it is another one."""
        before = await meta.get(tx, _LAST)
        await meta.put(tx, _BY, self._world.version)
        self._last = settings.text
        if before == settings.text:
            return
        await meta.put(tx, _LAST, settings.text)
        digest = hashlib.sha256(before.encode()).hexdigest() if before is not None else None
        record = {"old": digest, "new": settings.digest}
        if old is not None:
            record["change"] = diff(old.policy, settings.policy).head
        await audit.append(tx, self._world.now(), "policy", record)

    async def _refuse(self, loaded: Loaded) -> None:
        self._text.refuse()
        world, room = self._world, self._world.main_room
        if world.problems or world.settings is None:
            world.problems = loaded.errors
            said = self._safe_mode(room or "")
        else:
            tests = sum(each.kind == "test" for each in loaded.errors)
            said = alarms.policy_rejected(
                world.here(room or ""), _told(loaded.errors), tests=tests
            )

        async def tell(tx: Tx) -> None:
            now = world.now()
            await audit.append(tx, now, "policy refused", {"line": loaded.errors[0].line})
            if room is not None:
                await world.outbox.put(tx, room, f"policy.refused.{now}", said)

        await self._db.write(tell)

    def _safe_mode(self, room: str) -> Message:
        world = self._world
        return alarms.safe_mode(world.here(room), _told(world.problems), file=world.file)


async def _regrouped(tx: Tx) -> tuple[Mapping[str, Sequence[str]], Sequence[tuple[str, str]]]:
    """What the groups that a policy may allow hold and did not at the last start, and which
    commands they held then and do not any more: (group, command)."""
    before = json.loads(await meta.get(tx, _GROUPS) or "{}")
    now = {group: sorted(in_group(group)) for group in ("#read", "#inspect", "*")}
    if now != before:
        await meta.put(tx, _GROUPS, json.dumps(now))
    new = {
        group: [n for n in now.get(group, ()) if n not in names] for group, names in before.items()
    }
    left = [(g, n) for g, names in before.items() for n in names if n not in now.get(g, ())]
    gone = [(group, name) for group, name in left if name in COMMANDS]
    return {group: names for group, names in new.items() if names}, gone


def _told(problems: Sequence[Problem]) -> list[tuple[int, str]]:
    return [(problem.line, problem.text) for problem in problems]


def _reloaded(here: Here, change: Change, requests: Sequence[Text]) -> Message:
    told = tuple(word for line in requests for word in (*line, " "))[:-1]
    return alarms.reloaded(here, change.head, change.lines, change.unchanged, told)


def _rooms(text: str) -> tuple[str, ...]:
    """The ops rooms of a text that may be wrong elsewhere: who is told of safe mode."""
    try:
        found = YAML(typ="safe", pure=True).load(text)["ops_rooms"]
        return tuple(str(room) for room in found if str(room).startswith("!"))
    except Exception:  # whatever is wrong with it, the loader says
        return ()
