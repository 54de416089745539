"""A message whose key has not come: what its sender can be heard with otherwise is heard at once,
and the guard does not say that all is known."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from attrs import evolve

from sluice.matrix.late import ENCRYPTED, PATIENCE, NoKey
from sluice.model.event import RoomEvent, object_in
from sluice.model.request import State
from sluice.rooms import Doors
from tests.unit.ops import ANA, BO, CY, DAN, EVE, HAL, ops
from tests.unit.test_erased import Live


class Sealed(Live):
    """An ops room of which the bot has lost a key, or all that `missing` names."""

    def start(self) -> None:
        super().start()
        self.missing: set[str] = set()

    async def unseal(self, event: RoomEvent) -> RoomEvent:
        if event.content["key"] in self.missing:
            raise NoKey
        return evolve(event, type="m.room.message", content=object_in(event.content, "plain"))

    def seals(self, who: str, body: str, key: str = "lost") -> str:
        plain = {"msgtype": "m.text", "body": body}
        return self.posts(who, ENCRYPTED, {"key": key, "plain": plain})

    @asynccontextmanager
    async def doors(self) -> AsyncIterator[Doors]:
        """What the relay asks, over the same reader."""
        made = self.ops.parts.doors
        made._readers[self.id] = self.reader
        await self.reader.start()
        yield made
        await self.reader.stop()


@pytest.fixture
async def room() -> AsyncIterator[Sealed]:
    async with ops() as made:
        live = Sealed(made)
        await live.reader.load()
        await live.reads()
        await live.asks()
        live.missing = {"lost"}
        yield live


async def test_a_no_passes_a_message_whose_key_is_missing(room: Sealed) -> None:
    room.seals(DAN, "good morning")
    room.taps(DAN, await room.card(), "❌")
    room.taps(CY, await room.card())
    await room.reads()
    assert await room.state() is State.DENIED


async def test_a_vote_that_is_taken_back_behind_it_is_taken_back(room: Sealed) -> None:
    vote = room.taps(DAN, await room.card())
    await room.reads()
    assert await room.next() == 1
    room.seals(DAN, "good morning")
    room.deletes(DAN, vote)
    await room.reads()
    assert await room.next() is None


async def test_a_ban_and_a_lowered_power_behind_it_hold_at_once(room: Sealed) -> None:
    room.taps(CY, await room.card())
    await room.reads()
    assert await room.next() == 1
    room.seals(ANA, "good morning")
    room.fake.put(room.id, ANA, "m.room.member", {"membership": "ban"}, CY)
    await room.reads()
    assert await room.next() is None


async def test_who_deletes_a_command_before_its_key_comes_does_not_run_it(room: Sealed) -> None:
    """The one thing that waits with it."""
    command = room.seals(BO, "!deactivate @max:example.org reason spam")
    room.fake.put(room.id, BO, "m.room.redaction", {"redacts": command}, redacts=command)
    await room.reads()
    room.missing.clear()
    await room.reads()
    assert await room.state(2) is State.CANCELLED


@pytest.mark.parametrize(
    ("who", "known"), [(DAN, False), (CY, False), (BO, False), (HAL, True), (EVE, True)]
)
async def test_not_all_is_known_while_words_of_somebody_with_a_say_wait(
    room: Sealed, who: str, known: bool
) -> None:
    """Of the asker too: it may be `cancel`. A helper's or a stranger's hold up nothing."""
    room.taps(CY, await room.card())
    room.seals(who, "!deny 1 it is my friend")
    async with room.doors() as doors:
        assert await doors.heard(room.id) is known
        room.missing.clear()
        assert await doors.heard(room.id) is True


async def test_a_key_that_never_comes_is_given_up_and_told(room: Sealed) -> None:
    room.seals(DAN, "!deny 1 it is my friend")
    await room.reads()
    async with room.doors() as doors:
        assert await doors.heard(room.id) is False
        room.ops.clock.go(PATIENCE + 1)
        assert await doors.heard(room.id) is True
    room.ops.rooms.crypto = True


async def test_what_waits_for_its_key_and_is_erased_was_read(room: Sealed) -> None:
    """Its first reading is what counts: nothing is held, and the no is a no."""
    event = room.seals(DAN, "!deny 1 it is my friend")
    await room.reads()
    room.erases(event)
    room.missing.clear()
    room.taps(CY, await room.card())
    await room.reads()
    assert await room.state() is State.DENIED
    assert await room.held() == set()


async def test_after_a_restart_it_is_an_erased_word(room: Sealed) -> None:
    event = room.seals(DAN, "!deny 1 it is my friend")
    await room.reads()
    room.erases(event)
    room.start()
    await room.reader.load()
    room.taps(CY, await room.card())
    await room.reads()
    assert await room.held() == {1}
    assert await room.next() is None
