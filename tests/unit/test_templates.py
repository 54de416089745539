"""A line of a message is a template: what fills it is not read, and each gets what it names."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.text.message import Text, code, plain, quote
from sluice.text.phrases import Here, line, not_run
from sluice.text.saying import NEEDS_HERE, says
from sluice.text.template import Template
from sluice.text.times import Clock
from tests.unit import house

BEFORE = {"line": 0, "say": 1, "alarm": 1, "view": 0, "news": 0, "ask": 0, "not_run": 0}
"""What makes a message, and how many of its arguments stand before the lines."""
OTHERS = {"here", "to", "push", "text"}  # what is given by name and is no value
LOOSE = {
    "help": 3,
    "lists": 6,
    "log": 1,
    "rights": 1,
}
"""How many lines a module puts together instead. May only become less."""


# --- what a template says


def test_a_template_is_filled_and_what_fills_it_is_not_read() -> None:
    said = line("{who}, `{mxid}` has {n} {x}.", who="bo", mxid="{n}`", n=3, x=quote("{who} `b`"))
    assert said == ("bo", ", ", code("{n}`"), " has ", "3", " ", quote("{who} `b`"), ".")


def test_a_command_has_the_prefix_of_this_server() -> None:
    here = Here("example.org", Clock(0), prefix=";")
    said = line("Look: `!users {name}` · `!a`, in `{room}`", here, name="al", room="!r:x")
    assert plain(said) == "Look: ;users al · ;a, in !r:x"


def test_a_line_in_a_line() -> None:
    assert line("a {b} c{d}", b=("x", code("y")), d=()) == ("a ", "x", code("y"), " c")


def test_a_value_is_written_as_its_format_says() -> None:
    here = Here("example.org", Clock(0))
    said = line(
        "{a:person} {a:local} {b:people} {b:is/are} {n:count entry/entries} {n:,} {t:at} "
        "{q:quote}",
        here,
        a="@a:example.org",
        b=["bo", "cy"],
        n=1000,
        t=60.0,
        q="x`",
    )
    assert plain(said) == "@a:example.org a bo or cy are 1,000 entries 1,000 00:01 UTC “x`”"
    with pytest.raises(ValueError, match="no such format"):
        Template("{a:per}")


def test_a_hole_without_a_value_is_better_than_no_message() -> None:
    assert line("{a:at} `{b}`") == ("{a}", " ", code("{b}"))


@says("""❗ `{mxid}` has {n:count entry/entries}
  since {since:at}.
