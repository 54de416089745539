"""Attacks by people in the ops room: what they send is read as it comes from the server, and goes
the whole way to what is stored and said. Each test is named as the attack that it stops."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from attrs import evolve

from sluice.model.command import Kind
from sluice.model.event import event_of
from sluice.model.request import State
from sluice.policy.pattern import compile_pattern
from sluice.requests import reweigh, store
from sluice.settings import Settings, load
from tests.unit.ops import ANA, BO, CY, DAN, EVE, HAL, Ops, ops
from tests.unit.scenes import SERVER

ASK = "!deactivate @spam:example.org reason casino links in 6 rooms"


class Room:
    """The ops room's own reader of events, behind which everything is real."""

    def __init__(self, office: Ops) -> None:
        self.ops = office
        self._room = office.parts.ops_room(office.room)
        self._number = 0
        self._seen: set[str] = set()  # what the reader has marked: it does not come again

    async def event(self, sender: str, kind: str, content: Any, **more: Any) -> str:
        """One event of the timeline, handled and committed; its id."""
        self._number += 1
        event_id = more.pop("event_id", f"$attack{self._number}")
        event = {
            "event_id": event_id,
            "sender": sender,
            "type": kind,
            "content": content,
            "origin_server_ts": int(self.ops.clock.now * 1000),
            **more,
        }
        if (
            event_id not in self._seen
            and (handled := await self._room.take(event_of(event))) is not None
        ):
            self._seen.add(event_id)
            await self.ops._done(handled)
        return event_id

    async def says(self, sender: str, body: str, reply_to: str = "", **more: Any) -> str:
        """A message that stands in the room, read as an event."""
        content: dict[str, Any] = {"msgtype": "m.text", "body": body}
        if reply_to:
            content["m.relates_to"] = {"m.in_reply_to": {"event_id": reply_to}}
        where = self.ops.fake.put(self.ops.room, sender, "m.room.message", content)
        return await self.event(sender, "m.room.message", content, event_id=where, **more)

    async def edits(self, sender: str, original: str, body: str) -> str:
        new = {"msgtype": "m.text", "body": body}
        relation = {"rel_type": "m.replace", "event_id": original}
        content = {**new, "body": f"* {body}", "m.new_content": new, "m.relates_to": relation}
        return await self.event(sender, "m.room.message", content)

    async def taps(self, sender: str, target: str, key: str = "✅") -> str:
        relation = {"rel_type": "m.annotation", "event_id": target, "key": key}
        return await self.event(sender, "m.reaction", {"m.relates_to": relation})

    async def sent(self, key: str) -> str:
        """The event id of something that the bot said, as if it had been sent."""
        event_id = f"$of.{key}"
        query = "UPDATE sluice_outbox SET event_id=$1, state=1 WHERE key=$2 AND kind='message'"
        await self.ops.db.write(lambda tx: tx.execute(query, event_id, key))
        return event_id

    async def state(self, number: int) -> State:
        return (await self.ops.request(number)).state

    async def rows(self, query: str) -> list[Any]:
        return list(await self.ops.db.read(lambda tx: tx.fetch(query)))

    async def newest(self) -> int:
        return await self.ops.db.read(store.next_id) - 1

    async def everything(self) -> str:
        """All text that is stored anywhere."""
        tables = await self.rows("SELECT name FROM sqlite_master WHERE type='table'")
        found = []
        for table in tables:
            if table["name"].startswith("sluice_"):
                for row in await self.rows(f"SELECT * FROM {table['name']}"):
                    found.append(json.dumps([str(value) for value in row], ensure_ascii=False))
        return "\n".join(found)


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    async with ops() as made:
        yield Room(made)


# --- taking back what others asked for


@pytest.mark.parametrize("place", ["content", "event"])
async def test_a_redaction_that_the_server_never_applied_cancels_nothing(
    room: Room, place: str
) -> None:
    """On a room before version 11 anybody can send an m.room.redaction as a plain event; and what
    comes encrypted can call itself anything."""
    command = await room.says(BO, ASK)
    card = await room.sent("request.1.card")
    for target in (command, card):
        where = {"redacts": target}
        content, more = (where, {}) if place == "content" else ({}, where)
        await room.event(EVE, "m.room.redaction", content, **more)
        assert await room.state(1) is State.PENDING
    await room.event(BO, "m.room.redaction", {"redacts": command}, redacts=command)
    assert await room.state(1) is State.CANCELLED


