"""What somebody may do, for help: by command, with every condition told instead of tried."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..catalog.table import COMMANDS
from ..chat.answers import left
from ..model.command import Right
from ..model.decision import Verdict
from ..policy.access import cells
from ..policy.people import may_change, mxids_of
from ..policy.reasons import for_whom, names_in_words, plural, roles_above, votes
from ..policy.rules import Policy, Rule
from ..requests import limits
from ..requests.desk import Desk
from ..text.message import Text
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
    """`yes, names of 3 to 20 of a-z. 7 of 10 left today.`, or why not."""
    policy, held = desk.policy, await desk.roles(room, mxid)
    if COMMANDS[name].own:
        return (*_own_right(policy, held, name), ".")
    cell = cells(policy, held).get(name)
    if cell is None:
        plan = policy.plans.get(name)
        allowing = [rule.role for rule in plan.allow] if plan is not None else []
        return ("no, ", *for_whom(name, allowing, policy), ".")
    reason: list[Text] = [("with a reason",)] if cell.demand.reason else []
    allows = [rule for rule in cell.rules if rule.verb == "allow"]
    parts: list[Text] = [listed([("yes",), *_conditions(allows), *reason])]
    demand = cell.demand
    parts += [(votes(demand.slots, demand.expires),)] if demand.slots else []
    parts += [await _quota(desk, rule, mxid) for rule in cell.rules if rule.verb == "limit"]
    return (*listed(parts, between=". "), ".")


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
    patterns = [w.regex for rule in allows for w in rule.where if w.regex is not None]
    names = [words for each in patterns[:2] if (words := names_in_words(each))]
    if names and len(names) == len(patterns):
        return [("names of ", *listed([each.said for each in names], "or"))]
    return [("some names only" if patterns else "on conditions",)]


async def _quota(desk: Desk, rule: Rule, mxid: str) -> Text:
    """`7 of 10 left today`."""
    of_all = rule.per == "everyone"
    whose = None if of_all else mxids_of(desk.policy, mxid)
    uses = await limits.used(desk.tx, rule.key, desk.now - rule.every, whose)
    return (left(max(rule.max - len(uses), 0), rule.max, rule.every, of_all=of_all),)
