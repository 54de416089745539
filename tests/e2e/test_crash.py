"""The bot is killed (kill -9) at every step between the INTENT of a line and its result.

Each time it is started again, and then there must be exactly one line in the admin room, one
result in the ops room, and the right state. Which steps there are is not written down here: a run
without a death lists them. In full, with 5 deaths at each:

    SLUICE_DEATHS=5 python -m pytest -n 4 --dist load tests/e2e/test_crash.py

Without SLUICE_DEATHS a sample is run.
"""

from __future__ import annotations

import asyncio
import os
import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lab.chat import Said
from lab.client import Client
from lab.world import World
from tests.e2e.office import Card
from tests.e2e.relay import PASSWORD, Relay

LAUNCHER = Path(__file__).parent / "crash" / "maubot_that_dies.py"
DEATHS = int(os.environ.get("SLUICE_DEATHS", "0"))
SAMPLE = 4  # steps of each command, without SLUICE_DEATHS
LEAST = 12  # steps that a command has at least


@dataclass
class Mortal:
    """An office whose bot can be told where to die."""

    relay: Relay
    folder: Path
    made: int = 0
    told: list[str] = field(default_factory=list)

    @classmethod
    async def open(cls, world: World, folder: Path) -> Mortal:
        relay = await Relay.open(world, folder)
        self = cls(relay, folder)
        await relay.bot.stop()
        argv = relay.bot.process.argv
        at = argv.index("-m")
        argv[at : at + 2] = [str(LAUNCHER)]
        return self

    def word(self) -> str:
        self.made += 1
        return f"mortal{self.made}"

    async def start(self, word: str, die: str = "", *, holds: str = "") -> Path:
        """The bot runs; it will die at this step of the command that holds this word (or what
        else it holds)."""
        steps = self.folder / f"steps-{word}"
        self.relay.bot.process.env = {
            **(self.relay.bot.process.env or {}),
            "SLUICE_TEST_WORD": holds or self.relay.name(word),
            "SLUICE_TEST_DIE": die,
            "SLUICE_TEST_STEPS": str(steps),
        }
        await self.relay.bot.start()
        await self.relay.bot.process.logs("Sluice is ready")
        return steps

    async def died(self, command: Command, event: str, word: str) -> bool:
        """Waits for the death, or for a result: the step may not come in every run."""
        for _ in range(1000):
            if not self.relay.bot.process.running:
                return True
            if await command.results(event, word):
                await asyncio.sleep(0.3)
                return not self.relay.bot.process.running
            await asyncio.sleep(0.03)
        raise AssertionError(f"neither death nor result:\n{self.relay.room.transcript()}")


class Command:
    """One kind of command: how it is given, and what must be true in the end."""

    line = ""  # what stands in the admin room, with {mxid}

    def __init__(self, mortal: Mortal) -> None:
        self.mortal, self.relay = mortal, mortal.relay

    async def prepare(self, word: str) -> None: ...

    async def give(self, word: str) -> str:
        """Types it; the event that the result is about."""
        raise NotImplementedError

    def is_result(self, said: Said, event: str, word: str) -> bool:
        return said.reply_to == event and not said.edits

    async def check(self, word: str, result: Said) -> None:
        raise NotImplementedError

    async def results(self, event: str, word: str) -> list[Said]:
        await self.relay.room.read()
        return [said for said in self.relay.room.said if self.is_result(said, event, word)]


class AddUser(Command):
    line = "create-user {mxid}"

    async def give(self, word: str) -> str:
        return await self.relay.says("bo", f"!adduser {self.relay.name(word)}")

    async def check(self, word: str, result: Said) -> None:
        assert await self.relay.exists(word)
        await self._password(word, result, "New account")

    async def _password(self, word: str, result: Said, done: str) -> None:
        private = await self.relay.world.private("bo")
        mxid = self.relay.mxid(word)
        passwords = [
            found[1]
            for said in private.said
            if f" {mxid}\n" in said.text and (found := PASSWORD.search(said.text))
        ]
        if result.text.startswith("❗"):
            assert "it is thrown away" in result.text, result.text
            assert passwords == [], "it was handed over"
            return
        assert result.text.startswith(f"✅ {done} @{self.relay.name(word)}\n"), result.text
        assert len(passwords) == 1, private.transcript()
        assert await self.relay.signs_in(word, passwords[0])


