"""What build.sh packs, and what it refuses to pack although `mbc build` would."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lab import mbp

META = """\
maubot: 0.5.1
id: org.example.thing
version: 1.2.3
license: AGPL-3.0-or-later
modules: [thing, thing_plugin]
main_class: Thing
extra_files: [base-config.yaml]
config: true
"""
FILES = {
    "maubot.yaml": META,
    "base-config.yaml": "key: 1\n",
    "pyproject.toml": '[project]\nversion = "1.2.3"\n',
    "plugin/thing_plugin.py": "from thing.bot import Thing as Thing\n",
    "plugin/thing/__init__.py": "",
    "plugin/thing/bot.py": "from .parts import one\n\n\nclass Thing:\n    part = one\n",
    "plugin/thing/parts/__init__.py": "",
    "plugin/thing/parts/one.py": "",
    "plugin/thing/__pycache__/bot.cpython-311.pyc": "rubbish",
    "tests/test_thing.py": "not packed",
    "README.md": "not packed",
}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_the_package_holds_what_runs_and_nothing_else(repository: Path) -> None:
    out = mbp.pack(repository, repository / "dist")
    assert out.name == "sluice-1.2.3.mbp"
    with zipfile.ZipFile(out) as archive:
        assert archive.namelist() == [
            "base-config.yaml",
            "maubot.yaml",
            "thing/__init__.py",
            "thing/bot.py",
            "thing/parts/__init__.py",
            "thing/parts/one.py",
            "thing_plugin.py",
        ]


def test_the_package_has_the_same_bytes_every_time(repository: Path) -> None:
    first = mbp.pack(repository, repository / "dist").read_bytes()
    (repository / "plugin/thing/bot.py").touch()
    assert mbp.pack(repository, repository / "again").read_bytes() == first


Change = Callable[[Path], object]


def rewrite(name: str, text: str) -> Change:
    return lambda root: (root / name).write_text(text)


def remove(name: str) -> Change:
    return lambda root: (root / name).unlink()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (rewrite("maubot.yaml", META.replace("[thing,", "[other,")), "module other is not in"),
        (remove("plugin/thing/__init__.py"), "thing: __init__.py is missing"),
        (remove("plugin/thing/parts/__init__.py"), "thing/parts: __init__.py is missing"),
        (remove("plugin/thing/parts/one.py"), "bot.py:1: imports thing.parts.one, which"),
        (remove("plugin/thing/bot.py"), "imports thing.bot.Thing, which is not there"),
        (rewrite("plugin/thing/bot.py", "class Thing\n"), "thing/bot.py: expected ':'"),
        (rewrite("plugin/thing/bot.py", "try: f()\nexcept* E: g()\n"), "Python 3.11"),
        (rewrite("plugin/thing_plugin.py", "from thing.bot import *\n"), "define or import Thing"),
        (rewrite("maubot.yaml", "id: [broken"), "maubot.yaml: while parsing"),
        (rewrite("maubot.yaml", META.replace("id: org", "di: org")), "key id is missing"),
        (rewrite("maubot.yaml", META.replace("1.2.3", "one")), "one is no version"),
        (rewrite("maubot.yaml", META.replace("1.2.3", "1.2.4")), "1.2.4 in maubot.yaml, 1.2.3"),
        (rewrite("base-config.yaml", "a: [1\n"), "base-config.yaml: while parsing"),
        (remove("base-config.yaml"), "extra file base-config.yaml does not exist"),
        (rewrite("maubot.yaml", META.replace("base-config.yaml", "README.md")), "lacks base-"),
        (rewrite("plugin/thing/.env", "SECRET=1"), "only Python files run in the plugin"),
    ],
)
def test_a_broken_plugin_is_refused_with_the_reason(
    repository: Path, change: Change, said: str
) -> None:
    change(repository)
    with pytest.raises(mbp.Broken) as refused:
        mbp.pack(repository, repository / "dist")
    assert said in str(refused.value)
    assert not (repository / "dist").exists() or not list((repository / "dist").iterdir())


def test_the_plugin_of_this_repository_packs(tmp_path: Path) -> None:
    out = mbp.pack(mbp.ROOT, tmp_path)
    assert out.stat().st_size < 2_000_000
