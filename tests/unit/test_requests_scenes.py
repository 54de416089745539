"""The scenes of approvals, played on the service: what is said, word for word, and to whom."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from attrs import evolve

from sluice.chat.card_text import AccountFact, AccountState, FileFact, RoomFact
from sluice.families.dialects import lines
from sluice.model.command import Dialect, Kind, Outcome
from sluice.model.request import Request, Side, Via
from sluice.requests import finish, guard, measures, reweigh, submit, voting
from sluice.requests.voting import Ballot
from sluice.text.message import Sign
from sluice.text.phrases import say
from tests.machine.office import (
    ANA,
    BO,
    CY,
    DAN,
    EVE,
    HAL,
    NOON,
    ROOM,
    SERVER,
    Office,
    Tiny,
    invocation,
    settings,
)
from tests.unit.scenes import check

POLICY = (Path(__file__).parents[1] / "machine" / "policy.yaml").read_text(encoding="utf-8")
SPAM = AccountFact(f"@spam:{SERVER}", AccountState.ACTIVE, "Cheap pills")


def at(time: str) -> float:
    hour, minute = map(int, time.split(":"))
    return NOON + (hour - 12) * 3600 + minute * 60


class Scene:
    """An office, and what was said since one last looked."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self._read = 0

    def now(self, time: str) -> None:
        self.office.now = at(time)

    async def next_is(self, number: int) -> None:
        """The next request gets this id."""
        await self.office.types(CY, invocation("users", None))
        used = "UPDATE sluice_request SET id = $1, state = 'done', text = '' WHERE text = $2"
        await self.office.db.write(lambda tx: tx.execute(used, number - 1, "users"))
        await self.news()

    async def deactivates(self, who: str = BO, name: str = "spam", **more: Any) -> Request:
        what = invocation(f"deactivate @{name}:{SERVER}")
        made = await self.office.types(who, what, **more)
        assert isinstance(made, Request)
        return made

    async def taps(self, who: str, request: Request, side: Side = Side.APPROVE) -> str:
        return await self.says(who, request, side, Via.REACTION)

    async def says(
        self, who: str, request: Request, side: Side, how: Via = Via.COMMAND, why: str = ""
    ) -> str:
        event = self.office.event()
        cast = Ballot(event, request.id, who, side, how, ROOM, why)
        await self.office.at_desk(voting.vote, cast)
        return event

    async def asks(self, who: str, line: str) -> Any:
        """An own command, decided by the policy."""
        return await self.office.ask(who, invocation(line, None))

    async def runs(self, request: Request, outcome: Kind = Kind.DONE, result: str = "ok") -> None:
        turn = await self.office.at_desk(guard.next_turn)
        planned = lines(request.invocation, Dialect.V0_10, SERVER)
        went = await self.office.at_desk(guard.begin, turn, planned, {})
        assert isinstance(went, guard.Go), went
        await self.office.at_desk(guard.line_settled, turn, Outcome(outcome, "x"))
        await self.office.at_desk(finish.settled, request.id, say(Sign.DONE, result))

    async def news(self) -> list[str]:
        """What was said since: a new message as it is, an edit with "(edited)", taps as [ ]."""
        rows = (await self.office.said())[self._read :]
        self._read += len(rows)
        said = []
        for row in rows:
            content = json.loads(row["content"])
            if row["kind"] == "message":
                _checked(content)
                said.append(content["body"])
            elif row["kind"] == "edit":
                _checked(content["m.new_content"])
                assert content["m.mentions"] == {}, "an edit pushes nobody"
                said.append(f"(edited) {content['m.new_content']['body']}")
            elif row["kind"] == "react":
                said.append(f"[{row['emoji']}]")
            else:
                said.append("[taken away]")
        return said

    async def pushed(self) -> list[str]:
        """Whom the newest message pushes."""
        rows = [row for row in await self.office.said() if row["kind"] == "message"]
        content = json.loads(rows[-1]["content"])
        return list(content["m.mentions"].get("user_ids", []))


def _checked(content: dict[str, Any]) -> None:
    """Every message keeps the rules of all messages."""
    check(
        SimpleNamespace(
            body=content["body"],
            html=content["formatted_body"],
            sign=Sign(content["body"][0]),
            text=content["msgtype"] == "m.text",
            push=content["m.mentions"].get("user_ids", ()),
        )
    )


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    tiny = Tiny()
    tiny.clear()
    made = Office(tiny, POLICY)
    made.now = at("14:03")
    yield Scene(made)
    tiny.close()


