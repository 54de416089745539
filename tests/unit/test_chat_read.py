"""What people type and tap on their phones, and what is read from it.

SLUICE_RUNS=1000000 makes the search for contents that raise as long as wanted.
"""

from __future__ import annotations

import copy
import json
import os
import random
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sluice.model.command import Manner, Typed
from sluice.model.request import Side
from sluice.text.message import plain
from sluice.typed.parse import NotRun
from sluice.typed.read import edit_of, mentions_bot, reaction, read, read_line, said, side

BOT = "@sluice:example.org"
RUNS = int(os.environ.get("SLUICE_RUNS", "3000"))
PEOPLE = {"ana": ("@ana:example.org", "@ana:matrix.org"), "bo": ("@bo:example.org",)}


def called(name: str) -> tuple[str, ...]:
    return PEOPLE.get(name, ())


LINK = "https://matrix.to/#/"


def text(body, html=None, **more):
    content = {"msgtype": "m.text", "body": body, **more}
    if html is not None:
        content |= {"format": "org.matrix.custom.html", "formatted_body": html}
    return content


def reply(body, html=None, to="$card"):
    return text(body, html, **{"m.relates_to": {"m.in_reply_to": {"event_id": to}}})


def typed(content):
    found = read(content, bot=BOT, prefix="!", people=called)
    assert isinstance(found, Typed), f"{content['body']!r} was read as {found!r}"
    return found


def refusal(content):
    found = read(content, bot=BOT, prefix="!", people=called)
    assert isinstance(found, NotRun), f"{content['body']!r} was read as {found!r}"
    return "Not run: " + " ".join(plain(line) for line in found.lines)


@pytest.mark.parametrize(
    "body",
    [
        "!adduser alice",
        "! Adduser alice.",
        "！adduser  alice",
        "@sluice !adduser alice",
        "@sluice:example.org: !adduser alice",
        "Sluice, !adduser alice",
        f"[Sluice the bot]({LINK}@sluice:example.org) !adduser alice",
        "!adduser\u00a0alice",
        "!ADDUSER “alice”",
        "!adduser ‘alice’",
        "!adduser `alice`",
        "  !adduser alice .",
    ],
)
def test_scene_9_every_way_to_type_adduser_alice_is_the_same(body):
    found = typed(text(body))
    assert (found.word, found.words, found.rest.strip("“”‘’`")) == ("adduser", ("alice",), "alice")


@pytest.mark.parametrize(
    "body",
    [
        "!create_user @alice:example.org",
        f"!create-user {LINK}@alice:example.org",
        f"!create-user {LINK}%40alice%3Aexample.org?via=example.org",
        f"!create-user [@alice:example.org]({LINK}@alice:example.org)",
        f"!create-user [Alice \\[she\\]](<{LINK}@alice:example.org>).",
        "!create-user matrix:u/alice:example.org?action=chat",
    ],
)
def test_scene_9_pills_and_links_are_the_account_they_mean(body):
    found = typed(text(body))
    assert (found.word, found.words) == ("create-user", ("@alice:example.org",))
    assert found.rest == "@alice:example.org"


@pytest.mark.parametrize(
    "content",
    [
        text("!!"),
        text("!"),
        text("!9fKq:example.org is odd"),
        text("> !adduser alice\n\nwhy?"),
        text("`!adduser alice` is it"),
        text("!adduser alice", "<code>!adduser</code> alice"),
        text("well, !adduser alice"),
        text("!adduser alice") | {"msgtype": "m.notice"},
        text("!adduser alice") | {"msgtype": "m.emote"},
        text("!adduser alice") | {"msgtype": ["m.text"]},
        text("* !adduser alice", **{"m.relates_to": {"rel_type": "m.replace", "event_id": "$1"}}),
        {"msgtype": "m.text"},
        {},
    ],
)
def test_scene_9_chat_quotes_code_notices_and_edits_never_run(content):
    assert read(content, bot=BOT, prefix="!", people=called) is None


@pytest.mark.parametrize(
    "content",
    [
        text("> !adduser alice"),
        text("> quoted\n\n!adduser alice"),
        text("```\n!adduser alice\n```"),
        text("`!adduser alice`"),
        text("!adduser alice", "<pre><code>!adduser alice</code></pre>"),
        text("!adduser alice", "<blockquote>!adduser alice</blockquote>"),
    ],
)
def test_what_is_nothing_but_code_or_a_quote_is_asked(content):
    assert typed(content) == Typed("adduser", "alice", ("alice",), manner=Manner.SHOWN)


def test_scene_9_a_first_word_that_is_no_command_is_left_to_the_catalog():
    assert typed(text("!important read this")).word == "important"


