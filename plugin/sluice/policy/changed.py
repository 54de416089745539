"""Whose rights a new policy changes, and what it demands differently.

Rights beyond commands (votes, break-glass, the owners' own commands) are compared too, so that
nobody gains them unseen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from attrs import evolve, frozen

from ..catalog.table import COMMANDS
from ..model.decision import Slot
from ..text.message import Text
from ..text.phrases import people
from .access import Demand, cells, demand_of, glob_label, subjects
from .reasons import demand, plural
from .roles import is_glob
from .rules import Policy


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
