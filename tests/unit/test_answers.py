"""What Conduit's answers mean, and which command each can belong to."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
from attrs import frozen
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sluice.catalog.table import COMMANDS
from sluice.families.answers import (
    Emergency,
    Report,
    Room,
    blocked_in,
    config_in,
    event_in,
    interpret,
    media_in,
    media_info,
    memory_in,
    password_in,
    rooms_in,
    server_notice,
    users_in,
)
from sluice.families.dialects import fence
from sluice.families.oracle import ConduitOracle
from sluice.families.replies import NOTICES, SERVER_COMMANDS
from sluice.model.admin_room import Asked
from sluice.model.command import Dialect, Kind
from tests.transcripts import GOLDEN, SERVER, Step, steps

DONE, REFUSED, FAILED, UNKNOWN = Kind.DONE, Kind.REFUSED, Kind.FAILED, Kind.UNKNOWN
LISTED = json.loads((GOLDEN / "replies.json").read_text(encoding="utf-8"))
STEPS = list(steps())
CATALOG = {c.conduit for c in COMMANDS.values() if not c.own} | {"clear-service-caches"}


def text(body: str, msgtype: str = "m.text") -> dict[str, Any]:
    return {"msgtype": msgtype, "body": body}


def oracle(dialect: Dialect = Dialect.V0_10) -> ConduitOracle:
    return ConduitOracle(SERVER, dialect)


@frozen
class Sample:
    """One answer. What varies in it stands between ‹ and ›; all else are Conduit's fixed words."""

    words: str
    marked: str
    kind: Kind
    code: str
    block: str = ""
    msgtype: str = "m.text"

    def asked(self, command: str) -> Asked:
        return Asked(command, tuple(self.words.split()), tuple(self.block.split()))

    @property
    def body(self) -> str:
        return re.sub("[‹›]", "", self.marked)

    @property
    def fixed(self) -> set[int]:
        """The positions of the fixed words."""
        found, varies, at = set(), False, 0
        for char in self.marked:
            if char in "‹›":
                varies = char == "‹"
                continue
            found |= set() if varies else {at}
            at += 1
        return found


LOGS = "media, check logs for more details"
WRAP = "Encountered an error while handling the command:\n```\n‹M_UNKNOWN: odd›\n```"
NO_BLOCK = "Expected code block in command body. Add --help for details."
DB = "There was a problem with the connection to the ‹rocksdb› database: ‹IO error: full›"
BAD_LIST = (
    "The following user ids are not valid:\n```\n‹bad›\n```\n\n"
    "The following users are not from this server:\n```\n‹@x:other.example›\n```\n\n"
    "The following users do not exist:\n```\n‹@nobody:conduit.test›\n```\n\n"
)
THREE = "bad @x:other.example @nobody:conduit.test"
MEDIA = (
    "| MXC URI | Dimensions (if thumbnail) | Created/Downloaded at | Uploader | Content-Type"
    " | Filename | Size |\n| --- | --- | --- | --- | --- | --- | --- |"
    "‹\n| mxc://conduit.test/a |  | 2026-11-23 20:22:52 UTC | @e:conduit.test | x/y | n | 8 B |›"
)
BLOCKED = (
    "| SHA256 hash | MXC URI | Time Blocked | Reason |\n| --- | --- | --- | --- |"
    "‹\n|  | mxc://conduit.test/a | 2026-11-23 20:22:54 UTC |  |›"
)
ERROR = Sample("x", WRAP, FAILED, "error")
CB = Sample("", NO_BLOCK, REFUSED, "no_block")
PURGED = Sample("", "Successfully purged media", DONE, "purged", "mxc://a/b")
USERS = "@alice:conduit.test"