def test_the_quote_of_a_reply_is_never_read():
    body = "> <@eve:example.org> !deactivate @ana:example.org\n> more\n\n!who"
    html = (
        "<mx-reply><blockquote><a href='https://matrix.to/#/@eve:x'>e</a></blockquote></mx-reply>"
    )
    found = typed(reply(body, html + "!who"))
    assert (found.word, found.words, found.reply_to) == ("who", (), "$card")


def test_a_thread_is_no_reply_but_a_reply_in_a_thread_is():
    relation = {"rel_type": "m.thread", "event_id": "$root", "m.in_reply_to": {"event_id": "$x"}}
    fallback = text("!who", **{"m.relates_to": {**relation, "is_falling_back": True}})
    assert typed(fallback).reply_to is None
    assert typed(text("!who", **{"m.relates_to": relation})).reply_to == "$x"


def test_a_pill_whose_name_only_is_in_the_body_is_found_by_its_place():
    html = f'!deactivate <a href="{LINK}@spam:example.org">Cheap pills</a> reason Cheap pills'
    found = typed(text("!deactivate Cheap pills reason Cheap pills", html))
    assert (found.words, found.reason) == (("@spam:example.org",), "Cheap pills")


def test_the_place_is_right_when_the_name_stands_in_other_words_too():
    html = f'!deactivate eve reason asks <a href="{LINK}@other:example.org">eve</a>'
    found = typed(text("!deactivate eve reason asks eve", html))
    assert (found.words, found.reason) == (("eve",), "asks @other:example.org")


def test_pills_are_mapped_in_order_where_the_body_is_markdown():
    a, b = (f'<a href="{LINK}@{n}:example.org">{n.title()}</a>' for n in ("mia", "noa"))
    found = typed(text("!adduser Mia Noa reason **new**", f"!adduser {a} {b} reason <b>new</b>"))
    assert found.words == ("@mia:example.org", "@noa:example.org")


def test_a_name_that_stands_more_often_than_its_pill_is_not_guessed():
    html = f'!deactivate eve <b>reason</b> <a href="{LINK}@other:example.org">eve</a>'
    assert refusal(text("!deactivate eve **reason** eve", html)).endswith("account by hand.")


def test_a_bot_pill_in_front_is_a_mention_whatever_it_is_called():
    html = f'<a href="{LINK}{BOT}">The Gate</a>: !users spam'
    found = typed(text("The Gate: !users spam", html))
    assert (found.word, found.words) == ("users", ("spam",))


@pytest.mark.parametrize(
    ("body", "html"),
    [
        ("!deactivate Ana", f'!deactivate <a href="{LINK}@eve:example.org">Ana</a>'),
        (f"!deactivate [Ana]({LINK}@eve:example.org)", None),
    ],
)
def test_scene_58_a_link_that_shows_one_person_and_means_another_is_refused(body, html):
    assert refusal(text(body, html)) == (
        "Not run: that link shows “Ana” but points to @eve:example.org. Type the account by hand."
    )


@pytest.mark.parametrize(
    ("body", "html"),
    [
        ("!deactivate @max:x", f'!deactivate <a href="{LINK}@eve:x">@max:x</a>'),
        (f"!deactivate [@max:x]({LINK}@eve:x)", None),
        (f"!deactivate [@max]({LINK}@eve:x)", None),
        ("!deactivate @max:x", f'!deactivate <a href="{LINK}@eve:x">Max</a>'),
        ("!deactivate xMaxy", f'!deactivate x<a href="{LINK}@eve:x">Max</a>y'),
        ("!rmalias #a:x", f'!rmalias <a href="{LINK}#b:x">#a:x</a>'),
        ("!deactivate max", f'!deactivate max<a href="{LINK}@eve:x"></a>'),
    ],
)
def test_body_and_pill_that_name_different_accounts_are_refused(body, html):
    assert "but points to" in refusal(text(body, html))


def test_a_wrong_link_in_chat_is_no_command_to_be_refused():
    html = f'!important: <a href="{LINK}@eve:example.org">Ana</a>'
    assert read(text("!important Ana", html), bot=BOT, people=called) == Typed(
        "important", "Ana", ("Ana",)
    )


@pytest.mark.parametrize(
    ("link", "means"),
    [
        (f"{LINK}%23warez%3Aexample.org", "#warez:example.org"),
        (f"{LINK}!9fKq:example.org?via=example.org&via=b.org", "!9fKq:example.org"),
        (f"{LINK}!9fKq/$Lw3abc?via=example.org", "$Lw3abc"),
        ("matrix:r/warez:example.org", "#warez:example.org"),
        ("matrix:roomid/9fKq:example.org/e/Lw3abc", "$Lw3abc"),
        (f"{LINK}@a%20--force:example.org", f"{LINK}@a%20--force:example.org"),
        (f"{LINK}nonsense", f"{LINK}nonsense"),
        ("https://evil.example/#/@a:b", "https://evil.example/#/@a:b"),
    ],
)
def test_links_are_one_word_of_the_room_event_or_account_they_mean(link, means):
    assert typed(text(f"!who {link}")).words == (means,)


