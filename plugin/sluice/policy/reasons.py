"""Why the policy says what it says, in words: "“al” is too short. Names here have 3 to 20 of …".

All clauses of decisions are phrased here; `decide` and `explain` say which hold. Names of rules
and regular expressions stand only in what `why` shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from attrs import frozen

from ..catalog.record import Does
from ..model.command import Right, Type
from ..model.decision import Decision, Matched, Quota, Slot, Verdict
from ..text.message import Text, code, plain, quote
from ..text.phrases import Word, a, codes, listed, person
from .pattern import Pattern, compile_pattern
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
    """Why a deny line forbids it: "mods and owners are protected, and cy is one"."""
    command = query.command.name
    if rule.outside is not None:
        return (f"{command} runs only at these times: {rule.outside.said}",)
    if rule.during is not None:
        return (f"no {command} at these times: {rule.during.said}",)
    for where in rule.where:
        for value in query.given(where):
            if where.in_role is not None and where.in_role in roles_of_person(query.policy, value):
                protected = roles_above(query.policy, [where.in_role])
                return (*protected, " are protected, and ", who(query.policy, value), " is one")
        if where.is_self is not None:
            return (f"{command} is forbidden ", *_only_for(where))
        return (f"{command} is forbidden for ", *codes(query.given(where)[:3]))
    return (f"{command} is forbidden here",)


def not_allowed(near: Sequence[tuple[Rule, Failure]], query: Query) -> Text:
    """Why no allow line lets it through: the nearest one, else the roles that have one."""
    command = query.command.name
    held = [(rule, failure) for rule, failure in near if failure != ROLE]
    if not held:
        return for_whom(command, [rule.role for rule, _ in near], query.policy)
    # Not the first one: the order of lines never matters. A window is the last condition.
    rule, failure = min(held, key=lambda each: (isinstance(each[1], Condition), each[0].id or "~"))
    may = f"{plural(rule.role)} may use {command} "
    if not isinstance(failure, Condition):
        return (may, _window(rule, failure))
    value = _misfits(failure, query)
    if failure.regex is None or value is None or failure.regex.fits(failure.seen(value)):
        return (f"{may}only ", *_only_for(failure))
    if query.command.does is Does.MAKES_ACCOUNTS and (names := names_in_words(failure.regex)):
        return (*_wrong_name(failure.seen(value), names), ". Names here have ", *names.said)
    return (f"{may}only ", *_only_for(failure), ", not for ", code(value))


@frozen
class Names:
    """What an expression wants of a name, where it is of the common kind: `[a-z0-9._-]{3,20}`."""

    signs: str  # "a-z 0-9 . _ -"
    fits: Pattern  # one of them
    least: int
    most: int | None

    @property
    def said(self) -> Text:
        """`3 to 20 of a-z 0-9 . _ -`"""
        to = f"{self.least} to {self.most}" if self.most else f"{self.least} or more"
        return (f"{self.least if self.least == self.most else to} of ", code(self.signs))


_NAMES = re.compile(r"\^?(\[(?:[a-zA-Z0-9._=/+-]|\\[._=/+-])+\])(?:\{(\d+)(,?)(\d*)\}|([+*]))\$?")


def names_in_words(pattern: Pattern) -> Names | None:
    """None for one that only who wrote it can read."""
    found = _NAMES.fullmatch(pattern.text)
    if found is None:
        return None
    signs, least, comma, most, free = found.groups()
    words = re.findall(r"[a-zA-Z0-9]-[a-zA-Z0-9]|[^\\]", signs[1:-1])
    low = int(least) if free is None else "*+".index(free)
    high = None if free or (comma and not most) else int(most or least)
    return Names(" ".join(words), compile_pattern(signs), low, high)


def _wrong_name(name: str, names: Names) -> Text:
    """`“al” is too short`"""
    if strange := next((sign for sign in name if not names.fits.fits(sign)), ""):
        return (quote(name, 40), " has a ", quote(strange), " in it")
    return (quote(name, 40), f" is too {'short' if len(name) < names.least else 'long'}")


def for_whom(command: str, allowed: Sequence[str], policy: Policy) -> Text:
    """`signup is for mods and owners`. allowed: the roles that its allow lines name."""
    if not allowed:
        return (f"{command} is for nobody here",)
    return (f"{command} is for ", *roles_above(policy, allowed))


def spent(rule: Rule, quota: Quota, query: Query) -> Text:
    """Why a limit has no room."""
    if quota.cost > 1 and quota.used < quota.max:
        noun = "names" if query.command.does is Does.MAKES_ACCOUNTS else "accounts"
        today = "today" if rule.every == 86400 else f"of {quota.max} {period(rule.every)}"
        return (f"{quota.cost} {noun}, but only {quota.left} left {today}",)
    alone = len(rule.written) == 1 and rule.written[0][:1] not in "#*"
    most = f"{quota.max} {rule.written[0] if alone else 'of these'} {period(rule.every)}"
    if quota.per == "person":
        return (f"each person has {most}, and yours are used",)
    return (f"all together have {most}, and they are used",)


def no_right(query: Query) -> Text:
    """Why somebody may not use a command of Sluice's own."""
    name, right = query.command.name, query.command.right
    if right is Right.OWNER:
        return (f"{name} is for ", *roles_above(query.policy, [query.policy.owners]))
    if right is Right.CHANGE:
        return (f"{name} is for ", *roles_above(query.policy, query.policy.changing))
    return (f"{name} is for people with a role",)


_NOUNS: Mapping[Type, str] = {
    Type.USER: "accounts",
    Type.ROOM: "rooms",
    Type.ALIAS: "addresses",
    Type.MXC: "files",
    Type.SERVER: "servers",
}


def _only_for(where: Condition) -> Text:
    """What is left by a condition: "for files of the server evil.example"."""
    noun = _NOUNS.get(where.type, f"{where.name}s")
    if where.is_self is not None:
        return ("for one's own account" if where.is_self else "for other people's accounts",)
    if where.in_role is not None:
        return (f"for accounts of {plural(where.in_role)}",)
    if where.one_of is not None:
        some = sorted(where.one_of)
        more = f" or {len(some) - 3} more" if len(some) > 3 else ""
        return ("for ", *codes(some[:3], "" if more else "or"), more)
    if where.server is not None:
        of = "for " if where.type is Type.SERVER else f"for {noun} of "
        return (of, *codes(sorted(where.server)[:3], "or"))
    return (f"for some {noun}",)


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
        of = "the server " if where.type is Type.SERVER else f"{a(what)} of the server "
        parts.append((of, code(either(sorted(where.server)))))
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
    """`only at these times: mon-fri Berlin`."""
    window = rule.during if failure == DURING else rule.outside
    only = "only" if failure == DURING else "not"
    return f"{only} at these times: {window.said if window else ''}"


def _misfits(where: Condition, query: Query) -> str | None:
    """The first value that a condition does not want; None where it is given none."""
    return next((each for each in query.given(where) if where.fits(each, query) is not True), None)


def _misfit(where: Condition, query: Query) -> Text:
    """`“al” does not fit [a-z]{3,20}`."""
    value = _misfits(where, query)
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


def votes(slots: Sequence[Slot], expires: int | None) -> str:
    """`1 mod and 1 owner must approve within 1 hour`"""
    who = [f"{slot.n} {slot.role if slot.n == 1 else plural(slot.role)}" for slot in slots]
    within = f" within {length(expires)}" if expires else ""
    return f"{either(who, 'and')} must approve{within}"


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