DETAILS = """Why: “casino links”
Who: @spam:example.org, “Cheap pills”, active, no role
If approved: locked out; rooms and files stay. Undo: !resetpw spam"""


async def test_26_one_approval(scene: Scene) -> None:
    await scene.next_is(12)
    request = await scene.deactivates(facts=(SPAM,))
    assert await scene.news() == [
        f"✋ bo asks: deactivate @spam · #12\n{DETAILS}\nVote by 15:03 UTC: cy, ana or dan",
        "[✅]",
        "[❌]",
    ]
    assert await scene.pushed() == [CY, ANA, DAN]
    await scene.taps(CY, request)
    await scene.runs(request, result="#12 done")
    assert await scene.news() == [
        "(edited) ⏳ Running: deactivate @spam · #12\nbo asked, cy approved: “casino links”",
        "[taken away]",
        "[taken away]",
        "(edited) ✅ Done: deactivate @spam · #12\nbo asked, cy approved: “casino links”",
        "✅ #12 done",
    ]


async def test_26_what_could_not_be_looked_up_is_said_to_be_not_known(scene: Scene) -> None:
    await scene.deactivates(facts=(AccountFact("@spam:example.org", AccountState.ACTIVE),))
    await scene.deactivates(name="spam2", facts=(AccountFact("@spam2:x", AccountState.UNKNOWN),))
    said = "\n".join(await scene.news())
    assert "Who: @spam:example.org, name not known, active, no role" in said
    assert "Who: @spam2:x, not known" in said


async def test_28_a_person_denies(scene: Scene) -> None:
    await scene.next_is(18)
    request = await scene.deactivates(name="max")
    await scene.news()
    await scene.says(DAN, request, Side.DENY, why="he is a regular, ask him first")
    edit, *rest = await scene.news()
    assert edit == "(edited) ⛔ Denied by dan: deactivate @max · #18\nbo asked: “casino links”"
    assert rest == [
        "[taken away]",
        "[taken away]",
        "⛔ deactivate @max denied by dan: “he is a regular, ask him first”",
        "[❌]",
    ]
    assert await scene.pushed() == [BO]


async def test_28_a_tapped_no_gives_no_reason(scene: Scene) -> None:
    request = await scene.deactivates()
    await scene.taps(CY, request, Side.DENY)
    assert (await scene.news())[-1].endswith("denied by cy, without a reason.")


async def test_29_expiry(scene: Scene) -> None:
    await scene.next_is(19)
    await scene.deactivates()
    await scene.news()
    scene.now("15:03")
    assert await scene.office.at_desk(reweigh.next_due) == at("14:33")
    await scene.office.at_desk(reweigh.tick)
    edit, *_, new, button = await scene.news()
    assert edit == (
        "(edited) ⛔ Expired: deactivate @spam · #19\nNobody voted. bo asked: “casino links”"
    )
    assert new == "⛔ deactivate @spam expired: nobody voted. Again: tap 🔁"
    assert button == "[🔁]"
    assert await scene.pushed() == [BO]


async def test_29_cancel_by_who_asked_says_nothing_anew(scene: Scene) -> None:
    await scene.next_is(26)
    await scene.deactivates()
    await scene.news()
    await scene.office.at_desk(voting.cancel, await scene.asks(BO, "cancel"), 26)
    edit, *rest = await scene.news()
    assert edit.startswith("(edited) ⛔ Cancelled by bo: deactivate @spam · #26\n")
    assert rest == ["[taken away]", "[taken away]", "[✅]"]


async def test_29_the_command_is_deleted(scene: Scene) -> None:
    request = await scene.deactivates()
    await scene.news()
    await scene.office.at_desk(voting.redacted, ROOM, request.command, BO)
    edit, *rest = await scene.news()
    assert edit.split("\n") == [
        "(edited) ⛔ Not run: deactivate @spam · #1",
        "bo deleted the command. bo asked: “casino links”",
    ]
    assert rest == ["[taken away]", "[taken away]"]


async def test_29_the_card_is_deleted(scene: Scene) -> None:
    await scene.next_is(22)
    await scene.deactivates()
    sent = "UPDATE sluice_outbox SET event_id = '$card' WHERE key = 'request.22.card'"
    await scene.office.db.write(lambda tx: tx.execute(sent))
    await scene.news()
    await scene.office.at_desk(voting.redacted, "!elsewhere:example.org", "$card", CY)
    assert await scene.news() == []
    await scene.office.at_desk(voting.redacted, ROOM, "$card", BO)
    assert await scene.news() == ["⛔ Not run: deactivate @spam, the card was deleted."]


