"""What somebody types who has never read how: courtesy, reasons and lists as they come to mind."""

from __future__ import annotations

import pytest

from sluice.model.request import State
from tests.unit.ops import ANA, BO, CY, EVE, SERVER
from tests.unit.test_understood_lists import A, names, said, understood
from tests.unit.test_understood_replies import Chat, wave
from tests.unit.test_understood_replies import room as room

# --- courtesy behind a command is no part of it

POLITE = [
    "please",
    "pls!",
    "PLEASE",
    ", please",
    ", thanks!",
    "thank you",
    "thank you so much!!",
    "please and thank you",
    "bitte",
    ", vielen Dank",
    "danke dir",
    "s'il te plaît",
    "s’il vous plaît",
    "por favor",
    "grazie mille",
    "alsjeblieft",
    "proszę",
    "пожалуйста",
    "lütfen",
    "🙏",
    "🙏🏽🙏🏽",
    "thx 🙏",
    "\nthanks",
    "\n\nVielen Dank!",
    "\nplease\nthank you",
]


@pytest.mark.parametrize("polite", POLITE)
@pytest.mark.parametrize("command", ["adduser alice", "resetpw alice", "deactivateall alice"])
def test_politeness_behind_an_account_is_dropped(command: str, polite: str) -> None:
    gap = "" if polite[0] in ",\n" else " "
    assert names(understood(f"!{command}{gap}{polite}")) == ("alice",)


@pytest.mark.parametrize("last", ["love", "best", "cheers", "grace", "hi", "nice", "ty", "tia"])
def test_courtesy_that_can_be_a_name_is_asked(last: str) -> None:
    assert "Tap ✅" in said(understood(f"!adduser alice {last}"))
    assert "Hunter" not in said(understood(f"!adduser alice {last} Hunter22"))


@pytest.mark.parametrize(
    "text", ["alice please Hunter22", "alice Hunter22 please", "alice\nHunter22\nthanks"]
)
def test_a_password_beside_politeness_stays_one(text: str) -> None:
    told = understood(f"!adduser {text}")
    assert "never typed here" in said(told)
    assert "unter22" not in said(told)


def test_politeness_alone_names_nobody() -> None:
    for line in ("!adduser please", "!adduser\nthanks", "!resetpw bitte"):
        with pytest.raises(AssertionError):
            names(understood(line))


def test_who_signs_below_thanks_is_no_account() -> None:
    with pytest.raises(AssertionError):
        names(understood("!adduser\nalice\nthanks\nBo"))


async def test_a_polite_command_runs(room: Chat) -> None:
    told = await room.said(BO, "!resetpw max, thanks!")
    assert not any("Not run" in each for each in told)
    assert await room.newest() == 1


# --- the reason has many names

REASONS = [
    "because he spams",
    "because: he spams",
    "weil er spammt",
    "wegen Werbung",
    "Grund: Werbung",
    "Begründung: Werbung",
    "parce qu'il spamme",
    "motif: pub",
    "raison : pub",
    "porque hace spam",
    "motivo: spam",
    "perché fa spam",
    "reden: spam",
    "powód: spam",
    "причина: спам",
    "потому что спамит",
    "cuz he spams",
    "due to spam",
    "cause: spam",
]


@pytest.mark.parametrize("given", REASONS)
def test_a_reason_may_be_called_otherwise(given: str) -> None:
    label, _, _ = given.partition(" ")
    for line in (
        f"!deactivate {A} {given}",
        f"!deactivate s01 {given}",
        f"!deactivate {A}\n{given}",
    ):
        told = understood(line)
        assert names(told) == ("s01",)
        assert label not in told.reason, told  # type: ignore[union-attr]
        assert told.reason.split()[-1].strip(".") == given.split()[-1]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "given", ["for spamming", "für Werbung", "pour spam", "por spam", "voor spam"]
)
def test_a_reason_behind_for_is_asked(given: str) -> None:
    told = said(understood(f"!deactivate max {given}"))
    assert told.startswith(f"Reason “{given.split()[-1]}”? Tap ✅.")


def test_what_is_for_a_time_is_no_reason() -> None:
    told = understood("!registration on for 1h")
    assert getattr(told, "reason", "") is None


@pytest.mark.parametrize("name", ["cause", "motif", "grund", "weil", "bc", "motivo", "reden"])
def test_a_name_that_is_called_so_is_one(name: str) -> None:
    assert names(understood(f"!deactivateall\nmax\n{name}")) == ("max", name)
    assert names(understood(f"!deactivate {name} reason x")) == (name,)


# --- lists with addresses, and several where one is taken

MAILS = [
    "\n1. Alice Baker <alice.baker@mail.example>\n2. Tom (plot 14)",
    " alice <alice@mail.example>",
    " alice alice@mail.example",
    "\nalice, alice@mail.example\ntom, tom@mail.example",
    "\n- Alice Baker (alice@mail.example)",
    " alice mailto:alice@mail.example",
]


@pytest.mark.parametrize("given", MAILS)
def test_mail_addresses_are_no_passwords(given: str) -> None:
    told = understood(f"!adduser{given}")
    assert "one plain name a line" in said(told)
    assert "password" not in said(told)
    assert not getattr(told, "redact", True)


@pytest.mark.parametrize(
    "given", [" alice alice@mail.example Hunter22", "\nalice <a@b.example> pw: hunter2"]
)
def test_a_password_beside_a_mail_address_stays_one(given: str) -> None:
    told = understood(f"!adduser{given}")
    assert getattr(told, "redact", False)
    assert "unter2" not in said(told)


