"""Lists that grow with the server, or that anybody can make huge: asked first, then refused.

The bot's clock is moved; large lists are the double's, because no test makes 2,000 accounts.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from lab.homeserver import Homeserver
from tests.e2e.catalog import POLICY, House, open_house, shows

DAY = 86400


@pytest.fixture(scope="module")
async def house(
    server: Homeserver, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    policy = POLICY.replace("relay: {attacker_sized: allow}", "command_max_age: 30d")
    folder = tmp_path_factory.mktemp("lists")
    async with open_house(server, folder, "-lists", policy, clock=True) as house:
        yield house


async def test_the_first_list_is_for_an_owner_to_ask(house: House) -> None:
    async with house.nothing_sent():
        for what in ("users", "rooms"):
            text = await house.does(f"!{what}", "bo")
            shows(text, f"^⛔ Not yet: .* must type !{what} once and confirm its size")
        said = await house.asks("ana", "!users")
    shows(said.text, "^❓ Fewer than 2,000 accounts and 900 rooms here. Then tap")
    await house.taps("ana", said)
    shows((await house.next(said)).text, r"^📋 \d+ ")
    for what in ("users", "rooms"):
        shows(await house.does(f"!{what}", "bo"), r"^📋 \d+ ")
    house.later(DAY + 60)
    shows(await house.does("!users", "bo"), "^📋 ")
    shows(await house.does("!rooms", "bo"), "^⛔ Not yet: .* must type !rooms once")
    said = await house.asks("ana", "!rooms")
    shows(
        said.text, r"^❓ The list of rooms was \d+ kB on .* UTC. Ask for it", "^It may have grown"
    )
    await house.taps("ana", said)
    shows((await house.next(said)).text, r"^📋 \d+ ")


async def test_users_as_a_file(house: House) -> None:
    await house.does("!users")
    said = await house.asks("ana", "!users --file")
    shows(said.text, r"^📋 \d+ accounts, one a line\.$")
    assert (said.content["msgtype"], said.content["info"]["mimetype"][:10]) == (
        "m.file",
        "text/plain",
    )
    text = await house.download(said.content["url"])
    assert house.mxid("bo") in text.splitlines()
    said = await house.asks("ana", f"!users {house.name('ve')} --file")
    assert (await house.download(said.content["url"])).splitlines() == [house.mxid("eve")]


async def test_what_anybody_can_make_huge_is_asked_once_a_day(house: House) -> None:
    if not house.has_media:
        pytest.skip("0.9 has no media commands")
    unknown = f"mxc://{house.server.name}/unknown"
    async with house.nothing_sent():
        said = await house.asks("bo", "!media")
    shows(said.text, "^❓ Look at files. Tap ✅", "a huge name, this stops Conduit")
    await house.taps("bo", said)
    shows((await house.next(said)).text, "^📋 ")
    for line in ("media", f"mediainfo {unknown}"):
        shows((await house.asks("cy", f"!{line}")).text, "^📋 ")
    await house.bot.restart()
    shows((await house.asks("cy", "!media", 20)).text, "^📋 ")
    house.later(DAY + 60)
    shows((await house.asks("cy", "!media")).text, "^❓ Look at files")
    policy = POLICY.replace("sized: allow}", "sized: refuse}\ncommand_max_age: 30d")
    house.bot.set_policy(house.world.policy(policy))
    await house.says("ana", "!reload")
    await house.shows("New policy: ")
    shows(
        await house.does("!media"), "^⛔ Not run: a file can be named so that looking at it stops"
    )


@pytest.mark.double_only("nobody makes 1,900 accounts for a test")
async def test_a_long_list_is_paged_and_asked_and_at_last_refused(house: House) -> None:
    assert house.server.double

    def listed(count: int) -> dict[str, str]:
        names = "\n".join(f"@u{n:04}-account:{house.server.name}" for n in range(count))
        body = f"Found {count} local user account(s):\n{names}"
        return {"msgtype": "m.text", "body": body}

    await house.does("!users")
    await house.server.double.set(unrun=[listed(214)])
    shows(
        await house.does("!users"),
        "^📋 214 accounts, 1 to 18:$",
        "^u0000-account, u0001-account,$",
        "^Next, 19 to 36: !more · Search: !users spam · File: !users --file$",
        "^Not listed: deactivated ones",
    )
    for _ in range(10):
        shows(await house.does("!more"), r"^Next, \d+ to \d+: !more$")
    shows(await house.does("!more"), "^📋 214 accounts, 199 to 214:$", "^That was all")
    shows(await house.does("!more"), "^📋 Nothing more to show")
    await house.server.double.set(unrun=[listed(1500)])
    shows(await house.does("!users"), "^📋 1,500 accounts, 1 to 18")
    shows(await house.does("!users", "bo"), "^⛔ Not yet: .* must type !users once")
    said = await house.asks("ana", "!users spam")
    shows(said.text, "^❓ The list of users was 3\\d kB on .*. Ask for it")
    await house.server.double.set(unrun=[listed(2300)])
    await house.taps("ana", said)
    shows((await house.next(said)).text, "^📋 None of 2,300 accounts has “spam” in the name")
    async with house.nothing_sent():
        text = await house.does("!users")
    shows(
        text,
        "^⛔ Not run: the list of users would be about 5\\d kB, and above 65 kB Conduit stops",
        r"^The list of .* \(2,300 users\) is here: !more$",
    )
    shows(await house.does("!more"), "^📋 2,300 accounts, 1 to 18:$")
    house.later(700)
    shows(await house.does("!more"), "^📋 Nothing more to show")
