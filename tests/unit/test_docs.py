"""What the docs name is there: files and folders, and what the code calls its parts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md")), ROOT / "tests" / "golden" / "README.md"]
BELOW = (ROOT, ROOT / "plugin" / "sluice", ROOT / "tests", ROOT / "tests" / "unit")
LATER = re.compile(r"dist/|.*VERSION.*")  # made by a build, or stands for several
PATH = re.compile(r"(?:[\w.-]+/)*[\w-]+\.(?:py|sh|sql|jsonl)|(?:[\w.-]+/)*[a-z]\w+/")
NAME = re.compile(r"(?:([A-Z]\w+)\.)?(_?[A-Za-z]\w+)")


def code(page: Path) -> Iterator[str]:
    """The words between backticks, but not those of a block."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for words in re.findall(r"`([^`\n]+)`", text):
        yield from words.split()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}-{page.stem}")
def test_every_path_that_a_page_names_is_there(page: Path) -> None:
    named = {word.strip(":") for word in code(page)}
    paths = {word for word in named if PATH.fullmatch(word) and not LATER.fullmatch(word)}
    assert {path for path in paths if not any((top / path).exists() for top in BELOW)} == set()


def test_every_name_of_the_code_that_how_it_works_tells_is_there() -> None:
    source = "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "plugin").rglob("*.py"))
    defined = {*re.findall(r"(?:class |def |self\.|^ *)(\w+)", source, flags=re.M)}
    found = [NAME.fullmatch(word) for word in code(DOCS / "how-it-works.md")]
    named = {each[0]: {each[1] or each[2], each[2]} for each in found if each}
    names = [name for name in named if name[0] == "_" or name[0].isupper()]
    assert len(names) > 20
    assert [name for name in names if not named[name] <= defined] == []
