"""Requests, their lines and votes, and the uses that limits count: the SQL, and nothing else.

Every function takes the open transaction. A change of state is a compare-and-set; ids come from
the highest one ever stored, and rows are never deleted, so no id is used twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence

from ..catalog.table import COMMANDS
from ..chat import ended
from ..db import meta
from ..db.codec import read, write
from ..db.connection import Tx
from ..db.rows import Column, Table, insert, marks, put
from ..model.command import Invocation
from ..model.decision import Decision
from ..model.ids import EventId, RoomId
from ..model.request import (
    LineRow,
    LineState,
    Pause,
    Request,
    State,
    Vote,
)

_ABOVE = "numbers above"  # in meta: the highest number that a later database had given

SCHEMA: tuple[str, ...] = (
    """CREATE TABLE sluice_request (
        id            BIGINT PRIMARY KEY,
        event_id      TEXT NOT NULL UNIQUE,
        command       TEXT NOT NULL,
        room          TEXT NOT NULL,
        mxid          TEXT NOT NULL,
        person        TEXT NOT NULL,
        people        TEXT NOT NULL,
        invocation    TEXT NOT NULL,
        digest        TEXT NOT NULL,
        text          TEXT NOT NULL,
        decision      TEXT NOT NULL,
        state         TEXT NOT NULL,
        created       DOUBLE PRECISION NOT NULL,
        slots         TEXT NOT NULL,
        expires       DOUBLE PRECISION,
        in_line_since DOUBLE PRECISION,
        reminded      SMALLINT NOT NULL,
        glass         SMALLINT NOT NULL,
        review        TEXT NOT NULL,
        stop          TEXT NOT NULL,
        lines         BIGINT NOT NULL,
        approved      TEXT NOT NULL,
        ended         DOUBLE PRECISION,
        note          TEXT NOT NULL,
        facts         TEXT NOT NULL,
        shown         TEXT NOT NULL DEFAULT ''
    )""",
    "CREATE INDEX sluice_request_state ON sluice_request (state)",
    "CREATE INDEX sluice_request_command ON sluice_request (command)",
    "CREATE INDEX sluice_request_mxid ON sluice_request (mxid, created)",
    "CREATE INDEX sluice_request_glass ON sluice_request (id) WHERE glass = 1",
    """CREATE TABLE sluice_line (
        request      BIGINT NOT NULL,
        number       BIGINT NOT NULL,
        state        TEXT NOT NULL,
        size         BIGINT NOT NULL,
        event_id     TEXT,
        answer_event TEXT,
        outcome      TEXT,
        sent_at      DOUBLE PRECISION,
        answered_at  DOUBLE PRECISION,
        PRIMARY KEY (request, number)
    )""",
    """CREATE TABLE sluice_vote (
        event_id  TEXT PRIMARY KEY,
        request   BIGINT NOT NULL,
        mxid      TEXT NOT NULL,
        person    TEXT NOT NULL,
        side      TEXT NOT NULL,
        how       TEXT NOT NULL,
        at        DOUBLE PRECISION NOT NULL,
        cause     TEXT NOT NULL,
        withdrawn SMALLINT NOT NULL,
        room      TEXT NOT NULL,
        reason    TEXT NOT NULL
    )""",
    "CREATE INDEX sluice_vote_request ON sluice_vote (request)",
    "CREATE INDEX sluice_vote_mxid ON sluice_vote (mxid, at)",
    "CREATE TABLE sluice_people (key TEXT PRIMARY KEY, groups TEXT NOT NULL)",
    """CREATE TABLE sluice_distrust (
        mxid    TEXT NOT NULL,
        until   DOUBLE PRECISION NOT NULL,
        request BIGINT NOT NULL,
        PRIMARY KEY (mxid, request)
    )""",
    """CREATE TABLE sluice_use (
        key     TEXT NOT NULL,
        mxid    TEXT NOT NULL,
        at      DOUBLE PRECISION NOT NULL,
        n       BIGINT NOT NULL,
        request BIGINT NOT NULL,
        line    BIGINT NOT NULL
    )""",
    "CREATE INDEX sluice_use_key ON sluice_use (key, at)",
    "CREATE INDEX sluice_use_request ON sluice_use (request)",
)

SCHEMA_2: tuple[str, ...] = (
    "ALTER TABLE sluice_vote ADD COLUMN message TEXT NOT NULL DEFAULT ''",
    "CREATE INDEX sluice_vote_message ON sluice_vote (message)",
)

_LOOKUPS = (
    "appservices blocked config event federation help.server media mediainfo memory registration"
    " rooms users"
)
SCHEMA_5: tuple[str, ...] = (
    "ALTER TABLE sluice_request ADD COLUMN lookup SMALLINT NOT NULL DEFAULT 0",
    *(
        "UPDATE sluice_request SET lookup = 1 WHERE state <> 'rejected' AND"
        f""" invocation LIKE '%"command":"{name}"%'"""
        for name in _LOOKUPS.split()
    ),
    "CREATE INDEX sluice_request_lookup ON sluice_request (lookup, created)",
    "CREATE INDEX sluice_request_lookup_by ON sluice_request (mxid, lookup, created)",
)

_WHY = Column(lambda why: write(ended.after_state(why)), lambda text: ended.read(read(text)))
_NAMES = {"queued_since": "in_line_since", "card_text": "facts"}
REQUESTS = Table("sluice_request", Request, _NAMES, note=_WHY, stop=_WHY)
LINES = Table("sluice_line", LineRow)
VOTES = Table("sluice_vote", Vote)


# requests


async def next_id(tx: Tx) -> int:
    highest = await tx.fetchval("SELECT COALESCE(MAX(id), 0) FROM sluice_request")
    return max(int(highest), int(await meta.get(tx, _ABOVE) or 0)) + 1


async def go_on_above(tx: Tx, number: int) -> None:
    """Numbers that are not in this database were given: after a restored backup."""
    await meta.put(tx, _ABOVE, str(number))


def digest(invocation: Invocation) -> str:
    """The same for the same command and arguments, whatever their order and the reason."""
    args = sorted(
        [name, sorted(v) if isinstance(v, tuple) else [v]] for name, v in invocation.args
    )
    return hashlib.sha256(json.dumps([invocation.command, args]).encode()).hexdigest()


async def add(tx: Tx, request: Request, decision: Decision) -> None:
    is_lookup = COMMANDS[request.invocation.command].looks and request.state is not State.REJECTED
    extra = {
        "digest": digest(request.invocation),
        "decision": write(decision),
        "lookup": int(is_lookup),
    }
    await insert(tx, "sluice_request", {**REQUESTS.row(request), **extra})


async def change(tx: Tx, request: int, source: State, **fields: object) -> bool:
    """Compare-and-set: changes the fields if the request is in `source`; whether it was."""
    return await REQUESTS.change(tx, fields, "id = $1 AND state = $2", request, source.value)


async def shows(tx: Tx, request: int, body: str) -> bool:
    """Remembers what its card shows; whether that is new."""
    key = hashlib.sha256(body.encode()).hexdigest()[:16]
    query = "UPDATE sluice_request SET shown = $2 WHERE id = $1 AND shown <> $2 RETURNING 1"
    return await tx.fetchval(query, request, key) is not None


async def get(tx: Tx, request: int) -> Request | None:
    return await REQUESTS.one(tx, "WHERE id = $1", request)


async def decision(tx: Tx, request: int) -> Decision | None:
    """What the policy said when it was asked, for `why`."""
    text = await tx.fetchval("SELECT decision FROM sluice_request WHERE id = $1", request)
    return read(text) if text else None


async def known(tx: Tx, event_id: EventId) -> bool:
    """Whether this event has made a request already."""
    query = "SELECT 1 FROM sluice_request WHERE event_id = $1"
    return await tx.fetchval(query, event_id) is not None


async def of_command(tx: Tx, room: RoomId, event_id: EventId) -> Request | None:
    """The newest request that this command (or the reply or edit that completed it) made."""
    where = "WHERE (command = $1 OR event_id = $1) AND room = $2 ORDER BY id DESC LIMIT 1"
    return await REQUESTS.one(tx, where, event_id, room)


async def in_state(tx: Tx, *states: State) -> list[Request]:
    """Oldest first."""
    values = [state.value for state in states]
    return await REQUESTS.all(tx, f"WHERE state IN ({marks(states)}) ORDER BY id", *values)


_QUEUE = "WHERE state = $1 AND in_line_since IS NOT NULL ORDER BY in_line_since, id"


async def queue(tx: Tx, most: int = 1000) -> list[Request]:
    """The requests that wait for their turn, the first first."""
    return await REQUESTS.all(tx, f"{_QUEUE} LIMIT {int(most)}", State.PENDING.value)


async def queue_order(tx: Tx) -> dict[int, str]:
    """The same, all of them, as numbers with the MXIDs of the requesters."""
    query = f"SELECT id, mxid FROM sluice_request {_QUEUE}"
    return {row["id"]: row["mxid"] for row in await tx.fetch(query, State.PENDING.value)}


async def twin(tx: Tx, wanted: str) -> Request | None:
    """An open request with votes that asks for the same (a digest)."""
    where = (
        "WHERE digest = $1 AND state IN ($2, $3) AND slots <> '[]' AND glass = 0"
        " ORDER BY id LIMIT 1"
    )
    return await REQUESTS.one(tx, where, wanted, State.PENDING.value, State.EXECUTING.value)


async def same_since(tx: Tx, wanted: str, mxids: Sequence[str], at: float) -> Request | None:
    """The newest request of one person that asks for the same (a digest) and ran, runs, or stands
    in the queue without a vote that is missing."""
    states = [s.value for s in (State.PENDING, State.EXECUTING, State.DONE, State.UNKNOWN)]
    where = (
        "WHERE digest = $1 AND created >= $2 AND state IN ($3, $4, $5, $6) AND "
        f"(state <> $3 OR slots = '[]') AND mxid IN ({marks(mxids, 7)}) ORDER BY id DESC LIMIT 1"
    )
    return await REQUESTS.one(tx, where, wanted, at, *states, *mxids)


async def rejected_since(tx: Tx, mxids: Sequence[str], at: float) -> int:
    query = (
        "SELECT COUNT(*) FROM sluice_request WHERE created > $1 AND state = $2"
        f" AND mxid IN ({marks(mxids, 3)})"
    )
    return int(await tx.fetchval(query, at, State.REJECTED.value, *mxids))


async def since(tx: Tx, at: float) -> list[Request]:
    """What was asked, or ended, since then; oldest first."""
    return await REQUESTS.all(tx, "WHERE created >= $1 OR ended >= $1 ORDER BY id", at)


async def expired_since(tx: Tx, at: float) -> list[Request]:
    where = "WHERE state = $1 AND ended >= $2 ORDER BY id"
    return await REQUESTS.all(tx, where, State.EXPIRED.value, at)


async def glasses(tx: Tx) -> list[Request]:
    """Every break-glass that was taken, the newest last."""
    return await REQUESTS.all(tx, "WHERE glass = 1 ORDER BY id")


# lines


async def plan(tx: Tx, request: int, sizes: Sequence[int]) -> None:
    """Its lines, none of them sent."""
    for number, size in enumerate(sizes, 1):
        await LINES.add(tx, LineRow(request, number, LineState.WAITING, size))


async def lines(tx: Tx, request: int) -> list[LineRow]:
    return await LINES.all(tx, "WHERE request = $1 ORDER BY number", request)


async def change_line(
    tx: Tx, request: int, number: int, *sources: LineState, **fields: object
) -> bool:
    """Compare-and-set on one line; whether it was in one of `sources`."""
    where = f"request = $1 AND number = $2 AND state IN ({marks(sources, 3)})"
    states = (source.value for source in sources)
    return await LINES.change(tx, fields, where, request, number, *states)


# votes


async def add_vote(tx: Tx, vote: Vote) -> bool:
    """False when this event was taken before, as whatever."""
    return await VOTES.add(tx, vote, "ON CONFLICT (event_id) DO NOTHING")


async def vote(tx: Tx, event_id: EventId) -> Vote | None:
    return await VOTES.one(tx, "WHERE event_id = $1", event_id)


async def votes_of(tx: Tx, room: RoomId, event_id: EventId) -> list[Vote]:
    """What a message says, or said before an edit; the newest first."""
    where = "WHERE (event_id = $1 OR message = $1) AND room = $2 ORDER BY withdrawn, at DESC"
    return await VOTES.all(tx, where, event_id, room)


async def votes(tx: Tx, request: int) -> list[Vote]:
    """All of them, the rejected and withdrawn ones too, oldest first."""
    return await VOTES.all(tx, "WHERE request = $1 ORDER BY at, event_id", request)


async def withdraw(tx: Tx, event_id: EventId) -> None:
    await tx.execute("UPDATE sluice_vote SET withdrawn = 1 WHERE event_id = $1", event_id)


# persons, distrust, pause


async def keep_people(tx: Tx, groups: Iterable[Sequence[str]]) -> str:
    """Stores which accounts are one person, once per set of groups; its key."""
    text = json.dumps(sorted(sorted(group) for group in groups if len(group) > 1))
    key = hashlib.sha256(text.encode()).hexdigest()[:16]
    row = {"key": key, "groups": text}
    await insert(tx, "sluice_people", row, "ON CONFLICT (key) DO NOTHING")
    return key


async def people(tx: Tx, key: str) -> list[list[str]]:
    text = await tx.fetchval("SELECT groups FROM sluice_people WHERE key = $1", key)
    groups: list[list[str]] = json.loads(text) if text else []
    return groups


async def distrust(tx: Tx, mxid: str, until: float, request: int) -> None:
    row = {"mxid": mxid, "until": until, "request": request}
    await put(tx, "sluice_distrust", row, "mxid, request")


async def trust(tx: Tx, mxid: str) -> None:
    await tx.execute("DELETE FROM sluice_distrust WHERE mxid = $1", mxid)


async def trust_again(tx: Tx, request: int, mxid: str | None = None) -> None:
    """What made somebody distrusted did not happen, or is over. mxid: only of this account."""
    where = "request = $1" + ("" if mxid is None else " AND mxid = $2")
    args = (request,) if mxid is None else (request, mxid)
    await tx.execute(f"DELETE FROM sluice_distrust WHERE {where}", *args)


async def distrusted(tx: Tx, now: float) -> dict[str, int]:
    """MXIDs without role and vote for now, and the last request that made them so."""
    query = "SELECT mxid, request FROM sluice_distrust WHERE until > $1 ORDER BY request"
    return {row["mxid"]: row["request"] for row in await tx.fetch(query, now)}


async def doubts(tx: Tx, mxid: str, now: float) -> list[int]:
    """Every request that gave somebody a new password of this account: a later one that failed
    takes nothing back of an earlier one."""
    query = "SELECT request FROM sluice_distrust WHERE mxid = $1 AND until > $2 ORDER BY request"
    return [row["request"] for row in await tx.fetch(query, mxid, now)]


async def pause(tx: Tx) -> Pause | None:
    text = await meta.get(tx, "pause")
    return Pause(*read(text)) if text else None


async def put_pause(tx: Tx, pause: Pause | None) -> None:
    await meta.put(tx, "pause", write((pause.by, pause.at, pause.why)) if pause else "")