# One for every reply of replies.json, in its order.
SAMPLES: dict[str, list[Sample]] = {
    "register-appservice": [
        Sample("", "Appservice registered with ID: ‹b1›.", DONE, "registered", "id: b1"),
        Sample("", "Failed to register appservice: ‹x›", FAILED, "error", "id: b1"),
        Sample("", "Could not parse appservice config: ‹x›", REFUSED, "bad_yaml", "id: b1"),
        CB,
    ],
    "unregister-appservice": [
        Sample("b1", "Appservice unregistered.", DONE, "unregistered"),
        Sample("b1", "Failed to unregister appservice: ‹disk›", FAILED, "error"),
    ],
    "list-appservices": [Sample("", "Appservices (‹2›): ‹a, b›", DONE, "list")],
    "list-rooms": [
        Sample("", "Rooms:\n!‹a:b›\tMembers: ‹3›\n!‹c›\tMembers: ‹1›", DONE, "list"),
    ],
    "list-local-users": [
        Sample("", f"Found ‹1› local user account(s):\n‹{USERS}›", DONE, "list"),
        Sample("", DB, FAILED, "error"),
    ],
    "incoming-federation": [
        Sample("", "Handling ‹1› incoming pdus:\n‹!a:b $c›: ‹0›m‹5›s\n", DONE, "list"),
    ],
    "remove-alias": [
        Sample("#a:conduit.test", "Alias removed successfully", DONE, "removed"),
        Sample("#a:x", "Cannot remove alias which is not from this server", REFUSED, "remote"),
        Sample("#a:conduit.test", "No such alias exists", REFUSED, "missing"),
        ERROR,
    ],
    "deactivate-user": [
        Sample(USERS, f"User ‹{USERS}› has been deactivated", DONE, "deactivated"),
        Sample(
            f"{USERS} --purge-media",
            f"User ‹{USERS}› has been deactivated, but ‹3› media failed to be purged, check the"
            " logs for more details",
            DONE,
            "deactivated",
        ),
        Sample(USERS, f"User ‹{USERS}› doesn't exist on this server", REFUSED, "missing"),
        Sample(USERS, f"User ‹{USERS}› is not from this server", REFUSED, "remote"),
        ERROR,
    ],
    "deactivate-all": [
        Sample("", "Deactivated ‹1› accounts.", DONE, "deactivated_all", USERS),
        Sample("", BAD_LIST, REFUSED, "bad_list", THREE),
        CB,
        Sample("", WRAP, FAILED, "error", USERS),
    ],
    "query-media": [
        Sample("mxc://a/b", "Is blocked Media ID: ‹false›", DONE, "media"),
        Sample("nope", "Invalid media MXC", REFUSED, "bad_mxc"),
        ERROR,
    ],
    "show-media": [
        Sample("mxc://a/b", "‹cat.png›", DONE, "shown", msgtype="m.image"),
        Sample("nope", "Invalid media MXC", REFUSED, "bad_mxc"),
        ERROR,
    ],
    "list-media": [
        Sample("", MEDIA, DONE, "list"),
        Sample("", WRAP.replace("M_UNKNOWN: odd", "Timestamp must be after unix epoch"), REFUSED,
               "bad_time"),
        ERROR,
    ],
    "purge-media": [
        PURGED,
        Sample("", f"Failed to delete ‹2› {LOGS}", FAILED, "media_failed", "mxc://a/b"),
        CB,
    ],
    "purge-media-from-users": [
        Sample("", "Successfully purged media", DONE, "purged", USERS),
        Sample("", f"Failed to purge ‹2› {LOGS}", FAILED, "media_failed", USERS),
        Sample("", BAD_LIST, REFUSED, "bad_list", THREE),
        CB,
        Sample("", WRAP, FAILED, "error", USERS),
    ],
    "purge-media-from-server": [
        Sample("x.y", "Media from ‹x.y› has successfully been purged", DONE, "purged"),
        Sample("x.y", f"Failed to purge ‹2› {LOGS}", FAILED, "media_failed"),
        Sample("x.y", WRAP.replace("M_UNKNOWN: odd", "Cannot purge all media from your own "
               "homeserver"), REFUSED, "own_server"),
        ERROR,
    ],
    "block-media": [
        Sample("", "Successfully blocked media", DONE, "blocked", "mxc://a/b"),
        Sample("", f"Failed to block ‹2› {LOGS}", FAILED, "media_failed", "mxc://a/b"),
        Sample("", f"Failed to purge ‹2› {LOGS}", FAILED, "media_failed", "mxc://a/b"),
        Sample("", f"Failed to block ‹2›, and purge ‹1› {LOGS}", FAILED, "media_failed",
               "mxc://a/b"),
        CB,
    ],
    "block-media-from-users": [
        Sample("", "Successfully blocked media", DONE, "blocked", USERS),
        Sample("", f"Failed to block ‹2› {LOGS}", FAILED, "media_failed", USERS),
        Sample("", BAD_LIST, REFUSED, "bad_list", THREE),
        CB,
        Sample("", WRAP, FAILED, "error", USERS),
    ],
    "list-blocked-media": [Sample("", BLOCKED, DONE, "list")],
    "unblock-media": [
        Sample("", "Successfully unblocked media", DONE, "unblocked", "mxc://a/b"),
        Sample("", f"Failed to unblock ‹2› {LOGS}", FAILED, "media_failed", "mxc://a/b"),
        CB,
    ],
    "get-auth-chain": [
        Sample("$a", "Loaded auth chain with length ‹2› in ‹309.75µs›", DONE, "chain"),
        Sample("$a", "Event not found.", REFUSED, "missing"),
        ERROR,
    ],
    "parse-pdu": [
        Sample("", 'EventId: Ok("‹$a›")\nPduEvent {‹ x ›}', DONE, "pdu", "{}"),
        Sample("", 'EventId: Ok("‹$a›")\nCould not parse event: ‹x›', REFUSED, "bad_pdu", "{}"),
        Sample("", "Could not parse PDU JSON: ‹x›", REFUSED, "bad_pdu", "{}"),
        Sample("", "Invalid json in command body: ‹x›", REFUSED, "bad_json", "{}"),
        Sample("", "Expected code block in command body.", REFUSED, "no_block"),
    ],
    "get-pdu": [
        Sample("$a", 'PDU was accepted\n```json\n‹{"event_id": "$a"}›\n```', DONE, "pdu"),
        Sample("$a", "PDU not found.", REFUSED, "missing"),
        ERROR,
    ],
    "memory-usage": [
        Sample(
            "",
            "Services:\nlazy_load_waiting: ‹1›\nstateinfo_cache: ‹30›\n\nDatabase:\n"
            "pdu_cache: ‹215›\nshorteventid_cache: ‹30›\n"
            "Current database engine does not support memory usage reporting.",
            DONE,
            "memory",
        ),
    ],
    "clear-database-caches": [Sample("8", "Done.", DONE, "cleared")],
    "clear-service-caches": [Sample("6", "Done.", DONE, "cleared")],
    "show-config": [
        Sample(
            "",
            "Active config values:\n\nServer name: ‹conduit.test›\nAllow registration: ‹true›\n"
            "Trusted servers: ‹›\n",
            DONE,
            "config",
        ),
    ],
    "reset-password": [
        Sample("alice", f"Successfully reset the password for user ‹{USERS}›: ‹rM1tQW9MHIYVmpm›",
               DONE, "reset"),
        Sample("alice", f"Couldn't reset the password for user ‹{USERS}›: ‹x›", FAILED, "error"),
        Sample("a:b", "The supplied username is not a valid username: ‹x›", REFUSED, "bad_name"),
        Sample("@x:y", "The specified user is not from this server!", REFUSED, "remote"),
        Sample("nobody", "The specified user does not exist!", REFUSED, "missing"),
        ERROR,
    ],
    "create-user": [
        Sample("alice", f"Created user with user_id: ‹{USERS}› and password: ‹rFKaOOhFZGFPHSA›",
               DONE, "created"),
        Sample("a:b", "The supplied username is not a valid username: ‹x›", REFUSED, "bad_name"),
        Sample("@x:y", "The specified user is not from this server!", REFUSED, "remote"),
        Sample("alice", f"Userid ‹{USERS}› is not allowed due to historical", REFUSED,
               "historical"),
        Sample("alice", f"Userid ‹{USERS}› already exists", REFUSED, "exists"),
        ERROR,
    ],
    "allow-registration": [
        Sample("true", "Registration is now enabled", DONE, "set"),
        Sample("", "Registration is currently disabled", DONE, "state"),
    ],
    "disable-room": [Sample("!a", "Room disabled.", DONE, "disabled"), ERROR],
    "enable-room": [Sample("!a", "Room enabled.", DONE, "enabled"), ERROR],
    "sign-json": [
        Sample("", "{‹\n  x\n›}", DONE, "signed", "{}"),
        Sample("", "Invalid json: ‹x›", REFUSED, "bad_json", "{}"),
        CB,
    ],
    "verify-json": [
        Sample("", "Signature correct", DONE, "verified", "{}"),
        Sample("", "Signature correct (with expired keys)", DONE, "verified", "{}"),
        Sample("", "Signature verification failed: ‹x›", REFUSED, "bad_signature", "{}"),
        Sample("", "Invalid json: ‹x›", REFUSED, "bad_json", "{}"),
        CB,
        Sample("", WRAP, FAILED, "error", "{}"),
    ],
    "hash-and-sign-event": [
        Sample("10", "{‹\n  x\n›}", DONE, "signed", "{}"),
        Sample("10", "Invalid event: ‹x›", REFUSED, "bad_pdu", "{}"),
        Sample("10", "Invalid json: ‹x›", REFUSED, "bad_json", "{}"),
        Sample("10", NO_BLOCK, REFUSED, "no_block"),
    ],
}  # fmt: skip
ALL = [(name, sample) for name, found in SAMPLES.items() for sample in found]


