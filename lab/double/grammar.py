"""The commands of Conduit's admin room as clap sees them, by version.

Order matters: usage lines name options in the order of their definition.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from . import identifiers as ids
from .words import family


@dataclass(frozen=True)
class Arg:
    """A positional argument (no flag), a switch (check None) or an option with a value."""

    name: str  # USER_ID, or leave-rooms
    check: ids.Check | None = ids.text
    required: bool = False
    short: str = ""
    choices: tuple[str, ...] = ()
    requires: str = ""
    group: str = ""  # flattened argument structs are groups; some usage lines show them

    @property
    def is_option(self) -> bool:
        return not self.name.isupper()

    @property
    def value_name(self) -> str:
        return self.name.upper().replace("-", "_")

    @property
    def shown(self) -> str:
        """As clap names it in errors and usage lines."""
        if not self.is_option:
            return f"<{self.name}>" if self.required else f"[{self.name}]"
        return f"--{self.name}" + (f" <{self.value_name}>" if self.check else "")


LEAVE = Arg("leave-rooms", None, short="l")
MEDIA_OF_DEACTIVATED = (
    Arg("purge-media", None, short="m", group="media"),
    Arg("media-from-last", ids.duration, short="t", requires="purge-media", group="media"),
    Arg("force-filehash", None, short="f", requires="purge-media", group="media"),
)
USER = Arg("USER_ID", ids.user_id, True)
FROM_LAST = Arg("from-last", ids.duration, short="t")
FILEHASH = Arg("force-filehash", None, short="f")
REASON = Arg("reason", short="r")

SINCE_0_9: dict[str, tuple[Arg, ...]] = {
    "register-appservice": (),
    "unregister-appservice": (Arg("APPSERVICE_IDENTIFIER", required=True),),
    "list-appservices": (),
    "list-rooms": (),
    "list-local-users": (),
    "incoming-federation": (),
    "remove-alias": (Arg("ALIAS", ids.alias, True),),
    "deactivate-user": (LEAVE, USER),
    "deactivate-all": (LEAVE, Arg("force", None, short="f")),
    "get-auth-chain": (Arg("EVENT_ID", ids.event_id, True),),
    "parse-pdu": (),
    "get-pdu": (Arg("EVENT_ID", ids.event_id, True),),
    "memory-usage": (),
    "clear-database-caches": (Arg("AMOUNT", ids.u32, True),),
    "clear-service-caches": (Arg("AMOUNT", ids.u32, True),),
    "show-config": (),
    "reset-password": (Arg("USERNAME", required=True),),
    "create-user": (Arg("USERNAME", required=True), Arg("PASSWORD")),
    "allow-registration": (Arg("STATUS", choices=("true", "false")),),
    "disable-room": (Arg("ROOM_ID", ids.room_id, True),),
    "enable-room": (Arg("ROOM_ID", ids.room_id, True),),
    "sign-json": (),
    "verify-json": (),
    "hash-and-sign-event": (Arg("ROOM_VERSION_ID", ids.room_version, True),),
}

SINCE_0_10: dict[str, tuple[Arg, ...]] = {
    **SINCE_0_9,
    "deactivate-user": (LEAVE, *MEDIA_OF_DEACTIVATED, USER),
    "deactivate-all": (LEAVE, Arg("force", None, short="F"), *MEDIA_OF_DEACTIVATED),
    "query-media": (Arg("MXC", required=True),),
    "show-media": (Arg("MXC", required=True),),
    "list-media": (
        Arg("user", ids.user_id, short="u", group="whose"),
        Arg("server", ids.server_name, short="s", group="whose"),
        Arg("include-thumbnails", None, short="t"),
        Arg("content-type", short="c"),
        Arg("uploaded-before", ids.timestamp, short="b"),
        Arg("uploaded-after", ids.timestamp, short="a"),
    ),
    "purge-media": (),
    "purge-media-from-users": (FROM_LAST, FILEHASH),
    "purge-media-from-server": (FROM_LAST, FILEHASH, Arg("SERVER_ID", ids.server_name, True)),
    "block-media": (Arg("and-purge", None, short="a"), REASON),
    "block-media-from-users": (Arg("from-last", ids.duration, short="f"), REASON),
    "list-blocked-media": (),
    "unblock-media": (),
}


def commands(version: str) -> dict[str, tuple[Arg, ...]]:
    return SINCE_0_9 if family(version) == "0.9" else SINCE_0_10


@cache
def _help() -> dict[str, dict[str, object]]:
    return json.loads((Path(__file__).parent / "help.json").read_text())


def help_text(version: str, command: str, short: bool) -> str:
    """The help as observed; `{me}` stands for how the server user was addressed."""
    texts = _help()["0.9" if family(version) == "0.9" else "0.10"][command]
    if isinstance(texts, str):
        return texts
    assert isinstance(texts, dict)
    return texts.get("short", texts["long"]) if short else texts["long"]
