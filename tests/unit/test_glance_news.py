"""What the server and the bot tell by themselves, as a tired person meets it on a phone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from sluice.audit import SEAL
from sluice.state import Window
from tests.unit.ops import ANA, BO, CY, DAN, EVE, HAL, POLICY, Ops, ops
from tests.unit.scenes import SERVER
from tests.unit.test_understood_replies import Chat, restart


@pytest.fixture
async def office() -> AsyncIterator[Ops]:
    async with ops() as made:
        yield made


# --- the seals of the log


async def seals(office: Ops) -> list[dict[str, Any]]:
    """What every server in the ops room keeps."""
    await office.parts.sender.drain()
    events = [event for _, event in office.fake.rooms[office.room].events]
    return [event["content"] for event in events if event["type"] == SEAL]


async def said(office: Ops) -> list[str]:
    await office.parts.sender.drain()
    return office.fake.bodies(office.room, office.live.me)


async def test_a_seal_is_kept_by_every_server_and_shown_by_no_client(office: Ops) -> None:
    await office.parts.timers.tick()
    for number in range(60):
        await office.record("policy", new=str(number))
    office.clock.go(60)
    await office.parts.timers.tick()
    (seal,) = await seals(office)
    assert seal["entries"] == 61
    assert len(seal["head"]) == 64
    assert await said(office) == []


async def test_once_a_day_the_seal_is_said_as_it_is_checked(office: Ops) -> None:
    await office.parts.timers.tick()
    for _ in range(3):
        await office.record("policy", new="x")
        office.clock.go(86_400)
        await office.parts.timers.tick()
    kept, shown = await seals(office), await said(office)
    lines = [text.split("\n")[1] for text in shown if "seal" in text]
    assert lines == [f"{seal['entries']}:{seal['head']}" for seal in kept]
    assert len(lines) == 3


async def test_a_seal_is_sent_once_whatever_the_answer_was(office: Ops) -> None:
    """The row is over once it stands in the room, and is no message that anybody can answer."""
    await office.db.write(lambda tx: office.outbox.keep(tx, office.room, SEAL, {"entries": 1}))
    await office.parts.sender.drain()
    await office.parts.sender.drain()
    assert len(await seals(office)) == 1
    assert await office.db.read(lambda tx: office.outbox.rooms(tx)) == set()


# --- a wave of registrations


def registered(name: str) -> dict[str, Any]:
    body = f"New user @{name}:{SERVER} registered on this server."
    return {"msgtype": "m.notice", "body": body}


class Room(Chat):
    """An ops room that is read, with what the server says by itself."""

    async def tells(self, content: dict[str, Any], at: float | None = None) -> list[str]:
        """What comes of a notice, now and in the next second."""
        self.count = getattr(self, "count", 0) + 1
        take = self.ops.parts.notices.take
        event = f"$notice{self.count}"
        await self.ops.db.write(lambda tx: take(tx, event, content, False, at))
        return await self.ticks()

    async def ticks(self, seconds: float = 0.0) -> list[str]:
        self.ops.clock.go(seconds)
        if self.ops.parts.notices.due:
            await self.ops.db.write(self.ops.parts.notices.tick)
        return await self.ops.news()

    async def key(self, start: str) -> str:
        query = "SELECT key FROM sluice_outbox WHERE kind = 'message' ORDER BY id DESC"
        rows = await self.ops.db.read(lambda tx: tx.fetch(query))
        return next(row["key"] for row in rows if row["key"].startswith(start))

    async def come(self, *names: str) -> list[str]:
        """These register, one a second."""
        said = []
        for name in names:
            self.fake.register(name)
            said += await self.tells(registered(name))
            said += await self.ticks(1)
        return said

    def newest_of(self, who: str) -> str:
        events = (event for _, event in reversed(self.fake.rooms[self.ops.room].events))
        return next(str(event["event_id"]) for event in events if event["sender"] == who)

    async def redact(self, who: str, event: str) -> list[str]:
        self.deletes(who, event)
        return await self.reads()

    async def pushed(self) -> list[str]:
        content = await self.ops.last()
        return list(content["m.mentions"].get("user_ids", []))


@pytest.fixture
async def room(office: Ops) -> Room:
    made = Room(office)
    await made.reader.load()
    await made.reads()
    return made


async def test_the_third_within_a_minute_pushes_who_can_act_and_once_only(room: Room) -> None:
    assert [s[0] for s in await room.come("q1", "q2")] == ["🔔", "🔔"]
    (alarm, eyes) = await room.come("q3")
    assert alarm.startswith("❗ 3 new accounts in 1 minute. Spam wave?\nq1 to q3")
    assert eyes == "[👀]"
    assert set(await room.pushed()) == {ANA, DAN}
    later = await room.come(*(f"q{n}" for n in range(4, 16)))
    assert all(text.startswith("(edited) ❗ ") for text in later)
    assert 1 <= len(later) <= 4, "an edit every few seconds"
    (last,) = await room.ticks(20) or later[-1:]
    assert "❗ 15 new accounts in 1 minute" in last


async def test_three_that_do_not_come_together_are_no_wave(room: Room) -> None:
    for name in ("anna", "berta", "carla", "dora"):
        (said,) = await room.tells(registered(name))
        assert said.startswith(f"🔔 New account: @{name}\n")
        room.ops.clock.go(31)


async def test_what_was_read_late_is_dated_by_the_server(room: Room) -> None:
    """After a night without the bot five who came hours apart are read within a second."""
    now = room.ops.clock.now
    for n in range(5):
        (said,) = await room.tells(registered(f"late{n}"), now - 9000 + 1500 * n)
        assert said.startswith("🔔 New account: ")


async def test_the_state_of_registration_is_as_it_is_then(room: Room) -> None:
    state = room.ops.parts.ground.registration
    state.is_now(Window(1, "ana", room.ops.clock.now + 600), True)
    (alarm, _) = (await room.come("q1", "q2", "q3"))[2:]
    assert "\nRegistration is on until 14:13 UTC.\nClose it: !registration off\n" in alarm
    state.is_now(None, False)
    (edit,) = await room.ticks(10)
    assert "\nRegistration is off.\n" in edit


async def test_a_wave_goes_on_after_a_restart_with_all_its_names(room: Room) -> None:
    await room.come("q1", "q2", "q3", "q4")
    await restart(room)
    said = await room.come("q5") + await room.ticks(6)
    assert said, "it is told"
    assert all(text.startswith("(edited) ❗ 5 new accounts") for text in said[-1:])
    assert "q1 to q5" in said[-1]
    (over,) = await room.ticks(700)
    assert "I go on counting" not in over
    assert await room.ticks(6) == []
    assert (await room.come("anna"))[0].startswith("🔔 New account: @anna")


@pytest.mark.parametrize("again", [False, True])
async def test_a_reply_is_about_all_that_was_told_and_frozen_in_the_question(
    room: Room, again: bool
) -> None:
    await room.come("q1", "q2", "q3", "q4", "petunia")
    await room.ticks(10)
    if again:
        await restart(room)
    event = await room.id_of(await room.key("wave."))
    (question, *_) = await room.said(ANA, "!deactivateall reason spam wave", event)
    assert question.startswith("❓ deactivateall for these 5 accounts? Tap ✅.\nq1 to q4\n")
    assert "Also, not like those: petunia" in question
    await room.come("q5", "q6")
    await room.ticks(10)
    await room.tap(ANA, await room.question())
    request = await room.ops.request(1)
    assert len(request.invocation.values("user")) == 5
    (question, *_) = await room.said(ANA, "!deactivateall reason more of it", event)
    assert "these 7 accounts" in question


async def test_whoever_may_act_is_pushed_and_only_who_is_in_the_room() -> None:
    line = '    - {role: mod, do: "#inspect"}\n'
    mods = POLICY.replace(line, f"{line}    - {{role: mod, do: registration.set}}\n")
    async with ops(mods) as office:
        made = Room(office)
        made.fake.leave(office.room, CY)
        await office.look()
        await made.come("q1", "q2", "q3")
        assert set(await made.pushed()) == {ANA, BO, DAN}


# --- reports


def reported(by: str, about: str, why: str, event: str = "$said") -> dict[str, Any]:
    body = (
        f'Report received from: {by}\n\nEvent ID: "{event}"\nRoom ID: Some("!r:{SERVER}")\n'
        f'Sent By: "{about}"\n\nReport Score: None\nReport Reason: Some("{why}")'
    )
    return {"msgtype": "m.text", "body": body}


async def test_reports_of_one_account_are_one_message_also_after_a_restart(room: Room) -> None:
    (first, eyes) = await room.tells(reported(BO, EVE, "advert"))
    assert first.startswith("🔔 @eve was reported by @bo\nWhy: “advert”\n")
    assert eyes == "[👀]"
    await restart(room)
    said = []
    for who in (HAL, CY, HAL):
        room.ops.clock.go(61)
        said += await room.tells(reported(who, EVE, "again"))
    assert all(text.startswith("(edited) 🔔 @eve: ") for text in said)
    assert said[-1].startswith("(edited) 🔔 @eve: 4 reports in 4 minutes by 3 people")
    await room.ticks(700)
    assert (await room.tells(reported(BO, EVE, "x")))[0].startswith("🔔 @eve was reported")


async def test_a_reply_to_a_folded_report_is_about_whom_it_accuses(room: Room) -> None:
    await room.tells(reported(BO, EVE, "advert"))
    await room.tells(reported(CY, EVE, "advert"))
    event = await room.id_of(await room.key("notice."))
    (who,) = await room.said(CY, "!who", event)
    assert f"@eve:{SERVER}" in who


async def test_a_flood_of_reports_of_many_is_few_messages(room: Room) -> None:
    said = []
    for n in range(60):
        said += await room.tells(reported(EVE, f"@u{n}:{SERVER}", "bad"))
        said += await room.ticks(1)
    new = [text for text in said if text.startswith("🔔")]
    assert len(new) == 3
    assert len(said) < 30


# --- who looks after it


async def test_who_taps_the_eyes_is_shown_until_that_is_taken_back(room: Room) -> None:
    await room.tells(reported(HAL, EVE, "advert"))
    event = await room.key("notice.")
    (edit,) = await room.tap(BO, event, "👀")
    assert edit.endswith("\n👀 bo is looking")
    tapped = room.newest_of(BO)
    await restart(room)
    room.ops.clock.go(1)
    (edit,) = await room.tap(CY, event, "👀\ufe0f")
    assert edit.endswith("\n👀 bo and cy are looking")
    await room.tells(reported(BO, EVE, "more"))
    (edit,) = await room.ticks(10)
    assert ": 2 reports" in edit
    assert edit.endswith("\n👀 bo and cy are looking")
    (edit,) = await room.redact(BO, tapped)
    assert edit.endswith("\n👀 cy is looking")


@pytest.mark.parametrize("who", [EVE, f"@gone:{SERVER}"])
async def test_who_has_no_role_here_looks_after_nothing(room: Room, who: str) -> None:
    await room.tells(reported(HAL, EVE, "advert"))
    assert await room.tap(who, await room.key("notice."), "👀") == []


async def test_eyes_on_anything_else_mean_nothing(room: Room) -> None:
    await room.said(BO, "!who eve")
    assert await room.tap(BO, f"reply.{room.last}", "👀") == []


async def test_nobody_takes_back_the_look_of_another(room: Room) -> None:
    """On Conduit anybody can erase any event, with a redaction in a room of their own."""
    await room.tells(reported(HAL, EVE, "advert"))
    await room.tap(BO, await room.key("notice."), "👀")
    room.erases(room.newest_of(BO))
    assert await room.reads() == []
    room.ops.clock.go(1)
    (edit,) = await room.tap(CY, await room.key("notice."), "👀")
    assert edit.endswith("bo and cy are looking")
