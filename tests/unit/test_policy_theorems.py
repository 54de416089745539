"""The theorems of docs/policy.md, each under its number."""

from __future__ import annotations

import json
import math
import random
import re
from datetime import datetime, timedelta, timezone
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from attrs import evolve
from hypothesis import assume, given
from hypothesis import strategies as st
from policies import (
    ACCOUNTS,
    MINE,
    NOW,
    PEOPLE,
    PROPERTY,
    ROLES,
    ROOT,
    TARGETS,
    allow_line,
    askers,
    deny_line,
    documents,
    invocations,
    limit_line,
    loaded,
    moments,
    policy_of,
    problems_of,
    require_line,
    settings_of,
)

from sluice.catalog.table import COMMANDS
from sluice.difference import difference
from sluice.model.command import Invocation, Tag
from sluice.model.decision import Asker, Decision, Facts, Verdict
from sluice.policy import decide as decide_module
from sluice.policy.access import who_can
from sluice.policy.decide import decide, limits_of
from sluice.policy.explain import explain
from sluice.policy.pattern import BadPattern, compile_pattern
from sluice.policy.people import eligible, is_named, mxids_of, person_of, roles, roles_of_person
from sluice.policy.rules import Policy, WeeklyWindow
from sluice.settings import Settings

RANK = {Verdict.DENY: 0, Verdict.APPROVE: 1, Verdict.ALLOW: 2}
BOT = "@sluice:example.org"
FACTS = Facts(bot=BOT)
ALL = [
    {"id": "all", "do": "*", "role": "owner"},
    {"id": "all-mod", "do": "*", "role": "mod"},
    {"id": "all-desk", "do": "*", "role": "desk"},
]


def rank(decision: Decision) -> int:
    assert not decision.error, decision.error
    return RANK[decision.verdict]


def meaning(decision: Decision, policy: Policy) -> Any:
    """All of a decision but the places of its lines."""
    keys = {rule.label: rule.key for rule in policy.rules}
    return (
        decision.verdict,
        {keys.get(rule.label, rule.label) for rule in decision.rules},
        decision.slots,
        decision.reason,
        decision.expires,
        tuple(re.sub(r"line \d+", "line", str(word)) for word in decision.because),
        decision.retry_at,
        {(keys[quota.rule.label], quota.max, quota.used, quota.cost) for quota in decision.limits},
    )


def spend(policy: Policy, invocation: Invocation, asker: Asker, now: float, ago: Any) -> Facts:
    """Facts in which the limits of this invocation are used as `ago` draws it."""
    uses = limits_of(invocation, asker, policy, now)
    return evolve(FACTS, used={u.key: tuple(sorted(now - a for a in ago(u.key))) for u in uses})


def settings_with(document: dict[str, Any]) -> Settings:
    return settings_of(json.dumps({"ops_rooms": ["!ops:example.org"], "policy": document}))


def open_to_all(document: dict[str, Any]) -> dict[str, Any]:
    """The same with nothing but the require lines in the way of anybody with a role."""
    return {**document, "allow": ALL, "deny": [], "limit": []}


def docs_theorems() -> set[int]:
    text = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
    return {int(n) for n in re.findall(r"\*\*T(\d+)\*\*", text)}


def test_every_theorem_of_the_docs_has_its_test_and_the_reverse():
    tested = {int(m[1]) for name in globals() if (m := re.match(r"test_t(\d+)_", name))}
    assert docs_theorems() == tested


@PROPERTY
@given(documents(), invocations(), st.sampled_from(ACCOUNTS), moments)
def test_t1_more_power_never_takes_a_right_away(document, invocation, mxid, now):
    policy = policy_of(document)
    ranks = [
        rank(decide(invocation, Asker(mxid, True, power), FACTS, now, policy))
        for power in (-math.inf, -5, 0, 24, 25, 49, 50, 100, math.inf)
    ]
    assert ranks == sorted(ranks)


def test_t1_an_heir_has_the_inherited_rights_without_the_inherited_power():
    policy = policy_of({"people": PEOPLE, "roles": ROLES})
    assert roles(policy, "@bo:example.org", 0) == {"mod", "helper"}
    assert roles(policy, "@hal:example.org", 0) == frozenset()
    assert roles(policy, "@hal:example.org", 25) == {"helper"}


