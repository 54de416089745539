"""Every threat of docs/threats.md names tests that exist, and has a number of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "threats.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (\d+) \|(.*)\|$", PAGE, re.M)


def named() -> Iterator[tuple[str, str, str]]:
    """(row, file, test). A second test of the same file leaves the file out."""
    for number, row in ROWS:
        file = ""
        for part in re.findall(r"`([^`]+)`", row.rpartition(" | ")[2]):
            if found := re.fullmatch(r"([\w/]+\.py)(?:: (test_\w+))?", part):
                file = found[1]
                yield number, file, found[2] or ""
            elif part.startswith("test_"):
                yield number, file, part


def test_every_row_has_a_number_of_its_own() -> None:
    numbers = [int(number) for number, _ in ROWS]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))


def test_every_row_names_tests_that_exist() -> None:
    rows, wrong = set(), []
    for row, file, test in named():
        path = TESTS / file
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        if not text or not re.search(rf"def {test}\w*\(" if test else "", text):
            wrong.append(f"{row}: {file}: {test}")
        rows.add(row)
    assert wrong == []
    assert [number for number, _ in ROWS if number not in rows] == []


def test_no_threat_waits_for_its_test() -> None:
    assert "not tested" not in PAGE
