"""Lists: what is taken out of them before anything runs, and what comes between their lines.

Scenes 21, 22 and 33.
"""

from __future__ import annotations

import asyncio
import re

import pytest

from lab.client import Client
from lab.proxy import FaultProxy
from tests.e2e.office import POLICY, Card, Office, OpenOffice

LIMITED = POLICY + "  limit:\n    - {id: signups, do: adduser, per: person, max: 3, every: 1d}\n"


@pytest.fixture(scope="module")
def proxy(shared_proxy: FaultProxy) -> FaultProxy:
    return shared_proxy


@pytest.fixture(scope="module")
async def shared(open_office: OpenOffice, proxy: FaultProxy) -> Office:
    return await open_office("bulk", base=proxy.base)


async def wave(office: Office, count: int) -> list[Client]:
    return list(await asyncio.gather(*(office.account("wave") for _ in range(count))))


def listed(accounts: list[Client]) -> str:
    return "\n".join(account.mxid for account in accounts)


async def approved(office: Office, accounts: list[Client]) -> Card:
    """A deactivateall of ana with both its votes."""
    card = await office.card("ana", f"!deactivateall reason wave\n{listed(accounts)}")
    await office.taps("cy", card)
    await office.taps("dan", card)
    return card


async def sent(office: Office, accounts: list[Client]) -> list[int]:
    """How often a line held each of these accounts."""
    lines = await office.lines("deactivate-all")
    return [
        sum(bool(re.search(rf"^{re.escape(a.mxid)}$", line, re.M)) for line in lines)
        for a in accounts
    ]


class Held:
    """The next line is on its way to the admin room, and does not get there before `release`."""

    def __init__(self, office: Office, proxy: FaultProxy) -> None:
        self.proxy, self.room = proxy, office.world.server.admin_room
        self.rule = proxy.add("held", method="PUT", path=f"{re.escape(self.room)}/send/", times=1)

    async def wait(self) -> None:
        while not self.rule.hits:
            await asyncio.sleep(0.01)

    def then(self, office: Office) -> Held:
        """Lets this one go, and holds the one behind it."""
        other = Held(office, self.proxy)
        self.release()
        return other

    def release(self) -> None:
        self.proxy.rules.remove(self.rule)


# --- before anything runs -----------------------------------------------------------------------


async def test_a_mixed_list_is_offered_without_what_cannot_be_in_one_question(
    office: Office,
) -> None:
    spam, world = await wave(office, 12), office.world
    nobody = f"@nobody{world.suffix}:{world.server.name}"
    bad = f"{nobody}\n{world['bo'].mxid}\n@x:evil.example"
    command = await office.says("ana", f"!deactivateall reason wave\n{listed(spam)}\n{bad}")
    question = await office.room.answer_to(command)
    first, second = question.text.split("\n")
    assert first == (
        "❓ 12 of 15 accounts can be deactivated. Ask for these 12? Tap ✅. Nothing has run yet."
    )
    assert second.startswith("No: ")
    assert f"{nobody}” (no such account)" in second
    assert f"{world['bo'].mxid}” (mods and owners are protected, and bo is one)" in second
    assert "@x:evil.example” (other server)" in second
    await office.taps("ana", question)
    card = await office.card_behind(question.id, command)
    assert card.said.text.startswith(f"✋ ana asks: deactivateall 12 accounts · #{card.number}\n")
    assert "\nWho: " in card.said.text
    every = await office.asks("cy", f"!more {card.number}")
    assert all(account.localpart in every.text for account in spam)
    await office.taps("cy", card)
    await office.taps("dan", card)
    await office.shows(f"^✅ 12 accounts deactivated · #{card.number}")
    await office.says_of(card, r"\nana asked, cy and dan approved")
    assert await sent(office, spam) == [1] * 12
    for account in spam[:1] + spam[-1:]:
        assert not await office.is_open(account)
    assert await office.lines(world["bo"].localpart) == []


async def test_a_list_of_which_nothing_is_left_does_not_run(office: Office) -> None:
    world = office.world
    nobody = f"@nobody{world.suffix}:{world.server.name}"
    said = await office.asks("ana", f"!deactivateall reason wave\n{nobody}\n@x:evil.example")
    assert said.text.startswith("⛔ Not run: none of these 2 can be used.\nNo: ")
    staff = f"{world['bo'].mxid}\n{world['cy'].mxid}"
    said = await office.asks("ana", f"!deactivateall reason wave\n{staff}")
    assert re.match(r"⛔ Not allowed \(#\d+\): mods and owners are protected", said.text)


async def test_names_that_cannot_be_made_are_told_and_the_rest_is_offered(office: Office) -> None:
    s = office.world.suffix
    home = office.world.server.name
    ids = [f"@{name}:{home}" for name in (f"mia{s}", f"noa{s}", "x", f"lea{s}")]
    names = "\n".join((*ids, "@tom:school.example"))
    question = await office.asks("bo", f"!adduser\n{names}")
    first, yes, no = question.text.split("\n")
    assert first == "❓ 3 of 5 names can be made. Make these 3? Tap ✅. Nothing has run yet."
    assert yes == f"Yes: mia{s}, noa{s}, lea{s}"
    assert "@tom:school.example” (other server)" in no
    assert "is too short. Names here have 3 to 20 of" in no
    await office.taps("bo", question)
    made = await office.shows("3 accounts made", within=20)
    assert made.text.startswith(f"✅ 3 accounts made\nmia{s}, ")
    assert len(await office.lines("create-user")) == 3