async def test_30_votes_that_do_not_count(scene: Scene) -> None:
    await scene.next_is(12)
    request = await scene.deactivates()
    await scene.news()
    await scene.taps(BO, request)
    await scene.taps(HAL, request)
    scene.office.room.powers[HAL] = 30
    await scene.taps(HAL, request)
    await scene.taps(HAL, request)
    await scene.taps(EVE, request)
    assert await scene.news() == [
        "📋 bo, your vote does not count: #12 is your own request. cy, ana or dan can.",
        "📋 @hal:example.org, your vote does not count: #12 needs a mod or an owner.",
    ]
    scene.now("15:10")
    await scene.office.at_desk(reweigh.tick)
    await scene.news()
    await scene.taps(CY, request)
    assert await scene.news() == [
        "📋 cy, too late: #12 expired at 15:03 UTC and nothing ran. bo can send it again."
    ]


async def test_30_a_vote_about_oneself(scene: Scene) -> None:
    scene.office.settings = settings(
        POLICY.replace(
            "- {id: staff,", "- {id: staff, during: {days: sun, hours: '00:00-00:01', tz: UTC},"
        ).replace("expect: deny, via: staff", "expect: approve")
    )
    request = await scene.deactivates(who=ANA, name="cy")
    await scene.news()
    await scene.taps(CY, request)
    assert await scene.news() == [
        "📋 cy, your vote does not count: #1 is about your account. bo or dan can."
    ]


SPREE = [f"@s{number:02}:{SERVER}" for number in range(1, 41)]


async def spree(scene: Scene) -> Request:
    await scene.next_is(31)
    line = " ".join(["deactivateall", *SPREE])
    made = await scene.office.types(ANA, invocation(line, "spam wave of Sunday"))
    assert isinstance(made, Request)
    return made


async def test_33_a_mod_and_an_owner_for_forty_accounts(scene: Scene) -> None:
    scene.now("14:10")
    request = await spree(scene)
    assert await scene.news() == [
        "✋ ana asks: deactivateall 40 accounts · #31\n"
        "Why: “spam wave of Sunday”\n"
        "Who: s01 to s40\n"
        "If approved: locked out; rooms and files stay. Undo each: !resetpw\n"
        "Vote by 15:10 UTC: a mod (bo, cy or dan) and an owner (dan)",
        "[✅]",
        "[❌]",
    ]
    tap = await scene.taps(BO, request)
    (edit,) = await scene.news()
    assert edit.split("\n")[0] == "(edited) ✋ ana asks: deactivateall 40 accounts · #31"
    assert edit.split("\n")[-1] == "1 of 2 votes: bo ✅. Vote by 15:10 UTC: an owner (dan)"
    await scene.says(BO, request, Side.APPROVE)
    assert await scene.news() == [
        "📋 Your vote on #31 counts already. It still needs an owner (dan)."
    ]
    await scene.office.at_desk(voting.redacted, ROOM, tap, BO)
    assert await scene.news() == []  # the typed vote stands
    await scene.taps(DAN, request)
    assert await scene.news() == []  # it runs at once
    await begin(scene, 1)
    await begin(scene, 2)
    first, second = [line for line in await scene.news() if line.startswith("(edited)")]
    assert first.split("\n") == [
        "(edited) ⏳ Running: deactivateall 40 accounts · #31",
        "ana asked, bo and dan approved: “spam wave of Sunday”",
    ]
    assert second.startswith("(edited) ⏳ Running, 10 of 40 accounts: deactivateall")


async def begin(scene: Scene, number: int) -> None:
    turn = await scene.office.at_desk(guard.next_turn)
    assert turn is not None
    assert turn.number == number
    request = (await scene.office.at_desk(guard.executing) or [(None, None)])[0][0]
    what = request.invocation if request else invocation(" ".join(["deactivateall", *SPREE]))
    went = await scene.office.at_desk(guard.begin, turn, lines(what, Dialect.V0_10, SERVER), {})
    assert isinstance(went, guard.Go)
    await scene.office.at_desk(guard.line_settled, turn, Outcome(Kind.DONE, "done"))


