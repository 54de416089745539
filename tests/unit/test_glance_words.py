"""Passwords as they are handed over, and what a person reads of refusals, questions and help."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from lab.chat import Said
from sluice.policy.keys import WELCOME
from sluice.settings import load
from tests.stage.book import Play, Step
from tests.stage.stage import POLICY, Stage, on_stage

PASSWORD = re.compile(r"\b[a-z0-9]{4}(?:-[a-z0-9]{4}){4}\b")
Scene = Callable[[Play], Awaitable[None]]


def played(scene: Scene, policy: str = POLICY) -> None:
    async def whole(stage: Stage) -> None:
        await stage.start()
        await scene(Play(stage))

    on_stage(whole, policy=policy)


async def makes(play: Play, *names: str) -> str:
    """bo asks for accounts and joins his private room; its id."""
    await play.stage.says("bo", "\n".join(("!adduser", *names)))
    room = play.private("bo")
    await play.stage["bo"].join(room)
    await play.stage.settle()
    return room


async def taps(play: Play, who: str, words: str, emoji: str = "✅") -> None:
    room, about = play._about(words)
    await play.stage[who].react(room, about.id, emoji)
    await play.stage.settle()


def passwords(play: Play, room: str) -> list[Said]:
    return [said for said in play.stage.said(room) if PASSWORD.search(said.text)]


def left_of(play: Play, room: str) -> list[str]:
    """Why each removed message is gone, as clients show it."""
    return [
        str(said.raw["unsigned"]["redacted_because"]["content"].get("reason"))
        for said in play.stage.said(room)
        if said.raw["type"] == "m.room.message" and "redacted_because" in said.raw["unsigned"]
    ]


def buttons(play: Play, room: str) -> dict[str, str]:
    """The text of each message that the bot tapped, and with what."""
    said = play.stage.said(room)
    texts = {each.id: each.text for each in said}
    bot = play.stage.bot
    return {texts[s.reaction[0]]: s.reaction[1] for s in said if s.sender == bot and s.reaction[0]}


# --- passwords


def test_several_passwords_end_with_one_line_that_has_the_only_button() -> None:
    async def scene(play: Play) -> None:
        room = await makes(play, "mia", "noa", "tom")
        assert len(passwords(play, room)) == 3  # each can be forwarded by itself
        ((text, emoji),) = buttons(play, room).items()
        assert text.startswith(
            "🔑 bo, 3 passwords are above: mia, noa, tom\nTap ✅ here when you have all of them"
        )
        assert "10 minutes" in text
        assert emoji == "✅"
        await taps(play, "bo", "3 passwords are above")
        assert passwords(play, room) == []
        assert left_of(play, room) == ["taken by bo"] * 3
        edited = [said.text for said in play.stage.said(room) if said.edits]
        assert edited[-1].startswith("🔑 All 3 passwords removed: you tapped ✅.\nA new one, say:")

    played(scene)


def test_each_line_says_which_passwords_stand_above_it() -> None:
    async def scene(play: Play) -> None:
        room = await makes(play, "mia", "noa")
        await makes(play, "guest1", "guest2", "guest3")
        lines = [text.split("\n")[0] for text in buttons(play, room)]
        assert lines == [
            "🔑 bo, 2 passwords are above: mia, noa",
            "🔑 bo, 3 passwords are above: guest1 to guest3",
        ]

    played(scene)


def test_a_tap_on_one_password_takes_that_one() -> None:
    async def scene(play: Play) -> None:
        room = await makes(play, "mia", "noa")
        await taps(play, "bo", "New account @mia:example.org")
        (rest,) = passwords(play, room)
        assert "@noa:example.org" in rest.text

    played(scene)


def test_a_tap_takes_only_what_it_is_about() -> None:
    async def scene(play: Play) -> None:
        room = await makes(play, "mia", "noa")
        await play.stage.says("bo", "!adduser zoe")
        await taps(play, "bo", "the password of")
        assert len(passwords(play, room)) == 2
        await taps(play, "bo", "2 passwords are above", "❌")
        assert len(passwords(play, room)) == 2

    played(scene)


def test_the_button_works_after_a_restart() -> None:
    async def scene(play: Play) -> None:
        room = await makes(play, "mia", "noa")
        await play.stage.stop()
        await play.stage.start()
        await taps(play, "bo", "2 passwords are above")
        assert passwords(play, room) == []

    played(scene)


def test_a_password_that_nobody_took_says_that_its_time_is_over() -> None:
    async def scene(play: Play) -> None:
        room = await makes(play, "mia")
        await play.stage.settle(11 * 60)
        assert left_of(play, room) == ["10 minutes are over"]

    played(scene)


def test_an_hour_is_one() -> None:
    async def scene(play: Play) -> None:
        room = await makes(play, "mia")
        await play.stage.settle(61 * 60)
        assert left_of(play, room) == ["1 hour is over"]

    played(scene, POLICY.replace("remove_after: 10m", "remove_after: 1h"))


def test_an_answer_that_nobody_understands_has_a_button_of_its_own() -> None:
    async def scene(play: Play) -> None:
        await play.step(Step("(Conduit's next answer is: zoe is here, her word is hunter2)", True))
        await play.stage.says("bo", "!adduser zoe")
        room = play.private("bo")
        await play.stage["bo"].join(room)
        await play.stage.settle()
        ((text, _),) = buttons(play, room).items()
        assert "hunter2" in text
        await play.stage.settle(11 * 60)
        assert left_of(play, room) == ["10 minutes are over"]
        assert not [s for s in play.stage.said(room) if "removed" in s.text]

    played(scene)


def test_the_words_for_a_newcomer_name_the_server_and_the_name_to_sign_in_with() -> None:
    async def scene(play: Play) -> None:
        room = await makes(play, "mia")
        (said,) = passwords(play, room)
        assert "Element X" in said.text
        assert "server example.org" in said.text
        assert "sign in as mia" in said.text

    played(scene)
    played(scene, POLICY[: POLICY.index("\nwelcome:")])


def test_the_shipped_words_for_a_newcomer_are_the_default() -> None:
    settings = load(POLICY, server=None, now=0).settings
    assert settings is not None
    assert settings.welcome.strip() == WELCOME


def test_an_owners_words_are_filled_in_wherever_a_hole_is() -> None:
    async def scene(play: Play) -> None:
        room = await makes(play, "mia")
        (said,) = passwords(play, room)
        assert said.text.endswith("Hi mia, you are @mia:example.org at example.org, mia! {other}")

    text = "welcome: Hi {name}, you are {user} at {server}, {name}! {other}"
    played(scene, POLICY[: POLICY.index("\nwelcome:")] + f"\n{text}\n")
