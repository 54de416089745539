"""What a reply, an edit and a message in a thread are about, and where the answer goes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from sluice.model.request import State
from sluice.requests import reweigh, store
from tests.unit.ops import ANA, BO, CY, DAN, EVE, HAL, ops
from tests.unit.scenes import SERVER
from tests.unit.test_erased import ASK, Live

PICTURE = {"msgtype": "m.image", "body": "x.png", "url": f"mxc://{SERVER}/pic"}


class Chat(Live):
    """The ops room, with what clients send in it."""

    async def reads(self) -> list[str]:
        """Also what takes a moment to look up, on a machine that has much to do."""
        said = await super().reads()
        while self.ops.commands.lookups._looks:
            await asyncio.sleep(0.02)
            said += await super().reads()
        return said

    async def posted(self, who: str, content: Any) -> list[str]:
        self.last = self.posts(who, "m.room.message", content)
        return await self.reads()

    async def said(self, who: str, body: str, reply_to: str = "") -> list[str]:
        self.last = self.says(who, body, reply_to)
        return await self.reads()

    async def edited(self, who: str, original: str, new: dict[str, Any]) -> list[str]:
        new = {"msgtype": "m.text", **new}
        relation = {"rel_type": "m.replace", "event_id": original}
        body = f"* {new['body']}"
        content = {**new, "body": body, "m.new_content": new, "m.relates_to": relation}
        return await self.posted(who, content)

    async def question(self) -> str:
        """The key of the question that is open."""
        (key,) = self.ops.dialog._open
        return key

    async def newest(self) -> int:
        return await self.ops.db.read(store.next_id) - 1

    async def tap(self, who: str, key: str, emoji: str = "✅") -> list[str]:
        self.taps(who, await self.id_of(key), emoji)
        return await self.reads()


@pytest.fixture
async def room() -> AsyncIterator[Chat]:
    async with ops() as made:
        live = Chat(made)
        made.fake.media[f"{SERVER}/pic"] = b"x"
        await live.reader.load()
        await live.reads()
        yield live


def element_x(body: str) -> dict[str, Any]:
    return {"body": body}


def element_android(body: str) -> dict[str, Any]:
    quote = "<mx-reply><blockquote>In reply to @eve<br>x</blockquote></mx-reply>"
    return {
        "body": f"> <@eve:example.org> sent an image.\n\n{body}",
        "format": "org.matrix.custom.html",
        "formatted_body": f"{quote}{body}",
    }


FORMS = (element_x, element_android)


# --- an edit stays at its place


@pytest.mark.parametrize("form", FORMS)
async def test_an_edited_reply_is_a_reply_to_the_same(room: Chat, form: Any) -> None:
    picture = room.posts(EVE, "m.room.message", PICTURE)
    await room.said(BO, "!purge reasn illegal", picture)
    assert await room.newest() == 0
    await room.edited(BO, room.last, form("!purge reason illegal"))
    request = await room.ops.request(1)
    assert request.invocation.values("mxc") == (PICTURE["url"],)
    assert request.invocation.reason == "illegal"


@pytest.mark.parametrize("form", FORMS)
async def test_a_letter_more_in_the_reason_keeps_the_target(room: Chat, form: Any) -> None:
    picture = room.posts(EVE, "m.room.message", PICTURE)
    await room.said(BO, "!purge reason ilegal", picture)
    await room.edited(BO, room.last, form("!purge reason illegal"))
    assert await room.state(1) is State.CANCELLED
    request = await room.ops.request(2)
    assert request.state is State.PENDING
    assert request.invocation.values("mxc") == (PICTURE["url"],)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("before", ["nno", "!approve 1", "yes"])
async def test_a_vote_that_is_edited_to_a_no_is_one(room: Chat, form: Any, before: str) -> None:
    await room.asks()
    await room.said(CY, before, await room.card())
    await room.edited(CY, room.last, form("no"))
    assert await room.state(1) is State.DENIED


# --- chat that becomes a command


BECOMES = [
    ("adduser alice", "!adduser alice"),
    ("I add alice", "!adduser alice"),
    ("hm", "!deactivate @spam:example.org reason casino"),
    ("> quoted", "!users spam"),
    ("status", "!status"),
]


@pytest.mark.parametrize(("before", "after"), BECOMES)
async def test_chat_that_becomes_a_command_is_asked(room: Chat, before: str, after: str) -> None:
    assert await room.said(ANA, before) == []
    said = await room.edited(ANA, room.last, {"body": after})
    edit = room.last
    assert said[0].startswith(f"❓ Run {after}? Tap ✅."), said
    assert await room.newest() == 0
    for who in (BO, CY, DAN, EVE):
        assert await room.tap(who, f"reply.{edit}") == []
    said = await room.tap(ANA, f"reply.{edit}")
    assert said or await room.newest() == 1


async def test_a_second_edit_is_asked_again_and_ends_the_first_question(room: Chat) -> None:
    await room.said(BO, "adduser alice")
    original = room.last
    await room.edited(BO, original, {"body": "!adduser alice"})
    first = await room.question()
    said = await room.edited(BO, original, {"body": "!adduser alicia"})
    assert said[0].startswith("❓ Run !adduser alicia?")
    await room.tap(BO, first)
    assert await room.newest() == 0
    await room.tap(BO, await room.question())
    assert (await room.ops.request(1)).text == "adduser alicia"


@pytest.mark.parametrize(
    "after", ["!resume", "!glass deactivate @spam:example.org reason x", "!trust cy"]
)
async def test_no_tap_runs_what_a_tap_must_not(room: Chat, after: str) -> None:
    await room.said(ANA, "hello")
    said = await room.edited(ANA, room.last, {"body": after})
    assert said == [
        "⛔ Not run: an edit made a command of that message. Send it again, as a new message."
    ]


async def test_an_old_message_becomes_no_command(room: Chat) -> None:
    await room.said(ANA, "hello")
    original = room.last
    room.ops.clock.go(301)
    said = await room.edited(ANA, original, {"body": "!users"})
    assert said[0].startswith("⛔ Not run: an edit made a command of that message.")
    assert room.ops.dialog._open == {}


@pytest.mark.parametrize("before", ["hm", "deny 1 ask him"])
async def test_a_no_that_comes_by_an_edit_is_one(room: Chat, before: str) -> None:
    await room.asks()
    await room.said(CY, before)
    await room.edited(CY, room.last, {"body": "!deny 1 ask him"})
    assert await room.state(1) is State.DENIED


async def test_what_may_be_a_password_is_not_repeated(room: Chat) -> None:
    await room.said(BO, "adduser alice hunter2")
    said = await room.edited(BO, room.last, {"body": "!adduser alice hunter2"})
    assert "❓ Run !adduser alice and what follows?" in said[0]
    assert "hunter2" not in said[0]


async def test_of_people_without_a_role_an_edit_is_nothing(room: Chat) -> None:
    await room.said(EVE, "hm")
    assert await room.edited(EVE, room.last, {"body": "!users"}) == []
    assert await room.edited(HAL, room.last, {"body": "!users"}) == []


async def test_an_old_message_becomes_no_yes_but_a_no(room: Chat) -> None:
    await room.asks()
    await room.said(CY, "yyes", await room.card())
    original = room.last
    room.ops.clock.go(301)
    said = await room.edited(CY, original, {"body": "yes"})
    assert said[0].startswith("⛔ Not counted: that message is too old to become a yes")
    assert await room.next() is None
    await room.edited(CY, original, {"body": "no"})
    assert await room.state(1) is State.DENIED


# --- threads


class Thread:
    """A thread on some message, as clients write into it."""

    def __init__(self, room: Chat, root: str = "") -> None:
        self.room, self.root = room, root or room.says(EVE, "what a mess")
        self.newest = self.root

    async def says(self, who: str, body: str, reply_to: str = "") -> list[str]:
        place = {"rel_type": "m.thread", "event_id": self.root, "is_falling_back": not reply_to}
        relation = {**place, "m.in_reply_to": {"event_id": reply_to or self.newest}}
        content = {"msgtype": "m.text", "body": body, "m.relates_to": relation}
        said = await self.room.posted(who, content)
        self.newest = self.room.last
        return said

    async def of(self, key: str) -> dict[str, Any]:
        """The relation of a message of the bot's."""
        query = "SELECT content FROM sluice_outbox WHERE kind='message' AND key=$1"
        content = await self.room.ops.db.read(lambda tx: tx.fetchval(query, key))
        return dict(json.loads(content).get("m.relates_to", {}))

    def answer_to(self, event: str) -> dict[str, Any]:
        place = {"rel_type": "m.thread", "event_id": self.root, "is_falling_back": False}
        return {**place, "m.in_reply_to": {"event_id": event}}


