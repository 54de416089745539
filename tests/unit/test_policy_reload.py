"""What is told of a new text, and what an upgrade does to one that an earlier version accepted:
the text stands in a real file, the ops room is the one in memory."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from policies import problems_of, settings_of

from sluice.db import meta
from sluice.policy_text import PolicyText
from sluice.reload import Reload
from sluice.requests import limits
from sluice.state import Bells
from tests.unit.ops import ANA, BO, CY, DAN, POLICY, Ops, ops

BARE = POLICY[: POLICY.index("  tests:")] + POLICY[POLICY.index("welcome:") :]
"""The example without what it proves of itself."""


class Desk:
    """Sluice with its policy in a file, as a restart, an edit or an upgrade finds it."""

    def __init__(self, room: Ops, path: Path) -> None:
        self.room, self.path = room, path
        self.reload = self._made()

    def _made(self) -> Reload:
        config: Any = SimpleNamespace(_load_proxy=lambda: {"policy_file": str(self.path)})
        ground = self.room.parts.ground
        return Reload(
            *ground.base,
            ground.conduit,
            ground.desk,
            ground.db,
            ground.hs,
            PolicyText(config, None),
            Bells(),
        )

    def writes(self, text: str) -> None:
        self.path.write_text(text.replace("!opsroom:example.org", self.room.room))
        os.utime(self.path, (0, 0))  # some time ago

    async def saves(self, text: str) -> list[str]:
        """A text is saved while it runs; what is said."""
        self.writes(text)
        self.room.clock.go(1)
        await self.reload.again()
        return await self.room.news()

    async def starts(self, text: str | None = None, version: str = "1.0.0") -> list[str]:
        """It is started anew, maybe in another version and with another text; what is said."""
        if text is not None:
            self.writes(text)
        live = self.room.live
        live.version, live.settings, live.problems = version, None, ()
        self.room.clock.go(1)
        self.reload = self._made()
        await self.reload.first()
        await self.reload.greet()
        return await self.room.news()

    async def ran_under_the_old_version(self, text: str) -> None:
        """This text was live; the version of that time refused nothing of it."""
        text = text.replace("!opsroom:example.org", self.room.room)

        async def kept(tx: Any) -> None:
            await meta.put(tx, "policy", text)
            await meta.put(tx, "policy by", "0.9.0")
            await meta.drop(tx, "policy told")

        await self.room.db.write(kept)
        self.path.write_text(text)

    async def last(self, kind: str) -> list[dict[str, Any]]:
        query = "SELECT record FROM sluice_audit WHERE kind = $1 ORDER BY seq"
        rows = await self.room.db.read(lambda tx: tx.fetch(query, kind))
        return [json.loads(row["record"]) for row in rows]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with ops(BARE) as room:
        made = Desk(room, tmp_path / "policy.yaml")
        await made.starts(BARE)
        yield made


async def pushed(room: Ops) -> set[str]:
    return set((await room.last())["m.mentions"].get("user_ids", ()))


WORSE = BARE.replace("max: 5,", "max: 50,").replace("min_power: 25", "min_power: 0")
LOOSE = ("limit wipes: 50 an hour (was 5)", "role helper: min_power 0 (was 25)")


async def test_a_saved_text_is_told_with_every_line_and_kept_in_the_log(desk: Desk) -> None:
    (said,) = await desk.saves(WORSE)
    rows = said.split("\n")
    assert all(line in rows for line in LOOSE), said
    assert await pushed(desk.room) == {ANA, DAN}
    record = (await desk.last("policy"))[-1]
    assert set(LOOSE) <= set(record["lines"])
    (said,) = await desk.saves("# a remark\n" + WORSE)
    assert said.endswith(": nothing changed, it says what it said.")


async def test_a_text_that_was_changed_while_it_was_down_is_told_too(desk: Desk) -> None:
    said = await desk.starts(WORSE)
    assert all(line in said[0].split("\n") for line in LOOSE), said
    assert await pushed(desk.room) == {ANA, DAN}
    assert await desk.starts() == []
    assert await desk.starts("# a remark\n" + WORSE) == []


async def test_what_a_crash_kept_from_being_told_is_told_at_the_next_start(desk: Desk) -> None:
    desk.writes(WORSE)
    desk.reload = desk._made()
    await desk.reload.first()  # and nothing more: no room could be read
    said = await desk.starts()
    assert all(line in said[0].split("\n") for line in LOOSE), said


@pytest.mark.parametrize("restarted", [False, True])
async def test_nothing_changes_unseen_through_safe_mode(desk: Desk, restarted: bool) -> None:
    said = await desk.starts(BARE.replace("min_power: 25", "min_power: many"))
    assert said[0].startswith("❗ Safe mode")
    said = await (desk.starts(WORSE) if restarted else desk.saves(WORSE))
    assert said[0].startswith("🔔 The policy is valid, safe mode is over.\n")
    assert all(line in said[0].split("\n") for line in LOOSE), said
    assert await pushed(desk.room) == {ANA, DAN}


async def test_the_end_of_safe_mode_without_a_change_says_so(desk: Desk) -> None:
    await desk.starts(BARE.replace("min_power: 25", "min_power: many"))
    (said,) = await desk.saves(BARE)
    assert "It says what the last valid one said." in said


async def test_forty_harmless_lines_do_not_hide_a_loose_one(desk: Desk) -> None:
    """Nine dummy persons pushed the line behind "and 3 more changes"."""
    people = "".join(f'    d{n}: "@d{n}:example.org"\n' for n in range(40))
    text = WORSE.replace("  roles:\n", f"{people}  roles:\n", 1)
    text = text.replace("    owner:  {", "    tea: {members: [d1, d2, d3]}\n    owner:  {")
    text = text.replace("  require:", "    - {role: tea, do: clearcache}\n  require:")
    said = await desk.saves(text)
    assert len(said) > 3
    rows = [row for message in said for row in message.split("\n")]
    assert {*LOOSE, *(f"d{n} is new: @d{n}:example.org" for n in range(40))} <= set(rows)
    assert rows[-1].startswith("Owners: if none of you did this, !pause")
    assert (await desk.last("policy"))[-1]["lines"][0] in rows


async def test_who_ceases_to_be_an_owner_is_told_as_well(desk: Desk) -> None:
    await desk.saves(BARE.replace("members: [ana, dan]", "members: [dan]"))
    assert await pushed(desk.room) == {ANA, DAN}


async def test_a_change_of_any_size_is_in_the_log_whole(desk: Desk) -> None:
    people = "".join(f'    d{n}: "@d{n}{"x" * 200}:example.org"\n' for n in range(400))
    await desk.saves(BARE.replace("  roles:\n", f"{people}  roles:\n", 1))
    records = [(await desk.last("policy"))[-1], *await desk.last("policy lines")]
    lines = [line for record in records for line in record["lines"]]
    assert len(records) > 2
    assert [line for line in lines if line.startswith("d399 is new: ")]
    assert len(lines) >= 400


async def test_who_stops_waiting_for_a_reload_takes_nothing_of_it_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    at, go = asyncio.Event(), asyncio.Event()
    taken = Reload._take

    async def slow(self: Reload, *args: Any) -> None:
        at.set()
        await go.wait()
        await taken(self, *args)

    monkeypatch.setattr(Reload, "_take", slow)
    desk.writes(WORSE)
    task = asyncio.create_task(desk.reload.again())
    await at.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go.set()
    await asyncio.gather(*desk.reload._edits)
    stored = await desk.room.db.read(lambda tx: meta.get(tx, "policy"))
    assert desk.room.live.in_force.text == stored == desk.path.read_text()


# --- the upgrade

SHARED = BARE.replace(
    "  deny: ",
    "    - {do: enableroom, per: person, max: 4, every: 1d}\n"
    "    - {do: enableroom, per: person, max: 3, every: 1d}\n  deny: ",
)
ODD_ID = BARE.replace('bo:  "@bo:example.org"', 'bo:  "@Bo:example.org"')
ODD_SERVER = BARE.replace(
    "  break_glass:",
    "    - {id: partner, do: purgeserver, where: {server: {server: Partner.Example}}}\n"
    "  break_glass:",
)
PROOF = BARE.replace("welcome:", "  who_can:\n    deactivate: [ana]\nwelcome:", 1)
TEST = BARE.replace("welcome:", "  tests:\n    - {as: bo, run: users, expect: deny}\nwelcome:", 1)
OLD = [
    (SHARED, "max: 3, every: 1d", "keep the line with the smaller max"),
    (ODD_ID, "@Bo:", "ids are in small letters; write @bo:example.org"),
    (BARE.replace('"@*:example.org"', '"@*:Example.org"'), "@*:Ex", "write @*:example.org"),
    (ODD_SERVER, "Partner.Example", "servers are in small letters; write partner.example"),
    (PROOF, "deactivate: [ana]", "who_can deactivate: dan, bo and cy can too"),
    (TEST, "expect: deny", "bo “users” should not be allowed; the answer is: allowed by line 18"),
]
"""A text that Sluice 1.0 took, what stands in the line that this one refuses, and its words."""


def line_of(text: str, needle: str) -> int:
    return next(n for n, line in enumerate(text.splitlines(), 1) if needle in line)


@pytest.mark.parametrize(("text", "needle", "remedy"), OLD)
async def test_an_accepted_text_goes_on_and_owners_are_told_once(
    desk: Desk, text: str, needle: str, remedy: str
) -> None:
    line = line_of(text, needle)
    await desk.ran_under_the_old_version(text)
    said = await desk.starts(version="1.1.0")
    assert not desk.room.live.problems, "safe mode"
    assert said[0].startswith("🔔 This version wants 1 line of the policy written differently.")
    row = next(row for row in said[0].split("\n") if row.startswith(f"Line {line}: "))
    assert row.endswith(remedy)
    assert await pushed(desk.room) == {ANA, DAN}
    assert any(f"Policy line {line}: " in row for row in await desk.room.types(ANA, "!status"))
    assert not any("This version" in row for row in await desk.starts(version="1.1.0"))
    assert not desk.room.live.problems, "the second start too"


@pytest.mark.parametrize(("text", "needle", "remedy"), OLD)
async def test_the_next_text_is_held_to_it(
    desk: Desk, text: str, needle: str, remedy: str
) -> None:
    before = desk.room.live.in_force.text
    (said,) = await desk.saves(text)
    line = line_of(text, needle)
    assert said.startswith(f"❗ Policy rejected, the old one stays. Line {line}: "), said
    assert remedy in said
    assert desk.room.live.in_force.text == before


async def test_an_account_in_another_spelling_has_no_right_and_all_protection(desk: Desk) -> None:
    await desk.ran_under_the_old_version(ODD_ID)
    await desk.starts(version="1.1.0")
    assert "Not allowed" not in "".join(await desk.room.types(CY, "!enableroom !x:example.org"))
    said = await desk.room.types(BO, "!enableroom !x:example.org")
    assert not any("ran" in row or "✅" in row for row in said), said
    del desk.room.fake.accounts[BO]
    said = await desk.room.types(ANA, "!adduser bo")
    assert "is an account that the policy names" in said[0]


async def test_a_condition_in_another_spelling_forbids_and_never_begins_to_allow(
    desk: Desk,
) -> None:
    text = ODD_SERVER.replace(
        "  require:", "    - {role: mod, do: purgeserver, where: {server: {server: Evil.Org}}}\n"
        "  require:",
    )  # fmt: skip
    await desk.ran_under_the_old_version(text)
    await desk.starts(version="1.1.0")
    line = "!can purgeserver partner.example 7d"
    assert (
        "purgeserver is forbidden for partner.example"
        in (await desk.room.types(ANA, line))[0].lower()
    )
    said = await desk.room.types(BO, "!can purgeserver evil.org 7d")
    assert "No, mods may use purgeserver only for Evil.Org" in said[0]


async def test_uses_count_on_after_the_upgrade(desk: Desk) -> None:
    text = BARE.replace(
        "  deny: ", "    - {do: enableroom, per: person, max: 2, every: 1d}\n  deny: "
    )
    await desk.ran_under_the_old_version(text)
    former = settings_of(text).policy.rules[-3].former
    now = desk.room.clock.now
    for number in (901, 902):
        await desk.room.db.write(
            lambda tx, n=number: limits.use(tx, former, BO, now - 60, 1, n, 1)
        )
    await desk.starts(version="1.1.0")
    said = await desk.room.types(BO, "!enableroom !x:example.org")
    assert "2 enableroom a day, and yours are used" in said[0], said


# --- a file that is not saved whole

NOBODY = [
    "",
    "# the whole of it is a remark\n",
    BARE.replace('ops_rooms: ["!opsroom:example.org"]', "ops_rooms: []"),
    BARE.replace("members: [ana, dan]", "members: []").replace(", {from: owner, n: 1}", ""),
]


@pytest.mark.parametrize("text", NOBODY)
async def test_a_text_that_nobody_could_take_back_is_not_taken(desk: Desk, text: str) -> None:
    assert text != BARE
    before = desk.room.live.in_force.text
    (said,) = await desk.saves(text)
    assert said.startswith("❗ Policy rejected, the old one stays. Line "), said
    assert "Is it saved whole?" in said
    assert desk.room.live.in_force.text == before
    assert await pushed(desk.room) == {ANA, DAN}


@pytest.mark.parametrize("text", NOBODY)
async def test_a_start_with_such_a_text_is_safe_mode_and_told(desk: Desk, text: str) -> None:
    said = await desk.starts(text)
    assert said[0].startswith("❗ Safe mode"), said
    assert "Is it saved whole?" in said[0]
    (said,) = await desk.saves(BARE)
    assert "safe mode is over" in said


async def test_the_first_half_of_a_file_is_not_taken_for_the_whole(desk: Desk) -> None:
    """A program empties the file and writes it in pieces; half of it is valid, and looser."""
    half = WORSE[: WORSE.index("  limit:")]
    assert problems_of(half) == []
    desk.writes("")
    os.utime(desk.path)
    desk.room.clock.go(1)
    reading = asyncio.ensure_future(desk.reload.again())
    for part in (half, WORSE):
        await asyncio.sleep(0.15)
        desk.path.write_text(part.replace("!opsroom:example.org", desk.room.room))
    assert await reading is None
    assert desk.room.live.in_force.text == desk.path.read_text()
    assert "limit wipes: 50 an hour (was 5)" in (await desk.room.news())[0]


# --- ids and servers

CANONICAL = [
    ("@Bo:example.org", "ids are in small letters; write @bo:example.org"),
    ("@bo:Example.org", "ids are in small letters; write @bo:example.org"),
    ("@bo:Matrix.Org", "ids are in small letters; write @bo:matrix.org"),
    ("@b~o:example.org", "no account of example.org can have this name (a-z 0-9 . _ = / + -)"),
]


@pytest.mark.parametrize(("written", "said"), CANONICAL)
def test_an_id_that_nobody_can_have_is_an_error(written: str, said: str) -> None:
    text = BARE.replace('"@bo:example.org"', f'"{written}"')
    assert problems_of(text) == [f"11: “{written}”: {said}"]


def test_an_old_id_of_another_server_is_none() -> None:
    assert problems_of(BARE.replace('"@bo:example.org"', '"@Bo:matrix.org"')) == []


@pytest.mark.parametrize("matcher", ["server: Partner.Example", 'server: [a.org, "B.org"]',
                                     'one_of: ["@x:Partner.Example"]'])  # fmt: skip
def test_a_server_in_a_condition_is_in_small_letters(matcher: str) -> None:
    line = f"    - {{do: media, where: {{user: {{{matcher}}}}}}}\n"
    (said,) = problems_of(BARE.replace("  break_glass:", f"{line}  break_glass:"))
    assert said.startswith("32: ")
    assert "small letters; write " in said


def test_a_server_that_calls_itself_so_keeps_its_capitals() -> None:
    text = 'policy: {people: {bo: "@bo:Example.Org"}, roles: {owner: {members: [bo]}}}'
    assert problems_of(text, server="Example.Org") == []
    assert problems_of(text, server="example.org") == [
        "1: “@bo:Example.Org”: ids are in small letters; write @bo:example.org"
    ]
    assert problems_of(f"server: Example.Org\n{text}", server=None)[0].startswith(
        "1: server: “Example.Org”: servers are in small letters"
    )
