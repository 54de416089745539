"""Which answer belongs to which command in the admin room: decided here, and only here.

The server answers one message to each command, one at a time, in the order of the commands, and
says nothing of which command it answers. Its queue is in memory: a restart loses what was in it,
without a word. Between answers stand server notices. Any member of the room may type commands,
redact messages, and read. So what can be known?

Theory
------
An *entry* is a command that has no known answer yet; the open entries, in the order of the room,
are all that the server may still answer. Some entries fit every answer: a message that was
redacted before we read it (a command or chat: nobody can know), and a command in no table.

A message of the server user that is no notice is *listed* if some command of the table has such
an answer, else it is unlisted (a new version's answer, or a notice of a new shape), or redacted.
Whatever really happened, it gave every listed message an entry that it fits and that was typed
before it, no entry twice, in order; unlisted and redacted messages may be anybody's or nobody's,
and any entry may have lost its answer. Call whatever has these properties an *assignment*. The
truth is one of the assignments, and we cannot tell which. So an entry that has the same answer in
every assignment is settled, and of all others nobody can know. That is the whole rule, and with
it no answer can be attributed wrongly as long as the two facts at the top hold.

Three things keep it cheap. A listed message that fits one open entry only can go nowhere else: it
closes that entry at once, and the older ones are lost, for their answers would have come before.
Anything else, and what follows it, is *held*, and a *fence* is sent: a command whose answer, its
echo, fits nothing else (if it does, because somebody copied the fence, or may have: the next one).
When it comes, all that is held belongs to entries before the fence, and these are closed, whatever
became of them. And of all assignments two are enough. Give each held message the earliest entry
possible, in order; then from the last one backwards the latest. No assignment gives a message an
earlier entry than the first or a later one than the second. So what a message gets in both, it
gets in all; and if the first fails, there is no assignment: then our facts do not hold, and
nothing is settled.

What we have not seen at all (before the first start, behind a cursor that had to be set anew) may
be answered as well. Then the queue is *blind*: nothing is attributed before our own next echo.

Rules
-----
- An entry is closed by an answer or by an echo, never by a timer: a late answer finds it open.
- Which entries a held message fits is decided when it comes: no later entry can be its own, and
  so the state keeps no content; what it keeps of foreign commands is left out of `to_json`.
- The state is bounded: where it would grow over its limits, it starts again, blind.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from attrs import evolve, field, frozen

from ..model.admin_room import (
    Asked,
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

FENCE = "fence"
LOST, REDACTED, UNRECOGNISED, AMBIGUOUS = WHYS = ("lost", "redacted", "unrecognised", "ambiguous")
MAX_OPEN = 300  # entries; a dead handler gets one fence a minute
MAX_HELD = 300  # messages
REMEMBERED = 64  # event ids whose second coming is ignored, beside the reader's own memory
FENCE_AGAIN = 60.0  # seconds between fences while no echo comes


@frozen
class Entry:
    """One command without a known answer. asked None: fits every answer, or not read again yet."""

    event_id: str
    ref: str = ""
    asked: Asked | None = field(default=None, repr=False)
    slow: bool = False
    at: float = 0.0

    @property
    def is_fence(self) -> bool:
        return self.asked is not None and self.asked.command == FENCE


@frozen
class Held:
    """One message of the server user that is in doubt.

    after: how many open entries stood before it. fits: those of them, by position, that it fits;
    None if it is unlisted or redacted.
    """

    event_id: str
    after: int
    fits: tuple[int, ...] | None
    redacted: bool = False


@frozen
class Queue:
    """What the server may still answer, and what of its messages is in doubt.

    since: when the head, the oldest entry, became the head (or, without one, any time).
    """

    entries: tuple[Entry, ...] = ()
    held: tuple[Held, ...] = ()
    blind: bool = True
    since: float = 0.0
    recent: tuple[str, ...] = ()


Step = tuple[Queue, tuple[Effect, ...]]


def feed(queue: Queue, seen: Seen, oracle: Oracle, now: float) -> Step:
    """Takes the next message of the room. Effects come in the order in which things happened."""
    if seen.event_id in queue.recent:
        return queue, ()
    queue = evolve(queue, recent=(*queue.recent, seen.event_id)[-REMEMBERED:])
    effects: tuple[Effect, ...] = ()
    if seen.who is Who.SERVER:
        queue, effects = _hear(queue, seen, oracle, now)
    if seen.who is not Who.SERVER or seen.runs:
        queue = _enter(queue, seen, oracle, now)
    if len(queue.entries) > MAX_OPEN or len(queue.held) > MAX_HELD:
        queue, lost = reset(queue)
        effects += lost
    return queue, effects


def reset(queue: Queue) -> Step:
    """The room could not be read without a gap: all that was open is lost, all that may come is
    in doubt until an echo."""
    lost = tuple(Lost(e.event_id, e.ref, LOST) for e in queue.entries)
    return Queue(recent=queue.recent), (*lost, NeedFence())


def must_fence(queue: Queue) -> bool:
    """Whether a fence must be sent, and its echo seen, before our next line."""
    return queue.blind or bool(queue.held) or any(e.asked is None for e in queue.entries)


def head(queue: Queue) -> tuple[Entry, float] | None:
    """The entry that the server should be busy with, and since when."""
    return (queue.entries[0], queue.since) if queue.entries else None


def fence_due(queue: Queue, now: float, timeout: float, slow_timeout: float) -> bool:
    """Whether the head has had its time and no fence was seen in the last minute."""
    if not queue.entries or now - queue.since < (
        slow_timeout if queue.entries[0].slow else timeout
    ):
        return False
    return all(now - e.at >= FENCE_AGAIN for e in queue.entries if e.is_fence)


# --- what other people's commands were, across a restart of the bot


def to_json(queue: Queue) -> str:
    """The state for the database. Of other members' commands only the event id: they may hold
    passwords."""
    return json.dumps(
        {
            "entries": [
                [
                    e.event_id,
                    e.ref,
                    e.slow,
                    e.at,
                    [e.asked.command, e.asked.words, e.asked.block] if e.asked and e.ref else None,
                ]
                for e in queue.entries
            ],
            "held": [[h.event_id, h.after, h.fits, h.redacted] for h in queue.held],
            "blind": queue.blind,
            "since": queue.since,
            "recent": queue.recent,
        }
    )


def from_json(text: str) -> Queue:
    """The state of before. What `unread` names then has to be read again, for `refill`."""
    raw = json.loads(text)
    return Queue(
        entries=tuple(
            Entry(i, ref, asked and Asked(asked[0], tuple(asked[1]), tuple(asked[2])), slow, at)
            for i, ref, slow, at, asked in raw["entries"]
        ),
        held=tuple(
            Held(i, after, None if fits is None else tuple(fits), redacted)
            for i, after, fits, redacted in raw["held"]
        ),
        blind=raw["blind"],
        since=raw["since"],
        recent=tuple(raw["recent"]),
    )


def unread(queue: Queue) -> tuple[str, ...]:
    """The event ids of other members' commands whose text is not known (any more)."""
    return tuple(e.event_id for e in queue.entries if e.asked is None)


