"""What goes wrong in a scene, and what only a server or an attacker does, as directions."""

from __future__ import annotations

import importlib
import json
import sqlite3
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

from lab.double import texts
from lab.double.backend import File
from tests.fake.homeserver import Fault

from .server import Json
from .stage import ADMIN, OPS, SECOND, SERVER, Stage

ROOMS = {"ops": OPS, "admin": ADMIN, "second": SECOND}
_ROOM = "(ops|admin|second) room"


def lines(text: str) -> str:
    """A direction is one line of the book; ⏎ in it begins a new one."""
    return text.replace(" ⏎", "\n")


async def _setup_asks(stage: Stage) -> None:
    asked: Json = {"asked": "word", "at": time.time()}
    stage.home.accounts[stage.bot].data["org.sluicebot.setup"] = asked


# --- rooms and who writes in them


async def _second(stage: Stage) -> None:
    people = [person.mxid for name, person in stage.people.items() if name != "ana"]
    stage.make_room(SECOND, stage["ana"].mxid, *people, stage.bot)
    stage.policy = stage.policy.replace(f'["{OPS}"]', f'["{OPS}", "{SECOND}"]')


async def _removed(stage: Stage, who: str, room: str) -> None:
    stage.home.leave(ROOMS[room], stage.bot, by=stage[who].mxid)
    await stage.settle(60)


async def _invited(stage: Stage, who: str, room: str) -> None:
    member = {"membership": "invite"}
    stage.home.put(ROOMS[room], stage[who].mxid, "m.room.member", member, stage.bot)
    await stage.settle(90)


async def _as_sluice(stage: Stage, room: str) -> None:
    stage.home.say(ROOMS[room], stage.bot, "hello")
    await stage.settle()


async def _state(stage: Stage, room: str, kind: str, content: str) -> None:
    by = stage["ana"].mxid if room != "admin" else stage.server_user.mxid
    stage.home.put(ROOMS[room], by, kind, json.loads(content), "")
    await stage.settle()


async def _enters(stage: Stage, mxid: str, room: str) -> None:
    stage.home.join(ROOMS[room], mxid)
    await stage.settle()


async def _of_another_server(stage: Stage, mxid: str, text: str) -> None:
    if stage.home.rooms[OPS].membership(mxid) != "join":
        stage.home.join(OPS, mxid)
        await stage.settle()
    stage.home.say(OPS, mxid, text)
    await stage.settle()


async def _late(stage: Stage, who: str, minutes: str, late: str, text: str) -> None:
    mxid = who if who.startswith("@") else stage[who].mxid
    if stage.home.rooms[OPS].membership(mxid) != "join":
        stage.home.join(OPS, mxid)
    sent = time.time() + int(minutes) * (-60 if late == "late" else 60)
    content = {"msgtype": "m.text", "body": text}
    stage.home.put(OPS, mxid, "m.room.message", content, origin_server_ts=int(sent * 1000))
    await stage.settle()


async def _links(stage: Stage, who: str, label: str, mxid: str, text: str) -> None:
    link = f'<a href="https://matrix.to/#/{mxid}">{label}</a>'
    html = {"format": "org.matrix.custom.html", "formatted_body": text.replace(label, link)}
    await stage.says(who, text, **html)


async def _many_links(stage: Stage, who: str, count: str) -> None:
    html = f'<a href="https://matrix.to/#/@spam:{SERVER}">spam</a> ' * int(count)
    more = {"format": "org.matrix.custom.html", "formatted_body": f"!deactivate {html}"}
    await stage.says(who, "!deactivate" + " spam" * int(count), **more)


async def _called(stage: Stage, who: str, name: str) -> None:
    mxid = stage[who].mxid
    content = {"membership": "join", "displayname": name}
    stage.home.put(OPS, mxid, "m.room.member", content, mxid)
    await stage.settle()


async def crowd(stage: Stage, count: str, text: str) -> None:
    """People of this server join and type at once; {n} in it is another number for each."""
    mxids = [stage.home.person(f"p{n}").mxid for n in range(int(count))]
    for mxid in mxids:
        stage.home.join(OPS, mxid)
    await stage.settle()
    for n, mxid in enumerate(mxids):
        stage.home.say(OPS, mxid, text.replace("{n}", f"{n:02}"))
    await stage.settle(8)


async def _at_once(stage: Stage, who: str, text: str, times: str) -> None:
    for _ in range(int(times)):
        stage.home.say(OPS, stage[who].mxid, text)
    await stage.settle(8)


async def _of_a_bridge(stage: Stage, name: str) -> None:
    fault = {"errcode": "M_EXCLUSIVE", "error": "no"}
    stage.home.faults.append(Fault(f"available?username={name}", 400, fault))
    stage.home.faults.append(Fault("POST /_matrix/client/v3/login", 403, fault))