async def test_33_a_vote_that_no_longer_counts(scene: Scene) -> None:
    request = await spree(scene)
    await scene.taps(BO, request)
    await scene.taps(DAN, request)
    await scene.news()
    scene.office.settings = settings(
        POLICY.replace("members: [bo, cy]", "members: [cy]")
        .replace("as: bo,", "as: cy,")
        .replace("[cy, ana, dan]", "[ana, dan]")
        .replace("[bo, cy, dan]", "[cy, dan]")
        .replace("[ana, bo, cy, dan]", "[ana, cy, dan]")
    )
    told = await scene.office.at_desk(reweigh.policy_changed)
    assert ["".join(line) for line in told] == ["#31 needs 1 more vote."]
    (edit,) = await scene.news()
    assert "✋ ana asks: deactivateall 40 accounts · #31" in edit
    assert "1 of 2 votes: dan ✅. Vote by " in edit
    assert edit.endswith(": a mod (cy)"), edit
    assert "The vote of bo no longer counts." in edit


async def test_half_time_reminds_those_who_have_not_voted(scene: Scene) -> None:
    await scene.next_is(19)
    await scene.deactivates()
    await scene.news()
    scene.now("14:33")
    await scene.office.at_desk(reweigh.tick)
    await scene.office.at_desk(reweigh.tick)
    assert await scene.news() == [
        "✋ 30 min left: deactivate @spam · #19\n"
        "bo asked: “casino links”\n"
        "Vote by 15:03 UTC: cy, ana or dan",
        "[✅]",
        "[❌]",
    ]
    assert await scene.pushed() == [CY, ANA, DAN]
    assert await scene.office.at_desk(reweigh.next_due) == at("15:03")


async def test_31_the_requester_edits_the_command(scene: Scene) -> None:
    await scene.next_is(20)
    request = await scene.deactivates()
    await scene.taps(CY, request)
    await scene.news()
    event = scene.office.event()
    anew = await scene.office.ask(
        BO, invocation(f"deactivate @spam2:{SERVER}"), event=event, command=request.command
    )
    edited = (submit.edited, ROOM, request.command, BO, event, anew)
    successor = await scene.office.at_desk(*edited)
    said = [line.split("\n")[0] for line in await scene.news()]
    assert said[0] == "✋ bo asks: deactivate @spam2 · #21"
    assert "(edited) ⛔ Not run: deactivate @spam · #20" in said
    assert await scene.office.at_desk(*edited) is None, "the same edit twice is one"
    await scene.taps(CY, successor)
    await scene.runs(successor)
    await scene.news()
    again = scene.office.event()
    await scene.office.at_desk(submit.edited, ROOM, request.command, BO, again, anew)
    assert await scene.news() == [
        "⛔ Too late: #21 has run as deactivate @spam2:example.org. Your edit changes nothing.\n"
        "Undo: !resetpw spam2"
    ]


async def test_32_caps_and_duplicates(scene: Scene) -> None:
    scene.now("14:30")
    await scene.next_is(22)
    for name in ("spam2", "spam3", "spam4"):
        await scene.deactivates(name=name)
    await scene.news()
    assert await scene.office.types(BO, invocation("deactivate @spam5:example.org")) is None
    assert await scene.news() == [
        "⛔ Not run: you have 3 open requests (#22, #23, #24), the most for one person.\n"
        "Wait for votes, or take one back: !cancel 22"
    ]
    what = invocation("deactivate @spam2:example.org", "casino spam")
    assert await scene.office.types(CY, what) is None
    assert await scene.news() == [
        "📋 #22 asks for that already (bo, open until 15:30 UTC). You can approve it: !approve 22"
    ]


async def test_32_twenty_are_the_most_for_all(scene: Scene) -> None:
    for number in range(20):
        scene.office.settings = settings(POLICY)
        await scene.office.db.write(lambda tx: tx.execute("UPDATE sluice_request SET mxid = 'x'"))
        await scene.deactivates(name=f"spam{number}")
    await scene.news()
    assert await scene.office.types(CY, invocation("deactivate @late:example.org")) is None
    assert await scene.news() == [
        "⛔ Not run: 20 requests are open, the most for all. Vote first: !pending"
    ]


async def test_23_the_line_is_full(scene: Scene) -> None:
    for _ in range(50):
        await scene.office.types(CY, invocation("users", None))
    assert await scene.office.types(CY, invocation("users", None)) is None
    own = "UPDATE sluice_request SET mxid = 'x'"
    for _ in range(4):
        await scene.office.db.write(lambda tx: tx.execute(own))
        for _ in range(50):
            await scene.office.types(CY, invocation("users", None))
    await scene.office.db.write(lambda tx: tx.execute(own))
    assert await scene.office.types(CY, invocation("users", None)) is None
    first, second = await scene.news()
    assert first.startswith("⛔ Not run: 50 of your commands wait, the most for one person.")
    assert second == "⛔ Not run: 250 commands wait, the most. Try again in a minute."


