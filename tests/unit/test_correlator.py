"""What the correlator says, case by case, and that it says exactly what all assignments share."""

from __future__ import annotations

import json
from itertools import combinations

import pytest
from attrs import evolve, frozen
from hypothesis import given
from hypothesis import strategies as st

from sluice.families.correlator import (
    MAX_HELD,
    MAX_OPEN,
    Queue,
    feed,
    fence_due,
    from_json,
    head,
    must_fence,
    refill,
    reset,
    to_json,
    unread,
)
from sluice.model.admin_room import Asked, Echoed, Lost, NeedFence, Notice, Seen, Settled, Who


class Oracle:
    """A command is "!NAME"; an answer says itself which names it fits; None means unlisted."""

    def asked(self, body):
        if body.startswith("!fence "):
            return Asked("fence", (body[7:],))
        return Asked(body[1:].replace("unknown", "")) if body.startswith("!") else None

    def is_notice(self, content):
        return content.get("msgtype") == "m.notice"

    def is_listed(self, content):
        return content.get("fits") is not None

    def fits(self, asked, content):
        if asked.command == "fence":
            return content.get("echo") == asked.words[0]
        return asked.command in (content.get("fits") or ())

    def is_slow(self, asked):
        return asked.command == "slow"


ORACLE = Oracle()
OPEN_EYED = Queue(blind=False)


@frozen
class Room:
    """A queue being fed, and all it has said so far."""

    queue: Queue = OPEN_EYED
    said: tuple = ()
    count: int = 0

    def feed(self, who, content, now=0.0, **rest):
        seen = Seen(rest.pop("id", f"${self.count + 1}"), who, content, **rest)
        queue, effects = feed(self.queue, seen, ORACLE, now)
        return Room(queue, (*self.said, *effects), self.count + 1)

    def ours(self, body, ref="1.1", now=0.0):
        return self.feed(Who.OURS, {"body": body}, now, ref=ref)

    def fence(self, nonce="n", now=0.0):
        return self.ours(f"!fence {nonce}", "fence", now)

    def other(self, body, now=0.0):
        return self.feed(Who.OTHER, {"body": body}, now)

    def redacted(self, who=Who.OTHER):
        return self.feed(who, {}, redacted=True)

    def answer(self, *fits, now=0.0):
        return self.feed(Who.SERVER, {"body": "", "fits": fits}, now)

    def unlisted(self):
        return self.feed(Who.SERVER, {"body": "quarantined"})

    def echo(self, nonce="n", now=0.0):
        return self.feed(Who.SERVER, {"body": "", "fits": (), "echo": nonce}, now)

    def restart(self):
        return evolve(self, queue=from_json(to_json(self.queue)))


def test_an_answer_that_fits_one_entry_only_is_its_answer():
    room = Room().ours("!a").other("!b").answer("b")
    assert room.said == (Lost("$1", "1.1", "lost"), Settled("$2", "", "$3"))
    assert room.queue.entries == ()


def test_an_answer_that_fits_two_waits_for_the_echo_of_a_fence():
    room = Room().ours("!a").other("!a").answer("a")
    assert room.said == (NeedFence(),)
    room = room.answer("a").fence().echo()
    assert room.said[1:] == (Settled("$1", "1.1", "$3"), Settled("$2", "", "$4"), Echoed("n"))


def test_one_answer_for_two_of_the_same_shape_is_nobodys():
    """Ours queued, the server restarted, another admin typed the same: seen on real servers."""
    room = Room().ours("!shut").other("!shut").answer("shut").fence().echo()
    assert room.said[1:] == (
        Lost("$1", "1.1", "ambiguous"),
        Lost("$2", "", "ambiguous"),
        Echoed("n"),
    )


def test_an_answer_is_never_that_of_a_command_typed_after_it():
    room = Room().ours("!a").unlisted().answer("a").other("!a").fence().echo()
    assert Settled("$1", "1.1", "$3") in room.said
    assert Lost("$4", "", "lost") in room.said


def test_what_follows_a_held_message_is_held_too():
    room = Room().ours("!a").unlisted().answer("a")
    assert room.said == (NeedFence(),)
    assert room.fence().echo().said[1:] == (Settled("$1", "1.1", "$3"), Echoed("n"))


def test_where_no_assignment_exists_nothing_is_settled():
    """A listed answer that no open command can have: something is not as we think."""
    room = Room().ours("!a").answer("b").answer("a").fence().echo()
    assert room.said[1:] == (Lost("$1", "1.1", "ambiguous"), Echoed("n"))


def test_the_only_unlisted_message_beside_the_only_open_line_may_be_shown():
    room = Room().ours("!a").unlisted().fence().echo()
    assert Lost("$1", "1.1", "unrecognised", ("$2",)) in room.said


@pytest.mark.parametrize("between", ["!b", "!fence m", "!unknown"])
def test_unlisted_text_is_nobodys_when_another_command_was_open(between):
    room = Room().ours("!a").other(between).unlisted().fence().echo()
    shown = [e.candidates for e in room.said if isinstance(e, Lost) and e.ref == "1.1"]
    assert shown == [("$3",) if between == "!fence m" else ()]


