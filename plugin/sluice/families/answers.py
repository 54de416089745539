"""What an answer means, and what it holds. Nothing that is not listed is ever a success.

Lists, files and reports hold text that anybody may have written: names of files, content types
and reasons are raw and may hold line breaks and what looks like rows of a table (see `_table`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Union

from attrs import frozen

from ..model.admin_room import Asked
from ..model.command import Kind, Outcome, Value
from ..model.event import Json, text_in
from ..model.secret import Secret
from .match import Found, groups_of, match
from .replies import BLOCKED_HEAD, MEDIA_HEAD, NOTICES, SIZE, Reply

Content = Json
UNRECOGNISED = Outcome(Kind.UNKNOWN, "unrecognised")

_NUMBERS = ("count", "failed", "unpurged")
_LISTS = {"invalid": "\n", "remote": "\n", "missing": "\n", "skipped": ", "}
_TEXTS = ("user", "server", "error", "version", "status", "said")


def interpret(asked: Asked, content: Content) -> Outcome:
    """The outcome of a line whose answer this is.

    Fields by code: user, server; count, failed; skipped, invalid, remote, missing (tuples); state
    ("on", "off"); version; said, error (raw text of Conduit). Lists are read by the functions
    below.
    """
    found = match(asked, content)
    if found is None:
        return UNRECOGNISED
    kind = _kind(asked, found, text_in(content, "body"))
    if kind is Kind.UNKNOWN:
        return UNRECOGNISED
    return Outcome(kind, found.reply.code, _fields(found))


def _kind(asked: Asked, found: Found, body: str) -> Kind:
    groups = found.groups
    if found.reply.code == "deactivated_all":  # of a list, anything less than all is a failure
        return Kind.DONE if int(groups["count"]) == len(asked.block) else Kind.FAILED
    if asked.command == "list-local-users" and found.reply.code == "list":
        return Kind.DONE if int(groups["count"]) == len(users_in(body)) else Kind.UNKNOWN
    return found.reply.kind


def _fields(found: Found) -> tuple[tuple[str, Value], ...]:
    fields: list[tuple[str, Value]] = []
    for name, text in found.groups.items():
        if name in _NUMBERS:
            fields.append((name, int(text)))
        elif name in _LISTS:
            fields.append((name, tuple(text.split(_LISTS[name]))))
        elif name in ("now", "currently"):
            fields.append(("state", "on" if text == "enabled" else "off"))
        elif name in _TEXTS:
            fields.append((name, text))
    return tuple(fields)


def password_in(asked: Asked, content: Content) -> Secret | None:
    """The password that this answer to our line shows, None if it shows none."""
    found = match(asked, content)
    password = found.groups.get("password") if found else None
    return None if password is None else Secret(password)


# --- lists


@frozen
class Room:
    room_id: str
    members: int


@frozen
class StoredFile:
    """A row of list-media. type and name are the uploader's words, name may be cut or empty."""

    mxc: str
    size: int  # bytes, to the digits that Conduit shows
    created: str  # "2026-11-23 20:22:52", UTC
    uploader: str | None
    type: str
    name: str


@frozen
class Blocked:
    mxc: str
    blocked: str  # as StoredFile.created
    reason: str
    sha256: str | None


@frozen
class MediaInfo:
    """What query-media knows of the full file. stored None: it knows no such file."""

    blocked: bool
    blocked_by_hash: bool = False
    stored: bool | None = None
    created: str | None = None
    used: str | None = None
    size: int | None = None
    sha256: str | None = None
    uploader: str | None = None
    name: str = ""
    type: str = ""


def users_in(body: str) -> tuple[str, ...]:
    """The MXIDs of list-local-users, in its order."""
    return tuple(line for line in body.split("\n")[1:] if line)


def rooms_in(body: str) -> tuple[Room, ...]:
    rows = (line.partition("\tMembers: ") for line in body.split("\n")[1:] if line)
    return tuple(Room(room_id, int(members)) for room_id, _, members in rows)


