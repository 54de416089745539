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
        "deactivateall\n{0}", (MISSING, "0 of 1 account deactivated, 1 not."), ERROR
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
    "deactivate": "{0} is still active",
    "deactivateall": "0 of 1 account deactivated, 1 not",
    "rmalias": "The address still leads to its room",
    "purge": "The files are still there",
    "block": "The files can still be loaded",
    "unblock": "1 file unblocked, and I checked that it loads again",
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


def marked(outcome: str) -> list[Any]:
    chosen = {
        name: row
        for name, row in ROWS.items()
        if outcome == "unrecognised" or getattr(row, outcome)[0]
    }
    return [pytest.param(n, row, marks=covers(n, outcome), id=n) for n, row in chosen.items()]


@pytest.mark.parametrize(("name", "row"), marked("refused"))
async def test_conduit_says_no(
    house: House, double: DoubleControl, names: tuple[str, ...], name: str, row: Row
) -> None:
    answer, said = (part.format(*names) for part in row.refused)
    await double.set(unrun=[text(answer)])
    got = await house.does("!" + row.line.format(*names))
    start = "❌ " if name == "deactivateall" else "❌ Refused: "
    shows(got, f"^{start}{re.escape(said)}")
    assert await house.state() == "refused"


@pytest.mark.parametrize(("name", "row"), marked("failed"))
async def test_conduit_could_not(
    house: House, double: DoubleControl, names: tuple[str, ...], name: str, row: Row
) -> None:
    answer, said = (part.format(*names) for part in row.failed)
    await double.set(unrun=[text(answer)])
    got = await house.does("!" + row.line.format(*names))
    if name == "unblock":  # Conduit says so of every file with thumbnails
        shows(got, "^✅ 1 file unblocked, and I checked that it loads again")
        return
    if name != "deactivateall":
        shows(got, f"^❌ Failed: {re.escape(said)}")
    shows(got, "^❌ ")
    if "No space" in answer and name != "deactivateall":
        shows(got, "^Conduit: “There was a problem with the connection to the rocksdb database: ")
    assert await house.state() == "failed"


@pytest.mark.parametrize(("name", "row"), marked("unrecognised"))
async def test_an_answer_that_nobody_understands(
    house: House, double: DoubleControl, names: tuple[str, ...], name: str, row: Row
) -> None:
    odd = f"{ODD} {house.name(name)}"
    await double.set(unrun=[text(odd)])
    got = await house.does("!" + row.line.format(*names))
    wanted = "unknown"
    if name in LOOKS:
        wanted = "failed"
        shows(got, "^❌ Failed: I do not understand Conduit's answer. Nothing changed")
        shows(got, re.escape(f"Conduit: “{odd}”"))
    elif name in TOLD:
        wanted = "done" if name == "unblock" else "failed"
        shows(got, re.escape(TOLD[name].format(*names)))
    else:
        shows(got, r"^❗ #\d+ outcome unknown: .*I do not understand Conduit's answer\.")
        shows(got, r"!resolve \d+ done or !resolve \d+ failed$")
    if name in ("adduser", "resetpw"):
        await is_kept_private(house, odd, got)
    elif wanted == "unknown":
        shows(got, re.escape(f"Conduit: “{odd}”"))
    if row.look and wanted == "unknown":
        shows(got, re.escape(f"Look: !{row.look.format(*names)}"))
    assert await house.state() == wanted


async def is_kept_private(house: House, odd: str, got: str) -> None:
    """It may hold a password."""
    assert odd not in got
    shows(got, "It may hold a password, so it is not shown here: ana has it in private.")
    shows(got, "Conduit's copy in the admin room is removed.")
    await (await house.world.private("ana")).shows(re.escape(odd))

    async def is_removed() -> bool:
        admin = await Chat.from_the_start(house.server.ana, house.server.admin_room)
        return odd not in admin.transcript()

    await eventually(is_removed, "Conduit's copy is removed")
