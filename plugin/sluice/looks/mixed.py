"""A list of which the policy refuses some entries: they are taken out, the rest may be offered.

Only of lists that are offered again without their bad entries; whatever is refused for the whole
(no right at all, a limit) stays refused for the whole.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ..model.command import Invocation
from ..model.decision import Decision, Verdict
from ..text.message import Code, Text
from ..typed.needs import Bad, offered

Bads = tuple[Bad, ...]
Judge = Callable[[Invocation], Awaitable[Decision]]


async def sift(what: Invocation, judge: Judge) -> tuple[Invocation, Bads]:
    """What is left of a list without the entries that are not allowed one by one, and those.

    Every entry is judged by itself, so that the database is free between them.
    """
    users = what.values("user")
    if offered(what) is None or len(users) < 2:
        return what, ()
    if (await judge(what)).verdict is not Verdict.DENY:
        return what, ()
    bad: dict[str, Text] = {}
    for user in users:
        decision = await judge(what.only((user,)))
        if decision.verdict is Verdict.DENY and not _spent(decision):
            bad[user] = _briefly(decision)
    if len(bad) == len(users):
        return what, ()
    good = tuple(user for user in users if user not in bad)
    return what.only(good), tuple(Bad(user, why) for user, why in bad.items())


def _spent(decision: Decision) -> bool:
    """No more of it now, whichever entry it is."""
    return bool(decision.rules) and all(rule.verb == "limit" for rule in decision.rules)


def _briefly(decision: Decision) -> Text:
    """The reason, without the account in front of it, which is named before."""
    first, *rest = decision.because
    if isinstance(first, Code) and rest:
        return (str(rest[0]).lstrip(), *rest[1:])
    return decision.because
