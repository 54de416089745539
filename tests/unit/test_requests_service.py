"""What the scenes do not show of requests: rights, limits, lines, trust; on every database."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mautrix.util.async_db import Database as Pool

from sluice.db.connection import Database
from sluice.db.migrations import upgrade_table
from sluice.families.dialects import lines
from sluice.model.command import Dialect, Invocation, Kind, Outcome
from sluice.model.decision import Decision, Slot, Verdict
from sluice.model.request import (
    LineState,
    Rejection,
    Request,
    Review,
    Side,
    State,
    Via,
    Why,
    WhyKind,
)
from sluice.requests import finish, guard, limits, measures, reweigh, store, submit, voting
from sluice.requests.guard import Go, Stop, Turn, Wait
from sluice.requests.voting import Ballot
from sluice.text.message import Sign
from sluice.text.phrases import say
from sluice.view import Readiness
from tests.machine.office import (
    ANA,
    BO,
    CY,
    DAN,
    HAL,
    NOON,
    ROOM,
    SERVER,
    Office,
    Tiny,
    empty,
    invocation,
    settings,
)

POLICY = (Path(__file__).parents[1] / "machine" / "policy.yaml").read_text(encoding="utf-8")
OPEN = """
ops_rooms: ["!opsroom:example.org"]
policy:
  people: {ana: ["@ana:example.org", "@ana:matrix.org"], dan: "@dan:example.org",
           bo: "@bo:example.org", cy: "@cy:example.org"}
  roles:
    mod: {members: [bo, cy]}
    owner: {members: [ana, dan], inherits: mod}
  allow:
    - {role: mod, do: [adduser, resetpw, deactivate, deactivateall, enableroom, users, memory]}
  limit:
    - {id: few, do: adduser, per: person, max: 5, every: 1h}
  require:
    - {do: [deactivate, deactivateall], approvals: [{from: mod, n: 1}]}
  break_glass: {role: owner, max: 1, every: 1d}