async def _no_key(stage: Stage, who: str, code: str = "") -> None:
    """With a bot that has crypto, as far as the ops room is concerned."""
    assert stage.app is not None
    assert stage.app.running is not None
    stage.app.running.parts.ground.rooms.crypto = True
    said = {"session_id": f"session-{code}", "code": f"m.{code}", "room_id": OPS}
    told = {"type": "m.room_key.withheld", "sender": stage[who].mxid, "content": said}
    stage.app.doorbell({"to_device": {"events": [told] if code else []}})
    content = {"algorithm": "m.megolm.v1.aes-sha2", "session_id": f"session-{code}"}
    stage.home.put(OPS, stage[who].mxid, "m.room.encrypted", content)
    await stage.settle(2)


async def _deaf_chat(stage: Stage) -> None:
    chats = [r.id for r in stage.home.rooms.values() if r.id not in ROOMS.values()]
    for room in chats:
        path, no = f"{quote(room, safe='')}/send/", {"errcode": "M_FORBIDDEN"}
        stage.home.faults.append(Fault(path, 403, no, times=3))


async def _closed(stage: Stage, who: str, takes: str) -> None:
    mxid, closed = stage[who].mxid, stage.home.closed
    (closed.add if takes == "no" else closed.discard)(mxid)


async def _posts(stage: Stage, text: str) -> None:
    stage.conduit.post(texts.plain(lines(text)))
    await stage.settle()


async def _torn(stage: Stage) -> None:
    body = (
        "| MXC URI | Dimensions (if thumbnail) | Created/Downloaded at | Uploader | Content-Type"
    )
    body += " | Filename | Size |\n| --- | --- | --- | --- | --- | --- | --- |\n| mxc://a/b |"
    content = texts.html(body, "<table><tr><td>mxc://a/c</td></tr></table>")
    stage.conduit.set(unrun=[content])


async def _clock(stage: Stage, minutes: str, where: str) -> None:
    stage.home.ahead = int(minutes) * (60.0 if where == "ahead" else -60.0)
    await stage.settle(60)


async def _erases(stage: Stage, who: str, words: str) -> None:
    """On Conduit anybody can erase any event, with a redaction in a room of their own."""
    person, own = stage[who], f"!of-{who}:{SERVER}"
    if own not in stage.home.rooms:
        stage.make_room(own, person.mxid)
    event = next(e for _, e in reversed(stage.home.rooms[OPS].events) if words in _words(e))
    await person.redact(own, event["event_id"])
    await stage.settle()


def _words(event: Json) -> str:
    content = event["content"]
    return str(content.get("body") or content.get("m.relates_to", {}).get("key", ""))


async def _asks_for(stage: Stage, who: str, words: str) -> None:
    """Its id differs from one play to the next, so it cannot stand in a line."""
    events = (e for room in stage.home.rooms.values() for _, e in room.events)
    event = next(e for e in events if words in _words(e))
    await stage.says(who, f"!event {event['event_id']}")


# --- Conduit


async def _restarts(stage: Stage) -> None:
    await stage.conduit.restart()
    await stage.settle()


async def _knob(stage: Stage, what: str) -> None:
    knob = {"restarts before": "crash_before", "restarts after": "crash_after"}
    stage.conduit.set(**{knob.get(what, "silent"): 1})


async def _slow(stage: Stage, seconds: str) -> None:
    stage.conduit.set(delay=float(seconds))


async def _unrun(stage: Stage, text: str) -> None:
    stage.conduit.set(unrun=[texts.plain(lines(text))])


async def _reports(stage: Stage, who: str, about: str, why: str) -> None:
    by = stage[who].mxid
    args = ("$reported1234567890abcdef", OPS, about, None, why or None)
    stage.conduit.post(texts.report(by, *args))
    await stage.settle()


async def _developers(stage: Stage, text: str) -> None:
    stage.conduit.post(texts.developers("2026-11-20", text))
    await stage.settle()


async def _files(stage: Stage, count: str, who: str) -> None:
    backend, now = stage.conduit.backend, time.time()
    for n in range(int(count)):
        mxc, data = f"mxc://{who.partition(':')[2]}/{who[1:4]}{n:02}", b"x" * (n + 1) * 700
        made = now - 86400 * n
        digest = f"{n:064x}"
        file = File(mxc, who, f"{n}.png", "image/png", len(data), made, made, digest, data)
        backend.uploads[mxc] = file
        stage.home.media[mxc.removeprefix("mxc://")] = data


async def _bridges(stage: Stage, names: str) -> None:
    stage.conduit.handler.appservices += names.split(" and ")


# --- the database, and errors of Sluice's own


async def _full(stage: Stage) -> None:
    stage.database.broken = "database or disk is full"
    await stage.settle(120)


