"""Which entries of a list the policy refuses by themselves, and what is left of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.looks.mixed import sift
from sluice.looks.names import called_here
from sluice.matrix.rooms import RoomView
from sluice.model.command import Invocation
from sluice.model.decision import Decision
from sluice.requests.standing import judge
from sluice.text.message import plain
from tests.machine.office import ANA, BO, CY, ROOM, Office, Tiny, invocation, mxid
from tests.unit.test_rooms import state

POLICY = (Path(__file__).parents[1] / "machine" / "policy.yaml").read_text(encoding="utf-8")


@pytest.fixture
def office() -> Office:
    database = Tiny()
    database.clear()
    return Office(database, POLICY)


async def sifted(office: Office, who: str, what: Invocation) -> tuple[list[str], dict[str, str]]:
    """What is left, and why the others are not."""

    async def judged(one: Invocation) -> Decision:
        found: Decision = await office.at_desk(judge, one, ROOM, who)
        return found

    left, bad = await sift(what, judged)
    return list(left.values("user")), {each.typed: plain(each.why) for each in bad}


def listed(command: str, *names: str) -> Invocation:
    return invocation(f"{command} {' '.join(map(mxid, names))}")


async def test_entries_that_a_rule_protects_are_taken_out(office: Office) -> None:
    what = listed("deactivateall", "s01", "cy", "s02")
    assert await sifted(office, ANA, what) == (
        [mxid("s01"), mxid("s02")],
        {CY: "mods and owners are protected, and cy is one"},
    )


async def test_entries_that_a_built_in_rule_protects_are_told_in_its_words(office: Office) -> None:
    office.admin_room = frozenset({mxid("kim")})
    what = listed("deactivateall", "s01", "kim", "sluice", "conduit")
    assert await sifted(office, ANA, what) == (
        [mxid("s01")],
        {
            mxid("kim"): "is in the admin room",
            mxid("sluice"): "that is my own account",
            mxid("conduit"): "that is Conduit's own account",
        },
    )


async def test_names_that_no_line_allows_are_taken_out(office: Office) -> None:
    left, bad = await sifted(office, BO, listed("adduser", "mia", "x", "noa"))
    assert left == [mxid("mia"), mxid("noa")]
    assert bad == {mxid("x"): "is too short. Names here have 3 to 20 of a-z 0-9 . _ -"}


async def test_a_list_that_is_allowed_stays_whole(office: Office) -> None:
    what = listed("deactivateall", "s01", "s02")
    assert await sifted(office, ANA, what) == ([mxid("s01"), mxid("s02")], {})


@pytest.mark.parametrize(
    ("who", "what"),
    [
        (mxid("hal"), listed("deactivateall", "s01", "s02")),  # no right at all
        (ANA, listed("deactivateall", "bo", "cy")),  # every one of them
        (BO, listed("adduser", *(f"name{n}" for n in range(11)))),  # too many for a limit
        (ANA, listed("purgeuser", "s01", "cy")),  # not offered again
    ],
    ids=["right", "all", "limit", "purge"],
)
async def test_what_is_refused_as_a_whole_stays_whole(
    office: Office, who: str, what: Invocation
) -> None:
    assert await sifted(office, who, what) == (list(what.values("user")), {})


def test_people_are_found_by_what_they_call_themselves_whatever_the_capitals() -> None:
    view = RoomView(ROOM)
    for name, called, membership in (
        ("cy", "Cy  Young", "join"),
        ("eve", "cy young", "join"),
        ("kim", "Cy Young", "leave"),
    ):
        content = {"membership": membership, "displayname": called}
        view.apply(state("m.room.member", content, mxid(name)))
    assert called_here(view, "@CY young") == (CY, mxid("eve"))
    assert called_here(view, "cy") == ()
