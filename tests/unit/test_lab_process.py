"""Whatever ends the lab ends what it started."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab.process import NotReady, Process, free_port

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]


async def test_a_process_is_ready_when_its_log_says_so(tmp_path: Path) -> None:
    process = Process(SLEEPER, tmp_path / "log")
    process.start()
    await process.logs("up", 10)
    assert process.running
    assert await process.stop() == -signal.SIGTERM


async def test_a_process_that_ends_early_is_reported_with_its_last_words(tmp_path: Path) -> None:
    process = Process([sys.executable, "-c", "raise SystemExit('no port')"], tmp_path / "log")
    process.start()
    with pytest.raises(NotReady, match="no port"):
        await process.logs("up", 10)


async def test_a_process_that_ignores_the_polite_signal_is_killed(tmp_path: Path) -> None:
    stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True)"
    process = Process([sys.executable, "-c", f"{stubborn}; time.sleep(60)"], tmp_path / "log")
    process.start()
    await process.logs("up", 10)
    assert await process.stop(grace=0.2) == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="asks the Linux kernel")
async def test_children_end_when_the_lab_is_killed(tmp_path: Path) -> None:
    script = f"""
import asyncio, sys
from pathlib import Path
from lab.process import Process
process = Process({SLEEPER!r}, Path({str(tmp_path / "log")!r}))
process.start()
asyncio.run(process.logs("up", 10))
print(process.pid, flush=True)
asyncio.run(asyncio.sleep(60))
"""
    root = Path(__file__).parent.parent.parent
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=root)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    until = time.monotonic() + 5
    while _exists(child) and time.monotonic() < until:
        await asyncio.sleep(0.02)
    assert not _exists(child)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "zombie" not in Path(f"/proc/{pid}/status").read_text()


def test_free_ports_are_free() -> None:
    assert free_port() != free_port()
