"""What people say below a card, or without any relation: a vote, no vote, or asked back."""

from __future__ import annotations

import pytest

from sluice.model.request import State
from sluice.requests import guard, reweigh
from sluice.typed.consent import _WORDS, Sense, meant
from tests.unit.ops import ANA, BO, CY, DAN, EVE, HAL
from tests.unit.test_attacks import ASK, Room
from tests.unit.test_attacks import room as room


async def card(room: Room, line: str = ASK) -> str:
    await room.says(BO, line)
    return await room.sent(f"request.{await room.newest()}.card")


async def said(room: Room, who: str, words: str, reply_to: str = "") -> list[str]:
    """What the bot answers."""
    await room.ops.news()
    before = room.ops._read
    await room.says(who, words, reply_to)
    room.ops._read = before
    return await room.ops.news()


async def next_turn(room: Room) -> int | None:
    """Which request would be sent now."""
    turn = await room.ops.db.read(lambda tx: guard.next_turn(room.ops.desk(tx)))
    return turn.request if turn is not None else None


async def tick(room: Room, seconds: float) -> None:
    room.ops.clock.go(seconds)
    await room.ops.db.write(lambda tx: reweigh.tick(room.ops.desk(tx)))


async def question(room: Room, who: str) -> str:
    """The open ❓ of somebody."""
    open_ = room.ops.dialog._open.values()
    (key,) = [each.key for each in open_ if each.origin.mxid == who]
    return await room.sent(key)


YES = ["yes", "Yes.", "OK", "okay!", "approve", "approved", "lgtm", "+1", "yesss", "Ja", "ja!",
       "oui", "d'accord", "sí", "sim", "sì", "akkoord", "zgoda", "ano", "japp", "да", "згоден",
       "evet", "👍", "👍🏿", "✅", "☑️"]  # fmt: skip
ASKED = ["Yes 👍", "ok go ahead", "lgtm thanks", "yes please", "yes?", "ok...", "sure", "go",
         "tak", "jo", "da", "si", "так", "👌", "ja, mach mal", "oui oui", "yes yes", "fine by me",
         "👍👍", "Sluice: sure"]  # fmt: skip
NO = [("no", ""), ("No.", ""), ("NOOO!!", ""), ("nope", ""), ("deny", ""), ("👎🏽", ""),
      ("❌", ""), ("🛑 stop", ""), ("🙅‍♂️", ""), ("nein", ""), ("Nein, das ist der Kassenwart",
      "das ist der Kassenwart"), ("stopp", ""), ("non", ""), ("não", ""), ("nie zgadzam się", ""),
      ("нет", ""), ("ні", ""), ("hayır", ""), ("nej", ""), ("не надо", ""), ("не он", "не он"),
      ("No, he is the treasurer!", "he is the treasurer!"), ("no he is fine", "no he is fine"),
      ("don’t", ""), ("sorry, no", ""), ("Sluice: no", ""), ("no\nask him first", "ask him first"),
      ("❌ wrong one", "wrong one"), ("not him", "not him"), ("never", ""), ("wait, no!",
      "wait, no!"), ("not approved", "not approved"), ("-1", ""), ("Ne, to je pokladník",
      "to je pokladník"), ("no thanks", ""), ("wrong account", "wrong account")]  # fmt: skip
UNCLEAR = ["no problem", "No objections, go", "no idea", "no worries", "nein, passt schon",
           "keine Einwände", "pas de souci", "не против", "нет проблем", "no, go ahead", "no yes",
           "ne", "nie ma problemu", "yes but not now", "👍👎", "no hay problema",
           "don't worry"]  # fmt: skip
NOTHING = ["wait", "not yet", "?", "hold on", "noch nicht", "ещё нет", "who is that?", "thanks",
           "hm", "he said no", "what did he do", "I am not sure", "🤔", "maybe"]  # fmt: skip


