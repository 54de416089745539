"""How fast the policy decides and loads: `python -m bench.policy [--json FILE]`.

The policy is like real ones, only larger: some roles, most rules with a condition, tests that
reach them. Decisions are a mix of allowed, needing votes and refused.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from pathlib import Path
from statistics import median, quantiles

from sluice.model.command import Invocation
from sluice.model.decision import Asker, Facts
from sluice.policy.decide import decide
from sluice.policy.pattern import BadPattern, compile_pattern
from sluice.settings import Settings, load

NOW = 1_795_600_000.0
_DO = [
    "adduser", "resetpw", "deactivate", "purge", "enableroom", "disableroom", "media",
    "clearcache", "block", "unblock", "registration.set", "rmalias", "purgeuser", "users",
]  # fmt: skip

_ANY = "(.|.)(.|.)(.|.)(.|.)(.|.)(.|.)(.|.)(.|.)(.|.)(.|.)(.|.)(.|.)(.|.)(.|.)(.|.)(.|.)(.|.)(.|.)"
HOSTILE = (
    ".*.*.*", ".*.*.*x", "[a-z]*[a-z]*[a-z]*", "[a-z]*[a-z]*[a-z]*!", "a*a*a*b", "x+x+x+y",
    "(a+)+", "(a*)*", "(a|a)*", "(a|aa)+", "([a-z]+)*", "(a+)+$", "^(a+)+$", "(.*)*x", "(a?)*",
    "(x+x+)+y", "(a|b|ab)*c", "(?:a+)+", "(?:a|a)+b", "((a+)b?)+", "(a|a)" * 40,
    "(a|ab)(b|bc)" * 16, "a?" * 66 + "a" * 66, "a{0,200}" * 20, ".{0,255}" * 25,
    "[a-z]{1,255}" * 16, "a{1,100}a{1,100}b", "(.)\\1+", "(a)(b)\\2\\1", "(?=a+)a", "(?!a*$)a*",
    "(?<=a)b", "(?i)A*", "(?P<n>a+)(?P=n)", "a*+", "a++b", ".+.+.+.+", "\\w*\\w*\\w*",
    "\\w*\\d*\\w*!", "\\S*\\S*\\S*z", "[^x]*[^y]*[^z]*x", _ANY, "a{,}a{,}a{,}",
    "a{999999999999}", "[a-z]?" * 33, ".?" * 100, "a*?a*?a*?b", "a+?b+?a+?!",
    "(([a-c]|[b-d])|([c-e]|.))" * 7, "a" * 201, ".*a.*a.*", "(a|b)(a|c)(a|d)" * 9 + ".*.*",
)  # fmt: skip
"""Expressions that stop a backtracking matcher, or that hardly fit the rules."""


def policy_text(rules: int, people: int, tests: int) -> str:
    """A valid policy of that size, every rule with an id."""
    rng = random.Random(7)
    names = [f"p{n}" for n in range(people)]
    rows = ["ops_rooms: ['!ops:example.org']", "server: example.org", "policy:", "  people:"]
    rows += [f"    {name}: ['@{name}:example.org', '@{name}:matrix.org']" for name in names]
    cut = max(people // 10, 4)
    rows += [
        "  roles:",
        '    helper: {members: ["@*:example.org"], min_power: 25}',
        f"    junior: {{members: [{', '.join(names[2 * cut :])}], inherits: helper}}",
        f"    mod: {{members: [{', '.join(names[cut : 2 * cut])}], inherits: junior}}",
        f"    owner: {{members: [{', '.join(names[:cut])}], inherits: mod}}",
    ]
    lines: dict[str, list[str]] = {"allow": [], "require": [], "limit": [], "deny": []}
    checks = []
    for n in range(rules):
        do, role = rng.choice(_DO[:3]) if n % 2 else rng.choice(_DO), rng.choice(("junior", "mod"))
        verb = ("allow", "allow", "allow", "require", "limit", "deny")[n % 6]
        head = f"id: r{n}, do: {do}"
        where = ""
        if do in ("adduser", "resetpw", "deactivate", "purgeuser"):
            where = rng.choice(
                (f', where: {{user: {{regex: "[a-z0-9._-]{{{n % 5 + 3},20}}"}}}}',
                 ', where: {target: {server: example.org}}',
                 f', where: {{user: {{regex: "[a-z]+-[a-z]+-{n}"}}}}')
            )  # fmt: skip
        if verb == "allow":
            lines[verb].append(f"{{{head}, role: {role}{where}}}")
            checks.append(do)
        elif verb == "require":
            lines[verb].append(
                f"{{{head}, reason: true, approvals: [{{from: mod, n: 1}}]{where}}}"
            )
        elif verb == "limit":
            lines[verb].append(f"{{{head}, per: person, max: 10, every: 1d{where}}}")
        else:
            days = "during: {days: sat-sun, hours: '22:00-06:00', tz: Europe/Berlin}"
            lines[verb].append(
                f"{{{head}, {days}{where}}}" if n % 12 == 5 else
                f"{{{head}, where: {{target: {{in_role: owner}}}}}}"
                if where else f"{{{head}, {days}}}"
            )  # fmt: skip
    for verb, written in lines.items():
        rows += [f"  {verb}:", *(f"    - {line}" for line in written)]
    rows += ["  break_glass: {role: owner, max: 1, every: 1d}", "  tests:" if tests else ""]
    for n in range(tests):
        rows.append(f'    - {{as: "@x{n}:evil.org", run: "adduser alice{n}", expect: deny}}')
    return "\n".join(rows) + "\n"


def loaded(text: str) -> Settings:
    result = load(text, server=None, now=NOW)
    if result.settings is None:
        raise SystemExit("\n".join(f"{p.line}: {p.text}" for p in result.errors[:5]))
    return result.settings


def questions(people: int, n: int) -> list[tuple[Invocation, Asker]]:
    rng = random.Random(3)
    asked = []
    for _ in range(n):
        target = rng.choice(
            (f"@alice{rng.randrange(99)}:example.org", f"@p{rng.randrange(people)}:example.org")
        )
        invocation = rng.choice(
            (
                Invocation("adduser", (("user", (target,)),)),
                Invocation("resetpw", (("user", target),)),
                Invocation("deactivate", (("user", target),), "spam"),
                Invocation("users"),
                Invocation("enableroom", (("room", "!a:example.org"),)),
            )
        )
        who = rng.choice(
            (f"@p{rng.randrange(people)}:example.org", f"@x{rng.randrange(99)}:example.org")
        )
        asked.append((invocation, Asker(who, True, rng.choice((0, 50)))))
    return asked


def time_decide(rules: int, people: int = 1000, n: int = 4000) -> list[float]:
    """Seconds of each decision."""
    policy = loaded(policy_text(rules, people, 0)).policy
    facts = Facts(bot="@sluice:example.org")
    times = []
    for invocation, asker in questions(people, n):
        start = time.perf_counter()
        decide(invocation, asker, facts, NOW, policy)
        times.append(time.perf_counter() - start)
    return times


def time_load(rules: int = 200, tests: int = 200, people: int = 50) -> float:
    text = policy_text(rules, people, tests)
    runs = []
    for _ in range(5):
        start = time.perf_counter()
        loaded(text)
        runs.append(time.perf_counter() - start)
    return median(runs)


def time_hostile() -> tuple[float, str]:
    """The slowest match of any accepted expression on 255 characters."""
    values = ["a" * 255, "a" * 254 + "!", "ab" * 127 + "!", "a" * 127 + "b" * 128, "." * 255]
    worst = (0.0, "")
    for text in HOSTILE:
        try:
            pattern = compile_pattern(text)
        except BadPattern:
            continue
        for value in values:
            best = min(_once(pattern.fits, value) for _ in range(3))
            worst = max(worst, (best, text))
    return worst


def _once(call, value):  # type: ignore[no-untyped-def]
    start = time.perf_counter()
    call(value)
    return time.perf_counter() - start


def measure() -> list[dict[str, object]]:
    """Rows: what, its value, the limit, the unit, and whether it is good."""
    few, many = time_decide(200), time_decide(2000)
    found = (
        ("decide p50, 200 rules, 1,000 people", median(few) * 1e6, 20, "µs"),
        ("decide p99", quantiles(few, n=100)[98] * 1e6, 100, "µs"),
        ("2,000 rules against 200", sum(many) / sum(few), 12, "times"),
        ("load, 200 rules and 200 tests", time_load() * 1e3, 200, "ms"),
        ("the slowest hostile expression", time_hostile()[0] * 1e6, 1000, "µs"),
    )
    keys = ("what", "is", "limit", "unit")
    return [{**dict(zip(keys, row, strict=True)), "good": row[1] <= row[2]} for row in found]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    rows = measure()
    for row in rows:
        mark = "ok " if row["good"] else "NOT"
        print(f"{mark} {row['what']:44} {row['is']:8.1f} {row['unit']:6} at most {row['limit']}")
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1))
    return 0 if all(row["good"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
