"""Command words as people, phones and other bots make them: what runs, what is asked, what is
explained, and what is left alone."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from unittest.mock import patch

import pytest

from sluice.model.command import Typed
from sluice.model.request import State
from sluice.own.table import Own
from sluice.settings import load
from sluice.typed.parse import canonical
from sluice.typed.read import read
from tests.unit.ops import ANA, BO, CY, EVE, POLICY, ops
from tests.unit.scenes import at
from tests.unit.test_attacks import Room

BOT = "@sluice:example.org"


class Heard(Room):
    """A room that notes which of Sluice's own commands ran."""

    ran: list[str]

    async def hears(self, who: str, text: str, **more: Any) -> list[str]:
        """What is said to one message."""
        await self.ops.news()
        self.ran.clear()
        rows = len(await self.rows("SELECT id FROM sluice_outbox"))
        content = {"msgtype": "m.text", "body": text, **more}
        where = self.ops.fake.put(self.ops.room, who, "m.room.message", content)
        await self.event(who, "m.room.message", content, event_id=where)
        query = "SELECT * FROM sluice_outbox ORDER BY id"
        new = (await self.rows(query))[rows:]
        return [_shown(row) for row in new]

    async def requests(self) -> list[str]:
        every = [await self.ops.request(n + 1) for n in range(await self.newest())]
        return [canonical(each.invocation) for each in every]


def _shown(row: Any) -> str:
    if row["kind"] == "react":
        return f"[{row['emoji']}]"
    body: str = json.loads(row["content"]).get("body", "")
    return body


@pytest.fixture
async def room() -> AsyncIterator[Heard]:
    async with ops() as made:
        heard, take = Heard(made), Own.take
        heard.ran = []

        async def taken(own: Own, origin: Any, invocation: Any, typed: Any) -> Any:
            heard.ran.append(canonical(invocation))
            return await take(own, origin, invocation, typed)

        with patch.object(Own, "take", taken):
            yield heard


def first(said: list[str]) -> str:
    return said[0] if said else "(nothing)"


# --- what reads, runs


@pytest.mark.parametrize(
    ("line", "means"),
    [
        ("!status?", "status"),
        ("!status!!", "status"),
        ("!status…", "status"),
        ("!status :", "status"),
        ("!Status。", "status"),
        ("**!status**", "status"),
        ("- !status", "status"),
        ("• !status", "status"),
        ("1. !status", "status"),
        ("2) **!status**", "status"),
        ("`!status`", "status"),
        ("```\n!status\n```", "status"),
        ("> !status", "status"),
        ("> what was it\n\n!status", "status"),
        ("\u200b!status", "status"),
        ("\ufeff!\u2060status", "status"),
        ("\u2067!status\u2069", "status"),
        ("¡status!", "status"),
        ("！！status", "status"),
        ("﹗ status", "status"),
        ("!status@sluice", "status"),
        ("!status@sluice:example.org", "status"),
        ("!status please", "status"),
        ("!pending danke!", "pending"),
        ("!statsu", "status"),
        ("!pendign", "pending"),
        ("!who: max", "who @max:example.org"),
        ("!who@max", "who @max:example.org"),
        ("!whois max", "who @max:example.org"),
        ("!who is max?", "who @max:example.org"),
        ("!info @max:example.org", "who @max:example.org"),
        ("!why12", "why 12"),
        ("!why#12", "why 12"),
        ("!why nr 12", "why 12"),
        ("!explain 12", "why 12"),
        ("!commands", "help"),
        ("!hlep", "help"),
        ("!requests", "pending"),
        ("!who am i", "can"),
        ("!show requests", "pending"),
        ("@sluice help", "help"),
        ("Sluice: status", "status"),
        ("sluice status?", "status"),
        ("hey @sluice, status!", "status"),
        (f"[Sluice](https://matrix.to/#/{BOT}) help", "help"),
        (f'"Sluice" (https://matrix.to/#/{BOT}) help', "help"),
        ("sluice: !pending", "pending"),
        ("Sluice!status", "status"),
        ("Sluice, help adduser", "help adduser"),
    ],
)
async def test_what_reads_is_run_however_it_is_written(room: Heard, line: str, means: str) -> None:
    said = await room.hears(BO, line)
    assert room.ran == [means], said


