"""Lists as a phone shows them: one block, short ids, pages that fit, and no question too many."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from textwrap import wrap

import pytest

from sluice.chat import files, lists
from sluice.families.answers import StoredFile
from sluice.text.message import Message, code, quote
from sluice.text.pages import Pages, more
from sluice.text.phrases import listed, view
from tests.stage.stage import OPS, Stage, on_stage
from tests.unit.ops import HAL, Ops, ops
from tests.unit.scenes import ANA, BO, CY, DAN, check, here

OWN = "mxc://example.org/" + "AbCdEfGhIjKlMnOpQrStUvWxYz012345"


@pytest.fixture
async def room() -> AsyncIterator[Ops]:
    async with ops() as made:
        yield made


def height(message: Message) -> int:
    """How many lines of a phone it takes."""
    return sum(len(wrap(line, 36)) for line in message.body.split("\n"))


def pages_of(message: Message, left: Pages | None) -> list[Message]:
    shown = [message]
    while left is not None:
        message, left = more(here(), left)
        shown.append(message)
    for page in shown:
        check(page)
        assert height(page) <= 14, page.body
    return shown


@pytest.mark.parametrize("length", [3, 9, 16])
@pytest.mark.parametrize("n", [1, 9, 40, 41, 214])
def test_no_account_is_lost_between_pages(n: int, length: int) -> None:
    names = [f"{i:03}".rjust(length, "x") for i in range(n)]
    shown = pages_of(*lists.users(here(), [f"@{name}:example.org" for name in names], None))
    blocks = [re.search("<pre>(.*)</pre>", page.html, re.S) for page in shown]
    found = [name for block in blocks if block for name in re.split(r",?\s+", block[1])]
    assert found == names
    assert all(len(line) <= 32 for block in blocks if block for line in block[1].split("\n"))


def test_forty_rooms_and_files_can_be_read() -> None:
    rooms = [
        lists.RoomRow(f"!{n:02}x{0:040}", 40 - n % 7, f"Room number {n} with a long name", alias)
        for n in range(40)
        for alias in (f"#room{n}:example.org" if n % 2 else None,)
    ]
    shown = pages_of(*lists.rooms(here(), rooms, None, inside=rooms[0].room))
    said = "\n".join(page.body for page in shown)
    assert "40 this room\n" in said
    assert "40 #room7 “Room number 7 with …”\n" in said
    assert "\n40 !14x0000…0000000 “Room number…”\n" in said
    assert "Whole id: !rooms !" in said
    (found,) = pages_of(*lists.rooms(here(), rooms, "!14x0000…0000000"))  # as one copies it
    whole = f"“Room number 14 with a long name”, 40 members: {rooms[14].room}"
    assert found.body.split("\n", 1)[1].startswith(whole)
    stored = [
        StoredFile(f"{OWN[:-2]}{n:02}", 9_000_000, day, None, "image/png", "n" * 90)
        for n, day in enumerate(["2026-11-02 10:00:00"] * 40)
    ]
    shown = pages_of(*files.media(here(), stored, ("files",), of="@eve:example.org"))
    assert all(file.mxc in "\n".join(page.body for page in shown) for file in stored)


def test_a_block_stands_for_itself_also_without_html() -> None:
    pages = Pages(("Two, {}:",), (("<b>a</b>",), (quote("“x” </pre>"),)), 9, block=True)
    message, left = more(here(), pages)
    assert left is None
    assert message.body == "📋 Two, 1 to 2:\n<b>a</b>\n““x” </pre>”\nThat was all."
    assert message.html == (
        "📋 Two, 1 to 2:<pre>&lt;b&gt;a&lt;/b&gt;\n““x” &lt;/pre&gt;”</pre>That was all."
    )


def test_a_list_that_does_not_fit_begins_on_the_second_line() -> None:
    names = [code(f"account{n:02}") for n in range(9)]
    said = view(("9 of 70 accounts are like that: ", *listed(names)))
    first, second = said.body.split("\n")
    assert first == "📋 9 of 70 accounts are like that:"
    assert second.startswith("account00, account01")
    found = lists.users(here(), [f"@spam{n:011}:example.org" for n in range(6)], "spam")[0]
    assert found.body.startswith("📋 6 of 6 accounts have “spam” in the name:\nspam0000")


async def test_one_tap_of_an_owner_is_enough_for_both_lists(room: Ops) -> None:
    for what in ("users", "rooms"):
        assert await room.types(BO, f"!{what}") == [
            f"⛔ Not yet: ana or dan must type !{what} once and confirm its size.\n"
            "A very long list would stop Conduit, and I do not know this server's yet."
        ]
    (question, tap) = await room.types(ANA, "!rooms")
    assert (question.split("\n")[0], tap) == (
        "❓ Fewer than 2,000 accounts and 900 rooms here? Then tap ✅.",
        "[✅]",
    )
    await room.taps()
    assert await room.types(BO, "!users") == []  # it is on its way
    assert await room.types(BO, "!rooms") == []
    room.clock.now += 86_401
    assert "⛔ Not yet" in (await room.types(CY, "!rooms"))[0]
    assert await room.types(CY, "!users") == []


async def test_one_tap_a_day_is_enough_for_all_that_look_at_files(room: Ops) -> None:
    first = await room.types(CY, "!blocked")
    assert first[0].startswith("❓ Look at files? Tap ✅ (I ask once a day).\nIf somebody gave")
    await room.taps()
    assert await room.types(BO, "!media") == []
    assert await room.types(BO, f"!mediainfo {OWN}") == []
    assert (await room.types(ANA, "!event $x"))[0].startswith("❓ Look at an event?")
    room.clock.now += 86_401
    assert (await room.types(BO, "!media"))[0].startswith("❓ Look at files?")


@pytest.mark.parametrize("again", [False, True])
def test_the_hello_asks_for_the_size_and_an_owner_answers_it_with_a_tap(again: bool) -> None:
    async def whole(stage: Stage) -> None:
        await stage.start()
        await stage.settle(20)
        hello = next(s for s in stage.said() if "is ready." in s.text)
        assert "Owners: fewer than 2,000 accounts and 900 rooms? Tap ✅" in hello.text
        if again:  # what was asked before a restart is answered after it
            await stage.stop()
            await stage.start()
            await stage.settle(20)

        async def tap(who: str) -> str:
            await stage[who].react(OPS, hello.id, "✅")
            await stage.settle(5)
            return str([s.text for s in stage.said() if s.kind == "m.room.message"][-1])

        before = len(stage.said())
        await stage["eve"].react(OPS, hello.id, "✅")
        await stage.settle(5)
        assert len(stage.said()) == before + 1
        assert await tap("bo") == "⛔ Only an owner can say how large this server is: ana or dan."
        await stage["bo"].say(OPS, "!users")
        await stage.settle(5)
        assert stage.said()[-1].text.startswith("⛔ Not yet: ana or dan must type !users")
        said = await tap("ana")
        assert said == "📋 Noted, ana: who may list accounts and rooms can do so now."
        for line in ("!users", "!rooms"):
            await stage["bo"].say(OPS, line)
            await stage.settle(5)
            assert re.match(r"📋 \d+ (accounts|rooms)", stage.said()[-1].text)

    on_stage(whole)


# --- pending


async def test_pending_says_which_one_may_vote_on_and_what_ends_first(room: Ops) -> None:
    assert await room.types(CY, "!pending") == ["📋 No open requests."]
    await room.types(BO, "!deactivate @max:example.org reason x")
    room.now("14:23")
    await room.types(CY, "!deactivate @spam:example.org reason x")
    assert await room.types(BO, "!pending") == [
        "📋 2 open requests (✋ = you can vote):\n"
        "#1 bo (yours): deactivate @max · 40 min left\n"
        "✋ #2 cy: deactivate @spam · 1 h left\n"
        "To vote, tap its card, or: !approve 2 · !deny 2 why"
    ]
    assert await room.types(HAL, "!pending") == [
        "📋 2 open requests:\n"
        "#1 bo: deactivate @max · 40 min left\n"
        "#2 cy: deactivate @spam · 1 h left"
    ]


async def test_many_open_requests_are_read_on(room: Ops) -> None:
    for who in (ANA, BO, CY, DAN):
        for n in range(3):
            room.fake.register(f"s{who[1]}{n}")
            room.clock.now += 60
            await room.types(who, f"!deactivate @s{who[1]}{n}:example.org reason x")
    (said,) = await room.types(DAN, "!pending")
    assert sum(len(wrap(line, 36)) for line in said.split("\n")) <= 14, said
    assert said.startswith("📋 12 open requests (✋ = you can vote), 1 to ")
    assert said.endswith("To vote, tap its card, or: !approve 1 · !deny 1 why")
    seen = re.findall(r"#(\d+) ", said)
    while "Next, " in said:
        (said,) = await room.types(DAN, "!more")
        seen += re.findall(r"#(\d+) ", said)
    assert seen == [str(n) for n in range(1, 13)]


# --- who


async def test_who_tells_what_this_person_may_do_next(room: Ops) -> None:
    (said,) = await room.types(BO, "!who max")
    assert said == (
        "📋 @max:example.org: active, name “@max:example.org”, no role.\n"
        "Nothing was asked about it before.\n"
        "You can: !resetpw max · !deactivate @max reason … (needs 1 vote) · !media @max"
    )
    (said,) = await room.types(HAL, "!who max")
    assert said.endswith("\nNothing was asked about it before.")
    (said,) = await room.types(BO, "!who newcomer")
    assert said == "📋 No account @newcomer. Search: !users new\nYou can: !adduser newcomer"
    (said,) = await room.types(BO, "!who ana")
    assert "\nIn this room.\n" in said
    assert "!deactivate" not in said


async def test_who_asks_whom_one_means(room: Ops) -> None:
    room.fake.register("kim_kardanov")
    (said, _) = await room.types(ANA, "!users")
    (said,) = await room.types(BO, "!who cyy")
    assert said.split("\n")[0] == "📋 No account @cyy. Did you mean cy?"
    (said,) = await room.types(BO, "!who zzzzzzzz")
    assert said.split("\n")[0] == "📋 No account @zzzzzzzz. Search: !users zzz"


async def test_who_reads_on_what_was_asked_before(room: Ops) -> None:
    for n in range(5):
        room.clock.now += 60
        await room.types(BO, f"!deactivate @max:example.org reason try {n}")
        await room.types(CY, f"!deny {n + 1} no")
    (said,) = await room.types(BO, "!who max")
    assert said.split("\n")[1] == "14:08 UTC bo: deactivate @max #5, denied by cy"
    assert "\nNext, 4 to 5: !more\n" in said
    assert sum(len(wrap(line, 36)) for line in said.split("\n")) <= 12, said
    (said,) = await room.types(BO, "!more")
    assert said.startswith("📋 Earlier, 4 to 5:\n14:05 UTC bo: deactivate @max #2, denied by cy\n")
