"""What somebody may do, for help: by command, with every condition told instead of tried."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..catalog.table import COMMANDS
from ..model.command import Right
from ..model.decision import Verdict
from ..policy.access import Cell, cells
from ..policy.people import may_change, mxids_of
from ..policy.reasons import either, for_whom, plural, rate, roles_above
from ..policy.rules import Policy, Rule
from ..requests import limits
from ..requests.desk import Desk
from ..text.message import Text, code
from ..text.phrases import listed


def may(policy: Policy, held: frozenset[str]) -> Callable[[str], Verdict]:
    """command -> what these roles may, given every condition."""
    found = cells(policy, held)

    def verdict(name: str) -> Verdict:
        if COMMANDS[name].own:
            return Verdict.ALLOW if _may_own(policy, held, name) else Verdict.DENY
        cell = found.get(name)
        if cell is None:
            return Verdict.DENY
        return Verdict.APPROVE if cell.demand.slots else Verdict.ALLOW

    return verdict


def _may_own(policy: Policy, held: frozenset[str], name: str) -> bool:
    right, glass = COMMANDS[name].right, policy.break_glass
    if right is Right.OWNER:
        return policy.owners in held
    if right is Right.LINE:
        return glass is not None and glass.role in held
    if right is Right.REQUEST:
        voting = {slot.role for rule in policy.rules for slot in rule.slots}
        return may_change(policy, held) or not held.isdisjoint(voting)
    return right is Right.ROLE or may_change(policy, held)


def approvers(policy: Policy, held: frozenset[str]) -> tuple[str, ...]:
    """The roles that could approve what these roles ask for, the lowest first."""
    wanted = {slot.role for cell in cells(policy, held).values() for slot in cell.demand.slots}
    able = [role for role, inside in policy.closure.items() if not inside.isdisjoint(wanted)]
    return tuple(sorted(able, key=lambda role: (len(policy.closure[role]), role)))


async def rights(desk: Desk, name: str, room: str, mxid: str) -> Text:
    """`yes, names of [a-z]{3,20}, 10 a day, 7 left (rules signup, signups)`, or why not."""
    policy, held = desk.policy, await desk.roles(room, mxid)
    if COMMANDS[name].own:
        return _own_right(policy, held, name)
    cell = cells(policy, held).get(name)
    if cell is None:
        plan = policy.plans.get(name)
        allowing = [rule.role for rule in plan.allow] if plan is not None else []
        return ("no, ", *for_whom(name, allowing, policy))
    allows = [rule for rule in cell.rules if rule.verb == "allow"]
    quotas = [rule for rule in cell.rules if rule.verb == "limit"]
    parts: list[Text] = [("yes",), *_conditions(allows)]
    parts += [(f"with {cell.demand.said}",)] if cell.demand.said else []
    parts += [await _quota(desk, rule, mxid) for rule in quotas]
    return (*listed(parts), _named(allows, quotas, cell, policy))


def _own_right(policy: Policy, held: frozenset[str], name: str) -> Text:
    if _may_own(policy, held, name):
        about = COMMANDS[name].right is Right.REQUEST
        return ("yes, if the request lets you",) if about else ("yes",)
    if COMMANDS[name].right is Right.OWNER:
        return (f"no, {name} is for ", *roles_above(policy, [policy.owners]))
    if COMMANDS[name].right is Right.LINE:
        glass = policy.break_glass
        return (f"no, break-glass is {f'for {plural(glass.role)}' if glass else 'off'}",)
    return (f"no, {name} is for ", *roles_above(policy, policy.changing))


def _conditions(allows: Sequence[Rule]) -> list[Text]:
    """What every allow line wants of the values; nothing if one of them wants nothing."""
    if any(not rule.where for rule in allows):
        return []
    patterns = [w.regex.text for rule in allows for w in rule.where if w.regex is not None]
    if patterns:
        return [("names of ", *listed([code(text) for text in patterns[:2]], "or"))]
    return [("on conditions",)]


async def _quota(desk: Desk, rule: Rule, mxid: str) -> Text:
    """`10 a day, 7 left`."""
    whose = None if rule.per == "everyone" else mxids_of(desk.policy, mxid)
    uses = await limits.used(desk.tx, rule.key, desk.now - rule.every, whose)
    return (f"{rate(rule)}, {max(rule.max - len(uses), 0)} left",)


def _named(allows: Sequence[Rule], quotas: Sequence[Rule], cell: Cell, policy: Policy) -> str:
    """` (rules signup, signups)`: what to look for in the policy."""
    requires = policy.plans[cell.command].require
    labels = dict.fromkeys(rule.label for rule in (*allows, *requires, *quotas))
    named = [label for label in labels if not label.startswith("line ")]
    if not named:
        return f" ({either(list(labels)[:3], 'and')})"
    return f" (rule{'s' if len(named) > 1 else ''} {', '.join(named)})"
