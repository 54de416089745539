"""What was said in the admin room, or in a private room of Sluice, is shown, exported and named by
nothing: neither before a line is sent nor from its answer, however its id was learnt."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest

from sluice import audit
from sluice.catalog.table import COMMANDS
from sluice.db import meta
from sluice.matrix import sealed
from sluice.matrix.sealed import CHATS, Seal
from sluice.model.decision import Asker, Facts, Verdict
from sluice.model.request import State
from sluice.policy.access import lost_by
from sluice.policy.checks import invocation_of
from sluice.policy.decide import decide
from sluice.policy_text import Source
from sluice.reload import Reload
from sluice.settings import load
from sluice.state import Bells
from tests.fake.homeserver import Fault
from tests.unit.ops import ANA, BO, CONDUIT, EVE, POLICY, SERVER, Ops
from tests.unit.test_attacks_relay import Relay
from tests.unit.test_attacks_relay import relay as relay

SECRET = "reset-password dan hunter2"
NEVER = ("hunter2", "prev_events", "get_secret")


def pdu(event: Any, head: str = "PDU was accepted") -> str:
    return f"{head}\n```json\n{json.dumps(event, indent=2)}\n```"


async def said(office: Ops) -> str:
    """Everything that was ever put into an ops room, and every file."""
    rows = await office.db.read(lambda tx: tx.fetch("SELECT content FROM sluice_outbox"))
    texts = [row["content"] for row in rows]
    return "\n".join(
        [*texts, *(raw.decode(errors="replace") for raw in office.fake.media.values())]
    )


async def private_room(office: Ops) -> str:
    return await office.deliveries.prepare(BO)


async def an_older_private_room(office: Ops) -> str:
    """Somebody else got in, so that the next password made another one."""
    room = await private_room(office)
    office.fake.join(room, EVE)
    assert await private_room(office) != room
    return room


async def accepted_chat(office: Ops) -> str:
    room = office.fake.room(BO, office.live.me)
    await office.db.write(lambda tx: meta.put(tx, CHATS, json.dumps([room])))
    return room


async def admin_room(office: Ops) -> str:
    return office.admin_room


ROOMS = [admin_room, private_room, an_older_private_room, accepted_chat]


# --- before a line is sent


@pytest.mark.parametrize("which", ROOMS)
@pytest.mark.parametrize("who", [ANA, BO])
async def test_an_event_of_a_sealed_room_is_asked_of_nobody(
    relay: Relay, which: Any, who: str
) -> None:
    office = relay.ops
    text = relay.live.in_force.text.replace('do: "#inspect"', 'do: ["#inspect", event]')
    relay.live.settings = loaded(text)
    room = await which(office)
    event = office.fake.say(room, CONDUIT, SECRET)
    (answer,) = await office.types(who, f"!event {event}")
    assert answer.startswith("⛔ Not run: that event is of the admin room, or of a private room")
    assert event not in answer
    assert not await relay.turn()
    assert relay.lines == []
    everything = await said(office)
    assert not any(word in everything for word in NEVER)


@pytest.mark.parametrize("kind", ["an alias", "a pill", "the glass"])
async def test_no_other_way_to_write_it_gets_further(relay: Relay, kind: str) -> None:
    event = relay.ops.fake.say(relay.ops.admin_room, CONDUIT, SECRET)
    line = {
        "an alias": f"!get-pdu {event}",
        "a pill": f"!event https://matrix.to/#/{relay.ops.admin_room}/{event}",
        "the glass": f"!glass event {event} reason look",
    }[kind]
    answers = await relay.ops.types(ANA, line)
    assert answers[-1].startswith("⛔ Not run: that event is of the admin room")
    assert not await relay.turn()


async def test_an_event_of_any_other_room_is_looked_at_as_ever(relay: Relay) -> None:
    office = relay.ops
    elsewhere = office.fake.room(BO, ANA, version="10")
    event = office.fake.say(elsewhere, ANA, "see the film")
    here = office.fake.say(office.room, ANA, "and here")
    for number, each in enumerate((event, here, "$nobodyknowsit"), 1):
        relay.answers = lambda body, e=each: pdu({"room_id": elsewhere, "content": {"body": "F"}})
        await office.types(ANA, f"!event {each}")
        if office.dialog._open:
            await office.taps()
        assert await relay.turn()
        assert await relay.state(number) is State.DONE
    assert len(relay.lines) == 3
    assert "It says" in await said(office)


@pytest.mark.parametrize(
    "fault",
    [
        Fault("/event/", 500, {"errcode": "M_UNKNOWN"}, times=99),
        Fault("/event/", 404, {}, times=99),  # a proxy's, which says nothing
        Fault("/event/", 403, {}, times=99),
        Fault("/event/", 400, {"errcode": "M_BAD_JSON"}, times=99),
        Fault("/event/", 200, [7], times=99),  # type: ignore[arg-type]
        Fault("/event/", None, times=99),
    ],
)
async def test_what_cannot_be_looked_up_is_refused_and_says_so(relay: Relay, fault: Fault) -> None:
    relay.ops.fake.faults.append(fault)
    (answer,) = await relay.ops.types(ANA, "!event $nobodyknowsit")
    assert answer.startswith(
        "⛔ Not run: I could not look whether that event is of the admin room"
    )
    assert not await relay.turn()


async def test_looks_are_few_at_once_and_end(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred private rooms, and a homeserver that does not answer."""
    office, at_once = relay.ops, 0

    async def hangs(room: str, event_id: str) -> None:
        nonlocal at_once
        at_once += 1
        await asyncio.Event().wait()

    for n in range(100):
        await office.db.write(lambda tx, n=n: sealed.seal(tx, f"!private{n}:example.org"))
    monkeypatch.setattr(office.hs, "event", hangs)
    monkeypatch.setattr(sealed, "_WITHIN", 0.2)
    assert await office.sealed.of_event("$x") is Seal.UNSURE
    assert at_once == 10