def test_text_from_before_the_line_is_not_its_answer():
    room = Room().other("!b").unlisted().ours("!a").fence().echo()
    assert Lost("$3", "1.1", "lost") in room.said


def test_a_line_whose_only_message_is_redacted_says_so():
    room = Room().ours("!a").redacted(Who.SERVER).fence().echo()
    assert Lost("$1", "1.1", "redacted", ("$2",)) in room.said


def test_a_redacted_message_beside_the_real_answer_does_no_harm():
    room = Room().ours("!a").redacted(Who.SERVER).answer("a").fence().echo()
    assert Settled("$1", "1.1", "$3") in room.said


@pytest.mark.parametrize("type_it", [Room.redacted, lambda room: room.other("!unknown")])
def test_a_command_that_nobody_can_read_may_have_any_answer(type_it):
    room = type_it(Room())
    assert must_fence(room.queue)
    room = room.ours("!a").answer("a").fence().echo()
    assert Lost("$2", "1.1", "ambiguous") in room.said
    assert not must_fence(room.queue)


def test_a_fence_between_a_redacted_command_and_our_line_keeps_them_apart():
    room = Room().redacted().fence().echo().ours("!a").answer("a")
    assert room.said[-1] == Settled("$4", "1.1", "$5")


def test_an_echo_proves_that_everything_before_it_is_over():
    room = Room().ours("!a").fence().other("!a").echo()
    assert room.said == (Lost("$1", "1.1", "lost"), Echoed("n"))
    assert room.answer("a").said[-1] == Settled("$3", "", "$5")


def test_a_fence_that_another_member_copies_is_no_proof_until_the_next_one():
    room = Room().fence().other("!a").other("!fence n").echo()
    assert room.said == (NeedFence(spoilt=True),)
    room = room.fence("m").echo("m")
    assert room.said[-2:] == (Lost("$3", "", "lost"), Echoed("m"))


def test_a_secret_copy_of_a_fence_is_no_proof_either():
    room = Room().ours("!a").fence().other("!a").redacted().answer("a").echo()
    assert not any(isinstance(e, Echoed | Settled) for e in room.said)
    assert room.said == (NeedFence(), NeedFence(spoilt=True))
    room = room.fence("m").echo().echo("m")
    assert room.said[2:] == (
        Settled("$1", "1.1", "$5"),
        Echoed("n"),
        Lost("$3", "", "lost"),
        Settled("$4", "", "$8"),  # the copy
        Echoed("m"),
    )


def test_without_an_open_entry_listed_text_is_dropped_and_other_text_is_news():
    assert Room().answer("a").said == ()
    assert Room().unlisted().said == (Notice("$1", raw=True),)
    assert Room().redacted(Who.SERVER).said == ()


def test_server_notices_pass_whatever_is_held():
    room = Room().ours("!a").unlisted().feed(Who.SERVER, {"msgtype": "m.notice", "body": ""})
    assert room.said[-1] == Notice("$3")


def test_a_late_answer_still_finds_its_entry():
    room = Room().ours("!a", now=0.0)
    assert fence_due(room.queue, 60.0, 60.0, 600.0)
    room = room.fence(now=60.0)
    assert room.answer("a", now=5000.0).said == (Settled("$1", "1.1", "$3"),)


def test_the_timer_is_the_oldest_commands_whoever_sent_it():
    room = Room().other("!slow", now=0.0).ours("!a", now=1.0)
    assert head(room.queue) == (room.queue.entries[0], 0.0)
    assert not fence_due(room.queue, 599.0, 60.0, 600.0)
    assert fence_due(room.queue, 600.0, 60.0, 600.0)
    room = room.answer("slow", now=600.0)
    assert head(room.queue) == (room.queue.entries[0], 600.0)
    assert not fence_due(room.queue, 659.0, 60.0, 600.0)


def test_one_fence_a_minute_while_none_echoes():
    room = Room().ours("!a", now=0.0).fence(now=60.0)
    assert not fence_due(room.queue, 100.0, 60.0, 600.0)
    assert fence_due(room.queue, 120.0, 60.0, 600.0)


def test_blind_nothing_counts_but_our_own_echo():
    room = Room(Queue()).ours("!a").answer("a").unlisted().other("!fence x").echo("x")
    assert room.said == ()
    assert must_fence(room.queue)
    room = room.fence().echo()
    assert room.said == (Lost("$1", "1.1", "lost"), Lost("$4", "", "lost"), Echoed("n"))
    assert not must_fence(room.queue)


def test_a_cursor_set_anew_makes_everything_open_unknown():
    queue, effects = reset(Room().ours("!a").unlisted().queue)
    assert effects == (Lost("$1", "1.1", "lost"), NeedFence())
    assert queue.blind
    assert not queue.held


