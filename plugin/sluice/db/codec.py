"""How values of requests (invocations, decisions, outcomes, cards) stand in the database: JSON.

Pure. A value is written with the name of its class and of each field that is not at its default,
so a later version reads what an earlier one wrote: fields it does not know any more are dropped,
new ones take their default. Only the classes listed here can be read back.
"""

from __future__ import annotations

import json
from enum import Enum
from typing import Any

from attrs import fields

from ..model.command import Invocation, Kind, Outcome
from ..model.decision import Checked, Decision, Matched, Quota, Slot, Verdict
from ..text.message import Code, Link

_CLASSES: dict[str, type] = {
    cls.__name__: cls
    for cls in (Invocation, Outcome, Code, Link, Checked, Decision, Matched, Quota, Slot)
}
_ENUMS: dict[str, type[Enum]] = {cls.__name__: cls for cls in (Kind, Verdict)}


def known(cls: type) -> type:
    """A decorator: values of this frozen class can be written and read too."""
    _CLASSES[cls.__name__] = cls
    return cls


def write(value: object) -> str:
    """Tuples, plain values, and the frozen classes above, nested at will."""
    return json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"))


def read(text: str) -> Any:
    """What was written, equal to it; every list as a tuple."""
    return _value(json.loads(text))


def _plain(value: object) -> object:
    if isinstance(value, Enum):
        return {"=": type(value).__name__, "is": value.value}
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    cls: Any = type(value)
    kept = {f.name: getattr(value, f.name) for f in fields(cls)}
    defaults = {f.name: f.default for f in fields(cls)}
    return {
        "": cls.__name__,
        **{name: _plain(v) for name, v in kept.items() if v != defaults[name]},
    }


def _value(raw: object) -> Any:
    if isinstance(raw, list):
        return tuple(_value(item) for item in raw)
    if not isinstance(raw, dict):
        return raw
    if "=" in raw:
        return _ENUMS[raw["="]](raw["is"])
    cls = _CLASSES[raw[""]]
    names = {f.name for f in fields(cls)}
    return cls(**{name: _value(v) for name, v in raw.items() if name in names})
