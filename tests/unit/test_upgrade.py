"""A database that an earlier version filled is opened by today's code, and what was open goes on.

tests/upgrade/1.1.0.sql was left in the middle of a day (tests/stage/kept.py): four requests wait
for votes, two of them held because a word of cy was erased, a break-glass waits for its review,
registration is open, two passwords are handed over, cy has no vote, a line to Conduit has no
answer, and an answer of the bot's was not sent yet.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lab.chat import Said
from sluice.db import codec, meta
from tests.fake.log import follow_all
from tests.stage.kept import END, day, load
from tests.stage.stage import ADMIN, OPS, Stage, on_stage

KEPT = (Path(__file__).parents[1] / "upgrade" / "1.1.0.sql").read_text(encoding="utf-8")


# --- what was open goes on


class Later:
    """The stage, as the old version left it, with today's code started on it."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.cards = {n: self._card(n) for n in (7, 11, 12, 13)}
        self.lines = Counter(self.asked)

    async def rows(self, query: str) -> list[Any]:
        async with self.stage.database.acquire() as conn:
            return await conn.fetch(query)

    @property
    def asked(self) -> list[str]:
        """What the bot wrote to Conduit."""
        mine = (said for said in self.stage.said(ADMIN) if said.sender == self.stage.bot)
        return [said.text for said in mine if said.text.startswith("@conduit")]

    @property
    def news(self) -> list[str]:
        """What the bot has said in the ops room since."""
        said = (s for s in self.stage.said() if s.raw["origin_server_ts"] >= END * 1000)
        return [s.text for s in said if s.sender == self.stage.bot and s.kind == "m.room.message"]

    def heard(self, *words: str) -> bool:
        return any(all(word in text for word in words) for text in self.news)

    def ran(self, line: str) -> int:
        """How often Conduit was told a line with these words since."""
        return sum(line in text for text in (Counter(self.asked) - self.lines).elements())

    def _card(self, number: int) -> Said:
        found = [s for s in self.stage.said() if s.text.startswith(f"✋ #{number} Approve?")]
        (card,) = (said for said in found if not said.edits)
        return card

    async def taps(self, name: str, number: int, emoji: str = "✅") -> None:
        await self.stage[name].react(OPS, self.cards[number].id, emoji)
        await self.stage.settle()

    async def releases(self, name: str) -> None:
        """What is held because of a word that was erased."""
        told = next(s for s in self.stage.said() if s.text.startswith("❗ Something cy wrote"))
        await self.stage[name].react(OPS, told.id, "✅")
        await self.stage.settle(30)


def later(scene: Any) -> None:
    async def whole(stage: Stage) -> None:
        load(stage, KEPT)
        stage.policy = (await stage.database.fetchrow(_POLICY))["value"]
        play = Later(stage)
        await stage.start("1.1.1")
        await stage.settle(30)
        await scene(play)

    on_stage(whole, begin=END, seed=27)


_POLICY = "SELECT value FROM sluice_meta WHERE key='policy'"


def test_nothing_is_said_or_run_twice_and_cards_stay_as_they_are() -> None:
    async def scene(play: Later) -> None:
        marks = Counter(mark for said in play.stage.said() for mark in _marks(said.raw["content"]))
        assert set(marks.values()) == {1}
        (waited,) = (r for r in tables_of(KEPT)["sluice_outbox"] if r["state"] == 0)
        assert waited["txn"] in marks
        assert play.heard("Conduit", "answers"), play.news  # what !status was to be told
        assert not any(" asks: " in text for text in play.news)
        new = (said for said in play.stage.said() if said.raw["origin_server_ts"] >= END * 1000)
        assert {said.edits for said in new}.isdisjoint(card.id for card in play.cards.values())
        assert sum("@late:example.org" in line for line in play.asked) == 1

    later(scene)