def test_the_server_table_and_the_list_of_replies_name_the_same_commands() -> None:
    assert set(SERVER_COMMANDS) == {c["name"] for c in LISTED["commands"]} == set(SAMPLES)


@pytest.mark.parametrize("command", LISTED["commands"], ids=lambda c: c["name"])
def test_every_listed_reply_has_its_outcome(command: dict[str, Any]) -> None:
    name, samples = command["name"], SAMPLES[command["name"]]
    assert len(samples) == len(command["replies"])
    for sample, reply in zip(samples, command["replies"], strict=True):
        assert re.fullmatch(reply["regex"], sample.body), f"{sample} is not {reply['regex']}"
        assert sample.msgtype in reply["msgtype"]
        outcome = interpret(sample.asked(name), text(sample.body, sample.msgtype))
        assert (outcome.kind, outcome.code) == (sample.kind, sample.code)


def test_every_reply_of_the_table_stands_in_the_list() -> None:
    known = {(name, sample.code) for name, sample in ALL}
    more = {("unregister-appservice", "missing")}  # a narrower case of one that is listed
    for command in SERVER_COMMANDS.values():
        for reply in command.replies:
            assert (command.name, reply.code) in known | more


def test_every_notice_of_the_list_is_a_notice() -> None:
    assert len(NOTICES) == len(LISTED["unsolicited_messages"])


