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
from collections.abc import Iterable, Iterator, Mapping, Sequence

from attrs import evolve

from . import audit
from .catalog.table import COMMANDS, in_group
from .chat import alarms, policy_news
from .db import meta
from .db.connection import Database, StorageFailed, Tx
from .difference import Change, difference
from .matrix.api import Homeserver, NoResponse, Refused
from .matrix.outbox import Outbox
from .policy.access import lost_by, read_out
from .policy.document import Problem
from .policy.keys import without_server
from .policy.people import mxids_of, owners
from .policy_text import PolicyText, Source, Unreadable, line_of
from .requests import limits, reweigh
from .requests.desk import Desks
from .server import named
from .settings import Loaded, Settings, load
from .state import Bells, Live, Rooms, ServerState
from .text.message import Message, Text, plain

_LAST, _BY = "policy", "policy by"  # the last valid text, and the version that found it valid
_TOLD = "policy told"  # the last text whose changes were told
_OUTDATED = "policy outdated"  # what of it was told to be written differently
_SAFE = "safe mode"  # set while it was safe mode when it was looked last
_GROUPS = "groups"  # the commands of each group, as this version or an earlier one has them
_SHOWN = 100  # characters that maubot's UI shows of an error
_IN_RECORD = 40_000  # characters of the lines in one record of the log

log = logging.getLogger("sluice.policy")


