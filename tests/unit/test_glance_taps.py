"""Taps below what the bot said: undo, again, how it ended, was it right. Each leads to what its
person could have typed, once, and also after a restart."""

from __future__ import annotations

import pytest

from sluice.catalog.table import COMMANDS
from sluice.chat.results import result
from sluice.chat.undo import reverse
from sluice.model.command import Invocation, Kind, Outcome
from sluice.model.request import Review, State
from sluice.model.result import How, Part
from sluice.requests import finish, guard, reweigh
from sluice.requests.standing import ending_of
from tests.unit.ops import ANA, BO, CY, DAN, EVE, HAL
from tests.unit.scenes import here
from tests.unit.test_attacks import ASK, Room
from tests.unit.test_attacks import room as room

UNDO, AGAIN = "↩️", "🔁"
MAX = "@max:example.org"


async def ran(room: Room, kind: Kind = Kind.DONE, code: str = "x") -> str:
    """The next in line runs, and ends like this; its result."""
    desk = room.ops.desk
    turn = await room.ops.db.read(lambda tx: guard.next_turn(desk(tx)))
    assert turn is not None
    planned = room.ops.planned((await room.ops.request(turn.request)).invocation)
    went = await room.ops.db.write(lambda tx: guard.begin(desk(tx), turn, planned, {}))
    assert isinstance(went, guard.Go)
    outcome = Outcome(kind, code)

    async def ends(tx: object) -> None:
        here_ = desk(tx, room.ops.room)
        await guard.line_settled(here_, turn, outcome)
        ending = await ending_of(here_, went.request, How.ANSWERED)
        parts = [Part(planned[0].items, outcome)]
        message = result(here_.here, ending, went.request.invocation, parts)
        await finish.settled(here_, turn.request, message)

    await room.ops.db.write(ends)
    return await room.sent(f"request.{turn.request}.end")


async def deactivated(room: Room) -> str:
    """max is, by bo with cy's vote; the result."""
    await room.says(BO, ASK.replace("spam", "max"))
    await room.taps(CY, await room.sent("request.1.card"))
    event = await ran(room)
    await room.ops.news()
    return event


async def tap(room: Room, who: str, event: str, key: str) -> list[str]:
    """What comes of it."""
    await room.ops.news()
    before = room.ops._read
    await room.taps(who, event, key)
    room.ops._read = before
    return await room.ops.news()


async def restarts(room: Room) -> None:
    """Everything that was only in memory is gone."""
    room.ops.start(room.ops.live.in_force)
    await room.ops.look()
    room._room = room.ops.parts.ops_room(room.ops.room)


@pytest.mark.parametrize("key", [UNDO, "↩"])
@pytest.mark.parametrize("again", [False, True])
async def test_undo_is_the_reverse_command_of_who_taps(room: Room, key: str, again: bool) -> None:
    event = await deactivated(room)
    if again:
        await restarts(room)
    await tap(room, BO, event, key)
    made = await room.ops.request(2)
    assert made.invocation == Invocation("resetpw", (("user", MAX),))
    assert (made.mxid, made.command, made.state) == (BO, event, State.PENDING)


async def test_a_button_leads_to_one_request(room: Room) -> None:
    event = await deactivated(room)
    await tap(room, BO, event, UNDO)
    for who in (BO, CY, ANA):
        (said,) = await tap(room, who, event, UNDO)
        assert said == "📋 #2 does that already, asked by bo."
    assert await room.newest() == 2


async def test_two_taps_whose_looks_go_on_beside_make_one_request(room: Room) -> None:
    event = await deactivated(room)
    button = {"rel_type": "m.annotation", "event_id": event, "key": UNDO}
    from sluice.model.event import event_of

    handled = []
    for n, who in enumerate((BO, CY)):
        raw = {"event_id": f"$both{n}", "sender": who, "type": "m.reaction",
               "content": {"m.relates_to": button},
               "origin_server_ts": int(room.ops.clock.now * 1000)}  # fmt: skip
        handled.append(await room._room.take(event_of(raw)))
    for each in handled:
        await room.ops._done(each)
    assert await room.newest() == 2


async def test_after_ten_minutes_undo_is_answered(room: Room) -> None:
    event = await deactivated(room)
    room.ops.clock.go(601)
    (said,) = await tap(room, BO, event, UNDO)
    assert said == "⛔ Not run: ↩️ is over after 10 minutes. Now type !resetpw max"
    assert await room.newest() == 1


async def test_another_person_asks_in_their_own_name(room: Room) -> None:
    event = await deactivated(room)
    said = await tap(room, CY, event, UNDO)
    assert "📋 cy asked for this, not bo: it counts as their own." in said
    assert (await room.ops.request(2)).mxid == CY