@pytest.mark.parametrize("step", STEPS, ids=lambda s: s.where)
def test_a_recorded_answer_is_listed_and_fits_what_was_asked(step: Step) -> None:
    it = oracle(step.dialect)
    if not step.send:
        assert all(it.is_notice(content) for content in step.answers)
        return
    asked = it.asked(step.send)
    assert (asked is not None) == bool(step.answers), f"{step.send!r} runs, or not"
    for content in step.answers:
        assert it.is_listed(content)
        assert not it.is_notice(content)
        assert asked is not None
        if asked.command:
            assert it.fits(asked, content), f"{step.send!r} is answered by {content['body']!r}"
            assert interpret(asked, content).kind is not UNKNOWN


def _of(body: str) -> tuple[str, ...]:
    """Which commands a recorded answer was given to."""
    return tuple(
        {
            asked.command
            for step in STEPS
            for content in step.answers
            if content["body"] == body
            and step.send
            and (asked := oracle(step.dialect).asked(step.send))
        }
    )


def test_no_recorded_answer_fits_a_command_of_another_name_that_never_got_one_like_it() -> None:
    shared = {"error", "no_block", "bad_list", "purged", "blocked", "media_failed", "bad_mxc",
              "bad_name", "remote", "missing", "cleared", "bad_json", "signed"}  # fmt: skip
    bodies = {c["body"]: c for s in STEPS if s.send for c in s.answers}
    samples = [(n, s.asked(n)) for n, s in ALL if n in CATALOG]
    for body, content in bodies.items():
        asked_by = _of(body)
        for name, asked in samples:
            outcome = interpret(asked, content)
            is_about_it = name in asked_by or f"unrecognized subcommand '{name}'" in body
            if outcome.kind is not UNKNOWN and not is_about_it:
                assert outcome.code in shared, f"{asked} took {body!r} as {outcome}"


