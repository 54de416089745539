"""The state machine of approvals: whatever people, Conduit, the clock and crashes do.

`python -m tests.machine.requests 100000` runs so many games of 40 steps (`--seed N`), prints what
happened in them, and exits 1 at the first invariant that does not hold, with the game.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from sluice.model.command import Kind
from sluice.model.request import Side, State

from .approvals import (
    ANA,
    ANA2,
    BO,
    CY,
    DAN,
    PEOPLE,
    POLICIES,
    World,
    command,
)

who = st.sampled_from(PEOPLE)
commands = st.sampled_from(("t1", "t1", "t2", "cy", "many", "room", "read"))
which = st.integers(0, 4)  # of the requests, the newest first
crash = st.one_of(st.none(), st.none(), st.integers(0, 80))
sides = st.sampled_from((Side.APPROVE, Side.APPROVE, Side.APPROVE, Side.DENY))
kinds = st.sampled_from((Kind.DONE, Kind.DONE, Kind.REFUSED, Kind.FAILED))
policies = st.sampled_from(POLICIES)

TWO_MODS, CY_IS_NOBODY, NOT_T1 = POLICIES[1], POLICIES[6], POLICIES[8]

TOTAL: Counter[str] = Counter()
"""What happened in all games of this process."""


class Approvals(RuleBasedStateMachine):
    make: Callable[[], World] = World

    def __init__(self) -> None:
        super().__init__()
        self.world = type(self).make()

    def teardown(self) -> None:
        self.world.check_log()
        TOTAL.update(self.world.seen)
        TOTAL.update(state.value for state in self.world.states.values())
        TOTAL["games"] += 1
        self.world.db.close()

    # helpers of the rules

    def go(self, work: Callable[[], None], crash: int | None = None) -> None:
        self.world.crash_in = crash
        self.world.guarded(work)

    def number(self, which: int) -> int | None:
        numbers = self.world.open_numbers()
        return numbers[-1 - which] if which < len(numbers) else None

    def newest(self, state: State) -> int | None:
        return max((n for n, s in self.world.states.items() if s is state), default=None)

    def read(self, crash: int | None = None) -> None:
        self.go(self.world.read, crash)

    def asks(self, who: str, what: str, crash: int | None = None) -> int | None:
        """A command that the bot reads; its request, if it became one."""
        self.world.post(who, "command", command(what))
        before = set(self.world.books)
        self.read(crash)
        self.read()
        return max(set(self.world.books) - before, default=None)

    def votes(self, who: str, number: int, side: Side = Side.APPROVE, *, tap: bool = True) -> Any:
        about = self.world.card_of(number) if tap else ""
        return self.world.post(who, "vote", (number, side), about)

    def runs(self, steps: int = 3, crash: int | None = None) -> None:
        for step in range(steps):
            self.go(self.world.run, crash if step == 1 else None)

    def answers(self, kind: Kind) -> None:
        for sent in self.world.hs.admin:
            if sent.answer is None and not sent.lost:
                sent.answer = kind

    def loses(self) -> None:
        for sent in self.world.hs.admin:
            sent.lost = sent.lost or sent.answer is None

    # what can happen, one thing at a time

    @rule(who=who, what=commands, crash=crash)
    def somebody_asks(self, who: str, what: str, crash: int | None) -> None:
        self.asks(who, what, crash)

    @rule(who=who, which=which, side=sides, tap=st.booleans(), crash=crash)
    def somebody_votes(
        self, who: str, which: int, side: Side, tap: bool, crash: int | None
    ) -> None:
        if (number := self.number(which)) is not None:
            self.votes(who, number, side, tap=tap)
            self.read(crash)

    @rule(who=who, which=which, side=sides)
    def somebody_votes_while_the_bot_does_not_look(self, who: str, which: int, side: Side) -> None:
        if (number := self.number(which)) is not None:
            self.votes(who, number, side)

    @rule(back=st.integers(0, 8), own=st.booleans(), who=who, crash=crash)
    def a_vote_is_taken_back(self, back: int, own: bool, who: str, crash: int | None) -> None:
        votes = [event for event in self.world.hs.ops if event.kind == "vote"]
        if back < len(votes):
            vote = votes[-1 - back]
            self.world.post(vote.sender if own else who, "redact", None, vote.id)
            self.read(crash)

    @rule(back=st.integers(0, 8))
    def an_event_is_erased_from_another_room(self, back: int) -> None:
        if back < len(self.world.hs.ops):
            self.world.hs.ops[-1 - back].erased = True

    @rule(back=st.integers(0, 3), who=who, crash=crash)
    def somebody_taps_an_alarm(self, back: int, who: str, crash: int | None) -> None:
        alarms = [e for e, key in self.world.hs.cards.items() if key.startswith("erased.")]
        if back < len(alarms):
            self.world.post(who, "alarm", None, alarms[-1 - back])
            self.read(crash)

    @rule(which=which, what=commands, who=st.one_of(st.none(), who), crash=crash)
    def a_command_is_edited(
        self, which: int, what: str, who: str | None, crash: int | None
    ) -> None:
        if (number := self.number(which)) is not None:
            request = self.world.get(number)
            self.world.post(who or request.mxid, "edit", command(what), request.command)
            self.read(crash)

    @rule(which=which, card=st.booleans(), who=who, crash=crash)
    def a_command_or_a_card_is_deleted(
        self, which: int, card: bool, who: str, crash: int | None
    ) -> None:
        if (number := self.number(which)) is not None:
            command = self.world.get(number).command
            self.world.post(who, "redact", None, self.world.card_of(number) if card else command)
            self.read(crash)

    @rule(which=which, who=st.one_of(st.none(), who), crash=crash)
    def somebody_cancels(self, which: int, who: str | None, crash: int | None) -> None:
        if (number := self.number(which)) is not None:
            self.world.post(who or self.world.get(number).mxid, "cancel", number)
            self.read(crash)

    @rule(who=who, join=st.booleans(), crash=crash)
    def somebody_leaves_or_joins(self, who: str, join: bool, crash: int | None) -> None:
        self.world.post(who, "join" if join else "leave")
        self.read(crash)

    @rule(policy=policies, crash=crash)
    def a_policy_is_loaded(self, policy: Any, crash: int | None) -> None:
        self.go(lambda: self.world.reload(policy), crash)

    @rule(minutes=st.sampled_from((1, 4, 6, 20, 31, 45, 61)), crash=crash)
    def time_passes(self, minutes: int, crash: int | None) -> None:
        self.go(lambda: self.world.tick(60.0 * minutes), crash)

    @rule(crash=crash)
    def the_relay_goes_on(self, crash: int | None) -> None:
        self.go(self.world.run, crash)

    @rule(kind=kinds)
    def conduit_answers(self, kind: Kind) -> None:
        self.answers(kind)

    @rule()
    def conduit_restarts(self) -> None:
        self.loses()

    @rule(kind=kinds, crash=crash)
    def a_late_answer_comes(self, kind: Kind, crash: int | None) -> None:
        lost = [sent for sent in self.world.hs.admin if sent.lost]
        if lost:
            self.go(lambda: self.world.late_answer(lost[-1], kind), crash)

    @rule()
    def the_bot_is_killed(self) -> None:
        self.go(self.world.restart)

    @rule()
    def the_disk_is_full_for_a_moment(self) -> None:
        self.world.disk_full = True

    @rule(on=st.booleans(), who=who, crash=crash)
    def somebody_pauses_or_resumes(self, on: bool, who: str, crash: int | None) -> None:
        self.world.post(who, "pause" if on else "resume")
        self.read(crash)

    @rule(back=st.integers(0, 8), crash=crash)
    def an_event_comes_again(self, back: int, crash: int | None) -> None:
        at = self.world.quietly(self.world.cursor)
        votes = [event for event in self.world.hs.ops[:at] if event.kind == "vote"]
        if back < len(votes):
            self.go(lambda: self.world.replay(votes[-1 - back]), crash)

    @rule(who=who, what=commands, crash=crash)
    def somebody_breaks_the_glass(self, who: str, what: str, crash: int | None) -> None:
        self.world.post(who, "glass", command(what))
        self.read(crash)

    # what happens often enough only when it is played

    @rule(
        first=st.sampled_from((CY, DAN, ANA)),
        what=st.sampled_from(("t1", "t2", "many")),
        kind=kinds,
        crash=crash,
        room=st.booleans(),
    )
    def all_goes_well(
        self, first: str, what: str, kind: Kind, crash: int | None, room: bool
    ) -> None:
        number = self.asks(BO, "room" if room and what == "t2" else what)
        if number is None:
            return
        self.votes(first, number)
        self.votes(DAN if first != DAN else CY, number)
        self.read(crash)
        self.runs(2, crash)
        self.answers(kind)
        self.runs(1, crash)

    @rule(leaver=st.sampled_from((CY, DAN)), what=st.sampled_from(("t1", "t2")))
    def somebody_votes_and_leaves(self, leaver: str, what: str) -> None:
        if (number := self.asks(BO, what)) is not None:
            self.votes(leaver, number)
            self.world.post(leaver, "leave")
            self.read()
            self.runs(2)

    @rule(voter=st.sampled_from((CY, DAN)), what=st.sampled_from(("t1", "t2")))
    def somebody_votes_and_loses_the_role(self, voter: str, what: str) -> None:
        if (number := self.asks(BO, what)) is not None:
            self.votes(voter, number)
            self.read()
            self.go(lambda: self.world.reload(CY_IS_NOBODY))
            self.runs(2)

    @rule(
        change=st.sampled_from(
            ((TWO_MODS, POLICIES[0]), (POLICIES[0], NOT_T1), (POLICIES[0], TWO_MODS))
        )
    )
    def a_policy_comes_between_the_votes_and_the_line(self, change: Any) -> None:
        before, after = change
        self.go(lambda: self.world.reload(before))
        if (number := self.asks(BO, "t1")) is not None:
            self.votes(CY, number)
            self.read()
            self.go(lambda: self.world.reload(after))
            self.runs(2)

    @rule(asker=st.sampled_from((ANA, ANA2)), what=st.sampled_from(("t1", "t2")))
    def one_person_with_two_accounts(self, asker: str, what: str) -> None:
        if (number := self.asks(asker, what)) is not None:
            self.votes(ANA, number)
            self.votes(ANA2, number)
            self.read()
            self.runs(2)

    @rule(policy=policies, what=st.sampled_from(("t1", "t2")))
    def both_accounts_vote_and_a_policy_comes(self, policy: Any, what: str) -> None:
        if (number := self.asks(BO, what)) is not None:
            self.votes(ANA, number)
            self.votes(ANA2, number)
            self.read()
            self.go(lambda: self.world.reload(policy))
            self.runs(2)

    @rule(what=st.sampled_from(("t1", "t2")), late=st.booleans())
    def a_vote_comes_when_the_time_is_over(self, what: str, late: bool) -> None:
        if (number := self.asks(BO, what)) is not None:
            self.votes(CY if late else DAN, number)
            if late:
                self.world.office.now += 3600
            else:
                self.read()
                self.world.office.now += 3600
            self.read()
            self.votes(DAN, number)
            self.read()
            self.runs(2)

    @rule(after=policies, what=st.sampled_from(("t1", "t2")))
    def a_vote_is_rejected_and_comes_again_after_a_promotion(self, after: Any, what: str) -> None:
        self.go(lambda: self.world.reload(CY_IS_NOBODY))
        if (number := self.asks(BO, what)) is not None:
            vote = self.votes(CY, number)
            self.read()
            self.go(lambda: self.world.reload(after))
            self.go(lambda: self.world.replay(vote))
            self.runs(2)

    @rule(
        what=st.sampled_from(("t1", "t2", "many", "room")),
        point=st.sampled_from(("intent", "sent", "known", "answered")),
        kind=kinds,
        twice=st.one_of(st.none(), st.integers(0, 40)),
        queue=st.booleans(),
    )
    def the_bot_dies_around_a_line(
        self, what: str, point: str, kind: Kind, twice: int | None, queue: bool
    ) -> None:
        """queue: Conduit dies too, and what it had not answered is lost."""
        if (number := self.asks(BO, what)) is not None:
            self.votes(CY, number)
            self.votes(DAN, number)
            self.read()
            for _ in range(3):
                self.world.crash_at, self.world.crash_again = point, twice
                self.go(self.world.run)
            self.loses() if queue else self.answers(kind)
            self.runs(3)

    @rule(what=st.sampled_from(("t1", "t2", "many")), denier=st.sampled_from((CY, DAN)))
    def somebody_denies(self, what: str, denier: str) -> None:
        if (number := self.asks(BO, what)) is not None:
            self.votes(DAN if denier == CY else CY, number)
            self.votes(denier, number, Side.DENY)
            self.read()
            self.runs(2)

    @rule(
        what=st.sampled_from(("t1", "t2", "many")),
        denier=st.sampled_from((CY, DAN)),
        tap=st.booleans(),
        side=st.one_of(st.none(), st.none(), sides),
        asker=st.sampled_from((ANA, ANA, BO)),
        who=st.sampled_from((ANA, ANA, CY, DAN, BO)),
    )
    def a_no_is_erased_before_it_is_read(
        self, what: str, denier: str, tap: bool, side: Side | None, asker: str, who: str
    ) -> None:
        """side: what its sender says then; who: taps the alarm."""
        if (number := self.asks(asker, what)) is not None:
            self.votes(denier, number, Side.DENY, tap=tap).erased = True
            for voter in (each for each in (DAN, CY, ANA, BO) if each not in (denier, asker)):
                self.votes(voter, number)
            self.read()
            self.runs(2)
            if side is not None:
                self.votes(denier, number, side)
            else:
                self.somebody_taps_an_alarm(0, who, None)
            self.read()
            self.runs(2)

    @rule(what=st.sampled_from(("t1", "t2")), new=st.sampled_from(("t1", "t2")))
    def an_approved_command_is_edited(self, what: str, new: str) -> None:
        if (number := self.asks(BO, what)) is not None:
            self.votes(CY, number)
            self.votes(DAN, number)
            self.read()
            self.world.post(BO, "edit", command(new), self.world.get(number).command)
            self.read()
            self.runs(2)

    @rule(what=st.sampled_from(("t1", "t2", "room")), policy=policies)
    def the_relay_has_chosen_when_something_changes(self, what: str, policy: Any) -> None:
        if (number := self.asks(BO, what)) is not None:
            self.votes(CY, number)
            self.votes(DAN, number)
            self.read()
            self.runs(1)
            self.world.post(BO, "cancel", number)
            self.read()
            self.runs(1)

    @rule(what=st.sampled_from(("t1", "t2", "room", "many")), told=st.integers(0, 2), kind=kinds)
    def an_answer_is_lost(self, what: str, told: int, kind: Kind) -> None:
        number = self.asks(ANA, what)
        if number is None:
            return
        self.votes(CY, number)
        self.votes(DAN, number)
        self.read()
        self.runs(2)
        self.loses()
        self.runs(1)
        if told == 1:
            self.world.post(CY, "resolve", (number, Kind.DONE))
            self.read()
        elif told == 2 and (lost := [s for s in self.world.hs.admin if s.lost]):
            self.go(lambda: self.world.late_answer(lost[-1], kind))


def play(machine: type[Approvals], games: int, number: int, *, shrink: bool = False) -> None:
    """Raises what broke; `shrink` finds the shortest game that breaks it."""
    phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)
    options = settings(
        max_examples=games,
        stateful_step_count=40,
        phases=phases,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
    )
    seeded = seed(number)(type("Approvals", (machine,), {}))  # type: ignore[arg-type]
    run_state_machine_as_test(seeded, settings=options)


LEAST = {"done": 300, "unknown to done": 30, "held": 200, "released": 30} | dict.fromkeys(
    ("refused", "failed", "unknown", "denied", "expired", "cancelled", "rejected"), 50
)
"""What must have happened in 2,000 games, else too little was tried."""


def least(total: Counter[str]) -> dict[str, int]:
    """What happened too rarely; fewer games than 2,000 prove only that something is done."""
    share = total["games"] // 2000
    wanted = {what: n * share for what, n in LEAST.items()} | {"done": max(300 * share, 1)}
    return {what: total[what] for what, n in wanted.items() if total[what] < n}


def chunk(games: int, number: int) -> Counter[str]:
    """So many games in a process of their own; what happened in them."""
    TOTAL.clear()
    play(Approvals, games, number, shrink=True)
    return TOTAL


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("games", type=int, nargs="?", default=2000)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3), "big"))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(argv)
    start, total, size = time.monotonic(), Counter[str](), 500
    with ProcessPoolExecutor(options.jobs) as pool:
        parts = {
            pool.submit(chunk, min(size, options.games - at), options.seed + at): options.seed + at
            for at in range(0, options.games, size)
        }
        for part in as_completed(parts):
            try:
                total.update(part.result())
            except Exception as broken:
                print(f"seed {parts[part]}: {type(broken).__name__}: {broken}", file=sys.stderr)
                print("\n".join(getattr(broken, "__notes__", [])), file=sys.stderr)
                pool.shutdown(cancel_futures=True)
                return 1
            print(f"{total['games']} games, {time.monotonic() - start:.0f} s", flush=True)
    for what, n in sorted(total.items()):
        print(f"{n:10,} {what}")
    missing = least(total)
    print(f"too rare: {missing}" if missing else "every ending happened often enough")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