async def test_who_may_remove_messages_still_cancels_by_it(room: Room) -> None:
    await room.says(BO, ASK)
    card = await room.sent("request.1.card")
    room.ops.power(CY, 50)
    await room.ops.look()
    await room.event(CY, "m.room.redaction", {"redacts": card})
    assert await room.state(1) is State.CANCELLED


async def test_a_stranger_does_not_close_the_question_of_somebody_else(room: Room) -> None:
    command = await room.says(BO, "!deactivate @spam:example.org")
    question = next(iter(room.ops.dialog._open.values()))
    await room.event(EVE, "m.room.redaction", {"redacts": command})
    assert question.key in room.ops.dialog._open


async def test_a_tap_on_the_question_of_somebody_else_is_nothing(room: Room) -> None:
    await room.says(ANA, "!users")
    question = next(iter(room.ops.dialog._open.values()))
    target = await room.sent(question.key)
    for who in (BO, EVE, HAL):
        await room.taps(who, target)
        await room.says(who, "yes", reply_to=target)
    assert await room.newest() == 0
    await room.taps(ANA, target)
    assert await room.state(1) is State.PENDING


# --- running something by an edit


@pytest.mark.parametrize("line", ["!pause", "!glass deactivate @spam:example.org reason none"])
async def test_an_edit_of_a_command_that_has_run_does_nothing_at_all(
    room: Room, line: str
) -> None:
    """Nobody looks at an old message: what is said there must not act."""
    command = await room.says(ANA, "!memory")
    await room.ops.runs(answer="x")
    await room.edits(ANA, command, line)
    assert await room.ops.db.read(store.pause) is None
    assert await room.newest() == 1
    last = await room.ops.last()
    assert "#1" in str(last["body"]) or "already" in str(last["body"])


async def test_an_edit_by_somebody_else_does_nothing(room: Room) -> None:
    command = await room.says(BO, ASK)
    await room.edits(CY, command, "!deactivate @max:example.org reason other")
    assert await room.newest() == 1
    assert await room.state(1) is State.PENDING


async def test_edits_of_messages_that_are_no_commands_cost_the_server_nothing(room: Room) -> None:
    """Anybody may edit anything, and the id they name may be whatever a proxy chokes on."""
    chat = await room.says(EVE, "hello")
    for original in (chat, "$unknown", "$" + "a" * 50_000, "../../x", "\ud800"):
        before = len(room.ops.fake.requests)
        try:
            await room.edits(EVE, original, "!users")
        except UnicodeEncodeError:
            assert original == "\ud800"  # no text at all; an error of that event alone
        assert len(room.ops.fake.requests) == before


# --- making everything slow


