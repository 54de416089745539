"""The board on a real homeserver: edited, pinned, and found again by a client that comes later."""

from __future__ import annotations

from pathlib import Path

from lab.chat import Chat, Said, eventually
from lab.homeserver import Homeserver
from lab.world import World
from tests.e2e.catalog import POLICY, covers, open_house

PINS = "m.room.pinned_events"
BOARD = POLICY.replace("board: false", "board: true").replace(
    "  limit:", '  require: [{do: "#destructive", approvals: [{from: mod, n: 1}]}]\n  limit:'
)
COUNTS = "Its newest edit counts."


async def pinned(world: World, by: str) -> list[str]:
    return list((await world[by].state(world.ops_room, PINS)).get("pinned", []))


@covers("board", "done")
async def test_the_newest_edit_of_a_pinned_board_is_found_later(
    server: Homeserver, tmp_path: Path
) -> None:
    async with open_house(server, tmp_path, "-board", BOARD) as house:
        ops, room = house.world.ops_room, house.room
        ana = house.world["ana"]
        await ana.set_power(ops, house.world.bot_account.mxid, 50)
        await ana.set_state(ops, PINS, {"pinned": ["$rules"]})
        first = await room.shows(COUNTS, within=30)
        spam = await house.account()
        await house.card("ana", f"!deactivate {spam.mxid}")

        def edited(said: Said) -> bool:
            return said.edits == first.id and "1 open request" in said.text

        edit = await room.wait(edited, "an edit of the board", within=30)
        assert not edit.mentions
        assert await pinned(house.world, "bo") == ["$rules", first.id]
        later = await Chat.from_the_start(house.world["cy"], ops)
        await later.read()
        assert [said.text for said in later.said if said.edits == first.id][-1] == edit.text
        assert (await ana.event(ops, first.id))["content"]["body"].endswith(COUNTS)
        await house.says("bo", "!board")
        second = await room.wait(
            lambda said: said.text.endswith(COUNTS) and said.id != first.id, "a second board"
        )
        await room.wait(lambda said: said.edits == first.id and "earlier" in said.text, "its end")

        async def is_pinned() -> bool:
            return await pinned(house.world, "bo") == ["$rules", second.id]

        await eventually(is_pinned, "the second board is pinned", within=30)
