"""What a policy must prove before it goes live: its tests, `who_can`, votes that can be had.

And what is odd in it, though valid: the warnings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo
from itertools import combinations

from attrs import frozen

from ..catalog.table import COMMANDS, find
from ..model.command import Invocation
from ..model.decision import Asker, Facts, Verdict
from ..text.message import plain
from ..typed.parse import AskFirst, Missing, NeedsMedia, NeedsRoom, NotRun, parse
from ..typed.read import read_line
from .access import who_can
from .decide import decide
from .document import BadValue, Node, Problems, quoted, read, text, unknown
from .explain import explain
from .keys import KEYS
from .loading import Loading
from .people import members_of, mxids_of, owners, person_of
from .reasons import answer, either
from .roles import is_glob
from .rules import Policy


def invocation_of(line: str, server: str, prefix: str = "!") -> Invocation:
    """A command line as in chat, with nobody to ask and nothing to look up. Raises BadValue.

    An address stands for a room id of the same words, since it cannot be resolved here.
    """
    typed, rooms = read_line(line, prefix=prefix), dict[str, str]()
    if find(typed.word) is None:
        known = [name for name, each in COMMANDS.items() if not each.own]
        raise BadValue(unknown("command", typed.word, known))
    while True:
        try:
            return parse(typed, server=server, rooms=rooms)
        except AskFirst as ask:
            return ask.invocation
        except NeedsRoom as needs:
            if needs.alias in rooms:
                raise BadValue(f"{quoted(needs.alias)} cannot be looked up") from None
            rooms[needs.alias] = f"!{needs.alias[1:]}"
        except NeedsMedia:
            raise BadValue("without a message to reply to, write the file (mxc://…)") from None
        except Missing as missing:
            raise BadValue(f"{missing.param.name} is missing") from None
        except NotRun as refused:
            raise BadValue(
                plain(refused.lines[0]) if refused.lines else "it is not valid"
            ) from None


def moment(word: str, zone: tzinfo) -> float:
    """Epoch seconds of `2026-11-24T12:00:00Z`; without a zone, the policy's. Raises BadValue."""
    try:
        at = datetime.fromisoformat(word[:-1] + "+00:00" if word[-1:] in "Zz" else word)
        return (at if at.tzinfo else at.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError, OSError):
        raise BadValue(f"{quoted(word)} is no moment. Like this: 2026-11-24T12:00:00Z") from None


def asker_of(policy: Policy, who: str, power: float) -> Asker:
    """A joined member: the first account of a person, or an MXID."""
    return Asker(mxids_of(policy, who)[0] if who in policy.people else who, True, power)


@frozen
class Test:
    """One line of `tests`. at: None is now."""

    line: int
    who: str
    power: int
    at: float | None
    run: str
    invocation: Invocation
    expect: Verdict
    via: str | None
    by: tuple[str, ...] | None


def prove(loading: Loading, policy: Policy | None, now: float) -> int:
    """Notes what a policy fails to prove, and its warnings. policy: None after an error. Returns
    how many tests there are."""
    problems = loading.problems
    tests = [test for node in loading.section["tests"] if (test := _test(node, loading))]
    # Of what is not right in itself nothing needs to be proven.
    right = policy is not None and not problems.found and not problems.outdated
    check_who_can(loading, policy if right else None)
    if policy is not None and not problems.found:
        if right:
            check_votes(policy, loading.asked, problems)
            run_tests(tests, policy, now, problems)
        warn(policy, problems)
    return len(tests)


def _test(node: Node, loading: Loading) -> Test | None:
    """The test, if it can be run; what is wrong with it is noted."""
    add, before = loading.problems.add, len(loading.problems.found)
    test = read(node, KEYS["test"], loading.problems, "a test")
    at, invocation = None, Invocation("")
    try:
        if test["at"] is not None:
            at = moment(test["at"], loading.zone)
    except BadValue as bad:
        add(test.line_of("at"), f"at: {bad}")
    try:
        if test["run"] is not None:
            invocation = invocation_of(test["run"], loading.server)
    except BadValue as bad:
        add(test.line_of("run"), f"{quoted(test['run'])}: {bad}")
    if test["as"] is not None:
        loading.member(Node(test.line_of("as"), test["as"]), globs=False)
    for one in test["by"] or ():
        loading.member(one, globs=False)
    who, line, via = test["as"], test["run"], test["via"]
    if via is not None and not _is_label(via, loading):
        add(test.line_of("via"), f"via: there is no rule {quoted(via)}")
    if len(loading.problems.found) > before:
        return None
    by = None if test["by"] is None else tuple(text(one) for one in test["by"])
    expect = Verdict(test["expect"])
    return Test(node.line, who, test["power"], at, line, invocation, expect, via, by)


def _is_label(word: str, loading: Loading) -> bool:
    return word in loading.ids or word.startswith(("line ", "built-in: "))


def run_tests(tests: Iterable[Test], policy: Policy, now: float, problems: Problems) -> None:
    """Notes every test that fails, and as a warning every rule that none of them reaches."""
    reached: set[str] = set()
    for test in tests:
        asker = asker_of(policy, test.who, test.power)
        at = now if test.at is None else test.at
        ask = decide if test.by is None else explain
        decision = ask(test.invocation, asker, Facts(), at, policy)
        labels = [rule.label for rule in decision.rules]
        reached.update(labels)
        reached.update(quota.rule.label for quota in decision.limits)
        if (
            decision.verdict is not test.expect
            or (test.via is not None and test.via not in labels)
            or (
                test.by is not None
                and {person_of(policy, p) for p in test.by} != set(decision.can)
            )
        ):
            line = " ".join(test.run.split())
            problems.add(
                test.line,
                f"{test.who} {quoted(line)} should {_expected(test)}; "
                f"the answer is: {answer(decision)}",
                "test",
            )
    for rule in policy.rules:
        if rule.label not in reached:
            label = "" if rule.id is None else f" {rule.id}"
            problems.add(rule.line, f"no test reaches this {rule.verb} line{label}", "warning")