@PROPERTY
@given(st.from_regex(r"@[a-z_]{1,5}:(example\.org|evil\.org|example\.org\.evil)", fullmatch=True))
def test_t2_a_whole_server_is_its_accounts_without_ghosts_and_names_nobody(mxid):
    policy = policy_of({"roles": {"helper": {"members": ["@*:example.org"]}}})
    local, _, server = mxid[1:].partition(":")
    matches = server == "example.org" and not local.startswith("_")
    assert (roles(policy, mxid, 0) == {"helper"}) is matches
    assert not is_named(policy, mxid)


@pytest.mark.parametrize("use", ["approvals", "break_glass", "owners", "star"])
@pytest.mark.parametrize("role", ["helper", "base"])
def test_t2_what_is_held_through_a_whole_server_cannot_vote_nor_own(use, role):
    document: dict[str, Any] = {
        "people": PEOPLE,
        "roles": {
            "base": {"members": ["bo", "cy", "dan"]},
            "helper": {"members": ["@*:example.org"], "inherits": "base"},
            "owner": {"members": ["ana", "dan"]},
        },
    }
    text: dict[str, Any] = {"policy": document}
    if use == "approvals":
        document["require"] = [{"do": "purge", "approvals": [{"from": role, "n": 1}]}]
    elif use == "break_glass":
        document["break_glass"] = {"role": role, "max": 1, "every": "1d"}
    elif use == "owners":
        text["owners"] = role
    else:
        document["allow"] = [{"role": role, "do": "*"}]
    problems = problems_of(json.dumps(text))
    assert any("members are all named" in problem for problem in problems), problems


@PROPERTY
@given(documents(), invocations(), askers(), moments)
def test_t3_no_account_of_the_asker_nor_of_a_target_can_vote(document, invocation, asker, now):
    votes = {"id": "v", "do": "*", "approvals": [{"from": "mod", "n": 1}]}
    policy = policy_of(open_to_all(document) | {"require": [*document["require"], votes]})
    decision = explain(invocation, asker, FACTS, now, policy)
    assume(decision.verdict is Verdict.APPROVE)
    out = {person_of(policy, mxid) for mxid in (asker.mxid, *invocation.values("user"))}
    assert not out & set(decision.can)
    for mxid in mxids_of(policy, asker.mxid):
        assert eligible(policy, decision.slots, mxid, invocation.values("user")) == decision.can


@PROPERTY
@given(
    documents(), st.lists(st.sampled_from(TARGETS), min_size=2, max_size=4, unique=True), askers()
)
def test_t4_a_list_is_never_allowed_when_one_of_it_alone_is_not(document, targets, asker):
    policy = policy_of({**document, "limit": []})
    for command in ("adduser", "deactivateall"):
        whole = rank(decide(listed(command, targets), asker, FACTS, NOW, policy))
        alone = [rank(decide(listed(command, [t]), asker, FACTS, NOW, policy)) for t in targets]
        assert whole <= min(alone)


def listed(command: str, targets: list[str]) -> Invocation:
    return Invocation(command, (("user", tuple(targets)),))


def test_t5_a_role_that_depends_on_power_is_not_known_of_a_target():
    document = {"people": PEOPLE, "roles": ROLES}
    where = {"where": {"target": {"in_role": "helper"}}}
    helper_only = [{"role": "mod", "do": "resetpw", **where}]
    nobody_helping = [{"id": "helping", "do": "resetpw", **where}]
    everybody = [{"role": "mod", "do": "resetpw"}]
    reset = Invocation("resetpw", (("user", "@hal:example.org"),))
    bo = Asker("@bo:example.org")
    assert not rank(decide(reset, bo, FACTS, NOW, policy_of({**document, "allow": helper_only})))
    denied = policy_of({**document, "allow": everybody, "deny": nobody_helping})
    assert [r.label for r in decide(reset, bo, FACTS, NOW, denied).rules] == ["helping"]


_PIECES = st.sampled_from(
    ("a", "b", ".", "[ab]", "[^a]", "\\.", "\\w", "(a|b)", "(?:ab|a)", "^", "$", "|", "a*", "b+",
     "[ab]{2,}", ".{0,5}", "a?", "b{3}", ".*", "a{1,3}?", "[a-c]*?")
)  # fmt: skip


