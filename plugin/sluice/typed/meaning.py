"""Which command a line means whose first word is none: slips, split words, other bots' words."""

from __future__ import annotations

import re
from collections.abc import Iterator

from attrs import evolve, frozen

from ..catalog.record import Command, Guessed
from ..catalog.table import COMMANDS, alike, find, near
from ..catalog.words import LOOKING, MEANS, NOISE, SAYS, TYPED
from ..model.command import Invocation, Type, Typed
from .consent import Sense, meant
from .ids import bare
from .parse import refusal
from .read import read_line

_LETTERS = re.compile("[a-z]+")
_FEW = 3  # words behind what looks
_ENDINGS = {"s": 4, "es": 4, "d": 3, "ed": 3, "ing": 3}  # and how long the stem must be


@frozen
class Meaning:
    """typed: the line as it is meant, with `said` where its words were other ones.

    command: what it is, None if there is none or several. near: several that it may be. says: what
    is said in its place. ours: the words are those of our commands, but for slips and blanks.
    """

    typed: Typed
    command: Command | None = None
    near: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    ours: bool = False


def meaning(typed: Typed) -> Meaning:
    exact = find(typed.word)
    for further in (2, 1):
        joined = _joined(typed, further)
        if joined and (found := _found(typed, joined, further)):
            return found
    if exact is not None and exact.guessed is Guessed.TYPED and typed.said:
        return Meaning(typed, says=TYPED[exact.name], ours=True)
    if exact is not None:
        return Meaning(_polite(exact, typed), exact, ours=True)
    if typed.word in LOOKING and (shown := _joined(typed, 1, skip=True)):
        found = _found(typed, shown, 1)
        if found and found.command and found.command.guessed is Guessed.RUNS:
            return found
    return _found(typed, typed.word, 0) or _inflected(typed) or _slip(typed)


def begun(text: str) -> Meaning | None:
    """What is said below a message of ours and begins as a command does, only without the prefix;
    None for talk. What only looks is meant in few words: "why?", "who is that"."""
    typed = read_line(text)
    if meant(text).sense not in (Sense.OTHER, Sense.NO, Sense.UNCLEAR) or not typed.word:
        return None
    found = meaning(typed)
    is_ours = found.command is not None and " " in found.typed.said
    if not (is_ours or find(typed.word) or typed.word in MEANS or typed.word in SAYS):
        return None
    if found.command is None:
        return found if found.says and typed.word not in LOOKING else None
    looks = found.command.guessed is Guessed.RUNS
    return None if looks and len(typed.rest.split()) > _FEW else found


def is_talk(command: Command, typed: Typed, server: str, *, named: bool) -> bool:
    """Whether words that begin as what looks does go on otherwise: "who was that", "why not".
    named: whom they are about stands in what they answer."""
    if command.guessed is not Guessed.RUNS or not typed.words:
        return False
    first, takes = typed.words[0], {param.type for param in command.params[:1]}
    is_named = named or first[0] in "@#!$0123456789" or find(first.lower())
    if takes & {Type.USER, Type.TEXT} and not is_named:
        return True
    return refusal(typed, server=server) is not None


def is_sentence(what: Invocation) -> bool:
    """Whether what stands behind a command may be talk: `can you help`, `log was cleared`."""
    texts = [p.name for p in COMMANDS[what.command].params if p.type is Type.TEXT]
    words = str(what.get(texts[0]) or "").split() if texts else []
    named = words and (find(words[0].lower()) or words[0][0] in "@#0123456789")
    return len(words) > 1 and not named


def _joined(typed: Typed, further: int, *, skip: bool = False) -> str:
    """The first word with so many behind it as one, "" if these are no plain words."""
    more = [bare(word).lower() for word in typed.words[:further]]
    if len(more) < further or not all(map(_LETTERS.fullmatch, more)):
        return ""
    return "-".join(more if skip else (typed.word, *more))


def _found(typed: Typed, words: str, further: int, *, ours: bool = False) -> Meaning | None:
    """words: with hyphens, of which so many stand behind the first."""
    one = words.replace("-", "")
    command = find(words) or find(one) or find(MEANS.get(one, ""))
    line = _behind(typed, further, drop=one in MEANS or one in SAYS)
    if command is None:
        return Meaning(line, says=SAYS[one]) if one in SAYS else None
    if command.guessed is Guessed.TYPED:
        return Meaning(line, says=TYPED[command.name], ours=ours)
    name = next((each for each in (one, words) if find(each)), command.name)
    line = evolve(line, word=name)
    is_ours = ours or one not in MEANS
    return Meaning(_polite(command, line), command, ours=is_ours)


def _behind(typed: Typed, further: int, *, drop: bool = False) -> Typed:
    """The line without its first words. drop: also without a word that names nothing."""
    said = " ".join((typed.word, *typed.words[:further]))
    words = typed.words[further:]
    if drop and len(words) > 1 and words[0].lower() in NOISE:
        words, further = words[1:], further + 1
    rest = " ".join(typed.rest.split()[further:])
    return evolve(typed, words=words, rest=rest, said=said)


def _polite(command: Command, typed: Typed) -> Typed:
    """Without "please" behind all that it takes. Of what makes passwords every word counts."""
    if command.secret or command.many or command.has(Type.TEXT):
        return typed
    takes, words = sum(not param.flag for param in command.params), list(typed.words)
    while len(words) > takes and meant(words[-1]).sense is Sense.THANKS:
        del words[-1]
    return evolve(typed, words=tuple(words))


def _inflected(typed: Typed) -> Meaning | None:
    """`deactivated`, `adding`, `denied`, `banned`."""
    for base in _bases(typed.word):
        if found := _found(typed, base, 0, ours=find(base) is not None):
            return found
    return None


def _bases(word: str) -> Iterator[str]:
    for ending, least in _ENDINGS.items():
        stem = word.removesuffix(ending)
        if stem == word or len(stem) < least:
            continue
        yield stem
        yield f"{stem}e"
        if stem[-1] == "i":
            yield f"{stem[:-1]}y"
        if stem[-1:] == stem[-2:-1]:
            yield stem[:-1]


def _far(word: str) -> tuple[Command, ...]:
    """Commands that begin like it and are two slips away: `adusr`."""
    names = (each.name for each in COMMANDS.values() if "." not in each.name)
    alikes = alike(word, (n for n in names if n[:2] == word[:2]), 2) if len(word) > 4 else ()
    found = [COMMANDS[name] for name in alikes]
    return tuple(each for each in found if each.guessed is not Guessed.TYPED)


def _slip(typed: Typed) -> Meaning:
    close = near(typed.word)
    far = () if close else _far(typed.word)
    if far and far[0].guessed is Guessed.ASKED:
        close = far[:1]
    elif far:
        return Meaning(evolve(typed, said=typed.word), near=(far[0].name,))
    names = tuple(each.name.partition(".")[0] for each in close)
    line = evolve(typed, said=typed.word)
    ours = len(typed.word) > 5
    if any(each.guessed is Guessed.TYPED for each in close[:1]):
        return Meaning(line, says=TYPED[names[0]], ours=ours)
    if len(set(names)) > 1:
        return Meaning(line, near=names, ours=ours)
    if not close:
        return Meaning(line)
    line = evolve(line, word=names[0])
    return Meaning(_polite(close[0], line), close[0], ours=ours)