async def test_an_upgrade_seals_what_there_was(relay: Relay) -> None:
    """The tables as version 1.0 left them."""
    db = relay.ops.db

    async def old(tx: Any) -> None:
        await tx.execute("DROP TABLE sluice_sealed")
        await tx.execute("INSERT INTO sluice_private VALUES ('@a:example.org', '!private')")
        columns = "request, number, account, mxid, room, event_id, sent_at, seen_by, removed"
        for room in ("!private", "!left"):
            values = f"{len(room)}, 1, '', '', '{room}', '', 0, '', 0"
            await tx.execute(f"INSERT INTO sluice_delivery ({columns}) VALUES ({values})")
        for statement in sealed.SCHEMA_2:
            await tx.execute(statement)

    await db.write(old)
    await db.write(lambda tx: meta.put(tx, CHATS, '["!chat"]'))
    assert await relay.ops.sealed.rooms() == {"!private", "!left", "!chat"}


# --- from its answer


@pytest.mark.parametrize("which", [admin_room, private_room])
@pytest.mark.parametrize(
    "head", ["PDU was accepted", "PDU is outlier", "PDU found in our database"]
)
async def test_what_the_room_does_not_show_to_the_bot_is_not_shown_from_the_answer(
    relay: Relay, which: Any, head: str
) -> None:
    """As what was said there before the bot came."""
    office = relay.ops
    room = await which(office)
    event = office.fake.say(room, CONDUIT, SECRET)
    office.fake.rooms[room].hidden.add(event)
    whole = {"room_id": room, "content": {"body": SECRET}, "prev_events": ["$before"]}
    relay.answers = lambda body: pdu(whole, head)
    await nothing_leaks(relay, f"!event {event}")


async def nothing_leaks(relay: Relay, line: str) -> None:
    office = relay.ops
    await office.types(ANA, line)
    await office.taps()
    turn = asyncio.create_task(relay.turn())
    while not relay.lines:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0)
    if not turn.done() and relay.answers("x").startswith("PDU found"):  # type: ignore[union-attr]
        relay.room.give_up()
    await turn
    for more in ("!more", "!more 1", "!log 1", "!log", "!why 1", "!log export"):
        await office.types(ANA, more)
    everything = await said(office)
    assert not any(word in everything for word in (*NEVER, "$before"))