@PROPERTY
@given(st.lists(_PIECES, max_size=9).map("".join), st.text("abx.", max_size=40))
def test_t6_an_expression_matches_as_re_fullmatch_does(expression, value):
    try:
        pattern = compile_pattern(expression)
    except BadPattern:
        assume(False)
    wanted = re.fullmatch(expression, value, re.ASCII) is not None
    assert pattern.fits(value) is wanted
    assert evolve(pattern, short=-1).fits(value) is wanted, "by following sets of places"


def test_t6_every_short_value_by_following_sets_of_places():
    values = ["".join(v) for n in range(7) for v in product("ab", repeat=n)]
    for expression in (
        "a*", "a+b", "a{2}", "a{2,}b*", "a{0,3}b{1,4}", "a{,2}b{3}", "a?b?a?b?a?", "[ab]{5}",
        "(a|ab)(b|ba)a*", "^a.{2,5}b$", "a*b*a*", ".{1,6}a", "(?:a|b|)b{2,3}|a{4,5}", "",
    ):  # fmt: skip
        pattern = evolve(compile_pattern(expression), short=-1)
        for value in values:
            wanted = re.fullmatch(expression, value, re.ASCII) is not None
            assert pattern.fits(value) is wanted, (expression, value)


@PROPERTY
@given(
    st.sets(st.integers(0, 6), min_size=1),
    st.integers(0, 1439),
    st.integers(0, 1439),
    st.sampled_from(("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu")),
    st.integers(0, 366 * 24 * 4),
)
def test_t7_hours_that_cross_midnight_belong_to_the_day_they_began(
    days, start, end, zone, quarter
):
    assume(start != end)
    window = WeeklyWindow(frozenset(days), start, end, ZoneInfo(zone), "")
    now = NOW + quarter * 900
    local = datetime.fromtimestamp(now, ZoneInfo(zone)).replace(tzinfo=None)
    wanted = False
    for back in (0, 1):  # a span that began today or yesterday, by the clock on the wall
        day = (local - timedelta(days=back)).replace(hour=0, minute=0, second=0, microsecond=0)
        begin = day + timedelta(minutes=start)
        finish = day + timedelta(minutes=end, days=end < start)
        wanted = wanted or (day.weekday() in days and begin <= local < finish)
    assert window.holds(now) is wanted


def test_t7_as_the_docs_have_it():
    friday = WeeklyWindow(frozenset({4}), 22 * 60, 6 * 60, timezone.utc, "")
    saturday_559 = datetime(2026, 11, 28, 5, 59, tzinfo=timezone.utc).timestamp()
    assert friday.holds(saturday_559)
    assert not friday.holds(saturday_559 + 60)
    assert not friday.holds(saturday_559 - 86400)


@PROPERTY
@given(documents(), invocations(), askers(), moments, st.randoms(use_true_random=False))
def test_t8_order_never_matters(document, invocation, asker, now, rng: random.Random):
    mixed = {}
    for key in rng.sample(list(document), len(document)):
        value = document[key]
        if isinstance(value, list):
            mixed[key] = rng.sample(value, len(value))
        else:
            mixed[key] = {name: value[name] for name in rng.sample(list(value), len(value))}
    first, second = policy_of(document), policy_of(mixed)
    ago = {rule.key: rng.choice(((), (50,), (100, 100), (7000,) * 3)) for rule in first.rules}
    facts = spend(first, invocation, asker, now, ago.__getitem__)
    one = decide(invocation, asker, facts, now, first)
    other = decide(invocation, asker, facts, now, second)
    assert meaning(one, first) == meaning(other, second)


@PROPERTY
@given(documents(), invocations(), st.sampled_from(("@kim:example.org", "@bo:evil.org")), moments)
def test_t9_who_holds_no_role_may_do_nothing(document, invocation, mxid, now):
    policy = policy_of({**document, "roles": {k: v for k, v in ROLES.items() if k != "helper"}
                        | {"helper": {"members": ["bo"]}}})  # fmt: skip
    for power in (0, 100, math.inf):
        assert not roles(policy, mxid, power)
        assert not rank(decide(invocation, Asker(mxid, True, power), FACTS, now, policy))
    for command in COMMANDS.values():
        if command.own:
            own = decide(Invocation(command.name), Asker(mxid), FACTS, now, policy)
            assert own.verdict is Verdict.DENY, command.name


@PROPERTY
@given(documents(), invocations(), askers(), moments)
def test_t9_who_left_or_is_not_trusted_holds_no_role(document, invocation, asker, now):
    policy = policy_of(document)
    assert not rank(decide(invocation, evolve(asker, joined=False), FACTS, now, policy))
    distrust = evolve(FACTS, distrusted=frozenset({asker.mxid}))
    assert not rank(decide(invocation, asker, distrust, now, policy))


