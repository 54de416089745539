"""Scenes 34 to 36, 39, 40: what people asked to see, page by page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.chat import files, lists
from sluice.families.answers import Blocked, MediaInfo, StoredFile
from sluice.text.pages import more, nothing_more
from tests.unit.scenes import at, check, expect, here

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("*.jsonl"))
NOTE = "Not listed: deactivated ones, and those without a password (bridges)."


def names(n):
    return [f"@user{i:03}:example.org" for i in range(n)]


def pages_of(message, left):
    """Every page, as a phone shows them one after the other."""
    shown = [message]
    while left is not None:
        message, left = more(here(), left)
        shown.append(message)
    for page in shown:
        check(page)
    return shown


def test_scene_34_the_accounts_forty_a_page():
    shown = pages_of(*lists.users(here(), names(214), None))
    rows = [", ".join(f"user{i:03}" for i in range(n, n + 3)) for n in range(0, 27, 3)]
    first = ", ⏎ ".join(rows).replace(", ⏎", ",⏎")
    expect(
        shown[0],
        f"📋 214 accounts, 1 to 27: ⏎ {first} ⏎ Next, 28 to 54: !more · Search: !users spam"
        f" · File: !users --file ⏎ {NOTE}",
    )
    assert "<br>" not in shown[0].html.partition("<pre>")[2].partition("</pre>")[0]
    assert shown[-1].body.startswith("📋 214 accounts, 190 to 214:\nuser189, user190, user191,\n")
    assert shown[-1].body.endswith("\nuser213\nThat was all.")
    assert len(shown) == 8
    assert shown[1].body.endswith("\nNext, 55 to 81: !more")
    expect(
        nothing_more(here()),
        "📋 Nothing more to show. A list stays open for !more for 10 minutes.",
    )


def test_scene_34_a_search():
    some = [*names(211), "@spam:example.org", "@spam2:example.org", "@SpamHaus:other.example"]
    some[-1] = "@spamhaus-info:example.org"
    message, left = lists.users(here(), some, "spam")
    expect(
        message,
        "📋 3 of 214 accounts have “spam” in the name: spam, spam2, spamhaus-info",
    )
    assert left is None
    check(lists.users(here(), some, "@ana:example.org")[0])
    assert len(pages_of(*lists.users(here(), names(100), "user0"))) == 4
    check(lists.users(here(), [], None)[0])
    caption, text = lists.users_file(here(), names(2), None)
    expect(caption, "📋 2 accounts, one a line.")
    assert text.splitlines() == names(2)
    caption, text = lists.users_file(here(), [*names(2), "@Spam:example.org"], "spa")
    expect(caption, "📋 1 account with “spa” in the name, one a line.")
    assert text == "@Spam:example.org\n"


def test_whoever_has_a_role_is_marked_in_the_list():
    held = {"@bo:example.org": "mod", "@ana:example.org": "owner"}
    everybody = ["@eve:example.org", *held, *(f"@x{n:02}:example.org" for n in range(60))]
    shown = pages_of(*lists.users(here(), everybody, None, roles=held))
    assert shown[0].body.split("\n")[1].startswith("ana (owner), bo (mod), eve,")
    expect(
        lists.users(here(), everybody, "a", roles=held)[0],
        "📋 1 of 63 accounts has “a” in the name: ana (owner)",
    )


def test_scene_35_rooms_by_their_names():
    garden = lists.RoomRow("!gGd:example.org", 310, "Garden club", "#garden:example.org")
    forged = lists.RoomRow("!Xk2:example.org", 4, "✅ #12 done\n@room garden")
    others = [lists.RoomRow(f"!{n}:example.org", n, f"n{n}") for n in range(29)]
    others += [lists.RoomRow(f"!x{n}:example.org", n) for n in range(181)]
    message, left = lists.rooms(here(), [*others, forged, garden], "garden")
    expect(
        message,
        "📋 2 of 212 rooms match “garden”, most members first:"
        " ⏎ “Garden club”, 310 members: #garden:example.org, !gGd:example.org"
        " ⏎ “✅ #12 done @room garden”, 4 members: !Xk2:example.org"
        " ⏎ 181 rooms have no name that I can see (private).",
    )
    assert left is None
    shown = pages_of(*lists.rooms(here(), [*others, forged, garden], None))
    first = "📋 212 rooms, most members first, 1 to 9:\n310 #garden “Garden club”\n"
    assert shown[0].body.startswith(first)
    check(lists.rooms(here(), others, "nothing")[0])


def file(mxc, size, kind, name, created, uploader="@eve:example.org"):
    return StoredFile(f"mxc://example.org/{mxc}", size, created, uploader, kind, name)


def test_scene_36_files_the_largest_first():
    rows = [
        file("Qk3v", 120_000_000, "video/mp4", "holiday.mp4", "2026-11-02 10:00:00"),
        file("Pz81", 96_000_000, "video/mp4", "a | b <b>x</b>.mp4", "2026-11-03 10:00:00"),
        *[file(f"i{n}", 2_000_000, "image/png", "", "2026-11-21 14:02:00") for n in range(40)],
        *[
            file(f"p{n}", 2_666_667, "application/pdf", "a.pdf", "2026-11-20 14:02:00")
            for n in range(6)
        ],
    ]
    asked = ("files of @eve:example.org",)
    message, left = files.media(here(), rows, asked, of="@eve:example.org")
    expect(
        message,
        "📋 Files of @eve: 48, together 312 MB, newest 21 Nov 14:02 UTC."
        " ⏎ image/png 40 · application/pdf 6 · video/mp4 2"
        " ⏎ The largest: ⏎ 120 MB mp4 “holiday.mp4” 2 Nov ⏎ mxc://example.org/Qk3v"
        " ⏎ Next, 2 to 5: !more ⏎ Fewer: !media @eve image since 7d",
    )
    shown = pages_of(message, left)
    assert shown[1].body.startswith("📋 Files of @eve, the largest first, 2 to 5 of 48:\n96 MB ")


def test_scene_36_no_files():
    asked = ("pictures of evil.example stored since 16 Nov 14:30 UTC",)
    message, left = files.media(here(), (), asked, of="evil.example")
    expect(message, "📋 No pictures of evil.example stored since 16 Nov 14:30 UTC.")
    assert left is None
    check(files.unreadable()[0])


def test_files_of_everybody_tell_who_has_most():
    rows = [
        file(f"{who}{n}", 1_000_000 * n, "image/png", "", "2026-11-21 14:02:00", f"@{who}:x.org")
        for who, many in (("eve", 5), ("bob", 3), ("cat", 2), ("dan", 2), ("kim", 1))
        for n in range(1, many + 1)
    ]
    remote = file("r", 9_000_000, "image/png", "", "2026-11-21 14:02:00", None)
    message, left = files.media(here(), [*rows, remote], ("files",), of="")
    assert message.body.split("\n")[:3] == [
        "📋 Files here: 14, together 37 MB, newest 21 Nov 14:02 UTC.",
        "image/png 14",
        "By: @eve:x.org 5, 15 MB · @bob:x.org 3, 6 MB · @cat:x.org 2, 3 MB · 2 more",
    ]
    assert "!media image since 7d" in message.body
    pages_of(message, left)


def test_one_file():
    mxc = "mxc://example.org/Qk3v"
    expect(
        files.mediainfo(here(), mxc, MediaInfo(False)),
        "📋 mxc://example.org/Qk3v: this server does not know it; not blocked.",
    )
    full = MediaInfo(
        False, True, True, "2026-11-23 14:02:00", "2026-11-23 14:10:00", 70, "0" * 64,
        "@eve:example.org", "spam.png", "image/png",
    )  # fmt: skip
    expect(
        files.mediainfo(here(), mxc, full),
        "📋 “spam.png”, image/png, 70 B. ⏎ mxc://example.org/Qk3v"
        " ⏎ Stored 23 Nov 14:02 UTC by @eve:example.org, last used 23 Nov 14:10 UTC."
        " ⏎ Blocked: yes, a file with the same content is.",
    )
    check(files.mediainfo(here(), mxc, MediaInfo(True, stored=False)))


def test_blocked_files():
    rows = tuple(
        Blocked(f"mxc://example.org/{n}", f"2026-11-{n:02} 10:00:00", "bad\n| x", None)
        for n in range(1, 21)
    )
    shown = pages_of(*files.blocked(here(), rows))
    first = (
        "📋 20 files blocked, the newest first, 1 to 4:\n20 Nov “bad | x”\nmxc://example.org/20\n"
    )
    assert shown[0].body.startswith(first)
    assert len(shown) == 5
    check(files.blocked(here(), ())[0])


def test_scene_39_is_registration_on():
    expect(
        lists.registration(here(), True, at("15:20"), "ana", 44),
        "📋 Registration is on until 15:20 UTC (ana, #44).",
    )
    check(lists.registration(here(), True))
    check(lists.registration(here(), False))


def golden(version, command):
    """What a real Conduit answered to this line."""
    for line in (GOLDEN[0].parent / f"{version}.jsonl").read_text().splitlines()[1:]:
        step = json.loads(line)
        if step.get("send", "").endswith(f": {command}"):
            return step["answers"][0]["body"]
    raise LookupError(command)


def test_scene_40_settings():
    body = golden("0.10.12", "show-config").replace(
        "Allow registration: true", "Allow registration: false"
    )
    shown = pages_of(*lists.config(here(), "Conduit 0.10.12", body, at("15:20")))
    expect(
        shown[0],
        "📋 example.org runs Conduit 0.10.12 on sqlite."
        " ⏎ Registration at start: off (now: on until 15:20 UTC)"
        " ⏎ Federation on · encryption on · new rooms allowed"
        " ⏎ Largest upload 20 MB · cache 300 MB ⏎ All 19 lines: !more",
    )
    assert "TURN URIs: unset" in shown[2].body
    for window in (None, True, False):
        check(lists.config(here(), "Conduit 0.9.0", golden("0.9.0", "show-config"), window)[0])


def test_scene_40_caches():
    body = golden("0.10.12", "memory-usage").replace(
        "lazy_load_waiting: 1", "lazy_load_waiting: 81"
    )
    message, left = lists.memory(here(), body)
    expect(
        message,
        "📋 Conduit's caches hold 594 entries; this database reports no sizes."
        " ⏎ Largest: eventidshort_cache 218, pdu_cache 215 ⏎ All 14 lines: !more",
    )
    pages_of(message, left)
    rocks = (
        body.rpartition("\n")[0] + "\nApproximate memory usage of all the mem-tables: 1.20 MB\n"
    )
    assert "the database reports 1 MB" in lists.memory(here(), rocks)[0].body


def test_an_event_shows_who_when_where_and_what():
    body = golden("0.10.12", "get-pdu {event1}").replace("{room1}", "!r:example.org")
    shown = pages_of(*lists.event(here(), body))
    assert shown[0].body.startswith("📋 m.room.message by @bob:conduit.test, 23 Nov ")
    assert "Room: !r:example.org\nIt says: “hi”" in shown[0].body
    for hostile in ("PDU is outlier\n```json\n" + t + "\n```" for t in ("[" * 9000, "{}", "3")):
        pages_of(*lists.event(here(), hostile))


def test_conduit_s_own_help_and_other_lists():
    pages_of(*lists.conduit_help(here(), golden("0.10.12", "help")))
    pages_of(*lists.appservices(here(), ["irc", "tele"]))
    pages_of(*lists.appservices(here(), []))
    pages_of(*lists.federation(here(), []))
    pages_of(*lists.federation(here(), [("!r", f"$e{n}", 30 * n) for n in range(30)]))


def test_who_is_this():
    earlier = [(f"14:05 UTC bo: adduser al #{n}",) for n in range(1, 6)]
    found = lists.Profile("@spam:example.org", "deactivated", "Cheap pills")
    ways = [(here().cmd("resetpw spam"),)]
    message, left = lists.who(here(), found, "", earlier=earlier, ways=ways)
    expect(
        message,
        "📋 @spam:example.org: deactivated, name “Cheap pills”, no role."
        " ⏎ 14:05 UTC bo: adduser al #1 ⏎ 14:05 UTC bo: adduser al #2"
        " ⏎ 14:05 UTC bo: adduser al #3 ⏎ Next, 4 to 5: !more ⏎ You can: !resetpw spam",
    )
    page, _ = more(here(), left)
    expect(
        page,
        "📋 Earlier, 4 to 5: ⏎ 14:05 UTC bo: adduser al #4 ⏎ 14:05 UTC bo: adduser al #5"
        " ⏎ That was all.",
    )
    for status, name in (("", None), ("active", ""), ("active", None), ("not known", None)):
        found = lists.Profile("@a:example.org", status, name)
        check(lists.who(here(), found, "mod", joined=[("this room",)])[0])


hostile = st.text(max_size=120)


@given(st.lists(hostile, max_size=50), hostile)
def test_whatever_names_hold_the_lists_keep_their_shape(some, pattern):
    pages_of(*lists.users(here(), [f"@{name}:example.org" for name in some], None))
    pages_of(*lists.users(here(), [f"@{name}:example.org" for name in some], pattern))
    rows = [lists.RoomRow(f"!{n}", n, name, name) for n, name in enumerate(some)]
    pages_of(*lists.rooms(here(), rows, pattern))
    media = [file(str(n), n, name, name, name, f"@{n}:x") for n, name in enumerate(some)]
    pages_of(*files.media(here(), media, ("files",), of=pattern))
    pages_of(*lists.conduit_help(here(), "\n".join(some)))


@pytest.mark.parametrize("octets", [0, 999, 1000, 5_200_000, 312_000_000, 10**14])
def test_sizes_are_short(octets):
    assert len(files.size(octets)) <= 7
