"""Sluice's own commands on a real homeserver: each once as it works, and once for who may not."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest

from lab.homeserver import Homeserver
from tests.e2e.catalog import POLICY, House, covers, open_house, shows

MINE = (
    POLICY.replace("  roles:\n", '  roles:\n    helper: {members: ["@eve:example.org"]}\n')
    .replace("members: [bo, cy]", "members: [bo, cy], inherits: helper")
    .replace("{role: mod, do: [", "{role: helper, do: [")
    .replace(
        "  break_glass:",
        "  require:\n"
        '    - {do: "#destructive", reason: true, approvals: [{from: mod, n: 1}]}\n'
        "  break_glass:",
    )
)


@pytest.fixture(scope="module")
async def house(
    server: Homeserver, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    """eve is a helper here: she may look."""
    async with open_house(server, tmp_path_factory.mktemp("own"), "-own", MINE) as house:
        yield house


async def a_card(house: House) -> int:
    spam = await house.account()
    return (await house.card("ana", f"!deactivate {spam.mxid} reason casino")).number


async def ticked(house: House, who: str, line: str) -> None:
    """It worked without a word."""
    event, tap = await house.says(who, line), "❌" if line.startswith("!deny") else "✅"
    await house.room.wait(lambda said: said.reaction == (event, tap), f"a {tap} on {line}")


@covers("help", "done")
async def test_help_says_what_one_may_use(house: House) -> None:
    shows(
        await house.does("!help", "eve"),
        r"^📋 You can look at things \(helper\)",
        "^!who: what is known",
    )
    shows(
        await house.does("!help", "bo"), r"^📋 You can do this \(mod\)", "^!adduser alice: new a"
    )
    text = await house.does("!help adduser", "bo")
    shows(
        text, "^📋 !adduser makes accounts", "^Example: !adduser alice", "^You may: yes, names of"
    )
    shows(text, "^Undo: !deactivate alice .needs approval; the", "^Also called: create-user$")
    made = await house.does(f"!adduser {house.name('alice')}")
    shows(made, r"^Undo: .*!deactivate alice-own\S* \(needs approval\)$")
    shows(await house.does("!help create_user", "bo"), "^📋 !adduser makes accounts")
    shows(await house.does("!help look", "eve"), "^📋 Safe to try, these only read:")
    shows(await house.does("!help purge", "eve"), "^You may: no, purge is for owners")
    text = await house.does("!help files", "eve")
    shows(text, "^📋 About files, what you may use:", "^!media: files of an a")
    for topic in ("accounts", "requests", "seal", "repair", "nonsense"):
        shows(await house.does(f"!help {topic}", "eve"), "^📋 ")


@covers("who", "done")
@covers("can", "done")
@covers("why", "done")
@covers("version", "done")
@covers("status", "done")
async def test_what_anybody_with_a_role_may_ask(house: House) -> None:
    spam = await house.account()
    shows(await house.does(f"!who {spam.mxid}", "eve"), f"^📋 {spam.mxid}: active, .*no role")
    shows(await house.does("!who nobody-yet", "eve"), "^📋 No account @nobody-yet")
    shows(
        await house.does("!can deactivate x", "eve"), "^📋 No|^📋 .*for owners", "Nothing has run"
    )
    shows(await house.does("!can users", "eve"), "^📋 Yes")
    text = await house.does("!clearcache db", "eve")
    number = re.search(r"^⛔ Not allowed \(#(\d+)\)", text)
    assert number, text
    shows(
        await house.does(f"!why {number[1]}", "eve"), f"^📋 #{number[1]} was not allowed: clearc"
    )
    shows(await house.does("!version", "eve"), f"^📋 Sluice .*, Conduit {house.server.version}, ")
    shows(await house.does("!status", "eve"), f"Conduit {house.server.version} answers")


@covers("pending", "done")
@covers("approve", "done")
@covers("approve", "refused")
@covers("deny", "done")
@covers("deny", "refused")
@covers("cancel", "done")
@covers("cancel", "refused")
async def test_votes_and_taking_back(house: House) -> None:
    shows(await house.does("!pending", "eve"), "^📋 No open requests")
    first, second, third = [await a_card(house) for _ in range(3)]
    shows(await house.does("!pending", "bo"), "3 open requests", f"^✋ #{first} ana: deactivate")
    for line in (f"!approve {first}", f"!deny {first} why not"):
        shows(await house.does(line, "eve"), f"^📋 .*your vote does not count: #{first} needs a")
    shows(await house.does(f"!cancel {first}", "eve"), "^⛔ Only who asked, or who may deny it")
    await ticked(house, "bo", f"!approve {first}")
    await house.shows(rf"^✅ Deactivated @spam\S+ · #{first}(?!.)")
    await ticked(house, "cy", f"!deny {second} ask him first")
    await house.shows(r"^⛔ deactivate @spam\S+ denied by cy: “ask him first”$")
    await ticked(house, "ana", f"!cancel {third}")
    await house.room.shows(rf"^⛔ Cancelled by ana: deactivate @spam\S+ · #{third}(?!.)")
    for line in ("!approve 999", "!deny 999", "!cancel 999"):
        shows(await house.does(line), r"^📋 There is no #999; the newest is #\d+")


async def test_a_card_tells_what_a_file_is_and_who_posted_it(house: House) -> None:
    if not house.has_media:
        pytest.skip("0.9 has no media commands")
    eve, room = house.world["eve"], house.world.ops_room
    mxc = await eve.upload(b"x" * 70_000, "spam.png", "image/png")
    picture = {"msgtype": "m.image", "body": "spam.png", "url": mxc}
    info = {"info": {"mimetype": "image/png", "size": 70_000}}
    posted = await eve.send(room, {**picture, **info})
    command = await house.world["ana"].reply(room, posted, "!purge")
    question = await house.room.answer_to(command)
    shows(question.text, r"^❓ Why\? Reply to this message; the approver sees it\.$")
    await house.world["ana"].reply(room, question.id, "illegal")
    card = await house.card_behind(command)
    shows(
        card.said.text,
        r"^✋ ana asks: purge 1 file · #\d+$",
        "^Why: “illegal”$",
        f"^File: “spam.png”, image/png, 70 kB, .* UTC by {eve.mxid}$",
        f"^{mxc}$",
        r"^If approved: deleted here, equal files too\. Cannot be undone\.$",
    )
    await house.taps("bo", card)
    done = await house.shows(rf"^✅ Purged 1 file · #{card.number}\nI checked that it is gone\.")
    await house.says_of(card, "\nana asked, bo approved")
    assert house.server.ana.mxid in done.mentions
    assert await eve.download_status(mxc) == 404


@covers("more", "done")
@covers("log", "done")
@covers("log", "refused")
@covers("policy", "done")
@covers("policy", "refused")
async def test_lists_of_what_happened_and_of_the_rules(house: House) -> None:
    number = await a_card(house)
    await ticked(house, "ana", f"!cancel {number}")
    shows(await house.does("!log", "bo"), "^📋 ", f"#{number}, cancelled by ana")
    shows(await house.does(f"!log {number}", "bo"), f"^📋 #{number} cancelled", "“casino”")
    shows(await house.does("!log", "eve"), r"^⛔ Not allowed \(#\d+\): log is for")
    shows(await house.does("!policy"), "^📋 ")
    shows(await house.does("!policy", "bo"), r"^⛔ Not allowed \(#\d+\): policy is for owners")
    await house.does("!config", "bo")
    shows(await house.does("!more", "bo"), r"^📋 Conduit's settings, 1 to \d+ of \d+:")
    shows(await house.does("!more", "cy"), "^📋 Nothing more to show")


@covers("pause", "done")
@covers("pause", "refused")
@covers("resume", "done")
@covers("resume", "refused")
async def test_pause_and_resume(house: House) -> None:
    shows(await house.does("!pause", "eve"), r"^⛔ Not allowed \(#\d+\): pause is for")
    await house.says("bo", "!pause odd requests")
    await house.shows(
        "^❗ Paused by bo: nothing can be changed now\n.*!resume\nWhy: “odd requests”"
    )
    async with house.nothing_sent():
        shows(await house.does("!clearcache db"), "^⛔ Not run: paused by bo since")
    shows(await house.does("!config"), "^📋 ")
    shows(await house.does("!resume", "bo"), r"^⛔ Not allowed \(#\d+\): resume is for owners")
    await house.says("ana", "!resume")
    await house.shows("^🔔 Resumed by ana")
    shows(await house.does("!clearcache db"), "^✅ ")


@covers("glass", "done")
@covers("glass", "refused")
async def test_break_glass(house: House) -> None:
    spam = await house.account()
    line = f"!glass deactivate {spam.mxid} reason floods the lobby"
    shows(await house.does(line, "bo"), r"^⛔ Not allowed \(#\d+\): ")
    assert await house.is_open(spam)
    await house.says("ana", line)
    alarm = await house.shows(f"^❗ Break-glass: deactivate @{spam.localpart} ")
    number = re.search(r"#(\d+)", alarm.text)
    assert number
    await house.shows(rf"^✅ Deactivated @{spam.localpart} · #{number[1]}(?!.)")
    assert not await house.is_open(spam)
    await ticked(house, "dan", f"!approve {number[1]}")
    await house.room.shows("dan says it was right")


@covers("trust", "done")
@covers("trust", "refused")
async def test_trust_after_a_new_password(house: House) -> None:
    cy = house.world["cy"]
    card = await house.card("ana", f"!resetpw {cy.mxid}")
    await ticked(house, "bo", f"!approve {card.number}")
    await house.shows(rf"^❗ New password for @{cy.localpart} · #{card.number}(?!.)")
    shows(await house.does("!trust cy", "bo"), r"^⛔ Not allowed \(#\d+\): trust is for owners")
    await house.says("dan", "!trust cy")
    await house.shows("^❗ dan trusts cy")


@covers("reload", "done")
@covers("reload", "refused")
async def test_reload(house: House) -> None:
    shows(await house.does("!reload", "bo"), r"^⛔ Not allowed \(#\d+\): reload is for owners")
    event = await house.says("ana", "!reload")
    await house.room.wait(lambda said: "nothing changed" in said.text, "the policy", after=event)


@covers("resolve", "done")
@covers("resolve", "refused")
@pytest.mark.double_only("a real handler cannot be told to lose a command")
async def test_resolve(house: House) -> None:
    assert house.server.double
    await house.server.double.set(unrun=[{"msgtype": "m.text", "body": "What?"}])
    text = await house.does("!enableroom !nobody:knows")
    number = re.search(r"^❗ enableroom !nobody:knows: outcome unknown · #(\d+)(?!.)", text)
    assert number, text
    line = f"!resolve {number[1]} done"
    shows(await house.does(line, "eve"), "^⛔ Only somebody who could have approved it can say")
    await house.says("dan", line)
    await house.shows(rf"^✅ Enabled room !nobody:knows again, says dan · #{number[1]}(?!.)")
    shows(await house.does(line, "dan"), f"^📋 .*#{number[1]}")
