"""What a day leaves behind, kept as SQL: the bot's database and, beside it, the server's rooms.

`PYTHONPATH=plugin python -m tests.stage.kept FILE` plays a day with the code of today and writes
the file. It was made once, by the version whose name it bears, and is not by a later one:
tests/unit/test_upgrade.py starts today's code on it.
"""

from __future__ import annotations

import itertools
import json
import sqlite3
import sys
import time
from pathlib import Path

from tests.fake.homeserver import Account, Fault, Room

from .book import Play, read_scene
from .stage import MORNING, OPS, Stage, on_stage

HEAD = """\
-- The database of Sluice %s and, in stage_*, the rooms that it knew. It was made by:
-- PYTHONPATH=plugin python -m tests.stage.kept FILE
"""
VERSION = "1.1.0"
END = MORNING + 64 * 60  # when the day is over

BEFORE = """\
(there are spam, spam2, spam3, spam4, spam5, spam6, spam7, carol, alice, s01)
(in the policy: ["#destructive", resetpw] → ["#destructive"])
"""
DAY = """\
ana: !users
ana taps ✅ on “Fewer than”
bo: !version
hal: !rooms
bo: !adduser al
bo: !adduser early
(bo accepts the invitation)
bo: !deactivate @nobody:example.org reason spam
bo: !deactivate @spam7:example.org reason a slip
bo edits “!deactivate @spam7”: !deactivate @spam7:example.org reason another slip
bo: !cancel 4
bo: !deactivate @spam6:example.org reason nobody looks
(61 minutes pass)
bo: !deactivate @spam7:example.org reason links
cy: !deny 6 reason they are fine
bo: !deactivate @spam:example.org reason casino
cy taps ✅ on “ asks: ”
ana: !glass deactivate @spam2:example.org reason nobody awake
ana: !registration on for 15m
bo: !deactivate @spam4:example.org reason casino
"""
"""Until a word about the last of these is erased from outside."""

EVENING = """\
bo: !deactivate @spam3:example.org reason floods
ana: !deactivateall reason spam
        @s01:example.org
bo taps ✅ on “ asks: ”
ana: !resetpw cy
dan taps ✅ on “ asks: ”
bo: !resetpw carol
bo: !log
bo: !pending
(Conduit falls silent)
bo: !adduser late
"""
TABLES = """\
CREATE TABLE stage_event (room TEXT, at INTEGER, event TEXT);
CREATE TABLE stage_account (mxid TEXT, password TEXT, deactivated INTEGER, data TEXT);
CREATE TABLE stage_txn (scope TEXT, event_id TEXT);
"""


async def day(stage: Stage) -> str:
    """Plays it; the bot stops in the middle of its work."""
    play = Play(stage)
    await _act(play, BEFORE)
    await stage.start(VERSION)
    await _act(play, DAY)
    lobby = stage.home.room(stage["eve"].mxid, version="10")
    word = stage.home.put(
        OPS, stage["cy"].mxid, "m.room.message", {"msgtype": "m.text", "body": "!deny 9"}
    )
    stage.home.erase(word, stage["eve"].mxid, lobby)  # before anybody could read it
    await stage.settle()
    await _act(play, EVENING)
    stage.home.faults.append(Fault(f"rooms/{OPS}/send", 500, times=1_000_000))
    asked = {"msgtype": "m.text", "body": "!status"}
    stage.home.put(OPS, stage["bo"].mxid, "m.room.message", asked)  # and the answer waits
    await stage.settle()
    await stage.stop()
    assert 0 < END - time.time() < 60, time.time() - MORNING
    return HEAD % VERSION + save(stage)


async def _act(play: Play, scene: str) -> None:
    for step in read_scene(scene):
        await play.step(step)


def save(stage: Stage) -> str:
    """The database with what the server knows in it, as SQL."""
    made = sqlite3.connect(":memory:")
    stage.database.inner.backup(made)
    made.executescript(TABLES)
    home = stage.home
    for room in home.rooms.values():
        rows = [(room.id, at, json.dumps(event)) for at, event in room.events]
        made.executemany("INSERT INTO stage_event VALUES (?, ?, ?)", rows)
    accounts = [
        (a.mxid, a.password, int(a.deactivated), json.dumps(a.data))
        for a in home.accounts.values()
    ]
    made.executemany("INSERT INTO stage_account VALUES (?, ?, ?, ?)", accounts)
    txns = [(json.dumps(scope), event_id) for scope, event_id in home.txns.items()]
    made.executemany("INSERT INTO stage_txn VALUES (?, ?)", txns)
    made.commit()
    return "\n".join(made.iterdump()) + "\n"


def load(stage: Stage, text: str) -> None:
    """Puts what was saved in the place of what a new stage has; then it can be started."""
    inner, home = stage.database.inner, stage.home
    inner.executescript(text)
    home.rooms.clear()
    for room, at, kept in inner.execute("SELECT * FROM stage_event ORDER BY rowid").fetchall():
        event = json.loads(kept)
        if event["type"] == "m.room.create":
            home.rooms[room] = Room(room, event["content"]["room_version"])
        place = home.rooms[room]
        place.before[event["event_id"]] = place.changes
        if "state_key" in event:
            place.changes += 1
            place.state[event["type"], event["state_key"]] = event
        place.events.append((at, event))
        home.first[event["event_id"]] = json.loads(kept)
    newest = max(place.events[-1][0] for place in home.rooms.values())
    home._position = itertools.count(newest + 1)
    for mxid, password, off, data in inner.execute("SELECT * FROM stage_account"):
        home.accounts[mxid] = Account(mxid, password, bool(off), json.loads(data))
    for scope, event_id in inner.execute("SELECT * FROM stage_txn"):
        home.txns[tuple(json.loads(scope))] = event_id


def main(file: str) -> None:
    text = on_stage(day)
    Path(file).parent.mkdir(exist_ok=True)
    Path(file).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
