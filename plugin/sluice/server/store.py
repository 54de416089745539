"""What is kept of the server: accounts that the policy names, as they were looked for; notices and
the messages that tell them; who looks after what. The SQL, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from ..db.connection import Tx
from ..db.rows import Table, marks, put
from ..model.noticed import Noticed
from ..text.message import Text

SCHEMA: tuple[str, ...] = ()
SCHEMA_2 = ("CREATE TABLE sluice_named (mxid TEXT PRIMARY KEY, made SMALLINT NOT NULL)",)
"""made: 1 once the account exists."""

SCHEMA_4 = (
    """CREATE TABLE sluice_notice (
        event_id TEXT PRIMARY KEY,
        kind     TEXT NOT NULL,
        at       DOUBLE PRECISION NOT NULL,
        account  TEXT NOT NULL,
        told     TEXT NOT NULL,
        reporter TEXT NOT NULL,
        room     TEXT NOT NULL,
        message  TEXT NOT NULL,
        reason   TEXT NOT NULL
    )""",
    "CREATE INDEX sluice_notice_told ON sluice_notice (told, at)",
    "CREATE INDEX sluice_notice_kind ON sluice_notice (kind, at)",
    """CREATE TABLE sluice_news (
        key      TEXT PRIMARY KEY,
        room     TEXT NOT NULL,
        kind     TEXT NOT NULL,
        shown    TEXT NOT NULL,
        shown_at DOUBLE PRECISION NOT NULL
    )""",
    """CREATE TABLE sluice_watched (
        room  TEXT NOT NULL,
        key   TEXT NOT NULL,
        sign  TEXT NOT NULL,
        loud  SMALLINT NOT NULL,
        lines TEXT NOT NULL,
        PRIMARY KEY (room, key)
    )""",
    """CREATE TABLE sluice_look (
        event_id TEXT PRIMARY KEY,
        room     TEXT NOT NULL,
        key      TEXT NOT NULL,
        mxid     TEXT NOT NULL,
        person   TEXT NOT NULL,
        at       DOUBLE PRECISION NOT NULL
    )""",
    "CREATE INDEX sluice_look_key ON sluice_look (room, key, at)",
)
KEPT = 30 * 86400.0  # seconds; a notice


async def looked_for(tx: Tx) -> dict[str, bool]:
    """MXID -> whether the account exists, of each that was looked for."""
    return {r["mxid"]: bool(r["made"]) for r in await tx.fetch("SELECT * FROM sluice_named")}


async def remember(tx: Tx, mxid: str, made: bool) -> None:
    await put(tx, "sluice_named", {"mxid": mxid, "made": int(made)}, "mxid")


async def forget(tx: Tx, mxid: str) -> None:
    await tx.execute("DELETE FROM sluice_named WHERE mxid = $1", mxid)


# --- notices, and what tells them


@frozen
class News:
    """A message that is edited while what it tells goes on. shown: how it reads now."""

    key: str
    room: str
    kind: str
    shown: str
    shown_at: float


_NOTICES, _NEWS = Table("sluice_notice", Noticed), Table("sluice_news", News)


async def add_notice(tx: Tx, notice: Noticed) -> None:
    await tx.execute("DELETE FROM sluice_notice WHERE at < $1", notice.at - KEPT)
    await _NOTICES.add(tx, notice, "ON CONFLICT DO NOTHING")


async def told_by(tx: Tx, key: str) -> list[Noticed]:
    """What a message tells, the oldest first."""
    return await _NOTICES.all(tx, "WHERE told = $1 ORDER BY at, event_id", key)


async def between(tx: Tx, kind: str, start: float, end: float) -> list[Noticed]:
    """The notices of a kind in a time."""
    where = "WHERE kind = $1 AND at BETWEEN $2 AND $3 ORDER BY at, event_id"
    return await _NOTICES.all(tx, where, kind, start, end)


async def registered(tx: Tx, accounts: Sequence[str]) -> dict[str, float]:
    """Which of these accounts were made as far back as notices are kept, and when."""
    query = (
        "SELECT account, MAX(at) AS at FROM sluice_notice"
        f" WHERE kind = 'registered' AND account IN ({marks(accounts)}) GROUP BY account"
    )
    return {row["account"]: row["at"] for row in await tx.fetch(query, *accounts)}


async def retell(tx: Tx, notices: Sequence[Noticed], key: str) -> None:
    """Another message tells them from now on."""
    for each in notices:
        await _NOTICES.change(tx, {"told": key}, "event_id = $1", each.event_id)


async def put_news(tx: Tx, news: News) -> None:
    await _NEWS.put(tx, news, "key")


async def open_news(tx: Tx) -> list[News]:
    return await _NEWS.all(tx, "ORDER BY shown_at, key")


async def end_news(tx: Tx, key: str) -> None:
    await tx.execute("DELETE FROM sluice_news WHERE key = $1", key)


# --- who looks after what


@frozen
class LookedAfter:
    """A message that people look after, as it reads without them. loud: an m.text."""

    room: str
    key: str
    sign: str
    loud: bool
    lines: tuple[Text, ...]


@frozen
class Eyes:
    """A tap that says: I look after this. event_id: the tap."""

    event_id: str
    room: str
    key: str
    mxid: str
    person: str
    at: float


_WATCHED, _LOOKS = Table("sluice_watched", LookedAfter), Table("sluice_look", Eyes)


async def watch(tx: Tx, watched: LookedAfter) -> None:
    await _WATCHED.put(tx, watched, "room, key")


async def watched(tx: Tx, room: str, key: str) -> LookedAfter | None:
    return await _WATCHED.one(tx, "WHERE room = $1 AND key = $2", room, key)


async def ended(tx: Tx, about: str) -> list[LookedAfter]:
    """The messages with keys like `about.…`, which nobody looks after any more."""
    key = f"{about}.%"
    found = await _WATCHED.all(tx, "WHERE key LIKE $1", key)
    await tx.execute("DELETE FROM sluice_watched WHERE key LIKE $1", key)
    await tx.execute("DELETE FROM sluice_look WHERE key LIKE $1", key)
    return found


async def looks(tx: Tx, room: str, key: str) -> list[Eyes]:
    """The first who looked first."""
    return await _LOOKS.all(tx, "WHERE room = $1 AND key = $2 ORDER BY at, event_id", room, key)


async def add_look(tx: Tx, eyes: Eyes) -> None:
    await _LOOKS.add(tx, eyes, "ON CONFLICT DO NOTHING")


async def look(tx: Tx, room: str, event_id: str) -> Eyes | None:
    """The tap that this event is."""
    return await _LOOKS.one(tx, "WHERE event_id = $1 AND room = $2", event_id, room)


async def drop_look(tx: Tx, event_id: str) -> None:
    await tx.execute("DELETE FROM sluice_look WHERE event_id = $1", event_id)