class Reload:
    def __init__(
        self,
        live: Live,
        rooms: Rooms,
        outbox: Outbox,
        conduit: ServerState,
        desk: Desks,
        db: Database,
        homeserver: Homeserver,
        text: PolicyText,
        bells: Bells,
    ) -> None:
        self._live, self._rooms, self._outbox, self._conduit = live, rooms, outbox, conduit
        self._desk, self._db, self._hs, self._text, self._bells = desk, db, homeserver, text, bells
        self._server = live.me.partition(":")[2]
        self._last: str | None = None  # the last valid text, if this version found it valid
        self._lock = asyncio.Lock()  # one edit after the other
        self._edits: set[asyncio.Task[str | None]] = set()
        self._told: Settings | None = None  # the last that was told, if that is not what is live

    async def _read(self, accepted: str | None = None) -> tuple[Source, Loaded]:
        """The text of now. The tests of one that was valid are not run again: a test without a
        time may fail at night. accepted: the text that was live before this start."""
        try:
            source = await self._text.read()
        except Unreadable as error:
            self._live.reads(file=True)
            source = Source("config", "")
            loaded = Loaded(None, (Problem(1, str(error)),), ())
        else:
            is_file = source.name not in ("config", "plugin_config")
            loaded = load(
                source.text,
                server=self._server,
                now=self._live.now(),
                admin_room=self._conduit.room or None,
                proven=source.text == self._last,
                accepted=source.text == accepted,
            )
            self._live.reads(file=is_file, ops_rooms=loaded.rooms)
            if loaded.settings is not None and (fixed := self._fixed(loaded.settings)):
                loaded = Loaded(None, fixed, loaded.warnings)
        _log(loaded.errors, source.name)
        for problem in loaded.warnings:
            log.warning("%s:%d: %s", source.name, problem.line, problem.text)
        return source, loaded

    def _fixed(self, new: Settings) -> tuple[Problem, ...]:
        """What a running Sluice cannot change: which Conduit it talks to."""
        live, how = self._conduit, "is read at the start only: stop Sluice, save, start it"
        if not live.room:
            return ()
        found = []
        if new.server != live.server:
            found.append(Problem(line_of(new.text, "server"), f"server {how}"))
        if new.admin_room not in (None, live.room):
            found.append(Problem(line_of(new.text, "admin_room"), f"admin_room {how}"))
        return tuple(found)

    # --- the start

    async def first(self) -> None:
        """At start. Afterwards there are settings, or problems, or both."""
        last = await self._db.read(lambda tx: meta.get(tx, _LAST))
        by = await self._db.read(lambda tx: meta.get(tx, _BY))
        self._last = last if by == self._live.version else None
        told = await self._db.read(lambda tx: meta.get(tx, _TOLD)) or last
        source, loaded = await self._read(last)
        before = self._earlier(last, source)
        self._told = before if told == last else self._earlier(told, source)
        loaded = _for_somebody(loaded, before)
        settings = loaded.settings
        if settings is None:
            self._live.starts_with(before, loaded.errors)
            if last == source.text:  # valid for an earlier version, not for this one
                log.error("The last valid policy is not valid for this version of Sluice")
            return
        self._text.accept(source)
        self._live.goes_live(settings)
        try:
            await self._db.write(lambda tx: self._take(tx, settings, before))
        except StorageFailed as error:  # nothing is sent either as long as nothing is stored
            log.error("The policy is live and not recorded: %s", error)

    def _earlier(self, text: str | None, now: Source) -> Settings | None:
        """What an earlier text said; None if there is none, or it is the one of now."""
        if text is None or text == now.text:
            return None
        return load(text, server=self._server, now=0, accepted=True).settings

    async def turned_away(self, joined: Sequence[str]) -> None:
        """At the start no ops room lets us in. Those of the text before hear it, once for a text:
        they are where somebody looks. joined: the rooms that we are in."""
        old, new = self._told, self._live.settings
        if old is None or new is None or not new.ops_rooms:
            return
        rooms = [room for room in old.ops_rooms if room in joined]
        key = f"turned away.{hashlib.sha256(new.text.encode()).hexdigest()[:16]}"
        push = tuple(m for person in owners(old.policy) for m in mxids_of(old.policy, person))

        async def commit(tx: Tx) -> None:
            for room in rooms:
                here = evolve(self._rooms.here(room), owners=push)
                said = alarms.turned_away(here, new.ops_rooms[0])
                await self._outbox.put(tx, room, key, said)

        await self._db.write(commit)

    async def greet(self) -> None:
        """What is to be said of the policy at the start: safe mode, its end, other rights."""
        room = self._rooms.main_room
        if room is None:
            return

        async def commit(tx: Tx) -> None:
            live, said = self._live, list[Message]()
            safe = await meta.get(tx, _SAFE) is not None
            if live.problems:
                said.append(self._safe_mode(room))
                await meta.put(tx, _SAFE, "1")
            elif live.settings is not None:
                old = self._told or (live.settings if safe else None)
                requests = await reweigh.policy_changed(self._desk(tx)) if self._told else ()
                push = self._owners(room, old, live.settings)
                if safe or (old is not None and difference(old, live.settings).lines):
                    said += self._changed(room, old, live.settings, requests, push, safe=safe)
                said += await self._outdated(tx, room, live.settings)
                await meta.drop(tx, _SAFE)
                await meta.put(tx, _TOLD, live.settings.text)
            await self._say(tx, room, f"policy.{live.now()}", said)
            if live.settings is not None:
                await self._tell_groups(tx, room, live.settings)

        await self._db.write(commit)
        self._told = None

    def _changed(
        self,
        room: str,
        old: Settings | None,
        new: Settings,
        requests: Sequence[Text],
        push: tuple[str, ...],
        *,
        safe: bool,
    ) -> Sequence[Message]:
        """The news of a new text. old: what was live, None without one."""
        here = evolve(self._rooms.here(room), owners=push)
        change = difference(old, new) if old is not None else None
        told = tuple(word for line in requests for word in (*line, " "))[:-1]
        if safe:
            return policy_news.safe_mode_over(here, change, read_out(new.policy), told)
        return policy_news.reloaded(here, change, told) if change is not None else ()

    def _owners(self, room: str, *texts: Settings | None) -> tuple[str, ...]:
        """The owners of both texts: nobody ceases to be one unseen."""
        found = (m for text in texts if text for m in self._rooms.owners_in(room, text))
        return tuple(dict.fromkeys(found))

    async def _outdated(self, tx: Tx, room: str, settings: Settings) -> Sequence[Message]:
        """Told once: what an earlier version took and this one will not take again."""
        told = _told(settings.outdated)
        if not told or await meta.get(tx, _OUTDATED) == json.dumps(told):
            return ()
        await meta.put(tx, _OUTDATED, json.dumps(told))
        return (policy_news.outdated(self._rooms.here(room), told),)

    async def _tell_groups(self, tx: Tx, room: str, settings: Settings) -> None:
        """At the first start of a version: what a group holds since then, and what no longer."""
        live, here = self._live, self._rooms.here(room)
        gained, lost = await _regrouped(tx)
        if gained:
            said = policy_news.groups_grew(here, live.version, gained)
            await self._outbox.put(tx, room, f"groups.{live.now()}", said)
        for group, name in lost:
            if who := lost_by(settings.policy, group, name):
                said = policy_news.group_shrank(here, live.version, group, name, who)
                await self._outbox.put(tx, room, f"lost.{name}.{live.now()}", said)

    async def _say(self, tx: Tx, room: str, key: str, said: Sequence[Message]) -> None:
        for n, message in enumerate(said):
            await self._outbox.put(tx, room, f"{key}.{n}" if n else key, message)

    def admin_room_is(self, room: str) -> None:
        """Where `#admins` leads is known only once it was asked: no ops room may be there."""
        settings = self._live.settings
        if settings is not None and room in settings.ops_rooms:
            found = load(settings.text, server=self._server, now=0, admin_room=room, accepted=True)
            self._live.is_refused(found.errors)
            _log(found.errors)

    # --- later

    async def again(self) -> str | None:
        """A new text: live at once, or refused; the ops room is told. The first error, if any.

        A caller that is cancelled stops waiting and no more: half of a change is none.
        """
        task = asyncio.ensure_future(self._one_by_one())
        self._edits.add(task)
        task.add_done_callback(self._edits.discard)
        return await asyncio.shield(task)

    async def _one_by_one(self) -> str | None:
        async with self._lock:
            problem = await self._again()
        if self._conduit.room:  # else it is looked at once that is open
            self._bells.problems.set()  # whether the accounts that it names exist
        else:
            self._bells.opened.clear()  # it may name the room that there was none to look for
        self._bells.rooms.set()
        self._bells.line.set()
        return problem

    async def _again(self) -> str | None:
        try:
            source, loaded = await self._read()
            loaded = _for_somebody(loaded, self._live.settings)
            if (shut := await self._shut_out(loaded.settings)) is not None:
                loaded = Loaded(None, (shut,), loaded.warnings)
            settings = loaded.settings
            if settings is None:
                await self._refuse(loaded)
                problem = loaded.errors[0]
                return f"line {problem.line}: {problem.text}"[:_SHOWN]
            await self._db.write(lambda tx: self._swap(tx, settings, source))
        except Exception:  # not of a cancellation: the block goes on, and tells when it is live
            self._text.refuse()
            raise
        return None

    async def _shut_out(self, new: Settings | None) -> Problem | None:
        """What is wrong with a text by which we leave the room that we are in for rooms that do
        not let us in: nobody could take it back in any room."""
        room = self._rooms.main_room
        if new is None or room is None or room in self._rooms.aside or room in new.ops_rooms:
            return None
        try:
            joined = await self._hs.joined_rooms()
            for wanted in new.ops_rooms:
                if wanted in joined or await self._is_let_in(wanted):
                    return None
        except NoResponse:  # then nobody knows
            return None
        wanted = new.ops_rooms[0]
        bare = wanted.partition(":")[0]
        meant = without_server(wanted) or (bare if bare in joined else None)
        fix = f"invite {self._live.me} there first"
        fix = f'such ids have no server part, write "{meant}"' if meant else fix
        problem = Problem(
            line_of(new.text, "ops_rooms"), f"ops_rooms: I am not in {wanted}: {fix}"
        )
        _log([problem])
        return problem

    async def _is_let_in(self, room: str) -> bool:
        try:
            await self._hs.join(room)
        except Refused:
            return False
        return True

    def _is_live(self, settings: Settings, source: Source) -> None:
        """It is committed."""
        self._live.goes_live(settings)
        self._text.accept(source)

    async def _swap(self, tx: Tx, settings: Settings, source: Source) -> None:
        live = self._live
        tx.after(lambda: self._is_live(settings, source))  # who looks meanwhile sees the old one
        old, safe, told = live.settings, bool(live.problems), self._rooms.main_room
        await self._take(tx, settings, old)
        # To both: whoever moves the ops room elsewhere does not do it unseen.
        rooms = [room for room in (told, *settings.ops_rooms[:1]) if room is not None]
        push = {room: self._owners(room, old, settings) for room in rooms}
        await meta.drop(tx, _SAFE)
        await meta.put(tx, _TOLD, settings.text)
        requests = await reweigh.policy_changed(self._desk.under(settings)(tx))
        fresh = safe or old is None
        for room, pushed in push.items():
            said = self._changed(room, old, settings, requests, pushed, safe=fresh)
            await self._say(tx, room, f"policy.{settings.fingerprint[:16]}.{live.now()}", said)

    async def _take(self, tx: Tx, settings: Settings, old: Settings | None) -> None:
        """Keeps the text for a later start, and records it if it is another one."""
        before = await meta.get(tx, _LAST)
        await meta.put(tx, _BY, self._live.version)
        tx.after(lambda: setattr(self, "_last", settings.text))
        await limits.carry_over(tx, settings.policy.rules)
        await named.forget(tx, settings.policy)
        if before == settings.text:
            return
        await meta.put(tx, _LAST, settings.text)
        digest = hashlib.sha256(before.encode()).hexdigest() if before is not None else None
        record: dict[str, object] = {"old": digest, "new": settings.fingerprint}
        if old is None:
            await audit.append(tx, self._live.now(), "policy", record)
            return
        change = difference(old, settings)
        record["change"] = change.head
        for kind, lines in _records(change):
            await audit.append(tx, self._live.now(), kind, {**record, "lines": lines})

    async def _refuse(self, loaded: Loaded) -> None:
        self._text.refuse()
        live, room = self._live, self._rooms.main_room
        if live.problems or live.settings is None:
            live.is_refused(loaded.errors)
            said = self._safe_mode(room or "")
        else:
            tests = sum(each.kind == "test" for each in loaded.errors)
            said = policy_news.policy_rejected(
                self._rooms.here(room or ""), _told(loaded.errors), tests=tests
            )

        async def tell(tx: Tx) -> None:
            now = live.now()
            await audit.append(tx, now, "policy refused", {"line": loaded.errors[0].line})
            if room is not None:
                await self._outbox.put(tx, room, f"policy.refused.{now}", said)

        await self._db.write(tell)

    def _safe_mode(self, room: str) -> Message:
        live, here = self._live, self._rooms.here(room)
        return policy_news.safe_mode(here, _told(live.problems), file=live.file)


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


