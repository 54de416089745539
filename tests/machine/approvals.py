"""A world for requests: a homeserver that survives, a bot that crashes, and what must hold.

The database, the service, the policy, the outbox and the audit log are the real ones. Simulated
are the timeline of the ops room, the admin room with Conduit behind it, the clock, and the two
loops that the app runs (read the next event, take the next line). `point` is called wherever a
crash can happen: before every statement of a transaction, and between two stores.

The oracle keeps its own books: it judges each event when the bot has taken it, from the tables
below and not from the policy, and checks every line in the instant it is sent.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from attrs import define, field, frozen

from sluice import audit
from sluice.db import meta
from sluice.db.connection import StorageFailed
from sluice.model.command import Invocation, Kind, Line, Outcome
from sluice.model.request import LineState, Request, Side, State, Via
from sluice.requests import (
    erased,
    finish,
    guard,
    measures,
    reweigh,
    standing,
    store,
    submit,
    voting,
)
from sluice.requests.desk import Changed
from sluice.requests.erased import Erasure, What
from sluice.requests.guard import Go, Stop, Turn
from sluice.requests.submit import Ask
from sluice.requests.voting import Ballot as Cast
from sluice.text.message import Sign
from sluice.text.phrases import say
from sluice.typed.parse import canonical
from tests.fake.log import follow_all

from .office import ROOM, SERVER, Members, Office, Real, Tiny, mxid, nothing, settings

T = TypeVar("T")
ANA, ANA2, DAN, BO, CY, EVE = map(mxid, ("ana", "ana2", "dan", "bo", "cy", "eve"))
PEOPLE = (ANA, ANA2, DAN, BO, CY, EVE)
CURSOR = "simulated cursor"
NONE = "$none"  # the card of a request without one
SAID = ("command", "glass", "vote", "edit", "cancel", "pause", "resume", "resolve")
ENDED = tuple(s for s in State if s not in (State.PENDING, State.EXECUTING, State.UNKNOWN))


# --- policies, as tables for the oracle and as text for Sluice --------------------------------


@frozen
class Rules:
    """groups: accounts of one person each. mods, owners: persons (owners are mods too)."""

    groups: tuple[tuple[str, ...], ...]
    mods: tuple[str, ...] = ("bo", "cy")
    owners: tuple[str, ...] = ("ana", "dan")
    slots: tuple[tuple[str, int], ...] = (("mod", 1),)
    may: tuple[str, ...] = ("deactivate", "deactivateall", "enableroom")
    denied: tuple[str, ...] = ()  # targets of deactivate
    expires: int = 60  # minutes

    @property
    def people(self) -> dict[str, tuple[str, ...]]:
        return {group[0][1:].partition(":")[0]: group for group in self.groups}

    def person(self, who: str) -> str:
        return next((name for name, group in self.people.items() if who in group), who)

    def roles(self, who: str) -> set[str]:
        name = self.person(who)
        held = {"owner", "mod"} if name in self.owners else set()
        return held | ({"mod"} if name in self.mods else set())

    @property
    def text(self) -> str:
        slots = ", ".join(f"{{from: {role}, n: {n}}}" for role, n in self.slots)
        require = (
            f"{{do: [deactivate, deactivateall], expires: {self.expires}m, approvals: [{slots}]}}"
        )
        one_of = json.dumps([*self.denied, mxid("nobody")])
        return f"""
ops_rooms: ["{ROOM}"]
policy:
  people: {json.dumps(self.people)}
  roles:
    mod: {{members: {json.dumps(self.mods)}}}
    owner: {{members: {json.dumps(self.owners)}, inherits: mod}}
  allow:
    - {{role: mod, do: "#read"}}
    - {{role: mod, do: {json.dumps(self.may)}}}
  require:
    {f"- {require}" if self.slots else "[]"}
  deny:
    - {{id: no, do: [deactivate, deactivateall], where: {{target: {{one_of: {one_of}}}}}}}
  limit:
    - {{do: "#destructive", per: everyone, max: 30, every: 1h}}
    - {{do: "#destructive", per: person, count: targets, max: 200, every: 1d}}
  break_glass: {{role: owner, max: 5, every: 1d}}
