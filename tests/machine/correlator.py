"""A model of the admin room, its members, its server and a bot, to find a wrongly placed answer.

    python -m tests.machine.correlator 100000 [model | 0.9.0 | 0.10.12 | 0.11.0-alpha …] [--seed N]

plays that many random evenings, prints how often each situation occurred, and ends with 1 if an
answer was attributed wrongly, if the correlator said "nobody can know" where one could, if a line
of the bot never ended, or if a situation that has to be met 1,000 times was not.

The server of the model knows what it does: each of its answers remembers its command. The bot
sees only what stands in the room. How the model's server behaves is what real ones were seen to
do (docs/conduit.md): one queue for commands and notices, in memory, lost at a restart.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from collections.abc import Sequence
from types import ModuleType
from typing import Any, Protocol

from attrs import define, field

from sluice.families import correlator as real
from sluice.model.admin_room import (
    Content,
    Echoed,
    Effect,
    Lost,
    NeedFence,
    Notice,
    Oracle,
    Seen,
    Settled,
    Who,
)
from tests.machine import scripts

MUST_MEET = (
    "ours lost in a restart, another's same-shaped command answered",
    "command redacted before it was read",
    "unlisted server text",
    "send failed although the line was queued",
    "doorbell doubled",
    "doorbell lost",
    "restart with commands in the queue",
    "answer lost after the command ran",
    "answer redacted before it was read",
    "hostile report",
    "bot crashed",
    "another's command of the same shape open beside ours",
    "command in no table",
    "late answer after the timeout",
    "fence copied by another",
    "cursor set anew",
    "server message executed (emergency)",
)
FAULTS = {  # with none of these in a run, no line may end as unknown
    "command redacted before it was read",
    "chat redacted before it was read",
    "unlisted server text",
    "restart with commands in the queue",
    "answer lost after the command ran",
    "answer redacted before it was read",
    "command in no table",
    "fence copied by another",
    "cursor set anew",
    "server message executed (emergency)",
}


class Wrong(AssertionError):
    """The property that the run broke, with what led to it."""


class Script(Protocol):
    """What is said in the room: by commands, their possible answers, notices."""

    oracle: Oracle

    def command(self, rng: random.Random) -> str: ...
    def answer(self, rng: random.Random, body: str) -> Content: ...
    def unlisted(self, rng: random.Random) -> Content: ...
    def notice(self, rng: random.Random, hostile: bool) -> Content: ...
    def mystery(self, rng: random.Random) -> str: ...
    def version(self) -> str: ...
    def fence(self, nonce: str) -> str: ...


@define
class Event:
    id: str
    who: Who
    content: Content
    ref: str = ""
    answers: str | None = None  # event id of the command, known to the model only
    redacted: bool = False
    runs: bool = False
    read: bool = False


@define
class Log:
    """What the bot knew when it read each message, for the check at the end of the run."""

    entries: dict[str, str | None] = field(factory=dict)  # event id: body, None = fits all
    messages: list[tuple[str, set[str]]] = field(factory=list)  # listed: id, entries it fits
    outcome: dict[str, Effect] = field(factory=dict)  # by entry
    exact: bool = True  # no reset: then the whole run can be computed

    def begin_after(self, fence: str) -> None:
        """What was before the first echo is in doubt for ever."""
        self.messages.clear()
        self.entries = {i: b for i, b in self.entries.items() if int(i[1:]) > int(fence[1:])}


@define
class World:
    rng: random.Random
    script: Script
    c: ModuleType = real
    counts: Counter[str] = field(factory=Counter)
    room: list[Event] = field(factory=list)
    pending: list[Event | Content] = field(factory=list)  # the server's queue
    now: float = 0.0
    cursor: int = 0
    shown: list[Event] = field(factory=list)
    queue: Any = None
    need_fence: bool = True
    nonces: list[str] = field(factory=list)
    fences: set[str] = field(factory=set)  # in the room, without an echo
    lines: dict[str, str] = field(factory=dict)  # our open lines: event id to ref
    given_up: set[str] = field(factory=set)  # of these, told as unknown by a timer
    log: Log = field(factory=Log)
    faulty: bool = False
    calm: bool = False  # the end of a run: no more faults
    tidy: bool = True  # the bot keeps to its rules: one line at a time, a fence where one is due
    emergency: bool = False
    copycat: bool = False  # an admin who copies fences, some of them secretly
    story: list[str] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.queue = self.c.Queue()
        self.tidy = self.rng.random() < 0.7
        self.emergency = self.rng.random() < 0.05
        self.copycat = self.rng.random() < 0.05
        self.faulty = self.rng.random() < 0.85
        self.begin()

    def begin(self) -> None:
        self.act()
        self.serve(9)
        self.read(9)

    # --- the room

    def count(self, what: str) -> None:
        self.counts[what] += 1

    def post(self, who: Who, content: Content, **rest: Any) -> Event:
        event = Event(f"${len(self.room)}", who, content, **rest)
        self.room.append(event)
        self.story.append(f"{event.id} {who.value} {event.ref} {content.get('body')!r}")
        if who is not Who.SERVER or self.emergency:
            body = content.get("body")
            if isinstance(body, str) and self.script.oracle.asked(body) is not None:
                self.pending.append(event)
                if who is Who.SERVER:
                    event.runs = True
                    self.count("server message executed (emergency)")
        return event

    def redact(self, event: Event, what: str) -> None:
        if not event.read and not event.redacted:
            event.redacted = True
            self.story.append(f"{event.id} redacted")
            self.count(what)

    # --- the server

    def serve(self, steps: int = 1) -> None:
        for _ in range(min(steps, len(self.pending))):
            item = self.pending.pop(0)
            if not isinstance(item, Event):
                self.post(Who.SERVER, item)
                continue
            if self.chance(0.02):
                self.count("answer lost after the command ran")
                self.restart()
                return
            body = item.content["body"]
            content = self.script.answer(self.rng, body)
            if not self.is_fence(body) and self.chance(0.04):
                content = self.script.unlisted(self.rng)
                self.count("unlisted server text")
            answer = self.post(Who.SERVER, content, answers=item.id)
            if self.chance(0.03):
                self.redact(answer, "answer redacted before it was read")

    def restart(self) -> None:
        if any(isinstance(item, Event) for item in self.pending):
            self.count("restart with commands in the queue")
        self.story.append("restart")
        self.pending.clear()
        if self.rng.random() < 0.6:  # the bot saw a connection error
            self.need_fence = True

    def is_fence(self, body: str) -> bool:
        asked = self.script.oracle.asked(body)
        return asked is not None and asked.command == "fence"

    # --- other people

    def chance(self, odds: float) -> bool:
        return self.faulty and not self.calm and self.rng.random() < odds

    def other_types(self) -> None:
        event = self.post(Who.OTHER, {"body": self.other_says()})
        if self.chance(0.5 if self.copycat else 0.15):
            self.redact(event, "command redacted before it was read")

    def other_says(self) -> str:
        if self.chance(0.05):
            self.count("command in no table")
            return self.script.mystery(self.rng)
        if self.chance(0.5 if self.copycat else 0.02):
            self.count("fence copied by another")
            return self.script.fence(self.rng.choice(self.nonces[-3:]))
        if self.rng.random() < (0.4 if self.emergency else 0.05):
            return self.script.version()
        ours = [e for e in self.room if e.id in self.lines]
        if ours and self.rng.random() < 0.5:
            self.count("another's command of the same shape open beside ours")
            return str(ours[-1].content["body"])
        return self.script.command(self.rng)

    def other_chats(self) -> None:
        event = self.post(Who.OTHER, {"body": "ok, seen"})
        if self.chance(0.3):
            self.redact(event, "chat redacted before it was read")

    def other_redacts(self) -> None:
        if self.room and self.chance(0.5):
            event = self.rng.choice(self.room[-6:])
            asked = self.script.oracle.asked(event.content["body"])
            server = "answer redacted before it was read"
            other = (
                "command redacted before it was read"
                if asked
                else "chat redacted before it was read"
            )
            self.redact(event, server if event.who is Who.SERVER else other)
            event.redacted = True  # after the reading too: then only a crash makes it matter

    def notices(self) -> None:
        hostile = self.rng.random() < 0.5
        if hostile:
            self.count("hostile report")
        self.pending.append(self.script.notice(self.rng, hostile))
        if self.chance(0.1):
            self.count("unlisted server text")
            self.pending.append(self.script.unlisted(self.rng))

    # --- the bot: reading

    def ring(self) -> None:
        if self.rng.random() < 0.1:
            self.count("doorbell lost")
            return
        if self.rng.random() < 0.2:
            self.count("doorbell doubled")
            for event in self.shown[-self.rng.randint(1, 5) :]:
                self.feed(event)  # an old page once more
        self.read(self.rng.choice([1, 1, 2, 3, 50]))

    def read(self, size: int = 100) -> None:
        for event in self.room[self.cursor : self.cursor + size]:
            self.feed(event)
            self.shown.append(event)
        self.cursor = min(len(self.room), self.cursor + size)

    def feed(self, event: Event) -> None:
        content, ref = event.content, event.ref
        if event.redacted and not event.read:
            known = event.who is Who.OURS and (self.tidy or self.is_fence(content["body"]))
            content, ref = (content, ref) if known else ({}, "")
        seen = Seen(
            event.id, event.who, content, event.redacted and not event.read, ref, event.runs
        )
        if not event.read:
            self.note(seen, event)
        event.read = True
        was_blind = self.queue.blind
        self.queue, effects = self.c.feed(self.queue, seen, self.script.oracle, self.now)
        if was_blind and not self.queue.blind:
            self.log.begin_after(str(event.answers))
        for effect in effects:
            self.take(effect)
        if self.queue.held:
            asked = self.need_fence or self.fences
            self.check(bool(asked), "in doubt, and no fence was asked for")

    def note(self, seen: Seen, event: Event) -> None:
        """Keeps what could be known now. An answer can only be an earlier entry's."""
        oracle, log = self.script.oracle, self.log
        if seen.who is Who.SERVER and not seen.redacted and not oracle.is_notice(seen.content):
            fits = {i for i, body in log.entries.items() if self.could_be(i, body, seen.content)}
            if fits or oracle.is_listed(seen.content):
                log.messages.append((seen.event_id, fits))
        body = seen.content.get("body")
        asked = oracle.asked(body) if body is not None else None
        if (seen.who is not Who.SERVER or seen.runs) and (asked or seen.redacted):
            log.entries[seen.event_id] = body if asked and asked.command else None

    def could_be(self, entry: str, body: str | None, content: Content) -> bool:
        oracle = self.script.oracle
        if body is not None:
            asked = oracle.asked(body)
            return asked is not None and oracle.fits(asked, content)
        for fence, text in self.log.entries.items():  # nobody types a nonce before it is there
            ours = self.event(fence).ref == "fence"
            if text and ours and self.could_be(fence, text, content):
                return int(fence[1:]) < int(entry[1:])
        return oracle.is_listed(content)

    def crash(self) -> None:
        """The bot ends and starts again with what its database holds."""
        self.count("bot crashed")
        self.story.append("crash")
        self.queue = self.c.from_json(self.c.to_json(self.queue))
        texts: dict[str, Content] = {}
        for event_id in self.c.unread(self.queue):
            event = self.event(event_id)
            texts[event_id] = {} if event.redacted else event.content
            if event.redacted and self.log.entries.get(event_id) is not None:
                self.log.entries[event_id] = None
                self.count("command redacted before it was read")  # and forgotten in a crash
        self.queue = self.c.refill(self.queue, texts, self.script.oracle)
        self.need_fence = True

    def reset(self) -> None:
        """The cursor has to be set anew, behind everything."""
        self.count("cursor set anew")
        self.story.append("cursor set anew")
        self.cursor = len(self.room)
        for event in self.room:
            event.read = True
        self.log.exact = False
        self.queue, effects = self.c.reset(self.queue)
        for effect in effects:
            self.take(effect)
        self.lines.clear()

    def event(self, event_id: str) -> Event:
        return self.room[int(event_id[1:])]

    # --- the bot: what it is told

    def take(self, effect: Effect) -> None:
        self.story.append(f"  -> {effect}")
        if isinstance(effect, NeedFence):
            self.need_fence = True
        elif isinstance(effect, Notice):
            self.check(
                self.event(effect.event_id).answers is None or effect.raw, "an answer passed on"
            )
        elif isinstance(effect, Echoed):
            self.fences.discard(effect.nonce)
        else:
            self.end(effect)

    def end(self, effect: Settled | Lost) -> None:
        known = self.log.outcome.setdefault(effect.entry, effect)
        self.check(known is effect, f"{effect.entry} ended twice")
        if isinstance(effect, Settled):
            truth = self.event(effect.answer).answers
            self.check(truth == effect.entry, f"{effect.answer} answers {truth}")
            if effect.entry in self.given_up:
                self.count("late answer after the timeout")
        else:
            shown = [i for i in effect.candidates if not self.event(i).redacted]
            if len(effect.candidates) == 1 and shown:
                truth = self.event(shown[0]).answers
                self.check(truth in (effect.entry, None), "another's text would be shown")
            self.count(f"unknown: {effect.why}")
            self.check_why(effect)
            if effect.ref and effect.ref != "fence":
                faults = FAULTS & set(self.counts)
                self.check(bool(faults), f"{effect} without a fault")
        if self.lines.pop(effect.entry, None):
            self.count("ours settled" if isinstance(effect, Settled) else "ours unknown")

    def check_why(self, lost: Lost) -> None:
        body = self.log.entries.get(lost.entry, "")
        came = any(e.answers == lost.entry and e.read for e in self.room)
        if came and lost.why == "lost" and self.log.exact and body != "":
            fence = body is not None and self.is_fence(body)
            self.check(fence, f"{lost.entry} is called lost, but something came")

    def check(self, holds: bool, what: str) -> None:
        if not holds:
            raise Wrong("\n".join([*self.story, what]))

    # --- the bot: sending

    def act(self) -> None:
        """One look at what is to be sent, as the relay's runner does it."""
        due = self.c.fence_due(self.queue, self.now, 60.0, 600.0)
        open_lines = [i for i in self.lines if i not in self.given_up]
        if due:
            self.given_up |= set(self.lines)
        wants = not self.calm and (not open_lines or not self.tidy) and self.rng.random() < 0.8
        doubt = self.c.must_fence(self.queue)
        if self.need_fence or due or (doubt and wants and self.tidy and not self.fences):
            self.send_fence()
        elif wants and not (self.tidy and (doubt or self.fences)):
            self.send_line()

    def send_fence(self) -> None:
        nonce = f"n{len(self.room)}x"
        self.nonces.append(nonce)
        self.fences = {nonce}
        self.need_fence = False
        self.post(Who.OURS, {"body": self.script.fence(nonce)}, ref="fence")

    def send_line(self) -> None:
        if self.tidy and self.log.exact:
            open_any = [i for i, body in self.log.entries.items() if body is None]
            beside = [i for i in open_any if i not in self.log.outcome]
            self.check(not beside, f"a line goes out while {beside} may have any answer")
        if self.chance(0.05):
            return  # refused, or it never reached the server: nothing stands in the room
        if self.rng.random() < 0.1:
            self.count("send failed although the line was queued")
            self.need_fence = True  # known by its marker, when it is read
        event = self.post(
            Who.OURS, {"body": self.script.command(self.rng)}, ref=f"{len(self.room)}.1"
        )
        self.lines[event.id] = event.ref
        if self.chance(0.03):
            self.redact(event, "command redacted before it was read")
            if not self.tidy:
                self.lines.pop(event.id)  # nothing says any more that it was this line

    # --- a run

    def play(self, steps: int) -> None:
        moves = [
            (self.act, 8),
            (self.ring, 10),
            (self.read, 2),
            (lambda: self.serve(self.rng.choice([1, 1, 2, 9])), 9),
            (self.other_types, 4),
            (self.other_chats, 1),
            (self.other_redacts, 1),
            (self.notices, 2),
            (self.crash, 1),
            (lambda: self.chance(0.5) and self.restart(), 1),
            (lambda: self.chance(0.2) and self.reset(), 1),
            (self.wait, 2),
        ]
        names, weights = zip(*moves, strict=True)
        for move in self.rng.choices(names, weights, k=steps):
            move()
        self.settle()

    def wait(self) -> None:
        self.now += self.rng.choice([0.1, 1.0, 61.0, 130.0])

    def settle(self) -> None:
        """No more faults; everything that can end has to."""
        self.calm = True
        for _ in range(12):
            self.now += 61
            self.act()
            self.serve(len(self.pending))
            self.read(len(self.room))
            if not self.queue.entries and not self.lines and self.cursor == len(self.room):
                break
        else:
            self.check(False, f"still open: {self.queue.entries} {self.lines}")
        self.same_shapes()
        self.compare()

    def same_shapes(self) -> None:
        """Counts what the correlator is so strict for."""
        answered = {e.answers for e in self.room}
        fits = dict(self.log.messages)
        for message in self.room:
            if message.answers and self.event(message.answers).who is Who.OTHER:
                for entry in fits.get(message.id, ()):
                    lost = self.event(entry)
                    later = int(message.answers[1:]) > int(entry[1:])
                    if later and lost.ref not in ("", "fence") and entry not in answered:
                        self.count(MUST_MEET[0])

    def compare(self) -> None:
        """What could be known of the whole run was said: counts the assignments, one by one."""
        if not self.log.exact:
            return
        pairs = forced(list(self.log.entries), self.log.messages)
        self.check(pairs is not None, "the truth itself is no assignment: who wrote this oracle?")
        for message, entry in pairs or ():
            found = self.log.outcome.get(entry)
            if self.is_ours_fence(entry):
                continue
            said = isinstance(found, Settled) and found.answer == message
            self.check(said, f"only {entry} can have {message}; said: {found}")

    def is_ours_fence(self, entry: str) -> bool:
        return self.event(entry).ref == "fence"