`!users {mxid:local}`, {here.bot}{none}
{none}""")
def example(here: Here, mxid: str, n: int, since: float = 60.0, none: Text = ()) -> None:
    """It has a docstring."""


def test_a_function_says_its_text_and_pushes_the_owners() -> None:
    said = example(Here("x", Clock(0), bot="@b:x", owners=("@o:x", "@p:x")), "@a:x", n=2)
    assert said.body == "❗ @a:x has 2 entries since 00:01 UTC.\n!users a, @b:x"
    assert said.push == ("@o:x", "@p:x")
    assert said.text
    assert example.__doc__ == "It has a docstring."


def test_who_is_pushed() -> None:
    @says("⛔ No.")
    def refused(to: str | None = None) -> None: ...

    @says("❗ Yes.")
    def alarmed(here: Here, push: Sequence[str]) -> None: ...

    assert (refused().push, refused().text) == ((), False)
    assert (refused("@a:x").push, refused("@a:x").text) == (("@a:x",), True)
    assert alarmed(Here("x", Clock(0), owners=("@o:x",)), ["@a:x", "@a:x"]).push == ("@a:x",)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{n:over} {name}", "does not fit <class 'int'>"),
        ("{n} {name:people}", "does not fit <class 'str'>"),
        ("{n} {name} {other}", "does not fit None"),
        ("{n} {name.first}", "does not fit None"),
        ("{n}", "does not say {'name'}"),
        ("{n} {name} `!help`", "wants a parameter here"),
        ("{n} {name:local}", "wants a parameter here"),
    ],
)
def test_a_text_that_does_not_fit_its_function_does_not_import(text: str, problem: str) -> None:
    def declared(n: int, name: str) -> None: ...

    with pytest.raises(ValueError, match=problem):
        says(f"🔔 {text}")(declared)


@pytest.mark.parametrize("text", ["{", "a}b", "`", "`a` `", "{A}", "{a b}", "{}", "`{`", "{{a}}"])
def test_what_cannot_be_read_is_refused_when_it_is_made_and_said_as_it_is(text: str) -> None:
    with pytest.raises(ValueError, match="without its counterpart"):
        Template(text)
    assert line(text) == (text,)


@given(st.text(), st.text())
def test_a_value_is_said_as_it_is_whatever_it_holds(word: str, mxid: str) -> None:
    shown = code(mxid)
    assert line("{word} and `{mxid}`.", word=word, mxid=mxid) == (word, " and ", shown, ".")


def test_all_lines_of_a_message_share_the_values() -> None:
    assert (
        not_run("No `{x}`.", (code("{x}"), " {x}"), "{x}!", x="y").body == "⛔ No y.\n{x} {x}\ny!"
    )


# --- the calls


def speaking(module: house.Module) -> Iterator[tuple[str, ast.Call]]:
    """(what is called, the call) of each call that makes a message or a line of one."""
    named = {
        here: name
        for source, name, here in module.imports()
        if source == "sluice.text.phrases" and name in BEFORE
    }
    for call in module.walk(ast.Call):
        assert isinstance(call, ast.Call)
        if isinstance(call.func, ast.Name) and call.func.id in named:
            yield named[call.func.id], call


def written(argument: ast.expr) -> Iterator[ast.expr]:
    """The strings in an argument that are lines by themselves."""
    own = isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    if own or isinstance(argument, (ast.JoinedStr, ast.BinOp)):
        yield argument
    elif isinstance(argument, ast.IfExp):
        yield from (*written(argument.body), *written(argument.orelse))
    elif isinstance(argument, ast.Starred):
        yield from starred(argument.value)


def starred(value: ast.expr) -> Iterator[ast.expr]:
    if isinstance(value, (ast.List, ast.Tuple)):
        yield from (each for element in value.elts for each in written(element))
    elif isinstance(value, ast.IfExp):
        yield from (*starred(value.body), *starred(value.orelse))


def lines(name: str, call: ast.Call) -> list[ast.expr]:
    arguments = call.args[BEFORE[name] :]
    arguments = arguments[:1] if name == "line" else arguments
    return [each for argument in arguments for each in written(argument)]


def has_more(call: ast.Call) -> bool:
    """Whether lines come from a table, so that what they name is not seen here."""
    stars = [each.value for each in call.args if isinstance(each, ast.Starred)]
    parts = [part for each in stars for part in (each, getattr(each, "body", None))]
    return any(isinstance(part, ast.Name) for part in parts)


def wrong(name: str, call: ast.Call) -> str:
    """What does not fit in a call, or ""."""
    said = [Template(each.value) for each in lines(name, call) if isinstance(each, ast.Constant)]
    wanted = {one for template in said for one in template.names}
    given = {keyword.arg for keyword in call.keywords if keyword.arg} - OTHERS
    has_here = any(keyword.arg == "here" for keyword in call.keywords) or (
        name == "line" and len(call.args) == 2
    )
    forms = {hole.form for each in said for hole in each.holes}
    if not has_here and (forms & NEEDS_HERE or any("`!" in each.text for each in said)):
        return "names a command or a time and is given no here"
    if any("." in hole.name for each in said for hole in each.holes):
        return "names a field, which only says() checks"
    if given - wanted and not has_more(call):
        return f"is given {given - wanted} and does not name it"
    if wanted - given and all(keyword.arg for keyword in call.keywords):
        return f"names {wanted - given} and is not given it"
    return ""


@pytest.fixture(scope="module")
def plugin() -> house.Modules:
    return house.read()


def test_every_line_gets_the_values_it_names(plugin: house.Modules) -> None:
    found = {
        f"{module.name}:{call.lineno}": problem
        for module in plugin.values()
        for name, call in speaking(module)
        if (problem := wrong(name, call))
    }
    assert not found


def test_a_line_is_written_down_and_not_put_together(plugin: house.Modules) -> None:
    found: Counter[str] = Counter()
    for module in plugin.values():
        for name, call in speaking(module):
            for each in lines(name, call):
                if not isinstance(each, ast.Constant):
                    found[module.stem] += 1
    assert found == LOOSE


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("not_run('{a} `!b {c}`', 'd' if e else '{f}', here=h, a=1, c=2, f=3, to=4)", ""),
        ("alarm('{push}', '{a}', *['{b}'], a=1, b=2)", ""),
        ("line('`!a`', here)", ""),
        ("line('{a}', **values)", ""),
        ("line('`!a`')", "names a command or a time and is given no here"),
        ("line('{a:at}', a=1)", "names a command or a time and is given no here"),
        ("view('{a.b}', a=1)", "names a field, which only says() checks"),
        ("view('{a}')", "names {'a'} and is not given it"),
        ("view('a', a=1)", "is given {'a'} and does not name it"),
    ],
)
def test_the_check_sees_what_it_is_for(source: str, problem: str) -> None:
    call = ast.parse(source, mode="eval").body
    assert isinstance(call, ast.Call)
    assert isinstance(call.func, ast.Name)
    assert wrong(call.func.id, call) == problem
