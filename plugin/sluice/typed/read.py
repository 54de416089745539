"""What people type and tap, read tolerantly; what it asks for is decided elsewhere.

Contents are taken as they come from the server: any JSON at any place. Nothing here raises for
any content, and all of it is linear in its size. Whoever sent it, whether they may and whether
the word is a command are questions of others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from attrs import evolve, frozen

from ..catalog.record import Guessed
from ..catalog.table import find
from ..model.command import Manner, Type, Typed
from ..model.event import Json, object_in
from ..model.ids import EventId
from ..model.request import Side
from ..text.message import code, quote
from .consent import YES, Meant, Sense, bare, meant
from .front import Front, front, named, without_name
from .links import MAX_PILLS, Html, Mismatch, People, TooMany, nobody, read_html, resolve
from .lists import unquoted, without_reason
from .parse import NotRun
from .word import first_word

_FILES = frozenset(("m.image", "m.file", "m.video", "m.audio"))
_ACCOUNT = re.compile(r"@[a-z0-9._=/+-]+:[A-Za-z0-9.:-]+")
_EVENT_ID = re.compile(r"\$[!-~]{1,254}")
_FENCE = re.compile(r"`{3,}|~{3,}")
_LANGUAGE = re.compile(  # what a code block may be said to hold
    "te?xt|plain(?:text)?|none|code|list|json|ya?ml|toml|ini|csv|xml|html|md|markdown|sh|bash"
    "|shell|console|log|py|python",
    re.I,
)


@frozen
class Said:
    """The text of a message without the quote of a reply, pills and links as what they mean."""

    text: str
    reply_to: EventId | None
    thread: EventId | None = None


@frozen
class Reaction:
    """One tap. key: without variation selectors and skin tones, which phones add at will."""

    event_id: EventId
    key: str

    @property
    def side(self) -> Side | None:
        """What it says as a vote, and to a question: a sign, or a word of no as one."""
        if self.key in YES:
            return Side.APPROVE
        return Side.DENY if meant(self.key).sense is Sense.NO else None

    @property
    def choice(self) -> int | None:
        """1 to 9 for the key caps 1️⃣ to 9️⃣."""
        digit = self.key[:1]
        return int(digit) if self.key[1:] == "\u20e3" and digit in "123456789" else None


def read(
    content: Json, *, bot: str, prefix: str = "!", people: People = nobody
) -> Typed | NotRun | None:
    """What a message of a person asks for.

    None: it is no command (chat, a notice, an edit, a quote, code). NotRun: a command whose link
    shows one account and means another. people: who must not be impersonated by a link's label.
    """
    raw = _raw(content, caption=True)
    if raw is None:
        return None
    begins, html = front(raw.text, bot, prefix), content.get("formatted_body")
    if begins is None and not _names(bot, raw.text, html):
        return None
    read = _html(content)
    if read.quoted and read.plain and not raw.text.lstrip().startswith(">"):
        return None
    try:
        text = resolve(raw.text, read, people)
    except (Mismatch, TooMany) as wrong:
        # Chat may begin with the prefix too: only a real command is answered.
        typed = _typed(begins, bot, raw) if begins else None
        return _refusal(wrong) if typed and find(typed.word) else typed
    found = front(text, bot, prefix)
    if found is None or (begins is None and not named(bot).match(text.lstrip())):
        return None  # a room's id, behind a link, begins with a prefix too
    if read.quoted:
        found = evolve(found, manner=Manner.SHOWN)
    if content.get("msgtype") in _FILES:
        found = evolve(found, manner=Manner.CAPTION)
    return _typed(found, bot, raw)


def _names(bot: str, text: str, html: object) -> bool:
    """Whether a link in it may be one to the bot, which shows its display name."""
    shown = f"{text} {html}" if isinstance(html, str) else text
    return bot in shown or f"%40{bot[1:].partition(':')[0]}" in shown


def said(
    content: Json, bot: str, people: People = nobody, *, caption: bool = False
) -> Said | NotRun | None:
    """The words of a message, without the bot's name in front; None when it is no plain text."""
    raw = _raw(content, caption=caption)
    if raw is None:
        return None
    try:
        text = resolve(raw.text, _html(content), people).strip()
        return evolve(raw, text=without_name(text, bot))
    except (Mismatch, TooMany) as wrong:
        return _refusal(wrong)