def appservices_in(body: str) -> tuple[str, ...]:
    return tuple(i for i in body.partition("): ")[2].split(", ") if i)


def federation_in(body: str) -> tuple[tuple[str, str, int], ...]:
    """(room id, event id, seconds) for each event that is being handled."""
    rows = re.findall(r"^(\S+) (\S+): (\d+)m(\d+)s$", body, re.M)
    return tuple((room, event, int(m) * 60 + int(s)) for room, event, m, s in rows)


def media_in(content: Content) -> tuple[StoredFile, ...] | None:
    """The files of list-media; None if the answer is no such table."""
    rows = _table(content, MEDIA_HEAD)
    return (
        None
        if rows is None
        else tuple(
            StoredFile(mxc, _bytes(size), created[:19], uploader or None, kind, name)
            for mxc, _, created, uploader, kind, name, size in rows
        )
    )


def blocked_in(content: Content) -> tuple[Blocked, ...] | None:
    """The files of list-blocked-media; None if the answer is no such table."""
    rows = _table(content, BLOCKED_HEAD)
    return (
        None
        if rows is None
        else tuple(
            Blocked(mxc, at[:19], reason, sha256 or None) for sha256, mxc, at, reason in rows
        )
    )


_END = "</tbody></table>"


def _table(content: Content, head: str) -> list[list[str]] | None:
    """The cells of a table of Conduit, whatever stands in them.

    Names of files may hold "|", line breaks and tags, and neither form of the answer escapes them:
    each alone can be forged. But both hold the same cells with different words between them, so a
    cell ends where the two begin to differ, and no text in a cell can change that.
    """
    body, html = content.get("body"), content.get("formatted_body")
    columns = head.partition("\n")[0][2:-2].split(" | ")
    heads = "".join(f'<th scope="col">{column}</th>' for column in columns)
    start = f"<table><thead><tr>{heads}</tr></thead><tbody>"
    if not isinstance(html, str) or not str(body).startswith(head) or not html.startswith(start):
        return None
    left, right = f"{body}"[len(head) :], html[len(start) :]
    rows: list[list[str]] = []
    while left:
        row: list[str] = []
        for column in range(len(columns)):
            between = (" | ", "</td><td>") if column else ("\n| ", "<tr><td>")
            found = _cell(left, right, between)
            if found is None:
                return None
            cell, left, right = found
            row.append(cell)
        if not (left.startswith(" |") and right.startswith("</td></tr>")):
            return None
        left, right = left[2:], right[len("</td></tr>") :]
        rows.append(row)
    return rows if right == _END else None


def _cell(left: str, right: str, between: tuple[str, str]) -> tuple[str, str, str] | None:
    """The next cell, and what is left of both forms behind it."""
    if not (left.startswith(between[0]) and right.startswith(between[1])):
        return None
    left, right = left[len(between[0]) :], right[len(between[1]) :]
    ends = (at for at, (one, other) in enumerate(zip(left, right, strict=False)) if one != other)
    size = next(ends, min(len(left), len(right)))
    return left[:size], left[size:], right[size:]


_INFO = re.compile(
    r"Is stored: (?P<stored>true|false)\n(?:Created at: (?P<created>.{19}) UTC\n"
    r"Last accessed at: (?P<used>.{19}) UTC\nSize of file: (?P<size>[^\n]*)\n)?"
    r"[^\n]*\nSHA256 hash of file: (?P<sha256>[0-9a-f]{64})\n[^\n]*: (?P<hash>true|false)"
    r"(?:\nUploader: (?P<uploader>@[^\n]*))?"
)