@pytest.mark.parametrize(("name", "sample"), ALL, ids=lambda v: v if isinstance(v, str) else "")
def test_no_byte_of_the_fixed_words_can_change_and_leave_a_success(
    name: str, sample: Sample
) -> None:
    asked = sample.asked(name)
    for at in sample.fixed:
        for other in ("x", " ", "\n", "0", ""):
            if other == sample.body[at]:
                continue
            mutated = sample.body[:at] + other + sample.body[at + 1 :]
            if mutated == "Alias removed sucessfully":
                continue  # how 0.9 spells it
            outcome = interpret(asked, text(mutated, sample.msgtype))
            assert outcome.kind is not DONE, f"{mutated!r} is taken for {outcome}"


@pytest.mark.parametrize("msgtype", ["m.notice", "m.emote", "m.image", None, 5])
def test_an_answer_of_another_msgtype_is_none(msgtype: Any) -> None:
    for name, sample in ALL:
        if sample.msgtype == "m.text" and name != "show-media":
            assert interpret(sample.asked(name), text(sample.body, msgtype)).kind is UNKNOWN


HEADS = {sample.body.strip().partition("\n")[0] for _, sample in ALL}


@given(st.text(max_size=200))
def test_unlisted_text_is_never_a_success(body: str) -> None:
    assume(
        body.strip().partition("\n")[0] not in HEADS
    )  # hypothesis tries the code's literals too
    for name, sample in ALL:
        if name != "show-media":
            outcome = interpret(sample.asked(name), text(body))
            assert outcome.kind is UNKNOWN or outcome.code in ("signed", "error", "bad_json")


# --- what answers repeat


def test_an_account_that_is_repeated_must_be_the_one_that_was_asked_for() -> None:
    for name, sample in ALL:
        if "user" in dict(interpret(sample.asked(name), text(sample.body)).fields):
            other = sample.body.replace("alice", "bob")
            assert interpret(sample.asked(name), text(other)).kind is UNKNOWN


def test_create_user_adds_the_server_and_makes_letters_small() -> None:
    made = text(f"Created user with user_id: {USERS} and password: rFKaOOhFZGFPHSA")
    for words in (("alice",), ("Alice",), ("@alice:conduit.test",), ("@Alice:Conduit.test",)):
        assert oracle().fits(Asked("create-user", words), made)
    for words in (("alic",), ("alice2",), ("@alice:conduit",), ()):
        assert not oracle().fits(Asked("create-user", words), made)


def test_a_typed_password_must_come_back_and_a_made_one_has_its_shape() -> None:
    typed = text(f"Created user with user_id: {USERS} and password: s3cretpw")
    assert oracle().fits(Asked("create-user", ("alice", "s3cretpw")), typed)
    assert not oracle().fits(Asked("create-user", ("alice", "other")), typed)
    assert not oracle().fits(Asked("create-user", ("alice",)), typed)


def test_a_list_that_is_repeated_must_be_part_of_the_list_that_was_sent() -> None:
    asked = Asked("deactivate-all", (), tuple(THREE.split()))
    body = re.sub("[‹›]", "", BAD_LIST)
    assert interpret(asked, text(body)).get("missing") == ("@nobody:conduit.test",)
    assert interpret(asked, text(body.replace("nobody", "somebody"))).kind is UNKNOWN


def test_less_than_all_of_a_list_is_a_failure() -> None:
    asked = Asked("deactivate-all", (), ("@a:conduit.test", "@ana:conduit.test"))
    some = 'Deactivated 1 accounts.\nSkipped admin accounts: "ana". Use --force to deactivate ' \
        "admin accounts"  # fmt: skip
    outcome = interpret(asked, text(some))
    assert (outcome.kind, outcome.get("count"), outcome.get("skipped")) == (FAILED, 1, ("ana",))
    assert interpret(asked, text(some.replace('"ana"', '"kim"'))).kind is UNKNOWN
    assert interpret(asked, text("Deactivated 3 accounts.")).kind is UNKNOWN