def _expected(test: Test) -> str:
    what = {
        Verdict.ALLOW: "be allowed",
        Verdict.APPROVE: "need approval",
        Verdict.DENY: "not be allowed",
    }[test.expect]
    via = f" by {test.via}" if test.via else ""
    return what + via + (f", votes from {either(test.by)}" if test.by else "")


def check_who_can(loading: Loading, policy: Policy | None) -> None:
    """`who_can` is exhaustive: exactly these. Without a policy only its words are checked."""
    actual = who_can(policy) if policy is not None else {}
    for key, value in loading.section["who_can"]:
        command, before = str(key.value), len(loading.problems.found)
        known = [name for name, each in COMMANDS.items() if not each.own]
        if command not in known:
            loading.problems.add(key.line, unknown("command", command, known))
            continue
        try:
            nodes = KEYS["role"]["members"].kind(value)
        except BadValue as bad:
            loading.problems.add(bad.line or value.line, str(bad))
            continue
        expected = [_row(node, loading) for node in nodes]
        expected = [policy.person.get(row, row) if policy else row for row in expected]
        if policy is None or len(loading.problems.found) > before:
            continue
        extra = [name for name in actual[command] if name not in expected]
        missing = [name for name in expected if name not in actual[command]]
        parts = [f"{either(extra, 'and')} can too"] if extra else []
        parts += [f"{either(missing, 'and')} cannot"] if missing else []
        if parts:
            loading.problems.add_late(key.line, f"who_can {command}: {', '.join(parts)}")


def _row(node: Node, loading: Loading) -> str:
    """`ana`, or `@*:example.org >= 25` with the blanks in place."""
    word, sign, power = text(node).replace("≥", ">=").partition(">=")
    word, power = word.strip(), power.strip()
    loading.member(Node(node.line, word), globs=True)
    if not sign or power == "0":
        return word
    if not power.isdecimal() or not is_glob(word):
        loading.problems.add(node.line, f"{node.shown} is no row. Like this: @*:server >= 25")
    return f"{word} >= {power}"


def check_votes(policy: Policy, asked: Mapping[tuple[int, str], int], problems: Problems) -> None:
    """Every set of votes that may be needed can be had by some persons besides the requester."""
    requesters = {name: set(some) for name, some in who_can(policy).items()}
    for command, plan in policy.plans.items():
        lines = [(slot, rule) for rule in plan.require for slot in rule.slots]
        needed: dict[str, tuple[int, int]] = {}  # role -> votes, line
        for slot, rule in lines:
            if slot.role not in needed or needed[slot.role][0] < slot.n:
                needed[slot.role] = (slot.n, asked.get((rule.line, slot.role), rule.line))
        most = 4 if len(needed) < 8 else 1  # of more roles not every set is tried
        for size in range(1, min(len(needed), most) + 1):
            for roles in combinations(needed, size):
                persons = {p for role in roles for p in members_of(policy, role)}
                have = len(persons) - bool(persons & requesters[command])
                n = sum(needed[role][0] for role in roles)
                if have < n:
                    who = either([f"role {role}" for role in roles], "and")
                    line = max(needed[role][1] for role in roles)
                    problems.add_late(
                        line,
                        f"approvals: {n} {'votes are' if n > 1 else 'vote is'} needed, but {who} "
                        f"{'has' if size == 1 else 'have'} only {have} besides the requester",
                    )


def warn(policy: Policy, problems: Problems) -> None:
    """What is valid but hardly meant."""
    add = problems.add
    for deny in policy.rules:
        if deny.verb == "deny" and deny.always:
            for rule in policy.rules:
                twin = rule.verb == "deny" and rule.do == deny.do and rule.line <= deny.line
                if rule.do <= deny.do and not twin:
                    add(rule.line, f"never counts: {deny.said} denies all of it", "warning")
    for role in policy.roles.values():
        heirs = (
            other for other in policy.roles.values() if role.name in policy.closure[other.name]
        )
        if not any(heir.members for heir in heirs):
            add(role.line, f"role {role.name} has no members", "warning")
    some = owners(policy)
    line = policy.roles[policy.owners].line if policy.owners in policy.roles else 1
    servers = {m.partition(":")[2] for person in some for m in mxids_of(policy, person)}
    if not policy.persons and not policy.by_server:
        problems.add_late(1, "nobody has a role, so nobody could use this. Is it saved whole?")
    elif not some:
        add(line, "there are no owners: nobody can resume, reload or review", "warning")
    elif len(some) == 1 and policy.break_glass is not None:
        add(line, f"{some[0]} is the only owner: break-glass is not reviewed then", "warning")
    if len(servers) == 1 and policy.server not in servers:
        where = servers.pop()
        add(line, f"all owners are on {where}, whose owner can act as any of them", "warning")
    if not policy.ops_rooms:
        add(1, "ops_rooms is empty: there is no room for commands", "warning")
