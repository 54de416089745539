"""What another version says of itself, and what it does with a database of a later one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mautrix.util.async_db import Database as Pool

from sluice.chat.policy_news import NEW_IN, other_version
from sluice.db.migrations import NewerDatabase, upgrade_table
from tests.unit.scenes import here

ROOT = Path(__file__).parents[2]


def test_every_version_says_what_the_changelog_begins_with() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^## (\S+)\n\n(.+)$", text, re.M))
    assert told == NEW_IN
    found = re.search(r"^version: (\S+)$", (ROOT / "maubot.yaml").read_text(), re.M)
    assert found
    assert found[1] in NEW_IN


@pytest.mark.parametrize(
    ("version", "was", "older"),
    [("1.1.0", "1.0.0", False), ("1.10.0", "1.9.0", False), ("1.0.0", "1.1.0", True)],
)
def test_an_older_version_is_called_so(version: str, was: str, older: bool) -> None:
    said = other_version(here(), version, was).body
    assert said.startswith(f"🔔 Sluice {version} runs here now, it was {was}.")
    assert ("It is the older one" in said) is older


async def test_a_database_of_a_later_version_is_refused_with_a_sentence(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'later.db'}"
    pool = Pool.create(url, upgrade_table=upgrade_table)
    await pool.start()
    await pool.execute("UPDATE version SET version = 99")
    await pool.stop()
    later = Pool.create(url, upgrade_table=upgrade_table)
    with pytest.raises(NewerDatabase, match="A newer Sluice has used this database"):
        await later.start()
    await later.stop()