@pytest.mark.parametrize("words", YES)
async def test_exactly_a_yes_to_the_card_is_a_yes(room: Room, words: str) -> None:
    event = await card(room)
    await said(room, CY, words, event)
    assert await next_turn(room) == 1


@pytest.mark.parametrize("words", ASKED)
async def test_every_other_yes_is_asked_and_counts_with_the_tap(room: Room, words: str) -> None:
    event = await card(room)
    asked = await said(room, CY, words, event)
    assert asked[0].startswith("❓ A yes to #1: deactivate")
    assert await next_turn(room) is None
    found = await question(room, CY)
    for other in (BO, DAN, HAL):
        await room.taps(other, found)
    assert await next_turn(room) is None, "only of who was asked"
    await room.taps(CY, found)
    assert await next_turn(room) == 1


@pytest.mark.parametrize(("words", "why"), NO)
async def test_what_begins_with_a_no_is_a_no_with_its_reason(
    room: Room, words: str, why: str
) -> None:
    event = await card(room)
    news = await said(room, CY, words, event)
    assert await room.state(1) is State.DENIED
    ended = next(text for text in news if text.startswith("⛔"))
    assert ended.endswith(f" denied by cy: “{why}”" if why else " denied by cy, without a reason.")


@pytest.mark.parametrize("words", UNCLEAR)
async def test_what_may_be_a_no_holds_the_card_until_it_is_answered(
    room: Room, words: str
) -> None:
    event = await card(room)
    news = await said(room, CY, words, event)
    assert any(text.startswith("❓ A no to #1: deactivate") for text in news)
    assert any("Held: was that a no? It waits for cy" in text for text in news)
    await room.taps(DAN, event)
    assert await next_turn(room) is None, "held, although the votes suffice"
    await room.taps(CY, await question(room, CY))
    assert await next_turn(room) == 1


async def test_a_held_card_is_denied_by_the_tap_and_by_a_clear_no(room: Room) -> None:
    for number, answer in enumerate(("tap", "reply"), 1):
        event = await card(room, ASK.replace("spam", ("spam", "max")[number - 1]))
        await said(room, CY, "no problem", event)
        found = await question(room, CY)
        if answer == "tap":
            await room.taps(CY, found, "❌")
        else:
            await room.says(CY, "no", found)
        assert await room.state(number) is State.DENIED


async def test_a_hold_ends_by_itself_and_comes_once_a_person(room: Room) -> None:
    event = await card(room)
    await said(room, CY, "no problem", event)
    await room.taps(DAN, event)
    await tick(room, 299)
    assert await next_turn(room) is None
    await tick(room, 2)
    assert await next_turn(room) == 1
    asked, *_ = await said(room, CY, "no problem", event)
    assert asked.endswith("#1 goes on.")
    assert await next_turn(room) == 1
    await said(room, ANA, "no problem", event)
    assert await next_turn(room) is None, "another person's"


async def test_a_hold_stands_after_a_restart(room: Room) -> None:
    event = await card(room)
    await said(room, CY, "no problem", event)
    await room.taps(DAN, event)
    again = Room(room.ops)
    room.ops.start(room.ops.live.in_force)
    await room.ops.look()
    assert await next_turn(again) is None
    await tick(again, 301)
    assert await next_turn(again) == 1


async def test_a_tap_after_the_end_says_that_it_is_over(room: Room) -> None:
    event = await card(room)
    await said(room, CY, "yes please", event)
    await said(room, DAN, "no", event)
    before = room.ops._read
    await room.taps(CY, await question(room, CY))
    room.ops._read = before
    assert (await room.ops.news())[0].startswith("📋 cy, too late: #1 is denied by dan")


async def test_one_question_about_one_card_at_a_time(room: Room) -> None:
    event = await card(room)
    await said(room, CY, "yes please", event)
    assert await said(room, CY, "go ahead!", event) == ["[❓]"]