async def _works(stage: Stage) -> None:
    stage.database.broken = ""
    await stage.settle(90)


async def _entry(stage: Stage, number: str) -> None:
    stage.database.inner.execute("DELETE FROM sluice_audit WHERE seq = ?", (int(number),))


async def _keep(stage: Stage) -> None:
    stage.database.kept = sqlite3.connect(":memory:")
    stage.database.inner.backup(stage.database.kept)


async def _old(stage: Stage) -> None:
    assert stage.database.kept is not None
    await stage.stop()
    stage.database.kept.backup(stage.database.inner)
    await stage.start()


_ERRORS = {
    "reading a message": "sluice.ops.intake.Intake.take",
    "checking rights": "sluice.policy.decide._decide",
    "sending a line": "sluice.requests.guard.begin",
    "following a line": "sluice.running.runner.Runner._was_sent",
    "timing": "sluice.clock.Timers._slow",
    "speaking": "sluice.matrix.sender.Sender._send_all",
}


async def _error(stage: Stage, what: str) -> None:
    path, _, name = _ERRORS[what].rpartition(".")
    try:
        owner: Any = importlib.import_module(path)
    except ModuleNotFoundError:
        module, _, kind = path.rpartition(".")
        owner = getattr(importlib.import_module(module), kind)
    right = getattr(owner, name)

    left = 2 if what == "checking rights" else 1

    def wrong(*args: Any, **more: Any) -> Any:
        nonlocal left
        left -= 1
        if not left:
            setattr(owner, name, right)
        raise ZeroDivisionError

    setattr(owner, name, wrong)


async def _version(stage: Stage, version: str) -> None:
    if stage.app is not None:
        await stage.stop()
    await stage.start(version)


async def _groups(stage: Stage, group: str, added: str, left: str) -> None:
    """What an earlier version wrote down of its groups."""
    row = await stage.database.fetchrow("SELECT value FROM sluice_meta WHERE key = 'groups'")
    assert row is not None
    groups = json.loads(row["value"])
    names = {*groups[group], *(n for n in [added] if n)} - {left}
    groups[group] = sorted(names)
    sql = "UPDATE sluice_meta SET value = $1 WHERE key = 'groups'"
    await stage.database.execute(sql, json.dumps(groups))


Mishap = Callable[..., Awaitable[None]]
MISHAPS: dict[str, Mishap] = {
    r"setup asks for a proof": _setup_asks,
    r"there is a second ops room": _second,
    rf"(\w+) removes sluice from the {_ROOM}": _removed,
    rf"(\w+) invites sluice into the {_ROOM}": _invited,
    rf"somebody else writes as sluice in the {_ROOM}": _as_sluice,
    rf"in the {_ROOM} (m\.\S+) becomes (.*)": _state,
    rf"(@\S+) enters the {_ROOM}": _enters,
    r"(@\S+) types: (.*)": _of_another_server,
    r"(\S+) types, (\d+) minutes (late|early): (.*)": _late,
    r"(\w+) links “(.*)” to (@\S+) in: (.*)": _links,
    r"(\w+) types (\d+) links": _many_links,
    r"(\w+) is called “(.*)” in the ops room": _called,
    r"(\w+) types (.*) (\d+) times at once": _at_once,
    r"the name (\w+) belongs to a bridge": _of_a_bridge,
    r"the key of what (\w+) writes does not come": _no_key,
    r"the key of what (\w+) writes is kept back: m\.(\w+)": _no_key,
    r"nothing can be written in private rooms": _deaf_chat,
    r"(\w+) takes (no|all) invitations": _closed,
    r"Conduit posts: (.*)": _posts,
    r"Conduit's next list of files is torn": _torn,
    r"the homeserver's clock is (\d+) minutes (ahead|behind)": _clock,
    r"(\w+) erases “(.*)” from another room": _erases,
    r"(\w+) asks for the event of “(.*)”": _asks_for,
    r"Conduit restarts": _restarts,
    r"Conduit (restarts before|restarts after|does not answer) the next command": _knob,
    r"Conduit takes (\d+) seconds for each command": _slow,
    r"Conduit only says to the next command: (.*)": _unrun,
    r"(\w+) reports (@\S+)(?:: (.*))?": _reports,
    r"Conduit's developers say: (.*)": _developers,
    r"there are (\d+) files of (@\S+)": _files,
    r"the bridges (.*) are registered": _bridges,
    r"the disk is full": _full,
    r"the disk has space again": _works,
    r"entry (\d+) of the log is taken out of the database": _entry,
    r"the database is kept aside": _keep,
    r"Sluice restarts with the database that was kept aside": _old,
    r"an error of Sluice's own strikes in (.*)": _error,
    r"Sluice (\d\S*) starts": _version,
    r"the version before had in (\S+) (?:also (\w+))?(?:not yet (\w+))?": _groups,
}