async def test_names_and_pictures_of_members_weigh_no_request_again(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every local user can change their display name as often as they like."""
    await room.says(BO, ASK)
    weighed = []
    real = reweigh.room_changed

    async def counted(*args: Any) -> None:
        weighed.append(args)
        await real(*args)

    monkeypatch.setattr(reweigh, "room_changed", counted)
    for name in ("a", "b"):
        member = {"membership": "join", "displayname": name}
        known = {"prev_content": {"membership": "join", "displayname": "e"}}
        await room.event(EVE, "m.room.member", member, state_key=EVE, unsigned=known)
    assert weighed == []
    await room.event(BO, "m.room.member", {"membership": "leave"}, state_key=BO)
    assert len(weighed) == 1
    assert await room.state(1) is State.CANCELLED


async def test_taps_of_strangers_are_not_kept(room: Room) -> None:
    """They are marked as seen, so that they do not count once somebody has a role."""
    await room.says(BO, ASK)
    card = await room.sent("request.1.card")
    for _ in range(3):
        tap = await room.taps(EVE, card)
        assert tap in room._seen
    assert await room.rows("SELECT * FROM sluice_vote") == []


async def test_the_longest_list_breaks_neither_the_relay_nor_the_clock(room: Room) -> None:
    """A record of the log has a largest size, and short names become long accounts."""
    names = [f"s{number:04}" for number in range(1000)]
    for name in names:
        room.ops.fake.register(name)
    await room.says(ANA, "!deactivateall reason x\n" + "\n".join(names))
    assert await room.state(1) is State.PENDING
    room.ops.clock.go(7200)
    await room.ops.db.write(lambda tx: reweigh.tick(room.ops.desk(tx, room.ops.room)))
    assert await room.state(1) is State.EXPIRED


async def test_a_reason_in_a_reply_is_as_short_as_one_in_the_line(room: Room) -> None:
    await room.says(BO, "!deactivate @spam:example.org")
    question = next(iter(room.ops.dialog._open.values()))
    target = await room.sent(question.key)
    await room.says(BO, "ü" * 20_000, reply_to=target)
    assert await room.newest() == 0
    assert "512" in str((await room.ops.last())["body"])


# --- passwords that people type


@pytest.mark.parametrize(
    "line",
    [
        "!crate-user alice hunter2hunter2",
        "!creat-user alice hunter2hunter2",
        "!resetpwd alice hunter2hunter2",
        "!reset-pasword alice hunter2hunter2",
        "!create-user alice hunter2hunter2",
        "!reset-password alice hunter2hunter2",
        "!adduser alice hunter2hunter2hunter2hunter2",
        "!adduser alice Hunter2hunter2!",
        "!addusr alice hunter2hunter2",
        "!can adduser alice hunter2hunter2",
        "!can create-user alice hunter2hunter2",
        "!can adduser alice hunter2hunter2hunter2hunter2",
    ],
)
@pytest.mark.parametrize("who", [HAL, BO, ANA])
async def test_what_may_be_a_password_is_neither_said_nor_stored(
    room: Room, line: str, who: str
) -> None:
    await room.says(who, line)
    for row in await room.rows("SELECT content FROM sluice_outbox"):
        assert "unter2" not in row["content"]
    assert "unter2" not in await room.everything()


# --- a new password for somebody with rights


async def reset(room: Room, who: str, voter: str) -> int:
    """who asks for cy's password, voter agrees: the number."""
    await room.says(who, "!resetpw cy")
    number = await room.newest()
    await room.taps(voter, await room.sent(f"request.{number}.card"))
    return number


async def test_a_second_reset_that_fails_gives_no_role_back(room: Room) -> None:
    """Whoever got the first password would be two people, for the price of a failed line."""
    room.ops.live.settings = await without_staff(room)
    first = await reset(room, BO, DAN)
    await room.ops.runs(answer="x")
    assert await room.state(first) is State.DONE
    room.ops.clock.go(61)  # else it is asked back
    second = await reset(room, BO, DAN)
    await room.ops.runs(Kind.REFUSED, answer="x")
    assert await room.state(second) is State.REFUSED
    assert CY in await room.ops.db.read(lambda tx: store.distrusted(tx, room.ops.clock.now))


async def test_who_asked_for_the_first_password_does_not_trust_after_the_second(
    room: Room,
) -> None:
    room.ops.live.settings = await without_staff(room)
    for who, voter in ((ANA, DAN), (DAN, ANA)):
        await reset(room, who, voter)
        await room.ops.runs(answer="x")
    for owner in (ANA, DAN):
        await room.says(owner, "!trust cy")
        assert CY in await room.ops.db.read(lambda tx: store.distrusted(tx, room.ops.clock.now))


async def without_staff(room: Room) -> Settings:
    """The policy without the line that forbids new passwords of mods."""
    before = str(room.ops.live.in_force.text)
    text = before.replace('["#destructive", resetpw]', '["#destructive"]')
    loaded = load(text, server=SERVER, now=room.ops.clock.now)
    assert loaded.settings is not None, loaded.errors
    return loaded.settings


# --- who is asked, who is heard


@pytest.mark.parametrize(
    "line", ["!users", "!help", "!help adduser", "!can", "!nosuch", "!status"]
)
async def test_who_has_no_role_learns_nothing(room: Room, line: str) -> None:
    name = {"membership": "join", "displayname": "ana (owner)"}
    await room.event(EVE, "m.room.member", name, state_key=EVE)
    await room.says(EVE, line)
    await room.says(EVE, f"@sluice:example.org {line}")
    assert await room.rows("SELECT * FROM sluice_outbox") == []
    assert await room.newest() == 0


@pytest.mark.parametrize("seconds", [-600, 600, 10**9])
async def test_a_timestamp_only_makes_a_command_too_old(room: Room, seconds: int) -> None:
    stamp = int((room.ops.clock.now + seconds) * 1000)
    await room.says(BO, ASK, origin_server_ts=stamp)
    assert await room.newest() == 0


async def test_a_card_that_somebody_else_wrote_is_no_card(room: Room) -> None:
    await room.says(BO, ASK)
    await room.sent("request.1.card")
    fake = await room.says(BO, "✋ #1 Approve? bo asks: deactivate @spam:example.org")
    await room.taps(CY, fake)
    await room.says(CY, "yes", reply_to=fake)
    assert await room.rows("SELECT * FROM sluice_vote") == []


async def test_a_vote_that_did_not_count_does_not_count_when_it_is_read_again(room: Room) -> None:
    await room.says(BO, ASK)
    card = await room.sent("request.1.card")
    relation = {"rel_type": "m.annotation", "event_id": card, "key": "✅"}
    taps = [(HAL, "$hal"), (EVE, "$eve")]
    for who, event_id in taps:
        await room.event(who, "m.reaction", {"m.relates_to": relation}, event_id=event_id)
    text = room.ops.live.in_force.text.replace("members: [bo, cy]", "members: [bo, cy, hal, eve]")
    text = text.replace(
        "    cy:  ", '    hal: "@hal:example.org"\n    eve: "@eve:example.org"\n    cy:  '
    )
    text = text.replace("  tests:", "  x:").partition("  x:")[0]
    loaded = load(text, server=SERVER, now=room.ops.clock.now)
    assert loaded.settings is not None, loaded.errors
    room.ops.live.settings = loaded.settings
    for who, event_id in taps:
        await room.event(who, "m.reaction", {"m.relates_to": relation}, event_id=event_id)
        assert (await room.ops.request(1)).queued_since is None
    await room.taps(HAL, card)
    assert (await room.ops.request(1)).queued_since is not None


async def test_a_vote_whose_content_was_emptied_from_elsewhere_stands(room: Room) -> None:
    """On Conduit anybody can empty any message by its id, from another room, without a trace in
    this one."""
    command = await room.says(BO, ASK)
    card = await room.sent("request.1.card")
    await room.taps(CY, card)
    place = room.ops.fake.rooms[room.ops.room]
    for _, event in place.events:
        if event["event_id"] == command:
            event["content"] = {}
    await room.event(CY, "m.reaction", {}, event_id="$emptied")
    assert (await room.ops.request(1)).queued_since is not None


async def test_a_command_in_clear_does_not_run_in_an_encrypted_room(room: Room) -> None:
    sealed = {"algorithm": "m.megolm.v1.aes-sha2"}
    await room.event(ANA, "m.room.encryption", sealed, state_key="")
    command = await room.says(BO, ASK)
    await room.edits(BO, command, ASK)
    assert await room.newest() == 0


async def test_a_room_that_anybody_can_join_changes_nothing(room: Room) -> None:
    await room.event(ANA, "m.room.join_rules", {"join_rule": "public"}, state_key="")
    await room.says(BO, ASK)
    assert await room.newest() == 0
    await room.says(HAL, "!memory")
    assert await room.newest() == 1


async def test_while_the_emergency_password_is_set_only_status_answers(room: Room) -> None:
    room.ops.conduit.learn(evolve(room.ops.conduit.health, emergency=True))
    for line in (ASK, "!memory", "!adduser alice"):
        await room.says(BO, line)
    assert await room.newest() == 0
    await room.says(BO, "!status")
    assert "emergency" in str((await room.ops.last())["body"]).lower()


def test_an_expression_of_the_policy_matches_in_a_moment_whatever_it_is_given() -> None:
    pattern = compile_pattern("[a-z]*[a-z0-9]*[a-z]*x")
    began = time.perf_counter()
    for _ in range(20):
        assert not pattern.fits("a" * 255)
    assert time.perf_counter() - began < 2


async def test_a_server_that_never_answers_does_not_hold_up_the_room(room: Room) -> None:
    """The least role can ask about any account of any server, one after the other."""
    before = len(room.ops.fake.requests)
    await room.says(HAL, "!who @x:silent.example")
    assert len(room.ops.fake.requests) == before
    assert "another server" in str((await room.ops.last())["body"])