@pytest.mark.parametrize("line", ["!pending", "!adduser", "!nonsense-adduser x", "!purge x"])
async def test_an_answer_goes_into_the_thread(room: Chat, line: str) -> None:
    thread = Thread(room)
    if await thread.says(ANA, line):
        command = thread.newest
        assert await thread.of(f"reply.{command}") == thread.answer_to(command)


async def test_what_others_vote_on_stands_where_all_see_it(room: Chat) -> None:
    thread = Thread(room)
    await thread.says(BO, ASK)
    assert await thread.of("request.1.card") == {}
    room.ops.start(room.ops.live.in_force)
    await room.ops.look()
    room.start()
    await room.reader.load()
    await room.tap(CY, "request.1.card")
    await room.ops.runs(answer="x")
    card = {"m.in_reply_to": {"event_id": "$of.request.1.card"}}
    assert await thread.of("request.1.end") == card, "a reply to it, in no thread"


async def test_a_result_without_votes_answers_in_the_thread(room: Chat) -> None:
    thread = Thread(room)
    await thread.says(HAL, "!memory")
    command = thread.newest
    await room.ops.runs(answer="x")
    assert await thread.of("request.1.end") == thread.answer_to(command)


async def test_chat_in_a_thread_that_becomes_a_command_is_asked_there(room: Chat) -> None:
    thread = Thread(room)
    await thread.says(BO, "adduser alice")
    original = thread.newest
    await room.edited(BO, original, {"body": "!adduser alice"})
    assert await thread.of(await room.question()) == thread.answer_to(original)


