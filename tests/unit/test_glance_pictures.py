"""The pictures: the page that draws as Element X does, and what is asked of a push.

The evening itself is played and photographed by `python -m lab pictures`; one page is drawn here
where there is a browser.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from lab import phone_page, pictures
from lab.chat import Said
from lab.pictures import browser, client, evening
from sluice.catalog.table import COMMANDS

BOT, BO = "@sluice:lab.test", "@bo:lab.test"


def said(event: str, sender: str, text: str, **content: Any) -> Said:
    body = {"msgtype": "m.text", "body": text, **content}
    return event_of(event, sender, "m.room.message", body)


def event_of(event: str, sender: str, kind: str, content: object) -> Said:
    raw = {"event_id": event, "sender": sender, "type": kind, "content": content}
    return Said({**raw, "origin_server_ts": 0})


def formatted(text: str) -> dict[str, str]:
    return {"format": "org.matrix.custom.html", "formatted_body": text}


def replaces(event: str, text: str) -> dict[str, Any]:
    new = {"msgtype": "m.text", "body": text}
    return {"m.new_content": new, "m.relates_to": {"rel_type": "m.replace", "event_id": event}}


def taps(event: str, sender: str, about: str, key: str) -> Said:
    relation = {"rel_type": "m.annotation", "event_id": about, "key": key}
    return event_of(event, sender, "m.reaction", {"m.relates_to": relation})


@pytest.mark.parametrize(
    ("html", "kept"),
    [
        ("a<br>b<br/>c", "a<br>b<br>c"),
        ("<h1>Head</h1>text", "Headtext"),
        ("<table><tr><td>a</td><td>b</td></tr></table>", "ab"),
        ('<span style="color:red">x</span><font>y</font>', "xy"),
        ("<mx-reply><b>old</b></mx-reply>new", "new"),
        (
            '<a href="https://matrix.to/#/!r" onclick="x()">r</a>',
            '<a href="https://matrix.to/#/!r">r</a>',
        ),
        ('<ol start="3"><li>x</li></ol>', '<ol start="3"><li>x</li></ol>'),
        ("<code>&lt;b&gt; &amp;</code>", "<code>&lt;b&gt; &amp;</code>"),
        ("<details><summary>s</summary>t</details>", "st"),
    ],
)
def test_the_safelist(html: str, kept: str) -> None:
    assert phone_page.safe(html) == kept


def test_an_edit_stands_in_its_place_if_it_is_by_the_same_person() -> None:
    folded = phone_page.fold(
        [
            said("$1", BOT, "✋ bo asks"),
            said("$2", BOT, "* ⛔ denied", **replaces("$1", "⛔ denied")),
            said("$3", BO, "* forged", **replaces("$1", "forged")),
        ]
    )
    assert [message.newest.text for message in folded.values()] == ["⛔ denied"]
    page = phone_page.room("Ops", folded, folded, BO)
    assert "(edited)" in page
    assert "bo asks" not in page


def test_reactions_stand_below_and_what_was_removed_is_gone() -> None:
    removed = event_of("$2", BOT, "m.room.message", {})
    untapped = event_of("$5", BO, "m.reaction", {})
    folded = phone_page.fold(
        [
            said("$1", BOT, "✋ asks"),
            removed,
            *(taps(f"$t{n}", BO, "$1", "✅") for n in (1, 2)),
            untapped,
        ]
    )
    page = phone_page.room("Ops", folded, folded, BO)
    assert "<span>✅ 2</span>" in page
    assert "Message removed" in page


def test_what_is_removed_later_goes_as_well() -> None:
    def removes(event: str, by: str, about: str) -> Said:
        return event_of(event, by, "m.room.redaction", {"redacts": about, "reason": "read"})

    messages = phone_page.fold(
        [
            said("$1", BOT, "✋ card"),
            taps("$2", BOT, "$1", "✅"),
            taps("$3", BO, "$1", "✅"),
            taps("$4", BOT, "$1", "❌"),
            removes("$5", BOT, "$2"),
            removes("$6", BOT, "$4"),
            said("$7", BOT, "🔑 secret"),
            removes("$8", BOT, "$7"),
        ]
    )
    assert +messages["$1"].reactions == {"✅": 1}
    assert "secret" not in messages["$7"].html
    drawn = phone_page.room("Ops room", messages, messages, BO)
    assert "❌" not in drawn
    assert "✅" in drawn


def test_a_reply_shows_two_lines_and_nothing_of_a_stranger_is_markup() -> None:
    relation = {"m.relates_to": {"m.in_reply_to": {"event_id": "$1"}}}
    folded = phone_page.fold(
        [
            said("$1", BO, "!users\n<script>x</script>\nthird"),
            said("$2", BOT, "📋 <b>", **relation),
        ]
    )
    page = phone_page.room("Ops", ["$2"], folded, BO)
    assert "!users<br>&lt;script&gt;x&lt;/script&gt;</div>" in page
    assert "📋 &lt;b&gt;" in page
    assert "third" not in page


def test_what_pushes_is_text_with_a_mention_and_shows_44_characters() -> None:
    mention = {"m.mentions": {"user_ids": [BO]}}
    notice = {"msgtype": "m.notice"}
    folded = phone_page.fold(
        [
            said("$1", BOT, "❗ " + "x" * 60 + "\nmore", **mention),
            said("$2", BOT, "🔔 news", **{**mention, **notice}),
            said("$3", BOT, "📋 an answer"),
        ]
    )
    assert [message.pushes for message in folded.values()] == [True, False, False]
    shown = phone_page.push(folded["$1"])
    assert len(shown) == 44
    assert shown.endswith("x…")


@pytest.mark.parametrize(
    ("line", "clear"),
    [
        ("✋ bo asks: deactivate @max · #29", True),
        ("✋ 30 min left to vote: deactivate @q07zx, asked by cy · #64", True),
        ("✅ Deactivated @max · #29", True),
        ("❌ !config failed: Conduit does not answer.", True),
        ("❗ Conduit has not answered since 12:34 UTC: busy, or stuck.", True),
        ("✋ #64 still needs 1 vote: cy, ana or dan.", False),
        ("✋ somebody with a long name asks you: deactivate @max · #29", False),
        ("⛔ Not run: it waited too long for its turn.", False),
        ("⛔ Denied by dan, who knows him: deactivate @maximilian · #29", False),
    ],
)
def test_a_push_names_its_command_and_its_object(line: str, clear: bool) -> None:
    message = phone_page.fold([said("$1", BOT, line)])["$1"]
    assert (not pictures.unclear(message, frozenset(COMMANDS))) == clear


def test_the_script_of_the_evening_can_be_read() -> None:
    lines = evening.SCRIPT.read_text().split("\n= ")[1:]
    steps = [line for scene in lines for line in scene.split("\n")[1:] if line]
    for step in steps:
        if step[0] == "(":
            assert hasattr(evening.Evening, step[1:-1].replace(" ", "_")), step
        elif step[0] != "[":
            assert evening.STEP.fullmatch(step), step


def test_all_packages_of_the_client_are_pinned() -> None:
    text = (Path(client.__file__).parent / "package.json").read_text()
    assert not re.search(r'": "[\^~*]|latest|https?:', text)


async def test_faults_are_found_on_a_page(tmp_path: Path) -> None:
    if not browser.found():
        pytest.skip("no Chromium here")
    texts = {
        "fine": "📋 fine",
        "tag": "📋 a &lt;b&gt; and <code>&lt;b&gt;</code>",
        "markdown": "📋 **loud**",
        "long": "✋ one<br>" + "line<br>" * 12,
    }
    folded = phone_page.fold(
        [said(f"${name}", BOT, "📋", **formatted(text)) for name, text in texts.items()]
    )
    folded["$long"].newest = said("$long", BOT, "✋ one", **formatted(texts["long"]))
    wide = f'<div class="Timeline_messageBody">📋 <pre>{"x" * 80}</pre></div>'
    (tmp_path / "page.html").write_text(phone_page.room("Ops", folded, folded, BO) + wide)
    async with (
        aiohttp.ClientSession() as http,
        client.served(tmp_path) as base,
        browser.Browser(http, tmp_path) as phone,
    ):
        page = await phone.page(f"{base}/page.html")
        faults = await page.js(pictures.FAULTS)
    told = "\n".join(faults)
    for fault in ("shows <b>", "shows **", "has 13 lines, 10 are enough", "scrolls sideways"):
        assert fault in told
    assert not re.search("fine", told)
