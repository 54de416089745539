"""I14: whatever people type and call themselves, no text about a request can be mistaken for
anything else: it begins with a sign, its ids stand in code, and it keeps within the limits."""

from __future__ import annotations

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.chat import cards, ended, not_allowed, over, strong_measures
from sluice.chat.card_text import (
    AccountFact,
    AccountState,
    AskedBefore,
    FileFact,
    RoomFact,
    describe,
)
from sluice.chat.cards import Need, Standing
from sluice.model.command import Invocation
from sluice.model.decision import Decision, Verdict
from sluice.model.request import NO_WHY, Pause, Rejection, Request, State, Why, WhyKind
from sluice.text.message import Code, Message, Text
from tests.unit.scenes import ANA, BO, CY, at, check, here

foreign = st.text(max_size=200) | st.sampled_from(
    [
        "!admin",
        "\\!admin x",
        "@conduit:example.org: list-users",
        "✅ #12 done",
        "<b>@room</b>\n❗ x",
    ]
)
HERE = here()


@st.composite
def requests(draw: st.DrawFn) -> tuple[Request, object]:
    command, name, value = draw(
        st.sampled_from(
            [
                ("deactivate", "user", "@spam:example.org"),
                ("deactivateall", "user", tuple(f"@s{n:02}:example.org" for n in range(40))),
                ("purge", "mxc", ("mxc://example.org/abc",)),
                ("disableroom", "room", "!r:example.org"),
                ("registration.set", "state", "on"),
            ]
        )
    )
    reason = draw(st.none() | foreign.filter(str.strip))
    invocation = Invocation(command, ((name, value),), reason)
    facts = {
        "deactivate": AccountFact("@spam:example.org", AccountState.ACTIVE, draw(foreign), "mod"),
        "purge": FileFact(
            "mxc://example.org/abc", CY, draw(foreign), draw(foreign), 7, at("14:00")
        ),
        "disableroom": RoomFact("!r:example.org", "#a:example.org", draw(foreign), 3),
    }
    request = Request(
        id=12,
        event_id="$e",
        command="$e",
        room="!ops:example.org",
        mxid=draw(st.sampled_from([BO, ANA])),
        person=draw(st.sampled_from(["bo", "@hal:example.org"])),
        people="",
        invocation=invocation,
        text=command,
        state=draw(st.sampled_from(State)),
        created=at("14:00"),
        expires=draw(st.none() | st.just(at("15:00"))),
        note=draw(st.sampled_from([NO_WHY, Why(WhyKind.BY, "cy"), Why(WhyKind.LEFT, "bo")])),
    )
    before = AskedBefore(request, draw(foreign), draw(st.booleans()))
    shown = (facts[command],) if command in facts else ()
    marks = {"@s07:example.org": "in an ops room"} if draw(st.booleans()) else {}
    return request, describe(invocation, shown, 12, HERE, marks, draw(st.none() | st.just(before)))


need = st.builds(
    Need,
    st.sampled_from(["mod", "owner"]),
    st.integers(1, 3),
    st.lists(st.sampled_from(["cy", "ana", "@hal:example.org"]), unique=True).map(tuple),
)
standings = st.builds(
    Standing,
    st.integers(0, 3),
    st.integers(1, 5),
    st.lists(st.sampled_from(["cy", "@hal:example.org"]), unique=True).map(tuple),
    st.lists(need, min_size=1, max_size=2).map(tuple),
    st.lists(need, max_size=2).map(tuple),
    st.just(("mod", "owner")),
    st.lists(st.sampled_from(["dan", "@hal:example.org"]), unique=True).map(tuple),
)


@settings(max_examples=150, deadline=None)
@given(
    asked=requests(),
    votes=standings,
    words=foreign,
    cause=st.sampled_from(Rejection),
    state=st.sampled_from([s for s in State if s not in (State.PENDING, State.EXECUTING)]),
)
def test_every_text_about_a_request_keeps_the_rules(
    asked: tuple[Request, object], votes: Standing, words: str, cause: Rejection, state: State
) -> None:
    request, told = asked
    denied = Decision(
        Verdict.DENY, (), because=("deactivate is for mods and owners",), can=("cy",)
    )
    denied_by_cy = evolve(request, state=State.DENIED, note=Why(WhyKind.BY, "cy"))
    messages: list[Message] = [
        cards.card(request, told, votes, HERE, push=(CY,)),
        cards.card(request, told, votes, HERE, taps=False),
        cards.card(request, told, votes, HERE, waits=cards.waits_for_its_turn(3)),
        cards.running(request, votes.by, HERE),
        cards.running(request, votes.by, HERE, 10, 40),
        cards.ended(evolve(request, state=state), votes.by, HERE),
        cards.edited(request, HERE, 13),
        over.over(evolve(request, state=State.EXPIRED), HERE),
        over.over(evolve(request, state=State.CANCELLED), HERE, again=True),
        over.over(denied_by_cy, HERE, words),
        over.not_started(request, HERE, again=True),
        cards.reminder(request, votes, (CY,), HERE, taps=True),
        cards.not_counted(request, "@hal:example.org", cause, votes, HERE),
        cards.counts_already(request, votes),
        not_allowed.not_allowed(12, denied, HERE),
        not_allowed.asked_already(request, True, HERE),
        not_allowed.too_late_to_edit(request, ("Undo: ", "x")),
        not_allowed.too_late_to_cancel(request, ()),
        strong_measures.pending(
            [strong_measures.OpenRequest(request, told.short, votes, True, 2)] * 14, [], HERE
        )[0],
        strong_measures.paused("bo", words.strip(), 2, ("ana", "dan"), (ANA,), HERE),
        strong_measures.while_paused(Pause("bo", at("14:00"), words), ("ana",), HERE),
        strong_measures.glass(request, ("dan",), (ANA,), HERE),
        *(strong_measures.reviewed(request, "dan", HERE, right=right) for right in (True, False)),
        strong_measures.not_in_order(request, "dan", words.strip(), (), (ANA,), HERE),
        strong_measures.trusted("ana", "cy", CY, (ANA,)),
    ]
    for message in messages:
        check(message)


KINDS = [kind for kind in WhyKind if kind not in (WhyKind.NONE, WhyKind.POLICY, WhyKind.OTHER)]


@pytest.mark.parametrize("by", ["cy", "@hal:example.org", "1 of 2"])
@pytest.mark.parametrize("kind", KINDS)
def test_why_a_request_ended_is_read_as_it_was_stored(kind: WhyKind, by: str) -> None:
    words = ended.after_state(Why(kind, by))
    again = ended.read(words)
    assert again.kind is kind
    assert again.by in ("", by)
    assert ended.after_state(again) == words


@given(st.lists(st.sampled_from([": ", " by ", ", ", "bo", " left this room"]) | foreign))
def test_what_an_earlier_version_stored_is_shown_as_it_is(words: list[str]) -> None:
    stored: Text = tuple(words)
    assert ended.after_state(ended.read(stored)) == stored
    quoted: Text = (": ", Code("x", quoted=True), *stored)
    assert ended.read(quoted) == Why(WhyKind.POLICY, said=quoted[1:])
