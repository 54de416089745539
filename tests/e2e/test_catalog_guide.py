"""The commands on a real homeserver: typed with both names, done, and seen to be done."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest

from lab.client import Refused
from lab.homeserver import Homeserver
from tests.e2e.catalog import House, covers, open_house, shows


@pytest.fixture(scope="module")
async def house(
    server: Homeserver, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    async with open_house(server, tmp_path_factory.mktemp("catalog"), "-cat") as house:
        yield house


# --- the commands of Conduit's admin guide, under its names and under ours


@covers("help", "done")
@covers("help.server", "done")
async def test_help(house: House) -> None:
    shows(await house.does("!help"), r"^📋 You can do everything \(owner\)", "^Accounts: !adduser")
    shows(
        await house.does("!help server"),
        r"^📋 Conduit's own help, 1 to \d+:",
        "register-appservice",
    )
    for name in ("create-user", "create_user", "adduser"):
        shows(await house.does(f"!help server {name}"), r"create-user <USERNAME> \[PASSWORD\]")


@covers("users", "done")
@pytest.mark.parametrize("name", ["list-local-users", "users"])
async def test_list_local_users(house: House, name: str) -> None:
    shows(await house.does(f"!{name}"), r"^📋 \d+ accounts", r"\bana \(owner\)")
    found = await house.does("!users VE-CAT")
    shows(found, r"^📋 1 of \d+ accounts has “ve-cat” in the name: eve-cat$")


@covers("adduser", "done")
@pytest.mark.parametrize("name", ["create-user", "adduser"])
async def test_create_user(house: House, name: str) -> None:
    made = house.mxid(f"made-by-{name}")
    text = await house.does(f"!{name} {house.name(f'made-by-{name}')}")
    shows(
        text,
        f"^✅ New account {made.partition(':')[0]}$",
        f"^{made}\\. ",
        r"^Undo: tap ↩️ or !deactivate made-by-\S+ \(the name stays taken\)$",
    )
    assert (await house.server.login(made, await house.handed())).mxid == made


@covers("resetpw", "done")
@pytest.mark.parametrize("name", ["reset-password", "resetpw"])
async def test_reset_password(house: House, name: str) -> None:
    alice = await house.account("alice")
    text = await house.does(f"!{name} {alice.localpart}")
    shows(
        text,
        f"^✅ New password for @{alice.localpart}$",
        "signed in stay signed in",
        "^Cannot be undone",
    )
    assert not await house.signs_in(alice.mxid, alice.password)
    assert await alice.joined_rooms() == [], "her devices stay signed in"
    assert await house.signs_in(alice.mxid, await house.handed())


@covers("deactivate", "done")
@pytest.mark.parametrize("name", ["deactivate-user", "deactivate"])
async def test_deactivate_user(house: House, name: str) -> None:
    spam = await house.account()
    text = await house.does(f"!{name} {spam.mxid}")
    shows(
        text, f"^✅ Deactivated @{spam.localpart}$", f"^Undo: tap ↩️ or !resetpw {spam.localpart}$"
    )
    assert not await house.is_open(spam)


@covers("registration", "done")
@covers("registration.set", "done")
@pytest.mark.parametrize("name", ["allow-registration", "registration"])
async def test_allow_registration(house: House, name: str) -> None:
    off, on = ("false", "true") if name == "allow-registration" else ("off", "on")
    shows(await house.does(f"!{name} {off}"), "^✅ Registration is off")
    with pytest.raises(Refused):
        await house.server.newcomer(house.name(f"late-{name}"))
    shows(await house.does(f"!{name}"), "^📋 Registration is off")
    shows(
        await house.does(f"!{name} {on}"), "^✅ Registration is on until somebody switches it off$"
    )
    newcomer = await house.server.newcomer(house.name(f"early-{name}"))
    await house.shows(f"^🔔 New account: .*\n{newcomer.mxid} registered itself")
    shows(await house.does(f"!{name}"), "^📋 Registration is on until somebody switches it off")


@covers("rooms", "done")
@pytest.mark.parametrize("name", ["list-rooms", "rooms"])
async def test_list_rooms(house: House, name: str) -> None:
    room = await house.a_room(f"Garden {name} <b>x</b>", alias=f"green-{name}")
    hidden = await house.a_room("Hidden", preset="private_chat")
    shows(
        await house.does(f"!{name}"),
        r"^📋 \d+ rooms, most members first",
        "no name that",
    )
    shows(
        await house.does(f"!rooms green-{name}"),
        rf"^📋 1 of \d+ rooms matches “green-{name}”, most members first:$",
        rf"^“Garden {name} <b>x</b>”, 1 member: {house.alias(f'green-{name}')}, !",
    )
    shows(await house.does(f"!rooms {room[:12]}"), rf"^“Garden {name} .*, 1 member: ")
    shows(await house.does(f"!rooms {hidden[:12]}"), rf"^1 member: {re.escape(hidden)}")


@covers("disableroom", "done")
@covers("enableroom", "done")
@pytest.mark.parametrize(
    ("off", "on"), [("disable-room", "enable-room"), ("disableroom", "enableroom")]
)
async def test_disable_and_enable_room(house: House, off: str, on: str) -> None:
    room = await house.a_room(f"Warez {off}", alias=off)
    for typed, first in ((room, r"!\S+…\S+"), (house.alias(off), f"#{house.name(off)}")):
        shows(
            await house.does(f"!{off} {typed}"),
            f"^✅ Disabled room {first}$",
            f"^“Warez {off}” takes nothing from other servers; "
            f"people of {house.server.name} can go on writing\\.$",
            f"^Undo: tap ↩️ or !enableroom {re.escape(typed)}$",
        )
    shows(await house.does(f"!{on} {room}"), r"^✅ Enabled room !\S+…\S+ again$")


@covers("config", "done")
@pytest.mark.parametrize("name", ["show-config", "config"])
async def test_show_config(house: House, name: str) -> None:
    shows(
        await house.does(f"!{name}"),
        rf"^📋 {house.server.name} runs Conduit {house.server.version} on sqlite",
        r"^Registration at start: on \(now: o\w+\)$",
        "^Largest upload 20 MB",
        r"^All \d\d lines: !more$",
    )
    shows(
        await house.does("!more"),
        "^📋 Conduit's settings, 1 to . of 19:",
        "^Database backend: sqlite$",
    )
    shows(await house.does("!more"), "Allow federation: true")


@covers("memory", "done")
@pytest.mark.parametrize("name", ["memory-usage", "memory"])
async def test_memory_usage(house: House, name: str) -> None:
    shows(
        await house.does(f"!{name}"),
        r"^📋 Conduit's caches hold [\d,]+ entr",
        "^Largest: ",
        "14 lines",
    )
    shows(await house.does("!more"), r"^📋 Conduit's caches, 1 to 9", r"^pdu_cache: [\d,]+$")


@covers("clearcache", "done")
async def test_clear_caches(house: House) -> None:
    for line in ("clear-database-caches 8", "clearcache db"):
        shows(
            await house.does(f"!{line}"), "^✅ All 8 database caches are empty", "Nothing to undo"
        )
    for line in ("clear-service-caches 6", "clearcache service"):
        shows(await house.does(f"!{line}"), "^✅ All 6 service caches are empty")
    shows(await house.does("!clear-service-caches 2"), "^✅ The first 2 of 6 service caches")


async def test_the_password_of_conduit_s_guide_is_taken_away(house: House) -> None:
    """`create-user <username> <password>` is what readers of the guide type."""
    event = await house.says("bo", f"!create-user {house.name('zoe')} hunter2-of-zoe")
    answer = await house.room.answer_to(event)
    shows(answer.text, "^⛔ Not run: passwords are never typed here, Conduit makes them")
    shows(answer.text, f"^Delete your message, then: !adduser {house.name('zoe')}$")
    assert "hunter2" not in answer.text
    await house.world["ana"].set_power(house.world.ops_room, house.bot.mxid, 50)
    event = await house.says("bo", f"!create_user {house.name('zoe')} hunter2-of-zoe")
    answer = await house.room.answer_to(event)
    shows(answer.text, rf"^I removed your message\. Then: !adduser {house.name('zoe')}$")
    await house.room.wait(lambda said: said.kind == "m.room.redaction", "its removal", after=event)
    await house.quiet()
    assert await house.lines("zoe") == [], "nothing of it reached Conduit"
    assert "hunter2" not in house.everything_stored()


# --- accounts: what is looked at before


@pytest.mark.parametrize("line", ["adduser", "create-user"])
async def test_a_name_is_refused_before_conduit_would_take_it(house: House, line: str) -> None:
    taken = await house.account("taken")
    gone = await house.account("gone")
    await house.does(f"!deactivate {gone.mxid}")
    for name, why in (
        (taken.localpart, f"{taken.mxid} exists already"),
        (gone.mxid, "A deactivated account keeps its name. Look: "),
        ("_irc_bob", "names that begin with _ belong to bridges"),
        ("älice", "“älice” cannot be a user name. Allowed: a-z 0-9"),
        (
            "@max:other.example",
            f"I can make accounts of {house.server.name} only, not of other.ex",
        ),
        ("--help", "“--help” starts with a dash"),
        ("x" * 300, "255 is the most"),
    ):
        async with house.nothing_sent():
            shows(await house.does(f"!{line} {name}"), "^⛔ Not run: ", why)


async def test_a_name_in_a_bridges_range_is_refused(house: House) -> None:
    """Conduit would make it, and the bridge could act as that account."""
    if house.server.double:
        pytest.skip("Synapse reads its appservices only when it starts")
    yaml = "id: brg\nurl: null\nas_token: a\nhs_token: h\nsender_localpart: brgbot\nnamespaces:\n"
    yaml += "  users:\n  - exclusive: true\n    regex: '@brg_.*'\n  aliases: []\n  rooms: []"
    await house.admin.say(f"@conduit:{house.server.name}: register-appservice\n```\n{yaml}\n```")
    await house.admin.shows("registered with ID: brg")
    async with house.nothing_sent():
        text = await house.does("!adduser brg_bob")
        shows(text, "^⛔ Not run: @brg_bob:.* belongs to a bridge. Choose another name")
    shows(await house.does("!rmappservice brg"), "^✅ ")


async def test_capitals_of_a_phone_are_made_small_and_said(house: House) -> None:
    name = house.name("Wendy")
    shows(await house.does(f"! Adduser {name}."), rf"^Small letters: you typed {name}\.$")
    assert await house.signs_in(f"@{name.lower()}:{house.server.name}", await house.handed())


async def test_several_names_on_a_line_are_asked_back(house: House) -> None:
    mia, noa = house.name("mia"), house.name("noa")
    async with house.nothing_sent():
        said = await house.asks("ana", f"!adduser {mia} {noa}")
    shows(said.text, r"^❓ 2 names, the last not shown\. Both of them names\? Tap ✅\.")
    await house.taps("ana", said)
    shows((await house.next(said)).text, "^✅ 2 accounts made$", f"^{mia}, {noa}$")
    refused = "^⛔ Not run: passwords are never typed here, Conduit makes them"
    shows(await house.does(f"!adduser {mia} x!y", "bo"), refused)


async def test_a_list_is_offered_once_without_everything_that_cannot_be(house: House) -> None:
    lea, tom, taken = house.name("lea"), house.name("tom"), house.world["eve"]
    ids = [f"@{name}:{house.server.name}" for name in (lea, tom, "x", "_irc_bob")]
    names = [*ids[:2], taken.mxid, ids[2], "@tom:school.example", ids[3]]
    async with house.nothing_sent():
        said = await house.asks("bo", "!adduser\n" + "\n".join(names))
    shows(
        said.text,
        r"^❓ 2 of 6 names can be made\. Make these 2\? Tap ✅\. Nothing has run yet\.$",
        rf"^Yes: {lea}, {tom}$",
        r"^No: “@tom:school.example” \(other server\), “@x:.*” \(is too short.*\), ",
        rf"“{taken.mxid}” \(exists already\), “@_irc_bob:.*” \(a bridge's name\)$",
    )
    await house.taps("bo", said)
    shows((await house.next(said)).text, "^✅ 2 accounts made$", f"^{lea}, {tom}$")


async def test_of_a_list_one_name_was_taken_meanwhile(house: House) -> None:
    names = [house.name(local) for local in ("ada", "ben", "dora", "fay")]
    said = await house.asks("bo", "!adduser\n" + "\n".join((*names, "@no:name.example")))
    taken = await house.server.account(names[2])
    await house.taps("bo", said)
    text = (await house.next(said)).text
    shows(
        text,
        "^❌ 3 of 4 accounts made$",
        f"^Done: {names[0]}, {names[1]}, {names[3]}$",
        f"^Not: {taken.mxid}, somebody else made it meanwhile$",
        r"^\d+ of your 50 for today are used\.$",
        rf"^Undo one: !deactivate {names[0]} \(the name stays taken\)$",
    )
    assert await house.server.login(taken.mxid, taken.password), "its password is as it was"


async def test_a_new_password_for_a_deactivated_account_opens_it_after_a_tap(house: House) -> None:
    carol = await house.account("carol")
    await house.does(f"!deactivate {carol.mxid}")
    async with house.nothing_sent():
        said = await house.asks("ana", f"!resetpw {carol.mxid}")
    shows(said.text, rf"^❓ {carol.mxid} is deactivated\. Open it again\?$")
    await house.taps("ana", said)
    text = (await house.next(said)).text
    shows(
        text, f"^✅ @{carol.localpart} is active again$", f"^Undo: !deactivate {carol.localpart}$"
    )
    assert await house.signs_in(carol.mxid, await house.handed())


async def test_signing_out_ends_all_devices(house: House) -> None:
    alice = await house.account("alice")
    shows(await house.does(f"!resetpw {alice.mxid} --sign-out"), "^All its devices are signed out")
    with pytest.raises(Refused):
        await alice.joined_rooms()
    assert await house.signs_in(alice.mxid, await house.handed())


async def test_who_does_not_exist_or_is_elsewhere_is_told_before(house: House) -> None:
    eve, here = house.world["eve"], house.server.name
    slip = f"ev{eve.localpart[1:]}"
    await house.does("!users")  # what is near is known from the last list
    for command in ("deactivate", "resetpw", *(["purgeuser", "blockuser"] * house.has_media)):
        text = (await house.asks("ana", f"!{command} {slip}")).text
        shows(
            text,
            f"^❓ No account “{slip}”. Did you mean {eve.mxid.partition(':')[0]}",
            "Edit your message",
        )
        shows(await house.does(f"!{command} qq7"), f"^⛔ Not run: there is no account @qq7:{here}")
    for command in ("deactivate", "resetpw"):
        text = await house.does(f"!{command} @troll:evil.example")
        shows(text, "^⛔ Not run: @troll:evil.example is an account of another server")
    for target in (house.bot.mxid, f"@conduit:{here}", house.server.ana.mxid):
        shows(await house.does(f"!deactivate {target}", "dan"), "^⛔ Not allowed")


@covers("deactivateall", "done")
async def test_a_list_is_deactivated_without_its_bad_names(house: House) -> None:
    spam = [await house.account() for _ in range(12)]
    names = "\n".join(client.mxid for client in spam)
    more = f"{house.bot.mxid}\n@q:evil.example\nqq7"
    said = await house.asks("ana", f"!deactivateall --leave-rooms\n{names}\n{more}")
    shows(
        said.text,
        r"^❓ 12 of 15 accounts can be deactivated\. Ask for these 12\? Tap ✅\.",
        r"^No: “@q:evil.example” \(other server\), “@sluice.*” \(that is my own account\), ",
        r"“@qq7:.*” \(no such account\)$",
    )
    await house.taps("ana", said)
    text = (await house.next(said)).text
    shows(text, "^✅ 12 accounts deactivated$", r"^Undo one: !resetpw \S+ · All names: !more \d+$")
    assert len(await house.lines("deactivate-all")) == 2, "in lines of ten"
    assert [await house.is_open(client) for client in spam[:3]] == [False] * 3


# --- rooms, addresses, the rest of the server


@covers("rmalias", "done")
async def test_an_address_is_removed_and_the_room_stays(house: House) -> None:
    room = await house.a_room("Old", alias="old")
    alias = house.alias("old")
    shows(
        await house.does(f"!rmalias {alias}"),
        f"^✅ Removed address {alias.partition(':')[0]}$",
        "room itself stays",
    )
    with pytest.raises(Refused):
        await house.server.ana.resolve(alias)
    assert await house.world["eve"].members(room)
    shows(
        await house.does(f"!remove-alias {alias}"),
        f"^⛔ Not run: no room has the address {alias}",
    )
    shows(
        await house.does("!rmalias #old:evil.example"), "is of another server; only evil.example"
    )


async def test_the_rooms_that_everything_hangs_on_are_kept(house: House) -> None:
    admins = f"#admins:{house.server.name}"
    shows(await house.does(f"!rmalias {admins}"), r"^⛔ Not allowed \(#\d+\): ")
    for room in (admins, house.server.admin_room, house.world.ops_room):
        shows(await house.does(f"!disableroom {room}"), r"^⛔ Not allowed \(#\d+\): that is")
    assert await house.lines("disable-room", house.world.ops_room) == []
    shows(await house.does("!disableroom #nobody-knows"), "^⛔ Not run: no room has the address")


@covers("federation", "done")
async def test_what_comes_in_from_other_servers(house: House) -> None:
    for name in ("federation", "incoming-federation"):
        shows(await house.does(f"!{name}"), "^📋 Nothing from other servers is being handled")


@covers("appservices", "done")
@covers("rmappservice", "done")
@covers("rmappservice", "refused")
async def test_appservices(house: House) -> None:
    name = house.name("bridge")
    shows(await house.does("!appservices"), "^📋 No appservices are registered")
    await house.admin.say(
        f"@conduit:{house.server.name}: register-appservice\n```\n"
        f"id: {name}\nurl: null\nas_token: a{name}\nhs_token: h{name}\n"
        f"sender_localpart: {name}\nnamespaces: {{}}\n```"
    )
    await house.admin.shows(f"Appservice registered with ID: {name}")
    shows(await house.does("!list-appservices"), f"^📋 1 appservice:\n{name}$")
    shows(await house.does(f"!rmappservice {name}"), f"^✅ Removed appservice {name}$")
    text = await house.does(f"!unregister-appservice {name}")
    shows(text, f"^❌ !.* failed: Conduit knows no appservice {name}\\. Nothing changed\\.$")
    assert await house.state() == "refused"


@covers("event", "done")
@covers("event", "refused")
async def test_an_event(house: House) -> None:
    eve = house.world["eve"]
    room = await house.a_room("Chat")
    event = await eve.say(room, "buy <b>pills</b>\nnow")
    shows(
        await house.does(f"!event {event}"),
        f"^📋 m.room.message by {eve.mxid}",
        "^It says: “buy <b>pills</b> now”$",
        r"^All \d+ lines: !more$",
    )
    shows(await house.does("!more"), r"^📋 The event, lines 1 to \d+ of \d+:")
    text = await house.does("!get-pdu $nope")
    shows(text, r"^❌ !.* failed: Conduit knows no event \$nope\. Nothing changed\.$")
