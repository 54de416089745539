"""The lab's own virtual environment, made with nothing but Python and pip.

`python3 lab/environment.py` makes .venv if it is not there or if the pinned versions have changed,
and prints the path of its Python. Standard library only. SLUICE_PYTHON names a Python that has all
of it already; then nothing is installed.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHONS = (sys.executable, "/usr/bin/python3")
SPEED = """import sys, timeit, venv
if (3, 10) <= sys.version_info[:2] <= (3, 13) and sys.argv[1] == str(sys.version_info[:2]):
    print(min(timeit.repeat("f(3)", "def f(n): return str(n) + str({n: n})", number=50_000)))
"""
CONSTRAINTS = ROOT / "constraints.txt"
CRYPTO = "maubot[encryption]"  # its python-olm has no wheel for the newest Pythons
NEEDED = (
    "matrix-synapse",
    "maubot",
    "matrix-nio[e2e]",
    "tzdata",
    "pytest",
    "pytest-asyncio",
    "pytest-rerunfailures",
    "pytest-xdist",
    "hypothesis",
    "coverage",
    "ruff",
    "mypy",
)


def python() -> str:
    """A Python that has everything; installs it when needed."""
    given = os.environ.get("SLUICE_PYTHON")
    if given:
        return given
    stamp, wanted = VENV / "installed", _digest()
    path = VENV / "bin" / "python"
    if not stamp.exists() or stamp.read_text() != wanted:
        _install(path)
        stamp.write_text(wanted)
    return str(path)


def _digest() -> str:
    text = CONSTRAINTS.read_text() + repr((CRYPTO, NEEDED)) + sys.version
    return hashlib.sha256(text.encode()).hexdigest()


def _install(path: Path) -> None:
    maker = _quickest()
    print(f"making {VENV} and installing into it, about half a minute", file=sys.stderr)
    if not _uv(maker, path):
        _pip(maker, path)
    if subprocess.run(
        [str(path), "-c", "import olm"], check=False, capture_output=True
    ).returncode:
        print(
            "no wheel of python-olm for this Python: encrypted rooms are left out", file=sys.stderr
        )
    # pip would compile on one core only, and all of it; what cannot be compiled is nobody's import
    options = ["-qq", "-j", "0", "-x", "/phonenumbers/|/tests?/"]
    compile_all = [str(path), "-m", "compileall", *options, str(VENV / "lib")]
    subprocess.run(compile_all, check=False, stdout=sys.stderr)


def _quickest() -> str:
    """The Python that the environment is made of, of the version that runs this: Debian's, for
    one, needs a fifth less time for all that follows than one that pyenv built."""
    took = {}
    for path in filter(os.path.exists, PYTHONS):
        ask = [path, "-c", SPEED, str(sys.version_info[:2])]
        ran = subprocess.run(ask, capture_output=True, text=True, check=False)
        if ran.stdout:
            took[path] = float(ran.stdout)
    if not took:
        version = sys.version.split()[0]
        sys.exit(f"Python 3.10, 3.11, 3.12 or 3.13 is needed for the lab, this is {version}")
    return min(took, key=lambda path: took[path])


def _make(maker: str, *options: str) -> None:
    make = [maker, "-m", "venv", "--clear", *options, str(VENV)]
    subprocess.run(make, check=True, stdout=sys.stderr)


def _uv(maker: str, path: Path) -> bool:
    """Installs with uv, which takes a quarter of pip's time, if pip can get it."""
    with tempfile.TemporaryDirectory(prefix="uv-") as folder:
        get = [sys.executable, "-m", "pip", "install", "--quiet", "--target", folder, "uv"]
        if subprocess.run(get, check=False, capture_output=True).returncode:
            return False
        _make(maker, "--without-pip")
        run = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(path)]
        env = {**_as_uv_says_it(), **os.environ, "PYTHONPATH": folder}
        return _with_or_without_crypto([*run, "-c", str(CONSTRAINTS)], env)


def _as_uv_says_it() -> dict[str, str]:
    """Where pip is told to look (by its files, or by the environment), in uv's words."""
    words = {
        "index-url": "UV_DEFAULT_INDEX",
        "extra-index-url": "UV_INDEX",
        "find-links": "UV_FIND_LINKS",
        "cert": "SSL_CERT_FILE",
    }
    told = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        capture_output=True,
        text=True,
        check=False,
    )
    pairs = (line.partition("=")[::2] for line in told.stdout.splitlines())
    keys = ((key.rpartition(".")[2], value.strip("'\"")) for key, value in pairs)
    return {words[key]: value for key, value in keys if key in words}


def _pip(maker: str, path: Path) -> None:
    if _pip_is_new_enough():
        # from outside: Debian's python3 may lack what puts pip into an environment
        _make(maker, "--without-pip")
        pip = [sys.executable, "-m", "pip", "--python", str(path)]
    else:
        _make(sys.executable)
        pip = [str(path), "-m", "pip"]
    options = ["--quiet", "--disable-pip-version-check", "--no-compile", "-c", str(CONSTRAINTS)]
    if not _with_or_without_crypto([*pip, "install", *options], dict(os.environ)):
        sys.exit("the lab's packages cannot be installed: see above")


def _with_or_without_crypto(install: Sequence[str], env: Mapping[str, str]) -> bool:
    """Whether one of the two could be installed. Nothing is compiled: that needs a compiler."""
    wanted = ([CRYPTO, *NEEDED], list(NEEDED))
    return any(_quietly([*install, "--only-binary", "python-olm", *w], env) for w in wanted)


def _quietly(command: Sequence[str], env: Mapping[str, str]) -> bool:
    """Whether it succeeds; what it says is shown if it does not."""
    ran = subprocess.run(command, check=False, capture_output=True, text=True, env=env)
    if ran.returncode:
        print(ran.stderr, file=sys.stderr)
    return not ran.returncode


def _pip_is_new_enough() -> bool:
    """`pip --python` is known since 22.3."""
    told = subprocess.run(
        [sys.executable, "-m", "pip", "--version"], capture_output=True, text=True, check=False
    )
    words = told.stdout.split()
    return len(words) > 1 and tuple(map(int, words[1].split(".")[:2])) >= (22, 3)


if __name__ == "__main__":
    print(python())
