"""Child processes that end with the lab, whatever ends the lab.

Each child is a process group of its own and asks the kernel to be killed when its parent dies
(PR_SET_PDEATHSIG, Linux), so that a killed lab leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

_PR_SET_PDEATHSIG = 1
try:
    _LIBC = ctypes.CDLL(None)
    _LIBC.prctl  # noqa: B018 - asks whether there is one
except (OSError, AttributeError):  # not Linux: children end with an orderly end only
    _LIBC = None


def end_with_the_parent(parent: int) -> None:
    """To be called in a child."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


class Child(Protocol):
    """A `subprocess.Popen`, or what looks like one."""

    pid: int

    def poll(self) -> int | None: ...


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class NotReady(Exception):
    """A process did not become ready; the text ends with what it logged last."""


class Process:
    """One child with its log file."""

    def __init__(
        self,
        argv: Sequence[str],
        log: Path,
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.argv, self.log, self.cwd, self.env = list(argv), log, cwd, env
        self.child: Child | None = None

    @property
    def running(self) -> bool:
        return self.child is not None and self.child.poll() is None

    @property
    def environment(self) -> dict[str, str]:
        """Ours, and what this process is told besides."""
        return {**os.environ, **(self.env or {})}

    @property
    def pid(self) -> int:
        assert self.child is not None, "not started"
        return self.child.pid

    def start(self) -> None:
        self.child = self._spawn()

    def _spawn(self) -> Child:
        parent = os.getpid()
        with self.log.open("ab") as log:
            return subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.cwd,
                env=self.environment,
                start_new_session=True,
                preexec_fn=lambda: end_with_the_parent(parent),
            )

    async def ready(self, is_up: Callable[[], Awaitable[bool]], within: float = 30) -> None:
        until = time.monotonic() + within
        while not await is_up():
            if not self.running or time.monotonic() > until:
                why = "ended" if not self.running else f"was not ready within {within:g} s"
                raise NotReady(f"{self.argv[:4]} {why}:\n{self.tail()}")
            await asyncio.sleep(0.02)

    async def logs(self, text: str, within: float = 30) -> None:
        """Waits until the log holds this text (since the last start)."""
        begun = getattr(self, "_read_from", 0)
        await self.ready(lambda: _holds(self.log, begun, text), within)

    def forget_log(self) -> None:
        """`logs` looks only at what is written from here on."""
        self._read_from = self.log.stat().st_size if self.log.exists() else 0

    def tail(self, size: int = 3000) -> str:
        return self.log.read_text(errors="replace")[-size:] if self.log.exists() else ""

    async def stop(self, grace: float = 5) -> int | None:
        """SIGTERM, then SIGKILL after the grace; the exit status."""
        if self.running:
            self.signal(signal.SIGTERM)
            until = time.monotonic() + grace
            while self.running and time.monotonic() < until:
                await asyncio.sleep(0.01)
        return await self.kill()

    async def kill(self) -> int | None:
        if self.child is None:
            return None
        if self.running:
            self.signal(signal.SIGKILL)
        while self.child.poll() is None:
            await asyncio.sleep(0.005)
        return self.child.poll()

    @contextmanager
    def asleep(self) -> Iterator[None]:
        """SIGSTOP: what happens meanwhile reaches it all at once."""
        self.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.signal(signal.SIGCONT)

    def signal(self, number: signal.Signals) -> None:
        """To the whole group of the child."""
        assert self.child is not None
        try:
            os.killpg(self.child.pid, number)
        except ProcessLookupError:
            pass


async def _holds(log: Path, begun: int, text: str) -> bool:
    if not log.exists():
        return False
    with log.open("rb") as file:
        file.seek(begun)
        return text.encode() in file.read()
