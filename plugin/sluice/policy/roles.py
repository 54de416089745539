"""Roles: named sets of persons, some of which inherit others."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

NOBODY: frozenset[str] = frozenset()


@frozen
class Role:
    """A named set of persons.

    members: as written: names of `people`, MXIDs, `@*:server`. A name stands for all accounts of
    that person, an MXID for itself only. min_power: what this role's own members must have in the
    room; it does not apply to roles that inherit this one.
    """

    name: str
    line: int
    members: tuple[str, ...] = ()
    min_power: int = 0
    inherits: tuple[str, ...] = ()


def is_glob(member: str) -> bool:
    return member.startswith("@*:")


def glob_held(roles: Mapping[str, Role], closure: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Roles held through a `@*:server`: those that list one, and what they inherit."""
    listing = (role.name for role in roles.values() if any(map(is_glob, role.members)))
    return NOBODY.union(*(closure[name] for name in listing))


def closures(roles: Mapping[str, Role]) -> Mapping[str, frozenset[str]]:
    """Each role with all that it inherits. Ends also where roles inherit each other."""
    result: dict[str, frozenset[str]] = {}
    for name in roles:
        seen, todo = {name}, [name]
        while todo:
            for parent in roles[todo.pop()].inherits:
                if parent in roles and parent not in seen:
                    seen.add(parent)
                    todo.append(parent)
        result[name] = frozenset(seen)
    return result