@pytest.mark.parametrize(
    "given",
    ["max and eve", "max & eve", "max, eve", "@max @eve", "max und eve"],
)
def test_deactivate_with_several_names_the_command_for_them(given: str) -> None:
    told = said(understood(f"!deactivate {given} reason ads"))
    assert told.startswith("deactivate takes one account, and there are 2.")
    assert f"!deactivateall @max:{SERVER} @eve:{SERVER} reason ads" in told


def test_a_word_too_many_is_no_second_account() -> None:
    assert "deactivateall" not in said(understood("!deactivate max spammer"))


@pytest.mark.parametrize(
    "given",
    [
        "the guy who keeps posting casino stuff",
        "that idiot",
        "this user reason x",
        "them all reason spam",
    ],
)
def test_nobody_is_named_by_pointing(given: str) -> None:
    assert "I need a name" in said(understood(f"!deactivate {given}"))


def test_a_name_where_a_file_is_wanted_names_what_takes_a_name() -> None:
    assert "!purgeuser max" in said(understood("!purge max"))


def test_a_slip_in_a_choice_is_named() -> None:
    assert "Did you mean off?" in said(understood("!registration of"))


# --- words that point mean what the answered message is about

POINTING = [
    "deactivate all of them reason spam",
    "deactivate them all because spam",
    "deactivate both",
    "deactivate everyone reason x",
    "deactivateall all of them reason spam",
    "deactivate all 7",
    "deactivate alle",
]


@pytest.mark.parametrize("line", POINTING)
async def test_all_of_them_are_those_of_the_answered_message(room: Chat, line: str) -> None:
    told = await room.said(ANA, f"!{line}", await wave(room))
    assert told[0].startswith("❓ deactivateall for these 7 accounts? Tap ✅.")
    assert "Also, not like those: paul, vera" in told[0]
    assert await room.newest() == 0


@pytest.mark.parametrize("who", ["all of them except paul", "all but paul", "all, not vera"])
async def test_all_but_some_is_not_all(room: Chat, who: str) -> None:
    (told,) = await room.said(ANA, f"!deactivate {who} reason spam", await wave(room))
    assert "Tap ✅" not in told
    assert room.ops.dialog._open == {}
    assert await room.newest() == 0


@pytest.mark.parametrize("whom", ["him", "her reason x", "this guy because casino", "that one."])
async def test_him_is_the_one_of_the_answered_message(room: Chat, whom: str) -> None:
    told = await room.said(BO, f"!deactivate {whom}", await registered(room))
    assert not told or told[0].startswith(("✋", "❓ Why?"))
    told = await room.said(BO, "!who is that?", await registered(room))
    assert told[0].startswith(f"📋 @spam:{SERVER}")


async def registered(room: Chat) -> str:
    """News of a new account."""
    await room.said(BO, "!who spam")
    return await room.id_of(f"reply.{room.last}")


# --- words without the prefix, to what the bot has said


BEGUN = [
    ("ban him", "!deactivate spam"),
    ("Ban him please, he spams all day long and nobody does a thing", "!deactivate spam"),
    ("deactivate", "send: !deactivate spam"),
    ("deactivate him because casino", "send: !deactivate spam reason casino"),
    ("Deactivate this guy!", "send: !deactivate spam"),
    ("who is that?", "send: !who spam"),
    ("reset pw of him", "!resetpw"),
    ("undo pls", "!log"),
    ("kick", "!deactivate spam"),
    ("status?", "send: !status"),
    ("who is he", "send: !who spam"),
    ("who @max:example.org", "send: !who @max:example.org"),
    ("help deactivate", "send: !help deactivate"),
]


@pytest.mark.parametrize(("words", "answer"), BEGUN)
async def test_a_command_without_its_prefix_is_named(room: Chat, words: str, answer: str) -> None:
    event = await registered(room)
    (told,) = await room.said(BO, words, event)
    assert told.startswith("❓")
    assert answer in told
    assert await room.said(BO, words, event) == ["[❓]"], "a sign is enough"
    assert len(await room.said(CY, words, event)) == 1
    assert await room.said(EVE, words, event) == []
    assert await room.newest() == 0
    assert room.ops.dialog._open == {}


TALK = [
    "thanks",
    "nice one",
    "ok cool",
    "see you tomorrow",
    "he told me about that",
    "who knows what they are up to these days",
    "check out what he wrote in the garden room",
    "😂",
    "go on",
    "I saw that",
    "who was that?",
    "who knows",
    "who did this",
    "why not?",
    "why did he",
    "can we?",
    "can he still write?",
    "help me out",
    "log was cleared",
]


@pytest.mark.parametrize("words", TALK)
async def test_talk_below_what_the_bot_has_said_is_talk(room: Chat, words: str) -> None:
    assert await room.said(BO, words, await registered(room)) == []


async def test_words_below_a_message_of_a_person_are_talk(room: Chat) -> None:
    assert await room.said(BO, "ban him", room.says(CY, "have you seen spam?")) == []


async def test_no_password_is_repeated_in_the_line_to_send(room: Chat) -> None:
    (told,) = await room.said(BO, "resetpw him Hunter22", await registered(room))
    assert "Hunter22" not in told
    assert "send: !resetpw" in told


# --- the request that nobody named


@pytest.mark.parametrize("word", ["approve", "deny", "why", "cancel"])
async def test_the_only_open_request_is_named(room: Chat, word: str) -> None:
    assert "One is open" not in (await room.said(CY, f"!{word}"))[0]
    await room.asks()
    (told,) = await room.said(CY, f"!{word}")
    assert told.startswith("❓ Which request?")
    assert f"One is open: !{word} 1" in told
    assert await room.state(1) is State.PENDING


async def test_a_number_that_nothing_has_yet(room: Chat) -> None:
    for line in ("!approve 77", "!why 1", "!cancel 3"):
        (told,) = await room.said(BO, line)
        assert "nothing was asked for yet." in told
        assert "#0" not in told