@pytest.mark.parametrize("words", NOTHING)
async def test_other_words_below_a_card_are_no_vote(room: Room, words: str) -> None:
    event = await card(room)
    assert (await said(room, CY, words, event))[0].startswith("❓ Not a vote. To vote on #1")
    assert await said(room, CY, words, event) == ["[❓]"]
    assert await room.state(1) is State.PENDING
    assert await next_turn(room) is None


async def test_who_cannot_vote_is_told_what_they_can_do(room: Room) -> None:
    event = await card(room)
    first = await said(room, BO, "please hurry", event)
    assert first == ["❓ Not a vote: #1 is your own request. To take it back: !cancel 1"]
    assert await said(room, BO, "yes please", event) == ["[❓]"]
    assert (await said(room, HAL, "go", event))[0].endswith("#1 needs a mod or an owner.")
    for words in ("yes please", "no problem"):
        assert await said(room, HAL, words, event) == ["[❓]"]
    assert await said(room, EVE, "go", event) == []
    await said(room, BO, "no, wrong account", event)
    assert await room.state(1) is State.CANCELLED


async def test_words_below_what_is_over_are_chat(room: Room) -> None:
    event = await card(room)
    await said(room, CY, "no", event)
    for words in ("thanks", "who was that?", "wait", "great, well done"):
        assert await said(room, DAN, words, event) == []


@pytest.mark.parametrize("words", ["yes", "no", "No, he is the treasurer!"])
async def test_a_reply_to_a_person_is_no_vote(room: Room, words: str) -> None:
    await card(room)
    other = await room.says(DAN, "shall we?")
    assert await said(room, CY, words, other) == []
    assert await room.state(1) is State.PENDING


@pytest.mark.parametrize("key", ["🚫", "⛔", "🛑", "❎", "🙅", "🙅🏽‍♀️", "✖️", "👎🏿", "no", "nein"])
async def test_every_stop_sign_that_is_tapped_is_a_no(room: Room, key: str) -> None:
    await room.taps(CY, await card(room), key)
    assert await room.state(1) is State.DENIED


@pytest.mark.parametrize("how", ["✅", "👍", "yes", "No, he is a regular", "❌"])
async def test_the_reminder_is_a_message_about_the_request(room: Room, how: str) -> None:
    await card(room)
    await tick(room, 1801)
    event = await room.sent("request.1.half")
    if how.isalpha() or " " in how:
        await room.says(CY, how, event)
    else:
        await room.taps(CY, event, how)
    if how in ("✅", "👍", "yes"):
        assert await next_turn(room) == 1
    else:
        assert await room.state(1) is State.DENIED


async def test_the_buttons_of_the_reminder_go_with_the_card(room: Room) -> None:
    event = await card(room)
    await tick(room, 1801)
    await room.says(CY, "no", event)
    rows = await room.rows("SELECT gone FROM sluice_outbox WHERE kind='react'")
    assert {row["gone"] for row in rows} == {1}


async def test_deleting_the_words_or_the_tap_takes_the_vote_back(room: Room) -> None:
    for number, name in enumerate(("spam", "max"), 1):
        event = await card(room, ASK.replace("spam", name))
        words = await room.says(CY, "yes please", event)
        tap = await room.taps(CY, await question(room, CY))
        assert await next_turn(room) == number
        removed = (words, tap)[number - 1]
        await room.event(CY, "m.room.redaction", {"redacts": removed}, redacts=removed)
        assert await next_turn(room) is None


async def test_an_edit_of_the_words_ends_their_question(room: Room) -> None:
    event = await card(room)
    words = await room.says(CY, "yes please", event)
    found = await question(room, CY)
    await room.edits(CY, words, "No, he is the treasurer")
    assert await room.state(1) is State.DENIED
    await room.taps(CY, found)
    assert await next_turn(room) is None


# --- threads


