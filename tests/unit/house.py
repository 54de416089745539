"""Reads the plugin's source for test_house: modules, what they define, name, import and write.

Nothing is imported or run; a name is traced as far as its text tells. A module's own names are
traced exactly (its scope, `from … import`, `module.name`). A member of a class (method, constant)
counts as named wherever an attribute of that name is read, one that begins with "_" only in its
own module: a dead method may hide behind a namesake, but nothing that is named here is alive.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

from attrs import field, frozen

PLUGIN = Path(__file__).parents[2] / "plugin"
HOOKS = frozenset(
    {
        "Sluice",
        "do_update",
        "get_config_class",
        "get_db_upgrade_table",
        "load_and_update",
        "on_external_config_update",
        "pre_start",
        "pre_stop",
        "upgrade",
    }
)
"""What maubot and mautrix call by its name."""
Modules = dict[str, "Module"]
Function = (ast.FunctionDef, ast.AsyncFunctionDef)
Definition = (*Function, ast.ClassDef)


@frozen
class Module:
    """One file. name: "sluice.matrix.api"; stem: "api"."""

    name: str
    tree: ast.Module = field(repr=False)

    @property
    def stem(self) -> str:
        return self.name.rpartition(".")[2]

    def walk(self, *kinds: type[ast.AST]) -> Iterator[ast.AST]:
        return (node for node in ast.walk(self.tree) if isinstance(node, kinds))

    def imports(self) -> Iterator[tuple[str, str, str]]:
        """(module, name in it or "", name here) of each import, in functions too."""
        package = self.name.rpartition(".")[0]
        for node in self.walk(ast.Import, ast.ImportFrom):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield alias.name, "", alias.asname or alias.name
            elif isinstance(node, ast.ImportFrom):
                above = package.split(".")
                above = above[: len(above) - node.level + 1] if node.level else []
                base = ".".join([*above, *([node.module] if node.module else [])])
                for alias in node.names:
                    yield base, alias.name, alias.asname or alias.name


def read(root: Path = PLUGIN) -> Modules:
    """All modules by their names."""
    found = {}
    for path in sorted(root.rglob("*.py")):
        name = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        found[name] = Module(name, ast.parse(path.read_text(encoding="utf-8")))
    return found


# --- how long, and of which types


def functions(modules: Modules) -> Iterator[tuple[str, int]]:
    """("stem.name", lines) of each function; its docstring does not count."""
    for module in modules.values():
        for node in module.walk(*Function):
            assert isinstance(node, Function)
            yield f"{module.stem}.{node.name}", _lines(node) - _docstring(node)


def _lines(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _docstring(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return _lines(node.body[0]) if ast.get_docstring(node, clean=False) is not None else 0


def any_types(module: Module) -> list[str]:
    """The lines in which it says `Any`, once for each."""
    return [
        f"{module.name}:{node.lineno}"
        for node in module.walk(ast.Name)
        if isinstance(node, ast.Name) and node.id == "Any"
    ]


def classes(modules: Modules) -> list[str]:
    """The name of each class, as often as there is one."""
    return [
        node.name
        for module in modules.values()
        for node in module.walk(ast.ClassDef)
        if isinstance(node, ast.ClassDef)
    ]


def sql(module: Module) -> list[str]:
    """The lines with SQL, docstrings apart."""
    texts = {id(node.value) for node in module.walk(ast.Expr) if isinstance(node, ast.Expr)}
    return [
        f"{module.name}:{node.lineno}"
        for node in module.walk(ast.Constant)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in texts
        and _SQL.search(node.value)
    ]


_SQL = re.compile(r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE|WHERE|PRAGMA)\b ")


# --- who writes to whom, who imports whom


def written(module: Module) -> list[str]:
    """Where an attribute is set on another object: `x.attr = …`."""
    return [
        f"{module.name}:{node.lineno} {ast.unparse(node)}"
        for node in module.walk(ast.Attribute)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, (ast.Store, ast.Del))
        and ast.unparse(node.value) not in ("self", "cls")
    ]


def circles(modules: Modules) -> set[frozenset[str]]:
    """The modules that import one another, also through others (Tarjan)."""
    ties = {m.name: {t for t in _imported(m, modules) if t != m.name} for m in modules.values()}
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = set()

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for tie in ties[name]:
            if tie not in index:
                visit(tie)
            if tie in stack:
                low[name] = min(low[name], low[tie])
        if low[name] == index[name]:
            at = stack.index(name)
            if len(circle := frozenset(stack[at:])) > 1:
                found.add(circle)
            del stack[at:]

    for name in ties:
        if name not in index:
            visit(name)
    return found


def folder(module: str) -> str:
    """The part of a module's name that says on which floor it stands: "matrix" of
    "sluice.matrix.api", "app" of "sluice.app"."""
    return module.split(".")[1] if "." in module else module


def upward(modules: Modules, floors: Sequence[str]) -> set[tuple[str, str]]:
    """(module, what it imports from a floor above its own). floors: from the ground up, those of
    one floor in one text, with spaces between them."""
    height = {name: at for at, floor in enumerate(floors) for name in floor.split()}
    return {
        (name, other)
        for name, module in modules.items()
        for other in _imported(module, modules)
        if name.count(".") and height[folder(other)] > height[folder(name)]
    }


def _imported(module: Module, modules: Modules) -> set[str]:
    pairs = ((f"{base}.{name}", base) for base, name, _ in module.imports())
    return {inner if inner in modules else base for inner, base in pairs} & set(modules)


# --- what nothing names


@frozen
class Thing:
    """What is defined: a module's own (owner None) or a member of the class `owner`."""

    module: str
    name: str
    owner: str | None
    node: ast.stmt = field(eq=False, repr=False)

    def __str__(self) -> str:
        inner = f"{self.owner}.{self.name}" if self.owner else self.name
        return f"{self.module.rpartition('.')[2]}.{inner}"