@PROPERTY
@given(documents(), invocations(), askers(), moments)
def test_t10_deny_wins(document, invocation, asker, now):
    policy = policy_of({**document, "deny": [*document["deny"], {"id": "x", "do": "*"}]})
    decision = decide(invocation, asker, FACTS, now, policy)
    assert decision.verdict is Verdict.DENY
    assert "x" in {rule.label for rule in decision.rules}


@PROPERTY
@given(
    documents(),
    invocations(),
    askers(),
    moments,
    st.one_of(
        st.tuples(st.just("deny"), deny_line()),
        st.tuples(st.just("require"), require_line()),
        st.tuples(st.just("limit"), limit_line()),
    ),
    st.booleans(),
    st.data(),
)
def test_t11_one_more_restriction_never_makes_more_possible(
    document, invocation, asker, now, more, named, data
):
    verb, line = more
    if verb == "limit" and not named:  # in a window that no other line has
        line = {**line, "every": "47m"}
    longer = {**document, verb: [*document[verb], {**line, **({"id": "more"} if named else {})}]}
    first, second = policy_of(document), policy_of(longer)
    ago = st.lists(st.integers(0, 5000), max_size=3)
    facts = spend(second, invocation, asker, now, lambda key: data.draw(ago))
    before = decide(invocation, asker, facts, now, first)
    after = decide(invocation, asker, facts, now, second)
    assert rank(after) <= rank(before)


@PROPERTY
@given(documents(), invocations(), askers(), moments, allow_line())
def test_t12_one_allow_line_fewer_never_makes_more_possible(
    document, invocation, asker, now, line
):
    longer = {**document, "allow": [*document["allow"], {**line, "id": "more"}]}
    before = decide(invocation, asker, FACTS, now, policy_of(longer))
    after = decide(invocation, asker, FACTS, now, policy_of(document))
    assert rank(after) <= rank(before)


@PROPERTY
@given(documents(), invocations(), askers(), moments)
def test_t13_requirements_add_up(document, invocation, asker, now):
    policy = policy_of(open_to_all(document))
    decision = decide(invocation, asker, FACTS, now, policy)
    assume(decision.verdict is not Verdict.DENY)
    labels = {rule.label for rule in decision.rules if rule.verb == "require"}
    lines = [rule for rule in policy.rules if rule.label in labels]
    by_role: dict[str, int] = {}
    for slot in (slot for rule in lines for slot in rule.slots):
        by_role[slot.role] = max(slot.n, by_role.get(slot.role, 0))
    found = {slot.role: slot.n for slot in decision.slots}
    if not (invocation.command == "resetpw" and is_named(policy, invocation.values("user")[0])):
        assert found == by_role
    assert all(found[role] >= n for role, n in by_role.items())
    assert decision.reason is any(rule.reason for rule in lines)
    if lines:
        assert decision.expires == min(rule.expires for rule in lines)


@PROPERTY
@given(documents(), invocations(), askers(), moments, st.data())
def test_t14_every_limit_has_room_and_the_next_time_is_the_first(
    document, invocation, asker, now, data
):
    policy = policy_of({**document, "deny": [], "allow": [{"do": "*", "role": "mod"}]})
    ago = st.lists(st.integers(0, 100_000), max_size=6)
    facts = spend(policy, invocation, asker, now, lambda key: data.draw(ago))
    used = facts.used
    decision = decide(invocation, asker, facts, now, policy)
    uses = limits_of(invocation, asker, policy, now)
    full = [
        use.label
        for use in uses
        if sum(at > now - use.every for at in used[use.key]) + use.cost > use.max
    ]
    if decision.verdict is not Verdict.DENY:
        assert not full
    elif decision.limits:
        assert {rule.label for rule in decision.rules} == set(full)
        if decision.retry_at is None:
            assert any(use.cost > use.max for use in uses)
        elif not any(rule.during or rule.outside for rule in policy.rules):
            just_before, then = decision.retry_at - 1, decision.retry_at
            assert rank(decide(invocation, asker, facts, then, policy))
            assert not rank(decide(invocation, asker, facts, just_before, policy))


