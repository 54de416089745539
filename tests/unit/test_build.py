"""What build.sh packs, and what it refuses to pack although `mbc build` would."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML

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
        (rewrite("plugin/thing/bot.py", "try: f()\nexcept* E: g()\n"), "thing/bot.py: "),
        (rewrite("plugin/thing_plugin.py", "from thing.bot import *\n"), "define or import Thing"),
        (rewrite("maubot.yaml", "id: [broken"), "maubot.yaml:1: only"),
        (rewrite("maubot.yaml", META.replace("version: 1", "version: '1")), "maubot.yaml:3: only"),
        (rewrite("maubot.yaml", META + "id: again\n"), "maubot.yaml:9: only"),
        (rewrite("maubot.yaml", META.replace("[thing,", "thing #")), "maubot.yaml:5: only"),
        (rewrite("maubot.yaml", META.replace("[thing, thing_plugin]", "thing")), "are lists"),
        (rewrite("maubot.yaml", META.replace("id: org", "di: org")), "key id is missing"),
        (rewrite("maubot.yaml", META.replace("1.2.3", "one")), "one is no version"),
        (rewrite("maubot.yaml", META.replace("1.2.3", "1.2.4")), "1.2.4 in maubot.yaml, 1.2.3"),
        (rewrite("base-config.yaml", "a: [1\n"), "base-config.yaml: while parsing"),
        (remove("base-config.yaml"), "extra file base-config.yaml does not exist"),
        (rewrite("maubot.yaml", META.replace("base-config.y", "**/b.y")), "**/b.yaml does not"),
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


def test_lists_may_stand_on_lines_of_their_own_and_name_several_files(repository: Path) -> None:
    rewrite("maubot.yaml", META.replace("[thing, thing_plugin]", "\n  - thing\n- thing_plugin"))(
        repository
    )
    shown = "extra_files:\n  # said beside them\n\n  - base-config.yaml\n  - more/*.yaml"
    text = (repository / "maubot.yaml").read_text()
    rewrite("maubot.yaml", text.replace("extra_files: [base-config.yaml]", shown))(repository)
    for name in ("a.yaml", "b.yaml", "c.txt"):
        (repository / "more").mkdir(exist_ok=True)
        (repository / "more" / name).write_text("key: 1\n")
    with zipfile.ZipFile(mbp.pack(repository, repository / "dist")) as archive:
        names = archive.namelist()
    assert {"thing_plugin.py", "more/a.yaml", "more/b.yaml"} <= set(names)
    assert "more/c.txt" not in names


def test_what_it_reads_of_maubot_yaml_is_what_maubot_reads() -> None:
    text = (mbp.ROOT / "maubot.yaml").read_text()
    theirs = YAML(typ="safe").load(text)
    assert mbp._parsed(text) == {
        key: str(value).lower() if isinstance(value, bool) else value
        for key, value in theirs.items()
    }


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mbp.pack(mbp.ROOT, tmp_path_factory.mktemp("package"))


def test_the_package_of_this_repository_is_small_enough_for_any_proxy(package: Path) -> None:
    assert package.stat().st_size < 700_000, "nginx takes 1 MiB without being told"


def test_mbc_build_packs_the_same_sources(package: Path, tmp_path: Path) -> None:
    mbc = [sys.executable, "-m", "maubot.cli", "build", str(mbp.ROOT), "-o", str(tmp_path / "x")]
    subprocess.run(mbc, check=True, cwd=tmp_path)
    ours, theirs = contents(package), contents(tmp_path / "x")
    assert YAML(typ="safe").load(theirs.pop("maubot.yaml"))["version"]
    del ours["maubot.yaml"]  # it writes that one anew
    assert theirs == ours


def contents(package: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(package) as archive:
        names = [name for name in archive.namelist() if "__pycache__" not in name]
        return {name: archive.read(name) for name in names}


def test_it_is_built_with_nothing_but_python(tmp_path: Path) -> None:
    """With a Python that has no package at all."""
    rubbish = shutil.ignore_patterns("__pycache__")
    for name in ("lab", "plugin", "docs/examples"):
        shutil.copytree(mbp.ROOT / name, tmp_path / name, ignore=rubbish)
    for name in ("build.sh", "maubot.yaml", "base-config.yaml", "__main__.py", "pyproject.toml"):
        shutil.copy(mbp.ROOT / name, tmp_path / name)
    python = tmp_path / "bin" / "python3"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    python.chmod(0o755)
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    built = [str(tmp_path / "build.sh")]
    subprocess.run(built, check=True, env={"PATH": path})
    [package] = (tmp_path / "dist").glob("*.mbp")
    checked = ["sha256sum", "-c", f"{package.name}.sha256"]
    subprocess.run(checked, check=True, cwd=package.parent)


def test_the_package_runs_as_a_file(package: Path) -> None:
    policy = str(mbp.ROOT / "docs" / "examples" / "alone.yaml")
    ran = run(sys.executable, str(package), "check", policy)
    assert "valid" in ran.stdout
    shown = run(sys.executable, str(package), "setup", "--example", "alone")
    assert shown.stdout == Path(policy).read_text(encoding="utf-8")
    cut = run("sh", "-c", f"{sys.executable} {package} check {policy} | true")
    assert (cut.returncode, cut.stderr) == (0, "")
    bare = run(sys.executable, "-S", str(package), "check", policy)
    assert bare.returncode == 2
    assert "is not installed here: use the Python that maubot is installed in" in bare.stderr


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