def media_info(body: str) -> MediaInfo:
    """What query-media says. Name and type are the uploader's words, up to where they may end."""
    head, _, file = body.partition("\n\nInformation on full (non-thumbnail) file:\n\n")
    is_blocked = head.startswith("Is blocked Media ID: true")
    row = _INFO.match(file)
    if row is None:
        return MediaInfo(is_blocked)
    words = file[row.end() :].partition("\n\nInformation on thumbnails of media:")[0]
    name, _, kind = words.rpartition("\nContent-type: ")
    return MediaInfo(
        is_blocked,
        row["hash"] == "true",
        row["stored"] == "true",
        row["created"],
        row["used"],
        _bytes(row["size"]) if row["size"] else None,
        row["sha256"],
        row["uploader"],
        name.removeprefix("\nFilename: "),
        kind,
    )


def config_in(body: str) -> tuple[tuple[str, str], ...]:
    """(label, value) in Conduit's order."""
    rows = (line.partition(": ") for line in body.split("\n")[2:] if line)
    return tuple((label, value) for label, _, value in rows)


def memory_in(body: str) -> tuple[tuple[str, int], ...]:
    """(cache, entries), services first."""
    return tuple((name, int(n)) for name, n in re.findall(r"^([a-z_]+): (\d+)$", body, re.M))


def event_in(body: str) -> tuple[bool, str]:
    """(accepted, or only an outlier; the JSON) of get-pdu."""
    status, _, rest = body.partition("\n```json\n")
    return status == "PDU was accepted", rest.removesuffix("\n```")


def the_event(body: str) -> Json:
    """The event itself; empty if that is no JSON of one."""
    try:
        found = json.loads(event_in(body)[1])
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _bytes(size: str) -> int:
    if not re.fullmatch(SIZE, size):
        return 0
    number, _, unit = size.partition(" ")
    power = ("", "k", "M", "G", "T", "P", "E").index(unit[:-1])
    return round(float(number) * float(1000**power))


# --- what the server says unasked


@frozen
class Registered:
    user: str


@frozen
class PasswordChanged:
    user: str


@frozen
class SelfDeactivated:
    user: str


@frozen
class Report:
    """A report. reason: None, or any user's words, unescaped: it may hold line breaks."""

    reporter: str
    event: str
    room: str
    sender: str
    reason: str | None


@frozen
class Emergency:
    """The emergency password is set: until it is not, nothing the server user says is certain."""


@frozen
class Developers:
    """A message of Conduit's developers (raw text)."""

    date: str
    text: str


@frozen
class Welcome:
    """The greeting of a new server."""


ServerNotice = Union[
    Registered, PasswordChanged, SelfDeactivated, Report, Emergency, Developers, Welcome
]


def server_notice(content: Content) -> ServerNotice | None:
    """What a message of the server user that is no answer says; None if it is no known one."""
    for reply in NOTICES:
        groups = groups_of(reply, content)
        if groups is not None:
            return _notice(reply, groups)
    return None


_NOTICES: Mapping[str, Callable[..., ServerNotice]] = {
    "registered": Registered,
    "password": PasswordChanged,
    "left": SelfDeactivated,
    "emergency": Emergency,
    "developers": Developers,
    "welcome": Welcome,
}


def _notice(reply: Reply, groups: Mapping[str, str]) -> ServerNotice:
    if reply.code in _NOTICES:
        return _NOTICES[reply.code](**groups)
    reason = groups.get("reason")
    return Report(
        groups["reporter"],
        groups["event"],
        groups["room"],
        groups["sender"],
        None if reason is None else _ESCAPE.sub(_unescape, reason),
    )


_ESCAPE = re.compile(r"\\(?:u\{([0-9a-f]{1,6})\}|(.))")
_NAMED = {"n": "\n", "r": "\r", "t": "\t", "0": "\0"}


def _unescape(match: re.Match[str]) -> str:
    """Rust's Debug of a string, undone."""
    number, char = match.groups()
    if number is None:
        return _NAMED.get(char, char)
    return chr(int(number, 16)) if int(number, 16) <= 0x10FFFF else "\ufffd"