class Threads:
    """What is written in the thread of a message, as a client sends it."""

    def __init__(self, room: Room, root: str) -> None:
        self.room, self.root = room, root

    async def says(self, who: str, words: str, reply_to: str = "") -> list[str]:
        await self.room.ops.news()
        before = self.room.ops._read
        relation = {
            "rel_type": "m.thread",
            "event_id": self.root,
            "is_falling_back": not reply_to,
            "m.in_reply_to": {"event_id": reply_to or self.root},
        }
        content = {"msgtype": "m.text", "body": words, "m.relates_to": relation}
        await self.room.event(who, "m.room.message", content)
        self.room.ops._read = before
        return await self.room.ops.news()

    async def bot(self, event_id: str, *, inside: bool = True) -> None:
        """A message of the bot is read in the timeline."""
        relation = {"rel_type": "m.thread", "event_id": self.root}
        content = {"msgtype": "m.text", "body": "x", "m.relates_to": relation if inside else {}}
        me = self.room.ops.live.me
        await self.room.event(me, "m.room.message", content, event_id=event_id)


async def thread(room: Room, *, read: bool = True) -> Threads:
    """A thread on a card. read: the card was read by this process."""
    made = Threads(room, await card(room))
    if read:
        await made.bot(made.root, inside=False)
    return made


async def test_a_yes_in_the_thread_on_a_card_is_a_yes(room: Room) -> None:
    made = await thread(room)
    await made.says(CY, "hm, let me see")
    await made.says(CY, "yes")
    assert await next_turn(room) == 1


@pytest.mark.parametrize("other", [DAN, BO, EVE])
async def test_a_yes_after_somebody_else_in_the_thread_is_asked(room: Room, other: str) -> None:
    made = await thread(room)
    await made.says(other, "shall we have a coffee?")
    assert (await made.says(CY, "yes"))[0].startswith("❓ A yes to #1")
    assert await next_turn(room) is None


async def test_a_yes_in_a_thread_that_was_not_read_whole_is_asked(room: Room) -> None:
    made = await thread(room, read=False)
    assert (await made.says(CY, "yes"))[0].startswith("❓ A yes to #1")


async def test_after_the_bots_next_message_a_yes_counts_again(room: Room) -> None:
    made = await thread(room)
    await made.says(DAN, "who is that?")
    await made.bot("$of.request.1.half")
    query = "UPDATE sluice_outbox SET event_id='$other' WHERE event_id='$none'"
    await room.ops.db.write(lambda tx: tx.execute(query))
    await made.says(CY, "yes")
    assert await next_turn(room) is None, "that message is not about the request"
    await made.bot(made.root, inside=False)
    await made.says(ANA, "yes")
    assert await next_turn(room) == 1


async def test_a_message_that_nobody_can_read_may_have_stood_in_the_thread(room: Room) -> None:
    made = await thread(room)
    because = {"redacted_because": {"sender": DAN}}
    await room.event(DAN, "m.room.message", {}, unsigned=because)
    assert (await made.says(CY, "yes"))[0].startswith("❓ A yes to #1")


@pytest.mark.parametrize("words", ["no", "No, he is the treasurer!", "👎", "nein"])
async def test_a_no_in_the_thread_is_a_no_whoever_wrote_before(room: Room, words: str) -> None:
    made = await thread(room)
    await made.says(DAN, "shall we?")
    await made.says(CY, words)
    assert await room.state(1) is State.DENIED


async def test_a_reply_to_a_person_inside_the_thread_is_no_vote(room: Room) -> None:
    made = await thread(room)
    other = await room.says(DAN, "coffee?")
    for words in ("yes", "no"):
        assert await made.says(CY, words, other) == []
    assert await room.state(1) is State.PENDING


async def test_a_reply_to_the_card_inside_the_thread_is_one(room: Room) -> None:
    made = await thread(room)
    await made.says(DAN, "who is that?")
    await made.says(CY, "yes", made.root)
    assert await next_turn(room) == 1


async def test_other_words_in_the_thread_are_no_vote(room: Room) -> None:
    made = await thread(room)
    assert (await made.says(CY, "who is that?"))[0].startswith("❓ Not a vote")
    assert await made.says(CY, "and why?") == ["[❓]"]


