"""One of Sluice's own commands while it is answered: who typed what, and whether they may.

The right is looked at in the commit that answers, so that nothing can change between the two; what
must not be looked up or sent for just anybody is guarded by `allowed` before.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from attrs import evolve, frozen

from ..db.connection import Database, Tx
from ..matrix.files import File
from ..matrix.model import Handled
from ..matrix.outbox import Outbox
from ..model.command import Invocation, Typed
from ..model.decision import Decision, Verdict
from ..model.origin import Origin
from ..policy.reasons import roles_above
from ..policy.rules import Policy
from ..requests.desk import Desk, Desks
from ..requests.standing import judge
from ..requests.submit import Ask, reject
from ..running.views import Lists
from ..state import Live, Rooms
from ..text.message import Message, Topic
from ..text.pages import Pages

KEPT = 300  # characters of free text that are stored with a refusal, a vote or a pause


@frozen
class Call:
    """What a handler gets. live to lists: what all of them may use."""

    live: Live
    rooms: Rooms
    outbox: Outbox
    desk: Desks
    db: Database
    lists: Lists
    origin: Origin
    invocation: Invocation
    typed: Typed

    def text(self, name: str) -> str:
        """An argument that was typed freely, in one line and not too long to keep."""
        return " ".join(str(self.invocation.get(name) or "").split())[:KEPT]

    def number(self) -> int | None:
        """The request that it is about."""
        value = self.invocation.get("request")
        return value if isinstance(value, int) else None

    # --- the right

    async def _judged(self, desk: Desk) -> Decision:
        return await judge(desk, self.invocation, self.origin.room, self.origin.mxid)

    async def allowed(self) -> bool:
        """Looked at before anything is fetched or sent for who asks."""
        room = self.origin.room
        decision = await self.db.read(lambda tx: self._judged(self.desk(tx, room)))
        return decision.verdict is not Verdict.DENY

    async def _ask(self, desk: Desk) -> Ask:
        origin, what = self.origin, self.invocation
        args = tuple((n, v[:KEPT] if isinstance(v, str) else v) for n, v in what.args)
        kept, decision = evolve(what, args=args), await self._judged(desk)
        return Ask(origin.event_id, origin.command, origin.room, origin.mxid, kept, decision)

    # --- the answer

    def answer(self, build: Build, after: Callable[[], Awaitable[None]] | None = None) -> Handled:
        """One commit: the "not allowed" with its id, or what `build` does and says."""

        async def commit(tx: Tx) -> None:
            desk = self.desk(tx, self.origin.room)
            ask = await self._ask(desk)
            if ask.decision.verdict is Verdict.DENY:
                await reject(desk, ask)
            elif (message := await build(self, desk, ask)) is not None:
                number = self.number()
                if message.about is None and number is not None:
                    message = evolve(message, about=Topic((number,)))
                await desk.reply(ask.room, ask.event_id, message, ask.command)

        return Handled(commit, after)

    def say(self, message: Message | None) -> Handled:
        """The message to whoever is allowed; None: only the "not allowed" that `allowed` found."""
        return self.answer(partial(_said, message=message))

    async def put(self, tx: Tx, message: Message, file: File | None = None) -> None:
        """The reply itself, where nobody's right is looked at or it holds a file."""
        key, origin = f"reply.{self.origin.event_id}", self.origin
        outbox = self.outbox
        await outbox.put(tx, origin.room, key, message, reply_to=origin.command, file=file)

    def keep(self, desk: Desk, left: Pages | None) -> None:
        """What is left of a list, for `more`."""
        self.lists.after(desk.tx, self.origin.room, self.origin.mxid, left, desk.now)


Build = Callable[[Call, Desk, Ask], Awaitable["Message | None"]]
"""What is done for a command that is allowed; the reply, None if all is said already."""


async def _said(call: Call, desk: Desk, ask: Ask, message: Message | None) -> Message | None:
    return message


async def about_others(desk: Desk, ask: Ask, what: str) -> bool:
    """Whether somebody may ask this about others: whoever may read the log. Says so if not."""
    decision = await judge(desk, Invocation("log"), ask.room, ask.mxid)
    if decision.verdict is not Verdict.DENY:
        return True
    because = (f"{what} is for ", *roles_above(desk.policy, desk.policy.changing))
    await reject(desk, evolve(ask, decision=evolve(decision, because=because)))
    return False


def person_meant(policy: Policy, word: str) -> str:
    """Whom `bo`, `@bo` or `@bo:example.org` means: a person of the policy, else an MXID."""
    name = word.removeprefix("@")
    if name in policy.people:
        return name
    mxid = f"@{name}" if ":" in name else f"@{name.lower()}:{policy.server}"
    return policy.person.get(mxid, mxid)
