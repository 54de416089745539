"""Checks of Matrix identifiers and humantime values, with the words of Conduit's libraries.

ruma-identifiers-validation and humantime 2.2.0, as pinned by Conduit 0.10.12.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timezone


class Invalid(Exception):
    """The text that the library gives for a bad value."""


def _server(name: str) -> None:
    host = r"(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z.-]{1,255})"
    if not re.fullmatch(rf"{host}(?::\d{{1,5}})?", name):
        raise Invalid("server name is not a valid IP address or domain name")


def _with_server(sigil: str, value: str) -> str:
    if not value.startswith(sigil):
        raise Invalid("leading sigil is incorrect or missing")
    if len(value.encode()) > 255:
        raise Invalid("ID exceeds 255 bytes")
    localpart, colon, server = value[1:].partition(":")
    if not colon:
        raise Invalid("required colon is missing")
    _server(server)
    if "\0" in localpart:
        raise Invalid("identifier contains invalid characters")
    return value


def user_id(value: str) -> str:
    return _with_server("@", value)


def alias(value: str) -> str:
    return _with_server("#", value)


def room_id(value: str) -> str:
    if not value.startswith("!"):
        raise Invalid("leading sigil is incorrect or missing")
    if len(value.encode()) > 255:
        raise Invalid("ID exceeds 255 bytes")
    return value


def event_id(value: str) -> str:
    return _with_server("$", value) if ":" in value else _sigil("$", value)


def _sigil(sigil: str, value: str) -> str:
    if not value.startswith(sigil):
        raise Invalid("leading sigil is incorrect or missing")
    return value


def server_name(value: str) -> str:
    _server(value)
    return value


def room_version(value: str) -> str:
    if not value:
        raise Invalid("identifier or required part of it is empty")
    if not re.fullmatch(r"[0-9A-Za-z.-]{1,32}", value):
        raise Invalid("identifier contains invalid characters")
    return value


def u32(value: str) -> str:
    if not value:
        raise Invalid("cannot parse integer from empty string")
    if not re.fullmatch(r"[+]?\d+", value):
        raise Invalid("invalid digit found in string")
    if int(value) >= 2**32:
        raise Invalid(f"{value} is not in 0..=4294967295")
    return value


UNITS: dict[str, float] = {
    **dict.fromkeys(("nanos", "nsec", "ns"), 1e-9),
    **dict.fromkeys(("usec", "us"), 1e-6),
    **dict.fromkeys(("millis", "msec", "ms"), 1e-3),
    **dict.fromkeys(("seconds", "second", "secs", "sec", "s"), 1),
    **dict.fromkeys(("minutes", "minute", "min", "mins", "m"), 60),
    **dict.fromkeys(("hours", "hour", "hr", "hrs", "h"), 3600),
    **dict.fromkeys(("days", "day", "d"), 86400),
    **dict.fromkeys(("weeks", "week", "wk", "wks", "w"), 7 * 86400),
    **dict.fromkeys(("months", "month", "M"), 2_630_016),
    **dict.fromkeys(("years", "year", "yr", "yrs", "y"), 31_557_600),
}


def duration(value: str) -> str:
    """Checks only; `seconds` computes."""
    seconds(value)
    return value


def seconds(value: str) -> float:
    if not value:
        raise Invalid("value was empty")
    total, at = 0.0, 0
    while at < len(value):
        number = re.compile(r"\d+").match(value, at)
        if not number:
            raise Invalid(f"expected number at {at}")
        if int(number[0]) >= 2**64:
            raise Invalid("number is too large")
        at = number.end()
        unit = re.compile(r"[A-Za-z]*").match(value, at)
        word = unit[0] if unit else ""
        at += len(word)
        if not word and at < len(value):
            raise Invalid(f"invalid character at {at}")
        if not word:
            raise Invalid(f"time unit needed, for example {number[0]}sec or {number[0]}ms")
        if word not in UNITS:
            raise Invalid(
                f'unknown time unit "{word}", supported units: ns, us, ms, sec, min, hours, '
                "days, weeks, months, years (and few variations)"
            )
        total += int(number[0]) * UNITS[word]
        at += len(value[at:]) - len(value[at:].lstrip(" "))
    return total


def timestamp(value: str) -> str:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,9})?Z?", value):
        raise Invalid("timestamp format is invalid")
    try:
        moment(value)
    except ValueError:
        raise Invalid("numeric component is out of range") from None
    if int(value[:4]) < 1970:
        raise Invalid("numeric component is out of range")
    return value


def moment(value: str) -> float:
    """Epoch seconds of a checked timestamp."""
    plain = re.sub(r"(\.\d+)?Z?$", "", value).replace("T", " ")
    return datetime.fromisoformat(plain).replace(tzinfo=timezone.utc).timestamp()


def text(value: str) -> str:
    return value


Check = Callable[[str], str]
