"""What the docs name is there: files, headings, the code's parts, commands and options; and what
the bot, its log and its assistant are said to say."""

from __future__ import annotations

import ast
import importlib.resources
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import maubot
import pytest
from ruamel.yaml import YAML

from sluice.catalog.table import COMMANDS
from sluice.chat import help
from sluice.offline import main as sluice
from sluice.settings import load
from sluice.setup import policy_writer, units
from sluice.setup.rooms import People
from tests.unit.scenes import here

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md")), ROOT / "tests" / "golden" / "README.md"]
BELOW = (ROOT, ROOT / "plugin" / "sluice", ROOT / "tests", ROOT / "tests" / "unit")
LATER = re.compile(r"dist/|.*VERSION.*")  # made by a build, or stands for several
PATH = re.compile(r"(?:[\w.-]+/)*[\w-]+\.(?:py|sh|sql|jsonl)|(?:[\w.-]+/)*[a-z]\w+/")
NAME = re.compile(r"(?:([A-Z]\w+)\.)?(_?[A-Za-z]\w+)")


def code(page: Path) -> Iterator[str]:
    """The words between backticks, but not those of a block."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for words in re.findall(r"`([^`\n]+)`", text):
        yield from words.split()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}-{page.stem}")
def test_every_path_that_a_page_names_is_there(page: Path) -> None:
    named = {word.strip(":") for word in code(page)}
    paths = {word for word in named if PATH.fullmatch(word) and not LATER.fullmatch(word)}
    assert {path for path in paths if not any((top / path).exists() for top in BELOW)} == set()


def test_every_name_of_the_code_that_how_it_works_tells_is_there() -> None:
    source = "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "plugin").rglob("*.py"))
    defined = {*re.findall(r"(?:class |def |self\.|^ *)(\w+)", source, flags=re.M)}
    found = [NAME.fullmatch(word) for word in code(DOCS / "how-it-works.md")]
    named = {each[0]: {each[1] or each[2], each[2]} for each in found if each}
    names = [name for name in named if name[0] == "_" or name[0].isupper()]
    assert len(names) > 20
    assert [name for name in names if not named[name] <= defined] == []


# --- links ------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """As the hosts of repositories make them of headings."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    heads = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}-{page.stem}")
def test_every_link_leads_to_a_file_and_a_heading_of_it(page: Path) -> None:
    wrong = []
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        to = page.parent / name if name else page
        if not to.exists() or (anchor and anchor not in anchors(to)):
            wrong.append(link)
    assert wrong == []


def test_every_heading_that_the_code_sends_people_to_is_there() -> None:
    sent = re.findall(r"docs/(\w+\.md), “([^”]+)”", said_by_the_code())
    assert sent
    assert [to for to in sent if f"# {to[1]}\n" not in (DOCS / to[0]).read_text("utf-8")] == []


# --- what it is said to say -------------------------------------------------------------------


@cache
def said_by_the_code() -> str:
    """All texts of the plugin, a line each; what is filled in is left out."""
    texts = []
    for path in (ROOT / "plugin").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(re.sub(r"\s+", " ", node.value))
    return "\n".join(texts)


ROWS = re.findall(r"^\| (.+?) \|", (DOCS / "silent.md").read_text(encoding="utf-8"), re.M)


def test_every_symptom_is_in_words_that_the_code_has() -> None:
    told = [re.findall(r"“([^”]+)”|^`([^`]+)`(?!.*\(\w+'s\)$)", row) for row in ROWS]
    words = [
        (one or other).removeprefix("config:6:").strip() for row in told for one, other in row
    ]
    assert len(words) > 20
    assert [each for each in words if each.strip("0123456789:") not in said_by_the_code()] == []


def test_what_maubot_is_said_to_say_stands_in_maubot() -> None:
    source = "\n".join(p.read_text("utf-8") for p in Path(maubot.__file__).parent.rglob("*.py"))
    told = [found[1] for row in ROWS if (found := re.match(r"`([^`]+)` \(maubot's\)$", row))]
    assert len(told) > 2
    holes = [re.escape(words).replace("sluice_plugin", ".*") for words in told]
    assert [words for words in holes if not re.search(words, source)] == []


def test_mbc_takes_what_the_page_types() -> None:
    [options] = re.findall(r"`mbc auth ([^`]+)`", (DOCS / "owners.md").read_text("utf-8"))
    source = (Path(maubot.__file__).parent / "cli" / "commands" / "auth.py").read_text("utf-8")
    assert [each for each in re.findall(r"-\w\b", options) if f'"{each}"' not in source] == []


def test_the_readme_installs_as_the_owners_page_does() -> None:
    [install] = [b for b in blocks(ROOT / "README.md", "") if " setup\n" in b]
    words = install.replace("sluice-VERSION.mbp", "sluice.mbp").replace(" && ", "\n").splitlines()
    said = (DOCS / "owners.md").read_text(encoding="utf-8")
    assert len(words) == 4
    assert [each for each in words[:3] if f"   {each}\n" not in said] == []