def test_a_vote_completes_what_was_asked_before_and_it_runs_once() -> None:
    async def scene(play: Later) -> None:
        await play.taps("cy", 12)
        await play.stage.settle(30)
        assert not play.ran("spam3")  # the old version took cy's vote away
        await play.taps("dan", 12)
        await play.taps("ana", 12)
        await play.taps("dan", 13)  # bo's vote stands since before
        await play.stage.settle(60)
        assert play.ran("@spam3:example.org") == 1
        assert play.ran("deactivate-all") == 1
        assert play.heard("Done: deactivate @spam3", "dan approved"), play.news
        assert play.heard("Done: deactivateall @s01", "bo and dan approved"), play.news

    later(scene)


def test_what_was_held_stays_held_until_an_owner_says_so() -> None:
    async def scene(play: Later) -> None:
        for number in (7, 11):
            await play.taps("dan", number)
        await play.stage.settle(60)
        assert not play.ran("spam")
        await play.releases("dan")
        assert play.ran("@spam7:example.org") == 1
        assert play.ran("@spam4:example.org") == 1

    later(scene)


def test_uses_of_a_limit_still_count() -> None:
    async def scene(play: Later) -> None:
        await play.releases("dan")
        for number in (7, 11, 12):  # two of five were used before
            await play.taps("dan", number)
        await play.stage.settle(60)
        await play.stage.says("bo", "!deactivate @spam5:example.org reason more")
        await play.stage.settle(30)
        assert play.heard("Not allowed", "all together have 5 of these an hour", "are used"), (
            play.news
        )

    later(scene)


def test_a_review_a_window_a_handover_and_a_distrust_go_on() -> None:
    async def removed(play: Later) -> dict[int, int]:
        rows = await play.rows("SELECT request, removed FROM sluice_delivery")
        return {row["request"]: row["removed"] for row in rows}

    async def scene(play: Later) -> None:
        await play.stage.says("dan", "!approve 9")
        assert play.heard("#9", "dan"), play.news
        (row,) = await play.rows("SELECT review FROM sluice_request WHERE id=9")
        assert row["review"] == "in order"
        await play.stage.says("dan", "!trust cy")
        assert await play.rows("SELECT * FROM sluice_distrust") == []
        await play.stage.settle(12 * 60)
        assert await removed(play) == {3: 1, 14: 0, 15: 1}  # ana did not accept the invitation
        assert play.stage.conduit.backend.registration
        await play.stage.settle(5 * 60)
        assert not play.stage.conduit.backend.registration
        assert play.heard("Registration is off again", "ana's 15 minutes"), play.news

    later(scene)


def test_the_log_goes_on_from_the_old_one() -> None:
    async def scene(play: Later) -> None:
        before = int(re.findall(r'INTO "sluice_audit" VALUES\((\d+),', KEPT)[-1])
        await play.stage.says("bo", "!log 8")
        assert play.heard("#8", "deactivate @spam:example.org"), play.news
        async with play.stage.database.acquire() as conn:
            assert (await follow_all(conn)).seq > before  # type: ignore[arg-type]

    later(scene)


# --- what is stored reads the same, and is written the same


Tables = dict[str, list[dict[str, Any]]]


def tables_of(text: str) -> Tables:
    with closing(sqlite3.connect(":memory:")) as database:
        database.row_factory = sqlite3.Row
        database.executescript(text)
        names = [row[0] for row in database.execute(_TABLES)]
        return {
            name: [dict(row) for row in database.execute(f"SELECT * FROM {name}")]
            for name in names
        }


_TABLES = "SELECT name FROM sqlite_master WHERE type='table'"


@pytest.fixture(scope="module")
def old() -> Tables:
    return tables_of(KEPT)


@pytest.fixture(scope="module")
def new() -> Tables:
    """The same day, played with today's code."""
    return tables_of(on_stage(day))


