"""Files: looked at, purged, blocked."""

from __future__ import annotations

from attrs import evolve

from ..model.command import Alias, Type
from ..text.message import Text
from ..text.phrases import codes, count, line
from ..text.times import span
from .params import ACCOUNT_LIST, FILE, FILE_LIST, LAST, SERVER, flag, maybe
from .record import (
    CHANGE,
    DESTRUCTIVE,
    FILES_THERE,
    INSPECT,
    Action,
    After,
    Before,
    End,
    Group,
    Many,
    ReadOnly,
    Words,
    always,
    back_by,
    never,
)

_COPIES = "Copies on other servers and phones stay."
_BY_SERVER = (
    "of other servers I know files by server, not by account.",
    FILES_THERE,
)

# --- looked at

MEDIA = ReadOnly(
    name="media", tags=INSPECT, conduit="list-media",
    aliases=(
        Alias("list-media", noise=("--user", "--server", "--content-type", "--uploaded-after")),
   ),
    params=(
        maybe("user", Type.USER), maybe("server", Type.SERVER), maybe("type", Type.MEDIA_TYPE),
        maybe("since", Type.SINCE),
   ),
    by_shape=True, elsewhere=_BY_SERVER,
    summary="files of an account or a server",
    example="media @eve:example.org image since 7d",
    overview=True,
    before=Before.OWNER, attacker_sized=True,
)  # fmt: skip

MEDIAINFO = ReadOnly(
    name="mediainfo", tags=INSPECT, conduit="query-media", most=1,
    params=(FILE,),
    summary="what is known of a file",
    example="mediainfo mxc://example.org/abc",
    attacker_sized=True,
)  # fmt: skip

BLOCKED = ReadOnly(
    name="blocked", tags=INSPECT, conduit="list-blocked-media",
    summary="files that are blocked",
    example="blocked",
    attacker_sized=True,
)  # fmt: skip

# --- some files


def _files(end: End) -> str:
    return count(len(end.invocation.values("mxc")), "file")


def _checked(end: End, present: bool) -> bool:
    mxcs = end.invocation.values("mxc")
    return all(end.ending.present.get(mxc) is present for mxc in mxcs)


def _unchecked(end: End) -> Text:
    """A file of another server is not looked at: that would fetch it again."""
    servers = dict.fromkeys(mxc[6:].partition("/")[0] for mxc in end.invocation.values("mxc"))
    others = [server for server in servers if server != end.here.server]
    if not others:
        return ("Conduit says so; I could not check it.",)
    return ("Conduit says so; a look would fetch it again from ", *codes(others[:3], "and"), ".")


def _purged(end: End) -> Words:
    files = _files(end)
    are = "it is" if files.startswith("1 ") else "they are"
    checked = (f"I checked that {are} gone.",) if _checked(end, False) else _unchecked(end)
    return Words((f"purged {files}",), lines=(checked,))


def _blocked(end: End) -> Words:
    files, and_purge = _files(end), end.invocation.get("and-purge")
    it = "it" if files.startswith("1 ") else "them"
    looked = (f"I checked that nobody can load {it}.",)
    checked = looked if _checked(end, False) else _unchecked(end)
    verb = "blocked and purged" if and_purge else "blocked"
    note = "what was purged does not come back" if and_purge else ""
    return Words((f"{verb} {files}",), lines=(checked,), note=note)


def _unblocked(end: End) -> Words:
    files = _files(end)
    one = files.startswith("1 ")
    said = f"I checked that {'it loads' if one else 'they load'} again."
    if not _checked(end, True):
        it = "it" if one else "all of them"
        said = f"Conduit says so also for files it never had, and I could not load {it}."
    return Words((f"unblocked {files}",), lines=(said,))


PURGE = Action(
    name="purge", tags=DESTRUCTIVE, conduit="purge-media", most=None,
    params=(FILE_LIST,), of_account="purgeuser",
    summary="deletes a file; also as a reply to a picture",
    about="deletes files from this server, for good",
    example="purge mxc://example.org/abc reason illegal",
    overview=True, brief=("purge reason illegal", "as a reply to a picture"),
    before=Before.FILES, after=After.MEDIA,
    then=always("deleted here, equal files too."),
    done=_purged, told=Many("file", "purged"), by_file=True,
    not_done=(" is still there", " are still there"),
    undo=never,
    still="The files are still there",
    look="`!mediainfo {first}`",
)  # fmt: skip

