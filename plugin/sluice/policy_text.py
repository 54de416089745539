"""Where the policy text lives: maubot's instance configuration, or a file named by `policy_file`.

The text is the admin's. It is read here and never written, with two exceptions in full maubot:
the empty text of a new instance is filled once with base-config.yaml, and a refused edit is
replaced by the last text that was accepted, so that a restart does not meet the refused one.
maubot keeps the raw text in `PluginInstance.config_str` (maubot 0.6.0, instance.py); the plugin
reaches it through the bound method that it gets as loader. Standalone has no such object.
"""

from __future__ import annotations

import asyncio
import io
import os
import time
from typing import Any

from attrs import frozen
from ruamel.yaml import YAML

from .policy.document import Entries, Problems, parse

BASE = "base-config.yaml"
_SETTLED = 0.3  # seconds since a file was written last: until then it may be half saved


@frozen
class Source:
    """One reading. name: what error messages call it ("config", or the file's path). config: the
    text of maubot's instance that led here, None where there is none."""

    name: str
    text: str
    config: str | None = None


class Unreadable(Exception):
    """The text cannot be had; the message says which file and why."""


class PolicyText:
    def __init__(self, config: Any, loader: Any) -> None:
        self._load = config._load_proxy
        self._loader = loader
        self._instance = getattr(self._load, "__self__", None)
        if not isinstance(getattr(self._instance, "config_str", None), str):
            self._instance = None
        self._kept = self._instance.config_str if self._instance is not None else ""

    async def fill_empty(self) -> None:
        """Gives a new instance of full maubot the commented example, byte for byte."""
        if self._instance is not None and not self._instance.config_str.strip():
            self._kept = (await self._loader.read_file(BASE)).decode("utf-8")
            self._instance.config_str = self._kept
            await self._instance.update()

    async def read(self) -> Source:
        """The text as it stands now. Raises Unreadable."""
        if self._instance is not None:
            text = self._instance.config_str
            source = Source("config", text, text)
        else:
            out = io.StringIO()
            YAML().dump(self._load() or {}, out)
            source = Source("plugin_config", out.getvalue())
        path = _elsewhere(source.text)
        if path is None:
            return source
        try:
            return Source(path, await _saved(path), source.config)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
            raise Unreadable(f"policy_file cannot be read: {why}: {path}") from error

    @property
    def autojoin(self) -> bool | None:
        """Whether maubot lets the bot join wherever anybody invites it; None if it hides that."""
        client = getattr(self._instance, "client", None)
        value = getattr(client, "autojoin", None)
        return value if isinstance(value, bool) else None

    def accept(self, source: Source) -> None:
        """What maubot keeps from now on, whatever is tried next."""
        if source.config is not None:
            self._kept = source.config

    def refuse(self) -> None:
        """Puts what maubot is to keep back into its cache: the refused edit is gone."""
        if self._instance is not None:
            self._instance.config_str = self._kept


async def _saved(path: str) -> str:
    """What stands in a file, as soon as it stays as it is, or after a while.

    Many programs empty a file and then write it: one that was written just now may be half of what
    is meant, and still be valid. Raises OSError, ValueError.
    """
    for _ in range(50):
        if not 0 <= time.time() - os.stat(path).st_mtime < _SETTLED:
            break
        await asyncio.sleep(_SETTLED / 3)
    return _read(path)


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def _elsewhere(text: str) -> str | None:
    """The file, if a text names one and says nothing else. What is wrong, the loader says."""
    top = parse(text, Problems()) if "policy_file" in text else None
    if top is None or not isinstance(top.value, Entries) or len(top.value.pairs) != 1:
        return None
    [(key, path)] = top.value.pairs
    named = key.value == "policy_file" and isinstance(path.value, str)
    return str(path.value) if named else None


def line_of(text: str, key: str) -> int:
    """Where a key of the top level stands, from 1; 1 if it is not there."""
    lines = text.splitlines()
    return next((n for n, line in enumerate(lines, 1) if line.startswith(f"{key}:")), 1)
