"""The server itself: its settings, caches, bridges, and who may register."""

from __future__ import annotations

from attrs import evolve

from ..model.command import Alias, Invocation, Param, Type
from ..text.message import Text
from ..text.phrases import line
from .params import maybe
from .record import (
    CHANGE,
    DESTRUCTIVE,
    READ,
    Action,
    Does,
    End,
    Group,
    ReadOnly,
    Words,
    always,
    never,
    nothing,
)

# --- looked at

CONFIG = ReadOnly(
    name="config", tags=READ, conduit="show-config",
    summary="what the server is set to",
    example="config",
    overview=True, start="word",
)  # fmt: skip

MEMORY = ReadOnly(
    name="memory", tags=READ, conduit="memory-usage",
    summary="what its caches hold",
    example="memory",
    overview=True, start="word",
)  # fmt: skip

FEDERATION = ReadOnly(
    name="federation", tags=READ, conduit="incoming-federation",
    summary="what other servers are sending right now",
    example="federation",
    start="word",
)  # fmt: skip

SERVER_NAMES = (
    "register-appservice", "unregister-appservice", "list-appservices", "list-rooms",
    "list-local-users", "incoming-federation", "remove-alias", "deactivate-user",
    "deactivate-all", "query-media", "show-media", "list-media", "purge-media",
    "purge-media-from-users", "purge-media-from-server", "block-media", "block-media-from-users",
    "list-blocked-media", "unblock-media", "get-auth-chain", "parse-pdu", "get-pdu",
    "memory-usage", "clear-database-caches", "clear-service-caches", "show-config",
    "reset-password", "create-user", "allow-registration", "disable-room", "enable-room",
    "sign-json", "verify-json", "hash-and-sign-event",
)  # fmt: skip
"""Its own names of its commands, of all families; a test compares them with `families`."""

SERVER_HELP = ReadOnly(
    name="help.server", typed="help server", tags=READ, conduit="help", aliases=(),
    params=(evolve(maybe("command", Type.SERVER_COMMAND), choices=SERVER_NAMES),),
    summary="Conduit's own help",
    example="help server create-user",
)  # fmt: skip

# --- bridges

APPSERVICES = ReadOnly(
    name="appservices", tags=READ, conduit="list-appservices",
    summary="bridges that are registered",
    example="appservices",
    overview=True, start="word",
)  # fmt: skip


def _unregistered(end: End) -> Words:
    clause = line("removed appservice {first:short}", end.here, first=end.first)
    lost = "Its bridge or bot stops working; its accounts and rooms stay."
    return Words(clause, (), (lost,), ("Undo: an owner registers its file again.",))


RMAPPSERVICE = Action(
    name="rmappservice", tags=DESTRUCTIVE, conduit="unregister-appservice", most=1,
    params=(Param("appservice", Type.WORD, question="Which appservice?"),),
    summary="takes a bridge off the server",
    example="rmappservice bridge9 reason gone",
    then=always("its bridge or bot stops until it is registered again."),
    done=_unregistered,
    undo=never,
    missing="Conduit knows no appservice `{first}`",
    look="`!appservices`",
)  # fmt: skip

# --- registration

REGISTRATION = ReadOnly(
    name="registration", tags=READ, conduit="allow-registration", most=1,
    summary="may anyone make an account?", about="says whether anyone may make an account",
    example="registration", also=(" or ", "registration on for 1h"),
    start="line",
)  # fmt: skip


def at_next_start(config: bool | None, stays: bool) -> tuple[Text, ...]:
    """A line where Conduit's config file will change what stays until then; None: not known."""
    if config is None or config is stays:
        return ()
    state = "on" if config else "off"
    return ((f"After a restart of Conduit it is {state} again (config file).",),)


def _registration(end: End) -> Words:
    here, ending, on = end.here, end.ending, end.invocation.get("state") == "on"
    later = at_next_start(ending.at_start, on and ending.until is None)
    if not on:
        off = line("On for a while: `!registration on for 1h`", here)
        return Words(("registration is off",), (), (*later, off), ())
    if ending.until is None:
        anyone = line(
            "Anyone can make an account. Off: `!registration off` · Better: "
            "`!registration on for 1h`",
            here,
        )
        return Words(
            ("registration is on until somebody switches it off",), (), (anyone, *later), ()
        )
    clause = f"registration is on until {here.clock.at(ending.until)}"
    anyone = line(
        "Until then anyone can make an account. Off: `!registration off`",
        here,
    )
    return Words((clause,), (), (anyone, *later), ())


def _opened(asked: Invocation) -> str:
    return "anyone can make an account while it is on." if asked.get("state") == "on" else ""


def _other(asked: Invocation) -> Invocation:
    state = "off" if asked.get("state") == "on" else "on"
    return Invocation(REGISTRATION_SET.name, (("state", state),))


REGISTRATION_SET = Action(
    name="registration.set", typed="registration", tags=CHANGE, conduit="allow-registration",
    aliases=(),
    params=(
        Param("state", Type.CHOICE, choices=("on", "off"), question="On or off?"),
        maybe("for", Type.DURATION),
   ),
    summary="lets anyone make an account, or nobody",
    example="registration on for 1h",
    overview=True,
    does=Does.OPENS_REGISTRATION,
    then=_opened,
    done=_registration,
    undo=_other,
    look="`!registration`",
)  # fmt: skip

# --- caches

_CACHES = {"db": (8, "database"), "service": (6, "service")}


def _cleared(end: End) -> Words:
    total, kind = _CACHES.get(end.value("cache"), (8, "database"))
    amount = end.invocation.get("amount")
    n = min(int(amount), total) if isinstance(amount, int) else total
    which = f"all {total}" if n == total else f"the first {n} of {total}"
    fills = "Conduit fills them again by itself and may be slower for a while. Nothing to undo."
    return Words((f"{which} {kind} caches are empty",), (), (fills,), ())


CLEARCACHE = Action(
    name="clearcache", tags=CHANGE, conduit="clear-database-caches",
    aliases=(
        Alias("clear-database-caches", ("db",), 1),
        Alias("clear-service-caches", ("service",), 1),
   ),
    params=(
        Param("cache", Type.CHOICE, choices=("db", "service"),
              question="Which cache, db or service?"),
        maybe("amount", Type.COUNT),
   ),
    summary="empties caches; they fill by themselves",
    example="clearcache db",
    overview=True,
    then=nothing,
    done=_cleared,
    undo=never,
    look="`!memory`",
)  # fmt: skip

GROUP = Group("Server", "", (
    RMAPPSERVICE, REGISTRATION, REGISTRATION_SET, CONFIG, MEMORY, CLEARCACHE, FEDERATION,
    APPSERVICES, SERVER_HELP,
))  # fmt: skip
