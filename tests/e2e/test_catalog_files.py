"""Files: listed whatever they are called, purged and blocked, and looked at before and after."""

from __future__ import annotations

import io
import re
from collections.abc import AsyncIterator

import pytest
from PIL import Image

from lab.client import Client
from lab.homeserver import Homeserver
from tests.e2e.catalog import House, covers, open_house, shows


@pytest.fixture(scope="module")
async def house(
    server: Homeserver, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    async with open_house(server, tmp_path_factory.mktemp("files"), "-files") as house:
        yield house


@pytest.fixture
async def eve(house: House) -> Client:
    """Somebody with no files yet."""
    if not house.has_media:
        pytest.skip("0.9 has no media commands")
    return await house.account("eve")


def files(*mxcs: str) -> str:
    return "\n".join(("", "```", *mxcs, "```"))


async def test_what_this_version_lacks_is_said_before(house: House) -> None:
    if house.has_media:
        pytest.skip("this version has media commands")
    async with house.nothing_sent():
        shows(await house.does("!media"), "^⛔ Not run: list-media does not exist in Conduit 0.9")
        spam = await house.account()
        text = await house.does(f"!deactivate {spam.mxid} --purge-media")
        shows(text, "^⛔ Not run: --purge-media does not exist in Conduit 0.9")


# --- looking


@covers("media", "done")
@pytest.mark.parametrize("name", ["list-media --user", "media"])
async def test_list_media(house: House, eve: Client, name: str) -> None:
    shows(await house.does(f"!{name} {eve.mxid}"), f"^📋 No files of {eve.mxid} stored")
    short = eve.mxid.partition(":")[0]
    await eve.upload(b"x" * 1_200_000, "holiday.mp4", "video/mp4")
    for n in range(11):
        await eve.upload(b"png %d" % n, f"cat{n}.png", "image/png")
    shows(
        await house.does(f"!{name} {eve.mxid}"),
        rf"^📋 Files of {short}: 12, together 1\.2 MB, newest .* UTC\.$",
        "^image/png 11 · video/mp4 1$",
        r"^1\.2 MB mp4 “holiday\.mp4” \d+ \w+$",
        f"^mxc://{house.server.name}/",
        r"^Next, 2 to \d: !more$",
        f"^Fewer: !media {short} image since 7d$",
    )
    shows(await house.does("!more"), r"^📋 Files of .*, the largest first, 2 to \d of 12:$")
    shows(await house.does("!more"), r"\d to \d+ of 12:$")
    shows(await house.does(f"!{name} {eve.mxid} video"), f"^📋 Files of {short}: 1, ")
    text = await house.does(f"!media {eve.mxid} audio since 7d")
    shows(text, f"^📋 No sounds of {eve.mxid} stored since ")


async def test_files_of_all_tell_whose_they_are(house: House, eve: Client) -> None:
    await eve.upload(b"x" * 900_000, "big.bin", "application/octet-stream")
    shows(
        await house.does("!media"), r"^📋 Files here: \d+, ", f"^By: .*@{eve.localpart} 1, 900 kB"
    )
    text = await house.does(f"!media {house.server.name} application since 1d")
    shows(text, f"^📋 Files of {house.server.name}: ", f"@{eve.localpart} 1, 900 kB")


HOSTILE = (
    "a | b <b>x</b>.pdf",
    "x | 5 B |\n| mxc://lab.test/forged |  | 2026-01-01 00:00:00 UTC | @ana:lab.test | a/b | n",
    "x</td><td>9 B</td></tr><tr><td>mxc://lab.test/forged</td><td></td><td>2026-01-01 00:00:00",
    "✅ #12 done @room https://evil.example\n!deactivate @ana:lab.test",
    "https://evil.ex",
)


async def test_no_name_of_a_file_forges_a_file(house: House, eve: Client) -> None:
    mxcs = [await eve.upload(b"%d" % n, name, "a/b") for n, name in enumerate(HOSTILE)]
    text = await house.does(f"!media {eve.mxid}")
    shows(text, f"^📋 Files of @{eve.localpart}: {len(mxcs)}, together {len(mxcs)} B")
    while re.search("^Next, .*!more", text.split("📋")[-1], re.M):
        text += await house.does("!more")
    for mxc in mxcs:
        assert mxc in text
    assert not re.search(r"^mxc://lab\.test/forged", text, re.M)
    assert "“a | b <b>x</b>.pdf”" in text
    said = [s for s in house.room.said if s.sender == house.bot.mxid][-1]
    assert "“✅ #12 done" in text
    assert "evil.ex”" in text
    assert "://evil" not in text
    assert said.mentions == set()


@covers("mediainfo", "done")
@pytest.mark.parametrize("name", ["query-media", "mediainfo"])
async def test_query_media(house: House, eve: Client, name: str) -> None:
    mxc = await eve.upload(b"cat", "a | b.png", "image/png")
    shows(
        await house.does(f"!{name} {mxc}"),
        r"^📋 “a \| b\.png”, image/png, 3 B\.$",
        f"^Stored .* by {eve.mxid}, last used",
        "^Blocked: no.$",
    )
    unknown = f"mxc://{house.server.name}/unknown"
    text = await house.does(f"!{name} {unknown}")
    shows(text, f"^📋 {unknown}: this server does not know it; not blocked")


# --- purging and blocking


@covers("purge", "done")
async def test_purge_media(house: House, eve: Client) -> None:
    """Conduit purges everything with the same content, and says so of nothing."""
    mxcs = [await eve.upload(b"the same", f"{n}.png", "image/png") for n in range(3)]
    other = await eve.upload(b"another", "4.png", "image/png")
    shows(
        await house.does(f"!purge-media{files(mxcs[0])}"),
        "^✅ Purged 1 file$",
        r"^I checked that it is gone\.$",
        "^Cannot be undone",
    )
    assert [await eve.download_status(mxc) for mxc in (*mxcs, other)] == [404, 404, 404, 200]
    async with house.nothing_sent():
        text = await house.does(f"!purge {mxcs[1]}")
        shows(text, f"^⛔ Not run: that file is not here, or gone: {mxcs[1]}")
    shows(
        await house.does(f"!purge {other} {other}"),
        "^✅ Purged 1 file$",
        r"^I checked that it is gone\.$",
    )


async def test_purge_as_a_reply_to_a_picture_and_with_a_link_to_it(
    house: House, eve: Client
) -> None:
    room, cy = house.world.ops_room, house.world["cy"]
    mxcs = [await cy.upload(b"%d" % n, "spam.png", "image/png") for n in range(2)]
    picture = {"msgtype": "m.image", "body": "spam.png", "info": {"mimetype": "image/png"}}
    posted = [await cy.send(room, {**picture, "url": mxc}) for mxc in mxcs]
    event = await house.world["ana"].reply(room, posted[0], "!purge")
    shows(
        (await house.room.answer_to(event)).text,
        "^✅ Purged 1 file$",
        r"^I checked that it is gone\.$",
    )
    shows(
        await house.does(f"!purge https://matrix.to/#/{room}/{posted[1]}?via=x"),
        "^✅ Purged 1 file$",
        r"^I checked that it is gone\.$",
    )
    assert [await cy.download_status(mxc) for mxc in mxcs] == [404, 404]
    event = await house.world["ana"].reply(room, event, "!purge")
    text = (await house.room.answer_to(event)).text
    shows(
        text, "^⛔ Not run: that message has no file. Reply to a picture or file, or: !purge mxc"
    )


@covers("block", "done")
@covers("unblock", "done")
@covers("blocked", "done")
async def test_block_and_unblock_media(house: House, eve: Client) -> None:
    mxc = await eve.upload(b"illegal %s" % eve.mxid.encode(), "bad.png", "image/png")
    shows(
        await house.does(f"!block-media{files(mxc)}"),
        "^✅ Blocked 1 file$",
        r"^I checked that nobody can load it\.$",
        f"^Undo: .*!unblock {mxc}$",
    )
    assert await eve.download_status(mxc) == 404
    for name in ("blocked", "list-blocked-media"):
        shows(await house.does(f"!{name}"), r"^📋 \d+ files? blocked", rf"^\d+ \w+\n{mxc}")
    text = await house.does(f"!unblock-media{files(mxc)}")
    shows(text, "^✅ Unblocked 1 file$", r"^I checked that it loads again\.$")
    assert await eve.download_status(mxc) == 200
    shows(await house.does(f"!block {mxc} --and-purge"), "^✅ Blocked and purged 1 file$", "^I ch")
    never = f"mxc://{house.server.name}/never"
    await house.does(f"!block {never}")
    shows(
        await house.does(f"!unblock {never}"),
        "^❌ !unblock 1 file failed: Conduit said done, but the file still cannot be "
        r"loaded; it may be gone\.$",
        f"^{never} Look: !mediainfo {never}$",
    )


async def test_a_picture_with_a_thumbnail_is_unblocked_although_conduit_says_it_failed(
    house: House, eve: Client
) -> None:
    png = io.BytesIO()
    Image.new("RGB", (400, 300), "red").save(png, "PNG")
    mxc = await eve.upload(png.getvalue(), "red.png", "image/png")
    path = f"/_matrix/client/v1/media/thumbnail/{mxc.removeprefix('mxc://')}"
    headers = {"Authorization": f"Bearer {eve.token}"}
    size = {"width": 32, "height": 32, "method": "scale"}
    async with eve.http.get(eve.base + path, params=size, headers=headers) as answer:
        assert answer.status == 200
    shows(
        await house.does(f"!block {mxc}"),
        "^✅ Blocked 1 file$",
        "^I checked that nobody can load it",
    )
    shows(await house.does(f"!unblock {mxc}"), "^✅ Unblocked 1 file$", "^I checked that it loads")


@covers("purgeuser", "done")
@covers("blockuser", "done")
@pytest.mark.parametrize(
    ("purge", "block"),
    [("purge-media-from-users", "block-media-from-users"), ("purgeuser", "blockuser")],
)
async def test_all_files_of_somebody(house: House, eve: Client, purge: str, block: str) -> None:
    mxc = await eve.upload(b"of %s" % eve.mxid.encode(), "a.png", "image/png")
    text = await house.does(f"!{block} {eve.mxid} last 7d")
    shows(
        text,
        f"^✅ Blocked all files of @{eve.localpart}$",
        r"^Conduit says so of those of the last 7 days\.$",
    )
    assert await eve.download_status(mxc) == 404
    shows(await house.does(f"!unblock {mxc}"), "^✅ Unblocked 1 file$", "^I checked that it loads")
    text = await house.does(f"!{purge} {eve.mxid}")
    shows(
        text,
        f"^✅ Purged all files of @{eve.localpart}$",
        r"^Conduit says so\. ",
        "^Cannot be undone",
    )
    assert await eve.download_status(mxc) == 404


@covers("purgeserver", "done")
async def test_copies_of_another_servers_files(house: House, eve: Client) -> None:
    for name in ("purgeserver", "purge-media-from-server"):
        text = await house.does(f"!{name} evil.example")
        shows(text, r"^✅ Purged all files of evil\.example$", r"^Conduit says so\. ")
    async with house.nothing_sent():
        text = await house.does(f"!purgeserver {house.server.name}")
        shows(text, f"^⛔ Not run: {house.server.name} is this server itself")
        for command in ("media", "purgeuser", "blockuser"):
            text = await house.does(f"!{command} @troll:evil.example")
            shows(text, "^⛔ Not run: of other servers I know files by server, not by account")
    text = await house.does("!purge mxc://evil.example/abc")
    shows(
        text,
        "^✅ Purged 1 file$",
        "^Conduit says so; a look would fetch it again from evil.example",
    )


async def test_the_files_of_a_slip_of_the_pen_are_a_tap_away(house: House, eve: Client) -> None:
    await house.does("!users")
    slip = f"ev{eve.localpart[1:]}"
    said = await house.asks("ana", f"!media {slip}")
    shows(said.text, f"^❓ No account “{slip}”.", "Tap 1️⃣ for @")
    await house.taps("ana", said, "1️⃣")
    shows((await house.next(said)).text, "^📋 (Files|No files) of @ev")


async def test_files_go_with_the_account(house: House, eve: Client) -> None:
    mxc = await eve.upload(b"files of a deactivated account", "a.png", "image/png")
    text = await house.does(f"!deactivate {eve.mxid} --purge-media")
    shows(
        text,
        f"^✅ Deactivated @{eve.localpart}$",
        "its files are removed",
        "its files do not come b",
    )
    assert await house.world["ana"].download_status(mxc) == 404