class Names:
    """What is alive: what runs when the modules are imported, and all that living code names."""

    def __init__(self, modules: Modules, hooks: frozenset[str] = HOOKS) -> None:
        self._modules, self._hooks = modules, hooks
        self._things = [t for m in modules.values() for t in _defined(m)]
        self._own = {(t.module, t.name): t for t in self._things if t.owner is None}
        self._members: dict[str, list[Thing]] = {}
        for thing in self._things:
            if thing.owner is not None:
                self._members.setdefault(thing.name, []).append(thing)
        self._here = {
            m.name: {here: (base, name) for base, name, here in m.imports()}
            for m in modules.values()
        }

    @cached_property
    def dead(self) -> set[str]:
        alive: set[Thing] = set()
        todo = [t for m in self._modules.values() for t in self._at_import(m)]
        todo += [t for t in self._things if t.name in self._hooks]
        while todo:
            thing = todo.pop()
            if thing not in alive:
                alive.add(thing)
                todo += self._named_by(thing)
        return {str(thing) for thing in self._things if thing not in alive}

    def _at_import(self, module: Module) -> Iterator[Thing]:
        """What the statements of a module name that define nothing (`if __name__ …`, calls)."""
        for node in module.tree.body:
            if not isinstance(node, Definition) and not _constants(node):
                yield from self._named_in(module, node)

    def _named_by(self, thing: Thing) -> Iterator[Thing]:
        module = self._modules[thing.module]
        if not isinstance(thing.node, ast.ClassDef):
            yield from self._named_in(module, thing.node)
            return
        for outer in (*thing.node.decorator_list, *thing.node.bases):
            yield from self._named_in(module, outer)
        for node in thing.node.body:
            if not list(_member(module, thing.node, node)):
                yield from self._named_in(module, node)

    def _named_in(self, module: Module, node: ast.AST) -> Iterator[Thing]:
        for each in ast.walk(node):
            if isinstance(each, ast.Name):
                yield from self._find(module.name, each.id)
            elif isinstance(each, ast.Attribute):
                yield from self._attribute(module, each)
            elif isinstance(each, ast.Constant) and isinstance(each.value, str):
                yield from self._text(module, each.value)

    def _find(self, module: str, name: str) -> Iterator[Thing]:
        """What the name means in this module, wherever it was imported from."""
        if (module, name) in self._own:
            yield self._own[module, name]
        elif name in self._here.get(module, {}):
            yield from self._find(*self._here[module][name])

    def _attribute(self, module: Module, node: ast.Attribute) -> Iterator[Thing]:
        if isinstance(node.value, ast.Name) and node.value.id in self._here[module.name]:
            of = ".".join(filter(None, self._here[module.name][node.value.id]))
            if of in self._modules:
                yield from self._find(of, node.attr)
                return
        for thing in self._members.get(node.attr, ()):
            if not node.attr.startswith("_") or thing.module == module.name:
                yield thing

    def _text(self, module: Module, text: str) -> Iterator[Thing]:
        """A type in quotes; and words in capitals, with which tables name constants."""
        yield from self._find(module.name, text)
        for word in filter(str.isupper, text.split()):
            yield from self._members.get(word, ())
            yield from (t for t in self._own.values() if t.name == word)


def _defined(module: Module) -> Iterator[Thing]:
    for node in module.tree.body:
        if isinstance(node, Definition):
            yield Thing(module.name, node.name, None, node)
        for name in _constants(node):
            yield Thing(module.name, name, None, node)
        if isinstance(node, ast.ClassDef):
            for inner in node.body:
                yield from _member(module, node, inner)


def _member(module: Module, owner: ast.ClassDef, node: ast.stmt) -> Iterator[Thing]:
    names = [node.name] if isinstance(node, Definition) else _constants(node)
    called = {ast.unparse(d).rpartition(".")[2] for d in getattr(node, "decorator_list", ())}
    if called & {"validator", "default"} or isinstance(node, ast.AnnAssign):
        return
    for name in names:
        if not (name.startswith("__") and name.endswith("__")):
            yield Thing(module.name, name, owner.name, node)


def _constants(node: ast.stmt) -> list[str]:
    """The names that a plain assignment makes."""
    if isinstance(node, ast.AnnAssign):
        targets: list[ast.expr] = [node.target] if node.value is not None else []
    else:
        targets = list(node.targets) if isinstance(node, ast.Assign) else []
    flat = [e for t in targets for e in (t.elts if isinstance(t, ast.Tuple) else [t])]
    return [e.id for e in flat if isinstance(e, ast.Name)]