@pytest.mark.parametrize(
    "text",
    [
        {"content": {"body": SECRET}, "prev_events": []},
        {"room_id": None, "content": {"body": SECRET}},
        {"room_id": 7, "content": {"body": SECRET}},
        {"room_id": "", "content": {"body": SECRET}},
        {"room_id": ["!elsewhere:example.org"], "content": {"body": SECRET}},
        [{"room_id": "!elsewhere:example.org", "content": {"body": SECRET}}],
        SECRET,
    ],
)
async def test_an_answer_without_a_room_shows_nothing(relay: Relay, text: Any) -> None:
    relay.answers = lambda body: pdu(text)
    await nothing_leaks(relay, "!event $x")


async def test_an_event_that_carries_one_of_the_admin_room_is_not_shown(relay: Relay) -> None:
    """On Conduit a redaction that was sent in the admin room can empty an event elsewhere, and
    stands in it then."""
    because = {
        "room_id": relay.ops.admin_room,
        "content": {"reason": SECRET},
        "event_id": "$before",
    }
    whole = {"room_id": "!elsewhere:example.org", "unsigned": {"redacted_because": because}}
    relay.answers = lambda body: pdu(whole)
    await nothing_leaks(relay, "!event $x")


async def test_an_answer_that_cannot_be_parsed_or_is_cut_shows_nothing(relay: Relay) -> None:
    cut = pdu({"room_id": "!elsewhere:example.org", "content": {"body": SECRET}})[:-12]
    relay.answers = lambda body: f"{cut}\n```"
    await nothing_leaks(relay, "!event $x")


# --- by a reply or a link


@pytest.mark.parametrize("which", ROOMS)
@pytest.mark.parametrize("line", ["purge", "block", "unblock", "mediainfo"])
@pytest.mark.parametrize("how", ["reply", "link"])
async def test_a_file_of_a_sealed_room_is_not_found_by_its_message(
    relay: Relay, which: Any, line: str, how: str
) -> None:
    office = relay.ops
    room = await which(office)
    content = {"msgtype": "m.file", "body": "get_secret.txt", "url": f"mxc://{SERVER}/abc"}
    event = office.fake.put(room, CONDUIT, "m.room.message", content)
    reason = " reason x" if line in ("purge", "block") else ""
    link = f" https://matrix.to/#/{room}/{event}" if how == "link" else ""
    await office.types(ANA, f"!{line}{link}{reason}", event if how == "reply" else "")
    everything = await said(office)
    assert "that message has no file" in everything
    assert not any(word in everything for word in (*NEVER, f"mxc://{SERVER}/abc"))


async def test_a_file_of_this_room_is_found(relay: Relay) -> None:
    office = relay.ops
    content = {"msgtype": "m.file", "body": "film.avi", "url": f"mxc://{SERVER}/abc"}
    event = office.fake.put(office.room, ANA, "m.room.message", content)
    office.fake.media[f"{SERVER}/abc"] = b"x"
    (card,) = [t for t in await office.types(ANA, "!purge reason x", event) if t[0] == "✋"]
    assert "film.avi" in card


# --- the log, and what is said of errors


async def ids_of_sealed_rooms(office: Ops) -> set[str]:
    rooms = await office.sealed.rooms()
    return {e["event_id"] for r in rooms for _, e in office.fake.rooms[r].events}


async def export(office: Ops) -> str:
    async def whole(tx: Any) -> str:
        return "".join([line async for line in audit.export_jsonl(tx)])

    return await office.db.read(whole)


