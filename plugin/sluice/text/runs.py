"""Many names in few words: those that are numbered, and those that do not look like them."""

from __future__ import annotations

import re
from collections.abc import Sequence

_DIGITS = re.compile("[0-9]+")
_FEWEST = 3  # of one look


def in_runs(names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(`xs01 to xs08`, …), and the names that look like no two others."""
    looks: dict[str, list[str]] = {}
    for name in sorted(names):
        looks.setdefault(_DIGITS.sub("0", name), []).append(name)
    alike = {look: of for look, of in looks.items() if len(of) >= _FEWEST and "0" in look}
    runs = tuple(_run(each) for each in alike.values())
    return runs, tuple(n for look, of in looks.items() if look not in alike for n in of)


def _run(names: Sequence[str]) -> str:
    first, last = names[0], names[-1]
    numbers = sorted(int("".join(_DIGITS.findall(name))) for name in names)
    has_gaps = numbers[-1] - numbers[0] != len(names) - 1
    return f"{first} to {last}" + (f" ({len(names)})" if has_gaps else "")