def test_registration_tells_what_was_set_from_what_is() -> None:
    now, is_on = text("Registration is now enabled"), text("Registration is currently enabled")
    query, on, off = (Asked("allow-registration", w) for w in ((), ("true",), ("false",)))
    assert [oracle().fits(a, now) for a in (query, on, off)] == [False, True, False]
    assert [oracle().fits(a, is_on) for a in (query, on, off)] == [True, False, False]
    assert interpret(on, now).get("state") == "on"


def test_a_list_of_accounts_that_is_cut_short_is_not_believed() -> None:
    asked = Asked("list-local-users")
    assert interpret(asked, text(f"Found 2 local user account(s):\n{USERS}")).kind is UNKNOWN


def test_an_event_must_be_the_one_that_was_asked_for() -> None:
    answer = text('PDU was accepted\n```json\n{"event_id": "$b"}\n```')
    assert not oracle().fits(Asked("get-pdu", ("$a",)), answer)
    assert oracle().fits(Asked("get-pdu", ("$b",)), answer)
    assert event_in(answer["body"]) == (True, '{"event_id": "$b"}')


# --- usage errors and fences

BOUND = "\n\nUsage: @conduit:conduit.test: {}\n\nFor more information, try '--help'.\n"


def usage(head: str, command: str = "create-user <USERNAME> [PASSWORD]") -> dict[str, Any]:
    return text(f"error: {head}" + BOUND.format(command))


def test_a_usage_error_fits_only_the_command_and_the_words_that_it_names() -> None:
    wrong = usage("unexpected argument 'c' found")
    assert oracle().fits(Asked("create-user", ("a", "b", "c")), wrong)
    assert not oracle().fits(Asked("create-user", ("a",)), wrong)
    assert not oracle().fits(Asked("reset-password", ("a", "c")), wrong)
    lacking = usage("the following required arguments were not provided:\n  <USERNAME>")
    assert oracle().fits(Asked("create-user"), lacking)
    assert not oracle().fits(Asked("create-user", ("alice",)), lacking)
    tail = "\n\nFor more information, try '--help'.\n"
    value = text(f"error: invalid value 'x' for '<USER_ID>': leading sigil is missing{tail}")
    assert oracle().fits(Asked("deactivate-user", ("x",)), value)
    assert not oracle().fits(Asked("deactivate-user", ("@x:y",)), value)
    assert not oracle().fits(Asked("disable-room", ("x",)), value)


def test_our_own_lines_fit_no_usage_error_of_the_transcripts() -> None:
    errors = [c for s in STEPS for c in s.answers if c["body"].startswith("error: ")]
    for name, sample in ALL:
        if name in CATALOG and sample.kind is DONE:
            fits = [e["body"] for e in errors if oracle().fits(sample.asked(name), e)]
            same = {name, *sample.words.split()}
            assert not [b for b in fits if not any(f"'{w}'" in b for w in same)], (name, fits[:3])


def test_the_echo_of_a_fence_fits_that_fence_and_nothing_else() -> None:
    echo = usage("unrecognized subcommand 'sluice-fence-k3j9x2'", "<COMMAND>")
    for dialect in Dialect:
        asked = oracle(dialect).asked(fence(SERVER, "k3j9x2"))
        assert asked == Asked("fence", ("k3j9x2",))
        assert oracle(dialect).fits(asked, echo)
    assert not oracle().fits(Asked("fence", ("k3j9x",)), echo)
    assert not any(oracle().fits(sample.asked(name), echo) for name, sample in ALL)


def test_no_other_answer_fits_a_fence() -> None:
    asked = Asked("fence", ("k3j9x2",))
    for step in STEPS:
        for content in step.answers:
            echoed = "sluice-fence-k3j9x2" in content["body"]
            assert oracle().fits(asked, content) == echoed


def test_a_help_text_fits_only_who_asked_for_help() -> None:
    for step in STEPS:
        for content in step.answers:
            if "\nOptions:\n" in content["body"]:
                assert not oracle().fits(Asked("create-user", ("alice",)), content)


# --- text of others