async def test_the_pill_of_the_bot_in_front_is_its_name(room: Heard) -> None:
    html = f'<a href="https://matrix.to/#/{BOT}">The Gate</a> status'
    await room.hears(BO, "The Gate status", formatted_body=html)
    assert room.ran == ["status"]


# --- what changes something is asked, on what was understood


@pytest.mark.parametrize(
    ("line", "means"),
    [
        ("!add user alice", "adduser alice"),
        ("!add-user alice", "adduser alice"),
        ("!Add User @alice:example.org", "adduser alice"),
        ("!new alice", "adduser alice"),
        ("!adding alice", "adduser alice"),
        ("!aduser alice", "adduser alice"),
        ("!register user alice", "adduser alice"),
        ("!reset pw max", "resetpw max"),
        ("!reset password max", "resetpw max"),
        ("!pw max", "resetpw max"),
        ("!resetting max", "resetpw max"),
        ("sluice adduser alice", "adduser alice"),
        ("@sluice: resetpw max", "resetpw max"),
        ("`!adduser alice`", "adduser alice"),
        ("```\n!adduser alice\n```", "adduser alice"),
        ("> !adduser alice", "adduser alice"),
        ("!de activate spam reason ads", "deactivate @spam:example.org reason ads"),
        ("!deactivated @spam reason ads", "deactivate @spam:example.org reason ads"),
        ("!enable room !w:example.org", "enableroom !w:example.org"),
        ("!un block mxc://example.org/a", "unblock mxc://example.org/a"),
    ],
)
async def test_what_changes_something_is_asked_with_a_tap(
    room: Heard, line: str, means: str
) -> None:
    said = await room.hears(ANA if "unblock" in means else BO, line)
    assert first(said).startswith("❓"), said
    assert f"!{means}" in first(said)
    assert await room.newest() == 0
    await room.ops.taps()
    done = [each.replace(":example.org", "") for each in await room.requests()]
    short = means.replace(":example.org", "").partition(" reason")[0]
    assert [each.replace("@", "") for each in done] == [short.replace("@", "")]


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("!deactivate all", "deactivateall"),
        ("!deactivate All.", "deactivateall"),
        ("!deactivte @spam", "deactivate"),
        ("!add user alice bob", "adduser"),
        ("!new user", "adduser"),
        ("!purge user spam reason ads", "purgeuser"),
        ("!block user spam", "blockuser"),
    ],
)
async def test_what_no_tap_may_run_is_named(room: Heard, line: str, names: str) -> None:
    said = await room.hears(ANA, line)
    assert first(said).startswith("❓"), said
    assert names in first(said)
    assert await room.newest() == 0
    assert "@all" not in "".join(said)


async def test_a_split_command_with_a_list_is_never_an_account_called_all(room: Heard) -> None:
    said = await room.hears(
        ANA, "!deactivate all reason spam\n@spam:example.org\n@max:example.org"
    )
    assert "deactivateall" in first(said)
    if room.ops.dialog._open:
        await room.ops.taps()
    assert all("@all" not in each for each in await room.requests())


async def test_a_password_behind_another_word_is_not_repeated(room: Heard) -> None:
    for line in ("!pw max Tulpen!77x", "sluice create-user max Tulpen!77x", "!add max Tulpen!77x"):
        said = await room.hears(BO, line)
        assert said
        assert "Tulpen" not in "".join(said)
    assert await room.newest() == 0


# --- a yes is never guessed, a no is


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("!aprove 1", "!approve 1"),
        ("!approved 1", "!approve 1"),
        ("!approving 1", "!approve 1"),
        ("!yes 1", "!approve 1"),
        ("!yes", "!approve"),
        ("!ok 1", "!approve 1"),
        ("!accept 1!", "!approve 1"),
        ("!approve1", "!approve 1"),
        ("sluice approve 1", "!approve 1"),
        ("`!approve 1`", "!approve 1"),
        ("> !approve 1", "!approve 1"),
        ("!resum", "!resume"),
        ("!unpause", "!resume"),
        ("!resumed", "!resume"),
        ("!trsut cy", "!trust"),
        ("!emergency deactivate spam", "!glass"),
        ("!resolved 1 done", "!resolve 1"),
        ("!solved 1", "!resolve 1"),
    ],
)
async def test_a_yes_is_never_guessed_but_named(room: Heard, line: str, names: str) -> None:
    await room.hears(BO, "!deactivate spam reason ads")
    said = await room.hears(CY, line)
    assert names in first(said), said
    assert first(said).startswith("❓")
    assert not room.ops.dialog._open
    assert room.ran == []
    votes = await room.rows("SELECT * FROM sluice_vote")
    assert votes == []