async def test_no_id_of_a_sealed_room_leaves_in_the_log_or_in_a_message(relay: Relay) -> None:
    office = relay.ops
    relay.answers = lambda body: "Room enabled." if "enable-room" in body else "PDU not found."
    await office.types(ANA, "!enableroom !warez:example.org")
    await relay.turn()
    await office.types(ANA, "!event $nobodyknowsit")
    await office.taps()
    await relay.turn()
    assert [await relay.state(n) for n in (1, 2)] == [State.DONE, State.REFUSED]
    news = office.parts.news
    await private_room(office)
    ids = await ids_of_sealed_rooms(office)
    for number, event in enumerate(sorted(ids)):
        for room in await office.sealed.rooms():
            wrong = news.own_error(event, f"Error{number}", room)
            await office.db.write(wrong.commit)
    await office.types(ANA, "!log export")
    await office.types(ANA, "!log errors")
    told = await said(office) + await export(office)
    assert len(ids) > 10
    assert not [event for event in ids if event in told]
    assert '"answered":true' in told


@pytest.mark.parametrize("which", ["sealed", "ops"])
async def test_a_reader_that_stumbles_names_events_of_ops_rooms_only(
    relay: Relay, which: str
) -> None:
    office = relay.ops
    doors = office.parts.doors

    async def stumbles(event: Any) -> None:
        raise KeyError(SECRET)

    async def gap(_: Any) -> None:
        return None

    room = office.room if which == "ops" else await private_room(office)
    await doors.start(doors.reader(room, stumbles, gap))
    assert await doors.heard(room)
    event = office.fake.say(room, BO, SECRET)
    assert await doors.heard(room)
    await doors.stop()
    told = await said(office) + await export(office)
    assert '"error":"KeyError"' in told
    assert (event in told) is (room == office.room)
    assert SECRET not in told


async def test_an_error_in_an_ops_room_still_names_its_event(relay: Relay) -> None:
    office = relay.ops
    news = office.parts.news
    await office.db.write(news.own_error("$here", "KeyError", office.room).commit)
    assert "Its event: <code>$here</code>" in await said(office)
    assert '"$here"' in await export(office)


REPORT = (
    'Report received from: @eve:example.org\n\nEvent ID: "$reported"\nRoom ID: Some("{room}")\n'
    'Sent By: "@conduit:example.org"\n\nReport Score: Some(-50)\nReport Reason: Some("bad")'
)


@pytest.mark.parametrize("which", ROOMS)
async def test_a_report_of_a_message_in_a_sealed_room_names_neither(
    relay: Relay, which: Any
) -> None:
    office = relay.ops
    room, notices = await which(office), office.parts.notices
    content = {"msgtype": "m.text", "body": REPORT.format(room=room)}
    await office.db.write(lambda tx: notices.take(tx, "$n", content, False))
    told = await said(office)
    assert "was reported by @eve" in told
    assert "look there" in told
    assert room not in told
    assert "$reported" not in told


async def test_a_report_of_any_other_message_names_it(relay: Relay) -> None:
    office = relay.ops
    notices = office.parts.notices
    content = {"msgtype": "m.text", "body": REPORT.format(room=office.room)}
    await office.db.write(lambda tx: notices.take(tx, "$n", content, False))
    assert f"https://matrix.to/#/{office.room}/$reported?via=" in await said(office)