async def test_outside_of_threads_nothing_changes(room: Chat) -> None:
    await room.said(HAL, "!pending")
    thread = Thread(room)
    assert await thread.of(f"reply.{room.last}") == {"m.in_reply_to": {"event_id": room.last}}


# --- what a reply is about


async def restart(room: Chat) -> None:
    """What was in memory is gone."""
    room.ops.start(room.ops.live.in_force)
    await room.ops.look()
    room.start()
    await room.reader.load()


async def news(room: Chat, *users: str) -> None:
    take = room.ops.parts.notices.take
    for user in users:
        body = f"New user @{user}:{SERVER} registered on this server."
        notice = {"msgtype": "m.notice", "body": body}
        await room.ops.db.write(partial(take, event_id=f"${user}", content=notice, raw=False))
    await room.ops.news()


ON_CARD = [
    ("!deny he is fine", State.DENIED),
    ("!deny", State.DENIED),
    ("!deny 1 he is fine", State.DENIED),
    ("!deny #1", State.DENIED),
    ("!cancel", State.CANCELLED),
    ("!approve", State.PENDING),
]


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize(("line", "state"), ON_CARD)
async def test_on_a_card_its_number_is_not_typed(
    room: Chat, line: str, state: State, again: bool
) -> None:
    await room.asks()
    card = await room.card()
    if again:
        await restart(room)
    await room.said(BO if "cancel" in line else CY, line, card)
    assert await room.state(1) is state
    votes = await room.ops.db.read(lambda tx: store.votes(tx, 1))
    if line.startswith("!deny"):
        reason = "he is fine" if "fine" in line else ""
        assert [(vote.side.value, vote.reason) for vote in votes] == [("deny", reason)]
    if line == "!approve":
        assert await room.next() == 1


