"""Packs the plugin: `python -m lab.mbp` writes dist/sluice-VERSION.mbp, the same bytes every time.

`mbc build` always exits with 0, also where a module is missing or cannot be parsed, and packs
every file that lies about. This checks what maubot would stumble over, and takes only what runs.
"""

from __future__ import annotations

import ast
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError

ROOT = Path(__file__).resolve().parent.parent
OLDEST_PYTHON = (3, 10)
A_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file can say
KEYS = {
    "maubot",
    "id",
    "version",
    "license",
    "modules",
    "main_class",
    "extra_files",
    "config",
    "database",
    "database_type",
    "webapp",
}


class Broken(Exception):
    """The plugin cannot be packed; one problem a line."""


@dataclass(frozen=True)
class Plugin:
    """What maubot.yaml says, checked."""

    id: str
    version: str
    modules: tuple[str, ...]
    main_class: str
    extra_files: tuple[str, ...]


def stage(root: Path, target: Path) -> Plugin:
    """Copies what runs into an empty folder and checks it there. Raises Broken."""
    plugin = _read_meta(root)
    for module in plugin.modules:
        source = root / "plugin" / module
        if source.is_dir():
            for file in _sources(source):
                _copy(file, target / file.relative_to(root / "plugin"))
        elif source.with_suffix(".py").is_file():
            _copy(source.with_suffix(".py"), target / f"{module}.py")
        else:
            raise Broken(f"maubot.yaml: module {module} is not in plugin/")
    for name in plugin.extra_files:
        if not (root / name).is_file():
            raise Broken(f"maubot.yaml: extra file {name} does not exist")
        _copy(root / name, target / name)
    _copy(root / "maubot.yaml", target / "maubot.yaml")
    problems = [*_problems(plugin, target), *_yaml_problems(plugin, root)]
    if problems:
        raise Broken("\n".join(problems))
    return plugin


def pack(root: Path, folder: Path) -> Path:
    """Writes the .mbp into the folder. Raises Broken."""
    with tempfile.TemporaryDirectory() as name:
        staged = Path(name)
        plugin = stage(root, staged)
        folder.mkdir(parents=True, exist_ok=True)
        out = folder / f"sluice-{plugin.version}.mbp"
        files = sorted(file for file in staged.rglob("*") if file.is_file())
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
            for file in files:
                entry = zipfile.ZipInfo(file.relative_to(staged).as_posix(), A_TIME)
                entry.external_attr = 0o644 << 16
                entry.create_system = 3
                archive.writestr(entry, file.read_bytes())
        return out


def _read_meta(root: Path) -> Plugin:
    path = root / "maubot.yaml"
    data = _load(path)
    missing = [key for key in ("id", "version", "modules", "main_class") if not data.get(key)]
    unknown = sorted(set(data) - KEYS)
    if missing or unknown:
        wrong = [*(f"key {key} is missing" for key in missing)]
        wrong += [f"key {key} is unknown" for key in unknown]
        raise Broken("\n".join(f"maubot.yaml: {problem}" for problem in wrong))
    version = str(data["version"])
    if not re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+|\.dev\d+)?", version):
        raise Broken(f"maubot.yaml: {version} is no version that maubot can parse")
    modules, extra = data["modules"], data.get("extra_files") or []
    if not isinstance(modules, list) or not isinstance(extra, list):
        raise Broken("maubot.yaml: modules and extra_files are lists")
    return Plugin(
        str(data["id"]),
        version,
        tuple(map(str, modules)),
        str(data["main_class"]),
        tuple(map(str, extra)),
    )


def _load(path: Path) -> dict[str, Any]:
    try:
        data = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (OSError, YAMLError) as error:
        raise Broken(f"{path.name}: {error}") from error
    if not isinstance(data, dict):
        raise Broken(f"{path.name}: is no mapping")
    return data


