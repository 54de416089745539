"""News of the server: which are passed on to the ops room, and many of a kind told in one message.

The third message of a kind within a minute takes the others in and is edited from then on: a wave.
Reports of one account stand in one message from the first on. What a message tells is stored, so
it goes on after a restart; and what it is about is all that it tells when somebody replies, who is
shown it before anything runs.
"""

from __future__ import annotations

import math
from collections.abc import Set

from attrs import evolve

from ..catalog.record import Does
from ..catalog.table import COMMANDS
from ..chat import notices as texts
from ..chat import server_news
from ..chat.notices import Possible
from ..db.connection import Tx
from ..families.answers import (
    Developers,
    Emergency,
    PasswordChanged,
    Registered,
    Report,
    SelfDeactivated,
    server_notice,
)
from ..matrix import sealed
from ..matrix.outbox import Outbox
from ..model.admin_room import Content
from ..model.command import Type
from ..model.noticed import Noticed
from ..passwords import store as windows
from ..passwords.handover import REPLACED, Deliveries
from ..policy.access import cells
from ..policy.people import members_of, mxids_of, roles
from ..requests import store as requests
from ..state import Live, RegistrationState, Rooms
from ..text.message import Message, Topic, one_line
from ..typed.parse import MAX_ENTRIES
from . import store
from .looking import Looking
from .named import NamedAccounts
from .store import News

WAVE_STARTS = 60.0  # seconds: the third message of a kind within them starts a wave
CALM = 600.0  # seconds without a further notice, then a message is over
LASTS = 3600.0  # seconds after its first one; what comes later is told anew
_EDITED = 5.0  # seconds between two edits, and ever more the longer it lasts
_SHARE = 20  # of its age
_REASON = 300  # characters of a report's reason that are kept
_ALONE, _WAVE = "notice.", "wave."  # how the keys of messages begin

_ONE = frozenset(n for n, c in COMMANDS.items() if c.several and c.has(Type.USER))
_ALL = frozenset(COMMANDS[name].several for name in _ONE)
_CLOSE = frozenset(n for n, c in COMMANDS.items() if c.does is Does.OPENS_REGISTRATION)


