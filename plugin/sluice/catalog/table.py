"""What people may ask for: the one table of all commands.

Help, parsing, the policy, the lines and the docs read it. Chat names are what the policy names;
Conduit's own names are aliases with Conduit's arity.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..model.command import Alias, Command, Param, Right, Tag, Type

READ = frozenset({Tag.READ})
INSPECT = frozenset({Tag.INSPECT})
CHANGE = frozenset({Tag.CHANGE})
SECRET = frozenset({Tag.CHANGE, Tag.SECRET})
DESTRUCTIVE = frozenset({Tag.DESTRUCTIVE})

_USER = Param("user", Type.USER)
_USERS = Param("user", Type.USER, many=True)
_ROOM = Param("room", Type.ROOM)
_MXC = Param("mxc", Type.MXC)
_MXCS = Param("mxc", Type.MXC, many=True)
_NUMBER = Param("request", Type.COUNT)


def _rest(name: str, *, required: bool = False) -> Param:
    return Param(name, Type.TEXT, required=required)


def _flag(name: str) -> Param:
    return Param(name, Type.SWITCH, required=False, flag=True)


def _maybe(name: str, type: Type) -> Param:
    return Param(name, type, required=False)


def _line(
    name: str,
    tags: frozenset[Tag],
    conduit: str,
    summary: str,
    example: str,
    params: tuple[Param, ...] = (),
    most: int | None = 0,
    **more: Any,
) -> Command:
    """A command with a line. most: how many words Conduit's own name takes on its line."""
    aliases = more.pop("aliases", (Alias(conduit, most=most),))
    return Command(name, summary, example, tags, params, aliases, conduit, **more)


_LEAVE, _PURGE, _FILE = _flag("leave-rooms"), _flag("purge-media"), _flag("file")
_PATTERN, _LAST = _maybe("pattern", Type.WORD), _maybe("last", Type.DURATION)
_STATE = Param("state", Type.CHOICE, choices=("on", "off"))
_CACHE = Param("cache", Type.CHOICE, choices=("db", "service"))
_END = Param("end", Type.CHOICE, choices=("done", "failed"))
_MEDIA = (_maybe("user", Type.USER), _maybe("server", Type.SERVER), _maybe("type", Type.WORD))