def forced(
    entries: Sequence[str], messages: Sequence[tuple[str, set[str]]]
) -> list[tuple[str, str]] | None:
    """The pairs that every assignment of the messages, in order, to the entries contains.

    By counting: of all assignments, how many give this message this entry? None if there is none.
    """
    n, m = len(entries), len(messages)
    ways = [[0] * n for _ in range(m)]  # assignments of messages[: j + 1] that end at entry i
    for j, (_, fits) in enumerate(messages):
        below = 1 if j == 0 else 0
        for i in range(n):
            if j and i:
                below += ways[j - 1][i - 1]
            ways[j][i] = below if entries[i] in fits else 0
    rest = [[0] * n for _ in range(m)]  # assignments of messages[j:] that begin at entry i
    for j in reversed(range(m)):
        above = 1 if j == m - 1 else 0
        for i in reversed(range(n)):
            if j < m - 1 and i < n - 1:
                above += rest[j + 1][i + 1]
            rest[j][i] = above if entries[i] in messages[j][1] else 0
    total = sum(ways[-1]) if m else 1
    if not total:
        return None
    return [
        (messages[j][0], entries[i])
        for j in range(m)
        for i in range(n)
        if entries[i] in messages[j][1] and ways[j][i] and _through(ways, rest, j, i) == total
    ]


