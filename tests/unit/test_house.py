"""The rules of the house: what is checked of the plugin's source, without running it.

1. What is defined is used by the plugin: nothing lives because a test calls it.
2. Nobody sets an attribute of another object: a part is whole when its constructor returns.
3. No two modules import one another, also not through others, in a function or for a type.
4. One name, one class.
5. `Any` stands only where something foreign comes in (maubot, mautrix, SQL, JSON).
6. A function fits on a page, and most are short.
7. Imports point down: no module imports from a floor above its own.
8. Nobody names a command that has a line, outside its record: others read its columns.
9. SQL stands in the stores, and nowhere else.
10. The picture of the floors in docs/how-it-works.md shows them, and the folders, as they are.

What breaks a rule today stands below and may only become less: a check also fails when something
stands here that keeps the rule by now. A module is named by the last part of its name, so that it
can be moved. How the source is read: house.py.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable, Mapping, Set
from pathlib import Path
from statistics import median

import pytest

from sluice.catalog.table import COMMANDS
from tests.unit import house

STORES = {
    "sluice.audit",
    "sluice.matrix.cursor",
    "sluice.matrix.outbox",
    "sluice.matrix.private_rooms",
    "sluice.matrix.sealed",
    "sluice.matrix.threads",
    "sluice.matrix.written",
    "sluice.passwords.store",
    "sluice.requests.history",
    "sluice.requests.holds",
    "sluice.requests.limits",
    "sluice.requests.store",
    "sluice.server.store",
    "sluice.setup.crypto_store",
}
LONGEST, MEDIAN = 40, 7  # lines of a function without its docstring

FLOORS = (  # from the ground up
    "supervise signals text",
    "model",
    "db",
    "audit matrix",
    "catalog",
    "typed",
    "families",
    "policy",
    "settings difference state view policy_text",
    "chat",
    "requests",
    "admin",
    "passwords",
    "server",
    "running",
    "looks",
    "own",
    "ops",
    "announcements rooms chats clock reload proof",
    "parts",
    "app",
    "bot setup",
    "offline",
    "__main__",
)

# 1: used by nothing in the plugin
UNUSED: set[str] = set()
# 2: how many attributes of others a module sets: of what maubot and sqlite3 made
WRITES = {
    "audit": 1,
    "connection": 1,
    "policy_text": 2,
}
# 3
CIRCLES: set[frozenset[str]] = set()
# 4: names that two classes have
TWINS: set[str] = set()
# 5: how often a module says Any
ANY = {
    "api": 2,
    "bot": 4,
    "codec": 3,
    "connection": 3,
    "desk": 1,
    "difference": 6,
    "document": 6,
    "policy_text": 2,
    "replies": 2,
    "rows": 2,
    "standalone": 1,
}
# 6: longer than LONGEST
LONG: set[str] = set()
# 7: (module, what it imports from above)
UPWARD: set[tuple[str, str]] = set()


# 8: words that are also keys of Matrix, YAML or the log, or what the server calls its answers
WORDS = {
    "blocked",
    "config",
    "event",
    "federation",
    "media",
    "memory",
    "registration",
    "rooms",
    "users",
}
NAMED: set[str] = set()


@pytest.fixture(scope="module")
def plugin() -> house.Modules:
    return house.read()


def test_what_is_defined_is_used(plugin: house.Modules) -> None:
    shrinks(house.Names(plugin).dead, UNUSED)


def test_nobody_sets_an_attribute_of_another_object(plugin: house.Modules) -> None:
    shrinks_each(places(plugin, house.written), WRITES)


def test_no_modules_import_one_another(plugin: house.Modules) -> None:
    circles = house.circles(plugin)
    shrinks({frozenset(plugin[name].stem for name in circle) for circle in circles}, CIRCLES)


def test_no_two_classes_have_one_name(plugin: house.Modules) -> None:
    shrinks({name for name, count in Counter(house.classes(plugin)).items() if count > 1}, TWINS)


def test_any_stands_only_at_the_edges(plugin: house.Modules) -> None:
    shrinks_each(places(plugin, house.any_types), ANY)


def test_a_function_fits_on_a_page(plugin: house.Modules) -> None:
    lengths = list(house.functions(plugin))
    shrinks({name for name, lines in lengths if lines > LONGEST}, LONG)
    assert median(lines for _, lines in lengths) <= MEDIAN


def test_imports_point_down(plugin: house.Modules) -> None:
    found = house.upward(plugin, FLOORS)
    shrinks({tuple(name.removeprefix("sluice.") for name in pair) for pair in found}, UPWARD)


def test_sql_stands_in_the_stores(plugin: house.Modules) -> None:
    others = [m for m in plugin.values() if not m.name.startswith("sluice.db.")]
    shrinks({module.name for module in others if house.sql(module)}, STORES)


def test_nobody_names_a_command(plugin: house.Modules) -> None:
    names = {name for name, command in COMMANDS.items() if not command.own} - WORDS
    found = {
        f"{module.stem} {node.value}"
        for module in plugin.values()
        if not module.name.startswith("sluice.catalog.")
        for node in module.walk(ast.Constant)
        if isinstance(node, ast.Constant) and node.value in names
    }
    shrinks(found, NAMED)


def test_the_picture_shows_the_floors_and_the_folders_as_they_are() -> None:
    """Each of them once, from the top down, with a line on what it alone decides."""
    page = (house.PLUGIN.parent / "docs" / "how-it-works.md").read_text(encoding="utf-8")
    picture = page.partition("## The floors")[2].split("```")[1].strip("\n").split("\n")
    shown: list[list[str]] = []
    for row in picture:
        found = re.fullmatch(r"(\d+ +| {4})(\w+(?:/|\.py)) +\S.{9,79}", row)
        assert found, row
        if number := found[1].strip():
            shown.append([])
            assert int(number) == len(FLOORS) + 1 - len(shown), row
        shown[-1].append(found[2])
    there = (house.PLUGIN / "sluice").iterdir()
    names = {f"{path.name}/" if path.is_dir() else path.name for path in there}
    assert {name for floor in shown for name in floor} == names - {"__init__.py", "__pycache__/"}
    known = [sorted(floor.split()) for floor in reversed(FLOORS)]
    assert [sorted(re.split(r"[/.]", name)[0] for name in floor) for floor in shown] == known


# --- lists that may only become shorter


def shrinks(found: Set[object], known: Set[object]) -> None:
    assert not found - known, f"breaks the rule: {found - known}"
    assert not known - found, f"no longer needed in the list above: {known - found}"


def shrinks_each(found: Mapping[str, list[str]], known: Mapping[str, int]) -> None:
    for module in sorted({*found, *known}):
        here, allowed = found.get(module, []), known.get(module, 0)
        assert len(here) <= allowed, "\n".join([f"{module}: at most {allowed}", *here])
        assert len(here) == allowed, f"write {len(here)}, not {allowed}, for {module}"


def places(
    plugin: house.Modules, find: Callable[[house.Module], list[str]]
) -> dict[str, list[str]]:
    """What is found in each module that has some; modules with one last name are one."""
    found: dict[str, list[str]] = {}
    for module in plugin.values():
        if here := find(module):
            found.setdefault(module.stem, []).extend(here)
    return found


# --- the checks see what they are for


def toy(folder: Path, **files: str) -> house.Modules:
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return house.read(folder)


def test_dead_is_what_only_the_dead_name(tmp_path: Path) -> None:
    modules = toy(
        tmp_path,
        a="def used(): used\ndef dead(): dying()\ndef dying(): dead()\nLEFT = 1\n",
        b="from a import used as mine\nimport a\n\n\nclass Part:\n"
        "    def seen(self): ...\n    def unseen(self): ...\n    def __len__(self): mine()\n\n\n"
        "if __name__ == '__main__':\n    Part().seen()\n",
    )
    assert house.Names(modules).dead == {"a.dead", "a.dying", "a.LEFT", "b.Part.unseen"}


def test_a_circle_goes_through_others_and_through_functions(tmp_path: Path) -> None:
    modules = toy(tmp_path, a="import b", b="def f():\n    import c", c="import a", d="import a")
    assert house.circles(modules) == {frozenset("abc")}


def test_sql_is_found_in_what_is_no_docstring(tmp_path: Path) -> None:
    text = '"""SELECT nothing."""\nQUERY = f"SELECT {1} FROM x"\nSAID = "Select one"\n'
    assert house.sql(toy(tmp_path, a=text)["a"]) == ["a:2"]


def test_own_attributes_are_not_anothers(tmp_path: Path) -> None:
    modules = toy(tmp_path, a="self.x = 1\nself.y.z = 2\nx.y += 3\nx.y()\nx[1] = x.y\ndel x.y\n")
    assert house.written(modules["a"]) == ["a:2 self.y.z", "a:3 x.y", "a:6 x.y"]
