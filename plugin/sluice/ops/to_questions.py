"""What the asker of a question (❓) says to it: an answer, a no, or nothing that can be one.

A reply to it answers it. The first words that they write after it without any relation are offered
as the answer, since a phone's quick reply names nothing; later ones are chat.
"""

from __future__ import annotations

from functools import partial

from attrs import evolve

from ..matrix.model import Handled, Later
from ..model.origin import Origin
from ..typed.consent import Sense, meant, refuses
from .dialog import Dialog, Question, Reply, Tap
from .intake import Intake
from .mute import Mute


class ToQuestions:
    """Of one ops room."""

    def __init__(self, commands: Intake, dialog: Dialog, mute: Mute) -> None:
        self._commands, self._dialog, self._mute = commands, dialog, mute

    async def reply(
        self, origin: Origin, question: Question, words: str
    ) -> Handled | Later | None:
        """Words that answer the question itself, or stand in its thread."""
        tap = question.taps.get(words.strip())
        if meant(words).sense is Sense.YES and len(question.taps) == 1:
            (tap,) = question.taps.values()
        if tap is None and refuses(words):
            return self._dialog.called_off(origin, question)
        if self._mute.now:
            return await self._mute.unheard(origin)
        if tap is not None:
            return await self._go(origin, question, tap)
        if question.reply is None or not question.fits(words):
            return self._dialog.again(origin, question)
        reply = question.reply
        return await self._go(origin, question, lambda again: reply(again, words))

    async def plain(self, origin: Origin, words: str) -> Handled | None:
        """The first words without relation after a question; None where they are chat."""
        question = self._dialog.first_words(origin)
        if question is None or self._mute.now:
            return None
        sense = meant(words).sense
        if sense is Sense.NO and refuses(words):
            return self._dialog.called_off(origin, question)
        if (reply := question.reply) is None:
            yes = sense in (Sense.YES, Sense.YES_AND) and len(question.taps) == 1
            return self._dialog.again(origin, question) if yes else None
        if not question.fits(words, alone=True):
            return None
        return self._offer(origin, question, reply, words)

    async def aside(self, origin: Origin, question: Question, words: str) -> Handled | None:
        """What is written to a file, or behind others in a thread: offered as the answer."""
        if refuses(words):
            return self._dialog.called_off(origin, question)
        if self._mute.now:
            return await self._mute.unheard(origin)
        if (reply := question.reply) is None or not question.fits(words, alone=True):
            return self._dialog.again(origin, question)
        return self._offer(origin, question, reply, words)

    def _offer(self, origin: Origin, question: Question, reply: Reply, words: str) -> Handled:
        """A tap takes these words as the answer."""

        async def go_on(again: Origin) -> Handled | None:
            return await reply(evolve(again, answer=origin.command), words)

        return self._dialog.offer(origin, question, words, go_on)

    async def _go(self, origin: Origin, question: Question, tap: Tap) -> Handled | Later | None:
        self._dialog.answered(question, origin.command)
        again = evolve(origin, command=question.origin.command, answer=origin.command)
        return await self._commands.looked_up(again, partial(tap, again))
