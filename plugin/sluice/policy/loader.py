"""From the `policy` section to a `Policy`: every mistake is told with its line, none guessed away.

A rule with a mistake is left out of the result, but then there is no result: `load` gives a policy
only when nothing at all was wrong.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from datetime import tzinfo

from attrs import define, field

from ..catalog.table import COMMANDS, find, in_group
from ..model.command import Tag
from ..model.decision import Slot
from .conditions import read_where, read_window
from .document import Bad, Node, Problems, Section, bare, entries, quoted, read, text, unknown
from .keys import KEYS, SERVER, name, spelled
from .people import build, closures, glob_held, is_glob
from .rules import Glass, Policy, Role, Rule

VERBS = ("allow", "require", "limit", "deny")
EXPIRES = 3600  # seconds, where votes are needed and the line does not say
ACCOUNT = re.compile(rf"@[!-9;-~]{{1,250}}:{SERVER.pattern}")
_LOCAL = re.compile(r"[a-z0-9._=/+-]+")  # what Conduit lets a user name be
_GROUPS = tuple(f"#{tag.value}" for tag in Tag)
_IN_ALLOW = ("#read", "#inspect")


@define
class Loading:
    """What is known while the rules are read."""

    problems: Problems
    server: str
    zone: tzinfo
    people: dict[str, tuple[str, ...]] = field(factory=dict)
    roles: dict[str, Role] = field(factory=dict)
    by_glob: frozenset[str] = frozenset()
    meant: set[str] = field(factory=set)  # accounts whose ids stand here in another spelling
    ids: dict[str, int] = field(factory=dict)
    asked: dict[tuple[int, str], int] = field(factory=dict)  # rule's line, role -> its own line
    section: Section = field(factory=lambda: Section(1, {}))  # tests and who_can are still in it
    policy: Policy | None = None  # None after an error

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
            self.problems.add(node.line, f"{quoted(word)} is no account (@name:server)")
        elif word in self.people:
            return True
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


def load(
    node: Node | None,
    *,
    problems: Problems,
    server: str,
    owners: str,
    owners_line: int,
    zone: tzinfo,
    ops_rooms: tuple[str, ...],
    admin_room: str | None,
) -> Loading:
    """owners_line: where `owners` stands, 0 if it is the default."""
    before = len(problems.found)
    section = read(node, KEYS["policy"], problems, "policy")
    loading = Loading(problems, server, zone, section=section)
    _people(section, loading)
    _roles(section, loading)
    if owners_line or owners in loading.roles:
        loading.named_only(owners, owners_line or loading.roles[owners].line, "owners")
    rules = tuple(
        rule
        for verb in VERBS
        for line in section[verb]
        if (rule := _rule(verb, line, loading)) is not None
    )
    _apart(rules, problems)
    glass = _glass(section["break_glass"], loading)
    if len(problems.found) == before:
        loading.policy = build(
            server=server,
            owners=owners,
            people=loading.people,
            roles_=loading.roles,
            rules=rules,
            break_glass=glass,
            ops_rooms=ops_rooms,
            admin_room=admin_room,
            zone=zone,
            meant=loading.meant,
        )
    return loading


def _people(section: Section, loading: Loading) -> None:
    owner: dict[str, str] = {}
    for key, value in section["people"]:
        accounts: list[str] = []
        loading.people[str(key.value)] = ()
        try:
            name(key)
            nodes = KEYS["role"]["members"].kind(value)
        except Bad as bad:
            loading.problems.add(bad.line or key.line, str(bad))
            continue
        if not nodes:
            loading.problems.add(value.line, f"{key.value} has no account")
        for node in nodes:
            word = text(node)
            if not word.startswith("@"):
                loading.problems.add(node.line, f"{quoted(word)} is no account (@name:server)")
            elif word in owner:
                twice = f"{quoted(word)} stands here twice"
                other = f"{quoted(word)} belongs to {owner[word]} already"
                loading.problems.add(node.line, twice if owner[word] == key.value else other)
            elif loading.member(node, globs=False):
                owner[word] = str(key.value)
                accounts.append(word)
        loading.people[str(key.value)] = tuple(accounts)


def _roles(section: Section, loading: Loading) -> None:
    parents: list[tuple[Role, Node]] = []
    for key, value in section["roles"]:
        word = str(key.value)
        try:
            name(key)
        except Bad as bad:
            loading.problems.add(key.line, str(bad))
        read_role = read(value, KEYS["role"], loading.problems, f"role {word}")
        members = [n for n in read_role["members"] if loading.member(n, globs=True)]
        role = Role(
            word,
            key.line,
            tuple(dict.fromkeys(text(n) for n in members)),
            read_role["min_power"],
            tuple(text(n) for n in read_role["inherits"]),
        )
        parents += [(role, n) for n in read_role["inherits"]]
        loading.roles[word] = role
    closure = closures(loading.roles)
    for role, node in parents:
        parent = text(node)
        if loading.role(parent, node.line) and role.name in closure[parent]:
            round_trip = "itself" if parent == role.name else f"{parent}, which inherits it"
            loading.problems.add(node.line, f"role {role.name} inherits {round_trip}")
    loading.by_glob = glob_held(loading.roles, closure)


def _rule(verb: str, node: Node, loading: Loading) -> Rule | None:
    problems = loading.problems
    before = len(problems.found)
    article = "an" if verb == "allow" else "a"
    line = read(node, KEYS[verb], problems, f"{article} {verb} line")
    do = _commands(verb, line, loading)
    if line["id"] is not None:
        if line["id"] in loading.ids:
            first = loading.ids[line["id"]]
            problems.add(line.line_of("id"), f"id {line['id']} stands in line {first} already")
        loading.ids.setdefault(line["id"], node.line)
    where = tuple(
        condition
        for key, value in line["where"]
        if (condition := read_where(key, value, do, loading, opens=verb == "allow")) is not None
    )
    during, outside = (
        read_window(line[key], loading) if line[key] is not None else None
        for key in ("during", "outside")
    )
    role = (line["role"] or "") if verb == "allow" else ""
    if role and loading.role(role, line.line_of("role")) and "*" in _written(line):
        loading.named_only(role, line.line_of("do"), "“*”")
    slots = _slots(line, loading) if verb == "require" else ()
    if verb == "require" and not line["approvals"] and not line["reason"]:
        problems.add(node.line, "a require line needs reason: true or approvals")
    if len(problems.found) > before:
        return None
    extra = {key: line[key] for key in ("per", "max", "every") if verb == "limit"}
    if verb == "require":
        extra = {"reason": line["reason"], "slots": slots, "expires": line["expires"]}
        if slots and line["expires"] is None:
            extra["expires"] = EXPIRES
    return Rule(
        verb,
        line["id"],
        node.line,
        do,
        _written(line),
        where,
        during,
        outside,
        role=role,
        count=(line["count"] or "") if verb == "limit" else "",
        key=line["id"] or _key(node, line["every"] if verb == "limit" else None),
        former="" if line["id"] else _former_key(node),
        **extra,
    )


def _apart(rules: Iterable[Rule], problems: Problems) -> None:
    """No two limits count under one key: what one of them takes would count for both."""
    first: dict[str, Rule] = {}
    for rule in rules:
        if rule.verb == "limit" and first.setdefault(rule.key, rule) is not rule:
            problems.add_late(
                rule.line,
                f"this limit counts what line {first[rule.key].line} counts (same do, where, per, "
                "count and every); keep the line with the smaller max",
            )


def _written(line: Section) -> tuple[str, ...]:
    return tuple(text(node) for node in line["do"] or ())


def _commands(verb: str, line: Section, loading: Loading) -> frozenset[str]:
    """The commands of `do`, groups resolved; says what is unknown."""
    found: set[str] = set()
    add = loading.problems.add
    if line["do"] == ():
        add(line.line_of("do"), "do names no command")
    for node in line["do"] or ():
        word = text(node)
        command = find(word)
        if word == "*" or word in _GROUPS:
            if verb == "allow" and word not in (*_IN_ALLOW, "*"):
                add(node.line, f"{word} cannot be allowed as a group; name its commands")
            covered = in_group(word, held_back=verb != "allow")
            found |= {each for each in covered if not COMMANDS[each].own}
        elif word.startswith("#"):
            add(node.line, unknown("group", word, _GROUPS))
        elif command is None:
            names = (each for each, known in COMMANDS.items() if not known.own)
            add(node.line, unknown("command", word, names))
        elif command.own:
            add(node.line, f"{word} is Sluice's own command; who may use it is built in")
        elif command.name != word:
            add(node.line, f"{quoted(word)} is called {command.name} here")
        else:
            found.add(word)
    return frozenset(found)


def _slots(line: Section, loading: Loading) -> tuple[Slot, ...]:
    found: dict[str, Slot] = {}
    for node in line["approvals"]:
        approval = read(node, KEYS["approval"], loading.problems, "an approval")
        role = approval["from"]
        if not approval.sound:
            continue
        if role in found:
            loading.problems.add(approval.line, f"{role} stands in these approvals twice")
        elif loading.named_only(role, approval.line_of("from"), "approvals"):
            loading.asked[line.line, role] = approval.line_of("from")
            found[role] = Slot(role, approval["n"])
    return tuple(found.values())


def _glass(node: Node | None, loading: Loading) -> Glass | None:
    if node is None:
        return None
    glass = read(node, KEYS["break_glass"], loading.problems, "break_glass")
    role = glass["role"]
    if role is not None and loading.named_only(role, glass.line_of("role"), "break_glass"):
        return Glass(role, glass["max"], glass["every"], glass.line)
    return None


def _key(node: Node, every: int | None) -> str:
    """A name for a limit without an id: what it counts, and in which window (seconds).

    It stays when lines move or its `max` changes. No id has a blank in it.
    """
    kept = {str(key.value): bare(value) for key, value in entries(node) if key.value != "max"}
    text_ = repr(sorted({**kept, "every": every}.items()))
    return f"limit {hashlib.sha256(text_.encode()).hexdigest()[:16]}"


def _former_key(node: Node) -> str:
    """The name that Sluice 1.0 gave it, which two limits with different windows shared."""
    kept = [
        (str(key.value), bare(value))
        for key, value in entries(node)
        if key.value not in ("max", "every")
    ]
    return hashlib.sha256(repr(sorted(kept)).encode()).hexdigest()[:16]
