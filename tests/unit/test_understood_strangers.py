"""What somebody types who has never read how: courtesy, reasons and lists as they come to mind."""

from __future__ import annotations

import pytest

from tests.unit.ops import BO, SERVER
from tests.unit.test_understood_lists import A, names, said, understood
from tests.unit.test_understood_replies import Chat
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