def refill(queue: Queue, contents: Mapping[str, Content], oracle: Oracle) -> Queue:
    """Gives these entries their commands back. Redacted meanwhile: they go on fitting all."""
    return evolve(
        queue,
        entries=tuple(
            evolve(e, asked=_known(_read(contents[e.event_id], oracle)))
            if e.asked is None and e.event_id in contents
            else e
            for e in queue.entries
        ),
    )


# --- one message


def _read(content: Content, oracle: Oracle) -> Asked | None:
    body = content.get("body")
    return oracle.asked(body) if isinstance(body, str) else None


def _known(asked: Asked | None) -> Asked | None:
    """None for a command in no table: it fits as much as one that cannot be read."""
    return asked if asked and asked.command else None


def _enter(queue: Queue, seen: Seen, oracle: Oracle, now: float) -> Queue:
    """A command of a member; chat is passed over."""
    read = _read(seen.content, oracle)
    if read is None and not seen.redacted and not seen.ref:
        return queue
    asked = _known(read)
    slow = asked is not None and oracle.is_slow(asked)
    entry = Entry(seen.event_id, seen.ref, asked, slow, now)
    since = queue.since if queue.entries else now
    return evolve(queue, entries=(*queue.entries, entry), since=since)


def _hear(queue: Queue, seen: Seen, oracle: Oracle, now: float) -> Step:
    """A message of the server user."""
    entries = queue.entries
    if not seen.redacted and oracle.is_notice(seen.content):
        return queue, (Notice(seen.event_id),)
    fits = None if seen.redacted else _fits(entries, seen.content, oracle)
    if fits and len(fits) == 1:
        entry = entries[fits[0]]
        # Blind, only a nonce of ours is fresh; another's may be one that we have forgotten.
        is_echo = entry.is_fence and (bool(entry.ref) or not queue.blind)
        if is_echo or not (queue.held or queue.blind):
            return _close(queue, fits[0], seen.event_id, now)
    fence = max((i for i, e in enumerate(entries) if e.is_fence and e.ref), default=None)
    need = (NeedFence(spoilt=True),) if fence in (fits or ()) else ()
    if queue.blind:
        return queue, need
    if not entries:
        is_text = fits is None and not seen.redacted
        return queue, (Notice(seen.event_id, raw=True),) if is_text else ()
    doubt = Held(seen.event_id, len(entries), fits, seen.redacted)
    need = need or (() if queue.held else (NeedFence(),))
    return evolve(queue, held=(*queue.held, doubt)), need