def read_line(text: str, *, prefix: str = "!") -> Typed:
    """A command line without a message around it (`can`, inline tests); the prefix may be absent.

    A text that holds no command word gives an empty `word`.
    """
    try:
        text = resolve(text, Html(), nobody).strip()
    except (Mismatch, TooMany):
        return Typed("")
    begins = front(text, "", prefix)
    return _line(begins.text if begins else text) or Typed("")


def edit_of(content: Json) -> tuple[EventId, Json] | None:
    """(the event that is edited, its new content) for an edit, None for anything else."""
    relation = object_in(content, "m.relates_to")
    event_id, new = _event(relation), content.get("m.new_content")
    if relation.get("rel_type") != "m.replace" or event_id is None:
        return None
    return (event_id, new) if isinstance(new, Mapping) else None


def edited(original: Json, new: Json) -> Json:
    """The new content of an edit, at the place of the message that it edits: what that answers,
    and in which thread it stands, no edit changes."""
    relation = object_in(original, "m.relates_to")
    is_edit = relation.get("rel_type") == "m.replace"
    return {**new, "m.relates_to": {} if is_edit else relation}


def thread_of(content: Json) -> EventId | None:
    """The root of the thread that a message was written in."""
    relation = object_in(content, "m.relates_to")
    return _event(relation) if relation.get("rel_type") == "m.thread" else None


def answers(content: Json) -> bool:
    """Whether a message in a thread is a reply to one of its messages."""
    relation = object_in(content, "m.relates_to")
    named = _event(object_in(relation, "m.in_reply_to"))
    return named is not None and relation.get("is_falling_back") is not True


def reaction(content: Json) -> Reaction | None:
    """The tap that an m.reaction stands for."""
    relation = object_in(content, "m.relates_to")
    event_id, key = _event(relation), relation.get("key")
    if relation.get("rel_type") != "m.annotation" or event_id is None:
        return None
    return Reaction(event_id, bare(key)) if isinstance(key, str) and len(key) <= 64 else None


def _event(relation: Json) -> EventId | None:
    """The event that is named; what cannot be the id of one goes nowhere: not into the database,
    nor into a message of ours."""
    named = relation.get("event_id")
    is_one = isinstance(named, str) and _EVENT_ID.fullmatch(named)
    return EventId(str(named)) if is_one else None


def side(content: Json) -> tuple[Side, str] | None:
    """What an edited reply says: exactly a yes, or what begins with a no, with its reason."""
    raw = _raw(content)
    what = meant(raw.text) if raw is not None else Meant(Sense.OTHER)
    if what.sense is Sense.YES:
        return Side.APPROVE, ""
    return (Side.DENY, what.rest) if what.sense is Sense.NO else None


def shown_accounts(content: Json) -> tuple[str, ...]:
    """The accounts of which a message shows the whole id, to everybody who reads it."""
    body, html = content.get("body"), _html(content)
    if not isinstance(body, str):
        return ()
    said = "\n".join(row for row in body.split("\n") if not row.startswith(">"))
    named = dict.fromkeys(each.rstrip(".:") for each in _ACCOUNT.findall(said))
    if not html.parts:
        return tuple(named)
    shown = "".join(part if isinstance(part, str) else part.label for part in html.parts)
    also = {each.rstrip(".:") for each in _ACCOUNT.findall(shown)}
    return tuple(mxid for mxid in named if mxid in also)


def mentions_bot(content: Json, bot: str) -> bool:
    """Whether a message names the bot itself; that it answers the bot does not count."""
    raw = _raw(content)
    if raw is None:
        return False
    if bot in raw.text or named(bot).match(raw.text):
        return True
    if any(not isinstance(part, str) and part.means == bot for part in _html(content).parts):
        return True
    users = object_in(content, "m.mentions").get("user_ids")
    return raw.reply_to is None and isinstance(users, list) and bot in users


