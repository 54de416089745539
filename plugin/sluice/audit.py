"""The log of what happened: append-only, chained by hashes, and the check that it still is.

    h(0) = 32 zero bytes;  h(n) = SHA-256(h(n-1) ‖ SHA-256(record n))

A record is one line of JSON with sorted keys. The chain is over its hash, so that the text of one
can be erased (record = NULL) when somebody's privacy asks for it, and the chain still holds. The
chain alone shows accidents and clumsy hands; who can write the database can compute it anew, or
cut it off. Therefore its head is posted to the ops room every SEAL_EVERY records and once a day:
every member's server keeps that *seal*, an event that no client shows (the daily one is said as
well), and `python -m sluice audit verify DB --head SEQ:HASH` compares. Secrets have no way in: a
record is plain JSON, and a `Secret` is not.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sqlite3
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from attrs import frozen

from .db import meta
from .db.connection import Row, Tx
from .db.rows import insert, marks
from .model.event import Json, object_in

SCHEMA = (
    "CREATE TABLE sluice_audit (seq INTEGER PRIMARY KEY, ts DOUBLE PRECISION NOT NULL, "
    "kind TEXT NOT NULL, request INTEGER, person TEXT, record TEXT, hash TEXT NOT NULL, "
    "chain TEXT NOT NULL)",
    "CREATE INDEX sluice_audit_person ON sluice_audit (person, seq, kind)",
    "CREATE INDEX sluice_audit_request ON sluice_audit (request, seq, kind)",
    "CREATE INDEX sluice_audit_kind ON sluice_audit (kind, seq)",
)
_INDEXED = ("seq", "ts", "kind", "request", "person")
COLUMNS = ", ".join((*_INDEXED, "record", "hash", "chain"))

MAX_RECORD = 65_536  # characters; the arguments of one line are at most 12 kB
SEAL_EVERY = 50  # records
SEAL_WITHIN = 86_400.0  # seconds, if there is anything new; then people are told
SEAL = "org.sluicebot.seal"  # the type of the event; before 1.2 every seal was a message
PAGE = 200  # rows read at once by the check and the export; more cost memory and save no time
_SEAL = "audit.seal"


@frozen
class Head:
    """The newest record and the chain's hash at it, hex: what a seal says."""

    seq: int = 0
    chain: str = "0" * 64

    @property
    def shown(self) -> str:
        """As `verify` takes it."""
        return f"{self.seq}:{self.chain}"


@frozen
class Record:
    """One record as `!log` shows it. what: its fields, empty if they were erased."""

    seq: int
    ts: float
    kind: str
    request: int | None
    person: str | None
    what: Json


class Broken(Exception):
    """The chain does not hold. seq: the first entry that is wrong or missing."""

    def __init__(self, seq: int, what: str) -> None:
        super().__init__(f"entry {seq} {what}")
        self.seq = seq


# --- writing