def _fits(entries: tuple[Entry, ...], content: Content, oracle: Oracle) -> tuple[int, ...] | None:
    """The open entries, by position, that this message fits; None if it is unlisted."""
    fits = [i for i, e in enumerate(entries) if e.asked and oracle.fits(e.asked, content)]
    if not any(entries[i].is_fence for i in fits) and not oracle.is_listed(content):
        return None
    # Nobody knew our nonce before it stood in the room. A later redacted message may be a copy.
    start = next((i for i in fits if entries[i].is_fence and entries[i].ref), 0)
    return tuple(
        sorted([*fits, *(i for i, e in enumerate(entries) if i >= start and not e.asked)])
    )


def _close(queue: Queue, position: int, answer: str, now: float) -> Step:
    """This entry has its answer for certain: it and everything before it is over."""
    entry, older = queue.entries[position], queue.entries[:position]
    effects = _conclude(older, queue.held, blind=queue.blind)
    rest = Queue(queue.entries[position + 1 :], since=now, blind=False, recent=queue.recent)
    return rest, (*effects, _answered(entry, answer))


def _answered(entry: Entry, answer: str) -> Effect:
    if entry.asked and entry.is_fence and entry.ref:
        return Echoed(entry.asked.words[0])
    return Settled(entry.event_id, entry.ref, answer)


# --- all assignments at once


def _conclude(
    entries: tuple[Entry, ...], held: tuple[Held, ...], *, blind: bool
) -> tuple[Effect, ...]:
    """What became of entries that get no further message, and of no other entry's messages."""
    end = len(entries)
    bounds = _bounds([[i for i in h.fits if i < end] for h in held if h.fits is not None], end)
    if blind or bounds is None:
        why = LOST if blind else AMBIGUOUS
        return tuple(Lost(e.event_id, e.ref, LOST if e.is_fence else why) for e in entries)
    earliest, latest = bounds
    settled: dict[int, str] = {}
    whys = [LOST] * end
    number = 0  # of listed messages so far
    for message in held:
        is_listed = message.fits is not None
        low = earliest[number]
        if is_listed:
            number += 1
            if earliest[number] == latest[number]:
                settled[earliest[number]] = message.event_id
        high = latest[number + 1]
        why = AMBIGUOUS if is_listed else REDACTED if message.redacted else UNRECOGNISED
        for i in range(message.after) if message.fits is None else message.fits:
            if low < i < high and not entries[i].is_fence:
                whys[i] = max(whys[i], why, key=WHYS.index)
    only = [i for i, e in enumerate(entries) if not e.is_fence]
    effects: list[Effect] = []
    for i, entry in enumerate(entries):
        if i in settled:
            effects.append(_answered(entry, settled[i]))
            continue
        shown = [h.event_id for h in held if only == [i] and h.fits is None and h.after > i]
        effects.append(Lost(entry.event_id, entry.ref, whys[i], tuple(shown)))
    return tuple(effects)


def _bounds(choices: list[list[int]], end: int) -> tuple[list[int], list[int]] | None:
    """The earliest and the latest entry that each listed message has in any assignment.

    choices: the entries it fits, ascending. Both lists have a sentinel at either side, so that
    message n, counted from 1, lies between [n - 1] of the one and [n + 1] of the other.
    """
    earliest, latest = [-1], [end]
    for fits in choices:
        first = next((i for i in fits if i > earliest[-1]), None)
        if first is None:
            return None
        earliest.append(first)
    for fits in reversed(choices):
        latest.append(max(i for i in fits if i < latest[-1]))
    return [*earliest, end], [-1, *reversed(latest)]
