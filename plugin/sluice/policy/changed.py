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

_Head = tuple[str, str, int, str]
"""Who, `lost` or `gained`, how many, of what."""


@frozen
class ChangeLine:
    """One thing that changed. loosens: somebody may get more by it."""

    text: Text
    loosens: bool


@frozen
class _Move:
    """The rights that a row has no longer, and those that it has now."""

    who: str
    lost: tuple[str, ...]
    gained: tuple[str, ...]

    @property
    def said(self) -> str:
        some = [f"no longer {', '.join(self.lost)}"] if self.lost else []
        some += [f"now {', '.join(self.gained)}"] if self.gained else []
        return "; ".join(some)


def rights_changed(old: Policy, new: Policy) -> tuple[str, list[ChangeLine], Text]:
    """What `new` gives and takes, compared with `old`: in short (`bo lost 2 commands, cy gained
    1`), line by line, and whose rights stay."""
    moves, accounts = list(_moves(old, new)), list(_accounts(old, new))
    alike: dict[str, list[_Move]] = {}
    for move in moves:
        alike.setdefault(move.said, []).append(move)
    unchanged = [move.who.partition(" (")[0] for move in alike.pop("", ())]
    lines = [
        ChangeLine((*people([move.who for move in row], ""), ": ", said), bool(row[0].gained))
        for said, some in alike.items()
        for row in _rows(some)
    ]
    heads = [*(head for move in moves for head in _heads(move)), *accounts]
    touched = {name for name, *_ in accounts}
    same = [name for name in unchanged if name not in touched]
    more = (f" and {len(same) - _NAMES} more",) if len(same) > _NAMES else ()
    return _head(heads), lines + list(_demands(old, new)), (*people(same[:_NAMES], ""), *more)


def _moves(old: Policy, new: Policy) -> Iterator[_Move]:
    before, after = _rights(old), _rights(new)
    for name in dict.fromkeys((*before, *after)):
        had, has = before.get(name, ()), after.get(name, ())
        yield _Move(
            _row(name, new if name in after else old),
            tuple(right for right in had if right not in has),
            tuple(right for right in has if right not in had),
        )


def _heads(move: _Move) -> Iterator[_Head]:
    for verb, rights in (("lost", move.lost), ("gained", move.gained)):
        if rights:
            noun = "command" if all(right in COMMANDS for right in rights) else "right"
            yield move.who, verb, len(rights), noun


_NAMES = 20  # in one line


def _rows(moves: list[_Move]) -> Iterator[list[_Move]]:
    """A line for each, unless many share it."""
    size = 1 if len(moves) < 5 else _NAMES
    return (moves[at : at + size] for at in range(0, len(moves), size))


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


def _head(heads: Sequence[_Head]) -> str:
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


def _accounts(old: Policy, new: Policy) -> Iterator[_Head]:
    for name, now in new.people.items():
        had = old.people.get(name, now)
        for verb, n in (("lost", len({*had} - {*now})), ("gained", len({*now} - {*had}))):
            if n:
                yield name, verb, n, "account"


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