class Notices:
    def __init__(
        self,
        live: Live,
        rooms: Rooms,
        outbox: Outbox,
        registration: RegistrationState,
        deliveries: Deliveries,
        looking: Looking,
    ) -> None:
        self._live, self._rooms, self._outbox = live, rooms, outbox
        self._registration, self._deliveries = registration, deliveries
        self._looking = looking
        self._named = NamedAccounts(live, rooms, looking)
        self._next = 0.0  # when to look whether a message must be edited

    async def take(
        self, tx: Tx, event_id: str, content: Content, raw: bool, at: float | None = None
    ) -> None:
        """One server notice, in the transaction in which it was read. at: when it was sent."""
        room, notice = self._rooms.main_room, server_notice(content)
        if isinstance(notice, Registered) and self._live.settings is not None:
            await self._named.registered(tx, notice.user)
        if room is None or self._live.settings is None:
            return
        if isinstance(notice, Registered):
            await windows.came(tx, notice.user)
        if isinstance(notice, Report) and notice.room in await sealed.rooms(tx):
            notice = evolve(notice, event="", room="")
        when = min(at or self._live.now(), self._live.now())
        if (noticed := self._noticed(event_id, notice, when)) is not None:
            await self._tell(tx, room, noticed)
        elif isinstance(notice, Emergency) and self._live.in_force.notices.emergency:
            said = server_news.emergency(self._rooms.here(room))
            await self._looking.say(tx, room, f"{_ALONE}{event_id}", said)
        elif (message := self._other(notice, content, raw)) is not None:
            await self._outbox.put(tx, room, f"{_ALONE}{event_id}", message)

    def _noticed(self, event_id: str, notice: object, at: float) -> Noticed | None:
        """What is passed on, and told together with others of its kind."""
        wanted = self._live.in_force.notices
        if isinstance(notice, Registered) and wanted.registered:
            return Noticed(event_id, "registered", at, notice.user)
        if isinstance(notice, PasswordChanged) and wanted.passwords:
            replaced = self._deliveries.replaced.get(notice.user, 0.0)
            own = self._live.now() - replaced < REPLACED
            return None if own else Noticed(event_id, "password_changed", at, notice.user)
        if isinstance(notice, SelfDeactivated) and wanted.registered:
            return Noticed(event_id, "self_deactivated", at, notice.user)
        if isinstance(notice, Report) and wanted.reports:
            reason = one_line(notice.reason or "", _REASON)
            by, where = notice.reporter, (notice.room, notice.event)
            return Noticed(event_id, "report", at, notice.sender, "", by, *where, reason)
        return None

    def _other(self, notice: object, content: Content, raw: bool) -> Message | None:
        if not self._live.in_force.notices.other:
            return None
        if isinstance(notice, Developers):
            return texts.developers(notice.text)
        return texts.raw(str(content.get("body", ""))) if notice is None and raw else None

    # --- one message for many

    async def _tell(self, tx: Tx, room: str, new: Noticed) -> None:
        going = await self._going(tx, new)
        await store.add_notice(tx, evolve(new, told=going or f"{_ALONE}{new.event_id}"))
        if not going:
            await self._begin(tx, room, new)
        tx.after(lambda: self._look_at(0.0))

    async def _going(self, tx: Tx, new: Noticed) -> str:
        """The message that takes one more in; that of its account first. "" if there is none."""
        for news in sorted(await store.open_news(tx), key=lambda each: _is_wave(each.key)):
            told = await store.told_by(tx, news.key)
            if news.kind != new.kind or not told or len(told) >= MAX_ENTRIES:
                continue
            lasts = new.at - told[0].at <= LASTS and new.at - told[-1].at <= CALM
            if lasts and (_is_wave(news.key) or told[0].account == new.account):
                return news.key
        return ""

    async def _begin(self, tx: Tx, room: str, new: Noticed) -> None:
        """A message of its own, or the first of a wave, with all that belongs to it."""
        near = await store.between(tx, new.kind, new.at - WAVE_STARTS, new.at)
        near = [each for each in near if not _is_wave(each.told)]
        key, alone = f"{_ALONE}{new.event_id}", {each.told for each in near}
        if len(alone) >= 3:
            key = f"{_WAVE}{new.kind}.{new.event_id}"
            await store.retell(tx, near, key)
            for each in alone:
                await store.end_news(tx, each)
        message = await self._message(tx, room, key, over=False)
        if new.kind == "report" or message.text:
            await self._looking.say(tx, room, key, message)
        else:
            await self._outbox.put(tx, room, key, message)
        if new.kind == "report" or _is_wave(key):
            now = self._live.now()
            await store.put_news(tx, News(key, room, new.kind, message.body, now))

    async def _message(self, tx: Tx, room: str, key: str, *, over: bool) -> Message:
        told = await store.told_by(tx, key)
        here, kind = self._rooms.here(room), told[0].kind
        able = await self._able(tx, room, _ONE | _ALL | _CLOSE)
        can = Possible(
            *(any(names & each for each in able.values()) for names in (_ONE, _ALL, _CLOSE))
        )
        window = self._registration.until
        about = Topic(accounts=tuple(dict.fromkeys(each.account for each in told)))
        if kind == "report":
            push = self._reports_go_to(room)
            view = self._rooms.views.get(room)
            reads = view is not None and told[-1].account in view.joined
            said = texts.reports(here, told, can, push, reads=reads)
        elif _is_wave(key):
            push = tuple(mxid for mxid, names in able.items() if names & (_ALL | _CLOSE))
            said = texts.wave(here, told, window, can, push or here.owners, over=over)
        else:
            said = texts.alone(here, kind, told[0].account, window, can)
        return evolve(said, about=about)

    async def _able(self, tx: Tx, room: str, names: Set[str]) -> dict[str, Set[str]]:
        """Which of these commands everybody in the room may use, of whom there are some."""
        view, policy = self._rooms.views.get(room), self._live.in_force.policy
        lost = await requests.distrusted(tx, self._live.now())
        found: dict[str, Set[str]] = {}
        may: dict[frozenset[str], Set[str]] = {}
        if view is None:
            return found
        for mxid in sorted(view.joined - {self._live.me}):
            held = roles(policy, mxid, view.power(mxid), lost)
            if held not in may:
                may[held] = names & cells(policy, held).keys()
            if may[held]:
                found[mxid] = may[held]
        return found

    def _reports_go_to(self, room: str) -> tuple[str, ...]:
        """MXIDs of the role that looks after reports, who are there."""
        wanted, view = self._live.in_force.notices.reports, self._rooms.views.get(room)
        if not isinstance(wanted, str) or view is None:
            return ()
        policy = self._live.in_force.policy
        mxids = (m for p in members_of(policy, wanted) for m in mxids_of(policy, p))
        return tuple(mxid for mxid in mxids if mxid in view.joined)

    # --- while it goes on

    async def tick(self, tx: Tx) -> None:
        """Edits what reads otherwise by now; after a while without a further notice it is over."""
        now, every = self._live.now(), await store.open_news(tx)
        for news in every:
            told = await store.told_by(tx, news.key)
            over = not told or now - max(told[-1].at, news.shown_at) > CALM
            if told and (over or now - news.shown_at >= _pause(now - told[0].at)):
                await self._edit(tx, news, over=over)
            if over:
                await store.end_news(tx, news.key)
        tx.after(lambda: self._look_at(now + _EDITED if every else math.inf))

    async def _edit(self, tx: Tx, news: News, *, over: bool) -> None:
        message = await self._message(tx, news.room, news.key, over=over)
        if message.body == news.shown:
            return
        if await store.watched(tx, news.room, news.key) is not None:
            await self._looking.edit(tx, news.room, news.key, message)
        else:
            await self._outbox.edit(tx, news.room, news.key, message)
        await store.put_news(tx, evolve(news, shown=message.body, shown_at=self._live.now()))

    def _look_at(self, when: float) -> None:
        self._next = when

    @property
    def due(self) -> bool:
        return self._live.now() >= self._next


def _is_wave(key: str) -> bool:
    return key.startswith(_WAVE)


def _pause(age: float) -> float:
    """Seconds between two edits of what began so long ago."""
    return max(_EDITED, age / _SHARE)