def table_of(*rows: tuple[str, ...], head: str = MEDIA) -> dict[str, Any]:
    """What Conduit answers for these cells: it escapes none of them, in either form."""
    columns = head.partition("\n")[0][2:-2].split(" | ")
    body = head.partition("‹")[0] + "".join(f"\n| {' | '.join(row)} |" for row in rows)
    html = "".join(f'<th scope="col">{column}</th>' for column in columns)
    html = f"<table><thead><tr>{html}</tr></thead><tbody>"
    html += "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return {**text(body), "formatted_body": html + "</tbody></table>"}


def a_file(name: str, kind: str = "x/y", mxc: str = "mxc://conduit.test/a") -> tuple[str, ...]:
    return (mxc, "", "2026-11-23 20:22:52 UTC", "@e:conduit.test", kind, name, "8 B")


def forged(name: str) -> str:
    return str(table_of(a_file(name))["body"])


@given(st.text(max_size=100))
@settings(max_examples=200)
def test_whatever_a_file_is_called_the_list_stays_a_list(name: str) -> None:
    body = forged(name)
    assert interpret(Asked("list-media"), text(body)).code == "list"
    assert not oracle().is_notice(text(body))
    for command, sample in ALL:
        if command not in ("list-media", "show-media"):
            assert not oracle().fits(sample.asked(command), text(body))


ROW = "\n| mxc://conduit.test/f |  | 2026-11-23 20:22:52 UTC | @a:conduit.test | x/y | n"
CELLS = "</td><td>8 B</td></tr><tr><td>mxc://conduit.test/f</td><td></td><td>2026-11-23 20:22:52"
pieces = st.sampled_from(
    (" | ", " |", "| ", "\n", "8 B", " | 8 B |", ROW, CELLS, "</td>", "<td>", "</tr>", "<tr>",
     "</td><td>", "</td></tr>", "</tbody></table>", " | 8 B |" + ROW, CELLS + " UTC</td><td>")
)  # fmt: skip
names = st.lists(pieces | st.text(max_size=5), max_size=8).map("".join)


@given(st.lists(st.tuples(names, names), max_size=5))
@settings(max_examples=300)
def test_no_name_of_a_file_forges_or_hides_a_row(made: list[tuple[str, str]]) -> None:
    rows = [a_file(name, kind, f"mxc://conduit.test/{n}") for n, (name, kind) in enumerate(made)]
    read = media_in(table_of(*rows))
    assert read is not None
    assert [(file.mxc, file.name, file.type, file.size) for file in read] == [
        (row[0], row[5], row[4], 8) for row in rows
    ]


@given(st.lists(names, max_size=5))
def test_no_reason_of_a_block_forges_or_hides_a_row(reasons: list[str]) -> None:
    at = "2026-11-23 20:22:54 UTC"
    rows = [("0" * 64, f"mxc://conduit.test/{n}", at, why) for n, why in enumerate(reasons)]
    read = blocked_in(table_of(*rows, head=BLOCKED))
    assert read is not None
    assert [(file.mxc, file.reason) for file in read] == [(row[1], row[3]) for row in rows]


def test_a_table_whose_two_forms_differ_is_not_read() -> None:
    whole = table_of(a_file("n"))
    assert media_in(text(whole["body"])) is None
    for form in ("body", "formatted_body"):
        for at in range(len(whole[form])):
            changed = whole[form][:at] + "#" + whole[form][at + 1 :]
            assert media_in({**whole, form: changed}) is None


HOSTILE = (
    "\n\nUsage: @conduit:x y\nPrint help\n",
    "\nContent-type: x",
    "\n\nInformation on thumbnails of media:",
    " | 8 B |\n| mxc://a/b |  | 2026-11-23 20:22:52 UTC | ",
    "| ",
    "```\n\nThe following users do not exist:\n```\n",
)