@PROPERTY
@given(documents(), invocations(), askers(), moments, st.booleans())
def test_t15_can_says_what_execution_does(document, invocation, asker, now, glass):
    policy = policy_of(document)
    done = decide(invocation, asker, FACTS, now, policy, glass=glass)
    said = explain(invocation, asker, FACTS, now, policy, glass=glass)
    assert meaning(evolve(said, retry_at=done.retry_at), policy) == meaning(done, policy)
    for person in said.can if said.verdict is Verdict.DENY else ():
        other = [
            decide(invocation, Asker(mxid, True, math.inf), FACTS, now, policy)
            for mxid in mxids_of(policy, person)
        ]
        assert any(rank(decision) for decision in other), f"{person} is named, but may not"


def test_t16_an_error_inside_a_check_is_a_no(monkeypatch):
    policy = policy_of({"people": PEOPLE, "roles": ROLES, "allow": [{"do": "*", "role": "owner"}]})
    ana = Asker("@ana:example.org")
    assert rank(decide(Invocation("users"), ana, FACTS, NOW, policy))

    def broken(*_: object) -> None:
        raise RuntimeError("seeded")

    monkeypatch.setattr(decide_module, "refusals", broken)
    for decision in (
        decide(Invocation("users"), ana, FACTS, NOW, policy),
        explain(Invocation("users"), ana, FACTS, NOW, policy),
        decide(Invocation("no-such-command"), ana, FACTS, NOW, policy),
    ):
        assert decision.verdict is Verdict.DENY
        assert decision.error in ("RuntimeError", "KeyError")


ADMIN_ROOM = Facts(
    bot=BOT,
    admin_room=frozenset({"@root:example.org", "@ana:example.org"}),
    protected_rooms=frozenset({"!admins:example.org"}),
)


@PROPERTY
@given(documents(), askers(), moments, st.booleans(), st.data())
def test_t17_built_in_rules_hold_under_every_policy(document, asker, now, glass, data):
    policy = policy_of({**document, "allow": [*ALL, *document["allow"]]})
    for invocation in forbidden(policy, asker):
        decision = decide(invocation, asker, ADMIN_ROOM, now, policy, glass=glass)
        assert decision.verdict is Verdict.DENY, invocation
    secrets = [name for name in MINE if Tag.SECRET in COMMANDS[name].tags]
    remote = evolve(FACTS, remote_in_admin_room=True)
    invocation = Invocation(
        data.draw(st.sampled_from(secrets)), (("user", ("@alice:example.org",)),)
    )
    decision = decide(invocation, asker, remote, now, policy, glass=glass)
    assert decision.verdict is Verdict.DENY


def forbidden(policy: Policy, asker: Asker) -> list[Invocation]:
    """What no policy makes possible for this asker."""
    careful = [n for n in MINE if Tag.DESTRUCTIVE in COMMANDS[n].tags and COMMANDS[n].targets]
    never = [BOT, "@conduit:example.org", asker.mxid, "@root:example.org", "@x:evil.org"]
    never += mxids_of(policy, asker.mxid)
    held = roles(policy, asker.mxid, asker.power)
    above = [m for m in ACCOUNTS if is_named(policy, m) and not held > roles_of_person(policy, m)]
    found = [
        Invocation(command, (("user", (target,) if COMMANDS[command].params[0].many else target),))
        for command in (*careful, "resetpw")
        for target in (*never, *(above if command != "resetpw" else ()))
    ]
    found += [listed("deactivateall", ["@spam:example.org", target]) for target in never]
    named = [mxid for mxid in ACCOUNTS if is_named(policy, mxid)]
    found += [listed("adduser", [t]) for t in (*named, "@root:example.org", "@x:evil.org")]
    found += [
        Invocation("rmalias", (("alias", "#admins:example.org"),)),
        Invocation("disableroom", (("room", "!admins:example.org"),)),
        Invocation("disableroom", (("room", "!ops:example.org"),)),
    ]
    return found


@PROPERTY
@given(documents(), invocations(), askers(), moments)
def test_t18_break_glass_does_without_votes_and_nothing_else(document, invocation, asker, now):
    policy = policy_of(document)
    plain = decide(invocation, asker, FACTS, now, policy)
    glass = decide(invocation, asker, FACTS, now, policy, glass=True)
    if plain.verdict is Verdict.DENY:
        assert glass.verdict is Verdict.DENY
    if glass.verdict is not Verdict.DENY:
        assert glass.verdict is Verdict.ALLOW
        assert "owner" in roles(policy, asker.mxid, asker.power)
        assert len(invocation.values("user")) <= 3


