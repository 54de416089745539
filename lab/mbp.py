"""Packs the plugin: `python -m lab.mbp` writes dist/sluice-VERSION.mbp, the same bytes every time,
and its checksum beside it. Standard library only; YAML is checked where ruamel.yaml is there.

`mbc build` in the root packs the same sources. But it exits with 0 also where a module is missing
or cannot be parsed, packs every file that lies about, and does not compress. This checks what
maubot would stumble over, and takes only what runs.
"""

from __future__ import annotations

import ast
import hashlib
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

try:
    from ruamel.yaml import YAML, YAMLError
except ImportError:  # it comes with maubot
    YAML = None

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


LISTS = {"modules", "extra_files"}
WORD = r"[\w./*-]+"
PAIR = re.compile(rf"(\w+):(?: +({WORD}|\[{WORD}(?:, *{WORD})*\]))? *")
ITEM = re.compile(rf" *- +({WORD}) *")


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
    for file in plugin.extra_files:
        _copy(root / file, target / file)
    _copy(root / "maubot.yaml", target / "maubot.yaml")
    problems = [*_problems(plugin, target), *_yaml_problems(plugin, root)]
    if problems:
        raise Broken("\n".join(problems))
    return plugin


def pack(root: Path, folder: Path) -> Path:
    """Writes the .mbp into the folder, and its checksum beside it. Raises Broken."""
    with tempfile.TemporaryDirectory() as name:
        staged = Path(name)
        plugin = stage(root, staged)
        folder.mkdir(parents=True, exist_ok=True)
        out = folder / f"sluice-{plugin.version}.mbp"
        files = sorted(file for file in staged.rglob("*") if file.is_file())
        with zipfile.ZipFile(out, "w") as archive:
            for file in files:
                entry = zipfile.ZipInfo(file.relative_to(staged).as_posix(), A_TIME)
                entry.external_attr = 0o644 << 16
                entry.create_system = 3
                archive.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED, 9)
        digest = hashlib.sha256(out.read_bytes()).hexdigest()
        Path(f"{out}.sha256").write_text(f"{digest}  {out.name}\n", encoding="utf-8")
        return out


def _read_meta(root: Path) -> Plugin:
    data = _parsed((root / "maubot.yaml").read_text(encoding="utf-8"))
    missing = [key for key in ("id", "version", "modules", "main_class") if not data.get(key)]
    unknown = sorted(set(data) - KEYS)
    if missing or unknown:
        wrong = [*(f"key {key} is missing" for key in missing)]
        wrong += [f"key {key} is unknown" for key in unknown]
        raise Broken("\n".join(f"maubot.yaml: {problem}" for problem in wrong))
    texts = {key: value for key, value in data.items() if isinstance(value, str)}
    lists = {key: tuple(value) for key, value in data.items() if isinstance(value, list)}
    if not LISTS & set(data) <= set(lists) or set(lists) - LISTS:
        raise Broken("maubot.yaml: modules and extra_files are lists, and nothing else is")
    if not re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+|\.dev\d+)?", texts["version"]):
        raise Broken(f"maubot.yaml: {texts['version']} is no version that maubot can parse")
    extra = tuple(_extra(root, lists.get("extra_files", ())))
    return Plugin(texts["id"], texts["version"], lists["modules"], texts["main_class"], extra)


def _extra(root: Path, patterns: tuple[str, ...]) -> Iterator[str]:
    """The files that maubot's `glob` finds; one that matches nothing is somebody's mistake."""
    for pattern in patterns:
        found = sorted(path for path in root.glob(pattern) if path.is_file())
        if not found or "**" in pattern:
            raise Broken(f"maubot.yaml: extra file {pattern} does not exist")
        yield from (path.relative_to(root).as_posix() for path in found)


def _parsed(text: str) -> dict[str, str | list[str]]:
    """The part of YAML that maubot.yaml needs: a key with a word, or with a list of words. Raises
    Broken at anything else, so nothing is read otherwise than maubot reads it."""
    data: dict[str, str | list[str]] = {}
    last = ""
    for number, line in enumerate(text.splitlines(), 1):
        pair, item = PAIR.fullmatch(line), ITEM.fullmatch(line)
        items = data.get(last)
        if pair and pair[1] not in data:
            last, value = pair[1], pair[2] or ""
            words = [word.strip() for word in value[1:-1].split(",")]
            data[last] = words if value[:1] == "[" else value or []
        elif item and isinstance(items, list):
            items.append(item[1])
        elif line.strip() and not line.lstrip().startswith("#"):
            raise Broken(f"maubot.yaml:{number}: only `key: word` and lists of words stand here")
    return data


def _yaml_error(path: Path) -> str | None:
    if YAML is None:
        print(f"{path.name} is not checked: ruamel.yaml is not here", file=sys.stderr)
        return None
    try:
        YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except YAMLError as error:
        return f"{path.name}: {error}"
    return None


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
            error = _yaml_error(root / name)
            if error:
                yield error
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
    print(f"{out.relative_to(ROOT)}: {out.stat().st_size:,} bytes, with its checksum beside it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
