"""Limits mean what they say: a limit is what it counts, and its window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from policies import policy_of

from sluice.policy.rules import Rule
from sluice.requests import limits
from sluice.settings import load
from tests.fake.world import database
from tests.unit.ops import BO, Ops, ops

PAIR = ("max: 4, every: 1d", "max: 3, every: 1h")
PAIRS = (
    ("per: person", PAIR),
    ("per: everyone", PAIR),
    ("per: person, count: requests", PAIR),
    ("per: person", ("max: 4, every: 1d", "max: 2, every: 6h", "max: 1, every: 30m")),
    ('per: person, where: {room: {regex: "!.*"}}', PAIR),
    ('per: person, during: {hours: "00:00-24:00"}', PAIR),
)


def policy(lines: Sequence[str], do: str = "enableroom") -> str:
    limit = "".join(f"    - {{do: {do}, {line}}}\n" for line in lines)
    return (
        'ops_rooms: ["!opsroom:example.org"]\npolicy:\n  people:\n    bo: "@bo:example.org"\n'
        f"  roles:\n    owner: {{members: [bo]}}\n  allow:\n    - {{role: owner, do: {do}}}\n"
        f"  limit:\n{limit}"
    )


async def ran(room: Ops, number: int, line: str = "!enableroom !x:example.org") -> int:
    """How many of so many, one after the other, run."""
    before = len([kind for kind in await room.kinds() if kind == "intent"])
    for _ in range(number):
        said = await room.types(BO, line)
        if not any("Not allowed" in each for each in said):
            await room.runs()
    return len([kind for kind in await room.kinds() if kind == "intent"]) - before


@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize(("what", "rates"), PAIRS)
async def test_two_windows_of_one_limit_both_hold_in_any_order(
    what: str, rates: tuple[str, ...], back: bool
) -> None:
    lines = [f"{what}, {rate}" for rate in (reversed(rates) if back else rates)]
    async with ops(policy(lines)) as room:
        total = 0
        for _ in range(14):  # fourteen hours in a day: four
            total += await ran(room, 1)
            room.clock.go(3600)
        assert total == 4
        room.clock.go(86400)
        most = {"1h": 3, "30m": 1}[rates[-1].rpartition(" ")[2]]
        assert await ran(room, 6) == most, "and so many at once"


async def test_two_limits_that_would_share_a_counter_are_no_policy() -> None:
    def errors(*lines: str) -> list[str]:
        loaded = load(policy(lines), server="example.org", now=0)
        return [f"{problem.line}: {problem.text}" for problem in loaded.errors]

    one = "per: person, max: 4, every: 1d"
    same = "per: person, max: 3, every: 24h"
    said = (
        "11: this limit counts what line 10 counts (same do, where, per, count and every); keep "
        "the line with the smaller max"
    )
    assert errors(one, same) == [said]
    assert errors(one, "per: person, max: 3, every: 1h") == []
    assert errors(one, "per: everyone, max: 3, every: 1d") == []
    assert errors(one, "count: requests, per: person, max: 3, every: 1d") == []
    assert errors(one, "id: x, per: person, max: 3, every: 1d") == []


@pytest.mark.parametrize("back", [False, True])
async def test_accepted_limits_that_share_a_counter_count_each_use_once(back: bool) -> None:
    lines = ["per: person, max: 4, every: 1d", "per: person, max: 3, every: 1d"]
    text = policy(lines[::-1] if back else lines)
    async with ops(policy(lines[:1])) as room:
        text = text.replace("!opsroom:example.org", room.room)
        accepted = load(text, server="example.org", now=0, accepted=True)
        assert [problem.line for problem in accepted.settings.outdated] == [11]
        room.live.settings = accepted.settings
        assert await ran(room, 6) == 3, "both hold: the stricter one"


# --- the upgrade


async def uses(tx: Any) -> list[tuple[str, str, float, int, int, int]]:
    rows = await tx.fetch("SELECT * FROM sluice_use ORDER BY key, at, line, mxid")
    return [tuple(row[name] for name in ("key", "mxid", "at", "n", "request", "line"))
            for row in rows]  # fmt: skip


LIMITS = [
    {"do": "adduser", "per": "person", "max": 4, "every": "1d"},
    {"do": ["adduser"], "per": "person", "max": 2, "every": "1h"},
    {"do": "adduser", "per": "person", "max": 3, "every": "1h", "id": "named"},
    {"do": "adduser", "per": "everyone", "max": 9, "every": "1h"},
]


def _limits(*some: dict[str, Any]) -> list[Rule]:
    roles = {"mod": {"members": ["bo"]}}
    people = {"bo": BO}
    document = {"people": people, "roles": roles, "limit": list(some)}
    return [rule for rule in policy_of(document).rules if rule.verb == "limit"]


async def test_what_was_counted_goes_on_to_count_after_the_upgrade() -> None:
    twice = {**LIMITS[0], "every": "1h", "max": 3}
    rules = _limits(*LIMITS, twice)
    day, hour, named, all_, twin = rules
    assert day.former == twin.former, "one counter"
    assert len({day.former, hour.former, all_.former}) == 3
    assert len({rule.key for rule in rules}) == 5
    assert (named.key, named.former) == ("named", "")
    async with database() as db:

        async def as_before(tx: Any) -> None:
            for number in (1, 2):
                for _ in range(2):  # the old one stored a use for each of the two lines
                    await limits.use(tx, day.former, BO, 100.0 * number, 1, number, 1)
            await limits.use(tx, day.former, BO, 300.0, 5, 3, 1)
            await limits.use(tx, day.former, BO, 300.0, 5, 3, 2)
            await limits.use(tx, "named", BO, 7.0, 1, 4, 1)
            await limits.use(tx, "of another text", BO, 8.0, 1, 5, 1)

        await db.write(as_before)
        for _ in range(2):
            await db.write(lambda tx: limits.carry_over(tx, rules))
            counted = await db.read(uses)
            moved = [(BO, 100.0, 1, 1, 1), (BO, 200.0, 1, 2, 1), (BO, 300.0, 5, 3, 1),
                     (BO, 300.0, 5, 3, 2)]  # fmt: skip
            for key in (day.key, twin.key):
                assert [use[1:] for use in counted if use[0] == key] == moved
            rest = [use for use in counted if use[0] not in (day.key, twin.key)]
            assert [use[0] for use in rest] == ["named", "of another text"]


def test_the_key_stays_when_lines_move_and_the_figure_changes() -> None:
    def keys(*some: dict[str, Any]) -> list[str]:
        return [rule.key for rule in _limits(*some)]

    one, two = LIMITS[0], LIMITS[3]
    assert keys(one, two) == keys(two, one)[::-1]
    assert keys(one) == keys({**one, "max": 77}) == keys({**one, "every": "24h"})
    others = [{"do": "resetpw"}, {"per": "everyone"}, {"every": "1w"}, {"count": "requests"},
              {"where": {"user": {"regex": "a"}}}]  # fmt: skip
    assert len({*keys(one), *(key for more in others for key in keys({**one, **more}))}) == 6
