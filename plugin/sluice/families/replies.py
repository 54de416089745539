"""What Conduit understands and answers, of all supported versions: the one table of its side.

Read from Conduit's `src/service/admin/mod.rs` (v0.9.0, v0.10.12 and 0.11.0-alpha, commit d058dab7)
and confirmed by the transcripts under tests/golden. A reply matches the *whole* body and its
msgtype. A group's name says what it is: `user`, `server`, `id` and `url` repeat an argument (see
`match`), `count` and `failed` are numbers, `said` and `error` are raw text, `password` never
leaves as text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from ..model.command import Dialect, Kind
from . import lines
from .lines import Lines

DONE, REFUSED, FAILED = Kind.DONE, Kind.REFUSED, Kind.FAILED


@frozen
class Reply:
    """One answer. code: its name in outcomes."""

    code: str
    kind: Kind
    pattern: re.Pattern[str]
    msgtypes: tuple[str, ...] = ("m.text",)


@frozen
class ServerCommand:
    """A command as the server takes it.

    args: its positional arguments by clap's names. switches, options: "long/s" with the short
    letter; options take a value. block: it reads a code block; `tagged`: whose fence may name a
    language. since: flags or the whole command that an older version lacks. slow: it may take
    minutes; "flags" if only with one. lines: how it is sent, None for what never is.
    """

    name: str
    replies: tuple[Reply, ...]
    args: tuple[str, ...] = ()
    switches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    block: bool = False
    tagged: bool = False
    since: Dialect = Dialect.V0_9
    slow: str = ""
    lines: Lines | None = None

    def flags(self, dialect: Dialect) -> frozenset[str]:
        """The long flags that a version knows."""
        old = dialect is Dialect.V0_9 and self.since is Dialect.V0_9
        names = (flag.partition("/")[0] for flag in (*self.switches, *self.options))
        return frozenset(f"--{n}" for n in names if not (old and n in _FLAGS_OF_0_10))


_FLAGS_OF_0_10 = frozenset(("purge-media", "media-from-last", "force-filehash"))


def _done(code: str, pattern: str) -> Reply:
    return Reply(code, DONE, re.compile(pattern))


def _refused(code: str, pattern: str) -> Reply:
    return Reply(code, REFUSED, re.compile(pattern))


def _failed(code: str, pattern: str) -> Reply:
    return Reply(code, FAILED, re.compile(pattern))


_ANY = r"(?s:.*)"
_WRAP = r"Encountered an error while handling the command:\n```\n"
_DATE = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
_BOOL = "(?:true|false)"
SIZE = r"\d+(?:\.\d+)? (?:B|[kMGTPE]B)"
_LOGS = "media, check logs for more details"

_OWN_SERVER = rf"{_WRAP}Cannot purge all media from your own homeserver\n```"
_BAD_TIME = rf"{_WRAP}Timestamp must be after unix epoch\n```"
ERROR = _failed("error", rf"(?!(?:{_OWN_SERVER}|{_BAD_TIME})\Z){_WRAP}(?P<error>{_ANY})\n```")
NO_BLOCK = _refused("no_block", r"Expected code block in command body\. Add --help for details\.")
BAD_LIST = _refused(
    "bad_list",
    r"(?=The following )"
    r"(?:The following user ids are not valid:\n```\n(?P<invalid>(?s:.*?))\n```\n\n)?"
    r"(?:The following users are not from this server:\n```\n(?P<remote>(?s:.*?))\n```\n\n)?"
    r"(?:The following users do not exist:\n```\n(?P<missing>(?s:.*?))\n```\n\n)?",
)
_BAD_NAME = (
    _refused("bad_name", rf"The supplied username is not a valid username: (?P<error>{_ANY})"),
    _refused("remote", "The specified user is not from this server!"),
)
_EVENT_ID = r'EventId: (?:Ok\("\$[^\n"]*"\)|Err\([^\n]*\))'
_BAD_JSON = _refused("bad_json", rf"Invalid json: (?P<error>{_ANY})")
_JSON = _done("signed", rf"\{{{_ANY}\}}")
_PURGED = _done("purged", "Successfully purged media")
_BLOCKED = _done("blocked", "Successfully blocked media")
_NOT_PURGED = _failed("media_failed", rf"Failed to purge (?P<failed>\d+) {_LOGS}")
_NOT_BLOCKED = _failed("media_failed", rf"Failed to block (?P<failed>\d+) {_LOGS}")
_BAD_MXC = _refused("bad_mxc", "Invalid media MXC")

CONFIG_LABELS = (
    "Server name", "Database backend", "Database path", "Database cache capacity (MB)",
    "Cache capacity modifier", "Maximum open files for RocksDB", "PDU cache capacity",
    "Cleanup interval in seconds", "Maximum request size", "Maximum concurrent requests",
    "Allow registration", "Enabled lightning bolt", "Allow encryption", "Allow federation",
    "Allow room creation", "JWT secret", "Trusted servers", "TURN username", "TURN password",
    "TURN secret", "Turn TTL", "Turn URIs", "TURN URIs", "Well-known server name",
    "Well-known client URL",
)  # fmt: skip
_LABEL = "|".join(re.escape(label) for label in CONFIG_LABELS)
_SERVICES = (
    "lazy_load_waiting", "server_visibility_cache", "user_visibility_cache", "stateinfo_cache",
    "lasttimelinecount_cache", "roomid_spacechunk_cache",
)  # fmt: skip
_CACHES = (
    "pdu_cache", "shorteventid_cache", "auth_chain_cache", "eventidshort_cache",
    "statekeyshort_cache", "our_real_users_cache", "appservice_in_room_cache",
    "lasttimelinecount_cache",
)  # fmt: skip
_ENGINE = (
    r"(?:Current database engine does not support memory usage reporting\."
    r"|(?:Approximate memory usage [^\n:]*: \d+\.\d+ MB\n)+)?"
)

_FILE = (
    rf"Is stored: (?:true\nCreated at: {_DATE}\nLast accessed at: {_DATE}\nSize of file: {SIZE}"
    rf"|false)\nIs accessible via unauthenticated media endpoints: {_BOOL}"
    rf"\nSHA256 hash of file: [0-9a-f]{{64}}"
    rf"\nIs blocked due to sharing SHA256 hash with blocked media: {_BOOL}"
    rf"(?:\nUploader: @[^\n]*)?(?:\nFilename: {_ANY})?(?:\nContent-type: {_ANY})?"
)
MEDIA_HEAD = (
    "| MXC URI | Dimensions (if thumbnail) | Created/Downloaded at | Uploader | Content-Type"
    " | Filename | Size |\n| --- | --- | --- | --- | --- | --- | --- |"
)
BLOCKED_HEAD = "| SHA256 hash | MXC URI | Time Blocked | Reason |\n| --- | --- | --- | --- |"

_DURATION, _FILEHASH = "from-last/t", "force-filehash/f"
_PURGING = ("leave-rooms/l", "purge-media/m", "force-filehash/f")


def _it(
    name: str, sent: Lines | None, *replies: Reply, args: str = "", **more: Any
) -> ServerCommand:
    return ServerCommand(name, replies, tuple(args.split()), lines=sent, **more)


def _media(name: str, sent: Lines | None, *replies: Reply, **more: Any) -> ServerCommand:
    return _it(name, sent, *replies, since=Dialect.V0_10, **more)


NEVER = None  # how a command is sent that we never send: an answer of it may still come


# fmt: off
_TABLE = (
    _it("register-appservice", NEVER,
        _done("registered", r"Appservice registered with ID: (?P<id>[^\n]+)\."),
        _failed("error", rf"Failed to register appservice: (?P<error>{_ANY})"),
        _refused("bad_yaml", rf"Could not parse appservice config: (?P<error>{_ANY})"),
        NO_BLOCK, block=True),
    _it("unregister-appservice", lines.plain,
        _done("unregistered", r"Appservice unregistered\."),
        _refused("missing", "Failed to unregister appservice: Appservice not found"),
        _failed("error", rf"Failed to unregister appservice: (?P<error>{_ANY})"),
        args="APPSERVICE_IDENTIFIER"),
    _it("list-appservices", lines.bare,
        _done("list", r"Appservices \((?P<count>\d+)\): (?P<rows>[^\n]*)")),
    _it("list-rooms", lines.bare,
        _done("list", r"Rooms:(?:\n|(?P<rows>(?:\n![^\t\n]+\tMembers: \d+)+))")),
    _it("list-local-users", lines.bare,
        _done("list", rf"Found (?P<count>\d+) local user account\(s\):\n(?P<rows>{_ANY})"),
        _failed("error", r"(?P<error>There was a problem with the connection to the \w+ database:"
                         rf" {_ANY})")),
    _it("incoming-federation", lines.bare,
        _done("list", r"Handling (?P<count>\d+) incoming pdus:\n"
                      r"(?P<rows>(?:[^\s]+ [^\s]+: \d+m\d+s\n)*)")),
    _it("remove-alias", lines.plain,
        _done("removed", "Alias removed suc{1,2}essfully"),  # one c in 0.9
        _refused("remote", "Cannot remove alias which is not from this server"),
        _refused("missing", "No such alias exists"), ERROR, args="ALIAS"),
    _it("deactivate-user", lines.plain,
        _done("deactivated", r"User (?P<user>@[^\n]*?) has been deactivated(?:, but "
              r"(?P<failed>\d+) media failed to be purged, check the logs for more details)?"),
        _refused("missing", r"User (?P<user>@[^\n]*) doesn't exist on this server"),
        _refused("remote", r"User (?P<user>@[^\n]*) is not from this server"), ERROR,
        args="USER_ID", switches=_PURGING, options=("media-from-last/t",), slow="flags"),
    _it("deactivate-all", lines.in_bulk,
        _done("deactivated_all", r"Deactivated (?P<count>\d+) accounts\."
              r'(?:\nSkipped admin accounts: "(?P<skipped>[^\n]*)"\.'
              r" Use --force to deactivate admin accounts)?"
              rf"(?:\nFailed to delete (?P<failed>\d+) {_LOGS})?"),
        BAD_LIST, NO_BLOCK, ERROR,
        switches=(*_PURGING, "force/F"), options=("media-from-last/t",), block=True,
        slow="always"),
    _media("query-media", lines.plain,
           _done("media", rf"Is blocked Media ID: {_BOOL}"
                 rf"(?:\n\nInformation on full \(non-thumbnail\) file:\n\n{_FILE})?"
                 rf"(?:\n\nInformation on thumbnails of media:{_ANY})?"),
           _BAD_MXC, ERROR, args="MXC"),
    _media("show-media", NEVER, Reply("shown", DONE, re.compile(_ANY), ("m.image", "m.file")),
           _BAD_MXC, ERROR, args="MXC", slow="always"),
    _media("list-media", lines.media,
           _done("list", rf"{re.escape(MEDIA_HEAD)}(?P<rows>(?:\n{_ANY})?)"),
           _refused("bad_time", _BAD_TIME), ERROR,
           switches=("include-thumbnails/t",),
           options=("user/u", "server/s", "content-type/c", "uploaded-before/b",
                    "uploaded-after/a")),
    _media("purge-media", lines.listed, _PURGED,
           _failed("media_failed", rf"Failed to delete (?P<failed>\d+) {_LOGS}"), NO_BLOCK,
           block=True, slow="always"),
    _media("purge-media-from-users", lines.listed, _PURGED, _NOT_PURGED, BAD_LIST, NO_BLOCK, ERROR,
           switches=(_FILEHASH,), options=(_DURATION,), block=True, slow="always"),
    _media("purge-media-from-server", lines.of_server,
           _done("purged", r"Media from (?P<server>\S+) has successfully been purged"),
           _NOT_PURGED,
           _refused("own_server", _OWN_SERVER), ERROR, args="SERVER_ID",
           switches=(_FILEHASH,), options=(_DURATION,), slow="always"),
    _media("block-media", lines.listed, _BLOCKED, _NOT_BLOCKED, _NOT_PURGED,
           _failed("media_failed",
                   rf"Failed to block (?P<failed>\d+), and purge (?P<unpurged>\d+) {_LOGS}"),
           NO_BLOCK, switches=("and-purge/a",), options=("reason/r",), block=True, slow="always"),
    _media("block-media-from-users", lines.listed,
           _BLOCKED, _NOT_BLOCKED, BAD_LIST, NO_BLOCK, ERROR,
           options=("from-last/f", "reason/r"), block=True, slow="always"),  # -f here, -t above
    _media("list-blocked-media", lines.bare,
           _done("list", rf"{re.escape(BLOCKED_HEAD)}(?P<rows>(?:\n{_ANY})?)")),
    _media("unblock-media", lines.listed, _done("unblocked", "Successfully unblocked media"),
           # Also said after a full success if the media has thumbnails: the probe decides.
           _failed("media_failed", rf"Failed to unblock (?P<failed>\d+) {_LOGS}"), NO_BLOCK,
           block=True),
    _it("get-auth-chain", NEVER,
        _done("chain", r"Loaded auth chain with length (?P<count>\d+) in \S+"),
        _refused("missing", r"Event not found\."), ERROR, args="EVENT_ID", slow="always"),
    _it("parse-pdu", NEVER,
        _done("pdu", rf"{_EVENT_ID}\nPduEvent \{{{_ANY}\}}"),
        _refused("bad_pdu", rf"{_EVENT_ID}\nCould not parse event: (?P<error>{_ANY})"),
        _refused("bad_pdu", rf"Could not parse PDU JSON: (?P<error>{_ANY})"),
        _refused("bad_json", rf"Invalid json in command body: (?P<error>{_ANY})"),
        _refused("no_block", r"Expected code block in command body\."), block=True),
    _it("get-pdu", lines.plain,
        _done("pdu", rf"PDU (?P<status>is outlier|was accepted)\n```json\n(?P<pdu>{_ANY})\n```"),
        _refused("missing", r"PDU not found\."), ERROR, args="EVENT_ID"),
    _it("memory-usage", lines.bare,
        _done("memory", rf"Services:\n(?:(?:{'|'.join(_SERVICES)}): \d+\n)+\nDatabase:\n"
                        rf"(?:(?:{'|'.join(_CACHES)}): \d+(?:\n|\Z))+{_ENGINE}")),
    _it("clear-database-caches", lines.caches, _done("cleared", r"Done\."), args="AMOUNT"),
    _it("clear-service-caches", lines.caches, _done("cleared", r"Done\."), args="AMOUNT"),
    _it("show-config", lines.bare,
        _done("config", r"Active config values:\n\n"
                        rf"(?:(?:{_LABEL}): (?:(?!(?:{_LABEL}): )[^\n])*\n)+")),
    _it("reset-password", lines.a_line_each,
        _done("reset", r"Successfully reset the password for user (?P<user>@[^\n]*):"
                       r" (?P<password>[A-Za-z0-9]{15})"),
        _failed("error", r"Couldn't reset the password for user (?P<user>@[^\n]*?): "
                         rf"(?P<error>{_ANY})"),
        *_BAD_NAME, _refused("missing", "The specified user does not exist!"), ERROR,
        args="USERNAME"),
    _it("create-user", lines.a_line_each,
        _done("created", r"Created user with user_id: (?P<user>@[^\n]*?) and password:"
                         r" (?P<password>[^\n]*)"),
        *_BAD_NAME,
        _refused("historical", r"Userid (?P<user>@[^\n]*) is not allowed due to historical"),
        _refused("exists", r"Userid (?P<user>@[^\n]*) already exists"), ERROR,
        args="USERNAME PASSWORD"),
    _it("allow-registration", lines.registration,
        _done("set", r"Registration is now (?P<now>enabled|disabled)"),
        _done("state", r"Registration is currently (?P<currently>enabled|disabled)"),
        args="STATUS"),
    _it("disable-room", lines.plain, _done("disabled", r"Room disabled\."), ERROR, args="ROOM_ID"),
    _it("enable-room", lines.plain, _done("enabled", r"Room enabled\."), ERROR, args="ROOM_ID"),
    _it("sign-json", NEVER, _JSON, _BAD_JSON, NO_BLOCK, block=True),
    _it("verify-json", NEVER,
        _done("verified", r"Signature correct(?: \(with expired keys\))?"),
        _refused("bad_signature", rf"Signature verification failed: (?P<error>{_ANY})"),
        _BAD_JSON, NO_BLOCK, ERROR, block=True, slow="always"),
    _it("hash-and-sign-event", NEVER, _JSON,
        _refused("bad_pdu", rf"Invalid event: (?P<error>{_ANY})"), _BAD_JSON, NO_BLOCK,
        args="ROOM_VERSION_ID", block=True, tagged=True),
)
# fmt: on

SERVER_COMMANDS: Mapping[str, ServerCommand] = {command.name: command for command in _TABLE}

# --- what any command may be answered with (clap 4.5)

_HINT = r"\n\nFor more information, try '--help'\.\n"
USAGE = _refused("usage", rf"error: (?P<error>{_ANY}){_HINT}")
UNCLOSED = _refused("unclosed", "Failed to parse admin command: missing closing quote")
VERSION = _done("version", r"@conduit:\S+: (?P<version>\d+\.\d+\.\d+[^\s]*)\n")
# What uploaders or events say is never taken for a help text.
HELP = _done(
    "help",
    r"(?!error: |\| |PDU |Is blocked |Encountered |\{)(?:(?s:.*?)\n\n)?"
    r"Usage: @conduit:\S+ (?P<usage>[^\n]*)\n(?s:.*)Print (?:help|version)(?: \([^\n]*\))?\n",
)
COMMON = (USAGE, UNCLOSED, VERSION, HELP)

# --- what it says unasked

_MXID = r"@[^\s:]*:\S+"
_REASON = r'None|Some\("(?P<reason>(?:[^"\\\n]|\\.)*)"\)'
NOTICES: tuple[Reply, ...] = (
    Reply("registered", DONE, re.compile(rf"New user (?P<user>{_MXID}) registered on this"
          r" server\."), ("m.notice",)),
    Reply("password", DONE, re.compile(rf"User (?P<user>{_MXID}) changed their password\."),
          ("m.notice",)),
    Reply("left", DONE, re.compile(rf"User (?P<user>{_MXID}) deactivated their account\."),
          ("m.notice",)),
    _done("report", rf'Report received from: (?P<reporter>{_MXID})\n\nEvent ID: '
          r'"(?P<event>\$[^"\n]*)"\nRoom ID: (?:Some\()?"(?P<room>![^"\n]*)"\)?\nSent By: '
          r'"(?P<sender>@[^"\n]*)"\n\nReport Score: (?P<score>None|Some\(-?\d+\))\n'
          rf"Report Reason: (?:{_REASON})"),
    _done("emergency", "The Conduit account emergency password is set! Please unset it as soon as"
          " you finish admin account recovery!"),
    _done("developers", r"@room: The following is a message from the Conduit developers\. It was"
          rf" sent on '(?P<date>[^'\n]*)':\n\n(?P<text>{_ANY})"),
    _done("welcome", rf"## Thank you for trying out Conduit!\n\n{_ANY}"),
)  # fmt: skip