def _through(ways: list[list[int]], rest: list[list[int]], j: int, i: int) -> int:
    after = 1 if j == len(rest) - 1 else sum(rest[j + 1][i + 1 :])
    return ways[j][i] * after


def run(rng: random.Random, script: Script, c: ModuleType = real, steps: int = 60) -> Counter[str]:
    """One evening; raises Wrong with its story."""
    world = World(rng, script, c)
    world.play(steps)
    return world.counts


def runs(
    count: int, spoken: Sequence[Script], c: ModuleType = real, seed: int = 0
) -> Counter[str]:
    """Many evenings, the next script in each. Each has a number, to be played again."""
    met: Counter[str] = Counter()
    for number in range(seed, seed + count):
        script, steps = spoken[number % len(spoken)], random.Random(-number).randint(5, 90)
        try:
            met += run(random.Random(number), script, c, steps)
        except Wrong as wrong:
            raise Wrong(f"seed {number}:\n{wrong}") from None
    return met


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("python -m tests.machine.correlator")
    parser.add_argument("runs", type=int, nargs="?", default=100_000)
    parser.add_argument("script", nargs="*", help=f"of {', '.join(scripts.NAMED)}; all of them")
    parser.add_argument("--seed", type=int, default=0, help="the number of the first run")
    args = parser.parse_args(argv)
    try:
        met = runs(args.runs, scripts.named(*args.script), seed=args.seed)
    except Wrong as wrong:
        print(wrong)
        return 1
    for what, times in sorted(met.items(), key=lambda item: -item[1]):
        print(f"{times:>9,}  {what}")
    print(f"{args.runs:,} runs: 0 answers attributed wrongly, 0 unknown that could be known.")
    rare = [what for what in MUST_MEET if met[what] < 1_000]
    for what in rare:
        print(f"But met only {met[what]} times, 1,000 are wanted: {what}")
    return 1 if rare else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