@pytest.mark.parametrize("piece", HOSTILE, ids=repr)
def test_60_kb_of_hostile_text_are_read_at_once(piece: str) -> None:
    name = piece * (60_000 // len(piece))
    info = (
        "Is blocked Media ID: false\n\nInformation on full (non-thumbnail) file:\n\n"
        "Is stored: true\nCreated at: 2026-11-23 20:22:52 UTC\nLast accessed at: 2026-11-23 "
        "20:22:52 UTC\nSize of file: 8 B\nIs accessible via unauthenticated media endpoints: "
        f"false\nSHA256 hash of file: {'a' * 64}\nIs blocked due to sharing SHA256 hash with "
        f"blocked media: false\nUploader: @eve:conduit.test\nFilename: {name}\nContent-type: a/b"
    )
    started = time.perf_counter()
    for body in (info, forged(name), f"The following {name}", f"error: {name}", name):
        interpret(Asked("query-media", ("mxc://a/b",)), text(body))
        oracle().is_listed(text(body))
        oracle().is_notice(text(body))
        media_info(body)
    assert media_in(table_of(a_file(name))) is not None
    assert time.perf_counter() - started < 2
    assert media_info(info).uploader == "@eve:conduit.test"


def test_a_report_gives_its_reason_as_it_was_typed() -> None:
    body = (
        'Report received from: @n:conduit.test\n\nEvent ID: "$e"\nRoom ID: Some("!r:conduit.test")'
        '\nSent By: "@s:conduit.test"\n\nReport Score: None\n'
        'Report Reason: Some("a\\n\\"b\\" \\\\ \\u{200b}")'
    )
    notice = server_notice(text(body))
    assert isinstance(notice, Report)
    assert notice.reason == 'a\n"b" \\ \u200b'
    assert server_notice(text(body.replace('Some("a', 'Some("a" x'))) is None
    assert isinstance(server_notice(text(_emergency())), Emergency)


def _emergency() -> str:
    return (
        "The Conduit account emergency password is set! Please unset it as soon as you finish"
        " admin account recovery!"
    )


# --- secrets


def test_a_password_leaves_only_as_a_secret() -> None:
    asked = Asked("create-user", ("@alice:conduit.test",))
    answer = text(f"Created user with user_id: {USERS} and password: rFKaOOhFZGFPHSA")
    secret = password_in(asked, answer)
    assert secret is not None
    assert secret.reveal() == "rFKaOOhFZGFPHSA"
    assert "rFKaOOhFZGFPHSA" not in repr(interpret(asked, answer))
    assert password_in(Asked("create-user", ("bob",)), answer) is None
    assert password_in(asked, text(f"Userid {USERS} already exists")) is None


# --- lists


def test_the_memory_of_rocksdb_is_read_as_well() -> None:
    body = "Services:\nlazy_load_waiting: 1\n\nDatabase:\npdu_cache: 215\n" + "".join(
        f"Approximate memory usage {what}: 1.234 MB\n"
        for what in ("of all the mem-tables", "by cache", "by cache pinned")
    )
    assert interpret(Asked("memory-usage"), text(body)).kind is DONE
    assert memory_in(body) == (("lazy_load_waiting", 1), ("pdu_cache", 215))


def content_of(line: str, version: str = "0.10.12") -> dict[str, Any]:
    found = (s for s in STEPS if s.where.startswith(version) and s.send.endswith(f": {line}"))
    return next(found).answers[0]


def answer_to(line: str) -> str:
    return str(content_of(line)["body"])


def test_every_recorded_table_is_read() -> None:
    tables = [c for step in STEPS for c in step.answers if c["body"].startswith("| ")]
    assert tables
    for content in tables:
        read = media_in(content) if media_in(content) is not None else blocked_in(content)
        assert read is not None
        assert len(read) == content["formatted_body"].count("<tr>") - 1


def test_lists_of_the_transcripts_are_read() -> None:
    assert users_in(answer_to("list-local-users"))[:2] == (
        "@ana:conduit.test",
        "@bob:conduit.test",
    )
    assert Room("!roomTwo:conduit.test", 2) in rooms_in(answer_to("list-rooms"))
    assert dict(config_in(answer_to("show-config")))["Allow registration"] == "true"
    assert ("pdu_cache", 215) in memory_in(answer_to("memory-usage"))
    files = media_in(content_of("list-media")) or ()
    assert [file.size for file in files] == [8, 70, 69, 5]
    assert files[0].name == "a | b <b>x</b>.pdf"
    blocked = blocked_in(content_of("list-blocked-media")) or ()
    assert blocked[0].mxc == "mxc://conduit.test/mxcThree"
    info = media_info(answer_to("query-media mxc://conduit.test/mxcOne"))
    assert (info.stored, info.size, info.name, info.type) == (True, 69, "cat.png", "image/png")
    assert media_info("Is blocked Media ID: true").blocked
