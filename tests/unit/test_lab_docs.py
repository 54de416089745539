"""The docs list the tests that do not run on a real Conduit, and they stay few."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
LIST = ROOT / "docs" / "tests.md"


def end_to_end() -> dict[str, str | None]:
    """file:name of every end-to-end test, with why it needs the double."""
    found: dict[str, str | None] = {}
    for path in sorted((ROOT / "tests" / "e2e").glob("test_*.py")):
        tree = ast.parse(path.read_text())
        whole = reason(next((n.value for n in tree.body if is_pytestmark(n)), None))
        for node in tree.body:
            functions = (ast.FunctionDef, ast.AsyncFunctionDef)
            if isinstance(node, functions) and node.name.startswith("test_"):
                marks = [reason(mark) for mark in node.decorator_list]
                why = next((mark for mark in marks if mark), whole)
                found[f"{path.stem}: {node.name.removeprefix('test_')}"] = why
    return found


def is_pytestmark(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id == "pytestmark"
    )


def reason(mark: ast.expr | None) -> str | None:
    if isinstance(mark, ast.List):
        return next((why for item in mark.elts if (why := reason(item))), None)
    if isinstance(mark, ast.Call) and ast.unparse(mark.func).endswith("double_only"):
        return str(ast.literal_eval(mark.args[0]))
    return None


def rows() -> list[str]:
    return [f"| {name.replace('_', ' ')} | {why} |" for name, why in end_to_end().items() if why]


def listed() -> tuple[str, list[str]]:
    """The page up to the list, and the list."""
    text, head, rest = LIST.read_text().partition("| test | why |\n|---|---|\n")
    return text + head, rest.splitlines()


def test_the_docs_list_every_test_that_needs_the_double() -> None:
    assert listed()[1] == rows(), "`python -m tests.unit.test_lab_docs` brings it up to date"


def test_at_most_a_third_of_the_end_to_end_tests_need_the_double() -> None:
    tests = end_to_end()
    need = [name for name, why in tests.items() if why]
    assert len(need) * 3 <= len(tests), f"{len(need)} of {len(tests)}"


if __name__ == "__main__":
    LIST.write_text(listed()[0] + "\n".join(rows()) + "\n")
