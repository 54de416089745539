"""A new password on its way: from Conduit's answer into the hands of who asked, and away again.

Conduit's own password was on the lock screens of the whole admin room. So it is used once, to set
another one, and that one goes into the recipient's private room, straight, past every table and
log. Stored is only where it stands. After a crash the answer is read again; if its password no
longer logs in, the new one was set and is lost: then `resetpw` is the way.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from logging import Logger

from ..catalog.record import Does
from ..catalog.table import COMMANDS
from ..db import meta
from ..db.connection import Database, Tx
from ..families.answers import password_in
from ..matrix.api import Homeserver, Login, MatrixError, Refused
from ..matrix.outbox import Outbox
from ..model.admin_room import Asked, Content
from ..model.command import Line
from ..model.ids import EventId, RoomId
from ..model.request import LineRow, Request
from ..model.result import Delivery, Handed
from ..model.secret import Secret
from ..requests.desk import Desks
from ..state import Live, Rooms, ServerState, ToRead
from . import store
from . import texts as texts
from .private import CannotDeliver, PrivateRooms
from .store import Handover
from .texts import Gone

_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # no look-alikes
_DEVICE = "SLUICE"  # one device id, so that no sessions pile up
_JOIN_WITHIN = 3600.0  # seconds in which the recipient must have joined
_REDACT_POWER = 50
REPLACED = 60.0  # seconds in which a changed password may have been our doing
DONE = "✅"


def new_password() -> Secret:
    """Five groups of four: 99 bits, and readable over the phone."""
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(5))
    return Secret("-".join(groups))


class Deliveries:
    """opened: private rooms to be read from now on, before a password goes there and after it."""

    def __init__(
        self,
        live: Live,
        rooms: Rooms,
        outbox: Outbox,
        conduit: ServerState,
        desk: Desks,
        db: Database,
        homeserver: Homeserver,
        private: PrivateRooms,
        nonce: str,
        opened: ToRead,
        log: Logger,
    ) -> None:
        self._live, self._rooms, self._outbox = live, rooms, outbox
        self._conduit, self._desk, self._private = conduit, desk, private
        self._db, self._hs = db, homeserver
        self._nonce, self._opened, self._log = nonce, opened, log
        self.replaced: dict[str, float] = {}  # accounts whose password we changed, and when

    async def prepare(self, mxid: str) -> str:
        """The private room of who asks, before anything runs. Raises CannotDeliver."""
        room = await self._private.ensure(mxid)
        self._opened.add(room)
        return room

    async def hand_over(
        self, request: Request, row: LineRow, line: Line, asked: Asked, content: Content
    ) -> Delivery:
        """Replaces and sends the password of one line; once, however often it is called."""
        handed = await self._before(request, row)
        if handed is None:
            await self._db.write(lambda tx: self._void(tx, request, line.items[0]))
            handed = await self._hand_over(request, row, line.items[0], asked, content)
        return self._as_told(handed)

    async def _before(self, request: Request, row: LineRow) -> Handover | None:
        """What a run that was cut short has handed over."""
        done = await self._db.read(lambda tx: store.handovers(tx, request.id))
        return next((each for each in done if each.number == row.number), None)

    async def handed_before(self, request: Request, row: LineRow) -> Delivery | None:
        """If this line's password was handed over: whatever became of the answer, it is done."""
        handed = await self._before(request, row)
        return None if handed is None or handed.account == handed.mxid else self._as_told(handed)

    async def handed(self, tx: Tx, request: Request) -> dict[int, Delivery]:
        """Where the passwords of a request are, by the number of the line."""
        every = await store.handovers(tx, request.id)
        return {each.number: self._as_told(each) for each in every if each.account != each.mxid}

    async def _hand_over(
        self, request: Request, row: LineRow, account: str, asked: Asked, content: Content
    ) -> Handover | None:
        given = password_in(asked, content)
        if given is None:
            return None
        try:
            room = await self.prepare(request.mxid)
        except CannotDeliver as error:
            self._log.error("#%d: the password could not be handed over: %s", request.id, error)
            return None
        txn = meta.txn_id(self._nonce, "secret", room, request.id, row.number)
        seen_by: tuple[str, ...] = ()
        try:
            password, seen_by = await self._replace(request, account, given)
            does, welcome = COMMANDS[request.invocation.command].does, self._live.in_force.welcome
            said = texts.handover(
                account, password, new=does is Does.MAKES_ACCOUNTS, welcome=welcome
            )
            event = await self._private.send(room, request.mxid, said.content(), txn)
        except (CannotDeliver, _Useless) as error:
            sent = await self._private.sent(room, txn)
            if sent is None:
                self._log.error(
                    "#%d: the password could not be handed over: %s", request.id, error
                )
                return None
            event = sent  # before a crash
        return await self._keep(request, row, account, room, event, seen_by)

    async def _keep(
        self,
        request: Request,
        row: LineRow,
        account: str,
        room: str,
        event: str,
        seen_by: tuple[str, ...] = (),
    ) -> Handover:
        async def block(tx: Tx) -> Handover:
            now = self._live.now()
            joined = now if room in self._private.inside else None
            handed = Handover(
                request.id, row.number, account, request.mxid, room, event, now, seen_by, joined
            )
            await store.put_handover(tx, handed)
            if account == request.mxid:  # no line of `announce` follows, which has the button
                await self._outbox.react(tx, room, event, DONE)
            return handed

        handed = await self._db.write(block)
        self._opened.add(room)  # from now on without a bell too
        return handed

    async def scrub(self, tx: Tx, answer: str) -> None:
        """Removes Conduit's answer from the admin room, in the commit that settles its line: until
        then it is read again after a crash."""
        admin_room = self._conduit.room
        if admin_room and self.scrubs:
            reason = "holds a password"
            await self._outbox.redact(tx, admin_room, answer, reason)

    @property
    def scrubs(self) -> bool:
        view, wanted = self._conduit.view, self._live.in_force.secrets.scrub_admin_room
        return wanted and view is not None and view.power(self._live.me) >= _REDACT_POWER

    async def joined(self, tx: Tx, room: str) -> None:
        """The recipient is in: the time of what stands there begins now."""
        self._private.inside.add(room)
        await store.joined(tx, room, self._live.now())

    async def _replace(
        self, request: Request, account: str, given: Secret
    ) -> tuple[Secret, tuple[str, ...]]:
        """A password that nobody saw; Conduit's own, with who saw it, if that fails."""
        if self._live.in_force.secrets.replace:
            fresh = new_password()
            sign_out = bool(request.invocation.get("sign-out"))
            session = await self._sign_in(account, given)
            if session is not None:
                is_changed = await self._change(session, given, fresh, sign_out)
                await self._sign_out(session)
                if is_changed:
                    return fresh, ()
            session = await self._sign_in(account, given)
            if session is None:
                raise _Useless("nobody can say whether it was replaced")
            await self._sign_out(session)
        view = self._conduit.view
        besides = {self._live.me, f"@conduit:{self._live.server}"}
        return given, tuple(sorted(view.joined - besides)) if view else ()

    async def _sign_in(self, account: str, given: Secret) -> Login | None:
        """With Conduit's password; None if the server does not answer. Raises _Useless if the
        password no longer logs in: it was replaced before a crash."""
        user = account[1:].partition(":")[0]
        try:
            return await self._hs.login(user, given.reveal(), _DEVICE)
        except Refused as error:
            if error.status == 403:
                raise _Useless(str(error)) from None
            self._log.warning("Nobody can sign in as %s now: %s", account, error)
        except MatrixError as error:
            self._log.warning("Nobody can sign in as %s now: %s", account, error)
        return None

    async def _change(self, session: Login, given: Secret, fresh: Secret, out: bool) -> bool:
        now = self._live.now()
        recent = {user: at for user, at in self.replaced.items() if now - at < REPLACED}
        self.replaced = {**recent, session.user_id: now}
        try:
            await self._hs.change_password(
                session, given.reveal(), fresh.reveal(), sign_out_others=out
            )
        except MatrixError as error:
            self._log.warning("The password of %s: %s", session.user_id, error)
            return False
        return True

    async def _sign_out(self, session: Login) -> None:
        try:
            await self._hs.logout(session)
        except MatrixError as error:
            self._log.warning("A session of %s stays: %s", session.user_id, error)

    async def unread(self, request: Request, row: LineRow, content: Content) -> Delivery:
        """An answer that nobody understands and that may hold a password: to who asked."""
        body = Secret(str(content.get("body", "")))
        try:
            room = await self.prepare(request.mxid)
            said = texts.unread_answer(request.id, request.text, body)
            txn = meta.txn_id(self._nonce, "unread", room, request.id, row.number)
            event = await self._private.send(room, request.mxid, said.content(), txn)
        except CannotDeliver:
            return Delivery(Handed.LOST)
        # Nobody's password for certain, and removed like one: `account` is who was given it.
        return self._as_told(await self._keep(request, row, request.mxid, room, event))

    def _as_told(self, handed: Handover | None) -> Delivery:
        if handed is None:
            return Delivery(Handed.LOST)
        after = float(self._live.in_force.secrets.remove_after)
        if handed.joined_at is None:
            until = handed.sent_at + _JOIN_WITHIN
            return Delivery(Handed.INVITED, until, after, handed.seen_by, handed.room)
        until = handed.joined_at + after
        return Delivery(Handed.PRIVATE, until, after, handed.seen_by, handed.room)

    # --- the line after it, and its end

    async def announce(self, tx: Tx, request: Request) -> None:
        """Says, once and with a push, that the passwords of a request are there; its button
        takes all of them."""
        handed = [h for h in await store.handovers(tx, request.id) if h.account != h.mxid]
        if not handed:
            return
        last = handed[-1]
        until = self._as_told(last).until if last.joined_at is not None else None
        here = self._rooms.here(request.room)
        accounts = [each.account for each in handed]
        after = float(self._live.in_force.secrets.remove_after)
        said = texts.handed_over(here, request.person, request.mxid, accounts, until, after)
        await self._outbox.put(tx, last.room, _key(request.id), said)
        await self._outbox.buttons(tx, last.room, _key(request.id), (DONE,))

    async def due(self, tx: Tx) -> bool:
        """Whether `tick` has something to do."""
        now, after = self._live.now(), float(self._live.in_force.secrets.remove_after)
        return any(_is_due(each, now, after) for each in await store.standing(tx))

    async def tick(self, tx: Tx) -> None:
        """The clock: what has stood long enough goes."""
        now, after = self._live.now(), float(self._live.in_force.secrets.remove_after)
        for handed in await store.standing(tx):
            if _is_due(handed, now, after):
                gone = Gone.TIME if handed.joined_at is not None else Gone.NEVER
                await self._remove(tx, handed, gone)

    async def tapped(self, tx: Tx, room: RoomId, event: EventId, mxid: str) -> None:
        """✅ by who was given it: on a password, or on the line below, which is about all."""
        key = await self._outbox.key_of(tx, room, event)
        for handed in await store.standing(tx):
            is_above = key == _key(handed.request) and handed.account != handed.mxid
            is_it = (handed.room, handed.event_id) == (room, event)
            if handed.mxid == mxid and (is_it or is_above):
                await self._remove(tx, handed, Gone.TAPPED)

    async def _void(self, tx: Tx, request: Request, account: str) -> None:
        """Conduit set a new password: those of before, that still stand somewhere, work no more,
        and must not be passed on."""
        for handed in await store.standing(tx):
            if handed.account == account and handed.request != request.id:
                await self._remove(tx, handed, Gone.NEWER)

    async def _remove(self, tx: Tx, handed: Handover, gone: Gone) -> None:
        if not await store.remove(tx, handed):
            return
        after = float(self._live.in_force.secrets.remove_after)
        who = self._desk(tx).name(handed.mxid)
        reason = texts.reason(gone, who, after)
        await self._outbox.redact(tx, handed.room, handed.event_id, reason)
        every = await store.handovers(tx, handed.request)
        given = [each for each in every if each.account != each.mxid]
        if handed.account != handed.mxid and all(each.removed for each in given):
            await self._removed(tx, given[-1], [each.account for each in given], gone, after)

    async def _removed(
        self, tx: Tx, last: Handover, accounts: Sequence[str], gone: Gone, after: float
    ) -> None:
        """No password of a request stands any more."""
        where = self._rooms.main_room or ""
        here = self._rooms.here(where)
        said = texts.removed(here, accounts, gone, after)
        await self._outbox.edit(tx, last.room, _key(last.request), said)
        await self._outbox.buttons(tx, last.room, _key(last.request), ())
        if gone is Gone.NEVER:
            who = self._desk(tx).name(last.mxid)
            said = texts.never_joined(here, who, last.mxid, accounts)
            await self._outbox.put(tx, where, f"{_key(last.request)}.never", said)


class _Useless(Exception):
    """Conduit's password no longer logs in."""


def _is_due(handed: Handover, now: float, after: float) -> bool:
    if handed.joined_at is None:
        return now >= handed.sent_at + _JOIN_WITHIN
    return now >= handed.joined_at + after


def _key(request: int) -> str:
    return f"request.{request}.handed"