class ResetPassword(AddUser):
    line = "reset-password {mxid}"

    async def prepare(self, word: str) -> None:
        await self.relay.world.server.account(self.relay.name(word))

    async def give(self, word: str) -> str:
        return await self.relay.says("bo", f"!resetpw {self.relay.name(word)}")

    async def check(self, word: str, result: Said) -> None:
        await self._password(word, result, "New password for")


class Deactivate(Command):
    line = "deactivate-user {mxid}"
    accounts: dict[str, Client]
    cards: dict[str, Card]

    def __init__(self, mortal: Mortal) -> None:
        super().__init__(mortal)
        self.accounts, self.cards = {}, {}

    async def prepare(self, word: str) -> None:
        self.accounts[word] = await self.relay.world.server.account(self.relay.name(word))

    async def give(self, word: str) -> str:
        card = await self.relay.card("bo", f"!deactivate {self.relay.mxid(word)} reason spam")
        self.cards[word] = card
        await self.relay.taps("cy", card)
        return card.id

    def is_result(self, said: Said, event: str, word: str) -> bool:
        return super().is_result(said, event, word) and said.sender == self.relay.bot.mxid

    async def check(self, word: str, result: Said) -> None:
        card = self.cards[word]
        first = f"✅ Deactivated @{self.relay.name(word)} · #{card.number}\n"
        assert result.text.startswith(first), result.text
        await self.relay.says_of(card, card.line("✅ Done") + r"\nbo asked, cy approved")
        assert not await self.relay.is_open(self.accounts[word])


async def steps_of(mortal: Mortal, command: Command) -> list[str]:
    """A run without a death; the steps from the INTENT until the result is sent and stored."""
    word = mortal.word()
    await command.prepare(word)
    file = await mortal.start(word)
    event = await command.give(word)
    await mortal.relay.room.wait(lambda said: command.is_result(said, event, word), "a result")
    await asyncio.sleep(0.1)
    steps = list(dict.fromkeys(file.read_text().splitlines()))
    await mortal.relay.bot.stop()
    print(f"{len(steps)} steps of {command.line}:", *steps, sep="\n  ")
    assert len(steps) >= LEAST
    return steps


@dataclass
class Death:
    """One command that is given while the bot is told where to die."""

    word: str
    step: str
    event: str = ""
    died: bool = False


async def check(mortal: Mortal, command: Command, death: Death) -> None:
    """After the restart: one line, one result, one outcome, the right state."""
    relay, step = mortal.relay, death.step
    await relay.room.wait(
        lambda said: command.is_result(said, death.event, death.word),
        f"a result after {step}",
        within=30,
    )
    await relay.quiet()
    found = await command.results(death.event, death.word)
    assert len(found) == 1, f"{step}:\n{relay.room.transcript()}"
    line = command.line.format(mxid=relay.mxid(death.word))
    assert await relay.sent(line) == 1, f"{step}:\n{relay.admin.transcript()}"
    try:
        await command.check(death.word, found[0])
    except AssertionError as error:
        raise AssertionError(f"{step}: {error}\n{relay.admin.transcript()}") from None
    name = relay.name(death.word)
    log = relay.bot.rows(f"SELECT kind FROM sluice_audit WHERE record LIKE '%{name}%'")
    assert [kind for (kind,) in log].count("outcome") == 1, (step, log)
    mortal.told.append(f"{step}: {found[0].text.splitlines()[0]}")


@pytest.mark.parametrize("turn", range(DEATHS or 1))
@pytest.mark.parametrize("kind", [AddUser, Deactivate, ResetPassword])
async def test_one_line_and_one_result_wherever_the_bot_is_killed(
    world: World, tmp_path: Path, kind: type[Command], turn: int
) -> None:
    """One death at each step. Each start is the restart after the death before it."""
    if world.database:
        pytest.skip("reads the log from SQLite")
    mortal = await Mortal.open(world, tmp_path)
    command = kind(mortal)
    steps = await steps_of(mortal, command)
    wanted = steps if DEATHS else random.Random(turn).sample(steps, SAMPLE)
    deaths = [Death(mortal.word(), step) for step in wanted]
    for death, after in zip([None, *deaths], [*deaths, None], strict=True):
        if after is not None:
            await command.prepare(after.word)
        await mortal.start(after.word if after else "", after.step if after else "")
        if death is not None:
            await check(mortal, command, death)
        if after is not None:
            after.event = await command.give(after.word)
            after.died = await mortal.died(command, after.event, after.word)
            await mortal.relay.bot.stop()
    died = sum(death.died for death in deaths)
    print(f"{died} deaths of {len(wanted)}", *mortal.told, sep="\n  ")
    assert died >= len(wanted) * 0.7
