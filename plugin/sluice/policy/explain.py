"""The same decision with everything that people may want to know of it: `can` and `why`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime, timedelta

from attrs import evolve

from ..model.command import Invocation, Right
from ..model.decision import Asker, Checked, Decision, Facts, Matched, Quota, Verdict
from ..text.message import Text
from . import reasons
from .decide import decide, failed, query_of
from .people import eligible, in_order, members_of, mxids_of, person_of, roles
from .rules import NO_PLAN, Plan, Policy, Query, Rule


def explain(
    invocation: Invocation,
    asker: Asker,
    facts: Facts,
    now: float,
    policy: Policy,
    glass: bool = False,
) -> Decision:
    """`decide` with `can`, `checked`, the clauses of rules, and the end of a time window."""
    decision = decide(invocation, asker, facts, now, policy, glass=glass)
    if decision.error:
        return decision
    query = query_of(invocation, asker, facts, now, policy)
    plan = policy.plans.get(query.command.name, NO_PLAN)
    every = (*plan.allow, *plan.require, *plan.limit, *plan.deny)
    rules = {id(rule.matched): rule for rule in every}
    matched = [(each, rules.get(id(each))) for each in decision.rules]
    denies = [rule for _, rule in matched if rule is not None and rule.verb == "deny"]
    by_deny = denies and len(denies) == len(matched)
    nothing = decision.verdict is Verdict.DENY and not matched
    return evolve(
        decision,
        rules=tuple(_with_clause(each, rule, decision, query) for each, rule in matched),
        limits=tuple(evolve(q, rule=evolve(q.rule, clause=_used(q))) for q in decision.limits),
        can=_who_can(decision, query),
        checked=_checked(plan, query) if nothing else (),
        retry_at=_window_ends(denies, now) if by_deny else decision.retry_at,
    )


def _checked(plan: Plan, query: Query) -> tuple[Checked, ...]:
    """Why each allow line does not allow it, in the order of the text."""
    found = []
    for rule in sorted(plan.allow, key=lambda each: each.line):
        failure = failed(rule, query)
        if failure is not None:
            found.append(Checked(rule.matched, reasons.failed_clause(rule, failure, query)))
    return tuple(found)


def _used(quota: Quota) -> Text:
    return (f"{quota.used} of {quota.max} used",)


def _with_clause(matched: Matched, rule: Rule | None, decision: Decision, query: Query) -> Matched:
    clause: Text = ("yes",)
    if rule is None:
        clause = decision.because or ("a vote of somebody with the same rights",)
    elif rule.verb == "require":
        clause = (reasons.demand(rule.slots, rule.reason, rule.expires),)
    elif rule.verb == "deny":
        clause = reasons.denied(rule, query)
    elif rule.verb == "limit":
        clause = _used(next(each for each in decision.limits if each.rule is matched))
    return evolve(matched, clause=clause)


def _who_can(decision: Decision, query: Query) -> tuple[str, ...]:
    """APPROVE: who could approve. DENY: who else could do it, given the power, limits unused."""
    policy, facts = query.policy, query.facts
    if decision.verdict is Verdict.ALLOW or decision.fixed:
        return ()
    if decision.verdict is Verdict.APPROVE:
        return eligible(policy, decision.slots, query.asker.mxid, query.targets, facts.distrusted)
    if query.command.own:
        if query.command.right is Right.OWNER:
            return members_of(policy, policy.owners)
        if query.command.right is not Right.CHANGE:
            return ()
        some = {p for role in policy.changing for p in members_of(policy, role)}
        return in_order(policy, some)
    plan = policy.plans.get(query.command.name, NO_PLAN)
    shared = [rule.key for rule in plan.limit if rule.per == "everyone"]
    facts = evolve(facts, used={key: facts.used[key] for key in shared if key in facts.used})
    out = {person_of(policy, mxid) for mxid in (query.asker.mxid, *query.targets)}
    rules = (*plan.allow, *plan.limit, *plan.deny)
    personal = any(where.is_self is not None for rule in rules for where in rule.where)
    known: dict[object, bool] = {}  # else whoever holds the same roles may the same

    def could(person: str) -> bool:
        for mxid in mxids_of(policy, person):
            alike = mxid if personal else roles(policy, mxid, math.inf)
            if alike not in known:
                asker = Asker(mxid, power=math.inf)
                other = decide(query.invocation, asker, facts, query.now, policy)
                known[alike] = other.verdict is not Verdict.DENY
            if known[alike]:
                return True
        return False

    return in_order(policy, (p for p in policy.persons if p not in out and could(p)))


def _window_ends(rules: list[Rule], now: float) -> float | None:
    """When none of these deny lines applies any more; None if one has no window."""
    latest = now
    for rule in rules:
        moments = sorted(_edges(rule, now))
        end = next((at for at in moments if at > now and not _in_time(rule, at)), None)
        if end is None:
            return None
        latest = max(latest, end)
    return latest


def _in_time(rule: Rule, at: float) -> bool:
    return (rule.during is None or rule.during.holds(at)) and (
        rule.outside is None or not rule.outside.holds(at)
    )


def _edges(rule: Rule, now: float) -> Iterator[float]:
    """The moments of the coming week at which a window of the rule may begin or end."""
    for window in (rule.during, rule.outside):
        if window is not None:
            today = datetime.fromtimestamp(now, window.zone).replace(
                hour=0, minute=0, second=0, microsecond=0
            )
            for day in range(9):
                for minute in (0, window.start, window.end):
                    local = today + timedelta(days=day, minutes=minute)  # wall clock
                    yield local.timestamp()