async def test_a_thread_on_a_question_answers_it(room: Room) -> None:
    await room.says(BO, "!deactivate @spam:example.org")
    made = Threads(room, await question(room, BO))
    await made.bot(made.root, inside=False)
    await made.says(BO, "casino links")
    assert (await room.ops.request(1)).invocation.reason == "casino links"


# --- without any relation


@pytest.mark.parametrize("words", ["yes", "ok", "👍", "Yes 👍", "ja", "tak"])
async def test_a_plain_yes_is_asked_with_the_number_of_the_one_card(
    room: Room, words: str
) -> None:
    await card(room)
    assert (await said(room, CY, words))[0].startswith("❓ A yes to #1: deactivate")
    assert await next_turn(room) is None
    await room.taps(CY, await question(room, CY))
    assert await next_turn(room) == 1


@pytest.mark.parametrize(
    "words", ["no", "NO!", "nein", "👎", "No, he is the treasurer!", "no objections, go", "stop"]
)
async def test_a_plain_no_is_asked_and_holds_the_one_card(room: Room, words: str) -> None:
    event = await card(room)
    news = await said(room, CY, words)
    assert any(text.startswith("❓ A no to #1") for text in news)
    await room.taps(DAN, event)
    assert await next_turn(room) is None
    assert await room.state(1) is State.PENDING
    await room.taps(CY, await question(room, CY), "❌")
    assert await room.state(1) is State.DENIED


async def test_plain_words_are_asked_once_a_person_and_card(room: Room) -> None:
    event = await card(room)
    await said(room, CY, "no")
    await tick(room, 301)
    assert await said(room, CY, "no") == ["[❓]"]
    await room.taps(DAN, event)
    assert await next_turn(room) == 1


async def test_plain_words_while_several_cards_wait_name_them_all(room: Room) -> None:
    events = [await card(room), await card(room, ASK.replace("spam", "max"))]
    (asked,) = await said(room, CY, "yes")
    assert asked.startswith("❓ A yes to which?")
    assert "#1" in asked
    assert "#2" in asked
    news = await said(room, CY, "no")
    assert any(text.startswith("❓ A no to which?") for text in news)
    for event in events:
        await room.taps(DAN, event)
    assert await next_turn(room) is None
    await room.taps(CY, events[1])
    assert await next_turn(room) == 2


@pytest.mark.parametrize(
    "words", ["yes", "no", "No, he is the treasurer!", "wait", "thanks", "lunch?", "ok go ahead"]
)
async def test_plain_words_where_nothing_waits_for_them_are_chat(room: Room, words: str) -> None:
    assert await said(room, CY, words) == []
    await card(room)
    for who in (BO, HAL, EVE):  # whose own it is, who has not the role, who has none
        assert await said(room, who, words) == []
    assert await room.state(1) is State.PENDING


@pytest.mark.parametrize(
    "words",
    ["wait", "thanks!", "who is that?",
     "I said yes to him", "sure enough the rain came back in the evening"],
)  # fmt: skip
async def test_other_plain_words_are_chat_while_a_card_waits(room: Room, words: str) -> None:
    await card(room)
    assert await said(room, CY, words) == []


@pytest.mark.parametrize(
    "words", ["nein das ist unser Kassenwart Peter", "stop that is the wrong account",
              "no one knows what he did, leave him"],
)  # fmt: skip
async def test_a_long_no_without_a_relation_holds_the_card(room: Room, words: str) -> None:
    await card(room)
    assert (await said(room, CY, words))[0].startswith("❓ A no to #1")
    await room.says(DAN, "!approve 1")
    assert await next_turn(room) is None


async def test_who_has_said_yes_is_not_asked_for_another_but_heard_with_a_no(room: Room) -> None:
    event = await card(room)
    await room.says(CY, "yes", event)
    assert await said(room, CY, "ok") == []
    assert (await said(room, CY, "no"))[0].startswith("❓ A no to #1")
    assert await next_turn(room) is None


