"""Nothing runs that nobody meant: a no to a question is never its answer, a list is what was
typed, and a message that was sent twice is asked back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.model.command import Invocation, Typed
from sluice.model.request import State
from sluice.typed.answering import is_command
from sluice.typed.consent import refuses
from sluice.typed.parse import AskFirst, NotRun, parse
from sluice.typed.read import read, read_line
from tests.unit.ops import ANA, BO, CY, HAL, SERVER
from tests.unit.test_attacks import Room
from tests.unit.test_attacks import room as room

NOES = [
    "never mind, wrong account",
    "Never mind",
    "nevermind",
    "no",
    "No.",
    "NO!!!",
    "no, that is dan",
    "no — it was somebody else's doing, sorry",
    "cancel",
    "Cancel that please",
    "stop",
    "stop!",
    "wait",
    "wait, let me look at it once more before we do anything",
    "oh no, wrong person",
    "sorry, cancel",
    "don’t",
    "oops",
    "forget it",
    "❌",
    "❌ wrong one",
    "👎🏽",
    "🚫",
    "!cancel",
    "!no",
    "!stop please",
    "！cancel",
    "!never mind",
]
REASONS = [
    "casino links",
    "users complained",
    "nobody knows them",
    "posts stop signs",
    "spam from a no-reply account",
    "block evading again",
    "reasonable doubt",
    "no activity for two years and the mail bounces",
]


async def asked(room: Room, who: str, line: str) -> str:
    """A command that is answered by ❓; the event of the ❓."""
    await room.says(who, line)
    news = await room.ops.news() or [(await room.ops.last())["body"]]
    assert news[0].startswith("❓"), news
    question = next(iter(room.ops.dialog._open.values()))
    return await room.sent(question.key)


async def says_nothing_ran(room: Room) -> None:
    assert not room.ops.dialog._open
    assert await room.newest() == 0, "nothing is stored"
    assert (await room.ops.last())["body"].startswith("⛔ Not run: you said no.")


# --- a no is no answer


@pytest.mark.parametrize("words", NOES)
@pytest.mark.parametrize(
    ("who", "line"),
    [
        (BO, "!deactivate @spam:example.org"),  # a reason
        (BO, "!adduser"),  # a name
        (BO, "!purge reason x"),  # a file
        (ANA, "!users"),  # a tap
    ],
)
async def test_a_no_ends_the_question_and_nothing_runs(
    room: Room, who: str, line: str, words: str
) -> None:
    question = await asked(room, who, line)
    await room.says(who, words, question)
    await says_nothing_ran(room)


@pytest.mark.parametrize("key", ["❌", "👎", "👎🏿", "✖️", "🚫", "⛔", "🛑"])
@pytest.mark.parametrize("line", ["!deactivate @spam:example.org", "!users"])
async def test_a_tapped_no_ends_the_question(room: Room, line: str, key: str) -> None:
    question = await asked(room, ANA, line)
    for other in (CY, HAL):
        await room.taps(other, question, key)
    assert room.ops.dialog._open, "only of who was asked"
    await room.taps(ANA, question, key)
    await says_nothing_ran(room)
    await room.taps(ANA, question, "✅")
    assert await room.newest() == 0


async def test_the_buttons_go_with_the_question(room: Room) -> None:
    question = await asked(room, ANA, "!users")
    await room.taps(ANA, question, "❌")
    rows = await room.rows("SELECT gone FROM sluice_outbox WHERE kind='react'")
    assert [row["gone"] for row in rows] == [1]


async def test_a_no_of_somebody_else_ends_nothing(room: Room) -> None:
    question = await asked(room, BO, "!deactivate @spam:example.org")
    for other in (CY, HAL):
        await room.says(other, "no", question)
        await room.says(other, "!cancel", question)
    assert room.ops.dialog._open
    await room.says(BO, "casino links", question)
    assert await room.state(1) is State.PENDING


@pytest.mark.parametrize("reason", REASONS)
async def test_a_reason_is_a_reason(room: Room, reason: str) -> None:
    question = await asked(room, BO, "!deactivate @spam:example.org")
    await room.says(BO, reason, question)
    assert (await room.ops.request(1)).invocation.reason == reason


@pytest.mark.parametrize("label", ["reason ", "Reason: ", "reason:", "REASON – "])
async def test_the_word_reason_in_front_is_dropped(room: Room, label: str) -> None:
    question = await asked(room, BO, "!deactivate @spam:example.org")
    await room.says(BO, f"{label}casino links", question)
    assert (await room.ops.request(1)).invocation.reason == "casino links"


async def test_the_word_reason_alone_is_none(room: Room) -> None:
    question = await asked(room, BO, "!deactivate @spam:example.org")
    await room.says(BO, "reason:", question)
    assert await room.newest() == 0
    assert room.ops.dialog._open, "it is asked again"


# --- a whole command is no answer


COMMANDS = [
    "deactivate @spam:example.org reason x",
    "resetpw max",
    "disableroom #warez:example.org",
    "registration off",
    "who @spam:example.org",
    "status",
    "help",
    "approve 12",
    "pause odd requests",
    "deactivate",
]


@pytest.mark.parametrize("words", COMMANDS)
@pytest.mark.parametrize("line", ["!deactivate @spam:example.org", "!adduser"])
async def test_a_command_without_its_prefix_is_no_reason_and_no_name(
    room: Room, line: str, words: str
) -> None:
    question = await asked(room, BO, line)
    await room.says(BO, words, question)
    assert await room.newest() == 0, "nothing is stored"
    assert not room.ops.dialog._open
    body = (await room.ops.last())["body"]
    assert body.startswith(f"⛔ Not run: “{words.split()[0]}” is a command, so I take it for no")


async def test_a_command_with_its_prefix_is_taken_and_the_question_is_over(room: Room) -> None:
    question = await asked(room, BO, "!deactivate @spam:example.org")
    await room.says(BO, "!deactivate @max:example.org reason casino", question)
    assert (await room.ops.request(1)).text == "deactivate @max:example.org"
    await room.says(BO, "casino links", question)
    assert await room.newest() == 1, "the first one is over"


async def test_a_name_that_is_a_command_can_be_had_on_the_command_line(room: Room) -> None:
    await room.says(BO, "!adduser status")
    assert (await room.ops.request(1)).text == "adduser status"


@given(st.text(max_size=200))
def test_any_answer_is_looked_at_without_an_error(text: str) -> None:
    refuses(text)
    for reason in (True, False):
        is_command(text, SERVER, reason=reason)


@pytest.mark.parametrize("words", ["no", "cancel", "never mind"])
async def test_an_answer_that_is_edited_runs_nothing(room: Room, words: str) -> None:
    question = await asked(room, BO, "!deactivate @spam:example.org")
    answer = await room.says(BO, "casino links", question)
    assert await room.state(1) is State.PENDING
    await room.edits(BO, answer, words)
    assert await room.state(1) is State.CANCELLED
    assert await room.newest() == 1


# --- what stands behind a fence


A, B = f"@s01:{SERVER}", f"@s02:{SERVER}"
LISTS = [
    f"```{A}\n{B}\n```",
    f"```\n{A}\n{B}\n```",
    f"```{A}\n{B}```",
    f"```text\n{A}\n{B}```",
    f"``` text\n{A}\n{B}```",
    f"~~~\n{A}\n{B}\n~~~",
    f"~~~{A}\n{B}~~~",
    f"````\n{A}\n{B}\n````",
    f"```{A}```\n```{B}```",
    f"{A}\n```\n{B}",
    f"{A}```{B}",
    f"```\n{A}\n```{B}",
    f"```{A}```{B}",
    f"\n\n```\n\n{A}\n\n{B}\n",
    f"{A}\n{B}",
    f"{A}\n{B}```",
]


@pytest.mark.parametrize("below", LISTS)
@pytest.mark.parametrize("between", ["\n", " ```\n", "```\n", "\u2028"])
def test_a_list_is_what_was_typed_wherever_its_fences_stand(below: str, between: str) -> None:
    if "```" in between and below.startswith(("`", "~")):
        return  # that is a closing one
    for reason in ("", " reason spam wave"):
        typed = read_line(f"!deactivateall{reason}{between}{below}")
        made = parse(typed, server=SERVER)
        assert made.values("user") == (A, B)
        assert made.reason == ("spam wave" if reason else None)


@pytest.mark.parametrize("fence", ["```", "~~~"])
def test_a_list_that_begins_on_the_command_line_is_whole(fence: str) -> None:
    typed = read_line(f"!deactivateall reason spam {fence}{A}\n{B}\n{fence}")
    assert parse(typed, server=SERVER).values("user") == (A, B)


@pytest.mark.parametrize("line", ["!adduser ```\nalice\n```", "!adduser\n```alice```"])
def test_one_name_in_a_fence(line: str) -> None:
    assert parse(read_line(line), server=SERVER).values("user") == (f"@alice:{SERVER}",)


@pytest.mark.parametrize("command", ["adduser", "deactivateall", "purgeuser", "blockuser"])
@pytest.mark.parametrize("word", ["alice", "users", "spam2"])
def test_a_word_that_is_a_language_or_a_name_is_told(command: str, word: str) -> None:
    with pytest.raises((AskFirst, NotRun)) as told:
        parse(read_line(f"!{command}\n```{word}\nbob\ncarol\n```"), server=SERVER)
    assert word in str(told.value.lines)


ENTRIES = st.lists(
    st.sampled_from([f"@s{n:02}:{SERVER}" for n in range(9)]), min_size=1, unique=True
)


@given(ENTRIES, st.data())
def test_no_fence_at_any_place_takes_or_adds_an_entry(
    entries: list[str], data: st.DataObject
) -> None:
    fence = st.sampled_from(["", "", "```", "~~~", "```\n", "\n```", "\n```\n", " ``` ", "````"])
    text = "".join(
        f"{data.draw(fence)}{entry}{data.draw(fence)}{'' if at == len(entries) - 1 else chr(10)}"
        for at, entry in enumerate(entries)
    )
    typed = read_line(f"!deactivateall\n{text}")
    assert parse(typed, server=SERVER).values("user") == tuple(entries)


async def test_the_card_of_a_fenced_list_names_all_of_it(room: Room) -> None:
    for name in ("s01", "s02"):
        room.ops.fake.register(name)
    await room.says(ANA, f"!deactivateall reason spam wave\n```{A}\n{B}\n```")
    assert (await room.ops.request(1)).invocation.values("user") == (A, B)


# --- what stands below a name


PASSWORDS = ["SecurePassword123", "hunter2", "Pa$$w0rd", "alice:hunter2", "Tr0ub4dor&3"]


@pytest.mark.parametrize(
    "below",
    [
        "\n\nlove",
        "\nhi",
        "\n\nCheers!",
        "\n\nBest\nKim",
        "\u2028cheers",
        "\nbob",
        "\nbob\ncarol",
    ]
    + [f"\n{password}" for password in PASSWORDS],
)
async def test_more_below_a_name_is_asked_back_before_anything_is_stored(
    room: Room, below: str
) -> None:
    await room.says(BO, f"!adduser alice{below}")
    assert await room.newest() == 0
    said = (await room.ops.last())["body"]
    assert said.startswith(("❓", "⛔")), said
    stored = await room.everything()
    assert not [word for word in PASSWORDS if word.lower() in stored.lower()]
    if said.startswith("⛔"):
        return
    await room.taps(BO, await room.sent(next(iter(room.ops.dialog._open))), "❌")
    await says_nothing_ran(room)


async def test_whoever_meant_them_taps(room: Room) -> None:
    await room.says(BO, "!adduser alice\nbob")
    question = await room.sent(next(iter(room.ops.dialog._open)))
    await room.taps(BO, question)
    made = (await room.ops.request(1)).invocation.values("user")
    assert made == (f"@alice:{SERVER}", f"@bob:{SERVER}")


async def test_who_may_not_even_make_the_first_is_told_that_and_no_more_is_stored(
    room: Room,
) -> None:
    await room.says(HAL, "!adduser alice\nhunter2")
    assert "hunter2" not in await room.everything()


@pytest.mark.parametrize(
    "below", ["\n\nthanks", "\nplease", "\n\nThanks!", "\u2028thanks", "\nPLEASE", "\nvielen Dank"]
)
async def test_politeness_is_no_name(room: Room, below: str) -> None:
    await room.says(BO, f"!adduser alice{below}")
    assert (await room.ops.request(1)).invocation.values("user") == (f"@alice:{SERVER}",)
    await room.says(BO, f"!adduser\nnora\nbob{below}")
    both = (f"@nora:{SERVER}", f"@bob:{SERVER}")
    assert (await room.ops.request(2)).invocation.values("user") == both


@pytest.mark.parametrize("line", ["\nalice\nbob\ncheers", "\nalice\nbob\n\nlove!", "\nalice\nHI"])
async def test_a_greeting_in_a_list_is_asked_back(room: Room, line: str) -> None:
    await room.says(BO, f"!adduser{line}")
    assert await room.newest() == 0
    assert (await room.ops.last())["body"].startswith("❓")


@pytest.mark.parametrize("password", ["SecurePassword123", "Pa$$w0rd", "alice:Hunter2"])
async def test_a_password_in_a_list_is_never_repeated(room: Room, password: str) -> None:
    await room.says(BO, f"!adduser\nalice\nbob\n{password}")
    assert await room.newest() == 0
    assert password.lower() not in (await room.everything()).lower()


async def test_a_list_of_names_below_the_command_runs_unasked(room: Room) -> None:
    await room.says(BO, "!adduser\nalice\nbob\ncarol")
    assert len((await room.ops.request(1)).invocation.values("user")) == 3


@pytest.mark.parametrize("command", ["purgeuser", "blockuser", "deactivateall"])
def test_a_greeting_below_an_account_is_no_account(command: str) -> None:
    for line in (f"!{command} {A}\ncheers", f"!{command}\n{A}\nlove", f"!{command} spam\nmax"):
        with pytest.raises((AskFirst, NotRun)):
            parse(read_line(line), server=SERVER)
    both = parse(read_line(f"!{command} {A}\n{B}"), server=SERVER)
    assert both.values("user") == (A, B), "full ids are always meant"


async def test_an_answer_with_more_below_the_name_is_asked_back_too(room: Room) -> None:
    question = await asked(room, BO, "!adduser")
    await room.says(BO, "alice\ncheers", question)
    assert await room.newest() == 0
    assert room.ops.dialog._open


# --- the same twice


@pytest.mark.parametrize("seconds", [0.2, 3, 40])
@pytest.mark.parametrize("line", ["!resetpw max", "!adduser alice"])
async def test_the_same_secret_command_within_a_minute_is_asked_back(
    room: Room, line: str, seconds: float
) -> None:
    await room.says(BO, line)
    room.ops.clock.go(seconds)
    await room.says(BO, line)
    assert await room.newest() == 1
    said = (await room.ops.last())["body"]
    assert said.startswith("❓ #1 is about that, asked for ")
    question = await room.sent(next(iter(room.ops.dialog._open)))
    await room.taps(BO, question)
    assert await room.newest() == 2, "who means it taps"


async def test_what_is_done_already_says_so(room: Room) -> None:
    await room.says(BO, "!resetpw max")
    await room.ops.runs(answer="x")
    room.ops.clock.go(3)
    await room.says(BO, "!resetpw max")
    said = (await room.ops.last())["body"]
    assert said == "❓ #1 did that 3 seconds ago. Again? Tap ✅; otherwise nothing more runs."


@pytest.mark.parametrize("other", ["another person", "another account", "a minute later"])
async def test_what_is_no_repeat_is_not_asked_back(room: Room, other: str) -> None:
    await room.says(BO, "!resetpw max")
    if other == "a minute later":
        room.ops.clock.go(61)
    who = CY if other == "another person" else BO
    await room.says(who, "!resetpw spam" if other == "another account" else "!resetpw max")
    assert await room.newest() == 2


async def test_what_is_harmless_to_repeat_is_not_asked_back(room: Room) -> None:
    for _ in range(2):
        await room.says(BO, "!enableroom !warez:example.org")
    assert await room.newest() == 2


async def test_what_failed_or_was_taken_back_may_be_repeated_at_once(room: Room) -> None:
    await room.says(BO, "!resetpw max")
    await room.says(BO, "!cancel 1")
    await room.says(BO, "!resetpw max")
    assert await room.newest() == 2


def test_an_edited_typo_of_these_is_still_a_typed_value() -> None:
    """What `read` gives for a fenced list is what `read_line` gives."""
    body = f"!deactivateall reason x ```\n{A}\n```"
    typed = read({"msgtype": "m.text", "body": body}, bot=f"@sluice:{SERVER}")
    assert isinstance(typed, Typed)
    assert typed == read_line(body)
    assert isinstance(parse(typed, server=SERVER), Invocation)
