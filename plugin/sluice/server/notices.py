"""News of the server: which are passed on to the ops room, and floods of them folded."""

from __future__ import annotations

from functools import partial

from attrs import evolve

from ..chat import notices as texts
from ..chat import server_news
from ..chat.notices import Wave, arrive, ebb
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
from ..passwords import store
from ..passwords.handover import REPLACED, Deliveries
from ..policy.people import members_of, mxids_of
from ..state import Live, RegistrationState, Rooms
from ..text.message import Message, Topic
from .named import NamedAccounts


class Notices:
    def __init__(
        self,
        live: Live,
        rooms: Rooms,
        outbox: Outbox,
        registration: RegistrationState,
        deliveries: Deliveries,
    ) -> None:
        self._live, self._rooms, self._outbox = live, rooms, outbox
        self._registration, self._deliveries = registration, deliveries
        self._named = NamedAccounts(live, rooms, outbox)
        self._waves: dict[str, Wave] = {}

    async def take(self, tx: Tx, event_id: str, content: Content, raw: bool) -> None:
        """One server notice, in the transaction in which it was read."""
        room, notice = self._rooms.main_room, server_notice(content)
        if isinstance(notice, Registered) and self._live.settings is not None:
            await self._named.registered(tx, notice.user)
        if room is None or self._live.settings is None:
            return
        if isinstance(notice, Registered):
            await store.came(tx, notice.user)
        if isinstance(notice, Report) and notice.room in await sealed.rooms(tx):
            notice = evolve(notice, event="", room="")
        found = self._said(notice, content, raw)
        if found is None:
            return
        kind, about, message = found
        key = f"notice.{event_id}"
        if kind:
            wave, alone = arrive(self._waves.get(kind, Wave()), about, self._live.now())
            tx.after(partial(self._waves.__setitem__, kind, wave))
            if not alone:
                return
        topic = Topic(accounts=(about,)) if about else None
        await self._outbox.put(tx, room, key, evolve(message, about=topic))

    def _said(
        self, notice: object, content: Content, raw: bool
    ) -> tuple[str, str, Message] | None:
        """(kind for folding, account it is about, message); None: not passed on."""
        wanted, room = self._live.in_force.notices, self._rooms.main_room or ""
        here = self._rooms.here(room)
        if isinstance(notice, Registered) and wanted.registered:
            return (
                "registered",
                notice.user,
                texts.registered(here, notice.user, self._registration.until),
            )
        if isinstance(notice, PasswordChanged) and wanted.passwords:
            if self._live.now() - self._deliveries.replaced.get(notice.user, 0.0) < REPLACED:
                return None
            return "password_changed", notice.user, texts.password_changed(notice.user)
        if isinstance(notice, SelfDeactivated) and wanted.registered:
            return "self_deactivated", notice.user, texts.self_deactivated(notice.user)
        if isinstance(notice, Report) and wanted.reports:
            return "report", notice.sender, self._report(notice)
        if isinstance(notice, Emergency) and wanted.emergency:
            return "", "", server_news.emergency(here)
        if isinstance(notice, Developers) and wanted.other:
            return "", "", texts.developers(notice.text)
        if notice is None and raw and wanted.other:
            return "", "", texts.raw(str(content.get("body", "")))
        return None

    def _report(self, notice: Report) -> Message:
        policy, wanted = self._live.in_force.policy, self._live.in_force.notices.reports
        room = self._rooms.main_room or ""
        view, push = self._rooms.views.get(room), []
        if isinstance(wanted, str) and view is not None:
            persons = members_of(policy, wanted)
            push = [m for p in persons for m in mxids_of(policy, p) if m in view.joined]
        return texts.report(
            self._rooms.here(room),
            notice.reporter,
            notice.sender,
            notice.event,
            notice.room,
            None,
            notice.reason,
            push,
        )

    async def tick(self, tx: Tx) -> None:
        """The folded message of a flood, when it is due."""
        room, now = self._rooms.main_room, self._live.now()
        for kind, wave in self._waves.items():
            left, message = ebb(self._rooms.here(room or ""), kind, wave, now)
            tx.after(partial(self._waves.__setitem__, kind, left))
            if message is not None and room is not None:
                await self._outbox.put(tx, room, f"wave.{kind}.{now}", message)

    @property
    def due(self) -> bool:
        now = self._live.now()
        return any(wave.due is not None and wave.due <= now for wave in self._waves.values())
