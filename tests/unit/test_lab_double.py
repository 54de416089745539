"""The double answers as real Conduit servers did, word for word."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.double import words
from lab.double.handler import Died, Handler
from lab.double.memory import MemoryServer
from lab.interpret import interpret
from lab.replay import replay
from sluice.families import dialects

GOLDEN = sorted(Path(__file__).parent.parent.joinpath("golden").glob("*.jsonl"))
SERVER = "conduit.test"


def quiet(_: str) -> None:
    pass


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
async def test_the_double_gives_every_recorded_answer(path: Path) -> None:
    said: list[str] = []
    assert await replay([str(path)], said.append) == 0, "\n".join(said)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_the_catalog_recognises_every_recorded_answer_of_its_commands(path: Path) -> None:
    said: list[str] = []
    assert interpret([str(path)], said.append) == 0, "\n".join(said)


async def test_a_replay_finds_a_changed_word(tmp_path: Path) -> None:
    head, *steps = GOLDEN[0].read_text().splitlines()
    wrong = [step.replace("already exists", "already exist") for step in steps]
    path = tmp_path / "wrong.jsonl"
    path.write_text("\n".join([head, *wrong]))
    assert await replay([str(path)], quiet) == sum(
        a != b for a, b in zip(steps, wrong, strict=True)
    )


async def test_a_replay_finds_an_answer_that_is_not_given(tmp_path: Path) -> None:
    head, *steps = GOLDEN[0].read_text().splitlines()
    wrong = [{**json.loads(step), "answers": []} for step in steps[:1]]
    path = tmp_path / "wrong.jsonl"
    path.write_text("\n".join([head, *map(json.dumps, wrong)]))
    assert await replay([str(path)], quiet) == 1


@pytest.fixture
def handler() -> Handler:
    return Handler(MemoryServer.of_the_transcripts(SERVER), "0.10.12")


async def say(handler: Handler, line: str) -> str:
    return str((await handler.answer(f"@conduit:{SERVER}: {line}"))["body"])


async def test_a_restart_forgets_the_switch_of_registration(handler: Handler) -> None:
    await say(handler, "allow-registration false")
    await handler.restart()
    assert await say(handler, "allow-registration") == "Registration is currently enabled"


@pytest.mark.parametrize(
    "line",
    [
        f"purge-media-from-users --from-last 57years\n```\n@bob:{SERVER}\n```",
        'sign-json\n```\n{"signatures": 1}\n```',
        "hash-and-sign-event nonsense\n```\n{}\n```",
    ],
)
async def test_what_makes_the_real_handler_panic_makes_this_one_die(
    handler: Handler, line: str
) -> None:
    with pytest.raises(Died):
        await say(handler, line)


async def test_an_account_is_deactivated_before_the_panic(handler: Handler) -> None:
    with pytest.raises(Died):
        await say(handler, f"deactivate-user --purge-media -t 57years @bob:{SERVER}")
    assert await handler.backend.status(f"@bob:{SERVER}") == "deactivated"


LINES = st.text(st.sampled_from("ab'\"\\#$ \t\u00a0\u2028\r-_=@:"), max_size=24)


@given(LINES)
def test_the_double_and_the_catalog_split_lines_alike(line: str) -> None:
    """Two readings of the same rules, written apart from each other."""
    for version in ("0.9.0", "0.10.12", "0.11.0-alpha"):
        dialect = dialects.dialect_of(version)
        assert dialect is not None
        assert catalog_words(dialect, line) == double_words(version, line), version


def catalog_words(dialect: dialects.Dialect, line: str) -> list[str] | None:
    try:
        return list(dialects.tokenise(dialect, line))
    except dialects.Unclosed:
        return None


def double_words(version: str, line: str) -> list[str] | None:
    try:
        return words.split(version, line)
    except words.Unquoted:
        return None


@given(st.text(st.sampled_from(f"@conduit:{SERVER} \n!`help-"), max_size=40))
def test_the_double_and_the_catalog_agree_on_what_is_a_command(text: str) -> None:
    dialect = dialects.dialect_of("0.10.12")
    assert dialect is not None
    for body in (text, f"@conduit:{SERVER}{text}", f"@conduit:{SERVER}: {text}"):
        taken = dialects.parse_body(dialect, SERVER, body) is not None
        assert taken == words.is_command(SERVER, body), body
