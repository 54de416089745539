"""Why the policy says what it says, in words: "rule signup wants a name of [a-z]{3,20}".

All clauses of decisions are phrased here; `decide` and `explain` say which hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..catalog.record import Does
from ..model.command import Right, Type
from ..model.decision import Decision, Matched, Quota, Slot, Verdict
from ..text.message import Text, code, plain, quote
from ..text.phrases import Word, a, codes, listed, person
from .people import person_of, roles, roles_of_person
from .rules import DURING, ROLE, Condition, Failure, Policy, Query, Rule

_PERIODS = ((604800, "week", "a week"), (86400, "day", "a day"), (3600, "hour", "an hour"))


def who(policy: Policy, mxid: str) -> Word:
    """A person's name, else the MXID."""
    return person(person_of(policy, mxid))


def roles_above(policy: Policy, wanted: Iterable[str]) -> Text:
    """`mods and owners`: these roles and those that inherit them, the lowest first."""
    lowest = set(wanted)
    names = [role for role in policy.roles if not policy.closure[role].isdisjoint(lowest)]
    names.sort(key=lambda role: (len(policy.closure[role]), role == policy.owners, role))
    return (either([plural(name) for name in names], "and"),)


def plural(role: str) -> str:
    return role if role.endswith("s") else f"{role}s"


def either(words: Sequence[str], last: str = "or") -> str:
    """`a, b or c`."""
    return plain(listed(words, last))


def length(seconds: int) -> str:
    """`1 hour`, `90 minutes`."""
    for size, one in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds % size == 0:
            n = seconds // size
            return f"{n} {one}" if n == 1 else f"{n} {one}s"
    return ""


def period(seconds: int) -> str:
    """`a day`, `in 12 hours`."""
    return next((said for size, _, said in _PERIODS if size == seconds), f"in {length(seconds)}")


def denied(rule: Rule, query: Query) -> Text:
    """Why a deny line forbids it, to stand after its name: " protects mods, and cy is one"."""
    command = query.command.name
    if rule.outside is not None:
        return (f", {command} only {rule.outside.said}",)
    if rule.during is not None:
        return (f", no {command} {rule.during.said}",)
    for where in rule.where:
        for value in query.given(where):
            if where.in_role is not None and where.in_role in roles_of_person(query.policy, value):
                protected = roles_above(query.policy, [where.in_role])
                return (" protects ", *protected, ", and ", who(query.policy, value), " is one")
        return (f" forbids {command} for ", *_condition(where))
    return (f" forbids {command}",)


def not_allowed(near: Sequence[tuple[Rule, Failure]], query: Query) -> Text:
    """Why no allow line lets it through: the nearest one, else the roles that have one."""
    command = query.command.name
    held = [(rule, failure) for rule, failure in near if failure != ROLE]
    if held:
        # Not the first one: the order of lines never matters. A window is the last condition.
        rule, failure = min(
            held, key=lambda each: (isinstance(each[1], Condition), each[0].id or "~")
        )
        if isinstance(failure, Condition):
            return (f"{rule.said} wants ", *_condition(failure))
        return (f"{rule.said} allows {command} {_window(rule, failure)}",)
    return for_whom(command, [rule.role for rule, _ in near], query.policy)


def for_whom(command: str, allowed: Sequence[str], policy: Policy) -> Text:
    """`signup is for mods and owners`. allowed: the roles that its allow lines name."""
    if not allowed:
        return (f"no line allows {command}",)
    return (f"{command} is for ", *roles_above(policy, allowed))


def spent(rule: Rule, quota: Quota, query: Query) -> Text:
    """Why a limit has no room."""
    if quota.cost > 1 and quota.used < quota.max:
        noun = "names" if query.command.does is Does.MAKES_ACCOUNTS else "accounts"
        left = f"leaves you {quota.left}" if quota.per == "person" else f"leaves {quota.left}"
        today = " today" if rule.every == 86400 else f" ({quota.max} {period(rule.every)})"
        return (f"{quota.cost} {noun}, but {rule.said} {left}{today}",)
    what = rule.written[0].lstrip("#*") if len(rule.written) == 1 else "of these commands"
    whom = "each person" if quota.per == "person" else "all together"
    whose = "yours are used" if quota.per == "person" else "all are used"
    return (
        f"{rule.said} gives {whom} {quota.max} {what or 'commands'} {period(rule.every)}, {whose}",
    )


def no_right(query: Query) -> Text:
    """Why somebody may not use a command of Sluice's own."""
    name, right = query.command.name, query.command.right
    if right is Right.OWNER:
        return (f"{name} is for ", *roles_above(query.policy, [query.policy.owners]))
    if right is Right.CHANGE:
        return (f"{name} is for ", *roles_above(query.policy, query.policy.changing))
    return (f"{name} is for people with a role",)


