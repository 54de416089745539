"""maubot standalone with Sluice, killed by itself (SIGKILL) at one step of one command.

A step is the moment before or after one of the two things that touch the world: a block of the
database, or a request to the homeserver. They are counted from the INTENT of the command on that
SLUICE_TEST_WORD names, and written to SLUICE_TEST_STEPS, one a line: what it is, and how often it
was met. SLUICE_TEST_DIE is such a line: there the process ends. Nothing of this is in the plugin.
"""

from __future__ import annotations

import os
import re
import runpy
import signal
import sys
from collections import Counter
from typing import Any

sys.path.insert(0, os.getcwd())

from sluice import audit
from sluice.db.connection import Database
from sluice.matrix.api import Homeserver

WORD = os.environ.get("SLUICE_TEST_WORD", "")
DIE = os.environ.get("SLUICE_TEST_DIE", "")
STEPS = os.open(os.environ["SLUICE_TEST_STEPS"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)

met: Counter[str] = Counter()
begun = False


def step(what: str) -> None:
    if not begun:
        return
    met[what] += 1
    here = f"{what} #{met[what]}"
    os.write(STEPS, f"{here}\n".encode())
    if here == DIE:
        os.kill(os.getpid(), signal.SIGKILL)


def block_name(block: Any) -> str:
    name = f"{block.__module__}.{block.__qualname__}".removeprefix("sluice.")
    return re.sub(r"\.<locals>|<|>", "", name)


def watch_database(how: str) -> None:
    real = getattr(Database, how)

    async def wrapped(self: Database, block: Any) -> Any:
        what = f"{how} {block_name(block)}"
        step(f"before {what}")
        result = await real(self, block)
        step(f"after {what}")
        return result

    setattr(Database, how, wrapped)


def watch_homeserver() -> None:
    real = Homeserver.request

    async def wrapped(
        self: Homeserver, method: str, path: tuple[str, ...], *rest: Any, **more: Any
    ) -> Any:
        short = "/".join(part for part in path[3:] if not part.startswith(("!", "$", "@")))
        what = f"{method} {re.sub(r'/[A-Za-z0-9_-]{22}$', '', short)}"
        step(f"before {what}")
        try:
            return await real(self, method, path, *rest, **more)
        finally:
            step(f"after {what}")

    Homeserver.request = wrapped  # type: ignore[method-assign, assignment]


def watch_intent() -> None:
    real = audit.append

    async def wrapped(tx: Any, now: float, kind: str, record: Any) -> Any:
        global begun
        if kind == "intent" and WORD and WORD in str(record.get("command")):
            begun = True
        return await real(tx, now, kind, record)

    audit.append = wrapped


watch_database("write")
watch_database("read")
watch_homeserver()
watch_intent()
sys.argv[0] = "maubot.standalone"
runpy.run_module("maubot.standalone", run_name="__main__", alter_sys=True)