@pytest.mark.parametrize(
    "line",
    [
        "!no 1",
        "!reject 1",
        "!denied 1",
        "!Nope 1!",
        "!decline #1 he is fine",
        "!deny1",
        "!deny:1",
        "!refuse nr 1",
        "!dney 1",
        "!deny 1: he is fine",
        "sluice deny 1",
    ],
)
async def test_a_no_is_a_no(room: Heard, line: str) -> None:
    await room.hears(BO, "!deactivate spam reason ads")
    await room.hears(CY, line)
    assert await room.state(1) is State.DENIED


@pytest.mark.parametrize("line", ["!cancelled 1", "!canceled 1", "!abort 1", "!cancel 1!"])
async def test_taking_back_is_taking_back(room: Heard, line: str) -> None:
    await room.hears(BO, "!deactivate spam reason ads")
    await room.hears(BO, line)
    assert await room.state(1) is State.CANCELLED


# --- words that Sluice does not have


@pytest.mark.parametrize(
    ("line", "holds"),
    [
        ("!ban @max", ("ban", "!deactivate max")),
        ("!ban user max for spam", ("!deactivate max",)),
        ("!banned max", ("!deactivate max",)),
        ("!kick", ("kick", "!deactivate @spam:example.org")),
        ("!mute @max:example.org", ("!deactivate max",)),
        ("!delete max", ("!deactivate max", "!purge")),
        ("!remove user max", ("!deactivate max",)),
        ("!unban max", ("!resetpw max",)),
        ("!undo", ("!cancel", "!log")),
        ("!list", ("!users", "!rooms", "!help")),
        ("!log out", ("!resetpw",)),
        ("!logout max", ("!resetpw max --sign-out",)),
        ("!stop", ("!cancel", "!pause")),
        ("!promote max", ("!can",)),
        ("!frobnicate", ("frobnicate", "!help")),
    ],
)
async def test_what_sluice_does_not_have_is_explained(
    room: Heard, line: str, holds: tuple[str, ...]
) -> None:
    said = await room.hears(BO, line)
    assert first(said).startswith("❓")
    assert all(each in first(said) for each in holds), said
    assert await room.newest() == 0


async def test_a_word_that_is_nothing_is_told_once_a_day_and_then_marked(room: Heard) -> None:
    assert first(await room.hears(BO, "!frobnicate it")).startswith("❓ There is no command")
    assert await room.hears(CY, "!frobnicate") == ["[❓]"]
    assert first(await room.hears(BO, "!twiddle")).startswith("❓ There is no command")
    room.ops.clock.go(86_500)
    assert first(await room.hears(BO, "!frobnicate")).startswith("❓ There is no command")


async def test_what_may_be_a_password_is_not_repeated(room: Heard) -> None:
    assert "garten" not in "".join(await room.hears(BO, "!Garten2024")).lower()


@pytest.mark.parametrize(
    "line",
    [
        "!",
        "!!",
        "!!!",
        "!?",
        "! ?",
        "Hello!",
        "!!! Sitzung heute",
        "!9fKq:example.org is odd",
        "!abc:example.org",
        "!who's bringing cake",
        "!help@draupnir",
        "well, !status",
        "100%!",
        "!31hneApxJ_1o-63DmFrpeqnkFfWppnwWso1JvH3ogLM is odd",
        "`!status` is what I type",
        "> !status\n\nwhy did you do that",
        "the sluice gate is stuck",
        "sluices are nice",
        "> !frobnicate",
        "`!frobnicate now`",
        "/me waves",
        "/shrug",
        "😀!",
        "!1",
        "!2 of them",
    ],
)
async def test_what_is_not_meant_for_the_bot_is_chat(room: Heard, line: str) -> None:
    assert await room.hears(BO, line) == []