def _condition(where: Condition) -> Text:
    """What a condition asks for: "a name of [a-z]{3,20}"."""
    what = "name" if where.type is Type.USER else where.name
    parts: list[Text] = []
    if where.regex is not None:
        parts.append((f"{a(what)} of ", code(where.regex.text)))
    if where.one_of is not None:
        some = sorted(where.one_of)
        more = [f" or {len(some) - 3} more"] if len(some) > 3 else []
        parts.append(("one of ", *codes(some[:3]), *more))
    if where.server is not None:
        parts.append((f"{a(what)} of the server ", code(either(sorted(where.server)))))
    if where.in_role is not None:
        parts.append((a(where.in_role),))
    if where.is_self is not None:
        parts.append(("one's own account" if where.is_self else "somebody else's account",))
    return listed(parts, between=" and ")


def failed_clause(rule: Rule, failure: Failure, query: Query) -> Text:
    """For `why`: the first condition of a rule that did not hold, about the value at hand."""
    policy = query.policy
    if isinstance(failure, Condition):
        return _misfit(failure, query)
    if failure != ROLE:
        return (_window(rule, failure),)
    me = who(policy, query.asker.mxid)
    if not query.asker.joined:
        return (me, " is not in this room")
    if query.asker.mxid in query.facts.distrusted:
        return (me, " has no role until an owner trusts it")
    if rule.role in roles(policy, query.asker.mxid, float("inf")):
        return (me, " has too little power in this room")
    return (me, f" is not {a(rule.role)}")


def _window(rule: Rule, failure: Failure) -> str:
    """`only mon-fri Berlin`."""
    window = rule.during if failure == DURING else rule.outside
    return f"{'only' if failure == DURING else 'not'} {window.said if window else ''}"


def _misfit(where: Condition, query: Query) -> Text:
    """`“al” does not fit [a-z]{3,20}`."""
    value = next(
        (each for each in query.given(where) if where.fits(each, query) is not True), None
    )
    if value is None:
        return (
            "it acts on no account" if where.name == "target" else f"no {where.name} is given",
        )
    if where.regex is not None:
        seen = where.seen(value)
        if not where.regex.fits(seen):
            return (quote(seen), " does not fit ", code(where.regex.text))
    return (code(value), " is not ", *_condition(where))


def rate(rule: Rule) -> str:
    """What a limit leaves: `5 a day for all`."""
    return f"{rule.max} {period(rule.every)}{' for all' if rule.per == 'everyone' else ''}"


def demand(slots: Sequence[Slot], reason: bool, expires: int | None) -> str:
    """`a reason, 1 mod, 1 hour`."""
    parts = ["a reason"] if reason else []
    parts += [f"{slot.n} {slot.role if slot.n == 1 else plural(slot.role)}" for slot in slots]
    return ", ".join(parts + ([length(expires)] if expires and slots else []))


def reasons(decision: Decision) -> tuple[Text, ...]:
    """The lines of `why`: "allow signup (line 20): no, “al” does not fit [a-z]{3,20}"."""
    lines: list[Text] = []
    if decision.verdict is Verdict.DENY and not decision.rules:
        lines.append(("deny: none applies",))
        lines += [(f"{_titled(c.rule)}: no, ", *c.failed) for c in decision.checked]
        lines.append(("So no line allows it.",))
        return tuple(lines)
    lines += [(f"{_titled(rule)}: ", *rule.clause) for rule in decision.rules]
    shown = {rule.label for rule in decision.rules}
    lines += [
        (f"{_titled(quota.rule)}: ", *quota.rule.clause)
        for quota in decision.limits
        if quota.rule.label not in shown
    ]
    return tuple(lines)


def _titled(rule: Matched) -> str:
    if not rule.line:
        return rule.label
    line = f"line {rule.line}"
    return f"{rule.verb} {line}" if rule.label == line else f"{rule.verb} {rule.label} ({line})"


def answer(decision: Decision) -> str:
    """`not allowed, no line allows it`; `needs approval from cy or dan (cleanup, destructive)`."""
    labels = ", ".join(rule.label for rule in decision.rules)
    if decision.verdict is Verdict.DENY:
        return f"not allowed, {f'by {labels}' if labels else 'no line allows it'}"
    if decision.verdict is Verdict.ALLOW:
        return f"allowed by {labels}"
    return f"needs approval{f' from {either(decision.can)}' if decision.can else ''} ({labels})"
