"""What every outgoing message is, whatever text of strangers is in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.text.message import Code, Link, Message, Sign, code, link, one_line, quote
from sluice.text.phrases import say
from tests.unit.scenes import check

words = st.sampled_from(["Account made: ", " is gone. ", ", ", " and ", "Undo: ", ". ", " x"])
foreign = st.text(max_size=300).map(quote)
ids = st.text(max_size=300).map(code)
pairs = st.lists(st.tuples(words, foreign | ids | words), min_size=1, max_size=4)
lines = pairs.map(lambda some: [part for pair in some for part in pair])


def tidy(parts):
    """A line as our code writes them: no blank at its ends, none alone between two ids."""
    parts = [p for p in parts if not (isinstance(p, str) and not p.strip())]
    if isinstance(parts[0], str):
        parts[0] = parts[0].lstrip(" ,.") or "So"
    if isinstance(parts[-1], str):
        parts[-1] = parts[-1].rstrip() or "."
    return tuple(parts)


@given(st.sampled_from(list(Sign)), st.lists(lines.map(tidy), min_size=1, max_size=20))
def test_every_message_keeps_the_rules(sign, rows):
    message = say(sign, *rows, text=sign in (Sign.ALARM, Sign.CARD))
    check(message)
    assert message.body.startswith(f"{sign.value} ")


@given(st.text(max_size=400), st.text(max_size=400))
def test_a_first_line_fits_a_notification_however_long_its_ids_are(one, two):
    message = say(
        Sign.NEWS, ("Report by ", code(one), " about a message of ", code(two), ". Look at it.")
    )
    check(message)


def test_a_long_first_line_goes_on_after_a_full_stop():
    user = code("@" + "spam" * 10 + ":example.org")
    message = say(
        Sign.DONE,
        ("#12 done: ", user, " is deactivated. Conduit restarted; I looked myself."),
        "Undo",
    )
    head, more, undo = message.body.split("\n")
    assert head.endswith("is deactivated.")
    assert (more, undo) == ("Conduit restarted; I looked myself.", "Undo")


def test_an_id_that_is_too_long_is_shortened_and_stands_in_full_below():
    user = "@" + "a" * 200 + ":example.org"
    message = say(Sign.NEWS, (code(user), " changed their password."))
    head, full = message.body.split("\n")
    assert head == f"🔔 {user[:31]}… changed their password."
    assert full == user


def test_more_lines_than_a_phone_shows_are_counted():
    message = say(Sign.VIEW, *[f"line {n}" for n in range(20)])
    assert message.body.split("\n")[-1] == "… and 9 lines more"


@given(st.text())
def test_foreign_text_is_one_short_line_without_links_or_tricks(text):
    kept = one_line(text)
    assert len(kept) <= 80
    assert kept.isprintable()
    assert "://" not in kept
    assert kept == kept.strip()


def test_foreign_text_cannot_leave_its_code():
    evil = quote("</code><b>@room</b> https://evil.example\n!deactivate \u202ex &amp;")
    message = say(Sign.NEWS, ("Reason: ", evil))
    check(message)
    assert message.body == (
        "🔔 Reason: “</code><b>@room</b> https[:]//evil.example !deactivate x &amp;”"
    )
    assert "<b>" not in message.html


def test_what_cannot_be_seen_in_an_id_becomes_a_mark():
    assert code("ali\u200bce\ud800").text == "ali\ufffdce\ufffd"
    assert code(" ").text == "?"


def test_the_content_pushes_only_with_a_mention_and_as_text():
    quiet = say(Sign.DONE, "Done.").content()
    assert (quiet["msgtype"], quiet["m.mentions"]) == ("m.notice", {})
    loud = say(Sign.ALARM, "Look.", push=("@ana:example.org",), text=True).content()
    assert loud["msgtype"] == "m.text"
    assert loud["m.mentions"] == {"user_ids": ["@ana:example.org"]}
    assert loud["formatted_body"] == "❗ <strong>Look.</strong>"


def test_a_message_does_not_show_its_lines_when_it_is_printed():
    assert "hunter2" not in repr(Message(Sign.SECRET, (("Password: ", Code("hunter2")),)))


def test_a_link_leads_to_an_event_and_says_in_clear_where():
    there = link("the message", "!abc:else.org", "$1/2+x", via="example.org")
    message = say(Sign.NEWS, ("Look.",), (there,))
    check(message)
    url = "https://matrix.to/#/!abc:else.org/$1%2F2%2Bx?via=else.org&via=example.org"
    assert message.body == f"🔔 Look.\nthe message: {url}"
    assert message.html == (f'🔔 Look.<br><a href="{url.replace("&", "&amp;")}">the message</a>')


@pytest.mark.parametrize("room", ["!abc", "!a.b_c-D:example.org", "!x:[::1]:8448"])
def test_rooms_of_all_versions_are_linked(room):
    assert isinstance(link("it", room, via="example.org"), Link)
    assert isinstance(link("it", room, "$e", via="example.org"), Link)


@given(st.text(), st.text())
def test_only_ids_are_linked(room, event):
    made = link("it", room, event, via="example.org")
    check(say(Sign.NEWS, ("Look.",), ("At ", made, ".")))
    if isinstance(made, Link):
        assert room[0] == "!"
        assert event[:1] in ("", "$")


@pytest.mark.parametrize("event", ['$x"onclick=', "$x>", "@eve:example.org", "$x y", "$", "x"])
def test_what_cannot_be_an_event_is_not_linked(event):
    assert isinstance(link("it", "!abc:example.org", event, via="example.org"), Code)