def test_the_readme_shows_what_the_bot_says() -> None:
    [block] = [b for b in blocks(ROOT / "README.md", "") if "Sluice  " in b]
    shown = re.findall(r"^(?:Sluice  | {8})(\S.*?)(?: …?  .*)?$", numberless(block), re.M)
    book = numberless((DOCS / "conversations.md").read_text(encoding="utf-8"))
    said = re.findall(r"^(?:sluice: | {8})(\S.*)$", book, re.M)
    assert len(shown) > 3
    assert [line for line in shown if not any(each.startswith(line) for each in said)] == []


def numberless(text: str) -> str:
    return re.sub(r"#\d+", "#12", text)


def test_the_repair_by_hand_goes_where_the_finished_lines_go() -> None:
    said = (DOCS / "owners.md").read_text(encoding="utf-8")
    lines = help.repair_lines(here(server="example.com"), "https://example.com", "!ROOM").body
    paths = re.findall(r"https://example\.com(/[^',\s]+)", lines)
    assert len(paths) == 3
    assert [path for path in paths if f"https://example.com{path}" not in said] == []


def test_the_owners_page_says_what_setup_asks_for() -> None:
    page = (DOCS / "owners.md").read_text(encoding="utf-8")
    steps = page[page.index("## Ten minutes") : page.index("### What you have now")]
    assert len(re.findall(r"^\d\. ", steps, re.M)) <= 8
    asked = (": create-user ", "/invite ", " › People › ", " › Role › Moderator")
    assert [words for words in asked if words not in steps] == []
    for words in (*asked, "Both work; without is simpler"):
        assert words in page
        assert words in said_by_the_code()
    for name in re.findall(r"^\| `([\w.]+)` \|", page, re.M)[:4]:
        assert name in said_by_the_code()


def test_what_is_said_of_the_compose_file_stands_in_it() -> None:
    page = (DOCS / "owners.md").read_text(encoding="utf-8")
    for words in ("conduit_matrix", "http://conduit:6167", "maubot:v0.6.0", "/opt/conduit"):
        assert words in page
        assert words in units.COMPOSE


# --- what people type -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["owners", "silent", "moderators", "policy", "choosing"])
def test_every_command_that_a_page_names_is_one(name: str) -> None:
    page = DOCS / f"{name}.md"
    typed = set(re.findall(r"`!([a-z]+)", page.read_text(encoding="utf-8")))
    assert typed - {name.split()[0].split(".")[0] for name in COMMANDS} == set()


def test_every_option_that_a_page_names_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    taken = ""
    for verb in ("setup", "run", "check", "can", "move"):
        with pytest.raises(SystemExit):
            sluice([verb, "--help"])
        taken += capsys.readouterr().out
    named = set()
    for page in (ROOT / "README.md", *(DOCS / f"{n}.md" for n in ("owners", "silent", "policy"))):
        said = page.read_text(encoding="utf-8")
        for line in re.findall(r"(?:sluice\S*|`) ?(?:setup|run|check|can|move)\b[^`\n]*", said):
            named |= set(re.findall(r"--[a-z-]+", line))
    assert len(named) > 8
    assert [option for option in named if option not in taken] == []


def blocks(page: Path, language: str) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


def test_the_policy_of_the_first_minute_is_valid() -> None:
    first = blocks(DOCS / "policy.md", "yaml")[0]
    loaded = load(first, server="example.org", now=0)
    assert loaded.errors == ()


PEOPLE = {
    "alone": People(("@ana:example.com",)),
    "one-owner-two-moderators": People(
        ("@ana:example.com",), ("@bo:example.com", "@cy:example.com")
    ),
    "two-owners": People(("@ana:example.com", "@dan:example.com")),
    "team": People(
        ("@ana:example.com", "@dan:example.com"), ("@bo:example.com", "@cy:example.com")
    ),
}


@pytest.mark.parametrize("name", PEOPLE)
def test_setup_writes_the_ready_policy_for_these_people(name: str) -> None:
    example = (DOCS / "examples" / f"{name}.yaml").read_text(encoding="utf-8")
    written, _ = policy_writer.write("example.com", "!opsroom", PEOPLE[name], 0)
    assert example.partition("ops_rooms")[2] == written.partition("ops_rooms")[2]


def test_the_page_of_the_policy_tells_each_ready_one() -> None:
    told = re.findall(r"\[`([\w-]+)`\]\(examples/", (DOCS / "policy.md").read_text("utf-8"))
    assert sorted(told) == sorted(path.stem for path in (DOCS / "examples").glob("*.yaml"))


def test_maubots_standalone_example_has_the_keys_that_are_changed_in_it() -> None:
    files = importlib.resources.files("maubot.standalone")
    example = YAML(typ="safe").load((files / "example-config.yaml").read_text("utf-8"))
    [changed] = blocks(DOCS / "owners.md", "yaml")
    assert_within(YAML(typ="safe").load(changed), example)


def assert_within(ours: dict[str, object], theirs: dict[str, object]) -> None:
    for key, value in ours.items():
        assert key in theirs
        if isinstance(value, dict) and key != "plugin_config":
            inner = theirs[key]
            assert isinstance(inner, dict)
            assert_within(value, inner)
