"""What the pages let an owner type is taken by what they type it to."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import maubot
import pytest
from ruamel.yaml import YAML

from sluice.__main__ import main
from sluice.catalog.table import COMMANDS
from sluice.chat import help
from sluice.policy.access import demand_of, who_can
from sluice.settings import load
from sluice.setup import units
from sluice.setup.check import OLDEST
from sluice.setup.package import Package
from sluice.setup.standalone import Standalone
from tests.unit.test_docs import DOCS, PAGES, ROOT

SLUICE = re.compile(r"python3? (?:-m sluice|\S*sluice\S*\.mbp) ([a-z][^`\n>&]+)")
MODULE = re.compile(r"-m ((?:lab|bench|tests|maubot)[\w.]*)")
SEAL = re.compile(r"ENTRIES:SEAL|\d+:\w*…\w*")
STANDS_FOR = {
    "FILE": "sluice.yaml",
    "PERSON": "bo",
    "COMMAND LINE": "deactivate @spam:example.com",
    "/data/policy.yaml": "sluice.yaml",
    "/etc/sluice/sluice.yaml": "sluice.yaml",
}


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8").replace("\\\n", " ")


def typed() -> Iterator[str]:
    shown = [*(text_of(page) for page in PAGES if page.stem != "conversations")]
    shown += [re.sub(r" \\\n# +", " ", units.COMPOSE), help.seals().body]
    for text in shown:
        yield from (words.strip() for words in SLUICE.findall(text) if "_" not in words)


def forms(words: str) -> Iterator[list[str]]:
    """With each of what may be left out, alone, and without."""
    optional = re.findall(r"\[([^\]]+)\]", words)
    bare = re.sub(r" \[[^\]]+\]", "", words)
    for each in ("", *optional):
        values = {"--diff OLD": "--diff sluice.yaml", "--power N": "--power 50"}
        values |= {
            "--server NAME": "--server example.com",
            "--at TIME": "--at 2026-11-23T20:00:00Z",
        }
        split = shlex.split(SEAL.sub(f"1250:{'0' * 64}", f"{bare} {values.get(each, each)}"))
        yield [STANDS_FOR.get(word, word) for word in split]


@pytest.mark.parametrize("words", sorted(set(typed())))
def test_what_an_owner_types_is_taken(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In an empty folder: it may find nothing there, but it knows each word."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(DOCS / "examples" / "team.yaml", "sluice.yaml")
    for argv in forms(words.replace("example.org", "example.com")):
        code = main(argv)
        said = capsys.readouterr()
        if argv[0] in ("check", "can"):
            assert code == 0, said.out + said.err
        assert "Traceback" not in said.err


def test_there_are_such_lines() -> None:
    assert {words.split()[0] for words in typed()} == {
        "setup", "run", "check", "can", "move", "audit"
    }  # fmt: skip


def test_every_program_of_ours_that_a_page_starts_is_there() -> None:
    """With the options that it is given."""
    started = re.findall(r"-m ((?:lab|bench|tests|sluice\.)[\w.]*)([^`\n]*)", everything())
    assert len(started) > 8
    for name, options in started:
        found = importlib.util.find_spec(name)
        assert found, name
        if found.submodule_search_locations:
            found = importlib.util.find_spec(f"{name}.__main__")
        assert found is not None, name
        assert found.origin, name
        source = Path(found.origin).read_text(encoding="utf-8")
        wrong = [each for each in re.findall(r"--[a-z-]+", options) if f'"{each}"' not in source]
        assert wrong == [], name


def everything() -> str:
    return "\n".join(text_of(page) for page in PAGES if page.stem != "conversations")


def test_every_block_for_a_shell_can_be_read_by_one() -> None:
    lines = [re.sub(r"^ {3}", "", block, flags=re.M) for block in shell_blocks()]
    assert len(lines) > 10
    for block in lines:
        subprocess.run(["sh", "-n", "-c", block], check=True)


def shell_blocks() -> Iterator[str]:
    first = re.compile(r" *(?:\S*/)?(?:python3?|apt|curl|exit|cd|\./\w+\.sh)\b")
    for page in PAGES:
        for block in re.findall(r"^ *```(?:sh)?\n(.*?)^ *```", text_of(page), re.M | re.S):
            if first.match(block) and "[--" not in block:
                yield block


def test_every_body_that_a_page_sends_is_json() -> None:
    bodies = re.findall(r"-d '(\{.*?\})'", everything(), re.S) + re.findall(
        r"with `(\{[^`]*\})`", everything()
    )
    assert len(bodies) > 3
    for body in bodies:
        assert isinstance(json.loads(body), dict)


def test_every_line_of_a_policy_that_a_page_quotes_is_yaml() -> None:
    quoted = re.findall(r"`(\{\w+: [^`]*\})`", (DOCS / "policy.md").read_text(encoding="utf-8"))
    assert len(quoted) > 3
    for line in quoted:
        assert isinstance(YAML(typ="safe").load(line), dict), line


# --- what keeps it running --------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "sluice.service"
    unit.write_text(units.systemd(tmp_path / "sluice-data", Package(ROOT)))
    words = ["systemd-analyze", "verify", str(unit)]
    ran = subprocess.run(words, capture_output=True, text=True, check=False)
    assert "sluice" not in ran.stderr, ran.stderr
    assert ran.returncode == 0


def test_the_compose_file_is_what_the_page_says_of_it() -> None:
    page = (DOCS / "owners.md").read_text(encoding="utf-8")
    maubot = YAML(typ="safe").load(units.COMPOSE)["services"]["maubot"]
    assert f"`FROM {maubot['image']}`" in page
    assert all(port.startswith("127.0.0.1:") for port in maubot["ports"])
    assert "Not into `/opt/conduit`" in page
    assert "not in /opt/conduit: that is deleted" in units.COMPOSE


def test_the_logs_are_where_the_page_says(tmp_path: Path) -> None:
    page = (DOCS / "silent.md").read_text(encoding="utf-8")
    place = Standalone(tmp_path, Package(ROOT))
    assert f"`sluice-data/{place.log.name}`" in page
    example = Path(maubot.__file__).parent / "example-config.yaml"
    files = YAML(typ="safe").load(example.read_text(encoding="utf-8"))["logging"]["handlers"]
    assert Path(files["file"]["filename"]).name == "maubot.log"
    assert "`maubot.log`" in page
    unit = units.systemd(tmp_path, Package(ROOT))
    assert "/etc/systemd/system/sluice.service" in unit
    assert "`journalctl -u sluice`" in page


def test_mbc_needs_the_folder_that_the_page_makes(tmp_path: Path) -> None:
    assert "`mkdir -p ~/.config`, `mbc login`" in (DOCS / "owners.md").read_text("utf-8")
    words = [sys.executable, "-c", "from maubot.cli.config import save_config; save_config()"]
    env = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    assert subprocess.run(words, env=env, check=False, capture_output=True).returncode == 1
    (tmp_path / ".config").mkdir()
    subprocess.run(words, env=env, check=True)


def test_the_oldest_versions_are_the_same_everywhere() -> None:
    page = (DOCS / "choosing.md").read_text(encoding="utf-8")
    path = ROOT / ".github" / "workflows" / "versions.yml"
    matrix = YAML(typ="safe").load(path.read_text())["jobs"]["unit"]["strategy"]["matrix"]
    for name, numbers in OLDEST.items():
        oldest = ".".join(map(str, numbers))
        assert f"| {name} | {oldest} and newer" in page
        assert any(re.search(rf"\b{name}\S*=={oldest}\b", row["bot"]) for row in matrix["include"])


# --- what a moderator tries first -------------------------------------------------------------


HARMLESS = re.findall(
    r"(?:Try something harmless|^Then read .*? Try)[^\n]*",
    "\n".join((DOCS / f"{name}.md").read_text("utf-8") for name in ("moderators", "owners")),
    re.M,
)


@pytest.mark.parametrize("words", HARMLESS)
@pytest.mark.parametrize("path", sorted((DOCS / "examples").glob("*.yaml")), ids=lambda p: p.stem)
def test_what_one_is_told_to_try_first_needs_nobody(words: str, path: Path) -> None:
    names = re.findall(r"`!(\w+)", words)
    assert names
    loaded = load(path.read_text(encoding="utf-8"), server=None, now=0)
    assert loaded.settings is not None
    policy = loaded.settings.policy
    for name in names:
        command = COMMANDS[name]
        assert {command.sized, command.attacker_sized} == {False}, "an owner is asked first"
        if not command.own:
            assert set(who_can(policy)[name]) >= set(policy.people)
            assert demand_of(policy, name).slots == ()
