"""What a look before a command can come to. Values only."""

from __future__ import annotations

from typing import Union

from attrs import frozen

from ..chat.card_text import CardFact
from ..model.command import Invocation
from ..text.message import Message
from ..typed.needs import Bad


@frozen
class Refusal:
    """It cannot work; said as it is."""

    message: Message


@frozen
class Passed:
    """It can go on. question: must be confirmed by a tap first. facts: for the card.

    reopens: it makes a deactivated account usable again. bad: entries of its list that were taken
    out, so that the rest must be offered.
    """

    invocation: Invocation
    facts: tuple[CardFact, ...] = ()
    question: Message | None = None
    reopens: bool = False
    bad: tuple[Bad, ...] = ()


@frozen
class Choice:
    """Something else may have been meant: a tap on one of the numbers goes on with that."""

    question: Message
    meant: tuple[Invocation, ...]


Look = Union[Passed, Refusal, Choice]