"""


@pytest.fixture(scope="module", params=["tiny", "sqlite", "postgresql"])
async def database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Tiny | Database]:
    if request.param == "tiny":
        tiny = Tiny()
        tiny.clear()
        yield tiny
        tiny.close()
        return
    path = f"sqlite:{tmp_path_factory.mktemp('db')}/sluice.db"
    url = path if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    pool = Pool.create(url, upgrade_table=upgrade_table)
    await pool.start()
    made = Database(pool)
    yield made
    await pool.stop()


@pytest.fixture
async def office(database: Any) -> Office:
    await empty(database)
    return Office(database, OPEN)


SPREE = " ".join(["deactivateall", *(f"@s{n:02}:{SERVER}" for n in range(1, 26))])
DONE = Outcome(Kind.DONE, "done")
UNKNOWN = Outcome(Kind.UNKNOWN, "lost")


async def votes(office: Office, who: str, number: int, side: Side = Side.APPROVE) -> str:
    event = office.event()
    await office.at_desk(voting.vote, Ballot(event, number, who, side, Via.COMMAND, ROOM))
    return event


async def got(office: Office, number: int) -> Request:
    request = await office.db.read(lambda tx: store.get(tx, number))
    assert isinstance(request, Request)
    return request


async def begins(office: Office, number: int, line: int = 1) -> Any:
    planned = lines((await got(office, number)).invocation, Dialect.V0_10, SERVER)
    return await office.at_desk(guard.begin, Turn(number, line), planned, {})


async def settles(office: Office, number: int, outcome: Outcome, line: int = 1) -> None:
    assert await office.at_desk(guard.line_settled, Turn(number, line), outcome)


async def ends(office: Office, number: int) -> State:
    await office.at_desk(finish.settled, number, say(Sign.DONE, "result"))
    return (await got(office, number)).state


async def own(office: Office, who: str, word: str) -> submit.Ask:
    return await office.ask(who, Invocation(word))


async def said(office: Office) -> str:
    """Every body, of what was said and of edits."""
    contents = [json.loads(row["content"]) for row in await office.said()]
    return "\n".join(content.get("body", "") for content in contents)


# --- lines --------------------------------------------------------------------------------------


async def test_a_request_without_votes_takes_the_same_path(office: Office) -> None:
    request = await office.types(BO, invocation("enableroom !r:example.org", None))
    assert request.state is State.PENDING
    assert await office.at_desk(guard.next_turn) == Turn(request.id, 1)
    assert isinstance(await begins(office, request.id), Go)
    assert await office.at_desk(guard.next_turn) is None, "one line at a time"
    await settles(office, request.id, Outcome(Kind.REFUSED, "no"))
    assert await ends(office, request.id) is State.REFUSED


async def test_cancel_between_the_lines_sends_nothing_more(office: Office) -> None:
    request = await office.types(BO, invocation(SPREE))
    await votes(office, CY, request.id)
    assert isinstance(await begins(office, request.id), Go)
    await settles(office, request.id, DONE)
    await office.at_desk(voting.cancel, await own(office, BO, "cancel"), request.id)
    went = await begins(office, request.id, 2)
    assert isinstance(went, Stop)
    assert went.request.stop == Why(WhyKind.CANCELLED, "bo")
    assert await ends(office, request.id) is State.FAILED


@pytest.mark.parametrize("why", ["paused", "no votes", "policy", "left", "public", "silent"])
async def test_the_guard_stands_before_every_line(office: Office, why: str) -> None:
    request = await office.types(BO, invocation(SPREE))
    tap = await votes(office, CY, request.id)
    assert isinstance(await begins(office, request.id), Go)
    await settles(office, request.id, DONE)
    await office.at_desk(voting.redacted, ROOM, tap, CY)  # too late: it runs
    if why == "paused":
        await office.at_desk(measures.pause, await own(office, CY, "pause"), "")
    elif why == "no votes":
        office.room.joined.discard(CY)
    elif why == "policy":
        office.settings = settings(OPEN.replace("deactivateall, enableroom", "enableroom"))
    elif why == "left":
        office.room.joined.discard(BO)
    elif why == "public":
        office.room.public = True
    else:
        office.health = Readiness.BAD
    went = await begins(office, request.id, 2)
    assert isinstance(went, Stop)
    assert went.request.stop


async def test_a_later_line_waits_while_health_is_only_in_doubt(office: Office) -> None:
    request = await office.types(BO, invocation(SPREE))
    await votes(office, CY, request.id)
    await begins(office, request.id)
    await settles(office, request.id, DONE)
    office.health = Readiness.DOUBT
    assert isinstance(await begins(office, request.id, 2), Wait)
    office.health = Readiness.GOOD
    assert isinstance(await begins(office, request.id, 2), Go)


async def test_other_requests_go_between_the_lines_of_one(office: Office) -> None:
    spree = await office.types(BO, invocation(SPREE))
    await votes(office, CY, spree.id)
    await begins(office, spree.id)
    office.now += 1
    quick = await office.types(CY, invocation("users", None))
    office.now += 1
    await settles(office, spree.id, DONE)
    assert await office.at_desk(guard.next_turn) == Turn(quick.id, 1)
    later = await office.types(CY, invocation("memory", None))
    await begins(office, quick.id)
    await settles(office, quick.id, DONE)
    await ends(office, quick.id)
    assert await office.at_desk(guard.next_turn) == Turn(spree.id, 2)
    assert later.state is State.PENDING


async def test_a_line_that_did_not_arrive_passes_the_whole_guard_again(office: Office) -> None:
    request = await office.types(BO, invocation("deactivate @x:example.org"))
    await votes(office, CY, request.id)
    await begins(office, request.id)
    assert await office.at_desk(guard.line_not_sent, Turn(request.id, 1))
    assert isinstance(await begins(office, request.id), Go)
    assert await office.at_desk(guard.line_not_sent, Turn(request.id, 1))
    office.now += 3600
    assert isinstance(await begins(office, request.id), Stop)
    assert await ends(office, request.id) is State.FAILED


async def test_what_is_in_line_without_votes_for_too_long_is_not_sent(office: Office) -> None:
    request = await office.types(BO, invocation("users", None))
    office.now += 301
    went = await begins(office, request.id)
    assert isinstance(went, Stop)
    assert went.ended
    assert ", it waited too long for its turn" in await said(office)


async def test_nothing_is_said_of_a_room_that_was_not_read_yet(office: Office) -> None:
    request = await office.types(BO, invocation("deactivate @x:example.org"))
    await votes(office, CY, request.id)
    office.room.known, office.room.joined = False, set()
    await office.at_desk(reweigh.policy_changed)
    office.now += 4000
    await office.at_desk(reweigh.tick)
    assert isinstance(await begins(office, request.id), Wait)
    assert (await got(office, request.id)).state is State.PENDING


async def test_pause_holds_all_but_what_reads(office: Office) -> None:
    room = await office.types(BO, invocation("enableroom !r:example.org", None))
    reads = await office.types(BO, invocation("users", None))
    await office.at_desk(measures.pause, await own(office, CY, "pause"), "")
    assert await office.at_desk(guard.next_turn) == Turn(reads.id, 1)
    assert isinstance(await begins(office, room.id), Wait)
    await office.at_desk(measures.resume, await own(office, ANA, "resume"))
    assert await office.at_desk(guard.next_turn) == Turn(room.id, 1)


# --- limits -------------------------------------------------------------------------------------


async def used(office: Office) -> int:
    key = office.settings.policy.plans["adduser"].limit[0].key
    return len(await office.db.read(lambda tx: limits.used(tx, key, NOON - 3600, (BO,))))


async def test_a_limit_counts_what_was_sent_also_when_it_was_refused(office: Office) -> None:
    names = " ".join(f"@n{n}:{SERVER}" for n in range(4))
    request = await office.types(BO, invocation(f"adduser {names}", None))
    assert await used(office) == 0
    await begins(office, request.id)
    assert await used(office) == 4, "nobody else takes its place while it runs"
    await settles(office, request.id, Outcome(Kind.REFUSED, "exists"))
    await begins(office, request.id, 2)
    await settles(office, request.id, UNKNOWN, 2)
    assert await ends(office, request.id) is State.UNKNOWN
    assert await used(office) == 2, "what was never sent does not count"


async def test_the_last_place_of_a_limit_is_given_once(office: Office) -> None:
    many = " ".join(f"@n{n}:{SERVER}" for n in range(3))
    first = await office.types(BO, invocation(f"adduser {many}", None))
    second = await office.types(BO, invocation(f"adduser {many.replace('@n', '@m')}", None))
    await begins(office, first.id)
    went = await begins(office, second.id)
    assert isinstance(went, Stop)
    assert went.ended
    assert (await got(office, second.id)).state is State.CANCELLED
    for line in (1, 2, 3):
        await settles(office, first.id, DONE, line)
        if line < 3:
            assert isinstance(await begins(office, first.id, line + 1), Go)


# --- persons ------------------------------------------------------------------------------------


async def test_a_person_stays_one_when_a_reload_splits_them(office: Office) -> None:
    two = OPEN.replace("n: 1}]}", "n: 2}]}").replace(
        'ana: ["@ana:example.org", "@ana:matrix.org"]',
        'ana: "@ana:example.org", x: "@ana:matrix.org"',
    )
    office.settings = settings(OPEN.replace("n: 1}]}", "n: 2}]}"))
    other = "@ana:matrix.org"
    office.room.joined.add(other)
    request = await office.types(BO, invocation("deactivate @x:example.org"))
    await votes(office, ANA, request.id)
    await votes(office, other, request.id)
    office.settings = settings(two.replace("[ana, dan]", "[ana, dan, x]"))
    await office.at_desk(reweigh.policy_changed)
    assert (await got(office, request.id)).queued_since is None


async def test_a_policy_that_asks_for_votes_takes_a_waiting_command_out_of_the_line(
    office: Office,
) -> None:
    request = await office.types(BO, invocation("enableroom !r:example.org", None))
    office.settings = settings(OPEN.replace("do: [deactivate,", "do: [enableroom, deactivate,"))
    assert isinstance(await begins(office, request.id), Wait)
    after = await got(office, request.id)
    assert after.queued_since is None
    assert after.slots == (Slot("mod", 1),)
    assert "✋ bo asks: enableroom !r · #1" in await said(office)
    await votes(office, CY, request.id)
    assert isinstance(await begins(office, request.id), Go)


async def test_a_vote_cast_twice_counts_once_and_stands_while_one_of_them_does(
    office: Office,
) -> None:
    request = await office.types(BO, invocation("deactivate @x:example.org"))
    first = await votes(office, CY, request.id)
    second = await votes(office, CY, request.id)
    await office.at_desk(voting.redacted, ROOM, first, CY)
    assert (await got(office, request.id)).queued_since is not None
    await office.at_desk(voting.redacted, "!other:example.org", second, CY)
    await office.at_desk(voting.redacted, ROOM, second, BO)
    assert (await got(office, request.id)).queued_since is not None
    await office.at_desk(voting.redacted, ROOM, second, CY)
    assert (await got(office, request.id)).queued_since is None


async def test_a_stranger_s_vote_is_remembered_in_silence(office: Office) -> None:
    request = await office.types(BO, invocation("deactivate @x:example.org"))
    before = len(await office.said())
    event = await votes(office, HAL, request.id)
    assert len(await office.said()) == before
    vote = await office.db.read(lambda tx: store.vote(tx, event))
    assert vote.cause is Rejection.STRANGER


# --- the door -----------------------------------------------------------------------------------


async def test_thirty_not_allowed_an_hour_are_stored_then_one_summary(office: Office) -> None:
    for _ in range(33):
        await office.types(BO, invocation("disableroom !r:example.org"))
    rows = await office.db.read(lambda tx: store.in_state(tx, State.REJECTED))
    assert len(rows) == 30
    assert (await said(office)).count("Not allowed, as 30 times in an hour.") == 1
    office.now += 3601
    assert await office.types(BO, invocation("disableroom !r:example.org")) is not None


async def test_an_error_of_the_check_is_a_no_that_is_logged_and_told_once(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> Decision:
        return Decision(Verdict.DENY, (), because=("the check failed",), error="ZeroDivisionError")

    monkeypatch.setattr("sluice.requests.standing.explain", broken)
    for _ in range(2):
        request = await office.types(BO, invocation("memory"))
        assert request.state is State.REJECTED
    assert (await said(office)).count("I could not handle a message here, and nothing ran") == 1
    rows = await office.db.read(lambda tx: tx.fetch("SELECT kind FROM sluice_audit"))
    assert [row["kind"] for row in rows].count("error") == 2


async def test_the_decision_is_kept_for_why(office: Office) -> None:
    request = await office.types(BO, invocation("disableroom !r:example.org"))
    decision = await office.db.read(lambda tx: store.decision(tx, request.id))
    asked = await office.ask(BO, invocation("disableroom !r:example.org"))
    assert decision == asked.decision


async def test_what_is_stored_is_read_back_equal(office: Office) -> None:
    request = await office.types(BO, invocation(SPREE))
    assert await got(office, request.id) == request


# --- unknown outcomes ---------------------------------------------------------------------------


async def unknown(office: Office, who: str, what: Invocation, voter: str = CY) -> Request:
    request = await office.types(who, what)
    await votes(office, voter, request.id)
    assert isinstance(await begins(office, request.id), Go)
    await settles(office, request.id, UNKNOWN)
    assert await ends(office, request.id) is State.UNKNOWN
    return request


async def resolves(office: Office, who: str, number: int) -> bool:
    ask = await own(office, who, "resolve")
    message = say(Sign.DONE, "resolved")
    return bool(await office.at_desk(voting.resolve, ask, number, Kind.DONE, message))


async def test_resolve_is_for_who_could_have_approved(office: Office) -> None:
    request = await unknown(office, BO, invocation("deactivate @x:example.org"))
    assert not await resolves(office, BO, request.id)
    assert "You asked for it, so somebody else must say how it ended" in await said(office)
    assert await resolves(office, DAN, request.id)
    assert (await got(office, request.id)).state is State.DONE
    assert not await resolves(office, CY, request.id)


async def test_resolve_where_nothing_had_to_be_approved(office: Office) -> None:
    request = await unknown(office, BO, invocation("enableroom !r:example.org", None))
    assert await resolves(office, BO, request.id), "neither destructive nor secret"
    secret = await unknown(office, BO, invocation("resetpw @x:example.org", None))
    assert not await resolves(office, BO, secret.id)
    assert await resolves(office, CY, secret.id)


async def test_the_requester_resolves_where_nobody_else_can(office: Office) -> None:
    request = await unknown(office, BO, invocation("deactivate @x:example.org"))
    office.room.joined = {BO, HAL}
    assert await resolves(office, BO, request.id)


async def test_a_late_answer_ends_an_unknown_one_and_changes_nothing_after_a_person(
    office: Office,
) -> None:
    request = await unknown(office, BO, invocation("deactivate @x:example.org"))
    await settles(office, request.id, Outcome(Kind.REFUSED, "late"))
    assert await ends(office, request.id) is State.REFUSED
    other = await unknown(office, BO, invocation("deactivate @y:example.org"))
    await resolves(office, CY, other.id)
    late = Outcome(Kind.REFUSED, "late")
    assert not await office.at_desk(guard.line_settled, Turn(other.id, 1), late)
    assert await ends(office, other.id) is State.DONE


async def test_what_only_reads_is_failed_never_unknown(office: Office) -> None:
    request = await office.types(BO, invocation("users", None))
    await begins(office, request.id)
    await settles(office, request.id, UNKNOWN)
    assert await ends(office, request.id) is State.FAILED


async def test_a_restart_finds_what_was_out(office: Office) -> None:
    request = await office.types(BO, invocation("users", None))
    await begins(office, request.id)
    ((found, (row,)),) = await office.at_desk(guard.executing)
    assert (found.id, row.state) == (request.id, LineState.SENDING)


# --- break-glass and trust ----------------------------------------------------------------------


async def glass(office: Office, who: str, name: str = "x") -> Request:
    what = invocation(f"deactivate @{name}:{SERVER}", "urgent")
    request = await office.at_desk(measures.break_glass, await office.ask(who, what, glass=True))
    assert isinstance(request, Request)
    return request


async def test_a_break_glass_needs_no_vote_and_is_for_owners(office: Office) -> None:
    assert (await glass(office, BO)).state is State.REJECTED
    request = await glass(office, ANA)
    assert request.review is Review.OPEN
    assert isinstance(await begins(office, request.id), Go)


async def test_a_deny_before_it_runs_stops_a_break_glass(office: Office) -> None:
    request = await glass(office, ANA)
    await votes(office, CY, request.id, Side.DENY)
    assert (await got(office, request.id)).state is State.PENDING, "a mod reviews nothing"
    await votes(office, DAN, request.id, Side.DENY)
    assert (await got(office, request.id)).state is State.DENIED
    assert (await glass(office, ANA, "y")).state is State.PENDING, "it was not used"


async def test_a_review_and_the_quota_are_both_needed(office: Office) -> None:
    request = await glass(office, ANA)
    await begins(office, request.id)
    await settles(office, request.id, DONE)
    await ends(office, request.id)
    office.now += 90000
    assert (await glass(office, ANA, "y")).state is State.REJECTED, "not reviewed"
    await votes(office, DAN, request.id)
    assert (await got(office, request.id)).review is Review.IN_ORDER
    assert (await glass(office, ANA, "y")).state is State.PENDING


async def test_an_account_with_a_role_loses_it_with_its_password(office: Office) -> None:
    request = await office.types(BO, invocation(f"resetpw {CY}", None))
    assert request.slots, "it always needs a vote"
    await votes(office, DAN, request.id)
    await begins(office, request.id)
    other = await office.types(ANA, invocation("deactivate @x:example.org"))
    event = await votes(office, CY, other.id)
    vote = await office.db.read(lambda tx: store.vote(tx, event))
    assert vote.cause is Rejection.STRANGER
    await settles(office, request.id, DONE)
    assert await ends(office, request.id) is State.DONE
    for who, back in ((BO, False), (ANA, True)):
        await office.at_desk(measures.trust, await own(office, who, "trust"), CY)
        lost = await office.db.read(lambda tx: store.distrusted(tx, office.now))
        assert (CY in lost) is not back


async def test_a_person_s_word_gives_no_role_back(office: Office) -> None:
    request = await unknown(office, BO, invocation(f"resetpw {CY}", None), DAN)
    ask = await own(office, DAN, "resolve")
    await office.at_desk(voting.resolve, ask, request.id, Kind.FAILED, say(Sign.FAILED, "so"))
    assert (await got(office, request.id)).state is State.FAILED
    assert await office.db.read(lambda tx: store.distrusted(tx, office.now))


async def test_a_refused_password_takes_no_role_and_a_day_gives_it_back(office: Office) -> None:
    request = await office.types(BO, invocation(f"resetpw {CY}", None))
    await votes(office, DAN, request.id)
    await begins(office, request.id)
    await settles(office, request.id, Outcome(Kind.REFUSED, "no"))
    await ends(office, request.id)
    assert not await office.db.read(lambda tx: store.distrusted(tx, office.now))
    await office.db.write(lambda tx: store.distrust(tx, CY, office.now + 86400, request.id))
    assert await office.db.read(lambda tx: store.distrusted(tx, office.now))
    assert not await office.db.read(lambda tx: store.distrusted(tx, office.now + 86400))