# --- answers to a question


WHY, NAME, TAP = "!deactivate @spam:example.org", "!adduser", "!users"


@pytest.mark.parametrize("line", [WHY, NAME])
@pytest.mark.parametrize(
    "words", ["nein", "non merci", "нет", "hayır", "stopp", "cancela", "nie, stop", "zrušit", "🙅"]
)
async def test_a_no_of_any_language_ends_the_question(room: Room, line: str, words: str) -> None:
    await room.says(BO, line)
    news = await said(room, BO, words, await question(room, BO))
    assert news[0].startswith("⛔ Not run: you said no.")
    assert not room.ops.dialog._open
    assert await room.newest() == 0


@pytest.mark.parametrize("label", ["Reason: ", "why: ", "because ", "Because: ", "Grund: "])
async def test_the_label_of_a_reason_is_dropped(room: Room, label: str) -> None:
    await room.says(BO, WHY)
    await room.says(BO, f"{label}casino links", await question(room, BO))
    assert (await room.ops.request(1)).invocation.reason == "casino links"


@pytest.mark.parametrize(
    ("line", "words"),
    [(WHY, w) for w in ("what?", "who", "why?", "thanks", "ok", "12", "?", "yes please", "hm?")]
    + [(NAME, w) for w in ("what?", "which name?", "thanks!", "ok", "12", "danke", "yes")]
    + [(NAME, w) for w in ("her name is Zoe, plot 9", "it's zoe", "I think zoe", "sie heißt Zoe",
                           "zoe is the one\nreset hers please")],
)  # fmt: skip
async def test_what_cannot_be_the_answer_is_asked_back(room: Room, line: str, words: str) -> None:
    await room.says(BO, line)
    first = await question(room, BO)
    news = await said(room, BO, words, first)
    assert "\nThat does not look like a" in news[0]
    second = await room.sent(list(room.ops.dialog._open)[-1])
    answer = "zoe" if line == NAME else "casino links"
    await room.says(BO, answer, second if words != "ok" else first)
    assert await room.newest() == 1, "the question stays open, at both places"
    assert not room.ops.dialog._open


@pytest.mark.parametrize(
    ("line", "words", "offer"),
    [
        (WHY, "casino links", "❓ Reason “casino links”? Tap ✅."),
        (WHY, "they post ads all day", "❓ Reason “they post ads all day”? Tap ✅."),
        (NAME, "zoe", "❓ Name “zoe”? Tap ✅."),
    ],
)
async def test_the_first_plain_words_are_offered_as_the_answer(
    room: Room, line: str, words: str, offer: str
) -> None:
    await room.says(BO, line)
    assert (await said(room, BO, words))[0].startswith(offer)
    assert await room.newest() == 0
    key = list(room.ops.dialog._open)[-1]
    for other in (CY, ANA):
        await room.taps(other, await room.sent(key))
    assert await room.newest() == 0
    await room.taps(BO, await room.sent(key))
    assert await room.newest() == 1
    assert not room.ops.dialog._open


@pytest.mark.parametrize(
    ("line", "words"),
    [(WHY, w) for w in ("what?", "thanks", "@dan:example.org look at that", "12", "ok")]
    + [(NAME, w) for w in ("SecurePassword123", "alice hunter2", "hunter2!", "what?", "thanks",
                           "12345", "alice:hunter2")],
)  # fmt: skip
async def test_plain_words_that_cannot_be_it_are_chat_and_never_repeated(
    room: Room, line: str, words: str
) -> None:
    await room.says(BO, line)
    assert await said(room, BO, words) == []
    assert room.ops.dialog._open, "the question stays open"
    assert await said(room, BO, "zoe") == [], "only the first words are looked at"