@pytest.mark.parametrize("words", ["he is our treasurer", "ask him\nfirst", "– not now", "no!"])
async def test_all_that_stands_behind_deny_is_its_reason(room: Chat, words: str) -> None:
    await room.asks()
    await room.said(CY, f"!deny {words}", await room.card())
    (vote,) = await room.ops.db.read(lambda tx: store.votes(tx, 1))
    assert vote.reason == " ".join(words.split()).removeprefix("– ")


@pytest.mark.parametrize("line", ["!deny 2 why", "!approve 2", "!deny 2 minutes ago he was fine"])
async def test_another_number_than_the_cards_is_asked(room: Chat, line: str) -> None:
    await room.asks()
    await room.asks(BO, ASK.replace("spam", "max"))
    said = await room.said(CY, line, await room.card(1))
    verb = line[1:].split()[0]
    assert said[0] == (
        f"❓ Do you mean #2? Tap ✅ to {verb} #2.\nYou replied to #1. Nothing has run yet."
    )
    assert await room.state(1) is await room.state(2) is State.PENDING
    await room.tap(CY, await room.question())
    assert await room.state(1) is State.PENDING
    assert await room.state(2) is State.DENIED or await room.next() == 2


@pytest.mark.parametrize("line", ["!why", "!log", "!who"])
async def test_a_card_is_asked_about(room: Chat, line: str) -> None:
    await room.asks()
    said = await room.said(ANA, line, await room.card())
    (told,) = (each for each in said if each.startswith("📋"))
    assert "spam" in told
    if line != "!who":
        assert "#1" in told


@pytest.mark.parametrize("line", ["!approve", "!deny no", "!cancel", "!why"])
async def test_a_list_of_requests_is_not_one(room: Chat, line: str) -> None:
    await room.asks()
    await room.asks(BO, ASK.replace("spam", "max"))
    await room.said(CY, "!pending")
    pending = await room.id_of(f"reply.{room.last}")
    (said,) = await room.said(CY, line, pending)
    assert said == "⛔ Not run: that message is about 2 requests, name one: #1, #2."


async def test_a_reminder_is_about_its_request(room: Chat) -> None:
    await room.asks()
    room.ops.clock.go(1900)
    await room.ops.db.write(lambda tx: reweigh.tick(room.ops.desk(tx)))
    await room.said(CY, "!deny he is fine", await room.id_of("request.1.half"))
    assert await room.state(1) is State.DENIED


async def test_a_result_is_about_its_account(room: Chat) -> None:
    await room.asks()
    await room.tap(CY, "request.1.card")
    await room.ops.runs(answer="x")
    await restart(room)
    await room.said(BO, "!resetpw", await room.id_of("request.1.end"))
    assert room.ops.dialog._open or await room.newest() == 2


@pytest.mark.parametrize("again", [False, True])
async def test_news_is_about_its_account_also_after_a_restart(room: Chat, again: bool) -> None:
    room.fake.register("q07")
    await news(room, "q07")
    event = await room.id_of("notice.$q07")
    if again:
        await restart(room)
    (said,) = await room.said(BO, "!who", event)
    assert f"@q07:{SERVER}" in said
    await room.said(BO, "!deactivate reason casino", event)
    assert (await room.ops.request(1)).text == f"deactivate @q07:{SERVER}"


async def test_who_answers_a_reply_to_its_own_answer(room: Chat) -> None:
    await room.said(BO, "!who spam")
    await room.said(BO, "!deactivate reason casino", await room.id_of(f"reply.{room.last}"))
    assert (await room.ops.request(1)).text == f"deactivate @spam:{SERVER}"


WAVE = ("xs01", "xs02", "xs03", "xs04", "paul", "xs05", "vera")