@pytest.mark.parametrize("dash", ["--", "—", "–", "-—", "－－", "‑"])
def test_any_dash_is_a_flag_but_a_single_hyphen_is_kept_to_be_refused(dash):
    assert typed(text(f"!deactivate @a:b {dash}Leave-Rooms")).words == ("@a:b", "--leave-rooms")
    assert typed(text("!users -h")).words == ("-h",)
    assert typed(text("!users a—b")).words == ("a—b",)


def test_the_reason_is_the_rest_of_the_line_as_typed():
    found = typed(text("!deactivate @spam:example.org Reason: cy’s  “casino” links—6 rooms."))
    assert found.words == ("@spam:example.org",)
    assert found.reason == "cy’s “casino” links—6 rooms"
    assert typed(text("!deactivate @a:b reason")).reason is None


def test_further_lines_and_code_blocks_are_the_list():
    body = "!deactivateall reason spam\n```text\n @s01:x \n\n@s02:x\n```"
    found = typed(text(body, "<p>!deactivateall reason spam</p><pre><code>@s01:x</code></pre>"))
    assert (found.words, found.reason, found.lines) == ((), "spam", ("@s01:x", "@s02:x"))


def test_another_prefix_is_taken_exactly():
    assert read(text("sl:users"), bot=BOT, prefix="sl:") == Typed("users")
    assert read(text("!users"), bot=BOT, prefix="sl:") is None


def test_a_line_without_a_message_may_lack_the_prefix():
    assert read_line("adduser al") == read_line("!adduser al") == read_line("！ adduser al")
    assert read_line("deactivateall\n@s01:x").lines == ("@s01:x",)
    assert read_line("") == read_line("\n") == read_line("???") == Typed("")


def test_an_edit_gives_what_it_edits_and_the_new_content():
    new = text("!adduser alice")
    relation = {"rel_type": "m.replace", "event_id": "$1"}
    assert edit_of({**text("* x"), "m.new_content": new, "m.relates_to": relation}) == ("$1", new)
    assert edit_of({**text("x"), "m.new_content": 3, "m.relates_to": relation}) is None
    assert edit_of(text("x")) is None


@pytest.mark.parametrize("key", ["✅", "☑️", "✔️", "👍", "👍️", "👍🏿"])
def test_keys_that_approve_whatever_the_phone_adds(key):
    relation = {"rel_type": "m.annotation", "event_id": "$1", "key": key}
    found = reaction({"m.relates_to": relation})
    assert found is not None
    assert (found.event_id, found.side, found.choice) == ("$1", Side.APPROVE, None)


@pytest.mark.parametrize(
    ("key", "side", "choice"),
    [
        ("❌", Side.DENY, None),
        ("✖️", Side.DENY, None),
        ("👎🏽", Side.DENY, None),
        ("1️⃣", None, 1),
        ("9⃣", None, 9),
        ("0️⃣", None, None),
        ("🚫", Side.DENY, None),
        ("⛔️", Side.DENY, None),
        ("🛑", Side.DENY, None),
        ("❎", Side.DENY, None),
        ("🙅🏽‍♂️", Side.DENY, None),
        ("🙅‍♀", Side.DENY, None),
        ("no", Side.DENY, None),
        ("🎉", None, None),
        ("yes", None, None),
        ("", None, None),
    ],
)
def test_keys_that_deny_choose_or_say_nothing(key, side, choice):
    relation = {"rel_type": "m.annotation", "event_id": "$1", "key": key}
    found = reaction({"m.relates_to": relation})
    assert found is not None
    assert (found.side, found.choice) == (side, choice)


def test_a_reply_to_a_question_is_read_with_its_pills():
    html = f'<a href="{LINK}@alice:example.org">Al</a>'
    found = said(reply("Al", html), BOT)
    assert found is not None
    assert not isinstance(found, NotRun)
    assert (found.text, found.reply_to) == ("@alice:example.org", "$card")


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (text("@sluice hello"), True),
        (text("what does @sluice:example.org do?"), True),
        (text("hi Gate", f'hi <a href="{LINK}{BOT}">Gate</a>'), True),
        (text("hi", **{"m.mentions": {"user_ids": [BOT]}}), True),
        (reply("thanks") | {"m.mentions": {"user_ids": [BOT]}}, False),
        (text("hi", **{"m.mentions": {"user_ids": {"a": 1}}}), False),
        (text("a sluice is a gate"), False),
    ],
)
def test_who_answers_the_bot_does_not_mention_it(content, named):
    assert mentions_bot(content, BOT) is named


