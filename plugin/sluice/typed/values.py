"""How one typed value is read: checked, made canonical, or refused with the reason.

Everything that later stands in a line to the server has passed `sound` and the pattern of its
type, so nothing here may be laxer than what Conduit splits, quotes or takes for a flag.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from fnmatch import fnmatchcase

from attrs import frozen

from ..catalog.table import find
from ..model.command import Param, Type, Value
from ..text.message import Text, code, quote
from .ids import account, bare, number, room, seen, small

MAX_BYTES = 512
MAX_ID = 255  # bytes of a Matrix id with its server
MAX_SPAN = 3650 * 86400  # Conduit's handler dies of a span that reaches before 1970

_NAME = re.compile(r"[A-Za-z0-9._=/+-]+")
_SERVER = r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
_MXID = re.compile(rf"@([!-9;-~]+):({_SERVER})")
_ALIAS = re.compile(rf"#([^:]+)(?::({_SERVER}))?")
_MXC = re.compile(rf"mxc://{_SERVER}/[A-Za-z0-9_-]+")
_EVENT = re.compile(r"\$[A-Za-z0-9._=/+:~-]+")
_SPAN = re.compile(r"(?:\d{1,9}[smhdw])+", re.A)
_SAID = re.compile(  # "1 hour", "an hour", "30 min and"
    r"(?:(\d{1,9})|\ban?\b|\bone\b)\s*"
    r"(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?)\b[\s,]*(?:and\s+)?",
    re.A,
)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DAY = re.compile(r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d)?Z?)?", re.A)
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9.+-]*(?:/[a-z0-9][a-z0-9.+-]*)?")
# Invisible, though Unicode calls them letters or marks.
_HIDDEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0]")
_ON_OFF = {"true": "on", "yes": "on", "false": "off", "no": "off"}


class NotRun(Exception):
    """⛔ "Not run: …". lines: the first without these two words. redact: what was typed may be a
    password, so the message is removed where power allows. short: the same for one entry of a
    list, "no user name"."""

    def __init__(self, *lines: Text, redact: bool = False, short: str = "") -> None:
        super().__init__()
        self.lines = lines
        self.redact = redact
        self.short = short


class NeedsRoom(Exception):
    """An address must be resolved first: parse again with rooms={alias: id}, "" if unknown."""

    def __init__(self, alias: str) -> None:
        super().__init__(alias)
        self.alias = alias


@frozen
class Around:
    """What a value means depends on: Conduit's name, known addresses, the time (epoch seconds)."""

    server: str
    rooms: Mapping[str, str]
    now: float


def sound(word: str) -> str:
    """The word itself, if it can be an argument at all. Raises NotRun."""
    if size(word) > MAX_BYTES:
        raise NotRun(
            (f"that is {size(word)} bytes long, {MAX_BYTES} is the most.",), short="too long"
        )
    shown = "".join(c if _is_visible(c) else "·" for c in word)
    if shown != word:
        raise NotRun(
            (quote(shown), " holds an invisible character (·). Type it by hand."),
            short="a blank or invisible character",
        )
    if word.startswith("-"):
        raise NotRun((quote(word), " starts with a dash; names do not."), short="a dash in front")
    return word


def size(text: str) -> int:
    """Bytes of a text, whatever JSON put into it."""
    return len(text.encode("utf-8", "surrogatepass"))


def _is_visible(char: str) -> bool:
    return char.isprintable() and char != " " and not _HIDDEN.match(char)


def read(param: Param, word: str, around: Around) -> Value:
    """The canonical value of one typed word."""
    return _READERS[param.type](param, sound(seen(word)), around)


def duration(text: str) -> int:
    """Seconds of 30m, 1h, 7d, 1h30m. Raises NotRun."""
    found = _SAID.sub(lambda said: f"{said[1] or 1}{said[2][0]}", bare(text).lower().rstrip("."))
    if _SPAN.fullmatch(found):
        seconds = sum(int(n) * _UNITS[u] for n, u in re.findall(r"(\d+)([smhdw])", found))
        if 0 < seconds <= MAX_SPAN:
            return seconds
    raise NotRun((quote(text), " is no time span. Like this: 30m, 1h, 7d"))


def date(text: str, now: float) -> str:
    """The instant of a day, a day with a time (UTC), or a span before now. Raises NotRun."""
    if _DAY.fullmatch(text.upper()):
        try:
            when = datetime.fromisoformat(text.upper().removesuffix("Z"))
        except ValueError:
            pass
        else:
            return when.isoformat(timespec="seconds")
    elif _SPAN.fullmatch(text.lower()):
        start = datetime(1970, 1, 1, tzinfo=timezone.utc)
        when = start + timedelta(seconds=max(int(now) - duration(text), 0))
        return when.strftime("%Y-%m-%dT%H:%M:%S")
    raise NotRun((quote(text), " is no date. Like this: 7d, 2026-11-16 or 2026-11-16T14:30"))


def reserved(localpart: str, patterns: tuple[str, ...]) -> str | None:
    """The pattern (`_*`) of `reserved_names` that keeps this name back, None if it is free."""
    return next((p for p in patterns if fnmatchcase(localpart, p)), None)