def _sources(package: Path) -> Iterator[Path]:
    """The Python files below a package; a file of another kind is somebody's mistake."""
    for path in sorted(package.rglob("*")):
        if path.is_dir() or "__pycache__" in path.parts:
            continue
        if path.suffix != ".py" or path.is_symlink():
            raise Broken(f"{path}: only Python files run in the plugin")
        yield path


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _problems(plugin: Plugin, staged: Path) -> Iterator[str]:
    for file in sorted(staged.rglob("*.py")):
        if file.parent != staged and not (file.parent / "__init__.py").exists():
            yield f"{file.parent.relative_to(staged)}: __init__.py is missing"
        name = file.relative_to(staged).as_posix()
        try:
            text = file.read_text(encoding="utf-8")
            tree = ast.parse(text, name, feature_version=OLDEST_PYTHON)
            compile(text, name, "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            yield f"{name}: {error}"
            continue
        yield from _missing_imports(tree, file, staged)
    yield from _main_class_problems(plugin, staged)


def _missing_imports(tree: ast.AST, file: Path, staged: Path) -> Iterator[str]:
    """Imports of the plugin's own modules, or of names in them, that are not there."""
    own = {path.name.removesuffix(".py") for path in staged.iterdir()}
    for node in ast.walk(tree):
        wanted: list[tuple[str, str]] = []  # (module, name in it or "")
        if isinstance(node, ast.Import):
            wanted = [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(file.relative_to(staged).parts[: -node.level]) if node.level else ""
            module = ".".join(part for part in (base, node.module or "") if part)
            wanted = [(module, alias.name) for alias in node.names]
        for module, name in wanted:
            if module.partition(".")[0] in own and not _there(staged, module, name):
                where = f"{file.relative_to(staged).as_posix()}:{node.lineno}"  # type: ignore[attr-defined]
                yield f"{where}: imports {module}{name and f'.{name}'}, which is not there"


def _there(staged: Path, module: str, name: str) -> bool:
    at = staged / module.replace(".", "/")
    if name and (_is_module(at / name) or name == "*"):
        return True
    if not _is_module(at):
        return False
    return not name or name in _names(at / "__init__.py" if at.is_dir() else at.with_suffix(".py"))


def _is_module(at: Path) -> bool:
    return at.with_suffix(".py").is_file() or (at / "__init__.py").is_file()


@cache
def _names(file: Path) -> frozenset[str]:
    """Every name that a module binds; a file that cannot be parsed is reported elsewhere."""
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except SyntaxError:
        return frozenset()
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    return frozenset(names)


def _main_class_problems(plugin: Plugin, staged: Path) -> Iterator[str]:
    """maubot looks for the name of the main class in the code of the last module."""
    module, _, name = plugin.main_class.rpartition("/")
    at = staged / (module or plugin.modules[-1]).replace(".", "/")
    file = at / "__init__.py" if at.is_dir() else at.with_suffix(".py")
    try:
        code = compile(file.read_text(encoding="utf-8"), str(file), "exec", dont_inherit=True)
    except (OSError, SyntaxError) as error:
        yield f"main class {plugin.main_class}: {error}"
        return
    if name not in code.co_names:
        yield f"main class {plugin.main_class}: {file.name} does not define or import {name}"


def _yaml_problems(plugin: Plugin, root: Path) -> Iterator[str]:
    if "base-config.yaml" not in plugin.extra_files:
        yield "maubot.yaml: extra_files lacks base-config.yaml"
    for name in plugin.extra_files:
        if name.endswith((".yaml", ".yml")):
            try:
                _load(root / name)
            except Broken as error:
                yield str(error)
    project = re.search(r'(?m)^version = "([^"]+)"$', (root / "pyproject.toml").read_text())
    if not project or project[1] != plugin.version:
        said = project[1] if project else "none"
        yield f"version {plugin.version} in maubot.yaml, {said} in pyproject.toml"


def main() -> int:
    try:
        out = pack(ROOT, ROOT / "dist")
    except Broken as error:
        print(f"build failed:\n{error}", file=sys.stderr)
        return 1
    print(f"{out.relative_to(ROOT)}: {out.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