"""


ONE_ANA = ((ANA, ANA2), (DAN,), (BO,), (CY,))
TWO_ANAS = ((ANA,), (ANA2,), (DAN,), (BO,), (CY,))
ONE_MOD = ((ANA, ANA2), (DAN,), (BO, CY))
T1, T2 = mxid("t1"), mxid("t2")
BOTH = (("mod", 1), ("owner", 1))
POLICIES = (
    Rules(ONE_ANA),
    Rules(ONE_ANA, slots=(("mod", 2),)),
    Rules(ONE_ANA, slots=BOTH),
    Rules(TWO_ANAS, owners=("ana", "ana2", "dan"), slots=(("mod", 2),)),
    Rules(TWO_ANAS, owners=("ana", "ana2", "dan")),
    Rules(ONE_MOD, mods=("bo",), slots=(("mod", 2),)),
    Rules(ONE_ANA, mods=("bo",), owners=("ana", "dan")),
    Rules(ONE_ANA, mods=("cy",), owners=("ana", "dan"), slots=BOTH),
    Rules(ONE_ANA, denied=(T1,)),
    Rules(ONE_ANA, may=("enableroom",)),
    Rules(ONE_ANA, expires=10),
    Rules(ONE_ANA, slots=()),
)
LISTS = {"t1": f"deactivate {T1}", "t2": f"deactivate {T2}", "cy": f"deactivate {CY}"}


def command(name: str) -> Invocation:
    """`t1`, `t2`, `cy` (deactivate), `many` (deactivateall in 3 lines), `room`, `read`."""
    if name == "many":
        users = tuple(mxid(f"m{number:02}") for number in range(25))
        return Invocation("deactivateall", (("user", users),), "spam")
    if name == "room":
        return Invocation("enableroom", (("room", f"!r:{SERVER}"),))
    if name == "read":
        return Invocation("users")
    return Invocation("deactivate", (("user", mxid(name)),), "spam")


async def line_sent(desk: Any, turn: Turn, event_id: str) -> None:
    """As the admin room's reader does it."""
    sources, columns = (LineState.SENDING,), {"state": LineState.SENT, "event_id": event_id}
    await store.change_line(desk.tx, turn.request, turn.number, *sources, **columns)


async def line_answered(desk: Any, turn: Turn, answer: str) -> None:
    sources = (LineState.SENDING, LineState.SENT)
    columns = {"state": LineState.ANSWERED, "answer_event": answer, "answered_at": desk.now}
    await store.change_line(desk.tx, turn.request, turn.number, *sources, **columns)


def lines_of(what: Invocation) -> tuple[Line, ...]:
    """Lines of ten, as the catalog makes them; how they are spelled does not matter here."""
    users = what.values("user")
    if what.command != "deactivateall":
        return (Line((what.command,), items=users),)
    return tuple(
        Line((what.command,), items=users[at : at + 10]) for at in range(0, len(users), 10)
    )


# --- what survives a crash of the bot ---------------------------------------------------------


@define
class Event:
    """One event of the ops room. what: the command, the vote, or the target of a redaction."""

    id: str
    sender: str
    kind: str
    what: Any = None
    about: str = ""  # an event id, or a request's id for typed commands
    erased: bool = False  # from another room; nothing in this one shows it


@define
class Sent:
    ref: str
    text: str
    event_id: str
    answer: Kind | None = None
    lost: bool = False


@define
class Homeserver:
    ops: list[Event] = field(factory=list)
    admin: list[Sent] = field(factory=list)
    txns: dict[str, Sent] = field(factory=dict)
    cards: dict[str, str] = field(factory=dict)  # event id -> key of the outbox

    def send(self, ref: str, text: str, txn: str) -> Sent:
        """The same txn id is the same event."""
        if txn not in self.txns:
            self.txns[txn] = Sent(ref, text, f"$line{len(self.admin)}")
            self.admin.append(self.txns[txn])
        return self.txns[txn]


class Crash(Exception):
    """The process dies here."""


class Broken(AssertionError):
    """An invariant does not hold."""


@define
class Ballot:
    event: str
    who: str
    withdrawn: bool = False