@pytest.mark.parametrize(
    "line", ["!ban max", "!frobnicate", "@sluice help", "!status?", "sluice?", "!add user x"]
)
async def test_who_has_no_role_is_met_with_silence(room: Heard, line: str) -> None:
    assert await room.hears(EVE, line) == []


# --- another bot


async def test_words_that_are_not_ours_are_left_to_another_bot(room: Heard) -> None:
    assert await room.hears(EVE, "I am a bot", msgtype="m.notice") == []
    for line in ("!frobnicate", "!ban max", "!list", "!poll a b", "!new pizza", "!yes 1"):
        assert await room.hears(BO, line) == [], line
    await room.hears(BO, "!status")
    assert room.ran == ["status"]
    assert first(await room.hears(BO, "!add user alice")).startswith("❓")
    assert first(await room.hears(BO, "!deactivte spam")).startswith("❓")
    assert first(await room.hears(BO, "@sluice !frobnicate")).startswith("❓")


async def test_a_notice_of_somebody_with_a_role_makes_no_bot(room: Heard) -> None:
    await room.hears(CY, "note", msgtype="m.notice")
    assert first(await room.hears(BO, "!frobnicate")).startswith("❓")


# --- sentences behind the bot's name


@pytest.mark.parametrize(
    "line",
    [
        "sluice deactivate didn't work",
        "sluice?",
        "@sluice",
        "Sluice: are you there??",
        "sluice users are complaining",
        "sluice can you help?",
        "sluice log was cleared again",
        "sluice is slow today",
        "Sluice, ban max",
        "sluice add some sugar",
        "sluice no problem",
    ],
)
async def test_a_sentence_behind_the_name_is_answered_and_nothing_is_offered(
    room: Heard, line: str
) -> None:
    said = await room.hears(BO, line)
    assert first(said).startswith("❓ I understand commands, not sentences."), said
    assert "!help" in first(said)
    assert not room.ops.dialog._open
    assert room.ran == []
    assert await room.hears(CY, line) == ["[❓]"]


async def test_a_mention_in_front_with_words_is_answered(room: Heard) -> None:
    named = {"m.mentions": {"user_ids": [BOT]}}
    said = await room.hears(BO, "hey @sluice, can you help?", **named)
    assert "!help" in first(said)


# --- captions


def caption(body: str, **more: Any) -> dict[str, Any]:
    return {
        "msgtype": "m.image",
        "filename": "shot.png",
        "url": "mxc://example.org/shot",
        "info": {"mimetype": "image/png", "size": 1234},
        **more,
    } | {"body": body}


@pytest.mark.parametrize("kind", ["m.image", "m.file", "m.video", "m.audio"])
async def test_what_reads_runs_also_as_a_caption(room: Heard, kind: str) -> None:
    await room.hears(BO, "!status", **caption("!status", msgtype=kind))
    assert room.ran == ["status"]


async def test_a_file_with_that_name_is_no_caption(room: Heard) -> None:
    assert await room.hears(BO, "!status", **caption("!status", filename="!status")) == []
    without = caption("!status")
    del without["filename"]
    assert await room.hears(BO, "!status", **without) == []
    assert room.ran == []


async def test_a_caption_that_changes_something_is_asked(room: Heard) -> None:
    line = "!deactivate @spam:example.org reason see screenshot"
    said = await room.hears(BO, line, **caption(line))
    assert first(said).startswith("❓ Run !deactivate @spam:example.org reason see screenshot?")
    assert await room.newest() == 0
    await room.ops.taps()
    assert await room.requests() == ["deactivate @spam:example.org"]


async def test_a_caption_means_the_file_itself(room: Heard) -> None:
    said = await room.hears(BO, "x", **caption("!purge reason illegal"))
    assert "!purge mxc://example.org/shot reason illegal" in first(said)


@pytest.mark.parametrize("line", ["!approve 1", "!deny 1", "!cancel 1", "yes", "!yes 1"])
async def test_a_caption_is_never_a_vote(room: Heard, line: str) -> None:
    await room.hears(BO, "!deactivate spam reason ads")
    card = await room.sent("request.1.card")
    reply = {"m.relates_to": {"m.in_reply_to": {"event_id": card}}} if line == "yes" else {}
    said = await room.hears(CY, line, **caption(line, **reply))
    assert await room.state(1) is State.PENDING
    assert await room.rows("SELECT * FROM sluice_vote") == []
    assert line == "yes" or first(said).startswith("❓")
    assert not room.ops.dialog._open


