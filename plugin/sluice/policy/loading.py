"""What is known while a policy is read, and whether a word names something of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import tzinfo

from attrs import define, field

from ..model.ids import PersonName
from ..typed.links import target
from .document import Node, Problems, Section, quoted, text, unknown
from .keys import SERVER, spelled
from .roles import Role, is_glob

ACCOUNT = re.compile(rf"@[!-9;-~]{{1,250}}:{SERVER.pattern}")
_LOCAL = re.compile(r"[a-z0-9._=/+-]+")  # what Conduit lets a user name be

_EXAMPLE = re.compile(r"(?:.+\.)?example(?:\.(?:org|net|com))?(?::\d+)?")


def no_account(word: str, server: str) -> str:
    """That this is no account, and the one that is likely meant."""
    ways = _as_accounts(word, server) if len(word) <= 250 else ()
    meant = next((way for way in ways if ACCOUNT.fullmatch(way)), None)
    return f"{quoted(word)} is no account" + (f'; write "{meant}"' if meant else " (@name:server)")


def _as_accounts(word: str, server: str) -> Iterator[str]:
    """The ways in which ids are copied and remembered."""
    yield target(word) or ""
    name_, at, host = word.rpartition("@")
    if at and name_:
        yield f"@{name_}:{host}"
    yield f"@{word}"
    yield f"@{word.removeprefix('@')}:{server}"


def is_example(server: str) -> bool:
    """A name that is kept for examples: no server on the net has it."""
    return _EXAMPLE.fullmatch(server) is not None


@define
class Loading:
    """What is known while the rules are read."""

    problems: Problems
    server: str
    zone: tzinfo
    section: Section  # `policy`, of which not all is read yet
    people: dict[PersonName, tuple[str, ...]] = field(factory=dict)
    roles: dict[str, Role] = field(factory=dict)
    by_glob: set[str] = field(factory=set)  # roles that are held through a whole server
    meant: set[str] = field(factory=set)  # accounts whose ids stand here in another spelling
    ids: dict[str, int] = field(factory=dict)
    asked: dict[tuple[int, str], int] = field(factory=dict)  # rule's line, role -> its own line

    def role(self, word: str, line: int) -> bool:
        """Says that there is no such role, if there is none."""
        if word not in self.roles:
            self.problems.add(line, unknown("role", word, self.roles))
        return word in self.roles

    def named_only(self, word: str, line: int, use: str) -> bool:
        """A role for this use must have named members only."""
        if not self.role(word, line):
            return False
        if word in self.by_glob:
            self.problems.add(
                line,
                f"{use} takes a role whose members are all named; "
                f"{word} is also held through a whole server (@*:…)",
            )
        return word not in self.by_glob

    def member(self, node: Node, *, globs: bool) -> bool:
        """Says what is wrong with a person, an account or a whole server; else true."""
        word = text(node)
        if word.startswith("@") and "*" in word:
            if globs and is_glob(word) and SERVER.fullmatch(word[3:]):
                self._spelling(node)
                return True
            where = "" if globs else "; here stand names only"
            self.problems.add(
                node.line, f"{quoted(word)}: * stands for a whole server only, @*:server{where}"
            )
        elif word.startswith("@"):
            if ACCOUNT.fullmatch(word) and len(word) <= 255:
                self._spelling(node)
                return True
            self.problems.add(node.line, no_account(word, self.server))
        elif word in self.people:
            return True
        elif "@" in word:
            self.problems.add(node.line, no_account(word, self.server))
        else:
            self.problems.add(node.line, unknown("person", word, self.people))
        return False

    def _spelling(self, node: Node) -> None:
        """An id that no server writes like this fits nobody. In a text that is accepted it goes
        on to do so, and the account that was meant counts as named: no rights, all protection."""
        word, add_late = text(node), self.problems.add_late
        right = spelled(word, self.server)
        local, _, server = right[1:].partition(":")
        if right != word:
            self.meant.add(right)
            add_late(node.line, f"{quoted(word)}: ids are in small letters; write {right}")
        elif server == self.server and not is_glob(word) and not _LOCAL.fullmatch(local):
            add_late(
                node.line,
                f"{quoted(word)}: no account of {server} can have this name (a-z 0-9 . _ = / + -)",
            )
        elif server.rpartition(":")[0] == self.server:
            said = f"{quoted(word)}: your server is called {self.server}, without a port"
            self.problems.add(node.line, said, "warning")
        elif is_example(server) and not is_example(self.server):
            said = f"{quoted(word)} is of the example: put yours in its place, or take it out"
            self.problems.add(node.line, said, "warning")