BLOCK = Action(
    name="block", tags=DESTRUCTIVE, conduit="block-media", most=None,
    params=(FILE_LIST, flag("and-purge")), of_account="blockuser",
    summary="lets nobody use a file any more",
    example="block mxc://example.org/abc reason illegal",
    overview=True,
    before=Before.POSTED, after=After.MEDIA,
    then=always("nobody can open it over this server."),
    done=_blocked, told=Many("file", "blocked"),
    not_done=(" can still be loaded", " can still be loaded"), could_not="blocked",
    undo=back_by("unblock"),
    still="The files can still be loaded",
    look="`!mediainfo {first}`",
)  # fmt: skip

UNBLOCK = Action(
    name="unblock", tags=CHANGE, conduit="unblock-media", most=None,
    params=(FILE_LIST,),
    summary="lets files be used again",
    example="unblock mxc://example.org/abc",
    overview=True,
    after=After.MEDIA,
    then=always("it can be opened over this server again."),
    done=_unblocked, told=Many("file", "unblocked"), loads=True,
    not_done=(" still cannot be loaded; it may be gone", " still cannot be loaded"),
    could_not="unblocked",
    undo=back_by("block"),
    still="The files still cannot be loaded",
    look="`!mediainfo {first}`",
)  # fmt: skip

# --- all files of somebody


def _whose(end: End) -> Text:
    whom = end.invocation.values("user") or end.invocation.values("server")
    more = f" and {len(whom) - 1} more" if len(whom) > 1 else ""
    return line("all files of {first:short}{more}", end.here, first=whom[0], more=more)


def _says(end: End) -> str:
    """Nobody can look at all of them."""
    last = end.invocation.get("last")
    when = (
        f" of those of the last {span(float(last)).removeprefix('1 ')}"
        if isinstance(last, int)
        else ""
    )
    return f"Conduit says so{when}."


def _purged_of_user(end: End) -> Words:
    return Words(("purged ", *_whose(end)), lines=(f"{_says(end)} {_COPIES}",))


def _purged_of_server(end: End) -> Words:
    back = f"{_says(end)} They come back when somebody here opens them."
    return Words(("purged ", *_whose(end)), (), (back,), ())


def _blocked_of_user(end: End) -> Words:
    again = line("Undo: `!unblock`, file by file; `!blocked` lists them", end.here)
    return Words(("blocked ", *_whose(end)), (), (_says(end),), again)


PURGEUSER = Action(
    name="purgeuser", tags=DESTRUCTIVE, conduit="purge-media-from-users", most=None,
    params=(ACCOUNT_LIST, LAST), targets="user", elsewhere=_BY_SERVER,
    summary="deletes all files of an account",
    example="purgeuser @spam:example.org",
    overview=True,
    before=Before.ACCOUNTS,
    then=always("all its files here are deleted."),
    done=_purged_of_user, told=Many("account", "purged of files"),
    undo=never,
    look="`!media {first}`",
)  # fmt: skip

PURGESERVER = Action(
    name="purgeserver", tags=DESTRUCTIVE, conduit="purge-media-from-server", most=1,
    params=(evolve(SERVER, foreign=True), LAST),
    summary="deletes the copies of another server's files",
    example="purgeserver evil.example",
    then=always("the copies here of its files are deleted."),
    done=_purged_of_server,
    undo=never,
    look="`!media {first}`",
)  # fmt: skip

BLOCKUSER = Action(
    name="blockuser", tags=DESTRUCTIVE, conduit="block-media-from-users", most=None,
    params=(ACCOUNT_LIST, LAST), targets="user", elsewhere=_BY_SERVER,
    summary="the same for all files of an account",
    example="blockuser @spam:example.org",
    before=Before.ACCOUNTS,
    then=always("nobody can open its files over this server."),
    done=_blocked_of_user, told=Many("account", "blocked with all files"), could_not="blocked",
    undo=never,
    look="`!blocked`",
)  # fmt: skip

GROUP = Group("Files", "files", (
    MEDIA, MEDIAINFO, BLOCKED, PURGE, PURGEUSER, PURGESERVER, BLOCK, BLOCKUSER, UNBLOCK,
))  # fmt: skip
