"""Asks a person, or takes what the options say; a bad answer is asked again with the reason."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, TypeVar

from .files import Memory

T = TypeVar("T")


class Stopped(Exception):
    """It cannot go on. The message says why, and what to do."""


class BadAnswer(Exception):
    """An answer that is none; the message says why."""


class Dialogue(Protocol):
    def say(self, text: str) -> None: ...
    def ask(self, question: str) -> str: ...
    def secret(self, question: str) -> str: ...


class Terminal:
    def say(self, text: str) -> None:
        print(text, flush=True)

    def ask(self, question: str) -> str:
        return _line(input, question)

    def secret(self, question: str) -> str:
        return _line(getpass.getpass, question)


def _line(read: Callable[[str], str], question: str) -> str:
    try:
        return read(question).strip()
    except EOFError:
        raise Stopped(f"Nobody answers “{question.strip()}”: give it as an option") from None


def is_a_person_there() -> bool:
    return sys.stdin.isatty()


class Answers:
    """given: what the options say, by their names. person: whether somebody can be asked."""

    def __init__(
        self, given: Mapping[str, str], memory: Memory, talk: Dialogue, *, person: bool
    ) -> None:
        self._given, self._memory, self._talk = dict(given), memory, talk
        self.person = person

    def given(self, key: str) -> str:
        return self._given.get(key, "")

    async def get(
        self,
        key: str,
        question: str,
        check: Callable[[str], Awaitable[T]],
        default: str | None = None,
        *,
        secret: bool = False,
    ) -> T:
        """What `check` makes of the answer; it raises BadAnswer. Kept if it is no secret."""
        for known in (self._given.pop(key, None), self._memory.get(key) or None):
            if known is None:
                continue
            try:
                return await self._checked(key, known, check, secret)
            except BadAnswer as bad:
                if not self.person:
                    raise Stopped(f"--{key}: {bad}") from None
                self._talk.say(f"  {bad}")
        if not self.person:
            if default is None:
                raise Stopped(f"--{key} is missing: {question}")
            return await self._checked(key, default, check, secret)
        return await self._ask(key, question, check, default, secret)

    async def _ask(
        self,
        key: str,
        question: str,
        check: Callable[[str], Awaitable[T]],
        default: str | None,
        secret: bool,
    ) -> T:
        shown = f"{question} [{default}]: " if default else f"{question}: "
        while True:
            said = self._talk.secret(shown) if secret else self._talk.ask(shown)
            try:
                return await self._checked(key, said or default or "", check, secret)
            except BadAnswer as bad:
                self._talk.say(f"  {bad}")

    async def _checked(
        self, key: str, value: str, check: Callable[[str], Awaitable[T]], secret: bool
    ) -> T:
        taken = await check(value)
        if not secret and self._memory.get(key) != value:
            self._memory.put(key, value)
        return taken