async def wave(room: Chat) -> str:
    for name in WAVE:
        room.fake.register(name)
    await news(room, *WAVE)
    room.ops.clock.go(6)
    await room.ops.db.write(room.ops.parts.notices.tick)
    query = "SELECT key FROM sluice_outbox WHERE kind = 'message'"
    rows = await room.ops.db.read(lambda tx: tx.fetch(query))
    (key,) = (row["key"] for row in rows if row["key"].startswith("wave."))
    await room.ops.news()
    return await room.id_of(key)


@pytest.mark.parametrize("again", [False, True])
async def test_a_wave_is_deactivated_as_it_was_when_that_was_typed(
    room: Chat, again: bool
) -> None:
    event = await wave(room)
    if again:
        await restart(room)
    (said, *_) = await room.said(ANA, "!deactivateall reason spam wave", event)
    assert said == (
        "❓ deactivateall for these 7 accounts? Tap ✅.\nxs01 to xs05\n"
        "Also, not like those: paul, vera\nNothing has run yet."
    )
    await room.tap(ANA, await room.question())
    request = await room.ops.request(1)
    assert request.state is State.PENDING
    assert {*request.invocation.values("user")} == {f"@{name}:{SERVER}" for name in WAVE}
    assert request.invocation.reason == "spam wave"


async def test_one_account_is_not_a_wave(room: Chat) -> None:
    event = await wave(room)
    (said,) = await room.said(BO, "!deactivate reason spam wave", event)
    assert said.startswith("⛔ Not run: that message is about 7 accounts, deactivate takes one.")
    assert "!deactivateall reason …" in said
    assert await room.newest() == 0


@pytest.mark.parametrize("line", ["!deactivate reason x", "!who", "!approve", "!resetpw"])
async def test_a_message_that_tells_nothing_is_said_to(room: Chat, line: str) -> None:
    await room.said(ANA, "!version")
    (said,) = await room.said(ANA, line, await room.id_of(f"reply.{room.last}"))
    assert said.startswith("❓ Which ")
    assert "The message you answered names none. Reply to this one with it." in said


# --- forwarded


FORWARDED = f"🔔 New account: @spam:{SERVER} registered itself."


async def test_what_was_forwarded_is_asked(room: Chat) -> None:
    event = room.says(CY, FORWARDED)
    (said, *_) = await room.said(BO, "!who", event)
    assert said.startswith(f"❓ who @spam:{SERVER}? Tap ✅.")
    (said,) = await room.tap(BO, await room.question())
    assert said.startswith(f"📋 @spam:{SERVER}")
    await room.said(BO, "!deactivate reason casino", event)
    assert await room.newest() == 0
    await room.tap(BO, await room.question())
    assert (await room.ops.request(1)).text == f"deactivate @spam:{SERVER}"


async def test_a_secret_command_wants_it_typed(room: Chat) -> None:
    event = room.says(CY, FORWARDED)
    (said,) = await room.said(BO, "!resetpw", event)
    assert said.startswith("⛔ Not run: whom you mean stands in a message that is not mine.")
    assert f"!resetpw @spam:{SERVER}" in said or "!resetpw spam" in said


HIDDEN: list[dict[str, Any]] = [
    {"body": "hello", "org.sluicebot.out": "x", "formatted_body": f"hello @spam:{SERVER}"},
    {"body": f"@spam:{SERVER}", "formatted_body": "hello"},
    {"body": "spam"},
    {"body": "hello", "formatted_body": f'<a href="https://matrix.to/#/@spam:{SERVER}">he</a>llo'},
]


@pytest.mark.parametrize("content", HIDDEN)
async def test_what_cannot_be_seen_names_nobody(room: Chat, content: dict[str, Any]) -> None:
    form = {"msgtype": "m.text", "format": "org.matrix.custom.html"}
    event = room.posts(EVE, "m.room.message", {**form, **content})
    (said,) = await room.said(BO, "!who", event)
    assert said.startswith("❓ Which account?")


# --- a thread on something


