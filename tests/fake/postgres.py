"""A PostgreSQL server of one's own, on loopback, from a distribution's binaries."""

from __future__ import annotations

import glob
import itertools
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

_numbers = itertools.count(1)


def binaries() -> str:
    """Their folder; empty without any."""
    found = shutil.which("initdb")
    if found:
        return os.path.dirname(found)
    return max(glob.glob("/usr/lib/postgresql/*/bin"), default="")


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of an empty database."""
    folder = tempfile.mkdtemp(prefix="sluice-pg-")
    os.chmod(folder, 0o755)
    root = os.geteuid() == 0  # the server refuses to run as root
    if root:
        shutil.chown(folder, "postgres")
    prefix = ["runuser", "-u", "postgres", "--"] if root else []
    tools, data = binaries(), f"{folder}/data"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def run(tool: str, *args: str) -> None:
        subprocess.run(
            [*prefix, f"{tools}/{tool}", *args],
            check=True,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            timeout=60,
        )

    options = (
        f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder} "
        "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c shared_buffers=16MB"
    )
    run(
        "initdb",
        "-D",
        data,
        "-A",
        "trust",
        "-U",
        "sluice",
        "--no-sync",
        "-E",
        "UTF8",
        "--locale=C",
    )
    run("pg_ctl", "-D", data, "-w", "-l", f"{folder}/log", "-o", options, "start")
    try:
        yield f"postgresql://sluice@127.0.0.1:{port}/postgres"
    finally:
        run("pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


async def another(url: str) -> str:
    """The URL of one more empty database on the same server."""
    name = f"sluice_{next(_numbers)}"
    connection = await asyncpg.connect(url)
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    return url.rpartition("/")[0] + f"/{name}"
