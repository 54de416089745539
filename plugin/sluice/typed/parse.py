"""From typed words to an invocation; everything that can be checked without I/O is checked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from attrs import evolve, field, frozen

from ..catalog.accounts import DEACTIVATE, USERS
from ..catalog.record import Command
from ..catalog.table import COMMANDS, alias, find, meant, nearest
from ..model.command import Alias, Invocation, Param, Tag, Type, Typed, Value
from ..text.message import Text, Topic, code, quote
from ..text.phrases import Here, line, listed
from ..text.times import Clock
from . import lists, password
from .canonical import canonical as canonical
from .canonical import targets as targets
from .canonical import users as users
from .ids import account, bare, number, numbered, room
from .lists import WrittenList
from .needs import AskFirst as AskFirst
from .needs import Bad, all_of, another_number, doubted, missing
from .needs import Missing as Missing
from .needs import NeedsMedia as NeedsMedia
from .needs import NeedsTopic as NeedsTopic
from .search import checked
from .values import (
    MAX_BYTES,
    Around,
    address,
    date,
    duration,
    is_media_type,
    is_time,
    read,
    size,
    sound,
)
from .values import NeedsRoom as NeedsRoom
from .values import NotRun as NotRun
from .values import reserved as reserved

MAX_ENTRIES = 1_000  # of any list
NOT_YET = (AskFirst, Missing, NeedsMedia, NeedsRoom, NeedsTopic)
"""What `parse` raises of a line that may run, once something is answered or looked up."""
_COPIED = 3  # accounts in a line to copy
_BEFORE = re.compile(r"[\s:,;!–—-]*(?:reason\b[\s:=–—-]*)?", re.I)  # a reason, behind a number


def parse(
    typed: Typed,
    *,
    server: str,
    prefix: str = "!",
    rooms: Mapping[str, str] | None = None,
    media: Mapping[str, tuple[str, ...]] | None = None,
    about: Topic | None = None,
    now: float = 0.0,
) -> Invocation:
    """The invocation that was typed.

    server: Conduit's name. rooms: addresses that were resolved ("" for unknown ones). media: the
    files of messages that were looked up, by event id. about: what the message behind `reply_to`
    is about, None if it is not ours. now: epoch seconds, for spans like "since 7d".
    Raises NotRun, Missing, AskFirst, NeedsRoom, NeedsMedia, NeedsTopic; for a word that is no
    command NotRun.
    """
    command, typed = _command(typed)
    typed = typed if command.has(Type.TEXT) else lists.without_politeness(typed)
    command, typed = _pointed(command, typed, about)
    _check_one(command, typed, server, prefix)
    typed = _with_number(command, typed, about)
    reading = _Reading(
        command,
        alias(typed.word),
        typed,
        Around(server, rooms or {}, now),
        prefix,
        media or {},
        about,
    )
    if command.has(Type.TEXT):
        made = Invocation(command.name, tuple(reading.text()))
    else:
        made = reading.invocation()
    of, typed_number = about.requests if about is not None else (), made.get("request")
    if of and typed_number not in (None, *of):
        raise another_number(made, of)
    return made


def refusal(typed: Typed, *, server: str, prefix: str = "!") -> NotRun | None:
    """Why a line cannot run; None also where something is asked or looked up first."""
    try:
        parse(typed, server=server, prefix=prefix)
    except NotRun as no:
        return no
    except NOT_YET:
        pass
    return None


def typed_password(typed: Typed, *, server: str, prefix: str) -> NotRun | None:
    """The refusal of a line that holds a password, None for any other."""
    no = refusal(typed, server=server, prefix=prefix)
    return no if no is not None and no.redact else None


def _command(typed: Typed) -> tuple[Command, Typed]:
    """The command of the first word, and the words that are left for it."""
    command = find(typed.word)
    if command is None:
        raise NotRun(("there is no command ", quote(typed.word), "."))
    if command.of_request:
        left = tuple(numbered(" ".join(typed.words)).split())
        typed = evolve(typed, rest=numbered(typed.rest), words=left)
    words = typed.rest.split() if command.has(Type.TEXT) else typed.words
    found, left = meant(command, words)
    return found, typed if found is command else evolve(typed, words=left)


def _pointed(command: Command, typed: Typed, about: Topic | None) -> tuple[Command, Typed]:
    """The command without words that only point at the answered message: at all that it is about,
    where they say so and the command takes one."""
    many = about.accounts if about is not None else ()
    replied = any(param.replied for param in command.params)
    if typed.reply_to is None or not replied or typed.lines:
        return command, typed
    if not lists.points(typed.words, len(many)):
        return command, typed
    if command.several and len(many) > 1 and lists.means_several(typed.words):
        command = COMMANDS[command.several]
    return command, evolve(typed, words=())


def _check_one(command: Command, typed: Typed, server: str, prefix: str) -> None:
    """One command a message, and one request for each vote. Raises NotRun."""
    if (count := lists.commands(typed, prefix)) > 1:
        texts = (typed.rest, *typed.lines)
        hides = any(map(password.is_told, texts)) or (
            command.secret and password.which(typed.words, (), typed.lines, server) > 0
        )
        first = f"{count} commands in one message. I take one a message; nothing has run."
        raise NotRun((first,), ("Send each as a message of its own.",), redact=hides)
    numbers = lists.numbers(typed, command)
    if len(numbers) > 1:
        lines = [code(f"{prefix}{command.name} {number}") for number in numbers[:2]]
        first = f"{len(numbers)} numbers in one message. I take one a message; nothing has run."
        raise NotRun((first,), ("Send ", lines[0], ", then ", lines[1]))


def _with_number(command: Command, typed: Typed, about: Topic | None) -> Typed:
    """The number of the request that the answered message is about, where none was typed."""
    numbers = about.requests if about is not None else ()
    if not numbers or not command.of_request:
        return typed
    first, *_ = typed.rest.split() or [""]
    if number(first).isdecimal():
        return typed
    if len(numbers) > 1:
        raise NotRun(
            (f"that message is about {len(numbers)} requests, name one: ", *_few(numbers), "."),
        )
    (only,) = map(str, numbers)
    return evolve(typed, rest=f"{only} {typed.rest}".strip(), words=(only, *typed.words))


def _few(numbers: Sequence[int]) -> Text:
    more = f" and {len(numbers) - 5} more" if len(numbers) > 5 else ""
    return (", ".join(f"#{each}" for each in numbers[:5]), more)


@frozen
class _Reading:
    """One command line on its way to an invocation."""

    command: Command
    alias: Alias | None
    typed: Typed
    around: Around
    prefix: str
    media: Mapping[str, tuple[str, ...]]
    about: Topic | None
    noted: list[tuple[str, str]] = field(factory=list)
    bad: list[Bad] = field(factory=list)

    def text(self) -> list[tuple[str, Value]]:
        """The arguments of a command whose last one is the rest of what was typed."""
        rest = self.typed.rest
        args: list[tuple[str, Value]] = []
        for param in self.command.params:
            if param.type is Type.TEXT:
                value, rest = "\n".join((rest, *self.typed.lines)).strip(), ""
                value = _BEFORE.sub("", value, count=1) if args else value
                value = value or self._number(param)
            else:
                value, _, rest = rest.partition(" ")
            if value:
                text = param.type is Type.TEXT
                args.append((param.name, value if text else read(param, value, self.around)))
            elif param.required:
                raise self._missing(param)
        return args

    def _number(self, param: Param) -> str:
        """The request that the answered message is about, where nothing was typed."""
        numbers = self.about.requests if self.about is not None and param.replied else ()
        return str(numbers[0]) if len(numbers) == 1 else ""

    def _missing(self, param: Param) -> Missing:
        return missing(param, answers=param.replied and self.about is not None)

    def invocation(self) -> Invocation:
        args, rows = self._rows()
        words, lines = list(rows.words), list(rows.lines)
        if self.command.has(Type.MXC):
            words, lines = self._linked(words), self._linked(lines)
        if self.command.by_shape:
            args |= self._by_shape(words)
            words = []
        values = [*(self.alias.first if self.alias else ()), *words, *lines]
        for param in self.command.params:
            if param.flag or param.name in args or self.command.by_shape:
                continue
            values = values or self._found(param)
            if not values and param.required:
                raise self._missing(param)
            taken, values = (values, []) if param.many else (values[:1], values[1:])
            if taken and param.many:
                args[param.name] = self._list(param, taken, len(words))
            elif taken:
                args[param.name] = self._one(param, taken[0])
        order = tuple((p.name, args[p.name]) for p in self.command.params if p.name in args)
        made = Invocation(self.command.name, order, rows.reason, tuple(self.noted))
        self._check_rest(made, values, rows)
        self._check_list(made, rows)
        return made

    def _rows(self) -> tuple[dict[str, Value], WrittenList]:
        """The arguments that are no entries, and the rest of what was typed."""
        count = max(len(self.typed.lines), len(self.typed.words))
        if count > MAX_ENTRIES:  # before any of them is looked at
            raise _too_many(count)
        below = lists.below(self.typed, self.command)
        if below.reason and size(below.reason) > MAX_BYTES:
            most = f"the reason is {size(below.reason)} bytes long, {MAX_BYTES} is the most."
            raise NotRun((most,))
        noise = self.alias.noise if self.alias else ()
        args, words = self._flags([w for w in self.typed.words if w.lower() not in noise])
        more, options = self._flags(list(below.options))
        args |= more | self._time(words) | self._time(["", *options])
        self._check_flags(words)
        apart = self.command.many is not None or self.command.secret
        rows = lists.listed(self.typed, words, below, apart=apart)
        self._check_number(rows)
        self._check_password(rows, (" ".join(words), *below.rows, *below.left_out))
        return args, rows

    def _flags(self, words: list[str]) -> tuple[dict[str, Value], list[str]]:
        known = {f"--{p.name}": p.name for p in self.command.params if p.flag}
        args: dict[str, Value] = {known[w.lower()]: True for w in words if w.lower() in known}
        return args, [w for w in words if w.lower() not in known]

    def _time(self, words: list[str]) -> dict[str, Value]:
        """Takes "last 7d", "for 1h" or "since 7d" out of the words."""
        for param in self.command.params:
            if param.type not in (Type.DURATION, Type.SINCE):
                continue
            is_span = param.type is Type.DURATION
            first = 1 if is_span else 0
            for at in range(first, len(words)):
                if words[at].lower() == param.name:
                    end = len(words) if is_span else at + 2
                    text = " ".join(words[at + 1 : end]) or words[at]
                    del words[at:end]
                    made = duration(text) if is_span else date(text, self.around.now)
                    return {param.name: made}
        return {}

    def _check_flags(self, words: list[str]) -> None:
        flags = [f"--{p.name}" for p in self.command.params if p.flag]
        slip = next((w for w in words if w.startswith("--") and nearest(w, flags)), None)
        if slip is not None:
            raise self._too_much(slip)

    def _check_number(self, rows: WrittenList) -> None:
        """Conduit's own names take as many words as in Conduit; a password is never one."""
        most = self.alias.most if self.alias else None
        is_single = self.command.many is None or self.alias is not None
        more = rows.left_out or len(rows.words) + len(rows.lines) > 1
        if self.command.secret and is_single and more:
            raise self._password(rows, 0)
        if most is not None and len(rows.words) > most:
            raise self._too_much(rows.words[most])

    def _check_rest(self, made: Invocation, values: Sequence[str], rows: WrittenList) -> None:
        """What is left behind the arguments: courtesy, or a reason behind a sign."""
        left = () if self.command.many else rows.left_out
        rest = [word for word in (*values, *left) if not lists.is_courtesy(word)]
        if not rest:
            return
        words = [word for word in rest if word.strip("-–—")] or rest
        no = self._several(made, rows) or self._too_much(words[0])
        first, is_for = rest[0], lists.is_for(rest[0])
        has_sign = first[0] in f"(-{lists.DASHES}" and first[:2] != "--"
        marked = bool(left) or has_sign or is_for
        reason = " ".join(rest[1:] if is_for else rest).strip(f"()-{lists.DASHES} ")
        acts = self.command.tags & {Tag.CHANGE, Tag.DESTRUCTIVE}
        if not (acts and marked and reason) or made.reason or any(map(lists.is_id, rest)):
            raise no
        asked = ("Reason ", quote(reason, 60), "? Tap ✅. Nothing has run yet.")
        raise AskFirst(evolve(made, reason=reason), asked, instead=no)

    def _check_password(self, rows: WrittenList, texts: Sequence[str]) -> None:
        if not self.command.secret:
            return
        entries = (*rows.words, *rows.lines)
        home = self.around.server
        which = password.which(entries, texts, rows.left_out, home)
        if which and self._are_mails(entries, texts, rows.left_out):
            example = code(f"{self.prefix}{self.command.example}")
            no = "one plain name a line, without mail addresses, full names and notes."
            raise NotRun((no,), ("Like this: ", example, ", and each further name below it."))
        if which:
            raise self._password(rows, which if len(entries) > 1 else 0)
        if rows.reason and password.is_in_reason(rows.reason):
            raise self._password(rows, 0, "The reason may hold one, so I kept none of it.")

    def _are_mails(self, *texts: Sequence[str]) -> bool:
        """Whether it is mail addresses, and nothing else, that look like passwords."""
        home = self.around.server
        entries, rows, left_out = (password.without_mails(each, home) for each in texts)
        has_some = (entries, rows, left_out) != tuple(map(list, texts))
        return has_some and not password.which(entries, rows, left_out, home)

    def _found(self, param: Param) -> list[str]:
        """What the message that is answered is about, if that is what the words lack."""
        reply_to, about = self.typed.reply_to, self.about
        if reply_to is None or not param.replied or not param.required:
            return []
        if about is None:
            if param.type is Type.USER:
                raise NeedsTopic(reply_to)
            return self._files_of(reply_to) if param.type is Type.MXC else []
        of = {Type.USER: about.accounts, Type.ROOM: about.rooms, Type.MXC: about.files}
        found = of.get(param.type, ())
        most = MAX_ENTRIES if param.many else 1
        if len(found) > most:
            raise self._too_many_there(len(found), param)
        return list(found)

    def _too_many_there(self, count: int, param: Param) -> NotRun:
        """The answered message is about more than this command takes."""
        if param.many:
            return NotRun((f"that list holds more than {MAX_ENTRIES:,}. Ask for a shorter one.",))
        noun = {Type.USER: "accounts", Type.ROOM: "rooms"}.get(param.type, "files")
        first = (f"that message is about {count} {noun}, {self.command.name} takes one. Type it.",)
        several = self.command.several
        if not several:
            return NotRun(first)
        return NotRun(first, ("For all of them: ", code(f"{self.prefix}{several} reason …")))

    def _linked(self, words: list[str]) -> list[str]:
        """A link to a message (read as `$id`) means the file that was posted with it."""
        return [f for w in words for f in (self._files_of(w) if w.startswith("$") else [w])]

    def _files_of(self, event_id: str) -> list[str]:
        if event_id not in self.media:
            raise NeedsMedia(event_id)
        if not self.media[event_id]:
            example = code(f"{self.prefix}{self.command.name} mxc://…")
            raise NotRun(("that message has no file. Reply to a picture or file, or: ", example))
        return list(self.media[event_id])

    def _by_shape(self, words: list[str]) -> dict[str, Value]:
        """The words of `media`, in any order: each says by its shape what it is."""
        args: dict[str, Value] = {}
        for word in words:
            if is_media_type(word):
                name = "type"
            elif is_time(word):
                name = "since"
            elif not word.startswith("@") and ("." in word or ":" in word):
                name = "server"
            else:
                name = "user"
            if name in args or {name, *args} >= {"user", "server"}:
                raise self._too_much(word)
            param = next(p for p in self.command.params if p.name == name)
            args[name] = self._one(param, word)
        return args

    def _one(self, param: Param, word: str) -> Value:
        is_name = password.is_plain(word) and "." not in word
        if param.type is Type.MXC and (word.startswith("@") or is_name):
            raise self._no_file(word)
        value = read(param, word, self.around)
        if param.name == "pattern":
            checked(word, self.around.server, accounts=self.command is USERS)
        if param.type is Type.USER:
            mxid, local = str(value), account(word, self.around.server)[0]
            self._check_local(mxid)
            if local != mxid[1:].partition(":")[0]:
                self.noted.append((mxid, local))
        if param.type is Type.ROOM and room(word, self.around.server).startswith("#"):
            self.noted.append((str(value), address(word, self.around)))
        if param.type is Type.ALIAS and (of := str(value).partition(":")[2]) != self.around.server:
            raise NotRun((code(str(value)), f" is of another server; only {of} can remove it."))
        return value

    def _check_local(self, mxid: str) -> None:
        """Commands act on accounts of this server only; `who` may look at any."""
        server, told = mxid.partition(":")[2], self.command.elsewhere
        if server == self.around.server or told is None:
            return
        values = {"mxid": mxid, "server": server, "here": self.around.server}
        here = Here(self.around.server, Clock(self.around.now), self.prefix)
        lines = [line(each, here, **values) for each in told]
        if nearest(server, (self.around.server,)):
            meant = code(f"{mxid.partition(':')[0]}:{self.around.server}")
            lines[1:] = [("Did you mean ", meant, "? Edit your message.")]
        raise NotRun(*lines, short="other server")

    def _no_file(self, word: str) -> NotRun:
        """An account where a file is wanted."""
        is_id = word.startswith("@")
        what = " is an account, and this is about a file." if is_id else " is no file."
        said: Text = (quote(word, 60), what)
        names = [name for name in (self.command.of_account, DEACTIVATE.name) if name]
        meant = (code(f"{self.prefix}{name} {bare(word)}") for name in names)
        return NotRun(said, ("About the account: ", *listed(list(meant), "or")), short="no file")

    def _list(self, param: Param, values: Sequence[str], on_line: int) -> tuple[str, ...]:
        """Every value once. The words of the line must all be right; of a list, bad ones are
        noted."""
        good: dict[str, None] = {}
        if len(values) > MAX_ENTRIES:
            raise _too_many(len(values))
        for at, word in enumerate(values):
            try:
                good[str(self._one(param, word))] = None
            except NotRun as wrong:
                if at < on_line or len(values) == 1:
                    raise
                self.bad.append(Bad(word, (wrong.short or "not valid",)))
        return tuple(good)

    def _password(self, rows: WrittenList, which: int, took: str = "") -> NotRun:
        """Somebody typed a password, as Conduit's documentation has it: it is not repeated.

        which: the entry that is taken for one, 0 where that is plain. took: or what else is.
        """
        example = self.command.example
        name = next(iter((*rows.words, *rows.lines)), "").partition(":")[0]
        if which != 1 and password.is_plain(name) and not name.startswith("@"):
            example = f"{self.command.name} {name.lower()}"
        if which:
            took = f"Number {which} is no plain name (a-z 0-9 . _ -), so I took it for one."
        return NotRun(
            ("passwords are never typed here, Conduit makes them.",),
            ("Delete your message, then: ", code(f"{self.prefix}{example}")),
            *([(took,)] if took else []),
            redact=True,
        )

    def _several(self, made: Invocation, rows: WrittenList) -> NotRun | None:
        """Several accounts, or only words that point, where one account is taken."""
        if not self.command.several:
            return None
        if lists.points_on(self.typed.words):
            first = ("I need a name: ", code(f"{self.prefix}{self.command.example}"))
            search = code(f"{self.prefix}{USERS.example}")
            return NotRun(first, ("To find it: ", search, ". Or reply to a card, a list or news."))
        head = lists.entries(" ".join(rows.words))
        named = (*head.values, *rows.lines)
        doubt = head.crowded or head.left_out or rows.crowded or rows.left_out
        if len(named) < 2 or (doubt and not any(map(lists.is_id, named[1:]))):
            return None
        line = f"{self.prefix}{self.command.several}"
        where: Text = ("For several, a line each: ",)
        if len(named) <= _COPIED:
            param, *_ = self.command.params
            ids = [str(read(param, each, self.around)) for each in named]
            where = ("For all of them: ",)
            line = f"{line} {' '.join(ids)} reason {made.reason or '…'}"
        many = f"{self.command.name} takes one account, and there are {len(named)}."
        return NotRun((many,), (*where, code(line)))

    def _too_much(self, word: str) -> NotRun:
        flags = [code(f"--{p.name}") for p in self.command.params if p.flag]
        try:
            sound(word)
        except NotRun as wrong:
            return NotRun(*wrong.lines, ("Options: ", *listed(flags))) if flags else wrong
        acts = self.command.tags & {Tag.CHANGE, Tag.DESTRUCTIVE}
        reason = "A reason comes last, behind the word reason. " if acts else ""
        example = code(f"{self.prefix}{self.command.example}")
        shown = quote(word) if password.is_plain(word) or lists.is_id(word) else "that"
        return NotRun(
            (shown, f" is one word too many for {self.typed.word}."),
            (f"{reason}Example: ", example),
        )

    def _check_list(self, made: Invocation, rows: WrittenList) -> None:
        """The limits of a list, and what must be asked before it can be taken as meant."""
        if made.get("for") is not None and made.get("state") == "off":
            raise NotRun(("only “on” takes a time span.",))
        many = self.command.many
        if many is None:
            return
        count, most = len(made.values(many.name)), many.most or MAX_ENTRIES
        if count > most:
            raise _too_many(count, most)
        if count > 1 and not rows.words and not rows.lines:
            raise all_of(made) if not rows.left_out else _all_or_named()
        doubt = doubted(made, tuple(self.bad), rows)
        if doubt is not None:
            raise doubt


def _too_many(count: int, most: int = MAX_ENTRIES) -> NotRun:
    return NotRun((f"{count:,} are too many, {most:,} is the most in one request.",))


def _all_or_named() -> NotRun:
    """Words beside what is answered may except some of it."""
    return NotRun(
        ("I take all of that list, or the accounts that you write; nothing has run.",),
        ("All: only the command and its reason. Some: write them one a line, below it.",),
    )