@define
class Book:
    """What the oracle knows of a request. dead: why it must never be sent any more. holds: events
    that were erased before they were read, and who sent them."""

    request: int
    asker: str
    what: Invocation
    rules: Rules  # at submit
    created: float
    glass: bool = False
    dead: str = ""
    votes: list[Ballot] = field(factory=list)
    holds: dict[str, str] = field(factory=dict)


class World:
    """Everything, and the rules of the game as methods. Each does one thing that can happen."""

    unique_txn = False  # faults of the loops, which stand in the app and not in the service
    send_first = False

    def __init__(self, db: Tiny | Real | None = None) -> None:
        self.hs = Homeserver()
        self.db: Any = db or Tiny()
        self.db.before = nothing
        self.db.clear()
        self.rules = POLICIES[0]
        self.office = Office(self.db, self.rules.text)
        self.office.room = Members(PEOPLE)
        self.office.audit = self
        self.db.drive(self.db.write(lambda tx: meta.put(tx, CURSOR, "0")))
        self.count = itertools.count(1)
        self.crash_in: int | None = None
        self.crash_again: int | None = None
        self.crash_at = ""  # the name of a point
        self.log_failed = False
        self.disk_full = False
        self.books: dict[int, Book] = {}
        self.states: dict[int, State] = {}
        self.seen: Counter[str] = Counter()  # what happened, for the test's minimums
        self.turn: Turn | None = None  # the runner's: taken from the line, not begun
        self.out: Turn | None = None  # sent, not settled
        self.sent_seen = 0
        self.db.before = lambda query: self.point()

    # the log, with a disk that can be full

    async def append(self, tx: Any, now: float, kind: str, record: Any) -> object:
        if self.disk_full:
            self.log_failed = True
            raise OSError("no space left on device")
        return await audit.append(tx, now, kind, record)

    # crashes

    def point(self, name: str = "") -> None:
        """Somewhere a process can die."""
        if name and name == self.crash_at:
            self.crash_at = ""
            raise Crash
        if self.crash_in is not None:
            self.crash_in -= 1
            if self.crash_in < 0:
                self.crash_in = None
                raise Crash

    def guarded(self, work: Callable[[], None]) -> None:
        """Does work of the bot; a crash in it restarts the bot, and may come again in that."""
        try:
            work()
        except Crash:
            self.seen["crash"] += 1
            self.crash_in = self.crash_again
            while True:
                try:
                    self.restart()
                    break
                except Crash:
                    self.seen["crash"] += 1
        except (OSError, StorageFailed):
            self.seen["disk full"] += 1
            self.turn = None
        except Changed:
            self.seen["stale read noticed"] += 1
        self.crash_in, self.crash_again, self.crash_at = None, None, ""
        self.disk_full = False
        self.check()

    def dump(self) -> list[Any]:
        """Everything that is stored of requests."""
        names = ("request", "line", "vote", "use")
        every = (self.db.sql(f"SELECT * FROM sluice_{name} ORDER BY 1, 2, 3") for name in names)
        return [tuple(row) for rows in every for row in rows]

    def write(self, block: Callable[[Any], Awaitable[T]]) -> T:
        """One transaction, and nothing of it without its records in the log."""
        self.log_failed = False
        result = self.db.drive(self.db.write(block))
        if self.log_failed:
            raise Broken("I12: something is kept without the log")
        return result

    def transact(self, step: Callable[..., Awaitable[T]], *args: Any, **more: Any) -> T:
        return self.write(lambda tx: step(self.office.desk(tx), *args, **more))

    def get(self, number: int) -> Request:
        row = self.quietly(lambda: self.look(store.get, number))
        assert row is not None
        return row

    def cursor(self) -> int:
        return int(self.look(meta.get, CURSOR) or 0)

    def look(self, step: Callable[..., Awaitable[T]], *args: Any) -> T:
        """What a function of a store reads."""
        return self.db.drive(self.db.read(lambda tx: step(tx, *args)))  # type: ignore[no-any-return]

    def quietly(self, look: Callable[[], T]) -> T:
        """A look of the test, at which nothing crashes."""
        self.db.before, before = (lambda query: None), self.db.before
        try:
            return look()
        finally:
            self.db.before = before

    # --- what people do: only the timeline knows it until the bot reads on

    def post(self, sender: str, kind: str, what: Any = None, about: str = "") -> Event:
        event = Event(f"$e{next(self.count)}", sender, kind, what, about)
        self.hs.ops.append(event)
        return event

    def card_of(self, number: int) -> str:
        """The event id of its card; the command's own if it has none yet (then nobody votes)."""
        key = f"request.{number}.card"
        return next((event for event, name in self.hs.cards.items() if name == key), NONE)

    def open_numbers(self) -> list[int]:
        return sorted(self.books)

    # --- the bot reads

    def read(self, most: int = 100) -> None:
        for _ in range(most):
            self.drain()
            at = self.cursor()
            if at >= len(self.hs.ops):
                return
            self.take(self.hs.ops[at], at + 1)

    def take(self, event: Event, after: int) -> None:
        """One event of the timeline: its effects and the cursor in one transaction."""
        room = self.office.room
        if event.kind == "join":
            room.joined.add(event.sender)
        elif event.kind == "leave":
            room.joined.discard(event.sender)
        is_lost = event.erased and event.kind in SAID
        handle = self.on_erased if is_lost else getattr(self, f"on_{event.kind}")
        before = self.quietly(self.state_map)

        async def block(tx: Any) -> Any:
            result = await handle(self.office.desk(tx), event)
            await meta.put(tx, CURSOR, str(after))
            return result

        result = self.write(block)
        self.note(event, before, result)
        self.point()

    def state_map(self) -> dict[int, State]:
        rows = self.db.sql("SELECT id, state FROM sluice_request")
        return {row["id"]: State(row["state"]) for row in rows}

    async def on_join(self, desk: Any, event: Event) -> None:
        await reweigh.room_changed(desk, ROOM)

    on_leave = on_join

    async def ask(self, desk: Any, event: Event, command: str) -> Ask:
        decision = await standing.judge(desk, event.what, ROOM, event.sender)
        return Ask(event.id, command, ROOM, event.sender, event.what, decision)

    async def on_command(self, desk: Any, event: Event) -> Request | None:
        if event.erased or event.sender not in self.office.room.joined:
            return None
        return await submit.submit(desk, await self.ask(desk, event, event.id))

    async def on_glass(self, desk: Any, event: Event) -> Request | None:
        if event.erased or event.sender not in self.office.room.joined:
            return None
        return await measures.break_glass(desk, await self.ask(desk, event, event.id))

    async def on_edit(self, desk: Any, event: Event) -> Request | None:
        anew = await self.ask(desk, event, event.about)
        return await submit.edited(desk, ROOM, event.about, event.sender, event.id, anew)

    def cast(self, event: Event) -> Cast | None:
        number = event.what[0]
        if event.erased:
            return None
        if event.about:
            key = self.hs.cards.get(event.about)
            if key != f"request.{number}.card":
                return None
        how = Via.REACTION if event.about else Via.COMMAND
        return Cast(event.id, number, event.sender, event.what[1], how, ROOM)

    async def on_vote(self, desk: Any, event: Event) -> None:
        cast = self.cast(event)
        if cast is not None and event.sender in self.office.room.joined:
            await voting.vote(desk, cast)

    async def on_erased(self, desk: Any, event: Event) -> None:
        if event.sender in self.office.room.joined:
            what = What.TAP if self.is_tap(event) else What.WORDS
            await erased.hold(desk, Erasure(event.id, ROOM, event.sender, what, EVE, "!eve"))

    async def on_alarm(self, desk: Any, event: Event) -> None:
        about = self.hs.cards[event.about].removeprefix(erased.KEY)
        await erased.tapped(desk, ROOM, about, event.sender, Side.APPROVE, event.id)

    def is_tap(self, event: Event) -> bool:
        return event.kind == "vote" and event.about != ""

    async def on_redact(self, desk: Any, event: Event) -> None:
        await voting.redacted(desk, ROOM, event.about, event.sender)

    async def on_cancel(self, desk: Any, event: Event) -> None:
        ask = await self.own(desk, event, "cancel")
        if ask is not None:
            await voting.cancel(desk, ask, event.what)

    async def on_pause(self, desk: Any, event: Event) -> None:
        ask = await self.own(desk, event, "pause")
        if ask is not None:
            await measures.pause(desk, ask, "")

    async def on_resume(self, desk: Any, event: Event) -> None:
        ask = await self.own(desk, event, "resume")
        if ask is not None:
            await measures.resume(desk, ask)

    async def on_resolve(self, desk: Any, event: Event) -> bool:
        ask = await self.own(desk, event, "resolve")
        message = say(Sign.DONE, "resolved")
        number, kind = event.what
        return ask is not None and await voting.resolve(desk, ask, number, kind, message)

    async def own(self, desk: Any, event: Event, word: str) -> Ask | None:
        if event.sender not in self.office.room.joined:
            return None
        what = Invocation(word)
        decision = await standing.judge(desk, what, ROOM, event.sender)
        return Ask(event.id, event.id, ROOM, event.sender, what, decision)

    # --- the oracle's books: judged once, when the bot has taken the event

    def note(self, event: Event, before: dict[int, State], result: Any) -> None:
        if event.erased and event.kind in SAID:
            self.note_erased(event, before)
        elif event.kind == "alarm":
            self.note_alarm(event, before)
        elif event.kind in ("command", "glass", "edit"):
            self.note_edit(event, before)
            if isinstance(result, Request) and result.state is State.PENDING:
                self.books[result.id] = Book(
                    result.id,
                    event.sender,
                    event.what,
                    self.rules,
                    self.office.now,
                    glass=event.kind == "glass",
                )
        elif event.kind == "vote":
            self.note_vote(event, before)
        elif event.kind == "redact":
            self.note_redaction(event, before)
        elif event.kind == "cancel" and event.what in self.books:
            book = self.books[event.what]
            if event.sender == book.asker and event.sender in self.office.room.joined:
                book.dead = "cancelled by who asked"
        elif event.kind == "leave":
            for book in self.books.values():
                if book.asker == event.sender and before.get(book.request) is State.PENDING:
                    book.dead = "the asker left"

    def note_edit(self, event: Event, before: dict[int, State]) -> None:
        if event.kind == "edit":
            for number, book in self.books.items():
                request = self.get(number)
                mine = request.command == event.about and book.asker == event.sender
                same = request.invocation == event.what  # nothing changed: the votes stand
                if mine and not same and before.get(number) is State.PENDING:
                    book.dead = "edited"

    def note_vote(self, event: Event, before: dict[int, State]) -> None:
        book = self.books.get(event.what[0])
        if book is None or self.cast(event) is None:
            return
        if before[book.request] is not State.PENDING or self.over(book):
            return
        side = event.what[1]
        if side is Side.DENY and self.same(book, event.sender, book.asker):
            book.dead = "taken back"
        if not self.may_vote(book, event.sender) and not self.may_review(book, event.sender):
            return
        held = book.holds.items()
        book.holds = {e: who for e, who in held if not self.same(book, who, event.sender)}
        if book.glass:
            return
        if side is Side.DENY:
            book.dead = "denied"
        else:
            book.votes.append(Ballot(event.id, event.sender))

    def note_erased(self, event: Event, before: dict[int, State]) -> None:
        """Whatever its sender could have stopped with it must wait."""
        who, tap = event.sender, self.is_tap(event)
        if who not in self.office.room.joined or not self.rules.roles(who):
            return
        for number, book in self.books.items():
            state = before.get(number)
            is_open = state is State.PENDING or (state is State.EXECUTING and not tap)
            says = not tap or self.may_vote(book, who) or self.same(book, who, book.asker)
            says = says or self.may_review(book, who)
            if is_open and says and book.what.command != "users":
                if who not in book.holds.values():
                    book.holds[event.id] = who
                self.seen["held"] += 1

    def note_alarm(self, event: Event, before: dict[int, State]) -> None:
        lost, who = self.hs.cards[event.about].removeprefix(erased.KEY), event.sender
        if who not in self.office.room.joined or not self.rules.roles(who):
            return
        for number, book in self.books.items():
            if before.get(number) not in (State.PENDING, State.EXECUTING):
                continue
            if lost in book.holds and (
                self.same(book, who, book.holds[lost]) or self.is_apart(book, who)
            ):
                del book.holds[lost]
                self.seen["released"] += 1

    def is_apart(self, book: Book, who: str) -> bool:
        """An owner who has no part in it."""
        barred = (book.asker, *book.what.values("user"))
        return (
            who in self.office.room.joined
            and "owner" in self.rules.roles(who)
            and not any(self.same(book, who, other) for other in barred)
        )

    def may_review(self, book: Book, who: str) -> bool:
        return book.glass and self.is_apart(book, who)

    def note_redaction(self, event: Event, before: dict[int, State]) -> None:
        for number, book in self.books.items():
            if before.get(number) is not State.PENDING:
                continue
            for ballot in book.votes:
                if ballot.event == event.about and ballot.who == event.sender:
                    ballot.withdrawn = True
            request = self.get(number)
            card = self.card_of(number)
            if event.about in (request.command, request.event_id) or event.about == card != NONE:
                book.dead = "deleted"

    def same(self, book: Book, one: str, other: str) -> bool:
        """Two MXIDs are one person, by either policy (or a chain of both)."""
        groups = [set(group) for group in (*book.rules.groups, *self.rules.groups)]
        reached = {one}
        for _ in groups:
            for group in groups:
                if reached & group:
                    reached |= group
        return other in reached

    def slots(self, book: Book) -> dict[str, int]:
        then, now = dict(book.rules.slots), dict(self.rules.slots)
        if book.what.command not in ("deactivate", "deactivateall") or book.glass:
            return {}
        return {role: max(then.get(role, 0), now.get(role, 0)) for role in {*then, *now}}

    def may_vote(self, book: Book, who: str) -> bool:
        barred = (book.asker, *book.what.values("user"))
        return (
            who in self.office.room.joined
            and bool(self.rules.roles(who) & set(self.slots(book)))
            and not any(self.same(book, who, other) for other in barred)
        )

    def over(self, book: Book) -> bool:
        return (
            bool(self.slots(book)) and self.office.now >= book.created + 60.0 * book.rules.expires
        )

    # --- what must hold

    def on_send(self, turn: Turn) -> None:
        """The instant of sending."""
        self.seen["sent"] += 1
        book, ref = self.books[turn.request], f"{turn.request}.{turn.number}"
        request = self.get(turn.request)
        if any(sent.ref == ref for sent in self.hs.admin):
            raise Broken(f"I1: line {ref} is sent twice")
        if canonical(request.invocation, SERVER) != canonical(book.what, SERVER):
            raise Broken(f"I2: #{book.request} is not what was asked")
        if self.quietly(lambda: self.look(store.pause)) and book.what.command != "users":
            raise Broken(f"#{book.request} is sent while paused")
        if book.holds:
            raise Broken(f"#{book.request} is sent, but a word that may have been a no was erased")
        if book.dead and (turn.number == 1 or book.dead.startswith("cancelled")):
            raise Broken(f"I8, I10: #{book.request} is sent, but {book.dead}")
        if turn.number == 1 and self.over(book):
            raise Broken(f"I4: #{book.request} is sent after it expired")
        if self.denied(book):
            raise Broken(f"I6: #{book.request} is sent, but the policy says no")
        if not self.filled(book):
            raise Broken(f"I3: #{book.request} is sent without its votes")
        query = "SELECT record FROM sluice_audit WHERE kind = 'intent' AND request = $1"
        intents = self.db.sql(query, book.request)
        if turn.number not in [json.loads(row["record"])["line"] for row in intents]:
            raise Broken(f"I7: {ref} is sent without an intent in the log")
        if self.db.writing:
            raise Broken(f"I7: {ref} is sent before its intent is committed")
        if request.state is not State.EXECUTING:
            raise Broken(f"I5: {ref} is sent, but it is {request.state.value}")

    def denied(self, book: Book) -> bool:
        held = self.rules.roles(book.asker)
        if book.asker not in self.office.room.joined or "mod" not in held:
            return True
        if book.what.command != "users" and book.what.command not in self.rules.may:
            return True
        if book.glass and "owner" not in held:
            return True
        return any(target in self.rules.denied for target in book.what.values("user"))

    def filled(self, book: Book) -> bool:
        """Some way to give each slot a person of its own, tried one by one."""
        units = [role for role, n in self.slots(book).items() for _ in range(n)]
        standing = [b.who for b in book.votes if not b.withdrawn and self.may_vote(book, b.who)]
        voters: list[str] = []
        for who in standing:
            if not any(self.same(book, who, other) for other in voters):
                voters.append(who)
        if len(voters) < len(units):
            return False
        holders = {
            who: set().union(
                *(self.rules.roles(other) for other in standing if self.same(book, who, other))
            )
            for who in voters
        }
        return any(
            all(role in holders[who] for role, who in zip(units, order, strict=False))
            for order in itertools.permutations(voters, len(units))
        )

    def check(self) -> None:
        """After everything that can happen."""
        states = self.quietly(self.state_map)
        for number, before in self.states.items():
            after = states[number]
            if before in ENDED and after is not before:
                raise Broken(f"I5: #{number} was {before.value} and is {after.value}")
            if before is State.UNKNOWN and after is State.DONE:
                self.seen["unknown to done"] += 1
        self.states = states
        refs = Counter(sent.ref for sent in self.hs.admin)
        if any(n > 1 for n in refs.values()):
            raise Broken(f"I1: sent twice: {refs}")
        self.check_said()

    def check_said(self) -> None:
        """I14: nothing that is said can be taken for a command of a server, or holds a secret."""
        rows = self.db.sql(
            "SELECT id, content FROM sluice_outbox WHERE kind IN ('message', 'edit') AND id > $1",
            self.sent_seen,
        )
        for row in rows:
            self.sent_seen = max(self.sent_seen, row["id"])
            body = json.loads(row["content"] or "{}").get("body", "✅ ")
            if body.removeprefix("* ")[:1] not in "✅⛔❌❓✋⏳📋🔔❗🔑":
                raise Broken(f"I14: {body!r}")

    def check_log(self) -> None:
        """I7: the chain holds, and every line that was sent has an intent before its outcome."""
        self.quietly(lambda: self.look(follow_all))

    # --- the bot speaks

    def drain(self) -> None:
        """Sends what waits in the outbox; a crash may come between the server and the store."""
        rows = self.db.sql("SELECT id, key, kind FROM sluice_outbox WHERE state = 0 ORDER BY id")
        for row in rows:
            if row["kind"] == "message":
                event_id = f"$said{row['id']}"
                self.hs.cards[event_id] = row["key"]
                self.point()
                self.store_sent(row["id"], event_id)
            else:
                self.store_sent(row["id"], None)

    def store_sent(self, number: int, event_id: str | None) -> None:
        query = "UPDATE sluice_outbox SET state = 1, event_id = $1 WHERE id = $2"
        self.db.drive(self.db.write(lambda tx: tx.execute(query, event_id, number)))

    # --- the bot takes the line

    def run(self) -> None:
        """One step of the runner: choose, begin and send, or settle."""
        if self.out is not None:
            self.settle(self.out)
        elif self.turn is None:
            self.turn = self.quietly(lambda: self.transact(guard.next_turn))
        else:
            turn, self.turn = self.turn, None
            self.begin(turn)

    def begin(self, turn: Turn) -> None:
        what = self.get(turn.request).invocation
        if self.send_first:
            self.send(turn)
        went = self.transact(guard.begin, turn, lines_of(what), {"txn": "t"})
        self.point("intent")
        if isinstance(went, Go):
            self.send(turn)
        elif isinstance(went, Stop) and not went.ended:
            self.end(turn.request)

    def send(self, turn: Turn) -> None:
        ref = f"{turn.request}.{turn.number}"
        text = canonical(self.get(turn.request).invocation, SERVER)
        txn = f"{ref}.{next(self.count)}" if self.unique_txn else ref
        if txn not in self.hs.txns:
            self.on_send(turn)
        sent = self.hs.send(ref, text, txn)
        self.point("sent")
        self.transact(line_sent, turn, sent.event_id)
        self.out = turn
        self.point("known")

    def settle(self, turn: Turn) -> None:
        """What the timeline of the admin room says of the line that is out."""
        sent = next(s for s in self.hs.admin if s.ref == f"{turn.request}.{turn.number}")
        if sent.answer is not None and not sent.lost:
            self.transact(line_answered, turn, f"{sent.event_id}a")
            self.point("answered")
            self.conclude(turn, Outcome(sent.answer, "x"))
        elif sent.lost:
            self.conclude(turn, Outcome(Kind.UNKNOWN, "lost"))

    def conclude(self, turn: Turn, outcome: Outcome) -> None:
        async def block(desk: Any) -> None:
            if await guard.line_settled(desk, turn, outcome):
                rows = await store.lines(desk.tx, turn.request)
                over = all(row.state is LineState.SETTLED for row in rows)
                if over or outcome.kind is Kind.UNKNOWN:
                    await finish.settled(desk, turn.request, say(Sign.DONE, "result"))

        self.transact(block)
        self.out = None
        self.point()

    def end(self, number: int) -> None:
        self.transact(finish.settled, number, say(Sign.FAILED, "result"))
        self.point()

    def late_answer(self, sent: Sent, kind: Kind) -> None:
        """Conduit was only busy: a lost answer comes after all."""
        sent.answer, sent.lost = kind, False
        number, _, line = sent.ref.partition(".")
        if self.states.get(int(number)) is State.UNKNOWN:
            self.conclude(Turn(int(number), int(line)), Outcome(kind, "late"))

    # --- a restart

    def restart(self) -> None:
        """The process starts again: what was in memory is gone, what was out is settled first."""
        self.turn, self.out = None, None
        self.disk_full = False
        self.seen["restart"] += 1
        at = self.cursor()
        room = Members(PEOPLE)
        for event in self.hs.ops[:at]:
            if event.kind == "join":
                room.joined.add(event.sender)
            elif event.kind == "leave":
                room.joined.discard(event.sender)
        self.office.room = room
        self.transact(reweigh.policy_changed)
        for request, rows in self.transact(guard.executing):
            for row in rows:
                self.settle_again(Turn(request.id, row.number), row.state)
            rows = self.look(store.lines, request.id)
            kinds = {row.outcome.kind for row in rows if row.outcome}
            if all(row.state is LineState.SETTLED for row in rows) or Kind.UNKNOWN in kinds:
                self.end(request.id)
        for request, rows in self.transact(guard.executing):
            for row in rows:
                answered = any(
                    sent.ref == f"{request.id}.{row.number}" and sent.answer and not sent.lost
                    for sent in self.hs.admin
                )
                if answered and row.state is not LineState.SETTLED:
                    raise Broken(f"I11: #{request.id} is executing, its answer is there")

    def settle_again(self, turn: Turn, state: LineState) -> None:
        sent = next((s for s in self.hs.admin if s.ref == f"{turn.request}.{turn.number}"), None)
        if state is LineState.SENDING and (sent is None or self.unique_txn):
            self.transact(guard.line_not_sent, turn)
        elif state in (LineState.SENDING, LineState.SENT, LineState.ANSWERED):
            assert sent is not None
            self.transact(line_sent, turn, sent.event_id)
            if sent.answer or sent.lost:
                self.settle(turn)
            else:
                self.out = turn

    # --- the world changes

    def reload(self, rules: Rules) -> None:
        self.rules = rules
        self.office.settings = settings(rules.text)
        before = self.quietly(self.state_map)
        self.transact(reweigh.policy_changed)
        for book in self.books.values():
            if self.denied(book) and before.get(book.request) is State.PENDING:
                book.dead = "a policy denied it"

    def tick(self, seconds: float) -> None:
        self.office.now += seconds
        self.transact(reweigh.tick)

    def replay(self, event: Event) -> None:
        """The same vote once more, past the cursor, as a reconcile would bring it."""
        cast = self.cast(event)
        if cast is None or event.sender not in self.office.room.joined:
            return
        known = self.quietly(lambda: self.look(store.vote, event.id))
        before = self.dump()
        self.transact(voting.vote, cast)
        if known is not None and before != self.dump():
            raise Broken("I9: the same vote twice is not the same as once")