# fmt: off
_RELAYED = (
    _line("users", READ, "list-local-users", "accounts with “spam” in the name",
          "users spam", (_PATTERN, _FILE), sized=True),
    _line("rooms", READ, "list-rooms", "rooms with “garden” in the name",
          "rooms garden", (_PATTERN,), sized=True),
    _line("registration", READ, "allow-registration", "is it on?", "registration", most=1),
    _line("config", READ, "show-config", "what the server is set to", "config"),
    _line("memory", READ, "memory-usage", "what its caches hold", "memory"),
    _line("federation", READ, "incoming-federation", "what other servers are sending right now",
          "federation"),
    _line("appservices", READ, "list-appservices", "bridges that are registered", "appservices"),
    _line("help.server", READ, "help", "Conduit's own help", "help server create-user",
          (_maybe("command", Type.WORD),), aliases=()),
    _line("media", INSPECT, "list-media", "files of an account or a server",
          "media @eve:example.org image since 7d", (*_MEDIA, _maybe("since", Type.SINCE)),
          aliases=(Alias("list-media", noise=("--user", "--server", "--content-type",
                                              "--uploaded-after")),), attacker_sized=True),
    _line("mediainfo", INSPECT, "query-media", "what is known of a file",
          "mediainfo mxc://example.org/abc", (_MXC,), 1, attacker_sized=True),
    _line("blocked", INSPECT, "list-blocked-media", "files that are blocked",
          "blocked", attacker_sized=True),
    _line("event", INSPECT, "get-pdu", "one event as the server holds it",
          "event $Lw3abc", (Param("event", Type.EVENT),), 1, attacker_sized=True,
          reads_messages=True),
    _line("adduser", SECRET, "create-user", "new account, the password comes to you in private",
          "adduser alice", (_USERS,), 1, targets="user", probe="account",
          undo="deactivate {user}"),
    _line("resetpw", SECRET, "reset-password", "new password",
          "resetpw alice", (_USER, _flag("sign-out")), 1, targets="user"),
    _line("registration.set", CHANGE, "allow-registration",
          "lets anyone make an account, or nobody", "registration on for 1h",
          (_STATE, _maybe("for", Type.DURATION)), aliases=(), undo="registration {other}"),
    _line("enableroom", CHANGE, "enable-room", "accept it again",
          "enableroom #warez:example.org", (_ROOM,), 1, undo="disableroom {room}"),
    _line("unblock", CHANGE, "unblock-media", "lets files be used again",
          "unblock mxc://example.org/abc", (_MXCS,), None, probe="media", undo="block {mxc}"),
    _line("clearcache", CHANGE, "clear-database-caches", "empties caches; they fill by themselves",
          "clearcache db", (_CACHE, _maybe("amount", Type.COUNT)),
          aliases=(Alias("clear-database-caches", ("db",), 1),
                   Alias("clear-service-caches", ("service",), 1))),
    _line("deactivate", DESTRUCTIVE, "deactivate-user", "signs an account out for good",
          "deactivate @spam:example.org reason casino links", (_USER, _LEAVE, _PURGE), 1,
          targets="user", probe="deactivated", undo="resetpw {user}"),
    _line("deactivateall", DESTRUCTIVE, "deactivate-all", "the same for a list, a line for each",
          "deactivateall reason spam wave", (_USERS, _LEAVE, _PURGE),
          targets="user", probe="deactivated", undo="resetpw {user}"),
    _line("disableroom", DESTRUCTIVE, "disable-room", "takes nothing more from other servers",
          "disableroom #warez:example.org reason films", (_ROOM,), 1, undo="enableroom {room}"),
    _line("rmalias", DESTRUCTIVE, "remove-alias", "removes a room's address",
          "rmalias #old:example.org", (Param("alias", Type.ALIAS),), 1, probe="alias"),
    _line("rmappservice", DESTRUCTIVE, "unregister-appservice", "takes a bridge off the server",
          "rmappservice bridge9 reason gone", (Param("appservice", Type.WORD),), 1),
    _line("purge", DESTRUCTIVE, "purge-media", "deletes a file; also as a reply to a picture",
          "purge mxc://example.org/abc reason illegal", (_MXCS,), None, probe="media"),
    _line("purgeuser", DESTRUCTIVE, "purge-media-from-users", "deletes all files of an account",
          "purgeuser @spam:example.org", (_USERS, _LAST), None, targets="user"),
    _line("purgeserver", DESTRUCTIVE, "purge-media-from-server",
          "deletes the copies of another server's files",
          "purgeserver evil.example", (Param("server", Type.SERVER), _LAST), 1),
    _line("block", DESTRUCTIVE, "block-media", "lets nobody use a file any more",
          "block mxc://example.org/abc reason illegal", (_MXCS, _flag("and-purge")), None,
          probe="media", undo="unblock {mxc}"),
    _line("blockuser", DESTRUCTIVE, "block-media-from-users",
          "the same for all files of an account",
          "blockuser @spam:example.org", (_USERS, _LAST), None, targets="user"),
)


def _own(
    name: str,
    right: Right,
    summary: str,
    example: str,
    *params: Param,
    tags: frozenset[Tag] = frozenset(),
) -> Command:
    """A command of Sluice itself."""
    return Command(name, summary, example, tags, params, right=right)


