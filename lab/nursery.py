"""Programs of maubot that start with their libraries imported: half a second less for each.

`python -m lab.nursery` imports maubot once, and forks a program for every line of JSON on its
standard input: {argv, cwd, env, log}, argv as `python` takes it. It answers with the pid. The
program is orphaned on purpose: who asks is its subreaper, becomes its parent by that, and waits
for it as for any child. Linux only; elsewhere a program is started as usual.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import json
import os
import runpy
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from .process import Child, Process, end_with_the_parent

_PR_SET_CHILD_SUBREAPER = 36
_IMPORTS = ("maubot.matrix", "maubot.plugin_base", "mautrix.util.async_db", "mautrix.crypto")


class Program(Process):
    """A Process whose argv is [sys.executable, "-m", module, …] or [sys.executable, script, …]."""

    def _spawn(self) -> Child:
        if sys.platform != "linux":
            return super()._spawn()
        cwd = self.cwd or Path.cwd()
        return _nursery().bears(self.argv[1:], self.log, cwd, self.environment)


class _Adopted:
    """Offers of `subprocess.Popen` what a Process asks for."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._status: int | None = None

    def poll(self) -> int | None:
        if self._status is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if ended:
                self._status = os.waitstatus_to_exitcode(status)
        return self._status


class _Nursery:
    def __init__(self) -> None:
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lab.nursery"],
            stdin=subprocess.PIPE,  # its end is the nursery's
            stdout=subprocess.PIPE,
            cwd=Path(__file__).resolve().parent.parent,
            start_new_session=True,
        )

    def bears(self, argv: Sequence[str], log: Path, cwd: Path, env: dict[str, str]) -> Child:
        asked = {"argv": argv, "log": str(log), "cwd": str(cwd), "env": env}
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps(asked).encode() + b"\n")
        stdin.flush()
        return _Adopted(int(stdout.readline()))


@cache
def _nursery() -> _Nursery:
    """One for each process that starts programs."""
    return _Nursery()


# --- in the nursery ------------------------------------------------------------------------------


def main() -> None:
    for name in _IMPORTS:
        importlib.import_module(name)
    asks = os.getppid()
    for line in sys.stdin.buffer:
        orphans = os.fork()
        if orphans:
            os.waitpid(orphans, 0)
        elif os.fork():
            os._exit(0)
        else:
            _become(json.loads(line), asks)


def _become(asked: dict[str, Any], asks: int) -> NoReturn:
    """What happens between fork and exec elsewhere, and then the program."""
    while os.getppid() != asks:  # not adopted yet
        time.sleep(0.0005)
    end_with_the_parent(asks)
    os.setsid()
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    os.write(1, f"{os.getpid()}\n".encode())
    _redirect(asked["log"])
    _begin_as_an_interpreter_does()
    argv = asked["argv"]
    if argv[0] == "-m":
        sys.path[0], sys.argv = asked["cwd"], argv[1:]
        runpy.run_module(argv[1], run_name="__main__", alter_sys=True)
    else:
        sys.path[0], sys.argv = str(Path(argv[0]).parent), argv
        runpy.run_path(argv[0], run_name="__main__")
    sys.exit()


def _begin_as_an_interpreter_does() -> None:
    """What PYTHONPATH is for: folders to import from, and the module that is run at the start."""
    folders = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[1:1] = filter(None, folders)
    sys.modules.pop("sitecustomize", None)
    if importlib.util.find_spec("sitecustomize"):
        importlib.import_module("sitecustomize")


def _redirect(log: str) -> None:
    for to, path in ((0, os.devnull), (1, log), (2, log)):
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        os.dup2(file, to)
        os.close(file)


if __name__ == "__main__":
    main()