async def test_who_lacks_the_right_gets_the_no_of_the_command(room: Room) -> None:
    event = await deactivated(room)
    (said,) = await tap(room, HAL, event, UNDO)
    assert said.startswith("⛔ Not allowed")
    assert await room.state(2) is State.REJECTED
    await tap(room, BO, event, UNDO)
    assert await room.state(3) is State.PENDING, "a no to one does not use it up"


@pytest.mark.parametrize("key", [UNDO, AGAIN, "✅", "❌", "1️⃣"])
async def test_a_tap_of_a_stranger_does_nothing(room: Room, key: str) -> None:
    event = await deactivated(room)
    assert await tap(room, EVE, event, key) == []
    assert await room.newest() == 1


@pytest.mark.parametrize("key", [AGAIN, "✅", "❌", "👍", "↪️"])
async def test_a_sign_that_the_bot_did_not_put_there_does_nothing(room: Room, key: str) -> None:
    event = await deactivated(room)
    assert await tap(room, BO, event, key) == []
    assert await room.newest() == 1


async def test_a_sign_below_other_messages_does_nothing(room: Room) -> None:
    mine = await room.says(BO, "hello")
    await room.says(BO, ASK)
    card = await room.sent("request.1.card")
    for event in (mine, card):
        for key in (UNDO, AGAIN):
            assert await tap(room, CY, event, key) == []
    assert await room.newest() == 1


async def test_an_old_tap_is_not_run(room: Room) -> None:
    event = await deactivated(room)
    relates = {"rel_type": "m.annotation", "event_id": event, "key": UNDO}
    stamp = int((room.ops.clock.now - 400) * 1000)
    content = {"m.relates_to": relates}
    await room.event(BO, "m.reaction", content, origin_server_ts=stamp)
    assert await room.newest() == 1
    said = await room.ops.last()
    assert said["body"].startswith("⛔ Not run: !resetpw @max of ")


async def test_a_tap_that_is_taken_back_takes_its_request_back(room: Room) -> None:
    event = await deactivated(room)
    tapped = await room.taps(BO, event, UNDO)
    await room.event(BO, "m.room.redaction", {"redacts": tapped}, redacts=tapped)
    assert await room.state(2) is State.CANCELLED


# --- again


async def expired(room: Room, line: str = ASK) -> str:
    await room.says(BO, line)
    number = await room.newest()
    room.ops.clock.go(3601)
    await room.ops.db.write(lambda tx: reweigh.tick(room.ops.desk(tx)))
    return await room.sent(f"request.{number}.end")


@pytest.mark.parametrize("again", [False, True])
async def test_what_expired_is_asked_anew_with_a_card(room: Room, again: bool) -> None:
    event = await expired(room)
    if again:
        await restarts(room)
    said = await tap(room, BO, event, AGAIN)
    assert any(text.startswith("✋") for text in said)
    first, anew = await room.ops.request(1), await room.ops.request(2)
    assert (anew.invocation, anew.mxid, anew.state) == (first.invocation, BO, State.PENDING)


async def test_who_taps_again_for_another_cannot_vote_on_it(room: Room) -> None:
    event = await expired(room)
    await tap(room, CY, event, AGAIN)
    assert (await room.ops.request(2)).mxid == CY
    card = await room.sent("request.2.card")
    await room.taps(CY, card)
    assert await room.ops.db.read(lambda tx: guard.next_turn(room.ops.desk(tx))) is None
    await room.taps(BO, card)
    turn = await room.ops.db.read(lambda tx: guard.next_turn(room.ops.desk(tx)))
    assert turn is not None
    assert turn.request == 2


async def test_what_expired_again_can_be_asked_again(room: Room) -> None:
    event = await expired(room)
    await tap(room, BO, event, AGAIN)
    room.ops.clock.go(3601)
    await room.ops.db.write(lambda tx: reweigh.tick(room.ops.desk(tx)))
    assert await room.state(2) is State.EXPIRED
    await tap(room, BO, event, AGAIN)
    assert await room.state(3) is State.PENDING


async def missed(room: Room, who: str, line: str) -> str:
    stamp = int((room.ops.clock.now - 400) * 1000)
    event = await room.says(who, line, origin_server_ts=stamp)
    return await room.sent(f"reply.{event}")


@pytest.mark.parametrize("again", [False, True])
async def test_a_command_that_came_too_late_is_read_anew(room: Room, again: bool) -> None:
    event = await missed(room, BO, ASK)
    assert await room.newest() == 0
    if again:
        await restarts(room)
    await tap(room, BO, event, AGAIN)
    made = await room.ops.request(1)
    assert (made.mxid, made.invocation.reason) == (BO, "casino links in 6 rooms")


