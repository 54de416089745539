"""What people and other bots call things: words, accounts, rooms and searches in every form."""

from __future__ import annotations

import pytest

from sluice.chat import lists
from sluice.text.phrases import Here
from sluice.text.times import Clock
from sluice.typed.parse import Missing, NotRun, parse
from sluice.typed.read import read, read_line
from sluice.typed.values import NeedsRoom

SERVER = "example.org"
LINK = "https://matrix.to/#/"
HERE = Here(SERVER, Clock(0.0))


def account_of(line: str) -> str:
    content = {"msgtype": "m.text", "body": line}
    typed = read(content, bot="@sluice:example.org")
    assert typed is not None
    assert not isinstance(typed, NotRun)
    return str(parse(typed, server=SERVER).get("user"))


# --- accounts, rooms and numbers in every form


@pytest.mark.parametrize(
    "form",
    [
        "alice",
        "@alice",
        "Alice",
        "@Alice",
        "@alice:example.org",
        "@Alice:Example.org",
        "alice:example.org",
        "alice@example.org",
        "@alice@example.org",
        "mailto:alice@example.org",
        "<@alice:example.org>",
        "(@alice:example.org)",
        "[@alice:example.org]",
        "`@alice:example.org`",
        "**@alice:example.org**",
        "“@alice:example.org”",
        "‘alice’",
        "@alice:example.org,",
        "@alice:example.org.",
        "@alice:example.org:",
        "@alice:example.org?",
        "(alice@example.org);",
        "%40alice%3Aexample.org",
        "\u200b@alice:example.org\u2069",
        f"{LINK}@alice:example.org",
        f"{LINK}%40alice%3Aexample.org?via=example.org",
        f"<{LINK}@alice:example.org>",
        f"({LINK}@alice:example.org),",
        "matrix:u/alice:example.org",
        "https://app.element.io/#/user/@alice:example.org",
        "https://chat.example.org/web/#/user/@alice:example.org.",
        f'"Al" ({LINK}@alice:example.org)',
        f'"Al"({LINK}@alice:example.org)',
        f"[Al]({LINK}@alice:example.org)",
        f"[Al](<{LINK}@alice:example.org>),",
        f"Alice ({LINK}@alice:example.org)",
    ],
)
def test_every_form_of_an_account_is_that_account(form: str) -> None:
    assert account_of(f"!deactivate {form} reason x") == "@alice:example.org"
    assert account_of(f"!who {form}") == "@alice:example.org"


@pytest.mark.parametrize(
    "form", ["@al:matrix.org", "al@matrix.org", "@al@matrix.org", "<@al:matrix.org>,"]
)
def test_an_account_of_another_server_is_that_and_no_other(form: str) -> None:
    assert account_of(f"!who {form}") == "@al:matrix.org"


@pytest.mark.parametrize("form", ["al:hunter2", "al:matrix.org", "@ü", "al ice@", "é@x.org"])
def test_what_is_no_account_is_none(form: str) -> None:
    with pytest.raises(NotRun):
        account_of(f"!deactivate {form}")


@pytest.mark.parametrize("server", ["exmaple.org", "example.or", "exampl.org", "Exampel.org"])
def test_a_slip_in_our_own_server_is_said(server: str) -> None:
    with pytest.raises(NotRun) as caught:
        account_of(f"!deactivate @alice:{server}")
    assert "Did you mean @alice:example.org?" in str(
        [getattr(part, "text", part) for line in caught.value.lines for part in line]
    ).replace("', '", "")


def room_of(form: str) -> str:
    try:
        return str(parse(read_line(f"disableroom {form}"), server=SERVER).get("room"))
    except NeedsRoom as needed:
        return needed.alias


@pytest.mark.parametrize(
    "form",
    [
        "#garden",
        "#garden:example.org",
        "garden:example.org",
        "<#garden:example.org>",
        "(#garden:example.org).",
        "“#garden”",
        "#garden:example.org,",
        "#garden:Example.org",
        "%23garden%3Aexample.org",
        f"{LINK}%23garden%3Aexample.org?via=a.org",
        f"{LINK}#garden:example.org",
        "matrix:r/garden:example.org",
        "https://app.element.io/#/room/#garden:example.org",
        f"[Garden]({LINK}#garden:example.org)",
        f'"Garden" ({LINK}#garden:example.org)',
    ],
)
def test_every_form_of_a_rooms_address_is_that_address(form: str) -> None:
    assert room_of(form) == "#garden:example.org"


V12 = "!31hneApxJ_1o-63DmFrpeqnkFfWppnwWso1JvH3ogLM"


@pytest.mark.parametrize("room", ["!9fKq:example.org", V12])
@pytest.mark.parametrize(
    "form", ["{}", "<{}>", "({}),", f"{LINK}{{}}?via=a.org&via=b.org", "`{}`", "{}?"]
)
def test_every_form_of_a_rooms_id_is_that_id(room: str, form: str) -> None:
    assert room_of(form.format(room)) == room


def test_a_bare_name_is_no_room_and_the_address_is_named() -> None:
    with pytest.raises(NotRun) as caught:
        room_of("garden")
    assert "#garden:example.org" in str(caught.value.lines)


