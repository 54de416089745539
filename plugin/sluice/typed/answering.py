"""What a reply to a question (❓) is: an answer, a no, or a command that answers nothing.

In doubt it is no answer: a reason that begins like a no is asked for again, which costs a message;
a no that is taken for a reason, or for the name of an account, cannot be taken back.
"""

from __future__ import annotations

import re

from ..catalog.table import COMMANDS, find
from ..model.command import Right, Tag, Typed
from .consent import is_polite, refuses
from .ids import bare
from .parse import NOT_YET, NotRun, parse
from .password import is_plain, is_told
from .read import read_line

_LOOKS = frozenset((Tag.READ, Tag.INSPECT))
_LABEL = re.compile(r"(?:reason|why|because|grund)\b\s*[:=–—-]?\s*", re.I)
_ASKS = re.compile(  # words that ask back: "what?", "who"
    "what|who|which|why|how|huh|where|was|wer|welcher?|warum|wie|quoi|qui|quel(?:le)?|pourquoi"
    "|qué|que|quién|cuál|cosa|chi|quale|perch[eé]|co|kto|který|kdo|proč|dlaczego|что|кто|какой"
    "|зачем|почему|vem|hvem|hvad|hva|vad|wat|wie|ne|kim|neden|pardon|sorry",
    re.I,
)
_SENTENCE = re.compile(  # words that stand beside a name, and are none
    "is|are|was|be|it['’]?s|the|a|an|he|she|they|his|her|their|my|our|i|i['’]?m|we|you|name[ds]?"
    "|called|should|would|think|want|need|from|this|that|who|to"
    "|ist|der|die|das|er|sie|ich|mein|name|heißt|heisst|nennt|soll|est|le|la|il|elle|je|nom"
    "|s['’]appelle|es|el|ella|se|llama|è|si|chiama|o|ela|ele|het|de|hij|zij|heet|är|er|heter",
    re.I,
)
_FULL = re.compile(r"@[a-z0-9._-]+:[a-z0-9.:-]+")
_LONG = 6  # words of a question back; longer ones may be a reason that asks something
_ID = re.compile(r"(?:^|\s)(?:[@!#][^\s:]+:|mxc://|\$|#?\d+$)")


def is_no_command(typed: Typed) -> bool:
    """The same with the prefix in front: `!cancel` takes the question back, `!cancel 12` #12."""
    has_number = any(char.isdigit() for char in typed.rest)
    return not has_number and refuses(f"{typed.word} {typed.rest}")


def is_command(text: str, server: str, *, reason: bool) -> str:
    """The word of the whole command line that a reply is, without its prefix; "" if it is none.

    reason: that is what was asked for. It may be words that happen to be a command which only
    looks ("users complained"), but never one that changes something or names what it is about.
    """
    typed = read_line(text)
    try:
        name = parse(typed, server=server).command
    except NotRun:
        return ""
    except NOT_YET:
        name = ""
    command = COMMANDS.get(name) or find(typed.word)
    assert command is not None  # it was parsed
    looks = command.right is Right.ROLE or (not command.own and command.tags <= _LOOKS)
    if reason and looks and typed.rest and not _ID.search(typed.rest):
        return ""
    return typed.word


def could_be(wants: str, words: str, *, alone: bool) -> bool:
    """Whether words can be what was asked for: a name, a reason, a room …

    alone: they answer nothing, and would be repeated: only what surely is one, and of a name
    nothing that could be a password.
    """
    few = words.split()
    asks = words.rstrip().endswith(("?", "？")) and len(few) <= _LONG
    if asks or not few or (len(few) == 1 and _ASKS.fullmatch(few[0].strip("?!."))):
        return False
    if is_polite(words):
        return False
    if wants == "reason":
        other = alone and (words.startswith("@") or is_told(words))
        return any(char.isalpha() for char in words) and not other
    if wants == "name":
        word = words.strip()
        shown = is_plain(word) or _FULL.fullmatch(word) is not None
        return not word.isdecimal() and (shown or not alone) and not _is_sentence(words)
    return bool(wants) and (not alone or few[0][0] in "@#!$" or "://" in few[0])


def _is_sentence(words: str) -> bool:
    """A name in a sentence: "her name is Alice". Not where a password may stand in it, which is
    told and removed."""
    first, *more = map(bare, read_line(f"adduser {words}").words) or [""]
    said = [word for word in (first, *more) if _SENTENCE.fullmatch(word)]
    plain = all(is_plain(word) or _SENTENCE.fullmatch(word) for word in map(bare, words.split()))
    return bool(more and said) and plain and not first.startswith("@") and not is_told(words)


def without_label(reason: str) -> str:
    """A reason without the word in front that people write on the command line."""
    return _LABEL.sub("", reason, count=1) if _LABEL.match(reason) else reason