async def test_only_the_asker_taps_and_an_edit_ends_the_question(room: Heard) -> None:
    await room.hears(BO, "!add user alice")
    key = next(iter(room.ops.dialog._open))
    question = await room.sent(key)
    await room.taps(CY, question, "1️⃣")
    assert await room.newest() == 0
    await room.taps(BO, question, "1️⃣")
    assert await room.requests() == ["adduser alice"] or await room.newest() == 1


async def test_a_slash_in_front_reads_or_is_asked(room: Heard) -> None:
    assert first(await room.hears(BO, "/adduser alice")).startswith("❓ Run !adduser alice?")
    await room.hears(BO, "/status")
    assert room.ran == ["status"]


@pytest.mark.parametrize("words", ["casino links", "see below"])
async def test_a_caption_is_an_answer_only_after_a_tap(room: Heard, words: str) -> None:
    await room.hears(BO, "!deactivate spam")
    question = await room.sent(next(iter(room.ops.dialog._open)))
    reply = {"m.relates_to": {"m.in_reply_to": {"event_id": question}}}
    said = await room.hears(BO, words, **caption(words, **reply))
    assert first(said).startswith(f"❓ Reason “{words}”? Tap ✅")
    assert await room.newest() == 0
    await room.taps(BO, await room.sent(list(room.ops.dialog._open)[-1]))
    assert (await room.ops.request(1)).invocation.reason == words


async def test_a_no_below_a_picture_ends_the_question(room: Heard) -> None:
    await room.hears(BO, "!deactivate spam")
    question = await room.sent(next(iter(room.ops.dialog._open)))
    reply = {"m.relates_to": {"m.in_reply_to": {"event_id": question}}}
    await room.hears(BO, "x", **caption("never mind", **reply))
    assert not room.ops.dialog._open
    assert await room.newest() == 0


@pytest.mark.parametrize("line", ["!help add user", "!help adduser?", "!help: adduser"])
async def test_help_understands_words_too(room: Heard, line: str) -> None:
    assert first(await room.hears(BO, line)).startswith("📋 !adduser makes accounts")


@pytest.mark.parametrize("line", ["!can i add user alice?", "!can adduser alice"])
async def test_can_understands_words_too(room: Heard, line: str) -> None:
    assert first(await room.hears(BO, line)).startswith("📋 ")


PREFIXES = [
    ("!sluice", "!Sluice status"),
    ("!sluice", "！SLUICE  status?"),
    ("sl:", "Sl:status"),
    ("sl:", "SL: status"),
    ("--", "—status"),
    ("--", "– –status"),
    ("--", "−−status"),
    ("!!", "! !status"),
    ("!!", "！！status"),
    ("'", "’status"),
    ("bot", "Bot status"),
]


@pytest.mark.parametrize(("prefix", "line"), PREFIXES)
async def test_a_prefix_is_read_as_phones_write_it(prefix: str, line: str) -> None:
    found = read({"msgtype": "m.text", "body": line}, bot=BOT, prefix=prefix)
    assert isinstance(found, Typed), found
    assert found.word == "status"


@pytest.mark.parametrize(
    ("prefix", "line"),
    [("!!", "!status"), ("--", "-status"), ("bot", "both are right"), ("!sluice", "!status")],
)
async def test_what_is_another_prefix_is_none(prefix: str, line: str) -> None:
    assert read({"msgtype": "m.text", "body": line}, bot=BOT, prefix=prefix) is None


@pytest.mark.parametrize(
    ("prefix", "warned"), [("!", False), ("!s", False), ("--", True), ("*", True), ("'", True)]
)
def test_a_prefix_that_phones_change_is_warned_of(prefix: str, warned: bool) -> None:
    assert "prefix:" not in POLICY
    text = f'prefix: "{prefix}"\n{POLICY}'
    loaded = load(text, server="example.org", now=at("09:00"))
    assert any("phones change" in each.text for each in loaded.warnings) is warned
