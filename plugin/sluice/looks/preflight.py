"""What is looked up before a command may go on: whether it can work, and what a card can show.

Conduit would do something surprising, or die, where these say no (docs/conduit.md, "Surprises of
commands"). Facts come from probes, never from a line in the admin room, and change no right.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from attrs import evolve

from ..catalog.accounts import USERS
from ..catalog.record import Before
from ..catalog.table import COMMANDS
from ..chat import questions, refusals
from ..chat.card_text import AccountFact, AccountState, RoomFact
from ..db.connection import Database
from ..families.dialects import Unspellable, lines
from ..matrix.api import Homeserver, MatrixError
from ..matrix.probes import Account, Media, Name, Probes
from ..matrix.sealed import Seal, Sealed
from ..model.command import Invocation
from ..model.origin import Origin
from ..passwords import texts
from ..passwords.handover import Deliveries
from ..passwords.private import CannotDeliver
from ..policy.people import is_named, mxids_of, person_of, roles, roles_of_person
from ..requests.desk import only_looks, only_reads
from ..running.views import Lists
from ..state import Live, Rooms, ServerState
from ..text.message import Message, Text, code
from ..text.phrases import Here, ask
from ..typed.needs import Bad, offer
from ..typed.parse import AskFirst, NotRun
from ..typed.password import is_mixed, odd_sign
from .alikes import CHANGES, LOOKS, alikes
from .found import Choice, Look, Passed, Refusal
from .mixed import Bads
from .reading import Reading, each, in_time
from .sizes import Sizes

_CLOSE = 8  # accounts of a list for which those that may have been meant are looked for
_STATUS = {
    Account.ACTIVE: AccountState.ACTIVE,
    Account.DEACTIVATED: AccountState.DEACTIVATED,
    Account.MISSING: AccountState.MISSING,
    Account.UNKNOWN: AccountState.UNKNOWN,
    Account.BRIDGE: AccountState.ACTIVE,
}


class Preflight:
    def __init__(
        self,
        live: Live,
        rooms: Rooms,
        conduit: ServerState,
        db: Database,
        homeserver: Homeserver,
        probes: Probes,
        deliveries: Deliveries,
        lists: Lists,
        sealed: Sealed,
        reading: Reading,
        opened: asyncio.Event,
    ) -> None:
        """opened: set while it is known whether Conduit answers."""
        self._live, self._rooms, self._conduit = live, rooms, conduit
        self._db, self._hs, self._probes = db, homeserver, probes
        self._deliveries, self._sealed, self._reading = deliveries, sealed, reading
        self._opened = opened
        self._sizes = Sizes(live, rooms, db, lists)
        self._rows: Mapping[Before, Callable[[Origin, Invocation], Awaitable[Look]]] = {
            Before.NAMES: self._new_accounts,
            Before.PASSWORD: self._reset,
            Before.ACCOUNTS: self._accounts,
            Before.ACCOUNT_LIST: self._account_list,
            Before.OWNER: self._owner_of_files,
            Before.ROOM: self._room,
            Before.ADDRESS: self._address,
            Before.FILES: self._files,
            Before.POSTED: self._posters,
            Before.SEALED: self._sealed_or_not,
            Before.SIZE: self._sizes.grown,
        }

    async def before(self, origin: Origin, invocation: Invocation, bad: Bads = ()) -> Look:
        """Everything that can be known before the first line is sent. Waits until the start is
        over: what was typed meanwhile simply runs. bad: entries of its list that are out already.
        """
        await self._opened.wait()
        stopped = self.stopped(origin, invocation)
        if stopped is not None:
            return Refusal(stopped)
        row = self._rows.get(COMMANDS[invocation.command].before)
        try:
            found = await in_time(row(origin, invocation)) if row else Passed(invocation)
            if isinstance(found, Passed) and (bad := (*bad, *found.bad)):
                raise offer(found.invocation, bad)
        except NotRun as no:
            return Refusal(refusals.refused(no))
        except AskFirst as first:
            return Passed(first.invocation, question=ask(*first.lines))
        except CannotDeliver as error:
            return Refusal(self._undeliverable(origin, error.reason))
        if isinstance(found, Passed) and COMMANDS[invocation.command].attacker_sized:
            return await self._sizes.by_others(origin, found)
        return found

    async def confirmed(self, invocation: Invocation) -> None:
        """Somebody tapped ✅ on the question of `before`."""
        await self._sizes.confirmed(invocation)

    def stopped(self, origin: Origin, invocation: Invocation) -> Message | None:
        """Whether nothing can run now, or not this: no answer, unknown version, public room."""
        here, conduit = self._rooms.here(origin.room), self._conduit
        health = conduit.health
        if not conduit.room or health.outside:
            return refusals.outside(here)
        if not conduit.ready:
            return refusals.starting()
        if health.emergency:
            return refusals.emergency(here)
        if health.alias_lost:
            return refusals.no_address(here)
        if health.silent_since is not None:
            return refusals.silent(here, health.silent_since)
        if health.dialect is None and not only_reads(invocation):
            return refusals.unknown_version(here, f"Conduit {health.version}", USERS.name)
        if self._rooms.views[origin.room].public and not only_looks(invocation):
            return refusals.public_room()
        try:
            lines(invocation, self._conduit.dialect, self._live.server)
        except Unspellable as error:
            if health.dialect is not None:
                if not error.lacks:
                    return refusals.impossible(str(error))
                return refusals.not_in_version(error.lacks, health.version)
        return None

    # --- accounts

    async def _new_accounts(self, origin: Origin, invocation: Invocation) -> Look:
        await self._deliveries.prepare(origin.mxid)
        names = invocation.values("user")
        bad: list[tuple[str, Text, Message]] = []
        here = self._rooms.here(origin.room)
        for mxid in names:
            problem = await self._name(here, mxid)
            if problem is not None:
                bad.append((mxid, *problem))
        if len(names) == 1 and bad:
            return Refusal(bad[0][2])
        found = _rest(invocation, [Bad(mxid, why) for mxid, why, _ in bad])
        odd = ((here.local(mxid), odd_sign(here.local(mxid))) for mxid in names)
        question = next((questions.odd_name(*each) for each in odd if each[1]), None)
        if any(is_mixed(typed) for _, typed in invocation.noted):
            question = questions.may_be_password()
        return evolve(found, question=None if bad else question)

    async def _name(self, here: Here, mxid: str) -> tuple[Text, Message] | None:
        """Why an account of this name cannot be made: in a list, and alone."""
        local = mxid[1:].partition(":")[0]
        settings = self._live.in_force
        if (pattern := settings.reserved(local)) is not None:
            kind = "a bridge's name" if pattern.startswith("_") else "a reserved name"
            return (kind,), refusals.reserved(pattern)
        name = await self._probes.name(local)
        if name is Name.TAKEN:
            return ("exists already",), refusals.exists(here, mxid)
        if name is Name.EXCLUSIVE:
            return ("a bridge's name",), refusals.of_bridge(mxid, new=True)
        return None

    async def _reset(self, origin: Origin, invocation: Invocation) -> Look:
        await self._deliveries.prepare(origin.mxid)
        mxid = str(invocation.get("user"))
        account = await self._probes.account(mxid)
        if account is Account.MISSING:
            return await self._unknown(origin, invocation, mxid)
        if account is Account.BRIDGE:
            return Refusal(refusals.of_bridge(mxid))
        facts = (await self._account_fact(origin.room, mxid, account),)
        if account is Account.DEACTIVATED:
            return Passed(invocation, facts, questions.open_again(mxid), reopens=True)
        return Passed(invocation, facts)

    async def _accounts(self, origin: Origin, invocation: Invocation) -> Look:
        facts = []
        for mxid in invocation.values("user"):
            account = await self._probes.account(mxid)
            if account is Account.MISSING:
                return await self._unknown(origin, invocation, mxid)
            facts.append(await self._account_fact(origin.room, mxid, account))
        return Passed(invocation, tuple(facts))

    async def _account_list(self, origin: Origin, invocation: Invocation) -> Look:
        """Conduit runs nothing of a list with one bad name, hence the look before."""
        nobody = await each(invocation.values("user"), self._reading.is_nobody)
        missing = [mxid for mxid, missing in nobody.items() if missing]
        here, bad = self._rooms.here(origin.room), list[Bad]()
        for mxid in missing[:_CLOSE]:
            near = await alikes(self._rooms, self._db, origin.room, mxid, CHANGES)
            close: Text = ("; did you mean ", code(here.local(near[0])), "?") if near else ()
            bad.append(Bad(mxid, ("no such account", *close)))
        bad += [Bad(mxid, ("no such account",)) for mxid in missing[_CLOSE:]]
        return _rest(invocation, bad)

    async def _owner_of_files(self, origin: Origin, invocation: Invocation) -> Look:
        """`media`: nobody looks for the files of a slip of the pen."""
        mxid = invocation.get("user")
        if isinstance(mxid, str) and await self._reading.is_nobody(mxid):
            return await self._unknown(origin, invocation, mxid)
        return Passed(invocation)

    async def _unknown(self, origin: Origin, invocation: Invocation, mxid: str) -> Look:
        """There is no such account: whom it may have meant, as far as the last list knows. What
        changes something is never a tap away."""
        here = self._rooms.here(origin.room)
        looks = only_looks(invocation)
        slips = LOOKS if looks else CHANGES
        near = await alikes(self._rooms, self._db, origin.room, mxid, slips)
        if not near:
            return Refusal(refusals.no_account(here, mxid))
        question = questions.near_account(here, here.local(mxid), near, tap=looks)
        if not looks:
            return Refusal(question)
        args = (((n, each if v == mxid else v) for n, v in invocation.args) for each in near)
        return Choice(question, tuple(evolve(invocation, args=tuple(each)) for each in args))

    async def _account_fact(self, room: str, mxid: str, account: Account) -> AccountFact:
        try:
            profile = await self._hs.profile(mxid, 5.0)
        except MatrixError:
            profile = None
        name = None if profile is None else str(profile.get("displayname") or "")
        return AccountFact(mxid, _STATUS[account], name, self._role(room, mxid))

    def _role(self, room: str, mxid: str) -> str:
        """The highest that it can hold, if the policy names it, or holds here through a glob."""
        policy, view = self._live.in_force.policy, self._rooms.views[room]
        if is_named(policy, mxid):
            held = roles_of_person(policy, person_of(policy, mxid))
        else:
            held = roles(policy, mxid, view.power(mxid)) if mxid in view.joined else frozenset()
        ranked = [role for role in policy.closure if role in held]
        return ranked[-1] if ranked else ""

    # --- rooms and files

    async def _room(self, origin: Origin, invocation: Invocation) -> Look:
        room = str(invocation.get("room"))
        return Passed(invocation, (await self._room_fact(room, dict(invocation.noted).get(room)),))

    async def _room_fact(self, room: str, alias: str | None) -> RoomFact:
        facts = await self._probes.room(room)
        if facts is None:
            return RoomFact(room, alias)
        return RoomFact(room, alias, facts.name or None, facts.members)

    async def _address(self, origin: Origin, invocation: Invocation) -> Look:
        alias = str(invocation.get("alias"))
        if not (room := await self._reading.resolve(alias)):
            return Refusal(refusals.no_such_address(alias))
        return Passed(invocation, (await self._room_fact(room, alias),))

    async def _files(self, origin: Origin, invocation: Invocation) -> Look:
        for mxc in invocation.values("mxc"):
            if await self._probes.media(mxc) is Media.GONE:
                return Refusal(refusals.not_there(self._rooms.here(origin.room), mxc))
        return await self._posters(origin, invocation)

    async def _posters(self, origin: Origin, invocation: Invocation) -> Look:
        return Passed(invocation, tuple(map(self._reading.posted, invocation.values("mxc"))))

    async def _sealed_or_not(self, origin: Origin, invocation: Invocation) -> Look:
        """`event`: before Conduit is asked for anything."""
        seal = await self._sealed.of_event(str(invocation.get("event")))
        if seal is Seal.OPEN:
            return Passed(invocation)
        return Refusal(refusals.sealed(sure=seal is Seal.SEALED))

    # --- passwords

    def _undeliverable(self, origin: Origin, reason: str) -> Message:
        policy = self._live.in_force.policy
        mine = mxids_of(policy, person_of(policy, origin.mxid))
        other = next((m for m in mine if m.endswith(f":{self._live.server}")), None)
        return texts.not_safe(origin.mxid, reason, other)


def _rest(invocation: Invocation, bad: list[Bad]) -> Passed:
    """The list without these entries."""
    without = {each.typed for each in bad}
    good = tuple(user for user in invocation.values("user") if user not in without)
    return Passed(invocation.only(good) if bad else invocation, bad=tuple(bad))
