"""Whether votes suffice: an assignment of persons to slots, checked against brute force."""

from __future__ import annotations

from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.model.decision import Slot
from sluice.requests.tally import could_help, largest, same_person, tally

ROLES = {
    "ana": {"owner", "mod"},
    "ana2": {"owner", "mod"},
    "dan": {"owner", "mod"},
    "bo": {"mod"},
    "cy": {"mod"},
    "eve": set(),
}
SLOTS = (Slot("mod", 1), Slot("owner", 1))


def holds(mxid: str, role: str) -> bool:
    return role in ROLES[mxid]


one = same_person([("ana", "ana2")])


def test_two_mods_do_not_fill_a_mod_and_an_owner_slot() -> None:
    result = tally(SLOTS, ["bo", "cy"], holds, one)
    assert (result.filled, result.complete, result.open) == (1, False, (Slot("owner", 1),))


def test_a_mod_and_an_owner_fill_both_in_whichever_order_they_vote() -> None:
    assert tally(SLOTS, ["bo", "dan"], holds, one).complete
    assert tally(SLOTS, ["dan", "bo"], holds, one).complete


def test_an_owner_alone_fills_the_rarer_slot_so_that_anybody_else_can_fill_the_other() -> None:
    assert tally(SLOTS, ["dan"], holds, one).open == (Slot("mod", 1),)


def test_two_accounts_of_one_person_are_one_vote() -> None:
    assert tally((Slot("mod", 2),), ["ana", "ana2"], holds, one).filled == 1


def test_accounts_that_either_policy_joins_are_one_person() -> None:
    joined = same_person([("a", "b")], [("b", "c")], [("x", "y")])
    assert joined("a") == joined("b") == joined("c") != joined("x")
    assert joined("z") == "z"


def test_requester_and_targets_have_no_say_with_any_account() -> None:
    assert tally((Slot("mod", 1),), ["ana2"], holds, one, excluded=["ana"]).filled == 0


def test_nothing_to_fill_is_complete() -> None:
    assert tally((), [], holds, one).complete


def test_only_those_can_help_whose_vote_fills_one_more_slot() -> None:
    everybody = list(ROLES)
    assert could_help(SLOTS, ["bo"], everybody, holds, one) == ("ana", "ana2", "dan")
    assert could_help(SLOTS, ["dan"], everybody, holds, one) == ("ana", "ana2", "bo", "cy")
    assert could_help(SLOTS, ["bo", "dan"], everybody, holds, one) == ()


def test_for_each_role_the_larger_number_of_the_two_policies_counts() -> None:
    then, now = (Slot("mod", 2),), (Slot("mod", 1), Slot("owner", 1))
    assert set(largest(then, now)) == {Slot("mod", 2), Slot("owner", 1)}
    assert set(largest(now, then)) == {Slot("mod", 2), Slot("owner", 1)}


@settings(deadline=None)  # brute force takes what it takes
@given(
    slots=st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 2)), max_size=3),
    held=st.dictionaries(st.sampled_from("123456"), st.sets(st.sampled_from("abc"))),
    groups=st.lists(st.sampled_from(["12", "34", "23", "56"]), max_size=2),
    barred=st.sets(st.sampled_from("123456"), max_size=1),
)
def test_the_assignment_is_the_best_there_is(
    slots: list[tuple[str, int]], held: dict[str, set[str]], groups: list[str], barred: set[str]
) -> None:
    wanted = largest((), [Slot(role, n) for role, n in slots])
    person = same_person(groups)
    result = tally(wanted, list(held), lambda m, r: r in held[m], person, barred)
    units = [slot.role for slot in wanted for _ in range(slot.n)]
    out = {person(mxid) for mxid in barred}
    persons: dict[str, set[str]] = {}
    for mxid, roles in held.items():
        if person(mxid) not in out:
            persons.setdefault(person(mxid), set()).update(roles)
    best = max(
        sum(role in persons.get(who, ()) for who, role in zip(order, units, strict=False))
        for order in permutations([*persons, *("nobody",) * len(units)], len(units))
    )
    assert result.filled == best
    assert result.needed == len(units)
    assert sum(slot.n for slot in result.open) == len(units) - best
    assert len({person(mxid) for mxid in result.by}) == len(result.by) == best