# --- hostile contents ---

SEEDS = [
    reply("> <@a:b> x\n\n!adduser alice", "<mx-reply>x</mx-reply>!adduser alice"),
    text(f"!who [@a:b]({LINK}@a:b) —x", f'!who <a href="{LINK}@a:b">@a:b</a> —x'),
    text("@sluice !purge mxc://a/b reason x\n```\nmxc://a/c\n```", "<p>x</p><pre>y</pre>"),
    {"m.relates_to": {"rel_type": "m.annotation", "event_id": "$1", "key": "👍🏿"}},
    text("* !x", **{"m.relates_to": {"rel_type": "m.replace", "event_id": "$1"}})
    | {"m.new_content": text("!x"), "m.mentions": {"user_ids": [BOT]}},
]
ODD = [
    None,
    True,
    0,
    -1.5,
    10**30,
    "",
    "\ud800",
    "!",
    "！",
    "<",
    "<a href='",
    "[x](",
    [],
    {},
    [{}],
]
ODD += [
    LINK,
    "\u2028!users",
    "\x00",
    "> ",
    "`" * 5,
    "!" * 50,
    "<a " * 50,
    "[" * 50,
    "—",
    {"a": []},
]


def mutated(rng):
    content = copy.deepcopy(rng.choice(SEEDS))
    for _ in range(rng.randint(1, 4)):
        place = content
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = rng.choice(keys)
            if isinstance(place[key], (dict, list)) and place[key] and rng.random() < 0.7:
                place = place[key]
                continue
            value = place[key]
            if isinstance(value, str) and rng.random() < 0.7:
                cut = rng.randint(0, len(value))
                odd = rng.choice([o for o in ODD if isinstance(o, str)])
                place[key] = value[:cut] + odd + value[cut + rng.randint(0, 3) :]
            else:
                place[key] = copy.deepcopy(rng.choice(ODD))
            break
    return content


def everything(content):
    read(content, bot=BOT, prefix="!", people=called)
    said(content, BOT, called)
    edit_of(content)
    reaction(content)
    side(content)
    mentions_bot(content, BOT)


def test_no_content_raises():
    rng = random.Random(2026)
    for number in range(RUNS):
        content = mutated(rng)
        try:
            everything(content)
        except Exception as error:
            raise AssertionError(f"mutation {number}: {content!r}") from error


relaxed = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["body", "m.relates_to", "event_id", "key"]), inner)
    ),
    max_leaves=8,
)


@relaxed
@given(st.dictionaries(st.sampled_from([*SEEDS[0], *SEEDS[4]]), json_values))
def test_no_json_at_any_place_raises(content):
    everything(content | {"msgtype": "m.text"})
    everything(content)


@relaxed
@given(st.text())
def test_a_typed_word_is_always_a_plain_word_and_words_hold_no_blank(line):
    for found in (read_line(line), read(text("!" + line), bot=BOT)):
        if isinstance(found, Typed) and found.word:
            assert found.word.isascii()
            assert not any(char.isspace() for word in found.words for char in word)


LONG = [
    "!who " + "[" * 60000,
    "!who " + "[a](https://matrix.to/#/x" * 2400,
    "!who " + "matrix:u/" * 6000,
    "!" + "a" * 60000,
    "!who " + "“" * 60000,
    "!who\n" + "> x\n" * 15000,
    "!who " + "—" * 60000,
    "@sluice" + " " * 60000 + "!who",
]
LONG_HTML = ["<" * 60000, "<a" * 30000, "<" + "a" * 60000, "<a href='" * 6000, "&" * 60000]
LONG_HTML += [f'<a href="{LINK}@{n}:x">y{n}</a>' * 9 for n in range(3)]
LONG_HTML += ["".join(f'<a href="{LINK}@{n}:x">y</a>' for n in range(1400))]


@pytest.mark.parametrize("number", range(len(LONG) + len(LONG_HTML)))
def test_the_largest_event_is_read_in_a_moment(number):
    bodies = [text(body) for body in LONG] + [text("!who y " * 4000, html) for html in LONG_HTML]
    start = time.perf_counter()
    everything(bodies[number])
    assert time.perf_counter() - start < 1.5


def test_one_line_is_read_within_200_microseconds():
    html = f'!deactivate <a href="{LINK}@spam:example.org">Cheap pills</a> reason casino links'
    content = json.loads(json.dumps(text("!deactivate Cheap pills reason casino links", html)))
    best = min(_timed(content) for _ in range(5))
    assert best < 200e-6, f"{best * 1e6:.0f} µs"


def _timed(content):
    start = time.perf_counter()
    for _ in range(100):
        read(content, bot=BOT, prefix="!", people=called)
    return (time.perf_counter() - start) / 100