async def test_37_purge_of_a_picture(scene: Scene) -> None:
    scene.now("14:20")
    await scene.next_is(41)
    mxc = "mxc://example.org/Qk3v"
    picture = FileFact(mxc, EVE, "spam.png", "image/png", 70_000, at("14:02"))
    await scene.office.types(CY, invocation(f"purge {mxc}", "illegal"), facts=(picture,))
    assert (await scene.news())[0] == (
        "✋ cy asks: purge 1 file · #41\n"
        "Why: “illegal”\n"
        "File: “spam.png”, image/png, 70 kB, 23 Nov 14:02 UTC by @eve:example.org\n"
        "mxc://example.org/Qk3v\n"
        "If approved: deleted here, equal files too. Cannot be undone.\n"
        "Vote by 15:20 UTC: bo, ana or dan"
    )


async def test_38_disableroom_by_address(scene: Scene) -> None:
    await scene.next_is(42)
    room = RoomFact("!9fKq:example.org", "#warez:example.org", "Warez hub", 112)
    what = invocation("disableroom !9fKq:example.org", "pirated films")
    what = evolve(what, noted=(("!9fKq:example.org", "#warez:example.org"),))
    await scene.office.types(CY, what, facts=(room,))
    said = (await scene.news())[0].split("\n")
    assert said[:5] == [
        "✋ cy asks: disableroom #warez · #42",
        "Why: “pirated films”",
        "Room: “Warez hub”, 112 members",
        "#warez:example.org leads to !9fKq:example.org",
        "If approved: other servers are cut off; people here can go on. "
        "Undo: !enableroom #warez:example.org",
    ]


async def test_44_pending(scene: Scene) -> None:
    message, _ = await scene.office.at_desk(reweigh.pending, CY)
    assert message.body == "📋 No open requests."
    scene.now("14:10")
    await spree(scene)
    scene.now("14:30")
    await scene.deactivates(name="spam2")
    message, _ = await scene.office.at_desk(reweigh.pending, CY)
    assert message.body == (
        "📋 2 open requests (✋ = you can vote):\n"
        "✋ #31 ana: deactivateall 40 accounts · 0 of 2 votes · 40 min left\n"
        "✋ #32 bo: deactivate @spam2 · 1 h left\n"
        "To vote, tap its card, or: !approve 31 · !deny 31 why"
    )


async def test_47_pause_and_resume(scene: Scene) -> None:
    scene.now("14:10")
    await scene.next_is(22)
    request = await scene.deactivates(name="spam2")
    await spree(scene)
    scene.now("14:41")
    await scene.news()
    why = "odd requests from cy's account"
    await scene.office.at_desk(measures.pause, await scene.asks(BO, "pause"), why)
    assert await scene.news() == [
        "❗ Paused by bo: nothing can be changed now\n"
        "Commands that only read still run. ana or dan can !resume\n"
        "Why: “odd requests from cy's account”\n"
        "2 requests stay open; votes count, nothing starts."
    ]
    assert await scene.pushed() == [ANA, DAN]
    assert await scene.office.types(CY, invocation("adduser @zoe:example.org", None)) is None
    assert await scene.news() == [
        "⛔ Not run: paused by bo since 14:41 UTC\nana or dan can !resume. Then send it again."
    ]
    await scene.taps(CY, request)
    (edit,) = await scene.news()
    assert edit.split("\n")[:2] == [
        "(edited) ⏳ bo asks: deactivate @spam2 · #22",
        "Approved by cy, waits: paused by bo; ana or dan can !resume",
    ]
    assert await scene.office.at_desk(guard.next_turn) is None
    assert await scene.office.types(CY, invocation("users", None)) is not None, "reads run"
    scene.now("15:10")
    await scene.office.at_desk(reweigh.tick)
    await scene.news()
    await scene.office.at_desk(measures.resume, await scene.asks(BO, "resume"))
    (no,) = await scene.news()
    assert no.endswith("): resume is for owners. ana or dan can.")
    scene.now("15:12")
    await scene.office.at_desk(measures.resume, await scene.asks(ANA, "resume"))
    said = await scene.news()
    assert said[-1].startswith("🔔 Resumed by ana: changes are possible again.\n")


