"""What the book reaches of all that the bot can say.

A function makes text if it stands in `sluice.chat` or `sluice.text`, if it says that it returns a
Message, a Text or a part of one, or if it builds a refusal or a question. When `watch` was called
before `sluice` is imported, these functions are compiled with a mark at each place where they can
part: after a branch, and in both sides of `a if b else c`, which no tool that counts lines sees.
The marks cost next to nothing, so the test that plays the book knows what it has not reached.
A function that `says` gives its words is never run itself: its mark stands around what is made.
"""

from __future__ import annotations

import ast
import builtins
import re
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any

from attrs import frozen

SLUICE = Path(__file__).parents[2] / "plugin" / "sluice"
_RETURNS = re.compile(r"\b(Message|Text|Word|View|NotRun|AskFirst|Missing|Refusal)\b")
_BUILDS = {"NotRun", "AskFirst", "Missing", "Refusal"}
_MARK, _AROUND = "__reached__", "__reached_by_call__"


@frozen(order=True)
class Place:
    """A piece of a function that makes text. begins: the function itself."""

    file: str
    line: int
    column: int
    function: str
    begins: bool
    source: str


PLACES: list[Place] = []
_ran: bytearray = bytearray()


def taken() -> set[int]:
    """What was run since this was last asked."""
    numbers = {number for number, ran in enumerate(_ran) if ran}
    _ran[:] = bytes(len(_ran))
    return numbers


def unreached(reached: set[int]) -> list[Place]:
    """The others, of the modules that were imported; in order."""
    return sorted(place for number, place in enumerate(PLACES) if number not in reached)


def report() -> list[str]:
    """A line for each: the functions first, then what stands in reached ones."""
    left = unreached(taken())
    whole = [p for p in left if p.begins]
    dark = {(p.file, p.function) for p in whole}
    parts = [p for p in left if (p.file, p.function) not in dark]
    share = 100 - 100 * len(left) / max(len(PLACES), 1)
    return [
        f"{len(whole)} functions that no scene reaches:",
        *(f"  {p.file}:{p.line} {p.function}" for p in whole),
        f"{len(parts)} places in the others:",
        *(f"  {p.file}:{p.line} {p.function}: {p.source}" for p in parts),
        f"{share:.1f} % of {len(PLACES)} places are reached.",
    ]


def watch() -> None:
    """To be called before `sluice` is imported; again it does nothing."""
    if hasattr(builtins, _MARK):
        return
    if any(name.startswith("sluice.chat") for name in sys.modules):
        raise RuntimeError("sluice is imported already; its functions have no marks")
    setattr(builtins, _MARK, _reached)
    setattr(builtins, _AROUND, _around)
    sys.meta_path.insert(0, _Finder())


def _reached(number: int, value: Any = None) -> Any:
    _ran[number] = 1
    return value


def _around(number: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def made(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def marked(*args: Any, **more: Any) -> Any:
            _ran[number] = 1
            return function(*args, **more)

        return marked

    return made


class _Finder(MetaPathFinder):
    def find_spec(
        self, name: str, path: Sequence[str] | None, target: Any = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path) if name.startswith("sluice.") else None
        if spec is None or spec.origin is None or SLUICE not in Path(spec.origin).parents:
            return None
        spec.loader = _Loader(name, spec.origin)
        return spec


class _Loader(SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:
        """Never from a cache, nor into one: there stands the code without marks."""
        source = self.get_data(self.path)
        tree = _Marks(Path(self.path), source.decode()).visit(ast.parse(source))
        return compile(ast.fix_missing_locations(tree), self.path, "exec", dont_inherit=True)


class _Marks(ast.NodeTransformer):
    def __init__(self, path: Path, source: str) -> None:
        self._file = str(path.relative_to(SLUICE))
        self._chat = path.parent.name in ("chat", "text")
        self._lines, self._inside = source.splitlines(), [""]

    def _number(self, node: ast.expr | ast.stmt, begins: bool = False) -> ast.Constant:
        line = self._lines[node.lineno - 1]
        end = node.end_col_offset if node.lineno == node.end_lineno else None
        source = line.encode()[node.col_offset : end].decode()
        where = (self._file, node.lineno, node.col_offset, self._inside[-1])
        PLACES.append(Place(*where, begins, source))
        _ran.append(0)
        return ast.Constant(len(PLACES) - 1)

    def _call(self, *args: ast.expr) -> ast.Call:
        return ast.Call(ast.Name(_MARK, ast.Load()), list(args), [])

    # --- functions

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._function(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        if not (self._chat or _makes_text(node)):
            self._inside.append("")
            self.generic_visit(node)
            self._inside.pop()
            return node
        self._inside.append(node.name)
        if all(isinstance(e, ast.Expr) and isinstance(e.value, ast.Constant) for e in node.body):
            return self._declared(node)
        first = self._call(self._number(node, begins=True))
        node.body = [ast.copy_location(ast.Expr(first), node), *self._block(node.body)]
        self._inside.pop()
        return node

    def _declared(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        """Only words, made into a function by what stands above it."""
        if node.decorator_list:
            number = self._number(node, begins=True)
            around = ast.Call(ast.Name(_AROUND, ast.Load()), [number], [])
            node.decorator_list.insert(0, ast.copy_location(around, node))
        self._inside.pop()
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        if self._chat and not self._inside[-1]:
            self._inside.append("lambda")
            node.body = self._marked(node.body)
            self._inside.pop()
        else:
            self.generic_visit(node)
        return node

    # --- where they part

    def _block(self, body: list[ast.stmt]) -> list[ast.stmt]:
        marked: list[ast.stmt] = []
        parts = True
        for each in body:
            docstring = isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant)
            if parts and not docstring:
                call = ast.Expr(self._call(self._number(each)))
                marked.append(ast.copy_location(call, each))
            parts = hasattr(each, "body") or docstring
            marked.append(self.visit(each))
        return marked

    def generic_visit(self, node: ast.AST) -> ast.AST:
        if self._inside[-1] and isinstance(node, (ast.stmt, ast.ExceptHandler)):
            for name in ("body", "orelse", "finalbody"):
                if isinstance(inner := getattr(node, name, None), list) and inner:
                    setattr(node, name, self._block(inner))
            for name, value in ast.iter_fields(node):
                if name not in ("body", "orelse", "finalbody"):
                    self._field(node, name, value)
            return node
        return super().generic_visit(node)

    def _field(self, node: ast.AST, name: str, value: Any) -> None:
        if isinstance(value, list):
            setattr(node, name, [self.visit(e) if isinstance(e, ast.AST) else e for e in value])
        elif isinstance(value, ast.AST):
            setattr(node, name, self.visit(value))

    def _marked(self, node: ast.expr) -> ast.expr:
        call = self._call(self._number(node), self.visit(node))
        return ast.copy_location(call, node)

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        if not self._inside[-1]:
            return self.generic_visit(node)
        node.test = self.visit(node.test)
        node.body, node.orelse = self._marked(node.body), self._marked(node.orelse)
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        if not self._inside[-1]:
            return self.generic_visit(node)
        first, *others = node.values
        node.values = [self.visit(first), *map(self._marked, others)]
        return node


def _makes_text(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    if node.returns is not None and _RETURNS.search(ast.unparse(node.returns)):
        return True
    calls = (each.func for each in ast.walk(node) if isinstance(each, ast.Call))
    return any(isinstance(func, ast.Name) and func.id in _BUILDS for func in calls)
