"""What maubot standalone keeps of its keys, in the database that it shares with Sluice."""

from __future__ import annotations

import sqlite3
from pathlib import Path


def device_of_keys(file: Path | None) -> str:
    """The id of their device; empty if there are none yet, or if it is no SQLite."""
    if file is None or not file.exists():
        return ""
    try:
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as database:
            row = database.execute("SELECT device_id FROM crypto_account").fetchone()
    except sqlite3.Error:
        return ""
    return str(row[0] or "") if row else ""
