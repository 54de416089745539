"""Who can do what under a policy, taking every condition as fulfilled; and what a new one changes.

A row is a person, or everybody of a server with some power in the room (`@*:example.org >= 25`).
Somebody can use a command if an allow line covers it for a role they hold and no deny without
condition does. Rights beyond commands (votes, break-glass, the owners' own commands) are compared
too, so that nobody gains them unseen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from attrs import evolve, frozen

from ..catalog.table import COMMANDS
from ..model.decision import Slot
from ..text.message import Text
from ..text.phrases import people
from .decide import largest
from .people import roles_of_person
from .reasons import demand, plural
from .roles import NOBODY, is_glob
from .rules import NO_PLAN, Plan, Policy, Rule


@frozen
class Demand:
    """What a command needs besides an allow line, if every require line applies."""

    slots: tuple[Slot, ...] = ()
    reason: bool = False
    expires: int | None = None

    @property
    def said(self) -> str:
        return demand(self.slots, self.reason, self.expires)


@frozen
class Cell:
    """What somebody may do with a command. rules: the allow and limit lines that are about it."""

    command: str
    demand: Demand
    rules: tuple[Rule, ...]


def cells(policy: Policy, held: frozenset[str]) -> Mapping[str, Cell]:
    """What somebody with these roles may do, by command, in the order of the catalog."""
    found = {}
    for name in COMMANDS:
        plan = policy.plans.get(name)
        if plan is not None and not _forbidden(plan):
            allows = tuple(rule for rule in plan.allow if rule.role in held)
            if allows:
                found[name] = Cell(name, demand_of(policy, name), allows + plan.limit)
    return found


def demand_of(policy: Policy, command: str) -> Demand:
    plan = policy.plans.get(command, NO_PLAN)
    spans = [rule.expires for rule in plan.require if rule.expires is not None]
    return Demand(
        largest((slot for rule in plan.require for slot in rule.slots), policy),
        any(rule.reason for rule in plan.require),
        min(spans) if spans else None,
    )


def _forbidden(plan: Plan) -> bool:
    return any(rule.always for rule in plan.deny)


@frozen
class Subject:
    """A row: a person (policy name, else MXID), or everybody of a server with this power."""

    name: str
    roles: frozenset[str]


def subjects(policy: Policy) -> tuple[Subject, ...]:
    found = [Subject(person, roles_of_person(policy, person)) for person in policy.persons]
    for server, granted in policy.by_server.items():
        for power in sorted({least for _, least in granted}):
            held = NOBODY.union(
                *(policy.closure[role] for role, least in granted if least <= power)
            )
            found.append(Subject(glob_label(server, power), held))
    return tuple(found)


def glob_label(server: str, power: float) -> str:
    return f"@*:{server} >= {power:.0f}" if power > 0 else f"@*:{server}"


def who_can(policy: Policy) -> Mapping[str, tuple[str, ...]]:
    """Command -> who can, for every command of the server. Of a server only the least power."""
    allowed = lru_cache(maxsize=None)(lambda held: frozenset(cells(policy, held)))
    found: dict[str, list[str]] = {name: [] for name, c in COMMANDS.items() if not c.own}
    seen: set[tuple[str, str]] = set()  # command, person or whole server
    for subject in subjects(policy):
        row = subject.name.partition(" ")[0]
        for name in allowed(subject.roles):
            if (name, row) not in seen:
                seen.add((name, row))
                found[name].append(subject.name)
    return {name: tuple(some) for name, some in found.items()}


def lost_by(policy: Policy, group: str, command: str) -> tuple[tuple[str, str], ...]:
    """(who, role) of those who had a command by this group alone, which holds it no longer."""
    lines = [r for r in policy.rules if r.verb == "allow" and group in r.written]
    found: dict[str, str] = {}
    for subject in subjects(policy):
        role = next((rule.role for rule in lines if rule.role in subject.roles), None)
        if role is not None and command not in cells(policy, subject.roles):
            found[subject.name] = role
    return tuple(found.items())


# --- what a new policy changes ----------------------------------------------------------------


@frozen
class ChangeLine:
    """One thing that changed. loosens: somebody may get more by it."""

    text: Text
    loosens: bool


def rights_changed(old: Policy, new: Policy) -> tuple[str, list[ChangeLine], Text]:
    """What `new` gives and takes, compared with `old`: in short (`bo lost 2 commands, cy gained
    1`), line by line, and whose rights stay."""
    before, after = _rights(old), _rights(new)
    heads: list[tuple[str, str, int, str]] = []  # who, lost or gained, how many of what
    changed: dict[Text, list[str]] = {}  # the same change -> whose it is
    gains: set[Text] = set()
    same: list[str] = []
    for name in dict.fromkeys((*before, *after)):
        had, has = before.get(name, ()), after.get(name, ())
        lost = [right for right in had if right not in has]
        gained = [right for right in has if right not in had]
        who = _row(name, new if name in after else old)
        if not lost and not gained:
            same.append(who.partition(" (")[0])
            continue
        some = [f"no longer {', '.join(lost)}"] if lost else []
        some += [f"now {', '.join(gained)}"] if gained else []
        said = ("; ".join(some),)
        changed.setdefault(said, []).append(who)
        gains |= {said} if gained else set()
        for verb, rights in (("lost", lost), ("gained", gained)):
            if rights:
                noun = "command" if all(right in COMMANDS for right in rights) else "right"
                heads.append((who, verb, len(rights), noun))
    for name, verb, n in _accounts(old, new):
        same = [each for each in same if each != name]
        heads.append((name, verb, n, "account"))
    lines = [
        ChangeLine((*people(some, ""), ": ", *said), said in gains)
        for said, names in changed.items()
        for some in _rows(names)
    ]
    lines += _demands(old, new)
    more = (f" and {len(same) - _NAMES} more",) if len(same) > _NAMES else ()
    return _head(heads), lines, (*people(same[:_NAMES], ""), *more)


_NAMES = 20  # in one line


def _rows(names: list[str]) -> Iterator[list[str]]:
    """A line for each, unless many share it."""
    size = 1 if len(names) < 5 else _NAMES
    return (names[at : at + size] for at in range(0, len(names), size))


def _rights(policy: Policy) -> dict[str, tuple[str, ...]]:
    """By row: commands, then the other rights."""
    votes = sorted({slot.role for rule in policy.rules for slot in rule.slots})
    glass = policy.break_glass.role if policy.break_glass else ""
    allowed = lru_cache(maxsize=None)(lambda held: tuple(cells(policy, held)))
    found: dict[str, tuple[str, ...]] = {}
    for subject in subjects(policy):
        held = subject.roles
        others = [f"votes as {role}" for role in votes if role in held]
        others += ["break-glass"] if glass in held else []
        others += ["what owners may"] if policy.owners in held else []
        found[subject.name] = (*allowed(held), *others)
    return found


def _row(name: str, policy: Policy) -> str:
    """Everybody of a server as their role and the power it takes: `helpers (power 25)`."""
    if not name.startswith("@*:"):
        return name
    for role in policy.roles.values():
        servers = [member[3:] for member in role.members if is_glob(member)]
        for server in servers:
            if glob_label(server, role.min_power) == name:
                where = f" of {server}" if len(servers) > 1 else ""
                power = f" (power {role.min_power})" if role.min_power else ""
                return f"{plural(role.name)}{where}{power}"
    return name


def _head(heads: Sequence[tuple[str, str, int, str]]) -> str:
    parts: list[str] = []
    last = ("", "")
    for name, verb, n, noun in heads[:_HEADS]:
        who = f"{name} " if name != last[0] else ""
        what = f" {noun if n == 1 else noun + 's'}" if noun != last[1] else ""
        parts.append(f"{who}{verb} {n}{what}")
        last = (name, noun)
    more = [f"and {len(heads) - _HEADS} more"] if len(heads) > _HEADS else []
    return ", ".join(parts + more)


_HEADS = 8


def _accounts(old: Policy, new: Policy) -> Iterator[tuple[str, str, int]]:
    for name, now in new.people.items():
        had = old.people.get(name, now)
        for verb, n in (("lost", len({*had} - {*now})), ("gained", len({*now} - {*had}))):
            if n:
                yield name, verb, n


def _demands(old: Policy, new: Policy) -> Iterator[ChangeLine]:
    """`deactivate now needs 2 mods (was 1)`, commands with the same change together."""
    changes: dict[tuple[Demand, Demand], list[str]] = {}
    for name, command in COMMANDS.items():
        pair = demand_of(old, name), demand_of(new, name)
        if not command.own and pair[0] != pair[1]:
            changes.setdefault(pair, []).append(name)
    for (was, now), names in changes.items():
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        need = "needs" if len(names) == 1 else "need"
        said, was_said = now.said or "nothing more", was.said or "nothing"
        if evolve(was, slots=()) == evolve(now, slots=()) and was.slots and now.slots:
            said, was_said = slots_said(now.slots), slots_said(was.slots)
            if len(was.slots) == len(now.slots) == 1 and was.slots[0].role == now.slots[0].role:
                was_said = str(was.slots[0].n)
        longer = was.expires is not None and (now.expires or 0) > was.expires
        loosens = not slots_cover(now.slots, was.slots) or (was.reason and not now.reason)
        text = f"{', '.join(names[:3])}{more} now {need} {said} (was {was_said})"
        yield ChangeLine((text,), loosens or longer)


def slots_said(slots: Sequence[Slot]) -> str:
    """`2 mods, 1 owner`."""
    return demand(slots, False, None)


def slots_cover(slots: Sequence[Slot], others: Sequence[Slot]) -> bool:
    """These votes are at least those."""
    have = {slot.role: slot.n for slot in slots}
    return all(have.get(slot.role, 0) >= slot.n for slot in others)


def read_out(policy: Policy) -> tuple[tuple[str, tuple[str, ...], float], ...]:
    """The roles as they are read out: name, members as written, power; the highest first."""
    ranked = sorted(policy.roles.values(), key=lambda role: -len(policy.closure[role.name]))
    ranked.sort(key=lambda role: role.name != policy.owners)
    return tuple((role.name, role.members, float(role.min_power)) for role in ranked)