def _for_somebody(loaded: Loaded, before: Settings | None) -> Loaded:
    """Refuses a text without a room for commands, or without owners, where there were some:
    nobody could take it back. Most often it was emptied, or is not saved whole.

    Args:
        before: What was live, None without one.
    """
    new = loaded.settings
    if new is None or before is None:
        return loaded
    lost = []
    if before.ops_rooms and not new.ops_rooms:
        lost.append((line_of(new.text, "ops_rooms"), "ops_rooms is empty"))
    if owners(before.policy) and not owners(new.policy):
        lost.append((line_of(new.text, "owners"), "there are no owners any more"))
    if not lost:
        return loaded
    why = "nobody could correct it here. Is it saved whole?"
    found = tuple(Problem(line, f"{what}: {why}") for line, what in lost)
    _log(found)
    return Loaded(None, found, loaded.warnings)


def _log(errors: Iterable[Problem], source: str = "policy") -> None:
    for problem in errors:
        log.error("%s:%d: %s", source, problem.line, problem.text)


def _told(problems: Sequence[Problem]) -> list[tuple[int, str]]:
    return [(problem.line, problem.text) for problem in problems]


def _records(change: Change) -> Iterator[tuple[str, list[str]]]:
    """Every line, in as many records as it takes; the first is that of the new policy."""
    kind, lines, used = "policy", list[str](), 0
    for line in map(plain, change.lines):
        size = len(json.dumps(line))
        if lines and used + size > _IN_RECORD:
            yield kind, lines
            kind, lines, used = "policy lines", [], 0
        lines.append(line)
        used += size
    yield kind, lines