_OWN = (
    _own("who", Right.ROLE, "what is known of an account", "who @spam:example.org", _USER,
         tags=READ),
    _own("help", Right.ROLE, "what you may do", "help adduser", _rest("topic")),
    _own("can", Right.ROLE, "may I?", "can adduser alice", _rest("line")),
    _own("why", Right.ROLE, "why it was decided so", "why 12", _NUMBER),
    _own("pending", Right.ROLE, "open requests", "pending"),
    _own("approve", Right.REQUEST, "a vote for it", "approve 12", _NUMBER),
    _own("deny", Right.REQUEST, "a vote against it", "deny 12 ask him", _NUMBER, _rest("why")),
    _own("cancel", Right.REQUEST, "takes it back", "cancel 12", _NUMBER),
    _own("resolve", Right.REQUEST, "how an unknown one ended", "resolve 12 done", _NUMBER, _END),
    _own("more", Right.ROLE, "the next page", "more", _maybe("request", Type.COUNT)),
    _own("log", Right.CHANGE, "what happened", "log @bo", _rest("filter")),
    _own("policy", Right.OWNER, "the rules that are live", "policy"),
    _own("status", Right.ROLE, "is all well?", "status"),
    _own("pause", Right.CHANGE, "stops what changes things", "pause odd requests", _rest("why")),
    _own("resume", Right.OWNER, "goes on after a pause", "resume"),
    _own("glass", Right.LINE, "runs it without votes; reviewed afterwards",
         "glass deactivate @spam:example.org reason nobody awake", _rest("line", required=True)),
    _own("trust", Right.OWNER, "gives role and vote back after a new password", "trust cy",
         Param("person", Type.WORD)),
    _own("reload", Right.OWNER, "reads the policy file again", "reload"),
    _own("version", Right.ROLE, "of Sluice and of Conduit", "version"),
)
# fmt: on

COMMANDS: Mapping[str, Command] = {c.name: c for c in (*_RELAYED, *_OWN)}

_WORDS: Mapping[str, Command] = {
    **{a.word: c for c in COMMANDS.values() for a in c.aliases},
    **COMMANDS,
}


def find(word: str) -> Command | None:
    """The command of a typed word: its name, or an alias."""
    return _WORDS.get(word)


def alias(word: str) -> Alias | None:
    """The alias that a typed word is; None for a command's own name."""
    command = _WORDS.get(word)
    return next((a for a in command.aliases if a.word == word), None) if command else None


def near(word: str) -> tuple[Command, ...]:
    """Commands that the word may have been meant for, nearest first; none for mere chat."""
    found = dict.fromkeys(
        _WORDS[w].name for w in nearest(word, (w for w in _WORDS if "." not in w))
    )
    return tuple(COMMANDS[name] for name in found)


def in_group(group: str, *, held_back: bool = False) -> frozenset[str]:
    """The names that a group of the policy covers: `#read` … by tag, `*` all with a line.

    What reads people's messages is in no group, so that none allows it. held_back: with those all
    the same, for lines that demand or forbid: a line that held one back goes on doing so.
    """
    if group == "*":
        return frozenset(c.name for c in _RELAYED)
    tag = Tag(group[1:])  # ValueError if there is no such group
    found = (c for c in COMMANDS.values() if tag in c.tags)
    return frozenset(c.name for c in found if held_back or not c.reads_messages)


def nearest(word: str, words: Iterable[str]) -> tuple[str, ...]:
    """Words within two slips of this one, nearest first; one slip below 6 letters, 0 below 4."""
    most = 0 if len(word) < 4 else 1 if len(word) < 6 else 2
    if not most or len(word) > 64:
        return tuple(w for w in words if w == word)
    ranked = ((_slips(word, w), w) for w in words if abs(len(w) - len(word)) <= most)
    return tuple(w for slips, w in sorted(ranked) if slips <= most)


def alike(word: str, names: Iterable[str], slips: int) -> tuple[str, ...]:
    """Three names at most that the word may have been meant for, nearest first; those that only
    begin like it may be this many slips away."""
    pool = tuple(names)
    found = dict.fromkeys((*nearest(word, pool), *(n for n in pool if n[:2] == word[:2])))
    ranked = sorted((_slips(word, name), name) for name in found)
    return tuple(name for far, name in ranked[:3] if far <= slips)


def _slips(left: str, right: str) -> int:
    """Edit distance; two letters swapped are one slip."""
    older: list[int] = []
    above = list(range(len(right) + 1))
    for i, a in enumerate(left):
        row = [i + 1]
        for j, b in enumerate(right):
            cost = min(above[j + 1] + 1, row[j] + 1, above[j] + (a != b))
            if i and j and a == right[j - 1] and left[i - 1] == b:
                cost = min(cost, older[j - 1] + 1)
            row.append(cost)
        older, above = above, row
    return above[-1]