async def test_a_thread_on_a_card_is_about_it(room: Chat) -> None:
    await room.asks()
    thread = Thread(room, await room.card())
    await thread.says(BO, "who wants this?")
    await thread.says(CY, "!deny he is fine")
    assert await room.state(1) is State.DENIED


async def test_a_thread_on_a_picture_is_about_it(room: Chat) -> None:
    thread = Thread(room, room.posts(EVE, "m.room.message", PICTURE))
    await thread.says(BO, "!purge reason illegal")
    assert (await room.ops.request(1)).invocation.values("mxc") == (PICTURE["url"],)


async def test_a_reply_inside_of_a_thread_comes_first(room: Chat) -> None:
    await room.asks()
    await room.asks(BO, ASK.replace("spam", "max"))
    thread = Thread(room, await room.card(1))
    await thread.says(CY, "!deny he is fine", await room.card(2))
    assert await room.state(1) is State.PENDING
    assert await room.state(2) is State.DENIED


# --- edits that change nothing, or take all of it back


@pytest.mark.parametrize(
    "same", [ASK, f"  {ASK}", ASK.replace("@spam:example.org", "spam"), f"{ASK}\n"]
)
async def test_an_edit_that_says_the_same_keeps_the_votes(room: Chat, same: str) -> None:
    await room.said(BO, ASK)
    command = room.last
    await room.tap(CY, "request.1.card")
    (said,) = await room.edited(BO, command, {"body": same})
    assert said == "📋 Your edit says the same: #1 goes on as it is."
    assert await room.state(1) is State.PENDING
    assert await room.next() == 1


async def test_a_command_that_becomes_chat_is_taken_back(room: Chat) -> None:
    await room.said(BO, "!adduser")
    said = await room.edited(BO, room.last, {"body": "hello"})
    assert said[0].startswith("(edited) ⛔ Not run: the command was deleted, or is none")
    assert room.ops.dialog._open == {}
    await room.said(BO, "!adduser alice")
    said = await room.edited(BO, room.last, {"body": "hello"})
    assert said == ["⛔ Not run: your edit took the command back."]
    assert await room.state(1) is State.CANCELLED


async def test_a_name_that_was_answered_is_edited(room: Chat) -> None:
    await room.said(BO, "!adduser")
    await room.said(BO, "alicce", await room.id_of(await room.question()))
    answer = room.last
    assert (await room.ops.request(1)).text == "adduser alicce"
    await room.edited(BO, answer, {"body": "alice"})
    assert await room.state(1) is State.CANCELLED
    assert (await room.ops.request(2)).text == "adduser alice"


async def test_of_what_has_run_the_edited_answer_changes_nothing(room: Chat) -> None:
    await room.said(BO, "!deactivate @spam:example.org")
    await room.said(BO, "casino", await room.id_of(await room.question()))
    answer = room.last
    await room.tap(CY, "request.1.card")
    await room.ops.runs(answer="x")
    (said,) = await room.edited(BO, answer, {"body": "another"})
    assert said.startswith("⛔ Too late: #1 has run")
    assert await room.newest() == 1


@pytest.mark.parametrize("no", ["no", "cancel", "never mind"])
async def test_an_answer_that_becomes_a_no_takes_the_request_back(room: Chat, no: str) -> None:
    await room.said(BO, "!deactivate @spam:example.org")
    await room.said(BO, "casino", await room.id_of(await room.question()))
    said = await room.edited(BO, room.last, {"body": no})
    assert await room.state(1) is State.CANCELLED
    assert any("you said no" in each for each in said)


async def test_a_reason_that_was_answered_is_edited(room: Chat) -> None:
    await room.said(BO, "!deactivate @spam:example.org")
    await room.said(BO, "casino lnks", await room.id_of(await room.question()))
    answer = room.last
    for number, words in enumerate(("casino links", "casino links in 6 rooms"), 2):
        await room.edited(BO, answer, {"body": words})
        assert await room.state(number - 1) is State.CANCELLED
        request = await room.ops.request(number)
        assert request.state is State.PENDING
        assert request.invocation.reason == words