@pytest.mark.parametrize(
    "form",
    [
        "12",
        "#12",
        "12!",
        "12?",
        "12:",
        "12,",
        "12.",
        "(12)",
        "“12”",
        "№12",
        "nr 12",
        "Nr. 12",
        "no. 12",
        "number 12",
        "#12.",
        "request 12",
        "request #12",
        "nr.12",
        "**12**",
        "12…",
    ],
)
@pytest.mark.parametrize("command", ["why", "approve", "cancel", "deny", "more"])
def test_every_form_of_a_number_is_that_number(command: str, form: str) -> None:
    assert parse(read_line(f"{command} {form}"), server=SERVER).get("request") == 12


@pytest.mark.parametrize(
    "line",
    [
        "12: ask him",
        "12, ask him",
        "12 - ask him",
        "12 — ask him",
        "#12 reason: ask him",
        "nr 12 ask him",
        "12; ask him",
        "12! ask him",
        "no. 12, reason ask him",
    ],
)
def test_the_reason_of_a_denial_is_what_stands_behind(line: str) -> None:
    said = parse(read_line(f"deny {line}"), server=SERVER)
    assert (said.get("request"), said.get("why")) == (12, "ask him")


@pytest.mark.parametrize("line", ["registration on, for 1h", "registration on for 1h!"])
def test_punctuation_between_words_means_nothing(line: str) -> None:
    said = parse(read_line(line), server=SERVER)
    assert (said.get("state"), said.get("for")) == ("on", 3600)


def test_a_reason_behind_punctuation_is_the_reason() -> None:
    said = parse(read_line("deactivate @spam:example.org, reason x"), server=SERVER)
    assert (said.values("user"), said.reason) == (("@spam:example.org",), "x")


def test_an_account_in_place_of_a_file_is_told_what_is_about_accounts() -> None:
    with pytest.raises(NotRun) as caught:
        parse(read_line("block @max:example.org"), server=SERVER)
    assert "!blockuser @max:example.org" in str(caught.value.lines)


def test_a_file_or_event_may_be_followed_by_punctuation() -> None:
    made = parse(read_line("mediainfo <mxc://example.org/abc>."), server=SERVER)
    assert made.values("mxc") == ("mxc://example.org/abc",)
    with pytest.raises(Missing):
        parse(read_line("mediainfo"), server=SERVER)


# --- searches

NAMES = ("spam1", "spambot", "xspam", "ana", "spin")


def found(pattern: str) -> str:
    accounts = [f"@{name}:{SERVER}" for name in NAMES]
    return lists.users(HERE, accounts, pattern)[0].body


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("spam", ("spam1", "spambot", "xspam")),
        ("SPAM", ("spam1", "spambot", "xspam")),
        ("@spam", ("spam1", "spambot", "xspam")),
        ("“spam”", ("spam1", "spambot", "xspam")),
        ("*spam*", ("spam1", "spambot", "xspam")),
        (".*spam.*", ("spam1", "spambot", "xspam")),
        ("spam*", ("spam1", "spambot")),
        ("@spam*", ("spam1", "spambot")),
        ("@spam*:example.org", ("spam1", "spambot")),
        ("^spam", ("spam1", "spambot")),
        ("*spam", ("xspam",)),
        ("spam$", ("xspam",)),
        ("sp?n", ("spin",)),
        ("@spam1:example.org", ("spam1",)),
        ("@Spam1:Example.org", ("spam1",)),
        ("spam1@example.org", ("spam1",)),
    ],
)
def test_a_pattern_is_read_as_what_it_means(pattern: str, names: tuple[str, ...]) -> None:
    said = found(pattern).split(": ")[-1].split(", ")
    assert tuple(sorted(said)) == tuple(sorted(names))


@pytest.mark.parametrize("pattern", ["@spam:matrix.org", "späm", "спам", "a@b@c"])
def test_a_pattern_that_can_match_nothing_says_so(pattern: str) -> None:
    with pytest.raises(NotRun) as caught:
        parse(read_line(f"users {pattern}"), server=SERVER)
    assert "is in no name of example.org" in str(caught.value.lines)


def test_the_server_is_in_every_address_and_said_to_be() -> None:
    with pytest.raises(NotRun):
        parse(read_line("rooms Example.org"), server=SERVER)


@pytest.mark.parametrize(
    ("span", "seconds"),
    [
        ("1 h", 3600),
        ("1 hour", 3600),
        ("an hour", 3600),
        ("60 min", 3600),
        ("2 hours", 7200),
        ("1 hour and 30 minutes", 5400),
        ("1h 30m", 5400),
        ("a day", 86400),
        ("90 mins.", 5400),
    ],
)
def test_a_span_in_words_is_that_span(span: str, seconds: int) -> None:
    assert parse(read_line(f"registration on for {span}"), server=SERVER).get("for") == seconds


ROOMS = (
    lists.RoomRow("!gGd:example.org", 310, "Garden club", "#garden:example.org"),
    lists.RoomRow("!pho:example.org", 20, "Photos", "#photos:example.org"),
    lists.RoomRow("!odd:matrix.org", 5, None, None),
)


@pytest.mark.parametrize(
    ("pattern", "rooms"),
    [
        ("garden", 1),
        ("#garden", 1),
        ("#garden:example.org", 1),
        ("garden:example.org", 1),
        ("garden*", 1),
        ("club", 1),
        ("^Photo", 1),
        ("!gGd:example.org", 1),
        ("!ggd", 1),
        ("example", 0),
        ("matrix.org", 0),
        ("o", 2),
    ],
)
def test_the_server_of_a_room_is_not_searched(pattern: str, rooms: int) -> None:
    said = lists.rooms(HERE, ROOMS, pattern)[0].body
    assert said.startswith(f"📋 {rooms or 'None'} of 3 rooms match"), said
