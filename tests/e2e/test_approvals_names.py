"""Names: what a link shows and means, what people call themselves, and slips of the pen.

Scenes 11 and 58. Clients write a pill with the display name as its text.
"""

from __future__ import annotations

import re

import pytest

from lab.chat import Said
from lab.client import V3, Client, esc
from tests.e2e.office import Office, OpenOffice


@pytest.fixture(scope="module")
async def shared(open_office: OpenOffice) -> Office:
    return await open_office("names")


async def calls_itself(client: Client, name: str) -> None:
    path = f"{V3}/profile/{esc(client.mxid)}/displayname"
    await client.call("PUT", path, {"displayname": name})


async def enters(office: Office, client: Client, name: str) -> None:
    """Into the ops room, under this display name."""
    await calls_itself(client, name)
    await office.world["ana"].invite(office.world.ops_room, client.mxid)
    await client.join(office.world.ops_room)


async def with_pill(office: Office, who: str, before: str, label: str, mxid: str) -> Said:
    """Element Web: the display name in the text, the account in the link only."""
    link = f'<a href="https://matrix.to/#/{mxid}">{label}</a>'
    event = await office.world[who].say(
        office.world.ops_room,
        f"{before} {label} reason casino",
        format="org.matrix.custom.html",
        formatted_body=f"{before} {link} reason casino",
    )
    return await office.room.wait(
        lambda said: said.sender == office.bot.mxid and said.kind == "m.room.message",
        "an answer",
        after=event,
    )


async def test_a_link_that_shows_a_person_of_the_policy_and_means_another_is_refused(
    office: Office,
) -> None:
    eve = office.world["eve"]
    await calls_itself(eve, "Ana")
    said = await with_pill(office, "bo", "!deactivate", "Ana", eve.mxid)
    assert said.text == (
        f"⛔ Not run: that link shows “Ana” but points to {eve.mxid}. Type the account by hand."
    )
    await office.never_ran(eve)


async def test_a_link_that_shows_a_member_and_means_another_is_refused(office: Office) -> None:
    kim, spam = await office.account("kim"), await office.account()
    await enters(office, kim, "Kim Novak")
    said = await with_pill(office, "bo", "!deactivate", "Kim Novak", spam.mxid)
    assert said.text.startswith("⛔ Not run: that link shows “Kim Novak” but points to @spam")
    said = await with_pill(office, "bo", "!deactivate", "Kim Novak", kim.mxid)
    assert said.text.startswith("✋")
    assert f"\nWho: {kim.mxid}, " in said.text
    await office.says("bo", "!cancel " + re.findall(r"· #(\d+)", said.text)[0])
    await office.never_ran(kim)
    await office.never_ran(spam)


async def test_a_pill_with_whatever_name_means_the_account_of_its_link(office: Office) -> None:
    spam = await office.account()
    said = await with_pill(office, "bo", "!deactivate", "Cheap pills", spam.mxid)
    assert f"\nWho: {spam.mxid}, " in said.text
    await office.says("bo", "!cancel " + re.findall(r"· #(\d+)", said.text)[0])


async def test_a_word_that_means_two_people_runs_for_neither(office: Office) -> None:
    one, two = await office.account("alice"), await office.account("al")
    await enters(office, two, one.localpart.capitalize())
    for word in (one.localpart, one.localpart.capitalize()):
        said = await office.asks("bo", f"!resetpw {word}")
        assert said.text == (
            f"⛔ Not run: 2 people here are called “{word.lower()}”.\n"
            f"Edit your message: {one.mxid} or {two.mxid}"
        )
    await office.never_ran(one)
    said = await office.asks("bo", f"!who {one.mxid}")
    assert said.text.startswith(f"📋 {one.mxid}: active")


async def test_what_somebody_calls_herself_is_offered_where_no_account_has_the_name(
    office: Office,
) -> None:
    spam = await office.account()
    await enters(office, spam, "Zorro")
    said = await office.asks("bo", "!resetpw zorro")
    assert (
        said.text
        == f"❓ No account “zorro”. Did you mean {spam.mxid.partition(':')[0]}? Edit your message."
    )
    await office.never_ran(spam)


async def test_a_slip_of_the_pen_is_told_with_the_accounts_that_are_near(office: Office) -> None:
    spam = await office.account("evelyn")
    question = await office.asks("ana", "!users")
    if question.text.startswith("❓"):  # the first list of this server
        await office.taps("ana", question)
        await office.shows(r"^📋 \d+ accounts")
    slip = spam.localpart.replace("evelyn", "evelin")
    said = await office.asks("bo", f"!resetpw {slip}")
    # A long list of near ones goes on in the second line.
    shown = " ".join(said.text.split())
    assert shown.startswith(f"❓ No account “{slip}”. Did you mean {spam.mxid.partition(':')[0]}")
    assert shown.endswith("Edit your message.")