def test_an_event_that_comes_twice_counts_once():
    once = Room().ours("!a").answer("a").ours("!a", "2.1")
    twice = once.feed(Who.SERVER, {"body": "", "fits": ("a",)}, id="$2")
    assert twice.said == once.said


def test_our_redacted_line_keeps_its_type():
    room = Room().feed(Who.OURS, {"body": "!a"}, redacted=True, ref="1.1").other("!b").answer("b")
    assert room.said == (Lost("$1", "1.1", "lost"), Settled("$2", "", "$3"))


def test_with_the_emergency_password_a_server_message_can_be_a_command_too():
    room = Room().ours("!a").feed(Who.SERVER, {"body": "!b", "fits": ("a",)}, runs=True)
    assert room.said == (Settled("$1", "1.1", "$2"),)
    assert room.answer("b").said[-1] == Settled("$2", "", "$3")
    assert room.fence().echo().said[-2:] == (Lost("$2", "", "lost"), Echoed("n"))


def test_a_crash_changes_nothing():
    room = Room().ours("!a").other("!b").unlisted().answer("a", "b").fence()
    again = room.restart()
    assert unread(again.queue) == ("$2",)
    assert evolve(again, queue=refill(again.queue, {"$2": {"body": "!b"}}, ORACLE)) == room


def test_a_command_redacted_during_a_crash_may_have_any_answer():
    room = Room().other("!b").ours("!a").restart()
    room = evolve(room, queue=refill(room.queue, {"$1": {}}, ORACLE))
    assert room.answer("a").fence().echo().said[-2] == Lost("$2", "1.1", "ambiguous")


def test_no_text_of_other_people_is_stored_or_printed():
    secret = "hunter2"
    room = Room().other(f"!create {secret}").ours("!a").other("!a")
    room = room.feed(Who.SERVER, {"body": secret, "fits": ("a",)}).unlisted()
    assert room.queue.held
    assert secret not in to_json(room.queue)
    assert secret not in repr(room)
    assert secret not in repr(Seen("$1", Who.OTHER, {"body": secret}))


def test_the_stored_state_is_plain_json():
    raw = json.loads(to_json(Room().ours("!a").unlisted().queue))
    assert set(raw) == {"entries", "held", "blind", "since", "recent"}


@pytest.mark.parametrize("flood", ["!a", None])
def test_a_flood_makes_it_blind_instead_of_large(flood):
    room = Room().ours("!a")
    for _ in range(max(MAX_OPEN, MAX_HELD) + 1):
        room = room.other(flood) if flood else room.unlisted()
    assert len(room.queue.entries) <= MAX_OPEN
    assert len(room.queue.held) <= MAX_HELD
    assert Lost("$1", "1.1", "lost") in room.said
    assert room.said[-1] == NeedFence()
    assert room.queue.blind


def test_a_hundred_commands_of_one_shape_are_told_apart_by_their_order():
    room = Room()
    for _ in range(100):
        room = room.other("!a")
    for _ in range(100):
        room = room.answer("a")
    answers = [e.answer for e in room.fence().echo().said if isinstance(e, Settled)]
    assert answers == [f"${n}" for n in range(101, 201)]


# --- the rule itself, against its definition

KINDS = st.sampled_from(["a", "b", "any", None])
ANSWERS = st.sampled_from([("a",), ("b",), ("a", "b"), (), None, "redacted"])
STEPS = st.lists(st.one_of(KINDS.map(lambda k: ("typed", k)), ANSWERS.map(lambda f: ("said", f))))


@given(STEPS.filter(lambda steps: len(steps) <= 12))
def test_settled_is_exactly_what_every_assignment_shares(steps):
    """Compares with all assignments, written out, of what was held up to one echo."""
    room, typed, listed = Room().ours("!first").unlisted(), [("$1", {"first"})], []
    for step, what in steps:
        event = f"${room.count + 1}"
        if step == "typed" and what:
            room = room.redacted() if what == "any" else room.other(f"!{what}")
            typed.append((event, None if what == "any" else {what}))
        elif step == "said" and what == "redacted":
            room = room.redacted(Who.SERVER)
        elif step == "said" and what is not None:
            room = room.answer(*what)
            could = {e for e, kinds in typed if kinds is None or kinds & set(what)}
            listed.append((event, could))
        elif step == "said":
            room = room.unlisted()
    order = [e for e, _ in typed]
    assignments = [
        list(zip(chosen, listed, strict=True))
        for chosen in combinations(order, len(listed))
        if all(entry in could for entry, (_, could) in zip(chosen, listed, strict=True))
    ]
    shared = {
        (entry, event)
        for entry, (event, _) in (assignments[0] if assignments else [])
        if all((entry, event) in [(e, m) for e, (m, _) in a] for a in assignments)
    }
    said = room.fence().echo().said
    assert {(e.entry, e.answer) for e in said if isinstance(e, Settled)} == shared
    assert {e.entry for e in said if isinstance(e, Lost)} == set(order) - {e for e, _ in shared}
