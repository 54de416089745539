"""What Conduit answers when it does not simply do it: refused, failed, not understood, nothing.

One row a command. Real servers are not told to fail; the answers stand in tests/golden, and what
each means is tested in unit/test_answers.py. Here the way to the ops room is.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from attrs import frozen

from lab.chat import Chat, eventually
from lab.homeserver import DoubleControl, Homeserver
from tests.e2e.catalog import House, covers, open_house, shows

pytestmark = pytest.mark.double_only("a real server answers what it likes")

ODD = "Room is now quarantined (2)."
FULL = "There was a problem with the connection to the rocksdb database: IO error: No space left"
WRAPPED = f"Encountered an error while handling the command:\n```\n{FULL}\n```"
OWN = "Cannot purge all media from your own homeserver"
MISSING = "The following users do not exist:\n```\n{0}\n```\n\n"
LOGS = "media, check logs for more details"


@frozen
class Row:
    """line: what is typed; {0} is an account, {1} a file. refused: an answer and what is said of
    it (empty: Conduit has no such answer). failed: likewise. look: what is offered to look with.
    """

    line: str
    refused: tuple[str, str] = ("", "")
    failed: tuple[str, str] = ("", "")
    look: str = ""


ERROR = (WRAPPED, "Conduit had an error while doing it; part of it may have run")
LOST_LOOK = (WRAPPED, "Conduit had an error while doing it.")
BAD = (MISSING, "“{0}” does not exist. Nothing changed")
ROWS = {
    "users": Row("users", failed=(FULL, "Conduit had an error while doing it.")),
    "rooms": Row("rooms"),
    "registration": Row("registration"),
    "config": Row("config"),
    "memory": Row("memory"),
    "federation": Row("federation"),
    "appservices": Row("appservices"),
    "help.server": Row("help server"),
    "media": Row(
        "media",
        ("Encountered an error while handling the command:\n```\n"
         "Timestamp must be after unix epoch\n```", "that time is too long ago. Nothing changed"),
        LOST_LOOK,
    ),
    "mediainfo": Row("mediainfo {1}", ("Invalid media MXC", "that is no id of a file"), LOST_LOOK),
    "blocked": Row("blocked"),
    "event": Row("event $x", ("PDU not found.", "Conduit knows no event $x"), LOST_LOOK),
    "adduser": Row(
        "adduser {2}", ("Userid {3} already exists", "{3} exists already"), ERROR, "users {2}"
    ),
    "resetpw": Row(
        "resetpw {0}", ("The specified user does not exist!", "there is no account {0}"), ERROR
    ),
    "registration.set": Row("registration on", look="registration"),
    "enableroom": Row("enableroom !x:y", failed=ERROR, look="rooms x"),
    "unblock": Row("unblock {1}", failed=(f"Failed to unblock 1 {LOGS}", "")),
    "clearcache": Row("clearcache db", look="memory"),
    "deactivate": Row(
        "deactivate {0}", ("User {0} doesn't exist on this server", "there is no account {0}"),
        ERROR,
    ),
    "deactivateall": Row(
        "deactivateall\n{0}", (MISSING, "0 of 1 account deactivated\nNot: {0} does not"), ERROR
    ),
    "disableroom": Row("disableroom !x:y", failed=ERROR, look="rooms x"),
    "rmalias": Row("rmalias {4}", ("No such alias exists", "there is no address {4}"), ERROR),
    "rmappservice": Row(
        "rmappservice b9",
        ("Failed to unregister appservice: Appservice not found", "Conduit knows no appservice b"),
        ("Failed to unregister appservice: disk", "Conduit had an error while doing it"),
        "appservices",
    ),
    "purge": Row("purge {1}", failed=(f"Failed to delete 1 {LOGS}", "1 file could not be")),
    "purgeuser": Row("purgeuser {0}", BAD, ERROR, "media {0}"),
    "purgeserver": Row(
        "purgeserver evil.example",
        (f"Encountered an error while handling the command:\n```\n{OWN}\n```", "Conduit does not"),
        (f"Failed to purge 2 {LOGS}", "2 files could not be removed; Conduit's own log says"),
        "media evil.example",
    ),
    "block": Row("block {1}", failed=(f"Failed to block 1 {LOGS}", "1 file could not be blocked")),
    "blockuser": Row("blockuser {0}", BAD, ERROR, "blocked"),
}  # fmt: skip
LOOKS = frozenset(name for name in list(ROWS)[:12])
TOLD = {  # whether it ran is looked up, so an odd answer is not the end of it
    "deactivate": "{0} is still active, nothing changed.",
    "deactivateall": "Not: {0}, Conduit could not",
    "rmalias": "The address still leads to its room",
    "purge": "The files are still there",
    "block": "The files can still be loaded",
    "unblock": "I do not understand Conduit's answer; I looked myself.",
}


@pytest.fixture(scope="module")
async def house(
    server: Homeserver, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    async with open_house(server, tmp_path_factory.mktemp("answers"), "-ans") as house:
        await house.does("!users")
        await house.does("!rooms")
        yield house


@pytest.fixture
async def names(house: House) -> tuple[str, ...]:
    """What stands for {0} to {4} in the rows."""
    spam = await house.account()
    new = house.name("new")
    mxc = await spam.upload(spam.mxid.encode(), "a.png", "image/png")
    await house.a_room("Old", alias=f"of{spam.localpart}")
    return spam.mxid, mxc, new, f"@{new}:{house.server.name}", house.alias(f"of{spam.localpart}")


@pytest.fixture
def double(house: House) -> DoubleControl:
    assert house.server.double
    return house.server.double


def text(body: str) -> dict[str, Any]:
    return {"msgtype": "m.text", "body": body}


def every() -> list[Any]:
    """One test a command, for all that can be answered to it."""

    def ends(name: str, row: Row) -> list[Any]:
        known = {"refused": row.refused[0], "failed": row.failed[0], "unrecognised": ODD}
        return [covers(name, outcome) for outcome, answer in known.items() if answer]

    return [pytest.param(name, row, marks=ends(name, row), id=name) for name, row in ROWS.items()]


@pytest.mark.parametrize(("name", "row"), every())
async def test_conduit_answers_that_it_was_not_done(
    house: House, double: DoubleControl, names: tuple[str, ...], name: str, row: Row
) -> None:
    line = "!" + row.line.format(*names)
    if row.refused[0]:
        answer, said = (part.format(*names) for part in row.refused)
        await double.set(unrun=[text(answer)])
        start = "" if name == "deactivateall" else r"!\S+( .+)? failed: "
        shows(await house.does(line), f"^❌ {start}{re.escape(said)}")
        assert await house.state() == "refused"
    if row.failed[0]:
        answer, said = (part.format(*names) for part in row.failed)
        await double.set(unrun=[text(answer)])
        could_not(name, answer, said, await house.does(line))
        assert await house.state() == ("done" if name == "unblock" else "failed")
    odd = f"{ODD} {house.name(name)}"
    await double.set(unrun=[text(odd)])
    got = await house.does(line)
    assert await house.state() == not_understood(name, odd, row.look.format(*names), names, got)
    if name in ("adduser", "resetpw"):
        await is_kept_private(house, odd, got)


def could_not(name: str, answer: str, said: str, got: str) -> None:
    """Conduit tried and failed."""
    if name == "unblock":  # Conduit says so of every file with thumbnails
        shows(got, "^✅ Unblocked 1 file$", "^I checked that it loads again")
    elif name == "deactivateall":
        shows(got, "^❌ 0 of 1 account deactivated$", "^Not: .*, Conduit had an error$")
    else:
        shows(got, f"^❌ !.* failed: {re.escape(said)}")
        if "No space" in answer:
            shows(got, "^Conduit: “There was a problem with the connection to the rocksdb")


def not_understood(name: str, odd: str, look: str, names: tuple[str, ...], got: str) -> str:
    """The state it must end in, once what is said is right."""
    if name in LOOKS:
        shows(got, "^❌ !.* failed: I do not understand Conduit's answer. Nothing changed")
        if name == "event":  # without a room it may be one that is sealed
            assert odd not in got
        else:
            shows(got, re.escape(f"Conduit: “{odd}”"))
        return "failed"
    if name in TOLD:
        shows(got, re.escape(TOLD[name].format(*names)))
        first = {
            "deactivateall": "❌ 0 of 1 account deactivated",
            "unblock": "✅ Unblocked 1 file",
        }
        shows(got, f"^{first.get(name, f'❌ !{name} .* failed')} · #\\d+$")
        return "done" if name == "unblock" else "failed"
    shows(got, r"^❗ .*: outcome unknown · #\d+$", r"^I do not understand Conduit's answer\.")
    shows(got, r"\(or !resolve \d+ done\)$")
    if name not in ("adduser", "resetpw"):
        shows(got, re.escape(f"Conduit: “{odd}”"))
    if look:
        shows(got, re.escape(f"Look: !{look}"))
    return "unknown"


async def is_kept_private(house: House, odd: str, got: str) -> None:
    """It may hold a password."""
    assert odd not in got
    shows(got, "It may hold a password, so I do not show it: ana has it in private.")
    shows(got, "Conduit's copy is removed.")
    await (await house.world.private("ana")).shows(re.escape(odd))

    async def is_removed() -> bool:
        admin = await Chat.from_the_start(house.server.ana, house.server.admin_room)
        return odd not in admin.transcript()

    await eventually(is_removed, "Conduit's copy is removed")


@pytest.mark.parametrize(
    ("line", "answer", "said"),
    [
        ("purge {1}", "Successfully purged media", "the file is still there"),
        ("block {1}", "Successfully blocked media", "the file can still be loaded"),
    ],
)
async def test_conduit_says_done_and_it_is_not(
    house: House, double: DoubleControl, names: tuple[str, ...], line: str, answer: str, said: str
) -> None:
    await double.set(unrun=[text(answer)])
    got = await house.does("!" + line.format(*names))
    shows(
        got, f"^❌ !.* failed: Conduit said done, but {said}\\.$", f"^{names[1]} Look: !mediainfo"
    )
    assert await house.state() == "failed"
