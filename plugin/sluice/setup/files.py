"""Files that are whole or not there, also after a Ctrl-C or a power cut."""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path

SECRET = 0o600


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """Beside it first, then in its place; a file of that name is replaced as a whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        os.fchmod(file, mode)
        os.write(file, text.encode())
        os.fsync(file)
    finally:
        os.close(file)
    os.replace(beside, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def owner_of(folder: Path) -> str:
    number = folder.stat().st_uid
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


class Memory:
    """What was answered and found so far, in a file, so that a second run goes on from there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._values: dict[str, str] = {}
        if path.exists():
            found = json.loads(path.read_text(encoding="utf-8"))
            self._values = {str(key): str(value) for key, value in found.items()}

    def __bool__(self) -> bool:
        return bool(self._values)

    def get(self, key: str) -> str:
        """Empty if it is not known."""
        return self._values.get(key, "")

    def put(self, key: str, value: str) -> None:
        """Forgotten if it is empty."""
        kept = {**self._values, key: value}
        self._values = {name: text for name, text in kept.items() if text}
        write(self._path, json.dumps(self._values, indent=1) + "\n", SECRET)
