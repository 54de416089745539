"""One of Sluice's own commands on its way: whose it is, and the right to it.

The right is looked at in the commit that answers, so that nothing can change between the two; what
must not be looked up or sent for just anybody is guarded by `allowed` before.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from attrs import evolve, frozen

from ..db.connection import Database, Tx
from ..looks.questions import Where
from ..matrix.model import Handled
from ..model.command import Invocation, Typed
from ..model.decision import Verdict
from ..policy.reasons import roles_above
from ..policy.rules import Policy
from ..requests.desk import Desk
from ..requests.standing import judge
from ..requests.submit import Ask, reject
from ..state import World
from ..text.message import Message

KEPT = 300  # characters of free text that are stored with a refusal, a vote or a pause
Build = Callable[[Desk, Ask], Awaitable["Message | None"]]
"""What is done for a command that is allowed; the reply, None if all is said already."""


@frozen
class Asking:
    world: World
    where: Where
    invocation: Invocation
    typed: Typed

    def text(self, name: str) -> str:
        """An argument that was typed freely, in one line and not too long to keep."""
        return " ".join(str(self.invocation.get(name) or "").split())[:KEPT]

    def number(self, name: str = "request") -> int | None:
        value = self.invocation.get(name)
        return value if isinstance(value, int) else None

    async def ask(self, desk: Desk) -> Ask:
        where, what = self.where, self.invocation
        args = tuple((n, v[:KEPT] if isinstance(v, str) else v) for n, v in what.args)
        decision = await judge(desk, what, where.room, where.mxid)
        kept = evolve(what, args=args)
        return Ask(where.event_id, where.command, where.room, where.mxid, kept, decision)

    def answer(self, build: Build, after: Callable[[], Awaitable[None]] | None = None) -> Handled:
        """One commit: the "not allowed" with its id, or what `build` does and says."""

        async def commit(tx: Tx) -> None:
            desk = self.world.desk(tx, self.where.room)
            ask = await self.ask(desk)
            if ask.decision.verdict is Verdict.DENY:
                await reject(desk, ask)
            elif (message := await build(desk, ask)) is not None:
                await desk.reply(ask.room, ask.event_id, message, ask.command)

        return Handled(commit, after)

    def say(self, message: Message) -> Handled:
        async def build(desk: Desk, ask: Ask) -> Message:
            return message

        return self.answer(build)

    def refuse(self) -> Handled:
        """The "not allowed" that `allowed` has found."""

        async def build(desk: Desk, ask: Ask) -> None:
            return None

        return self.answer(build)

    async def allowed(self, db: Database) -> bool:
        """Looked at before anything is fetched or sent for who asks."""
        decision = await db.read(
            lambda tx: judge(
                self.world.desk(tx, self.where.room),
                self.invocation,
                self.where.room,
                self.where.mxid,
            )
        )
        return decision.verdict is not Verdict.DENY


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
