"""What the correlator asks about Conduit: which bodies are commands, which answers fit them."""

from __future__ import annotations

from attrs import frozen

from ..model.admin_room import Asked
from ..model.command import Dialect
from ..model.event import Json
from .dialects import parse_body
from .match import given, groups_of, match
from .replies import COMMON, NOTICES, SERVER_COMMANDS

_LISTED = (*COMMON, *(reply for c in SERVER_COMMANDS.values() for reply in c.replies))


@frozen
class ConduitOracle:
    """Implements model.admin_room.Oracle for one server and one family of versions."""

    server: str
    dialect: Dialect

    def asked(self, body: str) -> Asked | None:
        return parse_body(self.dialect, self.server, body)

    def is_notice(self, content: Json) -> bool:
        # In Conduit no answer is an m.notice, and every m.notice of the server user comes unasked.
        if content.get("msgtype") == "m.notice":
            return True
        return any(groups_of(reply, content) is not None for reply in NOTICES)

    def is_listed(self, content: Json) -> bool:
        return any(groups_of(reply, content) is not None for reply in _LISTED)

    def fits(self, asked: Asked, content: Json) -> bool:
        return match(asked, content) is not None

    def is_slow(self, asked: Asked) -> bool:
        command = SERVER_COMMANDS.get(asked.command)
        if command is None or command.slow != "flags":
            return command is not None and command.slow == "always"
        return bool(given(command, asked.words).flags)