async def test_old_records_with_ids_of_the_admin_room_are_exported_as_erased(
    relay: Relay, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    office = relay.ops
    await office.record("outcome", request=1, outcome="done", answer="$old-answer")
    await office.record("outcome", request=2, outcome="unknown", answer=None)
    await office.record("error", event="$old-event", error="KeyError")
    await office.record("error", event="relay", error="KeyError")
    await office.record("error", event="$vote", error="KeyError", request=1, room=office.room)
    await office.types(ANA, "!log export")
    text = next(raw.decode() for raw in office.fake.media.values() if b'"chain"' in raw)
    rows = [json.loads(line) for line in text.splitlines()]
    assert [row["seq"] for row in rows if row["record"] is None] == [2, 4]
    assert "$old" not in text
    assert all(len(row["hash"]) == 64 for row in rows)
    assert "Without the text of 2 entries that name events of the admin room" in await said(office)

    file = tmp_path / "log.jsonl"
    file.write_text(text)
    assert audit.main(["verify", str(file)]) == 0
    out = capsys.readouterr().out
    assert "The log is unbroken" in out
    assert "Text erased: 2, 4\n" in out


async def test_verify_takes_a_database_with_old_records_and_lists_them(
    tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.fake.world import database  # the file of the store itself

    path = tmp_path / "sluice.db"
    async with database(f"sqlite:{path}") as db:
        for event in ("$old", "relay"):
            what = {"event": event, "error": "KeyError"}
            await db.write(lambda tx, w=what: audit.append(tx, 1.0, "error", w))
    assert audit.main(["verify", str(path)]) == 0
    out = capsys.readouterr().out
    assert "The log is unbroken: 2 entries" in out
    assert "Without text in exports (events of the admin room): 1\n" in out


# --- who may use it at all


def loaded(text: str) -> Any:
    found = load(text, server=SERVER, now=0, proven=True)
    assert found.settings is not None, found.errors
    return found.settings


def verdict(text: str, who: str) -> Verdict:
    invocation = invocation_of("event $x", SERVER)
    return decide(invocation, Asker(who, power=100), Facts(), 0, loaded(text).policy).verdict


ALLOW = '    - {role: mod, do: "#inspect"}\n'


def test_inspect_allows_no_event_and_its_name_does() -> None:
    assert ALLOW in POLICY
    assert verdict(POLICY, BO) is Verdict.DENY
    assert verdict(POLICY, ANA) is Verdict.ALLOW, "by *"
    by_name = POLICY.replace(ALLOW, ALLOW + "    - {role: mod, do: event}\n")
    assert verdict(by_name, BO) is Verdict.ALLOW


@pytest.mark.parametrize(
    ("verb", "line", "said"),
    [
        ("require", '{do: "#inspect", approvals: [{from: mod, n: 1}]}', "approve"),
        ("deny", '{do: "#inspect"}', "deny"),
    ],
)
def test_a_line_that_held_it_back_by_the_group_still_does(verb: str, line: str, said: str) -> None:
    text, found = re.subn(rf"(?m)^  {verb}:.*$", f"  {verb}:\n    - {line}", POLICY)
    assert found == 1
    assert verdict(text, ANA).value == said


def test_every_command_that_shows_what_people_wrote_is_in_no_group() -> None:
    assert {c.name for c in COMMANDS.values() if c.reads_messages} == {"event"}


class _Text:
    autojoin = None

    def __init__(self, text: str) -> None:
        self.text = text

    async def read(self) -> Source:
        return Source("config", self.text)

    def accept(self, source: Source) -> None:
        pass

    def refuse(self) -> None:
        pass


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ((), "bo and cy"),
        ((ALLOW, ""), ""),
        ((ALLOW, ALLOW + "    - {role: mod, do: event}\n"), ""),
    ],
)
async def test_the_first_start_says_once_who_lost_it(
    relay: Relay, change: tuple[str, str], told: str
) -> None:
    office = relay.ops
    text = relay.live.in_force.text.replace(*change) if change else relay.live.in_force.text
    before = {"#read": [], "#inspect": ["blocked", "event", "media", "mediainfo"], "*": []}
    await office.db.write(lambda tx: meta.put(tx, "groups", json.dumps(before)))
    await office.news()
    for start in (1, 2):
        made = Reload(
            *office.parts.ground.base,
            office.conduit,
            office.desk,
            office.db,
            office.parts.ground.hs,
            _Text(text),  # type: ignore[arg-type]
            Bells(),
        )
        await made.first()
        await made.greet()
        found = [m for m in await office.news() if "no longer allows event" in m]
        assert len(found) == (1 if told and start == 1 else 0), found
        if found:
            assert f"Can no longer use it: {told}." in found[0]
            assert "It reads every message on this server that is not encrypted." in found[0]
            assert "Add to allow: - {role: mod, do: event}" in found[0]
            assert (await office.last())["m.mentions"]["user_ids"], "owners are pushed"


def test_whoever_has_it_by_another_role_has_lost_nothing() -> None:
    text = POLICY.replace("members: [bo, cy]", "members: [bo, cy, ana]")
    assert [name for name, _ in lost_by(loaded(text).policy, "#inspect", "event")] == ["bo", "cy"]
