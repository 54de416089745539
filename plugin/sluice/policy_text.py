"""Where the policy text lives: maubot's instance configuration, or a file named by `policy_file`.

The text is the admin's. It is read here and never written, with two exceptions in full maubot:
the empty text of a new instance is filled once with base-config.yaml, and a refused edit is
replaced by the last text that was accepted, so that a restart does not meet the refused one.
maubot keeps the raw text in `PluginInstance.config_str` (maubot 0.6.0, instance.py); the plugin
reaches it through the bound method that it gets as loader. Standalone has no such object.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from attrs import frozen
from ruamel.yaml import YAML

BASE = "base-config.yaml"


@frozen
class Source:
    """One reading. name: what error messages call it ("config", or the file's path)."""

    name: str
    text: str


class Unreadable(Exception):
    """The text cannot be had; the message says which file and why."""


class PolicyText:
    def __init__(self, config: Any, loader: Any) -> None:
        self._load = config._load_proxy
        self._loader = loader
        self._instance = getattr(self._load, "__self__", None)
        if not isinstance(getattr(self._instance, "config_str", None), str):
            self._instance = None

    async def fill_empty(self) -> None:
        """Gives a new instance of full maubot the commented example, byte for byte."""
        if self._instance is not None and not self._instance.config_str.strip():
            self._instance.config_str = (await self._loader.read_file(BASE)).decode("utf-8")
            await self._instance.update()

    def read(self) -> Source:
        """The text as it stands now. Raises Unreadable."""
        if self._instance is not None:
            source = Source("config", self._instance.config_str)
            return self._follow(_parse(source.text), source)
        data = self._load() or {}
        out = io.StringIO()
        YAML().dump(data, out)
        return self._follow(data, Source("plugin_config", out.getvalue()))

    def _follow(self, data: object, source: Source) -> Source:
        if not isinstance(data, Mapping) or "policy_file" not in data:
            return source
        if len(data) > 1:
            raise Unreadable(f"{source.name}: policy_file stands alone; remove the other keys")
        path = str(data["policy_file"])
        try:
            with open(path, encoding="utf-8") as file:
                return Source(path, file.read())
        except (OSError, UnicodeDecodeError) as error:
            raise Unreadable(f"policy_file {path} cannot be read: {error}") from error

    @property
    def autojoin(self) -> bool | None:
        """Whether maubot lets the bot join wherever anybody invites it; None if it hides that."""
        client = getattr(self._instance, "client", None)
        value = getattr(client, "autojoin", None)
        return value if isinstance(value, bool) else None

    def refuse(self, accepted: Source | None) -> None:
        """Puts the last accepted text back into maubot's cache: the refused one is gone."""
        if self._instance is not None and accepted is not None and accepted.name == "config":
            self._instance.config_str = accepted.text


def _parse(text: str) -> object:
    """The YAML value, or None when it is none: the loader reports that with its line."""
    try:
        return YAML(typ="safe", pure=True).load(text)
    except Exception:  # any YAML error; `settings.load` says which and where
        return None