async def test_48_break_glass_and_its_review(scene: Scene) -> None:
    scene.now("03:12")
    await scene.next_is(51)
    reason = "floods the lobby, nobody awake"
    what = invocation(f"deactivate @spam:{SERVER}", reason)
    ask = await scene.office.ask(ANA, what, glass=True)
    request = await scene.office.at_desk(measures.break_glass, ask)
    await scene.news()
    message = next(row for row in reversed(await scene.office.said()) if row["kind"] == "message")
    assert json.loads(message["content"])["body"] == (
        "❗ Break-glass: deactivate @spam · #51\n"
        "ana runs it without a vote: “floods the lobby, nobody awake”\n"
        "Was it right? dan: tap ✅ or ❌, or !deny 51 why"
    )
    assert await scene.pushed() == [ANA, DAN]
    await scene.runs(request)
    await scene.news()
    again = await scene.office.ask(
        ANA, invocation(f"deactivate @spam2:{SERVER}", "again"), glass=True
    )
    await scene.office.at_desk(measures.break_glass, again)
    assert await scene.news() == [
        "⛔ Not allowed (#52): #51 is not reviewed yet (dan can), and 1 of 1 today is used.\n"
        "Next: 24 Nov 03:12 UTC, after dan's review."
    ]
    await scene.says(ANA, request, Side.APPROVE)
    (no,) = await scene.news()
    assert no == "📋 ana, your vote does not count: #51 is your own request. dan can."
    message, _ = await scene.office.at_desk(reweigh.pending, CY)
    assert message.body == "📋 No open requests.\nBreak-glass #51 waits for dan's review."
    await scene.says(DAN, request, Side.APPROVE)
    assert await scene.news() == [
        "[taken away]",
        "[taken away]",
        "(edited) ✅ Break-glass: deactivate @spam · #51\n"
        "ana ran it without a vote; dan says it was right.",
        "[✅]",
    ]


async def test_48_a_review_that_is_not_in_order(scene: Scene) -> None:
    what = invocation(f"deactivate @spam:{SERVER}", "floods")
    ask = await scene.office.ask(ANA, what, glass=True)
    request = await scene.office.at_desk(measures.break_glass, ask)
    await scene.runs(request)
    await scene.news()
    await scene.says(DAN, request, Side.DENY, why="could have waited")
    assert await scene.news() == [
        "[taken away]",
        "[taken away]",
        "(edited) ❗ Break-glass: deactivate @spam · #1\n"
        "ana ran it without a vote; dan says it was not right.",
        "❗ dan objects: deactivate @spam · #1\nWhy: “could have waited”\n"
        "ana ran it without a vote; it is done. Undo: !resetpw spam",
        "[❌]",
    ]


async def test_58_single_lines(scene: Scene) -> None:
    await scene.next_is(12)
    request = await scene.deactivates()
    await scene.taps(CY, request)
    await scene.runs(request)
    await scene.news()
    await scene.office.at_desk(voting.cancel, await scene.asks(BO, "cancel"), 12)
    await scene.office.at_desk(voting.cancel, await scene.asks(BO, "cancel"), 99)
    assert await scene.news() == [
        "⛔ #12 is done already; only open requests can be cancelled. Undo: !resetpw spam",
        "📋 There is no #99; the newest is #12.",
    ]
    await scene.next_is(22)
    await scene.deactivates(name="spam2")
    await scene.news()
    scene.office.room.powers[HAL] = 30
    await scene.office.at_desk(voting.cancel, await scene.asks(HAL, "cancel"), 22)
    assert await scene.news() == [
        "⛔ Only who asked, or who may deny it, can cancel it: bo, cy, ana or dan."
    ]
    scene.office.room.joined.discard(BO)
    await scene.office.at_desk(reweigh.room_changed, ROOM)
    assert (await scene.news())[-1] == "⛔ Not run: deactivate @spam2, bo left this room."


async def test_22_a_limit(scene: Scene) -> None:
    await scene.next_is(17)
    for number in range(10):
        scene.now(f"09:{12 + number}")
        made = await scene.office.types(BO, invocation(f"adduser @new{number}:{SERVER}", None))
        await scene.runs(made)
    scene.now("14:10")
    await scene.news()
    assert (await scene.office.types(BO, invocation(f"adduser @zoe:{SERVER}", None))) is not None
    assert await scene.news() == [
        "⛔ Not allowed (#27): each person has 10 adduser a day, and yours are used.\n"
        "Your next: 24 Nov 09:12 UTC (19 h). cy, ana or dan can."
    ]