async def test_a_vote_that_came_too_late_is_not_given_by_a_tap(room: Room) -> None:
    await room.says(BO, ASK)
    event = await missed(room, CY, "!approve 1")
    assert await tap(room, CY, event, AGAIN) == []
    assert await room.ops.db.read(lambda tx: guard.next_turn(room.ops.desk(tx))) is None


async def test_a_look_that_failed_is_asked_anew_once(room: Room) -> None:
    await room.says(BO, "!config")
    event = await ran(room, Kind.UNKNOWN, "unrecognised")
    assert await room.state(1) is State.FAILED
    await tap(room, BO, event, AGAIN)
    assert (await room.ops.request(2)).invocation == Invocation("config")
    await tap(room, BO, event, AGAIN)
    assert await room.newest() == 2


@pytest.mark.parametrize("code", ["silent", "lost"])
async def test_a_list_that_may_have_stopped_conduit_is_not_offered_again(
    room: Room, code: str
) -> None:
    for line in ("!media", "!blocked", "!users"):
        name = line[1:]
        request = Invocation(name)
        made = over_failed(request, code)
        assert made.taps == ()
        assert "Send it again" not in made.body
        assert "only an owner" in made.body


def over_failed(what: Invocation, code: str):  # type: ignore[no-untyped-def]
    from sluice.model.result import Ending

    ending = Ending(1, "bo", BO, what.command, again=True)
    return result(here(), ending, what, [Part((), Outcome(Kind.UNKNOWN, code))])


# --- how it ended


async def unknown(room: Room) -> str:
    await room.says(BO, ASK.replace("spam", "max"))
    await room.taps(CY, await room.sent("request.1.card"))
    return await ran(room, Kind.UNKNOWN, "silent")


@pytest.mark.parametrize(("key", "state"), [("✅", State.DONE), ("❌", State.FAILED)])
@pytest.mark.parametrize("again", [False, True])
async def test_how_it_ended_is_said_by_a_tap(
    room: Room, key: str, state: State, again: bool
) -> None:
    event = await unknown(room)
    if again:
        await restarts(room)
    for who in (BO, HAL, EVE):
        await tap(room, who, event, key)
        assert await room.state(1) is State.UNKNOWN, who
    await tap(room, CY, event, "👍")
    assert await room.state(1) is State.UNKNOWN, "seen, not done"
    said = await tap(room, CY, event, key)
    assert await room.state(1) is state
    assert any("says cy · #1" in text for text in said)


async def test_who_may_not_say_it_is_told_who_can(room: Room) -> None:
    event = await unknown(room)
    (said,) = await tap(room, BO, event, "✅")
    assert said == "⛔ You asked for it, so somebody else must say how it ended: cy, ana or dan."


# --- was it right


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize(
    ("key", "verdict"), [("✅", Review.IN_ORDER), ("❌", Review.NOT_IN_ORDER)]
)
async def test_break_glass_is_reviewed_by_a_tap(
    room: Room, key: str, verdict: Review, again: bool
) -> None:
    await room.says(ANA, "!glass deactivate @max:example.org reason floods")
    event = await room.sent("request.1.card")
    await ran(room)
    if again:
        await restarts(room)
    for who in (ANA, BO, EVE):
        await tap(room, who, event, key)
        assert (await room.ops.request(1)).review is Review.OPEN, who
    await tap(room, DAN, event, key)
    assert (await room.ops.request(1)).review is verdict


async def test_the_reminder_of_a_review_is_tapped_too(room: Room) -> None:
    await room.says(ANA, "!glass deactivate @max:example.org reason floods")
    await ran(room)
    room.ops.clock.go(86_401)
    await room.ops.db.write(lambda tx: reweigh.tick(room.ops.desk(tx)))
    event = await room.sent("request.1.due.1")
    await tap(room, DAN, event, "✅")
    assert (await room.ops.request(1)).review is Review.IN_ORDER
    (said,) = await tap(room, DAN, event, "✅")
    assert "too late" in said


# --- what is offered


def test_undo_is_offered_where_one_command_takes_all_of_it_back() -> None:
    for name, command in COMMANDS.items():
        sample = command.sample("example.org")
        back = reverse(sample)
        if back is not None:
            assert COMMANDS[back.command].name == back.command, name
    many = Invocation("deactivateall", (("user", ("@a:example.org", "@b:example.org")),))
    assert reverse(many) is None
    files = Invocation("block", (("mxc", ("mxc://a/1", "mxc://a/2")),))
    assert reverse(files) == Invocation("unblock", files.args)