async def test_the_reason_of_a_secret_command_is_not_repeated(room: Room) -> None:
    await room.says(ANA, "!glass resetpw spam")
    assert (await said(room, ANA, "hunter2 for now"))[0].startswith("❓ Was that the reason?")
    assert "hunter2" not in await room.everything()
    room.ops.power(room.ops.client.mxid, 50)
    await room.ops.look()
    words = room.ops.dialog._open
    await room.taps(ANA, await room.sent(list(words)[-1]))
    assert "passwords are never typed here" in (await room.ops.last())["body"]
    assert "hunter2" not in await room.everything()
    assert await room.newest() == 0


@pytest.mark.parametrize("words", ["alice hunter2", "alice Hunter22", "hunter2!"])
async def test_what_may_be_a_password_is_not_offered_as_the_answer(room: Room, words: str) -> None:
    await room.says(BO, "!adduser")
    made = Threads(room, await question(room, BO))
    await made.says(DAN, "what do you want for lunch?")
    await made.says(BO, words)
    assert words not in await room.everything()


async def test_plain_words_of_others_answer_nothing(room: Room) -> None:
    await room.says(BO, WHY)
    assert await said(room, CY, "casino links") == []
    assert (await said(room, BO, "casino links"))[0].startswith("❓ Reason")


@pytest.mark.parametrize("words", ["no", "Never mind!", "cancel", "nein", "❌"])
async def test_a_plain_no_ends_the_question(room: Room, words: str) -> None:
    await room.says(BO, WHY)
    assert (await said(room, BO, words))[0].startswith("⛔ Not run: you said no.")
    assert not room.ops.dialog._open


async def test_a_yes_as_a_reply_is_the_tap_and_a_plain_one_is_asked(room: Room) -> None:
    await room.says(ANA, TAP)
    (asked, *_) = await said(room, ANA, "yes")
    assert asked.endswith("\nTap, or reply yes or no.")
    assert await room.newest() == 0
    await room.says(ANA, "yes", await room.sent(list(room.ops.dialog._open)[-1]))
    assert await room.newest() == 1
    assert not room.ops.dialog._open


async def test_other_words_to_a_tap_are_asked_back(room: Room) -> None:
    await room.says(ANA, TAP)
    news = await said(room, ANA, "how many may there be?", await question(room, ANA))
    assert news[0].startswith("❓ Fewer than 2,000 accounts and 900 rooms here?")
    assert news[0].endswith("\nTap, or reply yes or no.")
    assert await room.newest() == 0


async def test_the_number_of_a_choice_as_a_reply_is_its_tap(room: Room) -> None:
    await room.says(BO, "!aduser zoe")
    await room.says(BO, "1", await question(room, BO))
    assert await room.newest() == 1


async def test_deleting_the_command_ends_the_question_and_says_so(room: Room) -> None:
    command = await room.says(BO, WHY)
    found = await question(room, BO)
    before = room.ops._read
    await room.event(BO, "m.room.redaction", {"redacts": command}, redacts=command)
    room.ops._read = before
    assert (
        "(edited) ⛔ Not run: the command was deleted, or is none any more."
        in await room.ops.news()
    )
    await room.says(BO, "casino links", found)
    assert await room.newest() == 0


# --- the table


def test_every_phrase_has_words_and_none_is_a_yes_in_one_language_and_a_no_in_another() -> None:
    seen: dict[str, set[Sense]] = {}
    for sense, phrases in _WORDS:
        for phrase in phrases.split(","):
            assert phrase.strip(), phrases
            seen.setdefault(phrase.strip(), set()).add(sense)
    both = [p for p, s in seen.items() if s & {Sense.YES, Sense.YES_AND} and Sense.NO in s]
    assert both == []


@pytest.mark.parametrize(
    "text", ["", " ", ".", "\u200d", "️", "🏽", "a" * 5000, "no " * 3000, "\ud800", "“”", "'", "-"]
)
def test_any_text_has_a_sense(text: str) -> None:
    assert meant(text).sense in Sense