def test_values_are_read_and_written_as_they_were(old: Tables) -> None:
    values = list(written(old))
    assert len(values) > 90
    for value in values:
        kept = json.loads(value)
        if "About" in value:
            del kept["what"]  # a headline that is made when it is shown now
        assert json.loads(codec.write(codec.read(value))) == kept


def test_classes_of_values_have_the_names_that_are_stored(old: Tables, new: Tables) -> None:
    def names(tables: Tables) -> set[str]:
        return {name for text in written(tables) for name in re.findall(r'"=?":"(\w+)"', text)}

    assert {"About", "Decision", "Invocation", "Outcome", "Verdict"} <= names(old)
    assert names(old) <= names(new)


def written(tables: Tables) -> Iterator[str]:
    """What `codec` wrote."""
    for table, columns in CODED.items():
        for row in tables[table]:
            yield from (row[column] for column in columns if row[column])


CODED = {
    "sluice_request": ("invocation", "decision", "slots", "stop", "approved", "note", "facts"),
    "sluice_line": ("outcome",),
}


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("sluice_request", "state"),
        ("sluice_request", "review"),
        ("sluice_request", "digest"),
        ("sluice_line", "state"),
        ("sluice_vote", "side"),
        ("sluice_vote", "how"),
        ("sluice_vote", "cause"),
        ("sluice_outbox", "kind"),
        ("sluice_outbox", "state"),
        ("sluice_outbox", "key"),
        ("sluice_audit", "kind"),
        ("sluice_use", "key"),
        ("sluice_list", "command"),
        ("sluice_meta", "key"),
        ("sluice_people", "key"),
        ("sluice_people", "groups"),
    ],
)
def test_words_and_keys_are_the_stored_ones(
    old: Tables, new: Tables, table: str, column: str
) -> None:
    before, after = ({general(row[column]) for row in t[table]} for t in (old, new))
    assert before <= after


def general(word: object) -> object:
    """Without the ids and numbers that differ from one installation to the next."""
    if not isinstance(word, str) or len(word) == 64:
        return word
    return re.sub(r"\d+(\.\d+)?", "1", re.sub(r"([$!])[\w:.-]+", r"\1", word))


def test_records_of_the_log_have_the_fields_that_are_stored(old: Tables, new: Tables) -> None:
    def fields(tables: Tables) -> dict[str, set[str]]:
        records = [json.loads(row["record"]) for row in tables["sluice_audit"]]
        return {
            r["kind"]: {k for each in records if each["kind"] == r["kind"] for k in each}
            for r in records
        }

    before, after = fields(old), fields(new)
    assert before == {kind: after[kind] for kind in before}


def test_transaction_ids_are_made_as_they_were(old: Tables, new: Tables) -> None:
    """With another one, what was sent before a crash would be sent again."""
    for tables in (old, new):
        nonce = next(row["value"] for row in tables["sluice_meta"] if row["key"] == "nonce")
        asked = {row["id"]: row["event_id"] for row in tables["sluice_request"]}
        sent = {json.loads(row["scope"])[2] for row in tables["stage_txn"]}
        for row in tables["sluice_delivery"]:
            what = row["room"], row["request"], row["number"]
            assert meta.txn_id(nonce, "secret", *what) in sent
        for row in tables["sluice_line"]:
            what = ADMIN, asked[row["request"]], row["number"]
            assert meta.txn_id(nonce, "line", *what) in sent


def test_the_bot_finds_its_own_marks(old: Tables, new: Tables) -> None:
    def marks(tables: Tables) -> set[str]:
        contents = [json.loads(row["event"])["content"] for row in tables["stage_event"]]
        return {key for content in contents for key in content if key.startswith("org.sluice")}

    assert marks(old) == marks(new) == {f"org.sluicebot.{x}" for x in ("line", "out", "secret")}


def _marks(content: dict[str, Any]) -> Iterator[str]:
    yield from (value for key, value in content.items() if key == "org.sluicebot.out")
