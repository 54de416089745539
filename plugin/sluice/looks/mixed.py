"""A list of which the policy refuses some entries: they are taken out, the rest may be offered.

Only of lists that are offered again without their bad entries; whatever is refused for the whole
(no right at all, a limit) stays refused for the whole.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from attrs import evolve

from ..model.command import Invocation
from ..model.decision import Decision, Verdict
from ..text.message import Text, code
from ..typed.needs import OFFERED, Bad

Bads = tuple[Bad, ...]
Judge = Callable[[Invocation], Awaitable[Decision]]


def only(invocation: Invocation, users: tuple[str, ...]) -> Invocation:
    """The same with these accounts."""
    args = tuple((name, users if name == "user" else value) for name, value in invocation.args)
    return evolve(invocation, args=args)


async def sift(what: Invocation, judge: Judge) -> tuple[Invocation, Bads]:
    """What is left of a list without the entries that are not allowed one by one, and those.

    Every entry is judged by itself, so that the database is free between them.
    """
    users = what.values("user")
    if what.command not in OFFERED or len(users) < 2:
        return what, ()
    if (await judge(what)).verdict is not Verdict.DENY:
        return what, ()
    bad: dict[str, Text] = {}
    for user in users:
        decision = await judge(only(what, (user,)))
        if decision.verdict is Verdict.DENY and not _spent(decision):
            bad[user] = _briefly(decision, user)
    if len(bad) == len(users):
        return what, ()
    good = tuple(user for user in users if user not in bad)
    return only(what, good), tuple(Bad(user, why) for user, why in bad.items())


def _spent(decision: Decision) -> bool:
    """No more of it now, whichever entry it is."""
    return bool(decision.rules) and all(rule.verb == "limit" for rule in decision.rules)


def _briefly(decision: Decision, user: str) -> Text:
    """`rule staff`; of a built-in rule its words, without the account in front of them."""
    first, *rest = decision.because
    if decision.rules and decision.rules[0].verb == "deny":
        return (first,)
    if first == code(user) and rest:
        return (str(rest[0]).lstrip(), *rest[1:])
    return decision.because
