"""What the policy says of one invocation: the one function that execution, `can`, `why`, inline
tests and the offline check all ask.

In this order: built-in rules and `deny` lines; then an `allow` line is needed; then every `limit`
must have room; then all `require` lines add up. No order of lines matters. What cannot be known
(a role that depends on power in the room, the server of a room whose id has none) never allows and
always denies, requires and limits. An exception is a deny.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from ..catalog.table import COMMANDS
from ..model.command import Invocation, Right, Type
from ..model.decision import Asker, Decision, Facts, Matched, Quota, Slot, Verdict
from . import reasons
from .guardrails import BuiltIn, refusals, votes_for_named
from .people import may_change, mxids_of, roles
from .roles import NOBODY
from .rules import DURING, EXPIRES, NO_PLAN, OUTSIDE, ROLE, Condition, Failure, Policy, Query, Rule

_NAMED = (Matched("built-in", "built-in: named"),)


def decide(
    invocation: Invocation,
    asker: Asker,
    facts: Facts,
    now: float,
    policy: Policy,
    *,
    glass: bool = False,
) -> Decision:
    """now: epoch seconds. glass: asked as break-glass, so `require` lines do not count.

    Cheap: `can`, `checked` and the clauses stay empty; `explain` fills them.
    """
    try:
        query = query_of(invocation, asker, facts, now, policy)
        return _own(query) if query.command.own else _decide(query, glass)
    except Exception as error:  # fail closed; the caller tells the ops room once
        return Decision(
            Verdict.DENY,
            (Matched("built-in", "built-in: error"),),
            because=("the check itself failed",),
            fixed=True,
            error=type(error).__name__,
        )


def query_of(
    invocation: Invocation, asker: Asker, facts: Facts, now: float, policy: Policy
) -> Query:
    command = COMMANDS[invocation.command]
    held = roles(policy, asker.mxid, asker.power, facts.distrusted) if asker.joined else NOBODY
    targets = invocation.values(command.targets) if command.targets else ()
    return Query(invocation, command, asker, facts, now, policy, held, targets)


def _decide(query: Query, glass: bool) -> Decision:
    plan = query.policy.plans.get(query.command.name, NO_PLAN)
    refused, denies = refusals(query, glass), _applying(plan.deny, query)
    if refused or denies:
        return _forbidden(refused, denies, query)
    tried = [(rule, failed(rule, query)) for rule in plan.allow]
    allows = [rule for rule, failure in tried if failure is None]
    if not allows:
        near = [(rule, failure) for rule, failure in tried if failure is not None]
        by_role = all(failure == ROLE for _, failure in near)
        because = reasons.not_allowed(near, query)
        return Decision(Verdict.DENY, (), because=because, by_role=by_role)
    limits = [(rule, _quota(rule, query)) for rule in _applying(plan.limit, query)]
    spent = [(rule, quota) for rule, quota in limits if quota.used + quota.cost > quota.max]
    quotas = tuple([quota for _, quota in limits])
    if spent:
        rule, quota = min(spent, key=lambda each: (each[0].id or "~", each[0].key))
        return Decision(
            Verdict.DENY,
            tuple(quota.rule for _, quota in spent),
            because=reasons.spent(rule, quota, query),
            retry_at=_retry_at(spent, query),
            limits=quotas,
        )
    requires = [] if glass else _applying(plan.require, query)
    return _granted(allows, requires, quotas, query)


def _applying(rules: Iterable[Rule], query: Query) -> list[Rule]:
    return [rule for rule in rules if failed(rule, query) is None]


def _forbidden(refused: list[BuiltIn], denies: list[Rule], query: Query) -> Decision:
    if refused:
        because = refused[0].because
    else:  # not the first: no order matters
        rule = min(denies, key=lambda each: each.id or "~")
        because = reasons.denied(rule, query)
    labels = [Matched("built-in", f"built-in: {each.name}") for each in refused]
    matched = (*labels, *(rule.matched for rule in denies))
    fixed = any(each.fixed for each in refused)
    return Decision(Verdict.DENY, matched, because=because, fixed=fixed)


def _granted(
    allows: list[Rule], requires: list[Rule], quotas: tuple[Quota, ...], query: Query
) -> Decision:
    """Allowed, with votes where `require` lines or an account that the policy names want some."""
    named = votes_for_named(query)
    slots = largest([*(s for rule in requires for s in rule.slots), *named], query.policy)
    spans = [rule.expires for rule in requires if rule.expires is not None]
    return Decision(
        Verdict.APPROVE if slots else Verdict.ALLOW,
        tuple([rule.matched for rule in (*allows, *requires)]) + (_NAMED if named else ()),
        slots=slots,
        reason=any(rule.reason for rule in requires),
        expires=min(spans, default=EXPIRES if slots else None),
        limits=quotas,
    )


def _own(query: Query) -> Decision:
    """Sluice's own commands: their rights are fixed, no line of the policy names them."""
    policy, right = query.policy, query.command.right
    if right is Right.OWNER:
        allowed = policy.owners in query.roles
    elif right is Right.CHANGE:
        allowed = may_change(policy, query.roles)
    else:
        allowed = bool(query.roles)
    label = (Matched("built-in", f"built-in: {right.value}"),)
    if allowed:
        return Decision(Verdict.ALLOW, label)
    return Decision(Verdict.DENY, label, because=reasons.no_right(query))


