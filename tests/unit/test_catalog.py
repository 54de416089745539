"""The table of commands, and what is made of typed words."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.catalog.table import COMMANDS, alias, alike, find, in_group, near, nearest
from sluice.families.replies import SERVER_COMMANDS
from sluice.model.command import Invocation, Right, Tag, Type, Typed
from sluice.text.message import MAX_HEAD, Sign, Topic, plain
from sluice.text.phrases import say
from sluice.typed.needs import Bad, offer
from sluice.typed.parse import (
    AskFirst,
    Missing,
    NeedsMedia,
    NeedsRoom,
    NeedsTopic,
    NotRun,
    canonical,
    date,
    duration,
    parse,
    reserved,
    targets,
    users,
)
from sluice.typed.read import read_line

SERVER = "example.org"
NOW = 1_795_616_400.0  # 25 Nov 2026 14:20 UTC


def typed(line: str, **more: Any) -> Invocation:
    return parse(read_line(line), server=SERVER, now=NOW, **more)


def refusal(line: str, **more: Any) -> list[str]:
    """The lines of a refusal; each of its texts fits a notification."""
    with pytest.raises(NotRun) as caught:
        typed(line, **more)
    message = say(Sign.NOT_RUN, ("Not run: ", *caught.value.lines[0]), *caught.value.lines[1:])
    assert len(message.body.split("\n")[0]) <= MAX_HEAD
    return [plain(text) for text in caught.value.lines]


def question(line: str) -> list[str]:
    with pytest.raises(AskFirst) as caught:
        typed(line)
    return [plain(text) for text in caught.value.lines]


# --- the table


GROUPS = {
    Tag.READ: "users who rooms registration config memory federation appservices help.server",
    Tag.INSPECT: "media mediainfo blocked",
    Tag.CHANGE: "adduser resetpw registration.set enableroom unblock clearcache",
    Tag.SECRET: "adduser resetpw",
    Tag.DESTRUCTIVE: "deactivate deactivateall disableroom rmalias rmappservice purge purgeuser"
    " purgeserver block blockuser",
}
OWN = (
    "who help can why pending approve deny cancel resolve more log policy status pause resume"
    " glass trust reload version board"
)
LEFT_OUT = {
    "sign-json", "hash-and-sign-event", "show-media", "register-appservice", "parse-pdu",
    "verify-json", "get-auth-chain",
}  # fmt: skip


@pytest.mark.parametrize("tag", list(Tag))
def test_a_group_holds_exactly_its_commands(tag: Tag) -> None:
    assert in_group(f"#{tag.value}") == set(GROUPS[tag].split())
    reads_messages = {"event"} if tag is Tag.INSPECT else set()
    assert in_group(f"#{tag.value}", held_back=True) - in_group(f"#{tag.value}") == reads_messages


def test_the_star_holds_all_commands_with_a_line_and_no_own_ones() -> None:
    own = {c.name for c in COMMANDS.values() if c.own}
    assert own == set(OWN.split())
    assert in_group("*") == set(COMMANDS) - own


def test_an_unknown_group_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing"):
        in_group("#nothing")


def test_every_command_of_the_server_is_offered_or_left_out_on_purpose() -> None:
    offered = {a.word for c in COMMANDS.values() for a in c.aliases}
    assert offered | LEFT_OUT == set(SERVER_COMMANDS)
    assert not offered & LEFT_OUT


@pytest.mark.parametrize("command", COMMANDS.values(), ids=lambda c: c.name)
def test_a_command_says_all_that_is_to_be_known_of_it(command: Any) -> None:
    assert command.summary
    assert command.example
    assert (command.right is Right.POLICY) is not command.own
    assert command.own or command.tags
    assert command.targets is None or command.param(command.targets).type is Type.USER
    names = [p.name for p in command.params]
    assert len(names) == len(set(names))
    for word in (command.name, *(a.word for a in command.aliases)):
        assert find(word) is command
    assert alias(command.name) is None


@pytest.mark.parametrize("command", COMMANDS.values(), ids=lambda c: c.name)
def test_every_example_can_be_typed_as_it_stands(command: Any) -> None:
    rooms = {f"#{name}:example.org": "!9fKq:example.org" for name in ("warez", "old")}
    if command.name == "deactivateall":
        return  # its list follows on further lines
    made = typed(command.example, rooms=rooms)
    assert made.command == command.name
    assert typed(canonical(made), rooms=rooms).args == made.args or command.own


NEAR = [
    ("aduser", ["adduser"]),
    ("deactivte", ["deactivate"]),
    ("adusser", ["adduser"]),
    ("uesrs", ["users"]),
    ("user", ["users"]),
    ("important", []),
    ("the", []),
    ("w", []),
    ("logg", ["log"]),
    ("lgo", []),
    ("x" * 10_000, []),
    ("hello", []),
]


@pytest.mark.parametrize(("word", "names"), NEAR, ids=lambda v: str(v)[:12])
def test_only_a_word_that_is_near_a_command_is_taken_for_one(word: str, names: list[str]) -> None:
    assert [c.name for c in near(word)][:1] == names


@given(st.text(st.characters(max_codepoint=127), max_size=10), st.data())
def test_two_slips_are_found_again_in_a_long_word(word: str, data: Any) -> None:
    long = f"deactivate{word}"
    at = data.draw(st.integers(0, len(long) - 1))
    assert nearest(long[:at] + "~" + long[at + 1 :], [long]) == (long,)
    assert nearest(long[:at] + long[at + 1 :], [long]) == (long,)


# --- what is understood


UNDERSTOOD = [
    ("adduser alice", "adduser", {"user": ("@alice:example.org",)}),
    ("! Adduser alice.", "adduser", {"user": ("@alice:example.org",)}),
    ("！adduser  alice", "adduser", {"user": ("@alice:example.org",)}),
    ("!create_user @alice:example.org", "adduser", {"user": ("@alice:example.org",)}),
    ("!ADDUSER “alice”", "adduser", {"user": ("@alice:example.org",)}),
    ("adduser https://matrix.to/#/@alice:example.org", "adduser",
     {"user": ("@alice:example.org",)}),
    ("adduser\nMia\nNoa\nMia", "adduser", {"user": ("@mia:example.org", "@noa:example.org")}),
    ("resetpw alice —sign-out", "resetpw", {"user": "@alice:example.org", "sign-out": True}),
    ("reset-password alice", "resetpw", {"user": "@alice:example.org"}),
    ("users", "users", {}),
    ("users spam --file", "users", {"pattern": "spam", "file": True}),
    ("registration", "registration", {}),
    ("allow-registration", "registration", {}),
    ("allow-registration false", "registration.set", {"state": "off"}),
    ("registration on for 1h", "registration.set", {"state": "on", "for": 3600}),
    ("registration ON 90m", "registration.set", {"state": "on", "for": 5400}),
    ("clearcache db", "clearcache", {"cache": "db"}),
    ("clearcache service 3", "clearcache", {"cache": "service", "amount": 3}),
    ("clear-database-caches 8", "clearcache", {"cache": "db", "amount": 8}),
    ("media @eve:example.org image since 7d", "media",
     {"user": "@eve:example.org", "type": "image", "since": "2026-11-18T14:20:00"}),
    ("media evil.example 2026-11-16", "media",
     {"server": "evil.example", "since": "2026-11-16T00:00:00"}),
    ("media eve", "media", {"user": "@eve:example.org"}),
    ("media image/png", "media", {"type": "image/png"}),
    ("list-media --user @eve:example.org", "media", {"user": "@eve:example.org"}),
    ("disableroom !v12RoomWithoutServer", "disableroom", {"room": "!v12RoomWithoutServer"}),
    ("rmalias #old", "rmalias", {"alias": "#old:example.org"}),
    ("purge mxc://a/b mxc://a/c", "purge", {"mxc": ("mxc://a/b", "mxc://a/c")}),
    ("purgeuser spam last 7d", "purgeuser", {"user": ("@spam:example.org",), "last": 604800}),
    ("purgeserver Evil.Example last 30d", "purgeserver",
     {"server": "evil.example", "last": 2592000}),
    ("event $Lw3-_x", "event", {"event": "$Lw3-_x"}),
    ("who @troll:evil.example", "who", {"user": "@troll:evil.example"}),
    ("help server create_user", "help.server", {"command": "create-user"}),
    ("help server adduser", "help.server", {"command": "create-user"}),
    ("help server", "help.server", {}),
    ("help adduser", "help", {"topic": "adduser"}),
    ("can @bo adduser al reason x", "can", {"line": "@bo adduser al reason x"}),
    ("glass deactivateall reason x\n@a:b\n@c:d", "glass",
     {"line": "deactivateall reason x\n@a:b\n@c:d"}),
    ("deny 12 he is a regular", "deny", {"request": 12, "why": "he is a regular"}),
    ("deny #12", "deny", {"request": 12}),
    ("approve #12", "approve", {"request": 12}),
    ("resolve 12 Done", "resolve", {"request": 12, "end": "done"}),
    ("more", "more", {}),
    ("pause odd -- requests", "pause", {"why": "odd -- requests"}),
    ("log @bo", "log", {"filter": "@bo"}),
    ("trust cy", "trust", {"person": "cy"}),
]  # fmt: skip


@pytest.mark.parametrize(("line", "name", "args"), UNDERSTOOD, ids=[u[0] for u in UNDERSTOOD])
def test_a_line_is_understood(line: str, name: str, args: dict[str, Any]) -> None:
    made = typed(line)
    assert (made.command, dict(made.args)) == (name, args)


def test_a_reason_is_what_follows_the_word_or_a_last_line_of_its_own() -> None:
    assert typed("deactivate spam reason casino links").reason == "casino links"
    assert typed("deactivate spam\nreason casino links").reason == "casino links"
    assert typed("deactivateall Reason: wave\n@a:example.org").reason == "wave"
    assert typed("deactivateall\n@a:example.org\nreason wave").reason == "wave"


def test_capitals_of_a_typed_name_are_made_small_and_noted() -> None:
    made = typed("adduser Alice")
    assert made.noted == (("@alice:example.org", "Alice"),)
    assert made == typed("adduser alice")
    assert typed("who @Alice").noted == (("@alice:example.org", "Alice"),)


def test_targets_are_the_accounts_that_are_acted_on() -> None:
    assert targets(typed("deactivate spam")) == ("@spam:example.org",)
    assert targets(typed("media @eve:example.org")) == ()
    assert users(typed("media @eve:example.org")) == ("@eve:example.org",)
    assert targets(typed("adduser\nmia\nnoa")) == ("@mia:example.org", "@noa:example.org")


def test_a_request_is_shown_as_it_could_be_typed() -> None:
    assert canonical(typed("adduser Al"), SERVER) == "adduser al"
    assert canonical(typed("registration on for 60m")) == "registration on for 1h"
    line = "deactivate spam --purge-media reason x"
    assert canonical(typed(line)) == "deactivate @spam:example.org --purge-media"


# --- what is not run


REFUSED: list[tuple[str, list[str]]] = [
    ("adduser älice", ["“älice” cannot be a user name. Allowed: a-z 0-9 . _ = / + -"]),
    ("adduser \u212a", ["“\u212a” cannot be a user name. Allowed: a-z 0-9 . _ = / + -"]),
    ("adduser @max:other.example",
     ["I can make accounts of example.org only, not of other.example."]),
    ("create-user alice hunter2",
     ["passwords are never typed here, Conduit makes them.",
      "Delete your message, then: !adduser alice"]),
    ("reset-password alice hunter2",
     ["passwords are never typed here, Conduit makes them.",
      "Delete your message, then: !resetpw alice"]),
    ("adduser alice Hunter2!",
     ["passwords are never typed here, Conduit makes them.",
      "Delete your message, then: !adduser alice",
      "Number 2 is no plain name (a-z 0-9 . _ -), so I took it for one."]),
    ("deactivate @troll:evil.example reason spam",
     ["@troll:evil.example is an account of another server; only evil.example can do that.",
      "Ban it in your rooms. Its server's files here: !media evil.example"]),
    ("resetpw @x:evil.example",
     ["@x:evil.example is an account of another server; only evil.example can do that."]),
    ("adduser -h", ["“-h” starts with a dash; names do not."]),
    ("deactivate spam --leaverooms",
     ["“--leaverooms” starts with a dash; names do not.",
      "Options: --leave-rooms, --purge-media"]),
    (f"users {'x' * 612}", ["that is 612 bytes long, 512 is the most."]),
    ("registration on for 1 moment", ["“1 moment” is no time span. Like this: 30m, 1h, 7d"]),
    ("registration on for 0h", ["“0h” is no time span. Like this: 30m, 1h, 7d"]),
    ("registration off for 1h", ["only “on” takes a time span."]),
    ("registration maybe", ["“maybe” is not known here. Say on or off."]),
    ("purgeserver x.y last 100000d", ["“100000d” is no time span. Like this: 30m, 1h, 7d"]),
    ("purgeserver example.org",
     ["example.org is this server itself; its files go one by one."]),
    ("media @x:evil.example",
     ["of other servers I know files by server, not by account.",
      "Its server's files here: !media evil.example"]),
    ("deactivate spam casino links",
     ["“casino” is one word too many for deactivate.", "A reason comes last, behind the word "
      "reason. Example: !deactivate @spam:example.org reason casino links"]),
    ("deactivate spam\n@ham:example.org",
     ["deactivate takes one account, and there are 2.",
      "For all of them: !deactivateall @spam:example.org @ham:example.org reason …"]),
    ("config x", ["“x” is one word too many for config.", "Example: !config"]),
    ("list-local-users x", ["“x” is one word too many for list-local-users.",
                            "Example: !users spam"]),
    ("deactivate-all @a:example.org",
     ["“@a:example.org” is one word too many for deactivate-all.", "A reason comes last, behind"
      " the word reason. Example: !deactivateall reason spam wave"]),
    ("disableroom warez",
     ["“warez” is no room. Like this: #warez:example.org, or the room's id."]),
    ("event abc", ["“abc” is no event. An event's id begins with $"]),
    ("purge http://x/y", ["“http[:]//x/y” is no file. Like this: mxc://example.org/abc"]),
    ("approve twelve", ["“twelve” is not a request number."]),
    ("approve 12 13",
     ["2 numbers in one message. I take one a message; nothing has run.",
      "Send !approve 12, then !approve 13"]),
    ("help server sing", ["Conduit has no command “sing”."]),
    (
        "rmalias #old:evil.example",
        ["#old:evil.example is of another server; only evil.example can remove it."],
    ),
    ("purge\nmxc://a/b\nnope",
     ["1 of 2 cannot be used, so nothing was done.", "No: “nope” (no file)"]),
    ("deactivateall\nä\nö",
     ["none of these 2 can be used.", "No: “ä” (no user name), “ö” (no user name)"]),
]  # fmt: skip


@pytest.mark.parametrize(("line", "texts"), REFUSED, ids=[r[0][:40] for r in REFUSED])
def test_a_line_is_not_run_and_says_why(line: str, texts: list[str]) -> None:
    assert refusal(line) == texts


TYPED_PASSWORDS = [
    "create-user alice hunter2",
    "resetpw alice hunter2",
    "adduser alice hunt€r2",
    "create-user alice\nhunter2",
    "adduser alice -hunter2",
    "create-user hunter2! alice",
]


@pytest.mark.parametrize("line", TYPED_PASSWORDS)
def test_what_may_be_a_password_is_never_repeated_and_asked_to_be_removed(line: str) -> None:
    with pytest.raises(NotRun) as caught:
        typed(line)
    assert caught.value.redact
    assert not re.search("hunt", "".join(map(plain, caught.value.lines)))


INVISIBLE = (
    "\u200b\u200d\u200e\u202e\u2066\u00ad\ufeff\u3164\u180e\u2060\U000e0041\x07\x7f\u034f\ufe0f"
)


@pytest.mark.parametrize("char", INVISIBLE, ids=lambda c: f"{ord(c):04x}")
def test_a_character_that_nobody_sees_is_refused(char: str) -> None:
    for line in ("adduser ali{}ce", "users ali{}ce", "rmalias #ali{}ce", "disableroom !ali{}ce"):
        with pytest.raises(NotRun) as caught:
            parse(Typed(line.split()[0], words=(line.split()[1].format(char),)), server=SERVER)
        assert "ali·ce” holds an invisible character (·). Type it by hand." in plain(
            caught.value.lines[0]
        )


def test_a_name_may_fill_255_bytes_with_its_server() -> None:
    longest = "a" * (255 - len("@:example.org"))
    assert typed(f"adduser {longest}")
    assert refusal(f"adduser {longest}a") == [
        "that is 256 bytes long with its server, 255 is the most."
    ]


def test_more_lines_than_a_request_may_have_are_refused() -> None:
    names = [f"u{n}" for n in range(21)]
    assert refusal("adduser\n" + "\n".join(names)) == [
        "21 are too many, 20 is the most in one request."
    ]
    assert typed("adduser\n" + "\n".join(names[1:]))
    assert typed("deactivateall\n" + "\n".join(f"u{n}" for n in range(300)))


# --- what is asked


ASKED = [
    ("adduser", "user", "Which name? Reply to this message with it."),
    ("resetpw", "user", "Which account? Reply to this message with it."),
    ("deactivateall", "user", "Which accounts? Reply to this message with them, one a line."),
    ("disableroom", "room", "Which room? Reply to this message with it."),
    ("purge", "mxc", "Which file? Reply to this message with it."),
    ("clearcache", "cache", "Which cache, db or service? Reply to this message with it."),
    ("approve", "request", "Which request? Reply to this message with it."),
    ("resolve 12", "end", "How did it end, done or failed? Reply to this message with it."),
    ("glass", "line", "Which command? Reply to this message with it."),
]


@pytest.mark.parametrize(("line", "name", "text"), ASKED)
def test_what_is_missing_is_asked_for(line: str, name: str, text: str) -> None:
    with pytest.raises(Missing) as caught:
        typed(line)
    assert (caught.value.param.name, plain(caught.value.question)) == (name, text)


def test_every_required_argument_can_be_asked_for() -> None:
    for command in COMMANDS.values():
        if any(p.required and not p.flag for p in command.params):
            with pytest.raises(Missing):
                parse(Typed(command.name), server=SERVER)


def test_several_names_on_one_line_are_asked_back() -> None:
    assert question("adduser mia noa tom") == [
        "3 names, the last two not shown. All of them names? Tap ✅. Nothing has run yet.",
        "A password is never typed here, Conduit makes it.",
    ]
    assert question("adduser mia noa")[0].startswith("2 names, the last not shown. Both of them")
    assert question("deactivateall a b")[0].startswith("2 accounts?")
    assert question("purgeuser a b")[0].startswith("2 accounts?")


def test_a_mixed_list_is_offered_without_its_bad_entries() -> None:
    with pytest.raises(AskFirst) as caught:
        typed("adduser\nMia\nNoa\nAlice\nLea\n@tom:school.example\n@x:example.com")
    asked = caught.value
    assert [plain(text) for text in asked.lines] == [
        "4 of 6 names can be made. Make these 4? Tap ✅. Nothing has run yet.",
        "Yes: mia (you typed Mia), noa (you typed Noa), alice (you typed Alice), lea (you typed"
        " Lea)",
        "No: “@tom:school.example” (other server), “@x:example.com” (other server)",
    ]
    made = asked.invocation
    more = offer(made, (*asked.bad, Bad("z", ("rule signup: 3 to 20 characters",))))
    assert "“z” (rule signup: 3 to 20 characters)" in plain(more.lines[-1])


def test_a_list_to_deactivate_is_offered_for_votes() -> None:
    names = "\n".join(f"@s{n:02}:example.org" for n in range(40))
    assert question(f"deactivateall reason wave\n{names}\n@x:evil.example") == [
        "40 of 41 accounts can be deactivated. Ask for these 40? Tap ✅. Nothing has run yet.",
        "No: “@x:evil.example” (other server)",
    ]


# --- what must be looked up


def test_an_address_is_resolved_first_and_the_id_is_what_runs() -> None:
    with pytest.raises(NeedsRoom) as caught:
        typed("disableroom #warez")
    assert caught.value.alias == "#warez:example.org"
    rooms = {"#warez:example.org": "!9fKq:example.org"}
    assert typed("disableroom #warez", rooms=rooms).get("room") == "!9fKq:example.org"
    assert refusal("disableroom #warrez", rooms={"#warrez:example.org": ""}) == [
        "no room has the address #warrez:example.org. Edit your message, or use the room's id."
    ]


def test_a_reply_to_a_picture_means_its_file() -> None:
    reply = Typed("purge", reason="illegal", reply_to="$picture")
    with pytest.raises(NeedsMedia) as caught:
        parse(reply, server=SERVER)
    assert caught.value.event_id == "$picture"
    made = parse(reply, server=SERVER, media={"$picture": ("mxc://example.org/Qk3v",)})
    assert (made.values("mxc"), made.reason) == (("mxc://example.org/Qk3v",), "illegal")
    with pytest.raises(NotRun) as refused:
        parse(reply, server=SERVER, media={"$picture": ()})
    assert plain(refused.value.lines[0]) == (
        "that message has no file. Reply to a picture or file, or: !purge mxc://…"
    )


def test_a_link_to_a_picture_means_its_file() -> None:
    files = {"$a": ("mxc://example.org/a",), "$b": ("mxc://example.org/b",), "$text": ()}
    with pytest.raises(NeedsMedia) as caught:
        typed("purge mxc://example.org/c $a")
    assert caught.value.event_id == "$a"
    made = typed("purge mxc://example.org/c $a\n$b", media=files)
    assert made.values("mxc") == tuple(f"mxc://example.org/{name}" for name in "cab")
    assert refusal("mediainfo $text", media=files) == [
        "that message has no file. Reply to a picture or file, or: !mediainfo mxc://…"
    ]


def test_a_reply_to_a_notice_means_its_account_and_to_anything_else_nothing() -> None:
    reply = Typed("deactivate", reply_to="$notice")
    with pytest.raises(NeedsTopic):
        parse(reply, server=SERVER)
    assert parse(reply, server=SERVER, about=Topic(accounts=("@spam:example.org",))).get("user")
    with pytest.raises(Missing):
        parse(reply, server=SERVER, about=Topic())
    with pytest.raises(Missing):
        parse(Typed("adduser", reply_to="$notice"), server=SERVER)


# --- small values


def test_names_that_may_have_been_meant_come_nearest_first() -> None:
    known = ("eve", "evelyn", "alice", "alicia", "bob", "albert")
    assert alike("evve", known, slips=4) == ("eve", "evelyn")
    assert alike("evve", known, slips=2) == ("eve",)
    assert alike("alcie", known, slips=2) == ("alice", "alicia")
    assert alike("albrecht", known, slips=2) == ()
    assert alike("zz", known, slips=4) == ()


def test_durations_and_dates() -> None:
    assert [duration(t) for t in ("30m", "1h", "7d", "1h30m", "2W", "1 h")] == [
        1800, 3600, 604800, 5400, 1209600, 3600,
    ]  # fmt: skip
    assert date("2026-11-16", NOW) == "2026-11-16T00:00:00"
    assert date("2026-11-16t14:30z", NOW) == "2026-11-16T14:30:00"
    assert date("1h", NOW) == "2026-11-25T13:20:00"
    for text in ("", "h", "1", "-1h", "1.5h", "١h", "99999999999h"):
        with pytest.raises(NotRun):
            duration(text)
    for text in ("2026-13-01", "yesterday", "2026-11-16T25:00", "16.11.2026", "٢026-11-16"):
        with pytest.raises(NotRun):
            date(text, NOW)


def test_reserved_names_are_globs() -> None:
    assert reserved("_irc_bob", ("_*",)) == "_*"
    assert reserved("bob", ("_*", "b?b")) == "b?b"
    assert reserved("bob", ("_*",)) is None


@given(st.text(max_size=60))
def test_nothing_that_is_typed_raises_anything_else(text: str) -> None:
    for command in COMMANDS.values():
        words = tuple(text.split())
        lines = tuple(line for line in text.splitlines()[1:] if line)
        try:
            parse(Typed(command.name, text, words, None, lines), server=SERVER, now=NOW)
        except (NotRun, AskFirst, Missing, NeedsRoom, NeedsMedia):
            pass