def canonical(record: Mapping[str, object]) -> str:
    """One spelling for one record. Raises TypeError for what is not plain JSON, as a Secret."""
    return json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _sha(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()


def _next(chain: str, record_hash: str) -> str:
    return _sha(bytes.fromhex(chain), bytes.fromhex(record_hash))


async def append(tx: Tx, now: float, kind: str, record: Mapping[str, object]) -> int:
    """Adds a record within the caller's transaction and returns its number.

    record: plain JSON; `request` (number) and `person`, or else `mxid`, are what `!log` looks for.
    The head is read from the table, not remembered: a transaction may be rolled back.
    """
    last = await head(tx)
    seq = last.seq + 1
    whole = {**record, "seq": seq, "ts": round(now, 3), "kind": kind}
    if len(whole) != len(record) + 3:
        raise ValueError(f"a record's own fields cannot be given: {sorted(record)}")
    text = canonical(whole)
    if len(text) > MAX_RECORD:
        raise ValueError(f"a record of {len(text)} characters, {MAX_RECORD} is the most")
    record_hash = _sha(text.encode())
    chain = _next(last.chain, record_hash)
    row = {**_indexed(whole), "record": text, "hash": record_hash, "chain": chain}
    await insert(tx, "sluice_audit", row)
    return seq


def _indexed(record: Json) -> dict[str, object]:
    """What of a record stands in columns of its own, to be searched."""
    person = record.get("person") or record.get("mxid")
    return {**{name: record.get(name) for name in _INDEXED}, "person": person}


async def head(tx: Tx) -> Head:
    row = await tx.fetchrow("SELECT seq, chain FROM sluice_audit ORDER BY seq DESC LIMIT 1")
    return Head(row["seq"], row["chain"]) if row else Head()


async def seal(tx: Tx, now: float) -> tuple[Head | None, bool]:
    """The head to post now, remembered as posted within this transaction, None if none is due; and
    whether people are told it, once a day."""
    last, known = await head(tx), await meta.get(tx, _SEAL)
    if known is None:  # the first day begins now
        known = json.dumps([0, now])
        await meta.put(tx, _SEAL, known)
    sealed, told_at, *rest = json.loads(known)
    told = rest[0] if rest else sealed  # an earlier version told all of them
    daily = last.seq > told and now - told_at >= SEAL_WITHIN
    if not daily and last.seq - sealed < SEAL_EVERY:
        return None, False
    kept = [last.seq, now, last.seq] if daily else [last.seq, told_at, told]
    await meta.put(tx, _SEAL, json.dumps(kept))
    return last, daily


# --- reading, for !log


async def page(
    tx: Tx,
    *,
    person: str | None = None,
    request: int | None = None,
    kinds: Sequence[str] = (),
    limit: int = 10,
) -> tuple[Record, ...]:
    """The newest records first. Of several kinds, each is asked for alone: then an index gives the
    newest, however many there are of others."""
    if len(kinds) > 1 and person is None and request is None:
        each = [await page(tx, kinds=(kind,), limit=limit) for kind in dict.fromkeys(kinds)]
        found = sorted((r for records in each for r in records), key=lambda r: -r.seq)
        return tuple(found[:limit])
    wanted = {"person": person, "request": request}
    known = {name: value for name, value in wanted.items() if value is not None}
    args = [*known.values(), *kinds]
    terms = [f"{name}=${number}" for number, name in enumerate(known, 1)]
    terms += [f"kind IN ({marks(kinds, len(known) + 1)})"] if kinds else []
    where = f"WHERE {' AND '.join(terms)}" if terms else ""
    rows = await tx.fetch(
        f"SELECT {COLUMNS} FROM sluice_audit {where} ORDER BY seq DESC LIMIT {int(limit)}", *args
    )
    return tuple(
        Record(**{i: row[i] for i in _INDEXED}, what=_record(row["record"])) for row in rows
    )


async def _page(tx: Tx, after: int) -> list[Row]:
    query = f"SELECT {COLUMNS} FROM sluice_audit WHERE seq>$1 ORDER BY seq LIMIT {PAGE}"
    return await tx.fetch(query, after)


async def _rows(tx: Tx, after: int) -> AsyncIterator[Row]:
    while rows := await _page(tx, after):
        for row in rows:
            yield row
        after = rows[-1]["seq"]


async def export_jsonl(tx: Tx) -> AsyncIterator[str]:
    """The whole log, a line each, oldest first; the check reads it as well as the database.

    A record that may name an event of the admin room leaves as one whose text was erased.
    """
    async for row in _rows(tx, 0):
        record = _record(row["record"]) or None
        record = None if record is None or names_sealed(record) else record
        line = {"seq": row["seq"], "hash": row["hash"], "chain": row["chain"], "record": record}
        yield canonical(line) + "\n"


# --- checking


async def further(tx: Tx, last: Head) -> Head:
    """The head one page behind this one. Raises Broken, also if what stood before has changed."""
    query = "SELECT chain FROM sluice_audit WHERE seq=$1"
    if last.seq and await tx.fetchval(query, last.seq) != last.chain:
        raise Broken(last.seq, "was changed or is missing")
    for row in await _page(tx, last.seq):
        last = follow(last, row)
    return last


def follow(last: Head, row: Row) -> Head:
    """The head after one more row; raises Broken if this row cannot come next."""
    seq, text = row["seq"], row["record"]
    try:
        if seq > last.seq + 1:
            raise Broken(last.seq + 1, "is missing")
        if seq <= last.seq:
            raise Broken(seq, f"stands behind entry {last.seq}: moved or doubled")
        if text is not None:
            record = _record(text)
            if _sha(text.encode()) != row["hash"]:
                raise Broken(seq, "was changed")
            if record.get("seq") != seq:
                raise Broken(seq, f"was moved: it is entry {record.get('seq')}")
            if {name: row[name] for name in _INDEXED} != _indexed(record):
                raise Broken(seq, "was changed where it is searched for")
        if _next(last.chain, row["hash"]) != row["chain"]:
            raise Broken(seq, f"does not follow from entry {last.seq}")
    except (AttributeError, TypeError, ValueError):
        raise Broken(last.seq + 1, "is no entry any more") from None
    return Head(seq, row["chain"])


def names_sealed(record: Json) -> bool:
    """Whether a record may hold the id of an event of the admin room, as versions before 1.1 wrote
    them: an outcome with its answer, an error with an event of a room that it does not name."""
    if record.get("kind") == "outcome":
        return isinstance(record.get("answer"), str)
    event = record.get("event")
    is_error = record.get("kind") == "error" and not record.get("room")
    return is_error and isinstance(event, str) and event.startswith("$")


def _record(text: str | None) -> Json:
    """The fields of a record; none if it was erased, or is not what was written."""
    try:
        record = json.loads(text or "{}")
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def verify(rows: Iterable[Row], seals: Sequence[Head] = ()) -> tuple[Head, tuple[int, ...]]:
    """Follows the whole chain past all seals: its head, and the entries whose text was erased.

    Raises Broken at the first entry that is wrong.
    """
    last, good, erased = Head(), 0, []
    left = sorted(seals, key=lambda s: s.seq)
    for row in rows:
        last = follow(last, row)
        erased += [last.seq] if row["record"] is None else []
        while left and left[0].seq == last.seq:
            if left[0].chain != last.chain:
                which = f"or one up to {last.seq} was replaced"
                raise Broken(good + 1, f"{which}: the seal after entry {last.seq} does not fit")
            good = left.pop(0).seq
    if left:
        cut = f"and all behind it are missing: there is a seal after entry {left[-1].seq}"
        raise Broken(last.seq + 1, cut)
    return last, tuple(erased)


def _read(path: Path) -> Iterator[Row]:
    """The rows of a SQLite database, opened for reading only, or of an exported file."""
    with path.open("rb") as file:
        is_database = file.read(16) == b"SQLite format 3\0"
    if is_database:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
            db.row_factory = sqlite3.Row
            yield from db.execute(f"SELECT {COLUMNS} FROM sluice_audit ORDER BY seq")
        return
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            row = _record(line)
            if not {"seq", "hash", "chain", "record"} <= row.keys():
                raise Broken(number, "is no entry of a log")
            record = object_in(row, "record")
            text = None if row["record"] is None else canonical(record)
            yield {**_indexed(record), **row, "record": text}


def _seal_of(text: str) -> Head:
    seq, _, chain = text.partition(":")
    if (
        not seq.isdecimal()
        or seq == "0"
        or len(chain) != 64
        or set(chain) - set("0123456789abcdef")
    ):
        raise argparse.ArgumentTypeError(f"{text!r} is not ENTRIES:SEAL, 64 characters of 0-9a-f")
    return Head(int(seq), chain)


def main(argv: Sequence[str]) -> int:
    """`python -m sluice audit verify DB [--head SEQ:HASH]…`; 1 if broken, 2 if not readable."""
    parser = argparse.ArgumentParser("python -m sluice audit")
    verb = parser.add_subparsers(required=True).add_parser("verify")
    verb.add_argument("file", type=Path, metavar="DB", help="SQLite file, or an exported log")
    verb.add_argument("--head", type=_seal_of, action="append", default=[], metavar="ENTRIES:SEAL")
    args = parser.parse_args(argv)
    try:
        last, erased = verify(_read(args.file), args.head)
    except Broken as broken:
        print(f"The log is broken: {broken}.")
        return 1
    except (OSError, sqlite3.Error, UnicodeDecodeError) as error:
        print(f"{args.file} cannot be read: {error}")
        return 2
    print(f"The log is unbroken: {last.seq:,} entries. Its seal: {last.shown}")
    if erased:
        print(f"Text erased: {', '.join(map(str, erased))}")
    if kept := [row["seq"] for row in _read(args.file) if names_sealed(_record(row["record"]))]:
        print(f"Without text in exports (events of the admin room): {', '.join(map(str, kept))}")
    if not args.head:
        print("Nothing cut off at its end can be seen without a seal: --head ENTRIES:SEAL.")
    return 0
