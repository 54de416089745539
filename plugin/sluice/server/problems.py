"""What around Sluice is not as it must be: the admin room, the ops rooms, the server, the log.

Looked at when it starts, hourly, and for `status`. Each problem is told once when it is new, with
its remedy, and stands in `status` as long as it lasts.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import partial

from attrs import frozen

from .. import audit
from ..audit import Broken, Head
from ..chat import alarms, health
from ..db import meta
from ..db.connection import Database, Tx
from ..matrix.api import Homeserver, MatrixError
from ..matrix.encryption import MESSAGE
from ..matrix.late import ENCRYPTED
from ..matrix.outbox import Outbox
from ..matrix.rooms import RoomView
from ..matrix.skew import DIFFER
from ..model.request import WhyKind
from ..policy.keys import without_server
from ..policy.people import in_order, members_of, mxids_of, person_of, roles
from ..state import Live, Rooms, ServerState
from ..text.message import Text, code, plain
from ..text.phrases import Word
from ..text.times import about
from .looking import Looking
from .named import NamedAccounts

_ORDER = tuple(health.PROBLEMS)
_TAPS = (("m.reaction", "no_react", "no_tap"), ("m.room.redaction", "no_unreact", "no_untap"))
_MUTE = ("mute", "refused", "odd_crypto", "no_crypto")  # of a room where the bot cannot speak
_TOLD = "drift"  # in the database: what was told and lasts
_HOUR, _WAITS = 3600.0, 10.0
_MOST_ACCOUNTS = 1_000  # named accounts that are looked up

log = logging.getLogger("sluice.drift")


@frozen
class Trouble:
    """One problem. kind: a row of `health.PROBLEMS`. about: the id, version, time or number it is
    about; told once for each. more: what else its words say. room: of an ops room."""

    kind: str
    about: str = ""
    room: str = ""
    more: tuple[Word, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.kind} {self.about} {self.room}"


Source = Callable[[Tx], Awaitable[Iterable[Trouble]]]
"""Finds the problems of one theme as they are now. It asks the database only: what the server must
be asked for is asked before."""


class Drift:
    """autojoin: whether maubot accepts every invitation, None where that cannot be seen.
    sources: what else finds problems; each kind has a row in `health.PROBLEMS`."""

    def __init__(
        self,
        live: Live,
        rooms: Rooms,
        outbox: Outbox,
        conduit: ServerState,
        db: Database,
        homeserver: Homeserver,
        autojoin: Callable[[], bool | None],
        sources: Sequence[Source],
        looking: Looking,
        due: asyncio.Event,
    ) -> None:
        """due: the bell that something may have changed, or an hour is over."""
        self._sources: tuple[Source, ...] = (self._around, *sources)
        self._live, self._rooms, self._outbox, self._conduit = live, rooms, outbox, conduit
        self._db, self._hs, self._autojoin = db, homeserver, autojoin
        self._looking = looking
        self._named = NamedAccounts(live, rooms, looking)
        self._address: str | None = None  # where #admins leads, "" nowhere, None not known
        self._without: tuple[str, ...] = ()  # named accounts that do not exist
        self._accounts_at = 0.0  # when they were looked up
        self._names: frozenset[str] = frozenset()  # which names were
        self._due, self._log_lock = due, asyncio.Lock()
        self.log = Head()  # up to where the log was found unbroken
        self.broken: int | None = None  # the first entry of it that is wrong

    # --- looking

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._due.wait()
            await self.hourly()  # if it fails it is due still

    async def look(self, *, accounts: bool = False) -> None:
        """Asks the server and follows the log on from where it was good.

        accounts: those of the policy too, if it was not done within the hour.
        """
        await self.check_log()
        if self._live.settings is None:
            return
        try:
            for view in tuple(self._rooms.views.values()):
                await view.refresh(self._hs)  # what was emptied from outside shows nowhere else
        except MatrixError as error:
            log.warning("A room cannot be looked at: %s", error)
        try:
            self._address = await self._hs.alias(f"#admins:{self._live.server}") or ""
        except MatrixError:
            self._address = None
        names = self._live.in_force.policy.named
        due = self._live.now() - self._accounts_at >= _HOUR
        if accounts and (due or names != self._names):
            try:
                self._without = await self._missing()
            except MatrixError:
                return  # what was found the last time holds, and it is tried again
            self._accounts_at, self._names = self._live.now(), names

    async def _missing(self) -> tuple[str, ...]:
        policy = self._live.in_force.policy
        own = [m for m in sorted(policy.named) if m.endswith(f":{self._live.server}")]
        missing, there = list[str](), list[str]()
        for mxid in own[:_MOST_ACCOUNTS]:
            found = await self._hs.profile(mxid)
            (missing if found is None else there).append(mxid)
        await self._db.write(lambda tx: self._named.looked(tx, there, missing))
        return tuple(missing)

    async def check_log(self) -> None:
        """A page at a time, so that nobody waits long for the database."""
        async with self._log_lock:
            while self.broken is None:
                try:
                    after = await self._db.read(partial(audit.further, last=self.log))
                except Broken as error:
                    await self._db.write(partial(self._tell_broken, seq=error.seq))
                    return
                if after == self.log:
                    return
                self.log = after

    async def _tell_broken(self, tx: Tx, *, seq: int) -> None:
        for room in self._rooms.told_rooms:
            key = f"log.broken.{seq}.{self._live.now()}"
            said = alarms.log_broken(self._rooms.here(room), seq)
            await self._looking.alarm(tx, room, key, said)
        tx.after(lambda: setattr(self, "broken", seq))

    # --- what is wrong now

    async def troubles(self, tx: Tx) -> tuple[Trouble, ...]:
        """The worst first."""
        found = [each for source in self._sources for each in await source(tx)]
        return tuple(sorted(found, key=lambda each: _ORDER.index(each.kind)))

    async def _around(self, _: Tx) -> Iterable[Trouble]:
        """What needs no look into the database."""
        rooms = (t for room, view in self._rooms.views.items() for t in self._of_room(room, view))
        found = (*self._of_sluice(), *self._of_conduit(), *self._of_admin_room())
        return (*found, *rooms)

    def _of_sluice(self) -> Iterator[Trouble]:
        if (failing := self._db.failing) is not None:
            yield Trouble("storage", "disk full" if failing.full else "the database fails")
        if self.broken is not None:
            yield Trouble("log_broken")
        if self._live.problems:
            yield Trouble("safe_mode", str(self._live.problems[0].line))
        if self._autojoin():
            yield Trouble("autojoin")
        if self._live.settings is None:
            return
        for room, away in self._rooms.away.items():
            if away.why is not WhyKind.ROOM_LEFT:
                yield Trouble("unread_room", room)
            elif (meant := without_server(room)) is not None:
                yield Trouble("no_such_room", room, more=(code(meant),))
            else:
                yield Trouble("not_in_ops_room", room)
        policy = self._live.settings.policy
        for problem in self._live.settings.outdated:
            yield Trouble("outdated", f"{problem.line}: {problem.text}")
        if len(members_of(policy, policy.owners)) == 1 and policy.break_glass is not None:
            yield Trouble("one_owner")
        for mxid in self._without:
            if mxid in policy.named:
                yield Trouble("no_account", mxid)

    def _of_conduit(self) -> Iterator[Trouble]:
        if self._live.settings is None:
            return
        conduit, address = self._conduit, f"#admins:{self._live.server}"
        if not conduit.room:
            gone = self._address == "" and self._live.settings.admin_room is None
            outside = Trouble("not_in_admin_room", self._live.me)
            yield Trouble("address_gone", address) if gone else outside
            return
        health, now = conduit.health, self._live.now()
        clock, waits = self._rooms.here("").clock, conduit.busy_since(now)
        if health.outside:
            yield Trouble("not_in_admin_room", self._live.me)
        if self._address == "" or (self._address is None and health.alias_lost):
            yield Trouble("address_gone", address)
        elif self._address is not None and self._address != conduit.room:
            yield Trouble("address_elsewhere", address)
        elif health.silent_since is not None:  # else a restart is no remedy
            yield Trouble("silent", clock.at(health.silent_since))
        elif now - waits > _WAITS and health.answering:
            yield Trouble("no_answer", clock.at(waits))
        ahead = self._hs.skew.seconds
        if ahead is not None and abs(ahead) >= DIFFER:
            yield Trouble("clocks", more=(about(abs(ahead)),))
        if health.emergency:
            yield Trouble("emergency")
        if health.version and health.dialect is None:
            yield Trouble("unknown_version", f"Conduit {health.version}")

    def _of_admin_room(self) -> Iterator[Trouble]:
        """Every member of it is all-powerful, whatever the policy says."""
        view, settings = self._conduit.view, self._live.settings
        if view is None or not view.known or settings is None:
            return
        server, policy = self._live.server, settings.policy
        owners = {m for p in members_of(policy, policy.owners) for m in mxids_of(policy, p)}
        expected = {self._live.me, f"@conduit:{server}", *owners}
        for mxid in sorted(view.joined | view.invited):
            if not mxid.endswith(f":{server}"):
                yield Trouble("remote_member", mxid)
            elif mxid not in expected:
                yield Trouble("not_owner", mxid)
        power = view.power(self._live.me)
        if power < view.needed("redact") and settings.secrets.scrub_admin_room:
            yield Trouble("no_scrub", f"{power:g}")

    def _of_room(self, room: str, view: RoomView) -> Iterator[Trouble]:
        if view.public:
            yield Trouble("public", room=room)
        if view.history_visibility == "world_readable":
            yield Trouble("world_readable", room=room)
        if view.replaced_by:
            yield Trouble("upgraded", room=room)
        mute = self._rooms.mute(room)
        kind = ENCRYPTED if view.encrypted else MESSAGE
        power = f"{view.power(self._live.me):g}"
        about = {
            "mute": power,
            "refused": self._outbox.refused.get(room, ""),
            "odd_crypto": view.algorithm,
        }
        if mute:
            yield Trouble(mute, about.get(mute, ""), room, _needs(view, kind))
        if view.encrypted and not view.algorithm:
            yield Trouble("emptied", view.event_of("m.room.encryption"), room)
        for kind, own, theirs in _TAPS:
            if not mute and not view.can_send(kind, self._live.me):
                yield Trouble(own, power, room, _needs(view, kind))
            if names := self._unable(view, kind):
                yield Trouble(theirs, ", ".join(names), room, _needs(view, kind))

    def _unable(self, view: RoomView, kind: str) -> tuple[str, ...]:
        """Who can vote here by their role, and not send this."""
        if self._live.settings is None:
            return ()
        policy = self._live.settings.policy
        voting = {slot.role for rule in policy.rules for slot in rule.slots}
        able = (m for m in view.joined if voting & roles(policy, m, view.power(m)))
        return in_order(policy, {person_of(policy, m) for m in able if not view.can_send(kind, m)})

    # --- telling

    async def words(self, tx: Tx, room: str, *, start: bool = False) -> tuple[Text, ...]:
        """Every problem in words, for this room. start: as the first message says it."""
        return tuple(self._said(room, each, start) for each in await self.troubles(tx))

    def _said(self, room: str, trouble: Trouble, start: bool = False) -> Text:
        here = self._rooms.here(room)
        said = health.problem(here, trouble.kind, trouble.about, *trouble.more, start=start)
        return (code(trouble.room), ": ", *said) if trouble.room not in ("", room) else said

    async def hourly(self) -> None:
        """Looks, and tells what is new since the last time."""
        self._due.clear()
        try:
            await self._hourly()
        except BaseException:
            self._due.set()
            raise

    async def _hourly(self) -> None:
        await self.look(accounts=True)
        if self._live.settings is not None and self._rooms.main_room is not None:
            await self._db.write(self.tell)

    async def tell(self, tx: Tx, *, silent: bool = False) -> None:
        """Says each new problem once. silent: it is said already, at the first start."""
        found = await self.troubles(tx)
        told = set(json.loads(await meta.get(tx, _TOLD) or "[]"))
        new = [each for each in found if each.key not in told]
        if {each.key for each in found} != told:
            await meta.put(tx, _TOLD, json.dumps(sorted(each.key for each in found)))
        await self._tell_mute(tx, [each for each in new if each.kind in _MUTE], silent)
        new = [e for e in new if not health.PROBLEMS[e.kind].alarm and e.kind not in _MUTE]
        if new and not silent:
            for room in self._rooms.told_rooms:
                await self._put(tx, room, new)

    async def _tell_mute(self, tx: Tx, new: list[Trouble], silent: bool) -> None:
        """In every other room, and in the log: in the room itself nobody can be told."""
        for each in new:
            log.error("%s: %s", each.room, plain(self._said(each.room, each)))
        for room in self._rooms.speaking(besides=(self._rooms.main_room or "") if silent else ""):
            await self._put(tx, room, [each for each in new if each.room != room])

    async def _put(self, tx: Tx, room: str, new: list[Trouble]) -> None:
        if new:
            said = health.drifted(self._rooms.here(room), [self._said(room, each) for each in new])
            key = f"drift.{self._live.now()}.{new[0].key}"
            await self._looking.alarm(tx, room, key, said)


def _needs(view: RoomView, kind: str) -> tuple[str]:
    return (f"{view.needed_to_send(kind):g}",)
