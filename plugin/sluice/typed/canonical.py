"""Invocations as people see them, and whom they are about."""

from __future__ import annotations

from ..catalog.table import COMMANDS
from ..model.command import Invocation, Type


def targets(invocation: Invocation) -> tuple[str, ...]:
    """The accounts that it acts on, as full MXIDs."""
    name = COMMANDS[invocation.command].targets
    return invocation.values(name) if name else ()


def users(invocation: Invocation) -> tuple[str, ...]:
    """Every account that it names."""
    params = COMMANDS[invocation.command].params
    return tuple(u for p in params if p.type is Type.USER for u in invocation.values(p.name))


def canonical(invocation: Invocation, server: str = "") -> str:
    """The command line, without reason. With a server, names stand in short: `adduser al`."""
    command = COMMANDS[invocation.command]
    words = command.typed.split()
    for param in command.params:
        value = invocation.get(param.name)
        if value is None:
            continue
        if param.flag:
            words.append(f"--{param.name}")
        elif isinstance(value, int) and param.type is Type.DURATION:
            words += [param.name, span(value)]
        elif param.type is Type.SINCE:
            words += [param.name, str(value)]
        elif server and command.secret:
            words += [u[1:].removesuffix(f":{server}") for u in invocation.values(param.name)]
        else:
            words += invocation.values(param.name)
    return " ".join(words)


def span(seconds: int) -> str:
    """3600 as 1h, 5400 as 90m, 604800 as 7d: what `duration` reads."""
    unit = next(u for u in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")) if seconds % u[0] == 0)
    return f"{seconds // unit[0]}{unit[1]}"
