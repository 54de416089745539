"""From the `policy` section to a `Policy`: each mistake is told with its line, none is guessed."""

from __future__ import annotations

from ..model.ids import PersonName
from .document import BadValue, Node, Section, quoted, read, text
from .keys import KEYS, name
from .lines import read_lines
from .loading import Loading, no_account
from .roles import Role, closures, glob_held
from .rules import Glass, Policy


def load(loading: Loading, top: Section, admin_room: str | None) -> Policy | None:
    """None if anything at all was wrong. top: the keys of the whole text."""
    section, owners = loading.section, top["owners"]
    _people(section, loading)
    _roles(section, loading)
    if "owners" in top.lines:
        loading.named_only(owners, top.line_of("owners"), "owners")
    elif owners in loading.roles:
        loading.named_only(owners, loading.roles[owners].line, "owners")
    rules = read_lines(loading)
    glass = _glass(section["break_glass"], loading)
    if loading.problems.found:
        return None
    return Policy(
        server=loading.server,
        owners=owners,
        people=loading.people,
        roles=loading.roles,
        rules=rules,
        break_glass=glass,
        ops_rooms=top["ops_rooms"],
        admin_room=admin_room,
        zone=loading.zone,
        meant=frozenset(loading.meant),
    )


def _people(section: Section, loading: Loading) -> None:
    owner: dict[str, str] = {}
    for key, value in section["people"]:
        accounts: list[str] = []
        loading.people[PersonName(str(key.value))] = ()
        try:
            name(key)
            nodes = KEYS["role"]["members"].kind(value)
        except BadValue as bad:
            loading.problems.add(bad.line or key.line, str(bad))
            continue
        if not nodes:
            loading.problems.add(value.line, f"{key.value} has no account")
        for node in nodes:
            word = text(node)
            if not word.startswith("@"):
                loading.problems.add(node.line, no_account(word, loading.server))
            elif word in owner:
                twice = f"{quoted(word)} stands here twice"
                other = f"{quoted(word)} belongs to {owner[word]} already"
                loading.problems.add(node.line, twice if owner[word] == key.value else other)
            elif loading.member(node, globs=False):
                owner[word] = str(key.value)
                accounts.append(word)
        loading.people[PersonName(str(key.value))] = tuple(accounts)


def _roles(section: Section, loading: Loading) -> None:
    parents: list[tuple[Role, Node]] = []
    for key, value in section["roles"]:
        word = str(key.value)
        try:
            name(key)
        except BadValue as bad:
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
    loading.by_glob.update(glob_held(loading.roles, closure))


def _glass(node: Node | None, loading: Loading) -> Glass | None:
    if node is None:
        return None
    glass = read(node, KEYS["break_glass"], loading.problems, "break_glass")
    role = glass["role"]
    if role is not None and loading.named_only(role, glass.line_of("role"), "break_glass"):
        return Glass(role, glass["max"], glass["every"], glass.line)
    return None
