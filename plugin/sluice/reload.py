"""Which policy is live: the first one at start, and every later one, swapped as a whole or not.

A text with any error changes nothing. Without a valid text at start the last valid one (kept in
the database) says who is told so, and nothing runs: safe mode.
"""

from __future__ import annotations

import hashlib

from ruamel.yaml import YAML

from . import audit
from .chat import alarms
from .db import meta
from .db.connection import Database, Tx
from .message import Message
from .policy.document import Problem
from .policy.matrix import diff, read_out
from .policy_text import PolicyText, Source, Unreadable
from .requests import changes
from .settings import Loaded, Settings, load
from .world import World

_LAST = "policy"  # the last valid text
_SHOWN = 100  # characters that maubot's UI shows of an error


class Reload:
    """rooms: rooms named by the last text that could be read at all, for safe mode."""

    def __init__(self, world: World, db: Database, text: PolicyText) -> None:
        self._world, self._db, self._text = world, db, text
        self._accepted: Source | None = None
        self.warnings: tuple[Problem, ...] = ()
        self.rooms: tuple[str, ...] = ()

    def _load(self) -> tuple[Source | None, Loaded]:
        try:
            source = self._text.read()
        except Unreadable as error:
            return None, Loaded(None, (Problem(1, str(error)),), ())
        self._world.file = source.name not in ("config", "plugin_config")
        self.rooms = _rooms(source.text)
        server = self._world.me.partition(":")[2]
        return source, load(source.text, server=server, now=self._world.now())

    async def first(self) -> None:
        """At start. Afterwards the world has settings, or problems, or both."""
        source, loaded = self._load()
        self.warnings = loaded.warnings
        if loaded.settings is not None:
            self._accepted = source
            await self._db.write(lambda tx: self._take(tx, loaded.settings))
            return
        self._world.problems = loaded.errors
        last = await self._db.read(lambda tx: meta.get(tx, _LAST))
        if last is not None:
            server = self._world.me.partition(":")[2]
            self._world.settings = load(last, server=server, now=self._world.now()).settings

    async def again(self, room: str | None) -> str | None:
        """A new text: live at once, or refused; the ops room is told. The first error, if any.

        room: where the message goes.
        """
        source, loaded = self._load()
        if loaded.settings is None:
            await self._refuse(loaded, room)
            problem = loaded.errors[0]
            return f"line {problem.line}: {problem.text}"[:_SHOWN]
        self._accepted, self.warnings = source, loaded.warnings
        old, was_safe = self._world.settings, bool(self._world.problems)

        settings = loaded.settings

        async def swap(tx: Tx) -> None:
            try:
                await self._take(tx, settings)
                requests = await changes.policy_changed(self._world.desk(tx))
            except BaseException:
                self._world.settings = old
                raise
            self._world.problems = ()
            said = self._said(old, settings, was_safe, requests)
            if room is not None and said is not None:
                key = f"policy.{settings.digest[:16]}.{self._world.now()}"
                await self._world.outbox.put(tx, room, key, said)

        await self._db.write(swap)
        return None

    async def _take(self, tx: Tx, settings: Settings | None) -> None:
        assert settings is not None
        before = await meta.get(tx, _LAST)
        self._world.settings = settings
        if before == settings.text:
            return
        await meta.put(tx, _LAST, settings.text)
        old = hashlib.sha256(before.encode()).hexdigest() if before is not None else None
        record = {"old": old, "new": settings.digest}
        if before is not None and (known := load(before, server=settings.server, now=0).settings):
            change = diff(known.policy, settings.policy)
            record["change"] = change.head
        await audit.append(tx, self._world.now(), "policy", record)

    def _said(
        self, old: Settings | None, new: Settings | None, was_safe: bool, requests: object
    ) -> Message | None:
        assert new is not None
        room = self._world.main_room or ""
        if was_safe or old is None:
            return alarms.safe_mode_over(read_out(new.policy))
        change = diff(old.policy, new.policy)
        told = tuple(word for line in requests for word in (*line, " "))[:-1]  # type: ignore[attr-defined]
        here = self._world.here(room)
        return alarms.reloaded(here, change.head, change.lines, change.unchanged, told)

    async def _refuse(self, loaded: Loaded, room: str | None) -> None:
        self._text.refuse(self._accepted)
        if self._world.problems or self._world.settings is None:
            self._world.problems = loaded.errors
        problems = [(each.line, each.text) for each in loaded.errors]
        tests = sum(each.kind == "test" for each in loaded.errors)
        said = alarms.policy_rejected(self._world.here(room or ""), problems, tests=tests)

        async def tell(tx: Tx) -> None:
            now = self._world.now()
            await audit.append(tx, now, "policy refused", {"line": loaded.errors[0].line})
            if room is not None:
                await self._world.outbox.put(tx, room, f"policy.refused.{now}", said)

        await self._db.write(tell)


def _rooms(text: str) -> tuple[str, ...]:
    """The ops rooms of a text that may be wrong elsewhere: who is told of safe mode."""
    try:
        found = YAML(typ="safe", pure=True).load(text)["ops_rooms"]
        return tuple(str(room) for room in found if str(room).startswith("!"))
    except Exception:  # whatever is wrong with it, the loader says
        return ()