@PROPERTY
@given(documents(), askers(), st.sampled_from(ACCOUNTS), moments)
def test_t19_a_password_of_somebody_named_needs_one_with_the_same_rights(
    document, asker, target, now
):
    policy = policy_of({**document, "allow": [*ALL, *document["allow"]]})
    assume(is_named(policy, target))
    reset = Invocation("resetpw", (("user", target),))
    decision = explain(reset, asker, FACTS, now, policy)
    assume(decision.verdict is not Verdict.DENY)
    assert decision.verdict is Verdict.APPROVE
    assert decide(reset, asker, FACTS, now, policy, glass=True).verdict is Verdict.DENY
    theirs = roles_of_person(policy, person_of(policy, target)) - policy.by_glob
    covered = {role for slot in decision.slots for role in policy.closure[slot.role]}
    assert theirs <= covered
    assert person_of(policy, target) not in decision.can
    assert not any(slot.role in policy.by_glob for slot in decision.slots)


@PROPERTY
@given(documents(), invocations(), askers(), moments)
def test_t20_nobody_outside_the_list_gets_a_yes(document, invocation, asker, now):
    policy = policy_of({**document, "deny": document["deny"][:1], "limit": []})
    assume(rank(decide(invocation, asker, FACTS, now, policy)))
    rows = who_can(policy)[invocation.command]
    server = f"@*:{asker.mxid.partition(':')[2]}"
    assert person_of(policy, asker.mxid) in rows or any(row.startswith(server) for row in rows)


def test_t20_a_deny_without_conditions_closes_a_command_and_one_with_conditions_does_not():
    document = {"people": PEOPLE, "roles": ROLES, "allow": [{"do": "*", "role": "owner"}]}
    closed = policy_of({**document, "deny": [{"do": "clearcache"}]})
    assert who_can(closed)["clearcache"] == ()
    nights = [{"do": "clearcache", "during": {"hours": "22:00-06:00"}}]
    assert who_can(policy_of({**document, "deny": nights}))["clearcache"] == ("ana", "dan")


@PROPERTY
@given(
    st.one_of(
        st.text(max_size=200),
        st.lists(
            st.sampled_from(
                ("policy:", "  people:", "    ana: '@ana:example.org'", "  roles:", "    mod: {",
                 "members: [ana]}", "  allow:", "    - {do: x", "}", "\t", "- ", "&a ", "*a", "? ",
                 "!!str ", "owners: ", "null", "[", "]", "  - ", "regex: '(a+)+'", "\n", ": ", "|")
            ),
            max_size=25,
        ).map("\n".join),
        st.recursive(
            st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8)),
            lambda inner: st.one_of(
                st.lists(inner, max_size=3),
                st.dictionaries(
                    st.sampled_from(("policy", "people", "roles", "allow", "do", "where", "target",
                                     "regex", "tests", "as", "run", "who_can", "ana", "hours",
                                     "during", "limit", "require", "approvals", "from", "n")),
                    inner, max_size=4,
                ),
            ),
            max_leaves=25,
        ).map(json.dumps),
    )
)  # fmt: skip
def test_t21_any_text_gives_settings_or_errors(text):
    result = loaded(text)
    assert (result.settings is None) is bool(result.errors)
    lines = len(text.splitlines()) + 1
    for problem in (*result.errors, *result.warnings):
        assert 1 <= problem.line <= lines, problem
        assert problem.text
        assert "\n" not in problem.text


@PROPERTY
@given(documents(), documents())
def test_t22_a_new_text_tells_who_gained_and_lost(one, other):
    before_, after_ = settings_with(one), settings_with(other)
    old, new = before_.policy, after_.policy
    assert difference(before_, before_).head == ""
    assert difference(before_, before_).lines == ()
    change = difference(before_, after_)
    told = "\n".join(
        "".join(p if isinstance(p, str) else p.text for p in line) for line in change.lines
    )
    before, after = who_can(old), who_can(new)
    for command in MINE:
        for row in set(before[command]) ^ set(after[command]):
            if not row.startswith("@*:"):
                assert re.search(
                    rf"^(.*, )?{row}(, .*)?: .*\b{re.escape(command)}\b", told, re.M
                ), (row, told)
    if change.head == "":
        assert before == after