def _raw(content: Json, *, caption: bool = False) -> Said | None:
    """Plain text that is no edit, without the quote of a reply; links still as written. caption:
    also what is written to a file; without one, a body is the name of the file."""
    body, kind = content.get("body"), content.get("msgtype")
    file = content.get("filename")
    if not isinstance(body, str) or not isinstance(kind, str):
        return None
    captioned = caption and kind in _FILES and isinstance(file, str) and file != body
    if kind != "m.text" and not captioned:
        return None
    relation = object_in(content, "m.relates_to")
    if relation.get("rel_type") == "m.replace":
        return None
    thread = thread_of(content)
    reply_to = _event(object_in(relation, "m.in_reply_to"))
    if reply_to is None:
        return Said(body, None, thread)
    lines = body.split("\n")
    quoted = 0
    while quoted < len(lines) and lines[quoted].startswith(">"):
        quoted += 1
    # A thread names its last message for clients that know no threads: nobody answered it.
    fallback = relation.get("is_falling_back") is True
    return Said("\n".join(lines[quoted:]), None if fallback else reply_to, thread)


def _html(content: Json) -> Html:
    html = content.get("formatted_body")
    return read_html(html) if isinstance(html, str) else Html()


def _refusal(wrong: Mismatch | TooMany) -> NotRun:
    if isinstance(wrong, TooMany):
        most = f"that message holds {wrong.count:,} links, {MAX_PILLS} is the most."
        return NotRun((most, " Write what you mean without links, one a line."))
    shows = ("that link shows ", quote(wrong.label, 40), " but points to ", code(wrong.means), ".")
    return NotRun((*shows, " Type the account by hand."))


def _typed(begins: Front, bot: str, where: Said) -> Typed | None:
    typed = _line(begins.text, bot)
    if typed is None and begins.manner is Manner.SAID:
        typed = Typed("")
    placed = typed and evolve(typed, reply_to=where.reply_to, thread=where.thread)
    return placed and evolve(placed, manner=begins.manner)


def _line(text: str, bot: str = "") -> Typed | None:
    head, lines = _unfenced(text)
    found = first_word(head, bot)
    if found is None:
        return None
    word, rest = found
    if rest and rest[-1].endswith(".") and not rest[-1].endswith(".."):
        rest[-1] = rest[-1][:-1]
        rest = rest if rest[-1] else rest[:-1]
    words, reason = without_reason(rest)
    said = word if {"?", "？"} & set(head) and _is_decision(word) else ""
    return Typed(word, " ".join(rest), tuple(map(unquoted, words)), reason, lines, said=said)


def _is_decision(word: str) -> bool:
    """A word that is never guessed, and takes no text: who asks with it has not decided."""
    command = find(word)
    if command is None or command.has(Type.TEXT):
        return False
    return command.guessed is Guessed.TYPED


def _unfenced(text: str) -> tuple[str, tuple[str, ...]]:
    """The command line, and the further lines without the fences of code blocks.

    A fence ends an entry wherever it stands, and none is lost by it. Only a language that is known
    is left out behind an opening one; any other lone word there is an entry or a language, and
    keeps its fence: so it is neither, and whoever typed it is told.
    """
    head, *more = text.splitlines() or [""]
    fences = list(_FENCE.finditer(head))
    if len(fences) % 2:  # a block that begins on the command line
        more = [head[fences[-1].start() :], *more]
        head = head[: fences[-1].start()]
    head = _FENCE.sub(" ", head)
    inside = False
    found: list[str] = []
    for line in more:
        before, *behind = _FENCE.split(line)
        found.append(before)
        for at, part in enumerate(behind, 1):
            inside = not inside
            word = part.strip()
            opens = inside and at == len(behind) and word.isalnum()
            if not opens:
                found.append(part)
            elif not _LANGUAGE.fullmatch(word):
                found.append(f"```{word}")
    lines = (" ".join(line.split()) for line in found)
    return head, tuple(line for line in lines if line)
