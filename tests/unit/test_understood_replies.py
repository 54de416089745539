"""What a reply, an edit and a message in a thread are about, and where the answer goes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sluice.model.request import State
from sluice.requests import store
from tests.unit.ops import ANA, BO, CY, DAN, EVE, HAL, ops
from tests.unit.scenes import SERVER
from tests.unit.test_erased import ASK, Live

PICTURE = {"msgtype": "m.image", "body": "x.png", "url": f"mxc://{SERVER}/pic"}


class Chat(Live):
    """The ops room, with what clients send in it."""

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
    assert said[0].startswith("⛔ Not run: an edit made a command of that message.")
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


async def test_what_comes_later_goes_there_too_also_after_a_restart(room: Chat) -> None:
    thread = Thread(room)
    await thread.says(BO, ASK)
    command = thread.newest
    beside = {**thread.answer_to(command), "is_falling_back": True}
    assert await thread.of("request.1.card") == beside
    room.ops.start(room.ops.live.in_force)
    await room.ops.look()
    room.start()
    await room.reader.load()
    await room.tap(CY, "request.1.card")
    await room.ops.runs(answer="x")
    assert await thread.of("request.1.end") == beside


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