async def test_a_list_beyond_a_limit_says_how_many_are_left(office: Office) -> None:
    await office.new_policy(LIMITED)
    s = office.world.suffix
    await office.says("cy", f"!adduser first{s}")
    await office.shows(f"^✅ New account @first{s}\n")
    said = await office.asks("cy", f"!adduser\none{s}\ntwo{s}\nthree{s}")
    assert re.fullmatch(
        r"⛔ Not allowed \(#\d+\): 3 names, but only 2 left today\. "
        r"Nothing was done\.\nSend 2 or fewer, or ask bo, ana or dan\.",
        said.text,
    )
    await office.new_policy(POLICY)


# --- between the lines --------------------------------------------------------------------------


async def test_forty_accounts_go_in_tens_and_the_card_tells_how_far(office: Office) -> None:
    spam = await wave(office, 40)
    card = await approved(office, spam)
    for done in ("10", "20", "30"):
        await office.says_of(card, card.line(f"⏳ Running, {done} of 40 accounts"))
    await office.shows(f"^✅ 40 accounts deactivated · #{card.number}")
    assert await sent(office, spam) == [1] * 40
    assert not await office.is_open(spam[39])


async def test_others_get_a_turn_between_the_lines(office: Office, proxy: FaultProxy) -> None:
    spam = await wave(office, 30)
    held = Held(office, proxy)
    card = await approved(office, spam)
    await held.wait()
    asked = await office.says("bo", "!registration")
    await office.room.wait(lambda said: said.reaction == (asked, "⏳"), "the hourglass")
    held.release()
    await office.room.answer_to(asked)
    await office.shows(f"^✅ 30 accounts deactivated · #{card.number}")
    await office.admin.read()
    order = [
        "list" if "deactivate-all" in said.text else "other"
        for said in office.admin.said
        if said.sender == office.bot.mxid
        and (spam[0].mxid in said.text or spam[29].mxid in said.text or asked)
        and re.search("deactivate-all|allow-registration", said.text)
    ]
    assert order[-4:] == ["list", "other", "list", "list"]


@pytest.mark.parametrize("by", ["pause", "cancel", "reload", "leaving"])
async def test_what_comes_between_the_lines_stops_the_rest(
    office: Office, proxy: FaultProxy, by: str
) -> None:
    spam, world = await wave(office, 40), office.world
    held = Held(office, proxy)
    card = await approved(office, spam)
    await held.wait()
    held = held.then(office)
    await held.wait()  # the second ten are on their way
    if by == "pause":
        await office.says("bo", "!pause that is too many")
        await office.shows("^❗ Paused by bo")
    elif by == "cancel":
        event = await office.says("dan", f"!cancel {card.number}")
        await office.room.wait(lambda said: said.reaction == (event, "✅"), "thanks")
    elif by == "reload":
        kept = f"{{one_of: ['{spam[39].mxid}']}}"
        shield = f"    - {{id: kept, do: deactivateall, where: {{user: {kept}}}}}\n"
        await office.new_policy(POLICY.replace("  deny:\n", "  deny:\n" + shield))
    else:
        await world["cy"].leave(world.ops_room)
        await office.room.wait(
            lambda said: (
                said.raw.get("state_key") == world["cy"].mxid
                and said.content.get("membership") == "leave"
            ),
            "cy leaves",
        )
    held.release()
    end = await office.shows(rf"^. deactivateall stopped: 20 of 40 .* · #{card.number}")
    assert "20 not sent" in end.text, end.text
    if by == "pause":
        await office.says("ana", "!resume")
        await office.shows("^🔔 Resumed by ana")
    await office.quiet()
    assert await sent(office, spam) == [1] * 20 + [0] * 20
    assert not await office.is_open(spam[19])
    assert await office.is_open(spam[20])
    await office.new_policy(POLICY)


async def test_a_vote_taken_away_between_the_lines_stops_nothing(
    office: Office, proxy: FaultProxy
) -> None:
    """It is running: a vote can be taken back only while nothing was sent."""
    spam = await wave(office, 20)
    held = Held(office, proxy)
    card = await office.card("ana", f"!deactivateall reason wave\n{listed(spam)}")
    tap = await office.taps("cy", card)
    await office.taps("dan", card)
    await held.wait()
    await office.removes("cy", tap)
    held.release()
    await office.shows(f"^✅ 20 accounts deactivated · #{card.number}")
    assert await sent(office, spam) == [1] * 20


async def test_a_restart_between_the_lines_loses_and_doubles_nothing(
    office: Office, proxy: FaultProxy
) -> None:
    spam = await wave(office, 40)
    held = Held(office, proxy)
    card = await approved(office, spam)
    for _ in range(3):
        await held.wait()
        await office.bot.kill()
        held = held.then(office)
        await office.bot.start()
    await held.wait()
    held.release()
    await office.shows(f"^✅ 40 accounts deactivated · #{card.number}", within=20)
    assert await sent(office, spam) == [1] * 40
    assert not await office.is_open(spam[39])


async def test_who_joins_the_admin_room_between_the_lines_is_spared(
    office: Office, proxy: FaultProxy
) -> None:
    spam, world = await wave(office, 20), office.world
    kim = spam[15]
    held = Held(office, proxy)
    card = await approved(office, spam)
    await held.wait()
    await world["ana"].invite(world.server.admin_room, kim.mxid)
    await kim.join(world.server.admin_room)
    held.release()
    end = await office.shows(rf"^. deactivateall stopped: 10 of 20 .* · #{card.number}")
    assert "10 not sent" in end.text
    await office.quiet()
    assert await office.is_open(kim)
    await kim.leave(world.server.admin_room)