def largest(slots: Iterable[Slot], policy: Policy) -> tuple[Slot, ...]:
    """For each role the largest n; the lowest role first."""
    most: dict[str, int] = {}
    for slot in slots:
        most[slot.role] = max(slot.n, most.get(slot.role, 0))
    if not most:
        return ()
    ranked = sorted(most, key=lambda role: (len(policy.closure.get(role, ())), role))
    return tuple([Slot(role, most[role]) for role in ranked])


# --- does a rule apply ------------------------------------------------------------------------


def failed(rule: Rule, query: Query) -> Failure | None:
    """None when the rule applies. Of an allow line every value must fit, of others any."""
    if rule.role and rule.role not in query.roles:
        return ROLE
    for where in rule.where:
        if not _holds(where, bool(rule.role), query):
            return where
    if rule.during is not None and not rule.during.holds(query.now):
        return DURING
    if rule.outside is not None and rule.outside.holds(query.now):
        return OUTSIDE
    return None


def _holds(where: Condition, allow: bool, query: Query) -> bool:
    """What cannot be known fits, unless it would allow."""
    values = values_of(where, query)
    for value in values:
        fits = where.fits(value, query)
        if fits is None:
            fits = not allow
        if fits is not allow:
            return fits
    return allow and bool(values)


def values_of(where: Condition, query: Query) -> tuple[str, ...]:
    """What a condition looks at."""
    if where.name in ("target", query.command.targets):
        return query.targets
    if where.type is Type.SWITCH:
        return ("yes" if query.invocation.get(where.name) else "no",)
    return query.given(where)


# --- limits -----------------------------------------------------------------------------------


@frozen
class LimitUse:
    """What the store counts for one limit, and what this invocation takes of it.

    key: what uses are stored under. mxids: whose uses count, None = everyone's. every: seconds.
    """

    key: str
    label: str
    mxids: tuple[str, ...] | None
    every: int
    max: int
    cost: int


def limits_of(
    invocation: Invocation, asker: Asker, policy: Policy, now: float
) -> tuple[LimitUse, ...]:
    """Every limit that applies, to fill Facts.used before, and to store the uses after sending."""
    query = query_of(invocation, asker, Facts(), now, policy)
    rules = policy.plans.get(query.command.name, NO_PLAN).limit
    own = mxids_of(policy, asker.mxid)
    found = (
        LimitUse(
            rule.key,
            rule.label,
            None if rule.per == "everyone" else own,
            rule.every,
            rule.max,
            cost(rule, query),
        )
        for rule in _applying(rules, query)
    )
    return tuple({use.key: use for use in found}.values())  # a counter is used up once


def cost(rule: Rule, query: Query) -> int:
    """Targets or requests, as the line says; else targets where one account is one act."""
    default = "targets" if query.command.counted else "requests"
    return max(len(query.targets), 1) if (rule.count or default) == "targets" else 1


def _quota(rule: Rule, query: Query) -> Quota:
    uses = query.facts.used.get(rule.key, ())
    since = query.now - rule.every
    used = sum(1 for at in uses if at > since)
    return Quota(rule.matched, rule.per, rule.max, rule.every, used, cost(rule, query))


def _retry_at(spent: Iterable[tuple[Rule, Quota]], query: Query) -> float | None:
    """When all of these have room again; None when one never has for so many."""
    latest = 0.0
    for rule, quota in spent:
        if quota.cost > quota.max:
            return None
        live = sorted(at for at in query.facts.used[rule.key] if at > query.now - rule.every)
        latest = max(latest, live[quota.used + quota.cost - quota.max - 1] + rule.every)
    return latest