def is_media_type(word: str) -> bool:
    kinds = ("image", "video", "audio", "text", "application", "font", "model")
    return word.lower().partition("/")[0] in kinds


def is_time(word: str) -> bool:
    return bool(_SPAN.fullmatch(word.lower()) or _DAY.fullmatch(word.upper()))


def _user(param: Param, word: str, around: Around) -> str:
    local, server = account(word, around.server)
    is_ours = server in ("", around.server)
    mxid = f"@{small(local)}:{around.server}" if is_ours else f"@{local}:{server}"
    if not (_NAME.fullmatch(local) if is_ours else _MXID.fullmatch(mxid)):
        raise NotRun(
            (quote(word), " cannot be a user name. Allowed: a-z 0-9 . _ = / + -"),
            short="no user name",
        )
    if len(mxid) > MAX_ID:
        raise NotRun((f"that is {len(mxid)} bytes long with its server, {MAX_ID} is the most.",))
    return mxid


def _room(param: Param, word: str, around: Around) -> str:
    found = room(word, around.server)
    if found.startswith("!") and 1 < len(found) <= MAX_ID and found.isascii():
        return found
    if not found.startswith("#"):
        like = found if re.fullmatch("[a-z0-9._-]+", found) else "warez"
        example = code(f"#{like}:{around.server}")
        raise NotRun((quote(word), " is no room. Like this: ", example, ", or the room's id."))
    alias = address(found, around)
    if alias not in around.rooms:
        raise NeedsRoom(alias)
    if not around.rooms[alias]:
        raise NotRun(
            (
                "no room has the address ",
                code(alias),
                ". ",
                "Edit your message, or use the room's id.",
            )
        )
    return around.rooms[alias]


def address(word: str, around: Around) -> str:
    """A room's address in full."""
    found = _ALIAS.fullmatch(room(word, around.server))
    alias = f"#{found.group(1)}:{found.group(2) or around.server}" if found else ""
    if not found or len(alias.encode()) > MAX_ID:
        raise NotRun((quote(word), " is no address. Like this: ", code(f"#warez:{around.server}")))
    return alias


def _mxc(param: Param, word: str, around: Around) -> str:
    word = bare(word).rstrip(".")
    if not _MXC.fullmatch(word) or len(word) > MAX_ID:
        raise NotRun(
            (quote(word), " is no file. Like this: ", code("mxc://example.org/abc")),
            short="no file",
        )
    return word


def _event(param: Param, word: str, around: Around) -> str:
    word = bare(word).rstrip(".")
    if not _EVENT.fullmatch(word) or len(word) > MAX_ID:
        raise NotRun((quote(word), " is no event. An event's id begins with $"))
    return word


def _server(param: Param, word: str, around: Around) -> str:
    word = bare(word).rstrip(".")
    if not re.fullmatch(_SERVER, word) or len(word) > 230:
        raise NotRun((quote(word), " is no server. Like this: evil.example"))
    if param.foreign and word.lower() == around.server:
        raise NotRun((f"{word.lower()} is this server itself; its files go one by one.",))
    return word.lower()


def _choice(param: Param, word: str, around: Around) -> str:
    said = bare(word).lower()
    said = said if said in param.choices else _ON_OFF.get(said, said)
    if said not in param.choices:
        near = [each for each in param.choices if said[1:] and each.startswith(said)]
        if len(near) == 1:
            meant = code(near[0])
            raise NotRun(
                (quote(word), " is not known here. Did you mean ", meant, "? Edit your message.")
            )
        known = " or ".join(param.choices)
        raise NotRun((quote(word), f" is not known here. Say {known}."))
    return said


def _count(param: Param, word: str, around: Around) -> int:
    digits = number(word)
    if not re.fullmatch("[0-9]{1,9}", digits):
        raise NotRun((quote(word), " is not a request number."))
    return int(digits)


def _media_type(param: Param, word: str, around: Around) -> str:
    word = bare(word)
    if not _MEDIA_TYPE.fullmatch(word.lower()):
        raise NotRun((quote(word), " is no file type. Like this: image, or image/png"))
    return word.lower()


def _server_command(param: Param, word: str, around: Around) -> str:
    name = word.lower().replace("_", "-")
    known = find(name)
    name = name if name in param.choices or known is None else known.conduit
    if name not in param.choices:
        raise NotRun(("Conduit has no command ", quote(word), "."))
    return name


_READERS: Mapping[Type, Callable[[Param, str, Around], Value]] = {
    Type.USER: _user,
    Type.ROOM: _room,
    Type.ALIAS: lambda _, word, around: address(word, around),
    Type.MXC: _mxc,
    Type.EVENT: _event,
    Type.SERVER: _server,
    Type.DURATION: lambda param, word, around: duration(word),
    Type.SINCE: lambda param, word, around: date(word, around.now),
    Type.CHOICE: _choice,
    Type.COUNT: _count,
    Type.MEDIA_TYPE: _media_type,
    Type.SERVER_COMMAND: _server_command,
    Type.WORD: lambda param, word, around: bare(word) if param.name == "person" else word,
}
